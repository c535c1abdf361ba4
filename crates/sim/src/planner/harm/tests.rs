//! What requests do while a task is bad, or too few are up, held against arithmetic by hand.

use seaworthy_core::balance::Algorithm;
use seaworthy_core::call::Route;
use seaworthy_core::fleet::Fleet;

use crate::planner::example::{self, CHECKS, MTTF, PLAIN, causes, close, question};
use crate::planner::{Candidate, Causes, Evidence, Question, Timing, World, ask};

fn fleet(settings: &str) -> Fleet {
    example::fleet(&format!("provisioning = \"60s..65s\"\n{settings}"))
}

/// A drill that had a task hang, and found it after so many milliseconds, so many times faster than life.
fn found_after(took_ms: f64, scale: f64) -> Evidence {
    let report = format!(
        r#"
        schema = 1
        simulated = false
        [[cells]]
        scale = {scale:?}
        verdict = "as_expected"
        replacements = []
        detections = [{{ fault = "hang", took_ms = {took_ms:?} }}]
        "#
    );
    let mut evidence = Evidence::default();
    evidence.add(&toml::from_str(&report).unwrap()).unwrap();
    evidence
}

/// A hedge waits until it is known what is usual, which takes twenty answers in ten seconds.
#[test]
fn of_few_requests_none_is_hedged() {
    let late = |load| {
        let fleet = fleet(&format!(
            "desired_count = 2\n{CHECKS}call = {{ tries = 2, hedge.enabled = true }}\n"
        ));
        let question = question(&fleet);
        let world = World { hangs_percent: 100.0, writes_percent: 0.0, ..question.world };
        causes(&Question { world, load: Some(load), ..question }).detection * MTTF
    };
    close(late(1.9), 9.5);
    assert!(late(2.0) == 0.0);
}

/// A task answers after 100 ms, and its hedge is sent after as long, or after what the file says.
#[test]
fn another_try_is_of_use_to_who_still_waits() {
    let of_two = |call: &str, patience, hangs_percent| {
        let fleet = fleet(&format!("desired_count = 2\n{CHECKS}call = {{ tries = 2, {call} }}\n"));
        let question = question(&fleet);
        let world = World { patience, hangs_percent, writes_percent: 0.0, ..question.world };
        let Causes { detection, cut, .. } = causes(&Question { world, ..question });
        (detection * MTTF, cut * MTTF)
    };
    // 9.5 s until it is found.
    let hedge = |at_least: &str| format!("hedge = {{ enabled = true, at_least = \"{at_least}\" }}");
    let late = |at_least, patience| of_two(&hedge(at_least), patience, 100.0).0;
    assert!(late("5ms", 2.0) == 0.0 && late("1s", 1.2) == 0.0);
    close(late("5ms", 0.15), 9.5);
    close(late("1s", 1.05), 9.5);
    // One that dies has half of those whom it would have answered in the last 50 ms.
    assert!(of_two("hedge.enabled = false", 0.2, 0.0).1 == 0.0);
    close(of_two("hedge.enabled = false", 0.15, 0.0).1, 0.05);
}

#[test]
fn what_comes_shortly_before_a_task_waits_for_it() {
    let replicas = |call: &str, load| {
        let fleet = fleet(&format!("desired_count = 1\n{CHECKS}{call}"));
        causes(&Question { load, ..question(&fleet) }).replicas
    };
    // 60 to 65 s; 2 s less what an answer takes are waited.
    let all = 62.5 / MTTF;
    let waits = |seconds: f64| (62.5 - seconds) / MTTF;
    close(replicas("call = { queue.enabled = false }\n", None), all);
    close(replicas("call = {}\n", None), waits(1.9));
    close(replicas("call = { timeout = \"1s\" }\n", None), waits(0.9));
    // A queue of a thousand is full after half a second.
    close(replicas("call = {}\n", Some(2000.0)), waits(0.5));
}

