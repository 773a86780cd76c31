//! A table over borrowed entries: hash chains, a timer heap and ready lists in O(1) or O(log N).

use super::links::{CHAINS, Entry, Handle, Head, LISTS, Link, Links};
use crate::random::Key;
use crate::time::Instant;

/// A table of entries, as long as its two parts are borrowed.
#[derive(Debug)]
pub struct Table<'a, E> {
    pub(crate) head: &'a mut Head,
    pub(crate) entries: &'a mut [E],
}

/// A table of entries that is only read.
#[derive(Debug)]
pub struct TableRef<'a, E> {
    pub(crate) head: &'a Head,
    pub(crate) entries: &'a [E],
}

impl<E> Clone for TableRef<'_, E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E> Copy for TableRef<'_, E> {}

impl<'a, E: Entry> TableRef<'a, E> {
    /// The table that `head` and `entries` make up; the two must always be used together.
    #[must_use]
    pub fn new(head: &'a Head, entries: &'a [E]) -> Self {
        Self { head, entries }
    }

    /// The entry, or `None` when it was removed.
    #[must_use]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub fn get(self, handle: Handle) -> Option<&'a E> {
        let entry = self.entries.get(handle.index()?)?;
        let links = entry.links();
        (links.live && links.generation == handle.generation).then_some(entry)
    }

    /// Entries in use.
    #[must_use]
    pub fn len(self) -> usize {
        self.head.used as usize
    }

    /// Whether no entry is in use.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.head.used == 0
    }

    /// Entries that can still be inserted.
    #[must_use]
    pub fn free(self) -> usize {
        self.entries.len().saturating_sub(self.len())
    }

    /// The earliest moment of all timers.
    #[must_use]
    pub fn next_deadline(self) -> Option<Instant> {
        if self.head.timers == 0 { None } else { self.entries.first().map(|entry| entry.links().deadline) }
    }

    /// When the entry's timer fires.
    #[must_use]
    pub fn deadline(self, handle: Handle) -> Option<Instant> {
        let place = self.get(handle)?.links().place.to_entry()?;
        self.entries.get(place).map(|entry| entry.links().deadline)
    }

    /// The entry that stands in `chain` under `key`.
    #[must_use]
    pub fn find(self, chain: usize, key: Key) -> Option<Handle> {
        let bucket = self.entries.get(bucket_of(key, self.entries.len()))?;
        self.walk(chain, key, *bucket.links().bucket.get(chain)?)
    }

    /// The entry after `handle` that stands in `chain` under the same key.
    #[must_use]
    pub fn find_next(self, handle: Handle, chain: usize) -> Option<Handle> {
        let entry = self.get(handle)?;
        self.walk(chain, entry.key(chain), *entry.links().chain_next.get(chain)?)
    }

    /// The first of ready list `list`.
    #[must_use]
    pub fn first(self, list: usize) -> Option<Handle> {
        self.handle_at(self.head.first.get(list)?.to_entry()?)
    }

    /// The ready list in which the entry stands.
    #[must_use]
    pub fn ready_list(self, handle: Handle) -> Option<usize> {
        usize::from(self.get(handle)?.links().ready).checked_sub(1)
    }

    /// The entry after `handle` in its ready list.
    #[must_use]
    pub fn next_ready(self, handle: Handle) -> Option<Handle> {
        self.handle_at(self.get(handle)?.links().next.to_entry()?)
    }

    /// The last of ready list `list`.
    #[must_use]
    pub fn last(self, list: usize) -> Option<Handle> {
        self.handle_at(self.head.last.get(list)?.to_entry()?)
    }

    /// The entry before `handle` in its ready list.
    #[must_use]
    pub fn previous_ready(self, handle: Handle) -> Option<Handle> {
        self.handle_at(self.get(handle)?.links().prev.to_entry()?)
    }

    /// Every entry in use, in the order of their places.
    pub fn iter(self) -> impl Iterator<Item = (Handle, &'a E)> {
        let used = self.entries.iter().take(self.head.fresh as usize).enumerate();
        used.filter(|(_, entry)| entry.links().live)
            .map(|(index, entry)| (Handle::new(Link::entry(index), entry.links().generation), entry))
    }

    fn walk(self, chain: usize, key: Key, from: Link) -> Option<Handle> {
        let mut link = from;
        loop {
            let index = link.to_entry()?;
            let entry = self.entries.get(index)?;
            #[cfg(test)]
            steps::count();
            if entry.key(chain) == key {
                return Some(Handle::new(link, entry.links().generation));
            }
            link = *entry.links().chain_next.get(chain)?;
        }
    }

    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(crate) fn handle_at(self, index: usize) -> Option<Handle> {
        let links = self.entries.get(index)?.links();
        links.live.then_some(Handle::new(Link::entry(index), links.generation))
    }
}

