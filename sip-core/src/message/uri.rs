//! URIs (RFC 3261 §19.1): `sip`, `sips`, `tel`, and any other scheme as it stands.

use super::ParseError;
use super::equivalent::same;
use super::host::{Host, host, ip_of, port};
use super::params::Param;
use super::scan::{
    ALPHA, PARAM, PASSWORD, SCHEME, Span, URI, URI_HEADER, USER, WIDE, alike, find, has, is, peek, run, slice, stands,
};
use super::walk::Walk;
use core::net::IpAddr;

/// The scheme of a URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
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

/// A URI in its parts; each is a piece of the octets that were parsed, escapes and all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Uri<'a> {
    raw: &'a [u8],
    parts: Parts,
}

/// Where the parts of a URI lie, counted from its first octet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(crate) struct Parts {
    user: Span,
    password: Span,
    host: Span,
    params: Span,
    headers: Span,
    port: u16,
    has_port: bool,
    kind: Kind,
}

/// What a scheme is, without its letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
enum Kind {
    /// The URI breaks the grammar of its scheme.
    Broken,
    /// It begins with `sip:`, and the rest was not looked at yet.
    Unread,
    Sip,
    Sips,
    Tel,
    Other,
}

impl Parts {
    /// The parts of a URI that is broken.
    pub(crate) const NONE: Self = Self {
        user: Span::NONE,
        password: Span::NONE,
        host: Span::NONE,
        params: Span::NONE,
        headers: Span::NONE,
        port: 0,
        has_port: false,
        kind: Kind::Broken,
    };

    /// The parts of a SIP URI that nobody has read yet.
    pub(crate) const UNREAD: Self = Self { kind: Kind::Unread, ..Self::NONE };

    /// Whether there are header components behind a `?`.
    pub(crate) const fn has_headers(&self) -> bool {
        !self.headers.is_none()
    }

    /// Reads the URI that begins at `from`; gives where it ends.
    #[cfg_attr(target_pointer_width = "64", inline)]
    pub(crate) fn fill(&mut self, walk: &mut Walk<'_>, from: usize) -> Option<usize> {
        let end = if WIDE && stands(walk.bytes, from, b"sip:") {
            self.kind = Kind::Sip;
            self.read_sip(walk, from, from.wrapping_add(4))
        } else {
            self.read_scheme(walk, from)
        }?;
        (end <= usize::from(u16::MAX)).then_some(end)
    }

    /// Reads a URI whose scheme is not just `sip`.
    #[inline(never)]
    fn read_scheme(&mut self, walk: &mut Walk<'_>, from: usize) -> Option<usize> {
        let colon = walk.run(from, SCHEME);
        if peek(walk.bytes, colon) != b':' || !is(peek(walk.bytes, from), ALPHA) {
            return None;
        }
        let name = slice(walk.bytes, from, colon);
        let at = colon.wrapping_add(1);
        self.kind = match name {
            _ if alike(name, b"sip") => Kind::Sip,
            _ if alike(name, b"sips") => Kind::Sips,
            _ if alike(name, b"tel") => Kind::Tel,
            _ => Kind::Other,
        };
        match self.kind {
            Kind::Sip | Kind::Sips => self.read_sip(walk, from, at),
            Kind::Tel | Kind::Other | Kind::Broken | Kind::Unread => self.read_opaque(walk, from, at),
        }
    }

    /// Reads what follows the colon of a SIP URI; gives where it ends.
    fn read_sip(&mut self, walk: &mut Walk<'_>, from: usize, start: usize) -> Option<usize> {
        let bytes = walk.bytes;
        let within = |begin: usize, end: usize| Span::new(begin.wrapping_sub(from), end.wrapping_sub(from));
        let mut at = start;
        // What begins like a user is one when an `@` follows it (RFC 3261 §19.1.1).
        let user_end = walk.run_escaped(start, USER)?;
        let mut end = user_end;
        if peek(bytes, user_end) == b':' {
            end = walk.run_escaped(user_end.wrapping_add(1), PASSWORD)?;
        }
        if peek(bytes, end) == b'@' {
            if user_end == start {
                return None;
            }
            self.user = within(start, user_end);
            if end != user_end {
                self.password = within(user_end.wrapping_add(1), end);
            }
            at = end.wrapping_add(1);
        }
        let end = host(walk, at)?;
        self.host = within(at, end);
        at = end;
        if peek(bytes, at) == b':' {
            (self.port, at) = port(bytes, at.wrapping_add(1))?;
            self.has_port = true;
        }
        if peek(bytes, at) == b';' {
            let params = at;
            while peek(bytes, at) == b';' {
                let name = at.wrapping_add(1);
                at = walk.run_escaped(name, PARAM)?;
                if at == name {
                    return None;
                }
                while peek(bytes, at) == b'=' {
                    at = walk.run_escaped(at.wrapping_add(1), PARAM)?;
                }
            }
            self.params = within(params, at);
        }
        if peek(bytes, at) == b'?' {
            let headers = at.wrapping_add(1);
            at = walk.run_escaped(headers, URI_HEADER)?;
            if at == headers {
                return None;
            }
            self.headers = within(headers, at);
        }
        Some(at)
    }

