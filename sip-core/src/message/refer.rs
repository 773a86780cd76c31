//! Replaces, Refer-To, Referred-By and Refer-Sub: transfer (RFC 3891, RFC 3515, RFC 3892, RFC 4488).

use super::ParseError;
use super::address::NameAddr;
use super::header::HeaderName;
use super::params::Params;
use super::parse::Message;
use super::scan::{LWS, alike, is, skip_lws, slice};
use super::value::{Worded, are_params};

/// Refer-Sub (RFC 4488 §4), which is no header of the table.
pub(crate) const REFER_SUB: HeaderName<'static> = HeaderName::Other(b"Refer-Sub");

/// Which dialog a new one takes the place of: Replaces (RFC 3891 §6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Replaces<'a> {
    /// The Call-ID of the dialog.
    pub call_id: &'a [u8],
    /// The tag of who gets the request: the local tag of the dialog there (RFC 3891 §3).
    pub to_tag: &'a [u8],
    /// The tag of the other party: the remote tag of the dialog there.
    pub from_tag: &'a [u8],
    /// Whether only a dialog that is not yet confirmed is to be replaced.
    pub early_only: bool,
}

impl<'a> Replaces<'a> {
    /// Reads a whole value: that of a header, or of a component of a Refer-To URI with its escapes undone.
    ///
    /// # Errors
    /// [`ParseError::Value`], also unless there is exactly one tag of each kind.
    pub fn parse(value: &'a [u8]) -> Result<Self, ParseError> {
        replaces(value).ok_or(ParseError::Value)
    }
}

fn replaces(value: &[u8]) -> Option<Replaces<'_>> {
    let start = skip_lws(value, 0);
    let rest = slice(value, start, value.len());
    let end = rest.iter().position(|octet| matches!(octet, b';' | b',') || is(*octet, LWS))?;
    if end == 0 || !are_params(rest, end) {
        return None;
    }
    let (mut to_tag, mut from_tag, mut early_only) = (None, None, false);
    for param in Params::new(slice(rest, end, rest.len())) {
        let slot = if param.is(b"to-tag") {
            &mut to_tag
        } else if param.is(b"from-tag") {
            &mut from_tag
        } else {
            early_only |= param.is(b"early-only");
            continue;
        };
        let tag = param.value.filter(|tag| !tag.is_empty())?;
        if slot.replace(tag).is_some() {
            return None;
        }
    }
    Some(Replaces { call_id: slice(rest, 0, end), to_tag: to_tag?, from_tag: from_tag?, early_only })
}

impl<'a> Message<'a> {
    /// Replaces (RFC 3891 §6.1); an error, which is answered with 400, when it is malformed or occurs twice (§3).
    #[must_use]
    pub fn replaces(&self) -> Option<Result<Replaces<'a>, ParseError>> {
        self.single(HeaderName::Replaces, Replaces::parse)
    }

    /// Refer-To (RFC 3515 §2.1); an error, which is answered with 400, when it is malformed or occurs twice (§2.4.2).
    #[must_use]
    pub fn refer_to(&self) -> Option<Result<NameAddr<'a>, ParseError>> {
        self.single(HeaderName::ReferTo, NameAddr::parse)
    }

    /// Referred-By (RFC 3892 §3); an error when it is malformed or occurs twice.
    #[must_use]
    pub fn referred_by(&self) -> Option<Result<NameAddr<'a>, ParseError>> {
        self.single(HeaderName::ReferredBy, NameAddr::parse)
    }

    /// Refer-Sub: whether a REFER makes a subscription (RFC 4488 §4); an error when it is malformed or occurs twice.
    #[must_use]
    pub fn refer_sub(&self) -> Option<Result<bool, ParseError>> {
        self.single(REFER_SUB, |value| match Worded::parse(value)?.token {
            token if alike(token, b"true") => Ok(true),
            token if alike(token, b"false") => Ok(false),
            _ => Err(ParseError::Value),
        })
    }
}
