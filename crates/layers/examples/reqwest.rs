//! A client that survives its service: fallback, timeout, retry, breaker around `reqwest`.
//!
//! `cargo run -p seaworthy-layers --features http --example reqwest`
//!
//! The service works, hangs, and works again. The client always has an answer: fresh, or the last
//! good one with its age; and while the service hangs, the breaker soon stops calling it.

use std::error::Error as StdError;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::get;
use http::{Request, Response};
use seaworthy_core::policy::breaker::{self, Opening, Ramp};
use seaworthy_layers::fallback::Answer;
use seaworthy_layers::guard::Handle;
use seaworthy_layers::http::{SendDeadline, Statuses, idempotent};
use tokio::net::TcpListener;
use tower::util::BoxCloneService;
use tower::{BoxError, Service, ServiceBuilder, ServiceExt, service_fn};

type Products = BoxCloneService<Request<String>, Answer<Response<String>>, BoxError>;

/// reqwest as a service of plain requests and whole responses. The body is read inside, so that it
/// is under the deadline and can be kept.
async fn send(
    client: reqwest::Client,
    request: Request<String>,
) -> reqwest::Result<Response<String>> {
    let response = client.execute(request.try_into()?).await?;
    let mut whole = Response::new(String::new());
    *whole.status_mut() = response.status();
    *whole.body_mut() = response.text().await?;
    Ok(whole)
}

/// The client of one service, with all its layers.
fn products() -> Result<(Products, Handle), Box<dyn StdError>> {
    // For a short example: soon open, soon back.
    let soon = Duration::from_millis(500);
    let breaker = breaker::Config {
        minimum_calls: 5,
        open: Opening { first: soon, longest: soon, jitter_percent: 20 },
        ramp: Ramp { length: soon, floor_percent: 10 },
        ..breaker::Config::default()
    };
    let guard = seaworthy_layers::guard()
        .timeout(Duration::from_millis(100))
        .breaker(breaker)
        .classify(Statuses::default())
        .build()?;
    let handle = guard.handle();
    let client = reqwest::Client::new();
    let service = ServiceBuilder::new()
        .boxed_clone()
        .map_err(BoxError::from)
        .layer(
            seaworthy_layers::fallback(|request: &Request<String>| request.uri().to_string())
                .classify(Statuses::default())
                .build(),
        )
        .layer(seaworthy_layers::timeout(Duration::from_millis(300)).build()?)
        .layer(seaworthy_layers::retry(idempotent).classify(Statuses::default()).build())
        .layer(guard)
        .layer(SendDeadline)
        .service(service_fn(move |request| send(client.clone(), request)));
    Ok((service, handle))
}

/// What the service does, and how often it was called.
#[derive(Default)]
struct Switch {
    hangs: AtomicBool,
    calls: AtomicU32,
}

async fn serve(listener: TcpListener, switch: Arc<Switch>) -> std::io::Result<()> {
    let search = async move || {
        let n = switch.calls.fetch_add(1, Relaxed) + 1;
        if switch.hangs.load(Relaxed) {
            std::future::pending::<()>().await;
        }
        format!("three pairs of shoes (call {n})")
    };
    axum::serve(listener, Router::new().route("/search", get(search))).await
}

async fn page(products: &mut Products, url: &str) -> Result<String, BoxError> {
    let begin = Instant::now();
    let answer = products.ready().await?.call(Request::get(url).body(String::new())?).await?;
    let age = answer.age().map_or("fresh".to_owned(), |age| format!("{age:.1?} old"));
    let text = answer.into_inner().into_body();
    Ok(format!("{text}, {age}, after {:.0?}", begin.elapsed()))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn StdError + Send + Sync>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/search?q=shoes", listener.local_addr()?);
    let switch = Arc::new(Switch::default());
    let server = tokio::spawn(serve(listener, switch.clone()));
    let (mut products, handle) = products().map_err(|error| error.to_string())?;

    for (word, hangs, pages) in [("works", false, 2), ("hangs", true, 8), ("works again", false, 8)]
    {
        println!("the service {word}:");
        switch.hangs.store(hangs, Relaxed);
        let before = switch.calls.load(Relaxed);
        for _ in 0..pages {
            println!("  {}", page(&mut products, &url).await?);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        println!("  {} calls for {pages} pages", switch.calls.load(Relaxed) - before);
    }
    println!("what the breaker did:");
    while let Some(transition) = handle.poll_transition() {
        println!("  {transition}");
    }
    server.abort();
    Ok(())
}
