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
