//! What one failure, or one deployment, costs: as reckoned, and in the full simulation.

use seaworthy_sim::planner::{Answer, Question, Rehearsed};

use super::amounts::{count, many};
use super::prose::Width;
use crate::command::table::{BAD, Cell, FAINT, GOOD, PLAIN, Table, cell};

/// Of the file, and of what is chosen. Nothing if requests are too few, or nobody knows how many come.
pub(super) fn rehearsed(question: &Question<'_>, answer: &Answer, width: Width) -> String {
    let now = answer.now.as_ref().ok();
    let chosen = answer.chosen();
    let chosen = chosen.filter(|one| now.is_none_or(|now| now.candidate != one.candidate));
    let mut table = Table::new(&["OF", "EVENT", "A MONTH", "RECKONED", "SIMULATED", "RUNS", ""]);
    let mut rows = 0;
    for (name, one) in [("the file", now), ("chosen", chosen)] {
        let Some(one) = one else { continue };
        for event in answer.rehearse(question, one).iter() {
            rows += 1;
            table.row(row(question, name, event));
        }
    }
    if rows == 0 {
        return String::new();
    }
    let title = "\nWHAT ONE OF EACH COSTS: requests that fail, as reckoned, and in the simulation of agent, gateway and tasks \
                 under this load, on average with the fewest and the most of all runs; a target is held against both\n";
    width.prose(title) + &table.render()
}

fn row(question: &Question<'_>, name: &str, rehearsed: &Rehearsed) -> [Cell; 7] {
    let Rehearsed { event, a_month, reckoned, runs } = rehearsed;
    let simulated = match rehearsed.mean().zip(rehearsed.range()) {
        Some((mean, (least, most))) => {
            let range = format!("{} ({} to {})", count(mean), count(least), count(most));
            cell(PLAIN, range)
        }
        None => cell(FAINT, "-"),
    };
    let (style, verdict) = match (rehearsed.lasting(), rehearsed.differs(question)) {
        (0, None) => (FAINT, "takes too long to look".to_owned()),
        (0, Some(false)) => (GOOD, "as reckoned".to_owned()),
        (0, Some(true)) => (PLAIN, "not as reckoned".to_owned()),
        (times, _) => (
            BAD,
            format!("in {} all tasks are back, and requests go on to fail", many(times, "run")),
        ),
    };
    [
        cell(FAINT, name),
        cell(PLAIN, event.name()),
        cell(PLAIN, format!("{a_month:.2}")),
        cell(PLAIN, count(*reckoned)),
        simulated,
        cell(FAINT, runs.len()),
        cell(style, verdict),
    ]
}
