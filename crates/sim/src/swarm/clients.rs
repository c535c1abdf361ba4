//! Those who send requests, and what becomes of these.

use std::collections::{BTreeMap, VecDeque};

use seaworthy_core::endpoints::TaskId;
use seaworthy_core::machine::soonest;
use seaworthy_core::time::Instant;

use super::load::{self, Load};
use super::rule::Rule;
use super::scenario::{Insistence, Scenario};
use super::sometimes::{Reached, Sometimes};
use crate::agenda::Agenda;
use crate::world::Arrival;

/// Everybody who sends requests.
#[derive(Debug)]
pub(super) struct Clients {
    crowds: Vec<Crowd>,
    tickets: Vec<Ticket>,
    /// Who has waited long enough then, by ticket.
    patience: Agenda<usize>,
    deeds: VecDeque<Deed>,
    /// What is sent now must succeed: for this rule.
    pub(super) must: Option<Rule>,
    pub(super) reached: Reached,
}

/// The clients of one service.
#[derive(Debug)]
struct Crowd {
    load: Load,
    insistence: Option<Insistence>,
    /// They keep the service's cookie,
    sticks: bool,
    /// by which each is used to a task.
    used_to: BTreeMap<u64, TaskId>,
}

/// What a client does.
#[derive(Debug)]
pub(super) enum Deed {
    /// It sends this to the service at this place.
    Send { place: usize, ticket: u64, arrival: Arrival },
    /// It closes the connection on which it has sent that.
    Leave { place: usize, ticket: u64 },
}

/// What became of a request.
#[derive(Clone, Debug)]
pub(super) struct Ticket {
    pub(super) place: usize,
    /// It must succeed: for this rule.
    pub(super) must: Option<Rule>,
    over: bool,
    well: bool,
    /// What is sent again after so many times, if that may be.
    again: Option<(Box<Arrival>, u32)>,
    user: u64,
}

// === impl Clients ===

impl Clients {
    /// Of each service, whether they keep its cookie.
    pub(super) fn new(scenario: &Scenario, stick: impl Iterator<Item = bool>) -> Self {
        let crowd = |(place, sticks): (usize, bool)| {
            let member = &scenario.services[place];
            let load = Load::new(scenario.seed, place, member);
            Crowd { load, insistence: member.insistence, sticks, used_to: BTreeMap::new() }
        };
        Self {
            crowds: stick.enumerate().map(crowd).collect(),
            tickets: Vec::new(),
            patience: Agenda::new(),
            deeds: VecDeque::new(),
            must: None,
            reached: Reached::default(),
        }
    }

    /// So many requests were sent.
    pub(super) fn count(&self) -> u64 {
        self.tickets.len() as u64
    }

    /// They begin.
    pub(super) fn begin(&mut self, now: Instant) {
        self.crowds.iter_mut().for_each(|crowd| crowd.load.next = now);
    }

    pub(super) fn calm_down(&mut self, now: Instant) {
        self.crowds.iter_mut().for_each(|crowd| crowd.load.calm_down(now));
    }

    /// Many more come to the service at `place`.
    pub(super) fn burst(&mut self, place: usize, until: Instant, times: u32) {
        self.crowds[place].load.burst(until, times);
    }

    /// When somebody does something next.
    pub(super) fn next(&self) -> Option<Instant> {
        let loads = self.crowds.iter().map(|crowd| crowd.load.next).min();
        soonest(loads, self.patience.next())
    }

    /// Something that is done now.
    pub(super) fn poll(&mut self, now: Instant) -> Option<Deed> {
        while let Some(ticket) = self.patience.take(now) {
            self.lose_patience(now, ticket);
        }
        if let Some(deed) = self.deeds.pop_front() {
            return Some(deed);
        }
        let crowd = self.crowds.iter_mut().find(|crowd| crowd.load.next <= now)?;
        let (place, arrival) = (crowd.load.place, crowd.load.take(now));
        Some(self.send(now, place, arrival, 1))
    }

    /// Somebody sends what kills whoever takes it.
    pub(super) fn send_deadly(&mut self, place: usize, thing: u64) -> Deed {
        let ticket = self.ticket(place, 0, None);
        self.tickets[ticket as usize].must = None;
        let arrival = Arrival { deadly: Some(place), ..load::request("GET", thing, 0) };
        Deed::Send { place, ticket, arrival }
    }

    fn ticket(&mut self, place: usize, user: u64, again: Option<(Box<Arrival>, u32)>) -> u64 {
        let Self { must, .. } = *self;
        self.tickets.push(Ticket { place, must, over: false, well: false, again, user });
        self.tickets.len() as u64 - 1
    }

    /// Sends this for the `nth` time.
    fn send(&mut self, now: Instant, place: usize, mut arrival: Arrival, nth: u32) -> Deed {
        let crowd = &self.crowds[place];
        if crowd.sticks {
            arrival.preferred = crowd.used_to.get(&arrival.user).copied();
        }
        let insistence = crowd.insistence;
        let again = insistence.map(|_| (Box::new(arrival.clone()), nth));
        let ticket = self.ticket(place, arrival.user, again);
        if let Some(Insistence { wait, .. }) = insistence {
            self.patience.add(now + wait, ticket as usize);
        }
        Deed::Send { place, ticket, arrival }
    }

    /// A client has waited for so long: it leaves if it has no answer, and asks again if it has no good
    /// one.
    fn lose_patience(&mut self, now: Instant, number: usize) {
        let ticket = &mut self.tickets[number];
        let (place, over, well) = (ticket.place, ticket.over, ticket.well);
        let again = ticket.again.take().filter(|_| !well);
        if !over {
            self.deeds.push_back(Deed::Leave { place, ticket: number as u64 });
        }
        let attempts = self.crowds[place].insistence.map_or(1, |insistence| insistence.attempts);
        if let Some((arrival, nth)) = again.filter(|(_, nth)| *nth < attempts) {
            self.reached.add(Sometimes::AskedAgain);
            let deed = self.send(now, place, *arrival, nth + 1);
            self.deeds.push_back(deed);
        }
    }

    /// A request has an outcome. Whose it is; none if it had one before.
    pub(super) fn over(
        &mut self,
        number: u64,
        task: Option<TaskId>,
        well: bool,
    ) -> Option<&Ticket> {
        let ticket = &mut self.tickets[number as usize];
        if std::mem::replace(&mut ticket.over, true) {
            return None;
        }
        ticket.well = well;
        let crowd = &mut self.crowds[ticket.place];
        if let (Some(task), true) = (task, crowd.sticks) {
            crowd.used_to.insert(ticket.user, task);
        }
        Some(ticket)
    }

    /// A request was given up when its client left.
    pub(super) fn left(&mut self, number: u64) {
        self.reached.add(Sometimes::Left);
        self.tickets[number as usize].over = true;
    }

    /// A request that has no outcome.
    pub(super) fn lost(&self) -> Option<usize> {
        self.tickets.iter().position(|ticket| !ticket.over)
    }
}
