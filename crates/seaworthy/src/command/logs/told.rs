//! Which lines were told already.

use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};

use seaworthy_agent::api::types::LogLine;
use seaworthy_core::endpoints::TaskId;

/// So many lines of each task are known again.
pub(super) const KEPT: usize = 1000;

/// The last lines of each task that were told, as hashes.
#[derive(Default)]
pub(super) struct Told {
    tasks: BTreeMap<TaskId, VecDeque<u64>>,
}

// === impl Told ===

impl Told {
    /// A line is told.
    pub(super) fn add(&mut self, line: &LogLine) {
        let lines = self.tasks.entry(line.task).or_default();
        if lines.len() == KEPT {
            lines.pop_front();
        }
        lines.push_back(hash(line));
    }

    /// How many of the last lines of one task have not been told; from now on they have.
    ///
    /// What was told ends where most lines in a row are the same as the last that were told.
    pub(super) fn new_of<'a>(&mut self, lines: impl Iterator<Item = &'a LogLine>) -> usize {
        let lines: Vec<&LogLine> = lines.collect();
        let hashes: Vec<u64> = lines.iter().map(|line| hash(line)).collect();
        let told = lines.first().and_then(|line| self.tasks.get(&line.task));
        let same = |end: &usize| {
            let before = hashes[..*end].iter().rev();
            told.map_or(0, |told| {
                before.zip(told.iter().rev()).take_while(|(one, other)| one == other).count()
            })
        };
        // Of the same line over and over, rather one twice than one not at all.
        let end = (0..=hashes.len()).max_by_key(|end| (same(end), Reverse(*end))).unwrap_or(0);
        lines[end..].iter().for_each(|line| self.add(line));
        lines.len() - end
    }
}

fn hash(line: &LogLine) -> u64 {
    let mut hasher = DefaultHasher::new();
    line.line.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(task: u32, text: &str) -> Vec<LogLine> {
        let line = |line: &str| {
            let (service, line) = ("store".to_owned(), line.to_owned());
            LogLine { task: TaskId(task), service, line }
        };
        text.split(' ').map(line).collect()
    }

    #[test]
    fn what_was_told_is_known_again() {
        let mut told = Told::default();
        let mut new = |task, text: &str| told.new_of(lines(task, text).iter());
        assert_eq!(new(1, "a b c"), 3);
        assert_eq!(new(1, "a b c"), 0);
        assert_eq!(new(1, "b c d e"), 2);
        // Another task, and one whose lines have all been followed by others.
        assert_eq!(new(2, "b c"), 2);
        assert_eq!(new(1, "x y z"), 3);
        // The same line over and over.
        assert_eq!(new(3, "a a a"), 3);
        assert_eq!(new(3, "a a a a a"), 2);
    }
}
