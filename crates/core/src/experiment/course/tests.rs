//! Proof, replacement, strays: from the decisions and views of one small cell.

use super::*;
use crate::cluster::State;
use crate::experiment::{Site, TaskFault};
use crate::record::{Cause, Decision, Exit};

const STOP: Fault = Fault {
    at: Duration::from_secs(1),
    once: None,
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
    tasks.iter().map(|&(task, state)| view(task, 1, state)).collect()
}

/// Odd tasks are in zone a, and even ones in zone b.
fn view(task: u32, revision: u32, state: State) -> View {
    let zone = if task % 2 == 1 { "a" } else { "b" };
    View { task: TaskId(task), revision, state, port: None, location: zone.parse().ok() }
}

/// Two tasks, of which the first is stopped at 1 s and replaced at 8 s.
fn course(exit_seen: bool) -> Course {
    use State::{InRotation, Provisioning, Starting, Stopping};
    let mut course = Course::of(1);
    let provisioning = Duration::from_secs(6);
    let missing = Cause::Missing { have: 1, want: 2, provisioning, location: None };
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
        service: 0,
        task: TaskId(1),
        by: TaskId(3),
        out: ms(1001),
        waited: Duration::ZERO,
        provisioning: ms(6000),
        start: Some(ms(100)),
        entered: Some(ms(8000)),
    };
    assert_eq!(course(true).replacements(), [replacement]);
    assert_eq!(replacement.window(), Some(ms(6999)));
    let took = ms(100)..=ms(100);
    assert_eq!(course(true).starts(0), Some(Starts { all: took.clone(), alone: Some(took) }));
}

#[test]
fn the_power_goes_off_for_who_starts_as_well() {
    use State::{Provisioning, Starting};
    let mut course = course(true);
    let site = Site::Zone("a".to_owned());
    assert_eq!(course.there(&site, 0), [TaskId(3)]);
    let views = [(3, Starting), (5, Starting), (6, Starting), (7, Provisioning)];
    course.observe(at(9000), &views.map(|(task, state)| view(task, 1, state)), &[]);
    assert_eq!(course.there(&site, 0), [TaskId(3), TaskId(5)]);
}

#[test]
fn who_starts_beside_another_one_does_not_start_alone() {
    use State::Starting;
    let ms = Duration::from_millis;
    let mut course = course(true);
    let launch = |millis, task| record(millis, task, Decision::Launch, Cause::Provisioned);
    let records = [launch(9000, 4), launch(9300, 5)];
    course.observe(at(9300), &views(&[(4, Starting), (5, Starting)]), &records);
    course.answered(at(9400), TaskId(4));
    course.answered(at(9700), TaskId(5));
    let alone = Some(ms(100)..=ms(100));
    assert_eq!(course.starts(0), Some(Starts { all: ms(100)..=ms(400), alone }));
}

/// Not who started before the load.
#[test]
fn a_launch_is_of_the_load_with_a_moment_around_it() {
    let ms = Duration::from_millis;
    let mut course = Course::of(1);
    course.observe(
        at(9000),
        &views(&[(4, State::Starting)]),
        &[record(9000, 4, Decision::Launch, Cause::Provisioned)],
    );
    assert_eq!(course.launches(), []);
    course.answered(at(9400), TaskId(4));
    course.begin(at(8000));
    assert_eq!(course.launches(), [ms(950)..ms(1450)]);
    course.begin(at(9000));
    assert_eq!(course.launches(), []);
}

/// Tasks of two services: both start at once, and then one of the second.
#[test]
fn each_service_has_starts_of_its_own_and_none_starts_alone_beside_another_one() {
    use State::Starting;
    let ms = Duration::from_millis;
    let mut course = Course::of(2);
    let launch = |millis, task| record(millis, task, Decision::Launch, Cause::Provisioned);
    course.observe(at(0), &views(&[(1, Starting), (2, Starting)]), &[launch(0, 1), launch(0, 2)]);
    course.answered(at(400), TaskId(1));
    course.answered(at(500), TaskId(2));
    course.observe(at(1000), &views(&[(1, Starting), (4, Starting)]), &[launch(1000, 4)]);
    course.answered(at(1200), TaskId(4));
    let first = Starts { all: ms(400)..=ms(400), alone: None };
    let second = Starts { all: ms(200)..=ms(500), alone: Some(ms(200)..=ms(200)) };
    assert_eq!([0, 1].map(|place| course.starts(place)), [Some(first), Some(second)]);
    assert_eq!(Course::of(2).starts(0), None);
}

