//! The fleet for whoever has none yet: the example store.

use anyhow::Context;
use seaworthy_agent::directory::Directory;
use seaworthy_core::fleet::{Fleet, RawFleet};
use seaworthy_store::{database, generate};

/// What `seaworthy up` starts without a file.
const FILE: &str = include_str!("example.toml");

/// As `seaworthy store generate` makes them.
const PRODUCTS: usize = 2000;
const CUSTOMERS: usize = 1000;
const MOST_ORDERS: usize = 5;
const SEED: u64 = 1;

/// The example store, with its data in `directory`.
pub(super) fn fleet(directory: &Directory) -> anyhow::Result<Fleet> {
    let database = directory.path().join("store.db");
    if !database.exists() {
        println!("making up the products of the example store");
        let catalogue = generate::generate(PRODUCTS, SEED);
        let people = generate::people(&catalogue, CUSTOMERS, MOST_ORDERS, SEED);
        database::write_all(&database, &catalogue, &people)
            .with_context(|| format!("{}", database.display()))?;
    }
    let raw: RawFleet = toml::from_str(FILE)?;
    let mut fleet = Fleet::try_from(raw)?;
    let name = database.to_str().context("the state directory's name is not UTF-8")?;
    for service in &mut fleet.services {
        service.command.iter_mut().for_each(|word| *word = word.replace("{database}", name));
    }
    Ok(fleet)
}
