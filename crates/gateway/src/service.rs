//! One service's target group, shared by all workers.
//!
//! Core decides behind a mutex that is held for well under a microsecond, so what it decides is
//! exact however many workers there are. Its actions about a call are put into the call's inbox;
//! all others go to the driver.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use seaworthy_core::call::{self, Attempt, CallId, Failure, RouteId, Slots, Standing};
use seaworthy_core::endpoints::{Endpoints, Sightings, TaskId, Wanted};
use seaworthy_core::fleet;
use seaworthy_core::health::{ProbeId, Probed};
use seaworthy_core::machine::drive;
use seaworthy_core::record::Record;
use seaworthy_core::target_group::{Action, Input, TargetGroup};
use seaworthy_core::time::Instant;
use tokio::sync::{Notify, watch};

use crate::clock::now;
use crate::stale::StaleAnswers;

mod line;
#[cfg(test)]
mod parity;
#[cfg(test)]
mod tests;

pub(crate) use line::{Line, Told, Try};

/// One service, as all workers see it.
pub(crate) struct Service {
    shared: Mutex<Shared>,
    /// Wakes the driver: there is something for it, or its next deadline is earlier now.
    driver: Notify,
    /// Tasks that are not draining: connections to others are not kept.
    staying: watch::Sender<Vec<TaskId>>,
    /// Answers for the case that there is nothing but an error.
    pub(crate) stale: StaleAnswers,
    /// Its name and its settings.
    pub(crate) config: fleet::Service,
}

struct Shared {
    group: TargetGroup,
    slots: Slots,
    desk: Desk,
    /// When the driver will look at the time.
    driver_wakes: Option<Instant>,
}

/// Where core's actions are laid down for those who carry them out.
#[derive(Default)]
struct Desk {
    addresses: Vec<(TaskId, SocketAddr)>,
    /// By slot of the call.
    lines: Vec<Option<Arc<Line>>>,
    /// A call that tells of a head just now: whether it is passed on is said at once and not laid
    /// down.
    hears: Option<CallId>,
    chores: VecDeque<Chore>,
}

/// What the driver is to do.
#[derive(Debug)]
pub(crate) enum Chore {
    /// Carry out a check and tell its result.
    Probe { probe: ProbeId, address: SocketAddr, deadline: Instant },
    /// Tell a decision.
    Record(Record),
}

/// A call, from its head to its last byte. Dropping it before it is over means that its client is
/// gone.
pub(crate) struct Call<'a> {
    service: &'a Service,
    line: &'a Arc<Line>,
    id: CallId,
    over: bool,
}

// === impl Service ===

impl Service {
    /// A service without tasks. `seed` draws what its policies draw.
    pub(crate) fn new(config: fleet::Service, seed: u64) -> Self {
        let (health, call) = (config.health.clone(), config.call.clone());
        let group = TargetGroup::new(health, call, config.balancing.clone(), seed);
        Self {
            shared: Mutex::new(Shared {
                group,
                slots: Slots::default(),
                desk: Desk::default(),
                driver_wakes: None,
            }),
            driver: Notify::new(),
            staying: watch::Sender::default(),
            stale: StaleAnswers::new(&config.call),
            config,
        }
    }

    /// A new call, whose words come over `line`.
    pub(crate) fn begin<'a>(&'a self, request: call::Request, line: &'a Arc<Line>) -> Call<'a> {
        // Declared before the lock, so that in a panic the lock goes first and the call is closed.
        let call;
        let mut shared = self.lock();
        let id = shared.slots.take();
        call = Call { service: self, line, id, over: false };
        let (lines, slot) = (&mut shared.desk.lines, id.slot as usize);
        if lines.len() <= slot {
            lines.resize(slot + 1, None);
        }
        lines[slot] = Some(Arc::clone(line));
        let begin = call::Input::Begin { call: id, request };
        self.tell(&mut shared, Input::Call(begin));
        call
    }

    /// The agent's latest snapshot.
    pub(crate) fn endpoints(&self, endpoints: Endpoints) {
        let mut shared = self.lock();
        if endpoints.version <= shared.group.version() {
            return;
        }
        shared.desk.addresses = endpoints.tasks.iter().map(|e| (e.task, e.address)).collect();
        let stays = endpoints.tasks.iter().filter(|e| e.wanted == Wanted::InRotation);
        self.staying.send_replace(stays.map(|e| e.task).collect());
        self.tell(&mut shared, Input::Endpoints(endpoints));
    }

    /// A check's result.
    pub(crate) fn probed(&self, probe: ProbeId, result: Probed) {
        self.tell(&mut self.lock(), Input::Probed(probe, result));
    }

    /// Looks at the time; returns what there is to do.
    pub(crate) fn tick(&self) -> VecDeque<Chore> {
        let mut shared = self.lock();
        shared.driver_wakes = shared.drive(now(), None);
        std::mem::take(&mut shared.desk.chores)
    }

    /// Waits until [`tick`](Self::tick) is wanted.
    pub(crate) async fn due(&self) {
        let deadline = self.lock().driver_wakes;
        tokio::select! {
            () = crate::clock::sleep_until(deadline) => {}
            () = self.driver.notified() => {}
        }
    }

    /// What the agent is to know. Every worker decides by the one target group, so what it has
    /// taken up, all have.
    pub(crate) fn sightings(&self) -> Sightings {
        let shared = self.lock();
        shared.group.sightings(now(), shared.group.version())
    }

