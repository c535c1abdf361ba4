//! What can go wrong around the processes of a fleet.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// An error of the way of control.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address for the gateway cannot be had.
    #[error("service {service}: {address}: cannot listen there; is the port taken?")]
    Listen {
        /// Whose requests should come there.
        service: String,
        /// Its `listen`.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file or a socket of the run directory.
    #[error("{}: {what}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// A file of ours holds something else.
    #[error("{}: is damaged; move it away to begin anew (what runs goes on until then)", path.display())]
    Damaged {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// A file of ours is of a later program.
    #[error(
        "{}: was written by a newer seaworthy, in format {format}; this one reads up to {known}: use the \
         newer one, or end the fleet with its `seaworthy down`",
        path.display()
    )]
    Newer {
        /// Which.
        path: PathBuf,
        /// What it says.
        format: u32,
        /// The latest that can be read.
        known: u32,
    },
    /// The path of a state directory that the parts of a fleet could not tell each other.
    #[error("{path:?}: cannot be a state directory; allowed is a path in UTF-8")]
    NotText {
        /// Which.
        path: PathBuf,
    },
    /// A directory without a fleet.
    #[error("{}: there is no fleet", path.display())]
    Nothing {
        /// The directory.
        path: PathBuf,
    },
    /// Somebody else keeps the fleet of a directory.
    #[error("{}: another keeper{} keeps this fleet", path.display(), process(*keeper))]
    Kept {
        /// The directory.
        path: PathBuf,
        /// Its process, as far as that can be seen.
        keeper: Option<u32>,
    },
    /// Somebody keeps a fleet whose directory is no more, or is another one by now.
    #[error(
        "{}: was deleted under the fleet that runs there by its keeper (process {keeper}): `kill {keeper}` \
         drains and ends that fleet, or all of it at once if given twice",
        path.display()
    )]
    Deleted {
        /// The directory.
        path: PathBuf,
        /// Its process.
        keeper: u32,
    },
    /// A process of our own could not be started.
    #[error("{}: cannot be started", program.display())]
    Start {
        /// Our own program.
        program: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A socket to another process of ours.
    #[error("the {0} cannot be talked to")]
    Talk(&'static str, #[source] io::Error),
    /// Another process of ours said something that is not a message.
    #[error("the {0} said something that is no message")]
    Message(&'static str, #[source] serde_json::Error),
    /// The keeper said that the fleet cannot be.
    #[error("{0}")]
    Keeper(String),
    /// The keeper said that what runs goes on, and that its agent cannot begin yet.
    #[error("{0}")]
    Waits(String),
    /// The keeper ended without a word.
    #[error("the keeper ended unexpectedly")]
    KeeperGone,
}

fn process(pid: Option<u32>) -> String {
    pid.map(|pid| format!(" (process {pid})")).unwrap_or_default()
}

/// An error with its causes, on one line.
pub(crate) fn describe(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
