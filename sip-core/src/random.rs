//! Branches, tags, Call-IDs and hash keys, all from one seed that the caller gives.

#[cfg(any(test, not(target_pointer_width = "64")))]
#[cfg_attr(target_pointer_width = "64", allow(dead_code, reason = "tested where it is not used"))]
mod chaskey;
mod mac;

#[cfg(not(target_pointer_width = "64"))]
use chaskey::Chaskey as Permutation;
use core::hash::Hasher;
pub(crate) use mac::MacKey;
pub use mac::same_code;
#[cfg(target_pointer_width = "64")]
use sip::Sip as Permutation;

/// SipHash of 128 bits, the quickest where registers have 64.
#[cfg(target_pointer_width = "64")]
mod sip {
    use core::hash::Hasher;
    use siphasher::sip128::{Hasher128, SipHasher13};

    #[derive(Clone, Copy)]
    pub(super) struct Sip(SipHasher13);

    impl Sip {
        pub(super) fn new(low: u64, high: u64) -> Self {
            Self(SipHasher13::new_with_keys(low, high))
        }

        #[inline]
        pub(super) fn word(&mut self, word: u64) {
            self.0.write_u64(word);
        }

        #[inline(always)]
        pub(super) fn finish(&mut self) -> (u64, u64) {
            let hash = self.0.finish128();
            (hash.h1, hash.h2)
        }
    }
}

/// Sixteen octets of entropy from the caller, the one source of every random value in a role.
///
/// Take them from a hardware generator; tests take them from a number, so that a run can be repeated.
pub type Seed = [u8; 16];

/// A keyed generator: the n-th value is the keyed hash of n under the seed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Random {
    key: HashKey,
    drawn: u64,
}

impl Random {
    /// The generator before its seed is known; all zero.
    pub const ZERO: Self = Self { key: HashKey::ZERO, drawn: 0 };

    /// A generator over `seed`.
    #[must_use]
    pub fn new(seed: Seed) -> Self {
        let (low, high) = halves(seed);
        Self { key: HashKey(Bits::new(low, high)), drawn: 0 }
    }

