//! Target tracking: how many tasks there should be for the load there is.
//!
//! Source: Amazon ECS developer guide, "Target tracking scaling policies"; Application Auto Scaling
//! user guide, "How target tracking works".

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How the desired count follows the load.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// Never fewer tasks than this. At least 1.
    pub minimum: u32,
    /// Never more. At least as many.
    pub maximum: u32,
    /// What is tracked. Out if any of them wants out, in only if all want in. At least one.
    pub targets: Vec<Target>,
    /// After it became more, so long until it may become more again.
    pub scale_out_cooldown: Duration,
    /// After any change, so long until it may become fewer.
    pub scale_in_cooldown: Duration,
}

/// A figure, and what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// Requests a second for each task in rotation.
    RequestsPerTask(u32),
    /// Requests under way for each task in rotation.
    Concurrency(u32),
    /// Processor time of all tasks, in percent of what they may use: the limit of each, or one
    /// processor.
    Cpu(u32),
    /// 99 of 100 requests take at most so long.
    P99(Duration),
}
