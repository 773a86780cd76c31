//! A table over borrowed entries: hash chains, a timer heap and ready lists in O(1) or O(log N).

use super::index::{self, Index, IndexRef};
use super::links::{Entry, Handle, Head, Link, Links};
use crate::random::Key;
use crate::time::Instant;

/// A table of entries, as long as its parts are borrowed.
#[derive(Debug)]
pub struct Table<'a, E> {
    index: Index<'a>,
    entries: &'a mut [E],
}

/// A table of entries that is only read.
#[derive(Debug)]
pub struct TableRef<'a, E> {
    index: IndexRef<'a>,
    entries: &'a [E],
}

impl<E> Clone for TableRef<'_, E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E> Copy for TableRef<'_, E> {}

impl<'a, E: Entry> TableRef<'a, E> {
    /// The table that the three parts make up; they must always be used together.
    #[must_use]
    pub fn new(head: &'a Head, links: &'a [Links], entries: &'a [E]) -> Self {
        let length = links.len().min(entries.len()).min(Handle::MOST);
        let links = links.get(..length).unwrap_or_default();
        Self { index: IndexRef { head, links }, entries }
    }

    /// The entry, or `None` when it was removed.
    #[must_use]
    pub fn get(self, handle: Handle) -> Option<&'a E> {
        self.entries.get(index::place(self.index.links, handle)?)
    }

    /// Entries in use.
    #[must_use]
    pub fn len(self) -> usize {
        self.index.len()
    }

    /// Whether no entry is in use.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Entries that can still be inserted.
    #[must_use]
    pub fn free(self) -> usize {
        self.index.links.len().wrapping_sub(self.len())
    }

    /// The earliest moment of all timers.
    #[must_use]
    pub fn next_deadline(self) -> Option<Instant> {
        self.index.next_deadline()
    }

    /// When the entry's timer fires.
    #[must_use]
    pub fn deadline(self, handle: Handle) -> Option<Instant> {
        self.index.deadline(handle)
    }

    /// The entry that stands in `chain` under `key`.
    #[must_use]
    pub fn find(self, chain: usize, key: Key) -> Option<Handle> {
        self.walk(chain, key, self.index.chain(chain, key)?)
    }

    /// The entry after `handle` that stands in `chain` under the same key.
    #[must_use]
    pub fn find_next(self, handle: Handle, chain: usize) -> Option<Handle> {
        let key = self.get(handle)?.key(chain);
        self.walk(chain, key, self.index.after(handle, chain)?)
    }

    /// The first of ready list `list`.
    #[must_use]
    pub fn first(self, list: usize) -> Option<Handle> {
        self.index.first(list)
    }

    /// The ready list in which the entry stands.
    #[must_use]
    pub fn ready_list(self, handle: Handle) -> Option<usize> {
        self.index.ready_list(handle)
    }

    /// The entry after `handle` in its ready list.
    #[must_use]
    pub fn next_ready(self, handle: Handle) -> Option<Handle> {
        self.index.next_ready(handle)
    }

    /// The last of ready list `list`.
    #[must_use]
    pub fn last(self, list: usize) -> Option<Handle> {
        self.index.last(list)
    }

    /// The entry before `handle` in its ready list.
    #[must_use]
    pub fn previous_ready(self, handle: Handle) -> Option<Handle> {
        self.index.previous_ready(handle)
    }

    /// Every entry in use, in the order of their places.
    pub fn iter(self) -> impl Iterator<Item = (Handle, &'a E)> {
        let links = self.index.links;
        let used = self.entries.iter().take(self.index.head.fresh as usize).enumerate();
        used.filter_map(|(place, entry)| Some((index::handle_of(links, Link::entry(place))?, entry)))
    }

    fn walk(self, chain: usize, key: Key, from: Link) -> Option<Handle> {
        let mut link = from;
        loop {
            #[cfg(test)]
            index::steps::count();
            let place = link.to_entry()?;
            if self.entries.get(place)?.key(chain) == key {
                return index::handle_of(self.index.links, link);
            }
            link = *self.index.links.get(place)?.chain_next.get(chain)?;
        }
    }
}

impl<'a, E: Entry> Table<'a, E> {
    /// The table that the three parts make up; they must always be used together. What the longer slice has more than the
    /// other stays unused, and so does what a [`Handle`] can't name.
    ///
    /// Zeroed slices beside [`Head::ZERO`] are an empty table.
    #[must_use]
    pub fn new(head: &'a mut Head, links: &'a mut [Links], entries: &'a mut [E]) -> Self {
        let length = links.len().min(entries.len()).min(Handle::MOST);
        let links = links.get_mut(..length).unwrap_or_default();
        Self { index: Index { head, links }, entries }
    }

