//! What a zone or a machine has of the tasks, and what is left without it.

use std::collections::BTreeSet;

use seaworthy_sim::availability::Place;
use seaworthy_sim::planner::{Answer, Question, tenants};

use crate::command::table::{BAD, GOOD, PLAIN, Table, cell};

/// For the file and each number of tasks worth choosing; nothing where none can work, or the file names no
/// machines.
pub(super) fn places(question: &Question<'_>, answer: &Answer) -> String {
    let service = question.service;
    let worth = answer.pareto.iter().chain(answer.now.as_ref().ok());
    let counts: BTreeSet<u32> = worth.map(|one| one.candidate.tasks).collect();
    if service.cluster.machines.is_empty() || counts.is_empty() {
        return String::new();
    }
    let mut table =
        Table::new(&["TASKS", "IN ZONES", "A ZONE TAKES", "A MACHINE TAKES", "LEFT BY A ZONE"]);
    for tasks in counts {
        let zones = tenants(service, Place::Zone, tasks);
        let named = zones.iter().map(|zone| format!("{} {}", zone.name, zone.tasks.count()));
        let [takes, machine] =
            [Place::Zone, Place::Machine].map(|place| sizes(question, place, tasks));
        let left = tasks - takes.last().copied().unwrap_or(0);
        let (style, verdict) =
            if left < answer.needed { (BAD, "too few") } else { (GOOD, "enough") };
        table.row([
            cell(PLAIN, tasks),
            cell(PLAIN, named.collect::<Vec<_>>().join(", ")),
            cell(PLAIN, either(&takes)),
            cell(PLAIN, either(&machine)),
            cell(style, format!("{left} at worst: {verdict}")),
        ]);
    }
    format!(
        "\nWHAT GOES TOGETHER: tasks are spread over zones, and there over machines\n{}",
        table.render()
    )
}

/// How many tasks a place may have, the fewest first.
fn sizes(question: &Question<'_>, place: Place, tasks: u32) -> Vec<u32> {
    let tenants = tenants(question.service, place, tasks);
    let sizes: BTreeSet<u32> = tenants.iter().map(|there| there.tasks.count()).collect();
    sizes.into_iter().collect()
}

/// `1 or 2`
fn either(sizes: &[u32]) -> String {
    sizes.iter().map(u32::to_string).collect::<Vec<_>>().join(" or ")
}
