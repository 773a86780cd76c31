//! Sixteen octets looked at at once, where every processor of the architecture can; elsewhere there is no chunk, and
//! what would look at one goes octet by octet.

#[cfg(all(target_arch = "x86_64", target_feature = "sse2"))]
mod wide {
    use safe_arch::{
        add_i8_m128i, bitandnot_m128i, bitor_m128i, cmp_eq_mask_i8_m128i, cmp_gt_mask_i8_m128i, load_unaligned_m128i,
        m128i, min_u8_m128i, move_mask_i8_m128i, set_splat_i8_m128i,
    };

    /// Sixteen octets. Each test gives a mask with a bit for each octet, the lowest for the first.
    #[derive(Clone, Copy)]
    pub(crate) struct Chunk(m128i);

    impl Chunk {
        pub(crate) const EXISTS: bool = true;

        #[inline(always)]
        pub(crate) fn new(octets: &[u8; 16]) -> Option<Self> {
            Some(Self(load_unaligned_m128i(octets)))
        }

        /// The octets that are at most `limit`.
        #[inline(always)]
        pub(crate) fn at_most(self, limit: u8) -> u32 {
            mask(cmp_eq_mask_i8_m128i(min_u8_m128i(self.0, splat(limit)), self.0))
        }

        /// The octets that are `octet`.
        #[inline(always)]
        pub(crate) fn equal(self, octet: u8) -> u32 {
            mask(cmp_eq_mask_i8_m128i(self.0, splat(octet)))
        }

        /// The octets that are neither letters nor digits nor `-` nor `.`.
        #[inline(always)]
        pub(crate) fn unusual(self) -> u32 {
            let letters = within(bitor_m128i(self.0, splat(b' ')), b'a', b'z');
            let others = within(self.0, b'-', b'9');
            let slash = cmp_eq_mask_i8_m128i(self.0, splat(b'/'));
            mask(bitor_m128i(letters, bitandnot_m128i(slash, others))) ^ 0xFFFF
        }
    }

    /// The octets from `first` to `last`, all bits of each set: they are moved to the upper end of the signed numbers.
    #[inline(always)]
    fn within(octets: m128i, first: u8, last: u8) -> m128i {
        let moved = add_i8_m128i(octets, splat(127_u8.wrapping_sub(last)));
        cmp_gt_mask_i8_m128i(moved, splat(126_u8.wrapping_sub(last).wrapping_add(first)))
    }

    #[inline(always)]
    fn splat(octet: u8) -> m128i {
        set_splat_i8_m128i(octet.cast_signed())
    }

    #[inline(always)]
    fn mask(octets: m128i) -> u32 {
        move_mask_i8_m128i(octets).cast_unsigned()
    }

    /// Which of sixty-four octets are unusual.
    #[derive(Clone, Copy, Debug)]
    pub(crate) struct Ahead {
        /// Where they begin.
        from: usize,
        /// A bit for each that is unusual or lies beyond the end, the lowest for the first.
        unusual: u64,
    }

    impl Ahead {
        #[inline(always)]
        pub(crate) fn new(bytes: &[u8], from: usize) -> Self {
            Self { from, unusual: unusual(bytes, from) }
        }

        /// The first place at or after `at` that is unusual or the end.
        #[inline(always)]
        pub(crate) fn next(&mut self, bytes: &[u8], at: usize) -> usize {
            let ahead = at.wrapping_sub(self.from);
            if ahead < 64 {
                let found = self.unusual.wrapping_shr(ahead as u32);
                if found != 0 {
                    return at.wrapping_add(found.trailing_zeros() as usize);
                }
            }
            let found;
            (*self, found) = look_on(bytes, at);
            found
        }
    }

    /// Looks for the first unusual octet, or the end, at or after `at`; gives the map that shows it, and it.
    #[inline(never)]
    fn look_on(bytes: &[u8], at: usize) -> (Ahead, usize) {
        let mut from = at;
        loop {
            let ahead = Ahead::new(bytes, from);
            if ahead.unusual != 0 {
                return (ahead, from.wrapping_add(ahead.unusual.trailing_zeros() as usize));
            }
            from = from.wrapping_add(64);
        }
    }

    /// A bit for each of the sixty-four octets from `from` on that is unusual or lies beyond the end, the
    /// lowest for the first.
    #[inline]
    fn unusual(bytes: &[u8], from: usize) -> u64 {
        let mut left = bytes.get(from..).unwrap_or_default();
        let mut map = 0;
        let mut place: u32 = 0;
        while place < 64 {
            let Some((chunk, tail)) = left.split_first_chunk() else {
                return map | tail_unusual(bytes, left).wrapping_shl(place);
            };
            map |= u64::from(Chunk(load_unaligned_m128i(chunk)).unusual()).wrapping_shl(place);
            left = tail;
            place = place.wrapping_add(16);
        }
        map
    }

