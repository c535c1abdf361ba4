//! The agent: asks core what should start and stop, and has it done.
//!
//! It may be killed at any moment: what it must not forget is in the directory before it acts, and
//! whoever follows on it adopts what runs.

mod begin;
mod control;
mod keeper;
mod managed;
mod meant;
mod memory;
mod parts;
mod resources;
mod store;
mod tasks;
mod views;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use seaworthy_core::cluster::reconciler::{Action, Ending, Event};
use seaworthy_core::endpoints::{About, Sightings, TaskId};
use seaworthy_core::fleet::{Fleet, Service};
use seaworthy_core::machine::Machine;
use seaworthy_core::record::Decision;
use seaworthy_core::time::Instant;
use tokio::net::{TcpListener, UnixDatagram, UnixListener, UnixStream};
use tokio::sync::{broadcast, mpsc};

use crate::Error;
use crate::api::token::Token;
use crate::api::types::{Deploy, DeployReply, LogLine, Upgraded};
use crate::api::{Ask, Handle, Journal, Reply, Wall, server, socket};
use crate::clients::{self, Clients};
use crate::clock::{now, sleep_until};
use crate::directory::{self, Directory};
use crate::environment;
use crate::messages::{Command, FromKeeper, ToKeeper};
use crate::output::Outputs;
use crate::ports::Ports;
use crate::processes::Identity;
use crate::say::say;
use keeper::Keeper;
use managed::Managed;
use parts::Parts;
use resources::Resources;
use store::{Origin, Stored};

/// How often the tasks' output is looked at as long as somebody reads it, and a port asked for again.
const SOON: Duration = Duration::from_millis(100);
/// How often the output is looked at otherwise.
const ROUND: Duration = Duration::from_secs(1);
/// Whoever asked for what ends the agent has so long to read the answer.
const LAST_WORDS: Duration = Duration::from_millis(200);
/// So many lines are remembered for those who follow what tasks write.
const LINES: usize = 4096;
/// So many lines of a task that ended are told with its end.
const LAST_LINES: usize = 5;
/// So many messages of the gateway are heard at once at most: the others are to be heard, too.
const MOST_HEARD: usize = 1000;
const LONGEST_MESSAGE: usize = crate::keeper::LONGEST_MESSAGE;

struct Agent {
    directory: Directory,
    /// Whether the fleet ends with its owner, who reads what the tasks write.
    tied: bool,
    /// As it is meant.
    fleet: Fleet,
    services: Vec<Managed>,
    /// Where each service is called, for every task's environment.
    urls: BTreeMap<String, String>,
    keeper: Keeper,
    gateway: UnixDatagram,
    ports: Ports,
    outputs: Outputs,
    clients: Clients,
    processes: BTreeMap<TaskId, Identity>,
    resources: Resources,
    parts: Parts,
    /// When core was last told something, which is when things came to stand as they do.
    decided: Instant,
    /// When the output was last looked at, and what tasks use.
    looked: Instant,
    sampled: Instant,
    journal: Journal,
    wall: Wall,
    /// What tasks write, for those who follow it.
    lines: broadcast::Sender<LogLine>,
    /// Where the dashboard is, if it is anywhere, and the token for it.
    dashboard: Option<(SocketAddr, Token)>,
    origin: Origin,
    /// What was written last, and whether that went wrong the last time.
    stored: Stored,
    unsaved: bool,
    /// Everything retires, and then the fleet is no more.
    down: bool,
    /// Services that went back to an earlier revision, and not yet to its settings.
    went_back: Vec<usize>,
    /// Another agent follows as soon as the keeper has prepared it.
    renewal: Option<Renewal>,
    /// Another agent follows now.
    ending: bool,
}

/// Why another agent follows, and who waits to hear of it.
enum Renewal {
    Deploy(Deploy, DeployReply, Reply<DeployReply>),
    Upgrade(Reply<Upgraded>),
    /// A revision that comes back brings its settings.
    Rollback(String),
    /// A service that was removed has no task left.
    Removal,
}

