//! What is printed of candidates, written into their files.

use seaworthy_core::fleet::{Fleet, RawFleet};
use toml::Table;

use super::*;
use crate::planner::example;
use crate::planner::refusal::refusal;

/// A service, with these settings beside its command.
fn file(settings: &str) -> Table {
    toml::from_str(&format!("command = [\"store\"]\n{settings}")).unwrap()
}

fn fleet(service: Table) -> Fleet {
    let services = Table::from_iter([("store".to_owned(), Value::Table(service))]);
    let raw = Table::from_iter([("service".to_owned(), Value::Table(services))]);
    Fleet::try_from(raw.try_into::<RawFleet>().unwrap()).unwrap()
}

/// What the changes do not name stays.
fn change(file: &mut Table, changes: Table) {
    for (key, value) in changes {
        if let (Some(Value::Table(old)), Value::Table(new)) = (file.get_mut(&key), &value) {
            change(old, new.clone());
        } else {
            file.insert(key, value);
        }
    }
}

/// The file with what is printed of a candidate.
fn changed(mut file: Table, candidate: &Candidate) -> Table {
    for printed in &candidate.changes {
        let (printed, other) = printed.split_once(" in place of ").unwrap_or((printed, ""));
        if let Some((table, key)) = other.split_once('.') {
            file[table].as_table_mut().unwrap().remove(key).unwrap();
        }
        change(&mut file, toml::from_str(printed).unwrap());
    }
    file
}

#[test]
fn whoever_writes_down_what_is_printed_has_what_was_reckoned() {
    for (settings, latency) in [
        ("", 0.1),
        (
            "call = { tries = 1, retry_status = \"none\", queue.enabled = false }\nhealth.passive.enabled = false\n",
            0.1,
        ),
        ("call = { tries = 10, hedge.enabled = false }\nbulkhead.enabled = false\n", 0.1),
        ("call.timeout = \"700ms\"\nbulkhead.size = 7\n", 0.75),
        ("breaker = {}\nbulkhead.adaptive = {}\n", 0.1),
    ] {
        let file = file(settings);
        let was = fleet(file.clone());
        let mut question = example::question(&was);
        (question.world.latency, question.world.sick_percent) = (latency, 10.0);
        let mut all = Candidate::all(&question);
        all.retain(|one| one.changes.len() < 3 && refusal(&question, one).is_none());
        assert!(all.len() > 4, "{settings}");
        for one in &all {
            let new = fleet(changed(file.clone(), one));
            let reckoned = Candidate { changes: Vec::new(), ..one.clone() };
            let written = Candidate::of(&example::question(&new));
            assert_eq!(written, reckoned, "{settings} with {:?}", one.changes);
        }
    }
}

/// Whoever has ten is not told to have three.
#[test]
fn as_many_tries_are_printed_as_are_reckoned() {
    for (settings, tries) in [("tries = 1", 3), ("tries = 2", 2), ("tries = 10", 10)] {
        let fleet = fleet(file(&format!("call = {{ {settings}, hedge.enabled = false }}")));
        let printed = format!("call = {{ tries = {tries}, hedge.enabled = true }}");
        let all = Candidate::all(&example::question(&fleet));
        let one = all.iter().find(|one| one.changes == [printed.clone()]).expect("it is tried");
        assert_eq!(one.route.tries, tries);
    }
}
