//! What a peer takes and offers: Accept and its kin, Call-Info and its kin (RFC 3261 §20.1 to §20.4, §20.9, §20.18).

use super::ParseError;
use super::address::{NameAddr, q_value};
use super::header::HeaderName;
use super::list::{List, Values};
use super::params::Params;
use super::parse::Message;
use super::typed::MediaType;
use super::value::Worded;

/// An encoding or language and how much it is wanted: an element of Accept-Encoding or Accept-Language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Preference<'a>(Worded<'a>);

impl<'a> Preference<'a> {
    /// Reads one element.
    ///
    /// # Errors
    /// [`ParseError::Value`].
    pub fn parse(element: &'a [u8]) -> Result<Self, ParseError> {
        Worded::parse(element).map(Self)
    }

    /// What is wanted: `gzip`, `en-gb`, or `*` for any.
    #[must_use]
    pub const fn value(&self) -> &'a [u8] {
        self.0.token
    }

    /// How much, in thousandths: 1000 unless it is said, 0 for not at all.
    #[must_use]
    pub fn q(&self) -> u16 {
        self.0.param(b"q").and_then(q_value).unwrap_or(1000)
    }

    /// The parameters.
    #[must_use]
    pub const fn params(&self) -> Params<'a> {
        self.0.params()
    }
}

impl MediaType<'_> {
    /// How much an element of Accept is wanted, in thousandths: 1000 unless it is said, 0 for not at all
    /// (RFC 3261 §20.1).
    #[must_use]
    pub fn q(&self) -> u16 {
        self.param(b"q").and_then(q_value).unwrap_or(1000)
    }
}

impl<'a> Message<'a> {
    /// The media types of Accept, malformed ones left out (RFC 3261 §20.1).
    ///
    /// Without the header `application/sdp` is taken, with an empty one nothing is: [`header`](Self::header) tells.
    pub fn accept(&self) -> impl Iterator<Item = MediaType<'a>> {
        Values::new(self.known_rows(HeaderName::Accept.id())).filter_map(MediaType::parse)
    }

    /// The encodings of Accept-Encoding (RFC 3261 §20.2).
    pub fn accept_encoding(&self) -> impl Iterator<Item = Result<Preference<'a>, ParseError>> {
        Values::new(self.known_rows(HeaderName::AcceptEncoding.id())).map(Preference::parse)
    }

    /// The languages of Accept-Language (RFC 3261 §20.3).
    pub fn accept_language(&self) -> impl Iterator<Item = Result<Preference<'a>, ParseError>> {
        Values::new(self.known_rows(HeaderName::AcceptLanguage.id())).map(Preference::parse)
    }

    /// Every Alert-Info: URIs of ring tones (RFC 3261 §20.4).
    #[must_use]
    pub fn alert_infos(&self) -> List<'_, 'a, NameAddr<'a>> {
        List::new(self.known_rows(HeaderName::AlertInfo.id()))
    }

    /// Every Call-Info: URIs with a `purpose` parameter: `icon`, `info`, `card`, … (RFC 3261 §20.9).
    #[must_use]
    pub fn call_infos(&self) -> List<'_, 'a, NameAddr<'a>> {
        List::new(self.known_rows(HeaderName::CallInfo.id()))
    }

    /// Every Error-Info: URIs that tell more of an error (RFC 3261 §20.18).
    #[must_use]
    pub fn error_infos(&self) -> List<'_, 'a, NameAddr<'a>> {
        List::new(self.known_rows(HeaderName::ErrorInfo.id()))
    }
}
