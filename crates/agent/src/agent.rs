//! The agent: asks core what should start and stop, and has it done.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram as StdDatagram;
use std::path::{Path, PathBuf};
use std::time::Duration;

use seaworthy_core::cluster::Numbers;
use seaworthy_core::cluster::reconciler::{Action, Event, Reconciler};
use seaworthy_core::endpoints::{About, Endpoints, Sightings, TaskId};
use seaworthy_core::fleet::{Fleet, Service};
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
    services: Vec<Managed>,
    /// Where each service is called, for every task's environment.
    urls: BTreeMap<String, String>,
    keeper: UnixDatagram,
    gateway: UnixDatagram,
    ports: Ports,
    outputs: Outputs,
    clients: Clients,
    processes: BTreeMap<TaskId, Identity>,
    /// For the keeper, as long as it does not take them.
    outbox: VecDeque<ToKeeper>,
}

/// One service of the fleet.
struct Managed {
    service: Service,
    numbers: Numbers,
    reconciler: Reconciler,
    /// The last time, no port could be had for its next task.
    needs_port: bool,
    /// For the gateway, as long as it does not take it.
    unpublished: Option<Endpoints>,
}

/// Everything that makes the agent do something.
enum Incoming {
    Keeper(FromKeeper),
    Gateway(About<Sightings>),
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
            urls: fleet.services.iter().map(url).collect(),
            services: Managed::all(fleet),
            gateway: channel("gateway", io::stdin())?,
            keeper: channel("keeper", io::stdout())?,
            ports: Ports::default(),
            outputs: Outputs::new(&tasks),
            clients,
            processes: BTreeMap::new(),
            outbox: VecDeque::new(),
        })
    }

    async fn serve(
        &mut self,
        socket: UnixListener,
        mut commands: mpsc::Receiver<Command>,
    ) -> Result<(), Error> {
        self.offer_ports();
        let mut tick = tokio::time::interval(TICK);
        let mut buffers = (vec![0; LONGEST_MESSAGE], vec![0; LONGEST_MESSAGE]);
        loop {
            self.flush();
            let reconcilers = self.services.iter().map(|managed| &managed.reconciler);
            let deadline = reconcilers.filter_map(Machine::poll_timeout).min();
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
                self.drive_of(task, Event::Launched(task));
            }
            Incoming::Keeper(FromKeeper::NotSpawned(task, why)) => {
                eprintln!("{task} | {why}");
                self.outputs.close(task, &mut io::stderr());
                self.drive_of(task, Event::NotLaunched(task, why));
            }
            Incoming::Keeper(FromKeeper::Exited(task, exit)) => {
                self.processes.remove(&task);
                self.outputs.close(task, &mut io::stderr());
                self.drive_of(task, Event::Exited(task, exit));
            }
            Incoming::Gateway(About { service, snapshot }) => {
                let named = |managed: &Managed| managed.service.name == service;
                if let Some(place) = self.services.iter().position(named) {
                    self.drive(place, Some(Event::Sightings(snapshot)));
                }
            }
            Incoming::Client(client) => self.clients.add(now(), client),
            Incoming::Command(Command::Stop(task)) => self.drive_of(task, Event::Stop(task)),
            Incoming::Command(Command::Deploy { .. }) => {}
            Incoming::Tick => {
                self.outputs.tell(&mut io::stderr());
                self.offer_ports();
            }
            Incoming::Time => (0..self.services.len()).for_each(|place| self.drive(place, None)),
        }
    }

    /// Tells the service of `task`.
    fn drive_of(&mut self, task: TaskId, event: Event) {
        let place = self.services.iter().position(|managed| managed.numbers.include(task));
        self.drive(place.expect("every number is of one service"), Some(event));
    }

    /// Tells core about the service at `place`, does what it wants, and tells the clients.
    fn drive(&mut self, place: usize, event: Option<Event>) {
        let at = now();
        let mut actions = Vec::new();
        let reconciler = &mut self.services[place].reconciler;
        drive(reconciler, at, event, |action| actions.push(action));
        for action in actions {
            self.carry_out(place, action);
        }
        let views = self.services.iter().flat_map(|managed| managed.views(&self.processes));
        let mut views: Vec<_> = views.collect();
        views.sort_unstable_by_key(|task| task.view.task);
        self.clients.tell(at, views);
    }

    fn carry_out(&mut self, place: usize, action: Action) {
        match action {
            Action::Launch { task, revision, port } => self.launch(place, task, revision, port),
            Action::Signal(task, signal) => self.outbox.push_back(ToKeeper::Signal(task, signal)),
            Action::Publish(endpoints) => self.services[place].unpublished = Some(endpoints),
            Action::Record(record) => self.clients.record(record),
        }
    }

    fn launch(&mut self, place: usize, task: TaskId, revision: u32, port: u16) {
        self.ports.release(port);
        match self.outputs.open(task) {
            Ok(log) => self.spawn(place, task, revision, port, log),
            Err(error) => {
                let why = format!("its output file cannot be opened: {error}");
                self.drive(place, Some(Event::NotLaunched(task, why)));
            }
        }
        self.offer_port(place);
    }

    fn spawn(&mut self, place: usize, task: TaskId, revision: u32, port: u16, log: PathBuf) {
        let service = &self.services[place].service;
        let mut environment = self.urls.clone();
        environment.extend(service.environment.clone());
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

    /// Where no port could be had, it is tried again.
    fn offer_ports(&mut self) {
        for place in 0..self.services.len() {
            if self.services[place].needs_port {
                self.offer_port(place);
            }
        }
    }

    /// Core always has a port for the next task; where none can be had, it is tried again soon.
    fn offer_port(&mut self, place: usize) {
        match self.ports.reserve() {
            Ok(port) => {
                self.services[place].needs_port = false;
                self.drive(place, Some(Event::Port(port)));
            }
            Err(error) => {
                if !std::mem::replace(&mut self.services[place].needs_port, true) {
                    eprintln!("agent: no port can be had: {error}");
                }
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
        for managed in &mut self.services {
            managed.publish(&self.gateway);
        }
    }
}

// === impl Managed ===

impl Managed {
    fn all(fleet: Fleet) -> Vec<Self> {
        let (seed, count) = (fleet.seed, fleet.services.len());
        let managed = |(place, service): (usize, Service)| {
            let numbers = Numbers::of(place, count);
            Self {
                reconciler: Reconciler::new(service.cluster.clone(), seed, numbers),
                service,
                numbers,
                // Its first one.
                needs_port: true,
                unpublished: None,
            }
        };
        fleet.services.into_iter().enumerate().map(managed).collect()
    }

    fn views(&self, processes: &BTreeMap<TaskId, Identity>) -> impl Iterator<Item = TaskView> {
        self.reconciler.views().into_iter().map(|view| TaskView {
            service: self.service.name.clone(),
            process: processes.get(&view.task).copied(),
            view,
        })
    }

    /// Tells the gateway what it is to know, if it takes it.
    fn publish(&mut self, gateway: &UnixDatagram) {
        if let Some(snapshot) = self.unpublished.take() {
            let about = About { service: self.service.name.clone(), snapshot };
            let bytes = serde_json::to_vec(&about).expect("endpoints are plain data");
            if gateway.try_send(&bytes).is_err() {
                self.unpublished = Some(about.snapshot);
            }
        }
    }
}

/// The variable in which tasks find a service, and where that is. What listens everywhere is called
/// by way of this machine itself.
fn url(service: &Service) -> (String, String) {
    let (mut address, port) = (service.listen.ip(), service.listen.port());
    if address.is_unspecified() {
        address = Ipv4Addr::LOCALHOST.into();
    }
    (service.url_variable(), format!("http://{}", SocketAddr::new(address, port)))
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
