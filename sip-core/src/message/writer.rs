//! Writing messages into a buffer of the caller's.

use super::copy::{copy, copy_looking};
use super::digits::{PAIRS, spelled, tenth};
use super::header::{Header, HeaderName};
use super::method::Method;
use super::parse::MAX_MESSAGE;
use super::scan::{TOKEN, WIDE, any, is_outside_uri, run};
use super::via::MAGIC_COOKIE;
use crate::random::Token;
use crate::transport::Transport;
use core::fmt;

/// Why a message was not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum WriteError {
    /// The buffer is too small.
    Full {
        /// Octets that the message has.
        needed: usize,
    },
    /// A value holds CR, LF or NUL, a name is no token, a status is none, or another value can't stand where it was put.
    Injection,
    /// The message would have more than 65,535 octets.
    TooLarge {
        /// Octets that the message would have.
        needed: usize,
    },
}

/// Writes one message, in order: start line, headers, body.
///
/// No call fails: a writer whose buffer is full goes on counting, and [`finish`](Self::finish) tells.
#[derive(Debug)]
pub struct Writer<'b> {
    /// What of the buffer is left; nothing once a piece did not fit.
    free: &'b mut [u8],
    capacity: usize,
    /// Octets that the message has beyond the buffer.
    beyond: usize,
    injected: bool,
    compact: bool,
}

impl<'b> Writer<'b> {
    /// A writer into `buffer`.
    #[must_use]
    pub const fn new(buffer: &'b mut [u8]) -> Self {
        let capacity = buffer.len();
        Self { free: buffer, capacity, beyond: 0, injected: false, compact: false }
    }

    /// A writer that only counts: [`len`](Self::len) is what the message will need.
    #[must_use]
    pub const fn counting() -> Self {
        Self::new(&mut [])
    }

    /// Whether headers get their long names.
    pub(super) const fn has_long_names(&self) -> bool {
        !self.compact
    }

    /// The same writer, which gives headers their compact names where they have one (RFC 3261 §7.3.3).
    #[must_use]
    pub const fn with_compact_names(mut self) -> Self {
        self.compact = true;
        self
    }

