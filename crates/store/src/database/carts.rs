//! The table of carts: the one that tasks write.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::{Connection, OptionalExtension, Transaction};

use crate::Error;
use crate::carts::Cart;

/// A cart is a row of its own, so that one from which all was taken out is still a cart.
const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS cart (
        customer TEXT    NOT NULL PRIMARY KEY
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS cart_item (
        customer TEXT    NOT NULL,
        product  TEXT    NOT NULL,
        quantity INTEGER NOT NULL CHECK (quantity > 0),
        PRIMARY KEY (customer, product)
    ) STRICT, WITHOUT ROWID";

/// All carts of the store, shared by all tasks that open the same file.
#[derive(Debug)]
pub(crate) struct Carts(Connection);

// === impl Carts ===

impl Carts {
    /// Opens the carts of this file, which is made if it is not there.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        super::told(path, "cannot be written", open(path)).map(Self)
    }

    /// The cart of `customer`, if it was ever put.
    pub(crate) fn get(&mut self, customer: &str) -> rusqlite::Result<Option<Cart>> {
        // Both tables as of one moment.
        read(&self.0.transaction()?, customer)
    }

    /// Puts `product` into the cart of `customer`, so many of it, and returns the cart.
    ///
    /// What is committed survives the end of every process. That of the machine, it may not.
    pub(crate) fn put(
        &mut self,
        customer: &str,
        product: &str,
        quantity: u32,
    ) -> rusqlite::Result<Cart> {
        let transaction = super::begin(&mut self.0)?;
        transaction.execute("INSERT OR IGNORE INTO cart VALUES (?)", [customer])?;
        if quantity == 0 {
            let delete = "DELETE FROM cart_item WHERE customer = ? AND product = ?";
            transaction.execute(delete, [customer, product])?;
        } else {
            let insert = "INSERT OR REPLACE INTO cart_item VALUES (?, ?, ?)";
            transaction.execute(insert, (customer, product, quantity))?;
        }
        let cart = read(&transaction, customer)?;
        transaction.commit()?;
        Ok(cart.expect("its row was put above"))
    }
}

/// None where the file is a database of somebody else.
fn open(path: &Path) -> rusqlite::Result<Option<Connection>> {
    let Some(mut database) = super::open_to_write(path)? else { return Ok(None) };
    database.pragma_update(None, "synchronous", "NORMAL")?;
    let transaction = super::begin(&mut database)?;
    transaction.pragma_update(None, "application_id", super::APPLICATION)?;
    transaction.execute_batch(TABLES)?;
    transaction.commit()?;
    Ok(Some(database))
}

fn read(transaction: &Transaction, customer: &str) -> rusqlite::Result<Option<Cart>> {
    let there = "SELECT 1 FROM cart WHERE customer = ?";
    let there = transaction.query_row(there, [customer], |_| Ok(())).optional()?;
    if there.is_none() {
        return Ok(None);
    }
    let mut items =
        transaction.prepare_cached("SELECT product, quantity FROM cart_item WHERE customer = ?")?;
    let items = items.query_map([customer], |row| Ok((row.get(0)?, row.get(1)?)))?;
    items.collect::<rusqlite::Result<BTreeMap<String, u32>>>().map(|items| Some(Cart(items)))
}
