//! Whether every call has one outcome, by what core wants done for it.

use seaworthy_core::call::{Action, CallId, Input};
use seaworthy_core::target_group;

use super::by_slot::BySlot;
use super::rule::{Kept, Rule};
use crate::world::Said;

/// How far the calls of a service are.
#[derive(Debug, Default)]
pub(super) struct Outcomes {
    calls: BySlot<Stage>,
    /// Over by what core was told last: what time had made it want before it heard of that comes after it.
    just_over: Option<CallId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// It has no outcome.
    Open,
    /// The client is given a task's answer, which may still be cut short.
    Passed,
    Over,
}

// === impl Outcomes ===

impl Outcomes {
    /// With the gateway all its calls have ended.
    pub(super) fn begin_anew(&mut self) {
        self.calls.clear();
    }

    /// This was said.
    pub(super) fn hear(&mut self, said: &Said) -> Kept {
        match said {
            Said::Told(target_group::Input::Call(input)) => self.told(input),
            Said::Wanted(target_group::Action::Call(action)) => return self.wanted(action),
            _ => {}
        }
        Ok(())
    }

    fn told(&mut self, input: &Input) {
        self.just_over = None;
        match *input {
            Input::Begin { call, .. } => self.calls.set(call, Stage::Open),
            Input::Done { call, .. } | Input::ClientGone { call } => {
                if let Some(stage) = self.calls.get_mut(call) {
                    *stage = Stage::Over;
                    self.just_over = Some(call);
                }
            }
            Input::Head { .. }
            | Input::Failed { .. }
            | Input::Rotate(_)
            | Input::Endpoints { .. } => {}
        }
    }

    fn wanted(&mut self, action: &Action) -> Kept {
        let (call, needs, next) = match *action {
            Action::Try { call, .. } => (call, Stage::Open, Stage::Open),
            Action::Pass { call, .. } => (call, Stage::Open, Stage::Passed),
            Action::Answer { call, .. } => (call, Stage::Open, Stage::Over),
            // Nothing is cut short of which nothing was passed on.
            Action::Abort { call } => (call, Stage::Passed, Stage::Over),
        };
        if self.just_over == Some(call) {
            return Ok(());
        }
        let stage = match self.calls.get_mut(call) {
            Some(stage) if *stage == needs => {
                *stage = next;
                return Ok(());
            }
            None => "was never begun",
            Some(Stage::Open) => "has no outcome yet",
            Some(Stage::Passed) => "has the answer of a task",
            Some(Stage::Over) => "is over",
        };
        Err((Rule::OneOutcome, format!("core wants {action:?}, and that call {stage}")))
    }
}
