//! Lines, fields and the small pieces that every line shares (RFC 8866 §9).

use super::SdpError;
use crate::message::digits::long_decimal;
use crate::message::scan::{WIDE, control, decimal, decimal_u32, find, slice};

/// Whether the octets are a `token`: at least one, none of them a separator, a control or beyond ASCII.
pub(super) fn is_token(octets: &[u8]) -> bool {
    let token = |octet: &u8| {
        if WIDE { TOKENS.get(usize::from(*octet)).is_some_and(|token| *token) } else { is_token_octet(*octet) }
    };
    !octets.is_empty() && octets.iter().all(token)
}

/// Whether each octet can stand in a token.
static TOKENS: [bool; 256] = {
    let mut all = [false; 256];
    let mut octet: u8 = 0;
    let mut rest: &mut [bool] = &mut all;
    while let [token, tail @ ..] = rest {
        *token = is_token_octet(octet);
        octet = octet.wrapping_add(1);
        rest = tail;
    }
    all
};

const fn is_token_octet(octet: u8) -> bool {
    // A bit for each of thirty-two.
    let bits: u32 = match octet >> 5 {
        1 => 0x03FF_6CFA,
        2 => 0xC7FF_FFFE,
        3 => 0x7FFF_FFFF,
        _ => 0,
    };
    (bits >> (octet & 31)) & 1 != 0
}

/// Whether the octets are a field: at least one, all of them visible or beyond ASCII.
pub(super) fn is_field(octets: &[u8]) -> bool {
    !octets.is_empty() && octets.iter().all(|octet| *octet > b' ' && *octet != 0x7F)
}

/// Whether the octets are tokens with a slash between each two, as in `RTP/AVP` (RFC 8866 §9 `proto`).
pub(super) fn is_proto(octets: &[u8]) -> bool {
    octets == b"RTP/AVP" || octets.split(|octet| *octet == b'/').all(is_token)
}

/// Cuts the first line off: the line without its end, and what follows; `None` when nothing is left.
pub(super) fn next_line(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    if rest.is_empty() {
        return None;
    }
    let end = find(rest, 0, b'\n');
    let line = slice(rest, 0, end);
    Some((line.strip_suffix(b"\r").unwrap_or(line), rest.get(end.wrapping_add(1)..).unwrap_or_default()))
}

/// Cuts the first line off: the line without its end, and what follows; an error for CR or NUL in the line.
#[cfg_attr(target_pointer_width = "64", inline)]
pub(super) fn checked_line(rest: &[u8]) -> Result<(&[u8], &[u8]), SdpError> {
    let mut at = 0;
    loop {
        at = control(rest, at);
        let (line, end) = rest.split_at_checked(at).unwrap_or((rest, b""));
        // Nearly every line ends so.
        if let [b'\r', b'\n', tail @ ..] = end {
            return Ok((line, tail));
        }
        match end {
            [] | [b'\r'] => return Ok((line, b"")),
            [b'\n', tail @ ..] => return Ok((line, tail)),
            [0 | b'\r', ..] => return Err(SdpError::Octet),
            // A tab, or another control that nobody minds.
            _ => at = at.wrapping_add(1),
        }
    }
}

/// What stands before the first such octet, and what follows it; `None` for the rest without one.
#[cfg_attr(not(target_pointer_width = "64"), inline(never))]
pub(super) fn cut(octets: &[u8], at: u8) -> (&[u8], Option<&[u8]>) {
    let found = octets.iter().position(|octet| *octet == at);
    let Some((before, [_, after @ ..])) = found.and_then(|place| octets.split_at_checked(place)) else {
        return (octets, None);
    };
    (before, Some(after))
}

/// Cuts the first field off, spaces before it skipped; `None` when there is no field.
#[cfg_attr(target_pointer_width = "64", inline)]
pub(super) fn field(octets: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut rest = octets;
    while let [b' ', tail @ ..] = rest {
        rest = tail;
    }
    let end = find(rest, 0, b' ');
    if end == 0 { None } else { rest.split_at_checked(end) }
}

/// Cuts the first field off, which is a number; `u64::MAX`, and what is more, is none.
pub(super) fn number_field(octets: &[u8]) -> Option<(u64, &[u8])> {
    let (digits, rest) = field(octets)?;
    let number = long_decimal(digits).filter(|number| *number != u64::MAX)?;
    Some((number, rest))
}

