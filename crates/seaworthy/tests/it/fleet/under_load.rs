//! What users see while processes of ours are killed and replaced.

use std::collections::BTreeMap;

use seaworthy_drill::standing::Glimpse;
use seaworthy_drill::storm::{Class, Storm};

use super::{DEADLINE, Place, assert_all_good, block_on, is_kept, kill, no_deployment, users};
use crate::client::get;
use crate::world::{code_and_words, eventually};

#[test]
fn a_crash_storm_refuses_nobody_and_leaves_the_fleet_as_desired() {
    let (place, whole) = Place::up();
    let users = users(&whole);
    let longest_pause = std::time::Duration::from_millis(500);
    let storm = Storm { seed: 7, kills: 20, longest_pause };
    let kills = block_on(storm.pass(&place.fleet)).unwrap();
    let seen = users.end();
    assert_eq!(kills.len(), 20);
    let mut failed: BTreeMap<Class, Vec<_>> = BTreeMap::new();
    for seen in &seen {
        if let Some(class) = Class::of(seen, true, &kills) {
            failed.entry(class).or_default().push(seen);
        }
    }
    // Who had a connection to a gateway that was killed cannot be helped.
    failed.remove(&Class::OfKilledGateway);
    assert!(failed.is_empty(), "{failed:#?}\nafter {kills:#?}\n{}", place.log());
    place.must(&["down"]);
    place.assert_no_process_is_left();
}

#[test]
fn a_killed_keeper_leaves_everything_running_and_the_next_up_adopts_it() {
    let (place, before) = Place::up();
    let users = users(&before);
    kill(before.pid("keeper").unwrap());
    let alone = place.until("a fleet without its keeper", |now| now.pid("keeper").is_none());
    assert_eq!(alone.task_pids(), before.task_pids());
    assert_eq!(
        (alone.pid("agent"), alone.pid("gateway")),
        (before.pid("agent"), before.pid("gateway"))
    );

    let said = place.must(&["up", "--detach"]);
    assert!(said.contains("without its keeper"), "{said}");
    assert!(!said.contains("task-1: start:"), "what was before is no news: {said}");
    let after = place.until("a whole fleet with its keeper", is_kept);
    assert_eq!(after.task_pids(), before.task_pids());
    assert_ne!(after.pid("keeper"), before.pid("keeper"));
    assert_ne!(after.pid("gateway"), before.pid("gateway"));
    assert_all_good(&users.end());

    // The new keeper is a keeper: who dies is followed by another one.
    let task = after.tasks[0].pid.unwrap();
    kill(task);
    place.until("another task", |now| now.is_whole() && !now.task_pids().contains(&task));
}

#[test]
fn an_upgrade_fails_no_request_and_keeps_the_tasks() {
    let (place, before) = Place::up();
    let users = users(&before);
    place.must(&["upgrade"]);
    let renewed = |now: &Glimpse| now.is_whole() && now.pid("gateway") != before.pid("gateway");
    let after = block_on(place.fleet.until("the upgraded fleet", DEADLINE, renewed)).unwrap();
    assert_eq!(after.task_pids(), before.task_pids());
    assert_eq!(
        after.pid("keeper"),
        before.pid("keeper"),
        "it becomes another program, not process"
    );
    assert_ne!(after.pid("agent"), before.pid("agent"));
    assert_all_good(&users.end());
}

#[test]
fn a_service_that_comes_and_one_that_goes_cost_no_request() {
    let (place, before) = Place::up();
    let users = users(&before);
    let file = std::fs::read_to_string(place.world.path("fleet.toml")).unwrap();
    // By its name it is the first one, so the other one's place changes.
    place.world.write("both.toml", &(file.replace("service.store", "service.carts") + &file));
    let said = place.must(&["deploy", "both.toml"]);
    assert!(said.contains("`carts` is new"), "{said}");
    let both = place.until("both services", |now| now.is_whole() && now.fleet.services.len() == 2);
    let events = place.must(&["events"]);
    assert!(events.contains("that go on: 3, gone: 0"), "{events}");
    let carts = get(both.address("carts").unwrap(), "/products?q=lamp").unwrap();
    assert_eq!(carts.status, 200);

    let (code, words) = code_and_words(&place.seaworthy(&["deploy", "fleet.toml"]));
    assert!(code == Some(2) && words.contains("--remove"), "{words}");
    let said = place.must(&["deploy", "fleet.toml", "--remove"]);
    assert!(said.contains("`carts` is removed once its tasks are drained"), "{said}");
    let one = place.until("one service", |now| now.is_whole() && now.fleet.services.len() == 1);
    assert_eq!(one.task_pids(), before.task_pids());
    // The gateway before may have a moment left.
    let nobody = || get(both.address("carts").unwrap(), "/products?q=lamp").is_none().then_some(());
    eventually("that nobody listens for it", nobody);
    assert_all_good(&users.end());

    place.world.write("other.toml", &file.replace("service.store", "service.other"));
    let (code, words) = code_and_words(&place.seaworthy(&["deploy", "other.toml"]));
    assert_eq!(code, Some(2), "{words}");
    assert!(words.contains("none of the services that run"), "{words}");
}

#[test]
fn tasks_get_to_know_where_another_service_has_moved() {
    let place = Place::new();
    let file = std::fs::read_to_string(place.world.path("fleet.toml")).unwrap();
    let carts = file.replace("service.store", "service.carts");
    place.world.write("fleet.toml", &(carts.clone() + &file));
    place.must(&["up", "fleet.toml", "--detach"]);
    let before = place.until("both services", Glimpse::is_whole);
    let users = users(&before);

    place.world.write("fleet.toml", &(carts.replace("127.0.0.1:0", "127.0.0.2:0") + &file));
    let said = place.must(&["deploy", "fleet.toml"]);
    assert!(said.contains("the tasks of `store` are to know where others moved"), "{said}");
    let moved =
        |now: &Glimpse| now.address("carts").is_some_and(|at| at.ip().to_string() == "127.0.0.2");
    let after =
        place.until("the new address", |now| now.is_whole() && no_deployment(now) && moved(now));
    let known = format!("SEAWORTHY_URL_CARTS=http://{}", after.address("carts").unwrap());
    for task in after.tasks.iter().filter(|task| task.service == "store") {
        let environment = std::fs::read(format!("/proc/{}/environ", task.pid.unwrap())).unwrap();
        assert!(environment.split(|byte| *byte == 0).any(|one| one == known.as_bytes()), "{known}");
    }
    assert_all_good(&users.end());
}
