//! The way of data: the gateway is told, and what it wants is done.

use std::iter;
use std::sync::Arc;
use std::time::Duration;

use seaworthy_core::call::{self, CallId, FailureKind};
use seaworthy_core::endpoints::{Endpoints, Health, TaskId, Wanted};
use seaworthy_core::health::{Failing, ProbeId, Probed};
use seaworthy_core::machine::Machine;
use seaworthy_core::target_group;
use seaworthy_core::time::Instant;

use super::data::{Answer, Done};
use super::physics::PAUSE;
use super::planted::Planted;
use super::task::{Check, Job};
use super::{Arrival, Event, Local, Network, News, Reply, Said, Service, World};

impl World {
    /// A request reaches the gateway. Its ticket is below 2^63.
    pub fn send(&mut self, place: usize, ticket: u64, arrival: &Arrival) {
        self.wake_up(place);
        self.begin(place, ticket, arrival, None);
    }

    /// A request reaches the gateway, and who sent it waits until `deadline`.
    pub(super) fn begin(
        &mut self,
        place: usize,
        ticket: u64,
        arrival: &Arrival,
        deadline: Option<Instant>,
    ) {
        let repeats_all = self.has(Planted::PostIsRepeated);
        let sticks = !self.has(Planted::CookieIsLost);
        let affinity = self.hashed(place, ticket, arrival.affinity);
        let Service { data, caller, .. } = &mut self.services[place];
        if data.is_too_long(arrival) {
            let status = Some(414);
            return self.give(Answer { ticket, status, task: None, degraded: None });
        }
        let mut input = data.begin(ticket, arrival, arrival.deadly == Some(place));
        if let target_group::Input::Call(call::Input::Begin { call, request }) = &mut input {
            request.ask.repeatable |= repeats_all;
            request.preferred = request.preferred.filter(|_| sticks);
            request.ask.deadline = deadline;
            request.affinity = affinity;
            if caller.is_some() {
                // Programs pass on no cookie.
                let asked = Arrival { preferred: None, personal: false, ..arrival.clone() };
                data.note(*call, Arc::new(asked));
            }
        }
        self.data(place, input);
    }

    /// The client of a request closes its connection. Whether the request is given up: it has no other
    /// outcome then. If not, it may be later: see [`News::GivenUp`].
    pub fn leave(&mut self, place: usize, ticket: u64) -> bool {
        let Some(input) = self.services[place].data.leave(ticket) else { return false };
        self.data(place, input);
        true
    }

    /// Gives up a call that no task has any more, if its client has left.
    pub(super) fn give_up_call(&mut self, place: usize, call: CallId) {
        if let Some((ticket, input)) = self.services[place].data.give_up(call) {
            self.given_up(ticket);
            self.data(place, input);
        }
    }

    /// Tells the gateway, and does what it wants.
    pub(super) fn data(&mut self, place: usize, input: target_group::Input) {
        self.tell_group(place, input);
        self.carry_out(place);
    }

    fn tell_group(&mut self, place: usize, input: target_group::Input) {
        if let Some(all) = &mut self.overheard {
            all.push((self.now, place, Said::Told(input.clone())));
        }
        self.services[place].data.group.handle(self.now, input);
    }

    pub(super) fn carry_out(&mut self, place: usize) {
        let mut decided = false;
        let twice = self.has(Planted::ActionTwice);
        loop {
            let data = &mut self.services[place].data;
            let Some(action) = data.group.poll_action() else {
                let Some(word) = self.words.pop_front() else { break };
                self.tell_group(place, word.into());
                continue;
            };
            if let Some(all) = &mut self.overheard {
                let answers =
                    matches!(action, target_group::Action::Call(call::Action::Answer { .. }));
                let times = 1 + usize::from(twice && answers);
                all.extend(iter::repeat_n((self.now, place, Said::Wanted(action.clone())), times));
            }
            match action {
                target_group::Action::Probe { probe, task, .. } => {
                    self.probe(place, probe, task);
                }
                target_group::Action::Call(action) => {
                    let Done { send, answer, word } = data.carry_out(self.now, action);
                    if let Some(answer) = answer {
                        if self.has(Planted::AnsweredTwice) {
                            self.give(answer);
                        }
                        if self.has(Planted::NeverAnswered) && answer.task.is_none() {
                            continue;
                        }
                        self.give(answer);
                    }
                    if let Some(word) = word.filter(|_| !self.has(Planted::DoneIsLost)) {
                        self.words.push_back(word);
                    }
                    if let Some((task, job)) = send {
                        self.after(self.there(place), place, Local::Reach(task, job));
                    }
                }
                target_group::Action::Record(record) => {
                    decided = true;
                    self.news.push_back(News::Served(place, record));
                }
            }
        }
        self.break_off(place);
        let service = &mut self.services[place];
        let meant = service.data.group.poll_timeout();
        service.data_due = service.data_due.next(meant, &self.physics, &mut self.lateness);
        if decided {
            self.report(place);
        }
    }

    /// After a pause a gateway and tasks that have slept are to wake up for a request.
    fn wake_up(&mut self, place: usize) {
        let service = &mut self.services[place];
        let before = service.asked.replace(self.now);
        if before.is_none_or(|before| self.now.since(before) >= PAUSE) {
            service.awake = self.now + self.physics.hop + self.physics.first;
        }
    }

