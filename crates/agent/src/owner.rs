//! Whoever wants a fleet: starts its keeper, watches it, and ends it whatever happens.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, ErrorKind};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream as StdStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command as Process, Stdio};
use std::time::Duration;

use seaworthy_core::cluster::spread::Site;
use seaworthy_core::endpoints::TaskId;
use seaworthy_core::fleet;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader as AsyncBufReader, Lines};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::oneshot;

use crate::api::socket;
use crate::directory::Directory;
use crate::messages::{Answer, Command, Setup, Update};
use crate::processes::{PART, RUN, end_all_of, end_fleet, keeper_of, wait_for};
use crate::{Error, clients, descriptors};

/// The keeper answers within this, or it hangs: it bears with an agent and a gateway that hang for a
/// shorter time.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// A running fleet. Dropping it ends every process of it.
#[derive(Debug)]
pub struct Fleet {
    keeper: Keeper,
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
    pub fn start(
        program: &Path,
        directory: &Path,
        fleet: fleet::Fleet,
        log: Stdio,
    ) -> Result<Self, Error> {
        // Its path is one that can be told.
        Directory::at(directory)?;
        let setup = Setup {
            directory: directory.to_owned(),
            tied: true,
            fleet: Some(fleet),
            sockets: Vec::new(),
            children: None,
        };
        let mut keeper = Keeper::start(program, &setup, &[], log)?;
        match keeper.answer(directory) {
            Ok(listening) => Ok(Self { keeper, listening, directory: setup.directory }),
            Err(error) => {
                keeper.end(&setup.directory);
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
        let stream = socket::connect_in(&self.directory, clients::SOCKET).await;
        let (read, write) = stream.map_err(|error| Error::Talk("agent", error))?.into_split();
        Ok(Control { write, updates: AsyncBufReader::new(read).lines() })
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        self.keeper.end(&self.directory);
    }
}

/// Starts a free keeper for the fleet of a directory, which outlives us: `fleet` if it is given, or
/// what the directory knows; taking over what runs of it already. `sockets` are those it may listen
/// with. Returns where the gateway listens for each service, in their order.
pub fn launch(
    program: &Path,
    directory: &Directory,
    fleet: Option<fleet::Fleet>,
    sockets: Vec<(String, TcpListener)>,
) -> Result<Vec<SocketAddr>, Error> {
    let (names, sockets): (Vec<_>, Vec<_>) = sockets.into_iter().unzip();
    let directory_path = directory.path().to_owned();
    let setup =
        Setup { directory: directory_path, tied: false, fleet, sockets: names, children: None };
    let log = Stdio::from(directory.open_log()?);
    let mut keeper = Keeper::start(program, &setup, &sockets, log)?;
    let answer = keeper.answer(directory.path());
    match &answer {
        Ok(_) | Err(Error::Waits(_)) => return answer,
        Err(Error::Talk(..)) => drop(keeper.process.kill()),
        // It has nothing to hold, so it ends by itself.
        Err(_) => {}
    }
    let _ = keeper.process.wait();
    answer
}

/// Ends every process of the fleet of a directory, whatever it is doing.
pub fn end_at_once(directory: &Path) {
    end_all_of(directory);
}

/// Whether the fleet of a directory has a keeper.
pub fn has_keeper(directory: &Path) -> bool {
    keeper_of(directory).is_some()
}

/// Waits until the fleet of a directory has no keeper.
pub async fn keeper_ended(directory: &Path) {
    while let Some(keeper) = keeper_of(directory) {
        let (tell, told) = oneshot::channel();
        std::thread::spawn(move || {
            if let Some(watch) = keeper.watch() {
                wait_for(&watch);
                keeper.reap();
            }
            let _ = tell.send(());
        });
        let _ = told.await;
    }
}

/// A keeper, and the way to it. A tied one ends all when that closes.
#[derive(Debug)]
struct Keeper {
    process: Child,
    line: Option<StdStream>,
}

// === impl Keeper ===

impl Keeper {
    fn start(
        program: &Path,
        setup: &Setup,
        sockets: &[TcpListener],
        log: Stdio,
    ) -> Result<Self, Error> {
        let talk = |error| Error::Talk("keeper", error);
        let (line, its) = StdStream::pair().map_err(talk)?;
        let mut command = Process::new(program);
        command.args(["part", "keeper"]).env(RUN, &setup.directory).env(PART, "keeper");
        command.stdin(Stdio::from(OwnedFd::from(its))).stdout(Stdio::null()).stderr(log);
        if setup.tied {
            // A Ctrl-C is for us; the keeper learns of it when we are gone.
            command.process_group(0);
        }
        let process = command.spawn();
        let process =
            process.map_err(|source| Error::Start { program: program.to_owned(), source })?;
        let keeper = Self { process, line: Some(line) };
        let mut text = serde_json::to_vec(setup).expect("a setup is plain data");
        text.push(b'\n');
        let sockets: Vec<_> = sockets.iter().map(AsFd::as_fd).collect();
        // If it is gone already, so is its answer.
        let _ = descriptors::send(keeper.line.as_ref().expect("it is open"), &text, &sockets);
        Ok(keeper)
    }

    /// Where the gateway listens for each service.
    fn answer(&mut self, directory: &Path) -> Result<Vec<SocketAddr>, Error> {
        let talk = |error| Error::Talk("keeper", error);
        let stream = self.line.as_ref().expect("it is open until the end");
        stream.set_read_timeout(Some(ANSWER_WITHIN)).map_err(talk)?;
        let mut line = String::new();
        match BufReader::new(stream).read_line(&mut line) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Err(talk(error)),
            // Who is killed before it has read what it was sent resets the connection.
            Ok(0) | Err(_) => return Err(Error::KeeperGone),
            Ok(_) => {}
        }
        match serde_json::from_str(&line).map_err(|error| Error::Message("keeper", error))? {
            Answer::Ready(listening) => Ok(listening),
            Answer::Kept(keeper) => Err(Error::Kept { path: directory.to_owned(), keeper }),
            Answer::Waits(why) => Err(Error::Waits(why)),
            Answer::Failed(why) => Err(Error::Keeper(why)),
        }
    }

    /// Ends it and all that it holds.
    fn end(&mut self, directory: &Path) {
        drop(self.line.take());
        let _ = self.process.wait();
        // Whatever a keeper that was killed has left behind has come to us.
        end_fleet(directory);
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

    /// Takes the power from the machines of `service` there, and nowhere else.
    pub async fn power_off(&mut self, service: String, sites: Vec<Site>) -> Result<(), Error> {
        self.send(&Command::PowerOff { service, sites }).await
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
