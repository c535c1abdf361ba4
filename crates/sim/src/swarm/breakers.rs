//! Whether the breakers before a service let pass what they may and nothing else, by what is sent and refused, and by
//! what they say of their states.

use seaworthy_core::call::{Action, CallId, Input, Reason, Refusal, Route};
use seaworthy_core::policy::Rejection;
use seaworthy_core::policy::breaker::{Config, Mode, State, Transition};
use seaworthy_core::record::{Cause, Record};
use seaworthy_core::target_group;
use seaworthy_core::time::Instant;

use super::by_slot::BySlot;
use super::rule::{Kept, Rule};
use crate::world::Said;

/// A request may be sent in one of so many states at most, if all of them begin at the same moment.
const AT_ONE_MOMENT: usize = 4;

/// The breakers before all routes of a service.
#[derive(Debug)]
pub(super) struct Breakers {
    /// By route: none where none decides by itself.
    routes: Vec<Option<Breaker>>,
    /// By which route each comes, if there is a breaker before it.
    calls: BySlot<Option<usize>>,
    /// What became of calls since that was last looked at: what a breaker decided meanwhile is said after them.
    heard: Vec<(Instant, usize, Heard)>,
}

#[derive(Debug)]
struct Breaker {
    name: String,
    config: Config,
    /// The last of its states.
    phases: Vec<Phase>,
    /// Whose client has gone last, and when: that is said before what time has made core want by then.
    gone: Option<(Instant, CallId)>,
}

/// A state, from then on.
#[derive(Debug)]
struct Phase {
    since: Instant,
    state: State,
    trials: Vec<Trial>,
}

#[derive(Clone, Copy, Debug)]
struct Trial {
    call: CallId,
    at: Instant,
    is_over: bool,
    /// Its client went away before anything came of it, so another one may have its place.
    is_returned: bool,
}

/// What became of a call.
#[derive(Clone, Copy, Debug)]
enum Heard {
    Passed(CallId),
    Ended(CallId),
    /// Its client has gone.
    Left(CallId),
    Refused(Rejection),
}

// === impl Breakers ===

impl Breakers {
    pub(super) fn new(routes: &[Route]) -> Self {
        let breaker = |route: &Route| {
            let config = route.guard.breaker.clone().filter(|one| one.mode == Mode::Normal)?;
            let phases = vec![Phase::first()];
            Some(Breaker { name: route.name.clone(), config, phases, gone: None })
        };
        let routes = routes.iter().map(breaker).collect();
        Self { routes, calls: BySlot::default(), heard: Vec::new() }
    }

    /// Those of another gateway are closed.
    pub(super) fn begin_anew(&mut self) {
        self.calls.clear();
        self.heard.clear();
        for breaker in self.routes.iter_mut().flatten() {
            breaker.phases = vec![Phase::first()];
        }
    }

    /// This was said at that moment.
    pub(super) fn hear(&mut self, at: Instant, said: &Said) {
        match said {
            Said::Told(target_group::Input::Call(input)) => self.told(at, input),
            Said::Wanted(target_group::Action::Call(action)) => self.wanted(at, action),
            Said::Wanted(target_group::Action::Record(Record {
                cause: Cause::Breaker { route, transition },
                ..
            })) => {
                let mut breakers = self.routes.iter_mut().flatten();
                if let Some(breaker) = breakers.find(|breaker| breaker.name == *route) {
                    breaker.enter(transition);
                }
            }
            _ => {}
        }
    }

    fn told(&mut self, at: Instant, input: &Input) {
        match *input {
            Input::Begin { call, ref request } => {
                let route = request.route.0;
                self.calls.set(call, self.routes[route].is_some().then_some(route));
            }
            Input::Done { call, .. } => self.note(at, call, Heard::Ended(call)),
            Input::ClientGone { call } => self.note(at, call, Heard::Left(call)),
            _ => {}
        }
    }

    fn wanted(&mut self, at: Instant, action: &Action) {
        match *action {
            Action::Try { call, why: Reason::First, .. } => {
                self.note(at, call, Heard::Passed(call));
            }
            Action::Answer { call, why: Refusal::Rejected(why) } => {
                self.note(at, call, Heard::Refused(why));
            }
            Action::Answer { call, .. } | Action::Abort { call } => {
                self.note(at, call, Heard::Ended(call));
            }
            Action::Try { .. } | Action::Pass { .. } => {}
        }
    }

    fn note(&mut self, at: Instant, call: CallId, what: Heard) {
        if let Some(route) = self.calls.get_mut(call).copied().flatten() {
            self.heard.push((at, route, what));
        }
    }

