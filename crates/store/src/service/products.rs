//! Products: the search.

use std::sync::Arc;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::HeaderValue;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;

use super::Paths;
use crate::faults::Faults;
use crate::index::Index;
use crate::problem::Problem;
use crate::query::Search;

const PATHS: Paths =
    Paths { there: "/products, /products/ID and /health", methods: "GET and HEAD" };

/// All paths, over one index.
pub fn router(index: Index, faults: Option<&Faults>, task: HeaderValue) -> Router {
    let deadly = faults.and_then(|faults| faults.query_of_death.clone());
    let routes = Router::new()
        .route("/health", get(health))
        .route("/products", get(search))
        .route("/products/{id}", get(product))
        .with_state(Arc::new(Store { index, deadly }));
    super::complete(Faults::add(faults, routes), PATHS, task)
}

struct Store {
    index: Index,
    /// Whoever searches for this word ends the process.
    deadly: Option<String>,
}

type Shared = State<Arc<Store>>;

async fn health(State(store): Shared) -> Response {
    let products = store.index.catalogue().products().len();
    Json(json!({ "status": "ok", "products": products })).into_response()
}

async fn search(
    State(store): Shared,
    parameters: Result<Query<Vec<(String, String)>>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(parameters) =
        parameters.map_err(|rejection| Problem::bad_request(rejection.body_text()))?;
    let search = Search::read(&parameters)?;
    if let Some(word) = &store.deadly {
        crate::faults::die_of(word, &search.text);
    }
    let found = store.index.search(&search);
    let found = found.map_err(|error| Problem::internal(error.to_string()))?;
    Ok(Json(found).into_response())
}

async fn product(
    State(store): Shared,
    id: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let id = id.map_err(|rejection| Problem::bad_request(rejection.body_text()))?;
    match store.index.catalogue().get(&id) {
        Some(product) => Ok(Json(product).into_response()),
        None => Err(Problem::not_found(format!("no product has the id `{}`", *id))),
    }
}
