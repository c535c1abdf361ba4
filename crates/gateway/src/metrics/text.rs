//! The two texts in which metrics are told: Prometheus 0.0.4 and `OpenMetrics` 1.0.0.

use std::fmt::Display;
use std::fmt::Write as _;

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// Text format 0.0.4, which every reader takes.
    Prometheus,
    /// For those who ask for it.
    OpenMetrics,
}

/// What a family of samples is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// A page under way.
pub(super) struct Text {
    format: Format,
    out: String,
    /// The family that samples belong to now.
    name: &'static str,
}

// === impl Format ===

impl Format {
    /// The one that `accept`, a field of a request, asks for.
    pub(crate) fn accepted(accept: &str) -> Self {
        let asks = |part: &str| part.trim_start().starts_with("application/openmetrics-text");
        if accept.split(',').any(asks) { Self::OpenMetrics } else { Self::Prometheus }
    }

    /// Its media type.
    pub(crate) fn media_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

// === impl Text ===

impl Text {
    pub(super) fn new(format: Format) -> Self {
        Self { format, out: String::new(), name: "" }
    }

    /// From now on samples are of this family. A counter's name is told without `_total`.
    pub(super) fn family(&mut self, name: &'static str, kind: Kind, help: &str) {
        self.name = name;
        // Here the two differ: to the older one, the suffix is a part of the name.
        let suffix = match (kind, self.format) {
            (Kind::Counter, Format::Prometheus) => "_total",
            _ => "",
        };
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        self.line(format_args!("# HELP {name}{suffix} {help}"));
        self.line(format_args!("# TYPE {name}{suffix} {kind}"));
    }

    /// One number of the family: `suffix` is what stands behind its name.
    pub(super) fn sample(&mut self, suffix: &str, labels: &[(&str, &str)], value: impl Display) {
        let mut told = String::new();
        for (name, value) in labels {
            let comma = if told.is_empty() { "" } else { "," };
            // Writing to a string cannot fail.
            let _ = write!(told, "{comma}{name}=\"{}\"", escaped(value));
        }
        let name = self.name;
        if labels.is_empty() {
            self.line(format_args!("{name}{suffix} {value}"));
        } else {
            self.line(format_args!("{name}{suffix}{{{told}}} {value}"));
        }
    }

    /// The whole page.
    pub(super) fn end(mut self) -> String {
        if self.format == Format::OpenMetrics {
            self.line(format_args!("# EOF"));
        }
        self.out
    }

    fn line(&mut self, line: impl Display) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.out, "{line}");
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// Nanoseconds in seconds, exactly.
pub(super) fn seconds(nanoseconds: u64) -> String {
    let (whole, part) = (nanoseconds / 1_000_000_000, nanoseconds % 1_000_000_000);
    let told = format!("{whole}.{part:09}");
    let short = told.trim_end_matches('0');
    // A number with a point, as OpenMetrics wants the ends of buckets to be.
    if short.ends_with('.') { format!("{short}0") } else { short.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_exact() {
        let told = [0, 65_536, 1_000_000_000, 137_438_953_472].map(seconds);
        assert_eq!(told, ["0.0", "0.000065536", "1.0", "137.438953472"]);
    }

    #[test]
    fn labels_are_escaped() {
        let mut text = Text::new(Format::Prometheus);
        text.family("a", Kind::Gauge, "Something.");
        text.sample("", &[("b", "1\"2\\3\n4")], 5);
        let expected = "# HELP a Something.\n# TYPE a gauge\na{b=\"1\\\"2\\\\3\\n4\"} 5\n";
        assert_eq!(text.end(), expected);
    }

    #[test]
    fn open_metrics_is_for_those_who_ask() {
        let prometheus = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.2";
        assert_eq!(Format::accepted(prometheus), Format::OpenMetrics);
        assert_eq!(Format::accepted("text/plain, */*"), Format::Prometheus);
    }
}