    /// Reads what follows the colon of any other URI; gives where it ends.
    fn read_opaque(&mut self, walk: &mut Walk<'_>, from: usize, start: usize) -> Option<usize> {
        let end = walk.run(start, URI);
        if start == end {
            return None;
        }
        if self.kind == Kind::Tel {
            let within = |begin: usize, end: usize| Span::new(begin.wrapping_sub(from), end.wrapping_sub(from));
            let number = slice(walk.bytes, start, end);
            let digits = number.iter().position(|octet| *octet == b';').unwrap_or(number.len());
            let semicolon = start.wrapping_add(digits);
            self.user = within(start, semicolon);
            self.params = within(semicolon, end);
        }
        Some(end)
    }
}

/// Whether a URI that has been checked is a `sips` one.
#[cfg_attr(not(target_pointer_width = "64"), inline(never))]
pub(crate) fn is_sips(uri: &[u8]) -> bool {
    uri.first_chunk::<5>().is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"sips:"))
}

impl<'a> Uri<'a> {
    /// The URI that `raw` is, all of it.
    ///
    /// # Errors
    /// When it has no scheme, white space in it, breaks the grammar of a SIP URI, or has more than 65,535 octets.
    pub fn parse(raw: &'a [u8]) -> Result<Self, ParseError> {
        let mut uri = Self { raw, parts: Parts::NONE };
        match uri.parts.fill(&mut Walk::new(raw, 0), 0) {
            Some(end) if end == raw.len() => Ok(uri),
            _ => Err(ParseError::Uri),
        }
    }

    /// The URI that was read before, or found and [not read](Parts::UNREAD): then it is now.
    ///
    /// # Errors
    /// When it breaks the grammar of its scheme.
    #[cfg_attr(target_pointer_width = "64", inline)]
    pub(super) fn found(raw: &'a [u8], parts: Parts) -> Result<Self, ParseError> {
        let mut uri = Self { raw, parts };
        // Nothing is left unread where code has to be small.
        if WIDE && uri.parts.kind == Kind::Unread {
            uri.read();
        }
        if uri.parts.kind == Kind::Broken { Err(ParseError::Uri) } else { Ok(uri) }
    }

    /// Reads what begins with `sip:`.
    #[inline(never)]
    fn read(&mut self) {
        self.parts.kind = Kind::Sip;
        if self.parts.read_sip(&mut Walk::new(self.raw, 4), 0, 4) != Some(self.raw.len()) {
            self.parts.kind = Kind::Broken;
        }
    }

    /// Where its parts lie.
    pub(crate) const fn parts(&self) -> Parts {
        self.parts
    }

    /// The URI that was read before.
    #[cfg_attr(target_pointer_width = "64", inline)]
    pub(crate) const fn of(raw: &'a [u8], parts: Parts) -> Self {
        Self { raw, parts }
    }

