//! What customers are about to buy, kept in one of two places.
//!
//! In the task's memory a cart is lost when the task goes, and is not there for a request that
//! comes to another task. It is kept for comparison: the report's first lesson is to keep it
//! elsewhere.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Serialize, Serializer};
use serde_json::json;

use crate::{Error, database};

/// Quantities by product.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cart(pub BTreeMap<String, u32>);

/// All carts that a task knows.
#[derive(Debug)]
pub struct Carts(Place);

#[derive(Debug)]
enum Place {
    Memory(BTreeMap<String, Cart>),
    Database(database::Carts),
}

// === impl Cart ===

impl Serialize for Cart {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let item = |(product, quantity)| json!({ "product": product, "quantity": quantity });
        serializer.collect_seq(self.0.iter().map(item))
    }
}

// === impl Carts ===

impl Carts {
    /// Carts that live and die with this task. Nothing of them touches a disk.
    pub fn in_memory() -> Self {
        Self(Place::Memory(BTreeMap::new()))
    }

    /// Carts that all tasks share which open the same file. It is made if it is not there.
    pub fn in_database(path: &Path) -> Result<Self, Error> {
        Ok(Self(Place::Database(database::Carts::open(path)?)))
    }

    /// The cart of `customer`, if it was ever put.
    pub fn get(&mut self, customer: &str) -> Result<Option<Cart>, Error> {
        match &mut self.0 {
            Place::Memory(carts) => Ok(carts.get(customer).cloned()),
            Place::Database(carts) => carts.get(customer).map_err(Error::Carts),
        }
    }

    /// Says how many of `product` are in the cart of `customer` from now on, and returns the cart.
    /// None of it takes it out.
    pub fn put(&mut self, customer: &str, product: &str, quantity: u32) -> Result<Cart, Error> {
        match &mut self.0 {
            Place::Memory(carts) => {
                let cart = carts.entry(customer.to_owned()).or_default();
                match quantity {
                    0 => cart.0.remove(product),
                    _ => cart.0.insert(product.to_owned(), quantity),
                };
                Ok(cart.clone())
            }
            Place::Database(carts) => carts.put(customer, product, quantity).map_err(Error::Carts),
        }
    }
}
