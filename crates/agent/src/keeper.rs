//! The keeper: parent of everything, single-threaded, decides nothing.
//!
//! It holds what must not die with a part: the listening sockets, both ends of the link between agent
//! and gateway, and the exit statuses. A part that ends is started again. A keeper that is *tied*
//! ends with its owner at the other end of standard input, and every process of the fleet with it; a
//! free one is outlived even by its parts, and the next keeper of the directory takes over from
//! them.

mod children;
mod held;
mod parts;
mod spawn;

use std::collections::VecDeque;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::{UnixDatagram as StdDatagram, UnixStream as StdStream};
use std::path::PathBuf;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixDatagram, UnixStream};
use tokio::signal::unix::{Signal as KernelSignal, SignalKind, signal};

use crate::directory::Directory;
use crate::messages::{Answer, Child, FromKeeper, Setup, ToKeeper};
use crate::processes::{adopt_orphans, end_all_of, end_descendants, end_left_by};
use crate::say::say;
use crate::{Error, descriptors};
use children::{Children, Ended};
use held::Held;
use parts::Parts;
pub use spawn::find_program;

/// Larger than any message of a fleet of a hundred tasks.
pub(crate) const LONGEST_MESSAGE: usize = 192 << 10;
/// When the fleet has ended, the gateway may take so long to say so to its clients.
const LAST_PATIENCE: Duration = Duration::from_secs(2);

/// What the keeper holds.
struct Keeper {
    /// This very program.
    program: PathBuf,
    directory: Directory,
    tied: bool,
    held: Held,
    children: Children,
    parts: Parts,
    /// For the agent, as long as it does not take them.
    outbox: VecDeque<FromKeeper>,
    /// What is done when the agent has ended, instead of starting another one.
    next: Option<Next>,
}

/// What follows on an agent.
enum Next {
    /// Another agent and another gateway, for the fleet that is wanted.
    Renewed(Box<Held>),
    /// The same as another program.
    Upgraded(PathBuf),
}

/// Why the keeper's work is over.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// Its owner is gone, or it was told to end at once.
    AtOnce,
    /// The agent has nothing left.
    Done,
}

/// Holds a fleet until its end.
///
/// Runs as the hidden command `seaworthy part keeper`. At the other end of standard input somebody
/// first sends [`Setup`] and is sent [`Answer`].
pub fn run() -> Result<(), Error> {
    let talk = |error| Error::Talk("owner", error);
    adopt_orphans();
    let owner = StdStream::from(io::stdin().as_fd().try_clone_to_owned().map_err(talk)?);
    let (line, descriptors) = descriptors::receive_line(&owner).map_err(talk)?;
    let setup: Setup = serde_json::from_slice(&line).map_err(|e| Error::Message("owner", e))?;
    if !setup.tied {
        // A terminal that closes is not about us. It fails if we lead a group: then we are alone.
        let _ = rustix::process::setsid();
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::Talk("runtime", error))?;
    let tied = setup.tied;
    let ended = runtime.block_on(serve(owner, setup, descriptors));
    match &ended {
        _ if tied => end_descendants(),
        Ok((keeper, end)) => keeper.end(*end),
        // What runs goes on: the next keeper takes over.
        Err(_) => {}
    }
    ended.map(drop)
}

async fn serve(
    owner: StdStream,
    setup: Setup,
    descriptors: Vec<std::os::fd::OwnedFd>,
) -> Result<(Keeper, End), Error> {
    let talk = |error| Error::Talk("owner", error);
    owner.set_nonblocking(true).map_err(talk)?;
    let (mut read, mut write) = UnixStream::from_std(owner).map_err(talk)?.into_split();
    let resumes = setup.children.is_some();
    let started = Keeper::start(setup, descriptors).await;
    let answer = match &started {
        Ok((_, answer)) => answer.clone(),
        Err(Error::Kept { keeper, .. }) => Answer::Kept(*keeper),
        Err(error) => Answer::Failed(crate::error::describe(error)),
    };
    let mut line = serde_json::to_vec(&answer).expect("an answer is plain data");
    line.push(b'\n');
    let told = write.write_all(&line).await;
    let (mut keeper, _) = started?;
    if keeper.tied && !resumes {
        told.map_err(talk)?;
    }
    let end = keeper.hold(&mut read).await?;
    if end == End::Done {
        keeper.end_gateway().await;
    }
    Ok((keeper, end))
}

