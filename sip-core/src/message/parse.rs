//! A message: its octets, where each header lies, and the headers that every layer needs.

use super::ParseError;
use super::address::NameAddr;
use super::header::{Header, HeaderName, find};
use super::list::{Element, Headers, Named, Rows, Selected, Values};
use super::malformed::Malformed;
use super::method::Method;
use super::row::{Row, pass_over, row};
use super::scan::{any, decimal_u32, line, number, peek, skip_lws, slice};
use super::start_line;
use super::uri::{Parts, Uri};
use super::via::Via;

/// The most octets that a message may have.
pub const MAX_MESSAGE: usize = 65_535;

/// How many rows the table holds. Rows beyond are read again from the octets when they are asked for.
const TABLE: usize = 24;

/// How many ids there is room for: a power of two.
const IDS: usize = HeaderName::IDS.next_power_of_two();

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
        Self::read(value, 0).ok_or(ParseError::CSeq)
    }

    /// Reads the CSeq from `at` to the end.
    fn read(bytes: &'a [u8], at: usize) -> Option<Self> {
        let (number, end) = number(bytes, at)?;
        let method = skip_lws(bytes, end);
        if method == end {
            return None;
        }
        let method = Method::parse(slice(bytes, method, bytes.len()))?;
        Some(Self { number, method })
    }
}

/// A parsed message; all that it gives borrows the octets that it was parsed from.
#[derive(Clone, Debug)]
pub struct Message<'a> {
    bytes: &'a [u8],
    /// The Request-URI; of a response the reason phrase.
    start: &'a [u8],
    call_id: &'a [u8],
    cseq: CSeq<'a>,
    via: Via<'a>,
    from: NameAddr<'a>,
    to: NameAddr<'a>,
    /// Of the Request-URI.
    parts: Parts,
    head: u16,
    /// The status code; zero for a request.
    status: u16,
    index: Index,
}

/// Where the rows of a message lie.
#[derive(Clone, Debug)]
struct Index {
    /// The [bits](bit) of the ids that occur.
    present: u64,
    table: [Row; TABLE],
    /// For each id the number of its first row in the table, counted from one; zero when there is none.
    first: [u8; IDS],
    /// Where the rows that did not fit in the table begin; zero when all did.
    rest: u16,
    /// How many lines were passed over.
    skipped: u16,
    count: u8,
}

impl Index {
    /// Reads the rows from `at` to the empty line; gives where the body begins.
    #[inline(never)]
    fn read(&mut self, bytes: &[u8], at: usize, core: &mut Core) -> Result<usize, Fault> {
        let mut at = at;
        let mut count: usize = 0;
        // For each id the number of its last row so far.
        let mut last = [0; IDS];
        let head = loop {
            if peek(bytes, at) == b'\r' {
                break line(bytes, at, false)?.next;
            }
            let (row, next) = match row(bytes, at) {
                Ok(found) => found,
                Err(fault) => {
                    at = pass_over(bytes, fault)?;
                    // Each has three octets at least, so that their number fits.
                    self.skipped = self.skipped.wrapping_add(1);
                    continue;
                }
            };
            let id = usize::from(row.id()) % IDS;
            self.present |= bit(row.id());
            if let (Some(slot), Some(first), Some(last)) =
                (self.table.get_mut(count), self.first.get_mut(id), last.get_mut(id))
            {
                *slot = row;
                count = count.wrapping_add(1);
                let before = core::mem::replace(last, count as u8);
                if before == 0 {
                    *first = count as u8;
                } else {
                    let first = *first;
                    self.link(before, count as u8);
                    core.again(bytes, self.row(first), row);
                }
            } else {
                self.go_beyond(bytes, at, row, core);
            }
            at = next;
        };
        self.count = count as u8;
        Ok(head)
    }

    /// The row of this number, counted from one; none when there is no such row.
    #[cfg_attr(target_pointer_width = "64", inline)]
    fn row(&self, number: u8) -> Row {
        self.table.get(usize::from(number).wrapping_sub(1)).copied().unwrap_or(Row::NONE)
    }

    /// The first row of this id.
    #[cfg_attr(target_pointer_width = "64", inline)]
    fn first_row(&self, id: u8) -> Row {
        self.row(self.first.get(usize::from(id)).copied().unwrap_or(0))
    }

    /// Says of a row which one is the next of its id.
    #[cfg_attr(target_pointer_width = "64", inline)]
    fn link(&mut self, number: u8, next: u8) {
        if let Some(row) = self.table.get_mut(usize::from(number).wrapping_sub(1)) {
            row.link(next);
        }
    }

