//! Cutting a stream of octets into messages (RFC 3261 §18.3, RFC 5626 §4.4.1).

use super::ParseError;
use super::header::HeaderName;
use super::parse::MAX_MESSAGE;
use super::row::{Row, pass_over, row};
use super::scan::{decimal, has, line, peek};

/// What the octets at the front of a stream are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Framing {
    /// More octets are needed.
    Incomplete,
    /// A message.
    Frame {
        /// How many octets it has.
        len: usize,
    },
    /// Octets between messages: line ends, or NULs, which some servers send to keep a connection alive and which begin
    /// no message.
    KeepAlive {
        /// How many octets they are: 2 or 4 of line ends, any number of NULs.
        len: usize,
        /// Whether they complete a double CRLF, which is answered with one CRLF; a single one is such an answer.
        ping: bool,
    },
    /// A message that is larger than the cap, and its head is there: answer it (see
    /// [`Malformed::oversized`](super::Malformed::oversized)), then close the connection.
    Oversized {
        /// How many octets the head has, the empty line included.
        head: usize,
    },
    /// No message can follow; the connection is to be closed.
    Broken(ParseError),
}

/// Frames one stream. It remembers how far it has read, so that octets that arrive one by one are not read
/// again and again.
#[derive(Clone, Copy, Debug)]
pub struct Framer {
    cap: usize,
    /// How many octets have been looked at.
    seen: usize,
    /// Where the first line that isn't complete begins; zero in the start line.
    line: usize,
    length: Option<usize>,
    /// Where the body begins; zero before it is known.
    head: usize,
    half_ping: bool,
}

impl Framer {
    /// A framer for messages of at most `cap` octets, and never more than 65,535.
    #[must_use]
    pub const fn new(cap: usize) -> Self {
        let cap = if cap < MAX_MESSAGE { cap } else { MAX_MESSAGE };
        Self { cap, seen: 0, line: 0, length: None, head: 0, half_ping: false }
    }

    /// Says what the octets at the front are.
    ///
    /// `octets` are all that have arrived and were not taken, beginning where a message does. Take what a
    /// [`Framing::Frame`] or [`Framing::KeepAlive`] says before the next call.
    ///
    /// A Content-Length beyond the cap is told as soon as the head is there, before a body is waited for. None at all means
    /// that there is no body.
    pub fn next(&mut self, octets: &[u8]) -> Framing {
        let framing = self.look(octets);
        if matches!(framing, Framing::Frame { .. } | Framing::KeepAlive { .. }) {
            let half_ping = matches!(framing, Framing::KeepAlive { ping: false, .. }) && peek(octets, 0) == b'\r';
            *self = Self { half_ping, ..Self::new(self.cap) };
        }
        framing
    }

    fn look(&mut self, octets: &[u8]) -> Framing {
        if self.line == 0 && matches!(peek(octets, 0), b'\r' | 0) {
            return self.between(octets);
        }
        if self.head == 0 {
            // Without a line end among the new octets no line has become complete.
            let seen = core::mem::replace(&mut self.seen, octets.len());
            let new = octets.get(seen..).unwrap_or_default();
            if has(new, b'\n')
                && let Err(error) = self.rows(octets)
            {
                return Framing::Broken(error);
            }
            if self.head == 0 {
                return if octets.len() >= self.cap {
                    Framing::Broken(ParseError::TooLarge)
                } else {
                    Framing::Incomplete
                };
            }
        }
        match self.head.checked_add(self.length.unwrap_or(0)) {
            Some(len) if len <= self.cap => {
                if len <= octets.len() {
                    Framing::Frame { len }
                } else {
                    Framing::Incomplete
                }
            }
            _ => Framing::Oversized { head: self.head },
        }
    }

    /// What stands where a message would begin and does not begin one.
    fn between(&self, octets: &[u8]) -> Framing {
        match octets {
            [0, ..] => Framing::KeepAlive { len: octets.iter().take_while(|octet| **octet == 0).count(), ping: false },
            [b'\r', b'\n', b'\r', b'\n', ..] if !self.half_ping => Framing::KeepAlive { len: 4, ping: true },
            [b'\r', b'\n', ..] => Framing::KeepAlive { len: 2, ping: self.half_ping },
            [] | [b'\r'] => Framing::Incomplete,
            _ => Framing::Broken(ParseError::LineEnd),
        }
    }

