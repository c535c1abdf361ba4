//! A scenario in words, for people; its script tells the same to programs.

use std::fmt::{self, Write as _};

use seaworthy_core::experiment::model::Distribution;
use seaworthy_core::time::Short;

use super::scenario::{
    Flaw, Happening, Insistence, Member, Scenario, Settings, ToService, ToTask, name,
};
use crate::world::{Physics, Program, Stalls};

// === impl Scenario ===

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text())?;
        if let Some(bug) = self.planted {
            writeln!(f, "planted: {bug}")?;
        }
        for (place, member) in self.services.iter().enumerate() {
            let Member { program, rate, posts, insistence, calls, .. } = member;
            writeln!(
                f,
                "`{}` gets {rate:.1} requests a second, {:.0} % of them POST",
                name(place),
                posts * 100.0
            )?;
            if let Some(Insistence { wait, attempts }) = insistence {
                let wait = Short(*wait);
                writeln!(
                    f,
                    "  whoever waits for {wait} leaves, and asks {attempts} times at most"
                )?;
            }
            writeln!(f, "  its program {}", program_in_words(program))?;
            calls.iter().try_for_each(|line| writeln!(f, "  {line}"))?;
        }
        writeln!(f, "network: {}", network_in_words(&self.physics))?;
        for (at, happening) in &self.happenings {
            writeln!(f, "after {:>6.3} s: {happening}", at.as_secs_f64())?;
        }
        write!(f, "after {:>6.3} s: all is mended", self.length.as_secs_f64())
    }
}

/// What a swarm draws of it; whatever else somebody has written is in the script.
fn program_in_words(program: &Program) -> String {
    let Program { start, work, concurrency, stubborn, cold, waiting, gives_up, notices, .. } =
        *program;
    let drawn = Program {
        start,
        work,
        concurrency,
        stubborn,
        cold,
        waiting,
        gives_up,
        notices,
        ..Program::default()
    };
    let mut words = format!(
        "starts in {}, works {} on a request and on {concurrency} at once",
        in_words(start),
        in_words(work)
    );
    let more = [
        cold.map(|cold| format!(", and {} where its cache is cold", in_words(cold))),
        waiting.map(|most| format!(", has {most} others wait at most")),
        gives_up.map(|after| format!(", gives up after {}", Short(after))),
        notices.then(|| ", drops what nobody waits for".to_owned()),
        stubborn.then(|| ", and ignores SIGTERM".to_owned()),
    ];
    more.into_iter().flatten().for_each(|more| words.push_str(&more));
    words + if *program == drawn { "" } else { "; the script tells more of it" }
}

fn network_in_words(physics: &Physics) -> String {
    let Physics { hop, link, late, tick, write, spawn, end, first, crowd, stalls, .. } = *physics;
    let stall = |Stalls { every, length, .. }| {
        format!("; once in {} the machine stands still for {}", Short(every), Short(length))
    };
    let mut words = format!(
        "{} to a task and as long back; between agent and gateway {}, and {:.1} % are lost",
        Short(hop),
        in_words(link.latency),
        link.loss * 100.0,
    );
    for (what, times) in [
        ("whoever waits is late by", late),
        ("the agent writes for", write),
        ("to start a process takes", spawn),
        ("to see that one has ended takes", end),
    ] {
        if times != Distribution::default() {
            let _ = write!(words, "; {what} {}", in_words(times));
        }
    }
    if !first.is_zero() {
        let _ = write!(words, "; the first request after a pause takes {} more", Short(first));
    }
    if !tick.is_zero() {
        let _ = write!(words, "; timers are late by up to {} more", Short(2 * tick));
    }
    if crowd > 0.0 {
        let _ = write!(
            words,
            "; a start is longer by {crowd} of itself for each other one at the time"
        );
    }
    words + &stalls.map(stall).unwrap_or_default()
}