/// 200 requests a second come, and one task bears 120: three of five are answered by one of two.
#[test]
fn one_task_too_few_fails_what_is_too_much_or_all() {
    let replicas = |more: &str| {
        let fleet = fleet(&format!("desired_count = 2\n{CHECKS}{more}"));
        let (load, capacity) = (Some(200.0), Some(120.0));
        // In seconds of the whole load, of each of two that fail.
        causes(&Question { load, capacity, ..question(&fleet) }).replicas * MTTF / 2.0
    };
    // 80 a second too many are late when 228 wait, for 1.9 s.
    let late = 62.5 - 228.0 / 80.0;
    // After it all but 456 are worked off by 40 a second.
    let after = |gathered: f64| (gathered - 456.0) / 40.0;
    close(replicas(PLAIN), late + after(80.0 * 62.5));
    // Of 50 under way 38 wait, and are answered.
    close(replicas(&format!("{PLAIN}bulkhead = {{ size = 50 }}\n")), 0.4 * (62.5 - 38.0 / 80.0));
    // 300 under way take one task 2.5 s, and nobody waits so long; two do more in time.
    close(replicas(&format!("{PLAIN}bulkhead = {{ size = 300 }}\n")), late);
    close(replicas(&format!("{PLAIN}bulkhead = {{ size = 2000 }}\n")), late + after(2000.0));
    close(replicas(&format!("{PLAIN}most_in_flight = 1000\n")), late + after(1000.0));
    // A breaker lets in what is under way for 2 s, and what comes until half of its window has failed: 2 s
    // later, and 3.5 s, of which every 0.65 s is looked at.
    let timeout =
        "call = { timeout = \"2s\", tries = 1, hedge.enabled = false, queue.enabled = false }\n";
    close(replicas(timeout), late + after(80.0 * 62.5));
    // Permits of what has timed out are others', and the task still has it to do.
    close(replicas(&format!("{timeout}bulkhead = {{ size = 300 }}\n")), late + after(80.0 * 62.5));
    close(replicas(&format!("{timeout}breaker = {{}}\n")), late + after(240.0 + 80.0 * 5.9));
    let most = "most_in_flight = 30\n";
    close(replicas(&format!("{PLAIN}{most}")), 0.4 * (62.5 - 18.0 / 80.0));
    // What waits in a long queue is late as well, and leaves it.
    close(replicas(&format!("call = {{ tries = 1, hedge.enabled = false }}\n{most}")), late);
}

/// What waits for one of three would be late, and not what waits for two.
#[test]
fn a_queue_is_worth_what_it_holds_if_those_who_are_up_get_through_it() {
    let queue = "call = { tries = 1, hedge.enabled = false, queue.most_calls = 240 }\n";
    let fleet = fleet(&format!("desired_count = 3\nmost_in_flight = 30\n{CHECKS}{queue}"));
    let (load, capacity) = (Some(300.0), Some(120.0));
    let replicas = causes(&Question { load, capacity, ..question(&fleet) }).replicas;
    // 60 a second are too many: 276 that wait beside 24 that are answered.
    close(replicas * MTTF / 3.0, 0.2 * (62.5 - 276.0 / 60.0));
}

/// An answer takes 100 ms.
#[test]
fn what_a_task_had_when_it_died_is_cut_off_also_where_none_is_spare() {
    let cut = |tasks: u32, more: &str| {
        let fleet = fleet(&format!("desired_count = {tasks}\n{CHECKS}{more}"));
        let demand = (tasks > 1).then_some(200.0);
        causes(&Question { load: demand, capacity: demand.map(|_| 120.0), ..question(&fleet) }).cut
            * MTTF
    };
    let again = "call = { tries = 3, hedge.enabled = false, queue.enabled = false }\n";
    close(cut(1, PLAIN), 0.1);
    close(cut(1, again), 0.1);
    close(cut(2, PLAIN), 0.1);
    // Nine of ten are sent again, at once, before one of two is behind; or three of five of them are let in.
    close(cut(2, again), 0.1 * 0.1);
    close(cut(2, &format!("{again}bulkhead = {{ size = 50 }}\n")), (1.0 - 0.9 * 0.6) * 0.1);
    // What a third bears it answers.
    close(cut(3, again), 0.1 * 0.1);
}

#[test]
fn requests_find_a_hang_sooner_than_slow_checks() {
    let detection = |health: &str, call: &str, load| {
        let fleet = fleet(&format!("desired_count = 2\n{health}{call}"));
        let world = World { hangs_percent: 100.0, ..question(&fleet).world };
        causes(&Question { load, world, ..question(&fleet) }).detection * MTTF
    };
    let passive = CHECKS.replace("passive.enabled = false", "passive.enabled = true");
    close(detection(CHECKS, PLAIN, Some(100.0)), 9.5);
    // Nobody knows how many requests come.
    close(detection(&passive, PLAIN, None), 9.5);
    // The sixteenth of 50 a second is the last that fails by its deadline, 2 s later: fewer may be chance where a
    // second task alone does better.
    let timeout = "call = { timeout = \"2s\", tries = 1, hedge.enabled = false }\n";
    close(detection(&passive, timeout, Some(100.0)), 2.0 + 15.5 / 50.0);
    // Overtaken for a second; only a tenth may not be hedged.
    let hedged = 0.2 + 1.0 + 0.5 / 50.0;
    close(detection(&passive, "", Some(100.0)), 0.1 * hedged);
    // The budget of hedges is 100, one a second, and 2 % of 2,000 a second that go elsewhere and of those that it saves of 1,800
    // a second.
    let hedged = 0.2 + 1.0 + 0.5 / 2000.0;
    let covered = (100.0 + 41.0 * hedged) / (1800.0 * hedged * 0.98);
    close(detection(&passive, "", Some(4000.0)), (1.0 - 0.9 * covered) * hedged);
}

