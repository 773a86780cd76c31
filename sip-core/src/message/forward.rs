//! A proxy's edit of a message that it passes on: one pass copies it octet for octet but for what changes
//! (RFC 3261 §16.6 for requests, §16.7 for responses).
//!
//! What nobody asked to change arrives as it came: unknown headers, folds, compact names, white space, the order
//! of rows, the body, and lines that are no rows and were passed over (§16.3 step 1: what is malformed and not needed
//! remains unchanged). New rows stand right behind the start line.
//!
//! | edit | asked for by | source |
//! |---|---|---|
//! | `received` and `rport` of the topmost Via | [`received_from`](ForwardRequest::received_from) | §18.2.1, RFC 3581 §4 |
//! | the last Route value taken away | [`drop_last_route`](ForwardRequest::drop_last_route) | §16.4 |
//! | first Route values taken away | [`pop_route`](ForwardRequest::pop_route) | §16.4 |
//! | Request-URI | [`request_uri`](ForwardRequest::request_uri) | §16.6 step 2 |
//! | Max-Forwards, one less or 70 | each request | §16.6 step 3 |
//! | Max-Breadth, in the place of the one that is there | [`max_breadth`](ForwardRequest::max_breadth) | RFC 5393 §5.3.3 |
//! | Record-Route on top | [`record_route`](ForwardRequest::record_route) | §16.6 step 4, RFC 5658 §6 |
//! | Path on top | [`path`](ForwardRequest::path) | RFC 3327 §5.2 |
//! | Route on top | [`push_route`](ForwardRequest::push_route) | §16.6 step 6 |
//! | Route at the end | [`append_route`](ForwardRequest::append_route) | §16.6 step 6 |
//! | Via on top | [`via`](ForwardRequest::via) | §16.6 step 8 |
//! | Content-Length where there is none | `content_length` of either | §16.6 step 9, §18.3 |
//! | the topmost Via taken away | each response | §16.7 step 3 |
//!
//! ```
//! use sip_core::message::{ForwardRequest, Message};
//! use sip_core::transport::{Address, Transport};
//!
//! let received = b"INVITE sip:bob@example.com SIP/2.0\r\n\
//!     Via: SIP/2.0/UDP 10.0.0.7;branch=z9hG4bKua;rport\r\nRoute: <sip:p.example.com;lr>\r\nMax-Forwards: 70\r\n\
//!     From: <sip:alice@example.com>;tag=a\r\nTo: <sip:bob@example.com>\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\n\r\n";
//! let message = Message::parse(received).expect("a message");
//! let mut room = [0; 1500];
//! let length = ForwardRequest::new(&message)
//!     .received_from(Address::from("192.0.2.7:40001".parse::<std::net::SocketAddr>().expect("an address")))
//!     .pop_route(1)
//!     .request_uri(b"sip:bob@192.0.2.20")
//!     .record_route(&[b"sip:p.example.com;lr"])
//!     .via(Transport::Udp, b"p.example.com", b"0123456789abcdef")
//!     .write(&mut room)
//!     .expect("room enough");
//! assert_eq!(
//!     core::str::from_utf8(&room[..length]),
//!     Ok("INVITE sip:bob@192.0.2.20 SIP/2.0\r\n\
//!     Via: SIP/2.0/UDP p.example.com;branch=z9hG4bK0123456789abcdef;rport\r\nRecord-Route: <sip:p.example.com;lr>\r\n\
//!     Via: SIP/2.0/UDP 10.0.0.7;branch=z9hG4bKua;rport=40001;received=192.0.2.7\r\nMax-Forwards: 69\r\n\
//!     From: <sip:alice@example.com>;tag=a\r\nTo: <sip:bob@example.com>\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\n\r\n")
//! );
//! ```

use super::ParseError;
use super::auth::Credentials;
use super::build::sourced_via;
use super::copied::Copied;
use super::header::{Header, HeaderName};
use super::host;
use super::list::Element;
use super::parse::Message;
use super::scan::{alike, element, has, peek, skip_lws, slice};
use super::via::Via;
use super::writer::{WriteError, Writer};
use crate::transport::{Address, Transport};

