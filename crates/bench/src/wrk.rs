//! `wrk`, the closed-loop load: as many requests as there is room for.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use serde::Deserialize;

use crate::child::output;
use crate::proxy::pinned;

/// As many connections as the load keeps busy.
const CONNECTIONS: u32 = 64;
/// Says what is sent, and tells the figures as JSON.
const SCRIPT: &str = include_str!("../peers/throughput/wrk.lua");

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ask {
    pub(crate) path: &'static str,
    /// `POST` with a body of so many bytes; `GET` without.
    pub(crate) post: Option<u32>,
}

/// What `wrk` tells.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct Told {
    pub(crate) requests: u64,
    pub(crate) micros: u64,
    /// In µs.
    pub(crate) p50: u64,
    pub(crate) p99: u64,
    /// Requests without an answer, or with one that is not 2xx or 3xx.
    pub(crate) errors: u64,
}

/// Loads `address` for so long, from `cpu` if one is given.
pub(crate) fn load(
    address: SocketAddr,
    ask: Ask,
    lasts: Duration,
    cpu: Option<u32>,
    directory: &Path,
) -> anyhow::Result<Told> {
    let script = directory.join("wrk.lua");
    std::fs::write(&script, SCRIPT)?;
    let mut command = pinned(cpu, Path::new("wrk"));
    command.args(["-t1", &format!("-c{CONNECTIONS}"), &format!("-d{}s", lasts.as_secs().max(1))]);
    command.arg("-s").arg(script).arg(format!("http://{address}{}", ask.path)).arg("--");
    if let Some(bytes) = ask.post {
        command.args(["POST", &bytes.to_string()]);
    }
    let text = output(&mut command)?;
    let told = text.lines().rev().find(|line| line.starts_with('{'));
    let told = told.with_context(|| format!("wrk told nothing: {text}"))?;
    serde_json::from_str(told).context("wrk told something else")
}
