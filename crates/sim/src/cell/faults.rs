//! What is done to a fleet in virtual time.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use seaworthy_core::cluster::reconciler;
use seaworthy_core::cluster::spread::Site;
use seaworthy_core::endpoints::TaskId;
use seaworthy_core::experiment::course::Course;
use seaworthy_core::experiment::model::Program;
use seaworthy_core::experiment::{Ending, Fault, FaultKind, Schedule};
use seaworthy_core::time::Instant;

use super::refusal::dies_of;
use super::{NOBODY, Run};
use crate::distribution::Dice;
use crate::world::{Arrival, Physics, Strain};

/// A fault that is still to come, and how late whoever does it will be.
pub(super) struct Coming {
    fault: Fault,
    late: Duration,
}

/// A fault that lasts.
pub(super) struct Lasting {
    over: Instant,
    number: usize,
    what: Disturbed,
}

/// What it is done to.
enum Disturbed {
    Tasks(Vec<TaskId>),
    /// The way to the service at this place.
    Link(usize),
    /// The machines there, as far as they are for this service.
    Power {
        service: usize,
        site: Site,
    },
}

/// Why a fault has had no effect that was to meet tasks.
const NO_TASK: &str = "it met no task";

/// Of a fault that has met so many; if that is nobody, why it had none.
fn effect(met: u64, nobody: &str) -> Result<(), String> {
    if met == 0 { Err(nobody.to_owned()) } else { Ok(()) }
}

// === impl Coming ===

impl Coming {
    /// All of a schedule.
    pub(super) fn of(schedule: &Schedule, physics: &Physics, dice: &mut Dice) -> Vec<Self> {
        let one = |fault: &Fault| Self { fault: fault.clone(), late: physics.timer(dice) };
        schedule.faults.iter().map(one).collect()
    }

    /// When it is done, as far as that is known.
    fn due(&self, course: &Course) -> Option<Instant> {
        Some(course.due(&self.fault)? + self.late)
    }
}

// === impl Run ===

