//! One media: an `m=` line and the lines that belong to it (RFC 8866 §5.14).

use super::SdpError;
use super::attribute::{Attributes, Direction, milliseconds};
use super::codec::{Fmtp, RtpMap, static_codec};
use super::connection::{Connection, Rtcp};
use super::crypto::Crypto;
use super::line::{Lines, field, is_proto, is_token, number_u16, payload_type};
use super::session::Bandwidth;
use crate::message::scan::{number, trim};

/// The most formats that an `m=` line may have: as many as RTP has payload types.
pub const MAX_FORMATS: usize = 128;

/// One media of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Media<'a> {
    row: Row<'a>,
    /// The lines behind the `m=` line.
    lines: Lines<'a>,
    /// What the session lines say.
    session_connection: Option<Connection<'a>>,
    session_direction: Option<Direction>,
}

/// The parts of an `m=` line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(super) struct Row<'a> {
    kind: &'a [u8],
    port: u16,
    port_count: u16,
    proto: &'a [u8],
    formats: &'a [u8],
}

impl<'a> Row<'a> {
    /// Reads the line; formats and names are taken as they are.
    pub(super) fn read(value: &'a [u8]) -> Result<Self, SdpError> {
        let part = |value| field(value).ok_or(SdpError::Media);
        let (kind, rest) = part(value)?;
        let (ports, rest) = part(rest)?;
        let (proto, formats) = part(rest)?;
        let (port, digits) = number(ports, 0).ok_or(SdpError::Port)?;
        let port = u16::try_from(port).map_err(|_| SdpError::Port)?;
        let port_count = match ports.get(digits..) {
            Some([b'/', count @ ..]) => number_u16(count).map_err(|_| SdpError::PortCount)?,
            Some([_, ..]) => return Err(SdpError::Port),
            _ => 1,
        };
        if !ports_fit(port, port_count) {
            return Err(SdpError::PortCount);
        }
        Ok(Self { kind, port, port_count, proto, formats })
    }

    /// Reads the line and looks at every part of it.
    pub(super) fn check(value: &'a [u8]) -> Result<Self, SdpError> {
        let row = Self::read(value)?;
        if !is_token(row.kind) || !is_proto(row.proto) {
            return Err(SdpError::Media);
        }
        let mut count: usize = 0;
        for format in (Formats { rest: row.formats }) {
            count = count.wrapping_add(1);
            if count > MAX_FORMATS {
                return Err(SdpError::TooManyFormats);
            }
            if !is_token(format) {
                return Err(SdpError::Media);
            }
        }
        if count == 0 { Err(SdpError::Media) } else { Ok(row) }
    }
}

/// Whether there are ports at all and all of them lie within 65,535: each takes two, one for RTP and one for RTCP; the last
/// one's RTCP may be multiplexed (RFC 8866 §5.14).
pub(super) fn ports_fit(port: u16, count: u16) -> bool {
    let more = u32::from(count).checked_sub(1);
    more.is_some_and(|more| u32::from(port).saturating_add(more.saturating_mul(2)) <= u32::from(u16::MAX))
}

impl<'a> Media<'a> {
    /// The media of an `m=` line, and the lines that follow it.
    pub(super) const fn new(
        row: Row<'a>,
        lines: Lines<'a>,
        session_connection: Option<Connection<'a>>,
        session_direction: Option<Direction>,
    ) -> Self {
        Self { row, lines, session_connection, session_direction }
    }

