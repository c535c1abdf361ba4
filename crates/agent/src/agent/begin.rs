//! How an agent begins: with nothing, or with what an earlier one has left.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixDatagram as StdDatagram;
use std::time::Duration;

use seaworthy_core::cluster::Numbers;
use seaworthy_core::cluster::limits::Limits;
use seaworthy_core::cluster::reconciler::Signal;
use seaworthy_core::endpoints::TaskId;
use seaworthy_core::fleet::{Fleet, Service};
use tokio::net::UnixDatagram;
use tokio::sync::broadcast;
use tokio::time::timeout;

use super::keeper::Keeper;
use super::managed::Managed;
use super::parts::Parts;
use super::resources::Resources;
use super::store::{Stored, StoredService, another_moved};
use super::{Agent, LINES, LONGEST_MESSAGE, read, url};
use crate::Error;
use crate::api::{Journal, Wall};
use crate::clients::Clients;
use crate::clock::now;
use crate::directory::{self, Directory};
use crate::messages::{FromKeeper, ToKeeper};
use crate::output::Outputs;
use crate::ports::Ports;
use crate::processes::Identity;
use crate::say::say;

/// The keeper answers within this, or it is not there.
const PATIENCE: Duration = Duration::from_secs(10);

impl Agent {
    /// Adopts what runs of the fleet in `directory`, and has the rest done.
    pub(super) async fn begin(
        directory: Directory,
        tied: bool,
        clients: Clients,
    ) -> Result<Self, Error> {
        let nothing = || Error::Nothing { path: directory.path().to_owned() };
        let fleet: Fleet = directory::read(&directory.fleet())?.ok_or_else(nothing)?;
        let stored = Stored::read(&directory)?.unwrap_or_else(|| {
            directory.set_aside();
            Stored::new()
        });
        let (tasks, what) = (directory.tasks(), "has no room for the tasks' output");
        std::fs::create_dir_all(&tasks).map_err(|source| Error::File {
            path: tasks.clone(),
            what,
            source,
        })?;
        let keeper = channel("keeper", io::stdout())?;
        let known = stored.processes.iter().map(|(task, process)| (*task, *process)).collect();
        let (running, missed) = hello(&keeper, known).await?;
        let limited = fleet.services.iter().any(|s| s.cluster.limits != Limits::default());
        let wall = Wall::read();
        let mut agent = Self {
            fleet: fleet.clone(),
            tied,
            urls: fleet.services.iter().map(url).collect(),
            services: Vec::new(),
            gateway: channel("gateway", io::stdin())?,
            keeper: Keeper::new(keeper),
            ports: Ports::default(),
            outputs: Outputs::new(&tasks),
            clients,
            processes: running.clone(),
            resources: Resources::new(&directory, limited),
            parts: Parts::default(),
            decided: now(),
            looked: now(),
            sampled: now(),
            journal: Journal::new(wall, &directory.events()),
            wall,
            lines: broadcast::Sender::new(LINES),
            dashboard: None,
            origin: stored.origin.clone(),
            stored: stored.clone(),
            unsaved: false,
            down: false,
            went_back: Vec::new(),
            renewal: None,
            ending: false,
            directory,
        };
        agent.adopt(&fleet, stored, &running, &missed);
        for message in missed {
            agent.hear(message);
        }
        agent.offer_ports();
        Ok(agent)
    }

    fn adopt(
        &mut self,
        fleet: &Fleet,
        mut stored: Stored,
        running: &BTreeMap<TaskId, Identity>,
        missed: &[FromKeeper],
    ) {
        let seed = fleet.seed;
        // How the others ended is about to be heard.
        let ended = missed.iter().filter_map(|message| match message {
            FromKeeper::Exited(task, _) => Some(*task),
            _ => None,
        });
        let with_process: Vec<TaskId> = running.keys().copied().chain(ended).collect();
        self.end_strangers(&mut stored, running);
        let numbers = renumber(&fleet.services, &mut stored);
        let before: Vec<Service> = stored.services.values().map(|s| s.meant.clone()).collect();
        for (service, numbers) in fleet.services.iter().cloned().zip(numbers) {
            let anew = another_moved(&service.name, &before, fleet);
            match stored.services.remove(&service.name) {
                Some(stored) => self.take_up(seed, service, stored, &with_process, anew),
                None => self.services.push(Managed::new(service, seed, numbers, Wall::seconds())),
            }
        }
        for (task, process) in running {
            let limits = self.services.iter().find_map(|managed| {
                let view =
                    managed.reconciler.views().into_iter().find(|view| view.task == *task)?;
                Some(managed.limits_of(&view))
            });
            let Some(limits) = limits else { continue };
            self.resources.adopt(*task, *process, limits);
            if let Err(error) = self.outputs.adopt(*task) {
                say(format_args!("agent: the output of {task} cannot be read: {error}"));
            }
        }
        self.resources.release_others();
        self.down = self.services.iter().all(|managed| managed.reconciler.goes_down());
    }

