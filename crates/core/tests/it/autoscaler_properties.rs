//! Whatever the load: within bounds, never by what is not known, and at rest when the load is.

use std::time::Duration;

use proptest::prelude::*;
use seaworthy_core::cluster::autoscaler::{Autoscaler, Change, Config, Observation, Target, Why};
use seaworthy_core::endpoints::Traffic;
use seaworthy_core::time::Instant;

use crate::autoscaler::config;

const SECOND: Duration = Duration::from_secs(1);

fn target() -> impl Strategy<Value = Target> {
    prop_oneof![
        (1..200u32).prop_map(Target::RequestsPerTask),
        (1..50u32).prop_map(Target::Concurrency),
        (1..=100u32).prop_map(Target::Cpu),
        (1..2000u64).prop_map(|ms| Target::P99(Duration::from_millis(ms))),
    ]
}

fn any_config() -> impl Strategy<Value = Config> {
    let targets = prop::collection::vec(target(), 1..4);
    (1..8u32, 0..20u32, targets, 0..40u64, 0..80u64).prop_map(|(low, more, targets, out, into)| {
        Config {
            scale_out_cooldown: SECOND * out as u32,
            scale_in_cooldown: SECOND * into as u32,
            ..config(low, low + more, &targets)
        }
    })
}

fn any_traffic() -> impl Strategy<Value = Traffic> {
    let p99 =
        prop::option::of(any::<u32>()).prop_map(|ms| ms.map(|ms| Duration::from_millis(ms.into())));
    (any::<u64>(), any::<u64>(), any::<u32>(), p99)
        .prop_map(|(ended, failed, running, p99)| Traffic { ended, failed, running, p99 })
}

fn any_observation() -> impl Strategy<Value = Observation> {
    let counts = (0..40u32, 0..80u32);
    (counts, any_traffic(), any::<Option<u32>>(), any::<bool>()).prop_map(
        |((desired, in_rotation), traffic, cpu, deploying)| Observation {
            desired,
            in_rotation,
            traffic,
            cpu,
            deploying,
        },
    )
}

/// A service under a load that does not change.
#[derive(Clone, Debug)]
struct Load {
    /// Requests, evenly.
    per_minute: u64,
    /// So long each request keeps one processor busy.
    work: Duration,
    /// From one moment at which it is asked to the next.
    every: Duration,
    /// So long a new task takes to serve.
    start: u64,
}

fn any_load() -> impl Strategy<Value = Load> {
    (0..100_000u64, 1..100u64, 300..1500u64, 0..20u64).prop_map(
        |(per_minute, work, every, start)| Load {
            per_minute,
            work: Duration::from_millis(work),
            every: Duration::from_millis(every),
            start,
        },
    )
}

impl Load {
    /// What one would see of `tasks` tasks after such a time, if these serve.
    fn seen(&self, now: Instant, desired: u32, serve: u32) -> Observation {
        let busy = self.per_minute as f64 / 60.0 * self.work.as_secs_f64();
        let share = (busy / f64::from(serve.max(1))).min(1.0);
        // M/M/1, about; what waits without end has an end.
        let p99 = self.work.mul_f64((4.6 / (1.0 - share).max(0.001)).min(1000.0));
        let ended = u128::from(self.per_minute) * u128::from(now.as_nanos()) / 60_000_000_000;
        Observation {
            desired,
            in_rotation: serve,
            traffic: Traffic {
                ended: ended as u64,
                failed: 0,
                running: busy as u32,
                p99: Some(p99),
            },
            cpu: Some((share * 1000.0) as u32),
            deploying: false,
        }
    }

