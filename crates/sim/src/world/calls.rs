//! The way of a call from a task to another service, and back again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use seaworthy_core::endpoints::TaskId;
use seaworthy_core::experiment::LinkFault;
use seaworthy_core::experiment::caller::Caller;
use seaworthy_core::policy::timeout::to_millis;
use seaworthy_core::time::Instant;

use super::caller::{Try, Want, Word};
use super::data::Answer;
use super::link::{Fate, Link};
use super::planted::Planted;
use super::task::Process;
use super::work::has_body;
use super::{Arrival, Event, Local, News, Said, World};

/// The tickets of calls begin here: all below are for those of users.
const FIRST: u64 = 1 << 63;

/// Everything between tasks and the services that they call.
#[derive(Debug, Default)]
pub(super) struct Between {
    /// By the place of the service that is called.
    links: BTreeMap<usize, Link>,
    /// What is under way, by ticket.
    outgoing: BTreeMap<u64, Outgoing>,
    /// How much there has been of it.
    sent: u64,
}

/// A try of a call that has left its task.
#[derive(Debug)]
struct Outgoing {
    /// The place of its task's service,
    place: usize,
    task: TaskId,
    one: Try,
    /// and that of the service it goes to.
    to: usize,
    arrival: Arc<Arrival>,
    /// Until when its task waits for it,
    deadline: Option<Instant>,
    /// and so much time its header says that there is.
    left: Option<Duration>,
    /// Half of the answer is lost on the way.
    halved: bool,
}

// === impl Between ===

impl Between {
    /// Tries that have left their task and have not come back.
    pub(super) fn under_way(&self) -> usize {
        self.outgoing.len()
    }
}

// === impl World ===

impl World {
    /// The tasks of the service at `place` call others. To be said before they have requests.
    pub fn teach(&mut self, place: usize, mut caller: Caller) {
        if self.has(Planted::CallersRetryForFree) {
            let retries = caller.dependencies.iter_mut().filter_map(|one| one.retry.as_mut());
            retries.for_each(|retry| retry.budget.success_percent = 1000);
        }
        self.services[place].caller = Some(caller).filter(|caller| !caller.dependencies.is_empty());
    }

    /// Calls to the service at `place` go over a link that can be disturbed; `seed` draws whom that meets.
    pub fn link(&mut self, place: usize, seed: u64) {
        self.between.links.insert(place, Link::new(seed));
    }

    /// The link before the service at `place` is disturbed until [`mend_link`](Self::mend_link) is told
    /// the same `id`.
    pub fn disturb_link(&mut self, place: usize, id: u32, fault: LinkFault) {
        if let Some(link) = self.between.links.get_mut(&place) {
            link.inflict(id, fault);
        }
    }

    /// What was done to a link is over. How many calls have met it.
    pub fn mend_link(&mut self, place: usize, id: u32) -> u64 {
        let Some(link) = self.between.links.get_mut(&place) else { return 0 };
        let (met, stalled) = link.heal(id);
        for ticket in stalled {
            self.after(self.physics.hop, place, Local::Call(ticket));
        }
        met
    }

    /// When each call came to the link before the service at `place`.
    pub fn arrivals(&self, place: usize) -> &[Instant] {
        self.between.links.get(&place).map(Link::arrivals).unwrap_or_default()
    }

    /// Does what the calls of a task want done.
    pub(super) fn carry_on(&mut self, place: usize, task: TaskId) {
        let next = |process: &mut Process| process.calls.as_mut()?.poll();
        while let Some(want) = self.services[place].processes.get_mut(&task).and_then(next) {
            match want {
                Want::Ask { one, to, arrival, deadline } => {
                    let left = |until: Instant| to_millis(until.since(self.now));
                    let left = deadline.map(left).map(Duration::from_millis);
                    let halved = false;
                    self.ask(Outgoing { place, task, one, to, arrival, deadline, left, halved });
                }
                Want::Wake(at, call) => {
                    let late = self.physics.timer(&mut self.lateness);
                    self.agenda.add(at + late, Event::At(place, Local::Wake(task, call)));
                }
                Want::Tell(noted) => {
                    if let Some(all) = &mut self.overheard {
                        all.push((self.now, place, Said::Noted(task, noted)));
                    }
                }
                Want::Answer { job, status, degraded } => {
                    self.answer(place, task, job, status, degraded);
                }
            }
        }
    }

