//! What the agent is asked over its API, and what it does then.

use std::collections::BTreeMap;

use seaworthy_core::cluster::reconciler::Event;
use seaworthy_core::endpoints::TaskId;
use seaworthy_core::fleet::{Fleet, RawFleet, Service};

use super::managed::Managed;
use super::store::{same_gateway, same_task};
use super::{Agent, MOST_TASKS, Renewal, url};
use crate::Error;
use crate::api::types::{
    Deploy, DeployReply, Deployed, DownReply, LogLine, LogsQuery, Scale, Scaled, TaskView, Upgrade,
    Upgraded,
};
use crate::api::{ApiError, Ask, Logs, Reply, Wall};
use crate::directory;
use crate::messages::ToKeeper;
use crate::say::say;

impl Agent {
    /// Answers, and does what is asked. Whoever asked may be gone: that does not matter.
    pub(super) fn answer(&mut self, ask: Ask) {
        match ask {
            Ask::Fleet(reply) => drop(reply.send(Ok(self.fleet_view()))),
            Ask::Tasks(reply) => drop(reply.send(Ok(self.task_views()))),
            Ask::Events(query, reply) => drop(reply.send(Ok(self.journal.events(&query)))),
            Ask::Logs(query, reply) => drop(reply.send(Ok(self.logs(&query)))),
            Ask::Revisions(service, reply) => {
                let place = self.place(&service);
                drop(reply.send(place.map(|place| self.services[place].revision_views())));
            }
            Ask::Deploy(deploy, reply) => self.deploy(*deploy, reply),
            Ask::Rollback(service, reply) => {
                drop(reply.send(self.change(|agent| agent.roll_back(&service))));
            }
            Ask::Scale(service, scale, reply) => {
                drop(reply.send(self.change(|agent| agent.scale(&service, scale))));
            }
            Ask::Stop(task, reply) => {
                drop(reply.send(self.change(|agent| agent.tell(task, Event::Stop(task)))));
            }
            Ask::Drain(task, reply) => {
                drop(reply.send(self.change(|agent| agent.tell(task, Event::Drain(task)))));
            }
            Ask::Down(reply) => drop(reply.send(self.end())),
            Ask::Upgrade(Upgrade { program }, reply) => match self.can_change() {
                Ok(()) => {
                    self.keeper.tell(ToKeeper::Upgrade(program));
                    self.renewal = Some(Renewal::Upgrade(reply));
                }
                Err(error) => drop(reply.send(Err(error))),
            },
        }
    }

    /// Nobody prepares what should follow on us if there is no keeper any more.
    pub(super) fn look_for_keeper(&mut self) {
        if self.renewal.is_some()
            && let Err(error) = self.must_have_keeper()
        {
            self.renew(Err(error.to_string()));
        }
    }

    /// Everything retires. Where that cannot be written down, as on a full disk, it is wanted all the more.
    fn end(&mut self) -> Result<DownReply, ApiError> {
        self.must_have_keeper()?;
        let tasks = self.task_views().len() as u32;
        self.down();
        Ok(DownReply { tasks })
    }

    fn place(&self, service: &str) -> Result<usize, ApiError> {
        let named = |managed: &Managed| managed.service.name == service;
        self.services.iter().position(named).ok_or_else(|| {
            let known = self.services.iter().map(|managed| managed.service.name.as_str());
            ApiError::no_such_service(service, known)
        })
    }

    fn tell(&mut self, task: TaskId, event: Event) -> Result<TaskView, ApiError> {
        let views = self.task_views();
        let view = views.iter().find(|view| view.task == task).cloned();
        let known = views.iter().map(|view| view.task);
        let view = view.ok_or_else(|| ApiError::no_such_task(task, known))?;
        self.drive_of(task, event);
        Ok(view)
    }

    fn scale(&mut self, service: &str, Scale { count }: Scale) -> Result<Scaled, ApiError> {
        let place = self.place(service)?;
        let managed = &self.services[place];
        if let Some(bounds) = &managed.service.cluster.autoscaling
            && !(bounds.minimum..=bounds.maximum).contains(&count)
        {
            let problem = format!("`{service}` follows its load");
            let allowed = format!("{} to {} tasks", bounds.minimum, bounds.maximum);
            return Err(ApiError::conflict(problem, allowed));
        }
        if count > MOST_TASKS {
            let problem = format!("{count} tasks are too many");
            return Err(ApiError::invalid(problem, format!("0 to {MOST_TASKS}")));
        }
        let was = managed.reconciler.desired_count();
        self.drive(place, Some(Event::Scale(count)));
        Ok(Scaled { service: service.to_owned(), desired: count, was })
    }

    fn roll_back(&mut self, service: &str) -> Result<Deployed, ApiError> {
        let place = self.place(service)?;
        let reconciler = &self.services[place].reconciler;
        let (from, to) = (reconciler.revision(), reconciler.rollback_to());
        let Some(revision) = to else {
            let problem =
                format!("no revision of `{service}` was completed before revision {from}");
            return Err(ApiError::conflict(problem, "a deployment".to_owned()));
        };
        self.drive(place, Some(Event::Rollback));
        Ok(Deployed { service: service.to_owned(), revision, from: Some(from) })
    }

