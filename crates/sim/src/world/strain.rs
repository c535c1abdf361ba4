//! What a task does with more than it likes: what its program alone does not say.

use std::time::Duration;

use seaworthy_core::time::Instant;

/// How a task answers when it has much to do, or is asked for what it cannot give.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Strain {
    /// With so many requests in hand it takes twice as long as with none, with fewer less in a straight
    /// line, and with more five times as long.
    pub slows_at: Option<u32>,
    /// When it has no room for a request, this is the status of its answer.
    pub refuses: Option<(Room, u16)>,
    /// Whatever has this fingerprint is answered with 500.
    pub broken: Option<u64>,
}

/// Room for requests.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Room {
    /// For so many at once.
    AtOnce(u32),
    /// While fewer than so many a second were let in: a mean that forgets by half in 42 s.
    Rate(f64),
}

/// How many a second were let in of late.
#[derive(Clone, Copy, Debug)]
pub(super) struct Meter {
    rate: f64,
    at: Instant,
}

/// The time in seconds in which a [`Meter`] forgets all but 1/e.
const MEMORY: f64 = 60.0;
/// With more than it likes it takes so many times as long.
const OVERLOADED: u32 = 5;

// === impl Strain ===

impl Strain {
    /// How long what takes `work` alone takes beside `in_hand` requests, itself among them.
    pub(super) fn stretch(&self, work: Duration, in_hand: u32) -> Duration {
        match self.slows_at {
            None => work,
            Some(most) if in_hand > most => work * OVERLOADED,
            Some(most) => work + work * in_hand / most,
        }
    }

    /// What is answered in place of `status`, beside `in_hand` requests, this one among them.
    pub(super) fn status(
        &self,
        now: Instant,
        meter: &mut Meter,
        in_hand: u32,
        fingerprint: u64,
        status: u16,
    ) -> u16 {
        if self.broken == Some(fingerprint) {
            return 500;
        }
        match self.refuses {
            Some((Room::AtOnce(most), refusal)) if in_hand > most => refusal,
            Some((Room::Rate(most), refusal)) if !meter.lets_in(now, most) => refusal,
            _ => status,
        }
    }
}

// === impl Meter ===

impl Meter {
    pub(super) const NONE: Self = Self { rate: 0.0, at: Instant::EPOCH };

    /// Whether one more may come, which then counts.
    fn lets_in(&mut self, now: Instant, most: f64) -> bool {
        self.rate *= libm::exp(-now.since(self.at).as_secs_f64() / MEMORY);
        self.at = now;
        let enters = self.rate < most;
        if enters {
            self.rate += 1.0 / MEMORY;
        }
        enters
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_takes_longer_up_to_twice_and_then_five_times() {
        let strain = Strain { slows_at: Some(30), ..Strain::default() };
        let takes = |in_hand| strain.stretch(Duration::from_millis(600), in_hand).as_millis();
        assert_eq!([1, 15, 30, 31].map(takes), [620, 900, 1200, 3000]);
        assert_eq!(Strain::default().stretch(Duration::from_secs(1), 99), Duration::from_secs(1));
    }

    #[test]
    fn who_has_no_room_refuses() {
        let at = |seconds| Instant::EPOCH + Duration::from_secs(seconds);
        let mut meter = Meter::NONE;
        let mut status = |strain: Strain, now, in_hand, fingerprint| {
            strain.status(at(now), &mut meter, in_hand, fingerprint, 200)
        };
        let crowded = Strain { refuses: Some((Room::AtOnce(2), 429)), ..Strain::default() };
        assert_eq!([2, 3].map(|in_hand| status(crowded, 0, in_hand, 1)), [200, 429]);
        let rated = Strain { refuses: Some((Room::Rate(0.025), 429)), ..Strain::default() };
        assert_eq!([0, 0, 0, 100].map(|now| status(rated, now, 1, 1)), [200, 200, 429, 200]);
        let broken = Strain { broken: Some(1), ..Strain::default() };
        assert_eq!([1, 2].map(|fingerprint| status(broken, 0, 1, fingerprint)), [500, 200]);
    }
}
