//! What `seaworthy up` does while it waits and stays.

use std::fs::{self, File};

use rustix::process::Signal;
use seaworthy_drill::standing::Glimpse;

use super::{Place, assert_all_good, is_kept, kill, no_deployment, users};
use crate::world::{Started, code_and_words, eventually};

#[test]
fn a_killed_keeper_is_followed_by_another_one_without_any_command() {
    let place = Place::new();
    let said = place.world.path("said");
    let out = File::create(&said).unwrap();
    let mut up = place.fleet.command(&["up", "fleet.toml"]);
    up.current_dir(place.world.path("")).stdout(out.try_clone().unwrap()).stderr(out);
    let up = Started::new(up.spawn().unwrap());
    let mut before = place.until("the whole fleet", is_kept);
    let users = users(&before);
    // The next one is looked after as well.
    for _ in 0..2 {
        kill(before.pid("keeper").unwrap());
        // One that is there has not taken over yet.
        let other = |now: &Glimpse, part| now.pid(part) != before.pid(part);
        let another = |now: &Glimpse| {
            is_kept(now) && ["keeper", "agent", "gateway"].iter().all(|part| other(now, part))
        };
        let after = place.until("another keeper", another);
        assert_eq!(after.task_pids(), before.task_pids());
        before = after;
    }
    assert_all_good(&users.end());
    eventually("the word of it", || {
        let said = fs::read_to_string(&said).unwrap();
        (said.matches("another one has taken over").count() == 2).then_some(())
    });
    assert_eq!(up.signal(Signal::TERM), Some(0), "{}", place.log());
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
