//! The storefront over real services: whole pages, and what is left of them.

use axum::http::HeaderValue;
use seaworthy_store::generate::{generate, people};
use seaworthy_store::index::Index;
use seaworthy_store::people::People;
use seaworthy_store::service::{customers, orders, products};
use seaworthy_store::storefront::{DEGRADED_HEADER, Fallback, Settings, Urls};

use crate::dependency::{Act, Dependencies, storefront_at};
use crate::server::{DEADLINE, Server, TASK};

/// The three services, for real.
struct Services {
    products: Option<Server>,
    customers: Option<Server>,
    orders: Option<Server>,
    urls: Urls,
}

// === impl Services ===

impl Services {
    fn new() -> Self {
        let task = HeaderValue::from_static(TASK);
        let catalogue = generate(50, 1);
        let people: People = people(&catalogue, 20, 5, 1);
        let index = Index::build(catalogue).unwrap();
        let products = Server::with(products::router(index, None, task.clone()), DEADLINE);
        let customers =
            Server::with(customers::router(people.clone(), None, task.clone()), DEADLINE);
        let orders = Server::with(orders::router(people, None, task), DEADLINE);
        let url = |server: &Server| format!("http://{}", server.address);
        let urls =
            Urls { products: url(&products), customers: url(&customers), orders: url(&orders) };
        let (products, customers, orders) = (Some(products), Some(customers), Some(orders));
        Self { products, customers, orders, urls }
    }
}

#[test]
fn a_whole_page_has_all_pieces_and_says_nothing_of_degradation() {
    let services = Services::new();
    let storefront = storefront_at(&services.urls, &Settings::default());
    let answer = storefront.get("/page/17?limit=3");
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header(DEGRADED_HEADER), None);
    assert_eq!(answer.header("x-seaworthy-task"), Some(TASK));
    let page = answer.json();
    assert_eq!(page["customer"]["id"], "17");
    assert!(page["orders"].is_array());
    assert_eq!(page["products"]["products"].as_array().unwrap().len(), 3);
    assert_eq!(page.get("degraded"), None);
}

#[test]
fn the_services_are_passed_through_as_they_are() {
    let services = Services::new();
    let storefront = storefront_at(&services.urls, &Settings::default());
    let pairs = [
        (&services.products, "/products?q=lamp&limit=2"),
        (&services.products, "/products?limit=0"),
        (&services.customers, "/customers/3"),
        (&services.customers, "/customers/n%C3%B6"),
        (&services.orders, "/orders/3"),
        (&services.orders, "/orders/nobody"),
    ];
    for (service, target) in pairs {
        let (direct, through) = (service.as_ref().unwrap().get(target), storefront.get(target));
        assert_eq!((through.status, &through.body), (direct.status, &direct.body), "{target}");
        assert_eq!(through.header("content-type"), direct.header("content-type"), "{target}");
        assert_eq!(through.header(DEGRADED_HEADER), None, "{target}");
    }
}

#[test]
fn what_the_reader_got_wrong_is_said_as_the_service_says_it() {
    let services = Services::new();
    let storefront = storefront_at(&services.urls, &Settings::default());
    assert_eq!(storefront.get("/page/nobody").problem(404), "no customer has the id `nobody`");
    let detail = storefront.get("/page/1?limit=0").problem(400);
    assert!(detail.starts_with("limit: `0`"), "{detail}");
}

#[test]
fn a_piece_that_cannot_be_had_is_left_out_or_old_and_the_page_says_so() {
    let mut services = Services::new();
    let storefront = storefront_at(&services.urls, &Settings::default());
    let whole = storefront.get("/page/17?limit=3").json();
    drop(services.products.take());

    let answer = storefront.get("/page/17?limit=3");
    let header = answer.header(DEGRADED_HEADER).expect("it is degraded").to_owned();
    let age = header.strip_prefix("products=stale;age=").expect(&header);
    assert!(age.parse::<u64>().unwrap() <= DEADLINE.as_secs(), "{header}");
    let page = answer.json();
    assert_eq!(page["products"], whole["products"]);
    assert_eq!(page["degraded"][0], header.as_str());
    let through = storefront.get("/products?limit=3");
    assert_eq!(through.status, 200);
    assert!(through.header(DEGRADED_HEADER).unwrap().starts_with("products=stale;age="));

    let answer = storefront.get("/page/17?limit=4");
    assert_eq!(answer.header(DEGRADED_HEADER), Some("products=missing"));
    let page = answer.json();
    assert_eq!((page.get("products"), &page["customer"]), (None, &whole["customer"]));

    drop((services.customers.take(), services.orders.take()));
    let answer = storefront.get("/page/18?limit=4");
    assert_eq!(answer.problem(503), "no piece of the page can be had");
    assert_eq!(answer.header(DEGRADED_HEADER), None);
    assert_eq!(storefront.get("/health").status, 200, "the storefront itself is well");
}

#[test]
fn without_a_fallback_errors_are_told() {
    let mut services = Services::new();
    let settings = Settings { fallback: Fallback::Error, ..Settings::default() };
    let storefront = storefront_at(&services.urls, &settings);
    assert_eq!(storefront.get("/customers/1").status, 200);
    drop(services.customers.take());
    let detail = storefront.get("/customers/1").problem(502);
    assert!(detail.starts_with("customers: ") && detail.contains("refused"), "{detail}");
    let answer = storefront.get("/page/1");
    assert_eq!(answer.header(DEGRADED_HEADER), Some("customers=missing"));
}

#[test]
fn a_piece_that_its_service_fails_to_give_is_missing() {
    let dependencies = Dependencies::new();
    let settings = Settings { retry: false, fallback: Fallback::Error, ..Settings::default() };
    let storefront = dependencies.storefront(&settings);
    dependencies.orders.does(Act::Fail);
    let answer = storefront.get("/page/1");
    assert_eq!(answer.header(DEGRADED_HEADER), Some("orders=missing"));
    assert_eq!(answer.json()["customer"], "/customers/1");
    assert_eq!(storefront.get("/orders/1").status, 500, "as the service says it");
}
