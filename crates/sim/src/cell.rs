//! One cell of a drill in virtual time: the same schedule, course, numbers and verdict as live.

mod faults;
mod refusal;

use std::collections::BTreeMap;
use std::time::Duration;

use seaworthy_core::cluster::View;
use seaworthy_core::endpoints::TaskId;
use seaworthy_core::experiment::course::Course;
use seaworthy_core::experiment::load::{CONNECTIONS, NOTICE, Planned};
use seaworthy_core::experiment::model::Program;
use seaworthy_core::experiment::numbers::{Answer, Degraded, Sample};
use seaworthy_core::experiment::{Cell, Configuration, Drill, Filling, Findings, Schedule, link};
use seaworthy_core::machine::soonest;
use seaworthy_core::random::Stream;
use seaworthy_core::record::Record;
use seaworthy_core::time::Instant;

use crate::agenda::Agenda;
use crate::distribution::Dice;
use crate::machine::Machine;
use crate::world::{Arrival, News, Turns, World};

use faults::{Coming, Lasting};
pub use refusal::{Error, check};

/// How often it is looked whether a fault has shown what it will.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// The ticket of what nobody counts: what opens connections before the load, and queries of death.
const NOBODY: u64 = (1 << 63) - 1;

/// One run of a cell.
struct Run<'a> {
    drill: &'a Drill,
    schedule: &'a Schedule,
    machine: &'a Machine,
    configuration: &'a Configuration,
    world: World,
    course: Course,
    /// Every decision of the agent so far, and how many of them the course knows.
    records: Vec<Record>,
    observed: usize,
    /// In order of time.
    coming: Vec<Coming>,
    /// How late whoever does them is, and who has waited long enough.
    lateness: Dice,
    lasting: Vec<Lasting>,
    /// Met by a fault that ends tasks.
    doomed: Vec<TaskId>,
    begin: Instant,
    samples: Vec<Sample>,
    planned: Vec<Planned>,
    /// Who has had enough unless there is a right answer by then, and how often it has asked.
    patience: Agenda<(usize, u32)>,
    /// Who wants the answer to each request.
    clients: Vec<Client>,
    /// The task that a user is used to, by the name of the cookie that says so: flows share what a user was given.
    used_to: BTreeMap<(&'a str, u32), TaskId>,
    /// Of each flow so many requests hold a connection, or wait to ask again.
    under_way: Vec<usize>,
    /// Of what nobody counts, so much is not answered.
    uncounted: usize,
    hop: Duration,
    /// When the generator's timers turn,
    turns: Turns,
    /// and for how long it sleeps on at most: each time that it sends something it looks at them.
    sleeps: Duration,
}

/// Whoever wants the answer to one request.
#[derive(Clone, Copy, Debug, Default)]
struct Client {
    /// How often it had asked before it did so last,
    asked: u32,
    /// and until when it waits after that.
    until: Duration,
    /// The task it was used to when it first asked: it says the same each time.
    preferred: Option<TaskId>,
    /// It has what it gets: it asks no more.
    is_done: bool,
}

/// Runs a cell on a machine that is never late, and just as quick as the model says; its fleet, load and
/// physics draw from `seed`. `drill` is as fast as it is to run.
pub fn run(drill: &Drill, cell: Cell, seed: u64) -> Result<Findings, Error> {
    run_on(drill, cell, [seed; 2], &Machine::default())
}

