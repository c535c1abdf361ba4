//! One task's life, as far as the way of control knows it.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::plan::{Replace, Revision, Seen, Standing};
use super::spread::Location;
use super::{Config, State, View};
use crate::endpoints::{Endpoint, Health, Inherited, Sightings, TaskId, Wanted};
use crate::health::passive::Ejection;
use crate::time::Instant;

/// How long a task is still out is written down in such steps: it is another time at every look.
const STEP: Duration = Duration::from_secs(5);
/// So many ejections in a row are no passing weakness: the task is replaced.
pub const PERSISTENT: u32 = 5;

/// A task that is not gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Task {
    pub(super) id: TaskId,
    pub(super) revision: Revision,
    /// Where it is, if its service was spread over machines when it was started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) location: Option<Location>,
    pub(super) phase: Phase,
    /// The verdicts last seen.
    pub(super) verdict: Inherited,
    /// Whether a check ever passed.
    pub(super) passed: bool,
    /// Since when its checks pass, whatever its requests show.
    #[serde(default)]
    passing_since: Option<Instant>,
    /// Since when its checks pass and its requests are well.
    pub(super) healthy_since: Option<Instant>,
    /// Whether that is for long enough.
    pub(super) settled: bool,
    /// Whether it ever was.
    pub(super) proven: bool,
    /// It came in a deployment that is not over: it counts only once it has settled.
    pub(super) must_settle: bool,
    /// It is a failure of its deployment, and has been counted.
    pub(super) blamed: bool,
    /// It was given up because no check passed in time.
    pub(super) given_up: bool,
    /// Whether it has answered a request of a client properly.
    pub(super) answered: bool,
    /// Whether it has failed one.
    #[serde(default)]
    pub(super) failed: bool,
    /// It is to go once another one serves in its place.
    pub(super) replace: Option<Replace>,
    /// Whether it was last seen in rotation.
    #[serde(skip)]
    pub(super) in_rotation: bool,
    /// Requests last seen in flight.
    #[serde(skip)]
    pub(super) in_flight: u32,
    /// Requests last seen failed.
    #[serde(skip)]
    failures: u64,
    /// When one was last seen in flight, or failed.
    #[serde(skip)]
    pub(super) asked: Option<Instant>,
    /// Since when its checks fail without a break.
    #[serde(skip)]
    pub(super) failing_since: Option<Instant>,
    /// When it was first and last seen above its soft limit without a break.
    #[serde(skip)]
    pub(super) over: Option<(Instant, Instant)>,
}

/// Where in its life a task is. There is no way back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Phase {
    /// Its process starts then.
    Provisioning { until: Instant },
    /// Its process is being started.
    Launching { port: u16 },
    /// Its process runs.
    Running { port: u16, since: Instant },
    /// Out of rotation as from snapshot `version`; requests in flight may finish.
    Draining { port: u16, version: u64, until: Instant },
    /// It was told to go.
    Stopping { port: u16, kill_at: Option<Instant> },
}

impl Task {
    /// One that is to start then.
    pub(super) fn new(
        id: TaskId,
        revision: Revision,
        location: Option<Location>,
        until: Instant,
        must_settle: bool,
    ) -> Self {
        Self {
            id,
            revision,
            location,
            phase: Phase::Provisioning { until },
            verdict: Health::Initial.into(),
            passed: false,
            passing_since: None,
            healthy_since: None,
            settled: false,
            proven: false,
            must_settle,
            blamed: false,
            given_up: false,
            answered: false,
            failed: false,
            replace: None,
            in_rotation: false,
            in_flight: 0,
            failures: 0,
            asked: None,
            failing_since: None,
            over: None,
        }
    }

    /// How it stands.
    pub(super) fn seen(&self, now: Instant, config: &Config) -> Seen {
        let standing = match self.phase {
            Phase::Provisioning { .. } | Phase::Launching { .. } => Standing::Coming,
            Phase::Draining { .. } | Phase::Stopping { .. } => Standing::Leaving,
            Phase::Running { .. } if !self.passed => Standing::Coming,
            Phase::Running { since, .. } => self.running(now, since, config),
        };
        let lasting = self.lasts(config).is_some_and(|at| at <= now) || self.is_over(now, config);
        let (task, revision, replace) = (self.id, self.revision, self.replace);
        Seen { task, revision, location: self.location.clone(), standing, lasting, replace }
    }

    /// When its failing checks are no passing weakness any more. What must work for so long to be
    /// believed must fail for as long to be given up.
    pub(super) fn lasts(&self, config: &Config) -> Option<Instant> {
        self.failing_since.map(|since| since + config.deployment.settle)
    }

    fn is_persistent(&self) -> bool {
        self.verdict.ejection.is_some_and(|ejection| ejection.times >= PERSISTENT)
    }

    /// When a new task that has failed every request so far has done so for too long, ejected in
    /// between or not: one that gets few of them hardly is, and one that is gets none for a while.
    pub(super) fn disproved(&self, config: &Config) -> Option<Instant> {
        let proven = !self.must_settle || self.proven || self.answered;
        let since = self.passing_since.filter(|_| self.failed && !proven)?;
        Some(since + config.deployment.settle)
    }

