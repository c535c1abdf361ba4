//! What ties a request to a task.

use serde::{Deserialize, Serialize};

use crate::call::path;
use crate::random::hash;

/// What requests have in common that are to reach the same task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Affinity {
    /// Their path, without its query: each task keeps its part of what there is.
    Path,
    /// The address their client came from. Clients behind one proxy count as one.
    Source,
    /// A field of this name; without it, the address.
    Header(String),
}

// === impl Affinity ===

impl Affinity {
    /// The number for a request with this target (path and query), from this address, with these
    /// fields.
    pub fn of<'a>(
        &self,
        target: &str,
        source: &str,
        field: impl Fn(&str) -> Option<&'a [u8]>,
    ) -> u64 {
        match self {
            Self::Path => hash(path(target).as_bytes()),
            Self::Source => hash(source.as_bytes()),
            Self::Header(name) => hash(field(name).unwrap_or(source.as_bytes())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_with_the_same_thing_in_common_have_the_same_number() {
        let of = |affinity: &Affinity, target, source, user: Option<&'static str>| {
            affinity.of(target, source, |name| user.filter(|_| name == "X-User").map(str::as_bytes))
        };
        let path = Affinity::Path;
        assert_eq!(of(&path, "/a?b", "10.0.0.1", None), of(&path, "/a", "::1", Some("u")));
        assert_ne!(of(&path, "/a", "10.0.0.1", None), of(&path, "/b", "10.0.0.1", None));
        let source = Affinity::Source;
        assert_eq!(of(&source, "/a", "10.0.0.1", None), of(&source, "/b", "10.0.0.1", None));
        assert_ne!(of(&source, "/a", "10.0.0.1", None), of(&source, "/a", "10.0.0.2", None));
        let user = Affinity::Header("X-User".to_owned());
        assert_eq!(of(&user, "/a", "10.0.0.1", Some("u")), of(&user, "/b", "::1", Some("u")));
        assert_ne!(of(&user, "/a", "::1", Some("u")), of(&user, "/a", "::1", Some("v")));
        assert_eq!(of(&user, "/a", "::1", None), of(&source, "/b", "::1", None));
    }
}
