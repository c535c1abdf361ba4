//! A fleet in virtual time: agent, gateway and tasks, with nothing but physics between them.
//!
//! Every event has its moment and its place in line; nothing ticks. The world is told what people and
//! fate do ([`World::send`], [`World::kill`], …), and tells what came of it as [`News`].

mod control;
mod data;
mod physics;
mod task;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use seaworthy_core::call::Failure;
use seaworthy_core::cluster::reconciler::{self, Signal};
use seaworthy_core::cluster::{self, Numbers, View};
use seaworthy_core::endpoints::{Endpoints, Sightings, TaskId};
use seaworthy_core::experiment::TaskFault;
use seaworthy_core::fleet::{self, Fleet};
use seaworthy_core::health::{Failing, ProbeId, Probed};
use seaworthy_core::machine::{Machine, soonest};
use seaworthy_core::random::{Stream, draw};
use seaworthy_core::record::{Exit, Record};
use seaworthy_core::target_group;
use seaworthy_core::time::Instant;

use crate::agenda::Agenda;
use crate::distribution::Dice;
use control::Control;
use data::{Data, Done};
use task::{Effect, Job, Process, State};

pub use data::Arrival;
pub use physics::{Network, Physics};
pub use seaworthy_core::experiment::model::Program;

/// The gateway tells what it sees so often, and whenever something was decided.
const HEARTBEAT: Duration = Duration::from_millis(100);
/// The agent looks so often at how many tasks there should be.
const SAMPLE: Duration = Duration::from_secs(1);
const SIGABRT: i32 = 6;
const SIGKILL: i32 = 9;

/// A fleet in virtual time.
#[derive(Debug)]
pub struct World {
    now: Instant,
    physics: Physics,
    agenda: Agenda<Event>,
    services: Vec<Service>,
    news: VecDeque<News>,
    network: Dice,
    /// The agent and the gateway do not hear each other.
    pub partitioned: bool,
}

/// One service.
#[derive(Debug)]
struct Service {
    control: Control,
    data: Data,
    processes: BTreeMap<TaskId, Process>,
    /// By revision, the first of them at 0.
    programs: Vec<Program>,
    starts: Dice,
    work: Dice,
}

/// What happens at a moment.
#[derive(Debug)]
enum Event {
    /// The gateway tells what it sees.
    Heartbeat,
    /// The agent looks at the load.
    Sample,
    /// Of the service at this place.
    At(usize, Local),
}

/// What happens to one service.
#[derive(Debug)]
enum Local {
    /// A request reaches a task.
    Reach(TaskId, Job),
    /// The work on it comes to its end.
    Finish(TaskId, Job),
    /// What becomes of it reaches the gateway.
    Reply(TaskId, Job, Reply),
    Probed(ProbeId, Probed),
    /// From the gateway to the agent.
    Sightings(Box<Sightings>),
    /// From the agent to the gateway.
    Endpoints(Endpoints),
    /// A process listens from now on.
    Listens(TaskId),
    /// A process ends by itself.
    Crash(TaskId),
}

/// What the gateway gets for a try.
#[derive(Clone, Copy, Debug)]
enum Reply {
    /// A whole answer, with this status.
    Whole(u16),
    /// A head with this status, and then the connection ends.
    Half(u16),
    Failed(Failure),
}

/// What came of what happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// A request is over.
    Answered {
        /// As it was sent.
        ticket: u64,
        /// The status of its answer; none if that was cut short.
        status: Option<u16>,
        /// The task that gave it; none if the gateway did.
        task: Option<TaskId>,
    },
    /// The agent has decided something of the service at this place.
    Controlled(usize, Record),
    /// The gateway has.
    Served(usize, Record),
    /// The tasks of the service at this place are told anew.
    Tasks(usize),
    /// A process listens.
    Listens(TaskId),
    /// A process has ended.
    Ended(TaskId),
}

// === impl World ===

