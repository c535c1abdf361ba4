use super::*;
use crate::balance::Algorithm;
use crate::health::Member;

const NOW: Instant = Instant::EPOCH;

fn member(task: u32) -> Member {
    Member { task: TaskId(task), weight: 1, revision: 1, on_trial: false }
}

fn loads(config: Config, members: &[Member]) -> Loads {
    let mut loads = Loads::new(config, 1);
    loads.rotate(NOW, &Rotation { members: members.to_vec() });
    loads
}

/// Picks and takes.
fn next(loads: &mut Loads, pick: Pick<'_>) -> Option<u32> {
    let task = loads.pick(NOW, &pick)?;
    loads.take(NOW, task);
    Some(task.0)
}

const ROUND_ROBIN: Config = Config::plain(Algorithm::RoundRobin);
const PLAIN: Pick<'_> =
    Pick { preferred: None, affinity: 0, revision: None, safe: false, not: &[] };
const SAFE: Pick<'_> = Pick { safe: true, ..PLAIN };

#[test]
fn a_task_at_its_cap_gets_nothing_until_a_request_has_ended() {
    let config = Config { most_in_flight: Some(1), ..ROUND_ROBIN };
    let mut loads = loads(config, &[member(1), member(2)]);
    let used_to_1 = Pick { preferred: Some(TaskId(1)), ..PLAIN };
    assert_eq!([used_to_1; 3].map(|pick| next(&mut loads, pick)), [Some(1), Some(2), None]);
    assert!(loads.full() && loads.any_in_rotation());
    loads.release(NOW, TaskId(2), false);
    assert!(!loads.full());
    assert_eq!(next(&mut loads, used_to_1), Some(2));
}

#[test]
fn nobody_in_rotation_is_not_full() {
    let mut loads = loads(ROUND_ROBIN, &[]);
    assert!(!loads.full() && !loads.any_in_rotation());
    assert_eq!(next(&mut loads, PLAIN), None);
}

#[test]
fn a_task_on_trial_gets_one_safe_request_and_then_waits_for_the_verdict() {
    let trial = Member { on_trial: true, ..member(1) };
    let mut loads = loads(ROUND_ROBIN, &[trial, member(2), member(3)]);
    assert_eq!(next(&mut loads, PLAIN), Some(2), "it may change something");
    assert_eq!(next(&mut loads, Pick { not: &[TaskId(1)], ..SAFE }), Some(3));
    assert_eq!(
        next(&mut loads, Pick { preferred: Some(TaskId(3)), ..SAFE }),
        Some(3),
        "used to it"
    );
    assert_eq!(next(&mut loads, Pick { preferred: Some(TaskId(1)), ..SAFE }), Some(1));
    assert_eq!([SAFE; 2].map(|pick| next(&mut loads, pick)), [Some(2), Some(3)]);
    loads.answered(NOW, TaskId(1), Duration::ZERO);
    loads.release(NOW, TaskId(1), true);
    assert_eq!(next(&mut loads, SAFE), Some(2), "nobody has said yet how it went");
    loads.rotate(NOW, &Rotation::of([1, 2, 3].map(TaskId)));
    let got = [PLAIN; 3].map(|pick| next(&mut loads, pick));
    assert!(got.contains(&Some(1)), "{got:?}");
}

#[test]
fn a_trial_is_repeated_if_it_has_shown_nothing() {
    let trial = Member { on_trial: true, ..member(1) };
    let rotation = Rotation { members: vec![trial, member(2)] };
    let mut loads = loads(ROUND_ROBIN, &rotation.members);
    assert_eq!(next(&mut loads, SAFE), Some(1));
    loads.rotate(NOW, &rotation);
    assert_eq!(next(&mut loads, SAFE), Some(2), "it is not over");
    loads.release(NOW, TaskId(1), false);
    assert_eq!(next(&mut loads, SAFE), Some(2));
    loads.rotate(NOW, &rotation);
    assert_eq!(next(&mut loads, SAFE), Some(2), "that others come and go says nothing of it");
    loads.try_anew(TaskId(1));
    assert_eq!(next(&mut loads, SAFE), Some(1));
}

