//! Several tries of one request: on a status, beside each other, and later, when there is a task.

use std::thread;

use seaworthy_core::endpoints::Health;
use serde_json::{Value, json};

use crate::exact::with_workers;
use crate::harness::{Gate, Gateway, Task};

/// A task that answers everything with this status.
fn answers(number: u32, status: u16) -> Task {
    Task::new(number, move |_, wire| {
        let body = format!("task-{number} has {status}");
        let length = body.len();
        wire.say(format!("HTTP/1.1 {status} Told\r\nContent-Length: {length}\r\n\r\n{body}"));
    })
}

#[test]
fn what_one_task_fails_another_one_answers_and_only_if_it_is_safe() {
    for status in [500, 502, 503, 504] {
        let (bad, good) = (answers(1, status), Task::good(2));
        let settings = json!({ "balancing": "round_robin" });
        let gateway = Gateway::of_service(&settings, &[&bad, &good]);
        let mut client = gateway.client();
        for _ in 0..4 {
            assert_eq!(client.get("/").text(), "task-2", "{status}");
        }
        let posted = [client.post("/", "", "x").status(), client.post("/", "", "x").status()];
        assert!(posted.contains(&status), "{posted:?}: what is not safe is asked once");
        gateway.until_idle();
    }
    for status in [404, 501, 505] {
        let tasks = [answers(1, status), answers(2, status)];
        let gateway = Gateway::of(&[&tasks[0], &tasks[1]]);
        assert_eq!(gateway.get("/").status(), status, "another task would say the same");
    }
}

#[test]
fn if_every_try_fails_the_last_answer_is_passed_on_as_it_is() {
    let tasks = [answers(1, 500), answers(2, 503), answers(3, 502)];
    let gateway = Gateway::of(&[&tasks[0], &tasks[1], &tasks[2]]);
    let mut client = gateway.client();
    let answer = client.get("/");
    let last = tasks.iter().find(|task| answer.text().starts_with(&format!("{} ", task.id)));
    assert_eq!(last.map(|task| task.requests().len()), Some(1), "{}", answer.text());
    assert_eq!((answer.cause(), answer.status()), ("no cause", answer.status()));
    assert!(tasks.iter().all(|task| task.requests().len() == 1));
    // Nothing of the other answers is left on the way.
    assert!(client.get("/").text().starts_with("task-"));
    gateway.until_idle();
}

#[test]
fn a_failure_after_an_answer_that_was_kept_brings_that_answer() {
    let (unwell, dying) = (answers(1, 503), Task::new(2, |_, wire| wire.close()));
    let gateway = Gateway::with(&json!({ "tries": 2 }), &[&unwell, &dying]);
    let mut client = gateway.client();
    let answers = [client.get("/"), client.get("/")];
    let told: Vec<_> = answers.iter().map(|answer| (answer.status(), answer.cause())).collect();
    assert_eq!(told, [(503, "no cause"), (503, "no cause")]);
    gateway.until_idle();
}

/// It answers quickly until the gate is asked for, and then nothing.
fn hangs(number: u32, gate: &Gate) -> Task {
    let gate = gate.clone();
    Task::new(number, move |request, wire| {
        if request.target() == "/hang" {
            gate.pass();
        }
        wire.ok(&format!("task-{number}"));
    })
}

#[test]
fn a_request_to_a_task_that_hangs_is_answered_by_another_one() {
    let gate = Gate::default();
    let (bad, good) = (hangs(1, &gate), Task::good(2));
    let settings = json!({ "balancing": "round_robin" });
    let gateway = Gateway::of_service(&settings, &[&bad, &good]);
    let mut client = gateway.client();
    // What is usual must be known.
    (0..20).for_each(|_| assert_eq!(client.get("/").status(), 200));
    for _ in 0..4 {
        assert_eq!(client.get("/hang").text(), "task-2");
    }
    let hung = bad.targets().iter().filter(|target| *target == "/hang").count();
    assert_eq!(hung, 2, "it had its turns");
    gateway.until_idle();
    gate.open();
}

/// The budget is the service's: it is exact, whichever thread carries a request.
#[test]
fn hedges_are_as_many_as_their_budget_whoever_asks() {
    let budget = json!({ "success_percent": 0, "per_second": 0, "cap": 5 });
    let call = json!({ "hedge": { "budget": budget }, "retry_budget": { "cap": 0 } });
    with_workers(json!({ "call": call }), hedges);
}

