//! What stands between the requests and the servers.

use std::fmt;
use std::time::Duration;

use seaworthy_core::fleet::{Fleet, RawFleet};

use super::Scenario;

/// How requests are passed on: settings of Seaworthy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// Each server in turn, one try, no verdict but that of health checks, and no deadline.
    Patient,
    /// The same, with the deadline.
    Deadline,
    /// As Seaworthy is if nothing is said, with the deadline.
    Defaults,
    /// The same, and no server gets more than it likes: what is too much waits.
    Queue,
    /// The same as the defaults, and what is too much for all servers together is turned away.
    Bulkhead,
}

// === impl Strategy ===

impl Strategy {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Patient, Self::Deadline, Self::Defaults, Self::Queue, Self::Bulkhead];

    /// Whether it makes sense in a scenario: some need to know how much a server likes.
    pub fn is_for(self, scenario: &Scenario) -> bool {
        scenario.room.is_some() || !matches!(self, Self::Queue | Self::Bulkhead)
    }

    /// The fleet of a scenario.
    pub(super) fn fleet(self, scenario: &Scenario, seed: u64) -> Fleet {
        let raw: RawFleet = toml::from_str(&self.file(scenario)).expect("it is a fleet");
        let mut fleet: Fleet = raw.try_into().expect("it can be meant");
        fleet.seed = seed;
        fleet
    }

    /// Its fleet file.
    fn file(self, scenario: &Scenario) -> String {
        let servers = scenario.servers.len() as u32;
        let room = scenario.room.unwrap_or(u32::MAX);
        let settings = match self {
            Self::Patient | Self::Deadline => "balancing = \"round_robin\"\n\
                 health.passive.enabled = false\n\
                 call.tries = 1\n\
                 call.hedge.enabled = false\n"
                .to_owned(),
            Self::Defaults => String::new(),
            Self::Queue => format!("most_in_flight = {room}\n"),
            Self::Bulkhead => format!("bulkhead.size = {}\n", room.saturating_mul(servers)),
        };
        let timeout = match self {
            Self::Patient => Duration::from_secs(3600),
            _ => scenario.deadline,
        };
        format!(
            "[service.store]\n\
             command = [\"store\"]\n\
             desired_count = {servers}\n\
             call.timeout = \"{}ms\"\n\
             {settings}",
            timeout.as_millis()
        )
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Patient => "round robin",
            Self::Deadline => "round robin, deadline",
            Self::Defaults => "defaults",
            Self::Queue => "defaults, queue",
            Self::Bulkhead => "defaults, bulkhead",
        })
    }
}
