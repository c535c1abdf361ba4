//! What happens to a fleet in a scenario, and how it ends again.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use seaworthy_core::cluster::plan::Revision;
use seaworthy_core::cluster::spread::Site;
use seaworthy_core::cluster::{self, View, reconciler};
use seaworthy_core::endpoints::TaskId;
use seaworthy_core::experiment::TaskFault;
use seaworthy_core::fleet::Fleet;
use seaworthy_core::time::Instant;

use super::scenario::{Flaw, Happening, Scenario, ToService, ToTask};
use super::sometimes::{Reached, Sometimes};
use crate::world::{Program, Strain, World};

/// So many new tasks never fail.
const NEVER: u32 = 1000;

/// What happens, in order, and what lasts.
#[derive(Debug)]
pub(super) struct Fate<'a> {
    scenario: &'a Scenario,
    fleet: &'a Fleet,
    begin: Instant,
    happened: usize,
    /// What lasts, by when it ends and the order in which it began.
    lasting: BTreeMap<(Instant, u32), Lasting>,
    begun: u32,
    /// Who die at one moment, and when: one after the other, so that each death is judged by who is left.
    dying: (Instant, VecDeque<TaskId>),
    /// Where something was deployed since this was last taken out, which revision, and with which settings.
    pub(super) deployed: Vec<(usize, Revision, cluster::Config)>,
    pub(super) reached: Reached,
}

#[derive(Debug)]
enum Lasting {
    Disturbed(Vec<TaskId>),
    /// The way to the service at this place.
    Way(usize),
    /// Of the service at this place.
    Power(usize, Site),
    Partition,
    NoAgent,
}

/// What happens to the load and not to the fleet.
#[derive(Clone, Copy, Debug)]
pub(super) enum ToLoad {
    Burst {
        place: usize,
        times: u32,
        until: Instant,
    },
    QueryOfDeath(usize),
    /// Its calls have ended.
    NewGateway,
}

// === impl Fate ===

impl<'a> Fate<'a> {
    pub(super) fn new(scenario: &'a Scenario, fleet: &'a Fleet, begin: Instant) -> Self {
        Self {
            scenario,
            fleet,
            begin,
            happened: 0,
            lasting: BTreeMap::new(),
            begun: 0,
            dying: (begin, VecDeque::new()),
            deployed: Vec::new(),
            reached: Reached::default(),
        }
    }

    /// When something happens next, or ends.
    pub(super) fn next(&self) -> Option<Instant> {
        let happens = self.scenario.happenings.get(self.happened).map(|(at, _)| self.begin + *at);
        let ends = self.lasting.first_key_value().map(|((at, _), _)| *at);
        let dies = self.dying.1.front().map(|_| self.dying.0);
        happens.into_iter().chain(ends).chain(dies).min()
    }

    /// Does the first thing that is due; what is to be done to the load. One at a time: what comes of it
    /// is judged by what is desired then, and the next one may change that.
    pub(super) fn act(&mut self, world: &mut World) -> Option<ToLoad> {
        let now = world.now();
        if let Some(task) = self.dying.1.pop_front() {
            world.kill(task);
            return None;
        }
        if let Some(entry) = self.lasting.first_entry().filter(|entry| entry.key().0 <= now) {
            let ((_, id), what) = entry.remove_entry();
            self.end(world, id, &what);
            return None;
        }
        let (_, happening) = *self.scenario.happenings.get(self.happened)?;
        self.happened += 1;
        self.happen(world, happening)
    }

    /// All is mended, and where something was deployed, a good revision is, without an alarm, which would
    /// ring for what goes on before the cure works, nor a breaker or a canary: a query of death may still be under
    /// way. Those revisions, by the place of their service.
    pub(super) fn mend(&mut self, world: &mut World) -> BTreeMap<usize, Revision> {
        self.dying.1.drain(..).for_each(|task| {
            world.kill(task);
        });
        while let Some(((_, id), what)) = self.lasting.pop_first() {
            self.end(world, id, &what);
        }
        self.happened = self.scenario.happenings.len();
        let mut cures = BTreeMap::new();
        for place in 0..self.fleet.services.len() {
            let to_service = |(_, what): &(_, Happening)| what.to_service(place);
            let mut happenings = self.scenario.happenings.iter().filter_map(to_service);
            if happenings.any(|what| what.deploys().is_some()) {
                let mut config = self.fleet.services[place].cluster.clone();
                config.deployment.alarm = None;
                config.deployment.canary = None;
                config.deployment.breaker.minimum = NEVER;
                config.deployment.breaker.maximum = NEVER;
                let program = self.scenario.services[place].program;
                cures.insert(place, self.deploy(world, place, config, program));
            }
        }
        cures
    }

    fn last(&mut self, until: Instant, what: Lasting) -> u32 {
        self.begun += 1;
        self.lasting.insert((until, self.begun), what);
        self.begun
    }

