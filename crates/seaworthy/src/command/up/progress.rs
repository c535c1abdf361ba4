//! What `seaworthy up` shows while it waits and watches.

use std::time::Duration;

use seaworthy_agent::api::client::{Client, ClientError};
use seaworthy_agent::api::types::{EventView, EventsQuery, FleetView};
use tokio::time::{Instant, sleep};

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
    pub(super) fn new(client: Client, json: bool) -> Self {
        Self { client, json, after: None }
    }

    /// Tells events until every service has what it is to have; false if that takes too long.
    pub(super) async fn until_healthy(&mut self, patience: Duration) -> Result<bool, ClientError> {
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
                Err(error) => return Err(error),
            };
            if is_healthy(&view) {
                self.tell_new().await?;
                return Ok(true);
            }
            if Instant::now() >= until {
                for service in &view.services {
                    let waiting = service.waiting_on.join(", ");
                    let (has, wants) = (service.in_rotation, service.desired);
                    eprintln!("{}: {has} of {wants} tasks in rotation; {waiting}", service.name);
                }
                return Ok(false);
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// Tells events until the fleet is no more.
    pub(super) async fn follow(&mut self) -> Result<(), ClientError> {
        loop {
            let query = EventsQuery { after: self.after, follow: true, ..EventsQuery::default() };
            match self.client.follow_events(&query).await {
                Ok(mut events) => {
                    while let Ok(Some(line)) = events.next().await {
                        self.tell(&line.value);
                    }
                }
                Err(error) if error.is_absence() => return Ok(()),
                Err(_) => sleep(LOOK_EVERY).await,
            }
        }
    }

    async fn tell_new(&mut self) -> Result<(), ClientError> {
        let query = EventsQuery { after: self.after, ..EventsQuery::default() };
        // What cannot be asked for now is asked for the next time.
        if let Ok(events) = self.client.events(&query).await {
            events.value.iter().for_each(|event| self.tell(event));
        }
        Ok(())
    }

    fn tell(&mut self, event: &EventView) {
        self.after = Some(event.ordinal);
        if self.json {
            return;
        }
        let time = event.at.get(11..19).unwrap_or(&event.at);
        let whose = event.task.map_or_else(|| "service".to_owned(), |task| task.to_string());
        println!("{time} {} {whose}: {}", event.service, event.text);
    }
}

fn is_healthy(view: &FleetView) -> bool {
    view.services.iter().all(|service| service.in_rotation >= service.desired)
}
