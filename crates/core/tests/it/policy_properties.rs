//! Whatever happens to a breaker, a guard and their passes: everything is counted once, nothing
//! stays taken, and no state lasts for ever.

use std::time::Duration;

use proptest::prelude::*;
use seaworthy_core::policy::breaker::{
    Breaker, Config, Mode, Opening, Ramp, Slow, State, Transition, Trials, Window,
};
use seaworthy_core::policy::guard::{self, Guard};
use seaworthy_core::policy::{Ask, Outcome, Policy, Rejection, adaptive, bulkhead};
use seaworthy_core::time::Instant;

/// What happens next. `usize` picks among the passes that are out.
#[derive(Clone, Debug)]
enum Step {
    Admit { patience: Option<u64> },
    Settle(usize, Outcome),
    Abandon(usize),
    Wait(u64),
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        Just(Outcome::Success),
        Just(Outcome::Failure),
        Just(Outcome::Timeout),
        Just(Outcome::Cancelled)
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => prop::option::of(1u64..3000).prop_map(|patience| Step::Admit { patience }),
        5 => (any::<usize>(), outcome()).prop_map(|(which, outcome)| Step::Settle(which, outcome)),
        1 => any::<usize>().prop_map(Step::Abandon),
        2 => prop_oneof![0u64..200, 0u64..8000].prop_map(Step::Wait),
    ]
}

fn story() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(step(), 0..200)
}

fn config() -> impl Strategy<Value = Config> {
    let window = prop_oneof![
        (1u32..20).prop_map(Window::Calls),
        (100u64..10_000).prop_map(|ms| Window::Time(Duration::from_millis(ms))),
    ];
    let slow = prop::option::of((0u64..1000, 1u32..=100, 1u32..10).prop_map(
        |(ms, percent, minimum_calls)| Slow {
            threshold: Duration::from_millis(ms),
            percent,
            minimum_calls,
        },
    ));
    let times = (1u64..3000, 0u32..=100, 1u32..6, 1u64..3000, 0u64..3000);
    (window, 1u32..10, 1u32..=100, slow, times).prop_map(
        |(window, minimum_calls, failure_percent, slow, times)| {
            let (first, jitter_percent, calls, lease, length) = times;
            let first = Duration::from_millis(first);
            Config {
                window,
                minimum_calls,
                failure_percent,
                slow,
                open: Opening { first, longest: first * 4, jitter_percent },
                trials: Trials { calls, lease: Duration::from_millis(lease) },
                ramp: Ramp { length: Duration::from_millis(length), floor_percent: 10 },
                mode: Mode::Normal,
            }
        },
    )
}

/// Everything that can be told from outside.
#[derive(Debug, Default, PartialEq)]
struct Told {
    admissions: Vec<Result<(), Rejection>>,
    transitions: Vec<Transition>,
}

/// Goes through a story; `look` has a look at the breaker between any two steps.
struct Observer {
    breaker: Breaker,
    needed: usize,
    now: Instant,
    /// Each with its half-open time, if it is a trial.
    passes: Vec<(<Breaker as Policy>::Pass, Option<usize>)>,
    told: Told,
    admitted: u64,
    rejected: u64,
    /// Trials of this half-open time that are out, or came back with a result.
    trials: usize,
}

// === impl Observer ===

impl Observer {
    fn new(config: Config) -> Self {
        Self {
            needed: config.trials.calls as usize,
            breaker: Breaker::new(config, 7),
            now: Instant::EPOCH,
            passes: Vec::new(),
            told: Told::default(),
            admitted: 0,
            rejected: 0,
            trials: 0,
        }
    }

    fn go(&mut self, story: &[Step], look: bool) {
        for step in story {
            if look {
                self.look();
            }
            self.step(step);
            self.drain();
        }
    }

