//! What of a drill cannot be simulated.

use seaworthy_core::cluster::autoscaler::Target;
use seaworthy_core::experiment::caller::{Caller, Dependency};
use seaworthy_core::experiment::{Cell, Drill, Fault, FaultKind};
use seaworthy_core::fleet::{Fleet, Service};

/// Why a cell cannot be simulated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There is nothing of ours in it.
    #[error("cell {cell} has a target in place of a fleet: what is not ours can only be run live")]
    Target {
        /// Its name.
        cell: String,
    },
    /// A fault does what only the real program or a real command can do.
    #[error("cell {cell}: the {fault} cannot be simulated, only run live: {why}")]
    Fault {
        /// Its name.
        cell: String,
        /// The fault, in words.
        fault: String,
        /// What is missing.
        why: &'static str,
    },
    /// A setting asks for what a simulation does not know.
    #[error("cell {cell}: service {service}: {key} cannot be simulated, only run live: {why}")]
    Setting {
        /// Its name.
        cell: String,
        /// The service's.
        service: String,
        /// Of the setting.
        key: &'static str,
        /// What is missing.
        why: &'static str,
    },
    /// The fleet does not come up.
    #[error("cell {cell}: the simulated fleet does not come up: {why}")]
    NotUp {
        /// Its name.
        cell: String,
        /// What was seen.
        why: String,
    },
}

/// Whether a cell can be simulated: then, its fleet.
pub fn check(drill: &Drill, cell: Cell) -> Result<&Fleet, Error> {
    let name = || cell.name(drill);
    let fleet = drill.configurations[cell.configuration].fleet.as_ref();
    let fleet = fleet.ok_or_else(|| Error::Target { cell: name() })?;
    for service in &fleet.services {
        if let Err((key, why)) = check_settings(service) {
            return Err(Error::Setting { cell: name(), service: service.name.clone(), key, why });
        }
    }
    for fault in &drill.schedules[cell.schedule].faults {
        let refusal = |why| Error::Fault { cell: name(), fault: fault.to_string(), why };
        check_fault(drill, cell, fault).map_err(refusal)?;
    }
    Ok(fleet)
}

/// Whether a service asks only for what a simulation knows; if not, which setting does not, and what is missing.
fn check_settings(service: &Service) -> Result<(), (&'static str, &'static str)> {
    let mut targets = service.cluster.autoscaling.iter().flat_map(|config| &config.targets);
    if targets.any(|target| matches!(target, Target::Cpu(_))) {
        let why = "nobody says how much processor time a request takes";
        return Err(("autoscaling.cpu_percent", why));
    }
    Ok(())
}

/// Whether a fault is one of physics; if not, why.
fn check_fault(drill: &Drill, cell: Cell, fault: &Fault) -> Result<(), &'static str> {
    match &fault.kind {
        FaultKind::Ask { model: None, .. } => {
            Err("what the program makes of it is not known; `model = { … }` beside it can say it")
        }
        FaultKind::Exec(_) => Err("what a command does is known to the command only"),
        FaultKind::Link { to, .. } if !is_called(drill, cell, *to) => {
            Err("no program is known to call its service; model.NAME.calls can say it")
        }
        FaultKind::Deploy { definition, .. }
            if definition.command.is_some() && definition.model.is_none() =>
        {
            Err("what another program does is not known; deploy.model can say it")
        }
        FaultKind::QueryOfDeath { service, path }
            if dies_of(&drill.configurations[cell.configuration].callers, *service, path)
                .is_none() =>
        {
            Err(
                "its program asks several others for that path, and which of them dies is not known; `service` can \
                 name it",
            )
        }
        FaultKind::End { service, .. }
        | FaultKind::PowerOff { service, .. }
        | FaultKind::Ask { service, .. }
        | FaultKind::Task { service, .. }
        | FaultKind::QueryOfDeath { service, .. }
        | FaultKind::Deploy { service, .. } => {
            let asked = drill.load.flows.iter().any(|flow| flow.service == *service);
            let why = "no flow of the load asks its service, and no program is known to call it; \
                       model.NAME.calls can say it";
            if asked || is_called(drill, cell, *service) { Ok(()) } else { Err(why) }
        }
        FaultKind::Link { .. } | FaultKind::Spike(_) => Ok(()),
    }
}

/// Whose program dies of a request for this path to the service at `place`: that of the last one that is asked for it, as
/// a task passes it on to the service that it calls for it; none if it calls several.
pub(super) fn dies_of(callers: &[Caller], place: usize, path: &str) -> Option<usize> {
    let dependencies = callers.get(place).map(|caller| &caller.dependencies[..]);
    let is_called = |one: &&Dependency| one.is_called_for(path);
    let called: Vec<_> = dependencies.unwrap_or_default().iter().filter(is_called).collect();
    match called[..] {
        [] => Some(place),
        [one] => dies_of(callers, one.to, path),
        _ => None,
    }
}

/// Whether a program is known to call the service at `place`.
fn is_called(drill: &Drill, cell: Cell, place: usize) -> bool {
    let callers = &drill.configurations[cell.configuration].callers;
    let mut dependencies = callers.iter().flat_map(|caller| &caller.dependencies);
    dependencies.any(|dependency| dependency.to == place)
}
