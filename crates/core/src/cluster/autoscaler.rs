//! Target tracking: how many tasks there should be for the load there is.
//!
//! Out in proportion and at once, in slowly and one by one. Nothing is scaled by what is not known.
//! It is asked now and then ([`SAMPLE_EVERY`]), and never waits.
//!
//! Nothing of it needs to outlive the agent. A new one looks on for a whole window before it scales
//! out, and waits for a whole cooldown before it scales in; the desired count is kept elsewhere.
//!
//! Source: Amazon ECS developer guide, "Target tracking scaling policies"; Application Auto Scaling
//! user guide, "How target tracking works".

mod reading;
mod window;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::endpoints::Traffic;
use crate::time::Instant;
use window::Window;

pub use reading::{Change, Reading, Why};

/// How often an agent asks it.
pub const SAMPLE_EVERY: Duration = Duration::from_secs(1);

/// How the desired count follows the load.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// Never fewer tasks than this. At least 1.
    pub minimum: u32,
    /// Never more. At least as many.
    pub maximum: u32,
    /// What is tracked. Out if any of them wants out, in only if all want in. At least one.
    pub targets: Vec<Target>,
    /// After it became more, so long until it may become more again. The time over which everything is
    /// measured is as long, within 1 s and 10 s.
    pub scale_out_cooldown: Duration,
    /// After any change, so long until it may become fewer.
    pub scale_in_cooldown: Duration,
}

/// A figure, and what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// Requests a second for each task in rotation.
    RequestsPerTask(u32),
    /// Requests under way for each task in rotation.
    Concurrency(u32),
    /// Processor time of all tasks, in percent of what they may use: the limit of each, or one
    /// processor.
    Cpu(u32),
    /// 99 of 100 requests take at most so long.
    P99(Duration),
}

/// Decides when the desired count of one service changes, and to what.
#[derive(Clone, Debug)]
pub struct Autoscaler {
    config: Config,
    window: Window,
    /// What was desired when it was last asked.
    desired: Option<u32>,
    /// When the desired count last became more.
    out: Option<Instant>,
    /// Since when something has asked for more tasks.
    short: Option<Instant>,
    /// When something last spoke against fewer tasks, or the desired count changed.
    busy: Instant,
    lesson: Option<Lesson>,
}

/// What it is told each time it is asked.
///
/// While nothing is heard of the gateway it is not asked: what was true once would be taken for what is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Observation {
    /// How many tasks there should be.
    pub desired: u32,
    /// How many may get requests, of whatever revision.
    pub in_rotation: u32,
    /// What the gateway has counted so far.
    pub traffic: Traffic,
    /// Processor time of all tasks, in whole thousandths of what they may use, rounded down, if that is known.
    pub cpu: Option<u32>,
    /// A deployment is under way.
    pub deploying: bool,
}

/// So many tasks were too slow at so many requests a second: with fewer tasks requests take longer, and
/// how much longer nobody can reckon, so that is learned, and once.
#[derive(Clone, Copy, Debug)]
struct Lesson {
    tasks: u32,
    /// In thousandths.
    rate: u128,
}

// === impl Autoscaler ===

impl Autoscaler {
    /// One that has seen nothing yet.
    pub fn new(config: Config) -> Self {
        let window = Window::new(config.window());
        Self {
            config,
            window,
            desired: None,
            out: None,
            short: None,
            busy: Instant::EPOCH,
            lesson: None,
        }
    }

    /// What becomes of the desired count, if anything does. Whoever asks carries it out.
    pub fn observe(&mut self, now: Instant, seen: &Observation) -> Option<Change> {
        self.notice(now, seen.desired);
        self.window.push(now, seen);
        let change = self.by_bounds(seen).or_else(|| self.by_load(now, seen))?;
        self.notice(now, change.to);
        Some(change)
    }

