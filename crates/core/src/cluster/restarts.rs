//! How soon a part of our own that ended is started again.

use std::time::Duration;

use crate::record::Exit;

/// A part that lived for so long works: what ended it has nothing to do with its start.
const WORKS: Duration = Duration::from_secs(2);
/// The wait after the first quick end; it doubles from one to the next.
const FIRST: Duration = Duration::from_millis(10);
/// Who was killed could have gone on, so its place waits no longer than this. It is a wait all the
/// same: a kernel without memory kills again and again.
const LONGEST_KILLED: Duration = Duration::from_millis(100);

/// The ends of one part, in a row.
#[derive(Clone, Copy, Debug)]
pub struct Restarts {
    longest: Duration,
    quick: u32,
}

// === impl Restarts ===

impl Restarts {
    /// Of a part that never waits longer than `longest`.
    pub fn new(longest: Duration) -> Self {
        Self { longest, quick: 0 }
    }

    /// The part ended in this way, so long after its start; the next one is to start after the time
    /// that is returned.
    pub fn ended(&mut self, lived: Duration, exit: Exit) -> Duration {
        if lived >= WORKS {
            self.quick = 0;
            return Duration::ZERO;
        }
        let wait = FIRST.saturating_mul(1 << self.quick.min(20));
        self.quick += 1;
        wait.min(if exit == Exit::KILLED { self.longest.min(LONGEST_KILLED) } else { self.longest })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONGEST: Duration = Duration::from_secs(1);
    const SOON: Duration = Duration::from_millis(1999);

    /// The waits, in milliseconds, after so many quick ends of one kind.
    fn waits<const N: usize>(restarts: &mut Restarts, exit: Exit) -> [u128; N] {
        std::array::from_fn(|_| restarts.ended(SOON, exit).as_millis())
    }

    #[test]
    fn one_that_works_is_started_again_at_once_and_a_crash_loop_slows_down() {
        let mut restarts = Restarts::new(LONGEST);
        assert_eq!(restarts.ended(WORKS, Exit::Code(1)), Duration::ZERO);
        let growing = [10, 20, 40, 80, 160, 320, 640, 1000, 1000];
        assert_eq!(waits(&mut restarts, Exit::Code(1)), growing);
        assert_eq!(restarts.ended(WORKS, Exit::Unknown), Duration::ZERO);
        assert_eq!(waits(&mut restarts, Exit::Signal(11)), growing);
    }

    #[test]
    fn who_is_killed_again_and_again_hardly_waits() {
        let mut restarts = Restarts::new(LONGEST);
        assert_eq!(waits(&mut restarts, Exit::Signal(9)), [10, 20, 40, 80, 100, 100, 100]);
    }
}
