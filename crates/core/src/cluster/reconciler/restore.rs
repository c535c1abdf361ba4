//! What must outlive the agent, and how the next one goes on with it.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::rollout::Deployment;
use super::{Action, Backoff, Reconciler, Signal};
use crate::cluster::deployment::DeploymentView;
use crate::cluster::limits::Limits;
use crate::cluster::plan::Revision;
use crate::cluster::spread::Site;
use crate::cluster::task::{Phase, Task};
use crate::cluster::{Config, Numbers};
use crate::endpoints::TaskId;
use crate::record::{Cause, Decision, Exit};
use crate::time::Instant;

/// Everything about one service that must outlive the agent, other than its settings. Its moments are
/// those of the machine's clock: after the machine was started again, only what
/// [`rebooted`](Self::rebooted) leaves of it is true. It is read by later programs, so a field that is
/// added has a `#[serde(default)]`; so has one of what it holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    count: u32,
    /// The count that stood in the settings.
    configured: u32,
    down: bool,
    started: u32,
    filled: bool,
    deployment: Deployment,
    history: VecDeque<DeploymentView>,
    completed: Vec<Revision>,
    old: Vec<(Revision, u32)>,
    backoffs: BTreeMap<Revision, Backoff>,
    #[serde(default)]
    limits: BTreeMap<Revision, Limits>,
    tasks: Vec<Task>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    off: Vec<Site>,
    /// Of what the gateway was told last.
    version: u64,
}

// === impl Snapshot ===

impl Snapshot {
    /// The revisions that are still needed: the desired one, those whose tasks are left or may come
    /// again, and those to which one may go back.
    pub fn revisions(&self) -> Vec<Revision> {
        let own = self.deployment.revisions();
        let old = self.old.iter().map(|(revision, _)| *revision);
        let tasks = self.tasks.iter().map(|task| task.revision);
        let mut all: Vec<Revision> =
            own.chain(old).chain(tasks).chain(self.completed.iter().copied()).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// No task has a number beyond this, if they were numbered by `numbers`.
    pub fn highest(&self, numbers: Numbers) -> u32 {
        numbers.after(self.started).0
    }

    /// No further task gets a number up to this one: it was seen on a process that nobody wrote down.
    pub fn skip(&mut self, numbers: Numbers, seen: TaskId) {
        while self.highest(numbers) <= seen.0 {
            self.started += 1;
        }
    }

    /// The same, but further tasks get other numbers, from their first one on.
    #[must_use]
    pub fn renumbered(self) -> Self {
        Self { started: 0, ..self }
    }

    /// What is true of it now that the machine was started again: no moment of another run means
    /// anything in this one, and no process outlived that. A deployment goes on where it was, as it does
    /// when all tasks die at once, and nothing that was given up comes back. Restored without a running
    /// task, it tells of those that are gone.
    #[must_use]
    pub fn rebooted(mut self, now: Instant) -> Self {
        // Whoever starts the fleet again wants it to run.
        self.down = false;
        self.filled = false;
        self.deployment.begin_again(now);
        self.history.iter_mut().for_each(|ended| ended.since = Instant::EPOCH);
        self.backoffs.clear();
        self.off.clear();
        self.tasks.retain(|task| !matches!(task.phase, Phase::Provisioning { .. }));
        self
    }

    /// Tasks that have, or may have, a process.
    pub fn tasks(&self) -> impl Iterator<Item = TaskId> {
        let process = |task: &&Task| !matches!(task.phase, Phase::Provisioning { .. });
        self.tasks.iter().filter(process).map(|task| task.id)
    }
}

impl Reconciler {
    /// What must outlive the agent. It changes only when something happens that matters.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            count: self.count,
            configured: self.config.desired_count,
            down: self.down,
            started: self.started,
            filled: self.filled,
            deployment: self.deployment.clone(),
            history: self.history.clone(),
            completed: self.completed.clone(),
            old: self.old.clone(),
            backoffs: self.backoffs.clone(),
            limits: self.limits.clone(),
            tasks: self.tasks.iter().map(Task::lasting).collect(),
            off: self.off.clone(),
            version: self.published.version,
        }
    }

    /// Goes on with what an earlier agent left: those of its tasks that are `running` go on, others
    /// that had a process are gone. Nothing is retired before the gateway is heard of.
    pub fn restore(
        config: Config,
        seed: u64,
        numbers: Numbers,
        snapshot: Snapshot,
        running: &[TaskId],
        now: Instant,
    ) -> Self {
        let wanted = config.desired_count;
        let mut this = Self::new(config, seed, numbers);
        this.count = snapshot.count;
        this.down = snapshot.down;
        this.started = snapshot.started;
        this.filled = snapshot.filled;
        this.deployment = snapshot.deployment;
        this.history = snapshot.history;
        this.completed = snapshot.completed;
        this.old = snapshot.old;
        this.backoffs = snapshot.backoffs;
        this.limits = snapshot.limits;
        // An earlier program did not write them down.
        this.limits.entry(this.deployment.revision).or_insert(this.config.limits);
        this.tasks = snapshot.tasks;
        this.off = snapshot.off;
        this.published.version = snapshot.version;
        this.at = now;
        this.adopt(now, running);
        if wanted != snapshot.configured {
            this.scale(now, wanted, None);
        }
        this
    }

    fn adopt(&mut self, now: Instant, running: &[TaskId]) {
        let (mut gone, mut again) = (Vec::new(), Vec::new());
        for task in &mut self.tasks {
            match task.phase {
                Phase::Provisioning { .. } => {}
                _ if !running.contains(&task.id) => gone.push(task.id),
                Phase::Launching { port } => task.phase = Phase::Running { port, since: now },
                // What the earlier agent wanted to be done may not have been.
                Phase::Stopping { port, kill_at } => {
                    let kill_at = Some(kill_at.unwrap_or(now));
                    task.phase = Phase::Stopping { port, kill_at };
                    again.push(task.id);
                }
                _ => {}
            }
        }
        self.actions.extend(again.into_iter().map(|id| Action::Signal(id, Signal::Terminate)));
        let (tasks, lost) = ((self.tasks.len() - gone.len()) as u32, gone.len() as u32);
        self.record_all(now, Decision::Adopt, Cause::Restored { tasks, gone: lost });
        for id in gone {
            // Nobody knows why, so it is held against nobody.
            if let Some(task) = self.remove(id) {
                self.record(now, task.id, Decision::Gone, Cause::Exited(Exit::Unknown));
            }
        }
    }
}
