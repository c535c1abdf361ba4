//! `[agent]` as written: how the agent is spoken to.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Deserialize;

use crate::fleet::range::file;
use crate::fleet::{Agent, ConfigError};

/// `[agent]`
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct RawAgent {
    /// Where its API and the dashboard are to be found over TCP, such as "127.0.0.1:9900". Off if left
    /// out: then there is only the Unix socket in the state directory.
    listen: Option<SocketAddr>,
    /// A file with the token that is asked for over TCP.
    token_file: Option<PathBuf>,
}

// === impl RawAgent ===

impl RawAgent {
    /// Whether it says anything.
    pub(super) fn is_given(&self) -> bool {
        self.listen.is_some() || self.token_file.is_some()
    }

    pub(super) fn read(self) -> Result<Agent, ConfigError> {
        if let Some(path) = &self.token_file {
            file("token_file", path)?;
            if self.listen.is_none() {
                let problem = "means nothing without `listen`; allowed is both";
                return Err(ConfigError::new("token_file", problem));
            }
        }
        Ok(Agent { listen: self.listen, token_file: self.token_file })
    }
}
