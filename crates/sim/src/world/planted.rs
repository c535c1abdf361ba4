//! Bugs that are planted on purpose: a swarm that does not find them proves little.
//!
//! Each is one that a balancer or a scheduler has had, or ours could have. Those of the settings are made
//! in a fleet that is not what its file says; the others are asked for where they happen.

use std::time::Duration;

use seaworthy_core::balance::Algorithm;
use seaworthy_core::cluster::{self, View};
use seaworthy_core::endpoints::TaskId;
use seaworthy_core::fleet::{Fleet, Service};
use seaworthy_core::health::passive;
use seaworthy_core::policy::breaker;
use seaworthy_core::policy::bulkhead::Config::Fixed;
use serde::{Deserialize, Serialize};

use super::{Physics, Program, World};
use crate::in_words::in_words;

/// Longer than anything lasts.
const FOR_EVER: Duration = Duration::from_secs(1 << 32);

in_words! {
    /// A bug.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    Planted {
        DoneIsLost: "The end of an answer is not told: what was in flight stays so",
        AnsweredTwice: "A client gets two answers",
        ActionTwice: "Core wants a request to be answered that has its answer",
        NeverAnswered: "A client that is turned away is not told",
        AcknowledgedEarly: "The gateway acknowledges what the agent has only just sent (Kubernetes #43576)",
        InFlightIsHidden: "The gateway says that nothing is in flight",
        DrainingStaysIn: "The gateway still sends requests to what is draining (HAProxy #2894)",
        KilledAtOnce: "A task is killed when it begins to drain (ECS agent #2316)",
        DrainIsShort: "A deregistration delay is over after a tenth of its time",
        KilledSoon: "A stop timeout is over after a tenth of its time",
        KillIsLost: "SIGKILL does not come through",
        ExitIsLost: "Nobody notices that a task has died",
        LaunchIsLost: "Nobody hears that a task was started",
        DeployIsLost: "The agent hears of one deployment of a service, and of no second one",
        NumbersAgain: "The next agent has forgotten which numbers were used",
        DeathCountsAsUnsent: "A lost connection is taken for one on which nothing was sent",
        PostIsRepeated: "POST is taken for something that may be repeated",
        TimeIsForgotten: "The gateway is not told the time: deadlines pass unnoticed",
        HealthyUnseen: "A new task is taken for healthy before its first check (HAProxy #51, kamal-proxy)",
        NewGatewayIsSilent: "Verdicts of the last gateway do not reach the agent: nothing is ever heard of it again",
        NoFloor: "Deployments leave nothing",
        OneMachine: "All tasks come to the same machine",
        HigherCeiling: "Starts go beyond the ceiling",
        HigherMaximum: "The autoscaler goes beyond its maximum",
        ScaleIsUntold: "That another number of tasks is desired is told nobody",
        LongerQueue: "More calls wait than may",
        OpenLetsPass: "An open breaker lets calls pass",
        MoreTrials: "A half-open breaker lets one more trial pass",
        TrialsAreForgotten: "A trial that brings no result is waited for as long as it goes on",
        LargerBulkhead: "More calls run than may",
        NoRetryBudget: "Retries have no budget (Envoy mobile #811)",
        NoHedgeBudget: "Hedges have no budget",
        DearSuccesses: "Where a success brings a part of a retry, it brings a whole one (tower's budget: 0.6 was 1)",
        CallersRetryForFree: "Ten retries of a call between services come of one success",
        CallsAreLost: "What comes back of a call between services does not reach its task",
        CookieIsLost: "Nobody knows which task a client is used to",
        WeightsAreForgotten: "Revisions get what their tasks get, whatever the weights are",
        AffinityIsLost: "Nothing ties a request to the task to which the last one like it went",
        AllKeysMove: "When a task comes or goes, whatever is hashed goes somewhere else (hash modulo tasks)",
        ByLot: "Who is next is drawn, where tasks are to be served in turn",
        MoreInFlight: "Tasks get more at once than they may",
        PowerIsUnknown: "The agent does not know where the power is off",
        PowerStaysOn: "Where the power is off tasks go on",
        AnsweredByTheDead: "What a relay holds back of an answer comes when its task has ended",
        FewerAreLeft: "Verdicts of requests leave one task less than they must",
        SoonForgotten: "An ejection is over after a tenth of its time",
        NothingIsHeld: "After an overload lateness counts again at once",
        GatewayPanics: "Whoever starts the gateway again panics",
        QuietIsPoor: "The seconds bring no retries: a quiet service has none (Envoy gateway #2769)",
    }
}

