//! What is planned for fleets that fit on a line.

use super::*;

/// `C` coming, `U` unsettled, `S` serving, `M` serving and to be replaced, `N` unsettled and to be replaced,
/// `F` failing, `P` failing and perhaps for the moment, `L` leaving; lower case: of the old revision.
fn observed(tasks: &str) -> Observed {
    let seen = |(n, letter): (usize, char)| Seen {
        task: TaskId(n as u32 + 1),
        revision: if letter.is_lowercase() { 1 } else { 2 },
        location: None,
        standing: match letter.to_ascii_uppercase() {
            'C' => Standing::Coming,
            'U' | 'N' => Standing::Unsettled,
            'S' | 'M' => Standing::Serving,
            'F' | 'P' => Standing::Failing,
            _ => Standing::Leaving,
        },
        lasting: !letter.eq_ignore_ascii_case(&'P'),
        replace: "MN".contains(letter.to_ascii_uppercase()).then_some(Replace::ByHand),
    };
    Observed { tasks: tasks.chars().enumerate().map(seen).collect(), informed: true }
}

fn desired(count: u32, floor: u32, ceiling: u32) -> Desired {
    Desired {
        count,
        floor,
        ceiling,
        revision: 2,
        new: count,
        old: Vec::new(),
        keep: 0,
        unproven: false,
    }
}

fn steps(count: u32, floor: u32, ceiling: u32, tasks: &str) -> String {
    told(&desired(count, floor, ceiling), tasks)
}

/// So many old ones have a place.
fn rolling(places: u32, desired: &Desired, tasks: &str) -> String {
    told(&Desired { old: vec![(1, places)], ..desired.clone() }, tasks)
}

fn told(desired: &Desired, tasks: &str) -> String {
    let plan = plan(desired, &observed(tasks));
    let step = |step: &Step| match step {
        Step::Start(1) => "start-old".to_owned(),
        Step::Start(_) => "start".to_owned(),
        Step::Retire(task, _) => format!("-{}", task.0),
    };
    let steps: Vec<String> = plan.steps.iter().map(step).collect();
    let waiting: Vec<String> = plan.waiting_on.iter().map(|w| format!("{w:?}")).collect();
    format!("{} | {}", steps.join(" "), waiting.join(" "))
}

#[test]
fn a_dead_task_is_replaced_at_once_whatever_the_floor() {
    assert_eq!(steps(2, 2, 4, "S"), "start | ");
    assert_eq!(steps(3, 2, 6, "S"), "start start | ");
    assert_eq!(steps(3, 2, 6, "SSC"), " | Coming(1)");
    assert_eq!(steps(2, 1, 2, "SL"), " | Ceiling(1) Leaving(1)");
}

#[test]
fn a_rollout_stops_first_or_starts_first_as_the_percents_allow() {
    // 50 % of 4 may stop two first; 200 % of 4 may start four first: both at once.
    assert_eq!(steps(4, 2, 8, "ssss"), "start start start start -1 -2 | Floor(2)");
    // 100 % keeps all until new ones serve.
    assert_eq!(steps(2, 2, 4, "ss"), "start start | Floor(2)");
    assert_eq!(steps(2, 2, 4, "ssSC"), "-1 | Floor(1) Coming(1)");
    // No surge: stop one, then start one.
    assert_eq!(steps(2, 1, 2, "ss"), "-1 | Ceiling(2) Floor(1)");
    assert_eq!(steps(2, 1, 2, "s"), "start | Ceiling(1) Floor(1)");
}

#[test]
fn a_failing_task_goes_when_it_is_replaced() {
    assert_eq!(steps(2, 2, 4, "SF"), "start | ");
    assert_eq!(steps(2, 2, 4, "SFC"), " | Coming(1)");
    assert_eq!(steps(2, 2, 4, "SFS"), "-2 | ");
    assert_eq!(steps(2, 1, 2, "SF"), "-2 | Ceiling(1)");
    // It may be well again before its place is taken.
    assert_eq!(steps(2, 1, 2, "SP"), " | Ceiling(1)");
    assert_eq!(steps(2, 2, 4, "SPS"), "-2 | ");
    assert_eq!(steps(2, 1, 2, "FF"), " | Ceiling(2) EveryoneLooksBad");
    assert_eq!(steps(2, 1, 2, "ff"), "-1 | Ceiling(2)");
}

