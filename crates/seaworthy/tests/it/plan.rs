//! `seaworthy plan`: the report's question, what cannot be meant, and exit codes.

use std::os::unix::fs::symlink;

use expect_test::expect_file;
use serde_json::Value;

use crate::world::{World, code_and_words};

/// The report's two tasks.
const FLEET: &str = r#"
[service.store]
command = ["not-started"]
provisioning = "60s..90s"
health = { interval = "5s", fast_interval = "5s", timeout = "2s", unhealthy_threshold = 2 }
call = { tries = 1, hedge = { enabled = false } }
"#;

/// What a live drill wrote.
const DRILLED: &str = include_str!("../../../drill/golden/report.json");

const ROUTE: &str =
    "[[service.store.route]]\nname = \"search\"\npath = \"/search\"\nbulkhead.size = 5\n";

#[test]
fn the_reports_question_is_answered() {
    let world = World::new();
    world.write("fleet.toml", FLEET);
    let plan = ["plan", "fleet.toml", "--target", "99.999%"];
    let (code, words) = code_and_words(&world.run(&plan));
    assert_eq!(code, Some(0), "{words}");
    let told = [
        "store: 99.999 % of requests are to succeed",
        "The cheapest that meets 99.999 %, also with all times at their longest (2.3 s a month fail): 2 tasks, $30 a month",
        "WHAT MAKES REQUESTS FAIL",
        "- each task fails once in 30.0 days on average, at any time as likely (--mttf)",
    ];
    assert!(told.iter().all(|told| words.contains(told)), "{words}");
    assert!(!words.contains('\x1b'), "colours in a pipe: {words}");

    // Two are needed, and it is the third that may fail.
    let load = ["--load", "200", "--capacity", "120", "--json"];
    let output = world.run(&[&plan[..], &load[..]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", code_and_words(&output).1);
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&answer["tasks_needed"], &answer["cheapest"]["tasks"]), (&2.into(), &3.into()));
    assert_eq!(answer["cheapest"]["price"], 45.0);
    let asked = &answer["asked"];
    assert_eq!(
        (&asked["load_per_second"], &asked["mttf_seconds"]),
        (&200.0.into(), &2_592_000.0.into())
    );
    world.assert_nothing_is_left();
}

/// What docs/choosing-settings.md shows of plans is what they say. `UPDATE_EXPECT=1` rewrites that; read the
/// difference, and the page's own words, before you believe it.
#[test]
fn the_page_shows_what_is_said() {
    let page = expect_file!["../../../../docs/choosing-settings.md"];
    let shown = page.data();
    let mut blocks: Vec<String> = shown.split("```").map(str::to_owned).collect();
    let world = World::new();
    let file = blocks.iter().find_map(|block| block.strip_prefix("toml\n"));
    let file = file.expect("the page has a fleet");
    world.write("fleet.toml", file);
    world.write("zones.toml", &format!("{file}machines = [\"a/1\", \"b/1\"]\n"));
    // Of drills that were run.
    let records = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/choosing-settings/drills.d");
    symlink(records, world.path("drills.d")).unwrap();
    for block in &mut blocks {
        let Some(command) =
            block.strip_prefix("\n$ seaworthy ").and_then(|rest| rest.lines().next())
        else {
            continue;
        };
        if !command.starts_with("plan ") {
            continue;
        }
        let (_, words) = code_and_words(&world.run(&command.split(' ').collect::<Vec<_>>()));
        let words = words.trim_end().lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
        let own = ["BESIDE ", "WHAT GOES "].into_iter().zip(["--drills", "zones.toml"]);
        let mut own = own.filter(|(_, sign)| command.contains(sign)).map(|(title, _)| title);
        let shown = if let Some(own) = own.next() {
            let part = |title: &str| words.split("\n\n").find(|part| part.starts_with(title));
            let [verdict, causes, own] = ["The cheapest ", "WHAT MAKES ", own].map(part);
            let [verdict, causes, own] = [verdict, causes, own].map(Option::unwrap);
            format!("…\n{verdict}\n\n{causes}\n…\n{own}\n…")
        } else if block.ends_with("\n…\n") {
            // It ends with the first that is refused.
            let refused = words.find("\nREFUSED\n- ").expect("something is refused");
            let end = words[refused..].match_indices('\n').nth(2).expect("a line after it").0;
            format!("{}\n…", &words[..refused + end])
        } else {
            words
        };
        *block = format!("\n$ seaworthy {command}\n{shown}\n");
    }
    page.assert_eq(&blocks.join("```"));
}

