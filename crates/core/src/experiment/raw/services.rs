//! What the parts of a drill file that speak of services need to know of them.

use std::collections::{BTreeMap, BTreeSet};

use super::fault::RawSite;
use super::model::RawModel;
use crate::cluster::spread::{self, Location};
use crate::experiment::caller::{Caller, circle};
use crate::experiment::model::Program;
use crate::experiment::{Configuration, Site};
use crate::fleet::{ConfigError, Fleet};

/// The services of a drill, the same in all its configurations; none if it has a target of its own.
pub(super) struct Services {
    names: Vec<String>,
    /// The smallest desired count of each, over all configurations.
    fewest: Vec<u32>,
    /// Where the tasks of each are when it is whole, in each configuration.
    locations: Vec<Vec<Vec<Location>>>,
    /// What is known of the program of each.
    models: Vec<Program>,
    /// The one that is meant if none is named.
    usual: Option<usize>,
}

// === impl Services ===

impl Services {
    /// Of these configurations; none is usual yet.
    pub(super) fn of(configurations: &[Configuration]) -> Self {
        let services = configurations.first().map(Configuration::services).unwrap_or_default();
        let fewest = |place: usize| {
            let count = |c: &Configuration| c.services()[place].cluster.desired_count;
            configurations.iter().map(count).min().unwrap_or_default()
        };
        let whole = |c: &Configuration, place: usize| {
            let cluster = &c.services()[place].cluster;
            spread::of(&cluster.machines, cluster.desired_count)
        };
        let locations = |place| configurations.iter().map(|c| whole(c, place)).collect();
        Self {
            names: services.iter().map(|service| service.name.clone()).collect(),
            fewest: (0..services.len()).map(fewest).collect(),
            locations: (0..services.len()).map(locations).collect(),
            models: vec![Program::default(); services.len()],
            usual: None,
        }
    }

    /// Of a fleet of which nothing more is known.
    pub(super) fn in_fleet(fleet: &Fleet) -> Self {
        let names: Vec<String> = fleet.services.iter().map(|s| s.name.clone()).collect();
        let (fewest, models) = (vec![0; names.len()], vec![Program::default(); names.len()]);
        let locations = vec![Vec::new(); names.len()];
        Self { names, fewest, locations, models, usual: None }
    }

    /// The load goes to the service of this name, if one is named.
    pub(super) fn used_by(self, name: Option<&str>) -> Result<Self, ConfigError> {
        let usual = name.map(|name| self.place("service", Some(name))).transpose()?;
        Ok(Self { usual, ..self })
    }

    /// What is known of the programs of those that are named, of others what is `usual`.
    pub(super) fn modelled(
        mut self,
        raw: &BTreeMap<String, RawModel>,
        usual: &[Program],
    ) -> Result<Self, ConfigError> {
        (self.models, _) = self.read_models(raw, usual)?;
        Ok(self)
    }

    /// What is known of the program of each, which is as `usual` where nothing is said, and how it calls others.
    pub(super) fn read_models(
        &self,
        raw: &BTreeMap<String, RawModel>,
        usual: &[Program],
    ) -> Result<(Vec<Program>, Vec<Caller>), ConfigError> {
        let mut models = usual.to_vec();
        let mut callers = vec![Caller::default(); self.names.len()];
        for (name, raw) in raw {
            let place = self.place(name, Some(name))?;
            models[place] = raw.read(models[place]).map_err(|e| e.below(name))?;
            callers[place] = raw.read_caller(self).map_err(|e| e.below(name))?;
        }
        if let Some(circle) = circle(&callers) {
            let names: Vec<&str> = circle.iter().map(|place| self.names[*place].as_str()).collect();
            let key = format_args!("{}.calls.{}", names[0], names[1]);
            let problem =
                format!("ends where it began ({}); allowed is no circle", names.join(" calls "));
            return Err(ConfigError::new(key, problem));
        }
        Ok((models, callers))
    }

    /// The place of the service of this name.
    pub(super) fn place(&self, key: &str, name: Option<&str>) -> Result<usize, ConfigError> {
        let allowed = match self.names.as_slice() {
            [] => "a drill with a target of its own knows no services".to_owned(),
            names => format!("allowed is one of {}", names.join(", ")),
        };
        match name {
            Some(name) => self.names.iter().position(|other| other == name).ok_or_else(|| {
                ConfigError::new(key, format_args!("`{name}` is no service; {allowed}"))
            }),
            None if self.names.len() == 1 => Ok(0),
            None => self
                .usual
                .filter(|_| key == "service")
                .ok_or_else(|| ConfigError::new(key, format_args!("is missing; {allowed}"))),
        }
    }

    /// The same; 0 in a drill with a target of its own, where it counts for nothing.
    pub(super) fn place_or_none(
        &self,
        key: &str,
        name: Option<&str>,
    ) -> Result<usize, ConfigError> {
        if self.names.is_empty() && name.is_none() { Ok(0) } else { self.place(key, name) }
    }

    /// Whether somebody may call the service at `place` by way of a link: the load does not.
    pub(super) fn check_callers(&self, place: usize) -> Result<(), ConfigError> {
        if self.names.len() > 1 {
            return Ok(());
        }
        let problem = format!(
            "`{}` is the only service, and the load does not go through a link; allowed is a service \
             that another one calls",
            self.names[place]
        );
        Err(ConfigError::new("to", problem))
    }

    /// What is known of the program of the service at `place`.
    pub(super) fn model(&self, place: usize) -> Program {
        self.models[place]
    }

    /// The fewest tasks that the service at `place` has.
    pub(super) fn fewest_tasks(&self, place: usize) -> u32 {
        self.fewest[place]
    }

    /// Where the service at `place` has tasks when it is whole, in every configuration.
    pub(super) fn site(&self, place: usize, raw: &RawSite) -> Result<Site, String> {
        let (kind, name, name_of): (_, _, fn(&Location) -> &str) = match raw {
            RawSite::Zone(name) => ("zone", name.as_str(), Location::zone),
            RawSite::Machine(name) => ("machine", name.as_str(), Location::name),
        };
        let of_each = self.locations[place].iter().map(|tasks| tasks.iter().map(name_of).collect());
        let everywhere: BTreeSet<&str> =
            of_each.reduce(|all: BTreeSet<&str>, more| &all & &more).unwrap_or_default();
        let found = self.locations[place].iter().flatten().find(|at| name_of(at) == name);
        let service = &self.names[place];
        let problem = match found {
            Some(found) if everywhere.contains(name) => {
                return Ok(match raw {
                    RawSite::Zone(name) => Site::Zone(name.clone()),
                    RawSite::Machine(_) => Site::Machine(found.clone()),
                });
            }
            Some(_) => format!("{kind} {name} does not have tasks in every configuration"),
            None => format!("{name:?} is no {kind} with tasks of `{service}`"),
        };
        let allowed = match Vec::from_iter(everywhere)[..] {
            [] => format!("allowed is one that `machines` of `{service}` name"),
            ref names => format!("allowed is one of {}", names.join(", ")),
        };
        Err(format!("{problem}; {allowed}"))
    }
}
