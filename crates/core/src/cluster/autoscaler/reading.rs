//! What a target looks like at present, and what follows.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Target;

/// The desired count becomes another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// What it was.
    pub from: u32,
    /// What it becomes.
    pub to: u32,
    /// What it becomes so for.
    pub why: Why,
}

/// Why the desired count changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// It was not within minimum and maximum.
    Bounds,
    /// This one asks for more tasks.
    Above(Reading),
    /// Every target would be met with fewer tasks, and this one most barely.
    Below(Reading),
}

/// A target beside what was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// What should be.
    pub target: Target,
    /// What is, for each task in rotation, in thousandths of the target's unit: of a request, of a
    /// percent, of a millisecond. Lately, if that is more.
    pub measured: u64,
    /// The target asks for so many tasks at least.
    pub wants: u32,
    /// And for so many by what was seen lately.
    pub wants_lately: u32,
    /// With so many it is still met, and with one more it is missed by more than a tenth.
    pub enough: u32,
}

/// What all tasks together have to do, in thousandths.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load {
    /// In the whole window.
    pub(super) whole: Range,
    /// In the last part of it, at least.
    pub(super) late: u128,
}

/// A figure that is not known exactly.
#[derive(Clone, Copy, Debug)]
pub(super) struct Range {
    pub(super) least: u128,
    pub(super) most: u128,
}

// === impl Reading ===

impl Reading {
    pub(super) fn of_load(target: Target, load: Load, in_rotation: u32) -> Self {
        let Load { whole: Range { least, most }, late } = load;
        let aim = u128::from(target.aim().max(1)) * 1000;
        // One task fewer: what each of the others gets is no more than the target, and what each gets now
        // is more than a tenth below it.
        let enough = most.div_ceil(aim).max(most * 10 / (aim * 9)).max(1);
        Self {
            target,
            measured: number(least.midpoint(most).max(late) / u128::from(in_rotation.max(1))),
            wants: number(least.div_ceil(aim)) as u32,
            wants_lately: number(late.div_ceil(aim)) as u32,
            enough: number(enough) as u32,
        }
    }

    /// Of how long requests take. That does not grow in proportion, so it asks for twice as many tasks at
    /// most, and lets one go only if it is less than half of what it may be.
    pub(super) fn of_latency(target: Target, longest: Duration, is: Duration, tasks: u32) -> Self {
        let (aim, is) = (longest.as_nanos().max(1), is.as_nanos());
        let share = (u128::from(tasks) * is).div_ceil(aim);
        let wants = if is > aim { share.min(u128::from(tasks) * 2) } else { 0 };
        Self {
            target,
            measured: number(is / 1000),
            wants: number(wants) as u32,
            wants_lately: 0,
            enough: if is * 2 < aim { 1 } else { u32::MAX },
        }
    }
}

/// What is beyond any bound is as good as the bound.
fn number(value: u128) -> u64 {
    u32::try_from(value).unwrap_or(u32::MAX).into()
}

impl fmt::Display for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is = self.measured as f64 / 1000.0;
        match self.target {
            Target::RequestsPerTask(aim) => {
                write!(f, "{is:.1} requests a second for each task, {aim} wanted")
            }
            Target::Concurrency(aim) => {
                write!(f, "{is:.1} requests under way for each task, {aim} wanted")
            }
            Target::Cpu(aim) => write!(f, "{is:.0} % of the processor, {aim} % wanted"),
            Target::P99(aim) => {
                let aim = aim.as_secs_f64() * 1000.0;
                write!(f, "99 of 100 requests take up to {is:.0} ms, {aim:.0} ms wanted")
            }
        }
    }
}

// === impl Change ===

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to, why } = self;
        write!(f, "{from} -> {to} tasks: {why}")
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bounds => f.write_str("minimum and maximum"),
            Self::Above(reading) | Self::Below(reading) => reading.fmt(f),
        }
    }
}