#[test]
fn a_target_that_nobody_meets_shows_the_nearest() {
    let world = World::new();
    world.write("fleet.toml", FLEET);
    let output = world.run(&["plan", "fleet.toml", "--target", "99.9999999%"]);
    let (code, words) = code_and_words(&output);
    assert_eq!(code, Some(1), "{words}");
    assert!(words.contains(" candidates meets 99.9999999 %. The nearest: "), "{words}");
    // What it says would do does.
    let (_, remedy) = words.split_once("What would do: --target ").expect("it is said");
    let (target, remedy) = remedy.split_once(", or ").expect("there are two");
    let (_, mttf) = remedy.split_once("(--mttf ").expect("it is said");
    let (mttf, _) = mttf.split_once(')').expect("it ends");
    for arguments in
        [["--target", target, "--mttf", "30d"], ["--target", "99.9999999", "--mttf", mttf]]
    {
        let (code, words) =
            code_and_words(&world.run(&[&["plan", "fleet.toml"], &arguments[..]].concat()));
        assert_eq!(code, Some(0), "{words}");
    }
}

/// Who waits hardly longer than an answer takes is late as soon as a few more come at once, which no closed form knows, and
/// which does not come of failures.
#[test]
fn what_would_do_does_so_in_the_simulation_as_well() {
    let world = World::new();
    world.write("fleet.toml", &FLEET.replace("command", "most_in_flight = 2\ncommand"));
    let plan = |more: &[&str]| {
        let plan = ["plan", "fleet.toml", "--load", "80", "--patience", "110ms", "--target"];
        code_and_words(&world.run(&[&plan[..], more].concat()))
    };
    let (code, words) = plan(&["99.9999999"]);
    assert_eq!(code, Some(1), "{words}");
    assert!(words.contains("\nthe nearest  nothing, for a month"), "{words}");
    let (_, remedy) = words.split_once("What would do: --target ").expect("it is said");
    let target = remedy.lines().next().expect("it ends");
    assert!(!target.contains("as rarely"), "{target}");
    let (code, words) = plan(&[target]);
    assert_eq!(code, Some(0), "{words}");
    let (_, json) = plan(&["99.9999999", "--json"]);
    let nearest = &serde_json::from_str::<Value>(&json).expect("it is JSON")["nearest"];
    let longest = nearest["failed_share_range"][1].as_f64();
    assert!(nearest["failed_share_as_simulated"].as_f64() > longest, "{nearest}");
    assert!(nearest["events"].as_array().is_some_and(|events| events.len() > 1), "{nearest}");
}

/// Tasks fail too often for all of them: it says so, and from when on something works.
#[test]
fn where_nothing_can_work_the_nearest_that_can_is_shown() {
    let world = World::new();
    world.write("fleet.toml", FLEET);
    let plan = ["plan", "fleet.toml", "--target"];
    let (code, words) =
        code_and_words(&world.run(&[&plan[..], &["50%", "--mttf", "5min"]].concat()));
    assert_eq!(code, Some(1), "{words}");
    let told = [
        "can work. The nearest that can, with --mttf 935s: 1 task, $15 a month",
        "The file as it is cannot work: a task fails once in 300 s (--mttf)",
    ];
    assert!(told.iter().all(|told| words.contains(told)), "{words}");

    // What works then does not meet every target, and what does is said.
    let (_, words) =
        code_and_words(&world.run(&[&plan[..], &["99.95%", "--mttf", "5min"]].concat()));
    let (_, meets) =
        words.split_once("it works, and meets 99.95 % with --mttf ").expect("it is said");
    let mttf = meets.lines().next().expect("it ends");
    let (code, words) =
        code_and_words(&world.run(&[&plan[..], &["99.95%", "--mttf", mttf]].concat()));
    assert_eq!(code, Some(0), "{words}");
}

