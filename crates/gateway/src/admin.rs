//! The admin address: whether the gateway lives, whether it is ready, and what it has seen.
//!
//! It has a thread and a runtime of its own, so that it answers when all workers are busy.

use std::collections::BTreeMap;
use std::future::pending;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Json, Router};
use seaworthy_core::endpoints::Sightings;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};

use crate::Error;
use crate::gateway::Gateway;
use crate::metrics::{Format, page};
use crate::say::say;

/// Asks for the file to be read again, and is told what changed or what is wrong.
pub(crate) type Reload = oneshot::Sender<Result<Vec<String>, String>>;

/// An address of a gateway that retires is free after so long at the latest, or is looked at again.
const PAUSE: Duration = Duration::from_millis(100);

/// Answers until this is dropped.
pub(crate) struct Serving {
    _until: oneshot::Sender<()>,
}

#[derive(Clone)]
struct Admin {
    gateway: Arc<Gateway>,
    /// None if there is no file that could be read again.
    reloads: Option<mpsc::Sender<Reload>>,
}

/// Listens at `address`; returns where that really is.
pub(crate) fn bind(address: SocketAddr) -> Result<(StdListener, SocketAddr), Error> {
    let error = |source| Error::Listen { key: "gateway.admin".to_owned(), address, source };
    let listener = StdListener::bind(address).map_err(error)?;
    listener.set_nonblocking(true).map_err(error)?;
    let address = listener.local_addr().map_err(error)?;
    Ok((listener, address))
}

/// Answers at `address`, as soon as nobody else does: a gateway whose place we take does so until it
/// retires. Returns only what is wrong with that.
pub(crate) async fn serve(address: SocketAddr, gateway: Arc<Gateway>) -> Error {
    let mut told = false;
    let (listener, address) = loop {
        match bind(address) {
            Ok(bound) => break bound,
            Err(Error::Listen { source, .. }) if source.kind() == ErrorKind::AddrInUse => {
                if !std::mem::replace(&mut told, true) {
                    say!("admin {address} is in use, and waited for");
                }
                tokio::time::sleep(PAUSE).await;
            }
            Err(error) => return error,
        }
    };
    say!("admin http://{address}");
    match start(listener, gateway, None) {
        Ok(_serving) => pending().await,
        Err(error) => error,
    }
}

/// Answers at `listener`.
pub(crate) fn start(
    listener: StdListener,
    gateway: Arc<Gateway>,
    reloads: Option<mpsc::Sender<Reload>>,
) -> Result<Serving, Error> {
    let system = |error| Error::System("admin address", error);
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(system)?;
    let router = router(Admin { gateway, reloads });
    let (until, over) = oneshot::channel::<()>();
    let serve = async move {
        let listener = TcpListener::from_std(listener)?;
        tokio::select! {
            served = axum::serve(listener, router) => served,
            _ = over => Ok(()),
        }
    };
    let run = move || {
        if let Err(error) = runtime.block_on(serve) {
            say!("the admin address is no more: {error}");
        }
    };
    thread::Builder::new().name("admin".to_owned()).spawn(run).map_err(system)?;
    Ok(Serving { _until: until })
}

fn router(admin: Admin) -> Router {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .route("/tasks", get(tasks))
        .route("/reload", post(reload))
        .with_state(admin)
}

async fn ready(State(admin): State<Admin>) -> (StatusCode, String) {
    let reasons = admin.gateway.why_not_ready();
    if reasons.is_empty() {
        (StatusCode::OK, "ready\n".to_owned())
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, lines(&reasons))
    }
}

async fn metrics(State(admin): State<Admin>, fields: HeaderMap) -> impl IntoResponse {
    let accept = fields.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    let format = Format::accepted(accept.unwrap_or_default());
    ([(header::CONTENT_TYPE, format.media_type())], page(&admin.gateway, format))
}

/// What is seen of the tasks of each service.
async fn tasks(State(admin): State<Admin>) -> Json<BTreeMap<String, Sightings>> {
    let doors = admin.gateway.doors();
    Json(doors.iter().map(|door| (door.name.clone(), door.sightings())).collect())
}

async fn reload(State(admin): State<Admin>) -> (StatusCode, String) {
    let Some(reloads) = admin.reloads else {
        let problem = "the gateway of a fleet has no file to read again\n";
        return (StatusCode::NOT_FOUND, problem.to_owned());
    };
    let (answer, told) = oneshot::channel();
    // If nobody takes it, nobody answers either.
    let _ = reloads.send(answer).await;
    match told.await {
        Ok(Ok(changes)) => (StatusCode::OK, lines(&changes)),
        Ok(Err(problem)) => (StatusCode::UNPROCESSABLE_ENTITY, format!("{problem}\n")),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the gateway is stopping\n".to_owned()),
    }
}

fn lines(lines: &[String]) -> String {
    let mut text = lines.join("\n");
    text.push('\n');
    text
}
