//! What drills have measured, from the JSON that `seaworthy drill --json` writes.

use serde::Deserialize;

use crate::availability::Span;

/// The part of a drill's report that a planner can use.
#[derive(Clone, Debug, Deserialize)]
pub struct Report {
    schema: u32,
    cells: Vec<Cell>,
}

#[derive(Clone, Debug, Deserialize)]
struct Cell {
    scale: f64,
    verdict: String,
    replacements: Vec<Replacement>,
}

#[derive(Clone, Debug, Deserialize)]
struct Replacement {
    own_start_ms: Option<f64>,
    window_ms: Option<f64>,
}

/// What drills have measured, in seconds, at life size.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// From the start of a process to its readiness.
    starts: Vec<f64>,
    /// From the end of a task to its replacement in rotation.
    windows: Vec<f64>,
}

/// The only one there is.
const SCHEMA: u32 = 1;

// === impl Evidence ===

impl Evidence {
    /// Takes in one report. A cell that measured nothing that could be judged counts for nothing.
    pub fn add(&mut self, report: &Report) -> Result<(), String> {
        if report.schema != SCHEMA {
            return Err(format!("its schema is {}; allowed is {SCHEMA}", report.schema));
        }
        for cell in report.cells.iter().filter(|cell| cell.verdict != "invalid") {
            for replacement in &cell.replacements {
                let Some(start) = replacement.own_start_ms else { continue };
                self.starts.push(start / 1000.0);
                // A task's own start is not scaled, and all else is.
                let window = |window: f64| ((window - start) * cell.scale + start) / 1000.0;
                self.windows.extend(replacement.window_ms.map(window));
            }
        }
        Ok(())
    }

    /// How many replacements were measured.
    pub fn count(&self) -> usize {
        self.starts.len()
    }

    /// The quickest and the slowest start; none if there was none.
    pub fn start(&self) -> Option<Span> {
        span(&self.starts)
    }

    /// The shortest and the longest window; none if none was measured.
    pub fn window(&self) -> Option<Span> {
        span(&self.windows)
    }
}

fn span(values: &[f64]) -> Option<Span> {
    let low = values.iter().copied().min_by(f64::total_cmp)?;
    Some((low, values.iter().copied().max_by(f64::total_cmp)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_is_not_scaled_and_a_window_is() {
        let cell = |scale: f64, verdict: &str| Cell {
            scale,
            verdict: verdict.to_owned(),
            replacements: vec![
                Replacement { own_start_ms: Some(61.0), window_ms: Some(8317.0) },
                Replacement { own_start_ms: None, window_ms: None },
            ],
        };
        let mut evidence = Evidence::default();
        let cells = vec![cell(10.0, "as_expected"), cell(1.0, "deviates"), cell(1.0, "invalid")];
        evidence.add(&Report { schema: 1, cells }).unwrap();
        assert_eq!((evidence.count(), evidence.start()), (2, Some((0.061, 0.061))));
        let (low, high) = evidence.window().unwrap();
        assert!((low - 8.317).abs() < 1e-9 && (high - 82.621).abs() < 1e-9, "{low} to {high}");
        let wrong = evidence.add(&Report { schema: 2, cells: vec![] });
        assert_eq!(wrong, Err("its schema is 2; allowed is 1".to_owned()));
    }
}
