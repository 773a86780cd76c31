//! The application's deadlines: one moment for each of its tokens, the earliest first.

use sip_core::time::Instant;
use std::collections::{BTreeSet, HashMap};

#[derive(Debug, Default)]
pub(crate) struct Deadlines {
    by_token: HashMap<u64, Instant>,
    by_time: BTreeSet<(Instant, u64)>,
}

impl Deadlines {
    /// Sets a token's deadline, in place of the one that it had.
    pub(crate) fn set(&mut self, token: u64, at: Instant) {
        self.clear(token);
        self.by_token.insert(token, at);
        self.by_time.insert((at, token));
    }

    pub(crate) fn clear(&mut self, token: u64) {
        if let Some(at) = self.by_token.remove(&token) {
            self.by_time.remove(&(at, token));
        }
    }

    pub(crate) fn next(&self) -> Option<Instant> {
        self.by_time.first().map(|(at, _)| *at)
    }

    /// Takes the first token whose deadline has come.
    pub(crate) fn take_due(&mut self, now: Instant) -> Option<u64> {
        let (_, token) = self.by_time.first().copied().filter(|(at, _)| *at <= now)?;
        self.clear(token);
        Some(token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::from_millis(millis)
    }

    #[test]
    fn each_token_has_one_deadline_and_the_earliest_comes_first() {
        let mut deadlines = Deadlines::default();
        for (token, millis) in [(7, 30), (8, 20), (9, 25), (7, 10), (9, 40)] {
            deadlines.set(token, at(millis));
        }
        assert_eq!((deadlines.next(), deadlines.take_due(at(9))), (Some(at(10)), None));
        deadlines.clear(9);
        deadlines.clear(9);
        let due: Vec<u64> = core::iter::from_fn(|| deadlines.take_due(at(100))).collect();
        assert_eq!((due, deadlines.next(), deadlines.by_token.len()), (vec![7, 8], None, 0));
    }
}
