//! What is waited for, in words.

use super::Reconciler;
use crate::cluster::deployment::State;
use crate::cluster::plan::{Plan, Step, Waiting};
use crate::cluster::spread::Site;
use crate::cluster::task::{Phase, Task};
use crate::time::{Instant, Short};

impl Reconciler {
    /// What is waited for at `now`, in words. Nothing: all is as desired.
    pub fn explain(&self, now: Instant) -> Vec<String> {
        let plan = self.plan(now);
        let mut told: Vec<String> = plan.waiting_on.iter().map(Waiting::to_string).collect();
        told.extend(self.explain_starts(now, &plan));
        told.extend(self.explain_deployment(now));
        told
    }

    fn explain_starts(&self, now: Instant, plan: &Plan) -> Vec<String> {
        let mut told = Vec::new();
        let mut revisions: Vec<_> = plan
            .steps
            .iter()
            .filter_map(|step| match step {
                Step::Start(revision) => Some(*revision),
                Step::Retire(..) => None,
            })
            .collect();
        revisions.dedup();
        if !revisions.is_empty() && self.has_no_power() {
            let off: Vec<String> = self.off.iter().map(Site::to_string).collect();
            return vec![format!("no task can start: the power is off in {}", off.join(", "))];
        }
        for revision in revisions {
            if let Some((until, failures)) = self.must_wait(now, revision) {
                let wait = Short(until.since(now));
                let failures = match failures {
                    1 => "a failure".to_owned(),
                    more => format!("{more} failures"),
                };
                told.push(format!(
                    "the next start of revision {revision} waits {wait} after {failures}"
                ));
            }
        }
        let due =
            |task: &&Task| matches!(task.phase, Phase::Provisioning { until } if until <= now);
        let due: Vec<String> = self.tasks.iter().filter(due).map(|t| t.id.to_string()).collect();
        if !due.is_empty() && self.port.is_none() {
            told.push(format!("no port can be had for {}", due.join(", ")));
        }
        told
    }

    fn explain_deployment(&self, now: Instant) -> Option<String> {
        let deployment = &self.deployment;
        let revision = deployment.revision;
        if deployment.held_for().is_some() {
            let why = deployment.reason().unwrap_or_default();
            return Some(format!("revision {revision} was given up and goes no further: {why}"));
        }
        if !self.down && deployment.state == State::Failed {
            let why = deployment.reason().unwrap_or_default();
            return Some(format!("revision {revision} has failed, with none to go back to: {why}"));
        }
        if self.down || !deployment.state.is_under_way() {
            return None;
        }
        if self.lacks_proof() {
            return Some(format!(
                "no task is desired, so none shows whether revision {revision} works: it waits for one"
            ));
        }
        if let (Some(since), Some(canary)) = (deployment.baking, self.canary()) {
            let left = Short((since + canary.bake).since(now));
            return Some(format!("the canary of revision {revision} serves for {left} more"));
        }
        let Some(ready) = deployment.ready else {
            return Some(format!("revision {revision} is being deployed"));
        };
        let silent = self.tasks.iter().filter(|task| task.revision == revision && !task.answered);
        let silent: Vec<String> = silent.map(|task| task.id.to_string()).collect();
        let left = Short(self.quiet_at(ready).since(now));
        let silent = silent.join(", ");
        Some(format!("{silent} must answer a request, or get none for {left}"))
    }
}
