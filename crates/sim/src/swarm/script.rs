//! A scenario as text that can be kept, changed and read again.

use std::time::Duration;

use seaworthy_core::experiment::model::{Distribution, Leak};
use seaworthy_core::experiment::{LinkFault, TaskFault};
use seaworthy_core::fleet::{ConfigError, LONGEST, MOST_TASKS};

use super::scenario::{Flaw, Happening, Insistence, Member, Scenario, Settings, ToService, ToTask};
use crate::world::{MOST_CROWDED, Physics, Stalls};

/// As many as have names.
pub(super) const MOST_SERVICES: usize = 4;
/// Requests a second.
const LOWEST_RATE: f64 = 1e-9;
const HIGHEST_RATE: f64 = 10_000.0;
/// As in a drill.
const SHORTEST: Duration = Duration::from_millis(1);
const MOST_TIMES: u32 = 100;
const MOST_ATTEMPTS: u32 = 100;

impl Scenario {
    /// The scenario as a TOML file, which [`read`](Self::read) reads.
    ///
    /// # Panics
    ///
    /// If the seed is above `i64::MAX`: TOML knows no such number.
    pub fn script(&self) -> String {
        toml::to_string(self).expect("a scenario is plain data")
    }

    /// Reads a [`script`](Self::script).
    pub fn read(script: &str) -> Result<Self, ConfigError> {
        let scenario: Self =
            toml::from_str(script).map_err(|error| ConfigError::new("script", error))?;
        scenario.check()?;
        scenario.meaning()?;
        Ok(scenario)
    }

    fn check(&self) -> Result<(), ConfigError> {
        let places = self.services.len();
        ensure((1..=MOST_SERVICES).contains(&places), "services", "there are 1 to 4")?;
        ensure(self.length <= LONGEST, "length", "is at most 1h")?;
        ensure(is_share(self.physics.link.loss), "physics.link.loss", "is from 0 to 1")?;
        let Physics { hop, link, late, tick, write, spawn, end, first, crowd, lag, .. } =
            self.physics;
        ensure(hop <= LONGEST, "physics.hop", "is at most 1h")?;
        ensure(tick <= LONGEST, "physics.tick", "is at most 1h")?;
        ensure(first <= LONGEST, "physics.first", "is at most 1h")?;
        check_times("physics.link.latency", link.latency)?;
        check_times("physics.late", late)?;
        check_times("physics.write", write)?;
        check_times("physics.spawn", spawn)?;
        check_times("physics.end", end)?;
        ensure((0.0..=MOST_CROWDED).contains(&crowd), "physics.crowd", "is from 0 to 100")?;
        ensure(lag == Distribution::default(), "physics.lag", "is not known here: use `stalls`")?;
        let rests = |stalls: Stalls| {
            stalls.spread.abs() <= 0.0
                && stalls.every <= LONGEST
                && (Duration::ZERO..stalls.every).contains(&stalls.length)
        };
        let known = self.physics.stalls.is_none_or(rests);
        ensure(
            known,
            "physics.stalls",
            "have a `length` shorter than `every`, which is at most 1h, each time the same",
        )?;
        for (n, member) in self.services.iter().enumerate() {
            member.check(&format!("services[{n}]"))?;
        }
        let ordered = self.happenings.is_sorted_by_key(|(at, _)| *at);
        ensure(ordered, "happenings", "come in order of time")?;
        for (n, (at, what)) in self.happenings.iter().enumerate() {
            let key = format!("happenings[{n}]");
            ensure(*at <= self.length, &key, "comes before `length` is over")?;
            let known = what.place().is_none_or(|place| place < places);
            ensure(
                known,
                &key,
                "names a service by its place: from 0, which is the first, to the last",
            )?;
            what.check(&key)?;
        }
        Ok(())
    }
}

