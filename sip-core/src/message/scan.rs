//! Octet classes, word-wide scanning for line ends, and the small pieces that every grammar shares (RFC 3261 §25.1).

use super::ParseError;
use super::chunk::{Chunk, seek};
use super::walk::Walk;

/// `token` (RFC 3261 §25.1).
pub(crate) const TOKEN: u16 = 1;
/// Letters, digits, `-`, `.` of a host name, and `_`, which occurs in the field.
pub(crate) const HOST: u16 = 1 << 1;
/// The characters of `user` that need no escape, and `#`, which dial strings carry in the field.
pub(crate) const USER: u16 = 1 << 2;
/// The characters of `password` that need no escape.
pub(crate) const PASSWORD: u16 = 1 << 3;
/// `paramchar` of a URI parameter without escapes.
pub(crate) const PARAM: u16 = 1 << 4;
/// What a URI's header component is made of without escapes, `=` and `&` included.
pub(crate) const URI_HEADER: u16 = 1 << 5;
/// An unquoted value of a header parameter: every visible character but `;` `,` `"` `<` `>`.
pub(crate) const VALUE: u16 = 1 << 6;
/// What an absolute URI may hold between `<` and `>`: every visible character but `<` `>` `"`.
pub(crate) const URI: u16 = 1 << 7;
/// The same where `;` `,` `?` end it, for a URI written without brackets (RFC 3261 §20.10).
pub(crate) const BARE_URI: u16 = 1 << 8;
/// What follows the first letter of a scheme.
pub(crate) const SCHEME: u16 = 1 << 9;
/// An unquoted display name with its white space; letters beyond ASCII occur in the field.
pub(crate) const DISPLAY: u16 = 1 << 10;
/// Linear white space; CR and LF stand in a value only as part of a fold, which the line scan has checked.
pub(crate) const LWS: u16 = 1 << 11;
/// `0-9`.
pub(crate) const DIGIT: u16 = 1 << 12;
/// `0-9 a-f A-F`.
pub(crate) const HEX: u16 = 1 << 13;
/// `a-z A-Z`.
pub(crate) const ALPHA: u16 = 1 << 14;
/// What can stand in a list and neither ends an element nor hides a comma.
pub(crate) const PLAIN: u16 = 1 << 15;

/// Whether several octets at once pay: where a register holds eight of them. Elsewhere code is to be small rather, and
/// goes octet by octet; functions that are inlined where they are called only on wide machines say so by `cfg_attr`.
pub(crate) const WIDE: bool = cfg!(target_pointer_width = "64");

/// The classes of each octet; on 32 bits of ASCII alone, as all others are alike.
static CLASSES: [u16; if WIDE { 256 } else { 128 }] = classes();

/// Whether the octet is among these. The library's own way is by words, and several times as large.
#[cfg_attr(not(target_pointer_width = "64"), inline(never))]
pub(crate) const fn has(set: &[u8], octet: u8) -> bool {
    let mut rest = set;
    while let [first, tail @ ..] = rest {
        if *first == octet {
            return true;
        }
        rest = tail;
    }
    false
}

const fn classes<const N: usize>() -> [u16; N] {
    let mut table = [0; N];
    let mut octet: u8 = 0;
    let mut slots: &mut [u16] = &mut table;
    while let [slot, rest @ ..] = slots {
        *slot = class_of(octet);
        slots = rest;
        octet = octet.wrapping_add(1);
    }
    table
}

const fn class_of(c: u8) -> u16 {
    let alphanumeric = c.is_ascii_alphanumeric();
    let unreserved = alphanumeric || has(b"-_.!~*'()", c);
    let visible = c > b' ' && c < 0x7F;
    let white = has(b" \t\r\n", c);
    let mut class = 0;
    let rows: [(u16, bool); 16] = [
        (TOKEN, alphanumeric || has(b"-.!%*_+`'~", c)),
        (HOST, alphanumeric || has(b"-._", c)),
        (USER, unreserved || has(b"&=+$,;?/#", c)),
        (PASSWORD, unreserved || has(b"&=+$,", c)),
        (PARAM, unreserved || has(b"[]/:&+$", c)),
        (URI_HEADER, unreserved || has(b"[]/?:+$=&", c)),
        (VALUE, visible && !has(b";,\"<>", c)),
        (URI, visible && !has(b"<>\"", c)),
        (BARE_URI, visible && !has(b"<>\";,?", c)),
        (SCHEME, alphanumeric || has(b"+-.", c)),
        (DISPLAY, white || c >= 0x80 || visible && !has(b"\"<>,;:", c)),
        (LWS, white),
        (DIGIT, c.is_ascii_digit()),
        (HEX, c.is_ascii_hexdigit()),
        (ALPHA, c.is_ascii_alphabetic()),
        (PLAIN, !has(b",\"<>", c)),
    ];
    let mut rest: &[(u16, bool)] = &rows;
    while let [(bit, member), tail @ ..] = rest {
        if *member {
            class |= *bit;
        }
        rest = tail;
    }
    class
}

