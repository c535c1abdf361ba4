//! Settings that may be chosen: those of the file, and what may take their place.

use std::collections::BTreeSet;
use std::time::Duration;

use seaworthy_core::call::{Match, Queue, Route};
use seaworthy_core::cluster::{self, autoscaler};
use seaworthy_core::fleet::http::HalfClose;
use seaworthy_core::fleet::written::Written;
use seaworthy_core::fleet::{LONGEST, MOST_TASKS, Service};
use seaworthy_core::health::{self, Matcher, passive};
use seaworthy_core::policy::{bulkhead, hedge};
use toml::Value;

use super::Question;

/// One choice of settings.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// How many tasks are desired.
    pub tasks: u32,
    /// As the fleet file has it.
    pub minimum_healthy_percent: u32,
    /// The same.
    pub maximum_percent: u32,
    /// How tasks are checked, and judged by their requests.
    pub health: health::Config,
    /// Where requests wait while no task may get them.
    pub queue: Option<Queue>,
    /// Deadline, tries, breaker and bulkhead of the route.
    pub route: Route,
    /// What is to be changed in the table of the service, as it is written there. What it switches on has its defaults.
    pub changes: Vec<String>,
}

/// A value for one setting, and how it is written if the file does not have it.
struct Choice<T> {
    value: T,
    change: Option<String>,
}

/// What a task answers that fails its requests.
const FAILURE: u16 = 500;
/// Of fewer requests a second by a route it is not known what is usual, as a hedge must: twenty in ten seconds.
const FEWEST_HEDGED: f64 = 2.0;
/// No bulkhead has more.
const MOST_PERMITS: f64 = 1_000_000.0;
/// Of all tasks, in a deployment: the others stay until as many new ones are there.
const ALL_AT_ONCE: u32 = 200;
/// Timeouts worth a look.
const TIMEOUTS: [Duration; 2] = [Duration::from_secs(10), Duration::from_secs(2)];

// === impl Candidate ===

impl Candidate {
    /// The file as it is.
    pub(super) fn of(Question { service, route, .. }: &Question<'_>) -> Self {
        Self {
            tasks: service.cluster.desired_count,
            minimum_healthy_percent: service.cluster.minimum_healthy_percent,
            maximum_percent: service.cluster.maximum_percent,
            health: service.health.clone(),
            queue: service.call.queue,
            route: (*route).clone(),
            changes: Vec::new(),
        }
    }

    /// All of them, with fewer tasks first.
    pub(super) fn all(question: &Question<'_>) -> Vec<Self> {
        let now = Self::of(question);
        let needed = question.needed();
        let latency = Duration::from_secs_f64(question.world.latency);
        let usual = Service::usual();
        let mut all = Vec::new();
        for tasks in counts(needed, now.tasks, question.service.cluster.autoscaling.as_ref()) {
            let same = tasks == now.tasks;
            let change = (!same).then(|| format!("desired_count = {tasks}"));
            let one = Self { tasks, ..now.clone() }.with(change);
            for choice in percents(tasks, needed, now.minimum_healthy_percent) {
                let one = Self { minimum_healthy_percent: choice.value, ..one.clone() };
                let one = one.with(choice.change);
                all.extend(one.maxima(question.service).into_iter().map(|choice| {
                    Self { maximum_percent: choice.value, ..one.clone() }.with(choice.change)
                }));
            }
        }
        let all = spread(all, &checks(&now.health, &usual.health), |candidate, health| {
            candidate.health = health;
        });
        let passive = switch(now.health.passive, "health.passive.enabled");
        let all = spread(all, &passive, |candidate, passive| candidate.health.passive = passive);
        let queue = toggle(now.queue, "call.queue.enabled");
        let all = spread(all, &queue, |candidate, queue| candidate.queue = queue);
        let all =
            spread(all, &tries(&now.route, &usual.call.routes[0]), |candidate, (tries, hedge)| {
                (candidate.route.tries, candidate.route.hedge) = (tries, hedge);
            });
        let statuses = statuses(&now.route, &usual.call.routes[0], question);
        let all = spread(all, &statuses, |candidate, status| candidate.route.retry_status = status);
        let all = spread(all, &timeouts(&now.route, latency), |candidate, timeout| {
            candidate.route.guard.timeout = timeout;
        });
        let breakers = toggle(now.route.guard.breaker.clone(), "breaker.enabled");
        let all = spread(all, &breakers, |candidate, breaker| {
            candidate.route.guard.breaker = breaker;
        });
        spread(all, &bulkheads(&now.route, question), |candidate, bulkhead| {
            candidate.route.guard.bulkhead = bulkhead;
        })
    }

