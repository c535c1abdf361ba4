//! What should start and what should go, as a pure function of what is.

mod count;
mod words;

use serde::{Deserialize, Serialize};

use super::spread::Location;
use crate::endpoints::TaskId;
use crate::record::Cause;
use count::Count;

/// A revision of a service's task definition: 1, 2, …
pub type Revision = u32;

/// What there should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Desired {
    /// How many tasks.
    pub count: u32,
    /// Healthy tasks that our own actions leave.
    pub floor: u32,
    /// Tasks that our own starts do not exceed.
    pub ceiling: u32,
    /// Of which revision.
    pub revision: Revision,
    /// So many of that revision for now; as many as the count, but in a deployment that goes no
    /// further.
    pub new: u32,
    /// Old revisions whose tasks are replaced when they die, and how many of each still have a place.
    pub old: Vec<(Revision, u32)>,
    /// So many tasks of old revisions stay for now, whatever the floor.
    pub keep: u32,
    /// No task of that revision ever worked for long enough, while others did: where everyone looks
    /// bad, that may well be why.
    pub unproven: bool,
}

/// What there is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// Every task that is not gone, in ascending order.
    pub tasks: Vec<Seen>,
    /// Whether the gateway has been heard of lately. If not, everything is unknown: nothing is
    /// retired.
    pub informed: bool,
}

/// One task, as far as planning goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The task.
    pub task: TaskId,
    /// Its revision.
    pub revision: Revision,
    /// Where it is, if that is said.
    pub location: Option<Location>,
    /// How it stands.
    pub standing: Standing,
    /// If it is failing, whether it has been so for long enough to be no passing weakness.
    pub lasting: bool,
    /// It is to go once another one serves in its place.
    pub replace: Option<Replace>,
}

/// How a task stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Provisioned, or started and not yet seen working.
    Coming,
    /// It works, but takes nobody's place: it is new and has not done so for long enough, or is out
    /// for its requests, or because it wants none or nobody reaches it.
    Unsettled,
    /// It works.
    Serving,
    /// It worked once and does not now.
    Failing,
    /// Draining or stopping.
    Leaving,
}

/// Why a task that works is to be replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Replace {
    /// Somebody asked for it.
    ByHand,
    /// It needs more memory than it should.
    Memory {
        /// Bytes it uses.
        used: u64,
        /// Bytes it should not need more of.
        limit: u64,
    },
}

/// What to do now, and what keeps the rest from being done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// To be done now, in this order.
    pub steps: Vec<Step>,
    /// Why not more. Empty together with `steps`: all is as desired.
    pub waiting_on: Vec<Waiting>,
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Start a task of this revision.
    Start(Revision),
    /// Retire this task.
    Retire(TaskId, Cause),
}

/// What a plan waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// Tasks that are coming.
    Coming(u32),
    /// Tasks that work, but have not done so for long enough, or are out for their requests.
    Settling(u32),
    /// Tasks that are leaving.
    Leaving(u32),
    /// So many tasks are missing, but there are as many as the ceiling allows.
    Ceiling(u32),
    /// So many tasks should go, but the floor must hold.
    Floor(u32),
    /// So many old tasks stay until the deployment goes on.
    Kept(u32),
    /// Every task looks bad; none is stopped for it.
    EveryoneLooksBad,
    /// The gateway has not been heard of.
    Sightings,
}

/// The next steps from `observed` towards `desired`.
///
/// Starts come first and are bounded by the ceiling, which counts every task that is not gone: first
/// tasks of old revisions that died and without which the floor does not hold, then new ones. Then
/// tasks retire: of an old revision as far as the floor allows, those that are to be replaced and
/// are, surplus ones from the fullest zone, and failing ones once they are replaced. A task is only
/// retired *before* it is replaced where the ceiling leaves no room for its replacement, one at a time,
/// and none for failing while everyone looks bad, or has only just begun to.
pub fn plan(desired: &Desired, observed: &Observed) -> Plan {
    let count = Count { desired, tasks: &observed.tasks };
    let mut plan = Plan::default();
    let missing = count.missing();
    let room = desired.ceiling.saturating_sub(count.tasks.len() as u32) as usize;
    plan.steps.extend(missing.iter().take(room).copied().map(Step::Start));
    let short = missing.len().saturating_sub(room);
    plan.waiting_on.extend((short > 0).then_some(Waiting::Ceiling(short as u32)));
    if observed.informed {
        let mut spare = count.serving().saturating_sub(desired.floor);
        count.retire_old(&mut plan, &mut spare);
        count.retire_replaced(&mut plan, &mut spare, short > 0);
        count.retire_surplus(&mut plan, &mut spare);
        count.retire_failing(&mut plan, short > 0);
    } else {
        plan.waiting_on.push(Waiting::Sightings);
    }
    count.wait(&mut plan);
    plan
}

#[cfg(test)]
mod tests;
