//! layers

pub mod classify;
mod clock;
pub mod deadline;
mod error;
pub mod fallback;
pub mod guard;
#[cfg(feature = "http")]
pub mod http;
mod keys;
pub mod retry;

use std::time::Duration;

use seaworthy_core::policy::guard::Config;
use seaworthy_core::policy::{breaker, bulkhead};

pub use error::Error;
pub use keys::{Key, KeyValue, Whole};

/// Timeout, breaker and bulkhead, in core's fixed order and with core's defaults: 1 s, half of at
/// least twenty calls in ten seconds, ten calls at a time.
pub fn guard() -> guard::Builder {
    let Config { timeout, breaker, bulkhead, .. } = Config::default();
    guard::only(timeout, breaker, bulkhead)
}

/// One deadline for all that is inside, and nothing else.
pub fn timeout(limit: Duration) -> guard::Builder {
    guard::only(Some(limit), None, None)
}

/// A breaker and nothing else. It needs a timeout around it or within, or a slow threshold: of a
/// call that hangs for ever nobody can tell it.
pub fn breaker(config: breaker::Config) -> guard::Builder {
    guard::only(None, Some(config), None)
}

/// A bulkhead and nothing else.
pub fn bulkhead(config: bulkhead::Config) -> guard::Builder {
    guard::only(None, None, Some(config))
}

/// Tries again what failed, within a budget. `copy` gives a second copy of a request that may be
/// sent twice, and `None` for any other.
pub fn retry<R, A: Fn(&R) -> Option<R>>(copy: A) -> retry::Builder<A> {
    retry::copied_by(copy)
}

/// Gives the last good answer instead of an error. `key` tells apart whatever must not be mixed up.
pub fn fallback<R, K: KeyValue, V, F: Fn(&R) -> K>(key: F) -> fallback::Builder<F, K, V> {
    fallback::by_key(key)
}
