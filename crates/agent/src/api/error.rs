//! Why something that was asked of the API is not done.

use std::fmt;
use std::path::Path;

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use seaworthy_core::fleet::ConfigError;
use serde::{Deserialize, Serialize};

/// Why something is not done, and what would be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, thiserror::Error)]
pub struct ApiError {
    /// The HTTP status that says it in short.
    #[serde(skip)]
    pub status: u16,
    /// What is wrong.
    pub error: String,
    /// What is allowed instead, if something is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed: Option<String>,
}

// === impl ApiError ===

impl ApiError {
    /// The fleet has no service of this name; `known` are those it has.
    pub fn no_such_service<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        let known: Vec<_> = known.into_iter().collect();
        let error = format!("`{name}` is no service of this fleet");
        Self::new(StatusCode::NOT_FOUND, error, known.join(", "))
    }

    /// The fleet has no such task; `known` are those it has.
    pub fn no_such_task(
        task: impl fmt::Display,
        known: impl IntoIterator<Item = impl fmt::Display>,
    ) -> Self {
        let known: Vec<_> = known.into_iter().map(|task| task.to_string()).collect();
        let error = format!("`{task}` is no task of this fleet");
        let allowed =
            if known.is_empty() { "none: there are no tasks".into() } else { known.join(", ") };
        Self::new(StatusCode::NOT_FOUND, error, allowed)
    }

    /// It cannot be done as things stand.
    pub fn conflict(error: impl Into<String>, allowed: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, error.into(), allowed.into())
    }

    /// It makes no sense; the error begins with the key.
    pub fn invalid(error: impl Into<String>, allowed: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, error.into(), allowed.into())
    }

    /// It makes sense, and the surroundings would not let it be done: a full disk, for one.
    pub fn failed(error: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, error.into(), String::new())
    }

    /// Nobody is there who could do it: the agent is ending.
    pub fn unavailable() -> Self {
        let error = "the agent is ending".to_owned();
        Self::new(StatusCode::SERVICE_UNAVAILABLE, error, String::new())
    }

    /// Nobody is there who could do it: the keeper of the fleet in `directory` is gone.
    pub fn without_keeper(directory: &Path) -> Self {
        let error = format!(
            "nothing is done: the fleet has no keeper, which starts and ends its processes; `seaworthy up \
             --state {}` starts another one",
            directory.display()
        );
        Self::new(StatusCode::FAILED_DEPENDENCY, error, String::new())
    }

    /// Whether the agent is ending: another one is to be asked.
    pub(super) fn is_ending(&self) -> bool {
        self.status == StatusCode::SERVICE_UNAVAILABLE.as_u16()
    }

    /// Whether the fleet has no keeper, which may be followed by another one.
    pub(super) fn lacks_keeper(&self) -> bool {
        self.status == StatusCode::FAILED_DEPENDENCY.as_u16()
    }

    pub(super) fn new(status: StatusCode, error: String, allowed: String) -> Self {
        let allowed = Some(allowed).filter(|allowed| !allowed.is_empty());
        Self { status: status.as_u16(), error, allowed }
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.error)?;
        self.allowed.as_ref().map_or(Ok(()), |allowed| write!(f, "; allowed is {allowed}"))
    }
}

/// The problem says what is allowed.
impl From<ConfigError> for ApiError {
    fn from(error: ConfigError) -> Self {
        Self::invalid(error.to_string(), "")
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, Json(self)).into_response()
    }
}
