//! An open-loop load: when each request is meant to be sent is fixed before the first one is.

use std::ops::Range;
use std::time::Duration;

use serde::Deserialize;

use crate::random::{Stream, draw, unit};

/// The name of the only flow of a load.
pub const ONLY_FLOW: &str = "all";

/// The requests of a drill. The answers have no influence on them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Load {
    /// At least one, each with its own name.
    pub flows: Vec<Flow>,
}

/// Requests of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow {
    /// As in the file; `all` if there is just one.
    pub name: String,
    /// The place of the service they go to. It counts for nothing in a drill with a target.
    pub service: usize,
    /// Requests a second.
    pub rate: u32,
    /// How they are spread.
    pub arrivals: Arrivals,
    /// `GET`, `PUT` or `POST`, all without a body.
    pub method: Method,
    /// What is asked for, each with equal chance. `{user}` is the number of the user.
    pub paths: Vec<String>,
    /// So many users ask in turn, each with its own cookies; none if cookies are not kept.
    pub users: Option<u32>,
    /// Each request is sent so often at most, until there is a right answer. At least 1.
    pub attempts: u32,
    /// When it begins, from the first moment of the load on.
    pub from: Duration,
    /// When it ends; none for the end of the load.
    pub until: Option<Duration>,
}

/// How requests are spread over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Arrivals {
    /// At equal distances.
    Constant,
    /// Each independent of all others.
    Poisson,
}

/// How it is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// `GET`
    #[default]
    Get,
    /// `PUT`
    Put,
    /// `POST`
    Post,
}

// === impl Method ===

impl Method {
    /// As HTTP has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Put => "PUT",
            Self::Post => "POST",
        }
    }
}

/// So long there are more requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spike {
    /// From when to when.
    pub period: Range<Duration>,
    /// So many times as many.
    pub times: u32,
}

/// So many connections of a flow are open before the load begins.
const CONNECTIONS_AT_FIRST: usize = 16;

/// So many requests of a load are under way at once at most, of each flow an equal part: a process can usually have 1,024
/// descriptors. What is beyond it is never sent, and fails.
pub const CONNECTIONS: usize = 900;

/// Before the first request there is so much time at least.
pub const NOTICE: Duration = Duration::from_millis(50);

/// One request of the schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Planned {
    /// When it is meant to be sent, from the first moment of the load.
    pub intended: Duration,
    /// Which of the load's flows.
    pub flow: usize,
    /// Which of the flow's paths.
    pub path: usize,
    /// Whose it is: 1, 2, …; 0 if the flow has no users.
    pub user: u32,
}

// === impl Load ===

impl Load {
    /// The place of the service by which users come in: the first flow's.
    pub fn entry(&self) -> usize {
        self.flows[0].service
    }

    /// Requests a second, of all flows together.
    pub fn rate(&self) -> u32 {
        self.flows.iter().map(|flow| flow.rate).sum()
    }

    /// The mean distance between two requests.
    pub fn spacing(&self) -> Duration {
        Duration::from_secs(1) / self.rate()
    }

    /// The mean distance between two requests of the flow that has the fewest.
    pub fn widest_spacing(&self) -> Duration {
        self.flows.iter().map(Flow::spacing).max().expect("there is at least one")
    }

    /// Every request of a load of `duration`, in order.
    pub fn schedule(&self, seed: u64, duration: Duration) -> Vec<Planned> {
        self.schedule_with(&[], seed, duration)
    }

    /// The same with `spikes`, in order of time and one after the other.
    pub fn schedule_with(&self, spikes: &[Spike], seed: u64, duration: Duration) -> Vec<Planned> {
        let mut all = Vec::new();
        for (n, flow) in self.flows.iter().enumerate() {
            // Flows are independent of each other.
            let seed = if n == 0 { seed } else { draw(seed, Stream::Flows, n as u64) };
            all.extend(flow.schedule(n, spikes, seed, duration));
        }
        all.sort_by_key(|planned| (planned.intended, planned.flow));
        all
    }

    /// The same load `scale` times faster. The rate stays as it is.
    pub(super) fn faster(&mut self, scale: u32) {
        for flow in &mut self.flows {
            flow.from /= scale;
            flow.until.iter_mut().for_each(|until| *until /= scale);
        }
    }
}

// === impl Flow ===

impl Flow {
    /// The mean distance between two requests.
    pub fn spacing(&self) -> Duration {
        Duration::from_secs(1) / self.rate
    }

    /// What is asked for at once before the load begins, so that connections are open by then. `flow` is its
    /// place. A flow that has users, or changes something, is spared: that would be seen in what is measured.
    pub fn warm_up(&self, flow: usize) -> impl Iterator<Item = Planned> + use<> {
        let paths = self.paths.len();
        let harmless = self.method == Method::Get && self.users.is_none();
        let number = 0..if harmless { CONNECTIONS_AT_FIRST } else { 0 };
        let intended = Duration::ZERO;
        number.map(move |number| Planned { intended, flow, path: number % paths, user: 0 })
    }

    /// How long a client waits for the answer to each of its attempts: even shares of the objective's
    /// `latency`. A wrong answer makes it no quicker.
    pub fn patience(&self, latency: Duration) -> Duration {
        latency / self.attempts
    }

    /// When it is active, in a load of `duration`.
    pub fn period(&self, duration: Duration) -> Range<Duration> {
        self.from..self.until.unwrap_or(duration).min(duration)
    }

