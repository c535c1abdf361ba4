//! One scenario from its beginning to its end.

use std::fmt::Write as _;
use std::time::Duration;

use seaworthy_core::call::RouteId;
use seaworthy_core::cluster::View;
use seaworthy_core::fleet::Fleet;
use seaworthy_core::policy::breaker::State;
use seaworthy_core::time::Instant;

use super::fate::{Fate, ToLoad};
use super::load::{self, Load};
use super::rule::{Rule, Violation};
use super::scenario::{Scenario, ToService, name};
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

/// What became of a request.
#[derive(Clone, Copy, Debug)]
struct Ticket {
    place: usize,
    over: bool,
    /// It must succeed: for this rule.
    must: Option<Rule>,
}

struct Run<'a> {
    scenario: &'a Scenario,
    world: World,
    watches: Vec<Watch>,
    loads: Vec<Load>,
    tickets: Vec<Ticket>,
    reached: Reached,
    /// Requests that are sent now must succeed.
    must: Option<Rule>,
    trace: Option<String>,
}

/// Lets a scenario happen.
///
/// # Panics
///
/// If its fleet is none, which [`Scenario::fleet`] tells.
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
    let fleet = scenario.fleet().expect("a scenario has a proper fleet");
    let programs: Vec<Program> = scenario.services.iter().map(|member| member.program).collect();
    let physics = scenario.physics;
    let world = match scenario.planted {
        Some(bug) => bug.world(&fleet, &programs, physics),
        None => World::new(&fleet, &programs, physics),
    };
    let members = || scenario.services.iter().enumerate();
    let scaled = |place| {
        let mut happenings = scenario.happenings.iter().filter_map(|(_, h)| h.to_service(place));
        happenings.any(|what| matches!(what, ToService::Scale(_)))
    };
    let watch = |(place, service)| Watch::new(place, service, scaled(place));
    let mut run = Run {
        scenario,
        world,
        watches: fleet.services.iter().enumerate().map(watch).collect(),
        loads: members().map(|(n, member)| Load::new(scenario.seed, n, member)).collect(),
        tickets: Vec::new(),
        reached: Reached::default(),
        must: None,
        trace,
    };
    let violation = run.all(&fleet).err();
    let reached = run.watches.iter().fold(run.reached, |all, watch| all.and(watch.reached));
    let requests = run.tickets.len() as u64;
    (Outcome { violation, reached, requests }, run.trace)
}

// === impl Run ===