impl World {
    /// A fleet of which nothing runs yet; `programs` are those of its services.
    pub fn new(fleet: &Fleet, programs: &[Program], physics: Physics) -> Self {
        let places = fleet.services.len();
        let service = |(place, service): (usize, &fleet::Service)| {
            let seed = draw(fleet.seed, Stream::Network, place as u64);
            Service {
                control: Control::new(service, fleet.seed, Numbers::of(place, places)),
                data: Data::new(service, seed),
                processes: BTreeMap::new(),
                programs: vec![programs[place]],
                starts: Dice::new(seed, Stream::Start),
                work: Dice::new(seed, Stream::Service),
            }
        };
        let mut world = Self {
            now: Instant::EPOCH,
            physics,
            agenda: Agenda::new(),
            services: fleet.services.iter().enumerate().map(service).collect(),
            news: VecDeque::new(),
            network: Dice::new(fleet.seed, Stream::Network),
            partitioned: false,
        };
        (0..places).for_each(|place| world.control(place, None));
        world.agenda.add(Instant::EPOCH, Event::Heartbeat);
        world.agenda.add(Instant::EPOCH, Event::Sample);
        world
    }

    /// The moment that has been reached.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// The tasks of the service at `place` that are not gone.
    pub fn views(&self, place: usize) -> Vec<View> {
        self.services[place].control.reconciler.views()
    }

    /// Floor and ceiling of the service at `place`.
    pub fn bounds(&self, place: usize) -> (u32, u32) {
        self.services[place].control.reconciler.bounds()
    }

    /// What has come of it all, in order.
    pub fn poll_news(&mut self) -> Option<News> {
        self.news.pop_front()
    }

