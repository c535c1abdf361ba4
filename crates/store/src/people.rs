//! Those who buy, and what they have bought.

use std::collections::BTreeMap;

use serde::Serialize;

/// Somebody who buys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Customer {
    /// By which they are asked for; no two customers share one.
    pub id: String,
    /// What they are called.
    pub name: String,
    /// Where they live.
    pub city: String,
    /// Since when they are a customer, such as `2025-03-28`.
    pub since: String,
}

/// One product that was bought. It keeps the price of that day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Order {
    /// No two orders share one.
    pub id: String,
    /// Who bought.
    #[serde(skip)]
    pub customer: String,
    /// The id of what was bought. The catalogue may have changed since.
    pub product: String,
    /// In cents.
    pub price: u32,
    /// When, such as `2025-03-28`.
    pub date: String,
}

/// All customers with all their orders, as they were written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct People {
    /// No two share an id.
    pub customers: Vec<Customer>,
    /// Each is of one of the customers.
    pub orders: Vec<Order>,
}

// === impl People ===

impl People {
    /// The customers by their ids.
    pub fn customers_by_id(self) -> BTreeMap<String, Customer> {
        self.customers.into_iter().map(|customer| (customer.id.clone(), customer)).collect()
    }

    /// The orders of each customer by the customer's id; none for those who have not bought yet.
    pub fn orders_by_customer(self) -> BTreeMap<String, Vec<Order>> {
        let mut orders: BTreeMap<String, Vec<Order>> =
            self.customers.into_iter().map(|customer| (customer.id, Vec::new())).collect();
        for order in self.orders {
            orders.entry(order.customer.clone()).or_default().push(order);
        }
        orders
    }
}
