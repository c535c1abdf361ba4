//! Whether a fleet comes up at all.

use std::time::Duration;

use crate::fleet::Service;
use crate::record::{Cause, Decision, Record};

/// So many starts in a row may fail before the first fill is given up.
const FAILED_STARTS_LIMIT: u32 = 3;

/// Beyond provisioning and the start timeout, which the agent keeps: whoever says nothing for so long is not there.
const MARGIN: Duration = Duration::from_secs(10);

/// How the first fill of a fleet stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filling {
    /// It may still come up.
    Waiting,
    /// All tasks are in rotation.
    Filled,
    /// It will not come up, for this reason.
    Hopeless(String),
}

impl Filling {
    /// Of a fleet that should have `count` tasks and has so many in rotation, after all `records`
    /// since its beginning.
    ///
    /// A program that is not there, or that nobody ever sees working, is given up at once; one that
    /// ends by itself gets a few more starts, since a port can be taken by somebody else.
    pub fn of(count: u32, in_rotation: usize, records: &[Record]) -> Self {
        if in_rotation >= count as usize {
            return Self::Filled;
        }
        let mut last_end = None;
        for record in records {
            match (&record.decision, &record.cause) {
                (Decision::Gone, Cause::NotStarted(_))
                | (Decision::Terminate, Cause::StartTimeoutOver { .. }) => {
                    return Self::Hopeless(told(record));
                }
                (Decision::Gone, _) => last_end = Some(record),
                (_, Cause::StartsFail { failures, .. }) if *failures >= FAILED_STARTS_LIMIT => {
                    let last = last_end.map(told).unwrap_or_default();
                    return Self::Hopeless(format!("{failures} starts in a row failed; {last}"));
                }
                _ => {}
            }
        }
        Self::Waiting
    }

    /// For how long tasks of these services are waited for.
    pub fn patience(services: &[Service]) -> Duration {
        let clusters = services.iter().map(|service| &service.cluster);
        let starts = clusters.map(|cluster| cluster.provisioning.1 + cluster.start_timeout);
        starts.max().unwrap_or_default() + MARGIN
    }

    /// Why it is given up after that.
    pub fn out_of_patience(patience: Duration) -> String {
        format!("not all tasks were in rotation within {patience:?}")
    }
}

/// `task-1: exited with status 1`
fn told(record: &Record) -> String {
    let task = record.task.map(|task| format!("{task}: ")).unwrap_or_default();
    format!("{task}{}", record.cause)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoints::TaskId;
    use crate::record::Exit;
    use crate::time::Instant;

    fn records(tasks: u32, cause: impl Fn(u32) -> (Decision, Cause)) -> Vec<Record> {
        let record = |task, (decision, cause)| Record {
            at: Instant::EPOCH,
            task: Some(TaskId(task)),
            decision,
            cause,
        };
        let of = |task| {
            let wait = Duration::from_secs(1);
            let hold = (Decision::Hold, Cause::StartsFail { failures: task, wait });
            [record(task, cause(task)), record(task, hold)]
        };
        (1..=tasks).flat_map(of).collect()
    }

    #[test]
    fn a_program_that_ends_by_itself_gets_three_starts() {
        let ends = |_| (Decision::Gone, Cause::Exited(Exit::Code(7)));
        assert_eq!(Filling::of(2, 0, &records(2, ends)), Filling::Waiting);
        let why = "3 starts in a row failed; task-3: exited with status 7";
        assert_eq!(Filling::of(2, 0, &records(3, ends)), Filling::Hopeless(why.to_owned()));
    }

    #[test]
    fn a_program_that_is_missing_or_never_listens_gets_one() {
        let missing = |_| (Decision::Gone, Cause::NotStarted("no such program".into()));
        let why = "task-1: not started: no such program";
        assert_eq!(Filling::of(2, 0, &records(1, missing)), Filling::Hopeless(why.to_owned()));
        let limit = Duration::from_secs(6);
        let deaf = |_| (Decision::Terminate, Cause::StartTimeoutOver { limit });
        let why = "task-1: no check passed within 6s of the start";
        assert_eq!(Filling::of(2, 1, &records(1, deaf)), Filling::Hopeless(why.to_owned()));
    }

    #[test]
    fn a_full_fleet_is_filled_whatever_happened_before() {
        let ends = |_| (Decision::Gone, Cause::Exited(Exit::Code(7)));
        assert_eq!(Filling::of(2, 2, &records(3, ends)), Filling::Filled);
    }
}
