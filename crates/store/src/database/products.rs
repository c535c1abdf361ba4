//! The table of products.

use rusqlite::{Connection, Transaction};

use crate::product::Product;

const TABLE: &str = "
    CREATE TABLE IF NOT EXISTS product (
        id          TEXT    NOT NULL PRIMARY KEY,
        title       TEXT    NOT NULL,
        brand       TEXT    NOT NULL,
        category    TEXT    NOT NULL,
        description TEXT    NOT NULL,
        price       INTEGER NOT NULL CHECK (price >= 0)
    ) STRICT";

/// None where there is no such table.
pub(super) fn read(database: &Connection) -> rusqlite::Result<Vec<Product>> {
    if !super::has_table(database, "product")? {
        return Ok(Vec::new());
    }
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

pub(super) fn replace(transaction: &Transaction, products: &[Product]) -> rusqlite::Result<()> {
    transaction.execute(TABLE, [])?;
    transaction.execute("DELETE FROM product", [])?;
    let mut insert = transaction.prepare("INSERT INTO product VALUES (?, ?, ?, ?, ?, ?)")?;
    for Product { id, title, brand, category, description, price } in products {
        insert.execute((id, title, brand, category, description, price))?;
    }
    Ok(())
}
