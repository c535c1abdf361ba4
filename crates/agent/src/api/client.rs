//! The other end of the API, at its Unix socket: what the commands use.

mod error;
mod lines;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::handshake;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use seaworthy_core::endpoints::TaskId;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep, timeout};

use super::types::{
    Deploy, DeployReply, Deployed, DownReply, EventView, EventsQuery, FleetView, LogLine,
    LogsQuery, RevisionView, Scale, Scaled, TaskView, Upgrade, Upgraded,
};
use super::{ApiError, socket};
use crate::directory::Directory;
use crate::processes::keeper_of;
pub use error::ClientError;
pub use lines::Lines;

/// An agent that lives answers within this.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// An agent that was killed is there again within this, if its keeper lives.
const BACK_WITHIN: Duration = Duration::from_secs(2);
/// An agent that is to be followed by another one has been within this, also on a busy machine.
const FOLLOWED_WITHIN: Duration = Duration::from_secs(15);
const PAUSE: Duration = Duration::from_millis(50);

/// Talks to the fleet of one state directory: a connection for each call.
#[derive(Clone, Debug)]
pub struct Client {
    directory: PathBuf,
}

/// What was answered, as it came and as it is meant.
#[derive(Clone, Debug)]
pub struct Answer<T> {
    /// The JSON, byte for byte.
    pub json: String,
    /// What it means.
    pub value: T,
}

type Answered<T> = Result<Answer<T>, ClientError>;

// === impl Client ===

impl Client {
    /// For the fleet whose state is kept in `directory`. Does nothing yet.
    pub fn new(directory: &Path) -> Self {
        Self { directory: directory.to_owned() }
    }

    /// Where the state of its fleet is kept.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The fleet as it is.
    pub async fn fleet(&self) -> Answered<FleetView> {
        self.get("/v1/fleet").await
    }

    /// Every task that is not gone.
    pub async fn tasks(&self) -> Answered<Vec<TaskView>> {
        self.get("/v1/tasks").await
    }

    /// Every revision of `service` that is known.
    pub async fn revisions(&self, service: &str) -> Answered<Vec<RevisionView>> {
        self.get(&format!("/v1/services/{}/revisions", encoded(service))).await
    }

    /// What was decided. The query must not follow.
    pub async fn events(&self, query: &EventsQuery) -> Answered<Vec<EventView>> {
        self.get(&events(query)).await
    }

    /// What is decided, as it happens. The query must follow.
    pub async fn follow_events(
        &self,
        query: &EventsQuery,
    ) -> Result<Lines<EventView>, ClientError> {
        self.follow(&events(query)).await
    }

    /// What tasks wrote. The query must not follow.
    pub async fn logs(&self, query: &LogsQuery) -> Answered<Vec<LogLine>> {
        self.get(&logs(query)).await
    }

    /// What tasks write, as it happens. The query must follow.
    pub async fn follow_logs(&self, query: &LogsQuery) -> Result<Lines<LogLine>, ClientError> {
        self.follow(&logs(query)).await
    }

    /// Makes the fleet as a file says.
    pub async fn deploy(&self, deploy: &Deploy) -> Answered<DeployReply> {
        self.call(Method::POST, "/v1/deployments", Some(deploy)).await
    }

    /// Deploys the completed revision before the one that `service` has.
    pub async fn rollback(&self, service: &str) -> Answered<Deployed> {
        self.post(&format!("/v1/services/{}/rollback", encoded(service))).await
    }

    /// Says how many tasks `service` is to have.
    pub async fn scale(&self, service: &str, count: u32) -> Answered<Scaled> {
        let path = format!("/v1/services/{}/desired-count", encoded(service));
        self.call(Method::PUT, &path, Some(&Scale { count })).await
    }

    /// Ends a task at once, undrained.
    pub async fn stop(&self, task: TaskId) -> Answered<TaskView> {
        self.post(&format!("/v1/tasks/{task}/stop")).await
    }

    /// Retires a task: it is drained, then ended.
    pub async fn drain(&self, task: TaskId) -> Answered<TaskView> {
        self.post(&format!("/v1/tasks/{task}/drain")).await
    }

    /// Has `program` take the place of agent, gateway and keeper.
    pub async fn upgrade(&self, program: &Path) -> Answered<Upgraded> {
        let upgrade = Upgrade { program: program.to_owned() };
        self.call(Method::POST, "/v1/upgrade", Some(&upgrade)).await
    }

