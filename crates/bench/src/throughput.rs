//! Requests a second, latency, CPU a request and memory, at as many requests as there is room for.

use std::fmt;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::Context;
use serde::Serialize;

use crate::child::Child;
use crate::client::{free_address, wait_for};
use crate::machine::Machine;
use crate::output::{self, Table};
use crate::proxy::{Kind, Program, Proxy, Purpose, Setup, fill};
use crate::statistics::cell;
use crate::wrk::{self, Ask};
use crate::{Common, calls, idle};

/// The CPU of the proxy, where it is pinned, and that of the load and the backends.
const PROXY_CPU: u32 = 0;
const OTHER_CPU: u32 = 1;
/// As many connections as a proxy is configured for.
const CONNECTIONS: u32 = 8_000;
const WARM_UP: Duration = Duration::from_secs(1);

const HOW: &str = "\
`wrk` with one thread and 64 connections; one nginx with three ports is the backend. Pinned: the proxy with one worker
on CPU 0, load and backend on CPU 1. Each round starts each proxy afresh, warms it up for 1 s, measures and ends it; rounds are
interleaved; medians, with their range in parentheses. CPU is the time of the proxy's processes, user and system, divided
by the requests; it holds the work for the loopback, too. Where \"proxy CPU %\" is under about 97, CPU 1 is what limits the
requests a second. System calls are counted by strace in a run of its own. Configurations: `crates/bench/peers/throughput`.

";

/// What is measured
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What is asked for; `two` brings `one` with it
    #[arg(
        long,
        value_name = "CASE",
        value_delimiter = ',',
        default_value = "get1k,post4k,get16k,two"
    )]
    cases: Vec<Case>,
    /// How long each measurement lasts
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Count system calls as well, in a run of its own
    #[arg(long)]
    strace: bool,
}

/// What is asked for, and with how many workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
enum Case {
    /// GET, 1 KiB answer; one worker on a CPU of its own
    Get1k,
    /// POST, 4 KiB body, 1 KiB answer; likewise
    Post4k,
    /// GET, 16 KiB answer; likewise
    Get16k,
    /// GET, 1 KiB answer; one worker, nothing pinned
    One,
    /// GET, 1 KiB answer; two workers, nothing pinned
    Two,
    /// Memory with 10,000 idle connections, or as many as may be open
    Idle,
}

/// One measurement of one proxy.
#[derive(Debug, Serialize)]
struct Run {
    round: u32,
    case: Case,
    proxy: Kind,
    requests: u64,
    requests_a_second: f64,
    p50_micros: u64,
    p99_micros: u64,
    /// Connections beside those of the load.
    idle: u32,
    /// CPU µs a request.
    user_micros: f64,
    system_micros: f64,
    /// Of one CPU.
    cpu_percent: f64,
    pss_mib: f64,
    errors: u64,
    /// System calls a request, and which; in a run of its own.
    calls: Option<calls::Calls>,
}

/// One nginx on three ports, fast enough for every proxy.
struct Backends {
    _child: Child,
    addresses: Vec<SocketAddr>,
}

/// Measures, and writes the figures.
pub(crate) fn run(common: &Common, args: &Args, directory: &Path) -> anyhow::Result<()> {
    let programs = common.programs.find()?;
    let machine = Machine::this(&programs);
    let mut cases = args.cases.clone();
    if cases.contains(&Case::Two) {
        cases.push(Case::One);
    }
    cases.sort_unstable();
    cases.dedup();
    let mut runs = Vec::new();
    for case in cases {
        let backends = Backends::start(case.cpu(OTHER_CPU), directory)?;
        for round in 1..=common.rounds {
            for program in &programs {
                let run = measure(program, case, round, args, &backends, directory)
                    .with_context(|| format!("{}, {case}", program.kind))?;
                println!("{}", run.line());
                runs.push(run);
            }
        }
    }
    let text = markdown(&runs);
    output::write(&common.out, "throughput", &machine, &text, &runs)
}

