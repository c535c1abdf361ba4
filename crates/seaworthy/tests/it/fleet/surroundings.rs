//! What `seaworthy up` finds where it starts: nothing, a fleet, or what is left of one.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::process::Stdio;

use seaworthy_drill::standing::Glimpse;

use super::{Place, assert_all_good, kill, no_deployment, users};
use crate::client::{Answer, get};
use crate::world::{World, code_and_words, eventually};

#[test]
fn down_leaves_no_process_and_the_next_up_begins_anew() {
    let (place, _) = Place::up();
    place.must(&["down"]);
    place.assert_no_process_is_left();
    let (code, words) = code_and_words(&place.seaworthy(&["ps"]));
    assert_eq!(code, Some(2));
    assert!(words.contains("no fleet runs in"), "{words}");
    let tasks = place.fleet.directory().tasks();
    fs::write(tasks.join("task-1.log"), "the last words\n").unwrap();
    place.must(&["up", "fleet.toml", "--detach"]);
    place.until("the whole fleet", Glimpse::is_whole);
    let told = [place.must(&["logs"]), place.must(&["events"])];
    assert!(!told[0].contains("the last words") && !told[1].contains("down:"), "{told:?}");
    assert!(tasks.with_extension("before").join("task-1.log").exists());
}

#[test]
fn the_next_agent_knows_what_was_decided_before() {
    let (place, before) = Place::up();
    let told = place.must(&["events"]);
    kill(before.pid("agent").unwrap());
    place.until("another agent", |now| now.is_whole() && now.pid("agent") != before.pid("agent"));
    let events = place.must(&["events"]);
    assert!(events.starts_with(&told), "{told}\n{events}");
    assert!(events[told.len()..].contains("adopt:"), "{events}");
}

#[test]
fn a_file_that_was_rolled_back_is_not_taken_again_unasked() {
    let (place, _) = Place::up();
    place.until("a revision to go back to", no_deployment);
    let bad = fs::read_to_string(place.world.path("fleet.toml")).unwrap();
    place.world.write("bad.toml", &bad.replace("\"serve\"", "\"nonsense\""));
    let (code, words) = code_and_words(&place.seaworthy(&["deploy", "bad.toml"]));
    assert_eq!(code, Some(1), "{words}");
    assert!(words.contains("rolled back"), "{words}");
    place.until("the end of the way back", no_deployment);
    let words = place.must(&["deploy"]);
    assert!(words.contains("/fleet.toml") && words.contains("nothing has changed"), "{words}");
}

