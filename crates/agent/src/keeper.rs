//! The keeper: parent of everything, single-threaded, decides nothing.
//!
//! It holds what must not die with a part: the listening sockets, both ends of the link between agent
//! and gateway, and the exit statuses. Its own standard input is the lifeline to its owner: when
//! that ends, so does every process of the fleet.

use std::collections::{BTreeMap, VecDeque};
use std::fs::{self, OpenOptions};
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::{UnixDatagram as StdDatagram, UnixStream as StdStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use rustix::process::{Signal as Raw, WaitOptions, WaitStatus, wait};
use seaworthy_core::cluster::reconciler::Signal;
use seaworthy_core::endpoints::TaskId;
use seaworthy_core::fleet::{Fleet, Service};
use seaworthy_core::record::Exit;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixDatagram, UnixStream};
use tokio::signal::unix::{Signal as KernelSignal, SignalKind, signal};

use crate::Error;
use crate::messages::{Answer, FromKeeper, Setup, ToKeeper};
use crate::processes::{Identity, RUN, adopt_orphans, end_descendants, signal_group};

/// A gateway that ended is started again after so long.
const GATEWAY_PAUSE: Duration = Duration::from_millis(100);
/// So many clients may wait to be accepted.
const BACKLOG: i32 = 4096;
/// Larger than any message of a fleet of a hundred tasks.
const LONGEST_MESSAGE: usize = 64 << 10;

/// Who a child of the keeper is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Child {
    Agent,
    Gateway,
    Task(TaskId),
}

/// What the keeper holds.
struct Keeper {
    program: PathBuf,
    directory: PathBuf,
    /// One for each service, in their order.
    listeners: Vec<TcpListener>,
    /// The link's ends, kept so that neither side notices when the other is started again.
    link: (StdDatagram, StdDatagram),
    /// To the agent, and the agent's own end.
    agent: (UnixDatagram, StdDatagram),
    children: BTreeMap<u32, Child>,
    /// A child has ended.
    child: KernelSignal,
    /// For the agent, as long as it does not take them.
    outbox: VecDeque<FromKeeper>,
}

/// Why the keeper's work is over.
enum End {
    /// Its owner is gone, or it was told to end.
    Asked,
    /// A part it cannot do without has ended.
    Agent,
}

/// Holds a fleet until the owner at the other end of standard input is gone, then ends all of it.
///
/// Runs as the hidden command `seaworthy part keeper`. The owner first sends [`Setup`] and is sent
/// [`Answer`].
pub fn run() -> Result<(), Error> {
    adopt_orphans();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::Talk("runtime", error))?;
    let result = runtime.block_on(serve());
    end_descendants();
    result
}

async fn serve() -> Result<(), Error> {
    let talk = |error| Error::Talk("owner", error);
    let stdin = io::stdin().as_fd().try_clone_to_owned().map_err(talk)?;
    let lifeline = StdStream::from(stdin);
    lifeline.set_nonblocking(true).map_err(talk)?;
    let (read, mut write) = UnixStream::from_std(lifeline).map_err(talk)?.into_split();
    let mut read = BufReader::new(read);
    let mut line = String::new();
    read.read_line(&mut line).await.map_err(talk)?;
    let setup: Setup = serde_json::from_str(&line).map_err(|e| Error::Message("owner", e))?;

    let started = Keeper::start(&setup).await;
    let answer = match &started {
        Ok((_, listening)) => Answer::Ready(listening.clone()),
        Err(error) => Answer::Failed(describe(error)),
    };
    let mut line = serde_json::to_vec(&answer).expect("an answer is plain data");
    line.push(b'\n');
    write.write_all(&line).await.map_err(talk)?;
    let (mut keeper, _) = started?;
    match keeper.hold(&mut read).await? {
        End::Asked => Ok(()),
        End::Agent => Err(Error::Keeper("the agent ended, and nobody can take its place".into())),
    }
}

// === impl Keeper ===

impl Keeper {
    /// A fleet whose agent takes commands, and where its gateway listens.
    async fn start(setup: &Setup) -> Result<(Self, Vec<SocketAddr>), Error> {
        let program = std::env::current_exe()
            .map_err(|source| Error::Start { program: "seaworthy".into(), source })?;
        let mut fleet = setup.fleet.clone();
        let listeners = fleet.services.iter_mut().map(listen).collect::<Result<_, _>>()?;
        let pair = || StdDatagram::pair().map_err(|error| Error::Talk("agent", error));
        let (to_agent, agents_end) = pair()?;
        to_agent.set_nonblocking(true).map_err(|error| Error::Talk("agent", error))?;
        let to_agent =
            UnixDatagram::from_std(to_agent).map_err(|error| Error::Talk("agent", error))?;
        write_fleet(&setup.directory, &fleet)?;
        let mut keeper = Self {
            program,
            directory: setup.directory.clone(),
            listeners,
            link: pair()?,
            agent: (to_agent, agents_end),
            children: BTreeMap::new(),
            child: watch(SignalKind::child())?,
            outbox: VecDeque::new(),
        };
        keeper.start_gateway()?;
        keeper.start_agent()?;
        keeper.wait_for_agent().await?;
        Ok((keeper, fleet.services.iter().map(|service| service.listen).collect()))
    }

