//! One configuration put through one schedule, and which seed it draws from.

use std::fmt;
use std::str::FromStr;

use super::Drill;
use crate::random::{Stream, draw};

/// A cell of a drill's matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cell {
    /// Index of the configuration.
    pub configuration: usize,
    /// Index of the schedule.
    pub schedule: usize,
}

/// A cell, or a row of cells, as people name it: `1/one_by_one`, `2`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// Counted from 1.
    configuration: usize,
    schedule: Option<String>,
}

/// What a selection looks like.
const HOW_WRITTEN: &str = "the number of a configuration, and the name of a schedule after a slash: \"2\", \"1/one_by_one\"";

/// What is wrong with the name of a cell.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{name}` names no cell; allowed is {allowed}")]
pub struct NotACell {
    name: String,
    allowed: String,
}

// === impl Drill ===

impl Drill {
    /// Every cell, row by row.
    pub fn cells(&self) -> Vec<Cell> {
        let row = |configuration| {
            (0..self.schedules.len()).map(move |schedule| Cell { configuration, schedule })
        };
        (0..self.configurations.len()).flat_map(row).collect()
    }

    /// The cells that were selected; an error if there is none.
    pub fn selected(&self, selection: &Selection) -> Result<Vec<Cell>, NotACell> {
        let meant = |cell: &Cell| {
            let name = &self.schedules[cell.schedule].name;
            cell.configuration + 1 == selection.configuration
                && selection.schedule.as_ref().is_none_or(|schedule| schedule == name)
        };
        let cells: Vec<Cell> = self.cells().into_iter().filter(meant).collect();
        if cells.is_empty() {
            let names: Vec<String> = self.cells().iter().map(|cell| cell.name(self)).collect();
            let allowed = format!("one of {}, or a number alone for all with it", names.join(", "));
            return Err(NotACell { name: selection.to_string(), allowed });
        }
        Ok(cells)
    }
}

// === impl Cell ===

impl Cell {
    /// The seed of this cell's fleet and load in its `repeat`-th repetition.
    ///
    /// Each cell and each repetition draws its own provisioning times, so that a matrix shows more
    /// than one draw. The seed is a chain of draws: `seed`, configuration, schedule, repetition.
    pub fn seed(self, seed: u64, repeat: u32) -> u64 {
        [self.configuration as u64, self.schedule as u64, repeat.into()]
            .into_iter()
            .fold(seed, |seed, step| draw(seed, Stream::Provisioning, step))
    }

    /// As people name it: `1/one_by_one`.
    pub fn name(self, drill: &Drill) -> String {
        format!("{}/{}", self.configuration + 1, drill.schedules[self.schedule].name)
    }
}

// === impl Selection ===

impl FromStr for Selection {
    type Err = NotACell;

    fn from_str(text: &str) -> Result<Self, NotACell> {
        let (configuration, schedule) = match text.split_once('/') {
            Some((configuration, schedule)) => (configuration, Some(schedule.to_owned())),
            None => (text, None),
        };
        match configuration.parse() {
            Ok(configuration @ 1..) => Ok(Self { configuration, schedule }),
            _ => Err(NotACell { name: text.to_owned(), allowed: HOW_WRITTEN.to_owned() }),
        }
    }
}

impl fmt::Display for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.configuration)?;
        self.schedule.iter().try_for_each(|schedule| write!(f, "/{schedule}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cell_and_each_repetition_has_its_own_seed() {
        let cell = |configuration, schedule| Cell { configuration, schedule };
        let mut seeds = vec![cell(0, 0).seed(1, 1), cell(0, 0).seed(1, 2), cell(0, 0).seed(2, 1)];
        seeds.extend([cell(1, 0).seed(1, 1), cell(0, 1).seed(1, 1)]);
        assert_eq!(seeds[0], cell(0, 0).seed(1, 1));
        seeds.sort_unstable();
        seeds.dedup();
        assert_eq!(seeds.len(), 5);
    }

    #[test]
    fn a_selection_is_written_as_it_is_read() {
        for name in ["1", "2/one_by_one"] {
            assert_eq!(name.parse::<Selection>().map(|s| s.to_string()).as_deref(), Ok(name));
        }
        for wrong in ["", "0", "-1", "one", "/one", "x/one"] {
            let refused = wrong.parse::<Selection>().unwrap_err().to_string();
            assert_eq!(refused, format!("`{wrong}` names no cell; allowed is {HOW_WRITTEN}"));
        }
    }
}
