//! `targets` as written: the tasks of a service that Seaworthy does not run.

use std::fmt;
use std::net::SocketAddr;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};

use super::RawService;
use crate::fleet::range::number;
use crate::fleet::written::Number;
use crate::fleet::{ConfigError, Target};

/// As many as a service may have tasks.
const MOST_TARGETS: usize = 100;

/// `"127.0.0.1:8001"`, or the same with what is special about it.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(with = "Either"))]
pub(super) struct RawTarget(RawTable);

/// `{ address = "127.0.0.1:8001", weight = 2, revision = 2 }`
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a table")]
struct RawTable {
    address: String,
    weight: Option<Number>,
    revision: Option<Number>,
}

struct AddressOrTable;

/// What a target is for an editor.
#[cfg(feature = "schema")]
#[derive(schemars::JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "only its form matters")]
enum Either {
    Address(String),
    Table(RawTable),
}

/// What `raw` says of its targets. Nothing in it may be about tasks that we would run.
pub(super) fn read(raw: &RawService) -> Result<Vec<Target>, ConfigError> {
    if let Some(key) = of_tasks_we_run(raw) {
        let problem = "is about tasks that seaworthy starts and stops; those at `targets` somebody \
                       else does";
        return Err(ConfigError::new(key, problem));
    }
    let written = raw.targets.as_deref().unwrap_or_default();
    if !(1..=MOST_TARGETS).contains(&written.len()) {
        let problem = format!(
            "{} are given; allowed are 1 to {MOST_TARGETS} addresses, such as [\"127.0.0.1:8001\"]",
            written.len()
        );
        return Err(ConfigError::new("targets", problem));
    }
    let mut targets: Vec<Target> = Vec::new();
    for (n, target) in written.iter().enumerate() {
        let key = format!("targets[{}]", n + 1);
        let target = target.0.read().map_err(|error| error.below(&key))?;
        if targets.iter().any(|other| other.address == target.address) {
            let problem = format!("{} stands there twice; `weight` is for more", target.address);
            return Err(ConfigError::new(key, problem));
        }
        targets.push(target);
    }
    Ok(targets)
}

/// A service that we run has no targets.
pub(super) fn refuse(raw: &RawService) -> Result<(), ConfigError> {
    if raw.targets.is_none() {
        return Ok(());
    }
    let problem = "is for a service that somebody else runs; allowed with `seaworthy gateway FILE`, \
                   where no service has a `command`";
    Err(ConfigError::new("targets", problem))
}

fn of_tasks_we_run(raw: &RawService) -> Option<&'static str> {
    let keys = [
        ("command", raw.command.is_some()),
        ("environment", !raw.environment.is_empty()),
        ("environment_files", raw.environment_files.is_some()),
        ("secrets", !raw.secrets.is_empty()),
        ("desired_count", raw.desired_count.is_some()),
        ("minimum_healthy_percent", raw.minimum_healthy_percent.is_some()),
        ("maximum_percent", raw.maximum_percent.is_some()),
        ("provisioning", raw.provisioning.is_some()),
        ("start_timeout", raw.start_timeout.is_some()),
        ("stop_timeout", raw.stop_timeout.is_some()),
        ("deregistration_delay", raw.deregistration_delay.is_some()),
        ("restart_backoff", raw.restart_backoff.is_some()),
        ("health_grace", raw.health_grace.is_some()),
        ("machines", raw.machines.is_some()),
        ("limits", raw.limits.is_given()),
        ("deployment", raw.deployment.is_given()),
        ("autoscaling", raw.autoscaling.is_some()),
    ];
    keys.into_iter().find(|(_, given)| *given).map(|(key, _)| key)
}

// === impl RawTable ===

impl RawTable {
    fn read(&self) -> Result<Target, ConfigError> {
        let address: Option<SocketAddr> = self.address.parse().ok();
        let Some(address) = address.filter(|address| address.port() > 0) else {
            // Which machine a name means may change, and a look-up may hang: that is a matter of
            // whoever writes the file and has it read again.
            let problem = format!(
                "`{}` is not an address; allowed is IP:PORT, such as \"127.0.0.1:8001\": names are \
                 not looked up",
                self.address
            );
            return Err(ConfigError::new("address", problem));
        };
        Ok(Target {
            address,
            weight: number("weight", self.weight, 1, 1..=1000)?,
            revision: number("revision", self.revision, 1, 1..=u32::MAX)?,
        })
    }
}

// === impl RawTarget ===

impl<'de> Deserialize<'de> for RawTarget {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AddressOrTable)
    }
}

impl<'de> Visitor<'de> for AddressOrTable {
    type Value = RawTarget;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an address, such as \"127.0.0.1:8001\", or a table with `address`")
    }

    fn visit_str<E: Error>(self, address: &str) -> Result<RawTarget, E> {
        Ok(RawTarget(RawTable { address: address.to_owned(), weight: None, revision: None }))
    }

    fn visit_map<A: MapAccess<'de>>(self, table: A) -> Result<RawTarget, A::Error> {
        RawTable::deserialize(MapAccessDeserializer::new(table)).map(RawTarget)
    }
}
