//! Four numbers, never one: failed share, seconds below target, longest gap, time to recovery.
//!
//! A request that was not sent, not answered or answered too late failed in its *intended* second;
//! it never leaves the denominator. A single figure hides: a short total outage and a long partial
//! one can have the same failed share.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use super::{Hypothesis, Objective};
use crate::endpoints::TaskId;

/// What became of one request. All times are from the first moment of the load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Which of the load's flows it is of.
    pub flow: usize,
    /// When it was meant to be sent.
    pub intended: Duration,
    /// When it was.
    pub sent: Duration,
    /// Its whole answer; none if there was none, or not all of it.
    pub answer: Option<Answer>,
}

/// A complete answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// When its last byte came.
    pub completed: Duration,
    /// Its status.
    pub status: u16,
    /// The task that says it gave it.
    pub task: Option<TaskId>,
    /// It says that it is not what it would be in good times.
    pub degraded: Option<Degraded>,
}

/// An answer that is right, but not what it would be in good times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Degraded {
    /// The age of the oldest of its pieces; zero if pieces are missing and none is old.
    pub age: Duration,
}

/// What users saw.
#[derive(Clone, Debug, PartialEq)]
pub struct Numbers {
    /// Requests intended.
    pub requests: u64,
    /// Those without a right answer in time.
    pub failed: u64,
    /// Those of them with no task's answer at all: refused, cut off or answered by the gateway itself.
    pub unanswered: u64,
    /// Those with a right answer in time that says it is degraded: a class of its own among the
    /// successes.
    pub degraded: u64,
    /// The oldest piece of all of these.
    pub oldest: Duration,
    /// Seconds (by intended send) in which fewer than the target share succeeded.
    pub seconds_below_target: u32,
    /// The longest time between the intended sends of one success and the next, known to plus or
    /// minus the spacing of the load. The ends of the load count as successes.
    pub longest_gap: Duration,
    /// The longest time between the completion of one success and the next.
    pub longest_silence: Duration,
    /// From the last fault to the beginning of the first whole window in which the objective
    /// holds; none if there is no such window.
    pub recovery: Option<Duration>,
    /// From the end of the last fault to the intended send of the last request that failed or was
    /// degraded after it; zero if there is none.
    pub whole: Duration,
    /// Answers per task.
    pub answers: BTreeMap<TaskId, u64>,
    /// The 99th percentile of how late requests were sent.
    pub lateness_p99: Duration,
    /// The median of the time from the intended send to the last byte, of successes; none if there is none,
    pub latency_p50: Option<Duration>,
    /// and the 99th percentile.
    pub latency_p99: Option<Duration>,
}

/// The samples of one run, or of one flow of it, in the order of their intended sends.
#[derive(Clone, Debug)]
pub struct Samples<'a> {
    all: &'a [Sample],
    objective: &'a Objective,
    period: Range<Duration>,
}

// === impl Numbers ===

impl Numbers {
    /// Requests with a right answer in time.
    pub fn succeeded(&self) -> u64 {
        self.requests - self.failed
    }

    /// The share of requests that failed; nothing of nothing is 0.
    pub fn failed_share(&self) -> f64 {
        self.failed as f64 / self.requests.max(1) as f64
    }
}

// === impl Sample ===

impl Sample {
    /// Whether the request had a right answer in time.
    pub fn succeeded(&self, objective: &Objective) -> bool {
        self.answer.is_some_and(|answer| {
            objective.status.matches(answer.status)
                && answer.completed <= self.intended + objective.latency
        })
    }
}

impl Sample {
    fn age(&self) -> Option<Duration> {
        Some(self.answer?.degraded?.age)
    }

    fn is_degraded(&self) -> bool {
        self.answer.is_some_and(|answer| answer.degraded.is_some())
    }
}

// === impl Samples ===

impl<'a> Samples<'a> {
    /// The samples of a load that goes on for this `period`, in the order of their intended sends.
    pub fn new(samples: &'a [Sample], objective: &'a Objective, period: Range<Duration>) -> Self {
        debug_assert!(samples.is_sorted_by_key(|sample| sample.intended));
        Self { all: samples, objective, period }
    }

