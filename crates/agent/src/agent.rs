//! The agent: asks core what should start and stop, and has it done.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram as StdDatagram;
use std::path::{Path, PathBuf};
use std::time::Duration;

use seaworthy_core::cluster::reconciler::{Action, Event, Reconciler};
use seaworthy_core::endpoints::{Endpoints, Sightings, TaskId};
use seaworthy_core::fleet::Fleet;
use seaworthy_core::machine::{Machine, drive};
use tokio::net::{UnixDatagram, UnixListener};
use tokio::sync::mpsc;

use crate::Error;
use crate::clients::{self, Clients};
use crate::clock::{now, sleep_until};
use crate::messages::{Command, FromKeeper, TaskView, ToKeeper};
use crate::output::Outputs;
use crate::ports::Ports;
use crate::processes::Identity;

/// How often the tasks' output is looked at, and a port asked for again.
const TICK: Duration = Duration::from_millis(100);
const LONGEST_MESSAGE: usize = 64 << 10;

struct Agent {
    fleet: Fleet,
    reconciler: Reconciler,
    keeper: UnixDatagram,
    gateway: UnixDatagram,
    ports: Ports,
    /// The last time, none could be had.
    needs_port: bool,
    outputs: Outputs,
    clients: Clients,
    processes: BTreeMap<TaskId, Identity>,
    /// For the keeper, as long as it does not take them.
    outbox: VecDeque<ToKeeper>,
    /// For the gateway, as long as it does not take it.
    unpublished: Option<Endpoints>,
}

/// Everything that makes the agent do something.
enum Incoming {
    Keeper(FromKeeper),
    Gateway(Sightings),
    Client(tokio::net::UnixStream),
    Command(Command),
    Tick,
    Time,
}

/// Keeps the fleet of a run directory as desired, until it is killed.
///
/// Runs as the hidden command `seaworthy part agent`, started by the keeper: standard input is the link
/// to the gateway, standard output the way to the keeper.
pub fn run(directory: &Path) -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::Talk("runtime", error))?;
    runtime.block_on(async {
        let (commands, inbox) = mpsc::channel(16);
        let socket = listen(&clients::socket(directory))?;
        let mut agent = Agent::new(directory, Clients::new(commands))?;
        agent.outbox.push_back(ToKeeper::Ready);
        agent.serve(socket, inbox).await
    })
}

// === impl Agent ===

impl Agent {
    fn new(directory: &Path, clients: Clients) -> Result<Self, Error> {
        let path = directory.join("fleet.json");
        let file = |what| {
            let path = path.clone();
            move |source| Error::File { path, what, source }
        };
        let json = fs::read(&path).map_err(file("cannot be read"))?;
        let fleet: Fleet =
            serde_json::from_slice(&json).map_err(|error| Error::Message("fleet file", error))?;
        let tasks = directory.join("tasks");
        fs::create_dir_all(&tasks).map_err(file("has no room for the tasks' output"))?;
        Ok(Self {
            reconciler: Reconciler::new(fleet.service.cluster.clone(), fleet.seed),
            fleet,
            gateway: channel("gateway", io::stdin())?,
            keeper: channel("keeper", io::stdout())?,
            ports: Ports::default(),
            needs_port: false,
            outputs: Outputs::new(&tasks),
            clients,
            processes: BTreeMap::new(),
            outbox: VecDeque::new(),
            unpublished: None,
        })
    }

    async fn serve(
        &mut self,
        socket: UnixListener,
        mut commands: mpsc::Receiver<Command>,
    ) -> Result<(), Error> {
        self.offer_port();
        let mut tick = tokio::time::interval(TICK);
        let mut buffers = (vec![0; LONGEST_MESSAGE], vec![0; LONGEST_MESSAGE]);
        loop {
            self.flush();
            let deadline = self.reconciler.poll_timeout();
            let incoming = tokio::select! {
                received = self.keeper.recv(&mut buffers.0) =>
                    Incoming::Keeper(read("keeper", &buffers.0, received)?),
                received = self.gateway.recv(&mut buffers.1) =>
                    Incoming::Gateway(read("gateway", &buffers.1, received)?),
                Some(command) = commands.recv() => Incoming::Command(command),
                Ok((client, _)) = socket.accept() => Incoming::Client(client),
                _ = tick.tick() => Incoming::Tick,
                () = sleep_until(deadline) => Incoming::Time,
            };
            self.take(incoming);
        }
    }

