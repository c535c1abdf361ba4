//! What is told of one run: what users saw, by their samples, and what the backends got, by their journals.

use std::collections::BTreeSet;
use std::ops::Range;
use std::time::Duration;

use seaworthy_core::experiment::numbers::{Sample, quantile};
use seaworthy_core::time::Instant;
use serde::Serialize;

use crate::journal::{CHECK, Entry};
use crate::scenario::Scenario;

/// A backend has its full share when it gets so much of the requests,
const FULL_SHARE: f64 = 0.25;
/// over so long; it is looked for in such steps.
const WINDOW: Duration = Duration::from_millis(250);
const STEP: Duration = Duration::from_millis(10);
/// A backend that gets nothing for so long was taken out of rotation.
const OUT: Duration = Duration::from_millis(500);
/// What is before this is the beginning: connections are opened.
const SETTLED: Duration = Duration::from_secs(1);

/// The figures of one run. Times are from the fault, of requests by their intended send.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Figures {
    pub(crate) requests: usize,
    /// No answer within the client's patience, or another status than 200.
    pub(crate) failed: usize,
    pub(crate) last_failure_s: Option<f64>,
    /// Right answers that took longer.
    pub(crate) slower_than_500_ms: usize,
    pub(crate) slower_than_1_s: usize,
    /// Between the completion of one right answer and the next.
    pub(crate) longest_silence_ms: f64,
    pub(crate) p50_before_ms: Option<f64>,
    pub(crate) p99_before_ms: Option<f64>,
    pub(crate) p99_during_ms: Option<f64>,
    pub(crate) p99_after_ms: Option<f64>,
    /// From the first passing check after the fault is over to a full share; none if that never came.
    pub(crate) full_share_s: Option<f64>,
    /// Requests that a backend began more than once, or more than one did.
    pub(crate) twice: usize,
    /// What the backends got beyond the requests there were, in percent of these.
    pub(crate) extra_percent: f64,
    /// How often a backend was taken out of rotation.
    pub(crate) taken_out: usize,
    /// How late the load itself was.
    pub(crate) lateness_p99_ms: f64,
}

/// What a run left behind.
pub(crate) struct Traces<'a> {
    pub(crate) scenario: Scenario,
    pub(crate) lasts: Duration,
    pub(crate) begin: Instant,
    pub(crate) samples: &'a [Sample],
    /// By backend; the faulty ones come first.
    pub(crate) journals: &'a [Vec<Entry>],
}

// === impl Traces ===

impl Traces<'_> {
    /// The figures of the run.
    pub(crate) fn figures(&self) -> Figures {
        let faulty = self.scenario.faulty();
        let latencies: Vec<Duration> = self.right().map(|(_, latency)| latency).collect();
        let failures = self.samples.iter().filter(|sample| latency(sample).is_none());
        let last_failure = failures.map(|sample| sample.intended).max();
        let lateness =
            self.samples.iter().map(|sample| sample.sent.saturating_sub(sample.intended));
        let (twice, extra) = self.repeated();
        Figures {
            requests: self.samples.len(),
            failed: self.samples.len() - latencies.len(),
            last_failure_s: last_failure.map(|at| seconds_after(at, faulty.start)),
            slower_than_500_ms: slower(&latencies, Duration::from_millis(500)),
            slower_than_1_s: slower(&latencies, Duration::from_secs(1)),
            longest_silence_ms: ms(self.longest_silence()),
            p50_before_ms: self.quantile(0.5, SETTLED..faulty.start),
            p99_before_ms: self.quantile(0.99, SETTLED..faulty.start),
            p99_during_ms: self.quantile(0.99, faulty.clone()),
            p99_after_ms: self.quantile(0.99, faulty.end..self.lasts),
            full_share_s: self.full_share(),
            twice,
            extra_percent: extra as f64 / self.samples.len().max(1) as f64 * 100.0,
            taken_out: self.journals.iter().map(|journal| self.taken_out(journal)).sum(),
            lateness_p99_ms: quantile(lateness, 0.99).map(ms).unwrap_or_default(),
        }
    }

    /// Intended send and latency of right answers.
    fn right(&self) -> impl Iterator<Item = (Duration, Duration)> {
        self.samples.iter().filter_map(|sample| Some((sample.intended, latency(sample)?)))
    }

    fn quantile(&self, share: f64, period: Range<Duration>) -> Option<f64> {
        let within = self.right().filter(|(intended, _)| period.contains(intended));
        quantile(within.map(|(_, latency)| latency), share).map(ms)
    }

    fn longest_silence(&self) -> Duration {
        let mut completed: Vec<Duration> = self.right().map(|(at, latency)| at + latency).collect();
        completed.sort_unstable();
        let steps = completed.windows(2).map(|pair| pair[1].saturating_sub(pair[0]));
        steps.max().unwrap_or(self.lasts)
    }

    /// Requests that were begun more than once, and how often beyond the first.
    fn repeated(&self) -> (usize, usize) {
        let all = self.journals.iter().flatten().filter(|entry| entry.number != CHECK);
        let (mut seen, mut twice, mut extra) = (BTreeSet::new(), BTreeSet::new(), 0);
        for entry in all {
            if !seen.insert(entry.number) {
                twice.insert(entry.number);
                extra += 1;
            }
        }
        (twice.len(), extra)
    }

    /// How long the first backend took from its first passing check to a full share.
    fn full_share(&self) -> Option<f64> {
        self.scenario.fault()?;
        let healed = self.begin + self.scenario.faulty().end;
        let check = |entry: &&Entry| entry.number == CHECK && entry.at >= healed;
        // Who makes no checks is measured from the end of the fault.
        let from = self.journals[0].iter().find(check).map_or(healed, |entry| entry.at);
        let end = self.begin + self.lasts;
        let mut at = from;
        while at + WINDOW <= end {
            let count = |journal: &Vec<Entry>| requests(journal, at..at + WINDOW).count() as f64;
            let all: f64 = self.journals.iter().map(count).sum();
            if all > 0.0 && count(&self.journals[0]) >= FULL_SHARE * all {
                return Some(at.since(from).as_secs_f64());
            }
            at = at + STEP;
        }
        None
    }

    fn taken_out(&self, journal: &[Entry]) -> usize {
        let (begin, end) = (self.begin + SETTLED, self.begin + self.lasts);
        let got = requests(journal, begin..end).map(|entry| entry.at);
        let moments: Vec<Instant> = [begin].into_iter().chain(got).chain([end]).collect();
        moments.windows(2).filter(|pair| pair[1].since(pair[0]) > OUT).count()
    }
}

