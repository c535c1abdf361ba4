//! Deployment after deployment under load: nobody may notice.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use seaworthy_core::cluster::plan::Revision;
use seaworthy_core::experiment::load::Method;
use seaworthy_drill::standing::Glimpse;
use seaworthy_drill::witness::{Seen, Users};
use serde::Serialize;

use super::{Common, Fleet, block_on, machine};
use crate::output::{self, Table};
use crate::statistics::cell;

/// One deployment is over within this.
const PATIENCE: Duration = Duration::from_secs(180);
/// So many failures are told with all that is known of them.
const TOLD: usize = 20;

/// How it was measured.
const HOW: &str = "\
A fleet of `seaworthy up` with three tasks, deployed anew with `seaworthy deploy --force` as soon as the deployment before
is over: each task is replaced each time. Meanwhile there is an open-loop load of GET over connections that are kept,
without tries again by its clients; the long requests take 2 s each.

";

/// What is done
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How many deployments
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    times: u32,
    /// Short requests a second
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    rate: u32,
    /// Requests of 2 s a second
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(0..=1_000))]
    long: u32,
}

/// What came of it.
#[derive(Debug, Serialize)]
struct Figures {
    /// How long each deployment took.
    deployments_s: Vec<f64>,
    ways: Vec<OfWay>,
    /// The first failures.
    examples: Vec<String>,
}

/// Requests of one kind.
#[derive(Debug, Serialize)]
struct OfWay {
    name: &'static str,
    requests: usize,
    failed: usize,
}

/// Measures, and writes the figures.
pub(crate) fn run(common: &Common, args: &Args, directory: &Path) -> anyhow::Result<()> {
    let program = common.program()?;
    let fleet = Fleet::up(&program, 3, directory)?;
    let ways = vec![
        fleet.way("short", args.rate, 0, Method::Get)?,
        fleet.way("long", args.long, 2_000, Method::Get)?,
    ];
    let users = Users::start(ways.clone())?;
    let deployments_s = (1..=args.times).map(|time| {
        let lasted = deploy(&fleet)?.as_secs_f64();
        println!("deployment {time} took {lasted:.1} s");
        Ok(lasted)
    });
    let deployments_s = deployments_s.collect::<anyhow::Result<_>>()?;
    let seen = users.end();
    fleet.standing.must(&["down"])?;
    let failed: Vec<&Seen> = seen.iter().filter(|seen| !seen.outcome.is_good()).collect();
    let of = |(place, way): (usize, &seaworthy_drill::witness::Way)| OfWay {
        name: way.name,
        requests: seen.iter().filter(|seen| seen.way == place).count(),
        failed: failed.iter().filter(|seen| seen.way == place).count(),
    };
    let figures = Figures {
        deployments_s,
        ways: ways.iter().enumerate().map(of).collect(),
        examples: failed.iter().take(TOLD).map(|seen| format!("{seen:?}")).collect(),
    };
    output::write(&common.out, "rollouts", &machine(&program), &markdown(&figures), &[figures])
}

/// Deploys, and waits until there are only tasks of the new revision.
fn deploy(fleet: &Fleet) -> anyhow::Result<Duration> {
    let begin = Instant::now();
    let file = fleet.file.display().to_string();
    let said = fleet.standing.must(&["deploy", &file, "--force", "--no-wait", "--json"])?;
    let reply: serde_json::Value = serde_json::from_str(&said)?;
    let revision = reply["deployed"][0]["revision"].as_u64();
    let revision = revision.with_context(|| format!("nothing is deployed: {said}"))? as Revision;
    let over = |now: &Glimpse| {
        now.is_whole()
            && now.tasks.iter().all(|task| task.revision == revision)
            && now.fleet.services.iter().all(|service| service.deployment.is_none())
    };
    let what = format!("the end of the deployment of revision {revision}");
    block_on(fleet.standing.until(&what, PATIENCE, over))?;
    Ok(begin.elapsed())
}

fn markdown(figures: &Figures) -> String {
    let mut table = Table::new(&["requests", "sent", "failed"], 1);
    for OfWay { name, requests, failed } in &figures.ways {
        table.row(&[(*name).to_owned(), requests.to_string(), failed.to_string()]);
    }
    let (count, lasted) =
        (figures.deployments_s.len(), cell(figures.deployments_s.iter().copied(), 1));
    let examples: String = figures.examples.iter().map(|line| format!("- {line}\n")).collect();
    let table = table.into_text();
    format!("{HOW}Deployments: {count}, each in {lasted} s.\n\n{table}\n{examples}")
}
