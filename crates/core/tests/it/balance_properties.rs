//! Whatever happens to the tasks: who is chosen may be chosen.

use std::time::Duration;

use proptest::prelude::*;
use seaworthy_core::balance::{Algorithm, Config};
use seaworthy_core::call::{Loads, Pick};
use seaworthy_core::endpoints::TaskId;
use seaworthy_core::health::{Member, Rotation};
use seaworthy_core::time::Instant;

/// For which call a task is wanted.
#[derive(Clone, Debug)]
struct Wish {
    preferred: Option<TaskId>,
    revision: Option<u32>,
    safe: bool,
    not: Vec<TaskId>,
    affinity: u64,
}

/// What happens next. `usize` picks among the requests in flight.
#[derive(Clone, Debug)]
enum Step {
    Rotate(Vec<Member>),
    Pick(Wish),
    Answered(usize, u64),
    Failed(usize),
    GivenUp(usize),
    Wait(u64),
}

fn task() -> impl Strategy<Value = TaskId> {
    (1..7_u32).prop_map(TaskId)
}

fn rotation() -> impl Strategy<Value = Vec<Member>> {
    let member = (1..4_u32, 1..3_u32, prop::bool::weighted(0.2));
    prop::collection::btree_map(task(), member, 0..6).prop_map(|members| {
        let member =
            |(task, (weight, revision, on_trial))| Member { task, weight, revision, on_trial };
        members.into_iter().map(member).collect()
    })
}

fn wish() -> impl Strategy<Value = Wish> {
    let some_task = prop::option::weighted(0.3, task());
    let revision = prop::option::weighted(0.3, 1..4_u32);
    let not = prop::collection::vec(task(), 0..3);
    (some_task, revision, any::<bool>(), not, any::<u64>()).prop_map(
        |(preferred, revision, safe, not, affinity)| Wish {
            preferred,
            revision,
            safe,
            not,
            affinity,
        },
    )
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => rotation().prop_map(Step::Rotate),
        10 => wish().prop_map(Step::Pick),
        4 => (any::<usize>(), 0..1000_u64).prop_map(|(n, millis)| Step::Answered(n, millis)),
        2 => any::<usize>().prop_map(Step::Failed),
        2 => any::<usize>().prop_map(Step::GivenUp),
        2 => (0..5000_u64).prop_map(Step::Wait),
    ]
}

fn config() -> impl Strategy<Value = Config> {
    let algorithm = prop_oneof![
        Just(Algorithm::RoundRobin),
        Just(Algorithm::LeastOutstandingRequests),
        Just(Algorithm::WeightedRandom),
        Just(Algorithm::LatencyAware),
        Just(Algorithm::ConsistentHash),
    ];
    (algorithm, prop::option::of(1..4_u32), 0..2_u64).prop_map(|(algorithm, most, slow)| Config {
        slow_start: Duration::from_secs(slow * 10),
        most_in_flight: most,
        ..Config::plain(algorithm)
    })
}

/// Counts for itself what [`Loads`] counts.
struct Observer {
    loads: Loads,
    most: u32,
    now: Instant,
    members: Vec<Member>,
    /// Tasks on trial that have had their request since the rotation that said so.
    tried: Vec<TaskId>,
    in_flight: Vec<TaskId>,
    chosen: Vec<Option<TaskId>>,
}