    /// The four numbers, and what is told beside them.
    pub fn measure(&self, hypothesis: &Hypothesis, last_fault: Option<Duration>) -> Numbers {
        let succeeded = self.successes().count();
        let last_fault = last_fault.unwrap_or_default();
        Numbers {
            requests: self.all.len() as u64,
            failed: (self.all.len() - succeeded) as u64,
            unanswered: self.unanswered(),
            degraded: self.successes().filter(|sample| sample.is_degraded()).count() as u64,
            oldest: self.successes().filter_map(Sample::age).max().unwrap_or_default(),
            seconds_below_target: self.seconds_below_target(),
            longest_gap: self.longest_gap(),
            longest_silence: self.longest_silence(),
            recovery: self.recovery(hypothesis.window, last_fault),
            whole: self.whole(last_fault),
            answers: self.answers(self.period.clone()),
            lateness_p99: self.lateness(0.99),
            latency_p50: self.latency(0.5),
            latency_p99: self.latency(0.99),
        }
    }

    /// The share of each of `tasks` in their answers to the requests intended in `period`.
    pub fn shares(&self, tasks: &[TaskId], period: Range<Duration>) -> Vec<f64> {
        let answers = self.answers(period);
        let of = |task| answers.get(task).copied().unwrap_or_default();
        let all: u64 = tasks.iter().map(of).sum();
        tasks.iter().map(|task| if all == 0 { 0.0 } else { of(task) as f64 / all as f64 }).collect()
    }

    /// For how much longer nobody was answered than nobody asked, of those who asked in `period`; none of fewer than two
    /// successes.
    pub fn lag(&self, period: &Range<Duration>) -> Option<Duration> {
        let those = || self.successes().filter(|sample| period.contains(&sample.intended));
        let longest = |moments: Vec<Duration>| match moments[..] {
            [first, .., last] => Some(longest_step(moments.iter().copied(), &(first..last))),
            _ => None,
        };
        let unasked = longest(those().map(|sample| sample.intended).collect())?;
        Some(longest(completions(those()))?.saturating_sub(unasked))
    }

    /// Answers per task to the requests intended in `period`.
    pub fn answers(&self, period: Range<Duration>) -> BTreeMap<TaskId, u64> {
        let mut answers = BTreeMap::new();
        for sample in self.all.iter().filter(|sample| period.contains(&sample.intended)) {
            if let Some(task) = sample.answer.and_then(|answer| answer.task) {
                *answers.entry(task).or_default() += 1;
            }
        }
        answers
    }

    fn successes(&self) -> impl Iterator<Item = &'a Sample> {
        self.all.iter().filter(|sample| sample.succeeded(self.objective))
    }

    fn unanswered(&self) -> u64 {
        let unanswered = |sample: &&Sample| {
            !sample.succeeded(self.objective)
                && sample.answer.is_none_or(|answer| answer.task.is_none())
        };
        self.all.iter().filter(unanswered).count() as u64
    }

    fn seconds_below_target(&self) -> u32 {
        let mut seconds: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
        for sample in self.all {
            let (right, all) = seconds.entry(sample.intended.as_secs()).or_default();
            *right += u64::from(sample.succeeded(self.objective));
            *all += 1;
        }
        let target = self.objective.success;
        seconds.values().filter(|(right, all)| !target.is_met(*right, *all)).count() as u32
    }

    fn longest_gap(&self) -> Duration {
        longest_step(self.successes().map(|sample| sample.intended), &self.period)
    }

    fn longest_silence(&self) -> Duration {
        longest_step(completions(self.successes()).into_iter(), &self.period)
    }

    fn recovery(&self, window: Duration, from: Duration) -> Option<Duration> {
        // right[n]: successes among the first n samples.
        let mut right = vec![0u64];
        for sample in self.all {
            right.push(right[right.len() - 1] + u64::from(sample.succeeded(self.objective)));
        }
        let index = |at: Duration| self.all.partition_point(|sample| sample.intended < at);
        let holds = |begin: Duration| {
            let (first, end) = (index(begin), index(begin + window));
            let succeeded = right[end] - right[first];
            self.objective.success.is_met(succeeded, (end - first) as u64)
        };
        // It can only begin to hold at the fault itself or right after a failure; several requests
        // may be meant for one moment.
        let failed = |s: &&Sample| s.intended >= from && !s.succeeded(self.objective);
        let after_failures = self.all.iter().filter(failed).filter_map(|sample| {
            let next = self.all.partition_point(|other| other.intended <= sample.intended);
            self.all.get(next).map(|next| next.intended)
        });
        std::iter::once(from)
            .chain(after_failures)
            .take_while(|begin| *begin + window <= self.period.end)
            .find(|begin| holds(*begin))
            .map(|begin| begin.saturating_sub(from))
    }

    fn whole(&self, from: Duration) -> Duration {
        let lacks = |s: &&Sample| !s.succeeded(self.objective) || s.is_degraded();
        let last = self.all.iter().rev().find(lacks);
        last.map_or(Duration::ZERO, |sample| sample.intended.saturating_sub(from))
    }

    fn lateness(&self, share: f64) -> Duration {
        let late = self.all.iter().map(|s| s.sent.saturating_sub(s.intended));
        quantile(late, share).unwrap_or_default()
    }

    fn latency(&self, share: f64) -> Option<Duration> {
        let latency = |s: &Sample| Some(s.answer?.completed.saturating_sub(s.intended));
        quantile(self.successes().filter_map(latency), share)
    }
}

