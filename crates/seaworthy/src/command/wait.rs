//! Waits for deployments, and tells how far they are.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use seaworthy_agent::api::client::{Client, ClientError};
use seaworthy_agent::api::types::{
    DeployReply, Deployed, EventView, EventsQuery, FleetView, RevisionState, RevisionView,
    ServiceView,
};
use seaworthy_core::record::Decision;
use tokio::time::{Instant, sleep};

use super::ps;
use super::running::Running;
use super::table::{BAD, GOOD, paint};

/// How often it is looked how far they are.
const EVERY: Duration = Duration::from_millis(250);
/// A deployment may replace the agent itself; it is there again within this.
const BACK_WITHIN: Duration = Duration::from_secs(30);

/// Whether to wait
#[derive(Debug, clap::Args)]
pub(crate) struct Wait {
    /// Wait until it has ended, and tell how far it is; that is the default
    #[arg(long, overrides_with = "no_wait")]
    wait: bool,
    /// Return as soon as it has begun
    #[arg(long)]
    no_wait: bool,
}

// === impl Wait ===

impl Wait {
    pub(crate) fn is_wanted(&self) -> bool {
        self.wait || !self.no_wait
    }
}

/// How long an agent that does not answer is borne with.
pub(crate) struct Patience {
    heard: Instant,
}

// === impl Patience ===

impl Patience {
    /// The agent has just answered.
    pub(crate) fn new() -> Self {
        Self { heard: Instant::now() }
    }

    /// Whether to ask again after this error.
    pub(crate) fn bears(&self, error: &ClientError) -> bool {
        error.is_passing() && self.heard.elapsed() < BACK_WITHIN
    }
}

/// What is answered to `ask`, if need be by the next agent.
pub(crate) async fn patiently<T>(
    ask: impl AsyncFn() -> Result<T, ClientError>,
) -> Result<T, ClientError> {
    let patience = Patience::new();
    loop {
        match ask().await {
            Err(error) if patience.bears(&error) => sleep(EVERY).await,
            answered => return answered,
        }
    }
}

/// What a deployment that has begun is told as.
pub(crate) fn begun(deployed: &Deployed) -> String {
    let Deployed { service, revision, from } = deployed;
    let from = from.map(|from| format!(" in place of revision {from}")).unwrap_or_default();
    format!("{service}: deploying revision {revision}{from}")
}

/// The deployments that were under way in `before` and still are after `reply`, as it changes nothing
/// about them.
pub(crate) fn still_under_way(
    before: &FleetView,
    reply: &DeployReply,
    only: Option<&str>,
) -> Vec<Deployed> {
    let untouched = |service: &&ServiceView| {
        only.is_none_or(|only| service.name == only)
            && !reply.deployed.iter().any(|deployed| deployed.service == service.name)
            && !reply.removed.contains(&service.name)
    };
    let under_way = |service: &ServiceView| {
        let deployment = service.deployment.as_ref()?;
        let (revision, from) = (deployment.revision, deployment.from);
        Some(Deployed { service: service.name.clone(), revision, from })
    };
    before.services.iter().filter(untouched).filter_map(under_way).collect()
}

/// What a deployment that began earlier is told as.
pub(crate) fn goes_on(deployed: &Deployed) -> String {
    format!("{}: revision {} is still being deployed", deployed.service, deployed.revision)
}