#[test]
fn a_load_that_one_task_is_taken_to_bear_is_a_warning() {
    let world = World::new();
    world.write("fleet.toml", FLEET);
    let plan = ["plan", "fleet.toml", "--target", "99%", "--load", "200"];
    let (_, words) = code_and_words(&world.run(&plan));
    let warning =
        "WARNING: nobody said what one task can bear, so any one is taken to bear all 200";
    assert!(words.lines().nth(1).is_some_and(|line| line.starts_with(warning)), "{words}");
    let (_, words) = code_and_words(&world.run(&[&plan[..], &["--capacity", "300"]].concat()));
    assert!(!words.contains("WARNING"), "{words}");
    assert!(
        words
            .contains("- in closed form requests come evenly, and hedges and retries take nothing"),
        "{words}"
    );
    let (_, words) = code_and_words(&world.run(&[&plan[..], &["--capacity", "101"]].concat()));
    let warning = "WARNING: 200 requests a second are 99.0 % of what 2 tasks bear; arrivals are taken as even, and they are not: close to 100 %";
    assert!(words.lines().nth(1).is_some_and(|line| line.starts_with(warning)), "{words}");
}

#[test]
fn a_task_bears_no_more_than_it_may_have_in_flight() {
    let world = World::new();
    world.write("fleet.toml", &FLEET.replace("command", "most_in_flight = 5\ncommand"));
    let plan = ["plan", "fleet.toml", "--target", "99.95", "--load", "200", "--capacity", "500"];
    let (_, words) = code_and_words(&world.run(&plan));
    let told = [
        "4 of its tasks must be up",
        "a task bears 50 by its most_in_flight over --latency, which is less than 500 (--capacity)",
    ];
    assert!(told.iter().all(|told| words.contains(told)), "{words}");
}

/// Each way out that is named is one.
#[test]
fn where_nothing_can_work_the_way_out_is_named() {
    let world = World::new();
    world.write("fleet.toml", &FLEET.replace("command", "machines = [\"a/1\", \"b/1\"]\ncommand"));
    world.write(
        "search.toml",
        &format!("{FLEET}\n{}", ROUTE.replace("bulkhead.size = 5", "breaker = {}")),
    );
    let told = |file: &str, more: &[&str]| {
        code_and_words(&world.run(&[&["plan", file, "--target", "90"], more].concat())).1
    };
    let start = told("fleet.toml", &["--start", "10d"]);
    assert!(
        start.contains("start_timeout = \"3600s\" with a start of less than 3595s (--start)"),
        "{start}"
    );
    let zone = told("fleet.toml", &["--zone-mttf", "1s"]);
    assert!(zone.contains("The nearest that can, with --zone-mttf 935s: "), "{zone}");
    let both = told("fleet.toml", &["--mttf", "1s", "--machine-mttf", "1s"]);
    assert!(both.contains("can, with --mttf 935s --machine-mttf 935s: "), "{both}");
    let breaker = told("search.toml", &["--load", "0.5", "--share", "search=20%"]);
    let way =
        "it can never open; allowed is a smaller breaker.minimum_calls, a longer breaker.window";
    assert!(breaker.contains("None of") && breaker.contains(way), "{breaker}");
}

#[test]
fn amounts_are_told_with_as_many_digits_as_say_something() {
    let world = World::new();
    world.write("fleet.toml", FLEET);
    let plan = ["plan", "fleet.toml", "--target", "99", "--price", "0.0001", "--load", "5"];
    let (_, words) = code_and_words(&world.run(&[&plan[..], &["--capacity", "0.909"]].concat()));
    let told = [
        "6 tasks, $0.00060 a month",
        "1 x 0.909 requests a second are 0.909",
        "2 x 0.909 requests a second are 1.818,",
    ];
    assert!(told.iter().all(|told| words.contains(told)), "{words}");
    let (_, words) = code_and_words(&world.run(&plan));
    let same = |line: &&str| {
        let mut shares = line.split_whitespace().skip_while(|word| !word.contains("e-"));
        let from = shares.next();
        shares.next() == Some("->") && shares.next() == from
    };
    assert_eq!(words.lines().find(same), None, "{words}");
}

