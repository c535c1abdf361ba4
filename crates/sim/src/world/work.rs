//! What tasks do with requests.

use seaworthy_core::call::{Attempt, CallId};
use seaworthy_core::cluster::reconciler;
use seaworthy_core::endpoints::TaskId;
use seaworthy_core::experiment::LinkFault;
use seaworthy_core::health::{Failing, Probed};
use seaworthy_core::record::Exit;

use super::caller::Calls;
use super::data::Asking;
use super::planted::Planted;
use super::task::{Effect, Job, Process, State};
use super::{Local, News, Program, Reply, Service, World, data};

/// Whether there is something of an answer with this status that can be cut off.
pub(super) fn has_body(status: u16) -> bool {
    !matches!(status, 204 | 304)
}

impl World {
    /// A process has started, unless it hangs: then it has when it goes on.
    pub(super) fn listen(&mut self, place: usize, task: TaskId) {
        let Some(process) = self.services[place].processes.get_mut(&task) else { return };
        if process.hangs {
            process.missed.listens = true;
        } else if process.state == State::Starting {
            process.state = State::Listening;
            self.news.push_back(News::Listens(task));
            self.set_out(place, task);
        }
    }

    pub(super) fn reach(&mut self, place: usize, task: TaskId, job: Job) {
        let Service { processes, data, .. } = &mut self.services[place];
        let Some(process) = processes.get_mut(&task).filter(|process| process.listens()) else {
            return self.after(self.physics.hop, place, Local::Reply(task, job, data::refused()));
        };
        let noted = data.noted(job.call);
        if process.hangs {
            return process.missed.unread.push((job, noted));
        }
        self.read(place, task, job, noted);
    }

    /// A process reads a request that has come to it, unless something on its way answers that.
    pub(super) fn read(&mut self, place: usize, task: TaskId, mut job: Job, noted: Option<Asking>) {
        let hop = self.physics.hop;
        let Service { processes, caller, seed, .. } = &mut self.services[place];
        let Some(process) = processes.get_mut(&task) else {
            return self.after(hop, place, Local::Reply(task, job, data::closed()));
        };
        let at_once = match process.meet(job) {
            Some(LinkFault::Errors { status, .. }) => Some(Reply::Whole(status, None)),
            Some(LinkFault::Resets { .. }) => Some(data::closed()),
            met => {
                job.halved = met == Some(LinkFault::HalfAnswers);
                None
            }
        };
        if let Some(reply) = at_once {
            return self.after(hop, place, Local::Reply(task, job, reply));
        }
        if process.is_full() {
            return self.pass_back(place, task, job, (503, None));
        }
        job.status = process.status(self.now, job);
        if let (Some(config), Some((asked, until))) = (caller, noted) {
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
        let Some(process) = self.services[place].processes.get_mut(&task) else { return };
        if process.hangs {
            process.missed.given_up.push(job);
        } else if process.drop(job.call, job.attempt) {
            self.pass_back(place, task, job, (503, None));
            self.work(place, task);
        }
    }

    fn begin_work(&mut self, place: usize, task: TaskId, job: Job) {
        if job.deadly {
            return self.end(place, task, Exit::ABORTED);
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
        let Some(process) = self.services[place].processes.get_mut(&task) else { return };
        if process.hangs {
            process.missed.gone.push((call, attempt));
        } else if process.drop(call, attempt) {
            self.work(place, task);
        }
    }

    /// Whatever a program does of itself begins.
    pub(super) fn set_out(&mut self, place: usize, task: TaskId) {
        let Some(process) = self.services[place].processes.get_mut(&task) else { return };
        process.leak(self.now);
        let Program { crashes_after, leak, .. } = process.program;
        let crash = crashes_after.map(|after| (after, Exit::Code(1)));
        let limit = leak.map(|leak| (leak.lasts(), Exit::ABORTED));
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
        let Service { processes, work, .. } = &mut self.services[place];
        let Some(process) = processes.get_mut(&task) else { return };
        if !process.finish(job) {
            return;
        }
        let is_call = job.check().is_none();
        if is_call && work.chance(f64::from(process.program.failing_percent) / 100.0) {
            status = 500;
        }
        status = process.answer(job, status);
        self.pass_back(place, task, job, (status, degraded));
        self.work(place, task);
    }

    /// An answer, with this status and its age if it is degraded, goes back by way of whatever holds or halves it.
    fn pass_back(
        &mut self,
        place: usize,
        task: TaskId,
        job: Job,
        (status, degraded): (u16, Option<u32>),
    ) {
        let Some(process) = self.services[place].processes.get_mut(&task) else { return };
        let mut held = process.hold(job);
        if !held.is_zero() {
            if self.planted != Some(Planted::AnsweredByTheDead) {
                process.hold_back(job);
            }
            // Whoever holds it back wakes up late.
            held += process.turns.after(self.now + held) + self.physics.late(&mut self.lateness);
        }
        let reply = if job.halved && has_body(status) {
            Reply::Half(status)
        } else {
            Reply::Whole(status, degraded)
        };
        self.after(self.physics.hop + held, place, Local::Reply(task, job, reply));
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

    /// A process ends by itself: while it stands still it cannot.
    pub(super) fn crash(&mut self, place: usize, task: TaskId, exit: Exit) {
        match self.services[place].processes.get_mut(&task) {
            Some(process) if process.hangs => {
                process.missed.crash.get_or_insert(exit);
            }
            _ => self.end(place, task, exit),
        }
    }

    /// A process is no more, and whatever it had in hand.
    pub(super) fn end(&mut self, place: usize, task: TaskId, exit: Exit) {
        let service = &mut self.services[place];
        let Some(process) = service.processes.remove(&task) else { return };
        service.data.disconnect(task);
        self.unmet.extend(process.unmet().map(|id| (task, id)));
        if let Some(check) = process.missed.check {
            self.probed(place, check, Probed::Failed(Failing::Closed));
        }
        self.hang_up(place, task);
        let unsent = self.has(Planted::DeathCountsAsUnsent);
        for job in process.into_jobs() {
            let reply = if unsent { data::refused() } else { data::closed() };
            self.after(self.physics.hop, place, Local::Reply(task, job, reply));
        }
        if self.has(Planted::ExitIsLost) {
            return;
        }
        self.news.push_back(News::Ended(task));
        let looking = self.lateness.duration(self.physics.end);
        let exited = self.by_keeper(place, looking, reconciler::Event::Exited(task, exit.into()));
        if exited.is_some() {
            self.control(place, exited);
        }
    }
}
