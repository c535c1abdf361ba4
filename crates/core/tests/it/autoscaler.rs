//! The autoscaler in scripts: what is seen for how long before the bar, what it does behind.

use std::time::Duration;

use expect_test::{Expect, expect};
use seaworthy_core::cluster::autoscaler::{Autoscaler, Config, Observation, Target};
use seaworthy_core::endpoints::Traffic;
use seaworthy_core::time::Instant;

use crate::golden;

const SECOND: Duration = Duration::from_secs(1);

pub(crate) fn config(minimum: u32, maximum: u32, targets: &[Target]) -> Config {
    Config {
        minimum,
        maximum,
        targets: targets.to_vec(),
        scale_out_cooldown: SECOND * 30,
        scale_in_cooldown: SECOND * 60,
    }
}

/// A service as its autoscaler sees it. Every word of a step changes something, and stays.
struct World {
    now: Instant,
    scaler: Autoscaler,
    seen: Observation,
    /// Requests a second.
    rate: u64,
    /// Tasks that do not get into rotation.
    missing: u32,
    /// Nobody asks.
    silent: bool,
}

impl World {
    fn new(config: Config, desired: u32) -> Self {
        let seen = Observation {
            desired,
            in_rotation: desired,
            traffic: Traffic::default(),
            cpu: None,
            deploying: false,
        };
        let (now, scaler) = (Instant::EPOCH, Autoscaler::new(config));
        Self { now, scaler, seen, rate: 0, missing: 0, silent: false }
    }

    /// `rate=50 running=3 20s`: what is changed, then how long it lasts.
    fn step(&mut self, step: &str) -> Vec<String> {
        let mut told = Vec::new();
        for word in step.split(' ') {
            match word.split_once('=') {
                None => told.extend(self.last(word)),
                Some((key, value)) => self.set(key, value),
            }
        }
        told
    }

    fn set(&mut self, key: &str, value: &str) {
        let number = value.parse().ok();
        let traffic = &mut self.seen.traffic;
        match key {
            "rate" => self.rate = number.expect("a number"),
            "running" => traffic.running = number.expect("a number") as u32,
            "p99" => traffic.p99 = number.map(Duration::from_millis),
            "cpu" => self.seen.cpu = number.map(|percent| percent as u32 * 10),
            "missing" => self.missing = number.expect("a number") as u32,
            "desired" => self.seen.desired = number.expect("a number") as u32,
            "gateway" => *traffic = Traffic::default(),
            "deploying" => self.seen.deploying = value == "yes",
            "silent" => self.silent = value == "yes",
            _ => panic!("`{key}` is not known"),
        }
    }

    fn last(&mut self, seconds: &str) -> Vec<String> {
        let until = self.now + (golden::moment(seconds).since(Instant::EPOCH));
        let mut told = Vec::new();
        while self.now < until {
            self.now = self.now + SECOND;
            self.seen.traffic.ended += self.rate;
            self.seen.in_rotation = self.seen.desired.saturating_sub(self.missing);
            if self.silent {
                continue;
            }
            if let Some(change) = self.scaler.observe(self.now, &self.seen) {
                told.push(format!("{}: {change}", self.now));
                self.seen.desired = change.to;
            }
        }
        told
    }
}

fn check(config: Config, desired: u32, expect: &Expect) {
    let mut world = World::new(config, desired);
    golden::check(expect, |step| world.step(step));
}

