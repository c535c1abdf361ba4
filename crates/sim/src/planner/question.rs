//! What is asked, and of what world.

use std::iter;
use std::ops::RangeInclusive;
use std::time::Duration;

use seaworthy_core::balance::Algorithm;
use seaworthy_core::call::Route;
use seaworthy_core::fleet::{ConfigError, MOST_TASKS, Service};
use seaworthy_core::health::Check;

use super::refusal::Least;
use super::{Candidate, Evidence};
use crate::availability::{DAY, Place, Span};

/// What is asked of the planner.
#[derive(Clone, Debug)]
pub struct Question<'a> {
    /// As the fleet file has it.
    pub service: &'a Service,
    /// The one of its routes whose requests are asked for.
    pub route: &'a Route,
    /// The percentage of requests that must succeed: 1 to 99.9999999.
    pub target: f64,
    /// Requests per second that come, if that is known.
    pub load: Option<f64>,
    /// The percentage of them that come by the route; all of them, if nobody says it.
    pub route_percent: Option<f64>,
    /// Other routes whose requests are asked for as well, and the percentage of each.
    pub along: Vec<(&'a Route, f64)>,
    /// Requests per second that one task can bear, if that is known.
    pub capacity: Option<f64>,
    /// What one task costs a month, in whatever is paid.
    pub price: f64,
    /// What is taken for granted.
    pub world: World,
    /// What drills have measured; it takes the place of what is taken for granted.
    pub evidence: Option<Evidence>,
    /// From which the simulation draws.
    pub seed: u64,
}

/// What is taken for granted of tasks and of whoever uses them.
#[derive(Clone, Copy, Debug)]
pub struct World {
    /// Seconds to the failure of one task, on average.
    pub mttf: f64,
    /// The percentage of all failures that take every task at once.
    pub common_percent: f64,
    /// Seconds to the failure of one zone, on average, if zones fail: it takes the tasks that are there.
    pub zone_mttf: Option<f64>,
    /// The same for one machine.
    pub machine_mttf: Option<f64>,
    /// The percentage of failures in which a task hangs instead of dying.
    pub hangs_percent: f64,
    /// The percentage of failures in which a task fails its requests and passes its checks.
    pub sick_percent: f64,
    /// Seconds until somebody stops such a task, or one that hangs and [passes them](Question::hangs_pass) too, if requests
    /// do not tell of it.
    pub noticed: f64,
    /// The percentage of requests that may not be sent twice.
    pub writes_percent: f64,
    /// Seconds that an answer takes.
    pub latency: f64,
    /// Seconds after which an answer comes too late.
    pub patience: f64,
    /// Seconds from the start of a task's process to its readiness.
    pub start: Span,
    /// Deployments a month.
    pub deployments: f64,
}

/// In percent: no fleet never fails.
const TARGETS: RangeInclusive<f64> = 1.0..=99.999_999_9;
/// Requests a second.
const RATES: RangeInclusive<f64> = 0.000_001..=1_000_000.0;
/// In percent, of all requests.
const SHARES: RangeInclusive<f64> = 0.000_1..=100.0;
/// A microsecond.
const SHORTEST: f64 = 0.000_001;
/// A thousand years.
pub(super) const LONGEST: f64 = 1000.0 * 365.25 * DAY;
/// A number of tasks that is so near to a whole one, by a share of it, is one.
const WHOLE: f64 = 1e-12;
/// Beyond that nobody counts the digits.
const FEW_DIGITS: RangeInclusive<f64> = 1e-9..=1e15;

// === impl Question ===

