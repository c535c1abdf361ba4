//! How long things take, by arithmetic from settings. All in seconds.

use std::time::Duration;

use seaworthy_core::health;

use super::{Candidate, Evidence, Measured, Question, ROUNDED};
use crate::availability::{Repair, Span};

/// The times of one candidate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Timing {
    /// From the moment at which a task hangs to the verdict of its checks, by arithmetic; or, if it
    /// [passes them](Question::hangs_pass), until somebody stops it.
    pub checks: Span,
    /// The same, if drills have measured it: only that verdict has it replaced.
    pub(super) verdict: Span,
    /// From then on to its own end, if that is waited for: where no other may start beside it.
    pub(super) retired: f64,
    /// From that moment to the end of its requests: by its checks, or by its requests if those are quicker.
    pub detection: Span,
    /// From the end of a task to its replacement in rotation.
    pub replacement: Span,
    /// The soonest that may be, if the first check comes late enough to find it ready: as in a drill that is faster than
    /// life, in which the agent's own work takes as long as ever.
    pub soonest: f64,
    /// In so many waves tasks are away in a deployment, in each until those that replace them get requests. Until they
    /// have settled nobody else goes.
    pub(super) waves: f64,
    /// The share of failures that are hangs.
    hangs: f64,
}

// === impl Timing ===

impl Timing {
    pub(super) fn new(question: &Question<'_>, candidate: &Candidate) -> Self {
        let cluster = candidate.cluster(question.service);
        let (shortest, longest) = cluster.provisioning;
        let start = question.start();
        let (shortest, longest) = (shortest.as_secs_f64(), longest.as_secs_f64());
        let passes = passes(candidate.health.fast_interval.as_secs_f64(), start);
        let replacement = (shortest + passes.0, longest + passes.1);
        // New tasks start beyond those that stay, as many at a time as the ceiling lets in.
        let at_once = (cluster.ceiling() - cluster.floor()).max(1);
        let waves = f64::from(candidate.tasks.div_ceil(at_once));
        Self {
            checks: by_checks(question, &candidate.health),
            verdict: verdict(question, candidate),
            retired: retired(question, candidate),
            detection: detection(question, candidate),
            replacement,
            soonest: shortest + start.0,
            waves,
            hangs: question.world.hangs_percent / 100.0,
        }
    }

    /// How long the repair of a task takes. That a task has died is known at once; that it hangs is
    /// found out first, and only its checks have it replaced.
    pub(super) fn repair(&self) -> Repair {
        self.repair_as_if(0.0)
    }

    /// The same for a model in which `all` requests wait for so many seconds before they fail. Nobody waits for a
    /// task that hangs, which gets them until it is replaced: there it is as if that took so much longer.
    pub(super) fn repair_as_if(&self, all: f64) -> Repair {
        let (low, high) = self.replacement;
        let hang = self.hang();
        let second = ((low + hang.0 + all).max(0.0), (high + hang.1 + all).max(0.0));
        Repair::Mixed { share: self.hangs, first: self.replacement, second }
    }

    /// The shortest and the longest repair there may be.
    pub(super) fn window(&self) -> Span {
        let hang = if self.hangs > 0.0 { self.hang() } else { (0.0, 0.0) };
        let low = if self.hangs < 1.0 { 0.0 } else { hang.0 };
        (self.replacement.0 + low, self.replacement.1 + hang.1)
    }

    /// How long it takes until so many `of` those that start together get requests, or as long as one takes if that is none.
    /// Of times that are each as likely the k-th of n is k / (n + 1) of the span on average.
    pub(super) fn wave(&self, count: u32, of: u32) -> f64 {
        let (low, high) = self.replacement;
        match count {
            0 => mean(self.replacement),
            _ => low + (high - low) * (f64::from(count) / f64::from(of + 1)).min(1.0),
        }
    }

    /// From the moment at which a task hangs until another one may start.
    fn hang(&self) -> Span {
        (self.verdict.0 + self.retired, self.verdict.1 + self.retired)
    }

    /// The same times with all luck, or with none.
    pub(super) fn at(self, luck: impl Fn(Span) -> f64) -> Self {
        let fixed = |span| (luck(span), luck(span));
        Self {
            checks: fixed(self.checks),
            verdict: fixed(self.verdict),
            detection: fixed(self.detection),
            replacement: fixed(self.replacement),
            ..self
        }
    }
}

/// From the start of a process, which takes such a time to be ready, to the first check that passes. It is checked from
/// its start on, every so many seconds: if only one check can be the first that finds it ready, that is known, and else it is
/// up to an interval away.
fn passes(between: f64, (soonest, latest): Span) -> Span {
    let checks = [soonest, latest].map(|ready| (ready / between - ROUNDED).ceil() as u64);
    let passes = checks[0] as f64 * between;
    if checks[0] == checks[1] { (passes, passes) } else { (soonest, latest + between) }
}

