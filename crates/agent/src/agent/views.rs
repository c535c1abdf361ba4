//! What the agent tells of the fleet over its API.

use seaworthy_core::cluster::View;
use seaworthy_core::cluster::deployment::State;
use seaworthy_core::cluster::plan::Revision;
use seaworthy_core::endpoints::TaskId;

use super::managed::{self, Managed};
use super::store::Registered;
use super::{Agent, url};
use crate::api::Wall;
use crate::api::types::{
    DeploymentView, FleetView, PartView, RevisionState, RevisionView, ServiceView, Stage, TaskView,
};
use crate::clock::now;
use crate::processes::Identity;

impl Agent {
    pub(super) fn fleet_view(&mut self) -> FleetView {
        let parts = self.part_views();
        let services = self.services.iter().map(|managed| managed.view(self.wall)).collect();
        let dashboard = self.dashboard.as_ref().map(|(address, _)| format!("http://{address}/"));
        FleetView {
            state_directory: self.directory.path().to_owned(),
            file: self.origin.file.clone(),
            started: Wall::text_of(self.stored.started),
            dashboard,
            services,
            parts,
        }
    }

    fn part_views(&mut self) -> Vec<PartView> {
        let part = |name: String, process: Identity| PartView {
            name,
            pid: process.pid,
            since: self.wall.text(process.started()),
        };
        let found = self.parts.look(now(), self.directory.path()).iter();
        let found = found.filter_map(|marked| Some(part(marked.part.clone()?, marked.identity)));
        let own = Identity::of(std::process::id()).map(|own| part("agent".to_owned(), own));
        let mut parts: Vec<PartView> = found.chain(own).collect();
        parts.sort_by(|one, other| (&one.name, one.pid).cmp(&(&other.name, other.pid)));
        parts
    }

    pub(super) fn task_views(&self) -> Vec<TaskView> {
        let views = self.services.iter().flat_map(|managed| managed.views(&self.processes));
        let mut views: Vec<TaskView> = views
            .map(|seen| {
                let task = seen.view.task;
                let usage = self.resources.usage().get(&task);
                TaskView {
                    service: seen.service,
                    task,
                    revision: seen.view.revision,
                    state: seen.view.state,
                    machine: seen.view.location.map(String::from),
                    port: seen.view.port,
                    pid: seen.process.map(|process| process.pid),
                    age_seconds: seen.process.map_or(0, |p| now().since(p.started()).as_secs()),
                    cpu: usage.map(|usage| usage.cpu),
                    memory: usage.map(|usage| usage.memory),
                    limits: self.resources.enforcement(task).map(|kept| kept.to_string()),
                }
            })
            .collect();
        views.sort_unstable_by_key(|view| view.task);
        views
    }

    /// Whose task it is or was, as far as its number tells.
    pub(super) fn service_of(&self, task: TaskId) -> String {
        managed::name_of(&self.services, task)
    }
}

// === impl Managed ===

impl Managed {
    fn view(&self, wall: Wall) -> ServiceView {
        let views = self.reconciler.views();
        let count =
            |wanted: fn(&View) -> bool| views.iter().filter(|view| wanted(view)).count() as u32;
        ServiceView {
            name: self.service.name.clone(),
            url: url(&self.service).1,
            revision: self.reconciler.revision(),
            desired: self.reconciler.desired_count(),
            running: count(|view| view.has_process() && !view.is_leaving()),
            in_rotation: count(View::is_in_rotation),
            deployment: self.reconciler.is_deploying().then(|| self.deployment_view(wall)),
            autoscaling: self.service.cluster.autoscaling.is_some(),
            waiting_on: self.reconciler.explain(now()),
        }
    }

    /// Whether the present deployment takes the place of one that has failed.
    fn is_rolling_back(&self) -> bool {
        let revision = self.reconciler.deployment().revision;
        self.reconciler.history().last().is_some_and(|before| {
            before.state == State::RolledBack && before.from == Some(revision)
        })
    }

    fn deployment_view(&self, wall: Wall) -> DeploymentView {
        let deployment = self.reconciler.deployment();
        let stage = match deployment.state {
            State::Baking => Stage::Canary,
            _ if self.is_rolling_back() => Stage::RollingBack,
            _ if deployment.healthy >= deployment.desired => Stage::Proving,
            _ => Stage::Rolling,
        };
        DeploymentView {
            revision: deployment.revision,
            from: deployment.from,
            stage,
            settled: deployment.healthy,
            desired: deployment.desired,
            failed: deployment.failures,
            failure_threshold: deployment.threshold,
            started: wall.text(deployment.since),
        }
    }

    pub(super) fn revision_views(&self) -> Vec<RevisionView> {
        let current = self.reconciler.deployment();
        let last = |revision| {
            let before = self.reconciler.history().filter(move |d| d.revision == revision).last();
            if revision == current.revision { Some(&current) } else { before }
        };
        let under_way = if self.is_rolling_back() {
            RevisionState::RollingBack
        } else {
            RevisionState::InProgress
        };
        let view = |(revision, registered): (Revision, &Registered)| {
            let deployment = last(revision);
            let state = match deployment.map(|deployment| deployment.state) {
                Some(state) if state.is_under_way() && revision == current.revision => under_way,
                Some(State::Completed) => RevisionState::Completed,
                Some(State::Failed) => RevisionState::Failed,
                Some(State::RolledBack) => RevisionState::RolledBack,
                _ => RevisionState::Replaced,
            };
            RevisionView {
                revision,
                state,
                reason: deployment.and_then(|deployment| deployment.reason.clone()),
                command: registered.service.command.clone(),
                deployed_at: Wall::text_of(registered.at),
                current: revision == current.revision,
            }
        };
        self.revisions.all().map(view).collect()
    }
}
