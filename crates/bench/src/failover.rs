//! What users see when a backend dies, hangs, fails or slows down: an open-loop load over three real processes.

mod tables;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use rustix::process::Signal;
use seaworthy_agent::clock::now;
use seaworthy_core::experiment::Objective;
use seaworthy_core::experiment::load::{Arrivals, Flow, Load, NOTICE};
use seaworthy_core::fleet::written::Share;
use seaworthy_core::health::Matcher;
use seaworthy_core::time::Instant;
use seaworthy_drill::load::{Destination, Generator, Order, Progress};
use serde::Serialize;

use crate::Common;
use crate::child::Child;
use crate::client::{ask, free_address, wait_for};
use crate::figures::{Figures, Traces};
use crate::journal;
use crate::machine::Machine;
use crate::output;
use crate::proxy::{Kind, Program, Purpose, Setup};
use crate::scenario::{Fault, Scenario};

/// All are in rotation before the load begins.
const SETTLE: Duration = Duration::from_secs(2);
/// More requests than this do not wait at a time.
const MOST_CONNECTIONS: usize = 8_000;

/// What is done
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What is done to the backends
    #[arg(
        long = "scenario",
        value_name = "SCENARIO",
        value_delimiter = ',',
        default_value = "kill,kill-busy,kill-post,kill-busy-post,hang,fail,slow,kill-both,healthy,honest"
    )]
    scenarios: Vec<Scenario>,
    /// How long `healthy` goes on
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=60))]
    minutes: u64,
}

/// One scenario, one proxy.
#[derive(Debug, Serialize)]
struct Run {
    round: u32,
    scenario: Scenario,
    proxy: Kind,
    figures: Figures,
}

/// A backend, which may be started again.
struct Backend {
    number: usize,
    address: SocketAddr,
    journal: PathBuf,
    scenario: Scenario,
    /// None while it is not there.
    child: Option<Child>,
}

/// Measures, and writes the figures.
pub(crate) fn run(common: &Common, args: &Args, directory: &Path) -> anyhow::Result<()> {
    let programs = common.programs.find()?;
    let machine = Machine::this(&programs);
    let mut runs = Vec::new();
    for scenario in &args.scenarios {
        for round in 1..=common.rounds {
            for program in programs.iter().filter(|program| scenario.is_for(program.kind)) {
                let lasts = match scenario {
                    Scenario::Healthy => Duration::from_secs(args.minutes * 60),
                    other => other.lasts(),
                };
                let figures = measure(program, *scenario, lasts, directory)
                    .with_context(|| format!("{}, {}", program.kind, scenario.name()))?;
                let run = Run { round, scenario: *scenario, proxy: program.kind, figures };
                println!("{}", run.line());
                runs.push(run);
            }
        }
    }
    output::write(&common.out, "failover", &machine, &tables::markdown(&runs), &runs)
}

fn measure(
    program: &Program,
    scenario: Scenario,
    lasts: Duration,
    directory: &Path,
) -> anyhow::Result<Figures> {
    let directory = tempfile::tempdir_in(directory)?;
    let start = |n| Backend::start(n, scenario, directory.path());
    let mut backends: Vec<Backend> =
        (1..=scenario.backends()).map(start).collect::<Result<_, _>>()?;
    let addresses: Vec<SocketAddr> = backends.iter().map(|backend| backend.address).collect();
    for address in &addresses {
        wait_for(*address, "/control", |_| true)?;
    }
    let setup = Setup {
        purpose: Purpose::Failover,
        threads: 1,
        connections: 0,
        pinned: None,
        backends: &addresses,
        directory: directory.path(),
    };
    let proxy = program.start(setup)?;
    let mut seen = BTreeSet::new();
    wait_for(proxy.address, "/control", |name| {
        seen.insert(name.to_owned());
        seen.len() == addresses.len()
    })?;
    std::thread::sleep(SETTLE);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut generator = Generator::start(order(proxy.address, scenario, lasts))?;
    let begin = runtime.block_on(generator.begin())?;
    disturb(&mut backends, scenario, begin)?;
    let samples = runtime.block_on(generator.samples())?;
    let journals: Vec<_> = backends.iter().map(|backend| journal::read(&backend.journal)).collect();
    Ok(Traces { scenario, lasts, begin, samples: &samples, journals: &journals }.figures())
}

