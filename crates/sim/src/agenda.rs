//! What is going to happen, in the order in which it will.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use seaworthy_core::time::Instant;

/// Events by time; of those at one moment, the one that was added first comes first.
#[derive(Debug)]
pub(crate) struct Agenda<E> {
    /// When, as which one, and where in `events`: a heap moves what it holds, so that is small. It gives
    /// the greatest first, and that is to be the earliest.
    heap: BinaryHeap<Reverse<(Instant, u64, usize)>>,
    events: Vec<Option<E>>,
    /// Places in `events` that are free.
    free: Vec<usize>,
    added: u64,
}

// === impl Agenda ===

impl<E> Agenda<E> {
    pub(crate) fn new() -> Self {
        Self { heap: BinaryHeap::new(), events: Vec::new(), free: Vec::new(), added: 0 }
    }

    /// `event` happens at this moment.
    pub(crate) fn add(&mut self, at: Instant, event: E) {
        let place = self.free.pop().unwrap_or_else(|| {
            self.events.push(None);
            self.events.len() - 1
        });
        self.events[place] = Some(event);
        self.heap.push(Reverse((at, self.added, place)));
        self.added += 1;
    }

    /// When the next one happens.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse((at, ..))| *at)
    }

    /// The next one, if it is due by `now`.
    pub(crate) fn take(&mut self, now: Instant) -> Option<E> {
        self.next().filter(|at| *at <= now)?;
        let Reverse((.., place)) = self.heap.pop()?;
        self.free.push(place);
        self.events[place].take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_comes_first_and_then_the_order_of_adding() {
        let at = Instant::from_nanos;
        let mut agenda = Agenda::new();
        for (nanos, event) in [(2, 'c'), (1, 'a'), (2, 'd'), (1, 'b'), (3, 'e')] {
            agenda.add(at(nanos), event);
        }
        let due: String = std::iter::from_fn(|| agenda.take(at(2))).collect();
        assert_eq!((due.as_str(), agenda.next()), ("abcd", Some(at(3))));
    }
}
