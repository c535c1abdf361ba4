//! The last lines of what a program wrote.

use std::fs;
use std::path::Path;

/// So many lines are shown.
const LINES: usize = 10;

/// The last lines of a file, each on a line of its own and indented; empty if there are none.
pub(crate) fn last_lines(path: &Path) -> String {
    let text = fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = &lines[lines.len().saturating_sub(LINES)..];
    last.iter().flat_map(|line| ["\n    ", line]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_shown_and_blank_ones_are_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        assert_eq!(last_lines(&path), "");
        fs::write(&path, "line\n\n".repeat(12) + "end").unwrap();
        let last = last_lines(&path);
        assert_eq!(last, "\n    line".repeat(LINES - 1) + "\n    end");
    }
}
