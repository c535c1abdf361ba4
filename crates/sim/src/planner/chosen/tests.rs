//! What simulated drills of the same show as well: `seaworthy drill --sim`, three tasks of 100 ms.

use seaworthy_core::balance::Algorithm;
use seaworthy_core::fleet::Fleet;

use super::*;
use crate::planner::Candidate;
use crate::planner::example::{fleet, question};

fn balanced(algorithm: Algorithm, more: &str) -> Fleet {
    let mut fleet = fleet(&format!("desired_count = 3\n{more}"));
    fleet.services[0].balancing.algorithm = algorithm;
    fleet
}

/// What fails is not asked of another task.
const ONCE: &str = "call.retry_status = \"none\"\n";

/// Requests in so many seconds.
fn gets(fleet: &Fleet, how: How, load: f64, seconds: f64) -> u32 {
    let question = Question { load: Some(load), ..question(fleet) };
    let case = Case::new(&question, &Candidate::of(&question), how);
    let chosen = Chosen::new(&question, case);
    (chosen.by(seconds) * load / 3.0).round() as u32
}

#[test]
fn who_hangs_gets_as_many_as_the_others_have_under_way() {
    let fleet = balanced(Algorithm::LeastOutstandingRequests, "");
    let found = [30.0, 150.0, 600.0].map(|load| gets(&fleet, How::Hangs, load, 8.0));
    // 1.5, 7.5 and 30 on average, and more by chance.
    assert_eq!(found, [5, 14, 41]);
}

/// Until its turn is worth three of others: 10 go to it until the first is 216 ms late.
#[test]
fn who_hangs_is_passed_over_when_it_is_clearly_late() {
    let fleet = balanced(Algorithm::LatencyAware, "");
    let found = [30.0, 150.0].map(|load| gets(&fleet, How::Hangs, load, 8.0));
    assert!((2..=3).contains(&found[0]) && (10..=13).contains(&found[1]), "{found:?}");
}

#[test]
fn in_turn_it_gets_its_share_or_as_many_as_it_may_have() {
    let all = balanced(Algorithm::RoundRobin, "");
    assert_eq!(gets(&all, How::Hangs, 150.0, 8.0), 400);
    let ten = balanced(Algorithm::RoundRobin, "most_in_flight = 10\n");
    assert_eq!(gets(&ten, How::Hangs, 150.0, 8.0), 10);
}

/// 30 s count for a failure; it is asked again when they have halved to 2.55 s, each 1.9 s. And who has none under way
/// because it fails them at once gets what 20 a second leave.
#[test]
fn who_fails_at_once_gets_little_or_almost_all() {
    let aware = gets(&balanced(Algorithm::LatencyAware, ONCE), How::Fails, 150.0, 55.0);
    assert!((30..=40).contains(&aware), "{aware}");
    let least = Algorithm::LeastOutstandingRequests;
    let found = gets(&balanced(least, ONCE), How::Fails, 150.0, 55.0);
    assert!((7100..=7400).contains(&found), "{found}");
    // What is asked of another task is under way with both, as long as there is a budget for that.
    let found = gets(&balanced(least, ""), How::Fails, 150.0, 55.0);
    assert!((6000..=6500).contains(&found), "{found}");
}

#[test]
fn what_is_not_looked_at_goes_on_as_before() {
    let aware = balanced(Algorithm::LatencyAware, ONCE);
    let hour = gets(&aware, How::Fails, 150.0, 3600.0);
    assert!((1650..=2000).contains(&hour), "once in 1.9 s: {hour}");
}

#[test]
fn nobody_looks_for_long() {
    let fleet = balanced(Algorithm::LatencyAware, "");
    let question = Question { load: Some(1e6), ..question(&fleet) };
    let case = Case::new(&question, &Candidate::of(&question), How::Hangs);
    let chosen = Chosen::new(&Question { load: None, ..question.clone() }, case);
    assert!(chosen.times.is_none(), "nobody knows how many come");
    assert!(Chosen::new(&question, case).looked < 0.5);
}
