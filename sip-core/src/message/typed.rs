//! The headers that are read when they are asked for (RFC 3261 §20). Organization, Server, Subject and User-Agent are text:
//! [`Message::header`] gives it.
//!
//! When a header that may occur once is there twice, an accessor that gives a `Result` gives an error; the others, and the one of
//! Max-Forwards, take the first row.

use super::ParseError;
use super::address::NameAddr;
use super::auth::{Challenges, CredentialRows};
use super::header::HeaderName;
use super::list::{List, Values};
use super::method::Method;
use super::params::Params;
use super::parse::Message;
use super::scan::{DIGIT, TOKEN, alike, decimal_u32, peek, run, run_of, skip_lws, slice};
use super::via::Via;

/// A media type: Content-Type or an element of Accept (RFC 3261 §20.15).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct MediaType<'a> {
    kind: &'a [u8],
    subtype: &'a [u8],
    params: &'a [u8],
    raw: &'a [u8],
}

impl<'a> MediaType<'a> {
    /// The media type that `value` begins with; `None` when it doesn't. Its parameters end at the first that is none.
    #[must_use]
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        let kind = run(value, 0, TOKEN);
        let slash = skip_lws(value, kind);
        let start = skip_lws(value, slash.wrapping_add(1));
        let end = run(value, start, TOKEN);
        if kind == 0 || peek(value, slash) != b'/' || end == start {
            return None;
        }
        Some(Self {
            kind: slice(value, 0, kind),
            subtype: slice(value, start, end),
            params: slice(value, end, value.len()),
            raw: value,
        })
    }

    /// The value as it is written.
    #[must_use]
    pub const fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// The type before the slash.
    #[must_use]
    pub const fn kind(&self) -> &'a [u8] {
        self.kind
    }

    /// The subtype behind the slash.
    #[must_use]
    pub const fn subtype(&self) -> &'a [u8] {
        self.subtype
    }

    /// The parameters.
    #[must_use]
    pub const fn params(&self) -> Params<'a> {
        Params::new(self.params)
    }

    /// The value of a parameter, quotes included; `None` when it isn't there.
    #[must_use]
    pub fn param(&self, name: &[u8]) -> Option<&'a [u8]> {
        self.params().find(name)
    }

    /// Whether this is the type and subtype that `name` (`application/sdp`, say) spells, in any case.
    #[must_use]
    pub fn is(&self, name: &[u8]) -> bool {
        let slash = run(name, 0, TOKEN);
        alike(self.kind, slice(name, 0, slash)) && alike(self.subtype, slice(name, slash.wrapping_add(1), name.len()))
    }
}

const AUTHENTICATE: [u8; 2] = [HeaderName::WwwAuthenticate.id(), HeaderName::ProxyAuthenticate.id()];
const AUTHORIZATION: [u8; 2] = [HeaderName::Authorization.id(), HeaderName::ProxyAuthorization.id()];

