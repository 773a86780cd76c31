//! Rows, and lines that are none.

use super::*;
use crate::message::ParseError;

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
