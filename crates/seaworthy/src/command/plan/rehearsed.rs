//! What one failure, or one deployment, costs: as reckoned, and in the full simulation.

use seaworthy_sim::planner::{Answer, Assessed, Question, Rehearsed};

use super::amounts::{count, many, often};
use super::prose::Width;
use crate::command::table::{BAD, Cell, FAINT, GOOD, PLAIN, Table, cell};

/// Of the file, of what is chosen or else the nearest, and of what is good enough in closed form alone. Nothing if none of
/// them is there, or it cannot be rehearsed.
pub(super) fn rehearsed(question: &Question<'_>, answer: &Answer, width: Width) -> String {
    let told = told(answer);
    if told.is_empty() || !question.can_be_rehearsed() {
        return String::new();
    }
    let mut table = Table::new(&["OF", "EVENT", "A MONTH", "RECKONED", "SIMULATED", "RUNS", ""]);
    for (name, one) in told {
        for event in answer.rehearse(question, one).iter() {
            table.row(row(question, name, event));
        }
    }
    let title = "\nWHAT ONE OF EACH COSTS: requests that fail, as reckoned, and in the simulation of agent, gateway and tasks \
                 under this load, on average with the fewest and the most of all runs; a target is held against both\n";
    width.prose(title) + &table.render()
}

/// Those that are rehearsed, each once, and what it is.
fn told(answer: &Answer) -> Vec<(&'static str, &Assessed)> {
    let chosen = if answer.cheapest.is_some() { "chosen" } else { "the nearest" };
    let closed = answer.only_closed.as_ref();
    let all =
        [("the file", answer.now.as_ref().ok()), (chosen, answer.chosen()), ("refuted", closed)];
    let mut told: Vec<(&str, &Assessed)> = Vec::new();
    for (name, one) in all {
        let Some(one) = one else { continue };
        if told.iter().all(|(_, other)| other.candidate != one.candidate) {
            told.push((name, one));
        }
    }
    told
}

fn row(question: &Question<'_>, name: &str, rehearsed: &Rehearsed) -> [Cell; 7] {
    let Rehearsed { event, a_month, reckoned, runs } = rehearsed;
    let (mean, (least, most)) = (rehearsed.mean(), rehearsed.range());
    let (simulated, style, verdict) = match (rehearsed.lasting(), rehearsed.unfinished()) {
        (0, 0) => {
            let range = format!("{} ({} to {})", count(mean), count(least), count(most));
            let differs = rehearsed.differs(question);
            let (style, verdict) =
                if differs { (PLAIN, "not as reckoned") } else { (GOOD, "as reckoned") };
            (range, style, verdict.to_owned())
        }
        (0, _) => (format!("at least {}", count(mean)), FAINT, "not seen to its end".to_owned()),
        (times, _) => {
            let told =
                format!("in {} all tasks are back, and requests go on to fail", many(times, "run"));
            ("without end".to_owned(), BAD, told)
        }
    };
    [
        cell(FAINT, name),
        cell(PLAIN, event.name()),
        cell(PLAIN, often(*a_month)),
        cell(PLAIN, count(*reckoned)),
        cell(PLAIN, simulated),
        cell(FAINT, runs.len()),
        cell(style, verdict),
    ]
}
