//! The crash storm: one process of a standing fleet after another is killed, by seed, and each time it
//! has to be whole again.

use std::io;
use std::time::Duration;

use seaworthy_agent::clock::now;
use seaworthy_agent::processes::Identity;
use seaworthy_core::endpoints::TaskId;
use seaworthy_core::random::{Stream, draw, duration_between};
use seaworthy_core::time::Instant;

use crate::standing::{Glimpse, Standing};
use crate::witness::{Outcome, Seen};

/// A fleet is whole again within this.
const WHOLE_WITHIN: Duration = Duration::from_secs(60);
/// Of so many kills one is that of the agent, one that of the gateway, and the others are of tasks.
const DRAWS: u64 = 4;
/// What a kill does to a request is known by then.
const KNOWN_AFTER: Duration = Duration::from_secs(1);

/// What is killed, and how often.
#[derive(Clone, Copy, Debug)]
pub struct Storm {
    /// The same kills for the same seed, if the fleet comes back in the same order.
    pub seed: u64,
    /// How many.
    pub kills: u32,
    /// The longest pause from a fleet that is whole to the next kill.
    pub longest_pause: Duration,
}

/// Who is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Victim {
    /// The agent.
    Agent,
    /// The gateway.
    Gateway,
    /// One task.
    Task(TaskId),
}

/// A kill, and what came of it.
#[derive(Clone, Copy, Debug)]
pub struct Kill {
    /// Who.
    pub victim: Victim,
    /// When.
    pub at: Instant,
    /// How long it took until all was as desired again.
    pub whole_after: Duration,
}

/// Why a request failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// It had no connection.
    Refused,
    /// Its connection was that of a gateway that was killed.
    OfKilledGateway,
    /// It was on its way to a task that was killed, and may not be asked twice.
    Unrepeatable,
    /// For any other reason.
    Other,
}

// === impl Storm ===

impl Storm {
    /// Lets it pass over `fleet`. An error says what did not come back.
    pub async fn pass(&self, fleet: &Standing) -> io::Result<Vec<Kill>> {
        let mut kills = Vec::new();
        let mut whole = fleet.until("the whole fleet", WHOLE_WITHIN, Glimpse::is_whole).await?;
        for ordinal in 0..self.kills.into() {
            // Chance is to find the fleet at any moment of its checks.
            let (shortest, longest) = (Duration::ZERO, self.longest_pause);
            let pause = duration_between(shortest, longest, self.seed, Stream::Pause, ordinal);
            tokio::time::sleep(pause).await;
            let (victim, pid) = self.victim(&whole, ordinal)?;
            let at = now();
            let process = Identity::of(pid).filter(|process| process.kill());
            let gone = |after: &Glimpse| {
                !after.task_pids().contains(&pid)
                    && ["agent", "gateway"].iter().all(|part| after.pid(part) != Some(pid))
            };
            let what = format!("the whole fleet after kill {ordinal} ({victim:?}, process {pid})");
            let restored = |after: &Glimpse| gone(after) && after.is_whole();
            whole = fleet.until(&what, WHOLE_WITHIN, restored).await?;
            if process.is_some() {
                kills.push(Kill { victim, at, whole_after: now().since(at) });
            }
        }
        Ok(kills)
    }

    /// Who is next, with its process.
    fn victim(&self, whole: &Glimpse, ordinal: u64) -> io::Result<(Victim, u32)> {
        let drawn = draw(self.seed, Stream::Requests, ordinal);
        let part = |victim, name| whole.pid(name).map(|pid| (victim, pid));
        let found = match drawn % DRAWS {
            0 => part(Victim::Agent, "agent"),
            1 => part(Victim::Gateway, "gateway"),
            _ => {
                let tasks = whole.tasks.len().max(1);
                let task = whole.tasks.get((drawn / DRAWS) as usize % tasks);
                task.and_then(|task| Some((Victim::Task(task.task), task.pid?)))
            }
        };
        found.ok_or_else(|| io::Error::other(format!("nobody to kill in {whole:?}")))
    }
}

// === impl Class ===

impl Class {
    /// That of a request after these kills; none if it did not fail. `repeatable` says whether it may
    /// be asked twice.
    pub fn of(seen: &Seen, repeatable: bool, kills: &[Kill]) -> Option<Self> {
        if seen.outcome.is_good() {
            return None;
        }
        // It was under way when the kill came, and failed because of it soon after.
        let met = |since: Instant, meant: fn(Victim) -> bool| {
            kills.iter().any(|kill| {
                meant(kill.victim)
                    && since <= kill.at
                    && kill.at <= seen.ended
                    && seen.ended <= kill.at + KNOWN_AFTER
            })
        };
        let by_gateway = |victim| victim == Victim::Gateway;
        let by_task = |victim| matches!(victim, Victim::Task(_));
        Some(match seen.outcome {
            Outcome::Refused(_) => Self::Refused,
            Outcome::Lost(_) if met(seen.opened, by_gateway) => Self::OfKilledGateway,
            Outcome::Answered(502) if !repeatable && met(seen.sent, by_task) => Self::Unrepeatable,
            _ => Self::Other,
        })
    }
}
