//! What the headers that are read when they are asked for share: words, tokens with parameters, headers that occur once.

use super::ParseError;
use super::header::HeaderName;
use super::params::{Params, Places, element_end, read_params};
use super::parse::Message;
use super::scan::{LWS, TOKEN, is, peek, run, skip_lws, slice};
use super::walk::Walk;

/// Whether nothing but well-formed parameters stands from `at` on.
pub(super) fn are_params(bytes: &[u8], at: usize) -> bool {
    let end = read_params(&mut Walk::new(bytes, at), 0, at, &mut Places::default(), |_| Some(()));
    end.and_then(|end| element_end(bytes, end)) == Some(bytes.len())
}

/// Cuts the first word off, up to white space; empty when there is none.
pub(super) fn word(bytes: &[u8]) -> (&[u8], &[u8]) {
    let start = skip_lws(bytes, 0);
    let rest = slice(bytes, start, bytes.len());
    let end = rest.iter().position(|octet| is(*octet, LWS)).unwrap_or(rest.len());
    rest.split_at_checked(end).unwrap_or_default()
}

/// A token and its parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(super) struct Worded<'a> {
    pub(super) token: &'a [u8],
    params: &'a [u8],
}

impl<'a> Worded<'a> {
    /// Reads a whole value.
    pub(super) fn parse(value: &'a [u8]) -> Result<Self, ParseError> {
        let start = skip_lws(value, 0);
        let end = run(value, start, TOKEN);
        if end == start || !are_params(value, end) {
            return Err(ParseError::Value);
        }
        Ok(Self { token: slice(value, start, end), params: slice(value, end, value.len()) })
    }

    pub(super) const fn params(&self) -> Params<'a> {
        Params::new(self.params)
    }

    pub(super) fn param(&self, name: &[u8]) -> Option<&'a [u8]> {
        self.params().find(name)
    }
}

impl<'a> Message<'a> {
    /// The one row of a header that occurs once, read; an error when it occurs again, for then nobody knows which one
    /// is meant (RFC 3261 §7.3.1).
    pub(super) fn single<T>(
        &self,
        name: HeaderName<'static>,
        parse: fn(&'a [u8]) -> Result<T, ParseError>,
    ) -> Option<Result<T, ParseError>> {
        match self.once(name) {
            Ok(value) => value.map(parse),
            Err(error) => Some(Err(error)),
        }
    }

    /// The row of a header that occurs once.
    #[inline(never)]
    fn once(&self, name: HeaderName<'static>) -> Result<Option<&'a [u8]>, ParseError> {
        let mut rows = self.header_rows(name);
        match (rows.next(), rows.next()) {
            (value, None) => Ok(value),
            _ => Err(ParseError::Value),
        }
    }

    /// The one token that a header is; `None` when it is missing, and [`ParseError::Value`] when it is none.
    pub(super) fn token(&self, name: HeaderName<'static>) -> Option<Result<&'a [u8], ParseError>> {
        self.single(name, |value| {
            let fine = peek(value, 0) != 0 && run(value, 0, TOKEN) == value.len();
            if fine { Ok(value) } else { Err(ParseError::Value) }
        })
    }
}
