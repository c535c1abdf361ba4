//! Tables and figures, as people read them.

use std::fmt::Display;

use anstyle::{AnsiColor, Style};

/// As it stands.
pub(crate) const PLAIN: Style = Style::new();
/// The head of a column.
const HEAD: Style = Style::new().bold();
/// Beside the point.
pub(crate) const FAINT: Style = Style::new().dimmed();
/// As it should be.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
/// On its way.
pub(crate) const COMING: Style = AnsiColor::Yellow.on_default();
/// As it should not be.
pub(crate) const BAD: Style = AnsiColor::Red.on_default();

/// Rows below a head, in columns that are as wide as they must be.
#[derive(Debug)]
pub(crate) struct Table {
    rows: Vec<Vec<Cell>>,
}

/// One text of a table.
#[derive(Debug)]
pub(crate) struct Cell {
    text: String,
    style: Style,
}

/// A text in a style; what would move the cursor is left out.
pub(crate) fn cell(style: Style, text: impl Display) -> Cell {
    let visible = |c: char| if c.is_control() { ' ' } else { c };
    Cell { text: format!("{text}").chars().map(visible).collect(), style }
}

/// What may be unknown.
pub(crate) fn known(text: Option<impl Display>) -> Cell {
    text.map_or_else(|| cell(FAINT, "-"), |text| cell(PLAIN, text))
}

// === impl Table ===

impl Table {
    /// One without rows.
    pub(crate) fn new(head: &[&str]) -> Self {
        Self { rows: vec![head.iter().map(|text| cell(HEAD, text)).collect()] }
    }

    /// One more row, of as many cells as the head has.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Its lines.
    pub(crate) fn render(&self) -> String {
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.text.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<_> = (0..self.rows[0].len()).map(width).collect();
        self.rows.iter().map(|row| line(row, &widths)).collect()
    }
}

fn line(row: &[Cell], widths: &[usize]) -> String {
    let mut line = String::new();
    for (place, Cell { text, style }) in row.iter().enumerate() {
        line.push_str(&paint(*style, text));
        // Nothing is filled up at the end of a line.
        if place + 1 < row.len() {
            let missing = widths[place] - text.chars().count();
            line.extend(std::iter::repeat_n(' ', missing + 2));
        }
    }
    line.push('\n');
    line
}

/// Text in a style.
pub(crate) fn paint(style: Style, text: &str) -> String {
    if style.is_plain() { text.to_owned() } else { format!("{style}{text}{style:#}") }
}

/// A time as its two largest units.
pub(crate) fn age(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{minutes}m {}s", seconds % 60),
        3600..86400 => format!("{hours}h {}m", minutes % 60),
        _ => format!("{days}d {}h", hours % 24),
    }
}

/// Thousandths of a processor, as percent of one.
pub(crate) fn cpu(thousandths: u32) -> String {
    format!("{}.{} %", thousandths / 10, thousandths % 10)
}

/// Bytes, as mebibytes.
pub(crate) fn memory(bytes: u64) -> String {
    format!("{} MiB", bytes.div_ceil(1 << 20))
}

/// What `render` gives, for golden texts: without styles.
#[cfg(test)]
pub(crate) fn plain(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_they_must_be_whatever_the_colours() {
        let mut table = Table::new(&["A", "LONGER", "LAST"]);
        table.row([cell(GOOD, "wide äö"), known(None::<u32>), cell(PLAIN, "x\n\x1b[2Jy")]);
        let text = table.render();
        assert!(text.contains("\x1b[32mwide äö\x1b[0m"));
        assert_eq!(plain(&text), "A        LONGER  LAST\nwide äö  -       x  [2Jy\n");
    }

    #[test]
    fn figures_are_short() {
        assert_eq!([59, 61, 3_725, 100_000].map(age), ["59s", "1m 1s", "1h 2m", "1d 3h"]);
        assert_eq!([cpu(0), cpu(125), cpu(2000)], ["0.0 %", "12.5 %", "200.0 %"]);
        assert_eq!([memory(0), memory(1), memory(34 << 20)], ["0 MiB", "1 MiB", "34 MiB"]);
    }
}
