//! How a guard is set.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use seaworthy_core::policy::guard::{Config, Finding, Guard as Policies, Severity, check};
use seaworthy_core::policy::{breaker, bulkhead};

use super::{GuardLayer, Settings, WhenGone};
use crate::classify::Errors;
use crate::keys::{KeyValue, Shared, Whole, any_seed};

/// Settings of a guard. What is not said is core's default, whose reasons stand beside them:
/// [`breaker::Config`], [`bulkhead::Config`].
#[derive(Clone, Debug)]
#[must_use = "a builder builds nothing until it is told to"]
pub struct Builder<N = Whole, K = (), C = Errors> {
    config: Config,
    when_gone: WhenGone,
    keys: N,
    most_keys: Option<u32>,
    classify: C,
    seed: Option<u64>,
    key: PhantomData<fn() -> K>,
}

/// Settings that cannot work, with the arithmetic.
#[derive(Clone, Debug, PartialEq)]
pub struct Refused(pub Vec<Finding>);

/// A guard of these policies only.
pub(crate) fn only(
    timeout: Option<Duration>,
    breaker: Option<breaker::Config>,
    bulkhead: Option<bulkhead::Config>,
) -> Builder {
    Builder {
        config: Config { timeout, breaker, bulkhead, ..Config::default() },
        when_gone: WhenGone::default(),
        keys: Whole,
        most_keys: None,
        classify: Errors,
        seed: None,
        key: PhantomData,
    }
}

// === impl Builder ===

impl<N, K: KeyValue, C> Builder<N, K, C> {
    /// A call may take so long: getting ready, and all that is inside.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.config.timeout = Some(limit);
        self
    }

    /// When no calls are made.
    pub fn breaker(mut self, config: breaker::Config) -> Self {
        self.config.breaker = Some(config);
        self
    }

    /// How many calls may be under way.
    pub fn bulkhead(mut self, config: bulkhead::Config) -> Self {
        self.config.bulkhead = Some(config);
        self
    }

    /// All settings at once, as they are read from a file.
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// What becomes of the bulkhead's permit when the caller goes away.
    pub fn when_gone(mut self, when_gone: WhenGone) -> Self {
        self.when_gone = when_gone;
        self
    }

    /// What counts as a failure: see [`classify`](crate::classify).
    pub fn classify<C2>(self, classify: C2) -> Builder<N, K, C2> {
        let Self { config, when_gone, keys, most_keys, seed, key, .. } = self;
        Builder { config, when_gone, keys, most_keys, classify, seed, key }
    }

    /// Policies for each key of their own, at most so many; beyond that those go that were unused
    /// for longest, and when all are in use a new key is rejected. Choose the key for what fails
    /// together: mostly the service, or its host.
    pub fn per_key<R, K2: KeyValue, F: Fn(&R) -> K2>(self, most: u32, key: F) -> Builder<F, K2, C> {
        let Self { config, when_gone, classify, seed, .. } = self;
        let (most_keys, keys) = (Some(most), key);
        Builder { config, when_gone, keys, most_keys, classify, seed, key: PhantomData }
    }

    /// What draws the jitter of the breakers' open times. Different in each process if it is not
    /// said, so that they do not move in step.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// What cannot work and what is likely wrong with the settings, with the arithmetic. It finds
    /// more with the calls a second.
    pub fn check(&self, rate: Option<f64>) -> Vec<Finding> {
        check(&self.config, rate)
    }

    /// The layer, unless the settings cannot work.
    pub fn build(self) -> Result<GuardLayer<N, K, C>, Refused> {
        let refused = |finding: &Finding| finding.severity() == Severity::Refused;
        let findings: Vec<Finding> = self.check(None).into_iter().filter(refused).collect();
        if !findings.is_empty() {
            return Err(Refused(findings));
        }
        let Self { config, when_gone, keys, most_keys, classify, seed, .. } = self;
        let timed = config.timeout.is_some();
        let mut seed = seed.unwrap_or_else(any_seed);
        let make = move || {
            seed = seed.wrapping_add(1);
            Policies::new(config.clone(), seed)
        };
        let shared = Arc::new(Shared::new(most_keys, make));
        Ok(GuardLayer { shared, settings: Settings { keys, classify, when_gone, timed } })
    }
}

// === impl Refused ===

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, finding) in self.0.iter().enumerate() {
            let comma = if n == 0 { "" } else { "; " };
            write!(f, "{comma}{finding}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Refused {}