#[test]
fn starts_come_from_drills() {
    let world = World::new();
    world.write("fleet.toml", FLEET);
    world
        .write("checks.toml", &FLEET.replace("health = {", "health = { passive.enabled = false, "));
    std::fs::create_dir(world.path("drills")).unwrap();
    let report = r#"{ "schema": 1, "simulated": false, "cells": [{ "scale": 10,
        "verdict": "as_expected", "detections": [{ "fault": "hang", "took_ms": 910.0 }],
        "replacements": [{ "own_start_ms": 61.0, "window_ms": 8317.0 }] }] }"#;
    let simulated = report.replace("false", "true");
    let plan = |fleet| ["plan", fleet, "--target", "99.95", "--drills", "drills", "--start", "2s"];
    let cases = [
        (
            "drills/notes.txt",
            "not looked at",
            2,
            "none of 0 reports tells of a task of `store` that was replaced or hung",
        ),
        ("drills/c.json", DRILLED, 0, "a process takes 61 ms to be ready: measured 2 times"),
        ("drills/a.json", report, 0, "a process takes 61 ms to be ready: measured 3 times"),
        (
            "drills/a.json",
            report,
            0,
            "nothing was measured; left out: 1 hang of drills that are faster than life",
        ),
        ("drills/b.json", &simulated, 2, "b.json: is of a drill with --sim"),
        ("drills/b.json", "", 2, "b.json: is no report of `seaworthy drill --json`"),
        ("drills/b.json", "[1,2]", 2, "invalid type: sequence, expected a map"),
        ("drills/b.json", "{}", 2, "--drills takes no other *.json: missing field `schema`"),
    ];
    for (name, text, expected, told) in cases {
        world.write(name, text);
        let (code, words) = code_and_words(&world.run(&plan("fleet.toml")));
        assert_eq!(code, Some(expected), "{words}");
        assert!(words.contains(told), "`{told}` is not in:\n{words}");
    }
    std::fs::remove_file(world.path("drills/b.json")).unwrap();
    let (_, words) = code_and_words(&world.run(&plan("checks.toml")));
    for told in [
        "one that ended is replaced  60 s to 95 s     83 s",
        "a hang is found by checks   7.0 s to 12 s    9.1 s",
    ] {
        assert!(words.contains(told), "`{told}` is not in:\n{words}");
    }
}

/// Who waits for hours misses nothing where none hangs, and all may be sent again.
#[test]
fn where_nothing_fails_all_succeed() {
    let world = World::new();
    world.write("fleet.toml", "[service.store]\ncommand = [\"not-started\"]\n");
    let plan = ["plan", "fleet.toml", "--target", "99.99", "--patience", "10h"];
    let plan = [&plan[..], &["--hangs", "0", "--writes", "0"]].concat();
    let (code, words) = code_and_words(&world.run(&plan));
    assert_eq!(code, Some(0), "{words}");
    let step = |line: &&str| line.starts_with("all  ") && line.contains("  all  ");
    assert!(words.lines().any(|line| step(&line)) && !words.contains("inf"), "{words}");
    let output = world.run(&[&plan[..], &["--json"]].concat());
    serde_json::from_slice::<Value>(&output.stdout).expect("it is JSON");
}

/// Of three tasks in two zones one zone has two.
#[test]
fn what_a_zone_takes_is_told_for_each_number_of_tasks() {
    let world = World::new();
    world.write("fleet.toml", &FLEET.replace("command", "machines = [\"a/1\", \"b/1\"]\ncommand"));
    let plan = ["plan", "fleet.toml", "--target", "99.9", "--load", "200", "--capacity", "120"];
    let ask = |more: &[&str]| code_and_words(&world.run(&[&plan[..], more].concat())).1;
    let unknown = ask(&[]);
    let told = [
        "2      a 1, b 1  1             1                1 at worst: too few",
        "3      a 2, b 1  1 or 2        1 or 2           1 at worst: too few",
        "4      a 2, b 2  2             2                2 at worst: enough",
        "- that a zone is lost, with all tasks there, is not reckoned with: --zone-mttf says how often one is",
    ];
    assert!(told.iter().all(|told| unknown.contains(told)), "{unknown}");
    assert!(!unknown.contains("\nzone "), "{unknown}");
    let known = ask(&["--zone-mttf", "365d"]);
    let told = ["\nzone ", "- each zone fails once in 365.0 days on average (--zone-mttf)"];
    assert!(told.iter().all(|told| known.contains(told)), "{known}");
    let none = ask(&["--mttf", "5min"]);
    assert!(none.contains("can work") && !none.contains("WHAT GOES TOGETHER"), "{none}");
    world.write("nowhere.toml", FLEET);
    let problem =
        "--machine-mttf: service.store does not say what is where; allowed is it with machines";
    let arguments = ["--target", "99", "--machine-mttf", "9d"];
    assert_refused(&world, &[("nowhere.toml", &arguments, problem)]);
}

