//! Texts and queries cut into the same words.
//!
//! A word is a run of letters and digits, without case, accents and the plural's `s`. Nothing else
//! in a query means anything: there is no query language to get wrong.

use std::sync::LazyLock;

use tantivy::tokenizer::{
    AsciiFoldingFilter, LowerCaser, RemoveLongFilter, SimpleTokenizer, StopWordFilter,
    TextAnalyzer, Token, TokenFilter, TokenStream, Tokenizer,
};

/// In bytes; longer ones are no words that anybody types.
const LONGEST_WORD: usize = 60;
/// Words that nearly every English sentence has.
const STOP_WORDS: [&str; 14] =
    ["a", "an", "and", "at", "by", "for", "from", "in", "is", "of", "on", "or", "the", "with"];

static ANALYZER: LazyLock<TextAnalyzer> = LazyLock::new(|| {
    TextAnalyzer::builder(SimpleTokenizer::default())
        .filter(RemoveLongFilter::limit(LONGEST_WORD))
        .filter(LowerCaser)
        .filter(AsciiFoldingFilter)
        .filter(StopWordFilter::remove(STOP_WORDS.map(str::to_owned)))
        .filter(Singular)
        .build()
});

/// Cuts into words.
pub(super) fn analyzer() -> TextAnalyzer {
    ANALYZER.clone()
}

/// The different words of `text`, in their order.
pub(super) fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut analyzer = analyzer();
    let mut stream = analyzer.token_stream(text);
    while let Some(token) = stream.next() {
        if !words.contains(&token.text) {
            words.push(token.text.clone());
        }
    }
    words
}

/// Takes the plural's ending away: the "S stemmer" (Harman, "How effective is suffixing?", 1991),
/// which also knows `boxes`, `switches`, `brushes` and `glasses`.
///
/// Stemmers that know more endings join words that mean different things to a shop, such as `gaming`
/// and `games`.
#[derive(Clone)]
struct Singular;

#[derive(Clone)]
struct SingularTokenizer<T>(T);

struct SingularStream<T>(T);

// === impl Singular ===

impl TokenFilter for Singular {
    type Tokenizer<T: Tokenizer> = SingularTokenizer<T>;

    fn transform<T: Tokenizer>(self, tokenizer: T) -> SingularTokenizer<T> {
        SingularTokenizer(tokenizer)
    }
}

impl<T: Tokenizer> Tokenizer for SingularTokenizer<T> {
    type TokenStream<'a> = SingularStream<T::TokenStream<'a>>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> Self::TokenStream<'a> {
        SingularStream(self.0.token_stream(text))
    }
}

impl<T: TokenStream> TokenStream for SingularStream<T> {
    fn advance(&mut self) -> bool {
        let advanced = self.0.advance();
        if advanced {
            singular(&mut self.0.token_mut().text);
        }
        advanced
    }

    fn token(&self) -> &Token {
        self.0.token()
    }

    fn token_mut(&mut self) -> &mut Token {
        self.0.token_mut()
    }
}

fn singular(word: &mut String) {
    let ends = |endings: &[&str]| endings.iter().any(|ending| word.ends_with(ending));
    if word.len() < 4 || ends(&["us", "ss", "aies", "eies"]) {
        // `gps`, `bus`, `glass`: more often whole words than plurals.
    } else if ends(&["ies"]) {
        word.truncate(word.len() - 3);
        word.push('y');
    } else if ends(&["xes", "ches", "shes", "sses"]) {
        word.truncate(word.len() - 2);
    } else if ends(&["s"]) {
        word.truncate(word.len() - 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_accents_plurals_and_signs_make_no_difference() {
        for (text, expected) in [
            ("Rechargeable BATTERIES", "rechargeable battery"),
            ("Crème brûlée, Größe", "creme brulee grosse"),
            ("headphones AND (earphones)", "headphone earphone"),
            ("title:\"USB-C\" cables*", "title usb c cable"),
            ("the glass bus", "glass bus"),
            ("glasses, switches, cases", "glass switch case"),
            ("GPS iOS", "gps ios"),
            ("HDMI hdmi", "hdmi"),
            ("16GB", "16gb"),
            ("ケーブル", "ケーブル"),
            ("🔌 !!! \"", ""),
            ("", ""),
        ] {
            assert_eq!(words(text).join(" "), expected, "{text}");
        }
    }
}
