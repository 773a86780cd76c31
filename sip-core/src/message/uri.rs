//! URIs (RFC 3261 §19.1): `sip`, `sips`, `tel`, and any other scheme as it stands.

use super::ParseError;
use super::params::Param;
use super::scan::{
    ALPHA, DIGIT, HOST, PARAM, PASSWORD, SCHEME, URI, URI_HEADER, USER, decimal, is, peek, run, run_escaped, slice,
};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The scheme of a URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Scheme<'a> {
    /// `sip` (RFC 3261 §19.1).
    Sip,
    /// `sips` (RFC 3261 §19.1).
    Sips,
    /// `tel` (RFC 3966).
    Tel,
    /// Any other, as it is written.
    Other(&'a [u8]),
}

/// The host of a URI or Via.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Host<'a> {
    /// A name.
    Name(&'a [u8]),
    /// An IPv4 address, as it is written.
    V4(&'a [u8]),
    /// An IPv6 address, as it is written, in its brackets.
    V6(&'a [u8]),
}

impl<'a> Host<'a> {
    /// The host that `text` is, all of it; IPv6 in brackets.
    ///
    /// # Errors
    /// When it is neither a name nor an address.
    pub fn parse(text: &'a [u8]) -> Result<Self, ParseError> {
        match host(text, 0) {
            Some((host, end)) if end == text.len() => Ok(host),
            _ => Err(ParseError::Uri),
        }
    }

    /// The address; `None` for a name.
    #[must_use]
    pub fn ip(self) -> Option<IpAddr> {
        match self {
            Self::Name(_) => None,
            Self::V4(text) => v4(text).map(IpAddr::V4),
            Self::V6(text) => v6(text).map(IpAddr::V6),
        }
    }

    /// The host as it is written, an IPv6 address in its brackets.
    #[must_use]
    pub const fn as_bytes(self) -> &'a [u8] {
        match self {
            Self::Name(text) | Self::V4(text) | Self::V6(text) => text,
        }
    }

    /// Whether two hosts are the same one: addresses by value, names in any case.
    #[must_use]
    pub fn same(self, other: Host<'_>) -> bool {
        match (self.ip(), other.ip()) {
            (None, None) => self.as_bytes().eq_ignore_ascii_case(other.as_bytes()),
            (one, two) => one == two,
        }
    }
}

/// Reads the host at `at`; gives it and where it ends.
#[inline]
pub(crate) fn host(bytes: &[u8], at: usize) -> Option<(Host<'_>, usize)> {
    let first = peek(bytes, at);
    if first == b'[' {
        let mut end = at.wrapping_add(1);
        while matches!(peek(bytes, end), b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F' | b':' | b'.') {
            end = end.wrapping_add(1);
        }
        if peek(bytes, end) != b']' {
            return None;
        }
        let end = end.wrapping_add(1);
        let text = slice(bytes, at, end);
        v6(text)?;
        return Some((Host::V6(text), end));
    }
    let end = run(bytes, at, HOST);
    if end == at {
        return None;
    }
    let text = slice(bytes, at, end);
    let host = if is(first, DIGIT) && v4(text).is_some() { Host::V4(text) } else { Host::Name(text) };
    Some((host, end))
}

/// Four numbers of one to three digits, leading zeros read as decimal (RFC 3261 §25.1 `IPv4address`).
fn v4(text: &[u8]) -> Option<Ipv4Addr> {
    let mut octets = [0u8; 4];
    let mut parts = text.split(|octet| *octet == b'.');
    for octet in &mut octets {
        let part = parts.next()?;
        if part.len() > 3 {
            return None;
        }
        *octet = u8::try_from(decimal(part)?).ok()?;
    }
    parts.next().is_none().then(|| Ipv4Addr::from(octets))
}

/// An IPv6 address in brackets. Three colons before an embedded IPv4 address are read as two, because the
/// grammar of RFC 3261 produces them (RFC 5118 §4.10).
fn v6(text: &[u8]) -> Option<Ipv6Addr> {
    let [b'[', inside @ .., b']'] = text else { return None };
    if let Some(address) = core::str::from_utf8(inside).ok().and_then(|inside| inside.parse().ok()) {
        return Some(address);
    }
    let colons = inside.windows(3).position(|part| part == b":::")?;
    if !inside.contains(&b'.') {
        return None;
    }
    let mut buffer = [0u8; 45];
    let mut length: usize = 0;
    for (place, octet) in inside.iter().enumerate() {
        if place != colons {
            *buffer.get_mut(length)? = *octet;
            length = length.wrapping_add(1);
        }
    }
    core::str::from_utf8(buffer.get(..length)?).ok()?.parse().ok()
}

/// The port that the digits at `at` are; gives it and where it ends.
#[inline]
pub(crate) fn port(bytes: &[u8], at: usize) -> Option<(u16, usize)> {
    let end = run(bytes, at, DIGIT);
    let number = decimal(slice(bytes, at, end))?;
    Some((u16::try_from(number).ok()?, end))
}

/// A URI in its parts; each is a piece of the octets that were parsed, escapes and all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Uri<'a> {
    raw: &'a [u8],
    scheme: Scheme<'a>,
    user: Option<&'a [u8]>,
    password: Option<&'a [u8]>,
    host: Host<'a>,
    port: Option<u16>,
    params: &'a [u8],
    headers: &'a [u8],
}

