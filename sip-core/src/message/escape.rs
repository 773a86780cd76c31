//! Escapes in URIs (RFC 3261 §19.1.2).

use super::scan::{HEX, USER, is, peek};
use super::writer::Writer;

/// The octets of a piece of a URI with the escapes resolved.
#[must_use = "iterators are lazy"]
pub fn unescape_uri(text: &[u8]) -> impl Iterator<Item = u8> + '_ {
    Unescaped { rest: text }.map(|(octet, _)| octet)
}

/// Octets and whether each was escaped.
#[derive(Clone, Debug)]
pub(super) struct Unescaped<'a> {
    rest: &'a [u8],
}

impl Iterator for Unescaped<'_> {
    type Item = (u8, bool);

    fn next(&mut self) -> Option<Self::Item> {
        if let [b'%', high, low, tail @ ..] = self.rest
            && let (Some(high), Some(low)) = (hex(*high), hex(*low))
        {
            self.rest = tail;
            return Some((high << 4 | low, true));
        }
        let (first, tail) = self.rest.split_first()?;
        self.rest = tail;
        Some((*first, false))
    }
}

/// The value of a hexadecimal digit.
pub(crate) const fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit & 15),
        b'a'..=b'f' | b'A'..=b'F' => Some((digit & 15).wrapping_add(9)),
        _ => None,
    }
}

/// The digit, in lower case, of a number below 16.
pub(crate) const fn hex_digit(number: u8) -> u8 {
    number.wrapping_add(if number < 10 { b'0' } else { b'a' - 10 })
}

impl<'a> Unescaped<'a> {
    pub(super) const fn new(rest: &'a [u8]) -> Self {
        Self { rest }
    }
}

/// The octets of a user part as they can be written in a URI: what cannot stand there is escaped, `#` as `%23` (RFC 3261
/// §25.1 `user`). An escape that is there already stays.
pub fn escape_user(user: &[u8]) -> impl Iterator<Item = u8> + '_ {
    user.iter().enumerate().flat_map(|(at, octet)| {
        let escape = *octet == b'%' && [1_usize, 2].iter().all(|next| is(peek(user, at.wrapping_add(*next)), HEX));
        escaped(*octet, escape || *octet != b'#' && is(*octet, USER))
    })
}

/// The octets of a text as the value of a header in a URI (RFC 3261 §25.1 `hvalue`): each that cannot stand there is escaped, `%` too.
#[cfg(feature = "refer")]
pub(crate) fn escape_header(text: &[u8]) -> impl Iterator<Item = u8> + '_ {
    text.iter().flat_map(|octet| escaped(*octet, octet.is_ascii_alphanumeric() || b"-_.!~*'()[]/?:+$".contains(octet)))
}

/// An octet as it is, or its escape.
fn escaped(octet: u8, plain: bool) -> impl Iterator<Item = u8> {
    let digit = |number: u8| if number < 10 { b'0'.wrapping_add(number) } else { b'7'.wrapping_add(number) };
    let all = if plain { [octet, 0, 0] } else { [b'%', digit(octet >> 4), digit(octet & 15)] };
    all.into_iter().take(if plain { 1 } else { 3 })
}

impl Writer<'_> {
    /// Writes a user part; what cannot stand in one is escaped, as by [`escape_user`].
    pub fn user(&mut self, user: &[u8]) {
        for octet in escape_user(user) {
            self.raw(&[octet]);
        }
    }

    /// Writes a SIP URI or a piece of one with each `#` as `%23`: dial strings hold it in their user parts, where the grammar
    /// does not have it (RFC 3261 §25.1). CR, LF and NUL make the message fail.
    pub fn number_signs_escaped(&mut self, uri: &[u8]) {
        for (index, piece) in uri.split(|octet| *octet == b'#').enumerate() {
            if index > 0 {
                self.raw(b"%23");
            }
            self.text(piece);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Uri;
    use super::*;

    #[test]
    fn escapes_are_resolved_once() {
        assert!(unescape_uri(b"v%61lue%25%34%31").eq(b"value%41".iter().copied()));
        assert!(unescape_uri(b"%00%").eq(b"\0%".iter().copied()));
        assert!(Uri::parse(b"sip:a@b;%6C%72").is_ok_and(|uri| uri.is_loose()));
    }

    #[test]
    fn a_user_part_is_written_as_the_grammar_has_it() {
        for (user, written) in [
            ("alice", "alice"),
            ("*21*100#", "*21*100%23"),
            ("#", "%23"),
            ("a b@c", "a%20b%40c"),
            ("al%69ce", "al%69ce"),
            ("100%", "100%25"),
            ("%4", "%254"),
            ("%4g", "%254g"),
            ("j\u{fc}rg", "j%C3%BCrg"),
            ("+1;x=y?z/&=$,", "+1;x=y?z/&=$,"),
            ("\r\n\0", "%0D%0A%00"),
            ("", ""),
        ] {
            assert!(escape_user(user.as_bytes()).eq(written.bytes()), "{user}");
            let mut room = [0; 64];
            let mut w = Writer::new(&mut room);
            w.user(user.as_bytes());
            let length = w.finish().unwrap();
            assert_eq!(&room[..length], written.as_bytes());
            if !user.is_empty() {
                let uri = format!("sip:{written}@example.com");
                let uri = Uri::parse(uri.as_bytes()).unwrap();
                assert_eq!(uri.user(), Some(written.as_bytes()));
            }
        }
    }

    #[test]
    fn a_dial_string_is_taken_as_it_comes_and_escaped_when_it_is_written() {
        for (uri, written) in [
            ("sip:*21#@pbx.example.com;user=dialstring", "sip:*21%23@pbx.example.com;user=dialstring"),
            ("sips:##@h", "sips:%23%23@h"),
            ("sip:*21%23@h", "sip:*21%23@h"),
        ] {
            let mut room = [0; 64];
            let mut w = Writer::new(&mut room);
            w.number_signs_escaped(uri.as_bytes());
            let length = w.finish().unwrap();
            assert_eq!(&room[..length], written.as_bytes());
            let (one, other) = (Uri::parse(uri.as_bytes()).unwrap(), Uri::parse(written.as_bytes()).unwrap());
            assert!(one.equivalent(&other), "{uri}");
        }
        let mut w = Writer::new(&mut []);
        w.number_signs_escaped(b"sip:a\r\n#@h");
        assert!(w.finish().is_err());
    }
}
