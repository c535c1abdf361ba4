//! Routes: which policies a request goes by.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cluster::plan::Revision;
use crate::health::Matcher;
use crate::policy::guard::{self, Finding};
use crate::policy::{budget, fallback, hedge};

/// One kind of requests to a service, and the policies they go by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// As in the fleet file; `default` for the service's own policies.
    pub name: String,
    /// Which requests it is for.
    pub matches: Match,
    /// Deadline, breaker and bulkhead of a call, all its tries together.
    pub guard: guard::Config,
    /// A call is sent so often at most. A try of which no task has seen anything does not count.
    pub tries: u32,
    /// Safe requests are tried again on these statuses; none if an answer always counts.
    pub retry_status: Option<Matcher>,
    /// When a safe request is sent once more although the first try goes on; none if never.
    pub hedge: Option<hedge::Config>,
    /// What tries that may cost a task something are taken from; none if they are not bounded.
    pub budget: Option<budget::Config>,
    /// A task goes on with a request for so long at most when nobody waits for it any more: until
    /// then the bulkhead counts it. Zero for tasks that stop when their connection is closed.
    pub outlasts: Duration,
    /// Answers that may stand in for an error, if any.
    pub fallback: Option<fallback::Config>,
    /// How its calls are divided among revisions. Empty: as the balancer has it.
    pub weights: BTreeMap<Revision, u32>,
}

/// Which requests a route is for. All parts must match.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Match {
    /// The path, without its query.
    pub path: PathMatch,
    /// One of these; any if there is none.
    pub methods: Vec<String>,
    /// The host, without its port.
    pub host: HostMatch,
    /// All of these.
    pub fields: Vec<FieldMatch>,
}

/// Which hosts a route is for. Source: Kubernetes Gateway API, `Hostname`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HostMatch {
    /// All.
    Any,
    /// Just this one, in lower case.
    Exact(String),
    /// All below this one, and not itself: `example.com` for `*.example.com`.
    Below(String),
}

/// A field of the head that a request must have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldMatch {
    /// In any case.
    pub name: String,
    /// Just this one; any if there is none.
    pub value: Option<String>,
}

/// Which paths a route is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PathMatch {
    /// All.
    Any,
    /// Just this one.
    Exact(String),
    /// This one and all below it: `/products` is for `/products` and `/products/1`, and not for
    /// `/productsale`. Source: Kubernetes Ingress, path type `Prefix`.
    Prefix(String),
}

/// A route, by its place in the service's list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RouteId(pub usize);

// === impl Route ===

impl Route {
    /// What is wrong with its guard, at so many calls a second if that is known. A permit is held
    /// until the work has ended, which may be after the call has.
    pub fn findings(&self, rate: Option<f64>) -> Vec<Finding> {
        let mut findings = guard::check(&self.guard, rate);
        if self.guard.timeout.is_some_and(|timeout| timeout < self.outlasts) {
            let held = guard::Config { timeout: Some(self.outlasts), ..self.guard.clone() };
            let starved = |finding: &Finding| matches!(finding, Finding::Starved(_));
            findings.extend(guard::check(&held, rate).into_iter().filter(starved));
        }
        findings
    }
}

// === impl Match ===

impl Match {
    /// For every request.
    pub const ANY: Self = Self {
        path: PathMatch::Any,
        methods: Vec::new(),
        host: HostMatch::Any,
        fields: Vec::new(),
    };

    /// Whether it is for a request; see [`Config::route`](super::Config::route).
    pub fn is_for(
        &self,
        method: &str,
        target: &str,
        host: &str,
        has: impl Fn(&str, Option<&str>) -> bool,
    ) -> bool {
        (self.methods.is_empty() || self.methods.iter().any(|m| m == method))
            && self.path.is_for(path(target))
            && self.host.is_for(without_port(host))
            && self.fields.iter().all(|field| has(&field.name, field.value.as_deref()))
    }

    /// Whether it is for every request that `other` is for.
    pub fn covers(&self, other: &Self) -> bool {
        let all_methods = self.methods.is_empty()
            || (!other.methods.is_empty()
                && other.methods.iter().all(|method| self.methods.contains(method)));
        let said = |field: &FieldMatch| other.fields.iter().any(|o| field.covers(o));
        all_methods
            && self.path.covers(&other.path)
            && self.host.covers(&other.host)
            && self.fields.iter().all(said)
    }
}

/// A target without its query.
pub(crate) fn path(target: &str) -> &str {
    target.split_once('?').map_or(target, |(path, _)| path)
}

/// A colon in brackets is of an address. Source: RFC 3986, section 3.2.2.
fn without_port(host: &str) -> &str {
    let port = host.rfind(':').filter(|colon| !host[*colon..].contains(']'));
    port.map_or(host, |colon| &host[..colon])
}

// === impl HostMatch ===

impl HostMatch {
    fn is_for(&self, host: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(exact) => host.eq_ignore_ascii_case(exact),
            Self::Below(domain) => {
                let start = host.len().checked_sub(domain.len());
                let split = start.and_then(|start| host.split_at_checked(start));
                split.is_some_and(|(below, end)| {
                    end.eq_ignore_ascii_case(domain) && below.len() > 1 && below.ends_with('.')
                })
            }
        }
    }

    fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any, _) => true,
            (_, Self::Any) | (Self::Exact(_), Self::Below(_)) => false,
            (_, Self::Exact(host)) => self.is_for(host),
            (Self::Below(_), Self::Below(domain)) => self == other || self.is_for(domain),
        }
    }
}

// === impl FieldMatch ===

impl FieldMatch {
    /// Whether what `other` asks for is enough for this one.
    fn covers(&self, other: &Self) -> bool {
        self.name.eq_ignore_ascii_case(&other.name)
            && (self.value.is_none() || self.value == other.value)
    }
}

// === impl PathMatch ===

impl PathMatch {
    /// Whether it is for this path, which is without its query.
    pub(crate) fn is_for(&self, path: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(exact) => path == exact,
            Self::Prefix(prefix) => {
                let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
                path.strip_prefix(prefix)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            }
        }
    }

    fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any, _) => true,
            (_, Self::Any) => false,
            (Self::Exact(_), other) => self == other,
            (prefix, Self::Exact(other) | Self::Prefix(other)) => prefix.is_for(other),
        }
    }
}

#[cfg(test)]
mod tests;
