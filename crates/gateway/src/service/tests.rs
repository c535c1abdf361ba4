//! What a whole gateway cannot show on purpose: races, and bugs.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use seaworthy_core::call::Refusal;
use seaworthy_core::endpoints::{Endpoint, Health};
use seaworthy_core::fleet::{AccessLog, Fleet, RawFleet};
use seaworthy_core::policy::Ask;
use serde_json::json;

use super::*;
use crate::access::Access;
use crate::door::Door;
use crate::worker::Handle;

const PATIENCE: Duration = Duration::from_secs(30);
const TASK: TaskId = TaskId(1);

/// A service with one task, in rotation at `address`.
fn service(address: SocketAddr, timeout: &str) -> Service {
    let health = json!({ "interval": "1h", "timeout": "50m" });
    let service = json!({ "command": ["none"], "health": health, "call": { "timeout": timeout } });
    let fleet: RawFleet =
        serde_json::from_value(json!({ "service": { "test": service } })).unwrap();
    let service = Service::new(Fleet::try_from(fleet).unwrap().services.remove(0), 1);
    service.endpoints(endpoints(1, address));
    service
}

fn endpoints(version: u64, address: SocketAddr) -> Endpoints {
    let task = Endpoint { inherited: Some(Health::Healthy.into()), ..Endpoint::new(TASK, address) };
    Endpoints { version, tasks: vec![task], ..Endpoints::default() }
}

fn request() -> call::Request {
    call::Request::new(RouteId(0), Ask { repeatable: true, deadline: None })
}

fn in_flight(service: &Service) -> u32 {
    service.sightings().of(TASK).expect("it is known").in_flight
}

/// Core gives a call up just before the head of its answer is told: the client must not get both.
#[tokio::test]
async fn the_head_of_an_answer_that_comes_too_late_is_not_passed_on() {
    let service = service(([127, 0, 0, 1], 9).into(), "1ms");
    let line = Arc::default();
    let mut call = service.begin(request(), &line);
    let over = now() + Duration::from_millis(1);
    let Told::Try(to) = call.told().await else { panic!("it is to be tried") };
    while now() < over {
        thread::yield_now();
    }
    assert_eq!(call.head(to.attempt, 200, false), None, "core has given it up");
    assert!(matches!(call.told().await, Told::Answer(Refusal::Deadline)));
    assert_eq!(in_flight(&service), 0);
}

#[tokio::test]
async fn the_head_of_an_answer_in_time_is_passed_on() {
    let service = service(([127, 0, 0, 1], 9).into(), "10s");
    let line = Arc::default();
    let mut call = service.begin(request(), &line);
    let Told::Try(to) = call.told().await else { panic!("it is to be tried") };
    assert!(call.head(to.attempt, 200, false).is_some());
    assert_eq!(in_flight(&service), 1);
    call.done(to.attempt);
    assert_eq!(in_flight(&service), 0);
}

/// A request whose task has no address is a bug that panics in the middle of everything: on the
/// worker's thread, with the lock held, with a call begun.
#[test]
fn a_panic_in_one_request_ends_no_other_and_leaves_nothing_behind() {
    let task = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = task.local_addr().unwrap();
    let service = Arc::new(service(address, "10s"));
    let access = Arc::new(Access::start(&AccessLog::Off).unwrap());
    let worker = Handle::start(1, access).unwrap();
    let door = Arc::new(Door::new(1, Arc::clone(&service)));

    service.lock().desk.addresses.clear();
    let mut unlucky = client(&worker, &door);
    let mut answer = Vec::new();
    unlucky.write_all(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n").unwrap();
    let ended = unlucky.read_to_end(&mut answer);
    assert!(ended.is_err() || answer.is_empty(), "it panicked: {answer:?}");
    let deadline = std::time::Instant::now() + PATIENCE;
    while worker.connections() > 0 {
        assert!(std::time::Instant::now() < deadline, "the connection is still counted");
        thread::yield_now();
    }
    assert_eq!(in_flight(&service), 0);

    service.endpoints(endpoints(2, address));
    let mut lucky = client(&worker, &door);
    lucky.write_all(b"GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").unwrap();
    let (mut at_task, _) = task.accept().unwrap();
    at_task.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap();
    lucky.read_to_end(&mut answer).unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 204 "), "{answer:?}");
    assert_eq!(service.lock().slots.take().slot, 0, "the slot of either call was given back");
}

/// A connection to the worker, as if accepted.
fn client(worker: &Handle, door: &Arc<Door>) -> TcpStream {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    worker.give(listener.accept().unwrap().0, door);
    client
}
