//! What comes with a request, read strictly: unknown keys are refused, and what is wrong is said.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use seaworthy_core::endpoints::TaskId;
use serde::de::DeserializeOwned;

use super::ApiError;

/// A request's body may be so long: a fleet file of thousands of services.
pub(super) const LONGEST_BODY: usize = 1 << 20;

/// What stands in the body.
pub(super) struct Body<T>(pub(super) T);

/// What stands behind the question mark.
pub(super) struct Question<T>(pub(super) T);

/// The service that the path names.
pub(super) struct Service(pub(super) String);

/// The task that the path names.
pub(super) struct Task(pub(super) TaskId);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let bytes = Bytes::from_request(request, state).await.map_err(|error| too_long(&error))?;
        let read = serde_json::from_slice(&bytes);
        read.map(Self).map_err(|error| ApiError::invalid(format!("body: {error}"), ""))
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Question<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let query = Query::from_request_parts(parts, state).await;
        let Query(query) = query.map_err(|error| ApiError::invalid(error.body_text(), ""))?;
        Ok(Self(query))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Service {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        segment(parts, state).await.map(Self)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Task {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let name = segment(parts, state).await?;
        name.parse().map(Self).map_err(|error| ApiError::invalid(format!("{error}"), ""))
    }
}

async fn segment<S: Send + Sync>(parts: &mut Parts, state: &S) -> Result<String, ApiError> {
    let path = Path::from_request_parts(parts, state).await;
    path.map(|Path(segment)| segment).map_err(|error| ApiError::invalid(error.body_text(), ""))
}

fn too_long(error: &BytesRejection) -> ApiError {
    let status = error.status();
    if status == StatusCode::PAYLOAD_TOO_LARGE {
        let allowed = format!("a body of at most {LONGEST_BODY} bytes");
        return ApiError::new(status, "the body is too long".to_owned(), allowed);
    }
    ApiError::new(status, error.body_text(), String::new())
}
