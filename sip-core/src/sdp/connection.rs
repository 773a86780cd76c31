//! Connection addresses: `c=` and `a=rtcp` (RFC 8866 §5.7, RFC 3605).

use super::SdpError;
use super::line::{cut, field, fields, is_field, number_u16};
use crate::message::host::{v4, v6_inside as v6};
use crate::message::scan::{HOST, alike, run};
use core::net::IpAddr;

/// What an address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum AddressKind {
    /// An IPv4 address.
    V4,
    /// An IPv6 address.
    V6,
    /// A host name.
    Name,
    /// An address of another network than the Internet (RFC 8866 §5.7 `nettype`), which is not looked into.
    Other,
}

/// Where media goes: a `c=` line (RFC 8866 §5.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Connection<'a> {
    /// The network type, `IN` for the Internet.
    pub network: &'a [u8],
    /// The address type, `IP4` or `IP6` on the Internet.
    pub address_type: &'a [u8],
    /// What the address is.
    pub kind: AddressKind,
    /// The address as it is written, without `/` and what follows; an IPv6 address has no brackets.
    pub address: &'a [u8],
    /// The time to live of an IPv4 multicast address, in hops.
    pub ttl: Option<u8>,
    /// How many multicast addresses follow one another, 1 unless it is said.
    pub count: u16,
}

impl<'a> Connection<'a> {
    /// Reads the value of a `c=` line.
    ///
    /// # Errors
    /// [`SdpError::Connection`] when it has not three fields, or the address is not of its type.
    pub fn parse(value: &'a [u8]) -> Result<Self, SdpError> {
        fields(value).and_then(connection).ok_or(SdpError::Connection)
    }

    /// Whether this is what would be read of the line that it is written as.
    pub(super) fn is_writable(&self) -> bool {
        let parts = [self.network, self.address_type, self.address];
        let bare = Self { ttl: None, count: 1, ..*self };
        // An IPv4 address has its count behind its time to live, and no other one has such a time.
        let is_v4 = self.kind != AddressKind::Other && alike(self.address_type, b"IP4");
        let counts = self.kind != AddressKind::Other && (!is_v4 || self.ttl.is_some());
        parts.iter().all(|part| is_field(part))
            && connection(parts) == Some(bare)
            && (self.ttl.is_none() || is_v4)
            && self.count != 0
            && (self.count == 1 || counts)
    }

    /// The IP address; `None` for a name and for other networks.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        match self.kind {
            AddressKind::V4 => v4(self.address).map(IpAddr::V4),
            AddressKind::V6 => v6(self.address).map(IpAddr::V6),
            AddressKind::Name | AddressKind::Other => None,
        }
    }

    /// Whether this is 0.0.0.0 or ::, by which old peers put a stream on hold (RFC 3264 §8.4, RFC 2543 §B.5).
    #[must_use]
    pub fn is_unspecified(&self) -> bool {
        self.ip().is_some_and(|ip| ip.is_unspecified())
    }
}

fn connection<'a>([network, address_type, value]: [&'a [u8]; 3]) -> Option<Connection<'a>> {
    let whole = Connection { network, address_type, kind: AddressKind::Other, address: value, ttl: None, count: 1 };
    if !alike(network, b"IN") {
        return Some(whole);
    }
    let (address, rest) = cut(value, b'/');
    let is_v4 = alike(address_type, b"IP4");
    let kind = if is_v4 && v4(address).is_some() {
        AddressKind::V4
    } else if !is_v4 && !alike(address_type, b"IP6") {
        return Some(whole);
    } else if !is_v4 && v6(address).is_some() {
        AddressKind::V6
    } else if is_name(address) {
        AddressKind::Name
    } else {
        return None;
    };
    let (mut ttl, mut count) = (None, rest);
    if let (true, Some(rest)) = (is_v4, rest) {
        let (hops, rest) = cut(rest, b'/');
        ttl = Some(number_u16(hops).ok().and_then(|hops| u8::try_from(hops).ok())?);
        count = rest;
    }
    let count = match count {
        Some(count) => number_u16(count).ok().filter(|count| *count != 0)?,
        None => 1,
    };
    Some(Connection { kind, address, ttl, count, ..whole })
}

