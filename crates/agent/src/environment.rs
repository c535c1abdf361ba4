//! The environment of a task, made anew at each start.
//!
//! Later ones win: where the services are called, the environment files in their order, the variables of
//! the fleet file, secrets, and what the task is told about itself. Values of files are nowhere
//! repeated, neither in errors nor in what [`Environment`] shows of itself.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use seaworthy_core::cluster::plan::Revision;
use seaworthy_core::cluster::spread::Location;
use seaworthy_core::endpoints::TaskId;
use seaworthy_core::fleet::{ConfigError, Service, environment_file};
use serde::{Deserialize, Serialize};

/// Longest file and longest environment in bytes: it is sent to the keeper in one datagram.
const LONGEST: usize = 32 << 10;

/// The variables of a task. Their values may be secret, so it shows only their names.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Environment(BTreeMap<String, String>);

/// What a task is told about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// Which it is.
    pub task: TaskId,
    /// Of which revision of its service.
    pub revision: Revision,
    /// Where it is to listen.
    pub port: u16,
    /// Where it is, if its service is spread over machines.
    pub location: Option<Location>,
}

/// Why a task cannot have its environment.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file of variables, or with a secret.
    #[error("{}: cannot be read: {error}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A file of variables holds something that is none.
    #[error("{}: {error}", path.display())]
    Variables {
        /// Which.
        path: PathBuf,
        /// In which line, and what is wrong.
        error: ConfigError,
    },
    /// A secret that cannot be the value of a variable.
    #[error("{}: secret {name}: {problem}", path.display())]
    Secret {
        /// The file.
        path: PathBuf,
        /// The variable.
        name: String,
        /// What is wrong and what is allowed.
        problem: &'static str,
    },
    /// All of it together.
    #[error("the environment has {0} bytes; {LONGEST} are allowed")]
    TooLong(usize),
}

// === impl Environment ===

impl Environment {
    /// That of a task of `service`. `urls` says where each service is called; relative paths are
    /// meant from `directory`.
    pub fn of(
        service: &Service,
        urls: &BTreeMap<String, String>,
        about: About,
        directory: &Path,
    ) -> Result<Self, Error> {
        let mut all = urls.clone();
        for path in &service.environment_files {
            let path = directory.join(path);
            let variables = environment_file::parse(&text(&path)?);
            all.extend(variables.map_err(|error| Error::Variables { path, error })?);
        }
        all.extend(service.environment.clone());
        for (name, path) in &service.secrets {
            all.insert(name.clone(), secret(name, directory.join(path))?);
        }
        all.extend([
            ("PORT".to_owned(), about.port.to_string()),
            ("SEAWORTHY_TASK".to_owned(), about.task.to_string()),
            ("SEAWORTHY_SERVICE".to_owned(), service.name.clone()),
            ("SEAWORTHY_REVISION".to_owned(), about.revision.to_string()),
        ]);
        if let Some(location) = about.location {
            all.extend([
                ("SEAWORTHY_ZONE".to_owned(), location.zone().to_owned()),
                ("SEAWORTHY_MACHINE".to_owned(), location.into()),
            ]);
        }
        let length = all.iter().map(|(name, value)| name.len() + value.len() + 2).sum();
        if length > LONGEST { Err(Error::TooLong(length)) } else { Ok(Self(all)) }
    }

    /// The variables with their values.
    pub fn variables(&self) -> &BTreeMap<String, String> {
        &self.0
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// What a file holds, without the newline that editors put at its end.
fn secret(name: &str, path: PathBuf) -> Result<String, Error> {
    let mut value = text(&path)?;
    if value.ends_with('\n') {
        value.pop();
    }
    if value.contains('\0') {
        let problem = "has a NUL, which no variable can have";
        return Err(Error::Secret { path, name: name.to_owned(), problem });
    }
    Ok(value)
}

/// A file of text that is not too long. Others than regular files are refused: reading from a pipe could wait
/// for ever.
fn text(path: &Path) -> Result<String, Error> {
    let read = || {
        let refused = |what: String| Err(io::Error::new(io::ErrorKind::InvalidData, what));
        if !path.metadata()?.is_file() {
            return refused("it is no regular file".to_owned());
        }
        let mut bytes = Vec::new();
        File::open(path)?.take(LONGEST as u64 + 1).read_to_end(&mut bytes)?;
        if bytes.len() > LONGEST {
            return refused(format!("it is longer than {LONGEST} bytes"));
        }
        String::from_utf8(bytes).or_else(|_| refused("it is not UTF-8".to_owned()))
    };
    read().map_err(|error| Error::Read { path: path.to_owned(), error })
}

#[cfg(test)]
mod tests;
