//! A task's process: what it does with requests and signals. It decides nothing.

use std::collections::VecDeque;
use std::time::Duration;

use seaworthy_core::call::{Attempt, CallId};
use seaworthy_core::cluster::reconciler::Signal;
use seaworthy_core::experiment::model::{Distribution, Program};
use seaworthy_core::experiment::{LinkFault, TaskFault};
use seaworthy_core::health::ProbeId;
use seaworthy_core::record::Exit;
use seaworthy_core::time::Instant;

use super::Reply;
use super::caller::{Calls, Word};
use super::data::Asking;
use super::memory::Memory;
use super::physics::Turns;
use super::strain::{Meter, Strain};

/// One try of a call, as its task has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Job {
    pub(crate) call: CallId,
    pub(crate) attempt: Attempt,
    /// Whoever takes it dies of it.
    pub(crate) deadly: bool,
    /// That of its answer, as its task decides when it takes it.
    pub(crate) status: u16,
    pub(crate) asked: Asked,
    /// Half of its answer is lost on the way.
    pub(crate) halved: bool,
}

/// No call has this slot: it is that of all checks.
const CHECK: u32 = u32::MAX;

/// What a program sees of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Asked {
    /// A fingerprint of what is asked for.
    pub(crate) what: u64,
    /// Whose request it is.
    pub(crate) by: u64,
    /// It stores something.
    pub(crate) writes: bool,
    /// Of which flow of the load it is.
    pub(crate) flow: usize,
}

/// A check, and by which gateway.
pub(crate) type Check = (u32, ProbeId);

/// A process.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) program: Program,
    pub(crate) strain: Strain,
    meter: Meter,
    memory: Memory,
    pub(crate) state: State,
    /// When the timers of whoever stands before it turn.
    pub(crate) turns: Turns,
    /// Stopped by SIGSTOP: nothing moves.
    pub(crate) hangs: bool,
    /// It was told to go while it hung, and will be when it goes on.
    told_to_go: bool,
    /// What is on its way, each with an id, the earliest first.
    pub(crate) faults: Vec<(u32, TaskFault)>,
    /// The ids of those that a request has met.
    met: Vec<u32>,
    /// Taken and not yet begun.
    waiting: VecDeque<Job>,
    working: Vec<Job>,
    /// Answered, and held back before it: whoever does that ends with it.
    held_back: Vec<Job>,
    /// Its calls to other services, if it makes some.
    pub(crate) calls: Option<Box<Calls>>,
    pub(crate) missed: Missed,
}

/// What happens while a process hangs: it learns of that when it goes on.
#[derive(Debug, Default)]
pub(crate) struct Missed {
    /// It would have been there.
    pub(crate) listens: bool,
    /// Work on these came to its end.
    pub(crate) held: Vec<Job>,
    /// These came. The kernel has taken them, and nobody has read them.
    pub(crate) unread: Vec<(Job, Option<Asking>)>,
    /// These closed their connections,
    pub(crate) gone: Vec<(CallId, Attempt)>,
    /// and it has had enough of these.
    pub(crate) given_up: Vec<Job>,
    /// These answers were held back for long enough.
    pub(crate) replies: Vec<(Job, Reply)>,
    /// What there was to be heard of its calls to other services.
    pub(crate) unheard: Vec<Word>,
    /// The last check: nobody waits for an earlier one any more.
    pub(crate) check: Option<Check>,
    /// It would have ended by itself.
    pub(crate) crash: Option<Exit>,
}

/// Where in its life a process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// It does not listen yet.
    Starting,
    /// It takes requests.
    Listening,
    /// It was told to go: it finishes what it has.
    Leaving,
}

/// What comes of something that happens to a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Work on this begins.
    Begin(Job),
    /// Nothing is left to do: the process ends.
    End,
}

// === impl Job ===

impl Job {
    /// A check by this gateway: no try of any call.
    pub(crate) fn of_check(gateway: u32, ProbeId(probe): ProbeId) -> Self {
        let call = CallId { slot: CHECK, generation: gateway };
        let asked = Asked { what: probe, ..Asked::default() };
        Self { call, attempt: Attempt(1), deadly: false, status: 0, asked, halved: false }
    }

    /// The check that it is, if it is one, and whose.
    pub(crate) fn check(&self) -> Option<Check> {
        let CallId { slot, generation } = self.call;
        (slot == CHECK).then_some((generation, ProbeId(self.asked.what)))
    }
}

// === impl Process ===

impl Process {
    pub(crate) fn new(program: Program, turns: Turns) -> Self {
        Self {
            program,
            strain: Strain::default(),
            meter: Meter::NONE,
            memory: Memory::default(),
            state: State::Starting,
            turns,
            hangs: false,
            told_to_go: false,
            faults: Vec::new(),
            met: Vec::new(),
            waiting: VecDeque::new(),
            working: Vec::new(),
            held_back: Vec::new(),
            calls: None,
            missed: Missed::default(),
        }
    }

