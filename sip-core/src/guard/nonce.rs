//! Nonces that hold all that a server has to know of them: when and as which they were issued, and a code that shows by whom.

use crate::digest::{hmac_sha256, same_code};

/// Issue time, counter and code.
const OCTETS: usize = 18;

/// The length of a nonce.
pub(super) const LENGTH: usize = 24;

/// A nonce as it is written: base64url without padding.
pub(super) type Text = [u8; LENGTH];

/// Writes the nonce of this number for a realm. Those of a proxy are none for its registrar, and the other way round.
pub(super) fn write(key: &[u8; 32], realm: &[u8], proxy: bool, (issued, counter): (u32, u32)) -> Text {
    let [a, b, c, d] = issued.to_be_bytes();
    let [e, f, g, h] = counter.to_be_bytes();
    let [i, j, k, l, m, n, o, p, q, r] = code(key, realm, proxy, (issued, counter));
    encode(&[a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r])
}

/// The number of a nonce; `None` when it was not issued here for this realm.
pub(super) fn read(key: &[u8; 32], realm: &[u8], proxy: bool, text: &[u8]) -> Option<(u32, u32)> {
    let [a, b, c, d, e, f, g, h, given @ ..] = decode(text.try_into().ok()?)?;
    let number = (u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h]));
    same_code(&code(key, realm, proxy, number), &given).then_some(number)
}

fn code(key: &[u8; 32], realm: &[u8], proxy: bool, (issued, counter): (u32, u32)) -> [u8; 10] {
    let (issued, counter) = (issued.to_be_bytes(), counter.to_be_bytes());
    let [code @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] =
        hmac_sha256(key, &[&issued, &counter, &[u8::from(proxy)], realm]);
    code
}

fn encode(octets: &[u8; OCTETS]) -> Text {
    let mut text = [0; LENGTH];
    for (group, three) in text.as_chunks_mut::<4>().0.iter_mut().zip(octets.as_chunks::<3>().0) {
        let [a, b, c] = *three;
        let bits = u32::from_be_bytes([0, a, b, c]);
        *group = [18, 12, 6, 0].map(|shift: u32| digit(bits.wrapping_shr(shift) as u8 & 63));
    }
    text
}

fn decode(text: &Text) -> Option<[u8; OCTETS]> {
    let mut octets = [0; OCTETS];
    for (three, group) in octets.as_chunks_mut::<3>().0.iter_mut().zip(text.as_chunks::<4>().0) {
        let mut bits: u32 = 0;
        for character in group {
            bits = bits << 6 | u32::from(value(*character)?);
        }
        let [_, a, b, c] = bits.to_be_bytes();
        *three = [a, b, c];
    }
    Some(octets)
}

/// The character of six bits (RFC 4648 §5).
const fn digit(bits: u8) -> u8 {
    match bits {
        0..=25 => b'A'.wrapping_add(bits),
        26..=51 => b'a'.wrapping_sub(26).wrapping_add(bits),
        52..=61 => b'0'.wrapping_sub(52).wrapping_add(bits),
        62 => b'-',
        _ => b'_',
    }
}

/// The six bits of a character.
const fn value(character: u8) -> Option<u8> {
    Some(match character {
        b'A'..=b'Z' => character.wrapping_sub(b'A'),
        b'a'..=b'z' => character.wrapping_sub(b'a').wrapping_add(26),
        b'0'..=b'9' => character.wrapping_sub(b'0').wrapping_add(52),
        b'-' => 62,
        b'_' => 63,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KEY: [u8; 32] = [7; 32];

    #[test]
    fn a_nonce_says_when_it_was_issued_and_is_no_one_elses() {
        let text = write(&KEY, b"example.com", false, (1_700_000_000, 5));
        assert!(text.iter().all(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_')));
        assert_eq!(read(&KEY, b"example.com", false, &text), Some((1_700_000_000, 5)));
        assert_eq!(read(&KEY, b"example.com", true, &text), None);
        assert_eq!(read(&KEY, b"example.org", false, &text), None);
        assert_eq!(read(&[8; 32], b"example.com", false, &text), None);
        assert_eq!(read(&KEY, b"example.com", false, &text[..23]), None);
        for place in 0..LENGTH {
            for octet in [b'A', b'B', b'=', b'+', 0, 255] {
                let mut forged = text;
                forged[place] = octet;
                let taken = read(&KEY, b"example.com", false, &forged).is_some();
                assert_eq!(taken, forged == text, "{place} {octet}");
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(octets: [u8; OCTETS]) {
            prop_assert_eq!(decode(&encode(&octets)), Some(octets));
        }
    }
}
