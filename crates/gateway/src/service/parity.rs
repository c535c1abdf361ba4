//! Live and simulated, the same words to core bring the same words from it, at the same moments: to the
//! millisecond, of which tokio's timers are.
//!
//! A simulated fleet goes through what a gateway can meet, and everything that is said between core and
//! the simulated gateway is overheard. Then the live one is told the same, in tokio's paused time. Its
//! [`Service`] is the real one: lock, lines of the calls, heads that come too late, and when the driver
//! wakes. Not compared is how an exchange, a check or a connection comes to what it tells: that is what
//! sockets are needed for.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use seaworthy_core::call::{Action as Word, Input as Outcome};
use seaworthy_core::experiment::TaskFault;
use seaworthy_core::experiment::model::{Distribution, Program};
use seaworthy_core::fleet::{Fleet, RawFleet};
use seaworthy_sim::world::{Arrival, Network, Overheard, Physics, Said, World};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::{LocalSet, spawn_local};

use super::*;
use crate::clock::{VIRTUAL_SINCE, sleep_until};

/// All of its times are whole milliseconds, as tokio's are.
const FLEET: &str = r#"
[service.store]
command = ["store"]
desired_count = 3
most_in_flight = 2
health = { interval = "1s", unhealthy_threshold = 2, passive = { consecutive = 4, ejection = "2s" } }
call = { timeout = "1s", tries = 3, hedge = { at_least = "60ms" }, queue = { most_calls = 2 } }
breaker = { window = "5s", minimum_calls = 10, open = "1s", ramp = "0s" }
bulkhead = { size = 5 }
"#;
/// In milliseconds.
const LENGTH: u64 = 60_000;

/// What is said to core, and when.
type Script = Vec<(Instant, Input)>;

/// What core says, in order: of each kind, and to each call from the first one on.
#[derive(Debug, Default, PartialEq)]
struct Answers {
    records: Vec<Record>,
    probes: Vec<(Instant, ProbeId, SocketAddr, Instant)>,
    calls: Vec<Vec<(Instant, Word)>>,
}

/// The ordinals of calls in the order in which they begin, by slot and generation. Which slot is free
/// when two calls end at once is no decision, so words name a call as the script does.
type Ordinals = BTreeMap<(u32, u32), usize>;

/// The world in which it happens.
fn world(fleet: &Fleet) -> World {
    let millis = Duration::from_millis;
    let program = Program {
        start: Distribution::Constant(millis(50)),
        work: Distribution::Constant(millis(20)),
        concurrency: 4,
        ..Program::default()
    };
    let link = Network { latency: Distribution::Constant(millis(1)), loss: 0.0 };
    World::new(fleet, &[program], Physics { hop: millis(1), link, ..Physics::default() })
}

/// What happens in it to those of the tasks that run.
fn happen(world: &mut World, fleet: &Fleet, millis: u64) {
    let running: Vec<TaskId> = world.running(0).collect();
    let mut disturb = |tasks: &[TaskId], fault| {
        for task in tasks {
            world.disturb(*task, 1, fault);
        }
    };
    match millis {
        5_000 => disturb(&running[..1], TaskFault::Fail),
        10_000 => disturb(&running[1..2], TaskFault::Hang),
        15_000 => disturb(&running[2..], TaskFault::Reset),
        18_000 => disturb(&running[..1], TaskFault::HalfAnswer),
        21_000 => disturb(&running, TaskFault::Fail),
        33_000 => disturb(&running, TaskFault::Slow(Duration::from_millis(300))),
        36_000 => disturb(&running, TaskFault::Hang),
        8_000 | 14_000 | 17_000 | 20_000 | 25_000 | 35_000 | 40_000 => {
            for task in running {
                world.mend(task, 1);
            }
        }
        30_000 => drop(world.kill(running[0])),
        42_000 => _ = world.deploy(0, fleet.services[0].cluster.clone(), None),
        _ => {}
    }
}

/// Lets it happen, and overhears what is said.
fn overhear(fleet: &Fleet) -> Vec<Overheard> {
    let mut world = world(fleet);
    world.overhear();
    for millis in 0..LENGTH {
        let until = Instant::EPOCH + Duration::from_millis(millis);
        while world.now() < until {
            world.advance(until);
            while world.poll_news().is_some() {}
        }
        happen(&mut world, fleet, millis);
        // More than are carried, for a moment.
        let rush = [12_500..12_520, 55_000..55_020].iter().any(|rush| rush.contains(&millis));
        if rush || millis > 2_000 && millis.is_multiple_of(37) {
            world.send(0, millis, &arrival(millis));
        }
    }
    world.overheard()
}

fn arrival(millis: u64) -> Arrival {
    let method = if millis.is_multiple_of(3) { "POST" } else { "GET" };
    Arrival { fingerprint: millis, ..Arrival::new(method, String::new()) }
}

/// Parts what was overheard: what was said to core, and by it.
fn part(overheard: Vec<Overheard>) -> (Script, Answers) {
    let (mut script, mut answers) = (Script::new(), Answers::default());
    let mut ordinals = Ordinals::new();
    for (at, _, said) in overheard {
        match said {
            Said::Told(input) => {
                if let Input::Call(Outcome::Begin { call, .. }) = &input {
                    ordinals.insert((call.slot, call.generation), answers.calls.len());
                    answers.calls.push(Vec::new());
                }
                script.push((at, input));
            }
            Said::Wanted(Action::Record(record)) => answers.records.push(record),
            Said::Wanted(Action::Probe { probe, address, deadline, .. }) => {
                answers.probes.push((at, probe, address, deadline));
            }
            Said::Wanted(Action::Call(word)) => {
                let (Word::Try { call, .. }
                | Word::Pass { call, .. }
                | Word::Answer { call, .. }
                | Word::Abort { call }) = word;
                let ordinal = ordinals[&(call.slot, call.generation)];
                answers.calls[ordinal].push((tick(at), word));
            }
            Said::Noted(..) => unreachable!("no task calls another service"),
            Said::Delayed => unreachable!("the agent decides at once"),
        }
    }
    (script, answers)
}

