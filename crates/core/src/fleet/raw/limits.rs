//! What a task may use, as written.

use serde::Deserialize;

use crate::cluster::limits::Limits;
use crate::fleet::ConfigError;
use crate::fleet::range::{bytes, thousandths};
use crate::fleet::written::{Decimal, Size};

/// `limits = { cpu = 0.5, memory = "256MiB", memory_soft = "200MiB" }`
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct RawLimits {
    /// Processors, such as 0.5. Not bounded if left out.
    cpu: Option<Decimal>,
    /// Memory, such as "256MiB": a task that needs more is killed. Not bounded if left out.
    memory: Option<Size>,
    /// Memory, such as "200MiB": a task that needs more for a while is replaced before it dies.
    memory_soft: Option<Size>,
}

/// Less would not run a program, and more no machine has.
const MEMORY: std::ops::RangeInclusive<u64> = 1 << 20..=1 << 40;

// === impl RawLimits ===

impl RawLimits {
    /// What this one leaves out, it has from the other.
    pub(super) fn or(&self, service: &Self) -> Self {
        Self {
            cpu: self.cpu.or(service.cpu),
            memory: self.memory.or(service.memory),
            memory_soft: self.memory_soft.or(service.memory_soft),
        }
    }

    /// Whether it says anything.
    pub(super) fn is_given(&self) -> bool {
        self.cpu.is_some() || self.memory.is_some() || self.memory_soft.is_some()
    }

    pub(super) fn read(&self) -> Result<Limits, ConfigError> {
        let limits = Limits {
            cpu: thousandths("cpu", self.cpu, 10..=1_024_000)?,
            memory: bytes("memory", self.memory, MEMORY)?,
            memory_soft: bytes("memory_soft", self.memory_soft, MEMORY)?,
        };
        if let (Some(soft), Some(hard)) = (limits.memory_soft, limits.memory)
            && soft > hard
        {
            let problem = format!(
                "{} is more than the `memory` of {}, at which a task is killed; allowed is up to that",
                Size(soft),
                Size(hard)
            );
            return Err(ConfigError::new("memory_soft", problem));
        }
        Ok(limits)
    }
}
