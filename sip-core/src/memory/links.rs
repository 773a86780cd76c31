//! The links that lie beside every entry, and the few that a table has as a whole.

use crate::random::Key;
use crate::time::Instant;
use core::fmt;

/// Hash chains of a table: every entry can be found by this many keys.
pub const CHAINS: usize = 2;

/// Ready lists of a table; an entry stands in one of them at most.
pub const LISTS: usize = 7;

/// The place of an entry or of a bucket, plus one; zero is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Link(u32);

impl Link {
    pub(super) const NONE: Self = Self(0);
    const BUCKET: u32 = 1 << 31;

    /// The most entries that can be linked: the places above are no links to entries.
    const MOST: usize = Self::BUCKET as usize - 2;

    /// The link to entry `index`, which is below [`MOST`](Self::MOST).
    pub(super) const fn entry(index: usize) -> Self {
        Self((index as u32).wrapping_add(1))
    }

    /// The link back to bucket `index`, which only the first of a chain has.
    pub(super) const fn bucket(index: usize) -> Self {
        let Self(number) = Self::entry(index);
        Self(number | Self::BUCKET)
    }

    /// The entry that this links to. For a link back to a bucket it is beyond every table.
    pub(super) const fn to_entry(self) -> Option<usize> {
        (self.0 as usize).checked_sub(1)
    }

    /// The bucket that this links back to.
    pub(super) const fn to_bucket(self) -> Option<usize> {
        if self.0 & Self::BUCKET == 0 { None } else { Self(self.0 & !Self::BUCKET).to_entry() }
    }

    pub(super) const fn is_none(self) -> bool {
        self.0 == 0
    }
}

/// The links of one entry. All zero is a free entry that was never used.
///
/// Some of them are lodgers: the head of bucket i and slot i of the timer heap lie in entry i, whoever owns
/// them, so that N entries bring N buckets and a heap of N.
#[derive(Clone, Copy, Debug)]
pub struct Links {
    /// When the timer at place i of the heap fires (lodger).
    pub(super) deadline: Instant,
    /// Whose timer stands at place i of the heap (lodger).
    pub(super) slot: Link,
    /// The first of bucket i, for each chain (lodger).
    pub(super) bucket: [Link; CHAINS],
    /// Where the own timer stands in the heap.
    pub(super) place: Link,
    pub(super) chain_next: [Link; CHAINS],
    /// The one before in the chain, or the bucket; none when the entry is in no chain.
    pub(super) chain_prev: [Link; CHAINS],
    /// The next in the ready list, or in the free list.
    pub(super) next: Link,
    pub(super) prev: Link,
    /// Who has the entry.
    pub(super) tenure: Tenure,
    /// The ready list plus one.
    pub(super) ready: u8,
}

impl Links {
    /// The links of a free entry; all zero.
    pub const ZERO: Self = Self {
        deadline: Instant::ZERO,
        slot: Link::NONE,
        bucket: [Link::NONE; CHAINS],
        place: Link::NONE,
        chain_next: [Link::NONE; CHAINS],
        chain_prev: [Link::NONE; CHAINS],
        next: Link::NONE,
        prev: Link::NONE,
        tenure: Tenure(0),
        ready: 0,
    };
}

/// Whether an entry is in use, and how many owners it had before, so that a handle of an earlier owner is known as stale.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tenure(u32);

impl Tenure {
    const IN_USE: u32 = 1 << 31;

    /// The tenure of the next owner.
    pub(super) const fn begun(self) -> Self {
        Self(self.0 | Self::IN_USE)
    }

    /// The same when it is over; the next owner is another one.
    pub(super) const fn ended(self) -> Self {
        Self(self.0.wrapping_add(1) & split::GENERATIONS)
    }

    /// Whether the owner is the one of this generation.
    pub(super) const fn is(self, generation: u32) -> bool {
        self.0 == generation | Self::IN_USE
    }

    /// The generation of the owner, when there is one.
    pub(super) const fn generation(self) -> Option<u32> {
        if self.0 & Self::IN_USE == 0 { None } else { Some(self.0 & !Self::IN_USE) }
    }
}

