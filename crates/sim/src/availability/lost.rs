//! What a [`Model`] loses in closed form, by what makes it fail.
//!
//! All repairs go on side by side, so tasks that fail alone are down independently of each other. Whatever
//! a repair takes, a task is down for `λm / (1 + λm)` of a long run, `m` being the mean; and of that, for
//! longer than `w` before or after any moment, for `∫ S(t) dt / m` from `w` on, `S(t)` being the chance that
//! a repair takes longer than `t` (the residual life of renewal theory). What fails from the age `w` of an
//! outage on does while enough tasks to make one have been down for `w`; requests that wait for its end for
//! `w` are as many as those of its first `w`.

use super::{Deployments, Model, Repair};

/// Shares of all requests.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lost {
    /// Too many tasks are down, each by a cause of its own.
    pub alone: f64,
    /// One cause took all.
    pub together: f64,
    /// A deployment has left too few of those that did not fail.
    pub deployments: f64,
}

/// Between two edges, where what is summed up is smooth.
const PIECES: u32 = 100;

// === impl Model ===

impl Model {
    /// As long as all repairs go on side by side, exact for tasks that fail alone. Common causes and
    /// deployments do not meet each other.
    pub fn lost(&self) -> Lost {
        let mean = self.repair.mean();
        let down = self.failure_rate * mean / (1.0 + self.failure_rate * mean);
        // The chance that a task is down for so long, and not for longer than that.
        let since = |age, start| {
            down * (self.repair.beyond(age) - self.repair.beyond(start)).max(0.0) / mean
        };
        let all_up = libm::pow(1.0 - down, f64::from(self.tasks));
        let deployments = self.deployments.map_or(0.0, |Deployments { rate, seconds, .. }| {
            let lost = |at| self.too_few(self.left(), at, |age| since(age, at));
            self.over(&[seconds], lost) / (1.0 / (rate * all_up) + seconds)
        });
        // Those that are down already come back sooner, and each is of a kind of its own.
        let still = |kind: &Repair, at: f64| {
            (1.0 - down) * kind.lasts(at) + down * self.repair.beyond(at) / mean
        };
        let outage = |kind: Repair| -> f64 {
            self.over(&self.repair.edges(), |at| self.too_few(self.tasks, at, |_| still(&kind, at)))
        };
        let kinds = self.repair.kinds().map(|(share, kind)| share * outage(kind));
        let together = self.common_rate * kinds.iter().sum::<f64>();
        Lost {
            alone: self.too_few(self.tasks, f64::INFINITY, |age| since(age, f64::INFINITY)),
            // None finds all up while all are down.
            together: together / (1.0 + together),
            deployments,
        }
    }

    /// The share of requests that fail `at` so many seconds of what takes tasks away, if each of `count` is
    /// down for longer than an age with that chance.
    fn too_few(&self, count: u32, at: f64, chance: impl Fn(f64) -> f64) -> f64 {
        let (mut ways, mut lost) = (1.0, 0.0);
        for up in 0..self.needed.min(count + 1) {
            let [ups, downs] = [up, count - up].map(f64::from);
            for (share, age) in self.loss.parts(up, self.tasks) {
                if share != 0.0 && age <= at {
                    let down = chance(age);
                    lost += share * ways * libm::pow(down, downs) * libm::pow(1.0 - down, ups);
                }
            }
            ways *= downs / (ups + 1.0);
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
