//! What a [`Model`] loses in closed form, by what makes it fail.
//!
//! All repairs go on side by side, so tasks that fail alone are down independently of each other. Whatever
//! a repair takes, a task is down for `λm / (1 + λm)` of a long run, `m` being the mean; and of that, for
//! longer than `w` before or after any moment, for `∫ S(t) dt / m` from `w` on, `S(t)` being the chance that
//! a repair takes longer than `t` (the residual life of renewal theory). What fails from the age `w` of an
//! outage on does while enough tasks to make one have been down for `w`; requests that wait for its end for
//! `w` are as many as those of its first `w`.

use super::{Cause, Deployments, Members, Model, Place, Repair};

/// Shares of all requests.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lost {
    /// Too many tasks are down, each by a cause of its own.
    pub alone: f64,
    /// One cause took all.
    pub together: f64,
    /// One took those of a zone.
    pub zones: f64,
    /// One took those of a machine.
    pub machines: f64,
    /// A deployment has left too few of those that did not fail.
    pub deployments: f64,
}

/// What is no likelier than that adds nothing to what is.
const NEVER: f64 = 1e-40;

/// Between two edges, where what is summed up is smooth.
const PIECES: u32 = 100;

// === impl Model ===

impl Model {
    /// As long as all repairs go on side by side, exact for tasks that fail alone. Common causes do not meet each
    /// other, nor a deployment that leaves too few.
    pub fn lost(&self) -> Lost {
        let deployments = self.deployments.map_or(0.0, |Deployments { rate, seconds, .. }| {
            let lost = |at| self.too_few(at, (0, 0.0), &(self.left(), |age| self.since(age, at)));
            self.over(&[seconds], lost) / (self.until_deployed(rate) + seconds)
        });
        let long = f64::INFINITY;
        Lost {
            alone: self.too_few(long, (0, 0.0), &(self.tasks, |age| self.since(age, long))),
            together: self.together(Place::Everywhere),
            zones: self.together(Place::Zone),
            machines: self.together(Place::Machine),
            deployments,
        }
    }

    /// The chance that a task is down by a cause of its own.
    fn down(&self) -> f64 {
        let mean = self.failure_rate * self.repair.mean();
        mean / (1.0 + mean)
    }

    /// The chance that it is for so long, and not for longer than that.
    fn since(&self, age: f64, start: f64) -> f64 {
        let share = |from| self.repair.beyond(from) / self.repair.mean();
        self.down() * (share(age) - share(start)).max(0.0)
    }

    /// What fails by all causes of a kind. Those that take as many take as much.
    fn together(&self, place: Place) -> f64 {
        let mut known: Vec<((u32, u32), f64)> = Vec::new();
        let of_place = self.causes.iter().filter(|cause| cause.place == place);
        let taken = |cause: &Cause| {
            let alike = (cause.tasks.count(), self.left_and_taken(cause));
            if let Some((_, taken)) = known.iter().find(|(other, _)| *other == alike) {
                return *taken;
            }
            let taken = self.taken(cause);
            known.push((alike, taken));
            taken
        };
        of_place.map(taken).sum()
    }

    /// How many of those that a deployment has left a cause takes.
    fn left_and_taken(&self, cause: &Cause) -> u32 {
        Members::first(self.left()).among(cause.tasks).count()
    }

