//! `seaworthy check`: what it says of a fleet file, and its exit codes.

use crate::world::{World, code_and_words};

const GOOD: &str = r#"
[service.store]
command = ["seaworthy", "never", "started"]
health = { interval = "5s", fast_interval = "5s", timeout = "1s" }
call = { timeout = "2s" }
bulkhead = { size = 50 }
breaker = { window = "10s", failure_percent = 60 }
"#;

#[test]
fn a_good_fleet_is_good() {
    let world = World::new();
    world.write("fleet.toml", GOOD);
    let (code, words) = code_and_words(&world.run(&["check", "fleet.toml"]));
    assert_eq!(code, Some(0), "{words}");
    assert!(words.contains("note: service.store.desired_count: a task that hangs"), "{words}");
    assert!(words.contains("\nfleet.toml: 0 cannot work, 0 to look at, "), "{words}");

    let (code, words) = code_and_words(&world.run(&["check", "fleet.toml", "--json"]));
    assert_eq!(code, Some(0), "{words}");
    let findings: serde_json::Value = serde_json::from_str(&words).unwrap();
    assert_eq!(findings[0]["severity"], "note", "{words}");
    assert_eq!(findings[0]["key"], "service.store.desired_count", "{words}");

    // 100 calls a second that are held for 2 s want 200 of 50 permits.
    let (code, words) = code_and_words(&world.run(&["check", "fleet.toml", "--rate", "100"]));
    assert_eq!(code, Some(0), "{words}");
    let little = "50 permits let 25.0 calls a second through when each is held for 2 s (Little), \
                  and 100 come";
    assert!(words.contains(little), "{words}");
    world.assert_nothing_is_left();
}

#[test]
fn what_cannot_work_is_said_with_the_numbers() {
    let world = World::new();
    let cases: [(String, &[&str], &str); 2] = [
        (
            GOOD.replace("health", "start_timeout = \"4s\"\nhealth"),
            &[],
            "cannot work: service.store.start_timeout: a task is given up 4s after its start, and \
             if its first check comes too early the next one comes 5s later",
        ),
        (
            GOOD.to_owned(),
            &["--rate", "1.5"],
            "cannot work: service.store.breaker: at 1.5 calls a second a window of 10s holds 15, \
             and the breaker's minimum is 20: it can never open",
        ),
    ];
    for (text, arguments, finding) in cases {
        world.write("fleet.toml", &text);
        let arguments = [&["check", "fleet.toml"], arguments].concat();
        let (code, words) = code_and_words(&world.run(&arguments));
        assert_eq!(code, Some(1), "{words}");
        // The worst comes first.
        assert!(words.starts_with(finding), "{words}");
        assert!(words.contains("\nfleet.toml: 1 cannot work, "), "{words}");
    }
}

#[test]
fn what_tasks_would_look_for_in_vain_is_said() {
    let world = World::new();
    let more = "environment_files = [\"site.env\"]\nsecrets = { KEY = \"keys/key\" }\nhealth =";
    let file = GOOD.replace("\"seaworthy\"", "\"no-such-program\"").replace("health =", more);
    world.write("fleet.toml", &file);
    let check = || code_and_words(&world.run(&["check", "fleet.toml"]));
    let (code, words) = check();
    assert_eq!(code, Some(0), "{words}");
    let program = "warning: service.store.command: no task can start: no-such-program: there is no";
    assert!(words.contains(program), "{words}");
    let missing = |words: &str, name| {
        let path = world.path("").canonicalize().unwrap().join(name);
        let start = "warning: service.store.environment: no task can start:";
        assert!(words.contains(&format!("{start} {}: cannot be read", path.display())), "{words}");
    };
    missing(&words, "site.env");
    world.write("site.env", "A=1");
    missing(&check().1, "keys/key");
}

#[test]
fn what_is_no_fleet_is_refused_by_name() {
    let world = World::new();
    let cases: [(&str, String, &[&str], &str); 6] = [
        ("a.toml", GOOD.replace("size", "sice"), &[], "unknown field `sice`"),
        ("b.toml", "[service".to_owned(), &[], "b.toml: TOML parse error at line 1"),
        (
            "c.toml",
            GOOD.replace("size = 50", "size = 0"),
            &[],
            "c.toml: service.store.bulkhead.size: 0 is out of range; allowed is 1 to ",
        ),
        (
            "d.toml",
            GOOD.replace("\"1s\"", "\"5s\""),
            &[],
            "d.toml: service.store.health.timeout: 5s is not less than the interval of 5s",
        ),
        (
            "f.toml",
            GOOD.replace("size = 50", "size = 5").replace("\"2s\"", "\"30s\""),
            &[],
            "f.toml: service.store.breaker: 5 permits held for 30s come free 0.17 times a second, \
             which gives a window of 10s at most 5 outcomes, and the breaker's minimum is 20: while \
             calls hang the breaker can never open",
        ),
        ("e.toml", GOOD.to_owned(), &["--rate", "0"], "allowed is a number above 0"),
    ];
    for (name, text, arguments, problem) in cases {
        world.write(name, &text);
        let (code, words) = code_and_words(&world.run(&[&["check", name], arguments].concat()));
        assert_eq!(code, Some(2), "{words}");
        assert!(words.contains(problem), "`{problem}` is not in:\n{words}");
    }
    let (code, words) = code_and_words(&world.run(&["check", "none.toml"]));
    assert!(code == Some(2) && words.contains("none.toml: No such file"), "{words}");
}
