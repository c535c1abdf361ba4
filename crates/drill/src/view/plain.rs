//! A line for everything that happens.

use std::collections::BTreeMap;

use seaworthy_core::endpoints::TaskId;
use seaworthy_core::experiment::FaultKind;
use seaworthy_core::experiment::course::Inflicted;
use seaworthy_core::time::Instant;

use super::{Picture, word};
use crate::paper::Paper;
use crate::plan::Plan;
use crate::words::about;

/// Lines, each written once.
pub(crate) struct Plain {
    paper: Paper,
    told: Told,
}

/// What has been told of the present cell.
#[derive(Default)]
struct Told {
    begin: bool,
    faults: usize,
    /// Stages of each task.
    stages: BTreeMap<TaskId, usize>,
}

// === impl Plain ===

impl Plain {
    /// Tells what is to come.
    pub(super) fn new(paper: Paper, plan: &Plan) -> Self {
        let mut view = Self { paper, told: Told::default() };
        view.say(&format!("{}, about {}", plan.title, about(plan.estimate)));
        view
    }

    pub(super) fn say(&mut self, line: &str) {
        let _ = self.paper.print(&format!("{line}\n"));
    }

    pub(super) fn cell(&mut self, heading: &str) {
        self.told = Told::default();
        self.say(heading);
    }

    pub(super) fn show(&mut self, picture: &Picture) {
        let lines = self.told.news(picture);
        if !lines.is_empty() {
            let _ = self.paper.print(&lines);
        }
    }
}

// === impl Told ===

impl Told {
    /// Everything that has not been told, in order of time, a line each.
    fn news(&mut self, picture: &Picture) -> String {
        let mut news: Vec<(Instant, String)> = Vec::new();
        for (task, life) in picture.course.lives() {
            let told = self.stages.entry(task).or_default();
            let new = life.stages[*told..].iter();
            news.extend(new.map(|(at, stage)| (*at, format!("{task}: {}", word(*stage)))));
            *told = life.stages.len();
        }
        let inflicted = picture.course.inflicted();
        news.extend(inflicted[self.faults..].iter().map(|done| (done.at, fault(done))));
        self.faults = inflicted.len();
        // How the fleet came up is another story.
        let Some(begin) = picture.begin else { return String::new() };
        news.retain(|(at, _)| *at >= begin);
        if !std::mem::replace(&mut self.begin, true) {
            news.push((begin, "the load begins".to_owned()));
        }
        news.sort_by_key(|(at, _)| *at);
        let line = |(at, what): (Instant, String)| {
            format!("  {:7.2} s  {what}\n", at.since(begin).as_secs_f64())
        };
        news.into_iter().map(line).collect()
    }
}

/// `stop of 1 task: task-1`
fn fault(done: &Inflicted) -> String {
    let kind = &done.fault.kind;
    let tasks: Vec<String> = done.tasks.iter().map(TaskId::to_string).collect();
    match kind {
        FaultKind::End { .. } | FaultKind::PowerOff { .. } if tasks.is_empty() => {
            format!("{kind}: nobody")
        }
        FaultKind::End { .. }
        | FaultKind::PowerOff { .. }
        | FaultKind::Ask { .. }
        | FaultKind::Task { .. } => format!("{kind}: {}", tasks.join(", ")),
        FaultKind::Link { .. }
        | FaultKind::QueryOfDeath { .. }
        | FaultKind::Deploy { .. }
        | FaultKind::Spike(_)
        | FaultKind::Exec(_) => kind.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::lanes::tests::course;
    use super::*;
    use crate::load::progress::Progress;

    #[test]
    fn everything_is_told_once_and_in_order() {
        let (course, begin) = course();
        let duration = Duration::from_secs(10);
        let progress = Progress::new(duration);
        let picture = |begin| Picture {
            now: Instant::EPOCH,
            begin,
            duration,
            course: &course,
            progress: &progress,
        };
        let mut told = Told::default();
        let news = told.news(&picture(Some(begin)));
        expect_test::expect_file!["../../golden/plain.txt"].assert_eq(&news);
        assert_eq!(told.news(&picture(Some(begin))), "");
        assert_eq!(Told::default().news(&picture(None)), "");
    }
}
