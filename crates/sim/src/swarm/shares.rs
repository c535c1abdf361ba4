//! Whether requests are divided as weights and hashes promise.

use std::collections::{BTreeMap, BTreeSet};

use seaworthy_core::balance::Algorithm;
use seaworthy_core::call::{Action, RouteId};
use seaworthy_core::cluster::plan::Revision;
use seaworthy_core::endpoints::TaskId;
use seaworthy_core::fleet::Service;
use seaworthy_core::target_group;

use super::rule::{Kept, Rule};
use super::sometimes::{Reached, Sometimes};
use super::turns::Turns;
use crate::distribution::LN_BILLION;
use crate::world::Said;

type Weights = BTreeMap<Revision, u32>;

/// Who has got the requests of a service. It is told of those that nothing else speaks for: no cookie, no
/// trial, nobody who is too busy.
#[derive(Debug)]
pub(super) struct Shares {
    /// By route; where there are none, those of the endpoints count.
    routes: Vec<Weights>,
    /// Everybody who is in rotation may have what is hashed.
    hashes: bool,
    /// The version of the endpoints that were told last, and their weights.
    version: u64,
    weights: Weights,
    revisions: BTreeMap<TaskId, Revision>,
    /// The task where what is hashed so went last, and who was there then.
    homes: BTreeMap<u64, (TaskId, BTreeSet<TaskId>)>,
    period: Period,
    /// If one is served after the other, and nothing else counts.
    turns: Option<Turns>,
    pub(super) reached: Reached,
}

/// Calls for which the same revisions were there, and the same weights counted.
#[derive(Debug, Default)]
struct Period {
    weights: Weights,
    there: BTreeSet<Revision>,
    calls: u64,
    got: BTreeMap<Revision, u64>,
}

// === impl Shares ===

impl Shares {
    pub(super) fn new(service: &Service) -> Self {
        let balancing = &service.balancing;
        let at_once =
            |algorithm| balancing.algorithm == algorithm && balancing.slow_start.is_zero();
        Self {
            routes: service.call.routes.iter().map(|route| route.weights.clone()).collect(),
            hashes: at_once(Algorithm::ConsistentHash),
            version: 0,
            weights: Weights::new(),
            revisions: BTreeMap::new(),
            homes: BTreeMap::new(),
            period: Period::default(),
            turns: at_once(Algorithm::RoundRobin).then(Turns::default),
            reached: Reached::default(),
        }
    }

    /// Another gateway knows no weights, and draws the same once more.
    pub(super) fn begin_anew(&mut self) {
        (self.version, self.weights, self.period) = (0, Weights::new(), Period::default());
        self.turns = self.turns.take().map(|_| Turns::default());
    }

    /// Whether it matters who gets a request.
    pub(super) fn matter(&self) -> bool {
        self.hashes
            || self.turns.is_some()
            || self.routes.iter().chain([&self.weights]).any(|some| !some.is_empty())
    }

    /// Something was said.
    pub(super) fn hear(&mut self, said: &Said) {
        if let Said::Told(target_group::Input::Endpoints(endpoints)) = said
            && endpoints.version > self.version
        {
            (self.version, self.weights) = (endpoints.version, endpoints.weights.clone());
            self.revisions.extend(endpoints.tasks.iter().map(|one| (one.task, one.revision)));
            self.turns.iter_mut().for_each(|turns| turns.may_be(endpoints.tasks.len()));
        }
        if let (Said::Wanted(target_group::Action::Call(Action::Try { .. })), Some(turns)) =
            (said, &mut self.turns)
        {
            turns.sent();
        }
    }

    /// A call of this route goes to `task` first, while these are `there`.
    pub(super) fn check(
        &mut self,
        route: RouteId,
        affinity: u64,
        there: &BTreeSet<TaskId>,
        task: TaskId,
    ) -> Kept {
        let revisions: BTreeSet<_> =
            there.iter().filter_map(|one| self.revisions.get(one)).copied().collect();
        let of_route = &self.routes[route.0];
        let weights = if of_route.is_empty() { &self.weights } else { of_route };
        if weights.is_empty() || revisions.len() < 2 {
            return self.check_one(affinity, there, task);
        }
        self.reached.add(Sometimes::Weighed);
        if (weights, &revisions) != (&self.period.weights, &self.period.there) {
            let weights = weights.clone();
            self.period = Period { weights, there: revisions, ..Period::default() };
        }
        self.period.check(self.revisions[&task])
    }