/// Whether `octet` belongs to one of the classes.
#[cfg_attr(target_pointer_width = "64", inline)]
#[cfg_attr(not(target_pointer_width = "64"), inline(never))]
pub(crate) fn is(octet: u8, class: u16) -> bool {
    CLASSES.get(usize::from(octet)).copied().unwrap_or(DISPLAY | PLAIN) & class != 0
}

/// Whether two pieces have the same octets, but for the case of letters.
///
/// Out of line where code has to be small.
#[cfg_attr(target_pointer_width = "64", inline(always))]
#[cfg_attr(not(target_pointer_width = "64"), inline(never))]
pub(crate) fn alike(one: &[u8], other: &[u8]) -> bool {
    // Most are written alike: whole words are compared first.
    one.len() == other.len() && ((WIDE && one == other) || one.eq_ignore_ascii_case(other))
}

/// The octet at `at`; NUL, which is in no class, beyond the end.
#[inline]
pub(crate) fn peek(bytes: &[u8], at: usize) -> u8 {
    bytes.get(at).copied().unwrap_or(0)
}

/// The octets from `from` up to `to`; none when the range does not lie within.
#[cfg_attr(target_pointer_width = "64", inline)]
#[cfg_attr(not(target_pointer_width = "64"), inline(never))]
pub(crate) fn slice(bytes: &[u8], from: usize, to: usize) -> &[u8] {
    bytes.get(from..to).unwrap_or_default()
}

/// Where a piece lies in octets of at most 65,535; no piece begins at zero, which stands for none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(crate) struct Span {
    from: u16,
    to: u16,
}

impl Span {
    /// No piece.
    pub(crate) const NONE: Self = Self { from: 0, to: 0 };

    #[inline]
    pub(crate) const fn new(from: usize, to: usize) -> Self {
        Self { from: from as u16, to: to as u16 }
    }

    /// Whether there is no piece.
    #[inline]
    pub(crate) const fn is_none(self) -> bool {
        self.from == 0
    }

    /// Where it begins and ends; both zero when there is none.
    #[inline]
    pub(crate) fn bounds(self) -> (usize, usize) {
        (usize::from(self.from), usize::from(self.to))
    }

    /// The piece, empty when there is none.
    #[cfg_attr(target_pointer_width = "64", inline)]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(crate) fn of(self, bytes: &[u8]) -> &[u8] {
        slice(bytes, usize::from(self.from), usize::from(self.to))
    }

    /// The piece, if there is one.
    #[cfg_attr(target_pointer_width = "64", inline)]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(crate) fn get(self, bytes: &[u8]) -> Option<&[u8]> {
        if self.is_none() { None } else { Some(self.of(bytes)) }
    }
}

/// Where the run of octets of the class that begins at `from` ends.
///
/// The class has letters, digits, `-` and `.`, which are stepped over many at a time; [`run_of`] is for the others.
#[cfg_attr(target_pointer_width = "64", inline)]
#[cfg_attr(not(target_pointer_width = "64"), inline(never))]
pub(crate) fn run(bytes: &[u8], from: usize, class: u16) -> usize {
    debug_assert!(b"az09AZ-.".iter().all(|octet| is(*octet, class)), "a class of few octets");
    let mut at = from;
    loop {
        at = seek(bytes, at, Chunk::unusual).unwrap_or(at);
        match bytes.get(at) {
            Some(octet) if is(*octet, class) => at = at.wrapping_add(1),
            _ => return at,
        }
    }
}

/// As [`run`], of any class, for a run that is likely to be short.
#[cfg_attr(target_pointer_width = "64", inline)]
#[cfg_attr(not(target_pointer_width = "64"), inline(never))]
pub(crate) fn run_of(bytes: &[u8], from: usize, class: u16) -> usize {
    let mut at = from;
    while bytes.get(at).is_some_and(|octet| is(*octet, class)) {
        at = at.wrapping_add(1);
    }
    at
}

