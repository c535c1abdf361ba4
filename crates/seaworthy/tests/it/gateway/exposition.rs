//! Reads a page of metrics as strictly as the format's specification has it.
//!
//! Source: Prometheus documentation, "Exposition formats"; `OpenMetrics` 1.0.0.

use std::collections::{BTreeMap, BTreeSet};

/// A family of samples.
#[derive(Debug, Default)]
pub(crate) struct Family {
    pub(crate) kind: String,
    /// Names of labels, of all samples.
    pub(crate) labels: BTreeSet<String>,
    /// By name and labels.
    samples: BTreeMap<(String, Labels), f64>,
}

type Labels = Vec<(String, String)>;

/// All families of a page, by name. Panics at whatever is not allowed.
pub(crate) fn read(page: &str) -> BTreeMap<String, Family> {
    assert!(page.ends_with('\n'), "a page ends with a line feed");
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    let mut name = String::new();
    for line in page.lines().filter(|line| *line != "# EOF") {
        if let Some(help) = line.strip_prefix("# HELP ") {
            help.split_once(' ').expect("help has words").0.clone_into(&mut name);
            assert!(is_name(&name), "{line}");
            let new = families.insert(name.clone(), Family::default()).is_none();
            assert!(new, "{name} stands in one place");
        } else if let Some(told) = line.strip_prefix("# TYPE ") {
            let (of, kind) = told.split_once(' ').expect("a type");
            assert_eq!(of, name, "the type stands behind the help");
            let family = families.get_mut(of).expect("it was just told");
            kind.clone_into(&mut family.kind);
        } else {
            families.get_mut(&name).expect("a family comes first").take(&name, line);
        }
    }
    for (name, family) in &families {
        family.check(name);
    }
    families
}

fn is_name(name: &str) -> bool {
    name.starts_with("seaworthy_") && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
}

/// What stands between the braces.
fn labels(mut text: &str) -> Labels {
    let mut labels = Vec::new();
    while !text.is_empty() {
        let (name, rest) = text.split_once("=\"").expect("NAME=\"VALUE\"");
        assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{name}");
        let mut escaped = false;
        let end = rest.char_indices().find(|(_, c)| {
            let ends = *c == '"' && !escaped;
            escaped = *c == '\\' && !escaped;
            ends
        });
        let (value, rest) = rest.split_at(end.expect("a value ends").0);
        labels.push((name.to_owned(), value.to_owned()));
        text = rest[1..].strip_prefix(',').unwrap_or(&rest[1..]);
    }
    labels
}

// === impl Family ===

impl Family {
    fn take(&mut self, family: &str, line: &str) {
        let (series, value) = line.rsplit_once(' ').expect("NAME VALUE");
        let (name, told) = match series.split_once('{') {
            Some((name, rest)) => (name, labels(rest.strip_suffix('}').expect("a closing brace"))),
            None => (series, Vec::new()),
        };
        let suffix = name.strip_prefix(family).expect("a sample is of the family told last");
        let allowed = match self.kind.as_str() {
            "histogram" => &["_bucket", "_sum", "_count"][..],
            "counter" if !family.ends_with("_total") => &["_total"],
            "counter" | "gauge" => &[""],
            other => panic!("{other} is no type"),
        };
        assert!(allowed.contains(&suffix), "{line}");
        self.labels.extend(told.iter().map(|(name, _)| name.clone()));
        let value = value.parse().unwrap_or_else(|_| panic!("{line}"));
        let new = self.samples.insert((name.to_owned(), told), value).is_none();
        assert!(new, "twice: {line}");
    }

    /// The buckets of a histogram grow, and the last one holds all.
    fn check(&self, name: &str) {
        let counts = self.samples.iter().filter(|((of, _), _)| *of == format!("{name}_count"));
        for ((_, labels), count) in counts {
            let bucket = |((of, told), value): (&(String, Labels), &f64)| {
                let (le, others) = told.split_last()?;
                let mine = *of == format!("{name}_bucket") && le.0 == "le" && others == *labels;
                mine.then(|| {
                    (if le.1 == "+Inf" { f64::INFINITY } else { le.1.parse().unwrap() }, *value)
                })
            };
            let mut buckets: Vec<(f64, f64)> = self.samples.iter().filter_map(bucket).collect();
            buckets.sort_by(|one, other| one.0.total_cmp(&other.0));
            assert!(buckets.is_sorted_by(|one, other| one.0 < other.0 && one.1 <= other.1));
            assert_eq!(buckets.last(), Some(&(f64::INFINITY, *count)), "{name}");
        }
    }
}
