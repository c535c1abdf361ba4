//! Whoever wants a fleet: starts its keeper, watches it, and ends it whatever happens.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command as Process, Stdio};
use std::time::Duration;

use seaworthy_core::endpoints::TaskId;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader as AsyncBufReader, Lines};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

use crate::Error;
use crate::clients;
use crate::messages::{Answer, Command, Setup, Update};
use crate::processes::{RUN, end_fleet};

/// The keeper answers within this, or it is not there.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// A running fleet. Dropping it ends every process of it.
#[derive(Debug)]
pub struct Fleet {
    keeper: Child,
    /// The keeper ends all when this closes.
    lifeline: Option<StdStream>,
    listening: Vec<SocketAddr>,
    directory: PathBuf,
}

/// A conversation with a fleet's agent.
#[derive(Debug)]
pub struct Control {
    write: OwnedWriteHalf,
    updates: Lines<AsyncBufReader<OwnedReadHalf>>,
}

// === impl Fleet ===

impl Fleet {
    /// Starts a fleet with `program`, which is this program, as its keeper. What the fleet's own
    /// parts and its tasks have to say goes to `log`.
    pub fn start(program: &Path, setup: &Setup, log: Stdio) -> Result<Self, Error> {
        let talk = |error| Error::Talk("keeper", error);
        let (mut lifeline, keepers_end) = StdStream::pair().map_err(talk)?;
        let mut keeper = Process::new(program)
            .args(["part", "keeper"])
            .env(RUN, &setup.directory)
            .stdin(Stdio::from(OwnedFd::from(keepers_end)))
            .stdout(Stdio::null())
            .stderr(log)
            // A Ctrl-C is for us; the keeper learns of it when we are gone.
            .process_group(0)
            .spawn()
            .map_err(|source| Error::Start { program: program.to_owned(), source })?;
        let mut answer = || {
            let mut line = serde_json::to_vec(setup).expect("a setup is plain data");
            line.push(b'\n');
            lifeline.write_all(&line).map_err(talk)?;
            lifeline.set_read_timeout(Some(ANSWER_WITHIN)).map_err(talk)?;
            let mut line = String::new();
            BufReader::new(&lifeline).read_line(&mut line).map_err(talk)?;
            if line.is_empty() {
                return Err(Error::KeeperGone);
            }
            serde_json::from_str(&line).map_err(|error| Error::Message("keeper", error))
        };
        let answer = answer();
        let directory = setup.directory.clone();
        match answer {
            Ok(Answer::Ready(listening)) => {
                Ok(Self { keeper, lifeline: Some(lifeline), listening, directory })
            }
            Ok(Answer::Failed(why)) => {
                drop(lifeline);
                let _ = keeper.wait();
                Err(Error::Keeper(why))
            }
            Err(error) => {
                let _ = keeper.kill().and_then(|()| keeper.wait());
                end_fleet(&setup.directory);
                Err(error)
            }
        }
    }

    /// Where the gateway takes requests for each service, in their order.
    pub fn listening(&self) -> &[SocketAddr] {
        &self.listening
    }

    /// Talks to the agent. May be done more than once.
    pub async fn connect(&self) -> Result<Control, Error> {
        let stream = UnixStream::connect(clients::socket(&self.directory)).await;
        let (read, write) = stream.map_err(|error| Error::Talk("agent", error))?.into_split();
        Ok(Control { write, updates: AsyncBufReader::new(read).lines() })
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        drop(self.lifeline.take());
        let _ = self.keeper.wait();
        // Whatever a keeper that was killed has left behind has come to us.
        end_fleet(&self.directory);
    }
}

// === impl Control ===

impl Control {
    /// Stops a task at once and undrained, as by hand in ECS.
    pub async fn stop(&mut self, task: TaskId) -> Result<(), Error> {
        self.send(&Command::Stop(task)).await
    }

    /// Begins a deployment of a new revision of `service`: with this added to its environment, and with
    /// this command if it is another one. Whether it can begin is told by an [`update`](Self::update).
    pub async fn deploy(
        &mut self,
        service: String,
        environment: BTreeMap<String, String>,
        command: Option<Vec<String>>,
    ) -> Result<(), Error> {
        self.send(&Command::Deploy { service, environment, command }).await
    }

    async fn send(&mut self, command: &Command) -> Result<(), Error> {
        let mut line = serde_json::to_vec(command).expect("a command is plain data");
        line.push(b'\n');
        self.write.write_all(&line).await.map_err(|error| Error::Talk("agent", error))
    }

    /// The next update; the first one tells everything so far. Cancel safe.
    pub async fn update(&mut self) -> Result<Update, Error> {
        let line = self.updates.next_line().await.map_err(|error| Error::Talk("agent", error))?;
        let line = line.ok_or(Error::KeeperGone)?;
        serde_json::from_str(&line).map_err(|error| Error::Message("agent", error))
    }
}
