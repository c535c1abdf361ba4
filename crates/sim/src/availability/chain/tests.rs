//! The simulation against the closed form. Every draw is by seed, so what holds once holds always.

use super::*;
use crate::availability::{Cause, DAY, Deployments, Group, Late, Loss, Lost, Place, Repair};

const REPAIR: f64 = 120.0;

fn group(days: f64, tasks: u32, needed: u32, crews: u32) -> Group {
    let (failure_rate, repair_rate) = (1.0 / (days * DAY), 1.0 / REPAIR);
    Group { tasks, needed, failure_rate, repair_rate, crews }
}

fn model(group: Group, repair: Repair) -> Model {
    let Group { tasks, needed, failure_rate, crews, .. } = group;
    let (deployments, loss) = (None, Loss::ALL);
    Model { tasks, needed, failure_rate, causes: Vec::new(), repair, crews, deployments, loss }
}

/// What takes these of its tasks.
fn takes(model: &Model, place: Place, rate: f64, tasks: impl Iterator<Item = u32>) -> Cause {
    Cause { place, rate, repair: model.repair, tasks: tasks.collect() }
}

fn of_all(model: &Model, rate: f64) -> Cause {
    takes(model, Place::Everywhere, rate, 0..model.tasks)
}

const EXPONENTIAL: Repair = Repair::Exponential { mean: REPAIR };

/// Of 50 intervals of 95 %, fewer than 42 cover the truth with a chance of 1 in 1000.
fn assert_covers(model: &Model, method: Method, cycles: u64, truth: f64, rate: f64) {
    let estimates: Vec<Estimate> =
        (1..=50).map(|seed| model.estimate(method, seed, Until::Cycles(cycles))).collect();
    for (truth, of) in
        [(truth, (|e| e.unavailability) as fn(&Estimate) -> Interval), (rate, |e| e.outage_rate)]
    {
        let covered = estimates.iter().filter(|estimate| of(estimate).covers(truth)).count();
        let mean = estimates.iter().map(|estimate| of(estimate).value).sum::<f64>() / 50.0;
        assert!(covered >= 42, "{covered} of 50 cover {truth:e}, {mean:e} on average: {model:?}");
    }
}

/// What it loses in closed form.
fn all(model: &Model) -> f64 {
    let Lost { alone, together, zones, machines, deployments } = model.lost();
    alone + together + zones + machines + deployments
}

fn assert_covers_group(group: Group, method: Method, cycles: u64) {
    let (truth, rate) = (group.unavailability(), group.outage_rate());
    assert_covers(&model(group, EXPONENTIAL), method, cycles, truth, rate);
}

#[test]
fn crude_cycles_cover_the_closed_form() {
    assert_covers_group(group(1.0, 1, 1, 1), Method::Crude, 2_000);
    assert_covers_group(group(1.0, 6, 5, 6), Method::Crude, 30_000);
    assert_covers_group(group(1.0, 6, 5, 1), Method::Crude, 30_000);
}

#[test]
fn biased_cycles_cover_the_closed_form_however_rare() {
    for crews in [1, 6] {
        assert_covers_group(group(30.0, 6, 5, crews), Method::Biased, 3_000);
        assert_covers_group(group(30.0, 6, 4, crews), Method::Biased, 10_000);
    }
    assert_covers_group(group(30.0, 2, 1, 2), Method::Biased, 3_000);
    assert_covers_group(group(1.0, 12, 10, 12), Method::Biased, 10_000);
}

/// With as many crews as tasks the unavailability depends on the mean only.
#[test]
fn repairs_may_take_any_time() {
    let group = group(30.0, 3, 2, 3);
    let spans = Repair::Mixed { share: 0.5, first: (60.0, 140.0), second: (120.0, 160.0) };
    for repair in [Repair::Constant { seconds: REPAIR }, Repair::Uniform((60.0, 180.0)), spans] {
        assert!((repair.mean() - REPAIR).abs() < 1e-9);
        // Every outage begins as often, and lasts as long on average.
        let (truth, rate) = (group.unavailability(), group.outage_rate());
        assert_covers(&model(group, repair), Method::Biased, 3_000, truth, rate);
    }
}

#[test]
fn common_causes_are_covered_by_the_closed_form() {
    let alone = model(group(30.0, 3, 1, 3), EXPONENTIAL);
    let common_rate = alone.failure_rate / 100.0;
    let common = Model { causes: vec![of_all(&alone, common_rate)], ..alone };
    let rate = group(30.0, 3, 1, 3).outage_rate() + common_rate;
    assert_covers(&common, Method::Biased, 5_000, all(&common), rate);
}

