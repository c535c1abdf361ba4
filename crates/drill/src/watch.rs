//! Follows the tasks of a cell: what the agent tells, what tasks answer when asked directly, and
//! when the processes that faults met are gone.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Empty;
use hyper::header::HOST;
use hyper::{Method, Request};
use seaworthy_agent::Error;
use seaworthy_agent::clock::now;
use seaworthy_agent::messages::Update;
use seaworthy_agent::owner::Control;
use seaworthy_agent::processes::Identity;
use seaworthy_core::cluster::spread::Site;
use seaworthy_core::cluster::{Numbers, State};
use seaworthy_core::endpoints::TaskId;
use seaworthy_core::experiment::course::Course;
use seaworthy_core::experiment::{Definition, Ending};
use seaworthy_core::health;
use seaworthy_core::record::Record;
use seaworthy_core::time::Instant;
use tokio::net::TcpStream;
use tokio::task::{AbortHandle, JoinSet};

use crate::load::pool::{connect, exchange};

/// How often a process that should end is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(2);
/// How often a task that has not answered yet is asked again.
const ASK_EVERY: Duration = Duration::from_millis(2);

/// Watches the tasks of one fleet.
pub(crate) struct Watch {
    /// None if there is no fleet to watch.
    control: Option<Control>,
    /// Of each service.
    health: Vec<health::Config>,
    /// Everything seen so far.
    pub(crate) course: Course,
    /// Every decision so far.
    pub(crate) records: Vec<Record>,
    processes: BTreeMap<TaskId, Identity>,
    ports: BTreeMap<TaskId, u16>,
    /// The very processes that faults met and that were not yet seen to end.
    doomed: Vec<(TaskId, Identity)>,
    /// Tasks that were ever asked.
    asked: BTreeMap<TaskId, AbortHandle>,
    answers: JoinSet<(TaskId, Instant)>,
}

// === impl Watch ===

impl Watch {
    /// Watches by way of the agent, and checks tasks as their service's health checks do.
    pub(crate) fn new(control: Option<Control>, health: Vec<health::Config>) -> Self {
        Self {
            control,
            course: Course::of(health.len()),
            health,
            records: Vec::new(),
            processes: BTreeMap::new(),
            ports: BTreeMap::new(),
            doomed: Vec::new(),
            asked: BTreeMap::new(),
            answers: JoinSet::new(),
        }
    }

    /// Returns when there may be something new in [`course`](Self::course). Cancel safe.
    pub(crate) async fn next(&mut self) -> Result<(), Error> {
        tokio::select! {
            update = update(&mut self.control) => self.take(update?),
            // Those that were given up answer with an error, which is no news.
            Some(answer) = self.answers.join_next() => if let Ok((task, at)) = answer {
                self.course.answered(at, task);
            },
            () = tokio::time::sleep(LOOK_EVERY), if !self.doomed.is_empty() => {}
        }
        self.look_for_ends();
        Ok(())
    }

    /// Ends these tasks from outside; returns those of them that it really ended.
    pub(crate) async fn end(
        &mut self,
        how: Ending,
        tasks: Vec<TaskId>,
    ) -> Result<Vec<TaskId>, Error> {
        let mut done = true;
        for task in &tasks {
            let process = self.process(*task);
            self.doomed.extend(process.map(|process| (*task, process)));
            match (how, &mut self.control) {
                (Ending::Stop, Some(control)) => control.stop(*task).await?,
                (Ending::Stop, None) => done = false,
                (Ending::Kill, _) => done &= process.is_some_and(Identity::kill),
            }
        }
        // Else somebody was quicker: the fault was not done as said.
        Ok(if done { tasks } else { Vec::new() })
    }

