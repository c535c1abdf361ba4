//! The agent and the gateway, from the keeper's side: how they are started, followed and replaced.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::{UnixDatagram as StdDatagram, UnixStream as StdStream};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use seaworthy_core::cluster::restarts::Restarts;
use seaworthy_core::record::Exit;
use tokio::net::UnixDatagram;
use tokio::time::{Instant, sleep_until};

use super::children::Children;
use super::{Keeper, pair};
use crate::exec::Within;
use crate::messages::{Child, Setup};
use crate::processes::{Identity, PART, RUN};
use crate::say::say;
use crate::{Error, descriptors};

/// Variables by which systemd speaks to a service.
const SYSTEMD: [&str; 6] = [
    "NOTIFY_SOCKET",
    "LISTEN_FDS",
    "LISTEN_PID",
    "LISTEN_FDNAMES",
    "WATCHDOG_USEC",
    "WATCHDOG_PID",
];
/// Clients wait as long as no gateway takes them, …
const GATEWAYS_LONGEST_WAIT: Duration = Duration::from_secs(1);
/// … and without an agent nothing is new.
const AGENTS_LONGEST_WAIT: Duration = Duration::from_secs(5);
/// A gateway that has taken over and has no task to give requests to is believed after so long.
const READY_WITHIN: Duration = Duration::from_secs(10);

/// What belongs to the agent and the gateway that run.
pub(super) struct Parts {
    /// The gateway's end of the link between the two and the agent's, kept so that neither side
    /// notices when the other is started again.
    link: (StdDatagram, StdDatagram),
    /// To the agent, and the agent's own end.
    pub(super) agent: (UnixDatagram, StdDatagram),
    /// To the gateway, which says over it that it is ready.
    gateway: Option<UnixDatagram>,
    /// Those whose place it takes, until when they are waited for.
    predecessors: Option<(Vec<Identity>, Instant)>,
    agents_restart: Restart,
    gateways_restart: Restart,
}

/// When a part is started again.
struct Restart {
    ends: Restarts,
    /// One that was there before this keeper has lived for long enough.
    started: Option<Instant>,
    due: Option<Instant>,
}

// === impl Parts ===

impl Parts {
    pub(super) fn new() -> Result<Self, Error> {
        let talk = |error| Error::Talk("agent", error);
        let (to_agent, agents_end) = pair()?;
        to_agent.set_nonblocking(true).map_err(talk)?;
        Ok(Self {
            link: pair()?,
            agent: (UnixDatagram::from_std(to_agent).map_err(talk)?, agents_end),
            gateway: None,
            predecessors: None,
            agents_restart: Restart::new(AGENTS_LONGEST_WAIT),
            gateways_restart: Restart::new(GATEWAYS_LONGEST_WAIT),
        })
    }

    pub(super) fn agent_ended(&mut self, exit: Exit) {
        say(format_args!("keeper: the agent {exit} and is started again"));
        self.agents_restart.ended(exit);
    }

    pub(super) fn gateway_ended(&mut self, exit: Exit) {
        say(format_args!("keeper: the gateway {exit} and is started again"));
        self.gateways_restart.ended(exit);
    }

    /// Waits until a part is to be started. Cancel safe.
    pub(super) async fn due(&self) {
        match self.agents_restart.due.into_iter().chain(self.gateways_restart.due).min() {
            Some(at) => sleep_until(at).await,
            None => std::future::pending().await,
        }
    }

    /// Waits until the gateway has taken over from its predecessors. Cancel safe.
    pub(super) async fn gateway_ready(&self) {
        let (Some((_, patience)), Some(gateway)) = (&self.predecessors, &self.gateway) else {
            return std::future::pending().await;
        };
        let mut word = [0; 16];
        tokio::select! {
            _ = gateway.recv(&mut word) => {}
            () = sleep_until(*patience) => {}
        }
    }

    /// Whether this keeper has started one.
    pub(super) fn has_gateway(&self) -> bool {
        self.gateway.is_some()
    }

    /// Whether earlier gateways still have requests that the present one does not know of.
    pub(super) fn retiring(&self, children: &Children) -> bool {
        self.predecessors.is_some() || children.has(Child::Retiring)
    }
}

// === impl Restart ===

impl Restart {
    fn new(longest_wait: Duration) -> Self {
        Self { ends: Restarts::new(longest_wait), started: None, due: None }
    }

    fn ended(&mut self, exit: Exit) {
        let now = Instant::now();
        let lived = self.started.map_or(Duration::MAX, |started| now - started);
        self.due = Some(now + self.ends.ended(lived, exit));
    }

    fn started(&mut self) {
        (self.started, self.due) = (Some(Instant::now()), None);
    }

    fn is_due(&self, now: Instant) -> bool {
        self.due.is_some_and(|at| at <= now)
    }
}

// === impl Keeper ===

impl Keeper {
    /// A new agent and a new gateway take the place of those that there are, if there are any.
    pub(super) fn take_over(&mut self) -> Result<(), Error> {
        self.replace_agent()?;
        self.replace_gateway()
    }