/// The hops that a request gets which says nothing of them (RFC 3261 §16.6 step 3).
const HOPS: u64 = 70;

/// Max-Breadth (RFC 5393 §5.3.1), which is for proxies alone and has no number among the names.
pub(crate) const MAX_BREADTH: HeaderName<'static> = HeaderName::Other(b"Max-Breadth");

/// Why a message is not passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ForwardError {
    /// It is a response where a request was to be forwarded, or the other way round.
    Kind,
    /// Max-Forwards is zero (RFC 3261 §16.3 step 3).
    TooManyHops,
    /// Max-Forwards is no number from 0 to 255.
    MaxForwards,
    /// Route has fewer values than are to be taken away.
    Route,
    /// The topmost Via is the only one: the response was meant for this element (RFC 3261 §16.7 step 3).
    LastVia,
    /// It can't be written; when there is not enough room, this says how much is needed.
    Write(WriteError),
}

impl ForwardError {
    /// The status that the request is answered with; `None` for a response, which is dropped.
    #[must_use]
    pub const fn status(self) -> Option<u16> {
        match self {
            Self::TooManyHops => Some(483),
            Self::MaxForwards | Self::Route => Some(400),
            Self::Write(WriteError::Full { .. } | WriteError::TooLarge { .. }) => Some(513),
            Self::Kind | Self::Write(WriteError::Injection) => Some(500),
            Self::LastVia => None,
        }
    }
}

impl From<WriteError> for ForwardError {
    fn from(error: WriteError) -> Self {
        Self::Write(error)
    }
}

/// A request as it is passed on (RFC 3261 §16.6).
///
/// It is a plain value: what all branches of a fork share is set once, each target adds its own and writes.
#[derive(Clone, Copy, Debug)]
pub struct ForwardRequest<'a> {
    message: &'a Message<'a>,
    source: Address,
    top_row: &'a [u8],
    via: Option<(Transport, &'a [u8], &'a [u8])>,
    /// Whether the texts of the Via were checked before.
    is_checked: bool,
    request_uri: Option<&'a [u8]>,
    popped: usize,
    drop_last: bool,
    record_routes: &'a [&'a [u8]],
    paths: &'a [&'a [u8]],
    pushed: &'a [&'a [u8]],
    appended: Option<&'a [u8]>,
    breadth: Option<u16>,
    consumed: &'a [u8],
    asserts: bool,
    content_length: bool,
}

impl<'a> ForwardRequest<'a> {
    /// The request with one hop less, and nothing else changed.
    #[must_use]
    pub const fn new(message: &'a Message<'a>) -> Self {
        Self {
            message,
            source: Address::NONE,
            top_row: b"",
            via: None,
            is_checked: false,
            request_uri: None,
            popped: 0,
            drop_last: false,
            record_routes: &[],
            paths: &[],
            pushed: &[],
            appended: None,
            breadth: None,
            consumed: b"",
            asserts: true,
            content_length: false,
        }
    }

    /// Leaves out the Proxy-Authorization of a realm: its credentials are for this proxy, and nobody behind it is to have them.
    /// An empty realm leaves all of them (RFC 3261 §22.3).
    #[must_use]
    pub const fn consume_credentials(mut self, realm: &'a [u8]) -> Self {
        self.consumed = realm;
        self
    }

    /// Leaves out P-Asserted-Identity: who asserts it is not trusted (RFC 3325 §5).
    #[must_use]
    pub const fn drop_asserted_identity(mut self) -> Self {
        self.asserts = false;
        self
    }

    /// Has the topmost Via tell where the request came from: `received` when its sent-by says otherwise or it asks
    /// with `rport`, and then the value of that (RFC 3261 §18.2.1, RFC 3581 §4).
    #[must_use]
    pub const fn received_from(mut self, source: Address) -> Self {
        self.source = source;
        self
    }