    /// Has a look, and checks what must always hold.
    fn look(&mut self) {
        let state = self.breaker.state(self.now);
        self.drain();
        let rates = self.breaker.rates(self.now);
        for rate in [rates.failures, rates.slow].into_iter().flatten() {
            assert!((0.0..=1.0).contains(&rate), "{rates:?}");
        }
        if let State::Open { until } = state {
            assert!(until > self.now);
        }
        assert!(state != State::HalfOpen || self.trials <= self.needed, "{} trials", self.trials);
        let metrics = self.breaker.metrics();
        let settled = metrics.successes + metrics.failures + metrics.cancelled;
        assert_eq!(settled + self.passes.len() as u64, self.admitted);
        assert_eq!(metrics.rejected.all(), self.rejected);
        assert!(metrics.late <= settled && metrics.slow <= settled);
    }

    fn drain(&mut self) {
        while let Some(transition) = self.breaker.poll_transition() {
            if transition.after == State::HalfOpen {
                self.trials = 0;
            }
            let last = self.told.transitions.last();
            assert!(last.is_none_or(|last| last.after == transition.before));
            assert!(last.is_none_or(|last| last.at <= transition.at));
            self.told.transitions.push(transition);
        }
    }

    fn half_opens(&self) -> usize {
        self.told.transitions.iter().filter(|t| t.after == State::HalfOpen).count()
    }

    fn is_half_open(&self) -> bool {
        self.told.transitions.last().is_some_and(|t| t.after == State::HalfOpen)
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Admit { patience } => {
                self.admit(patience);
            }
            Step::Settle(which, outcome) if !self.passes.is_empty() => {
                let (pass, trial_of) = self.passes.swap_remove(which % self.passes.len());
                let dropped = outcome == Outcome::Cancelled;
                let gives_back = dropped && !self.breaker.is_overdue(self.now, &pass);
                let expired = self.breaker.metrics().expired;
                self.breaker.settle(self.now, pass, outcome);
                let in_time = expired == self.breaker.metrics().expired;
                if gives_back && in_time && trial_of == Some(self.half_opens()) {
                    self.trials = self.trials.saturating_sub(1);
                }
            }
            Step::Wait(ms) => self.now = self.now + Duration::from_millis(ms),
            Step::Settle(..) | Step::Abandon(_) => {}
        }
    }

    fn admit(&mut self, patience: Option<u64>) -> bool {
        let deadline = patience.map(|ms| self.now + Duration::from_millis(ms));
        let result = self.breaker.admit(self.now, &Ask { repeatable: true, deadline });
        self.drain();
        self.told.admissions.push(result.as_ref().map(|_| ()).map_err(|why| *why));
        let Ok(pass) = result else {
            self.rejected += 1;
            return false;
        };
        self.admitted += 1;
        let trial_of = self.is_half_open().then(|| self.half_opens());
        self.trials += usize::from(trial_of.is_some());
        self.passes.push((pass, trial_of));
        true
    }
}

proptest! {
    #[test]
    fn everything_is_counted_once_and_trials_are_never_too_many(
        config in config(), story in story(),
    ) {
        let mut observer = Observer::new(config);
        observer.go(&story, true);
        observer.look();
    }

    #[test]
    fn having_a_look_changes_nothing(config in config(), story in story()) {
        let told = |look| {
            let mut observer = Observer::new(config.clone());
            observer.go(&story, look);
            observer.look();
            observer.told
        };
        prop_assert_eq!(told(true), told(false));
    }

    #[test]
    fn a_service_that_is_back_gets_all_its_calls_in_bounded_time(
        config in config(), story in story(),
    ) {
        // Without slowness: it answers at once, and more than one in a hundred is needed to fail.
        let mut observer = Observer::new(config.clone());
        observer.go(&story, false);
        let open = config.open.longest;
        let bound = open + config.trials.lease + open + config.ramp.length;
        let spacing = Duration::from_millis(50);
        let mut waited = Duration::ZERO;
        // What is still out never comes back; only leases end it.
        while waited <= bound + spacing * 20 {
            observer.now = observer.now + spacing;
            waited += spacing;
            if observer.admit(None) {
                let last = observer.passes.len() - 1;
                observer.step(&Step::Settle(last, Outcome::Success));
                observer.drain();
            }
        }
        prop_assert_eq!(observer.breaker.state(observer.now), State::Closed);
        prop_assert!((0..200).all(|_| observer.admit(None)), "{:?}", observer.told.admissions.last());
    }

    #[test]
    fn half_open_ends_in_bounded_time_without_any_result(config in config(), story in story()) {
        let mut observer = Observer::new(config.clone());
        observer.go(&story, false);
        // What came before has left the window. It fails until it is half-open; then every place
        // is taken and nobody says a word.
        observer.now = observer.now + Duration::from_secs(20);
        for _ in 0..100 {
            match observer.breaker.state(observer.now) {
                State::Open { until } => observer.now = until,
                State::HalfOpen => break,
                _ if observer.admit(None) => {
                    let last = observer.passes.len() - 1;
                    observer.step(&Step::Settle(last, Outcome::Failure));
                }
                _ => {}
            }
            observer.drain();
        }
        observer.drain();
        prop_assert!(observer.is_half_open());
        while observer.admit(None) {}
        observer.now = observer.now + config.trials.lease;
        let until = match observer.breaker.state(observer.now) {
            State::Open { until } => until,
            state => {
                prop_assert_eq!(state, State::HalfOpen, "with all its time taken off");
                observer.now
            }
        };
        prop_assert!(until.since(observer.now) <= config.open.longest);
        observer.now = until;
        prop_assert!(observer.admit(None), "the next one is a trial again");
    }
}

