//! How a retry is set.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use seaworthy_core::policy::budget;
use seaworthy_core::policy::retry::Retry;

use super::{Config, RetryLayer, Settings};
use crate::classify::Errors;
use crate::clock;
use crate::keys::{KeyValue, Shared, Whole, any_seed};

/// Settings of a retry. What is not said is the default of [`Config`].
#[derive(Clone, Debug)]
#[must_use = "a builder builds nothing until it is told to"]
pub struct Builder<A, N = Whole, K = (), C = Errors> {
    settings: Settings<A, C>,
    keys: N,
    most_keys: Option<u32>,
    key: PhantomData<fn() -> K>,
}

/// `copy` gives a second copy of a request that may be sent twice.
pub(crate) fn copied_by<A>(copy: A) -> Builder<A> {
    let settings = Settings { config: Config::default(), copy, classify: Errors, seed: any_seed() };
    Builder { settings, keys: Whole, most_keys: None, key: PhantomData }
}

// === impl Builder ===

impl<A, N, K: KeyValue, C> Builder<A, N, K, C> {
    /// Tries in all, the first included.
    pub fn tries(mut self, tries: u32) -> Self {
        self.settings.config.tries = tries;
        self
    }

    /// Before the first retry, and at most before a later one.
    pub fn pause(mut self, first: Duration, longest: Duration) -> Self {
        (self.settings.config.pause, self.settings.config.longest_pause) = (first, longest);
        self
    }

    /// What all calls together may try again.
    pub fn budget(mut self, budget: budget::Config) -> Self {
        self.settings.config.budget = budget;
        self
    }

    /// All settings at once.
    pub fn config(mut self, config: Config) -> Self {
        self.settings.config = config;
        self
    }

    /// What is worth another try: see [`classify`](crate::classify).
    pub fn classify<C2>(self, classify: C2) -> Builder<A, N, K, C2> {
        let Self { settings: Settings { config, copy, seed, .. }, keys, most_keys, key } = self;
        Builder { settings: Settings { config, copy, classify, seed }, keys, most_keys, key }
    }

    /// A budget for each key of its own, at most so many; calls of a key beyond that are not
    /// tried again.
    pub fn per_key<R, K2: KeyValue, F: Fn(&R) -> K2>(
        self,
        most: u32,
        key: F,
    ) -> Builder<A, F, K2, C> {
        Builder { settings: self.settings, keys: key, most_keys: Some(most), key: PhantomData }
    }

    /// What draws the jitter of the pauses. Different in each process if it is not said.
    pub fn seed(mut self, seed: u64) -> Self {
        self.settings.seed = seed;
        self
    }

    /// The layer.
    pub fn build(self) -> RetryLayer<A, N, K, C> {
        let Self { settings, keys, most_keys, .. } = self;
        let Settings { config, seed, .. } = settings;
        let shared = Shared::new(most_keys, move || Retry::new(clock::now(), config, seed));
        let shared = Arc::new(shared);
        RetryLayer { shared, settings, keys }
    }
}
