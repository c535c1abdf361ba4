//! How long a fleet is down, by arithmetic.

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::{Configuration, Schedule, Which};

/// How long nobody serves of the service at `entry`, over all draws of the provisioning time; none if
/// somebody always does, or if there is no fleet to reckon with. It knows only of tasks that are
/// stopped or killed.
///
/// A task that a fault takes at `t` is replaced at `t` + provisioning + the task's own start + up to
/// one interval between the checks of a new task; `starts` are the shortest and the longest own
/// start. The fleet is down from the fault that takes its last task until a replacement is in
/// rotation. The bounds come from all replacements being as quick, or as slow, as they can be.
pub fn outage(
    configuration: &Configuration,
    entry: usize,
    schedule: &Schedule,
    starts: &RangeInclusive<Duration>,
) -> Option<RangeInclusive<Duration>> {
    let service = configuration.services().get(entry)?;
    let (shortest, longest) = service.cluster.provisioning;
    let count = service.cluster.desired_count;
    let faults = schedule.faults.iter().filter_map(|fault| Some((fault.at, fault.ends(entry)?)));
    let faults: Vec<_> = faults.collect();
    let quick = longest_down(count, &faults, shortest + *starts.start());
    let slow = longest_down(count, &faults, longest + *starts.end() + service.health.fast_interval);
    (quick.max(slow) > Duration::ZERO).then(|| quick.min(slow)..=quick.max(slow))
}

/// The longest time without any of `count` tasks if each is replaced `after` it was taken.
fn longest_down(count: u32, faults: &[(Duration, Which)], after: Duration) -> Duration {
    let mut serving = count;
    // In order of time, because the faults are.
    let mut coming: VecDeque<(Duration, u32)> = VecDeque::new();
    let (mut down_since, mut longest) = (None, Duration::ZERO);
    let faults = faults.iter().map(|(at, tasks)| (*at, Some(*tasks)));
    for (until, tasks) in faults.chain([(Duration::MAX, None)]) {
        while coming.front().is_some_and(|(at, _)| *at <= until) {
            let (at, tasks) = coming.pop_front().expect("it was there");
            serving += tasks;
            longest = longest.max(at.saturating_sub(down_since.take().unwrap_or(at)));
        }
        let taken = match tasks {
            None => break,
            Some(Which::All) => serving,
            Some(Which::Oldest(tasks)) => tasks.min(serving),
            Some(Which::Task(_)) => serving.min(1),
        };
        if taken > 0 {
            serving -= taken;
            coming.push_back((until + after, taken));
            down_since = (serving == 0).then_some(until);
        }
    }
    longest
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: fn(u64) -> Duration = Duration::from_secs;

    /// Stops of so many tasks, at these seconds.
    fn down(count: u32, stops: &[(u64, Which)]) -> [u64; 2] {
        let faults: Vec<_> = stops.iter().map(|(at, tasks)| (S(*at), *tasks)).collect();
        [60, 95].map(|after| longest_down(count, &faults, S(after)).as_secs())
    }

    #[test]
    fn the_report_s_matrix() {
        let one_by_one = [(20, Which::Oldest(1)), (50, Which::Oldest(1))];
        assert_eq!(down(2, &one_by_one[..1]), [0, 0]);
        assert_eq!(down(2, &one_by_one), [30, 65]);
        assert_eq!(down(3, &one_by_one), [0, 0]);
        assert_eq!(down(2, &[(20, Which::All)]), [60, 95]);
        assert_eq!(down(3, &[(20, Which::Oldest(3))]), [60, 95]);
    }

    #[test]
    fn a_stop_after_the_window_takes_the_replacement_or_not() {
        // The second stop falls between the quickest and the slowest replacement of the first.
        let stops = [(20, Which::Oldest(1)), (100, Which::Oldest(1))];
        assert_eq!(down(2, &stops), [0, 15]);
        assert_eq!(down(2, &[(20, Which::Oldest(1)), (200, Which::Oldest(1))]), [0, 0]);
    }
}
