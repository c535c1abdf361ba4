//! Fleets as `seaworthy up` runs them: what their users see, and what they cost.

pub(crate) mod idle;
pub(crate) mod rollouts;
pub(crate) mod storm;

use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use seaworthy_core::experiment::load::Method;
use seaworthy_drill::standing::{Glimpse, Standing};
use seaworthy_drill::witness::Way;

use crate::machine::Machine;
use crate::proxy::Program;

/// Whatever is waited for comes within this.
const PATIENCE: Duration = Duration::from_secs(60);

/// What every measurement of a fleet is told.
#[derive(Debug, clap::Args)]
pub(crate) struct Common {
    /// Where the table and the raw run are written
    #[arg(long, value_name = "DIRECTORY", default_value = "docs/performance")]
    out: PathBuf,
    /// Where `seaworthy` is, built with `--profile dist`; without it, beside this program
    #[arg(long, value_name = "FILE")]
    seaworthy: Option<PathBuf>,
}

/// A fleet of backends. Dropping it ends it.
struct Fleet {
    standing: Standing,
    file: PathBuf,
    whole: Glimpse,
}

// === impl Common ===

impl Common {
    fn program(&self) -> anyhow::Result<Program> {
        Program::seaworthy(self.seaworthy.as_deref())
    }
}

// === impl Fleet ===

impl Fleet {
    /// So many tasks of one service, all in rotation.
    fn up(program: &Program, tasks: u32, directory: &Path) -> anyhow::Result<Self> {
        let ourselves = std::env::current_exe()?;
        let [ourselves, journal] = [ourselves, directory.join("journal")]
            .map(|path| serde_json::Value::from(path.display().to_string()));
        let file = directory.join("fleet.toml");
        let text = format!(
            "[service.all]\n\
             command = [{ourselves}, \"backend\", \"--number\", \"1\", \"--journal\", {journal}]\n\
             listen = \"127.0.0.1:0\"\n\
             desired_count = {tasks}\n\
             health = {{ path = \"/healthz\" }}\n"
        );
        std::fs::write(&file, text).with_context(|| format!("{}", file.display()))?;
        let standing = Standing::at(&program.path, &directory.join("state"))?;
        standing.must(&["up", &file.display().to_string(), "--detach"])?;
        let whole = block_on(standing.until("the whole fleet", PATIENCE, Glimpse::is_whole))?;
        Ok(Self { standing, file, whole })
    }

    /// So many requests a second, each of which takes so many milliseconds.
    fn way(&self, name: &'static str, rate: u32, ms: u32, method: Method) -> anyhow::Result<Way> {
        let address = self.whole.address("all").context("the service has no address")?;
        let keeps = name != "once";
        Ok(Way { name, address, rate, method, path: format!("/work/1?ms={ms}"), keeps })
    }
}

fn block_on<T, E>(future: impl Future<Output = Result<T, E>>) -> anyhow::Result<T>
where
    anyhow::Error: From<E>,
{
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(future)?)
}

fn machine(program: &Program) -> Machine {
    Machine::this(std::slice::from_ref(program))
}
