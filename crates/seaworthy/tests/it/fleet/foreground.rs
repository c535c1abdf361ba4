//! What `seaworthy up` does while it waits and stays.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::process::Command;

use rustix::process::Signal;
use seaworthy_agent::processes::Identity;
use seaworthy_drill::standing::Glimpse;
use tempfile::NamedTempFile;

use super::{DEADLINE, Place, assert_all_good, block_on, is_kept, kill, no_deployment, users};
use crate::client::get;
use crate::world::{Started, code_and_words, eventually};

/// A `seaworthy up` that stays, and what it says.
struct Watched<'a> {
    started: Started,
    place: &'a Place,
    said: NamedTempFile,
}

// === impl Watched ===

impl<'a> Watched<'a> {
    fn start(place: &'a Place, file: &str) -> Self {
        Self::run(place, place.fleet.command(&["up", file]))
    }

    fn run(place: &'a Place, mut up: Command) -> Self {
        let said = NamedTempFile::new_in(place.world.path("")).unwrap();
        let out = || said.as_file().try_clone().unwrap();
        up.current_dir(place.world.path("")).stdout(out()).stderr(out());
        Self { started: Started::new(up.spawn().unwrap()), place, said }
    }

    fn said(&self) -> String {
        fs::read_to_string(self.said.path()).unwrap()
    }

    /// Waits until it has said so, so many times.
    fn says(&self, words: &str, times: usize) {
        let said = || (self.said().matches(words).count() == times).then_some(());
        eventually(&format!("`{words}`, {times} times,"), said);
    }

    /// As the place has it, with what this one said if that does not come.
    fn until(&self, what: &str, is_meant: impl FnMut(&Glimpse) -> bool) -> Glimpse {
        let found = block_on(self.place.fleet.until(what, DEADLINE, is_meant));
        found.unwrap_or_else(|error| panic!("{error}\nup said: {}", self.said()))
    }
}

#[test]
fn a_killed_keeper_is_followed_by_another_one_without_any_command() {
    let place = Place::new();
    let up = Watched::start(&place, "fleet.toml");
    let mut before = up.until("the whole fleet", is_kept);
    let users = users(&before);
    // The next one is looked after as well.
    for round in 1..=2 {
        kill(before.pid("keeper").unwrap());
        let another = |now: &Glimpse| is_kept(now) && now.pid("keeper") != before.pid("keeper");
        let after = up.until("another keeper", another);
        assert_eq!(after.task_pids(), before.task_pids());
        up.says("another one has taken over", round);
        before = after;
    }
    assert_all_good(&users.end());
    assert_eq!(up.started.signal(Signal::TERM), Some(0), "{}", place.log());
    place.assert_no_process_is_left();
}

#[test]
fn a_keeper_that_is_killed_while_it_starts_is_followed_as_well() {
    let place = Place::new();
    let up = Watched::start(&place, "fleet.toml");
    let is_keeper = |process: &Identity| {
        let words = fs::read(format!("/proc/{}/cmdline", process.pid)).unwrap_or_default();
        words.ends_with(b"part\0keeper\0")
    };
    let mut killed = Vec::new();
    // As soon as there is one, which has said nothing yet.
    while killed.len() < 5 {
        let keeper = eventually("a keeper", || {
            let all = place.fleet.processes().into_iter();
            all.filter(is_keeper).find(|process| !killed.contains(process))
        });
        kill(keeper.pid);
        killed.push(keeper);
    }
    let is_new = |now: &Glimpse| {
        let new = |pid| killed.iter().all(|before| before.pid != pid);
        now.is_whole() && now.pid("keeper").is_some_and(new)
    };
    up.until("the whole fleet", is_new);
    assert_eq!(up.started.signal(Signal::TERM), Some(0), "{}", place.log());
    place.assert_no_process_is_left();
}

