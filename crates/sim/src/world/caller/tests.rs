use std::time::Duration;

use proptest::prelude::*;
use seaworthy_core::call::{Attempt, CallId};
use seaworthy_core::policy::{breaker, bulkhead, fallback, retry};

use super::*;
use crate::world::task::Asked;

const MS: fn(u64) -> Duration = Duration::from_millis;

/// A task whose calls are answered by hand.
struct Task {
    now: Instant,
    calls: Calls,
    /// Where those that are under way went.
    asked: Vec<(Try, usize)>,
    wakes: Vec<(Instant, u64)>,
    /// By request.
    answers: Vec<(u32, u16, Option<u32>)>,
    requests: u32,
}

impl Task {
    fn new(config: &Caller) -> Self {
        let (now, none) = (Instant::EPOCH, Vec::new());
        let calls = Calls::new(now, config, 7, false);
        Self { now, calls, asked: none, wakes: Vec::new(), answers: Vec::new(), requests: 0 }
    }

    fn request(&mut self, method: &'static str) {
        let call = CallId { slot: self.requests, generation: 0 };
        let asked = Asked::default();
        let (attempt, status) = (Attempt(1), 200);
        let job = Job { call, attempt, deadly: false, status, asked, halved: false };
        self.requests += 1;
        let arrival = Arrival::new(method, "/page".to_owned());
        self.calls.take(job, Arc::new(arrival), None);
        assert!(self.calls.begin(self.now, job));
        self.carry_out();
    }

    /// The earliest call to the service at this place is answered; none: it breaks off.
    fn answer(&mut self, from: usize, status: Option<u16>) {
        let first = self.asked.iter().position(|(_, to)| *to == from).expect("it was asked");
        let (one, _) = self.asked.remove(first);
        self.calls.hear(self.now, Word::Came(one, status));
        self.carry_out();
    }

    fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(next) = (0..self.wakes.len()).min_by_key(|n| self.wakes[*n].0)
            && self.wakes[next].0 <= until
        {
            let (at, call) = self.wakes.remove(next);
            self.now = self.now.max(at);
            self.calls.hear(self.now, Word::Time(call));
            self.carry_out();
        }
        self.now = until;
    }

    fn carry_out(&mut self) {
        while let Some(want) = self.calls.poll() {
            match want {
                Want::Ask { one, to, .. } => self.asked.push((one, to)),
                Want::Wake(at, call) => self.wakes.push((at, call)),
                Want::Tell(_) => unreachable!("nobody overhears them"),
                Want::Answer { job, status, degraded } => {
                    self.answers.push((job.call.slot, status, degraded));
                }
            }
        }
    }

    /// Where calls went that are under way.
    fn asked(&self) -> Vec<usize> {
        self.asked.iter().map(|(_, to)| *to).collect()
    }
}

/// With a timeout of a second, and nothing else.
fn dependency(to: usize) -> Dependency {
    let guard = guard::Config {
        timeout: Some(MS(1000)),
        breaker: None,
        bulkhead: None,
        ..guard::Config::default()
    };
    Dependency { to, paths: Vec::new(), needed: false, guard, retry: None, fallback: None }
}

fn calling(dependencies: Vec<Dependency>) -> Caller {
    Caller { pool: None, dependencies }
}

/// What is answered when three services have answered so, the last of which is needed.
fn page(statuses: [Option<u16>; 3]) -> (u16, Option<u32>) {
    let needed = Dependency { needed: true, ..dependency(3) };
    let mut task = Task::new(&calling(vec![dependency(1), dependency(2), needed]));
    task.request("GET");
    assert_eq!(task.asked(), [1, 2, 3], "all at once");
    (1..).zip(statuses).for_each(|(from, status)| task.answer(from, status));
    let (_, status, degraded) = task.answers[0];
    (status, degraded)
}

#[test]
fn an_answer_without_a_piece_says_so_unless_it_is_needed_or_nothing_is_left() {
    let (good, bad) = (Some(200), Some(503));
    assert_eq!(page([good, good, good]), (200, None));
    assert_eq!(page([bad, good, good]), (200, Some(0)));
    assert_eq!(page([None, bad, good]), (200, Some(0)));
    assert_eq!(page([good, good, bad]), (503, None));
    assert_eq!(page([None, bad, bad]), (503, None), "what is needed says it");
    assert_eq!(page([good, Some(404), bad]), (404, None), "whoever asks is wrong");
    let mut task = Task::new(&calling(vec![dependency(1), dependency(2)]));
    task.request("GET");
    task.answer(1, None);
    task.answer(2, bad);
    assert_eq!(task.answers, [(0, 502, None)], "nothing is left");
}

#[test]
fn which_requests_make_a_call_is_a_matter_of_their_paths() {
    let prefix = |path: &str| seaworthy_core::call::PathMatch::Prefix(path.to_owned());
    let page = Dependency { paths: vec![prefix("/page")], ..dependency(1) };
    let other = Dependency { paths: vec![prefix("/pages")], ..dependency(2) };
    let mut task = Task::new(&calling(vec![page, other]));
    task.request("GET");
    assert_eq!(task.asked(), [1]);
}

