//! The way of control: the agent is told, and what it wants is done.

use std::collections::VecDeque;
use std::time::Duration;

use seaworthy_core::cluster::plan::Revision;
use seaworthy_core::cluster::reconciler::{self, Signal};
use seaworthy_core::endpoints::{TaskId, Wanted};
use seaworthy_core::machine::Machine;
use seaworthy_core::record::{Cause, Decision, Exit};

use super::physics::Turns;
use super::planted::Planted;
use super::task::Process;
use super::{Due, Event, Local, News, Said, Service, World};
use crate::distribution::Distribution;

impl World {
    /// Tells the agent, and does what it wants: at once, or when it has written down what it decided last. What
    /// comes first it hears first.
    pub(super) fn control(&mut self, place: usize, event: Option<reconciler::Event>) {
        if self.agent_is_down {
            return;
        }
        let is_busy = self.now < self.agent_is_busy_until;
        match event {
            Some(event) if is_busy || !self.inbox.is_empty() => self.hear_later(place, event),
            None if is_busy => {
                self.services[place].control_due = Due::at(self.agent_is_busy_until);
            }
            // The time is told to all for whom it has come.
            None => {
                let services = self.services.iter().enumerate();
                let is_due = |(other, service): &(usize, &Service)| {
                    *other == place || service.control_due.has_come(self.now)
                };
                self.turn(services.filter(is_due).map(|(place, _)| (place, None)).collect());
            }
            event => self.turn(vec![(place, event)]),
        }
    }

    fn hear_later(&mut self, place: usize, event: reconciler::Event) {
        let event = (place, event);
        if let (Some(all), false) = (&mut self.overheard, is_seen(&event)) {
            all.push((self.now, place, Said::Delayed));
        }
        // Of what the gateway saw only the last is heard.
        let is_older = |waits: &&mut (usize, reconciler::Event)| waits.0 == place && is_seen(waits);
        match self.inbox.iter_mut().find(is_older).filter(|_| is_seen(&event)) {
            Some(older) => *older = event,
            None => self.inbox.push_back(event),
        }
        self.await_inbox();
    }

    fn await_inbox(&mut self) {
        if !self.inbox.is_empty() && !std::mem::replace(&mut self.inbox_is_due, true) {
            self.agenda.add(self.agent_is_busy_until, Event::Inbox);
        }
    }

    pub(super) fn read_inbox(&mut self) {
        self.inbox_is_due = false;
        while self.now >= self.agent_is_busy_until
            && let Some(first) = self.inbox.pop_front()
        {
            let mut told = vec![first];
            if is_seen(&told[0]) {
                // All that the gateway saw is heard at once.
                let (seen, others) = std::mem::take(&mut self.inbox).into_iter().partition(is_seen);
                told.extend::<VecDeque<_>>(seen);
                self.inbox = others;
            }
            self.turn(told.into_iter().map(|(place, event)| (place, Some(event))).collect());
        }
        self.await_inbox();
    }

    /// Tells core what there is to tell of each of these services, and does what it wants when that is written down.
    pub(super) fn turn(&mut self, told: Vec<(usize, Option<reconciler::Event>)>) {
        let places: Vec<usize> = told.iter().map(|(place, _)| *place).collect();
        let mut rounds = VecDeque::from([told]);
        while let Some(told) = rounds.pop_front() {
            let mut wanted = Vec::new();
            for (place, event) in told {
                let event = self.heard(place, event);
                let actions = self.services[place].control.drive(self.now, event);
                wanted.extend(actions.into_iter().map(|action| (place, action)));
            }
            let go_back = wanted.iter().filter(|(place, action)| self.goes_back(*place, action));
            let go_back: Vec<usize> = go_back.map(|(place, _)| *place).collect();
            for place in &go_back {
                self.services[*place].control.renew();
            }
            let busy = self.spawned(&wanted) + self.written(!go_back.is_empty());
            for (place, action) in wanted {
                let follows = self.act(place, action, busy);
                rounds.extend(follows.map(|event| vec![(place, Some(event))]));
            }
        }
        for place in places {
            let service = &mut self.services[place];
            let meant = service.control.reconciler.poll_timeout();
            service.control_due =
                service.control_due.next(meant, &self.physics, &mut self.lateness);
            self.news.push_back(News::Tasks(place));
        }
    }

    /// What reaches the agent of it.
    fn heard(
        &mut self,
        place: usize,
        event: Option<reconciler::Event>,
    ) -> Option<reconciler::Event> {
        let Some(reconciler::Event::PowerOff(sites)) = &event else { return event };
        self.services[place].dark.clone_from(sites);
        event.filter(|_| !self.has(Planted::PowerIsUnknown))
    }

