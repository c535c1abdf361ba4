//! A fleet in virtual time: agent, gateway and tasks, with nothing but physics between them.
//!
//! Every event has its moment and its place in line; nothing ticks. The world is told what people and
//! fate do ([`World::send`], [`World::kill`], …), and tells what came of it as [`News`].

mod caller;
mod calls;
mod control;
mod data;
mod due;
mod events;
mod fate;
mod link;
mod memory;
mod physics;
pub(crate) mod planted;
mod stale;
mod steer;
mod strain;
mod task;
mod watch;
mod way;
mod work;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use seaworthy_core::cluster::Numbers;
use seaworthy_core::cluster::autoscaler::SAMPLE_EVERY;
use seaworthy_core::cluster::reconciler;
use seaworthy_core::cluster::spread::{Dark, Site};
use seaworthy_core::endpoints::{HEARTBEAT, TaskId};
use seaworthy_core::experiment::caller::Caller;
use seaworthy_core::fleet::{self, Fleet};
use seaworthy_core::machine::{Machine, soonest};
use seaworthy_core::random::{Stream, draw};
use seaworthy_core::time::Instant;

use crate::agenda::Agenda;
use crate::distribution::Dice;
use crate::machine::Pace;
use caller::Word;
use calls::Between;
use control::Control;
use data::Data;
use due::{Due, Standstill};
use events::{Event, Local, Reply};
use planted::Planted;
use task::Process;

pub use caller::Noted;
pub use data::{Arrival, Tries};
pub use events::{News, Overheard, Said};
pub use physics::PAUSE;
pub(crate) use physics::{MOST_CROWDED, Turns};
pub use physics::{Network, Physics, Stalls};
pub use seaworthy_core::experiment::model::Program;
pub use strain::{Room, Strain};

/// A fleet in virtual time.
#[derive(Debug)]
pub struct World {
    now: Instant,
    physics: Physics,
    standstill: Standstill,
    agenda: Agenda<Event>,
    services: Vec<Service>,
    news: VecDeque<News>,
    network: Dice,
    lateness: Dice,
    /// What the gateway is to be told next, when all that it wants is carried out.
    words: VecDeque<data::Word>,
    agent_is_down: bool,
    agent_is_busy_until: Instant,
    /// What it has not heard yet, for the service at that place, and whether it is to be told the time for it.
    inbox: VecDeque<(usize, reconciler::Event)>,
    inbox_is_due: bool,
    /// Tasks that have ended before a request met what was done to them.
    unmet: BTreeSet<(TaskId, u32)>,
    /// How often the gateway was started again.
    gateways: u32,
    /// The agent and the gateway do not hear each other.
    pub partitioned: bool,
    /// How flows of the load differ, by their place.
    pub(crate) paces: Vec<Pace>,
    planted: Option<Planted>,
    overheard: Option<Vec<Overheard>>,
    between: Between,
}

/// One service.
#[derive(Debug)]
struct Service {
    control: Control,
    data: Data,
    processes: BTreeMap<TaskId, Process>,
    /// By revision, the first of them at 0.
    programs: Vec<Program>,
    /// How its tasks call others, if they do.
    caller: Option<Caller>,
    /// From which its tasks draw.
    seed: u64,
    starts: Dice,
    /// Where the power is off for its machines,
    off: Dark,
    /// and where it was when the agent last heard of it.
    dark: Vec<Site>,
    work: Dice,
    /// When the gateway wants to be told the time, and the agent.
    data_due: Due,
    control_due: Due,
    /// When a user's request last came, if one has.
    asked: Option<Instant>,
    /// From when on nobody has to be woken up for it.
    awake: Instant,
    /// When the last message from the gateway arrives, and the last one from the agent: none overtakes
    /// another.
    arrivals: [Instant; 2],
}

// === impl World ===

impl World {
    /// A fleet of which nothing runs yet; `programs` are those of its services.
    pub fn new(fleet: &Fleet, programs: &[Program], physics: Physics) -> Self {
        Self::of([fleet.seed; 2], &fleet.services, programs, physics)
    }

