//! Faults that only the program itself can have, for drills. None exists unless a service is
//! started with them.
//!
//! - A *leak* takes memory for ever, really: each page of it is written. Each request is slower by
//!   the time that reading all of it takes, as it is where a collector walks a growing heap. At its
//!   limit the process aborts, as one does that gets no more memory.
//! - A *query of death* is a word that ends the process which is asked for it: a defect that one
//!   input reaches, and a retry carries to the next task.

mod leak;

use std::process;

use axum::Router;

use leak::Leak;

/// The faults that a service may have.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// A search for this word aborts the process. Only Products has one.
    pub query_of_death: Option<String>,
}

// === impl Faults ===

impl Faults {
    /// Adds the switches of all faults to the routes of a service that has them.
    pub(crate) fn add(faults: Option<&Self>, router: Router) -> Router {
        match faults {
            Some(_) => Leak::add(router),
            None => router,
        }
    }
}

/// Aborts if `text` has the deadly word.
pub(crate) fn die_of(deadly: &str, text: &str) {
    if text.split_whitespace().any(|word| word.eq_ignore_ascii_case(deadly)) {
        eprintln!("fault: a query of death: `{deadly}`");
        process::abort();
    }
}
