//! A question for tests: tasks that only die, each by itself, and start in no time.

use seaworthy_core::fleet::{Fleet, RawFleet};

use super::expected::{Expected, Known};
use super::{Candidate, Causes, Question, World};
use crate::availability::DAY;

pub(super) const MTTF: f64 = 30.0 * DAY;
/// Hangs are found after 7 to 12 s.
pub(super) const CHECKS: &str = "health = { interval = \"5s\", fast_interval = \"5s\", timeout = \"2s\", \
                                 unhealthy_threshold = 2, passive.enabled = false }\n";
pub(super) const PLAIN: &str =
    "call = { tries = 1, hedge.enabled = false, queue.enabled = false }\n";

/// Of one service, with these settings beside its command. A bad task has its turn as any other.
pub(super) fn fleet(settings: &str) -> Fleet {
    let raw: RawFleet = toml::from_str(&format!(
        "[service.store]\ncommand = [\"store\"]\nbalancing = \"round_robin\"\n{settings}"
    ))
    .unwrap();
    Fleet::try_from(raw).unwrap()
}

pub(super) fn question(fleet: &Fleet) -> Question<'_> {
    let world = World {
        mttf: MTTF,
        common_percent: 0.0,
        zone_mttf: None,
        machine_mttf: None,
        hangs_percent: 0.0,
        sick_percent: 0.0,
        noticed: 900.0,
        writes_percent: 10.0,
        latency: 0.1,
        patience: 2.0,
        start: (0.0, 0.0),
        deployments: 0.0,
    };
    let service = &fleet.services[0];
    Question {
        service,
        route: &service.call.routes[0],
        target: 99.0,
        load: None,
        route_percent: None,
        along: Vec::new(),
        capacity: None,
        price: 15.0,
        world,
        evidence: None,
        seed: 1,
    }
}

/// What the file as it is loses.
pub(super) fn causes(question: &Question<'_>) -> Causes {
    Expected::new(question, &Candidate::of(question), &mut Known::default()).causes
}

/// By a thousandth.
pub(super) fn close(found: f64, expected: f64) {
    assert!((found / expected - 1.0).abs() < 1e-3, "{found:e}, not {expected:e}");
}
