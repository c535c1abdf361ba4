//! One run of what is rehearsed.

use std::time::Duration;

use seaworthy_core::call::{Match, PathMatch, Route};
use seaworthy_core::cluster::reconciler;
use seaworthy_core::endpoints::TaskId;
use seaworthy_core::experiment::TaskFault;
use seaworthy_core::fleet::Service;
use seaworthy_core::machine::soonest;
use seaworthy_core::policy::bulkhead;
use seaworthy_core::random::{Stream, draw};
use seaworthy_core::time::Instant;

use super::{Event, ONE_AT_ONCE, Outcome, REQUESTS, RUNS, SLOWEST};
use crate::availability::MONTH;
use crate::distribution::{Dice, Distribution};
use crate::planner::{Candidate, Question};
use crate::world::{Arrival, News, Physics, Program, World};

/// A service under load, to which something happens.
pub(super) struct Run<'a> {
    question: &'a Question<'a>,
    candidate: &'a Candidate,
    world: World,
    /// When requests come, and what they are.
    arrivals: Dice,
    kinds: Dice,
    next: Instant,
    sent: Vec<Sent>,
    /// Nobody waits for those before that any more.
    waited: usize,
    /// How many of them are asked for, and when those failed that did.
    asked: usize,
    failed: Vec<Instant>,
}

#[derive(Clone, Copy)]
struct Sent {
    at: Instant,
    is_asked: bool,
    is_over: bool,
}

/// Nobody looks at more of one run.
const MOST_REQUESTS: usize = 600_000;
/// Nor for longer, once nobody has to notice anything.
const LONGEST: Duration = Duration::from_secs(6 * 3600);
/// If not all tasks are in rotation by then, nothing is known.
const FILLED_BY: Duration = Duration::from_secs(24 * 3600);
/// Before something happens, load has come for so long, or so many requests have, beside a slow start; but not more.
const WARM: Duration = Duration::from_secs(10);
const WARM_REQUESTS: f64 = 1000.0;
const MOST_WARM_REQUESTS: f64 = 200_000.0;
/// All is well again when, for so long, hardly more than one in so many requests has failed.
const CALM: Duration = Duration::from_secs(10);
const SOME: f64 = 0.01;
/// It is looked so often,
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// and if all tasks have been there for so long, it will not get well.
const FOREVER: Duration = Duration::from_secs(600);
/// An adaptive bulkhead has permits for so many times what is under way when all is calm.
const GROWN: f64 = 3.0;
/// The revision after the first.
const DEPLOYED: u32 = 2;

// === impl Run ===

impl<'a> Run<'a> {
    pub(super) fn new(question: &'a Question<'a>, candidate: &'a Candidate, number: u64) -> Self {
        let seed = draw(question.seed, Stream::Scenario, number);
        let services = [service(question, candidate)];
        Self {
            question,
            candidate,
            world: World::of([seed; 2], &services, &[program(question)], Physics::default()),
            arrivals: Dice::new(seed, Stream::Arrivals),
            kinds: Dice::new(seed, Stream::Requests),
            next: Instant::EPOCH + Duration::MAX,
            sent: Vec::new(),
            waited: 0,
            asked: 0,
            failed: Vec::new(),
        }
    }

    /// What comes of it, if so large a share of all requests fails as a rule.
    pub(super) fn outcome(&mut self, event: Event, usual: f64) -> Outcome {
        if !self.fill() {
            return Outcome::Unfinished(0.0);
        }
        self.warm_up();
        let (asked, failed, at) = (self.asked, self.failed.len(), self.world.now());
        let before = self.sent.len();
        if event == Event::Nothing {
            let rate = self.question.load.unwrap_or(SLOWEST);
            self.pass(at + Duration::from_secs_f64((REQUESTS / RUNS) as f64 / rate));
            let took = self.world.now().since(at).as_secs_f64();
            return Outcome::Over((self.failed.len() - failed) as f64 / took * MONTH);
        }
        let bad = self.inflict(event);
        let mut noticed = self.until_noticed(event).zip(bad).map(|(time, task)| (at + time, task));
        let mut whole: Option<Instant> = None;
        let mut begun = at;
        loop {
            self.pass(self.world.now() + LOOK_EVERY);
            let now = self.world.now();
            if let Some((_, task)) = noticed.take_if(|(at, _)| *at <= now) {
                self.world.tell(0, reconciler::Event::Stop(task));
                begun = now;
            }
            whole = if self.is_whole(event, bad) { whole.or(Some(now)) } else { None };
            let since = (self.asked - asked) as f64;
            let more = (self.failed.len() - failed) as f64 - usual * since;
            if whole.is_some() && now >= at + CALM && self.is_calm(usual) {
                return Outcome::Over(more);
            }
            if whole.is_some_and(|whole| now >= whole + FOREVER) {
                return Outcome::Lasting;
            }
            let is_late = now >= begun + LONGEST && noticed.is_none();
            if self.sent.len() > before + MOST_REQUESTS || is_late {
                return Outcome::Unfinished(more);
            }
        }
    }