    /// The same as it was written before: the value of the first row of Via, unless it is empty.
    #[must_use]
    pub const fn top_row(mut self, value: &'a [u8]) -> Self {
        self.top_row = value;
        self
    }

    /// Puts a Via on top (RFC 3261 §16.6 step 8), in the form that [`stamp`](super::build::stamp) knows.
    ///
    /// `sent_by` is a host, and a port behind a colon if there is one. `branch` is a token, unique in space and time; the magic
    /// cookie is put before it when it is missing.
    #[must_use]
    pub const fn via(mut self, transport: Transport, sent_by: &'a [u8], branch: &'a [u8]) -> Self {
        self.via = Some((transport, sent_by, branch));
        self
    }

    /// As [`via`](Self::via), with a host and a branch that were checked before: a proxy's own.
    #[must_use]
    pub(crate) const fn checked_via(mut self, transport: Transport, sent_by: &'a [u8], branch: &'a [u8]) -> Self {
        self.is_checked = true;
        self.via(transport, sent_by, branch)
    }

    /// Replaces the Request-URI (RFC 3261 §16.6 step 2; of a strict router also §16.4 and §16.6 step 6).
    #[must_use]
    pub const fn request_uri(mut self, uri: &'a [u8]) -> Self {
        self.request_uri = Some(uri);
        self
    }

    /// Says how many branches this request may have behind this element (RFC 5393 §5.3.3).
    #[must_use]
    pub const fn max_breadth(mut self, breadth: u16) -> Self {
        self.breadth = Some(breadth);
        self
    }

    /// Takes the first values of Route away, in whatever rows they stand (RFC 3261 §16.4); two where this element
    /// has put two in Record-Route (RFC 5658 §6.2).
    ///
    /// Values are counted as [`Message::values`] gives them.
    #[must_use]
    pub const fn pop_route(mut self, count: usize) -> Self {
        self.popped = count;
        self
    }

    /// Takes the last value of Route away: what a strict router before this element has put there belongs into
    /// the Request-URI (RFC 3261 §16.4).
    #[must_use]
    pub const fn drop_last_route(mut self) -> Self {
        self.drop_last = true;
        self
    }