    /// Whether it was good for long enough. That nobody asked it for anything proves nothing any more once
    /// somebody has, and had no answer.
    pub(super) fn is_proven(&self) -> bool {
        self.proven && (self.answered || !self.failed)
    }

    /// Whether its requests are believed to show what it is worth.
    fn is_over(&self, now: Instant, config: &Config) -> bool {
        self.is_persistent() || self.disproved(config).is_some_and(|at| at <= now)
    }

    fn running(&self, now: Instant, since: Instant, config: &Config) -> Standing {
        let in_grace = now < since + config.health_grace;
        if self.verdict.health == Health::Unhealthy && !in_grace || self.is_over(now, config) {
            Standing::Failing
        } else if self.healthy_since.is_none() || self.must_settle && !self.settled {
            Standing::Unsettled
        } else {
            Standing::Serving
        }
    }

    pub(super) fn view(&self) -> View {
        let (state, port) = match self.phase {
            Phase::Provisioning { .. } => (State::Provisioning, None),
            Phase::Launching { port } => (State::Starting, Some(port)),
            Phase::Running { port, .. } if !self.passed => (State::Starting, Some(port)),
            Phase::Running { port, .. } if self.in_rotation => (State::InRotation, Some(port)),
            Phase::Running { port, .. } => (State::OutOfRotation, Some(port)),
            Phase::Draining { port, .. } => (State::Draining, Some(port)),
            Phase::Stopping { port, .. } => (State::Stopping, Some(port)),
        };
        let location = self.location.clone();
        View { task: self.id, revision: self.revision, state, port, location }
    }

    pub(super) fn endpoint(&self) -> Option<Endpoint> {
        let (port, wanted) = match self.phase {
            Phase::Provisioning { .. } | Phase::Launching { .. } => return None,
            Phase::Running { port, .. } => (port, Wanted::InRotation),
            Phase::Draining { port, .. } | Phase::Stopping { port, .. } => (port, Wanted::Draining),
        };
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        // `Initial` is no verdict, so there is none to inherit.
        let inherited = Some(self.verdict).filter(|verdict| verdict.health != Health::Initial);
        let revision = self.revision;
        Some(Endpoint { task: self.id, address, wanted, weight: 1, revision, inherited })
    }

    /// Whether it runs and is to go on.
    pub(super) fn is_running(&self) -> bool {
        matches!(self.phase, Phase::Running { .. })
    }

    /// Whether it was told to go.
    pub(super) fn is_leaving(&self) -> bool {
        matches!(self.phase, Phase::Draining { .. } | Phase::Stopping { .. })
    }

    /// Takes note of what the gateway saw, with or without a break since it was last heard of.
    pub(super) fn observe(&mut self, now: Instant, sightings: &Sightings, unbroken: bool) {
        let Some(sighting) = sightings.of(self.id) else { return };
        let before = std::mem::replace(&mut self.in_flight, sighting.in_flight);
        self.in_rotation = sighting.in_rotation;
        self.answered |= sighting.answered > 0;
        self.failed |= sighting.failed > 0;
        let failures = std::mem::replace(&mut self.failures, sighting.failed);
        // A stream may go on for ever: that is no news.
        if sighting.in_flight > before || sighting.failed > failures {
            self.asked = Some(now);
        }
        // A gateway that was started again knows nothing yet: that is no news.
        if sighting.health == Health::Initial {
            return;
        }
        self.passed = true;
        self.verdict = Inherited { health: sighting.health, ejection: sighting.ejection };
        // What nobody saw does not count.
        let before = self.failing_since.filter(|_| unbroken);
        let fails = sighting.health == Health::Unhealthy;
        self.failing_since = fails.then(|| before.unwrap_or(now));
        let counts = unbroken || self.settled;
        let since = |before: Option<Instant>| Some(before.filter(|_| counts).unwrap_or(now));
        let passes = sighting.health == Health::Healthy;
        self.passing_since = since(self.passing_since).filter(|_| passes);
        // Out of rotation all the same is whom nobody reaches any more, or who wants no more requests.
        let is_well = passes && sighting.ejection.is_none() && sighting.in_rotation;
        self.healthy_since = since(self.healthy_since).filter(|_| is_well);
        self.settled &= is_well;
    }

    /// What of it must outlive the agent.
    pub(super) fn lasting(&self) -> Self {
        let step = |out: Ejection| {
            let steps = out.left.as_nanos().div_ceil(STEP.as_nanos());
            Ejection { left: STEP * steps as u32, ..out }
        };
        let Inherited { health, ejection } = self.verdict;
        let verdict = Inherited { health, ejection: ejection.map(step) };
        let (failing_since, over, asked) = (None, None, None);
        let (in_rotation, in_flight, failures) = (false, 0, 0);
        let own = self.clone();
        Self { verdict, in_rotation, in_flight, failures, asked, failing_since, over, ..own }
    }
}
