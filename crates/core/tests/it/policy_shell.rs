//! A breaker driven by scripts.
//!
//! A step is a moment and what happens then: `a` begins a call, `a ok` ends it, `5 failed` begins
//! and ends five at once. Transitions and answers stand behind the bar; `UPDATE_EXPECT=1` rewrites
//! them, read the difference before you believe it.

use std::collections::BTreeMap;
use std::time::Duration;

use expect_test::Expect;
use seaworthy_core::policy::breaker::{
    Breaker, Config, Mode, Opening, Pass, Ramp, Slow, Trials, Window,
};
use seaworthy_core::policy::{Ask, Outcome, Policy};
use seaworthy_core::time::Instant;

use crate::golden;

/// Ten calls, half of at least five; open for 5 s, 10 s, then 20 s; three trials of 10 s; no ramp.
pub(crate) const CONFIG: Config = Config {
    window: Window::Calls(10),
    minimum_calls: 5,
    failure_percent: 50,
    slow: None,
    open: Opening {
        first: Duration::from_secs(5),
        longest: Duration::from_secs(20),
        jitter_percent: 0,
    },
    trials: Trials { calls: 3, lease: Duration::from_secs(10) },
    ramp: Ramp { length: Duration::ZERO, floor_percent: 0 },
    mode: Mode::Normal,
};

pub(crate) const SLOW: Slow =
    Slow { threshold: Duration::from_secs(1), percent: 40, minimum_calls: 5 };

pub(crate) fn check(config: Config, expect: &Expect) {
    let mut shell = Shell::new(config, 1);
    golden::check(expect, |step| shell.step(step));
}

/// Holds the passes of a breaker by name.
pub(crate) struct Shell {
    breaker: Breaker,
    passes: BTreeMap<String, Pass>,
}

impl Shell {
    pub(crate) fn new(config: Config, seed: u64) -> Self {
        Self { breaker: Breaker::new(config, seed), passes: BTreeMap::new() }
    }

    pub(crate) fn step(&mut self, step: &str) -> Vec<String> {
        let words: Vec<&str> = step.split(' ').collect();
        let now = golden::moment(words[0]);
        let answer = match words[1..] {
            ["state"] => vec![self.breaker.state(now).to_string()],
            ["rates"] => vec![rates(&mut self.breaker, now)],
            ["metrics"] => metrics(&self.breaker),
            [mode @ ("normal" | "forced-open" | "forced-closed")] => {
                self.breaker.switch(now, by_name(mode));
                vec![]
            }
            [name] => vec![self.begin(now, name, None)],
            [name, "until", deadline] => {
                vec![self.begin(now, name, Some(golden::moment(deadline)))]
            }
            [name, how] if self.passes.contains_key(name) => {
                let pass = self.passes.remove(name).expect("it is there");
                self.breaker.settle(now, pass, outcome(how));
                vec![]
            }
            [times, how] => self.repeat(now, times.parse().expect("how often"), outcome(how)),
            _ => panic!("unknown step: {step}"),
        };
        let transitions = std::iter::from_fn(|| self.breaker.poll_transition());
        let told = transitions.map(|t| format!("{}: {t}", t.at)).collect::<Vec<_>>();
        // What time did comes before what is seen of it.
        told.into_iter().chain(answer).collect()
    }

    fn begin(&mut self, now: Instant, name: &str, deadline: Option<Instant>) -> String {
        match self.breaker.admit(now, &Ask { repeatable: true, deadline }) {
            Ok(pass) => {
                self.passes.insert(name.to_owned(), pass);
                format!("{name} passes")
            }
            Err(why) => format!("{name} rejected: {why}"),
        }
    }

    fn repeat(&mut self, now: Instant, times: u32, outcome: Outcome) -> Vec<String> {
        let mut rejected = 0;
        for _ in 0..times {
            match self.breaker.admit(now, &Ask { repeatable: true, deadline: None }) {
                Ok(pass) => self.breaker.settle(now, pass, outcome),
                Err(_) => rejected += 1,
            }
        }
        if rejected == 0 { vec![] } else { vec![format!("{rejected} rejected")] }
    }
}

fn by_name(mode: &str) -> Mode {
    match mode {
        "normal" => Mode::Normal,
        "forced-open" => Mode::ForcedOpen,
        _ => Mode::ForcedClosed,
    }
}

fn outcome(word: &str) -> Outcome {
    match word {
        "ok" => Outcome::Success,
        "failed" => Outcome::Failure,
        "timeout" => Outcome::Timeout,
        "dropped" => Outcome::Cancelled,
        _ => panic!("unknown outcome: {word}"),
    }
}

fn rates(breaker: &mut Breaker, now: Instant) -> String {
    let rates = breaker.rates(now);
    let rate = |rate: Option<f64>| rate.map_or("no".to_owned(), |rate| format!("{rate:.2}"));
    format!("{} calls, {} failures, {} slow", rates.calls, rate(rates.failures), rate(rates.slow))
}

fn metrics(breaker: &Breaker) -> Vec<String> {
    let m = breaker.metrics();
    let r = m.rejected;
    vec![
        format!(
            "{} ok, {} failed, {} slow, {} cancelled",
            m.successes, m.failures, m.slow, m.cancelled
        ),
        format!("{} late, {} expired", m.late, m.expired),
        format!(
            "rejected: {} open, {} trials, {} ramp, {} forced",
            r.open, r.trials, r.ramp, r.forced
        ),
    ]
}
