//! MD5 (RFC 1321), rolled up: it serves the digest of HTTP alone, where its speed is of no matter and its size is.

/// 2³² times the sine of 1 to 64, without its sign (RFC 1321 §3.4).
#[rustfmt::skip]
const SINES: [u32; 64] = [
    0xd76a_a478, 0xe8c7_b756, 0x2420_70db, 0xc1bd_ceee, 0xf57c_0faf, 0x4787_c62a, 0xa830_4613, 0xfd46_9501,
    0x6980_98d8, 0x8b44_f7af, 0xffff_5bb1, 0x895c_d7be, 0x6b90_1122, 0xfd98_7193, 0xa679_438e, 0x49b4_0821,
    0xf61e_2562, 0xc040_b340, 0x265e_5a51, 0xe9b6_c7aa, 0xd62f_105d, 0x0244_1453, 0xd8a1_e681, 0xe7d3_fbc8,
    0x21e1_cde6, 0xc337_07d6, 0xf4d5_0d87, 0x455a_14ed, 0xa9e3_e905, 0xfcef_a3f8, 0x676f_02d9, 0x8d2a_4c8a,
    0xfffa_3942, 0x8771_f681, 0x6d9d_6122, 0xfde5_380c, 0xa4be_ea44, 0x4bde_cfa9, 0xf6bb_4b60, 0xbebf_bc70,
    0x289b_7ec6, 0xeaa1_27fa, 0xd4ef_3085, 0x0488_1d05, 0xd9d4_d039, 0xe6db_99e5, 0x1fa2_7cf8, 0xc4ac_5665,
    0xf429_2244, 0x432a_ff97, 0xab94_23a7, 0xfc93_a039, 0x655b_59c3, 0x8f0c_cc92, 0xffef_f47d, 0x8584_5dd1,
    0x6fa8_7e4f, 0xfe2c_e6e0, 0xa301_4314, 0x4e08_11a1, 0xf753_7e82, 0xbd3a_f235, 0x2ad7_d2bb, 0xeb86_d391,
];

/// How far each of four steps in turn rotates, for each round.
const SHIFTS: [[u32; 4]; 4] = [[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]];

/// A hash that is being computed.
pub(super) struct Md5 {
    state: [u32; 4],
    block: [u8; 64],
    /// Octets so far.
    length: u64,
}

impl Md5 {
    pub(super) const fn new() -> Self {
        Self { state: [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476], block: [0; 64], length: 0 }
    }

    pub(super) fn update(&mut self, octets: &[u8]) {
        for octet in octets {
            let place = (self.length % 64) as usize;
            if let Some(free) = self.block.get_mut(place) {
                *free = *octet;
            }
            self.length = self.length.wrapping_add(1);
            if place == 63 {
                self.compress();
            }
        }
    }

    pub(super) fn finish(mut self) -> [u8; 16] {
        let bits = self.length.wrapping_mul(8);
        self.update(&[0x80]);
        while self.length % 64 != 56 {
            self.update(&[0]);
        }
        self.update(&bits.to_le_bytes());
        let mut hash = [0; 16];
        for (octets, word) in hash.chunks_exact_mut(4).zip(self.state) {
            octets.copy_from_slice(&word.to_le_bytes());
        }
        hash
    }

    /// Takes a whole block into the state.
    fn compress(&mut self) {
        let [mut a, mut b, mut c, mut d] = self.state;
        for (step, sine) in SINES.iter().enumerate() {
            let round = step / 16;
            let (mixed, word) = match round {
                0 => (b & c | !b & d, step),
                1 => (d & b | !d & c, step.wrapping_mul(5).wrapping_add(1)),
                2 => (b ^ c ^ d, step.wrapping_mul(3).wrapping_add(5)),
                _ => (c ^ (b | !d), step.wrapping_mul(7)),
            };
            let (words, _) = self.block.as_chunks();
            let word = words.get(word % 16).map_or(0, |word| u32::from_le_bytes(*word));
            let shift = SHIFTS.get(round).and_then(|shifts| shifts.get(step % 4)).copied().unwrap_or(0);
            let sum = a.wrapping_add(mixed).wrapping_add(word).wrapping_add(*sine);
            (a, b, c, d) = (d, b.wrapping_add(sum.rotate_left(shift)), b, c);
        }
        for (word, worked) in self.state.iter_mut().zip([a, b, c, d]) {
            *word = word.wrapping_add(worked);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn md5(text: &[u8]) -> String {
        let mut hash = Md5::new();
        hash.update(text);
        hash.finish().iter().map(|octet| format!("{octet:02x}")).collect()
    }

    #[test]
    fn values_of_rfc_1321_section_a_5() {
        for (text, hash) in [
            ("", "d41d8cd98f00b204e9800998ecf8427e"),
            ("a", "0cc175b9c0f1b6a831c399e269772661"),
            ("abc", "900150983cd24fb0d6963f7d28e17f72"),
            ("message digest", "f96b697d7cb7938d525a2f31aaf161d0"),
            ("abcdefghijklmnopqrstuvwxyz", "c3fcd3d76192e4007dfb496cca67e13b"),
            ("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", "d174ab98d277d9f5a5611c2c9f419d9f"),
            (&"1234567890".repeat(8), "57edf4a22be3c955ac49da2e2107b67a"),
        ] {
            assert_eq!(md5(text.as_bytes()), hash, "{text}");
        }
    }

    /// Each length around the ends of a block, against another implementation.
    #[test]
    fn every_length_up_to_three_blocks() {
        use ::md5::Digest;
        let text: Vec<u8> = (0..192).map(|octet: u8| octet.wrapping_mul(37)).collect();
        for length in 0..=text.len() {
            let expected: String =
                ::md5::Md5::digest(&text[..length]).iter().map(|octet| format!("{octet:02x}")).collect();
            assert_eq!(md5(&text[..length]), expected, "{length}");
        }
    }
}