/// Everything that makes the agent do something.
enum Incoming {
    Keeper(FromKeeper),
    /// What it saw last, by the name of the service.
    Gateway(BTreeMap<String, Sightings>),
    Client(UnixStream),
    Command(Command),
    Ask(Ask),
    Look,
    Time,
}

/// Keeps the fleet of a directory as desired, until it is killed. `tied`: until its owner is gone.
///
/// Runs as the hidden command `seaworthy part agent`, started by the keeper: standard input is the link
/// to the gateway, standard output the way to the keeper.
pub fn run(directory: &Path, tied: bool) -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::Talk("runtime", error))?;
    runtime.block_on(async {
        let directory = Directory::at(directory)?;
        let (commands, inbox) = mpsc::channel(16);
        let socket = socket::listen_in(directory.path(), clients::SOCKET);
        let socket = socket.map_err(|error| Error::Talk("control socket", error))?;
        let mut agent = Agent::begin(directory, tied, Clients::new(commands)).await?;
        let (handle, asks) = Handle::new();
        agent.listen(&handle).await?;
        agent.keeper.tell(ToKeeper::Ready);
        agent.serve(socket, inbox, asks).await
    })
}

/// Whether this program could be the agent of the fleet in a directory.
pub fn could_take_up(directory: &Directory) -> Result<(), Error> {
    if let Some(fleet) = directory::read::<Fleet>(&directory.fleet())? {
        token(&fleet, directory)?;
    }
    Stored::read(directory).map(drop)
}

/// What opens its API over TCP, if it is to listen there.
fn token(fleet: &Fleet, directory: &Directory) -> Result<Option<Token>, Error> {
    let own = directory.path().join("token");
    let path = fleet.agent.token_file.as_ref().unwrap_or(&own);
    fleet.agent.listen.map(|_| Token::of(path)).transpose()
}

// === impl Agent ===

impl Agent {
    async fn serve(
        &mut self,
        socket: UnixListener,
        mut commands: mpsc::Receiver<Command>,
        mut asks: mpsc::Receiver<Ask>,
    ) -> Result<(), Error> {
        let mut buffers = (vec![0; LONGEST_MESSAGE], vec![0; LONGEST_MESSAGE]);
        loop {
            self.bring_settings_back();
            self.save();
            self.flush();
            self.tell_clients();
            if self.ending {
                // Whoever asks from now on is told that, and asks the next one.
                asks.close();
                while asks.recv().await.is_some() {}
                // Whoever asked for it reads the answer first.
                tokio::time::sleep(LAST_WORDS).await;
                return Ok(());
            }
            let reconcilers = self.services.iter().map(|managed| &managed.reconciler);
            let deadline = reconcilers.filter_map(Machine::poll_timeout).min();
            let incoming = tokio::select! {
                received = self.keeper.recv(&mut buffers.0) =>
                    read("keeper", &buffers.0, received).map(Incoming::Keeper),
                received = self.gateway.recv(&mut buffers.1) =>
                    read("gateway", &buffers.1, received)
                        .map(|first| Incoming::Gateway(seen(&self.gateway, first, &mut buffers.1))),
                Some(command) = commands.recv() => Ok(Incoming::Command(command)),
                Some(ask) = asks.recv() => Ok(Incoming::Ask(ask)),
                Ok((client, _)) = socket.accept() => Ok(Incoming::Client(client)),
                () = sleep_until(Some(self.looks_at())) => Ok(Incoming::Look),
                () = sleep_until(deadline) => Ok(Incoming::Time),
            };
            match incoming {
                Ok(incoming) => self.take(incoming),
                // The other side is gone, or it was; the next one follows.
                Err(error) => say(format_args!("agent: {}", crate::error::describe(&error))),
            }
        }
    }

