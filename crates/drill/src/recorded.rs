//! What earlier comparisons measured, as their JSON has it. It can be held against what is predicted now without
//! starting anything, so that a change of a model is judged by all that was ever measured, on whichever day.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use seaworthy_core::experiment::Cell;
use seaworthy_core::experiment::expectation::Verdict;
use seaworthy_sim::machine::Calibration;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use crate::Error;
use crate::job::Job;
use crate::report::Results;
use crate::report::json::SCHEMA;
use crate::simulation::{self, Day, MOST_REPEATS};

/// No figure is larger, in its own unit.
const MOST: f64 = 1e9;

/// A report that `--json` wrote, which is one of a day as well.
#[derive(Debug, Deserialize)]
struct Report {
    schema: u32,
    title: String,
    simulated: bool,
    scale: u32,
    #[serde(default)]
    others: Vec<Recorded>,
}

/// What was measured on one day.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Recorded {
    /// Of what the drill file had that was run and measured; earlier reports do not say it.
    pub(crate) digest: Option<String>,
    seed: u64,
    /// How many runs were to be done.
    pub(crate) runs_planned: usize,
    calibration: Option<Known>,
    /// Each run, with what is needed to judge it again.
    pub(crate) cells: Vec<Run>,
}

#[derive(Clone, Debug, Deserialize)]
struct Known {
    runs: usize,
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Run {
    configuration: usize,
    schedule: String,
    verdict: Verdict,
    #[serde(deserialize_with = "with_null_for_never")]
    figures: BTreeMap<String, f64>,
    flows: Vec<Flow>,
}

/// One flow of its load.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Flow {
    #[serde(deserialize_with = "with_null_for_never")]
    figures: BTreeMap<String, f64>,
}

/// What the reports at `paths` measured, on the machines that they knew, beside so many runs predicted now.
pub(crate) fn judge(
    job: &Job,
    runs: u32,
    paths: &[PathBuf],
    results: &mut Results,
) -> Result<(), Error> {
    let mut days: Vec<Recorded> = Vec::new();
    for path in paths {
        let error = |why| Error::Measured { path: path.clone(), why };
        for day in read(path, job).map_err(error)? {
            if days.iter().any(|other| other.has_runs_of(&day)) {
                return Err(error("this has runs that count already".to_owned()));
            }
            days.push(day);
        }
    }
    results.recorded = days;
    results.predicted = simulation::predict(job, runs, &results.days(job))?;
    Ok(())
}

/// What the report at `path` has of this drill, of each day on which something was measured, or what is wrong with it.
fn read(path: &Path, job: &Job) -> Result<Vec<Recorded>, String> {
    let strange = |error| format!("this is nothing that `drill --compare --json` wrote: {error}");
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    let report: Report = serde_json::from_str(&text).map_err(strange)?;
    let Report { schema, title: its, simulated, scale: as_fast, others: mut days } = report;
    days.push(serde_json::from_str(&text).map_err(strange)?);
    if schema != SCHEMA {
        return Err(format!("schema is {schema}; allowed is {SCHEMA}"));
    }
    if simulated {
        return Err("this was simulated, and not measured".to_owned());
    }
    let (title, scale) = (&job.drill.title, job.scale);
    if (&its, as_fast) != (title, scale) {
        return Err(format!(
            "this is of another drill: \"{its}\", {as_fast} times faster than life, and not \"{title}\", {scale} times"
        ));
    }
    check_cells(&days, job)?;
    days.iter().try_for_each(|day| day.check(job))?;
    Ok(days)
}

