//! A world as several tests begin with it.

use std::time::Duration;

use seaworthy_core::fleet::{Fleet, RawFleet};
use seaworthy_sim::world::{Physics, Program, World};

/// The fleet of this file.
pub(crate) fn fleet(file: &str) -> Fleet {
    let raw: RawFleet = toml::from_str(file).unwrap();
    raw.try_into().unwrap()
}

/// The same, with so many tasks of its first service in rotation.
pub(crate) fn up(file: &str, programs: &[Program], physics: &Physics, tasks: usize) -> World {
    let mut world = World::new(&fleet(file), programs, *physics);
    while world.sightings(0).tasks.iter().filter(|task| task.in_rotation).count() < tasks {
        let until = world.now() + Duration::from_millis(10);
        world.advance(until);
        while world.poll_news().is_some() {}
    }
    world
}
