//! What `seaworthy up` finds where it starts: nothing, a fleet, or what is left of one.

use std::fs;

use seaworthy_drill::standing::Glimpse;

use super::{Place, assert_all_good, kill, users};
use crate::client::{Answer, get};
use crate::world::{code_and_words, eventually};

#[test]
fn down_leaves_no_process_and_the_next_up_begins_anew() {
    let (place, _) = Place::up();
    place.must(&["down"]);
    place.assert_no_process_is_left();
    let (code, words) = code_and_words(&place.seaworthy(&["ps"]));
    assert_eq!(code, Some(2));
    assert!(words.contains("no fleet runs in"), "{words}");
    place.must(&["up", "fleet.toml", "--detach"]);
    place.until("the whole fleet", Glimpse::is_whole);
}

#[test]
fn a_second_up_leaves_a_fleet_that_runs_as_it_is() {
    let (place, before) = Place::up();
    let said = place.must(&["up", "fleet.toml", "--detach"]);
    assert!(said.contains("runs in") && said.contains("already"), "{said}");
    assert!(!said.contains("start:"), "what was before is no news: {said}");
    let after = place.until("the whole fleet", Glimpse::is_whole);
    assert_eq!(after.task_pids(), before.task_pids());
    assert_eq!(after.fleet.parts, before.fleet.parts);
}

#[test]
fn a_directory_has_one_keeper() {
    let (place, before) = Place::up();
    // Nobody answers at its socket, so the second command believes that nothing runs.
    fs::rename(place.fleet.directory().path().join("agent.sock"), place.world.path("agent.sock"))
        .unwrap();
    let (code, words) = code_and_words(&place.seaworthy(&["up", "fleet.toml", "--detach"]));
    assert_eq!(code, Some(2), "{words}");
    assert!(words.contains("keeper") && words.contains("state"), "{words}");
    fs::rename(place.world.path("agent.sock"), place.fleet.directory().path().join("agent.sock"))
        .unwrap();
    let after = place.until("the whole fleet", Glimpse::is_whole);
    assert_eq!(after.task_pids(), before.task_pids());
    assert_eq!(after.fleet.parts, before.fleet.parts);
}

#[test]
fn sockets_of_processes_that_were_killed_are_no_obstacle() {
    let (place, before) = Place::up();
    let address = before.address("store").unwrap();
    // First of all the one that would start the others again.
    kill(before.pid("keeper").unwrap());
    for process in place.fleet.processes() {
        process.kill();
    }
    place.assert_no_process_is_left();
    let directory = place.fleet.directory().path();
    assert!(directory.join("agent.sock").exists() && directory.join("gateway.sock").exists());
    place.must(&["up", "--detach"]);
    let after = place.until("the whole fleet", Glimpse::is_whole);
    assert_eq!(after.address("store"), Some(address), "clients know where it is");
}

#[test]
fn a_damaged_state_is_told_of_and_what_runs_goes_on() {
    let (place, before) = Place::up();
    let address = before.address("store").unwrap();
    let state = place.fleet.directory().state();
    kill(before.pid("keeper").unwrap());
    place.until("a fleet without its keeper", |now| now.pid("keeper").is_none());
    kill(before.pid("agent").unwrap());
    eventually("the end of the agent", || {
        let agents = place.fleet.processes();
        agents.iter().all(|process| Some(process.pid) != before.pid("agent")).then_some(())
    });
    let before_it = state.with_extension("json.before");
    let intact = fs::read(&state).unwrap();
    for path in [&state, &before_it] {
        fs::write(path, "{ by hand").unwrap();
    }
    let users = users(&before);
    let (code, words) = code_and_words(&place.seaworthy(&["up", "--detach", "--wait", "5s"]));
    assert_eq!(code, Some(2), "{words}");
    assert!(words.contains("state.json"), "{words}\n{}", place.log());
    let answered = |answer: Answer| answer.status == 200;
    assert!(get(address, "/health").is_some_and(answered), "{}", place.log());
    assert_all_good(&users.end());

    fs::write(&state, intact).unwrap();
    place.must(&["up", "--detach"]);
    let after = place.until("the whole fleet", Glimpse::is_whole);
    assert_eq!(after.task_pids(), before.task_pids());
}
