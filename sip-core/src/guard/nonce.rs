//! Nonces that hold all that a server has to know of them: when and as which they were issued, and a code that shows by whom and to
//! which host.

use crate::digest::same_code;
use crate::message::base64url::{digit, value};
use crate::random::MacKey;
use crate::transport::Address;
use core::net::IpAddr;

/// Issue time, counter and code, 32, 32 and 64 bits.
type Number = u128;

/// The length of a nonce: its 128 bits, six in a character. One character more would cost each digest of 256 bits another block.
pub(super) const LENGTH: usize = 22;

/// A nonce as it is written: base64url without padding.
pub(super) type Text = [u8; LENGTH];

/// What the code of a nonce covers but for its number: so one of a proxy is none for its registrar, one of a realm none for another,
/// and one that was issued to a host none for another host.
#[derive(Clone, Copy)]
pub(super) struct Scope<'r> {
    pub(super) realm: &'r [u8],
    pub(super) proxy: bool,
    pub(super) host: Host,
}

/// A host as its requests are counted: an IPv4 address, or the network of an IPv6 address, all of whose addresses are one
/// subscriber's (RFC 6177 §2). One host may have many ports.
#[derive(Clone, Copy)]
pub(super) struct Host {
    octets: [u8; 8],
    length: u8,
}

impl Host {
    pub(super) fn of(address: Address) -> Self {
        let (octets, length) = match address.ip() {
            Some(IpAddr::V4(ip)) => (u64::from(ip.to_bits()) << 32, 4),
            Some(IpAddr::V6(ip)) => ((ip.to_bits() >> 64) as u64, 8),
            None => (0, 0),
        };
        Self { octets: octets.to_be_bytes(), length }
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.octets.get(..usize::from(self.length)).unwrap_or_default()
    }
}

/// Writes the nonce of this number.
pub(super) fn write(key: &MacKey, scope: Scope<'_>, (issued, counter): (u32, u32)) -> Text {
    let code = code(key, scope, (issued, counter));
    encode(u128::from(issued) << 96 | u128::from(counter) << 64 | u128::from(u64::from_be_bytes(code)))
}

/// The number of a nonce; `None` when it was not issued here within this scope.
pub(super) fn read(key: &MacKey, scope: Scope<'_>, text: &[u8]) -> Option<(u32, u32)> {
    let bits = decode(text.try_into().ok()?)?;
    let number = ((bits >> 96) as u32, (bits >> 64) as u32);
    same_code(&code(key, scope, number), &(bits as u64).to_be_bytes()).then_some(number)
}

/// The code that shows by whom a nonce was issued: half of the message authentication code of what it covers.
fn code(key: &MacKey, scope: Scope<'_>, (issued, counter): (u32, u32)) -> [u8; 8] {
    let number = u64::from(issued) << 32 | u64::from(counter);
    let code = key.begin().part(&number.to_be_bytes()).part(&[u8::from(scope.proxy)]);
    let [code @ .., _, _, _, _, _, _, _, _] = code.part(scope.host.as_bytes()).part(scope.realm).finish();
    code
}

fn encode(bits: Number) -> Text {
    let mut text = [0; LENGTH];
    let mut rest = bits;
    for character in text.iter_mut().rev() {
        *character = digit(rest as u8 & 63);
        rest >>= 6;
    }
    text
}

fn decode(text: &Text) -> Option<Number> {
    // The first character has two bits.
    let [first, ..] = text;
    if value(*first)? > 3 {
        return None;
    }
    text.iter().try_fold(0, |bits: Number, character| Some(bits << 6 | Number::from(value(*character)?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key() -> MacKey {
        MacKey::of(b"a secret of this server")
    }

    fn scope<'r>(realm: &'r [u8], proxy: bool, host: &str) -> Scope<'r> {
        Scope { realm, proxy, host: Host::of(Address::literal(host.as_bytes(), 5060).unwrap()) }
    }

    #[test]
    fn a_nonce_says_when_it_was_issued_and_is_no_one_elses() {
        let own = scope(b"example.com", false, "192.0.2.1");
        let text = write(&key(), own, (1_700_000_000, 5));
        assert!(text.iter().all(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_')));
        assert_eq!(read(&key(), own, &text), Some((1_700_000_000, 5)));
        assert_eq!(read(&key(), scope(b"example.com", true, "192.0.2.1"), &text), None);
        assert_eq!(read(&key(), scope(b"example.org", false, "192.0.2.1"), &text), None);
        assert_eq!(read(&key(), scope(b"example.com", false, "192.0.2.2"), &text), None);
        assert_eq!(read(&MacKey::of(b"a secret of that server"), own, &text), None);
        assert_eq!(read(&key(), own, &text[..21]), None);
        for place in 0..LENGTH {
            for octet in [b'A', b'B', b'=', b'+', 0, 255] {
                let mut forged = text;
                forged[place] = octet;
                let taken = read(&key(), own, &forged).is_some();
                assert_eq!(taken, forged == text, "{place} {octet}");
            }
        }
    }

    #[test]
    fn the_addresses_of_a_network_of_ipv6_are_one_host() {
        let text = write(&key(), scope(b"r", false, "2001:db8::1"), (1, 5));
        assert_eq!(read(&key(), scope(b"r", false, "2001:db8::ffff:2"), &text), Some((1, 5)));
        assert_eq!(read(&key(), scope(b"r", false, "2001:db8:0:1::1"), &text), None);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(bits: u128) {
            prop_assert_eq!(decode(&encode(bits)), Some(bits));
        }
    }
}
