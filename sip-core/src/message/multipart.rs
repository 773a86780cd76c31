//! Bodies in parts (RFC 2046 §5.1), and the part that somebody can work with among others (RFC 5621).
//!
//! ```
//! use sip_core::message::Message;
//!
//! let invite = b"INVITE sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.2;branch=z9hG4bK1\r\n\
//!     From: <sip:gw@192.0.2.2>;tag=g\r\nTo: <sip:bob@example.com>\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\n\
//!     Content-Type: multipart/mixed;boundary=b7\r\n\r\n\
//!     --b7\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n\r\n\
//!     --b7\r\nContent-Type: application/isup\r\nContent-Disposition: signal;handling=optional\r\n\r\n\x01\r\n--b7--\r\n";
//! let message = Message::parse(invite).expect("a message");
//! assert_eq!(message.body_of_type(b"application/sdp"), Ok(Some(&b"v=0\r\n"[..])));
//! ```

use super::content::Disposition;
use super::header::HeaderName;
use super::list::{Headers, Named, Rows};
use super::parse::{MAX_MESSAGE, Message};
use super::scan::{LWS, alike, find, is, line, slice, unquote};
use super::typed::MediaType;
use core::fmt;

/// How deep parts are looked for within parts.
const DEPTH: usize = 3;

/// The longest boundary (RFC 2046 §5.1.1).
const LONGEST_BOUNDARY: usize = 70;

/// The parts of a multipart body, in order. What stands before the first delimiter and behind the last one is no part, and
/// a last part without a delimiter behind it goes to the end.
#[derive(Clone, Copy, Debug)]
pub struct Parts<'a> {
    /// What is left, up to the end of the body.
    body: &'a [u8],
    boundary: &'a [u8],
    /// Where the next part begins, behind the boundary of its delimiter; beyond the end when there is none.
    at: usize,
}

impl<'a> Parts<'a> {
    const NONE: Self = Self { body: b"", boundary: b"", at: usize::MAX };

    /// The parts of a body of this type; `None` when the type is not `multipart`, or has no boundary that can be one.
    #[must_use]
    pub fn new(kind: &MediaType<'a>, body: &'a [u8]) -> Option<Self> {
        let boundary = if is_multipart(kind) { unquote(kind.param(b"boundary")?) } else { b"" };
        if boundary.is_empty() || boundary.len() > LONGEST_BOUNDARY || body.len() > MAX_MESSAGE {
            return None;
        }
        let mut parts = Self { body, boundary, at: 0 };
        parts.at = parts.delimiter(0).map_or(usize::MAX, |(_, next)| next);
        Some(parts)
    }

    /// The next delimiter in a line that begins at `at` or later: where what is before it ends, and where what is behind its
    /// boundary begins, beyond the end when no part follows.
    fn delimiter(&self, at: usize) -> Option<(usize, usize)> {
        let body = self.body;
        let mut at = at;
        while at < body.len() {
            let text = slice(body, at, body.len());
            if let Some(rest) = text.strip_prefix(b"--").and_then(|text| text.strip_prefix(self.boundary)) {
                let next = body.len().wrapping_sub(rest.len());
                // The line end before the delimiter is the delimiter's.
                let end = match slice(body, 0, at) {
                    [head @ .., b'\r', b'\n'] | [head @ .., b'\n'] => head.len(),
                    _ => at,
                };
                match rest {
                    [] | [b'-', b'-', ..] => return Some((end, usize::MAX)),
                    // A longer word than the boundary is another one.
                    [octet, ..] if is(*octet, LWS) => return Some((end, next)),
                    _ => {}
                }
            }
            at = find(body, at, b'\n').wrapping_add(1);
        }
        None
    }
}

impl<'a> Iterator for Parts<'a> {
    type Item = Part<'a>;

    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    fn next(&mut self) -> Option<Part<'a>> {
        if self.at > self.body.len() {
            return None;
        }
        let from = self.at;
        let next_line = find(self.body, from, b'\n').wrapping_add(1);
        let (end, next) = self.delimiter(next_line).unwrap_or((self.body.len(), usize::MAX));
        self.at = next;
        Some(Part::new(slice(self.body, from, end.max(next_line.min(self.body.len())))))
    }
}

