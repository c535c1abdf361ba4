//! What is done to a task that goes on: a gray failure, of which its health checks need not tell.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::LinkFault;
use crate::fleet::written::{Share, as_written};

/// Something bad, done on purpose to a task that goes on. Health checks are spared, but for a hang.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskFault {
    /// Everything of it stands still (SIGSTOP): connections stay, and nothing comes over them.
    Hang,
    /// Requests are answered with 500, and do not reach it.
    Fail,
    /// Every piece of its answers is held for so long.
    Slow(#[serde(with = "as_written")] Duration),
    /// A request resets its connection.
    Reset,
    /// Of each answer the head and half of what is there with it is passed on; then the connection
    /// is closed.
    HalfAnswer,
}

// === impl TaskFault ===

impl TaskFault {
    /// What is done to the way between gateway and task; none if it is done to the task itself.
    pub fn on_the_way(self) -> Option<LinkFault> {
        match self {
            Self::Hang => None,
            Self::Fail => Some(LinkFault::Errors { status: 500, share: Share::WHOLE }),
            Self::Slow(latency) => Some(LinkFault::Latency(latency)),
            Self::Reset => Some(LinkFault::Resets { share: Share::WHOLE }),
            Self::HalfAnswer => Some(LinkFault::HalfAnswers),
        }
    }
}

/// `hang`, `500`, `latency of 500ms`, `resets`, `half answers`
impl fmt::Display for TaskFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hang => f.write_str("hang"),
            Self::Fail => f.write_str("500"),
            Self::Slow(latency) => write!(f, "latency of {latency:?}"),
            Self::Reset => f.write_str("resets"),
            Self::HalfAnswer => f.write_str("half answers"),
        }
    }
}
