//! What the budgets before a service must hold, reckoned from what its gateway and core say to each other
//! and from nothing that core reckons.

use seaworthy_core::call::{Action, Attempt, CallId, Input, Reason, Route};
use seaworthy_core::health::Matcher;
use seaworthy_core::target_group;
use seaworthy_core::time::Instant;

use super::by_slot::BySlot;
use super::purse::Purse;
use crate::world::Said;

/// The budgets before all routes of a service.
#[derive(Debug)]
pub(super) struct Ledger {
    books: Vec<Book>,
    calls: BySlot<Called>,
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
    route: usize,
    /// A task has seen something of the last try that came to an end.
    seen: bool,
    heads: Vec<(Attempt, u16)>,
}

/// What was paid for that cannot have been.
#[derive(Clone, Copy, Debug)]
pub(super) struct Overdrawn(pub(super) &'static str);

// === impl Ledger ===

impl Ledger {
    pub(super) fn new(routes: &[Route]) -> Self {
        let book = |route: &Route| Book {
            failure_status: route.guard.failure_status.clone(),
            retries: route.budget.map(Purse::full),
            hedges: route.hedge.map(|hedge| Purse::full(hedge.budget)),
        };
        Self { books: routes.iter().map(book).collect(), calls: BySlot::default() }
    }

    /// Another gateway knows nothing of what was spent.
    pub(super) fn begin_anew(&mut self) {
        self.calls.clear();
        let purses = self.books.iter_mut().flat_map(|book| [&mut book.retries, &mut book.hedges]);
        purses.flatten().for_each(Purse::fill);
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
                let (route, heads) = (request.route.0, Vec::new());
                self.calls.set(*call, Called { route, seen: false, heads });
            }
            Input::Head { call, attempt, status, .. } => {
                if let Some(of) = self.calls.get_mut(*call) {
                    of.seen = true;
                    of.heads.push((*attempt, *status));
                }
            }
            Input::Failed { call, failure, .. } => {
                if let Some(of) = self.calls.get_mut(*call) {
                    of.seen = failure.sent;
                }
            }
            Input::Done { call, attempt } => {
                let Some(of) = self.calls.get_mut(*call) else { return };
                let head = of.heads.iter().find(|(other, _)| other == attempt);
                if let (Some(&(_, status)), route) = (head, of.route) {
                    self.books[route].answered(at, status);
                }
            }
            Input::ClientGone { .. } | Input::Rotate(_) | Input::Endpoints { .. } => {}
        }
    }

    fn tried(&mut self, at: Instant, call: CallId, why: Reason) -> Result<(), Overdrawn> {
        let Some(&mut Called { route, seen, .. }) = self.calls.get_mut(call) else { return Ok(()) };
        let Book { retries, hedges, .. } = &mut self.books[route];
        let (purse, what) = match why {
            Reason::Retry if seen => (retries, "retry"),
            Reason::Hedge => (hedges, "hedge"),
            Reason::First | Reason::Retry => return Ok(()),
        };
        let pays = purse.as_mut().is_none_or(|purse| purse.pay(at));
        if pays { Ok(()) } else { Err(Overdrawn(what)) }
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