/// Every request has a number of its own, which is that of its user.
fn order(address: SocketAddr, scenario: Scenario, lasts: Duration) -> Order {
    let flow = Flow {
        name: "all".to_owned(),
        service: 0,
        rate: scenario.rate(),
        arrivals: Arrivals::Constant,
        method: scenario.method(),
        paths: vec!["/work/{user}".to_owned()],
        users: Some(u32::MAX),
        attempts: 1,
        from: Duration::ZERO,
        until: None,
    };
    let load = Load { flows: vec![flow.clone()] };
    Order {
        flows: vec![Destination { address, host: address.to_string(), flow }],
        planned: load.schedule(1, lasts),
        connections: MOST_CONNECTIONS,
        notice: NOTICE,
        objective: Objective {
            status: Matcher::only(200),
            latency: scenario.patience(),
            success: Share::WHOLE,
        },
        progress: Arc::new(Progress::new(lasts)),
    }
}

/// Does what is done, at its time.
fn disturb(backends: &mut [Backend], scenario: Scenario, begin: Instant) -> anyhow::Result<()> {
    let Some(fault) = scenario.fault() else { return Ok(()) };
    let faulty = scenario.faulty();
    sleep_until(begin + faulty.start);
    for backend in &mut backends[..fault.count()] {
        backend.inflict(fault)?;
    }
    sleep_until(begin + faulty.end);
    for backend in &mut backends[..fault.count()] {
        backend.heal(fault)?;
    }
    Ok(())
}

fn sleep_until(moment: Instant) {
    std::thread::sleep(moment.since(now()));
}

// === impl Run ===

impl Run {
    /// As it is told while the measurement goes on.
    fn line(&self) -> String {
        let Self { round, scenario, proxy, figures } = self;
        format!(
            "round {round} {:<14} {proxy:<9} {} of {} failed, {} over 500 ms, silence {:.1} ms, full share {:?} s, \
             {} twice, {:.2} % extra, {} out; late {:.1} ms",
            scenario.name(),
            figures.failed,
            figures.requests,
            figures.slower_than_500_ms,
            figures.longest_silence_ms,
            figures.full_share_s,
            figures.twice,
            figures.extra_percent,
            figures.taken_out,
            figures.lateness_p99_ms
        )
    }
}

// === impl Fault ===

impl Fault {
    /// To how many it is done.
    fn count(self) -> usize {
        match self {
            Self::Kill(count) => count,
            Self::Hang | Self::Fail | Self::Slow => 1,
        }
    }
}

// === impl Backend ===

impl Backend {
    fn start(number: usize, scenario: Scenario, directory: &Path) -> anyhow::Result<Self> {
        let journal = directory.join(format!("journal-{number}"));
        let address = free_address()?;
        let mut backend = Self { number, address, journal, scenario, child: None };
        backend.start_again()?;
        Ok(backend)
    }

    /// As this very program, also if it has been built anew meanwhile.
    fn start_again(&mut self) -> anyhow::Result<()> {
        let mut command = Command::new("/proc/self/exe");
        command.args(["backend", "--port", &self.address.port().to_string()]);
        command.args(["--number", &self.number.to_string()]).arg("--journal").arg(&self.journal);
        command.args(self.scenario.arguments()).stdin(Stdio::null()).stdout(Stdio::null());
        self.child = Some(Child::start(&mut command)?);
        Ok(())
    }

    fn inflict(&mut self, fault: Fault) -> anyhow::Result<()> {
        match fault {
            // Dropped is killed.
            Fault::Kill(_) => self.child = None,
            Fault::Hang => self.signal(Signal::STOP),
            Fault::Fail => self.tell("failing=true")?,
            Fault::Slow => self.tell("slow_ms=500")?,
        }
        Ok(())
    }

    fn heal(&mut self, fault: Fault) -> anyhow::Result<()> {
        match fault {
            Fault::Kill(_) => self.start_again()?,
            Fault::Hang => self.signal(Signal::CONT),
            Fault::Fail | Fault::Slow => self.tell("")?,
        }
        Ok(())
    }

    fn signal(&self, signal: Signal) {
        if let Some(child) = &self.child {
            child.signal(signal);
        }
    }

    fn tell(&self, mood: &str) -> anyhow::Result<()> {
        let (status, _) = ask(self.address, "POST", &format!("/control?{mood}"))?;
        anyhow::ensure!(status == 200, "backend {} answered with {status}", self.number);
        Ok(())
    }
}