    /// The same table, only to be read.
    #[must_use]
    pub fn view(&self) -> TableRef<'_, E> {
        TableRef { index: self.index.view(), entries: self.entries }
    }

    /// Takes a free entry into use; `None` when there is none. The entry is [`Entry::ZERO`] and in no chain.
    pub fn insert(&mut self) -> Option<Handle> {
        self.index.insert()
    }

    /// Gives an entry back: out of its chains, its ready list and the timers. A stale handle changes nothing.
    pub fn remove(&mut self, handle: Handle) {
        if let Some(entry) = self.index.remove(handle).and_then(|place| self.entries.get_mut(place)) {
            *entry = E::ZERO;
        }
    }

    /// The entry, or `None` when it was removed.
    #[must_use]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub fn get(&self, handle: Handle) -> Option<&E> {
        self.view().get(handle)
    }

    /// The entry to be changed, or `None` when it was removed.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub fn get_mut(&mut self, handle: Handle) -> Option<&mut E> {
        self.entries.get_mut(index::place(self.index.links, handle)?)
    }

    /// Entries in use.
    #[must_use]
    pub fn len(&self) -> usize {
        self.view().len()
    }

    /// Whether no entry is in use.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.view().is_empty()
    }

    /// Entries that can still be inserted.
    #[must_use]
    pub fn free(&self) -> usize {
        self.view().free()
    }

    /// Entries, free ones included.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.index.links.len()
    }

    /// The entry in use at `place`, below [`capacity`](Self::capacity).
    #[must_use]
    pub fn handle_at(&self, place: usize) -> Option<Handle> {
        index::handle_of(self.index.links, Link::entry(place))
    }

    /// Puts the entry into `chain` under `key`, which its [`Entry::key`] must give as long as it stands there.
    /// An entry that already stood in the chain moves.
    pub fn link_key(&mut self, handle: Handle, chain: usize, key: Key) {
        self.index.link_key(handle, chain, key);
    }

    /// Takes the entry out of `chain`; harmless when it is not in it.
    pub fn unlink_key(&mut self, handle: Handle, chain: usize) {
        self.index.unlink_key(handle, chain);
    }

    /// The entry that stands in `chain` under `key`.
    #[must_use]
    pub fn find(&self, chain: usize, key: Key) -> Option<Handle> {
        self.view().find(chain, key)
    }

    /// The entry after `handle` that stands in `chain` under the same key.
    #[must_use]
    pub fn find_next(&self, handle: Handle, chain: usize) -> Option<Handle> {
        self.view().find_next(handle, chain)
    }

    /// Starts, moves or (with `None`) stops the entry's one timer, in O(log N).
    pub fn set_timer(&mut self, handle: Handle, deadline: Option<Instant>) {
        self.index.set_timer(handle, deadline);
    }

    /// The earliest moment of all timers.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.view().next_deadline()
    }

    /// An entry whose timer is due, earliest first; the timer is stopped. Call until `None`.
    pub fn expired(&mut self, now: Instant) -> Option<Handle> {
        self.index.expired(now)
    }

    /// Puts the entry at the end of ready list `list`, out of the one where it stood.
    pub fn push(&mut self, handle: Handle, list: usize) {
        self.index.push(handle, list);
    }

    /// Puts the entry at the front of ready list `list`, out of the one where it stood.
    pub fn push_front(&mut self, handle: Handle, list: usize) {
        self.index.push_front(handle, list);
    }

    /// Takes the entry out of its ready list; harmless when it is in none.
    pub fn unlink_ready(&mut self, handle: Handle) {
        self.index.unlink_ready(handle);
    }

    /// Whether ready list `list` has nothing in it.
    #[must_use]
    #[inline]
    pub fn is_list_empty(&self, list: usize) -> bool {
        self.index.head.first.get(list).is_none_or(|first| first.is_none())
    }

    /// The first of ready list `list`.
    #[must_use]
    pub fn first(&self, list: usize) -> Option<Handle> {
        self.view().first(list)
    }

    /// The ready list in which the entry stands.
    #[must_use]
    pub fn ready_list(&self, handle: Handle) -> Option<usize> {
        self.view().ready_list(handle)
    }

    /// The entry after `handle` in its ready list.
    #[must_use]
    pub fn next_ready(&self, handle: Handle) -> Option<Handle> {
        self.view().next_ready(handle)
    }
}

#[cfg(test)]
#[path = "table_tests.rs"]
#[allow(clippy::std_instead_of_alloc, reason = "tests run on std")]
mod tests;
