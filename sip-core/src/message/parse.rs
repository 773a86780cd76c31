//! A message: its octets, where each header lies, and the headers that every layer needs.

use super::ParseError;
use super::address::NameAddr;
use super::header::{Header, HeaderName, Row, row};
use super::list::{Element, Headers, Named, Rows, Values};
use super::malformed::Malformed;
use super::method::Method;
use super::scan::{DIGIT, LWS, decimal, is, line, peek, run, skip_lws, slice};
use super::start_line::{self, StartLine};
use super::uri::Uri;
use super::via::Via;

/// The most octets that a message may have.
pub const MAX_MESSAGE: usize = 65_535;

/// How many rows the table holds. Rows beyond are read again from the octets when they are asked for.
const TABLE: usize = 48;

/// CSeq: the number and method of a request (RFC 3261 §20.16).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct CSeq<'a> {
    /// The sequence number.
    pub number: u32,
    /// The method.
    pub method: Method<'a>,
}

impl<'a> CSeq<'a> {
    /// The CSeq that `value` is.
    ///
    /// # Errors
    /// When it isn't a number of 32 bits, white space, and a method.
    pub fn parse(value: &'a [u8]) -> Result<Self, ParseError> {
        let end = run(value, 0, DIGIT);
        let method = skip_lws(value, end);
        match decimal(slice(value, 0, end)).and_then(|number| u32::try_from(number).ok()) {
            Some(number) if method > end => {
                let method = Method::parse(slice(value, method, value.len())).ok_or(ParseError::CSeq)?;
                Ok(Self { number, method })
            }
            _ => Err(ParseError::CSeq),
        }
    }
}

/// A parsed message; all that it gives borrows the octets that it was parsed from.
#[derive(Clone, Debug)]
pub struct Message<'a> {
    bytes: &'a [u8],
    start: StartLine<'a>,
    head: usize,
    via: Via<'a>,
    from: NameAddr<'a>,
    to: NameAddr<'a>,
    call_id: &'a [u8],
    cseq: CSeq<'a>,
    rest: u16,
    count: u8,
    table: [Row; TABLE],
}

/// The rows that every message has to have, as they are found.
#[derive(Default)]
struct Core {
    via: Option<Row>,
    from: Option<Row>,
    to: Option<Row>,
    call_id: Option<Row>,
    cseq: Option<Row>,
    length: Option<u64>,
    /// The first fault that is not one of syntax.
    invalid: Option<(ParseError, usize)>,
}

impl Core {
    #[inline]
    fn note(&mut self, bytes: &[u8], row: Row) -> Result<(), (ParseError, usize)> {
        const VIA: u8 = HeaderName::Via.id();
        const FROM: u8 = HeaderName::From.id();
        const TO: u8 = HeaderName::To.id();
        const CALL_ID: u8 = HeaderName::CallId.id();
        const CSEQ: u8 = HeaderName::CSeq.id();
        const CONTENT_LENGTH: u8 = HeaderName::ContentLength.id();
        let (place, doubled) = match row.id {
            VIA => {
                if self.via.is_none() {
                    self.via = Some(row);
                }
                return Ok(());
            }
            FROM => (&mut self.from, ParseError::DoubledFrom),
            TO => (&mut self.to, ParseError::DoubledTo),
            CALL_ID => (&mut self.call_id, ParseError::DoubledCallId),
            CSEQ => (&mut self.cseq, ParseError::DoubledCSeq),
            CONTENT_LENGTH => return self.note_length(bytes, row),
            _ => return Ok(()),
        };
        if place.is_none() {
            *place = Some(row);
        } else {
            self.invalidate(doubled, row);
        }
        Ok(())
    }

    fn note_length(&mut self, bytes: &[u8], row: Row) -> Result<(), (ParseError, usize)> {
        let Some(length) = decimal(row.value_in(bytes)) else {
            return Err((ParseError::ContentLength, usize::from(row.value)));
        };
        // RFC 4475 §3.3.9: two different lengths are no length.
        if self.length.is_some_and(|other| other != length) {
            self.invalidate(ParseError::ConflictingContentLength, row);
        }
        self.length = Some(length);
        Ok(())
    }

    fn invalidate(&mut self, error: ParseError, row: Row) {
        self.invalid = self.invalid.or(Some((error, usize::from(row.name))));
    }
}