/// Whether this can be a host name; digits and dots alone are an address that is none.
fn is_name(text: &[u8]) -> bool {
    !text.is_empty() && run(text, 0, HOST) == text.len() && text.iter().any(u8::is_ascii_alphabetic)
}

/// Where RTCP goes when it isn't the port after that of RTP: `a=rtcp` (RFC 3605 §2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Rtcp<'a> {
    /// The port.
    pub port: u16,
    /// The address, when it is not that of the media.
    pub connection: Option<Connection<'a>>,
}

impl<'a> Rtcp<'a> {
    /// Reads the value of the attribute.
    ///
    /// # Errors
    /// [`SdpError::Port`], [`SdpError::Connection`].
    pub fn parse(value: &'a [u8]) -> Result<Self, SdpError> {
        let (port, rest) = field(value).ok_or(SdpError::Port)?;
        let port = number_u16(port).map_err(|_| SdpError::Port)?;
        let connection = if field(rest).is_some() { Some(Connection::parse(rest)?) } else { None };
        Ok(Self { port, connection })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_every_kind() {
        for (text, kind, ip, ttl, count) in [
            ("IN IP4 192.0.2.1", AddressKind::V4, "192.0.2.1", None, 1),
            ("IN IP4 0.0.0.0", AddressKind::V4, "0.0.0.0", None, 1),
            ("in ip4 233.252.0.1/127/3", AddressKind::V4, "233.252.0.1", Some(127), 3),
            ("IN IP6 2001:db8::1", AddressKind::V6, "2001:db8::1", None, 1),
            ("IN IP6 ::", AddressKind::V6, "::", None, 1),
            ("IN IP6 ff15::101/3", AddressKind::V6, "ff15::101", None, 3),
            ("IN IP6 ::ffff:192.0.2.1", AddressKind::V6, "::ffff:192.0.2.1", None, 1),
            ("IN IP4 media.example.com", AddressKind::Name, "", None, 1),
            ("IN IP6 media.example.com", AddressKind::Name, "", None, 1),
            ("TN RFC2543 +1-201-406-4090", AddressKind::Other, "", None, 1),
            ("IN X25 1/2", AddressKind::Other, "", None, 1),
        ] {
            let found = Connection::parse(text.as_bytes()).unwrap();
            assert_eq!((found.kind, found.ttl, found.count), (kind, ttl, count), "{text}");
            assert_eq!(found.ip(), ip.parse().ok(), "{text}");
            assert_eq!(found.is_unspecified(), matches!(ip, "0.0.0.0" | "::"));
        }
    }

    #[test]
    fn refused() {
        for text in [
            "",
            "IN",
            "IN IP4",
            "IN IP4 192.0.2.1 x",
            "IN IP4 192.0.2.256",
            "IN IP4 192.0.2",
            "IN IP4 2001:db8::1",
            "IN IP6 192.0.2.1",
            "IN IP6 [2001:db8::1]",
            "IN IP6 2001:db8::1%eth0",
            "IN IP4 a@b",
            "IN IP4 233.252.0.1/256",
            "IN IP4 233.252.0.1/",
            "IN IP4 233.252.0.1/1/0",
            "IN IP4 233.252.0.1/1/4000000000",
            "IN IP4 233.252.0.1/1/1/1",
            "IN IP6 ff15::101/65536",
            "IN IP4 \u{e4}",
        ] {
            assert_eq!(Connection::parse(text.as_bytes()), Err(SdpError::Connection), "{text}");
        }
    }

    #[test]
    fn rtcp() {
        assert_eq!(Rtcp::parse(b"53020"), Ok(Rtcp { port: 53020, connection: None }));
        let found = Rtcp::parse(b"53020 IN IP6 2001:db8::2").unwrap();
        assert_eq!(found.connection.unwrap().ip(), "2001:db8::2".parse().ok());
        assert_eq!(Rtcp::parse(b"65536"), Err(SdpError::Port));
        assert_eq!(Rtcp::parse(b""), Err(SdpError::Port));
        assert_eq!(Rtcp::parse(b"1 IN IP4"), Err(SdpError::Connection));
    }
}
