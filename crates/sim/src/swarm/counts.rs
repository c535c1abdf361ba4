//! How many tasks of a service are desired, by what was decided and not by what its agent says of it.

use seaworthy_core::cluster;
use seaworthy_core::record::{Cause, Record};

use super::rule::{Kept, Rule};

/// What becomes of the desired count of a service.
#[derive(Debug)]
pub(super) struct Counts {
    known: u32,
    /// Those of its autoscaler: the fewest and the most.
    bounds: Option<(u32, u32)>,
    /// Somebody scales it, too.
    by_hand: bool,
}

// === impl Counts ===

impl Counts {
    pub(super) fn new(cluster: &cluster::Config, by_hand: bool) -> Self {
        let bounds = cluster.autoscaling.as_ref().map(|scales| (scales.minimum, scales.maximum));
        Self { known: cluster.desired_count, bounds, by_hand }
    }

    /// So many are desired.
    pub(super) fn desired(&self) -> u32 {
        self.known
    }

    /// A decision of the agent.
    pub(super) fn hear(&mut self, record: &Record) -> Kept {
        let Cause::Scaled { from, to, why } = &record.cause else { return Ok(()) };
        let known = std::mem::replace(&mut self.known, *to);
        if *from != known {
            let what = format!("{to} tasks are desired and no longer {from}, and it was {known}");
            return Err((Rule::Count, what));
        }
        let by_load = why.is_some() || !self.by_hand;
        let within = self.bounds.is_some_and(|(fewest, most)| (fewest..=most).contains(to));
        if by_load && !within {
            let what = match self.bounds {
                Some((fewest, most)) => format!("allowed are {fewest} to {most}"),
                None => "nobody scales it".to_owned(),
            };
            return Err((Rule::Count, format!("{to} tasks are desired, and {what}")));
        }
        Ok(())
    }

    /// So many are desired, as its agent says.
    pub(super) fn check(&self, desired: u32) -> Kept {
        if desired == self.known {
            return Ok(());
        }
        let what =
            format!("{desired} tasks are desired, and what was decided last is {}", self.known);
        Err((Rule::Count, what))
    }
}
