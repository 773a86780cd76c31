//! Hosts and ports (RFC 3261 §25.1 `hostport`, RFC 5118).

use super::ParseError;
use super::escape::hex;
use super::scan::{HEX, HOST, alike, number, peek, run_of, slice};
use super::walk::Walk;
use crate::error::Argument;
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
        match host(&mut Walk::new(text, 0), 0) {
            Some(end) if end == text.len() => Ok(Self::checked(text)),
            _ => Err(ParseError::Uri),
        }
    }

    /// The host that `text` is, which was checked before; an empty name when there is none.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(crate) fn checked(text: &'a [u8]) -> Self {
        match text {
            [b'[', ..] => Self::V6(text),
            [b'0'..=b'9', ..] if v4(text).is_some() => Self::V4(text),
            _ => Self::Name(text),
        }
    }

    /// The address; `None` for a name.
    #[must_use]
    pub fn ip(self) -> Option<IpAddr> {
        match self {
            Self::Name(_) => None,
            Self::V4(text) | Self::V6(text) => ip_of(text),
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
            (None, None) => alike(self.as_bytes(), other.as_bytes()),
            (one, two) => one == two,
        }
    }
}

/// Reads the host at `at`; gives where it ends. Whether it is an address is looked at when somebody asks.
#[cfg_attr(target_pointer_width = "64", inline(always))]
pub(crate) fn host(walk: &mut Walk<'_>, at: usize) -> Option<usize> {
    let end = walk.run(at, HOST);
    if end == at { reference(walk.bytes, at) } else { Some(end) }
}

/// Reads the IPv6 address in brackets at `at`.
#[inline(never)]
fn reference(bytes: &[u8], at: usize) -> Option<usize> {
    let mut end = at.wrapping_add(1);
    while matches!(peek(bytes, end), b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F' | b':' | b'.') {
        end = end.wrapping_add(1);
    }
    let end = end.wrapping_add(1);
    v6(slice(bytes, at, end)).map(|_| end)
}

/// The address that the text of a host is which was checked before; `None` for a name.
#[cfg_attr(not(target_pointer_width = "64"), inline(never))]
pub(crate) fn ip_of(text: &[u8]) -> Option<IpAddr> {
    match text {
        [b'[', ..] => v6(text).map(IpAddr::V6),
        _ => v4(text).map(IpAddr::V4),
    }
}

/// Four numbers of one to three digits, leading zeros read as decimal (RFC 3261 §25.1 `IPv4address`).
pub(crate) fn v4(text: &[u8]) -> Option<Ipv4Addr> {
    let digit = |octet: Option<&u8>| octet.map(|octet| octet.wrapping_sub(b'0')).filter(|digit| *digit <= 9);
    let mut octets = text.iter();
    let mut address = 0_u32;
    for place in 0..4 {
        let mut number = u32::from(digit(octets.next())?);
        let mut next = octets.next();
        for _ in 0..2 {
            let Some(more) = digit(next) else { break };
            number = number.wrapping_mul(10).wrapping_add(u32::from(more));
            next = octets.next();
        }
        let ends = if place < 3 { next == Some(&b'.') } else { next.is_none() };
        if !ends || number > 255 {
            return None;
        }
        address = address << 8 | number;
    }
    Some(Ipv4Addr::from(address))
}

/// An IPv6 address in brackets.
fn v6(text: &[u8]) -> Option<Ipv6Addr> {
    match text {
        [b'[', inside @ .., b']'] => v6_inside(inside),
        _ => None,
    }
}

/// An IPv6 address without brackets (RFC 4291 §2.2). Three colons before an embedded IPv4 address are read as two,
/// because the grammar of RFC 3261 produces them (RFC 5118 §4.10).
///
/// Core's own parser can panic as far as the linker knows, and is several times as large.
pub(crate) fn v6_inside(text: &[u8]) -> Option<Ipv6Addr> {
    if !cfg!(feature = "ipv6") {
        return None;
    }
    let mut octets = [0u8; 16];
    let mut length: usize = 0;
    let mut gap = None;
    let mut rest = text;
    loop {
        if let [b':', b':', tail @ ..] = rest {
            if gap.replace(length).is_some() {
                return None;
            }
            rest = match tail {
                [] => break,
                [b':', last @ ..] if v4(last).is_some() => last,
                tail => tail,
            };
        } else if length != 0 {
            rest = rest.strip_prefix(b":")?;
        }
        let free = octets.get_mut(length..)?;
        let digits = run_of(rest, 0, HEX);
        if peek(rest, digits) == b'.' {
            *free.first_chunk_mut()? = v4(rest)?.octets();
            length = length.wrapping_add(4);
            break;
        }
        *free.first_chunk_mut()? = hex_group(slice(rest, 0, digits))?.to_be_bytes();
        length = length.wrapping_add(2);
        rest = slice(rest, digits, rest.len());
        if rest.is_empty() {
            break;
        }
    }
    match gap {
        None if length == 16 => {}
        // The two colons stand for one group at least; what is behind them goes to the end.
        Some(gap) if length < 16 => {
            for (from, to) in (gap..length).rev().zip((0..16).rev()) {
                let octet = octets.get_mut(from).map(core::mem::take)?;
                *octets.get_mut(to)? = octet;
            }
        }
        _ => return None,
    }
    Some(Ipv6Addr::from(octets))
}

