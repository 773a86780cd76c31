//! What lends a proxy its entries and octets.

use super::entry::{BranchEntry, ResponseContext};
use crate::memory::{Links, Octets, Pool, Store, Table, TableRef};
use crate::transaction::{self, Storage, Transaction};

/// Lends a proxy its storage: tables of entries, and octets.
///
/// Nothing in a proxy knows how many there are but by the tables' lengths. The tables of a fresh memory are empty.
pub trait Memory {
    /// What keeps messages.
    type Octets: Octets;

    /// All of it, to work with.
    fn parts(&mut self) -> Parts<'_, Self::Octets>;

    /// All of it, to read.
    fn view(&self) -> View<'_, Self::Octets>;
}

/// The parts of a [`Memory`], each borrowed for itself.
#[derive(Debug)]
pub struct Parts<'a, O> {
    /// Transactions.
    pub transactions: Table<'a, Transaction>,
    /// Response contexts.
    pub contexts: Table<'a, ResponseContext>,
    /// Branches.
    pub branches: Table<'a, BranchEntry>,
    /// Octets.
    pub octets: &'a mut O,
}

/// The parts of a [`Memory`], to be read.
#[derive(Debug)]
pub struct View<'a, O> {
    /// Transactions.
    pub transactions: TableRef<'a, Transaction>,
    /// Response contexts.
    pub contexts: TableRef<'a, ResponseContext>,
    /// Branches.
    pub branches: TableRef<'a, BranchEntry>,
    /// Octets.
    pub octets: &'a O,
}

impl<M: Memory> Memory for &mut M {
    type Octets = M::Octets;

    fn parts(&mut self) -> Parts<'_, Self::Octets> {
        (**self).parts()
    }

    fn view(&self) -> View<'_, Self::Octets> {
        (**self).view()
    }
}

/// A memory of fixed size, all zero before its use: in a static it lies in .bss.
///
/// A request that is passed on takes two transactions, which linger up to 32 s after its end, and until its end a context and a
/// branch for each target that it went to.
#[derive(Debug)]
pub struct Arrays<const TRANSACTIONS: usize, const CONTEXTS: usize, const BRANCHES: usize, const OCTETS: usize> {
    storage: transaction::Arrays<TRANSACTIONS, OCTETS>,
    contexts: Store<[Links; CONTEXTS], [ResponseContext; CONTEXTS]>,
    branches: Store<[Links; BRANCHES], [BranchEntry; BRANCHES]>,
}

impl<const TRANSACTIONS: usize, const CONTEXTS: usize, const BRANCHES: usize, const OCTETS: usize>
    Arrays<TRANSACTIONS, CONTEXTS, BRANCHES, OCTETS>
{
    /// A memory with nothing in it.
    #[must_use]
    pub const fn new() -> Self {
        Self { storage: transaction::Arrays::new(), contexts: Store::new(), branches: Store::new() }
    }
}

impl<const TRANSACTIONS: usize, const CONTEXTS: usize, const BRANCHES: usize, const OCTETS: usize> Default
    for Arrays<TRANSACTIONS, CONTEXTS, BRANCHES, OCTETS>
{
    fn default() -> Self {
        Self::new()
    }
}

impl<const TRANSACTIONS: usize, const CONTEXTS: usize, const BRANCHES: usize, const OCTETS: usize> Memory
    for Arrays<TRANSACTIONS, CONTEXTS, BRANCHES, OCTETS>
{
    type Octets = Pool<OCTETS>;

    fn parts(&mut self) -> Parts<'_, Self::Octets> {
        let (transactions, octets) = self.storage.parts();
        Parts { transactions, contexts: self.contexts.table(), branches: self.branches.table(), octets }
    }

    fn view(&self) -> View<'_, Self::Octets> {
        let (transactions, octets) = self.storage.view();
        View { transactions, contexts: self.contexts.view(), branches: self.branches.view(), octets }
    }
}