    /// Puts Route values before those that stay, the first one topmost (RFC 3261 §16.6 step 6).
    #[must_use]
    pub const fn push_route(mut self, uris: &'a [&'a [u8]]) -> Self {
        self.pushed = uris;
        self
    }

    /// Puts a Route value behind all others: the Request-URI, where the first Route is a strict router's and takes
    /// its place (RFC 3261 §16.6 step 6).
    #[must_use]
    pub const fn append_route(mut self, uri: &'a [u8]) -> Self {
        self.appended = Some(uri);
        self
    }

    /// Puts Record-Route values on top, the first one topmost; each URI has to have the `lr` parameter
    /// (RFC 3261 §16.6 step 4). Two of them serve two sides (RFC 5658 §6).
    #[must_use]
    pub const fn record_route(mut self, uris: &'a [&'a [u8]]) -> Self {
        self.record_routes = uris;
        self
    }

    /// Puts Path values on top, the first one topmost (RFC 3327 §5.2). Whether the registering client supports
    /// that is for the caller to look at.
    #[must_use]
    pub const fn path(mut self, uris: &'a [&'a [u8]]) -> Self {
        self.paths = uris;
        self
    }

    /// Adds Content-Length where there is none, as streams need it (RFC 3261 §16.6 step 9).
    #[must_use]
    pub const fn content_length(mut self) -> Self {
        self.content_length = true;
        self
    }

    /// How many octets the request will have.
    ///
    /// # Errors
    /// As [`write`](Self::write), but never for lack of room.
    pub fn size(&self) -> Result<usize, ForwardError> {
        size_of(|w| self.write_to(w))
    }

    /// Writes the request into `buffer`; gives how many octets it has.
    ///
    /// # Errors
    /// [`ForwardError`]; the buffer then holds nothing of use.
    pub fn write(&self, buffer: &mut [u8]) -> Result<usize, ForwardError> {
        let mut w = Writer::new(buffer);
        self.write_to(&mut w)?;
        Ok(w.finish()?)
    }

    /// Writes the request through a writer, which tells in the end whether it fitted.
    ///
    /// # Errors
    /// What is wrong with the request; the writer then holds a part of it.
    pub fn write_to(&self, w: &mut Writer<'_>) -> Result<(), ForwardError> {
        let message = self.message;
        let old_uri = message.request_uri().ok_or(ForwardError::Kind)?;
        // RFC 3261 §16.3 step 3.
        let hops = match message.max_forwards() {
            None => None,
            Some(Ok(hops)) => Some(hops.checked_sub(1).ok_or(ForwardError::TooManyHops)?),
            Some(Err(_)) => return Err(ForwardError::MaxForwards),
        };
        let mut copy = Copied::new(message);
        if let Some(uri) = self.request_uri {
            // One space stands between the method and the URI (RFC 3261 §7.1).
            let from = message.method().as_bytes().len().saturating_add(1);
            copy.until(w, from);
            w.uri(uri);
            copy.skip_to(from.saturating_add(old_uri.len()));
        }
        copy.until(w, copy.first_row());
        let breadth = self.breadth.filter(|_| message.first_unnumbered(MAX_BREADTH.as_bytes()).is_some());
        self.new_rows(w, hops.is_none());
        if let Some(new) = self.breadth.filter(|_| breadth.is_none()) {
            w.header_number(MAX_BREADTH, u64::from(new));
        }
        self.edit_rows(w, &mut copy, hops, breadth)?;
        if let Some(uri) = self.appended {
            copy.until(w, copy.empty_line);
            address_row(w, HeaderName::Route, uri);
        }
        copy.rest(w, self.content_length);
        Ok(())
    }

    fn new_rows(&self, w: &mut Writer<'_>, hops: bool) {
        if let Some((transport, sent_by, branch)) = self.via {
            if self.is_checked {
                w.checked_via(transport, sent_by, branch);
            } else {
                if host::sent_by(sent_by).is_none() {
                    w.refuse();
                }
                w.via_of(transport, sent_by, branch);
            }
        }
        if hops {
            w.header_number(HeaderName::MaxForwards, HOPS);
        }
        for (name, uris) in [
            (HeaderName::RecordRoute, self.record_routes),
            (HeaderName::Path, self.paths),
            (HeaderName::Route, self.pushed),
        ] {
            for uri in uris {
                address_row(w, name, uri);
            }
        }
    }

    /// Copies the rows up to the last one that changes.
    fn edit_rows(
        &self,
        w: &mut Writer<'_>,
        copy: &mut Copied<'a>,
        hops: Option<u8>,
        mut breadth: Option<u16>,
    ) -> Result<(), ForwardError> {
        const OTHER: u8 = MAX_BREADTH.id();
        const VIA: u8 = HeaderName::Via.id();
        const MAX_FORWARDS: u8 = HeaderName::MaxForwards.id();
        const ROUTE: u8 = HeaderName::Route.id();
        const CREDENTIALS: u8 = HeaderName::ProxyAuthorization.id();
        const ASSERTED: u8 = HeaderName::PAssertedIdentity.id();
        let message = self.message;
        let consumes = !self.consumed.is_empty() && message.header(HeaderName::ProxyAuthorization).is_some();
        let disowns = !self.asserts && message.header(HeaderName::PAssertedIdentity).is_some();
        let via = Some(message.via()).filter(|via| !self.top_row.is_empty() || via.needs_received(self.source));
        let mut routes = Routes::new(message, self.popped, self.drop_last)?;
        let (mut via_left, mut hops_left) = (via.is_some(), hops.is_some());
        for row in message.rows() {
            if !via_left && !hops_left && !consumes && !disowns && breadth.is_none() && !routes.is_open() {
                break;
            }
            match row.id() {
                VIA if via_left => {
                    via_left = false;
                    copy.until(w, row.value());
                    if !self.top_row.is_empty() {
                        w.raw(self.top_row);
                        copy.skip_to(row.end());
                    } else if let Some(via) = via {
                        sourced_via(w, via, self.source);
                        copy.skip_to(row.value().saturating_add(via.raw().len()));
                    }
                }
                MAX_FORWARDS if hops_left => {
                    hops_left = false;
                    copy.until(w, row.value());
                    w.number(u64::from(hops.unwrap_or_default()));
                    copy.skip_to(row.end());
                }
                OTHER if breadth.is_some() && alike(row.name_in(message.bytes()), MAX_BREADTH.as_bytes()) => {
                    copy.until(w, row.value());
                    w.number(u64::from(breadth.take().unwrap_or_default()));
                    copy.skip_to(row.end());
                }
                ROUTE if routes.is_open() => match routes.kept(row.value_in(message.bytes())) {
                    Some((from, to)) => {
                        copy.until(w, row.value());
                        copy.skip_to(row.value().saturating_add(from));
                        copy.until(w, row.value().saturating_add(to));
                        copy.skip_to(row.end());
                    }
                    None => copy.leave_out(w, row),
                },
                CREDENTIALS if consumes => {
                    let header = Header { name: HeaderName::ProxyAuthorization, value: row.value_in(message.bytes()) };
                    if Credentials::of(&header).is_some_and(|credentials| credentials.realm == self.consumed) {
                        copy.leave_out(w, row);
                    }
                }
                ASSERTED if disowns => copy.leave_out(w, row),
                _ => {}
            }
        }
        if routes.seen < routes.first { Err(ForwardError::Route) } else { Ok(()) }
    }
}

