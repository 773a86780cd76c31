//! Octets in one array: blocks grow from the front, the table of their places from the end.
//!
//! ```text
//! | header | octets | header | octets | …     free     … | slot 3 | slot 2 | slot 1 |
//! 0                                    tail              table                      N
//! ```
//! A block's number is its slot, so blocks can be moved. A block that is given back leaves a gap; when the
//! free piece between the two ends is too short, one pass moves the live blocks together.

use super::octets::{Block, KeptBlocks, Octets};
use crate::error::Capacity;
use crate::message::move_down;

/// Before each block: the number of its slot (zero when the block was given back) and its length.
const HEADER: usize = 6;
/// For each block: its place (or, with [`FREE`], the next free slot) and its length.
const SLOT: usize = 6;
/// Marks a slot that names no block.
const FREE: u32 = 1 << 31;
/// The longest block.
const LONGEST: usize = 65_535;

/// A compacting store of `N` octets, of which at most 2³¹ - 1 are used. All zero when new, so it lies in .bss.
#[derive(Clone, Debug)]
#[cfg_attr(target_pointer_width = "32", repr(C))]
pub struct Pool<const N: usize> {
    /// The end of the blocks.
    tail: usize,
    /// The octets of the table, the free slots included.
    table: usize,
    /// The number of the first free slot; zero is none.
    free_slot: u32,
    /// Live blocks.
    blocks: u32,
    /// The octets of live blocks and of their headers.
    live: usize,
    /// Octets that an ordinary `keep` leaves free.
    reserved: usize,
    /// The header of the last block plus one, when known: a last block that was given back leaves no gap.
    last: usize,
    octets: [u8; N],
}

impl<const N: usize> Pool<N> {
    /// An empty pool.
    #[must_use]
    pub const fn new() -> Self {
        Self { octets: [0; N], tail: 0, table: 0, free_slot: 0, blocks: 0, live: 0, reserved: 0, last: 0 }
    }

    const SIZE: usize = if N < FREE as usize { N } else { FREE as usize - 1 };

    /// Where the table begins.
    fn table(&self) -> usize {
        // The table has no more octets than the pool.
        Self::SIZE.wrapping_sub(self.table)
    }

    /// What one more block takes from the table.
    const fn slot_cost(&self) -> usize {
        if self.free_slot == 0 { SLOT } else { 0 }
    }

    fn slot(&self, number: u32) -> Option<(u32, u16)> {
        let at = slot_at(Self::SIZE, number).filter(|at| *at >= self.table())?;
        read(&self.octets, at)
    }

    fn set_slot(&mut self, number: u32, place: u32, len: u16) {
        if let Some(at) = slot_at(Self::SIZE, number) {
            write(&mut self.octets, at, place, len);
        }
    }

    /// The place of a block's octets.
    fn place(&self, block: Block) -> Option<(usize, usize)> {
        let (place, len) = self.slot(block.number())?;
        (place & FREE == 0).then_some((place as usize, usize::from(len)))
    }

    #[cfg_attr(target_pointer_width = "64", inline(always))]
    fn add(&mut self, len: usize, reserved: bool) -> Result<Block, Capacity> {
        if len == 0 {
            return Ok(Block::NONE);
        }
        let full = Capacity::octets(len);
        let length = u16::try_from(len).map_err(|_| full)?;
        // No sum wraps: the pool has fewer than 2³¹ octets, and a block 65,535 at most.
        let start = self.tail.wrapping_add(HEADER);
        let taken = len.wrapping_add(HEADER);
        let floor = if reserved { 0 } else { self.reserved };
        // The octets lie in one piece before the slot, and what is free in all leaves the reserve.
        let needed = self.tail.max(self.live.wrapping_add(floor)).wrapping_add(taken);
        if needed.wrapping_add(self.slot_cost()) > self.table() {
            return Err(full);
        }
        let number = if self.free_slot == 0 {
            self.table = self.table.wrapping_add(SLOT);
            (self.table / SLOT) as u32
        } else {
            let number = self.free_slot;
            let (next, _) = self.slot(number).ok_or(full)?;
            self.free_slot = next & !FREE;
            number
        };
        self.set_slot(number, start as u32, length);
        write(&mut self.octets, self.tail, number, length);
        self.last = self.tail.wrapping_add(1);
        self.tail = start.wrapping_add(len);
        self.blocks = self.blocks.wrapping_add(1);
        self.live = self.live.wrapping_add(taken);
        Ok(Block::from_number(number))
    }

    /// Moves the live blocks together and drops the free slots at the end of the table.
    fn compact(&mut self) {
        let (mut from, mut to) = (0_usize, 0_usize);
        self.last = 0;
        while from < self.tail {
            let Some((number, held)) = read(&self.octets, from) else { break };
            // Of a block that was given back the number is zero, which no block has.
            if let Some((_, len)) = self.place(Block::from_number(number)) {
                let kept = HEADER.wrapping_add(len);
                move_down(&mut self.octets, from, from.wrapping_add(kept), to);
                // A truncated block gives up its rest here.
                write(&mut self.octets, to, number, len as u16);
                self.set_slot(number, to.wrapping_add(HEADER) as u32, len as u16);
                self.last = to.wrapping_add(1);
                to = to.wrapping_add(kept);
            }
            from = from.wrapping_add(HEADER).wrapping_add(usize::from(held));
        }
        self.tail = to;
        while self.table > 0 && read(&self.octets, self.table()).is_some_and(|(place, _)| place & FREE != 0) {
            self.table = self.table.wrapping_sub(SLOT);
        }
        self.free_slot = 0;
        for number in (1..=(self.table / SLOT) as u32).rev() {
            if self.slot(number).is_some_and(|(place, _)| place & FREE != 0) {
                self.set_slot(number, FREE | self.free_slot, 0);
                self.free_slot = number;
            }
        }
    }

