//! Header rows: where they lie, how they are read, and which lines that are none are passed over (RFC 3261 §7.3).

use super::ParseError;
use super::chunk::Chunk;
use super::header::{Header, HeaderName, NameKey, find, find_key};
use super::scan::{self, LOWER, TOKEN, has, peek, run, skip_lws, slice};

/// Where one header row lies in its message; zero is no row.
///
/// From the lowest bit on: where the name begins, where the value begins (white space skipped), where it ends
/// (white space trimmed), 16 bits each; the name's id, zero for a name that is not known; and the number of the next row
/// of this id in its table, counted from one, zero when there is none.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Row(u64);

impl Row {
    /// No row.
    pub(crate) const NONE: Self = Self(0);

    #[inline]
    pub(crate) const fn new(name: usize, value: usize, end: usize, id: u8) -> Self {
        Self(name as u64 | (value as u64) << 16 | (end as u64) << 32 | (id as u64) << 48)
    }

    /// Where the name begins.
    #[inline]
    pub(crate) const fn name(self) -> usize {
        (self.0 & 0xFFFF) as usize
    }

    /// Where the value begins.
    #[inline]
    pub(crate) const fn value(self) -> usize {
        (self.0 >> 16 & 0xFFFF) as usize
    }

    /// Where the value ends.
    #[inline]
    pub(crate) const fn end(self) -> usize {
        (self.0 >> 32 & 0xFFFF) as usize
    }

    /// The name's id.
    #[inline]
    pub(crate) const fn id(self) -> u8 {
        (self.0 >> 48) as u8
    }

    /// The number of the next row of the same id.
    #[inline]
    pub(crate) const fn next(self) -> u8 {
        (self.0 >> 56) as u8
    }

    /// Sets the number of the next row, which has not been set before.
    #[inline]
    pub(crate) const fn link(&mut self, next: u8) {
        self.0 |= (next as u64) << 56;
    }

    /// Whether there is no row.
    #[inline]
    pub(crate) const fn is_none(self) -> bool {
        self.0 == 0
    }

    /// The value.
    #[cfg_attr(target_pointer_width = "64", inline)]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(crate) fn value_in(self, bytes: &[u8]) -> &[u8] {
        slice(bytes, self.value(), self.end())
    }

    /// The octets up to the end of the value, which is read from its beginning on.
    #[inline]
    pub(crate) fn up_to_end(self, bytes: &[u8]) -> &[u8] {
        slice(bytes, 0, self.end())
    }

    /// The name as it is written.
    pub(crate) fn name_in(self, bytes: &[u8]) -> &[u8] {
        slice(bytes, self.name(), run(bytes, self.name(), TOKEN))
    }

    /// The name and the value.
    pub(crate) fn header_in(self, bytes: &[u8]) -> Header<'_> {
        let written = if self.id() == 0 { self.name_in(bytes) } else { b"" };
        Header { name: HeaderName::from_id(self.id(), written), value: self.value_in(bytes) }
    }
}

/// Reads the header row that begins at `at`; gives it and where the next line begins.
///
/// `bytes` has at most 65,535 octets, so that every offset fits.
#[cfg_attr(target_pointer_width = "64", inline)]
pub(crate) fn row(bytes: &[u8], at: usize) -> Result<(Row, usize), (ParseError, usize)> {
    let plain = if Chunk::EXISTS { plain_row(bytes, at) } else { None };
    plain.map_or_else(|| any_row(bytes, at), Ok)
}

/// The row when it is as most are: a known name of less than sixteen letters with its colon right behind it, at
/// most one space, a value without white space at its ends, one line, and another line behind it.
#[cfg_attr(target_pointer_width = "64", inline(always))]
fn plain_row(bytes: &[u8], at: usize) -> Option<(Row, usize)> {
    let rest = bytes.get(at..)?;
    let first = rest.first_chunk()?;
    let colon = Chunk::new(first)?.equal(b':').trailing_zeros() as usize;
    let mask = KEY_MASKS.get(colon.wrapping_sub(1))?;
    let (low, high) = scan::words(first);
    let id = find_key(((low | LOWER) & mask.0, (high | LOWER) & mask.1))?;
    // From the name on: with the bit set that makes letters small, CR is the hyphen of a name, and LF is in none.
    let end = scan::control(rest, 0);
    let [cr, lf, next] = *rest.get(end..)?.first_chunk()?;
    // A line that white space begins goes on with this one.
    if u16::from_le_bytes([cr, lf]) != u16::from_le_bytes(*b"\r\n") || next == b' ' || next == b'\t' {
        return None;
    }
    let line = rest.get(..end)?;
    let value = colon.wrapping_add(1);
    let value = value.wrapping_add(usize::from(*line.get(value)? == b' '));
    if *line.get(value)? <= b' ' || *line.last()? <= b' ' {
        return None;
    }
    let end = at.wrapping_add(end);
    Some((Row::new(at, at.wrapping_add(value), end, id), end.wrapping_add(2)))
}

