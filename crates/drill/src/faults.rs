//! Carries out the faults of a schedule, has them proven, and heals what lasts.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use hyper::Method;
use seaworthy_agent::Error;
use seaworthy_agent::clock::now;
use seaworthy_core::cluster::spread::{Dark, Site};
use seaworthy_core::endpoints::TaskId;
use seaworthy_core::experiment::course::Course;
use seaworthy_core::experiment::{Definition, Exec, Fault, FaultKind, Schedule, link};
use seaworthy_core::time::Instant;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::exec::Runner;
use crate::gray::{Holds, Victim, disturb};
use crate::link::{FaultId, Link};
use crate::relay::{self, socket};
use crate::watch::{Watch, send};

/// A task that is asked to misbehave says so within this.
const ASK_TIMEOUT: Duration = Duration::from_secs(5);
/// A proof is tried for so long,
const PROOF_PATIENCE: Duration = Duration::from_secs(5);
/// again and again after so long.
const PROOF_PAUSE: Duration = Duration::from_millis(100);
/// What undoes a fault has done so within this.
const HEAL_PATIENCE: Duration = Duration::from_secs(10);

/// The faults of one run of a cell.
pub(crate) struct Faults {
    /// In order of time.
    coming: Vec<Fault>,
    /// By the place of the service whose callers use it.
    links: BTreeMap<usize, Link>,
    /// Where each service takes requests.
    services: Vec<Place>,
    runner: Runner,
    /// Of the fleet.
    directory: PathBuf,
    /// What is to be healed, and when.
    healing: Vec<Healing>,
    holds: Holds,
    /// Those who know whether a fault has taken effect.
    proofs: JoinSet<(usize, Result<(), String>)>,
    /// Those who undo one. That they could is no proof of it.
    healers: JoinSet<(usize, Result<(), String>)>,
}

/// A service, as faults need it.
pub(crate) struct Place {
    /// Its name.
    pub(crate) name: String,
    /// Where it takes requests.
    pub(crate) address: SocketAddr,
    /// Where the power is off.
    pub(crate) dark: Dark,
    /// The program before which its tasks have a relay, if they have.
    pub(crate) relayed_by: Option<PathBuf>,
}

/// Something that lasts until it is healed.
struct Healing {
    at: Duration,
    number: usize,
    what: Disturbance,
}

enum Disturbance {
    /// There is none at the machines of this service there.
    Power {
        service: usize,
        site: Site,
    },
    Link {
        to: usize,
        id: FaultId,
    },
    Task {
        /// Dropped when it is over: then the task is mended, and the fault proven or not.
        over: oneshot::Sender<()>,
    },
    Exec {
        /// Undoes it, if anything does.
        heal: Option<Vec<String>>,
        /// Dropped when it is over: it cannot be proven any more.
        over: oneshot::Sender<()>,
        /// Told when the command that does it has ended: before, there is nothing to undo.
        done: oneshot::Receiver<()>,
    },
}

// === impl Faults ===

impl Faults {
    /// Of a schedule. `links` are by the place of their service; `directory` is the fleet's run
    /// directory.
    pub(crate) fn new(
        schedule: &Schedule,
        links: BTreeMap<usize, Link>,
        services: Vec<Place>,
        runner: Runner,
        directory: PathBuf,
    ) -> Self {
        Self {
            coming: schedule.faults.clone(),
            links,
            services,
            runner,
            directory,
            healing: Vec::new(),
            holds: Holds::default(),
            proofs: JoinSet::new(),
            healers: JoinSet::new(),
        }
    }

    /// When something is to be done next, as far as that is known, in a load that began at `begin`.
    pub(crate) fn due(&self, begin: Instant, course: &Course) -> Option<Instant> {
        let healing = self.healing.iter().map(|healing| begin + healing.at);
        self.coming.iter().filter_map(|fault| course.due(fault)).chain(healing).min()
    }

    /// Waits for a word on whether a fault has taken effect, or that it could not be healed; for ever
    /// if none is expected. Cancel safe.
    pub(crate) async fn witness(&mut self) -> (usize, Result<(), String>) {
        const WHY: &str = "nobody stops a witness, and it does not panic";
        loop {
            tokio::select! {
                Some(told) = self.proofs.join_next() => return told.expect(WHY),
                Some(healed) = self.healers.join_next() => match healed.expect(WHY) {
                    (_, Ok(())) => {}
                    failed => return failed,
                },
                else => return std::future::pending().await,
            }
        }
    }

    /// Whether nobody is at work to undo a fault.
    pub(crate) fn are_healed(&self) -> bool {
        self.healers.is_empty()
    }

