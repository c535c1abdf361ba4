//! `seaworthy drill`: verdicts, exit codes, messages; and that nothing is left running.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::process::Command;
use std::thread;

use rustix::process::Signal;
use serde_json::Value;

use crate::world::{World, code_and_words};

/// Two tasks of the store that are back soon, and a load of two seconds.
const FILE: &str = r#"
title = "a small drill"
prepare = [["seaworthy", "store", "generate", "--database", "{run}/store.db", "--products", "50"]]

[fleet.service.store]
command = ["seaworthy", "store", "serve", "--database", "{run}/store.db"]
provisioning = "200ms"
stop_timeout = "2s"
health = { path = "/health", interval = "200ms", timeout = "150ms" }

[load]
rate = 100
paths = ["/products?q=lamp", "/products/1"]

[objective]
latency = "150ms"
success = "90%"

[hypothesis]
window = "500ms"
tolerated_gap = "300ms"

[[schedule]]
name = "some"
duration = "3s"
faults = [FAULTS]
expect = ["EXPECT"]
"#;

fn file(faults: &str, expect: &str) -> String {
    FILE.replace("FAULTS", faults).replace("EXPECT", expect)
}

#[test]
fn one_of_two_tasks_is_stopped_and_users_notice_nothing() {
    let world = World::new();
    world.write("drill.toml", &file(r#"{ at = "1s", stop = 1 }"#, "up"));
    let output = world.judged("drill.toml", &["--json", "out.json"]);
    let (code, words) = code_and_words(&output);
    assert_eq!(code, Some(0), "{words}");
    assert!(words.contains("stop of 1 task: task-1"), "{words}");

    let text = fs::read_to_string(world.path("out.json")).unwrap();
    let report: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(report["schema"], 1);
    let cell = &report["cells"][0];
    let told = ["configuration", "schedule", "tasks", "stopped", "requests", "scale", "seed"];
    assert_eq!(told.map(|key| cell[key].to_string()), ["1", "\"some\"", "2", "1", "300", "1", "1"]);
    assert_eq!(cell["verdict"], "as_expected");
    let times = ["longest_gap_ms", "longest_silence_ms", "recovery_ms", "lateness_p99_ms"];
    assert!(times.iter().all(|key| cell[key].is_number()), "{cell}");
    assert_eq!(cell["shares"].as_object().unwrap().len(), 2);
    assert_eq!(cell["replacements"][0]["by"], "task-3");
    world.assert_nothing_is_left();
}

#[test]
fn all_tasks_are_killed_and_that_is_an_outage() {
    let world = World::new();
    world.write("drill.toml", &file(r#"{ at = "500ms", kill = "all" }"#, "down"));
    let output = world.judged("drill.toml", &["--json", "-"]);
    assert_eq!(output.status.code(), Some(0), "{}", code_and_words(&output).1);
    // Figures on standard output, words beside it.
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let cell = &report["cells"][0];
    assert_eq!((&cell["stopped"], &cell["expected"]), (&Value::from(2), &Value::from("down")));
    assert!(cell["failed"].as_u64() > Some(0), "{cell}");
    world.assert_nothing_is_left();
}

#[test]
fn a_wrong_expectation_deviates() {
    let world = World::new();
    world.write("drill.toml", &file(r#"{ at = "500ms", stop = 1 }"#, "down"));
    let (code, words) = code_and_words(&world.judged("drill.toml", &[]));
    assert_eq!(code, Some(1), "{words}");
    assert!(words.contains("expected down, but these faults leave a task"), "{words}");
}

#[test]
fn a_fault_that_cannot_be_done_is_invalid() {
    let world = World::new();
    world.write("drill.toml", &file(r#"{ at = "500ms", stop = "task-9" }"#, "up"));
    let (code, words) = code_and_words(&world.judged("drill.toml", &[]));
    assert_eq!(code, Some(3), "{words}");
    let why = "INVALID: the stop of task-9 at 500ms met no task: there was no task-9\n";
    assert!(words.contains(why), "{words}");
    world.assert_nothing_is_left();
}

#[test]
fn a_drill_that_is_ended_leaves_nothing_behind() {
    let world = World::new();
    world.write("drill.toml", &file(r#"{ at = "2s", stop = 1 }"#, "up"));
    for (signal, code) in [(Signal::INT, Some(130)), (Signal::TERM, Some(143))] {
        let started = world.start(&["drill", "drill.toml"], "the load begins");
        assert!(world.processes().len() > 4, "keeper, agent, gateway, tasks");
        assert_eq!(started.signal(signal), code);
        world.assert_nothing_is_left();
    }
    let started = world.start(&["drill", "drill.toml"], "the load begins");
    assert_eq!(started.signal(Signal::KILL), None);
    world.assert_no_process_is_left();
}

#[test]
fn a_drill_that_is_ended_keeps_the_figures_so_far() {
    let world = World::new();
    world.write("drill.toml", &file(r#"{ at = "1s", stop = 1 }"#, "up"));
    let arguments = ["drill", "drill.toml", "--repeat", "3", "--json", "out.json"];
    let started = world.start(&arguments, "[2/3]");
    assert_eq!(started.signal(Signal::INT), Some(130));
    let text = fs::read_to_string(world.path("out.json")).unwrap();
    let report: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&report["runs_done"], &report["runs_planned"]), (&1.into(), &3.into()));
    assert_eq!(report["verdict"], Value::Null);
    assert_eq!(report["cells"].as_array().unwrap().len(), 1);
    world.assert_nothing_is_left();
}

#[test]
fn a_fleet_that_does_not_come_up_says_why() {
    let world = World::new();
    let command = |command: &str| {
        let own = r#"["seaworthy", "store", "serve", "--database", "{run}/store.db"]"#;
        let quick = format!("{command}\nstart_timeout = \"300ms\"\nrestart_backoff = \"10ms\"");
        file(r#"{ at = "1s", stop = 1 }"#, "up").replace(own, &quick)
    };
    let cases = [
        (r#"["not-there"]"#, "not-there: there is no such program in PATH"),
        (r#"["sh", "-c", "echo out of fish; exit 7"]"#, "exited with status 7"),
        (r#"["sh", "-c", "echo out of fish; exit 7"]"#, "| out of fish"),
        (r#"["sleep", "1000"]"#, "no check passed within 300ms"),
    ];
    for (program, why) in cases {
        world.write("drill.toml", &command(program));
        let (code, words) = code_and_words(&world.run(&["drill", "drill.toml"]));
        assert_eq!(code, Some(2), "{words}");
        let key = "drill.toml: 1/some: no fleet comes up, see fleet.service.store.command";
        assert!(words.contains(key) && words.contains(why), "{words}");
        assert!(words.matches("no such program").count() < 2, "it is said twice:\n{words}");
        world.assert_nothing_is_left();
    }
}

#[test]
fn what_cannot_be_done_is_refused_by_name() {
    let world = World::new();
    let good = file(r#"{ at = "1s", stop = 1 }"#, "up");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let service = "[fleet.service.store]";
    let listen = format!("{service}\nlisten = \"{}\"", taken.local_addr().unwrap());
    let cases: [(&str, String, &[&str], &str); 13] = [
        (
            "a.toml",
            good.replace("rate = 100", "speed = 100"),
            &[],
            "a.toml: is not a drill, see load.speed: TOML parse",
        ),
        ("b.toml", good.replace("\"up\"", "\"slow\""), &[], "unknown variant `slow`"),
        (
            "c.toml",
            good.replace("stop = 1", "stop = 3"),
            &[],
            "c.toml: schedule[1].faults[1].stop:",
        ),
        (
            "d.toml",
            good.replace(service, &listen),
            &[],
            "d.toml: 1/some: no fleet comes up, see fleet.service.store.listen: service store: 127",
        ),
        ("e.toml", good.replace("generate", "destroy"), &[], "unrecognized subcommand 'destroy'"),
        (
            "f.toml",
            good.clone(),
            &["--scale", "10"],
            "f.toml: --scale: 10 is out of range; allowed is 1 to 2, or hypothesis.window ",
        ),
        ("g.toml", good.clone(), &["--cell", "1/none"], "--cell: `1/none` names no cell"),
        (
            "h.toml",
            good.clone(),
            &["--json", "no/such/out.json"],
            "--json no/such/out.json: cannot be written: No such file or directory",
        ),
        (
            "j.toml",
            good.replace("rate = 100", "rate = \"100\""),
            &[],
            "j.toml: load.rate: is not a whole number; allowed is 1 to 50000",
        ),
        (
            "k.toml",
            good.clone(),
            &["--sim", "--calibrate", "3"],
            "'--sim' cannot be used with '--calibrate <N>'",
        ),
        (
            "i.toml",
            good.clone(),
            &["--repeat", "0"],
            "invalid value '0' for '--repeat <N>': allowed is a whole number from 1 to 1000",
        ),
        (
            "i.toml",
            good.clone(),
            &["--scale", "-2"],
            "invalid value '-2' for '--scale <N>': allowed is a whole number, as high as the drill",
        ),
        (
            "i.toml",
            good,
            &["--seed", "x"],
            "invalid value 'x' for '--seed <N>': allowed is a whole number from 0 to 18446744073709551615",
        ),
    ];
    for (name, text, arguments, problem) in cases {
        world.write(name, &text);
        let (code, words) = code_and_words(&world.run(&[&["drill", name], arguments].concat()));
        assert_eq!(code, Some(2), "{words}");
        assert!(words.contains(problem), "`{problem}` is not in:\n{words}");
    }
    let (code, words) = code_and_words(&world.run(&["drill", "none.toml"]));
    assert!(
        code == Some(2) && words.contains("none.toml: cannot be read: No such file"),
        "{words}"
    );
    world.assert_nothing_is_left();
}

#[test]
fn a_simulated_drill_starts_nothing_and_says_the_same_twice() {
    let world = World::new();
    // No such program is needed.
    let text = file(r#"{ at = "1s", kill = "all" }"#, "down").replace("seaworthy", "no-such");
    world.write("drill.toml", &text);
    let run = || world.run(&["drill", "drill.toml", "--sim", "--json", "-"]);
    let output = run();
    assert_eq!(output.status.code(), Some(0), "{}", code_and_words(&output).1);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&report["simulated"], &report["cells"][0]["stopped"]), (&true.into(), &2.into()));
    assert_eq!(run().stdout, output.stdout);
    world.assert_nothing_is_left();
}

#[test]
fn figures_go_where_they_are_asked_for() {
    let world = World::new();
    world.write("drill.toml", &file(r#"{ at = "1s", kill = "all" }"#, "down"));
    let run = |out| world.run(&["drill", "drill.toml", "--sim", "--json", out]);
    let assert_report = |text: &[u8]| {
        let report: Value = serde_json::from_slice(text).unwrap();
        assert_eq!(report["verdict"], "as_expected");
    };
    // Whoever reads a pipe reads until everybody has closed it.
    let pipe = world.path("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let reader = thread::spawn(move || fs::read(pipe).unwrap());
    assert_eq!(run("pipe").status.code(), Some(0));
    assert_report(&reader.join().unwrap());
    // A link goes on to be one.
    world.write("last.json", "");
    symlink("last.json", world.path("link.json")).unwrap();
    assert_eq!(run("link.json").status.code(), Some(0));
    assert!(fs::symlink_metadata(world.path("link.json")).unwrap().is_symlink());
    assert_report(&fs::read(world.path("last.json")).unwrap());
    assert_report(&run("/dev/stdout").stdout);
    let (code, words) = code_and_words(&run("new/"));
    assert_eq!(code, Some(2));
    assert!(words.contains("--json new/: cannot be written: is a directory"), "{words}");
}

#[test]
fn a_verdict_that_nobody_reads_is_the_same() {
    let world = World::new();
    world.write("drill.toml", &file(r#"{ at = "500ms", stop = 1 }"#, "down"));
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = world.seaworthy(&["drill", "drill.toml", "--sim"]);
    let output = command.stdout(writer).output().unwrap();
    assert_eq!(code_and_words(&output), (Some(1), String::new()));
}

#[test]
fn what_cannot_be_simulated_is_refused() {
    let world = World::new();
    let exec = r#"{ at = "1s", exec = ["true"], proof = ["true"] }"#;
    let ask = r#"{ at = "1s", ask = "/faults/leak" }"#;
    let deploy = r#"{ at = "1s", deploy = { command = ["sleep", "600"] } }"#;
    let fleet = file(exec, "up");
    let target = fleet.replace("[fleet.service.store]", "target = \"http://127.0.0.1:1\"\n[x]");
    let (before, after) = target.split_once("[x]").unwrap();
    let target = before.to_owned() + &after[after.find("[load]").unwrap()..];
    let scaling = "[fleet.service.store.autoscaling]\nmaximum = 4\ncpu_percent = 50\n[load]";
    let scaled = file("", "up").replace("[load]", scaling);
    let cases = [
        (target.replace(exec, ""), "has a target in place of a fleet"),
        (fleet, "what a command does is known to the command only"),
        (
            file(ask, "up"),
            "what the program makes of it is not known; `model = { … }` beside it can say it",
        ),
        (
            scaled,
            "autoscaling.cpu_percent cannot be simulated, only run live: nobody says how much",
        ),
        (file(deploy, "up"), "what another program does is not known; deploy.model can say it"),
    ];
    for (text, why) in cases {
        world.write("drill.toml", &text);
        let (code, words) = code_and_words(&world.run(&["drill", "drill.toml", "--sim"]));
        assert_eq!(code, Some(2), "{words}");
        let told = words.contains("drill.toml: cell 1/some") && words.contains(why);
        assert!(told, "`{why}` is not in:\n{words}");
    }
    let (code, words) = code_and_words(&world.run(&["drill", "drill.toml", "--compare"]));
    assert_eq!(code, Some(2), "{words}");
    assert!(words.contains("deploy.model can say it"), "{words}");
    world.assert_nothing_is_left();
}

#[test]
fn what_is_measured_is_held_against_what_was_predicted() {
    let world = World::new();
    world.write("drill.toml", &file(r#"{ at = "1s", stop = 1 }"#, "up"));
    let compare = ["--compare", "--calibrate", "3", "--predict", "39", "--json", "out.json"];
    let (code, words) = code_and_words(&world.judged("drill.toml", &compare));
    let text = fs::read_to_string(world.path("out.json")).unwrap();
    let report: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(report["calibration"]["runs"], 3, "{text}");
    assert_eq!(words.matches("[calibration ").count(), 3, "{words}");
    let all = report["comparison"].as_array().unwrap();
    let inside = all.iter().filter(|one| one["inside"] == 1).count();
    assert!(all.len() > 10 && words.contains("Predicted by 39 simulated runs"), "{words}");
    let told = format!("{inside} of {} measured values are inside", all.len());
    assert!(words.contains(&told), "{words}");
    // Whether the model is right about this machine is another matter.
    let good = inside as f64 >= all.len() as f64 * 0.95;
    assert_eq!(code, Some(i32::from(!good)), "{words}");
    // Once more without a process, with the same outcome; of another drill it says nothing.
    let again = ["drill", "drill.toml", "--compare", "--predict", "39", "--measured", "out.json"];
    let output = world.run(&[&again[..], &["--json", "-"]].concat());
    let once_more: Value = serde_json::from_slice(&output.stdout).unwrap();
    let same = ["calibration", "comparison", "runs_done"].map(|key| once_more[key] == report[key]);
    assert_eq!((output.status.code(), same), (code, [true; 3]), "{once_more}");
    let (code, words) = code_and_words(&world.run(&[&again[..], &["--scale", "2"]].concat()));
    assert!(code == Some(2) && words.contains("this is of another drill"), "{words}");
    world.assert_nothing_is_left();
}

#[test]
fn a_dry_run_starts_nothing() {
    let world = World::new();
    let (code, words) = code_and_words(&world.run(&["drill", "--dry-run"]));
    assert_eq!(code, Some(0), "{words}");
    let told = ["1/one_by_one", "4/all_at_once", "nothing is started"];
    assert!(told.iter().all(|told| words.contains(told)), "{words}");
    world.assert_nothing_is_left();
}