fn hedges(settings: &Value) {
    let gate = Gate::default();
    let tasks = [hangs(1, &gate), hangs(2, &gate), hangs(3, &gate)];
    let gateway = Gateway::of_service(settings, &[&tasks[0], &tasks[1], &tasks[2]]);
    let mut client = gateway.client();
    // What is usual is known then, and none of these is hedged.
    (0..20).for_each(|_| assert_eq!(client.get("/").status(), 200));
    let hung = || -> usize {
        let of = |task: &Task| task.targets().iter().filter(|target| *target == "/hang").count();
        tasks.iter().map(of).sum()
    };
    thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| assert_eq!(gateway.client().get("/hang").status(), 200));
        }
        let all = gateway.until("all are sent", |seen| {
            seen.tasks.iter().map(|task| task.in_flight).sum::<u32>() == 21
        });
        assert_eq!(all.tasks.len(), 3);
        gate.open();
    });
    assert_eq!(hung(), 21);
}

#[test]
fn requests_wait_until_there_is_a_task() {
    let health = json!({ "interval": "1h", "timeout": "50m" });
    let gateway = Gateway::start(health, &json!({ "queue": {} }));
    let task = Task::good(1);
    let (answers, gone) = thread::scope(|scope| {
        let get = || scope.spawn(|| gateway.client().get("/").text().to_owned());
        let post = scope.spawn(|| gateway.client().post("/", "", "body").text().to_owned());
        let answers = [get(), get(), post];
        let mut gone = gateway.client();
        gone.send("GET /gone HTTP/1.1\r\nHost: test\r\n\r\n");
        gone.reset();
        gateway.register(&[&task]);
        (answers.map(|answer| answer.join().expect("an answer")), "/gone")
    });
    assert_eq!(answers, ["task-1", "task-1", "task-1"]);
    assert!(task.targets().iter().filter(|target| *target == gone).count() <= 1);
    gateway.until_idle();
}

#[test]
fn a_queue_has_an_end() {
    with_workers(json!({ "call": { "queue": { "most_calls": 2 } } }), queue);
}

fn queue(settings: &Value) {
    let gateway = Gateway::of_service(settings, &[]);
    let task = Task::good(1);
    thread::scope(|scope| {
        let waiting: Vec<_> = (0..3).map(|_| scope.spawn(|| gateway.get("/"))).collect();
        let refused = || waiting.iter().filter(|one| one.is_finished()).count();
        while refused() == 0 {
            thread::yield_now();
        }
        assert_eq!(refused(), 1);
        gateway.register(&[&task]);
        let mut told: Vec<_> = waiting
            .into_iter()
            .map(|one| one.join().expect("an answer"))
            .map(|answer| (answer.status(), answer.cause().to_owned()))
            .collect();
        told.sort();
        let good = (200, "no cause".to_owned());
        assert_eq!(told, [good.clone(), good, (503, "no_task".to_owned())]);
    });
}

/// Both tasks are killed with requests in flight: these wait for the new ones.
#[test]
fn what_is_in_flight_when_all_tasks_die_waits_for_the_new_ones() {
    let dies = |number| Task::new(number, |_, wire| wire.close());
    let (mut one, mut other, new) = (dies(1), dies(2), Task::good(3));
    let health = json!({ "interval": "1h", "timeout": "50m", "passive": {} });
    let gateway = Gateway::start(health, &json!({ "queue": {} }));
    gateway.register(&[&one, &other]);
    gateway.until_health(&one, Health::Healthy);
    gateway.until_health(&other, Health::Healthy);
    one.stop();
    other.stop();
    thread::scope(|scope| {
        let waiting: Vec<_> = (0..8).map(|_| scope.spawn(|| gateway.get("/"))).collect();
        gateway
            .until("nobody is in rotation", |seen| seen.tasks.iter().all(|task| !task.in_rotation));
        gateway.register(&[&new]);
        for answer in waiting {
            assert_eq!(answer.join().expect("an answer").text(), "task-3");
        }
    });
}

#[test]
fn a_task_takes_itself_out_by_a_field_that_the_client_does_not_see() {
    let leaves = Task::new(1, |_, wire| {
        wire.say("HTTP/1.1 200 OK\r\nX-Seaworthy-Withdraw: true\r\nContent-Length: 2\r\n\r\nby");
    });
    let stays = Task::good(2);
    let health = json!({ "interval": "1h", "timeout": "50m", "passive": {} });
    let gateway = Gateway::start(health, &json!({}));
    gateway.register(&[&leaves, &stays]);
    gateway.until_health(&leaves, Health::Healthy);
    gateway.until_health(&stays, Health::Healthy);
    let mut client = gateway.client();
    while leaves.requests().is_empty() {
        let answer = client.get("/");
        assert_eq!(answer.field("X-Seaworthy-Withdraw"), None);
    }
    gateway.until("it is out", |seen| seen.of(leaves.id).is_some_and(|seen| !seen.in_rotation));
    assert!((0..10).all(|_| client.get("/").text() == "task-2"));
}
