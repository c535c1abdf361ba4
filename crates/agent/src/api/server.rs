//! Answers for the API, at its Unix socket and at a TCP address.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use axum::serve::{Listener, ListenerExt};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::Semaphore;

use super::ask::Handle;
use super::token::Token;
use super::{dashboard, guard, routes};

/// So many connections at once; further ones wait.
const CONNECTIONS: usize = 256;
/// The head of a request must come within this.
const HEAD_WITHIN: Duration = Duration::from_secs(10);

/// Answers whoever may open the socket, as long as the runtime runs.
pub async fn serve_unix(listener: UnixListener, handle: Handle) {
    let router = routes::router().with_state(handle);
    serve(listener, router).await;
}

/// Answers whoever has the token, as long as the runtime runs; and shows the dashboard, which is to be
/// called with it.
pub async fn serve_tcp(listener: TcpListener, handle: Handle, token: Token) {
    let router = over_tcp(handle, token);
    let listener = listener.tap_io(|stream| {
        // It is only slower without.
        let _ = stream.set_nodelay(true);
    });
    serve(listener, router).await;
}

/// Where a browser finds the dashboard. What is behind the `#` is not sent; the page's script reads it.
pub fn dashboard_url(address: SocketAddr, token: &Token) -> String {
    format!("http://{address}/#{}", token.reveal())
}

fn over_tcp(handle: Handle, token: Token) -> Router {
    routes::router()
        .layer(axum::middleware::from_fn_with_state(token, guard::token))
        .route("/", get(dashboard::page))
        .layer(axum::middleware::from_fn(guard::host))
        .with_state(handle)
}

async fn serve(mut listener: impl Listener, router: Router) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let permit = Arc::clone(&room).acquire_owned().await.expect("it is never closed");
        // Where the system has no room for a further connection, this waits until it has.
        let (stream, _) = listener.accept().await;
        let service = TowerToHyperService::new(router.clone());
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_WITHIN)
            .serve_connection(TokioIo::new(stream), service);
        tokio::spawn(async move {
            // How a conversation ends is the client's affair.
            let _ = connection.await;
            drop(permit);
        });
    }
}