    /// The service's own numbers of tasks, with these.
    pub(super) fn cluster(&self, service: &Service) -> cluster::Config {
        cluster::Config {
            desired_count: self.tasks,
            minimum_healthy_percent: self.minimum_healthy_percent,
            maximum_percent: self.maximum_percent,
            ..service.cluster.clone()
        }
    }

    /// Twice as many tasks at a time let a deployment replace all at once: which matters if it takes any away,
    /// or could not move.
    fn maxima(&self, service: &Service) -> Vec<Choice<u32>> {
        let cluster = self.cluster(service);
        let keeps_all = cluster.floor() >= self.tasks && cluster.stuck_at().is_none();
        let all = (!keeps_all && self.maximum_percent < ALL_AT_ONCE).then_some(ALL_AT_ONCE);
        choices(self.maximum_percent, all.map(|all| (all, format!("maximum_percent = {all}"))))
    }

    /// Whether it has more tasks than are needed.
    pub(super) fn has_spare(&self, question: &Question<'_>) -> bool {
        self.tasks > question.needed()
    }

    /// The bulkhead of the route, unless it is shared with routes that are not asked for.
    pub(super) fn own_bulkhead(&self, question: &Question<'_>) -> Option<&bulkhead::Config> {
        self.route.guard.bulkhead.as_ref().filter(|_| !question.is_part())
    }

    /// Whether a request that fails, or is late, is sent to another task.
    pub(super) fn tries_again(&self) -> bool {
        self.route.tries > 1
    }

    /// Whether one that is answered with a failure is: with the status of a task that is sick.
    pub(super) fn tries_failures(&self) -> bool {
        self.tries_again() && retries_failures(&self.route)
    }

    /// For how long somebody waits for an answer: users, or the gateway on their behalf.
    pub(super) fn patience(&self, question: &Question<'_>) -> f64 {
        let timeout = self.route.guard.timeout.map_or(f64::INFINITY, |limit| limit.as_secs_f64());
        timeout.min(question.world.patience)
    }

    /// For how many seconds a task has a request that it does not answer, and whether its deadline ends it, or else
    /// that its client has gone.
    pub(super) fn holds(&self, question: &Question<'_>) -> (f64, bool) {
        let overdue = self.route.guard.timeout.map_or(f64::INFINITY, |limit| limit.as_secs_f64());
        // By default a task keeps what its client does not wait for any more.
        let gone = match question.service.http.half_close {
            HalfClose::Serve => f64::INFINITY,
            HalfClose::Gone => question.world.patience,
        };
        (overdue.min(gone), overdue <= gone)
    }

    /// Whether another task may start before one of them has ended.
    pub(super) fn has_room(&self, question: &Question<'_>) -> bool {
        self.cluster(question.service).ceiling() > self.tasks
    }

    /// Whether a task that hangs is left alone until somebody looks: it is the only one, and no other may start beside it.
    pub fn is_left_alone(&self, question: &Question<'_>) -> bool {
        self.tasks == 1 && !self.has_room(question)
    }

    /// Requests a second that each task gets; none if nobody knows.
    pub(super) fn each(&self, question: &Question<'_>) -> Option<f64> {
        question.load.map(|load| load / f64::from(self.tasks))
    }

    /// How many failures in a row tell of a task that fails all it gets, if nobody asks another one the same again;
    /// none if they never do, or if nobody knows how many requests come.
    pub(super) fn failures_that_tell(
        &self,
        question: &Question<'_>,
        rules: &passive::Config,
    ) -> Option<f64> {
        let own = self.each(question)? * rules.window.as_secs_f64();
        let peers = own * f64::from(self.tasks - 1);
        Some(rules.failures_that_tell(own as u64, peers as u64)? as f64)
    }

    /// Whether requests may take a task out when all the others are there.
    pub(super) fn may_eject(&self, rules: &passive::Config) -> bool {
        self.tasks > rules.minimum_in_rotation
    }

    /// After how many seconds one whose task hangs is answered by its hedge, which is sent once others have been
    /// answered; none if that is not `within` so many, after which nobody waits.
    pub(super) fn hedged(&self, question: &Question<'_>, within: f64) -> Option<f64> {
        let hedge = self.route.hedge.as_ref().filter(|_| self.tries_again())?;
        // What is usual is not known of so few.
        if question.by_route().is_some_and(|rate| rate < FEWEST_HEDGED) {
            return None;
        }
        let latency = question.world.latency;
        let answered = latency.max(hedge.at_least.as_secs_f64()) + latency;
        (answered <= within).then_some(answered)
    }