/// The kernel takes connections for it: it has half of the requests until somebody stops it, or until they tell. Another one
/// is there 60 to 65 s after it was stopped.
#[test]
fn checks_by_tcp_find_no_hang() {
    let of = |passive: bool| {
        let health = CHECKS.replace("health = {", "health = { protocol = \"tcp\",");
        let health = health.replace("enabled = false", &format!("enabled = {passive}"));
        let timeout = "call = { timeout = \"2s\", tries = 1, hedge.enabled = false }\n";
        let fleet = fleet(&format!("desired_count = 2\n{health}{timeout}"));
        let world = World { hangs_percent: 10.0, ..question(&fleet).world };
        let question = Question { load: Some(100.0), world, ..question(&fleet) };
        let window = Timing::new(&question, &Candidate::of(&question)).window();
        (causes(&question).detection * MTTF / 0.1, window)
    };
    let (seconds, window) = of(false);
    close(seconds, 900.0);
    assert_eq!(window, (60.0, 965.0));
    // As of any task that is judged by its requests.
    let (seconds, window) = of(true);
    close(seconds, 2.0 + 15.5 / 50.0);
    assert_eq!(window, (60.0, 965.0));
}

/// 20 permits are to spare, and the task that hangs for 9.5 s gets 50 requests a second.
#[test]
fn calls_to_a_task_that_hangs_keep_their_permits() {
    let detection = |more: &str, load, capacity| {
        let fleet = fleet(&format!("desired_count = 2\n{CHECKS}{more}"));
        let world = World { hangs_percent: 100.0, ..question(&fleet).world };
        let causes = causes(&Question { load: Some(load), capacity, world, ..question(&fleet) });
        // In seconds of the whole load.
        causes.detection * MTTF / 2.0
    };
    let with = |call: &str, size: u32| {
        format!(
            "call = {{ tries = 1, hedge.enabled = false, queue.enabled = false{call} }}\nbulkhead.size = {size}\n"
        )
    };
    // For a minute, and at first half of them have another task.
    close(detection(&with("", 30), 100.0, None), 0.4 / 2.0 + 59.6);
    // Less than it takes to fill it up.
    close(detection(&with("", 1000), 100.0, None), 9.5 / 2.0);
    // Every 4 s for 3.6 s: twice if it is found before 8.4 s, else three times.
    let often = (12.0 - 8.4) / 5.0;
    let times = 2.0 + often;
    // The last one ends so long after it was found, on average.
    let after = 4.0 * times - 9.5;
    let before = 3.6 * times - after;
    let all = 9.5 / 2.0 + before / 2.0 + after;
    close(detection(&with(", timeout = \"4s\"", 30), 100.0, None), all);
    // Without a spare one, which the other half of them had: half a minute less half a second, 9.2 s of it before it is found
    // out, and then three of five would have been answered.
    let half = f64::midpoint(9.5, 9.2);
    close(detection(&with("", 50), 200.0, Some(120.0)), half + 0.6 * (59.7 - 9.2));
    // Found after 9.5 s, replaced 62.5 s later, drained and killed 2 s after that.
    let killed = format!(
        "deregistration_delay = \"1s\"\nstop_timeout = \"1s\"\n{}",
        with(", timeout = \"120s\"", 30)
    );
    close(detection(&killed, 100.0, None), 0.4 / 2.0 + 74.0 - 0.4);
}