fn requests(journal: &[Entry], period: Range<Instant>) -> impl Iterator<Item = &Entry> {
    let from = journal.partition_point(|entry| entry.at < period.start);
    let until = journal.partition_point(|entry| entry.at < period.end);
    journal[from..until].iter().filter(|entry| entry.number != CHECK)
}

/// Of a right answer.
fn latency(sample: &Sample) -> Option<Duration> {
    let answer = sample.answer.filter(|answer| answer.status == 200)?;
    Some(answer.completed.saturating_sub(sample.intended))
}

fn slower(latencies: &[Duration], than: Duration) -> usize {
    latencies.iter().filter(|latency| **latency > than).count()
}

/// Less than zero, if it is before.
fn seconds_after(at: Duration, start: Duration) -> f64 {
    let nanos = |duration: Duration| i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX);
    (nanos(at) - nanos(start)) as f64 / 1e9
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use seaworthy_core::experiment::numbers::Answer;

    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    fn sample(intended: u64, takes: u64, status: u16) -> Sample {
        let answer = Answer { completed: MS(intended + takes), status, task: None, degraded: None };
        Sample { flow: 0, intended: MS(intended), sent: MS(intended), answer: Some(answer) }
    }

    #[test]
    fn what_users_saw_and_what_backends_got() {
        let begin = Instant::EPOCH + MS(100);
        let samples = [
            sample(2_000, 2, 200),
            sample(5_010, 600, 200),
            sample(5_020, 1_100, 200),
            sample(5_030, 3, 500),
        ];
        let entry = |at: u64, number| Entry { at: begin + MS(at), number };
        // The first is back at 6 s, is asked at 6.1 s and gets its share from 6.6 s on.
        let first = [entry(2_000, 1), entry(5_010, 2), entry(6_100, CHECK)];
        let first = first.into_iter().chain((0..60).map(|n| entry(6_600 + n * 100, 10 + n)));
        let second =
            [entry(5_012, 2)].into_iter().chain((0..60).map(|n| entry(6_001 + n * 100, 100 + n)));
        let journals = [first.collect(), second.collect()];
        let traces = Traces {
            scenario: Scenario::Kill,
            lasts: MS(13_000),
            begin,
            samples: &samples,
            journals: &journals,
        };
        let figures = traces.figures();
        assert_eq!((figures.requests, figures.failed, figures.last_failure_s), (4, 1, Some(0.03)));
        assert_eq!((figures.slower_than_500_ms, figures.slower_than_1_s), (2, 1));
        assert_eq!((figures.twice, figures.extra_percent), (1, 25.0));
        assert!((figures.longest_silence_ms - 3_608.0).abs() < 1e-6, "{figures:?}");
        // The first window in which it gets one of four.
        assert_eq!(figures.full_share_s, Some(0.26));
        assert_eq!((figures.p99_before_ms, figures.p99_during_ms), (Some(2.0), Some(1_100.0)));
    }
}