/// Twelve a second come to search, and 48 to all others, which have no bulkhead.
#[test]
fn a_route_is_asked_for_by_itself() {
    let world = World::new();
    let route =
        "[[service.store.route]]\nname = \"search\"\npath = \"/search\"\nbulkhead.size = 5\n";
    world.write("fleet.toml", &format!("{FLEET}\n{route}"));
    let plan = ["plan", "fleet.toml", "--target", "99", "--capacity", "100", "--load", "60"];
    let ask = |more: &[&str]| code_and_words(&world.run(&[&plan[..], more].concat())).1;
    let search = ask(&["--route", "search", "--share", "20"]);
    let told = [
        "store, route search: 99 % of requests",
        "those of `call`, `breaker` and `bulkhead` of its route `search`",
        "of the requests by the route `search`, 20 % of all (--share); not of those by default",
    ];
    assert!(told.iter().all(|told| search.contains(told)), "{search}");
    assert!(!search.contains("WARNING") && !search.contains("cannot work"), "{search}");
    let all = ask(&["--route", "search"]);
    let told = [
        "are taken to come by the route `search`; say which share",
        "60 requests a second of 100ms each are 6 under way",
    ];
    assert!(told.iter().all(|told| all.contains(told)), "{all}");
    assert!(!ask(&["--route", "default"]).contains("cannot work"));
}

#[test]
fn all_routes_are_asked_for_at_once() {
    let world = World::new();
    world.write("fleet.toml", &format!("{FLEET}\n{ROUTE}"));
    let plan = ["plan", "fleet.toml", "--target", "99", "--capacity", "100", "--load", "60"];
    let ask = |more: &[&str]| code_and_words(&world.run(&[&plan[..], more].concat()));
    let (code, words) = ask(&["--share", "search=20%"]);
    assert_eq!(code, Some(0), "{words}");
    let told = [
        "store, by default 80 %, search 20 %: 99 % of requests",
        "WHAT FAILS BY ROUTE: of its own requests\nROUTE    OF ALL  THE FILE  CHOSEN\ndefault  80 %",
        "- requests come by default 80 %, search 20 % (--share)",
    ];
    assert!(told.iter().all(|told| words.contains(told)), "{words}");
    let full = "route search: 54 requests a second of 100ms each are 5.4 under way";
    assert!(ask(&["--share", "search=90"]).1.contains(full));
    // Whoever says that all come by one route is not told to say it.
    let (_, all) = ask(&["--share", "search=100%"]);
    assert!(!all.contains("WARNING"), "{all}");
    assert!(
        all.contains("- requests come by search 100 %, and none by default (--share)"),
        "{all}"
    );
    let cases: [(&[&str], &str); 9] = [
        (
            &["--share", "search=-5%"],
            "--share search: -5 is out of range; allowed is 0.0001 to 100 %",
        ),
        (
            &["--share", "search=120"],
            "--share search: 120 is out of range; allowed is 0.0001 to 100 %",
        ),
        (&["--share", "search=20", "--share", "30"], "--share 30%: says not of which route"),
        (&["--share", "cart=20"], "--share `cart` is not there; allowed is one of search, default"),
        (&["--share", "search=20", "--share", "search=3"], "--share search: is given twice"),
        (
            &["--share", "search=70", "--share", "default=70"],
            "--share: these are 140 % in all; allowed is 100 %",
        ),
        (&["--share", "search=20", "--share", "default=20"], "--share: these are 40 % in all"),
        (&["--share", "search=100", "--route", "default"], "--route default: nothing comes by it"),
        (&["--share", "search=x"], "allowed is a percentage"),
    ];
    for (more, problem) in cases {
        let (code, words) = ask(more);
        assert_eq!(code, Some(2), "{words}");
        assert!(words.contains(problem), "`{problem}` is not in:\n{words}");
    }
}

