//! The machine that a cell runs on: how slow it is, and how late. A model says what a program does, and no machine
//! does it as quickly as another one, or as it did yesterday.
//!
//! Runs in which nothing happens show it ([`Calibration::of`]). Simulated runs are then on machines of their own
//! ([`Calibration::machine`]), two on each. Of many such runs each is a machine that there may be, and the one after it one that
//! there is soon after. By few a machine is as far from their mean as one more of them would be, which is what
//! Student's t tells (the prediction interval for one more normal value; here of logarithms, for what is
//! slow is so by a factor).

mod check;
mod pace;
mod spread;
mod starts;

use std::collections::BTreeMap;
use std::time::Duration;

use seaworthy_core::experiment::Findings;
use seaworthy_core::experiment::claim::middle;
use seaworthy_core::experiment::model::{Distribution, Leak, Program};
use seaworthy_core::fleet::written::as_written;
use seaworthy_core::random::{Stream, unit};
use serde::{Deserialize, Serialize};

use crate::distribution::{Dice, quantiles};
use crate::world::{PAUSE, Physics, Stalls};
pub(crate) use pace::Pace;
use pace::paces;
use spread::SLOWEST;
pub use spread::Spread;
use starts::starts;

/// So few runs say nothing of how they differ.
pub const FEWEST_RUNS: usize = 3;

/// Nor do fewer say how much of that comes and goes slowly, and what else there may be.
const FEWEST_WITH_DRIFT: usize = 20;

/// What is shorter is no matter, and logarithms have no zero.
const SHORTEST: Duration = Duration::from_micros(100);

/// No timer of ours is finer: those of tokio, and of the system that it waits with, are of whole milliseconds.
const TICK: Duration = Duration::from_millis(1);

/// One machine.
#[derive(Clone, Debug, PartialEq)]
pub struct Machine {
    /// Half of the work takes so many times as long as the model says,
    median: f64,
    /// and one in a hundred takes so many times as long.
    p99: f64,
    /// What was called slow by that: the median and the 99th percentile of answers, as the model has them.
    calm: [Duration; 2],
    /// All the rest; its hops are slowed like the work.
    physics: Physics,
    /// From the start of a process until it listens, by the name of its service, where that was measured.
    starts: BTreeMap<String, Distribution>,
    /// By flow of the load.
    paces: Vec<Pace>,
    /// From the moment when all tasks are in rotation until the load begins, at least.
    prepare: Duration,
}

/// What is known of a machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// How slow answers are to users, whoever has a part in them: how long a service behind another one works
    /// nobody measures by itself, so that the work of all is slow by the same factors.
    median: Spread,
    p99: Spread,
    /// The logarithms of both factors of each run, in their order, which is that of configurations in turn; earlier
    /// reports do not say them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    each: Vec<[f64; 2]>,
    /// But for its standstills, which differ from run to run.
    physics: Physics,
    /// Seconds for which it stands still at most, once in each
    stall: Spread,
    #[serde(with = "as_written")]
    every: Duration,
    /// From the start of a process until it listens, by the name of its service,
    #[serde(default)]
    starts: BTreeMap<String, Distribution>,
    /// and of the one by which users come in: all that earlier reports know.
    #[serde(rename = "start", skip_serializing_if = "Option::is_none")]
    entry_start: Option<Distribution>,
    /// How the flows of the load differ, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    flows: Vec<Pace>,
    /// From the moment when all tasks are in rotation until the load begins.
    #[serde(default, with = "as_written", skip_serializing_if = "Duration::is_zero")]
    prepare: Duration,
}

/// A run in which nothing happened, live, and the same simulated on a machine that is as its model says.
#[derive(Clone, Debug)]
pub struct Run {
    /// As measured.
    pub measured: Findings,
    /// As simulated.
    pub simulated: Findings,
    /// So long did its load last.
    pub length: Duration,
    /// So many processes were started at once before it, of all services.
    pub tasks: u32,
}