    fn take(&mut self, incoming: Incoming) {
        match incoming {
            Incoming::Keeper(message) => self.hear(message),
            Incoming::Gateway(seen) => {
                for (service, sightings) in seen {
                    self.drive_named(&service, Event::Sightings(sightings));
                }
            }
            Incoming::Client(client) => self.clients.add(now(), client),
            Incoming::Command(Command::Stop(task)) => self.drive_of(task, Event::Stop(task)),
            Incoming::Command(Command::PowerOff { service, sites }) => {
                self.drive_named(&service, Event::PowerOff(sites));
            }
            Incoming::Ask(ask) => self.answer(ask),
            Incoming::Command(Command::Deploy { service, environment, command }) => {
                self.deploy_anew(&service, environment, command);
            }
            Incoming::Look => self.look(),
            Incoming::Time => (0..self.services.len()).for_each(|place| self.drive(place, None)),
        }
        if self.down && self.services.iter().all(|managed| managed.reconciler.is_down()) {
            self.keeper.tell(ToKeeper::End);
        }
    }

    /// A service of which nobody knows is told nothing.
    fn drive_named(&mut self, name: &str, event: Event) {
        let named = |managed: &Managed| managed.service.name == name;
        if let Some(place) = self.services.iter().position(named) {
            self.drive(place, Some(event));
        }
    }

    fn hear(&mut self, message: FromKeeper) {
        match message {
            // It was asked for in the beginning only.
            FromKeeper::Children(_) => {}
            FromKeeper::Spawned(task, identity) => {
                self.processes.insert(task, identity);
                self.drive_of(task, Event::Launched(task));
            }
            FromKeeper::NotSpawned(task, why) => {
                say(format_args!("{task} | {why}"));
                self.close_output(task);
                self.drive_of(task, Event::NotLaunched(task, why));
            }
            FromKeeper::Exited(task, exit) => {
                self.processes.remove(&task);
                self.close_output(task);
                let last = self.outputs.told(task, LAST_LINES);
                let out_of_memory = self.resources.gone(task);
                let ending = Ending { exit, out_of_memory, last };
                self.drive_of(task, Event::Exited(task, ending));
            }
            FromKeeper::Retiring(earlier) => {
                for place in 0..self.services.len() {
                    self.drive(place, Some(Event::Handover(earlier)));
                }
            }
            FromKeeper::Renewing(prepared) => self.renew(prepared),
            FromKeeper::Down => self.down(),
        }
    }

    /// Everything retires.
    fn down(&mut self) {
        self.down = true;
        for place in 0..self.services.len() {
            self.drive(place, Some(Event::Down));
        }
    }

    /// Tells the service of `task`, if there is one.
    fn drive_of(&mut self, task: TaskId, event: Event) {
        let place = self.services.iter().position(|managed| managed.owns(task));
        if let Some(place) = place {
            self.drive(place, Some(event));
        }
    }

    /// Tells core about the service at `place`, and does what it wants.
    fn drive(&mut self, place: usize, event: Option<Event>) {
        self.decided = now();
        for action in self.services[place].drive(self.decided, event) {
            self.carry_out(place, action);
        }
    }

    /// Tells the clients how things stand.
    fn tell_clients(&mut self) {
        let views = self.services.iter().flat_map(|managed| managed.views(&self.processes));
        let mut views: Vec<_> = views.collect();
        views.sort_unstable_by_key(|task| task.view.task);
        self.clients.tell(self.decided, views);
    }

    fn carry_out(&mut self, place: usize, action: Action) {
        match action {
            Action::Launch { task, revision, port, location } => {
                self.launch(place, environment::About { task, revision, port, location });
            }
            Action::Signal(task, signal) => self.keeper.tell(ToKeeper::Signal(task, signal)),
            Action::Publish(endpoints) => self.services[place].unpublished = Some(endpoints),
            Action::Record(record) => {
                match record.decision {
                    Decision::RollBack => {
                        self.origin.go_back();
                        self.went_back.push(place);
                    }
                    Decision::Complete if !self.is_deploying() => self.origin.prove(),
                    _ => {}
                }
                self.journal.push(&self.services[place].service.name, &record);
                self.clients.record(record);
            }
        }
    }

