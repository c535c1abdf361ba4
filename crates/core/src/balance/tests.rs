use super::*;
use crate::endpoints::TaskId;
use crate::health::Member;

/// Idle tasks 1, 2, … of these weights.
fn targets(weights: &[u32]) -> Vec<Target> {
    let target = |(n, weight): (usize, &u32)| {
        let task = TaskId(n as u32 + 1);
        let member = Member { task, weight: *weight, revision: 1, on_trial: false };
        Target::new(Instant::EPOCH, member)
    };
    weights.iter().enumerate().map(target).collect()
}

/// The tasks that are picked in turn, of all or of those that are `open`.
fn picks(balancer: &mut Balancer, targets: &mut [Target], open: &[&[usize]]) -> Vec<u32> {
    let pick = |open: &&[usize]| {
        let at = balancer.pick(Instant::EPOCH, targets, &mut open.to_vec(), 0);
        targets[at].task().0
    };
    open.iter().map(pick).collect()
}

fn balancer(algorithm: Algorithm) -> Balancer {
    Balancer::new(algorithm, 1)
}

#[test]
fn round_robin_is_smooth_and_by_weight() {
    let all: &[usize] = &[0, 1, 2];
    let mut round_robin = balancer(Algorithm::RoundRobin);
    let even = picks(&mut round_robin, &mut targets(&[1, 1, 1]), &[all; 7]);
    assert_eq!(even, [1, 2, 3, 1, 2, 3, 1]);
    let weighted = picks(&mut round_robin, &mut targets(&[5, 1, 1]), &[all; 14]);
    assert_eq!(weighted, [1, 1, 2, 1, 3, 1, 1, 1, 1, 2, 1, 3, 1, 1]);
}

#[test]
fn a_task_that_may_not_be_chosen_for_a_while_neither_gains_nor_loses_turns() {
    let (all, without_1): (&[usize], &[usize]) = (&[0, 1, 2], &[1, 2]);
    let rounds = [all, without_1, without_1, without_1, without_1, all, all, all, all];
    let picked = picks(&mut balancer(Algorithm::RoundRobin), &mut targets(&[1, 1, 1]), &rounds);
    assert_eq!(picked, [1, 2, 3, 2, 3, 2, 3, 1, 2]);
}

#[test]
fn least_outstanding_goes_by_weight_and_takes_turns_among_equals() {
    let all: &[usize] = &[0, 1, 2];
    let mut targets = targets(&[1, 2, 1]);
    let mut least = balancer(Algorithm::LeastOutstandingRequests);
    for _ in 0..2 {
        targets[0].take(Instant::EPOCH);
    }
    for _ in 0..2 {
        targets[1].take(Instant::EPOCH);
    }
    targets[2].take(Instant::EPOCH);
    // Two of weight 2 are as much as one of weight 1.
    assert_eq!(picks(&mut least, &mut targets, &[all; 6]), [2, 3, 2, 2, 3, 2]);
}

#[test]
fn a_lot_falls_by_weight() {
    let all: &[usize] = &[0, 1, 2];
    let rounds = vec![all; 10_000];
    let picked = picks(&mut balancer(Algorithm::WeightedRandom), &mut targets(&[1, 2, 5]), &rounds);
    let count = |task| picked.iter().filter(|picked| **picked == task).count();
    for (task, expected) in [(1, 1250_usize), (2, 2500), (3, 6250)] {
        assert!(count(task).abs_diff(expected) < 150, "{task}: {}", count(task));
    }
}

/// What each of 10,000 affinities is hashed to.
fn hashed_to(weights: &[u32], open: &[usize]) -> Vec<usize> {
    let (targets, hash) = (targets(weights), |n: u64| n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    (0..10_000).map(|n| hashed(&targets, open, hash(n))).collect()
}

#[test]
fn a_hash_is_by_weight_and_only_what_was_on_a_task_moves_when_it_goes() {
    let all = hashed_to(&[1, 2, 1, 4], &[0, 1, 2, 3]);
    for (at, expected) in [(0, 1250_usize), (1, 2500), (2, 1250), (3, 5000)] {
        let count = all.iter().filter(|to| **to == at).count();
        assert!(count.abs_diff(expected) < 150, "{at}: {count}");
    }
    let without_1 = hashed_to(&[1, 2, 1, 4], &[0, 2, 3]);
    assert!(all.iter().zip(&without_1).all(|(before, after)| *before == 1 || before == after));
    // A larger weight draws from all others, and moves nothing between these.
    let more = hashed_to(&[1, 2, 3, 4], &[0, 1, 2, 3]);
    assert!(all.iter().zip(&more).all(|(before, after)| *after == 2 || before == after));
}

#[test]
fn a_turn_is_passed_on_only_from_a_task_that_is_clearly_slower() {
    let all: &[usize] = &[0, 1];
    for (others, passed_on) in [(0, false), (1, false), (100, true)] {
        let mut targets = targets(&[1, 1]);
        for target in &mut targets {
            let latency = if target.task() == TaskId(1) { others + 1 } else { 1 };
            for _ in 0..3 {
                target.take(Instant::EPOCH);
                target.answered(Instant::EPOCH, Duration::from_millis(latency));
                target.release(Instant::EPOCH, true);
            }
        }
        let picked = picks(&mut balancer(Algorithm::LatencyAware), &mut targets, &[all; 100]);
        let got = picked.iter().filter(|task| **task == 1).count();
        assert_eq!(got, if passed_on { 0 } else { 50 }, "{others} ms more");
    }
}
