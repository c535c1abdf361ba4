//! A fleet that stands by itself, as `seaworthy up --detach` leaves it: what is asked of it, and its
//! end, whatever happens.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use seaworthy_agent::api::client::Client;
use seaworthy_agent::api::types::{FleetView, TaskView};
use seaworthy_agent::directory::Directory;
use seaworthy_agent::owner;
use seaworthy_agent::processes::{self, Identity};
use tokio::time::{Instant, sleep, timeout};

/// How often it is looked whether something has come.
const EVERY: Duration = Duration::from_millis(20);
/// One question to an agent that may just be killed.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// A fleet in a state directory. Dropping it ends every process of it.
#[derive(Debug)]
pub struct Standing {
    program: PathBuf,
    directory: Directory,
    client: Client,
}

/// A fleet as it is at one moment.
#[derive(Clone, Debug)]
pub struct Glimpse {
    /// Its services and its parts.
    pub fleet: FleetView,
    /// Its tasks.
    pub tasks: Vec<TaskView>,
}

// === impl Standing ===

impl Standing {
    /// That of `directory`, by `program`, which is `seaworthy`. Starts nothing.
    pub fn at(program: &Path, directory: &Path) -> io::Result<Self> {
        let directory = Directory::at(directory).map_err(io::Error::other)?;
        let client = Client::new(directory.path());
        Ok(Self { program: program.to_owned(), directory, client })
    }

    /// Where its state is.
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// Who asks its agent.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// `seaworthy ARGUMENTS` about this fleet.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments).env("SEAWORTHY_STATE", self.directory.path());
        command.stdin(Stdio::null());
        command
    }

    /// Runs it, and says what it said.
    pub fn run(&self, arguments: &[&str]) -> io::Result<Output> {
        self.command(arguments).output()
    }

    /// Runs it; what ends otherwise than well is an error.
    pub fn must(&self, arguments: &[&str]) -> io::Result<String> {
        let output = self.run(arguments)?;
        let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() {
            return Ok(said(&output.stdout));
        }
        let (command, words) = (arguments.join(" "), said(&output.stderr) + &said(&output.stdout));
        Err(io::Error::other(format!("seaworthy {command}: {}: {words}", output.status)))
    }

    /// Every process of it.
    pub fn processes(&self) -> Vec<Identity> {
        processes::all_of(self.directory.path())
    }

    /// As it is; none if nobody tells at the moment.
    pub async fn glimpse(&self) -> Option<Glimpse> {
        let ask = async {
            let fleet = self.client.fleet().await.ok()?.value;
            let tasks = self.client.tasks().await.ok()?.value;
            Some(Glimpse { fleet, tasks })
        };
        timeout(ANSWER_WITHIN, ask).await.ok().flatten()
    }

    /// Waits until it is as `is_meant` says, and returns how it is then. `what` says what is waited
    /// for.
    pub async fn until(
        &self,
        what: &str,
        within: Duration,
        mut is_meant: impl FnMut(&Glimpse) -> bool,
    ) -> io::Result<Glimpse> {
        let deadline = Instant::now() + within;
        loop {
            let glimpse = self.glimpse().await;
            if let Some(meant) = glimpse.clone().filter(&mut is_meant) {
                return Ok(meant);
            }
            if Instant::now() >= deadline {
                let log = std::fs::read_to_string(self.directory.log()).unwrap_or_default();
                let text = format!("{what} did not come within {within:?}: {glimpse:?}\n{log}");
                return Err(io::Error::new(io::ErrorKind::TimedOut, text));
            }
            sleep(EVERY).await;
        }
    }
}

impl Drop for Standing {
    fn drop(&mut self) {
        owner::end_at_once(self.directory.path());
    }
}

// === impl Glimpse ===

impl Glimpse {
    /// Whether each service has all its tasks in rotation and no other ones, and each part is there
    /// once.
    pub fn is_whole(&self) -> bool {
        let as_desired = self.fleet.services.iter().all(|service| {
            let tasks = self.tasks.iter().filter(|task| task.service == service.name).count();
            service.in_rotation == service.desired && tasks == service.desired as usize
        });
        let once = |part: &str| self.pids(part).len() == 1;
        as_desired && ["agent", "gateway"].into_iter().all(once)
    }

    /// The process of a part, if there is just one.
    pub fn pid(&self, part: &str) -> Option<u32> {
        if let [pid] = self.pids(part)[..] { Some(pid) } else { None }
    }

    /// The processes of the tasks, in ascending order.
    pub fn task_pids(&self) -> Vec<u32> {
        let mut pids: Vec<u32> = self.tasks.iter().filter_map(|task| task.pid).collect();
        pids.sort_unstable();
        pids
    }

    /// Where the gateway takes requests for a service.
    pub fn address(&self, service: &str) -> Option<SocketAddr> {
        let service = self.fleet.services.iter().find(|known| known.name == service)?;
        service.url.strip_prefix("http://")?.parse().ok()
    }

    fn pids(&self, part: &str) -> Vec<u32> {
        let parts = self.fleet.parts.iter().filter(|known| known.name == part);
        parts.map(|part| part.pid).collect()
    }
}
