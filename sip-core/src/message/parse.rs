//! A message: its octets, where each header lies, and the headers that every layer needs.

use super::ParseError;
use super::address::NameAddr;
use super::header::{Header, HeaderName, Row, row};
use super::list::{Element, Headers, Named, Rows, Selected, Values};
use super::malformed::Malformed;
use super::method::Method;
use super::scan::{any, decimal, line, peek, skip_lws, slice};
use super::start_line::{self, StartLine};
use super::uri::Uri;
use super::via::Via;

/// The most octets that a message may have.
pub const MAX_MESSAGE: usize = 65_535;

/// How many rows the table holds. Rows beyond are read again from the octets when they are asked for.
const TABLE: usize = 32;

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
        let mut number: u64 = 0;
        let mut end: usize = 0;
        while let Some(octet) = value.get(end) {
            let digit = octet.wrapping_sub(b'0');
            if digit > 9 {
                break;
            }
            number = number.wrapping_mul(10).wrapping_add(u64::from(digit));
            if number > u64::from(u32::MAX) {
                return Err(ParseError::CSeq);
            }
            end = end.wrapping_add(1);
        }
        let method = skip_lws(value, end);
        if end == 0 || method == end {
            return Err(ParseError::CSeq);
        }
        let method = Method::parse(slice(value, method, value.len())).ok_or(ParseError::CSeq)?;
        Ok(Self { number: number as u32, method })
    }
}

/// A parsed message; all that it gives borrows the octets that it was parsed from.
#[derive(Clone, Debug)]
pub struct Message<'a> {
    bytes: &'a [u8],
    /// The Request-URI; of a response the reason phrase.
    start: Result<Uri<'a>, &'a [u8]>,
    via: Via<'a>,
    from: NameAddr<'a>,
    to: NameAddr<'a>,
    call_id: &'a [u8],
    cseq: CSeq<'a>,
    /// A bit for each id that occurs.
    present: u64,
    head: u16,
    /// Where the rows that did not fit in the table begin; zero when all did.
    rest: u16,
    /// The status code; zero for a request.
    status: u16,
    count: u8,
    table: [Row; TABLE],
}

/// How many names, the first ones by id, have their first row noted while a message is read.
const CORE: usize = 6;

/// What is wrong with the whole though each row is fine, as far as it shows while rows are read.
type Fault = Option<(ParseError, usize)>;

/// The rows of a message, as they are found.
#[derive(Default)]
struct Index {
    table: [Row; TABLE],
    /// The first row of each of the first ids.
    core: [Row; CORE],
    /// A bit for each id that occurs.
    present: u64,
    /// Where the rows that did not fit in the table begin; zero when all did.
    rest: usize,
    count: usize,
    fault: Fault,
}

impl Index {
    /// Reads the rows from `at` to the empty line; gives where the body begins.
    #[inline(never)]
    fn read(&mut self, bytes: &[u8], at: usize) -> Result<usize, (ParseError, usize)> {
        let mut at = at;
        let mut present = 0;
        let mut slots = self.table.iter_mut();
        let head = loop {
            if peek(bytes, at) == b'\r' {
                break line(bytes, at, false)?.next;
            }
            let (row, next) = row(bytes, at)?;
            if let Some(slot) = slots.next() {
                *slot = row;
            } else if self.rest == 0 {
                self.rest = at;
            }
            present |= 1u64.wrapping_shl(u32::from(row.id()));
            if let Some(slot) = self.core.get_mut(usize::from(row.id().wrapping_sub(1))) {
                if slot.is_none() {
                    *slot = row;
                } else {
                    again(bytes, *slot, row, &mut self.fault);
                }
            }
            at = next;
        };
        self.count = TABLE.wrapping_sub(slots.len());
        self.present = present;
        Ok(head)
    }
}