/// Tasks are spread over two zones, one of which has two machines: what is left answers what it can.
#[test]
fn what_a_place_takes_is_covered_by_the_closed_form() {
    let spans = Repair::Mixed { share: 0.3, first: (60.0, 120.0), second: (170.0, 210.0) };
    for (tasks, needed, demand) in [(3, 2, 2.0), (4, 3, 2.5), (5, 4, 3.5)] {
        let alone = model(group(30.0, tasks, needed, tasks), spans);
        let rate = alone.failure_rate / 10.0;
        let zone = |first| takes(&alone, Place::Zone, rate, (first..tasks).step_by(2));
        let machine = |first| takes(&alone, Place::Machine, rate, (first..tasks).step_by(4));
        let causes = vec![zone(0), zone(1), machine(0), machine(2)];
        let few = causes.iter().filter(|cause| tasks - cause.tasks.count() < needed).count();
        let outages = group(30.0, tasks, needed, tasks).outage_rate() + few as f64 * rate;
        let late = Late { below: needed, patience: 2.0, most: f64::INFINITY };
        let backlog = Loss::Excess { demand, room: 0.0, waiting: 0.0, late: Some(late) };
        for loss in
            [Loss::ALL, Loss::Excess { demand, room: 0.0, waiting: 0.0, late: None }, backlog]
        {
            let placed = Model { loss, causes: causes.clone(), ..alone.clone() };
            assert_covers(&placed, Method::Biased, 5_000, all(&placed), outages);
        }
    }
}

/// Ten deployments a day, of which each leaves just enough.
#[test]
fn deployments_are_cheap_to_cover() {
    let deployments = Deployments { rate: 10.0 / DAY, seconds: 60.0, away: 1 };
    let plain = model(group(30.0, 3, 2, 3), Repair::Constant { seconds: REPAIR });
    let deployed = Model { deployments: Some(deployments), ..plain };
    // A failure at any moment of it leaves too few, until it ends: half of it on average. Beside
    // that, two fail as ever.
    let plain_rate = group(30.0, 3, 2, 3).outage_rate();
    let in_one = 60.0 * 2.0 * plain.failure_rate;
    let share = 1.0 / (1.0 + 60.0 * 10.0 / DAY);
    let rate = share * (10.0 / DAY * in_one + plain_rate);
    let truth = share * (10.0 / DAY * in_one * 30.0 + group(30.0, 3, 2, 3).unavailability());
    assert_covers(&deployed, Method::Biased, 4_000, truth, rate);
}

/// Whatever a repair takes.
#[test]
fn what_waits_and_what_is_not_too_much_does_not_fail() {
    let (two, six) = (group(30.0, 2, 1, 2), group(1.0, 6, 4, 6));
    let spans = Repair::Mixed { share: 0.3, first: (60.0, 120.0), second: (170.0, 210.0) };
    for repair in [EXPONENTIAL, Repair::Constant { seconds: REPAIR }, spans] {
        let waits = Model { loss: Loss::All { waiting: 80.0 }, ..model(two, repair) };
        let causes = vec![of_all(&waits, waits.failure_rate)];
        let common = Model { causes, ..waits.clone() };
        let excess = |room, late| Loss::Excess { demand: 3.5, room, waiting: 0.0, late };
        let excess_of = |room| Model { loss: excess(room, None), ..model(six, repair) };
        let (excess_of_all, some_waits) = (excess_of(0.0), excess_of(20.0));
        // All of it, what is bounded, and what is late only if one more is missing.
        for (below, most) in [(4, f64::INFINITY), (4, 40.0), (3, f64::INFINITY)] {
            let loss = excess(20.0, Some(Late { below, patience: 2.0, most }));
            let backlog = Model { loss, ..model(six, repair) };
            assert_covers(&backlog, Method::Biased, 10_000, all(&backlog), six.outage_rate());
        }
        for (model, rate) in [
            (waits, two.outage_rate()),
            (common, two.outage_rate() + 1.0 / (30.0 * DAY)),
            (excess_of_all, six.outage_rate()),
            (some_waits, six.outage_rate()),
        ] {
            assert!(
                all(&model) < 0.7 * all(&Model { loss: Loss::ALL, ..model.clone() }),
                "{model:?}"
            );
            assert_covers(&model, Method::Biased, 5_000, all(&model), rate);
        }
    }
}

#[test]
fn the_same_seed_is_the_same_to_the_last_bit() {
    let model = model(group(30.0, 6, 4, 6), EXPONENTIAL);
    let of = |seed| model.estimate(Method::Biased, seed, Until::Cycles(1000));
    assert_eq!(of(7), of(7));
    assert_ne!(of(7), of(8));
}

#[test]
fn an_interval_is_as_narrow_as_asked_for_or_there_is_none() {
    let until = Until::HalfWidth { share: 0.05, most: 1_000_000 };
    let rare = model(group(30.0, 6, 4, 6), EXPONENTIAL);
    let biased = rare.estimate(Method::Biased, 1, until).unavailability;
    assert!(biased.relative().is_some_and(|relative| relative < 0.05), "{biased}");
    let crude = rare.estimate(Method::Crude, 1, Until::Cycles(10_000)).unavailability;
    assert_eq!(crude, Interval { value: 0.0, half_width: None });
    assert_eq!(crude.to_string(), "0.000e0, too few outages for an interval");
}

/// All of them fail together, are back before anybody has waited for too long, and would be taken down again and again.
#[test]
fn a_large_fleet_comes_up_again() {
    let repair = Repair::Mixed { share: 0.1, first: (1.0, 1.2), second: (4.4, 5.6) };
    let plain = model(group(30.0, 40, 1, 40), repair);
    let loss = Loss::All { waiting: 1.9 };
    let model = Model { causes: vec![of_all(&plain, plain.failure_rate / 100.0)], loss, ..plain };
    let estimate = model.estimate(Method::Biased, 1, Until::Cycles(20_000));
    let truth = all(&model);
    assert!(estimate.unavailability.covers(truth), "{truth:e} of {estimate:?}");
}