    /// Takes the power from there, and nowhere else, where these tasks of a service are, and perhaps others. A
    /// target has none.
    pub(crate) async fn power_off(
        &mut self,
        service: String,
        sites: Vec<Site>,
        tasks: &[TaskId],
    ) -> Result<(), Error> {
        let process = |task: &TaskId| Some((*task, self.process(*task)?));
        let doomed: Vec<_> = tasks.iter().filter_map(process).collect();
        self.doomed.extend(doomed);
        match &mut self.control {
            Some(control) => control.power_off(service, sites).await,
            None => Ok(()),
        }
    }

    /// Where a task listens.
    pub(crate) fn address(&self, task: TaskId) -> Option<SocketAddr> {
        self.ports.get(&task).map(|port| (Ipv4Addr::LOCALHOST, *port).into())
    }

    /// The process of a task that runs.
    pub(crate) fn process(&self, task: TaskId) -> Option<Identity> {
        self.processes.get(&task).copied()
    }

    /// Begins a deployment. A target has none.
    pub(crate) async fn deploy(
        &mut self,
        service: String,
        definition: Definition,
    ) -> Result<(), Error> {
        let Some(control) = &mut self.control else { return Ok(()) };
        control.deploy(service, definition.environment, definition.command).await
    }

    fn take(&mut self, update: Update) {
        // It tells nothing else.
        if let Some(why) = update.error {
            return self.course.refused(&why);
        }
        let views: Vec<_> = update.tasks.iter().map(|task| task.view.clone()).collect();
        self.course.observe(update.at, &views, &update.records);
        self.records.extend(update.records);
        self.processes =
            update.tasks.iter().filter_map(|task| Some((task.view.task, task.process?))).collect();
        for view in &views {
            self.ports.extend(view.port.map(|port| (view.task, port)));
            if let (State::Starting, Some(port)) = (view.state, view.port) {
                self.ask(view.task, (Ipv4Addr::LOCALHOST, port).into());
            }
        }
        for (task, asking) in &self.asked {
            if !views.iter().any(|view| view.task == *task) {
                asking.abort();
            }
        }
    }

    /// Asks a new task until it gives a right answer or is gone.
    fn ask(&mut self, task: TaskId, address: SocketAddr) {
        if self.asked.contains_key(&task) {
            return;
        }
        let is_of = |place: &usize| Numbers::of(*place, self.health.len()).include(task);
        let place = (0..self.health.len()).find(is_of).expect("every task is of one service");
        let health = self.health[place].clone();
        let asking = self.answers.spawn(async move {
            loop {
                let answer =
                    tokio::time::timeout(health.timeout, ask(address, &health.check)).await;
                if let Ok(Some(probed)) = answer
                    && health.check.failing(probed).is_none()
                {
                    return (task, now());
                }
                tokio::time::sleep(ASK_EVERY).await;
            }
        });
        self.asked.insert(task, asking);
    }

    fn look_for_ends(&mut self) {
        let course = &mut self.course;
        self.doomed.retain(|(task, process)| {
            let alive = process.is_alive();
            if !alive {
                course.process_ended(now(), *task);
            }
            alive
        });
    }
}

/// The agent's next update; never, if there is no agent.
async fn update(control: &mut Option<Control>) -> Result<Update, Error> {
    match control {
        Some(control) => control.update().await,
        None => std::future::pending().await,
    }
}

/// What comes of a check like the gateway's, if anything does.
async fn ask(address: SocketAddr, check: &health::Check) -> Option<health::Probed> {
    match check {
        health::Check::Tcp => {
            TcpStream::connect(address).await.ok().map(|_| health::Probed::Opened)
        }
        health::Check::Http { path, .. } => {
            send(Method::GET, address, path).await.map(health::Probed::Status)
        }
    }
}

/// The status of an answer over a fresh connection.
pub(crate) async fn send(method: Method, address: SocketAddr, path: &str) -> Option<u16> {
    let request = Request::builder().method(method).uri(path).header(HOST, address.to_string());
    let request = request.body(Empty::<Bytes>::new()).ok()?;
    let mut connection = connect(address).await?;
    exchange(&mut connection, request).await.map(|reply| reply.status)
}
