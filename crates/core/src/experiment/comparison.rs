//! What was predicted of a figure, held against what was measured.

mod interval;

use serde::Serialize;

use super::claim::middle;
use super::expectation::Verdict;
use super::reading::Unit;
pub use interval::FEWEST_PREDICTED;
use interval::{WITHIN, beyond, by_a_model, interval, is_narrow, of_medians};

/// What predicted runs are like.
#[derive(Clone, Copy, Debug)]
pub struct Predicting {
    /// They mean to do what so many measured runs did, one after the other, and then the first one again.
    seeds: usize,
    /// As if it were known by so many runs what machines there may be; none if they are all as their model says.
    known: Option<f64>,
}

/// What a predicted run has in common with others, by a number of each: of what they have in common it is told how much
/// is the machine's, and how much is chance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Role {
    /// Two runs after each other are on one machine.
    pub machine: usize,
    /// Two machines after each other are slow alike.
    pub drift: usize,
    /// They are of the day of this measured run, so that each day has its share of them.
    pub day: usize,
    /// It means to do what this measured run did.
    pub meant: usize,
}

/// Multiples of it, without what is before the point, lie evenly between 0 and 1, however many there are: the golden
/// ratio.
const EVENLY: f64 = 0.618_033_988_749_895;

/// A figure of a cell, or of a flow of it. Of infinite value is what never comes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// In which 95 % of all runs should be; none if none of them has the figure.
    pub predicted: Option<[f64; 2]>,
    /// Each run that has it.
    pub measured: Vec<f64>,
    /// So many runs do not have it, of those predicted and of those measured.
    pub without: [usize; 2],
    /// How many of those measured are as predicted: a run without it, too, where that is no exception.
    pub inside: usize,
    /// Whether the interval is no wider than a quarter of its middle.
    pub narrow: bool,
    /// What a run comes to on the whole; none if no run has it, of those predicted or of those measured.
    pub median: Option<Median>,
}

/// The median of all runs that have a figure.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Median {
    /// In which that of so many runs should be, in 95 of 100 comparisons.
    pub predicted: [f64; 2],
    /// As it was.
    pub measured: f64,
    /// Whether it is there.
    pub inside: bool,
    /// Whether the interval is no wider than a quarter of its middle.
    pub narrow: bool,
}

/// How many values were measured, and how many of them are where they should be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// That were measured.
    pub all: usize,
    /// That are where 95 % of them should be.
    pub inside: usize,
}

// === impl Role ===

impl Role {
    /// Of a run with this number, the first of which is 0, where so many `seeds` are those of measured runs.
    pub fn of(run: usize, seeds: usize) -> Self {
        let drift = run / 4;
        let day = (drift as f64 * EVENLY).fract() * seeds as f64;
        Self { machine: run / 2, drift, day: day as usize, meant: run % seeds }
    }
}

// === impl Predicting ===

impl Predicting {
    /// Of as many runs as were measured on each day, and by how many others it is known what the machine was like then;
    /// none if it is taken to be as its model says. By how many of one day that would be as well known: each day has its
    /// part in the mean, and is as uncertain as the mean of those by which it is known.
    pub fn by(days: &[(usize, Option<usize>)]) -> Self {
        let seeds: usize = days.iter().map(|(runs, _)| runs).sum();
        let variance = |(runs, known): &(usize, Option<usize>)| {
            let share = *runs as f64 / seeds as f64;
            known.map(|known| share * share / known as f64)
        };
        let variance = days.iter().filter_map(variance).reduce(|some, more| some + more);
        Self { seeds, known: variance.map(f64::recip) }
    }
}

// === impl Comparison ===

impl Comparison {
    /// Of what each run has, if it has it, in this unit: `predicted` are as `how` says, each with its [`Role`]. None if no run has the figure.
    pub fn of(
        predicted: &[Option<f64>],
        measured: &[Option<f64>],
        how: Predicting,
        unit: Unit,
    ) -> Option<Self> {
        let (values, never) = parted(predicted);
        let (measured, without) = parted(measured);
        if values.is_empty() && measured.is_empty() {
            return None;
        }
        // Runs without it are among those that are left out, unless they are too many for that.
        let left_out = 2 * beyond(predicted.len());
        let is_exception = never <= left_out;
        let at_each_end = if is_exception { (left_out - never) / 2 } else { beyond(values.len()) };
        let ends = interval(values.clone(), at_each_end).map(|ends| by_a_model(ends, unit));
        let is_inside =
            |value: &&f64| ends.is_some_and(|[low, high]| (low..=high).contains(*value));
        let as_predicted = if is_exception { 0 } else { without };
        Some(Self {
            inside: measured.iter().filter(is_inside).count() + as_predicted,
            narrow: ends.is_some_and(is_narrow),
            median: Median::of(predicted, &measured, how, unit),
            predicted: ends,
            measured,
            without: [never, without],
        })
    }

