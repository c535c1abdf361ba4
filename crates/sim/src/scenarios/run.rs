//! One scenario under one strategy.

use std::time::Duration;

use seaworthy_core::endpoints::TaskId;
use seaworthy_core::machine::soonest;
use seaworthy_core::random::Stream;
use seaworthy_core::time::Instant;

use super::{Scenario, Server, Strategy};
use crate::distribution::{Dice, Distribution};
use crate::world::{Arrival, News, Physics, World};

/// All servers are in rotation by then.
const FILLED_BY: Duration = Duration::from_secs(60);

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figures {
    /// Requests that were sent.
    pub requests: u64,
    /// Those that were answered with 200, sooner or later,
    pub succeeded: u64,
    /// and those of them that were by their deadline.
    pub good: u64,
    /// How long those took that succeeded, in seconds: the mean, if there are any.
    pub mean: Option<f64>,
    /// Requests to servers: those that were tried again count again.
    pub sent: u64,
}

struct Run<'a> {
    scenario: &'a Scenario,
    world: World,
    begin: Instant,
    /// When each request was sent; none once it is over.
    open: Vec<Option<Instant>>,
    answered: usize,
    succeeded: u64,
    good: u64,
    /// Seconds that those took that succeeded.
    took: f64,
}

/// Lets a scenario happen.
///
/// # Panics
///
/// If its servers do not come up, which they do.
pub fn run(scenario: &Scenario, strategy: Strategy, seed: u64) -> Figures {
    let fleet = strategy.fleet(scenario, seed);
    let programs = [scenario.servers[0][0].1.program()];
    let mut run = Run {
        scenario,
        world: World::new(&fleet, &programs, Physics::default()),
        begin: Instant::EPOCH,
        open: Vec::new(),
        answered: 0,
        succeeded: 0,
        good: 0,
        took: 0.0,
    };
    run.fill();
    run.load(seed);
    run.figures()
}

// === impl Run ===

impl Run<'_> {
    /// Lets time pass until all servers are in rotation.
    fn fill(&mut self) {
        let servers = self.scenario.servers.len();
        let is_filled = |world: &World| {
            let views = world.views(0);
            views.iter().filter(|view| view.is_in_rotation()).count() == servers
        };
        while !is_filled(&self.world) {
            assert!(self.world.now() < Instant::EPOCH + FILLED_BY, "all servers come up");
            self.world.advance(Instant::EPOCH + FILLED_BY);
            while self.world.poll_news().is_some() {}
        }
        self.begin = self.world.now();
    }

    fn load(&mut self, seed: u64) {
        let mut dice = Dice::new(seed, Stream::Arrivals);
        let gap = Distribution::Exponential(Duration::from_secs_f64(1.0 / self.scenario.rate));
        let mut turns = self.turns().into_iter().peekable();
        let mut next = Some(self.begin);
        let end = self.begin + self.scenario.patience;
        while self.world.now() < end && (next.is_some() || self.answered < self.open.len()) {
            let due = soonest(next, turns.peek().map(|(at, ..)| *at));
            self.pass(due.map_or(end, |due| due.min(end)));
            let now = self.world.now();
            while let Some((_, task, server)) = turns.next_if(|(at, ..)| *at <= now) {
                self.world.become_like(task, server.program(), server.strain);
            }
            if next.is_some_and(|at| at <= now) {
                self.send(dice.between(1, self.scenario.asks.len() as u32));
                let more = (self.open.len() as u64) < self.scenario.requests;
                next = more.then(|| now + dice.duration(gap));
            }
        }
    }

    /// When which server becomes what.
    fn turns(&self) -> Vec<(Instant, TaskId, Server)> {
        let begin = self.begin;
        let tasks = self.world.views(0).into_iter().map(|view| view.task);
        let each = tasks.zip(&self.scenario.servers).flat_map(|(task, phases)| {
            phases.iter().map(move |(at, server)| (begin + *at, task, *server))
        });
        let mut turns: Vec<_> = each.collect();
        turns.sort_by_key(|(at, ..)| *at);
        turns
    }

    /// Sends a request for the thing of this number, the first of which is 1.
    fn send(&mut self, thing: u32) {
        let (method, path) = self.scenario.asks[thing as usize - 1];
        let arrival = Arrival {
            affinity: u64::from(thing),
            user: u64::from(thing),
            fingerprint: u64::from(thing),
            ..Arrival::new(method, path.to_owned())
        };
        let ticket = self.open.len() as u64;
        self.open.push(Some(self.world.now()));
        self.world.send(0, ticket, &arrival);
    }

    /// Lets time pass until there is news or this moment has come, and takes note of the news.
    fn pass(&mut self, until: Instant) {
        self.world.advance(until);
        let now = self.world.now();
        while let Some(news) = self.world.poll_news() {
            let News::Answered { ticket, status, .. } = news else { continue };
            let Some(sent) = self.open[ticket as usize].take() else { continue };
            self.answered += 1;
            if status == Some(200) {
                self.succeeded += 1;
                self.good += u64::from(now <= sent + self.scenario.deadline);
                self.took += now.since(sent).as_secs_f64();
            }
        }
    }

    fn figures(&self) -> Figures {
        Figures {
            requests: self.open.len() as u64,
            succeeded: self.succeeded,
            good: self.good,
            mean: (self.succeeded > 0).then(|| self.took / self.succeeded as f64),
            sent: self.world.tries(0).all,
        }
    }
}
