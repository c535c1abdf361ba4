//! A relay before one task: what a drill disturbs on the way between gateway and task, whatever
//! program the task is.
//!
//! It is started in place of the program, takes the port that the task was given, and starts the
//! program on another one. Both are of one process group and end together. Only a drill with such a
//! fault has relays, and then in all its cells, before every task of that service.
//!
//! The drill tells it over a Unix socket in the run directory: a line of JSON, a
//! [`TaskFault`], is in force as long as its connection is open. As soon as a request has met it,
//! one byte comes back.

use std::env;
use std::ffi::OsString;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, ExitStatus};
use std::rc::Rc;
use std::time::Duration;

use seaworthy_agent::processes::RUN;
use seaworthy_core::experiment::TaskFault;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::LocalSet;

use crate::link::Link;

/// How often it is looked whether a fault has met a request.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// A line that is longer is none of the drill's.
const LONGEST_LINE: u64 = 1_000;

/// Where the relay before the task on `port` is told.
pub(crate) fn socket(directory: &Path, port: u16) -> PathBuf {
    directory.join(format!("relay-{port}"))
}

/// The command of a task with a relay before it.
pub(crate) fn before(seaworthy: &Path, command: &[String]) -> Vec<String> {
    let seaworthy = seaworthy.display().to_string();
    let relay = [seaworthy.as_str(), "part", "relay", "--"].map(str::to_owned);
    let mut command = command.to_vec();
    // As the keeper reads it.
    command.iter_mut().take(1).filter(|name| *name == "seaworthy").for_each(|name| {
        name.clone_from(&seaworthy);
    });
    relay.into_iter().chain(command).collect()
}

/// Stands before `command` until that ends, and ends as it does.
///
/// Runs as the hidden command `seaworthy part relay`, started by the keeper in place of a task.
pub fn run(command: &[OsString]) -> io::Result<ExitCode> {
    let variable = |name: &str| env::var_os(name).ok_or(io::ErrorKind::NotFound);
    let port = variable("PORT")?.to_str().and_then(|port| port.parse().ok());
    let port = port.ok_or(io::ErrorKind::InvalidInput)?;
    let link = Rc::new(Link::start(port, 0)?);
    let theirs = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
    link.forward_to(theirs);
    let socket = socket(Path::new(&variable(RUN)?), port);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, async {
        // It is meant for the whole group; we go when the program has gone.
        let _terminate = signal(SignalKind::terminate())?;
        // An earlier task may have had the same port.
        let _ = std::fs::remove_file(&socket);
        let control = UnixListener::bind(&socket)?;
        let mut program = start(command, theirs.port())?;
        let ended = tokio::task::spawn_blocking(move || program.wait());
        tokio::select! {
            ended = ended => ended.map_err(io::Error::other)?.map(code),
            failed = serve(&control, &link) => Err(failed),
        }
    })
}

/// The program, which ends when we do.
fn start(command: &[OsString], port: u16) -> io::Result<Child> {
    let parent = std::process::id().to_string();
    let mut exec = Command::new(env::current_exe()?);
    exec.args(["part", "exec", &parent, "--"]).args(command).env("PORT", port.to_string());
    exec.spawn()
}

/// As a shell tells of a program.
fn code(status: ExitStatus) -> ExitCode {
    let signal = || 128 + status.signal().unwrap_or_default();
    ExitCode::from(status.code().unwrap_or_else(signal) as u8)
}

/// Takes the drill's connections; returns only if that cannot be done.
async fn serve(control: &UnixListener, link: &Rc<Link>) -> io::Error {
    loop {
        match control.accept().await {
            Ok((drill, _)) => {
                let link = Rc::clone(link);
                // Whoever is told nothing back knows that nothing was proven.
                tokio::task::spawn_local(async move { obey(drill, &link).await });
            }
            Err(error) => return error,
        }
    }
}

/// Does what one connection says, as long as it is open.
async fn obey(drill: UnixStream, link: &Link) -> io::Result<()> {
    let (from_drill, mut to_drill) = drill.into_split();
    let mut from_drill = BufReader::new(from_drill.take(LONGEST_LINE));
    let mut said = String::new();
    from_drill.read_line(&mut said).await?;
    let fault: TaskFault = serde_json::from_str(&said)?;
    let fault = fault.on_the_way().ok_or(io::ErrorKind::InvalidInput)?;
    let id = link.inflict(fault);
    let prove = async {
        while link.met(id) == 0 {
            tokio::time::sleep(LOOK_EVERY).await;
        }
        to_drill.write_all(b"!").await?;
        std::future::pending::<io::Result<()>>().await
    };
    let mut rest = Vec::new();
    let ended = tokio::select! {
        failed = prove => failed,
        over = from_drill.read_to_end(&mut rest) => over.map(drop),
    };
    link.heal(id);
    ended
}
