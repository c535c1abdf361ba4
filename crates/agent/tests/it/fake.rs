//! A fleet that is only made up: two services that always look the same, and remember what was asked.

use std::path::{Path, PathBuf};

use seaworthy_agent::api::types::{
    DeployReply, Deployed, DeploymentView, DownReply, FleetView, LogLine, PartView, RevisionState,
    RevisionView, Scaled, ServiceView, Stage, TaskView, Upgraded,
};
use seaworthy_agent::api::{ApiError, Ask, Journal, Logs, Wall, server, socket};
use seaworthy_agent::api::{Handle, Reply};
use seaworthy_core::cluster::State;
use seaworthy_core::endpoints::TaskId;
use seaworthy_core::record::{Cause, Decision, Exit, Record};
use seaworthy_core::time::Instant;
use tokio::sync::{broadcast, mpsc};

/// The fleet.
struct Fake {
    journal: Journal,
    feed: broadcast::Sender<LogLine>,
    written: Vec<LogLine>,
    /// How revision 4 of `store` is.
    fourth: RevisionState,
    directory: PathBuf,
}

/// What whoever tests wants to happen.
#[derive(Clone, Copy)]
pub(crate) enum Happens {
    /// A task is gone.
    Gone(&'static str, u32),
    /// A task writes.
    Writes(&'static str, u32, &'static str),
    /// The agent is started again: whoever follows tasks has to ask anew.
    Restarts,
    /// The deployment of revision 4 ends well.
    Completes,
    /// The fleet ends.
    Ends,
}

/// Starts it behind the socket in `directory`, on this runtime.
pub(crate) fn start(directory: &Path, fourth: RevisionState) -> (Handle, mpsc::Sender<Happens>) {
    let (handle, mut asks) = Handle::new();
    let (happens, mut happening) = mpsc::channel(16);
    let mut fake = Fake::new(directory, fourth);
    let listener = socket::listen_in(directory, socket::NAME).unwrap();
    tokio::spawn(server::serve_unix(listener, handle.clone()));
    tokio::spawn(async move {
        loop {
            tokio::select! {
                // What has happened before an ask is in its answer.
                biased;
                Some(what) = happening.recv() => match what {
                    // With the feeds, every stream ends.
                    Happens::Ends => return fake.end(),
                    what => fake.happen(what),
                },
                ask = asks.recv() => match ask {
                    Some(ask) => fake.answer(ask),
                    None => return,
                },
            }
        }
    });
    (handle, happens)
}

// === impl Fake ===

impl Fake {
    fn new(directory: &Path, fourth: RevisionState) -> Self {
        let mut fake = Self {
            journal: Journal::new(Wall::read(), &directory.join("events")),
            feed: broadcast::Sender::new(16),
            written: vec![Self::line("carts", 2, "hello"), Self::line("store", 1, "listening")],
            fourth,
            directory: directory.to_owned(),
        };
        fake.happen(Happens::Gone("carts", 2));
        fake
    }

    fn happen(&mut self, what: Happens) {
        match what {
            Happens::Gone(service, task) => {
                let cause = Cause::Exited(Exit::Signal(9));
                let (at, task) = (Instant::EPOCH, Some(TaskId(task)));
                self.journal.push(service, &Record { at, task, decision: Decision::Gone, cause });
            }
            Happens::Writes(service, task, line) => {
                self.written.push(Self::line(service, task, line));
                let _ = self.feed.send(Self::line(service, task, line));
            }
            Happens::Restarts => self.feed = broadcast::Sender::new(16),
            Happens::Completes => self.fourth = RevisionState::Completed,
            Happens::Ends => unreachable!("whoever runs the fake ends it"),
        }
    }

    fn answer(&mut self, ask: Ask) {
        match ask {
            Ask::Upgrade(_, reply) => drop(reply.send(Ok(Upgraded {}))),
            Ask::Fleet(reply) => tell(reply, Ok(self.fleet())),
            Ask::Tasks(reply) => tell(reply, Ok(tasks())),
            Ask::Events(query, reply) => tell(reply, Ok(self.journal.events(&query))),
            Ask::Logs(query, reply) => {
                let wanted = |line: &&LogLine| query.wants(&line.service, line.task);
                let past = self.written.iter().filter(wanted).take(query.lines());
                let past = past.cloned().collect();
                tell(reply, Ok(Logs { past, more: query.follow.then(|| self.feed.subscribe()) }));
            }
            Ask::Revisions(name, reply) => tell(reply, known(&name).map(|()| self.revisions())),
            Ask::Deploy(deploy, reply) => {
                let service = deploy.service.unwrap_or_else(|| "store".to_owned());
                let deployed = vec![Deployed { service, revision: 4, from: Some(3) }];
                let unchanged = vec!["carts".to_owned()];
                tell(reply, Ok(DeployReply { deployed, unchanged, ..DeployReply::default() }));
            }
            Ask::Rollback(service, reply) => {
                let known = known(&service);
                tell(reply, known.map(|()| Deployed { service, revision: 4, from: Some(3) }));
            }
            Ask::Scale(service, scale, reply) => tell(reply, scaled(service, scale.count)),
            Ask::Stop(task, reply) | Ask::Drain(task, reply) => {
                let found = tasks().into_iter().find(|known| known.task == task);
                let known = tasks().into_iter().map(|known| known.task);
                tell(reply, found.ok_or_else(|| ApiError::no_such_task(task, known)));
            }
            Ask::Down(reply) => {
                // Whoever waits for the end of the fleet waits for this.
                self.end();
                tell(reply, Ok(DownReply { tasks: 3 }));
            }
        }
    }

