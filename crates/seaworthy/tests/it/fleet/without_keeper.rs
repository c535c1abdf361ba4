//! A fleet whose keeper was killed, or cannot be found any more.

use std::fs;
use std::net::TcpListener;
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use seaworthy_agent::processes::Identity;
use seaworthy_drill::standing::Glimpse;

use super::{Place, assert_all_good, changes, is_kept, kill, no_deployment, users};
use crate::world::{code_and_words, eventually};

fn without_keeper(now: &Glimpse) -> bool {
    now.pid("keeper").is_none()
}

fn stop(pid: u32) {
    assert!(Identity::of(pid).unwrap().stop());
}

#[test]
fn whatever_takes_a_keeper_is_refused_without_one_and_nothing_has_changed() {
    let (place, before) = Place::up();
    place.must(&["deploy", "--force"]);
    let before = place.until("a fleet that is settled", |now| {
        no_deployment(now) && now.is_whole() && now.task_pids() != before.task_pids()
    });
    kill(before.pid("keeper").unwrap());
    place.until("a fleet without its keeper", without_keeper);
    let task = before.tasks[0].task.to_string();
    let all = [changes(&task), vec![vec!["down"]]].concat();
    let start = |arguments: &Vec<&str>| {
        let mut command = place.fleet.command(arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let started: Vec<_> = all.iter().map(start).collect();
    let remedy = format!("`seaworthy up --state {}`", place.fleet.directory().path().display());
    for (child, arguments) in started.into_iter().zip(&all) {
        let (code, words) = code_and_words(&child.wait_with_output().unwrap());
        assert_eq!(code, Some(2), "{arguments:?}: {words}");
        assert!(words.contains("no keeper") && words.contains(&remedy), "{arguments:?}: {words}");
    }
    assert!(place.must(&["ps"]).contains(&remedy));
    assert!(place.must(&["deploy", "fleet.toml"]).contains("nothing has changed"));

    place.must(&["up", "--detach"]);
    let after = place.until("the whole fleet", is_kept);
    assert_eq!(after.task_pids(), before.task_pids());
    assert_eq!(after.fleet.services[0].desired, 3);
}

#[test]
fn what_was_accepted_and_not_done_when_the_keeper_was_killed_is_done_by_the_next() {
    let (place, _) = Place::up();
    let before = place.until("a fleet that is settled", no_deployment);
    let keeper = before.pid("keeper").unwrap();
    stop(keeper);
    let task = &before.tasks[0];
    place.must(&["stop", &task.task.to_string()]);
    place.must(&["scale", "store=4"]);
    kill(keeper);
    place.until("a fleet without its keeper", without_keeper);
    place.must(&["up", "--detach"]);
    place.until("what was asked for", |now| {
        is_kept(now) && now.tasks.len() == 4 && !now.task_pids().contains(&task.pid.unwrap())
    });
}

#[test]
fn whoever_waits_for_a_keeper_that_is_killed_is_told() {
    let (place, before) = Place::up();
    let keeper = before.pid("keeper").unwrap();
    let file = fs::read_to_string(place.world.path("fleet.toml")).unwrap();
    place.world.write("fleet.toml", &file.replace("\"200ms\"", "\"210ms\""));
    stop(keeper);
    let mut deploy = place.fleet.command(&["deploy", "fleet.toml"]);
    deploy.current_dir(place.world.path("")).stdout(Stdio::piped()).stderr(Stdio::piped());
    let deploy = deploy.spawn().unwrap();
    // From then on it waits for the keeper.
    let wanted = place.fleet.directory().path().join("wanted.json");
    eventually("what it wants", || wanted.exists().then_some(()));
    kill(keeper);
    let (code, words) = code_and_words(&deploy.wait_with_output().unwrap());
    assert_eq!(code, Some(2), "{words}");
    assert!(words.contains("no keeper") && words.contains("seaworthy up"), "{words}");
}

#[test]
fn a_fleet_whose_directory_was_deleted_is_left_alone_and_its_keeper_is_named() {
    let (place, before) = Place::up();
    let directory = place.fleet.directory().path();
    // Somebody may just be writing into it.
    eventually("its end", || fs::remove_dir_all(directory).ok());
    let keeper = before.pid("keeper").unwrap();
    let remedy = format!("`kill {keeper}`");
    let users = users(&before);
    let all: [&[&str]; 4] = [&["ps"], &["up", "fleet.toml", "--detach"], &["ps"], &["down"]];
    for arguments in all {
        let words = place.refused(arguments);
        assert!(words.contains(&remedy), "{arguments:?}: {words}");
    }
    let mut expected = before.task_pids();
    expected.extend(["agent", "gateway", "keeper"].iter().map(|part| before.pid(part).unwrap()));
    let mut live: Vec<u32> = place.fleet.processes().iter().map(|process| process.pid).collect();
    expected.sort_unstable();
    live.sort_unstable();
    assert_eq!(live, expected);
    assert_all_good(&users.end());

    kill_process(Pid::from_raw(keeper.cast_signed()).unwrap(), Signal::TERM).unwrap();
    place.assert_no_process_is_left();
    place.must(&["up", "fleet.toml", "--detach"]);
    place.until("the whole fleet", is_kept);
}

#[test]
fn where_no_agent_can_begin_the_keeper_is_named() {
    let (place, before) = Place::up();
    let state = place.fleet.directory().state();
    let intact = fs::read(&state).unwrap();
    kill(before.pid("agent").unwrap());
    for path in [&state, &state.with_extension("json.before")] {
        fs::write(path, "{ by hand").unwrap();
    }
    // One that was quicker than the damage has not been hurt by it.
    if let Some(now) = super::block_on(async { Ok(place.fleet.glimpse().await) }).unwrap() {
        kill(now.pid("agent").unwrap());
    }
    let remedy = format!("`kill {}`", before.pid("keeper").unwrap());
    for arguments in [&["ps"][..], &["down"], &["up", "--detach"]] {
        let words = place.refused(arguments);
        assert!(words.contains(&remedy) && words.contains("seaworthy.log"), "{words}");
    }
    assert!(place.log().contains("state.json: is damaged"), "{}", place.log());
    fs::write(&state, intact).unwrap();
    let after = place.until("the whole fleet", is_kept);
    assert_eq!(after.task_pids(), before.task_pids());
}

#[test]
fn an_agent_that_cannot_follow_another_is_started_until_it_can() {
    let place = Place::new();
    let file = fs::read_to_string(place.world.path("fleet.toml")).unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    place.world.write("fleet.toml", &format!("agent.listen = \"{port}\"\n{file}"));
    place.must(&["up", "fleet.toml", "--detach"]);
    let before = place.until("the whole fleet", is_kept);
    kill(before.pid("keeper").unwrap());
    place.until("a fleet without its keeper", without_keeper);
    kill(before.pid("agent").unwrap());
    let taken = eventually("the port", || TcpListener::bind(port).ok());
    let users = users(&before);
    let words = place.refused(&["up", "--detach"]);
    assert!(words.contains(&port.to_string()) && words.contains("tried again"), "{words}");
    drop(taken);
    let after = place.until("the whole fleet", is_kept);
    assert_eq!(after.task_pids(), before.task_pids());
    assert_all_good(&users.end());
}
