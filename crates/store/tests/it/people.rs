//! Customers and their orders: made up, kept, served.

use std::collections::BTreeSet;

use axum::http::HeaderValue;
use seaworthy_store::generate::{generate, people};
use seaworthy_store::people::{Customer, Order, People};
use seaworthy_store::service::{customers, orders};
use seaworthy_store::{carts::Carts, database};

use crate::server::{DEADLINE, Server, TASK};

fn some() -> People {
    people(&generate(100, 1), 200, 5, 1)
}

#[test]
fn the_same_seed_makes_the_same_people_whatever_their_number() {
    let catalogue = generate(100, 1);
    assert_eq!(some(), some());
    assert_ne!(some(), people(&catalogue, 200, 5, 2));
    let more = people(&catalogue, 300, 5, 1);
    assert_eq!(some().customers, more.customers[..200]);
    assert_eq!(some().orders, more.orders[..some().orders.len()]);
}

#[test]
fn a_seed_makes_these_people_on_any_machine() {
    let people = people(&generate(2000, 1), 1000, 5, 1);
    let (customer, order) = (&people.customers[999], people.orders.last().unwrap());
    let expected = Customer {
        id: "1000".to_owned(),
        name: "Daniel Moreau".to_owned(),
        city: "Altbruck".to_owned(),
        since: "2025-08-28".to_owned(),
    };
    assert_eq!(*customer, expected);
    let expected = Order {
        id: "2480".to_owned(),
        customer: "1000".to_owned(),
        product: "1845".to_owned(),
        price: 176_649,
        date: "2025-12-09".to_owned(),
    };
    assert_eq!(*order, expected);
}

#[test]
fn people_are_plausible() {
    let catalogue = generate(100, 1);
    let People { customers, orders } = some();
    let ids: BTreeSet<&str> = customers.iter().map(|customer| customer.id.as_str()).collect();
    assert_eq!(ids.len(), 200);
    let counts = ids.iter().map(|id| orders.iter().filter(|order| order.customer == **id).count());
    assert_eq!(counts.collect::<BTreeSet<_>>(), (0..=5).collect());
    for order in &orders {
        let customer = customers.iter().find(|customer| customer.id == order.customer).unwrap();
        assert!(customer.since <= order.date, "{order:?} of {customer:?}");
        assert_eq!(catalogue.get(&order.product).unwrap().price, order.price);
    }
}

#[test]
fn people_are_kept_beside_the_catalogue_and_a_new_catalogue_leaves_them() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    let told = database::read_people(&path).unwrap_err().to_string();
    assert!(told.contains("store.db: there is no such file; `seaworthy store generate"), "{told}");
    drop(Carts::in_database(&path).unwrap());
    let told = database::read_people(&path).unwrap_err().to_string();
    assert!(told.contains("holds no customer"), "{told}");
    let told = database::read(&path).unwrap_err().to_string();
    assert!(told.contains("holds no product"), "{told}");

    database::write_all(&path, &generate(100, 1), &some()).unwrap();
    assert_eq!(database::read_people(&path).unwrap(), some());
    database::write(&path, &generate(50, 2)).unwrap();
    assert_eq!(database::read_people(&path).unwrap(), some());
    assert_eq!(database::read(&path).unwrap(), generate(50, 2));
}

#[test]
fn customers_and_orders_are_served() {
    let task = || HeaderValue::from_static(TASK);
    let customers = Server::with(customers::router(some(), None, task()), DEADLINE);
    assert_eq!(customers.get("/health").json()["customers"], 200);
    let customer = customers.get("/customers/200").json();
    assert_eq!(customer["name"], some().customers[199].name.as_str());
    assert_eq!(customers.get("/customers/201").problem(404), "no customer has the id `201`");

    let orders = Server::with(orders::router(some(), None, task()), DEADLINE);
    assert_eq!(orders.get("/health").json()["orders"], some().orders.len());
    for customer in &some().customers {
        let expected = some().orders.into_iter().filter(|order| order.customer == customer.id);
        let listed = orders.get(&format!("/orders/{}", customer.id)).json();
        let listed = listed.as_array().unwrap();
        assert_eq!(listed.len(), expected.clone().count());
        for (listed, order) in listed.iter().zip(expected) {
            assert_eq!(listed["product"], order.product.as_str());
            assert_eq!(listed["price"], order.price);
            assert_eq!(listed["date"], order.date.as_str());
        }
    }
    orders.get("/orders/201").problem(404);
}
