//! Reading octets of a message in order.

/// A place in a message, behind which the next value is read. Nothing is read beyond the end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a> {
    pub(super) message: &'a [u8],
    pub(super) at: usize,
    pub(super) walked: Walked,
}

/// Which names were walked through to their end before, and need not be again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Walked {
    None,
    /// That of the question, to which most records point.
    Question,
    All,
}

impl<'a> Reader<'a> {
    pub(super) fn octets(&mut self, count: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(count)?;
        let octets = self.message.get(self.at..end)?;
        self.at = end;
        Some(octets)
    }

    fn chunk<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.octets(N)?.first_chunk().copied()
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.chunk().map(u8::from_be_bytes)
    }

    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(super) fn u16(&mut self) -> Option<u16> {
        self.chunk().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.chunk().map(u32::from_be_bytes)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.chunk()
    }

    /// A `<character-string>` (RFC 1035 §3.3): an octet that gives the length, and as many octets.
    pub(super) fn string(&mut self) -> Option<&'a [u8]> {
        let length = self.u8()?;
        self.octets(usize::from(length))
    }
}
