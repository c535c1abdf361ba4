//! What this machine is like, by runs in which nothing happens. They lie evenly among the others, as a machine is
//! not the same for long; they are never judged, and no cell is one of them.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use seaworthy_agent::clock::now;
use seaworthy_core::experiment::expectation::{Expectation, Verdict};
use seaworthy_core::experiment::model::{Distribution, Program};
use seaworthy_core::experiment::{Cell, Configuration, Schedule};
use seaworthy_core::fleet::Service;
use seaworthy_sim::machine::{Calibration, FEWEST_RUNS, Run};
use serde::Serialize;
use tokio::time::sleep;

use crate::Error;
use crate::cell::{self, Purpose};
use crate::job::{Job, Mode};
use crate::report::{Row, line};
use crate::simulation;
use crate::view::View;

/// The load of each of them lasts no longer.
const LONGEST: Duration = Duration::from_secs(10);

/// After each of them something is written to the disk so often, and a process is started,
const TIMES: u32 = 3;
/// each after such a pause, as in a fleet in which something happens now and then: what was not done for a moment
/// takes ten times as long as what was done just before.
pub(crate) use seaworthy_sim::world::PAUSE;
/// So long does that take.
pub(crate) const AFTER: Duration = PAUSE.saturating_mul(2 * TIMES);

/// Who starts in time is there after this, and in rotation after another check.
const IN_TIME: Duration = Duration::from_secs(1);

/// About as much as an agent writes down.
#[derive(Serialize)]
struct Written<'a> {
    tasks: &'a [(&'static str, u32)],
}

/// The runs in which nothing happens, as far as they are done.
pub(crate) struct Calibrating<'a> {
    /// Of nothing but them.
    job: Job,
    /// So many are to be done,
    runs: u32,
    /// and so many are.
    done: u32,
    directory: &'a Path,
    good: Vec<Run>,
    writes: Vec<Duration>,
    spawns: Vec<Duration>,
    /// What was the matter with the last one that was not good.
    reason: String,
}

// === impl Calibrating ===

impl<'a> Calibrating<'a> {
    /// All that `job` asks for, in `directory`.
    pub(crate) fn of(job: &Job, directory: &'a Path) -> Self {
        let runs = match job.mode {
            Mode::Compared { calibrate, .. } => calibrate,
            Mode::Live | Mode::Simulated => 0,
        };
        Self {
            job: calm(job),
            runs,
            done: 0,
            directory,
            good: Vec::new(),
            writes: Vec::new(),
            spawns: Vec::new(),
            reason: String::new(),
        }
    }

    /// Does all that are due after `turns` of `all` turns of the job itself.
    pub(crate) async fn catch_up(
        &mut self,
        turns: usize,
        all: usize,
        view: &mut View,
    ) -> Result<(), Error> {
        // Each of them in the middle of its share of all turns.
        while self.done < self.runs
            && (2 * self.done as usize + 1) * all < (2 * turns + 1) * self.runs as usize
        {
            self.one(view).await?;
            self.check()?;
        }
        Ok(())
    }

    /// Whether enough of them are good, or can still be.
    fn check(&self) -> Result<(), Error> {
        let Self { done, runs, .. } = *self;
        let good = self.good.len();
        if good + (runs - done) as usize >= FEWEST_RUNS {
            return Ok(());
        }
        Err(Error::Calibration {
            invalid: done as usize - good,
            done,
            runs,
            reason: self.reason.clone(),
        })
    }

    /// One more, of the configuration whose turn it is.
    async fn one(&mut self, view: &mut View) -> Result<(), Error> {
        let (job, runs) = (&self.job, self.runs);
        let cell = job.cells[self.done as usize % job.cells.len()];
        self.done += 1;
        let repeat = self.done;
        let configuration = &job.drill.configurations[cell.configuration];
        view.cell(format!("[calibration {repeat}/{runs}] {}", configuration.title));
        let own = self.directory.join(format!("calibration-{repeat}"));
        let findings = cell::run(job, cell, repeat, Purpose::Calibration, &own, view).await?;
        let row = Row { cell, repeat, findings };
        view.say(&line(job, &row));
        for _ in 0..TIMES {
            sleep(PAUSE).await;
            self.writes.push(time_of_write(&own)?);
            sleep(PAUSE).await;
            self.spawns.push(time_of_spawn(&job.program)?);
        }
        self.take(row)
    }

    /// It counts unless it measured nothing.
    fn take(&mut self, Row { cell, repeat, findings: measured }: Row) -> Result<(), Error> {
        if measured.verdict == Verdict::Invalid {
            self.reason = measured.reasons.join("; ");
            return Ok(());
        }
        let job = &self.job;
        let configuration = &job.drill.configurations[cell.configuration];
        let simulated = simulation::run(job, cell, cell.seed(job.seed, repeat))?;
        let tasks = configuration.desired_count();
        self.good.push(Run { measured, simulated, length: length(job), tasks });
        Ok(())
    }