    /// Nothing more is said of what was said until now; what is wrong with that.
    pub(super) fn check(&mut self) -> Kept {
        let heard = std::mem::take(&mut self.heard);
        for (at, route, what) in heard {
            let Some(breaker) = &mut self.routes[route] else { continue };
            breaker.hear(at, what).map_err(|what| {
                (Rule::Breaker, format!("that before route `{}` {what}", breaker.name))
            })?;
        }
        self.routes.iter_mut().flatten().for_each(Breaker::forget);
        Ok(())
    }
}

// === impl Breaker ===

impl Breaker {
    fn enter(&mut self, transition: &Transition) {
        let Transition { at: since, after: state, .. } = *transition;
        self.phases.push(Phase { since, state, trials: Vec::new() });
    }

    fn forget(&mut self) {
        let first = self.phases.len().saturating_sub(AT_ONE_MOMENT);
        self.phases.drain(..first);
    }

    fn hear(&mut self, at: Instant, what: Heard) -> Result<(), String> {
        match what {
            Heard::Passed(call) => return self.passed(at, call),
            Heard::Ended(call) => self.ended(call, |_| false),
            Heard::Left(call) => {
                self.gone = Some((at, call));
                let Config { slow, trials, .. } = &self.config;
                let (slow, lease) = (*slow, trials.lease);
                // What took too long has failed, whoever waited for it.
                self.ended(call, |trial| {
                    let age = at.since(trial.at);
                    !trial.is_over && age < lease && slow.is_none_or(|slow| age <= slow.threshold)
                });
            }
            Heard::Refused(why) => return self.refused(at, why),
        }
        Ok(())
    }

    /// The states that it is in at this moment: one, unless it changes just then.
    fn at(&self, at: Instant) -> Vec<usize> {
        let is_then = |n: &usize| {
            let next = self.phases.get(n + 1);
            self.phases[*n].since <= at && next.is_none_or(|next| at <= next.since)
        };
        (0..self.phases.len()).filter(is_then).collect()
    }

    fn passed(&mut self, at: Instant, call: CallId) -> Result<(), String> {
        let then = self.at(at);
        let is_in = |state: State| then.iter().any(|n| self.phases[*n].state == state);
        if is_in(State::Closed) {
            return Ok(());
        }
        let half = then.iter().rev().find(|n| self.phases[**n].state == State::HalfOpen);
        let Some(half) = half else { return Err(format!("lets a call pass at {at}, and is open")) };
        let has_gone = self.gone == Some((at, call));
        let trials = &mut self.phases[*half].trials;
        trials.push(Trial { call, at, is_over: has_gone, is_returned: has_gone });
        let (taken, most) = (taken(trials), self.config.trials.calls);
        if taken > most {
            return Err(format!("lets {taken} trials pass until {at}, allowed are {most}"));
        }
        Ok(())
    }

    /// A call is over, and if it was a trial, gives its place back if it does. Of one whose client leaves when its
    /// deadline has passed that is said as well.
    fn ended(&mut self, call: CallId, gives_back: impl Fn(&Trial) -> bool) {
        let mut trials = self.phases.iter_mut().flat_map(|phase| &mut phase.trials);
        if let Some(trial) = trials.find(|trial| trial.call == call) {
            trial.is_returned = gives_back(trial);
            trial.is_over = true;
        }
    }