    /// Takes up a row that does not fit in the table.
    #[cold]
    #[inline(never)]
    fn go_beyond(&mut self, bytes: &[u8], at: usize, row: Row, core: &mut Core) {
        if self.rest == 0 {
            self.rest = at as u16;
        }
        let first = core.first(self, row.id());
        if !first.is_none() {
            core.again(bytes, first, row);
        } else if let Some(place) = core.beyond.get_mut(usize::from(row.id()).wrapping_sub(1)) {
            *place = row;
        }
    }
}

const VIA: u8 = HeaderName::Via.id();
const FROM: u8 = HeaderName::From.id();
const TO: u8 = HeaderName::To.id();
const CALL_ID: u8 = HeaderName::CallId.id();
const CSEQ: u8 = HeaderName::CSeq.id();
const CONTENT_LENGTH: u8 = HeaderName::ContentLength.id();

/// A bit that says that an id may occur: those that are 64 apart share one.
#[inline]
const fn bit(id: u8) -> u64 {
    1_u64.wrapping_shl(id as u32)
}

/// What is wrong, and where.
type Fault = (ParseError, usize);

/// What is known of the headers that every layer needs, whose ids are the lowest.
struct Core {
    /// The first row of each of them, where that did not fit in the table.
    beyond: [Row; 6],
    /// What is wrong with the whole though each row is fine.
    fault: Option<Fault>,
}

impl Core {
    /// The first row of this id; none when there is no such row.
    #[cfg_attr(target_pointer_width = "64", inline)]
    fn first(&self, index: &Index, id: u8) -> Row {
        let row = index.first_row(id);
        if row.is_none() { self.first_beyond(id) } else { row }
    }

    /// The same, of those that did not fit.
    #[cold]
    #[inline(never)]
    fn first_beyond(&self, id: u8) -> Row {
        self.beyond.get(usize::from(id).wrapping_sub(1)).copied().unwrap_or(Row::NONE)
    }

