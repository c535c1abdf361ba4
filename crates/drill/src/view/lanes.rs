//! Time from left to right: what became of each task, when faults came, how users fared.

use std::time::Duration;

use anstyle::Style;
use seaworthy_core::experiment::course::{Course, Life, Stage};
use seaworthy_core::time::Instant;

use super::Picture;
use crate::load::progress::{Progress, Tally};
use crate::style::{BAD, COMING, FAINT, GOOD, PLAIN, paint};

/// One character and its style.
type Mark = (char, Style);

/// Columns of time, as far as it has come.
#[derive(Clone, Copy)]
pub(super) struct Axis {
    begin: Instant,
    now: Instant,
    duration: Duration,
    columns: usize,
}

// === impl Axis ===

impl Axis {
    /// The time of a load, over so many columns; none before it has begun.
    pub(super) fn new(picture: &Picture, columns: usize) -> Option<Self> {
        let begin = picture.begin?;
        Some(Self { begin, now: picture.now, duration: picture.duration, columns })
    }

    /// A task's life.
    pub(super) fn life(self, life: &Life) -> String {
        self.draw(|_, until| {
            let at = self.begin + until;
            let stage = life.stages.iter().take_while(|(from, _)| *from < at).last();
            stage.map_or((' ', PLAIN), |(_, stage)| mark(*stage))
        })
    }

    /// A mark where faults came.
    pub(super) fn faults(self, course: &Course) -> String {
        self.draw(|from, until| {
            let period = self.begin + from..self.begin + until;
            let hit = course.inflicted().iter().any(|inflicted| period.contains(&inflicted.at));
            if hit { ('▼', BAD) } else { (' ', PLAIN) }
        })
    }

    /// Whether requests succeeded.
    pub(super) fn users(self, progress: &Progress) -> String {
        self.draw(|from, until| match progress.tally(from..until) {
            Tally { right: 0, failed: 0 } => (' ', PLAIN),
            Tally { failed: 0, .. } => ('█', GOOD),
            Tally { right: 0, .. } => ('░', BAD),
            Tally { .. } => ('▓', COMING),
        })
    }

    /// A character for each column, by the period it stands for; blank if that has not come.
    fn draw(self, mark: impl Fn(Duration, Duration) -> Mark) -> String {
        let edge = |column: usize| self.duration * column as u32 / self.columns as u32;
        let come = |column: usize| self.begin + edge(column) <= self.now;
        let marks = (0..self.columns).map(|column| {
            if come(column) { mark(edge(column), edge(column + 1)) } else { (' ', PLAIN) }
        });
        let mut text = String::new();
        let mut run = (PLAIN, String::new());
        for (character, style) in marks {
            if style != run.0 {
                text.push_str(&paint(run.0, &run.1));
                run = (style, String::new());
            }
            run.1.push(character);
        }
        text + &paint(run.0, &run.1)
    }
}

fn mark(stage: Stage) -> Mark {
    match stage {
        Stage::Provisioning => ('·', FAINT),
        Stage::Starting => ('▒', COMING),
        Stage::InRotation => ('█', GOOD),
        Stage::Out => ('x', BAD),
        Stage::Gone => (' ', PLAIN),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use seaworthy_core::cluster::{State, View};
    use seaworthy_core::endpoints::TaskId;
    use seaworthy_core::experiment::{Ending, Fault, FaultKind, Which};

    use super::*;

    /// Two tasks, of which the first is stopped after 1 s and replaced after 6 s; and when the load
    /// begins.
    pub(crate) fn course() -> (Course, Instant) {
        use State::{InRotation, Provisioning, Starting, Stopping};
        let begin = Instant::from_nanos(7_000_000_000);
        let mut course = Course::of(1);
        let mut observe = |millis: u64, tasks: &[(u32, State)]| {
            let view = |&(task, state)| {
                let location = None;
                View { task: TaskId(task), revision: 1, state, port: None, location }
            };
            let views: Vec<View> = tasks.iter().map(view).collect();
            course.observe(begin + Duration::from_millis(millis), &views, &[]);
        };
        observe(1010, &[(1, Stopping), (2, InRotation), (3, Provisioning)]);
        observe(1100, &[(2, InRotation), (3, Provisioning)]);
        observe(5000, &[(2, InRotation), (3, Starting)]);
        observe(6000, &[(2, InRotation), (3, InRotation)]);
        let at = Duration::from_secs(1);
        let kind = FaultKind::End { how: Ending::Stop, service: 0, tasks: Which::Oldest(1) };
        let stop = Fault { at, once: None, lasts: Duration::ZERO, kind };
        course.begin(begin);
        course.inflict(begin + at, stop, vec![TaskId(1)]);
        (course, begin)
    }
}
