//! Whether every call has one outcome, by what core wants done for it.

use seaworthy_core::call::{Action, CallId, Input};
use seaworthy_core::target_group;

use super::rule::Rule;
use crate::world::Said;

/// How far the calls of a service are, by slot: the last one in each.
#[derive(Debug, Default)]
pub(super) struct Outcomes {
    calls: Vec<Option<(CallId, Stage)>>,
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
    pub(super) fn hear(&mut self, said: &Said) -> Result<(), (Rule, String)> {
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
            Input::Begin { call, .. } => self.enter(call, Stage::Open),
            Input::Done { call, .. } | Input::ClientGone { call } => {
                if self.stage(call).is_some() {
                    self.enter(call, Stage::Over);
                    self.just_over = Some(call);
                }
            }
            Input::Head { .. }
            | Input::Failed { .. }
            | Input::Rotate(_)
            | Input::Endpoints { .. } => {}
        }
    }

    fn wanted(&mut self, action: &Action) -> Result<(), (Rule, String)> {
        let (call, needs, next) = match *action {
            Action::Try { call, .. } => (call, Stage::Open, Stage::Open),
            Action::Pass { call, .. } => (call, Stage::Open, Stage::Passed),
            Action::Answer { call, .. } => (call, Stage::Open, Stage::Over),
            // Nothing is cut short of which nothing was passed on.
            Action::Abort { call } => (call, Stage::Passed, Stage::Over),
        };
        let stage = self.stage(call);
        if self.just_over == Some(call) {
            return Ok(());
        }
        if stage == Some(needs) {
            self.enter(call, next);
            return Ok(());
        }
        let stage = match stage {
            None => "was never begun",
            Some(Stage::Open) => "has no outcome yet",
            Some(Stage::Passed) => "has the answer of a task",
            Some(Stage::Over) => "is over",
        };
        Err((Rule::OneOutcome, format!("core wants {action:?}, and that call {stage}")))
    }

    fn stage(&self, call: CallId) -> Option<Stage> {
        let known = self.calls.get(call.slot as usize).copied().flatten();
        known.filter(|(of, _)| *of == call).map(|(_, stage)| stage)
    }

    fn enter(&mut self, call: CallId, stage: Stage) {
        let slot = call.slot as usize;
        if self.calls.len() <= slot {
            self.calls.resize(slot + 1, None);
        }
        self.calls[slot] = Some((call, stage));
    }
}
