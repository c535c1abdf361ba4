//! Made-up customers and their orders.

use super::Draws;
use super::names::{CITIES, FIRST_NAMES, LAST_NAMES};
use crate::people::{Customer, Order, People};
use crate::product::Catalogue;

/// Keeps the draws for people apart from those for products.
const STREAM: u64 = 0x70_65_6f_70_6c_65;
/// Of so many days each month has all.
const DAYS_OF_A_MONTH: usize = 28;
/// Two years: everything happens in them.
const DAYS: usize = 24 * DAYS_OF_A_MONTH;

/// Makes `count` customers, each with up to `most_orders` orders of products of `catalogue`.
///
/// Like products, the first customers of many are those of few.
pub fn people(catalogue: &Catalogue, count: usize, most_orders: usize, seed: u64) -> People {
    let mut draws = Draws::new(seed ^ STREAM);
    let mut people = People::default();
    for number in 1..=count {
        let since = draws.below(DAYS);
        people.customers.push(draws.customer(number, since));
        for _ in 0..draws.below(most_orders + 1) {
            let order = draws.order(people.orders.len() + 1, number, since, catalogue);
            people.orders.push(order);
        }
    }
    people
}

// === impl Draws ===

impl Draws {
    fn customer(&mut self, number: usize, since: usize) -> Customer {
        let (first, last) = (self.one_of(FIRST_NAMES), self.one_of(LAST_NAMES));
        Customer {
            id: number.to_string(),
            name: format!("{first} {last}"),
            city: self.one_of(CITIES).to_owned(),
            since: date(since),
        }
    }

    fn order(
        &mut self,
        number: usize,
        customer: usize,
        since: usize,
        catalogue: &Catalogue,
    ) -> Order {
        let products = catalogue.products();
        let product = &products[self.below(products.len())];
        Order {
            id: number.to_string(),
            customer: customer.to_string(),
            product: product.id.clone(),
            price: product.price,
            date: date(since + self.below(DAYS - since)),
        }
    }
}

/// The date of a day of the two years, the first of which is 2024.
fn date(day: usize) -> String {
    let month = day / DAYS_OF_A_MONTH;
    format!("{}-{:02}-{:02}", 2024 + month / 12, month % 12 + 1, day % DAYS_OF_A_MONTH + 1)
}