    /// The same for the fewer than sixteen octets that are left of `bytes`.
    #[inline]
    fn tail_unusual(bytes: &[u8], left: &[u8]) -> u64 {
        let found = match bytes.last_chunk() {
            Some(last) => super::rest(Chunk(load_unaligned_m128i(last)).unusual(), left.len()),
            None => {
                let mut padded = [0; 16];
                padded.iter_mut().zip(left).for_each(|(place, octet)| *place = *octet);
                Chunk(load_unaligned_m128i(&padded)).unusual()
            }
        };
        u64::from(found) | u64::MAX.wrapping_shl(left.len() as u32)
    }
}

#[cfg(not(all(target_arch = "x86_64", target_feature = "sse2")))]
mod wide {
    /// No octets: there is nothing to look at sixteen of them with.
    #[derive(Clone, Copy)]
    pub(crate) enum Chunk {}

    impl Chunk {
        pub(crate) const EXISTS: bool = false;

        pub(crate) const fn new(_: &[u8; 16]) -> Option<Self> {
            None
        }

        pub(crate) const fn at_most(self, _: u8) -> u32 {
            match self {}
        }

        pub(crate) const fn equal(self, _: u8) -> u32 {
            match self {}
        }

        pub(crate) const fn unusual(self) -> u32 {
            match self {}
        }
    }

    /// Nothing is known of what is ahead: octets are looked at one by one.
    #[derive(Clone, Copy, Debug)]
    pub(crate) struct Ahead;

    impl Ahead {
        pub(crate) const fn new(_: &[u8], _: usize) -> Self {
            Self
        }

        pub(crate) const fn next(&mut self, _: &[u8], at: usize) -> usize {
            at
        }
    }
}

pub(crate) use wide::{Ahead, Chunk};

/// The first place at or after `from` that `find` marks, or the end; `None` where there are no chunks, or fewer than sixteen
/// octets in all.
#[inline(always)]
pub(crate) fn seek(bytes: &[u8], from: usize, find: impl Fn(Chunk) -> u32) -> Option<usize> {
    if !Chunk::EXISTS || bytes.len() < 16 {
        return None;
    }
    let (chunks, tail) = bytes.get(from..).unwrap_or_default().as_chunks();
    let end = bytes.len().wrapping_sub(tail.len());
    let mut at = from;
    for chunk in chunks {
        let found = find(Chunk::new(chunk)?);
        if found != 0 {
            return Some(at.wrapping_add(found.trailing_zeros() as usize));
        }
        at = at.wrapping_add(16);
    }
    // What is left is the end of the last sixteen.
    let last = Chunk::new(bytes.last_chunk()?)?;
    Some(end.wrapping_add(rest(find(last), tail.len()).trailing_zeros() as usize))
}

/// Of a mask of the last sixteen octets the bits of the last `left` ones, and one for the end.
#[inline(always)]
fn rest(mask: u32, left: usize) -> u32 {
    (mask | 1 << 16).wrapping_shr(16_usize.wrapping_sub(left) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_agree_with_octets() {
        let usual = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'.');
        for octet in 0..=255 {
            for place in 0..40 {
                let mut text = [b'x'; 40];
                text[place] = octet;
                for from in 0..=40 {
                    let plain = |stops: &dyn Fn(u8) -> bool| Some((from..40).find(|at| stops(text[*at])).unwrap_or(40));
                    let wide = |found: Option<usize>| if Chunk::EXISTS { found } else { None };
                    assert_eq!(seek(&text, from, |chunk| chunk.at_most(31)), wide(plain(&|octet| octet < 32)));
                    assert_eq!(seek(&text, from, |chunk| chunk.equal(b':')), wide(plain(&|octet| octet == b':')));
                    assert_eq!(seek(&text, from, Chunk::unusual), wide(plain(&|octet| !usual(octet))));
                }
            }
        }
    }

    #[test]
    fn what_is_ahead_is_what_octets_say() {
        let text: Vec<u8> = (0..200).map(|number: u8| if number.is_multiple_of(9) { number } else { b'x' }).collect();
        for length in 0..text.len() {
            let text = &text[..length];
            let usual = |octet: &u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'.');
            for from in 0..=length {
                let mut ahead = Ahead::new(text, from);
                for at in from..=length {
                    let plain = at + text[at..].iter().position(|octet| !usual(octet)).unwrap_or(length - at);
                    assert_eq!(ahead.next(text, at), if Chunk::EXISTS { plain } else { at });
                }
            }
        }
    }
}
