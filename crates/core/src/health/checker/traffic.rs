//! What requests show of a task, judged by the rules of [`passive`].

use std::time::Duration;

use super::target::Target;
use super::{Action, Checker};
use crate::call::{FailedHow, How, Seen};
use crate::endpoints::{Health, TaskId, Wanted};
use crate::health::passive::{self, Fault, Place, Row};
use crate::policy::breaker::window::Sums;
use crate::record::{Cause, Decision, Record};
use crate::time::Instant;

/// So many of a hundred requests are late where everything is: one dependency that hangs leaves requests of other
/// kinds as quick as ever.
const EVERYTHING: u64 = 90;

/// Others are quicker than what is late if they take one part in so many of that.
const QUICKER: u32 = 2;

// === impl Checker ===

impl Checker {
    /// Takes note of what a request has shown. True if that changes who may be in rotation.
    pub(super) fn see(&mut self, now: Instant, seen: Seen) -> bool {
        let Some(rules) = self.config.passive else { return false };
        let is_it = |t: &Target| t.endpoint.task == seen.task && t.health != Health::Initial;
        let Some(at) = self.targets.iter().position(is_it) else { return false };
        match (seen.how, self.targets[at].standing.place()) {
            (How::Refused, _) => self.desert(at),
            (How::Withdrawn, _) => self.targets[at].withdraw(now),
            (How::Tried { until }, _) => {
                self.targets[at].standing.await_trial(until);
                false
            }
            (_, Place::Good) => self.note(now, at, seen, &rules),
            (how, Place::OnTrial { .. }) if seen.on_trial => self.conclude(now, at, how, &rules),
            // It began before the ejection.
            (_, Place::OnTrial { .. } | Place::Ejected { .. }) => false,
        }
    }

    fn desert(&mut self, at: usize) -> bool {
        let news = self.targets[at].desert();
        if news {
            self.targets[at].check_at_once();
        }
        news
    }

    fn note(&mut self, now: Instant, at: usize, seen: Seen, rules: &passive::Config) -> bool {
        let Seen { how, fingerprint, .. } = seen;
        match how {
            How::Answered(latency) => {
                let slow = self.is_slow(at, latency, rules);
                if slow {
                    self.hold.saw_late(now, rules);
                }
                self.targets[at].conduct.answered(now, latency, slow, fingerprint);
                for (_, peer) in self.targets.iter_mut().enumerate().filter(|(n, _)| *n != at) {
                    peer.conduct.compare(now, fingerprint, !slow);
                }
                slow && self.judge_latency(now, at, rules)
            }
            How::Overtaken(waited) => {
                self.hold.saw_late(now, rules);
                self.targets[at].conduct.overtaken(now, waited, fingerprint);
                self.judge_latency(now, at, rules)
            }
            How::Failed { blamed, what: FailedHow::Deadline(waited) } => {
                self.targets[at].conduct.saw_late(now, waited);
                self.hold.saw_late(now, rules);
                // Where others are hardly quicker, who is beyond its deadline is no worse.
                let typical = self.typical_of_peers(at);
                let is_worse = typical.is_none_or(|typical| waited > typical * QUICKER);
                if is_worse {
                    self.targets[at].conduct.failed(now, waited, fingerprint, blamed);
                }
                self.judge_everyone(now, rules)
                    || is_worse && self.judge_failures(now, at, true, rules)
            }
            How::Failed { blamed, .. } => {
                self.targets[at].conduct.failed(now, Duration::ZERO, fingerprint, blamed);
                self.judge_failures(now, at, false, rules)
            }
            How::Refused | How::Withdrawn | How::Tried { .. } => false,
        }
    }

    /// The trial of a task has ended, unless what it was overtaken by came sooner than is usual: who was asked only
    /// just before has shown nothing.
    fn conclude(&mut self, now: Instant, at: usize, how: How, rules: &passive::Config) -> bool {
        if let How::Overtaken(waited) = how
            && waited <= self.typical_of_peers(at).unwrap_or_default()
        {
            return false;
        }
        if let How::Answered(latency) = how
            && !self.is_slow(at, latency, rules)
        {
            self.targets[at].standing.pardon(now);
            self.targets[at].cause = Cause::TrialPassed;
        } else {
            let late = self.targets[at].standing.is_late();
            self.eject(now, at, Fault::Trial, late, rules);
        }
        true
    }

