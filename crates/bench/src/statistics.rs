//! Medians and ranges: what is told of several rounds.

use std::fmt;

use serde::Serialize;

/// What several rounds gave.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) lowest: f64,
    pub(crate) highest: f64,
}

// === impl Spread ===

impl Spread {
    /// Of at least one value.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let (lowest, highest) = (*values.first()?, *values.last()?);
        let middle = values.len() / 2;
        let odd = values.len() % 2 == 1;
        let median =
            if odd { values[middle] } else { f64::midpoint(values[middle - 1], values[middle]) };
        Some(Self { median, lowest, highest })
    }
}

/// `12 (10 to 15)`, or `12` if all rounds agree, with as many decimals as are asked for.
impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = f.precision().unwrap_or(0);
        let [median, lowest, highest] =
            [self.median, self.lowest, self.highest].map(|value| format!("{value:.digits$}"));
        if lowest == highest {
            f.write_str(&median)
        } else {
            write!(f, "{median} ({lowest} to {highest})")
        }
    }
}

/// A cell of a table; `–` if there is no figure.
pub(crate) fn cell(values: impl IntoIterator<Item = f64>, digits: usize) -> String {
    Spread::of(values).map_or("–".to_owned(), |spread| format!("{spread:.digits$}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_told_with_its_range() {
        assert_eq!(cell([3.0, 1.0, 2.0], 0), "2 (1 to 3)");
        assert_eq!(cell([1.0, 2.0], 1), "1.5 (1.0 to 2.0)");
        assert_eq!(cell([1.01, 1.02], 1), "1.0");
        assert_eq!(cell([], 1), "–");
    }
}
