//! What is rehearsed, held against what is known without it.

use seaworthy_core::fleet::Fleet;

use super::*;
use crate::planner::example::{CHECKS, fleet, question};
use crate::planner::{World, ask};

/// 100 a second come, and a task bears as many, in 100 ms each.
fn asked(fleet: &Fleet, of: impl Fn(World) -> World) -> Question<'_> {
    let plain = question(fleet);
    let world = of(World { start: (1.0, 1.0), ..plain.world });
    Question { load: Some(100.0), capacity: Some(100.0), world, ..plain }
}

fn only(all: &[Rehearsed], event: Event) -> &Rehearsed {
    all.iter().find(|one| one.event == event).expect("it happens")
}

const ONCE: &str = "call = { tries = 1, hedge.enabled = false, queue.enabled = false }\n";

/// The only task is away for 5 s: it takes one to start, and is looked at every five.
#[test]
fn what_the_only_task_does_not_answer_fails() {
    let fleet = fleet(&format!("desired_count = 1\n{CHECKS}{ONCE}"));
    let question = asked(&fleet, |world| World { hangs_percent: 50.0, ..world });
    let all = rehearse(&question, &Candidate::of(&question));
    let events: Vec<Event> = all.iter().map(|one| one.event).collect();
    assert_eq!(events, [Event::Nothing, Event::Dies, Event::Hangs], "nothing else happens");
    let dies = only(&all, Event::Dies);
    assert!((480.0..=540.0).contains(&dies.mean()), "{dies:?}");
    assert_eq!((dies.differs(&question), dies.lasting()), (false, 0));
    // It is found after 7 to 12 s.
    let hangs = only(&all, Event::Hangs);
    let (least, most) = hangs.range();
    assert!(least > 1150.0 && most < 1800.0 && most > least + 100.0, "{hangs:?}");
    assert!(!hangs.differs(&question));
}

/// All that two tasks bear comes, and what has gathered while one was away is never worked off.
#[test]
fn what_does_not_come_back_is_not_chosen() {
    let fleet = fleet(&format!(
        "desired_count = 2\nprovisioning = \"20s\"\nhealth.passive.enabled = false\n{ONCE}"
    ));
    let question = Question { load: Some(200.0), target: 50.0, ..asked(&fleet, |world| world) };
    let all = rehearse(&question, &Candidate::of(&question));
    let dies = only(&all, Event::Dies);
    assert!(dies.lasting() > 0 && dies.mean().is_infinite(), "{dies:?}");
    let answer = ask(&question).unwrap();
    assert!(answer.now.as_ref().unwrap().meets(&question), "in closed form");
    // A bulkhead turns away what would be late.
    let chosen = answer.cheapest.as_ref().unwrap();
    assert_eq!(chosen.candidate.changes, ["bulkhead = { enabled = true, size = 50 }"]);
}

/// Only when checks find a bad task matters, and not what they ask for; and an adaptive bulkhead has grown before.
#[test]
fn a_good_task_passes_its_checks_and_is_let_do_what_comes() {
    let of = |settings: &str| {
        let fleet = fleet(&format!("desired_count = 8\n{settings}"));
        let question = Question { load: Some(400.0), ..asked(&fleet, |world| world) };
        let all = rehearse(&question, &Candidate::of(&question));
        let Rehearsed { runs, .. } = only(&all, Event::Nothing);
        runs.clone()
    };
    for settings in [
        &format!("health = {{ matcher = \"204\", passive.enabled = false }}\n{ONCE}"),
        &format!("bulkhead.adaptive = {{}}\nhealth.passive.enabled = false\n{ONCE}"),
    ] {
        let runs = of(settings);
        let holds = |run: &Outcome| matches!(run, Outcome::Over(failed) if *failed < 1e-9);
        assert!(runs.iter().all(holds), "{settings}: {runs:?}");
    }
}