    /// Where hardly anything is answered in time, nobody is out for being late.
    fn judge_everyone(&mut self, now: Instant, rules: &passive::Config) -> bool {
        if self.targets.iter().all(|target| target.standing.is_good()) {
            return false;
        }
        let mut all = [0; 2];
        for target in self.targets.iter_mut().filter(|target| target.serves()) {
            let [answered, late] = target.conduct.answered_and_late(now);
            all = [all[0] + answered, all[1] + late];
        }
        let [answered, late] = all;
        late >= u64::from(rules.minimum_requests)
            && late * 100 >= (answered + late) * EVERYTHING
            && self.pardon_the_late(now, rules)
    }

    fn judge_failures(
        &mut self,
        now: Instant,
        at: usize,
        late: bool,
        rules: &passive::Config,
    ) -> bool {
        let row = self.targets[at].conduct.failures();
        let Row { count: failures, surely, .. } = row;
        let late = late.then_some(row);
        if surely >= rules.consecutive {
            return self.try_to_eject(now, at, Fault::InARow { failures }, late, rules);
        }
        let own = self.targets[at].conduct.sums(now);
        let peers = self.sums_of_peers(now, at);
        // Where failures are everywhere, some are in a row by chance.
        if !passive::is_worse(own, peers) {
            return false;
        }
        if failures >= rules.consecutive {
            return self.try_to_eject(now, at, Fault::InARow { failures }, late, rules);
        }
        let fault = Fault::Share {
            failed: own.failures,
            requests: own.calls,
            peers_failed: peers.failures,
            peers_requests: peers.calls,
        };
        rules.is_bad(own, peers) && self.try_to_eject(now, at, fault, late, rules)
    }

    /// A task is slow if it is so in a row and for long enough, and most of its peers are not: they
    /// have been quick in the second half of that time.
    fn judge_latency(&mut self, now: Instant, at: usize, rules: &passive::Config) -> bool {
        let row = self.targets[at].conduct.slow();
        let Row { count: answers, since, .. } = row;
        let span = now.since(since);
        if answers < rules.minimum_requests || span < rules.latency_for {
            return false;
        }
        // Where a share s of all answers is slow, n are so in a row with a chance of s^n. With n longer
        // by 1 / (1 - s)^2 that stays as good as never.
        let all = self.sums_of_peers(now, at);
        let quick = u128::from(all.calls - all.slow).pow(2);
        if u128::from(answers) * quick
            < u128::from(rules.minimum_requests) * u128::from(all.calls).pow(2)
        {
            return false;
        }
        let peers = self.peers(at);
        match self.typical_of_peers(at) {
            Some(typical) if self.most_are_quick(&peers, since + span / 2) => {
                let limit = rules.slow_from(typical);
                let fault = Fault::Slow { answers, span, limit, typical };
                self.try_to_eject(now, at, fault, Some(row), rules)
            }
            _ => false,
        }
    }

    /// What the peers' windows add up to.
    fn sums_of_peers(&mut self, now: Instant, at: usize) -> Sums {
        let mut all = Sums::default();
        for n in self.peers(at) {
            all.add(self.targets[n].conduct.sums(now));
        }
        all
    }

    /// Ejects the task if enough others are left. If it is `late`, and since when, that is held against it only
    /// if nobody else was out then: it gets their requests as well. True if anything was changed.
    fn try_to_eject(
        &mut self,
        now: Instant,
        at: usize,
        fault: Fault,
        late: Option<Row>,
        rules: &passive::Config,
    ) -> bool {
        let counts =
            |t: &&Target| t.endpoint.wanted == Wanted::InRotation && t.health != Health::Initial;
        let count = self.targets.iter().filter(counts).count() as u32;
        let left = self.peers(at).len() as u32;
        if now < self.quiet_until || !self.targets[at].serves() {
            return false;
        }
        if late.is_some() && self.hold.is_on(now) {
            return false;
        }
        if late.is_some_and(|late| self.is_late_for_another(now, at, late)) {
            self.targets[at].conduct.pardon();
            self.hold(now, Some(self.targets[at].endpoint.task), Cause::LateForAnother, rules);
            return true;
        }
        if left < rules.minimum_in_rotation {
            return match late {
                _ if fault.is_relative() => false,
                Some(_) => self.pardon_the_late(now, rules),
                None => self.pardon_everyone(now, rules),
            };
        }
        if fault.is_relative() && count - left > passive::Config::most_out(count) {
            return false;
        }
        self.eject(now, at, fault, late.is_some(), rules);
        true
    }

