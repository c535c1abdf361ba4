//! One cell, live: a fleet of its own, the load, the faults at their times.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use seaworthy_agent::clock::{now, sleep_until};
use seaworthy_agent::owner::Fleet;
use seaworthy_core::cluster::spread::Dark;
use seaworthy_core::endpoints::TaskId;
use seaworthy_core::experiment::course::Course;
use seaworthy_core::experiment::load::{CONNECTIONS, Flow, NOTICE};
use seaworthy_core::experiment::numbers::{Sample, Samples};
use seaworthy_core::experiment::{Cell, Configuration, Drill, Ending, Filling, Findings, Schedule};
use seaworthy_core::fleet::Service;
use seaworthy_core::time::Instant;

use crate::Error;
use crate::calibration;
use crate::error::with_causes;
use crate::exec::Runner;
use crate::faults::{Faults, Place, links};
use crate::job::Job;
use crate::link::Link;
use crate::load::{Destination, Generator, Order, Progress};
use crate::output::last_lines;
use crate::relay;
use crate::view::{Picture, View};
use crate::watch::Watch;

/// How often the view is drawn when nothing happens.
const DRAW_EVERY: Duration = Duration::from_millis(100);

/// What a run is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To be judged.
    Judged,
    /// To see what this machine is like. After the load that counts, which nothing is to disturb, it goes on while one task
    /// of each service is replaced, so that it is known how long it takes to start where no other one does.
    Calibration,
}

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

/// What a run is done to: a fleet of its own, or a target.
struct Subject {
    /// Ended when dropped.
    fleet: Option<Fleet>,
    /// Where each service takes requests, or the target does.
    services: Vec<SocketAddr>,
    /// What requests call it.
    host: String,
    links: BTreeMap<usize, Link>,
}

/// Runs a cell for the `repeat`-th time, for this purpose and in `directory`, which is made for it.
pub(crate) async fn run(
    job: &Job,
    cell: Cell,
    repeat: u32,
    purpose: Purpose,
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
    let mut subject = run.subject(directory).await?;
    let control = match &subject.fleet {
        Some(fleet) => Some(fleet.connect().await.map_err(lost)?),
        None => None,
    };
    let health = run.configuration.services().iter().map(|service| service.health.clone());
    let mut watch = Watch::new(control, health.collect());
    let desired = run.configuration.desired_count();
    run.fill(&mut watch, view, desired, |course| course.in_rotation().len()).await?;
    let filled = now();
    let (notice, lasts) = match purpose {
        Purpose::Judged => (NOTICE, schedule.duration),
        Purpose::Calibration => (calibration::PAUSE, run.calm_lasts()),
    };
    let order = Order { notice, ..run.order(&subject, lasts) };
    let generator = Generator::start(order).map_err(Error::Load)?;
    let runner = Runner::new(job.program.clone(), directory.join("exec.log"));
    let links = std::mem::take(&mut subject.links);
    let places = run.places(&subject);
    let mut faults = Faults::new(schedule, links, places, runner, directory.to_owned());
    // The faults hold the links, of which nothing is disturbed here.
    if purpose == Purpose::Calibration {
        return run.calm(cell, filled, &mut watch, generator, view).await;
    }
    let (samples, begin) = run.load(&mut watch, &mut faults, generator, view).await?;
    run.settle(&mut watch, &mut faults).await.map_err(lost)?;
    Ok(Findings::of(&job.drill, cell, &samples, &watch.course, &faults.arrivals(begin)))
}

// === impl Run ===

