//! How large a request may be that goes by datagram (RFC 3261 §18.1.1).

/// The largest request that goes by datagram when the path's MTU isn't known, in octets (RFC 3261 §18.1.1).
pub const DATAGRAM_LIMIT: u16 = 1300;

/// The smallest MTU that a path of IPv4 can have (RFC 791 §3.1), in octets.
pub const SMALLEST_MTU: u16 = 576;

/// The largest request that goes by datagram on a path with this MTU, in octets: 200 less than it, for what headers grow
/// by on the way; [`DATAGRAM_LIMIT`] when it isn't known, which is what zero says.
#[must_use]
pub const fn datagram_limit(path_mtu: u16) -> u16 {
    match path_mtu {
        0 => DATAGRAM_LIMIT,
        // No datagram is larger than that: the rule is off.
        u16::MAX => u16::MAX,
        _ => path_mtu.saturating_sub(200),
    }
}

/// The sizes of a request that is too large for a datagram, in octets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Oversize {
    /// With the header names it was written with.
    pub long: u16,
    /// With compact header names.
    pub compact: u16,
    /// What it may have.
    pub limit: u16,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_follows_the_mtu() {
        for (path_mtu, limit) in [(0, 1300), (576, 376), (1500, 1300), (9000, 8800), (65_534, 65_334), (65_535, 65_535)]
        {
            assert_eq!(datagram_limit(path_mtu), limit);
        }
    }
}