    /// Reads the rows that are complete, by the same functions as the parser.
    fn rows(&mut self, octets: &[u8]) -> Result<(), ParseError> {
        let octets = octets.get(..self.cap).unwrap_or(octets);
        loop {
            if self.line == 0 {
                match line(octets, 0, false) {
                    Ok(found) => self.line = found.next,
                    Err((ParseError::Truncated, _)) => return Ok(()),
                    Err((error, _)) => return Err(error),
                }
                continue;
            }
            if peek(octets, self.line) == b'\r' {
                match line(octets, self.line, false) {
                    Ok(found) => self.head = found.next,
                    Err((ParseError::Truncated, _)) => {}
                    Err((error, _)) => return Err(error),
                }
                return Ok(());
            }
            let (row, next) = match row(octets, self.line) {
                Ok(found) => found,
                Err((ParseError::Truncated, _)) => return Ok(()),
                Err(fault) => (Row::NONE, pass_over(octets, fault).map_err(|(error, _)| error)?),
            };
            // A row that ends where the octets end may go on with a fold.
            if next >= octets.len() {
                return Ok(());
            }
            if row.id() == HeaderName::ContentLength.id() {
                self.note(decimal(row.value_in(octets)).ok_or(ParseError::ContentLength)?)?;
            }
            self.line = next;
        }
    }

    fn note(&mut self, length: u64) -> Result<(), ParseError> {
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if self.length.is_some_and(|other| other != length) {
            return Err(ParseError::ConflictingContentLength);
        }
        self.length = Some(length);
        Ok(())
    }
}

/// Says once what the octets at the front of a stream are; a [`Framer`] remembers what it has read.
#[must_use]
pub fn frame(octets: &[u8], cap: usize) -> Framing {
    Framer::new(cap).next(octets)
}

#[cfg(test)]
mod tests {
    use super::super::Message;
    use super::super::samples::{CHALLENGE, INVITE, OK, OLD, REGISTER, crlf, crowded};
    use super::*;
    use proptest::prelude::*;

    /// Feeds the stream in pieces that end where `cuts` says; gives what was framed, in order.
    fn feed(stream: &[u8], cuts: &[usize], cap: usize) -> Vec<Framing> {
        let mut framer = Framer::new(cap);
        let (mut taken, mut found) = (0, Vec::new());
        for end in cuts.iter().copied().chain([stream.len()]) {
            while taken < end {
                let framing = framer.next(&stream[taken..end]);
                match framing {
                    Framing::Incomplete => break,
                    Framing::Oversized { .. } | Framing::Broken(_) => {
                        found.push(framing);
                        return found;
                    }
                    Framing::Frame { len } => {
                        assert!(len > 0 && len <= end - taken);
                        taken += len;
                    }
                    Framing::KeepAlive { len, ping } => {
                        taken += len;
                        // A ping may be cut in two: its halves count as one.
                        if !ping {
                            continue;
                        }
                    }
                }
                found.push(framing);
            }
        }
        found
    }

    fn stream() -> (Vec<u8>, Vec<usize>) {
        let messages = [crlf(INVITE), crlf(OK), crlf(REGISTER), crlf(CHALLENGE), crowded(60)];
        let lengths: Vec<usize> = messages.iter().map(|one| Message::parse(one).unwrap().bytes().len()).collect();
        let mut stream = Vec::new();
        for (message, length) in messages.iter().zip(&lengths) {
            stream.extend_from_slice(&message[..*length]);
            stream.extend_from_slice(b"\r\n\r\n");
        }
        (stream, lengths)
    }

    #[test]
    fn a_stream_cut_at_every_octet() {
        let (stream, lengths) = stream();
        let whole = feed(&stream, &[], 4096);
        let frames: Vec<usize> =
            whole.iter().filter_map(|one| if let Framing::Frame { len } = one { Some(*len) } else { None }).collect();
        assert_eq!(frames, lengths);
        assert_eq!(whole.len(), lengths.len() * 2);
        for cut in 0..stream.len() {
            let found = feed(&stream, &[cut], 4096);
            let pings = |all: &[Framing]| all.iter().filter(|one| matches!(one, Framing::KeepAlive { .. })).count();
            assert_eq!(pings(&found), pings(&whole), "{cut}");
            assert_eq!(found.len(), whole.len());
        }
        let every: Vec<usize> = (0..stream.len()).collect();
        assert_eq!(feed(&stream, &every, 4096).len(), whole.len());
    }

