//! The tables of names.

use super::*;
use crate::message::row::row;

#[test]
fn every_name_is_found_in_any_case_and_by_its_letter() {
    for (id, entry) in NAMES.iter().enumerate().skip(1) {
        let name = HeaderName::from_id(id as u8, b"");
        let lower = entry.long().to_ascii_lowercase();
        let upper = entry.long().to_ascii_uppercase();
        for spelling in [entry.long(), &lower, &upper] {
            assert_eq!(HeaderName::parse(spelling), Some(name));
            for gap in ["", "  "] {
                let line = [spelling, gap.as_bytes(), b": some value \r\n\r\n"].concat();
                let (row, next) = row(&line, 0).unwrap();
                assert_eq!(usize::from(row.id()), id, "{}", String::from_utf8_lossy(spelling));
                assert_eq!(row.value_in(&line), b"some value");
                assert_eq!(next, line.len() - 2);
            }
        }
        if let Some(letter) = entry.letter() {
            assert_eq!(HeaderName::parse(&[letter]), Some(name));
            assert_eq!(name.compact(), Some(letter));
        }
        assert_eq!(name.as_bytes(), entry.long());
    }
}

#[test]
fn no_name_is_found_by_half_of_it_or_more_than_it() {
    for entry in NAMES.iter().skip(1) {
        for cut in 2..entry.long().len() {
            assert!(
                find(&entry.long()[..cut]) == 0 || NAMES.iter().any(|other| alike(other.long(), &entry.long()[..cut]))
            );
        }
        assert_eq!(find(&[entry.long(), b"x"].concat()), 0);
    }
    assert_eq!(find(b"C%6Fntact"), 0);
    assert_eq!(find(b"Call\rID"), 0);
}

#[test]
fn a_name_is_found_without_the_tables_too() {
    for name in &NAMES[1..] {
        for spelled in [name.long().to_vec(), name.long().to_ascii_lowercase(), name.letter().into_iter().collect()] {
            assert_eq!(search(&spelled), find(&spelled), "{}", String::from_utf8_lossy(&spelled));
        }
    }
    for unknown in [&b""[..], b"q", b"!", b"Vi", b"Via ", b"X-Via", b"\x16"] {
        assert_eq!((search(unknown), find(unknown)), (0, 0));
    }
}
