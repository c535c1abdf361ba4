//! A product, and all of them.

use serde::Serialize;

/// The largest price there is: ten million units of money, in cents.
pub const LARGEST_PRICE: u32 = 1_000_000_000;

/// What the shop sells. A text that nobody gave is empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Product {
    /// By which it is asked for; no two products share one.
    pub id: String,
    /// Its name as customers know it.
    pub title: String,
    /// Who makes it.
    pub brand: String,
    /// What it is, such as `Headphones`.
    pub category: String,
    /// A sentence or more.
    pub description: String,
    /// In cents, at most [`LARGEST_PRICE`].
    pub price: u32,
}

/// Products in the order of their ids: shorter ids first, so that numbers stand as numbers do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Catalogue(Vec<Product>);

// === impl Catalogue ===

impl Catalogue {
    /// Puts `products`, no two of which share an id, in order.
    pub fn new(mut products: Vec<Product>) -> Self {
        products.sort_by(|a, b| order(&a.id).cmp(&order(&b.id)));
        Self(products)
    }

    /// All products, in order.
    pub fn products(&self) -> &[Product] {
        &self.0
    }

    /// The product with this id.
    pub fn get(&self, id: &str) -> Option<&Product> {
        let place = self.0.binary_search_by(|product| order(&product.id).cmp(&order(id))).ok()?;
        Some(&self.0[place])
    }
}

fn order(id: &str) -> (usize, &str) {
    (id.len(), id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_are_numbers_stand_in_their_order() {
        let product = |id: &str| Product {
            id: id.to_owned(),
            title: "Lamp".to_owned(),
            brand: String::new(),
            category: String::new(),
            description: String::new(),
            price: 1,
        };
        let catalogue = Catalogue::new(["10", "9", "b", "100", "a"].map(product).to_vec());
        let ids: Vec<_> = catalogue.products().iter().map(|p| p.id.as_str()).collect();
        assert_eq!(ids, ["9", "a", "b", "10", "100"]);
        assert_eq!(catalogue.get("10"), Some(&product("10")));
        assert_eq!(catalogue.get("11"), None);
    }
}
