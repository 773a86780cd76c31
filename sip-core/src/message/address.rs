//! `name-addr` and `addr-spec`: From, To, Contact, Route, Record-Route and their kin (RFC 3261 §20.10).

use super::ParseError;
use super::list::Element;
use super::params::{Params, element_end, next_param};
use super::scan::{
    ALPHA, BARE_URI, DISPLAY, SCHEME, Span, VALUE, decimal_u32, is, peek, quoted, run, run_uri, skip_lws, slice,
    stands, trim, unquote,
};
use super::uri::Uri;

/// An address with its display name and header parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct NameAddr<'a> {
    raw: &'a [u8],
    /// Where the display name ends; zero when there is none.
    display: u16,
    /// Where the parameters begin.
    params: u16,
    uri: u16,
    uri_end: u16,
    tag: Span,
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
    pub fn display_name(&self) -> &'a [u8] {
        slice(self.raw, 0, usize::from(self.display))
    }

    /// The URI as it is written.
    #[must_use]
    pub fn raw_uri(&self) -> &'a [u8] {
        slice(self.raw, usize::from(self.uri), usize::from(self.uri_end))
    }

    /// The URI in its parts.
    ///
    /// # Errors
    /// When it breaks the grammar of its scheme.
    pub fn uri(&self) -> Result<Uri<'a>, ParseError> {
        Uri::parse(self.raw_uri())
    }

    /// The header parameters. Those of a URI without brackets are the header's (RFC 3261 §20.10).
    #[must_use]
    pub fn params(&self) -> Params<'a> {
        Params::new(self.raw_params())
    }

    /// The header parameters as they are written, with their first semicolon.
    #[must_use]
    pub fn raw_params(&self) -> &'a [u8] {
        slice(self.raw, usize::from(self.params), self.raw.len())
    }

    /// The value of a header parameter, quotes included and empty when it has none; `None` when it isn't there.
    #[must_use]
    pub fn param(&self, name: &[u8]) -> Option<&'a [u8]> {
        self.params().find(name)
    }

    /// The `tag` parameter.
    #[must_use]
    pub fn tag(&self) -> Option<&'a [u8]> {
        self.tag.get(self.raw)
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
        q_value(self.param(b"q")?)
    }
}

/// The `qvalue` in thousandths, 0 to 1000 (RFC 3261 §25.1).
#[cfg_attr(target_pointer_width = "64", inline)]
pub(super) fn q_value(value: &[u8]) -> Option<u16> {
    let (whole, fraction) = match value {
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

impl<'a> Element<'a> for NameAddr<'a> {
    #[cfg_attr(target_pointer_width = "64", inline)]
    fn read(bytes: &'a [u8], at: usize) -> Result<(Self, usize), ParseError> {
        read(bytes, at).ok_or(ParseError::Address)
    }
}

fn read(bytes: &[u8], at: usize) -> Option<(NameAddr<'_>, usize)> {
    let start = skip_lws(bytes, at);
    let mut at = start;
    let mut display = start;
    match peek(bytes, at) {
        b'<' => {}
        b'"' => {
            display = quoted(bytes, at)?;
            at = skip_lws(bytes, display);
        }
        _ => {
            let end = run(bytes, at, DISPLAY);
            if peek(bytes, end) == b':' {
                // A URI without brackets: a semicolon, comma or white space ends it, and a question mark is an
                // error (RFC 3261 §20.10).
                let end = uri_end(bytes, start, true)?;
                return finish(bytes, start, start, (start, end), end);
            }
            // RFC 4475 §3.1.1.6: white space between the name and the bracket may be missing.
            display = start.wrapping_add(trim(slice(bytes, start, end)).len());
            at = end;
        }
    }
    if peek(bytes, at) != b'<' {
        return None;
    }
    let from = at.wrapping_add(1);
    let to = uri_end(bytes, from, false)?;
    if peek(bytes, to) != b'>' {
        return None;
    }
    finish(bytes, start, display, (from, to), to.wrapping_add(1))
}

/// Reads the parameters, which begin at `params`.
#[cfg_attr(target_pointer_width = "64", inline)]
fn finish(
    bytes: &[u8],
    start: usize,
    display: usize,
    (from, to): (usize, usize),
    params: usize,
) -> Option<(NameAddr<'_>, usize)> {
    let mut at = params;
    let mut tag = Span::NONE;
    if stands(bytes, at, b";tag=") {
        // The way most write it; what else a value can be is left to the loop.
        let value = at.wrapping_add(5);
        let end = run(bytes, value, VALUE);
        if end != value {
            tag = Span::new(value.wrapping_sub(start), end.wrapping_sub(start));
            at = end;
        }
    }
    while let Some(param) = next_param(bytes, at) {
        let param = param?;
        if param.is(bytes, b"tag") {
            // A second tag, or one that is empty, names no dialog (RFC 3261 §19.3).
            if !tag.is_none() || param.value >= param.end {
                return None;
            }
            tag = Span::new(param.value.wrapping_sub(start), param.end.wrapping_sub(start));
        }
        at = param.end;
    }
    let end = element_end(bytes, at)?;
    if end > usize::from(u16::MAX) {
        return None;
    }
    let within = |place: usize| place.wrapping_sub(start) as u16;
    let address = NameAddr {
        raw: slice(bytes, start, at),
        display: within(display),
        params: within(params),
        uri: within(from),
        uri_end: within(to),
        tag,
    };
    Some((address, end))
}

/// Where the absolute URI that begins at `from` ends: a scheme, a colon, and at least one character more.
#[cfg_attr(target_pointer_width = "64", inline)]
fn uri_end(bytes: &[u8], from: usize, bare: bool) -> Option<usize> {
    let mut rest = from.wrapping_add(4);
    if !stands(bytes, from, b"sip:") {
        let colon = run(bytes, from, SCHEME);
        if peek(bytes, colon) != b':' || !is(peek(bytes, from), ALPHA) {
            return None;
        }
        rest = colon.wrapping_add(1);
    }
    let end = if bare { run(bytes, rest, BARE_URI) } else { run_uri(bytes, rest) };
    (end != rest).then_some(end)
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
