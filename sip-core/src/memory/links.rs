//! The links that lie beside every entry, and the few that a table has as a whole.

use crate::random::Key;
use crate::time::Instant;

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

/// Whether an entry is in use, and how often it was given out, so that a handle of an earlier owner is known as stale.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tenure(u32);

impl Tenure {
    const IN_USE: u32 = 1 << 16;

    /// The tenure of the owner that has this generation.
    pub(super) const fn of(generation: u16) -> Self {
        Self(generation as u32 | Self::IN_USE)
    }

    /// The one after this, of the next owner.
    pub(super) const fn next(self) -> Self {
        Self::of((self.0 as u16).wrapping_add(1))
    }

    /// The same when it is over.
    pub(super) const fn ended(self) -> Self {
        Self(self.0 & !Self::IN_USE)
    }

    /// The generation of the owner, when there is one.
    pub(super) const fn generation(self) -> Option<u16> {
        if self.0 & Self::IN_USE == 0 { None } else { Some(self.0 as u16) }
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

/// Names an entry: its place, and which of the owners it had, each in half of a word. The zero value is none.
///
/// With pointers of 32 bits a table so has 65,535 entries at most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Handle(usize);

/// The bits of half a word.
const HALF: u32 = usize::BITS / 2;

impl Handle {
    /// No entry.
    pub const NONE: Self = Self(0);

    /// The bits of the number.
    const NUMBER: usize = (1 << HALF) - 1;

    /// The most entries that a table can have: all of them can be named and linked.
    pub(super) const MOST: usize = if Self::NUMBER < Link::MOST { Self::NUMBER } else { Link::MOST };

    /// The handle made of its two parts, as [`number`](Self::number) and [`generation`](Self::generation) give them.
    #[must_use]
    pub const fn from_parts(number: u32, generation: u16) -> Self {
        Self(number as usize & Self::NUMBER | (generation as usize) << HALF)
    }

    /// The handle with these [`bits`](Self::bits).
    pub(crate) const fn from_bits(bits: u64) -> Self {
        Self(bits as usize)
    }

    /// The handle as a number of at most 48 bits.
    pub(crate) const fn bits(self) -> u64 {
        self.0 as u64
    }

    /// The place of the entry plus one; zero for none.
    #[must_use]
    pub const fn number(self) -> u32 {
        (self.0 & Self::NUMBER) as u32
    }

    /// Which of the owners of that place is meant.
    #[must_use]
    pub const fn generation(self) -> u16 {
        (self.0 >> HALF) as u16
    }

    /// The place of the entry in its slice.
    #[must_use]
    pub const fn index(self) -> Option<usize> {
        Link(self.number()).to_entry()
    }

    /// Whether this is the zero value.
    #[must_use]
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }

    pub(super) const fn new(link: Link, generation: u16) -> Self {
        Self::from_parts(link.0, generation)
    }
}
