//! What to conclude: the drill file's sentences with the measured figures in them.

use std::time::Duration;

use seaworthy_core::experiment::Cell;
use seaworthy_core::experiment::expectation::Verdict;
use seaworthy_core::experiment::reading::{Part, Place, Sentence, Unit};

use super::figures::{Figures, Runs};
use crate::style::{FAINT, HEAD, paint};
use crate::words::{count, percent, rough, span, wrap};

/// The sentences as one text. A sentence is left out if a cell that it speaks of was not run, or
/// did not go as expected: then it may not be true.
pub(super) fn render(figures: &Figures, width: usize) -> String {
    let sentences = &figures.job.drill.reading;
    if sentences.is_empty() {
        return String::new();
    }
    let said: Vec<String> =
        sentences.iter().filter_map(|sentence| say(figures, sentence)).collect();
    let mut text = paint(HEAD, "What it says") + "\n";
    for sentence in &said {
        text.extend(wrap(sentence, width).into_iter().map(|line| line + "\n"));
    }
    if said.len() < sentences.len() {
        let note = format!(
            "{} left out: a cell they speak of was not run or is not as expected.",
            match sentences.len() - said.len() {
                1 => "1 sentence is".to_owned(),
                more => format!("{more} sentences are"),
            }
        );
        text.extend(wrap(&note, width).iter().map(|line| paint(FAINT, line) + "\n"));
    }
    text
}

fn say(figures: &Figures, sentence: &Sentence) -> Option<String> {
    let part = |part: &Part| match part {
        Part::Text(text) => Some(text.clone()),
        Part::Figure(place) => words(runs(figures, place.cell)?, place),
    };
    sentence.parts.iter().map(part).collect()
}

/// The runs of a cell that may be spoken of.
fn runs<'a>(figures: &'a Figures, cell: Cell) -> Option<Runs<'a>> {
    figures.runs(cell).filter(|runs| runs.verdict() == Verdict::AsExpected)
}

/// The least and the most of all runs, at life size.
fn words(runs: Runs, place: &Place) -> Option<String> {
    let [low, high] = runs.figure(place)?;
    Some(span(low, high, |value| match place.figure.unit() {
        _ if value.is_infinite() => "never".to_owned(),
        Unit::Time => rough(Duration::from_secs_f64(value)),
        Unit::Share => percent(value),
        Unit::Count => count(value as u64),
    }))
}
