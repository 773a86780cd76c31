//! A message that could not be parsed, and what answering it needs (RFC 3261 §8.2, §21.4.1).

use super::ParseError;
use super::header::HeaderName;
use super::list::{Element, Named};
use super::scan::{line, slice};
use super::start_line::{is_request, method_of};
use super::via::Via;

/// A message that could not be parsed. Its rows are read from the octets when they are asked for, up to the
/// first line that can't be passed over.
#[derive(Clone, Copy, Debug)]
pub struct Malformed<'a> {
    bytes: &'a [u8],
    skipped: usize,
    error: ParseError,
    at: usize,
}

impl<'a> Malformed<'a> {
    pub(crate) const fn new(bytes: &'a [u8], skipped: usize, error: ParseError, at: usize) -> Self {
        Self { bytes, skipped, error, at }
    }

    /// A message of a stream that is larger than there is room for, of which the head is there: what
    /// [`Framing::Oversized`](super::Framing::Oversized) has found, to be answered with 513 (RFC 3261 §21.5.7).
    #[must_use]
    pub const fn oversized(head: &'a [u8]) -> Self {
        Self::new(head, 0, ParseError::TooLarge, head.len())
    }

    /// What is wrong.
    #[must_use]
    pub const fn error(&self) -> ParseError {
        self.error
    }

    /// The octet of the datagram near which it is wrong.
    #[must_use]
    pub const fn at(&self) -> usize {
        self.at.saturating_add(self.skipped)
    }

    /// The octets, without line ends before them.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The status to answer a request with: 400, 505 or 513.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.error.status()
    }

    /// The reason phrase for the answer.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        self.error.reason()
    }

    /// Whether the octets break the grammar; see [`ParseError::is_syntax`].
    #[must_use]
    pub const fn is_syntax(&self) -> bool {
        self.error.is_syntax()
    }

    fn start_line(&self) -> &'a [u8] {
        match line(self.limited(), 0, false) {
            Ok(found) => slice(self.bytes, 0, found.end),
            Err(_) => b"",
        }
    }

    /// The octets that offsets of 16 bits can reach.
    fn limited(&self) -> &'a [u8] {
        self.bytes.get(..super::MAX_MESSAGE).unwrap_or(self.bytes)
    }

    /// Whether the octets were meant as a request.
    #[must_use]
    pub fn is_request(&self) -> bool {
        is_request(self.start_line())
    }

    /// The name of the method in what was meant as a request line.
    #[must_use]
    pub fn method(&self) -> &'a [u8] {
        method_of(self.start_line())
    }

    /// The values of all rows of this name, up to the first line that can't be passed over.
    #[must_use]
    pub fn header_rows<'n>(&self, name: HeaderName<'n>) -> Named<'static, 'a, 'n> {
        self.rows((name.lookup(), name.as_bytes()))
    }

    /// The value of the first row of this name, if it can be read.
    #[must_use]
    #[cfg_attr(not(target_pointer_width = "64"), inline(always))]
    pub fn header(&self, name: HeaderName<'_>) -> Option<&'a [u8]> {
        // Which of the two it is, is mostly known when this is compiled.
        match name.id() {
            0 => self.header_rows(name).next(),
            id => self.known_rows(id).next(),
        }
    }

    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(super) fn known_rows(&self, id: u8) -> Named<'static, 'a, 'static> {
        self.rows((id, b""))
    }

    fn rows<'n>(&self, name: (u8, &'n [u8])) -> Named<'static, 'a, 'n> {
        let bytes = self.limited();
        let rest = line(bytes, 0, false).map_or(0, |found| found.next);
        Named::new(bytes, &[], rest, 0, name)
    }

    /// The values of the Via rows, each whole.
    #[must_use]
    pub fn vias(&self) -> Named<'static, 'a, 'static> {
        self.known_rows(HeaderName::Via.id())
    }

    /// The first Via, when it can be read.
    #[must_use]
    pub fn top_via(&self) -> Option<Via<'a>> {
        let mut via = Via::EMPTY;
        via.fill(self.vias().next()?, 0)?;
        Some(via)
    }

    /// The value of From, if it can be read.
    #[must_use]
    pub fn from(&self) -> Option<&'a [u8]> {
        self.header(HeaderName::From)
    }

    /// The value of To, if it can be read.
    #[must_use]
    pub fn to(&self) -> Option<&'a [u8]> {
        self.header(HeaderName::To)
    }

    /// The value of Call-ID, if it can be read.
    #[must_use]
    pub fn call_id(&self) -> Option<&'a [u8]> {
        self.header(HeaderName::CallId)
    }

    /// The value of CSeq, if it can be read.
    #[must_use]
    pub fn cseq(&self) -> Option<&'a [u8]> {
        self.header(HeaderName::CSeq)
    }

    /// Whether an answer can be sent: a request, no ACK (RFC 3261 §17.2.1), with a Via to give back.
    ///
    /// One that can't be read is given back as it came, to where the request came from.
    #[must_use]
    pub fn answerable(&self) -> bool {
        self.is_request() && self.method() != b"ACK" && self.vias().next().is_some()
    }
}
