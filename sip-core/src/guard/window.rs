//! Which nonce counts were used (RFC 7616 §3.4): a bounded table of nonces, each with a window of 64 counts.
//!
//! A nonce takes an entry with its first good use. When none is free the one that has been there longest goes, and no nonce that was
//! issued up to then is taken any more, unless it still stands in the table. So no credentials are taken twice, however full
//! the table is; what is lost is a round trip, for the user is asked again with a new nonce.

use crate::digest::NonceOrder;
use crate::memory::{Entry, Handle, Table};
use crate::random::{HashKey, Key};

/// The chain of nonces.
const NONCE: usize = 0;
/// The ready list of nonces, in the order of their first use.
const OLDEST: usize = 0;

/// A nonce that was used well. All zero is a free entry.
#[derive(Clone, Copy, Debug)]
pub struct Nonce {
    key: Key,
    issued: u32,
    counter: u32,
    /// The highest count that was used, and which of the 64 up to it were: the lowest bit is the highest count.
    highest: u32,
    /// A hash of whose nonce it is.
    user: u32,
    used: u64,
}

impl Entry for Nonce {
    const ZERO: Self = Self { key: Key::ZERO, issued: 0, counter: 0, highest: 0, user: 0, used: 0 };

    fn key(&self, _: usize) -> Key {
        self.key
    }
}

impl Nonce {
    /// Uses a count; false when it was used before, or may have been.
    fn take(&mut self, count: u32) -> bool {
        if let Some(rise) = count.checked_sub(self.highest).filter(|rise| *rise > 0) {
            self.used = self.used.checked_shl(rise).unwrap_or(0) | 1;
            self.highest = count;
            return true;
        }
        let Some(bit) = 1_u64.checked_shl(self.highest.wrapping_sub(count)) else { return false };
        let fresh = self.used & bit == 0;
        self.used |= bit;
        fresh
    }
}

/// Below which number a nonce is taken only when it stands in the table.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Window {
    pub(super) hash: HashKey,
    /// A number of this start, which is the upper half of the counters of its nonces.
    pub(super) start: u16,
    /// When the last nonce that left was issued.
    pub(super) floor: (u32, u32),
}

impl Window {
    pub(super) const ZERO: Self = Self { hash: HashKey::ZERO, start: 0, floor: (0, 0) };

    fn key(&self, (issued, counter): (u32, u32)) -> Key {
        self.hash.hasher().number(u64::from(issued) << 32 | u64::from(counter)).finish()
    }

    /// Whether the nonce was used well by this user before.
    pub(super) fn is_proven(&self, table: &Table<'_, Nonce>, number: (u32, u32), user: u32) -> bool {
        let found = table.find(NONCE, self.key(number)).and_then(|handle| table.get(handle));
        found.is_some_and(|nonce| nonce.user == user)
    }

    /// Uses a nonce and a count; false when both together were used before, or may have been.
    pub(super) fn take(&mut self, table: &mut Table<'_, Nonce>, order: NonceOrder, oldest: u32, user: u32) -> bool {
        let key = self.key(order.nonce());
        if order.issued < oldest || order.count == 0 {
            return false;
        }
        if let Some(nonce) = table.find(NONCE, key).and_then(|handle| table.get_mut(handle)) {
            return nonce.take(order.count);
        }
        // One of before the start may have been used; that its time is later shows only that the clock was set back.
        if order.nonce() <= self.floor || order.counter >> 16 != u32::from(self.start) {
            return false;
        }
        self.insert(table, key, order, user, oldest, 1)
    }

    /// Takes up a nonce whose counts were used before up to this one, as a record of a registration tells.
    pub(super) fn restore(&mut self, table: &mut Table<'_, Nonce>, order: NonceOrder, oldest: u32, user: u32) {
        let key = self.key(order.nonce());
        if order.issued < oldest || order.count == 0 {
            return;
        }
        match table.find(NONCE, key).and_then(|handle| table.get_mut(handle)) {
            Some(nonce) if nonce.highest >= order.count => {}
            Some(nonce) => (nonce.highest, nonce.used) = (order.count, u64::MAX),
            None => {
                self.insert(table, key, order, user, oldest, u64::MAX);
            }
        }
    }

    fn insert(
        &mut self,
        table: &mut Table<'_, Nonce>,
        key: Key,
        order: NonceOrder,
        user: u32,
        oldest: u32,
        used: u64,
    ) -> bool {
        self.remove_old(table, oldest);
        if table.free() == 0
            && let Some(first) = table.first(OLDEST)
        {
            if table.get(first).is_some_and(|nonce| order.nonce() <= (nonce.issued, nonce.counter)) {
                return false;
            }
            self.remove(table, first);
        }
        // A table of no entries takes no nonce twice, and none once.
        let Some(handle) = table.insert() else { return false };
        if let Some(nonce) = table.get_mut(handle) {
            let NonceOrder { issued, counter, count } = order;
            *nonce = Nonce { key, issued, counter, highest: count, user, used };
        }
        table.link_key(handle, NONCE, key);
        table.push(handle, OLDEST);
        true
    }

