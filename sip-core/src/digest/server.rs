//! What a server keeps and computes: HA1s in place of passwords, and message authentication codes under a secret of its own.

use super::blocks::Hash;
use super::response::join;

/// The MD5 of `username:realm:password`, which a server keeps in place of the password (RFC 7616 §3.4.2, §5.10).
#[must_use]
pub fn ha1_md5(username: &[u8], realm: &[u8], password: &[u8]) -> [u8; 16] {
    let mut hasher = Hash::md5();
    join(&[Some(username), Some(realm), Some(password)], &mut |part| hasher.update(part));
    hasher.finish().0.first_chunk().copied().unwrap_or_default()
}

/// The SHA-256 of `username:realm:password`, which a server keeps in place of the password (RFC 8760).
#[must_use]
pub fn ha1_sha256(username: &[u8], realm: &[u8], password: &[u8]) -> [u8; 32] {
    let mut hasher = Hash::sha256();
    join(&[Some(username), Some(realm), Some(password)], &mut |part| hasher.update(part));
    hasher.finish().0
}

/// HMAC-SHA-256 (RFC 2104) of the parts, one behind the other. Parts that can run into each other need their length
/// among them.
#[must_use]
pub fn hmac_sha256(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    let padded = |pad: u8| {
        let mut block = [pad; 64];
        for (octet, key) in block.iter_mut().zip(key) {
            *octet ^= key;
        }
        let mut hasher = Hash::sha256();
        hasher.update(&block);
        hasher
    };
    let mut inner = padded(0x36);
    for part in parts {
        inner.update(part);
    }
    let mut outer = padded(0x5c);
    outer.update(&inner.finish().0);
    outer.finish().0
}

/// The key of [`hmac_sha256`] that a secret of any length gives for one purpose: two purposes share no key.
#[must_use]
pub fn mac_key(secret: &[u8], purpose: &[u8]) -> [u8; 32] {
    let mut hasher = Hash::sha256();
    hasher.update(secret);
    hmac_sha256(&hasher.finish().0, &[purpose])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::same_code;

    fn octets<const N: usize>(hex: &str) -> [u8; N] {
        let mut octets = [0; N];
        for (place, pair) in octets.iter_mut().zip(hex.as_bytes().chunks(2)) {
            *place = u8::from_str_radix(core::str::from_utf8(pair).unwrap(), 16).unwrap();
        }
        octets
    }

    #[test]
    fn codes_are_those_of_rfc_4231() {
        let mut key = [0; 32];
        key[..20].copy_from_slice(&[0x0b; 20]);
        let code = octets("b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
        assert_eq!(hmac_sha256(&key, &[b"Hi ", b"There"]), code);
        let mut key = [0; 32];
        key[..4].copy_from_slice(b"Jefe");
        let code = octets("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
        assert_eq!(hmac_sha256(&key, &[b"what do ya want ", b"for nothing?"]), code);
    }

    #[test]
    fn what_is_kept_of_a_password_is_the_a1_of_rfc_2617_and_of_rfc_7616() {
        let (user, realm, password) = (&b"Mufasa"[..], &b"http-auth@example.org"[..], &b"Circle of Life"[..]);
        assert_eq!(ha1_md5(user, realm, password), octets("3d78807defe7de2157e2b0b6573a855f"));
        let sha = octets("7987c64c30e25f1b74be53f966b49b90f2808aa92faf9a00262392d7b4794232");
        assert_eq!(ha1_sha256(user, realm, password), sha);
    }

    #[test]
    fn a_key_has_one_purpose() {
        assert_ne!(mac_key(b"secret", b"nonce"), mac_key(b"secret", b"flow"));
        assert_ne!(mac_key(b"secret", b"nonce"), mac_key(b"Secret", b"nonce"));
        assert!(same_code(b"ab", b"ab") && !same_code(b"ab", b"aB") && !same_code(b"ab", b"abc"));
    }
}
