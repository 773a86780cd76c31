//! Entries in vectors and octets in boxes: what std has in place of arrays and a pool.

pub use crate::server_memory::{GuardMemory, HeapServer, RegistrarMemory};

use core::mem;
use sip_core::dialog::Dialog;
use sip_core::error::Capacity;
use sip_core::memory::{Block, Entry, KeptBlocks, Links, Octets, Store};
use sip_core::proxy::{self, BranchEntry, ResponseContext};
use sip_core::transaction::Transaction;
use sip_core::ua::{CallEntry, Leg, Memory, Parts, ReferralEntry, RegistrationEntry, View};

/// Transactions of [`HeapMemory::new`]: 128 calls a second, whose INVITE and BYE linger for 32 s each.
const TRANSACTIONS: usize = 8192;
const CALLS: usize = 2048;
const DIALOGS: usize = 4096;
const REGISTRATIONS: usize = 16;

/// Octets that [`HeapMemory`] allows for each transaction and each dialog.
const OCTETS_PER_ENTRY: usize = 4096;

/// A role's memory on the heap: as many entries as were asked for, and octets up to a limit.
///
/// The entries are allocated once, at its creation; octets as messages come and go. Nothing grows beyond that,
/// whatever strangers send.
#[derive(Debug)]
pub struct HeapMemory {
    transactions: Entries<Transaction>,
    dialogs: Entries<Dialog<Leg>>,
    calls: Entries<CallEntry>,
    registrations: Entries<RegistrationEntry>,
    referrals: Entries<ReferralEntry>,
    octets: Boxes,
}

pub(crate) type Entries<E> = Store<Vec<Links>, Vec<E>>;

pub(crate) fn entries<E: Entry + Clone>(count: usize) -> Entries<E> {
    Store::with(vec![Links::ZERO; count], vec![E::ZERO; count])
}

impl HeapMemory {
    /// Room for 8,192 transactions, 2,048 calls with 4,096 dialogs, and 16 registrations.
    #[must_use]
    pub fn new() -> Self {
        Self::with_capacity(TRANSACTIONS, DIALOGS, CALLS, REGISTRATIONS)
    }

    /// Room for so many entries, and for 4 KiB of octets for each transaction and dialog.
    ///
    /// A call takes a dialog, one more for each fork while it rings, and keeps two transactions free for its end. There can be as many
    /// REFERs as calls; each keeps the dialog of its call.
    /// A transaction lingers for up to 32 s after its use.
    #[must_use]
    pub fn with_capacity(transactions: usize, dialogs: usize, calls: usize, registrations: usize) -> Self {
        let limit = transactions.saturating_add(dialogs).saturating_mul(OCTETS_PER_ENTRY).saturating_add(2 * LONGEST);
        Self {
            transactions: entries(transactions),
            dialogs: entries(dialogs),
            calls: entries(calls),
            registrations: entries(registrations),
            referrals: entries(calls),
            octets: Boxes::new(limit),
        }
    }

    /// The same with at most `limit` octets of kept messages.
    #[must_use]
    pub fn with_octets(mut self, limit: usize) -> Self {
        self.octets = Boxes::new(limit);
        self
    }
}

impl Default for HeapMemory {
    fn default() -> Self {
        Self::new()
    }
}

impl Memory for HeapMemory {
    type Octets = Boxes;

    fn parts(&mut self) -> Parts<'_, Boxes> {
        Parts {
            transactions: self.transactions.table(),
            dialogs: self.dialogs.table(),
            calls: self.calls.table(),
            registrations: self.registrations.table(),
            referrals: self.referrals.table(),
            octets: &mut self.octets,
        }
    }

    fn view(&self) -> View<'_, Boxes> {
        View {
            transactions: self.transactions.view(),
            dialogs: self.dialogs.view(),
            calls: self.calls.view(),
            registrations: self.registrations.view(),
            referrals: self.referrals.view(),
            octets: &self.octets,
        }
    }
}

/// A proxy's memory on the heap, as [`HeapMemory`] is a user agent's.
#[derive(Debug)]
pub struct ProxyMemory {
    transactions: Entries<Transaction>,
    contexts: Entries<ResponseContext>,
    branches: Entries<BranchEntry>,
    octets: Boxes,
}

impl ProxyMemory {
    /// Room for 8,192 transactions, and for 2,048 requests under way with 4,096 branches.
    #[must_use]
    pub fn new() -> Self {
        Self::with_capacity(TRANSACTIONS, CALLS, DIALOGS)
    }

