//! Whether the drill keeps its promises.

use seaworthy_core::experiment::claim::{Claim, Judged};
use seaworthy_core::experiment::expectation::Verdict;
use seaworthy_core::experiment::reading::Place;

use super::figures::Figures;
use crate::style::{BAD, FAINT, GOOD, HEAD, paint};
use crate::words::wrap;

/// Every claim, and how it was judged by the medians of all runs; none if a cell that it speaks of was
/// not run, or did not measure what it speaks of.
pub(super) fn judge<'a>(figures: &Figures<'a>) -> Vec<(&'a Claim, Option<Judged>)> {
    let judged = |claim: &'a Claim| {
        let figure = |place: Place, repetition: usize| {
            let runs =
                figures.runs(place.cell).filter(|runs| runs.verdict() != Verdict::Invalid)?;
            runs.one(repetition, &place)
        };
        let runs = claim.places().into_iter().filter_map(|place| figures.runs(place.cell));
        let repetitions = runs.map(|runs| runs.all.len()).min().unwrap_or_default();
        (claim, claim.judge(repetitions, &figure))
    };
    figures.job.drill.claims.iter().map(judged).collect()
}

/// The worst that the claims make of a drill.
pub(super) fn verdict(figures: &Figures) -> Verdict {
    let broken = |judged: &Option<Judged>| judged.as_ref().is_some_and(|judged| !judged.holds);
    let any = judge(figures).iter().any(|(_, judged)| broken(judged));
    if any { Verdict::Deviates } else { Verdict::AsExpected }
}

/// A line for each claim; nothing if there are none.
pub(super) fn render(figures: &Figures, width: usize) -> String {
    let claims = judge(figures);
    if claims.is_empty() {
        return String::new();
    }
    let several = figures.cells().any(|(_, runs)| runs.all.len() > 1);
    let medians = if several { ", by the medians of all runs" } else { "" };
    let mut text = paint(HEAD, &format!("What it promises{medians}")) + "\n";
    for (claim, judged) in claims {
        let (style, word, told) = match judged {
            Some(Judged { holds: true, left, right }) => (GOOD, "holds", sides(&left, &right)),
            Some(Judged { holds: false, left, right }) => (BAD, "fails", sides(&left, &right)),
            None => (
                FAINT,
                "open ",
                "a cell of it was not run, is INVALID or has no such figure, or what it compares never happened"
                    .to_owned(),
            ),
        };
        let lines = wrap(&format!("{claim}  ({told})"), width.saturating_sub(7));
        let word = std::iter::once(paint(style, word)).chain(std::iter::repeat(" ".repeat(5)));
        text.extend(word.zip(lines).map(|(word, line)| format!("{word}  {line}\n")));
    }
    text
}

fn sides(left: &str, right: &str) -> String {
    format!("{left} against {right}")
}
