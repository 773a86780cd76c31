//! `message/sipfrag` as REFER uses it: how the request that a REFER asked for goes on (RFC 3420, RFC 3515 §2.4.5).

use crate::message::{ParseError, WriteError, Writer, parse_status_line, reason_phrase};

/// How a referred request goes on: the status line with which the body of a NOTIFY begins (RFC 3515 §2.4.5).
///
/// ```
/// use sip_core::events::Sipfrag;
///
/// let sipfrag = Sipfrag::parse(b"SIP/2.0 486 Busy Here\r\n").unwrap();
/// assert_eq!((sipfrag.status(), sipfrag.is_final(), sipfrag.is_success()), (486, true, false));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Sipfrag<'a> {
    status: u16,
    reason: &'a [u8],
    rest: &'a [u8],
}

impl<'a> Sipfrag<'a> {
    /// The type of such a body; `version` is a parameter that may be left out (RFC 3420 §5).
    pub const CONTENT_TYPE: &'static str = "message/sipfrag;version=2.0";

    /// The most octets that [`write`](Self::write) writes: a status line with the longest phrase of [`reason_phrase`].
    pub const MAX_LEN: usize = 80;

    /// Reads the body of a NOTIFY.
    ///
    /// Empty lines before the status line are passed over, and its line end may be a single LF or missing.
    ///
    /// # Errors
    /// [`ParseError`] when the body does not begin with a status line of SIP/2.0: RFC 3420 allows that, RFC 3515 §2.4.5 does not.
    pub fn parse(body: &'a [u8]) -> Result<Self, ParseError> {
        let body = match body.iter().position(|octet| !matches!(octet, b'\r' | b'\n')) {
            Some(start) => body.get(start..).unwrap_or_default(),
            None => return Err(ParseError::StartLine),
        };
        let (line, rest) = match body.iter().position(|octet| *octet == b'\n') {
            Some(end) => body.split_at_checked(end).unwrap_or_default(),
            None => (body, &b""[..]),
        };
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let (status, reason) = parse_status_line(line)?;
        Ok(Self { status, reason, rest: rest.strip_prefix(b"\n").unwrap_or(rest) })
    }

    /// The status code, 100 to 699.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// The reason phrase as it came.
    #[must_use]
    pub const fn reason(&self) -> &'a [u8] {
        self.reason
    }

    /// What follows the status line, as it came: any rows of the response and its body. Nobody has checked it.
    #[must_use]
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Whether the referred request is over.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        self.status >= 200
    }

    /// Whether the referred request was accepted.
    #[must_use]
    pub const fn is_success(&self) -> bool {
        matches!(self.status, 200..=299)
    }

    /// Writes the body of a NOTIFY, a status line and no rows: RFC 3515 §5.2 warns of what else a response would tell.
    ///
    /// # Errors
    /// [`WriteError::Injection`] when the status is not from 100 to 699, [`WriteError::Full`] when `buffer` is too small;
    /// [`MAX_LEN`](Self::MAX_LEN) octets are enough.
    pub fn write(status: u16, buffer: &mut [u8]) -> Result<usize, WriteError> {
        let mut writer = Writer::new(buffer);
        writer.status_line(status, reason_phrase(status).as_bytes());
        writer.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_begins_with_a_status_line() {
        for (body, expected) in [
            (&b"SIP/2.0 100 Trying"[..], Ok((100, &b"Trying"[..], &b""[..]))),
            (b"SIP/2.0 100 Trying\r\n", Ok((100, b"Trying", b""))),
            (b"SIP/2.0 200 OK\n", Ok((200, b"OK", b""))),
            (b"SIP/2.0 200\r\n", Ok((200, b"", b""))),
            (b"sip/2.0 603 \r\n", Ok((603, b"", b""))),
            (b"\r\n\n SIP/2.0 200 OK", Err(ParseError::StartLine)),
            (b"\r\n\nSIP/2.0 200 OK", Ok((200, b"OK", b""))),
            (b"SIP/2.0 503 Gone\r\nTo: <sip:a@b>\r\n\r\nbody", Ok((503, b"Gone", b"To: <sip:a@b>\r\n\r\nbody"))),
            (b"SIP/2.0 503 Gone\n\nbody", Ok((503, b"Gone", b"\nbody"))),
            // Garbage.
            (b"", Err(ParseError::StartLine)),
            (b"\r\n\r\n", Err(ParseError::StartLine)),
            (b"\0\xFF\xFE", Err(ParseError::StartLine)),
            (b"INVITE sip:a@b SIP/2.0\r\n", Err(ParseError::StartLine)),
            (b"To: <sip:a@b>\r\nSIP/2.0 200 OK\r\n", Err(ParseError::StartLine)),
            (b"SIP/2.0 099 x", Err(ParseError::StatusCode)),
            (b"SIP/2.0 700 x", Err(ParseError::StatusCode)),
            (b"SIP/2.0 4294967496 x", Err(ParseError::StatusCode)),
            (b"SIP/2.0 -200 x", Err(ParseError::StatusCode)),
            (b"SIP/2.0 20\r\n0 OK", Err(ParseError::StatusCode)),
            (b"SIP/3.0 200 OK", Err(ParseError::Version)),
        ] {
            let found = Sipfrag::parse(body).map(|found| (found.status(), found.reason(), found.rest()));
            assert_eq!(found, expected, "{}", body.escape_ascii());
        }
    }

    #[test]
    fn final_and_success_are_told_apart() {
        for (status, is_final, is_success) in [
            (100, false, false),
            (199, false, false),
            (200, true, true),
            (299, true, true),
            (300, true, false),
            (487, true, false),
            (699, true, false),
        ] {
            let body = format!("SIP/2.0 {status} x\r\n");
            let found = Sipfrag::parse(body.as_bytes()).unwrap();
            assert_eq!((found.is_final(), found.is_success()), (is_final, is_success), "{status}");
        }
    }

    #[test]
    fn a_body_cut_anywhere_is_read_or_refused_and_says_no_other_status() {
        let body = b"SIP/2.0 486 Busy Here\r\nTo: <sip:a@b>\r\n\r\nx";
        for end in 0..=body.len() {
            match Sipfrag::parse(&body[..end]) {
                Ok(found) => assert!(found.status() == 486 && end >= "SIP/2.0 486".len(), "{end}"),
                Err(_) => assert!(end <= "SIP/2.0 486".len(), "{end}"),
            }
        }
    }

    #[test]
    fn every_status_is_written_and_read_again_and_fits() {
        let mut buffer = [0; Sipfrag::MAX_LEN];
        for status in 100..=699 {
            let len = Sipfrag::write(status, &mut buffer).unwrap();
            let found = Sipfrag::parse(&buffer[..len]).unwrap();
            assert_eq!((found.status(), found.reason()), (status, reason_phrase(status).as_bytes()));
            assert!(found.rest().is_empty());
            for room in 0..len {
                assert_eq!(Sipfrag::write(status, &mut buffer[..room]), Err(WriteError::Full { needed: len }));
            }
        }
        for status in [0, 99, 700, u16::MAX] {
            assert_eq!(Sipfrag::write(status, &mut buffer), Err(WriteError::Injection));
        }
    }
}
