//! `name-addr` and `addr-spec`: From, To, Contact, Route, Record-Route and their kin (RFC 3261 §20.10).

use super::ParseError;
use super::list::Element;
use super::params::{Params, element_end, param};
use super::scan::{
    ALPHA, BARE_URI, DISPLAY, SCHEME, URI, decimal_u32, is, peek, quoted, run, skip_lws, slice, trim, unquote,
};
use super::uri::Uri;

/// An address with its display name and header parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct NameAddr<'a> {
    raw: &'a [u8],
    display: &'a [u8],
    uri: &'a [u8],
    params: &'a [u8],
    tag: Option<&'a [u8]>,
}

impl<'a> NameAddr<'a> {
    /// The address that `value` is, all of it.
    ///
    /// # Errors
    /// When it isn't one, or when a comma follows.
    pub fn parse(value: &'a [u8]) -> Result<Self, ParseError> {
        match Self::read(value, 0) {
            Ok((address, end)) if end == value.len() => Ok(address),
            _ => Err(ParseError::Address),
        }
    }

    /// The value as it is written, without white space at its ends.
    #[must_use]
    pub const fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// The display name as it is written, with its quotes; empty when there is none.
    #[must_use]
    pub const fn display_name(&self) -> &'a [u8] {
        self.display
    }

    /// The URI as it is written.
    #[must_use]
    pub const fn raw_uri(&self) -> &'a [u8] {
        self.uri
    }

    /// The URI in its parts.
    ///
    /// # Errors
    /// When it breaks the grammar of its scheme.
    pub fn uri(&self) -> Result<Uri<'a>, ParseError> {
        Uri::parse(self.uri)
    }

    /// The header parameters. Those of a URI without brackets are the header's (RFC 3261 §20.10).
    #[must_use]
    pub const fn params(&self) -> Params<'a> {
        Params::new(self.params)
    }

    /// The header parameters as they are written, with their first semicolon.
    #[must_use]
    pub const fn raw_params(&self) -> &'a [u8] {
        self.params
    }

    /// The value of a header parameter, quotes included and empty when it has none; `None` when it isn't there.
    #[must_use]
    pub fn param(&self, name: &[u8]) -> Option<&'a [u8]> {
        self.params().find(name)
    }

    /// The `tag` parameter.
    #[must_use]
    pub const fn tag(&self) -> Option<&'a [u8]> {
        self.tag
    }

    /// The `expires` parameter in seconds, `u32::MAX` when it is larger; one that is no number is 3600
    /// (RFC 3261 §10.2.1.1, §20.10).
    #[must_use]
    pub fn expires(&self) -> Option<u32> {
        self.param(b"expires").map(|value| decimal_u32(unquote(value)).unwrap_or(3600))
    }

    /// The `q` parameter in thousandths, 0 to 1000; `None` when it isn't there or isn't a `qvalue`.
    #[must_use]
    pub fn q(&self) -> Option<u16> {
        let (whole, fraction) = match self.param(b"q")? {
            [whole, b'.', fraction @ ..] => (*whole, fraction),
            [whole] => (*whole, &b""[..]),
            _ => return None,
        };
        let mut thousandths: u16 = 0;
        for place in 0..3 {
            let digit = fraction.get(place).map_or(0, |digit| digit.wrapping_sub(b'0'));
            if digit > 9 {
                return None;
            }
            thousandths = thousandths.wrapping_mul(10).wrapping_add(u16::from(digit));
        }
        match (whole, thousandths) {
            _ if fraction.len() > 3 => None,
            (b'0', _) => Some(thousandths),
            (b'1', 0) => Some(1000),
            _ => None,
        }
    }
}

impl<'a> Element<'a> for NameAddr<'a> {
    #[inline]
    fn read(bytes: &'a [u8], at: usize) -> Result<(Self, usize), ParseError> {
        let start = skip_lws(bytes, at);
        let mut at = start;
        let mut display: &[u8] = b"";
        match peek(bytes, at) {
            b'<' => {}
            b'"' => {
                let end = quoted(bytes, at).ok_or(ParseError::Address)?;
                display = slice(bytes, at, end);
                at = skip_lws(bytes, end);
            }
            _ => {
                let end = run(bytes, at, DISPLAY);
                if peek(bytes, end) == b':' {
                    return Self::read_bare(bytes, start);
                }
                // RFC 4475 §3.1.1.6: white space between the name and the bracket may be missing.
                display = trim(slice(bytes, at, end));
                at = end;
            }
        }
        if peek(bytes, at) != b'<' {
            return Err(ParseError::Address);
        }
        let from = at.wrapping_add(1);
        let to = uri_end(bytes, from, URI)?;
        if peek(bytes, to) != b'>' {
            return Err(ParseError::Address);
        }
        Self::finish(bytes, start, display, slice(bytes, from, to), to.wrapping_add(1))
    }
}

impl<'a> NameAddr<'a> {
    /// Reads a URI without brackets, which a semicolon, comma or white space ends; a question mark is an
    /// error there (RFC 3261 §20.10).
    fn read_bare(bytes: &'a [u8], start: usize) -> Result<(Self, usize), ParseError> {
        let end = uri_end(bytes, start, BARE_URI)?;
        Self::finish(bytes, start, b"", slice(bytes, start, end), end)
    }

