//! What a process has in its memory: nobody else has it, and it dies with the process.

use std::collections::BTreeSet;
use std::time::Duration;

use seaworthy_core::experiment::model::{Leak, Program};
use seaworthy_core::time::Instant;

use super::task::Asked;

/// The status of an answer about what is not known.
const UNKNOWN: u16 = 404;

/// The memory of a process.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// Each since when.
    leaks: Vec<(Instant, Leak)>,
    /// Users who have stored something,
    users: BTreeSet<u64>,
    /// and what it has answered.
    answers: BTreeSet<u64>,
}

// === impl Memory ===

impl Memory {
    /// It leaks from now on, beside what it leaks already.
    pub(crate) fn leak(&mut self, now: Instant, leak: Leak) {
        self.leaks.push((now, leak));
    }

    /// Whether it has the answer to this.
    pub(crate) fn has(&self, asked: Asked) -> bool {
        self.answers.contains(&asked.what)
    }

    /// How long what takes `work` with an empty memory takes with this one.
    pub(crate) fn stretch(&self, now: Instant, work: Duration) -> Duration {
        let slower = self.leaks.iter().map(|(since, leak)| leak.slower(now.since(*since)));
        work + slower.sum::<Duration>()
    }

    /// What `program` answers in place of `status`.
    pub(crate) fn answer(&mut self, program: &Program, asked: Asked, status: u16) -> u16 {
        if status >= 400 {
            return status;
        }
        if program.cold.is_some() {
            self.answers.insert(asked.what);
        }
        if program.remembers && asked.writes {
            self.users.insert(asked.by);
        }
        if program.remembers && !self.users.contains(&asked.by) { UNKNOWN } else { status }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distribution::Distribution;

    fn at(seconds: u64) -> Instant {
        Instant::EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn a_leak_slows_in_a_straight_line_up_to_its_limit_and_a_second_one_adds_to_it() {
        let slows = Duration::from_millis(20);
        let leak = Leak { bytes_per_second: 50, limit: 200, slows };
        let mut memory = Memory::default();
        memory.leak(at(1), leak);
        let takes = |memory: &Memory, now| memory.stretch(at(now), Duration::from_millis(1));
        assert_eq!([1, 3, 5, 9].map(|now| takes(&memory, now).as_millis()), [1, 11, 21, 21]);
        memory.leak(at(3), leak);
        assert_eq!(takes(&memory, 5).as_millis(), 31);
    }

    #[test]
    fn what_was_answered_is_there_from_then_on() {
        let cold = Some(Distribution::Constant(Duration::from_secs(1)));
        let program = Program { cold, ..Program::default() };
        let mut memory = Memory::default();
        let asked = |what| Asked { what, ..Asked::default() };
        memory.answer(&program, asked(1), 200);
        memory.answer(&program, asked(2), 500);
        assert_eq!([1, 2, 3].map(|what| memory.has(asked(what))), [true, false, false]);
    }

    #[test]
    fn only_who_has_stored_something_finds_it() {
        let program = Program { remembers: true, ..Program::default() };
        let mut memory = Memory::default();
        let mut answer = |by, writes, status| {
            memory.answer(&program, Asked { by, writes, ..Asked::default() }, status)
        };
        assert_eq!(answer(1, true, 500), 500);
        assert_eq!(answer(1, false, 200), 404, "it could not be stored");
        assert_eq!(
            [answer(1, true, 200), answer(1, false, 200), answer(2, false, 200)],
            [200, 200, 404]
        );
    }
}
