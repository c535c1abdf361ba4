//! Cells in virtual time.

use seaworthy_core::experiment::{Cell, Findings};

use crate::Error;
use crate::job::Job;
use crate::report::Row;

/// A cell is repeated at most so often.
pub const MOST_REPEATS: u32 = 1000;

/// Runs a cell that draws from `seed`.
pub(crate) fn run(job: &Job, cell: Cell, seed: u64) -> Result<Findings, Error> {
    let found = seaworthy_sim::cell::run(&job.drill, cell, seed);
    found.map_err(|source| Error::Simulation { file: job.file.clone(), source })
}

/// Runs every cell so often, each time from a seed that no repetition draws from.
pub(crate) fn predict(job: &Job, runs: u32) -> Result<Vec<Row>, Error> {
    let turns = job.cells.iter().flat_map(|cell| (1..=runs).map(|repeat| (*cell, repeat)));
    let row = |(cell, repeat): (Cell, u32)| {
        let findings = run(job, cell, cell.seed(job.seed, MOST_REPEATS + repeat))?;
        Ok(Row { cell, repeat, findings })
    };
    turns.map(row).collect()
}

#[cfg(test)]
mod tests {
    use seaworthy_core::experiment::expectation::Verdict;

    use super::*;
    use crate::job::Mode;
    use crate::job::tests::job;
    use crate::report::{self, Results};
    use crate::shipped;

    /// These are about what a program remembers, and are for real ones.
    const LIVE_ONLY: [&str; 2] = ["memory-leak", "stateful-cart"];

    fn simulate(name: &str) -> (Job, Results) {
        let mut job = job(Some(name), &[]);
        job.mode = Mode::Simulated;
        let row = |(cell, repeat): (Cell, u32)| Row {
            cell,
            repeat,
            findings: run(&job, cell, cell.seed(job.seed, repeat)).unwrap(),
        };
        let rows = job.turns().map(row).collect();
        (job, Results { rows, ..Results::default() })
    }

    /// Verdicts and claims, as live.
    #[test]
    fn every_drill_that_can_be_simulated_goes_as_it_says() {
        for (name, _) in shipped::ALL.iter().filter(|(name, _)| !LIVE_ONLY.contains(name)) {
            let (job, results) = simulate(name);
            let said = report::text(&job, &results, 100);
            assert_eq!(report::verdict(&job, &results), Verdict::AsExpected, "{name}: {said}");
        }
    }

    /// The same seed, the same report: on any machine.
    #[test]
    fn a_drill_in_virtual_time() {
        let (job, results) = simulate("kill-one");
        let text = anstream::adapter::strip_str(&report::text(&job, &results, 100)).to_string();
        expect_test::expect_file!["../golden/simulated.txt"].assert_eq(&text);
    }
}
