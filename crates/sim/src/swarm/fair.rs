//! What a scenario means, and what nobody could be blamed for in it.
use seaworthy_core::call::Route;
use seaworthy_core::cluster;
use seaworthy_core::experiment::caller::{Caller, Dependency, Pool};
use seaworthy_core::fleet::{ConfigError, Fleet, Service};
use seaworthy_core::policy::{bulkhead, guard};

use super::load::CALMLY;
use super::scenario::{Member, Scenario, ToService};
use crate::distribution::{Distribution, hardly_ever_above};

/// What a scenario means.
#[derive(Clone, Debug)]
pub(super) struct Meaning {
    pub(super) fleet: Fleet,
    /// How the tasks of each service call others.
    pub(super) callers: Vec<Caller>,
}

/// Requests a second that no fleet has trouble with.
pub(super) const CALM_RATE: f64 = 12.0;
/// So many requests are never there at once at [`CALM_RATE`], not by chance in a hundred thousand scenarios.
const BURST: u32 = 20;
/// Where requests come at random, so large a part of the room is in use at most when all is calm: then it
/// is never full by chance.
const IN_USE: f64 = 0.05;
/// If every client asks as often as it may, so large a part of what one task can do is asked for at most
/// when all is calm: else work that nobody waits for any more may keep all others waiting for ever.
const ASKED_FOR: f64 = 0.5;
/// So much of a start's time is left for the checks, and for the agent to hear of them.
const HEARD_OF: f64 = 1.0;

// === impl Scenario ===

impl Scenario {
    /// What it means.
    pub(super) fn meaning(&self) -> Result<Meaning, ConfigError> {
        let fleet = self.fleet()?;
        let callers = self.callers(&fleet)?;
        self.check_zones(&fleet)?;
        self.check_settings(&fleet)?;
        Ok(Meaning { fleet, callers })
    }

    /// Nothing but what people do on purpose, with good programs that take a burst and are waited for, a
    /// floor, and nothing that turns a burst away: then no request may fail.
    pub(super) fn is_calm(&self, meaning: &Meaning) -> bool {
        let Meaning { fleet, callers } = meaning;
        self.is_fair(meaning)
            && (0..fleet.services.len()).all(|place| self.keeps_tasks(place, fleet))
            && !fleet.services.iter().any(sheds_bursts)
            && !callers.iter().any(calls_of_bursts_are_shed)
            && self.happenings.iter().all(|(_, happening)| happening.is_planned())
            && self.services.iter().all(|member| member.program.concurrency >= BURST)
            && self.rates(callers, |member| member.rate).iter().all(|rate| *rate <= CALM_RATE)
            && self.physics.link.loss == 0.0
    }

    /// Whatever is deployed, some tasks of this service stay.
    fn keeps_tasks(&self, place: usize, fleet: &Fleet) -> bool {
        self.clusters(place, fleet).all(|cluster| cluster.minimum_healthy_percent > 0)
    }

    /// The settings of a service, and those with which it is deployed.
    fn clusters(&self, place: usize, fleet: &Fleet) -> impl Iterator<Item = cluster::Config> {
        let file = &fleet.services[place].cluster;
        let deploys =
            self.happenings.iter().filter_map(move |(_, what)| what.to_service(place)?.deploys());
        let deployed: Vec<_> = deploys.map(|(_, settings)| settings.of(file)).collect();
        deployed.into_iter().chain([file.clone()])
    }

    /// Once all is mended, its programs are quick enough for all that waits for them, and have room.
    pub(super) fn is_fair(&self, meaning: &Meaning) -> bool {
        let calmly = self.rates(&meaning.callers, |_| 1.0 / CALMLY.as_secs_f64());
        (0..self.services.len()).all(|place| {
            self.has_patience(place, meaning) && self.has_room(place, meaning, calmly[place])
        })
    }

    /// However many start beside each other, no good program takes so long that it is given up: else all start again,
    /// as slowly as before.
    pub(super) fn starts_in_time(&self, fleet: &Fleet) -> bool {
        let most = |(place, service): (usize, &Service)| {
            let by_hand =
                self.happenings.iter().filter_map(|(_, what)| match what.to_service(place) {
                    Some(ToService::Scale(count)) => Some(count),
                    _ => None,
                });
            let highest = service.cluster.autoscaling.as_ref().map(|scales| scales.maximum);
            let clusters: Vec<_> = self.clusters(place, fleet).collect();
            let desired = clusters.iter().map(|cluster| cluster.desired_count);
            let most = by_hand.chain(highest).chain(desired).max().unwrap_or_default();
            clusters.iter().map(|cluster| cluster.ceiling_of(most)).max().unwrap_or_default()
        };
        let all: u32 = fleet.services.iter().enumerate().map(most).sum();
        let longer = 1.0 + self.physics.crowd * f64::from(all.saturating_sub(1));
        fleet.services.iter().zip(&self.services).all(|(service, member)| {
            let takes = longer * hardly_ever_above(member.program.start);
            takes + HEARD_OF <= service.cluster.start_timeout.as_secs_f64()
        })
    }

