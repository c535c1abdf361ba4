//! The drill files that come with the program.

/// Each with its name, which is that of its file.
pub(crate) const ALL: [(&str, &str); 19] = [
    ("autoscaling", include_str!("../../../drills/autoscaling.toml")),
    ("bad-revisions", include_str!("../../../drills/bad-revisions.toml")),
    ("dead-dependency", include_str!("../../../drills/dead-dependency.toml")),
    ("flaky-network", include_str!("../../../drills/flaky-network.toml")),
    ("gray-failures", include_str!("../../../drills/gray-failures.toml")),
    ("kill-one", include_str!("../../../drills/kill-one.toml")),
    ("memory-leak", include_str!("../../../drills/memory-leak.toml")),
    ("metastable", include_str!("../../../drills/metastable.toml")),
    ("metastable-cold", include_str!("../../../drills/metastable-cold.toml")),
    ("metastable-retries", include_str!("../../../drills/metastable-retries.toml")),
    ("one-slow-floods-all", include_str!("../../../drills/one-slow-floods-all.toml")),
    ("percent", include_str!("../../../drills/percent.toml")),
    ("query-of-death", include_str!("../../../drills/query-of-death.toml")),
    ("report", include_str!("../../../drills/report.toml")),
    ("search", include_str!("../../../drills/search.toml")),
    ("slow-dependency", include_str!("../../../drills/slow-dependency.toml")),
    ("stateful-cart", include_str!("../../../drills/stateful-cart.toml")),
    ("together", include_str!("../../../drills/together.toml")),
    ("zones", include_str!("../../../drills/zones.toml")),
];

/// The drill of this name.
pub(crate) fn find(name: &str) -> Option<&'static str> {
    ALL.iter().find(|(other, _)| *other == name).map(|(_, text)| *text)
}