    /// The URI as it is written.
    #[must_use]
    pub const fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// The scheme.
    #[must_use]
    #[cfg_attr(target_pointer_width = "64", inline)]
    pub fn scheme(&self) -> Scheme<'a> {
        match self.parts.kind {
            Kind::Sip => Scheme::Sip,
            Kind::Sips => Scheme::Sips,
            Kind::Tel => Scheme::Tel,
            Kind::Other | Kind::Broken | Kind::Unread => Scheme::Other(slice(self.raw, 0, run(self.raw, 0, SCHEME))),
        }
    }

    /// Whether both have one scheme, of those that are known.
    pub(super) fn same_scheme(&self, other: &Uri<'_>) -> bool {
        self.parts.kind == other.parts.kind
    }

    /// Whether the scheme is `sip`, `sips` or `tel`.
    pub(crate) const fn is_known(&self) -> bool {
        !matches!(self.parts.kind, Kind::Other | Kind::Broken | Kind::Unread)
    }

    /// Whether the scheme is `sips`.
    pub(crate) const fn is_sips(&self) -> bool {
        matches!(self.parts.kind, Kind::Sips)
    }

    /// Whether the scheme is `sip` or `sips`.
    #[must_use]
    pub const fn is_sip(&self) -> bool {
        matches!(self.parts.kind, Kind::Sip | Kind::Sips)
    }

    /// The user part with its escapes; of a `tel` URI the number.
    #[must_use]
    pub fn user(&self) -> Option<&'a [u8]> {
        self.parts.user.get(self.raw)
    }

    /// The password with its escapes.
    #[must_use]
    pub fn password(&self) -> Option<&'a [u8]> {
        self.parts.password.get(self.raw)
    }

    /// The host; an empty name when the scheme is neither `sip` nor `sips`.
    #[must_use]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub fn host(&self) -> Host<'a> {
        Host::checked(self.host_text())
    }

    /// The host as it is written.
    #[cfg_attr(target_pointer_width = "64", inline)]
    pub(crate) fn host_text(&self) -> &'a [u8] {
        self.parts.host.of(self.raw)
    }

    /// The address that the host is.
    pub(crate) fn ip(&self) -> Option<IpAddr> {
        ip_of(self.host_text())
    }

    /// The port that is written.
    #[must_use]
    pub const fn port(&self) -> Option<u16> {
        if self.parts.has_port { Some(self.parts.port) } else { None }
    }

    /// The parameters.
    #[must_use]
    pub fn params(&self) -> UriParams<'a> {
        UriParams::new(self.raw, self.parts.params, b';')
    }

    /// The parameters as they are written, with their first semicolon.
    #[must_use]
    pub fn raw_params(&self) -> &'a [u8] {
        self.parts.params.of(self.raw)
    }

    /// The header components behind the `?`, as they are written; empty when there are none.
    #[must_use]
    pub fn headers(&self) -> &'a [u8] {
        self.parts.headers.of(self.raw)
    }

    /// The header components behind the `?`, one by one.
    #[must_use]
    pub fn header_components(&self) -> UriParams<'a> {
        UriParams::new(self.raw, self.parts.headers, b'&')
    }

    /// The value of a parameter with its escapes, empty when it has none; `None` when it isn't there.
    #[must_use]
    pub fn param(&self, name: &[u8]) -> Option<&'a [u8]> {
        if self.parts.params.is_none() {
            return None;
        }
        // Escapes in a name are rare (§19.1.4).
        let is = |found: &[u8]| alike(found, name) || has(found, b'%') && same(found, name, true);
        self.params().find(|param| is(param.name)).map(|param| param.value.unwrap_or_default())
    }

    /// The values of the first parameters of these names, as [`param`](Self::param) gives each, in one walk.
    #[cfg_attr(target_pointer_width = "64", inline)]
    pub(crate) fn find_params<const N: usize>(&self, names: [&[u8]; N]) -> [Option<&'a [u8]>; N] {
        let mut values = [None; N];
        if self.parts.params.is_none() {
            return values;
        }
        for param in self.params() {
            let escaped = has(param.name, b'%');
            for (name, value) in names.iter().zip(values.iter_mut()) {
                let is = alike(param.name, name) || escaped && same(param.name, name, true);
                if is && value.is_none() {
                    *value = Some(param.value.unwrap_or_default());
                }
            }
        }
        values
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
}

/// The parameters or header components of a URI.
#[derive(Clone, Debug)]
pub struct UriParams<'a> {
    /// The URI, up to the end of what is given.
    bytes: &'a [u8],
    at: usize,
    separator: u8,
}

impl<'a> UriParams<'a> {
    #[cfg_attr(target_pointer_width = "64", inline)]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    fn new(raw: &'a [u8], place: Span, separator: u8) -> Self {
        let (from, to) = place.bounds();
        Self { bytes: slice(raw, 0, to), at: from, separator }
    }

    /// What has not been read yet, as it is written.
    pub(super) fn rest(&self) -> &'a [u8] {
        slice(self.bytes, self.at, self.bytes.len())
    }
}

impl<'a> Iterator for UriParams<'a> {
    type Item = Param<'a>;

    #[cfg_attr(target_pointer_width = "64", inline)]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    fn next(&mut self) -> Option<Self::Item> {
        let bytes = self.bytes;
        let from = if peek(bytes, self.at) == self.separator { self.at.wrapping_add(1) } else { self.at };
        if from >= bytes.len() {
            return None;
        }
        let end = find(bytes, from, self.separator);
        self.at = end;
        let equal = find(bytes, from, b'=');
        if equal >= end {
            return Some(Param { name: slice(bytes, from, end), value: None });
        }
        Some(Param { name: slice(bytes, from, equal), value: Some(slice(bytes, equal.wrapping_add(1), end)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::Ipv4Addr;

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
}
