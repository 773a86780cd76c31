//! What MD5 (RFC 1321 §3.1, §3.2) and SHA-256 (RFC 6234 §4.1, §6.2) have in common: blocks of 64 octets, the last one
//! padded and with the length behind it. It stands once for both, which saves 300 octets of a firmware's flash.

use super::md5;

/// What both are.
const BLOCK: usize = 64;

/// A hash under way.
pub(super) struct Hash {
    state: [u32; 8],
    block: [u8; BLOCK],
    /// Octets taken.
    length: u64,
    is_sha: bool,
}

impl Hash {
    pub(super) const fn md5() -> Self {
        Self { state: md5::START, block: [0; BLOCK], length: 0, is_sha: false }
    }

    #[cfg(feature = "sha256")]
    pub(super) const fn sha256() -> Self {
        /// The first 32 bits of the fractional parts of the square roots of the first eight primes (RFC 6234 §6.1).
        const START: [u32; 8] =
            [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];
        Self { state: START, block: [0; BLOCK], length: 0, is_sha: true }
    }

    pub(super) fn update(&mut self, octets: &[u8]) {
        let mut rest = octets;
        while !rest.is_empty() {
            let place = self.block.get_mut((self.length % 64) as usize..).unwrap_or_default();
            let (part, left) = rest.split_at_checked(place.len()).unwrap_or((rest, b""));
            for (octet, taken) in place.iter_mut().zip(part) {
                *octet = *taken;
            }
            rest = left;
            self.length = self.length.wrapping_add(part.len() as u64);
            if self.length.is_multiple_of(64) {
                self.compress();
            }
        }
    }

    /// The hash: 16 octets, or 32.
    pub(super) fn finish(&mut self) -> ([u8; 32], usize) {
        let bits = self.length.wrapping_mul(8);
        self.update(&[0x80]);
        // In one piece: octet by octet it would be half of what a short hash takes.
        let zeros = (56_u64.wrapping_sub(self.length) % 64) as usize;
        self.update([0; BLOCK].get(..zeros).unwrap_or_default());
        self.update(&if self.is_sha { bits.to_be_bytes() } else { bits.to_le_bytes() });
        let mut hash = [0; 32];
        for (place, word) in hash.as_chunks_mut().0.iter_mut().zip(self.state) {
            *place = if self.is_sha { word.to_be_bytes() } else { word.to_le_bytes() };
        }
        (hash, if self.is_sha { 32 } else { 16 })
    }

    fn compress(&mut self) {
        #[cfg(feature = "sha256")]
        if self.is_sha {
            return sha2::block_api::compress256(&mut self.state, core::slice::from_ref(&self.block));
        }
        md5::compress(&mut self.state, &self.block);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn md5(octets: &[u8]) -> [u8; 32] {
        let mut hash = Hash::md5();
        hash.update(octets);
        hash.finish().0
    }

    #[test]
    fn a_hash_is_the_same_however_its_octets_are_cut() {
        let octets: [u8; 200] = core::array::from_fn(|at| u8::try_from(at).unwrap());
        for length in [0, 55, 56, 63, 64, 65, 119, 120, 128, 200] {
            let whole = octets.get(..length).unwrap();
            for cut in 0..=length {
                let mut hash = Hash::md5();
                hash.update(&whole[..cut]);
                hash.update(&whole[cut..]);
                assert_eq!(hash.finish(), (md5(whole), 16), "{length} in {cut}");
            }
        }
    }

    #[cfg(feature = "sha256")]
    #[test]
    fn sha_256_is_what_its_crate_makes_of_each_length() {
        use sha2::Digest as _;
        let octets = [0xa5; 300];
        for length in 0..octets.len() {
            let mut hash = Hash::sha256();
            hash.update(&octets[..length]);
            assert_eq!(hash.finish(), (sha2::Sha256::digest(&octets[..length]).into(), 32), "{length}");
        }
    }
}