/// One part of a body: its headers and what it holds.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    /// From behind the boundary on, so that the first row does not begin at zero.
    bytes: &'a [u8],
    rows: usize,
    body: usize,
}

impl<'a> Part<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        let rows = line(bytes, 0, false).map_or(0, |found| found.next);
        // The line end of the delimiter and the empty line, when there are no headers.
        let from = rows.saturating_sub(2);
        let head = slice(bytes, from, bytes.len()).windows(4).position(|octets| octets == b"\r\n\r\n");
        let body = head.map_or(bytes.len(), |head| from.wrapping_add(head).wrapping_add(4));
        Self { bytes, rows, body }
    }

    /// The header rows, in order.
    #[must_use]
    pub fn headers(&self) -> Headers<'static, 'a> {
        Headers { rows: Rows::new(slice(self.bytes, 0, self.body), &[], self.rows) }
    }

    /// The values of all rows of this name, each whole.
    #[must_use]
    pub fn header_rows<'n>(&self, name: HeaderName<'n>) -> Named<'static, 'a, 'n> {
        Named::new(slice(self.bytes, 0, self.body), &[], self.rows, 0, (name.lookup(), name.as_bytes()))
    }

    /// The value of the first row of this name.
    #[must_use]
    pub fn header(&self, name: HeaderName<'_>) -> Option<&'a [u8]> {
        self.header_rows(name).next()
    }

    /// Content-Type; `None` when it is missing, which means text, or malformed.
    #[must_use]
    pub fn content_type(&self) -> Option<MediaType<'a>> {
        self.header(HeaderName::ContentType).and_then(MediaType::parse)
    }

    /// Content-Disposition; `None` when it is missing or malformed.
    #[must_use]
    pub fn disposition(&self) -> Option<Disposition<'a>> {
        self.header(HeaderName::ContentDisposition).and_then(|value| Disposition::parse(value).ok())
    }

    /// Whether a receiver that does not understand the part may go on without it (RFC 5621 §5.1).
    #[must_use]
    pub fn is_optional(&self) -> bool {
        self.disposition().is_some_and(|disposition| disposition.is_optional())
    }

    /// What the part holds.
    #[must_use]
    pub fn body(&self) -> &'a [u8] {
        slice(self.bytes, self.body, self.bytes.len())
    }

    /// Whether the octets are the thing itself: in no encoding (RFC 5621 §4.2).
    fn is_plain(&self) -> bool {
        const TRANSFER: HeaderName<'_> = HeaderName::Other(b"Content-Transfer-Encoding");
        let transfer = self.header(TRANSFER).unwrap_or_default();
        let content = self.header(HeaderName::ContentEncoding).unwrap_or_default();
        !alike(transfer, b"base64")
            && !alike(transfer, b"quoted-printable")
            && (content.is_empty() || alike(content, b"identity"))
    }
}

/// A body, or a part of one, has to be understood and is not of the type that was asked for: 415 (RFC 3261 §21.4.13).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct UnsupportedBody;

impl fmt::Display for UnsupportedBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a body that has to be understood is of another type")
    }
}

impl core::error::Error for UnsupportedBody {}

fn is_multipart(kind: &MediaType<'_>) -> bool {
    alike(kind.kind(), b"multipart")
}

