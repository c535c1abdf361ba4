//! What can go wrong with the gateway as a whole.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// An error that ends the gateway.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file of the run directory that says what the gateway is for.
    #[error("{}: cannot be read", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The same file is not what a keeper writes.
    #[error("{}: is not a fleet", path.display())]
    Fleet {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// An address cannot be listened on.
    #[error("{key}: {address} cannot be listened on")]
    Listen {
        /// The key in the file that says so.
        key: String,
        /// Where.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The access log cannot be opened.
    #[error("gateway.access_log: {}: cannot be opened", path.display())]
    AccessLog {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A thread, a runtime or a socket could not be had.
    #[error("the {0} cannot be had")]
    System(&'static str, #[source] io::Error),
}
