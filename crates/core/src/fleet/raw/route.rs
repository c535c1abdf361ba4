//! Policies as written, for a service and for each of its routes.

use serde::Deserialize;

use super::breaker::RawBreaker;
use super::bulkhead::RawBulkhead;
use super::call::{Call, RawCall, RawFallback};
use crate::call::{Match, PathMatch, Route};
use crate::fleet::ConfigError;
use crate::fleet::range;
use crate::policy::guard::{self, Severity};

/// The tables that a service and a route both have.
#[derive(Clone, Debug, Default)]
pub(super) struct RawPolicies {
    pub(super) call: RawCall,
    pub(super) breaker: Option<RawBreaker>,
    pub(super) bulkhead: Option<RawBulkhead>,
    pub(super) fallback: Option<RawFallback>,
}

/// `[[service.NAME.route]]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct RawRoute {
    name: String,
    path: Option<String>,
    path_prefix: Option<String>,
    #[serde(default)]
    methods: Vec<String>,
    #[serde(default)]
    call: RawCall,
    breaker: Option<RawBreaker>,
    bulkhead: Option<RawBulkhead>,
    fallback: Option<RawFallback>,
}

/// The name of the route that is for everything no other is for.
const DEFAULT: &str = "default";

/// The routes of a service, the one for everything last.
pub(super) fn read(service: &RawPolicies, routes: &[RawRoute]) -> Result<Vec<Route>, ConfigError> {
    // First, so that what is wrong with the service's own tables is not said of a route's.
    let default = service.read(DEFAULT.to_owned(), Match::ANY)?;
    let mut all: Vec<Route> = Vec::new();
    for (n, raw) in routes.iter().enumerate() {
        let below = |error: ConfigError| error.below(format_args!("route[{}]", n + 1));
        let route = raw.read(service).map_err(below)?;
        if all.iter().any(|other| other.name == route.name) || route.name == DEFAULT {
            let problem = format!("`{}` is taken; allowed is a name of its own", route.name);
            return Err(below(ConfigError::new("name", problem)));
        }
        all.push(route);
    }
    all.push(default);
    Ok(all)
}

// === impl RawRoute ===

impl RawRoute {
    /// Whether it has a fallback of its own.
    pub(super) fn has_fallback(&self) -> bool {
        self.fallback.is_some()
    }

    fn read(&self, service: &RawPolicies) -> Result<Route, ConfigError> {
        range::name("name", &self.name)?;
        if self.call.connect_timeout.is_some() {
            let problem = "is of a service only: its connections are for all its routes";
            return Err(ConfigError::new("call.connect_timeout", problem));
        }
        if self.call.queue.is_some() {
            let problem = "is of a service only: what its calls wait for are its tasks";
            return Err(ConfigError::new("call.queue", problem));
        }
        // What it leaves out, it has from its service.
        let policies = RawPolicies {
            call: self.call.or(&service.call),
            breaker: self.breaker.clone().or_else(|| service.breaker.clone()),
            bulkhead: self.bulkhead.clone().or_else(|| service.bulkhead.clone()),
            fallback: self.fallback.clone().or_else(|| service.fallback.clone()),
        };
        policies.read(self.name.clone(), self.read_match()?)
    }

    fn read_match(&self) -> Result<Match, ConfigError> {
        let path = match (&self.path, &self.path_prefix) {
            (Some(path), None) => {
                range::path("path", path)?;
                PathMatch::Exact(path.clone())
            }
            (None, Some(prefix)) => {
                range::path("path_prefix", prefix)?;
                PathMatch::Prefix(prefix.clone())
            }
            (None, None) if !self.methods.is_empty() => PathMatch::Any,
            (None, None) => {
                let problem = "is missing; allowed is this, `path_prefix` or `methods`";
                return Err(ConfigError::new("path", problem));
            }
            (Some(_), Some(_)) => {
                let problem = "is given beside `path`; allowed is just one of them";
                return Err(ConfigError::new("path_prefix", problem));
            }
        };
        let proper = |method: &&String| {
            !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_uppercase())
        };
        if let Some(wrong) = self.methods.iter().find(|method| !proper(method)) {
            let problem = format!("`{wrong}` is no method; allowed are words such as \"GET\"");
            return Err(ConfigError::new("methods", problem));
        }
        Ok(Match { path, methods: self.methods.clone() })
    }
}

// === impl RawPolicies ===

impl RawPolicies {
    fn read(&self, name: String, matches: Match) -> Result<Route, ConfigError> {
        let call = self.call.read().map_err(|error| error.below("call"))?;
        let Call { timeout, tries, failure_status, outlasts, retry_status, budget, hedge } = call;
        let breaker = self.breaker.as_ref().map_or(Ok(None), RawBreaker::read);
        let bulkhead = self.bulkhead.as_ref().map_or(Ok(None), RawBulkhead::read);
        let fallback = self.fallback.as_ref().map_or(Ok(None), RawFallback::read);
        let guard = guard::Config {
            timeout: Some(timeout),
            breaker: breaker.map_err(|error| error.below("breaker"))?,
            bulkhead: bulkhead.map_err(|error| error.below("bulkhead"))?,
            failure_status,
        };
        let route = Route {
            name,
            matches,
            guard,
            tries,
            retry_status,
            hedge,
            budget: Some(budget),
            outlasts,
            fallback: fallback.map_err(|error| error.below("fallback"))?,
        };
        // What is merely doubtful is for `seaworthy check`.
        let findings = route.findings(None);
        match findings.iter().find(|finding| finding.severity() == Severity::Refused) {
            Some(refused) => Err(ConfigError::new("breaker", refused)),
            None => Ok(route),
        }
    }
}