    /// Forgets what is too old to be taken again: two at most, so that the work of an input is bounded.
    fn remove_old(&mut self, table: &mut Table<'_, Nonce>, oldest: u32) {
        for _ in 0..2 {
            let Some(first) = table.first(OLDEST) else { return };
            if table.get(first).is_none_or(|nonce| nonce.issued >= oldest) {
                return;
            }
            self.remove(table, first);
        }
    }

    fn remove(&mut self, table: &mut Table<'_, Nonce>, handle: Handle) {
        if let Some(nonce) = table.get(handle) {
            self.floor = self.floor.max((nonce.issued, nonce.counter));
        }
        table.remove(handle);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::{Links, Store};
    use crate::random::Random;
    use proptest::prelude::*;

    type Nonces<const N: usize> = Store<[Links; N], [Nonce; N]>;

    fn window() -> Window {
        Window { hash: Random::new([1; 16]).hash_key(), start: 0, floor: (0, 0) }
    }

    fn order(issued: u32, counter: u32, count: u32) -> NonceOrder {
        NonceOrder { issued, counter, count }
    }

    #[test]
    fn each_count_is_taken_once_in_any_order_within_the_window() {
        let (mut window, mut nonces) = (window(), Nonces::<2>::new());
        let table = &mut nonces.table();
        let mut take = |count| window.take(table, order(10, 1, count), 0, 7);
        assert_eq!(
            [1, 1, 3, 2, 2, 3, 66, 3, 4, 2, 0].map(&mut take),
            [true, false, true, true, false, false, true, false, true, false, false]
        );
        assert!(take(u32::MAX) && !take(u32::MAX) && !take(66));
    }

    #[test]
    fn a_full_table_takes_nothing_twice_and_forgets_the_oldest() {
        let (mut window, mut nonces) = (window(), Nonces::<2>::new());
        let table = &mut nonces.table();
        for counter in 1..=3 {
            assert!(window.take(table, order(10, counter, 1), 0, 7));
        }
        assert_eq!((table.len(), window.floor), (2, (10, 1)));
        // The first one is gone, and its counts with it.
        assert!(!window.take(table, order(10, 1, 1), 0, 7) && !window.take(table, order(10, 1, 2), 0, 7));
        assert!(window.take(table, order(10, 2, 2), 0, 7) && window.take(table, order(10, 3, 2), 0, 7));
        // One that was issued before and is used only now is stale, and takes nobody's place.
        assert!(!window.take(table, order(9, 9, 1), 0, 7));
        assert!(window.take(table, order(10, 2, 3), 0, 7));
    }

    #[test]
    fn what_is_too_old_is_stale_and_makes_room() {
        let (mut window, mut nonces) = (window(), Nonces::<2>::new());
        let table = &mut nonces.table();
        assert!(window.take(table, order(10, 1, 1), 10, 7) && window.take(table, order(10, 2, 1), 10, 7));
        assert!(!window.take(table, order(10, 1, 2), 11, 7));
        assert!(window.take(table, order(20, 3, 1), 11, 7));
        assert_eq!(table.len(), 1);
    }

    #[test]
    fn after_a_clock_was_set_back_nothing_of_before_is_taken() {
        let (mut window, mut nonces) = (window(), Nonces::<2>::new());
        let table = &mut nonces.table();
        window.start = 7;
        assert!(!window.take(table, order(10, 6 << 16 | 1, 1), 0, 7));
        assert!(window.take(table, order(10, 7 << 16 | 1, 1), 0, 7));
        window.restore(table, order(10, 6 << 16 | 2, 4), 0, 7);
        assert!(window.take(table, order(10, 6 << 16 | 2, 5), 0, 7), "a record tells how far it was used");
    }

    #[test]
    fn what_a_record_tells_is_used_up_to_its_count() {
        let (mut window, mut nonces) = (window(), Nonces::<2>::new());
        let table = &mut nonces.table();
        window.floor = (50, u32::MAX);
        window.restore(table, order(10, 1, 4), 0, 7);
        window.restore(table, order(10, 1, 3), 0, 7);
        assert!(!window.take(table, order(10, 2, 1), 0, 7), "no record tells of it");
        assert!(!window.take(table, order(10, 1, 3), 0, 7) && !window.take(table, order(10, 1, 4), 0, 7));
        assert!(window.take(table, order(10, 1, 5), 0, 7));
        assert!(window.is_proven(table, (10, 1), 7) && !window.is_proven(table, (10, 1), 8));
    }

    proptest! {
        /// Whatever comes in whatever order: no nonce and count are taken twice.
        #[test]
        fn nothing_is_taken_twice(uses in proptest::collection::vec((0_u32..4, 0_u32..4, 0_u32..80, 0_u32..3), 0..200)) {
            let (mut window, mut nonces) = (window(), Nonces::<3>::new());
            let table = &mut nonces.table();
            let mut taken = std::collections::HashSet::new();
            for (issued, counter, count, oldest) in uses {
                let order = order(issued, counter, count);
                if window.take(table, order, oldest, 7) {
                    prop_assert!(taken.insert(order), "{:?}", order);
                }
            }
        }
    }
}