/// Notes that a core header occurs again.
#[cold]
#[inline(never)]
fn again(bytes: &[u8], first: Row, row: Row, fault: &mut Fault) {
    let error = match HeaderName::from_id(row.id(), b"") {
        HeaderName::From => ParseError::DoubledFrom,
        HeaderName::To => ParseError::DoubledTo,
        HeaderName::CallId => ParseError::DoubledCallId,
        HeaderName::CSeq => ParseError::DoubledCSeq,
        HeaderName::ContentLength => match (decimal(first.value_in(bytes)), decimal(row.value_in(bytes))) {
            (Some(one), Some(other)) if one == other => return,
            // RFC 4475 §3.3.9: two different lengths are no length.
            (Some(_), Some(_)) => ParseError::ConflictingContentLength,
            _ => ParseError::ContentLength,
        },
        _ => return,
    };
    // What breaks the grammar comes before what does not.
    if fault.is_none_or(|(known, _)| error.is_syntax() && !known.is_syntax()) {
        *fault = Some((error, row.name()));
    }
}

/// Whether a value is what its header has to be.
type IsFine = fn(&[u8]) -> bool;

/// What is wrong when a core header is missing: first what breaks the grammar in those that are there.
#[cold]
#[inline(never)]
fn incomplete(bytes: &[u8], core: &[Row; CORE], fault: Fault, head: usize) -> (ParseError, usize) {
    let checks: [(IsFine, ParseError); CORE] = [
        (|value| Via::read(value, 0).is_ok(), ParseError::Via),
        (|value| address(value).is_some(), ParseError::From),
        (|value| address(value).is_some(), ParseError::To),
        (is_call_id, ParseError::CallId),
        (|value| CSeq::parse(value).is_ok(), ParseError::CSeq),
        (|value| decimal(value).is_some(), ParseError::ContentLength),
    ];
    for (row, (is_fine, error)) in core.iter().zip(checks) {
        if !row.is_none() && !is_fine(row.value_in(bytes)) {
            return (error, row.value());
        }
    }
    if let Some(fault) = fault {
        return fault;
    }
    let missing = match core.map(|row| !row.is_none()) {
        [false, ..] => ParseError::MissingVia,
        [_, false, ..] => ParseError::MissingFrom,
        [_, _, false, ..] => ParseError::MissingTo,
        [_, _, _, false, ..] => ParseError::MissingCallId,
        _ => ParseError::MissingCSeq,
    };
    (missing, head)
}

/// The one address that a row's value is.
#[cfg_attr(target_pointer_width = "64", inline)]
fn address(value: &[u8]) -> Option<NameAddr<'_>> {
    match NameAddr::read(value, 0) {
        Ok((address, end)) if end == value.len() => Some(address),
        _ => None,
    }
}