impl<'a> Message<'a> {
    /// Every Via, topmost first.
    #[must_use]
    pub fn vias(&self) -> List<'_, 'a, Via<'a>> {
        // The first one was read when the message was.
        let top = self.top_via();
        List::after(top, top.raw(), self.known_rows(HeaderName::Via.id()))
    }

    /// Every Contact; nothing for `Contact: *`.
    #[must_use]
    pub fn contacts(&self) -> List<'_, 'a, NameAddr<'a>> {
        let mut rows = self.known_rows(HeaderName::Contact.id());
        if self.contact_is_wildcard() {
            rows.next();
        }
        List::new(rows)
    }

    /// Whether the one Contact is `*`, which stands for all bindings (RFC 3261 §10.2.2).
    #[must_use]
    pub fn contact_is_wildcard(&self) -> bool {
        let mut rows = self.known_rows(HeaderName::Contact.id());
        rows.next() == Some(b"*") && rows.next().is_none()
    }

    /// Every Route, topmost first.
    #[must_use]
    pub fn routes(&self) -> List<'_, 'a, NameAddr<'a>> {
        List::new(self.known_rows(HeaderName::Route.id()))
    }

    /// Every Record-Route, topmost first.
    #[must_use]
    pub fn record_routes(&self) -> List<'_, 'a, NameAddr<'a>> {
        List::new(self.known_rows(HeaderName::RecordRoute.id()))
    }

    /// The addresses in all rows of this name: Path, Service-Route, P-Asserted-Identity and their kin.
    #[must_use]
    pub fn addresses(&self, name: HeaderName<'static>) -> List<'_, 'a, NameAddr<'a>> {
        List::new(self.header_rows(name))
    }

    /// Max-Forwards (RFC 3261 §20.22); `None` without it.
    ///
    /// # Errors
    /// [`ParseError::Number`] when it isn't a number from 0 to 255.
    #[must_use]
    pub fn max_forwards(&self) -> Option<Result<u8, ParseError>> {
        let value = self.first(HeaderName::MaxForwards.id())?;
        Some(decimal_u32(value).and_then(|hops| u8::try_from(hops).ok()).ok_or(ParseError::Number))
    }

    /// Expires in seconds, `u32::MAX` when it is larger; `None` when it is missing or no number
    /// (RFC 3261 §20.19, RFC 4475 §3.1.2.4).
    #[must_use]
    pub fn expires(&self) -> Option<u32> {
        decimal_u32(self.first(HeaderName::Expires.id())?)
    }

    /// Min-Expires in seconds (RFC 3261 §20.23).
    #[must_use]
    pub fn min_expires(&self) -> Option<u32> {
        decimal_u32(self.first(HeaderName::MinExpires.id())?)
    }

    /// Retry-After in seconds, without its comment and parameters (RFC 3261 §20.33).
    #[must_use]
    pub fn retry_after(&self) -> Option<u32> {
        let value = self.first(HeaderName::RetryAfter.id())?;
        decimal_u32(slice(value, 0, run_of(value, 0, DIGIT)))
    }

    /// Content-Type; `None` when it is missing or malformed.
    #[must_use]
    pub fn content_type(&self) -> Option<MediaType<'a>> {
        MediaType::parse(self.first(HeaderName::ContentType.id())?)
    }

    /// Content-Length; `None` without it. It was compared with the octets when they were parsed.
    #[must_use]
    pub fn content_length(&self) -> Option<usize> {
        self.first(HeaderName::ContentLength.id()).map(|_| self.body().len())
    }

    /// The methods of Allow (RFC 3261 §20.5); elements that are no token are left out.
    pub fn allow(&self) -> impl Iterator<Item = Method<'a>> + '_ {
        Values::new(self.known_rows(HeaderName::Allow.id())).filter_map(Method::parse)
    }

    /// The option tags of Supported (RFC 3261 §20.37).
    #[must_use]
    pub fn supported(&self) -> Values<'_, 'a, 'static> {
        Values::new(self.known_rows(HeaderName::Supported.id()))
    }

    /// The option tags of Require (RFC 3261 §20.32).
    #[must_use]
    pub fn require(&self) -> Values<'_, 'a, 'static> {
        Values::new(self.known_rows(HeaderName::Require.id()))
    }

    /// The option tags of Proxy-Require (RFC 3261 §20.29).
    #[must_use]
    pub fn proxy_require(&self) -> Values<'_, 'a, 'static> {
        Values::new(self.known_rows(HeaderName::ProxyRequire.id()))
    }

    /// The option tags of Unsupported (RFC 3261 §20.40).
    #[must_use]
    pub fn unsupported(&self) -> Values<'_, 'a, 'static> {
        Values::new(self.known_rows(HeaderName::Unsupported.id()))
    }

    /// Reply-To: who is to be called back (RFC 3261 §20.31); an error when it is malformed or occurs twice.
    #[must_use]
    pub fn reply_to(&self) -> Option<Result<NameAddr<'a>, ParseError>> {
        self.single(HeaderName::ReplyTo, NameAddr::parse)
    }

    /// The challenges of WWW-Authenticate and Proxy-Authenticate, topmost first; malformed ones are left out.
    #[must_use]
    pub fn challenges(&self) -> Challenges<'_, 'a> {
        Challenges::new(self.rows_of(AUTHENTICATE))
    }

    /// The credentials of Authorization and Proxy-Authorization, topmost first; malformed ones are left out.
    #[must_use]
    pub fn credentials(&self) -> CredentialRows<'_, 'a> {
        CredentialRows { rows: self.rows_of(AUTHORIZATION) }
    }
}