impl Happening {
    fn check(&self, key: &str) -> Result<(), ConfigError> {
        let lasts = match self {
            Self::Partition(lasts)
            | Self::CrashAgent(lasts)
            | Self::ToTask(_, _, ToTask::Leak(lasts)) => *lasts,
            Self::ToTask(_, _, ToTask::Disturb(fault, lasts)) => {
                check_task_fault(key, *fault)?;
                *lasts
            }
            Self::ToService(_, what) => {
                what.check(key)?;
                what.lasts()
            }
            Self::ToTask(_, _, ToTask::Kill | ToTask::Stop | ToTask::Drain)
            | Self::CrashGateway => Duration::ZERO,
        };
        ensure(lasts <= LONGEST, key, "lasts at most 1h")
    }
}

impl ToService {
    fn check(&self, key: &str) -> Result<(), ConfigError> {
        match self {
            Self::Burst(times, _) => {
                ensure((2..=MOST_TIMES).contains(times), key, "has 2 to 100 times as many requests")
            }
            Self::Disturb(fault, _) => check_task_fault(key, *fault),
            Self::DisturbWay(fault, _) => check_link_fault(key, *fault),
            Self::Scale(tasks) => ensure(*tasks <= MOST_TASKS, key, "scales to 0 to 100 tasks"),
            _ => self.deploys().map_or(Ok(()), |(flaw, settings)| {
                let fails = |flaw| matches!(flaw, Flaw::FailsSome(101..));
                ensure(!flaw.is_some_and(fails), key, "fails 0 to 100 of 100 requests")?;
                settings.check(key)
            }),
        }
    }

    fn lasts(&self) -> Duration {
        match self {
            Self::Disturb(_, lasts)
            | Self::DisturbWay(_, lasts)
            | Self::Burst(_, lasts)
            | Self::PowerOff(_, lasts) => *lasts,
            Self::Deploy(flaw) | Self::DeployWith(flaw, _) => match flaw {
                Some(Flaw::Crashes(lasts) | Flaw::Slow(lasts) | Flaw::Leaks(lasts)) => *lasts,
                _ => Duration::ZERO,
            },
            Self::QueryOfDeath | Self::Rollback | Self::Scale(_) | Self::LoseZone(_) => {
                Duration::ZERO
            }
        }
    }
}

impl Settings {
    fn check(&self, key: &str) -> Result<(), ConfigError> {
        let count = self.desired_count.is_none_or(|count| count <= MOST_TASKS);
        ensure(count, key, "desires 0 to 100 tasks")?;
        let floor = self.minimum_healthy_percent.is_none_or(|percent| percent <= 100);
        ensure(floor, key, "has a `minimum_healthy_percent` of 0 to 100")?;
        let ceiling = self.maximum_percent.is_none_or(|percent| (100..=400).contains(&percent));
        ensure(ceiling, key, "has a `maximum_percent` of 100 to 400")?;
        let canary = self.canary_percent.is_none_or(|percent| percent < 100);
        ensure(canary, key, "has a `canary_percent` of 0 to 99")
    }
}

impl Member {
    fn check(&self, key: &str) -> Result<(), ConfigError> {
        let known = (LOWEST_RATE..=HIGHEST_RATE).contains(&self.rate);
        ensure(known, &format!("{key}.rate"), "is from 0.000000001 to 10000")?;
        ensure(is_share(self.posts), &format!("{key}.posts"), "is from 0 to 1")?;
        let asks = |clients: Insistence| {
            (1..=MOST_ATTEMPTS).contains(&clients.attempts) && clients.wait >= SHORTEST
        };
        let known = self.insistence.is_none_or(asks);
        ensure(
            known,
            &format!("{key}.insistence"),
            "waits for 1ms or more, and asks 1 to 100 times",
        )?;
        let leaks =
            |leak: Leak| leak.bytes_per_second > 0 && leak.limit > 0 && leak.slows <= LONGEST;
        let known = self.program.leak.is_none_or(leaks);
        ensure(
            known,
            &format!("{key}.program.leak"),
            "has 1 or more of bytes_per_second, and of limit, and slows by at most 1h",
        )?;
        let works = self.program.concurrency > 0;
        ensure(works, &format!("{key}.program.concurrency"), "is at least 1")?;
        check_times(&format!("{key}.program.start"), self.program.start)?;
        let cold = self.program.cold.unwrap_or_default();
        check_times(&format!("{key}.program.cold"), cold)?;
        check_times(&format!("{key}.program.work"), self.program.work)
    }
}

