//! The requests as written.

use std::time::Duration;

use serde::Deserialize;

use super::services::Services;
use crate::experiment::limits::{HIGHEST_RATE, check_rate};
use crate::experiment::load::{Arrivals, Flow, Load, Method, ONLY_FLOW};
use crate::fleet::ConfigError;
use crate::fleet::range::{self, duration_or_zero, number};
use crate::fleet::written::{Number, Written, list, tables};

/// `[load]`: one flow, or several as `[[load.flow]]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub(super) struct RawLoad {
    rate: Option<Number>,
    arrivals: Option<Arrivals>,
    #[serde(default, deserialize_with = "list")]
    paths: Option<Vec<String>>,
    service: Option<String>,
    attempts: Option<Number>,
    #[serde(deserialize_with = "tables")]
    flow: Vec<RawFlow>,
}

/// `[[load.flow]]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
struct RawFlow {
    name: String,
    rate: Option<Number>,
    arrivals: Option<Arrivals>,
    #[serde(default, deserialize_with = "list")]
    paths: Option<Vec<String>>,
    service: Option<String>,
    #[serde(default)]
    method: Method,
    users: Option<Number>,
    attempts: Option<Number>,
    from: Option<Written>,
    until: Option<Written>,
}

// === impl RawLoad ===

impl RawLoad {
    /// The service it goes to, if it names one: with several flows, the first one's.
    pub(super) fn service(&self) -> Option<&str> {
        let first = self.flow.first().and_then(|flow| flow.service.as_deref());
        self.service.as_deref().or(first)
    }

    pub(super) fn read(self, services: &Services) -> Result<Load, ConfigError> {
        let Self { rate, arrivals, paths, service, attempts, flow } = self;
        if flow.is_empty() {
            let only = RawFlow {
                name: ONLY_FLOW.to_owned(),
                rate,
                arrivals,
                paths,
                service,
                method: Method::Get,
                users: None,
                attempts,
                from: None,
                until: None,
            };
            return Ok(Load { flows: vec![only.read(services)?] });
        }
        if rate.is_some() || paths.is_some() || arrivals.is_some() || attempts.is_some() {
            let problem = "stand beside [load]; allowed are either, and each flow says its own";
            return Err(ConfigError::new("flow", problem));
        }
        let mut flows: Vec<Flow> = Vec::new();
        for (n, raw) in flow.into_iter().enumerate() {
            let below = |error: ConfigError| error.below(format_args!("flow[{}]", n + 1));
            let service = raw.service.clone().or_else(|| service.clone());
            let flow = RawFlow { service, ..raw }.read(services).map_err(below)?;
            if flows.iter().any(|other| other.name == flow.name) {
                let problem = format!("`{}` is given twice", flow.name);
                return Err(below(ConfigError::new("name", problem)));
            }
            flows.push(flow);
        }
        let load = Load { flows };
        check_rate(&load)?;
        Ok(load)
    }
}

// === impl RawFlow ===

impl RawFlow {
    fn read(self, services: &Services) -> Result<Flow, ConfigError> {
        let proper = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if self.name.is_empty() || !self.name.chars().all(proper) {
            let problem = format!("`{}` is not a name; allowed are a-z, 0-9 and _", self.name);
            return Err(ConfigError::new("name", problem));
        }
        if self.rate.is_none() {
            return Err(ConfigError::new("rate", "is missing; allowed is a number a second"));
        }
        let rate = number("rate", self.rate, 1, 1..=HIGHEST_RATE)?;
        let paths = self.paths.unwrap_or_default();
        if paths.is_empty() {
            let problem = "is empty; allowed is a list of at least one path";
            return Err(ConfigError::new("paths", problem));
        }
        let users = self.users.map(|users| number("users", Some(users), 1, 1..=1_000_000));
        let users = users.transpose()?;
        for (n, path) in paths.iter().enumerate() {
            let key = format!("paths[{}]", n + 1);
            if path.contains("{user}") && users.is_none() {
                let problem = "speaks of a {user}; allowed is that beside `users`";
                return Err(ConfigError::new(key, problem));
            }
            range::path(key, &path.replace("{user}", "1"))?;
        }
        let from = duration_or_zero("from", self.from, Duration::ZERO)?;
        let until = self.until.map(|until| until.0);
        if let Some(until) = until.filter(|until| *until <= from) {
            let problem = format!("{until:?} is not after {from:?}, when the flow begins");
            return Err(ConfigError::new("until", problem));
        }
        Ok(Flow {
            name: self.name,
            service: services.place_or_none("service", self.service.as_deref())?,
            rate,
            arrivals: self.arrivals.unwrap_or(Arrivals::Constant),
            method: self.method,
            paths,
            users,
            attempts: number("attempts", self.attempts, 1, 1..=10)?,
            from,
            until,
        })
    }
}