impl Run<'_> {
    /// When something is to be done next, as far as that is known.
    pub(super) fn due(&self) -> Option<Instant> {
        let over = self.lasting.iter().map(|lasting| lasting.over);
        self.coming.iter().filter_map(|coming| coming.due(&self.course)).chain(over).min()
    }

    pub(super) fn act(&mut self) {
        let now = self.world.now();
        let is_due =
            |coming: &Coming, course: &Course| coming.due(course).is_some_and(|at| at <= now);
        while let Some(next) = self.coming.iter().position(|one| is_due(one, &self.course)) {
            let Coming { fault, .. } = self.coming.remove(next);
            self.inflict(now, fault);
        }
        self.mend(now);
    }

    fn inflict(&mut self, now: Instant, fault: Fault) {
        match fault.kind.clone() {
            FaultKind::End { how, service, tasks } => {
                let met = self.course.meant(&tasks, service);
                self.doomed.extend(&met);
                self.course.inflict(now, fault, met.clone());
                for task in met {
                    self.end(how, service, task);
                }
            }
            FaultKind::PowerOff { service, site } => {
                let met = self.course.there(&site, service);
                self.doomed.extend(&met);
                self.lasts(now, fault, met, Disturbed::Power { service, site: site.clone() });
                self.world.power_off(service, &site);
            }
            FaultKind::Task { service, tasks, fault: how } => {
                let met = self.course.meant(&tasks, service);
                let number = self.lasts(now, fault, met.clone(), Disturbed::Tasks(met.clone()));
                for task in met {
                    self.world.disturb(task, number as u32, how);
                }
            }
            FaultKind::Link { to, fault: how } => {
                let number = self.lasts(now, fault, Vec::new(), Disturbed::Link(to));
                self.world.disturb_link(to, number as u32, how);
            }
            FaultKind::QueryOfDeath { service, path } => {
                self.course.inflict(now, fault, Vec::new());
                self.send_deadly(service, path);
            }
            FaultKind::Deploy { service, definition } => {
                self.course.inflict(now, fault, Vec::new());
                let cluster = self.configuration.services()[service].cluster.clone();
                let program = definition.model.map(|model| self.on_machine(service, model));
                self.world.deploy(service, cluster, program);
            }
            FaultKind::Ask { service, tasks, model: Some(program), .. } => {
                let met = self.course.meant(&tasks, service);
                for task in &met {
                    self.become_another(service, *task, program);
                }
                let effect = effect(met.len() as u64, NO_TASK);
                let number = self.course.inflict(now, fault, met);
                self.course.told(number, effect);
            }
            // The load has it in its plan, and what else there is was refused.
            FaultKind::Spike(_) | FaultKind::Ask { .. } | FaultKind::Exec(_) => {
                self.course.inflict(now, fault, Vec::new());
            }
        }
    }

    /// Takes note of a fault that lasts, of whom it meets, and of what is mended when it is over. Its number.
    fn lasts(&mut self, now: Instant, fault: Fault, met: Vec<TaskId>, what: Disturbed) -> usize {
        let over = self.over(&fault);
        let number = self.course.inflict(now, fault, met);
        self.lasting.push(Lasting { over, number, what });
        number
    }

    fn end(&mut self, how: Ending, service: usize, task: TaskId) {
        match how {
            Ending::Stop => self.world.tell(service, reconciler::Event::Stop(task)),
            Ending::Kill => drop(self.world.kill(task)),
        }
    }

    fn send_deadly(&mut self, service: usize, path: String) {
        let arrival = Arrival {
            affinity: self.world.affinity(service, &path).unwrap_or_default(),
            fingerprint: u64::MAX,
            deadly: dies_of(&self.configuration.callers, service, &path),
            ..Arrival::new("GET", path)
        };
        self.world.send(service, NOBODY, &arrival);
    }

    /// What the service's own program leaks goes on, and does not begin once more.
    fn become_another(&mut self, service: usize, task: TaskId, program: Program) {
        let leak = program.leak;
        let leak = leak.filter(|_| leak != self.configuration.models[service].leak);
        let program = self.on_machine(service, Program { leak, ..program });
        self.world.become_like(task, program, Strain::default());
    }

    /// What another program of a service is on this machine: it starts as the usual one does, unless its model
    /// says something else.
    fn on_machine(&self, service: usize, model: Program) -> Program {
        let usual = self.configuration.models[service].start;
        let program = self.machine.program(&self.configuration.services()[service].name, model);
        if model.start == usual { program } else { Program { start: model.start, ..program } }
    }

    /// When somebody ends it.
    fn over(&mut self, fault: &Fault) -> Instant {
        self.begin + fault.end() + self.machine.physics().timer(&mut self.lateness)
    }

    /// Ends what lasts until `now` at most.
    pub(super) fn mend(&mut self, now: Instant) {
        let (over, later) = self.lasting.drain(..).partition(|lasting| lasting.over <= now);
        self.lasting = later;
        let over: Vec<Lasting> = over;
        for Lasting { number, what, .. } in over {
            let (met, nobody) = match what {
                Disturbed::Tasks(tasks) => {
                    let mend = |task: &TaskId| self.world.mend(*task, number as u32);
                    let met = tasks.iter().map(mend).filter(|met| *met).count();
                    let reason = if tasks.is_empty() { NO_TASK } else { "no request met it" };
                    // As each of them must be met.
                    (if met == tasks.len() { met as u64 } else { 0 }, reason)
                }
                Disturbed::Link(to) => (self.world.mend_link(to, number as u32), "no call met it"),
                Disturbed::Power { service, site } => {
                    // That its tasks are dead is the proof.
                    self.world.power_on(service, &site);
                    continue;
                }
            };
            self.course.told(number, effect(met, nobody));
        }
    }

    /// When calls came to each link, from the first moment of the load.
    pub(super) fn arrivals(&self) -> BTreeMap<usize, Vec<Duration>> {
        let links: BTreeSet<usize> =
            self.drill.schedules.iter().flat_map(Schedule::linked).collect();
        let of = |place: usize| {
            let all = self.world.arrivals(place).iter().filter(|at| **at >= self.begin);
            (place, all.map(|at| at.since(self.begin)).collect())
        };
        links.into_iter().map(of).collect()
    }
}