/// Whether this can be a Call-ID. Any visible characters are taken: it is only compared and sent back.
#[cfg_attr(target_pointer_width = "64", inline)]
fn is_call_id(value: &[u8]) -> bool {
    !value.is_empty() && !any(value, |octet| (octet <= b' ') | (octet == 0x7F))
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

    #[cfg_attr(target_pointer_width = "64", inline)]
    fn read(bytes: &'a [u8]) -> Result<Self, (ParseError, usize)> {
        if bytes.len() > MAX_MESSAGE {
            return Err((ParseError::TooLarge, MAX_MESSAGE));
        }
        let first = line(bytes, 0, false)?;
        let start = start_line::parse(slice(bytes, 0, first.end)).map_err(|error| (error, 0))?;
        let mut index = Index::default();
        let head = index.read(bytes, first.next)?;
        let Index { table, core, present, rest, count, fault } = index;
        let [via_row, from_row, to_row, id_row, cseq_row, length_row] = core;
        if [via_row, from_row, to_row, id_row, cseq_row].iter().any(|row| row.is_none()) {
            return Err(incomplete(bytes, &core, fault, head));
        }
        let fail = |error, row: Row| Err((error, row.value()));
        let Ok((via, _)) = Via::read(via_row.value_in(bytes), 0) else { return fail(ParseError::Via, via_row) };
        let Some(from) = address(from_row.value_in(bytes)) else { return fail(ParseError::From, from_row) };
        let Some(to) = address(to_row.value_in(bytes)) else { return fail(ParseError::To, to_row) };
        let call_id = id_row.value_in(bytes);
        if !is_call_id(call_id) {
            return fail(ParseError::CallId, id_row);
        }
        let Ok(cseq) = CSeq::parse(cseq_row.value_in(bytes)) else { return fail(ParseError::CSeq, cseq_row) };
        let mut end = Some(bytes.len());
        if !length_row.is_none() {
            let Some(length) = decimal(length_row.value_in(bytes)) else {
                return fail(ParseError::ContentLength, length_row);
            };
            end = usize::try_from(length).ok().and_then(|length| head.checked_add(length));
        }
        if let Some(fault) = fault {
            return Err(fault);
        }
        let Some(bytes) = end.and_then(|end| bytes.get(..end)) else {
            return Err((ParseError::Body, bytes.len()));
        };
        let (start, status) = match start {
            StartLine::Request { method, uri } => {
                if method != cseq.method {
                    return Err((ParseError::CSeqMethod, head));
                }
                (Ok(uri), 0)
            }
            StartLine::Status { status, reason } => (Err(reason), status),
        };
        let (head, rest, count) = (head as u16, rest as u16, count as u8);
        Ok(Self { bytes, start, via, from, to, call_id, cseq, present, head, rest, status, count, table })
    }

    /// The octets of the message, without what stood before or behind it.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> &'a [u8] {
        slice(self.bytes, self.head_len(), self.bytes.len())
    }

    /// How many octets the start line, the headers and the empty line have.
    #[must_use]
    pub const fn head_len(&self) -> usize {
        self.head as usize
    }

    /// Whether this is a request.
    #[must_use]
    pub const fn is_request(&self) -> bool {
        self.status == 0
    }

    /// The method of the request line; of a response, that of CSeq.
    #[must_use]
    pub const fn method(&self) -> Method<'a> {
        self.cseq.method
    }

    /// The status code of a response.
    #[must_use]
    pub const fn status(&self) -> Option<u16> {
        if self.status == 0 { None } else { Some(self.status) }
    }

    /// The reason phrase of a response; empty for a request.
    #[must_use]
    pub const fn reason(&self) -> &'a [u8] {
        match self.start {
            Ok(_) => b"",
            Err(reason) => reason,
        }
    }

    /// The Request-URI as it is written; `None` for a response.
    #[must_use]
    pub const fn request_uri(&self) -> Option<&'a [u8]> {
        match &self.start {
            Ok(uri) => Some(uri.raw()),
            Err(_) => None,
        }
    }

    /// The Request-URI in its parts; `None` for a response.
    #[must_use]
    pub const fn uri(&self) -> Option<Uri<'a>> {
        match self.start {
            Ok(uri) => Some(uri),
            Err(_) => None,
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
    pub fn from_tag(&self) -> Option<&'a [u8]> {
        self.from.tag()
    }

    /// The tag of To.
    #[must_use]
    pub fn to_tag(&self) -> Option<&'a [u8]> {
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

    /// The rows when one of these ids, a bit for each, is among them, else none.
    #[cfg_attr(target_pointer_width = "64", inline)]
    fn rows_with(&self, ids: u64) -> Rows<'_, 'a> {
        if self.present & ids == 0 { Rows::new(b"", &[], 0) } else { self.rows() }
    }

    /// The rows of these ids, a bit for each.
    pub(crate) fn rows_of(&self, ids: u64) -> Selected<'_, 'a> {
        Selected::new(self.rows_with(ids), ids)
    }

    /// All header rows, in order.
    #[must_use]
    pub fn headers(&self) -> Headers<'_, 'a> {
        Headers { rows: self.rows() }
    }

    /// The value of the first row of this name.
    #[must_use]
    pub fn header(&self, name: HeaderName<'_>) -> Option<&'a [u8]> {
        match name.lookup() {
            0 => self.header_rows(name).next(),
            id => self.first(id),
        }
    }

    /// The value of the first row of a known name.
    pub(crate) fn first(&self, id: u8) -> Option<&'a [u8]> {
        if self.has(id) { self.rows().first(id) } else { None }
    }

    /// Whether a row of this id is there.
    #[inline]
    pub(crate) const fn has(&self, id: u8) -> bool {
        self.present & 1u64.wrapping_shl(id as u32) != 0
    }

    /// The values of all rows of this name, each whole.
    #[must_use]
    pub fn header_rows<'n>(&self, name: HeaderName<'n>) -> Named<'_, 'a, 'n> {
        let id = name.lookup();
        Named::new(self.rows_with(1u64.wrapping_shl(u32::from(id))), id, name.as_bytes())
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
