//! Parts of a fleet that are killed while it changes, and while it ends.

use std::fs;
use std::process::{Child, Stdio};

use seaworthy_agent::processes::Identity;
use seaworthy_core::cluster::State;
use seaworthy_drill::standing::Glimpse;

use super::{Place, is_kept, no_deployment};
use crate::world::code_and_words;

/// In which order they are killed.
const ORDERS: [&[&str]; 5] =
    [&["agent"], &["gateway"], &["keeper"], &["keeper", "gateway", "agent"], &["agent", "keeper"]];

/// Kills them, and has a killed keeper followed.
fn kill_all(place: &Place, now: &Glimpse, parts: &[&str]) {
    for part in parts {
        // It may have gone already.
        Identity::of(now.pid(part).unwrap()).map(Identity::kill);
    }
    if parts.contains(&"keeper") {
        // How that ends is told by what there is then.
        let _ = place.seaworthy(&["up", "--detach", "--wait", "1s"]);
    }
}

/// Starts `seaworthy ARGUMENTS`, whatever comes of it.
fn begin(place: &Place, arguments: &[&str]) -> Child {
    let mut command = place.fleet.command(arguments);
    command.current_dir(place.world.path("")).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap()
}

/// Waits until there are three tasks, every part once, and no process beside them.
fn until_settled(place: &Place) -> Glimpse {
    place.until("a whole fleet and nothing else", |now| {
        let parts = ["agent", "gateway", "keeper"].map(|part| now.pid(part));
        let mut known = now.task_pids();
        known.extend(parts.iter().flatten());
        let live = place.fleet.processes();
        let is_known = |process: &Identity| known.contains(&process.pid);
        is_kept(now) && no_deployment(now) && known.len() == 6 && live.iter().all(is_known)
    })
}

#[test]
fn whoever_is_killed_in_a_deployment_it_is_completed() {
    let (place, _) = Place::up();
    for (parts, revision) in ORDERS.iter().zip(2..) {
        let before = until_settled(&place);
        place.must(&["deploy", "--force", "--no-wait"]);
        kill_all(&place, &before, parts);
        let after = until_settled(&place);
        assert_eq!(after.fleet.services[0].revision, revision, "{parts:?}");
    }
    place.must(&["down"]);
    place.assert_no_process_is_left();
}

#[test]
fn whoever_is_killed_in_an_upgrade_the_tasks_go_on() {
    let (place, _) = Place::up();
    for parts in ORDERS {
        let before = until_settled(&place);
        let mut upgrade = begin(&place, &["upgrade", "--wait", "10s"]);
        kill_all(&place, &before, parts);
        upgrade.wait().unwrap();
        let after = until_settled(&place);
        assert_eq!(after.task_pids(), before.task_pids(), "{parts:?}");
    }
    place.must(&["down"]);
    place.assert_no_process_is_left();
}

#[test]
fn whoever_is_killed_while_a_fleet_ends_it_ends() {
    let place = Place::new();
    // Tasks that end when they are let.
    let gate = place.world.path("gate");
    let script =
        format!("trap '' TERM; \"$@\"; until test -e {}; do sleep 0.02; done", gate.display());
    let program =
        format!("\"sh\", \"-c\", {script:?}, \"sh\", {:?}", env!("CARGO_BIN_EXE_seaworthy"));
    let file = fs::read_to_string(place.world.path("fleet.toml")).unwrap();
    let file = file.replace("\"seaworthy\"", &program).replace("3\n", "3\nstop_timeout = \"1h\"\n");
    place.world.write("fleet.toml", &file);
    for parts in ORDERS {
        place.must(&["up", "fleet.toml", "--detach"]);
        let before = place.until("the whole fleet", is_kept);
        let mut down = begin(&place, &["down"]);
        let ends = |now: &Glimpse| now.tasks.iter().all(|task| task.state == State::Stopping);
        place.until("tasks that are told to end", ends);
        kill_all(&place, &before, parts);
        fs::write(&gate, "").unwrap();
        place.assert_no_process_is_left();
        fs::remove_file(&gate).unwrap();
        down.wait().unwrap();
        let (code, words) = code_and_words(&place.seaworthy(&["ps"]));
        assert!(code == Some(2) && words.contains("no fleet runs in"), "{parts:?}: {words}");
    }
}