    fn end(&mut self, world: &mut World, id: u32, what: &Lasting) {
        let same = |others: &BTreeMap<_, Lasting>| {
            others
                .values()
                .any(|other| std::mem::discriminant(other) == std::mem::discriminant(what))
        };
        match what {
            Lasting::Disturbed(tasks) => {
                for task in tasks {
                    world.mend(*task, id);
                }
            }
            Lasting::Way(place) => {
                let met = world.mend_link(*place, id);
                self.reached.add_if(met > 0, Sometimes::WayDisturbed);
            }
            Lasting::Power(place, zone) => world.power_on(*place, zone),
            Lasting::Partition => world.partitioned = same(&self.lasting),
            Lasting::NoAgent => world.start_agent(),
        }
    }

    fn happen(&mut self, world: &mut World, happening: Happening) -> Option<ToLoad> {
        let now = world.now();
        match happening {
            Happening::ToTask(place, nth, what) => {
                let tasks: Vec<TaskId> = world.running(place).collect();
                let turn = (nth as usize).checked_rem(tasks.len())?;
                self.happen_to_task(world, place, tasks[turn], what);
            }
            Happening::ToService(place, what) => return self.happen_to_service(world, place, what),
            Happening::Partition(lasts) => {
                world.partitioned = true;
                self.last(now + lasts, Lasting::Partition);
            }
            Happening::CrashAgent(lasts) => {
                world.crash_agent();
                self.last(now + lasts, Lasting::NoAgent);
            }
            Happening::CrashGateway => {
                world.crash_gateway();
                return Some(ToLoad::NewGateway);
            }
        }
        None
    }

    fn happen_to_task(&mut self, world: &mut World, place: usize, task: TaskId, what: ToTask) {
        match what {
            ToTask::Kill => {
                world.kill(task);
            }
            ToTask::Stop => world.tell(place, reconciler::Event::Stop(task)),
            ToTask::Drain => world.tell(place, reconciler::Event::Drain(task)),
            ToTask::Disturb(fault, lasts) => self.disturb(world, vec![task], fault, lasts),
            ToTask::Leak(lasts) => {
                if let Some(program) = world.program(task) {
                    world.become_like(task, Flaw::Leaks(lasts).of(program), Strain::default());
                }
            }
        }
    }

    fn happen_to_service(
        &mut self,
        world: &mut World,
        place: usize,
        what: ToService,
    ) -> Option<ToLoad> {
        match what {
            ToService::Disturb(fault, lasts) => {
                let tasks = world.running(place).collect();
                self.disturb(world, tasks, fault, lasts);
            }
            ToService::DisturbWay(fault, lasts) => {
                let id = self.last(world.now() + lasts, Lasting::Way(place));
                world.disturb_link(place, id, fault);
            }
            ToService::QueryOfDeath => return Some(ToLoad::QueryOfDeath(place)),
            ToService::Burst(times, lasts) => {
                return Some(ToLoad::Burst { place, times, until: world.now() + lasts });
            }
            ToService::Deploy(flaw) | ToService::DeployWith(flaw, _) => {
                let (_, settings) = what.deploys()?;
                let good = self.scenario.services[place].program;
                let program = flaw.map_or(good, |flaw| flaw.of(good));
                let config = settings.of(&self.fleet.services[place].cluster);
                self.deploy(world, place, config, program);
            }
            ToService::Rollback => world.tell(place, reconciler::Event::Rollback),
            ToService::Scale(count) => world.tell(place, reconciler::Event::Scale(count)),
            ToService::LoseZone(nth) => {
                let zone = self.zone(place, nth)?;
                self.kill_all_in(world, place, &zone);
            }
            ToService::PowerOff(nth, lasts) => {
                let zone = self.zone(place, nth)?;
                world.power_off(place, &zone);
                self.kill_all_in(world, place, &zone);
                self.last(world.now() + lasts, Lasting::Power(place, zone));
            }
        }
        None
    }

    fn deploy(
        &mut self,
        world: &mut World,
        place: usize,
        config: cluster::Config,
        program: Program,
    ) -> Revision {
        let revision = world.deploy(place, config.clone(), Some(program));
        self.deployed.push((place, revision, config));
        revision
    }

    /// That of the machine whose turn it is.
    fn zone(&self, place: usize, nth: u32) -> Option<Site> {
        let machines = &self.fleet.services[place].cluster.machines;
        let turn = (nth as usize).checked_rem(machines.len())?;
        Some(Site::Zone(machines[turn].zone().to_owned()))
    }

    fn kill_all_in(&mut self, world: &World, place: usize, zone: &Site) {
        let is_there = |view: &View| view.location.as_ref().is_some_and(|at| zone.has(at));
        let there = world.views(place).into_iter().filter(is_there).map(|view| view.task);
        self.dying.0 = world.now();
        self.dying.1.extend(there);
    }

    fn disturb(
        &mut self,
        world: &mut World,
        tasks: Vec<TaskId>,
        fault: TaskFault,
        lasts: Duration,
    ) {
        let id = self.begun + 1;
        for task in &tasks {
            world.disturb(*task, id, fault);
        }
        self.last(world.now() + lasts, Lasting::Disturbed(tasks));
    }
}