/// Every cell that was run is one of the drill, and some are asked for.
fn check_cells(days: &[Recorded], job: &Job) -> Result<(), String> {
    let names = |cells: &[Cell]| -> Vec<String> {
        cells.iter().map(|cell| cell.name(&job.drill)).collect()
    };
    let (all, asked) = (names(&job.drill.cells()), names(&job.cells));
    let measured: BTreeSet<String> =
        days.iter().flat_map(|day| &day.cells).map(Run::name).collect();
    let strange: Vec<&str> =
        measured.iter().filter(|name| !all.contains(name)).map(String::as_str).collect();
    if !strange.is_empty() {
        let (strange, all, file) = (strange.join(", "), all.join(", "), &job.file);
        return Err(format!("{strange} was measured, which {file} does not have; it has {all}"));
    }
    if !asked.iter().any(|name| measured.contains(name)) {
        let has = match Vec::from_iter(measured)[..] {
            [] => "no run".to_owned(),
            ref measured => measured.join(", "),
        };
        return Err(format!("{} was not measured; this has {has}", asked.join(", ")));
    }
    Ok(())
}

// === impl Recorded ===

impl Recorded {
    /// Whether it can be held against what is predicted.
    fn check(&self, job: &Job) -> Result<(), String> {
        if self.digest.as_ref().is_some_and(|digest| *digest != job.digest) {
            return Err(format!(
                "{} has changed since, and this was measured by what it was; allowed is to change comments, `model`, `expect`, `claims`, `reading`, and titles of its parts",
                job.file
            ));
        }
        self.check_runs(job)
    }

    /// No two runs take as long, to the nanosecond: who has the first one of the other has what the other had by then.
    fn has_runs_of(&self, other: &Self) -> bool {
        let is_first = |run| other.cells.first() == Some(run);
        self.seed == other.seed && self.cells.first().is_some_and(is_first)
    }

    /// What is known of it but for what came of its runs: they were done in rounds.
    pub(crate) fn of(&self, job: &Job) -> Day {
        let mut rounds: BTreeMap<Cell, u32> = BTreeMap::new();
        let valid = |run: &Run| {
            let cell = run.cell(job)?;
            let round = rounds.entry(cell).or_default();
            *round += 1;
            (run.verdict != Verdict::Invalid).then_some((cell, *round))
        };
        let runs = self.cells.iter().filter_map(valid).collect();
        Day { seed: self.seed, runs, calibration: self.calibration(job) }
    }

    /// There can have been as many as it says.
    fn check_runs(&self, job: &Job) -> Result<(), String> {
        let (done, planned) = (self.cells.len(), self.runs_planned);
        let most = job.drill.cells().len() * MOST_REPEATS as usize;
        if !(done..=most).contains(&planned) {
            return Err(format!(
                "runs_planned: {planned} is out of range; allowed is {done}, as many as there are, to {most}"
            ));
        }
        let Some(known) = &self.calibration else { return Ok(()) };
        let services = job.drill.configurations[0].services().iter();
        let names: Vec<&str> = services.map(|service| service.name.as_str()).collect();
        known.machine.check(&names).map_err(|why| format!("calibration.machine.{why}"))?;
        match (known.runs, known.machine.runs()) {
            (said, runs) if said == runs => Ok(()),
            (said, runs) => Err(format!(
                "calibration.runs: {said} is not what its machine is known by; allowed is {runs}"
            )),
        }
    }

    /// What the machine was like; none if nothing was asked of it.
    fn calibration(&self, job: &Job) -> Option<Calibration> {
        let entry = &job.drill.configurations[0].services()[job.drill.load.entry()];
        let known = self.calibration.as_ref()?;
        Some(known.machine.clone().brought_up_to_date(&entry.name))
    }

    /// Every run of a cell of this job that measured something.
    pub(crate) fn readings(&self, job: &Job) -> Vec<Reading> {
        let reading = |run: &Run| {
            let cell = run.cell(job)?;
            let flows = run.flows.iter().map(|flow| flow.figures.clone()).collect();
            let reading = Reading { cell, whole: run.figures.clone(), flows };
            (run.verdict != Verdict::Invalid).then_some(reading)
        };
        self.cells.iter().filter_map(reading).collect()
    }
}

// === impl Run ===

impl Run {
    /// None if it is not one that is asked for.
    fn cell(&self, job: &Job) -> Option<Cell> {
        job.cells.iter().copied().find(|cell| cell.name(&job.drill) == self.name())
    }

