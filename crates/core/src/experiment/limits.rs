//! Which loads can be made, and judged.

use std::time::Duration;

use super::load::Load;
use super::{Drill, Fault, FaultKind, Hypothesis};
use crate::fleet::ConfigError;

/// Requests a second, of all flows together, in a spike as well.
pub(super) const HIGHEST_RATE: u32 = 50_000;

/// In one cell.
const MOST_REQUESTS: u64 = 10_000_000;

impl Drill {
    /// What a file was asked when it was read, of a drill that is another one since.
    pub fn check_load(&self) -> Result<(), ConfigError> {
        check_rate(&self.load).map_err(|error| error.below("load"))?;
        check_spacing(&self.hypothesis, &self.load).map_err(|error| error.below("hypothesis"))?;
        self.schedules.iter().enumerate().try_for_each(|(n, schedule)| {
            let checked = check_requests(schedule.duration, self.load.rate());
            let checked = checked
                .and_then(|()| check_spikes(&schedule.faults, schedule.duration, &self.load));
            checked.map_err(|error| error.below(format_args!("schedule[{}]", n + 1)))
        })
    }
}

/// Of several flows: each of them has a limit of its own.
pub(super) fn check_rate(load: &Load) -> Result<(), ConfigError> {
    if load.rate() <= HIGHEST_RATE {
        return Ok(());
    }
    let problem =
        format!("make {} requests a second together; allowed is 1 to {HIGHEST_RATE}", load.rate());
    Err(ConfigError::new("flow", problem))
}

/// No time in which nothing needs to come tells of anything.
pub(super) fn check_spacing(hypothesis: &Hypothesis, load: &Load) -> Result<(), ConfigError> {
    let widest = load.widest_spacing();
    let times = [("window", hypothesis.window), ("tolerated_gap", hypothesis.tolerated_gap)];
    let Some((key, time)) = times.into_iter().find(|(_, time)| *time < widest) else {
        return Ok(());
    };
    let problem = format!(
        "{time:?} is less than the {widest:?} from one request to the next; allowed is that and more"
    );
    Err(ConfigError::new(key, problem))
}

pub(super) fn check_requests(duration: Duration, rate: u32) -> Result<(), ConfigError> {
    if duration.as_secs().saturating_mul(rate.into()) <= MOST_REQUESTS {
        return Ok(());
    }
    let problem = format!("makes more than {MOST_REQUESTS} requests at {rate} a second");
    Err(ConfigError::new("duration", problem))
}

/// Spikes come one after the other, and are loads that can be made.
pub(super) fn check_spikes(
    faults: &[Fault],
    duration: Duration,
    load: &Load,
) -> Result<(), ConfigError> {
    let mut over = Duration::ZERO;
    for fault in faults {
        let FaultKind::Spike(times) = fault.kind else { continue };
        let rate = load.rate().saturating_mul(times);
        if rate > HIGHEST_RATE {
            let problem = format!(
                "the {fault} makes {rate} requests a second; allowed is up to {HIGHEST_RATE}"
            );
            return Err(ConfigError::new("faults", problem));
        }
        check_requests(duration, rate)?;
        if fault.at < over {
            let problem =
                format!("the {fault} begins before the one before it is over, at {over:?}");
            return Err(ConfigError::new("faults", problem));
        }
        over = fault.end();
    }
    Ok(())
}