impl<'a> Uri<'a> {
    /// The URI that `raw` is, all of it.
    ///
    /// # Errors
    /// When it has no scheme, white space in it, or breaks the grammar of a SIP URI.
    pub fn parse(raw: &'a [u8]) -> Result<Self, ParseError> {
        Self::read(raw).ok_or(ParseError::Uri)
    }

    fn read(raw: &'a [u8]) -> Option<Self> {
        let colon = run(raw, 0, SCHEME);
        if peek(raw, colon) != b':' || !is(peek(raw, 0), ALPHA) {
            return None;
        }
        let name = slice(raw, 0, colon);
        let at = colon.wrapping_add(1);
        let scheme = match name {
            b"sip" => Scheme::Sip,
            b"sips" => Scheme::Sips,
            _ if name.eq_ignore_ascii_case(b"sip") => Scheme::Sip,
            _ if name.eq_ignore_ascii_case(b"sips") => Scheme::Sips,
            _ if name.eq_ignore_ascii_case(b"tel") => Scheme::Tel,
            _ => Scheme::Other(name),
        };
        match scheme {
            Scheme::Sip | Scheme::Sips => Self::read_sip(raw, at, scheme),
            Scheme::Tel | Scheme::Other(_) => Self::read_opaque(raw, at, scheme),
        }
    }

    fn read_sip(raw: &'a [u8], start: usize, scheme: Scheme<'a>) -> Option<Self> {
        let mut uri = Self {
            raw,
            scheme,
            user: None,
            password: None,
            host: Host::Name(b""),
            port: None,
            params: b"",
            headers: b"",
        };
        let mut at = start;
        // What begins like a user is one when an `@` follows it (RFC 3261 §19.1.1).
        let user_end = run_escaped(raw, start, USER)?;
        let end =
            if peek(raw, user_end) == b':' { run_escaped(raw, user_end.wrapping_add(1), PASSWORD)? } else { user_end };
        if peek(raw, end) == b'@' {
            if user_end == start {
                return None;
            }
            uri.user = Some(slice(raw, start, user_end));
            if end != user_end {
                uri.password = Some(slice(raw, user_end.wrapping_add(1), end));
            }
            at = end.wrapping_add(1);
        }
        let (host, mut at) = host(raw, at)?;
        uri.host = host;
        if peek(raw, at) == b':' {
            let (port, end) = port(raw, at.wrapping_add(1))?;
            uri.port = Some(port);
            at = end;
        }
        let params = at;
        while peek(raw, at) == b';' {
            let name = at.wrapping_add(1);
            at = run_escaped(raw, name, PARAM)?;
            if at == name {
                return None;
            }
            while peek(raw, at) == b'=' {
                at = run_escaped(raw, at.wrapping_add(1), PARAM)?;
            }
        }
        uri.params = slice(raw, params, at);
        if peek(raw, at) == b'?' {
            let headers = at.wrapping_add(1);
            at = run_escaped(raw, headers, URI_HEADER)?;
            if at == headers {
                return None;
            }
            uri.headers = slice(raw, headers, at);
        }
        (at == raw.len()).then_some(uri)
    }

