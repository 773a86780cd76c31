//! What a firmware has logged with defmt: the format strings of its frames, by the symbols of its program. The arguments
//! are left to `defmt-print`.

use std::collections::BTreeMap;

/// The format strings of a log, in order, each as the name of its symbol: what the macro noted of it, in JSON.
///
/// # Panics
/// A frame can't be decoded, or names no string of this program.
pub(super) fn formats(elf: &[u8], log: &[u8]) -> Vec<String> {
    let symbols = symbols(elf);
    let frames = log.split(|octet| *octet == 0).filter(|frame| !frame.is_empty());
    let index = |frame| match rzcobs(frame)[..] {
        [low, high, ..] => u32::from(u16::from_le_bytes([low, high])),
        _ => panic!("no frame of defmt: {frame:?}"),
    };
    frames
        .map(index)
        .map(|index| symbols.get(&index).cloned().unwrap_or_else(|| panic!("{index} is no string of this program")))
        .collect()
}

/// Undoes defmt's rzCOBS, which is read from its end: a count of literal octets, or seven bits that tell which are zero.
fn rzcobs(frame: &[u8]) -> Vec<u8> {
    let (mut octets, mut rest) = (Vec::new(), frame.iter().rev().copied());
    while let Some(code) = rest.next() {
        match code {
            0..=0x7f => {
                octets.extend((0..7).map_while(|bit| if code & 0x40 >> bit == 0 { rest.next() } else { Some(0) }));
            }
            0x80..=0xfe => {
                octets.push(0);
                octets.extend(rest.by_ref().take(usize::from(code & 0x7f) + 7));
            }
            0xff => octets.extend(rest.by_ref().take(134)),
        }
    }
    octets.reverse();
    octets
}

/// The symbols of a 32-bit program whose names are defmt's, by their values.
fn symbols(elf: &[u8]) -> BTreeMap<u32, String> {
    let half = |at: usize| usize::from(u16::from_le_bytes([elf[at], elf[at + 1]]));
    let word = |at: usize| u32::from_le_bytes(elf[at..at + 4].try_into().expect("four octets"));
    let size = |at: usize| word(at) as usize;
    assert_eq!(elf[..6], [0x7f, b'E', b'L', b'F', 1, 1], "a 32-bit little-endian ELF");
    let section = |index: usize| size(32) + index * half(46);
    let mut found = BTreeMap::new();
    for table in (0..half(48)).map(section).filter(|at| word(at + 4) == 2) {
        let (names, symbols) = (size(section(size(table + 24)) + 16), size(table + 16));
        for symbol in (symbols..symbols + size(table + 20)).step_by(16) {
            let name = &elf[names + size(symbol)..];
            let name = String::from_utf8_lossy(name.split(|octet| *octet == 0).next().unwrap_or_default());
            if name.starts_with('{') && name.contains(r#""tag":"defmt_"#) {
                found.insert(word(symbol + 4), name.into_owned());
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_undone() {
        for (frame, octets) in [
            (&[0x0a, 0x7e][..], &[0x0a, 0, 0, 0, 0, 0, 0][..]),
            (&[1, 2, 3, 0x78], &[1, 2, 3, 0, 0, 0, 0]),
            (&[1, 2, 3, 4, 5, 6, 7, 0x00], &[1, 2, 3, 4, 5, 6, 7]),
            (&[1, 2, 3, 4, 5, 6, 7, 0x80], &[1, 2, 3, 4, 5, 6, 7, 0]),
            (&[9, 0x7e, 1, 2, 3, 4, 5, 6, 7, 8, 0x81], &[9, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0]),
        ] {
            assert_eq!(rzcobs(frame), octets, "{frame:?}");
        }
    }
}