impl<'a> Question<'a> {
    /// Says what of it cannot be meant.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.check_target()?;
        let tasks = 1.0..=f64::from(MOST_TASKS);
        within(
            &format!("service.{}.desired_count", self.service.name),
            f64::from(self.service.cluster.desired_count),
            tasks,
            " to reckon from",
        )?;
        within("--price", self.price, 0.0..=1e6, "")?;
        self.world.check()?;
        self.check_places()?;
        self.check_load()
    }

    /// Nobody means a target below one percent: who says 0.9995 means 99.95 %.
    fn check_target(&self) -> Result<(), ConfigError> {
        let target = self.target;
        if target > 0.0 && target < *TARGETS.start() {
            let percent = (target * 1e9).round() / 1e7;
            let problem = format!(
                "{target} is a percentage, and too small; the share {target} is {percent}%"
            );
            return Err(ConfigError::new("--target", problem));
        }
        within("--target", target, TARGETS, " %")
    }

    /// Nobody knows what a zone takes if nobody said what is in it.
    fn check_places(&self) -> Result<(), ConfigError> {
        let World { zone_mttf, machine_mttf, .. } = self.world;
        let given = [("--zone-mttf", zone_mttf), ("--machine-mttf", machine_mttf)];
        let given = given.into_iter().find(|(_, mttf)| mttf.is_some());
        let Some((key, _)) = given.filter(|_| self.service.cluster.machines.is_empty()) else {
            return Ok(());
        };
        let problem = format!(
            "service.{} does not say what is where; allowed is it with machines, such as machines = [\"a/1\", \
             \"b/1\"]",
            self.service.name
        );
        Err(ConfigError::new(key, problem))
    }

    fn check_load(&self) -> Result<(), ConfigError> {
        for (key, value) in [("--load", self.load), ("--capacity", self.capacity)] {
            value.map_or(Ok(()), |value| within(key, value, RATES, " requests a second"))?;
        }
        for percent in self.shares().map(|(_, percent)| percent) {
            check_share("--share", percent)?;
        }
        if self.is_part() && self.service.call.routes.len() == 1 {
            let problem = format!(
                "all requests come by the one route of service.{}; allowed is a share where others have \
                 [[service.{0}.route]]",
                self.service.name
            );
            return Err(ConfigError::new("--share", problem));
        }
        let Some(load) = self.load else {
            let useless = [("--capacity", self.capacity.is_some()), ("--share", self.is_part())];
            let problem = "means nothing without --load; allowed is both";
            return match useless.into_iter().find(|(_, given)| *given) {
                Some((key, _)) => Err(ConfigError::new(key, problem)),
                None => Ok(()),
            };
        };
        let Some(needed) = self.demand() else { return Ok(()) };
        if needed.ceil() <= f64::from(MOST_TASKS) {
            return Ok(());
        }
        let limit = if self.capacity == self.bears() { "--capacity" } else { "most_in_flight" };
        let problem = format!(
            "{load} requests a second need {} tasks, and a service has at most {MOST_TASKS}; allowed is \
             up to {} a second, or a larger {limit}",
            needed.ceil(),
            rounded(f64::from(MOST_TASKS) * load / needed)
        );
        Err(ConfigError::new("--load", problem))
    }

    /// The percentage of all requests that come by the route.
    pub fn percent(&self) -> f64 {
        self.route_percent.unwrap_or(100.0)
    }

    /// All routes whose requests are asked for, and the percentage of each.
    pub fn shares(&self) -> impl Iterator<Item = (&'a Route, f64)> {
        iter::once((self.route, self.percent())).chain(self.along.iter().copied())
    }

    /// What is asked of each of them alone, with what a candidate makes of it, and which share of what is
    /// asked for comes by it.
    pub(super) fn parts(&self, candidate: &Candidate) -> Vec<(f64, Self, Candidate)> {
        let all: f64 = self.shares().map(|(_, percent)| percent).sum();
        let one = |(route, percent): (&'a Route, f64)| {
            let candidate = candidate.by_route(self.route, route);
            let route_percent = Some(percent);
            let alone = Self { route, route_percent, along: Vec::new(), ..self.clone() };
            (percent / all, alone, candidate)
        };
        self.shares().map(one).collect()
    }

    /// The same, if tasks fail once in so many seconds.
    pub(super) fn with_mttf(&self, mttf: f64) -> Self {
        Self { world: World { mttf, ..self.world }, ..self.clone() }
    }

    /// The same, if nothing fails more often than that.
    pub(super) fn with_least(&self, least: Least) -> Self {
        let World { mttf, zone_mttf, machine_mttf, .. } = self.world;
        let [zone_mttf, machine_mttf] =
            [zone_mttf, machine_mttf].map(|mttf| mttf.map(|mttf| mttf.max(least.place)));
        let world = World { mttf: mttf.max(least.task), zone_mttf, machine_mttf, ..self.world };
        Self { world, ..self.clone() }
    }

    /// Tasks that the load needs.
    pub fn needed(&self) -> u32 {
        self.demand().map_or(1, |demand| (demand.ceil() as u32).max(1))
    }

    /// What comes, in what one task can bear; none if that is not known.
    pub fn demand(&self) -> Option<f64> {
        // Rounding makes no task more of a whole number.
        let demand = self.load? / self.bears()?;
        let whole = demand.round();
        Some(if (demand - whole).abs() <= demand * WHOLE { whole } else { demand })
    }

    /// Requests per second that one task can bear, as given, and gets, by what it may have in flight.
    pub fn bears(&self) -> Option<f64> {
        [self.capacity, self.in_flight()].into_iter().flatten().min_by(f64::total_cmp)
    }

    /// Whether the balancer looks at what tasks do before it chooses one: else a bad task gets its even share. So it does
    /// where users come back to the task that they are used to.
    pub fn state_matters(&self) -> bool {
        if self.service.sticky_cookie.is_some() {
            return false;
        }
        let balancing = &self.service.balancing;
        match balancing.algorithm {
            Algorithm::RoundRobin | Algorithm::WeightedRandom | Algorithm::ConsistentHash => {
                balancing.most_in_flight.is_some()
            }
            Algorithm::LeastOutstandingRequests | Algorithm::LatencyAware => true,
        }
    }

    /// Whether a task that hangs passes its checks: they only open a connection, which the kernel does for it.
    pub fn hangs_pass(&self) -> bool {
        self.service.health.check == Check::Tcp
    }

    /// Requests per second of which a task has as many in flight as it may (Little), if there is a most.
    fn in_flight(&self) -> Option<f64> {
        let most = self.service.balancing.most_in_flight;
        most.map(|most| f64::from(most) / self.world.latency)
    }

    /// The share of requests that may be sent twice.
    pub(super) fn repeatable(&self) -> f64 {
        1.0 - self.world.writes_percent / 100.0
    }

    /// Requests per second that come by the route, if that is known.
    pub fn by_route(&self) -> Option<f64> {
        self.load.map(|load| load * self.percent() / 100.0)
    }

    /// Requests per second that come by all routes that are asked for, if that is known.
    pub fn asked_for(&self) -> Option<f64> {
        let percent: f64 = self.shares().map(|(_, percent)| percent).sum();
        self.load.map(|load| load * percent / 100.0)
    }

    /// Whether other requests come as well.
    pub(super) fn is_part(&self) -> bool {
        self.percent() < 100.0
    }

    /// The share of requests that may fail.
    pub fn tolerated(&self) -> f64 {
        1.0 - self.target / 100.0
    }

    /// How long a task's own start takes: as measured, or as taken for granted.
    pub(super) fn start(&self) -> Span {
        self.measured_start().unwrap_or(self.world.start)
    }

    pub(super) fn measured_start(&self) -> Option<Span> {
        self.evidence.as_ref()?.starts().span()
    }
}

