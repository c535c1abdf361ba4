//! The keeper of a fleet, as long as somebody is there who sees it: where there is none one is started, and
//! one that is killed, at whatever moment, is followed by another one.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use seaworthy_agent::api::client::Client;
use seaworthy_agent::directory::Directory;
use seaworthy_agent::{Error, owner, processes};
use seaworthy_core::cluster::restarts::Restarts;
use seaworthy_core::fleet::Fleet;
use seaworthy_core::record::Exit;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::{example, systemd};
use crate::command::running::Running;
use crate::command::say::note;

/// Where keeper after keeper ends soon after its start, the next one waits longer and longer. Once it
/// would be so long, there is none.
const TOO_LONG: Duration = Duration::from_secs(1);
/// Where a whole fleet is ended at once, and not only its keeper, nothing of it is left after this.
const SETTLED: Duration = Duration::from_millis(100);
/// A keeper that somebody else has started has a fleet within this, or has ended.
const THEIRS_WITHIN: Duration = Duration::from_secs(15);
/// How often it is looked for that.
const EVERY: Duration = Duration::from_millis(50);

/// Sees to it that a fleet has a keeper.
pub(super) struct Keepers<'a> {
    directory: &'a Directory,
    running: &'a Running,
    /// As the file says, if there is one.
    meant: Option<Fleet>,
    /// Those of systemd are given to each keeper: where nothing of the fleet is left, nobody else has them.
    sockets: Vec<(String, TcpListener)>,
    restarts: Restarts,
}

// === impl Keepers ===

impl<'a> Keepers<'a> {
    pub(super) fn new(
        directory: &'a Directory,
        running: &'a Running,
        meant: Option<Fleet>,
    ) -> anyhow::Result<Self> {
        let mut sockets = Vec::new();
        let passed = systemd::sockets()?;
        if !passed.is_empty() {
            let known = if meant.is_none() { directory.known()? } else { None };
            let fleet = meant.as_ref().or(known.as_ref());
            sockets = fleet.map_or(Ok(sockets), |fleet| systemd::assign(passed, fleet))?;
        }
        Ok(Self { directory, running, meant, sockets, restarts: Restarts::new(TOO_LONG) })
    }

    /// Starts one, which adopts what still runs of an earlier one; if somebody else does so at the same
    /// time, that is as good. Returns whether it is ours.
    pub(super) async fn start(&mut self) -> anyhow::Result<bool> {
        loop {
            let begin = Instant::now();
            let Err(error) = self.launch().await else { return Ok(true) };
            match error.downcast_ref() {
                Some(Error::Kept { .. }) if self.is_theirs().await => return Ok(false),
                Some(Error::Kept { .. }) if self.has_one() => return Err(error),
                // It was killed at once, or the lock of one that was is not free yet.
                Some(Error::Kept { .. } | Error::KeeperGone) => {
                    self.pause(begin).await.with_context(|| error.to_string())?;
                }
                _ => return Err(error),
            }
        }
    }

    /// Follows each that is killed by another one, until the fleet has ended.
    pub(super) async fn follow(&mut self) -> anyhow::Result<()> {
        loop {
            let begin = Instant::now();
            owner::keeper_ended(self.directory.path()).await;
            self.pause(begin).await?;
            let path = self.directory.path();
            if processes::all_of(path).is_empty() || !self.directory.holds_a_fleet() {
                // A keeper that was killed while it ended the fleet may have left something.
                owner::end_at_once(path);
                return Ok(());
            }
            if self.start().await? {
                note("the keeper was killed; another one has taken over");
            }
        }
    }

    /// Waits before the next one, after one that was started at `begin`.
    async fn pause(&mut self, begin: Instant) -> anyhow::Result<()> {
        let wait = self.restarts.ended(begin.elapsed(), Exit::Unknown);
        if wait >= TOO_LONG {
            let log = self.directory.log();
            bail!("keeper after keeper ends; what runs goes on; {} says why", log.display());
        }
        sleep(wait.max(SETTLED)).await;
        Ok(())
    }

    /// Whether the keeper of somebody else has a fleet, which it may only just be starting.
    async fn is_theirs(&self) -> bool {
        let client = Client::new(self.directory.path());
        let begin = Instant::now();
        while self.has_one() && begin.elapsed() < THEIRS_WITHIN {
            if client.fleet().await.is_ok() {
                return true;
            }
            sleep(EVERY).await;
        }
        false
    }

    fn has_one(&self) -> bool {
        owner::has_keeper(self.directory.path())
    }

    async fn launch(&self) -> anyhow::Result<()> {
        let program = std::env::current_exe().context("this program cannot be found")?;
        // What runs goes on first; then it is made as the file says.
        let fleet = match &self.meant {
            _ if self.directory.holds_a_fleet() => None,
            None => Some(example::fleet(self.directory, self.running)?),
            meant => meant.clone(),
        };
        let directory = self.directory.clone();
        let sockets =
            self.sockets.iter().map(|(name, socket)| Ok((name.clone(), socket.try_clone()?)));
        let sockets = sockets.collect::<std::io::Result<Vec<_>>>().context("sockets of systemd")?;
        let log = directory.log();
        let before = fs::metadata(&log).map_or(0, |meta| meta.len());
        let launch = move || owner::launch(&program, &directory, fleet, sockets);
        let launched = spawn_blocking(launch).await?;
        launched.map(drop).map_err(|error| because(error.into(), &log, before))
    }
}

/// The error with what parts of the fleet wrote to their log since it had so many bytes: only they know
/// why they ended.
fn because(error: anyhow::Error, log: &Path, before: u64) -> anyhow::Error {
    let text = fs::read(log).unwrap_or_default();
    let new = text.get(before as usize..).unwrap_or(&text);
    let words = error.to_string();
    let new = String::from_utf8_lossy(new);
    let said: Vec<&str> = new.lines().filter(|line| !line.contains(&words)).collect();
    let said: Vec<&str> =
        said.into_iter().map(|line| line.strip_prefix("seaworthy: ").unwrap_or(line)).collect();
    if said.is_empty() { error } else { error.context(said.join("\n")) }
}
