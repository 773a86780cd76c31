//! Reason, Warning and Retry-After: why, and when again (RFC 3326, RFC 3261 §20.43, §20.33).

use super::ParseError;
use super::header::HeaderName;
use super::list::Values;
use super::params::Params;
use super::parse::Message;
use super::scan::{DIGIT, decimal, decimal_u32, peek, run_of, skip_lws, slice, unquote};
use super::value::{Worded, are_params, word};
use super::walk::Walk;

/// Why a request was sent or a call ended: an element of Reason (RFC 3326 §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Reason<'a>(Worded<'a>);

impl<'a> Reason<'a> {
    /// Reads one element.
    ///
    /// # Errors
    /// [`ParseError::Value`].
    pub fn parse(element: &'a [u8]) -> Result<Self, ParseError> {
        Worded::parse(element).map(Self)
    }

    /// Whose code the cause is: `SIP`, `Q.850`, …
    #[must_use]
    pub const fn protocol(&self) -> &'a [u8] {
        self.0.token
    }

    /// The cause, a status code for SIP; `None` when there is none or it doesn't fit in 16 bits.
    #[must_use]
    pub fn cause(&self) -> Option<u16> {
        u16::try_from(decimal(self.0.param(b"cause")?)?).ok()
    }

    /// The text without its quotes; [`unescape`](super::unescape) undoes its escapes.
    #[must_use]
    pub fn text(&self) -> Option<&'a [u8]> {
        self.0.param(b"text").map(unquote)
    }

    /// The parameters.
    #[must_use]
    pub const fn params(&self) -> Params<'a> {
        self.0.params()
    }
}

/// What a server has to say about a request: an element of Warning (RFC 3261 §20.43).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Warning<'a> {
    /// The code, three digits: 3xx is about the session description.
    pub code: u16,
    /// The host that adds the warning, or a name it goes by.
    pub agent: &'a [u8],
    /// The text without its quotes; [`unescape`](super::unescape) undoes its escapes.
    pub text: &'a [u8],
}

impl<'a> Warning<'a> {
    /// Reads one element.
    ///
    /// # Errors
    /// [`ParseError::Value`].
    pub fn parse(element: &'a [u8]) -> Result<Self, ParseError> {
        warning(element).ok_or(ParseError::Value)
    }
}

fn warning(element: &[u8]) -> Option<Warning<'_>> {
    let (code, rest) = word(element);
    let (agent, rest) = word(rest);
    let at = skip_lws(rest, 0);
    if code.len() != 3 || agent.is_empty() || peek(rest, at) != b'"' {
        return None;
    }
    let end = Walk::new(rest, at).quoted(at)?;
    if skip_lws(rest, end) != rest.len() {
        return None;
    }
    let code = u16::try_from(decimal(code)?).ok()?;
    Some(Warning { code, agent, text: unquote(slice(rest, at, end)) })
}

/// When to try again: Retry-After (RFC 3261 §20.33).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct RetryAfter<'a> {
    /// How long to wait, in seconds, `u32::MAX` when it is longer.
    pub seconds: u32,
    /// The comment without its outer parentheses; empty when there is none.
    pub comment: &'a [u8],
    params: &'a [u8],
}

impl<'a> RetryAfter<'a> {
    /// Reads a whole value.
    ///
    /// # Errors
    /// [`ParseError::Number`] when it doesn't begin with a number, [`ParseError::Value`] for what follows.
    pub fn parse(value: &'a [u8]) -> Result<Self, ParseError> {
        let start = skip_lws(value, 0);
        let digits = run_of(value, start, DIGIT);
        let seconds = decimal_u32(slice(value, start, digits)).ok_or(ParseError::Number)?;
        let from = skip_lws(value, digits);
        let mut end = digits;
        let mut comment = &b""[..];
        if peek(value, from) == b'(' {
            end = comment_end(value, from).ok_or(ParseError::Value)?;
            comment = slice(value, from.wrapping_add(1), end.wrapping_sub(1));
        }
        if !are_params(value, end) {
            return Err(ParseError::Value);
        }
        Ok(Self { seconds, comment, params: slice(value, end, value.len()) })
    }

    /// How long the called party will then be reachable, in seconds; `None` when it isn't said.
    #[must_use]
    pub fn duration(&self) -> Option<u32> {
        decimal_u32(self.params().find(b"duration")?)
    }

    /// The parameters.
    #[must_use]
    pub const fn params(&self) -> Params<'a> {
        Params::new(self.params)
    }
}

/// Where the comment that begins at `at` ends; comments nest (RFC 3261 §25.1).
fn comment_end(value: &[u8], at: usize) -> Option<usize> {
    let mut at = at;
    let mut depth: usize = 0;
    loop {
        let octet = *value.get(at)?;
        at = at.wrapping_add(1);
        match octet {
            b'\\' => at = at.wrapping_add(1),
            b'(' => depth = depth.wrapping_add(1),
            b')' => depth = depth.wrapping_sub(1),
            _ => {}
        }
        if depth == 0 {
            return Some(at);
        }
    }
}

impl<'a> Message<'a> {
    /// Every Reason, in order (RFC 3326 §2).
    pub fn reasons(&self) -> impl Iterator<Item = Result<Reason<'a>, ParseError>> {
        Values::new(self.known_rows(HeaderName::Reason.id())).map(Reason::parse)
    }

    /// Every Warning, in order (RFC 3261 §20.43).
    pub fn warnings(&self) -> impl Iterator<Item = Result<Warning<'a>, ParseError>> {
        Values::new(self.known_rows(HeaderName::Warning.id())).map(Warning::parse)
    }

    /// Retry-After with its comment and parameters (RFC 3261 §20.33); an error when it is malformed or occurs twice.
    #[must_use]
    pub fn retry_after_value(&self) -> Option<Result<RetryAfter<'a>, ParseError>> {
        self.single(HeaderName::RetryAfter, RetryAfter::parse)
    }
}
