//! How many there are now of something that comes and goes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// A number that goes up for each [`One`] and down when it is dropped. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Count(Arc<AtomicU32>);

/// One of those that are counted.
#[derive(Debug)]
pub(super) struct One(Count);

// === impl Count ===

impl Count {
    pub(super) fn get(&self) -> u32 {
        self.0.load(Relaxed)
    }

    pub(super) fn one_more(&self) -> One {
        self.0.fetch_add(1, Relaxed);
        One(self.clone())
    }
}

impl Drop for One {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Relaxed);
    }
}
