//! Customers: who they are.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::HeaderValue;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;

use super::Paths;
use crate::faults::Faults;
use crate::people::{Customer, People};
use crate::problem::Problem;

const PATHS: Paths = Paths { there: "/customers/ID and /health", methods: "GET and HEAD" };

/// All paths, over the customers of `people`.
pub fn router(people: People, faults: Option<&Faults>, task: HeaderValue) -> Router {
    let routes = Router::new()
        .route("/health", get(health))
        .route("/customers/{id}", get(customer))
        .with_state(Arc::new(people.customers_by_id()));
    super::complete(Faults::add(faults, routes), PATHS, task)
}

type Customers = State<Arc<BTreeMap<String, Customer>>>;

async fn health(State(customers): Customers) -> Response {
    Json(json!({ "status": "ok", "customers": customers.len() })).into_response()
}

async fn customer(
    State(customers): Customers,
    id: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let Path(id) = id.map_err(|rejection| Problem::bad_request(rejection.body_text()))?;
    match customers.get(&id) {
        Some(customer) => Ok(Json(customer).into_response()),
        None => Err(Problem::not_found(format!("no customer has the id `{id}`"))),
    }
}