/// When a timer of tokio's is heard that is due then: at the next whole millisecond.
fn tick(at: Instant) -> Instant {
    const MILLISECOND: u64 = 1_000_000;
    Instant::from_nanos(at.as_nanos().next_multiple_of(MILLISECOND))
}

/// A call, as an exchange carries it out, but that its outcomes come by the script.
async fn exchange(
    service: Rc<Service>,
    id: CallId,
    request: call::Request,
    mut outcomes: UnboundedReceiver<Outcome>,
) -> Vec<(Instant, Word)> {
    let mut words = Vec::new();
    let line = Arc::default();
    let mut call = service.begin(request, &line);
    // That of the head which is kept.
    let mut kept = None;
    loop {
        let told = tokio::select! {
            biased;
            told = call.told() => told,
            outcome = outcomes.recv() => {
                match outcome {
                    Some(Outcome::Head { attempt, status, withdraws, .. }) => {
                        kept = Some(attempt);
                        if let Some(at) = call.head(attempt, status, withdraws) {
                            words.push((at, Word::Pass { call: id, attempt }));
                        }
                    }
                    Some(Outcome::Failed { attempt, failure, .. }) => call.failed(attempt, failure),
                    Some(Outcome::Done { attempt, .. }) => {
                        call.done(attempt);
                        return words;
                    }
                    other => unreachable!("no gateway says {other:?} of a call that has begun"),
                }
                continue;
            }
        };
        let word = match told {
            Told::Try(Try { attempt, task, deadline, fresh, why, .. }) => {
                Word::Try { call: id, attempt, task, deadline, fresh, why }
            }
            Told::Pass => Word::Pass { call: id, attempt: kept.expect("a head is kept") },
            Told::Answer(why) => Word::Answer { call: id, why },
            Told::Abort => Word::Abort { call: id },
        };
        words.push((now(), word));
        if let Told::Answer(_) | Told::Abort = told {
            return words;
        }
    }
}

/// The driver, but that it writes down what it is to do, and does not carry out checks.
async fn serve(service: Rc<Service>, answers: Rc<RefCell<Answers>>) {
    loop {
        service.due().await;
        for chore in service.tick() {
            let mut answers = answers.borrow_mut();
            match chore {
                Chore::Record(record) => answers.records.push(record),
                Chore::Probe { probe, address, deadline } => {
                    answers.probes.push((now(), probe, address, deadline));
                }
            }
        }
    }
}

/// Says all of the script to the live one, at its moments.
async fn play(fleet: &Fleet, script: Script) -> Answers {
    VIRTUAL_SINCE.set(Some(tokio::time::Instant::now()));
    let service = Rc::new(Service::new(fleet.services[0].clone(), fleet.seed));
    let answers = Rc::new(RefCell::default());
    let driver = spawn_local(serve(Rc::clone(&service), Rc::clone(&answers)));
    let (mut exchanges, mut ordinals) = (Vec::new(), Ordinals::new());
    for (at, input) in script {
        sleep_until(Some(at)).await;
        match input {
            Input::Endpoints(endpoints) => service.endpoints(endpoints),
            Input::Probed(probe, result) => service.probed(probe, result),
            Input::Call(Outcome::Begin { call, request }) => {
                ordinals.insert((call.slot, call.generation), exchanges.len());
                let (tell, outcomes) = unbounded_channel();
                let exchange = exchange(Rc::clone(&service), call, request, outcomes);
                exchanges.push((tell, spawn_local(exchange)));
            }
            Input::Call(outcome) => {
                let (Outcome::Head { call, .. }
                | Outcome::Failed { call, .. }
                | Outcome::Done { call, .. }) = outcome
                else {
                    unreachable!("no gateway says {outcome:?} of a call")
                };
                // Core has been told by then that it is over, if it is.
                let _ = exchanges[ordinals[&(call.slot, call.generation)]].0.send(outcome);
            }
        }
        // Whoever has something to do now does it before the next is said.
        tokio::task::yield_now().await;
    }
    sleep_until(Some(Instant::EPOCH + Duration::from_millis(LENGTH - 1))).await;
    driver.abort();
    let mut answers = answers.take();
    for (_, exchange) in exchanges {
        answers.calls.push(exchange.await.expect("it does not panic"));
    }
    VIRTUAL_SINCE.take();
    answers
}

#[tokio::test(start_paused = true)]
async fn live_and_simulated_the_same_is_decided() {
    let raw: RawFleet = toml::from_str(FLEET).expect("it is a fleet");
    let fleet: Fleet = raw.try_into().expect("it can be meant");
    let (script, simulated) = part(overhear(&fleet));
    let live = LocalSet::new().run_until(play(&fleet, script)).await;
    assert_eq!(live.records, simulated.records);
    assert_eq!(live.probes, simulated.probes);
    for (one, other) in live.calls.iter().zip(&simulated.calls) {
        assert_eq!(one, other);
    }
    assert_eq!(live.calls.len(), simulated.calls.len());
    let words = format!("{:?}", simulated.calls);
    for word in ["Hedge", "Retry", "Abort", "Deadline", "Busy", "Full", "Open"] {
        assert!(words.contains(word), "{word} did not come about");
    }
}
