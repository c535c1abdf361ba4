//! Before anything is predicted: what this machine is like, by runs in which nothing happens. They are never
//! judged, and no cell is one of them.

use std::path::Path;
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

/// How long the load of each of them lasts.
pub(crate) const LENGTH: Duration = Duration::from_secs(10);

/// After each of them so much is written to the disk.
const WRITES: u32 = 20;

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
    let job = calm(job);
    let (mut good, mut writes) = (Vec::new(), Vec::new());
    let mut reason = String::new();
    for (repeat, cell) in (1..=runs).zip(job.cells.iter().copied().cycle()) {
        let configuration = &job.drill.configurations[cell.configuration];
        view.cell(format!("[calibration {repeat}/{runs}] {}", configuration.title));
        let own = directory.join(format!("calibration-{repeat}"));
        let measured = cell::run(&job, cell, repeat, &own, view).await?;
        let row = Row { cell, repeat, findings: measured };
        view.say(&line(&job, &row));
        writes.extend(times_of_writes(&own)?);
        let Row { findings: measured, .. } = row;
        if measured.verdict == Verdict::Invalid {
            reason = measured.reasons.join("; ");
            continue;
        }
        let simulated = simulation::run(&job, cell, cell.seed(job.seed, repeat))?;
        let tasks = configuration.services()[job.drill.load.entry()].cluster.desired_count;
        good.push(Run { measured, simulated, length: LENGTH, tasks });
    }
    if good.len() < FEWEST_RUNS {
        return Err(Error::Calibration { good: good.len(), runs, reason });
    }
    Ok(Calibration::of(&good, writes))
}

/// The same drill, of which just this is run: every configuration, and nothing happens. All ways are as in
/// its cells.
fn calm(job: &Job) -> Job {
    let mut job = job.clone();
    let schedule = job.drill.schedules.len();
    job.drill.schedules.push(Schedule {
        name: "calibration".to_owned(),
        title: "nothing happens".to_owned(),
        duration: LENGTH,
        faults: Vec::new(),
        expect: vec![Expectation::Any; job.drill.configurations.len()],
    });
    job.cells.iter_mut().for_each(|cell| *cell = Cell { schedule, ..*cell });
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
    (0..WRITES).map(time).collect()
}