    /// Nobody finds the socket any more.
    fn end(&self) {
        std::fs::remove_file(self.directory.join(socket::NAME)).unwrap();
    }

    fn line(service: &str, task: u32, line: &str) -> LogLine {
        LogLine { task: TaskId(task), service: service.to_owned(), line: line.to_owned() }
    }

    fn fleet(&self) -> FleetView {
        let deployment = DeploymentView {
            revision: 4,
            from: Some(3),
            stage: Stage::Rolling,
            settled: 1,
            desired: 3,
            failed: 1,
            failure_threshold: 3,
            started: "2026-11-02T10:00:03Z".to_owned(),
        };
        let in_progress = self.fourth == RevisionState::InProgress;
        let deployment = in_progress.then_some(deployment);
        let part = |name: &str, pid| PartView {
            name: name.to_owned(),
            pid,
            since: "2026-11-02T09:00:00Z".to_owned(),
        };
        FleetView {
            state_directory: "/srv/shop/.seaworthy".into(),
            file: Some("/srv/shop/fleet.toml".into()),
            started: "2026-11-02T09:00:00Z".to_owned(),
            dashboard: None,
            services: vec![
                service("carts", 8081, 1, 1, None),
                ServiceView {
                    waiting_on: vec!["1 task is coming".to_owned()],
                    ..service("store", 8080, 4, 3, deployment)
                },
            ],
            parts: vec![part("keeper", 100), part("agent", 101), part("gateway", 102)],
        }
    }

    fn revisions(&self) -> Vec<RevisionView> {
        let revision = |revision, state, reason: Option<&str>| RevisionView {
            revision,
            state,
            reason: reason.map(str::to_owned),
            command: vec!["./store".to_owned(), format!("--v{revision}")],
            deployed_at: format!("2026-11-02T09:{revision:02}:00Z"),
            current: revision == 4,
        };
        let failed = self.fourth == RevisionState::RolledBack;
        let why = failed.then_some("3 new tasks have failed");
        vec![revision(3, RevisionState::Completed, None), revision(4, self.fourth, why)]
    }
}

fn service(
    name: &str,
    port: u16,
    revision: u32,
    desired: u32,
    deployment: Option<DeploymentView>,
) -> ServiceView {
    ServiceView {
        name: name.to_owned(),
        url: format!("http://127.0.0.1:{port}"),
        revision,
        desired,
        running: desired,
        in_rotation: desired.min(2),
        deployment,
        autoscaling: name == "carts",
        waiting_on: Vec::new(),
    }
}

fn tasks() -> Vec<TaskView> {
    let task = |service: &str, task, revision, state, port: Option<u16>| TaskView {
        service: service.to_owned(),
        task: TaskId(task),
        revision,
        state,
        machine: None,
        port,
        pid: port.map(|port| u32::from(port) + 1),
        age_seconds: u64::from(task) * 100,
        cpu: port.map(|_| 125),
        memory: port.map(|_| 34 << 20),
        limits: (service == "store").then(|| "cgroup v2".to_owned()),
    };
    vec![
        task("store", 1, 3, State::InRotation, Some(40001)),
        task("carts", 2, 1, State::InRotation, Some(40002)),
        task("store", 3, 3, State::Draining, Some(40003)),
        task("store", 5, 4, State::InRotation, Some(40005)),
        task("store", 7, 4, State::Starting, Some(40007)),
        task("store", 9, 4, State::Provisioning, None),
        task("store", 11, 3, State::OutOfRotation, Some(40011)),
    ]
}

fn known(service: &str) -> Result<(), ApiError> {
    let known = ["carts", "store"];
    let is_known = known.contains(&service);
    is_known.then_some(()).ok_or_else(|| ApiError::no_such_service(service, known))
}

fn scaled(service: String, count: u32) -> Result<Scaled, ApiError> {
    known(&service)?;
    if service == "carts" && count > 4 {
        let error = "carts: its desired count follows the load";
        return Err(ApiError::conflict(error, "1 to 4"));
    }
    Ok(Scaled { service, desired: count, was: 3 })
}

fn tell<T>(reply: Reply<T>, answer: Result<T, ApiError>) {
    // Whoever asked may be gone.
    let _ = reply.send(answer);
}
