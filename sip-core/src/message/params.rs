//! Header parameters: `;name`, `;name=value`, `;name="quoted"` (RFC 3261 §25.1 `generic-param`).

use super::scan::{TOKEN, VALUE, WIDE, alike, peek, skip_lws, slice};
use super::walk::Walk;

/// One parameter of a header or URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Param<'a> {
    /// The name; case is ignored where names are compared.
    pub name: &'a [u8],
    /// The value as written, quotes included; `None` when there is no `=`.
    pub value: Option<&'a [u8]>,
}

impl Param<'_> {
    /// Whether the parameter has this name.
    #[must_use]
    #[cfg_attr(target_pointer_width = "64", inline)]
    pub fn is(&self, name: &[u8]) -> bool {
        self.name.len() == name.len() && alike(self.name, name)
    }
}

/// The parameters of a header value, in order.
#[derive(Clone, Debug)]
pub struct Params<'a> {
    bytes: &'a [u8],
    known: Places,
    /// How many of the known ones have been given.
    given: usize,
    /// Where the search for the next one begins.
    at: usize,
}

impl<'a> Params<'a> {
    /// The parameters that `bytes`, which begin with a semicolon or are empty, hold.
    #[cfg_attr(target_pointer_width = "64", inline)]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, known: Places::NONE, given: Places::MOST, at: 0 }
    }

    /// The parameters in `bytes` from `from` on, of which the first ones have been found before.
    #[cfg_attr(target_pointer_width = "64", inline)]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(crate) const fn found(bytes: &'a [u8], known: Places, from: u16) -> Self {
        Self { bytes, known, given: 0, at: from as usize }
    }

    /// The value of the first parameter of this name, empty when it has none; `None` when there is no such one.
    #[must_use]
    #[cfg_attr(target_pointer_width = "64", inline)]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub fn find(self, name: &[u8]) -> Option<&'a [u8]> {
        let mut rest = self;
        rest.find_map(|param| param.is(name).then(|| param.value.unwrap_or_default()))
    }

    /// Where the next one lies, counted from the first octet.
    #[cfg_attr(target_pointer_width = "64", inline)]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(crate) fn next_place(&mut self) -> Option<Place> {
        let Some(kept) = self.known.0.get(self.given) else { return self.search() };
        if kept.name == 0 {
            return None;
        }
        self.given = self.given.wrapping_add(1);
        self.at = usize::from(kept.end);
        Some(Place {
            name: usize::from(kept.name),
            name_end: usize::from(kept.name_end),
            value: usize::from(kept.value),
            end: usize::from(kept.end),
        })
    }

    #[inline(never)]
    fn search(&mut self) -> Option<Place> {
        let place = next_param(&mut Walk::new(self.bytes, self.at), self.at)??;
        self.at = place.end;
        Some(place)
    }
}

impl<'a> Iterator for Params<'a> {
    type Item = Param<'a>;

    #[cfg_attr(target_pointer_width = "64", inline)]
    fn next(&mut self) -> Option<Self::Item> {
        self.next_place().map(|place| place.param(self.bytes))
    }
}

/// Where the first parameters of a value lie, as they were found when it was checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(crate) struct Places([Kept; Self::MOST]);

impl Places {
    pub(crate) const NONE: Self = Self([Kept { name: 0, name_end: 0, value: 0, end: 0 }; Self::MOST]);
    /// How many are kept: none on 32 bits, where it takes more code than it saves work.
    const MOST: usize = if WIDE { 4 } else { 0 };
}

/// A [`Place`] counted from the first octet of the value; no name begins at zero, which stands for none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
struct Kept {
    name: u16,
    name_end: u16,
    value: u16,
    end: u16,
}

/// Where a parameter lies.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    /// Where its name begins.
    name: usize,
    /// Where its name ends.
    pub(crate) name_end: usize,
    /// Where its value begins; beyond its end when it has none.
    pub(crate) value: usize,
    /// Where it ends.
    pub(crate) end: usize,
}

impl Place {
    #[cfg_attr(target_pointer_width = "64", inline)]
    fn param(self, bytes: &[u8]) -> Param<'_> {
        Param { name: slice(bytes, self.name, self.name_end), value: bytes.get(self.value..self.end) }
    }

    /// The same, counted from `start`.
    #[cfg_attr(target_pointer_width = "64", inline)]
    const fn keep(self, start: usize) -> Kept {
        let value = if self.value > self.end { u16::MAX } else { self.value.wrapping_sub(start) as u16 };
        Kept {
            name: self.name.wrapping_sub(start) as u16,
            name_end: self.name_end.wrapping_sub(start) as u16,
            value,
            end: self.end.wrapping_sub(start) as u16,
        }
    }

    /// How many octets its name has.
    #[cfg_attr(target_pointer_width = "64", inline)]
    pub(crate) const fn name_len(self) -> usize {
        self.name_end.wrapping_sub(self.name)
    }

    /// Whether it has a value that is not empty.
    #[cfg_attr(target_pointer_width = "64", inline)]
    pub(crate) const fn has_value(self) -> bool {
        self.value < self.end
    }

    /// The same for names of any length.
    #[inline(never)]
    fn is_named(&self, bytes: &[u8], name: &[u8]) -> bool {
        alike(slice(bytes, self.name, self.name_end), name)
    }

    /// Whether it has this name.
    #[cfg_attr(target_pointer_width = "64", inline)]
    pub(crate) fn is<const N: usize>(self, bytes: &[u8], name: &[u8; N]) -> bool {
        if !WIDE {
            return self.is_named(bytes, name);
        }
        self.name_len() == N
            && bytes
                .get(self.name..)
                .and_then(<[u8]>::first_chunk)
                .is_some_and(|found: &[u8; N]| found == name || alike(found, name))
    }
}