fn check_task_fault(key: &str, fault: TaskFault) -> Result<(), ConfigError> {
    match fault {
        TaskFault::Slow(latency) => {
            ensure((SHORTEST..=LONGEST).contains(&latency), key, "is slow by 1ms to 1h")
        }
        TaskFault::Hang | TaskFault::Fail | TaskFault::Reset | TaskFault::HalfAnswer => Ok(()),
    }
}

fn check_link_fault(key: &str, fault: LinkFault) -> Result<(), ConfigError> {
    match fault {
        LinkFault::Latency(latency) => {
            ensure(latency <= LONGEST, key, "has a latency of at most 1h")
        }
        LinkFault::Errors { status, .. } if !(400..=599).contains(&status) => {
            ensure(false, key, "has a status of 400 to 599")
        }
        LinkFault::Errors { share, .. }
        | LinkFault::Resets { share }
        | LinkFault::Stalls { share } => {
            ensure(share.as_f64() > 0.0, key, "meets a share of more than 0 %")
        }
        LinkFault::HalfAnswers => Ok(()),
    }
}

fn check_times(key: &str, times: Distribution) -> Result<(), ConfigError> {
    let (shortest, longest) = match times {
        Distribution::Constant(time) | Distribution::Exponential(time) => (time, time),
        Distribution::Uniform(shortest, longest) => (shortest, longest),
        Distribution::LogNormal { median, p99 } => {
            ensure(!median.is_zero(), key, "has a median above 0")?;
            (median, p99)
        }
    };
    let known = shortest <= longest && longest <= LONGEST;
    ensure(known, key, "goes from a shorter to a longer time, and is at most 1h")
}

fn is_share(number: f64) -> bool {
    (0.0..=1.0).contains(&number)
}

fn ensure(holds: bool, key: &str, allowed: &str) -> Result<(), ConfigError> {
    if holds { Ok(()) } else { Err(ConfigError::new(key, allowed)) }
}

/// For `#[serde(skip_serializing_if)]`.
pub(super) fn is_default<T: Default + PartialEq>(what: &T) -> bool {
    *what == T::default()
}

/// What happens, for `#[serde(with)]`.
pub(super) mod timed {
    use std::time::Duration;

    use seaworthy_core::fleet::written::Written;
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::swarm::scenario::Happening;

    type Timed<T> = Vec<(T, Happening)>;

    pub(in crate::swarm) fn serialize<S: Serializer>(
        all: &[(Duration, Happening)],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(all.iter().map(|(at, what)| (Written(*at), what)))
    }

    pub(in crate::swarm) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Timed<Duration>, D::Error> {
        let all = Timed::<Written>::deserialize(deserializer)?;
        Ok(all.into_iter().map(|(at, what)| (at.0, what)).collect())
    }
}

/// What is wrong with a program, `good` if nothing is, for `#[serde(with)]`: TOML knows no nothing.
pub(super) mod flaw {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::swarm::scenario::Flaw;

    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Written {
        Good,
        #[serde(untagged)]
        Bad(Flaw),
    }

    #[expect(clippy::ref_option, reason = "serde passes it so")]
    pub(in crate::swarm) fn serialize<S: Serializer>(
        flaw: &Option<Flaw>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        flaw.map_or(Written::Good, Written::Bad).serialize(serializer)
    }

    pub(in crate::swarm) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Flaw>, D::Error> {
        Ok(match Written::deserialize(deserializer)? {
            Written::Good => None,
            Written::Bad(flaw) => Some(flaw),
        })
    }
}
