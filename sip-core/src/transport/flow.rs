//! Addresses and flows as plain data whose zero value means "none", so that tables of them lie in .bss.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The octets of an address that are kept: those of IPv4 where there is no IPv6.
const IP: usize = if cfg!(feature = "ipv6") { 16 } else { 4 };

/// An IP address and a port. The zero value is no address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Address {
    octets: [u8; IP],
    port: u16,
    family: Family,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
enum Family {
    #[default]
    None = 0,
    V4,
    V6,
}

impl Address {
    /// No address.
    pub const NONE: Self = Self { octets: [0; IP], port: 0, family: Family::None };

    /// An IPv4 address and port.
    #[must_use]
    pub const fn v4(ip: Ipv4Addr, port: u16) -> Self {
        let mut address = Self { port, family: Family::V4, ..Self::NONE };
        if let Some(place) = address.octets.first_chunk_mut() {
            *place = ip.octets();
        }
        address
    }

    /// An IPv6 address and port; none without the feature `ipv6`.
    #[must_use]
    pub const fn v6(ip: Ipv6Addr, port: u16) -> Self {
        if !cfg!(feature = "ipv6") {
            return Self::NONE;
        }
        let mut address = Self { port, family: Family::V6, ..Self::NONE };
        if let Some(place) = address.octets.first_chunk_mut() {
            *place = ip.octets();
        }
        address
    }

    /// An IP address of either family, and a port.
    #[must_use]
    pub const fn new(ip: IpAddr, port: u16) -> Self {
        match ip {
            IpAddr::V4(ip) => Self::v4(ip, port),
            IpAddr::V6(ip) => Self::v6(ip, port),
        }
    }

    /// The address that `host` spells, an IPv6 one in brackets or not; `None` for a name, and for what [`v6`](Self::v6) does not take.
    #[must_use]
    pub fn literal(host: &[u8], port: u16) -> Option<Self> {
        let host = core::str::from_utf8(host).ok()?;
        let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
        Some(Self::new(bare.parse().ok()?, port)).filter(|address| !address.is_none())
    }

    /// The IP address; `None` for the zero value.
    #[must_use]
    pub const fn ip(self) -> Option<IpAddr> {
        let [a, b, c, d, ..] = self.octets;
        match self.family {
            Family::None => None,
            Family::V4 => Some(IpAddr::V4(Ipv4Addr::new(a, b, c, d))),
            Family::V6 => match self.octets.first_chunk() {
                Some(octets) => Some(IpAddr::V6(Ipv6Addr::from_bits(u128::from_be_bytes(*octets)))),
                None => None,
            },
        }
    }

    /// The port.
    #[must_use]
    pub const fn port(self) -> u16 {
        self.port
    }

    /// The same IP address with another port.
    #[must_use]
    pub const fn with_port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Sets the port.
    pub(crate) const fn set_port(&mut self, port: u16) {
        self.port = port;
    }

    /// The octets of the IP address; those of an IPv4 address are followed by zeros.
    pub(crate) const fn octets(&self) -> &[u8] {
        &self.octets
    }

    /// Whether this is the zero value.
    #[must_use]
    pub const fn is_none(self) -> bool {
        matches!(self.family, Family::None)
    }

    /// The address as the standard library has it; `None` for the zero value.
    #[must_use]
    pub const fn socket_addr(self) -> Option<SocketAddr> {
        match self.ip() {
            Some(ip) => Some(SocketAddr::new(ip, self.port)),
            None => None,
        }
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        Self::new(address.ip(), address.port())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.socket_addr() {
            Some(address) => address.fmt(f),
            None => f.write_str("none"),
        }
    }
}

/// The transport protocol of a flow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Transport {
    /// No transport; what a zero [`Flow`] holds.
    #[default]
    None = 0,
    /// Datagrams.
    Udp,
    /// A stream.
    Tcp,
    /// A stream under TLS.
    Tls,
    /// A WebSocket (RFC 7118).
    Ws,
    /// A WebSocket under TLS.
    Wss,
    /// One that a URI names and that is not known here: nothing goes by it, nor by another in its place.
    Unknown,
}

impl Transport {
    /// Whether the transport delivers without retransmission by SIP (RFC 3261 §17). Without the feature `streams` none does.
    #[must_use]
    pub const fn is_reliable(self) -> bool {
        cfg!(feature = "streams") && !matches!(self, Self::None | Self::Udp)
    }

