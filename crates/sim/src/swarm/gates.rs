//! Whether the rules hold for what stands before the requests to a service.

use std::collections::BTreeSet;

use seaworthy_core::call::{Action, CallId, Input, Queue, Reason, RouteId, Standing};
use seaworthy_core::endpoints::TaskId;
use seaworthy_core::fleet::Service;
use seaworthy_core::policy::breaker::State;
use seaworthy_core::target_group;
use seaworthy_core::time::Instant;

use super::breakers::Breakers;
use super::bulkheads::Bulkhead;
use super::ledger::{Ledger, Overdrawn};
use super::rule::{Kept, Rule};
use super::shares::Shares;
use super::sometimes::{Reached, Sometimes};
use crate::world::{Arrival, Said, Tries, World};

/// Watches the queue of a service and the policies of its routes.
#[derive(Debug)]
pub(super) struct Gates {
    place: usize,
    queue: Option<Queue>,
    /// By route.
    bulkheads: Vec<Option<Bulkhead>>,
    /// A task has so many in flight at most: it may be too busy for who is used to it.
    most_in_flight: Option<u32>,
    breakers: Breakers,
    ledger: Ledger,
    shares: Shares,
    expected: Option<Expected>,
    reached: Reached,
}

/// Where a request goes that is just sent.
#[derive(Clone, Debug)]
struct Expected {
    /// Its client is used to this task.
    used_to: Option<TaskId>,
    affinity: u64,
    /// Who is in rotation.
    there: BTreeSet<TaskId>,
    /// Nobody is on trial, or is to be, and nobody can be too busy.
    is_plain: bool,
    /// As it is called once it is there, and its route.
    call: Option<(CallId, RouteId)>,
}

// === impl Gates ===

impl Gates {
    pub(super) fn new(place: usize, service: &Service) -> Self {
        let routes = &service.call.routes;
        Self {
            place,
            queue: service.call.queue,
            bulkheads: routes.iter().map(|r| r.guard.bulkhead.clone().map(Bulkhead::new)).collect(),
            most_in_flight: service.balancing.most_in_flight,
            breakers: Breakers::new(routes),
            ledger: Ledger::new(routes),
            shares: Shares::new(service),
            expected: None,
            reached: Reached::default(),
        }
    }

    /// Another gateway is there, which knows nothing.
    pub(super) fn begin_anew(&mut self) {
        self.breakers.begin_anew();
        self.bulkheads.iter_mut().flatten().for_each(Bulkhead::begin_anew);
        self.ledger.begin_anew();
        self.shares.begin_anew();
    }

    /// This comes now.
    pub(super) fn expect(&mut self, world: &World, arrival: &Arrival) {
        let Arrival { preferred: used_to, affinity, .. } = *arrival;
        self.expected = (used_to.is_some() || self.shares.matter()).then(|| {
            let seen = world.sightings(self.place).tasks;
            let is_plain =
                self.most_in_flight.is_none() && seen.iter().all(|one| one.ejection.is_none());
            let there = seen.iter().filter(|one| one.in_rotation).map(|one| one.task).collect();
            Expected { used_to, affinity, there, is_plain, call: None }
        });
    }

    /// Core and the gateway have said this at that moment.
    pub(super) fn overheard(&mut self, at: Instant, said: &Said) -> Kept {
        self.shares.hear(said);
        self.breakers.hear(at, said);
        self.check_choice(said)?;
        let overdrawn = |Overdrawn(what)| (Rule::Budget, format!("a {what} was not to be had"));
        self.ledger.hear(at, said).map_err(overdrawn)
    }