/// For each length of a name, from one on, the octets of the key that are the name's.
static KEY_MASKS: [NameKey; 15] = key_masks();

const fn key_masks() -> [NameKey; 15] {
    let mut masks = [(0, 0); 15];
    let mut octets: u32 = 8;
    let mut rest: &mut [NameKey] = &mut masks;
    while let [mask, tail @ ..] = rest {
        let bits = !u128::MAX.wrapping_shl(octets);
        *mask = (bits as u64, (bits >> 64) as u64);
        rest = tail;
        octets = octets.wrapping_add(8);
    }
    masks
}

/// The row in whatever form.
#[inline(never)]
fn any_row(bytes: &[u8], at: usize) -> Result<(Row, usize), (ParseError, usize)> {
    let (id, colon) = name(bytes, at)?;
    let line = scan::line(bytes, at, true)?;
    let value = skip_lws(bytes, colon.wrapping_add(1)).min(line.end);
    let mut end = line.end;
    while end > value && scan::is(peek(bytes, end.wrapping_sub(1)), scan::LWS) {
        end = end.wrapping_sub(1);
    }
    Ok((Row::new(at, value, end, id), line.next))
}

/// Any name, with white space before its colon allowed (RFC 3261 §7.3.1).
fn name(bytes: &[u8], at: usize) -> Result<(u8, usize), (ParseError, usize)> {
    let end = run(bytes, at, TOKEN);
    let mut colon = end;
    while matches!(peek(bytes, colon), b' ' | b'\t') {
        colon = colon.wrapping_add(1);
    }
    if end == at || peek(bytes, colon) != b':' {
        // A line that the octets end in is told apart, for the framing of a stream.
        return Err(match scan::line(bytes, at, true) {
            Err(failure) => failure,
            Ok(_) => (ParseError::HeaderName, at),
        });
    }
    Ok((find(slice(bytes, at, end)), colon))
}

/// Passes over the line for which [`row`] has failed: one bad row that nobody needs spoils no message (RFC 3261 §8.2.2).
/// Gives where the next line begins, or the fault when the line must not be passed over.
///
/// That is one with a CR or LF alone, and one that another parser may take for a row that counts:
/// - its first word is the name of a row that every layer needs, or the letters before its colon spell Content-Length, so
///   that the end of the message is never in doubt;
/// - it goes on in a second line before its colon, and a parser without folds sees two rows;
/// - it begins with white space, which only the line behind the start line can: behind a row that a proxy puts there it
///   would be that row's fold.
#[cold]
#[inline(never)]
pub(crate) fn pass_over(bytes: &[u8], fault: (ParseError, usize)) -> Result<usize, (ParseError, usize)> {
    let (ParseError::HeaderName, at) = fault else { return Err(fault) };
    let line = scan::line(bytes, at, true)?;
    let name = slice(bytes, at, scan::find(bytes, at, b':').min(line.end));
    let mandatory = matches!(find(slice(name, 0, run(name, 0, TOKEN))), 1..=LAST_MANDATORY);
    let white = scan::is(peek(bytes, at), scan::LWS);
    if mandatory || white || has(name, b'\r') || spells_length(name) { Err(fault) } else { Ok(line.next) }
}

/// The last of the ids whose rows every layer needs, which are the lowest.
const LAST_MANDATORY: u8 = HeaderName::ContentLength.id();

/// Whether the letters of what stands for a name are those of Content-Length or of its compact form.
fn spells_length(name: &[u8]) -> bool {
    let mut wanted = &b"contentlength"[..];
    let (mut letters, mut last): (usize, u8) = (0, 0);
    for octet in name.iter().filter(|octet| octet.is_ascii_alphabetic()) {
        last = *octet | 0x20;
        match wanted {
            [first, rest @ ..] if *first == last => wanted = rest,
            [] => break,
            // The first letter that differs ends it.
            _ => wanted = &[0],
        }
        letters = letters.wrapping_add(1);
    }
    wanted.is_empty() || letters == 1 && last == b'l'
}

#[cfg(test)]
mod tests;