    /// Whether it is encrypted, as a `sips` URI asks for (RFC 3261 §26.2.2).
    #[must_use]
    pub const fn is_secure(self) -> bool {
        matches!(self, Self::Tls | Self::Wss)
    }

    /// The name in a Via.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None | Self::Udp | Self::Unknown => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
            Self::Ws => "WS",
            Self::Wss => "WSS",
        }
    }

    /// The name as our own Via has it: at one length, so that one can be stamped over another. More than one space may stand
    /// behind it (RFC 3261 §25.1 `LWS`).
    pub(crate) const fn stamp(self) -> &'static [u8; 3] {
        match self {
            Self::None | Self::Udp | Self::Unknown => b"UDP",
            Self::Tcp => b"TCP",
            Self::Tls => b"TLS",
            Self::Ws => b"WS ",
            Self::Wss => b"WSS",
        }
    }

    /// The port that is meant when none is written (RFC 3261 §19.1.2).
    #[must_use]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Tls => 5061,
            Self::Ws => 80,
            Self::Wss => 443,
            Self::None | Self::Udp | Self::Tcp | Self::Unknown => 5060,
        }
    }
}

/// The name in a Via.
impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The way a message came or goes: a peer's address over UDP, or one connection, and the end on this side. The zero value is no flow.
///
/// A response goes back on the flow of its request. Two TLS connections to one address are two flows,
/// because their `connection` differs: reuse is never decided by address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
// In this order, as short instructions of Thumb reach an octet among the first 32 only.
#[cfg_attr(target_pointer_width = "32", repr(C))]
pub struct Flow {
    /// The peer.
    pub remote: Address,
    /// The transport.
    pub transport: Transport,
    /// The adapter's number for the end on this side: which of the addresses it listens at; zero where there is one.
    pub listener: u8,
    /// The adapter's number for the connection; zero for datagrams, and for a connection that is still to be opened. The number
    /// of one that was closed is not given to another: what is sent on it later has to fail.
    pub connection: u32,
}

impl Flow {
    /// No flow.
    pub const NONE: Self = Self { remote: Address::NONE, connection: 0, transport: Transport::None, listener: 0 };

    /// The datagram flow to and from `remote`.
    #[must_use]
    pub const fn udp(remote: Address) -> Self {
        Self { remote, transport: Transport::Udp, ..Self::NONE }
    }

    /// The flow to a target: the datagram flow itself, or one whose connection is still to be opened. Without the feature
    /// `streams` there is none of the latter.
    #[must_use]
    pub const fn to(target: Target) -> Self {
        if !cfg!(feature = "streams") && !matches!(target.transport, Transport::None | Transport::Udp) {
            return Self::NONE;
        }
        Self { remote: target.address, transport: target.transport, ..Self::NONE }
    }

    /// Whether a connection has to be opened, or found, before anything can be sent.
    #[must_use]
    pub const fn needs_connection(self) -> bool {
        self.transport.is_reliable() && self.connection == 0
    }

    /// Where the flow leads, without the connection.
    #[must_use]
    pub const fn target(self) -> Target {
        Target { address: self.remote, transport: self.transport }
    }

    /// Whether this is the zero value.
    #[must_use]
    pub const fn is_none(self) -> bool {
        matches!(self.transport, Transport::None)
    }

    /// The length of [`to_octets`](Self::to_octets).
    pub(crate) const OCTETS: usize = 8 + IP;

    /// The flow in octets, to be kept among messages.
    pub(crate) fn to_octets(self) -> [u8; Self::OCTETS] {
        let kind = self.transport as u8 | (self.remote.family as u8) << 4;
        let ([p, q], [c, d, e, f]) = (self.remote.port.to_le_bytes(), self.connection.to_le_bytes());
        let mut octets = [0; Self::OCTETS];
        if let Some((head, ip)) = octets.split_first_chunk_mut() {
            *head = [kind, self.listener, p, q, c, d, e, f];
            for (place, octet) in ip.iter_mut().zip(&self.remote.octets) {
                *place = *octet;
            }
        }
        octets
    }

    /// The flow that these octets begin with.
    pub(crate) fn from_octets(octets: &[u8]) -> Self {
        let Some((&[kind, listener, p, q, c, d, e, f], rest)) = octets.split_first_chunk() else {
            return Self::NONE;
        };
        let Some(ip) = rest.first_chunk() else { return Self::NONE };
        let transport = match kind & 15 {
            1 => Transport::Udp,
            2 => Transport::Tcp,
            3 => Transport::Tls,
            4 => Transport::Ws,
            5 => Transport::Wss,
            6 => Transport::Unknown,
            _ => Transport::None,
        };
        let family = match kind >> 4 & 3 {
            1 => Family::V4,
            2 => Family::V6,
            _ => Family::None,
        };
        let remote = Address { octets: *ip, port: u16::from_le_bytes([p, q]), family };
        Self { remote, connection: u32::from_le_bytes([c, d, e, f]), transport, listener }
    }

