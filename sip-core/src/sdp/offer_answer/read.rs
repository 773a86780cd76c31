//! What one `m=` section of the peer says, gathered in one walk through its lines.

use super::MAX_PTIME;
use crate::message::scan::{alike, find, number, peek, slice, trim};
use crate::sdp::attribute::milliseconds;
use crate::sdp::connection::{AddressKind, Connection, Rtcp};
use crate::sdp::line::is_token;
use crate::sdp::{Attribute, Direction, Fmtp, Media, RtpMap, static_codec};
use core::net::{IpAddr, SocketAddr};

use super::refusal::Warning;

/// The rows of a section that matter here. Of rows that stand twice the first counts.
///
/// However many rows there are, each is looked at once here, and a payload type finds its own without a search.
pub(super) struct Section<'o> {
    lines: &'o [u8],
    /// Where the value of the `a=rtpmap` of each payload type begins in `lines`; 0 for none.
    rtpmaps: [u16; 128],
    fmtps: [u16; 128],
    connection: Option<Connection<'o>>,
    direction: Option<Direction>,
    ptime: u16,
    max_ptime: u16,
    rtcp: Option<Rtcp<'o>>,
    pub(super) rtcp_mux: bool,
    /// The peer takes no RTCP at a port of its own (RFC 8858).
    pub(super) rtcp_mux_only: bool,
    pub(super) mid: Option<&'o [u8]>,
}

impl<'o> Section<'o> {
    pub(super) fn read(media: &Media<'o>) -> Self {
        let lines = media.section();
        let mut section = Self {
            lines,
            rtpmaps: [0; 128],
            fmtps: [0; 128],
            connection: None,
            direction: None,
            ptime: 0,
            max_ptime: 0,
            rtcp: None,
            rtcp_mux: false,
            rtcp_mux_only: false,
            mid: None,
        };
        let mut at = 0;
        while at < lines.len() {
            let (line, next) = line_at(lines, at);
            match line {
                [b'a', b'=', attribute @ ..] => section.attribute(attribute, at.wrapping_add(2)),
                [b'c', b'=', value @ ..] if section.connection.is_none() => {
                    section.connection = Connection::parse(value).ok();
                }
                _ => {}
            }
            at = next;
        }
        section.connection = section.connection.or(media.session_connection());
        section.direction = section.direction.or(media.session_direction());
        section
    }

    /// Takes the attribute that begins at this place of the lines.
    fn attribute(&mut self, attribute: &'o [u8], at: usize) {
        let value = |name: &[u8]| attribute.strip_prefix(name);
        match attribute.first() {
            Some(b'r') => {
                if value(b"rtpmap:").is_some() {
                    note(&mut self.rtpmaps, self.lines, at.wrapping_add(7));
                } else if let Some(value) = value(b"rtcp:") {
                    self.rtcp = self.rtcp.or(Rtcp::parse(value).ok());
                } else if attribute == b"rtcp-mux" {
                    self.rtcp_mux = true;
                } else if attribute == b"rtcp-mux-only" {
                    self.rtcp_mux_only = true;
                } else {
                    self.direction = self.direction.or(direction(attribute));
                }
            }
            Some(b'f') if value(b"fmtp:").is_some() => note(&mut self.fmtps, self.lines, at.wrapping_add(5)),
            Some(b's' | b'i') => self.direction = self.direction.or(direction(attribute)),
            Some(b'p') => first_time(&mut self.ptime, value(b"ptime:")),
            Some(b'm') => {
                first_time(&mut self.max_ptime, value(b"maxptime:"));
                let mid = value(b"mid:").map(trim).filter(|mid| is_token(mid));
                self.mid = self.mid.or(mid);
            }
            _ => {}
        }
    }