#[test]
fn surplus_goes_coming_ones_first_and_then_the_youngest() {
    assert_eq!(steps(2, 2, 4, "SSC"), "-3 | Coming(1)");
    assert_eq!(steps(2, 2, 4, "SSSS"), "-4 -3 | ");
    assert_eq!(steps(0, 0, 0, "SS"), "-2 -1 | ");
    let given_up = Desired { new: 0, keep: 2, ..desired(2, 2, 4) };
    assert_eq!(rolling(2, &given_up, "ssU"), "-3 | Kept(2) Settling(1)");
    assert_eq!(rolling(2, &given_up, "sU"), "start-old | Kept(1) Settling(1)", "it may serve");
}

#[test]
fn without_sightings_tasks_start_but_none_retires() {
    let desired = desired(2, 2, 4);
    let unknown = Observed { informed: false, ..observed("sS") };
    let plan = plan(&desired, &unknown);
    assert_eq!(plan.steps, [Step::Start(2)]);
    assert_eq!(plan.waiting_on, [Waiting::Sightings]);
}

#[test]
fn a_task_that_dies_in_a_rollout_is_replaced_with_its_own_revision_if_the_floor_needs_it() {
    // One of two old ones died, the new ones are on their way.
    assert_eq!(rolling(2, &desired(2, 2, 4), "sCC"), "start-old | Floor(1) Coming(2)");
    assert_eq!(rolling(2, &desired(2, 2, 4), "scCC"), " | Floor(1) Coming(3)");
    // With half of them as a floor it is not needed.
    assert_eq!(rolling(2, &desired(2, 1, 4), "sCC"), " | Floor(1) Coming(2)");
    // A new one died.
    assert_eq!(rolling(2, &desired(2, 2, 4), "ssC"), "start | Floor(2) Coming(1)");
    // The one that is left of a short ceiling is for the floor.
    assert_eq!(rolling(3, &desired(3, 3, 4), "ssC"), "start-old | Ceiling(2) Floor(2) Coming(1)");
}

#[test]
fn a_new_task_takes_nobodys_place_before_it_has_settled() {
    assert_eq!(rolling(2, &desired(2, 2, 4), "ssUU"), " | Floor(2) Settling(2)");
    assert_eq!(rolling(2, &desired(2, 2, 4), "ssSU"), "-1 | Floor(1) Settling(1)");
    // One that is out does not count for the floor, and is not killed for it either.
    assert_eq!(steps(3, 2, 6, "SSU"), " | Settling(1)");
}

#[test]
fn a_canary_keeps_the_old_ones() {
    let canary = || Desired { new: 1, keep: 3, ..desired(4, 2, 8) };
    assert_eq!(rolling(4, &canary(), "ssss"), "start -1 | Kept(3)");
    assert_eq!(rolling(3, &canary(), "sssS"), " | Kept(3)");
    assert_eq!(rolling(3, &canary(), "ssS"), "start-old | Kept(2)");
}

#[test]
fn a_task_that_is_to_be_replaced_goes_when_another_one_serves() {
    assert_eq!(steps(2, 2, 4, "SM"), "start | ");
    assert_eq!(steps(2, 2, 4, "SMC"), " | Coming(1)");
    assert_eq!(steps(2, 2, 4, "SMS"), "-2 | ");
    // There is no room: it goes first, if the floor lets it.
    assert_eq!(steps(2, 1, 2, "SM"), "-2 | Ceiling(1)");
    assert_eq!(steps(2, 1, 2, "MM"), "-1 | Ceiling(2)");
    assert_eq!(steps(2, 1, 2, "SN"), "-2 | Ceiling(1) Settling(1)");
    // One that has not settled may serve all the same.
    assert_eq!(steps(3, 2, 3, "SUN"), " | Ceiling(1) Settling(2)");
}
