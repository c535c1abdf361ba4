//! How a test holds a script up.

use std::sync::{Arc, Condvar, Mutex};

use super::PATIENCE;

/// Shut until it is opened.
#[derive(Clone, Default)]
pub(crate) struct Gate(Arc<(Mutex<bool>, Condvar)>);

// === impl Gate ===

impl Gate {
    /// Lets all pass, from now on.
    pub(crate) fn open(&self) {
        *self.0.0.lock().expect("nobody panicked") = true;
        self.0.1.notify_all();
    }

    /// Waits for it.
    pub(crate) fn pass(&self) {
        let open = self.0.0.lock().expect("nobody panicked");
        let outcome = self.0.1.wait_timeout_while(open, PATIENCE, |open| !*open);
        assert!(!outcome.expect("nobody panicked").1.timed_out(), "the gate stays shut");
    }
}