fn measure(
    program: &Program,
    case: Case,
    round: u32,
    args: &Args,
    backends: &Backends,
    directory: &Path,
) -> anyhow::Result<Run> {
    let directory = tempfile::tempdir_in(directory)?;
    let idle = if case == Case::Idle { idle::count() } else { 0 };
    let setup = Setup {
        purpose: Purpose::Throughput,
        threads: if case == Case::Two { 2 } else { 1 },
        connections: if idle > 0 { idle + idle::ROOM_FOR_LOAD } else { CONNECTIONS },
        pinned: case.cpu(PROXY_CPU),
        backends: &backends.addresses,
        directory: directory.path(),
    };
    let proxy = program.start(setup)?;
    let ask = case.ask();
    wait_for(proxy.address, ask.path, |_| true)?;
    let _held = idle::open(proxy.address, ask.path, idle)?;
    let load = |lasts| wrk::load(proxy.address, ask, lasts, case.cpu(OTHER_CPU), directory.path());
    load(WARM_UP)?;
    let before = proxy.child.cpu();
    let told = load(Duration::from_secs(args.seconds))?;
    let used = proxy.child.cpu().since(before);
    anyhow::ensure!(told.requests > 0, "no request was answered");
    let a_request = |used: Duration| used.as_secs_f64() * 1e6 / told.requests as f64;
    let seconds = told.micros as f64 / 1e6;
    Ok(Run {
        round,
        case,
        proxy: program.kind,
        requests: told.requests,
        requests_a_second: told.requests as f64 / seconds,
        p50_micros: told.p50,
        p99_micros: told.p99,
        idle,
        user_micros: a_request(used.user),
        system_micros: a_request(used.system),
        cpu_percent: (used.user + used.system).as_secs_f64() / seconds * 100.0,
        pss_mib: proxy.child.pss() as f64 / f64::from(1 << 20),
        errors: told.errors,
        calls: if args.strace && round == 1 {
            Some(count_calls(&proxy, case, directory.path())?)
        } else {
            None
        },
    })
}

fn count_calls(proxy: &Proxy, case: Case, directory: &Path) -> anyhow::Result<calls::Calls> {
    calls::count(&proxy.child, directory, || {
        let lasts = Duration::from_secs(2);
        let told = wrk::load(proxy.address, case.ask(), lasts, case.cpu(OTHER_CPU), directory)?;
        Ok(told.requests)
    })
}

/// A table for each case, then the ratios.
fn markdown(runs: &[Run]) -> String {
    let mut cases: Vec<Case> = runs.iter().map(|run| run.case).collect();
    cases.dedup();
    let tables = cases.iter().map(|case| format!("## {case}\n\n{}\n", table(runs, *case)));
    let ratios = [ratios(runs, &cases), two_by_one(runs, &cases)];
    [HOW.to_owned()].into_iter().chain(tables).chain(ratios).collect()
}

fn table(runs: &[Run], case: Case) -> String {
    const COLUMNS: [&str; 12] = [
        "proxy",
        "requests/s",
        "p50 µs",
        "p99 µs",
        "CPU µs/request",
        "user",
        "system",
        "proxy CPU %",
        "idle connections",
        "PSS MiB",
        "errors",
        "system calls/request",
    ];
    let mut table = Table::new(&COLUMNS, 1);
    for kind in kinds(runs) {
        let of: Vec<&Run> = of(runs, case, kind).collect();
        let figure =
            |figure: fn(&Run) -> f64, digits| cell(of.iter().map(|run| figure(run)), digits);
        table.row(&[
            kind.to_string(),
            figure(|run| run.requests_a_second, 0),
            figure(|run| run.p50_micros as f64, 0),
            figure(|run| run.p99_micros as f64, 0),
            figure(Run::cpu_micros, 2),
            figure(|run| run.user_micros, 2),
            figure(|run| run.system_micros, 2),
            figure(|run| run.cpu_percent, 0),
            figure(|run| f64::from(run.idle), 0),
            figure(|run| run.pss_mib, 1),
            figure(|run| run.errors as f64, 0),
            calls::cell(of.iter().filter_map(|run| run.calls.as_ref())),
        ]);
    }
    table.into_text()
}

/// CPU a request and p99, divided by those of each peer in the same round.
fn ratios(runs: &[Run], cases: &[Case]) -> String {
    let peers: Vec<Kind> =
        kinds(runs).into_iter().filter(|kind| *kind != Kind::Seaworthy).collect();
    let cpu = peers.iter().map(|kind| format!("CPU ÷ {kind}"));
    let p99 = peers.iter().map(|kind| format!("p99 ÷ {kind}"));
    let columns: Vec<String> = ["case".to_owned()].into_iter().chain(cpu).chain(p99).collect();
    let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    let mut table = Table::new(&columns, 1);
    for case in cases {
        let ratio = |peer, figure: fn(&Run) -> f64| {
            cell(within_rounds((runs, *case, Kind::Seaworthy), (runs, *case, peer), figure), 2)
        };
        let cpu = peers.iter().map(|peer| ratio(*peer, Run::cpu_micros));
        let p99 = peers.iter().map(|peer| ratio(*peer, |run| run.p99_micros as f64));
        let cells: Vec<String> = [case.to_string()].into_iter().chain(cpu).chain(p99).collect();
        table.row(&cells);
    }
    format!("## Seaworthy divided by its peers, within each round\n\n{}\n", table.into_text())
}

