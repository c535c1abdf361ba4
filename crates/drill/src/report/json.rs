//! The figures for programs, as measured.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use seaworthy_core::endpoints::TaskId;
use seaworthy_core::experiment::claim::{Claim, Judged};
use seaworthy_core::experiment::course::{Detection, Replacement, Rollout};
use seaworthy_core::experiment::expectation::{Expectation, Outcome, Verdict};
use seaworthy_core::experiment::{Calls, Configuration, Findings};
use seaworthy_sim::machine::Calibration;
use serde::Serialize;

use super::comparison::{Compared, compare, figures};
use super::figures::Figures;
use super::{Results, Row};
use crate::job::{Job, Mode};
use crate::paper::even_if_unread;
use crate::recorded::{Recorded, Run};
use crate::simulation::Day;

/// Changes when a key changes its meaning or goes away.
pub(crate) const SCHEMA: u32 = 1;

#[derive(Serialize)]
struct Report<'a> {
    schema: u32,
    title: &'a str,
    /// In virtual time, and not with real processes.
    simulated: bool,
    scale: u32,
    /// The worst of all; none before the report is complete, which takes what it is to be compared with, too.
    verdict: Option<Verdict>,
    claims: Vec<ClaimReport<'a>>,
    /// What was predicted beside what was measured so far; nothing if nothing was predicted.
    comparison: Vec<Compared>,
    /// What was measured on other days, if the verdict and the comparison are of that, too.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    others: Vec<DayReport<'a>>,
    #[serde(flatten)]
    own: DayReport<'a>,
}

/// What was measured on one day.
#[derive(Serialize)]
struct DayReport<'a> {
    /// Of what the drill file had that was run and measured; none if that is not known any more.
    digest: Option<&'a str>,
    seed: u64,
    /// Runs of cells that are to be done, and those that are. The report is complete when these are
    /// the same of each day.
    runs_planned: usize,
    runs_done: usize,
    /// What is known of the machine; none if nothing was asked of it.
    calibration: Option<CalibrationReport>,
    cells: Vec<RunReport<'a>>,
}

/// A run of a cell.
#[derive(Serialize)]
#[serde(untagged)]
enum RunReport<'a> {
    /// Just measured.
    Measured(Box<CellReport<'a>>),
    /// Of an earlier report: just what is needed to judge it again.
    Recorded(&'a Run),
}

/// How many times slower the machine is than the model says, by runs in which nothing happened.
#[derive(Serialize)]
struct CalibrationReport {
    runs: usize,
    median: f64,
    p99: f64,
    /// All that is known, for nobody but us to read again.
    machine: Calibration,
}

/// A promise, by the medians of all runs so far.
#[derive(Serialize)]
struct ClaimReport<'a> {
    claim: &'a str,
    /// None if a cell of it was not run, is INVALID or has no such figure, or what it compares never happened.
    holds: Option<bool>,
    left: Option<String>,
    right: Option<String>,
}

/// One flow of a cell's load.
#[derive(Serialize)]
struct FlowReport<'a> {
    flow: &'a str,
    requests: u64,
    failed: u64,
    degraded: u64,
    oldest_ms: f64,
    longest_gap_ms: f64,
    latency_p50_ms: Option<f64>,
    latency_p99_ms: Option<f64>,
    figures: BTreeMap<String, f64>,
}

/// Calls to a service that was disturbed.
#[derive(Serialize)]
struct CallsReport<'a> {
    service: &'a str,
    fault: String,
    during: u64,
    longest_pause_ms: f64,
    first_after_ms: Option<f64>,
}

