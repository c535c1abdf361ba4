//! The way of data of one service: the gateway, without its sockets.

use seaworthy_core::call::{
    Action, Attempt, CallId, Failure, FailureKind, Input, Request, RouteId, Slots,
};
use seaworthy_core::endpoints::{Endpoints, TaskId, Wanted};
use seaworthy_core::fleet::Service;
use seaworthy_core::policy::Ask;
use seaworthy_core::pool::{self, Pool};
use seaworthy_core::target_group::{self, TargetGroup};
use seaworthy_core::time::Instant;

use super::task::Job;
use super::{News, Reply};

/// The way of data of one service.
#[derive(Debug)]
pub(super) struct Data {
    pub(super) group: TargetGroup,
    config: seaworthy_core::call::Config,
    slots: Slots,
    /// By slot.
    open: Vec<Option<Open>>,
    /// Kept connections: whether a request goes over one matters when that breaks.
    pool: Pool<()>,
}

/// A call that is not over.
#[derive(Debug)]
struct Open {
    call: CallId,
    ticket: u64,
    deadly: bool,
    /// In order.
    tries: Vec<Try>,
}

#[derive(Clone, Copy, Debug)]
struct Try {
    attempt: Attempt,
    task: TaskId,
    /// It goes over a kept connection.
    reused: bool,
    /// That of the head that has come.
    status: Option<u16>,
    /// No more comes than the head.
    half: bool,
}

/// A request, as the gateway gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Its method,
    pub method: &'static str,
    /// path and query.
    pub target: String,
    /// The task its client is used to.
    pub preferred: Option<TaskId>,
    /// As in [`Request`].
    pub affinity: u64,
    /// As in [`Request`].
    pub fingerprint: u64,
    /// Whoever takes it dies of it.
    pub deadly: bool,
}

/// What is to be done for a call.
#[derive(Debug, Default)]
pub(super) struct Done {
    /// A request goes to a task.
    pub(super) send: Option<(TaskId, Job)>,
    /// The client gets an answer.
    pub(super) news: Option<News>,
    /// The dispatcher is told this next.
    pub(super) word: Option<target_group::Input>,
}

// === impl Data ===

impl Data {
    pub(super) fn new(service: &Service, seed: u64) -> Self {
        let Service { health, call, balancing, .. } = service.clone();
        Self {
            group: TargetGroup::new(health, call.clone(), balancing, seed),
            config: call,
            slots: Slots::default(),
            open: Vec::new(),
            pool: Pool::new(pool::Config::default()),
        }
    }

    /// A request comes.
    pub(super) fn begin(&mut self, ticket: u64, arrival: &Arrival) -> target_group::Input {
        let Arrival { method, target, preferred, affinity, fingerprint, deadly } = arrival;
        let route: RouteId = self.config.route(method, target, "", |_, _| false);
        let ask = Ask { repeatable: *method != "POST", deadline: None };
        let mut request = Request::new(route, ask);
        request.safe = *method == "GET";
        (request.preferred, request.affinity) = (*preferred, *affinity);
        request.fingerprint = *fingerprint;
        let call = self.slots.take();
        let slot = call.slot as usize;
        if self.open.len() <= slot {
            self.open.resize_with(slot + 1, || None);
        }
        self.open[slot] = Some(Open { call, ticket, deadly: *deadly, tries: Vec::new() });
        target_group::Input::Call(Input::Begin { call, request })
    }

    /// What the dispatcher wants done for a call.
    pub(super) fn carry_out(&mut self, now: Instant, action: Action) -> Done {
        match action {
            Action::Try { call, attempt, task, fresh, .. } => {
                let reused = !fresh && self.pool.take(now, task, |()| true).is_some();
                let Some(open) = self.of(call) else { return Done::default() };
                open.tries.push(Try { attempt, task, reused, status: None, half: false });
                let deadly = open.deadly;
                Done { send: Some((task, Job { call, attempt, deadly })), ..Done::default() }
            }
            Action::Pass { call, attempt } => self.pass(now, call, attempt),
            Action::Answer { call, why } => self.end(call, Some(why.status())),
            Action::Abort { call } => self.end(call, None),
        }
    }

    /// A call ends without the answer of a task.
    fn end(&mut self, call: CallId, status: Option<u16>) -> Done {
        let answered = |open: Open| News::Answered { ticket: open.ticket, status, task: None };
        Done { news: self.close(call).map(answered), ..Done::default() }
    }

    /// What the dispatcher is to be told of a reply, in order.
    pub(super) fn reply(
        &mut self,
        task: TaskId,
        job: Job,
        reply: Reply,
    ) -> Option<target_group::Input> {
        let Job { call, attempt, .. } = job;
        let one = self.of(call)?.tries.iter_mut().find(|one| one.attempt == attempt)?;
        debug_assert_eq!(one.task, task, "a try goes to one task");
        let input = match reply {
            Reply::Whole(status) | Reply::Half(status) => {
                one.status = Some(status);
                one.half = matches!(reply, Reply::Half(_));
                Input::Head { call, attempt, status, withdraws: false }
            }
            Reply::Failed(failure) => {
                let failure = Failure { reused: one.reused, ..failure };
                Input::Failed { call, attempt, failure }
            }
        };
        Some(target_group::Input::Call(input))
    }

    /// The client gets the answer of this try: all of it, or the half that there is.
    fn pass(&mut self, now: Instant, call: CallId, attempt: Attempt) -> Done {
        let nothing = Done::default();
        let Some(open) = self.of(call) else { return nothing };
        let Some(one) = open.tries.iter().find(|one| one.attempt == attempt).copied() else {
            return nothing;
        };
        if one.half {
            let failure = Failure { answered: true, reused: one.reused, ..CLOSED };
            let word = Input::Failed { call, attempt, failure };
            return Done { word: Some(target_group::Input::Call(word)), ..nothing };
        }
        self.pool.put(now, one.task, None, ());
        let answered = |open: Open| News::Answered {
            ticket: open.ticket,
            status: one.status,
            task: Some(one.task),
        };
        let word = Some(target_group::Input::Call(Input::Done { call, attempt }));
        Done { news: self.close(call).map(answered), word, send: None }
    }

    /// Only tasks that are in rotation keep their connections.
    pub(super) fn keep(&mut self, endpoints: &Endpoints) {
        let wanted = |task| {
            endpoints.tasks.iter().any(|one| one.task == task && one.wanted == Wanted::InRotation)
        };
        self.pool.retain(wanted);
    }

    /// All connections to a task have ended.
    pub(super) fn disconnect(&mut self, task: TaskId) {
        self.pool.retain(|other| other != task);
    }

    fn of(&mut self, call: CallId) -> Option<&mut Open> {
        let open = self.open.get_mut(call.slot as usize)?.as_mut()?;
        (open.call == call).then_some(open)
    }

    fn close(&mut self, call: CallId) -> Option<Open> {
        self.of(call)?;
        self.slots.give_back(call);
        self.open[call.slot as usize].take()
    }
}

const CLOSED: Failure = Failure {
    sent: true,
    answered: false,
    reused: false,
    replayable: true,
    kind: FailureKind::Closed,
};

/// Nobody listens.
pub(super) fn refused() -> Reply {
    Reply::Failed(Failure { sent: false, kind: FailureKind::Refused, ..CLOSED })
}

/// The connection has ended before an answer came.
pub(super) fn closed() -> Reply {
    Reply::Failed(CLOSED)
}
