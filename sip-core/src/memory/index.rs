//! The order of a table: which entries are in use, their hash chains, the timer heap, the ready lists. It knows their
//! links alone and not the entries, so its code is there once for all kinds of them.

use super::links::{CHAINS, Handle, Head, LISTS, Link, Links};
use crate::random::Key;
use crate::time::Instant;

/// The links of a table, to be changed.
#[derive(Debug)]
pub(super) struct Index<'a> {
    pub(super) head: &'a mut Head,
    pub(super) links: &'a mut [Links],
}

/// The links of a table, to be read.
#[derive(Clone, Copy, Debug)]
pub(super) struct IndexRef<'a> {
    pub(super) head: &'a Head,
    pub(super) links: &'a [Links],
}

/// The place of the entry that `handle` names, when it is in use.
#[cfg_attr(target_pointer_width = "64", inline)]
#[cfg_attr(not(target_pointer_width = "64"), inline(never))]
pub(super) fn place(links: &[Links], handle: Handle) -> Option<usize> {
    let place = handle.link(links.len()).to_entry()?;
    links.get(place)?.tenure.is(handle.generation(links.len())).then_some(place)
}

impl<'a> IndexRef<'a> {
    pub(super) fn len(self) -> usize {
        self.head.used as usize
    }

    #[cfg_attr(target_pointer_width = "64", inline)]
    pub(super) fn next_deadline(self) -> Option<Instant> {
        if self.head.timers == 0 { None } else { self.links.first().map(|links| links.deadline) }
    }

    pub(super) fn deadline(self, handle: Handle) -> Option<Instant> {
        self.deadline_at(place(self.links, handle)?)
    }

    fn deadline_at(self, index: usize) -> Option<Instant> {
        let place = self.links.get(index)?.place.to_entry()?;
        self.links.get(place).map(|links| links.deadline)
    }

    #[cfg_attr(target_pointer_width = "64", inline)]
    pub(super) fn first(self, list: usize) -> Option<Handle> {
        self.handle(*self.head.first.get(list)?)
    }

    #[cfg_attr(target_pointer_width = "64", inline)]
    pub(super) fn last(self, list: usize) -> Option<Handle> {
        self.handle(*self.head.last.get(list)?)
    }

    #[cfg_attr(target_pointer_width = "64", inline)]
    pub(super) fn ready_list(self, handle: Handle) -> Option<usize> {
        usize::from(self.of(handle)?.ready).checked_sub(1)
    }

    #[cfg_attr(target_pointer_width = "64", inline)]
    pub(super) fn next_ready(self, handle: Handle) -> Option<Handle> {
        self.handle(self.of(handle)?.next)
    }

    #[cfg_attr(target_pointer_width = "64", inline)]
    pub(super) fn previous_ready(self, handle: Handle) -> Option<Handle> {
        self.handle(self.of(handle)?.prev)
    }

    /// The first link of the chain of `key`.
    #[cfg_attr(target_pointer_width = "64", inline)]
    pub(super) fn chain(self, chain: usize, key: Key) -> Option<Link> {
        self.links.get(bucket_of(key, self.links.len()))?.bucket.get(chain).copied()
    }

    /// The link behind an entry in its chain.
    #[cfg_attr(target_pointer_width = "64", inline)]
    pub(super) fn after(self, handle: Handle, chain: usize) -> Option<Link> {
        self.of(handle)?.chain_next.get(chain).copied()
    }

    #[cfg_attr(target_pointer_width = "64", inline)]
    fn of(self, handle: Handle) -> Option<&'a Links> {
        self.links.get(place(self.links, handle)?)
    }

    #[cfg_attr(target_pointer_width = "64", inline)]
    fn handle(self, link: Link) -> Option<Handle> {
        handle_of(self.links, link)
    }
}

/// The handle of the entry to which `link` leads.
#[cfg_attr(target_pointer_width = "64", inline)]
#[cfg_attr(not(target_pointer_width = "64"), inline(never))]
pub(super) fn handle_of(links: &[Links], link: Link) -> Option<Handle> {
    let generation = links.get(link.to_entry()?)?.tenure.generation()?;
    Some(Handle::new(link, generation, links.len()))
}

