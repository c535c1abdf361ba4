//! Kept connections: which one a request may go over, and how long one is trusted.
//!
//! The youngest is used first, so that those a burst has opened grow old and go. A kept connection
//! is trusted for a while only: the other side closes idle ones too, and a request sent over a
//! connection that is just being closed is in doubt (the keep-alive race). How long a task keeps one
//! is learned from what it says, and from what it does.

use std::collections::VecDeque;
use std::time::Duration;

use crate::endpoints::TaskId;
use crate::time::Instant;

/// Ours is closed so much before a task's time is over: a request may be on its way for that long.
const MARGIN: Duration = Duration::from_secs(1);
/// No server gives up an idle connection sooner by its settings. One that was closed earlier was
/// closed for another reason, such as a restart, which says nothing about the next.
const SHORTEST: Duration = Duration::from_secs(1);

/// How connections are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// An idle connection is closed after so long.
    pub idle_timeout: Duration,
    /// So many idle connections are kept for each task.
    pub most_idle: usize,
}

/// Idle connections `C` to the tasks of one service.
#[derive(Debug)]
pub struct Pool<C> {
    config: Config,
    tasks: Vec<Idle<C>>,
}

/// The idle connections to one task, the youngest last.
#[derive(Debug)]
struct Idle<C> {
    task: TaskId,
    /// One that is older is not trusted.
    trust: Duration,
    connections: VecDeque<(Instant, C)>,
}

// === impl Config ===

impl Default for Config {
    fn default() -> Self {
        // Node closes after 5 s, and of the servers in use it is the most impatient.
        Self { idle_timeout: Duration::from_secs(4), most_idle: 256 }
    }
}

// === impl Pool ===

impl<C> Pool<C> {
    /// No connection is kept yet.
    pub fn new(config: Config) -> Self {
        Self { config, tasks: Vec::new() }
    }

    /// A connection to `task` that may still be used. `is_open` says what the system knows of one: a
    /// task that has closed one it was trusted to keep is trusted for less from now on.
    pub fn take(
        &mut self,
        now: Instant,
        task: TaskId,
        mut is_open: impl FnMut(&C) -> bool,
    ) -> Option<C> {
        let idle = self.tasks.iter_mut().find(|idle| idle.task == task)?;
        loop {
            let (since, connection) = idle.connections.pop_back()?;
            let age = now.since(since);
            // If the youngest is too old, so are all.
            if age >= idle.trust {
                return None;
            }
            if is_open(&connection) {
                return Some(connection);
            }
            if age >= SHORTEST {
                idle.heard(age);
            }
        }
    }

    /// Keeps a connection whose last exchange is complete. Beyond the bound the oldest goes. `keeps`
    /// is for how long the task says that it keeps one, if it does.
    pub fn put(&mut self, now: Instant, task: TaskId, keeps: Option<Duration>, connection: C) {
        let Config { idle_timeout, most_idle } = self.config;
        let at = self.tasks.iter().position(|idle| idle.task == task).unwrap_or_else(|| {
            self.tasks.push(Idle { task, trust: idle_timeout, connections: VecDeque::new() });
            self.tasks.len() - 1
        });
        let idle = &mut self.tasks[at];
        if let Some(keeps) = keeps {
            idle.heard(keeps);
        }
        idle.connections.push_back((now, connection));
        if idle.connections.len() > most_idle {
            idle.connections.pop_front();
        }
    }

    /// Lets go of connections that are too old. What was learned of their tasks stays.
    pub fn expire(&mut self, now: Instant) {
        for Idle { trust, connections, .. } in &mut self.tasks {
            while connections.front().is_some_and(|(since, _)| now.since(*since) >= *trust) {
                connections.pop_front();
            }
        }
    }

    /// Lets go of all connections to tasks for which `keep` is false: a task that drains is to see
    /// its connections end.
    pub fn retain(&mut self, mut keep: impl FnMut(TaskId) -> bool) {
        self.tasks.retain(|idle| keep(idle.task));
    }
}

// === impl Idle ===

impl<C> Idle<C> {
    /// The task keeps an idle connection for `keeps`. Of a short time half is left.
    fn heard(&mut self, keeps: Duration) {
        self.trust = self.trust.min(keeps.saturating_sub(MARGIN).max(keeps / 2));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TASK: TaskId = TaskId(1);

    fn at(seconds: u64) -> Instant {
        Instant::EPOCH + Duration::from_secs(seconds)
    }

    fn pool() -> Pool<&'static str> {
        Pool::new(Config { idle_timeout: Duration::from_secs(4), most_idle: 2 })
    }

    fn take(pool: &mut Pool<&'static str>, now: Instant) -> Option<&'static str> {
        pool.take(now, TASK, |_| true)
    }

    #[test]
    fn the_youngest_goes_first_and_an_old_one_is_not_trusted() {
        let mut pool = pool();
        pool.put(at(0), TASK, None, "a");
        pool.put(at(1), TASK, None, "b");
        assert_eq!(pool.take(at(2), TaskId(2), |_| true), None);
        assert_eq!(take(&mut pool, at(2)), Some("b"));
        assert_eq!(take(&mut pool, at(4)), None);
        assert_eq!(take(&mut pool, at(2)), None);
    }

    #[test]
    fn what_is_too_many_too_old_or_of_a_task_that_drains_goes() {
        let mut pool = pool();
        for (second, name) in [(0, "a"), (1, "b"), (2, "c")] {
            pool.put(at(second), TASK, None, name);
        }
        pool.expire(at(5));
        assert_eq!((take(&mut pool, at(5)), take(&mut pool, at(5))), (Some("c"), None));
        pool.put(at(6), TASK, None, "d");
        pool.retain(|other| other != TASK);
        assert_eq!(take(&mut pool, at(6)), None);
    }

    #[test]
    fn a_task_that_says_how_long_it_keeps_one_is_trusted_for_less() {
        let rows = [(1, 500), (2, 1000), (3, 2000), (5, 4000), (60, 4000)];
        for (keeps, trusted) in rows {
            let last = |millis| {
                let mut pool = pool();
                pool.put(at(0), TASK, Some(Duration::from_secs(keeps)), "a");
                take(&mut pool, at(0) + Duration::from_millis(millis))
            };
            assert_eq!((last(trusted - 1), last(trusted)), (Some("a"), None), "timeout={keeps}");
        }
    }

    #[test]
    fn a_task_that_closes_early_is_trusted_for_less_from_then_on() {
        let mut pool = pool();
        pool.put(at(0), TASK, None, "old");
        pool.put(at(1), TASK, None, "young");
        // Both were closed, and the older one no earlier than the younger.
        assert_eq!(pool.take(at(3), TASK, |_| false), None);
        pool.put(at(4), TASK, None, "a");
        assert_eq!(take(&mut pool, at(5)), None, "after 2 s it was closed, so 1 s is trusted");
        pool.put(at(6), TASK, None, "b");
        pool.expire(at(7));
        pool.put(at(7), TASK, None, "c");
        assert_eq!(take(&mut pool, at(8)), None, "it is not forgotten");
    }

    #[test]
    fn a_connection_closed_at_once_says_nothing_about_the_next() {
        let mut pool = pool();
        pool.put(at(0), TASK, None, "a");
        assert_eq!(pool.take(at(0) + Duration::from_millis(999), TASK, |_| false), None);
        pool.put(at(1), TASK, None, "b");
        assert_eq!(take(&mut pool, at(4)), Some("b"));
    }
}
