//! What counts as a failure is said by whoever knows the service.
//!
//! A classifier looks at what the inner service gave and says how it went. It is never asked about
//! a rejection or a timeout of an inner layer: the first counts nowhere, the second is what it is.
//!
//! - [`Errors`], the default: an error is a failure, an answer is not.
//! - `http::Statuses` (feature `http`): and so is a status of the 500s.
//! - Any closure: `|result: &Result<Answer, io::Error>| match result { .. }`.
//!
//! Count what is the *service's* fault and would go away if it were left alone. "Not found" or "bad
//! request" is an answer, however much its caller dislikes it: whoever counts it lets one caller's
//! mistake open the breaker for all.

use seaworthy_core::policy::Outcome;

use crate::error::Error;

/// Says how a call went.
pub trait Classify<Response, E>: Clone + Send + 'static {
    /// How it went.
    fn outcome(&self, result: &Result<Response, E>) -> Outcome;
}

/// An error is a failure and an answer is a success.
#[derive(Clone, Copy, Debug, Default)]
pub struct Errors;

impl<Response, E> Classify<Response, E> for Errors {
    fn outcome(&self, result: &Result<Response, E>) -> Outcome {
        if result.is_ok() { Outcome::Success } else { Outcome::Failure }
    }
}

impl<Response, E, F> Classify<Response, E> for F
where
    F: Fn(&Result<Response, E>) -> Outcome + Clone + Send + 'static,
{
    fn outcome(&self, result: &Result<Response, E>) -> Outcome {
        self(result)
    }
}

/// How it went, whether or not the service was reached.
pub(crate) fn judge<Response, E: 'static>(
    classify: &impl Classify<Response, E>,
    result: &Result<Response, E>,
) -> Outcome {
    match result.as_ref().err().and_then(Error::of) {
        Some(Error::Rejected(_)) => Outcome::Cancelled,
        Some(Error::Timeout { .. }) => Outcome::Timeout,
        Some(Error::Inner(_)) | None => classify.outcome(result),
    }
}