/// Exactly `N` fields.
#[cfg_attr(target_pointer_width = "64", inline)]
pub(super) fn fields<const N: usize>(octets: &[u8]) -> Option<[&[u8]; N]> {
    let mut found = [&b""[..]; N];
    let mut rest = octets;
    for slot in &mut found {
        (*slot, rest) = field(rest)?;
    }
    rest.iter().all(|octet| *octet == b' ').then_some(found)
}

/// The number that `digits` spells.
pub(super) fn number(digits: &[u8], max: u64) -> Result<u64, SdpError> {
    decimal(digits).filter(|number| *number <= max).ok_or(SdpError::Number)
}

/// The number that `digits` spells, at most 65,535.
#[cfg_attr(not(target_pointer_width = "64"), inline(never))]
pub(super) fn number_u16(digits: &[u8]) -> Result<u16, SdpError> {
    decimal_u32(digits).and_then(|number| u16::try_from(number).ok()).ok_or(SdpError::Number)
}

/// The number that `digits` spells, at most 4,294,967,295.
pub(super) fn number_u32(digits: &[u8]) -> Result<u32, SdpError> {
    decimal(digits).and_then(|number| u32::try_from(number).ok()).ok_or(SdpError::Number)
}

/// The payload type that `digits` spell, at most 127.
pub(super) fn payload_type(digits: &[u8]) -> Result<u8, SdpError> {
    let number = decimal_u32(digits).filter(|number| *number < 128);
    number.map(|number| number as u8).ok_or(SdpError::PayloadType)
}

/// The lines of one part of a description that was parsed: their types and values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(super) struct Lines<'a>(pub(super) &'a [u8]);

impl<'a> Lines<'a> {
    /// The values of the lines of one type.
    pub(super) fn of(self, kind: u8) -> impl Iterator<Item = &'a [u8]> + Clone {
        self.filter_map(move |(found, value)| (found == kind).then_some(value))
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (line, rest) = next_line(self.0)?;
        self.0 = rest;
        // An empty line ends a description.
        let [kind, b'=', value @ ..] = line else { return None };
        Some((*kind, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_in_crlf_or_lf_or_the_end() {
        assert_eq!(next_line(b""), None);
        assert_eq!(next_line(b"a\r\nb"), Some((&b"a"[..], &b"b"[..])));
        assert_eq!(next_line(b"a\n"), Some((&b"a"[..], &b""[..])));
        assert_eq!(next_line(b"a"), Some((&b"a"[..], &b""[..])));
        assert_eq!(next_line(b"\r\n"), Some((&b""[..], &b""[..])));
    }

    #[test]
    fn a_line_that_is_checked_has_neither_cr_nor_nul() {
        let long = "a=tool:a line\twith tabs that is longer than sixteen octets";
        for text in ["", "a=x", "a", long] {
            for (end, tail) in [("", ""), ("\r", ""), ("\n", "b=y\r\n"), ("\r\n", "\r\nc"), ("\n", "\r")] {
                let whole = format!("{text}{end}{tail}");
                assert_eq!(checked_line(whole.as_bytes()), Ok((text.as_bytes(), tail.as_bytes())), "{whole:?}");
            }
            for bad in ["\0", "\rx", "\r\r\n"] {
                let whole = format!("{text}{bad}\r\n");
                assert_eq!(checked_line(whole.as_bytes()), Err(SdpError::Octet), "{whole:?}");
            }
        }
    }

    #[test]
    fn tokens_are_those_of_the_grammar() {
        for octet in 0..=255 {
            let token = matches!(octet, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'0'..=b'9' | b'A'..=b'Z' | b'^'..=b'~');
            assert_eq!(is_token(&[octet]), token, "{octet}");
        }
    }

    #[test]
    fn fields_are_between_spaces() {
        assert_eq!(fields::<2>(b" a  b "), Some([&b"a"[..], b"b"]));
        for text in ["", "a", "a b c", " "] {
            assert_eq!(fields::<2>(text.as_bytes()), None, "{text}");
        }
        assert!(is_proto(b"UDP/TLS/RTP/SAVPF") && !is_proto(b"RTP/") && !is_proto(b"") && !is_proto(b"RTP/\xC3\xA4"));
    }

    #[test]
    fn numbers_have_their_ranges() {
        assert_eq!(number_u16(b"65535"), Ok(65535));
        for text in ["65536", "", "-1", "+1", "1 ", "99999999999999999999999"] {
            assert_eq!(number_u16(text.as_bytes()), Err(SdpError::Number), "{text}");
        }
        assert_eq!(payload_type(b"127"), Ok(127));
        assert_eq!(payload_type(b"128"), Err(SdpError::PayloadType));
    }
}
