//! The crash storm, with the figures of what it did.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use seaworthy_core::experiment::load::Method;
use seaworthy_drill::storm::{Class, Kill, Storm, Victim};
use seaworthy_drill::witness::{Seen, Users, Way};
use serde::Serialize;

use super::{Common, Fleet, block_on, machine};
use crate::output::{self, Table};
use crate::statistics::cell;

/// So many failures are told with all that is known of them.
const TOLD: usize = 20;

/// How it was measured.
const HOW: &str = "\
A fleet of `seaworthy up` with three tasks; one process after another, by seed, is ended with SIGKILL: of four kills about
one is of the agent, one of the gateway and two are of tasks. The next comes when the fleet is whole again, after a pause
that is drawn. Meanwhile there is an open-loop load, without tries again by its clients: GET over connections that are
kept, GET over a connection each, and POST, which may not be asked twice.

";

/// What is done
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How many processes are killed
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    kills: u32,
    /// The pauses between kills come to about so long
    #[arg(long, value_name = "N", default_value_t = 300, value_parser = clap::value_parser!(u32).range(0..=86_400))]
    seconds: u32,
    /// Which processes, and when
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Requests a second of each of the three kinds
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    rate: u32,
}

/// What came of it.
#[derive(Debug, Serialize)]
struct Figures {
    seed: u64,
    victims: Vec<Victims>,
    ways: Vec<OfWay>,
    /// Processes that were left after `seaworthy down`.
    orphans: usize,
    /// The first failures that are of no class, or refused.
    examples: Vec<String>,
}

/// Kills of one kind.
#[derive(Debug, Serialize)]
struct Victims {
    name: &'static str,
    kills: usize,
    /// After which the fleet was whole again.
    restored: usize,
    whole_after_ms: Vec<f64>,
}

/// Requests of one kind.
#[derive(Debug, Default, Serialize)]
struct OfWay {
    name: &'static str,
    requests: usize,
    refused: usize,
    of_killed_gateway: usize,
    unrepeatable: usize,
    other: usize,
}

/// Measures, and writes the figures.
pub(crate) fn run(common: &Common, args: &Args, directory: &Path) -> anyhow::Result<()> {
    let program = common.program()?;
    let fleet = Fleet::up(&program, 3, directory)?;
    let ways = vec![
        fleet.way("kept", args.rate, 5, Method::Get)?,
        fleet.way("once", args.rate, 5, Method::Get)?,
        fleet.way("posted", args.rate, 20, Method::Post)?,
    ];
    let users = Users::start(ways.clone())?;
    let longest_pause = Duration::from_secs(2 * u64::from(args.seconds)) / args.kills;
    let storm = Storm { seed: args.seed, kills: args.kills, longest_pause };
    let kills = block_on(storm.pass(&fleet.standing))?;
    let seen = users.end();
    fleet.standing.must(&["down"])?;
    let orphans = fleet.standing.processes().len();
    let figures = Figures {
        seed: args.seed,
        victims: victims(&kills),
        ways: ways.iter().enumerate().map(|(way, of)| OfWay::of(of, way, &seen, &kills)).collect(),
        orphans,
        examples: examples(&ways, &seen, &kills),
    };
    output::write(&common.out, "storm", &machine(&program), &markdown(&figures), &[figures])
}

fn victims(kills: &[Kill]) -> Vec<Victims> {
    let mut by_name: BTreeMap<&'static str, Vec<f64>> = BTreeMap::new();
    for kill in kills {
        let name = match kill.victim {
            Victim::Agent => "agent",
            Victim::Gateway => "gateway",
            Victim::Task(_) => "task",
        };
        by_name.entry(name).or_default().push(kill.whole_after.as_secs_f64() * 1_000.0);
    }
    // A fleet that does not come back ends the measurement with an error.
    let of = |(name, whole_after_ms): (_, Vec<f64>)| {
        let kills = whole_after_ms.len();
        Victims { name, kills, restored: kills, whole_after_ms }
    };
    by_name.into_iter().map(of).collect()
}

fn class(ways: &[Way], seen: &Seen, kills: &[Kill]) -> Option<Class> {
    Class::of(seen, ways[seen.way].method == Method::Get, kills)
}

fn examples(ways: &[Way], seen: &[Seen], kills: &[Kill]) -> Vec<String> {
    let strange =
        |seen: &&Seen| matches!(class(ways, seen, kills), Some(Class::Refused | Class::Other));
    let told = |seen: &Seen| {
        let before = kills.iter().rfind(|kill| kill.at <= seen.ended);
        let before = before.map(|kill| format!("{:?} after {kill:?}", seen.ended.since(kill.at)));
        format!("{}: {seen:?}, {}", ways[seen.way].name, before.unwrap_or_default())
    };
    seen.iter().filter(strange).take(TOLD).map(told).collect()
}

// === impl OfWay ===

impl OfWay {
    fn of(way: &Way, place: usize, seen: &[Seen], kills: &[Kill]) -> Self {
        let mut of = Self { name: way.name, ..Self::default() };
        for seen in seen.iter().filter(|seen| seen.way == place) {
            of.requests += 1;
            match Class::of(seen, way.method == Method::Get, kills) {
                None => {}
                Some(Class::Refused) => of.refused += 1,
                Some(Class::OfKilledGateway) => of.of_killed_gateway += 1,
                Some(Class::Unrepeatable) => of.unrepeatable += 1,
                Some(Class::Other) => of.other += 1,
            }
        }
        of
    }
}

fn markdown(figures: &Figures) -> String {
    const VICTIMS: [&str; 4] = ["killed", "times", "restored", "whole after ms"];
    const WAYS: [&str; 6] = [
        "requests",
        "sent",
        "refused",
        "failed, of a killed gateway",
        "failed, unrepeatable in a killed task",
        "failed otherwise",
    ];
    let mut victims = Table::new(&VICTIMS, 1);
    for Victims { name, kills, restored, whole_after_ms } in &figures.victims {
        let whole = cell(whole_after_ms.iter().copied(), 0);
        victims.row(&[(*name).to_owned(), kills.to_string(), restored.to_string(), whole]);
    }
    let mut ways = Table::new(&WAYS, 1);
    for way in &figures.ways {
        let counts =
            [way.requests, way.refused, way.of_killed_gateway, way.unrepeatable, way.other];
        let cells = counts.map(|count| count.to_string());
        ways.row(&[&[way.name.to_owned()][..], &cells[..]].concat());
    }
    let examples: String = figures.examples.iter().map(|line| format!("- {line}\n")).collect();
    let (victims, ways) = (victims.into_text(), ways.into_text());
    format!("{HOW}{victims}\n{ways}\nOrphans at the end: {}.\n\n{examples}", figures.orphans)
}
