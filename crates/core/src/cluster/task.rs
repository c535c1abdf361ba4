//! One task's life, as far as the way of control knows it.

use std::net::{Ipv4Addr, SocketAddr};

use super::plan::{Revision, Seen, Standing};
use super::{State, View};
use crate::endpoints::{Endpoint, Health, Inherited, Sightings, TaskId, Wanted};
use crate::time::Instant;

/// A task that is not gone.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) id: TaskId,
    pub(super) revision: Revision,
    pub(super) phase: Phase,
    /// The verdicts last seen.
    pub(super) verdict: Inherited,
    /// Whether a check ever passed.
    pub(super) passed: bool,
    /// Whether it was last seen in rotation.
    pub(super) in_rotation: bool,
    /// Requests last seen in flight.
    pub(super) in_flight: u32,
}

/// Where in its life a task is. There is no way back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    pub(super) fn seen(&self) -> Seen {
        let standing = match self.phase {
            Phase::Provisioning { .. } | Phase::Launching { .. } => Standing::Coming,
            Phase::Draining { .. } | Phase::Stopping { .. } => Standing::Leaving,
            Phase::Running { .. } if !self.passed => Standing::Coming,
            Phase::Running { .. } if self.verdict.health == Health::Unhealthy => Standing::Failing,
            Phase::Running { .. } => Standing::Serving,
        };
        Seen { task: self.id, revision: self.revision, standing }
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
        View { task: self.id, revision: self.revision, state, port }
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

    /// Takes note of what the gateway saw; true at the first pass.
    pub(super) fn observe(&mut self, sightings: &Sightings) -> bool {
        let Some(sighting) = sightings.of(self.id) else { return false };
        self.in_flight = sighting.in_flight;
        self.in_rotation = sighting.in_rotation;
        // A gateway that was started again knows nothing yet: that is no news.
        if sighting.health == Health::Initial {
            return false;
        }
        self.verdict = Inherited { health: sighting.health, ejection: sighting.ejection };
        !std::mem::replace(&mut self.passed, true)
    }
}
