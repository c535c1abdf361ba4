//! The page: three pieces, or as many as there are.

use axum::Json;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use seaworthy_layers::fallback::Answer;
use serde::Serialize;
use serde_json::value::RawValue;

use super::client::Reply;
use super::dependency::Got;
use super::piece::{DEGRADED_HEADER, Degraded, Piece};
use crate::problem::Problem;

/// The page as its reader gets it.
#[derive(Serialize)]
struct Page<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    customer: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    orders: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    products: Option<&'a RawValue>,
    /// The entries of the header, if it has any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    degraded: Vec<String>,
}

/// Puts together what was got of the pieces, in the order of [`Piece::ALL`].
pub(super) fn compose(got: &[Got; 3]) -> Result<Response, Problem> {
    if let Some(refusal) = got.iter().find_map(refusal) {
        return Ok(relay(refusal.clone()));
    }
    let [products, customer, orders] = got.each_ref().map(text);
    if products.or(customer).or(orders).is_none() {
        let wait = got.iter().filter_map(|got| got.as_ref().err()?.retry_after()).min();
        let detail = "no piece of the page can be had";
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(wait));
    }
    let pieces = Piece::ALL.into_iter().zip(got);
    let lacks: Vec<Degraded> = pieces.filter_map(|(piece, got)| lack(piece, got)).collect();
    let entries = lacks.iter().map(Degraded::to_string).collect();
    let page = Page { customer, orders, products, degraded: entries };
    Ok(degraded(Json(page).into_response(), &lacks))
}

/// The answer of a service, under our own name.
pub(super) fn relay(reply: Reply) -> Response {
    let (head, body) = reply.into_parts();
    let mut response = (head.status, body).into_response();
    let json = HeaderValue::from_static("application/json");
    let media_type = head.headers.get(CONTENT_TYPE).cloned().unwrap_or(json);
    response.headers_mut().insert(CONTENT_TYPE, media_type);
    response
}

/// The same response, which says what it lacks.
pub(super) fn degraded(mut response: Response, lacks: &[Degraded]) -> Response {
    if !lacks.is_empty() {
        response.headers_mut().insert(DEGRADED_HEADER, Degraded::header(lacks));
    }
    response
}

/// What the page's reader got wrong: nobody else's answer makes up for it.
fn refusal(got: &Got) -> Option<&Reply> {
    let Ok(Answer::Fresh(reply)) = got else { return None };
    let theirs = [StatusCode::BAD_REQUEST, StatusCode::NOT_FOUND];
    theirs.contains(&reply.status()).then_some(reply)
}

fn lack(piece: Piece, got: &Got) -> Option<Degraded> {
    match got {
        _ if text(got).is_none() => Some(Degraded::Missing(piece)),
        Ok(answer) => answer.age().map(|age| Degraded::Stale(piece, age)),
        Err(_) => None,
    }
}

/// The piece as the service has written it, if it has.
fn text(got: &Got) -> Option<&RawValue> {
    let reply = got.as_ref().ok()?.get();
    let good = reply.status() == StatusCode::OK;
    good.then(|| serde_json::from_slice(reply.body()).ok()).flatten()
}
