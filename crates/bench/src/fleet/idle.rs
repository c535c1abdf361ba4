//! What our own processes cost while nobody asks for anything.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use serde::Serialize;

use super::{Common, Fleet, machine};
use crate::child::{cpu, pss};
use crate::output::{self, Table};

/// After its start a fleet comes to rest within this.
const SETTLE: Duration = Duration::from_secs(10);
const MIB: f64 = (1 << 20) as f64;

/// How it was measured.
const HOW: &str = "\
A fleet of `seaworthy up` that nobody asks for anything but its own health checks. Memory is the proportional set size at
the end, CPU the share of one core over the whole time.

";

/// What is done
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How many tasks
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100))]
    tasks: u32,
    /// For how long
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    seconds: u64,
}

/// One of our own processes.
#[derive(Debug, Serialize)]
struct Part {
    name: &'static str,
    pss_mib: f64,
    cpu_percent: f64,
}

/// Measures, and writes the figures.
pub(crate) fn run(common: &Common, args: &Args, directory: &Path) -> anyhow::Result<()> {
    let program = common.program()?;
    let fleet = Fleet::up(&program, args.tasks, directory)?;
    std::thread::sleep(SETTLE);
    let pid = |name: &'static str| {
        let pid = fleet.whole.pid(name).with_context(|| format!("there is no {name}"));
        pid.map(|pid| (name, pid, cpu(&[pid])))
    };
    let parts = ["keeper", "agent", "gateway"].map(pid);
    let parts = parts.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
    let begin = Instant::now();
    std::thread::sleep(Duration::from_secs(args.seconds));
    let lasted = begin.elapsed().as_secs_f64();
    let of = |(name, pid, before)| {
        let used = cpu(&[pid]).since(before);
        let cpu_percent = (used.user + used.system).as_secs_f64() * 100.0 / lasted;
        let pss = pss(pid).with_context(|| format!("the {name} has ended"))?;
        Ok(Part { name, pss_mib: pss as f64 / MIB, cpu_percent })
    };
    let parts: Vec<Part> = parts.into_iter().map(of).collect::<anyhow::Result<_>>()?;
    fleet.standing.must(&["down"])?;
    let text = markdown(args, &parts);
    output::write(&common.out, "fleet-idle", &machine(&program), &text, &parts)
}

fn markdown(args: &Args, parts: &[Part]) -> String {
    let mut table = Table::new(&["process", "PSS MiB", "CPU %"], 1);
    let mut row = |name: &str, pss: f64, cpu: f64| {
        table.row(&[name.to_owned(), format!("{pss:.1}"), format!("{cpu:.2}")]);
    };
    for Part { name, pss_mib, cpu_percent } in parts {
        row(name, *pss_mib, *cpu_percent);
    }
    let sum = |figure: fn(&Part) -> f64| parts.iter().map(figure).sum();
    row("all", sum(|part| part.pss_mib), sum(|part| part.cpu_percent));
    format!("{HOW}{} tasks, {} s.\n\n{}", args.tasks, args.seconds, table.into_text())
}