// === impl Keeper ===

impl Keeper {
    /// A fleet whose agent takes commands. Where there was one before, also if its agent cannot begin: then
    /// nobody else would have it started again, and so it is.
    async fn start(
        setup: Setup,
        descriptors: Vec<std::os::fd::OwnedFd>,
    ) -> Result<(Self, Answer), Error> {
        let program = std::env::current_exe()
            .map_err(|source| Error::Start { program: "seaworthy".into(), source })?;
        let directory = Directory::at(&setup.directory)?;
        let tied = setup.tied;
        let (held, children) = Held::take(&directory, setup, descriptors)?;
        let listening = held.fleet.services.iter().map(|service| service.listen).collect();
        let mut keeper = Self {
            program,
            directory,
            tied,
            held,
            children,
            parts: Parts::new()?,
            outbox: VecDeque::new(),
            next: None,
        };
        let serves = keeper.children.has(Child::Gateway);
        keeper.replace_agent()?;
        let answer = match keeper.wait_for_agent().await {
            Ok(()) => Answer::Ready(listening),
            Err(error) if serves => {
                Answer::Waits(format!("{error}; what runs goes on, and it is tried again"))
            }
            Err(error) => return Err(error),
        };
        Ok((keeper, answer))
    }

    /// In the beginning, an agent that ends is told of.
    async fn wait_for_agent(&mut self) -> Result<(), Error> {
        let mut buffer = vec![0; LONGEST_MESSAGE];
        loop {
            self.flush();
            tokio::select! {
                message = receive(&self.parts.agent.0, &mut buffer) => {
                    let message = message?;
                    let is_ready = matches!(message, ToKeeper::Ready);
                    self.obey(message)?;
                    if is_ready {
                        return Ok(());
                    }
                }
                ended = self.children.ended() => {
                    let ended = self.take_note(ended?);
                    self.follow_up(&ended)?;
                    if ended.iter().any(|own| own.child == Child::Agent) {
                        let problem = "its agent ended as soon as it was started";
                        return Err(Error::Keeper(problem.into()));
                    }
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
        let mut told_to_end = false;
        // Those that ended before we could be told.
        let ended = self.children.reap()?;
        let ended = self.take_note(ended);
        self.follow_up(&ended)?;
        loop {
            self.flush();
            tokio::select! {
                message = receive(&self.parts.agent.0, &mut buffer) => match message {
                    Ok(message) => if let Some(end) = self.obey(message)? {
                        return Ok(end);
                    },
                    Err(error) => say(format_args!("keeper: {}", crate::error::describe(&error))),
                },
                writable = self.parts.agent.0.writable(), if !self.outbox.is_empty() => {
                    writable.map_err(|error| Error::Talk("agent", error))?;
                }
                ended = self.children.ended() => {
                    let ended = self.take_note(ended?);
                    self.follow_up(&ended)?;
                }
                () = self.parts.due() => self.restart()?,
                () = self.parts.gateway_ready() => self.retire_predecessors(),
                read = owner.read(&mut word), if self.tied => if !matches!(read, Ok(1..)) {
                    return Ok(End::AtOnce);
                },
                _ = terminate.recv() => if self.told_to_end(&mut told_to_end) {
                    return Ok(End::AtOnce);
                },
                _ = interrupt.recv() => if self.told_to_end(&mut told_to_end) {
                    return Ok(End::AtOnce);
                },
            }
        }
    }

    /// The first time, a free fleet is ended gently.
    fn told_to_end(&mut self, before: &mut bool) -> bool {
        let again = std::mem::replace(before, true);
        if !self.tied && !again {
            self.outbox.push_back(FromKeeper::Down);
        }
        self.tied || again
    }

    fn obey(&mut self, message: ToKeeper) -> Result<Option<End>, Error> {
        match message {
            // The other way round, a state that no agent can use would leave behind two gateways that both
            // take requests, one of them without tasks.
            ToKeeper::Ready => {
                if !self.parts.has_gateway() {
                    self.replace_gateway()?;
                }
            }
            ToKeeper::End => return Ok(Some(End::Done)),
            ToKeeper::Hello(known) => {
                self.children.adopt_tasks(&known, self.directory.path());
                self.outbox.push_back(FromKeeper::Children(self.children.tasks()));
                self.tell_of_retiring();
            }
            ToKeeper::Spawn(spawn) => {
                let task = spawn.task;
                let answer = match self.spawn(*spawn) {
                    Ok(identity) => FromKeeper::Spawned(task, identity),
                    Err(error) => FromKeeper::NotSpawned(task, error),
                };
                self.outbox.push_back(answer);
            }
            ToKeeper::Signal(task, signal) => self.children.signal(task, signal),
            ToKeeper::Renew => {
                let renewed = self.held.renewed(&self.directory);
                let told = renewed.as_ref().map(|_| ()).map_err(crate::error::describe);
                self.next = renewed.ok().map(|held| Next::Renewed(Box::new(held)));
                self.outbox.push_back(FromKeeper::Renewing(told));
            }
            ToKeeper::Upgrade(program) => {
                self.next = Some(Next::Upgraded(program));
                self.outbox.push_back(FromKeeper::Renewing(Ok(())));
            }
        }
        Ok(None)
    }

    /// Takes note of children that ended; returns the parts of our own that did.
    fn take_note(&mut self, mut ended: Vec<Ended>) -> Vec<Ended> {
        for Ended { child, identity, exit } in &ended {
            match child {
                Child::Task(task) => {
                    end_left_by(*identity, *task, self.directory.path());
                    self.outbox.push_back(FromKeeper::Exited(*task, *exit));
                }
                Child::Retiring => self.tell_of_retiring(),
                Child::Agent | Child::Gateway => {}
            }
        }
        ended.retain(|ended| matches!(ended.child, Child::Agent | Child::Gateway));
        ended
    }

    fn tell_of_retiring(&mut self) {
        self.outbox.push_back(FromKeeper::Retiring(self.parts.retiring(&self.children)));
    }

    /// Parts that ended are followed by others.
    fn follow_up(&mut self, ended: &[Ended]) -> Result<(), Error> {
        let exit = |part| ended.iter().find(|own| own.child == part).map(|own| own.exit);
        if let Some(exit) = exit(Child::Agent) {
            match self.next.take() {
                Some(Next::Renewed(held)) => {
                    self.held = *held;
                    return self.take_over();
                }
                Some(Next::Upgraded(program)) => {
                    let error = self.become_another(&program);
                    say(format_args!("keeper: {}: no upgrade: {error}", program.display()));
                }
                None => {}
            }
            self.parts.agent_ended(exit);
        }
        if let Some(exit) = exit(Child::Gateway) {
            self.parts.gateway_ended(exit);
        }
        Ok(())
    }

    /// Tells the agent what it has not been told yet, as far as it takes it.
    fn flush(&mut self) {
        while let Some(message) = self.outbox.front() {
            let bytes = serde_json::to_vec(message).expect("a message is plain data");
            if self.parts.agent.0.try_send(&bytes).is_err() {
                return;
            }
            self.outbox.pop_front();
        }
    }

    /// The fleet is no more, and its gateway says so to its clients.
    async fn end_gateway(&mut self) {
        for gateway in self.children.of(Child::Gateway) {
            gateway.terminate();
        }
        let gone = async {
            while self.children.has(Child::Gateway) && self.children.ended().await.is_ok() {}
        };
        let _ = tokio::time::timeout(LAST_PATIENCE, gone).await;
    }

    /// Ends every process of the fleet, and then forgets it if it was to end. The lock is held meanwhile,
    /// so nobody begins another fleet, and whoever waits for the end sees it when nothing is left.
    fn end(&self, end: End) {
        end_all_of(self.directory.path());
        if end == End::Done {
            self.directory.forget();
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

fn pair() -> Result<(StdDatagram, StdDatagram), Error> {
    StdDatagram::pair().map_err(|error| Error::Talk("kernel", error))
}