    fn refused(&self, at: Instant, why: Rejection) -> Result<(), String> {
        let then = self.at(at);
        let is_open = |n: &usize| matches!(self.phases[*n].state, State::Open { .. });
        match why {
            Rejection::Open { .. } if !then.iter().any(is_open) => {
                Err(format!("refuses a call at {at} as if it were open"))
            }
            Rejection::TrialsTaken { .. } => match then[..] {
                [only] => self.refused_for_trials(at, &self.phases[only]),
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    }

    fn refused_for_trials(&self, at: Instant, phase: &Phase) -> Result<(), String> {
        if phase.state != State::HalfOpen {
            return Err(format!("refuses a call at {at} as if it were half-open"));
        }
        let (taken, needed) = (taken(&phase.trials), self.config.trials.calls);
        if taken < needed {
            return Err(format!(
                "refuses a call at {at}, and {taken} of {needed} trials are under way or over"
            ));
        }
        let lease = self.config.trials.lease;
        let goes_on = |trial: &Trial| !trial.is_over && at < trial.at + lease;
        if phase.trials.iter().any(goes_on) {
            return Ok(());
        }
        Err(format!("refuses a call at {at}, and all {needed} trials are over"))
    }
}

// === impl Phase ===

impl Phase {
    fn first() -> Self {
        Self { since: Instant::EPOCH, state: State::Closed, trials: Vec::new() }
    }
}

fn taken(trials: &[Trial]) -> u32 {
    trials.iter().filter(|trial| !trial.is_returned).count() as u32
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use seaworthy_core::call::{Attempt, Config as Calls, Request, RouteId};
    use seaworthy_core::endpoints::TaskId;
    use seaworthy_core::policy::Ask;
    use seaworthy_core::policy::breaker;
    use seaworthy_core::record::Decision;

    use super::*;

    #[derive(Clone, Copy)]
    enum Becomes {
        Sent,
        Refused,
        Left,
        TooLate,
    }

    fn at(seconds: u64) -> Instant {
        Instant::EPOCH + Duration::from_secs(seconds)
    }

    fn said(slot: u32, what: Becomes) -> Said {
        let call = CallId { slot, generation: 0 };
        let (attempt, task, why) = (Attempt(1), TaskId(1), Reason::First);
        Said::Wanted(target_group::Action::Call(match what {
            Becomes::Sent => Action::Try { call, attempt, task, deadline: None, fresh: false, why },
            Becomes::Refused => {
                let why = Refusal::Rejected(Rejection::TrialsTaken { trials: 2 });
                Action::Answer { call, why }
            }
            Becomes::TooLate => Action::Answer { call, why: Refusal::Deadline },
            Becomes::Left => {
                return Said::Told(target_group::Input::Call(Input::ClientGone { call }));
            }
        }))
    }

    fn switched(seconds: u64, before: State, after: State) -> Said {
        let cause = breaker::Cause::OpenTimeOver;
        let transition = Transition { at: at(seconds), before, after, cause };
        let cause = Cause::Breaker { route: "default".to_owned(), transition };
        let (at, decision) = (at(seconds), Decision::Switch);
        Said::Wanted(target_group::Action::Record(Record { at, task: None, decision, cause }))
    }

    /// What is wrong with that: what becomes of calls, each in its second, where a breaker is open until the tenth and
    /// has two trials of ten seconds then.
    fn wrong(all: &[(u64, u32, Becomes)]) -> Option<String> {
        let mut routes = Calls::plain(Duration::from_secs(60), 1).routes;
        let mut config = Config::default();
        config.trials.calls = 2;
        routes[0].guard.breaker = Some(config);
        let mut breakers = Breakers::new(&routes);
        let open = State::Open { until: at(10) };
        breakers.hear(at(1), &switched(1, State::Closed, open));
        for (n, (seconds, slot, what)) in all.iter().enumerate() {
            if !all[..n].iter().any(|(_, other, _)| other == slot) {
                let call = CallId { slot: *slot, generation: 0 };
                let ask = Ask { repeatable: true, deadline: None };
                let request = Request::new(RouteId(0), ask);
                let begins = target_group::Input::Call(Input::Begin { call, request });
                breakers.hear(at(*seconds), &Said::Told(begins));
            }
            breakers.hear(at(*seconds), &said(*slot, *what));
            if *seconds > 10 && n == 0 {
                breakers.hear(at(*seconds), &switched(10, open, State::HalfOpen));
            }
        }
        breakers.check().err().map(|(_, what)| what)
    }

    #[test]
    fn nothing_passes_an_open_breaker_and_so_many_a_half_open_one() {
        use Becomes::{Left, Refused, Sent, TooLate};
        let is_wrong = |all: &[(u64, u32, Becomes)], words: &str| {
            let what = wrong(all).unwrap_or_default();
            assert!(what.contains(words), "not {words}: {what}");
        };
        is_wrong(&[(5, 0, Sent)], "lets a call pass at 5.000s, and is open");
        is_wrong(&[(5, 0, Refused)], "as if it were half-open");
        assert_eq!(wrong(&[(11, 0, Sent), (12, 1, Sent), (20, 2, Refused)]), None);
        is_wrong(&[(11, 0, Sent), (12, 1, Sent), (13, 2, Sent)], "lets 3 trials pass");
        is_wrong(&[(11, 0, Sent), (12, 1, Refused)], "1 of 2 trials");
        is_wrong(&[(11, 0, Sent), (12, 1, Sent), (22, 2, Refused)], "all 2 trials are over");
        // Who left in the very moment in which time had made core send it, and another one has the place.
        let at_once = [(11, 0, Left), (11, 0, Sent), (11, 1, Sent), (11, 2, Sent)];
        assert_eq!(wrong(&at_once), None);
        is_wrong(
            &[(11, 0, Left), (12, 0, Sent), (12, 1, Sent), (12, 2, Sent)],
            "lets 3 trials pass",
        );
        // Whoever leaves gives the place back, in time.
        let gone = [(11, 0, Sent), (12, 1, Sent), (13, 0, Left)];
        assert_eq!(wrong(&[&gone[..], &[(14, 2, Sent), (15, 3, Refused)]].concat()), None);
        is_wrong(&[&gone[..], &[(14, 2, Refused)]].concat(), "1 of 2 trials");
        let late = [(13, 0, TooLate), (14, 2, Refused)];
        assert_eq!(wrong(&[&gone[..], &late].concat()), None);
    }
}
