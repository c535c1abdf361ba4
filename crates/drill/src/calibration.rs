//! Before anything is predicted: what this machine is like, by runs in which nothing happens. They are never
//! judged, and no cell is one of them.

use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use seaworthy_agent::clock::now;
use seaworthy_core::experiment::expectation::{Expectation, Verdict};
use seaworthy_core::experiment::{Cell, Schedule};
use seaworthy_sim::machine::{Calibration, FEWEST_RUNS, Run};
use serde::Serialize;

use crate::Error;
use crate::cell;
use crate::job::Job;
use crate::report::{Row, line};
use crate::simulation;
use crate::view::View;

/// The load of each of them lasts no longer.
const LONGEST: Duration = Duration::from_secs(10);

/// After each of them something is written to the disk so often, and a process is started.
const TIMES: u32 = 20;

/// About as much as an agent writes down.
#[derive(Serialize)]
struct Written<'a> {
    content: &'a str,
}

/// Does so many runs in `directory`, of one configuration after the other.
pub(crate) async fn calibrate(
    job: &Job,
    runs: u32,
    directory: &Path,
    view: &mut View,
) -> Result<Calibration, Error> {
    let (job, length) = (calm(job), length(job));
    let (mut good, mut writes, mut spawns) = (Vec::new(), Vec::new(), Vec::new());
    let mut reason = String::new();
    for (repeat, cell) in (1..=runs).zip(job.cells.iter().copied().cycle()) {
        let configuration = &job.drill.configurations[cell.configuration];
        view.cell(format!("[calibration {repeat}/{runs}] {}", configuration.title));
        let own = directory.join(format!("calibration-{repeat}"));
        let measured = cell::run(&job, cell, repeat, &own, view).await?;
        let row = Row { cell, repeat, findings: measured };
        view.say(&line(&job, &row));
        writes.extend(times_of_writes(&own)?);
        spawns.extend(times_of_spawns(&job.program)?);
        let Row { findings: measured, .. } = row;
        if measured.verdict == Verdict::Invalid {
            reason = measured.reasons.join("; ");
            continue;
        }
        let simulated = simulation::run(&job, cell, cell.seed(job.seed, repeat))?;
        let tasks = configuration.services()[job.drill.load.entry()].cluster.desired_count;
        good.push(Run { measured, simulated, length, tasks });
    }
    if good.len() < FEWEST_RUNS {
        return Err(Error::Calibration { good: good.len(), runs, reason });
    }
    Ok(Calibration::of(&good, writes, spawns))
}

/// How long the load of each of them lasts: as long as that of a cell, but no longer than is needed.
pub(crate) fn length(job: &Job) -> Duration {
    let cells = job.cells.iter().map(|cell| job.drill.schedules[cell.schedule].duration);
    cells.max().unwrap_or_default().min(LONGEST)
}

/// The same drill, of which just this is run: every configuration, and nothing happens. All ways are as in
/// its cells.
fn calm(job: &Job) -> Job {
    let mut job = job.clone();
    let schedule = job.drill.schedules.len();
    job.drill.schedules.push(Schedule {
        name: "calibration".to_owned(),
        title: "nothing happens".to_owned(),
        duration: length(&job),
        faults: Vec::new(),
        expect: vec![Expectation::Any; job.drill.configurations.len()],
    });
    job.cells.iter_mut().for_each(|cell| *cell = Cell { schedule, ..*cell });
    job.cells.sort_unstable();
    job.cells.dedup();
    job
}

/// How long it takes each time until something is on the disk where the agent of a fleet in `directory` writes.
fn times_of_writes(directory: &Path) -> Result<Vec<Duration>, Error> {
    let path = directory.join("calibration.json");
    let content = "x".repeat(4096);
    let time = |_| {
        let begin = now();
        let written = seaworthy_agent::directory::write(&path, &Written { content: &content });
        written.map(|()| now().since(begin)).map_err(Error::Write)
    };
    (0..TIMES).map(time).collect()
}

/// How long it takes each time to start this very program, as every process of a fleet is started.
fn times_of_spawns(program: &Path) -> Result<Vec<Duration>, Error> {
    let time = |_| {
        let begin = now();
        let mut command = Command::new(program);
        let mut child = command.arg("--version").stdout(Stdio::null()).spawn()?;
        let took = now().since(begin);
        child.wait()?;
        Ok(took)
    };
    (0..TIMES).map(time).collect::<io::Result<_>>().map_err(Error::Spawn)
}
