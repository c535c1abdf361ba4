//! What should start and what should go, as a pure function of what is.

use crate::endpoints::TaskId;
use crate::record::Cause;

/// A revision of a service's task definition: 1, 2, …
pub type Revision = u32;

/// What there should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Desired {
    /// How many tasks.
    pub count: u32,
    /// Healthy tasks that our own actions leave.
    pub floor: u32,
    /// Tasks that our own starts do not exceed.
    pub ceiling: u32,
    /// Of which revision.
    pub revision: Revision,
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The task.
    pub task: TaskId,
    /// Its revision.
    pub revision: Revision,
    /// How it stands.
    pub standing: Standing,
}

/// How a task stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Provisioned, or started and not yet seen working.
    Coming,
    /// Its checks pass.
    Serving,
    /// Its checks passed once and fail now.
    Failing,
    /// Draining or stopping.
    Leaving,
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
    /// Tasks that are leaving.
    Leaving(u32),
    /// So many tasks are missing, but there are as many as the ceiling allows.
    Ceiling(u32),
    /// So many tasks should go, but the floor must hold.
    Floor(u32),
    /// Every task looks bad; none is stopped for it.
    EveryoneLooksBad,
    /// The gateway has not been heard of.
    Sightings,
}

/// The tasks of one plan, counted once.
struct Count<'a> {
    desired: &'a Desired,
    tasks: &'a [Seen],
}

/// The next steps from `observed` towards `desired`.
///
/// Starts come first and are bounded by the ceiling, which counts every task that is not gone.
/// Then tasks retire: of an old revision as far as the floor allows, surplus ones, and failing ones
/// once they are replaced. A failing task is only stopped *before* it is replaced where the ceiling
/// leaves no room for its replacement, one at a time, and not while everyone looks bad.
pub fn plan(desired: &Desired, observed: &Observed) -> Plan {
    let count = Count { desired, tasks: &observed.tasks };
    let mut plan = Plan::default();
    let missing = desired.count.saturating_sub(count.good_new());
    let room = desired.ceiling.saturating_sub(count.tasks.len() as u32);
    for _ in 0..missing.min(room) {
        plan.steps.push(Step::Start(desired.revision));
    }
    if missing > room {
        plan.waiting_on.push(Waiting::Ceiling(missing - room));
    }
    if observed.informed {
        count.retire_old(&mut plan);
        count.retire_surplus(&mut plan);
        count.retire_failing(&mut plan, missing > room);
    } else {
        plan.waiting_on.push(Waiting::Sightings);
    }
    let (coming, leaving) = (count.any(Standing::Coming), count.any(Standing::Leaving));
    plan.waiting_on.extend((coming > 0).then_some(Waiting::Coming(coming)));
    plan.waiting_on.extend((leaving > 0).then_some(Waiting::Leaving(leaving)));
    plan
}

// === impl Count ===

