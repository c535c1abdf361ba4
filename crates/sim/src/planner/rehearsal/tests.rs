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
    assert!((480.0..=540.0).contains(&dies.mean().unwrap()), "{dies:?}");
    assert_eq!((dies.differs(&question), dies.lasting()), (Some(false), 0));
    // It is found after 7 to 12 s.
    let hangs = only(&all, Event::Hangs);
    let (least, most) = hangs.range().unwrap();
    assert!(least > 1150.0 && most < 1800.0 && most > least + 100.0, "{hangs:?}");
    assert_eq!(hangs.differs(&question), Some(false));
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
    assert!(dies.lasting() > 0 && dies.mean().is_none(), "{dies:?}");
    let answer = ask(&question).unwrap();
    assert!(answer.now.as_ref().unwrap().meets(&question), "in closed form");
    // A bulkhead turns away what would be late.
    let chosen = answer.cheapest.as_ref().unwrap();
    assert_eq!(chosen.candidate.changes, ["bulkhead.size = 50"]);
}

/// By two routes, of which one is asked for.
#[test]
fn only_what_is_asked_for_counts() {
    let fleet = fleet(&format!(
        "desired_count = 1\n{ONCE}[[service.store.route]]\nname = \"search\"\npath = \"/search\"\n"
    ));
    let fails = |percent| {
        let question = Question { route_percent: Some(percent), ..asked(&fleet, |world| world) };
        only(&rehearse(&question, &Candidate::of(&question)), Event::Dies).mean().unwrap()
    };
    let [all, some] = [100.0, 20.0].map(fails);
    assert!((some / all - 0.2).abs() < 0.05, "{some} of {all}");
}

#[test]
fn too_few_requests_show_nothing() {
    let fleet = fleet("desired_count = 2\n");
    let question = question(&fleet);
    for load in [None, Some(0.5)] {
        let question = Question { load, ..question.clone() };
        assert!(rehearse(&question, &Candidate::of(&question)).is_empty(), "{load:?}");
    }
}

#[test]
fn the_same_question_is_rehearsed_the_same() {
    let fleet = fleet("desired_count = 2\n");
    let question = asked(&fleet, |world| World { deployments: 1.0, ..world });
    let once = || rehearse(&question, &Candidate::of(&question));
    assert_eq!(once(), once());
}