    /// Whether a new connection is taken: by the kernel, also if nobody comes for it.
    pub(crate) fn listens(&self) -> bool {
        self.state == State::Listening
    }

    /// Whether it does not listen yet.
    pub(crate) fn starts(&self) -> bool {
        self.state == State::Starting
    }

    /// Whether one more may not even wait.
    pub(crate) fn is_full(&self) -> bool {
        let Program { concurrency, waiting, .. } = self.program;
        self.working.len() >= concurrency as usize
            && waiting.is_some_and(|waiting| self.waiting.len() >= waiting as usize)
    }

    /// What has come to it and is not begun.
    pub(crate) fn backlog(&self) -> usize {
        self.waiting.len() + self.missed.unread.len()
    }

    /// What it will be answered with, if it comes now.
    pub(crate) fn status(&mut self, now: Instant, job: Job) -> u16 {
        if job.check().is_some() {
            return self.program.check_status;
        }
        let in_hand = self.in_hand() + 1;
        self.strain.status(now, &mut self.meter, in_hand, job.asked.what, self.program.status)
    }

    /// How long it takes for this if nothing else is to be done: for a check no time.
    pub(crate) fn work_on(&self, job: Job) -> Distribution {
        if job.check().is_some() {
            return Distribution::default();
        }
        self.program.cold.filter(|_| !self.memory.has(job.asked)).unwrap_or(self.program.work)
    }

    /// It takes memory from now on, if its program does.
    pub(crate) fn leak(&mut self, now: Instant) {
        self.program.leak.into_iter().for_each(|leak| self.memory.leak(now, leak));
    }

    /// How long what takes `work` alone takes beside all that it has.
    pub(crate) fn stretch(&self, now: Instant, work: Duration) -> Duration {
        self.strain.stretch(self.memory.stretch(now, work), self.in_hand())
    }

    /// What is answered in place of `status`, with what it remembers.
    pub(crate) fn answer(&mut self, job: Job, status: u16) -> u16 {
        if job.check().is_some() {
            return status;
        }
        self.memory.answer(&self.program, job.asked, status)
    }

    fn in_hand(&self) -> u32 {
        (self.working.len() + self.waiting.len()) as u32
    }

    /// A request has come.
    pub(crate) fn take(&mut self, job: Job) -> Option<Effect> {
        self.waiting.push_back(job);
        self.next()
    }

    /// Its own work on a request is done. Whether others have to do theirs now, and that goes on.
    pub(crate) fn has_to_call(&mut self, now: Instant, job: Job) -> bool {
        let Some(calls) = self.calls.as_mut().filter(|_| job.check().is_none()) else {
            return false;
        };
        !self.hangs && self.working.contains(&job) && calls.begin(now, job)
    }

    /// Something is heard of a call, now or later.
    pub(crate) fn hear(&mut self, now: Instant, word: Word) {
        match &mut self.calls {
            _ if self.hangs => self.missed.unheard.push(word),
            Some(calls) => calls.hear(now, word),
            None => {}
        }
    }

    /// Work on a request has come to its end; whether there is an answer now.
    pub(crate) fn finish(&mut self, job: Job) -> bool {
        let Some(place) = self.working.iter().position(|other| *other == job) else { return false };
        if self.hangs {
            self.missed.held.push(job);
            return false;
        }
        self.working.swap_remove(place);
        true
    }

    /// Its answer to this is held back,
    pub(crate) fn hold_back(&mut self, job: Job) {
        self.held_back.push(job);
    }

    /// and no longer, unless whoever does so hangs with it.
    pub(crate) fn let_pass(&mut self, job: Job) -> bool {
        if self.hangs && self.held_back.contains(&job) {
            return false;
        }
        self.held_back.retain(|other| *other != job);
        true
    }

    /// It lets go of what it has not finished; whether there is such a thing.
    pub(crate) fn drop(&mut self, call: CallId, attempt: Attempt) -> bool {
        let had = self.in_hand();
        let is_other = |job: &Job| (job.call, job.attempt) != (call, attempt);
        self.working.retain(is_other);
        self.waiting.retain(is_other);
        if let Some(calls) = &mut self.calls {
            calls.forget(call, attempt);
        }
        self.in_hand() < had
    }

    /// What it does next.
    pub(crate) fn next(&mut self) -> Option<Effect> {
        if self.hangs {
            return None;
        }
        if self.working.len() < self.program.concurrency as usize
            && let Some(job) = self.waiting.pop_front()
        {
            self.working.push(job);
            return Some(Effect::Begin(job));
        }
        (self.state == State::Leaving && self.working.is_empty()).then_some(Effect::End)
    }

