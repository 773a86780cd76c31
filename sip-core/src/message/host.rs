//! Hosts and ports (RFC 3261 §25.1 `hostport`, RFC 5118).

use super::ParseError;
use super::scan::{DIGIT, decimal, is, peek, run_host, slice};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

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
            Some((kind, end)) if end == text.len() => Ok(kind.of(text)),
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

/// What a host is, for structures that keep only where it lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(crate) enum HostKind {
    Name,
    V4,
    V6,
}

impl HostKind {
    /// The host of this kind that `text` is.
    #[inline]
    pub(crate) const fn of(self, text: &[u8]) -> Host<'_> {
        match self {
            Self::Name => Host::Name(text),
            Self::V4 => Host::V4(text),
            Self::V6 => Host::V6(text),
        }
    }
}

/// Reads the host at `at`; gives its kind and where it ends.
#[inline]
pub(crate) fn host(bytes: &[u8], at: usize) -> Option<(HostKind, usize)> {
    let end = run_host(bytes, at);
    if end == at {
        return reference(bytes, at);
    }
    if is(peek(bytes, at), DIGIT) && v4(slice(bytes, at, end)).is_some() {
        return Some((HostKind::V4, end));
    }
    Some((HostKind::Name, end))
}

/// Reads the IPv6 address in brackets at `at`.
#[inline(never)]
fn reference(bytes: &[u8], at: usize) -> Option<(HostKind, usize)> {
    let mut end = at.wrapping_add(1);
    while matches!(peek(bytes, end), b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F' | b':' | b'.') {
        end = end.wrapping_add(1);
    }
    let end = end.wrapping_add(1);
    v6(slice(bytes, at, end))?;
    Some((HostKind::V6, end))
}

/// Four numbers of one to three digits, leading zeros read as decimal (RFC 3261 §25.1 `IPv4address`).
pub(crate) fn v4(text: &[u8]) -> Option<Ipv4Addr> {
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
    let mut number: u32 = 0;
    let mut end = at;
    while let Some(octet) = bytes.get(end) {
        let digit = octet.wrapping_sub(b'0');
        if digit > 9 {
            break;
        }
        // Below 2¹⁶ before, so below 2³² behind.
        number = number.wrapping_mul(10).wrapping_add(u32::from(digit));
        if number > u32::from(u16::MAX) {
            return None;
        }
        end = end.wrapping_add(1);
    }
    (end != at).then_some((number as u16, end))
}
