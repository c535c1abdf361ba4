//! A whole drill: prepare, cell after cell, report; and its end, whatever comes.

use std::panic::resume_unwind;
use std::path::Path;

use seaworthy_agent::clock::now;
use seaworthy_agent::descriptors::make_room;
use seaworthy_agent::processes::{adopt_orphans, end_descendants};
use seaworthy_core::experiment::Cell;
use seaworthy_core::experiment::expectation::Verdict;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::spawn_blocking;

use crate::Error;
use crate::calibration::Calibrating;
use crate::cell::{self, Purpose};
use crate::error::with_causes;
use crate::exec::Runner;
use crate::job::{Job, Mode, Options};
use crate::paper::Paper;
use crate::plan::{Plan, describe};
use crate::recorded;
use crate::report::{self, Results, Row, json};
use crate::simulation;
use crate::view::View;

/// How a drill ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It was only described.
    Described,
    /// It was done, and this is the worst verdict on a cell.
    Judged(Verdict),
    /// Somebody ended it before.
    Interrupted(Interrupt),
}

/// The signal that ended a drill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interrupt {
    /// The terminal is gone.
    Hangup = 1,
    /// Ctrl-C.
    Interrupt = 2,
    /// SIGTERM.
    Terminate = 15,
}

/// The signals that end a drill.
struct Interrupts {
    hangup: Signal,
    interrupt: Signal,
    terminate: Signal,
}

/// Where the figures go, as asked for.
struct Figures<'a> {
    path: &'a Path,
    target: json::Target,
}

/// Does a drill. However it ends, nothing that it started is left running, and its temporary
/// directory is gone.
pub fn run(options: &Options) -> Result<Ending, Error> {
    let job = Job::read(options)?;
    let figures = options.json.as_deref().map(Figures::to).transpose()?;
    let to_stdout = figures.as_ref().is_some_and(|f| matches!(f.target, json::Target::Stdout));
    let paper = if to_stdout { Paper::Error } else { Paper::Out };
    if options.dry_run {
        paper.print(&describe(&job, paper.width())).map_err(Error::Print)?;
        return Ok(Ending::Described);
    }
    let mut results = Results::default();
    let ended = match (job.mode, &options.measured[..]) {
        (Mode::Simulated, _) => simulate(&job, paper, &mut results).map(|()| None),
        (Mode::Compared { predict, .. }, [_, ..]) => {
            recorded::judge(&job, predict, &options.measured, &mut results).map(|()| None)
        }
        (Mode::Live | Mode::Compared { .. }, _) => {
            live(job.clone(), paper, figures.as_ref(), &mut results)
        }
    };
    // However it ended, what was measured is kept.
    let is_something = !results.rows.is_empty() || !results.recorded.is_empty();
    let kept = figures.filter(|_| is_something).map(|figures| figures.write(&job, &results));
    let interrupt = ended?;
    if interrupt.is_none() {
        paper.print(&report::text(&job, &results, paper.width())).map_err(Error::Print)?;
    }
    kept.transpose()?;
    Ok(interrupt
        .map_or_else(|| Ending::Judged(report::verdict(&job, &results)), Ending::Interrupted))
}

/// Every run in virtual time: nothing is started, so that nothing has to be ended.
fn simulate(job: &Job, paper: Paper, results: &mut Results) -> Result<(), Error> {
    for (n, (cell, repeat)) in job.turns().enumerate() {
        let findings = simulation::run(job, cell, cell.seed(job.seed, repeat))?;
        let row = Row { cell, repeat, findings };
        let told = heading(job, n, cell) + "\n" + &report::line(job, &row) + "\n";
        paper.print(&told).map_err(Error::Print)?;
        results.rows.push(row);
    }
    Ok(())
}

/// What is predicted knows nothing of what came of the runs that it is held against: only from which seeds they drew, and
/// what the machine is like.
async fn predict(job: &Job, view: &mut View, results: &mut Results) -> Result<(), Error> {
    let Mode::Compared { predict, .. } = job.mode else { return Ok(()) };
    let cells = job.cells.len();
    let plural = if cells == 1 { "" } else { "s" };
    view.say(&format!("simulates {cells} cell{plural} {predict} times"));
    let (job, days) = (job.clone(), results.days(job));
    let predicted = spawn_blocking(move || simulation::predict(&job, predict, &days));
    let predicted = predicted.await.unwrap_or_else(|error| resume_unwind(error.into_panic()));
    results.predicted = predicted?;
    Ok(())
}

