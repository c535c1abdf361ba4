//! Budgets, trials and caps are exact, however many workers there are and whoever asks.

use std::collections::BTreeMap;
use std::thread;
use std::time::Instant;

use serde_json::json;

use crate::harness::{Gate, Gateway, Message, PATIENCE, Task};

/// As many ask at once.
const CLIENTS: usize = 24;

/// A task that fails what is asked to fail, and answers nothing else before the gate opens.
fn holds(number: u32, gate: &Gate) -> Task {
    let gate = gate.clone();
    Task::new(number, move |request, wire| {
        if request.target() == "/fail" {
            return wire.say("HTTP/1.1 500 Told\r\nContent-Length: 0\r\n\r\n");
        }
        gate.pass();
        wire.ok("held");
    })
}

/// Lets all clients `ask` at once, and opens the gate when all but `held` have their answers. How
/// many answers there were for each cause.
fn causes(gate: &Gate, held: usize, ask: impl Fn() -> Message + Sync) -> BTreeMap<String, usize> {
    thread::scope(|scope| {
        let asked: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(&ask)).collect();
        let until = Instant::now() + PATIENCE;
        while asked.iter().filter(|one| one.is_finished()).count() < CLIENTS - held
            && Instant::now() < until
        {
            thread::yield_now();
        }
        gate.open();
        let mut causes = BTreeMap::new();
        for one in asked {
            let answer = one.join().expect("an answer");
            *causes.entry(answer.cause().to_owned()).or_default() += 1;
        }
        causes
    })
}

fn counts<const N: usize>(counts: [(&str, usize); N]) -> BTreeMap<String, usize> {
    counts.map(|(cause, count)| (cause.to_owned(), count)).into()
}

#[test]
fn a_bulkhead_has_as_many_places_as_it_says() {
    for workers in [1, 4] {
        let gate = Gate::default();
        let task = holds(1, &gate);
        let settings = json!({ "bulkhead": { "size": 5 } });
        let gateway = Gateway::of_workers(workers, &settings, &[&task]);
        let told = causes(&gate, 5, || gateway.get("/"));
        assert_eq!(told, counts([("bulkhead_full", 19), ("no cause", 5)]), "{workers}");
        assert_eq!(task.requests().len(), 5, "{workers}");
    }
}

#[test]
fn no_task_has_more_in_flight_than_it_may() {
    for workers in [1, 4] {
        let gate = Gate::default();
        let tasks = [holds(1, &gate), holds(2, &gate)];
        let settings = json!({ "most_in_flight": 3, "call": { "hedge": { "enabled": false } } });
        let gateway = Gateway::of_workers(workers, &settings, &tasks.each_ref());
        let told = causes(&gate, 6, || gateway.get("/"));
        assert_eq!(told, counts([("no cause", 6), ("tasks_busy", 18)]), "{workers}");
        assert_eq!(tasks.each_ref().map(|task| task.requests().len()), [3, 3], "{workers}");
    }
}

#[test]
fn retries_are_as_many_as_their_budget() {
    for workers in [1, 4] {
        let gate = Gate::default();
        let tasks = [holds(1, &gate), holds(2, &gate), holds(3, &gate)];
        let budget = json!({ "success_percent": 0, "per_second": 0, "cap": 7 });
        let settings = json!({ "call": { "tries": 2, "retry_budget": budget } });
        let gateway = Gateway::of_workers(workers, &settings, &tasks.each_ref());
        let told = causes(&gate, 0, || gateway.get("/fail"));
        assert_eq!(told, counts([("no cause", CLIENTS)]), "{workers}");
        let sent: usize = tasks.iter().map(|task| task.requests().len()).sum();
        assert_eq!(sent, CLIENTS + 7, "{workers}");
    }
}

#[test]
fn a_breaker_lets_as_many_trials_pass_as_it_needs() {
    for workers in [1, 4] {
        let gate = Gate::default();
        let task = holds(1, &gate);
        let breaker = json!({ "window_calls": 4, "minimum_calls": 4, "open": "50ms", "trials": 3 });
        let settings = json!({ "breaker": breaker, "call": { "tries": 1 } });
        let gateway = Gateway::of_workers(workers, &settings, &[&task]);
        (0..4).for_each(|_| assert_eq!(gateway.get("/fail").status(), 500));
        let told = causes(&gate, 3, || {
            let mut client = gateway.client();
            loop {
                let answer = client.get("/");
                if answer.cause() != "breaker_open" {
                    return answer;
                }
            }
        });
        assert_eq!(told, counts([("breaker_half_open", 21), ("no cause", 3)]), "{workers}");
        assert_eq!(task.targets().iter().filter(|target| *target == "/").count(), 3, "{workers}");
    }
}
