//! What stands in a task's environment, as written.

use super::RawService;
use crate::fleet::ConfigError;
use crate::fleet::range::{file, variable};

/// Whether what `raw` says of the environment can be meant.
pub(super) fn check(raw: &RawService) -> Result<(), ConfigError> {
    for (name, value) in &raw.environment {
        variable(key(name, value), name, value).map_err(|error| error.below("environment"))?;
    }
    for (n, path) in raw.environment_files.iter().flatten().enumerate() {
        file(format_args!("environment_files[{}]", n + 1), path)?;
    }
    for (name, path) in &raw.secrets {
        variable(key(name, ""), name, "").map_err(|error| error.below("secrets"))?;
        file(format_args!("secrets.{name}"), path)?;
        if raw.environment.contains_key(name) {
            let problem = "stands in `environment`, too; allowed is just one of them";
            return Err(ConfigError::new(format_args!("secrets.{name}"), problem));
        }
    }
    Ok(())
}

/// A name that is none, or with a value that is none, is shown so that it can be seen.
fn key(name: &str, value: &str) -> String {
    let is_plain = !name.is_empty() && !name.contains(['=', '\0']) && !value.contains('\0');
    if is_plain { name.to_owned() } else { format!("{name:?}") }
}