/// What a table has besides its entries. All zero is an empty table.
#[derive(Clone, Copy, Debug)]
pub struct Head {
    /// The first of the entries that were given back.
    pub(super) free: Link,
    /// Entries below this were used at least once, so a zeroed array needs no preparation.
    pub(super) fresh: u32,
    pub(super) used: u32,
    pub(super) timers: u32,
    pub(super) first: [Link; LISTS],
    pub(super) last: [Link; LISTS],
}

impl Head {
    /// The head of an empty table; all zero.
    pub const ZERO: Self =
        Self { free: Link::NONE, fresh: 0, used: 0, timers: 0, first: [Link::NONE; LISTS], last: [Link::NONE; LISTS] };
}

/// What a [`Table`](super::Table) asks of its entries.
pub trait Entry: Sized {
    /// A free entry; it should be all zero, so that an array of them lies in .bss.
    const ZERO: Self;

    /// The key by which this entry stands in `chain` (0 or 1).
    fn key(&self, chain: usize) -> Key;
}

/// How the parts of a [`Handle`] share its bits.
#[cfg(all(target_pointer_width = "64", not(feature = "narrow")))]
mod split {
    pub(super) type Word = u64;

    /// 4,194,303 entries, and 2²⁶ owners of each before a handle names another one.
    const NUMBER: u32 = 22;
    pub(super) const MOST: usize = (1 << NUMBER) - 1;
    /// What a generation can be: with the number it has 48 bits.
    pub(super) const GENERATIONS: u32 = (1 << (48 - NUMBER)) - 1;

    /// The bits that the place has in a table of `capacity` entries; the others are the generation.
    pub(super) const fn number(_capacity: usize) -> u32 {
        NUMBER
    }
}

#[cfg(not(all(target_pointer_width = "64", not(feature = "narrow"))))]
mod split {
    pub(super) type Word = u32;

    pub(super) const MOST: usize = 65_535;
    pub(super) const GENERATIONS: u32 = u32::MAX >> 1;

    /// No more than the table has use for: 5 for 16 transactions, which have 2²⁷ owners each before a handle names another
    /// one; 16 of the 32 for the largest table.
    pub(super) const fn number(capacity: usize) -> u32 {
        usize::BITS - capacity.leading_zeros()
    }
}

/// Names an entry: its place, and which of the owners it had. The zero value is none.
///
/// A table has 4,194,303 entries at most, 65,535 with pointers of 32 bits.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Handle(split::Word);

impl Handle {
    /// No entry.
    pub const NONE: Self = Self(0);

    /// The most entries that a table can have: all of them can be named and linked.
    pub(super) const MOST: usize = if split::MOST < Link::MOST { split::MOST } else { Link::MOST };

    /// The handle with these [`bits`](Self::bits).
    #[must_use]
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits as split::Word)
    }

    /// The handle as a number of at most 48 bits, by which nothing else is known of it.
    #[must_use]
    #[allow(clippy::unnecessary_cast, reason = "not on every target")]
    pub const fn bits(self) -> u64 {
        self.0 as u64
    }

    /// Whether this is the zero value.
    #[must_use]
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }

    /// The handle of the owner of a place in a table of `capacity` entries.
    pub(super) const fn new(link: Link, generation: u32, capacity: usize) -> Self {
        Self((generation as split::Word) << split::number(capacity) | link.0 as split::Word)
    }

    /// The generation of the owner in a table of `capacity` entries.
    pub(super) const fn generation(self, capacity: usize) -> u32 {
        (self.0 >> split::number(capacity)) as u32
    }

    /// The place of the entry in a table of `capacity` entries.
    pub(super) const fn link(self, capacity: usize) -> Link {
        Link((self.0 & !(split::Word::MAX << split::number(capacity))) as u32)
    }
}

/// A small number at first; it grows as places are used again.
impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The generation follows the number, so that a long-lived program does not print twelve digits.
        let (number, generation) = (self.link(split::MOST).0, self.bits() >> split::number(split::MOST));
        write!(f, "{number}")?;
        if generation == 0 { Ok(()) } else { write!(f, ".{generation}") }
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Handle({self})")
    }
}