    /// The share of those whose task dies while it answers them that another one answers in time, if it is asked: who
    /// was nearly answered has not waited for nothing, but then waits once more.
    pub(super) fn answered_again(&self, question: &Question<'_>) -> f64 {
        let latency = question.world.latency;
        ((self.patience(question) - latency) / latency).clamp(0.0, 1.0)
    }

    /// With what it makes of another route than the one it is of. What the default has, a route has that leaves
    /// it out: what is alike in the file stays alike.
    pub(super) fn by_route(&self, now: &Route, other: &Route) -> Self {
        let (mut route, new) = (other.clone(), &self.route);
        if now.matches == Match::ANY {
            follow(&mut route.tries, &now.tries, &new.tries);
            follow(&mut route.hedge, &now.hedge, &new.hedge);
            follow(&mut route.retry_status, &now.retry_status, &new.retry_status);
            follow(&mut route.guard.timeout, &now.guard.timeout, &new.guard.timeout);
            follow(&mut route.guard.breaker, &now.guard.breaker, &new.guard.breaker);
            follow(&mut route.guard.bulkhead, &now.guard.bulkhead, &new.guard.bulkhead);
        } else if now.name == other.name {
            route = new.clone();
        }
        Self { route, ..self.clone() }
    }

    fn with(mut self, change: Option<String>) -> Self {
        self.changes.extend(change);
        self
    }
}

/// What was like `now` becomes like `new`.
fn follow<T: Clone + PartialEq>(value: &mut T, now: &T, new: &T) {
    if value == now {
        *value = new.clone();
    }
}

/// Each candidate with each value.
fn spread<T: Clone>(
    candidates: Vec<Candidate>,
    choices: &[Choice<T>],
    set: impl Fn(&mut Candidate, T),
) -> Vec<Candidate> {
    let each = |candidate: Candidate| {
        choices.iter().map(move |choice| (candidate.clone(), choice)).collect::<Vec<_>>()
    };
    let made = |(mut candidate, choice): (Candidate, &Choice<T>)| {
        set(&mut candidate, choice.value.clone());
        candidate.with(choice.change.clone())
    };
    candidates.into_iter().flat_map(each).map(made).collect()
}

/// The file's value, then the others that differ from it.
fn choices<T: PartialEq>(now: T, others: impl IntoIterator<Item = (T, String)>) -> Vec<Choice<T>> {
    let mut all = vec![Choice { value: now, change: None }];
    for (value, change) in others {
        if all.iter().all(|choice| choice.value != value) {
            all.push(Choice { value, change: Some(change) });
        }
    }
    all
}

/// What the file has stays as it is set, and what it has not may be switched on by this key: with its defaults, as nobody
/// knows what else stands beside a key that switches it off.
fn switch<T: Clone + PartialEq + Default>(now: Option<T>, key: &str) -> Vec<Choice<Option<T>>> {
    let on = now.is_none().then(|| (Some(T::default()), format!("{key} = true")));
    choices(now, on)
}

/// The same, and what the file has may go.
fn toggle<T: Clone + PartialEq + Default>(now: Option<T>, key: &str) -> Vec<Choice<Option<T>>> {
    let mut all = switch(now, key);
    if all[0].value.is_some() {
        all.push(Choice { value: None, change: Some(format!("{key} = false")) });
    }
    all
}

/// As many as the load needs, a few more, and what the file has with one more or less: of those from which its autoscaling
/// may begin.
fn counts(needed: u32, now: u32, scaled: Option<&autoscaler::Config>) -> BTreeSet<u32> {
    let allowed = scaled.map_or(1..=MOST_TASKS, |scaled| scaled.minimum..=scaled.maximum);
    let counts = (needed..=needed + 3).chain(now.saturating_sub(1)..=now + 1);
    counts.filter(|count| *count <= MOST_TASKS && allowed.contains(count)).collect()
}

/// A percentage for each floor that makes a difference: one that leaves just enough, one task less
/// than all, and all.
fn percents(tasks: u32, needed: u32, now: u32) -> Vec<Choice<u32>> {
    let floor = |percent: u32| (tasks * percent).div_ceil(100);
    let mut others: Vec<u32> = Vec::new();
    for wanted in [needed, tasks - 1, tasks] {
        let known = others.iter().chain([&now]).any(|percent| floor(*percent) == wanted);
        if (needed..=tasks).contains(&wanted) && !known {
            others.push(100 * wanted / tasks);
        }
    }
    choices(now, others.into_iter().map(|p| (p, format!("minimum_healthy_percent = {p}"))))
}