    fn eject(
        &mut self,
        now: Instant,
        at: usize,
        fault: Fault,
        late: bool,
        rules: &passive::Config,
    ) {
        let target = &mut self.targets[at];
        let (times, length) = target.standing.eject(now, late, rules);
        self.hold.ejected(now, now + length, rules);
        target.conduct.pardon();
        target.cause = Cause::Ejected { fault, times, length };
    }

    /// Too many would be out: that is hardly the tasks' fault. Those that are come back, and nobody is
    /// ejected for a while. True if there was one.
    fn pardon_everyone(&mut self, now: Instant, rules: &passive::Config) -> bool {
        let any = self.pardon(now, |target| !target.standing.is_good());
        if any {
            self.quiet_until = now + rules.ejection;
            self.record(now, None, Cause::EveryoneLooksBad);
        }
        any
    }

    /// The same of those that are out for being late.
    fn pardon_the_late(&mut self, now: Instant, rules: &passive::Config) -> bool {
        let is_late = |target: &Target| !target.standing.is_good() && target.standing.is_late();
        let any = self.pardon(now, is_late);
        if any {
            self.hold(now, None, Cause::EveryoneLooksBad, rules);
        }
        any
    }

    /// True if there was one of these.
    fn pardon(&mut self, now: Instant, whom: impl Fn(&Target) -> bool) -> bool {
        let mut any = false;
        for target in self.targets.iter_mut().filter(|target| whom(target)) {
            target.standing.pardon(now);
            target.cause = Cause::EveryoneLooksBad;
            any = true;
        }
        any
    }

    /// Nobody is ejected for being late for a while.
    fn hold(&mut self, now: Instant, task: Option<TaskId>, cause: Cause, rules: &passive::Config) {
        self.hold.begin(now, rules);
        self.record(now, task, cause);
    }

    fn record(&mut self, at: Instant, task: Option<TaskId>, cause: Cause) {
        self.actions.push_back(Action::Record(Record {
            at,
            task,
            decision: Decision::Hold,
            cause,
        }));
    }

    /// Whether it began to be late when another task was out, whose requests the others get as well: unless most of
    /// those that have served since, and got them, too, have been quick in the second half of that time.
    fn is_late_for_another(&self, now: Instant, at: usize, late: Row) -> bool {
        let Row { since, asked, .. } = late;
        // What was asked for then has waited behind what another one would have got.
        let was_out = |n: &usize| {
            let standing = &self.targets[*n].standing;
            standing.was_out(asked) || standing.was_out(since)
        };
        let any_out = (0..self.targets.len()).any(|n| n != at && was_out(&n));
        any_out && {
            let mut witnesses = self.peers(at);
            witnesses.retain(|n| !was_out(n));
            !self.most_are_quick(&witnesses, since + now.since(since) / 2)
        }
    }

    fn most_are_quick(&self, tasks: &[usize], since: Instant) -> bool {
        let quick = tasks.iter().filter(|n| self.targets[**n].conduct.is_quick_since(since));
        quick.count() * 2 > tasks.len()
    }

    fn is_slow(&self, at: usize, latency: Duration, rules: &passive::Config) -> bool {
        // Most answers are quicker than whatever is typical and the floor.
        latency > rules.latency_floor
            && self.typical_of_peers(at).is_some_and(|typical| latency > rules.slow_from(typical))
    }

    /// The median of what is typical of each peer; of two, the lesser.
    fn typical_of_peers(&self, at: usize) -> Option<Duration> {
        let peers = self.peers(at);
        let mut typical: Vec<_> =
            peers.iter().filter_map(|n| self.targets[*n].conduct.typical()).collect();
        typical.sort_unstable();
        typical.get(typical.len().checked_sub(1)? / 2).copied()
    }

    /// The others that serve.
    fn peers(&self, at: usize) -> Vec<usize> {
        let serves = |n: &usize| {
            let target = &self.targets[*n];
            target.endpoint.wanted == Wanted::InRotation && target.serves()
        };
        (0..self.targets.len()).filter(|n| *n != at).filter(serves).collect()
    }
}