// === impl Machine ===

/// As the model says, and never late.
impl Default for Machine {
    fn default() -> Self {
        Self {
            median: 1.0,
            p99: 1.0,
            calm: [Duration::ZERO; 2],
            physics: Physics::default(),
            starts: BTreeMap::new(),
            paces: Vec::new(),
            prepare: Duration::ZERO,
        }
    }
}

impl Machine {
    pub(crate) fn physics(&self) -> Physics {
        Physics { hop: self.physics.hop.mul_f64(self.median), ..self.physics }
    }

    pub(crate) fn prepare(&self) -> Duration {
        self.prepare
    }

    pub(crate) fn paces(&self) -> &[Pace] {
        &self.paces
    }

    /// What the program of this service is on it.
    pub(crate) fn program(&self, service: &str, model: Program) -> Program {
        Program {
            start: self.starts.get(service).copied().unwrap_or(model.start),
            work: self.slowed(model.work),
            cold: model.cold.map(|cold| self.slowed(cold)),
            leak: model.leak.map(|leak| Leak { slows: leak.slows.mul_f64(self.median), ..leak }),
            ..model
        }
    }

    /// What waits for so long wakes up late, by as much on a slow machine for a long time as for a short one; and
    /// nothing takes as long each time.
    fn later(&self, duration: Duration) -> Distribution {
        let [median, p99] = [(self.median, self.calm[0]), (self.p99, self.calm[1])]
            .map(|(factor, calm)| (duration + calm.mul_f64(factor)).saturating_sub(calm));
        if p99 <= median || median.is_zero() {
            return Distribution::Constant(median);
        }
        Distribution::LogNormal { median, p99 }
    }

    /// What a machine adds has a tail of its own, whatever the work is like.
    fn slowed(&self, work: Distribution) -> Distribution {
        let [median, p99] = match work {
            _ if *self == Self::default() => return work,
            Distribution::Constant(Duration::ZERO) => return work,
            Distribution::Constant(duration) => return self.later(duration),
            _ => quantiles(work),
        };
        let median = median.mul_f64(self.median);
        Distribution::LogNormal { median, p99: p99.mul_f64(self.p99).max(median) }
    }
}

// === impl Calibration ===

impl Calibration {
    /// From [`FEWEST_RUNS`] runs at least, and from how long it took each time until something was on the disk,
    /// and until a process was started.
    pub fn of(runs: &[Run], writes: &[Duration], spawns: &[Duration]) -> Self {
        let lateness = runs.iter().map(|run| run.measured.numbers.lateness_p99);
        let late = late(lateness.sum::<Duration>() / runs.len() as u32);
        let [write, spawn] = [writes, spawns].map(Spread::of_times);
        let before = [write, spawn, late].map(|one| quantiles(one)[0]);
        // Two who wait tell of it, which is in the model already.
        let told = 2 * quantiles(late)[0];
        let ends = runs.iter().flat_map(|run| &run.measured.ends);
        let ends: Vec<Duration> =
            ends.map(|took| took.saturating_sub(told).max(SHORTEST)).collect();
        let end = Spread::of_times(&ends);
        let lags = runs.iter().flat_map(|run| run.measured.lags.iter().copied());
        let lag = Spread::of_times(&lags.map(|lag| lag.max(SHORTEST)).collect::<Vec<_>>());
        let first = |Run { measured, .. }: &Run| {
            Some(measured.first?.saturating_sub(measured.numbers.latency_p50?))
        };
        let first = median(runs.iter().filter_map(first));
        let (starts, crowd) = starts(runs, before.iter().sum());
        let figures: [fn(&Findings) -> Option<Duration>; 2] =
            [|findings| findings.numbers.latency_p50, |findings| findings.numbers.latency_p99];
        let factors = |Run { measured, simulated, .. }: &Run| {
            let seconds = |time: Option<Duration>| time.unwrap_or_default().as_secs_f64();
            figures.map(|figure| seconds(figure(measured)) / seconds(figure(simulated)))
        };
        let factors: Vec<[f64; 2]> = runs.iter().map(factors).collect();
        let each = factors.iter().map(|both| both.map(libm::log));
        let each = each.filter(|both| both.iter().all(|log| log.is_finite())).collect();
        Self {
            median: Spread::of(factors.iter().map(|both| both[0])),
            p99: Spread::of(factors.iter().map(|both| both[1])),
            each,
            physics: Physics {
                late,
                tick: TICK,
                write,
                spawn,
                end,
                first,
                crowd,
                lag,
                ..Physics::default()
            },
            stall: Spread::of(runs.iter().map(|run| run.stall(first))),
            every: runs[0].length,
            starts,
            entry_start: None,
            flows: paces(runs),
            prepare: median(runs.iter().map(|run| run.measured.prepared)),
        }
    }