    /// Lets time pass until there is news, but not beyond `until`.
    pub fn advance(&mut self, until: Instant) {
        while self.news.is_empty() {
            let deadlines = self.services.iter().map(Service::deadline);
            let due = deadlines.fold(self.agenda.next(), soonest);
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

    /// A request reaches the gateway.
    pub fn send(&mut self, place: usize, ticket: u64, arrival: &Arrival) {
        let input = self.services[place].data.begin(ticket, arrival);
        self.data(place, input);
    }

    /// The process of a task is killed from outside.
    pub fn kill(&mut self, task: TaskId) -> bool {
        let place = self.place(task);
        let runs = self.services[place].processes.contains_key(&task);
        self.end(place, task, Exit::Signal(SIGKILL));
        runs
    }

    /// A person tells the agent something about the service at `place`.
    pub fn tell(&mut self, place: usize, event: reconciler::Event) {
        self.control(place, Some(event));
    }

    /// A new revision of the service at `place`, whose tasks run another program, or the same one again.
    pub fn deploy(&mut self, place: usize, config: cluster::Config, program: Option<Program>) {
        let programs = &mut self.services[place].programs;
        programs.push(program.unwrap_or(programs[programs.len() - 1]));
        let revision = programs.len() as u32;
        self.control(place, Some(reconciler::Event::Deploy(Box::new(config), revision)));
    }

    /// A task goes on, and badly, until [`mend`](Self::mend) is told the same `id`.
    pub fn disturb(&mut self, task: TaskId, id: u32, fault: TaskFault) {
        let place = self.place(task);
        let Some(process) = self.services[place].processes.get_mut(&task) else { return };
        process.faults.push((id, fault));
        process.hangs |= fault == TaskFault::Hang;
    }

    /// What was done to a task is over.
    pub fn mend(&mut self, task: TaskId, id: u32) {
        let place = self.place(task);
        let Some(process) = self.services[place].processes.get_mut(&task) else { return };
        process.faults.retain(|(other, _)| *other != id);
        if process.hangs && !process.faults.iter().any(|(_, fault)| *fault == TaskFault::Hang) {
            for job in process.go_on() {
                self.agenda.add(self.now, Event::At(place, Local::Finish(task, job)));
            }
            self.work(place, task);
        }
    }

    fn place(&self, task: TaskId) -> usize {
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
                    if let Some(count) = self.services[place].control.sample(self.now) {
                        self.control(place, Some(reconciler::Event::Scale(count)));
                    }
                }
                self.agenda.add(self.now + SAMPLE, Event::Sample);
            }
            Event::At(place, local) => self.happen_at(place, local),
        }
    }

    fn happen_at(&mut self, place: usize, local: Local) {
        match local {
            Local::Reach(task, job) => self.reach(place, task, job),
            Local::Finish(task, job) => self.finish(place, task, job),
            Local::Reply(task, job, reply) => {
                if let Some(input) = self.services[place].data.reply(task, job, reply) {
                    self.data(place, input);
                }
            }
            Local::Probed(probe, result) => {
                self.data(place, target_group::Input::Probed(probe, result));
            }
            Local::Sightings(seen) => {
                self.control(place, Some(reconciler::Event::Sightings(*seen)));
            }
            Local::Endpoints(endpoints) => {
                self.data(place, target_group::Input::Endpoints(endpoints));
                self.report(place);
            }
            Local::Listens(task) => {
                let Some(process) = self.services[place].processes.get_mut(&task) else { return };
                if process.state == State::Starting {
                    process.state = State::Listening;
                    let crashes_after = process.program.crashes_after;
                    self.news.push_back(News::Listens(task));
                    if let Some(after) = crashes_after {
                        self.after(after, place, Local::Crash(task));
                    }
                }
            }
            Local::Crash(task) => self.end(place, task, Exit::Code(1)),
        }
    }

    /// The time has come for whatever waited for it.
    fn time(&mut self, place: usize) {
        let service = &self.services[place];
        let now = self.now;
        let is_due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        let control = service.control.reconciler.poll_timeout();
        if is_due(service.data.group.poll_timeout()) {
            self.services[place].data.group.handle_timeout(self.now);
            self.carry_out(place);
        }
        if is_due(control) {
            self.control(place, None);
        }
    }

    // The way of data

    /// Tells the gateway, and does what it wants.
    fn data(&mut self, place: usize, input: target_group::Input) {
        self.services[place].data.group.handle(self.now, input);
        self.carry_out(place);
    }

    fn carry_out(&mut self, place: usize) {
        let mut decided = false;
        // What it wants may call for another word to it, which waits until all is carried out.
        let mut words = VecDeque::new();
        loop {
            let data = &mut self.services[place].data;
            let Some(action) = data.group.poll_action() else {
                let Some(word) = words.pop_front() else { break };
                data.group.handle(self.now, word);
                continue;
            };
            match action {
                target_group::Action::Probe { probe, task, deadline, .. } => {
                    self.probe(place, probe, task, deadline);
                }
                target_group::Action::Call(action) => {
                    let Done { send, news, word } = data.carry_out(self.now, action);
                    self.news.extend(news);
                    words.extend(word);
                    if let Some((task, job)) = send {
                        self.after(self.physics.hop, place, Local::Reach(task, job));
                    }
                }
                target_group::Action::Record(record) => {
                    decided = true;
                    self.news.push_back(News::Served(place, record));
                }
            }
        }
        if decided {
            self.report(place);
        }
    }

    fn probe(&mut self, place: usize, probe: ProbeId, task: TaskId, deadline: Instant) {
        let process = self.services[place].processes.get(&task);
        let there_and_back = 2 * self.physics.hop;
        let (delay, result) = match process {
            Some(process) if process.hangs => {
                (deadline.since(self.now), Probed::Failed(Failing::Timeout))
            }
            Some(process) if process.listens() => {
                (there_and_back, Probed::Status(process.program.check_status))
            }
            _ => (there_and_back, Probed::Failed(Failing::Refused)),
        };
        self.after(delay, place, Local::Probed(probe, result));
    }

    /// The gateway tells the agent what it sees.
    fn report(&mut self, place: usize) {
        let group = &self.services[place].data.group;
        let seen = group.sightings(self.now, group.version());
        self.pass_on(place, Local::Sightings(Box::new(seen)));
    }

    /// Over the link between agent and gateway.
    fn pass_on(&mut self, place: usize, message: Local) {
        let Network { latency, loss } = self.physics.link;
        if !self.partitioned && !self.network.chance(loss) {
            let delay = self.network.duration(latency);
            self.after(delay, place, message);
        }
    }

    // The tasks

    fn reach(&mut self, place: usize, task: TaskId, job: Job) {
        let hop = self.physics.hop;
        let Some(process) = self.services[place].processes.get_mut(&task) else {
            return self.after(hop, place, Local::Reply(task, job, data::refused()));
        };
        if !process.listens() {
            return self.after(hop, place, Local::Reply(task, job, data::refused()));
        }
        if job.deadly && !process.hangs {
            process.take(job);
            return self.end(place, task, Exit::Signal(SIGABRT));
        }
        let at_once = process.faults.iter().find_map(|(_, fault)| match fault {
            TaskFault::Fail => Some(Reply::Whole(500)),
            TaskFault::Reset => Some(data::closed()),
            TaskFault::Hang | TaskFault::Slow(_) | TaskFault::HalfAnswer => None,
        });
        let busy = process.is_full().then_some(Reply::Whole(503));
        match at_once.or(busy).filter(|_| !process.hangs) {
            Some(reply) => self.after(hop, place, Local::Reply(task, job, reply)),
            None => {
                if let Some(Effect::Begin(job)) = process.take(job) {
                    self.begin_work(place, task, job);
                }
            }
        }
    }

    fn begin_work(&mut self, place: usize, task: TaskId, job: Job) {
        let service = &mut self.services[place];
        let work = service.work.duration(service.processes[&task].program.work);
        self.after(work, place, Local::Finish(task, job));
    }

    fn finish(&mut self, place: usize, task: TaskId, job: Job) {
        let Some(process) = self.services[place].processes.get_mut(&task) else { return };
        if !process.finish(job) {
            return;
        }
        let status = process.program.status;
        let mut reply = Reply::Whole(status);
        let mut delay = self.physics.hop;
        for (_, fault) in &process.faults {
            match fault {
                TaskFault::Slow(latency) => delay += *latency,
                TaskFault::HalfAnswer => reply = Reply::Half(status),
                TaskFault::Hang | TaskFault::Fail | TaskFault::Reset => {}
            }
        }
        self.after(delay, place, Local::Reply(task, job, reply));
        self.work(place, task);
    }

    /// A process does whatever it can do next.
    fn work(&mut self, place: usize, task: TaskId) {
        while let Some(effect) =
            self.services[place].processes.get_mut(&task).and_then(Process::next)
        {
            match effect {
                Effect::Begin(job) => self.begin_work(place, task, job),
                Effect::End => return self.end(place, task, Exit::Code(0)),
            }
        }
    }

    /// A process is no more, and whatever it had in hand.
    fn end(&mut self, place: usize, task: TaskId, exit: Exit) {
        let service = &mut self.services[place];
        let Some(process) = service.processes.remove(&task) else { return };
        service.data.disconnect(task);
        for job in process.in_hand() {
            self.after(self.physics.hop, place, Local::Reply(task, job, data::closed()));
        }
        self.news.push_back(News::Ended(task));
        self.control(place, Some(reconciler::Event::Exited(task, exit.into())));
    }

    // The way of control

    /// Tells the agent, and does what it wants.
    fn control(&mut self, place: usize, event: Option<reconciler::Event>) {
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            for action in self.services[place].control.drive(self.now, event) {
                events.extend(self.act(place, action).map(Some));
            }
        }
        self.news.push_back(News::Tasks(place));
    }

    fn act(&mut self, place: usize, action: reconciler::Action) -> Option<reconciler::Event> {
        match action {
            reconciler::Action::Launch { task, revision, .. } => {
                let service = &mut self.services[place];
                let program = service.programs[revision as usize - 1];
                service.processes.insert(task, Process::new(program));
                let start = service.starts.duration(program.start);
                self.after(start, place, Local::Listens(task));
                return Some(reconciler::Event::Launched(task));
            }
            reconciler::Action::Signal(task, signal) => self.signal(place, task, signal),
            reconciler::Action::Publish(endpoints) => {
                self.services[place].data.keep(&endpoints);
                self.pass_on(place, Local::Endpoints(endpoints));
            }
            reconciler::Action::Record(record) => {
                self.news.push_back(News::Controlled(place, record));
            }
        }
        None
    }

    fn signal(&mut self, place: usize, task: TaskId, signal: Signal) {
        let Some(process) = self.services[place].processes.get_mut(&task) else { return };
        if process.signal(signal) {
            let exit = match signal {
                Signal::Kill => Exit::Signal(SIGKILL),
                Signal::Terminate => Exit::Code(0),
            };
            self.end(place, task, exit);
        }
    }
}

// === impl Service ===

impl Service {
    /// When the time is wanted next.
    fn deadline(&self) -> Option<Instant> {
        soonest(self.data.group.poll_timeout(), self.control.reconciler.poll_timeout())
    }
}
