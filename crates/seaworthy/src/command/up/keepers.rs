//! A keeper that is killed is followed by another one, as long as somebody is there who sees it.

use std::time::{Duration, Instant};

use anyhow::bail;
use seaworthy_agent::directory::Directory;
use seaworthy_agent::{owner, processes};
use seaworthy_core::cluster::restarts::Restarts;
use seaworthy_core::record::Exit;

use crate::command::say::note;

/// Where keeper after keeper ends soon after its start, the next one waits longer and longer. Once it
/// would be so long, there is none.
const TOO_LONG: Duration = Duration::from_secs(1);

/// Where a whole fleet is ended at once, and not only its keeper, nothing of it is left after this.
const SETTLED: Duration = Duration::from_millis(100);

/// Has `start` start another keeper whenever there is none, until the fleet has ended.
pub(super) async fn follow(
    directory: &Directory,
    start: impl Fn() -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut restarts = Restarts::new(TOO_LONG);
    loop {
        let begin = Instant::now();
        owner::keeper_ended(directory.path()).await;
        let wait = restarts.ended(begin.elapsed(), Exit::Unknown);
        if wait >= TOO_LONG {
            let log = directory.log();
            bail!("keeper after keeper ends; what runs goes on; {} says why", log.display());
        }
        tokio::time::sleep(wait.max(SETTLED)).await;
        if processes::all_of(directory.path()).is_empty() {
            return Ok(());
        }
        match start() {
            Ok(()) => note("the keeper was killed; another one has taken over"),
            // Somebody else was quicker.
            Err(_) if owner::has_keeper(directory.path()) => {}
            Err(error) => return Err(error),
        }
    }
}
