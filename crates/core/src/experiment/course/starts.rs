//! How long processes took to start.

use std::collections::BTreeMap;
use std::ops::{Range, RangeInclusive};
use std::time::Duration;

use super::{Course, Life};
use crate::fleet::Service;

/// From the start of a process of one service to its first right answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Starts {
    /// The shortest and the longest time.
    pub all: RangeInclusive<Duration>,
    /// The same, of those beside which no other process started, of any service; none if there is no such one.
    pub alone: Option<RangeInclusive<Duration>>,
}

/// Requests of so long before and after belong to what happens in a moment, so that there are some.
const AROUND: Duration = Duration::from_millis(50);

// === impl Course ===

impl Course {
    /// Those of the service at `place`; none if no process of it has answered.
    pub fn starts(&self, place: usize) -> Option<Starts> {
        let span = |life: &Life| Some(life.launched?..=life.answered?);
        let beside = |life: &Life, other: &Life| {
            let (Some(own), Some(span)) = (span(life), span(other)) else { return false };
            own.start() <= span.end() && span.start() <= own.end()
        };
        let (mut all, mut alone) = (None, None);
        for (task, life) in self.lives_of(place) {
            let Some(took) = life.own_start() else { continue };
            widen(&mut all, took);
            if !self.lives().any(|(other, its)| other != task && beside(life, its)) {
                widen(&mut alone, took);
            }
        }
        Some(Starts { all: all?, alone })
    }

    /// Those of each of these services of which a process has answered.
    pub fn starts_by_name(&self, services: &[Service]) -> BTreeMap<String, Starts> {
        let of_one =
            |(place, service): (usize, &Service)| Some((service.name.clone(), self.starts(place)?));
        services.iter().enumerate().filter_map(of_one).collect()
    }

    /// The times of the load in which a process started, each with a moment before and after.
    pub fn launches(&self) -> Vec<Range<Duration>> {
        let Some(begin) = self.begin else { return Vec::new() };
        let around = |life: &Life| {
            let [launched, answered] = [life.launched?, life.answered?].map(|at| at.since(begin));
            (!launched.is_zero()).then(|| launched.saturating_sub(AROUND)..answered + AROUND)
        };
        self.lives().filter_map(|(_, life)| around(life)).collect()
    }
}

/// So that it has `took` in it.
fn widen(range: &mut Option<RangeInclusive<Duration>>, took: Duration) {
    let (least, most) = range.take().unwrap_or(took..=took).into_inner();
    *range = Some(least.min(took)..=most.max(took));
}
