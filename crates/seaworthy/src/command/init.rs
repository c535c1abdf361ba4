//! `seaworthy init`: a fleet file to begin with.

use std::io::{ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use seaworthy_core::endpoints::TaskId;
use seaworthy_core::fleet::{Fleet, RawFleet};

use super::say::{say, shown};

/// Writes a fleet file for a program, with every key explained
///
/// The program is any that listens on the port in $PORT. Nothing is started.
#[derive(Debug, clap::Args)]
#[command(after_help = "For example:
  seaworthy init -- seaworthy store serve
  seaworthy init --name shop -- node server.js
  seaworthy init -- sh -c 'exec python3 -m http.server $PORT'")]
pub(crate) struct Args {
    /// What to write
    #[arg(long, value_name = "FILE", default_value = "fleet.toml")]
    file: PathBuf,
    /// The name of the service: 1 to 63 of a-z, 0-9 and -
    #[arg(long, default_value = "web")]
    name: String,
    /// Write it even if there is such a file; what stands there is lost
    #[arg(long)]
    force: bool,
    /// What a task runs
    #[arg(last = true, required = true, value_names = ["PROGRAM", "ARGUMENT"])]
    command: Vec<String>,
}

const TEMPLATE: &str = include_str!("init/fleet.toml");
/// What `seaworthy schema` is for.
const SCHEMA: &str = "fleet.schema.json";

/// Writes the file that `args` describe.
pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let Args { file, name, force, command } = args;
    if name.parse::<TaskId>().is_ok() {
        bail!("--name {name}: so tasks are called; allowed is any name but task-1, task-2, …");
    }
    let directory = match file.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let mut text = fleet(file, name, command);
    // Only where the editor finds it.
    if directory.join(SCHEMA).is_file() {
        text.insert_str(0, &format!("#:schema ./{SCHEMA}\n"));
    }
    let raw: RawFleet = toml::from_str(&text).context("the file would be no fleet file")?;
    Fleet::try_from(raw)?;
    write(directory, file, &text, *force).with_context(|| file.display().to_string())?;
    let said = shown(file);
    say(format_args!(
        "{} is written. Look at it, then:\n  seaworthy check {said}\n  seaworthy up {said}",
        file.display()
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// What the file says.
fn fleet(file: &Path, name: &str, command: &[String]) -> String {
    let words = command.iter().cloned().map(toml::Value::String).collect();
    let words = toml::Value::Array(words).to_string();
    // The command comes last: what stands in it is nobody's to fill in.
    let text = TEMPLATE.replace("{file}", &shown(file)).replace("{name}", name);
    text.replacen("{command}", &words, 1)
}

/// All of it or nothing, and never in place of something else unless that is wanted.
fn write(directory: &Path, file: &Path, text: &str, force: bool) -> anyhow::Result<()> {
    // As anybody's file; the umask takes away what it takes away.
    let permissions = std::fs::Permissions::from_mode(0o666);
    let mut new = tempfile::Builder::new().permissions(permissions).tempfile_in(directory)?;
    new.write_all(text.as_bytes())?;
    new.as_file().sync_all()?;
    if force {
        new.persist(file)?;
        return Ok(());
    }
    match new.persist_noclobber(file) {
        Ok(_) => Ok(()),
        Err(error) if error.error.kind() == ErrorKind::AlreadyExists => {
            bail!("is there already; --force writes it anew, or give another --file")
        }
        Err(error) => Err(error.into()),
    }
}
