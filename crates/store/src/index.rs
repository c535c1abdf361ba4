//! The search index of one task: built once from a catalogue, in memory.
//!
//! It is one segment, to which the products are added in their order, so the number of a document
//! is the place of its product in the catalogue. Products that match equally well stand in that
//! order.

mod fields;
mod words;

use serde::Serialize;
use tantivy::collector::{Count, TopDocs};
use tantivy::directory::RamDirectory;
use tantivy::query::Query;
use tantivy::store::Compressor;
use tantivy::tokenizer::TokenizerManager;
use tantivy::{
    DocAddress, IndexReader, IndexSettings, ReloadPolicy, Searcher, SingleSegmentIndexWriter,
};

use crate::Error;
use crate::product::{Catalogue, Product};
use crate::query::Search;
use fields::{Fields, Match};

/// What the writer's table of words is laid out for; it grows where that is too little.
const WRITER_MEMORY: usize = 15_000_000;
/// So many different words of a search count.
const MOST_WORDS: usize = 16;
/// Fewer products with every word are few: those with some of the words follow.
const FEW: usize = 10;

/// A catalogue that can be searched.
pub struct Index {
    catalogue: Catalogue,
    searcher: Searcher,
    fields: Fields,
}

/// What a search found.
#[derive(Debug, Serialize)]
pub struct Found<'a> {
    /// How many products match.
    pub total: usize,
    /// Those that were asked for, the best first.
    pub products: Vec<&'a Product>,
}

// === impl Index ===

impl Index {
    /// Builds the index.
    pub fn build(catalogue: Catalogue) -> Result<Self, Error> {
        let (schema, fields) = Fields::schema();
        let settings = IndexSettings {
            docstore_compression: Compressor::None,
            docstore_compress_dedicated_thread: false,
            ..IndexSettings::default()
        };
        let tokenizers = TokenizerManager::default();
        tokenizers.register(fields::WORDS, words::analyzer());
        let builder =
            tantivy::Index::builder().schema(schema).settings(settings).tokenizers(tokenizers);
        // The one writer that starts no thread and makes just one segment.
        let mut writer: SingleSegmentIndexWriter =
            builder.single_segment_index_writer(RamDirectory::create(), WRITER_MEMORY)?;
        for product in catalogue.products() {
            writer.add_document(fields.document(product))?;
        }
        let index = writer.finalize()?;
        let reader: IndexReader =
            index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into()?;
        Ok(Self { catalogue, searcher: reader.searcher(), fields })
    }

    /// All products.
    pub fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// Finds products with the words of `search`, within its filters.
    ///
    /// Those with every word; where these are few, then those with fewer words, too. A search
    /// without a word finds all products, in the order of the catalogue.
    pub fn search(&self, search: &Search) -> Result<Found<'_>, Error> {
        let mut words = words::words(&search.text);
        words.truncate(MOST_WORDS);
        let found = self.find(search, &words, Match::Every)?;
        if found.total >= FEW || words.len() < 2 {
            return Ok(found);
        }
        self.find(search, &words, Match::Any)
    }

    fn find(&self, search: &Search, words: &[String], which: Match) -> Result<Found<'_>, Error> {
        let query: Box<dyn Query> = self.fields.query(search, words, which);
        let page = TopDocs::with_limit(search.limit).and_offset(search.offset).order_by_score();
        let (total, page) = self.searcher.search(&query, &(Count, page))?;
        let products = self.catalogue.products();
        let product = |(_, address): (f32, DocAddress)| &products[address.doc_id as usize];
        Ok(Found { total, products: page.into_iter().map(product).collect() })
    }
}
