//! What is counted is exact, whichever thread carries a request: with one worker and with four.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::Instant;

use serde_json::{Value, json};

use crate::harness::{Gate, Gateway, PATIENCE, Task};

/// So many clients at once.
const CLIENTS: usize = 24;

/// Runs a test with one worker and with four.
pub(crate) fn with_workers(mut settings: Value, test: impl Fn(&Value)) {
    for workers in [1, 4] {
        settings["workers"] = workers.into();
        test(&settings);
    }
}

/// All clients at once, each on a thread of its own.
fn at_once(client: impl Fn(usize) + Sync) {
    thread::scope(|scope| {
        for n in 0..CLIENTS {
            let client = &client;
            scope.spawn(move || client(n));
        }
    });
}

fn until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "in vain: {what}");
        thread::yield_now();
    }
}

#[test]
fn retries_are_as_many_as_their_budget() {
    let budget = json!({ "success_percent": 0, "per_second": 0, "cap": 7 });
    let call = json!({ "retry_budget": budget, "hedge": { "enabled": false } });
    with_workers(json!({ "balancing": "round_robin", "call": call }), |settings| {
        let (bad, good) = (Task::new(1, |_, wire| wire.close()), Task::good(2));
        let gateway = Gateway::of_service(settings, &[&bad, &good]);
        let lost = AtomicUsize::new(0);
        at_once(|_| {
            let mut client = gateway.client();
            for _ in 0..4 {
                lost.fetch_add(usize::from(client.get("/").status() == 502), SeqCst);
            }
        });
        let sent = bad.requests().len() + good.requests().len();
        assert_eq!(sent, 4 * CLIENTS + 7, "each once, and the retries");
        assert_eq!(lost.into_inner(), bad.requests().len() - 7, "whoever had none was told");
    });
}

#[test]
fn a_half_open_breaker_lets_pass_no_more_trials_than_it_needs() {
    let breaker = json!({
        "window_calls": 4, "minimum_calls": 4, "open": "100ms", "jitter_percent": 0,
        "trials": 3, "trial_lease": "30m",
    });
    with_workers(json!({ "breaker": breaker }), |settings| {
        let gate = Gate::default();
        let held = gate.clone();
        let task = Task::new(1, move |request, wire| {
            if request.target() == "/trial" {
                held.pass();
                return wire.ok("well again");
            }
            wire.say("HTTP/1.1 500 Unwell\r\nContent-Length: 0\r\n\r\n");
        });
        let gateway = Gateway::of_service(settings, &[&task]);
        (0..4).for_each(|_| assert_eq!(gateway.client().post("/", "", "").status(), 500));
        // The last answer may be here before it is counted.
        until("it opens", || gateway.client().post("/", "", "").cause() == "breaker_open");
        let rejected = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..CLIENTS {
                scope.spawn(|| {
                    let mut client = gateway.client();
                    loop {
                        match client.post("/trial", "", "").cause() {
                            "breaker_open" => {}
                            "breaker_half_open" => {
                                rejected.fetch_add(1, SeqCst);
                                break;
                            }
                            cause => break assert_eq!(cause, "no cause"),
                        }
                    }
                });
            }
            until("all others are told", || rejected.load(SeqCst) == CLIENTS - 3);
            gate.open();
        });
        assert_eq!(task.targets().iter().filter(|target| *target == "/trial").count(), 3);
    });
}

#[test]
fn an_ejected_task_is_tried_by_one_request() {
    let passive = json!({ "consecutive": 1, "ejection": "2s" });
    let health = json!({
        "path": "/health", "interval": "1h", "timeout": "50m", "passive": passive,
    });
    let call = json!({ "hedge": { "enabled": false } });
    let settings = json!({ "balancing": "round_robin", "health": health, "call": call });
    with_workers(settings, |settings| {
        let gate = Gate::default();
        let (held, asked) = (gate.clone(), AtomicUsize::new(0));
        let bad = Task::new(1, move |_, wire| {
            if asked.fetch_add(1, SeqCst) > 0 {
                held.pass();
            }
            wire.say("HTTP/1.1 500 Unwell\r\nContent-Length: 0\r\n\r\n");
        });
        let good = Task::good(2);
        let gateway = Gateway::of_service(settings, &[&bad, &good]);
        let mut client = gateway.client();
        while bad.requests().is_empty() {
            assert_eq!(client.get("/").text(), "task-2");
        }
        let more = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..CLIENTS {
                scope.spawn(|| {
                    let mut client = gateway.client();
                    // One of them waits for the trial to end.
                    while more.load(SeqCst) < 20 * CLIENTS {
                        assert_eq!(client.get("/").text(), "task-2");
                        more.fetch_add(usize::from(bad.requests().len() > 1), SeqCst);
                    }
                });
            }
            until("many more were asked", || more.load(SeqCst) >= 20 * CLIENTS);
            assert_eq!(bad.requests().len(), 2, "the one that ejected it, and its trial");
            gate.open();
        });
    });
}

/// A task that knows how many requests it had at once.
fn counts(number: u32, most: &'static AtomicUsize) -> Task {
    let now = AtomicUsize::new(0);
    Task::new(number, move |_, wire| {
        most.fetch_max(now.fetch_add(1, SeqCst) + 1, SeqCst);
        thread::yield_now();
        now.fetch_sub(1, SeqCst);
        wire.ok("well");
    })
}

#[test]
fn no_task_ever_has_more_requests_than_it_may() {
    let call = json!({ "queue": {}, "hedge": { "enabled": false } });
    for algorithm in ["latency_aware", "round_robin", "least_outstanding_requests"] {
        let settings = json!({ "balancing": algorithm, "most_in_flight": 3, "call": call });
        with_workers(settings, |settings| {
            let most = Box::leak(Box::new(AtomicUsize::new(0)));
            let tasks = [counts(1, most), counts(2, most)];
            let gateway = Gateway::of_service(settings, &[&tasks[0], &tasks[1]]);
            at_once(|_| {
                let mut client = gateway.client();
                (0..20).for_each(|_| assert_eq!(client.get("/").status(), 200, "it waits"));
            });
            assert!((1..=3).contains(&most.load(SeqCst)), "{algorithm}: {most:?} at once");
            gateway.until_idle();
        });
    }
}

#[test]
fn a_bulkhead_holds_as_many_as_it_says() {
    with_workers(json!({ "bulkhead": { "size": 5 } }), |settings| {
        let gate = Gate::default();
        let held = gate.clone();
        let task = Task::new(1, move |_, wire| {
            held.pass();
            wire.ok("well");
        });
        let gateway = Gateway::of_service(settings, &[&task]);
        let full = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..CLIENTS {
                scope.spawn(|| {
                    let is_full = gateway.client().post("/", "", "").cause() == "bulkhead_full";
                    full.fetch_add(usize::from(is_full), SeqCst);
                });
            }
            until("all others are told", || full.load(SeqCst) == CLIENTS - 5);
            gate.open();
        });
        assert_eq!((full.into_inner(), task.requests().len()), (CLIENTS - 5, 5));
    });
}
