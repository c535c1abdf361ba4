//! Whatever happens to the calls of a guarded route: the bulkhead's bound holds, no try that cost a
//! task something is beyond the budget, and when all is over nothing is taken any more.

use std::time::Duration;

use proptest::prelude::*;
use seaworthy_core::balance::{self, Algorithm};
use seaworthy_core::call::{
    Action, Attempt, CallId, Config, Dispatcher, Failure, FailureKind, Input, Request, RouteId,
    Slots,
};
use seaworthy_core::endpoints::TaskId;
use seaworthy_core::health::Rotation;
use seaworthy_core::machine::drive;
use seaworthy_core::policy::{Ask, breaker, budget, bulkhead};
use seaworthy_core::time::Instant;

const SIZE: u32 = 3;
const CAP: u32 = 2;
const OUTLASTS: Duration = Duration::from_secs(7);

/// What happens next. `usize` picks among the calls that are not over.
#[derive(Clone, Debug)]
enum Step {
    Begin,
    Head(usize, u16),
    Lost(usize),
    Refused(usize),
    Done(usize),
    ClientGone(usize),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let call = any::<usize>;
    prop_oneof![
        6 => Just(Step::Begin),
        3 => (call(), prop::sample::select(vec![200, 500])).prop_map(|(n, s)| Step::Head(n, s)),
        2 => call().prop_map(Step::Lost),
        1 => call().prop_map(Step::Refused),
        4 => call().prop_map(Step::Done),
        1 => call().prop_map(Step::ClientGone),
        4 => (0..3_000u64).prop_map(Step::Wait),
    ]
}

struct World {
    now: Instant,
    dispatcher: Dispatcher,
    slots: Slots,
    /// With the try that was last asked for.
    open: Vec<(CallId, u32)>,
    /// Tries after one that a task had seen something of.
    costly: u32,
}

impl World {
    fn new() -> Self {
        let mut config = Config::plain(Duration::from_secs(2), 3);
        let route = &mut config.routes[0];
        route.guard.bulkhead = Some(bulkhead::Config::Fixed(SIZE));
        route.guard.breaker = Some(breaker::Config { minimum_calls: 5, ..Default::default() });
        route.budget = Some(budget::Config { success_percent: 0, per_second: 0, cap: CAP });
        route.outlasts = OUTLASTS;
        let dispatcher = Dispatcher::new(config, balance::Config::plain(Algorithm::RoundRobin), 1);
        let (slots, open) = (Slots::default(), Vec::new());
        let mut world = Self { now: Instant::EPOCH, dispatcher, slots, open, costly: 0 };
        let tasks = (1..=4).map(TaskId);
        world.tell(Some(Input::Rotate(Rotation::of(tasks))));
        world
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Begin => {
                let call = self.slots.take();
                self.open.push((call, 0));
                let ask = Ask { repeatable: true, deadline: None };
                let request = Request::new(RouteId(0), ask);
                self.tell(Some(Input::Begin { call, request }));
            }
            Step::Wait(millis) => {
                self.now = self.now + Duration::from_millis(millis);
                self.tell(None);
            }
            Step::Head(n, status) => {
                self.of(n, |call, attempt| Input::Head { call, attempt, status, withdraws: false });
            }
            Step::Lost(n) => self.failed(n, true),
            Step::Refused(n) => self.failed(n, false),
            Step::Done(n) => self.end(n, |call, attempt| Input::Done { call, attempt }),
            Step::ClientGone(n) => self.end(n, |call, _| Input::ClientGone { call }),
        }
        let running = self.running();
        assert!(self.open.len() as u32 <= running && running <= SIZE, "{running} run");
        assert!(self.costly <= CAP, "{} costly tries", self.costly);
    }

    fn running(&self) -> u32 {
        self.dispatcher.guard(RouteId(0)).bulkhead().expect("there is one").running()
    }

    fn of(&mut self, n: usize, input: impl FnOnce(CallId, Attempt) -> Input) {
        if let Some(n) = n.checked_rem(self.open.len()) {
            let (call, attempt) = self.open[n];
            self.tell(Some(input(call, Attempt(attempt))));
        }
    }

    fn failed(&mut self, n: usize, sent: bool) {
        let before: u32 = self.open.iter().map(|(_, attempt)| attempt).sum();
        let kind = if sent { FailureKind::Closed } else { FailureKind::Refused };
        let failure = Failure { sent, answered: false, reused: false, replayable: true, kind };
        let open = self.open.len();
        self.of(n, |call, attempt| Input::Failed { call, attempt, failure });
        let after: u32 = self.open.iter().map(|(_, attempt)| attempt).sum();
        self.costly += u32::from(sent && self.open.len() == open && after > before);
    }

    fn end(&mut self, n: usize, input: impl FnOnce(CallId, Attempt) -> Input) {
        if let Some(n) = n.checked_rem(self.open.len()) {
            let (call, attempt) = self.open.remove(n);
            self.tell(Some(input(call, Attempt(attempt))));
            self.slots.give_back(call);
        }
    }

    fn tell(&mut self, input: Option<Input>) {
        let mut actions = Vec::new();
        drive(&mut self.dispatcher, self.now, input, |action| actions.push(action));
        for action in actions {
            match action {
                Action::Try { call, attempt, .. } => {
                    let known = self.open.iter_mut().find(|(id, _)| *id == call);
                    known.expect("only calls that are open are tried").1 = attempt.0;
                }
                Action::Pass { .. } => {}
                Action::Answer { call, .. } | Action::Abort { call } => {
                    self.open.retain(|(id, _)| *id != call);
                    self.slots.give_back(call);
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn bounds_hold_and_everything_is_given_back(steps in prop::collection::vec(step(), 1..200)) {
        let mut world = World::new();
        for step in &steps {
            world.step(step);
        }
        while !world.open.is_empty() {
            world.step(&Step::ClientGone(0));
        }
        world.step(&Step::Wait(OUTLASTS.as_millis() as u64));
        prop_assert_eq!(world.running(), 0);
        prop_assert!((1..=4).all(|task| world.dispatcher.in_flight(TaskId(task)) == 0));
    }
}
