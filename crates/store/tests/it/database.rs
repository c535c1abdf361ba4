//! The catalogue's file.

use std::fs;
use std::path::Path;

use rusqlite::Connection;
use seaworthy_store::generate::generate;
use seaworthy_store::product::Catalogue;
use seaworthy_store::{Error, database};

/// What the error says, without the directory.
fn message(error: &Error, directory: &Path) -> String {
    error.to_string().replace(&format!("{}/", directory.display()), "")
}

#[test]
fn what_is_written_is_read_and_replaced_as_a_whole() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    for (count, seed) in [(300, 1), (10, 2), (500, 3)] {
        let catalogue = generate(count, seed);
        database::write(&path, &catalogue).unwrap();
        assert_eq!(database::read(&path).unwrap(), catalogue);
    }
}

#[test]
fn a_reader_sees_all_of_the_old_catalogue_while_a_new_one_is_written() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    database::write(&path, &generate(300, 1)).unwrap();
    let reader = Connection::open(&path).unwrap();
    let count = || reader.query_row("SELECT count(*) FROM product", [], |row| row.get(0));
    reader.execute_batch("BEGIN").unwrap();
    assert_eq!(count(), Ok(300));

    database::write(&path, &generate(20, 1)).unwrap();
    assert_eq!(count(), Ok(300));
    assert_eq!(database::read(&path).unwrap(), generate(20, 1));
    reader.execute_batch("COMMIT").unwrap();
    assert_eq!(count(), Ok(20));
}

#[test]
fn a_write_that_fails_on_the_way_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    database::write(&path, &generate(30, 1)).unwrap();
    let mut twice = generate(400, 2).products().to_vec();
    twice.push(twice[0].clone());
    let error = database::write(&path, &Catalogue::new(twice)).unwrap_err();
    assert!(matches!(error, Error::Database { .. }), "{error}");
    assert_eq!(database::read(&path).unwrap(), generate(30, 1));
}

#[test]
fn what_holds_no_catalogue_is_told_with_the_command_that_makes_one() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("empty.db"), "").unwrap();
    for (name, problem) in
        [("missing.db", "there is no such file"), ("empty.db", "holds no product")]
    {
        let error = database::read(&directory.path().join(name)).unwrap_err();
        assert_eq!(
            message(&error, directory.path()),
            format!(
                "{name}: {problem}; `seaworthy store generate --database {name}` makes a catalogue"
            )
        );
    }
}

#[test]
fn files_of_others_are_refused_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let text = directory.path().join("notes.txt");
    fs::write(&text, "my notes, all of them".repeat(100)).unwrap();
    let other = directory.path().join("other.db");
    Connection::open(&other).unwrap().execute_batch("CREATE TABLE product (x)").unwrap();
    for path in [&text, &other] {
        let before = fs::read(path).unwrap();
        let written = database::write(path, &generate(5, 1)).unwrap_err();
        let read = database::read(path).unwrap_err();
        for error in [read, written] {
            assert!(matches!(error, Error::NotOurs { .. }), "{error}");
        }
        assert_eq!(fs::read(path).unwrap(), before);
    }
}

#[test]
fn what_cannot_be_opened_is_told_with_the_reason() {
    let directory = tempfile::tempdir().unwrap();
    let nowhere = directory.path().join("no/such/store.db");
    let error = database::write(&nowhere, &generate(5, 1)).unwrap_err();
    let message = message(&error, directory.path());
    assert!(
        message.starts_with("no/such/store.db: cannot be written (unable to open"),
        "{message}"
    );
    let error = database::read(directory.path()).unwrap_err();
    assert!(error.to_string().contains(": cannot be read ("), "{error}");
}
