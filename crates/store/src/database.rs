//! The catalogue in an `SQLite` file.
//!
//! Tasks open it read-only, all at the same time. A new catalogue replaces the old one in a single
//! transaction of a write-ahead log: whoever reads meanwhile sees all of the old one, and a writer
//! that dies leaves it as it was.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior};

use crate::Error;
use crate::product::{Catalogue, Product};

/// Marks a file as ours, by `PRAGMA application_id`: `SWst` in ASCII.
const APPLICATION: i32 = 0x5357_7374;

/// How long to wait for another process that writes.
const PATIENCE: Duration = Duration::from_secs(10);

const TABLE: &str = "
    CREATE TABLE IF NOT EXISTS product (
        id          TEXT    NOT NULL PRIMARY KEY,
        title       TEXT    NOT NULL,
        brand       TEXT    NOT NULL,
        category    TEXT    NOT NULL,
        description TEXT    NOT NULL,
        price       INTEGER NOT NULL CHECK (price >= 0)
    ) STRICT";

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
    let products = told(path, "cannot be read", open_and_read(path))?;
    if products.is_empty() { Err(none("holds no product")) } else { Ok(Catalogue::new(products)) }
}

/// Puts `catalogue` in place of what the file held, all of it or nothing.
///
/// A file that is not there is made; one that the store did not make is refused.
pub fn write(path: &Path, catalogue: &Catalogue) -> Result<(), Error> {
    told(path, "cannot be written", open_and_write(path, catalogue))
}

/// None where the file is a database of somebody else.
fn open_and_read(path: &Path) -> rusqlite::Result<Option<Vec<Product>>> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let database = Connection::open_with_flags(path, flags)?;
    database.busy_timeout(PATIENCE)?;
    match owner(&database)? {
        Owner::Nobody => Ok(Some(Vec::new())),
        Owner::Store => products(&database).map(Some),
        Owner::Other => Ok(None),
    }
}

/// None where the file is a database of somebody else.
fn open_and_write(path: &Path, catalogue: &Catalogue) -> rusqlite::Result<Option<()>> {
    let mut database = Connection::open(path)?;
    database.busy_timeout(PATIENCE)?;
    if owner(&database)? == Owner::Other {
        return Ok(None);
    }
    database.pragma_update(None, "journal_mode", "WAL")?;
    let transaction = database.transaction_with_behavior(TransactionBehavior::Immediate)?;
    replace(&transaction, catalogue.products())?;
    transaction.commit()?;
    Ok(Some(()))
}

fn products(database: &Connection) -> rusqlite::Result<Vec<Product>> {
    // In the order in which they were written, which is that of the catalogue.
    let mut statement = database.prepare(
        "SELECT id, title, brand, category, description, price FROM product ORDER BY rowid",
    )?;
    let rows = statement.query_map([], |row| {
        Ok(Product {
            id: row.get(0)?,
            title: row.get(1)?,
            brand: row.get(2)?,
            category: row.get(3)?,
            description: row.get(4)?,
            price: row.get(5)?,
        })
    })?;
    rows.collect()
}

fn replace(transaction: &Transaction, products: &[Product]) -> rusqlite::Result<()> {
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.execute(TABLE, [])?;
    transaction.execute("DELETE FROM product", [])?;
    let mut insert = transaction.prepare("INSERT INTO product VALUES (?, ?, ?, ?, ?, ?)")?;
    for Product { id, title, brand, category, description, price } in products {
        insert.execute((id, title, brand, category, description, price))?;
    }
    Ok(())
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
