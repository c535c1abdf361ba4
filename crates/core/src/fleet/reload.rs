//! What changes when a running gateway reads its file again, and which task is which.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;

use super::{ConfigError, Fleet, Service};
use crate::endpoints::{Endpoint, Endpoints, Inherited, Sightings, TaskId, Wanted};

/// What becomes of one service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The service's name.
    pub service: String,
    /// What becomes of it.
    pub what: What,
    /// It listens elsewhere than before.
    pub moves: bool,
}

/// What becomes of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// It was not there.
    Comes,
    /// It is not there any more: its requests may finish.
    Goes,
    /// Only its targets are others, or nothing at all: all that it has learned stays.
    Keeps,
    /// Its policies are others and begin anew; the verdicts on its tasks stay.
    BeginsAnew,
}

/// Names the tasks that somebody else runs: in the order of the file, and for as long as their
/// address stays.
#[derive(Debug, Default)]
pub struct Register {
    /// By service and address.
    named: BTreeMap<(String, SocketAddr), TaskId>,
    last: u32,
    version: u64,
}

/// What is to be done so that `new` runs in the place of `old`, in the order of names; nothing for a
/// service that stays as it is. Refused is what cannot change while the gateway runs.
pub fn changes(old: &Fleet, new: &Fleet) -> Result<Vec<Change>, ConfigError> {
    let fixed = [
        ("gateway.workers", old.gateway.workers == new.gateway.workers),
        ("gateway.admin", old.gateway.admin == new.gateway.admin),
        ("seed", old.seed == new.seed),
    ];
    if let Some((key, _)) = fixed.into_iter().find(|(_, same)| !same) {
        let problem = "cannot change while the gateway runs; stop it and start it again";
        return Err(ConfigError::new(key, problem));
    }
    let change = |service: &Service, what, moves| {
        Some(Change { service: service.name.clone(), what, moves })
    };
    let goes = |service: &&Service| new.service(&service.name).is_none();
    let gone = old.services.iter().filter(goes).filter_map(|s| change(s, What::Goes, false));
    let stay = new.services.iter().filter_map(|service| match old.service(&service.name) {
        None => change(service, What::Comes, true),
        Some(before) if before == service => None,
        Some(before) => {
            let what = if before.decides_like(service) { What::Keeps } else { What::BeginsAnew };
            change(service, what, before.listen != service.listen)
        }
    });
    let mut changes: Vec<Change> = gone.chain(stay).collect();
    changes.sort_by(|one, other| one.service.cmp(&other.service));
    Ok(changes)
}

// === impl Register ===

impl Register {
    /// The endpoints of `service`, with what is `seen` of those that stay.
    pub fn endpoints(&mut self, service: &Service, seen: &Sightings) -> Endpoints {
        self.version += 1;
        let is_target = |at: &SocketAddr| service.targets.iter().any(|t| t.address == *at);
        self.named.retain(|(name, at), _| *name != service.name || is_target(at));
        let mut tasks: Vec<Endpoint> = Vec::new();
        for target in &service.targets {
            let last = &mut self.last;
            let new = || {
                *last += 1;
                TaskId(*last)
            };
            let task =
                *self.named.entry((service.name.clone(), target.address)).or_insert_with(new);
            tasks.push(Endpoint {
                task,
                address: target.address,
                wanted: Wanted::InRotation,
                weight: target.weight,
                revision: target.revision,
                inherited: seen.of(task).map(Inherited::from),
            });
        }
        tasks.sort_by_key(|endpoint| endpoint.task);
        Endpoints { version: self.version, tasks, ..Endpoints::default() }
    }

    /// A service is gone, and so are its names.
    pub fn forget(&mut self, service: &str) {
        self.named.retain(|(name, _), _| name != service);
    }
}

// === impl Service ===

impl Service {
    /// Whether all that is decided with what was learned so far is decided in the same way: only
    /// where it listens and who its targets are may differ.
    fn decides_like(&self, other: &Self) -> bool {
        let bare = |service: &Self| Self {
            listen: self.listen,
            targets: Vec::new(),
            cluster: self.cluster.clone(),
            ..service.clone()
        };
        bare(self) == bare(other)
    }
}

