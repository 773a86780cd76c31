//! Tables of decimal digits.

/// The decimal digits of an octet with a dot behind them, and how many octets that are.
#[inline]
pub(super) fn spelled(octet: u8) -> ([u8; 4], usize) {
    let digits = SPELLED.get(usize::from(octet)).copied().unwrap_or_default();
    (digits, 2_usize.wrapping_add(usize::from(octet >= 10)).wrapping_add(usize::from(octet >= 100)))
}

/// The digits of each octet and a dot behind them.
static SPELLED: [[u8; 4]; 256] = spell_octets();

const fn spell_octets() -> [[u8; 4]; 256] {
    let mut all = [[0; 4]; 256];
    let mut rest: &mut [[u8; 4]] = &mut all;
    let mut octet: u8 = 0;
    while let [place, tail @ ..] = rest {
        let (hundreds, tens, ones) = (b'0' | (octet / 100), b'0' | (octet / 10 % 10), b'0' | (octet % 10));
        *place = match octet {
            100.. => [hundreds, tens, ones, b'.'],
            10.. => [tens, ones, b'.', 0],
            _ => [ones, b'.', 0, 0],
        };
        octet = octet.wrapping_add(1);
        rest = tail;
    }
    all
}

/// The two digits of each number below a hundred.
pub(super) static PAIRS: [[u8; 2]; 100] = {
    let mut all = [[0; 2]; 100];
    let mut number: u8 = 0;
    let mut rest: &mut [[u8; 2]] = &mut all;
    while let [pair, tail @ ..] = rest {
        *pair = [b'0' | (number / 10), b'0' | (number % 10)];
        number = number.wrapping_add(1);
        rest = tail;
    }
    all
};

/// A tenth of the number, and its last digit; by 32-bit arithmetic for a microcontroller, where a division of 64 bits is a
/// function that would be there for this alone.
pub(super) fn tenth(number: u64) -> (u64, u8) {
    let (high, low) = ((number >> 32) as u32, number as u32);
    // 2³² is ten times 429,496,729 and six.
    let carried = high % 10;
    let rest = (low % 10).wrapping_add(carried.wrapping_mul(6));
    let low = (low / 10).wrapping_add(carried.wrapping_mul(429_496_729)).wrapping_add(rest / 10);
    (u64::from(high / 10) << 32 | u64::from(low), (rest % 10) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenth_by_halves_is_a_tenth() {
        let powers = (0..64).map(|bits| 1_u64 << bits);
        for number in powers.flat_map(|power| [power - 1, power, power + 9, power.wrapping_mul(10)]).chain([u64::MAX]) {
            assert_eq!(tenth(number), (number / 10, (number % 10) as u8), "{number}");
        }
    }
}
