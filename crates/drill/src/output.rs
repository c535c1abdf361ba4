//! The last lines of what a program wrote.

use std::fs;
use std::path::Path;

/// So many lines are shown.
const LINES: usize = 10;

/// The last lines of a file, each on a line of its own and indented; empty if there are none. A line
/// that says again what was said is left out.
pub(crate) fn last_lines(path: &Path, said: &str) -> String {
    let text = fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let news = |line: &&str| {
        // As the agent writes it: `task-1 | there is no such program`.
        let words = line.split_once(" | ").map_or(*line, |(_, words)| words).trim();
        !words.is_empty() && !is_end(words, said) && !is_end(said, words)
    };
    let lines: Vec<&str> = text.lines().filter(news).collect();
    let last = &lines[lines.len().saturating_sub(LINES)..];
    last.iter().flat_map(|line| ["\n    ", line]).collect()
}

/// Whether a chain of causes ends with these words.
fn is_end(words: &str, chain: &str) -> bool {
    !words.is_empty() && chain.ends_with(&format!(": {words}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_shown_and_blank_ones_are_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        assert_eq!(last_lines(&path, ""), "");
        fs::write(&path, "line\n\n".repeat(12) + "end").unwrap();
        let last = last_lines(&path, "");
        assert_eq!(last, "\n    line".repeat(LINES - 1) + "\n    end");
    }

    #[test]
    fn what_was_said_is_not_said_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        fs::write(&path, "task-1 | cat: no such cat\ntask-2 | cat: no such cat\nagent: 7\n")
            .unwrap();
        assert_eq!(last_lines(&path, "task-1: not started: cat: no such cat"), "\n    agent: 7");
        fs::write(&path, "seaworthy: keeper: no port\n").unwrap();
        assert_eq!(last_lines(&path, "keeper: no port"), "");
    }
}