/// By two routes, of which one is asked for.
#[test]
fn only_what_is_asked_for_counts() {
    let fleet = fleet(&format!(
        "desired_count = 1\n{ONCE}[[service.store.route]]\nname = \"search\"\npath = \"/search\"\n"
    ));
    let fails = |percent| {
        let question = Question { route_percent: Some(percent), ..asked(&fleet, |world| world) };
        only(&rehearse(&question, &Candidate::of(&question)), Event::Dies).mean()
    };
    let [all, some] = [100.0, 20.0].map(fails);
    assert!((some / all - 0.2).abs() < 0.05, "{some} of {all}");
}

/// Two tasks, in turn, each 6 s after it has died: it takes 5 s until one is started, and one to start.
#[test]
fn each_event_costs_what_a_pencil_says() {
    let fleet = fleet(&format!(
        "desired_count = 2\nminimum_healthy_percent = 0\nmaximum_percent = 100\nprovisioning = \"5s\"\n\
         health.passive.enabled = false\n{ONCE}"
    ));
    let question = asked(&fleet, |world| World {
        sick_percent: 50.0,
        noticed: 20.0,
        common_percent: 10.0,
        deployments: 1.0,
        ..world
    });
    let all = rehearse(&question, &Candidate::of(&question));
    let expected = [
        (Event::Nothing, 0.0),
        (Event::Dies, 0.0),
        (Event::Sick, 20.0 / 2.0),
        (Event::AllDie, 6.0),
        (Event::Deployment, 6.0),
    ];
    assert_eq!(all.len(), expected.len(), "{all:?}");
    for (event, seconds) in expected {
        let one = only(&all, event);
        assert!((one.mean() - 100.0 * seconds).abs() < 60.0, "{seconds} s: {one:?}");
        assert!(!one.differs(&question) && one.unfinished() == 0, "{one:?}");
    }
    let beyond = beyond(&question, &all);
    assert!(beyond.abs() < 1e-6, "{beyond}");
}

/// What is not seen to its end has cost as much as was seen.
#[test]
fn nobody_looks_for_ever() {
    let fleet = fleet(&format!(
        "desired_count = 2\nprovisioning = \"20s\"\nhealth.passive.enabled = false\n{ONCE}"
    ));
    let (load, capacity) = (Some(4000.0), Some(2000.0));
    let question = Question { load, capacity, ..asked(&fleet, |world| world) };
    let runs = runs(&question, &Candidate::of(&question), Event::Dies, 0.0);
    let dies = Rehearsed { event: Event::Dies, a_month: 1.0, reckoned: 1e3, runs };
    assert_eq!((dies.unfinished(), dies.lasting(), dies.runs.len()), (1, 0, 1), "{dies:?}");
    assert!(dies.mean() > 1e5 && beyond(&question, &[dies]) > 0.0);
}

/// Where chance alone turns some away, as many tasks as it takes are found, however many settings fewer ones have.
#[test]
fn more_tasks_are_looked_at_when_fewer_miss() {
    let fleet = fleet(&format!("desired_count = 6\nmost_in_flight = 5\n{ONCE}"));
    let question = Question { target: 99.9, load: Some(100.0), ..question(&fleet) };
    let answer = ask(&question).unwrap();
    let chosen = answer.cheapest.as_ref().unwrap();
    let only_closed = answer.only_closed.as_ref().unwrap();
    assert!(only_closed.candidate.tasks < chosen.candidate.tasks, "{:?}", chosen.candidate);
    let tolerated = question.tolerated();
    assert!(answer.as_simulated(&question, chosen) <= tolerated);
    assert!(answer.as_simulated(&question, only_closed) > tolerated);
}

#[test]
fn too_few_requests_show_nothing() {
    let fleet = fleet("desired_count = 2\n");
    let question = question(&fleet);
    // Nor does a task that bears less than one at a time.
    for (load, capacity) in [(None, None), (Some(0.5), None), (Some(10.0), Some(5.0))] {
        let question = Question { load, capacity, ..question.clone() };
        assert!(rehearse(&question, &Candidate::of(&question)).is_empty(), "{load:?} {capacity:?}");
    }
}

#[test]
fn the_same_question_is_rehearsed_the_same() {
    let fleet = fleet("desired_count = 2\n");
    let question = asked(&fleet, |world| World { deployments: 1.0, ..world });
    let once = || rehearse(&question, &Candidate::of(&question));
    assert_eq!(once(), once());
}