impl Count<'_> {
    fn any(&self, standing: Standing) -> u32 {
        self.tasks.iter().filter(|t| t.standing == standing).count() as u32
    }

    fn of(&self, new: bool, standing: Standing) -> impl DoubleEndedIterator<Item = TaskId> {
        let revision = self.desired.revision;
        self.tasks
            .iter()
            .filter(move |t| (t.revision == revision) == new && t.standing == standing)
            .map(|t| t.task)
    }

    fn good_new(&self) -> u32 {
        (self.of(true, Standing::Coming).count() + self.of(true, Standing::Serving).count()) as u32
    }

    /// Tasks of an old revision go as soon as the floor lets them. One that is coming may serve by
    /// the time it is told to go, so it waits for the floor as well.
    fn retire_old(&self, plan: &mut Plan) {
        let retire = |task| Step::Retire(task, Cause::OldRevision);
        let (serving, floor) = (self.any(Standing::Serving), self.desired.floor);
        if serving >= floor {
            plan.steps.extend(self.of(false, Standing::Coming).map(retire));
        }
        let spare = serving.saturating_sub(floor) as usize;
        let old = self.of(false, Standing::Serving).count();
        plan.steps.extend(self.of(false, Standing::Serving).take(spare).map(retire));
        if old > spare {
            plan.waiting_on.push(Waiting::Floor((old - spare) as u32));
        }
    }

    /// When enough serve, those that do not yet are too many, and then the youngest.
    fn retire_surplus(&self, plan: &mut Plan) {
        let (have, want) = (self.good_new(), self.desired.count);
        let Some(too_many) = (self.of(true, Standing::Serving).count() as u32).checked_sub(want)
        else {
            return;
        };
        let retire = |task| Step::Retire(task, Cause::Surplus { have, want });
        plan.steps.extend(self.of(true, Standing::Coming).map(retire));
        let youngest = self.of(true, Standing::Serving).rev().take(too_many as usize);
        plan.steps.extend(youngest.map(retire));
    }

    fn retire_failing(&self, plan: &mut Plan, no_room: bool) {
        let failing: Vec<TaskId> =
            self.of(false, Standing::Failing).chain(self.of(true, Standing::Failing)).collect();
        let retire = |&task: &TaskId| Step::Retire(task, Cause::Replaced);
        let replaced = self.of(true, Standing::Serving).count() as u32 >= self.desired.count;
        if replaced {
            plan.steps.extend(failing.iter().map(retire));
        } else if no_room && !failing.is_empty() && self.any(Standing::Leaving) == 0 {
            // A rollout may be the cure for a fleet in which everyone looks bad.
            let cure = self.of(false, Standing::Failing).next().is_some();
            if self.any(Standing::Serving) > 0 || cure {
                plan.steps.extend(failing.first().map(retire));
            } else {
                plan.waiting_on.push(Waiting::EveryoneLooksBad);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `C` coming, `S` serving, `F` failing, `L` leaving; lower case: of the old revision.
    fn observed(tasks: &str) -> Observed {
        let seen = |(n, letter): (usize, char)| Seen {
            task: TaskId(n as u32 + 1),
            revision: if letter.is_lowercase() { 1 } else { 2 },
            standing: match letter.to_ascii_uppercase() {
                'C' => Standing::Coming,
                'S' => Standing::Serving,
                'F' => Standing::Failing,
                _ => Standing::Leaving,
            },
        };
        Observed { tasks: tasks.chars().enumerate().map(seen).collect(), informed: true }
    }

    fn steps(count: u32, floor: u32, ceiling: u32, tasks: &str) -> String {
        let plan = plan(&Desired { count, floor, ceiling, revision: 2 }, &observed(tasks));
        let step = |step: &Step| match step {
            Step::Start(_) => "start".to_owned(),
            Step::Retire(task, _) => format!("-{}", task.0),
        };
        let steps: Vec<String> = plan.steps.iter().map(step).collect();
        let waiting: Vec<String> = plan.waiting_on.iter().map(|w| format!("{w:?}")).collect();
        format!("{} | {}", steps.join(" "), waiting.join(" "))
    }

    #[test]
    fn a_dead_task_is_replaced_at_once_whatever_the_floor() {
        assert_eq!(steps(2, 2, 4, "S"), "start | ");
        assert_eq!(steps(3, 2, 6, "S"), "start start | ");
        assert_eq!(steps(3, 2, 6, "SSC"), " | Coming(1)");
        assert_eq!(steps(2, 1, 2, "SL"), " | Ceiling(1) Leaving(1)");
    }

    #[test]
    fn a_rollout_stops_first_or_starts_first_as_the_percents_allow() {
        // 50 % of 4 may stop two first; 200 % of 4 may start four first: both at once.
        assert_eq!(steps(4, 2, 8, "ssss"), "start start start start -1 -2 | Floor(2)");
        // 100 % keeps all until new ones serve.
        assert_eq!(steps(2, 2, 4, "ss"), "start start | Floor(2)");
        assert_eq!(steps(2, 2, 4, "ssSC"), "-1 | Floor(1) Coming(1)");
        // No surge: stop one, then start one.
        assert_eq!(steps(2, 1, 2, "ss"), "-1 | Ceiling(2) Floor(1)");
        assert_eq!(steps(2, 1, 2, "s"), "start | Ceiling(1) Floor(1)");
    }

    #[test]
    fn a_failing_task_goes_when_it_is_replaced() {
        assert_eq!(steps(2, 2, 4, "SF"), "start | ");
        assert_eq!(steps(2, 2, 4, "SFC"), " | Coming(1)");
        assert_eq!(steps(2, 2, 4, "SFS"), "-2 | ");
        assert_eq!(steps(2, 1, 2, "SF"), "-2 | Ceiling(1)");
        assert_eq!(steps(2, 1, 2, "FF"), " | Ceiling(2) EveryoneLooksBad");
        assert_eq!(steps(2, 1, 2, "ff"), "-1 | Ceiling(2)");
    }

    #[test]
    fn surplus_goes_coming_ones_first_and_then_the_youngest() {
        assert_eq!(steps(2, 2, 4, "SSC"), "-3 | Coming(1)");
        assert_eq!(steps(2, 2, 4, "SSSS"), "-4 -3 | ");
        assert_eq!(steps(0, 0, 0, "SS"), "-2 -1 | ");
    }

    #[test]
    fn without_sightings_tasks_start_but_none_retires() {
        let desired = Desired { count: 2, floor: 2, ceiling: 4, revision: 2 };
        let unknown = Observed { informed: false, ..observed("sS") };
        let plan = plan(&desired, &unknown);
        assert_eq!(plan.steps, [Step::Start(2)]);
        assert_eq!(plan.waiting_on, [Waiting::Sightings]);
    }
}
