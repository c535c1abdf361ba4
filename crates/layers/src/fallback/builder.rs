//! How a fallback is set.

use std::fmt;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use seaworthy_core::policy::fallback::{Config, Fallback as LastGood};

use super::{FallbackLayer, Keep, KeepFn, Kept};
use crate::classify::Errors;
use crate::keys::KeyValue;

/// Settings of a fallback.
#[must_use = "a builder builds nothing until it is told to"]
pub struct Builder<N, K, V, C = Errors> {
    config: Config,
    keys: N,
    keep: KeepFn<V>,
    classify: C,
    key: PhantomData<fn() -> K>,
}

/// Keeps answers by `key`.
pub(crate) fn by_key<N, K, V>(keys: N) -> Builder<N, K, V> {
    let keep = Box::new(|_: &V| Some(Keep { weight: 1, fresh_for: Duration::ZERO }));
    Builder { config: Config::default(), keys, keep, classify: Errors, key: PhantomData }
}

// === impl Builder ===

impl<N, K: KeyValue, V, C> Builder<N, K, V, C> {
    /// For how long an old answer is good enough, and how much is kept.
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Whether a good answer is kept, and how. Unless it is said, all are, each of weight 1 and
    /// stale at once.
    pub fn keep(mut self, keep: impl Fn(&V) -> Option<Keep> + Send + Sync + 'static) -> Self {
        self.keep = Box::new(keep);
        self
    }

    /// What is a failure: see [`classify`](crate::classify). An error that is none, "not found"
    /// say, is an answer and is given as it is.
    pub fn classify<C2>(self, classify: C2) -> Builder<N, K, V, C2> {
        let Self { config, keys, keep, key, .. } = self;
        Builder { config, keys, keep, classify, key }
    }

    /// The layer.
    pub fn build(self) -> FallbackLayer<N, K, V, C> {
        let Self { config, keys, keep, classify, .. } = self;
        let kept = Arc::new(Kept { last_good: Mutex::new(LastGood::new(config)), keep });
        FallbackLayer { kept, keys, classify }
    }
}

impl<N, K, V, C> fmt::Debug for Builder<N, K, V, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("config", &self.config).finish_non_exhaustive()
    }
}