    /// The next 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.drawn = self.drawn.wrapping_add(1);
        self.key.hasher().number(self.drawn).finish().0.low()
    }

    /// A number below `bound`, zero when `bound` is zero.
    pub fn below(&mut self, bound: u32) -> u32 {
        // Random bits as a fraction of the bound, which takes no division.
        ((self.bits() >> 32).wrapping_mul(u64::from(bound)) >> 32) as u32
    }

    /// Sixteen characters of `[0-9a-f]`, 64 random bits: a tag, or what follows the magic cookie of a branch.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub fn token(&mut self) -> Token {
        Token::new(self.bits())
    }

    /// A key for a hash over what strangers send.
    pub fn hash_key(&mut self) -> HashKey {
        HashKey(Bits::new(self.bits(), self.bits()))
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
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub fn new(bits: u64) -> Self {
        let mut text = [0; 16];
        let mut rest = bits;
        if cfg!(not(target_pointer_width = "64")) {
            for place in text.iter_mut().rev() {
                let digit = rest as u8 & 15;
                *place = digit.wrapping_add(if digit < 10 { b'0' } else { b'a' - 10 });
                rest >>= 4;
            }
            return Self(text);
        }
        for place in text.as_chunks_mut().0.iter_mut().rev() {
            *place = spell(rest as u16).to_be_bytes();
            rest >>= 16;
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

/// 128 bits. Where registers have 32, four of them would be taken for each argument of this type: it is an array there, which
/// is passed by its address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
struct Bits {
    #[cfg(target_pointer_width = "64")]
    halves: (u64, u64),
    #[cfg(not(target_pointer_width = "64"))]
    words: [u32; 4],
}

impl Bits {
    #[cfg(target_pointer_width = "64")]
    const fn new(low: u64, high: u64) -> Self {
        Self { halves: (low, high) }
    }

    #[cfg(not(target_pointer_width = "64"))]
    const fn new(low: u64, high: u64) -> Self {
        Self { words: [low as u32, (low >> 32) as u32, high as u32, (high >> 32) as u32] }
    }

    #[cfg(target_pointer_width = "64")]
    const fn low(self) -> u64 {
        self.halves.0
    }

    #[cfg(not(target_pointer_width = "64"))]
    const fn low(self) -> u64 {
        let [low, high, ..] = self.words;
        (high as u64) << 32 | low as u64
    }

    #[cfg(target_pointer_width = "64")]
    const fn high(self) -> u64 {
        self.halves.1
    }

    #[cfg(not(target_pointer_width = "64"))]
    const fn high(self) -> u64 {
        let [.., low, high] = self.words;
        (high as u64) << 32 | low as u64
    }
}

/// The key of a hash: SipHash with pointers of 64 bits, Chaskey with others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct HashKey(Bits);

impl HashKey {
    /// The key before a seed is known; all zero.
    pub const ZERO: Self = Self(Bits::new(0, 0));

    /// A hasher of 128 bits under this key: enough that its result stands for the octets themselves.
    #[must_use]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub fn hasher(&self) -> KeyHasher {
        KeyHasher(Permutation::new(self.0.low(), self.0.high()))
    }

    /// The key of octets in which a [`Token`] of this process stands, their ASCII letters taken as lower case, and of a number:
    /// in a quarter of the time that the hash takes. As nobody else chooses what tokens are, nobody makes two keys
    /// meet; for what strangers write it is no hash.
    #[cfg(target_pointer_width = "64")]
    #[must_use]
    pub(crate) fn of_token(&self, number: u64, octets: &[u8]) -> Key {
        // Any odd number with many bits: each step is a permutation of the state.
        const ODD: u128 = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835;
        let start = u128::from(self.0.low()) << 64 | u128::from(self.0.high());
        let mut state = (start ^ u128::from(number) ^ u128::from(octets.len() as u64) << 64).wrapping_mul(ODD);
        let (words, tail) = octets.as_chunks();
        for word in words {
            state = (state ^ u128::from(lower_case(u64::from_le_bytes(*word)))).wrapping_mul(ODD);
        }
        if !tail.is_empty() {
            state = (state ^ u128::from(lower_case(tail_word(octets, tail)))).wrapping_mul(ODD);
        }
        // The upper bits of a product are its best.
        let state = (state ^ state >> 64).wrapping_mul(ODD);
        Key(Bits::new((state >> 64) as u64, state as u64 ^ (state >> 96) as u64))
    }
}

/// Collects the parts of a key; a part's length is hashed with it, so that parts can't run into each other.
///
/// It takes whole words only, which is what the hash is quick at: the last word of a part is filled up with zeros.
#[derive(Clone, Copy)]
pub struct KeyHasher(Permutation);

impl KeyHasher {
    /// Adds one part.
    #[inline]
    #[must_use]
    pub fn part(mut self, octets: &[u8]) -> Self {
        self.take(octets, false);
        self
    }

    /// Adds one part, its ASCII letters taken as lower case.
    #[inline]
    #[must_use]
    pub fn part_ignoring_case(mut self, octets: &[u8]) -> Self {
        self.take(octets, true);
        self
    }

    /// Adds a number.
    #[inline]
    #[must_use]
    pub fn number(mut self, number: u64) -> Self {
        self.word(number);
        self
    }

    /// The key.
    #[must_use]
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    pub fn finish(mut self) -> Key {
        let (low, high) = self.0.finish();
        Key(KeyBits::new(low, high))
    }

    /// All 128 bits, of which a key may be a part.
    #[cfg(not(target_pointer_width = "64"))]
    fn finish_whole(mut self) -> (u64, u64) {
        self.0.finish()
    }

    /// Adds the length and the octets, eight at a time.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    fn take(&mut self, octets: &[u8], ignore_case: bool) {
        if cfg!(not(target_pointer_width = "64")) {
            return self.take_by_octets(octets, ignore_case);
        }
        let case = |word| if ignore_case { lower_case(word) } else { word };
        self.word(octets.len() as u64);
        let (words, tail) = octets.as_chunks();
        for word in words {
            self.word(case(u64::from_le_bytes(*word)));
        }
        if !tail.is_empty() {
            self.word(case(tail_word(octets, tail)));
        }
    }

    /// The same in less code.
    fn take_by_octets(&mut self, octets: &[u8], ignore_case: bool) {
        self.word(octets.len() as u64);
        let mut rest = octets;
        while let Some((octets, behind)) = rest.split_at_checked(rest.len().min(8))
            && !octets.is_empty()
        {
            let mut word: u64 = 0;
            for octet in octets.iter().rev() {
                word = word << 8 | u64::from(if ignore_case { octet.to_ascii_lowercase() } else { *octet });
            }
            self.word(word);
            rest = behind;
        }
    }

    #[cfg_attr(target_pointer_width = "64", inline)]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    fn word(&mut self, word: u64) {
        self.0.word(word);
    }
}