    /// What fails by one cause, which takes some tasks, while others may be down by causes of their own, or away in a
    /// deployment.
    fn taken(&self, cause: &Cause) -> f64 {
        // Those that are down already come back sooner, and each is of a kind of its own.
        let still = |kind: &Repair, at: f64| {
            (1.0 - self.down()) * kind.lasts(at) + self.since(at, f64::INFINITY)
        };
        let fails = |kind: &Repair, at: f64, count: u32, all: u32| {
            let others = (all - count, |age| self.since(age, f64::INFINITY));
            self.too_few(at, (count, still(kind, at)), &others)
        };
        let (count, left) = (cause.tasks.count(), self.left_and_taken(cause));
        let (share, seconds) = self.deployed();
        let outage = |kind: Repair| -> f64 {
            let lost = |at| {
                let alone = fails(&kind, at, count, self.tasks);
                if share == 0.0 {
                    return alone;
                }
                // It comes at any moment of a deployment, and those that are away come back at its end.
                let goes_on = (1.0 - at / seconds).max(0.0);
                let within = goes_on * fails(&kind, at, left, self.left())
                    + (1.0 - goes_on) * fails(&kind, at, left, self.tasks);
                (1.0 - share) * alone + share * within
            };
            self.over(&[&cause.repair.edges()[..], &[seconds]].concat(), lost)
        };
        let kinds = cause.repair.kinds().map(|(likely, kind)| likely * outage(kind));
        let lost = cause.rate * kinds.iter().sum::<f64>();
        // None finds all up while all are down.
        lost / (1.0 + lost)
    }

    /// The share of time in which a deployment goes on that leaves enough, and how long each does.
    fn deployed(&self) -> (f64, f64) {
        let enough = self.deployments.filter(|_| self.left() >= self.needed);
        enough.map_or((0.0, 0.0), |Deployments { rate, seconds, .. }| {
            (seconds / (self.until_deployed(rate) + seconds), seconds)
        })
    }

    /// From one deployment to the next: none begins while a task is down.
    fn until_deployed(&self, rate: f64) -> f64 {
        1.0 / (rate * libm::pow(1.0 - self.down(), f64::from(self.tasks)))
    }

    /// The share of requests that fail `at` so many seconds of what takes tasks away, if each of those
    /// `taken` is down with that chance, and each of the others for longer than an age.
    fn too_few(&self, at: f64, taken: (u32, f64), others: &(u32, impl Fn(f64) -> f64)) -> f64 {
        let mut lost = 0.0;
        for left in 0..=taken.0 {
            let way = exactly(left, taken.0, taken.1);
            if way < NEVER {
                continue;
            }
            let most_down = others.1(0.0);
            for up in (left..self.needed.min(left + others.0 + 1)).rev() {
                // With fewer than are likeliest up the chance falls, and with an age as well.
                let falls = f64::from(up - left) < f64::from(others.0) * (1.0 - most_down);
                if falls && exactly(up - left, others.0, most_down) < NEVER {
                    break;
                }
                for (share, age) in self.loss.parts(up, self.tasks) {
                    if share != 0.0 && age <= at {
                        lost += share * way * exactly(up - left, others.0, others.1(age));
                    }
                }
            }
        }
        lost
    }

    /// The integral up to the last of `edges`, between which, and the ages of its outages, `of` is smooth.
    fn over(&self, edges: &[f64], of: impl Fn(f64) -> f64) -> f64 {
        let last = edges.iter().copied().fold(0.0, f64::max);
        let ages = self.loss.parts(self.needed - 1, self.tasks).map(|(_, age)| age.min(last));
        let mut all = [&[0.0], edges, &ages].concat();
        all.sort_by(f64::total_cmp);
        all.windows(2).map(|edges| integral(edges[0], edges[1], &of)).sum()
    }
}

/// The chance that just so many of `count` are up, if each is down with that chance.
fn exactly(up: u32, count: u32, down: f64) -> f64 {
    // As many ways as for those that are down.
    let few = up.min(count - up);
    let ways = (0..few).fold(1.0, |ways, n| ways * f64::from(count - n) / f64::from(n + 1));
    ways * libm::pow(down, f64::from(count - up)) * libm::pow(1.0 - down, f64::from(up))
}

/// By the middles of its pieces.
fn integral(from: f64, to: f64, of: impl Fn(f64) -> f64) -> f64 {
    let piece = (to - from) / f64::from(PIECES);
    if piece == 0.0 {
        return 0.0;
    }
    (0..PIECES).map(|n| of(from + (f64::from(n) + 0.5) * piece)).sum::<f64>() * piece
}

#[cfg(test)]
mod tests;