fn bulkhead() -> impl Strategy<Value = bulkhead::Config> {
    let adaptive = adaptive::Config {
        initial: 3,
        smallest: 1,
        largest: 6,
        window: Duration::from_millis(100),
        window_calls: 2,
        ..adaptive::Config::default()
    };
    prop_oneof![
        (1u32..6).prop_map(bulkhead::Config::Fixed),
        Just(bulkhead::Config::Adaptive(adaptive))
    ]
}

proptest! {
    /// In use is what is out; abandoned what was abandoned; and in the end nothing.
    #[test]
    fn a_permit_follows_the_work(
        breaker in prop::option::of(config()), bulkhead in bulkhead(), story in story(),
    ) {
        let timeout = Some(Duration::from_secs(1));
        let largest = bulkhead.largest();
        let config =
            guard::Config { timeout, breaker, bulkhead: Some(bulkhead), ..guard::Config::default() };
        let mut guard = Guard::new(config, 7);
        let (mut now, mut out) = (Instant::EPOCH, Vec::new());
        for step in story {
            match step {
                Step::Admit { patience } => {
                    let deadline = patience.map(|ms| now + Duration::from_millis(ms));
                    let limit = guard.bulkhead().unwrap().limit();
                    match guard.admit(now, &Ask { repeatable: true, deadline }) {
                        Ok(pass) => {
                            prop_assert!(out.len() < limit as usize);
                            out.push((pass, false));
                        }
                        Err(Rejection::Full { running, .. }) => {
                            prop_assert!(running >= limit && running == out.len() as u32);
                        }
                        Err(_) => {}
                    }
                }
                Step::Settle(which, outcome) if !out.is_empty() => {
                    let (pass, _) = out.swap_remove(which % out.len());
                    guard.settle(now, pass, outcome);
                }
                Step::Abandon(which) if !out.is_empty() => {
                    let which = which % out.len();
                    let (pass, abandoned) = &mut out[which];
                    guard.abandon(now, pass);
                    *abandoned = true;
                }
                Step::Wait(ms) => now = now + Duration::from_millis(ms),
                Step::Settle(..) | Step::Abandon(_) => {}
            }
            let bulkhead = guard.bulkhead().unwrap();
            let abandoned = out.iter().filter(|(_, abandoned)| *abandoned).count();
            prop_assert_eq!(bulkhead.running() as usize, out.len());
            prop_assert_eq!(bulkhead.abandoned() as usize, abandoned);
            prop_assert!((1..=largest).contains(&bulkhead.limit()));
        }
        for (pass, _) in out {
            guard.settle(now, pass, Outcome::Success);
        }
        let bulkhead = guard.bulkhead().unwrap();
        prop_assert_eq!((bulkhead.running(), bulkhead.abandoned()), (0, 0));
    }
}
