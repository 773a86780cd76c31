//! A message: its octets, where each header lies, and the headers that every layer needs.

use super::ParseError;
use super::address::NameAddr;
use super::header::{Header, HeaderName, Row, row};
use super::list::{Element, Headers, Named, Rows, Selected, Values};
use super::malformed::Malformed;
use super::method::Method;
use super::scan::{DIGIT, any, decimal, line, peek, run_of, skip_lws, slice};
use super::start_line::{self, StartLine};
use super::uri::Uri;
use super::via::Via;

/// The most octets that a message may have.
pub const MAX_MESSAGE: usize = 65_535;

/// How many rows the table holds. Rows beyond are read again from the octets when they are asked for.
const TABLE: usize = 32;

/// How many ids there can be: as many as `present` has bits.
const IDS: usize = 64;

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
        let end = run_of(value, 0, DIGIT);
        let number =
            decimal(slice(value, 0, end)).and_then(|number| u32::try_from(number).ok()).ok_or(ParseError::CSeq)?;
        let method = skip_lws(value, end);
        if method == end {
            return Err(ParseError::CSeq);
        }
        let method = Method::parse(slice(value, method, value.len())).ok_or(ParseError::CSeq)?;
        Ok(Self { number, method })
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
    head: u16,
    /// The status code; zero for a request.
    status: u16,
    index: Index,
}

/// How many names, the first ones by id, every layer needs.
const CORE: usize = 6;

const VIA: u8 = HeaderName::Via.id();
const FROM: u8 = HeaderName::From.id();
const TO: u8 = HeaderName::To.id();
const CALL_ID: u8 = HeaderName::CallId.id();
const CSEQ: u8 = HeaderName::CSeq.id();
const CONTENT_LENGTH: u8 = HeaderName::ContentLength.id();
const CORE_IDS: [u8; CORE] = [VIA, FROM, TO, CALL_ID, CSEQ, CONTENT_LENGTH];

/// A bit for each id of those without which there is no message.
const MANDATORY: u64 = 1 << VIA | 1 << FROM | 1 << TO | 1 << CALL_ID | 1 << CSEQ;

/// What is wrong with the whole though each row is fine, as far as it shows while rows are read.
type Fault = Option<(ParseError, usize)>;

/// Where the rows of a message lie.
#[derive(Clone, Debug)]
struct Index {
    table: [Row; TABLE],
    /// For each id the number of its first row in the table, counted from one; zero when there is none.
    first: [u8; IDS],
    /// The first row of each of the first ids that has none in the table.
    beyond: [Row; CORE],
    /// A bit for each id that occurs.
    present: u64,
    /// Where the rows that did not fit in the table begin; zero when all did.
    rest: usize,
    count: usize,
    fault: Fault,
}

impl Index {
    const EMPTY: Self = Self {
        table: [Row::NONE; TABLE],
        first: [0; IDS],
        beyond: [Row::NONE; CORE],
        present: 0,
        rest: 0,
        count: 0,
        fault: None,
    };

    /// Reads the rows from `at` to the empty line; gives where the body begins.
    #[inline(never)]
    fn read(&mut self, bytes: &[u8], at: usize) -> Result<usize, (ParseError, usize)> {
        let mut at = at;
        let mut present = 0_u64;
        let mut count: usize = 0;
        let head = loop {
            if peek(bytes, at) == b'\r' {
                break line(bytes, at, false)?.next;
            }
            let (row, next) = row(bytes, at)?;
            let id = usize::from(row.id()) % IDS;
            let bit = 1_u64.wrapping_shl(id as u32);
            if let Some(slot) = self.table.get_mut(count) {
                *slot = row;
                count = count.wrapping_add(1);
                if present & bit != 0 {
                    self.again(bytes, row, count as u8);
                } else if let Some(first) = self.first.get_mut(id) {
                    *first = count as u8;
                }
            } else {
                self.go_beyond(bytes, at, row, present & bit != 0);
            }
            present |= bit;
            at = next;
        };
        self.count = count;
        self.present = present;
        Ok(head)
    }