    /// Takes up a row whose name has occurred before.
    #[inline(never)]
    fn again(&mut self, bytes: &[u8], first: Row, row: Row) {
        let error = match row.id() {
            FROM => ParseError::DoubledFrom,
            TO => ParseError::DoubledTo,
            CALL_ID => ParseError::DoubledCallId,
            CSEQ => ParseError::DoubledCSeq,
            CONTENT_LENGTH => {
                match (decimal_u32(first.value_in(bytes)), decimal_u32(row.value_in(bytes))) {
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

/// Whether this can be a Call-ID. Any visible characters are taken: it is only compared and sent back.
#[cfg_attr(target_pointer_width = "64", inline)]
fn is_call_id(value: &[u8]) -> bool {
    !value.is_empty() && !any(value, |octet| (octet <= b' ') | (octet == 0x7F))
}

/// How many octets of CRLF stand before the message (RFC 3261 §7.5).
#[cfg_attr(target_pointer_width = "64", inline)]
fn leading_line_ends(bytes: &[u8]) -> usize {
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
    // Inlined, it would be copied to where it stays.
    #[inline(never)]
    pub fn parse(datagram: &'a [u8]) -> Result<Self, Malformed<'a>> {
        let skipped = leading_line_ends(datagram);
        let bytes = datagram.get(skipped..).unwrap_or_default();
        let mut parsed = Ok(Self {
            bytes,
            start: b"",
            call_id: b"",
            cseq: CSeq { number: 0, method: Method::Invite },
            via: Via::EMPTY,
            from: NameAddr::EMPTY,
            to: NameAddr::EMPTY,
            parts: Parts::NONE,
            head: 0,
            status: 0,
            index: Index { present: 0, table: [Row::NONE; TABLE], first: [0; IDS], rest: 0, skipped: 0, count: 0 },
        });
        // Filled where it will lie: it is large.
        if let Ok(message) = &mut parsed
            && let Err((error, at)) = message.fill()
        {
            parsed = Err(Malformed::new(bytes, skipped, error, at));
        }
        parsed
    }

    /// Reads the octets.
    #[inline(never)]
    fn fill(&mut self) -> Result<(), Fault> {
        let bytes = self.bytes;
        if bytes.len() > MAX_MESSAGE {
            return Err((ParseError::TooLarge, MAX_MESSAGE));
        }
        let start_line = line(bytes, 0, false)?;
        let start = start_line::parse(slice(bytes, 0, start_line.end), &mut self.parts).map_err(|error| (error, 0))?;
        (self.start, self.status) = (start.text, start.status);
        let mut core = Core { beyond: [Row::NONE; 6], fault: None };
        let head = self.index.read(bytes, start_line.next, &mut core)?;
        self.head = head as u16;
        let length = self.fill_core(&core)?;
        if let Some(length) = length {
            let end = usize::try_from(length).ok().and_then(|length| head.checked_add(length));
            self.bytes = end.and_then(|end| bytes.get(..end)).ok_or((ParseError::Body, bytes.len()))?;
        }
        if self.status == 0 && start.method != self.cseq.method {
            return Err((ParseError::CSeqMethod, head));
        }
        Ok(())
    }

    /// Reads the values of the headers that every layer needs, as far as they are there; gives Content-Length. Of what is wrong, one of
    /// them that is missing comes last.
    #[cfg_attr(target_pointer_width = "64", inline)]
    fn fill_core(&mut self, core: &Core) -> Result<Option<u32>, Fault> {
        let bytes = self.bytes;
        let row = |index: &Index, id| core.first(index, id);
        let fail = |error, row: Row| Err((error, row.value()));
        let mut missing = None;
        let mut miss = |error| missing = missing.or(Some(error));
        let via = row(&self.index, VIA);
        if via.is_none() {
            miss(ParseError::MissingVia);
        } else if self.via.fill(via.up_to_end(bytes), via.value()).is_none() {
            return fail(ParseError::Via, via);
        }
        let from = row(&self.index, FROM);
        if from.is_none() {
            miss(ParseError::MissingFrom);
        } else if self.from.fill_unread(from.up_to_end(bytes), from.value()) != Some(from.end()) {
            return fail(ParseError::From, from);
        }
        let to = row(&self.index, TO);
        if to.is_none() {
            miss(ParseError::MissingTo);
        } else if self.to.fill_unread(to.up_to_end(bytes), to.value()) != Some(to.end()) {
            return fail(ParseError::To, to);
        }
        let call_id = row(&self.index, CALL_ID);
        if call_id.is_none() {
            miss(ParseError::MissingCallId);
        } else {
            self.call_id = call_id.value_in(bytes);
            if !is_call_id(self.call_id) {
                return fail(ParseError::CallId, call_id);
            }
        }
        let cseq = row(&self.index, CSEQ);
        if cseq.is_none() {
            miss(ParseError::MissingCSeq);
        } else {
            let Some(value) = CSeq::read(cseq.up_to_end(bytes), cseq.value()) else {
                return fail(ParseError::CSeq, cseq);
            };
            self.cseq = value;
        }
        let length = row(&self.index, CONTENT_LENGTH);
        let octets = decimal_u32(length.value_in(bytes));
        match (core.fault, missing) {
            _ if !length.is_none() && octets.is_none() => fail(ParseError::ContentLength, length),
            (Some(fault), _) => Err(fault),
            (None, Some(error)) => Err((error, self.head_len())),
            (None, None) => Ok(octets),
        }
    }

    /// The octets of the message, without what stood before or behind it.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The body.
    #[must_use]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub fn body(&self) -> &'a [u8] {
        slice(self.bytes, self.head_len(), self.bytes.len())
    }

    /// How many octets the start line, the headers and the empty line have.
    #[must_use]
    pub const fn head_len(&self) -> usize {
        self.head as usize
    }

    /// How many lines among the headers are no header rows and were passed over: without a colon, or with a name that is no
    /// token (RFC 3261 §8.2.2). No accessor gives them; a message that is [forwarded](super::forward) keeps them.
    #[must_use]
    pub const fn skipped_rows(&self) -> usize {
        self.index.skipped as usize
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
        if self.is_request() { b"" } else { self.start }
    }

    /// The Request-URI as it is written; `None` for a response.
    #[must_use]
    pub const fn request_uri(&self) -> Option<&'a [u8]> {
        if self.is_request() { Some(self.start) } else { None }
    }

    /// The Request-URI in its parts; `None` for a response.
    #[must_use]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub const fn uri(&self) -> Option<Uri<'a>> {
        if self.is_request() { Some(Uri::of(self.start, self.parts)) } else { None }
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

    /// From and To, where they lie.
    #[inline]
    pub(crate) const fn parties(&self) -> (&NameAddr<'a>, &NameAddr<'a>) {
        (&self.from, &self.to)
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
        let table = self.index.table.get(..usize::from(self.index.count)).unwrap_or_default();
        Rows::new(self.bytes, table, usize::from(self.index.rest))
    }

    /// Whether there are rows that the table has no room for.
    pub(super) const fn has_rows_beyond(&self) -> bool {
        self.index.rest != 0
    }

    /// The rows of these two ids.
    pub(crate) fn rows_of(&self, ids: [u8; 2]) -> Selected<'_, 'a> {
        let [one, other] = ids;
        let rows = if self.may_have(one) || self.may_have(other) { self.rows() } else { Rows::new(b"", &[], 0) };
        Selected::new(rows, ids)
    }

    /// Where From begins, the row of To, and where CSeq ends, when From, To, Call-ID and CSeq stand one behind the other with their
    /// names as this stack writes them and nothing between their values and the next name but a line end.
    pub(crate) fn identity_rows(&self) -> Option<(usize, Row, usize)> {
        let first = usize::from(*self.index.first.get(usize::from(FROM))?).checked_sub(1)?;
        let rows @ [from, to, call_id, cseq] = *self.index.table.get(first..)?.first_chunk()?;
        let follows = |one: Row, next: Row| one.end().wrapping_add(2) == next.name();
        let is_plain = |row: Row, id: u8, start: &[u8]| {
            row.id() == id
                && row.value().wrapping_sub(row.name()) == start.len()
                && slice(self.bytes, row.name(), row.value()) == start
        };
        let starts: [(u8, &[u8]); 4] = [(FROM, b"From: "), (TO, b"To: "), (CALL_ID, b"Call-ID: "), (CSEQ, b"CSeq: ")];
        let plain = rows.iter().zip(starts).all(|(row, (id, start))| is_plain(*row, id, start));
        let joined = follows(from, to) && follows(to, call_id) && follows(call_id, cseq);
        (plain && joined).then_some((from.name(), to, cseq.end()))
    }

    /// All header rows, in order.
    #[must_use]
    pub fn headers(&self) -> Headers<'_, 'a> {
        Headers { rows: self.rows() }
    }

    /// The value of the first row of this name.
    #[must_use]
    #[cfg_attr(not(target_pointer_width = "64"), inline(always))]
    pub fn header(&self, name: HeaderName<'_>) -> Option<&'a [u8]> {
        match name.id() {
            0 => self.other_rows(name.as_bytes()).next(),
            id => self.first(id),
        }
    }

    /// The value of the first row of a known name.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(crate) fn first(&self, id: u8) -> Option<&'a [u8]> {
        if self.may_have(id) { self.named(id, b"").next() } else { None }
    }

    /// Whether a row of this id is there; of a few ids, whether it may be.
    #[cfg_attr(target_pointer_width = "64", inline)]
    const fn may_have(&self, id: u8) -> bool {
        self.index.present & bit(id) != 0
    }

    /// The values of all rows of this name, each whole.
    #[must_use]
    #[cfg_attr(target_pointer_width = "64", inline)]
    #[cfg_attr(not(target_pointer_width = "64"), inline(always))]
    pub fn header_rows<'n>(&self, name: HeaderName<'n>) -> Named<'_, 'a, 'n> {
        // Which of the two it is, is mostly known when this is compiled.
        match name.id() {
            0 => self.other_rows(name.as_bytes()),
            id => self.known_rows(id),
        }
    }

    /// The same of a name that may be unknown.
    #[inline(never)]
    fn other_rows<'n>(&self, name: &'n [u8]) -> Named<'_, 'a, 'n> {
        let id = find(name);
        self.named(id, if id == 0 { name } else { b"" })
    }

    /// The value of the first row of a name that [no id](HeaderName::id) stands for.
    #[cfg_attr(target_pointer_width = "64", inline)]
    pub(crate) fn first_unnumbered(&self, name: &[u8]) -> Option<&'a [u8]> {
        if self.may_have(0) { self.named(0, name).next() } else { None }
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
        let rest = if self.may_have(id) { usize::from(self.index.rest) } else { 0 };
        Named::new(self.bytes, &self.index.table, rest, first, (id, name))
    }

    /// The comma-separated elements of all rows of this name; only for headers where a comma separates.
    #[must_use]
    #[cfg_attr(not(target_pointer_width = "64"), inline(always))]
    pub fn values<'n>(&self, name: HeaderName<'n>) -> Values<'_, 'a, 'n> {
        Values::new(self.header_rows(name))
    }

    /// The first row of this name, with its name as an id.
    #[must_use]
    pub fn find(&self, name: HeaderName<'_>) -> Option<Header<'a>> {
        self.headers().find(|header| header.name == name)
    }
}