impl<'a, E: Entry> Table<'a, E> {
    /// The table that `head` and `entries` make up; the two must always be used together.
    ///
    /// A zeroed slice beside [`Head::ZERO`] is an empty table.
    #[must_use]
    pub fn new(head: &'a mut Head, entries: &'a mut [E]) -> Self {
        Self { head, entries }
    }

    /// The same table, only to be read.
    #[must_use]
    pub fn view(&self) -> TableRef<'_, E> {
        TableRef { head: self.head, entries: self.entries }
    }

    /// The same table under a shorter borrow.
    pub fn reborrow(&mut self) -> Table<'_, E> {
        Table { head: self.head, entries: self.entries }
    }

    /// Takes a free entry into use; `None` when there is none. The entry is [`Entry::ZERO`] and in no chain.
    pub fn insert(&mut self) -> Option<Handle> {
        let index = match self.head.free.to_entry() {
            Some(index) => {
                self.head.free = self.links(index)?.next;
                index
            }
            None => {
                let index = self.head.fresh as usize;
                if index >= self.entries.len() || Link::entry(index).is_none() {
                    return None;
                }
                self.head.fresh = self.head.fresh.saturating_add(1);
                index
            }
        };
        self.head.used = self.head.used.saturating_add(1);
        let links = self.links_mut(index)?;
        links.live = true;
        links.next = Link::NONE;
        links.generation = links.generation.wrapping_add(1);
        Some(Handle::new(Link::entry(index), links.generation))
    }

    /// Gives an entry back: out of its chains, its ready list and the timers. A stale handle changes nothing.
    pub fn remove(&mut self, handle: Handle) {
        let Some(index) = self.index(handle) else { return };
        for chain in 0..CHAINS {
            self.unlink_key(handle, chain);
        }
        self.set_timer(handle, None);
        self.unlink_ready(handle);
        let free = self.head.free;
        if let Some(entry) = self.entries.get_mut(index) {
            let links = *entry.links();
            *entry = E::ZERO;
            *entry.links_mut() = Links { live: false, next: free, ..links };
            self.head.free = Link::entry(index);
            self.head.used = self.head.used.saturating_sub(1);
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
        let index = self.index(handle)?;
        self.entries.get_mut(index)
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

    /// Puts the entry into `chain` under `key`, which its [`Entry::key`] must give as long as it stands there.
    /// An entry that already stood in the chain moves.
    pub fn link_key(&mut self, handle: Handle, chain: usize, key: Key) {
        if chain >= CHAINS {
            return;
        }
        let Some(index) = self.index(handle) else { return };
        self.unlink_key(handle, chain);
        let bucket = bucket_of(key, self.entries.len());
        let own = Link::entry(index);
        let Some(first) = self.links_mut(bucket).and_then(|links| links.bucket.get_mut(chain)) else { return };
        let next = core::mem::replace(first, own);
        self.set_chain_prev(next, chain, own);
        if let Some(links) = self.links_mut(index) {
            set(&mut links.chain_next, chain, next);
            set(&mut links.chain_prev, chain, Link::bucket(bucket));
        }
    }

    /// Takes the entry out of `chain`; harmless when it is not in it.
    pub fn unlink_key(&mut self, handle: Handle, chain: usize) {
        let Some(links) = self.index(handle).and_then(|index| self.links_mut(index)) else { return };
        let (Some(next), Some(prev)) = (links.chain_next.get_mut(chain), links.chain_prev.get_mut(chain)) else {
            return;
        };
        let (next, prev) = (core::mem::take(next), core::mem::take(prev));
        if let Some(bucket) = prev.to_bucket() {
            if let Some(links) = self.links_mut(bucket) {
                set(&mut links.bucket, chain, next);
            }
        } else if let Some(links) = prev.to_entry().and_then(|index| self.links_mut(index)) {
            set(&mut links.chain_next, chain, next);
        }
        self.set_chain_prev(next, chain, prev);
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
        let Some(index) = self.index(handle) else { return };
        let place = self.links(index).and_then(|links| links.place.to_entry());
        match (place, deadline) {
            (None, None) => {}
            (None, Some(deadline)) => {
                let place = self.head.timers as usize;
                self.head.timers = self.head.timers.saturating_add(1);
                self.rise(place, Link::entry(index), deadline);
            }
            (Some(place), Some(deadline)) => self.settle(place, Link::entry(index), deadline),
            (Some(place), None) => {
                if let Some(links) = self.links_mut(index) {
                    links.place = Link::NONE;
                }
                self.head.timers = self.head.timers.saturating_sub(1);
                let last = self.head.timers as usize;
                let Some(links) = self.links_mut(last) else { return };
                let (slot, deadline) = (core::mem::take(&mut links.slot), core::mem::take(&mut links.deadline));
                if place != last {
                    self.settle(place, slot, deadline);
                }
            }
        }
    }

    /// The earliest moment of all timers.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.view().next_deadline()
    }

    /// An entry whose timer is due, earliest first; the timer is stopped. Call until `None`.
    pub fn expired(&mut self, now: Instant) -> Option<Handle> {
        if self.next_deadline()? > now {
            return None;
        }
        let index = self.links(0)?.slot.to_entry()?;
        let handle = self.view().handle_at(index)?;
        self.set_timer(handle, None);
        Some(handle)
    }

    /// Puts the entry at the end of ready list `list`, out of the one where it stood.
    pub fn push(&mut self, handle: Handle, list: usize) {
        let Some(index) = self.leave_list(handle, list) else { return };
        let own = Link::entry(index);
        let Some(last) = self.head.last.get_mut(list) else { return };
        let prev = core::mem::replace(last, own);
        match prev.to_entry().and_then(|index| self.links_mut(index)) {
            Some(links) => links.next = own,
            None => set(&mut self.head.first, list, own),
        }
        self.join_list(index, list, prev, Link::NONE);
    }

    /// Puts the entry at the front of ready list `list`, out of the one where it stood.
    pub fn push_front(&mut self, handle: Handle, list: usize) {
        let Some(index) = self.leave_list(handle, list) else { return };
        let own = Link::entry(index);
        let Some(first) = self.head.first.get_mut(list) else { return };
        let next = core::mem::replace(first, own);
        match next.to_entry().and_then(|index| self.links_mut(index)) {
            Some(links) => links.prev = own,
            None => set(&mut self.head.last, list, own),
        }
        self.join_list(index, list, Link::NONE, next);
    }

    /// Takes the entry out of its ready list; harmless when it is in none.
    pub fn unlink_ready(&mut self, handle: Handle) {
        let Some(links) = self.index(handle).and_then(|index| self.links_mut(index)) else { return };
        let Some(list) = usize::from(links.ready).checked_sub(1) else { return };
        let (next, prev) = (core::mem::take(&mut links.next), core::mem::take(&mut links.prev));
        links.ready = 0;
        match prev.to_entry().and_then(|index| self.links_mut(index)) {
            Some(links) => links.next = next,
            None => set(&mut self.head.first, list, next),
        }
        match next.to_entry().and_then(|index| self.links_mut(index)) {
            Some(links) => links.prev = prev,
            None => set(&mut self.head.last, list, prev),
        }
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

    fn index(&self, handle: Handle) -> Option<usize> {
        self.get(handle)?;
        handle.index()
    }

    fn links(&self, index: usize) -> Option<&Links> {
        self.entries.get(index).map(E::links)
    }

    fn links_mut(&mut self, index: usize) -> Option<&mut Links> {
        self.entries.get_mut(index).map(E::links_mut)
    }

    fn set_chain_prev(&mut self, of: Link, chain: usize, prev: Link) {
        if let Some(links) = of.to_entry().and_then(|index| self.links_mut(index)) {
            set(&mut links.chain_prev, chain, prev);
        }
    }

    fn leave_list(&mut self, handle: Handle, list: usize) -> Option<usize> {
        if list >= LISTS {
            return None;
        }
        self.unlink_ready(handle);
        self.index(handle)
    }

    fn join_list(&mut self, index: usize, list: usize, prev: Link, next: Link) {
        if let Some(links) = self.links_mut(index) {
            links.prev = prev;
            links.next = next;
            links.ready = u8::try_from(list.saturating_add(1)).unwrap_or(0);
        }
    }

    /// Puts a timer where `place` is empty or out of order, and restores the order of the heap.
    fn settle(&mut self, place: usize, slot: Link, deadline: Instant) {
        let parent = place.checked_sub(1).map(|below| below / 2);
        match parent.and_then(|parent| self.links(parent)) {
            Some(links) if links.deadline > deadline => self.rise(place, slot, deadline),
            _ => self.sink(place, slot, deadline),
        }
    }

    fn rise(&mut self, from: usize, slot: Link, deadline: Instant) {
        let mut place = from;
        while let Some(parent) = place.checked_sub(1).map(|below| below / 2) {
            #[cfg(test)]
            steps::count();
            let Some(links) = self.links(parent) else { break };
            if links.deadline <= deadline {
                break;
            }
            let (slot, deadline) = (links.slot, links.deadline);
            self.put(place, slot, deadline);
            place = parent;
        }
        self.put(place, slot, deadline);
    }

    fn sink(&mut self, from: usize, slot: Link, deadline: Instant) {
        let mut place = from;
        let timers = self.head.timers as usize;
        loop {
            #[cfg(test)]
            steps::count();
            let left = place.saturating_mul(2).saturating_add(1);
            if left >= timers {
                break;
            }
            let right = left.saturating_add(1);
            let Some(mut child) = self.links(left).map(|links| (left, links.slot, links.deadline)) else { break };
            if let Some(links) = self.links(right)
                && right < timers
                && links.deadline < child.2
            {
                child = (right, links.slot, links.deadline);
            }
            if deadline <= child.2 {
                break;
            }
            self.put(place, child.1, child.2);
            place = child.0;
        }
        self.put(place, slot, deadline);
    }

    fn put(&mut self, place: usize, slot: Link, deadline: Instant) {
        if let Some(links) = self.links_mut(place) {
            links.slot = slot;
            links.deadline = deadline;
        }
        if let Some(links) = slot.to_entry().and_then(|index| self.links_mut(index)) {
            links.place = Link::entry(place);
        }
    }
}

/// The bucket of a key: its bits as a fraction of the number of buckets, which takes no division.
fn bucket_of(key: Key, buckets: usize) -> usize {
    (u64::from(key.bucket_bits()).wrapping_mul(buckets as u64) >> 32) as usize
}

fn set<const N: usize>(links: &mut [Link; N], at: usize, link: Link) {
    if let Some(place) = links.get_mut(at) {
        *place = link;
    }
}

#[cfg(test)]
pub(super) mod steps {
    use core::cell::Cell;

    std::thread_local! {
        static STEPS: Cell<u64> = const { Cell::new(0) };
    }

    pub(super) fn count() {
        STEPS.with(|steps| steps.set(steps.get() + 1));
    }

    /// Chain and heap steps since the last call, on this thread.
    pub(in crate::memory) fn take() -> u64 {
        STEPS.with(|steps| steps.replace(0))
    }
}

#[cfg(test)]
#[path = "table_tests.rs"]
#[allow(clippy::std_instead_of_alloc, reason = "tests run on std")]
mod tests;
