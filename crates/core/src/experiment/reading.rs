//! What to conclude from a drill: sentences with the figures of cells in them, as
//! `{1.one_by_one.gap}`.

use super::Cell;

/// A sentence of a reading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sentence {
    /// In order.
    pub parts: Vec<Part>,
}

/// A part of a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// As it stands.
    Text(String),
    /// A figure of a cell, at life size.
    Figure(Cell, Figure),
}

/// What can be said of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Figure {
    /// The longest gap.
    Gap,
    /// The outage by arithmetic.
    Range,
    /// The longest silence.
    Silence,
    /// Requests that failed.
    Failed,
    /// Requests intended.
    Requests,
    /// Seconds below target.
    Below,
    /// Time to steady recovery.
    Recovery,
    /// The shortest and the longest time from a task's leaving to its replacement's entering.
    Window,
}

/// Every figure with its name in a file.
const FIGURES: [(&str, Figure); 8] = [
    ("gap", Figure::Gap),
    ("range", Figure::Range),
    ("silence", Figure::Silence),
    ("failed", Figure::Failed),
    ("requests", Figure::Requests),
    ("below", Figure::Below),
    ("recovery", Figure::Recovery),
    ("window", Figure::Window),
];

impl Sentence {
    /// Reads a sentence about a matrix of so many configurations and these schedules.
    pub fn read(text: &str, configurations: usize, schedules: &[&str]) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let Some((name, after)) = after.split_once('}') else {
                return Err(format!(
                    "`{{{after}` is not closed; allowed is {}",
                    allowed(schedules)
                ));
            };
            let figure = figure(name, configurations, schedules).ok_or_else(|| {
                format!("{{{name}}} is no figure of a cell; allowed is {}", allowed(schedules))
            })?;
            parts.push(Part::Text(before.to_owned()));
            parts.push(figure);
            rest = after;
        }
        parts.push(Part::Text(rest.to_owned()));
        parts.retain(|part| *part != Part::Text(String::new()));
        Ok(Self { parts })
    }
}

fn figure(name: &str, configurations: usize, schedules: &[&str]) -> Option<Part> {
    let mut words = name.split('.');
    let (configuration, schedule, figure) = (words.next()?, words.next()?, words.next()?);
    let configuration = configuration.parse::<usize>().ok()?.checked_sub(1)?;
    let schedule = schedules.iter().position(|other| *other == schedule)?;
    let (_, figure) = FIGURES.iter().find(|(other, _)| *other == figure)?;
    let known = configuration < configurations && words.next().is_none();
    known.then_some(Part::Figure(Cell { configuration, schedule }, *figure))
}

fn allowed(schedules: &[&str]) -> String {
    let figures: Vec<&str> = FIGURES.iter().map(|(name, _)| *name).collect();
    format!(
        "{{CONFIGURATION.SCHEDULE.FIGURE}} with a configuration counted from 1, a schedule of {} \
         and a figure of {}",
        schedules.join(", "),
        figures.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_found_in_the_text() {
        let sentence = Sentence::read("Down {1.all.gap} ({2.one.range}).", 2, &["one", "all"]);
        let cell = |configuration, schedule| Cell { configuration, schedule };
        let text = |text: &str| Part::Text(text.to_owned());
        let parts = vec![
            text("Down "),
            Part::Figure(cell(0, 1), Figure::Gap),
            text(" ("),
            Part::Figure(cell(1, 0), Figure::Range),
            text(")."),
        ];
        assert_eq!(sentence, Ok(Sentence { parts }));
    }

    #[test]
    fn what_no_cell_has_is_refused() {
        for wrong in ["{", "{}", "{0.one.gap}", "{3.one.gap}", "{1.two.gap}", "{1.one.gap.x}"] {
            let problem = Sentence::read(wrong, 2, &["one", "all"]).unwrap_err();
            assert!(problem.contains("a schedule of one, all"), "{wrong}: {problem}");
        }
    }
}