/// At each count that autoscaling may ask for, as the file is read.
#[test]
fn what_a_fleet_file_may_not_have_is_not_chosen() {
    let world = World::new();
    let more = "desired_count = 4\nminimum_healthy_percent = 50\nmaximum_percent = 125\n\
                autoscaling = { minimum = 2, maximum = 8, requests_per_task = 50 }\n";
    world.write("fleet.toml", &FLEET.replace("command", &format!("{more}command")));
    let plan = ["plan", "fleet.toml", "--target", "99.99%", "--load", "300", "--capacity", "120"];
    let (_, words) = code_and_words(&world.run(&plan));
    let refused = "of 2, which autoscaling may ask for, keeps 2, and maximum_percent 125 allows 2 in all: a deployment could never move";
    assert!(words.contains(refused), "{words}");
    let output = world.run(&[&plan[..], &["--json"]].concat());
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    let chosen = if told["cheapest"].is_null() { &told["nearest"] } else { &told["cheapest"] };
    let [floor, ceiling] =
        ["minimum_healthy_percent", "maximum_percent"].map(|key| chosen[key].as_u64());
    assert!(floor <= Some(50) || ceiling >= Some(150), "{floor:?} {ceiling:?}");
}

/// Two tasks that hang together are found out as late as one, and nobody answers meanwhile.
#[test]
fn a_hang_of_all_tasks_lasts_until_somebody_notices() {
    let world = World::new();
    let fleet = "[service.s]\ncommand = [\"x\"]\nbalancing = \"round_robin\"\n\
                 health = { protocol = \"tcp\", passive.enabled = false }\n\
                 call = { tries = 1, hedge.enabled = false, queue.enabled = false }\n";
    world.write("fleet.toml", fleet);
    let plan = ["plan", "fleet.toml", "--target", "99.99%", "--load", "200", "--capacity", "120"];
    let hangs = ["--hangs", "100", "--common-cause", "100", "--json"];
    let output = world.run(&[&plan[..], &hangs].concat());
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    let failed = told["now"]["causes"]["common_cause"].as_f64().unwrap();
    // Fifteen minutes and a second of thirty days.
    assert!((failed / (901.0 / 2_592_000.0) - 1.0).abs() < 0.01, "{failed}");
    assert_eq!(told["now"]["meets_target"], false);
}

/// What the default has a route has that leaves it out, and beside a breaker fourteen permits tell too little.
#[test]
fn a_change_that_another_route_must_not_have_is_not_chosen() {
    let world = World::new();
    let fleet = "[service.store]\ncommand = [\"not-started\"]\nprovisioning = \"60s..90s\"\n";
    let route = "[[service.store.route]]\nname = \"search\"\npath = \"/search\"\nbreaker = {}\n";
    world.write("fleet.toml", &format!("{fleet}{route}"));
    let plan = ["plan", "fleet.toml", "--route", "default", "--target", "99.99%", "--load", "16"];
    let (_, words) = code_and_words(&world.run(&[&plan[..], &["--capacity", "9"]].concat()));
    assert!(words.contains("route search, which has what the default has: "), "{words}");
}

#[test]
fn it_is_said_after_which_time_a_breaker_opens() {
    let world = World::new();
    world.write("fleet.toml", &format!("{FLEET}breaker = {{}}\n"));
    let plan = ["plan", "fleet.toml", "--target", "99", "--capacity", "100", "--load", "20"];
    let (code, words) = code_and_words(&world.run(&plan));
    assert_eq!(code, Some(0), "{words}");
    let told = "- when every request by `default` hangs, its breaker opens after ";
    assert!(words.contains(told), "{words}");
    let output = world.run(&[&plan[..], &["--json"]].concat());
    let figures: Value = serde_json::from_slice(&output.stdout).unwrap();
    let after = figures["now"]["time_to_trip_seconds"].as_f64().unwrap();
    assert!((1.0..600.0).contains(&after), "{after}");
}

/// Two machines that die four times a day are down together now and then, whatever else is chosen: all that was passed over is
/// compared with none.
#[test]
fn where_nothing_is_chosen_nothing_is_no_dearer() {
    let world = World::new();
    world.write("fleet.toml", &FLEET.replace("command", "machines = [\"a/1\", \"b/1\"]\ncommand"));
    let plan = ["plan", "fleet.toml", "--target", "99.9995", "--machine-mttf", "6h"];
    let (code, words) = code_and_words(&world.run(&plan));
    assert_eq!(code, Some(1), "{words}");
    assert!(words.contains("\nPassed over, as enough with as many tasks"), "{words}");
    assert!(!words.contains("no dearer"), "{words}");
}

