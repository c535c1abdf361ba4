//! One scenario from its beginning to its end.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use seaworthy_core::call::RouteId;
use seaworthy_core::cluster::View;
use seaworthy_core::cluster::deployment::State;
use seaworthy_core::cluster::plan::Revision;
use seaworthy_core::endpoints::TaskId;
use seaworthy_core::random::{Stream, draw};
use seaworthy_core::time::Instant;

use super::clients::{Clients, Deed, Ticket};
use super::fair::Meaning;
use super::fate::{Fate, ToLoad};
use super::panics::caught;
use super::rule::{Kept, Rule, Violation};
use super::scenario::{Scenario, name};
use super::sometimes::{Reached, Sometimes};
use super::watch::Watch;
use crate::world::{News, Program, World};

/// A fleet of good programs is whole by then.
const FILLED_BY: Duration = Duration::from_secs(60);
/// When all is mended, the fleet is as desired again by then.
const CONVERGED_BY: Duration = Duration::from_secs(1200);
/// It is looked so often whether it is.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// A breaker that has closed lets a share of the calls pass for so long.
const RAMP: Duration = Duration::from_secs(31);
/// For so long every request must succeed then.
const WORKS_FOR: Duration = Duration::from_secs(5);
/// By then every request has an outcome, and what its task may still do is done.
const OVER_BY: Duration = Duration::from_secs(150);

/// What came of a scenario.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What did not hold, first of all.
    pub violation: Option<Violation>,
    /// What was reached.
    pub reached: Reached,
    /// Requests that were sent.
    pub requests: u64,
}

struct Run<'a> {
    scenario: &'a Scenario,
    world: World,
    watches: Vec<Watch>,
    clients: Clients,
    reached: Reached,
    /// What was deployed when all was mended, by the place of its service.
    cures: BTreeMap<usize, Revision>,
    trace: Option<String>,
}

/// Lets a scenario happen.
///
/// # Panics
///
/// If its fleet is none.
pub fn run(scenario: &Scenario) -> Outcome {
    carry_out(scenario, None).0
}

/// Lets a scenario happen, and writes down everything that comes of it.
///
/// # Panics
///
/// Like [`run`].
pub fn traced(scenario: &Scenario) -> (Outcome, String) {
    let (outcome, trace) = carry_out(scenario, Some(String::new()));
    (outcome, trace.unwrap_or_default())
}

fn carry_out(scenario: &Scenario, trace: Option<String>) -> (Outcome, Option<String>) {
    let meaning = scenario.meaning().expect("a scenario means something");
    let Meaning { fleet, callers } = &meaning;
    let programs: Vec<Program> = scenario.services.iter().map(|member| member.program).collect();
    let mut world = match scenario.planted {
        Some(bug) => bug.world(fleet, &programs, &scenario.physics),
        None => World::new(fleet, &programs, scenario.physics),
    };
    world.overhear();
    (0..).zip(callers).for_each(|(place, caller)| world.teach(place, caller.clone()));
    for place in 0..callers.len() {
        world.link(place, draw(scenario.seed, Stream::Link, place as u64));
    }
    let watch = |(place, service)| Watch::new(place, service, &callers[place], scenario);
    let sticks = fleet.services.iter().map(|service| service.sticky_cookie.is_some());
    let mut run = Run {
        scenario,
        world,
        watches: fleet.services.iter().enumerate().map(watch).collect(),
        clients: Clients::new(scenario, sticks),
        reached: Reached::default(),
        cures: BTreeMap::new(),
        trace,
    };
    let violation = match caught(|| run.all(&meaning)) {
        Ok(done) => done.err(),
        Err(what) => Some(Violation { rule: Rule::Panics, at: run.world.now(), what }),
    };
    let reached = run.reached.and(run.clients.reached);
    let reached = run.watches.iter().map(Watch::reached).fold(reached, Reached::and);
    let requests = run.clients.count();
    (Outcome { violation, reached, requests }, run.trace)
}

// === impl Run ===

