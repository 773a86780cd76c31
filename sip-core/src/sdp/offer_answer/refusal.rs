//! Why a description is not taken, and what the peer is told.

use crate::message::WriteError;
use crate::sdp::SdpError;
use core::fmt;

/// Why a description was not made, or not taken. The machine is as it was before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Refusal {
    /// An offer of this end has no answer yet.
    LocalOfferPending,
    /// An offer of the peer has no answer yet.
    RemoteOfferPending,
    /// No offer is out that this could answer: it is to be ignored (RFC 3261 §13.2.1).
    NoOffer,
    /// It is no description.
    Malformed(SdpError),
    /// Nothing of the offer can be taken, for this reason above all.
    NotAcceptable(Warning),
    /// The answer is not one to the offer: other media, protection or codecs, or another number of `m=` lines.
    Mismatch,
    /// The capabilities have more media than are held, or a codec finds no payload type that is free.
    Capabilities,
    /// The buffer is too small, or a text of the capabilities can't be written.
    Write(WriteError),
}

impl Refusal {
    /// With which status a request that carried the offer is refused; `None` when it was no offer that failed.
    ///
    /// 491 when both ends have offered (RFC 3261 §14.2, RFC 3311 §5.2); 500, with a Retry-After of 0 to 10 seconds, when an
    /// earlier offer of the peer waits still; 400 for what can't be read; 488 with a Warning for what can't be taken
    /// (RFC 3261 §13.3.1.3, §21.4.26).
    #[must_use]
    pub const fn status(&self) -> Option<u16> {
        match self {
            Self::LocalOfferPending => Some(491),
            Self::RemoteOfferPending => Some(500),
            Self::Malformed(_) => Some(400),
            Self::NotAcceptable(_) => Some(488),
            Self::NoOffer | Self::Mismatch | Self::Capabilities | Self::Write(_) => None,
        }
    }

    /// What a Warning beside a 488 says.
    #[must_use]
    pub const fn warning(&self) -> Option<Warning> {
        match self {
            Self::NotAcceptable(warning) => Some(*warning),
            _ => None,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LocalOfferPending => "our own offer has no answer yet",
            Self::RemoteOfferPending => "the peer's offer has no answer yet",
            Self::NoOffer => "no offer is out",
            Self::Malformed(error) => return error.fmt(f),
            Self::NotAcceptable(warning) => warning.text(),
            Self::Mismatch => "the answer does not fit the offer",
            Self::Capabilities => "too many media or payload types",
            Self::Write(error) => return error.fmt(f),
        })
    }
}

impl core::error::Error for Refusal {}

/// What about an offer can't be taken: a code of Warning (RFC 3261 §20.43). The greater one means that a stream came further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Warning {
    /// 399: there are more `m=` lines than are held, and none of the first ones can be taken.
    Miscellaneous,
    /// 304: there is no such kind of media here.
    MediaType,
    /// 302: the protocol of the `m=` line is not supported.
    TransportProtocol,
    /// 306: an attribute asks for what this end can't do.
    Attribute,
    /// 300: the network is not the Internet.
    NetworkProtocol,
    /// 301: the address is of another family, a host name, or missing.
    AddressFormat,
    /// 330: multicast is not supported.
    Multicast,
    /// 305: no codec is shared.
    MediaFormat,
}

impl Warning {
    /// The code of the header.
    #[must_use]
    pub const fn code(self) -> u16 {
        match self {
            Self::NetworkProtocol => 300,
            Self::AddressFormat => 301,
            Self::TransportProtocol => 302,
            Self::MediaType => 304,
            Self::MediaFormat => 305,
            Self::Attribute => 306,
            Self::Multicast => 330,
            Self::Miscellaneous => 399,
        }
    }

    /// The text of the header, to be put in quotes.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::NetworkProtocol => "Incompatible network protocol",
            Self::AddressFormat => "Incompatible network address formats",
            Self::TransportProtocol => "Incompatible transport protocol",
            Self::MediaType => "Media type not available",
            Self::MediaFormat => "Incompatible media format",
            Self::Attribute => "Attribute not understood",
            Self::Multicast => "Multicast not available",
            Self::Miscellaneous => "Too many media",
        }
    }
}