// === impl Change ===

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.what {
            What::Comes => "is new",
            What::Goes => "goes, and its requests may finish",
            What::Keeps => "has other targets or listens elsewhere, and keeps what it has learned",
            What::BeginsAnew => "has other settings; verdicts on its tasks stay",
        };
        write!(f, "{}: {what}", self.service)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoints::{Health, Sighting};
    use crate::fleet::RawFleet;

    fn fleet(text: &str) -> Fleet {
        let raw: RawFleet = toml::from_str(text).unwrap();
        Fleet::of_others(raw).unwrap()
    }

    fn told(old: &str, new: &str) -> Vec<(String, What, bool)> {
        let changes = changes(&fleet(old), &fleet(new)).unwrap();
        changes.into_iter().map(|c| (c.service, c.what, c.moves)).collect()
    }

    const A: &str = "service.a.targets = ['127.0.0.1:1']\n";
    const B: &str = "service.b.targets = ['127.0.0.1:2']\n";

    #[test]
    fn only_what_is_decided_otherwise_begins_anew() {
        let both = [A, B].concat();
        assert_eq!(told(&both, &both), []);
        assert_eq!(told(A, &both), [("b".to_owned(), What::Comes, true)]);
        assert_eq!(told(&both, B), [("a".to_owned(), What::Goes, false)]);
        let other = "service.a.targets = ['127.0.0.1:3', '127.0.0.1:1']\n";
        assert_eq!(told(A, other), [("a".to_owned(), What::Keeps, false)]);
        let elsewhere = [A, "service.a.listen = '127.0.0.1:9'\n"].concat();
        assert_eq!(told(A, &elsewhere), [("a".to_owned(), What::Keeps, true)]);
        let slower = [A, "service.a.call.timeout = '1s'\n"].concat();
        assert_eq!(told(A, &slower), [("a".to_owned(), What::BeginsAnew, false)]);
    }

    #[test]
    fn what_cannot_change_is_refused() {
        for text in ["gateway.workers = 2\n", "gateway.admin = '127.0.0.1:0'\n", "seed = 2\n"] {
            let error = changes(&fleet(A), &fleet(&[text, A].concat())).unwrap_err();
            let key = text.split(' ').next().unwrap();
            assert_eq!(
                error.to_string(),
                format!("{key}: cannot change while the gateway runs; stop it and start it again")
            );
        }
        let log = ["gateway.access_log = '-'\n", A].concat();
        assert_eq!(told(A, &log), [], "it is opened anew");
    }

    #[test]
    fn a_task_keeps_its_name_and_its_verdict_as_long_as_its_address_stays() {
        let mut register = Register::default();
        let mut names = |text: &str, seen: &Sightings| {
            let fleet = fleet(text);
            let endpoints = fleet.services.iter().map(|s| register.endpoints(s, seen));
            let told = endpoints.flat_map(|e| e.tasks);
            told.map(|e| (e.task.0, e.address.port(), e.inherited.map(|i| i.health)))
                .collect::<Vec<_>>()
        };
        let none = Sightings::default();
        let (task, health) = (TaskId(2), Health::Unhealthy);
        let second = Sighting {
            task,
            health,
            ejection: None,
            in_rotation: false,
            in_flight: 0,
            answered: 0,
            failed: 0,
        };
        let seen = Sightings { tasks: vec![second], ..Sightings::default() };
        let first = "service.a.targets = ['127.0.0.1:1', '127.0.0.1:2']\n";
        assert_eq!(names(first, &none), [(1, 1, None), (2, 2, None)]);
        let second = "service.a.targets = ['127.0.0.1:3', '127.0.0.1:2']\n";
        assert_eq!(names(second, &seen), [(2, 2, Some(Health::Unhealthy)), (3, 3, None)]);
        let back = "service.a.targets = ['127.0.0.1:1', '127.0.0.1:2']\n";
        assert_eq!(names(back, &none), [(2, 2, None), (4, 1, None)], "numbers are used once");
    }
}
