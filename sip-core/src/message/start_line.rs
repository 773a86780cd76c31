//! Request lines and status lines (RFC 3261 §7.1, §7.2).

use super::ParseError;
use super::method::Method;
use super::scan::{DIGIT, LWS, TOKEN, WIDE, alike, decimal_u32, is, peek, run, run_of, slice};
use super::uri::Parts;
use super::walk::Walk;

/// The version that this stack speaks, as it stands in start lines.
const VERSION: &[u8] = b"SIP/2.0";

/// A start line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StartLine<'a> {
    /// The method of a request line; an extension without a name for a status line.
    pub(crate) method: Method<'a>,
    /// The status code, 100 to 699; zero for a request line.
    pub(crate) status: u16,
    /// The Request-URI, or the reason phrase.
    pub(crate) text: &'a [u8],
}

/// Whether the line is meant as a status line.
fn is_status(line: &[u8]) -> bool {
    line.get(..4).is_some_and(|start| alike(start, b"SIP/"))
}

/// Whether the line is meant as a request line: it speaks of SIP and does not begin with it.
pub(crate) fn is_request(line: &[u8]) -> bool {
    !is_status(line) && line.windows(5).any(|part| alike(part, b" SIP/"))
}

/// The token with which a request line begins: its method.
pub(crate) fn method_of(line: &[u8]) -> &[u8] {
    slice(line, 0, run(line, 0, TOKEN))
}

/// Reads a start line, given without its CRLF; the parts of a Request-URI go into `uri`.
#[cfg_attr(target_pointer_width = "64", inline)]
pub(crate) fn parse<'a>(line: &'a [u8], uri: &mut Parts) -> Result<StartLine<'a>, ParseError> {
    if WIDE
        && let [b'S', b'I', b'P', b'/', b'2', b'.', b'0', b' ', a, b, c, b' ', reason @ ..] = line
        && let Some(status @ 100..=699) = decimal_u32(&[*a, *b, *c])
    {
        // The way most write it; any other, and what is wrong, the long way tells.
        return Ok(StartLine::of_status(status, reason));
    }
    if is_status(line) { status_line(line) } else { request_line(line, uri) }
}

/// Reads a status line, given without its line end, that stands in a body: the code and the reason phrase (RFC 3420 §2.1).
pub(crate) fn parse_status_line(line: &[u8]) -> Result<(u16, &[u8]), ParseError> {
    if !is_status(line) {
        return Err(ParseError::StartLine);
    }
    status_line(line).map(|line| (line.status, line.text))
}

impl<'a> StartLine<'a> {
    const fn of_status(status: u32, reason: &'a [u8]) -> Self {
        Self { method: Method::Extension(b""), status: status as u16, text: reason }
    }
}

/// `SIP-Version SP Status-Code SP Reason-Phrase`; the space before an empty phrase may be missing.
fn status_line(line: &[u8]) -> Result<StartLine<'_>, ParseError> {
    let (version, rest) = match line.iter().position(|octet| *octet == b' ') {
        Some(space) => line.split_at_checked(space).ok_or(ParseError::StartLine)?,
        None => return Err(ParseError::StartLine),
    };
    check_version(version)?;
    let end = run_of(rest, 1, DIGIT);
    let reason = match peek(rest, end) {
        b' ' => slice(rest, end.wrapping_add(1), rest.len()),
        _ if end == rest.len() => b"",
        _ => return Err(ParseError::StatusCode),
    };
    match decimal_u32(slice(rest, 1, end)) {
        Some(status @ 100..=699) if end == 4 => Ok(StartLine::of_status(status, reason)),
        _ => Err(ParseError::StatusCode),
    }
}

/// `Method SP Request-URI SP SIP-Version`, with exactly one space between them (RFC 3261 §7.1).
#[cfg_attr(target_pointer_width = "64", inline)]
fn request_line<'a>(line: &'a [u8], parts: &mut Parts) -> Result<StartLine<'a>, ParseError> {
    let walk = &mut Walk::new(line, 0);
    let end = walk.run(0, TOKEN);
    if end == 0 || peek(line, end) != b' ' {
        return Err(ParseError::StartLine);
    }
    let method = Method::known(slice(line, 0, end));
    let uri = end.wrapping_add(1);
    let space = match line.len().checked_sub(VERSION.len().wrapping_add(1)) {
        Some(space) if WIDE && line.ends_with(VERSION) => space,
        _ => line.iter().rposition(|octet| *octet == b' ').ok_or(ParseError::StartLine)?,
    };
    if space <= uri || peek(line, space) != b' ' {
        return Err(ParseError::StartLine);
    }
    check_version(slice(line, space.wrapping_add(1), line.len()))?;
    if is(peek(line, uri), LWS) || is(peek(line, space.wrapping_sub(1)), LWS) {
        return Err(ParseError::StartLine);
    }
    // RFC 3261 §19.1.1: headers are not allowed in a Request-URI.
    if parts.fill(walk, uri) != Some(space) || parts.has_headers() {
        return Err(ParseError::RequestUri);
    }
    Ok(StartLine { method, status: 0, text: slice(line, uri, space) })
}