    fn read_opaque(raw: &'a [u8], start: usize, scheme: Scheme<'a>) -> Option<Self> {
        if start == raw.len() || run(raw, start, URI) != raw.len() {
            return None;
        }
        let (mut user, mut params) = (None, &b""[..]);
        if scheme == Scheme::Tel {
            let semicolon = raw.iter().position(|octet| *octet == b';').unwrap_or(raw.len());
            user = Some(slice(raw, start, semicolon));
            params = slice(raw, semicolon, raw.len());
        }
        Some(Self { raw, scheme, user, password: None, host: Host::Name(b""), port: None, params, headers: b"" })
    }

    /// The URI as it is written.
    #[must_use]
    pub const fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// The scheme.
    #[must_use]
    pub const fn scheme(&self) -> Scheme<'a> {
        self.scheme
    }

    /// Whether the scheme is `sip` or `sips`.
    #[must_use]
    pub const fn is_sip(&self) -> bool {
        matches!(self.scheme, Scheme::Sip | Scheme::Sips)
    }

    /// The user part with its escapes; of a `tel` URI the number.
    #[must_use]
    pub const fn user(&self) -> Option<&'a [u8]> {
        self.user
    }

    /// The password with its escapes.
    #[must_use]
    pub const fn password(&self) -> Option<&'a [u8]> {
        self.password
    }

    /// The host; an empty name when the scheme is neither `sip` nor `sips`.
    #[must_use]
    pub const fn host(&self) -> Host<'a> {
        self.host
    }

    /// The port that is written.
    #[must_use]
    pub const fn port(&self) -> Option<u16> {
        self.port
    }

    /// The parameters.
    #[must_use]
    pub const fn params(&self) -> UriParams<'a> {
        UriParams { rest: self.params, separator: b';' }
    }

    /// The parameters as they are written, with their first semicolon.
    #[must_use]
    pub const fn raw_params(&self) -> &'a [u8] {
        self.params
    }

    /// The header components behind the `?`, as they are written; empty when there are none.
    #[must_use]
    pub const fn headers(&self) -> &'a [u8] {
        self.headers
    }

    /// The header components behind the `?`, one by one.
    #[must_use]
    pub const fn header_components(&self) -> UriParams<'a> {
        UriParams { rest: self.headers, separator: b'&' }
    }

    /// The value of a parameter with its escapes, empty when it has none; `None` when it isn't there.
    #[must_use]
    pub fn param(&self, name: &[u8]) -> Option<&'a [u8]> {
        self.params().find(|param| same(param.name, name, true)).map(|param| param.value.unwrap_or_default())
    }

    /// The `transport` parameter.
    #[must_use]
    pub fn transport(&self) -> Option<&'a [u8]> {
        self.param(b"transport")
    }

    /// The `maddr` parameter.
    #[must_use]
    pub fn maddr(&self) -> Option<&'a [u8]> {
        self.param(b"maddr")
    }

    /// Whether the `lr` parameter is there: its element is a loose router (RFC 3261 §19.1.1).
    #[must_use]
    pub fn is_loose(&self) -> bool {
        self.param(b"lr").is_some()
    }

    /// Whether two URIs are equivalent (RFC 3261 §19.1.4). Schemes other than SIP and SIPS are compared by octets.
    #[must_use]
    pub fn equivalent(&self, other: &Uri<'_>) -> bool {
        if !self.is_sip() || !other.is_sip() {
            return self.raw == other.raw;
        }
        matches!(self.scheme, Scheme::Sip) == matches!(other.scheme, Scheme::Sip)
            && same_optional(self.user, other.user)
            && same_optional(self.password, other.password)
            && self.host.same(other.host)
            && self.port == other.port
            && params_match(self, other)
            && params_match(other, self)
            && headers_match(self, other)
    }
}

/// How many parameters or headers of a URI are compared one by one; URIs with more are compared by octets.
///
/// It bounds the work that a stranger's URI can cause.
const COMPARED: usize = 64;

/// Whether each parameter of `one` is as `other` wants it: equal where both have it, and one that counts
/// for the comparison in both or neither (RFC 3261 §19.1.4).
fn params_match(one: &Uri<'_>, other: &Uri<'_>) -> bool {
    if one.params == other.params {
        return true;
    }
    if one.params().nth(COMPARED).is_some() {
        return false;
    }
    one.params().all(|param| match other.params().find(|found| same(found.name, param.name, true)) {
        Some(found) => same(found.value.unwrap_or_default(), param.value.unwrap_or_default(), true),
        None => {
            ![&b"user"[..], b"ttl", b"method", b"maddr", b"transport"].iter().any(|name| same(param.name, name, true))
        }
    })
}

