//! `seaworthy ps`: the fleet as it is.

use std::process::ExitCode;

use seaworthy_agent::api::types::{DeploymentView, FleetView, ServiceView, Stage, TaskView};
use seaworthy_core::cluster::State;

use super::running::Running;
use super::say::say;
use super::table::{
    BAD, COMING, Cell, FAINT, GOOD, PLAIN, Table, age, cell, cpu, known, memory, paint,
};

/// Shows the services and the tasks of a running fleet, and what each service waits for
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  seaworthy ps
  seaworthy ps --json | jq -r '.tasks[] | select(.state == \"in_rotation\") | .task'

With --json: {\"fleet\": what GET /v1/fleet answers, \"tasks\": what GET /v1/tasks answers}.")]
pub(crate) struct Args {
    #[command(flatten)]
    running: Running,
}

/// Shows the fleet.
pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    args.running.talk(async |client| {
        let (fleet, tasks) = (client.fleet().await?, client.tasks().await?);
        if args.running.json {
            say(format_args!("{{\"fleet\":{},\"tasks\":{}}}", fleet.json, tasks.json))?;
        } else {
            say(render(&fleet.value, &tasks.value).trim_end())?;
        }
        Ok(ExitCode::SUCCESS)
    })
}

fn render(fleet: &FleetView, tasks: &[TaskView]) -> String {
    let services = services(&fleet.services);
    let waits = fleet.services.iter().flat_map(|service| {
        let wait = |why: &String| paint(COMING, &format!("{}: {why}", service.name)) + "\n";
        service.waiting_on.iter().map(wait)
    });
    let waits: String = waits.collect();
    let tasks = if tasks.is_empty() { "no tasks\n".to_owned() } else { self::tasks(tasks) };
    let parts = fleet.parts.iter().map(|part| format!("{} {}", part.name, part.pid));
    let parts = parts.collect::<Vec<_>>().join(", ");
    let state = fleet.state_directory.display();
    let foot = format!("{state}, up since {}; processes: {parts}", fleet.started);
    let alone = fleet.parts.iter().all(|part| part.name != "keeper").then(|| {
        let why = "no keeper: nothing is started or ended";
        paint(BAD, &format!("{why} until `seaworthy up --state {state}`")) + "\n"
    });
    let alone = alone.unwrap_or_default();
    let dashboard = fleet.dashboard.as_ref().map(|url| format!("\ndashboard: {url}"));
    let foot = paint(FAINT, &(foot + &dashboard.unwrap_or_default()));
    format!("{services}{waits}{alone}\n{tasks}\n{foot}\n")
}

fn services(services: &[ServiceView]) -> String {
    let head = ["SERVICE", "REVISION", "DESIRED", "RUNNING", "IN ROTATION", "URL", "DEPLOYMENT"];
    let mut table = Table::new(&head);
    for service in services {
        let desired =
            service.desired.to_string() + if service.autoscaling { " (auto)" } else { "" };
        let in_rotation = match service.in_rotation {
            0 if service.desired > 0 => BAD,
            some if some < service.desired => COMING,
            _ => GOOD,
        };
        table.row([
            cell(PLAIN, &service.name),
            cell(PLAIN, service.revision),
            cell(PLAIN, desired),
            cell(PLAIN, service.running),
            cell(in_rotation, service.in_rotation),
            cell(PLAIN, &service.url),
            known(service.deployment.as_ref().map(deployment)),
        ]);
    }
    table.render()
}

/// How far a deployment is, in a few words.
pub(crate) fn deployment(of: &DeploymentView) -> String {
    let stage = match of.stage {
        Stage::Canary => "canary",
        Stage::Rolling => "rolling",
        Stage::Proving => "proving itself",
        Stage::RollingBack => "rolling back",
    };
    let failed = match of.failed {
        0 => String::new(),
        some => format!(", {some} failed ({} are too many)", of.failure_threshold),
    };
    let (revision, settled, desired) = (of.revision, of.settled, of.desired);
    format!("revision {revision}: {stage}, {settled} of {desired} settled{failed}")
}

fn tasks(tasks: &[TaskView]) -> String {
    let head =
        ["TASK", "SERVICE", "REVISION", "STATE", "PORT", "PID", "AGE", "CPU", "MEMORY", "LIMITS"];
    let are_spread = tasks.iter().any(|task| task.machine.is_some());
    let head: Vec<&str> = head.into_iter().chain(are_spread.then_some("MACHINE")).collect();
    let mut table = Table::new(&head);
    let mut sorted: Vec<_> = tasks.iter().collect();
    sorted.sort_by_key(|task| (&task.service, task.task));
    for task in sorted {
        let cells = [
            cell(PLAIN, task.task),
            cell(PLAIN, &task.service),
            cell(PLAIN, task.revision),
            state(task.state),
            known(task.port),
            known(task.pid),
            cell(PLAIN, age(task.age_seconds)),
            known(task.cpu.map(cpu)),
            known(task.memory.map(memory)),
            known(task.limits.as_ref()),
        ];
        let machine = are_spread.then(|| known(task.machine.as_ref()));
        table.row(cells.into_iter().chain(machine));
    }
    table.render()
}

fn state(state: State) -> Cell {
    match state {
        State::Provisioning => cell(COMING, "provisioning"),
        State::Starting => cell(COMING, "starting"),
        State::InRotation => cell(GOOD, "in rotation"),
        State::OutOfRotation => cell(BAD, "out of rotation"),
        State::Draining => cell(FAINT, "draining"),
        State::Stopping => cell(FAINT, "stopping"),
    }
}