/// Whether the octet is not in [`URI`], computed so that a vector unit can.
#[inline]
pub(crate) const fn is_outside_uri(octet: u8) -> bool {
    (octet <= b' ') | (octet >= 0x7F) | (octet == b'<') | (octet == b'>') | (octet == b'"')
}

/// The first place at or after `from` where `octet` stands; the end when there is none.
#[cfg_attr(target_pointer_width = "64", inline)]
#[cfg_attr(not(target_pointer_width = "64"), inline(never))]
pub(crate) fn find(bytes: &[u8], from: usize, octet: u8) -> usize {
    seek(bytes, from, |chunk| chunk.equal(octet)).unwrap_or_else(|| {
        let rest = bytes.get(from..).unwrap_or_default();
        from.wrapping_add(rest.iter().position(|found| *found == octet).unwrap_or(rest.len()))
    })
}

/// The first place at or after `at` that is not white space.
#[cfg_attr(target_pointer_width = "64", inline)]
#[cfg_attr(not(target_pointer_width = "64"), inline(never))]
pub(crate) fn skip_lws(bytes: &[u8], at: usize) -> usize {
    let mut at = at;
    while let Some(octet) = bytes.get(at) {
        if *octet > b' ' || !is(*octet, LWS) {
            break;
        }
        at = at.wrapping_add(1);
    }
    at
}

/// `bytes` without white space at both ends.
#[cfg_attr(target_pointer_width = "64", inline)]
#[cfg_attr(not(target_pointer_width = "64"), inline(never))]
pub(crate) fn trim(bytes: &[u8]) -> &[u8] {
    trim_end(bytes.get(skip_lws(bytes, 0)..).unwrap_or_default())
}

/// `bytes` without white space at the end.
#[cfg_attr(target_pointer_width = "64", inline)]
#[cfg_attr(not(target_pointer_width = "64"), inline(never))]
pub(crate) fn trim_end(bytes: &[u8]) -> &[u8] {
    let mut rest = bytes;
    while let [head @ .., last] = rest {
        if *last > b' ' || !is(*last, LWS) {
            break;
        }
        rest = head;
    }
    rest
}

/// The number that `digits` spells, `u64::MAX` when it is larger; `None` unless all are digits and there is one.
#[cfg_attr(target_pointer_width = "64", inline)]
#[cfg_attr(not(target_pointer_width = "64"), inline(never))]
pub(crate) fn decimal(digits: &[u8]) -> Option<u64> {
    // Nineteen digits fit always.
    let fits = WIDE && digits.len() < 20;
    let mut number: u64 = 0;
    for octet in digits {
        let digit = octet.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        let digit = u64::from(digit);
        number = if fits {
            number.wrapping_mul(10).wrapping_add(digit)
        } else {
            number.saturating_mul(10).saturating_add(digit)
        };
    }
    if digits.is_empty() { None } else { Some(number) }
}

/// The number of 32 bits whose digits begin at `at`, and where they end; `None` when there are none, or more than fit.
#[cfg_attr(target_pointer_width = "64", inline)]
#[cfg_attr(not(target_pointer_width = "64"), inline(never))]
pub(crate) fn number(bytes: &[u8], at: usize) -> Option<(u32, usize)> {
    let mut number: u32 = 0;
    let mut end = at;
    while let Some(octet) = bytes.get(end) {
        let digit = octet.wrapping_sub(b'0');
        if digit > 9 {
            break;
        }
        number = number.checked_mul(10)?.checked_add(u32::from(digit))?;
        end = end.wrapping_add(1);
    }
    (end != at).then_some((number, end))
}

/// As [`decimal`], `u32::MAX` when the number is larger.
#[cfg_attr(target_pointer_width = "64", inline)]
#[cfg_attr(not(target_pointer_width = "64"), inline(never))]
pub(crate) fn decimal_u32(digits: &[u8]) -> Option<u32> {
    let mut number: u32 = 0;
    for octet in digits {
        let digit = octet.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        number = number.saturating_mul(10).saturating_add(u32::from(digit));
    }
    if digits.is_empty() { None } else { Some(number) }
}

const ONES: u64 = 0x0101_0101_0101_0101;
/// The bit that makes letters small, in each octet.
pub(crate) const LOWER: u64 = 0x2020_2020_2020_2020;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// Eight octets as a word, the first one lowest; `None` when fewer are left.
#[inline]
pub(crate) fn word(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().map(|chunk| u64::from_le_bytes(*chunk))
}

