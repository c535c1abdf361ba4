//! The way of data of one service: the gateway, without its sockets.

use std::sync::Arc;

use seaworthy_core::call::{
    Action, Attempt, CallId, Failure, FailureKind, Input, Reason, Request, RouteId, Slots,
    is_idempotent, is_safe,
};
use seaworthy_core::endpoints::{Endpoints, TaskId, Wanted};
use seaworthy_core::fleet::Service;
use seaworthy_core::fleet::http::HalfClose;
use seaworthy_core::health::Check;
use seaworthy_core::policy::Ask;
use seaworthy_core::pool::{self, Pool};
use seaworthy_core::target_group::{self, TargetGroup};
use seaworthy_core::time::Instant;

use super::Reply;
use super::stale::{Key, StaleAnswers};
use super::task::{Asked, Job};

/// Where all requests come from.
const SOURCE: &str = "127.0.0.1";

/// The way of data of one service.
#[derive(Debug)]
pub(super) struct Data {
    pub(super) group: TargetGroup,
    settings: Service,
    seed: u64,
    slots: Slots,
    /// By slot.
    open: Vec<Open>,
    counts: Tries,
    /// Of calls that are over: whose connection is closed before an answer has come.
    broken_off: Vec<(TaskId, CallId, Attempt)>,
    /// Kept connections: whether a request goes over one matters when that breaks.
    pool: Pool<()>,
    stale: StaleAnswers,
}

/// A call that is not over, or the memory of one that was.
#[derive(Debug, Default)]
struct Open {
    /// None: it is over.
    call: Option<CallId>,
    ticket: u64,
    /// Its client has closed its connection.
    left: bool,
    deadly: bool,
    what: Asked,
    /// By what another answer may be found in place of an error.
    key: Option<Key>,
    /// It must not be sent again once a task has seen it.
    once: bool,
    /// The last try came to an end of which a task has seen something.
    seen: bool,
    /// Those that have not failed, in order.
    tries: Vec<Try>,
    /// What is asked for, if its task has to know that to ask others,
    asked: Option<Arc<Arrival>>,
    /// and until when they are waited for.
    deadline: Option<Instant>,
}

#[derive(Clone, Copy, Debug)]
struct Try {
    attempt: Attempt,
    task: TaskId,
    is_hedge: bool,
    /// It goes over a kept connection.
    reused: bool,
    /// That of the head that has come.
    status: Option<u16>,
    degraded: Option<u32>,
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
    /// Whose it is: whoever stores something finds it again.
    pub user: u64,
    /// As in [`Request`].
    pub fingerprint: u64,
    /// It says whose it is: no answer to it is anybody else's, and no other one is one to it.
    pub personal: bool,
    /// The place of the service whose task dies of it, if one does: others pass it on.
    pub deadly: Option<usize>,
    /// Of which flow of the load it is.
    pub flow: usize,
}

/// What others may have to be asked for, and until when the answer is waited for.
pub(super) type Asking = (Arc<Arrival>, Option<Instant>);

/// How often the calls of a service were tried, since it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tries {
    /// Requests to tasks,
    pub all: u64,
    /// those of them after a try that failed,
    pub retries: u64,
    /// Calls that must not be repeated, and were.
    pub repeated: u64,
    /// Those beside a try that took its time,
    pub hedges: u64,
    /// and as many of those had the answer.
    pub won: u64,
}

/// What is to be done for a call.
#[derive(Debug, Default)]
pub(super) struct Done {
    /// A request goes to a task.
    pub(super) send: Option<(TaskId, Job)>,
    /// The client gets it.
    pub(super) answer: Option<Answer>,
    /// The dispatcher is told this next.
    pub(super) word: Option<Word>,
}

/// How a request ends for its client; see [`News::Answered`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Answer {
    pub(super) ticket: u64,
    pub(super) status: Option<u16>,
    pub(super) task: Option<TaskId>,
    pub(super) degraded: Option<u32>,
}

/// How the answer of a try ends, once it is the client's.
#[derive(Debug)]
pub(super) enum Word {
    Whole(CallId, Attempt),
    /// The try goes over a kept connection, or does not.
    Cut(CallId, Attempt, bool),
}

// === impl Arrival ===

impl Arrival {
    /// With nothing special about it, of nobody in particular.
    pub fn new(method: &'static str, target: String) -> Self {
        Self {
            method,
            target,
            preferred: None,
            affinity: 0,
            user: 0,
            fingerprint: 0,
            personal: false,
            deadly: None,
            flow: 0,
        }
    }
}

// === impl Word ===

impl From<Word> for target_group::Input {
    fn from(word: Word) -> Self {
        Self::Call(match word {
            Word::Whole(call, attempt) => Input::Done { call, attempt },
            Word::Cut(call, attempt, reused) => Input::Failed {
                call,
                attempt,
                failure: Failure { answered: true, reused, ..CLOSED },
            },
        })
    }
}

// === impl Data ===

