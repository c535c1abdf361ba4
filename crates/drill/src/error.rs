//! Why a drill cannot be done, or not to its end.

use std::io;
use std::path::PathBuf;

use seaworthy_core::experiment::{NotACell, ScaleError};
use seaworthy_core::fleet::ConfigError;
use seaworthy_sim::machine::FEWEST_RUNS;

/// An error of a drill. What a drill *finds* is no error.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The drill file is not there.
    #[error("{file}: cannot be read")]
    Read {
        /// The drill file.
        file: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// No drill is called so.
    #[error(
        "{name}: no such file is here, and no such drill comes with Seaworthy; allowed is a file or one of {allowed}"
    )]
    Unknown {
        /// As written.
        name: String,
        /// Those that there are.
        allowed: String,
    },
    /// The drill file is not written as a drill is.
    #[error("{file}: is not a drill{see}")]
    Syntax {
        /// The drill file.
        file: String,
        /// The key, if the place has one: `, see load.rate`.
        see: String,
        /// Where and why.
        #[source]
        source: Box<toml::de::Error>,
    },
    /// The drill file has a value that cannot be meant.
    #[error("{file}")]
    Config {
        /// The drill file.
        file: String,
        /// The key and what is allowed.
        #[source]
        source: ConfigError,
    },
    /// `--scale` is nothing for this drill.
    #[error("{file}: --scale")]
    Scale {
        /// The drill file.
        file: String,
        /// What is allowed.
        #[source]
        source: ScaleError,
    },
    /// `--cell` names none of the drill's.
    #[error("--cell")]
    Cell(#[source] NotACell),
    /// A cell cannot be simulated.
    #[error("{file}")]
    Simulation {
        /// The drill file.
        file: String,
        /// Which, and why.
        #[source]
        source: seaworthy_sim::cell::Error,
    },
    /// `--json` cannot be written to.
    #[error("--json {}: cannot be written", path.display())]
    Json {
        /// The path.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// `--measured` names nothing that can be held against this drill.
    #[error("--measured {}: {why}", path.display())]
    Measured {
        /// The path.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The run's own temporary directory.
    #[error("a temporary directory cannot be had")]
    Directory(#[source] io::Error),
    /// A program of `prepare` did not do its work.
    #[error("{file}: prepare: {why}")]
    Prepare {
        /// The drill file.
        file: String,
        /// Which program, how it ended, and its last lines.
        why: String,
    },
    /// The target's name leads nowhere.
    #[error("{file}: target: {target}: cannot be found")]
    Target {
        /// The drill file.
        file: String,
        /// As written.
        target: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// No link can be put before a service.
    #[error("no fault link can be started")]
    Link(#[source] io::Error),
    /// The fleet does not come up.
    #[error("{file}: {cell}: no fleet comes up, see {key}: {why}{output}")]
    NotUp {
        /// The drill file.
        file: String,
        /// Which cell.
        cell: String,
        /// The key to look at.
        key: String,
        /// What is wrong.
        why: String,
        /// The tasks' last lines, each on a line of its own.
        output: String,
    },
    /// Nothing can be written where the fleets write.
    #[error("how long it takes until something is on the disk cannot be learnt")]
    Write(#[source] seaworthy_agent::Error),
    /// No process can be started.
    #[error("how long it takes to start a process cannot be learnt")]
    Spawn(#[source] io::Error),
    /// Too little is known of the machine.
    #[error(
        "{invalid} of the first {done} of {runs} calibrating runs were INVALID, so that the {FEWEST_RUNS} good ones that are needed cannot come together; the last of them: {reason}; end what else the machine does, give a higher --calibrate, or 0 to take the model as it is"
    )]
    Calibration {
        /// So many measured nothing
        invalid: usize,
        /// of so many that are done
        done: u32,
        /// of so many.
        runs: u32,
        /// What was the matter with the last bad one.
        reason: String,
    },
    /// The fleet was lost.
    #[error("{cell}: the fleet is lost: {why}{output}")]
    Fleet {
        /// Which cell.
        cell: String,
        /// Why, causes included: the output belongs behind all of them.
        why: String,
        /// The fleet's last lines, each on a line of its own.
        output: String,
    },
    /// The kernel does not give what every drill needs.
    #[error("signals and events cannot be waited for")]
    Kernel(#[source] io::Error),
    /// The load cannot be sent.
    #[error("the load cannot be sent")]
    Load(#[source] io::Error),
    /// Nobody takes what is printed.
    #[error("the report cannot be printed")]
    Print(#[source] io::Error),
}

/// An error with its causes, on one line.
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
