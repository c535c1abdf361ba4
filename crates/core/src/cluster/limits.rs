//! What one task may use of the machine, and what it uses.

use serde::{Deserialize, Serialize};

/// What a task may use. Nothing is limited by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Thousandths of a processor.
    pub cpu: Option<u32>,
    /// Bytes of memory: a task that needs more is killed.
    pub memory: Option<u64>,
    /// Bytes of memory: a task that needs more for a while is replaced before it dies.
    pub memory_soft: Option<u64>,
}

/// What one task uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Thousandths of a processor, over the last seconds.
    pub cpu: u32,
    /// Bytes of memory.
    pub memory: u64,
}