impl Data {
    pub(super) fn new(service: &Service, seed: u64) -> Self {
        Self {
            group: Self::begin_group(service, seed),
            settings: service.clone(),
            seed,
            slots: Slots::default(),
            open: Vec::new(),
            counts: Tries::default(),
            broken_off: Vec::new(),
            pool: Pool::new(pool::Config::default()),
            stale: StaleAnswers::new(&service.call),
        }
    }

    fn begin_group(service: &Service, seed: u64) -> TargetGroup {
        let Service { health, call, balancing, .. } = service.clone();
        TargetGroup::new(health, call, balancing, seed)
    }

    /// All that it knew is gone, and so are all calls.
    pub(super) fn restart(&mut self) -> Vec<Answer> {
        self.group = Self::begin_group(&self.settings, self.seed);
        self.pool = Pool::new(pool::Config::default());
        self.stale = StaleAnswers::new(&self.settings.call);
        let calls: Vec<CallId> = self.open.iter().filter_map(|open| open.call).collect();
        calls.into_iter().filter_map(|call| self.end(call, None).answer).collect()
    }

    /// The client of the request with this ticket closes its connection; what core is told of it. As live, that
    /// ends a call that waits, and one that is under way only if the service says so.
    pub(super) fn leave(&mut self, ticket: u64) -> Option<target_group::Input> {
        let is_of = |open: &&mut Open| open.call.is_some() && open.ticket == ticket;
        let open = self.open.iter_mut().find(is_of)?;
        open.left = true;
        let is_gone = self.settings.http.half_close == HalfClose::Gone || open.tries.is_empty();
        let call = open.call.filter(|_| is_gone)?;
        self.close(call);
        Some(target_group::Input::Call(Input::ClientGone { call }))
    }

    /// Gives up a call that waits again, if its client has left while a task had it: its ticket, and what core is told.
    pub(super) fn give_up(&mut self, call: CallId) -> Option<(u64, target_group::Input)> {
        find(&mut self.open, call).filter(|open| open.left && open.tries.is_empty())?;
        let ticket = self.close(call)?;
        Some((ticket, target_group::Input::Call(Input::ClientGone { call })))
    }

    /// A try whose connection is to be closed.
    pub(super) fn poll_broken_off(&mut self) -> Option<(TaskId, CallId, Attempt)> {
        self.broken_off.pop()
    }

    /// Whether a check asks for something on the connection that it opens.
    pub(super) fn checks_ask(&self) -> bool {
        self.settings.health.check != Check::Tcp
    }

    /// By which number a request for this is hashed, if the service says what counts. All come from one address, and
    /// say nothing of themselves.
    pub(super) fn affinity(&self, target: &str) -> Option<u64> {
        let affinity = self.settings.balancing.affinity.as_ref()?;
        Some(affinity.of(target, SOURCE, |_| None))
    }

    pub(super) fn tries(&self) -> Tries {
        self.counts
    }

    /// What a call asks for, which others may have to be asked for.
    pub(super) fn note(&mut self, call: CallId, asked: Arc<Arrival>) {
        if let Some(open) = find(&mut self.open, call) {
            open.asked = Some(asked);
        }
    }

    /// That, and until when the answer is waited for.
    pub(super) fn noted(&mut self, call: CallId) -> Option<Asking> {
        let open = find(&mut self.open, call)?;
        Some((open.asked.clone()?, open.deadline))
    }

    /// Whether a request is refused before core hears of it, as its line is too long.
    pub(super) fn is_too_long(&self, arrival: &Arrival) -> bool {
        arrival.method.len() + arrival.target.len() > self.settings.http.longest_line
    }

    /// A request comes; `deadly`: whoever takes it dies of it.
    pub(super) fn begin(
        &mut self,
        ticket: u64,
        arrival: &Arrival,
        deadly: bool,
    ) -> target_group::Input {
        let Arrival { method, target, preferred, affinity, user, fingerprint, .. } = arrival;
        let route: RouteId = self.settings.call.route(method, target, SOURCE, |_, _| false);
        let (repeatable, reads) = (is_idempotent(method), is_safe(method));
        let ask = Ask { repeatable, deadline: None };
        let mut request = Request::new(route, ask);
        request.safe = reads;
        (request.preferred, request.affinity) = (*preferred, *affinity);
        request.fingerprint = *fingerprint;
        let call = self.slots.take();
        let slot = call.slot as usize;
        if self.open.len() <= slot {
            self.open.resize_with(slot + 1, Open::default);
        }
        let open = &mut self.open[slot];
        open.tries.clear();
        (open.call, open.ticket, open.deadly) = (Some(call), ticket, deadly);
        open.left = false;
        open.key = self.stale.key(route, method, target).filter(|_| !arrival.personal);
        (open.once, open.seen) = (!repeatable, false);
        open.what = Asked { what: *fingerprint, by: *user, writes: !reads, flow: arrival.flow };
        target_group::Input::Call(Input::Begin { call, request })
    }