/// One run of a cell. All times are as measured, not scaled up.
#[derive(Serialize)]
struct CellReport<'a> {
    configuration: usize,
    schedule: &'a str,
    repeat: u32,
    scale: u32,
    seed: u64,
    tasks: u32,
    stopped: u32,
    requests: u64,
    failed: u64,
    unanswered: u64,
    degraded: u64,
    seconds_below_target: u32,
    longest_gap_ms: f64,
    /// The longest gap is known to plus or minus this.
    gap_spacing_ms: f64,
    /// The shortest and the longest outage by arithmetic.
    arithmetic_ms: Option<[f64; 2]>,
    longest_silence_ms: f64,
    recovery_ms: Option<f64>,
    /// Before the first fault.
    shares: BTreeMap<TaskId, f64>,
    /// In the whole run.
    answers: &'a BTreeMap<TaskId, u64>,
    lateness_p99_ms: f64,
    latency_p50_ms: Option<f64>,
    latency_p99_ms: Option<f64>,
    flows: Vec<FlowReport<'a>>,
    calls: Vec<CallsReport<'a>>,
    replacements: Vec<ReplacementReport<'a>>,
    detections: Vec<DetectionReport<'a>>,
    /// The fewest tasks in rotation at any time of the load, of the service by which users come in,
    fewest_in_rotation: u32,
    /// and the most at once.
    most_tasks: u32,
    rollouts: Vec<RolloutReport>,
    /// All that can be compared, with what is not above. Times are in seconds; null is never.
    figures: BTreeMap<String, f64>,
    expected: Expectation,
    outcome: Outcome,
    verdict: Verdict,
    reasons: &'a [String],
}

/// A deployment. Times are from its beginning.
#[derive(Serialize)]
struct RolloutReport {
    fault: String,
    first_start_ms: Option<f64>,
    /// None if it never came to its end.
    done_ms: Option<f64>,
    /// None if it did not end where it began.
    back_ms: Option<f64>,
    /// The fewest tasks of earlier revisions in rotation.
    kept: u32,
}

/// Times are from the first moment of the load.
#[derive(Serialize)]
struct ReplacementReport<'a> {
    service: &'a str,
    task: TaskId,
    by: TaskId,
    out_ms: f64,
    entered_ms: Option<f64>,
    window_ms: Option<f64>,
    waited_ms: f64,
    provisioning_ms: f64,
    own_start_ms: Option<f64>,
}

/// A task that was made to go on badly.
#[derive(Serialize)]
struct DetectionReport<'a> {
    service: &'a str,
    task: TaskId,
    fault: String,
    /// From the fault until it was out of rotation; none if it never was while the fault lasted.
    took_ms: Option<f64>,
}

/// Names of standard output,
const STDOUT: [&str; 4] = ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"];
/// and of others that were opened by somebody else.
fn is_descriptor(path: &Path) -> bool {
    let of_a_process = || path.parent().is_some_and(|parent| parent.ends_with("fd"));
    path == Path::new("/dev/stderr")
        || path.starts_with("/dev/fd")
        || path.starts_with("/proc") && of_a_process()
}

/// Where the figures go.
pub(crate) enum Target {
    /// Standard output.
    Stdout,
    /// A file that is replaced as a whole, after each run of a cell.
    File(PathBuf),
    /// Something else that can be written to, such as a pipe: it is open, as whoever reads it waits for its end.
    Other(File),
}

/// All rows so far as one document, which says whether more are to come.
pub(crate) fn render(job: &Job, results: &Results) -> String {
    let mut others = days(job, results);
    let is_compared = !matches!(job.mode, Mode::Compared { .. }) || !results.predicted.is_empty();
    let is_complete = is_compared && others.iter().all(|day| day.runs_done == day.runs_planned);
    let own = others.pop().expect("there is one day at least");
    let report = Report {
        schema: SCHEMA,
        title: &job.drill.title,
        simulated: job.mode == Mode::Simulated,
        scale: job.scale,
        verdict: is_complete.then(|| super::verdict(job, results)),
        claims: claims(job, &results.rows),
        comparison: compare(job, results),
        others,
        own,
    };
    serde_json::to_string_pretty(&report).expect("a report is plain data") + "\n"
}