/// The same on this machine, where what happens by itself draws from `chance`: `seed` is then that of a run with real
/// processes, of which no more is known than what it means to do.
pub fn run_on(
    drill: &Drill,
    cell: Cell,
    [seed, chance]: [u64; 2],
    machine: &Machine,
) -> Result<Findings, Error> {
    let mut fleet = check(drill, cell)?.clone();
    fleet.seed = seed;
    let schedule = &drill.schedules[cell.schedule];
    let configuration = &drill.configurations[cell.configuration];
    let physics = machine.physics();
    let models = configuration.services().iter().zip(&configuration.models);
    let programs: Vec<Program> =
        models.map(|(service, model)| machine.program(&service.name, *model)).collect();
    let planned = schedule.requests(&drill.load, seed);
    let mut lateness = Dice::new(!chance, Stream::Machine);
    let mut run = Run {
        drill,
        schedule,
        configuration,
        world: World::of([seed, chance], &fleet.services, &programs, physics),
        course: Course::of(fleet.services.len()),
        records: Vec::new(),
        observed: 0,
        coming: Coming::of(schedule, &physics, &mut lateness),
        turns: Turns::of(&physics, &mut lateness),
        sleeps: physics.tick.min(drill.load.spacing() / 2),
        lateness,
        machine,
        lasting: Vec::new(),
        doomed: Vec::new(),
        begin: Instant::EPOCH,
        samples: planned.iter().map(unanswered).collect(),
        clients: vec![Client::default(); planned.len()],
        planned,
        patience: Agenda::new(),
        used_to: BTreeMap::new(),
        under_way: vec![0; drill.load.flows.len()],
        uncounted: 0,
        hop: physics.hop,
    };
    for (place, caller) in configuration.callers.iter().enumerate() {
        run.world.teach(place, caller.clone());
    }
    run.world.paces = machine.paces().to_vec();
    // All cells have the same way to go.
    for place in drill.schedules.iter().flat_map(Schedule::linked) {
        run.world.link(place, link::seed_of(seed, place));
    }
    run.fill().map_err(|why| Error::NotUp { cell: cell.name(drill), why })?;
    let prepared = run.world.now() + machine.prepare();
    run.warm_up();
    run.load(prepared);
    run.settle();
    Ok(Findings::of(drill, cell, &run.samples, &run.course, &run.arrivals()))
}

fn unanswered(planned: &Planned) -> Sample {
    let Planned { flow, intended, .. } = *planned;
    Sample { flow, intended, sent: intended, answer: None }
}

// === impl Run ===

impl<'a> Run<'a> {
    /// Lets time pass until all tasks are in rotation.
    fn fill(&mut self) -> Result<(), String> {
        let patience = Filling::patience(self.configuration.services());
        let until = self.world.now() + patience;
        let count = self.configuration.desired_count();
        loop {
            let in_rotation = self.course.in_rotation().len();
            match Filling::of(count, in_rotation, &self.records) {
                Filling::Filled => return Ok(()),
                Filling::Hopeless(why) => return Err(why),
                Filling::Waiting if self.world.now() >= until => {
                    return Err(Filling::out_of_patience(patience));
                }
                Filling::Waiting => self.pass(until),
            }
        }
    }

    /// Has what answered before the load begins that opens its connections, or given up.
    fn warm_up(&mut self) {
        let flows = self.drill.load.flows.iter().enumerate();
        for planned in flows.flat_map(|(place, flow)| flow.warm_up(place)) {
            let arrival = self.arrival(&planned, None);
            self.uncounted += 1;
            self.world.send(self.drill.load.flows[planned.flow].service, NOBODY, &arrival);
        }
        let until = self.world.now() + self.drill.objective.latency;
        while self.uncounted > 0 && self.world.now() < until {
            self.pass(until);
        }
    }

