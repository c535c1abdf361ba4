//! What tasks have in common: the zones and machines over which core spreads them, and what takes those.

use seaworthy_core::cluster::spread;
use seaworthy_core::fleet::Service;

use super::timing::Timing;
use super::{Candidate, Question};
use crate::availability::{Cause, Members, Place, Repair};

/// A zone or a machine, and which tasks are there.
#[derive(Clone, Debug, PartialEq)]
pub struct Tenants {
    /// As the fleet file has it.
    pub name: String,
    /// By the order in which they come.
    pub tasks: Members,
}

/// Which of so many tasks are in which zone, or on which machine; none where the file does not say.
pub fn tenants(service: &Service, place: Place, tasks: u32) -> Vec<Tenants> {
    let mut all: Vec<Tenants> = Vec::new();
    for (task, location) in (0..).zip(spread::of(&service.cluster.machines, tasks)) {
        let name = match place {
            Place::Everywhere => return Vec::new(),
            Place::Zone => location.zone(),
            Place::Machine => location.name(),
        };
        match all.iter_mut().find(|tenants| tenants.name == name) {
            Some(tenants) => tenants.tasks = tenants.tasks.with(task.into()),
            None => all.push(Tenants { name: name.to_owned(), tasks: task.into() }),
        }
    }
    all
}

/// What takes them, if anything does. All who are there die at once, and that is known at once.
pub(super) fn causes(
    question: &Question<'_>,
    candidate: &Candidate,
    timing: &Timing,
) -> Vec<Cause> {
    let repair = Repair::Uniform(timing.replacement);
    let failing = question.world.places().into_iter();
    let of_place = |(place, mttf): (Place, f64)| {
        let tenants = tenants(question.service, place, candidate.tasks).into_iter();
        tenants.map(move |there| Cause { place, rate: 1.0 / mttf, repair, tasks: there.tasks })
    };
    failing.flat_map(of_place).collect()
}

#[cfg(test)]
mod tests;