/// Else a good revision comes back and is checked where it has nothing to be checked.
#[test]
fn what_is_rolled_back_brings_its_settings() {
    let (place, _) = Place::up();
    place.until("a revision to go back to", no_deployment);
    let bad = fs::read_to_string(place.world.path("fleet.toml")).unwrap();
    let bad = bad.replace("\"serve\"", "\"nonsense\"").replace("\"/health\"", "\"/nowhere\"");
    place.world.write("bad.toml", &bad);
    let (code, words) = code_and_words(&place.seaworthy(&["deploy", "bad.toml"]));
    assert_eq!((code, words.contains("rolled back")), (Some(1), true), "{words}");
    place.until("the end of the way back", |now| no_deployment(now) && now.is_whole());
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

/// Each takes a new gateway and a new agent.
#[test]
fn deployments_at_the_same_time_are_done_one_after_the_other() {
    let (place, _) = Place::up();
    place.until("a fleet that is settled", no_deployment);
    let file = fs::read_to_string(place.world.path("fleet.toml")).unwrap();
    for round in 1..=5 {
        for number in 1..=2 {
            let slow_start = format!("slow_start = \"{round}{number}s\"\n");
            place.world.write(&format!("{number}.toml"), &(file.clone() + &slow_start));
        }
        let deploy = |number: u32| {
            let mut deploy = place.fleet.command(&["deploy", &format!("{number}.toml")]);
            deploy.current_dir(place.world.path(""));
            deploy.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        };
        let all = [1, 2, 2].map(deploy);
        for deploy in all {
            let (code, words) = code_and_words(&deploy.wait_with_output().unwrap());
            assert_eq!(code, Some(0), "{words}\n{}", place.log());
        }
    }
    place.until("the whole fleet", Glimpse::is_whole);
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

/// The parts of a fleet could not tell each other where it is.
#[test]
fn a_state_directory_whose_path_is_no_text_is_refused() {
    let world = World::new();
    let state = OsStr::from_bytes(b"shop-\xff");
    let commands: [&[&str]; 6] =
        [&["up"], &["up", "-d"], &["ps"], &["down"], &["scale", "web=2"], &["upgrade"]];
    for words in commands {
        let mut command = world.seaworthy(words);
        let (code, words) = code_and_words(&command.arg("--state").arg(state).output().unwrap());
        assert_eq!((code, words.contains("shop-")), (Some(2), true), "{words}");
    }
    assert!(!world.path("").join(state).exists());
    world.assert_nothing_is_left();
}

#[test]
fn sockets_of_processes_that_were_killed_are_no_obstacle() {
    let (place, before) = Place::up();
    let address = before.address("store").unwrap();
    place.end_at_once(&before);
    let directory = place.fleet.directory().path();
    assert!(directory.join("agent.sock").exists() && directory.join("gateway.sock").exists());
    let said = place.must(&["up", "--detach"]);
    let after = place.until("the whole fleet", Glimpse::is_whole);
    assert_eq!(after.address("store"), Some(address), "clients know where it is");
    assert!(!said.contains("task-1: start:"), "what was before is no news: {said}");
}

#[test]
fn after_a_restart_of_the_machine_the_fleet_is_what_it_was() {
    let (place, _) = Place::up();
    place.must(&["scale", "store=4"]);
    place.must(&["deploy", "--force"]);
    place.must(&["deploy", "--force"]);
    place.must(&["rollback", "store"]);
    let before = place.until("four tasks", |now| now.is_whole() && now.tasks.len() == 4);
    place.end_at_once(&before);
    let state = place.fleet.directory().state();
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let of_another = fs::read_to_string(&state).unwrap().replace(boot.trim(), "another");
    fs::write(&state, of_another).unwrap();

    place.must(&["up", "--detach"]);
    let after = place.until("the whole fleet", Glimpse::is_whole);
    let store = &after.fleet.services[0];
    assert_eq!((store.desired, store.revision), (4, 2), "scaled, and rolled back");
    let highest = before.tasks.iter().map(|task| task.task).max();
    assert!(after.tasks.iter().all(|task| Some(task.task) > highest), "{:?}", after.tasks);
    let revisions = place.must(&["revisions", "store"]);
    assert_eq!(revisions.lines().count(), 4, "{revisions}");
}

#[test]
fn a_program_that_cannot_read_the_state_replaces_nothing() {
    let (place, before) = Place::up();
    let fleet = place.fleet.directory().fleet();
    let later = fs::read_to_string(&fleet).unwrap().replace("\"format\": 1", "\"format\": 2");
    fs::write(&fleet, later).unwrap();
    let (code, words) = code_and_words(&place.seaworthy(&["upgrade"]));
    assert_eq!(code, Some(2), "{words}");
    assert!(words.contains("newer seaworthy") && words.contains("fleet.json"), "{words}");
    let after = place.until("the whole fleet", Glimpse::is_whole);
    assert_eq!(after.fleet.parts, before.fleet.parts);
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

#[test]
fn what_a_task_started_goes_with_it_even_if_it_has_left_for_a_session_of_its_own() {
    let place = Place::new();
    let file = fs::read_to_string(place.world.path("fleet.toml")).unwrap();
    let script = "setsid sleep 4321 & exec \"$@\"";
    let program = format!("{script:?}, \"sh\", {:?}", env!("CARGO_BIN_EXE_seaworthy"));
    let file = file.replace("[\"seaworthy\"", &format!("[\"sh\", \"-c\", {program}"));
    place.world.write("fleet.toml", &file);
    place.must(&["up", "fleet.toml", "--detach"]);
    let whole = place.until("the whole fleet", Glimpse::is_whole);
    let all = || place.world.running("sleep 4321");
    let left = eventually("what they start", || Some(all()).filter(|all| all.len() >= 3));
    for task in &whole.tasks {
        place.must(&["stop", &task.task.to_string()]);
    }
    eventually("their end", || all().is_disjoint(&left).then_some(()));
}
