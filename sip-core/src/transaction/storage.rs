//! What lends the layer its entries and octets. Every role has one of these in its own memory.

use super::Transaction;
use crate::memory::{Links, Octets, Pool, Store, Table, TableRef};

/// Lends transactions, and the octets that a role keeps messages in.
///
/// Nothing knows how many there are but by the tables' lengths. The tables of a fresh storage are empty.
pub trait Storage {
    /// What keeps messages.
    type Octets: Octets;

    /// Both, to work with.
    fn parts(&mut self) -> (Table<'_, Transaction>, &mut Self::Octets);

    /// Both, to read.
    fn view(&self) -> (TableRef<'_, Transaction>, &Self::Octets);
}

/// A storage of fixed size, all zero before its use: in a static it lies in .bss.
#[derive(Debug)]
#[cfg_attr(target_pointer_width = "32", repr(C))]
pub struct Arrays<const TRANSACTIONS: usize, const OCTETS: usize> {
    transactions: Store<[Links; TRANSACTIONS], [Transaction; TRANSACTIONS]>,
    octets: Pool<OCTETS>,
}

impl<const TRANSACTIONS: usize, const OCTETS: usize> Arrays<TRANSACTIONS, OCTETS> {
    /// A storage with nothing in it.
    #[must_use]
    pub const fn new() -> Self {
        Self { transactions: Store::new(), octets: Pool::new() }
    }
}

impl<const TRANSACTIONS: usize, const OCTETS: usize> Default for Arrays<TRANSACTIONS, OCTETS> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const TRANSACTIONS: usize, const OCTETS: usize> Storage for Arrays<TRANSACTIONS, OCTETS> {
    type Octets = Pool<OCTETS>;

    fn parts(&mut self) -> (Table<'_, Transaction>, &mut Self::Octets) {
        (self.transactions.table(), &mut self.octets)
    }

    fn view(&self) -> (TableRef<'_, Transaction>, &Self::Octets) {
        (self.transactions.view(), &self.octets)
    }
}
