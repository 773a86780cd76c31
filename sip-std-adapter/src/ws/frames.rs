//! Where frames and messages end in the octets of a WebSocket (RFC 6455 §5.2), without a look at what they carry.
//!
//! It tells whether a peer has begun something and not ended it: that has its time, however slowly the rest comes.

/// How far a peer is.
#[derive(Default)]
pub(crate) struct Frames {
    /// What has come of a frame's head: two octets, its length and its mask are fourteen at most.
    head: [u8; 14],
    filled: usize,
    /// Octets of the frame that are to come.
    left: u64,
    /// A message is begun whose last fragment is to come.
    fragments: bool,
}

impl Frames {
    /// Goes on over these octets.
    pub(crate) fn pass(&mut self, mut octets: &[u8]) {
        while let [first, rest @ ..] = octets {
            if self.left > 0 {
                let length = usize::try_from(self.left).unwrap_or(usize::MAX).min(octets.len());
                self.left -= length as u64;
                octets = octets.get(length..).unwrap_or_default();
                continue;
            }
            octets = rest;
            let Some(place) = self.head.get_mut(self.filled) else { return };
            *place = *first;
            self.filled += 1;
            if let Some(length) = self.length() {
                let [kind, ..] = self.head;
                // Control frames stand between fragments.
                if kind & 0x08 == 0 {
                    self.fragments = kind & 0x80 == 0;
                }
                (self.filled, self.left) = (0, length);
            }
        }
    }

    /// Whether something is begun and not ended.
    pub(crate) fn has_part(&self) -> bool {
        self.filled > 0 || self.left > 0 || self.fragments
    }

    /// How many octets follow the head, once that is whole.
    fn length(&self) -> Option<u64> {
        let second = *self.head.get(1).filter(|_| self.filled >= 2)?;
        let mask = if second & 0x80 == 0 { 0 } else { 4 };
        let (size, short) = match second & 0x7f {
            126 => (2, 0),
            127 => (8, 0),
            short => (0, u64::from(short)),
        };
        let long = self.head.get(2..2 + size)?.iter().fold(0, |sum, octet| sum << 8 | u64::from(*octet));
        (self.filled >= 2 + size + mask).then_some(long + short)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_at_the_end_of_a_message_is_nothing_begun() {
        let long = [&[0x82, 126, 1, 0][..], &[7; 256]].concat();
        let longest = [&[0x82, 0xff, 0, 0, 0, 0, 0, 1, 0, 0, 1, 2, 3, 4][..], &[7; 65_536]].concat();
        for whole in [
            &[0x81, 0][..],
            &[0x81, 0x80, 1, 2, 3, 4],
            &[0x82, 2, 1, 2],
            &[0x89, 0x81, 1, 2, 3, 4, 5],
            // Two fragments and a Ping between them.
            &[0x01, 1, b'a', 0x89, 0, 0x80, 1, b'b'],
            &long,
            &longest,
        ] {
            let mut frames = Frames::default();
            for round in 0..2 {
                for (index, octet) in whole.iter().enumerate() {
                    frames.pass(&[*octet]);
                    assert_eq!(frames.has_part(), index + 1 < whole.len(), "{round}, {index} of {}", whole.len());
                }
            }
            frames.pass(&[whole, whole].concat());
            assert!(!frames.has_part());
            frames.pass(&[whole, &whole[..1]].concat());
            assert!(frames.has_part());
        }
    }
}