    /// How many requests were sent.
    pub(super) fn sent(&self) -> usize {
        self.sent.len()
    }

    /// Lets time pass until all tasks are in rotation. Whether they are.
    fn fill(&mut self) -> bool {
        let until = Instant::EPOCH + FILLED_BY;
        while !self.is_whole(Event::Dies, None) {
            if self.world.now() >= until {
                return false;
            }
            self.world.advance(until);
            while self.world.poll_news().is_some() {}
        }
        true
    }

    /// Load comes, until at some moment between two checks of a task something may happen.
    fn warm_up(&mut self) {
        let load = self.question.load.unwrap_or(SLOWEST);
        let slow = self.question.service.balancing.slow_start;
        let of = |requests: f64| Duration::from_secs_f64(requests / load);
        let most = of(MOST_WARM_REQUESTS);
        let warm = (slow + WARM.max(of(WARM_REQUESTS))).min(most);
        self.next = self.world.now();
        let some = self.candidate.health.interval.min(most).mul_f64(self.kinds.unit());
        self.pass(self.world.now() + warm + some);
    }

    /// After how long somebody stops a task that is bad: one that passes its checks, or whose checks nobody believes as
    /// there is no other.
    fn until_noticed(&self, event: Event) -> Option<Duration> {
        let is_only = self.candidate.is_left_alone(self.question);
        let passes = event == Event::Sick || event == Event::Hangs && self.question.hangs_pass();
        let is_left = passes || is_only;
        is_left.then(|| Duration::from_secs_f64(self.question.world.noticed))
    }

    /// Lets it happen. The task that goes on and is bad, if one is.
    fn inflict(&mut self, event: Event) -> Option<TaskId> {
        let tasks: Vec<TaskId> = self.world.views(0).into_iter().map(|view| view.task).collect();
        let task = self.kinds.one_of(&tasks);
        let fault = match event {
            Event::Nothing => return None,
            Event::Dies => {
                self.world.kill(task);
                return None;
            }
            Event::AllDie => {
                for task in tasks {
                    self.world.kill(task);
                }
                return None;
            }
            Event::Deployment => {
                self.world.deploy(0, self.candidate.cluster(self.question.service), None);
                return None;
            }
            Event::Hangs => TaskFault::Hang,
            Event::Sick => TaskFault::Fail,
        };
        self.world.disturb(task, 0, fault);
        Some(task)
    }

    /// Whether all tasks are there, and no other, and none is `bad`.
    fn is_whole(&self, event: Event, bad: Option<TaskId>) -> bool {
        let views = self.world.views(0);
        let is_old = |revision| event == Event::Deployment && revision < DEPLOYED;
        views.len() == self.candidate.tasks as usize
            && views.iter().all(|view| {
                view.is_in_rotation() && Some(view.task) != bad && !is_old(view.revision)
            })
    }

    /// Whether hardly more requests failed of late than do as a rule.
    fn is_calm(&self, usual: f64) -> bool {
        let from = self.world.now() - CALM;
        let late = |at: &Instant| *at > from;
        let failed = self.failed.iter().rev().take_while(|at| late(at)).count() as f64;
        let sent = self.sent.iter().rev().take_while(|sent| late(&sent.at));
        let asked = sent.filter(|sent| sent.is_asked).count() as f64;
        failed <= (2.0 * usual + SOME) * asked
    }