    #[test]
    fn line_ends_between_messages() {
        let ping = |len| Framing::KeepAlive { len, ping: true };
        let other = Framing::KeepAlive { len: 2, ping: false };
        for (octets, expected) in [
            (&b"\r\n\r\n"[..], ping(4)),
            (b"\r\n\r\nINV", ping(4)),
            (b"\r\n", other),
            (b"\r\nINV", other),
            (b"\r", Framing::Incomplete),
            (b"\rI", Framing::Broken(ParseError::LineEnd)),
            (b"\n", Framing::Broken(ParseError::LineEnd)),
            (b"", Framing::Incomplete),
            (b"\0", Framing::KeepAlive { len: 1, ping: false }),
            (b"\0\0\r\n", other),
            (b"\0\0\0\0INV", Framing::KeepAlive { len: 4, ping: false }),
        ] {
            assert_eq!(frame(octets, 100), expected);
        }
        let mut framer = Framer::new(100);
        assert_eq!(
            (framer.next(b"\r\n"), framer.next(b"\r"), framer.next(b"\r\nX")),
            (other, Framing::Incomplete, ping(2))
        );
    }

    #[test]
    fn nuls_between_messages_are_passed_over_and_are_no_half_of_a_ping() {
        let message = crlf("OPTIONS sip:a@b SIP/2.0\nX: 1\nContent-Length: 0\n\n");
        for between in [&b"\0"[..], b"\r\n\0", b"\0\0\0\0", b"\r\n\0\r\n\0", b"\0\r\n\0"] {
            let stream = [between, &message, between, &message].concat();
            for cut in 0..stream.len() {
                assert_eq!(feed(&stream, &[cut], 100), [Framing::Frame { len: message.len() }; 2], "{between:?} {cut}");
            }
        }
        let stream = [b"\r\n\r\n\0", &message[..]].concat();
        let ping = Framing::KeepAlive { len: 4, ping: true };
        assert_eq!(feed(&stream, &[], 100), [ping, Framing::Frame { len: message.len() }]);
    }

    #[test]
    fn a_line_that_is_no_row_does_not_end_the_stream() {
        let message = crlf("OPTIONS sip:a@b SIP/2.0\nX Odd: 1\n and on\nX-Odd\n\u{dc}: 2\nContent-Length: 4\n\nbody");
        let stream = [&message[..], &message].concat();
        for cut in 0..stream.len() {
            assert_eq!(feed(&stream, &[cut], 200), [Framing::Frame { len: message.len() }; 2], "{cut}");
        }
    }

    #[test]
    fn a_message_over_the_limit_is_told_with_its_head() {
        for (rows, body) in [("l: 101", ""), ("Content-Length: 4294967296\nX: y", "abc"), ("l: 80", "abc")] {
            let head = crlf(&format!("BYE sip:a SIP/2.0\n{rows}\n\n"));
            let stream = [&head, body.as_bytes()].concat();
            for cut in 0..stream.len() {
                let mut framer = Framer::new(100);
                let first = framer.next(&stream[..cut]);
                let oversized = Framing::Oversized { head: head.len() };
                assert_eq!(first, if cut < head.len() { Framing::Incomplete } else { oversized }, "{cut}");
                assert_eq!(framer.next(&stream), oversized);
            }
        }
    }

    #[test]
    fn line_ends_within_a_message_are_its_own() {
        let bytes = crlf("INVITE sip:a@b SIP/2.0\nX: 1\nContent-Length: 4\n\n\n\n");
        let head = bytes.len() - 4;
        for first in [1, head - 1, head, head + 1, head + 2, head + 3] {
            assert_eq!(feed(&bytes, &[first], 100), [Framing::Frame { len: bytes.len() }]);
        }
    }