    /// Of its cell, as people name it.
    fn name(&self) -> String {
        format!("{}/{}", self.configuration, self.schedule)
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
        Some(value) => Err(D::Error::custom(format!(
            "{name}: {value} is out of range; allowed is 0 to {MOST}, or null for never"
        ))),
    };
    figures.into_iter().map(figure).collect()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use serde_json::{Value, json};

    use super::*;
    use crate::job::Mode;
    use crate::job::tests::job;
    use crate::{FEWEST_PREDICTED, report};

    /// What changes a model has to answer for that.
    #[test]
    fn what_was_measured_is_still_predicted() {
        for name in ["kill-one", "report"] {
            let mut job = job(Some(name), &[]);
            job.mode = Mode::Compared { calibrate: 0, predict: FEWEST_PREDICTED };
            let mut results = Results::default();
            judge(&job, FEWEST_PREDICTED, &[path(name)], &mut results).unwrap();
            let said = report::text(&job, &results, 100);
            assert_eq!(report::verdict(&job, &results), Verdict::AsExpected, "{name}: {said}");
        }
    }

    /// What was written of both is judged as both are, and none of it counts twice.
    #[test]
    fn what_was_measured_on_two_days_is_judged_together() {
        let mut job = job(Some("kill-one"), &[]);
        job.mode = Mode::Compared { calibrate: 0, predict: FEWEST_PREDICTED };
        let directory = tempfile::tempdir().unwrap();
        let [other, both] = ["other", "both"].map(|name| directory.path().join(name));
        let first = std::fs::read_to_string(path("kill-one")).unwrap();
        let mut second: Value = serde_json::from_str(&first).unwrap();
        second["seed"] = json!(2);
        std::fs::write(&other, second.to_string()).unwrap();
        let judged = |paths: &[PathBuf]| {
            let mut results = Results::default();
            let judged = judge(&job, FEWEST_PREDICTED, paths, &mut results);
            assert_eq!(judged.is_ok(), !results.recorded.is_empty());
            judged.map(|()| report::json::render(&job, &results)).map_err(|error| error.to_string())
        };
        let text = judged(&[path("kill-one"), other.clone()]).unwrap();
        std::fs::write(&both, &text).unwrap();
        assert_eq!(judged(std::slice::from_ref(&both)).unwrap(), text);
        let told: Value = serde_json::from_str(&text).unwrap();
        let runs = [&told["others"][0], &told].map(|day| (&day["runs_done"], &day["seed"]));
        assert_eq!(runs, [(&json!(20), &json!(job.seed)), (&json!(20), &json!(2))]);
        assert_eq!(told["comparison"][0]["measured"].as_array().unwrap().len(), 40);
        let twice = judged(&[both, other]).unwrap_err();
        assert!(twice.ends_with("other: this has runs that count already"), "{twice}");
    }

    /// What was measured on one day by a drill that comes with the program.
    fn path(name: &str) -> PathBuf {
        let directory =
            concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/performance/comparison/earlier");
        Path::new(directory).join(format!("{name}.json"))
    }

    /// What is said of that of `kill-one` with another value at this place, but for where in the file that is.
    fn told(place: &str, value: Value) -> String {
        let own = job(Some("kill-one"), &[]);
        let text = std::fs::read_to_string(path("kill-one")).unwrap();
        let mut report: Value = serde_json::from_str(&text).unwrap();
        report["digest"] = own.digest.clone().into();
        let (parent, key) = place.rsplit_once('/').unwrap();
        report.pointer_mut(parent).expect(place)[key] = value;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("report.json");
        std::fs::write(&path, report.to_string()).unwrap();
        match read(&path, &own) {
            Ok(_) => "good".to_owned(),
            Err(why) => why.split(" at line ").next().unwrap_or_default().to_owned(),
        }
    }

