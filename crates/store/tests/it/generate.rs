//! Made-up catalogues.

use std::collections::BTreeSet;

use seaworthy_store::generate::generate;
use seaworthy_store::product::{LARGEST_PRICE, Product};

#[test]
fn the_same_seed_makes_the_same_products() {
    assert_eq!(generate(500, 7), generate(500, 7));
    assert_ne!(generate(500, 7), generate(500, 8));
    assert_eq!(generate(500, 7).products(), &generate(1000, 7).products()[..500]);
}

#[test]
fn a_seed_makes_these_products_on_any_machine() {
    let catalogue = generate(2000, 1);
    let last = &catalogue.products()[1999];
    let expected = Product {
        id: "2000".to_owned(),
        title: "Jessamine Glide I280 Portable Monitor, 24 inch, Silver".to_owned(),
        brand: "Jessamine".to_owned(),
        category: "Monitors".to_owned(),
        description: "Portable Monitor for demanding users, with accurate colours and slim \
                      borders. 2 years of warranty."
            .to_owned(),
        price: 25_795,
    };
    assert_eq!(*last, expected);
}

#[test]
fn products_are_plausible() {
    let catalogue = generate(5000, 1);
    let distinct = |of: fn(&Product) -> &str| {
        catalogue.products().iter().map(of).collect::<BTreeSet<_>>().len()
    };
    assert_eq!(distinct(|product| &product.id), 5000);
    assert_eq!(distinct(|product| &product.category), 18);
    assert_eq!(distinct(|product| &product.brand), 40);
    assert!(distinct(|product| &product.title) > 4900);
    for product in catalogue.products() {
        assert!((400..LARGEST_PRICE).contains(&product.price), "{product:?}");
        assert!(product.title.starts_with(&product.brand), "{product:?}");
    }
}
