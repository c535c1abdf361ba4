//! The reduced model: what the closed forms of a [`Group`](super::Group) leave out.

use std::fmt;

use super::Members;

/// Tasks that fail alone or together, are repaired, and are deployed anew now and then.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// How many tasks there are: at most [`Members::MOST`].
    pub tasks: u32,
    /// How many of them must be up. At least 1 and at most `tasks`.
    pub needed: u32,
    /// Failures of one task by causes of its own, per second. Times between them are exponential.
    pub failure_rate: f64,
    /// What takes several tasks at once.
    pub causes: Vec<Cause>,
    /// How long the repair of one task takes.
    pub repair: Repair,
    /// Repairs that go on at a time; others wait in order. At least 1.
    pub crews: u32,
    /// Deployments, if they ever leave fewer tasks.
    pub deployments: Option<Deployments>,
    /// What fails while fewer tasks are up than needed.
    pub loss: Loss,
}

/// What takes several tasks at once, if they are up, all in the same way.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cause {
    /// What they have in common. Two causes of one kind differ in which tasks they take alone.
    pub place: Place,
    /// Per second. Times between them are exponential.
    pub rate: f64,
    /// How long the repair of each of them takes.
    pub repair: Repair,
    /// Which tasks it takes.
    pub tasks: Members,
}

/// What tasks have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// All that they are: a cause of all.
    Everywhere,
    /// A zone.
    Zone,
    /// A machine.
    Machine,
}

/// Which requests fail while fewer tasks are up than needed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Loss {
    /// All, but for those of the last seconds of each outage, which wait for its end.
    All {
        /// For so many seconds; zero where nothing waits.
        waiting: f64,
    },
    /// Those beyond what is up: the others are answered as ever, unless all are late.
    Excess {
        /// What comes, in what one task can bear: above 1.
        demand: f64,
        /// So much of it waits, in seconds of one task's work, and is answered in time.
        room: f64,
        /// While no task is up it waits for so many seconds of an outage, and nothing gathers.
        waiting: f64,
        /// If all may be.
        late: Option<Late>,
    },
}

/// All who come are too late, as nothing turns any away in time: during an outage, and after it until all tasks
/// together have worked off what has gathered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Late {
    /// While fewer tasks than that are up.
    pub below: u32,
    /// Who waits longer than so many seconds is late.
    pub patience: f64,
    /// Not more than this gathers, in seconds of one task's work; without end if nothing bounds it.
    pub most: f64,
}

/// A share of all requests that fail from an age of an outage on, in seconds. One that goes on to fail
/// after the outage counts for the second that made it.
pub(super) type Part = (f64, f64);

/// How long a repair takes, in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Repair {
    /// Any time, with this mean.
    Exponential {
        /// The mean.
        mean: f64,
    },
    /// Always as long.
    Constant {
        /// So long.
        seconds: f64,
    },
    /// Any time within a span is as likely.
    Uniform(Span),
    /// Of two kinds of failures one is noticed later: a uniform span for each.
    Mixed {
        /// The share of failures that are of the second kind: 0 to 1.
        share: f64,
        /// The repair of one of the first kind.
        first: Span,
        /// The repair of one of the second kind.
        second: Span,
    },
}

/// The shortest and the longest time, in seconds.
pub type Span = (f64, f64);

/// A deployment takes tasks away, which come back after a fixed time. None begins while a task is
/// down or another deployment goes on, and a failure among the others does not end it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Deployments {
    /// Per second, exponential.
    pub rate: f64,
    /// How long one lasts, in seconds.
    pub seconds: f64,
    /// How many tasks are away in it; at most all.
    pub away: u32,
}

/// What all tasks can bear beyond what comes, in what one can, is hardly ever less: no load is so even.
const LEAST_LEFT: f64 = 0.01;

// === impl Model ===

impl Model {
    /// What it takes for granted, in plain words.
    pub fn assumptions(&self) -> String {
        let Self { repair, crews, .. } = self;
        let mut places =
            self.causes.iter().filter(|cause| cause.rate > 0.0).map(|cause| cause.place);
        let common = match (places.clone().next(), places.any(|place| place != Place::Everywhere)) {
            (None, _) => "nothing fails them together",
            (_, false) => "common causes take all at once",
            (_, true) => "common causes take all, or those of a place, at once",
        };
        let crews = if *crews >= self.tasks {
            "all repairs go on side by side".to_owned()
        } else {
            format!("{crews} at a time")
        };
        format!("failures come at a constant rate and {common}; a repair takes {repair}, {crews}")
    }

    /// Tasks that are there in a deployment.
    pub(super) fn left(&self) -> u32 {
        self.tasks - self.deployments.map_or(0, |deployments| deployments.away)
    }
}

// === impl Loss ===

impl Loss {
    /// All fail.
    pub const ALL: Self = Self::All { waiting: 0.0 };

    /// What fails while so many of all tasks are up, and that is too few.
    pub(super) fn parts(self, up: u32, tasks: u32) -> [Part; 3] {
        const NONE: Part = (0.0, 0.0);
        let [working, all] = [up, tasks].map(f64::from);
        let (demand, room, late) = match self {
            // Those who wait are as many as if the first were spared.
            Self::All { waiting } => return [(1.0, waiting), NONE, NONE],
            Self::Excess { waiting, .. } if up == 0 => return [(1.0, waiting), NONE, NONE],
            Self::Excess { demand, room, .. } => (demand, room, self.late(up)),
        };
        let gathers = demand - working;
        if gathers <= 0.0 {
            return [NONE; 3];
        }
        let Some(Late { patience, most, .. }) = late else {
            return [(gathers / demand, room / gathers), NONE, NONE];
        };
        // Who comes in an outage is late unless it ends in time for all to work off what came before; and for each second
        // of it so many come later on before they have.
        let later = gathers / (all - demand).max(LEAST_LEFT);
        let first = patience * demand / gathers;
        [(1.0 + later, first), (-later, most.max(patience * all) / gathers), NONE]
    }