    /// Does as a fleet file says. What concerns the gateway takes a new one, and a new agent.
    fn deploy(&mut self, deploy: Deploy, reply: Reply<DeployReply>) {
        let (meant, told, renews) = match self.prepare(&deploy) {
            Ok(prepared) => prepared,
            Err(error) => return drop(reply.send(Err(error))),
        };
        if renews {
            self.keeper.tell(ToKeeper::Renew);
            self.renewal = Some(Renewal::Deploy(deploy, told, reply));
        } else {
            self.accept(meant, &deploy);
            drop(reply.send(Ok(told)));
        }
    }

    /// What is meant, what is going to be done, and whether that takes a new gateway and a new agent.
    fn prepare(&mut self, deploy: &Deploy) -> Result<(Fleet, DeployReply, bool), ApiError> {
        let meant = self.meant(deploy)?;
        let told = self.told(&meant, deploy);
        if !told.is_nothing() {
            self.can_change()?;
        }
        let renews = self.write(&meant);
        let renews = renews.map_err(|error| ApiError::failed(crate::error::describe(&error)))?;
        Ok((meant, told, renews))
    }

    /// Writes down what is meant, before it is; true if that takes a new gateway and a new agent.
    fn write(&self, meant: &Fleet) -> Result<bool, Error> {
        let renews = self.needs_renewal(meant);
        let place = if renews { self.directory.wanted() } else { self.directory.fleet() };
        directory::write(&place, meant).map(|()| renews)
    }

    /// A revision that comes back does so with the settings that it had: those of a newer one, such as the
    /// path of its health checks, need not fit it.
    pub(super) fn bring_settings_back(&mut self) {
        if self.renewal.is_some() || self.down {
            return;
        }
        let Some(place) = self.went_back.pop() else { return };
        let managed = &self.services[place];
        let (now, name) = (&managed.service, managed.service.name.clone());
        let before = managed.revisions.of(managed.reconciler.revision()).service.clone();
        let service = Service { listen: now.listen, ..before };
        let mut meant = self.fleet.clone();
        let its = meant.services.iter_mut().find(|service| service.name == name);
        let Some(its) = its.filter(|_| service != *now) else { return };
        *its = service;
        match self.write(&meant) {
            Ok(true) => {
                self.keeper.tell(ToKeeper::Renew);
                self.renewal = Some(Renewal::Rollback(name));
            }
            Ok(false) => self.mean(meant, |other| other == name, false),
            Err(error) => say(format_args!(
                "agent: `{name}` keeps the settings of the revision that failed: {}",
                crate::error::describe(&error)
            )),
        }
    }

    /// The keeper has prepared what follows on us, or cannot.
    pub(super) fn renew(&mut self, prepared: Result<(), String>) {
        self.ending = prepared.is_ok();
        let failed = |why| ApiError::failed(why);
        match self.renewal.take() {
            Some(Renewal::Deploy(deploy, told, reply)) => {
                // With the addresses that its services have by now; the next agent reads the same.
                let meant = directory::read(&self.directory.fleet()).ok().flatten();
                if let Some(meant) = meant.filter(|_| self.ending) {
                    self.accept(meant, &deploy);
                }
                drop(reply.send(prepared.map(|()| told).map_err(failed)));
            }
            Some(Renewal::Upgrade(reply)) => {
                drop(reply.send(prepared.map(|()| Upgraded {}).map_err(failed)));
            }
            Some(Renewal::Rollback(name)) => match prepared {
                Ok(()) => {
                    if let Some(meant) = directory::read(&self.directory.fleet()).ok().flatten() {
                        self.mean(meant, |other| other == name, false);
                    }
                }
                Err(why) => say(format_args!(
                    "agent: `{name}` keeps the settings of the revision that failed: {why}"
                )),
            },
            None => {}
        }
    }

    /// From now on, the fleet is `meant`. Services that are new are the next agent's.
    fn accept(&mut self, meant: Fleet, deploy: &Deploy) {
        self.mean(meant, |name| deploy.is_about(name), deploy.force);
        self.origin.file.clone_from(&deploy.file);
        if !self.is_deploying() {
            self.origin.prove();
        }
    }

    /// The services that it is `about` are as `meant` has them, from now on.
    fn mean(&mut self, meant: Fleet, about: impl Fn(&str) -> bool, anew: bool) {
        self.urls = meant.services.iter().map(url).collect();
        for place in 0..self.services.len() {
            let name = &self.services[place].service.name;
            let Some(service) = meant.service(name).filter(|_| about(name)) else { continue };
            let event = self.services[place].meant(service.clone(), Wall::seconds(), anew);
            self.drive(place, Some(event));
        }
        self.fleet = meant;
    }

