//! What is known of calls.

use seaworthy_core::call::CallId;

/// Of each call something, as long as its slot is not that of another one.
#[derive(Debug)]
pub(super) struct BySlot<T>(Vec<Option<(CallId, T)>>);

// === impl BySlot ===

impl<T> Default for BySlot<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> BySlot<T> {
    pub(super) fn set(&mut self, call: CallId, what: T) {
        let slot = call.slot as usize;
        if self.0.len() <= slot {
            self.0.resize_with(slot + 1, || None);
        }
        self.0[slot] = Some((call, what));
    }

    /// None if it was never set, or another call has its slot.
    pub(super) fn get_mut(&mut self, call: CallId) -> Option<&mut T> {
        let (of, what) = self.0.get_mut(call.slot as usize)?.as_mut()?;
        (*of == call).then_some(what)
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}
