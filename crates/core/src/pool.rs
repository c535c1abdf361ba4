//! Kept connections: which one a request may go over, and how long one is trusted.
//!
//! The youngest is used first, so that those a burst has opened grow old and go. A kept connection
//! is trusted for a while only: the other side closes idle ones too, and a request sent over a
//! connection that is just being closed is in doubt (the keep-alive race).

use std::collections::VecDeque;
use std::time::Duration;

use crate::endpoints::TaskId;
use crate::time::Instant;

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

    /// A connection to `task` that may still be used.
    pub fn take(&mut self, now: Instant, task: TaskId) -> Option<C> {
        let idle = self.tasks.iter_mut().find(|idle| idle.task == task)?;
        let (since, connection) = idle.connections.pop_back()?;
        // If the youngest is too old, so are all.
        (now.since(since) < self.config.idle_timeout).then_some(connection)
    }

    /// Keeps a connection whose last exchange is complete. Beyond the bound the oldest goes.
    pub fn put(&mut self, now: Instant, task: TaskId, connection: C) {
        let at = self.tasks.iter().position(|idle| idle.task == task).unwrap_or_else(|| {
            self.tasks.push(Idle { task, connections: VecDeque::new() });
            self.tasks.len() - 1
        });
        let connections = &mut self.tasks[at].connections;
        connections.push_back((now, connection));
        if connections.len() > self.config.most_idle {
            connections.pop_front();
        }
    }

    /// Lets go of connections that are too old.
    pub fn expire(&mut self, now: Instant) {
        let timeout = self.config.idle_timeout;
        for idle in &mut self.tasks {
            let old = |since: Instant| now.since(since) >= timeout;
            while idle.connections.front().is_some_and(|(since, _)| old(*since)) {
                idle.connections.pop_front();
            }
        }
        self.tasks.retain(|idle| !idle.connections.is_empty());
    }

    /// Lets go of all connections to tasks for which `keep` is false: a task that drains is to see
    /// its connections end.
    pub fn retain(&mut self, mut keep: impl FnMut(TaskId) -> bool) {
        self.tasks.retain(|idle| keep(idle.task));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::EPOCH + Duration::from_secs(seconds)
    }

    fn pool() -> Pool<&'static str> {
        Pool::new(Config { idle_timeout: Duration::from_secs(4), most_idle: 2 })
    }

    #[test]
    fn the_youngest_goes_first_and_an_old_one_is_not_trusted() {
        let (mut pool, task) = (pool(), TaskId(1));
        pool.put(at(0), task, "a");
        pool.put(at(1), task, "b");
        assert_eq!(pool.take(at(2), TaskId(2)), None);
        assert_eq!(pool.take(at(2), task), Some("b"));
        assert_eq!(pool.take(at(4), task), None);
        assert_eq!(pool.take(at(2), task), None);
    }

    #[test]
    fn what_is_too_many_too_old_or_of_a_task_that_drains_goes() {
        let (mut pool, task) = (pool(), TaskId(1));
        for (second, name) in [(0, "a"), (1, "b"), (2, "c")] {
            pool.put(at(second), task, name);
        }
        pool.expire(at(5));
        assert_eq!((pool.take(at(5), task), pool.take(at(5), task)), (Some("c"), None));
        pool.put(at(6), task, "d");
        pool.retain(|other| other != task);
        assert_eq!(pool.take(at(6), task), None);
    }
}