    /// Starts a gateway. Its listening sockets wait for it in the socket that is its standard input.
    fn start_gateway(&mut self) -> Result<(), Error> {
        let (ours, its) = StdDatagram::pair().map_err(|error| Error::Talk("gateway", error))?;
        send(&ours, &self.listeners).map_err(|error| Error::Talk("gateway", error.into()))?;
        let link = dup(&self.link.0)?;
        self.start_own("gateway", Child::Gateway, its.into(), link)
    }

    fn start_agent(&mut self) -> Result<(), Error> {
        let link = dup(&self.link.1)?;
        let channel = dup(&self.agent.1)?;
        self.start_own("agent", Child::Agent, link, channel)
    }

    /// Starts a part of our own with two sockets as its standard input and output.
    fn start_own(
        &mut self,
        part: &str,
        child: Child,
        stdin: OwnedFd,
        stdout: OwnedFd,
    ) -> Result<(), Error> {
        let program = self.program.as_os_str().to_owned();
        let words = [program, "part".into(), part.into(), self.directory.clone().into()];
        let mut command = self.exec(words);
        command.stdin(Stdio::from(stdin)).stdout(Stdio::from(stdout));
        let started = command.spawn();
        let started =
            started.map_err(|source| Error::Start { program: self.program.clone(), source })?;
        self.children.insert(started.id(), child);
        Ok(())
    }

    /// A command that dies with the keeper, in a process group of its own.
    fn exec(&self, words: impl IntoIterator<Item = impl Into<std::ffi::OsString>>) -> Command {
        let mut command = Command::new(&self.program);
        command.args(["part", "exec"]).arg(std::process::id().to_string()).arg("--");
        command.args(words.into_iter().map(Into::into));
        command.env(RUN, &self.directory).process_group(0);
        command
    }

    async fn wait_for_agent(&mut self) -> Result<(), Error> {
        let mut buffer = vec![0; LONGEST_MESSAGE];
        loop {
            tokio::select! {
                message = receive(&self.agent.0, &mut buffer) => match message? {
                    ToKeeper::Ready => return Ok(()),
                    other => self.obey(other),
                },
                _ = self.child.recv() => if !self.reap()?.is_empty() {
                    let problem = "a part of the fleet ended as soon as it was started";
                    return Err(Error::Keeper(problem.into()));
                },
            }
        }
    }

    /// Does what the agent says and tells it what happens, until the end.
    async fn hold(&mut self, owner: &mut (impl AsyncReadExt + Unpin)) -> Result<End, Error> {
        let (mut terminate, mut interrupt) =
            (watch(SignalKind::terminate())?, watch(SignalKind::interrupt())?);
        let mut buffer = vec![0; LONGEST_MESSAGE];
        let mut word = [0; 64];
        loop {
            self.flush();
            tokio::select! {
                message = receive(&self.agent.0, &mut buffer) => self.obey(message?),
                writable = self.agent.0.writable(), if !self.outbox.is_empty() => {
                    writable.map_err(|error| Error::Talk("agent", error))?;
                }
                _ = self.child.recv() => {
                    let ended = self.reap()?;
                    if ended.contains(&Child::Agent) {
                        return Ok(End::Agent);
                    }
                    if ended.contains(&Child::Gateway) {
                        eprintln!("keeper: the gateway ended and is started again");
                        tokio::time::sleep(GATEWAY_PAUSE).await;
                        self.start_gateway()?;
                    }
                }
                read = owner.read(&mut word) => if !matches!(read, Ok(1..)) {
                    return Ok(End::Asked);
                },
                _ = terminate.recv() => return Ok(End::Asked),
                _ = interrupt.recv() => return Ok(End::Asked),
            }
        }
    }

    fn obey(&mut self, message: ToKeeper) {
        match message {
            ToKeeper::Ready => {}
            ToKeeper::Spawn { task, command, environment, log } => {
                let answer = match self.spawn(task, &command, &environment, &log) {
                    Ok(identity) => FromKeeper::Spawned(task, identity),
                    Err(error) => FromKeeper::NotSpawned(task, error),
                };
                self.outbox.push_back(answer);
            }
            ToKeeper::Signal(task, signal) => {
                let signal = match signal {
                    Signal::Terminate => Raw::TERM,
                    Signal::Kill => Raw::KILL,
                };
                let of_task = |(_, child): &(&u32, &Child)| **child == Child::Task(task);
                if let Some((pid, _)) = self.children.iter().find(of_task) {
                    signal_group(*pid, signal);
                }
            }
        }
    }

