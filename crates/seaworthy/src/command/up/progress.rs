//! What `seaworthy up` shows while it waits and watches.

use std::time::Duration;

use seaworthy_agent::api::Journal;
use seaworthy_agent::api::client::{Client, ClientError};
use seaworthy_agent::api::types::{
    EventView, EventsQuery, FleetView, RevisionState, RevisionView, ServiceView,
};
use tokio::time::{Instant, sleep};

use crate::command::say::{note, say};
use crate::command::wait::{Patience, patiently, verdict};

/// How often it is looked whether all is healthy.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Tells events as they come, each once.
pub(super) struct Progress {
    client: Client,
    json: bool,
    after: Option<u64>,
}

// === impl Progress ===

impl Progress {
    /// Of an agent that comes from now on, what earlier ones decided is left out.
    pub(super) fn new(client: Client, json: bool) -> Self {
        Self { client, json, after: Some(Journal::begins_now()) }
    }

    /// Leaves out what the agent that runs has decided before.
    pub(super) async fn begin_now(&mut self) -> Result<(), ClientError> {
        let all = EventsQuery::default();
        let events = patiently(async || self.client.events(&all).await).await?.value;
        self.after = events.last().map(|event| event.ordinal);
        Ok(())
    }

    /// Tells events until every service has what it is to have; false if one has failed to, or if that
    /// takes too long.
    pub(super) async fn until_healthy(&mut self, patience: Duration) -> anyhow::Result<bool> {
        let until = Instant::now() + patience;
        loop {
            self.tell_new().await?;
            let view = match self.client.fleet().await {
                Ok(view) => view.value,
                // An agent that takes over from another one is there in a moment.
                Err(_) if Instant::now() < until => {
                    sleep(LOOK_EVERY).await;
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            if view.services.iter().all(is_healthy) {
                self.tell_new().await?;
                return Ok(true);
            }
            let failures = self.failures(&view).await;
            if !failures.is_empty() {
                self.tell_new().await?;
                failures.iter().for_each(note);
                return Ok(false);
            }
            if Instant::now() >= until {
                for service in &view.services {
                    let waiting = service.waiting_on.join(", ");
                    let (has, wants) = (service.in_rotation, service.desired);
                    let name = &service.name;
                    note(format_args!("{name}: {has} of {wants} tasks in rotation; {waiting}"));
                }
                return Ok(false);
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// Tells events until the fleet is no more.
    ///
    /// An agent that is not started again is an error: whoever started us starts us again.
    pub(super) async fn follow(&mut self) -> anyhow::Result<()> {
        let mut patience = Patience::new();
        loop {
            let query = EventsQuery { after: self.after, follow: true, ..EventsQuery::default() };
            match self.client.follow_events(&query).await {
                Ok(mut events) => {
                    patience = Patience::new();
                    while let Ok(Some(line)) = events.next().await {
                        self.tell(&line.value)?;
                    }
                }
                Err(error) if error.is_absence() => return Ok(()),
                Err(error) if patience.bears(&error) => sleep(LOOK_EVERY).await,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The services that have not what they are to have although nothing is under way any more: the
    /// first deployment has failed, and there is nothing to go back to.
    async fn failures(&self, view: &FleetView) -> Vec<String> {
        let mut failures = Vec::new();
        let stuck = |service: &&ServiceView| !is_healthy(service) && service.deployment.is_none();
        for service in view.services.iter().filter(stuck) {
            let name = &service.name;
            // What cannot be asked for now is asked for the next time.
            let Ok(revisions) = self.client.revisions(name).await else { continue };
            let failed = |end: &&RevisionView| end.current && end.state == RevisionState::Failed;
            if let Some(end) = revisions.value.iter().find(failed) {
                failures.push(verdict(&self.client, name, end).await);
            }
        }
        failures
    }

    async fn tell_new(&mut self) -> anyhow::Result<()> {
        let query = EventsQuery { after: self.after, ..EventsQuery::default() };
        // What cannot be asked for now is asked for the next time.
        if let Ok(events) = self.client.events(&query).await {
            events.value.iter().try_for_each(|event| self.tell(event))?;
        }
        Ok(())
    }

    fn tell(&mut self, event: &EventView) -> anyhow::Result<()> {
        self.after = Some(event.ordinal);
        if self.json {
            return Ok(());
        }
        let time = event.at.get(11..19).unwrap_or(&event.at);
        let whose = event.task.map_or_else(|| "service".to_owned(), |task| task.to_string());
        say(format_args!("{time} {} {whose}: {}", event.service, event.text))
    }
}

fn is_healthy(service: &ServiceView) -> bool {
    service.in_rotation >= service.desired
}
