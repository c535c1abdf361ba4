//! What to conclude: the drill file's sentences with the measured figures in them.

use std::time::Duration;

use seaworthy_core::experiment::Cell;
use seaworthy_core::experiment::course::Replacement;
use seaworthy_core::experiment::expectation::Verdict;
use seaworthy_core::experiment::reading::{Figure, Part, Sentence};

use super::figures::{Figures, Runs};
use crate::style::{FAINT, HEAD, paint};
use crate::words::{count, rough, span, wrap};

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
        Part::Figure(cell, figure) => runs(figures, *cell).map(|runs| words(runs, *figure)),
    };
    sentence.parts.iter().map(part).collect()
}

/// The runs of a cell that may be spoken of.
fn runs<'a>(figures: &'a Figures, cell: Cell) -> Option<Runs<'a>> {
    figures.runs(cell).filter(|runs| runs.verdict() == Verdict::AsExpected)
}

fn words(runs: Runs, figure: Figure) -> String {
    match figure {
        Figure::Gap => runs.life(|f| f.numbers.longest_gap),
        Figure::Silence => runs.life(|f| f.numbers.longest_silence),
        Figure::Range => {
            let range = runs.range(|duration| rough(duration * runs.job.scale));
            range.unwrap_or_else(|| "0 s".to_owned())
        }
        Figure::Failed => runs.span(|f| f.numbers.failed, count),
        Figure::Requests => runs.span(|f| f.numbers.requests, count),
        Figure::Below => runs.life(|f| Duration::from_secs(f.numbers.seconds_below_target.into())),
        // A cell that never recovers is not as expected.
        Figure::Recovery => runs.life(|f| f.numbers.recovery.unwrap_or_default()),
        Figure::Window => {
            let replacements = runs.all.iter().flat_map(|findings| &findings.replacements);
            let windows: Vec<Duration> = replacements.filter_map(Replacement::window).collect();
            let low = windows.iter().min().copied().unwrap_or_default();
            let high = windows.iter().max().copied().unwrap_or_default();
            span(low, high, |duration| rough(duration * runs.job.scale))
        }
    }
}