    /// Which task is asked first for what has just come.
    fn check_choice(&mut self, said: &Said) -> Kept {
        let Some(expected) = &mut self.expected else { return Ok(()) };
        match *said {
            Said::Told(target_group::Input::Call(Input::Begin { call, ref request })) => {
                expected.call.get_or_insert((call, request.route));
            }
            Said::Wanted(target_group::Action::Call(Action::Try {
                call,
                task,
                why: Reason::First,
                ..
            })) => {
                let Some((_, route)) = expected.call.filter(|(of, _)| *of == call) else {
                    return Ok(());
                };
                let Expected { used_to, affinity, is_plain, ref there, .. } = *expected;
                if let Some(used_to) = used_to {
                    self.reached.add_if(task != used_to, Sometimes::Parted);
                    if task != used_to && is_plain && there.contains(&used_to) {
                        return Err((Rule::Cookie, format!("{task} was asked and not {used_to}")));
                    }
                } else if is_plain {
                    return self.shares.check(route, affinity, there, task);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// What has a bound keeps it.
    pub(super) fn check_bounds(&mut self, world: &mut World) -> Kept {
        self.expected = None;
        self.breakers.check()?;
        let queued = world.queued(self.place);
        let most = self.queue.map_or(0, |queue| queue.most_calls);
        self.reached.add_if(queued > 0, Sometimes::Waited);
        self.reached.add_if(queued == most && queued > 0, Sometimes::QueueFull);
        if queued > most {
            return Err((Rule::Queue, format!("{queued} calls wait, allowed are {most}")));
        }
        let (mut open, mut closed) = (false, false);
        for route in 0..self.bulkheads.len() {
            let standing = world.standing(self.place, RouteId(route));
            open |= matches!(standing.breaker, Some(State::Open { .. }));
            closed |= standing.breaker == Some(State::Closed);
            self.check_bulkhead(&standing, route)?;
            self.check_budgets(world.now(), &standing, route)?;
        }
        self.reached.add_if(open && closed, Sometimes::RoutesApart);
        self.check_in_flight(world)?;
        self.check_tries(&world.tries(self.place))
    }

    fn check_in_flight(&self, world: &World) -> Kept {
        let Some(most) = self.most_in_flight else { return Ok(()) };
        let seen = world.sightings(self.place).tasks;
        seen.iter().find(|one| one.in_flight > most).map_or(Ok(()), |one| {
            let what = format!("{} has {} and may have {most}", one.task, one.in_flight);
            Err((Rule::InFlight, what))
        })
    }

    fn check_bulkhead(&mut self, standing: &Standing, route: usize) -> Kept {
        self.reached.add_if(Some(standing.running) == standing.limit, Sometimes::BulkheadFull);
        self.reached.add_if(standing.abandoned > 0, Sometimes::Abandoned);
        self.bulkheads[route].as_mut().map_or(Ok(()), |bulkhead| bulkhead.check(standing))
    }

    /// They hold what they must, neither less nor more.
    fn check_budgets(&mut self, now: Instant, standing: &Standing, route: usize) -> Kept {
        let (retries, hedges) = self.ledger.left(now, route);
        self.reached.add_if(retries == Some(0), Sometimes::RetriesSpent);
        self.reached.add_if(hedges == Some(0), Sometimes::HedgesSpent);
        for (what, left, must) in
            [("retries", standing.retries_left, retries), ("hedges", standing.hedges_left, hedges)]
        {
            if left != must {
                return Err((Rule::Budget, format!("{left:?} {what} are left and not {must:?}")));
            }
        }
        Ok(())
    }

    fn check_tries(&mut self, tries: &Tries) -> Kept {
        self.reached.add_if(tries.retries > 0, Sometimes::Retried);
        self.reached.add_if(tries.hedges > 0, Sometimes::Hedged);
        self.reached.add_if(tries.won > 0, Sometimes::HedgeWon);
        match tries.repeated {
            0 => Ok(()),
            repeated => Err((Rule::SentOnce, format!("{repeated} of them were"))),
        }
    }

    /// Whether its breakers let everything pass.
    pub(super) fn flows(&self, world: &mut World) -> bool {
        (0..self.bulkheads.len()).all(|route| {
            let breaker = world.standing(self.place, RouteId(route)).breaker;
            breaker.is_none_or(|state| state == State::Closed)
        })
    }

    /// What it has seen reached.
    pub(super) fn reached(&self) -> Reached {
        self.reached.and(self.shares.reached)
    }

    /// What was held is given back.
    pub(super) fn check_end(&self, world: &mut World) -> Kept {
        let in_flight: u32 = world.sightings(self.place).tasks.iter().map(|t| t.in_flight).sum();
        let queued = world.queued(self.place);
        let routes = 0..self.bulkheads.len();
        let standing = routes.map(|route| world.standing(self.place, RouteId(route)));
        let held = standing.map(|one| (one.running, one.abandoned));
        let (running, abandoned) = held.fold((0, 0), |all, one| (all.0 + one.0, all.1 + one.1));
        if (running, abandoned, in_flight, queued) == (0, 0, 0, 0) {
            return Ok(());
        }
        let what = format!(
            "{running} calls hold a place in the bulkhead, {abandoned} of them abandoned; {in_flight} are in \
             flight, {queued} wait"
        );
        Err((Rule::GivenBack, what))
    }
}