/// The days on which something was measured: this one, unless what is judged is of others.
fn days<'a>(job: &'a Job, results: &'a Results) -> Vec<DayReport<'a>> {
    let days = results.days(job).into_iter();
    if results.recorded.is_empty() {
        let measured = |row| RunReport::Measured(Box::new(cell(job, row)));
        let (digest, planned) = (Some(&*job.digest), job.turns().count());
        let cells = || results.rows.iter().map(measured).collect();
        return days.map(|day| DayReport::of(day, digest, planned, cells())).collect();
    }
    let recorded = |(day, recorded): (Day, &'a Recorded)| {
        let cells = recorded.cells.iter().map(RunReport::Recorded).collect();
        DayReport::of(day, recorded.digest.as_deref(), recorded.runs_planned, cells)
    };
    days.zip(&results.recorded).map(recorded).collect()
}

fn cell<'a>(job: &'a Job, row: &'a Row) -> CellReport<'a> {
    let configuration = &job.drill.configurations[row.cell.configuration];
    let schedule = &job.drill.schedules[row.cell.schedule];
    let (findings, numbers) = (&row.findings, &row.findings.numbers);
    let range = findings.range.as_ref();
    CellReport {
        configuration: row.cell.configuration + 1,
        schedule: &schedule.name,
        repeat: row.repeat,
        scale: job.scale,
        seed: job.seed,
        tasks: configuration.desired_count(),
        stopped: findings.stopped,
        requests: numbers.requests,
        failed: numbers.failed,
        unanswered: numbers.unanswered,
        degraded: numbers.degraded,
        seconds_below_target: numbers.seconds_below_target,
        longest_gap_ms: millis(numbers.longest_gap),
        gap_spacing_ms: millis(job.drill.load.spacing()),
        arithmetic_ms: range.map(|range| [range.start(), range.end()].map(|d| millis(*d))),
        longest_silence_ms: millis(numbers.longest_silence),
        recovery_ms: numbers.recovery.map(millis),
        shares: findings.shares.clone(),
        answers: &numbers.answers,
        lateness_p99_ms: millis(numbers.lateness_p99),
        latency_p50_ms: numbers.latency_p50.map(millis),
        latency_p99_ms: numbers.latency_p99.map(millis),
        flows: (0..job.drill.load.flows.len()).map(|n| flow(job, findings, n)).collect(),
        calls: findings.calls.iter().map(|calls| calls_of(configuration, calls)).collect(),
        replacements: findings
            .replacements
            .iter()
            .map(|it| replacement(configuration, it))
            .collect(),
        detections: findings.detections.iter().map(|it| detection(configuration, it)).collect(),
        fewest_in_rotation: findings.fewest,
        most_tasks: findings.most,
        rollouts: findings.rollouts.iter().map(rollout).collect(),
        figures: figures(findings, None),
        expected: schedule.expect[row.cell.configuration],
        outcome: findings.outcome,
        verdict: findings.verdict,
        reasons: &findings.reasons,
    }
}

fn claims<'a>(job: &'a Job, rows: &'a [Row]) -> Vec<ClaimReport<'a>> {
    let report = |(claim, judged): (&'a Claim, Option<Judged>)| ClaimReport {
        claim: &claim.text,
        holds: judged.as_ref().map(|judged| judged.holds),
        left: judged.as_ref().map(|judged| judged.left.clone()),
        right: judged.map(|judged| judged.right),
    };
    super::claims::judge(&Figures::of(job, rows)).into_iter().map(report).collect()
}

fn flow<'a>(job: &'a Job, findings: &Findings, flow: usize) -> FlowReport<'a> {
    let (figures, numbers) = (figures(findings, Some(flow)), &findings.flows[flow]);
    let flow = &job.drill.load.flows[flow];
    FlowReport {
        flow: &flow.name,
        requests: numbers.requests,
        failed: numbers.failed,
        degraded: numbers.degraded,
        oldest_ms: millis(numbers.oldest),
        longest_gap_ms: millis(numbers.longest_gap),
        latency_p50_ms: numbers.latency_p50.map(millis),
        latency_p99_ms: numbers.latency_p99.map(millis),
        figures,
    }
}

