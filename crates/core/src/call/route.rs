//! Routes: which policies a request goes by.

use std::time::Duration;

use serde::{Deserialize, Serialize};

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
}

/// Which requests a route is for. All parts must match.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Match {
    /// The path, without its query.
    pub path: PathMatch,
    /// One of these; any if there is none.
    pub methods: Vec<String>,
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
    pub const ANY: Self = Self { path: PathMatch::Any, methods: Vec::new() };

    /// Whether it is for a request with this method and target (path and query).
    pub fn is_for(&self, method: &str, target: &str) -> bool {
        let path = target.split_once('?').map_or(target, |(path, _)| path);
        let method_matches = self.methods.is_empty() || self.methods.iter().any(|m| m == method);
        method_matches && self.path.is_for(path)
    }
}

impl Match {
    /// Whether it is for every request that `other` is for.
    pub fn covers(&self, other: &Self) -> bool {
        let all_methods = self.methods.is_empty()
            || (!other.methods.is_empty()
                && other.methods.iter().all(|method| self.methods.contains(method)));
        let all_paths = match (&self.path, &other.path) {
            (PathMatch::Any, _) => true,
            (_, PathMatch::Any) => false,
            (PathMatch::Exact(_), other) => self.path == *other,
            (prefix, PathMatch::Exact(other) | PathMatch::Prefix(other)) => prefix.is_for(other),
        };
        all_methods && all_paths
    }
}

// === impl PathMatch ===

impl PathMatch {
    fn is_for(&self, path: &str) -> bool {
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_where_a_part_of_the_path_ends() {
        let is_for = |prefix: &str, target: &str| {
            let path = PathMatch::Prefix(prefix.to_owned());
            Match { path, methods: vec![] }.is_for("GET", target)
        };
        for prefix in ["/products", "/products/"] {
            assert!(is_for(prefix, "/products"));
            assert!(is_for(prefix, "/products/1?q=/"));
            assert!(is_for(prefix, "/products?q=lamp"));
            assert!(!is_for(prefix, "/productsale"));
            assert!(!is_for(prefix, "/"));
        }
        assert!(is_for("/", "/anything"));
    }

    /// 100 permits give a window of 10 s enough outcomes when a call holds one for a second, and too
    /// few when its work goes on for a minute more.
    #[test]
    fn work_that_outlasts_its_call_starves_the_breaker_as_a_long_timeout_does() {
        let mut route = crate::call::Config::plain(Duration::from_secs(1), 1).routes.remove(0);
        route.guard.breaker = Some(crate::policy::breaker::Config::default());
        route.guard.bulkhead = Some(crate::policy::bulkhead::Config::Fixed(10));
        assert_eq!(route.findings(None), []);
        route.outlasts = Duration::from_secs(60);
        assert!(matches!(route.findings(None)[..], [Finding::Starved(_)]));
    }

    #[test]
    fn a_wider_rule_covers_a_narrower_one() {
        let rule = |path: PathMatch, methods: &[&str]| Match {
            path,
            methods: methods.iter().map(|method| (*method).to_owned()).collect(),
        };
        let prefix = |path: &str| PathMatch::Prefix(path.to_owned());
        let exact = |path: &str| PathMatch::Exact(path.to_owned());
        let wide = rule(prefix("/x"), &[]);
        for narrow in [prefix("/x"), prefix("/x/y"), exact("/x"), exact("/x/y")] {
            assert!(wide.covers(&rule(narrow.clone(), &["GET"])), "{narrow:?}");
        }
        assert!(!wide.covers(&rule(prefix("/xy"), &[])));
        assert!(!wide.covers(&rule(PathMatch::Any, &["GET"])));
        assert!(!rule(exact("/x"), &[]).covers(&wide));
        assert!(!rule(prefix("/x"), &["GET"]).covers(&wide));
        assert!(Match::ANY.covers(&wide));
    }

    #[test]
    fn path_and_method_must_both_match() {
        let path = PathMatch::Exact("/a".to_owned());
        let rule = Match { path, methods: vec!["GET".to_owned(), "HEAD".to_owned()] };
        assert!(rule.is_for("GET", "/a?b"));
        assert!(!rule.is_for("POST", "/a"));
        assert!(!rule.is_for("GET", "/a/b"));
        assert!(Match::ANY.is_for("DELETE", "*"));
    }
}
