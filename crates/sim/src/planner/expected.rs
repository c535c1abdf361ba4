//! The failed share of requests, cause by cause, in closed form.

use serde::Serialize;

use super::timing::Timing;
use super::{Candidate, Question};
use crate::availability::{
    Deployments, Group, Interval, MONTH, Model, Span, failure_within, undetected_share,
};

/// Shares of all requests that fail, by what makes them fail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Causes {
    /// Too many tasks are down, each by a cause of its own: more tasks buy this.
    pub replicas: f64,
    /// One cause took all tasks: only a quicker replacement, or fewer such causes, buy this.
    pub common_cause: f64,
    /// Deployments leave so few that one failure is too many: the floor buys this.
    pub deployments: f64,
    /// A task hangs and still gets requests: checks and another try buy this.
    pub detection: f64,
    /// Requests that a task had when it died: another try buys this.
    pub cut: f64,
}

/// What is expected of a candidate, in closed form.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Expected {
    /// With times as they are on average.
    pub causes: Causes,
    /// If every replacement and every detection is as quick as it can be,
    pub quick: Causes,
    /// or as slow.
    pub slow: Causes,
    /// From the end of a task to its replacement in rotation, detection included: the shortest and
    /// the longest, in seconds.
    pub window: Span,
    /// The chance that another task fails within a window of middle length.
    pub second_failure: f64,
}

// === impl Causes ===

impl Causes {
    /// All of them.
    pub fn total(&self) -> f64 {
        self.down() + self.detection + self.cut
    }

    /// Those for which too few tasks are up: what the simulation counts.
    pub fn down(&self) -> f64 {
        self.replicas + self.common_cause + self.deployments
    }

    /// With the name of each.
    pub fn named(&self) -> [(&'static str, f64); 5] {
        [
            ("replicas", self.replicas),
            ("common cause", self.common_cause),
            ("deployment", self.deployments),
            ("detection", self.detection),
            ("cut off", self.cut),
        ]
    }

    /// What fails because too few tasks are up.
    fn of_tasks(question: &Question<'_>, candidate: &Candidate, timing: &Timing) -> Self {
        let model = model(question, candidate, timing);
        let Model { tasks, needed, failure_rate, crews, .. } = model;
        let mean = model.repair.mean();
        let group = Group { tasks, needed, failure_rate, repair_rate: 1.0 / mean, crews };
        let replicas = group.unavailability();
        let undisturbed = Model { common_rate: 0.0, ..model };
        let deployments = match model.deployments {
            Some(_) => (undisturbed.steady().unavailability - replicas).max(0.0),
            None => 0.0,
        };
        // Until as many are back as are needed.
        let back = f64::from(needed) / f64::from(tasks + 1);
        let common_cause = model.common_rate * model.repair.quantile(back);
        Self { replicas, common_cause, deployments, ..Self::default() }
    }

    /// The same with what fails although enough tasks are up. Where every task is needed, a failure
    /// counts as an outage from its first moment, and there is nothing to add.
    fn and_of_requests(
        self,
        question: &Question<'_>,
        candidate: &Candidate,
        timing: &Timing,
    ) -> Self {
        if candidate.tasks <= question.needed() {
            return Self { detection: 0.0, cut: 0.0, ..self };
        }
        let world = &question.world;
        let (rate, hangs, writes) =
            (1.0 / world.mttf, world.hangs_percent / 100.0, world.writes_percent / 100.0);
        let lost = |again: bool| if again { writes } else { 1.0 };
        let detection = f64::midpoint(timing.detection.0, timing.detection.1);
        let flooded = f64::from(candidate.tasks - 1) * flooded(question, candidate, detection);
        Self {
            detection: lost(candidate.hedges())
                * undetected_share(rate * hangs, detection + flooded),
            cut: lost(candidate.tries_again())
                * undetected_share(rate * (1.0 - hangs), world.latency),
            ..self
        }
    }
}

/// For how many seconds one task that hangs keeps everybody out: a breaker for all takes the failures
/// of one for those of all, or its calls take the last permits of the bulkhead.
fn flooded(question: &Question<'_>, candidate: &Candidate, detection: f64) -> f64 {
    if candidate.hedges() {
        return 0.0;
    }
    let guard = &candidate.route.guard;
    let timeout = guard.timeout.map_or(f64::INFINITY, |timeout| timeout.as_secs_f64());
    let tasks = f64::from(candidate.tasks);
    let opens = |percent: u32| f64::from(percent) * tasks <= 100.0;
    let open = match &guard.breaker {
        Some(breaker) if opens(breaker.failure_percent) => (detection - timeout).max(0.0),
        _ => 0.0,
    };
    let full = match (&guard.bulkhead, question.load) {
        (Some(bulkhead), Some(load)) => {
            let spare = f64::from(bulkhead.largest()) - load * question.world.latency;
            let full_after = spare * tasks / load;
            if full_after < timeout { (detection - full_after).max(0.0) } else { 0.0 }
        }
        _ => 0.0,
    };
    f64::max(open, full)
}

// === impl Expected ===

impl Expected {
    /// What there is `like` it has the same tasks and the same checks, and fails as often; that is the
    /// part that takes long to reckon.
    pub(super) fn new(question: &Question<'_>, candidate: &Candidate, like: Option<&Self>) -> Self {
        let timing = Timing::new(question, candidate);
        let window = timing.window();
        let middle = f64::midpoint(window.0, window.1);
        let causes = |timing: Timing, like: Option<Causes>| {
            let tasks = || Causes::of_tasks(question, candidate, &timing);
            like.unwrap_or_else(tasks).and_of_requests(question, candidate, &timing)
        };
        Self {
            causes: causes(timing, like.map(|like| like.causes)),
            quick: causes(timing.at(|span| span.0), like.map(|like| like.quick)),
            slow: causes(timing.at(|span| span.1), like.map(|like| like.slow)),
            window,
            second_failure: failure_within(candidate.tasks - 1, 1.0 / question.world.mttf, middle),
        }
    }

    /// The failed share with all luck, and with none.
    pub fn range(&self) -> Span {
        (self.quick.total(), self.slow.total())
    }

    /// The same failed share with the simulation in the place of the closed form, as far as it goes.
    pub fn simulated(&self, unavailability: Interval) -> Interval {
        let Causes { detection, cut, .. } = self.causes;
        Interval { value: unavailability.value + detection + cut, ..unavailability }
    }
}

/// A candidate as the reduced model has it. A common cause is one of the failures of each task.
pub(super) fn model(question: &Question<'_>, candidate: &Candidate, timing: &Timing) -> Model {
    let world = &question.world;
    let (rate, common) = (1.0 / world.mttf, world.common_percent / 100.0);
    let cluster = candidate.cluster(question.service);
    let away = candidate.tasks - cluster.floor().min(candidate.tasks);
    let deployments =
        Deployments { rate: world.deployments / MONTH, seconds: timing.deployment, away };
    Model {
        tasks: candidate.tasks,
        needed: question.needed(),
        failure_rate: rate * (1.0 - common),
        common_rate: rate * common,
        repair: timing.repair(),
        crews: candidate.tasks,
        deployments: (away > 0 && world.deployments > 0.0).then_some(deployments),
    }
}
