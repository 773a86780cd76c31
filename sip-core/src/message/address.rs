//! `name-addr` and `addr-spec`: From, To, Contact, Route, Record-Route and their kin (RFC 3261 §20.10).

use super::ParseError;
use super::list::Element;
use super::params::{Params, Places, element_end, read_params};
use super::scan::{
    ALPHA, BARE_URI, DISPLAY, SCHEME, Span, URI, WIDE, alike, decimal_u32, is, peek, run, skip_lws, slice, stands,
    trim_end, unquote,
};
use super::uri::{Parts, Uri};
use super::walk::Walk;

/// An address with its display name and header parameters.
#[derive(Clone, Copy, Debug)]
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
    parts: Parts,
    places: Places,
}

/// The octets say all; of what was found in them more may be known of one than of the other.
impl PartialEq for NameAddr<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.raw == other.raw
    }
}

impl Eq for NameAddr<'_> {}

impl<'a> NameAddr<'a> {
    /// Whether a Route value leads to a SIP URI.
    pub(crate) fn is_route(value: &[u8]) -> bool {
        NameAddr::parse(value).is_ok_and(|route| route.uri().is_ok_and(|uri| uri.is_sip()))
    }

    /// The address that `value` is, all of it.
    ///
    /// # Errors
    /// When it isn't one, or when a comma follows.
    pub fn parse(value: &'a [u8]) -> Result<Self, ParseError> {
        let mut address = Self::EMPTY;
        if address.fill(value, 0) == Some(value.len()) { Ok(address) } else { Err(ParseError::Address) }
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

    /// The value behind which a tag can be written: without an empty one at its end, which a peer could take for the tag.
    pub(crate) fn raw_for_tag(&self) -> &'a [u8] {
        match self.raw.strip_suffix(b"=").unwrap_or(self.raw).split_last_chunk::<4>() {
            Some((before, last)) if self.tag.is_none() && alike(last, b";tag") => before,
            _ => self.raw,
        }
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
    #[cfg_attr(target_pointer_width = "64", inline)]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub fn uri(&self) -> Result<Uri<'a>, ParseError> {
        Uri::found(self.raw_uri(), self.parts)
    }

    /// The header parameters. Those of a URI without brackets are the header's (RFC 3261 §20.10).
    #[must_use]
    #[cfg_attr(target_pointer_width = "64", inline)]
    pub fn params(&self) -> Params<'a> {
        Params::found(self.raw, self.places, self.params)
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

    /// The `tag` parameter: the first one that has a value (RFC 3261 §19.3).
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
    const EMPTY: Self = Self {
        raw: b"",
        display: 0,
        params: 0,
        uri: 0,
        uri_end: 0,
        tag: Span::NONE,
        parts: Parts::NONE,
        places: Places::NONE,
    };
    const ERROR: ParseError = ParseError::Address;

    fn fill(&mut self, bytes: &'a [u8], at: usize) -> Option<usize> {
        self.read::<false>(bytes, at)
    }
}

impl<'a> NameAddr<'a> {
    /// As [`fill`](Element::fill), of From or To, of whose URI most ask for nothing: it is read when somebody does.
    #[cfg_attr(target_pointer_width = "64", inline(never))]
    pub(super) fn fill_unread(&mut self, bytes: &'a [u8], at: usize) -> Option<usize> {
        self.read::<WIDE>(bytes, at)
    }

