//! How requests are divided, as written.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use super::RawService;
use crate::balance::{Affinity, Algorithm, Config};
use crate::cluster::plan::Revision;
use crate::fleet::ConfigError;
use crate::fleet::range::{self, duration_or_zero, number};
use crate::fleet::written::Number;

/// `weights = { "1" = 90, "2" = 10 }`, by revision.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub(super) struct RawWeights(BTreeMap<String, Number>);

const MOST: u32 = 1_000_000;

/// The keys of a service that say who gets its requests.
pub(super) fn read(raw: &RawService) -> Result<Config, ConfigError> {
    // The one that notices a task that is slow and not dead. Among equals it is round robin.
    let algorithm = raw.balancing.unwrap_or(Algorithm::LatencyAware);
    match (algorithm, &raw.affinity) {
        (Algorithm::ConsistentHash, None) => {
            let problem = "is missing; allowed is \"path\", \"source\" or { header = \"NAME\" }: what is \
                           hashed by `consistent_hash`";
            return Err(ConfigError::new("affinity", problem));
        }
        (Algorithm::ConsistentHash, Some(Affinity::Header(name))) => {
            range::token("affinity.header", name)?;
        }
        (Algorithm::ConsistentHash, Some(_)) | (_, None) => {}
        (_, Some(_)) => {
            let problem =
                "means nothing without `balancing = \"consistent_hash\"`; allowed is both";
            return Err(ConfigError::new("affinity", problem));
        }
    }
    let most = raw.most_in_flight.is_some();
    Ok(Config {
        algorithm,
        affinity: raw.affinity.clone(),
        // A task that needs to be warmed up is a matter of its service.
        slow_start: duration_or_zero("slow_start", raw.slow_start, Duration::ZERO)?,
        // How much a task can carry, too.
        most_in_flight: match number("most_in_flight", raw.most_in_flight, 1, 1..=MOST)? {
            value if most => Some(value),
            _ => None,
        },
    })
}

// === impl RawWeights ===

impl RawWeights {
    pub(super) fn read(&self) -> Result<BTreeMap<Revision, u32>, ConfigError> {
        let mut weights = BTreeMap::new();
        for (name, weight) in &self.0 {
            let revision: Option<Revision> =
                name.parse().ok().filter(|n: &Revision| *n > 0 && n.to_string() == *name);
            let Some(revision) = revision else {
                let problem = format!("`{name}` is no revision; allowed are 1, 2, …");
                return Err(ConfigError::new("weights", problem));
            };
            weights.insert(
                revision,
                number(name, Some(*weight), 0, 0..=MOST).map_err(|error| error.below("weights"))?,
            );
        }
        if weights.values().all(|weight| *weight == 0) {
            let problem = "leave nothing to anybody; allowed is at least one weight of 1 or more";
            return Err(ConfigError::new("weights", problem));
        }
        Ok(weights)
    }
}