/// One to four hexadecimal digits.
fn hex_group(digits: &[u8]) -> Option<u16> {
    if digits.is_empty() || digits.len() > 4 {
        return None;
    }
    digits.iter().try_fold(0u16, |group, digit| Some(group << 4 | u16::from(hex(*digit)?)))
}

/// The port that the digits at `at` are; gives it and where it ends.
#[cfg_attr(target_pointer_width = "64", inline)]
pub(crate) fn port(bytes: &[u8], at: usize) -> Option<(u16, usize)> {
    let (number, end) = number(bytes, at)?;
    Some((u16::try_from(number).ok()?, end))
}

/// The host and the port that `text` is, all of it (RFC 3261 §25.1 `sent-by`, without white space).
#[cfg_attr(target_pointer_width = "64", inline(always))]
pub(crate) fn sent_by(text: &[u8]) -> Option<(Host<'_>, Option<u16>)> {
    let at = host(&mut Walk::new(text, 0), 0)?;
    let (port, end) = match peek(text, at) {
        b':' => port(text, at.wrapping_add(1)).map(|(port, end)| (Some(port), end))?,
        _ => (None, at),
    };
    (end == text.len()).then(|| (Host::checked(slice(text, 0, at)), port))
}

/// The same of a text by which a host is to be reached, in Via and Contact; what is wrong with it.
pub(crate) fn own_sent_by(text: &[u8]) -> Result<(Host<'_>, Option<u16>), Argument> {
    let (host, port) = sent_by(text).ok_or(Argument::SentBy)?;
    if host.ip().is_some_and(|ip| ip.is_unspecified()) {
        return Err(Argument::SentByWildcard);
    }
    if port == Some(0) { Err(Argument::SentByPort) } else { Ok((host, port)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ipv6_addresses() {
        for text in ["::", "::1", "1::", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "1::8", "FE80::aBc"] {
            assert_eq!(v6_inside(text.as_bytes()), Some(text.parse().unwrap()), "{text}");
        }
        for text in ["::1.2.3.4", "1:2:3:4:5:6:1.2.3.4", "::ffff:192.0.2.1", "64:ff9b::192.0.2.33", "1::2:1.2.3.4"] {
            assert_eq!(v6_inside(text.as_bytes()), Some(text.parse().unwrap()), "{text}");
        }
        assert_eq!(v6_inside(b"2001:db8:::192.0.2.1"), v6_inside(b"2001:db8::192.0.2.1"));
        assert_eq!(v6_inside(b":::192.0.2.1"), v6_inside(b"::192.0.2.1"));
        for text in [
            "",
            ":",
            ":::",
            "1",
            "1:",
            ":1",
            "1:2:3:4:5:6:7",
            "1:2:3:4:5:6:7:8:9",
            "1:2:3:4:5:6:7:8::",
            "1::2::3",
            "12345::",
            "1:::2",
            "::1.2.3",
            "::1.2.3.256",
            "1.2.3.4",
            "1:2:3:4:5:6:7:1.2.3.4",
            "::1.2.3.4:1",
            "::g",
            "1::2:",
            "::1 ",
            "1:2",
            "1:::2:1.2.3.4",
        ] {
            assert_eq!(v6_inside(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn ipv4_addresses() {
        for (text, address) in [
            ("1.2.3.4", Some([1, 2, 3, 4])),
            ("255.255.255.255", Some([255; 4])),
            ("010.001.000.09", Some([10, 1, 0, 9])),
            ("256.1.1.1", None),
            ("1.1.1.999", None),
            ("0001.1.1.1", None),
            ("1.1.1.0001", None),
            ("1.1.1", None),
            ("1.1.1.", None),
            (".1.1.1", None),
            ("1..1.1", None),
            ("1.1.1.1.", None),
            ("1.1.1.1.1", None),
            ("1.1.1.1a", None),
            ("1.1.1.1\0", None),
            ("", None),
        ] {
            assert_eq!(v4(text.as_bytes()), address.map(Ipv4Addr::from), "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        /// Without leading zeros, which core takes for octal and refuses.
        #[test]
        fn ipv4_addresses_are_those_of_core(text in "((0|[1-9][0-9]{0,3})?\\.){2,4}(0|[1-9][0-9]{0,3})?[.a]?") {
            prop_assert_eq!(v4(text.as_bytes()), text.parse::<Ipv4Addr>().ok());
        }

        /// What core's parser takes is taken as the same address, and nothing else is but more colons and zeros.
        #[test]
        fn ipv6_addresses_are_those_of_core(text in "([0-9a-f]{0,5}:){0,9}([0-9a-f]{0,5}|[0-9]{1,3}\\.[1-9][0-9]?\\.[1-9]\\.[1-9])") {
            let core = text.parse::<Ipv6Addr>().ok();
            let ours = v6_inside(text.as_bytes());
            prop_assert!(ours == core || core.is_none() && (text.contains(":::") || text.contains(":0") && text.contains('.')), "{:?}", ours);
        }
    }
}