    /// Where weights do not matter.
    fn check_one(&mut self, affinity: u64, there: &BTreeSet<TaskId>, task: TaskId) -> Kept {
        if self.hashes {
            return self.check_home(affinity, there, task);
        }
        let wrong = self.turns.as_mut().and_then(|turns| turns.check(there, task));
        wrong.map_or(Ok(()), |what| Err((Rule::Turns, what)))
    }

    fn check_home(&mut self, affinity: u64, there: &BTreeSet<TaskId>, task: TaskId) -> Kept {
        let Some((home, known)) = self.homes.insert(affinity, (task, there.clone())) else {
            return Ok(());
        };
        self.reached.add_if(!there.contains(&home), Sometimes::KeysMoved);
        if task != home && there.contains(&home) && known.contains(&task) {
            let what = format!("{task} got what {home} had, and both were and are there");
            return Err((Rule::Hash, what));
        }
        Ok(())
    }
}

// === impl Period ===

impl Period {
    /// One more call, for a task of this revision. Where no task of a revision is there, any other may have
    /// its calls: so those that are there have their shares at least, each of them and all together.
    fn check(&mut self, revision: Revision) -> Kept {
        self.calls += 1;
        *self.got.entry(revision).or_default() += 1;
        let counts = |(one, weight): &(&Revision, &u32)| **weight > 0 && self.there.contains(one);
        let there: Vec<_> = self.weights.iter().filter(counts).map(|(one, _)| *one).collect();
        let each = there.iter().map(std::slice::from_ref);
        let all = f64::from(self.weights.values().sum::<u32>());
        for these in each.chain([&there[..]]) {
            let weight: u32 = these.iter().map(|one| self.weights[one]).sum();
            let got = these.iter().filter_map(|one| self.got.get(one)).sum();
            if is_too_few(self.calls, got, f64::from(weight) / all) {
                let (calls, weights) = (self.calls, &self.weights);
                let what = format!(
                    "revisions {these:?} got {got} of {calls} calls, and weights are {weights:?}"
                );
                return Err((Rule::Weights, what));
            }
        }
        Ok(())
    }
}

/// Whether that is no chance: of so many draws, each a hit with this `chance`, so few were hits. By chance it is
/// said once in a billion series of draws at most, however often one is asked about.
///
/// Source: Hoeffding, "Probability inequalities for sums of bounded random variables" (1963), theorem 1;
/// summed over all lengths, for the parts `1 / (n + 1)²` add up to less than one.
fn is_too_few(draws: u64, hits: u64, chance: f64) -> bool {
    let (draws, hits) = (draws as f64, hits as f64);
    if hits >= draws * chance {
        return false;
    }
    let part = |share: f64, chance: f64| {
        if share > 0.0 { share * libm::log(share / chance) } else { 0.0 }
    };
    let share = hits / draws;
    let divergence = part(share, chance) + part(1.0 - share, 1.0 - chance);
    draws * divergence > LN_BILLION + 2.0 * libm::log(draws + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_few_is_what_never_comes_by_chance() {
        assert!(!is_too_few(1, 1, 1.0) && is_too_few(1, 0, 1.0), "all is all");
        assert!(!is_too_few(1, 0, 0.999_999));
        // 2^-41 is less than a billionth of 1 / 42².
        assert!(!is_too_few(40, 0, 0.5) && is_too_few(41, 0, 0.5));
        assert!(!is_too_few(1000, 380, 0.5) && is_too_few(1000, 360, 0.5));
        assert!(!is_too_few(1000, 1000, 0.5) && !is_too_few(1000, 0, 0.0));
    }
}
