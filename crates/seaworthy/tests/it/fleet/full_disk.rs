//! A fleet that cannot write. The kernel refuses that to a process that may not make files of any size
//! (`RLIMIT_FSIZE`), as it does on a full disk; only the words are others.

use std::process::{Command, Output};

use rustix::process::{Pid, Resource, Rlimit, prlimit};

use super::{Place, changes, is_kept, kill, no_deployment};
use crate::world::code_and_words;

const NO_ROOM: &str = "File too large";

/// `seaworthy ARGUMENTS` in a shell that has said `first`. Who writes too much is told, not killed, and so
/// is whoever it starts.
fn within(place: &Place, first: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new("sh");
    let script = format!("trap '' XFSZ; {first}; exec \"$@\"");
    command.args(["-c", &script, "sh", env!("CARGO_BIN_EXE_seaworthy")]).args(arguments);
    command.env("SEAWORTHY_STATE", place.fleet.directory().path());
    command.current_dir(place.world.path("")).output().unwrap()
}

/// Whether a process can write.
fn has_room(pid: u32, has: bool) {
    let pid = Pid::from_raw(pid.cast_signed());
    let limit = Rlimit { current: (!has).then_some(0), maximum: None };
    prlimit(pid, Resource::Fsize, limit).unwrap();
}

#[test]
fn what_cannot_be_written_down_is_refused() {
    let place = Place::new();
    let (code, words) = code_and_words(&within(&place, ":", &["up", "fleet.toml", "--detach"]));
    assert_eq!(code, Some(0), "{words}");
    place.until("a revision", no_deployment);
    place.must(&["deploy", "--force"]);
    let before = place.until("another revision", |now| is_kept(now) && no_deployment(now));
    let agent = before.pid("agent").unwrap();
    has_room(agent, false);
    let task = before.tasks[0].task.to_string();
    for arguments in changes(&task) {
        let words = place.refused(&arguments);
        assert!(words.contains("state.json: cannot be written"), "{arguments:?}: {words}");
        assert!(words.contains(NO_ROOM), "{arguments:?}: {words}");
    }
    let same = place.until("the same fleet", is_kept);
    assert_eq!(same.task_pids(), before.task_pids());
    assert_eq!((same.fleet.services[0].desired, same.fleet.services[0].revision), (3, 2));

    has_room(agent, true);
    place.must(&["scale", "store=4"]);
    has_room(agent, false);
    kill(agent);
    let after = place.until("what was written down", |now| is_kept(now) && now.tasks.len() == 4);
    has_room(after.pid("agent").unwrap(), false);
    place.must(&["down"]);
    place.assert_no_process_is_left();
}

#[test]
fn an_agent_goes_on_where_a_new_keeper_cannot_write() {
    let (place, before) = Place::up();
    let agent = before.pid("agent");
    kill(before.pid("keeper").unwrap());
    place.until("a fleet without its keeper", |now| now.pid("keeper").is_none());
    let (code, words) = code_and_words(&within(&place, "ulimit -f 0", &["up", "--detach"]));
    assert_eq!(code, Some(2), "{words}");
    assert!(words.contains("fleet.json: cannot be written: File too large"), "{words}");
    place.until("the same agent", |now| now.is_whole() && now.pid("agent") == agent);
    place.must(&["up", "--detach"]);
    let after = place.until("the whole fleet", is_kept);
    assert_eq!(after.task_pids(), before.task_pids());
}
