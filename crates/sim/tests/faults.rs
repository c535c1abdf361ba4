//! Drills in virtual time: what is done to tasks, and what is not simulated.
#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests, too")]

mod common;

use std::time::Duration;

use seaworthy_core::endpoints::TaskId;
use seaworthy_core::experiment::expectation::Verdict;
use seaworthy_core::experiment::model::Distribution;
use seaworthy_core::experiment::{Drill, RawDrill, TaskFault};
use seaworthy_core::time::Instant;
use seaworthy_sim::cell;
use seaworthy_sim::world::{Arrival, News, Physics, Program, World};

const MS: fn(u64) -> Duration = Duration::from_millis;

/// A drill with these faults, and with this at its end.
fn drill(faults: &str, more: &str) -> Drill {
    let text = format!(
        r#"title = "a shop"
        load = {{ rate = 50, arrivals = "constant", paths = ["/a"] }}
        objective = {{ latency = "500ms", success = "99%" }}
        hypothesis = {{ window = "1s", tolerated_gap = "300ms" }}
        schedule = [{{ name = "bad", title = "something is bad", duration = "12s", expect = ["any"],
                      faults = [{faults}] }}]
        [fleet.service.shop]
        command = ["shop"]
        desired_count = 1
        health.passive.enabled = false
        {more}"#
    );
    let raw: RawDrill = toml::from_str(&text).unwrap();
    raw.try_into().unwrap()
}

/// How many requests of those of twelve seconds failed, and how many got an old answer.
fn failed_and_degraded(fault: &str, more: &str) -> (u64, u64) {
    let drill = drill(fault, more);
    let numbers = cell::run(&drill, drill.cells()[0], 1).unwrap().numbers;
    (numbers.failed, numbers.degraded)
}

/// Where no task answers, and where one does with an error; by a route of its own as well.
#[test]
fn an_answer_that_was_kept_stands_in_for_an_error() {
    let (dies, fails) = ("{ at = '2s', kill = 1 }", "{ at = '2s', lasts = '3s', fail = 1 }");
    let of_all = "fallback = { stale_if_error = '5m' }\n";
    let of_a_route =
        "route = [{ name = 'a', host = '127.0.0.1', fallback.stale_if_error = '5m' }]\n";
    for fault in [dies, fails] {
        let (failed, none) = failed_and_degraded(fault, "call.timeout = '100ms'");
        assert!(failed > 5 && none == 0, "{failed} {none}");
        for fallback in
            [of_all, of_a_route].map(|keeps| keeps.to_owned() + "call.timeout = '100ms'")
        {
            let (left, degraded) = failed_and_degraded(fault, &fallback);
            assert!(left == 0 && degraded.abs_diff(failed) <= 3, "{left} {degraded} {failed}");
        }
    }
    let short = of_all.replace("5m", "1s") + "call.timeout = '100ms'";
    let (left, degraded) = failed_and_degraded(fails, &short);
    assert!(degraded.abs_diff(50) < 3 && left.abs_diff(100) < 3, "{left} {degraded}");
}

#[test]
fn a_line_that_is_too_long_is_refused() {
    let path = format!("/{}", "a".repeat(64));
    let failed = |longest: u32| {
        let drill = drill("", &format!("http.longest_line = {longest}"));
        let mut drill = drill.clone();
        drill.load.flows[0].paths = vec![path.clone()];
        cell::run(&drill, drill.cells()[0], 1).unwrap().numbers.failed
    };
    assert_eq!([67, 68].map(failed), [600, 0]);
}

/// Nine hundred at once, each for 600 ms, are 1,500 a second.
#[test]
fn what_is_beyond_the_connections_is_never_sent() {
    let many = |rate: u32| {
        let text = format!(
            r#"title = "a crowd"
            load = {{ rate = {rate}, arrivals = "constant", paths = ["/a"] }}
            objective = {{ latency = "1s", success = "99%" }}
            hypothesis = {{ window = "1s", tolerated_gap = "300ms" }}
            model.shop = {{ work = "600ms", concurrency = 10000 }}
            schedule = [{{ name = "calm", title = "nothing", duration = "5s", expect = ["any"] }}]
            fleet.service.shop = {{ command = ["shop"], desired_count = 1 }}"#
        );
        let drill: Drill = toml::from_str::<RawDrill>(&text).unwrap().try_into().unwrap();
        cell::run(&drill, drill.cells()[0], 1).unwrap().numbers
    };
    assert_eq!(many(1400).failed, 0);
    let numbers = many(2000);
    let share = numbers.failed_share();
    assert!((0.2..0.3).contains(&share), "{share}");
}

/// What has no effect, if anything: then a run proves nothing.
fn idle(faults: &str) -> Option<String> {
    let drill = drill(faults, "");
    let found = cell::run(&drill, drill.cells()[0], 1).unwrap();
    (found.verdict == Verdict::Invalid).then(|| found.reasons.join("; "))
}

#[test]
fn of_faults_of_one_task_the_earliest_has_a_request_and_what_meets_none_proves_nothing() {
    let half = "{ at = '2s', lasts = '6s', half_answer = 1 }";
    let fail = "{ at = '2s', lasts = '6s', fail = 1 }";
    let hang = "{ at = '2s', lasts = '6s', hang = 1 }";
    let later = |fault: &str| format!("{{ at = '3s', lasts = '2s', {fault} }}");
    assert_eq!([half, fail, hang].map(idle), [None, None, None]);
    let slow = later("slow = '100ms', tasks = 1");
    assert_eq!([&later("fail = 1"), &slow].map(|fault| idle(fault)), [None, None]);
    for (earlier, later) in [(half, &later("fail = 1")), (fail, &slow), (hang, &later("fail = 1"))]
    {
        let idle = idle(&format!("{earlier}, {later}")).unwrap_or_default();
        assert!(idle.ends_with("had no effect: no request met it"), "{earlier}, {later}: {idle}");
    }
    assert_eq!(idle(&format!("{half}, {slow}")), None, "a half is held as well");
    let dies = "{ at = '2s', kill = 1 }";
    assert_eq!(idle(&format!("{fail}, {}", dies.replace("2s", "4s"))), None, "it was met by then");
    assert!(idle(&format!("{fail}, {dies}")).is_some());
}