    #[test]
    fn what_cannot_be_judged_is_refused() {
        let cases = [
            told("/schema", json!(2)),
            told("/title", json!("kill-one")),
            told("/scale", json!(7)),
            told("/simulated", json!(true)),
            told("/digest", json!("0123456789abcdef")),
            told("/cells", json!([])),
            told("/cells/0/schedule", json!("killed")),
            told("/cells/0/configuration", json!(0)),
            told("/cells/0/verdict", json!("fine")),
            told("/cells/0/figures/recovery", json!(-1)),
            told("/runs_planned", json!(19)),
            told("/runs_planned", json!(1_000_000)),
            told("/calibration/runs", json!(3)),
            told("/calibration/machine/median/deviation", json!(1e6)),
            told("/calibration/machine/stall/mean", json!(null)),
            told("/calibration/machine/starts/store", json!({ "uniform": ["80ms", "40ms"] })),
            told("/calibration/machine/starts", json!({ "store": { "constant": "2h" } })),
            told("/calibration/machine/starts", json!({ "shop": { "constant": "1s" } })),
            told("/calibration/machine/every", json!("often")),
        ];
        expect_test::expect![[r#"
            schema is 2; allowed is 1
            this is of another drill: "kill-one", 1 times faster than life, and not "one of three tasks killed under load", 1 times
            this is of another drill: "one of three tasks killed under load", 7 times faster than life, and not "one of three tasks killed under load", 1 times
            this was simulated, and not measured
            drills/kill-one.toml (built in) has changed since, and this was measured by what it was; allowed is to change comments, `model`, `expect`, `claims`, `reading`, and titles of its parts
            1/kill was not measured; this has no run
            1/killed was measured, which drills/kill-one.toml (built in) does not have; it has 1/kill
            0/kill was measured, which drills/kill-one.toml (built in) does not have; it has 1/kill
            this is nothing that `drill --compare --json` wrote: unknown variant `fine`, expected one of `as_expected`, `deviates`, `invalid`
            this is nothing that `drill --compare --json` wrote: recovery: -1 is out of range; allowed is 0 to 1000000000, or null for never
            runs_planned: 19 is out of range; allowed is 20, as many as there are, to 1000
            runs_planned: 1000000 is out of range; allowed is 20, as many as there are, to 1000
            calibration.runs: 3 is not what its machine is known by; allowed is 40
            calibration.machine.median.deviation: 1000000.0 is out of range; allowed is 0.0 to 20.0
            calibration.machine.stall.mean: NaN is out of range; allowed is -20.0 to 20.0
            calibration.machine.starts.store.uniform[1]: 80ms is out of range; allowed is 0ns to 40ms
            calibration.machine.starts.store: 7200s is out of range; allowed is 0ns to 3600s
            calibration.machine.starts.shop: is no service; allowed is one of store
            this is nothing that `drill --compare --json` wrote: `often` is not a duration: a number with its unit, such as "250ms", "90s" or "5m""#]]
        .assert_eq(&cases.join("\n"));
        assert_eq!([told("/digest", json!(null)), told("/seed", json!(1))], ["good"; 2]);
    }

    /// What is known of the machine by that of `kill-one`, changed like that.
    fn known(change: impl Fn(&mut Value)) -> Option<Calibration> {
        let text = std::fs::read_to_string(path("kill-one")).unwrap();
        let mut report: Value = serde_json::from_str(&text).unwrap();
        change(&mut report["calibration"]["machine"]);
        let day: Recorded = serde_json::from_value(report).unwrap();
        day.calibration(&job(Some("kill-one"), &[]))
    }

    #[test]
    fn earlier_reports_know_starts_of_the_service_by_which_users_come_in() {
        let earlier = known(|machine| {
            machine["start"] = machine["starts"]["store"].take();
            machine["starts"] = json!({});
        });
        assert_eq!(earlier, known(|_| ()));
    }

    #[test]
    fn cells_that_were_not_measured_are_named() {
        let mut job = job(None, &["2/one"]);
        let mut days = read(&path("report"), &job).unwrap();
        days[0].cells.retain(|run| run.name() != "2/one");
        let told = check_cells(&days, &job).unwrap_err();
        assert!(
            told.starts_with("2/one was not measured; this has 1/all_at_once, 1/one, "),
            "{told}"
        );
        job.cells = job.drill.cells();
        assert_eq!(check_cells(&days, &job), Ok(()));
    }
}
