//! Session-Expires and Min-SE: session timers (RFC 4028 §4, §5).

use super::Params;
use super::ParseError;
use super::header::HeaderName;
use super::parse::Message;
use super::scan::{DIGIT, alike, decimal_u32, run_of, skip_lws, slice};
use super::value::are_params;

/// Who refreshes a session (RFC 4028 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Refresher {
    /// Who sent the request.
    Uac,
    /// Who answers it.
    Uas,
}

/// How long a session lasts without a refresh: Session-Expires (RFC 4028 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct SessionExpires<'a> {
    /// How long, in seconds, `u32::MAX` when it is longer.
    pub seconds: u32,
    params: &'a [u8],
}

impl<'a> SessionExpires<'a> {
    /// Reads a whole value.
    ///
    /// # Errors
    /// [`ParseError::Number`] when it doesn't begin with a number, [`ParseError::Value`] when what follows are no parameters.
    pub fn parse(value: &'a [u8]) -> Result<Self, ParseError> {
        let start = skip_lws(value, 0);
        let end = run_of(value, start, DIGIT);
        let seconds = decimal_u32(slice(value, start, end)).ok_or(ParseError::Number)?;
        if !are_params(value, end) {
            return Err(ParseError::Value);
        }
        Ok(Self { seconds, params: slice(value, end, value.len()) })
    }

    /// Who refreshes; `None` when it isn't said, or is neither of the two.
    #[must_use]
    pub fn refresher(&self) -> Option<Refresher> {
        match self.params().find(b"refresher")? {
            value if alike(value, b"uac") => Some(Refresher::Uac),
            value if alike(value, b"uas") => Some(Refresher::Uas),
            _ => None,
        }
    }

    /// The parameters.
    #[must_use]
    pub const fn params(&self) -> Params<'a> {
        Params::new(self.params)
    }
}

impl<'a> Message<'a> {
    /// Session-Expires (RFC 4028 §4); an error when it is malformed or occurs twice.
    #[must_use]
    pub fn session_expires(&self) -> Option<Result<SessionExpires<'a>, ParseError>> {
        self.single(HeaderName::SessionExpires, SessionExpires::parse)
    }

    /// Min-SE in seconds, `u32::MAX` when it is larger (RFC 4028 §5); an error when it is malformed or occurs twice.
    #[must_use]
    pub fn min_se(&self) -> Option<Result<u32, ParseError>> {
        // It has the form of Session-Expires, with generic parameters.
        self.single(HeaderName::MinSe, |value| SessionExpires::parse(value).map(|found| found.seconds))
    }
}
