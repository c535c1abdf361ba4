//! The server: one task.
//!
//! Searches run where they arrive: each takes well under a millisecond, so handing it to another
//! thread would cost more than it saves.

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{self, Query, State};
use axum::http::{HeaderValue, Method, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::serve::ListenerExt;
use axum::{Json, Router, middleware};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::index::Index;
use crate::problem::Problem;
use crate::query::Search;
use crate::{Error, database};

/// The header of every answer that tells which task gave it.
pub const TASK_HEADER: &str = "x-seaworthy-task";
/// How long requests in flight may take once the task is to stop.
const GRACE: Duration = Duration::from_secs(1);

/// Serves the catalogue of `database` on this `port` of 127.0.0.1 until SIGTERM or SIGINT.
///
/// `task` is the name in the header of every answer. Port 0 asks the kernel for one.
pub fn run(database: &Path, port: u16, task: &str) -> Result<(), Error> {
    let task = HeaderValue::from_str(task).map_err(|_| Error::Task(task.to_owned()))?;
    let index = Index::build(database::read(database)?)?;
    let products = index.catalogue().products().len();
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Error::Serve)?;
    runtime.block_on(async {
        let stop = stop_signal().map_err(Error::Serve)?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let listen = |source| Error::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        eprintln!("{products} products from {} on http://{address}", database.display());
        serve(listener, router(index, task), stop, GRACE).await.map_err(Error::Serve)
    })
}

/// Serves until `stop`; then accepts nobody and lets requests in flight finish within `grace`.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    stop: impl Future<Output = ()>,
    grace: Duration,
) -> io::Result<()> {
    let (tell, told) = tokio::sync::oneshot::channel::<()>();
    let told = async {
        // An error tells the same: the other end is gone.
        let _ = told.await;
    };
    // Answers are small and must not wait for acknowledgements.
    let listener = listener.tap_io(|connection| {
        let _ = connection.set_nodelay(true);
    });
    let serving = axum::serve(listener, router).with_graceful_shutdown(told);
    let bounded = async {
        stop.await;
        let _ = tell.send(());
        tokio::time::sleep(grace).await;
    };
    tokio::select! {
        result = serving => result,
        () = bounded => Ok(()),
    }
}

/// All paths, over one index.
pub fn router(index: Index, task: HeaderValue) -> Router {
    Router::new()
        .route("/health", get(health))
        .route("/products", get(search))
        .route("/products/{id}", get(product))
        .method_not_allowed_fallback(wrong_method)
        .fallback(no_such_path)
        .layer(middleware::map_response_with_state(task, name_task))
        .with_state(Arc::new(index))
}

type Store = State<Arc<Index>>;

async fn health(State(index): Store) -> Response {
    Json(json!({ "status": "ok", "products": index.catalogue().products().len() })).into_response()
}

async fn search(
    State(index): Store,
    parameters: Result<Query<Vec<(String, String)>>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(parameters) =
        parameters.map_err(|rejection| Problem::bad_request(rejection.body_text()))?;
    let found = index.search(&Search::read(&parameters)?);
    let found = found.map_err(|error| Problem::internal(error.to_string()))?;
    Ok(Json(found).into_response())
}

async fn product(
    State(index): Store,
    id: Result<extract::Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let id = id.map_err(|rejection| Problem::bad_request(rejection.body_text()))?;
    match index.catalogue().get(&id) {
        Some(product) => Ok(Json(product).into_response()),
        None => Err(Problem::not_found(format!("no product has the id `{}`", *id))),
    }
}

async fn wrong_method(method: Method, uri: Uri) -> Problem {
    let path = uri.path();
    Problem::method_not_allowed(format!(
        "{path} does not answer {method}; allowed are GET and HEAD"
    ))
}

async fn no_such_path(uri: Uri) -> Problem {
    let path = uri.path();
    let allowed = "there are /products, /products/ID and /health";
    Problem::not_found(format!("{path}: there is nothing; {allowed}"))
}

async fn name_task(State(task): State<HeaderValue>, mut response: Response) -> Response {
    response.headers_mut().insert(TASK_HEADER, task);
    response
}

fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