    /// One machine of those that this one may be when a run comes, drawn from `seed`: the `nth` of those that it is one after
    /// the other, the first of which is drawn from `drift`. `calm`: the median and the 99th percentile of answers where
    /// nothing happens, as the model has them.
    pub fn machine(&self, calm: [Duration; 2], drift: u64, nth: usize, seed: u64) -> Machine {
        let mut dice = Dice::new(seed, Stream::Machines);
        let [median, p99] = match self.one_of_each(drift, nth) {
            Some(known) => {
                let off = [self.median, self.p99].map(|spread| spread.of_the_middle(&mut dice));
                [0, 1].map(|n| libm::exp((known[n] + off[n]).min(SLOWEST)))
            }
            None => [self.median, self.p99].map(|spread| spread.one_more(&mut dice)),
        };
        Machine {
            median,
            p99,
            calm,
            physics: Physics { stalls: Some(self.stalls(&mut dice)), ..self.physics },
            starts: self.starts.clone(),
            paces: self.flows.clone(),
            prepare: self.prepare,
        }
    }

    /// The `nth` run after one drawn from `drift`, if they are enough to be all that there is.
    fn one_of_each(&self, drift: u64, nth: usize) -> Option<[f64; 2]> {
        let first = unit(drift, Stream::Drift, 0) * self.each.len() as f64;
        self.drifts().then(|| self.each[(first as usize + nth) % self.each.len()])
    }

    fn stalls(&self, dice: &mut Dice) -> Stalls {
        let Spread { mean, deviation, .. } = self.stall.one_of_those(dice);
        let length = Duration::from_secs_f64(libm::exp(mean.min(SLOWEST)));
        Stalls { every: self.every, length: length.min(self.every / 2), spread: deviation }
    }

    /// The same, with what an earlier report does not say: `entry` is the service by which users come in; and what
    /// timers are late by, a tick on average, was in part what everybody is late by, half of one.
    #[must_use]
    pub fn brought_up_to_date(mut self, entry: &str) -> Self {
        let start = self.entry_start.take().map(|start| (entry.to_owned(), start));
        self.starts.extend(start);
        if let Distribution::Exponential(mean) = self.physics.late
            && self.physics.tick.is_zero()
        {
            self.physics.late = Distribution::Exponential(mean.saturating_sub(TICK / 2));
            self.physics.tick = TICK;
        }
        self
    }

    /// By so many runs.
    pub fn runs(&self) -> usize {
        self.median.count
    }

    /// Whether they are enough to tell how much of what differs comes and goes slowly.
    fn drifts(&self) -> bool {
        self.each.len() >= FEWEST_WITH_DRIFT
    }

    /// How slow it is beside its model: of the median and of the 99th percentile of answers.
    pub fn slowness(&self) -> [Spread; 2] {
        [self.median, self.p99]
    }
}

// === impl Run ===

