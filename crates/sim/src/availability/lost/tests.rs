//! Held against arithmetic by hand.

use super::*;
use crate::availability::{DAY, Group, Loss, Members, Repair};

const PLAIN: Model = Model {
    tasks: 6,
    needed: 4,
    failure_rate: 1.0 / (30.0 * DAY),
    causes: Vec::new(),
    repair: Repair::Constant { seconds: 120.0 },
    crews: 6,
    deployments: None,
    loss: Loss::ALL,
};

fn assert_close(found: f64, expected: f64, error: f64) {
    assert!((found / expected - 1.0).abs() < error, "{found:e}, not {expected:e}");
}

#[test]
fn without_more_it_is_the_closed_form_of_a_group() {
    let Model { tasks, needed, failure_rate, crews, .. } = PLAIN;
    let group = Group { tasks, needed, failure_rate, repair_rate: 1.0 / 120.0, crews };
    assert_close(PLAIN.lost().alone, group.unavailability(), 1e-12);
    // Nearly always three of four are up then: a quarter of 4 fails, a seventh of 3.5.
    for (demand, share) in [(4.0, 0.25), (3.5, 1.0 / 7.0)] {
        let excess =
            Model { loss: Loss::Excess { demand, room: 0.0, waiting: 0.0, late: None }, ..PLAIN };
        assert_close(excess.lost().alone, group.unavailability() * share, 1e-3);
    }
}

/// Of one task all but the seconds at the end of a repair fail; of two, the end of the first of two.
#[test]
fn what_waits_is_the_end_of_an_outage_and_not_its_beginning() {
    let of = |tasks, repair, waiting| {
        let loss = Loss::All { waiting };
        let model = Model { tasks, needed: 1, repair, loss, ..PLAIN };
        model.lost().alone / libm::pow(PLAIN.failure_rate, f64::from(tasks))
    };
    let constant = Repair::Constant { seconds: 120.0 };
    assert_close(of(1, constant, 30.0), 90.0, 1e-4);
    assert_close(of(2, constant, 30.0), 90.0 * 90.0, 1e-3);
    assert!(of(1, constant, 120.0).abs() < 1e-9);
    // A sixth of 60 to 120 s is beyond 110 s, and that by 5 s on average.
    assert_close(of(1, Repair::Uniform((60.0, 120.0)), 110.0), 5.0 / 6.0, 1e-4);
    let exponential = Repair::Exponential { mean: 120.0 };
    assert_close(of(2, exponential, 60.0), 120.0 * 120.0 * libm::exp(-1.0), 1e-3);
}

/// With one down it takes longer than any repair until a queue is full; with two half a minute's repair is too long.
#[test]
fn what_one_outage_has_room_for_another_has_not() {
    let repair = Repair::Constant { seconds: 30.0 };
    let loss = Loss::Excess { demand: 3.01, room: 1.0, waiting: 0.0, late: None };
    let model = Model { tasks: 4, needed: 4, repair, loss, ..PLAIN };
    // A third of all from its first second on, of six pairs: both are down for so long that one second is over.
    let pairs = 6.0 * libm::pow(PLAIN.failure_rate * (30.0 - 1.0 / 1.01), 2.0);
    assert_close(model.lost().alone, pairs * 1.01 / 3.01, 1e-3);
}

/// One failure in a hundred takes all tasks.
#[test]
fn a_common_cause_is_a_floor_that_no_task_lifts() {
    let together = |tasks, needed, repair, waiting| {
        let loss = Loss::All { waiting };
        let rate = PLAIN.failure_rate / 100.0;
        let tasks_taken = Members::first(tasks);
        let causes = vec![Cause { place: Place::Everywhere, rate, repair, tasks: tasks_taken }];
        Model { tasks, needed, causes, repair, loss, ..PLAIN }.lost().together / rate
    };
    let constant = Repair::Constant { seconds: 120.0 };
    for tasks in [1, 2, 5] {
        assert_close(together(tasks, 1, constant, 0.0), 120.0, 1e-3);
        assert_close(together(tasks, 1, constant, 30.0), 90.0, 1e-3);
    }
    // The first of two, and the second of three, of any times from 60 to 120 s.
    let span = Repair::Uniform((60.0, 120.0));
    assert_close(together(2, 1, span, 0.0), 80.0, 1e-3);
    assert_close(together(3, 2, span, 0.0), 90.0, 1e-3);
    assert_close(together(2, 1, Repair::Exponential { mean: 120.0 }, 0.0), 60.0, 1e-3);
    // All die, or all hang: many tasks do not make it the quicker kind.
    let kinds = Repair::Mixed { share: 0.25, first: (60.0, 60.0), second: (100.0, 100.0) };
    for tasks in [1, 2, 20] {
        assert_close(together(tasks, 1, kinds, 0.0), 70.0, 2e-3);
        assert_close(together(tasks, 1, kinds, 80.0), 5.0, 2e-3);
    }
}

#[test]
fn a_deployment_that_leaves_too_few_is_an_outage_of_our_own() {
    let of = |away, seconds| {
        let deployments = Some(Deployments { rate: 1.0 / DAY, seconds, away });
        Model { deployments, ..PLAIN }.lost().deployments
    };
    assert_close(of(3, 86.4), 86.4 / (DAY + 86.4), 1e-3);
    // One that leaves just enough is an outage from the first failure to its end, or to the end of a
    // repair that is sooner.
    let fail = 4.0 * PLAIN.failure_rate;
    assert_close(of(2, 86.4), fail * 86.4 * 86.4 / 2.0 / DAY, 2e-3);
    assert_close(of(2, 600.0), fail * (480.0 * 120.0 + 120.0 * 60.0) / DAY, 1e-2);
}

/// It has left one of each zone. The other two come back while the one that is lost is replaced.
#[test]
fn a_zone_that_fails_in_a_deployment_takes_of_what_that_has_left() {
    let [rate, seconds] = [1.0 / (365.0 * DAY), 86.4];
    let tasks = Members::first(1).with(2.into());
    let zone = Cause { place: Place::Zone, rate, repair: PLAIN.repair, tasks };
    let of = |deployments| {
        let (failure_rate, causes) = (0.0, vec![zone]);
        let zones = Model { tasks: 4, needed: 2, failure_rate, causes, deployments, ..PLAIN };
        zones.lost().zones
    };
    assert!(of(None) <= 0.0);
    let deployments = Deployments { rate: 1.0 / DAY, seconds, away: 2 };
    let share = seconds / (DAY + seconds);
    assert_close(of(Some(deployments)), rate * share * seconds / 2.0, 1e-2);
}
