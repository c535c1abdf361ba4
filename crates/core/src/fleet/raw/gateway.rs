//! `[gateway]` as written: how the gateway itself is run.

use std::net::SocketAddr;
use std::time::Duration;

use serde::Deserialize;

use super::Whose;
use crate::fleet::range::{duration_or_zero, number};
use crate::fleet::written::{Number, Written};
use crate::fleet::{AccessLog, ConfigError, Gateway};

/// `[gateway]`
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct RawGateway {
    /// Threads that carry requests. By default one for each processor, up to 8.
    workers: Option<Number>,
    /// Where health, readiness and metrics are to be found. Nowhere if left out.
    admin: Option<SocketAddr>,
    /// "off", a path, or "-" for the standard output of a gateway alone. By default "off".
    access_log: Option<String>,
    /// So long requests in flight may take when it is told to stop. By default "30s".
    stop_timeout: Option<Written>,
}

impl RawGateway {
    pub(super) fn read(self, whose: Whose) -> Result<Gateway, ConfigError> {
        let workers = self.workers.map(|written| number("workers", Some(written), 1, 1..=64));
        Ok(Gateway {
            workers: workers.transpose()?,
            admin: self.admin,
            access_log: read_access_log(self.access_log.as_deref(), whose)?,
            // As long as a task has between SIGTERM and SIGKILL. Zero: nobody is waited for.
            stop_timeout: duration_or_zero(
                "stop_timeout",
                self.stop_timeout,
                Duration::from_secs(30),
            )?,
        })
    }
}

/// Off by default: at full load it is more work than carrying the requests.
fn read_access_log(written: Option<&str>, whose: Whose) -> Result<AccessLog, ConfigError> {
    Ok(match written {
        None | Some("off") => AccessLog::Off,
        Some("-") if whose == Whose::Others => AccessLog::Stdout,
        Some("-") => {
            let problem = "the gateway of a fleet has no standard output, only one alone has; allowed \
                           is \"off\" or a path";
            return Err(ConfigError::new("access_log", problem));
        }
        Some(path) if !path.is_empty() && !path.contains('\0') => AccessLog::File(path.into()),
        Some(_) => {
            let problem = "names no file; allowed is \"off\", a path, or \"-\" for the standard \
                           output of a gateway alone";
            return Err(ConfigError::new("access_log", problem));
        }
    })
}