    #[test]
    fn without_a_content_length_there_is_no_body() {
        let bytes = crlf(OLD);
        let len = bytes.len() - b"trailing".len();
        assert_eq!(frame(&bytes, 4096), Framing::Frame { len });
        assert_eq!(Message::parse(&bytes[..len]).unwrap().body(), b"");
    }

    #[test]
    fn lengths_that_break_the_stream() {
        for (row, error) in [
            ("Content-Length: -1", ParseError::ContentLength),
            ("Content-Length: 1 2", ParseError::ContentLength),
            ("Content-Length:", ParseError::ContentLength),
            ("l: 1\nContent-Length: 2", ParseError::ConflictingContentLength),
            ("l: 1001\nContent-Length: 1002", ParseError::ConflictingContentLength),
            ("Content Length: 1", ParseError::HeaderName),
            ("l 1", ParseError::HeaderName),
        ] {
            let bytes = crlf(&format!("BYE sip:a SIP/2.0\n{row}\n\n"));
            assert_eq!(feed(&bytes, &[], 100), [Framing::Broken(error)], "{row}");
        }
        assert_eq!(frame(b"BYE sip:a\nX: y\r\n", 100), Framing::Broken(ParseError::LineEnd));
        assert_eq!(frame(&[b'x'; 100], 100), Framing::Broken(ParseError::TooLarge));
        assert_eq!(frame(&[b'x'; 99], 100), Framing::Incomplete);
        let full = crlf("BYE sip:a SIP/2.0\nl: 1\n\nx");
        assert_eq!(frame(&full, full.len()), Framing::Frame { len: full.len() });
        assert_eq!(frame(&full, full.len() - 1), Framing::Oversized { head: full.len() - 1 });
        assert_eq!(frame(&full, full.len() - 2), Framing::Broken(ParseError::TooLarge));
    }

    #[test]
    fn a_long_row_in_single_octets() {
        let mut bytes = crlf("BYE sip:a SIP/2.0\nX: ");
        bytes.resize(20_000, b'x');
        bytes.extend_from_slice(b"\r\n\r\n");
        let every: Vec<usize> = (0..bytes.len()).collect();
        assert_eq!(feed(&bytes, &every, MAX_MESSAGE), [Framing::Frame { len: bytes.len() }]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]

        /// What the framer cuts, the parser takes for one message of that length, or refuses for another reason.
        #[test]
        fn framer_and_parser_agree(
            edits in prop::collection::vec((any::<prop::sample::Index>(), prop::sample::select(b"\r\n\0 \t:;,0l9aZ(".to_vec())), 0..4),
            cut in any::<prop::sample::Index>(),
        ) {
            let (mut octets, _) = stream();
            for (place, octet) in edits {
                let at = place.index(octets.len());
                octets[at] = octet;
            }
            let cut = cut.index(octets.len());
            let found = feed(&octets, &[cut], 4096);
            let whole = feed(&octets, &[], 4096);
            let frames = |all: &[Framing]| all.iter().filter(|one| !matches!(one, Framing::KeepAlive { .. })).copied().collect::<Vec<_>>();
            prop_assert_eq!(frames(&found), frames(&whole));
            let mut framer = Framer::new(4096);
            let mut rest = &octets[..];
            loop {
                match framer.next(rest) {
                    Framing::Frame { len } => {
                        match Message::parse(&rest[..len]) {
                            Ok(message) => prop_assert_eq!(message.bytes().len(), len),
                            Err(failure) => prop_assert!(!matches!(
                                failure.error(),
                                ParseError::Truncated | ParseError::Body | ParseError::LineEnd | ParseError::HeaderName
                                    | ParseError::ContentLength | ParseError::ConflictingContentLength | ParseError::TooLarge
                            ), "{:?}", failure.error()),
                        }
                        rest = &rest[len..];
                    }
                    Framing::KeepAlive { len, .. } => rest = &rest[len..],
                    Framing::Incomplete => break,
                    Framing::Oversized { .. } | Framing::Broken(_) => {
                        prop_assert!(Message::parse(rest).is_err() || Message::parse(rest).unwrap().bytes().len() > 4096);
                        break;
                    }
                }
            }
        }
    }
}
