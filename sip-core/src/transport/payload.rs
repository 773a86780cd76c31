//! What shares a port with SIP.

/// What a datagram holds, by its first octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Payload {
    /// A SIP message, or what has to be parsed to know that it is none.
    Message,
    /// Line ends and nothing else, or nothing at all (RFC 5626 §3.5.1).
    KeepAlive,
    /// Something else whose first octet is 0 to 3: STUN (RFC 7983 §7) and the like.
    NotSip,
}

impl Payload {
    /// What these octets are.
    #[must_use]
    pub fn of(octets: &[u8]) -> Self {
        match octets {
            [0..=3, ..] => Self::NotSip,
            _ if octets.iter().all(|octet| matches!(octet, b'\r' | b'\n')) => Self::KeepAlive,
            _ => Self::Message,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_octets_tell() {
        for octets in [&b""[..], b"\r\n", b"\r\n\r\n", b"\n"] {
            assert_eq!(Payload::of(octets), Payload::KeepAlive);
        }
        for octets in [&b"\x00\x01"[..], b"\x03"] {
            assert_eq!(Payload::of(octets), Payload::NotSip);
        }
        for octets in [&b"\x04"[..], b"INVITE", b"\r\nINVITE", b"\r\n\0"] {
            assert_eq!(Payload::of(octets), Payload::Message);
        }
    }
}