    /// A new revision of one service, made otherwise or as before.
    pub(super) fn deploy_anew(
        &mut self,
        service: &str,
        environment: BTreeMap<String, String>,
        command: Option<Vec<String>>,
    ) {
        let Ok(place) = self.place(service) else { return };
        let mut meant = self.services[place].service.clone();
        meant.environment.extend(environment);
        meant.command = command.unwrap_or(meant.command);
        let event = self.services[place].meant(meant, Wall::seconds(), true);
        self.drive(place, Some(event));
    }

    /// The fleet of the file, with what it leaves to the kernel as it is, and what it is not about as
    /// it was.
    fn meant(&self, deploy: &Deploy) -> Result<Fleet, ApiError> {
        let raw: RawFleet = serde_json::from_value(deploy.fleet.clone())
            .map_err(|error| ApiError::invalid(error.to_string(), "a fleet file".to_owned()))?;
        let mut fleet = Fleet::try_from(raw)
            .map_err(|error| ApiError::invalid(error.to_string(), "a fleet file".to_owned()))?;
        fleet.start_in(&deploy.directory);
        let listens = |service: &mut Service| {
            let now = self.fleet.service(&service.name).map(|now| now.listen);
            if let Some(now) =
                now.filter(|now| service.listen.port() == 0 && service.listen.ip() == now.ip())
            {
                service.listen = now;
            }
        };
        fleet.services.iter_mut().for_each(listens);
        if let Some(only) = &deploy.service {
            self.place(only)?;
            let known = fleet.services.iter().map(|service| service.name.as_str());
            let service =
                fleet.service(only).ok_or_else(|| ApiError::no_such_service(only, known))?;
            let mut meant = self.fleet.clone();
            let place = meant.services.iter().position(|other| other.name == *only);
            meant.services[place.expect("it is known")] = service.clone();
            return Ok(meant);
        }
        for service in &self.fleet.services {
            if fleet.service(&service.name).is_none() {
                let problem = format!("the file has no service `{}`, which runs", service.name);
                let allowed = "more services, not fewer; `seaworthy down` ends them all".to_owned();
                return Err(ApiError::conflict(problem, allowed));
            }
        }
        Ok(fleet)
    }

    /// Whether the gateway, or the agent itself, goes by anything else in `meant`.
    fn needs_renewal(&self, meant: &Fleet) -> bool {
        let same =
            |(one, other): (&Service, &Service)| one.name == other.name && same_gateway(one, other);
        meant.gateway != self.fleet.gateway
            || meant.agent != self.fleet.agent
            || meant.services.len() != self.fleet.services.len()
            || !meant.services.iter().zip(&self.fleet.services).all(same)
    }

    /// What a deployment of `meant` is going to do.
    fn told(&self, meant: &Fleet, deploy: &Deploy) -> DeployReply {
        let mut reply = DeployReply::default();
        for service in meant.services.iter().filter(|service| deploy.is_about(&service.name)) {
            let managed = self.services.iter().find(|other| other.service.name == service.name);
            let Some(managed) = managed else {
                let name = service.name.clone();
                reply.changes.push(format!("service `{name}` is new"));
                reply.deployed.push(Deployed { service: name, revision: 1, from: None });
                continue;
            };
            let (before, current) = (&managed.service, managed.reconciler.revision());
            let anew = deploy.force || !same_task(&managed.revisions.of(current).service, service);
            if anew {
                let (name, next) = (service.name.clone(), managed.revisions.latest().0 + 1);
                let deployed = Deployed { service: name, revision: next, from: Some(current) };
                reply.deployed.push(deployed);
            }
            let same_tasks = before.cluster == service.cluster;
            if !same_tasks {
                let change =
                    format!("the tasks of `{}` come and go by other settings", service.name);
                reply.changes.push(change);
            }
            let same_requests = same_gateway(before, service);
            if !same_requests {
                let change = format!(
                    "the gateway carries the requests of `{}` by other settings",
                    service.name
                );
                reply.changes.push(change);
            }
            if !anew && same_tasks && same_requests {
                reply.unchanged.push(service.name.clone());
            }
        }
        if meant.gateway != self.fleet.gateway {
            reply.changes.push("the gateway runs by other settings".to_owned());
        }
        if meant.agent != self.fleet.agent {
            reply.changes.push("the agent runs by other settings".to_owned());
        }
        reply
    }

    fn logs(&mut self, query: &LogsQuery) -> Logs {
        // From here on, nothing is told twice and nothing is lost.
        self.tell_output();
        let wanted = |task: &TaskId| {
            let service = self.service_of(*task);
            query.wants(&service, *task).then_some((*task, service))
        };
        let tasks = self.outputs.tasks();
        let past = tasks.iter().filter_map(wanted).flat_map(|(task, service)| {
            let told = self.outputs.told(task, query.lines());
            told.into_iter().map(move |line| LogLine { task, service: service.clone(), line })
        });
        Logs { past: past.collect(), more: query.follow.then(|| self.lines.subscribe()) }
    }
}
