//! The storefront: calls the other services, and goes on without those it cannot have.
//!
//! | path | answer |
//! |---|---|
//! | `GET /products?q=..`, `GET /customers/ID`, `GET /orders/CUSTOMER` | what the service says |
//! | `GET /page/CUSTOMER?q=..` | all three in one page, fetched at once, as far as they can be had |
//! | `GET /patterns` | what timeout, breaker and bulkhead of each dependency see |
//! | `GET /health` | 200: it asks about the storefront itself and never about a dependency |
//!
//! An answer that is not whole says so in the header [`DEGRADED_HEADER`]. The patterns are
//! [`Settings`], so that a drill can compare an arm with each of them and one without.

mod client;
mod count;
mod dependency;
mod page;
mod patterns;
mod piece;
mod pool;
mod settings;

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderValue, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use seaworthy_layers::http::ReceiveDeadline;
use serde_json::json;

use crate::Error;
use crate::problem::Problem;
use crate::service::{self, Paths};
use dependency::Dependency;
use piece::{Degraded, Piece};
use pool::Pool;

pub use piece::DEGRADED_HEADER;
pub use settings::{Bulkheads, Fallback, Settings};

const PATHS: Paths = Paths {
    there: "/page/CUSTOMER, /products, /customers/ID, /orders/CUSTOMER, /patterns and /health",
    methods: "GET and HEAD",
};

/// Where the dependencies are: addresses such as `http://127.0.0.1:8081`.
#[derive(Clone, Debug)]
pub struct Urls {
    /// Of Products.
    pub products: String,
    /// Of Customers.
    pub customers: String,
    /// Of Orders.
    pub orders: String,
}

/// What all requests share.
struct Storefront {
    products: Dependency,
    customers: Dependency,
    orders: Dependency,
    /// If all dependencies share their slots.
    pool: Option<Pool>,
}

type Shared = State<Arc<Storefront>>;

/// All paths. Refuses settings that cannot work.
pub fn router(urls: &Urls, settings: &Settings, task: HeaderValue) -> Result<Router, Error> {
    settings.check()?;
    let pool = (settings.bulkheads == Bulkheads::Shared).then(|| Pool::new(settings.concurrency));
    let dependency = |piece, url| Dependency::new(piece, url, settings, pool.as_ref());
    let storefront = Storefront {
        products: dependency(Piece::Products, &urls.products)?,
        customers: dependency(Piece::Customers, &urls.customers)?,
        orders: dependency(Piece::Orders, &urls.orders)?,
        pool,
    };
    let routes = Router::new()
        .route("/health", get(health))
        .route("/patterns", get(patterns))
        .route("/products", get(products))
        .route("/customers/{id}", get(customers))
        .route("/orders/{customer}", get(orders))
        .route("/page/{customer}", get(page))
        .with_state(Arc::new(storefront));
    let routes = match settings.timeout {
        // Whoever has no patience left is not waited for.
        Some(_) => routes.layer(ReceiveDeadline),
        None => routes,
    };
    Ok(service::complete(routes, PATHS, task))
}

async fn health() -> Response {
    Json(json!({ "status": "ok" })).into_response()
}

async fn patterns(State(storefront): Shared) -> Response {
    Json(patterns::document(&storefront)).into_response()
}

async fn products(State(storefront): Shared, uri: Uri) -> Result<Response, Problem> {
    pass_through(&storefront.products, &uri).await
}

async fn customers(State(storefront): Shared, uri: Uri) -> Result<Response, Problem> {
    pass_through(&storefront.customers, &uri).await
}

async fn orders(State(storefront): Shared, uri: Uri) -> Result<Response, Problem> {
    pass_through(&storefront.orders, &uri).await
}

async fn pass_through(dependency: &Dependency, uri: &Uri) -> Result<Response, Problem> {
    let target = uri.path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/"));
    let piece = dependency.piece();
    let answer = dependency.get(target).await.map_err(|error| problem(piece, &error))?;
    let lack = answer.age().map(|age| Degraded::Stale(piece, age));
    Ok(page::degraded(page::relay(answer.into_inner()), lack.as_slice()))
}

async fn page(
    State(storefront): Shared,
    RawQuery(query): RawQuery,
    uri: Uri,
) -> Result<Response, Problem> {
    // As it was written: what is escaped stays so.
    let customer = uri.path().trim_start_matches("/page/");
    let search = query.map_or_else(|| "/products".to_owned(), |query| format!("/products?{query}"));
    let target = |text: String| {
        PathAndQuery::try_from(text).map_err(|error| Problem::bad_request(error.to_string()))
    };
    let (products, customers, orders) = tokio::join!(
        storefront.products.get(target(search)?),
        storefront.customers.get(target(format!("/customers/{customer}"))?),
        storefront.orders.get(target(format!("/orders/{customer}"))?),
    );
    page::compose(&[products, customers, orders])
}

/// Why there is no answer at all.
fn problem(piece: Piece, error: &seaworthy_layers::Error) -> Problem {
    let status = seaworthy_layers::http::answer(error).status();
    let detail = format!("{}: {error}", piece.name());
    Problem::new(status, detail).retry_after(error.retry_after())
}