impl Observer {
    fn new(config: Config) -> Self {
        Self {
            most: config.most_in_flight.unwrap_or(u32::MAX),
            loads: Loads::new(config, 1),
            now: Instant::EPOCH,
            members: Vec::new(),
            tried: Vec::new(),
            in_flight: Vec::new(),
            chosen: Vec::new(),
        }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Rotate(members) => {
                let stays = |task: &TaskId| self.members.iter().any(|m| m.task == *task);
                let now = self.now;
                self.tried.retain(stays);
                self.members.clone_from(members);
                let of_it = |task: &TaskId| members.iter().any(|m| m.task == *task && m.on_trial);
                self.tried.retain(of_it);
                self.loads.rotate(now, &Rotation { members: members.clone() });
            }
            Step::Pick(wish) => self.pick(wish),
            Step::Answered(n, millis) => {
                self.end(*n, true, |loads, now, task| {
                    loads.answered(now, task, Duration::from_millis(*millis));
                });
            }
            Step::Failed(n) => self.end(*n, true, Loads::failed),
            Step::GivenUp(n) => self.end(*n, false, |_, _, _| ()),
            Step::Wait(millis) => self.now = self.now + Duration::from_millis(*millis),
        }
        self.check();
    }

    fn pick(&mut self, wish: &Wish) {
        let Wish { preferred, revision, safe, not, affinity } = wish.clone();
        let pick = Pick { preferred, revision, safe, not: &not, affinity };
        let any = self.loads.any_for(&pick);
        let chosen = self.loads.pick(self.now, &pick);
        assert_eq!(any, chosen.is_some(), "{wish:?}");
        self.check_choice(wish, chosen);
        if let Some(task) = chosen {
            self.loads.take(self.now, task);
            self.in_flight.push(task);
            if self.members.iter().any(|m| m.task == task && m.on_trial) {
                self.tried.push(task);
            }
        }
        self.chosen.push(chosen);
    }

    fn end(&mut self, n: usize, heard: bool, tell: impl FnOnce(&mut Loads, Instant, TaskId)) {
        if let Some(n) = n.checked_rem(self.in_flight.len()) {
            let task = self.in_flight.remove(n);
            tell(&mut self.loads, self.now, task);
            self.loads.release(self.now, task, heard);
        }
    }

    fn carries(&self, task: TaskId) -> u32 {
        self.in_flight.iter().filter(|other| **other == task).count() as u32
    }

    fn check_choice(&self, wish: &Wish, chosen: Option<TaskId>) {
        let has_room = |member: &Member| self.carries(member.task) < self.most;
        let may = |m: &Member| !wish.not.contains(&m.task) && has_room(m);
        let asked = |m: &&Member| !wish.not.contains(&m.task);
        let all_on_trial = self.members.iter().filter(asked).all(|member| member.on_trial);
        let of = |revision: &u32| {
            let of_it = |m: &&Member| m.revision == *revision && m.on_trial == all_on_trial;
            self.members.iter().filter(of_it).any(may)
        };
        let known = wish.revision.filter(of);
        let of_it = |m: &&Member| {
            !wish.not.contains(&m.task) && known.is_none_or(|revision| revision == m.revision)
        };
        let those: Vec<&Member> = self.members.iter().filter(of_it).collect();
        let plain = || those.iter().filter(|member| !member.on_trial);
        let used_to = self.members.iter().find(|m| Some(m.task) == wish.preferred);
        let free = |m: &&Member| !m.on_trial && !wish.not.contains(&m.task) && has_room(m);
        if let Some(used_to) = used_to.filter(free) {
            assert_eq!(chosen, Some(used_to.task), "{wish:?}");
            return;
        }
        let on_trial = |m: &&&Member| m.on_trial && has_room(m) && !self.tried.contains(&m.task);
        if let Some(trial) = those.iter().find(on_trial).filter(|_| wish.safe) {
            assert_eq!(chosen, Some(trial.task), "{wish:?}");
            return;
        }
        let Some(task) = chosen else {
            let left = those.iter().filter(|m| !m.on_trial || plain().next().is_none());
            assert!(!left.into_iter().any(|m| has_room(m)), "{wish:?}");
            return;
        };
        let member = those.iter().find(|member| member.task == task);
        let member = member.expect("it is in rotation, of the revision, and none it must not be");
        assert!(has_room(member), "{task} has no room");
        assert!(!member.on_trial || plain().next().is_none(), "{task} is on trial");
    }

    fn check(&self) {
        for task in (1..7).map(TaskId) {
            assert_eq!(self.loads.in_flight(task), self.carries(task), "{task}");
        }
        let in_rotation = self.loads.tasks().filter(|(_, in_rotation)| *in_rotation);
        assert!(in_rotation.map(|(task, _)| task).eq(self.members.iter().map(|m| m.task)));
        let idle_and_out =
            |(task, in_rotation): (TaskId, bool)| !in_rotation && self.carries(task) == 0;
        assert!(!self.loads.tasks().any(idle_and_out), "what is over is forgotten");
        assert_eq!(self.loads.any_in_rotation(), !self.members.is_empty());
    }
}

proptest! {
    #[test]
    fn a_task_is_chosen_only_if_it_may_get_the_call(
        config in config(),
        steps in prop::collection::vec(step(), 0..150),
    ) {
        let choices = || {
            let mut observer = Observer::new(config.clone());
            for step in &steps {
                observer.step(step);
            }
            observer.chosen
        };
        prop_assert_eq!(choices(), choices());
    }
}