/// Whether each header of one URI is in the other; the order does not count (RFC 3261 §19.1.4).
fn headers_match(one: &Uri<'_>, other: &Uri<'_>) -> bool {
    if one.headers == other.headers {
        return true;
    }
    if one.header_components().nth(COMPARED).is_some() || other.header_components().nth(COMPARED).is_some() {
        return false;
    }
    let within = |one: &Uri<'_>, other: &Uri<'_>| {
        one.header_components().all(|header| {
            other.header_components().any(|found| {
                same(found.name, header.name, true)
                    && same(found.value.unwrap_or_default(), header.value.unwrap_or_default(), false)
            })
        })
    };
    within(one, other) && within(other, one)
}

fn same_optional(one: Option<&[u8]>, other: Option<&[u8]>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => same(one, other, false),
        (None, None) => true,
        _ => false,
    }
}

/// Whether two pieces of URIs are the same: an escape is the character it stands for, once, unless that
/// character is a reserved one (RFC 3261 §19.1.4, RFC 2396 §2.2).
fn same(one: &[u8], other: &[u8], ignore_case: bool) -> bool {
    if one == other {
        return true;
    }
    let characters = |text| {
        Unescaped { rest: text }.map(move |(octet, escaped): (u8, bool)| {
            let octet = if ignore_case { octet.to_ascii_lowercase() } else { octet };
            (octet, escaped && b";/?:@&=+$,%".contains(&octet))
        })
    };
    characters(one).eq(characters(other))
}

/// The octets of a piece of a URI with the escapes resolved.
#[must_use = "iterators are lazy"]
pub fn unescape_uri(text: &[u8]) -> impl Iterator<Item = u8> + '_ {
    Unescaped { rest: text }.map(|(octet, _)| octet)
}

/// Octets and whether each was escaped.
struct Unescaped<'a> {
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

/// The parameters or header components of a URI.
#[derive(Clone, Debug)]
pub struct UriParams<'a> {
    rest: &'a [u8],
    separator: u8,
}

