//! `seaworthy sim`: a swarm that finds nothing, one with a planted bug, and what cannot be meant.

use serde_json::Value;

use crate::world::{World, code_and_words};

#[test]
fn a_swarm_says_what_it_reached() {
    let world = World::new();
    let swarm = ["sim", "swarm", "--seeds", "6", "--from", "10", "--threads", "2"];
    let (code, words) = code_and_words(&world.run(&swarm));
    assert_eq!(code, Some(0), "{words}");
    assert!(words.contains("a call was tried again"), "{words}");
    assert!(words.contains("6 seeds from 10, "), "{words}");
    assert!(!words.contains(['\x1b', '\r']), "progress in a pipe: {words}");

    let output = world.run(&[&swarm[..], &["--json", "--twice"]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", code_and_words(&output).1);
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&found["seeds"], &found["from"]), (&6.into(), &10.into()));
    assert_eq!(found["violations"], Value::Array(Vec::new()));
    world.assert_nothing_is_left();
}

#[test]
fn what_breaks_a_rule_is_made_small_and_can_be_replayed() {
    let world = World::new();
    let swarm = ["sim", "swarm", "--seeds", "1", "--from", "10", "--plant", "numbers_again"];
    let (code, words) = code_and_words(&world.run(&[&swarm[..], &["--save", "found"]].concat()));
    assert_eq!(code, Some(1), "{words}");
    assert!(words.contains("seeds that break a rule: 10"), "{words}");
    let violation =
        words.lines().find(|line| line.contains("that a number names one task")).expect(&words);
    let script = std::fs::read_to_string(world.path("found/seed-10.toml")).unwrap();
    assert!(words.contains(&script), "the script is not shown:\n{script}\n{words}");

    let (code, words) = code_and_words(&world.run(&["sim", "replay", "found/seed-10.toml"]));
    assert_eq!(code, Some(1), "{words}");
    assert!(words.ends_with(&format!("{violation}\n")), "not {violation}: {words}");

    world.write("mended.toml", &script.replace("planted = \"numbers_again\"\n", ""));
    let replay = ["sim", "replay", "mended.toml", "--trace"];
    let (code, words) = code_and_words(&world.run(&replay));
    assert_eq!(code, Some(0), "{words}");
    assert!(words.ends_with(" every rule held\n"), "{words}");
    world.assert_nothing_is_left();
}

#[test]
fn the_boundary_beyond_which_a_service_stays_down_is_found() {
    let world = World::new();
    let options = ["--seeds", "1", "--longest", "2s", "--load", "50,100"];
    let search = [&["sim", "metastable", "metastable"], &options[..]].concat();
    let (code, words) = code_and_words(&world.run(&search));
    assert_eq!(code, Some(0), "{words}");
    let boundaries: Vec<bool> = ["50 % ", "100 % "]
        .iter()
        .flat_map(|load| words.lines().filter(move |line| line.starts_with(load)))
        .map(|line| line.contains("never"))
        .collect();
    assert_eq!(boundaries, [true, true, false, true], "{words}");
    let output = world.run(&[&search[..], &["--json"]].concat());
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    let found = told["files"][0]["boundaries"].as_array().unwrap();
    let stays = found.iter().map(|one| one["stays_down_after"].as_f64());
    let stays: Vec<bool> = stays.map(|after| after.is_some()).collect();
    assert_eq!(
        (&told["files"][0]["unit"], stays),
        (&"seconds".into(), vec![false, false, true, false])
    );
    world.assert_nothing_is_left();
}

#[test]
fn what_cannot_be_meant_is_said() {
    let world = World::new();
    world.write("unknown.toml", "seed = 1\nsurprise = 2\n");
    let drill = "title = \"t\"\nload = { rate = 9, paths = [\"/\"] }\nobjective = { latency = \"1s\", success = \"99%\" }\n\
                 fleet.service.s = { command = [\"s\"], machines = [\"a\"] }\n[[schedule]]\nname = \"s\"\n\
                 duration = \"60s\"\nexpect = [\"any\"]\n";
    world.write(
        "zone.toml",
        &format!("{drill}faults = [{{ at = \"2s\", kill = {{ zone = \"a\" }} }}]\n"),
    );
    let spike = "faults = [{ at = \"2s\", lasts = \"2s\", spike = 2 }]\n";
    world.write("many.toml", &(drill.replace("rate = 9", "rate = 20000") + spike));
    let cases: [(&[&str], &str); 14] = [
        (
            &["swarm", "--seeds", "-3"],
            "'-3' for '--seeds <N>': allowed is a whole number from 1 to 4294967295",
        ),
        (
            &["swarm", "--from", "-3"],
            "'-3' for '--from <SEED>': allowed is a whole number from 0 to 9223372036854775807",
        ),
        (
            &["swarm", "--threads", "all"],
            "'all' for '--threads <N>': allowed is a whole number from 1 to 1024",
        ),
        (&["metastable", "--load", "-50"], "allowed is a whole number from 1 to 1000"),
        (
            &["swarm", "--from", "9223372036854775807", "--seeds", "2"],
            "the last seed is at most 92",
        ),
        (&["swarm", "--plant", "moths"], "[possible values: done_is_lost, answered_twice"),
        (&["replay", "none.toml"], "none.toml: No such file or directory"),
        (&["replay", "unknown.toml"], "unknown field `surprise`, expected one of `seed`"),
        (&["metastable", "bad-revisions"], "bad-revisions: no schedule has just one fault that"),
        (&["metastable", "zone.toml"], "not of one task by its name nor of a zone or machine"),
        (
            &["metastable", "many.toml", "--load", "100,200"],
            "many.toml: with --load 200 and --longest 10s: schedule[1].faults: the spike",
        ),
        (&["metastable", "--load", "0"], "allowed is a whole number from 1 to 1000"),
        (&["metastable", "--longest", "0s"], "allowed is a time from 1ms to 1h, such as 10s"),
        (&["metastable", "--longest", "-3s"], "allowed is a time from 1ms to 1h, such as 10s"),
    ];
    for (arguments, told) in cases {
        let (code, words) = code_and_words(&world.run(&[&["sim"], arguments].concat()));
        assert_eq!(code, Some(2), "{words}");
        assert!(words.contains(told), "{told} is not in: {words}");
    }
    world.assert_nothing_is_left();
}