impl Run {
    /// For how many seconds an answer was late, of all the longest time, and a moment at least: by so much nobody was
    /// answered for longer than nobody asked; or than what nobody is answered for in any case, as before the first of
    /// slow answers, if the silence does not stand out of that. After a pause that is not by as much as the `first`
    /// request is late for.
    fn stall(&self, first: Duration) -> f64 {
        let simulated = &self.simulated.numbers;
        let (unasked, silent) = (simulated.longest_gap, simulated.longest_silence);
        let first = if silent >= PAUSE { first } else { Duration::ZERO };
        let measured = self.measured.numbers.longest_silence.saturating_sub(first);
        let longer = measured.saturating_sub(silent);
        let stands_out = longer > silent.saturating_sub(unasked);
        let late = if stands_out { measured.saturating_sub(unasked) } else { longer };
        late.max(SHORTEST).as_secs_f64()
    }
}

/// Nothing of none.
fn median(times: impl Iterator<Item = Duration>) -> Duration {
    let median = middle(times.map(|time| time.as_secs_f64()).collect());
    Duration::from_secs_f64(median.unwrap_or_default())
}

/// Exponential, with this 99th percentile.
fn late(p99: Duration) -> Distribution {
    Distribution::Exponential(p99.div_f64(libm::log(100.0)))
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;

    static KNOWN: LazyLock<Calibration> =
        LazyLock::new(|| toml::from_str(check::tests::KNOWN).expect("it is one"));

    /// Slow for ten runs, quick for ten, and each a little of its own.
    #[test]
    fn machines_after_each_other_are_slow_alike() {
        let factor = |n: u32| if (n / 10).is_multiple_of(2) { 1.5 } else { 1.0 } + 0.01 * f64::from(n * 7 % 5);
        let known = |runs: u32| {
            let spread = Spread::of((0..runs).map(factor));
            let each = (0..runs).map(|n| [libm::log(factor(n)); 2]).collect();
            Calibration { median: spread, p99: spread, each, ..KNOWN.clone() }
        };
        let one = |drift, nth, seed| {
            let machine = known(40).machine([Duration::ZERO; 2], drift, nth, seed);
            libm::log(machine.median)
        };
        let apart = |one: f64, other: f64| (one - other).abs();
        let (mut soon, mut later) = (0.0, 0.0);
        for n in 0..200 {
            soon += apart(one(n, 0, n), one(n, 1, n + 1));
            later += apart(one(n, 0, n), one(n + 1, 0, n + 1));
        }
        assert!(soon < 0.6 * later, "{soon} {later}");
        assert_eq!([19, 20].map(|runs| known(runs).drifts()), [false, true]);
    }

    #[test]
    fn a_machine_is_slow_by_factors() {
        let micros = Duration::from_micros;
        let calm = [100, 200].map(micros);
        let machine = Machine { median: 2.0, p99: 3.0, calm, ..Machine::default() };
        let slowed = |work| machine.slowed(work);
        let normal = Distribution::LogNormal { median: micros(100), p99: micros(1000) };
        let meant = Distribution::LogNormal { median: micros(200), p99: micros(3000) };
        assert_eq!(slowed(normal), meant);
        let uniform = Distribution::LogNormal { median: micros(100), p99: micros(3 * 99) };
        assert_eq!(slowed(Distribution::Uniform(micros(0), micros(100))), uniform);
        let constant = Distribution::LogNormal { median: micros(150), p99: micros(450) };
        assert_eq!(slowed(Distribution::Constant(micros(50))), constant);
        assert_eq!(machine.physics().hop, 2 * Physics::default().hop);
    }

    #[test]
    fn a_program_starts_as_those_of_its_service_did() {
        let [back, front] =
            [1, 2].map(|second| Distribution::Constant(Duration::from_secs(second)));
        let model = Program { start: Distribution::default(), ..Program::default() };
        let starts = [("back".to_owned(), back), ("front".to_owned(), front)].into();
        let machine = Machine { starts, ..Machine::default() };
        let start = |service| machine.program(service, model).start;
        assert_eq!(["back", "front", "other"].map(start), [back, front, model.start]);
    }
}
