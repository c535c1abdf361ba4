//! Draws that matter to a story, by seed and ordinal: the live system and a simulator draw the same.

use std::time::Duration;

/// Which story a draw belongs to; keeps the draws of different purposes apart under one seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// How long a task is provisioned before its process starts.
    Provisioning,
    /// The moments at which a load sends its requests.
    Arrivals,
    /// Which of the load's requests is sent.
    Requests,
    /// How much of a breaker's open time is taken off.
    OpenTime,
    /// How much of the pause before a retry is taken off.
    Pause,
    /// Which requests on a link are met by a fault.
    Link,
    /// The seed of each further flow of a load.
    Flows,
    /// The ids of requests.
    Ids,
    /// Which task gets a request, where that is drawn.
    Balance,
    /// Which task's number is best for an affinity.
    Affinity,
    /// Which revision gets a call.
    Revisions,
    /// Failures and repairs of the reduced model of availability.
    Availability,
    /// How long a simulated task takes for a request.
    Service,
    /// How long a simulated process takes until it listens.
    Start,
    /// What becomes of a message on a simulated network.
    Network,
    /// What a scenario of a swarm is.
    Scenario,
    /// How late a simulated machine is, and how slow.
    Machine,
    /// What came to the scenarios of a swarm later: over which zones its services are spread, and all that is drawn
    /// after that.
    Zones,
    /// Which machine a simulated run is on.
    Machines,
    /// For how long a simulated machine stands still each time.
    Standstills,
    /// How slow several simulated machines are alike.
    Drift,
}

/// The `ordinal`-th number of `stream` under `seed`, uniform over all 64-bit numbers.
///
/// A hash, not a generator: any draw can be repeated without those before it. The mixing function
/// is `SplitMix64` (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
pub fn draw(seed: u64, stream: Stream, ordinal: u64) -> u64 {
    mix(mix(mix(seed).wrapping_add(stream as u64)).wrapping_add(ordinal))
}

/// A number in `[0, 1)` with 53 random bits.
pub fn unit(seed: u64, stream: Stream, ordinal: u64) -> f64 {
    (draw(seed, stream, ordinal) >> 11) as f64 / (1u64 << 53) as f64
}

/// A duration between `shortest` and `longest`, both included.
pub fn duration_between(
    shortest: Duration,
    longest: Duration,
    seed: u64,
    stream: Stream,
    ordinal: u64,
) -> Duration {
    let span = longest.saturating_sub(shortest).as_nanos().min(u64::MAX.into());
    let part = (u128::from(draw(seed, stream, ordinal)) * (span + 1)) >> 64;
    shortest + Duration::from_nanos(u64::try_from(part).unwrap_or(u64::MAX))
}

/// A number for these bytes, on any machine the same: FNV-1a. What it does not mix, a draw that it seeds does.
pub fn hash(bytes: &[u8]) -> u64 {
    let add = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, add)
}

/// Which of these weights `drawn`, uniform over all 64-bit numbers, falls on; none if all are zero.
pub(crate) fn by_weight(drawn: u64, weights: impl Iterator<Item = u64> + Clone) -> Option<usize> {
    let mut left = below(drawn, weights.clone().sum());
    let hit = |weight: u64| {
        let hit = left < weight;
        left = left.saturating_sub(weight);
        hit
    };
    weights.map(hit).position(|hit| hit)
}

/// What `drawn`, uniform over all 64-bit numbers, is below `bound`.
pub(crate) fn below(drawn: u64, bound: u64) -> u64 {
    ((u128::from(drawn) * u128::from(bound)) >> 64) as u64
}

fn mix(number: u64) -> u64 {
    let z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_stay_within_bounds_and_reach_both_halves() {
        let (low, high) = (Duration::from_secs(60), Duration::from_secs(90));
        let draws: Vec<_> =
            (0..1000).map(|n| duration_between(low, high, 7, Stream::Provisioning, n)).collect();
        assert!(draws.iter().all(|d| (low..=high).contains(d)));
        let upper_half = draws.iter().filter(|d| **d > Duration::from_secs(75)).count();
        assert!((430..570).contains(&upper_half), "{upper_half} of 1000 in the upper half");
        assert_eq!(duration_between(low, low, 7, Stream::Provisioning, 3), low);
        assert!(duration_between(low, Duration::MAX, 7, Stream::Provisioning, 3) > low);
    }

    #[test]
    fn a_draw_is_fixed_by_seed_stream_and_ordinal() {
        assert_eq!(draw(1, Stream::Arrivals, 2), draw(1, Stream::Arrivals, 2));
        assert_ne!(draw(1, Stream::Arrivals, 2), draw(1, Stream::Arrivals, 3));
        assert_ne!(draw(1, Stream::Arrivals, 2), draw(2, Stream::Arrivals, 2));
        assert_ne!(draw(1, Stream::Arrivals, 2), draw(1, Stream::Requests, 2));
    }
}
