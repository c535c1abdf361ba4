//! How long a fleet is down, by arithmetic.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::{Configuration, FaultKind, Once, Schedule, Which};
use crate::cluster::spread::{self, Dark, Location, Site};
use crate::cluster::{Config, Numbers};
use crate::endpoints::TaskId;
use crate::random::{Stream, duration_between};

/// So many times is it drawn how long each replacement takes.
const DRAWS: u64 = 400;

/// What takes tasks of a service.
#[derive(Clone, Copy, Debug)]
enum Taking<'a> {
    /// A fault ends these.
    Ended(&'a Which),
    /// A deployment retires as many as leave this one to serve.
    DownTo(u32),
    /// The power goes off there,
    Off(&'a Site),
    /// and on again.
    On(&'a Site),
}

/// A task that serves, or will.
#[derive(Debug)]
struct Task {
    id: TaskId,
    location: Option<Location>,
    /// When it is in rotation.
    serves: Duration,
}

/// How long nobody serves of the service at `entry`, over all draws of the provisioning time; none if
/// somebody always does, or if there is no fleet to reckon with. It knows only of tasks that are
/// stopped or killed, and of the first step of a deployment.
///
/// A task that a fault takes at `t` is replaced at `t` + provisioning + the task's own start + up to
/// one interval between the checks of a new task; `starts` are the shortest and the longest own
/// start. The fleet is down from the fault that takes its last task until a replacement is in
/// rotation. The bounds come from all replacements being as quick, or as slow, as they can be, and, where
/// one fault follows on another, from 400 draws in which each has a time of its own. A fault meets those who
/// serve by then, as live: what is not there cannot be taken once more.
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
    let numbers = Numbers::of(entry, configuration.services().len());
    let (shortest, longest) = service.cluster.provisioning;
    let (quick, slow) =
        (shortest + *starts.start(), longest + *starts.end() + service.health.fast_interval);
    let takings = |first| takings(schedule, entry, service.cluster.floor(), first);
    let down = |faults: &[_], after: &dyn Fn(u64) -> Duration| {
        longest_down(&service.cluster, numbers, faults, after, schedule.duration)
    };
    let mut all: Vec<_> = [quick, slow].map(|after| down(&takings(after), &|_| after)).into();
    let faults = takings(slow);
    // What waits for a task is known only if all take equally long.
    if faults.len() > 1 && schedule.faults.iter().all(|fault| fault.once.is_none()) {
        let drawn = |seed: u64| {
            down(&faults, &|n| {
                let time = duration_between(quick, slow, seed, Stream::Provisioning, n);
                // The ends are at ends, or just where one more task is taken.
                match seed % 2 {
                    0 => time,
                    _ if time < (quick + slow) / 2 => quick,
                    _ => slow,
                }
            })
        };
        all.extend((0..DRAWS).map(drawn));
    }
    let most = all.iter().copied().max().filter(|most| !most.is_zero())?;
    Some(all.into_iter().min()?..=most)
}

/// What takes tasks of the service at `entry`, in order of time, if each is replaced `after` it was taken.
fn takings(
    schedule: &Schedule,
    entry: usize,
    floor: u32,
    after: Duration,
) -> Vec<(Duration, Taking<'_>)> {
    let mut all: Vec<_> = Vec::new();
    for fault in &schedule.faults {
        let waits = fault.once == Some(Once::NewTaskServes);
        let at = if waits { fault.at + after } else { fault.at };
        match &fault.kind {
            FaultKind::Deploy { service, .. } if *service == entry => {
                all.push((at, Taking::DownTo(floor)));
            }
            FaultKind::End { service, tasks, .. } if *service == entry => {
                all.push((at, Taking::Ended(tasks)));
            }
            FaultKind::PowerOff { service, site } if *service == entry => {
                all.push((at, Taking::Off(site)));
                // What lasts to the end of the load is not over in it.
                if fault.end() < schedule.duration {
                    all.push((fault.end(), Taking::On(site)));
                }
            }
            _ => {}
        }
    }
    all.sort_by_key(|(at, _)| *at);
    all
}

/// The longest time without any task of `service`, in a load of `duration`, if the nth replacement serves `after`
/// it was wanted.
fn longest_down(
    service: &Config,
    numbers: Numbers,
    faults: &[(Duration, Taking<'_>)],
    after: &dyn Fn(u64) -> Duration,
    duration: Duration,
) -> Duration {
    let mut ordinals = 0..;
    let mut tasks: Vec<Task> = Vec::new();
    let mut fill = |tasks: &mut Vec<Task>, dark: &Dark, at: Option<Duration>| {
        let is_on = |machine: &&Location| !dark.has(machine);
        let machines: Vec<_> = service.machines.iter().filter(is_on).cloned().collect();
        let is_dark = machines.is_empty() && !service.machines.is_empty();
        while tasks.len() < service.desired_count as usize && !is_dark {
            let beside: Vec<_> = tasks.iter().filter_map(|task| task.location.clone()).collect();
            let location = spread::next(&machines, &beside);
            let Some(n) = ordinals.next() else { return };
            let serves = at.map_or(Duration::ZERO, |at| at + after(n.into()));
            tasks.push(Task { id: numbers.after(n), location, serves });
        }
    };
    let mut dark = Dark::default();
    fill(&mut tasks, &dark, None);
    let (mut dark_since, mut longest) = (None, Duration::ZERO);
    for (at, taking) in faults {
        let serving = tasks.iter().filter(|task| task.serves <= *at);
        let serving: Vec<_> = serving.map(|task| (task.id, task.location.as_ref())).collect();
        let taken = taking.among(&serving);
        tasks.retain(|task| !taken.contains(&task.id));
        match *taking {
            Taking::Off(site) => {
                // What was to serve there never will.
                tasks.retain(|task| !task.location.as_ref().is_some_and(|at| site.has(at)));
                dark.off(site);
            }
            Taking::On(site) => dark.on(site),
            Taking::Ended(_) | Taking::DownTo(_) => {}
        }
        fill(&mut tasks, &dark, Some(*at));
        let since = *dark_since.get_or_insert(*at);
        if let Some(first) = tasks.iter().map(|task| task.serves).min() {
            longest = longest.max(first.saturating_sub(since));
            dark_since = None;
        }
    }
    dark_since.map_or(longest, |since| longest.max(duration.saturating_sub(since)))
}

// === impl Taking ===

impl Taking<'_> {
    /// Whom of those that serve, the oldest first.
    fn among(self, serving: &[(TaskId, Option<&Location>)]) -> Vec<TaskId> {
        match self {
            Self::Ended(which) => which.among(serving),
            Self::Off(site) => Which::In(site.clone()).among(serving),
            Self::On(_) => Vec::new(),
            Self::DownTo(floor) => {
                let spare = serving.len().saturating_sub(floor as usize);
                serving[..spare].iter().map(|(task, _)| *task).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::{Drill, RawDrill};

    /// Replacements are there after 60 s to 95 s.
    const DRILL: &str = r#"
        title = "t"
        load = { rate = 10, paths = ["/"] }
        objective = { latency = "1s", success = "99%" }
        [fleet.service.s]
        command = ["s"]
        provisioning = "60s..94s"
        health.fast_interval = "1s"
    "#;

    /// The shortest and the longest outage in seconds, of a service with these settings and faults.
    fn down(service: &str, faults: &str) -> [u64; 2] {
        let text = format!(
            "{DRILL}{service}\n[[schedule]]\nname = 's'\nduration = '1h'\nfaults = [{faults}]"
        );
        let raw: RawDrill = toml::from_str(&text).unwrap();
        let drill = Drill::try_from(raw).unwrap();
        let none = Duration::ZERO..=Duration::ZERO;
        let range = outage(&drill.configurations[0], 0, &drill.schedules[0], &none).unwrap_or(none);
        [*range.start(), *range.end()].map(|end| end.as_secs())
    }

    fn check(service: &str, cases: &[(&str, [u64; 2])]) {
        for (faults, expected) in cases {
            assert_eq!(down(service, faults), *expected, "{service}: {faults}");
        }
    }

    const ONE_BY_ONE: &str = "{ at = '20s', stop = 1 }, { at = '50s', stop = 1 }";

    #[test]
    fn the_report_s_matrix() {
        let all = ("{ at = '20s', stop = 'all' }", [60, 95]);
        check("desired_count = 2", &[("{ at = '20s', stop = 1 }", [0, 0]), all]);
        check("desired_count = 2", &[(ONE_BY_ONE, [30, 65])]);
        check("desired_count = 3", &[(ONE_BY_ONE, [0, 0]), all]);
    }

    #[test]
    fn a_stop_after_the_window_takes_the_replacement_or_not() {
        let cases = [
            // The second stop falls between the quickest and the slowest replacement of the first.
            ("{ at = '20s', stop = 1 }, { at = '100s', stop = 1 }", [0, 15]),
            ("{ at = '20s', stop = 1 }, { at = '200s', stop = 1 }", [0, 0]),
        ];
        check("desired_count = 2", &cases);
    }

    #[test]
    fn what_is_gone_is_not_taken_once_more() {
        let [first, again] = ["20", "30"].map(|at| format!("{{ at = '{at}s', kill = 'task-1' }}"));
        let replacement = |at| format!("{{ at = '{at}s', kill = 'task-3' }}");
        let two = [
            ("{ at = '20s', kill = 1 }, { at = '30s', kill = 'all' }", [50, 85]),
            ("{ at = '20s', kill = 'all' }, { at = '40s', kill = 'all' }", [60, 95]),
            (&format!("{first}, {again}"), [0, 0]),
            // The replacement is not there yet, or just not if it is slow.
            (&format!("{first}, {}", replacement(30)), [0, 0]),
            (
                &format!("{first}, {}, {{ at = '110s', kill = 'task-2' }}", replacement(100)),
                // Just not there at 100 s, or soon there and gone again.
                [0, 85],
            ),
        ];
        check("desired_count = 2", &two);
        let three = [
            (&*format!("{ONE_BY_ONE}, {{ at = '60s', kill = 1 }}"), [20, 55]),
            // Two of one cannot be killed, and then none is.
            ("{ at = '20s', kill = 2 }, { at = '30s', kill = 2 }", [0, 0]),
        ];
        check("desired_count = 3", &three);
    }

    #[test]
    fn sites_that_overlap() {
        let machine = |at, name| format!("{{ at = '{at}s', kill = {{ machine = '{name}' }} }}");
        let zone = |at, name| format!("{{ at = '{at}s', kill = {{ zone = '{name}' }} }}");
        let check = |service, faults: &[String], expected| {
            check(service, &[(&faults.join(", "), expected)]);
        };
        let three = "desired_count = 3\nmachines = ['a/1', 'a/2', 'b/1']";
        check(three, &[machine(20, "a/1"), zone(30, "a")], [0, 0]);
        check(three, &[zone(20, "a"), machine(30, "a/1"), machine(40, "a/2")], [0, 0]);
        check(three, &[machine(20, "a/1"), zone(30, "a"), zone(40, "b")], [40, 75]);
        // Whoever comes back is where the one before it was.
        let two = "desired_count = 2\nmachines = ['a', 'b']";
        check(two, &[zone(20, "a"), zone(30, "a")], [0, 0]);
        check(two, &[zone(20, "a"), zone(100, "b")], [0, 15]);
        check(two, &[zone(20, "a"), zone(100, "a"), zone(110, "b")], [0, 85]);
    }

    #[test]
    fn where_the_power_is_off_nothing_comes_back() {
        let off = |at, lasts, zone| {
            format!("{{ at = '{at}s', lasts = '{lasts}s', power_off = {{ zone = '{zone}' }} }}")
        };
        let two = "desired_count = 2\nmachines = ['a', 'b']";
        let check = |faults: &[String], expected| check(two, &[(&faults.join(", "), expected)]);
        // What was in zone a comes in zone b, if there is time for it.
        check(&[off(20, 300, "a")], [0, 0]);
        check(&[off(20, 300, "a"), off(200, 100, "b")], [160, 195]);
        check(&[off(20, 300, "a"), off(30, 10, "b")], [70, 105]);
        // The second one of two that overlap goes on.
        check(&[off(20, 100, "a"), off(20, 300, "a"), off(30, 300, "b")], [350, 385]);
        // To the end of the load.
        check(&[off(3000, 600, "a"), off(3100, 500, "b")], [500, 500]);
    }

    /// With as many as the floor left, a death takes one more, and the floor asks nobody.
    #[test]
    fn one_dies_in_a_deployment() {
        let service = |count, percent| {
            format!("desired_count = {count}\nminimum_healthy_percent = {percent}")
        };
        let together = "{ at = '20s', deploy = {} }, { at = '20s', kill = 1 }";
        for (count, percent) in [(2, 100), (3, 50), (3, 100)] {
            check(&service(count, percent), &[(together, [0, 0])]);
        }
        let two = [
            (together, [60, 95]),
            // One that begins when one is missing already retires nobody below its floor.
            ("{ at = '20s', kill = 1 }, { at = '21s', deploy = {} }", [0, 0]),
            // By then a new one serves.
            ("{ at = '20s', deploy = {} }, { once = 'new_task_serves', kill = 1 }", [0, 0]),
        ];
        check(&service(2, 50), &two);
    }
}
