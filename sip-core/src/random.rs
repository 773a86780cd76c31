//! Branches, tags, Call-IDs and hash keys, all from one seed that the caller gives.

use core::hash::Hasher;
use siphasher::sip::SipHasher13;
use siphasher::sip128::{Hasher128, SipHasher13 as SipHasher128};

/// Sixteen octets of entropy from the caller, the one source of every random value in a role.
///
/// Take them from a hardware generator; tests take them from a number, so that a run can be repeated.
pub type Seed = [u8; 16];

/// A keyed generator: the n-th value is SipHash of n under the seed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Random {
    key: HashKey,
    drawn: u64,
}

impl Random {
    /// The generator before its seed is known; all zero.
    pub const ZERO: Self = Self { key: HashKey { low: 0, high: 0 }, drawn: 0 };

    /// A generator over `seed`.
    #[must_use]
    pub fn new(seed: Seed) -> Self {
        let (low, high) = halves(seed);
        Self { key: HashKey { low, high }, drawn: 0 }
    }

    /// The next 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.drawn = self.drawn.wrapping_add(1);
        let mut hasher = SipHasher13::new_with_keys(self.key.low, self.key.high);
        hasher.write_u64(self.drawn);
        hasher.finish()
    }

    /// A number below `bound`, zero when `bound` is zero.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.bits().checked_rem(bound).unwrap_or(0)
    }

    /// Sixteen characters of `[0-9a-f]`, 64 random bits: a tag, or what follows the magic cookie of a branch.
    pub fn token(&mut self) -> Token {
        Token::new(self.bits())
    }

    /// A key for a hash over what strangers send.
    pub fn hash_key(&mut self) -> HashKey {
        HashKey { low: self.bits(), high: self.bits() }
    }
}

/// Sixteen lower-case hexadecimal characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Token([u8; 16]);

impl Token {
    /// Sixteen octets that are no token; the zero value.
    pub const ZERO: Self = Self([0; 16]);

    /// The token that spells `bits`.
    #[must_use]
    pub fn new(bits: u64) -> Self {
        let mut text = [0; 16];
        let mut rest = bits;
        for octet in text.iter_mut().rev() {
            let digit = (rest & 15) as u8;
            *octet = if digit < 10 { b'0' | digit } else { b'W'.wrapping_add(digit) };
            rest >>= 4;
        }
        Self(text)
    }

    /// The token of these characters; `None` when there are not sixteen.
    #[must_use]
    pub fn read(text: &[u8]) -> Option<Self> {
        Some(Self(text.try_into().ok()?))
    }

    /// The characters.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The key of a SipHash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct HashKey {
    low: u64,
    high: u64,
}

impl HashKey {
    /// The key before a seed is known; all zero.
    pub const ZERO: Self = Self { low: 0, high: 0 };

    /// A hasher of 128 bits under this key: enough that its result stands for the octets themselves.
    #[must_use]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub fn hasher(self) -> KeyHasher {
        KeyHasher(SipHasher128::new_with_keys(self.low, self.high))
    }
}

/// Collects the parts of a key; a part's length is hashed with it, so that parts can't run into each other.
///
/// It takes whole words only, which is what the hash is quick at: the last word of a part is filled up with zeros.
pub struct KeyHasher(SipHasher128);

impl KeyHasher {
    /// Adds one part.
    #[inline]
    #[must_use]
    pub fn part(mut self, octets: &[u8]) -> Self {
        words(&mut self.0, octets, false);
        self
    }

    /// Adds one part, its ASCII letters taken as lower case.
    #[inline]
    #[must_use]
    pub fn part_ignoring_case(mut self, octets: &[u8]) -> Self {
        words(&mut self.0, octets, true);
        self
    }

    /// Adds a number.
    #[inline]
    #[must_use]
    pub fn number(mut self, number: u64) -> Self {
        take_in(&mut self.0, number);
        self
    }

    /// The key.
    #[must_use]
    pub fn finish(self) -> Key {
        let hash = self.0.finish128();
        Key { low: hash.h1, high: hash.h2 }
    }
}