    /// How many were measured, with and without it.
    pub fn runs(&self) -> usize {
        self.measured.len() + self.without[1]
    }
}

/// The values of those that have one, and how many have none.
fn parted(all: &[Option<f64>]) -> (Vec<f64>, usize) {
    let values: Vec<f64> = all.iter().copied().flatten().collect();
    let without = all.len() - values.len();
    (values, without)
}

// === impl Median ===

impl Median {
    /// See [`of_medians`].
    fn of(
        predicted: &[Option<f64>],
        measured: &[f64],
        how: Predicting,
        unit: Unit,
    ) -> Option<Self> {
        let ends = of_medians(predicted, measured.len(), how)?;
        let predicted @ [low, high] = by_a_model(ends, unit);
        let measured = middle(measured.to_vec())?;
        let inside = (low..=high).contains(&measured);
        Some(Self { predicted, measured, inside, narrow: is_narrow(predicted) })
    }
}

// === impl Count ===

impl Count {
    /// Of all figures.
    pub fn of<'a>(all: impl Iterator<Item = &'a Comparison>) -> Self {
        all.fold(Self::default(), |so_far, one| Self {
            all: so_far.all + one.runs(),
            inside: so_far.inside + one.inside,
        })
    }

    /// What it makes of a drill: INVALID if nothing was measured.
    pub fn verdict(self) -> Verdict {
        match self {
            Self { all: 0, .. } => Verdict::Invalid,
            Self { all, inside } if inside as f64 >= all as f64 * WITHIN => Verdict::AsExpected,
            Self { .. } => Verdict::Deviates,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOW: Predicting = Predicting { seeds: 1, known: None };

    /// Of forty predicted runs with the values 1 to 40, but for the last few, which have none.
    fn compared(never: usize, measured: &[Option<f64>]) -> Comparison {
        let value = |n: usize| (n <= 40 - never).then_some(n as f64);
        let predicted: Vec<_> = (1..=40).map(value).collect();
        Comparison::of(&predicted, measured, HOW, Unit::Time).unwrap()
    }

    /// Two days are known by as many as both together, if each counts for as much as is known of it.
    #[test]
    fn a_day_of_which_little_is_known_makes_all_uncertain() {
        let known = |days: &[_]| Predicting::by(days).known.map(|known| (known * 10.0).round());
        assert_eq!(known(&[(20, Some(40))]), Some(400.0));
        assert_eq!(known(&[(20, Some(40)), (10, Some(20))]), Some(600.0));
        assert_eq!(known(&[(20, Some(40)), (20, Some(3))]), Some(112.0));
        assert_eq!(known(&[(20, None), (20, None)]), None);
        assert_eq!(Predicting::by(&[(20, None), (5, Some(9))]).seeds, 25);
    }

    #[test]
    fn each_day_has_its_share_of_the_predicted_runs() {
        let of_the_first = |runs| (0..runs).filter(|run| Role::of(*run, 40).day < 10).count();
        assert!((90..=110).contains(&of_the_first(400)), "{}", of_the_first(400));
        assert!((0..400).all(|run| Role::of(run, 40).day == Role::of(run / 4 * 4, 40).day));
    }

    #[test]
    fn a_run_is_inside_or_not() {
        let of = compared(0, &[Some(0.5), Some(1.0), Some(40.0), Some(41.0), None]);
        assert_eq!((of.predicted, of.inside, of.runs()), (Some([0.99, 40.4]), 2, 5));
        assert_eq!((of.without, of.narrow), ([0, 1], false));
        let told = of.median.unwrap();
        assert_eq!((told.measured, told.inside), (20.5, true));
    }

    /// As few as are left out of an interval are an exception.
    #[test]
    fn to_have_no_figure_is_as_predicted_if_that_is_no_exception() {
        assert_eq!(compared(0, &[None, None]).inside, 0);
        assert_eq!(compared(4, &[None, None]).inside, 2);
        assert_eq!(Comparison::of(&[None; 40], &[None; 20], HOW, Unit::Time), None);
        let never = Comparison::of(&[None; 40], &[Some(1.0), None], HOW, Unit::Time).unwrap();
        assert_eq!((never.predicted, never.inside, never.median), (None, 1, None));
    }

    #[test]
    fn a_drill_is_as_expected_if_95_percent_are_inside() {
        let verdict = |inside, all| Count { all, inside }.verdict();
        assert_eq!(verdict(19, 20), Verdict::AsExpected);
        assert_eq!(verdict(18, 20), Verdict::Deviates);
        assert_eq!(verdict(0, 0), Verdict::Invalid);
        let all = [compared(0, &[Some(1.0), None]), compared(4, &[Some(1.0), None])];
        assert_eq!(Count::of(all.iter()), Count { all: 4, inside: 3 });
    }
}
