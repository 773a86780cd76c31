//! Header parameters: `;name`, `;name=value`, `;name="quoted"` (RFC 3261 §25.1 `generic-param`).

use super::ParseError;
use super::scan::{TOKEN, VALUE, peek, quoted, run, skip_lws, slice};

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
    #[inline]
    pub fn is(&self, name: &[u8]) -> bool {
        self.name.len() == name.len() && self.name.eq_ignore_ascii_case(name)
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
        match param(self.bytes, self.at) {
            Ok(Some((param, next))) => {
                self.at = next;
                Some(param)
            }
            Ok(None) | Err(_) => None,
        }
    }
}

/// Reads the parameter whose semicolon follows at `at`, after white space; gives it and where it ends.
///
/// `None` when what follows is no semicolon.
#[inline]
pub(crate) fn param(bytes: &[u8], at: usize) -> Result<Option<(Param<'_>, usize)>, ParseError> {
    let at = skip_lws(bytes, at);
    if peek(bytes, at) != b';' {
        return Ok(None);
    }
    let start = skip_lws(bytes, at.wrapping_add(1));
    let end = run(bytes, start, TOKEN);
    if end == start {
        return Err(ParseError::Address);
    }
    let name = slice(bytes, start, end);
    let equal = skip_lws(bytes, end);
    if peek(bytes, equal) != b'=' {
        return Ok(Some((Param { name, value: None }, end)));
    }
    let start = skip_lws(bytes, equal.wrapping_add(1));
    let end = if peek(bytes, start) == b'"' {
        quoted(bytes, start).ok_or(ParseError::Address)?
    } else {
        run(bytes, start, VALUE)
    };
    Ok(Some((Param { name, value: Some(slice(bytes, start, end)) }, end)))
}

/// Whether nothing but white space and perhaps a comma, which begins the next element, follows at `at`.
///
/// Gives the place of the comma or of the end.
#[inline]
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
            assert!(param(text, 0).is_err());
            assert_eq!(Params::new(text).count(), 0);
        }
    }
}
