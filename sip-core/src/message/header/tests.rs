//! The tables of names, and rows by them.

use super::*;

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
fn a_line_that_is_no_row_is_passed_over() {
    for line in [
        "X Odd: 1",
        "X-Odd",
        "X(Odd): 1",
        ": 1",
        ":",
        "X-A;b: 1",
        "\u{dc}ber: 1",
        "X\0: 1",
        "=",
        "X Odd: 1\r\n and on",
        "Content Type: application/sdp",
        "Contact",
        "Toast rack: 1",
        "X l: 5",
        "X Content-Length: 5",
        "ll 5",
    ] {
        let bytes = format!("{line}\r\nVia: x\r\n\r\n").into_bytes();
        let fault = row(&bytes, 0).expect_err("no row");
        assert_eq!(pass_over(&bytes, fault), Ok(line.len() + 2), "{line}");
    }
}

#[test]
fn a_line_that_may_count_is_not_passed_over() {
    for line in [
        "Content-Length 5",
        "content-length (x): 5",
        "Content Length: 5",
        "Content\u{ad}Length: 5",
        "\"Content-Length\": 5",
        "Content\0Length: 5",
        "(Content-Lengthy): 5",
        "l 5",
        "l",
        "L x: 5",
        "(l): 5",
        "Via SIP/2.0/UDP a",
        "v SIP/2.0/UDP a",
        "Via",
        "From <sip:a@b>",
        "to; x: 1",
        "Call-ID 1",
        "CSeq 1 BYE",
        " X: 1",
        "\tContent-Length: 5",
        "X-Odd\r\n Content-Length: 5",
        "Content-\r\n Length: 5",
    ] {
        let bytes = format!("{line}\r\nVia: x\r\n\r\n").into_bytes();
        let fault = row(&bytes, 0).expect_err("no row");
        assert_eq!(pass_over(&bytes, fault), Err((ParseError::HeaderName, 0)), "{line}");
    }
    for (line, error) in [("X Odd\rY: 1", ParseError::LineEnd), ("X Odd: 1\nY: 1", ParseError::LineEnd)] {
        let bytes = format!("{line}\r\n\r\n").into_bytes();
        let fault = row(&bytes, 0).expect_err("no row");
        assert_eq!(pass_over(&bytes, fault).map_err(|(error, _)| error), Err(error), "{line}");
    }
}

macro_rules! rows {
    ($($name:ident $line:literal => $expected:expr;)*) => {$(
        #[test]
        fn $name() {
            let line: &[u8] = $line;
            let found = row(line, 0).map(|(row, next)| (row.name_in(line), row.value_in(line), next));
            let expected: Result<(&[u8], &[u8], usize), (ParseError, usize)> = $expected;
            assert_eq!(found, expected);
        }
    )*};
}

rows! {
    a_plain_row b"Subject: a\r\n\r\n" => Ok((b"Subject", b"a", 12));
    an_empty_value b"s :\r\n\r\n" => Ok((b"s", b"", 5));
    an_unknown_name b"X-Y-Z:1\r\nA" => Ok((b"X-Y-Z", b"1", 9));
    a_fold b"Subject:\r\n a\r\n\tb\r\n\r\n" => Ok((b"Subject", b"a\r\n\tb", 18));
    a_fold_of_white_space_only b"Subject: a\r\n  \r\n\r\n" => Ok((b"Subject", b"a", 16));
    a_nul_after_a_fold b"X: a\r\n \0\r\nY" => Ok((b"X", b"a\r\n \0", 10));
    no_name b": a\r\n\r\n" => Err((ParseError::HeaderName, 0));
    no_colon b"Subject a\r\n\r\n" => Err((ParseError::HeaderName, 0));
    a_space_first b" a: b\r\n\r\n" => Err((ParseError::HeaderName, 0));
    a_bare_line_feed b"Subject: a\nb\r\n\r\n" => Err((ParseError::LineEnd, 10));
    a_bare_return b"Subject: a\rb\r\n\r\n" => Err((ParseError::LineEnd, 10));
    a_return_in_the_name b"Call\rID: x\r\n\r\n" => Err((ParseError::LineEnd, 4));
    no_end b"Subject: a" => Err((ParseError::Truncated, 10));
    no_line_feed b"Subject: a\r" => Err((ParseError::Truncated, 11));
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
