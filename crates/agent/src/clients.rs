//! Those who watch the agent and tell it what to do, over a Unix socket: a line of JSON each way.

use std::collections::VecDeque;

use seaworthy_core::record::Record;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::sync::mpsc;

use crate::messages::{Command, TaskView, Update};

/// A client that has not taken so many updates is dropped.
const PATIENCE: usize = 1024;
/// So many decisions are remembered for those who come later.
const BACKLOG: usize = 10_000;

/// What a client may say.
const ALLOWED: &str = r#"{"stop": "task-N"}, or {"deploy": {"service": NAME}} with an "environment" and a "command" by choice"#;

/// All clients of the agent.
pub(crate) struct Clients {
    streams: Vec<mpsc::Sender<Update>>,
    backlog: VecDeque<Record>,
    fresh: Vec<Record>,
    tasks: Vec<TaskView>,
    commands: mpsc::Sender<Command>,
}

impl Clients {
    /// No client yet. What they want done arrives at the other end of `commands`.
    pub(crate) fn new(commands: mpsc::Sender<Command>) -> Self {
        let (backlog, fresh) = (VecDeque::new(), Vec::new());
        Self { streams: Vec::new(), backlog, fresh, tasks: Vec::new(), commands }
    }

    /// A decision, to be told with the next update.
    pub(crate) fn record(&mut self, record: Record) {
        if self.backlog.len() == BACKLOG {
            self.backlog.pop_front();
        }
        self.backlog.push_back(record.clone());
        self.fresh.push(record);
    }

    /// Tells everybody how things stand, if that is news.
    pub(crate) fn tell(&mut self, at: seaworthy_core::time::Instant, tasks: Vec<TaskView>) {
        if tasks == self.tasks && self.fresh.is_empty() {
            return;
        }
        self.tasks = tasks;
        let records = std::mem::take(&mut self.fresh);
        let update = Update { at, tasks: self.tasks.clone(), records, error: None };
        self.streams.retain(|client| client.try_send(update.clone()).is_ok());
    }

    /// A new client: it is told everything so far.
    pub(crate) fn add(&mut self, at: seaworthy_core::time::Instant, stream: UnixStream) {
        let (updates, inbox) = mpsc::channel(PATIENCE);
        let records = self.backlog.iter().cloned().collect();
        let first = Update { at, tasks: self.tasks.clone(), records, error: None };
        updates.try_send(first).expect("it is the first of many");
        let (read, write) = stream.into_split();
        tokio::spawn(write_updates(write, inbox));
        tokio::spawn(read_commands(read, self.commands.clone(), updates.clone()));
        self.streams.push(updates);
    }
}

async fn write_updates(
    mut stream: tokio::net::unix::OwnedWriteHalf,
    mut inbox: mpsc::Receiver<Update>,
) {
    while let Some(update) = inbox.recv().await {
        let mut line = serde_json::to_vec(&update).expect("an update is plain data");
        line.push(b'\n');
        if stream.write_all(&line).await.is_err() {
            return;
        }
    }
}

async fn read_commands(
    stream: tokio::net::unix::OwnedReadHalf,
    commands: mpsc::Sender<Command>,
    answers: mpsc::Sender<Update>,
) {
    let mut lines = BufReader::new(stream).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let sent = match serde_json::from_str(&line) {
            Ok(command) => commands.send(command).await.is_ok(),
            Err(error) => {
                let error = format!("{error}; allowed is {ALLOWED}");
                let answer = Update { error: Some(error), ..Update::default() };
                answers.send(answer).await.is_ok()
            }
        };
        if !sent {
            return;
        }
    }
}

/// The socket at which clients find the agent of a run directory.
pub(crate) const SOCKET: &str = "control.sock";
