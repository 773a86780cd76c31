//! Event, Subscription-State, Allow-Events (RFC 6665 §8.2).

use super::ParseError;
use super::header::HeaderName;
use super::list::Values;
use super::params::Params;
use super::parse::Message;
use super::scan::{alike, decimal_u32, unquote};
use super::value::Worded;

/// An event package and what tells subscriptions to it apart: Event (RFC 6665 §8.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Event<'a>(Worded<'a>);

impl<'a> Event<'a> {
    /// Reads a whole value.
    ///
    /// # Errors
    /// [`ParseError::Value`].
    pub fn parse(value: &'a [u8]) -> Result<Self, ParseError> {
        Worded::parse(value).map(Self)
    }

    /// The package with its templates: `presence`, `dialog`, `presence.winfo`, …; case matters.
    #[must_use]
    pub const fn package(&self) -> &'a [u8] {
        self.0.token
    }

    /// The `id` parameter, which tells several subscriptions in one dialog apart; case matters.
    #[must_use]
    pub fn id(&self) -> Option<&'a [u8]> {
        self.0.param(b"id")
    }

    /// The parameters.
    #[must_use]
    pub const fn params(&self) -> Params<'a> {
        self.0.params()
    }

    /// Whether both name the same package and `id`; other parameters don't count (RFC 6665 §8.2.1).
    #[must_use]
    pub fn matches(&self, other: &Event<'_>) -> bool {
        self.package() == other.package() && self.id() == other.id()
    }
}

/// How a subscription stands: Subscription-State (RFC 6665 §8.2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct SubscriptionState<'a>(Worded<'a>);

impl<'a> SubscriptionState<'a> {
    /// Reads a whole value.
    ///
    /// # Errors
    /// [`ParseError::Value`].
    pub fn parse(value: &'a [u8]) -> Result<Self, ParseError> {
        Worded::parse(value).map(Self)
    }

    /// The state as it is written: `active`, `pending`, `terminated`, or an extension.
    #[must_use]
    pub const fn state(&self) -> &'a [u8] {
        self.0.token
    }

    /// Whether the subscription is over.
    #[must_use]
    pub fn is_terminated(&self) -> bool {
        alike(self.state(), b"terminated")
    }

    /// Why it is over: `deactivated`, `rejected`, `timeout`, … (RFC 6665 §4.1.3).
    #[must_use]
    pub fn reason(&self) -> Option<&'a [u8]> {
        self.0.param(b"reason")
    }

    /// How long it goes on, in seconds, `u32::MAX` when it is longer; `None` when it isn't said or is no number.
    #[must_use]
    pub fn expires(&self) -> Option<u32> {
        decimal_u32(self.0.param(b"expires")?)
    }

    /// When to subscribe again, in seconds from now; `None` when it isn't said or is no number.
    #[must_use]
    pub fn retry_after(&self) -> Option<u32> {
        decimal_u32(unquote(self.0.param(b"retry-after")?))
    }

    /// The parameters.
    #[must_use]
    pub const fn params(&self) -> Params<'a> {
        self.0.params()
    }
}

impl<'a> Message<'a> {
    /// Event (RFC 6665 §8.2.1); an error when it is malformed or occurs twice.
    #[must_use]
    pub fn event(&self) -> Option<Result<Event<'a>, ParseError>> {
        self.single(HeaderName::Event, Event::parse)
    }

    /// Subscription-State (RFC 6665 §8.2.3); an error when it is malformed or occurs twice.
    #[must_use]
    pub fn subscription_state(&self) -> Option<Result<SubscriptionState<'a>, ParseError>> {
        self.single(HeaderName::SubscriptionState, SubscriptionState::parse)
    }

    /// The event packages of Allow-Events (RFC 6665 §8.2.2).
    #[must_use]
    pub fn allow_events(&self) -> Values<'_, 'a, 'static> {
        Values::new(self.known_rows(HeaderName::AllowEvents.id()))
    }
}