    /// Whether requests are carried: the agent has said who the tasks are, and one of them may get the
    /// next request, or none is wanted.
    pub(crate) fn is_carried(&self) -> bool {
        let seen = self.sightings();
        let none_is_wanted = self.staying.borrow().is_empty();
        seen.acknowledged > 0 && (none_is_wanted || seen.tasks.iter().any(|task| task.in_rotation))
    }

    /// Calls that wait because no task may get them.
    pub(crate) fn queued(&self) -> usize {
        self.lock().group.queued()
    }

    /// How the policies before `route` stand.
    pub(crate) fn standing(&self, route: RouteId) -> Standing {
        self.lock().group.standing(now(), route)
    }

    /// Whether connections to `task` may be kept: it is not draining.
    pub(crate) fn stays(&self, task: TaskId) -> bool {
        self.staying.borrow().contains(&task)
    }

    /// Tells the tasks that are not draining, at every change.
    pub(crate) fn staying(&self) -> watch::Receiver<Vec<TaskId>> {
        self.staying.subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        // A panic is a bug of one request; the others go on.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells core, and when; wakes the driver if there is something for it.
    fn tell(&self, shared: &mut Shared, input: Input) -> Instant {
        let now = now();
        let next = shared.drive(now, Some(input));
        let earlier = next.is_some_and(|next| shared.driver_wakes.is_none_or(|at| next < at));
        if earlier || !shared.desk.chores.is_empty() {
            shared.driver_wakes = next;
            self.driver.notify_one();
        }
        now
    }
}

// === impl Shared ===

impl Shared {
    /// Core's next deadline after `input`, with its actions on the desk.
    fn drive(&mut self, now: Instant, input: Option<Input>) -> Option<Instant> {
        let desk = &mut self.desk;
        drive(&mut self.group, now, input, |action| desk.take(now, action))
    }
}

// === impl Desk ===

impl Desk {
    fn take(&mut self, now: Instant, action: Action) {
        match action {
            Action::Probe { probe, task: _, address, deadline } => {
                self.chores.push_back(Chore::Probe { probe, address, deadline });
            }
            Action::Record(record) => self.chores.push_back(Chore::Record(record)),
            Action::Call(action) => self.tell(now, action),
        }
    }

    fn tell(&mut self, at: Instant, action: call::Action) {
        let (call, told) = match action {
            call::Action::Try { call, attempt, task, deadline, fresh, why } => {
                let known = self.addresses.iter().find(|(other, _)| *other == task);
                let (_, address) = *known.expect("a task in rotation has an address");
                (call, Told::Try(Try { at, attempt, task, address, deadline, fresh, why }))
            }
            call::Action::Pass { call, .. } if self.hears == Some(call) => {
                self.hears = None;
                return;
            }
            call::Action::Pass { call, .. } => (call, Told::Pass),
            call::Action::Answer { call, why } => (call, Told::Answer(why)),
            call::Action::Abort { call } => (call, Told::Abort),
        };
        if let Some(line) = &self.lines[call.slot as usize] {
            line.tell(told);
        }
    }
}

// === impl Call ===

impl Call<'_> {
    /// What the call is told next. Usually it is there at once.
    pub(crate) async fn told(&mut self) -> Told {
        self.is_told().await;
        // Not what it was a moment ago: another thread may just have said something newer.
        let told = self.line.take().expect("what was told stays until it is taken");
        self.over = matches!(told, Told::Answer(_) | Told::Abort);
        told
    }

    /// Waits until [`told`](Self::told) has something.
    pub(crate) async fn is_told(&self) {
        std::future::poll_fn(|context| self.poll_told(context)).await;
    }

    /// What it was told, if it is one of these.
    pub(crate) fn told_if(&self, is_wanted: impl Fn(&mut Told) -> bool) -> Option<Told> {
        self.line.take_if(is_wanted)
    }

    /// The same, as a poll.
    pub(crate) fn poll_told(&self, context: &mut Context<'_>) -> Poll<()> {
        self.line.poll(context)
    }

    /// The head of an answer came. If it is for the client, now is told; if not, it is to be kept.
    pub(crate) fn head(&self, attempt: Attempt, status: u16, withdraws: bool) -> Option<Instant> {
        let mut shared = self.service.lock();
        shared.desk.hears = Some(self.id);
        let input = call::Input::Head { call: self.id, attempt, status, withdraws };
        let now = self.service.tell(&mut shared, Input::Call(input));
        if shared.desk.hears.take().is_some() {
            return None;
        }
        // What was said before, such as another try, does not count any more.
        self.line.take();
        Some(now)
    }

    /// A try failed.
    pub(crate) fn failed(&self, attempt: Attempt, failure: Failure) {
        self.tell(call::Input::Failed { call: self.id, attempt, failure });
    }

    /// The whole answer was passed on, now.
    pub(crate) fn done(mut self, attempt: Attempt) -> Instant {
        self.over = true;
        self.tell(call::Input::Done { call: self.id, attempt })
    }

    fn tell(&self, input: call::Input) -> Instant {
        self.service.tell(&mut self.service.lock(), Input::Call(input))
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        if !self.over {
            self.tell(call::Input::ClientGone { call: self.id });
        }
        let mut shared = self.service.lock();
        shared.desk.lines[self.id.slot as usize] = None;
        shared.slots.give_back(self.id);
        // What core said too late is not for the next call of this line.
        self.line.take();
    }
}