    /// Lets the load and the faults go over the fleet, from when this machine is `prepared` for it on, until nobody waits
    /// for an answer any more.
    fn load(&mut self, prepared: Instant) {
        self.begin = prepared.max(self.world.now() + NOTICE);
        self.course.begin(self.begin);
        let mut sent = 0;
        let end = self.begin + self.schedule.duration + self.drill.objective.latency;
        loop {
            let next = self.planned.get(sent).map(|planned| self.begin + planned.intended);
            let due =
                soonest(next.map(|at| at + self.hop), soonest(self.patience.next(), self.due()));
            let until = due.map_or(end, |due| due.min(end));
            self.pass(until);
            let now = self.world.now();
            while let Some(planned) = self.planned.get(sent)
                && self.begin + planned.intended + self.hop <= now
            {
                self.send(sent, 0);
                sent += 1;
            }
            while let Some((number, asked)) = self.patience.take(now) {
                self.give_up(number, asked);
            }
            self.act();
            let is_over = sent == self.planned.len() && self.under_way.iter().all(|n| *n == 0);
            if is_over || now >= end {
                return self.mend(Instant::EPOCH + Duration::MAX);
            }
        }
    }

    /// Waits for what is still to be seen of the faults.
    fn settle(&mut self) {
        let stop_timeout = self.configuration.longest_stop_timeout();
        while !self.course.settled(self.world.now(), stop_timeout) {
            self.pass(self.world.now() + LOOK_EVERY);
        }
    }

    /// Lets time pass until there is news or this moment has come, and takes note of the news.
    fn pass(&mut self, until: Instant) {
        self.world.advance(until);
        let mut tasks_changed = false;
        while let Some(news) = self.world.poll_news() {
            match news {
                News::Answered { ticket, status, task, degraded } => {
                    self.answered(ticket, status, task, degraded);
                }
                News::Controlled(_, record) => self.records.push(record),
                News::Tasks(_) => tasks_changed = true,
                News::Listens(task) => self.course.answered(self.world.now(), task),
                News::Ended(task) if self.doomed.contains(&task) => {
                    self.course.process_ended(self.world.now(), task);
                }
                News::Served(..) | News::Ended(_) | News::GivenUp(_) => {}
            }
        }
        if tasks_changed {
            self.observe();
        }
    }

    fn observe(&mut self) {
        let places = 0..self.configuration.services().len();
        let mut views: Vec<View> = places.flat_map(|place| self.world.views(place)).collect();
        views.sort_unstable_by_key(|view| view.task);
        self.course.observe(self.world.now(), &views, &self.records[self.observed..]);
        self.observed = self.records.len();
    }

    /// The cookie by which its user is used to a task, and the user, if there is such a thing.
    fn cookie(&self, planned: &Planned) -> Option<(&'a str, u32)> {
        let flow = &self.drill.load.flows[planned.flow];
        let name = self.configuration.services()[flow.service].sticky_cookie.as_deref();
        name.zip(Some(planned.user).filter(|user| *user > 0))
    }

    /// Whether this user was given a cookie, which goes to all services.
    fn has_cookie(&self, user: u32) -> bool {
        let services = self.configuration.services().iter();
        let mut names = services.filter_map(|service| service.sticky_cookie.as_deref());
        user > 0 && names.any(|name| self.used_to.contains_key(&(name, user)))
    }

    /// The task it is used to now.
    fn preferred(&self, planned: &Planned) -> Option<TaskId> {
        self.used_to.get(&self.cookie(planned)?).copied()
    }

    fn arrival(&self, planned: &Planned, preferred: Option<TaskId>) -> Arrival {
        let flow = &self.drill.load.flows[planned.flow];
        let target = flow.paths[planned.path].replace("{user}", &planned.user.to_string());
        Arrival {
            method: flow.method.as_str(),
            preferred,
            affinity: self.world.affinity(flow.service, &target).unwrap_or_default(),
            target,
            user: u64::from(planned.user),
            fingerprint: self.fingerprint(planned),
            personal: self.has_cookie(planned.user),
            deadly: None,
            flow: planned.flow,
        }
    }

