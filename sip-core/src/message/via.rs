//! Via (RFC 3261 §20.42, RFC 3581).

use super::ParseError;
use super::host::{Host, host, ip_of, port, v4, v6_inside};
use super::list::Element;
use super::params::{Params, Place, Places, element_end, read_params};
use super::scan::{LWS, Span, TOKEN, WIDE, alike, decimal_u32, is, peek, run, skip_lws, slice, stands};
use super::walk::Walk;
use crate::transport::{Address, Transport};
use core::net::IpAddr;

/// The seven characters that begin the branch of an RFC 3261 element (§8.1.1.7).
pub const MAGIC_COOKIE: &[u8] = b"z9hG4bK";

/// One Via: the hop that a request took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Via<'a> {
    raw: &'a [u8],
    transport: Span,
    host: Span,
    branch: Span,
    received: Span,
    params: u16,
    port: u16,
    rport: u16,
    has_port: bool,
    rport_kind: Rport,
    places: Places,
}

/// Whether and how the `rport` parameter is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
enum Rport {
    Absent,
    Empty,
    Filled,
}

impl<'a> Via<'a> {
    /// The Via that `value` is, all of it.
    ///
    /// # Errors
    /// When it isn't one, or when a comma follows.
    pub fn parse(value: &'a [u8]) -> Result<Self, ParseError> {
        let mut via = Self::EMPTY;
        if via.fill(value, 0) == Some(value.len()) { Ok(via) } else { Err(ParseError::Via) }
    }

    /// The Via as it is written, without the comma before or behind it.
    #[must_use]
    pub const fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// The transport as it is written.
    #[must_use]
    pub fn transport(&self) -> &'a [u8] {
        self.transport.of(self.raw)
    }

    /// The host of `sent-by`.
    #[must_use]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub fn host(&self) -> Host<'a> {
        Host::checked(self.host_text())
    }

    /// The host of `sent-by` as it is written.
    #[cfg_attr(target_pointer_width = "64", inline)]
    pub(crate) fn host_text(&self) -> &'a [u8] {
        self.host.of(self.raw)
    }

    /// The address that the host of `sent-by` is.
    pub(crate) fn ip(&self) -> Option<IpAddr> {
        ip_of(self.host_text())
    }

    /// The port of `sent-by` when it is written.
    #[must_use]
    pub const fn port(&self) -> Option<u16> {
        if self.has_port { Some(self.port) } else { None }
    }

    /// The parameters.
    #[must_use]
    #[cfg_attr(target_pointer_width = "64", inline)]
    pub fn params(&self) -> Params<'a> {
        Params::found(self.raw, self.places, self.params)
    }

    /// The value of a parameter, empty when it has none; `None` when it isn't there.
    #[must_use]
    pub fn param(&self, name: &[u8]) -> Option<&'a [u8]> {
        self.params().find(name)
    }

    /// Where the branch lies in [`raw`](Self::raw).
    pub(super) fn branch_place(&self) -> Option<(usize, usize)> {
        if self.branch.is_none() { None } else { Some(self.branch.bounds()) }
    }

    /// The `branch` parameter; `None` from an RFC 2543 element.
    #[must_use]
    pub fn branch(&self) -> Option<&'a [u8]> {
        self.branch.get(self.raw)
    }

    /// Whether the branch begins with the magic cookie and goes on behind it (RFC 3261 §8.1.1.7).
    ///
    /// The cookie alone names no transaction, so such a request is matched as RFC 2543 does.
    #[must_use]
    pub fn has_cookie(&self) -> bool {
        let cookie = self.branch().and_then(<[u8]>::split_first_chunk::<7>);
        cookie.is_some_and(|(cookie, rest)| (cookie == MAGIC_COOKIE || alike(cookie, MAGIC_COOKIE)) && !rest.is_empty())
    }

    /// The `received` parameter as it is written.
    #[must_use]
    pub fn received(&self) -> Option<&'a [u8]> {
        self.received.get(self.raw)
    }

    /// The address of the `received` parameter, IPv6 with or without brackets (RFC 5118 §4.5).
    #[must_use]
    pub fn received_ip(&self) -> Option<IpAddr> {
        let text = self.received()?;
        let text = match text {
            [b'[', inside @ .., b']'] => inside,
            _ => text,
        };
        v4(text).map(IpAddr::V4).or_else(|| v6_inside(text).map(IpAddr::V6))
    }

    /// The `rport` parameter (RFC 3581): `None` without it, `Some(None)` when it has no value yet.
    #[must_use]
    pub const fn rport(&self) -> Option<Option<u16>> {
        match self.rport_kind {
            Rport::Absent => None,
            Rport::Empty => Some(None),
            Rport::Filled => Some(Some(self.rport)),
        }
    }

    /// The parameters as they are written, with their first semicolon.
    #[must_use]
    pub fn raw_params(&self) -> &'a [u8] {
        slice(self.raw, usize::from(self.params), self.raw.len())
    }

    /// Whether the request came from elsewhere than its sent-by says, so that `received` has to tell from
    /// where (RFC 3261 §18.2.1); with `rport` always (RFC 3581 §4), and where the sender has written one itself,
    /// for it would choose whom a response hits.
    #[must_use]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub fn needs_received(&self, source: Address) -> bool {
        match source.ip() {
            None => false,
            Some(ip) => self.rport_kind == Rport::Empty || !self.received.is_none() || self.ip() != Some(ip),
        }
    }

    /// Where the response to a request that came from `source` over datagrams goes (RFC 3261 §18.2.2,
    /// RFC 3581 §4).
    ///
    /// That is the source's address, and its port when the Via asks for it with `rport`, else the port of
    /// sent-by. A `maddr` is ignored: it would let a stranger choose whom the response hits.
    #[must_use]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub fn response_address(&self, source: Address) -> Address {
        if self.rport_kind != Rport::Absent {
            return source;
        }
        source.with_port(self.port().unwrap_or(Transport::Udp.default_port()))
    }
}

