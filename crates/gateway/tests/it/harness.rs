//! A gateway in a thread, with the test in the place of its agent.

mod client;
mod gate;
mod message;
mod task;

use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixDatagram;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use seaworthy_core::endpoints::{About, Endpoint, Endpoints, Health, Sightings, TaskId, Wanted};
use seaworthy_core::fleet::{Fleet, RawFleet};
use serde_json::{Value, json};
use tokio::sync::oneshot;

pub(crate) use client::{Client, End};
pub(crate) use gate::Gate;
pub(crate) use message::Message;
pub(crate) use task::{Task, Wire};

/// What has not happened by then does not happen any more. No test that passes waits so long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A gateway that ends when dropped.
pub(crate) struct Gateway {
    pub(crate) address: SocketAddr,
    agent: UnixDatagram,
    version: AtomicU64,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

// === impl Gateway ===

impl Gateway {
    /// A gateway with `tasks` in rotation. Each is checked once and never again.
    pub(crate) fn of(tasks: &[&Task]) -> Self {
        Self::with(&json!({}), tasks)
    }

    /// The same, with some settings of the service's `call`.
    pub(crate) fn with(call: &Value, tasks: &[&Task]) -> Self {
        Self::of_service(&json!({ "call": call }), tasks)
    }

    /// The same, with some settings of the service; `workers` is the gateway's.
    pub(crate) fn of_service(settings: &Value, tasks: &[&Task]) -> Self {
        let gateway = Self::start_service(json!({ "interval": "1h", "timeout": "50m" }), settings);
        gateway.register(tasks);
        gateway.until("every task is in rotation", |seen| {
            tasks.iter().all(|task| seen.of(task.id).is_some_and(|task| task.in_rotation))
        });
        gateway
    }

    /// A gateway that knows no task.
    pub(crate) fn start(health: Value, call: &Value) -> Self {
        Self::start_service(health, &json!({ "call": call }))
    }

    fn start_service(mut health: Value, settings: &Value) -> Self {
        if health.get("protocol").is_none() {
            health["path"] = "/health".into();
            // Most tests have tasks that misbehave, and want to see just what the gateway does with them.
            if health["passive"].is_null() {
                health["passive"] = json!({ "enabled": false });
            }
        }
        let mut service = json!({ "command": ["none"], "health": health });
        let mut settings = settings.as_object().expect("settings").clone();
        let workers = settings.remove("workers");
        service.as_object_mut().expect("a service").extend(settings);
        // Most tests want to see what a client is told when nothing can be had.
        if service["call"]["queue"].is_null() {
            service["call"]["queue"] = json!({ "enabled": false });
        }
        let fleet = json!({ "gateway": { "workers": workers }, "service": { "test": service } });
        let fleet: RawFleet = serde_json::from_value(fleet).expect("a fleet as written");
        let fleet = Fleet::try_from(fleet).expect("a fleet as meant");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let (agent, gateways_end) = UnixDatagram::pair().expect("a pair of sockets");
        let (stop, stopped) = oneshot::channel();
        let serve = move || {
            let stopped = async { drop(stopped.await) };
            seaworthy_gateway::serve(fleet, vec![listener], gateways_end, stopped)
                .expect("it serves");
        };
        let thread = Some(thread::spawn(serve));
        Self { address, agent, version: AtomicU64::new(0), stop: Some(stop), thread }
    }

    /// Tells the gateway that these are all tasks there are.
    pub(crate) fn register(&self, tasks: &[&Task]) {
        self.drain(tasks, &[]);
    }

    /// The same; those in `draining` are to get nothing new.
    pub(crate) fn drain(&self, tasks: &[&Task], draining: &[TaskId]) {
        let endpoint = |task: &&Task| {
            let Task { id, address, .. } = **task;
            let drains = draining.contains(&id);
            let wanted = if drains { Wanted::Draining } else { Wanted::InRotation };
            Endpoint { wanted, ..Endpoint::new(id, address) }
        };
        self.publish(tasks.iter().map(endpoint).collect());
    }

    /// Tells the gateway that these are all tasks there are, and what an earlier one thought of them.
    pub(crate) fn publish(&self, tasks: Vec<Endpoint>) {
        let version = self.version.fetch_add(1, Ordering::Relaxed) + 1;
        let snapshot = Endpoints { version, tasks, ..Endpoints::default() };
        let about = About { service: "test".to_owned(), snapshot };
        self.say(&serde_json::to_vec(&about).expect("endpoints are plain data"));
        self.until("the endpoints are taken up", |seen| seen.acknowledged == version);
    }

    /// Sends a datagram as the agent would.
    pub(crate) fn say(&self, message: &[u8]) {
        self.agent.send(message).expect("the gateway listens");
    }

    /// From now on the gateway has no agent.
    pub(crate) fn leave_alone(&mut self) {
        self.agent = UnixDatagram::unbound().expect("a socket");
    }

    /// Waits until what the gateway sees is as wanted. What it said before is not listened to.
    pub(crate) fn until(&self, what: &str, wanted: impl Fn(&Sightings) -> bool) -> Sightings {
        let mut buffer = vec![0; 64 << 10];
        self.agent.set_nonblocking(true).expect("an open socket");
        while self.agent.recv(&mut buffer).is_ok() {}
        self.agent.set_nonblocking(false).expect("an open socket");
        self.agent.set_read_timeout(Some(PATIENCE)).expect("an open socket");
        let deadline = Instant::now() + PATIENCE;
        let mut last = Sightings::default();
        while Instant::now() < deadline {
            let length = self.agent.recv(&mut buffer).unwrap_or_else(|error| {
                panic!("the gateway is silent ({error}) before {what}: {last:?}")
            });
            let about: About<Sightings> =
                serde_json::from_slice(&buffer[..length]).expect("sightings");
            last = about.snapshot;
            if wanted(&last) {
                return last;
            }
        }
        panic!("it never came that {what}: {last:?}");
    }

    /// Waits until no task has a request in flight.
    pub(crate) fn until_idle(&self) {
        self.until("nothing is in flight", |seen| seen.tasks.iter().all(|t| t.in_flight == 0));
    }

    /// Waits until `task` has this verdict.
    pub(crate) fn until_health(&self, task: &Task, health: Health) {
        let what = format!("{} is {health:?}", task.id);
        self.until(&what, |seen| seen.of(task.id).is_some_and(|seen| seen.health == health));
    }

    /// A new connection.
    pub(crate) fn client(&self) -> Client {
        Client::connect(self.address)
    }

    /// The answer to a GET on a new connection.
    pub(crate) fn get(&self, target: &str) -> Message {
        self.client().get(target)
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.stop.take().map(|stop| stop.send(()));
        let ended = self.thread.take().map(JoinHandle::join);
        if !thread::panicking() {
            assert!(matches!(ended, Some(Ok(()))), "the gateway ended with an error");
        }
    }
}
