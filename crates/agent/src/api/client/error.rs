//! Why a call came to nothing.

use std::error::Error as _;
use std::io;
use std::path::PathBuf;

use super::ApiError;

/// Why a call came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// There is no fleet, or none any more.
    #[error("no fleet runs in {}; start one with `seaworthy up`", .0.display())]
    Nothing(PathBuf),
    /// Nobody listens at the socket, and nobody will by himself.
    #[error(
        "no agent answers in {place}, and its fleet has no keeper: `seaworthy up --state {place}` goes on \
         with what is left of it",
        place = .0.display()
    )]
    Stale(PathBuf),
    /// Nobody listens, and there is somebody who should see to that.
    #[error(
        "no agent answers in {place}, though the keeper of its fleet lives (process {keeper}): \
         {place}/seaworthy.log says why, unless the directory was deleted under the fleet. `kill {keeper}` \
         has an agent drain and end what runs; given twice, it ends every process at once",
        place = directory.display()
    )]
    Unheard {
        /// The state directory.
        directory: PathBuf,
        /// The keeper's process.
        keeper: u32,
    },
    /// The socket cannot be used.
    #[error("{}: its agent cannot be talked to", directory.display())]
    Connect {
        /// The state directory.
        directory: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The conversation ended in the middle.
    #[error("{}: its agent ended in the middle of the conversation", directory.display())]
    Broke {
        /// The state directory.
        directory: PathBuf,
        /// How.
        #[source]
        source: hyper::Error,
    },
    /// The agent hangs.
    #[error("{}: its agent does not answer", .0.display())]
    Silent(PathBuf),
    /// What came is not of this API.
    #[error("the agent said something that is no answer; is it of another version?")]
    Message(#[source] serde_json::Error),
    /// The agent says no.
    #[error(transparent)]
    Refused(ApiError),
}

// === impl ClientError ===

impl ClientError {
    /// Whether there is no fleet, or none any more.
    pub fn is_absence(&self) -> bool {
        matches!(self, Self::Nothing(_))
    }

    /// Whether the conversation ended in the middle.
    pub fn is_broken(&self) -> bool {
        matches!(self, Self::Broke { .. })
    }

    /// Whether nothing was done, since nobody read the whole of the request: he who closes a Unix socket with
    /// something unread in it, or not yet taken, resets it; who had read it all just ends it.
    pub fn was_unread(&self) -> bool {
        let Self::Broke { source, .. } = self else { return false };
        let system = source.source().and_then(|error| error.downcast_ref::<io::Error>());
        let kind = system.map(io::Error::kind);
        source.is_canceled()
            || matches!(kind, Some(io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe))
    }

    /// Whether the same call may well succeed a moment later: the agent is being started again.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Stale(_) | Self::Unheard { .. } | Self::Broke { .. } => true,
            // So many wait at the socket that there is no room for another one.
            Self::Connect { source, .. } => source.kind() == io::ErrorKind::WouldBlock,
            Self::Refused(refusal) => refusal.is_ending() || refusal.lacks_keeper(),
            _ => false,
        }
    }
}
