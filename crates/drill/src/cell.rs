//! One cell, live: a fleet of its own, the load, the faults at their times.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use seaworthy_agent::clock::{now, sleep_until};
use seaworthy_agent::messages::Setup;
use seaworthy_agent::owner::Fleet;
use seaworthy_core::experiment::numbers::Sample;
use seaworthy_core::experiment::{Cell, Configuration, Filling, Findings, Schedule};
use seaworthy_core::time::Instant;

use crate::Error;
use crate::error::with_causes;
use crate::job::Job;
use crate::load::progress::Progress;
use crate::load::{Generator, Order};
use crate::output::last_lines;
use crate::view::{Picture, View};
use crate::watch::Watch;

/// How often the view is drawn when nothing happens.
const DRAW_EVERY: Duration = Duration::from_millis(100);
/// Beyond the start timeout, which the agent keeps: whoever says nothing for so long is not there.
const FILL_MARGIN: Duration = Duration::from_secs(10);

/// One run of a cell.
struct Run<'a> {
    job: &'a Job,
    configuration: &'a Configuration,
    schedule: &'a Schedule,
    name: String,
    /// Where the fleet's own parts and its tasks write.
    log: PathBuf,
    seed: u64,
    progress: Arc<Progress>,
}

/// Runs a cell for the `repeat`-th time, in `directory`, which is made for it.
pub(crate) async fn run(
    job: &Job,
    cell: Cell,
    repeat: u32,
    directory: &Path,
    view: &mut View,
) -> Result<Findings, Error> {
    let schedule = &job.drill.schedules[cell.schedule];
    let run = Run {
        job,
        configuration: &job.drill.configurations[cell.configuration],
        schedule,
        name: cell.name(&job.drill),
        log: directory.join("fleet.log"),
        seed: cell.seed(job.seed, repeat),
        progress: Arc::new(Progress::new(schedule.duration)),
    };
    fs::create_dir(directory).map_err(Error::Directory)?;
    let lost = |error| run.lost(&error);
    let fleet = run.start_fleet(directory)?;
    let health = run.configuration.fleet.services[0].health.clone();
    let mut watch = Watch::new(fleet.connect().await.map_err(lost)?, health);
    run.fill(&mut watch, view).await?;
    let generator = Generator::start(run.order(&fleet)).map_err(Error::Load)?;
    let samples = run.load(&mut watch, generator, view).await?;
    run.settle(&mut watch).await.map_err(lost)?;
    Ok(Findings::of(&job.drill, cell, &samples, &watch.course))
}

// === impl Run ===

impl Run<'_> {
    fn start_fleet(&self, directory: &Path) -> Result<Fleet, Error> {
        let mut fleet = self.configuration.fleet.clone();
        fleet.seed = self.seed;
        let log = File::create(&self.log).map_err(Error::Directory)?;
        let setup = Setup { fleet, directory: directory.to_owned() };
        let started = Fleet::start(&self.job.program, &setup, Stdio::from(log));
        started.map_err(|error| self.not_up(self.key("listen"), with_causes(&error)))
    }

    fn order(&self, fleet: &Fleet) -> Order {
        let load = &self.job.drill.load;
        Order {
            address: fleet.listening()[0],
            paths: load.paths.clone(),
            planned: load.schedule(self.seed, self.schedule.duration),
            objective: self.job.drill.objective.clone(),
            progress: self.progress.clone(),
        }
    }

    /// Waits until all tasks are in rotation.
    async fn fill(&self, watch: &mut Watch, view: &mut View) -> Result<(), Error> {
        let config = &self.configuration.fleet.services[0].cluster;
        let command = || self.key("command");
        let filling = async {
            loop {
                let in_rotation = watch.course.in_rotation().len();
                match Filling::of(config.desired_count, in_rotation, &watch.records) {
                    Filling::Filled => return Ok(()),
                    Filling::Hopeless(why) => return Err(self.not_up(command(), why)),
                    Filling::Waiting => {}
                }
                self.follow(watch, view, None).await?;
            }
        };
        let patience = config.start_timeout + FILL_MARGIN;
        tokio::time::timeout(patience, filling).await.unwrap_or_else(|_| {
            let why = format!("not all tasks were in rotation within {patience:?}");
            Err(self.not_up(command(), why))
        })
    }

    /// Lets the load and the faults go over the fleet.
    async fn load(
        &self,
        watch: &mut Watch,
        mut generator: Generator,
        view: &mut View,
    ) -> Result<Vec<Sample>, Error> {
        let begin = generator.begin().await.map_err(Error::Load)?;
        watch.course.begin(begin);
        let mut faults = self.schedule.faults.iter().copied().peekable();
        loop {
            let next = faults.peek().map(|fault| begin + fault.at);
            tokio::select! {
                samples = generator.samples() => return samples.map_err(Error::Load),
                () = sleep_until(next) => {
                    let fault = faults.next().expect("it was peeked at");
                    watch.inflict(fault).await.map_err(|error| self.lost(&error))?;
                }
                followed = self.follow(watch, view, Some(begin)) => followed?,
            }
        }
    }

    /// Waits for what is still to be seen of the faults.
    async fn settle(&self, watch: &mut Watch) -> Result<(), seaworthy_agent::Error> {
        let stop_timeout = self.configuration.fleet.services[0].cluster.stop_timeout;
        while !watch.course.settled(now(), stop_timeout) {
            if let Ok(seen) = tokio::time::timeout(DRAW_EVERY, watch.next()).await {
                seen?;
            }
        }
        Ok(())
    }

    /// Watches until something happens or the view is to be drawn again. Cancel safe.
    async fn follow(
        &self,
        watch: &mut Watch,
        view: &mut View,
        begin: Option<Instant>,
    ) -> Result<(), Error> {
        if let Ok(seen) = tokio::time::timeout(DRAW_EVERY, watch.next()).await {
            seen.map_err(|error| self.lost(&error))?;
        }
        view.show(&Picture {
            now: now(),
            begin,
            duration: self.schedule.duration,
            course: &watch.course,
            progress: &self.progress,
        });
        Ok(())
    }

    /// A key of the service, in full.
    fn key(&self, key: &str) -> String {
        format!("fleet.service.{}.{key}", self.configuration.fleet.services[0].name)
    }

    /// No fleet, for this reason, which probably has to do with `key`.
    fn not_up(&self, key: String, why: String) -> Error {
        Error::NotUp {
            file: self.job.file.clone(),
            cell: self.name.clone(),
            key,
            output: last_lines(&self.log, &why),
            why,
        }
    }

    fn lost(&self, error: &seaworthy_agent::Error) -> Error {
        let why = with_causes(error);
        let output = last_lines(&self.log, &why);
        Error::Fleet { cell: self.name.clone(), why, output }
    }
}
