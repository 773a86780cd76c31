//! Attributes: `a=` (RFC 8866 §5.13, §6).

use super::SdpError;
use super::codec::{Fmtp, RtpMap};
use super::connection::Rtcp;
use super::crypto::Crypto;
use super::line::{Lines, cut, is_token, number_u16};
use crate::message::scan::trim;

/// Which way media flows, seen from who wrote the description (RFC 8866 §6.7, RFC 3264 §5.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Direction {
    /// Both ways; what holds when nothing is said.
    #[default]
    SendRecv,
    /// It sends and does not receive.
    SendOnly,
    /// It receives and does not send.
    RecvOnly,
    /// Neither way.
    Inactive,
}

impl Direction {
    /// The direction that an attribute of this name sets.
    #[must_use]
    pub fn parse(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"sendrecv" => Self::SendRecv,
            b"sendonly" => Self::SendOnly,
            b"recvonly" => Self::RecvOnly,
            b"inactive" => Self::Inactive,
            _ => return None,
        })
    }

    /// The name of the attribute.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SendRecv => "sendrecv",
            Self::SendOnly => "sendonly",
            Self::RecvOnly => "recvonly",
            Self::Inactive => "inactive",
        }
    }

    /// The direction of who wrote it.
    #[must_use]
    pub const fn new(sends: bool, receives: bool) -> Self {
        match (sends, receives) {
            (true, true) => Self::SendRecv,
            (true, false) => Self::SendOnly,
            (false, true) => Self::RecvOnly,
            (false, false) => Self::Inactive,
        }
    }

    /// Whether who wrote it sends.
    #[must_use]
    pub const fn sends(self) -> bool {
        matches!(self, Self::SendRecv | Self::SendOnly)
    }

    /// Whether who wrote it receives.
    #[must_use]
    pub const fn receives(self) -> bool {
        matches!(self, Self::SendRecv | Self::RecvOnly)
    }

    /// The same seen from the other side (RFC 3264 §6.1).
    #[must_use]
    pub const fn reversed(self) -> Self {
        Self::new(self.receives(), self.sends())
    }
}

impl core::fmt::Display for Direction {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.name())
    }
}

/// One attribute as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Attribute<'a> {
    /// The name, compared octet by octet (RFC 8866 §6).
    pub name: &'a [u8],
    /// What follows the colon; `None` without a colon.
    pub value: Option<&'a [u8]>,
}

