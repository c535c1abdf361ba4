//! What `/proc/PID/stat` says of a process.

use std::fs::File;
use std::io::Read;

/// What the kernel says of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) state: char,
    pub(crate) parent: u32,
    pub(crate) group: u32,
    /// Processor time of its own, in clock ticks.
    pub(crate) own: u64,
    /// That of its children, and of theirs, that ended and that it waited for.
    pub(crate) of_children: u64,
    /// When it was started, in clock ticks since the machine was.
    pub(crate) start_time: u64,
    /// Resident memory, in pages.
    pub(crate) resident: u64,
}

/// Longer than any such file, so that one read gives all of it.
const LONGEST: usize = 4096;

impl Stat {
    /// What the kernel says of a process that is there.
    pub(crate) fn read(pid: u32) -> Option<Self> {
        let mut buffer = [0; LONGEST];
        let length = File::open(format!("/proc/{pid}/stat")).ok()?.read(&mut buffer).ok()?;
        Self::parse(&buffer[..length])
    }

    fn parse(text: &[u8]) -> Option<Self> {
        // The name is in parentheses and may itself hold any character.
        let name_ends = text.iter().rposition(|byte| *byte == b')')?;
        let text = std::str::from_utf8(&text[name_ends + 1..]).ok()?;
        // The state, the third field of all, is the first after the name.
        let fields: Vec<&str> = text.split_ascii_whitespace().take(22).collect();
        let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
        Some(Self {
            state: fields.first()?.chars().next()?,
            parent: u32::try_from(number(4)?).ok()?,
            group: u32::try_from(number(5)?).ok()?,
            own: number(14)? + number(15)?,
            of_children: number(16)? + number(17)?,
            start_time: number(22)?,
            resident: number(24)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_hold_anything() {
        let line = "42 (a) R 1 (b) S 7 41 40 0 -1 4194304 9 8 7 6 150 50 30 20 20 0 1 0 12345 \
                    999 321 18446744073709551615 1 1\n";
        let stat = Stat::parse(line.as_bytes()).unwrap();
        let expected = Stat {
            state: 'S',
            parent: 7,
            group: 41,
            own: 200,
            of_children: 50,
            start_time: 12345,
            resident: 321,
        };
        assert_eq!(stat, expected);
        assert_eq!(Stat::parse(b"42 (half) R 1"), None);
    }
}