    /// What it is: `audio`, `video`, `text`, `application`, `message`, `image`, …
    #[must_use]
    pub const fn kind(&self) -> &'a [u8] {
        self.row.kind
    }

    /// The port to which media goes; 0 when the media is refused or not wanted (RFC 3264 §6).
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.row.port
    }

    /// Whether the media is refused, or offered and not wanted: its port is 0. Its place stays, and it is answered with a port
    /// of 0 (RFC 3264 §6, §8.2).
    #[must_use]
    pub const fn is_rejected(&self) -> bool {
        self.row.port == 0
    }

    /// How many pairs of ports there are from [`port`](Self::port) on, 1 unless it is said; all lie within 65,535.
    #[must_use]
    pub const fn port_count(&self) -> u16 {
        self.row.port_count
    }

    /// The transport protocol: `RTP/AVP`, `RTP/SAVP`, `UDP/TLS/RTP/SAVPF`, `udptl`, …
    #[must_use]
    pub const fn proto(&self) -> &'a [u8] {
        self.row.proto
    }

    /// The formats, most wanted first, at most [`MAX_FORMATS`]; for RTP they are payload types.
    #[must_use]
    pub const fn formats(&self) -> Formats<'a> {
        Formats { rest: self.row.formats }
    }

    /// The formats that are payload types, 0 to 127, most wanted first.
    pub fn payload_types(&self) -> impl Iterator<Item = u8> + Clone + use<'a> {
        self.formats().filter_map(|format| payload_type(format).ok())
    }

    /// Where the media goes: its own first `c=`, else that of the session (RFC 8866 §5.7).
    #[must_use]
    pub fn connection(&self) -> Option<Connection<'a>> {
        self.connections().next().or(self.session_connection)
    }

    /// Every `c=` of the media itself, of which there can be several when it is multicast (RFC 8866 §5.7).
    pub fn connections(&self) -> impl Iterator<Item = Connection<'a>> + Clone + use<'a> {
        self.lines.of(b'c').filter_map(|value| Connection::parse(value).ok())
    }

    /// Which way media flows: its own first direction, else that of the session, else both ways (RFC 8866 §6.7).
    #[must_use]
    pub fn direction(&self) -> Direction {
        self.attributes().direction().or(self.session_direction).unwrap_or_default()
    }

    /// The bandwidths of the media (RFC 8866 §5.8); malformed ones are left out.
    pub fn bandwidths(&self) -> impl Iterator<Item = Bandwidth<'a>> + Clone + use<'a> {
        Bandwidth::in_lines(self.lines)
    }

    /// The attributes of the media itself, in order.
    #[must_use]
    pub const fn attributes(&self) -> Attributes<'a> {
        Attributes::new(self.lines)
    }

    /// The values of all lines of one type that belong to the media, as they are written.
    pub fn lines(&self, kind: u8) -> impl Iterator<Item = &'a [u8]> + Clone + use<'a> {
        self.lines.of(kind)
    }

    /// The lines behind the `m=` line.
    pub(super) const fn section(&self) -> &'a [u8] {
        self.lines.0
    }

    pub(super) const fn session_connection(&self) -> Option<Connection<'a>> {
        self.session_connection
    }

    pub(super) const fn session_direction(&self) -> Option<Direction> {
        self.session_direction
    }

    /// The values of the attributes of this name.
    fn values(&self, name: &'static [u8]) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.attributes().filter(move |one| one.name == name).map(|one| one.value.unwrap_or_default())
    }

    /// Every `a=rtpmap`, in order (RFC 8866 §6.6); malformed ones are left out.
    pub fn rtpmaps(&self) -> impl Iterator<Item = RtpMap<'a>> + use<'a> {
        self.values(b"rtpmap").filter_map(|value| RtpMap::parse(value).ok())
    }

    /// What a payload type stands for: its `a=rtpmap`, else its static meaning (RFC 3551 §6).
    #[must_use]
    pub fn codec(&self, payload_type: u8) -> Option<RtpMap<'a>> {
        self.rtpmaps().find(|map| map.payload_type == payload_type).or_else(|| static_codec(payload_type))
    }

    /// Every `a=fmtp`, in order (RFC 8866 §6.15); malformed ones are left out.
    pub fn fmtps(&self) -> impl Iterator<Item = Fmtp<'a>> + use<'a> {
        self.values(b"fmtp").filter_map(|value| Fmtp::parse(value).ok())
    }

    /// The first `a=fmtp` of a payload type.
    #[must_use]
    pub fn fmtp(&self, payload_type: u8) -> Option<Fmtp<'a>> {
        self.fmtps().find(|fmtp| fmtp.payload_type() == Some(payload_type))
    }

    /// How much media a packet has, in milliseconds (RFC 8866 §6.4); `None` when it is not said or malformed.
    #[must_use]
    pub fn ptime(&self) -> Option<u16> {
        self.values(b"ptime").find_map(|value| milliseconds(value).ok())
    }

    /// How much media a packet has at most, in milliseconds (RFC 8866 §6.5); `None` when it is not said or malformed.
    #[must_use]
    pub fn max_ptime(&self) -> Option<u16> {
        self.values(b"maxptime").find_map(|value| milliseconds(value).ok())
    }

    /// Whether RTP and RTCP share one port (RFC 5761 §5.1.1).
    #[must_use]
    pub fn rtcp_mux(&self) -> bool {
        self.attributes().any(|attribute| attribute.name == b"rtcp-mux")
    }

    /// Where RTCP goes, when it is said (RFC 3605 §2.1); `None` when it is not or malformed.
    #[must_use]
    pub fn rtcp(&self) -> Option<Rtcp<'a>> {
        self.values(b"rtcp").find_map(|value| Rtcp::parse(value).ok())
    }

    /// Every `a=crypto`, most wanted first (RFC 4568 §5.1.1); a malformed one is an `Err`.
    pub fn cryptos(&self) -> impl Iterator<Item = Result<Crypto<'a>, SdpError>> + use<'a> {
        self.values(b"crypto").map(Crypto::parse)
    }

    /// The identification of the media (RFC 5888 §4).
    #[must_use]
    pub fn mid(&self) -> Option<&'a [u8]> {
        self.values(b"mid").map(trim).find(|mid| is_token(mid))
    }
}

/// The formats of an `m=` line, in order.
#[derive(Clone, Debug)]
pub struct Formats<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Formats<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let (format, rest) = field(self.rest)?;
        self.rest = rest;
        Some(format)
    }
}
