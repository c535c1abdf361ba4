//! What `seaworthy up` does while it waits and stays.

use std::fs::{self, File};

use rustix::process::Signal;
use seaworthy_drill::standing::Glimpse;

use super::{Place, assert_all_good, kill, users};
use crate::world::{Started, code_and_words, eventually};

#[test]
fn a_killed_keeper_is_followed_by_another_one_without_any_command() {
    let place = Place::new();
    let said = place.world.path("said");
    let out = File::create(&said).unwrap();
    let mut up = place.fleet.command(&["up", "fleet.toml"]);
    up.current_dir(place.world.path("")).stdout(out.try_clone().unwrap()).stderr(out);
    let up = Started::new(up.spawn().unwrap());
    let has_keeper = |now: &Glimpse| now.is_whole() && now.pid("keeper").is_some();
    let mut before = place.until("the whole fleet", has_keeper);
    let users = users(&before);
    // The next one is looked after as well.
    for _ in 0..2 {
        kill(before.pid("keeper").unwrap());
        let another = |now: &Glimpse| has_keeper(now) && now.pid("keeper") != before.pid("keeper");
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