#[test]
fn a_deadline_is_for_the_wait_for_a_slot_as_well_and_what_comes_later_counts_for_nothing() {
    let pool = Some(Pool { size: 1, waiting: 1 });
    let mut task = Task::new(&Caller { pool, ..calling(vec![dependency(1)]) });
    for _ in 0..3 {
        task.request("GET");
        task.pass(MS(100));
    }
    assert_eq!((task.asked().len(), &task.answers[..]), (1, &[(2, 503, None)][..]));
    task.pass(MS(700));
    assert_eq!(task.answers[1..], [(0, 504, None)]);
    assert_eq!(task.asked().len(), 2, "its slot is the next one's");
    task.answer(1, Some(200));
    assert_eq!(task.answers.len(), 2, "too late");
    task.answer(1, Some(200));
    assert_eq!(task.answers[2..], [(1, 200, None)]);
}

#[test]
fn what_failed_is_tried_again_after_a_pause_if_it_may_be() {
    let config = retry::Config { tries: 2, pause: MS(50), jitter_percent: 0, ..Default::default() };
    let one = Dependency { retry: Some(config), ..dependency(1) };
    let mut task = Task::new(&calling(vec![one]));
    for method in ["GET", "POST"] {
        task.request(method);
        task.answer(1, None);
    }
    assert_eq!(task.answers, [(1, 502, None)]);
    task.pass(MS(49));
    assert!(task.asked().is_empty());
    task.pass(MS(1));
    task.answer(1, Some(500));
    assert_eq!(task.answers[1..], [(0, 500, None)], "it had its tries");
}

#[test]
fn behind_an_open_breaker_nobody_is_asked_and_old_answers_tell_their_age() {
    let mut one = dependency(1);
    one.guard.breaker =
        Some(breaker::Config { minimum_calls: 2, failure_percent: 60, ..Default::default() });
    one.fallback = Some(fallback::Config::default());
    let mut task = Task::new(&calling(vec![one]));
    for status in [Some(200), None, Some(500)] {
        task.request("GET");
        task.answer(1, status);
        task.pass(MS(1500));
    }
    task.request("GET");
    assert!(task.asked().is_empty());
    let answers = [(0, 200, None), (1, 200, Some(1)), (2, 200, Some(3)), (3, 200, Some(4))];
    assert_eq!(task.answers, answers);
}

#[test]
fn a_full_bulkhead_refuses_until_a_call_is_given_up() {
    let mut one = dependency(1);
    one.guard.bulkhead = Some(bulkhead::Config::Fixed(1));
    let mut task = Task::new(&calling(vec![one]));
    task.request("GET");
    task.request("GET");
    task.pass(MS(1000));
    task.request("GET");
    assert_eq!(task.answers, [(1, 503, None), (0, 504, None)]);
    assert_eq!(task.asked().len(), 2, "one that is given up, and the last");
}

proptest! {
    /// Whatever comes when: each request is answered once, and nothing is held in the end.
    #[test]
    fn every_request_is_answered_and_everything_given_back(
        pool in prop::option::of((1u32..4, 0u32..4)),
        story in prop::collection::vec((0u8..6, 0u64..400), 1..200),
    ) {
        let full = |to| {
            let mut one = dependency(to);
            one.guard.breaker = Some(breaker::Config { minimum_calls: 5, ..Default::default() });
            one.guard.bulkhead = Some(bulkhead::Config::Fixed(3));
            one.fallback = Some(fallback::Config::default());
            Dependency { retry: Some(retry::Config::default()), ..one }
        };
        let pool = pool.map(|(size, waiting)| Pool { size, waiting });
        let mut task = Task::new(&Caller { pool, ..calling(vec![full(1), full(2)]) });
        for (step, number) in story {
            match step {
                0 | 1 => task.request(if number.is_multiple_of(3) { "POST" } else { "GET" }),
                2 | 3 => {
                    if let Some((_, to)) = task.asked.get(number as usize % 4).copied() {
                        task.answer(to, [Some(200), Some(503), None][number as usize % 3]);
                    }
                }
                _ => task.pass(MS(number)),
            }
        }
        task.pass(MS(2000));
        let mut answered: Vec<u32> = task.answers.iter().map(|(request, ..)| *request).collect();
        answered.sort_unstable();
        prop_assert_eq!(answered, (0..task.requests).collect::<Vec<_>>());
        let Calls { pool, stacks, requests, open, .. } = &task.calls;
        prop_assert!(requests.is_empty() && open.is_empty());
        prop_assert_eq!(pool.as_ref().map_or(0, |slots| slots.taken), 0);
        for stack in stacks {
            prop_assert_eq!(stack.guard.bulkhead().map(bulkhead::Bulkhead::running), Some(0));
        }
    }
}