    /// Whether it ends at once.
    pub(crate) fn signal(&mut self, signal: Signal) -> bool {
        match signal {
            Signal::Kill => true,
            Signal::Terminate if self.program.stubborn => false,
            Signal::Terminate if self.hangs => {
                self.told_to_go = true;
                false
            }
            Signal::Terminate => {
                self.state = State::Leaving;
                self.working.is_empty() && self.waiting.is_empty()
            }
        }
    }

    /// A request comes to it: what it meets on its way, if anything. As in a relay the earliest has it, and checks
    /// are spared.
    pub(crate) fn meet(&mut self, job: Job) -> Option<LinkFault> {
        let on_the_way = |(id, fault): &(u32, TaskFault)| Some((*id, fault.on_the_way()?));
        let on = self.faults.iter().filter_map(on_the_way);
        // Each of them is for all requests: nothing is drawn.
        let (id, fault) = LinkFault::first_to_meet(on, 0, 0).filter(|_| job.check().is_none())?;
        self.has_met(id);
        Some(fault)
    }

    /// An answer leaves it: how long it is held on its way.
    pub(crate) fn hold(&mut self, job: Job) -> Duration {
        let mut held = Duration::ZERO;
        for place in 0..self.faults.len() {
            if let (id, TaskFault::Slow(latency)) = self.faults[place]
                && job.check().is_none()
            {
                held += latency;
                self.has_met(id);
            }
        }
        held
    }

    fn has_met(&mut self, id: u32) {
        if !self.met.contains(&id) {
            self.met.push(id);
        }
    }

    /// What is on its way and no request has met, as it ends: whoever made it hang knows that it did.
    pub(crate) fn unmet(&self) -> impl Iterator<Item = u32> {
        let on_the_way = self.faults.iter().filter(|(_, fault)| *fault != TaskFault::Hang);
        on_the_way.map(|(id, _)| *id).filter(|id| !self.met.contains(id))
    }

    /// What was on its way under this id is not any more; whether a request has met it, or it was to hang.
    pub(crate) fn is_over(&mut self, id: u32) -> bool {
        let hung = self.faults.contains(&(id, TaskFault::Hang));
        self.faults.retain(|(other, _)| *other != id);
        let met = self.met.iter().position(|other| *other == id);
        hung || met.map(|met| self.met.swap_remove(met)).is_some()
    }

    /// It goes on. Of its calls it hears all that came, and only then that time has passed.
    pub(crate) fn go_on(&mut self) -> Missed {
        self.hangs = false;
        if self.told_to_go {
            self.state = State::Leaving;
        }
        let mut missed = std::mem::take(&mut self.missed);
        missed.unheard.sort_by_key(|word| matches!(word, Word::Time(_)));
        missed
    }

    /// What dies with it.
    pub(crate) fn into_jobs(self) -> impl Iterator<Item = Job> {
        let begun = self.working.into_iter().chain(self.waiting);
        let unread = self.missed.unread.into_iter().map(|(job, _)| job);
        begun.chain(self.held_back).chain(unread)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(slot: u32) -> Job {
        let call = CallId { slot, generation: 0 };
        let asked = Asked::default();
        Job { call, attempt: Attempt(1), deadly: false, status: 200, asked, halved: false }
    }

    fn process(concurrency: u32) -> Process {
        let program = Program { concurrency, ..Program::default() };
        Process { state: State::Listening, ..Process::new(program, Turns::default()) }
    }

    #[test]
    fn so_many_are_worked_on_and_the_others_wait_in_order() {
        let mut process = process(1);
        assert_eq!(process.take(job(1)), Some(Effect::Begin(job(1))));
        assert_eq!((process.take(job(2)), process.take(job(3))), (None, None));
        assert!(process.finish(job(1)));
        assert_eq!(process.next(), Some(Effect::Begin(job(2))));
        assert!(!process.finish(job(1)), "it has ended before");
    }

    #[test]
    fn a_hanging_process_holds_what_it_has_and_goes_on_with_it() {
        let mut process = process(1);
        process.take(job(1));
        process.hangs = true;
        assert_eq!((process.take(job(2)), process.finish(job(1))), (None, false));
        assert_eq!(process.go_on().held, [job(1)]);
        assert!(process.finish(job(1)));
        assert_eq!(process.next(), Some(Effect::Begin(job(2))));
    }

    #[test]
    fn told_to_go_it_finishes_first() {
        let mut process = process(1);
        process.take(job(1));
        process.take(job(2));
        assert!(!process.signal(Signal::Terminate) && !process.listens());
        process.finish(job(1));
        assert_eq!(process.next(), Some(Effect::Begin(job(2))));
        process.finish(job(2));
        assert_eq!(process.next(), Some(Effect::End));
        assert!(process.signal(Signal::Kill));
    }
}
