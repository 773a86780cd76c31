//! Streams: the same messages however the octets arrive, of the lengths that the parser finds, and none beyond the cap.

use super::shown;
use sip_core::message::{Framer, Framing, MAX_MESSAGE, Message, ParseError};

/// What a stream was cut into.
#[derive(Debug, Default, PartialEq, Eq)]
struct Cut {
    /// Where each message begins and ends.
    messages: Vec<(usize, usize)>,
    /// How many times a double CRLF came between messages, and how many octets of CRLF and NUL did.
    pings: usize,
    between: usize,
    /// Whether no message can follow. Of several faults in one line, which one is named depends on how much of it has come.
    broken: bool,
}

/// What holds of octets that come in on a stream, in pieces of these lengths, the last one over and over; with messages of at
/// most `cap` octets. An empty line follows them, because a fault may be seen before its line is complete, or not until then.
///
/// # Panics
/// When it does not hold.
pub fn stream(octets: &[u8], pieces: &[usize], cap: usize) {
    let octets = &[octets, b"\r\n\r\n"].concat();
    let whole = cut(octets, &[], cap);
    assert_eq!(cut(octets, pieces, cap), whole, "cut otherwise in pieces of {pieces:?}: {}", shown(octets));
    for &(from, to) in &whole.messages {
        assert!(to - from <= cap.min(MAX_MESSAGE), "a message of {} octets", to - from);
        agrees(octets, from, to);
    }
}

/// The parser finds the same length, or a fault that is none of framing.
fn agrees(octets: &[u8], from: usize, to: usize) {
    match Message::parse(&octets[from..to]) {
        Ok(message) => {
            assert_eq!(message.bytes(), &octets[from..to], "the parser takes less");
            let datagram = &octets[from..octets.len().min(from + MAX_MESSAGE)];
            if message.content_length().is_some() {
                let again = Message::parse(datagram).expect("what is behind a message does not count");
                assert_eq!(again.bytes(), message.bytes());
            }
        }
        Err(failure) => {
            let framing = [
                ParseError::Truncated,
                ParseError::Body,
                ParseError::LineEnd,
                ParseError::HeaderName,
                ParseError::ContentLength,
                ParseError::ConflictingContentLength,
                ParseError::TooLarge,
            ];
            let error = failure.error();
            assert!(!framing.contains(&error), "{error:?} in a frame: {}", shown(&octets[from..to]));
        }
    }
}

fn cut(octets: &[u8], pieces: &[usize], cap: usize) -> Cut {
    let mut framer = Framer::new(cap);
    let mut found = Cut::default();
    let (mut taken, mut arrived, mut next) = (0, 0, 0);
    loop {
        let piece = pieces.get(next).or(pieces.last()).copied().unwrap_or(octets.len());
        next += 1;
        arrived = octets.len().min(arrived + piece.max(1));
        loop {
            let rest = &octets[taken..arrived];
            match framer.next(rest) {
                Framing::Incomplete => break,
                Framing::Oversized { head } => {
                    assert!(head <= cap.min(MAX_MESSAGE) && rest[..head].ends_with(b"\r\n\r\n"), "a head of {head}");
                    found.broken = true;
                    return found;
                }
                Framing::Broken(_) => {
                    found.broken = true;
                    return found;
                }
                Framing::Frame { len } => {
                    assert!(len > 0 && len <= rest.len(), "a frame of {len} among {} octets", rest.len());
                    assert!(!rest.starts_with(b"\r\n"), "a message that begins with a line end");
                    found.messages.push((taken, taken + len));
                    taken += len;
                }
                Framing::KeepAlive { len, ping } => {
                    let nuls = rest[0] == 0 && !ping && rest[..len].iter().all(|octet| *octet == 0);
                    let line_ends = matches!(len, 2 | 4) && (len == 2 || ping) && rest.starts_with(&b"\r\n\r\n"[..len]);
                    assert!(nuls || line_ends, "{len} octets between messages");
                    found.pings += usize::from(ping);
                    found.between += len;
                    taken += len;
                }
            }
        }
        if arrived == octets.len() {
            return found;
        }
    }
}
