//! What can go wrong around the store.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// An error of the store.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database has no catalogue to serve.
    #[error(
        "{0}: {problem}; `seaworthy store generate --database {0}` makes a catalogue",
        path.display()
    )]
    NoCatalogue {
        /// The database file.
        path: PathBuf,
        /// What it is instead.
        problem: &'static str,
    },
    /// The database has no customers to serve.
    #[error(
        "{0}: {problem}; `seaworthy store generate --database {0}` makes customers with their orders",
        path.display()
    )]
    NoCustomers {
        /// The database file.
        path: PathBuf,
        /// What it is instead.
        problem: &'static str,
    },
    /// The file belongs to somebody else and stays as it is.
    #[error(
        "{}: is not a database of the store; allowed is one that `seaworthy store generate` or \
         `seaworthy store import` made",
        path.display()
    )]
    NotOurs {
        /// The file.
        path: PathBuf,
    },
    /// The database failed.
    #[error("{}: {what} ({problem})", path.display())]
    Database {
        /// The database file.
        path: PathBuf,
        /// What was tried.
        what: &'static str,
        /// Why it failed, in the words of `SQLite`.
        problem: String,
    },
    /// A cart cannot be read or written; the others may be well.
    #[error("the carts cannot be had")]
    Carts(#[source] rusqlite::Error),
    /// The file to import cannot be read.
    #[error("{name}: cannot be read")]
    Unreadable {
        /// The file.
        name: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file to import is not as it must be; nothing was imported.
    #[error("{name}, line {line}: {problem}; nothing was imported")]
    Line {
        /// The file.
        name: String,
        /// The line, from 1.
        line: u64,
        /// What is wrong and what is allowed.
        problem: String,
    },
    /// The file to import has no product at all; nothing was imported.
    #[error("{name}: holds no product; nothing was imported")]
    NoProduct {
        /// The file.
        name: String,
    },
    /// The file's name does not say what it holds.
    #[error(
        "{name}: does not tell what it holds; allowed are the endings .jsonl, .ndjson, \
         .json-lines and .csv, or --format jsonl or csv"
    )]
    Format {
        /// The file.
        name: String,
    },
    /// The task's name cannot stand in a header.
    #[error(
        "SEAWORTHY_TASK: `{}` cannot stand in a header; allowed are visible ASCII characters",
        .0.escape_debug()
    )]
    Task(String),
    /// The storefront's settings cannot work.
    #[error("{0}")]
    Settings(String),
    /// No service can be called there.
    #[error("`{}` is not the address of a service; allowed is such as http://127.0.0.1:8081", .0.escape_debug())]
    Url(String),
    /// The index cannot be built or asked.
    #[error("the index failed")]
    Index(#[from] tantivy::TantivyError),
    /// The address cannot be had.
    #[error("{address}: cannot listen there; is the port taken?")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The runtime, a signal or a socket.
    #[error("the server failed")]
    Serve(#[source] io::Error),
}