/// A response as it is passed on: without its topmost Via (RFC 3261 §16.7 steps 3 and 9).
#[derive(Clone, Copy, Debug)]
pub struct ForwardResponse<'a> {
    message: &'a Message<'a>,
    vias: &'a [u8],
    content_length: bool,
}

impl<'a> ForwardResponse<'a> {
    /// The response without its topmost Via.
    #[must_use]
    pub const fn new(message: &'a Message<'a>) -> Self {
        Self { message, vias: b"", content_length: false }
    }

    /// Has these rows of Via, line ends included, in the place of all that came: those of the request, as a stateful proxy
    /// keeps them. So a response goes on whatever became of them on the way.
    #[must_use]
    pub const fn vias(mut self, rows: &'a [u8]) -> Self {
        self.vias = rows;
        self
    }

    /// Adds Content-Length where there is none, as streams need it (RFC 3261 §18.3).
    #[must_use]
    pub const fn content_length(mut self) -> Self {
        self.content_length = true;
        self
    }

    /// The Via that is topmost when this element's own is gone: it tells where the response goes (RFC 3261
    /// §16.7 step 9, §18.2.2). `None` when the response is for this element.
    ///
    /// # Errors
    /// [`ParseError::Via`] when it can't be read: the response is to be dropped.
    #[must_use]
    pub fn remaining_via(&self) -> Option<Result<Via<'a>, ParseError>> {
        let (row, at) = self.remaining()?;
        let mut via = Via::EMPTY;
        Some(via.fill(row, at).map(|_| via).ok_or(Via::ERROR))
    }

    /// The row in which the remaining Via stands, and where.
    fn remaining(&self) -> Option<(&'a [u8], usize)> {
        let mut rows = self.message.header_rows(HeaderName::Via);
        let row = rows.next()?;
        let next = next_value(row, self.message.top_via().raw().len());
        if next < row.len() { Some((row, next)) } else { Some((rows.next()?, 0)) }
    }

    /// How many octets the response will have.
    ///
    /// # Errors
    /// As [`write`](Self::write), but never for lack of room.
    pub fn size(&self) -> Result<usize, ForwardError> {
        size_of(|w| self.write_to(w))
    }

    /// Writes the response into `buffer`; gives how many octets it has.
    ///
    /// # Errors
    /// [`ForwardError`]; the buffer then holds nothing of use.
    pub fn write(&self, buffer: &mut [u8]) -> Result<usize, ForwardError> {
        let mut w = Writer::new(buffer);
        self.write_to(&mut w)?;
        Ok(w.finish()?)
    }

    /// Writes the response through a writer, which tells in the end whether it fitted.
    ///
    /// # Errors
    /// What is wrong with the response; nothing was written then.
    pub fn write_to(&self, w: &mut Writer<'_>) -> Result<(), ForwardError> {
        let message = self.message;
        if message.is_request() {
            return Err(ForwardError::Kind);
        }
        if !self.vias.is_empty() {
            Copied::with_vias(message, self.vias, self.content_length, w);
            return Ok(());
        }
        let mut copy = Copied::new(message);
        if self.remaining().is_none() {
            return Err(ForwardError::LastVia);
        }
        if let Some(row) = message.rows().find(|row| row.id() == HeaderName::Via.id()) {
            let value = row.value_in(message.bytes());
            let next = next_value(value, message.top_via().raw().len());
            if next < value.len() {
                copy.until(w, row.value());
                copy.skip_to(row.value().saturating_add(next));
            } else {
                copy.leave_out(w, row);
            }
        }
        copy.rest(w, self.content_length);
        Ok(())
    }
}