    /// What the machine is like, by all runs so far; none if they are too few to tell.
    pub(crate) fn known(&self) -> Option<Calibration> {
        let enough = self.good.len() >= FEWEST_RUNS;
        enough.then(|| Calibration::of(&self.good, &self.writes, &self.spawns))
    }
}

/// The median and the 99th percentile of answers in one of them, as the model has them: the mean of all
/// configurations. Where several programs of a fleet wait, each has its part in it, and an equal one: answers are
/// measured where users come in, and nobody knows what of them is whose. Only starts are known of each service.
pub(crate) fn latencies(job: &Job) -> Result<[Duration; 2], Error> {
    let job = calm(job);
    let mut sums = [Duration::ZERO; 2];
    for cell in &job.cells {
        let models = &job.drill.configurations[cell.configuration].models;
        let waits = |model: &&Program| matches!(model.work, Distribution::Constant(work) if !work.is_zero());
        let parts = models.iter().filter(waits).count().max(1) as u32;
        let numbers = simulation::run(&job, *cell, cell.seed(job.seed, 1))?.numbers;
        sums[0] += numbers.latency_p50.unwrap_or_default() / parts;
        sums[1] += numbers.latency_p99.unwrap_or_default() / parts;
    }
    Ok(sums.map(|sum| sum / job.cells.len() as u32))
}

/// How long the load of each of them lasts: as long as that of a cell, but no longer than is needed.
pub(crate) fn length(job: &Job) -> Duration {
    let cells = job.cells.iter().map(|cell| job.drill.schedules[cell.schedule].duration);
    cells.max().unwrap_or_default().min(LONGEST)
}

/// How long it takes to replace one task of each service, one after the other, if all start in time: so long the load
/// goes on after what is measured of it.
pub(crate) fn replacing(configuration: &Configuration) -> Duration {
    let longest = |service: &Service| {
        PAUSE + service.cluster.provisioning.1 + IN_TIME + service.health.fast_interval
    };
    configuration.services().iter().map(longest).sum()
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

/// How long it takes until something is on the disk where the agent of a fleet in `directory` writes, and a line that
/// says why.
fn time_of_write(directory: &Path) -> Result<Duration, Error> {
    let events = directory.join("calibration.jsonl");
    let events = File::options().create(true).append(true).open(events);
    let mut events = events.map_err(Error::Directory)?;
    let tasks = [("what is known of a task", 1); 200];
    let begin = now();
    events.write_all(&[b' '; 200]).map_err(Error::Directory)?;
    let path = directory.join("calibration.json");
    let written = seaworthy_agent::directory::write(&path, &Written { tasks: &tasks });
    written.map(|()| now().since(begin)).map_err(Error::Write)
}

/// How long it takes to start this very program, as every process of a fleet is started.
fn time_of_spawn(program: &Path) -> Result<Duration, Error> {
    let begin = now();
    let mut command = Command::new(program);
    let mut child = command.arg("--version").stdout(Stdio::null()).spawn().map_err(Error::Spawn)?;
    let took = now().since(begin);
    child.wait().map_err(Error::Spawn)?;
    Ok(took)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::tests::job;

    /// What is known after runs that were good or not, and what is wrong.
    fn after(runs: &[bool]) -> (bool, Result<(), String>) {
        let mut job = job(Some("kill-one"), &[]);
        job.mode = Mode::Compared { calibrate: 5, predict: 39 };
        let mut calibrating = Calibrating::of(&job, Path::new("/"));
        let cell = calibrating.job.cells[0];
        let findings = simulation::run(&calibrating.job, cell, 1).unwrap();
        for good in runs {
            let mut findings = findings.clone();
            if !good {
                findings.verdict = Verdict::Invalid;
                findings.reasons = vec!["the generator was too slow".to_owned()];
            }
            calibrating.done += 1;
            calibrating.take(Row { cell, repeat: calibrating.done, findings }).unwrap();
        }
        (calibrating.known().is_some(), calibrating.check().map_err(|error| error.to_string()))
    }

    #[test]
    fn too_few_good_runs_are_found_out_as_soon_as_they_can_be() {
        assert_eq!(after(&[true, false, false]), (false, Ok(())));
        assert_eq!(after(&[true, false, true, false, true]), (true, Ok(())));
        let (known, told) = after(&[false, true, false, false]);
        assert!(!known);
        let expected = "3 of the first 4 of 5 calibrating runs were INVALID, so that the 3 good ones that are needed cannot come together; the last of them: the generator was too slow; ";
        assert!(told.unwrap_err().starts_with(expected));
    }
}
