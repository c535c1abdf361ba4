//! The signals that say to stop.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::Error;

/// SIGTERM and SIGINT.
pub(crate) struct Stop {
    interrupt: Signal,
    terminate: Signal,
}

/// From now on a signal of this kind does not end the process by itself.
pub(crate) fn watch(kind: SignalKind) -> Result<Signal, Error> {
    signal(kind).map_err(|error| Error::System("signals", error))
}

// === impl Stop ===

impl Stop {
    /// From now on they are waited for.
    pub(crate) fn watch() -> Result<Self, Error> {
        let (interrupt, terminate) = (SignalKind::interrupt(), SignalKind::terminate());
        Ok(Self { interrupt: watch(interrupt)?, terminate: watch(terminate)? })
    }

    /// Waits for one of them; returns its number.
    pub(crate) async fn said(&mut self) -> i32 {
        let kind = tokio::select! {
            _ = self.interrupt.recv() => SignalKind::interrupt(),
            _ = self.terminate.recv() => SignalKind::terminate(),
        };
        kind.as_raw_value()
    }
}
