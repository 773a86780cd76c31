//! Nonces that hold all that a server has to know of them: when and as which they were issued, and a code that shows by whom.

use crate::digest::same_code;
use crate::message::base64url::{digit, value};
use sha2::{Digest, Sha256};

/// Issue time, counter and code, 32, 32 and 64 bits.
type Number = u128;

/// The length of a nonce: its 128 bits, six in a character. One character more would cost each digest of 256 bits another block.
pub(super) const LENGTH: usize = 22;

/// A nonce as it is written: base64url without padding.
pub(super) type Text = [u8; LENGTH];

/// The key of the codes.
pub(super) type Key = [u8; 16];

/// Writes the nonce of this number for a realm. Those of a proxy are none for its registrar, and the other way round.
pub(super) fn write(key: &Key, realm: &[u8], proxy: bool, (issued, counter): (u32, u32)) -> Text {
    let code = code(key, realm, proxy, (issued, counter));
    encode(u128::from(issued) << 96 | u128::from(counter) << 64 | u128::from(u64::from_be_bytes(code)))
}

/// The number of a nonce; `None` when it was not issued here for this realm.
pub(super) fn read(key: &Key, realm: &[u8], proxy: bool, text: &[u8]) -> Option<(u32, u32)> {
    let bits = decode(text.try_into().ok()?)?;
    let number = ((bits >> 96) as u32, (bits >> 64) as u32);
    same_code(&code(key, realm, proxy, number), &(bits as u64).to_be_bytes()).then_some(number)
}

/// The code that shows by whom a nonce was issued: a quarter of the SHA-256 of the key and of what it covers. As three quarters
/// are kept back, nothing can be appended to it, which is what HMAC takes twice the work for; and only the realm has no fixed
/// length, which is not a stranger's to choose.
fn code(key: &Key, realm: &[u8], proxy: bool, (issued, counter): (u32, u32)) -> [u8; 8] {
    let mut hasher = Sha256::new();
    hasher.update(key);
    hasher.update(issued.to_be_bytes());
    hasher.update(counter.to_be_bytes());
    hasher.update([u8::from(proxy)]);
    hasher.update(realm);
    let hash: [u8; 32] = hasher.finalize().into();
    let [a, b, c, d, e, f, g, h, ..] = hash;
    [a, b, c, d, e, f, g, h]
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

    const KEY: Key = [7; 16];

    #[test]
    fn a_nonce_says_when_it_was_issued_and_is_no_one_elses() {
        let text = write(&KEY, b"example.com", false, (1_700_000_000, 5));
        assert!(text.iter().all(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_')));
        assert_eq!(read(&KEY, b"example.com", false, &text), Some((1_700_000_000, 5)));
        assert_eq!(read(&KEY, b"example.com", true, &text), None);
        assert_eq!(read(&KEY, b"example.org", false, &text), None);
        assert_eq!(read(&[8; 16], b"example.com", false, &text), None);
        assert_eq!(read(&KEY, b"example.com", false, &text[..21]), None);
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
        fn what_is_written_is_read(bits: u128) {
            prop_assert_eq!(decode(&encode(bits)), Some(bits));
        }
    }
}
