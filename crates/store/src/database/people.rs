//! The tables of customers and their orders.

use rusqlite::{Connection, Transaction};

use crate::people::{Customer, Order, People};

/// Orders do not refer to products: those may leave the catalogue, and what was bought stays.
const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS customer (
        id       TEXT    NOT NULL PRIMARY KEY,
        name     TEXT    NOT NULL,
        city     TEXT    NOT NULL,
        since    TEXT    NOT NULL
    ) STRICT;
    CREATE TABLE IF NOT EXISTS purchase (
        id       TEXT    NOT NULL PRIMARY KEY,
        customer TEXT    NOT NULL,
        product  TEXT    NOT NULL,
        price    INTEGER NOT NULL CHECK (price >= 0),
        date     TEXT    NOT NULL
    ) STRICT;
    DELETE FROM customer;
    DELETE FROM purchase";

/// Nobody where there are no such tables.
pub(super) fn read(database: &Connection) -> rusqlite::Result<People> {
    if !super::has_table(database, "customer")? {
        return Ok(People::default());
    }
    // Both as of one moment.
    let database = database.unchecked_transaction()?;
    Ok(People { customers: customers(&database)?, orders: orders(&database)? })
}

pub(super) fn replace(transaction: &Transaction, people: &People) -> rusqlite::Result<()> {
    transaction.execute_batch(TABLES)?;
    let mut insert = transaction.prepare("INSERT INTO customer VALUES (?, ?, ?, ?)")?;
    for Customer { id, name, city, since } in &people.customers {
        insert.execute((id, name, city, since))?;
    }
    let mut insert = transaction.prepare("INSERT INTO purchase VALUES (?, ?, ?, ?, ?)")?;
    for Order { id, customer, product, price, date } in &people.orders {
        insert.execute((id, customer, product, price, date))?;
    }
    Ok(())
}

fn customers(database: &Connection) -> rusqlite::Result<Vec<Customer>> {
    let mut statement =
        database.prepare("SELECT id, name, city, since FROM customer ORDER BY rowid")?;
    let rows = statement.query_map([], |row| {
        Ok(Customer { id: row.get(0)?, name: row.get(1)?, city: row.get(2)?, since: row.get(3)? })
    })?;
    rows.collect()
}

fn orders(database: &Connection) -> rusqlite::Result<Vec<Order>> {
    let mut statement = database
        .prepare("SELECT id, customer, product, price, date FROM purchase ORDER BY rowid")?;
    let rows = statement.query_map([], |row| {
        Ok(Order {
            id: row.get(0)?,
            customer: row.get(1)?,
            product: row.get(2)?,
            price: row.get(3)?,
            date: row.get(4)?,
        })
    })?;
    rows.collect()
}
