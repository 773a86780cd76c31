//! Decimal digits: tables of them, and eight read at once.

use super::scan::{WIDE, decimal};

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

/// As [`decimal`], for what most often has eight digits or more.
#[cfg_attr(target_pointer_width = "64", inline)]
#[cfg_attr(not(target_pointer_width = "64"), inline(always))]
pub(crate) fn long_decimal(digits: &[u8]) -> Option<u64> {
    let Some((first, rest)) = digits.split_first_chunk().filter(|_| WIDE && digits.len() < 20) else {
        return decimal(digits);
    };
    let mut number = eight_digits(u64::from_le_bytes(*first))?;
    for octet in rest {
        let digit = octet.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        number = number.wrapping_mul(10).wrapping_add(u64::from(digit));
    }
    Some(number)
}

/// The number that eight octets spell, the first one lowest in `word`; `None` unless all are digits.
#[inline]
fn eight_digits(word: u64) -> Option<u64> {
    const HALVES: u64 = 0xF0F0_F0F0_F0F0_F0F0;
    const SIXES: u64 = 0x0606_0606_0606_0606;
    const ZEROS: u64 = 0x3030_3030_3030_3030;
    const FIRST_OF_FOUR: u64 = 0x0000_00FF_0000_00FF;
    // Of an octet above 9 the sum with 6 has another upper half; from 0xFA on it carries, and the octet itself is wrong.
    if word & HALVES != ZEROS || word.wrapping_add(SIXES) & HALVES != ZEROS {
        return None;
    }
    let digits = word.wrapping_sub(ZEROS);
    // Two digits in every second octet, then four pairs summed in the upper half.
    let pairs = digits.wrapping_mul(10).wrapping_add(digits >> 8);
    let odd = (pairs & FIRST_OF_FOUR).wrapping_mul(100 | 1_000_000 << 32);
    let even = (pairs >> 16 & FIRST_OF_FOUR).wrapping_mul(1 | 10_000 << 32);
    Some(odd.wrapping_add(even) >> 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_digits_are_read_at_once() {
        for number in [0_u64, 1, 9, 10, 12_345_678, 99_999_999, 87_654_321, 10_000_000, 100] {
            let text = format!("{number:08}");
            assert_eq!(eight_digits(u64::from_le_bytes(text.as_bytes().try_into().unwrap())), Some(number));
            assert_eq!(long_decimal(text.as_bytes()), Some(number));
        }
        for octet in (0..=u8::MAX).filter(|octet| !octet.is_ascii_digit()) {
            for place in 0..17 {
                let mut text = *b"12345678123456781";
                text[place] = octet;
                assert_eq!(long_decimal(&text), None, "{octet} at {place}");
            }
        }
        for text in ["9999999999999999999", "18446744073709551616", "", "7", "1234567", "123456789"] {
            assert_eq!(long_decimal(text.as_bytes()), decimal(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn a_tenth_by_halves_is_a_tenth() {
        let powers = (0..64).map(|bits| 1_u64 << bits);
        for number in powers.flat_map(|power| [power - 1, power, power + 9, power.wrapping_mul(10)]).chain([u64::MAX]) {
            assert_eq!(tenth(number), (number / 10, (number % 10) as u8), "{number}");
        }
    }
}
