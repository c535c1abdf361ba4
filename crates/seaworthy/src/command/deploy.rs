//! `seaworthy deploy`: a running fleet is to be as its file says now.

use std::path::{Path, PathBuf, absolute};
use std::process::ExitCode;

use anyhow::Context;
use seaworthy_agent::api::client::ClientError;
use seaworthy_agent::api::types::{Deploy, DeployReply, Deployed, FleetView};
use seaworthy_core::fleet::{Fleet, RawFleet};

use super::running::Running;
use super::wait::{Wait, begun, goes_on, still_under_way, until_ended};

/// Makes a running fleet as a fleet file says: what has changed is deployed, task by task
///
/// Waits until every deployment has ended, and tells how far it is. One that fails is rolled back, unless
/// the fleet file says otherwise.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  seaworthy deploy
  seaworthy deploy fleet.toml --service store
  seaworthy deploy --no-wait --json

With --json: the answer on standard output, how far it is on standard error.

Exit codes:
  0  all is as the file says, or with --no-wait: it has begun
  1  a deployment failed, or was rolled back
  2  the command line, the file or the surroundings are wrong")]
pub(crate) struct Args {
    /// The fleet file; without one, the file that the fleet came from
    #[arg(value_name = "FLEET")]
    file: Option<PathBuf>,
    /// Only this service is to change
    #[arg(long)]
    service: Option<String>,
    /// Make tasks anew even if nothing about them has changed, such as for files they read at their start
    #[arg(long)]
    force: bool,
    /// Drain and remove the services that run and are not in the file
    #[arg(long, conflicts_with = "service")]
    remove: bool,
    #[command(flatten)]
    wait: Wait,
    #[command(flatten)]
    running: Running,
}

/// Deploys what `args` say.
pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let Args { file, service, force, remove, wait, running } = args;
    running.talk(async |client| {
        let file = if let Some(file) = file {
            file.clone()
        } else {
            let its = its_file(&client.fleet().await?.value)?;
            running.remark(&format!("from {}", its.display()))?;
            its
        };
        let (service, force, remove) = (service.clone(), *force, *remove);
        let deploy = Deploy { service, force, remove, ..read(&file)? };
        let ask = async || Ok((client.fleet().await?.value, client.deploy(&deploy).await?));
        // Another deployment may have replaced the agent. What is forced would be done twice.
        let (before, reply) = match ask().await {
            Err(ClientError::Broke { .. }) if !force => ask().await?,
            asked => asked?,
        };
        let open = still_under_way(&before, &reply.value, deploy.service.as_deref());
        running.tell(&reply, |reply| render(reply, &open))?;
        if wait.is_wanted() {
            let all = [reply.value.deployed, open].concat();
            return until_ended(running, &client, &all).await;
        }
        Ok(ExitCode::SUCCESS)
    })
}

fn its_file(fleet: &FleetView) -> anyhow::Result<PathBuf> {
    let file = fleet.file.clone();
    file.context("the fleet did not come from a file; say which is meant: `seaworthy deploy FLEET`")
}

/// What is wrong with the file is said here, with its line, and not only by the agent.
pub(crate) fn read(path: &Path) -> anyhow::Result<Deploy> {
    let file = path.display();
    let text = std::fs::read_to_string(path).with_context(|| format!("{file}"))?;
    let raw: RawFleet = toml::from_str(&text).with_context(|| format!("{file}"))?;
    Fleet::try_from(raw).with_context(|| format!("{file}"))?;
    let fleet = toml::from_str(&text).with_context(|| format!("{file}"))?;
    let path = absolute(path).with_context(|| format!("{file}"))?;
    path.to_str().with_context(|| format!("{}: allowed is a path in UTF-8", path.display()))?;
    let directory = path.parent().unwrap_or(Path::new("/")).to_owned();
    Ok(Deploy { fleet, directory, file: Some(path), service: None, force: false, remove: false })
}

/// `open` are the deployments that began earlier and go on.
fn render(reply: &DeployReply, open: &[Deployed]) -> String {
    let deployed = reply.deployed.iter().map(begun);
    let changes = reply.changes.iter().cloned();
    let unchanged = |service: &String| {
        format!("{service}: nothing has changed in the file; --force makes its tasks anew")
    };
    let is_open = |service: &&String| open.iter().any(|deployed| deployed.service == **service);
    let unchanged = reply.unchanged.iter().filter(|service| !is_open(service)).map(unchanged);
    let open = open.iter().map(goes_on);
    deployed.chain(changes).chain(open).chain(unchanged).collect::<Vec<_>>().join("\n")
}
