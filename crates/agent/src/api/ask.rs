//! Where the API and whoever runs the fleet meet: one channel of asks.

use seaworthy_core::endpoints::TaskId;
use tokio::sync::{broadcast, mpsc, oneshot};

use super::ApiError;
use super::types::{
    Deploy, DeployReply, Deployed, DownReply, EventView, EventsQuery, FleetView, LogLine,
    LogsQuery, RevisionView, Scale, Scaled, TaskView, Upgrade, Upgraded,
};

/// So many asks wait at most; who asks more waits before that.
const WAITING: usize = 64;

/// Where the answer to an ask goes. Dropped without one, the asker is told that the agent is ending.
pub type Reply<T> = oneshot::Sender<Result<T, ApiError>>;

/// One thing that is asked of whoever runs the fleet.
#[derive(Debug)]
pub enum Ask {
    /// How the fleet is.
    Fleet(Reply<FleetView>),
    /// Every task that is not gone, in ascending order.
    Tasks(Reply<Vec<TaskView>>),
    /// What was decided. [`Journal::events`](super::Journal::events) knows the answer.
    Events(EventsQuery, Reply<Events>),
    /// What tasks wrote.
    Logs(LogsQuery, Reply<Logs>),
    /// Every revision of this service that is known, in ascending order.
    Revisions(String, Reply<Vec<RevisionView>>),
    /// The fleet is to be as this file says.
    Deploy(Box<Deploy>, Reply<DeployReply>),
    /// All parts are to be those of this program.
    Upgrade(Upgrade, Reply<Upgraded>),
    /// This service is to go back to the completed revision before the one it has.
    Rollback(String, Reply<Deployed>),
    /// This service is to have so many tasks.
    Scale(String, Scale, Reply<Scaled>),
    /// This task is to end at once, undrained.
    Stop(TaskId, Reply<TaskView>),
    /// This task is to be retired: drained, then ended. A service that wants it replaces it.
    Drain(TaskId, Reply<TaskView>),
    /// All is to be drained and ended, the agent last. It may end only when this answer has been sent.
    Down(Reply<DownReply>),
}

/// What was decided so far, and from then on.
#[derive(Debug, Default)]
pub struct Events {
    /// Those that the query wants, in their order.
    pub past: Vec<EventView>,
    /// Every event after those, wanted or not; none if the query does not follow.
    pub more: Option<broadcast::Receiver<EventView>>,
}

/// What was written so far, and from then on.
#[derive(Debug, Default)]
pub struct Logs {
    /// Those lines that the query wants, task by task.
    pub past: Vec<LogLine>,
    /// Every line after those, wanted or not; none if the query does not follow.
    pub more: Option<broadcast::Receiver<LogLine>>,
}

/// Asks whoever runs the fleet.
#[derive(Clone, Debug)]
pub struct Handle {
    asks: mpsc::Sender<Ask>,
}

// === impl Handle ===

impl Handle {
    /// One who asks, and where the asks come out.
    pub fn new() -> (Self, mpsc::Receiver<Ask>) {
        let (asks, inbox) = mpsc::channel(WAITING);
        (Self { asks }, inbox)
    }

    /// Asks what `ask` makes of a place for the answer.
    pub(super) async fn ask<T>(&self, ask: impl FnOnce(Reply<T>) -> Ask) -> Result<T, ApiError> {
        let (reply, answer) = oneshot::channel();
        self.asks.send(ask(reply)).await.map_err(|_| ApiError::unavailable())?;
        answer.await.map_err(|_| ApiError::unavailable())?
    }
}
