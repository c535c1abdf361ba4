//! What is to be done: the drill file and the command line, put together and checked.

mod digest;
mod key;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use seaworthy_core::experiment::{Cell, Definition, Drill, Exec, FaultKind, RawDrill, Selection};

use crate::Error;
use crate::shipped;
use digest::digest;
use key::key_at;

/// The drill that runs when none is named.
const USUAL: &str = "report";

/// In a command or in the environment: the run's own directory, which goes away with the run.
const RUN_DIRECTORY: &str = "{run}";

/// What the command line says.
#[derive(Clone, Debug)]
pub struct Options {
    /// The drill file, or the name of one that comes with the program; none for the report's experiment.
    pub file: Option<PathBuf>,
    /// In which world.
    pub mode: Mode,
    /// How many times faster than life; none for what the file says.
    pub scale: Option<u32>,
    /// How often each cell is run.
    pub repeat: u32,
    /// From which all draws come; none for what the file says.
    pub seed: Option<u64>,
    /// Which cells; all if there are none.
    pub cells: Vec<Selection>,
    /// Figures of earlier comparisons, which are held against what is predicted now; nothing is run then.
    pub measured: Vec<PathBuf>,
    /// Where the figures go as JSON; `-` is standard output.
    pub json: Option<PathBuf>,
    /// Only say what would be done.
    pub dry_run: bool,
    /// This very program, which also is the keeper, the agent and the gateway.
    pub program: PathBuf,
}

/// In which world a drill is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// With real processes.
    Live,
    /// In virtual time.
    Simulated,
    /// In both: what is measured is held against what was predicted.
    Compared {
        /// By so many runs it is learnt before how slow this machine is; 0: it is as the model says.
        calibrate: u32,
        /// How often each cell is simulated.
        predict: u32,
    },
}

/// A drill that can be done.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    /// The drill file, for messages.
    pub(crate) file: String,
    /// Of what it has that is run and measured.
    pub(crate) digest: String,
    /// In which world.
    pub(crate) mode: Mode,
    /// As fast as it runs.
    pub(crate) drill: Drill,
    /// How many times faster than life that is.
    pub(crate) scale: u32,
    /// From which all draws come.
    pub(crate) seed: u64,
    /// How often each cell is run.
    pub(crate) repeat: u32,
    /// In the order in which they are run.
    pub(crate) cells: Vec<Cell>,
    /// This very program.
    pub(crate) program: PathBuf,
}

// === impl Job ===

impl Job {
    /// Reads the drill file and checks everything that can be checked before anything is started.
    pub(crate) fn read(options: &Options) -> Result<Self, Error> {
        let (file, text) = read(options.file.as_deref().unwrap_or(Path::new(USUAL)))?;
        let life = parse(&file, &text)?;
        let scale = options.scale.unwrap_or(life.scale);
        life.check_scale(scale).map_err(|source| Error::Scale { file: file.clone(), source })?;
        let cells = select(&life, &options.cells)?;
        if options.mode != Mode::Live {
            let check = |cell: &Cell| seaworthy_sim::cell::check(&life, *cell).map(drop);
            let checked = cells.iter().try_for_each(check);
            checked.map_err(|source| Error::Simulation { file: file.clone(), source })?;
        }
        Ok(Self {
            cells,
            digest: digest(&text),
            mode: options.mode,
            seed: options.seed.unwrap_or_else(|| life.configurations[0].seed()),
            repeat: options.repeat,
            program: options.program.clone(),
            drill: life.faster(scale),
            file,
            scale,
        })
    }

    /// Every cell as often as it is run, with the number of the repetition: in rounds, so that what the machine
    /// does meanwhile is no matter of the cell.
    pub(crate) fn turns(&self) -> impl Iterator<Item = (Cell, u32)> {
        (1..=self.repeat).flat_map(|repeat| self.cells.iter().map(move |cell| (*cell, repeat)))
    }

    /// What is run before the first cell.
    pub(crate) fn prepare(&self) -> &[Vec<String>] {
        if self.mode == Mode::Simulated { &[] } else { &self.drill.prepare }
    }

    /// Puts the run's directory into commands and environment.
    pub(crate) fn settle_in(&mut self, directory: &Path) {
        let directory = directory.display().to_string();
        let put = |word: &mut String| *word = word.replace(RUN_DIRECTORY, &directory);
        self.drill.prepare.iter_mut().flatten().for_each(put);
        let faults = self.drill.schedules.iter_mut().flat_map(|schedule| &mut schedule.faults);
        for fault in faults {
            match &mut fault.kind {
                FaultKind::Exec(Exec { command, proof, heal }) => {
                    let words = command.iter_mut().chain(proof);
                    words.chain(heal.iter_mut().flatten()).for_each(put);
                }
                FaultKind::Deploy {
                    definition: Definition { environment, command, .. }, ..
                } => {
                    let words = command.iter_mut().flatten();
                    words.chain(environment.values_mut()).for_each(put);
                }
                _ => {}
            }
        }
        let fleets = self.drill.configurations.iter_mut().filter_map(|c| c.fleet.as_mut());
        for service in fleets.flat_map(|fleet| &mut fleet.services) {
            service.command.iter_mut().for_each(put);
            service.environment.values_mut().for_each(put);
        }
    }
}