    /// Every change in so long a time.
    fn changes(&self, config: &Config, length: Duration) -> Vec<(Instant, Change)> {
        let (mut scaler, mut now) = (Autoscaler::new(config.clone()), Instant::EPOCH);
        let (mut desired, mut changes) = (config.minimum, Vec::new());
        // Tasks and when they serve.
        let mut tasks = vec![now; desired as usize];
        while now.since(Instant::EPOCH) < length {
            now = now + self.every;
            let serve = tasks.iter().filter(|serves| **serves <= now).count() as u32;
            let Some(change) = scaler.observe(now, &self.seen(now, desired, serve)) else {
                continue;
            };
            tasks.resize(change.to as usize, now + SECOND * self.start as u32);
            desired = change.to;
            changes.push((now, change));
        }
        changes
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Even of what makes no sense.
    #[test]
    fn bounds_hold_whatever_is_seen(
        config in any_config(),
        seen in prop::collection::vec((0..3000u64, any_observation()), 1..100),
    ) {
        let (mut scaler, mut now) = (Autoscaler::new(config.clone()), Instant::EPOCH);
        for (after, seen) in seen {
            now = now + Duration::from_millis(after);
            let Some(change) = scaler.observe(now, &seen) else { continue };
            let Change { from, to, why } = change;
            prop_assert_eq!(from, seen.desired);
            prop_assert!((config.minimum..=config.maximum).contains(&to) && from != to, "{change}");
            prop_assert!(to > from || !seen.deploying, "{change}");
            prop_assert!(to > from || why == Why::Bounds || to == from - 1, "{change}");
        }
    }

    /// A gateway that is restarted all the time, nobody in rotation, or nothing measured.
    #[test]
    fn what_is_not_known_changes_nothing(
        config in any_config(),
        kind in 0..3,
        ended in prop::collection::vec(0..1_000_000u64, 200),
        share in 0..=100u32,
    ) {
        let desired = config.minimum + (config.maximum - config.minimum) * share / 100;
        // No window is shorter than two moments at which it is asked.
        let mut config = Config { scale_out_cooldown: config.scale_out_cooldown.max(SECOND * 3), ..config };
        let (restarts, nobody, measured) = (kind == 0, kind == 1, kind < 2);
        if !measured {
            config.targets.retain(|target| matches!(target, Target::Cpu(_) | Target::P99(_)));
        }
        let mut scaler = Autoscaler::new(config);
        for (n, ended) in ended.into_iter().enumerate() {
            let seen = Observation {
                desired,
                in_rotation: if nobody { 0 } else { desired },
                traffic: Traffic {
                    ended: if restarts && n % 2 == 0 { 1_000_000 } else { ended },
                    failed: 0,
                    running: 1000,
                    p99: measured.then_some(SECOND),
                },
                cpu: measured.then_some(1000),
                deploying: false,
            };
            prop_assert_eq!(scaler.observe(Instant::EPOCH + SECOND * n as u32, &seen), None);
        }
    }

    /// After the way to it, the count stays where it is, whatever is tracked.
    #[test]
    fn under_a_constant_load_it_comes_to_rest(config in any_config(), load in any_load()) {
        let changes = load.changes(&config, SECOND * 4 * 3600);
        // Out as often as the latency needs to double, then in one by one; a few lessons.
        let late: Vec<_> = changes.iter().filter(|(at, _)| at.since(Instant::EPOCH) > SECOND * 2 * 3600).collect();
        prop_assert!(late.is_empty(), "{:?}", changes);
    }

    /// What is divided is reckoned: out at most once, and never in again. Whole requests are counted in
    /// a window of a second or more, which leaves one task in doubt where it is a close thing.
    #[test]
    fn a_constant_load_that_is_divided_needs_one_step(
        config in any_config().prop_map(|mut config| {
            config.targets.retain(|target| matches!(target, Target::RequestsPerTask(_)));
            config
        }).prop_filter("one is left", |config| !config.targets.is_empty()),
        load in any_load(),
    ) {
        let changes = load.changes(&config, SECOND * 1800);
        let one_more = |change: &Change| change.to == change.from + 1;
        let close = changes.iter().skip(1).all(|(_, change)| one_more(change));
        prop_assert!(changes.len() <= 2 && close, "{:?}", changes);
    }
}

/// Five tasks that are told to be 68.0 % busy are 68.09, and four of them 85.1.
#[test]
fn what_there_is_of_the_next_thousandth_is_no_reason_to_scale_in() {
    let config = config(1, 5, &[Target::Cpu(85)]);
    let config =
        Config { scale_out_cooldown: Duration::ZERO, scale_in_cooldown: Duration::ZERO, ..config };
    let (work, every) = (Duration::from_millis(94), Duration::from_millis(300));
    let load = Load { per_minute: 2173, work, every, start: 0 };
    let changes = load.changes(&config, SECOND * 60);
    let to: Vec<u32> = changes.iter().map(|(_, change)| change.to).collect();
    assert_eq!(to, [2, 3, 4, 5]);
}

/// Requests come by chance, as those of many people do. What chance gives and takes may add a task, and
/// does not make the count swing.
#[test]
fn chance_does_not_make_it_swing() {
    for (rate, aim) in [(5_u32, 2), (20, 10), (60, 10), (95, 10), (150, 50), (1000, 100)] {
        let config = Config {
            scale_in_cooldown: SECOND * 300,
            ..config(1, 100, &[Target::RequestsPerTask(aim)])
        };
        let (mut scaler, mut ended, mut desired) = (Autoscaler::new(config), 0, rate.div_ceil(aim));
        let mut changes = Vec::new();
        let mut draw = Draw(u64::from(rate));
        for second in 1..=6 * 3600 {
            ended += draw.poisson(f64::from(rate));
            let seen = Observation {
                desired,
                in_rotation: desired,
                traffic: Traffic { ended, ..Traffic::default() },
                cpu: None,
                deploying: false,
            };
            if let Some(change) = scaler.observe(Instant::EPOCH + SECOND * second, &seen) {
                desired = change.to;
                changes.push(change);
            }
        }
        // Once more than it takes, and with very few requests once an hour.
        let most = if rate < 10 { 6 } else { 1 };
        assert!(changes.len() <= most, "{rate} at {aim}: {changes:?}");
    }
}

/// Draws that are the same each time.
struct Draw(u64);

impl Draw {
    fn uniform(&mut self) -> f64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// How many come in a second.
    fn poisson(&mut self, mean: f64) -> u64 {
        let (mut at, mut count) = (0.0, 0);
        loop {
            at -= (1.0 - self.uniform()).ln() / mean;
            if at >= 1.0 {
                return count;
            }
            count += 1;
        }
    }
}
