//! Policies as written, for a service and for each of its routes.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::balancing::RawWeights;
use super::breaker::RawBreaker;
use super::bulkhead::RawBulkhead;
use super::call::{Call, RawCall, RawFallback};
use crate::call::{FieldMatch, HostMatch, Match, PathMatch, Route};
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
    pub(super) weights: Option<RawWeights>,
}

/// `[[service.NAME.route]]`
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct RawRoute {
    name: String,
    path: Option<String>,
    path_prefix: Option<String>,
    #[serde(default)]
    methods: Vec<String>,
    host: Option<String>,
    #[serde(default)]
    headers: Vec<String>,
    weights: Option<RawWeights>,
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
            weights: self.weights.clone().or_else(|| service.weights.clone()),
        };
        policies.read(self.name.clone(), self.read_match()?)
    }

    fn read_match(&self) -> Result<Match, ConfigError> {
        let matches = Match {
            path: self.read_path()?,
            methods: self.read_methods()?,
            host: self.host.as_deref().map_or(Ok(HostMatch::Any), read_host)?,
            fields: self.headers.iter().map(|text| read_field(text)).collect::<Result<_, _>>()?,
        };
        if matches == Match::ANY {
            let problem =
                "is missing; allowed is this, `path_prefix`, `methods`, `host` or `headers`";
            return Err(ConfigError::new("path", problem));
        }
        Ok(matches)
    }

    fn read_path(&self) -> Result<PathMatch, ConfigError> {
        match (&self.path, &self.path_prefix) {
            (Some(path), None) => {
                range::path("path", path)?;
                Ok(PathMatch::Exact(path.clone()))
            }
            (None, Some(prefix)) => {
                range::path("path_prefix", prefix)?;
                Ok(PathMatch::Prefix(prefix.clone()))
            }
            (None, None) => Ok(PathMatch::Any),
            (Some(_), Some(_)) => {
                let problem = "is given beside `path`; allowed is just one of them";
                Err(ConfigError::new("path_prefix", problem))
            }
        }
    }

    fn read_methods(&self) -> Result<Vec<String>, ConfigError> {
        let proper = |method: &&String| {
            !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_uppercase())
        };
        if let Some(wrong) = self.methods.iter().find(|method| !proper(method)) {
            let problem = format!("`{wrong}` is no method; allowed are words such as \"GET\"");
            return Err(ConfigError::new("methods", problem));
        }
        Ok(self.methods.clone())
    }
}

fn read_host(text: &str) -> Result<HostMatch, ConfigError> {
    let (below, host) = text.strip_prefix("*.").map_or((false, text), |domain| (true, domain));
    let proper = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    let is_name = !host.starts_with('.') && host.bytes().all(proper);
    let is_address = !below && host.starts_with('[') && host.ends_with(']');
    if host.is_empty() || !(is_name || is_address) {
        let problem = format!(
            "`{text}` is no host; allowed is one without a port, such as \"example.com\", or all below one, \
             such as \"*.example.com\""
        );
        return Err(ConfigError::new("host", problem));
    }
    let host = host.to_ascii_lowercase();
    Ok(if below { HostMatch::Below(host) } else { HostMatch::Exact(host) })
}

/// `NAME` or `NAME: VALUE`
fn read_field(text: &str) -> Result<FieldMatch, ConfigError> {
    let (name, value) = text.split_once(':').map_or((text, None), |(n, v)| (n, Some(v.trim())));
    range::token("headers", name)?;
    if value.is_some_and(|value| value.is_empty() || value.contains(|c: char| c.is_ascii_control()))
    {
        let problem =
            format!("{text:?} has no proper value; allowed is \"NAME\" or \"NAME: VALUE\"");
        return Err(ConfigError::new("headers", problem));
    }
    Ok(FieldMatch { name: name.to_owned(), value: value.map(str::to_owned) })
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
            weights: self.weights.as_ref().map_or(Ok(BTreeMap::new()), RawWeights::read)?,
        };
        // What is merely doubtful is for `seaworthy check`.
        let findings = route.findings(None);
        match findings.iter().find(|finding| finding.severity() == Severity::Refused) {
            Some(refused) => Err(ConfigError::new("breaker", refused)),
            None => Ok(route),
        }
    }
}
