//! The exact steady state of a [`Model`] whose times are all exponential.

use super::Model;

/// What a model comes to in the long run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Steady {
    /// The share of time in which fewer tasks are up than needed.
    pub unavailability: f64,
    /// The share of requests that fail because of that.
    pub lost: f64,
    /// Outages per second.
    pub outage_rate: f64,
}

/// So many tasks are down, and a deployment goes on or not.
#[derive(Clone, Copy)]
struct State {
    down: u32,
    deploying: bool,
}

// === impl Model ===

impl Model {
    /// The steady state if repairs and deployments took exponential times of the same means. It has
    /// no more error than a few roundings, however rare an outage is.
    pub fn steady(&self) -> Steady {
        let states = self.states();
        let rates = self.rates(&states);
        let shares = solve(rates.clone());
        let up = |state: &State| self.count(*state) - state.down;
        let is_up = |state: &State| up(state) >= self.needed;
        let mut steady = Steady { unavailability: 0.0, lost: 0.0, outage_rate: 0.0 };
        for (from, share) in shares.iter().enumerate() {
            let own = is_up(&states[from]);
            let changes = rates[from].iter().zip(&states).filter(|(_, to)| is_up(to) != own);
            let change: f64 = changes.map(|(rate, _)| rate).sum();
            if own {
                steady.outage_rate += share * change;
                continue;
            }
            steady.unavailability += share;
            // An outage that ends at a constant rate lasts longer than that with this chance.
            let beyond = libm::exp(-self.loss.waiting() * change);
            steady.lost += share * beyond * self.loss.share(up(&states[from]));
        }
        steady
    }

    /// Tasks that are there, up or down.
    fn count(&self, state: State) -> u32 {
        if state.deploying { self.left() } else { self.tasks }
    }

    /// Each can reach one before it.
    fn states(&self) -> Vec<State> {
        let usual = (0..=self.tasks).map(|down| State { down, deploying: false });
        let deploying = (0..=self.left()).map(|down| State { down, deploying: true });
        let deploying = deploying.take_while(|_| self.deployments.is_some());
        usual.chain(deploying).collect()
    }

    /// From each state to each other one, per second.
    fn rates(&self, states: &[State]) -> Vec<Vec<f64>> {
        let mut rates = vec![vec![0.0; states.len()]; states.len()];
        let first_deploying = self.tasks as usize + 1;
        for (at, state) in states.iter().enumerate() {
            let count = self.count(*state);
            let up = f64::from(count - state.down);
            if state.down < count {
                rates[at][at + 1] += up * self.failure_rate;
                rates[at][at + (count - state.down) as usize] += self.common_rate;
            }
            if state.down > 0 {
                rates[at][at - 1] += f64::from(state.down.min(self.crews)) / self.repair.mean();
            }
            if let Some(deployments) = self.deployments {
                if state.deploying {
                    rates[at][state.down as usize] += 1.0 / deployments.seconds;
                } else if state.down == 0 {
                    rates[at][first_deploying] += deployments.rate;
                }
            }
        }
        rates
    }
}

