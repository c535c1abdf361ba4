//! Whether tasks that have ended are silent.

use std::collections::BTreeMap;
use std::time::Duration;

use seaworthy_core::call::{Action, Attempt, CallId, Input};
use seaworthy_core::endpoints::TaskId;
use seaworthy_core::target_group;
use seaworthy_core::time::Instant;

use super::rule::{Kept, Rule};
use crate::world::{Physics, Said};

/// Tasks that have ended, and what was asked of them.
#[derive(Debug)]
pub(super) struct Ends {
    ended: BTreeMap<TaskId, Instant>,
    /// By slot: the tries of the last call in it.
    asked: BTreeMap<u32, (CallId, Vec<(Attempt, TaskId)>)>,
    /// What a task has said is there after so long.
    on_the_way: Duration,
}

// === impl Ends ===

impl Ends {
    pub(super) fn new(physics: &Physics) -> Self {
        let stall = physics.stalls.map_or(Duration::ZERO, |stalls| stalls.length);
        let on_the_way = physics.hop + stall;
        Self { ended: BTreeMap::new(), asked: BTreeMap::new(), on_the_way }
    }

    /// Another gateway calls its calls as the last one did.
    pub(super) fn begin_anew(&mut self) {
        self.asked.clear();
    }

    /// A task is no more.
    pub(super) fn ended(&mut self, now: Instant, task: TaskId) {
        self.ended.insert(task, now);
    }

    /// This was said at that moment.
    pub(super) fn hear(&mut self, at: Instant, said: &Said) -> Kept {
        match *said {
            Said::Wanted(target_group::Action::Call(Action::Try {
                call, attempt, task, ..
            })) => {
                let (of, tries) = self.asked.entry(call.slot).or_insert((call, Vec::new()));
                if *of != call {
                    (*of, *tries) = (call, Vec::new());
                }
                tries.push((attempt, task));
            }
            Said::Told(target_group::Input::Call(Input::Head { call, attempt, .. })) => {
                let asked = self.asked.get(&call.slot).filter(|(of, _)| *of == call);
                let mut tries = asked.into_iter().flat_map(|(_, tries)| tries);
                let task = tries.find(|(other, _)| *other == attempt).map(|(_, task)| *task);
                let ended = task.and_then(|task| Some((task, *self.ended.get(&task)?)));
                if let Some((task, ended)) = ended.filter(|(_, end)| at > *end + self.on_the_way) {
                    let what = format!("{task} answered, and it had ended at {ended}");
                    return Err((Rule::NoneAnswersLater, what));
                }
            }
            _ => {}
        }
        Ok(())
    }
}
