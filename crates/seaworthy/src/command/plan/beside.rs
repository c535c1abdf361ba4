//! What was reckoned beside what drills have measured.

use seaworthy_sim::availability::Span;
use seaworthy_sim::planner::{Answer, Measured, Question};

use super::amounts::span;
use crate::command::table::{BAD, FAINT, GOOD, PLAIN, Table, cell};

/// A measurement so much beyond what was reckoned is still what was reckoned.
const ERROR: f64 = 0.02;

/// Of the file as it is; nothing without drills.
pub(super) fn beside(question: &Question<'_>, answer: &Answer) -> String {
    let (Some(evidence), Ok(now)) = (&question.evidence, &answer.now) else { return String::new() };
    let timing = now.expected.timing;
    let mut table = Table::new(&["TIME", "RECKONED", "MEASURED", "TIMES", ""]);
    let mut row = |name: &str, reckoned: Option<Span>, measured: Measured<'_>| {
        let told = reckoned.map_or("taken from here".to_owned(), span);
        let found = measured.span();
        let (style, verdict) = match (reckoned, found) {
            (Some(reckoned), Some(found)) if is_within(found, reckoned) => (GOOD, "as reckoned"),
            (Some(_), Some(_)) => {
                (BAD, "not as reckoned: other settings, or something to find out")
            }
            _ => (PLAIN, ""),
        };
        table.row([
            cell(PLAIN, name),
            cell(PLAIN, told),
            found.map_or_else(|| cell(FAINT, "never"), |found| cell(PLAIN, span(found))),
            cell(PLAIN, measured.count()),
            cell(style, verdict),
        ]);
    };
    row("a process is ready", None, evidence.starts());
    let replaced = (timing.soonest, timing.replacement.1);
    row("one that ended is replaced", Some(replaced), evidence.windows());
    let (hang, soonest) = match (question.service.health.passive, question.hangs_pass()) {
        (None, false) => ("a hang is found by checks", timing.checks.0),
        (None, true) => ("a hang is noticed by somebody", timing.checks.0),
        // Requests may tell sooner, and how soon depends on how many came.
        (Some(_), false) => ("a hang is found, by checks at the latest", 0.0),
        (Some(_), true) => ("a hang is found, by somebody at the latest", 0.0),
    };
    row(hang, Some((soonest, timing.checks.1)), evidence.detections());
    format!("\nBESIDE THE DRILLS\n{}", table.render())
}

fn is_within(found: Span, reckoned: Span) -> bool {
    found.0 >= reckoned.0 * (1.0 - ERROR) && found.1 <= reckoned.1 * (1.0 + ERROR)
}
