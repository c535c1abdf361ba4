//! What was decided lately, for those who ask and those who watch.

use std::collections::VecDeque;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use seaworthy_core::record::Record;
use seaworthy_core::time::Instant;
use tokio::sync::broadcast;

use super::Events;
use super::types::{EventView, EventsQuery};
use crate::clock;

/// So many events are remembered.
const KEPT: usize = 10_000;
/// Who watches and is so many events behind is given them from memory instead.
const BEHIND: usize = 256;

/// The last events, in their order.
///
/// The first one's ordinal is the time at which the journal began, in microseconds since 1970, and each
/// further one's is one more: so ordinals grow also from one agent to the next, and who has watched the
/// one before goes on with the next and is told nothing twice.
#[derive(Debug)]
pub struct Journal {
    wall: Wall,
    next: u64,
    kept: VecDeque<EventView>,
    feed: broadcast::Sender<EventView>,
}

/// What a moment of the machine's monotonic clock is called on the wall.
#[derive(Clone, Copy, Debug)]
pub struct Wall {
    /// A moment.
    pub moment: Instant,
    /// The same one, since 1970.
    pub since_1970: Duration,
}

// === impl Wall ===

impl Wall {
    /// As both clocks stand now.
    pub fn read() -> Self {
        // A wall clock before 1970 is wrong; then everything is as of 1970.
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { moment: clock::now(), since_1970 }
    }

    /// The time on the wall now, in seconds since 1970.
    pub fn seconds() -> u64 {
        Self::read().since_1970.as_secs()
    }

    /// A time on the wall, in seconds since 1970, as RFC 3339 has it.
    pub fn text_of(seconds: u64) -> String {
        humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(seconds)).to_string()
    }

    /// A moment as RFC 3339 has it, to the millisecond.
    pub fn text(&self, at: Instant) -> String {
        let since_1970 =
            (self.since_1970 + at.since(self.moment)).saturating_sub(self.moment.since(at));
        humantime::format_rfc3339_millis(UNIX_EPOCH + since_1970).to_string()
    }
}

// === impl Journal ===

impl Journal {
    /// An empty one that begins now.
    pub fn new(wall: Wall) -> Self {
        let next = wall.since_1970.as_micros() as u64;
        Self { wall, next, kept: VecDeque::new(), feed: broadcast::Sender::new(BEHIND) }
    }

    /// Takes note of what was decided about `service`.
    pub fn push(&mut self, service: &str, record: &Record) {
        let event = EventView {
            ordinal: self.next,
            at: self.wall.text(record.at),
            service: service.to_owned(),
            task: record.task,
            decision: record.decision,
            cause: serde_json::to_value(&record.cause).expect("a cause is plain data"),
            text: format!("{}: {}", record.decision, record.cause),
        };
        self.next += 1;
        if self.kept.len() == KEPT {
            self.kept.pop_front();
        }
        self.kept.push_back(event.clone());
        // Nobody may be watching.
        let _ = self.feed.send(event);
    }

    /// What `query` asks for.
    pub fn events(&self, query: &EventsQuery) -> Events {
        Events {
            past: self.kept.iter().filter(|event| query.wants(event)).cloned().collect(),
            more: query.follow.then(|| self.feed.subscribe()),
        }
    }
}

#[cfg(test)]
mod tests {
    use seaworthy_core::endpoints::TaskId;
    use seaworthy_core::record::{Cause, Decision, Exit};

    use super::*;

    fn record(at: u64, task: Option<u32>, cause: Cause) -> Record {
        let at = Instant::from_nanos(at * 1_000_000_000);
        Record { at, task: task.map(TaskId), decision: Decision::Gone, cause }
    }

    fn journal() -> Journal {
        let moment = Instant::from_nanos(10_000_000_000);
        Journal::new(Wall { moment, since_1970: Duration::from_secs(1_000_000_000) })
    }

    #[test]
    fn events_have_a_time_on_the_wall_an_ordinal_and_their_cause() {
        let mut journal = journal();
        journal.push("store", &record(11, Some(3), Cause::Exited(Exit::Code(1))));
        journal.push("carts", &record(9, None, Cause::Replaced));
        let events = journal.events(&EventsQuery::default()).past;
        assert_eq!(
            serde_json::to_value(&events).unwrap(),
            serde_json::json!([
                {
                    "ordinal": 1_000_000_000_000_000_u64,
                    "at": "2001-09-09T01:46:41.000Z",
                    "service": "store",
                    "task": "task-3",
                    "decision": "gone",
                    "cause": { "exited": { "code": 1 } },
                    "text": "gone: exited with status 1",
                },
                {
                    "ordinal": 1_000_000_000_000_001_u64,
                    "at": "2001-09-09T01:46:39.000Z",
                    "service": "carts",
                    "task": null,
                    "decision": "gone",
                    "cause": "replaced",
                    "text": "gone: its checks or requests fail and it is replaced",
                },
            ])
        );
    }

    #[test]
    fn a_query_picks_and_the_oldest_are_forgotten() {
        let mut journal = journal();
        for n in 0..=KEPT as u64 {
            let service = if n % 2 == 0 { "store" } else { "carts" };
            journal.push(service, &record(n, Some(n as u32), Cause::Drained));
        }
        let picked = |query| journal.events(&query).past;
        let all = picked(EventsQuery::default());
        assert_eq!(all.len(), KEPT);
        assert_eq!(all[0].task, Some(TaskId(1)));

        let after = Some(all[KEPT - 4].ordinal);
        let service = Some("store".to_owned());
        let last = picked(EventsQuery { after, service, ..EventsQuery::default() });
        assert_eq!(last.len(), 2);
        let task = Some(TaskId(7));
        assert_eq!(picked(EventsQuery { task, ..EventsQuery::default() }).len(), 1);
    }
}
