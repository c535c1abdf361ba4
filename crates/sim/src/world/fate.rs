//! What people and fate do to a fleet.

use std::time::Duration;

use seaworthy_core::cluster::plan::Revision;
use seaworthy_core::cluster::spread::{Location, Site};
use seaworthy_core::cluster::{self, reconciler};
use seaworthy_core::endpoints::TaskId;
use seaworthy_core::experiment::TaskFault;
use seaworthy_core::health::Probed;
use seaworthy_core::record::Exit;

use super::planted::Planted;
use super::task::{Job, Missed};
use super::{Due, Local, Program, Strain, World};

impl World {
    /// The process of a task is killed from outside.
    pub fn kill(&mut self, task: TaskId) -> bool {
        let place = self.place(task);
        if self.lives_without_power(place, task) {
            return false;
        }
        let runs = self.services[place].processes.contains_key(&task);
        self.end(place, task, Exit::KILLED);
        runs
    }

    /// A person tells the agent something about the service at `place`.
    pub fn tell(&mut self, place: usize, event: reconciler::Event) {
        self.control(place, Some(event));
    }

    /// The power goes off for the machines of the service at `place` there,
    pub fn power_off(&mut self, place: usize, site: &Site) {
        self.services[place].off.off(site);
        self.tell_power(place);
    }

    /// and on again.
    pub fn power_on(&mut self, place: usize, site: &Site) {
        self.services[place].off.on(site);
        self.tell_power(place);
    }

    fn tell_power(&mut self, place: usize) {
        let off = self.services[place].off.sites().to_vec();
        self.tell(place, reconciler::Event::PowerOff(off));
    }

    /// Whether nothing can be there,
    pub(crate) fn is_off(&self, place: usize, location: &Location) -> bool {
        self.services[place].off.has(location)
    }

    /// and as far as the agent can have heard.
    pub(crate) fn is_dark(&self, place: usize, location: &Location) -> bool {
        self.services[place].dark.iter().any(|site| site.has(location))
    }

    /// A new revision of the service at `place`, whose tasks run another program, or the same one again; which one
    /// that is.
    pub fn deploy(
        &mut self,
        place: usize,
        mut config: cluster::Config,
        program: Option<Program>,
    ) -> Revision {
        if let Some(planted) = self.planted {
            planted.change_cluster(&mut config);
        }
        let current = self.current_revision(place);
        let programs = &mut self.services[place].programs;
        programs.push(program.unwrap_or(programs[current as usize - 1]));
        let revision = programs.len() as u32;
        if revision <= 2 || !self.has(Planted::DeployIsLost) {
            self.control(place, Some(reconciler::Event::Deploy(Box::new(config), revision)));
        }
        revision
    }

    /// That of which the tasks of the service at `place` are to be, once the agent has heard all that it was told: after
    /// a rollback it is not the latest.
    fn current_revision(&self, place: usize) -> Revision {
        let mut deployed = self.inbox.iter().rev().filter_map(|(other, event)| match event {
            reconciler::Event::Deploy(_, revision) if *other == place => Some(*revision),
            _ => None,
        });
        let heard = || self.services[place].control.reconciler.revision();
        deployed.next().unwrap_or_else(heard)
    }

    /// A task goes on, and badly, until [`mend`](Self::mend) is told the same `id`.
    pub fn disturb(&mut self, task: TaskId, id: u32, fault: TaskFault) {
        let place = self.place(task);
        let Some(process) = self.services[place].processes.get_mut(&task) else {
            self.unmet.insert((task, id));
            return;
        };
        process.faults.push((id, fault));
        process.hangs |= fault == TaskFault::Hang;
    }

    /// A task does from now on as this program does, and under this strain.
    pub fn become_like(&mut self, task: TaskId, program: Program, strain: Strain) {
        let place = self.place(task);
        if let Some(process) = self.services[place].processes.get_mut(&task) {
            (process.program, process.strain) = (program, strain);
            self.set_out(place, task);
        }
    }

    /// What was done to a task is over. Whether a request has met it before the task ended; one that hung did so whoever
    /// came.
    pub fn mend(&mut self, task: TaskId, id: u32) -> bool {
        let place = self.place(task);
        let Some(process) = self.services[place].processes.get_mut(&task) else {
            return !self.unmet.remove(&(task, id));
        };
        let has_met = process.is_over(id);
        if process.hangs && !process.faults.iter().any(|(_, fault)| *fault == TaskFault::Hang) {
            let status = process.program.check_status;
            let missed = process.go_on();
            self.make_up(place, task, missed, status);
        }
        has_met
    }

    /// A process does what it could not do while it hung. It answers checks with this status.
    fn make_up(&mut self, place: usize, task: TaskId, missed: Missed, check_status: u16) {
        let Missed { listens, held, unread, gone, given_up, replies, unheard, check, crash } =
            missed;
        if listens {
            self.listen(place, task);
        }
        let ended = held.into_iter().map(|job| Local::Finish(task, job));
        let given_up = given_up.into_iter().map(|job| Local::GiveUp(task, job));
        let replies = replies.into_iter().map(|(job, reply)| Local::Reply(task, job, reply));
        for local in
            ended.chain(given_up).chain(replies).chain(crash.map(|exit| Local::Crash(task, exit)))
        {
            self.after(Duration::ZERO, place, local);
        }
        if let Some(check) = check {
            self.probed(place, check, Probed::Status(check_status));
        }
        for word in unheard {
            self.hear(place, task, word);
        }
        // What it does next it begins below, when it knows of all.
        if let Some(process) = self.services[place].processes.get_mut(&task) {
            for (call, attempt) in &gone {
                process.drop(*call, *attempt);
            }
        }
        let is_there = |(job, _): &(Job, _)| !gone.contains(&(job.call, job.attempt));
        for (job, asking) in unread.into_iter().filter(is_there) {
            self.read(place, task, job, asking);
        }
        self.work(place, task);
    }

    /// The agent ends, and its tasks go on; nobody hears what happens to them.
    pub fn crash_agent(&mut self) {
        self.agent_is_down = true;
        self.inbox.clear();
        self.services.iter_mut().for_each(|service| service.control_due = Due::default());
    }

    /// The next agent goes on with what the last one has written down. Without effect if one runs.
    pub fn start_agent(&mut self) {
        if !std::mem::take(&mut self.agent_is_down) {
            return;
        }
        let forgetful = self.has(Planted::NumbersAgain);
        for service in &mut self.services {
            let running: Vec<TaskId> = service.processes.keys().copied().collect();
            service.control.restore(self.now, &running, forgetful);
        }
        for place in 0..self.services.len() {
            // Machines tell whoever asks whether they are there.
            self.tell_power(place);
            self.control(place, None);
        }
    }

    /// The gateway ends with every call that it has, and the next one knows nothing yet.
    pub fn crash_gateway(&mut self) {
        assert!(!self.has(Planted::GatewayPanics), "{}", Planted::GatewayPanics);
        self.gateways += 1;
        for place in 0..self.services.len() {
            let service = &mut self.services[place];
            let cut = service.data.restart();
            service.data_due = Due::default();
            for answer in cut {
                self.give(answer);
            }
            self.break_off(place);
            self.report(place);
        }
    }
}