fn two_by_one(runs: &[Run], cases: &[Case]) -> String {
    if !cases.contains(&Case::Two) {
        return String::new();
    }
    let of = |kind| {
        let (two, one) = ((runs, Case::Two, kind), (runs, Case::One, kind));
        format!("- {kind}: {}\n", cell(within_rounds(two, one, Run::cpu_micros), 2))
    };
    let all: String = kinds(runs).into_iter().map(of).collect();
    format!("## CPU a request of two workers divided by that of one\n\n{all}")
}

type Chosen<'a> = (&'a [Run], Case, Kind);

fn within_rounds(a: Chosen<'_>, b: Chosen<'_>, figure: fn(&Run) -> f64) -> Vec<f64> {
    let pairs = of(a.0, a.1, a.2).zip(of(b.0, b.1, b.2));
    pairs.map(|(a, b)| figure(a) / figure(b)).collect()
}

fn of(runs: &[Run], case: Case, kind: Kind) -> impl Iterator<Item = &Run> {
    runs.iter().filter(move |run| run.case == case && run.proxy == kind)
}

fn kinds(runs: &[Run]) -> Vec<Kind> {
    let mut kinds: Vec<Kind> = runs.iter().map(|run| run.proxy).collect();
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}

// === impl Run ===

impl Run {
    fn cpu_micros(&self) -> f64 {
        self.user_micros + self.system_micros
    }

    /// As it is told while the measurement goes on.
    fn line(&self) -> String {
        format!(
            "round {} {:?} {:<9} {:>6.0}/s p99 {:>5} µs, CPU {:.2} µs/request ({:.2} user), {:.1} MiB, {} errors",
            self.round,
            self.case,
            self.proxy,
            self.requests_a_second,
            self.p99_micros,
            self.cpu_micros(),
            self.user_micros,
            self.pss_mib,
            self.errors
        )
    }
}

// === impl Case ===

impl Case {
    fn ask(self) -> Ask {
        match self {
            Self::Post4k => Ask { path: "/1k", post: Some(4 << 10) },
            Self::Get16k => Ask { path: "/16k.json", post: None },
            Self::Get1k | Self::One | Self::Two | Self::Idle => Ask { path: "/1k", post: None },
        }
    }

    /// `cpu`, if this is a case in which programs are pinned.
    fn cpu(self, cpu: u32) -> Option<u32> {
        (!matches!(self, Self::One | Self::Two)).then_some(cpu)
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Get1k => "GET, 1 KiB answer, pinned",
            Self::Post4k => "POST, 4 KiB body, 1 KiB answer, pinned",
            Self::Get16k => "GET, 16 KiB answer, pinned",
            Self::One => "GET, 1 KiB answer, one worker, nothing pinned",
            Self::Two => "GET, 1 KiB answer, two workers, nothing pinned",
            Self::Idle => "GET, 1 KiB answer, beside idle connections, pinned",
        })
    }
}

// === impl Backends ===

impl Backends {
    fn start(cpu: Option<u32>, directory: &Path) -> anyhow::Result<Self> {
        let addresses: Vec<SocketAddr> =
            (0..3).map(|_| free_address()).collect::<Result<_, _>>()?;
        fs::create_dir_all(directory.join("www"))?;
        fs::write(directory.join("www/16k.json"), "x".repeat(16 << 10))?;
        let values = [("TMP", directory.display().to_string()), ("BODY1K", "x".repeat(1 << 10))];
        let template = include_str!("../peers/throughput/backend-nginx.conf");
        let file = directory.join("backend-nginx.conf");
        fs::write(&file, fill(template, &values, &addresses))?;
        let nginx =
            ["/usr/sbin/nginx", "/usr/local/sbin/nginx", "/usr/bin/nginx"].map(PathBuf::from);
        let nginx = nginx.into_iter().find(|path| path.is_file());
        let nginx = nginx.context("nginx, which is the backend, is not installed")?;
        let mut command: Command = crate::proxy::pinned(cpu, &nginx);
        command
            .arg("-c")
            .arg(file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let child = Child::start(&mut command)?;
        for address in &addresses {
            wait_for(*address, "/healthz", |_| true)?;
        }
        Ok(Self { _child: child, addresses })
    }
}