    /// The same of these services alone. What the fleet decides draws from `seed`, as live: how long provisioning takes, who
    /// is asked. What happens to it draws from `chance`, as do programs, which have a seed of their own.
    pub fn of(
        [seed, chance]: [u64; 2],
        services: &[fleet::Service],
        programs: &[Program],
        physics: Physics,
    ) -> Self {
        let places = services.len();
        let service = |(place, service): (usize, &fleet::Service)| {
            let its = draw(chance, Stream::Network, place as u64);
            Service {
                control: Control::new(service, seed, Numbers::of(place, places)),
                data: Data::new(service, seed),
                processes: BTreeMap::new(),
                programs: vec![programs[place]],
                caller: None,
                seed: its,
                starts: Dice::new(its, Stream::Start),
                off: Dark::default(),
                dark: Vec::new(),
                work: Dice::new(its, Stream::Service),
                data_due: Due::default(),
                control_due: Due::default(),
                asked: None,
                awake: Instant::EPOCH,
                arrivals: [Instant::EPOCH; 2],
            }
        };
        let mut world = Self {
            now: Instant::EPOCH,
            standstill: Standstill::of(&physics, chance),
            physics,
            agenda: Agenda::new(),
            services: services.iter().enumerate().map(service).collect(),
            news: VecDeque::new(),
            network: Dice::new(chance, Stream::Network),
            lateness: Dice::new(chance, Stream::Machine),
            words: VecDeque::new(),
            agent_is_down: false,
            agent_is_busy_until: Instant::EPOCH,
            inbox: VecDeque::new(),
            inbox_is_due: false,
            unmet: BTreeSet::new(),
            gateways: 0,
            partitioned: false,
            paces: Vec::new(),
            planted: None,
            overheard: None,
            between: Between::default(),
        };
        world.turn((0..places).map(|place| (place, None)).collect());
        world.agenda.add(Instant::EPOCH, Event::Heartbeat);
        world.agenda.add(Instant::EPOCH, Event::Sample);
        world
    }

    /// The moment that has been reached.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// What has come of it all, in order.
    pub fn poll_news(&mut self) -> Option<News> {
        self.news.pop_front()
    }

    /// Lets time pass until there is news, but not beyond `until`.
    pub fn advance(&mut self, until: Instant) {
        while self.news.is_empty() {
            let dues =
                self.services.iter().map(|one| soonest(one.data_due.wakes, one.control_due.wakes));
            let due = dues.fold(self.agenda.next(), soonest).filter(|due| *due <= until);
            let due = due.map(|due| self.standstill.done(due));
            let Some(due) = due.filter(|due| *due <= until) else {
                self.now = self.now.max(until);
                return;
            };
            self.now = self.now.max(due);
            match self.agenda.take(self.now) {
                Some(event) => self.happen(event),
                None => (0..self.services.len()).for_each(|place| self.time(place)),
            }
        }
    }

    /// Of which service it is.
    pub(crate) fn place(&self, task: TaskId) -> usize {
        let of = |place: &usize| Numbers::of(*place, self.services.len()).include(task);
        (0..self.services.len()).find(of).expect("every task is of one service")
    }

    fn after(&mut self, delay: Duration, place: usize, local: Local) {
        self.agenda.add(self.now + delay, Event::At(place, local));
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Heartbeat => {
                (0..self.services.len()).for_each(|place| self.report(place));
                self.agenda.add(self.now + HEARTBEAT, Event::Heartbeat);
            }
            Event::Sample => {
                for place in 0..self.services.len() {
                    let control = &mut self.services[place].control;
                    if let (Some(change), false) = (control.sample(self.now), self.agent_is_down) {
                        self.control(place, Some(reconciler::Event::Autoscale(change)));
                    }
                }
                self.agenda.add(self.now + SAMPLE_EVERY, Event::Sample);
            }
            Event::Inbox => self.read_inbox(),
            Event::At(place, local) => self.happen_at(place, local),
        }
    }

    fn happen_at(&mut self, place: usize, local: Local) {
        match local {
            Local::Reach(task, job) => self.reach(place, task, job),
            Local::Finish(task, job) => self.finish(place, task, job),
            Local::GiveUp(task, job) => self.give_up(place, task, job),
            Local::Closed(task, call, attempt) => self.close(place, task, call, attempt),
            Local::Reply(task, job, reply) => self.replied(place, task, job, reply),
            Local::Probed(gateway, probe, result) => self.checked(place, gateway, probe, result),
            Local::Heard(event) => self.control(place, Some(*event)),
            Local::Sightings(seen) => {
                self.control(place, Some(reconciler::Event::Sightings(*seen)));
            }
            Local::Endpoints(endpoints) => self.hear_endpoints(place, *endpoints),
            Local::Signal(task, signal) => self.signal(place, task, signal),
            Local::Listens(task) => self.listen(place, task),
            Local::Crash(task, exit) => self.crash(place, task, exit),
            Local::Call(ticket) => self.arrive(ticket),
            Local::Back(ticket, status) => self.come_back(ticket, status),
            Local::Wake(task, call) => self.hear(place, task, Word::Time(call)),
        }
    }

    /// The time has come for whatever waited for it.
    fn time(&mut self, place: usize) {
        let Service { data_due, control_due, .. } = self.services[place];
        let [data, control] = [data_due, control_due].map(|due| due.has_come(self.now));
        if data && self.has(Planted::TimeIsForgotten) {
            self.services[place].data_due = Due::default();
        } else if data {
            self.services[place].data.group.handle_timeout(self.now);
            self.carry_out(place);
        }
        if control {
            self.control(place, None);
        }
    }
}