    /// No request of a good program takes so long, once in a billion times at most, that its own timeout,
    /// a drain or its client cuts it off.
    fn has_patience(&self, place: usize, Meaning { fleet, callers }: &Meaning) -> bool {
        let takes = |place| self.takes(place, callers, hardly_ever_above) + self.stands_still();
        let (service, member) = (&fleet.services[place], &self.services[place]);
        let timeouts = service.call.routes.iter().filter_map(|route| route.guard.timeout);
        let others = [
            member.insistence.map(|clients| clients.wait),
            member.program.gives_up,
            Some(service.cluster.deregistration_delay),
        ];
        let called = |one: &Dependency| {
            one.guard.timeout.is_none_or(|timeout| takes(one.to) < timeout.as_secs_f64())
        };
        let mut all = timeouts.chain(others.into_iter().flatten());
        all.all(|patience| takes(place) < patience.as_secs_f64())
            && callers[place].dependencies.iter().all(called)
    }

    /// What comes at this `rate` when all is calm is not taken for slow, is done even if all clients ask again,
    /// and finds room: where others call or are called, where caches are cold, and all at once after two standstills.
    fn has_room(&self, place: usize, Meaning { fleet, callers }: &Meaning, rate: f64) -> bool {
        let takes = self.takes(place, callers, usually);
        let (service, member) = (&fleet.services[place], &self.services[place]);
        let slow = |route: &Route| {
            let slow = route.guard.breaker.as_ref().and_then(|breaker| breaker.slow);
            slow.is_some_and(|slow| slow.threshold.as_secs_f64() < 2.0 * takes)
        };
        let mut called = callers.iter().flat_map(|one| &one.dependencies).map(|one| one.to);
        let is_plain = callers[place].dependencies.is_empty()
            && called.all(|other| other != place)
            && member.program.cold.is_none();
        let room = room(member, service, &callers[place]);
        let asks = member.insistence.map_or(0, |clients| clients.attempts);
        let concurrency = f64::from(member.program.concurrency);
        !service.call.routes.iter().any(slow)
            && f64::from(asks) * rate * takes <= concurrency * ASKED_FOR
            && f64::from(room) > (rate * self.stands_still()).ceil()
            && (is_plain || rate * takes <= f64::from(room) * IN_USE)
    }

    /// For how many seconds on end at most: once at the end of one time, and then at the beginning of the next.
    fn stands_still(&self) -> f64 {
        self.physics.stalls.map_or(0.0, |stalls| 2.0 * stalls.length.as_secs_f64())
    }

    /// Seconds that a request to a service takes, and all that is called for it, if each of them takes
    /// what is said `of` its times.
    fn takes(&self, place: usize, callers: &[Caller], of: fn(Distribution) -> f64) -> f64 {
        let program = self.services[place].program;
        let own = of(program.work).max(program.cold.map_or(0.0, of));
        let called = callers[place].dependencies.iter();
        own + called.map(|one| self.takes(one.to, callers, of)).fold(0.0, f64::max)
    }

    /// Requests a second that come to each service, where users send `own`.
    fn rates(&self, callers: &[Caller], own: impl Fn(&Member) -> f64) -> Vec<f64> {
        let mut rates: Vec<f64> = self.services.iter().map(own).collect();
        // Whoever calls stands before those that are called.
        for (place, caller) in callers.iter().enumerate() {
            for one in &caller.dependencies {
                rates[one.to] += rates[place];
            }
        }
        rates
    }
}

/// Seconds, somewhat more than the mean.
pub(super) fn usually(times: Distribution) -> f64 {
    match times {
        Distribution::Constant(time) | Distribution::Uniform(_, time) => time.as_secs_f64(),
        Distribution::Exponential(mean) => 1.5 * mean.as_secs_f64(),
        Distribution::LogNormal { median, .. } => 1.5 * median.as_secs_f64(),
    }
}

/// So many requests at once find room, if all of them are at one task.
fn room(member: &Member, service: &Service, caller: &Caller) -> u32 {
    let of_guard = |guard: &guard::Config| {
        guard.bulkhead.as_ref().map(|bulkhead| match bulkhead {
            bulkhead::Config::Fixed(size) => *size,
            bulkhead::Config::Adaptive(config) => config.smallest,
        })
    };
    let routes = service.call.routes.iter().filter_map(|route| of_guard(&route.guard));
    let calls = caller.dependencies.iter().filter_map(|one| of_guard(&one.guard));
    let places = |pool: Pool| pool.size + pool.waiting;
    let pool = caller.pool.map(|pool| places(pool) / caller.dependencies.len().max(1) as u32);
    let all = routes.chain(calls).chain(pool).chain(service.balancing.most_in_flight);
    all.fold(member.program.concurrency, u32::min)
}

/// Whether a few requests at once, or some that take their time, can be too many for its settings.
fn sheds_bursts(service: &Service) -> bool {
    service.balancing.most_in_flight.is_some_and(|most| most < BURST)
        || service.call.routes.iter().any(|route| sheds(&route.guard))
}

/// The same of what stands around the calls of its tasks.
fn calls_of_bursts_are_shed(caller: &Caller) -> bool {
    caller.pool.is_some_and(|pool| pool.size < BURST)
        || caller.dependencies.iter().any(|Dependency { guard, .. }| sheds(guard))
}

fn sheds(guard: &guard::Config) -> bool {
    let small = match guard.bulkhead {
        None => false,
        Some(bulkhead::Config::Fixed(size)) => size < BURST,
        Some(bulkhead::Config::Adaptive(_)) => true,
    };
    small || guard.breaker.as_ref().is_some_and(|breaker| breaker.slow.is_some())
}
