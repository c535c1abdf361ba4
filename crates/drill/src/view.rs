//! What is shown while a drill runs: a picture redrawn in place on a terminal, plain lines elsewhere.

mod lanes;
mod plain;
mod terminal;

use std::time::Duration;

use seaworthy_core::experiment::course::{Course, Stage};
use seaworthy_core::time::Instant;

use crate::load::progress::Progress;
use crate::paper::Paper;
use crate::plan::Plan;
use plain::Plain;
use terminal::Terminal;

/// A cell at one moment.
pub(crate) struct Picture<'a> {
    /// The moment.
    pub(crate) now: Instant,
    /// The first moment of the load, once it is known.
    pub(crate) begin: Option<Instant>,
    /// How long the load lasts.
    pub(crate) duration: Duration,
    /// What happened to the tasks so far.
    pub(crate) course: &'a Course,
    /// How the load goes.
    pub(crate) progress: &'a Progress,
}

/// Shows a drill to whoever watches. A view that cannot be written to shows nothing, and the drill
/// goes on.
pub(crate) enum View {
    /// Somebody watches.
    Terminal(Terminal),
    /// Somebody may read it later.
    Plain(Plain),
}

// === impl View ===

impl View {
    /// The view of a drill that goes as planned and begins now.
    pub(crate) fn new(paper: Paper, plan: &Plan, now: Instant) -> Self {
        if paper.is_terminal() {
            Self::Terminal(Terminal::new(paper, plan, now))
        } else {
            Self::Plain(Plain::new(paper, plan))
        }
    }

    /// A line that stays.
    pub(crate) fn say(&mut self, line: &str) {
        match self {
            Self::Terminal(terminal) => terminal.say(line),
            Self::Plain(plain) => plain.say(line),
        }
    }

    /// A cell begins.
    pub(crate) fn cell(&mut self, heading: String) {
        match self {
            Self::Terminal(terminal) => terminal.cell(heading),
            Self::Plain(plain) => plain.cell(&heading),
        }
    }

    /// How the cell stands now.
    pub(crate) fn show(&mut self, picture: &Picture) {
        match self {
            Self::Terminal(terminal) => terminal.show(picture),
            Self::Plain(plain) => plain.show(picture),
        }
    }
}

/// A stage in words.
fn word(stage: Stage) -> &'static str {
    match stage {
        Stage::Provisioning => "provisioning",
        Stage::Starting => "starting",
        Stage::InRotation => "in rotation",
        Stage::Out => "out of rotation",
        Stage::Gone => "gone",
    }
}
