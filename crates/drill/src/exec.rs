//! Runs the commands of a drill file: what prepares it, and faults that are commands.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::signal::unix::{SignalKind, signal};

use crate::output::last_lines;

/// What is undone at the very end has so long.
const LAST_PATIENCE: Duration = Duration::from_secs(10);
/// It is looked at so often.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Runs commands one by one. All clones owe the same.
///
/// They are started through `seaworthy part exec`, so that they end when the drill does.
#[derive(Clone)]
pub(crate) struct Runner(Arc<Owed>);

/// Commands that undo what was done. What is owed when the last one forgets about it, is done then.
struct Owed {
    program: PathBuf,
    /// Where each command has its output.
    log: PathBuf,
    commands: Mutex<Vec<Vec<String>>>,
}

// === impl Runner ===

impl Runner {
    /// `program` is this very program.
    pub(crate) fn new(program: PathBuf, log: PathBuf) -> Self {
        Self(Arc::new(Owed { program, log, commands: Mutex::default() }))
    }

    /// Runs a command to its end; an error says how it ended and what it had to say.
    pub(crate) async fn run(&self, command: &[String]) -> Result<(), String> {
        let Owed { program, log, .. } = &*self.0;
        let ended = async { wait(start(program, command, log)?).await };
        told(command, ended.await, log)
    }

    /// However this ends, `command` is run once more at the latest then.
    pub(crate) fn owe(&self, command: Vec<String>) {
        self.0.commands().push(command);
    }

    /// `command` was run: it is owed no more.
    pub(crate) fn paid(&self, command: &[String]) {
        let mut owed = self.0.commands();
        if let Some(at) = owed.iter().position(|other| other == command) {
            owed.remove(at);
        }
    }
}

// === impl Owed ===

impl Owed {
    fn commands(&self) -> std::sync::MutexGuard<'_, Vec<Vec<String>>> {
        self.commands.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Owed {
    fn drop(&mut self) {
        let commands = std::mem::take(&mut *self.commands());
        for command in commands {
            let ended = start(&self.program, &command, &self.log).and_then(wait_a_while);
            if let Err(why) = told(&command, ended, &self.log) {
                eprintln!("seaworthy: what a fault did could not be undone: {why}");
            }
        }
    }
}

fn start(program: &Path, command: &[String], log: &Path) -> io::Result<Child> {
    let (name, arguments) = command.split_first().expect("an empty command was refused when read");
    let output = File::create(log)?;
    let own = if name == "seaworthy" { program.as_os_str() } else { name.as_ref() };
    Command::new(program)
        .args(["part", "exec", &std::process::id().to_string(), "--"])
        .arg(own)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        .spawn()
}

async fn wait(mut child: Child) -> io::Result<ExitStatus> {
    let mut ended = signal(SignalKind::child())?;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        ended.recv().await;
    }
}

/// Waits without a runtime, and not for ever: nobody else can end this any more.
fn wait_a_while(mut child: Child) -> io::Result<ExitStatus> {
    let deadline = Instant::now() + LAST_PATIENCE;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if Instant::now() >= deadline {
            child.kill()?;
            return child.wait();
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

fn told(command: &[String], ended: io::Result<ExitStatus>, log: &Path) -> Result<(), String> {
    let end = match ended {
        Ok(status) if status.success() => return Ok(()),
        Ok(status) => format!("ended with {status}"),
        Err(error) => format!("cannot be run: {error}"),
    };
    let output = last_lines(log, &end);
    Err(format!("`{}` {end}{output}", command.join(" ")))
}