/// As they usually are, and twice as quick.
fn checks(now: &health::Config, usual: &health::Config) -> Vec<Choice<health::Config>> {
    let health::Config { fast_interval, unhealthy_threshold, .. } = *usual;
    let others = [1, 2].map(|times| {
        let [interval, timeout] = [usual.interval, usual.timeout].map(|time| time / times);
        let health =
            health::Config { interval, fast_interval, timeout, unhealthy_threshold, ..now.clone() };
        let change = format!(
            "health = {{ interval = {}, fast_interval = {}, timeout = {}, unhealthy_threshold = {unhealthy_threshold} }}",
            say(interval),
            say(fast_interval),
            say(timeout)
        );
        (health, change)
    });
    choices(now.clone(), others)
}

fn tries(now: &Route, usual: &Route) -> Vec<Choice<(u32, Option<hedge::Config>)>> {
    let tries = if now.tries > 1 { now.tries } else { usual.tries };
    let kept = now.hedge.unwrap_or_default();
    // Whatever else is said of hedges stays as it is.
    let on = match now.hedge {
        Some(_) => format!("call.tries = {tries}"),
        None => format!("call = {{ tries = {tries}, hedge.enabled = true }}"),
    };
    let off = "call = { tries = 1, hedge.enabled = false }".to_owned();
    choices((now.tries, now.hedge), [((tries, Some(kept)), on), ((1, None), off)])
}

/// Whether what a sick task answers is asked of another one.
fn retries_failures(route: &Route) -> bool {
    let retries = route.retry_status.as_ref().is_some_and(|matcher| matcher.matches(FAILURE));
    retries && is_failure(route)
}

/// Whether what a sick task answers is taken for a failure, by the policies and by who judges tasks.
pub(super) fn is_failure(route: &Route) -> bool {
    route.guard.failure_status.matches(FAILURE)
}

/// Another try after an answer helps only where tasks are sick.
fn statuses(now: &Route, usual: &Route, question: &Question<'_>) -> Vec<Choice<Option<Matcher>>> {
    let helps = !retries_failures(now) && is_failure(now) && question.world.sick_percent > 0.0;
    let usual = usual.retry_status.clone().filter(|_| helps);
    let on = usual.map(|usual| (Some(usual.clone()), format!("call.retry_status = \"{usual}\"")));
    choices(now.retry_status.clone(), on)
}

/// Shorter ones, and a longer one if no answer would come within the file's.
fn timeouts(now: &Route, latency: Duration) -> Vec<Choice<Option<Duration>>> {
    let timeout = now.guard.timeout;
    let shorter = TIMEOUTS.into_iter().filter(|other| timeout.is_none_or(|now| *other < now));
    let longer = timeout.filter(|timeout| *timeout <= latency).map(|_| LONGEST.min(latency * 2));
    let others = shorter.chain(longer);
    choices(timeout, others.map(|other| (Some(other), format!("call.timeout = {}", say(other)))))
}

/// As many as are under way at the load, twice, and room to breathe.
fn bulkheads(now: &Route, question: &Question<'_>) -> Vec<Choice<Option<bulkhead::Config>>> {
    let under_way = |load: f64| (2.0 * load * question.world.latency).ceil() + 10.0;
    let size =
        question.by_route().map_or(100, |load| f64::min(under_way(load), MOST_PERMITS) as u32);
    // A size alone switches none on that the file has off, and is refused beside what makes one adapt.
    let sized = match &now.guard.bulkhead {
        None => format!("bulkhead = {{ enabled = true, size = {size} }}"),
        Some(bulkhead::Config::Fixed(_)) => format!("bulkhead.size = {size}"),
        Some(bulkhead::Config::Adaptive(_)) => {
            format!("bulkhead.size = {size} in place of bulkhead.adaptive")
        }
    };
    let others = [
        (Some(bulkhead::Config::Fixed(size)), sized),
        (None, "bulkhead.enabled = false".to_owned()),
    ];
    choices(now.guard.bulkhead.clone(), others)
}

/// As the file has it.
fn say(duration: Duration) -> String {
    Value::try_from(Written(duration)).expect("it is a text").to_string()
}

#[cfg(test)]
mod tests;
