//! A server that takes no more than it can do, and no longer than its callers wait.
//!
//! `cargo run -p seaworthy-layers --features http --example axum`
//!
//! Two permits for work of 200 ms. Five callers at once: two are served, three are told at once to
//! come back. A caller with 50 ms of patience says so in a header, and nobody works for it longer.

use std::error::Error as StdError;
use std::time::{Duration, Instant};

use axum::Router;
use axum::error_handling::HandleErrorLayer;
use axum::response::IntoResponse;
use axum::routing::get;
use seaworthy_core::policy::bulkhead;
use seaworthy_core::policy::timeout::HEADER;
use seaworthy_layers::Error;
use seaworthy_layers::guard::{Handle, Refused};
use seaworthy_layers::http::{ReceiveDeadline, answer};
use tokio::net::TcpListener;
use tower::ServiceBuilder;

fn app() -> Result<(Router, Handle), Refused> {
    let deadline = seaworthy_layers::timeout(Duration::from_secs(1)).build()?;
    let bulkhead = seaworthy_layers::bulkhead(bulkhead::Config::Fixed(2)).build()?;
    let handle = bulkhead.handle();
    let layers = ServiceBuilder::new()
        // What the caller has left, if it says so; then our own limit, which cuts.
        .layer(ReceiveDeadline)
        .layer(HandleErrorLayer::new(async |error: Error| answer(&error).into_response()))
        .layer(deadline)
        .layer(bulkhead);
    Ok((Router::new().route("/work", get(work)).layer(layers), handle))
}

async fn work() -> &'static str {
    tokio::time::sleep(Duration::from_millis(200)).await;
    "done\n"
}

/// One call, told in a line.
async fn call(url: String, patience: Option<&'static str>) -> Result<String, reqwest::Error> {
    let begin = Instant::now();
    let mut request = reqwest::Client::new().get(url);
    if let Some(patience) = patience {
        request = request.header(HEADER, patience);
    }
    let response = request.send().await?;
    let (status, text) = (response.status(), response.text().await?);
    Ok(format!("{status} after {:.0?}: {}", begin.elapsed(), text.trim()))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn StdError>> {
    let (app, handle) = app()?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/work", listener.local_addr()?);
    let server = tokio::spawn(axum::serve(listener, app).into_future());

    println!("five at once, two permits:");
    let callers: Vec<_> = (0..5).map(|_| tokio::spawn(call(url.clone(), None))).collect();
    for caller in callers {
        println!("  {}", caller.await??);
    }
    println!("one with 50 ms of patience:");
    println!("  {}", call(url, Some("50")).await?);
    let bulkhead = handle.view().bulkhead.expect("there is one");
    println!("{} rejected, {} under way", bulkhead.rejected, bulkhead.running);

    server.abort();
    Ok(())
}
