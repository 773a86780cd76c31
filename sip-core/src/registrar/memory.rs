//! What lends a registrar its bindings and their texts.

use super::entry::Binding;
use crate::memory::{Links, Octets, Pool, Store, Table, TableRef};

/// Lends a registrar its storage: a table of bindings, and octets for their texts.
pub trait Memory {
    /// What keeps the texts.
    type Octets: Octets;

    /// Both, to work with.
    fn parts(&mut self) -> (Table<'_, Binding>, &mut Self::Octets);

    /// Both, to read.
    fn view(&self) -> (TableRef<'_, Binding>, &Self::Octets);
}

impl<M: Memory> Memory for &mut M {
    type Octets = M::Octets;

    fn parts(&mut self) -> (Table<'_, Binding>, &mut Self::Octets) {
        (**self).parts()
    }

    fn view(&self) -> (TableRef<'_, Binding>, &Self::Octets) {
        (**self).view()
    }
}

/// A memory of fixed size, all zero before its use: in a static it lies in .bss. A binding has some 130 octets of texts.
#[derive(Debug)]
pub struct Arrays<const BINDINGS: usize, const OCTETS: usize> {
    bindings: Store<[Links; BINDINGS], [Binding; BINDINGS]>,
    octets: Pool<OCTETS>,
}

impl<const BINDINGS: usize, const OCTETS: usize> Arrays<BINDINGS, OCTETS> {
    /// A memory with nothing in it.
    #[must_use]
    pub const fn new() -> Self {
        Self { bindings: Store::new(), octets: Pool::new() }
    }
}

impl<const BINDINGS: usize, const OCTETS: usize> Default for Arrays<BINDINGS, OCTETS> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const BINDINGS: usize, const OCTETS: usize> Memory for Arrays<BINDINGS, OCTETS> {
    type Octets = Pool<OCTETS>;

    fn parts(&mut self) -> (Table<'_, Binding>, &mut Self::Octets) {
        (self.bindings.table(), &mut self.octets)
    }

    fn view(&self) -> (TableRef<'_, Binding>, &Self::Octets) {
        (self.bindings.view(), &self.octets)
    }
}

/// What a binding takes beside its texts: the goal of 300 octets has room for 120 of them.
const _: () = assert!(size_of::<(Links, Binding)>() <= 184, "a binding has grown");
