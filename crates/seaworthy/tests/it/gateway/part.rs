//! A gateway of a fleet in a process of its own, with the test in the place of keeper and agent.

use std::fs::{self, File};
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::net::TcpListener;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::{Child, ExitStatus, Stdio};

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use rustix::process::{Pid, Signal, kill_process};
use seaworthy_core::endpoints::{About, Endpoint, Endpoints, TaskId};
use seaworthy_core::fleet::{Fleet, RawFleet};

use super::PATIENCE;
use super::echo::Echo;
use crate::world::{World, eventually};

/// A fleet of these services, and its listening sockets.
pub(crate) struct Place {
    pub(crate) directory: PathBuf,
    services: Vec<String>,
}

/// Killed when dropped.
pub(crate) struct Part {
    child: Child,
    stderr: PathBuf,
    services: Vec<String>,
    /// The keeper's end of its standard input, and the agent's end of the link.
    pub(crate) keeper: UnixDatagram,
    pub(crate) agent: UnixDatagram,
}

// === impl Place ===

impl Place {
    /// With more settings of the gateway. The run directory is further away than an address reaches.
    pub(crate) fn new(world: &World, services: &[&str], gateway: &str) -> Self {
        let directory = world.path(&"far".repeat(50)).join("run");
        fs::create_dir_all(&directory).unwrap();
        let service = |name: &&str| {
            format!(
                "[service.{name}]\ncommand = [\"none\"]\n\
                 health = {{ interval = \"100ms\", timeout = \"90ms\", unhealthy_threshold = 10 }}\n"
            )
        };
        let written: String = services.iter().map(service).collect();
        let raw: RawFleet = toml::from_str(&format!("[gateway]\n{gateway}\n{written}")).unwrap();
        let fleet = serde_json::to_vec(&Fleet::try_from(raw).unwrap()).unwrap();
        fs::write(directory.join("fleet.json"), fleet).unwrap();
        Self { directory, services: services.iter().map(ToString::to_string).collect() }
    }

    /// Its sockets, as a keeper opens them.
    pub(crate) fn listen(&self) -> Vec<TcpListener> {
        self.services.iter().map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect()
    }

    /// A gateway that knows no task, with `listeners`.
    pub(crate) fn start(&self, world: &World, listeners: &[TcpListener], stderr: Stdio) -> Part {
        let (keeper, stdin) = UnixDatagram::pair().unwrap();
        let (agent, stdout) = UnixDatagram::pair().unwrap();
        send(&keeper, listeners);
        keeper.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut command = world.seaworthy(&["part", "gateway"]);
        command.arg(&self.directory).stdin(OwnedFd::from(stdin)).stdout(OwnedFd::from(stdout));
        let child = command.stderr(stderr).spawn().unwrap();
        Part { child, stderr: PathBuf::new(), services: self.services.clone(), keeper, agent }
    }

    /// The same, with what it says kept, and with a task in rotation for each service.
    pub(crate) fn ready(&self, world: &World, listeners: &[TcpListener], echo: &Echo) -> Part {
        let free = |path: &PathBuf| !path.exists();
        let mut paths = (1..).map(|n| world.path(&format!("stderr-{n}")));
        let stderr = paths.find(free).unwrap();
        let file = File::create(&stderr).unwrap();
        let mut part = self.start(world, listeners, file.into());
        part.stderr = stderr;
        part.publish(1, &[echo]);
        part.until_ready();
        part
    }
}

/// Puts sockets into the queue of the other end, as a keeper does.
fn send(socket: &UnixDatagram, listeners: &[TcpListener]) {
    let sockets: Vec<_> = listeners.iter().map(AsFd::as_fd).collect();
    let mut space = vec![MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(sockets.len()))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    assert!(ancillary.push(SendAncillaryMessage::ScmRights(&sockets)));
    sendmsg(socket, &[IoSlice::new(&[0])], &mut ancillary, SendFlags::empty()).unwrap();
}

// === impl Part ===

impl Part {
    /// Tells it, as an agent does, that these are the tasks of each service.
    pub(crate) fn publish(&self, version: u64, tasks: &[&Echo]) {
        for service in &self.services {
            self.publish_of(service, version, tasks);
        }
    }

    pub(crate) fn publish_of(&self, service: &str, version: u64, tasks: &[&Echo]) {
        let ids = (1..).map(TaskId);
        let tasks = tasks.iter().zip(ids).map(|(echo, id)| Endpoint::new(id, echo.address));
        let snapshot = Endpoints { version, tasks: tasks.collect(), ..Endpoints::default() };
        let about = About { service: service.to_owned(), snapshot };
        self.agent.send(&serde_json::to_vec(&about).unwrap()).unwrap();
    }

    /// Waits until it says so to the keeper.
    pub(crate) fn until_ready(&self) {
        let mut word = [0; 16];
        let length = self.keeper.recv(&mut word).expect("it is ready");
        assert_eq!(&word[..length], b"ready");
    }

    /// What it has said to the agent until now is taken away; returns how much that was.
    pub(crate) fn drain(&self) -> usize {
        self.agent.set_nonblocking(true).unwrap();
        let mut buffer = vec![0; 64 << 10];
        let said = std::iter::from_fn(|| self.agent.recv(&mut buffer).ok()).count();
        self.agent.set_nonblocking(false).unwrap();
        said
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Tells it to retire, and waits until it has begun to.
    pub(crate) fn retire(&self) {
        self.signal(Signal::TERM);
        eventually("it retires", || self.said().contains("retires, and has").then_some(()));
    }

    /// What it has said on standard error.
    pub(crate) fn said(&self) -> String {
        fs::read_to_string(&self.stderr).unwrap()
    }

    /// Closes the end of its standard error that it does not hold.
    pub(crate) fn stop_listening(&mut self) {
        drop(self.child.stderr.take());
    }

    /// Waits for its end; returns what it has said to the agent since it was last drained, too.
    pub(crate) fn wait(mut self) -> io::Result<(ExitStatus, usize)> {
        let status = self.child.wait()?;
        Ok((status, self.drain()))
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
