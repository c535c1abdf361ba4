//! A deployment, for whoever watches.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::cluster::plan::Revision;
use crate::time::Instant;

/// How a deployment stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeploymentView {
    /// What is deployed.
    pub revision: Revision,
    /// What it takes the place of; none: the service's first one.
    pub from: Option<Revision>,
    /// How far it is.
    pub state: State,
    /// When it began.
    pub since: Instant,
    /// New tasks that failed: in a row, or in all.
    pub failures: u32,
    /// So many are too many.
    pub threshold: u32,
    /// New tasks that are healthy and have settled.
    pub healthy: u32,
    /// So many are desired.
    pub desired: u32,
    /// Why it did not end well, if it did not.
    pub reason: Option<String>,
}

/// How far a deployment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Tasks come and go.
    InProgress,
    /// The canary serves its share, and nothing else happens for a while.
    Baking,
    /// All are of its revision, healthy, and serve.
    Completed,
    /// It was given up. What works of it stays.
    Failed,
    /// It was given up for the revision before.
    RolledBack,
}

// === impl State ===

impl State {
    /// Whether it has not come to its end.
    pub fn is_under_way(self) -> bool {
        matches!(self, Self::InProgress | Self::Baking)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InProgress => "in progress",
            Self::Baking => "baking",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::RolledBack => "rolled back",
        })
    }
}
