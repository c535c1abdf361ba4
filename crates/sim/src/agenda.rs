//! What is going to happen, in the order in which it will.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use seaworthy_core::time::Instant;

/// Events by time; of those at one moment, the one that was added first comes first.
#[derive(Debug)]
pub(crate) struct Agenda<E> {
    heap: BinaryHeap<Entry<E>>,
    added: u64,
}

#[derive(Debug)]
struct Entry<E> {
    at: Instant,
    ordinal: u64,
    event: E,
}

// === impl Agenda ===

impl<E> Agenda<E> {
    pub(crate) fn new() -> Self {
        Self { heap: BinaryHeap::new(), added: 0 }
    }

    /// `event` happens at this moment.
    pub(crate) fn add(&mut self, at: Instant, event: E) {
        self.heap.push(Entry { at, ordinal: self.added, event });
        self.added += 1;
    }

    /// When the next one happens.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.heap.peek().map(|entry| entry.at)
    }

    /// The next one, if it is due by `now`.
    pub(crate) fn take(&mut self, now: Instant) -> Option<E> {
        self.next().filter(|at| *at <= now)?;
        self.heap.pop().map(|entry| entry.event)
    }
}

// === impl Entry ===

impl<E> Entry<E> {
    fn key(&self) -> (Instant, u64) {
        (self.at, self.ordinal)
    }
}

/// A heap gives the greatest first, and that is to be the earliest.
impl<E> Ord for Entry<E> {
    fn cmp(&self, other: &Self) -> Ordering {
        other.key().cmp(&self.key())
    }
}

impl<E> PartialOrd for Entry<E> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> PartialEq for Entry<E> {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl<E> Eq for Entry<E> {}

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