/// A 128-bit keyed hash that stands for the octets it was made of.
///
/// Two different inputs share one only with a chance of 2⁻¹²⁸ for who doesn't know the key, so tables
/// compare keys and keep no copy of branches and Call-IDs to compare.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Key {
    low: u64,
    high: u64,
}

impl Key {
    /// No key; what a free entry holds.
    pub const ZERO: Self = Self { low: 0, high: 0 };

    /// The part of the key that picks a hash bucket.
    #[must_use]
    pub const fn bucket_bits(self) -> u32 {
        self.low as u32
    }

    /// 64 bits of the key, for a To tag that has to be the same for a repeated request.
    #[must_use]
    pub const fn bits(self) -> u64 {
        self.high
    }
}

#[cfg_attr(target_pointer_width = "64", inline)]
#[cfg_attr(not(target_pointer_width = "64"), inline(never))]
fn take_in(hasher: &mut SipHasher128, word: u64) {
    hasher.write_u64(word);
}

/// Hashes the length and the octets, eight at a time.
fn words(hasher: &mut SipHasher128, octets: &[u8], ignore_case: bool) {
    take_in(hasher, octets.len() as u64);
    let mut rest = octets;
    while !rest.is_empty() {
        let word = match rest.split_first_chunk() {
            Some((word, behind)) => {
                rest = behind;
                u64::from_le_bytes(*word)
            }
            None => core::mem::take(&mut rest).iter().rev().fold(0, |word, octet| word << 8 | u64::from(*octet)),
        };
        take_in(hasher, if ignore_case { lower_case(word) } else { word });
    }
}

/// Turns the capital ASCII letters among eight octets into small ones, all at once.
const fn lower_case(word: u64) -> u64 {
    const ONES: u64 = u64::MAX / 255;
    const HIGH: u64 = 0x80 * ONES;
    // With the high bit out of the way no octet carries into the next.
    let low = word & !HIGH;
    let from_a = low.wrapping_add((0x80 - b'A' as u64) * ONES);
    let beyond_z = low.wrapping_add((0x7f - b'Z' as u64) * ONES);
    word | ((from_a ^ beyond_z) & !word & HIGH) >> 2
}

fn halves(seed: Seed) -> (u64, u64) {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = seed;
    (u64::from_le_bytes([a, b, c, d, e, f, g, h]), u64::from_le_bytes([i, j, k, l, m, n, o, p]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_spells_its_bits() {
        assert_eq!(Token::new(0x0123_4567_89ab_cdef).as_bytes(), b"0123456789abcdef");
        assert_eq!(Token::new(0).as_bytes(), b"0000000000000000");
    }

    #[test]
    fn equal_seeds_draw_equal_values() {
        let (mut one, mut two, mut other) = (Random::new([7; 16]), Random::new([7; 16]), Random::new([8; 16]));
        for _ in 0..100 {
            let drawn = one.bits();
            assert_eq!(drawn, two.bits());
            assert_ne!(drawn, other.bits());
        }
    }

    #[test]
    fn eight_octets_become_lower_case_as_one_does() {
        for octet in 0..=u8::MAX {
            for place in 0..8 {
                let mut octets = *b"@AZ[`az{";
                octets[place] = octet;
                let lower = lower_case(u64::from_le_bytes(octets));
                assert_eq!(lower, u64::from_le_bytes(octets.map(|octet| octet.to_ascii_lowercase())));
            }
        }
    }

    #[test]
    fn parts_do_not_run_into_each_other() {
        let key = Random::new([1; 16]).hash_key();
        let joined = key.hasher().part(b"ab").part(b"c").finish();
        assert_ne!(joined, key.hasher().part(b"a").part(b"bc").finish());
        assert_eq!(joined, key.hasher().part_ignoring_case(b"AB").part(b"c").finish());
        assert_ne!(key.hasher().part(b"a").finish(), key.hasher().part(b"a\0").finish());
        assert_ne!(key.hasher().part(b"12345678").finish(), key.hasher().part(b"12345678").part(b"").finish());
    }
}