    /// Does everything that is due, in a load that began at `begin`.
    pub(crate) async fn act(&mut self, begin: Instant, watch: &mut Watch) -> Result<(), Error> {
        let at = now();
        let is_due =
            |fault: &Fault, course: &Course| course.due(fault).is_some_and(|due| due <= at);
        while let Some(next) = self.coming.iter().position(|f| is_due(f, &watch.course)) {
            let fault = self.coming.remove(next);
            self.inflict(fault, watch).await?;
        }
        let elapsed = at.since(begin);
        let (due, later) =
            self.healing.drain(..).partition(|healing: &Healing| healing.at <= elapsed);
        self.healing = later;
        self.heal(due, watch).await
    }

    /// Heals everything at once: the load is over.
    pub(crate) async fn heal_all(&mut self, watch: &mut Watch) -> Result<(), Error> {
        let all = std::mem::take(&mut self.healing);
        self.heal(all, watch).await
    }

    /// When calls arrived at each link.
    pub(crate) fn arrivals(&self, begin: Instant) -> BTreeMap<usize, Vec<Duration>> {
        let of = |(place, link): (&usize, &Link)| {
            let arrivals = link.arrivals().into_iter().filter(|at| *at >= begin);
            (*place, arrivals.map(|at| at.since(begin)).collect())
        };
        self.links.iter().map(of).collect()
    }

    async fn inflict(&mut self, fault: Fault, watch: &mut Watch) -> Result<(), Error> {
        let at = now();
        match fault.kind.clone() {
            FaultKind::End { how, service, tasks } => {
                let meant = watch.course.meant(&tasks, service);
                let met = watch.end(how, meant).await?;
                watch.course.inflict(at, fault, met);
            }
            FaultKind::PowerOff { service, site } => {
                let met = watch.course.there(&site, service);
                let Place { name, dark, .. } = &mut self.services[service];
                dark.off(&site);
                watch.power_off(name.clone(), dark.sites().to_vec(), &met).await?;
                let end = fault.end();
                let number = watch.course.inflict(at, fault, met);
                let what = Disturbance::Power { service, site };
                self.healing.push(Healing { at: end, number, what });
            }
            FaultKind::Ask { service, tasks, path, .. } => {
                let met = watch.course.meant(&tasks, service);
                let addresses: Vec<_> =
                    met.iter().filter_map(|task| watch.address(*task)).collect();
                let number = watch.course.inflict(at, fault, met);
                self.proofs.spawn(async move { (number, ask(addresses, path).await) });
            }
            FaultKind::Task { service, tasks, fault: how } => {
                let met = watch.course.meant(&tasks, service);
                let victims = met.iter().filter_map(|task| self.victim(*task, watch)).collect();
                let end = fault.end();
                let number = watch.course.inflict(at, fault, met);
                let (over, lasts) = oneshot::channel();
                self.healing.push(Healing { at: end, number, what: Disturbance::Task { over } });
                let holds = Holds::clone(&self.holds);
                self.proofs
                    .spawn(async move { (number, disturb(how, victims, holds, lasts).await) });
            }
            FaultKind::QueryOfDeath { service, path } => {
                let address = self.services[service].address;
                watch.course.inflict(at, fault, Vec::new());
                // What comes back is no proof: the death of a task is.
                tokio::spawn(async move { send(Method::GET, address, &path).await });
            }
            FaultKind::Link { to, fault: disturbance } => {
                let id = self.links[&to].inflict(disturbance);
                let end = fault.end();
                let number = watch.course.inflict(at, fault, Vec::new());
                self.healing.push(Healing { at: end, number, what: Disturbance::Link { to, id } });
            }
            FaultKind::Deploy { service, definition } => {
                watch.course.inflict(at, fault, Vec::new());
                let Place { name, relayed_by, .. } = &self.services[service];
                let before = |command: Vec<String>| match relayed_by {
                    Some(program) => relay::before(program, &command),
                    None => command,
                };
                let command = definition.command.map(before);
                watch.deploy(name.clone(), Definition { command, ..definition }).await?;
            }
            // The load has it in its plan.
            FaultKind::Spike(_) => {
                watch.course.inflict(at, fault, Vec::new());
            }
            FaultKind::Exec(exec) => {
                let end = fault.end();
                let number = watch.course.inflict(at, fault, Vec::new());
                self.exec(number, exec, end);
            }
        }
        Ok(())
    }

    fn victim(&self, task: TaskId, watch: &Watch) -> Option<Victim> {
        let relay = socket(&self.directory, watch.address(task)?.port());
        Some(Victim { process: watch.process(task)?, relay })
    }

