//! The answer to one query (RFC 1035 §4.1), and its records.

use super::name::Name;
use super::reader::{Reader, Walked};
use super::record::{Data, IN, Kind, Record};

/// Set in an answer.
const QR: u16 = 1 << 15;
/// Any of these: it is no plain query.
const OPCODE: u16 = 0b1111 << 11;
/// Truncated.
const TC: u16 = 1 << 9;
/// The octets before the question.
pub(super) const HEAD: usize = 12;

/// An answer, whose structure was checked.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    message: &'a [u8],
    flags: u16,
    /// How many records its sections have: answer, authority, additional.
    counts: [u16; 3],
    /// Where the sections begin.
    starts: [usize; 3],
    aliases: bool,
}

/// What a server says of a query (RFC 1035 §4.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Code {
    /// The records of the name are told; there may be none of the kind.
    NoError,
    /// There is no such name.
    NoName,
    /// The server does not understand the query; it may be that it does not know EDNS.
    FormatError,
    /// The server can't or does not want to answer.
    Failure,
}

/// Why a message is no answer to the query.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Mismatch {
    /// It is too short, a query itself, or has another id or question: it answers something else, or somebody forged it. The
    /// answer may still come.
    Foreign,
    /// It is the answer, and can't be read.
    Broken,
}

impl<'a> Answer<'a> {
    /// Reads the answer to the query with this id, for the records of this kind that `name` has.
    ///
    /// # Errors
    /// It is [`Foreign`](Mismatch::Foreign) or [`Broken`](Mismatch::Broken).
    pub fn parse(message: &'a [u8], id: u16, name: Name<'_>, kind: Kind) -> Result<Self, Mismatch> {
        let [own_id, flags, questions, counts @ ..] = head(message).ok_or(Mismatch::Foreign)?;
        if own_id != id || flags & (QR | OPCODE) != QR {
            return Err(Mismatch::Foreign);
        }
        let mut answer = Self { message, flags, counts, starts: [HEAD; 3], aliases: false };
        // What a server does not understand it may not repeat.
        if questions == 0 && matches!(answer.code(), Code::FormatError | Code::Failure) {
            answer.counts = [0; 3];
            return Ok(answer);
        }
        let mut reader = Reader { message, at: HEAD, walked: Walked::None };
        let asked = questions == 1
            && Name::read(&mut reader).is_some_and(|asked| asked == name)
            && reader.u16() == Some(kind.number())
            && reader.u16() == Some(IN);
        if !asked {
            return Err(Mismatch::Foreign);
        }
        if answer.is_truncated() {
            answer.counts = [0; 3];
            return Ok(answer);
        }
        reader.walked = Walked::Question;
        for (start, count) in answer.starts.iter_mut().zip(counts) {
            *start = reader.at;
            for _ in 0..count {
                let record = Record::read(&mut reader).ok_or(Mismatch::Broken)?;
                answer.aliases |= matches!(record.data, Data::Cname(_));
            }
        }
        Ok(answer)
    }

    /// Its octets.
    pub(super) const fn message(&self) -> &'a [u8] {
        self.message
    }

    /// Whether any record says that a name is another one for something.
    pub(crate) const fn has_aliases(&self) -> bool {
        self.aliases
    }

    /// The name that was asked for, as it stands in the answer.
    #[must_use]
    pub const fn question(&self) -> Name<'a> {
        Name::at(self.message, HEAD)
    }

    /// The id of a message, to find the query that it may answer.
    #[must_use]
    pub fn id(message: &[u8]) -> Option<u16> {
        message.first_chunk().copied().map(u16::from_be_bytes)
    }

    /// Whether something was left out because it was too long for a datagram. Then it has no records here.
    #[must_use]
    pub const fn is_truncated(&self) -> bool {
        self.flags & TC != 0
    }

    /// What the server says.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self.flags & 15 {
            0 => Code::NoError,
            1 => Code::FormatError,
            3 => Code::NoName,
            _ => Code::Failure,
        }
    }

    /// The records that answer the question, with the aliases that lead to them.
    #[must_use]
    pub fn answers(&self) -> Records<'a> {
        self.section(0)
    }

    /// The records of the authority: the start of the zone, when the answer is that there is nothing (RFC 2308 §2).
    #[must_use]
    pub fn authority(&self) -> Records<'a> {
        self.section(1)
    }

    /// Records that were not asked for, to save further queries.
    #[must_use]
    pub fn additional(&self) -> Records<'a> {
        self.section(2)
    }

    fn section(&self, section: usize) -> Records<'a> {
        let at = self.starts.get(section).copied().unwrap_or_default();
        let left = self.counts.get(section).copied().unwrap_or_default();
        Records { reader: Reader { message: self.message, at, walked: Walked::All }, left }
    }
}

/// The numbers before the question: the id, the flags, how many questions, and how many records each section has.
fn head(message: &[u8]) -> Option<[u16; 6]> {
    let octets: &[u8; HEAD] = message.first_chunk()?;
    let mut numbers = [0; 6];
    for (number, octets) in numbers.iter_mut().zip(octets.as_chunks().0) {
        *number = u16::from_be_bytes(*octets);
    }
    Some(numbers)
}

/// The records of a section.
#[derive(Clone, Copy, Debug)]
pub struct Records<'a> {
    reader: Reader<'a>,
    left: u16,
}

impl<'a> Iterator for Records<'a> {
    type Item = Record<'a>;

    fn next(&mut self) -> Option<Record<'a>> {
        self.left = self.left.checked_sub(1)?;
        Record::read(&mut self.reader)
    }
}
