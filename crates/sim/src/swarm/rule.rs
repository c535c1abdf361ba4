//! What must hold whatever happens.

use std::fmt;

use seaworthy_core::time::Instant;

use crate::in_words::in_words;

in_words! {
    /// Something that must hold.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    Rule {
        Panics: "nothing panics",
        ComesUp: "a fleet of good programs comes up",
        OneOutcome: "a request has one outcome",
        SomeOutcome: "every request has an outcome in the end",
        PlannedIsHarmless: "no request fails of what people do on purpose",
        Floor: "our own retirements keep the floor",
        Ceiling: "our own starts keep the ceiling",
        Count: "as many tasks are desired as was decided last, and the autoscaler keeps to its bounds",
        Spread: "when a fleet has come up, no zone has two tasks more than another one",
        Power: "where the power is off no task starts, and for longer than checks take none runs and none gets requests",
        OneTask: "a number names one task",
        Drained: "a task that is told to go as drained has nothing in flight and gets nothing",
        Patience: "a task that is to go has the whole delay for its requests, and the whole timeout to end",
        FirstCheck: "no task answers before a check of it has passed",
        NoneAnswersLater: "no task answers that has ended",
        Ejection: "a verdict of requests leaves as many tasks as it must, and a trial comes as late as it may",
        Trial: "a trial is decided by what was sent in it, and waited for as long as that goes on; and who was failed is no trial",
        Overload: "in an overload nobody is ejected for being slow",
        Queue: "a queue holds no more calls than it may",
        Breaker: "a breaker lets nothing pass while it is open, so many trials while it is half-open, and waits for none longer than its lease",
        Bulkhead: "a bulkhead lets no more calls run than it may",
        Budget: "the budgets of retries and hedges hold what they must",
        Pool: "a pool has no more calls than it may",
        InFlight: "a task has no more in flight than it may",
        Weights: "each revision gets its weight's share of the calls, and one without weight none",
        Turns: "in turn each task gets as much as any other",
        Hash: "what is hashed goes to the same task as long as that is there and no new one has it",
        Cookie: "a client goes to the task that it is used to",
        SentOnce: "requests that must not be repeated are not sent again after a task has seen them",
        QueryOfDeath: "a request kills two tasks at most, or as many as work on it at once where it may be hedged",
        Converges: "when faults have stopped, all is as desired again",
        Works: "when all is as desired again, requests succeed",
        GivenBack: "when all is over, nothing is held any more",
    }
}

/// Whether all rules hold; if not, which one does not, and what was seen.
pub(super) type Kept = Result<(), (Rule, String)>;

/// A rule that did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which one.
    pub rule: Rule,
    /// When.
    pub at: Instant,
    /// What was seen.
    pub what: String,
}

// === impl Violation ===

impl Violation {
    /// Whether it is about the same as that one. Not every panic is.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        let at_one_place = || self.what.lines().next() == other.what.lines().next();
        self.rule == other.rule && (self.rule != Rule::Panics || at_one_place())
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rule, at, what } = self;
        write!(f, "At {at} it did not hold that {rule}: {what}")
    }
}