#[test]
fn several_at_once_watch_the_same_fleet() {
    let place = Place::new();
    let all: Vec<_> = (0..3).map(|_| Watched::start(&place, "fleet.toml")).collect();
    for up in &all {
        up.says("3 of 3 tasks in rotation", 1);
    }
    let whole = place.until("the whole fleet", Glimpse::is_whole);
    assert_eq!(whole.fleet.services[0].revision, 1);
    place.must(&["down"]);
    for up in all {
        up.says("the fleet has ended", 1);
        assert_eq!(up.started.end(), Some(0));
    }
    place.assert_no_process_is_left();
}

/// As systemd passes it, which nobody else has once all parts of the fleet are gone.
#[test]
fn a_socket_that_was_passed_is_there_when_keeper_agent_and_gateway_were_killed() {
    let place = Place::new();
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let words =
        "exec 3<&0 0</dev/null; LISTEN_FDS=1 LISTEN_FDNAMES=store LISTEN_PID=$$ exec \"$@\"";
    let seaworthy = place.fleet.command(&["up", "fleet.toml"]);
    let mut shell = Command::new("sh");
    shell.args(["-c", words, "sh"]).arg(seaworthy.get_program()).args(seaworthy.get_args());
    shell.env("SEAWORTHY_STATE", place.fleet.directory().path()).stdin(OwnedFd::from(socket));
    let up = Watched::run(&place, shell);
    let parts = |now: &Glimpse| ["keeper", "agent", "gateway"].map(|part| now.pid(part));
    let whole = |now: &Glimpse| now.is_whole() && parts(now).iter().all(Option::is_some);
    let before = up.until("the whole fleet", whole);
    assert_eq!(before.address("store"), Some(address));

    parts(&before).into_iter().flatten().for_each(kill);
    eventually("another fleet around the same tasks", || {
        TcpStream::connect(address).expect("it is taken at any time");
        let now = block_on(async { Ok(place.fleet.glimpse().await) }).unwrap()?;
        let others = parts(&now).iter().zip(parts(&before)).all(|(now, before)| *now != before);
        (whole(&now) && others && now.task_pids() == before.task_pids()).then_some(())
    });
    assert_eq!(get(address, "/health").map(|answer| answer.status), Some(200));
    assert_eq!(up.started.signal(Signal::TERM), Some(0), "{}", place.log());
    place.assert_no_process_is_left();
}

#[test]
fn a_first_deployment_that_has_failed_is_not_waited_for() {
    let place = Place::new();
    let file = "service.s.command = ['sh', '-c', 'echo no such database; exit 3']\n\
                service.s.restart_backoff = '10ms'\n";
    place.world.write("bad.toml", file);
    let (code, words) = code_and_words(&place.seaworthy(&["up", "bad.toml", "-d", "--wait", "1h"]));
    assert_eq!(code, Some(1), "{words}");
    let last = words.lines().last().unwrap();
    assert!(words.contains("s: revision 1 has failed: "), "{words}");
    assert!(words.contains("exited with status 3") && last.contains("no such database"), "{words}");
}

#[test]
fn a_running_fleet_is_left_only_when_its_deployments_have_ended() {
    let (place, _) = Place::up();
    place.until("a revision to go back to", no_deployment);
    let file = fs::read_to_string(place.world.path("fleet.toml")).unwrap();
    let command = file.lines().find(|line| line.starts_with("command")).unwrap();
    let never = "command = ['sleep', '600']\nstart_timeout = '2s'";
    place.world.write("fleet.toml", &file.replace(command, never));

    let (code, words) = code_and_words(&place.seaworthy(&["up", "fleet.toml", "--detach"]));
    assert_eq!(code, Some(1), "{words}");
    assert!(words.contains("store: revision 2 has failed and was rolled back: "), "{words}");

    place.until("the end of the way back", no_deployment);
    place.must(&["deploy", "--no-wait", "fleet.toml"]);
    let (code, words) = code_and_words(&place.seaworthy(&["deploy", "fleet.toml"]));
    assert_eq!(code, Some(1), "{words}");
    assert!(words.contains("store: revision 3 is still being deployed"), "{words}");
    assert!(words.contains("store: revision 3 has failed and was rolled back: "), "{words}");
}