    /// How many octets the message has so far, those that did not fit counted.
    #[must_use]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub const fn len(&self) -> usize {
        self.capacity.wrapping_sub(self.free.len()).saturating_add(self.beyond)
    }

    /// Whether nothing has been written.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Writes octets that are trusted: our own, or pieces of a message that was parsed.
    #[cfg_attr(target_pointer_width = "64", inline)]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub fn raw(&mut self, octets: &[u8]) {
        if let Some(place) = self.take(octets.len()) {
            copy(place, octets);
        }
    }

    /// Writes one octet that is trusted. Said by its number it takes less flash than by where it stands.
    #[cfg_attr(target_pointer_width = "64", inline)]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(crate) fn octet(&mut self, octet: u8) {
        self.raw(&[octet]);
    }

    /// The place of the next `length` octets; `None` when they do not fit, and count all the same.
    #[inline(always)]
    fn take(&mut self, length: usize) -> Option<&'b mut [u8]> {
        let place = self.free.split_off_mut(..length);
        if place.is_none() {
            self.go_beyond(length);
        }
        place
    }

    #[cold]
    #[inline(never)]
    fn go_beyond(&mut self, length: usize) {
        self.beyond = self.beyond.saturating_add(length.wrapping_sub(self.free.len()));
        self.free = &mut [];
    }

    /// Writes a piece of a value; CR, LF and NUL in it make the message fail.
    #[cfg_attr(target_pointer_width = "64", inline)]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub fn text(&mut self, octets: &[u8]) {
        // Below 14 are CR, LF and NUL, and controls that need the closer look.
        let suspicious = match self.take(octets.len()) {
            Some(place) => copy_looking(place, octets, |chunk| chunk.at_most(13)),
            None => true,
        };
        if suspicious {
            self.look_closer(octets);
        }
    }

    #[inline(never)]
    fn look_closer(&mut self, octets: &[u8]) {
        self.injected |= octets.iter().any(|octet| matches!(octet, 0 | b'\r' | b'\n'));
    }

    /// Writes a `qvalue` (RFC 3261 §25.1), which is given in thousandths.
    pub(crate) fn qvalue(&mut self, q: u16) {
        if q >= 1000 {
            return self.raw(b"1.0");
        }
        self.raw(b"0.");
        for unit in [100, 10, 1] {
            self.number(u64::from(q.checked_div(unit).unwrap_or(0) % 10));
        }
    }

    /// Writes a number in decimal.
    pub fn number(&mut self, number: u64) {
        if WIDE {
            return self.number_by_pairs(number);
        }
        let mut digits = [0; 20];
        let mut start = digits.len();
        let mut rest = number;
        for place in digits.iter_mut().rev() {
            let digit;
            (rest, digit) = tenth(rest);
            *place = b'0' | digit;
            start = start.wrapping_sub(1);
            if rest == 0 {
                break;
            }
        }
        self.raw(digits.get(start..).unwrap_or_default());
    }

    /// The same, two digits at a time.
    fn number_by_pairs(&mut self, number: u64) {
        let mut digits = [0; 20];
        let mut start = digits.len();
        let mut rest = number;
        while rest >= 10 {
            let pair = PAIRS.get((rest % 100) as usize).copied().unwrap_or_default();
            rest /= 100;
            start = start.wrapping_sub(2);
            if let Some(place) = digits.get_mut(start..).and_then(<[u8]>::first_chunk_mut) {
                *place = pair;
            }
        }
        // The first digit of an odd number of them, or the zero that is all.
        if rest != 0 || start == digits.len() {
            start = start.wrapping_sub(1);
            if let Some(place) = digits.get_mut(start) {
                *place = b'0' | rest as u8;
            }
        }
        self.raw(digits.get(start..).unwrap_or_default());
    }

    /// Writes a number below 256 in decimal.
    #[cfg_attr(target_pointer_width = "64", inline)]
    pub(crate) fn small_number(&mut self, number: u8) {
        // Each of these has a length that is known, and needs no call.
        match spelled(number) {
            _ if !WIDE => self.number(u64::from(number)),
            ([one, ..], 2) => self.raw(&[one]),
            ([ten, one, ..], 3) => self.raw(&[ten, one]),
            ([hundred, ten, one, _], _) => self.raw(&[hundred, ten, one]),
        }
    }

    /// Writes the request line.
    pub fn request_line(&mut self, method: Method<'_>, uri: &[u8]) {
        self.method(method);
        self.octet(b' ');
        self.uri(uri);
        self.raw(b" SIP/2.0\r\n");
    }

    /// The same with a URI of the application, which may hold a `#` in its user part; it is written as `%23`.
    pub(crate) fn request_line_escaped(&mut self, method: Method<'_>, uri: &[u8]) {
        self.injected |= uri.is_empty() || any(uri, is_outside_uri);
        self.method(method);
        self.octet(b' ');
        self.number_signs_escaped(uri);
        self.raw(b" SIP/2.0\r\n");
    }

    /// Writes the status line; an empty phrase is written as one. A status that is not from 100 to 699 makes the message fail.
    pub fn status_line(&mut self, status: u16, reason: &[u8]) {
        self.injected |= !matches!(status, 100..=699);
        self.raw(b"SIP/2.0 ");
        self.number(u64::from(status));
        self.octet(b' ');
        self.text(reason);
        self.raw(b"\r\n");
    }

    /// Makes the message fail: a value cannot stand where it was put.
    pub(crate) const fn refuse(&mut self) {
        self.injected = true;
    }

    /// Writes a URI, of characters that can stand in one.
    pub(crate) fn uri(&mut self, uri: &[u8]) {
        self.injected |= uri.is_empty() || any(uri, is_outside_uri);
        self.raw(uri);
    }

    fn method(&mut self, method: Method<'_>) {
        match method {
            Method::Extension(name) => self.token(name),
            known => self.raw(known.as_bytes()),
        }
    }

    fn token(&mut self, name: &[u8]) {
        self.injected |= name.is_empty() || run(name, 0, TOKEN) != name.len();
        self.raw(name);
    }

    /// Writes a header row.
    #[inline(always)]
    pub fn header(&mut self, name: HeaderName<'_>, value: &[u8]) {
        match name.id() {
            id if id != 0 && !WIDE => self.known_row(id, value),
            _ => {
                self.value_start(name);
                self.text(value);
                self.end();
            }
        }
    }

    /// The same of a known name, once for all who write one.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    fn known_row(&mut self, id: u8, value: &[u8]) {
        self.known_start(id);
        self.text(value);
        self.end();
    }

    /// Writes header rows whose names are told at run time.
    #[inline(never)]
    pub(crate) fn headers(&mut self, headers: &[Header<'_>]) {
        for header in headers {
            self.header(header.name, header.value);
        }
    }

    /// Writes a header row whose value is a piece of a message that was parsed: its folds stay.
    #[cfg_attr(target_pointer_width = "64", inline)]
    #[cfg_attr(not(target_pointer_width = "64"), inline(always))]
    pub fn header_raw(&mut self, name: HeaderName<'_>, value: &[u8]) {
        match name.id() {
            id if id != 0 && !WIDE => self.known_raw(id, value),
            _ => {
                self.value_start(name);
                self.raw(value);
                self.end();
            }
        }
    }

    /// The same of a known name.
    #[cfg_attr(target_pointer_width = "64", inline)]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(crate) fn known_raw(&mut self, id: u8, value: &[u8]) {
        self.known_start(id);
        self.raw(value);
        self.end();
    }

    /// Writes a header row whose value is a number.
    pub fn header_number(&mut self, name: HeaderName<'_>, number: u64) {
        self.value_start(name);
        self.number(number);
        self.end();
    }

    /// Writes CSeq.
    pub fn cseq(&mut self, number: u32, method: Method<'_>) {
        self.value_start(HeaderName::CSeq);
        self.number(u64::from(number));
        self.octet(b' ');
        self.method(method);
        self.end();
    }

    /// Writes a header row whose value is formatted: `header_fmt(name, format_args!(…))`.
    pub fn header_fmt(&mut self, name: HeaderName<'_>, value: fmt::Arguments<'_>) {
        self.value_start(name);
        // Writing to a writer does not fail, and a value that fails to format is cut short by its own fault.
        self.injected |= fmt::Write::write_fmt(self, value).is_err();
        self.end();
    }

    /// Begins a row whose value is written in pieces, with [`text`](Self::text), [`number`](Self::number) and
    /// [`end`](Self::end).
    #[cfg_attr(target_pointer_width = "64", inline)]
    #[cfg_attr(not(target_pointer_width = "64"), inline(always))]
    pub fn value_start(&mut self, name: HeaderName<'_>) {
        match name.row() {
            Some(row) if WIDE && !self.compact && name.id() != 0 => self.raw(row.start()),
            _ if !WIDE && name.id() != 0 => self.known_start(name.id()),
            _ => self.other_start(name),
        }
    }

    /// Begins a row of a known name, once for all who write one.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    fn known_start(&mut self, id: u8) {
        match HeaderName::row_of(id) {
            Some(row) if !self.compact => self.raw(row.start()),
            _ => self.other_start(HeaderName::from_id(id, b"")),
        }
    }

    /// Begins a row of an unknown name or of a compact one.
    #[inline(never)]
    fn other_start(&mut self, name: HeaderName<'_>) {
        match name.compact() {
            Some(letter) if self.compact => self.raw(&[letter]),
            _ => self.token(name.as_bytes()),
        }
        self.raw(b": ");
    }

    /// Ends a row.
    #[cfg_attr(target_pointer_width = "64", inline)]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub fn end(&mut self) {
        self.raw(b"\r\n");
    }

    /// Writes the top Via of a request of ours, in the form that [`stamp`](super::build::stamp) knows
    /// (RFC 3261 §8.1.1.7, RFC 3581 §3).
    pub fn via(&mut self, transport: Transport, sent_by: &[u8], branch: Token) {
        self.via_of(transport, sent_by, branch.as_bytes());
    }

    /// The same with any token for a branch; the magic cookie is put before it when it is missing.
    pub fn via_of(&mut self, transport: Transport, sent_by: &[u8], branch: &[u8]) {
        self.raw(if self.compact { b"v: SIP/2.0/" } else { b"Via: SIP/2.0/" });
        self.raw(transport.stamp());
        self.octet(b' ');
        self.text(sent_by);
        self.raw(b";branch=");
        if !branch.starts_with(MAGIC_COOKIE) {
            self.raw(MAGIC_COOKIE);
        }
        self.token(branch);
        self.raw(b";rport\r\n");
    }

    /// The same of a host and of what stands behind the magic cookie, which were checked before.
    pub(super) fn checked_via(&mut self, transport: Transport, sent_by: &[u8], branch: &[u8]) {
        self.raw(if self.compact { b"v: SIP/2.0/" } else { b"Via: SIP/2.0/" });
        self.raw(transport.stamp());
        self.raw(b" ");
        self.raw(sent_by);
        self.raw(b";branch=z9hG4bK");
        self.raw(branch);
        self.raw(b";rport\r\n");
    }

    /// Ends a message that has no body.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub fn finish_without_body(&mut self) {
        self.raw(if self.compact { b"l: 0\r\n\r\n" } else { b"Content-Length: 0\r\n\r\n" });
    }

    /// Writes Content-Type, Content-Length, the empty line and the body; no Content-Type when it is empty.
    pub fn body(&mut self, content_type: &[u8], body: &[u8]) {
        if !content_type.is_empty() {
            self.header(HeaderName::ContentType, content_type);
        }
        self.header_number(HeaderName::ContentLength, body.len() as u64);
        self.raw(b"\r\n");
        self.raw(body);
    }

    /// How many octets the message has.
    ///
    /// # Errors
    /// When a value was refused, or the message did not fit.
    pub const fn finish(self) -> Result<usize, WriteError> {
        let needed = self.len();
        if self.injected {
            Err(WriteError::Injection)
        } else if needed > MAX_MESSAGE {
            Err(WriteError::TooLarge { needed })
        } else if self.beyond > 0 {
            Err(WriteError::Full { needed })
        } else {
            Ok(needed)
        }
    }
}