impl<'a> Message<'a> {
    /// The parts of the body; `None` when it has none.
    #[must_use]
    pub fn parts(&self) -> Option<Parts<'a>> {
        Parts::new(&self.content_type()?, self.body())
    }

    /// The body of this type (`application/sdp`, say): the whole one, or the first such part of a multipart one, three
    /// deep at most. `Ok(None)` when there is none and nothing else has to be understood.
    ///
    /// In `multipart/mixed`, and in a kind of multipart that is not known, every part has to be understood unless its
    /// Content-Disposition says `handling=optional`; in `multipart/alternative` and `multipart/related` one part is enough
    /// (RFC 5621 §4, §7, RFC 2046 §5.1.4).
    ///
    /// # Errors
    /// [`UnsupportedBody`] when something has to be understood that is not of this type.
    pub fn body_of_type(&self, wanted: &[u8]) -> Result<Option<&'a [u8]>, UnsupportedBody> {
        let body = self.body();
        if body.is_empty() {
            return Ok(None);
        }
        let kind = self.content_type();
        if kind.is_some_and(|kind| kind.is(wanted)) {
            return Ok(Some(body));
        }
        match kind.map_or(Err(UnsupportedBody), |kind| search(&kind, body, wanted)) {
            // What holds for a part holds for the whole.
            Err(_) if matches!(self.content_disposition(), Some(Ok(known)) if known.is_optional()) => Ok(None),
            found => found,
        }
    }
}

/// One multipart body on the way to the part that is wanted.
#[derive(Clone, Copy)]
struct Level<'a> {
    parts: Parts<'a>,
    /// One part is enough.
    any: bool,
    /// Whether the body can be done without.
    optional: bool,
    /// A part that has to be understood was not.
    failed: bool,
    /// What was found before this body was looked at.
    before: Option<&'a [u8]>,
}

impl<'a> Level<'a> {
    const NONE: Self = Self { parts: Parts::NONE, any: false, optional: false, failed: false, before: None };

    /// Begins with a body; false when it has no parts.
    #[inline(never)]
    fn begin(&mut self, part: (&MediaType<'a>, &'a [u8]), optional: bool, before: Option<&'a [u8]>) -> bool {
        let (kind, body) = part;
        let Some(parts) = Parts::new(kind, body) else { return false };
        let any = [&b"alternative"[..], b"related"].iter().any(|name| alike(kind.subtype(), name));
        *self = Self { parts, any, optional, failed: false, before };
        parts.at <= body.len()
    }
}

