//! What was decided lately, for those who ask and those who watch.

mod written;

use std::collections::VecDeque;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use seaworthy_core::record::Record;
use seaworthy_core::time::Instant;
use tokio::sync::broadcast;

use super::Events;
use super::types::{EventView, EventsQuery};
use crate::clock;
use written::Written;

/// So many events are remembered.
const KEPT: usize = 10_000;
/// Who watches and is so many events behind is given them from memory instead.
const BEHIND: usize = 256;

/// The last events, in their order, also of earlier agents.
///
/// The first one's ordinal is the time at which the journal began, in microseconds since 1970, and each
/// further one's is one more: so ordinals grow also from one agent to the next, and who has watched the
/// one before goes on with the next and is told nothing twice, even where events could not be kept.
#[derive(Debug)]
pub struct Journal {
    wall: Wall,
    next: u64,
    kept: VecDeque<EventView>,
    written: Written,
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
    /// Goes on with what an earlier agent kept in `directory`, which is made if it is not there.
    pub fn new(wall: Wall, directory: &Path) -> Self {
        let (written, kept) = Written::open(directory);
        let after = kept.last().map_or(0, |last| last.ordinal + 1);
        let next = after.max(ordinal_of(wall));
        Self { wall, next, kept: kept.into(), written, feed: broadcast::Sender::new(BEHIND) }
    }

    /// Whatever a journal that begins later adds has a higher ordinal.
    pub fn begins_now() -> u64 {
        ordinal_of(Wall::read()) - 1
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
        self.written.add(&event);
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

/// The first ordinal of a journal that begins at this time.
fn ordinal_of(wall: Wall) -> u64 {
    wall.since_1970.as_micros() as u64
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;

    use seaworthy_core::endpoints::TaskId;
    use seaworthy_core::record::{Cause, Decision, Exit};

    use super::*;

    fn record(at: u64, task: Option<u32>, cause: Cause) -> Record {
        let at = Instant::from_nanos(at * 1_000_000_000);
        Record { at, task: task.map(TaskId), decision: Decision::Gone, cause }
    }

    fn journal(directory: &Path) -> Journal {
        let moment = Instant::from_nanos(10_000_000_000);
        Journal::new(Wall { moment, since_1970: Duration::from_secs(1_000_000_000) }, directory)
    }

    fn ordinals(journal: &Journal) -> Vec<u64> {
        journal.events(&EventsQuery::default()).past.iter().map(|event| event.ordinal).collect()
    }

    #[test]
    fn events_have_a_time_on_the_wall_an_ordinal_and_their_cause() {
        let directory = tempfile::tempdir().unwrap();
        let mut journal = journal(directory.path());
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
        let directory = tempfile::tempdir().unwrap();
        let mut journal = journal(directory.path());
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

    #[test]
    fn the_next_agent_knows_the_events_and_numbers_go_on() {
        let directory = tempfile::tempdir().unwrap();
        let events = directory.path().join("events");
        let mut first = journal(&events);
        (0..=KEPT as u64).for_each(|n| first.push("store", &record(n, None, Cause::Drained)));
        let told = ordinals(&first);
        drop(first);
        // It was killed while it wrote.
        let mut latest =
            fs::OpenOptions::new().append(true).open(events.join("latest.jsonl")).unwrap();
        latest.write_all(b"\n{\"ordinal\":1000000").unwrap();

        let mut second = journal(&events);
        let known = ordinals(&second);
        assert!(known.len() > KEPT / 2 && told.ends_with(&known), "{}", known.len());
        second.push("store", &record(1, None, Cause::Drained));
        let last = told.last().unwrap() + 1;
        assert_eq!(ordinals(&second), [&known[..], &[last]].concat());
        assert_eq!(ordinals(&journal(&events)), ordinals(&second));
        let files: Vec<_> = fs::read_dir(&events).unwrap().collect();
        assert_eq!(files.len(), 2, "{files:?}");
    }

    #[test]
    fn events_that_cannot_be_kept_are_told_all_the_same() {
        let directory = tempfile::tempdir().unwrap();
        let events = directory.path().join("events");
        // Nobody can write below a file.
        fs::write(&events, "").unwrap();
        let mut journal = journal(&events);
        journal.push("store", &record(1, None, Cause::Drained));
        fs::remove_file(&events).unwrap();
        journal.push("store", &record(2, None, Cause::Drained));
        assert_eq!(ordinals(&journal).len(), 2);
        assert_eq!(ordinals(&super::tests::journal(&events)).len(), 1);
    }
}
