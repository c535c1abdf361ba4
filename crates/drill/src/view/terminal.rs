//! A picture redrawn in place.

use std::time::Duration;

use seaworthy_core::time::Instant;

use super::lanes::Axis;
use super::{Picture, word};
use crate::load::progress::Progress;
use crate::paper::Paper;
use crate::plan::Plan;
use crate::style::{BAD, FAINT, GOOD, HEAD, paint};
use crate::words::{about, count, exact};

/// It is not redrawn more often than this.
const REDRAW_EVERY: Duration = Duration::from_millis(100);
/// Room for a task's name before its lane.
const NAME: usize = 9;
/// Room for a task's stage behind its lane.
const STAGE: usize = 17;

/// The live view. The cursor stays where it is and visible, so that nothing has to be put right
/// when the drill is killed.
pub(crate) struct Terminal {
    paper: Paper,
    head: Head,
    /// Lines of the picture on the screen, above the cursor.
    drawn: usize,
    drawn_at: Instant,
}

/// What stands above the lanes.
struct Head {
    title: String,
    began: Instant,
    /// How long the drill is to take in all.
    estimate: Duration,
    cell: String,
}

// === impl Terminal ===

impl Terminal {
    pub(super) fn new(paper: Paper, plan: &Plan, now: Instant) -> Self {
        let head = Head {
            title: plan.title.clone(),
            began: now,
            estimate: plan.estimate,
            cell: String::new(),
        };
        Self { paper, head, drawn: 0, drawn_at: Instant::EPOCH }
    }

    pub(super) fn say(&mut self, line: &str) {
        self.erase();
        let _ = self.paper.print(&format!("{line}\n"));
    }

    pub(super) fn cell(&mut self, heading: String) {
        self.head.cell = heading;
    }

    pub(super) fn show(&mut self, picture: &Picture) {
        if picture.now.since(self.drawn_at) < REDRAW_EVERY {
            return;
        }
        self.drawn_at = picture.now;
        let mut lines = self.head.lines(picture, self.paper.width());
        // What has scrolled off the screen cannot be redrawn.
        lines.truncate(self.paper.height().saturating_sub(1));
        self.erase();
        self.drawn = lines.len();
        let _ = self.paper.print(&(lines.join("\n") + "\n"));
    }

    fn erase(&mut self) {
        if self.drawn > 0 {
            // Up to the first line of the picture, and clear everything from there on.
            let _ = self.paper.print_raw(&format!("\x1b[{}F\x1b[J", self.drawn));
            self.drawn = 0;
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.erase();
    }
}

// === impl Head ===

impl Head {
    /// The whole picture; no line is longer than `width`.
    fn lines(&self, picture: &Picture, width: usize) -> Vec<String> {
        let elapsed = picture.now.since(self.began);
        let left = about(self.estimate.saturating_sub(elapsed));
        let times = format!("{}, about {left} to go", about(elapsed));
        let room = width.saturating_sub(times.len() + 2);
        let title: String = self.title.chars().take(room).collect();
        let gap = width.saturating_sub(title.chars().count() + times.len());
        let cell: String = self.cell.chars().take(width).collect();
        let mut lines = vec![
            format!("{}{:gap$}{}", paint(HEAD, &title), "", paint(FAINT, &times)),
            cell,
            String::new(),
        ];
        let columns = width.saturating_sub(NAME + STAGE);
        let axis = Axis::new(picture, columns);
        let mut put = |name: String, lane: Option<String>, end: String| {
            let lane = lane.unwrap_or_else(|| " ".repeat(columns));
            lines.push(format!("{name:NAME$}{lane}  {end}"));
        };
        put("faults".into(), axis.map(|axis| axis.faults(picture.course)), String::new());
        for (task, life) in picture.course.lives() {
            let stage = life.now().map(word).unwrap_or_default();
            put(task.to_string(), axis.map(|axis| axis.life(life)), stage.to_owned());
        }
        let time = picture.begin.map(|begin| exact(picture.now.since(begin))).unwrap_or_default();
        put("users".into(), axis.map(|axis| axis.users(picture.progress)), time);
        lines.push(rates(picture, picture.progress));
        lines
    }
}

/// The last whole second.
fn rates(picture: &Picture, progress: &Progress) -> String {
    let Some(begin) = picture.begin else {
        return format!("{:NAME$}the fleet is coming up", "");
    };
    let tally = progress.last_second(picture.now.since(begin));
    let right = paint(GOOD, &format!("{} right", count(tally.right.into())));
    let failed = format!("{} failed", count(tally.failed.into()));
    let failed = if tally.failed > 0 { paint(BAD, &failed) } else { failed };
    format!("{:NAME$}{right}, {failed} in the last second", "")
}

#[cfg(test)]
mod tests {
    use super::super::lanes::tests::course;
    use super::*;

    fn drawn(loaded: bool) -> String {
        let (course, begin) = course();
        let duration = Duration::from_secs(10);
        let progress = Progress::new(duration);
        for n in 0..700u32 {
            let at = Duration::from_millis(10) * n;
            // All right, then every other one, then none, then all again.
            progress.note(at, !(100..300).contains(&n) || n % 2 == 0 && n < 200);
        }
        let head = Head {
            title: "a drill".to_owned(),
            began: begin,
            estimate: Duration::from_secs(95),
            cell: "[1/2] 1/one: two tasks: one stopped".to_owned(),
        };
        let picture = Picture {
            now: begin + Duration::from_secs(7),
            begin: loaded.then_some(begin),
            duration,
            course: &course,
            progress: &progress,
        };
        let lines = head.lines(&picture, 70);
        let text = anstream::adapter::strip_str(&lines.join("\n")).to_string();
        text.lines().flat_map(|line| [line.trim_end(), "\n"]).collect()
    }

    #[test]
    fn a_cell_under_way() {
        expect_test::expect_file!["../../golden/terminal.txt"].assert_eq(&drawn(true));
    }

    #[test]
    fn a_cell_whose_fleet_comes_up() {
        expect_test::expect_file!["../../golden/terminal-early.txt"].assert_eq(&drawn(false));
    }
}