fn in_words(times: Distribution) -> String {
    match times {
        Distribution::Constant(time) => format!("{}", Short(time)),
        Distribution::Uniform(least, most) => format!("{} to {}", Short(least), Short(most)),
        Distribution::Exponential(mean) => format!("{} on average", Short(mean)),
        Distribution::LogNormal { median, p99 } => {
            format!("{} (99 of 100 times at most {})", Short(median), Short(p99))
        }
    }
}

// === impl Happening ===

impl fmt::Display for Happening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::ToTask(place, nth, what) => {
                write!(f, "a task of `{}` (turn {nth}) ", name(place))?;
                match what {
                    ToTask::Kill => write!(f, "is killed"),
                    ToTask::Stop => write!(f, "is stopped by hand"),
                    ToTask::Drain => write!(f, "is drained by hand"),
                    ToTask::Disturb(fault, lasts) => {
                        write!(f, "goes on badly for {lasts:?}: {fault}")
                    }
                    ToTask::Leak(lasts) => {
                        write!(f, "leaks memory, and dies of it after {lasts:?}")
                    }
                }
            }
            Self::ToService(place, what) => {
                write!(f, "`{}` ", name(place))?;
                match what {
                    ToService::Disturb(fault, lasts) => {
                        write!(f, "goes on badly with all its tasks for {lasts:?}: {fault}")
                    }
                    ToService::DisturbWay(fault, lasts) => {
                        write!(f, "is reached badly by its callers for {lasts:?}: {fault}")
                    }
                    ToService::QueryOfDeath => write!(f, "gets a query of death"),
                    ToService::Burst(times, lasts) => {
                        write!(f, "gets {times} times as many requests for {lasts:?}")
                    }
                    ToService::Deploy(None) => write!(f, "is deployed anew"),
                    ToService::Deploy(Some(flaw)) => {
                        write!(f, "is deployed anew, and its program {flaw}")
                    }
                    ToService::DeployWith(flaw, settings) => {
                        write!(f, "is deployed anew{settings}")?;
                        flaw.map_or(Ok(()), |flaw| write!(f, ", and its program {flaw}"))
                    }
                    ToService::Rollback => write!(f, "is rolled back by hand"),
                    ToService::Scale(count) => write!(f, "is scaled to {count} by hand"),
                    ToService::LoseZone(nth) => {
                        write!(f, "loses all tasks in the zone of a machine (turn {nth})")
                    }
                    ToService::PowerOff(nth, lasts) => {
                        write!(
                            f,
                            "has no power in the zone of a machine (turn {nth}) for {lasts:?}"
                        )
                    }
                }
            }
            Self::Partition(lasts) => {
                write!(f, "agent and gateway do not hear each other for {lasts:?}")
            }
            Self::CrashAgent(lasts) => {
                write!(f, "the agent crashes, and the next one comes after {lasts:?}")
            }
            Self::CrashGateway => write!(f, "the gateway crashes, and the next one knows nothing"),
        }
    }
}

// === impl Settings ===

/// With which values, if there are any.
impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { desired_count, minimum_healthy_percent, maximum_percent, canary_percent } =
            *self;
        for (key, value) in [
            ("desired_count", desired_count),
            ("minimum_healthy_percent", minimum_healthy_percent),
            ("maximum_percent", maximum_percent),
            ("canary_percent", canary_percent),
        ] {
            if let Some(value) = value {
                write!(f, ", with {key} = {value}")?;
            }
        }
        Ok(())
    }
}

// === impl Flaw ===

/// What its program does.
impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NeverListens => write!(f, "never listens"),
            Self::FailsChecks => write!(f, "answers its checks with 500"),
            Self::FailsRequests => write!(f, "passes its checks and answers requests with 500"),
            Self::FailsSome(percent) => {
                write!(f, "passes its checks and answers {percent} of 100 requests with 500")
            }
            Self::Crashes(after) => write!(f, "crashes {after:?} after it has begun to listen"),
            Self::Slow(work) => write!(f, "takes {work:?} for each request"),
            Self::Leaks(lasts) => write!(f, "leaks memory, and dies of it after {lasts:?}"),
            Self::Stubborn => write!(f, "ignores SIGTERM"),
        }
    }
}