    /// Ends what runs and was not written down, as on a full disk; before any other task gets its number.
    fn end_strangers(&mut self, stored: &mut Stored, running: &BTreeMap<TaskId, Identity>) {
        for (task, process) in running {
            if stored
                .services
                .values()
                .any(|service| service.snapshot.tasks().any(|own| own == *task))
            {
                continue;
            }
            say(format_args!("agent: {task} (process {}) is of nobody: it is ended", process.pid));
            self.keeper.tell(ToKeeper::Signal(*task, Signal::Kill));
            for StoredService { snapshot, numbers, .. } in stored.services.values_mut() {
                snapshot.skip(*numbers, *task);
            }
        }
    }

    /// A service that an earlier agent managed. If it is meant otherwise by now, or its tasks are to be made
    /// anew, that begins.
    fn take_up(
        &mut self,
        seed: u64,
        service: Service,
        stored: StoredService,
        running: &[TaskId],
        anew: bool,
    ) {
        let mut managed = Managed::restore(now(), seed, stored, running);
        let changed = anew || managed.service != service;
        let event = changed.then(|| managed.meant(service, Wall::seconds(), anew));
        self.services.push(managed);
        self.drive(self.services.len() - 1, event);
    }
}

/// The numbers of the tasks of all services, in their order. If others come or go, all get numbers that
/// nobody had.
fn renumber(services: &[Service], stored: &mut Stored) -> Vec<Numbers> {
    let known = services.iter().all(|service| stored.services.contains_key(&service.name));
    if known && services.len() == stored.services.len() {
        return services.iter().map(|service| stored.services[&service.name].numbers).collect();
    }
    let highest = |service: &StoredService| service.snapshot.highest(service.numbers);
    let beyond = stored.services.values().map(highest).max().unwrap_or(0);
    let numbers = |place| Numbers::beyond(beyond, place, services.len());
    for (place, service) in services.iter().enumerate() {
        if let Some(stored) = stored.services.get_mut(&service.name) {
            stored.numbers = numbers(place);
            stored.snapshot = stored.snapshot.clone().renumbered();
        }
    }
    (0..services.len()).map(numbers).collect()
}

/// Tells the keeper whom we know; returns who runs, and what happened before anybody listened.
async fn hello(
    keeper: &UnixDatagram,
    known: Vec<(TaskId, Identity)>,
) -> Result<(BTreeMap<TaskId, Identity>, Vec<FromKeeper>), Error> {
    let talk = |error| Error::Talk("keeper", error);
    let hello = serde_json::to_vec(&ToKeeper::Hello(known)).expect("a message is plain data");
    keeper.send(&hello).await.map_err(talk)?;
    let (mut missed, mut buffer) = (Vec::new(), vec![0; LONGEST_MESSAGE]);
    let answer = async {
        loop {
            let received = keeper.recv(&mut buffer).await;
            match read("keeper", &buffer, received)? {
                FromKeeper::Children(running) => return Ok(running.into_iter().collect()),
                message => missed.push(message),
            }
        }
    };
    let late = |_| talk(io::ErrorKind::TimedOut.into());
    let running = timeout(PATIENCE, answer).await.map_err(late)??;
    Ok((running, missed))
}

/// A datagram socket that the keeper gave us as a standard stream.
fn channel(whose: &'static str, stream: impl AsFd) -> Result<UnixDatagram, Error> {
    let talk = |error| Error::Talk(whose, error);
    let socket = StdDatagram::from(stream.as_fd().try_clone_to_owned().map_err(talk)?);
    socket.set_nonblocking(true).map_err(talk)?;
    UnixDatagram::from_std(socket).map_err(talk)
}
