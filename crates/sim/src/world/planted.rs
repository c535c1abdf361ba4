//! Bugs that are planted on purpose: a swarm that does not find them proves little.
//!
//! Each is one that a balancer or a scheduler has had, or ours could have. Those of the settings are made
//! in a fleet that is not what its file says; the others are asked for where they happen.

use seaworthy_core::fleet::{Fleet, Service};
use seaworthy_core::policy::bulkhead::Config::Fixed;
use serde::{Deserialize, Serialize};

use super::{Physics, Program, World};

/// A bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Planted {
    /// The end of an answer is not told: what was in flight stays so.
    DoneIsLost,
    /// A client gets two answers.
    AnsweredTwice,
    /// A client that is turned away is not told.
    NeverAnswered,
    /// The gateway acknowledges what the agent has only just sent (Kubernetes #43576).
    AcknowledgedEarly,
    /// The gateway says that nothing is in flight.
    InFlightIsHidden,
    /// It still sends requests to what is draining (HAProxy #2894).
    DrainingStaysIn,
    /// A task is killed when it begins to drain (ECS agent #2316).
    KilledAtOnce,
    /// SIGKILL does not come through.
    KillIsLost,
    /// Nobody notices that a task has died.
    ExitIsLost,
    /// Nobody hears that a task was started.
    LaunchIsLost,
    /// The next agent has forgotten which numbers were used.
    NumbersAgain,
    /// A lost connection is taken for one on which nothing was sent.
    DeathCountsAsUnsent,
    /// POST is taken for something that may be repeated.
    PostIsRepeated,
    /// The gateway is not told the time: deadlines pass unnoticed.
    TimeIsForgotten,
    /// A new task is taken for healthy before its first check (HAProxy #51, kamal-proxy).
    HealthyUnseen,
    /// Verdicts of the last gateway do not reach the agent: nothing is ever heard of it again.
    NewGatewayIsSilent,
    /// Deployments leave nothing.
    NoFloor,
    /// Starts go one beyond the ceiling.
    HigherCeiling,
    /// More calls wait than may.
    LongerQueue,
    /// More calls run than may.
    LargerBulkhead,
    /// Retries have no budget (Envoy mobile #811).
    NoRetryBudget,
    /// Hedges have none.
    NoHedgeBudget,
}

impl World {
    /// Whether this bug is planted.
    pub(super) fn has(&self, bug: Planted) -> bool {
        self.planted == Some(bug)
    }
}

// === impl Planted ===

impl Planted {
    /// One after the other.
    pub const ALL: [Self; 22] = [
        Self::DoneIsLost,
        Self::AnsweredTwice,
        Self::NeverAnswered,
        Self::AcknowledgedEarly,
        Self::InFlightIsHidden,
        Self::DrainingStaysIn,
        Self::KilledAtOnce,
        Self::KillIsLost,
        Self::ExitIsLost,
        Self::LaunchIsLost,
        Self::NumbersAgain,
        Self::DeathCountsAsUnsent,
        Self::PostIsRepeated,
        Self::TimeIsForgotten,
        Self::HealthyUnseen,
        Self::NewGatewayIsSilent,
        Self::NoFloor,
        Self::HigherCeiling,
        Self::LongerQueue,
        Self::LargerBulkhead,
        Self::NoRetryBudget,
        Self::NoHedgeBudget,
    ];

    /// A world with it.
    pub(crate) fn world(self, fleet: &Fleet, programs: &[Program], physics: Physics) -> World {
        let mut fleet = fleet.clone();
        fleet.services.iter_mut().for_each(|service| self.change(service));
        let mut world = World::new(&fleet, programs, physics);
        world.planted = Some(self);
        world
    }

    fn change(self, service: &mut Service) {
        match self {
            Self::NoFloor => service.cluster.minimum_healthy_percent = 0,
            Self::HigherCeiling => service.cluster.maximum_percent += 100,
            Self::LongerQueue => {
                service.call.queue.iter_mut().for_each(|queue| queue.most_calls += 1);
            }
            _ => {}
        }
        for route in &mut service.call.routes {
            match self {
                Self::LargerBulkhead => {
                    if let Some(Fixed(size)) = &mut route.guard.bulkhead {
                        *size += 1;
                    }
                }
                Self::NoRetryBudget => route.budget = None,
                Self::NoHedgeBudget => {
                    route.hedge.iter_mut().for_each(|hedge| hedge.budget.cap = 1_000_000);
                }
                _ => {}
            }
        }
    }
}