    fn schedule(
        &self,
        flow: usize,
        spikes: &[Spike],
        seed: u64,
        duration: Duration,
    ) -> Vec<Planned> {
        let spacing = 1e9 / f64::from(self.rate);
        let period = self.period(duration);
        let mut at = 0.0;
        let mut planned = Vec::new();
        for ordinal in 0.. {
            let nanos = match self.arrivals {
                Arrivals::Constant => ordinal as f64 * spacing,
                Arrivals::Poisson => {
                    // An exponential distance; libm's logarithm is the same on every machine.
                    at -= libm::log(1.0 - unit(seed, Stream::Arrivals, ordinal)) * spacing;
                    at
                }
            };
            let intended = through(spikes, period.start, Duration::from_nanos(nanos as u64));
            if intended >= period.end {
                break;
            }
            let path = draw(seed, Stream::Requests, ordinal) % self.paths.len() as u64;
            let user = self.users.map_or(0, |users| (ordinal % u64::from(users)) as u32 + 1);
            planned.push(Planned { intended, flow, path: path as usize, user });
        }
        planned
    }
}

/// When a request comes that without `spikes` would come so long `after` the `start` of its flow: in a
/// spike the load's own time passes so many times as fast.
fn through(spikes: &[Spike], start: Duration, after: Duration) -> Duration {
    let (mut at, mut left) = (start, after);
    for Spike { period, times } in spikes {
        let calm = period.start.saturating_sub(at);
        if left <= calm {
            break;
        }
        (at, left) = (at + calm, left.saturating_sub(calm));
        let within = period.end.saturating_sub(at) * *times;
        if left <= within {
            return at + left / *times;
        }
        (at, left) = (at.max(period.end), left.saturating_sub(within));
    }
    at + left
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(arrivals: Arrivals) -> Flow {
        Flow {
            name: "all".into(),
            service: 0,
            rate: 1000,
            arrivals,
            method: Method::Get,
            paths: vec!["/a".into(), "/b".into()],
            users: None,
            attempts: 1,
            from: Duration::ZERO,
            until: None,
        }
    }

    fn schedule(arrivals: Arrivals, seed: u64) -> Vec<Planned> {
        Load { flows: vec![flow(arrivals)] }.schedule(seed, Duration::from_secs(10))
    }

    #[test]
    fn a_constant_load_is_even_and_a_poisson_load_has_its_rate() {
        let even = schedule(Arrivals::Constant, 1);
        assert_eq!(even.len(), 10_000);
        assert_eq!(even[5].intended, Duration::from_millis(5));
        let random = schedule(Arrivals::Poisson, 1);
        // The count of a Poisson process has a standard deviation of 100 here.
        assert!((9_600..10_400).contains(&random.len()), "{}", random.len());
        assert!(random.is_sorted_by_key(|planned| planned.intended));
        let of_a = random.iter().filter(|planned| planned.path == 0).count();
        assert!((4_700..5_300).contains(&of_a), "{of_a}");
    }

    #[test]
    fn the_same_seed_gives_the_same_schedule() {
        assert_eq!(schedule(Arrivals::Poisson, 7), schedule(Arrivals::Poisson, 7));
        assert_ne!(schedule(Arrivals::Poisson, 7), schedule(Arrivals::Poisson, 8));
    }

    #[test]
    fn in_a_spike_there_are_so_many_times_as_many_and_before_and_after_it_there_are_not() {
        let seconds = Duration::from_secs;
        let spike = |from, until, times| Spike { period: seconds(from)..seconds(until), times };
        let spikes = [spike(2, 4, 3), spike(6, 7, 2)];
        let late = Flow { from: seconds(3), ..flow(Arrivals::Constant) };
        for arrivals in [Arrivals::Constant, Arrivals::Poisson] {
            let load = Load { flows: vec![flow(arrivals), late.clone()] };
            let all = load.schedule_with(&spikes, 1, seconds(9));
            let each = |flow, second: u64| {
                let of = |p: &&Planned| p.flow == flow && p.intended.as_secs() == second;
                all.iter().filter(of).count() as u64
            };
            let rates = [1, 1, 3, 3, 1, 1, 2, 1, 1].map(|times| times * 1000);
            for (second, rate) in (0..).zip(rates) {
                let is = each(0, second);
                // Six standard deviations.
                let off = if arrivals == Arrivals::Poisson { 350 } else { 1 };
                assert!(is.abs_diff(rate) <= off, "{arrivals:?}, second {second}: {is}");
                let rate = if second < 3 { 0 } else { rate };
                assert!(each(1, second).abs_diff(rate) <= 1, "second {second}");
            }
        }
    }

    #[test]
    fn flows_are_woven_together_and_each_has_its_time_and_its_users() {
        let seconds = Duration::from_secs;
        let other = Flow {
            rate: 2,
            users: Some(3),
            from: seconds(1),
            until: Some(seconds(4)),
            ..flow(Arrivals::Constant)
        };
        let load = Load { flows: vec![Flow { rate: 1, ..flow(Arrivals::Constant) }, other] };
        assert_eq!((load.rate(), load.widest_spacing()), (3, seconds(1)));
        let all = load.schedule(1, seconds(5));
        assert!(all.is_sorted_by_key(|planned| planned.intended));
        let of = |flow| all.iter().filter(move |planned| planned.flow == flow);
        assert_eq!((of(0).count(), of(1).count()), (5, 6));
        let users: Vec<_> =
            of(1).map(|planned| (planned.intended.as_millis(), planned.user)).collect();
        let expected = [(1000, 1), (1500, 2), (2000, 3), (2500, 1), (3000, 2), (3500, 3)];
        assert_eq!(users, expected);
    }
}