impl Run<'_> {
    fn all(&mut self, meaning: &Meaning) -> Result<(), Violation> {
        self.fill()?;
        let mut fate = Fate::new(self.scenario, &meaning.fleet, self.world.now());
        self.clients.must = self.scenario.is_calm(meaning).then_some(Rule::PlannedIsHarmless);
        self.safety(&mut fate)?;
        self.cures = fate.mend(&mut self.world);
        self.learn(&mut fate);
        self.reached = self.reached.and(fate.reached);
        self.liveness()
    }

    fn fill(&mut self) -> Result<(), Violation> {
        let until = self.world.now() + FILLED_BY;
        while !self.all_serve() {
            self.pass(until)?;
            if self.world.now() >= until {
                let what = self.states();
                return self.fail(Rule::ComesUp, what);
            }
        }
        let mut checks = self.watches.iter().map(|watch| watch.check_fill(&self.world));
        checks.try_for_each(|check| check.or_else(|(rule, what)| self.fail(rule, what)))
    }

    fn safety(&mut self, fate: &mut Fate<'_>) -> Result<(), Violation> {
        let begin = self.world.now();
        self.clients.begin(begin);
        let until = begin + self.scenario.length;
        while self.world.now() < until {
            let due = fate.next().map_or(until, |at| at.min(until));
            self.serve(due)?;
            while fate.next().is_some_and(|at| at <= self.world.now()) {
                let to_load = fate.act(&mut self.world);
                self.learn(fate);
                if let Some(what) = to_load {
                    self.happen_to_load(what)?;
                }
                self.take_note()?;
            }
        }
        Ok(())
    }

    fn liveness(&mut self) -> Result<(), Violation> {
        let begin = self.world.now();
        self.clients.must = None;
        self.clients.calm_down(begin);
        loop {
            while !self.is_as_desired() {
                if self.world.now() >= begin + CONVERGED_BY {
                    let what = self.states();
                    return self.fail(Rule::Converges, what);
                }
                self.serve(self.world.now() + LOOK_EVERY)?;
            }
            self.serve(self.world.now() + RAMP)?;
            // What one that has just closed refuses may open another one.
            if self.all_flows() {
                break;
            }
        }
        self.clients.must = Some(Rule::Works);
        self.serve(self.world.now() + WORKS_FOR)?;
        let until = self.world.now() + OVER_BY;
        while self.world.now() < until {
            self.pass(until)?;
        }
        if let Some(ticket) = self.clients.lost() {
            return self.fail(Rule::SomeOutcome, format!("request {ticket} is lost"));
        }
        let between = self.world.between();
        if between > 0 {
            let what = format!("{between} calls between services have no outcome");
            return self.fail(Rule::SomeOutcome, what);
        }
        let ends = self.watches.iter().map(|watch| watch.check_end(&mut self.world));
        let ends: Result<(), _> = ends.collect();
        ends.or_else(|(rule, what)| self.fail(rule, what))
    }

    fn places(&self) -> std::ops::Range<usize> {
        0..self.watches.len()
    }

    fn all_serve(&self) -> bool {
        self.places().all(|place| {
            let views = self.world.views(place);
            views.len() as u32 == self.world.desired_count(place)
                && views.iter().all(View::is_in_rotation)
        })
    }

    fn is_as_desired(&mut self) -> bool {
        // Tasks still work off what came when there was too much.
        let done = |place| self.is_deployed(place) && self.world.backlog(place) == 0;
        self.all_serve()
            // What it was told last may wait.
            && !self.world.agent_is_busy()
            && self.places().all(done)
            && self.all_flows()
    }

    /// Whether all breakers let everything pass.
    fn all_flows(&mut self) -> bool {
        self.watches.iter().all(|watch| watch.flows(&mut self.world))
    }

    /// The cure is, if there is one; else what was deployed last may have been given up.
    fn is_deployed(&self, place: usize) -> bool {
        let deployment = self.world.deployment(place);
        self.cures.get(&place).map_or(!deployment.state.is_under_way(), |cure| {
            (deployment.revision, deployment.state) == (*cure, State::Completed)
        })
    }

    /// How all of them stand, one on each line.
    fn states(&mut self) -> String {
        self.places().map(|place| self.state(place)).collect::<Vec<_>>().join("\n")
    }

    fn state(&mut self, place: usize) -> String {
        let standing = self.world.standing(place, RouteId(0));
        let breaker = standing.breaker.map(|state| format!("the breaker is {state}"));
        let world = &self.world;
        let (views, deployment) = (world.views(place), world.deployment(place));
        let count = |is: fn(&View) -> bool| views.iter().filter(|view| is(view)).count();
        let tasks = format!(
            "{} tasks for {}, {} in rotation, {} on their way out",
            views.len(),
            world.desired_count(place),
            count(View::is_in_rotation),
            count(View::is_leaving)
        );
        let revision = format!("revision {} is {}", deployment.revision, deployment.state);
        let cure = self.cures.get(&place);
        let cure = cure.map(|cure| format!("revision {cure} is to be completed"));
        let backlog = format!("{} requests wait in tasks", world.backlog(place));
        let more = cure.into_iter().chain(breaker);
        let all = [tasks, revision, backlog].into_iter().chain(more).chain(world.explain(place));
        format!("`{}`: {}", name(place), all.collect::<Vec<_>>().join("; "))
    }

    fn fail<T>(&self, rule: Rule, what: String) -> Result<T, Violation> {
        Err(Violation { rule, at: self.world.now(), what })
    }

    // Time passes

    /// Until then, with requests.
    fn serve(&mut self, until: Instant) -> Result<(), Violation> {
        loop {
            let next = self.clients.next().map_or(until, |next| next.min(until));
            while self.world.now() < next {
                self.pass(next)?;
            }
            let now = self.world.now();
            if now >= until {
                return Ok(());
            }
            while let Some(deed) = self.clients.poll(now) {
                self.deed(deed)?;
            }
        }
    }

    fn deed(&mut self, deed: Deed) -> Result<(), Violation> {
        match deed {
            Deed::Send { place, ticket, arrival } => {
                self.watches[place].gates.expect(&self.world, &arrival);
                self.world.send(place, ticket, &arrival);
            }
            Deed::Leave { place, ticket } => {
                if self.world.leave(place, ticket) {
                    self.clients.left(ticket);
                }
            }
        }
        self.take_note()
    }

    fn happen_to_load(&mut self, what: ToLoad) -> Result<(), Violation> {
        match what {
            ToLoad::Burst { place, times, until } => self.clients.burst(place, until, times),
            ToLoad::NewGateway => {
                self.watches.iter_mut().for_each(Watch::begin_anew);
            }
            ToLoad::QueryOfDeath(place) => {
                self.watches[place].queries_of_death += 1;
                // Nobody else asks for this.
                let thing = u64::MAX - u64::from(self.watches[place].queries_of_death);
                let deed = self.clients.send_deadly(place, thing);
                return self.deed(deed);
            }
        }
        Ok(())
    }

    /// With which settings was deployed what the agent hears of, now or later.
    fn learn(&mut self, fate: &mut Fate<'_>) {
        for (place, revision, config) in fate.deployed.drain(..) {
            self.watches[place].deployed(revision, config);
        }
    }

    fn pass(&mut self, until: Instant) -> Result<(), Violation> {
        self.world.advance(until);
        self.take_note()
    }

    /// Of all that was said, and of all that has come of it.
    fn take_note(&mut self) -> Result<(), Violation> {
        for (at, place, said) in self.world.overheard() {
            let noted = self.watches[place].overheard(at, &said);
            noted.map_err(|(rule, what)| Violation { rule, at, what })?;
        }
        while let Some(news) = self.world.poll_news() {
            if let Some(trace) = &mut self.trace {
                let _ = writeln!(trace, "{} {news:?}", self.world.now().as_nanos());
            }
            let noted = self.note(&news);
            noted.or_else(|(rule, what)| self.fail(rule, what))?;
        }
        let at = self.world.now();
        let mut checks = self.watches.iter_mut().map(|watch| watch.check_bounds(&mut self.world));
        checks.try_for_each(|check| check.map_err(|(rule, what)| Violation { rule, at, what }))
    }

    fn note(&mut self, news: &News) -> Kept {
        match news {
            News::Answered { ticket, status, task, degraded } => {
                self.reached.add_if(degraded.is_some(), Sometimes::Degraded);
                self.answered(*ticket, *status, *task)
            }
            News::Controlled(place, record) => self.watches[*place].controlled(&self.world, record),
            News::Served(place, record) => {
                self.watches[*place].served(record);
                Ok(())
            }
            News::Ended(task) => {
                self.watches[self.world.place(*task)].ended(self.world.now(), *task);
                Ok(())
            }
            News::GivenUp(ticket) => {
                self.clients.left(*ticket);
                Ok(())
            }
            News::Tasks(_) | News::Listens(_) => Ok(()),
        }
    }

    fn answered(&mut self, ticket: u64, status: Option<u16>, task: Option<TaskId>) -> Kept {
        let what = || {
            let status = status.map_or("cut short".to_owned(), |status| status.to_string());
            let by = task.map_or("the gateway".to_owned(), |task| task.to_string());
            format!("request {ticket} was answered by {by}: {status}")
        };
        let success = status.is_some_and(|status| status < 500);
        self.reached.add_if(status.is_none(), Sometimes::CutShort);
        self.reached.add_if(status == Some(504), Sometimes::Deadline);
        let Some(&Ticket { place, must, .. }) = self.clients.over(ticket, task, success) else {
            return Err((Rule::OneOutcome, format!("{}, and once before", what())));
        };
        match must {
            Some(rule) if !success => Err((rule, what())),
            _ => task.map_or(Ok(()), |task| self.watches[place].answered(task)),
        }
    }
}