    /// What it goes by at present, for whoever watches: one reading for each target that there is
    /// enough known of.
    pub fn readings(&self) -> Vec<Reading> {
        self.config.targets.iter().filter_map(|target| self.window.read(*target)).collect()
    }

    /// A change by hand counts like one of its own. What was seen before says nothing about what comes
    /// after it.
    fn notice(&mut self, now: Instant, desired: u32) {
        let before = self.desired.replace(desired);
        if before == Some(desired) {
            return;
        }
        self.busy = now;
        self.short = None;
        self.window.clear();
        if before.is_some_and(|before| before < desired) {
            self.out = Some(now);
        }
    }

    /// The bounds hold whatever the load is. They may have been changed.
    fn by_bounds(&self, seen: &Observation) -> Option<Change> {
        let to = seen.desired.clamp(self.config.minimum, self.config.maximum);
        let change = to > seen.desired || (to < seen.desired && !seen.deploying);
        change.then_some(Change { from: seen.desired, to, why: Why::Bounds })
    }

    fn by_load(&mut self, now: Instant, seen: &Observation) -> Option<Change> {
        let readings = self.readings();
        let highest = readings.iter().max_by_key(|reading| reading.wants);
        if let Some(reading) = highest.filter(|reading| reading.wants > seen.desired) {
            self.busy = now;
            return self.out(now, seen, *reading);
        }
        self.short = None;
        if self.is_needed(seen, &readings) {
            self.busy = now;
            return None;
        }
        let known = readings.len() == self.config.targets.len();
        let calm = now.since(self.busy) >= self.config.scale_in_cooldown;
        let barest = readings.into_iter().max_by_key(|reading| reading.enough)?;
        let (from, to) = (seen.desired, seen.desired - 1);
        (known && calm).then_some(Change { from, to, why: Why::Below(barest) })
    }

    /// A load that has just grown is first looked at until the last part of the window shows all of it:
    /// one step as large as it must be is sooner there than two.
    fn out(&mut self, now: Instant, seen: &Observation, reading: Reading) -> Option<Change> {
        let short = *self.short.get_or_insert(now);
        let to = reading.wants.max(reading.wants_lately).min(self.config.maximum);
        let cools = |at: Instant| now.since(at) < self.config.scale_out_cooldown;
        let early = now.since(short) < self.window.part();
        if to <= seen.desired || early || self.out.is_some_and(cools) {
            return None;
        }
        if let (Target::P99(_), Some(rate)) = (reading.target, self.window.rate()) {
            self.lesson = Some(Lesson { tasks: seen.desired.min(seen.in_rotation), rate });
        }
        Some(Change { from: seen.desired, to, why: Why::Above(reading) })
    }

    /// Whether the last task is: it is one of the minimum, a deployment is under way, not every task that
    /// should serve does, or a target would not be met without it.
    fn is_needed(&self, seen: &Observation, readings: &[Reading]) -> bool {
        let without = seen.desired.saturating_sub(1);
        let failed = self
            .lesson
            .zip(self.window.rate())
            .is_some_and(|(lesson, rate)| without <= lesson.tasks && rate * 10 >= lesson.rate * 9);
        without < self.config.minimum
            || seen.deploying
            || seen.in_rotation < seen.desired
            || failed
            || readings.iter().any(|reading| reading.enough > without)
    }
}

// === impl Target ===

impl Target {
    /// What each task should have at most, of what is divided among them.
    fn aim(&self) -> u32 {
        match *self {
            Self::RequestsPerTask(aim) | Self::Concurrency(aim) | Self::Cpu(aim) => aim,
            // Nothing is divided.
            Self::P99(_) => u32::MAX,
        }
    }
}

// === impl Config ===

impl Config {
    /// Over so long a time everything is measured: long enough for chance, and no longer than until
    /// the next step out, or it would be about tasks that were fewer.
    fn window(&self) -> Duration {
        self.scale_out_cooldown.clamp(Duration::from_secs(1), Duration::from_secs(10))
    }
}
