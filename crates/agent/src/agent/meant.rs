//! What the fleet is meant to be: a file that is deployed, settings that come back with a revision,
//! services that come and go. What concerns the gateway takes a new one, and a new agent.

use std::collections::BTreeMap;

use seaworthy_core::cluster::reconciler::Event;
use seaworthy_core::fleet::{Fleet, RawFleet, Service};

use super::managed::Managed;
use super::store::{another_moved, same_gateway, same_task};
use super::{Agent, Renewal, url};
use crate::Error;
use crate::api::types::{Deploy, DeployReply, Deployed, Upgraded};
use crate::api::{ApiError, Reply, Wall};
use crate::directory;
use crate::error::describe;
use crate::messages::ToKeeper;
use crate::say::say;

impl Agent {
    /// Does as a fleet file says.
    pub(super) fn deploy(&mut self, deploy: Deploy, reply: Reply<DeployReply>) {
        let (meant, told, renews) = match self.prepare(&deploy) {
            Ok(prepared) => prepared,
            Err(error) => return drop(reply.send(Err(error))),
        };
        if renews {
            self.be_followed(Renewal::Deploy(deploy, told, reply));
        } else {
            self.accept(meant, &deploy, &told.removed);
            drop(reply.send(Ok(told)));
        }
    }

    /// What is meant, what is going to be done, and whether that takes a new gateway and a new agent.
    fn prepare(&mut self, deploy: &Deploy) -> Result<(Fleet, DeployReply, bool), ApiError> {
        let (meant, removed) = self.meant(deploy)?;
        let told = self.told(&meant, removed, deploy);
        if told.is_nothing() && meant == self.fleet {
            return Ok((meant, told, false));
        }
        self.can_change()?;
        let renews = self.write(&meant);
        let renews = renews.map_err(|error| ApiError::failed(describe(&error)))?;
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
            Ok(true) => self.be_followed(Renewal::Rollback(name)),
            Ok(false) => self.mean(meant, |other| other == name, false),
            Err(error) => say_that_settings_stay(&name, &describe(&error)),
        }
    }

    /// Has the keeper prepare another agent and another gateway, for the fleet that is wanted.
    fn be_followed(&mut self, why: Renewal) {
        self.keeper.tell(ToKeeper::Renew);
        self.renewal = Some(why);
    }

    /// The keeper has prepared what follows on us, or cannot.
    pub(super) fn renew(&mut self, prepared: Result<(), String>) {
        self.ending = prepared.is_ok();
        let failed = |why| ApiError::failed(why);
        // With the addresses that its services have by now; the next agent reads the same.
        let meant = |agent: &Self| directory::read(&agent.directory.fleet()).ok().flatten();
        match self.renewal.take() {
            Some(Renewal::Deploy(deploy, told, reply)) => {
                if self.ending
                    && let Some(meant) = meant(self)
                {
                    self.accept(meant, &deploy, &told.removed);
                }
                drop(reply.send(prepared.map(|()| told).map_err(failed)));
            }
            Some(Renewal::Upgrade(reply)) => {
                drop(reply.send(prepared.map(|()| Upgraded {}).map_err(failed)));
            }
            // It is tried again.
            Some(Renewal::Removal) | None => {}
            Some(Renewal::Rollback(name)) => match prepared {
                Ok(()) => {
                    if let Some(meant) = meant(self) {
                        self.mean(meant, |other| other == name, false);
                    }
                }
                Err(why) => say_that_settings_stay(&name, &why),
            },
        }
    }

    /// From now on, the fleet is `meant`, but for services that are `removed`. Those that are new are the
    /// next agent's.
    fn accept(&mut self, meant: Fleet, deploy: &Deploy, removed: &[String]) {
        self.mean(meant, |name| deploy.is_about(name), deploy.force);
        for place in removed.iter().filter_map(|name| self.place(name).ok()).collect::<Vec<_>>() {
            self.drive(place, Some(Event::Down));
        }
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
            let misled = another_moved(name, &self.fleet.services, &meant);
            let is_meant = |_: &&Service| misled || about(name);
            let Some(service) = meant.service(name).filter(is_meant) else { continue };
            let anew = misled || anew;
            let event = self.services[place].meant(service.clone(), Wall::seconds(), anew);
            self.drive(place, Some(event));
        }
        self.fleet = meant;
    }

    /// A service that was removed and has no task left is no more.
    pub(super) fn let_go(&mut self) {
        let gone = |managed: &&Managed| managed.reconciler.is_down();
        let gone = self.services.iter().filter(gone).map(|managed| &managed.service.name);
        let gone: Vec<&String> = gone.collect();
        if gone.is_empty() || self.renewal.is_some() || self.down {
            return;
        }
        let mut meant = self.fleet.clone();
        meant.services.retain(|service| !gone.contains(&&service.name));
        // What a full disk does not let us write is written at another look.
        if self.write(&meant).is_ok() {
            self.be_followed(Renewal::Removal);
        }
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
    /// it was; and the services that it has no more.
    fn meant(&self, deploy: &Deploy) -> Result<(Fleet, Vec<String>), ApiError> {
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
            self.stays(self.place(only)?)?;
            let known = fleet.services.iter().map(|service| service.name.as_str());
            let service =
                fleet.service(only).ok_or_else(|| ApiError::no_such_service(only, known))?;
            let mut meant = self.fleet.clone();
            let place = meant.services.iter().position(|other| other.name == *only);
            meant.services[place.expect("it is known")] = service.clone();
            return Ok((meant, Vec::new()));
        }
        for service in &fleet.services {
            self.place(&service.name).map_or(Ok(()), |place| self.stays(place))?;
        }
        let removed = |service: &&Service| fleet.service(&service.name).is_none();
        let removed: Vec<Service> = self.fleet.services.iter().filter(removed).cloned().collect();
        if removed.len() == self.fleet.services.len() {
            let problem = "the file has none of the services that run".to_owned();
            let allowed = "one of them at least; `seaworthy down` ends them all".to_owned();
            return Err(ApiError::conflict(problem, allowed));
        }
        let names: Vec<String> = removed.iter().map(|service| service.name.clone()).collect();
        if !names.is_empty() && !deploy.remove {
            let problem = format!("the file has no service `{}`, which runs", names.join("`, `"));
            let allowed =
                "a file with all that run; `seaworthy deploy --remove` drains and removes those \
                           that are not in it"
                    .to_owned();
            return Err(ApiError::conflict(problem, allowed));
        }
        // They stand where they are until their last task is gone.
        fleet.services.extend(removed);
        fleet.services.sort_by(|one, other| one.name.cmp(&other.name));
        Ok((fleet, names))
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
    fn told(&self, meant: &Fleet, removed: Vec<String>, deploy: &Deploy) -> DeployReply {
        let mut reply = DeployReply { removed, ..DeployReply::default() };
        let misled = |name: &str| another_moved(name, &self.fleet.services, meant);
        let removed = reply.removed.clone();
        let is_meant = |name: &str| {
            (deploy.is_about(name) || misled(name)) && !removed.iter().any(|other| other == name)
        };
        for service in meant.services.iter().filter(|service| is_meant(&service.name)) {
            let managed = self.services.iter().find(|other| other.service.name == service.name);
            let Some(managed) = managed else {
                let name = service.name.clone();
                reply.changes.push(format!("service `{name}` is new"));
                reply.deployed.push(Deployed { service: name, revision: 1, from: None });
                continue;
            };
            let (before, current) = (&managed.service, managed.reconciler.revision());
            let misled = misled(&service.name);
            let same = same_task(&managed.revisions.of(current).service, service);
            let anew = deploy.force || misled || !same;
            if misled {
                let name = &service.name;
                reply.changes.push(format!("the tasks of `{name}` are to know where others moved"));
            }
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
        for name in &removed {
            reply.changes.push(format!("service `{name}` is removed once its tasks are drained"));
        }
        if meant.gateway != self.fleet.gateway {
            reply.changes.push("the gateway runs by other settings".to_owned());
        }
        if meant.agent != self.fleet.agent {
            reply.changes.push("the agent runs by other settings".to_owned());
        }
        reply
    }
}

fn say_that_settings_stay(service: &str, why: &str) {
    say(format_args!("agent: `{service}` keeps the settings of the revision that failed: {why}"));
}