    /// How long it takes until the processes are there that are to be started: those after the first one hardly take
    /// longer.
    fn spawned(&mut self, wanted: &[(usize, reconciler::Action)]) -> Duration {
        let starts = wanted.iter().any(|(_, a)| matches!(a, reconciler::Action::Launch { .. }));
        if starts { self.lateness.duration(self.physics.spawn) } else { Duration::ZERO }
    }

    /// How many processes have not come so far as to listen.
    fn starting(&self) -> usize {
        let processes = self.services.iter().flat_map(|service| service.processes.values());
        processes.filter(|process| process.starts()).count()
    }

    /// How long it takes until what the next agent would begin with is on the disk, if that is not what was there, and
    /// what is meant, if that is what was meant before: the agent does nothing else before.
    fn written(&mut self, goes_back: bool) -> Duration {
        let write = self.physics.write;
        let is_news = write != Distribution::default() && self.is_news();
        let times = if is_news { 1 + usize::from(goes_back) } else { 0 };
        let took = (0..times).map(|_| self.lateness.duration(write)).sum();
        self.agent_is_busy_until = self.now + took;
        took
    }

    /// Whether it says that another program is meant again.
    fn goes_back(&self, place: usize, action: &reconciler::Action) -> bool {
        let reconciler::Action::Record(record) = action else { return false };
        let programs = &self.services[place].programs;
        let program = |revision: Revision| programs[revision as usize - 1];
        match record.cause {
            Cause::GoneBack { from, to } => program(from) != program(to),
            _ => false,
        }
    }

    /// Of any service: all of them are written down together.
    fn is_news(&mut self) -> bool {
        let mut is_news = false;
        for service in &mut self.services {
            is_news |= service.control.is_news();
        }
        is_news
    }

    /// Carries it out after `busy`: nothing is done before it is on the disk.
    fn act(
        &mut self,
        place: usize,
        action: reconciler::Action,
        busy: Duration,
    ) -> Option<reconciler::Event> {
        match action {
            reconciler::Action::Launch { task, revision, .. } => {
                let crowd = self.physics.crowd * self.starting() as f64;
                let service = &mut self.services[place];
                let program = service.programs[revision as usize - 1];
                let turns = Turns::of(&self.physics, &mut self.lateness);
                service.processes.insert(task, Process::new(program, turns));
                let start = service.starts.duration(program.start).mul_f64(1.0 + crowd);
                let late = self.lateness.duration(self.physics.late);
                self.after(busy + late + start, place, Local::Listens(task));
                let begins = self.now + busy + late;
                self.standstill.starts(begins..begins + start, &self.physics);
                let heard = !self.has(Planted::LaunchIsLost);
                let launched = reconciler::Event::Launched(task);
                return heard.then(|| self.by_keeper(place, busy, launched)).flatten();
            }
            reconciler::Action::Signal(task, Signal::Kill)
                if self.has(Planted::KillIsLost) || self.lives_without_power(place, task) => {}
            reconciler::Action::Signal(task, signal) if busy.is_zero() => {
                self.signal(place, task, signal);
            }
            reconciler::Action::Signal(task, signal) => {
                self.after(busy, place, Local::Signal(task, signal));
            }
            reconciler::Action::Publish(endpoints) => {
                self.services[place].control.published = endpoints.version;
                let drains = endpoints.tasks.iter().filter(|one| one.wanted == Wanted::Draining);
                if self.has(Planted::KilledAtOnce) {
                    drains.for_each(|one| self.signal(place, one.task, Signal::Kill));
                }
                self.pass_on(place, busy, Local::Endpoints(Box::new(endpoints)));
            }
            reconciler::Action::Record(record)
                if record.decision == Decision::Scale && self.has(Planted::ScaleIsUntold) => {}
            reconciler::Action::Record(record) => {
                self.news.push_back(News::Controlled(place, record));
            }
        }
        None
    }

    /// What became of a process, after `busy`: the keeper sees it, and then the agent hears of it. None
    /// if that is later.
    pub(super) fn by_keeper(
        &mut self,
        place: usize,
        busy: Duration,
        event: reconciler::Event,
    ) -> Option<reconciler::Event> {
        let late = [self.physics.late; 2].map(|step| self.lateness.duration(step));
        let late = busy + late.into_iter().sum::<Duration>();
        if late.is_zero() {
            return Some(event);
        }
        self.after(late, place, Local::Heard(Box::new(event)));
        None
    }

    pub(super) fn signal(&mut self, place: usize, task: TaskId, signal: Signal) {
        let Some(process) = self.services[place].processes.get_mut(&task) else { return };
        if process.signal(signal) {
            let exit = match signal {
                Signal::Kill => Exit::KILLED,
                Signal::Terminate => Exit::Code(0),
            };
            self.end(place, task, exit);
        }
    }
}

/// Whether the gateway has told it.
fn is_seen((_, event): &(usize, reconciler::Event)) -> bool {
    matches!(event, reconciler::Event::Sightings(_))
}