/// Of two tasks one hangs for 7 to 12 s, and its calls fail for as long, 2 s later each.
#[test]
fn a_breaker_stays_open_when_what_opened_it_is_gone() {
    let detection = |tasks: u32, breaker: &str| {
        let timeout = "call = { timeout = \"2s\", tries = 1, hedge.enabled = false }\n";
        let fleet = fleet(&format!("desired_count = {tasks}\n{CHECKS}{timeout}{breaker}"));
        let world = World { hangs_percent: 100.0, ..question(&fleet).world };
        let causes = causes(&Question { load: Some(100.0), world, ..question(&fleet) });
        // In seconds of the whole load.
        causes.detection * MTTF / f64::from(tasks)
    };
    let alone = 9.5 / 2.0;
    close(detection(2, ""), alone);
    // Half of the window has failed when all that counts is younger than the first failure: 9 s after it, if
    // it is not found out before 11 s. Then it is open for 4.5 s, and calls come back in 10 s, from a tenth.
    let opens = |found: f64| (found - 11.0).max(0.0);
    let after = 11.0 + 4.5 - 11.5 + 4.5;
    let once = (opens(11.5) / 2.0 + after) / 5.0;
    let found = detection(2, "breaker = {}\n");
    assert!((found - alone - once).abs() < 0.02, "{found}");
    close(detection(2, "breaker = { mode = \"metrics_only\" }\n"), alone);
    // One of three is no half.
    close(detection(3, "breaker = {}\n"), 9.5 / 3.0);
}

/// Of two tasks one hangs for 35 s, and one or two of three trials go to it: with two they fail.
#[test]
fn a_breaker_closes_by_luck_as_well() {
    let timeout = "call = { timeout = \"2s\", tries = 1, hedge.enabled = false }\n";
    let fleet = fleet(&format!("desired_count = 2\n{CHECKS}{timeout}breaker = {{}}\n"));
    let world = World { hangs_percent: 100.0, ..question(&fleet).world };
    let evidence = Some(found_after(35_000.0, 1.0));
    let causes = causes(&Question { load: Some(100.0), world, evidence, ..question(&fleet) });
    // It is open from 11 s on, to 15.5 s, or 26.5 s, or 46.5 s; and calls come back in 10 s, from a tenth. What is
    // closed by luck is not opened again for 21 s.
    let once = 4.5;
    let last = 0.9 * 1.5 * 1.5 / 20.0;
    let twice = (15.5 + 4.5 - last) / 2.0 + last;
    let never = 24.0 / 2.0 + 11.5 + 4.5;
    let all = 35.0 / 2.0 + once / 2.0 + twice / 4.0 + never / 4.0;
    close(causes.detection * MTTF / 2.0, all);
}

/// A trial that hangs has failed when its lease of 10 s ends, however long its calls are waited for.
#[test]
fn a_trial_lasts_no_longer_than_its_lease() {
    let detection = |timeout: &str, lease: &str| {
        let timeout =
            format!("call = {{ timeout = \"{timeout}\", tries = 1, hedge.enabled = false }}\n");
        let breaker = format!("breaker = {{ trial_lease = \"{lease}\" }}\n");
        let fleet = fleet(&format!("desired_count = 2\n{CHECKS}{timeout}{breaker}"));
        let world = World { hangs_percent: 100.0, ..question(&fleet).world };
        let evidence = Some(found_after(200_000.0, 1.0));
        causes(&Question { load: Some(100.0), world, evidence, ..question(&fleet) }).detection
    };
    let [long, short] = ["60s", "10s"].map(|lease| detection("20s", lease));
    assert!(short < 0.99 * long, "{short} {long}");
    close(detection("20s", "20s"), long);
}

/// However few others would be sent there.
#[test]
fn users_come_back_to_a_bad_task_that_they_are_used_to() {
    let sick = |used: &str| {
        let mut fleet = fleet(&format!("desired_count = 2\n{CHECKS}{PLAIN}{used}"));
        fleet.services[0].balancing.algorithm = Algorithm::LeastOutstandingRequests;
        let world = World { sick_percent: 10.0, ..question(&fleet).world };
        causes(&Question { load: Some(10.0), world, ..question(&fleet) }).sick * MTTF / 0.1
    };
    close(sick("sticky_cookie = \"task\"\n"), 900.0);
    assert!(sick("") > 1000.0, "who fails at once has nothing outstanding: {}", sick(""));
}