    /// Reads the address that begins at `at`, and with `UNREAD` leaves what is in a SIP URI for later.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    fn read<const UNREAD: bool>(&mut self, bytes: &'a [u8], at: usize) -> Option<usize> {
        let start = skip_lws(bytes, at);
        let walk = &mut Walk::new(bytes, start);
        let mut display = start;
        let mut from = start;
        let to;
        let mut at;
        match peek(bytes, start) {
            b'<' => {}
            b'"' => {
                display = walk.quoted(start)?;
                from = skip_lws(bytes, display);
            }
            _ => {
                from = walk.run(start, DISPLAY);
                // RFC 4475 §3.1.1.6: white space between the name and the bracket may be missing.
                display = start.wrapping_add(trim_end(slice(bytes, start, from)).len());
            }
        }
        if peek(bytes, from) == b'<' {
            from = from.wrapping_add(1);
            let filled = if UNREAD && stands(bytes, from, b"sip:") {
                self.parts = Parts::UNREAD;
                let (rest, to) = (from.wrapping_add(4), walk.run(from.wrapping_add(4), URI));
                (to != rest && to <= usize::from(u16::MAX)).then_some(to)
            } else {
                self.parts.fill(walk, from)
            };
            to = match filled {
                Some(to) if peek(bytes, to) == b'>' => to,
                _ => self.fill_opaque(bytes, from)?,
            };
            at = to.wrapping_add(1);
        } else if peek(bytes, from) == b':' {
            (display, from) = (start, start);
            to = self.fill_bare(bytes, start)?;
            at = to;
        } else {
            return None;
        }
        let within = |place: usize| place.wrapping_sub(start) as u16;
        self.display = within(display);
        (self.uri, self.uri_end) = (within(from), within(to));
        self.params = within(at);
        let tag = &mut self.tag;
        at = read_params(walk, start, at, &mut self.places, |param| {
            // The first tag counts, and one that is empty is none: both are seen on the wire, and nothing is gained by
            // refusing them.
            if tag.is_none() && param.has_value() && param.is(bytes, b"tag") {
                *tag = Span::new(param.value.wrapping_sub(start), param.end.wrapping_sub(start));
            }
            Some(())
        })?;
        let end = element_end(bytes, at)?;
        if end > usize::from(u16::MAX) {
            return None;
        }
        self.raw = slice(bytes, start, at);
        Some(end)
    }
}

impl NameAddr<'_> {
    /// Takes any absolute URI in brackets, for who does not ask for its parts; gives where it ends.
    #[cold]
    #[inline(never)]
    fn fill_opaque(&mut self, bytes: &[u8], from: usize) -> Option<usize> {
        self.parts = Parts::NONE;
        uri_end(bytes, from, URI).filter(|to| peek(bytes, *to) == b'>')
    }

    /// Reads a URI without brackets: a semicolon, comma or white space ends it, and a question mark is an error
    /// (RFC 3261 §20.10).
    #[inline(never)]
    fn fill_bare(&mut self, bytes: &[u8], start: usize) -> Option<usize> {
        let end = uri_end(bytes, start, BARE_URI)?;
        if let Ok(uri) = Uri::parse(slice(bytes, start, end)) {
            self.parts = uri.parts();
        }
        Some(end)
    }
}

/// Where the absolute URI that begins at `from`, made of octets of this class, ends: a scheme, a colon, and at least one
/// character more.
fn uri_end(bytes: &[u8], from: usize, class: u16) -> Option<usize> {
    let colon = run(bytes, from, SCHEME);
    if peek(bytes, colon) != b':' || !is(peek(bytes, from), ALPHA) {
        return None;
    }
    let rest = colon.wrapping_add(1);
    let end = run(bytes, rest, class);
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
        tag_without_value b"<sip:a@b>;tag" => b"", b"sip:a@b", None;
        tag_that_is_empty b"<sip:a@b>;tag=" => b"", b"sip:a@b", None;
        tag_that_is_empty_in_the_midst b"<sip:a@b>;tag=;x=y" => b"", b"sip:a@b", None;
        two_tags b"<sip:a@b>;tag=1;Tag=2" => b"", b"sip:a@b", Some("1");
        an_empty_tag_and_another b"<sip:a@b>;tag=;tag;tag=2;tag=3" => b"", b"sip:a@b", Some("2");
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
    fn what_is_read_late_is_what_would_have_been_read() {
        for text in [
            "<sip:a@b>;tag=1",
            "\"A\" <sip:a:pw@192.0.2.1:5070;x=y;lr?z=1>;tag=2",
            "<sip:[2001:db8::1]>",
            "<sips:a@b>",
            "<SIP:a@b>",
            "<tel:+358;x=y>",
            "sip:a@b;tag=3",
            // No SIP URIs, which is for who asks to learn.
            "<sip:a@>",
            "<sip:a@b:99999>",
            "<sip:%zz@b>",
            "<sip:@b>",
            "<sip:a@b;>",
            "<sip:[::g]>",
            "<sip:a,b@c d>",
            "<sip:a@b\">",
            "<sip:>",
            "<sip:a@b",
            "<sip:a@b>, <sip:c@d>",
            "<sip:a@b>x",
        ] {
            let (mut early, mut late) = (NameAddr::EMPTY, NameAddr::EMPTY);
            let end = early.fill(text.as_bytes(), 0);
            assert_eq!(late.fill_unread(text.as_bytes(), 0), end, "{text}");
            if end.is_some() {
                assert_eq!(
                    (late.uri(), late.raw_uri(), late.tag()),
                    (early.uri(), early.raw_uri(), early.tag()),
                    "{text}"
                );
                assert_eq!((late, late.raw_params()), (early, early.raw_params()), "{text}");
            }
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
