//! What tasks do with requests.

use std::time::Duration;

use seaworthy_core::call::{Attempt, CallId};
use seaworthy_core::cluster::reconciler;
use seaworthy_core::endpoints::TaskId;
use seaworthy_core::experiment::TaskFault;
use seaworthy_core::record::Exit;

use super::caller::Calls;
use super::planted::Planted;
use super::task::{Effect, Job, Process};
use super::{Local, News, Program, Reply, SIGABRT, Service, World, data};
use crate::distribution::Distribution;

impl World {
    /// How long answers of the service at `place` are on their way beside the hops of the network.
    pub(crate) fn answers_take(&mut self, place: usize, way_back: Distribution) {
        self.services[place].way_back = way_back;
    }

    pub(super) fn reach(&mut self, place: usize, task: TaskId, job: Job) {
        let hop = self.physics.hop;
        let Service { processes, data, caller, seed, .. } = &mut self.services[place];
        let Some(process) = processes.get_mut(&task) else {
            return self.after(hop, place, Local::Reply(task, job, data::refused()));
        };
        if !process.listens() {
            return self.after(hop, place, Local::Reply(task, job, data::refused()));
        }
        if job.check().is_none() {
            process.meet();
        }
        let at_once = process.faults.iter().find_map(|(_, fault)| match fault {
            TaskFault::Fail => Some(Reply::Whole(500, None)),
            TaskFault::Reset => Some(data::closed()),
            TaskFault::Hang | TaskFault::Slow(_) | TaskFault::HalfAnswer => None,
        });
        let at_once = at_once.filter(|_| job.check().is_none());
        let busy = process.is_full().then_some(Reply::Whole(503, None));
        if let Some(reply) = at_once.or(busy).filter(|_| !process.hangs) {
            return self.after(hop, place, Local::Reply(task, job, reply));
        }
        let job = Job { status: process.status(self.now, job), ..job };
        if let (Some(config), Some((asked, until))) = (caller, data.noted(job.call)) {
            let seed = seed.wrapping_add(task.0.into());
            let tells = self.overheard.is_some();
            let calls = || Box::new(Calls::new(self.now, config, seed, tells));
            process.calls.get_or_insert_with(calls).take(job, asked, until);
        }
        let gives_up = process.program.gives_up;
        let effect = process.take(job);
        if let Some(patience) = gives_up {
            self.after(patience, place, Local::GiveUp(task, job));
        }
        if let Some(Effect::Begin(job)) = effect {
            self.begin_work(place, task, job);
        }
    }

    /// A program has had enough of a request, unless it is done with it.
    pub(super) fn give_up(&mut self, place: usize, task: TaskId, job: Job) {
        let process = self.services[place].processes.get_mut(&task);
        if process.is_some_and(|process| process.drop(job.call, job.attempt)) {
            let reply = Local::Reply(task, job, Reply::Whole(503, None));
            self.after(self.physics.hop, place, reply);
            self.work(place, task);
        }
    }

    fn begin_work(&mut self, place: usize, task: TaskId, job: Job) {
        if job.deadly {
            return self.end(place, task, Exit::Signal(SIGABRT));
        }
        let service = &mut self.services[place];
        let process = &service.processes[&task];
        let kind = self.paces.get(job.asked.flow).copied().unwrap_or_default();
        let work = service.work.duration(kind.of(process.work_on(job)));
        let work = process.stretch(self.now, work);
        self.after(work, place, Local::Finish(task, job));
    }

    /// A program notices that nobody waits for its answer.
    pub(super) fn close(&mut self, place: usize, task: TaskId, call: CallId, attempt: Attempt) {
        let process = self.services[place].processes.get_mut(&task);
        if process.is_some_and(|process| process.drop(call, attempt)) {
            self.work(place, task);
        }
    }

    /// Whatever a program does of itself begins.
    pub(super) fn set_out(&mut self, place: usize, task: TaskId) {
        let Some(process) = self.services[place].processes.get_mut(&task) else { return };
        process.leak(self.now);
        let Program { crashes_after, leak, .. } = process.program;
        let crash = crashes_after.map(|after| (after, Exit::Code(1)));
        let limit = leak.map(|leak| (leak.lasts(), Exit::Signal(SIGABRT)));
        for (after, exit) in crash.into_iter().chain(limit) {
            self.after(after, place, Local::Crash(task, exit));
        }
    }

    /// The task's own work on a request is done.
    pub(super) fn finish(&mut self, place: usize, task: TaskId, job: Job) {
        let Service { caller, processes, .. } = &mut self.services[place];
        let mut process = caller.as_ref().and_then(|_| processes.get_mut(&task));
        if process.as_mut().is_some_and(|process| process.has_to_call(self.now, job)) {
            self.carry_on(place, task);
        } else {
            self.answer(place, task, job, job.status, None);
        }
    }

    /// A request has its answer, and its task is done with it.
    pub(super) fn answer(
        &mut self,
        place: usize,
        task: TaskId,
        job: Job,
        mut status: u16,
        degraded: Option<u32>,
    ) {
        let Service { processes, work, way_back, .. } = &mut self.services[place];
        let Some(process) = processes.get_mut(&task) else { return };
        if !process.finish(job) {
            return;
        }
        let is_call = job.check().is_none();
        if is_call && work.chance(f64::from(process.program.failing_percent) / 100.0) {
            status = 500;
        }
        status = process.answer(job, status);
        let mut reply = Reply::Whole(status, degraded);
        let mut held_back = Duration::ZERO;
        for (_, fault) in process.faults.iter().filter(|_| is_call) {
            match fault {
                // Whoever holds it back wakes up late.
                TaskFault::Slow(latency) => {
                    held_back += *latency + self.physics.timer(&mut self.lateness);
                }
                TaskFault::HalfAnswer => reply = Reply::Half(status),
                TaskFault::Hang | TaskFault::Fail | TaskFault::Reset => {}
            }
        }
        if !held_back.is_zero() && self.planted != Some(Planted::AnsweredByTheDead) {
            process.hold_back(job);
        }
        let way = if is_call { work.duration(*way_back) } else { Duration::ZERO };
        self.after(self.physics.hop + held_back + way, place, Local::Reply(task, job, reply));
        self.work(place, task);
    }

    /// A process does whatever it can do next.
    pub(super) fn work(&mut self, place: usize, task: TaskId) {
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
    pub(super) fn end(&mut self, place: usize, task: TaskId, exit: Exit) {
        let service = &mut self.services[place];
        let Some(process) = service.processes.remove(&task) else { return };
        service.data.disconnect(task);
        let unsent = self.has(Planted::DeathCountsAsUnsent);
        for job in process.into_jobs() {
            let reply = if unsent { data::refused() } else { data::closed() };
            self.after(self.physics.hop, place, Local::Reply(task, job, reply));
        }
        if self.has(Planted::ExitIsLost) {
            return;
        }
        self.news.push_back(News::Ended(task));
        let exited =
            self.by_keeper(place, Duration::ZERO, reconciler::Event::Exited(task, exit.into()));
        if exited.is_some() {
            self.control(place, exited);
        }
    }
}
