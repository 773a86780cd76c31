//! What a body is for and what was done to it: Content-Disposition, Content-Encoding, Content-Language, MIME-Version
//! (RFC 3261 §20.11 to §20.13, §20.24).

use super::ParseError;
use super::header::HeaderName;
use super::list::Values;
use super::params::Params;
use super::parse::Message;
use super::scan::{alike, decimal_u32, slice};
use super::value::Worded;

/// What a body is for, and whether it has to be understood: Content-Disposition (RFC 3261 §20.11).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Disposition<'a>(Worded<'a>);

impl<'a> Disposition<'a> {
    /// Reads a whole value.
    ///
    /// # Errors
    /// [`ParseError::Value`].
    pub fn parse(value: &'a [u8]) -> Result<Self, ParseError> {
        Worded::parse(value).map(Self)
    }

    /// What it is for: `session`, `early-session`, `render`, `icon`, `alert`, …; case is ignored.
    #[must_use]
    pub const fn kind(&self) -> &'a [u8] {
        self.0.token
    }

    /// Whether a receiver that does not understand the body may go on without it: `handling=optional`.
    #[must_use]
    pub fn is_optional(&self) -> bool {
        self.0.param(b"handling").is_some_and(|handling| alike(handling, b"optional"))
    }

    /// The parameters.
    #[must_use]
    pub const fn params(&self) -> Params<'a> {
        self.0.params()
    }
}

/// The two numbers of a MIME-Version.
fn version(value: &[u8]) -> Option<(u8, u8)> {
    let dot = value.iter().position(|octet| *octet == b'.')?;
    let number = |digits| decimal_u32(digits).and_then(|number| u8::try_from(number).ok());
    Some((number(slice(value, 0, dot))?, number(slice(value, dot.wrapping_add(1), value.len()))?))
}

impl<'a> Message<'a> {
    /// Content-Disposition (RFC 3261 §20.11); an error when it is malformed or occurs twice. Without it a body of
    /// `application/sdp` is a `session`, any other one to `render`, and it has to be understood.
    #[must_use]
    pub fn content_disposition(&self) -> Option<Result<Disposition<'a>, ParseError>> {
        self.single(HeaderName::ContentDisposition, Disposition::parse)
    }

    /// The encodings of Content-Encoding, in the order in which they were applied (RFC 3261 §20.12).
    #[must_use]
    pub fn content_encoding(&self) -> Values<'_, 'a, 'static> {
        Values::new(self.known_rows(HeaderName::ContentEncoding.id()))
    }

    /// The languages of Content-Language (RFC 3261 §20.13).
    #[must_use]
    pub fn content_language(&self) -> Values<'_, 'a, 'static> {
        Values::new(self.known_rows(HeaderName::ContentLanguage.id()))
    }

    /// MIME-Version, its number before and behind the dot (RFC 3261 §20.24); an error when it is malformed or occurs twice.
    #[must_use]
    pub fn mime_version(&self) -> Option<Result<(u8, u8), ParseError>> {
        self.single(HeaderName::MimeVersion, |value| version(value).ok_or(ParseError::Value))
    }
}
