//! A service that does as it is told.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use seaworthy_core::policy::breaker::{Config, Mode, Opening, Ramp, Trials, Window};
use seaworthy_core::policy::bulkhead;
use seaworthy_layers::guard::{Handle, View};
use tower::Service;

/// What it does with a call.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Does {
    Answer,
    AnswerAfter(Duration),
    Fail,
    FailAfter(Duration),
    Hang,
    NeverGetReady,
}

/// Its clones are the same service.
#[derive(Clone)]
pub(crate) struct Dependency(Arc<State>);

struct State {
    does: Mutex<Does>,
    calls: AtomicU32,
    running: AtomicU32,
    most: AtomicU32,
}

/// Its own error.
#[derive(Debug)]
pub(crate) struct Broken;

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("broken")
    }
}

impl std::error::Error for Broken {}

struct Running(Arc<State>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, SeqCst);
    }
}

// === impl Dependency ===

impl Dependency {
    pub(crate) fn new(does: Does) -> Self {
        Self(Arc::new(State {
            does: Mutex::new(does),
            calls: AtomicU32::new(0),
            running: AtomicU32::new(0),
            most: AtomicU32::new(0),
        }))
    }

    pub(crate) fn now(&self, does: Does) {
        *self.0.does.lock().expect("nobody panics with it") = does;
    }

    /// Calls that reached it.
    pub(crate) fn calls(&self) -> u32 {
        self.0.calls.load(SeqCst)
    }

    /// Calls it works on.
    pub(crate) fn running(&self) -> u32 {
        self.0.running.load(SeqCst)
    }

    /// The most it ever worked on.
    pub(crate) fn most(&self) -> u32 {
        self.0.most.load(SeqCst)
    }

    fn begin(&self) -> Running {
        self.0.calls.fetch_add(1, SeqCst);
        let running = self.0.running.fetch_add(1, SeqCst) + 1;
        self.0.most.fetch_max(running, SeqCst);
        Running(self.0.clone())
    }
}

impl<R: Send + 'static> Service<R> for Dependency {
    type Response = R;
    type Error = Broken;
    type Future = Pin<Box<dyn Future<Output = Result<R, Broken>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        match *self.0.does.lock().expect("nobody panics with it") {
            Does::NeverGetReady => Poll::Pending,
            _ => Poll::Ready(Ok(())),
        }
    }

    fn call(&mut self, request: R) -> Self::Future {
        let (does, running) = (*self.0.does.lock().expect("nobody panics with it"), self.begin());
        Box::pin(async move {
            let _running = running;
            match does {
                Does::Answer => Ok(request),
                Does::AnswerAfter(time) => {
                    tokio::time::sleep(time).await;
                    Ok(request)
                }
                Does::Fail => Err(Broken),
                Does::FailAfter(time) => {
                    tokio::time::sleep(time).await;
                    Err(Broken)
                }
                Does::Hang | Does::NeverGetReady => std::future::pending().await,
            }
        })
    }
}

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const MILLI: Duration = Duration::from_millis(1);

/// Ten calls, half of at least five; open for 5 s, three trials of 10 s, no ramp.
pub(crate) const BREAKER: Config = Config {
    window: Window::Calls(10),
    minimum_calls: 5,
    failure_percent: 50,
    slow: None,
    open: Opening {
        first: Duration::from_secs(5),
        longest: Duration::from_secs(5),
        jitter_percent: 0,
    },
    trials: Trials { calls: 3, lease: Duration::from_secs(10) },
    ramp: Ramp { length: Duration::ZERO, floor_percent: 0 },
    mode: Mode::Normal,
};

pub(crate) fn fixed(size: u32) -> bulkhead::Config {
    bulkhead::Config::Fixed(size)
}

/// What the breaker behind `handle` sees.
pub(crate) fn breaker(handle: &Handle) -> seaworthy_layers::guard::Breaker {
    let View { breaker, .. } = handle.view();
    breaker.expect("it has a breaker")
}

/// Running and abandoned calls of the bulkhead behind `handle`.
pub(crate) fn permits(handle: &Handle) -> (u32, u32) {
    let bulkhead = handle.view().bulkhead.expect("it has a bulkhead");
    (bulkhead.running, bulkhead.abandoned)
}

/// All of them at once, each in a task of its own.
pub(crate) async fn all<F>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output>
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    let tasks: Vec<_> = futures.into_iter().map(tokio::spawn).collect();
    let mut outputs = Vec::new();
    for task in tasks {
        outputs.push(task.await.expect("it does not panic"));
    }
    outputs
}