impl Run<'_> {
    fn all(&mut self, fleet: &Fleet) -> Result<(), Violation> {
        self.fill()?;
        let mut fate = Fate::new(self.scenario, fleet, self.world.now());
        self.must = self.scenario.is_calm(fleet).then_some(Rule::PlannedIsHarmless);
        self.safety(&mut fate)?;
        fate.mend(&mut self.world);
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
        self.loads.iter_mut().for_each(|load| load.next = begin);
        let until = begin + self.scenario.length;
        while self.world.now() < until {
            let due = fate.next().map_or(until, |at| at.min(until));
            self.serve(due)?;
            while fate.next().is_some_and(|at| at <= self.world.now()) {
                let to_load = fate.act(&mut self.world);
                self.take_note()?;
                to_load.map_or(Ok(()), |what| self.happen_to_load(what))?;
            }
        }
        Ok(())
    }

    fn liveness(&mut self) -> Result<(), Violation> {
        let begin = self.world.now();
        self.must = None;
        self.loads.iter_mut().for_each(|load| load.calm_down(begin));
        while !self.is_as_desired() {
            if self.world.now() >= begin + CONVERGED_BY {
                let what = self.states();
                return self.fail(Rule::Converges, what);
            }
            self.serve(self.world.now() + LOOK_EVERY)?;
        }
        self.serve(self.world.now() + RAMP)?;
        self.must = Some(Rule::Works);
        self.serve(self.world.now() + WORKS_FOR)?;
        let until = self.world.now() + OVER_BY;
        while self.world.now() < until {
            self.pass(until)?;
        }
        if let Some(ticket) = self.tickets.iter().position(|ticket| !ticket.over) {
            return self.fail(Rule::SomeOutcome, format!("request {ticket} is lost"));
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
        let closed = |world: &mut World, place| {
            let breaker = world.standing(place, RouteId(0)).breaker;
            breaker.is_none_or(|state| state == State::Closed)
        };
        // Tasks still work off what came when there was too much.
        let done = |place| {
            !self.world.deployment(place).state.is_under_way() && self.world.backlog(place) == 0
        };
        self.all_serve()
            && self.places().all(done)
            && self.places().all(|place| closed(&mut self.world, place))
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
        let backlog = format!("{} requests wait in tasks", world.backlog(place));
        let all = [tasks, revision, backlog].into_iter().chain(breaker).chain(world.explain(place));
        format!("`{}`: {}", name(place), all.collect::<Vec<_>>().join("; "))
    }

    fn fail<T>(&self, rule: Rule, what: String) -> Result<T, Violation> {
        Err(Violation { rule, at: self.world.now(), what })
    }

    // Time passes

    /// Until then, with requests.
    fn serve(&mut self, until: Instant) -> Result<(), Violation> {
        loop {
            let next = self.loads.iter().map(|load| load.next).min().unwrap_or(until);
            while self.world.now() < next.min(until) {
                self.pass(next.min(until))?;
            }
            let now = self.world.now();
            if now >= until {
                return Ok(());
            }
            for n in 0..self.loads.len() {
                if self.loads[n].next <= now {
                    let (place, arrival) = (self.loads[n].place, self.loads[n].take(now));
                    self.send(place, &arrival, self.must)?;
                }
            }
        }
    }

    fn send(
        &mut self,
        place: usize,
        arrival: &crate::world::Arrival,
        must: Option<Rule>,
    ) -> Result<(), Violation> {
        let ticket = self.tickets.len() as u64;
        self.tickets.push(Ticket { place, over: false, must });
        self.world.send(place, ticket, arrival);
        self.take_note()
    }

    fn happen_to_load(&mut self, what: ToLoad) -> Result<(), Violation> {
        match what {
            ToLoad::Burst { place, times, until } => self.loads[place].burst(until, times),
            ToLoad::NewGateway => self.watches.iter_mut().for_each(|watch| watch.gateways += 1),
            ToLoad::QueryOfDeath(place) => {
                self.watches[place].queries_of_death += 1;
                // Nobody else asks for this.
                let thing = u64::MAX - u64::from(self.watches[place].queries_of_death);
                return self.send(place, &load::request("GET", thing, true), None);
            }
        }
        Ok(())
    }

    fn pass(&mut self, until: Instant) -> Result<(), Violation> {
        self.world.advance(until);
        self.take_note()
    }

    /// Of all that has come of it.
    fn take_note(&mut self) -> Result<(), Violation> {
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

    fn note(&mut self, news: &News) -> Result<(), (Rule, String)> {
        match news {
            News::Answered { ticket: number, status, task, .. } => {
                let ticket = &mut self.tickets[*number as usize];
                let what = || {
                    let status = status.map_or("cut short".to_owned(), |status| status.to_string());
                    let by = task.map_or("the gateway".to_owned(), |task| task.to_string());
                    format!("request {number} was answered by {by}: {status}")
                };
                if std::mem::replace(&mut ticket.over, true) {
                    return Err((Rule::OneOutcome, format!("{}, and once before", what())));
                }
                let success = status.is_some_and(|status| status < 500);
                self.reached.add_if(status.is_none(), Sometimes::CutShort);
                self.reached.add_if(*status == Some(504), Sometimes::Deadline);
                let watch = &mut self.watches[ticket.place];
                watch.successes += u64::from(success);
                if let (Some(rule), false) = (ticket.must, success) {
                    return Err((rule, what()));
                }
                task.map_or(Ok(()), |task| watch.answered(task))
            }
            News::Controlled(place, record) => self.watches[*place].controlled(&self.world, record),
            News::Served(place, record) => {
                self.watches[*place].served(record);
                Ok(())
            }
            News::Tasks(_) | News::Listens(_) | News::Ended(_) => Ok(()),
        }
    }
}