impl fmt::Write for Writer<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.text(text.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::fmt::Write as _;

    fn write(buffer: &mut [u8]) -> Result<usize, WriteError> {
        let mut w = Writer::new(buffer);
        w.request_line(Method::Extension(b"HELLO"), b"sip:b@example.com");
        w.via(Transport::Tcp, b"192.0.2.1:5060", Token::new(1));
        w.header(HeaderName::CallId, b"1@a");
        w.header_fmt(HeaderName::Other(b"X-Sum"), format_args!("{}+{}", 1, 2));
        w.value_start(HeaderName::CSeq);
        w.number(4_294_967_296);
        w.text(b" HELLO");
        w.end();
        w.body(b"text/plain", b"hi\r\n");
        w.finish()
    }

    #[test]
    fn every_buffer_size() {
        let expected = "HELLO sip:b@example.com SIP/2.0\r\n\
            Via: SIP/2.0/TCP 192.0.2.1:5060;branch=z9hG4bK0000000000000001;rport\r\n\
            Call-ID: 1@a\r\nX-Sum: 1+2\r\nCSeq: 4294967296 HELLO\r\n\
            Content-Type: text/plain\r\nContent-Length: 4\r\n\r\nhi\r\n";
        for size in 0..expected.len() + 3 {
            let mut buffer = vec![0xAA; size];
            if size < expected.len() {
                assert_eq!(write(&mut buffer), Err(WriteError::Full { needed: expected.len() }));
            } else {
                assert_eq!(write(&mut buffer), Ok(expected.len()));
                assert_eq!(&buffer[..expected.len()], expected.as_bytes());
                assert!(buffer[expected.len()..].iter().all(|octet| *octet == 0xAA));
            }
        }
    }

    #[test]
    fn nothing_is_written_beyond_what_is_counted() {
        for length in 1..60 {
            let mut buffer = [0xAA; 60];
            let mut w = Writer::new(&mut buffer[..length]);
            w.value_start(HeaderName::SubscriptionState);
            let written = w.len();
            w.value_start(HeaderName::To);
            let end = if w.len() <= length { w.len() } else { written };
            assert!(end > length || buffer[end..].iter().all(|octet| *octet == 0xAA), "{length}");
        }
    }

    #[test]
    fn compact_names_are_those_that_compacting_gives() {
        let write = |mut w: Writer<'_>| {
            w.request_line(Method::Bye, b"sip:b@example.com");
            w.via(Transport::Udp, b"192.0.2.1", Token::new(1));
            w.header(HeaderName::MaxForwards, b"70");
            w.header(HeaderName::CallId, b"1@a");
            w.header(HeaderName::Other(b"X-Via"), b"1");
            w.finish_without_body();
            w.finish()
        };
        let (mut long, mut short) = ([0; 300], [0; 300]);
        let length = write(Writer::new(&mut long)).unwrap();
        let shorter = write(Writer::new(&mut short).with_compact_names()).unwrap();
        assert_eq!(crate::message::compact(&mut long[..length]), shorter);
        assert_eq!(long[..shorter], short[..shorter]);
        assert_eq!(write(Writer::counting()), Err(WriteError::Full { needed: length }));
        assert_eq!(write(Writer::counting().with_compact_names()), Err(WriteError::Full { needed: shorter }));
    }

    #[test]
    fn numbers_have_all_their_digits() {
        let powers = (0..20).map(|digits| 10_u64.pow(digits));
        let near = powers.flat_map(|power| [power - 1, power, power + 1, power.saturating_mul(9)]);
        for number in near.chain(0..300).chain([u64::MAX]) {
            let mut buffer = [0xAA; 40];
            let mut w = Writer::new(&mut buffer);
            w.number(number);
            let length = w.len();
            assert_eq!(&buffer[..length], number.to_string().as_bytes());
            assert!(buffer[length..].iter().all(|octet| *octet == 0xAA));
            if let Ok(number) = u8::try_from(number) {
                let mut again = [0xAA; 40];
                Writer::new(&mut again).small_number(number);
                assert_eq!(again, buffer, "{number}");
            }
        }
    }

    #[test]
    fn line_ends_and_nul_are_refused_at_every_place() {
        for length in 1..20 {
            for place in 0..length {
                for octet in [b'\r', b'\n', 0, 1, b'\t', 0x80] {
                    let mut value = vec![b'a'; length];
                    value[place] = octet;
                    let mut buffer = [0; 64];
                    let mut w = Writer::new(&mut buffer);
                    w.header(HeaderName::Subject, &value);
                    let refused = w.finish() == Err(WriteError::Injection);
                    assert_eq!(refused, matches!(octet, b'\r' | b'\n' | 0));
                }
            }
        }
    }

    #[test]
    fn names_methods_and_uris_are_checked() {
        let refused = |write: &dyn Fn(&mut Writer<'_>)| {
            let mut buffer = [0; 64];
            let mut w = Writer::new(&mut buffer);
            write(&mut w);
            w.header(HeaderName::Subject, b"fine");
            w.finish() == Err(WriteError::Injection)
        };
        assert!(refused(&|w| w.header(HeaderName::Other(b"A: b\r\nC"), b"")));
        assert!(refused(&|w| w.header(HeaderName::Other(b""), b"")));
        assert!(refused(&|w| w.request_line(Method::Extension(b"A B"), b"sip:a")));
        assert!(refused(&|w| w.request_line(Method::Bye, b"sip:a b")));
        assert!(refused(&|w| w.request_line(Method::Bye, b"")));
        assert!(refused(&|w| w.status_line(200, b"O\nK")));
        assert!(refused(&|w| w.write_str("a\r").unwrap()));
        assert!(refused(&|w| w.body(b"a/b\r\nX: y", b"")));
        assert!(!refused(&|w| w.status_line(200, b"")));
        for status in [0, 99, 100, 699, 700, u16::MAX] {
            assert_eq!(refused(&|w| w.status_line(status, b"x")), !(100..=699).contains(&status), "{status}");
        }
    }

    #[test]
    fn more_than_a_message_may_have() {
        let mut buffer = vec![0; 70_000];
        let mut w = Writer::new(&mut buffer);
        w.raw(&[b'a'; MAX_MESSAGE + 1]);
        assert_eq!(w.finish(), Err(WriteError::TooLarge { needed: MAX_MESSAGE + 1 }));
    }

    #[test]
    fn numbers_are_written_in_decimal() {
        let near = |number: u64| [number.wrapping_sub(1), number, number.wrapping_add(1)];
        let powers = (0..20).map(|power| 10_u64.pow(power)).chain((0..64).map(|power| 1 << power));
        for number in powers.flat_map(near) {
            let mut buffer = [0; 20];
            let mut w = Writer::new(&mut buffer);
            w.number(number);
            let length = w.finish().unwrap();
            assert_eq!(core::str::from_utf8(&buffer[..length]), Ok(&*format!("{number}")));
        }
    }
}
