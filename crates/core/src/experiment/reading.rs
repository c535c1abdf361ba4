//! Figures of cells as they are spoken of in a drill file, `{1.one_by_one.gap}` or, of one flow of the
//! load, `{1.one_by_one.search.p99}`; and sentences with such figures in them.

use std::fmt;
use std::time::Duration;

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
    /// A figure, at life size.
    Figure(Place),
}

/// Where a figure stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Of this cell,
    pub cell: Cell,
    /// of this flow of its load, or of all together,
    pub flow: Option<usize>,
    /// this one.
    pub figure: Figure,
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
    /// Their share.
    FailedShare,
    /// Those of them that no task answered, well or badly.
    Unanswered,
    /// Requests that succeeded with an answer that says it is degraded.
    Degraded,
    /// Their share.
    DegradedShare,
    /// The oldest piece of a degraded answer.
    Oldest,
    /// Requests intended.
    Requests,
    /// Seconds below target.
    Below,
    /// Time to steady recovery.
    Recovery,
    /// From the end of the last fault to the last request that failed or was degraded.
    Whole,
    /// The median of the latency.
    P50,
    /// The 99th percentile of the latency.
    P99,
    /// Calls that reached a service while the last disturbance of the way to it lasted.
    Calls,
    /// From the end of that to the next call.
    FirstCall,
    /// Tasks that went, whyever.
    Gone,
    /// The fewest tasks in rotation at any time,
    Fewest,
    /// and the most that were there at once, of the service by which users come in.
    Most,
    /// From the beginning of the last deployment to its end,
    Rollout,
    /// or until only old tasks were there again.
    Back,
    /// The fewest old tasks in rotation since that beginning.
    Kept,
    /// The shortest and the longest time from a task's leaving to its replacement's entering.
    Window,
}

/// What a figure is measured in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Seconds.
    Time,
    /// 0 to 1.
    Share,
    /// A number.
    Count,
}

/// What figures of a drill can be about.
#[derive(Clone, Debug)]
pub struct Places<'a> {
    /// How many there are.
    pub configurations: usize,
    /// Their names.
    pub schedules: Vec<&'a str>,
    /// Their names.
    pub flows: Vec<&'a str>,
}

/// Every figure with its name in a file.
const FIGURES: [(&str, Figure); 24] = [
    ("gap", Figure::Gap),
    ("range", Figure::Range),
    ("silence", Figure::Silence),
    ("failed", Figure::Failed),
    ("failed_share", Figure::FailedShare),
    ("unanswered", Figure::Unanswered),
    ("degraded", Figure::Degraded),
    ("degraded_share", Figure::DegradedShare),
    ("oldest", Figure::Oldest),
    ("requests", Figure::Requests),
    ("below", Figure::Below),
    ("recovery", Figure::Recovery),
    ("whole", Figure::Whole),
    ("p50", Figure::P50),
    ("p99", Figure::P99),
    ("calls", Figure::Calls),
    ("first_call", Figure::FirstCall),
    ("gone", Figure::Gone),
    ("window", Figure::Window),
    ("fewest", Figure::Fewest),
    ("most", Figure::Most),
    ("rollout", Figure::Rollout),
    ("back", Figure::Back),
    ("kept", Figure::Kept),
];

// === impl Sentence ===

impl Sentence {
    /// Reads a sentence.
    pub fn read(text: &str, places: &Places<'_>) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let Some((name, after)) = after.split_once('}') else {
                return Err(format!("`{{{after}` is not closed; allowed is {places}"));
            };
            parts.push(Part::Text(before.to_owned()));
            parts.push(Part::Figure(places.read(name)?));
            rest = after;
        }
        parts.push(Part::Text(rest.to_owned()));
        parts.retain(|part| *part != Part::Text(String::new()));
        Ok(Self { parts })
    }
}

// === impl Places ===

