//! The store's data in an `SQLite` file.
//!
//! Tasks open it read-only, all at the same time; only carts are written by tasks. New data
//! replaces the old in a single transaction of a write-ahead log: whoever reads meanwhile sees all
//! of the old, and a writer that dies leaves it as it was.

mod carts;
mod people;
mod products;

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior};

use crate::Error;
use crate::people::People;
use crate::product::Catalogue;

pub(crate) use carts::Carts;

/// Marks a file as ours, by `PRAGMA application_id`: `SWst` in ASCII.
const APPLICATION: i32 = 0x5357_7374;

/// How long to wait for another process that writes.
const PATIENCE: Duration = Duration::from_secs(10);

/// Whose a database is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    /// It is empty.
    Nobody,
    Store,
    Other,
}

/// Reads the whole catalogue.
pub fn read(path: &Path) -> Result<Catalogue, Error> {
    let none = |problem| Error::NoCatalogue { path: path.to_owned(), problem };
    if !path.exists() {
        return Err(none("there is no such file"));
    }
    let products = told(path, "cannot be read", open_and_read(path, products::read))?;
    if products.is_empty() { Err(none("holds no product")) } else { Ok(Catalogue::new(products)) }
}

/// Reads all customers and their orders.
pub fn read_people(path: &Path) -> Result<People, Error> {
    let none = |problem| Error::NoCustomers { path: path.to_owned(), problem };
    if !path.exists() {
        return Err(none("there is no such file"));
    }
    let people = told(path, "cannot be read", open_and_read(path, people::read))?;
    if people.customers.is_empty() { Err(none("holds no customer")) } else { Ok(people) }
}

/// Puts `catalogue` in place of the one that the file held, all of it or nothing.
///
/// A file that is not there is made; one that the store did not make is refused.
pub fn write(path: &Path, catalogue: &Catalogue) -> Result<(), Error> {
    let write = |transaction: &Transaction| products::replace(transaction, catalogue.products());
    told(path, "cannot be written", open_and_write(path, write))
}

/// Like [`write()`], with `people` in place of the customers and orders.
pub fn write_all(path: &Path, catalogue: &Catalogue, people: &People) -> Result<(), Error> {
    let write = |transaction: &Transaction| {
        products::replace(transaction, catalogue.products())?;
        people::replace(transaction, people)
    };
    told(path, "cannot be written", open_and_write(path, write))
}

/// None where the file is a database of somebody else.
fn open_and_read<T: Default>(
    path: &Path,
    read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> rusqlite::Result<Option<T>> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let database = Connection::open_with_flags(path, flags)?;
    database.busy_timeout(PATIENCE)?;
    match owner(&database)? {
        Owner::Nobody => Ok(Some(T::default())),
        Owner::Store => read(&database).map(Some),
        Owner::Other => Ok(None),
    }
}

/// None where the file is a database of somebody else.
fn open_and_write(
    path: &Path,
    write: impl FnOnce(&Transaction) -> rusqlite::Result<()>,
) -> rusqlite::Result<Option<()>> {
    let Some(mut database) = open_to_write(path)? else { return Ok(None) };
    let transaction = begin(&mut database)?;
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    write(&transaction)?;
    transaction.commit()?;
    Ok(Some(()))
}

/// None where the file is a database of somebody else.
fn open_to_write(path: &Path) -> rusqlite::Result<Option<Connection>> {
    let database = Connection::open(path)?;
    database.busy_timeout(PATIENCE)?;
    if owner(&database)? == Owner::Other {
        return Ok(None);
    }
    database.pragma_update(None, "journal_mode", "WAL")?;
    Ok(Some(database))
}

/// Writers take turns from the beginning, so that none fails in the middle.
fn begin(database: &mut Connection) -> rusqlite::Result<Transaction<'_>> {
    database.transaction_with_behavior(TransactionBehavior::Immediate)
}

fn has_table(database: &Connection, name: &str) -> rusqlite::Result<bool> {
    let tables = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = ?";
    database.query_row(tables, [name], |row| row.get(0))
}

fn owner(database: &Connection) -> rusqlite::Result<Owner> {
    let mark: i32 = database.pragma_query_value(None, "application_id", |row| row.get(0))?;
    if mark == APPLICATION {
        return Ok(Owner::Store);
    }
    let parts = "SELECT count(*) FROM sqlite_schema";
    let parts: i64 = database.query_row(parts, [], |row| row.get(0))?;
    Ok(if mark == 0 && parts == 0 { Owner::Nobody } else { Owner::Other })
}

/// The result of opening `path`, with the errors that users read.
fn told<T>(
    path: &Path,
    what: &'static str,
    result: rusqlite::Result<Option<T>>,
) -> Result<T, Error> {
    let path = path.to_owned();
    match result {
        Ok(Some(value)) => Ok(value),
        Ok(None) => Err(Error::NotOurs { path }),
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::NotADatabase) => {
            Err(Error::NotOurs { path })
        }
        Err(error) => Err(Error::Database { path, what, problem: error.to_string() }),
    }
}
