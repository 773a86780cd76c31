//! What a host can send by.

use crate::transport::{Address, Transport};
use core::net::IpAddr;

/// The transports and address families that targets are wanted for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Reach(u8);

const V4: u8 = 1 << 6;
const V6: u8 = 1 << 7;

impl Reach {
    /// Nothing.
    pub const NONE: Self = Self(0);

    /// Also by this transport.
    #[must_use]
    pub const fn with(self, transport: Transport) -> Self {
        match transport {
            Transport::None | Transport::Unknown => self,
            _ => Self(self.0 | 1 << transport as u8),
        }
    }

    /// Also to IPv4 addresses.
    #[must_use]
    pub const fn with_v4(self) -> Self {
        Self(self.0 | V4)
    }

    /// Also to IPv6 addresses.
    #[must_use]
    pub const fn with_v6(self) -> Self {
        Self(self.0 | V6)
    }

    /// Whether this transport is there.
    #[must_use]
    pub const fn carries(self, transport: Transport) -> bool {
        self.with(transport).0 == self.0 && !matches!(transport, Transport::None | Transport::Unknown)
    }

    /// Whether IPv4 addresses are reached.
    #[must_use]
    pub const fn has_v4(self) -> bool {
        self.0 & V4 != 0
    }

    /// Whether IPv6 addresses are.
    #[must_use]
    pub const fn has_v6(self) -> bool {
        self.0 & V6 != 0
    }

    /// Whether this address is reached.
    #[must_use]
    pub const fn includes(self, address: Address) -> bool {
        match address.ip() {
            Some(IpAddr::V4(_)) => self.has_v4(),
            Some(IpAddr::V6(_)) => self.has_v6(),
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_added_is_reached_and_nothing_else() {
        let all = [Transport::Udp, Transport::Tcp, Transport::Tls, Transport::Ws, Transport::Wss];
        for one in all {
            let reach = Reach::NONE.with(one).with_v6();
            assert!(
                all.iter().all(|other| reach.carries(*other) == (*other == one)) && !reach.carries(Transport::None)
            );
        }
        let of = |text: &[u8]| Address::literal(text, 1).unwrap();
        assert!(Reach::NONE.with_v6().includes(of(b"::1")) && !Reach::NONE.with_v6().includes(of(b"127.0.0.1")));
        assert!(Reach::NONE.with_v4().includes(of(b"127.0.0.1")) && !Reach::NONE.with_v4().includes(of(b"::1")));
        assert!(!Reach::NONE.with_v4().with_v6().includes(Address::NONE));
        assert_eq!(Reach::NONE.with(Transport::None), Reach::NONE);
    }
}
