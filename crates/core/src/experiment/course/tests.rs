//! Proof, replacement, strays: from the decisions and views of one small cell.

use super::*;
use crate::cluster::State;
use crate::record::{Cause, Decision, Exit};

const STOP: Fault = Fault {
    at: Duration::from_secs(1),
    lasts: Duration::ZERO,
    kind: FaultKind::End { how: Ending::Stop, service: 0, tasks: Which::Oldest(1) },
};

fn at(millis: u64) -> Instant {
    Instant::from_nanos(millis * 1_000_000)
}

fn record(millis: u64, task: u32, decision: Decision, cause: Cause) -> Record {
    Record { at: at(millis), task: Some(TaskId(task)), decision, cause }
}

fn views(tasks: &[(u32, State)]) -> Vec<View> {
    let view = |&(task, state)| View { task: TaskId(task), revision: 1, state, port: None };
    tasks.iter().map(view).collect()
}

/// Two tasks, of which the first is stopped at 1 s and replaced at 8 s.
fn course(exit_seen: bool) -> Course {
    use State::{InRotation, Provisioning, Starting, Stopping};
    let mut course = Course::of(1);
    let provisioning = Duration::from_secs(6);
    let missing = Cause::Missing { have: 1, want: 2, provisioning };
    course.observe(at(0), &views(&[(1, InRotation), (2, InRotation)]), &[]);
    course.begin(at(0));
    assert_eq!(course.in_rotation(), [TaskId(1), TaskId(2)]);
    course.inflict(at(1000), STOP, vec![TaskId(1)]);
    let records = [
        record(1001, 1, Decision::Terminate, Cause::ByHand),
        record(1001, 3, Decision::Start, missing),
    ];
    course.observe(
        at(1002),
        &views(&[(1, Stopping), (2, InRotation), (3, Provisioning)]),
        &records,
    );
    if exit_seen {
        course.process_ended(at(1100), TaskId(1));
    }
    let gone = record(1100, 1, Decision::Gone, Cause::Exited(Exit::Code(0)));
    course.observe(at(1100), &views(&[(2, InRotation), (3, Provisioning)]), &[gone]);
    let launch = record(7001, 3, Decision::Launch, Cause::Provisioned);
    course.observe(at(7002), &views(&[(2, InRotation), (3, Starting)]), &[launch]);
    course.answered(at(7101), TaskId(3));
    course.observe(at(8000), &views(&[(2, InRotation), (3, InRotation)]), &[]);
    course
}

#[test]
fn a_replacement_is_told_with_the_parts_of_its_window() {
    let ms = Duration::from_millis;
    let replacement = Replacement {
        task: TaskId(1),
        by: TaskId(3),
        out: ms(1001),
        provisioning: ms(6000),
        start: Some(ms(100)),
        entered: Some(ms(8000)),
    };
    assert_eq!(course(true).replacements(), [replacement]);
    assert_eq!(replacement.window(), Some(ms(6999)));
    assert_eq!(course(true).starts(0), ms(100)..=ms(100));
}

#[test]
fn a_fault_needs_its_proof() {
    let timeout = Duration::from_secs(3);
    let none: [String; 0] = [];
    assert_eq!(course(true).unproven(&[STOP], timeout), none);
    let still_there = "4s after the stop of 1 task at 1s the process of task-1 was still there";
    assert_eq!(course(false).unproven(&[STOP], timeout), [still_there]);
    let never = "the stop of 1 task at 1s was never carried out";
    assert_eq!(course(true).unproven(&[STOP, STOP], timeout), [never]);

    let mut course = course(true);
    course.inflict(at(1200), STOP, vec![]);
    let problems = course.unproven(&[STOP, STOP], timeout);
    assert_eq!(problems[0], "the stop of 1 task at 1s came 200ms late, more than 100ms");
    assert!(problems[1].contains("met no task"), "{problems:?}");
}

