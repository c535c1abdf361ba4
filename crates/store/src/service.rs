//! What the services of the store have in common: one task of one of them.
//!
//! All listen on 127.0.0.1, name their task in every answer, answer a wrong request with a problem
//! document, and stop in the same way. Each runs on one thread: what it does for a request takes
//! well under a millisecond, so handing it to another thread would cost more than it saves.

mod capacity;
pub mod carts;
pub mod customers;
pub mod orders;
pub mod products;

use std::future::{Future, ready};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderValue, Method, Uri};
use axum::response::Response;
use axum::serve::ListenerExt;
use axum::{Router, middleware};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

pub use capacity::Capacity;

use crate::Error;
use crate::problem::Problem;

/// The header of every answer that tells which task gave it.
pub const TASK_HEADER: &str = "x-seaworthy-task";
/// Where a task is asked whether it works.
pub(crate) const HEALTH: &str = "/health";
/// How long requests in flight may take once the task is to stop.
const GRACE: Duration = Duration::from_secs(1);

/// One task of a service.
#[derive(Clone, Debug)]
pub struct Task {
    /// The name in the header of every answer.
    pub name: HeaderValue,
    /// Where it listens on 127.0.0.1; 0 asks the kernel.
    pub port: u16,
}

/// What there is, for those who ask for something else.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paths {
    /// Such as `/products and /health`.
    pub(crate) there: &'static str,
    /// Such as `GET and HEAD`.
    pub(crate) methods: &'static str,
}

/// Serves `router` as `task` until SIGTERM or SIGINT. `what` it serves is said on stderr, with the
/// address.
pub fn run(task: &Task, what: &str, router: Router) -> Result<(), Error> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Error::Serve)?;
    runtime.block_on(async {
        let stop = stop_signal().map_err(Error::Serve)?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, task.port));
        let listen = |source| Error::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        eprintln!("{what} on http://{address}");
        serve(listener, router, stop, GRACE).await.map_err(Error::Serve)
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

/// Adds to the routes of a service what all of them have.
pub(crate) fn complete(router: Router, paths: Paths, task: HeaderValue) -> Router {
    router
        .method_not_allowed_fallback(move |method, uri| ready(wrong_method(paths, &method, &uri)))
        .fallback(move |uri| ready(no_such_path(paths, &uri)))
        .layer(middleware::map_response_with_state(task, name_task))
}

fn wrong_method(paths: Paths, method: &Method, uri: &Uri) -> Problem {
    let path = uri.path();
    Problem::method_not_allowed(format!(
        "{path} does not answer {method}; allowed are {}",
        paths.methods
    ))
}

fn no_such_path(paths: Paths, uri: &Uri) -> Problem {
    let path = uri.path();
    Problem::not_found(format!("{path}: there is nothing; there are {}", paths.there))
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

// === impl Task ===

impl Task {
    /// The task with this `name` on this `port`.
    pub fn new(name: &str, port: u16) -> Result<Self, Error> {
        let header = HeaderValue::from_str(name).map_err(|_| Error::Task(name.to_owned()))?;
        Ok(Self { name: header, port })
    }
}
