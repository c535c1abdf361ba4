//! What the patterns see, for people and drills.

use std::time::Duration;

use seaworthy_core::policy::breaker::State;
use seaworthy_core::policy::fallback::Metrics;
use seaworthy_layers::guard::{Breaker, Bulkhead};
use seaworthy_layers::retry::View;
use serde_json::{Value, json};

use super::Storefront;
use super::dependency::Dependency;
use super::pool::Pool;

/// All of it.
pub(super) fn document(storefront: &Storefront) -> Value {
    json!({
        "pool": storefront.pool.as_ref().map(pool),
        "products": dependency(&storefront.products),
        "customers": dependency(&storefront.customers),
        "orders": dependency(&storefront.orders),
    })
}

fn pool(pool: &Pool) -> Value {
    json!({ "size": pool.size(), "taken": pool.taken(), "waiting": pool.waiting() })
}

fn dependency(dependency: &Dependency) -> Value {
    let view = dependency.view();
    json!({
        "breaker": view.breaker.as_ref().map(breaker),
        "bulkhead": view.bulkhead.as_ref().map(bulkhead),
        // Calls that nobody waits for any more. They hold what they hold until they end.
        "abandoned": dependency.abandoned(),
        "retry": dependency.retry().as_ref().map(retry),
        "fallback": dependency.fallback().as_ref().map(fallback),
    })
}

/// Rates are shares from 0 to 1, and null where there are too few calls to judge by.
fn breaker(breaker: &Breaker) -> Value {
    let (metrics, rejected) = (&breaker.metrics, &breaker.metrics.rejected);
    json!({
        "state": state(breaker.state),
        "trials_in_ms": breaker.trials_in.map(milliseconds),
        "window": { "calls": breaker.rates.calls, "failures": breaker.rates.failures },
        "successes": metrics.successes,
        "failures": metrics.failures,
        "rejected": {
            "open": rejected.open,
            "trials": rejected.trials,
            "ramp": rejected.ramp,
            "all": rejected.all(),
        },
    })
}

fn bulkhead(bulkhead: &Bulkhead) -> Value {
    json!({
        "limit": bulkhead.limit,
        "running": bulkhead.running,
        "rejected": bulkhead.rejected,
    })
}

/// What was tried again, and was not because the budget was spent.
fn retry(view: &View) -> Value {
    json!({ "retries": view.retries, "left": view.left, "spent": view.spent })
}

/// What became of calls that failed.
fn fallback(metrics: &Metrics) -> Value {
    json!({
        "stale": metrics.stale,
        "oldest_ms": milliseconds(metrics.oldest),
        "missing": metrics.unknown + metrics.too_stale,
    })
}

/// The state's name alone: when it ends is a number of its own.
pub(super) fn state(state: State) -> &'static str {
    match state {
        State::Closed => "closed",
        State::Open { .. } => "open",
        State::HalfOpen => "half-open",
        State::ForcedOpen => "forced open",
        State::ForcedClosed => "forced closed",
    }
}

fn milliseconds(duration: Duration) -> u64 {
    duration.as_millis() as u64
}