/// Lets time pass; returns what came of it, and when.
fn pass(world: &mut World, time: Duration) -> Vec<(Instant, News)> {
    let (until, mut all) = (world.now() + time, Vec::new());
    while world.now() < until {
        world.advance(until);
        while let Some(news) = world.poll_news() {
            all.push((world.now(), news));
        }
    }
    all
}

#[test]
fn a_task_that_stands_still_ends_when_it_goes_on() {
    let fleet = "service.s = { command = [\"s\"], desired_count = 1 }";
    let program = Program { crashes_after: Some(MS(1000)), ..Program::default() };
    let mut world = common::up(fleet, &[program], &Physics::default(), 1);
    let runs = |world: &mut World, time| {
        pass(world, time);
        world.running(0).any(|task| task == TaskId(1))
    };
    world.disturb(TaskId(1), 1, TaskFault::Hang);
    assert!(runs(&mut world, MS(2000)));
    world.mend(TaskId(1), 1);
    assert!(!runs(&mut world, MS(1)));
}

#[test]
fn a_task_that_stands_still_before_it_listens_does_so_when_it_goes_on() {
    let fleet = common::fleet("service.s = { command = [\"s\"], desired_count = 1 }");
    let program = Program { start: Distribution::Constant(MS(500)), ..Program::default() };
    let mut world = World::new(&fleet, &[program], Physics::default());
    let listens = |world: &mut World, time| {
        pass(world, time).iter().any(|(_, news)| *news == News::Listens(TaskId(1)))
    };
    assert!(!listens(&mut world, MS(100)));
    world.disturb(TaskId(1), 1, TaskFault::Hang);
    assert!(!listens(&mut world, MS(2000)));
    world.mend(TaskId(1), 1);
    assert!(listens(&mut world, MS(1)));
}

#[test]
fn whoever_is_told_something_else_leaks_no_more_for_it() {
    // After ten seconds a request takes 100 ms longer, and twice as long if it leaked twice from the first one on.
    let leak = "leak = { bytes_per_second = 1, limit = 1000, slows = '10s' }";
    let median = |fault: &str| {
        let drill = drill(fault, &format!("[model.shop]\nwork = '1ms'\n{leak}"));
        let found = cell::run(&drill, drill.cells()[0], 1).unwrap();
        found.numbers.latency_p50.unwrap().as_millis()
    };
    let nothing = median("");
    let asked = median("{ at = '1s', ask = '/', tasks = 1, model = { concurrency = 1000 } }");
    assert_eq!(asked, nothing);
    let more = format!(
        "{{ at = '1s', ask = '/', tasks = 1, model = {{ {} }} }}",
        leak.replace("'10s'", "'20s'")
    );
    assert!(median(&more) > 2 * nothing);
}

/// The start timeout begins when a process does.
#[test]
fn tasks_may_be_provisioned_for_longer_than_they_may_start() {
    let drill = drill("{ at = '2s', kill = 1 }", "provisioning = '90s'");
    assert!(cell::run(&drill, drill.cells()[0], 1).is_ok());
}

#[test]
fn an_answer_without_a_body_cannot_be_cut_short() {
    let half = "{ at = '2s', lasts = '3s', half_answer = 1 }";
    let failed = |status: u16| {
        let mut drill = drill(half, &format!("[model.shop]\nstatus = {status}"));
        drill.objective.status = seaworthy_core::health::Matcher::only(status);
        cell::run(&drill, drill.cells()[0], 1).unwrap().numbers.failed
    };
    assert!(failed(200) > 100);
    assert_eq!(failed(204), 0);
}

/// One at a time, each for 100 ms. Five have asked and left when it goes on, and one waits.
#[test]
fn who_left_a_task_that_stands_still_has_no_place_when_it_goes_on() {
    let answered = |notices: bool| {
        let fleet = "service.s = { command = [\"s\"], desired_count = 1, http.half_close = \"gone\", \
                     call = { hedge.enabled = false, timeout = \"60s\" }, health.unhealthy_threshold = 10 }";
        let work = Distribution::Constant(MS(100));
        let program = Program { work, concurrency: 1, notices, ..Program::default() };
        let mut world = common::up(fleet, &[program], &Physics::default(), 1);
        let arrival = || Arrival::new("GET", "/".to_owned());
        // The first is begun before it stands still, the others come after that.
        world.send(0, 1, &arrival());
        pass(&mut world, MS(10));
        world.disturb(TaskId(1), 1, TaskFault::Hang);
        (2..=6).for_each(|ticket| world.send(0, ticket, &arrival()));
        pass(&mut world, MS(10));
        for ticket in 1..=5 {
            world.leave(0, ticket);
        }
        pass(&mut world, MS(10));
        let begin = world.now();
        world.mend(TaskId(1), 1);
        let told = pass(&mut world, MS(2000));
        let ours = told.iter().find(|(_, news)| matches!(news, News::Answered { ticket: 6, .. }));
        ours.map(|(at, _)| at.since(begin).as_millis() / 100)
    };
    assert_eq!([true, false].map(answered), [Some(1), Some(5)]);
}
