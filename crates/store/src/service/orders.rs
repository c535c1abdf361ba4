//! Orders: what customers have bought.

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
use crate::people::{Order, People};
use crate::problem::Problem;

const PATHS: Paths = Paths { there: "/orders/CUSTOMER and /health", methods: "GET and HEAD" };

/// All paths, over the orders of `people`.
pub fn router(people: People, faults: Option<&Faults>, task: HeaderValue) -> Router {
    let routes = Router::new()
        .route("/health", get(health))
        .route("/orders/{customer}", get(orders))
        .with_state(Arc::new(people.orders_by_customer()));
    super::complete(Faults::add(faults, routes), PATHS, task)
}

type Orders = State<Arc<BTreeMap<String, Vec<Order>>>>;

async fn health(State(orders): Orders) -> Response {
    let count: usize = orders.values().map(Vec::len).sum();
    Json(json!({ "status": "ok", "orders": count })).into_response()
}

async fn orders(
    State(orders): Orders,
    customer: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let Path(customer) =
        customer.map_err(|rejection| Problem::bad_request(rejection.body_text()))?;
    match orders.get(&customer) {
        Some(orders) => Ok(Json(orders).into_response()),
        None => Err(Problem::not_found(format!("no customer has the id `{customer}`"))),
    }
}