fn calls_of<'a>(configuration: &'a Configuration, calls: &Calls) -> CallsReport<'a> {
    CallsReport {
        service: &configuration.services()[calls.to].name,
        fault: calls.fault.to_string(),
        during: calls.during,
        longest_pause_ms: millis(calls.longest_silence),
        first_after_ms: calls.first_after.map(millis),
    }
}

fn replacement<'a>(
    configuration: &'a Configuration,
    replacement: &Replacement,
) -> ReplacementReport<'a> {
    ReplacementReport {
        service: &configuration.services()[replacement.service].name,
        task: replacement.task,
        by: replacement.by,
        out_ms: millis(replacement.out),
        entered_ms: replacement.entered.map(millis),
        window_ms: replacement.window().map(millis),
        waited_ms: millis(replacement.waited),
        provisioning_ms: millis(replacement.provisioning),
        own_start_ms: replacement.start.map(millis),
    }
}

fn detection<'a>(configuration: &'a Configuration, detection: &Detection) -> DetectionReport<'a> {
    DetectionReport {
        service: &configuration.services()[detection.service].name,
        task: detection.task,
        fault: detection.fault.to_string(),
        took_ms: detection.took.map(millis),
    }
}

fn rollout(rollout: &Rollout) -> RolloutReport {
    RolloutReport {
        fault: rollout.fault.to_string(),
        first_start_ms: rollout.started.map(millis),
        done_ms: rollout.done.map(millis),
        back_ms: rollout.back.map(millis),
        kept: rollout.kept,
    }
}

/// Milliseconds with microseconds behind the point.
fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

// === impl DayReport ===

impl<'a> DayReport<'a> {
    fn of(
        Day { seed, calibration, .. }: Day,
        digest: Option<&'a str>,
        runs_planned: usize,
        cells: Vec<RunReport<'a>>,
    ) -> Self {
        let known = |machine: Calibration| {
            let [median, p99] = machine.slowness().map(|spread| spread.middle());
            CalibrationReport { runs: machine.runs(), median, p99, machine }
        };
        let (runs_done, calibration) = (cells.len(), calibration.map(known));
        Self { digest, seed, runs_planned, runs_done, calibration, cells }
    }
}

// === impl Target ===

impl Target {
    /// The target named on the command line, which can be written to as far as that can be known.
    pub(crate) fn check(path: &Path) -> io::Result<Self> {
        if STDOUT.iter().any(|stdout| path == Path::new(stdout)) {
            return Ok(Self::Stdout);
        }
        let is_file = match fs::metadata(path) {
            Ok(meta) if meta.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
            Ok(meta) => meta.is_file(),
            Err(_) if path.as_os_str().as_encoded_bytes().ends_with(b"/") => {
                return Err(io::ErrorKind::IsADirectory.into());
            }
            Err(_) => true,
        };
        // What is behind a descriptor is not to be replaced.
        if !is_file || is_descriptor(path) {
            return Ok(Self::Other(File::options().append(true).open(path)?));
        }
        // Nor is a link: what it leads to is.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        beside(&path)?;
        Ok(Self::File(path))
    }

    /// Whether what was written can be replaced by more: else it is written once, at the end.
    pub(crate) fn can_be_replaced(&self) -> bool {
        matches!(self, Self::File(_))
    }

    /// Writes all of it, or nothing.
    pub(crate) fn write(&self, text: &str) -> io::Result<()> {
        even_if_unread(match self {
            Self::Stdout => io::stdout().write_all(text.as_bytes()),
            Self::Other(file) => (&*file).write_all(text.as_bytes()),
            Self::File(path) => {
                let mut file = beside(path)?;
                file.write_all(text.as_bytes())?;
                file.persist(path).map(drop).map_err(|error| error.error)
            }
        })
    }
}

/// A temporary file in the directory of `path`, from where it can be renamed to it.
fn beside(path: &Path) -> io::Result<tempfile::NamedTempFile> {
    let directory = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    // Made by ourselves: readable as any new file, and an error tells only what the kernel says, not
    // the temporary file's name, which means nothing to anybody.
    tempfile::Builder::new().make_in(directory, |path| File::create_new(path))
}