// === impl World ===

impl World {
    /// What takes the tasks of a place, and seconds to its failure.
    pub fn places(&self) -> Vec<(Place, f64)> {
        let all = [(Place::Zone, self.zone_mttf), (Place::Machine, self.machine_mttf)];
        all.into_iter().filter_map(|(place, mttf)| Some((place, mttf?))).collect()
    }

    /// What fails, which option says how often, and the seconds to its failure, if it does.
    pub fn failing(&self) -> [(&'static str, &'static str, Option<f64>); 3] {
        [
            ("a task", "--mttf", Some(self.mttf)),
            ("a zone", "--zone-mttf", self.zone_mttf),
            ("a machine", "--machine-mttf", self.machine_mttf),
        ]
    }

    fn check(&self) -> Result<(), ConfigError> {
        let Self { latency, patience, start, deployments, .. } = *self;
        let given = [("--latency", latency), ("--noticed", self.noticed)];
        let failing = self.failing().into_iter().filter_map(|(_, key, mttf)| Some((key, mttf?)));
        for (key, value) in failing.chain(given) {
            if !(SHORTEST..=LONGEST).contains(&value) {
                let problem = format!("{value} s is out of range; allowed is 1us to 1000years");
                return Err(ConfigError::new(key, problem));
            }
        }
        for (key, value) in [("--patience", patience), ("--start", start.1)] {
            if value > LONGEST {
                let problem = format!("{value} s is out of range; allowed is up to 1000years");
                return Err(ConfigError::new(key, problem));
            }
        }
        if patience <= latency {
            let problem = format!(
                "every answer takes {latency} s, and after {patience} s it is too late; allowed is a --patience \
                 longer than --latency, such as --patience {:?}",
                Duration::from_secs_f64(2.0 * latency)
            );
            return Err(ConfigError::new("--latency and --patience", problem));
        }
        within("--deployments", deployments, 0.0..=1e6, " a month")?;
        if start.0 > start.1 {
            let problem = format!(
                "{} s to {} s ends before it begins; allowed is a span from short to long, such as {1}s..{0}s",
                start.0, start.1
            );
            return Err(ConfigError::new("--start", problem));
        }
        self.check_percentages()
    }

    fn check_percentages(&self) -> Result<(), ConfigError> {
        let Self { common_percent, hangs_percent, sick_percent, writes_percent, .. } = *self;
        for (key, value) in [
            ("--common-cause", common_percent),
            ("--hangs", hangs_percent),
            ("--sick", sick_percent),
            ("--writes", writes_percent),
            ("--hangs and --sick together", hangs_percent + sick_percent),
        ] {
            within(key, value, 0.0..=100.0, " %")?;
        }
        Ok(())
    }
}

/// To a millionth: three times 0.909 are 2.727.
pub fn rounded(number: f64) -> f64 {
    (number * 1e6).round() / 1e6
}

/// Whether so many percent of all requests may come by a route; the error names `key`.
pub fn check_share(key: &str, percent: f64) -> Result<(), ConfigError> {
    within(key, percent, SHARES, " %")
}

fn within(
    key: &str,
    value: f64,
    allowed: RangeInclusive<f64>,
    unit: &str,
) -> Result<(), ConfigError> {
    if allowed.contains(&value) {
        return Ok(());
    }
    let (low, high) = allowed.into_inner();
    if value.is_nan() {
        let problem = format!("{value} is no number; allowed is {low} to {high}{unit}");
        return Err(ConfigError::new(key, problem));
    }
    let nearest = if value > high { high } else { low };
    let few = value == 0.0 || FEW_DIGITS.contains(&value.abs());
    let value = if few { value.to_string() } else { format!("{value:e}") };
    let problem = format!(
        "{value} is out of range; allowed is {low} to {high}{unit}, of which {nearest} is the nearest"
    );
    Err(ConfigError::new(key, problem))
}
