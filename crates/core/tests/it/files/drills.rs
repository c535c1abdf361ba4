//! The drills that come along.

use seaworthy_core::experiment::{Drill, RawDrill};
use seaworthy_core::fleet::{Fleet, RawFleet, Service};

/// Name and text of each.
macro_rules! drills {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("../../../../../drills/", $name, ".toml")))),*]
    };
}

const DRILLS: [(&str, &str); 18] = drills![
    "autoscaling",
    "dead-dependency",
    "flaky-network",
    "gray-failures",
    "kill-one",
    "memory-leak",
    "metastable",
    "metastable-cold",
    "metastable-retries",
    "one-slow-floods-all",
    "percent",
    "query-of-death",
    "report",
    "search",
    "slow-dependency",
    "stateful-cart",
    "together",
    "zones",
];

#[test]
fn each_is_proper() {
    for (name, text) in DRILLS {
        let drill = super::read::<RawDrill, Drill>(text);
        let drill = drill.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(drill.check_scale(1).is_ok(), "{name}");
    }
}

/// The second pass writes out what is pinned in the first; nobody may change a default without it.
#[test]
fn the_report_s_second_pass_has_the_defaults() {
    let text = DRILLS.iter().find(|(name, _)| *name == "report").unwrap().1;
    let report = super::read::<RawDrill, Drill>(text).unwrap();
    let plain = "service.store = { command = [\"store\"], health.path = \"/health\" }";
    let plain = super::read::<RawFleet, Fleet>(plain).unwrap();
    let policies = |service: &Service| {
        let Service { health, balancing, call, .. } = service;
        format!("{health:#?}\n{balancing:#?}\n{call:#?}")
    };
    let of = |n: usize| policies(&report.configurations[n].services()[0]);
    let defaults = policies(&plain.services[0]);
    assert_eq!([2, 3].map(of), [defaults.clone(), defaults.clone()]);
    assert_ne!(of(0), defaults);
    assert_eq!(of(0), of(1));
}