    /// A new agent, and a new link: the two must not hear what is meant for their predecessors.
    pub(super) fn replace_agent(&mut self) -> Result<(), Error> {
        self.parts.link = pair()?;
        self.start_agent()
    }

    /// A new gateway; the one before, if there is one, serves until it is ready.
    pub(super) fn replace_gateway(&mut self) -> Result<(), Error> {
        let predecessors = self.children.of(Child::Gateway);
        if !predecessors.is_empty() {
            self.retire_predecessors();
            // From now on another one is to serve, also if these end before it does.
            for gateway in &predecessors {
                self.children.rename(*gateway, Child::Retiring);
            }
            self.parts.predecessors = Some((predecessors, Instant::now() + READY_WITHIN));
        }
        self.start_gateway()
    }

    /// The gateway is ready: the one before finishes what it has.
    pub(super) fn retire_predecessors(&mut self) {
        for gateway in self.parts.predecessors.take().into_iter().flat_map(|(all, _)| all) {
            gateway.terminate();
        }
        // They may have ended before they were told.
        self.tell_of_retiring();
    }

    /// Starts what is due.
    pub(super) fn restart(&mut self) -> Result<(), Error> {
        let now = Instant::now();
        if self.parts.agents_restart.is_due(now) {
            self.start_agent()?;
        }
        if self.parts.gateways_restart.is_due(now) {
            self.start_gateway()?;
        }
        Ok(())
    }

    /// Starts a gateway. Its listening sockets wait for it in the socket that is its standard input.
    fn start_gateway(&mut self) -> Result<(), Error> {
        let talk = |error| Error::Talk("gateway", error);
        let (ours, its) = pair()?;
        let sockets: Vec<_> = self.held.listeners.iter().map(AsFd::as_fd).collect();
        descriptors::send(&ours, &[0], &sockets).map_err(talk)?;
        ours.set_nonblocking(true).map_err(talk)?;
        self.parts.gateway = Some(UnixDatagram::from_std(ours).map_err(talk)?);
        let link = dup(&self.parts.link.0)?;
        self.start_own("gateway", Child::Gateway, its.into(), link)?;
        self.parts.gateways_restart.started();
        Ok(())
    }

    fn start_agent(&mut self) -> Result<(), Error> {
        let link = dup(&self.parts.link.1)?;
        let channel = dup(&self.parts.agent.1)?;
        self.start_own("agent", Child::Agent, link, channel)?;
        self.parts.agents_restart.started();
        Ok(())
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
        let mut words = vec![program, "part".into(), part.into(), self.directory.path().into()];
        if child == Child::Agent && self.tied {
            words.push("--tied".into());
        }
        let mut command = self.exec(&Within::default(), words);
        command.env(PART, part).stdin(Stdio::from(stdin)).stdout(Stdio::from(stdout));
        let started = command.spawn();
        let started =
            started.map_err(|source| Error::Start { program: self.program.clone(), source })?;
        self.children.started(started.id(), child);
        Ok(())
    }

    /// A command in a process group of its own. If the keeper is tied, it dies with the keeper.
    pub(super) fn exec(
        &self,
        within: &Within,
        words: impl IntoIterator<Item = impl Into<std::ffi::OsString>>,
    ) -> Command {
        let mut command = Command::new(&self.program);
        command.args(["part", "exec"]).arg(std::process::id().to_string());
        if !self.tied {
            command.arg("--untied");
        }
        command.args(within.arguments()).arg("--").args(words.into_iter().map(Into::into));
        command.env(RUN, self.directory.path()).env_remove(PART).process_group(0);
        // What systemd told the one who started the fleet is not for anybody else.
        for own in SYSTEMD {
            command.env_remove(own);
        }
        command
    }

    /// Becomes `program`, with all that is held; returns only if that cannot be done.
    pub(super) fn become_another(&mut self, program: &Path) -> io::Error {
        let setup = Setup {
            directory: self.directory.path().to_owned(),
            tied: self.tied,
            fleet: Some(self.held.fleet.clone()),
            sockets: self.held.names(),
            children: Some(self.children.ours()),
        };
        let mut line = serde_json::to_vec(&setup).expect("a setup is plain data");
        line.push(b'\n');
        self.retire_predecessors();
        let prepared = StdStream::pair().and_then(|(ours, its)| {
            // It waits in the socket until it is read, also when this end is closed.
            ours.set_nonblocking(true)?;
            descriptors::send(&ours, &line, &self.held.descriptors()).map(|()| its)
        });
        match prepared {
            Ok(its) => Command::new(program)
                .args(["part", "keeper"])
                .stdin(Stdio::from(OwnedFd::from(its)))
                .exec(),
            Err(error) => error,
        }
    }
}

fn dup(socket: &impl AsFd) -> Result<OwnedFd, Error> {
    socket.as_fd().try_clone_to_owned().map_err(|error| Error::Talk("kernel", error))
}
