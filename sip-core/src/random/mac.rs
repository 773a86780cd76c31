//! Message authentication codes: what shows later that this element wrote something, and not a stranger.

#[cfg(not(target_pointer_width = "64"))]
use super::{Bits, HashKey, KeyHasher};

/// The key of a code.
///
/// The code is SipHash-2-4 of 128 bits, which its authors made for this: a keyed function whose values nobody predicts
/// without the key, whatever he may have it computed over (Aumasson and Bernstein 2012, §5). The hash of tables is SipHash-1-3,
/// of which that is not claimed, so the codes have rounds of their own here; where registers have 32 bits, both are Chaskey with
/// the twelve rounds of ISO/IEC 29192-6, which is a code by birth. It takes an eighth of what HMAC-SHA-256 takes, and no secret
/// longer than 128 bits is of use to it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MacKey {
    #[cfg(target_pointer_width = "64")]
    halves: (u64, u64),
    #[cfg(not(target_pointer_width = "64"))]
    key: HashKey,
}

impl MacKey {
    /// No key; all zero.
    #[cfg(target_pointer_width = "64")]
    pub(crate) const ZERO: Self = Self { halves: (0, 0) };
    /// No key; all zero.
    #[cfg(not(target_pointer_width = "64"))]
    pub(crate) const ZERO: Self = Self { key: HashKey::ZERO };

    /// The key that a secret of any length gives.
    pub(crate) fn of(secret: &[u8]) -> Self {
        let code = u128::from_le_bytes(Self::ZERO.begin().part(secret).finish());
        Self::new(code as u64, (code >> 64) as u64)
    }

    #[cfg(target_pointer_width = "64")]
    const fn new(low: u64, high: u64) -> Self {
        Self { halves: (low, high) }
    }

    #[cfg(not(target_pointer_width = "64"))]
    const fn new(low: u64, high: u64) -> Self {
        Self { key: HashKey(Bits::new(low, high)) }
    }

    /// Begins a code.
    #[cfg(target_pointer_width = "64")]
    pub(crate) fn begin(self) -> Mac {
        Mac(siphasher::sip128::SipHasher24::new_with_keys(self.halves.0, self.halves.1))
    }

    /// Begins a code.
    #[cfg(not(target_pointer_width = "64"))]
    pub(crate) fn begin(self) -> Mac {
        Mac(self.key.hasher())
    }
}

/// Collects the parts that a code covers; the length of each is covered too, so that parts can't run into each other.
#[derive(Clone, Copy)]
#[cfg(target_pointer_width = "64")]
pub(crate) struct Mac(siphasher::sip128::SipHasher24);

/// Collects the parts that a code covers; the length of each is covered too, so that parts can't run into each other.
#[derive(Clone, Copy)]
#[cfg(not(target_pointer_width = "64"))]
pub(crate) struct Mac(KeyHasher);

#[cfg(target_pointer_width = "64")]
impl Mac {
    /// Adds one part.
    #[must_use]
    pub(crate) fn part(mut self, octets: &[u8]) -> Self {
        self.take(octets, |word| word);
        self
    }

    /// Adds one part, its ASCII letters taken as lower case.
    #[must_use]
    pub(crate) fn part_ignoring_case(mut self, octets: &[u8]) -> Self {
        self.take(octets, super::lower_case);
        self
    }

    fn take(&mut self, octets: &[u8], case: impl Fn(u64) -> u64) {
        use core::hash::Hasher;
        self.0.write_u64(octets.len() as u64);
        let (words, tail) = octets.as_chunks();
        for word in words {
            self.0.write_u64(case(u64::from_le_bytes(*word)));
        }
        if !tail.is_empty() {
            self.0.write_u64(case(super::tail_word(octets, tail)));
        }
    }

    /// The code.
    #[must_use]
    pub(crate) fn finish(self) -> [u8; 16] {
        use siphasher::sip128::Hasher128;
        self.0.finish128().as_bytes()
    }
}

#[cfg(not(target_pointer_width = "64"))]
impl Mac {
    /// Adds one part.
    #[must_use]
    pub(crate) fn part(self, octets: &[u8]) -> Self {
        Self(self.0.part(octets))
    }

    /// Adds one part, its ASCII letters taken as lower case.
    #[must_use]
    pub(crate) fn part_ignoring_case(self, octets: &[u8]) -> Self {
        Self(self.0.part_ignoring_case(octets))
    }

    /// The code.
    #[must_use]
    pub(crate) fn finish(self) -> [u8; 16] {
        let (low, high) = self.0.finish_whole();
        (u128::from(high) << 64 | u128::from(low)).to_le_bytes()
    }
}

/// Whether two codes of one length are the same; takes as long for different ones.
#[must_use]
pub fn same_code(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && one.iter().zip(other).fold(0, |all, (one, other)| all | (one ^ other)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_of_its_key_and_of_its_parts() {
        let (key, other) = (MacKey::of(b"a secret of this server"), MacKey::of(b"a secret of that server"));
        let code = key.begin().part(b"ab").part_ignoring_case(b"C-Long-Enough-Tag").finish();
        assert_eq!(code, key.begin().part(b"ab").part_ignoring_case(b"c-long-enough-tag").finish());
        for differing in [
            other.begin().part(b"ab").part_ignoring_case(b"C-Long-Enough-Tag"),
            key.begin().part(b"a").part_ignoring_case(b"bC-Long-Enough-Tag"),
            key.begin().part(b"ab").part(b"C-Long-Enough-Tag"),
            key.begin().part(b"ab\0").part_ignoring_case(b"C-Long-Enough-Tag"),
        ] {
            assert!(!same_code(&code, &differing.finish()));
        }
        assert!(same_code(b"ab", b"ab") && !same_code(b"ab", b"abc"));
    }

    /// SipHash-2-4 of 128 bits over the length 8 and the word `0706050403020100`, from the same primitive in one piece.
    #[test]
    #[cfg(target_pointer_width = "64")]
    fn words_are_hashed_as_octets_are() {
        let key = MacKey::new(0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908);
        let octets: Vec<u8> = (0..8).collect();
        let whole = [&8_u64.to_le_bytes()[..], &octets].concat();
        let hasher = siphasher::sip128::SipHasher24::new_with_keys(key.halves.0, key.halves.1);
        assert_eq!(key.begin().part(&octets).finish(), hasher.hash(&whole).as_bytes());
        // The value that the authors' program has for fifteen octets (vectors.h of SipHash-128).
        let vector: Vec<u8> = (0..15).collect();
        assert_eq!(hasher.hash(&vector).as_bytes()[..4], [0x54, 0x93, 0xe9, 0x99]);
    }
}