/// Looks through a multipart body.
///
/// What is open lies in a table: with recursion, somebody outside would say how much stack it takes.
#[inline(never)]
fn search<'a>(kind: &MediaType<'a>, body: &'a [u8], wanted: &[u8]) -> Result<Option<&'a [u8]>, UnsupportedBody> {
    if !cfg!(feature = "multipart") {
        return Err(UnsupportedBody);
    }
    let mut levels = [Level::NONE; DEPTH + 1];
    let mut found = None;
    let mut depth: usize = 0;
    if !levels.iter_mut().next().is_some_and(|first| first.begin((kind, body), false, None)) {
        return Err(UnsupportedBody);
    }
    loop {
        let Some((level, rest)) = levels.get_mut(depth..).and_then(<[_]>::split_first_mut) else {
            return Err(UnsupportedBody);
        };
        let Some(part) = level.parts.next() else {
            let mut failed = level.failed && !(level.any && found != level.before);
            if failed {
                found = level.before;
                failed = !level.optional;
            }
            let above = depth.wrapping_sub(1);
            match levels.get_mut(above) {
                Some(level) => level.failed |= failed,
                None => return if failed { Err(UnsupportedBody) } else { Ok(found) },
            }
            depth = above;
            continue;
        };
        let (kind, disposition) = (part.content_type(), part.disposition());
        let optional = disposition.is_some_and(|disposition| disposition.is_optional());
        let Some(kind) = kind else {
            level.failed |= !optional;
            continue;
        };
        let session = disposition.is_none_or(|disposition| alike(disposition.kind(), b"session"));
        if kind.is(wanted) && session && part.is_plain() {
            found = found.or(Some(part.body()));
        } else if rest.first_mut().is_some_and(|inner| inner.begin((&kind, part.body()), optional, found)) {
            depth = depth.wrapping_add(1);
        } else {
            level.failed |= !optional;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::crlf;
    use super::*;

    const SDP: &[u8] = b"v=0\r\no=- 1 1 IN IP4 192.0.2.2";

    /// An INVITE with this Content-Type (and more rows) and body.
    fn invite(kind: &str, body: &str) -> Vec<u8> {
        let text = format!(
            "INVITE sip:bob@example.com SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.2;branch=z9hG4bK1\nFrom: <sip:gw@192.0.2.2>;tag=g\n\
             To: <sip:bob@example.com>\nCall-ID: 1\nCSeq: 1 INVITE\nContent-Type: {kind}\n\n{body}"
        );
        crlf(&text)
    }

    fn found(kind: &str, body: &str) -> Result<Option<Vec<u8>>, UnsupportedBody> {
        let bytes = invite(kind, body);
        let message = Message::parse(&bytes).unwrap();
        message.body_of_type(b"application/sdp").map(|found| found.map(<[u8]>::to_vec))
    }

    fn sdp() -> Result<Option<Vec<u8>>, UnsupportedBody> {
        Ok(Some(SDP.to_vec()))
    }

    const OFFER: &str = "Content-Type: application/sdp\n\nv=0\no=- 1 1 IN IP4 192.0.2.2";
    const ISUP: &str =
        "Content-Type: application/isup;version=itu-t92+\nContent-Disposition: signal;handling=optional\n\n\x01\x10";
    const NEEDED: &str = "Content-Type: application/isup\nContent-Disposition: signal;handling=required\n\n\x01";

    #[test]
    fn a_body_that_is_no_multipart_is_as_it_was() {
        let text = "v=0\no=- 1 1 IN IP4 192.0.2.2";
        assert_eq!(found("Application/SDP", text), sdp());
        assert_eq!(found("application/sdp;x=y", ""), Ok(None));
        assert_eq!(found("text/plain", text), Err(UnsupportedBody));
        assert_eq!(found("nonsense", text), Err(UnsupportedBody));
        assert_eq!(found("text/plain\nContent-Disposition: render;handling=optional", text), Ok(None));
    }

    #[test]
    fn the_description_is_found_among_optional_parts() {
        for body in [
            format!("--b7\n{OFFER}\n--b7\n{ISUP}\n--b7--\n"),
            format!("--b7\n{ISUP}\n--b7\n{OFFER}\n--b7--"),
            format!("preamble\n--b7  \n{OFFER}\n--b7\t\n{ISUP}\n--b7--\nepilogue\n--b7\n{NEEDED}"),
            format!("--b7\n{OFFER}\n--b7--\n"),
            format!("--b7\nContent-Disposition: session\nX-Odd\n{OFFER}\n--b7\n{ISUP}"),
            format!("--b77\n{NEEDED}\n--b7\n{OFFER}\n--b7--"),
            format!("--b7\nContent-Transfer-Encoding: Binary\n{OFFER}\n--b7--"),
        ] {
            assert_eq!(found("multipart/mixed;boundary=b7", &body), sdp(), "{body}");
            assert_eq!(found("Multipart/Mixed ; Boundary = \"b7\"", &body), sdp(), "{body}");
            assert_eq!(found("multipart/never-heard-of;boundary=b7", &body), sdp(), "{body}");
        }
    }

    #[test]
    fn a_part_that_has_to_be_understood_refuses_the_whole() {
        for part in [
            NEEDED,
            "Content-Type: application/isup\n\n\x01",
            "\ntext",
            "",
            "Content-Type: application/sdp\nContent-Disposition: early-session\n\nv=0",
            "Content-Type: application/sdp\nContent-Transfer-Encoding: base64\n\ndj0w",
            "Content-Type: multipart/mixed\n\n--x\n--x--",
        ] {
            let body = format!("--b7\n{OFFER}\n--b7\n{part}\n--b7--");
            assert_eq!(found("multipart/mixed;boundary=b7", &body), Err(UnsupportedBody), "{body}");
            let whole = "multipart/mixed;boundary=b7\nContent-Disposition: session;handling=optional";
            assert_eq!(found(whole, &body), Ok(None), "{body}");
        }
        let body = format!("--b7\n{ISUP}\n--b7--");
        assert_eq!(found("multipart/mixed;boundary=b7", &body), Ok(None));
        for kind in ["multipart/mixed", "multipart/mixed;boundary=", "multipart/mixed;boundary=\"\""] {
            assert_eq!(found(kind, &format!("--b7\n{OFFER}\n--b7--")), Err(UnsupportedBody), "{kind}");
        }
    }

    #[test]
    fn one_of_several_alternatives_is_enough() {
        for kind in ["multipart/alternative;boundary=b7", "multipart/related;boundary=b7"] {
            assert_eq!(found(kind, &format!("--b7\n{NEEDED}\n--b7\n{OFFER}\n--b7--")), sdp());
            assert_eq!(found(kind, &format!("--b7\n{NEEDED}\n--b7--")), Err(UnsupportedBody));
            assert_eq!(found(kind, &format!("--b7\n{ISUP}\n--b7--")), Ok(None));
        }
    }

    #[test]
    fn parts_within_parts_are_looked_at_so_deep_and_no_deeper() {
        let mut body = format!("--b0\n{OFFER}\n--b0--");
        for depth in 1..6 {
            let kind = format!("multipart/mixed;boundary=b{}", depth - 1);
            body = format!("--b{depth}\nContent-Type: {kind}\n\n{body}\n--b{depth}\n{ISUP}\n--b{depth}--");
            let expected = if depth <= DEPTH { sdp() } else { Err(UnsupportedBody) };
            assert_eq!(found(&format!("multipart/mixed;boundary=b{depth}"), &body), expected, "{depth}");
        }
        let inner = format!("--c\n{NEEDED}\n--c\n{OFFER}\n--c--");
        let within =
            |kind: &str| format!("--b7\nContent-Type: multipart/{kind};boundary=c\n\n{inner}\n--b7\n{ISUP}\n--b7--");
        assert_eq!(found("multipart/mixed;boundary=b7", &within("alternative")), sdp());
        assert_eq!(found("multipart/mixed;boundary=b7", &within("mixed")), Err(UnsupportedBody));
        let optional =
            within("mixed").replace("boundary=c\n", "boundary=c\nContent-Disposition: session;handling=optional\n");
        assert_eq!(found("multipart/mixed;boundary=b7", &optional), Ok(None));
    }

    #[test]
    fn every_part_has_its_headers_and_its_octets() {
        let bytes = invite(
            "multipart/mixed;boundary=\"a b\"",
            "--a b\nContent-Type: text/plain\nX: 1\n 2\nx: 3\n\n\n--a b\n\nbody\n\n--a b\n--a b\nX: only\n--a b--",
        );
        let message = Message::parse(&bytes).unwrap();
        let parts: Vec<Part<'_>> = message.parts().unwrap().collect();
        let bodies: Vec<&[u8]> = parts.iter().map(Part::body).collect();
        assert_eq!(bodies, [&b""[..], b"body\r\n", b"", b""]);
        assert_eq!(parts[0].headers().count(), 3);
        assert!(parts[0].content_type().is_some_and(|kind| kind.is(b"text/plain")));
        let rows: Vec<&[u8]> = parts[0].header_rows(HeaderName::Other(b"x")).collect();
        assert_eq!(rows, [&b"1\r\n 2"[..], b"3"]);
        assert!(parts[1].headers().count() == 0 && parts[1].content_type().is_none());
    }

    #[test]
    fn cut_anywhere_it_does_no_harm() {
        let bytes = invite("multipart/mixed;boundary=b", &format!("--b\n{OFFER}\n--b\n{ISUP}\n--b--"));
        let message = Message::parse(&bytes).unwrap();
        for end in 0..=message.body().len() {
            let kind = message.content_type().unwrap();
            let body = &message.body()[..end];
            let parts = Parts::new(&kind, body).unwrap();
            assert!(parts.map(|part| part.headers().count() + part.body().len()).sum::<usize>() <= end);
            _ = search(&kind, body, b"application/sdp");
        }
    }
}