/// Reads the one address that the row's value is.
#[inline]
fn address<'a>(bytes: &'a [u8], row: Row, error: ParseError) -> Result<NameAddr<'a>, (ParseError, usize)> {
    match NameAddr::read(row.value_in(bytes), 0) {
        Ok((address, end)) if end == row.value_in(bytes).len() => Ok(address),
        _ => Err((error, usize::from(row.value))),
    }
}

/// How many octets of CRLF stand before the message (RFC 3261 §7.5).
pub(crate) fn leading_line_ends(bytes: &[u8]) -> usize {
    let mut at: usize = 0;
    while bytes.get(at..).is_some_and(|rest| rest.starts_with(b"\r\n")) {
        at = at.wrapping_add(2);
    }
    at
}

impl<'a> Message<'a> {
    /// Parses a datagram, or a frame that [`stream`](super::stream) has cut.
    ///
    /// Line ends before the message are skipped, octets beyond Content-Length are ignored, and without a
    /// Content-Length the body goes to the end (RFC 3261 §7.5, §18.3).
    ///
    /// # Errors
    /// With what a 400 needs. A response that fails is to be dropped.
    pub fn parse(datagram: &'a [u8]) -> Result<Self, Malformed<'a>> {
        let skipped = leading_line_ends(datagram);
        let bytes = datagram.get(skipped..).unwrap_or_default();
        Self::read(bytes).map_err(|(error, at)| Malformed::new(bytes, skipped, error, at))
    }

    #[inline]
    fn read(bytes: &'a [u8]) -> Result<Self, (ParseError, usize)> {
        if bytes.len() > MAX_MESSAGE {
            return Err((ParseError::TooLarge, MAX_MESSAGE));
        }
        let first = line(bytes, 0, false)?;
        let start = start_line::parse(slice(bytes, 0, first.end)).map_err(|error| (error, 0))?;
        let mut table = [Row::default(); TABLE];
        let mut slots = table.iter_mut();
        let mut count: u8 = 0;
        let mut rest: usize = 0;
        let mut core = Core::default();
        let mut at = first.next;
        while peek(bytes, at) != b'\r' {
            let (row, next) = row(bytes, at)?;
            match slots.next() {
                Some(slot) => {
                    *slot = row;
                    count = count.wrapping_add(1);
                }
                None if rest == 0 => rest = at,
                None => {}
            }
            core.note(bytes, row)?;
            at = next;
        }
        let head = line(bytes, at, false)?.next;
        if head != at.wrapping_add(2) {
            return Err((ParseError::HeaderName, at));
        }
        let via = match core.via {
            Some(row) => match Via::read(row.value_in(bytes), 0) {
                Ok((via, _)) => via,
                Err(error) => return Err((error, usize::from(row.value))),
            },
            None => return Err(core.invalid.unwrap_or((ParseError::MissingVia, head))),
        };
        let from = core.from.map(|row| address(bytes, row, ParseError::From)).transpose()?;
        let to = core.to.map(|row| address(bytes, row, ParseError::To)).transpose()?;
        let call_id = core.call_id.map(|row| call_id(bytes, row)).transpose()?;
        let cseq = core
            .cseq
            .map(|row| CSeq::parse(row.value_in(bytes)).map_err(|error| (error, usize::from(row.value))))
            .transpose()?;
        if let Some(invalid) = core.invalid {
            return Err(invalid);
        }
        let end = match core.length {
            Some(length) => usize::try_from(length).ok().and_then(|length| head.checked_add(length)),
            None => Some(bytes.len()),
        };
        let Some(bytes) = end.and_then(|end| bytes.get(..end)) else {
            return Err((ParseError::Body, bytes.len()));
        };
        let from = from.ok_or((ParseError::MissingFrom, head))?;
        let to = to.ok_or((ParseError::MissingTo, head))?;
        let call_id = call_id.ok_or((ParseError::MissingCallId, head))?;
        let cseq = cseq.ok_or((ParseError::MissingCSeq, head))?;
        if let StartLine::Request { method, .. } = start
            && method != cseq.method
        {
            return Err((ParseError::CSeqMethod, head));
        }
        Ok(Self { bytes, start, head, via, from, to, call_id, cseq, rest: rest as u16, count, table })
    }

    /// The octets of the message, without what stood before or behind it.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> &'a [u8] {
        slice(self.bytes, self.head, self.bytes.len())
    }