    fn spawn(
        &mut self,
        task: TaskId,
        command: &[String],
        environment: &BTreeMap<String, String>,
        log: &Path,
    ) -> Result<Identity, String> {
        let (name, arguments) = command.split_first().ok_or("the command is empty")?;
        let program = find_program(name, &self.program)?;
        let open = |e: io::Error| format!("{}: cannot be written: {e}", log.display());
        let out = OpenOptions::new().append(true).create(true).open(log).map_err(open)?;
        let err = out.try_clone().map_err(open)?;
        let words = std::iter::once(program.into_os_string())
            .chain(arguments.iter().map(std::ffi::OsString::from));
        let mut command = self.exec(words);
        command.envs(environment).stdin(Stdio::null()).stdout(out).stderr(err);
        let pid = command.spawn().map_err(|e| format!("{name}: cannot be started: {e}"))?.id();
        self.children.insert(pid, Child::Task(task));
        // It is our child and not reaped, so it can be looked at even if it has ended already.
        Identity::of(pid).ok_or_else(|| format!("{name}: ended before it could be looked at"))
    }

    /// Takes note of every child that ended; returns the parts of our own that did.
    fn reap(&mut self) -> Result<Vec<Child>, Error> {
        let mut ended = Vec::new();
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) => {
                    let pid = pid.as_raw_nonzero().get().unsigned_abs();
                    match self.children.remove(&pid) {
                        Some(Child::Task(task)) => {
                            // What the task leaves behind goes with it.
                            signal_group(pid, Raw::KILL);
                            self.outbox.push_back(FromKeeper::Exited(task, exit(status)));
                        }
                        Some(own) => ended.push(own),
                        // An orphan that came to us as subreaper.
                        None => {}
                    }
                }
                Ok(None) | Err(rustix::io::Errno::CHILD) => return Ok(ended),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(Error::Talk("kernel", error.into())),
            }
        }
    }

    /// Tells the agent what it has not been told yet, as far as it takes it.
    fn flush(&mut self) {
        while let Some(message) = self.outbox.front() {
            let bytes = serde_json::to_vec(message).expect("a message is plain data");
            if self.agent.0.try_send(&bytes).is_err() {
                return;
            }
            self.outbox.pop_front();
        }
    }
}

fn watch(kind: SignalKind) -> Result<KernelSignal, Error> {
    signal(kind).map_err(|error| Error::Talk("kernel", error))
}

async fn receive(agent: &UnixDatagram, buffer: &mut [u8]) -> Result<ToKeeper, Error> {
    let length = agent.recv(buffer).await.map_err(|error| Error::Talk("agent", error))?;
    serde_json::from_slice(&buffer[..length]).map_err(|error| Error::Message("agent", error))
}

/// The listening socket of a service; from now on the service says where it really is.
fn listen(service: &mut Service) -> Result<TcpListener, Error> {
    let address = service.listen;
    let error = |source| Error::Listen { service: service.name.clone(), address, source };
    let listener = TcpListener::bind(address).map_err(error)?;
    // The standard library's queue of 128 is soon full when a gateway is started again.
    rustix::net::listen(&listener, BACKLOG).map_err(|errno| error(errno.into()))?;
    service.listen = listener.local_addr().map_err(error)?;
    Ok(listener)
}

/// Puts sockets into the queue of the other end.
fn send(socket: &StdDatagram, listeners: &[TcpListener]) -> rustix::io::Result<()> {
    let sockets: Vec<_> = listeners.iter().map(AsFd::as_fd).collect();
    let mut space = vec![MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(sockets.len()))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    let fits = ancillary.push(SendAncillaryMessage::ScmRights(&sockets));
    debug_assert!(fits, "the space was made for them");
    let word = &[IoSlice::new(&[0])];
    sendmsg(socket, word, &mut ancillary, SendFlags::empty()).map(|_| ())
}

fn write_fleet(directory: &Path, fleet: &Fleet) -> Result<(), Error> {
    let path = directory.join("fleet.json");
    let json = serde_json::to_vec_pretty(fleet).expect("a fleet is plain data");
    fs::write(&path, json).map_err(|source| Error::File { path, what: "cannot be written", source })
}

/// The file to run for `name`: this very program, a path as given, or the first of that name in
/// PATH.
fn find_program(name: &str, ourselves: &Path) -> Result<PathBuf, String> {
    use std::os::unix::fs::PermissionsExt;
    let runnable = |path: &Path| {
        path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    };
    if name == "seaworthy" {
        return Ok(ourselves.to_owned());
    }
    if name.contains('/') {
        let path = PathBuf::from(name);
        return if runnable(&path) {
            Ok(path)
        } else {
            Err(format!("{name}: there is no such program, or it is not executable"))
        };
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|directory| directory.join(name))
        .find(|path| runnable(path))
        .ok_or_else(|| format!("{name}: there is no such program in PATH ({})", path.display()))
}

fn exit(status: WaitStatus) -> Exit {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => Exit::Code(code),
        (None, Some(signal)) => Exit::Signal(signal),
        (None, None) => Exit::Unknown,
    }
}

fn dup(socket: &impl AsFd) -> Result<OwnedFd, Error> {
    socket.as_fd().try_clone_to_owned().map_err(|error| Error::Talk("kernel", error))
}

/// An error with its causes, on one line.
fn describe(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