impl Places<'_> {
    /// Reads `1.one_by_one.gap` or `1.one_by_one.search.gap`.
    pub fn read(&self, name: &str) -> Result<Place, String> {
        self.find(name)
            .ok_or_else(|| format!("{{{name}}} is no figure of a cell; allowed is {self}"))
    }

    fn find(&self, name: &str) -> Option<Place> {
        let words: Vec<&str> = name.split('.').collect();
        let (configuration, schedule, flow, figure) = match words[..] {
            [configuration, schedule, figure] => (configuration, schedule, None, figure),
            [configuration, schedule, flow, figure] => {
                (configuration, schedule, Some(flow), figure)
            }
            _ => return None,
        };
        let configuration = configuration.parse::<usize>().ok()?.checked_sub(1)?;
        let schedule = self.schedules.iter().position(|other| *other == schedule)?;
        let flow = match flow {
            Some(flow) => Some(self.flows.iter().position(|other| *other == flow)?),
            None => None,
        };
        let (_, figure) = FIGURES.iter().find(|(other, _)| *other == figure)?;
        let known =
            configuration < self.configurations && (flow.is_none() || figure.is_of_a_flow());
        known.then_some(Place { cell: Cell { configuration, schedule }, flow, figure: *figure })
    }
}

impl fmt::Display for Places<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let figures: Vec<&str> = FIGURES.iter().map(|(name, _)| *name).collect();
        write!(
            f,
            "{{CONFIGURATION.SCHEDULE.FIGURE}} with a configuration counted from 1, a schedule of {} \
             and a figure of {}",
            self.schedules.join(", "),
            figures.join(", ")
        )?;
        if self.flows.len() > 1 {
            write!(f, "; a flow of {} may stand before the figure", self.flows.join(", "))?;
        }
        Ok(())
    }
}

// === impl Figure ===

impl Figure {
    /// What it is measured in.
    pub fn unit(self) -> Unit {
        match self {
            Self::FailedShare | Self::DegradedShare => Unit::Share,
            Self::Failed
            | Self::Unanswered
            | Self::Degraded
            | Self::Requests
            | Self::Calls
            | Self::Gone
            | Self::Fewest
            | Self::Most
            | Self::Kept => Unit::Count,
            Self::Gap
            | Self::Range
            | Self::Silence
            | Self::Below
            | Self::Oldest
            | Self::Recovery
            | Self::Whole
            | Self::P50
            | Self::P99
            | Self::FirstCall
            | Self::Rollout
            | Self::Back
            | Self::Window => Unit::Time,
        }
    }

    /// Whether each flow has its own.
    fn is_of_a_flow(self) -> bool {
        !matches!(
            self,
            Self::Range
                | Self::Calls
                | Self::FirstCall
                | Self::Gone
                | Self::Window
                | Self::Fewest
                | Self::Most
                | Self::Rollout
                | Self::Back
                | Self::Kept
        )
    }
}

// === impl Unit ===

impl Unit {
    /// A value in words.
    pub fn say(self, value: f64) -> String {
        match self {
            _ if value.is_infinite() => "never".to_owned(),
            Self::Time => {
                let micros = (value.abs() * 1e6).round() as u64;
                let sign = if value < 0.0 { "-" } else { "" };
                format!("{sign}{:?}", Duration::from_micros(micros))
            }
            Self::Share => format!("{:.3} %", value * 100.0),
            Self::Count => format!("{value}"),
        }
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Time => "a duration",
            Self::Share => "a share",
            Self::Count => "a number",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACES: fn() -> Places<'static> = || Places {
        configurations: 2,
        schedules: vec!["one", "all"],
        flows: vec!["search", "orders"],
    };

    fn place(configuration: usize, schedule: usize, flow: Option<usize>, figure: Figure) -> Place {
        Place { cell: Cell { configuration, schedule }, flow, figure }
    }

    #[test]
    fn figures_are_found_in_the_text() {
        let sentence = Sentence::read("Down {1.all.gap} ({2.one.orders.p99}).", &PLACES());
        let text = |text: &str| Part::Text(text.to_owned());
        let parts = vec![
            text("Down "),
            Part::Figure(place(0, 1, None, Figure::Gap)),
            text(" ("),
            Part::Figure(place(1, 0, Some(1), Figure::P99)),
            text(")."),
        ];
        assert_eq!(sentence, Ok(Sentence { parts }));
    }

    #[test]
    fn what_no_cell_has_is_refused() {
        let wrong = [
            "{",
            "{}",
            "{0.one.gap}",
            "{3.one.gap}",
            "{1.two.gap}",
            "{1.one.gap.x}",
            "{1.one.carts.gap}",
            "{1.one.orders.window}",
        ];
        for wrong in wrong {
            let problem = Sentence::read(wrong, &PLACES()).unwrap_err();
            assert!(problem.contains("a schedule of one, all"), "{wrong}: {problem}");
        }
    }
}