impl<'a> Element<'a> for Via<'a> {
    const EMPTY: Self = Self {
        raw: b"",
        transport: Span::NONE,
        host: Span::NONE,
        branch: Span::NONE,
        received: Span::NONE,
        params: 0,
        port: 0,
        rport: 0,
        has_port: false,
        rport_kind: Rport::Absent,
        places: Places::NONE,
    };
    const ERROR: ParseError = ParseError::Via;

    fn fill(&mut self, bytes: &'a [u8], at: usize) -> Option<usize> {
        let start = skip_lws(bytes, at);
        let walk = &mut Walk::new(bytes, start);
        let within = |from: usize, to: usize| Span::new(from.wrapping_sub(start), to.wrapping_sub(start));
        let from =
            if WIDE && stands(bytes, start, b"SIP/2.0/") { start.wrapping_add(8) } else { protocol(bytes, start)? };
        let from = skip_lws(bytes, from);
        let to = walk.run(from, TOKEN);
        if to == from || !is(peek(bytes, to), LWS) {
            return None;
        }
        self.transport = within(from, to);
        let from = skip_lws(bytes, to);
        let mut at = host(walk, from)?;
        self.host = within(from, at);
        // RFC 3261 §25.1 COLON: white space may stand on both sides.
        let colon = skip_lws(bytes, at);
        if peek(bytes, colon) == b':' {
            (self.port, at) = port(bytes, skip_lws(bytes, colon.wrapping_add(1)))?;
            self.has_port = true;
        }
        self.params = at.wrapping_sub(start) as u16;
        let mut places = Places::NONE;
        let at =
            read_params(walk, start, at, &mut places, |param| self.take(bytes, param, within(param.value, param.end)))?;
        let end = element_end(bytes, at)?;
        if end > usize::from(u16::MAX) {
            return None;
        }
        self.raw = slice(bytes, start, at);
        self.places = places;
        Some(end)
    }
}

impl Via<'_> {
    /// Takes note of a parameter whose value lies at `value`; `None` when it is refused.
    #[cfg_attr(target_pointer_width = "64", inline)]
    fn take(&mut self, bytes: &[u8], param: Place, value: Span) -> Option<()> {
        match param.name_len() {
            6 if self.branch.is_none() && param.is(bytes, b"branch") && param.has_value() => self.branch = value,
            8 if self.received.is_none() && param.is(bytes, b"received") && param.has_value() => self.received = value,
            5 if self.rport_kind == Rport::Absent && param.is(bytes, b"rport") => {
                self.rport_kind = Rport::Empty;
                if param.has_value() {
                    self.rport = u16::try_from(decimal_u32(slice(bytes, param.value, param.end))?).ok()?;
                    self.rport_kind = Rport::Filled;
                }
            }
            _ => {}
        }
        Some(())
    }
}

