//! The requests of one service.

use std::time::Duration;

use seaworthy_core::random::{Stream, draw};
use seaworthy_core::time::Instant;

use super::scenario::Member;
use crate::distribution::{Dice, Distribution};
use crate::world::Arrival;

/// So many different things are asked for,
const THINGS: u32 = 20;
/// and those of them from this one on are orders.
const ORDERS: u32 = 15;
/// So many users ask for them.
const USERS: u32 = 10;
/// When all is mended, a request comes so often.
pub(super) const CALMLY: Duration = Duration::from_millis(250);

/// The requests of one service: at random moments, and calmly once all is mended.
#[derive(Debug)]
pub(super) struct Load {
    pub(super) place: usize,
    /// When the next one comes.
    pub(super) next: Instant,
    dice: Dice,
    rate: f64,
    posts: f64,
    /// So many times as many until then.
    burst: Option<(Instant, u32)>,
    calm: bool,
}

// === impl Load ===

impl Load {
    pub(super) fn new(seed: u64, place: usize, member: &Member) -> Self {
        let dice = Dice::new(draw(seed, Stream::Flows, place as u64), Stream::Arrivals);
        let (rate, posts) = (member.rate, member.posts);
        Self { place, next: Instant::EPOCH, dice, rate, posts, burst: None, calm: false }
    }

    pub(super) fn burst(&mut self, until: Instant, times: u32) {
        self.burst = Some((until, times));
    }

    pub(super) fn calm_down(&mut self, now: Instant) {
        (self.calm, self.next) = (true, now + CALMLY);
    }

    /// The next one, which comes now.
    pub(super) fn take(&mut self, now: Instant) -> Arrival {
        let times = self.burst.filter(|(until, _)| now < *until).map_or(1, |(_, times)| times);
        let mean = Duration::from_secs_f64(1.0 / (self.rate * f64::from(times)));
        let gap = self.dice.duration(Distribution::Exponential(mean));
        self.next = now + if self.calm { CALMLY } else { gap };
        let thing = self.dice.between(1, THINGS);
        let method = if self.dice.chance(self.posts) { "POST" } else { "GET" };
        request(method, thing.into(), self.dice.between(1, USERS).into())
    }
}

/// A user's request for something.
pub(super) fn request(method: &'static str, thing: u64, user: u64) -> Arrival {
    let is_order = (ORDERS.into()..=THINGS.into()).contains(&thing);
    let target = format!("/{}/{thing}", if is_order { "orders" } else { "things" });
    let (affinity, fingerprint) = (user, thing);
    Arrival { affinity, user, fingerprint, ..Arrival::new(method, target) }
}
