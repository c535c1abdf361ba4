//! The tasks of one plan, and what their numbers say.

use super::{Desired, Plan, Revision, Seen, Standing, Step, Waiting};
use crate::endpoints::TaskId;
use crate::record::Cause;

use Standing::{Coming, Failing, Leaving, Serving, Unsettled};

/// The tasks of one plan.
pub(super) struct Count<'a> {
    pub(super) desired: &'a Desired,
    pub(super) tasks: &'a [Seen],
}

impl Count<'_> {
    fn any(&self, standing: Standing) -> u32 {
        self.tasks.iter().filter(|t| t.standing == standing).count() as u32
    }

    /// Those of the desired revision, or all others.
    fn of(&self, new: bool) -> impl DoubleEndedIterator<Item = &Seen> + Clone {
        let revision = self.desired.revision;
        self.tasks.iter().filter(move |t| (t.revision == revision) == new)
    }

    /// Those that are not to be replaced.
    fn staying(&self, new: bool, standing: Standing) -> impl DoubleEndedIterator<Item = TaskId> {
        self.of(new).filter(move |t| t.standing == standing && t.replace.is_none()).map(|t| t.task)
    }

    fn count(&self, new: bool, standing: Standing) -> u32 {
        self.staying(new, standing).count() as u32
    }

    /// Tasks that work, of whichever revision.
    pub(super) fn serving(&self) -> u32 {
        self.any(Serving)
    }

    /// Tasks that work or may do so soon, and stay.
    fn good(&self, new: bool) -> u32 {
        [Coming, Unsettled, Serving].into_iter().map(|standing| self.count(new, standing)).sum()
    }

    /// So many places of an old revision are taken. A failing task holds its place only while none
    /// of its revision works: then the deployment may well be the cure.
    fn present(&self, revision: Revision) -> u32 {
        let of = |standings: &[Standing]| {
            let hit = |t: &&Seen| {
                t.revision == revision && t.replace.is_none() && standings.contains(&t.standing)
            };
            self.tasks.iter().filter(hit).count() as u32
        };
        let failing = if of(&[Serving]) == 0 { of(&[Failing]) } else { 0 };
        of(&[Coming, Unsettled, Serving]) + failing
    }

    /// The revisions of the tasks that should be started, the most urgent ones first.
    pub(super) fn missing(&self) -> Vec<Revision> {
        let desired = self.desired;
        let mut missing = Vec::new();
        let mut lack: Vec<(Revision, u32)> = desired
            .old
            .iter()
            .map(|(revision, places)| (*revision, places.saturating_sub(self.present(*revision))))
            .collect();
        let mut of_old = |missing: &mut Vec<Revision>, wanted: u32| {
            let mut left = wanted;
            for (revision, lack) in &mut lack {
                let now = left.min(*lack);
                missing.extend(std::iter::repeat_n(*revision, now as usize));
                (*lack, left) = (*lack - now, left - now);
            }
        };
        let soon = self.count(false, Coming) + self.count(false, Unsettled);
        of_old(&mut missing, desired.floor.saturating_sub(self.serving() + soon));
        let urgent = missing.len() as u32;
        let new = desired.new.saturating_sub(self.good(true));
        missing.extend(std::iter::repeat_n(desired.revision, new as usize));
        let present: u32 = desired.old.iter().map(|(revision, _)| self.present(*revision)).sum();
        of_old(&mut missing, desired.keep.saturating_sub(present + urgent));
        missing
    }

    /// Tasks of an old revision go as soon as the floor lets them. One that is coming, or out, may
    /// serve by the time it is told to go, so it waits for the floor as well.
    pub(super) fn retire_old(&self, plan: &mut Plan, spare: &mut u32) {
        let retire = |seen: &Seen| Step::Retire(seen.task, Cause::OldRevision);
        let of = |standings: &'static [Standing]| {
            let hit = |t: &&Seen| t.replace.is_none() && standings.contains(&t.standing);
            // Those of a revision that nobody wants back go first, and none of them is kept.
            self.of(false).filter(hit).partition::<Vec<&Seen>, _>(|t| !self.has_places(t.revision))
        };
        let ((unwanted, idle), (first, working)) = (of(&[Coming, Unsettled]), of(&[Serving]));
        let keep = self.desired.keep as usize;
        let placed = idle.len() + working.len();
        let mut may_go = placed.saturating_sub(keep);
        if self.serving() >= self.desired.floor {
            let idle: Vec<&Seen> = idle.into_iter().take(may_go).collect();
            may_go -= idle.len();
            plan.steps.extend(unwanted.into_iter().chain(idle).map(retire));
            if self.serving() > 0 && keep == 0 {
                plan.steps.extend(self.of(false).filter(|t| t.standing == Failing).map(retire));
            }
        }
        let may_go = first.len() + working.len().min(may_go);
        let working = first.into_iter().chain(working);
        let go: Vec<&Seen> = working.take(may_go.min(*spare as usize)).collect();
        let must_stay = (may_go - go.len()) as u32;
        *spare -= go.len() as u32;
        plan.steps.extend(go.into_iter().map(retire));
        plan.waiting_on.extend((must_stay > 0).then_some(Waiting::Floor(must_stay)));
        let kept = placed.min(keep) as u32;
        plan.waiting_on.extend((kept > 0).then_some(Waiting::Kept(kept)));
    }

    fn has_places(&self, revision: Revision) -> bool {
        self.desired.old.iter().any(|(old, _)| *old == revision)
    }

    /// Those that are to be replaced go when others serve in their place, or, if the floor holds, when
    /// there is no room for those.
    pub(super) fn retire_replaced(&self, plan: &mut Plan, spare: &mut u32, no_room: bool) {
        let idle = self.any(Coming) == 0 && self.any(Leaving) == 0;
        let holds = self.serving() >= self.desired.floor;
        // What is coming, or out, may serve by the time it is told to go.
        let mut make_room = no_room && idle && holds && plan.steps.is_empty();
        let mut must_stay = 0;
        for seen in self.tasks {
            let Some(replace) = seen.replace else { continue };
            let new = seen.revision == self.desired.revision;
            let places = if new { self.desired.new } else { self.desired.keep };
            let ready = match seen.standing {
                Coming => holds,
                Unsettled => holds && self.count(new, Serving) >= places,
                Serving => self.count(new, Serving) >= places,
                Failing | Leaving => continue,
            };
            if !ready && !make_room {
                continue;
            }
            let costs = u32::from(seen.standing == Serving);
            if costs > *spare {
                must_stay += 1;
                continue;
            }
            *spare -= costs;
            make_room &= ready;
            plan.steps.push(Step::Retire(seen.task, replace.into()));
        }
        plan.waiting_on.extend((must_stay > 0).then_some(Waiting::Floor(must_stay)));
    }

    /// When enough serve, the others are too many.
    pub(super) fn retire_surplus(&self, plan: &mut Plan, spare: &mut u32) {
        let (have, want) = (self.good(true), self.desired.new);
        if self.count(true, Serving) < want {
            return;
        }
        let (serving, idle): (Vec<&Seen>, Vec<&Seen>) =
            self.surplus(have - want).into_iter().partition(|seen| seen.standing == Serving);
        // One that has not settled may serve all the same, so it waits for the floor as well.
        let idle = idle.into_iter().filter(|_| self.serving() >= self.desired.floor);
        let go = serving.len().min(*spare as usize);
        let must_stay = (serving.len() - go) as u32;
        let retire = |seen: &Seen| Step::Retire(seen.task, Cause::Surplus { have, want });
        plan.steps.extend(idle.chain(serving.into_iter().take(go)).map(retire));
        *spare -= go as u32;
        plan.waiting_on.extend((must_stay > 0).then_some(Waiting::Floor(must_stay)));
    }

    /// So many of those that stay, and are to go: each from the zone that is the fullest by then, there
    /// from the fullest machine, and among equals one that does not serve yet, or else the youngest.
    fn surplus(&self, count: u32) -> Vec<&Seen> {
        let of =
            |standing| self.of(true).filter(move |t| t.standing == standing && t.replace.is_none());
        let mut left: Vec<&Seen> = of(Serving).chain(of(Unsettled)).chain(of(Coming)).collect();
        let one = |_| {
            let tasks: Vec<_> = left.iter().filter_map(|seen| seen.location.clone()).collect();
            let load = |n: &usize| left[*n].location.as_ref().map(|location| location.load(&tasks));
            let fullest = (0..left.len()).max_by_key(load)?;
            Some(left.remove(fullest))
        };
        (0..count).filter_map(one).collect()
    }

    pub(super) fn retire_failing(&self, plan: &mut Plan, no_room: bool) {
        let failing = |new| self.of(new).filter(|t| t.standing == Failing);
        let retire = |seen: &Seen| Step::Retire(seen.task, Cause::Replaced);
        let told: Vec<Step> = plan.steps.clone();
        let told = |seen: &&Seen| {
            told.iter().any(|step| matches!(step, Step::Retire(task, _) if *task == seen.task))
        };
        let left: Vec<&Seen> =
            failing(false).chain(failing(true)).filter(|seen| !told(seen)).collect();
        let some_work = self.serving() > 0 || self.desired.count == 0;
        let replaced = |seen: &&&Seen| {
            let all = self.count(true, Serving) >= self.desired.new && self.desired.keep == 0;
            some_work && (all || self.own_serve(seen.revision))
        };
        let gone: Vec<Step> = left.iter().filter(replaced).map(|seen| retire(seen)).collect();
        // One that has just begun to fail may be well again before another one serves.
        let lasting = left.iter().find(|seen| seen.lasting);
        if let Some(first) = lasting.filter(|_| gone.is_empty() && no_room)
            && self.any(Leaving) == 0
        {
            // A deployment may be the cure for a fleet in which everyone looks bad.
            let cure =
                self.desired.unproven || self.desired.keep == 0 && failing(false).next().is_some();
            if some_work || cure {
                plan.steps.push(retire(first));
            } else {
                plan.waiting_on.push(Waiting::EveryoneLooksBad);
            }
        }
        plan.steps.extend(gone);
    }

    /// Whether as many of a revision serve as it has places.
    fn own_serve(&self, revision: Revision) -> bool {
        let places = if revision == self.desired.revision {
            Some(self.desired.new)
        } else {
            self.desired.old.iter().find(|(old, _)| *old == revision).map(|(_, places)| *places)
        };
        let serve =
            |t: &&Seen| t.revision == revision && t.standing == Serving && t.replace.is_none();
        places.is_none_or(|places| self.tasks.iter().filter(serve).count() as u32 >= places)
    }

    /// Says what is under way.
    pub(super) fn wait(&self, plan: &mut Plan) {
        let mut add = |standing, waiting: fn(u32) -> Waiting| {
            let count = self.any(standing);
            plan.waiting_on.extend((count > 0).then(|| waiting(count)));
        };
        add(Coming, Waiting::Coming);
        add(Unsettled, Waiting::Settling);
        add(Leaving, Waiting::Leaving);
    }
}
