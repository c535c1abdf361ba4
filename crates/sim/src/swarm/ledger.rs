//! What the budgets before a service must hold, reckoned from what its gateway and core say to each other
//! and from nothing that core reckons.

use seaworthy_core::call::{Action, Attempt, CallId, Input, Reason, Route};
use seaworthy_core::health::Matcher;
use seaworthy_core::policy::budget;
use seaworthy_core::target_group;
use seaworthy_core::time::Instant;

use crate::world::Said;

/// The budgets before all routes of a service.
#[derive(Debug)]
pub(super) struct Ledger {
    books: Vec<Book>,
    /// By slot: the last call in it.
    calls: Vec<Option<Called>>,
}

/// The budgets before one route.
#[derive(Debug)]
struct Book {
    failure_status: Matcher,
    retries: Option<Purse>,
    hedges: Option<Purse>,
}

/// A call, as far as budgets care.
#[derive(Debug)]
struct Called {
    call: CallId,
    route: usize,
    /// A task has seen something of the last try that came to an end.
    seen: bool,
    heads: Vec<(Attempt, u16)>,
}

/// A budget, as its definition has it.
#[derive(Clone, Copy, Debug)]
struct Purse {
    config: budget::Config,
    /// In parts of a hundredth of a retry, each of which a nanosecond may bring.
    holds: u128,
    /// Until when the seconds are counted.
    at: Instant,
}

/// What was paid for that cannot have been.
#[derive(Clone, Copy, Debug)]
pub(super) struct Overdrawn(pub(super) &'static str);

const PERCENT: u128 = 1_000_000_000;
const WHOLE: u128 = 100 * PERCENT;

// === impl Ledger ===

impl Ledger {
    pub(super) fn new(routes: &[Route]) -> Self {
        let book = |route: &Route| Book {
            failure_status: route.guard.failure_status.clone(),
            retries: route.budget.map(Purse::full),
            hedges: route.hedge.map(|hedge| Purse::full(hedge.budget)),
        };
        Self { books: routes.iter().map(book).collect(), calls: Vec::new() }
    }

    /// Another gateway knows nothing of what was spent.
    pub(super) fn begin_anew(&mut self) {
        self.calls.clear();
        let purses = self.books.iter_mut().flat_map(|book| [&mut book.retries, &mut book.hedges]);
        purses.flatten().for_each(|purse| *purse = Purse::full(purse.config));
    }

    /// Retries and hedges before a route for which something is left.
    pub(super) fn left(&mut self, now: Instant, route: usize) -> (Option<u32>, Option<u32>) {
        let book = &mut self.books[route];
        let left = |purse: &mut Option<Purse>| purse.as_mut().map(|purse| purse.left(now));
        (left(&mut book.retries), left(&mut book.hedges))
    }

    /// Something was said at this moment.
    pub(super) fn hear(&mut self, at: Instant, said: &Said) -> Result<(), Overdrawn> {
        match said {
            Said::Told(target_group::Input::Call(input)) => self.told(at, input),
            Said::Wanted(target_group::Action::Call(Action::Try { call, why, .. })) => {
                return self.tried(at, *call, *why);
            }
            _ => {}
        }
        Ok(())
    }

    fn told(&mut self, at: Instant, input: &Input) {
        match input {
            Input::Begin { call, request } => {
                let slot = call.slot as usize;
                if self.calls.len() <= slot {
                    self.calls.resize_with(slot + 1, || None);
                }
                let (route, heads) = (request.route.0, Vec::new());
                self.calls[slot] = Some(Called { call: *call, route, seen: false, heads });
            }
            Input::Head { call, attempt, status, .. } => {
                if let Some(of) = self.find(*call) {
                    of.seen = true;
                    of.heads.push((*attempt, *status));
                }
            }
            Input::Failed { call, failure, .. } => {
                if let Some(of) = self.find(*call) {
                    of.seen = failure.sent;
                }
            }
            Input::Done { call, attempt } => {
                let Some(of) = self.find(*call) else { return };
                let head = of.heads.iter().find(|(other, _)| other == attempt);
                if let (Some(&(_, status)), route) = (head, of.route) {
                    self.books[route].answered(at, status);
                }
            }
            Input::ClientGone { .. } | Input::Rotate(_) | Input::Endpoints { .. } => {}
        }
    }

    fn tried(&mut self, at: Instant, call: CallId, why: Reason) -> Result<(), Overdrawn> {
        let Some(&mut Called { route, seen, .. }) = self.find(call) else { return Ok(()) };
        let Book { retries, hedges, .. } = &mut self.books[route];
        let (purse, what) = match why {
            Reason::Retry if seen => (retries, "retry"),
            Reason::Hedge => (hedges, "hedge"),
            Reason::First | Reason::Retry => return Ok(()),
        };
        let pays = purse.as_mut().is_none_or(|purse| purse.pay(at));
        if pays { Ok(()) } else { Err(Overdrawn(what)) }
    }

    fn find(&mut self, call: CallId) -> Option<&mut Called> {
        let of = self.calls.get_mut(call.slot as usize)?.as_mut();
        of.filter(|of| of.call == call)
    }
}

// === impl Book ===

impl Book {
    /// A call has the whole of an answer with this status.
    fn answered(&mut self, at: Instant, status: u16) {
        if !self.failure_status.matches(status) {
            let purses = [&mut self.retries, &mut self.hedges];
            purses.into_iter().flatten().for_each(|purse| purse.succeed(at));
        }
    }
}

// === impl Purse ===

impl Purse {
    fn full(config: budget::Config) -> Self {
        Self { config, holds: u128::from(config.cap) * WHOLE, at: Instant::EPOCH }
    }

    fn earn(&mut self, amount: u128) {
        self.holds = (self.holds + amount).min(u128::from(self.config.cap) * WHOLE);
    }

    fn wait(&mut self, until: Instant) {
        let nanos = until.since(std::mem::replace(&mut self.at, until)).as_nanos();
        self.earn(nanos * 100 * u128::from(self.config.per_second));
    }

    fn succeed(&mut self, now: Instant) {
        self.wait(now);
        self.earn(u128::from(self.config.success_percent) * PERCENT);
    }

    /// Whether it can.
    fn pay(&mut self, now: Instant) -> bool {
        self.wait(now);
        let rest = self.holds.checked_sub(WHOLE);
        self.holds = rest.unwrap_or(self.holds);
        rest.is_some()
    }

    fn left(&mut self, now: Instant) -> u32 {
        self.wait(now);
        (self.holds / WHOLE) as u32
    }
}
