//! How a program calls other services, as far as a simulation has to be told.
//!
//! The calls of one request are made at once, when the program's own work on it is done. Around each
//! stand, from the outside in: the fallback, one deadline for all that follows, a slot of the pool, the
//! tries, and the guard with breaker and bulkhead, which sees each try.

use crate::call::{PathMatch, path};
use crate::policy::{fallback, guard, retry};

/// How a program calls other services; by default it calls none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    /// What all its calls share, if they share anything.
    pub pool: Option<Pool>,
    /// The services that it calls, each once, in ascending order.
    pub dependencies: Vec<Dependency>,
}

/// Slots that all calls of a task share: each call needs one from its first try to its last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pool {
    /// So many.
    pub size: u32,
    /// So many calls may wait for one; more are refused.
    pub waiting: u32,
}

/// A service that is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependency {
    /// Its place in the fleet's list.
    pub to: usize,
    /// Which requests make the call; all if there are none.
    pub paths: Vec<PathMatch>,
    /// Without a good answer to the call there is none to the request. Else one that lacks it is
    /// degraded, unless it lacks everything.
    pub needed: bool,
    /// Timeout, breaker and bulkhead.
    pub guard: guard::Config,
    /// Whether a call that failed is tried again.
    pub retry: Option<retry::Config>,
    /// Whether there are old answers instead of errors.
    pub fallback: Option<fallback::Config>,
}

// === impl Dependency ===

impl Dependency {
    /// Whether a request for this path and query makes the call.
    pub fn is_called_for(&self, target: &str) -> bool {
        self.paths.is_empty() || self.paths.iter().any(|paths| paths.is_for(path(target)))
    }
}

/// Services that call each other in a circle, the first of them again at the end, if there are some.
/// `callers` are those of all services.
pub(super) fn circle(callers: &[Caller]) -> Option<Vec<usize>> {
    /// The way from the first of `way` on, if it comes back to where it was.
    fn follow(callers: &[Caller], way: &mut Vec<usize>, done: &mut [bool]) -> bool {
        let here = *way.last().expect("it begins somewhere");
        if let Some(begin) = way[..way.len() - 1].iter().position(|place| *place == here) {
            way.drain(..begin);
            return true;
        }
        if done[here] {
            return false;
        }
        for dependency in &callers[here].dependencies {
            way.push(dependency.to);
            if follow(callers, way, done) {
                return true;
            }
            way.pop();
        }
        done[here] = true;
        false
    }
    let mut done = vec![false; callers.len()];
    (0..callers.len()).find_map(|place| {
        let mut way = vec![place];
        follow(callers, &mut way, &mut done).then_some(way)
    })
}