    /// A call leaves its task.
    fn ask(&mut self, mut call: Outgoing) {
        let ticket = FIRST + self.between.sent;
        self.between.sent += 1;
        let link = self.between.links.get_mut(&call.to);
        let fate = link.map(|link| link.arrive(self.now, ticket));
        let hop = self.physics.hop;
        match fate.unwrap_or(Fate::Passed { halved: false }) {
            Fate::Passed { halved } => {
                call.halved = halved;
                self.after(hop, call.to, Local::Call(ticket));
            }
            Fate::Answered(status) => self.after(hop, call.place, Local::Back(ticket, status)),
            Fate::Stalled => {}
        }
        self.between.outgoing.insert(ticket, call);
    }

    /// It reaches the gateway. If a link has held it for so long that nobody waits any more, its connection is closed.
    pub(super) fn arrive(&mut self, ticket: u64) {
        let Some(call) = self.between.outgoing.get(&ticket) else { return };
        let (to, mut arrival) = (call.to, Arrival::clone(&call.arrival));
        let is_left = call.deadline.is_some_and(|until| until <= self.now);
        // What the request was hashed by counts where it came in.
        arrival.affinity = self.affinity(to, &arrival.target).unwrap_or(arrival.affinity);
        let deadline = call.left.map(|left| self.now + left);
        self.begin(to, ticket, &arrival, deadline);
        if is_left && self.leave(to, ticket) {
            self.between.outgoing.remove(&ticket);
        }
    }

    /// The connections of a task that is no more are closed: nobody waits for what it has asked for.
    pub(super) fn hang_up(&mut self, place: usize, task: TaskId) {
        let mut asked = Vec::new();
        for (ticket, call) in &mut self.between.outgoing {
            if (call.place, call.task) == (place, task) {
                call.deadline = Some(self.now);
                asked.push((*ticket, call.to));
            }
        }
        for (ticket, to) in asked {
            if self.leave(to, ticket) {
                self.between.outgoing.remove(&ticket);
            }
        }
    }

    /// A request has no other outcome than that its client has left.
    pub(super) fn given_up(&mut self, ticket: u64) {
        if ticket < FIRST {
            self.news.push_back(News::GivenUp(ticket));
        } else {
            self.between.outgoing.remove(&ticket);
        }
    }

    /// The gateway is done with a request.
    pub(super) fn give(&mut self, answer: Answer) {
        let Answer { ticket, status, task, degraded } = answer;
        if ticket < FIRST {
            return self.news.push_back(News::Answered { ticket, status, task, degraded });
        }
        let Some(call) = self.between.outgoing.get(&ticket) else { return };
        let (place, status) =
            (call.place, status.filter(|status| !(call.halved && has_body(*status))));
        let mut held = self.between.links.get_mut(&call.to).map(Link::hold).unwrap_or_default();
        if !held.is_zero() {
            held += self.physics.timer(&mut self.lateness);
        }
        self.after(self.physics.hop + held, place, Local::Back(ticket, status));
    }

    /// What came of a call reaches its task, if that is still there.
    pub(super) fn come_back(&mut self, ticket: u64, status: Option<u16>) {
        if let Some(Outgoing { place, task, one, .. }) = self.between.outgoing.remove(&ticket)
            && !self.has(Planted::CallsAreLost)
        {
            self.hear(place, task, Word::Came(one, status));
        }
    }

    /// A task hears something of its calls.
    pub(super) fn hear(&mut self, place: usize, task: TaskId, word: Word) {
        let Some(process) = self.services[place].processes.get_mut(&task) else { return };
        process.hear(self.now, word);
        self.carry_on(place, task);
    }
}
