//! What a plan waits for, in words.

use std::fmt;

use super::{Replace, Waiting};
use crate::record::Cause;

// === impl Replace ===

impl From<Replace> for Cause {
    fn from(replace: Replace) -> Self {
        match replace {
            Replace::ByHand => Self::ByHand,
            Replace::Memory { used, limit } => Self::Memory { used, limit },
        }
    }
}

// === impl Waiting ===

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Coming(n) => write!(f, "{} no check yet", tasks(n, "passes", "pass")),
            Self::Settling(n) => {
                write!(
                    f,
                    "{} but not for long enough, or out for requests",
                    tasks(n, "works", "work")
                )
            }
            Self::Leaving(n) => write!(f, "{} to go", tasks(n, "is about", "are about")),
            Self::Ceiling(n) => {
                write!(f, "{} missing and there is no room for more", tasks(n, "is", "are"))
            }
            Self::Floor(n) => write!(f, "{} for the floor", tasks(n, "must stay", "must stay")),
            Self::Kept(n) => {
                write!(f, "{} until the deployment goes on", tasks(n, "stays", "stay"))
            }
            Self::EveryoneLooksBad => write!(f, "every task looks bad, so none is stopped for it"),
            Self::Sightings => write!(f, "the gateway has not been heard of"),
        }
    }
}

/// `1 task is`, `2 tasks are`
fn tasks(count: u32, one: &str, more: &str) -> String {
    if count == 1 { format!("1 task {one}") } else { format!("{count} tasks {more}") }
}
