//! What owns the parts of a table.

use super::{Entry, Head, Links, Table, TableRef};

/// The parts of a [`Table`], in arrays or in vectors: entries, as many links, and a head.
#[derive(Clone, Debug)]
pub struct Store<L, E> {
    head: Head,
    links: L,
    entries: E,
}

impl<E: Entry, const N: usize> Store<[Links; N], [E; N]> {
    /// `N` free entries; all zero.
    #[must_use]
    pub const fn new() -> Self {
        Self::with([Links::ZERO; N], [E::ZERO; N])
    }
}

impl<L, E> Store<L, E> {
    /// Free entries: all of them [`Entry::ZERO`], all links [`Links::ZERO`], and as many of these as of those.
    #[must_use]
    pub const fn with(links: L, entries: E) -> Self {
        Self { head: Head::ZERO, links, entries }
    }

    /// The table, to work with.
    pub fn table<T: Entry>(&mut self) -> Table<'_, T>
    where
        L: AsMut<[Links]>,
        E: AsMut<[T]>,
    {
        Table::new(&mut self.head, self.links.as_mut(), self.entries.as_mut())
    }

    /// The table, to read.
    pub fn view<T: Entry>(&self) -> TableRef<'_, T>
    where
        L: AsRef<[Links]>,
        E: AsRef<[T]>,
    {
        TableRef::new(&self.head, self.links.as_ref(), self.entries.as_ref())
    }
}

impl<E: Entry, const N: usize> Default for Store<[Links; N], [E; N]> {
    fn default() -> Self {
        Self::new()
    }
}