/// It hangs at 1 s, and its checks say so 7 s later.
#[test]
fn a_hang_is_found_while_it_lasts() {
    use State::{InRotation, OutOfRotation};
    let detect = |lasts, out_at| {
        let mut course = Course::of(1);
        course.observe(at(0), &views(&[(1, InRotation), (2, InRotation)]), &[]);
        course.begin(at(0));
        let kind = FaultKind::Task { service: 0, tasks: Which::Oldest(1), fault: TaskFault::Hang };
        let fault = Fault { lasts: Duration::from_secs(lasts), kind, ..STOP };
        course.inflict(at(1000), fault, vec![TaskId(1)]);
        course.observe(at(out_at), &views(&[(1, OutOfRotation), (2, InRotation)]), &[]);
        course.detections()
    };
    let found = |took| Detection { service: 0, task: TaskId(1), fault: TaskFault::Hang, took };
    assert_eq!(detect(9, 8000), [found(Some(Duration::from_secs(7)))]);
    assert_eq!(detect(5, 8000), [found(None)], "it was over before");
    assert_eq!(course(true).detections(), [], "who is stopped is not found out");
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
fn a_fault_meets_all_of_a_zone_or_of_a_machine() {
    let course = course(true);
    let meant = |tasks: Which| course.meant(&tasks, 0);
    assert_eq!(meant(Which::All), [TaskId(2), TaskId(3)]);
    assert_eq!(meant(Which::In(Site::Zone("a".to_owned()))), [TaskId(3)]);
    assert_eq!(meant(Which::In(Site::Machine("b".parse().unwrap()))), [TaskId(2)]);
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
    let nobody = "none of the 1 in rotation was there";
    assert_eq!(stop(Which::In(Site::Zone("a".to_owned())), 5000), nobody);
    assert_eq!(stop(Which::In(Site::Machine("b/1".parse().unwrap())), 5000), nobody);
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
    assert_eq!((course.strays(&[]), course.replacements()), (vec![], vec![]));
}

#[test]
fn a_task_that_goes_by_itself_is_a_stray() {
    let mut course = course(true);
    let crash = record(9000, 2, Decision::Gone, Cause::Exited(Exit::Signal(11)));
    course.observe(at(9000), &views(&[(3, State::InRotation)]), &[crash]);
    let stray = "task-2 went at 9.0s without a fault: ended by signal 11";
    assert_eq!(course.strays(&[]), [stray]);
}

/// What a fault meets comes back when it is over, and another one has been started by then.
#[test]
fn who_is_one_too_many_for_one_that_came_back_is_no_stray() {
    use State::{Draining, InRotation};
    let hang = Fault {
        lasts: Duration::from_secs(3),
        kind: FaultKind::Task { service: 0, fault: TaskFault::Hang, tasks: Which::Oldest(1) },
        ..STOP
    };
    let with = |met: Vec<TaskId>| {
        let mut course = Course::of(1);
        course.observe(at(0), &views(&[(1, InRotation), (2, InRotation)]), &[]);
        course.begin(at(0));
        course.inflict(at(1000), hang.clone(), met);
        let retire = record(6000, 3, Decision::Retire, Cause::Surplus { have: 3, want: 2 });
        let there = views(&[(1, InRotation), (2, InRotation), (3, Draining)]);
        course.observe(at(6000), &there, &[retire]);
        course.strays(&[]).len()
    };
    assert_eq!((with(vec![TaskId(1)]), with(vec![])), (0, 1));
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
        (course.strays(&[]).len(), problems.len())
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

/// A deployment of two tasks at 50 %: one of them goes at 1 s and makes room for a new one, the other
/// is killed as soon as that is started, and is replaced with its own revision.
mod deployment {
    use super::*;
    use crate::experiment::{Definition, Once};

    fn deploy() -> Fault {
        let definition = Definition::default();
        Fault { kind: FaultKind::Deploy { service: 0, definition }, ..STOP }
    }

    fn kill(once: Once) -> Fault {
        let kind = FaultKind::End { how: Ending::Kill, service: 0, tasks: Which::Oldest(1) };
        Fault { once: Some(once), kind, ..STOP }
    }

    fn seen(course: &mut Course, millis: u64, tasks: &[(u32, u32, State)], records: &[Record]) {
        let view = |&(task, revision, state)| view(task, revision, state);
        let views: Vec<View> = tasks.iter().map(view).collect();
        course.observe(at(millis), &views, records);
    }

    fn missing() -> Cause {
        let provisioning = Duration::from_secs(3);
        Cause::Missing { have: 0, want: 2, provisioning, location: None }
    }

    /// Until the moment in which the first new task is started.
    fn begun() -> Course {
        use State::{Draining, InRotation, Provisioning};
        let mut course = Course::of(1);
        let records = [1, 2].map(|task| record(0, task, Decision::Start, missing()));
        seen(&mut course, 0, &[(1, 1, InRotation), (2, 1, InRotation)], &records);
        course.begin(at(0));
        course.inflict(at(1000), deploy(), vec![]);
        let retire = record(1001, 1, Decision::Retire, Cause::OldRevision);
        seen(&mut course, 1001, &[(1, 1, Draining), (2, 1, InRotation)], &[retire]);
        let start = record(1100, 3, Decision::Start, missing());
        seen(&mut course, 1100, &[(2, 1, InRotation), (3, 2, Provisioning)], &[start]);
        course
    }

    fn done() -> Course {
        use State::{Draining, InRotation, Provisioning};
        let mut course = begun();
        course.inflict(at(1102), kill(Once::NewTaskStarted), vec![TaskId(2)]);
        course.process_ended(at(1103), TaskId(2));
        let gone = record(1104, 2, Decision::Gone, Cause::Exited(Exit::Signal(9)));
        let start = record(1104, 4, Decision::Start, missing());
        seen(&mut course, 1104, &[(3, 2, Provisioning), (4, 1, Provisioning)], &[gone, start]);
        seen(&mut course, 4000, &[(3, 2, InRotation), (4, 1, InRotation)], &[]);
        let records = [
            record(4001, 4, Decision::Retire, Cause::OldRevision),
            record(4001, 5, Decision::Start, missing()),
        ];
        let tasks = [(3, 2, InRotation), (4, 1, Draining), (5, 2, Provisioning)];
        seen(&mut course, 4001, &tasks, &records);
        seen(&mut course, 7000, &[(3, 2, InRotation), (5, 2, InRotation)], &[]);
        course
    }

    #[test]
    fn what_waits_for_a_deployment_comes_when_it_has_come_so_far() {
        let due = |course: &Course, once| course.due(&kill(once));
        let mut before = Course::of(1);
        before.begin(at(0));
        assert_eq!(due(&before, Once::NewTaskStarted), None);
        assert_eq!(before.due(&STOP), Some(at(1000)));
        let begun = begun();
        assert_eq!(due(&begun, Once::OldTaskLeft), Some(at(1001)));
        assert_eq!(due(&begun, Once::NewTaskStarted), Some(at(1100)));
        assert_eq!(due(&begun, Once::NewTaskServes), None);
        assert_eq!(due(&done(), Once::NewTaskServes), Some(at(4000)));
        let later = Fault { at: Duration::from_secs(2), ..kill(Once::OldTaskLeft) };
        assert_eq!(begun.due(&later), None, "it waits for another deployment");
    }

    #[test]
    fn it_is_told_with_its_beginning_and_its_end() {
        let ms = Duration::from_millis;
        let rollout = |course: Course| {
            let rollout = course.rollouts(&[2]).remove(0);
            (rollout.started, rollout.done)
        };
        assert_eq!(rollout(begun()), (Some(ms(100)), None));
        assert_eq!(rollout(done()), (Some(ms(100)), Some(ms(6000))));
        assert_eq!(done().fewest_and_most(0), (0, 3));
        assert_eq!(begun().fewest_and_most(0), (1, 2));
        assert_eq!(done().last_awaited(), Some(ms(1102)));
    }

    #[test]
    fn it_is_back_when_only_old_ones_are_there_for_good_and_says_how_many_stayed() {
        use State::{InRotation, Provisioning};
        let ms = Duration::from_millis;
        let rollout = |course: &Course| {
            let rollout = course.rollouts(&[2]).remove(0);
            (rollout.done, rollout.back, rollout.kept)
        };
        assert_eq!(rollout(&done()), (Some(ms(6000)), None, 0));
        let mut course = begun();
        seen(&mut course, 2000, &[(2, 1, InRotation), (4, 1, InRotation)], &[]);
        assert_eq!(rollout(&course), (None, Some(ms(1000)), 1));
        // It was not given up yet.
        let again = [(2, 1, InRotation), (4, 1, InRotation), (5, 2, Provisioning)];
        seen(&mut course, 3000, &again, &[]);
        assert_eq!(rollout(&course), (None, None, 1));
        seen(&mut course, 4000, &[(2, 1, InRotation), (4, 1, InRotation)], &[]);
        assert_eq!(rollout(&course), (None, Some(ms(3000)), 1));
    }

    #[test]
    fn only_who_was_killed_is_replaced_and_nobody_is_a_stray() {
        let course = done();
        let pairs: Vec<_> = course.replacements().iter().map(|r| (r.task.0, r.by.0)).collect();
        assert_eq!(pairs, [(2, 4)]);
        assert_eq!(course.strays(&[]), [""; 0]);
        // An old task that dies is one all the same.
        let mut course = begun();
        let crash = record(2000, 2, Decision::Gone, Cause::Exited(Exit::Signal(11)));
        seen(&mut course, 2000, &[(3, 2, State::Provisioning)], &[crash]);
        assert_eq!(course.strays(&[]).len(), 1);
    }

    #[test]
    fn its_effect_is_a_new_task() {
        let timeout = Duration::from_secs(3);
        let faults = [deploy(), kill(Once::NewTaskStarted)];
        assert_eq!(done().unproven(&faults, timeout), [""; 0]);
        let told = begun().unproven(&faults, timeout);
        let never = "the kill of 1 task once a new task is started was never carried out";
        assert_eq!(told, [never]);

        let mut course = Course::of(1);
        seen(&mut course, 0, &[(1, 1, State::InRotation)], &[]);
        course.begin(at(0));
        course.inflict(at(1000), deploy(), vec![]);
        assert!(!course.settled(at(2000), timeout));
        let what = "the deployment of the same definition at 1s had no effect";
        let none = format!("{what}: no new task was started");
        assert_eq!(course.unproven(&[deploy()], timeout), [none]);
        course.refused("another one is under way");
        assert!(course.settled(at(2000), timeout));
        let refused = format!("{what}: another one is under way");
        assert_eq!(course.unproven(&[deploy()], timeout), [refused]);
    }

    #[test]
    fn fewer_tasks_for_less_load_are_no_strays() {
        let mut course = Course::of(1);
        seen(&mut course, 0, &[(1, 1, State::InRotation), (2, 1, State::InRotation)], &[]);
        course.begin(at(0));
        let retire = record(2000, 2, Decision::Retire, Cause::Surplus { have: 2, want: 1 });
        let tasks = [(1, 1, State::InRotation), (2, 1, State::Draining)];
        seen(&mut course, 2000, &tasks, &[retire]);
        assert_eq!((course.strays(&[]).len(), course.strays(&[0]).len()), (1, 0));
    }

    /// A new task that fails its checks is replaced by the one that is started for that, and neither by
    /// itself nor by those that the deployment brought.
    #[test]
    fn a_new_task_that_fails_is_replaced_by_what_is_started_then() {
        use State::{Draining, InRotation, OutOfRotation, Provisioning};
        let mut course = done();
        let failing = [(3, 2, OutOfRotation), (5, 2, InRotation), (6, 2, Provisioning)];
        seen(&mut course, 8000, &failing, &[record(8000, 6, Decision::Start, missing())]);
        let retire = record(12_000, 3, Decision::Retire, Cause::Replaced);
        let replaced = [(3, 2, Draining), (5, 2, InRotation), (6, 2, InRotation)];
        seen(&mut course, 12_000, &replaced, &[retire]);
        let pairs: Vec<_> = course.replacements().iter().map(|r| (r.task.0, r.by.0)).collect();
        assert_eq!(pairs, [(2, 4), (3, 6)]);
    }
}