    fn take(&mut self, incoming: Incoming) {
        match incoming {
            Incoming::Keeper(FromKeeper::Spawned(task, identity)) => {
                self.processes.insert(task, identity);
                self.drive(Some(Event::Launched(task)));
            }
            Incoming::Keeper(FromKeeper::NotSpawned(task, why)) => {
                eprintln!("{task} | {why}");
                self.outputs.close(task, &mut io::stderr());
                self.drive(Some(Event::NotLaunched(task, why)));
            }
            Incoming::Keeper(FromKeeper::Exited(task, exit)) => {
                self.processes.remove(&task);
                self.outputs.close(task, &mut io::stderr());
                self.drive(Some(Event::Exited(task, exit)));
            }
            Incoming::Gateway(sightings) => self.drive(Some(Event::Sightings(sightings))),
            Incoming::Client(client) => self.clients.add(now(), client),
            Incoming::Command(Command::Stop(task)) => self.drive(Some(Event::Stop(task))),
            Incoming::Tick => {
                self.outputs.tell(&mut io::stderr());
                if self.needs_port {
                    self.offer_port();
                }
            }
            Incoming::Time => self.drive(None),
        }
    }

    /// Tells core, does what it wants, and tells the clients.
    fn drive(&mut self, event: Option<Event>) {
        let at = now();
        let mut actions = Vec::new();
        drive(&mut self.reconciler, at, event, |action| actions.push(action));
        for action in actions {
            self.carry_out(action);
        }
        let view = |view: seaworthy_core::cluster::View| TaskView {
            view,
            process: self.processes.get(&view.task).copied(),
        };
        let views = self.reconciler.views().into_iter().map(view).collect();
        self.clients.tell(at, views);
    }

    fn carry_out(&mut self, action: Action) {
        match action {
            Action::Launch { task, revision, port } => self.launch(task, revision, port),
            Action::Signal(task, signal) => self.outbox.push_back(ToKeeper::Signal(task, signal)),
            Action::Publish(endpoints) => self.unpublished = Some(endpoints),
            Action::Record(record) => self.clients.record(record),
        }
    }

    fn launch(&mut self, task: TaskId, revision: u32, port: u16) {
        self.ports.release(port);
        match self.outputs.open(task) {
            Ok(log) => self.spawn(task, revision, port, log),
            Err(error) => {
                let why = format!("its output file cannot be opened: {error}");
                self.drive(Some(Event::NotLaunched(task, why)));
            }
        }
        self.offer_port();
    }

    fn spawn(&mut self, task: TaskId, revision: u32, port: u16, log: PathBuf) {
        let service = &self.fleet.service;
        let mut environment = service.environment.clone();
        environment.extend([
            ("PORT".to_owned(), port.to_string()),
            ("SEAWORTHY_TASK".to_owned(), task.to_string()),
            ("SEAWORTHY_SERVICE".to_owned(), service.name.clone()),
            ("SEAWORTHY_REVISION".to_owned(), revision.to_string()),
        ]);
        let command = service.command.clone();
        self.outbox.push_back(ToKeeper::Spawn { task, command, environment, log });
        self.flush();
    }

    /// Core always has a port for the next task; where none can be had, it is tried again soon.
    fn offer_port(&mut self) {
        match self.ports.reserve() {
            Ok(port) => {
                self.needs_port = false;
                self.drive(Some(Event::Port(port)));
            }
            Err(_) if self.needs_port => {}
            Err(error) => {
                self.needs_port = true;
                eprintln!("agent: no port can be had: {error}");
            }
        }
    }

    /// Sends what there is to send, as far as it is taken; the rest goes next time.
    fn flush(&mut self) {
        while let Some(message) = self.outbox.front() {
            let bytes = serde_json::to_vec(message).expect("a message is plain data");
            if self.keeper.try_send(&bytes).is_err() {
                break;
            }
            self.outbox.pop_front();
        }
        if let Some(endpoints) = &self.unpublished {
            let bytes = serde_json::to_vec(endpoints).expect("endpoints are plain data");
            if self.gateway.try_send(&bytes).is_ok() {
                self.unpublished = None;
            }
        }
    }
}

/// A datagram socket that the keeper gave us as a standard stream.
fn channel(whose: &'static str, stream: impl AsFd) -> Result<UnixDatagram, Error> {
    let talk = |error| Error::Talk(whose, error);
    let socket = StdDatagram::from(stream.as_fd().try_clone_to_owned().map_err(talk)?);
    socket.set_nonblocking(true).map_err(talk)?;
    UnixDatagram::from_std(socket).map_err(talk)
}

fn listen(path: &PathBuf) -> Result<UnixListener, Error> {
    let file = |what| move |source| Error::File { path: path.clone(), what, source };
    let listener = UnixListener::bind(path).map_err(file("cannot be listened on"))?;
    let own = fs::Permissions::from_mode(0o600);
    fs::set_permissions(path, own).map_err(file("cannot be kept from others"))?;
    Ok(listener)
}

fn read<T: serde::de::DeserializeOwned>(
    whose: &'static str,
    buffer: &[u8],
    received: io::Result<usize>,
) -> Result<T, Error> {
    let length = received.map_err(|error| Error::Talk(whose, error))?;
    serde_json::from_slice(&buffer[..length]).map_err(|error| Error::Message(whose, error))
}
