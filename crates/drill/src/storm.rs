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
/// Of so many draws one is the agent, one the gateway, and the others are tasks.
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
    /// When the last of its connections was closed: the kernel takes a moment, in which others still
    /// send to it.
    pub gone: Instant,
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
            let closed = gone(process).await;
            let is_replaced = |after: &Glimpse| {
                !after.task_pids().contains(&pid)
                    && ["agent", "gateway"].iter().all(|part| after.pid(part) != Some(pid))
            };
            let what = format!("the whole fleet after kill {ordinal} ({victim:?}, process {pid})");
            let restored = |after: &Glimpse| is_replaced(after) && after.is_whole();
            whole = fleet.until(&what, WHOLE_WITHIN, restored).await?;
            if process.is_some() {
                kills.push(Kill { victim, at, gone: closed, whole_after: now().since(at) });
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

/// Waits until a process that was killed is no more.
async fn gone(process: Option<Identity>) -> Instant {
    while process.is_some_and(Identity::is_alive) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    now()
}

// === impl Class ===

impl Class {
    /// That of a request after these kills; none if it did not fail. `repeatable` says whether it may
    /// be asked twice.
    pub fn of(seen: &Seen, repeatable: bool, kills: &[Kill]) -> Option<Self> {
        if seen.outcome.is_good() {
            return None;
        }
        // It was under way when its process ended, and failed because of it soon after.
        let met = |since: Instant, meant: fn(Victim) -> bool| {
            kills.iter().any(|kill| {
                meant(kill.victim)
                    && since <= kill.gone
                    && kill.at <= seen.ended
                    && seen.ended <= kill.gone + KNOWN_AFTER
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

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_failure_is_laid_to_the_kill_that_it_met() {
        let at = |ms: u32| Instant::EPOCH + MS * ms;
        let kill = |victim, ms| Kill { victim, at: at(ms), gone: at(ms + 2), whole_after: MS };
        let kills = [kill(Victim::Gateway, 1_000), kill(Victim::Task(TaskId(1)), 9_000)];
        let class = |opened, sent, ended, outcome, repeatable| {
            let [opened, sent, ended] = [opened, sent, ended].map(at);
            Class::of(&Seen { way: 0, opened, sent, ended, outcome }, repeatable, &kills)
        };
        let lost = || Outcome::Lost("closed".to_owned());
        let bad = || Outcome::Answered(502);
        assert_eq!(class(0, 999, 1_003, Outcome::Answered(200), true), None);
        assert_eq!(class(0, 999, 1_003, lost(), true), Some(Class::OfKilledGateway));
        assert_eq!(class(1_003, 1_003, 1_004, lost(), true), Some(Class::Other), "opened later");
        assert_eq!(class(0, 990, 999, lost(), true), Some(Class::Other), "lost sooner");
        assert_eq!(class(0, 999, 5_000, lost(), true), Some(Class::Other), "lost much later");
        assert_eq!(class(0, 9_001, 9_003, bad(), false), Some(Class::Unrepeatable));
        assert_eq!(class(0, 9_001, 9_003, bad(), true), Some(Class::Other), "a GET is tried again");
        assert_eq!(class(0, 9_003, 9_004, bad(), false), Some(Class::Other), "sent later");
        let refused = Outcome::Refused("connection refused".to_owned());
        assert_eq!(class(0, 999, 1_003, refused, true), Some(Class::Refused));
    }
}
