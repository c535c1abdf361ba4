//! The way between the callers of a service and the service, which can be disturbed as a drill's link is:
//! whom a fault meets is drawn alike.

use std::time::Duration;

use seaworthy_core::experiment::LinkFault;
use seaworthy_core::experiment::link::MOST_ARRIVALS;
use seaworthy_core::time::Instant;

/// The link before a service.
#[derive(Debug)]
pub(super) struct Link {
    seed: u64,
    /// What is done to it, the earliest first.
    faults: Vec<Inflicted>,
    arrivals: Vec<Instant>,
    count: u64,
}

#[derive(Debug)]
struct Inflicted {
    id: u32,
    fault: LinkFault,
    /// Requests that have met it.
    met: u64,
    /// Those that are taken and not passed on.
    stalled: Vec<u64>,
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is passed on; of its answer only a half comes back, if it is `halved`.
    Passed { halved: bool },
    /// The link answers itself: with this status, or by a reset.
    Answered(Option<u16>),
    /// It is passed on when that is over.
    Stalled,
}

// === impl Link ===

impl Link {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed, faults: Vec::new(), arrivals: Vec::new(), count: 0 }
    }

    pub(super) fn inflict(&mut self, id: u32, fault: LinkFault) {
        self.faults.push(Inflicted { id, fault, met: 0, stalled: Vec::new() });
    }

    /// A fault is over: how many requests have met it, and those of them that go on now.
    pub(super) fn heal(&mut self, id: u32) -> (u64, Vec<u64>) {
        let Some(at) = self.faults.iter().position(|one| one.id == id) else {
            return (0, Vec::new());
        };
        let healed = self.faults.remove(at);
        (healed.met, healed.stalled)
    }

    /// A request comes.
    pub(super) fn arrive(&mut self, now: Instant, request: u64) -> Fate {
        if self.arrivals.len() < MOST_ARRIVALS {
            self.arrivals.push(now);
        }
        let on = self.faults.iter().map(|one| one.fault).enumerate();
        let met = LinkFault::first_to_meet(on, self.seed, self.count);
        self.count += 1;
        let Some((place, fault)) = met else { return Fate::Passed { halved: false } };
        let one = &mut self.faults[place];
        one.met += 1;
        match fault {
            LinkFault::Errors { status, .. } => Fate::Answered(Some(status)),
            LinkFault::Resets { .. } => Fate::Answered(None),
            LinkFault::Stalls { .. } => {
                one.stalled.push(request);
                Fate::Stalled
            }
            LinkFault::HalfAnswers => Fate::Passed { halved: true },
            // It meets no request, but its answer: see `hold`.
            LinkFault::Latency(_) => Fate::Passed { halved: false },
        }
    }

    /// How long the answer to a request that was passed on is held, if it comes now.
    pub(super) fn hold(&mut self) -> Duration {
        for one in &mut self.faults {
            one.met += u64::from(matches!(one.fault, LinkFault::Latency(_)));
        }
        LinkFault::latency(self.faults.iter().map(|one| one.fault))
    }

    pub(super) fn arrivals(&self) -> &[Instant] {
        &self.arrivals
    }
}

#[cfg(test)]
mod tests {
    use seaworthy_core::fleet::written::Share;

    use super::*;

    const NOW: Instant = Instant::EPOCH;

    #[test]
    fn each_fault_does_what_it_is_named_for_until_it_is_healed() {
        let passed = Fate::Passed { halved: false };
        let cases = [
            (LinkFault::Errors { status: 503, share: Share::WHOLE }, Fate::Answered(Some(503))),
            (LinkFault::Resets { share: Share::WHOLE }, Fate::Answered(None)),
            (LinkFault::Stalls { share: Share::WHOLE }, Fate::Stalled),
            (LinkFault::HalfAnswers, Fate::Passed { halved: true }),
            (LinkFault::Latency(Duration::from_secs(1)), passed),
        ];
        for (fault, fate) in cases {
            let mut link = Link::new(7);
            assert_eq!(link.arrive(NOW, 1), passed);
            link.inflict(3, fault);
            assert_eq!(link.arrive(NOW, 2), fate, "{fault}");
            let held = link.hold();
            assert_eq!(held.is_zero(), !matches!(fault, LinkFault::Latency(_)), "{fault}");
            let stalled = if fate == Fate::Stalled { vec![2] } else { vec![] };
            assert_eq!(link.heal(3), (1, stalled), "{fault}");
            assert_eq!((link.arrive(NOW, 3), link.hold()), (passed, Duration::ZERO));
            assert_eq!(link.arrivals().len(), 3);
        }
    }

    #[test]
    fn the_earliest_has_a_request_and_latencies_add_up() {
        let mut link = Link::new(7);
        let latency = LinkFault::Latency(Duration::from_secs(1));
        let whole = Share::WHOLE;
        let faults = [latency, LinkFault::Resets { share: whole }, latency, LinkFault::HalfAnswers];
        (0..).zip(faults).for_each(|(id, fault)| link.inflict(id, fault));
        assert_eq!(link.arrive(NOW, 1), Fate::Answered(None));
        assert_eq!(link.hold(), Duration::from_secs(2));
        assert_eq!([0, 1, 2, 3].map(|id| link.heal(id).0), [1, 1, 1, 0]);
    }
}
