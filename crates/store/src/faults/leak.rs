//! A leak: memory that is taken and never given back.

use std::process;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::json;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::problem::Problem;

/// Memory is taken so often.
const STEP: Duration = Duration::from_millis(20);
/// What a processor reads at once.
const LINE: usize = 64;
/// Unless a drill says otherwise: much for a task of the store, little for a machine.
const LIMIT: u64 = 256 << 20;
/// The most that may be leaked: drills run on the machines of people.
const LARGEST_LIMIT: u64 = 1 << 30;

/// How to leak.
#[derive(Clone, Copy, Debug, Deserialize)]
struct Rate {
    bytes_per_second: u64,
    #[serde(default = "Rate::default_limit")]
    limit: u64,
}

/// What was leaked so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Leak(Arc<Mutex<Vec<Vec<u8>>>>);

// === impl Rate ===

impl Rate {
    fn default_limit() -> u64 {
        LIMIT
    }

    fn check(self) -> Result<(), Problem> {
        if self.bytes_per_second == 0 {
            let detail = "bytes_per_second: `0` is not allowed; allowed is any larger number";
            return Err(Problem::bad_request(detail));
        }
        if self.limit > LARGEST_LIMIT {
            let limit = self.limit;
            let detail =
                format!("limit: `{limit}` is not allowed; allowed are up to {LARGEST_LIMIT}");
            return Err(Problem::bad_request(detail));
        }
        Ok(())
    }
}

// === impl Leak ===

impl Leak {
    /// Adds the switch, and makes every request of `router` as slow as what was leaked.
    pub(super) fn add(router: Router) -> Router {
        let leak = Self::default();
        router
            .layer(middleware::from_fn_with_state(leak.clone(), slow_down))
            .route("/faults/leak", post(begin).with_state(leak))
    }

    /// Takes memory at this rate until the process aborts.
    async fn run(self, Rate { bytes_per_second, limit }: Rate) {
        let begin = Instant::now();
        let mut steps = interval(STEP);
        steps.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut leaked = 0;
        loop {
            steps.tick().await;
            let due = begin.elapsed().as_secs_f64() * bytes_per_second as f64;
            let due = (due as u64).min(limit);
            self.take(due - leaked);
            leaked = due;
            if leaked == limit {
                eprintln!("fault: a leak of {limit} bytes is at its limit");
                process::abort();
            }
        }
    }

    fn take(&self, bytes: u64) {
        // Not zeros: those a kernel need not really give.
        let memory = vec![1; bytes as usize];
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(memory);
    }

    /// Reads all of it.
    fn walk(&self) -> u64 {
        let leaked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = leaked.iter().flat_map(|memory| memory.iter().step_by(LINE));
        lines.map(|byte| u64::from(*byte)).sum()
    }
}

async fn begin(
    State(leak): State<Leak>,
    rate: Result<Query<Rate>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(rate) = rate.map_err(|rejection| Problem::bad_request(rejection.body_text()))?;
    rate.check()?;
    tokio::spawn(leak.run(rate));
    let Rate { bytes_per_second, limit } = rate;
    Ok(Json(json!({ "bytes_per_second": bytes_per_second, "limit": limit })).into_response())
}

async fn slow_down(State(leak): State<Leak>, request: Request, next: Next) -> Response {
    // The sum is of no use; the compiler must not know.
    std::hint::black_box(leak.walk());
    next.run(request).await
}