/// Reads `protocol-name SLASH protocol-version SLASH` with white space, of any name and version: whether they
/// are ours is for the start line to say. Gives where it ends.
#[inline(never)]
fn protocol(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = start;
    for _ in 0..2 {
        let end = run(bytes, at, TOKEN);
        let slash = skip_lws(bytes, end);
        if end == at || peek(bytes, slash) != b'/' {
            return None;
        }
        at = skip_lws(bytes, slash.wrapping_add(1));
    }
    Some(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::Ipv4Addr;

    macro_rules! vias {
        ($($name:ident $text:literal => $transport:literal, $host:literal, $port:expr, $branch:expr, $rport:expr;)*) => {$(
            #[test]
            fn $name() {
                let via = Via::parse($text).unwrap();
                assert_eq!(via.transport(), $transport);
                assert_eq!(via.host().as_bytes(), $host);
                assert_eq!(via.port(), $port);
                let branch: Option<&str> = $branch;
                assert_eq!(via.branch(), branch.map(str::as_bytes));
                assert_eq!(via.rport(), $rport);
            }
        )*};
    }

    vias! {
        plain b"SIP/2.0/UDP a.example:5062;branch=z9hG4bKx;rport" => b"UDP", b"a.example", Some(5062), Some("z9hG4bKx"), Some(None);
        spaced b"sip / 2.0\r\n / TLS   a.example : 5061 ; branch\r\n = \r\n z9hG4bKy ; rport = 7" => b"TLS", b"a.example", Some(5061), Some("z9hG4bKy"), Some(Some(7));
        old b"SIP/2.0/UDP 192.0.2.1" => b"UDP", b"192.0.2.1", None, None, None;
        v6 b"SIP/2.0/UNKNOWN [2001:db8::1]:5;received=[2001:db8::2];branch=;x" => b"UNKNOWN", b"[2001:db8::1]", Some(5), None, None;
        later_version b"SIP/7.0/UDP a;rport=" => b"UDP", b"a", None, None, Some(None);
    }

    #[test]
    fn refused() {
        for text in [
            "",
            "SIP",
            "SIP/2.0",
            "SIP/2.0/",
            "SIP/2.0/UDP",
            "SIP/2.0/UDP ",
            "SIP/2.0/UDP;branch=x",
            "/2.0/UDP a",
            "SIP/2.0/UDP a:",
            "SIP/2.0/UDP a:x",
            "SIP/2.0/UDP a:65536",
            "SIP/2.0/UDP a;",
            "SIP/2.0/UDP a;;x",
            "SIP/2.0/UDP a b",
            "SIP/2.0/UDP [::1",
            "SIP/2.0/UDP [::g]",
            "SIP/2.0/UDP a;rport=99999",
            "SIP/2.0/UDP a;rport=x",
            "SIP/2.0/UDP a;branch=\"",
            "SIP/2.0/UDP a, SIP/2.0/UDP b",
            "SIP//UDP a",
            "SIP/2.0/ UDP",
            "SIP/2.0/UDP a,",
        ] {
            assert_eq!(Via::parse(text.as_bytes()), Err(ParseError::Via), "{text}");
        }
    }

    #[test]
    fn where_responses_go() {
        let source = Address::v4(Ipv4Addr::new(192, 0, 2, 9), 40_000);
        for (text, port, received) in [
            ("SIP/2.0/UDP 192.0.2.9:5062;branch=z9hG4bKx", 5062, false),
            ("SIP/2.0/UDP 192.0.2.9:5062;branch=z9hG4bKx;received=192.0.2.66", 5062, true),
            ("SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKx", 5060, false),
            ("SIP/2.0/UDP 192.0.2.9:5062;branch=z9hG4bKx;rport", 40_000, true),
            ("SIP/2.0/UDP 192.0.2.8:5062;branch=z9hG4bKx", 5062, true),
            ("SIP/2.0/UDP a.example;branch=z9hG4bKx;maddr=192.0.2.77", 5060, true),
        ] {
            let via = Via::parse(text.as_bytes()).unwrap();
            assert_eq!(via.response_address(source), source.with_port(port), "{text}");
            assert_eq!(via.needs_received(source), received, "{text}");
            assert!(!via.needs_received(Address::NONE));
        }
    }

    #[test]
    fn the_cookie_alone_is_no_branch_of_rfc_3261() {
        for (branch, has) in [("z9hG4bKx", true), ("z9hG4bK", false), ("x", false), ("Z9HG4BKx", true)] {
            let text = format!("SIP/2.0/UDP a;branch={branch}");
            assert_eq!(Via::parse(text.as_bytes()).unwrap().has_cookie(), has);
        }
    }

    #[test]
    fn received_with_and_without_brackets() {
        for text in ["SIP/2.0/UDP a;received=2001:db8::9", "SIP/2.0/UDP a;received=[2001:db8::9]"] {
            assert_eq!(Via::parse(text.as_bytes()).unwrap().received_ip(), "2001:db8::9".parse().ok());
        }
    }
}