/// Reads the parameters that begin at `at` and shows each to `seen`, which refuses it with `None`. Notes where the first
/// ones lie, counted from `start`, and gives where the last one ends.
#[cfg_attr(target_pointer_width = "64", inline)]
pub(crate) fn read_params(
    walk: &mut Walk<'_>,
    start: usize,
    at: usize,
    places: &mut Places,
    mut seen: impl FnMut(Place) -> Option<()>,
) -> Option<usize> {
    let mut at = at;
    let mut free = places.0.iter_mut();
    while let Some(param) = next_param(walk, at) {
        let param = param?;
        seen(param)?;
        at = param.end;
        if let Some(free) = free.next() {
            *free = param.keep(start);
        }
    }
    Some(at)
}

/// Finds the parameter whose semicolon follows at `at`, after white space.
///
/// `None` when what follows is no semicolon, `Some(None)` when it is one and no parameter.
#[cfg_attr(target_pointer_width = "64", inline(always))]
#[cfg_attr(not(target_pointer_width = "64"), inline(never))]
pub(crate) fn next_param(walk: &mut Walk<'_>, at: usize) -> Option<Option<Place>> {
    let at = skip_lws(walk.bytes, at);
    if peek(walk.bytes, at) == b';' { Some(place(walk, at.wrapping_add(1))) } else { None }
}

/// Reads the parameter behind a semicolon.
#[cfg_attr(target_pointer_width = "64", inline(always))]
fn place(walk: &mut Walk<'_>, at: usize) -> Option<Place> {
    let bytes = walk.bytes;
    let mut name = at;
    let mut name_end = walk.run(name, TOKEN);
    if name_end == name {
        name = skip_lws(bytes, at);
        name_end = walk.run(name, TOKEN);
        if name_end == name {
            return None;
        }
    }
    let mut equal = name_end;
    if peek(bytes, equal) <= b' ' {
        equal = skip_lws(bytes, equal);
    }
    if peek(bytes, equal) != b'=' {
        return Some(Place { name, name_end, value: usize::MAX, end: name_end });
    }
    let mut value = equal.wrapping_add(1);
    let mut end = walk.run(value, VALUE);
    if end == value {
        let after = skip_lws(bytes, value);
        let found = if peek(bytes, after) == b'"' { walk.quoted(after)? } else { walk.run(after, VALUE) };
        // Of an empty value the white space behind the equals sign is not the parameter's.
        if found != after {
            (value, end) = (after, found);
        }
    }
    Some(Place { name, name_end, value, end })
}

/// Whether nothing but white space and perhaps a comma, which begins the next element, follows at `at`.
///
/// Gives the place of the comma or of the end.
#[cfg_attr(target_pointer_width = "64", inline)]
#[cfg_attr(not(target_pointer_width = "64"), inline(never))]
pub(crate) fn element_end(bytes: &[u8], at: usize) -> Option<usize> {
    let at = skip_lws(bytes, at);
    (at >= bytes.len() || peek(bytes, at) == b',').then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Via;

    #[test]
    fn parameters_are_found_without_their_places_too() {
        let value = &b"SIP/2.0/UDP [2001:db8::1]:5060 ;a; b = 1;branch=\"x;y\" ;c=;rport;d"[..];
        let via = Via::parse(value).unwrap();
        let from = value.len() - via.raw_params().len();
        let searched = Params { bytes: value, known: Places::NONE, given: Places::MOST, at: from };
        assert!(via.params().count() > Places::MOST);
        assert!(via.params().eq(searched));
    }

    #[test]
    fn parameters_are_found_by_name() {
        let params = || Params::new(b" ;lr; A = 1 ;q=\"x;y\";b=;c");
        assert_eq!(params().count(), 5);
        assert_eq!(params().find(b"a"), Some(&b"1"[..]));
        assert_eq!(params().find(b"q"), Some(&b"\"x;y\""[..]));
        assert_eq!(params().find(b"lr"), Some(&b""[..]));
        assert_eq!(params().find(b"y"), None);
    }

    #[test]
    fn a_parameter_without_a_name_is_an_error_and_ends_the_iteration() {
        for text in [&b";"[..], b";;", b";=", b";,", b"; \"\"=a", b";a=\"b"] {
            assert!(matches!(next_param(&mut Walk::new(text, 0), 0), Some(None)));
            assert_eq!(Params::new(text).count(), 0);
        }
    }
}
