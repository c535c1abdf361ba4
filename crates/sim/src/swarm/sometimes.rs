//! Interesting states, each of which some scenarios must reach: else a swarm proves little.

use seaworthy_core::health::passive::Fault;
use seaworthy_core::policy::breaker::State;
use seaworthy_core::record::{Cause, Decision, Exit, Record};

use crate::in_words::in_words;

in_words! {
    /// An interesting state.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
    Sometimes {
        BreakerOpened: "a breaker opened",
        BreakerOpenedAgain: "a half-open breaker opened again",
        BreakerClosed: "a half-open breaker closed",
        BulkheadFull: "a bulkhead was full",
        Abandoned: "abandoned work held a place in a bulkhead",
        QueueFull: "a queue was full",
        Waited: "a call waited in a queue",
        Retried: "a call was tried again",
        Hedged: "a call was hedged",
        HedgeWon: "a hedge had the answer",
        RetriesSpent: "a budget of retries was spent",
        HedgesSpent: "a budget of hedges was spent",
        RoutesApart: "a breaker of one route was open and that of another one closed",
        Parted: "a client had another task than the one that it was used to",
        Left: "a client left and its request was given up",
        AskedAgain: "a client asked again",
        Degraded: "an answer lacked what another service has",
        CallRetried: "a task called a service again",
        CallsStopped: "a breaker of a task's calls was open",
        WayDisturbed: "a fault on the way between two services met a call",
        SlotsTaken: "a call of a task waited for a slot",
        Weighed: "calls were divided among revisions by weight",
        KeysMoved: "a task left and its part of what is hashed had another one",
        Leaked: "a task died of its leak",
        Deadline: "a deadline passed",
        CutShort: "an answer was cut short",
        EjectedInARow: "a task was ejected for failures in a row",
        EjectedByShare: "a task was ejected for its share of failures",
        EjectedSlow: "a task was ejected for being slow",
        LateForAnother: "a task was late while another one was ejected, and was not ejected for it",
        TrialFailed: "a trial did not go well",
        TrialPassed: "a trial went well",
        FailOpen: "nobody was healthy and the gateway failed open",
        NobodyListens: "a task was taken out because nobody listened",
        Hold: "every task looked bad and none was retired for it",
        SecondFailure: "a task died before an earlier one was replaced",
        ZoneLost: "a zone was lost and another one served",
        Elsewhere: "the power was off in a zone and a task came elsewhere",
        StartsFail: "starts failed and the next one waited",
        StartTimeout: "a task did not work in time and was given up",
        Drained: "a task was drained to the last request",
        DrainDelayOver: "a deregistration delay was over with requests in flight",
        Killed: "a task was killed after its stop timeout",
        QueryOfDeath: "a query of death killed two tasks and no third",
        Completed: "a second deployment was completed",
        Superseded: "a deployment was superseded",
        TooManyFailures: "a deployment failed by its circuit breaker",
        Alarm: "a deployment failed by its alarm",
        RolledBack: "a deployment was rolled back",
        NoneToGoBackTo: "there was no revision to go back to",
        CanaryBaked: "a canary was baked",
        CanaryEjected: "a canary was ejected",
        ScaledOut: "the autoscaler scaled out",
        ScaledIn: "the autoscaler scaled in",
        Replaced: "a drained task was replaced first",
        Delayed: "a decision waited for the agent, which still wrote down another one",
        Adopted: "an agent adopted tasks",
        AdoptedWithLoss: "an agent found tasks gone",
        Inherited: "a gateway inherited a verdict",
    }
}

/// A set of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reached(u64);

const _: () = assert!(Sometimes::ALL.len() <= u64::BITS as usize, "each is a bit");

// === impl Reached ===

impl Reached {
    /// Whether this one is among them.
    pub fn has(self, what: Sometimes) -> bool {
        self.0 & (1 << what as u64) != 0
    }

    /// These and those.
    pub(super) fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) fn add(&mut self, what: Sometimes) {
        self.0 |= 1 << what as u64;
    }

    pub(super) fn add_if(&mut self, reached: bool, what: Sometimes) {
        if reached {
            self.add(what);
        }
    }

    /// What a decision shows.
    pub(super) fn note(&mut self, record: &Record) {
        if let Some(what) = shown_by(record) {
            self.add(what);
        }
    }
}

fn shown_by(record: &Record) -> Option<Sometimes> {
    use Sometimes as S;
    Some(match (&record.cause, record.decision) {
        (Cause::Breaker { transition, .. }, _) => match (transition.before, transition.after) {
            (State::HalfOpen, State::Open { .. }) => S::BreakerOpenedAgain,
            (_, State::Open { .. }) => S::BreakerOpened,
            (State::HalfOpen, State::Closed) => S::BreakerClosed,
            _ => return None,
        },
        (Cause::Ejected { fault, .. }, _) => match fault {
            Fault::InARow { .. } => S::EjectedInARow,
            Fault::Share { .. } => S::EjectedByShare,
            Fault::Slow { .. } => S::EjectedSlow,
            Fault::Trial => S::TrialFailed,
        },
        (Cause::TrialPassed, _) => S::TrialPassed,
        (Cause::LateForAnother, _) => S::LateForAnother,
        (Cause::NobodyHealthy, _) => S::FailOpen,
        (Cause::NobodyListens, _) => S::NobodyListens,
        (Cause::EveryoneLooksBad, Decision::Hold) => S::Hold,
        (Cause::StartsFail { .. }, _) => S::StartsFail,
        (Cause::StartTimeoutOver { .. }, _) => S::StartTimeout,
        (Cause::Drained, _) => S::Drained,
        (Cause::DeregistrationDelayOver { in_flight: 1.. }, _) => S::DrainDelayOver,
        (Cause::StopTimeoutOver { .. }, _) => S::Killed,
        (Cause::AllServe { revision: 2.., .. }, _) => S::Completed,
        (Cause::TooManyFailures { .. }, _) => S::TooManyFailures,
        (Cause::TooManyFailedRequests { .. } | Cause::TooSlow { .. }, _) => S::Alarm,
        (Cause::NoneToGoBackTo, _) => S::NoneToGoBackTo,
        (Cause::GoneBack { .. }, _) => S::RolledBack,
        (Cause::Baked { .. }, _) => S::CanaryBaked,
        (Cause::CanaryEjected { .. }, _) => S::CanaryEjected,
        (Cause::Replaced, Decision::Retire) => S::Replaced,
        (Cause::Restored { gone: 0, .. }, _) => S::Adopted,
        (Cause::Restored { .. }, _) => S::AdoptedWithLoss,
        (Cause::Inherited, _) => S::Inherited,
        _ => return None,
    })
}

/// A task that was killed by a request.
pub(super) fn died_of_a_request(record: &Record) -> bool {
    match &record.cause {
        Cause::Died { exit: how, .. } | Cause::Exited(how) => *how == Exit::ABORTED,
        _ => false,
    }
}
