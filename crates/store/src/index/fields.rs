//! What is indexed of a product, and the queries over it.

use std::ops::Bound;

use tantivy::query::{
    AllQuery, BooleanQuery, BoostQuery, ConstScoreQuery, DisjunctionMaxQuery, Query, RangeQuery,
    TermQuery,
};
use tantivy::schema::{FAST, Field, IndexRecordOption, Schema, TextFieldIndexing, TextOptions};
use tantivy::{TantivyDocument, Term};

use super::words::words;
use crate::product::Product;
use crate::query::Search;

/// Name of our way to cut words, in the schema.
pub(super) const WORDS: &str = "words";

/// How much more a word counts in title, brand and category than in a description.
const WEIGHT: f32 = 2.0;
/// What the fields other than the best one for a word add.
const TIE_BREAKER: f32 = 0.3;
/// More than the best scores of all words of a search together (below 100 each, at most 16): one
/// word more always wins.
const WORD_MORE: f32 = 2000.0;

/// Which products match the words of a search.
#[derive(Clone, Copy, Debug)]
pub(super) enum Match {
    /// Those with every word.
    Every,
    /// Those with any word; the more words, the better.
    Any,
}

/// The fields of the index; it stores none of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields {
    title: Field,
    brand: Field,
    category: Field,
    description: Field,
    /// The words of the category as one, for the filter.
    category_key: Field,
    price: Field,
}

// === impl Fields ===

impl Fields {
    /// The fields and their schema.
    pub(super) fn schema() -> (Schema, Self) {
        let indexing = TextFieldIndexing::default();
        let counted =
            indexing.clone().set_tokenizer(WORDS).set_index_option(IndexRecordOption::WithFreqs);
        let whole = indexing.set_tokenizer("raw").set_fieldnorms(false);
        let mut schema = Schema::builder();
        let mut text = |name: &str, indexing: &TextFieldIndexing| {
            let options = TextOptions::default().set_indexing_options(indexing.clone());
            schema.add_text_field(name, options)
        };
        let fields = Self {
            title: text("title", &counted),
            brand: text("brand", &counted),
            category: text("category", &counted),
            description: text("description", &counted),
            category_key: text("category_key", &whole),
            price: schema.add_u64_field("price", FAST),
        };
        (schema.build(), fields)
    }

    /// `product` for the index.
    pub(super) fn document(&self, product: &Product) -> TantivyDocument {
        let mut document = TantivyDocument::new();
        document.add_text(self.title, &product.title);
        document.add_text(self.brand, &product.brand);
        document.add_text(self.category, &product.category);
        document.add_text(self.description, &product.description);
        document.add_text(self.category_key, key(&product.category));
        document.add_u64(self.price, product.price.into());
        document
    }

    /// Products that match `words`, within the filters of `search`.
    pub(super) fn query(&self, search: &Search, words: &[String], which: Match) -> Box<dyn Query> {
        let mut parts: Vec<Box<dyn Query>> = Vec::new();
        if !words.is_empty() {
            parts.push(Box::new(self.words(words, which)));
        }
        if let Some(category) = &search.category {
            let key = Term::from_field_text(self.category_key, &key(category));
            parts.push(Box::new(TermQuery::new(key, IndexRecordOption::Basic)));
        }
        if let Some(price) = search.max_price {
            let most = Bound::Included(Term::from_field_u64(self.price, price));
            parts.push(Box::new(RangeQuery::new(Bound::Unbounded, most)));
        }
        if parts.is_empty() {
            return Box::new(AllQuery);
        }
        // A filter adds the same to the score of each product.
        Box::new(BooleanQuery::intersection(parts))
    }

    fn words(&self, words: &[String], which: Match) -> BooleanQuery {
        let each = words.iter().map(|word| self.word(word));
        match which {
            Match::Every => BooleanQuery::intersection(each.collect()),
            Match::Any => {
                let counted = |word: Box<dyn Query>| -> [Box<dyn Query>; 2] {
                    [Box::new(ConstScoreQuery::new(word.box_clone(), WORD_MORE)), word]
                };
                BooleanQuery::union(each.flat_map(counted).collect())
            }
        }
    }

    /// Products with this word in any field; its best field counts most.
    fn word(&self, word: &str) -> Box<dyn Query> {
        let in_field = |field| -> Box<dyn Query> {
            let term = Term::from_field_text(field, word);
            Box::new(TermQuery::new(term, IndexRecordOption::WithFreqs))
        };
        let weighty = [self.title, self.brand, self.category]
            .map(|field| -> Box<dyn Query> { Box::new(BoostQuery::new(in_field(field), WEIGHT)) });
        let fields = weighty.into_iter().chain([in_field(self.description)]).collect();
        Box::new(DisjunctionMaxQuery::with_tie_breaker(fields, TIE_BREAKER))
    }
}

/// What two ways to write the same category share.
fn key(category: &str) -> String {
    words(category).join(" ")
}
