//! A task's way through its life, as the reconciler moves it.

use std::time::Duration;

use super::{Action, Reconciler, Signal};
use crate::cluster::plan::{Revision, Seen, Standing};
use crate::cluster::spread::{self, Location};
use crate::cluster::task::{Phase, Task};
use crate::endpoints::TaskId;
use crate::random::{Stream, duration_between};
use crate::record::{Cause, Decision, Weakness};
use crate::time::Instant;

impl Reconciler {
    pub(super) fn start(&mut self, now: Instant, revision: Revision) {
        let good = |seen: &Seen| {
            let good = [Standing::Coming, Standing::Unsettled, Standing::Serving];
            seen.revision == revision && seen.replace.is_none() && good.contains(&seen.standing)
        };
        let good: Vec<Seen> = self.seen(now).into_iter().filter(good).collect();
        let have = good.len() as u32;
        // Its own revision is spread evenly, for the others are there only for a while.
        let beside: Vec<Location> = good.into_iter().filter_map(|seen| seen.location).collect();
        let location = spread::next(&self.machines(), &beside);
        let id = self.numbers.after(self.started);
        self.started += 1;
        let (shortest, longest) = self.config.provisioning;
        let provisioning = if self.filled {
            duration_between(shortest, longest, self.seed, Stream::Provisioning, id.0.into())
        } else {
            Duration::ZERO
        };
        let deployment = &self.deployment;
        let must_settle = revision == deployment.revision
            && deployment.from.is_some()
            && deployment.state.is_under_way();
        let task = Task::new(id, revision, location.clone(), now + provisioning, must_settle);
        self.tasks.push(task);
        let places = self.old.iter().find(|(old, _)| *old == revision).map(|(_, places)| *places);
        let want = places.unwrap_or(self.count);
        let cause = Cause::Missing { have, want, provisioning, location };
        self.record(now, id, Decision::Start, cause);
    }

    /// The one way to retire a task: out of rotation, acknowledged, nothing in flight or the delay
    /// over, SIGTERM, SIGKILL. Skipped by a crash, a stop by hand, an observed memory limit, and by who has
    /// never passed a check in time.
    pub(super) fn retire(&mut self, now: Instant, id: TaskId, cause: Cause) {
        // The snapshot that takes it out is the next one.
        let version = self.published.version + 1;
        let until = now + self.config.deregistration_delay;
        let Some(task) = self.task(id) else { return };
        let revision = task.revision;
        let told = match task.phase {
            Phase::Running { port, .. } => {
                task.phase = Phase::Draining { port, version, until };
                false
            }
            // Its process is on the way, nobody has seen it: no request can be in flight.
            Phase::Launching { .. } => {
                self.stop(now, id, cause.clone());
                true
            }
            Phase::Provisioning { .. } => {
                self.tasks.retain(|task| task.id != id);
                false
            }
            Phase::Draining { .. } | Phase::Stopping { .. } => return,
        };
        if !told {
            self.record(now, id, Decision::Retire, cause);
        }
        self.give_up_place(now, revision);
    }

    pub(super) fn stop(&mut self, now: Instant, id: TaskId, cause: Cause) {
        let kill_at = now + self.config.stop_timeout;
        let Some(task) = self.task(id) else { return };
        match task.phase {
            Phase::Launching { port }
            | Phase::Running { port, .. }
            | Phase::Draining { port, .. } => {
                task.phase = Phase::Stopping { port, kill_at: Some(kill_at) };
                self.record(now, id, Decision::Terminate, cause);
                self.actions.push_back(Action::Signal(id, Signal::Terminate));
            }
            Phase::Provisioning { .. } => {
                self.tasks.retain(|task| task.id != id);
                self.record(now, id, Decision::Gone, cause);
            }
            Phase::Stopping { .. } => {}
        }
    }

    /// Whether a task that runs since then and has not passed a check is given up: by a word of the
    /// gateway from after its time, for by an earlier one it may well serve by now.
    fn is_late(&self, since: Instant) -> bool {
        let limit = self.config.start_timeout;
        self.sighted.is_some_and(|(first, last)| since.max(first) + limit <= last)
    }

    /// Whether the gateway sends no new requests to a task that these endpoints take out. One that has
    /// not heard of it still does, unless the whole service goes.
    pub(super) fn has_left(&self, version: u64) -> bool {
        self.acknowledged >= version || self.down
    }

    /// Does what is due at `now` for tasks as they are.
    pub(super) fn advance(&mut self, now: Instant) {
        let due: Vec<(TaskId, Phase, bool, u32)> =
            self.tasks.iter().map(|t| (t.id, t.phase, t.passed, t.in_flight)).collect();
        for (id, phase, passed, in_flight) in due {
            match phase {
                Phase::Provisioning { until } if until <= now => self.launch(now, id),
                Phase::Running { since, .. } if !passed && self.is_late(since) => {
                    self.give_up(now, id);
                }
                Phase::Draining { until, version, .. }
                    if until <= now && self.has_left(version) =>
                {
                    self.stop(now, id, Cause::DeregistrationDelayOver { in_flight });
                }
                Phase::Stopping { port, kill_at: Some(at) } if at <= now => {
                    let limit = self.config.stop_timeout;
                    if let Some(task) = self.task(id) {
                        task.phase = Phase::Stopping { port, kill_at: None };
                    }
                    self.record(now, id, Decision::Kill, Cause::StopTimeoutOver { limit });
                    self.actions.push_back(Action::Signal(id, Signal::Kill));
                }
                _ => {}
            }
        }
    }

    /// No check passed in time.
    fn give_up(&mut self, now: Instant, id: TaskId) {
        let limit = self.config.start_timeout;
        let Some(task) = self.task(id) else { return };
        task.given_up = true;
        let task = task.clone();
        self.back_off(now, &task);
        self.stop(now, id, Cause::StartTimeoutOver { limit });
        self.blame(now, &task, Weakness::Checks);
    }

    fn launch(&mut self, now: Instant, id: TaskId) {
        // Without a port it waits; the next port is an event and comes back here.
        let Some(port) = self.port.take() else { return };
        let Some(task) = self.task(id) else { return };
        task.phase = Phase::Launching { port };
        let (revision, location) = (task.revision, task.location.clone());
        self.record(now, id, Decision::Launch, Cause::Provisioned);
        self.actions.push_back(Action::Launch { task: id, revision, port, location });
    }
}