    /// What a payload type stands for: its `a=rtpmap`, else its static meaning.
    pub(super) fn codec(&self, payload_type: u8) -> Option<Encoding<'o>> {
        let Some(place) = place(&self.rtpmaps, payload_type) else {
            let RtpMap { encoding, clock_rate, params, .. } = static_codec(payload_type)?;
            let channels = if params.is_empty() { 1 } else { 2 };
            return Some(Encoding { payload_type, name: encoding, clock_rate, channels });
        };
        let at = |place| peek(self.lines, place);
        let (_, end) = number(self.lines, place)?;
        let name = skip_spaces(self.lines, end);
        let mut slash = name;
        while at(slash) > b' ' && at(slash) != b'/' {
            slash = slash.wrapping_add(1);
        }
        let (clock_rate, end) = number(self.lines, slash.wrapping_add(1))?;
        let more = at(end) == b'/';
        let channels =
            if more { number(self.lines, end.wrapping_add(1)).map_or(1, |(count, _)| count.max(1)) } else { 1 };
        let is_whole = at(slash) == b'/' && (more || at(end) <= b' ');
        is_whole.then(|| Encoding { payload_type, name: slice(self.lines, name, slash), clock_rate, channels })
    }

    pub(super) fn fmtp(&self, payload_type: u8) -> Option<Fmtp<'o>> {
        Fmtp::parse(line_at(self.lines, place(&self.fmtps, payload_type)?).0).ok()
    }

    /// Where media and RTCP go; `None` for either that goes nowhere.
    ///
    /// A host name is not resolved, and an address of the other family than `ours` can't be reached.
    pub(super) fn remote(&self, port: u16, ours: IpAddr, mux: bool) -> Result<Remote, Warning> {
        let connection = self.connection.ok_or(Warning::AddressFormat)?;
        if connection.kind == AddressKind::Other {
            return Err(if alike(connection.network, b"IN") {
                Warning::AddressFormat
            } else {
                Warning::NetworkProtocol
            });
        }
        let ip = connection.ip().ok_or(Warning::AddressFormat)?;
        if ip.is_multicast() || connection.count != 1 {
            return Err(Warning::Multicast);
        }
        if ip.is_unspecified() {
            return Ok(Remote { rtp: None, rtcp: None });
        }
        if ip.is_ipv4() != ours.is_ipv4() {
            return Err(Warning::AddressFormat);
        }
        let rtp = SocketAddr::new(ip, port);
        let rtcp = match self.rtcp {
            _ if mux => Some(rtp),
            Some(rtcp) => {
                let other = rtcp.connection.and_then(|connection| connection.ip());
                let other = other.filter(|other| other.is_ipv4() == ip.is_ipv4() && !other.is_unspecified());
                (rtcp.port != 0).then(|| SocketAddr::new(other.unwrap_or(ip), rtcp.port))
            }
            None => port.checked_add(1).map(|port| SocketAddr::new(ip, port)),
        };
        Ok(Remote { rtp: Some(rtp), rtcp })
    }

    /// Which way media flows as the peer sees it; who receives at 0.0.0.0 receives nothing (RFC 3264 §8.4).
    pub(super) fn direction(&self, receives: bool) -> Direction {
        let direction = self.direction.unwrap_or_default();
        Direction::new(direction.sends(), direction.receives() && receives)
    }

    /// What a packet should have that goes to the peer, and what it may have, in milliseconds; 0 for what is not said.
    pub(super) fn times(&self) -> (u16, u16) {
        let most = if self.max_ptime == 0 { MAX_PTIME } else { self.max_ptime.min(MAX_PTIME) };
        (self.ptime.min(most), self.max_ptime)
    }

    /// The events of RFC 4733 that the peer takes under this payload type: bit n for event n, 0 to 15.
    pub(super) fn events(&self, payload_type: u8) -> u16 {
        // Without parameters it takes the digits (RFC 4733 §2.4.1).
        let Some(fmtp) = self.fmtp(payload_type) else { return u16::MAX };
        let mut set: u16 = 0;
        for range in fmtp.params.split(|octet| *octet == b',') {
            let range = trim(range);
            let Some((first, end)) = number(range, 0) else { continue };
            let last = match range.get(end..) {
                Some([b'-', ..]) => number(range, end.wrapping_add(1)).map_or(first, |(last, _)| last),
                _ => first,
            };
            for event in first.min(16)..last.saturating_add(1).min(16) {
                set |= 1u16.checked_shl(event).unwrap_or(0);
            }
        }
        set
    }
}

/// Where a peer receives.
#[derive(Clone, Copy)]
pub(super) struct Remote {
    pub(super) rtp: Option<SocketAddr>,
    pub(super) rtcp: Option<SocketAddr>,
}

/// An encoding of the peer's.
#[derive(Clone, Copy)]
pub(super) struct Encoding<'o> {
    pub(super) payload_type: u8,
    pub(super) name: &'o [u8],
    pub(super) clock_rate: u32,
    pub(super) channels: u32,
}

/// The line that begins at this place, or the rest of it, without its end; and where the next one begins.
fn line_at(lines: &[u8], at: usize) -> (&[u8], usize) {
    let end = find(lines, at, b'\n');
    let line = slice(lines, at, end);
    (line.strip_suffix(b"\r").unwrap_or(line), end.wrapping_add(1))
}

fn skip_spaces(lines: &[u8], at: usize) -> usize {
    let mut at = at;
    while peek(lines, at) == b' ' {
        at = at.wrapping_add(1);
    }
    at
}

/// Where the value of a row of this payload type begins.
fn place(places: &[u16; 128], payload_type: u8) -> Option<usize> {
    places.get(usize::from(payload_type)).map(|place| usize::from(*place)).filter(|place| *place != 0)
}

/// Notes where the value begins that starts with a payload type, unless that has one.
fn note(places: &mut [u16; 128], lines: &[u8], at: usize) {
    let at = skip_spaces(lines, at);
    let Some((payload_type, end)) = number(lines, at) else { return };
    if let (b' ', Some(place @ 0), Ok(at)) =
        (peek(lines, end), places.get_mut(payload_type as usize), u16::try_from(at))
    {
        *place = at;
    }
}

fn first_time(time: &mut u16, value: Option<&[u8]>) {
    if let (0, Some(value)) = (*time, value) {
        *time = milliseconds(value).unwrap_or(0);
    }
}

/// The direction that an attribute names, with a value that it should not have or without: as [`Attribute`] reads it.
fn direction(attribute: &[u8]) -> Option<Direction> {
    Direction::parse(Attribute::of(attribute).name)
}