    /// Room for so many entries, and for 4 KiB of octets for each transaction.
    ///
    /// A request that is passed on takes two transactions, which linger for up to 32 s after its end, and until its end a context
    /// and a branch for each target that it went to.
    #[must_use]
    pub fn with_capacity(transactions: usize, contexts: usize, branches: usize) -> Self {
        let limit = transactions.saturating_mul(OCTETS_PER_ENTRY).saturating_add(2 * LONGEST);
        Self {
            transactions: entries(transactions),
            contexts: entries(contexts),
            branches: entries(branches),
            octets: Boxes::new(limit),
        }
    }

    /// The same with at most `limit` octets of kept messages.
    #[must_use]
    pub fn with_octets(mut self, limit: usize) -> Self {
        self.octets = Boxes::new(limit);
        self
    }
}

impl Default for ProxyMemory {
    fn default() -> Self {
        Self::new()
    }
}

impl proxy::Memory for ProxyMemory {
    type Octets = Boxes;

    fn parts(&mut self) -> proxy::Parts<'_, Boxes> {
        proxy::Parts {
            transactions: self.transactions.table(),
            contexts: self.contexts.table(),
            branches: self.branches.table(),
            octets: &mut self.octets,
        }
    }

    fn view(&self) -> proxy::View<'_, Boxes> {
        proxy::View {
            transactions: self.transactions.view(),
            contexts: self.contexts.view(),
            branches: self.branches.view(),
            octets: &self.octets,
        }
    }
}

/// The longest block, and so the size of the room to write into.
const LONGEST: usize = 65_535;

/// Keeps each block in a box of its own, up to a limit of octets in all.
#[derive(Debug)]
pub struct Boxes {
    slots: Vec<Slot>,
    /// The first free slot plus one; zero is none.
    free_slot: u32,
    room: Vec<u8>,
    used: usize,
    limit: usize,
    reserved: usize,
}

#[derive(Debug)]
enum Slot {
    Kept(Box<[u8]>),
    /// The next free slot plus one.
    Free(u32),
}

impl Boxes {
    /// An empty store that keeps at most `limit` octets.
    #[must_use]
    pub const fn new(limit: usize) -> Self {
        Self { slots: Vec::new(), free_slot: 0, room: Vec::new(), used: 0, limit, reserved: 0 }
    }

    fn add(&mut self, len: usize, floor: usize) -> Result<Block, Capacity> {
        if len == 0 {
            return Ok(Block::NONE);
        }
        let full = Capacity::octets(len);
        let octets = self.room.get(..len).ok_or(full)?;
        if len.saturating_add(floor) > self.limit.saturating_sub(self.used) {
            return Err(full);
        }
        let slot = Slot::Kept(octets.into());
        self.used = self.used.saturating_add(len);
        if let Some(free) = index(self.free_slot).and_then(|index| self.slots.get_mut(index))
            && let Slot::Free(next) = *free
        {
            *free = slot;
            return Ok(Block::from_number(mem::replace(&mut self.free_slot, next)));
        }
        self.slots.push(slot);
        Ok(Block::from_number(u32::try_from(self.slots.len()).map_err(|_| full)?))
    }
}

impl Default for Boxes {
    /// A store without a limit.
    fn default() -> Self {
        Self::new(usize::MAX)
    }
}

/// The kept blocks of [`Boxes`] beside the room to write into.
#[derive(Clone, Copy, Debug)]
pub struct BoxesKept<'a>(&'a [Slot]);

impl KeptBlocks for BoxesKept<'_> {
    fn get(&self, block: Block) -> &[u8] {
        match index(block.number()).and_then(|index| self.0.get(index)) {
            Some(Slot::Kept(octets)) => octets,
            _ => &[],
        }
    }
}

impl Octets for Boxes {
    const OVERHEAD: usize = 0;

    type Kept<'a> = BoxesKept<'a>;

    fn open(&mut self, _want: usize) -> (BoxesKept<'_>, &mut [u8]) {
        self.room.resize(LONGEST, 0);
        (BoxesKept(&self.slots), &mut self.room)
    }

    fn keep(&mut self, len: usize) -> Result<Block, Capacity> {
        self.add(len, self.reserved)
    }