/// What a write would take.
fn size_of(write: impl FnOnce(&mut Writer<'_>) -> Result<(), ForwardError>) -> Result<usize, ForwardError> {
    let mut w = Writer::counting();
    write(&mut w)?;
    match w.finish() {
        Ok(size) | Err(WriteError::Full { needed: size }) => Ok(size),
        Err(error) => Err(error.into()),
    }
}

/// Writes a row whose value is a URI in brackets.
fn address_row(w: &mut Writer<'_>, name: HeaderName<'_>, uri: &[u8]) {
    w.value_start(name);
    w.octet(b'<');
    w.uri(uri);
    w.octet(b'>');
    w.end();
}

/// Where in a list the next value begins, at or after `at`: behind white space and commas.
fn next_value(list: &[u8], at: usize) -> usize {
    let mut at = skip_lws(list, at);
    while peek(list, at) == b',' {
        at = skip_lws(list, at.saturating_add(1));
    }
    at
}

/// Which values of Route stay, counted over all rows.
struct Routes {
    /// How many have been seen.
    seen: usize,
    /// The first one that stays.
    first: usize,
    /// The last one, which goes; `None` when it stays.
    last: Option<usize>,
}

impl Routes {
    fn new(message: &Message<'_>, first: usize, drop_last: bool) -> Result<Self, ForwardError> {
        let last = if drop_last {
            let last = message.values(HeaderName::Route).count().checked_sub(1);
            Some(last.filter(|last| *last >= first).ok_or(ForwardError::Route)?)
        } else {
            None
        };
        Ok(Self { seen: 0, first, last })
    }

    /// Whether a value is still to be taken away.
    const fn is_open(&self) -> bool {
        self.seen < self.first || matches!(self.last, Some(last) if self.seen <= last)
    }

    /// Takes the next row; gives where in it what stays begins and ends, `None` when nothing does.
    fn kept(&mut self, list: &[u8]) -> Option<(usize, usize)> {
        // Most rows have one value.
        if self.last.is_none() && !list.is_empty() && !has(list, b',') {
            self.seen = self.seen.saturating_add(1);
            return (self.seen > self.first).then_some((0, list.len()));
        }
        let (mut at, mut from, mut to) = (next_value(list, 0), 0, None);
        while at < list.len() {
            let (value, rest) = element(slice(list, at, list.len()));
            let index = self.seen;
            self.seen = index.saturating_add(1);
            if self.last == Some(index) {
                return to.map(|to| (from, to));
            }
            let next = rest.map_or(list.len(), |rest| next_value(list, list.len().saturating_sub(rest.len())));
            if index < self.first {
                from = next;
            } else {
                to = Some(at.saturating_add(value.len()));
            }
            if !self.is_open() {
                break;
            }
            at = next;
        }
        (from < list.len() && (to.is_some() || from > 0)).then_some((from, list.len()))
    }
}