#[test]
fn who_is_sick_is_found_by_requests_or_by_people() {
    let sick = |settings: &str, load, writes_percent| {
        let fleet = fleet(settings);
        let world = World { sick_percent: 10.0, writes_percent, ..question(&fleet).world };
        let causes = causes(&Question { load, world, ..question(&fleet) });
        causes.sick * MTTF / 0.1
    };
    let tasks = |count: u32| format!("desired_count = {count}\n");
    let two = tasks(2);
    close(sick(&format!("{two}{CHECKS}{PLAIN}"), Some(10.0), 10.0), 900.0);
    // 14 of five a second; and six trials: when it has been out for 5, 10, 15 and 20 s, and, as another one takes a minute
    // from then on, for 25 and 30 s.
    close(sick(&format!("{two}{PLAIN}"), Some(10.0), 10.0), 2.8 + 6.0 / 5.0);
    // Four peers show sooner that it is no chance.
    close(sick(&format!("{}{PLAIN}", tasks(5)), Some(1000.0), 10.0), (5.0 + 6.0) / 200.0);
    // All but what may not be sent twice is answered by the other task, and shows that five are its own.
    close(sick(&two, Some(10.0), 10.0), 0.1 * 5.0 / 0.9 / 5.0);
    // Nothing may be tried: it comes back untried, and is found each time.
    close(sick(&format!("{two}{PLAIN}"), Some(10.0), 100.0), 2.8 * 6.0);
    // What is no failure to the policies shows nothing, and nobody else is asked for it.
    let none = "call = { failure_status = \"502-504\", hedge.enabled = false }\n";
    for breaker in ["", "breaker = { failure_percent = 20 }\n"] {
        close(sick(&format!("{two}{none}{breaker}"), Some(10.0), 10.0), 900.0);
    }
    // Seven of seven may be chance.
    close(sick(&format!("{two}{PLAIN}"), Some(1.4), 10.0), 900.0);
}

#[test]
fn what_was_measured_takes_the_place_of_arithmetic() {
    let [fleet, told] = ["false", "true"].map(|passive| {
        let checks =
            CHECKS.replace("passive.enabled = false", &format!("passive.enabled = {passive}"));
        fleet(&format!("desired_count = 2\n{checks}{PLAIN}"))
    });
    let world = World { hangs_percent: 100.0, ..question(&fleet).world };
    let question = Question { world, evidence: Some(found_after(800.0, 10.0)), ..question(&fleet) };
    let answer = ask(&question).unwrap();
    let now = answer.now.unwrap().expected;
    close(now.causes.detection * MTTF, 8.0);
    assert_eq!((now.timing.detection, now.timing.checks), ((8.0, 8.0), (7.0, 12.0)));
    // Its replacement, in 60 to 65 s, begins then.
    assert_eq!(now.window, (68.0, 73.0));
    // Other checks find it as much sooner as arithmetic has it.
    let quick = answer.buys.iter().find(|one| one.candidate.changes[0].starts_with("health = "));
    close(quick.unwrap().expected.causes.detection * MTTF, 8.0 * 2.0 / 9.5);
    // What was measured may be what requests showed, and only checks have it replaced.
    let service = &told.services[0];
    let question = Question { service, route: &service.call.routes[0], ..question };
    let now = ask(&question).unwrap().now.unwrap().expected;
    assert_eq!((now.timing.detection, now.window), ((8.0, 8.0), (67.0, 77.0)));
}

/// A quarter of the requests wait a second less for a task that comes back.
#[test]
fn each_route_fails_by_its_own_settings_and_share() {
    let fleet = fleet(&format!(
        "desired_count = 1\n{CHECKS}[[service.store.route]]\nname = \"search\"\npath = \"/search\"\ncall.timeout = \"1s\"\n\
         [[service.store.route]]\nname = \"cart\"\npath = \"/cart\"\n"
    ));
    let [search, cart, default] = [0, 1, 2].map(|n| &fleet.services[0].call.routes[n]);
    let along = vec![(search, 25.0), (cart, 25.0)];
    let question = Question {
        route: default,
        route_percent: Some(50.0),
        along,
        load: Some(1.0),
        ..question(&fleet)
    };
    let answer = ask(&question).unwrap();
    let now = answer.now.as_ref().unwrap();
    let [early, late] = [61.6 / MTTF, 60.6 / MTTF];
    close(now.expected.causes.replicas, 0.25 * early + 0.75 * late);
    assert!(answer.simulate(&question, now).unwrap().covers(now.expected.causes.down()));
    let by_route = now.by_route(&question);
    let told: Vec<_> = by_route.iter().map(|(name, percent, _)| (&name[..], *percent)).collect();
    assert_eq!(told, [("default", 50.0), ("search", 25.0), ("cart", 25.0)]);
    assert!(by_route[1].2 > by_route[0].2, "{by_route:?}");
    close(by_route[2].2, by_route[0].2);
    // What is turned off for all is so for those that do not say otherwise.
    let none =
        answer.buys.iter().find(|one| one.candidate.changes == ["call.queue.enabled = false"]);
    close(none.unwrap().expected.causes.replicas, 62.5 / MTTF);
    let quick = Candidate { route: Route { tries: 1, ..default.clone() }, ..now.candidate.clone() };
    let tries = |route| quick.by_route(default, route).route.tries;
    assert_eq!([search, cart, default].map(tries), [1, 1, 1]);
    assert_eq!(quick.by_route(default, search).route.guard.timeout, search.guard.timeout);
}
