//! Scripts that stand in a test: what happens before the bar, what is wanted done for it behind.
//!
//! `UPDATE_EXPECT=1` rewrites what stands behind the bars; read the difference before you believe
//! it.

use std::time::Duration;

use expect_test::Expect;
use seaworthy_core::time::Instant;

/// Longer steps push their bar to the right.
const WIDEST: usize = 64;

/// Runs a script, step by step, and compares what `step` gives with what stands behind its bars.
pub(crate) fn check(expect: &Expect, mut step: impl FnMut(&str) -> Vec<String>) {
    let lines = expect.data().lines().filter_map(|line| line.split('|').next());
    let steps: Vec<&str> = lines.map(str::trim).filter(|step| !step.is_empty()).collect();
    let width = steps.iter().map(|step| step.len()).max().unwrap_or_default().min(WIDEST);
    let mut told = String::new();
    for &line in &steps {
        let mut wanted = step(line);
        wanted.resize(wanted.len().max(1), String::new());
        for (n, wanted) in wanted.iter().enumerate() {
            let line = if n == 0 { line } else { "" };
            told += format!("{line:<width$} | {wanted}").trim_end();
            told += "\n";
        }
    }
    expect.assert_eq(&told);
}

/// `10s`, `0.5s`
pub(crate) fn moment(text: &str) -> Instant {
    let seconds = text.strip_suffix('s').and_then(|s| s.parse().ok()).expect("seconds");
    Instant::EPOCH + Duration::from_secs_f64(seconds)
}