#[test]
fn a_fault_that_met_nobody_says_why() {
    let why = |how, tasks, millis| {
        let mut course = course(true);
        let kind = FaultKind::End { how, service: 0, tasks };
        course.inflict(at(millis), Fault { kind, ..STOP }, vec![]);
        let problem = course.without_effect(&course.inflicted[1], Duration::ZERO).remove(0);
        problem.split_once(" met no task: ").unwrap().1.to_owned()
    };
    let stop = |tasks, millis| why(Ending::Stop, tasks, millis);
    assert_eq!(stop(Which::Task(TaskId(9)), 5000), "there was no task-9");
    assert_eq!(stop(Which::Task(TaskId(3)), 500), "there was no task-3");
    assert_eq!(stop(Which::Task(TaskId(3)), 5000), "task-3 was not in rotation");
    assert_eq!(stop(Which::Task(TaskId(1)), 9000), "task-1 was not in rotation");
    assert_eq!(stop(Which::Oldest(2), 5000), "1 task was in rotation");
    let ended = "a process that it was meant for had ended by itself";
    assert_eq!(why(Ending::Kill, Which::Task(TaskId(2)), 5000), ended);
}

#[test]
fn a_fault_is_settled_when_its_end_is_seen_and_recorded_or_overdue() {
    let timeout = Duration::from_secs(3);
    assert!(course(true).settled(at(1200), timeout));
    assert!(!course(false).settled(at(5000), timeout));
    assert!(course(false).settled(at(5001), timeout));
}

#[test]
fn what_went_before_the_load_concerns_nobody() {
    let mut course = Course::of(1);
    let crash = record(500, 1, Decision::Gone, Cause::Exited(Exit::Code(1)));
    course.observe(at(500), &views(&[(2, State::InRotation)]), &[crash]);
    course.begin(at(1000));
    assert_eq!((course.strays(), course.replacements()), (vec![], vec![]));
}

#[test]
fn a_task_that_goes_by_itself_is_a_stray() {
    let mut course = course(true);
    let crash = record(9000, 2, Decision::Gone, Cause::Exited(Exit::Signal(11)));
    course.observe(at(9000), &views(&[(3, State::InRotation)]), &[crash]);
    let stray = "task-2 went at 9.0s without a fault: ended by signal 11";
    assert_eq!(course.strays(), [stray]);
}

fn disturbance() -> Fault {
    let fault = super::super::LinkFault::Latency(Duration::from_secs(30));
    Fault { lasts: Duration::from_secs(2), kind: FaultKind::Link { to: 0, fault }, ..STOP }
}

#[test]
fn a_fault_that_ends_nobody_needs_the_word_of_who_did_it() {
    let timeout = Duration::from_secs(3);
    let told = |effect: Option<Result<(), String>>| {
        let mut course = Course::of(1);
        course.begin(at(0));
        let number = course.inflict(at(1000), disturbance(), vec![]);
        if let Some(effect) = effect {
            course.told(number, effect);
        }
        (course.settled(at(4000), timeout), course.unproven(&[disturbance()], timeout))
    };
    assert_eq!(told(Some(Ok(()))), (true, vec![]));
    let (settled, problems) = told(Some(Err("no call met it".into())));
    assert!(settled && problems[0].ends_with("had no effect: no call met it"), "{problems:?}");
    let (settled, problems) = told(None);
    assert!(!settled && problems[0].starts_with("nobody could tell"), "{problems:?}");
}

#[test]
fn who_dies_of_a_query_is_no_stray_and_nobody_else() {
    let path = "/death".to_owned();
    let query = Fault { kind: FaultKind::QueryOfDeath { service: 0, path }, ..STOP };
    let of_death = |asked: u64| {
        let mut course = course(true);
        course.inflict(at(asked), query.clone(), vec![]);
        let crash = record(9000, 2, Decision::Gone, Cause::Exited(Exit::Signal(6)));
        course.observe(at(9000), &views(&[(3, State::InRotation)]), &[crash]);
        let problems = course.without_effect(&course.inflicted[1], Duration::ZERO);
        (course.strays().len(), problems.len())
    };
    assert_eq!(of_death(8000), (0, 0));
    assert_eq!(of_death(5000), (1, 1), "too early to have been it");
}

#[test]
fn services_have_their_own_tasks() {
    use State::InRotation;
    let mut course = Course::of(2);
    let all = [(1, InRotation), (2, InRotation), (3, InRotation), (4, InRotation)];
    course.observe(at(0), &views(&all), &[]);
    course.begin(at(1));
    assert_eq!(course.in_rotation_of(0), [TaskId(1), TaskId(3)]);
    assert_eq!(course.at_the_beginning(1), [TaskId(2), TaskId(4)]);
}