    /// The first row of the core header with this id; none when there is none.
    #[cfg_attr(target_pointer_width = "64", inline)]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    fn core(&self, id: u8) -> Row {
        let id = usize::from(id);
        let number = self.first.get(id).copied().unwrap_or(0);
        match self.table.get(usize::from(number).wrapping_sub(1)) {
            Some(row) => *row,
            None => self.beyond.get(id.wrapping_sub(1)).copied().unwrap_or(Row::NONE),
        }
    }

    /// Takes up a row whose name occurs again; it has this number in the table.
    #[inline(never)]
    fn again(&mut self, bytes: &[u8], row: Row, number: u8) {
        let mut last = self.first.get(usize::from(row.id())).copied().unwrap_or(0);
        while let Some(before) = self.table.get_mut(usize::from(last).wrapping_sub(1)) {
            last = before.next();
            if last == 0 {
                before.link(number);
            }
        }
        self.doubled(bytes, row);
    }

    /// Takes up a row that does not fit in the table.
    #[cold]
    #[inline(never)]
    fn go_beyond(&mut self, bytes: &[u8], at: usize, row: Row, again: bool) {
        if self.rest == 0 {
            self.rest = at;
        }
        if again {
            self.doubled(bytes, row);
        } else if let Some(first) = self.beyond.get_mut(usize::from(row.id()).wrapping_sub(1)) {
            *first = row;
        }
    }

    /// Notes that a core header occurs again.
    fn doubled(&mut self, bytes: &[u8], row: Row) {
        let error = match row.id() {
            FROM => ParseError::DoubledFrom,
            TO => ParseError::DoubledTo,
            CALL_ID => ParseError::DoubledCallId,
            CSEQ => ParseError::DoubledCSeq,
            CONTENT_LENGTH => {
                let first = self.core(CONTENT_LENGTH);
                match (decimal(first.value_in(bytes)), decimal(row.value_in(bytes))) {
                    (Some(one), Some(other)) if one == other => return,
                    // RFC 4475 §3.3.9: two different lengths are no length.
                    (Some(_), Some(_)) => ParseError::ConflictingContentLength,
                    _ => ParseError::ContentLength,
                }
            }
            _ => return,
        };
        // What breaks the grammar comes before what does not.
        if self.fault.is_none_or(|(known, _)| error.is_syntax() && !known.is_syntax()) {
            self.fault = Some((error, row.name()));
        }
    }
}

/// Whether a value is what its header has to be.
type IsFine = fn(&[u8]) -> bool;

