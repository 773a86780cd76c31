//! A request that was written here and is kept, read row by row.

use super::header::HeaderName;
use super::list::{Element, Headers, Named, Rows};
use super::method::Method;
use super::parse::{CSeq, Message};
use super::scan::{element, line, slice};
use super::start_line::method_of;
use super::via::Via;

/// A request that is known to be well-formed, because it was written here or parsed before.
///
/// Its rows are read from the octets when they are asked for. It takes three words where a [`Message`] takes some six
/// hundred octets, so it is what a request that is kept is read with.
#[derive(Clone, Copy, Debug)]
pub struct Kept<'a> {
    bytes: &'a [u8],
    /// Where the first row begins.
    rows: usize,
}

impl<'a> Kept<'a> {
    /// The request that these octets are; of octets that are none, nothing is found.
    #[must_use]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, rows: line(bytes, 0, false).map_or(0, |found| found.next) }
    }

    /// The method.
    #[must_use]
    pub fn method(&self) -> Method<'a> {
        Method::known(method_of(self.bytes))
    }

    /// The Request-URI.
    #[must_use]
    pub fn request_uri(&self) -> &'a [u8] {
        self.bytes.split(|octet| *octet == b' ').nth(1).unwrap_or_default()
    }

    /// The header rows, in order.
    #[must_use]
    pub fn headers(&self) -> Headers<'static, 'a> {
        Headers { rows: Rows::new(self.bytes, &[], self.rows) }
    }

    /// The values of all rows of this name, each whole.
    #[must_use]
    pub fn header_rows<'n>(&self, name: HeaderName<'n>) -> Named<'static, 'a, 'n> {
        Named::new(self.bytes, &[], self.rows, 0, (name.lookup(), name.as_bytes()))
    }

    /// The values of all rows of a known name.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(crate) fn known_rows(&self, id: u8) -> Named<'static, 'a, 'static> {
        Named::new(self.bytes, &[], self.rows, 0, (id, b""))
    }

    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(super) fn known(&self, id: u8) -> &'a [u8] {
        self.known_rows(id).next().unwrap_or_default()
    }

    /// The value of the first row of this name; empty when there is none.
    #[must_use]
    #[cfg_attr(not(target_pointer_width = "64"), inline(always))]
    pub fn header(&self, name: HeaderName<'_>) -> &'a [u8] {
        // Which of the two it is, is mostly known when this is compiled.
        match name.id() {
            0 => self.header_rows(name).next().unwrap_or_default(),
            id => self.known(id),
        }
    }

    /// The first element of this name, which may be one of several in a row.
    #[must_use]
    #[cfg_attr(not(target_pointer_width = "64"), inline(always))]
    pub fn first(&self, name: HeaderName<'_>) -> &'a [u8] {
        element(self.header(name)).0
    }

    /// The branch of the topmost Via.
    #[must_use]
    pub fn branch(&self) -> Option<&'a [u8]> {
        let mut via = Via::EMPTY;
        via.fill(self.header(HeaderName::Via), 0)?;
        via.branch()
    }

    /// The number in CSeq.
    #[must_use]
    pub fn cseq(&self) -> u32 {
        CSeq::parse(self.header(HeaderName::CSeq)).map_or(0, |cseq| cseq.number)
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> &'a [u8] {
        const END: &[u8] = b"\r\n\r\n";
        let head = self.bytes.windows(END.len()).position(|part| part == END);
        head.map_or(b"", |head| slice(self.bytes, head.wrapping_add(END.len()), self.bytes.len()))
    }
}

impl<'a> From<&Message<'a>> for Kept<'a> {
    fn from(message: &Message<'a>) -> Self {
        Self::new(message.bytes())
    }
}