/// By nearest rank: the smallest value that so large a share does not exceed; none of nothing.
pub fn quantile(values: impl Iterator<Item = Duration>, share: f64) -> Option<Duration> {
    let mut values: Vec<Duration> = values.collect();
    values.sort_unstable();
    let rank = (values.len() as f64 * share).ceil() as usize;
    values.get(rank.saturating_sub(1)).copied()
}

/// When those that were answered were, in order of that.
fn completions<'a>(samples: impl Iterator<Item = &'a Sample>) -> Vec<Duration> {
    let completed = |sample: &Sample| sample.answer.map(|answer| answer.completed);
    let mut completions: Vec<Duration> = samples.filter_map(completed).collect();
    completions.sort_unstable();
    completions
}

/// The longest distance between neighbours, the ends of the period included.
fn longest_step(moments: impl Iterator<Item = Duration>, period: &Range<Duration>) -> Duration {
    let (mut last, mut longest) = (period.start, Duration::ZERO);
    for moment in moments.chain(std::iter::once(period.end)) {
        longest = longest.max(moment.saturating_sub(last));
        last = last.max(moment);
    }
    longest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::written::Share;
    use crate::health::Matcher;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    /// 100 requests a second; `answer` says when the one at `n` × 10 ms is answered and how.
    fn numbers(seconds: u64, fault: u64, answer: impl Fn(u64) -> Option<(u64, u16)>) -> Numbers {
        let objective =
            Objective { status: Matcher::only(200), latency: MS(100), success: Share::WHOLE };
        let sample = |n: u64| Sample {
            flow: 0,
            intended: MS(n * 10),
            sent: MS(n * 10) + MS(n % 100 / 99),
            answer: answer(n * 10).map(|(completed, status)| Answer {
                completed: MS(completed),
                status,
                task: Some(TaskId(1 + (n % 2) as u32)),
                degraded: None,
            }),
        };
        let samples: Vec<Sample> = (0..seconds * 100).map(sample).collect();
        let hypothesis = Hypothesis { window: MS(1000), tolerated_gap: MS(100) };
        Samples::new(&samples, &objective, MS(0)..MS(seconds * 1000))
            .measure(&hypothesis, Some(MS(fault)))
    }

    #[test]
    fn a_quiet_run_has_gaps_of_one_spacing() {
        let quiet = numbers(5, 1000, |at| Some((at + 2, 200)));
        assert_eq!((quiet.requests, quiet.failed, quiet.seconds_below_target), (500, 0, 0));
        assert_eq!((quiet.longest_gap, quiet.longest_silence), (MS(10), MS(10)));
        assert_eq!(quiet.recovery, Some(Duration::ZERO));
        assert_eq!(quiet.answers.into_values().collect::<Vec<_>>(), [250, 250]);
        assert_eq!((quiet.lateness_p99, quiet.latency_p99), (Duration::ZERO, Some(MS(2))));
    }

    /// All answers take 2 ms, but one that takes 6 ms longer.
    #[test]
    fn a_lag_is_what_nobody_was_answered_for_beyond_what_nobody_asked_for() {
        let objective =
            Objective { status: Matcher::only(200), latency: MS(100), success: Share::WHOLE };
        let sample = |n: u64| Sample {
            flow: 0,
            intended: MS(n * 10),
            sent: MS(n * 10),
            answer: Some(Answer {
                completed: MS(n * 10 + if n == 3 { 8 } else { 2 }),
                status: if n == 8 { 500 } else { 200 },
                task: None,
                degraded: None,
            }),
        };
        let samples: Vec<Sample> = (0..10).map(sample).collect();
        let samples = Samples::new(&samples, &objective, MS(0)..MS(100));
        let lag = |from, to| samples.lag(&(MS(from)..MS(to)));
        assert_eq!([lag(0, 60), lag(20, 40), lag(40, 100)], [MS(6), MS(6), MS(0)].map(Some));
        assert_eq!([lag(30, 31), lag(80, 81)], [None; 2]);
    }

    #[test]
    fn a_task_without_an_answer_has_a_share_too() {
        let objective =
            Objective { status: Matcher::only(200), latency: MS(100), success: Share::WHOLE };
        let sample = |n: u64| Sample {
            flow: 0,
            intended: MS(n),
            sent: MS(n),
            answer: Some(Answer {
                completed: MS(n + 1),
                status: 200,
                task: Some(TaskId(1 + (n % 4 / 3) as u32)),
                degraded: None,
            }),
        };
        let samples: Vec<Sample> = (0..8).map(sample).collect();
        let samples = Samples::new(&samples, &objective, MS(0)..MS(8));
        let tasks = [TaskId(1), TaskId(2), TaskId(3)];
        assert_eq!(samples.shares(&tasks, MS(0)..MS(4)), [0.75, 0.25, 0.0]);
        assert_eq!(samples.shares(&tasks, MS(8)..MS(9)), [0.0; 3]);
    }

    #[test]
    fn an_outage_is_found_by_all_four_numbers() {
        // Nothing is answered from 1.5 s to 2.75 s.
        let down = numbers(5, 1500, |at| (!(1500..2750).contains(&at)).then_some((at + 2, 200)));
        assert_eq!((down.failed, down.seconds_below_target), (125, 2));
        assert_eq!(down.longest_gap, MS(2750 - 1490));
        assert_eq!(down.longest_silence, MS(2752 - 1492));
        assert_eq!(down.recovery, Some(MS(1250)));
    }

    #[test]
    fn late_wrong_and_missing_answers_fail_in_their_intended_second() {
        let bad = numbers(3, 0, |at| match at {
            500 => Some((601, 200)),
            1500 => Some((1501, 503)),
            2500 => None,
            _ => Some((at + 100, 200)),
        });
        assert_eq!((bad.failed, bad.unanswered, bad.seconds_below_target), (3, 1, 3));
        // There is no whole second without a failure.
        assert_eq!(bad.recovery, None);
    }

    #[test]
    fn degraded_answers_are_successes_of_a_class_of_their_own_with_their_age() {
        let objective =
            Objective { status: Matcher::only(200), latency: MS(100), success: Share::WHOLE };
        let sample = |n: u64| {
            let degraded = (n >= 3).then(|| Degraded { age: MS(n * 100) });
            let answer = Answer { completed: MS(n + 1), status: 200, task: None, degraded };
            Sample { flow: 0, intended: MS(n), sent: MS(n), answer: Some(answer) }
        };
        let samples: Vec<Sample> = (0..8).map(sample).collect();
        let hypothesis = Hypothesis { window: MS(2), tolerated_gap: MS(100) };
        let samples = Samples::new(&samples, &objective, MS(0)..MS(8));
        let numbers = samples.measure(&hypothesis, Some(MS(2)));
        assert_eq!((numbers.failed, numbers.degraded, numbers.oldest), (0, 5, MS(700)));
        assert_eq!(numbers.whole, MS(5), "the last one came so long after the fault");
    }

    #[test]
    fn it_can_recover_after_a_moment_of_which_one_request_failed() {
        let objective =
            Objective { status: Matcher::only(200), latency: MS(100), success: Share::WHOLE };
        let sample = |n: u64, status| {
            let completed = MS(n * 10 + 1);
            let answer = Some(Answer { completed, status, task: None, degraded: None });
            Sample { flow: 0, intended: MS(n * 10), sent: MS(n * 10), answer }
        };
        let both = |n| [sample(n, if n == 50 { 503 } else { 200 }), sample(n, 200)];
        let samples: Vec<Sample> = (0..300).flat_map(both).collect();
        let hypothesis = Hypothesis { window: MS(1000), tolerated_gap: MS(100) };
        let samples = Samples::new(&samples, &objective, MS(0)..MS(3000));
        assert_eq!(samples.measure(&hypothesis, Some(MS(500))).recovery, Some(MS(10)));
    }

    #[test]
    fn an_outage_that_lasts_to_the_end_is_as_long_as_that() {
        let down = numbers(3, 1000, |at| (at < 1000).then_some((at + 1, 200)));
        assert_eq!(down.longest_gap, MS(3000 - 990));
        assert_eq!(down.recovery, None);
    }
}