    /// How many octets the start line, the headers and the empty line have.
    #[must_use]
    pub const fn head_len(&self) -> usize {
        self.head
    }

    /// Whether this is a request.
    #[must_use]
    pub const fn is_request(&self) -> bool {
        matches!(self.start, StartLine::Request { .. })
    }

    /// The method of the request line; of a response, that of CSeq.
    #[must_use]
    pub const fn method(&self) -> Method<'a> {
        self.cseq.method
    }

    /// The status code of a response.
    #[must_use]
    pub const fn status(&self) -> Option<u16> {
        match self.start {
            StartLine::Request { .. } => None,
            StartLine::Status { status, .. } => Some(status),
        }
    }

    /// The reason phrase of a response; empty for a request.
    #[must_use]
    pub const fn reason(&self) -> &'a [u8] {
        match self.start {
            StartLine::Request { .. } => b"",
            StartLine::Status { reason, .. } => reason,
        }
    }

    /// The Request-URI as it is written; `None` for a response.
    #[must_use]
    pub const fn request_uri(&self) -> Option<&'a [u8]> {
        match &self.start {
            StartLine::Request { uri, .. } => Some(uri.raw()),
            StartLine::Status { .. } => None,
        }
    }

    /// The Request-URI in its parts; `None` for a response.
    #[must_use]
    pub const fn uri(&self) -> Option<Uri<'a>> {
        match self.start {
            StartLine::Request { uri, .. } => Some(uri),
            StartLine::Status { .. } => None,
        }
    }

    /// The first Via.
    #[must_use]
    pub const fn top_via(&self) -> Via<'a> {
        self.via
    }

    /// From.
    #[must_use]
    pub const fn from(&self) -> NameAddr<'a> {
        self.from
    }

    /// To.
    #[must_use]
    pub const fn to(&self) -> NameAddr<'a> {
        self.to
    }

    /// The tag of From; `None` from an RFC 2543 element.
    #[must_use]
    pub const fn from_tag(&self) -> Option<&'a [u8]> {
        self.from.tag()
    }

    /// The tag of To.
    #[must_use]
    pub const fn to_tag(&self) -> Option<&'a [u8]> {
        self.to.tag()
    }

    /// Call-ID.
    #[must_use]
    pub const fn call_id(&self) -> &'a [u8] {
        self.call_id
    }

    /// CSeq.
    #[must_use]
    pub const fn cseq(&self) -> CSeq<'a> {
        self.cseq
    }

    pub(crate) fn rows(&self) -> Rows<'_, 'a> {
        Rows::new(self.bytes, self.table.get(..usize::from(self.count)).unwrap_or_default(), usize::from(self.rest))
    }

    /// All header rows, in order.
    #[must_use]
    pub fn headers(&self) -> Headers<'_, 'a> {
        Headers { rows: self.rows() }
    }

    /// The value of the first row of this name.
    #[must_use]
    pub fn header(&self, name: HeaderName<'_>) -> Option<&'a [u8]> {
        self.header_rows(name).next()
    }

    /// The values of all rows of this name, each whole.
    #[must_use]
    pub fn header_rows<'n>(&self, name: HeaderName<'n>) -> Named<'_, 'a, 'n> {
        Named::new(self, name)
    }

    /// The comma-separated elements of all rows of this name; only for headers where a comma separates.
    #[must_use]
    pub fn values<'n>(&self, name: HeaderName<'n>) -> Values<'_, 'a, 'n> {
        Values::new(self.header_rows(name))
    }

    /// The first row of this name, with its name as an id.
    #[must_use]
    pub fn find(&self, name: HeaderName<'_>) -> Option<Header<'a>> {
        self.headers().find(|header| header.name == name)
    }
}

/// Reads Call-ID. Any visible characters are taken: it is only compared and sent back.
#[inline]
fn call_id(bytes: &[u8], row: Row) -> Result<&[u8], (ParseError, usize)> {
    let value = row.value_in(bytes);
    if value.is_empty() || value.iter().any(|octet| *octet < b' ' || is(*octet, LWS) || *octet == 0x7F) {
        return Err((ParseError::CallId, usize::from(row.value)));
    }
    Ok(value)
}
