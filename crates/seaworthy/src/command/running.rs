//! What all commands about a running fleet have in common.

use std::error::Error;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use seaworthy_agent::api::client::{Answer, Client};

/// Which fleet
#[derive(Debug, clap::Args)]
pub(crate) struct StateDirectory {
    /// Where the fleet keeps its state
    #[arg(
        id = "state",
        long = "state",
        env = "SEAWORTHY_STATE",
        default_value = ".seaworthy",
        value_name = "DIR"
    )]
    pub(crate) path: PathBuf,
}

/// A fleet that runs, and how to tell of it
#[derive(Debug, clap::Args)]
pub(crate) struct Running {
    #[command(flatten)]
    pub(crate) directory: StateDirectory,
    /// Print what the fleet's API answers, as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

// === impl Running ===

impl Running {
    /// Does `what` with the fleet. That nobody reads any more what is told is no error.
    pub(crate) fn talk(
        &self,
        what: impl AsyncFnOnce(Client) -> anyhow::Result<ExitCode>,
    ) -> anyhow::Result<ExitCode> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.context("runtime")?;
        let done = runtime.block_on(what(Client::new(&self.directory.path)));
        done.or_else(|error| {
            let unread = error.chain().any(nobody_reads);
            if unread { Ok(ExitCode::SUCCESS) } else { Err(error) }
        })
    }

    /// Tells an answer: as it came, or in words.
    pub(crate) fn tell<T>(
        &self,
        answer: &Answer<T>,
        words: impl FnOnce(&T) -> String,
    ) -> anyhow::Result<()> {
        if self.json {
            return say(&answer.json);
        }
        say(words(&answer.value).trim_end_matches('\n'))
    }

    /// Tells how something goes on, beside the JSON if that is asked for.
    pub(crate) fn remark(&self, line: &str) -> anyhow::Result<()> {
        if !self.json {
            return say(line);
        }
        eprintln!("{line}");
        Ok(())
    }
}

/// Prints lines, in colours if somebody sees them.
pub(crate) fn say(lines: &str) -> anyhow::Result<()> {
    let mut out = anstream::stdout().lock();
    writeln!(out, "{lines}").and_then(|()| out.flush())?;
    Ok(())
}

fn nobody_reads(error: &(dyn Error + 'static)) -> bool {
    let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
    kind == Some(io::ErrorKind::BrokenPipe)
}
