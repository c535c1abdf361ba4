//! Whether our own starts keep the ceiling and our own retirements the floor. What came of all decisions of a moment is
//! seen at once, and one of them may change how many tasks there may be: so whatever was allowed in that moment is.

use seaworthy_core::endpoints::TaskId;
use seaworthy_core::record::Cause;

use super::rule::{Kept, Rule};

/// Decisions of a moment.
#[derive(Debug, Default)]
pub(super) struct Bounds {
    taken: Vec<Taken>,
}

#[derive(Debug)]
enum Taken {
    /// With it there are so many tasks, and so many might be.
    Start { task: TaskId, tasks: u32, ceiling: u32 },
    /// It leaves so many, and so many had to be left.
    Retire { task: TaskId, cause: Cause, left: u32, floor: u32 },
}

// === impl Bounds ===

impl Bounds {
    pub(super) fn started(&mut self, task: TaskId, tasks: u32, ceiling: u32) {
        self.taken.push(Taken::Start { task, tasks, ceiling });
    }

    pub(super) fn retired(&mut self, task: TaskId, cause: Cause, left: u32, floor: u32) {
        self.taken.push(Taken::Retire { task, cause, left, floor });
    }

    /// The moment is over, and these are the bounds at its end.
    pub(super) fn check(&mut self, floor: u32, ceiling: u32) -> Kept {
        let mut taken = self.taken.drain(..);
        taken.try_for_each(|one| match one {
            Taken::Start { task, tasks, ceiling: then } if tasks > ceiling.max(then) => {
                let most = ceiling.max(then);
                let what = format!("{tasks} tasks after the start of {task}, allowed are {most}");
                Err((Rule::Ceiling, what))
            }
            Taken::Retire { task, cause, left, floor: then } if left < floor.min(then) => {
                let least = floor.min(then);
                let what = format!("{task} is retired ({cause}) and leaves {left} of {least}");
                Err((Rule::Floor, what))
            }
            _ => Ok(()),
        })
    }
}
