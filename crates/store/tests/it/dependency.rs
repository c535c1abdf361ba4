//! A dependency that does what a test says, and storefronts that depend on it.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use seaworthy_core::policy::timeout::HEADER;
use seaworthy_store::storefront::{self, Settings, Urls};
use tokio::sync::Semaphore;

use crate::server::{DEADLINE, Server, TASK};

/// What a dependency does with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Answer,
    Fail,
    /// Until it is released; then it answers.
    Hang,
    /// Fails this call and answers those after it.
    FailOnce,
}

/// Three dependencies: releases what hangs when it is dropped.
pub(crate) struct Dependencies {
    pub(crate) products: Dependency,
    pub(crate) customers: Dependency,
    pub(crate) orders: Dependency,
}

/// A dependency under a script.
pub(crate) struct Dependency {
    script: Arc<Script>,
    server: Server,
}

struct Script {
    act: Mutex<Act>,
    calls: AtomicUsize,
    /// Of the last call.
    deadline: Mutex<Option<HeaderValue>>,
    released: Semaphore,
}

// === impl Dependencies ===

impl Dependencies {
    pub(crate) fn new() -> Self {
        Self {
            products: Dependency::new(),
            customers: Dependency::new(),
            orders: Dependency::new(),
        }
    }

    /// A storefront of these. It does not wait for what hangs.
    pub(crate) fn storefront(&self, settings: &Settings) -> Server {
        let url = |dependency: &Dependency| format!("http://{}", dependency.server.address);
        let urls = Urls {
            products: url(&self.products),
            customers: url(&self.customers),
            orders: url(&self.orders),
        };
        storefront_at(&urls, settings)
    }
}

/// A storefront of whatever is there.
pub(crate) fn storefront_at(urls: &Urls, settings: &Settings) -> Server {
    let router = storefront::router(urls, settings, HeaderValue::from_static(TASK));
    Server::with(router.unwrap(), Duration::ZERO)
}

// === impl Dependency ===

impl Dependency {
    fn new() -> Self {
        let script = Arc::new(Script {
            act: Mutex::new(Act::Answer),
            calls: AtomicUsize::new(0),
            deadline: Mutex::new(None),
            released: Semaphore::new(0),
        });
        let router = Router::new().fallback(act).with_state(script.clone());
        Self { server: Server::with(router, DEADLINE), script }
    }

    /// From now on it does this.
    pub(crate) fn does(&self, act: Act) {
        *self.script.act.lock().unwrap() = act;
    }

    /// Lets all calls go that hang, and all that will.
    pub(crate) fn release(&self) {
        self.script.released.close();
    }

    /// So many calls have reached it.
    pub(crate) fn calls(&self) -> usize {
        self.script.calls.load(SeqCst)
    }

    /// How much time the last call said it had left.
    pub(crate) fn milliseconds_left(&self) -> Option<u64> {
        let header = self.script.deadline.lock().unwrap();
        header.as_ref().map(|header| header.to_str().unwrap().parse().unwrap())
    }
}

impl Drop for Dependency {
    fn drop(&mut self) {
        self.release();
    }
}

async fn act(State(script): State<Arc<Script>>, request: Request) -> Response {
    script.calls.fetch_add(1, SeqCst);
    let header = request.headers().get(HEADER).cloned();
    *script.deadline.lock().unwrap() = header;
    let act = *script.act.lock().unwrap();
    match act {
        Act::Answer => {}
        Act::Fail => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Act::FailOnce => {
            *script.act.lock().unwrap() = Act::Answer;
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
        // Closed, it gives an error, and that is the release.
        Act::Hang => drop(script.released.acquire().await),
    }
    format!("\"{}\"", request.uri()).into_response()
}
