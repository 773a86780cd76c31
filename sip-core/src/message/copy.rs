//! Copying of the pieces that messages are made of, most of which are short.

use super::chunk::Chunk;
use super::scan::WIDE;

/// Copies octets to a place that is as long.
#[inline(always)]
pub(super) fn copy(place: &mut [u8], octets: &[u8]) {
    match octets.len() {
        0..8 if WIDE => _ = few(place, octets),
        8..=16 if WIDE => _ = ends::<8>(place, octets),
        17..=32 if WIDE => _ = ends::<16>(place, octets),
        _ => all(place, octets),
    }
}

/// Copies octets to a place that is as long, and tells whether `look` marks one of them. Where there are no chunks to look at,
/// nothing is known of them, so it says yes.
#[inline(always)]
pub(super) fn copy_looking(place: &mut [u8], octets: &[u8], look: impl Fn(Chunk) -> u32) -> bool {
    if !Chunk::EXISTS {
        all(place, octets);
        return true;
    }
    let look = |chunk: &[u8; 16]| Chunk::new(chunk).is_none_or(|chunk| look(chunk) != 0);
    if octets.len() < 8 {
        let word = u128::from(few(place, octets));
        return look(&(word | word << 64).to_le_bytes());
    }
    if octets.len() < 16 {
        let Some((first, last)) = ends::<8>(place, octets) else { return true };
        let (first, last) = (u64::from_le_bytes(first), u64::from_le_bytes(last));
        return look(&(u128::from(first) | u128::from(last) << 64).to_le_bytes());
    }
    let mut found = false;
    for (place, chunk) in place.as_chunks_mut().0.iter_mut().zip(octets.as_chunks().0) {
        *place = *chunk;
        found |= look(chunk);
    }
    let Some((_, last)) = ends::<16>(place, octets) else { return true };
    found | look(&last)
}

/// Copies as many octets as both have, which can't panic. The compiler makes one call of it.
#[inline(always)]
fn all(place: &mut [u8], octets: &[u8]) {
    for (place, octet) in place.iter_mut().zip(octets) {
        *place = *octet;
    }
}

/// Copies the first and the last `N` octets, which may overlap, and gives them; `None` when there are not so many.
#[inline(always)]
fn ends<const N: usize>(place: &mut [u8], octets: &[u8]) -> Option<([u8; N], [u8; N])> {
    let (first, last) = (*octets.first_chunk()?, *octets.last_chunk()?);
    *place.first_chunk_mut()? = first;
    *place.last_chunk_mut()? = last;
    Some((first, last))
}

/// Copies fewer than eight octets, and gives a word in which each of them stands and nothing else but letters.
#[inline(always)]
fn few(place: &mut [u8], octets: &[u8]) -> u64 {
    if let Some((first, last)) = ends::<4>(place, octets) {
        return u64::from(u32::from_le_bytes(first)) | u64::from(u32::from_le_bytes(last)) << 32;
    }
    let mut word = u64::from_le_bytes([b'x'; 8]);
    for (place, octet) in place.iter_mut().zip(octets) {
        *place = *octet;
        word = word << 8 | u64::from(*octet);
    }
    word
}

/// Moves `from..end` down to `to`. It is the only caller of `copy_within`, which so loses its panics.
#[inline(never)]
pub(crate) fn move_down(octets: &mut [u8], from: usize, end: usize, to: usize) {
    let shift = from.saturating_sub(to);
    if shift > 0
        && let Some(window) = octets.get_mut(to..end)
        && shift <= window.len()
    {
        if cfg!(target_pointer_width = "64") {
            window.copy_within(shift.., 0);
        } else {
            by_pieces(window, shift);
        }
    }
}

/// Moves all but the first `shift` octets to the front. Pieces of that length don't overlap, so that they are copied, and a
/// firmware needs no `memmove`, which takes 600 octets of flash.
fn by_pieces(window: &mut [u8], shift: usize) {
    let mut at: usize = 0;
    while let Some((place, from)) = window.get_mut(at..).and_then(|rest| rest.split_at_mut_checked(shift.max(1)))
        && !from.is_empty()
    {
        for (place, octet) in place.iter_mut().zip(from) {
            *place = *octet;
        }
        at = at.saturating_add(shift.max(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_is_copied_and_every_octet_looked_at() {
        for length in 0..100 {
            let octets: Vec<u8> = (0..length).map(|number| number + 130).collect();
            let (mut plain, mut looked_at) = (vec![0; octets.len()], vec![0; octets.len()]);
            copy(&mut plain, &octets);
            assert_eq!(copy_looking(&mut looked_at, &octets, |chunk| chunk.at_most(100)), !Chunk::EXISTS);
            assert_eq!((&plain, &looked_at), (&octets, &octets));
            for wanted in &octets {
                assert!(copy_looking(&mut looked_at, &octets, |chunk| chunk.equal(*wanted)));
            }
        }
    }

    #[test]
    fn octets_are_moved_by_pieces_as_in_one() {
        for length in 0..40_usize {
            for shift in 1..=length {
                let mut expected: Vec<u8> = (0..length as u8).collect();
                let mut moved = expected.clone();
                expected.copy_within(shift.., 0);
                by_pieces(&mut moved, shift);
                assert_eq!(moved[..length - shift], expected[..length - shift], "{length} by {shift}");
            }
        }
    }
}