/// The shares of time of each state. Nothing is ever subtracted, so the rarest share is as exact as
/// the largest. Source: Grassmann, Taksar and Heyman, "Regenerative analysis and steady state
/// distributions for Markov chains" (1985).
fn solve(mut rates: Vec<Vec<f64>>) -> Vec<f64> {
    let count = rates.len();
    for last in (1..count).rev() {
        let out: f64 = rates[last][..last].iter().sum();
        for from in 0..last {
            rates[from][last] /= out;
            for to in (0..last).filter(|to| *to != from) {
                let around = rates[from][last] * rates[last][to];
                rates[from][to] += around;
            }
        }
    }
    let mut shares = vec![1.0];
    for state in 1..count {
        let into = rates.iter().map(|rates| rates[state]);
        let share = shares.iter().zip(into).map(|(share, rate)| share * rate).sum();
        shares.push(share);
    }
    let sum: f64 = shares.iter().sum();
    shares.iter().map(|share| share / sum).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::availability::{DAY, Deployments, Group, Loss, Repair};

    const PLAIN: Model = Model {
        tasks: 6,
        needed: 4,
        failure_rate: 1.0 / (30.0 * DAY),
        common_rate: 0.0,
        repair: Repair::Exponential { mean: 120.0 },
        crews: 6,
        deployments: None,
        loss: Loss::ALL,
    };

    fn assert_close(found: f64, expected: f64, error: f64) {
        assert!((found / expected - 1.0).abs() < error, "{found:e}, not {expected:e}");
    }

    #[test]
    fn without_more_it_is_the_closed_form() {
        for crews in [1, 6] {
            let Model { tasks, needed, failure_rate, .. } = PLAIN;
            let group = Group { tasks, needed, failure_rate, repair_rate: 1.0 / 120.0, crews };
            let steady = Model { crews, ..PLAIN }.steady();
            assert_close(steady.unavailability, group.unavailability(), 1e-12);
            assert_close(steady.outage_rate, group.outage_rate(), 1e-12);
        }
    }

    /// One failure in a hundred takes all tasks.
    #[test]
    fn a_common_cause_is_a_floor_that_no_task_lifts() {
        let (alone, common) = (0.99 / (30.0 * DAY), 0.01 / (30.0 * DAY));
        let model = |tasks| Model { tasks, needed: 1, crews: tasks, ..PLAIN };
        let of = |tasks| {
            Model { failure_rate: alone, common_rate: common, ..model(tasks) }
                .steady()
                .unavailability
        };
        // Down until the first of them is back: two are so after half of a mean repair.
        let floor = common * 120.0 / 2.0;
        let independent = Model { failure_rate: alone, ..model(2) }.steady().unavailability;
        assert_close(of(2), floor + independent, 1e-3);
        assert!(of(2) > 100.0 * independent);
        assert!(of(3) > of(2) / 2.0, "the third task buys hardly more than its repair");
    }

    #[test]
    fn a_deployment_that_leaves_too_few_is_an_outage_of_our_own() {
        let deployments = Deployments { rate: 1.0 / DAY, seconds: 86.4, away: 3 };
        let steady = Model { deployments: Some(deployments), ..PLAIN }.steady();
        assert_close(steady.unavailability, 86.4 / (DAY + 86.4), 1e-3);
        // One that leaves just enough adds d · t · P(fail in it).
        let deployments = Deployments { away: 2, ..deployments };
        let steady = Model { deployments: Some(deployments), ..PLAIN }.steady();
        let fail = 4.0 * PLAIN.failure_rate;
        // Until the repair or the end of the deployment, whichever comes first.
        let down = 1.0 / (1.0 / 120.0 + 1.0 / 86.4);
        assert_close(steady.unavailability, 86.4 / DAY * fail * down, 1e-2);
    }

    #[test]
    fn what_is_lost_is_all_the_excess_or_what_does_not_wait() {
        let steady = PLAIN.steady();
        assert_close(steady.lost, steady.unavailability, 1e-12);
        // Nearly always three of four are up then: a quarter of 4 fails, a seventh of 3.5.
        for (demand, share) in [(4.0, 0.25), (3.5, 1.0 / 7.0)] {
            let excess = Model { loss: Loss::Excess { demand }, ..PLAIN }.steady();
            assert_close(excess.lost, steady.unavailability * share, 1e-3);
            assert_close(excess.unavailability, steady.unavailability, 1e-12);
        }
        // The first of two repairs of 120 s ends after 60 s on average.
        let two = Model { tasks: 2, needed: 1, crews: 2, ..PLAIN };
        let waits = Model { loss: Loss::All { waiting: 60.0 }, ..two }.steady();
        assert_close(waits.lost, two.steady().lost * libm::exp(-1.0), 1e-9);
    }
}