/// A quick hash of 64 bits under no key, of what nobody gains by making equal.
#[derive(Clone, Copy)]
pub(crate) struct QuickHasher(u64);

impl QuickHasher {
    #[inline]
    pub(crate) const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Adds the length and the octets of a part, eight at a time.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(crate) fn part(mut self, octets: &[u8]) -> Self {
        self = self.word(octets.len() as u64);
        let (words, tail) = octets.as_chunks();
        for word in words {
            self = self.word(u64::from_le_bytes(*word));
        }
        if tail.is_empty() { self } else { self.word(tail_word(octets, tail)) }
    }

    /// Adds a number.
    #[inline]
    pub(crate) const fn word(self, word: u64) -> Self {
        // Odd, so that each step is a permutation of the state; the shift brings the upper bits of the product down.
        let product = (self.0 ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Self(product ^ product >> 29)
    }

    #[inline]
    pub(crate) const fn finish(self) -> u64 {
        self.word(0).word(0).0
    }
}

/// A hasher for fingerprints, under no key: it hashes what a role holds, which is no secret of its own process.
#[derive(Clone, Copy)]
pub(crate) struct ContentHasher(KeyHasher);

impl ContentHasher {
    /// The hash of one thing for itself.
    pub(crate) fn one(feed: impl FnOnce(&mut Self)) -> u64 {
        let mut hasher = Self(HashKey::ZERO.hasher());
        feed(&mut hasher);
        hasher.finish()
    }
}

impl Hasher for ContentHasher {
    fn write(&mut self, octets: &[u8]) {
        self.0.take(octets, false);
    }

    fn finish(&self) -> u64 {
        self.0.finish().0.low()
    }
}

/// A 128-bit keyed hash that stands for the octets it was made of.
///
/// Two different inputs share one only with a chance of 2⁻¹²⁸ for who doesn't know the key, so tables
/// compare keys and keep no copy of branches and Call-IDs to compare.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Key(KeyBits);

#[cfg(target_pointer_width = "64")]
type KeyBits = Bits;

/// Half of a hash on 32 bits, in two registers: among the few entries of a device it tells one from another as well.
#[cfg(not(target_pointer_width = "64"))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
struct KeyBits {
    low: u32,
    high: u32,
}

#[cfg(not(target_pointer_width = "64"))]
impl KeyBits {
    const fn new(low: u64, _high: u64) -> Self {
        Self { low: low as u32, high: (low >> 32) as u32 }
    }

    const fn low(self) -> u64 {
        (self.high as u64) << 32 | self.low as u64
    }

    const fn high(self) -> u64 {
        self.low()
    }
}

impl Key {
    /// No key; what a free entry holds.
    pub const ZERO: Self = Self(KeyBits::new(0, 0));

    /// A key that is as little any other's as zero, to stand for something else.
    pub(crate) const LAST: Self = Self(KeyBits::new(u64::MAX, u64::MAX));

    /// The part of the key that picks a hash bucket.
    #[must_use]
    pub const fn bucket_bits(self) -> u32 {
        self.0.low() as u32
    }

