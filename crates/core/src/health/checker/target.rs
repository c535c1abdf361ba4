//! One task as its checks and its requests show it.

use super::ProbeId;
use crate::endpoints::{Endpoint, Health, Inherited};
use crate::health::passive::{self, Conduct, Standing};
use crate::health::{Config, Failing, Member};
use crate::record::Cause;
use crate::time::Instant;

/// One registered task.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) endpoint: Endpoint,
    /// The verdict of its checks.
    pub(super) health: Health,
    /// Results in a row that contradict the verdict.
    streak: u32,
    /// When the interval to the next check began; none: that is to be sent at once.
    pub(super) probed: Option<Instant>,
    /// The check under way, and when it has failed.
    pub(super) outstanding: Option<(ProbeId, Instant)>,
    /// Whatever the verdicts, it is not to get requests until checks pass.
    absent: Option<Absent>,
    pub(super) conduct: Conduct,
    /// The verdict of its requests.
    pub(super) standing: Standing,
    /// Why it is, or is not, in rotation.
    pub(super) cause: Cause,
}

/// Why a task is to get no requests that may be good otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Absent {
    /// Nobody listens at its address.
    Deserted,
    /// It wants none, and so many checks have passed since.
    Withdrawn { passes: u32 },
}

// === impl Target ===

impl Target {
    pub(super) fn new(now: Instant, endpoint: Endpoint, rules: Option<passive::Config>) -> Self {
        let inherited = endpoint.inherited.unwrap_or(Health::Initial.into());
        // Without rules there are no verdicts, so none to go on with.
        let ejection = inherited.ejection.filter(|_| rules.is_some());
        let rules = rules.unwrap_or_default();
        Self {
            endpoint,
            health: inherited.health,
            streak: 0,
            probed: None,
            outstanding: None,
            absent: None,
            conduct: Conduct::new(rules.window),
            standing: Standing::new(now, ejection, &rules),
            cause: Cause::Inherited,
        }
    }

    /// The same task, as the latest endpoints have it.
    pub(super) fn renewed(self, endpoint: Endpoint) -> Self {
        Self { endpoint, ..self }
    }

    pub(super) fn verdict(&self, now: Instant) -> Inherited {
        Inherited { health: self.health, ejection: self.standing.ejection(now) }
    }

    pub(super) fn member(&self, on_trial: bool) -> Member {
        let Endpoint { task, weight, revision, .. } = self.endpoint;
        Member { task, weight, revision, on_trial }
    }

    /// Its checks pass, its requests go well, and it takes them.
    pub(super) fn serves(&self) -> bool {
        self.may_serve() && self.standing.is_good()
    }

    /// The same, or its requests are to be tried.
    pub(super) fn may_serve(&self) -> bool {
        self.health == Health::Healthy && self.absent.is_none() && !self.standing.is_ejected()
    }

    /// Its checks pass and it takes requests, however they go.
    pub(super) fn is_well(&self) -> bool {
        self.health == Health::Healthy && self.absent.is_none()
    }

    /// It was seen working, and as far as is known somebody still listens.
    pub(super) fn is_there(&self) -> bool {
        self.health != Health::Initial && self.absent != Some(Absent::Deserted)
    }

    /// When the next check is to be sent; none while one is under way. A check may take its whole
    /// timeout even where the interval is shorter: a task that starts may be slow.
    pub(super) fn next_probe(&self, config: &Config) -> Option<Instant> {
        if self.outstanding.is_some() {
            return None;
        }
        let settled = self.health == Health::Healthy && self.streak == 0;
        let steady = settled && self.absent.is_none() && self.standing.is_good();
        let interval = if steady { config.interval } else { config.fast_interval };
        Some(self.probed.map_or(Instant::EPOCH, |at| at + interval))
    }

    /// When the time will change something.
    pub(super) fn due(&self, config: &Config) -> Instant {
        let check = match self.outstanding {
            Some((_, deadline)) => deadline,
            None => self.next_probe(config).expect("no check is under way"),
        };
        self.standing.due().map_or(check, |at| at.min(check))
    }

    pub(super) fn pass(&mut self, now: Instant, healthy_threshold: u32) {
        match &mut self.absent {
            // Who was judged is gone, and who listens now is new: one pass is enough.
            Some(Absent::Deserted) => {
                self.absent = None;
                self.conduct.pardon();
                self.standing.pardon(now);
                return self.turn(Health::Healthy, Cause::ChecksPass { passes: 1, threshold: 1 });
            }
            Some(Absent::Withdrawn { passes }) => {
                *passes += 1;
                if *passes >= healthy_threshold {
                    let (passes, threshold) = (*passes, healthy_threshold);
                    self.absent = None;
                    self.cause = Cause::ChecksPass { passes, threshold };
                }
            }
            None => {}
        }
        let threshold = match self.health {
            Health::Healthy => return self.streak = 0,
            Health::Unhealthy => healthy_threshold,
            Health::Initial => 1,
        };
        // Failures before the first pass are no argument against it.
        self.streak = if self.health == Health::Initial { 1 } else { self.streak + 1 };
        if self.streak >= threshold {
            let cause = Cause::ChecksPass { passes: self.streak, threshold };
            self.turn(Health::Healthy, cause);
        }
    }

    pub(super) fn fail(&mut self, threshold: u32, last: Failing) {
        if let Some(Absent::Withdrawn { passes }) = &mut self.absent {
            *passes = 0;
        }
        if self.health == Health::Unhealthy {
            return self.streak = 0;
        }
        self.streak += 1;
        // A task that never passed is not yet a bad one: it is still starting.
        if self.streak >= threshold && self.health == Health::Healthy {
            let cause = Cause::ChecksFail { failures: self.streak, threshold, last };
            self.turn(Health::Unhealthy, cause);
        }
    }

    fn turn(&mut self, health: Health, cause: Cause) {
        (self.health, self.cause) = (health, cause);
        self.streak = 0;
    }

    /// The check under way has failed if it has no answer by now.
    pub(super) fn give_up(&mut self, now: Instant, threshold: u32) {
        if self.outstanding.take_if(|(_, deadline)| *deadline <= now).is_some() {
            self.fail(threshold, Failing::Timeout);
        }
    }

    /// The time moves its standing on.
    pub(super) fn move_on(&mut self, now: Instant) {
        while self.standing.move_on(now) {
            if self.health == Health::Unhealthy {
                continue; // That is why it is out.
            }
            let length = self.standing.length();
            self.cause = if self.standing.is_good() {
                Cause::TrialUnused { waited: length }
            } else {
                Cause::EjectionOver { length }
            };
        }
    }

    /// Nobody listens at its address. True if that is news.
    pub(super) fn desert(&mut self) -> bool {
        if self.absent == Some(Absent::Deserted) {
            return false;
        }
        self.absent = Some(Absent::Deserted);
        self.cause = Cause::NobodyListens;
        true
    }

    /// What an earlier check says is not about now.
    pub(super) fn check_at_once(&mut self) {
        (self.probed, self.outstanding) = (None, None);
    }

    /// It wants no more requests. True if that is news. It is checked again after an interval, or the
    /// check that passes would be the one that was under way.
    pub(super) fn withdraw(&mut self, now: Instant) -> bool {
        match &mut self.absent {
            // It said so before it went.
            Some(Absent::Deserted) => return false,
            Some(Absent::Withdrawn { passes }) => {
                *passes = 0;
                return false;
            }
            None => self.absent = Some(Absent::Withdrawn { passes: 0 }),
        }
        (self.probed, self.outstanding) = (Some(now), None);
        self.cause = Cause::Withdrew;
        true
    }
}