/// The drill of this file, or the one of this name that comes with the program, at life size.
pub fn life_size(path: &Path) -> Result<Drill, Error> {
    let (file, text) = read(path)?;
    parse(&file, &text)
}

/// The name of a drill file for messages, and its text. A name that has come with the program means
/// that file, also where there is another one of this name.
fn read(path: &Path) -> Result<(String, String), Error> {
    let file = path.display().to_string();
    if let Some(text) = shipped::find(&file) {
        return Ok((format!("drills/{file}.toml (built in)"), text.to_owned()));
    }
    match std::fs::read_to_string(path) {
        Ok(text) => Ok((file, text)),
        Err(error) if error.kind() == ErrorKind::NotFound && !file.contains(['/', '.']) => {
            let allowed = shipped::ALL.map(|(name, _)| name).join(", ");
            Err(Error::Unknown { name: file, allowed })
        }
        Err(source) => Err(Error::Read { file, source }),
    }
}

/// A drill at life size.
fn parse(file: &str, text: &str) -> Result<Drill, Error> {
    let raw: RawDrill = toml::from_str(text).map_err(|source| {
        let key = source.span().and_then(|place| key_at(text, &place));
        let see = key.map(|key| format!(", see {key}")).unwrap_or_default();
        Error::Syntax { file: file.to_owned(), see, source: source.into() }
    })?;
    Drill::try_from(raw).map_err(|source| Error::Config { file: file.to_owned(), source })
}

/// The cells meant, each once, in the order of the matrix.
fn select(drill: &Drill, selections: &[Selection]) -> Result<Vec<Cell>, Error> {
    if selections.is_empty() {
        return Ok(drill.cells());
    }
    let mut cells = Vec::new();
    for selection in selections {
        cells.extend(drill.selected(selection).map_err(Error::Cell)?);
    }
    cells.sort_unstable();
    cells.dedup();
    Ok(cells)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The report's experiment, with the run's directory at `/run`.
    pub(crate) fn report() -> Job {
        job(None, &[])
    }

    /// These cells of a drill that comes with the program, with the run's directory at `/run`.
    pub(crate) fn job(name: Option<&str>, cells: &[&str]) -> Job {
        let options = Options {
            file: name.map(PathBuf::from),
            mode: Mode::Live,
            scale: None,
            repeat: 1,
            seed: None,
            cells: cells.iter().map(|cell| cell.parse().unwrap()).collect(),
            measured: Vec::new(),
            json: None,
            dry_run: false,
            program: "/bin/seaworthy".into(),
        };
        let mut job = Job::read(&options).unwrap();
        job.settle_in(Path::new("/run"));
        job
    }

    #[test]
    fn the_built_in_drill_can_be_done_and_knows_its_directory() {
        let job = report();
        assert_eq!((job.scale, job.cells.len()), (10, 12));
        let words = job.drill.configurations[0].services()[0].command.join(" ");
        assert!(words.contains(" /run/"), "{words}");
    }

    #[test]
    fn every_drill_that_comes_with_the_program_can_be_done() {
        let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../../drills");
        assert_eq!(std::fs::read_dir(directory).unwrap().count(), shipped::ALL.len());
        for (name, text) in shipped::ALL {
            let drill = parse(name, text)
                .unwrap_or_else(|error| panic!("{}", crate::error::with_causes(&error)));
            assert_eq!(drill.check_scale(drill.scale), Ok(()), "{}", drill.title);
        }
    }

    #[test]
    fn cells_are_selected_once_and_in_order() {
        let drill = report().drill;
        let names = |selections: &[&str]| {
            let selections: Vec<Selection> =
                selections.iter().map(|selection| selection.parse().unwrap()).collect();
            let cells = select(&drill, &selections)?;
            Ok::<_, Error>(cells.iter().map(|cell| cell.name(&drill)).collect::<Vec<_>>().join(" "))
        };
        assert_eq!(names(&["2/one", "1/all_at_once", "2/one"]).unwrap(), "1/all_at_once 2/one");
        assert_eq!(names(&["2"]).unwrap(), "2/one 2/one_by_one 2/all_at_once");
        let refused = crate::error::with_causes(&names(&["1/two"]).unwrap_err());
        let expected = "--cell: `1/two` names no cell; allowed is one of 1/one, 1/one_by_one, ";
        assert!(refused.starts_with(expected), "{refused}");
    }

    #[test]
    fn a_drill_that_there_is_not_is_refused_with_those_that_there_are() {
        let refused = life_size(Path::new("kill-on")).unwrap_err().to_string();
        assert!(refused.starts_with("kill-on: no such file is here, "), "{refused}");
        assert!(refused.contains("gray-failures, kill-one, memory-leak"), "{refused}");
    }
}
