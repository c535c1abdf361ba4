//! How long a fleet is down, by arithmetic.

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::{Configuration, Fault, Schedule};

/// What takes tasks of a service.
#[derive(Clone, Copy, Debug)]
enum Taking {
    /// A fault ends so many.
    Ended(u32),
    /// A deployment retires as many as leave this one to serve.
    DownTo(u32),
}

/// How long nobody serves of the service at `entry`, over all draws of the provisioning time; none if
/// somebody always does, or if there is no fleet to reckon with. It knows only of tasks that are
/// stopped or killed, and of the first step of a deployment.
///
/// A task that a fault takes at `t` is replaced at `t` + provisioning + the task's own start + up to
/// one interval between the checks of a new task; `starts` are the shortest and the longest own
/// start. The fleet is down from the fault that takes its last task until a replacement is in
/// rotation. The bounds come from all replacements being as quick, or as slow, as they can be.
///
/// A deployment first retires tasks down to its floor, and starts new ones in their place; that old
/// ones must leave before, where the ceiling asks for it, takes no time here.
pub fn outage(
    configuration: &Configuration,
    entry: usize,
    schedule: &Schedule,
    starts: &RangeInclusive<Duration>,
) -> Option<RangeInclusive<Duration>> {
    let service = configuration.services().get(entry)?;
    let (shortest, longest) = service.cluster.provisioning;
    let count = service.cluster.desired_count;
    let taking = |fault: &Fault| match fault.deploys() {
        Some(of) if of == entry => Some(Taking::DownTo(service.cluster.floor())),
        _ => fault.ends(entry).map(|tasks| Taking::Ended(tasks.count(&service.cluster))),
    };
    let faults = schedule.faults.iter().filter_map(|fault| Some((fault.at, taking(fault)?)));
    let faults: Vec<_> = faults.collect();
    let quick = longest_down(count, &faults, shortest + *starts.start());
    let slow = longest_down(count, &faults, longest + *starts.end() + service.health.fast_interval);
    (quick.max(slow) > Duration::ZERO).then(|| quick.min(slow)..=quick.max(slow))
}

/// The longest time without any of `count` tasks if each is replaced `after` it was taken.
fn longest_down(count: u32, faults: &[(Duration, Taking)], after: Duration) -> Duration {
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
        let Some(tasks) = tasks else { break };
        let taken = tasks.of(serving);
        if taken > 0 {
            serving -= taken;
            coming.push_back((until + after, taken));
            down_since = (serving == 0).then_some(until);
        }
    }
    longest
}

// === impl Taking ===

impl Taking {
    /// How many of those that serve.
    fn of(self, serving: u32) -> u32 {
        match self {
            Self::Ended(tasks) => tasks.min(serving),
            Self::DownTo(floor) => serving.saturating_sub(floor),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: fn(u64) -> Duration = Duration::from_secs;

    /// Stops of so many tasks, at these seconds.
    fn down(count: u32, stops: &[(u64, u32)]) -> [u64; 2] {
        let taking: Vec<_> = stops.iter().map(|(at, tasks)| (*at, Taking::Ended(*tasks))).collect();
        down_by(count, &taking)
    }

    fn down_by(count: u32, taking: &[(u64, Taking)]) -> [u64; 2] {
        let faults: Vec<_> = taking.iter().map(|(at, taking)| (S(*at), *taking)).collect();
        [60, 95].map(|after| longest_down(count, &faults, S(after)).as_secs())
    }

    #[test]
    fn the_report_s_matrix() {
        let one_by_one = [(20, 1), (50, 1)];
        assert_eq!(down(2, &one_by_one[..1]), [0, 0]);
        assert_eq!(down(2, &one_by_one), [30, 65]);
        assert_eq!(down(3, &one_by_one), [0, 0]);
        assert_eq!(down(2, &[(20, 2)]), [60, 95]);
        assert_eq!(down(3, &[(20, 3)]), [60, 95]);
    }

    #[test]
    fn a_stop_after_the_window_takes_the_replacement_or_not() {
        // The second stop falls between the quickest and the slowest replacement of the first.
        let stops = [(20, 1), (100, 1)];
        assert_eq!(down(2, &stops), [0, 15]);
        assert_eq!(down(2, &[(20, 1), (200, 1)]), [0, 0]);
    }

    /// With as many as the floor left, a death takes one more, and the floor asks nobody.
    #[test]
    fn one_dies_in_a_deployment() {
        let one = Taking::Ended(1);
        let dies = |count, floor| down_by(count, &[(20, Taking::DownTo(floor)), (20, one)]);
        assert_eq!(dies(2, 1), [60, 95]);
        assert_eq!([dies(2, 2), dies(3, 2), dies(3, 3)], [[0, 0]; 3]);
        // A deployment that begins when one is missing already retires nobody below its floor.
        assert_eq!(down_by(2, &[(20, one), (21, Taking::DownTo(1))]), [0, 0]);
    }
}