    fn exec(&mut self, number: usize, exec: Exec, end: Duration) {
        if let Some(heal) = &exec.heal {
            self.runner.owe(heal.clone());
        }
        let (over, lasts) = oneshot::channel();
        let (doing, done) = oneshot::channel();
        let what = Disturbance::Exec { heal: exec.heal.clone(), over, done };
        self.healing.push(Healing { at: end, number, what });
        let runner = self.runner.clone();
        self.proofs.spawn(async move {
            let ended = runner.run(&exec.command).await;
            // Nobody may want to know any more.
            let _ = doing.send(());
            let proven = match ended {
                Ok(()) => prove(&runner, &exec.proof, lasts).await,
                failed => failed,
            };
            (number, proven)
        });
    }

    async fn heal(&mut self, due: Vec<Healing>, watch: &mut Watch) -> Result<(), Error> {
        for Healing { number, what, .. } in due {
            match what {
                Disturbance::Link { to, id } => {
                    let link = &self.links[&to];
                    link.heal(id);
                    let effect = match link.met(id) {
                        0 => Err("no call met it".to_owned()),
                        _ => Ok(()),
                    };
                    watch.course.told(number, effect);
                }
                Disturbance::Power { service, site } => {
                    let Place { name, dark, .. } = &mut self.services[service];
                    dark.on(&site);
                    watch.power_off(name.clone(), dark.sites().to_vec(), &[]).await?;
                }
                Disturbance::Task { over } => drop(over),
                Disturbance::Exec { heal, over, done } => {
                    drop(over);
                    let Some(heal) = heal else { continue };
                    let runner = self.runner.clone();
                    self.healers.spawn(async move { (number, undo(&runner, &heal, done).await) });
                }
            }
        }
        Ok(())
    }
}

/// Asks each task to misbehave.
async fn ask(tasks: Vec<SocketAddr>, path: String) -> Result<(), String> {
    if tasks.is_empty() {
        return Err("there was no such task in rotation".to_owned());
    }
    for address in tasks {
        let asked = tokio::time::timeout(ASK_TIMEOUT, send(Method::POST, address, &path));
        match asked.await.ok().flatten() {
            Some(200..=299) => {}
            Some(status) => return Err(format!("a task answered with {status}")),
            None => return Err("a task did not answer".to_owned()),
        }
    }
    Ok(())
}

/// Runs a proof until it succeeds, patience ends, or what it should prove no longer `lasts`.
async fn prove(
    runner: &Runner,
    proof: &[String],
    lasts: oneshot::Receiver<()>,
) -> Result<(), String> {
    let mut last = "nothing came of it in time".to_owned();
    let tries = async {
        while let Err(why) = runner.run(proof).await {
            last = why;
            tokio::time::sleep(PROOF_PAUSE).await;
        }
    };
    let until = tokio::select! {
        biased;
        _ = lasts => "until it was over".to_owned(),
        () = tries => return Ok(()),
        () = tokio::time::sleep(PROOF_PATIENCE) => format!("for {PROOF_PATIENCE:?}"),
    };
    Err(format!("its proof failed {until}: {last}"))
}

/// Runs what undoes a fault, but not before that is `done`.
async fn undo(
    runner: &Runner,
    command: &[String],
    done: oneshot::Receiver<()>,
) -> Result<(), String> {
    // What does not end is owed still: it is undone when it has been ended.
    if tokio::time::timeout(HEAL_PATIENCE, done).await.is_err() {
        return Err(format!("{HEAL_PATIENCE:?} after its end it was still being done"));
    }
    let ended = tokio::time::timeout(HEAL_PATIENCE, runner.run(command)).await;
    runner.paid(command);
    let healed = ended.unwrap_or_else(|_| {
        Err(format!("`{}` did not end within {HEAL_PATIENCE:?}", command.join(" ")))
    });
    healed.map_err(|why| format!("it could not be healed: {why}"))
}

/// A link for each service that the drill disturbs in whatever schedule: all its cells have the
/// same way to go. `seed` draws whom a fault meets.
pub(crate) fn links(schedules: &[Schedule], seed: u64) -> io::Result<BTreeMap<usize, Link>> {
    let mut links = BTreeMap::new();
    for place in schedules.iter().flat_map(Schedule::linked) {
        if let std::collections::btree_map::Entry::Vacant(entry) = links.entry(place) {
            entry.insert(Link::start(0, link::seed_of(seed, place))?);
        }
    }
    Ok(links)
}
