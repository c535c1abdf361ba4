//! Records in words.

use std::fmt;

use super::{Cause, Death, Decision, Exit, Record, Weakness};
use crate::time::Short;

// === impl Display ===

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.task {
            Some(task) => write!(f, "{task}: ")?,
            None => write!(f, "service: ")?,
        }
        write!(f, "{}: {}", self.decision, self.cause)
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Start => "start",
            Self::Launch => "launch",
            Self::EnterRotation => "enter rotation",
            Self::Trial => "on trial",
            Self::LeaveRotation => "leave rotation",
            Self::Retire => "retire",
            Self::Terminate => "SIGTERM",
            Self::Kill => "SIGKILL",
            Self::Gone => "gone",
            Self::Hold => "hold",
            Self::Switch => "breaker",
            Self::Deploy => "deploy",
            Self::Bake => "bake",
            Self::GoOn => "go on",
            Self::Blame => "blame",
            Self::Complete => "completed",
            Self::Fail => "failed",
            Self::RollBack => "roll back",
            Self::Scale => "scale",
            Self::Replace => "replace",
            Self::Adopt => "adopt",
            Self::Down => "down",
            Self::Machines => "machines",
            Self::Refuse => "refused",
        })
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { have, want, provisioning, location } => {
                write!(f, "{have} of {want} tasks")?;
                if !provisioning.is_zero() {
                    write!(f, ", process in {}", Short(*provisioning))?;
                }
                location.as_ref().map_or(Ok(()), |location| write!(f, ", on {location}"))
            }
            Self::Surplus { have, want } => write!(f, "{have} tasks, {want} wanted"),
            Self::OldRevision => write!(f, "not of the desired revision"),
            Self::Replaced => write!(f, "its checks or requests fail and it is replaced"),
            Self::Provisioned => write!(f, "provisioned"),
            Self::PowerOff { site } => write!(f, "the power is off in {site}"),
            Self::PowerOn { site } => write!(f, "the power is on again in {site}"),
            Self::ChecksPass { passes, threshold } => {
                write!(f, "{passes} of {threshold} checks passed in a row")
            }
            Self::ChecksFail { failures, threshold, last } => {
                write!(f, "{failures} of {threshold} checks failed in a row, the last one {last}")
            }
            Self::NobodyListens => write!(f, "it refused a connection"),
            Self::Withdrew => write!(f, "it wants no more requests"),
            Self::Ejected { fault, times, length } => {
                write!(f, "{fault}: ejected for {}, number {times} in a row", Short(*length))
            }
            Self::EjectionOver { length } => write!(f, "it was ejected for {}", Short(*length)),
            Self::TrialPassed => write!(f, "its trial request went well"),
            Self::TrialUnused { waited } => {
                write!(f, "no trial request showed anything in {}", Short(*waited))
            }
            Self::Inherited => write!(f, "the verdict of an earlier gateway"),
            Self::NobodyHealthy => write!(f, "no task is healthy, so all are used"),
            Self::OthersHealthy => write!(f, "others are healthy again"),
            Self::EveryoneLooksBad => write!(f, "every task looks bad, so it is held against none"),
            Self::LateForAnother => {
                write!(f, "it is late since another task is out, so nobody is ejected for a while")
            }
            Self::Drained => write!(f, "drained, nothing in flight"),
            Self::DeregistrationDelayOver { in_flight } => {
                write!(f, "deregistration delay over with {in_flight} in flight")
            }
            Self::StopTimeoutOver { limit } => {
                write!(f, "still there {} after SIGTERM", Short(*limit))
            }
            Self::StartTimeoutOver { limit } => {
                write!(f, "no check passed within {} of the start", Short(*limit))
            }
            Self::ByHand => write!(f, "asked for by hand"),
            Self::Deregistered => write!(f, "deregistered"),
            Self::Exited(exit) => write!(f, "{exit}"),
            Self::NotStarted(why) => write!(f, "not started: {why}"),
            Self::StartsFail { failures: 1, wait } => {
                write!(f, "a start failed, next one in {}", Short(*wait))
            }
            Self::StartsFail { failures, wait } => {
                write!(f, "{failures} starts failed in a row, next one in {}", Short(*wait))
            }
            Self::Breaker { route, transition } => {
                write!(f, "route {route}: {transition}")
            }
            Self::Died { exit, how, last } => {
                write!(f, "{exit}, {how}")?;
                last.iter().try_for_each(|line| write!(f, " | {line}"))
            }
            Self::Scaled { from, to, why } => {
                write!(f, "from {from} tasks to {to}")?;
                why.map_or(Ok(()), |why| write!(f, ": {why}"))
            }
            Self::Memory { used, limit } => {
                write!(f, "it uses {used} bytes of memory, more than {limit}")
            }
            Self::Restored { tasks, gone } => {
                write!(f, "tasks of an earlier agent that go on: {tasks}, gone: {gone}")
            }
            Self::TakenDown => write!(f, "the service is taken down"),
            of_deployments => of_deployments.deployment(f),
        }
    }
}

impl Cause {
    /// The causes that only deployments have.
    fn deployment(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NewRevision { revision, from: Some(from) } => {
                write!(f, "revision {revision} in place of {from}")
            }
            Self::NewRevision { revision, from: None } => write!(f, "revision {revision}"),
            Self::GoneBack { from, to } => write!(f, "from revision {from} to {to}"),
            Self::NoneToGoBackTo => write!(f, "no revision was completed before"),
            Self::Superseded { by } => write!(f, "revision {by} came before it was completed"),
            Self::CanarySettled { tasks, bake } => {
                let bake = Short(*bake);
                write!(f, "a share is for the new revision for {bake}, new tasks: {tasks}")
            }
            Self::CanaryEjected { tasks } => {
                write!(f, "tasks of the canary that are out for their requests: {tasks}")
            }
            Self::Baked { bake } => write!(f, "nothing was wrong for {}", Short(*bake)),
            Self::AllServe { revision, tasks } => {
                write!(f, "all {tasks} of revision {revision} and no other")
            }
            Self::FailedBeforeItSettled { how, failures, threshold } => {
                write!(f, "{how}: failure {failures} of its revision, {threshold} are too many")
            }
            Self::TooManyFailures { failures, threshold } => {
                write!(f, "new tasks that failed: {failures}; {threshold} are too many")
            }
            Self::TooManyFailedRequests { failed, ended, percent } => {
                write!(f, "{failed} of {ended} requests failed, more than {percent} %")
            }
            Self::RangBefore { revision } => {
                write!(f, "the alarm rang before revision {revision} came, so it is not about that")
            }
            Self::TooSlow { p99, limit } => {
                let (p99, limit) = (Short(*p99), Short(*limit));
                write!(f, "99 of 100 requests took up to {p99}, more than {limit}")
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Weakness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ended => "it ended",
            Self::Checks => "its checks fail",
            Self::Requests => "its requests fail",
        })
    }
}

impl fmt::Display for Death {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NeverStarted => write!(f, "before a check passed"),
            Self::Young { age } => write!(f, "only {} after its start", Short(*age)),
            Self::Unasked { age } => write!(f, "{} after its start", Short(*age)),
            Self::FailedChecks => write!(f, "no check had passed in time"),
            Self::OutOfMemory => write!(f, "killed for the memory it used"),
        }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exited with status {code}"),
            Self::Signal(signal) => write!(f, "ended by signal {signal}"),
            Self::Unknown => write!(f, "ended, nobody knows how"),
        }
    }
}
