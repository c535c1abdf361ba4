//! From verdicts to a rotation, and the record of every change.

use super::target::Target;
use super::{Action, Checker};
use crate::endpoints::{Health, Wanted};
use crate::health::{Member, Rotation};
use crate::record::{Cause, Decision, Record};
use crate::time::Instant;

// === impl Checker ===

impl Checker {
    pub(super) fn rotate(&mut self, now: Instant) {
        let (members, open) = self.choose();
        if members != self.rotation.members {
            let before = std::mem::replace(&mut self.rotation, Rotation { members });
            self.explain(now, &before, open.as_ref());
            self.actions.push_back(Action::Rotate(self.rotation.clone()));
        }
        self.fail_open = open.is_some();
    }

    /// Who is to be in rotation; with the cause, if that is only because nobody better is left. No
    /// task is new among them, and none whose address is deserted.
    fn choose(&self) -> (Vec<Member>, Option<Cause>) {
        let of = |who: fn(&Target) -> bool| {
            let wanted = |t: &&Target| t.endpoint.wanted == Wanted::InRotation;
            self.targets.iter().filter(wanted).filter(move |target| who(target))
        };
        // One that is on trial is nobody to rely on.
        if of(Target::serves).next().is_some() {
            let members = of(Target::may_serve).map(|t| t.member(t.standing.is_on_trial()));
            return (members.collect(), None);
        }
        let mut open = Cause::EveryoneLooksBad;
        let mut members: Vec<Member> = of(Target::is_well).map(|t| t.member(false)).collect();
        if members.is_empty() {
            open = Cause::NobodyHealthy;
            members.extend(of(Target::is_there).map(|t| t.member(false)));
        }
        let open = (!members.is_empty()).then_some(open);
        (members, open)
    }

    /// One record for each task that left or entered, against the rotation of `before`.
    fn explain(&mut self, now: Instant, before: &Rotation, open: Option<&Cause>) {
        let after = &self.rotation;
        let gone = |member: &&Member| !after.contains(member.task);
        let left = before.members.iter().filter(gone).map(|&Member { task, .. }| {
            // One that is `Initial` again is so at another address: the one in rotation is gone.
            let registered = |t: &&Target| {
                t.endpoint.wanted == Wanted::InRotation && t.health != Health::Initial
            };
            let target = self.targets.iter().find(|t| t.endpoint.task == task);
            let cause = match target.filter(registered) {
                Some(target) if self.fail_open && open.is_none() && target.is_there() => {
                    Cause::OthersHealthy
                }
                Some(target) => target.cause.clone(),
                None => Cause::Deregistered,
            };
            (task, Decision::LeaveRotation, cause)
        });
        let new = |member: &&Member| {
            let same = |m: &Member| (m.task, m.on_trial) == (member.task, member.on_trial);
            !before.members.iter().any(same)
        };
        let entered = after.members.iter().filter(new).map(|&Member { task, on_trial, .. }| {
            let target = self.targets.iter().find(|t| t.endpoint.task == task);
            let own = target.map_or(Cause::Deregistered, |target| target.cause.clone());
            let decision = if on_trial { Decision::Trial } else { Decision::EnterRotation };
            (task, decision, open.cloned().unwrap_or(own))
        });
        let record = |(task, decision, cause)| {
            Action::Record(Record { at: now, task: Some(task), decision, cause })
        };
        let records: Vec<Action> = left.chain(entered).map(record).collect();
        self.actions.extend(records);
    }
}
