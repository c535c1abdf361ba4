//! What can go wrong with the gateway as a whole.

use std::io;
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
    /// A thread, a runtime or a socket could not be had.
    #[error("the {0} cannot be had")]
    System(&'static str, #[source] io::Error),
}
