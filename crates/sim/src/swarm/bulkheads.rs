//! Whether a bulkhead lets as much run as it may, however that changes.

use seaworthy_core::call::Standing;
use seaworthy_core::policy::bulkhead::Config;

use super::rule::{Kept, Rule};

/// The bulkhead before a route.
#[derive(Debug)]
pub(super) struct Bulkhead {
    config: Config,
    /// So much ran when that was last looked at,
    ran: u32,
    /// and so much might have.
    limit: u32,
}

// === impl Bulkhead ===

impl Bulkhead {
    pub(super) fn new(config: Config) -> Self {
        let limit = first_limit(&config);
        Self { config, ran: 0, limit }
    }

    /// Nothing runs through that of another gateway.
    pub(super) fn begin_anew(&mut self) {
        (self.ran, self.limit) = (0, first_limit(&self.config));
    }

    /// So much runs now.
    pub(super) fn check(&mut self, standing: &Standing) -> Kept {
        let running = standing.running;
        let limit = standing.limit.unwrap_or_default();
        let (ran, before) = (self.ran, self.limit);
        (self.ran, self.limit) = (running, limit);
        let most = match &self.config {
            Config::Fixed(size) => *size,
            // What has just shrunk may have grown before; and what ran already goes on.
            Config::Adaptive(config) => {
                ran.max(limit).max(before.saturating_add(config.queue)).min(config.largest)
            }
        };
        if running <= most {
            return Ok(());
        }
        Err((Rule::Bulkhead, format!("{running} calls run, allowed are {most}")))
    }
}

fn first_limit(config: &Config) -> u32 {
    match config {
        Config::Fixed(size) => *size,
        Config::Adaptive(config) => config.initial,
    }
}

#[cfg(test)]
mod tests {
    use seaworthy_core::policy::adaptive;

    use super::*;

    #[test]
    fn what_runs_beyond_a_limit_that_shrinks_may_end_and_nothing_joins_it() {
        let config = adaptive::Config { initial: 10, queue: 1, ..adaptive::Config::default() };
        let mut bulkhead = Bulkhead::new(Config::Adaptive(config));
        let mut holds = |running, limit| {
            let limit = Some(limit);
            let (breaker, abandoned, retries_left, hedges_left) = (None, 0, None, None);
            let standing =
                Standing { breaker, running, abandoned, limit, retries_left, hedges_left };
            bulkhead.check(&standing).is_ok()
        };
        assert!(holds(10, 10) && holds(11, 11) && holds(11, 9) && holds(10, 9));
        assert!(!holds(11, 9), "the limit was 9 before, too");
        assert!(!holds(201, 201), "it never grows so far");
    }
}