    /// Whether room on this flow is room for what waits on `other`: datagrams share a socket.
    #[must_use]
    pub fn carries(self, other: Self) -> bool {
        self == other || self.connection == 0 && self.transport == other.transport && self.listener == other.listener
    }
}

/// An address to try and the transport to try it with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Target {
    /// The peer's address.
    pub address: Address,
    /// The transport.
    pub transport: Transport,
}

/// Names one question to the adapter, a name to resolve or a connection to open, until it is answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Ticket(u64);

impl Ticket {
    /// The ticket with this number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The ticket's number.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }
}

/// Why a flow no longer carries messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum FlowError {
    /// The peer's host says that nothing listens there (ICMP port unreachable, connection refused).
    Refused,
    /// No route, or the network is down.
    Unreachable,
    /// The connection was closed or reset.
    Closed,
    /// One message is larger than the transport carries; others it still carries.
    TooLarge,
    /// Too much waits for this connection already, and this one message was not taken; others may be.
    Congested,
    /// The adapter does not carry this transport.
    Unsupported,
    /// The peer's certificate does not prove the name that was asked for, or nobody who is trusted vouches for it (RFC 5922).
    Certificate,
    /// There is no TLS with the peer for another reason: it speaks none, or refused.
    Handshake,
    /// Anything else.
    Other,
}

impl FlowError {
    /// Whether it says something of one message alone, and the flow lives on.
    #[must_use]
    pub const fn spares_flow(self) -> bool {
        matches!(self, Self::TooLarge | Self::Congested)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_keeps_what_it_was_made_of() {
        for text in ["192.0.2.1:5060", "[2001:db8::1]:5070"] {
            let address: SocketAddr = text.parse().unwrap();
            // Where there is no IPv6 such an address is none, and so equal to no peer's.
            let kept = (address.is_ipv4() || cfg!(feature = "ipv6")).then_some(address);
            assert_eq!(Address::from(address).socket_addr(), kept);
            assert_eq!(Address::from(address).is_none(), kept.is_none());
        }
        assert_eq!(Address::NONE.socket_addr(), None);
        assert_ne!(Address::NONE, Address::v4(Ipv4Addr::UNSPECIFIED, 0));
    }

    #[test]
    fn room_at_one_listener_is_none_at_another() {
        let flow = Flow::udp(Address::v4(Ipv4Addr::LOCALHOST, 5060));
        let other = Flow { remote: flow.remote.with_port(5070), ..flow };
        assert!(flow.carries(flow) && flow.carries(other) && !flow.carries(Flow { listener: 1, ..other }));
    }

    #[test]
    fn a_flow_survives_being_kept_in_octets() {
        for transport in
            [Transport::Udp, Transport::Tcp, Transport::Tls, Transport::Ws, Transport::Wss, Transport::Unknown]
        {
            for text in ["192.0.2.1:5060", "[2001:db8::1]:65535"] {
                let remote = Address::from(text.parse::<SocketAddr>().unwrap());
                let flow = Flow { remote, transport, connection: 0x0102_0304, listener: 9 };
                assert_eq!(Flow::from_octets(&flow.to_octets()), flow);
            }
        }
        assert_eq!(Flow::from_octets(&Flow::NONE.to_octets()), Flow::NONE);
        assert_eq!(Flow::from_octets(&[1; Flow::OCTETS - 1]), Flow::NONE);
    }

    #[test]
    fn literals_are_addresses_and_names_are_not() {
        let v6 = cfg!(feature = "ipv6").then_some(Address::v6(Ipv6Addr::LOCALHOST, 5060));
        assert_eq!(Address::literal(b"[::1]", 5060), v6);
        assert_eq!(Address::literal(b"::1", 5060), v6);
        assert_eq!(Address::literal(b"127.0.0.1", 5070), Some(Address::v4(Ipv4Addr::LOCALHOST, 5070)));
        for name in [&b"example.com"[..], b"", b"[::1", b"\xff", b"1.2.3", b"127.0.0.1:5060"] {
            assert_eq!(Address::literal(name, 5060), None);
        }
    }
}