    /// Octets that can be written behind the header to come and before the slot to come.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    fn room(&self) -> usize {
        let gap = self.table().wrapping_sub(self.tail);
        gap.saturating_sub(HEADER.wrapping_add(self.slot_cost())).min(LONGEST)
    }
}

impl<const N: usize> Default for Pool<N> {
    fn default() -> Self {
        Self::new()
    }
}

/// The kept blocks of a [`Pool`] beside its open room.
#[derive(Clone, Copy, Debug)]
pub struct PoolBlocks<'a> {
    front: &'a [u8],
    table: &'a [u8],
}

impl KeptBlocks for PoolBlocks<'_> {
    fn get(&self, block: Block) -> &[u8] {
        let place = || {
            let (place, len) = read(self.table, slot_at(self.table.len(), block.number())?)?;
            let start = place as usize;
            self.front.get(start..start.wrapping_add(usize::from(len)))
        };
        place().unwrap_or(&[])
    }
}

impl<const N: usize> Octets for Pool<N> {
    const OVERHEAD: usize = HEADER + SLOT;

    type Kept<'a> = PoolBlocks<'a>;

    fn open(&mut self, want: usize) -> (PoolBlocks<'_>, &mut [u8]) {
        if self.blocks == 0 {
            self.tail = 0;
            self.last = 0;
        } else if let Some(header) = self.last.checked_sub(1)
            && read(&self.octets, header).is_some_and(|(number, _)| number == 0)
        {
            self.tail = header;
            self.last = 0;
        }
        if self.room() < want.min(LONGEST) {
            self.compact();
        }
        let (room, gap) = (self.room(), self.table().wrapping_sub(self.tail));
        let used = self.octets.get_mut(..Self::SIZE).unwrap_or_default();
        let (front, rest) = used.split_at_mut_checked(self.tail).unwrap_or_default();
        let (gap, table) = rest.split_at_mut_checked(gap).unwrap_or_default();
        let room = gap.get_mut(HEADER..HEADER.wrapping_add(room)).unwrap_or_default();
        (PoolBlocks { front, table }, room)
    }

    fn keep(&mut self, len: usize) -> Result<Block, Capacity> {
        self.add(len, false)
    }

    fn keep_reserved(&mut self, len: usize) -> Result<Block, Capacity> {
        self.add(len, true)
    }

    fn get(&self, block: Block) -> &[u8] {
        let octets = self.place(block).and_then(|(start, len)| self.octets.get(start..start.wrapping_add(len)));
        octets.unwrap_or(&[])
    }

    fn get_mut(&mut self, block: Block) -> &mut [u8] {
        let Some((start, len)) = self.place(block) else { return &mut [] };
        self.octets.get_mut(start..start.wrapping_add(len)).unwrap_or_default()
    }

    fn truncate(&mut self, block: Block, len: usize) {
        let Some((start, old)) = self.place(block) else { return };
        if let Some(cut) = old.checked_sub(len) {
            self.set_slot(block.number(), start as u32, len as u16);
            self.live = self.live.wrapping_sub(cut);
        }
    }

    fn release(&mut self, block: Block) {
        let Some((start, len)) = self.place(block) else { return };
        let header = start.wrapping_sub(HEADER);
        if let Some((_, held)) = read(&self.octets, header) {
            write(&mut self.octets, header, 0, held);
        }
        self.set_slot(block.number(), FREE | self.free_slot, 0);
        self.free_slot = block.number();
        self.live = self.live.wrapping_sub(len.wrapping_add(HEADER));
        self.blocks = self.blocks.wrapping_sub(1);
        if self.blocks == 0 {
            self.table = 0;
            self.free_slot = 0;
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

    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    fn unreserve(&mut self, octets: usize) {
        self.reserved = self.reserved.saturating_sub(octets);
    }

    fn used(&self) -> usize {
        self.live.wrapping_add((self.blocks as usize).wrapping_mul(SLOT))
    }

    fn free(&self) -> usize {
        // A free slot between others stays in the table: the next block has it for nothing, no octets can lie there.
        self.table().wrapping_sub(self.live)
    }
}

/// Where slot `number` (from one) lies in what ends with the table.
fn slot_at(end: usize, number: u32) -> Option<usize> {
    if number == 0 { None } else { end.checked_sub((number as usize).checked_mul(SLOT)?) }
}

fn read(octets: &[u8], at: usize) -> Option<(u32, u16)> {
    let &[a, b, c, d, e, f] = octets.get(at..)?.first_chunk()?;
    Some((u32::from_le_bytes([a, b, c, d]), u16::from_le_bytes([e, f])))
}

fn write(octets: &mut [u8], at: usize, number: u32, len: u16) {
    let ([a, b, c, d], [e, f]) = (number.to_le_bytes(), len.to_le_bytes());
    if let Some(place) = octets.get_mut(at..).and_then(<[u8]>::first_chunk_mut) {
        *place = [a, b, c, d, e, f];
    }
}

#[cfg(test)]
#[path = "pool_tests.rs"]
mod tests;
