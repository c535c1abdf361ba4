//! Carts: what customers are about to buy.

use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::HeaderValue;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::json;

use super::Paths;
use crate::Error;
use crate::carts::Carts;
use crate::faults::Faults;
use crate::problem::Problem;

const PATHS: Paths = Paths {
    there: "/carts/CUSTOMER, /carts/CUSTOMER/PRODUCT and /health",
    methods: "GET and HEAD, and PUT for a product",
};
/// Of one product.
const MOST: u32 = 1000;
/// In bytes, of a customer or a product.
const LONGEST_ID: usize = 200;

/// All paths, over these carts.
pub fn router(carts: Carts, faults: Option<&Faults>, task: HeaderValue) -> Router {
    let routes = Router::new()
        .route("/health", get(health))
        .route("/carts/{customer}", get(cart))
        .route("/carts/{customer}/{product}", put(put_product))
        .with_state(Arc::new(Mutex::new(carts)));
    super::complete(Faults::add(faults, routes), PATHS, task)
}

type Shared = State<Arc<Mutex<Carts>>>;

#[derive(Deserialize)]
struct Quantity {
    #[serde(default = "Quantity::one")]
    quantity: u32,
}

async fn health() -> Response {
    Json(json!({ "status": "ok" })).into_response()
}

async fn cart(
    State(carts): Shared,
    customer: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let Path(customer) = customer.map_err(|rejection| bad(rejection.body_text()))?;
    let asked = customer.clone();
    match with(carts, move |carts| carts.get(&asked)).await? {
        Some(cart) => Ok(Json(json!({ "customer": customer, "items": cart })).into_response()),
        None => Err(Problem::not_found(format!("no cart is known of customer `{customer}`"))),
    }
}

async fn put_product(
    State(carts): Shared,
    ids: Result<Path<(String, String)>, PathRejection>,
    quantity: Result<Query<Quantity>, QueryRejection>,
) -> Result<Response, Problem> {
    let Path((customer, product)) = ids.map_err(|rejection| bad(rejection.body_text()))?;
    let Query(Quantity { quantity }) = quantity.map_err(|rejection| bad(rejection.body_text()))?;
    if quantity > MOST {
        return Err(bad(format!("quantity: `{quantity}` is too many; allowed are 0 to {MOST}")));
    }
    if customer.len().max(product.len()) > LONGEST_ID {
        return Err(bad(format!("an id is too long; allowed are up to {LONGEST_ID} bytes")));
    }
    let buyer = customer.clone();
    let cart = with(carts, move |carts| carts.put(&buyer, &product, quantity)).await?;
    Ok(Json(json!({ "customer": customer, "items": cart })).into_response())
}

/// A writer may have to wait for that of another task; requests that need no carts do not.
async fn with<T: Send + 'static>(
    carts: Arc<Mutex<Carts>>,
    act: impl FnOnce(&mut Carts) -> Result<T, Error> + Send + 'static,
) -> Result<T, Problem> {
    let act = move || act(&mut carts.lock().unwrap_or_else(PoisonError::into_inner));
    let done = tokio::task::spawn_blocking(act).await.expect("it neither panics nor is aborted");
    done.map_err(|error| Problem::internal(error.to_string()))
}

fn bad(detail: impl Into<String>) -> Problem {
    Problem::bad_request(detail)
}

// === impl Quantity ===

impl Quantity {
    fn one() -> u32 {
        1
    }
}
