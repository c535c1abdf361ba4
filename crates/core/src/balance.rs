//! Who gets the next request.

use serde::{Deserialize, Serialize};

use crate::endpoints::TaskId;

/// How a task is chosen among those in rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Algorithm {
    /// Each in turn.
    RoundRobin,
    /// The one with the fewest requests in flight; among equals, each in turn.
    LeastOutstandingRequests,
}

/// A task that may be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The task.
    pub task: TaskId,
    /// Requests sent to it and not yet finished.
    pub in_flight: u32,
}

/// Chooses, and remembers whose turn it was.
#[derive(Debug)]
pub struct Balancer {
    algorithm: Algorithm,
    /// A turn is remembered by task and not by position, so that a task that comes or goes shifts
    /// nobody's turn.
    last: TaskId,
}

impl Balancer {
    /// A balancer whose first turn is the lowest task's.
    pub fn new(algorithm: Algorithm) -> Self {
        Self { algorithm, last: TaskId(0) }
    }

    /// The task for the next request; none if there is no candidate.
    pub fn pick(&mut self, candidates: impl Iterator<Item = Candidate>) -> Option<TaskId> {
        let last = self.last;
        // Those after the last one come first, in ascending order; then it starts over.
        let turn = |c: &Candidate| (c.task <= last, c.task);
        let chosen = match self.algorithm {
            Algorithm::RoundRobin => candidates.min_by_key(turn),
            Algorithm::LeastOutstandingRequests => {
                candidates.min_by_key(|c| (c.in_flight, turn(c)))
            }
        }?;
        self.last = chosen.task;
        Some(chosen.task)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picks(algorithm: Algorithm, rounds: &[&[(u32, u32)]]) -> Vec<u32> {
        let mut balancer = Balancer::new(algorithm);
        let candidates = |round: &[(u32, u32)]| {
            let candidate = |&(task, in_flight)| Candidate { task: TaskId(task), in_flight };
            round.iter().map(candidate).collect::<Vec<_>>()
        };
        rounds
            .iter()
            .filter_map(|r| balancer.pick(candidates(r).into_iter()))
            .map(|t| t.0)
            .collect()
    }

    #[test]
    fn round_robin_keeps_its_turn_when_tasks_come_and_go() {
        let (all, without_2, with_4) =
            (&[(1, 0), (2, 0), (3, 0)][..], &[(1, 0), (3, 0)][..], &[(1, 0), (3, 0), (4, 0)][..]);
        let rounds = [all, all, without_2, without_2, with_4, with_4, with_4, &[]];
        assert_eq!(picks(Algorithm::RoundRobin, &rounds), [1, 2, 3, 1, 3, 4, 1]);
    }

    #[test]
    fn least_outstanding_takes_turns_among_equals() {
        let rounds =
            [&[(1, 2), (2, 0), (3, 0)][..], &[(1, 2), (2, 0), (3, 0)], &[(1, 0), (2, 1), (3, 1)]];
        assert_eq!(picks(Algorithm::LeastOutstandingRequests, &rounds), [2, 3, 1]);
    }
}
