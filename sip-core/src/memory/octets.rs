//! Where written messages are kept.

use crate::error::{Argument, Capacity, Error};
use crate::message::{WriteError, Writer};

/// Names kept octets. The zero value is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Block(u32);

impl Block {
    /// No octets.
    pub const NONE: Self = Self(0);

    /// The block with this number, as its keeper counts them from one; zero is [`Block::NONE`].
    #[must_use]
    pub const fn from_number(number: u32) -> Self {
        Self(number)
    }

    /// The number of the block.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }

    /// Whether this is the zero value.
    #[must_use]
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }
}

/// Reads kept blocks while a new one is written.
pub trait KeptBlocks {
    /// The octets of a block; none when there is no such block.
    fn get(&self, block: Block) -> &[u8];
}

/// Keeps octets in blocks of up to 65,535 and hands out room to write them into.
///
/// Part of the room can be reserved for messages that must never be refused (ACK, BYE, CANCEL): an ordinary
/// [`keep`](Octets::keep) leaves it free.
pub trait Octets: 'static {
    /// What a block takes beside its octets, at most, in octets; to be added to each message that
    /// [`reserve`](Octets::reserve) is called for.
    const OVERHEAD: usize;

    /// A view that reads kept blocks while new ones are written.
    type Kept<'a>: KeptBlocks
    where
        Self: 'a;

    /// Free room to write into, and a view of what is kept. Room is made when fewer than `want` octets are free
    /// in one piece; still it may be shorter than `want`. What is written lasts until the next `open`.
    fn open(&mut self, want: usize) -> (Self::Kept<'_>, &mut [u8]);

    /// Makes the first `len` octets of the opened room a block. With `len` zero it is [`Block::NONE`].
    ///
    /// # Errors
    /// [`Capacity::Octets`] when less than the reserve would be left.
    fn keep(&mut self, len: usize) -> Result<Block, Capacity>;

    /// Like [`keep`](Octets::keep), and may use the reserve.
    ///
    /// # Errors
    /// [`Capacity::Octets`] when `len` is more than was opened.
    fn keep_reserved(&mut self, len: usize) -> Result<Block, Capacity>;

    /// The octets of a block; none when there is no such block.
    fn get(&self, block: Block) -> &[u8];

    /// The octets of a block, to be changed in place.
    fn get_mut(&mut self, block: Block) -> &mut [u8];

    /// Gives back what is behind the first `len` octets of a block.
    fn truncate(&mut self, block: Block, len: usize);

    /// Gives a block back. The owner forgets it: its number will name another block.
    fn release(&mut self, block: Block);

    /// Sets `octets` more aside for [`keep_reserved`](Octets::keep_reserved).
    ///
    /// # Errors
    /// [`Capacity::Octets`] when so many are not free now.
    fn reserve(&mut self, octets: usize) -> Result<(), Capacity>;

    /// Gives a reserve back.
    fn unreserve(&mut self, octets: usize);

    /// Writes a message and keeps it. What does not fit the free piece of about `want` octets is written once more
    /// where it does, so `write` must write the same each time; it reads what is kept as it goes.
    ///
    /// # Errors
    /// [`Error::Capacity`] when there is no room (and with `reserved` none in the reserve), or the message
    /// exceeds 65,535 octets; [`Error::Invalid`] when the writer refused a value. Nothing has changed.
    fn write(
        &mut self,
        want: usize,
        reserved: bool,
        mut write: impl FnMut(&Self::Kept<'_>, &mut Writer<'_>),
    ) -> Result<Block, Error>
    where
        Self: Sized,
    {
        self.write_by(want, reserved, &mut write)
    }

    /// As [`write`](Self::write), with what writes called rather than copied in, so that this code is there once.
    ///
    /// # Errors
    /// The same.
    fn write_by(
        &mut self,
        want: usize,
        reserved: bool,
        write: &mut dyn FnMut(&Self::Kept<'_>, &mut Writer<'_>),
    ) -> Result<Block, Error> {
        let mut written = Err(WriteError::Full { needed: want });
        for _ in 0..2 {
            let Err(WriteError::Full { needed }) = written else { break };
            let (kept, room) = self.open(needed);
            let mut writer = Writer::new(room);
            write(&kept, &mut writer);
            written = writer.finish();
        }
        match written {
            Ok(len) if reserved => Ok(self.keep_reserved(len)?),
            Ok(len) => Ok(self.keep(len)?),
            Err(WriteError::Full { needed } | WriteError::TooLarge { needed }) => Err(Capacity::octets(needed).into()),
            Err(WriteError::Injection) => Err(Error::Invalid(Argument::HeaderValue)),
        }
    }

    /// Octets taken, the blocks' overhead included, the reserve not.
    fn used(&self) -> usize;

    /// Octets free, the reserve included.
    fn free(&self) -> usize;
}