    /// Seconds of all requests that fail by an outage of that length, in which so many of all tasks are up.
    pub(crate) fn of_outage(self, up: u32, tasks: u32, seconds: f64) -> f64 {
        self.parts(up, tasks).iter().map(|(share, age)| share * (seconds - age).max(0.0)).sum()
    }

    /// How all are late while so many tasks are up, if they are.
    pub(crate) fn late(self, up: u32) -> Option<Late> {
        match self {
            Self::All { .. } => None,
            Self::Excess { late, .. } => late.filter(|late| (1..late.below).contains(&up)),
        }
    }

    /// The same as [`answered`](Self::answered) of those who come first, before anything has gathered.
    pub(crate) fn answered_at_first(self, up: u32) -> f64 {
        self.late(up).map_or_else(|| self.answered(up), |_| 1.0)
    }

    /// The share of requests that are answered as ever while so many tasks are up, and that is too few.
    pub(crate) fn answered(self, up: u32) -> f64 {
        match self {
            Self::Excess { demand, .. } if self.late(up).is_none() => {
                (f64::from(up) / demand).min(1.0)
            }
            Self::All { .. } | Self::Excess { .. } => 0.0,
        }
    }
}

// === impl Repair ===

impl Repair {
    /// The mean, in seconds.
    pub fn mean(&self) -> f64 {
        self.of_spans(|mean| mean, |(low, high)| f64::midpoint(low, high))
    }

    /// Of which kinds a failure may be: the share of each, and the repair of one of it.
    pub(super) fn kinds(&self) -> [(f64, Self); 2] {
        match *self {
            Self::Mixed { share, first, second } => {
                [(1.0 - share, Self::Uniform(first)), (share, Self::Uniform(second))]
            }
            only => [(1.0, only), (0.0, only)],
        }
    }

    /// The chance that one takes longer than that.
    pub(super) fn lasts(&self, time: f64) -> f64 {
        self.of_spans(|mean| libm::exp(-time / mean), |span| 1.0 - before(span, time))
    }

    /// How many seconds one takes beyond that, on average over all.
    pub(super) fn beyond(&self, time: f64) -> f64 {
        let exponential = |mean: f64| mean * libm::exp(-time / mean);
        self.of_spans(exponential, |(low, high)| {
            if time <= low {
                f64::midpoint(low, high) - time
            } else {
                let left = (high - time).max(0.0);
                left * left / (2.0 * (high - low)).max(f64::MIN_POSITIVE)
            }
        })
    }

    /// Times between which [`lasts`](Self::lasts) has no corner, in order; nothing of note is beyond.
    pub(super) fn edges(&self) -> [f64; 4] {
        let mut edges = match *self {
            Self::Exponential { mean } => [0.1, 1.0, 5.0, 30.0].map(|times| times * mean),
            Self::Constant { seconds } => [seconds; 4],
            Self::Uniform((low, high)) => [low, low, high, high],
            Self::Mixed { first, second, .. } => [first.0, first.1, second.0, second.1],
        };
        edges.sort_by(f64::total_cmp);
        edges
    }

    /// What holds for a span, or for an exponential time of some mean; of two spans, on average.
    fn of_spans(&self, exponential: impl Fn(f64) -> f64, of: impl Fn(Span) -> f64) -> f64 {
        match *self {
            Self::Exponential { mean } => exponential(mean),
            Self::Constant { seconds } => of((seconds, seconds)),
            Self::Uniform(span) => of(span),
            Self::Mixed { share, first, second } => (1.0 - share) * of(first) + share * of(second),
        }
    }

    /// The time that belongs to a number drawn from `(0, 1]`.
    pub(super) fn draw(&self, unit: f64) -> f64 {
        match *self {
            // What is left of a number that has told the kind is uniform again.
            Self::Mixed { share, second, .. } if unit <= share => within(second, unit / share),
            Self::Mixed { share, first, .. } => within(first, (unit - share) / (1.0 - share)),
            Self::Uniform(span) => within(span, 1.0 - unit),
            Self::Exponential { mean } => -mean * libm::log1p(unit - 1.0),
            Self::Constant { seconds } => seconds,
        }
    }
}

fn within((low, high): Span, share: f64) -> f64 {
    low + (high - low) * share
}

/// The share of a span that is over by then.
fn before((low, high): Span, by: f64) -> f64 {
    if by >= high { 1.0 } else { ((by - low) / (high - low)).max(0.0) }
}

impl fmt::Display for Repair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exponential { mean } => write!(f, "{mean:.1} s on average, exponentially"),
            Self::Constant { seconds } => write!(f, "{seconds:.1} s"),
            Self::Uniform((low, high)) => write!(f, "{low:.1} to {high:.1} s, evenly"),
            Self::Mixed { share, first, second } => write!(
                f,
                "{:.1} to {:.1} s, and {:.1} to {:.1} s in {:.1} % of the cases",
                first.0,
                first.1,
                second.0,
                second.1,
                share * 100.0
            ),
        }
    }
}
