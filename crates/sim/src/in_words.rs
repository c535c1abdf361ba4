//! Things that have names and words, and can be counted through.

/// An enumeration whose variants are told in these words, also as their documentation.
macro_rules! in_words {
    ($(#[$attribute:meta])* $name:ident { $($variant:ident: $words:literal,)* }) => {
        $(#[$attribute])*
        pub enum $name { $(#[doc = $words] $variant,)* }

        impl $name {
            /// One after the other.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(match self { $(Self::$variant => $words,)* })
            }
        }
    };
}

pub(crate) use in_words;