impl World {
    /// Whether this bug is planted.
    pub(super) fn has(&self, bug: Planted) -> bool {
        self.planted == Some(bug)
    }

    /// Whether no kill ends this task, for there is no power where it is and it goes on.
    pub(super) fn lives_without_power(&self, place: usize, task: TaskId) -> bool {
        let is_off = |view: &View| view.location.as_ref().is_some_and(|at| self.is_off(place, at));
        self.has(Planted::PowerStaysOn)
            && self.views(place).iter().find(|view| view.task == task).is_some_and(is_off)
    }

    /// By which number a request is hashed that comes with this `affinity`.
    pub(super) fn hashed(&self, place: usize, ticket: u64, affinity: u64) -> u64 {
        match self.planted {
            Some(Planted::AffinityIsLost) => ticket,
            Some(Planted::AllKeysMove) => {
                let tasks = self.sightings(place).tasks;
                let there = tasks.iter().filter(|one| one.in_rotation).count() as u64;
                affinity.wrapping_add(there << 32)
            }
            _ => affinity,
        }
    }
}

// === impl Planted ===

impl Planted {
    /// A world with it.
    pub(crate) fn world(self, fleet: &Fleet, programs: &[Program], physics: &Physics) -> World {
        let mut fleet = fleet.clone();
        fleet.services.iter_mut().for_each(|service| self.change(service));
        let mut world = World::new(&fleet, programs, *physics);
        world.planted = Some(self);
        world
    }

    fn change_verdicts(self, config: &mut passive::Config) {
        match self {
            Self::FewerAreLeft => {
                config.minimum_in_rotation = config.minimum_in_rotation.max(2) - 1;
            }
            Self::SoonForgotten => config.ejection /= 10,
            Self::NothingIsHeld => config.window = Duration::from_nanos(1),
            _ => {}
        }
    }

    fn change_breaker(self, config: &mut breaker::Config) {
        match self {
            Self::OpenLetsPass => config.mode = breaker::Mode::MetricsOnly,
            Self::MoreTrials => config.trials.calls += 1,
            Self::TrialsAreForgotten => config.trials.lease = FOR_EVER,
            _ => {}
        }
    }

    /// Also of the revisions that come.
    pub(super) fn change_cluster(self, config: &mut cluster::Config) {
        match self {
            Self::NoFloor => config.minimum_healthy_percent = 0,
            Self::OneMachine => config.machines.truncate(1),
            Self::DrainIsShort => config.deregistration_delay /= 10,
            Self::KilledSoon => config.stop_timeout /= 10,
            Self::HigherCeiling => config.maximum_percent += 100,
            Self::HigherMaximum => {
                config.autoscaling.iter_mut().for_each(|scales| scales.maximum += 1);
            }
            _ => {}
        }
    }

    fn change(self, service: &mut Service) {
        self.change_cluster(&mut service.cluster);
        service.health.passive.iter_mut().for_each(|config| self.change_verdicts(config));
        match self {
            Self::MoreInFlight => {
                service.balancing.most_in_flight.iter_mut().for_each(|most| *most += 1);
            }
            Self::ByLot if service.balancing.algorithm == Algorithm::RoundRobin => {
                service.balancing.algorithm = Algorithm::WeightedRandom;
            }
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
                Self::OpenLetsPass | Self::MoreTrials | Self::TrialsAreForgotten => {
                    route.guard.breaker.iter_mut().for_each(|config| self.change_breaker(config));
                }
                Self::WeightsAreForgotten => route.weights.clear(),
                Self::NoRetryBudget => route.budget = None,
                Self::DearSuccesses => {
                    let some = route.budget.iter_mut().filter(|budget| budget.success_percent > 0);
                    some.for_each(|budget| budget.success_percent = 100);
                }
                Self::QuietIsPoor => {
                    route.budget.iter_mut().for_each(|budget| budget.per_second = 0);
                }
                Self::NoHedgeBudget => {
                    route.hedge.iter_mut().for_each(|hedge| hedge.budget.cap = 1_000_000);
                }
                _ => {}
            }
        }
    }
}
