//! The programs that are run once, before the first cell.

use std::fs::File;
use std::io;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

use tokio::signal::unix::{SignalKind, signal};

use crate::Error;
use crate::job::Job;
use crate::output::last_lines;

/// Runs one program of `prepare` to its end. Its output goes to a file in `directory`.
///
/// It is started through `seaworthy part exec`, so that it ends when the drill does.
pub(crate) async fn run(job: &Job, command: &[String], directory: &Path) -> Result<(), Error> {
    let log = directory.join("prepare.log");
    let failed = |end: String| Error::Prepare {
        file: job.file.clone(),
        command: command.join(" "),
        output: last_lines(&log, &end),
        end,
    };
    let ended = async { wait(start(job, command, &log)?).await };
    match ended.await {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(failed(format!("ended with {status}"))),
        Err(error) => Err(failed(format!("cannot be run: {error}"))),
    }
}

fn start(job: &Job, command: &[String], log: &Path) -> io::Result<Child> {
    let (name, arguments) = command.split_first().expect("an empty command was refused when read");
    let output = File::create(log)?;
    let program = if name == "seaworthy" { job.program.as_os_str() } else { name.as_ref() };
    Command::new(&job.program)
        .args(["part", "exec", &std::process::id().to_string(), "--"])
        .arg(program)
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