impl Run<'_> {
    /// A fleet whose tasks call each other by way of links, or the target.
    async fn subject(&self, directory: &Path) -> Result<Subject, Error> {
        let Some(fleet) = &self.configuration.fleet else { return self.target().await };
        let links = links(&self.job.drill.schedules, self.seed).map_err(Error::Link)?;
        let mut fleet = fleet.clone();
        fleet.seed = self.seed;
        let urls: BTreeMap<String, String> = links
            .iter()
            .map(|(place, link)| {
                (fleet.services[*place].url_variable(), format!("http://{}", link.address()))
            })
            .collect();
        fleet.services.iter_mut().for_each(|service| service.environment.extend(urls.clone()));
        for place in self.relayed() {
            let command = &mut fleet.services[place].command;
            *command = relay::before(&self.job.program, command);
        }
        let log = File::create(&self.log).map_err(Error::Directory)?;
        let started = Fleet::start(&self.job.program, directory, fleet, Stdio::from(log));
        let fleet =
            started.map_err(|error| self.not_up(self.key("listen"), with_causes(&error)))?;
        let services = fleet.listening().to_vec();
        for (place, link) in &links {
            link.forward_to(services[*place]);
        }
        let host = services[self.job.drill.load.entry()].to_string();
        Ok(Subject { fleet: Some(fleet), services, host, links })
    }

    /// The places of the services whose tasks have relays. All cells of a drill have the same way to
    /// go.
    fn relayed(&self) -> BTreeSet<usize> {
        self.job.drill.schedules.iter().flat_map(Schedule::relayed).collect()
    }

    /// The services, as faults need them; none in a drill with a target.
    fn places(&self, subject: &Subject) -> Vec<Place> {
        let relayed = self.relayed();
        let services = self.configuration.services().iter().zip(&subject.services).enumerate();
        let place = |(n, (service, address)): (usize, (&Service, &SocketAddr))| Place {
            name: service.name.clone(),
            address: *address,
            dark: Dark::default(),
            relayed_by: relayed.contains(&n).then(|| self.job.program.clone()),
        };
        services.map(place).collect()
    }

    async fn target(&self) -> Result<Subject, Error> {
        let target = self.job.drill.target.as_deref().unwrap_or_default();
        let host = target.trim_start_matches("http://").trim_end_matches('/').to_owned();
        let error = |source| Error::Target {
            file: self.job.file.clone(),
            target: target.to_owned(),
            source,
        };
        let named = if host.rsplit(']').next().unwrap_or(&host).contains(':') {
            host.clone()
        } else {
            format!("{host}:80")
        };
        let mut found = tokio::net::lookup_host(named).await.map_err(error)?;
        let address = found.next().ok_or_else(|| error(io::ErrorKind::NotFound.into()))?;
        Ok(Subject { fleet: None, services: vec![address], host, links: BTreeMap::new() })
    }

    /// The load `lasts` for longer than what is measured of it, or for as long.
    fn order(&self, subject: &Subject, lasts: Duration) -> Order {
        let schedule = Schedule { duration: lasts, ..self.schedule.clone() };
        let Drill { load, objective, .. } = &self.job.drill;
        let destination = |flow: &Flow| Destination {
            address: subject.services[flow.service],
            host: subject.host.clone(),
            flow: flow.clone(),
        };
        Order {
            flows: load.flows.iter().map(destination).collect(),
            planned: schedule.requests(load, self.seed),
            connections: CONNECTIONS,
            notice: NOTICE,
            objective: objective.clone(),
            progress: self.progress.clone(),
        }
    }

    /// So long goes the load on in which nothing happens, and then tasks are replaced.
    fn calm_lasts(&self) -> Duration {
        self.schedule.duration + calibration::replacing(self.configuration)
    }

    /// Measures while nothing happens, and then how long it takes to replace tasks while the load goes on.
    async fn calm(
        &self,
        cell: Cell,
        filled: Instant,
        watch: &mut Watch,
        mut generator: Generator,
        view: &mut View,
    ) -> Result<Findings, Error> {
        let begin = generator.begin().await.map_err(Error::Load)?;
        watch.course.begin(begin);
        while now() < begin + self.schedule.duration {
            self.follow(watch, view, Some(begin)).await?;
        }
        let course = watch.course.clone();
        let ends = self.replace_one_of_each(begin, watch, view).await?;
        let mut samples = loop {
            tokio::select! {
                samples = generator.samples() => break samples.map_err(Error::Load)?,
                followed = self.follow(watch, view, Some(begin)) => followed?,
            }
        };
        let all =
            Samples::new(&samples, &self.job.drill.objective, Duration::ZERO..self.calm_lasts());
        let launches = watch.course.launches();
        let lags = launches.iter().filter_map(|launch| all.lag(launch)).collect();
        samples.retain(|sample| sample.intended < self.schedule.duration);
        let found = Findings::of(&self.job.drill, cell, &samples, &course, &BTreeMap::new());
        // As if it had begun after the usual time.
        let prepared = begin.since(filled).saturating_sub(calibration::PAUSE) + NOTICE;
        let starts = watch.course.starts_by_name(self.configuration.services());
        Ok(Findings { prepared, ends, lags, starts, ..found })
    }

    /// Kills a task of each service after a moment of quiet, and waits for another one, before it is the turn of the
    /// next service. Returns how long it took each time until it was known that the task was gone. If none comes back
    /// under this load that is known of fewer.
    async fn replace_one_of_each(
        &self,
        begin: Instant,
        watch: &mut Watch,
        view: &mut View,
    ) -> Result<Vec<Duration>, Error> {
        let mut ends = Vec::new();
        for place in 0..self.configuration.services().len() {
            let quiet = now() + calibration::PAUSE;
            while now() < quiet {
                self.follow(watch, view, Some(begin)).await?;
            }
            let before = watch.course.in_rotation_of(place);
            let Some(task) = before.first().copied() else { continue };
            let killed = now();
            let met = watch.end(Ending::Kill, vec![task]).await;
            if met.map_err(|error| self.lost(&error))?.is_empty() {
                continue;
            }
            let is_new = |task: &TaskId| !before.contains(task);
            let new = |course: &Course| {
                course.in_rotation_of(place).iter().filter(|task| is_new(task)).count()
            };
            match self.fill(watch, view, 1, new).await {
                Err(Error::NotUp { .. }) => break,
                filled => filled?,
            }
            ends.extend(watch.course.left_at(task).map(|left| left.since(killed)));
        }
        Ok(ends)
    }

    /// Waits until so many tasks are in rotation, of those that `counted` has.
    async fn fill(
        &self,
        watch: &mut Watch,
        view: &mut View,
        count: u32,
        counted: impl Fn(&Course) -> usize,
    ) -> Result<(), Error> {
        let filling = async {
            loop {
                match Filling::of(count, counted(&watch.course), &watch.records) {
                    Filling::Filled => return Ok(()),
                    Filling::Hopeless(why) => return Err(self.not_up(self.key("command"), why)),
                    Filling::Waiting => {}
                }
                self.follow(watch, view, None).await?;
            }
        };
        let patience = Filling::patience(self.configuration.services());
        tokio::time::timeout(patience, filling).await.unwrap_or_else(|_| {
            Err(self.not_up(self.key("command"), Filling::out_of_patience(patience)))
        })
    }

    /// Lets the load and the faults go over the fleet; returns the samples and when the load began.
    async fn load(
        &self,
        watch: &mut Watch,
        faults: &mut Faults,
        mut generator: Generator,
        view: &mut View,
    ) -> Result<(Vec<Sample>, Instant), Error> {
        let begin = generator.begin().await.map_err(Error::Load)?;
        watch.course.begin(begin);
        loop {
            let due = faults.due(begin, &watch.course);
            tokio::select! {
                samples = generator.samples() => {
                    faults.heal_all(watch).await.map_err(|error| self.lost(&error))?;
                    return samples.map(|samples| (samples, begin)).map_err(Error::Load);
                }
                () = sleep_until(due) => {
                    let acted = faults.act(begin, watch).await;
                    acted.map_err(|error| self.lost(&error))?;
                }
                (number, effect) = faults.witness() => watch.course.told(number, effect),
                followed = self.follow(watch, view, Some(begin)) => followed?,
            }
        }
    }

    /// Waits for what is still to be seen of the faults.
    async fn settle(
        &self,
        watch: &mut Watch,
        faults: &mut Faults,
    ) -> Result<(), seaworthy_agent::Error> {
        let stop_timeout = self.configuration.longest_stop_timeout();
        while !(watch.course.settled(now(), stop_timeout) && faults.are_healed()) {
            tokio::select! {
                seen = watch.next() => seen?,
                (number, effect) = faults.witness() => watch.course.told(number, effect),
                () = tokio::time::sleep(DRAW_EVERY) => {}
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
        match self.configuration.services() {
            [one] => format!("fleet.service.{}.{key}", one.name),
            _ => format!("fleet.service, `{key}` of each"),
        }
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
