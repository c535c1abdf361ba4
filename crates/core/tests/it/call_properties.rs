//! Whatever happens to calls: each ends once, none is tried more often or elsewhere than it may be,
//! and nothing that was counted stays counted.

use proptest::prelude::*;
use seaworthy_core::balance::Algorithm;
use seaworthy_core::call::{Action, Failure, FailureKind};
use seaworthy_core::machine::Machine;

use crate::observer::Observer;

pub(crate) const TASKS: u32 = 5;

/// What happens next. `usize` picks among the calls that are not over, `u32` among those that are.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Rotate(Vec<u32>),
    Begin { repeatable: bool, safe: bool, deadline: Option<u64> },
    Head(usize, u16),
    Failed(usize, Failure),
    Done(usize),
    ClientGone(usize),
    Earlier(usize, Failure),
    Over(usize, Failure),
    Wait(u64),
    Spurious,
}

fn failure() -> impl Strategy<Value = Failure> {
    let kind = prop_oneof![
        Just(FailureKind::Refused),
        Just(FailureKind::ConnectTimeout),
        Just(FailureKind::Closed),
        Just(FailureKind::Malformed),
    ];
    (kind, any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
        |(kind, sent, answered, reused, replayable)| {
            let connected = matches!(kind, FailureKind::Closed | FailureKind::Malformed);
            let (sent, reused) = (sent && connected, reused && connected);
            Failure { sent, answered: answered && sent, reused, replayable, kind }
        },
    )
}

fn step() -> impl Strategy<Value = Step> {
    let rotation = prop::sample::subsequence((1..=TASKS).collect::<Vec<_>>(), 0..=TASKS as usize);
    let begin = (any::<bool>(), any::<bool>(), prop::option::of(0..20_000u64));
    prop_oneof![
        2 => rotation.prop_map(Step::Rotate),
        8 => begin
            .prop_map(|(repeatable, safe, deadline)| Step::Begin { repeatable, safe, deadline }),
        6 => (any::<usize>(), prop::sample::select(&[200, 200, 103, 404, 500][..]))
            .prop_map(|(call, status)| Step::Head(call, status)),
        8 => (any::<usize>(), failure()).prop_map(|(call, how)| Step::Failed(call, how)),
        3 => any::<usize>().prop_map(Step::Done),
        1 => any::<usize>().prop_map(Step::ClientGone),
        1 => (any::<usize>(), failure()).prop_map(|(call, how)| Step::Earlier(call, how)),
        1 => (any::<usize>(), failure()).prop_map(|(call, how)| Step::Over(call, how)),
        4 => (0..6_000u64).prop_map(Step::Wait),
        3 => Just(Step::Spurious),
    ]
}

fn algorithm() -> impl Strategy<Value = Algorithm> {
    prop_oneof![Just(Algorithm::RoundRobin), Just(Algorithm::LeastOutstandingRequests)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn every_call_ends_once_and_nothing_stays_counted(
        algorithm in algorithm(),
        tries in 1..5u32,
        queue in any::<bool>(),
        steps in prop::collection::vec(step(), 0..120),
    ) {
        let mut observer = Observer::new(algorithm, tries, queue);
        observer.step(&Step::Rotate((1..=TASKS).collect()));
        for step in &steps {
            observer.step(step);
        }
        for n in (3..observer.open.len()).rev() {
            observer.finish(n);
        }
        observer.step(&Step::Wait(10_000));
        prop_assert!(observer.open.is_empty(), "{:?}", observer.open);
        prop_assert_eq!(observer.dispatcher.poll_timeout(), None);
        observer.step(&Step::Rotate(Vec::new()));
        prop_assert_eq!(observer.dispatcher.tasks().count(), 0);
    }

    #[test]
    fn timeouts_that_nobody_wanted_change_nothing(
        algorithm in algorithm(),
        steps in prop::collection::vec(step(), 0..120),
    ) {
        let log = |spurious: bool| {
            let mut observer = Observer::new(algorithm, 3, true);
            let wanted = |step: &&Step| spurious || !matches!(step, Step::Spurious);
            steps.iter().filter(wanted).for_each(|step| observer.step(step));
            observer.log
        };
        prop_assert_eq!(log(true), log(false));
        prop_assert_eq!(log(true), log(true));
    }

}

proptest! {
    // Each case is ten thousand calls.
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// Each task has its even share to within 5 % of it, although tasks come and go, calls overlap
    /// and are of unequal length.
    #[test]
    fn shares_are_even_while_tasks_come_and_go(
        changes in prop::collection::vec(
            (prop::sample::subsequence(vec![1, 2, 3, 4, 5], 2..=5), 100..500usize),
            30..40,
        ),
    ) {
        let mut observer = Observer::new(Algorithm::RoundRobin, 3, false);
        let mut fair = [0.0; TASKS as usize + 1];
        for (tasks, length) in &changes {
            observer.step(&Step::Rotate(tasks.clone()));
            for n in 0..*length {
                observer.step(&Step::Begin { repeatable: true, safe: false, deadline: None });
                if observer.open.len() > n % 7 {
                    observer.finish(n);
                }
            }
            for task in tasks {
                fair[*task as usize] += *length as f64 / tasks.len() as f64;
            }
        }
        for (task, fair) in fair.iter().enumerate() {
            let to = |action: &&Action| {
                matches!(action, Action::Try { task: to, .. } if to.0 as usize == task)
            };
            let got = observer.log.iter().map(|(_, action)| action).filter(to).count() as f64;
            prop_assert!((got - fair).abs() <= 0.05 * fair, "task-{task}: {got}, fair is {fair}");
        }
    }
}
