//! What will happen when, first come first served within one moment.

use sip_core::time::Instant;
use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// A queue ordered by time, then by the order in which things were put in.
#[derive(Debug)]
pub(crate) struct Schedule<T> {
    heap: BinaryHeap<Entry<T>>,
    put: u64,
}

#[derive(Debug)]
struct Entry<T> {
    at: Instant,
    sequence: u64,
    what: T,
}

impl<T> Schedule<T> {
    pub(crate) fn new() -> Self {
        Self { heap: BinaryHeap::new(), put: 0 }
    }

    /// Puts `what` in for the moment `at`.
    pub(crate) fn put(&mut self, at: Instant, what: T) {
        self.put += 1;
        self.heap.push(Entry { at, sequence: self.put, what });
    }

    /// The moment of the first one.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.heap.peek().map(|entry| entry.at)
    }

    /// Takes the first one, if its moment has come.
    pub(crate) fn take(&mut self, now: Instant) -> Option<T> {
        if self.next()? > now {
            return None;
        }
        self.heap.pop().map(|entry| entry.what)
    }

    pub(crate) fn len(&self) -> usize {
        self.heap.len()
    }
}

// `BinaryHeap` gives the greatest first: the earliest is made the greatest.
impl<T> Ord for Entry<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.sequence).cmp(&(self.at, self.sequence))
    }
}

impl<T> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<T> Eq for Entry<T> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_orders_then_arrival_does() {
        let mut schedule = Schedule::new();
        for (at, what) in [(5, 'c'), (1, 'a'), (5, 'd'), (1, 'b')] {
            schedule.put(Instant::from_millis(at), what);
        }
        assert_eq!(schedule.take(Instant::ZERO), None);
        let order: String = core::iter::from_fn(|| schedule.take(Instant::from_millis(9))).collect();
        assert_eq!(order, "abcd");
        assert_eq!(schedule.len(), 0);
    }
}