/// They are none of the trial; but it takes no more than it may.
#[test]
fn what_a_task_still_has_from_before_keeps_no_trial_from_it() {
    let config = Config { most_in_flight: Some(2), ..ROUND_ROBIN };
    let mut loads = loads(config, &[member(1), member(2)]);
    assert_eq!([PLAIN; 3].map(|pick| next(&mut loads, pick)), [Some(1), Some(2), Some(1)]);
    let on_trial = Rotation { members: vec![Member { on_trial: true, ..member(1) }, member(2)] };
    loads.rotate(NOW, &on_trial);
    assert_eq!(next(&mut loads, SAFE), Some(2), "it has two");
    loads.release(NOW, TaskId(1), false);
    assert_eq!(next(&mut loads, SAFE), Some(1));
}

#[test]
fn a_revision_that_is_on_trial_gets_no_share_but_its_trial() {
    let trial = Member { on_trial: true, revision: 2, ..member(1) };
    let mut loads = loads(ROUND_ROBIN, &[trial, member(2)]);
    let of_2 = Pick { revision: Some(2), ..PLAIN };
    assert_eq!(next(&mut loads, of_2), Some(2));
    let safe = [Pick { safe: true, ..of_2 }; 2];
    assert_eq!(safe.map(|pick| next(&mut loads, pick)), [Some(1), Some(2)]);
    let alone = Pick { not: &[TaskId(2)], ..of_2 };
    assert_eq!(next(&mut loads, alone), Some(1), "nobody else is left");
}

#[test]
fn a_task_on_trial_gets_all_if_nobody_else_is_left() {
    let trial = Member { on_trial: true, ..member(1) };
    let mut loads = loads(ROUND_ROBIN, &[trial, member(2)]);
    let not_2 = Pick { not: &[TaskId(2)], ..PLAIN };
    assert_eq!([not_2; 2].map(|pick| next(&mut loads, pick)), [Some(1), Some(1)]);
    // Whoever is only full is there: the call waits for it.
    let config = Config { most_in_flight: Some(1), ..ROUND_ROBIN };
    let mut loads = super::tests::loads(config, &[trial, member(2)]);
    assert_eq!([PLAIN; 2].map(|pick| next(&mut loads, pick)), [Some(2), None]);
    assert!(loads.full());
}

#[test]
fn a_revision_counts_as_long_as_one_of_it_may_get_the_call() {
    let new = Member { revision: 2, ..member(3) };
    let config = Config { most_in_flight: Some(3), ..ROUND_ROBIN };
    let mut loads = loads(config, &[member(1), member(2), new]);
    let of = |revision| Pick { revision: Some(revision), ..PLAIN };
    assert_eq!([of(2); 2].map(|pick| next(&mut loads, pick)), [Some(3), Some(3)]);
    let again = Pick { not: &[TaskId(3)], ..of(2) };
    assert_eq!(next(&mut loads, again), Some(1), "the only one of it has failed");
    let used_to_3 = Pick { preferred: Some(TaskId(3)), ..of(1) };
    assert_eq!(next(&mut loads, used_to_3), Some(3), "and to its revision");
    assert_eq!(next(&mut loads, of(2)), Some(2), "the only one of it has enough to do");
    assert!(next(&mut loads, of(7)).is_some(), "there is none: any one will do");
}

#[test]
fn the_task_a_client_is_used_to_yields_when_it_drains() {
    let mut loads = loads(ROUND_ROBIN, &[member(1), member(2)]);
    let used_to_2 = Pick { preferred: Some(TaskId(2)), ..PLAIN };
    assert_eq!(next(&mut loads, used_to_2), Some(2));
    assert_eq!(next(&mut loads, Pick { not: &[TaskId(2)], ..used_to_2 }), Some(1));
    loads.rotate(NOW, &Rotation::of([TaskId(1)]));
    assert_eq!(next(&mut loads, used_to_2), Some(1));
    assert_eq!(loads.in_flight(TaskId(2)), 1, "what it has may end");
}
