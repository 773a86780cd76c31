//! The alphabet of URLs and file names of base64 (RFC 4648 §5), whose characters need no escape in a URI: without padding.

/// The character of six bits.
pub(crate) const fn digit(bits: u8) -> u8 {
    match bits {
        0..=25 => b'A'.wrapping_add(bits),
        26..=51 => b'a'.wrapping_sub(26).wrapping_add(bits),
        52..=61 => b'0'.wrapping_sub(52).wrapping_add(bits),
        62 => b'-',
        _ => b'_',
    }
}

/// The six bits of a character.
pub(crate) const fn value(character: u8) -> Option<u8> {
    Some(match character {
        b'A'..=b'Z' => character.wrapping_sub(b'A'),
        b'a'..=b'z' => character.wrapping_sub(b'a').wrapping_add(26),
        b'0'..=b'9' => character.wrapping_sub(b'0').wrapping_add(52),
        b'-' => 62,
        b'_' => 63,
        _ => return None,
    })
}

/// Writes octets into `room`, three in four characters; how many characters there are. What has no room is left out.
pub(crate) fn encode(octets: &[u8], room: &mut [u8]) -> usize {
    let (mut at, mut places, mut octets) = (0_usize, room.iter_mut(), octets);
    while let Some((group, rest)) = octets.split_at_checked(octets.len().min(3))
        && !group.is_empty()
    {
        octets = rest;
        let bits = group.iter().fold(0_u32, |bits, octet| bits << 8 | u32::from(*octet));
        let mut left = 8_u32.wrapping_mul(group.len() as u32);
        // What fills up the last character are zeros.
        let bits = bits << 24_u32.wrapping_sub(left);
        let mut shift = 18_u32;
        loop {
            let Some(place) = places.next() else { return at };
            *place = digit((bits >> shift) as u8 & 63);
            at = at.wrapping_add(1);
            shift = shift.wrapping_sub(6);
            left = left.saturating_sub(6);
            if left == 0 {
                break;
            }
        }
    }
    at
}

/// Reads octets into `room`; the part of it that they take. `None` for what no octets are written as, or for more than there is room for.
pub(crate) fn decode<'r>(text: &[u8], room: &'r mut [u8]) -> Option<&'r [u8]> {
    let (mut held, mut bits, mut length) = (0_u32, 0_u32, 0_usize);
    for character in text {
        held = held << 6 | u32::from(value(*character)?);
        bits = bits.wrapping_add(6);
        if bits >= 8 {
            bits = bits.wrapping_sub(8);
            *room.get_mut(length)? = (held >> bits) as u8;
            length = length.wrapping_add(1);
        }
    }
    // What is left fills up the last character with zeros: one text for each value.
    if bits >= 6 || held & (1_u32 << bits).wrapping_sub(1) != 0 {
        return None;
    }
    room.get(..length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(octets: &[u8]) -> String {
        let mut room = [0; 100];
        let length = encode(octets, &mut room);
        String::from_utf8(room[..length].to_vec()).unwrap()
    }

    #[test]
    fn texts_are_those_of_rfc_4648() {
        for (octets, expected) in
            [(&b""[..], ""), (b"f", "Zg"), (b"fo", "Zm8"), (b"foo", "Zm9v"), (b"foob", "Zm9vYg"), (b"\xfb\xff", "-_8")]
        {
            assert_eq!(text(octets), expected);
        }
        let mut room = [0; 4];
        for wrong in ["Z", "Zh", "Zm9", "Zg==", "Z+8", "Zm9vYmFy"] {
            assert_eq!(decode(wrong.as_bytes(), &mut room), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(octets in proptest::collection::vec(any::<u8>(), 0..70)) {
            let mut room = [0; 70];
            prop_assert_eq!(decode(text(&octets).as_bytes(), &mut room), Some(&octets[..]));
        }
    }
}