/// What the load needs is more than the file has: it says so, and what would do.
#[test]
fn too_few_tasks_for_the_load_are_refused() {
    let world = World::new();
    world.write("fleet.toml", FLEET);
    let plan = ["plan", "fleet.toml", "--target", "99.99", "--load", "300", "--capacity", "120"];
    let (code, words) = code_and_words(&world.run(&plan));
    assert_eq!(code, Some(0), "{words}");
    let told = [
        "3 of its tasks must be up",
        "The file as it is cannot work: 2 x 120 requests a second are 240, and 300 come",
        "The cheapest that meets 99.99 %, also with all times at their longest (59 s a month fail): 3 tasks, $45 a month",
        "with 2 up and 3 needed, 2.0e-1 of the requests fail if a bulkhead",
        "\nWHAT MAKES REQUESTS FAIL\nCAUSE         THE FILE  A MONTH  CHOSEN",
        "\nreplicas      -         -        ",
        "\nall           -         -        ",
    ];
    for told in told {
        assert!(words.contains(told), "`{told}` is not in:\n{words}");
    }
    world.write("routes.toml", &format!("{FLEET}\n{ROUTE}"));
    let plan = [&["plan", "routes.toml", "--share", "search=1"], &plan[2..]].concat();
    let (_, words) = code_and_words(&world.run(&plan));
    let told = "CHOSEN\ndefault  99 %    -         ";
    assert!(words.contains(told), "`{told}` is not in:\n{words}");
}

#[test]
fn what_cannot_be_meant_is_refused_by_name() {
    let world = World::new();
    world.write("fleet.toml", FLEET);
    let none = FLEET.replace("command", "desired_count = 0\ncommand");
    world.write("none-wanted.toml", &none);
    let cases: [(&str, &[&str], &str); 21] = [
        (
            "fleet.toml",
            &["--target", "101%"],
            "--target: 101 is out of range; allowed is 1 to 99.9999999 %, of which 99.9999999 is the nearest",
        ),
        ("fleet.toml", &["--target", "-5%"], "--target: -5 is out of range; allowed is 1 to"),
        ("fleet.toml", &["--target", "0%"], "99.9999999 %, of which 1 is the nearest"),
        ("fleet.toml", &["--target", "0.9995"], "too small; the share 0.9995 is 99.95%"),
        ("fleet.toml", &["--target", "most"], "allowed is a percentage, such as 99.95%"),
        (
            "fleet.toml",
            &["--target", "NaN"],
            "--target: NaN is no number; allowed is 1 to 99.9999999 %",
        ),
        (
            "none-wanted.toml",
            &["--target", "99"],
            "none-wanted.toml: service.store.desired_count: 0 is out of range; allowed is 1 to 100",
        ),
        (
            "fleet.toml",
            &["--target", "99", "--load", "-5"],
            "--load: -5 is out of range; allowed is 0.000001 to 1000000 requests a second",
        ),
        ("fleet.toml", &["--target", "99", "--load", "1e300"], "of which 1000000 is the nearest"),
        ("fleet.toml", &["--target", "99", "--price", "-1"], "--price: -1 is out of range"),
        (
            "fleet.toml",
            &["--target", "99", "--capacity", "5"],
            "--capacity: means nothing without --load",
        ),
        (
            "fleet.toml",
            &["--target", "99", "--mttf", "exp:5s"],
            "`exp:5s` is no time; allowed is the time on average, such as 30d; it is exponential",
        ),
        (
            "fleet.toml",
            &["--target", "99", "--start", "5s..1s"],
            "--start: 5 s to 1 s ends before it begins; allowed is a span from short to long, such as 1s..5s",
        ),
        (
            "fleet.toml",
            &["--target", "99", "--latency", "0s"],
            "--latency: 0 s is out of range; allowed is 1us to 1000years",
        ),
        (
            "fleet.toml",
            &["--target", "99", "--latency", "3s"],
            "--latency and --patience: every answer takes 3 s, and after 2 s it is too late; allowed is a \
             --patience longer than --latency, such as --patience 6s",
        ),
        ("fleet.toml", &["--target", "99", "--mttf", "0s"], "--mttf: 0 s is out of range"),
        (
            "fleet.toml",
            &["--target", "99", "--mttf", "soon"],
            "`soon` is no time; allowed is the time on average, such as 30d",
        ),
        (
            "fleet.toml",
            &["--target", "99", "--load", "1000", "--capacity", "1"],
            "need 1000 tasks, and a service has at most 100; allowed is up to 100 a second",
        ),
        ("none.toml", &["--target", "99"], "none.toml: No such file"),
        (
            "fleet.toml",
            &["--target", "99", "--start", "normal(3s, 1s)"],
            "any time is as likely, such as 2s..5s; no other distribution is known",
        ),
        (
            "fleet.toml",
            &["--target", "99", "--hangs", "60", "--sick", "50"],
            "--hangs and --sick together: 110 is out of range; allowed is 0 to 100 %",
        ),
    ];
    assert_refused(&world, &cases);
}

