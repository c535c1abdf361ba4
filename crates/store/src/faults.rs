//! Faults that only the program itself can have, for drills. None exists unless a service is
//! started with them.
//!
//! - A *leak* takes memory for ever, really: each page of it is written. Each request is slower by
//!   the time that reading all of it takes, as it is where a collector walks a growing heap. At its
//!   limit the process aborts, as one does that gets no more memory.
//! - A *query of death* is a word that ends the process which is asked for it: a defect that one
//!   input reaches, and a retry carries to the next task.
//! - A *bad revision* answers every request with an error, but for its checks: a defect that only
//!   requests find; or it dies a while after its start.

mod leak;

use std::time::Duration;
use std::{process, thread};

use axum::Router;
use axum::extract::Request;
use axum::middleware::{self, Next};
use axum::response::Response;

use crate::problem::Problem;
use crate::service::HEALTH;
use leak::Leak;

/// The faults that a service may have.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// A search for this word aborts the process. Only Products has one.
    pub query_of_death: Option<String>,
    /// Every request but a check is answered with 500. Only Products can be so.
    pub broken: bool,
    /// The process aborts so long after its start. Only Products does.
    pub dies_after: Option<Duration>,
}

// === impl Faults ===

impl Faults {
    /// Adds all faults to the routes of a service that has them.
    pub(crate) fn add(faults: Option<&Self>, router: Router) -> Router {
        let Some(faults) = faults else { return router };
        if let Some(after) = faults.dies_after {
            thread::spawn(move || die_after(after));
        }
        let router = Leak::add(router);
        if faults.broken { router.layer(middleware::from_fn(fail)) } else { router }
    }
}

async fn fail(request: Request, next: Next) -> Result<Response, Problem> {
    if request.uri().path() == HEALTH {
        return Ok(next.run(request).await);
    }
    Err(Problem::internal("fault: every request but a check is answered so"))
}

fn die_after(after: Duration) {
    thread::sleep(after);
    eprintln!("fault: it dies {after:?} after its start");
    process::abort();
}

/// Aborts if `text` has the deadly word.
pub(crate) fn die_of(deadly: &str, text: &str) {
    if text.split_whitespace().any(|word| word.eq_ignore_ascii_case(deadly)) {
        eprintln!("fault: a query of death: `{deadly}`");
        process::abort();
    }
}