impl<'a> Iterator for UriParams<'a> {
    type Item = Param<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        if let [first, tail @ ..] = self.rest
            && *first == self.separator
        {
            self.rest = tail;
        }
        if self.rest.is_empty() {
            return None;
        }
        let end = self.rest.iter().position(|octet| *octet == self.separator).unwrap_or(self.rest.len());
        let (param, rest) = self.rest.split_at_checked(end)?;
        self.rest = rest;
        let (name, value) = match param.iter().position(|octet| *octet == b'=') {
            Some(equal) => (slice(param, 0, equal), param.get(equal.wrapping_add(1)..)),
            None => (param, None),
        };
        Some(Param { name, value })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(text: &str) -> Uri<'_> {
        Uri::parse(text.as_bytes()).unwrap_or_else(|_| panic!("{text}"))
    }

    #[test]
    fn parts() {
        let full =
            uri("sip:al%69ce:pw@host.example.com:5070;transport=tcp;lr;x=a=b?Subject=hi%20there&priority=urgent");
        assert_eq!(full.scheme(), Scheme::Sip);
        assert_eq!(full.user(), Some(&b"al%69ce"[..]));
        assert_eq!(full.password(), Some(&b"pw"[..]));
        assert_eq!(full.host(), Host::Name(b"host.example.com"));
        assert_eq!(full.port(), Some(5070));
        assert_eq!(full.transport(), Some(&b"tcp"[..]));
        assert_eq!(full.param(b"x"), Some(&b"a=b"[..]));
        assert!(full.is_loose());
        assert_eq!(full.header_components().count(), 2);
        assert_eq!(full.params().count(), 3);
        let plain = uri("SIPS:example.com");
        assert_eq!((plain.scheme(), plain.user(), plain.port()), (Scheme::Sips, None, None));
        assert_eq!(uri("sip:user;par=u%40example.net@example.com").user(), Some(&b"user;par=u%40example.net"[..]));
        assert_eq!(uri("tel:+12125550100;phone-context=example.com").user(), Some(&b"+12125550100"[..]));
        assert_eq!(
            uri("tel:+12125550100;phone-context=example.com").param(b"phone-context"),
            Some(&b"example.com"[..])
        );
        assert_eq!(uri("http://www.example.com/a?b").scheme(), Scheme::Other(b"http"));
    }

    #[test]
    fn hosts() {
        assert_eq!(uri("sip:a@192.0.2.1").host().ip(), Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1))));
        assert_eq!(uri("sip:a@192.0.2.256").host(), Host::Name(b"192.0.2.256"));
        assert_eq!(uri("sip:[2001:db8::10]:5070").port(), Some(5070));
        assert_eq!(uri("sip:[2001:db8::10:5070]").port(), None);
        let (three, two) = (uri("sip:u@[2001:db8:::192.0.2.1]").host(), uri("sip:u@[2001:db8::192.0.2.1]").host());
        assert!(two.ip().is_some() && three.same(two));
    }

    #[test]
    fn refused() {
        for text in [
            "",
            ":",
            "sip",
            "sip:",
            "sip:@host",
            "sip:a@",
            "sip:a@b@c",
            "sip:2001:db8::10",
            "sip:[2001:db8::10",
            "sip:[]",
            "sip:a@host:",
            "sip:a@host:65536",
            "sip:a@host:x",
            "sip:a@host;",
            "sip:a@host;=x",
            "sip:a@host?",
            "sip:a%",
            "sip:a%4@host",
            "sip:a%4g@host",
            "sip:host%41",
            "sip:a b@host",
            "sip:a@host; lr",
            "<sip:a@host>",
            "1sip:a",
            "sip:a@ho\u{e9}st",
            "http:",
            "http:a b",
            "sip:a@host;x=%",
            "sip:a@host?x=%1",
            "sip:[::1::]",
            "sip:[1:::2]",
        ] {
            assert_eq!(Uri::parse(text.as_bytes()), Err(ParseError::Uri), "{text}");
        }
    }

    #[test]
    fn equivalence() {
        for (one, other) in [
            ("sip:%61lice@Example.com;transport=TCP", "SIP:alice@exaMPle.com;Transport=tcp"),
            ("sip:carol@example.com", "sip:carol@example.com;newparam=5"),
            ("sip:carol@example.com;newparam=5", "sip:carol@example.com;security=on"),
            (
                "sip:a.example;transport=tcp;method=REGISTER?to=sip:b%40c.d",
                "sip:a.example;method=REGISTER;transport=tcp?to=sip:b%40c.d",
            ),
            ("sip:a@b.c?subject=x%20y&priority=urgent", "sip:a@b.c?priority=urgent&subject=x%20y"),
            ("sip:a@[2001:DB8::1]", "sip:a@[2001:db8:0::1]"),
        ] {
            assert!(uri(one).equivalent(&uri(other)) && uri(other).equivalent(&uri(one)), "{one} {other}");
        }
        for (one, other) in [
            ("sip:Alice@b.c", "sip:alice@b.c"),
            ("sip:a@b.c", "sip:a@b.c:5060"),
            ("sip:a@b.c", "sip:a@b.c;transport=udp"),
            ("sip:a@b.c", "sip:a@b.c;maddr=192.0.2.1"),
            ("sip:a@b.c;user=phone", "sip:a@b.c"),
            ("sip:a@b.c;x=1", "sip:a@b.c;x=2"),
            ("sip:a@b.c", "sip:a@b.c?Subject=x"),
            ("sip:a@b.c", "sips:a@b.c"),
            ("sip:a@b.c", "sip:a:p@b.c"),
            ("sip:b.c", "sip:b@b.c"),
            ("sip:a%3Bb@b.c", "sip:a;b@b.c"),
            ("sip:a%2541@b.c", "sip:a%41@b.c"),
            ("sip:b.example.com", "sip:192.0.2.4"),
        ] {
            assert!(!uri(one).equivalent(&uri(other)) && !uri(other).equivalent(&uri(one)), "{one} {other}");
        }
    }

    #[test]
    fn escapes_are_resolved_once() {
        assert!(unescape_uri(b"v%61lue%25%34%31").eq(b"value%41".iter().copied()));
        assert!(unescape_uri(b"%00%").eq(b"\0%".iter().copied()));
        assert!(uri("sip:a@b;%6C%72").is_loose());
    }
}