    /// 64 bits of the key, for a To tag that has to be the same for a repeated request.
    #[must_use]
    pub const fn bits(self) -> u64 {
        self.0.high()
    }
}

/// What is behind the last whole word of `octets`, filled up with zeros.
#[cfg_attr(target_pointer_width = "64", inline(always))]
fn tail_word(octets: &[u8], tail: &[u8]) -> u64 {
    match octets.last_chunk() {
        // What is before the tail is shifted out.
        Some(last) => u64::from_le_bytes(*last).wrapping_shr(64_u32.wrapping_sub(8 * tail.len() as u32)),
        None => tail.iter().rev().fold(0, |word, octet| word << 8 | u64::from(*octet)),
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

/// The four hexadecimal digits of 16 bits, an octet each with the last digit lowest, all at once.
const fn spell(bits: u16) -> u32 {
    const ONES: u32 = u32::MAX / 255;
    let octets = (bits as u32 | (bits as u32) << 8) & 0x00FF_00FF;
    let digits = (octets | octets << 4) & (15 * ONES);
    // Ten and more carry into the fifth bit.
    let letters = digits.wrapping_add(6 * ONES) >> 4 & ONES;
    let gap = (b'a' - b'9' - 1) as u32;
    digits.wrapping_add(b'0' as u32 * ONES).wrapping_add(letters.wrapping_mul(gap))
}

fn halves(seed: Seed) -> (u64, u64) {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = seed;
    (u64::from_le_bytes([a, b, c, d, e, f, g, h]), u64::from_le_bytes([i, j, k, l, m, n, o, p]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_octets_the_hash_is_the_same() {
        let text: Vec<u8> = (0..=255).collect();
        for length in 0..=text.len() {
            for ignore_case in [false, true] {
                let (mut wide, mut narrow) = (HashKey::ZERO.hasher(), HashKey::ZERO.hasher());
                wide.take(&text[..length], ignore_case);
                narrow.take_by_octets(&text[..length], ignore_case);
                assert_eq!(wide.finish(), narrow.finish(), "{length}");
            }
        }
    }

    #[cfg(target_pointer_width = "64")]
    #[test]
    fn keys_of_tokens_differ_where_number_or_octets_do_and_not_by_case() {
        let mut random = Random::new([3; 16]);
        let key = random.hash_key();
        let mut seen = std::collections::HashSet::new();
        for _ in 0..200 {
            let token = random.token();
            for length in 0..16 {
                let text = [b"z9hG4bK".as_slice(), token.as_bytes(), &b".0123456789abcde"[..length]].concat();
                for number in 0..4 {
                    let made = key.of_token(number, &text);
                    assert_eq!(made, key.of_token(number, &text.to_ascii_uppercase()));
                    assert!(seen.insert((made.bucket_bits(), made.bits())));
                }
            }
        }
        // What picks the bucket is spread over all of them.
        let mut buckets = [0_u32; 64];
        seen.iter().for_each(|(low, _)| buckets[*low as usize % 64] += 1);
        assert!(buckets.iter().all(|count| (100..300).contains(count)), "{buckets:?}");
    }

    #[test]
    fn a_quick_hash_tells_parts_and_their_order_apart() {
        let of = |parts: &[&[u8]]| parts.iter().fold(QuickHasher::new(0), |hasher, part| hasher.part(part)).finish();
        let mut seen = std::collections::HashSet::new();
        for one in 0..=255 {
            for other in 0..=255 {
                assert!(seen.insert(of(&[&[one], &[other]])));
            }
        }
        for parts in [[b"ab".as_slice(), b"c"], [b"a", b"bc"], [b"abc", b""], [b"", b"abc"], [b"c", b"ab"]] {
            assert!(seen.insert(of(&parts)), "{parts:?}");
        }
        assert!(seen.insert(of(&[b"12345678", b""])) && seen.insert(of(&[b"12345678"])));
    }

    #[test]
    fn a_token_spells_its_bits() {
        assert_eq!(Token::new(0x0123_4567_89ab_cdef).as_bytes(), b"0123456789abcdef");
        assert_eq!(Token::new(0).as_bytes(), b"0000000000000000");
    }

    #[test]
    fn a_part_is_its_length_and_its_octets_in_words() {
        let key = Random::new([1; 16]).hash_key();
        let cases: [(&[u8], &[[u8; 8]]); 4] = [
            (b"", &[]),
            (b"seven o", &[*b"seven o\0"]),
            (b"eight oc", &[*b"eight oc"]),
            (b"thirteen oct.", &[*b"thirteen", *b" oct.\0\0\0"]),
        ];
        for (part, words) in cases {
            let length = key.hasher().number(part.len() as u64);
            let expected = words.iter().fold(length, |hasher, word| hasher.number(u64::from_le_bytes(*word)));
            assert_eq!(key.hasher().part(part).finish(), expected.finish());
        }
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