    /// Lets time pass, and clients come and go.
    fn pass(&mut self, until: Instant) {
        let patience = Duration::from_secs_f64(self.question.world.patience);
        loop {
            let leaves = self.sent.get(self.waited).map(|sent| sent.at + patience);
            let due = soonest(Some(self.next), leaves).map_or(until, |due| due.min(until));
            self.world.advance(due);
            let now = self.world.now();
            while let Some(news) = self.world.poll_news() {
                if let News::Answered { ticket, status, .. } = news {
                    let succeeds = status.is_some_and(|status| status < 500);
                    self.end(ticket as usize, succeeds);
                }
            }
            while let Some(sent) = self.sent.get(self.waited).filter(|s| s.at + patience <= now) {
                if !sent.is_over {
                    self.world.leave(0, self.waited as u64);
                    self.end(self.waited, false);
                }
                self.waited += 1;
            }
            if self.next <= now {
                self.send(now);
            }
            if now >= until {
                return;
            }
        }
    }

    fn end(&mut self, ticket: usize, succeeds: bool) {
        let sent = &mut self.sent[ticket];
        if !sent.is_over && sent.is_asked && !succeeds {
            self.failed.push(self.world.now());
        }
        sent.is_over = true;
    }

    /// Sends a request by one of the routes, each as often as it is said to come.
    fn send(&mut self, now: Instant) {
        let mut left = 100.0 * self.kinds.unit();
        let mut asked = self.question.shares().map(|(route, percent)| {
            left -= percent;
            (&route.name, left < 0.0)
        });
        let name = asked.find_map(|(name, is_it)| is_it.then_some(name));
        let routes = &self.question.service.call.routes;
        let is_asked =
            |route: &Route| self.question.shares().any(|(one, _)| one.name == route.name);
        let place = match name {
            Some(name) => routes.iter().position(|route| route.name == *name),
            // The last one is for what no other is for.
            None => routes.iter().rposition(|route| !is_asked(route)),
        };
        let writes = 100.0 * self.kinds.unit() < self.question.world.writes_percent;
        let arrival = Arrival {
            affinity: self.sent.len() as u64,
            user: self.sent.len() as u64,
            ..Arrival::new(if writes { "POST" } else { "GET" }, path(place.unwrap_or_default()))
        };
        self.world.send(0, self.sent.len() as u64, &arrival);
        self.asked += usize::from(name.is_some());
        self.sent.push(Sent { at: now, is_asked: name.is_some(), is_over: false });
        let rate = self.question.load.unwrap_or(SLOWEST);
        let gap = Distribution::Exponential(Duration::from_secs_f64(1.0 / rate));
        self.next = now + self.arrivals.duration(gap);
    }
}

/// What the candidate makes of the service, as far as anything is reckoned of it. Each route is known by its path.
fn service(question: &Question<'_>, candidate: &Candidate) -> Service {
    let mut service = question.service.clone();
    service.cluster = candidate.cluster(question.service);
    service.cluster.autoscaling = None;
    service.health = candidate.health.clone();
    service.call.queue = candidate.queue;
    for (place, route) in service.call.routes.iter_mut().enumerate() {
        let matches = Match { path: PathMatch::Exact(path(place)), ..Match::ANY };
        *route =
            Route { matches, fallback: None, ..candidate.by_route(question.route, route).route };
        if let Some(bulkhead::Config::Adaptive(adaptive)) = &mut route.guard.bulkhead {
            // Nobody waits until it has grown, as it had before: with room for what comes, several times.
            let room = GROWN * question.load.unwrap_or(SLOWEST) * question.world.latency;
            adaptive.initial = adaptive.initial.max(room.ceil() as u32).min(adaptive.largest);
        }
    }
    service
}

fn path(place: usize) -> String {
    format!("/{place}")
}

/// A program that answers as quickly as ever, and works at as many requests at once as it bears.
fn program(question: &Question<'_>) -> Program {
    let latency = question.world.latency;
    let (concurrency, work) = match question.bears() {
        None => (u32::MAX, latency),
        // Of a fraction more than a whole number of requests at once each takes less.
        Some(bears) => {
            let at_once = (bears * latency + 1.0 - ONE_AT_ONCE).floor();
            (at_once as u32, at_once / bears)
        }
    };
    let usual = Program::default();
    let [shortest, longest] = [question.start().0, question.start().1].map(Duration::from_secs_f64);
    Program {
        start: Distribution::Uniform(shortest, longest),
        work: Distribution::Constant(Duration::from_secs_f64(work)),
        concurrency,
        // A good task passes its checks, whatever they ask for.
        check_status: question.service.health.check.usual_status(),
        ..usual
    }
}
