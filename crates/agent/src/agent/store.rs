//! What the agent must not forget: who the tasks are, and what they were made from.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;

use seaworthy_core::cluster::Numbers;
use seaworthy_core::cluster::plan::Revision;
use seaworthy_core::cluster::reconciler::Snapshot;
use seaworthy_core::endpoints::TaskId;
use seaworthy_core::fleet::{Fleet, Service};
use serde::{Deserialize, Serialize};

use super::url;
use crate::Error;
use crate::api::Wall;
use crate::clock::now;
use crate::directory::{self, Directory};
use crate::processes::Identity;

/// Revisions of a service that are remembered, beside those in use.
const REVISIONS_KEPT: usize = 20;

/// The whole state of an agent. It outlives its program: see [`directory`].
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Stored {
    /// Of which run of the machine it tells: no process outlives that, and no moment means anything
    /// in another.
    pub(super) boot: String,
    /// When the fleet was brought up, in seconds since 1970.
    pub(super) started: u64,
    pub(super) origin: Origin,
    /// Where the API listens over TCP, if it does.
    pub(super) listen: Option<SocketAddr>,
    /// The tasks' processes.
    pub(super) processes: BTreeMap<TaskId, Identity>,
    /// By name.
    pub(super) services: BTreeMap<String, StoredService>,
}

/// The files that a fleet came from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Origin {
    /// The one that is in force, if it was a file.
    pub(super) file: Option<PathBuf>,
    /// The last one of which every deployment was completed: it is in force again where a later one is
    /// rolled back.
    proven: Option<PathBuf>,
}

/// That of one service.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct StoredService {
    /// As it was meant, whatever became of that: what is meant otherwise by now is news.
    pub(super) meant: Service,
    pub(super) numbers: Numbers,
    pub(super) revisions: Revisions,
    pub(super) snapshot: Snapshot,
}

/// What tasks were made from, by revision; never empty.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Revisions(BTreeMap<Revision, Registered>);

/// One revision of a task definition.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Registered {
    /// The service as it was meant.
    pub(super) service: Service,
    /// When, in seconds since 1970.
    pub(super) at: u64,
}

// === impl Stored ===

impl Stored {
    /// Nothing yet, in this run of the machine.
    pub(super) fn new() -> Self {
        Self { boot: boot(), started: Wall::seconds(), ..Self::default() }
    }

    /// What an earlier agent has left behind in `directory`, if there was one.
    pub(super) fn read(directory: &Directory) -> Result<Option<Self>, Error> {
        let stored = directory::read::<Self>(&directory.state())?;
        let true_now =
            |stored: Self| if stored.boot == boot() { stored } else { stored.rebooted() };
        Ok(stored.map(true_now))
    }

    /// In another run of the machine: the fleet comes up anew, as what it was.
    fn rebooted(self) -> Self {
        let rebooted = |(name, service): (String, StoredService)| {
            (name, StoredService { snapshot: service.snapshot.rebooted(now()), ..service })
        };
        let services = self.services.into_iter().map(rebooted).collect();
        Self { origin: self.origin, listen: self.listen, services, ..Self::new() }
    }
}

fn boot() -> String {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    id.trim().to_owned()
}

// === impl Origin ===

impl Origin {
    /// Every deployment of the file is completed.
    pub(super) fn prove(&mut self) {
        self.proven.clone_from(&self.file);
    }

    /// One was rolled back.
    pub(super) fn go_back(&mut self) {
        self.file.clone_from(&self.proven);
    }
}

// === impl Revisions ===

impl Revisions {
    pub(super) fn first(service: Service, at: u64) -> Self {
        Self([(1, Registered { service, at })].into())
    }

    /// One more; those that are neither `used` nor among the latest are forgotten.
    pub(super) fn register(&mut self, service: Service, at: u64, used: &[Revision]) -> Revision {
        let revision = self.latest().0 + 1;
        self.0.insert(revision, Registered { service, at });
        let oldest_kept = revision.saturating_sub(REVISIONS_KEPT as u32);
        self.0.retain(|known, _| *known > oldest_kept || used.contains(known));
        revision
    }

    /// Another setting of a revision whose tasks are made as before: it comes back with that, if it does.
    pub(super) fn amend(&mut self, revision: Revision, service: Service) {
        if let Some(registered) = self.0.get_mut(&revision) {
            registered.service = service;
        }
    }

    pub(super) fn latest(&self) -> (Revision, &Registered) {
        let (revision, latest) = self.0.last_key_value().expect("there is always one");
        (*revision, latest)
    }

    /// What a task of `revision` is made from; of the latest if nobody remembers it.
    pub(super) fn of(&self, revision: Revision) -> &Registered {
        self.0.get(&revision).unwrap_or(self.latest().1)
    }

    pub(super) fn all(&self) -> impl DoubleEndedIterator<Item = (Revision, &Registered)> {
        self.0.iter().map(|(revision, registered)| (*revision, registered))
    }
}

/// Whether tasks of the two are made in the same way.
pub(super) fn same_task(one: &Service, other: &Service) -> bool {
    one.command == other.command
        && one.environment == other.environment
        && one.environment_files == other.environment_files
        && one.secrets == other.secrets
        && one.directory == other.directory
        && one.cluster.limits == other.cluster.limits
}

/// Whether another service than `name` has moved from where it was `before`: tasks of `name` know its
/// old address for as long as they live.
pub(super) fn another_moved<'a>(
    name: &str,
    before: impl IntoIterator<Item = &'a Service>,
    meant: &Fleet,
) -> bool {
    let mut others = before.into_iter().filter(|service| service.name != name);
    others.any(|was| meant.service(&was.name).is_some_and(|now| url(now) != url(was)))
}

/// Whether the gateway goes by the same settings.
pub(super) fn same_gateway(one: &Service, other: &Service) -> bool {
    let Service { command, environment, environment_files, secrets, directory, cluster, .. } =
        other;
    let as_other = Service {
        command: command.clone(),
        environment: environment.clone(),
        environment_files: environment_files.clone(),
        secrets: secrets.clone(),
        directory: directory.clone(),
        cluster: cluster.clone(),
        ..one.clone()
    };
    as_other == *other
}
