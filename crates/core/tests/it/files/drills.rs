//! The drills that come along.

use std::fs;
use std::path::Path;

use seaworthy_core::experiment::{Drill, RawDrill};
use seaworthy_core::fleet::{Fleet, RawFleet, Service};

const DRILLS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../drills");

fn drill(file: &Path) -> Drill {
    let text = fs::read_to_string(file).unwrap();
    super::read::<RawDrill, Drill>(&text).unwrap_or_else(|e| panic!("{}: {e}", file.display()))
}

#[test]
fn each_is_proper() {
    let files: Vec<_> = fs::read_dir(DRILLS).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() >= 12, "{files:?}");
    for file in files {
        assert!(drill(&file).check_scale(1).is_ok(), "{}", file.display());
    }
}

/// The second pass writes out what is pinned in the first; nobody may change a default without it.
#[test]
fn the_report_s_second_pass_has_the_defaults() {
    let report = drill(&Path::new(DRILLS).join("report.toml"));
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
