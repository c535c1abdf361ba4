//! What people and fate do to a fleet.

use seaworthy_core::cluster::spread::{Location, Site};
use seaworthy_core::cluster::{self, reconciler};
use seaworthy_core::endpoints::TaskId;
use seaworthy_core::experiment::TaskFault;
use seaworthy_core::record::Exit;

use super::planted::Planted;
use super::{Due, Event, Local, Program, Strain, World};

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

    /// A new revision of the service at `place`, whose tasks run another program, or the same one again.
    pub fn deploy(&mut self, place: usize, mut config: cluster::Config, program: Option<Program>) {
        if self.has(Planted::NoFloor) {
            config.minimum_healthy_percent = 0;
        }
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

    /// A task does from now on as this program does, and under this strain.
    pub fn become_like(&mut self, task: TaskId, program: Program, strain: Strain) {
        let place = self.place(task);
        if let Some(process) = self.services[place].processes.get_mut(&task) {
            (process.program, process.strain) = (program, strain);
            self.set_out(place, task);
        }
    }

    /// What was done to a task is over. Whether a request has met it: of a task that has ended meanwhile nobody knows,
    /// and one that hung did so whoever came.
    pub fn mend(&mut self, task: TaskId, id: u32) -> bool {
        let place = self.place(task);
        let Some(process) = self.services[place].processes.get_mut(&task) else { return true };
        let has_met = process.is_over(id);
        if process.hangs && !process.faults.iter().any(|(_, fault)| *fault == TaskFault::Hang) {
            let unheard = process.unheard();
            for job in process.go_on() {
                self.agenda.add(self.now, Event::At(place, Local::Finish(task, job)));
            }
            for word in unheard {
                self.hear(place, task, word);
            }
            self.work(place, task);
        }
        has_met
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