#[test]
fn out_in_proportion_and_at_once_in_slowly_and_one_by_one() {
    check(
        config(2, 10, &[Target::RequestsPerTask(10)]),
        2,
        &expect![[r#"
            rate=20 20s  |
            rate=75 20s  | 24.000s: 2 -> 8 tasks: 37.3 requests a second for each task, 10 wanted
            rate=300 60s | 54.000s: 8 -> 10 tasks: 37.5 requests a second for each task, 10 wanted
            rate=78 400s | 169.000s: 10 -> 9 tasks: 7.8 requests a second for each task, 10 wanted
                         | 229.000s: 9 -> 8 tasks: 8.7 requests a second for each task, 10 wanted
            rate=0 60s   |
        "#]],
    );
}

#[test]
fn a_step_out_puts_off_the_next_step_in() {
    check(
        config(1, 10, &[Target::RequestsPerTask(10)]),
        4,
        &expect![[r#"
            rate=5 50s  |
            rate=60 11s | 60.000s: 4 -> 6 tasks: 15.0 requests a second for each task, 10 wanted
            rate=5 55s  |
            20s         | 120.000s: 6 -> 5 tasks: 0.8 requests a second for each task, 10 wanted
        "#]],
    );
}

#[test]
fn what_is_not_known_scales_nothing() {
    check(
        config(1, 10, &[Target::RequestsPerTask(10), Target::P99(SECOND)]),
        2,
        &expect![[r#"
            rate=100 9s    |
            gateway=new 9s |
            silent=yes 30s |
            silent=no 9s   |
            2s             |
            rate=1 300s    | 62.000s: 2 -> 8 tasks: 35.1 requests a second for each task, 10 wanted
            p99=200 20s    | 365.000s: 8 -> 7 tasks: 99 of 100 requests take up to 200 ms, 1000 ms wanted
            p99=none 300s  |
        "#]],
    );
}

#[test]
fn out_if_any_target_asks_for_it_in_if_all_allow_it() {
    check(
        config(1, 10, &[Target::Concurrency(4), Target::Cpu(50)]),
        2,
        &expect![[r#"
            running=4 cpu=60 20s   | 14.000s: 2 -> 3 tasks: 60 % of the processor, 50 % wanted
            cpu=10 running=12 120s |
            running=1 120s         | 203.000s: 3 -> 2 tasks: 10 % of the processor, 50 % wanted
            cpu=50 120s            | 263.000s: 2 -> 1 tasks: 40 % of the processor, 50 % wanted
        "#]],
    );
}

#[test]
fn tasks_that_are_on_their_way_count() {
    check(
        config(1, 20, &[Target::RequestsPerTask(10)]),
        2,
        &expect![[r#"
            rate=60 15s    | 14.000s: 2 -> 6 tasks: 30.0 requests a second for each task, 10 wanted
            missing=4 120s |
            rate=10 300s   |
            missing=0 60s  | 495.000s: 6 -> 5 tasks: 1.7 requests a second for each task, 10 wanted
        "#]],
    );
    // A task that does not serve is no reason to ask for more of them again and again.
    check(
        config(1, 20, &[Target::P99(SECOND)]),
        2,
        &expect![[r#"
            p99=5000 rate=50 15s | 14.000s: 2 -> 4 tasks: 99 of 100 requests take up to 5000 ms, 1000 ms wanted
            missing=2 300s       |
            missing=0 60s        | 319.000s: 4 -> 8 tasks: 99 of 100 requests take up to 5000 ms, 1000 ms wanted
                                 | 349.000s: 8 -> 16 tasks: 99 of 100 requests take up to 5000 ms, 1000 ms wanted
        "#]],
    );
}

#[test]
fn no_step_in_while_a_deployment_lasts_but_steps_out() {
    check(
        config(1, 10, &[Target::RequestsPerTask(10)]),
        4,
        &expect![[r#"
            rate=5 deploying=yes 200s |
            rate=55 20s               | 211.000s: 4 -> 6 tasks: 13.8 requests a second for each task, 10 wanted
            rate=5 200s               |
            deploying=no 70s          | 480.000s: 6 -> 5 tasks: 0.8 requests a second for each task, 10 wanted
        "#]],
    );
}

#[test]
fn too_slow_is_at_most_twice_as_many_and_what_was_too_few_is_not_tried_again() {
    check(
        config(1, 10, &[Target::P99(Duration::from_millis(100))]),
        2,
        &expect![[r#"
            rate=50 p99=101 20s | 14.000s: 2 -> 3 tasks: 99 of 100 requests take up to 101 ms, 100 ms wanted
            p99=900 60s         | 44.000s: 3 -> 6 tasks: 99 of 100 requests take up to 900 ms, 100 ms wanted
                                | 74.000s: 6 -> 10 tasks: 99 of 100 requests take up to 900 ms, 100 ms wanted
            p99=60 300s         |
            p99=10 200s         | 445.000s: 10 -> 9 tasks: 99 of 100 requests take up to 10 ms, 100 ms wanted
                                | 505.000s: 9 -> 8 tasks: 99 of 100 requests take up to 10 ms, 100 ms wanted
                                | 565.000s: 8 -> 7 tasks: 99 of 100 requests take up to 10 ms, 100 ms wanted
            p99=150 20s         | 589.000s: 7 -> 10 tasks: 99 of 100 requests take up to 150 ms, 100 ms wanted
            p99=10 200s         | 665.000s: 10 -> 9 tasks: 99 of 100 requests take up to 10 ms, 100 ms wanted
                                | 725.000s: 9 -> 8 tasks: 99 of 100 requests take up to 10 ms, 100 ms wanted
            rate=40 100s        | 865.000s: 8 -> 7 tasks: 99 of 100 requests take up to 10 ms, 100 ms wanted
        "#]],
    );
}

#[test]
fn the_bounds_hold_and_a_change_by_hand_is_a_change() {
    check(
        config(2, 5, &[Target::RequestsPerTask(10)]),
        1,
        &expect![[r#"
            1s                         | 1.000s: 1 -> 2 tasks: minimum and maximum
            desired=9 deploying=yes 5s |
            deploying=no 1s            | 7.000s: 9 -> 5 tasks: minimum and maximum
            rate=12 40s                |
            desired=4 40s              |
            40s                        | 108.000s: 4 -> 3 tasks: 3.0 requests a second for each task, 10 wanted
        "#]],
    );
}

#[test]
fn what_it_goes_by_can_be_read() {
    let mut world = World::new(config(1, 4, &[Target::Cpu(50), Target::P99(SECOND)]), 2);
    world.step("cpu=40 p99=1500 10s");
    assert!(world.scaler.readings().is_empty());
    world.seen.desired = 2;
    world.step("1s");
    let told: Vec<_> =
        world.scaler.readings().iter().map(|r| format!("{r}; {}", r.wants)).collect();
    expect![[r#"
        40 % of the processor, 50 % wanted; 2
        99 of 100 requests take up to 1500 ms, 1000 ms wanted; 3"#]]
    .assert_eq(&told.join("\n"));
}

#[test]
fn a_faster_life_has_a_shorter_window() {
    let mut config = config(1, 10, &[Target::RequestsPerTask(10)]);
    config.scale_out_cooldown = SECOND * 3;
    config.scale_in_cooldown = SECOND * 6;
    check(
        config,
        2,
        &expect![[r#"
            rate=70 5s  | 5.000s: 2 -> 7 tasks: 35.0 requests a second for each task, 10 wanted
            rate=10 30s | 11.000s: 7 -> 6 tasks: 1.4 requests a second for each task, 10 wanted
                        | 17.000s: 6 -> 5 tasks: 1.7 requests a second for each task, 10 wanted
                        | 23.000s: 5 -> 4 tasks: 2.0 requests a second for each task, 10 wanted
                        | 29.000s: 4 -> 3 tasks: 2.5 requests a second for each task, 10 wanted
                        | 35.000s: 3 -> 2 tasks: 3.3 requests a second for each task, 10 wanted
        "#]],
    );
}
