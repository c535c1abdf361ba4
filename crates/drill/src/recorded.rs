//! What an earlier comparison measured, as its JSON has it. It can be held against what is predicted now without
//! starting anything, so that a change of a model is judged by all that was ever measured.

use std::collections::BTreeMap;
use std::path::Path;

use seaworthy_core::experiment::Cell;
use seaworthy_sim::machine::Calibration;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use crate::Error;
use crate::job::Job;
use crate::report::Results;
use crate::simulation;

/// No figure is larger, in its own unit.
const MOST: f64 = 1e9;

/// A report that `--json` wrote.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Recorded {
    title: String,
    simulated: bool,
    scale: u32,
    /// How many runs were to be done.
    pub(crate) runs_planned: usize,
    calibration: Option<Known>,
    /// Each run, with what is needed to judge it again.
    pub(crate) cells: Vec<Run>,
}

#[derive(Clone, Debug, Deserialize)]
struct Known {
    machine: Calibration,
}

/// What a run is compared by, in the unit of each figure.
#[derive(Clone, Debug)]
pub(crate) struct Reading {
    /// Which cell was run.
    pub(crate) cell: Cell,
    /// Of all its requests,
    pub(crate) whole: BTreeMap<String, f64>,
    /// and of each flow of them.
    pub(crate) flows: Vec<BTreeMap<String, f64>>,
}

/// A run of a cell.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Run {
    configuration: usize,
    schedule: String,
    verdict: String,
    #[serde(deserialize_with = "with_null_for_never")]
    figures: BTreeMap<String, f64>,
    flows: Vec<Flow>,
}

/// One flow of its load.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Flow {
    #[serde(deserialize_with = "with_null_for_never")]
    figures: BTreeMap<String, f64>,
}

/// What the report at `path` measured, on the machine that it knew, beside so many runs predicted now.
pub(crate) fn judge(job: &Job, runs: u32, path: &Path, results: &mut Results) -> Result<(), Error> {
    let recorded = Recorded::read(path, job)?;
    results.calibration = recorded.calibration();
    results.predicted = simulation::predict(job, runs, results.calibration.as_ref())?;
    results.recorded = Some(recorded);
    Ok(())
}

// === impl Recorded ===

impl Recorded {
    /// What the report at `path` has of this drill.
    pub(crate) fn read(path: &Path, job: &Job) -> Result<Self, Error> {
        let error = |why: String| Error::Measured { path: path.to_owned(), why };
        let text = std::fs::read_to_string(path).map_err(|source| error(source.to_string()))?;
        let recorded: Self = serde_json::from_str(&text).map_err(|source| {
            error(format!("this is nothing that `drill --compare --json` wrote: {source}"))
        })?;
        if recorded.simulated {
            return Err(error("this was simulated, and not measured".to_owned()));
        }
        let (title, scale) = (&job.drill.title, job.scale);
        if (&recorded.title, recorded.scale) != (title, scale) {
            let Self { title: its, scale: as_fast, .. } = recorded;
            let told = format!(
                "this is of another drill: \"{its}\", {as_fast} times faster than life, and not \"{title}\", {scale} times"
            );
            return Err(error(told));
        }
        Ok(recorded)
    }

    /// What the machine was like; none if nothing was asked of it.
    pub(crate) fn calibration(&self) -> Option<Calibration> {
        self.calibration.as_ref().map(|known| known.machine)
    }

    /// Every run of a cell of this job that measured something.
    pub(crate) fn readings(&self, job: &Job) -> Vec<Reading> {
        let reading = |run: &Run| {
            let is_run = |cell: &&Cell| {
                cell.configuration + 1 == run.configuration
                    && job.drill.schedules[cell.schedule].name == run.schedule
            };
            let cell = *job.cells.iter().find(is_run)?;
            let flows = run.flows.iter().map(|flow| flow.figures.clone()).collect();
            let reading = Reading { cell, whole: run.figures.clone(), flows };
            (run.verdict != "invalid").then_some(reading)
        };
        self.cells.iter().filter_map(reading).collect()
    }
}

/// JSON has no word for what is infinite, and nothing that is measured is negative.
fn with_null_for_never<'de, D: Deserializer<'de>>(
    figures: D,
) -> Result<BTreeMap<String, f64>, D::Error> {
    let figures = BTreeMap::<String, Option<f64>>::deserialize(figures)?;
    let figure = |(name, value): (String, Option<f64>)| match value {
        None => Ok((name, f64::INFINITY)),
        Some(value) if (0.0..=MOST).contains(&value) => Ok((name, value)),
        Some(value) => Err(D::Error::custom(format!("{name}: {value} is out of range"))),
    };
    figures.into_iter().map(figure).collect()
}

#[cfg(test)]
mod tests {
    use seaworthy_core::experiment::expectation::Verdict;

    use super::*;
    use crate::job::Mode;
    use crate::job::tests::job;
    use crate::report::{self, FEWEST_PREDICTED};

    /// What changes a model has to answer for that.
    #[test]
    fn what_was_measured_is_still_predicted() {
        for name in ["kill-one", "report"] {
            let mut job = job(Some(name), &[]);
            job.mode = Mode::Compared { calibrate: 0, predict: FEWEST_PREDICTED };
            let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/performance");
            let path = Path::new(directory).join(format!("comparison/{name}.json"));
            let mut results = Results::default();
            judge(&job, FEWEST_PREDICTED, &path, &mut results).unwrap();
            let said = report::text(&job, &results, 100);
            assert_eq!(report::verdict(&job, &results), Verdict::AsExpected, "{name}: {said}");
        }
    }
}
