//! The few styles there are.

use anstyle::{AnsiColor, Style};
use seaworthy_core::experiment::expectation::Verdict;

/// As it stands.
pub(crate) const PLAIN: Style = Style::new();
/// The head of a section.
pub(crate) const HEAD: Style = Style::new().bold();
/// Beside the point.
pub(crate) const FAINT: Style = Style::new().dimmed();
/// As it should be.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
/// On its way.
pub(crate) const COMING: Style = AnsiColor::Yellow.on_default();
/// As it should not be.
pub(crate) const BAD: Style = AnsiColor::Red.on_default();

/// The style of a verdict.
pub(crate) fn of(verdict: Verdict) -> Style {
    match verdict {
        Verdict::AsExpected => GOOD,
        Verdict::Deviates | Verdict::Invalid => BAD.bold(),
    }
}

/// Text in a style.
pub(crate) fn paint(style: Style, text: &str) -> String {
    if style.is_plain() { text.to_owned() } else { format!("{style}{text}{style:#}") }
}
