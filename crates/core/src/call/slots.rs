//! Dense names for calls.

use super::CallId;

/// Hands out slots and takes them back. There are never more of them than there were calls at once.
#[derive(Debug, Default)]
pub struct Slots {
    generations: Vec<u32>,
    free: Vec<u32>,
}

impl Slots {
    /// A name no living call has.
    pub fn take(&mut self) -> CallId {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.generations.push(0);
            self.generations.len() as u32 - 1
        });
        CallId { slot, generation: self.generations[slot as usize] }
    }

    /// Takes back the name of a call that is over. A name given back twice is ignored.
    pub fn give_back(&mut self, call: CallId) {
        let generation = &mut self.generations[call.slot as usize];
        if *generation == call.generation {
            *generation = generation.wrapping_add(1);
            self.free.push(call.slot);
        }
    }
}