    #[inline]
    fn finish(
        bytes: &'a [u8],
        start: usize,
        display: &'a [u8],
        uri: &'a [u8],
        params: usize,
    ) -> Result<(Self, usize), ParseError> {
        let mut at = params;
        let mut tag = None;
        while let Some((param, next)) = param(bytes, at)? {
            if param.is(b"tag") {
                // A second tag, or one that is empty, names no dialog (RFC 3261 §19.3).
                if tag.is_some() || param.value.unwrap_or_default().is_empty() {
                    return Err(ParseError::Address);
                }
                tag = param.value;
            }
            at = next;
        }
        let end = element_end(bytes, at).ok_or(ParseError::Address)?;
        let raw = slice(bytes, start, at);
        Ok((Self { raw, display, uri, params: slice(bytes, params, at), tag }, end))
    }
}

/// Where the absolute URI that begins at `from` ends: a scheme, a colon, and at least one character more.
#[inline]
fn uri_end(bytes: &[u8], from: usize, class: u16) -> Result<usize, ParseError> {
    let colon = run(bytes, from, SCHEME);
    let rest = colon.wrapping_add(1);
    let end = run(bytes, rest, class);
    if peek(bytes, colon) != b':' || !is(peek(bytes, from), ALPHA) || end == rest {
        return Err(ParseError::Address);
    }
    Ok(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    macro_rules! addresses {
        ($($name:ident $text:literal => $display:literal, $uri:literal, $tag:expr;)*) => {$(
            #[test]
            fn $name() {
                let address = NameAddr::parse($text).unwrap();
                assert_eq!(address.display_name(), $display);
                assert_eq!(address.raw_uri(), $uri);
                let tag: Option<&str> = $tag;
                assert_eq!(address.tag(), tag.map(str::as_bytes));
            }
        )*};
    }

    addresses! {
        quoted_name b"\"A \\\" <B>, C\" <sip:a@b>;tag=1" => b"\"A \\\" <B>, C\"", b"sip:a@b", Some("1");
        token_name b"Alice  van Dyk <sip:a@b>" => b"Alice  van Dyk", b"sip:a@b", None;
        name_without_space b"caller<sip:a@b>;tag=323" => b"caller", b"sip:a@b", Some("323");
        name_beyond_ascii b"J\xC3\xBCrg <sip:a@b>" => b"J\xC3\xBCrg", b"sip:a@b", None;
        brackets b"<sip:a@b;x=y?z=1>;q=1" => b"", b"sip:a@b;x=y?z=1", None;
        bare b"sip:a@b;x=y;tag=2" => b"", b"sip:a@b", Some("2");
        bare_with_spaces b"sip:a@b ;  tag  = 3 ;x" => b"", b"sip:a@b", Some("3");
        folded b"\"A\"\r\n <sip:a@b>\r\n ;\r\n\ttag\r\n =\r\n 4" => b"\"A\"", b"sip:a@b", Some("4");
        other_scheme b"<http://www.example.com/a,b>;tag=5" => b"", b"http://www.example.com/a,b", Some("5");
        name_that_ends_in_a_backslash b"\"A\\\\\" <sip:a@b>" => b"\"A\\\\\"", b"sip:a@b", None;
        slash b"<x:/>" => b"", b"x:/", None;
    }

    #[test]
    fn refused() {
        for text in [
            "",
            "*",
            "%",
            "None",
            "\"",
            "\"A <sip:a@b>",
            "\"A\\\" <sip:a@b>",
            "<>",
            "<sip:>",
            "<:a>",
            "<sip:a@b",
            "sip:",
            "<sip:a@b>x",
            "<sip:a@b>;",
            "<sip:a@b>;;",
            "Bell, A <sip:a@b>",
            "< sip:a@b >",
            "<sip:a@b>;tag",
            "<sip:a@b>;tag=",
            "<sip:a@b>;tag=1;tag=2",
            "sip:a@b?x=y",
            "<a b:c>",
            "\"A\" sip:a@b",
            "<sip:a@b>, <sip:c@d>",
            "a b:c",
        ] {
            assert_eq!(NameAddr::parse(text.as_bytes()), Err(ParseError::Address), "{text}");
        }
    }

    #[test]
    fn parameters() {
        let address = NameAddr::parse(b"<sip:a@b;u>;expires=60;Q=0.33;+sip.instance=\"<urn:uuid:1>\"").unwrap();
        assert_eq!(address.expires(), Some(60));
        assert_eq!(address.q(), Some(330));
        assert_eq!(address.param(b"+SIP.instance"), Some(&b"\"<urn:uuid:1>\""[..]));
        assert_eq!(address.param(b"u"), None);
        for (text, q) in [
            ("1", Some(1000)),
            ("1.000", Some(1000)),
            ("0", Some(0)),
            ("0.5", Some(500)),
            ("1.1", None),
            ("2", None),
            ("", None),
            ("0.1234", None),
            ("0.x", None),
            (".5", None),
        ] {
            let value = format!("<sip:a@b>;q={text};expires=99999999999");
            let address = NameAddr::parse(value.as_bytes()).unwrap();
            assert_eq!(address.q(), q, "{text}");
            assert_eq!(address.expires(), Some(u32::MAX));
        }
        assert_eq!(NameAddr::parse(b"<sip:a@b>;expires=soon").unwrap().expires(), Some(3600));
    }
}