impl Index<'_> {
    pub(super) fn view(&self) -> IndexRef<'_> {
        IndexRef { head: self.head, links: self.links }
    }

    /// Takes a free entry into use.
    #[cfg_attr(target_pointer_width = "64", inline)]
    pub(super) fn insert(&mut self) -> Option<Handle> {
        let link = if self.head.free.is_none() {
            let index = self.head.fresh as usize;
            if index >= self.links.len() {
                return None;
            }
            // No number of entries wraps: a table has fewer than 2³¹.
            self.head.fresh = self.head.fresh.wrapping_add(1);
            Link::entry(index)
        } else {
            self.head.free
        };
        let links = self.links.get_mut(link.to_entry()?)?;
        self.head.free = core::mem::take(&mut links.next);
        self.head.used = self.head.used.wrapping_add(1);
        links.tenure = links.tenure.begun();
        handle_of(self.links, link)
    }

    /// Gives an entry back; its place, when the handle was not stale.
    pub(super) fn remove(&mut self, handle: Handle) -> Option<usize> {
        let index = place(self.links, handle)?;
        for chain in 0..CHAINS {
            self.leave_chain(index, chain);
        }
        self.stop_timer(index);
        self.leave_list(index);
        let links = self.links.get_mut(index)?;
        links.tenure = links.tenure.ended();
        links.next = core::mem::replace(&mut self.head.free, Link::entry(index));
        self.head.used = self.head.used.wrapping_sub(1);
        Some(index)
    }

    pub(super) fn link_key(&mut self, handle: Handle, chain: usize, key: Key) {
        if chain >= CHAINS {
            return;
        }
        let Some(index) = place(self.links, handle) else { return };
        self.leave_chain(index, chain);
        let bucket = bucket_of(key, self.links.len());
        let own = Link::entry(index);
        let Some(first) = self.links.get_mut(bucket).and_then(|links| links.bucket.get_mut(chain)) else { return };
        let next = core::mem::replace(first, own);
        self.set_chain_prev(next, chain, own);
        if let Some(links) = self.links.get_mut(index) {
            set(&mut links.chain_next, chain, next);
            set(&mut links.chain_prev, chain, Link::bucket(bucket));
        }
    }

    pub(super) fn unlink_key(&mut self, handle: Handle, chain: usize) {
        if let Some(index) = place(self.links, handle) {
            self.leave_chain(index, chain);
        }
    }

    pub(super) fn set_timer(&mut self, handle: Handle, deadline: Option<Instant>) {
        let Some(index) = place(self.links, handle) else { return };
        let Some(deadline) = deadline else { return self.stop_timer(index) };
        // That saves time, and costs flash.
        if cfg!(target_pointer_width = "64") && self.view().deadline_at(index) == Some(deadline) {
            return;
        }
        let place = self.links.get(index).and_then(|links| links.place.to_entry()).unwrap_or_else(|| {
            let last = self.head.timers;
            self.head.timers = last.wrapping_add(1);
            last as usize
        });
        self.settle(place, Link::entry(index), deadline);
    }

    /// The entry whose timer is due first; the timer is stopped.
    #[cfg_attr(target_pointer_width = "64", inline)]
    pub(super) fn expired(&mut self, now: Instant) -> Option<Handle> {
        if self.view().next_deadline()? > now {
            return None;
        }
        let handle = handle_of(self.links, self.links.first()?.slot)?;
        self.set_timer(handle, None);
        Some(handle)
    }

    pub(super) fn push(&mut self, handle: Handle, list: usize) {
        self.join(handle, list, false);
    }

    pub(super) fn push_front(&mut self, handle: Handle, list: usize) {
        self.join(handle, list, true);
    }

    pub(super) fn unlink_ready(&mut self, handle: Handle) {
        if let Some(index) = place(self.links, handle) {
            self.leave_list(index);
        }
    }

    fn leave_chain(&mut self, index: usize, chain: usize) {
        let Some(links) = self.links.get_mut(index) else { return };
        let (Some(next), Some(prev)) = (links.chain_next.get_mut(chain), links.chain_prev.get_mut(chain)) else {
            return;
        };
        let (next, prev) = (core::mem::take(next), core::mem::take(prev));
        if let Some(bucket) = prev.to_bucket() {
            if let Some(links) = self.links.get_mut(bucket) {
                set(&mut links.bucket, chain, next);
            }
        } else if let Some(links) = self.at(prev) {
            set(&mut links.chain_next, chain, next);
        }
        self.set_chain_prev(next, chain, prev);
    }

    fn leave_list(&mut self, index: usize) {
        let Some(links) = self.links.get_mut(index) else { return };
        let Some(list) = usize::from(links.ready).checked_sub(1) else { return };
        let (next, prev) = (core::mem::take(&mut links.next), core::mem::take(&mut links.prev));
        links.ready = 0;
        self.set_next(prev, list, next);
        self.set_prev(next, list, prev);
    }

    fn stop_timer(&mut self, index: usize) {
        let Some(links) = self.links.get_mut(index) else { return };
        let Some(place) = core::mem::take(&mut links.place).to_entry() else { return };
        self.head.timers = self.head.timers.wrapping_sub(1);
        let last = self.head.timers as usize;
        let Some(links) = self.links.get_mut(last) else { return };
        let (slot, deadline) = (core::mem::take(&mut links.slot), core::mem::take(&mut links.deadline));
        if place != last {
            self.settle(place, slot, deadline);
        }
    }

    /// Puts the entry at one end of a ready list.
    fn join(&mut self, handle: Handle, list: usize, front: bool) {
        let Some(index) = place(self.links, handle).filter(|_| list < LISTS) else { return };
        self.leave_list(index);
        let (Some(first), Some(last)) = (self.head.first.get(list), self.head.last.get(list)) else { return };
        let own = Link::entry(index);
        let (prev, next) = if front { (Link::NONE, *first) } else { (*last, Link::NONE) };
        self.set_next(prev, list, own);
        self.set_prev(next, list, own);
        if let Some(links) = self.links.get_mut(index) {
            links.prev = prev;
            links.next = next;
            links.ready = list.wrapping_add(1) as u8;
        }
    }

    /// Sets what follows `of` in a ready list: none stands for its beginning.
    fn set_next(&mut self, of: Link, list: usize, next: Link) {
        match of.to_entry().and_then(|index| self.links.get_mut(index)) {
            Some(links) => links.next = next,
            None => set(&mut self.head.first, list, next),
        }
    }

    /// Sets what `of` follows in a ready list: none stands for its end.
    fn set_prev(&mut self, of: Link, list: usize, prev: Link) {
        match of.to_entry().and_then(|index| self.links.get_mut(index)) {
            Some(links) => links.prev = prev,
            None => set(&mut self.head.last, list, prev),
        }
    }

    fn set_chain_prev(&mut self, of: Link, chain: usize, prev: Link) {
        if let Some(links) = self.at(of) {
            set(&mut links.chain_prev, chain, prev);
        }
    }

    #[cfg_attr(target_pointer_width = "64", inline)]
    fn at(&mut self, link: Link) -> Option<&mut Links> {
        self.links.get_mut(link.to_entry()?)
    }

    /// Puts a timer where `from` is empty or out of order, and restores the order of the heap.
    fn settle(&mut self, from: usize, slot: Link, deadline: Instant) {
        let mut place = from;
        while let Some(parent) = place.checked_sub(1).map(|below| below / 2) {
            #[cfg(test)]
            steps::count();
            let Some(above) = self.links.get(parent).filter(|links| links.deadline > deadline) else { break };
            let (slot, deadline) = (above.slot, above.deadline);
            self.put(place, slot, deadline);
            place = parent;
        }
        let timers = self.head.timers as usize;
        // What has risen stands above what its old parent stood above, so it sinks no more.
        loop {
            #[cfg(test)]
            steps::count();
            let left = place.wrapping_mul(2).wrapping_add(1);
            let right = left.wrapping_add(1);
            if left >= timers {
                break;
            }
            let Some(mut child) = self.links.get(left).map(|links| (left, links.slot, links.deadline)) else { break };
            if let Some(links) = self.links.get(right)
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

    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    fn put(&mut self, place: usize, slot: Link, deadline: Instant) {
        if let Some(links) = self.links.get_mut(place) {
            links.slot = slot;
            links.deadline = deadline;
        }
        if let Some(links) = self.at(slot) {
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

    pub(in crate::memory) fn count() {
        STEPS.with(|steps| steps.set(steps.get() + 1));
    }

    /// Chain and heap steps since the last call, on this thread.
    pub(in crate::memory) fn take() -> u64 {
        STEPS.with(|steps| steps.replace(0))
    }
}