/// How long a task that hangs gets requests: by arithmetic; or, if drills have measured it for the file, that
/// time, as much longer or shorter as arithmetic has it for the candidate. So no setting buys what is only
/// the difference between arithmetic and a drill.
fn detection(question: &Question<'_>, candidate: &Candidate) -> Span {
    as_measured(question, candidate, |candidate| by_arithmetic(question, candidate))
}

/// The same of the verdict of its checks. Where the file has its requests judged as well, nobody knows which of them a
/// drill has measured.
fn verdict(question: &Question<'_>, candidate: &Candidate) -> Span {
    match question.service.health.passive {
        None => {
            as_measured(question, candidate, |candidate| by_checks(question, &candidate.health))
        }
        Some(_) => by_checks(question, &candidate.health),
    }
}

/// It keeps the requests that it has as long as they are waited for, and then does not listen to what it is told. The only
/// task is left alone until somebody looks: where all look bad it may be the checks that are.
fn retired(question: &Question<'_>, candidate: &Candidate) -> f64 {
    if candidate.has_room(question) {
        return 0.0;
    }
    let cluster = candidate.cluster(question.service);
    let stops = cluster.stop_timeout.as_secs_f64();
    if candidate.tasks == 1 || question.hangs_pass() {
        // Who stops it does not drain it before.
        return (question.world.noticed - mean(verdict(question, candidate))).max(0.0) + stops;
    }
    let (holds, _) = candidate.holds(question);
    holds.min(cluster.deregistration_delay.as_secs_f64()) + stops
}

fn as_measured(
    question: &Question<'_>,
    candidate: &Candidate,
    reckoned: impl Fn(&Candidate) -> Span,
) -> Span {
    let measured = question.evidence.as_ref().map(Evidence::detections).and_then(Measured::span);
    let Some((low, high)) = measured else { return reckoned(candidate) };
    let times = mean(reckoned(candidate)) / mean(reckoned(&Candidate::of(question)));
    (low * times, high * times)
}

fn by_arithmetic(question: &Question<'_>, candidate: &Candidate) -> Span {
    let checks = by_checks(question, &candidate.health);
    let requests = by_requests(question, candidate).unwrap_or(checks);
    (checks.0.min(requests.0), checks.1.min(requests.1))
}

/// Of times that are each as likely.
pub(super) fn mean((low, high): Span) -> f64 {
    f64::midpoint(low, high)
}

/// A steady task is checked once an interval, and it hangs at any moment of it. Each check then fails
/// by its timeout, and after the first the next ones come at the fast interval, but none before the
/// one under way has ended. Where it passes them, somebody has to notice it.
fn by_checks(question: &Question<'_>, health: &health::Config) -> Span {
    if question.hangs_pass() {
        return (question.world.noticed, question.world.noticed);
    }
    let again = health.fast_interval.max(health.timeout) * (health.unhealthy_threshold - 1);
    let checks: Duration = again + health.timeout;
    (checks.as_secs_f64(), (health.interval + checks).as_secs_f64())
}

/// What requests show of a task that hangs: each is overtaken by its hedge, for long enough and often
/// enough; or, without hedges, several in a row reach their deadline. None if they never tell, or if
/// nobody knows how many come.
fn by_requests(question: &Question<'_>, candidate: &Candidate) -> Option<Span> {
    let rules = candidate.health.passive.filter(|rules| candidate.may_eject(rules))?;
    let spacing = 1.0 / candidate.each(question)?;
    // A hedge is sent as long as its call goes on, whoever waits for it.
    let hedged = candidate.hedged(question, candidate.holds(question).0);
    let first = match (hedged, candidate.route.guard.timeout) {
        (Some(answered), _) => {
            let safe = question.repeatable();
            let often = f64::from(rules.minimum_requests) * spacing / safe;
            answered + rules.latency_for.as_secs_f64().max(often)
        }
        (None, Some(timeout)) => {
            timeout.as_secs_f64()
                + (candidate.failures_that_tell(question, &rules)? - 1.0) * spacing
        }
        (None, None) => return None,
    };
    Some((first, first + spacing))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_check_that_finds_a_task_ready_is_known_or_up_to_an_interval_away() {
        assert_eq!(passes(5.0, (0.0, 0.0)), (0.0, 0.0));
        assert_eq!(passes(5.0, (1.0, 4.0)), (5.0, 5.0));
        assert_eq!(passes(5.0, (1.0, 6.0)), (1.0, 11.0));
        // Eleven tenths, although what is divided is a little more.
        let (soonest, latest) = passes(0.1, (1.1, 1.1));
        assert!((soonest - 1.1).abs() < ROUNDED && (latest - 1.1).abs() < ROUNDED);
    }
}