    /// A client that has `asked` so often before sends its request.
    fn send(&mut self, number: usize, asked: u32) {
        let planned = self.planned[number];
        let flow = &self.drill.load.flows[planned.flow];
        let meant = self.waits_until(number, asked);
        let until = meant + self.late(self.begin + meant);
        if asked == 0 {
            let under_way = &mut self.under_way[planned.flow];
            if *under_way == CONNECTIONS / self.drill.load.flows.len() {
                self.clients[number].is_done = true;
                return;
            }
            *under_way += 1;
        }
        let preferred = match asked {
            0 => self.preferred(&planned),
            _ => self.clients[number].preferred,
        };
        self.clients[number] = Client { asked, until, preferred, is_done: false };
        self.patience.add(self.begin + until + self.hop, (number, asked + 1));
        let arrival = self.arrival(&planned, preferred);
        self.world.send(flow.service, self.ticket(number, asked), &arrival);
    }

    /// By how much later the generator notices that this moment has come.
    fn late(&mut self, at: Instant) -> Duration {
        self.turns.after(at) + self.lateness.part_of(self.sleeps)
    }

    /// What is asked for: the same path is the same thing, if it does not speak of another user.
    fn fingerprint(&self, Planned { flow, path, user, .. }: &Planned) -> u64 {
        let flows = &self.drill.load.flows;
        let path = &flows[*flow].paths[*path];
        let place = flows.iter().flat_map(|flow| &flow.paths).position(|other| other == path);
        let user = if path.contains("{user}") { *user } else { 0 };
        (u64::from(user) << 32) + place.unwrap_or_default() as u64
    }

    /// A client that has `asked` so often leaves if it has no right answer, and asks again if it may.
    fn give_up(&mut self, number: usize, asked: u32) {
        if self.samples[number].succeeded(&self.drill.objective) {
            return;
        }
        let flow = &self.drill.load.flows[self.planned[number].flow];
        self.world.leave(flow.service, self.ticket(number, asked - 1));
        if asked < flow.attempts {
            self.send(number, asked);
        } else {
            self.be_done(number);
        }
    }

    /// A client asks no more: what its last answer has made its user used to counts from now on.
    fn be_done(&mut self, number: usize) {
        if std::mem::replace(&mut self.clients[number].is_done, true) {
            return;
        }
        self.under_way[self.planned[number].flow] -= 1;
        let preferred = self.clients[number].preferred;
        // Who comes to whom it is used to is given no cookie.
        let task = self.samples[number].answer.and_then(|answer| answer.task);
        let task = task.filter(|task| preferred != Some(*task));
        if let (Some(cookie), Some(task)) = (self.cookie(&self.planned[number]), task) {
            self.used_to.insert(cookie, task);
        }
    }

    fn ticket(&self, number: usize, asked: u32) -> u64 {
        u64::from(asked) * self.planned.len() as u64 + number as u64
    }

    /// Until when a client that had `asked` so often before means to wait for an answer.
    fn waits_until(&self, number: usize, asked: u32) -> Duration {
        let Planned { intended, flow, .. } = self.planned[number];
        let patience = self.drill.load.flows[flow].patience(self.drill.objective.latency);
        intended + patience * (asked + 1)
    }

    fn answered(
        &mut self,
        ticket: u64,
        status: Option<u16>,
        task: Option<TaskId>,
        degraded: Option<u32>,
    ) {
        if ticket == NOBODY {
            self.uncounted = self.uncounted.saturating_sub(1);
            return;
        }
        let requests = self.planned.len() as u64;
        let (number, asked) = ((ticket % requests) as usize, (ticket / requests) as u32);
        let completed = (self.world.now() + self.hop).since(self.begin);
        let Client { asked: last, until, .. } = self.clients[number];
        if asked != last || completed > until {
            return;
        }
        if let Some(status) = status {
            let old = |age: u32| Degraded { age: Duration::from_secs(age.into()) };
            let answer = Answer { completed, status, task, degraded: degraded.map(old) };
            self.samples[number].answer = Some(answer);
        }
        let is_last = asked + 1 == self.drill.load.flows[self.planned[number].flow].attempts;
        if is_last || self.samples[number].succeeded(&self.drill.objective) {
            self.be_done(number);
        }
    }
}
