//! The processes that say of themselves that they are parts of the fleet.

use std::path::Path;
use std::time::Duration;

use seaworthy_core::time::Instant;

use crate::processes::{Marked, of_fleet};

/// To look into every process of the machine is dear, and whoever waits for something asks all the
/// time: as long as nobody has ended or is missing, so often is enough.
const PAUSE: Duration = Duration::from_secs(1);

/// The parts, as they were found last. The agent itself is none of them.
#[derive(Default)]
pub(super) struct Parts {
    found: Vec<Marked>,
    at: Instant,
}

impl Parts {
    /// Those that there are now.
    pub(super) fn look(&mut self, now: Instant, directory: &Path) -> &[Marked] {
        if now.since(self.at) >= PAUSE || !self.are_whole() {
            self.found = of_fleet(directory);
            self.found.retain(|marked| marked.part.is_some());
            self.at = now;
        }
        &self.found
    }

    fn are_whole(&self) -> bool {
        let once = |part| self.found.iter().filter(|m| m.part.as_deref() == part).count() == 1;
        [Some("keeper"), Some("gateway")].into_iter().all(once)
            && self.found.iter().all(|marked| marked.identity.is_alive())
    }
}