    fn is_deploying(&self) -> bool {
        self.services.iter().any(|managed| managed.reconciler.is_deploying())
    }

    /// When it is looked again at what nobody tells us of.
    fn looks_at(&self) -> Instant {
        let is_read = self.tied || self.lines.receiver_count() > 0;
        let is_short = self.services.iter().any(|managed| managed.needs_port);
        let is_soon = is_read || is_short || self.outputs.is_flooded();
        self.looked + if is_soon { SOON } else { ROUND }
    }

    /// Answers at the API's socket, and over TCP if that is wanted.
    async fn listen(&mut self, handle: &Handle) -> Result<(), Error> {
        let failed = |error| Error::Talk("API", error);
        let unix = socket::listen_in(self.directory.path(), socket::NAME).map_err(failed)?;
        tokio::spawn(server::serve_unix(unix, handle.clone()));
        let token = token(&self.fleet, &self.directory)?;
        let (Some(wanted), Some(token)) = (self.fleet.agent.listen, token) else { return Ok(()) };
        let address =
            self.stored.listen.filter(|before| wanted.port() == 0 && before.ip() == wanted.ip());
        // The port that the kernel chose once is kept, if it is free.
        let listener = match TcpListener::bind(address.unwrap_or(wanted)).await {
            Err(_) if address.is_some() => TcpListener::bind(wanted).await,
            bound => bound,
        };
        let listen =
            |source| Error::Listen { service: "agent".to_owned(), address: wanted, source };
        let listener = listener.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        self.dashboard = Some((address, token.clone()));
        tokio::spawn(server::serve_tcp(listener, handle.clone(), token));
        Ok(())
    }

    /// Sends what there is to send, as far as it is taken; the rest goes next time.
    fn flush(&mut self) {
        self.keeper.flush();
        for managed in &mut self.services {
            managed.publish(&self.gateway);
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

/// What the gateway saw last of each service of which it has said something: `first`, and all that waits to be heard.
/// Whoever wrote for long, and then for each of them again, would never catch up.
fn seen(
    gateway: &UnixDatagram,
    first: About<Sightings>,
    buffer: &mut [u8],
) -> BTreeMap<String, Sightings> {
    let mut seen = BTreeMap::from([(first.service, first.snapshot)]);
    for _ in 0..MOST_HEARD {
        let Ok(length) = gateway.try_recv(buffer) else { break };
        match read::<About<Sightings>>("gateway", buffer, Ok(length)) {
            Ok(About { service, snapshot }) => _ = seen.insert(service, snapshot),
            Err(error) => say(format_args!("agent: {}", crate::error::describe(&error))),
        }
    }
    seen
}

fn read<T: serde::de::DeserializeOwned>(
    whose: &'static str,
    buffer: &[u8],
    received: std::io::Result<usize>,
) -> Result<T, Error> {
    let length = received.map_err(|error| Error::Talk(whose, error))?;
    serde_json::from_slice(&buffer[..length]).map_err(|error| Error::Message(whose, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn of_what_the_gateway_saw_only_the_last_is_heard() {
        let (agent, gateway) = UnixDatagram::pair().unwrap();
        let about = |service: &str, acknowledged| About {
            service: service.to_owned(),
            snapshot: Sightings { acknowledged, ..Sightings::default() },
        };
        for sent in [about("a", 1), about("b", 2), about("a", 3)] {
            gateway.send(&serde_json::to_vec(&sent).unwrap()).await.unwrap();
        }
        gateway.send(b"nonsense").await.unwrap();
        agent.readable().await.unwrap();
        let seen = seen(&agent, about("b", 0), &mut [0; 1024]);
        let acknowledged = seen.iter().map(|(service, seen)| (&**service, seen.acknowledged));
        assert_eq!(acknowledged.collect::<Vec<_>>(), [("a", 3), ("b", 2)]);
    }
}