/// Tells another version of SIP (RFC 3261 §21.5.6) from what is none at all.
#[cfg_attr(target_pointer_width = "64", inline)]
fn check_version(version: &[u8]) -> Result<(), ParseError> {
    if version == VERSION || alike(version, VERSION) {
        return Ok(());
    }
    let Some((_, numbers)) = version.split_at_checked(4).filter(|(name, _)| alike(name, b"SIP/")) else {
        return Err(ParseError::StartLine);
    };
    let dot = run_of(numbers, 0, DIGIT);
    let end = run_of(numbers, dot.wrapping_add(1), DIGIT);
    let two_numbers = dot > 0 && peek(numbers, dot) == b'.' && end > dot.wrapping_add(1) && end == numbers.len();
    Err(if two_numbers { ParseError::Version } else { ParseError::StartLine })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_lines() {
        for (line, expected) in [
            (&b"SIP/2.0 200 OK"[..], Ok((200, &b"OK"[..]))),
            (b"SIP/2.0 100 ", Ok((100, b""))),
            (b"SIP/2.0 100", Ok((100, b""))),
            (b"sip/2.0 699 \xD0\x9D\xD0\xB5\xD1\x82", Ok((699, b"\xD0\x9D\xD0\xB5\xD1\x82"))),
            (b"SIP/2.0 4294967301 x", Err(ParseError::StatusCode)),
            (b"SIP/2.0 700 x", Err(ParseError::StatusCode)),
            (b"SIP/2.0 99 x", Err(ParseError::StatusCode)),
            (b"SIP/2.0 0200 x", Err(ParseError::StatusCode)),
            (b"SIP/2.0  200 x", Err(ParseError::StatusCode)),
            (b"SIP/2.0 -20 x", Err(ParseError::StatusCode)),
            (b"SIP/2.0 20x", Err(ParseError::StatusCode)),
            (b"SIP/2.0 ", Err(ParseError::StatusCode)),
            (b"SIP/2.0", Err(ParseError::StartLine)),
            (b"SIP/3.0 200 OK", Err(ParseError::Version)),
            (b"sIp/3.0 200 OK", Err(ParseError::Version)),
            (b"SIP/2.x 200 OK", Err(ParseError::StartLine)),
        ] {
            let found = parse(line, &mut { Parts::NONE }).map(|line| (line.status, line.text));
            assert_eq!(found, expected, "{}", String::from_utf8_lossy(line));
        }
    }

    #[test]
    fn request_lines() {
        for (line, expected) in [
            ("INVITE sip:a@b SIP/2.0", Ok("INVITE")),
            ("X-y%z sip:b sip/2.0", Ok("X-y%z")),
            ("INVITE sip:a@b SIP/7.0", Err(ParseError::Version)),
            ("INVITE sip:a@b SIP/2.0 ", Err(ParseError::StartLine)),
            ("INVITE  sip:a@b SIP/2.0", Err(ParseError::StartLine)),
            ("INVITE sip:a@b  SIP/2.0", Err(ParseError::StartLine)),
            ("INVITE sip:a@b; lr SIP/2.0", Err(ParseError::RequestUri)),
            ("INVITE <sip:a@b> SIP/2.0", Err(ParseError::RequestUri)),
            ("INVITE sip:a@b?x=y SIP/2.0", Err(ParseError::RequestUri)),
            ("INVITE SIP/2.0", Err(ParseError::StartLine)),
            ("INVITE  SIP/2.0", Err(ParseError::StartLine)),
            ("INVITE", Err(ParseError::StartLine)),
            ("INVITE ", Err(ParseError::StartLine)),
            (" sip:a@b SIP/2.0", Err(ParseError::StartLine)),
            ("GET / HTTP/1.1", Err(ParseError::StartLine)),
            ("", Err(ParseError::StartLine)),
            ("IN\tVITE sip:a@b SIP/2.0", Err(ParseError::StartLine)),
        ] {
            let found = parse(line.as_bytes(), &mut { Parts::NONE });
            assert_eq!(
                found.map(|line| (line.method.as_bytes(), line.status)),
                expected.map(|name| (name.as_bytes(), 0))
            );
        }
    }
}
