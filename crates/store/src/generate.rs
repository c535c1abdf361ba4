//! A made-up catalogue and made-up customers: the same for the same seed, on any machine.
//!
//! Brands are invented; all numbers are whole, so no machine's arithmetic can differ. The first
//! products of a large catalogue are those of a small one.

mod kinds;
mod names;
mod people;
mod words;

use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::{Rng, SeedableRng};

use crate::product::{Catalogue, Product};
use kinds::{KINDS, Kind};
use words::{BRANDS, COLOURS, PURPOSES, SERIES};

pub use people::people;

/// Each kind of product is made by so many of the brands.
const BRANDS_OF_A_KIND: usize = 12;
/// The cents in which prices end, as shops like them.
const ENDINGS: [u32; 4] = [99, 95, 49, 0];

/// Makes a catalogue of `count` products.
pub fn generate(count: usize, seed: u64) -> Catalogue {
    let mut draws = Draws::new(seed);
    Catalogue::new((1..=count).map(|number| draws.product(number)).collect())
}

struct Draws(Pcg64Mcg);

// === impl Draws ===

impl Draws {
    fn new(seed: u64) -> Self {
        Self(Pcg64Mcg::seed_from_u64(seed))
    }

    fn product(&mut self, number: usize) -> Product {
        let place = self.below(KINDS.len());
        let kind = &KINDS[place];
        let brand = BRANDS[(place * 5 + self.below(BRANDS_OF_A_KIND)) % BRANDS.len()];
        let noun = self.one_of(kind.nouns);
        Product {
            id: number.to_string(),
            title: self.title(kind, brand, noun),
            brand: brand.to_owned(),
            category: kind.category.to_owned(),
            description: self.description(kind, noun),
            price: self.price(kind),
        }
    }

    fn title(&mut self, kind: &Kind, brand: &str, noun: &str) -> String {
        let series = self.one_of(SERIES);
        let letter = char::from(b'A' + self.below(26) as u8);
        let model = (self.below(99) + 1) * 10;
        let specification = self.one_of(kind.specifications);
        let colour = self.one_of(COLOURS);
        format!("{brand} {series} {letter}{model} {noun}, {specification}, {colour}")
    }

    fn description(&mut self, kind: &Kind, noun: &str) -> String {
        let purpose = self.one_of(PURPOSES);
        let first = self.below(kind.features.len());
        // Any but the first.
        let second = (first + 1 + self.below(kind.features.len() - 1)) % kind.features.len();
        let (first, second) = (kind.features[first], kind.features[second]);
        let warranty = self.below(4) + 2;
        format!("{noun} for {purpose}, with {first} and {second}. {warranty} years of warranty.")
    }

    /// Low prices are more frequent than high ones.
    fn price(&mut self, kind: &Kind) -> u32 {
        let (low, high) = kind.prices;
        let part = self.below(1000) as u32;
        let units = low + (high - low) * (part * part / 1000) / 1000;
        units * 100 + self.one_of(&ENDINGS)
    }

    fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    /// A number below `bound`, which is small: the product of a 32-bit draw and `bound` is cut.
    fn below(&mut self, bound: usize) -> usize {
        let draw = self.0.next_u64() >> 32;
        ((draw * bound as u64) >> 32) as usize
    }
}
