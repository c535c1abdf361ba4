//! The last lines of what a task wrote.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

/// No more than so many bytes are read back, however long the lines are.
const BACK: u64 = 256 << 10;

/// The last `lines` lines of the file at `path` up to `end`, which is where whoever tells lines as they
/// come has got to; those before it in `PATH.1` included. What is no UTF-8 is shown as such.
///
/// Bounded: the oldest of very many or very long lines are left out.
pub fn last(path: &Path, end: u64, lines: usize) -> io::Result<Vec<String>> {
    let mut found = back(path, Some(end), lines, BACK)?;
    let read: usize = found.iter().map(|line| line.len() + 1).sum();
    let left = BACK.saturating_sub(read as u64);
    if found.len() < lines && left > 0 {
        let mut old = path.to_owned().into_os_string();
        old.push(".1");
        match back(Path::new(&old), None, lines - found.len(), left) {
            Ok(mut older) => {
                older.append(&mut found);
                found = older;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

fn back(path: &Path, end: Option<u64>, lines: usize, most: u64) -> io::Result<Vec<String>> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let end = end.map_or(length, |end| end.min(length));
    let start = end.saturating_sub(most);
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.take(end - start).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    // What was cut at its beginning is no line.
    let whole = if start == 0 { &text } else { text.split_once('\n').map_or("", |(_, rest)| rest) };
    let all: Vec<&str> = whole.lines().collect();
    Ok(all[all.len().saturating_sub(lines)..]
        .iter()
        .map(|line| line.trim_end().to_owned())
        .collect())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_last_lines_are_those_of_both_files_in_their_order() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("task-1.log");
        assert!(last(&path, 0, 5).is_err());
        fs::write(&path, "three\nfour\nfive").unwrap();
        assert_eq!(last(&path, u64::MAX, 2).unwrap(), ["four", "five"]);
        assert_eq!(last(&path, 11, 5).unwrap(), ["three", "four"]);
        fs::write(directory.path().join("task-1.log.1"), b"one\ntwo\xff\n").unwrap();
        assert_eq!(last(&path, 11, 3).unwrap(), ["two\u{fffd}", "three", "four"]);
        assert_eq!(last(&path, 11, 9).unwrap().len(), 4);
        assert!(last(&path, 11, 0).unwrap().is_empty());
    }

    #[test]
    fn no_more_is_read_than_the_bound() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("task-1.log");
        fs::write(&path, "x".repeat(99).replace('x', "xxxxxxxxx\n").repeat(1000)).unwrap();
        let lines = last(&path, u64::MAX, 1_000_000).unwrap();
        assert!(lines.len() < 30_000 && lines.len() > 20_000, "{}", lines.len());
        assert!(lines.iter().all(|line| line == "xxxxxxxxx"));
    }
}
