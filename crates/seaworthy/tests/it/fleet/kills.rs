//! Parts of a fleet that are killed while it changes, and while it ends.

use std::fs;
use std::process::{Child, Stdio};

use seaworthy_agent::processes::Identity;
use seaworthy_core::cluster::State;
use seaworthy_drill::standing::Glimpse;

use super::{Place, is_kept, no_deployment};
use crate::world::{code_and_words, eventually};

/// In which order they are killed.
const ORDERS: [&[&str]; 5] =
    [&["agent"], &["gateway"], &["keeper"], &["keeper", "gateway", "agent"], &["agent", "keeper"]];

/// Kills them, and has a killed keeper followed. Returns what was said then.
fn kill_all(place: &Place, now: &Glimpse, parts: &[&str]) -> String {
    for part in parts {
        // It may have gone already.
        if let Some(process) = Identity::of(now.pid(part).unwrap()) {
            process.kill();
            eventually("its end", || (!process.is_alive()).then_some(()));
        }
    }
    if !parts.contains(&"keeper") {
        return String::new();
    }
    // How that ends is told by what there is then.
    code_and_words(&place.seaworthy(&["up", "--detach", "--wait", "1s"])).1
}

/// Starts `seaworthy ARGUMENTS`, whatever comes of it.
fn begin(place: &Place, arguments: &[&str]) -> Child {
    let mut command = place.fleet.command(arguments);
    command.current_dir(place.world.path("")).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap()
}

/// Waits until there are three tasks, every part once, and no process beside them.
fn until_settled(place: &Place, said: &str) -> Glimpse {
    place.until(&format!("a whole fleet and nothing else after `{said}`"), |now| {
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
    let mut before = until_settled(&place, "up");
    for (parts, revision) in ORDERS.iter().zip(2..) {
        place.must(&["deploy", "--force", "--no-wait"]);
        let said = kill_all(&place, &before, parts);
        before = until_settled(&place, &said);
        assert_eq!(before.fleet.services[0].revision, revision, "{parts:?}");
    }
    place.must(&["down"]);
    place.assert_no_process_is_left();
}

#[test]
fn whoever_is_killed_in_an_upgrade_the_tasks_go_on() {
    let (place, _) = Place::up();
    let mut before = until_settled(&place, "up");
    for parts in ORDERS {
        let mut upgrade = begin(&place, &["upgrade", "--wait", "10s"]);
        let said = kill_all(&place, &before, parts);
        upgrade.wait().unwrap();
        let after = until_settled(&place, &said);
        assert_eq!(after.task_pids(), before.task_pids(), "{parts:?}");
        before = after;
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
        fs::write(&gate, "").unwrap();
        place.must(&["up", "fleet.toml", "--detach"]);
        let before = place.until("the whole fleet", is_kept);
        fs::remove_file(&gate).unwrap();
        let mut down = begin(&place, &["down"]);
        let ends = |now: &Glimpse| now.tasks.iter().all(|task| task.state == State::Stopping);
        place.until("tasks that are told to end", ends);
        let said = kill_all(&place, &before, parts);
        fs::write(&gate, "").unwrap();
        let none = || place.fleet.processes().is_empty().then_some(());
        eventually(&format!("the end of the last process after `{said}`"), none);
        down.wait().unwrap();
        let words = place.refused(&["ps"]);
        assert!(words.contains("no fleet runs in"), "{parts:?}: {words}");
    }
}
