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
    use super::*;
    use crate::job::Mode;
    use crate::job::tests::job;
    use crate::report::{self, Results};

    /// The same seed, the same report: on any machine.
    #[test]
    fn a_drill_in_virtual_time() {
        let mut job = job(Some("kill-one"), &[]);
        job.mode = Mode::Simulated;
        let row = |(cell, repeat): (Cell, u32)| Row {
            cell,
            repeat,
            findings: run(&job, cell, cell.seed(job.seed, repeat)).unwrap(),
        };
        let results = Results { rows: job.turns().map(row).collect(), ..Results::default() };
        let text = anstream::adapter::strip_str(&report::text(&job, &results, 100)).to_string();
        expect_test::expect_file!["../golden/simulated.txt"].assert_eq(&text);
    }
}
