//! Whether the rules hold for the calls that the tasks of a service make.

use std::collections::BTreeMap;

use seaworthy_core::balance::Algorithm;
use seaworthy_core::call::Standing;
use seaworthy_core::endpoints::TaskId;
use seaworthy_core::experiment::caller::{Caller, Dependency};
use seaworthy_core::fleet::Service;
use seaworthy_core::policy::breaker::State;
use seaworthy_core::policy::bulkhead;
use seaworthy_core::time::Instant;

use super::purse::Purse;
use super::rule::{Kept, Rule};
use super::sometimes::{Reached, Sometimes};
use crate::world::{Noted, World};

/// Watches the calls of one service's tasks.
#[derive(Debug)]
pub(super) struct Calling {
    place: usize,
    config: Caller,
    /// By a cookie or a hash a task may get no request, and what nobody tries stays half-open.
    all_are_asked: bool,
    /// What retries of calls are paid from, by task and by the place of the service that is called.
    purses: BTreeMap<(TaskId, usize), Purse>,
    pub(super) reached: Reached,
}

// === impl Calling ===

impl Calling {
    pub(super) fn new(place: usize, config: Caller, service: &Service) -> Self {
        let by_hash = service.balancing.algorithm == Algorithm::ConsistentHash;
        let all_are_asked = service.sticky_cookie.is_none() && !by_hash;
        Self { place, config, all_are_asked, purses: BTreeMap::new(), reached: Reached::default() }
    }

    /// A task has this of a call.
    pub(super) fn noted(&mut self, at: Instant, task: TaskId, noted: Noted) -> Kept {
        let Noted { to, status } = noted;
        let Some(one) = self.config.dependencies.iter().find(|one| one.to == to) else {
            return Ok(());
        };
        let Some(retry) = one.retry else { return Ok(()) };
        let purse = self.purses.entry((task, to)).or_insert_with(|| Purse::full(retry.budget));
        match status {
            Some(status) if one.guard.failure_status.matches(status) => {}
            Some(_) => purse.succeed(at),
            None => {
                self.reached.add(Sometimes::CallRetried);
                if !purse.pay(at) {
                    let what = format!("a retry of {task} was not to be had");
                    return Err((Rule::Budget, what));
                }
            }
        }
        Ok(())
    }

    /// What has a bound keeps it.
    pub(super) fn check_bounds(&mut self, world: &mut World) -> Kept {
        let now = world.now();
        for (task, calls) in world.calls(self.place) {
            let (taken, waiting) = calls.slots();
            self.reached.add_if(waiting > 0, Sometimes::SlotsTaken);
            if let Some(pool) = self.config.pool
                && (taken > pool.size || waiting > pool.waiting as usize)
            {
                let what = format!("calls of {task} have {taken} slots, and {waiting} wait");
                return Err((Rule::Pool, what));
            }
            for (one, (to, standing)) in self.config.dependencies.iter().zip(calls.standing(now)) {
                let is_open = matches!(standing.breaker, Some(State::Open { .. }));
                self.reached.add_if(is_open, Sometimes::CallsStopped);
                let purse = self.purses.get_mut(&(task, to));
                check(now, one, &standing, purse).map_err(|(rule, what)| {
                    (rule, format!("calls of {task} to the service at {to}: {what}"))
                })?;
            }
        }
        Ok(())
    }

    /// Whether its breakers let everything pass, or would if they were tried.
    pub(super) fn flows(&self, world: &mut World) -> bool {
        let now = world.now();
        let tried = self.all_are_asked;
        let flows = |standing: Standing| match standing.breaker {
            None | Some(State::Closed) => true,
            Some(State::HalfOpen) => !tried,
            Some(_) => false,
        };
        let mut all = world.calls(self.place);
        all.all(|(_, calls)| calls.standing(now).all(|(_, one)| flows(one)))
    }

    /// What was held is given back.
    pub(super) fn check_end(&self, world: &mut World) -> Kept {
        let now = world.now();
        for (task, calls) in world.calls(self.place) {
            let (taken, waiting) = calls.slots();
            let running: u32 = calls.standing(now).map(|(_, standing)| standing.running).sum();
            let open = calls.open();
            if (taken, waiting, running, open) != (0, 0, 0, 0) {
                let what = format!(
                    "of {task} {open} calls are not over, {waiting} wait, {taken} have a slot, and \
                     {running} a place in a bulkhead"
                );
                return Err((Rule::GivenBack, what));
            }
        }
        Ok(())
    }
}

/// Of the calls of a task to one service, whose retries are paid from this, if it was ever used.
fn check(
    now: Instant,
    config: &Dependency,
    standing: &Standing,
    purse: Option<&mut Purse>,
) -> Kept {
    if let Some(bulkhead::Config::Fixed(size)) = config.guard.bulkhead
        && standing.running > size
    {
        return Err((Rule::Bulkhead, format!("{} run, allowed are {size}", standing.running)));
    }
    let full = config.retry.map(|retry| retry.budget.cap);
    let must = purse.map_or(full, |purse| Some(purse.left(now)));
    if standing.retries_left != must {
        let what = format!("{:?} retries are left and not {must:?}", standing.retries_left);
        return Err((Rule::Budget, what));
    }
    Ok(())
}