/// Every run with real processes, until the end or a signal.
fn live(
    mut job: Job,
    paper: Paper,
    figures: Option<&Figures<'_>>,
    results: &mut Results,
) -> Result<Option<Interrupt>, Error> {
    // First of all, so that whatever loses its parent comes to us.
    adopt_orphans();
    make_room();
    // It outlives the runtime: what is undone at the very end is still written down in it.
    let directory =
        tempfile::Builder::new().prefix("seaworthy-").tempdir().map_err(Error::Directory)?;
    job.settle_in(directory.path());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Error::Kernel)?;
    let ended = runtime.block_on(async {
        let mut interrupts = Interrupts::watch().map_err(Error::Kernel)?;
        tokio::select! {
            done = all_cells(&job, directory.path(), paper, figures, results) => {
                done.map(|()| None)
            }
            interrupt = interrupts.next() => Ok(Some(interrupt)),
        }
    });
    // Nobody waits for what is still being simulated.
    runtime.shutdown_background();
    // Fleets are ended already; this is for a program of `prepare`.
    end_descendants();
    ended
}

/// Everything that is run in `directory`, one after the other. Each run of a cell adds a row, and to the figures
/// if they can be replaced.
async fn all_cells(
    job: &Job,
    directory: &Path,
    paper: Paper,
    figures: Option<&Figures<'_>>,
    results: &mut Results,
) -> Result<(), Error> {
    let mut view = View::new(paper, &Plan::of(job), now());
    for command in job.prepare() {
        view.say(&format!("prepare: {}", command.join(" ")));
        let runner = Runner::new(job.program.clone(), directory.join("prepare.log"));
        let prepared = runner.run(command).await;
        prepared.map_err(|why| Error::Prepare { file: job.file.clone(), why })?;
    }
    let (mut calibrating, turns) = (Calibrating::of(job, directory), job.turns().count());
    for (n, (cell, repeat)) in job.turns().enumerate() {
        calibrating.catch_up(n, turns, &mut view).await?;
        results.calibration = calibrating.known();
        view.cell(heading(job, n, cell));
        let own = directory.join(format!("cell-{}", n + 1));
        let findings = cell::run(job, cell, repeat, Purpose::Judged, &own, &mut view).await?;
        let row = Row { cell, repeat, findings };
        view.say(&report::line(job, &row));
        results.rows.push(row);
        let figures = figures.filter(|figures| figures.target.can_be_replaced());
        // They are written once more at the end: no reason to measure nothing until then.
        if let Some(Err(error)) = figures.map(|figures| figures.write(job, results)) {
            view.say(&format!("seaworthy: {}", with_causes(&error)));
        }
    }
    calibrating.catch_up(turns, turns, &mut view).await?;
    results.calibration = calibrating.known();
    predict(job, &mut view, results).await
}

/// `[2/12] 1/one  two tasks: one task stopped`
fn heading(job: &Job, n: usize, cell: Cell) -> String {
    let configuration = &job.drill.configurations[cell.configuration].title;
    let schedule = &job.drill.schedules[cell.schedule].title;
    let (name, turns) = (cell.name(&job.drill), job.turns().count());
    format!("[{}/{turns}] {name}  {configuration}: {schedule}", n + 1)
}

// === impl Figures ===

impl<'a> Figures<'a> {
    /// They go to `path`, as far as that can be known.
    fn to(path: &'a Path) -> Result<Self, Error> {
        match json::Target::check(path) {
            Ok(target) => Ok(Self { path, target }),
            Err(source) => Err(Error::Json { path: path.to_owned(), source }),
        }
    }

    fn write(&self, job: &Job, results: &Results) -> Result<(), Error> {
        let written = self.target.write(&json::render(job, results));
        written.map_err(|source| Error::Json { path: self.path.to_owned(), source })
    }
}

// === impl Interrupts ===

impl Interrupts {
    fn watch() -> std::io::Result<Self> {
        Ok(Self {
            hangup: signal(SignalKind::hangup())?,
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) -> Interrupt {
        tokio::select! {
            _ = self.hangup.recv() => Interrupt::Hangup,
            _ = self.interrupt.recv() => Interrupt::Interrupt,
            _ = self.terminate.recv() => Interrupt::Terminate,
        }
    }
}