    /// What the dispatcher wants done for a call.
    pub(super) fn carry_out(&mut self, now: Instant, action: Action) -> Done {
        match action {
            Action::Try { call, attempt, task, fresh, why, deadline } => {
                let reused = !fresh && self.pool.take(now, task, |()| true).is_some();
                let Some(open) = find(&mut self.open, call) else { return Done::default() };
                let is_hedge = why == Reason::Hedge;
                self.counts.all += 1;
                self.counts.retries += u64::from(why == Reason::Retry);
                self.counts.repeated += u64::from(open.once && (open.seen || is_hedge));
                self.counts.hedges += u64::from(is_hedge);
                open.deadline = deadline;
                let (status, degraded, half) = (None, None, false);
                open.tries.push(Try { attempt, task, is_hedge, reused, status, degraded, half });
                let (deadly, asked) = (open.deadly, open.what);
                let job = Job { call, attempt, deadly, status: 0, asked, halved: false };
                Done { send: Some((task, job)), ..Done::default() }
            }
            Action::Pass { call, attempt } => self.pass(now, call, attempt),
            Action::Answer { call, why } => match self.instead(now, call) {
                Some(answer) => Done { answer: Some(answer), ..Done::default() },
                None => self.end(call, Some(why.status())),
            },
            Action::Abort { call } => self.end(call, None),
        }
    }

    /// Whether another answer may stand in for one with this status.
    fn is_error(&mut self, call: CallId, status: Option<u16>) -> bool {
        let key = find(&mut self.open, call).and_then(|open| open.key.as_ref());
        key.zip(status).is_some_and(|(key, status)| {
            self.settings.call.routes[key.route.0].guard.failure_status.matches(status)
        })
    }

    /// A call that would end with an error ends with an answer that was kept, if there is one.
    fn instead(&mut self, now: Instant, call: CallId) -> Option<Answer> {
        let key = find(&mut self.open, call)?.key.take()?;
        let (task, age) = self.stale.instead(now, &key)?;
        let ticket = self.close(call)?;
        Some(Answer { ticket, status: Some(200), task: Some(task), degraded: Some(age) })
    }

    /// A call ends without the answer of a task.
    fn end(&mut self, call: CallId, status: Option<u16>) -> Done {
        let answer = |ticket| Answer { ticket, status, task: None, degraded: None };
        let answer = self.close(call).map(answer);
        Done { answer, ..Done::default() }
    }

    /// What the dispatcher is to be told of a reply, in order.
    pub(super) fn reply(
        &mut self,
        task: TaskId,
        job: Job,
        reply: Reply,
    ) -> Option<target_group::Input> {
        let Job { call, attempt, .. } = job;
        let open = find(&mut self.open, call)?;
        let one = open.tries.iter_mut().find(|one| one.attempt == attempt)?;
        debug_assert_eq!(one.task, task, "a try goes to one task");
        let input = match reply {
            Reply::Whole(status, _) | Reply::Half(status) => {
                one.status = Some(status);
                one.half = matches!(reply, Reply::Half(_));
                if let Reply::Whole(_, degraded) = reply {
                    one.degraded = degraded;
                }
                open.seen = true;
                Input::Head { call, attempt, status, withdraws: false }
            }
            Reply::Failed(failure) => {
                let failure = Failure { reused: one.reused, ..failure };
                open.seen = failure.sent;
                open.tries.retain(|other| other.attempt != attempt);
                Input::Failed { call, attempt, failure }
            }
        };
        Some(target_group::Input::Call(input))
    }

    /// The client gets the answer of this try: all of it, or the half that there is.
    fn pass(&mut self, now: Instant, call: CallId, attempt: Attempt) -> Done {
        let nothing = Done::default();
        let Some(open) = find(&mut self.open, call) else { return nothing };
        let Some(one) = open.tries.iter().find(|one| one.attempt == attempt).copied() else {
            return nothing;
        };
        let Try { task, status, degraded, .. } = one;
        self.counts.won += u64::from(one.is_hedge);
        let word = Some(Word::Whole(call, attempt));
        if self.is_error(call, status)
            && let Some(answer) = self.instead(now, call)
        {
            return Done { answer: Some(answer), word, send: None };
        }
        if one.half {
            return Done { word: Some(Word::Cut(call, attempt, one.reused)), ..nothing };
        }
        self.pool.put(now, one.task, None, ());
        let key = find(&mut self.open, call).and_then(|open| open.key.take());
        if let (Some(key), Some(status)) = (key, status) {
            self.stale.keep(now, key, status, task);
        }
        let answer = |ticket| Answer { ticket, status, task: Some(task), degraded };
        Done { answer: self.close(call).map(answer), word, send: None }
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

    /// Ends a call, and gives its ticket.
    fn close(&mut self, call: CallId) -> Option<u64> {
        let open = find(&mut self.open, call)?;
        open.call = None;
        let ticket = open.ticket;
        let open_tries = open.tries.iter().filter(|one| one.status.is_none());
        self.broken_off.extend(open_tries.map(|one| (one.task, call, one.attempt)));
        self.slots.give_back(call);
        Some(ticket)
    }
}

fn find(open: &mut [Open], call: CallId) -> Option<&mut Open> {
    open.get_mut(call.slot as usize).filter(|open| open.call == Some(call))
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