/// Waits until every one of `deployed` has ended; exit code 1 if one has not ended well.
pub(crate) async fn until_ended(
    running: &Running,
    client: &Client,
    deployed: &[Deployed],
) -> anyhow::Result<ExitCode> {
    let mut open: Vec<&Deployed> = deployed.iter().collect();
    let mut told = BTreeMap::new();
    let mut failed = false;
    let mut patience = Patience::new();
    while !open.is_empty() {
        let (fleet, ends) = match look(client, &open).await {
            Ok(looked) => looked,
            Err(error) if patience.bears(&error) => {
                sleep(EVERY).await;
                continue;
            }
            Err(error) => return Err(error).context("the deployment goes on"),
        };
        patience = Patience::new();
        let mut still = Vec::new();
        for (deployed, end) in open.into_iter().zip(ends) {
            let end = end.with_context(|| format!("{}: its revision is gone", deployed.service))?;
            if matches!(end.state, RevisionState::InProgress | RevisionState::RollingBack) {
                let line = progress(&fleet, deployed);
                let news = without_times(&line);
                if told.get(&deployed.service) != Some(&news) {
                    running.remark(&line)?;
                    told.insert(&deployed.service, news);
                }
                // It goes on when somebody wants tasks again.
                if !is_empty(&fleet, deployed) {
                    still.push(deployed);
                }
            } else {
                failed |= end.state != RevisionState::Completed;
                running.remark(&verdict(client, &deployed.service, &end).await)?;
            }
        }
        open = still;
        if !open.is_empty() {
            sleep(EVERY).await;
        }
    }
    Ok(if failed { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

/// The fleet, and the revision of each deployment; none if it is not known any more.
async fn look(
    client: &Client,
    open: &[&Deployed],
) -> Result<(FleetView, Vec<Option<RevisionView>>), ClientError> {
    let mut ends = Vec::new();
    for deployed in open {
        let revisions = client.revisions(&deployed.service).await?.value;
        ends.push(revisions.into_iter().find(|one| one.revision == deployed.revision));
    }
    Ok((client.fleet().await?.value, ends))
}

/// Whether the service is to have no tasks, and has none: then nothing can be waited for.
fn is_empty(fleet: &FleetView, deployed: &Deployed) -> bool {
    let service = fleet.services.iter().find(|service| service.name == deployed.service);
    service.is_some_and(|service| service.desired == 0 && service.running == 0)
}

fn progress(fleet: &FleetView, deployed: &Deployed) -> String {
    let service = fleet.services.iter().find(|service| service.name == deployed.service);
    let far = |service: &ServiceView| {
        let mut text = ps::deployment(service.deployment.as_ref()?);
        for why in &service.waiting_on {
            text = text + "; " + why;
        }
        Some(text)
    };
    let far = service.and_then(far);
    let far = far.unwrap_or_else(|| format!("revision {}: under way", deployed.revision));
    format!("{}: {far}", deployed.service)
}

/// What is left of a line when the times in it pass: a wait that has become shorter is no news.
fn without_times(line: &str) -> String {
    let is_time = |word: &str| {
        let word = word.trim_end_matches([',', ';']);
        word.starts_with(|c: char| c.is_ascii_digit()) && word.ends_with(char::is_alphabetic)
    };
    line.split(' ').filter(|word| !is_time(word)).collect::<Vec<_>>().join(" ")
}

/// How the deployment of a revision has ended; if not well, with what its tasks failed by.
pub(crate) async fn verdict(client: &Client, service: &str, end: &RevisionView) -> String {
    let why = end.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    let (style, word) = match end.state {
        RevisionState::Completed => (GOOD, "is in place"),
        RevisionState::RolledBack => (BAD, "has failed and was rolled back"),
        RevisionState::Replaced => (BAD, "was replaced by another deployment"),
        RevisionState::Failed | RevisionState::InProgress | RevisionState::RollingBack => {
            (BAD, "has failed")
        }
    };
    let text = paint(style, &format!("revision {} {word}{why}", end.revision));
    let last = match end.state {
        RevisionState::RolledBack | RevisionState::Failed => last_failure(client, service).await,
        _ => None,
    };
    let last = last.map(|last| format!("\n{service}: {last}")).unwrap_or_default();
    format!("{service}: {text}{last}")
}

/// How the last task that failed in this deployment or the one before has ended, with its last lines; of
/// those that did not end, in what it failed.
async fn last_failure(client: &Client, service: &str) -> Option<String> {
    let query = EventsQuery { service: Some(service.to_owned()), ..EventsQuery::default() };
    let events = client.events(&query).await.ok()?.value;
    let of_it = || events.iter().rev().take_while(|event| event.decision != Decision::Deploy);
    let unasked = |event: &&EventView| {
        ["died", "not_started"].iter().any(|cause| event.cause.get(cause).is_some())
    };
    let died = of_it().filter(|event| event.decision == Decision::Gone).find(unasked);
    let last = died.or_else(|| of_it().find(|event| event.decision == Decision::Blame))?;
    Some(format!("{}: {}", last.task?, last.text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_that_passes_is_no_news() {
        let [before, after, other] =
            ["1.5s, 1 of 2 left", "408.5ms, 1 of 2 left", "408.5ms, 2 of 2 left"];
        assert_eq!(without_times(before), without_times(after));
        assert_ne!(without_times(after), without_times(other));
    }
}