    fn keep_reserved(&mut self, len: usize) -> Result<Block, Capacity> {
        self.add(len, 0)
    }

    fn get(&self, block: Block) -> &[u8] {
        match index(block.number()).and_then(|index| self.slots.get(index)) {
            Some(Slot::Kept(octets)) => octets,
            _ => &[],
        }
    }

    fn get_mut(&mut self, block: Block) -> &mut [u8] {
        match index(block.number()).and_then(|index| self.slots.get_mut(index)) {
            Some(Slot::Kept(octets)) => octets,
            _ => &mut [],
        }
    }

    fn truncate(&mut self, block: Block, len: usize) {
        if let Some(Slot::Kept(octets)) = index(block.number()).and_then(|index| self.slots.get_mut(index))
            && len < octets.len()
        {
            self.used = self.used.saturating_sub(octets.len().saturating_sub(len));
            let mut kept = mem::take(octets).into_vec();
            kept.truncate(len);
            *octets = kept.into_boxed_slice();
        }
    }

    fn release(&mut self, block: Block) {
        let Some(slot) = index(block.number()).and_then(|index| self.slots.get_mut(index)) else { return };
        if let Slot::Kept(octets) = slot {
            self.used = self.used.saturating_sub(octets.len());
            *slot = Slot::Free(mem::replace(&mut self.free_slot, block.number()));
        }
    }

    fn reserve(&mut self, octets: usize) -> Result<(), Capacity> {
        let total = self.reserved.saturating_add(octets);
        if total > self.free() {
            return Err(Capacity::octets(octets));
        }
        self.reserved = total;
        Ok(())
    }

    fn unreserve(&mut self, octets: usize) {
        self.reserved = self.reserved.saturating_sub(octets);
    }

    fn used(&self) -> usize {
        self.used
    }

    fn free(&self) -> usize {
        self.limit.saturating_sub(self.used)
    }
}

fn index(number: u32) -> Option<usize> {
    usize::try_from(number.checked_sub(1)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(boxes: &mut Boxes, text: &[u8], reserved: bool) -> Result<Block, Capacity> {
        boxes.open(text.len()).1[..text.len()].copy_from_slice(text);
        if reserved { boxes.keep_reserved(text.len()) } else { boxes.keep(text.len()) }
    }

    #[test]
    fn keeps_reads_truncates_and_gives_back() {
        let mut boxes = Boxes::new(10);
        boxes.reserve(4).unwrap();
        let first = put(&mut boxes, b"abcd", false).unwrap();
        assert_eq!(put(&mut boxes, b"efg", false), Err(Capacity::Octets { needed: 3 }));
        let second = put(&mut boxes, b"efg", true).unwrap();
        let (kept, _) = boxes.open(0);
        assert_eq!((kept.get(first), kept.get(second)), (&b"abcd"[..], &b"efg"[..]));
        boxes.truncate(first, 1);
        boxes.get_mut(first)[0] = b'x';
        assert_eq!((Octets::get(&boxes, first), boxes.used(), boxes.free()), (&b"x"[..], 4, 6));
        boxes.release(first);
        boxes.release(first);
        assert_eq!(Octets::get(&boxes, first), b"");
        assert_eq!(put(&mut boxes, b"h", false), Ok(first));
        assert_eq!(put(&mut boxes, b"", false), Ok(Block::NONE));
        boxes.release(first);
        boxes.release(second);
        assert_eq!((boxes.used(), boxes.slots.len()), (0, 2));
    }

    #[test]
    fn the_heap_lends_as_many_entries_as_were_asked_for() {
        let mut memory = HeapMemory::with_capacity(5, 4, 3, 2).with_octets(6);
        let view = memory.view();
        let counts = (view.transactions.free(), view.dialogs.free(), view.calls.free(), view.registrations.free());
        assert_eq!((counts, view.octets.free()), ((5, 4, 3, 2), 6));
        assert!(put(memory.parts().octets, b"abcdefg", false).is_err());
        assert_eq!(HeapMemory::new().view().transactions.free(), TRANSACTIONS);
    }

    #[test]
    fn a_block_is_at_most_65535_octets() {
        let mut boxes = Boxes::default();
        assert_eq!(boxes.open(1).1.len(), LONGEST);
        assert!(boxes.keep(LONGEST).is_ok());
        assert_eq!(boxes.keep(LONGEST + 1), Err(Capacity::MessageSize { beyond: 1 }));
    }
}
