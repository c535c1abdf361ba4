//! For requests and responses of the `http` crate: hyper, axum, tonic, reqwest.
//!
//! # The deadline crosses the network
//!
//! [`SendDeadline`] writes what is left into the header
//! [`x-request-timeout-ms`](seaworthy_core::policy::timeout::HEADER), [`ReceiveDeadline`] reads it
//! and makes it the current deadline. So a service that is called with 200 ms left does not begin
//! what takes a second, and passes on less than it was given. The time on the wire is not known and
//! not taken off.
//!
//! `SendDeadline` belongs innermost, so that each try is told what is left *then*.
//! `ReceiveDeadline` belongs outermost, with a [`timeout`](crate::timeout()) inside that cuts what
//! takes longer: by itself it only says until when.

mod deadline;

use std::time::Duration;

use http::header::{HeaderValue, RETRY_AFTER};
use http::{Request, Response, StatusCode};
use seaworthy_core::call::is_idempotent;
use seaworthy_core::health::Matcher;
use seaworthy_core::policy::guard::Config;
use seaworthy_core::policy::{Outcome, Rejection};

use crate::classify::{Classify, Errors};
use crate::error::Error;

pub use deadline::{ReceiveDeadline, ReceivingDeadline, SendDeadline, SendingDeadline};

/// Which statuses are failures: those of the 500s, unless it is said otherwise. An error is one.
#[derive(Clone, Debug)]
pub struct Statuses {
    failures: Matcher,
}

// === impl Statuses ===

impl Statuses {
    /// These statuses are failures.
    pub fn new(failures: Matcher) -> Self {
        Self { failures }
    }
}

impl Default for Statuses {
    fn default() -> Self {
        Self { failures: Config::default().failure_status }
    }
}

impl<B, E> Classify<Response<B>, E> for Statuses {
    fn outcome(&self, result: &Result<Response<B>, E>) -> Outcome {
        match result {
            Ok(response) if self.failures.matches(response.status().as_u16()) => Outcome::Failure,
            result => Errors.outcome(result),
        }
    }
}

/// A second copy of a request that may be sent twice by its method (RFC 9110, 9.2.2), for
/// [`retry`](crate::retry()). `None` for POST and PATCH.
pub fn idempotent<B: Clone>(request: &Request<B>) -> Option<Request<B>> {
    is_idempotent(request.method().as_str()).then(|| request.clone())
}

/// What a server answers instead: 504 past a deadline, 503 for any other rejection, with
/// `retry-after` where it is known, and 502 for an error of the inner service.
pub fn answer(error: &Error) -> Response<String> {
    let mut response = Response::new(format!("{error}\n"));
    *response.status_mut() = match error {
        Error::Timeout { .. } | Error::Rejected(Rejection::DeadlinePassed) => {
            StatusCode::GATEWAY_TIMEOUT
        }
        Error::Rejected(_) => StatusCode::SERVICE_UNAVAILABLE,
        Error::Inner(_) => StatusCode::BAD_GATEWAY,
    };
    if let Some(after) = error.retry_after() {
        let seconds = (after + Duration::from_nanos(999_999_999)).as_secs();
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}