#[test]
fn whose_requests_are_meant_is_said_by_name() {
    let world = World::new();
    world.write("fleet.toml", FLEET);
    world.write("two.toml", &format!("{FLEET}\n[service.orders]\ncommand = [\"x\"]\n"));
    world.write("routes.toml", &format!("{FLEET}\n{ROUTE}"));
    let target = ["--target", "99"];
    let cases: [(&str, &[&str], &str); 7] = [
        ("two.toml", &[], "two.toml: --service is missing; allowed is one of orders, store"),
        (
            "two.toml",
            &["--service", "carts"],
            "--service `carts` is not there; allowed is one of orders, store",
        ),
        ("routes.toml", &[], "routes.toml: --route is missing; allowed is one of search, default"),
        (
            "routes.toml",
            &["--route", "x"],
            "--route `x` is not there; allowed is one of search, default",
        ),
        ("fleet.toml", &["--load", "9", "--share", "0"], "--share: 0 is out of range; allowed is"),
        (
            "routes.toml",
            &["--route", "search", "--share", "5"],
            "--share: means nothing without --load",
        ),
        (
            "fleet.toml",
            &["--load", "100", "--share", "10"],
            "--share: all requests come by the one route of service.store; allowed is a share where others have \
             [[service.store.route]]",
        ),
    ];
    for (file, arguments, problem) in cases {
        assert_refused(&world, &[(file, &[&target[..], arguments].concat(), problem)]);
    }
}

fn assert_refused(world: &World, cases: &[(&str, &[&str], &str)]) {
    for (file, arguments, problem) in cases {
        let (code, words) = code_and_words(&world.run(&[&["plan", file], *arguments].concat()));
        assert_eq!(code, Some(2), "{words}");
        assert!(words.contains(problem), "`{problem}` is not in:\n{words}");
    }
}

/// Without a queue chance turns some away: in closed form two tasks are enough, and in the simulation they are not.
#[test]
fn what_one_of_each_costs_is_told_and_counts() {
    let world = World::new();
    let fleet = "[service.store]\ncommand = [\"store\"]\ndesired_count = 5\nmost_in_flight = 5\n\
                 call = { queue.enabled = false, tries = 1, hedge.enabled = false }\n";
    world.write("fleet.toml", fleet);
    let plan = ["plan", "fleet.toml", "--load", "100", "--target"];
    let (code, words) = code_and_words(&world.run(&[&plan[..], &["99.9%"]].concat()));
    assert_eq!(code, Some(0), "{words}");
    for told in [
        "WHAT ONE OF EACH COSTS: requests that fail, as reckoned, and in the simulation",
        "\nthe file  nothing, for a month",
        "\nthe file  a task hangs",
        "\nrefuted   nothing, for a month",
        "not as reckoned",
        "Cheaper, but as simulated only ",
    ] {
        assert!(words.contains(told), "`{told}` is not in:\n{words}");
    }
    let (_, json) = code_and_words(&world.run(&[&plan[..], &["99.9%", "--json"]].concat()));
    let json: serde_json::Value = serde_json::from_str(&json).expect("it is JSON");
    let share = |of: &str| json[of]["failed_share_as_simulated"].as_f64().expect("it is told");
    assert!(share("cheapest") <= 1e-3 && share("only_in_closed_form") > 1e-3, "{json}");
    let events = json["cheapest"]["events"].as_array().expect("they are told");
    let names: Vec<_> = events.iter().filter_map(|event| event["event"].as_str()).collect();
    let all = [
        "nothing, for a month",
        "a task dies",
        "a task hangs",
        "all tasks die at once",
        "a deployment",
    ];
    assert_eq!(names, all);
}
