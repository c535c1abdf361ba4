//! Where tasks are. They are spread over zones, and in each zone over its machines, as by the placement
//! strategy `spread` of Amazon ECS. All of them run on this machine, so that it is a label; but what
//! happens to a zone happens to all of its tasks at once.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::fleet::range;

/// A machine: `zone/machine`, or `zone` alone where the zone has but one. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Location(Arc<str>);

/// What tasks can have in common.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Site {
    /// A zone.
    Zone(String),
    /// A machine.
    Machine(Location),
}

/// Where the power is off. It can go off twice at one site, which then is dark until both are over.
#[derive(Clone, Debug, Default)]
pub struct Dark(Vec<Site>);

// === impl Location ===

impl Location {
    /// The zone it is in.
    pub fn zone(&self) -> &str {
        self.0.split_once('/').map_or(&self.0, |(zone, _)| zone)
    }

    /// Its whole name.
    pub fn name(&self) -> &str {
        &self.0
    }

    /// How full it is where these tasks are: how many are in its zone, and how many of those on it.
    pub(super) fn load(&self, tasks: &[Self]) -> (usize, usize) {
        let zone = tasks.iter().filter(|task| task.zone() == self.zone()).count();
        (zone, tasks.iter().filter(|task| *task == self).count())
    }
}

impl FromStr for Location {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = text.splitn(2, '/');
        match parts.try_for_each(|part| range::name("", part)) {
            Ok(()) => Ok(Self(text.into())),
            Err(_) => Err(format!(
                "`{text}` is no machine; allowed is ZONE or ZONE/MACHINE, each 1 to 63 of a-z, 0-9 and -"
            )),
        }
    }
}

impl TryFrom<String> for Location {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Location> for String {
    fn from(location: Location) -> Self {
        (*location.0).to_owned()
    }
}

/// `a/1`
impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

// === impl Site ===

impl Site {
    /// Whether it is there.
    pub fn has(&self, location: &Location) -> bool {
        match self {
            Self::Zone(zone) => location.zone() == zone,
            Self::Machine(machine) => location == machine,
        }
    }
}

// === impl Dark ===

impl Dark {
    /// It goes off there.
    pub fn off(&mut self, site: &Site) {
        self.0.push(site.clone());
    }

    /// It comes on again, but for what else has taken it from there.
    pub fn on(&mut self, site: &Site) {
        if let Some(one) = self.0.iter().position(|other| other == site) {
            self.0.remove(one);
        }
    }

    /// Whether it is off there.
    pub fn has(&self, location: &Location) -> bool {
        self.0.iter().any(|site| site.has(location))
    }

    /// All of it.
    pub fn sites(&self) -> &[Site] {
        &self.0
    }
}

/// `zone a`, `machine a/1`
impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Zone(zone) => write!(f, "zone {zone}"),
            Self::Machine(machine) => write!(f, "machine {machine}"),
        }
    }
}

/// Where the next task comes: into the zone with the fewest of `tasks`, there to the machine with the
/// fewest, and among equals to the first of these machines. Nowhere if there are none.
pub fn next(machines: &[Location], tasks: &[Location]) -> Option<Location> {
    machines.iter().min_by_key(|machine| machine.load(tasks)).cloned()
}

/// Where so many tasks are that have come one after the other.
pub fn of(machines: &[Location], count: u32) -> Vec<Location> {
    let mut tasks = Vec::new();
    for _ in 0..count {
        tasks.extend(next(machines, &tasks));
    }
    tasks
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn machines(names: &str) -> Vec<Location> {
        names.split(' ').map(|name| name.parse().expect("a machine")).collect()
    }

    fn told(machines: &str, count: u32) -> String {
        let tasks = of(&self::machines(machines), count);
        tasks.iter().map(Location::name).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn zones_come_first_and_then_machines() {
        assert_eq!(told("a b", 3), "a b a");
        assert_eq!(told("a/1 a/2 b/1", 6), "a/1 b/1 a/2 b/1 a/1 b/1");
        assert_eq!(told("b a", 2), "b a");
        assert_eq!(next(&[], &machines("a")), None);
    }

    #[test]
    fn a_zone_that_was_lost_is_filled_first() {
        let machines = machines("a b c");
        assert_eq!(
            next(&machines, &self::machines("a b a b")).map(String::from).as_deref(),
            Some("c")
        );
        // A machine that is there no more counts for its zone.
        assert_eq!(
            next(&machines, &self::machines("a/9 b/9")).map(String::from).as_deref(),
            Some("c")
        );
    }

    #[test]
    fn what_is_off_twice_is_dark_until_both_are_over() {
        let (zone, machine) = (Site::Zone("a".into()), Site::Machine("a/1".parse().unwrap()));
        let mut dark = Dark::default();
        let told = |dark: &Dark| {
            let there = |location: &&Location| dark.has(location);
            let all = machines("a/1 a/2 b");
            all.iter().filter(there).map(Location::name).collect::<Vec<_>>().join(" ")
        };
        for site in [&zone, &machine, &zone] {
            dark.off(site);
        }
        assert_eq!(told(&dark), "a/1 a/2");
        dark.on(&zone);
        assert_eq!(told(&dark), "a/1 a/2");
        dark.on(&zone);
        assert_eq!(told(&dark), "a/1");
        // It was on there.
        dark.on(&zone);
        assert_eq!(dark.sites(), [machine]);
    }

    #[test]
    fn what_is_no_machine_is_refused() {
        for text in ["", "/", "a/", "/1", "a/1/2", "A", "a 1"] {
            let refused = text.parse::<Location>().expect_err(text);
            assert!(
                refused.contains("is no machine; allowed is ZONE or ZONE/MACHINE"),
                "{refused}"
            );
        }
    }

    proptest! {
        /// Whoever dies, and however many at once: what is filled up again is as even as before.
        #[test]
        fn zones_differ_by_one_at_most(
            machines in prop::collection::vec((0..4_u8, 0..3_u8), 1..8),
            count in 1..12_u32,
            deaths in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
        ) {
            let machines: Vec<Location> =
                machines.iter().map(|(zone, n)| Location(format!("{zone}/{n}").into())).collect();
            let mut tasks = of(&machines, count);
            for deaths in deaths.chunks(3) {
                for death in deaths.iter().take(tasks.len()) {
                    tasks.remove(death.index(tasks.len()));
                }
                while tasks.len() < count as usize {
                    tasks.extend(next(&machines, &tasks));
                }
                let zones = || machines.iter().map(|machine| machine.load(&tasks).0);
                prop_assert!(zones().max().unwrap() - zones().min().unwrap() <= 1, "{tasks:?}");
            }
        }
    }
}
