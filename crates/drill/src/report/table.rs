//! Text in columns.

use anstyle::Style;

use crate::style::{PLAIN, paint};

/// Between two columns.
const GAP: usize = 2;

/// Rows of entries; every entry may have several lines.
#[derive(Default)]
pub(crate) struct Table {
    rows: Vec<Vec<Entry>>,
}

/// What stands in one place of a table.
#[derive(Clone, Default)]
pub(crate) struct Entry {
    lines: Vec<(String, Style)>,
}

// === impl Table ===

impl Table {
    /// One more row.
    pub(crate) fn row(&mut self, entries: Vec<Entry>) {
        self.rows.push(entries);
    }

    /// How wide it is.
    pub(crate) fn width(&self) -> usize {
        let widths = self.widths();
        widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1)
    }

    /// The table, line by line.
    pub(crate) fn lines(&self) -> Vec<String> {
        let widths = self.widths();
        let mut lines = Vec::new();
        for row in &self.rows {
            let height = row.iter().map(|entry| entry.lines.len()).max().unwrap_or_default();
            lines.extend((0..height).map(|line| render_line(row, line, &widths)));
        }
        lines
    }

    /// The table with a head, line by line; nothing if there is nothing below the head.
    pub(crate) fn lines_below(mut self, head: Vec<Entry>) -> Vec<String> {
        if self.rows.is_empty() {
            return Vec::new();
        }
        self.rows.insert(0, head);
        self.lines()
    }

    fn widths(&self) -> Vec<usize> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or_default();
        let width = |column| {
            let entries = self.rows.iter().filter_map(|row| row.get(column));
            entries.map(Entry::width).max().unwrap_or_default()
        };
        (0..columns).map(width).collect()
    }
}

fn render_line(row: &[Entry], line: usize, widths: &[usize]) -> String {
    let mut text = String::new();
    let mut owed = 0;
    for (entry, width) in row.iter().zip(widths) {
        match entry.lines.get(line).filter(|(words, _)| !words.is_empty()) {
            Some((words, style)) => {
                text += &" ".repeat(owed);
                text += &paint(*style, words);
                owed = width - words.chars().count() + GAP;
            }
            None => owed += width + GAP,
        }
    }
    text
}

// === impl Entry ===

impl Entry {
    /// One line as it stands.
    pub(crate) fn plain(text: impl Into<String>) -> Self {
        Self::styled(PLAIN, text)
    }

    /// One line in a style.
    pub(crate) fn styled(style: Style, text: impl Into<String>) -> Self {
        Self { lines: vec![(text.into(), style)] }
    }

    /// Several lines in a style.
    pub(crate) fn lines(style: Style, lines: Vec<String>) -> Self {
        Self { lines: lines.into_iter().map(|line| (line, style)).collect() }
    }

    /// One more line.
    #[must_use]
    pub(crate) fn and(mut self, style: Style, text: impl Into<String>) -> Self {
        self.lines.push((text.into(), style));
        self
    }

    /// All its text on one line.
    pub(crate) fn words(&self) -> String {
        let lines: Vec<&str> = self.lines.iter().map(|(line, _)| line.as_str()).collect();
        lines.join(" ")
    }

    fn width(&self) -> usize {
        self.lines.iter().map(|(line, _)| line.chars().count()).max().unwrap_or_default()
    }
}
