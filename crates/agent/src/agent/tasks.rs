//! What the agent does for its tasks: has them started, looks at what they use and tells what they
//! write.

use std::path::{Path, PathBuf};

use seaworthy_core::cluster::autoscaler::SAMPLE_EVERY;
use seaworthy_core::cluster::reconciler::{Event, Signal};
use seaworthy_core::endpoints::TaskId;
use tokio::sync::broadcast;

use super::Agent;
use super::managed::{self, Managed};
use crate::api::types::LogLine;
use crate::clock::now;
use crate::environment::{About, Environment};
use crate::messages::{Spawn, ToKeeper};
use crate::say::say;

/// To whom it is told what tasks write: the owner of a fleet that has one, or those who follow.
struct Teller<'a> {
    tied: bool,
    services: &'a [Managed],
    lines: &'a broadcast::Sender<LogLine>,
}

// === impl Agent ===

impl Agent {
    pub(super) fn launch(&mut self, place: usize, about: About) {
        let task = about.task;
        self.ports.release(about.port);
        let log = self.outputs.open(task).unwrap_or_else(|error| {
            say(format_args!("agent: the output of {task} cannot be read: {error}"));
            self.outputs.path(task)
        });
        match self.spawn(place, about, log) {
            Ok(spawn) => self.keeper.tell(ToKeeper::Spawn(Box::new(spawn))),
            Err(why) => self.drive(place, Some(Event::NotLaunched(task, why))),
        }
        self.offer_port(place);
    }

    fn spawn(&mut self, place: usize, about: About, log: PathBuf) -> Result<Spawn, String> {
        let task = about.task;
        let service = &self.services[place].revisions.of(about.revision).service;
        let directory = service.directory.clone();
        let here = directory.as_deref().unwrap_or(Path::new("."));
        let environment = Environment::of(service, &self.urls, about, here);
        let environment = environment.map_err(|error| error.to_string())?;
        let command = service.command.clone();
        let within = self.resources.within(task, service.cluster.limits);
        Ok(Spawn { task, command, environment, directory, log, within })
    }

    pub(super) fn look(&mut self) {
        self.looked = now();
        self.tell_output();
        self.offer_ports();
        self.look_for_keeper();
        self.let_go();
        if self.looked.since(self.sampled) >= SAMPLE_EVERY {
            self.sampled = self.looked;
            self.sample();
        }
    }

    /// Looks at what tasks use: some have to be killed for it, and some services should have more
    /// tasks, or fewer.
    pub(super) fn sample(&mut self) {
        for task in self.resources.sample(self.sampled, &self.processes) {
            self.keeper.tell(ToKeeper::Signal(task, Signal::Kill));
        }
        let usage = self.resources.usage().clone();
        for place in 0..self.services.len() {
            let managed = &mut self.services[place];
            let of_it = usage.iter().filter(|(task, _)| managed.owns(**task));
            let of_it: Vec<_> = of_it.map(|(task, usage)| (*task, *usage)).collect();
            if !of_it.is_empty() {
                self.drive(place, Some(Event::Usage(of_it)));
            }
            if self.down {
                continue;
            }
            if let Some(change) = self.services[place].autoscale(self.sampled, &usage) {
                self.drive(place, Some(Event::Autoscale(change)));
            }
        }
    }

    pub(super) fn tell_output(&mut self) {
        let tell = Teller { tied: self.tied, services: &self.services, lines: &self.lines };
        self.outputs.tell(|task, line| tell.tell(task, line));
        if !self.tied {
            self.directory.bound_log();
        }
    }

    pub(super) fn close_output(&mut self, task: TaskId) {
        let tell = Teller { tied: self.tied, services: &self.services, lines: &self.lines };
        self.outputs.close(task, |task, line| tell.tell(task, line));
    }

    /// Where no port could be had, it is tried again.
    pub(super) fn offer_ports(&mut self) {
        for place in 0..self.services.len() {
            if self.services[place].needs_port {
                self.offer_port(place);
            }
        }
    }

    /// Core always has a port for the next task; where none can be had, it is tried again soon.
    fn offer_port(&mut self, place: usize) {
        match self.ports.reserve() {
            Ok(port) => {
                self.services[place].needs_port = false;
                self.drive(place, Some(Event::Port(port)));
            }
            Err(error) => {
                if !std::mem::replace(&mut self.services[place].needs_port, true) {
                    say(format_args!("agent: no port can be had: {error}"));
                }
            }
        }
    }
}

// === impl Teller ===

impl Teller<'_> {
    fn tell(&self, task: TaskId, line: &str) {
        if self.tied {
            return say(format_args!("{task} | {line}"));
        }
        let service = managed::name_of(self.services, task);
        // Nobody may be following.
        let _ = self.lines.send(LogLine { task, service, line: line.to_owned() });
    }
}