    /// How long it takes from the gateway to a task: nobody is there before who was sent before.
    fn there(&self, place: usize) -> Duration {
        self.services[place].awake.since(self.now).max(self.physics.hop)
    }

    /// What becomes of a request reaches the gateway.
    pub(super) fn replied(&mut self, place: usize, task: TaskId, job: Job, reply: Reply) {
        if let Some(process) = self.services[place].processes.get_mut(&task)
            && !process.let_pass(job)
        {
            process.missed.replies.push((job, reply));
            return;
        }
        if let Some((gateway, probe)) = job.check() {
            self.checked(place, gateway, probe, reply.of_check());
        } else if let Some(input) = self.services[place].data.reply(task, job, reply) {
            self.data(place, input);
            self.give_up_call(place, job.call);
        }
    }

    /// A check has a result, unless another gateway has asked for it.
    pub(super) fn checked(&mut self, place: usize, gateway: u32, probe: ProbeId, result: Probed) {
        if gateway == self.gateways {
            self.data(place, target_group::Input::Probed(probe, result));
        }
    }

    /// The gateway hears from the agent.
    pub(super) fn hear_endpoints(&mut self, place: usize, mut endpoints: Endpoints) {
        for endpoint in &mut endpoints.tasks {
            if self.has(Planted::DrainingStaysIn) {
                endpoint.wanted = Wanted::InRotation;
            }
            if self.has(Planted::HealthyUnseen) {
                endpoint.inherited.get_or_insert(Health::Healthy.into());
            }
        }
        self.services[place].data.keep(&endpoints);
        self.data(place, target_group::Input::Endpoints(endpoints));
        self.report(place);
    }

    /// Closes the connections of tries that nobody waits for any more.
    pub(super) fn break_off(&mut self, place: usize) {
        while let Some((task, call, attempt)) = self.services[place].data.poll_broken_off() {
            let process = self.services[place].processes.get(&task);
            if process.is_some_and(|process| process.program.notices) {
                self.after(self.there(place), place, Local::Closed(task, call, attempt));
            }
        }
    }

    fn probe(&mut self, place: usize, probe: ProbeId, task: TaskId) {
        let late = self.lateness.duration(self.physics.late);
        let Service { data, processes, .. } = &mut self.services[place];
        let process = processes.get_mut(&task).filter(|process| process.listens());
        // Where no more is asked the kernel answers, whatever the process does.
        let asks = data.checks_ask();
        if process.as_ref().is_some_and(|process| asks && process.program.checks_wait) {
            let job = Job::of_check(self.gateways, probe);
            return self.after(self.physics.hop + late, place, Local::Reach(task, job));
        }
        let result = match process {
            None => Probed::Failed(Failing::Refused),
            Some(_) if !asks => Probed::Opened,
            // Core knows by itself until when it waits.
            Some(process) if process.hangs => {
                return process.missed.check = Some((self.gateways, probe));
            }
            Some(process) => Probed::Status(process.program.check_status),
        };
        let there_and_back = 2 * self.physics.hop;
        self.after(there_and_back + late, place, Local::Probed(self.gateways, probe, result));
    }

    /// What comes of a check that waited reaches the gateway.
    pub(super) fn probed(&mut self, place: usize, (gateway, probe): Check, result: Probed) {
        self.after(self.physics.hop, place, Local::Probed(gateway, probe, result));
    }

    /// The gateway tells the agent what it sees.
    pub(super) fn report(&mut self, place: usize) {
        let group = &self.services[place].data.group;
        let mut seen = group.sightings(self.now, group.version());
        seen.at = Some(self.now);
        if self.has(Planted::NewGatewayIsSilent) && self.gateways > 0 {
            return;
        }
        if self.has(Planted::AcknowledgedEarly) {
            seen.acknowledged = self.services[place].control.published;
        }
        if self.has(Planted::InFlightIsHidden) {
            seen.tasks.iter_mut().for_each(|task| task.in_flight = 0);
        }
        self.pass_on(place, Duration::ZERO, Local::Sightings(Box::new(seen)));
    }

    /// Over the link between agent and gateway, after this.
    pub(super) fn pass_on(&mut self, place: usize, after: Duration, message: Local) {
        let Network { latency, loss } = self.physics.link;
        if self.partitioned || self.network.chance(loss) {
            return;
        }
        let late = self.lateness.duration(self.physics.late);
        let due = self.now + after + self.network.duration(latency) + late;
        let way = usize::from(matches!(message, Local::Endpoints(_)));
        let arrives = &mut self.services[place].arrivals[way];
        *arrives = due.max(*arrives);
        self.agenda.add(*arrives, Event::At(place, message));
    }
}

// === impl Reply ===

impl Reply {
    /// What it says of a check.
    pub(super) fn of_check(self) -> Probed {
        match self {
            Self::Whole(status, _) => Probed::Status(status),
            Self::Failed(failure) if failure.kind == FailureKind::Refused => {
                Probed::Failed(Failing::Refused)
            }
            Self::Half(_) | Self::Failed(_) => Probed::Failed(Failing::Closed),
        }
    }
}