/// A mask with the high bit of each octet of `word` that is below `limit` (at most 128) set, exact up to its
/// lowest one.
#[inline]
pub(crate) const fn below(word: u64, limit: u8) -> u64 {
    word.wrapping_sub(ONES.wrapping_mul(limit as u64)) & !word & HIGHS
}

/// Whether `test` holds for one of the octets. It is asked of many at once, by a vector unit where there is one,
/// and of some of them twice.
#[cfg_attr(target_pointer_width = "64", inline)]
pub(crate) fn any(octets: &[u8], test: impl Fn(u8) -> bool + Copy) -> bool {
    if !WIDE {
        return octets.iter().any(|octet| test(*octet));
    }
    let Some(last) = octets.last_chunk::<16>() else {
        return match (octets.first_chunk::<8>(), octets.last_chunk::<8>()) {
            (Some(first), Some(last)) => any_of(first, test) | any_of(last, test),
            _ => octets.iter().any(|octet| test(*octet)),
        };
    };
    let mut rest = octets;
    while let Some((chunk, tail)) = rest.split_first_chunk::<16>() {
        if any_of(chunk, test) {
            return true;
        }
        rest = tail;
    }
    any_of(last, test)
}

/// Whether `test` holds for one of so many octets.
#[inline]
fn any_of<const N: usize>(chunk: &[u8; N], test: impl Fn(u8) -> bool) -> bool {
    chunk.iter().fold(false, |found, octet| found | test(*octet))
}

/// The first place at or after `from` with an octet below 32; the end when there is none.
#[cfg_attr(target_pointer_width = "64", inline)]
#[cfg_attr(not(target_pointer_width = "64"), inline(never))]
pub(crate) fn control(bytes: &[u8], from: usize) -> usize {
    if let Some(found) = seek(bytes, from, |chunk| chunk.at_most(31)) {
        return found;
    }
    let mut at = from;
    while let Some(word) = word(bytes, at) {
        let found = below(word, 32);
        if found != 0 {
            return at.wrapping_add((found.trailing_zeros() / 8) as usize);
        }
        at = at.wrapping_add(8);
    }
    while bytes.get(at).is_some_and(|octet| *octet >= 32) {
        at = at.wrapping_add(1);
    }
    at
}

/// Sixteen octets as two words, the first octet lowest.
#[inline]
pub(crate) fn words(chunk: &[u8; 16]) -> (u64, u64) {
    let both = u128::from_le_bytes(*chunk);
    (both as u64, (both >> 64) as u64)
}

/// The end of a line and the start of the next.
#[derive(Clone, Copy)]
pub(crate) struct Line {
    /// Where its CRLF stands.
    pub(crate) end: usize,
    /// Behind the CRLF.
    pub(crate) next: usize,
}

/// Finds the CRLF that ends the line; with `folds`, one that white space follows does not (RFC 3261 §7.3.1).
///
/// A CR or LF alone is an error, so that no two parsers can disagree about where a header ends.
#[cfg_attr(target_pointer_width = "64", inline)]
#[cfg_attr(not(target_pointer_width = "64"), inline(never))]
pub(crate) fn line(bytes: &[u8], from: usize, folds: bool) -> Result<Line, (ParseError, usize)> {
    let mut at = from;
    loop {
        at = control(bytes, at);
        match bytes.get(at) {
            Some(b'\r') => match bytes.get(at.wrapping_add(1)) {
                Some(b'\n') => {
                    let next = at.wrapping_add(2);
                    if !folds || !matches!(bytes.get(next), Some(b' ' | b'\t')) {
                        return Ok(Line { end: at, next });
                    }
                    at = next.wrapping_add(1);
                }
                Some(_) => return Err((ParseError::LineEnd, at)),
                None => return Err((ParseError::Truncated, bytes.len())),
            },
            Some(b'\n') => return Err((ParseError::LineEnd, at)),
            Some(_) => at = at.wrapping_add(1),
            None => return Err((ParseError::Truncated, bytes.len())),
        }
    }
}

/// Whether `literal` stands at `at`.
#[cfg_attr(target_pointer_width = "64", inline)]
pub(crate) fn stands<const N: usize>(bytes: &[u8], at: usize, literal: &[u8; N]) -> bool {
    bytes.get(at..).and_then(<[u8]>::first_chunk).is_some_and(|found: &[u8; N]| found == literal)
}

