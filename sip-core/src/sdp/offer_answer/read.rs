//! What one `m=` section of the peer says, gathered in one walk through its lines.

use super::MAX_PTIME;
use crate::message::scan::{HOST, alike, find, number, peek, run, slice, trim};
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
    /// Where in `lines` the `a=rtpmap` of each payload type goes on behind it; 0 for none.
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
    /// What a section says: nothing, before it is [read](Self::read).
    #[inline]
    pub(super) const fn new(media: &Media<'o>) -> Self {
        Self {
            lines: media.section(),
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
        }
    }

    /// Reads the lines, and takes from the session what they do not say.
    pub(super) fn read(&mut self, media: &Media<'o>) {
        let lines = self.lines;
        let mut at = 0;
        while at < lines.len() {
            let end = find(lines, at, b'\n');
            let line = match slice(lines, at, end) {
                [line @ .., b'\r'] | line => line,
            };
            match line {
                [b'a', b'=', attribute @ ..] => self.attribute(attribute, at.wrapping_add(2)),
                [b'c', b'=', value @ ..] if self.connection.is_none() => {
                    self.connection = Connection::parse(value).ok();
                }
                _ => {}
            }
            at = end.wrapping_add(1);
        }
        self.connection = self.connection.or(media.session_connection());
        self.direction = self.direction.or(media.session_direction());
    }

    /// Takes the attribute that begins at this place of the lines.
    fn attribute(&mut self, attribute: &'o [u8], at: usize) {
        let value = |name: &[u8]| attribute.strip_prefix(name);
        match attribute.first() {
            Some(b'r') if value(b"rtpmap:").is_some() => note(&mut self.rtpmaps, self.lines, at.wrapping_add(7)),
            Some(b'r') => {
                if let Some(value) = value(b"rtcp:") {
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
        let text = self.lines.get(skip_spaces(self.lines, place)..)?;
        let mut end = run(text, 0, HOST);
        while text.get(end).is_some_and(|octet| *octet > b' ' && *octet != b'/') {
            end = end.wrapping_add(1);
        }
        let (name, [b'/', rate @ ..]) = text.split_at_checked(end)? else { return None };
        let (clock_rate, end) = number(rate, 0)?;
        let channels = match rate.get(end..) {
            Some([b'/', count @ ..]) => number(count, 0).map_or(1, |(count, _)| count.max(1)),
            Some([octet, ..]) if *octet > b' ' => return None,
            _ => 1,
        };
        Some(Encoding { payload_type, name, clock_rate, channels })
    }

    pub(super) fn fmtp(&self, payload_type: u8) -> Option<Fmtp<'o>> {
        let rest = self.lines.get(place(&self.fmtps, payload_type)?..)?;
        Some(Fmtp { format: b"", params: trim(slice(rest, 0, find(rest, 0, b'\n'))) })
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
        /// The bits of the events below this one.
        fn below(event: u32) -> u16 {
            !u16::MAX.checked_shl(event).unwrap_or(0)
        }
        // Without parameters it takes the digits (RFC 4733 §2.4.1).
        let Some(fmtp) = self.fmtp(payload_type) else { return u16::MAX };
        // What nearly every peer says.
        if matches!(fmtp.params, b"0-15" | b"0-16") {
            return u16::MAX;
        }
        let mut set: u16 = 0;
        for range in fmtp.params.split(|octet| *octet == b',') {
            let range = trim(range);
            let Some((first, end)) = number(range, 0) else { continue };
            let last = match range.get(end..) {
                Some([b'-', ..]) => number(range, end.wrapping_add(1)).map_or(first, |(last, _)| last),
                _ => first,
            };
            set |= below(last.saturating_add(1)) & !below(first);
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

fn skip_spaces(lines: &[u8], at: usize) -> usize {
    let mut at = at;
    while peek(lines, at) == b' ' {
        at = at.wrapping_add(1);
    }
    at
}

/// Where a row of this payload type goes on behind it.
fn place(places: &[u16; 128], payload_type: u8) -> Option<usize> {
    places.get(usize::from(payload_type)).map(|place| usize::from(*place)).filter(|place| *place != 0)
}

/// Notes where the value that begins at `at` goes on behind its payload type, unless that has one.
fn note(places: &mut [u16; 128], lines: &[u8], at: usize) {
    let at = skip_spaces(lines, at);
    let Some((payload_type, end)) = number(lines, at) else { return };
    if let (b' ', Some(place @ 0), Ok(end)) =
        (peek(lines, end), places.get_mut(payload_type as usize), u16::try_from(end))
    {
        *place = end;
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