/// What an attribute says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Typed<'a> {
    /// An encoding (RFC 8866 §6.6).
    RtpMap(RtpMap<'a>),
    /// Parameters of a format (RFC 8866 §6.15).
    Fmtp(Fmtp<'a>),
    /// How much media a packet has, in milliseconds, never 0 (RFC 8866 §6.4).
    Ptime(u16),
    /// How much media a packet has at most, in milliseconds, never 0 (RFC 8866 §6.5).
    MaxPtime(u16),
    /// Which way media flows (RFC 8866 §6.7).
    Direction(Direction),
    /// RTP and RTCP share one port (RFC 5761 §5.1.1).
    RtcpMux,
    /// Where RTCP goes (RFC 3605).
    Rtcp(Rtcp<'a>),
    /// Keys of SRTP (RFC 4568).
    Crypto(Crypto<'a>),
    /// The identification of the media (RFC 5888 §4).
    Mid(&'a [u8]),
    /// Any other, as it is written.
    Other(Attribute<'a>),
}

impl<'a> Attribute<'a> {
    /// The attribute that the value of an `a=` line is.
    pub(super) fn of(line: &'a [u8]) -> Self {
        let (name, value) = cut(line, b':');
        Self { name, value }
    }

    /// What the attribute says.
    ///
    /// # Errors
    /// When it is one that is known and its value breaks the grammar: [`SdpError::Number`], [`SdpError::PayloadType`],
    /// [`SdpError::Port`], [`SdpError::Connection`], or [`SdpError::Attribute`].
    pub fn typed(&self) -> Result<Typed<'a>, SdpError> {
        let value = self.value.unwrap_or_default();
        Ok(match self.name {
            b"rtpmap" => Typed::RtpMap(RtpMap::parse(value)?),
            b"fmtp" => Typed::Fmtp(Fmtp::parse(value)?),
            b"ptime" => Typed::Ptime(milliseconds(value)?),
            b"maxptime" => Typed::MaxPtime(milliseconds(value)?),
            b"rtcp-mux" => Typed::RtcpMux,
            b"rtcp" => Typed::Rtcp(Rtcp::parse(value)?),
            b"crypto" => Typed::Crypto(Crypto::parse(value)?),
            b"mid" if is_token(trim(value)) => Typed::Mid(trim(value)),
            b"mid" => return Err(SdpError::Attribute),
            name => Direction::parse(name).map_or(Typed::Other(*self), Typed::Direction),
        })
    }
}

/// A time in milliseconds, 1 to 65,535.
pub(super) fn milliseconds(value: &[u8]) -> Result<u16, SdpError> {
    number_u16(trim(value)).and_then(|time| if time == 0 { Err(SdpError::Number) } else { Ok(time) })
}

/// The attributes of a session or of one media, in order.
#[derive(Clone, Debug)]
pub struct Attributes<'a> {
    lines: Lines<'a>,
}

impl<'a> Attributes<'a> {
    pub(super) const fn new(lines: Lines<'a>) -> Self {
        Self { lines }
    }

    /// The value of the first attribute of this name, empty when it has none; `None` when it isn't there.
    #[must_use]
    pub fn find_value(self, name: &[u8]) -> Option<&'a [u8]> {
        let mut rest = self;
        rest.find_map(|attribute| (attribute.name == name).then(|| attribute.value.unwrap_or_default()))
    }

    /// The first direction.
    pub(super) fn direction(mut self) -> Option<Direction> {
        self.find_map(|attribute| Direction::parse(attribute.name))
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Attribute<'a>;

    fn next(&mut self) -> Option<Attribute<'a>> {
        self.lines.find(|(kind, _)| *kind == b'a').map(|(_, value)| Attribute::of(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_attributes_say() {
        let typed = |text: &'static str| Attribute::of(text.as_bytes()).typed();
        assert_eq!(typed("ptime:20"), Ok(Typed::Ptime(20)));
        assert_eq!(typed("maxptime: 150 "), Ok(Typed::MaxPtime(150)));
        assert_eq!(typed("inactive"), Ok(Typed::Direction(Direction::Inactive)));
        assert_eq!(typed("rtcp-mux"), Ok(Typed::RtcpMux));
        assert_eq!(typed("mid:0"), Ok(Typed::Mid(b"0")));
        assert_eq!(typed("mid:"), Err(SdpError::Attribute));
        assert!(matches!(typed("rtcp:9"), Ok(Typed::Rtcp(Rtcp { port: 9, connection: None }))));
        assert!(matches!(typed("crypto:1 X inline:YQ=="), Ok(Typed::Crypto(_))));
        for text in ["ptime", "ptime:", "ptime:0", "ptime:65536", "ptime:4294967316", "ptime:-20", "maxptime:2.5"] {
            assert_eq!(typed(text), Err(SdpError::Number), "{text}");
        }
        for text in ["", ":", "X-cap: 1 audio", "SendRecv", "\u{e4}:1"] {
            assert_eq!(typed(text), Ok(Typed::Other(Attribute::of(text.as_bytes()))), "{text}");
        }
    }

    #[test]
    fn directions_reverse() {
        for one in [Direction::SendRecv, Direction::SendOnly, Direction::RecvOnly, Direction::Inactive] {
            assert_eq!(one.reversed().reversed(), one);
            assert_eq!((one.sends(), one.receives()), (one.reversed().receives(), one.reversed().sends()));
            assert_eq!(Direction::parse(one.name().as_bytes()), Some(one));
        }
    }
}