/// What is wrong when a core header is missing: first what breaks the grammar in those that are there.
#[cold]
#[inline(never)]
fn incomplete(bytes: &[u8], index: &Index, head: usize) -> (ParseError, usize) {
    let core = CORE_IDS.map(|id| index.core(id));
    let checks: [(IsFine, ParseError); CORE] = [
        (|value| Via::read(value, 0).is_ok(), ParseError::Via),
        (|value| NameAddr::parse(value).is_ok(), ParseError::From),
        (|value| NameAddr::parse(value).is_ok(), ParseError::To),
        (is_call_id, ParseError::CallId),
        (|value| CSeq::parse(value).is_ok(), ParseError::CSeq),
        (|value| decimal(value).is_some(), ParseError::ContentLength),
    ];
    for (row, (is_fine, error)) in core.iter().zip(checks) {
        if !row.is_none() && !is_fine(row.value_in(bytes)) {
            return (error, row.value());
        }
    }
    if let Some(fault) = index.fault {
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

/// Reads the one address that the row's value is; whether it is one.
#[cfg_attr(target_pointer_width = "64", inline)]
fn fill_address<'a>(address: &mut NameAddr<'a>, bytes: &'a [u8], row: Row) -> bool {
    let value = row.value_in(bytes);
    address.fill(value, 0) == Some(value.len())
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
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub fn parse(datagram: &'a [u8]) -> Result<Self, Malformed<'a>> {
        let skipped = leading_line_ends(datagram);
        let bytes = datagram.get(skipped..).unwrap_or_default();
        let mut message = Self {
            bytes,
            start: Err(b""),
            via: Via::EMPTY,
            from: NameAddr::EMPTY,
            to: NameAddr::EMPTY,
            call_id: b"",
            cseq: CSeq { number: 0, method: Method::Invite },
            head: 0,
            status: 0,
            index: Index::EMPTY,
        };
        match message.fill() {
            Ok(()) => Ok(message),
            Err((error, at)) => Err(Malformed::new(bytes, skipped, error, at)),
        }
    }

    /// Reads the octets.
    fn fill(&mut self) -> Result<(), (ParseError, usize)> {
        let bytes = self.bytes;
        if bytes.len() > MAX_MESSAGE {
            return Err((ParseError::TooLarge, MAX_MESSAGE));
        }
        let start_line = line(bytes, 0, false)?;
        let start = start_line::parse(slice(bytes, 0, start_line.end)).map_err(|error| (error, 0))?;
        let index = &mut self.index;
        let head = index.read(bytes, start_line.next)?;
        if index.present & MANDATORY != MANDATORY {
            return Err(incomplete(bytes, index, head));
        }
        let fail = |error, row: Row| Err((error, row.value()));
        let row = index.core(VIA);
        if self.via.fill(row.value_in(bytes), 0).is_none() {
            return fail(ParseError::Via, row);
        }
        let row = index.core(FROM);
        if !fill_address(&mut self.from, bytes, row) {
            return fail(ParseError::From, row);
        }
        let row = index.core(TO);
        if !fill_address(&mut self.to, bytes, row) {
            return fail(ParseError::To, row);
        }
        let row = index.core(CALL_ID);
        self.call_id = row.value_in(bytes);
        if !is_call_id(self.call_id) {
            return fail(ParseError::CallId, row);
        }
        let row = index.core(CSEQ);
        let Ok(cseq) = CSeq::parse(row.value_in(bytes)) else { return fail(ParseError::CSeq, row) };
        self.cseq = cseq;
        let mut end = Some(bytes.len());
        let row = index.core(CONTENT_LENGTH);
        if !row.is_none() {
            let Some(length) = decimal(row.value_in(bytes)) else { return fail(ParseError::ContentLength, row) };
            end = usize::try_from(length).ok().and_then(|length| head.checked_add(length));
        }
        if let Some(fault) = index.fault {
            return Err(fault);
        }
        let Some(bytes) = end.and_then(|end| bytes.get(..end)) else {
            return Err((ParseError::Body, bytes.len()));
        };
        self.bytes = bytes;
        self.head = head as u16;
        match start {
            StartLine::Request { method, .. } if method != cseq.method => return Err((ParseError::CSeqMethod, head)),
            StartLine::Request { uri, .. } => self.start = Ok(uri),
            StartLine::Status { status, reason } => (self.start, self.status) = (Err(reason), status),
        }
        Ok(())
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

    /// The first Via, where it lies.
    #[inline]
    pub(crate) const fn via(&self) -> &Via<'a> {
        &self.via
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
        Rows::new(self.bytes, self.index.table.get(..self.index.count).unwrap_or_default(), self.index.rest)
    }

    /// The rows when one of these ids, a bit for each, is among them, else none.
    #[cfg_attr(target_pointer_width = "64", inline)]
    fn rows_with(&self, ids: u64) -> Rows<'_, 'a> {
        if self.index.present & ids == 0 { Rows::new(b"", &[], 0) } else { self.rows() }
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
        self.header_rows(name).next()
    }

    /// The value of the first row of a known name.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(crate) fn first(&self, id: u8) -> Option<&'a [u8]> {
        if self.has(id) { self.named(id, b"").next() } else { None }
    }

    /// Whether a row of this id is there.
    #[cfg_attr(target_pointer_width = "64", inline)]
    pub(crate) const fn has(&self, id: u8) -> bool {
        self.index.present & 1u64.wrapping_shl(id as u32) != 0
    }

    /// The values of all rows of this name, each whole.
    #[cfg_attr(target_pointer_width = "64", inline)]
    #[must_use]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub fn header_rows<'n>(&self, name: HeaderName<'n>) -> Named<'_, 'a, 'n> {
        let id = name.lookup();
        self.named(id, if id == 0 { name.as_bytes() } else { b"" })
    }

    /// The values of all rows of a known name.
    #[cfg_attr(target_pointer_width = "64", inline)]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(crate) fn known_rows(&self, id: u8) -> Named<'_, 'a, 'static> {
        self.named(id, b"")
    }

    /// The rows of this id; when it is zero, those of this name.
    #[cfg_attr(target_pointer_width = "64", inline)]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    fn named<'n>(&self, id: u8, name: &'n [u8]) -> Named<'_, 'a, 'n> {
        let first = self.index.first.get(usize::from(id)).copied().unwrap_or(0);
        let rest = if self.has(id) { self.index.rest } else { 0 };
        Named::new(self.bytes, &self.index.table, rest, first, (id, name))
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