/// Cuts the first element off a comma-separated list; quotes and angle brackets hide commas (RFC 3261 §7.3.1).
///
/// Gives the element, trimmed, and what follows its comma; `None` for the rest when there was no comma.
#[cfg_attr(target_pointer_width = "64", inline)]
#[cfg_attr(not(target_pointer_width = "64"), inline(never))]
pub(crate) fn element(list: &[u8]) -> (&[u8], Option<&[u8]>) {
    let (first, end) = Walk::new(list, 0).element(0);
    (first, list.get(end.wrapping_add(1)..))
}

/// The elements of a comma-separated list, trimmed, and empty where nothing stands between two commas.
pub(crate) fn elements(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(list).filter(|list| !list.is_empty());
    core::iter::from_fn(move || {
        let (first, left) = element(rest?);
        rest = left.filter(|left| !left.is_empty());
        Some(first)
    })
}

/// The octets of a value with each fold read as one space (RFC 3261 §7.3.1).
pub fn unfold(value: &[u8]) -> impl Iterator<Item = u8> + '_ {
    let mut at: usize = 0;
    core::iter::from_fn(move || {
        let octet = *value.get(at)?;
        at = at.wrapping_add(1);
        if octet == b'\r' && peek(value, at) == b'\n' {
            at = skip_lws(value, at);
            return Some(b' ');
        }
        Some(octet)
    })
}

/// The octets of a quoted string's inside with `\` taken off what it escapes (RFC 3261 §25.1).
pub fn unescape(inside: &[u8]) -> impl Iterator<Item = u8> + '_ {
    let mut rest = inside.iter();
    core::iter::from_fn(move || match rest.next()? {
        b'\\' => rest.next().copied(),
        octet => Some(*octet),
    })
}

/// The inside of a quoted string; `value` itself when it isn't one.
#[must_use]
#[cfg_attr(not(target_pointer_width = "64"), inline(never))]
pub fn unquote(value: &[u8]) -> &[u8] {
    match value {
        [b'"', inside @ .., b'"'] => inside,
        _ => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_scan_agrees_with_the_plain_one() {
        let mut text = [b'x'; 40];
        for place in 0..40 {
            for octet in [0, 9, 13, 31, 32, 127, 128, 255] {
                text[place] = octet;
                for from in 0..40 {
                    let plain = (from..40).find(|at| text[*at] < 32).unwrap_or(40);
                    assert_eq!(control(&text, from), plain);
                }
            }
            text[place] = b'x';
        }
    }

    #[test]
    fn a_table_of_ascii_says_the_same_of_all_octets() {
        let narrow: [u16; 128] = classes();
        for octet in 0..=255_u8 {
            let class = narrow.get(usize::from(octet)).copied().unwrap_or(DISPLAY | PLAIN);
            assert_eq!(class, class_of(octet), "{octet}");
        }
    }

    #[test]
    fn what_a_vector_unit_computes_is_what_the_table_says() {
        for octet in 0..=255 {
            assert_eq!(is_outside_uri(octet), !is(octet, URI));
        }
    }

    #[test]
    fn elements_respect_quotes_and_brackets() {
        for (list, first, rest) in [
            (&b"a, b"[..], &b"a"[..], Some(&b" b"[..])),
            (b"\"a,\\\",b\" <x>,c", b"\"a,\\\",b\" <x>", Some(b"c")),
            (b"<a,b>,c", b"<a,b>", Some(b"c")),
            (b" a ", b"a", None),
            (b"", b"", None),
            (b",", b"", Some(b"")),
            (b"\"a,b", b"\"a,b", None),
        ] {
            assert_eq!(element(list), (first, rest));
        }
    }

    #[test]
    fn a_quoted_string_of_no_one_or_two_octets() {
        for (text, end) in
            [(&b"\""[..], None), (b"\"\"", Some(2)), (b"\"\\", None), (b"\"\\\"", None), (b"\"a\"", Some(3))]
        {
            assert_eq!(Walk::new(text, 0).quoted(0), end);
        }
        for (text, inside) in [(&b""[..], &b""[..]), (b"\"", b"\""), (b"\"\"", b""), (b"x", b"x")] {
            assert_eq!(unquote(text), inside);
        }
    }

    #[test]
    fn folds_read_as_one_space() {
        assert!(unfold(b"a\r\n \t b\tc").eq(b"a b\tc".iter().copied()));
        assert!(unescape(b"a\\\"b\\\\").eq(b"a\"b\\".iter().copied()));
    }
}