    /// Drains and ends the fleet. [`ClientError::is_absence`] tells of a later call when it is no more.
    pub async fn down(&self) -> Answered<DownReply> {
        self.post("/v1/down").await
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Answered<T> {
        self.call(Method::GET, path, None::<&()>).await
    }

    async fn post<T: DeserializeOwned>(&self, path: &str) -> Answered<T> {
        self.call(Method::POST, path, None::<&()>).await
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Answered<T> {
        let call = async {
            let response = self.send(method, path, body).await?;
            let body = response.into_body().collect().await.map_err(|error| self.broke(error))?;
            let bytes = body.to_bytes();
            let value = serde_json::from_slice(&bytes).map_err(ClientError::Message)?;
            Ok(Answer { json: String::from_utf8_lossy(&bytes).into_owned(), value })
        };
        let silent = |_| ClientError::Silent(self.directory.clone());
        timeout(ANSWER_WITHIN, call).await.map_err(silent)?
    }

    async fn follow<T>(&self, path: &str) -> Result<Lines<T>, ClientError> {
        let response = timeout(ANSWER_WITHIN, self.send(Method::GET, path, None::<&()>)).await;
        let response = response.map_err(|_| ClientError::Silent(self.directory.clone()))??;
        Ok(Lines::new(response))
    }

    /// The head of the response, if it does not refuse. An agent that is ending has done nothing, one that
    /// ended has not read it or was only asked something, and another one may follow.
    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Result<Response<Incoming>, ClientError> {
        let begin = Instant::now();
        let mut patience = Duration::ZERO;
        loop {
            let sent = self.send_once(method.clone(), path, body).await;
            let reason = match &sent {
                Err(ClientError::Refused(refusal)) if refusal.is_ending() => FOLLOWED_WITHIN,
                Err(ClientError::Refused(refusal)) if refusal.lacks_keeper() => BACK_WITHIN,
                Err(error) if method == Method::GET && error.is_broken() => BACK_WITHIN,
                Err(error) if error.was_unread() => BACK_WITHIN,
                // To connect has its own patience; who ended may have said that another one follows.
                Err(error) if error.is_passing() => Duration::ZERO,
                _ => return sent,
            };
            patience = patience.max(reason);
            if begin.elapsed() >= patience {
                return sent;
            }
            sleep(PAUSE).await;
        }
    }

    async fn send_once(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Result<Response<Incoming>, ClientError> {
        let stream = self.connect().await?;
        let (mut sender, connection) =
            handshake(TokioIo::new(stream)).await.map_err(|error| self.broke(error))?;
        // It ends when the response's body has.
        tokio::spawn(connection);
        let json = body.map(|body| serde_json::to_vec(body).expect("a request is plain data"));
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "localhost")
            .header("content-type", "application/json")
            .body(Full::<Bytes>::from(json.unwrap_or_default()))
            .expect("paths are encoded");
        let response = sender.send_request(request).await.map_err(|error| self.broke(error))?;
        if response.status() == StatusCode::OK {
            return Ok(response);
        }
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.map_err(|error| self.broke(error))?;
        let refusal: ApiError =
            serde_json::from_slice(&body.to_bytes()).map_err(ClientError::Message)?;
        Err(ClientError::Refused(ApiError { status, ..refusal }))
    }

    /// Where nobody listens, an agent may just be started again, or the keeper be at its end.
    async fn connect(&self) -> Result<tokio::net::UnixStream, ClientError> {
        let until = Instant::now() + BACK_WITHIN;
        loop {
            let connected = socket::connect_in(&self.directory, socket::NAME).await;
            match connected.map_err(|error| self.absent(error)) {
                Err(error) if error.is_passing() && Instant::now() < until => sleep(PAUSE).await,
                connected => return connected,
            }
        }
    }

    fn absent(&self, source: io::Error) -> ClientError {
        let directory = self.directory.clone();
        let nobody = match source.kind() {
            io::ErrorKind::NotFound => ClientError::Nothing,
            // Or somebody listened, and ended before he took the connection.
            io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionReset => ClientError::Stale,
            _ => return ClientError::Connect { directory, source },
        };
        let known = Directory::that_was_at(&directory).ok();
        match known.and_then(|known| keeper_of(known.path())) {
            Some(keeper) => ClientError::Unheard { directory, keeper: keeper.pid },
            None => nobody(directory),
        }
    }

    fn broke(&self, source: hyper::Error) -> ClientError {
        ClientError::Broke { directory: self.directory.clone(), source }
    }
}

fn events(EventsQuery { after, service, task, follow }: &EventsQuery) -> String {
    let keys = [
        ("after", after.map(|after| after.to_string())),
        ("service", service.clone()),
        ("task", task.map(|task| task.to_string())),
        ("follow", follow.then(|| "true".to_owned())),
    ];
    asking("/v1/events", &keys)
}

fn logs(LogsQuery { service, task, lines, follow }: &LogsQuery) -> String {
    let keys = [
        ("service", service.clone()),
        ("task", task.map(|task| task.to_string())),
        ("lines", lines.map(|lines| lines.to_string())),
        ("follow", follow.then(|| "true".to_owned())),
    ];
    asking("/v1/logs", &keys)
}

fn asking(path: &str, keys: &[(&str, Option<String>)]) -> String {
    let given = keys.iter().filter_map(|(key, value)| Some((key, value.as_ref()?)));
    let pairs: Vec<_> = given.map(|(key, value)| format!("{key}={}", encoded(value))).collect();
    if pairs.is_empty() { path.to_owned() } else { format!("{path}?{}", pairs.join("&")) }
}

/// As it may stand in a path or a query: whatever somebody typed.
fn encoded(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(encode).collect()
}
