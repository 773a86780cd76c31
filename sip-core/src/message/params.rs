//! Header parameters: `;name`, `;name=value`, `;name="quoted"` (RFC 3261 §25.1 `generic-param`).

use super::scan::{TOKEN, VALUE, alike, peek, quoted, run, skip_lws, slice};

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
    at: usize,
}

impl<'a> Params<'a> {
    /// The parameters that `bytes`, which begin with a semicolon or are empty, hold.
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The value of the first parameter of this name, empty when it has none; `None` when there is no such one.
    #[must_use]
    pub fn find(self, name: &[u8]) -> Option<&'a [u8]> {
        let mut rest = self;
        rest.find_map(|param| param.is(name).then(|| param.value.unwrap_or_default()))
    }
}

impl<'a> Iterator for Params<'a> {
    type Item = Param<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let place = next_param(self.bytes, self.at)??;
        self.at = place.end;
        Some(place.param(self.bytes))
    }
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
    fn param(self, bytes: &[u8]) -> Param<'_> {
        Param { name: slice(bytes, self.name, self.name_end), value: bytes.get(self.value..self.end) }
    }

    /// How many octets its name has.
    #[inline]
    pub(crate) const fn name_len(self) -> usize {
        self.name_end.wrapping_sub(self.name)
    }

    /// Whether it has this name.
    #[cfg_attr(target_pointer_width = "64", inline)]
    pub(crate) fn is<const N: usize>(self, bytes: &[u8], name: &[u8; N]) -> bool {
        self.name_len() == N
            && bytes
                .get(self.name..)
                .and_then(<[u8]>::first_chunk)
                .is_some_and(|found: &[u8; N]| found == name || alike(found, name))
    }
}

/// Finds the parameter whose semicolon follows at `at`, after white space.
///
/// `None` when what follows is no semicolon, `Some(None)` when it is one and no parameter.
#[cfg_attr(target_pointer_width = "64", inline)]
pub(crate) fn next_param(bytes: &[u8], at: usize) -> Option<Option<Place>> {
    let at = skip_lws(bytes, at);
    if peek(bytes, at) == b';' { Some(place(bytes, at.wrapping_add(1))) } else { None }
}

/// Reads the parameter behind a semicolon.
#[cfg_attr(target_pointer_width = "64", inline)]
fn place(bytes: &[u8], at: usize) -> Option<Place> {
    let name = skip_lws(bytes, at);
    let name_end = run(bytes, name, TOKEN);
    if name_end == name {
        return None;
    }
    let equal = skip_lws(bytes, name_end);
    if peek(bytes, equal) != b'=' {
        return Some(Place { name, name_end, value: usize::MAX, end: name_end });
    }
    let value = skip_lws(bytes, equal.wrapping_add(1));
    let end = if peek(bytes, value) == b'"' { quoted(bytes, value)? } else { run(bytes, value, VALUE) };
    if end == value {
        // An empty value: the white space behind the equals sign is not the parameter's.
        let end = equal.wrapping_add(1);
        return Some(Place { name, name_end, value: end, end });
    }
    Some(Place { name, name_end, value, end })
}

/// Whether nothing but white space and perhaps a comma, which begins the next element, follows at `at`.
///
/// Gives the place of the comma or of the end.
#[cfg_attr(target_pointer_width = "64", inline)]
pub(crate) fn element_end(bytes: &[u8], at: usize) -> Option<usize> {
    let at = skip_lws(bytes, at);
    (at >= bytes.len() || peek(bytes, at) == b',').then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

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
            assert!(matches!(next_param(text, 0), Some(None)));
            assert_eq!(Params::new(text).count(), 0);
        }
    }
}
