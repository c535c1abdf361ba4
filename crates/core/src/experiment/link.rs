//! What is done to the link between the callers of a service and the service, which need not help.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::fleet::written::{Share, as_written};
use crate::random::{Stream, unit};

/// Of the requests that come to a link more than these are counted and not kept.
pub const MOST_ARRIVALS: usize = 10_000_000;

/// By which it is drawn whom the faults of the link to the service at `place` meet.
pub fn seed_of(seed: u64, place: usize) -> u64 {
    seed.wrapping_add(place as u64)
}

/// Something bad, done on purpose to a link. A link passes bytes on, so this is all it can do:
/// what a network does to packets (loss, reordering) is out of its reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum LinkFault {
    /// Every piece of an answer is held for so long.
    Latency(#[serde(with = "as_written")] Duration),
    /// The link answers some requests itself, and they do not reach the service.
    Errors {
        /// With this status, one of 400 to 599;
        status: u16,
        /// so large a share of them.
        share: Share,
    },
    /// Some connections are reset by a request.
    Resets {
        /// So large a share of the requests.
        share: Share,
    },
    /// Of each answer the head and half of what is there with it is passed on; then the connection
    /// is closed. An answer that ends with its connection only looks shorter.
    HalfAnswers,
    /// Some requests are taken and not passed on as long as the fault lasts; then they are.
    Stalls {
        /// So large a share of them.
        share: Share,
    },
}

// === impl LinkFault ===

impl LinkFault {
    /// Whether the fault meets the `ordinal`-th request of a link. Faults of different kinds are
    /// drawn independently; of two of one kind, the larger share includes the smaller.
    pub fn meets(&self, seed: u64, ordinal: u64) -> bool {
        let (kind, share) = match *self {
            Self::Latency(_) | Self::HalfAnswers => return true,
            Self::Errors { share, .. } => (0, share),
            Self::Resets { share } => (1, share),
            Self::Stalls { share } => (2, share),
        };
        unit(seed, Stream::Link, ordinal * 3 + kind) < share.as_f64()
    }

    /// Which of the faults that are on, the earliest first, a request is met by: at most one.
    /// Latency is not among them: it is for answers, whatever becomes of the request.
    pub fn first_to_meet<K>(
        on: impl IntoIterator<Item = (K, Self)>,
        seed: u64,
        ordinal: u64,
    ) -> Option<(K, Self)> {
        on.into_iter()
            .filter(|(_, fault)| !matches!(fault, Self::Latency(_)))
            .find(|(_, fault)| fault.meets(seed, ordinal))
    }

    /// How long a piece of an answer is held by the faults that are on: what they ask for together.
    pub fn latency(on: impl IntoIterator<Item = Self>) -> Duration {
        on.into_iter().fold(Duration::ZERO, |sum, fault| match fault {
            Self::Latency(latency) => sum.saturating_add(latency),
            _ => sum,
        })
    }
}

/// `latency of 30s`, `500 for 20 % of the requests`, `resets of 5 % of the requests`
impl fmt::Display for LinkFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latency(latency) => write!(f, "latency of {latency:?}"),
            Self::Errors { status, share } => write!(f, "{status} for {share} of the requests"),
            Self::Resets { share } => write!(f, "resets of {share} of the requests"),
            Self::HalfAnswers => write!(f, "half answers"),
            Self::Stalls { share } => write!(f, "stalls of {share} of the requests"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(written: &str) -> Share {
        toml::Value::from(written).try_into().unwrap()
    }

    fn faults(written: &str) -> [LinkFault; 3] {
        let share = share(written);
        [
            LinkFault::Errors { status: 500, share },
            LinkFault::Resets { share },
            LinkFault::Stalls { share },
        ]
    }

    fn met(fault: LinkFault, seed: u64) -> Vec<u64> {
        (0..10_000).filter(|ordinal| fault.meets(seed, *ordinal)).collect()
    }

    #[test]
    fn a_share_of_the_requests_is_met_and_always_the_same_ones() {
        for fault in faults("20%") {
            let requests = met(fault, 7);
            assert!((1_900..2_100).contains(&requests.len()), "{fault}: {}", requests.len());
            assert_eq!(requests, met(fault, 7));
            assert_ne!(requests, met(fault, 8));
        }
        assert!(faults("0%").iter().all(|fault| met(*fault, 7).is_empty()));
        assert!(faults("100%").iter().all(|fault| met(*fault, 7).len() == 10_000));
        assert_eq!(met(LinkFault::Latency(Duration::from_secs(1)), 7).len(), 10_000);
    }

    /// Otherwise a drill with resets and stalls of the same share would see no stalls.
    #[test]
    fn kinds_are_independent_and_within_a_kind_the_larger_share_includes_the_smaller() {
        let [_, resets, stalls] = faults("20%").map(|fault| met(fault, 7));
        let both = stalls.iter().filter(|request| resets.contains(request)).count();
        assert!((300..500).contains(&both), "{both} of about 2000 are met by both");
        let [_, few, _] = faults("5%").map(|fault| met(fault, 7));
        assert!(few.iter().all(|request| resets.contains(request)));
    }

    #[test]
    fn the_earliest_that_meets_a_request_has_it_and_latencies_add_up() {
        let [errors, resets, _] = faults("100%");
        let never = LinkFault::Stalls { share: share("0%") };
        let [one, two] = [1, 2].map(Duration::from_secs).map(LinkFault::Latency);
        let on = [one, never, resets, two, errors];
        assert_eq!(LinkFault::first_to_meet((0..).zip(on), 7, 0), Some((2, resets)));
        assert_eq!(LinkFault::first_to_meet([((), one)], 7, 0), None);
        assert_eq!(LinkFault::latency(on), Duration::from_secs(3));
        assert_eq!(LinkFault::latency([errors]), Duration::ZERO);
    }

    #[test]
    fn each_is_named_for_what_it_is() {
        let [errors, resets, stalls] = faults("0.5%").map(|fault| fault.to_string());
        assert_eq!(errors, "500 for 0.5 % of the requests");
        assert_eq!(resets, "resets of 0.5 % of the requests");
        assert_eq!(stalls, "stalls of 0.5 % of the requests");
        let latency = LinkFault::Latency(Duration::from_secs(30));
        assert_eq!(latency.to_string(), "latency of 30s");
    }
}
