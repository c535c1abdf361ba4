//! Where the figures go: a table for people, and the raw runs beside it.

use std::fs;
use std::path::Path;

use anyhow::Context;
use serde::Serialize;

use crate::machine::Machine;

/// Everything that was measured.
#[derive(Serialize)]
struct Raw<'a, T> {
    machine: &'a Machine,
    runs: &'a [T],
}

/// A Markdown table.
pub(crate) struct Table {
    text: String,
}

// === impl Table ===

impl Table {
    /// With these columns; all but the first `words` hold figures.
    pub(crate) fn new(columns: &[&str], words: usize) -> Self {
        let rule = (0..columns.len()).map(|n| if n < words { "---" } else { "--:" });
        let rule: Vec<&str> = rule.collect();
        Self { text: format!("| {} |\n|{}|\n", columns.join(" | "), rule.join("|")) }
    }

    /// One more row.
    pub(crate) fn row(&mut self, cells: &[String]) {
        self.text += &["| ", &cells.join(" | "), " |\n"].concat();
    }

    pub(crate) fn into_text(self) -> String {
        self.text
    }
}

/// Writes `NAME.md` and `NAME.json`.
pub(crate) fn write<T: Serialize>(
    directory: &Path,
    name: &str,
    machine: &Machine,
    text: &str,
    runs: &[T],
) -> anyhow::Result<()> {
    fs::create_dir_all(directory).with_context(|| format!("{}", directory.display()))?;
    let markdown = directory.join(format!("{name}.md"));
    fs::write(&markdown, format!("{}\n{text}", machine.markdown()))
        .with_context(|| format!("{}", markdown.display()))?;
    let json = directory.join(format!("{name}.json"));
    let raw = serde_json::to_string_pretty(&Raw { machine, runs })?;
    fs::write(&json, raw + "\n").with_context(|| format!("{}", json.display()))?;
    println!("{text}\n{}\n{}", markdown.display(), json.display());
    Ok(())
}
