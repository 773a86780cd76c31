//! Connections that peers have opened and whose handshakes are not over: whose gives way when there are too many.
//!
//! It is the oldest of the source that has the most, so that a flood from one place pushes out itself and nobody else. Who has the
//! handshakes of many hosts behind one address may have all the room as long as nobody else wants any.

use crate::accept::source;
use core::cmp::Reverse;
use core::net::IpAddr;
use sip_core::transport::Address;
use std::collections::{BTreeSet, HashMap};

/// The numbers of the connections, by source; the lowest is the oldest.
#[derive(Default)]
pub(crate) struct Handshakes {
    sources: HashMap<Option<IpAddr>, BTreeSet<u32>>,
    count: usize,
}

impl Handshakes {
    pub(crate) fn insert(&mut self, remote: Address, number: u32) {
        self.count += usize::from(self.sources.entry(source(remote)).or_default().insert(number));
    }

    pub(crate) fn remove(&mut self, remote: Address, number: u32) {
        let source = source(remote);
        let Some(numbers) = self.sources.get_mut(&source) else { return };
        self.count -= usize::from(numbers.remove(&number));
        if numbers.is_empty() {
            self.sources.remove(&source);
        }
    }

    /// The one that gives way, where there are more than `most`.
    pub(crate) fn surplus(&self, most: usize) -> Option<u32> {
        let all = (self.count > most).then_some(&self.sources)?;
        all.values().max_by_key(|numbers| (numbers.len(), Reverse(numbers.first())))?.first().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remote(host: u8, port: u16) -> Address {
        Address::v4([192, 0, 2, host].into(), port)
    }

    #[test]
    fn the_oldest_of_the_source_with_the_most_gives_way() {
        let mut handshakes = Handshakes::default();
        for (number, host) in [(1, 1), (2, 2), (3, 3), (4, 3), (5, 1)] {
            handshakes.insert(remote(host, number), number.into());
        }
        assert_eq!((handshakes.surplus(5), handshakes.surplus(4)), (None, Some(1)));
        handshakes.remove(remote(1, 9), 1);
        assert_eq!(handshakes.surplus(3), Some(3));
        handshakes.remove(remote(3, 9), 3);
        // With one each it is the oldest.
        assert_eq!(handshakes.surplus(2), Some(2));
        for number in [2, 4, 5, 5, 9] {
            (1..=3).for_each(|host| handshakes.remove(remote(host, 9), number));
        }
        assert_eq!((handshakes.count, handshakes.sources.len(), handshakes.surplus(0)), (0, 0, None));
    }
}
