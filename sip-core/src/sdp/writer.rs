//! Writing descriptions into a buffer of the caller's.

use super::attribute::{Attribute, Direction};
use super::codec::{Fmtp, RtpMap};
use super::connection::{Connection, Rtcp};
use super::crypto::{Crypto, is_suite};
use super::line::{is_field, is_proto, is_token};
use super::media::{Media, ports_fit};
use super::session::{Origin, Timing, is_writable};
use crate::message::{WriteError, Writer as Octets, build::write_ip};
use core::net::IpAddr;

/// Writes one description, line by line in the order of the calls (RFC 8866 §5): `o=`, `s=`, `c=`, `t=`, the attributes
/// of the session, then each media with its lines.
///
/// No call fails: a writer whose buffer is full goes on counting, a value that cannot stand where it is put is noted, and
/// [`finish`](Self::finish) tells.
///
/// ```
/// use sip_core::sdp::{Direction, Writer, static_codec};
///
/// let mut buffer = [0; 512];
/// let mut w = Writer::new(&mut buffer);
/// w.session(1, 1, "192.0.2.1".parse().unwrap());
/// w.media(b"audio", 5004, b"RTP/AVP", [0]);
/// w.rtpmap(&static_codec(0).unwrap());
/// w.direction(Direction::SendRecv);
/// let length = w.finish().unwrap();
/// assert!(buffer[..length].ends_with(b"m=audio 5004 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=sendrecv\r\n"));
/// ```
#[derive(Debug)]
pub struct Writer<'b> {
    octets: Octets<'b>,
}

impl<'b> Writer<'b> {
    /// A writer into `buffer` that has written `v=0`.
    #[must_use]
    pub fn new(buffer: &'b mut [u8]) -> Self {
        let mut octets = Octets::new(buffer);
        octets.raw(b"v=0\r\n");
        Self { octets }
    }

    /// Refuses the description unless the value may stand where it is put.
    fn require(&mut self, fine: bool) {
        if !fine {
            self.octets.refuse();
        }
    }

    fn end(&mut self) {
        self.octets.end();
    }

    /// Writes `o=`, `s=`, `c=` and `t=` of a call: no user, no name, one address, at any time (RFC 3264 §5).
    pub fn session(&mut self, session_id: u64, version: u64, ip: IpAddr) {
        self.octets.raw(b"o=- ");
        self.octets.number(session_id);
        self.octets.octet(b' ');
        self.octets.number(version);
        self.octets.octet(b' ');
        self.ip(ip);
        self.octets.raw(b"\r\ns=-\r\nc=");
        self.ip(ip);
        self.octets.raw(b"\r\nt=0 0\r\n");
    }

    /// Writes `o=`.
    pub fn origin(&mut self, origin: &Origin<'_>) {
        self.require(is_writable(origin));
        self.octets.raw(b"o=");
        self.octets.text(origin.username);
        for number in &[origin.session_id, origin.version] {
            self.octets.octet(b' ');
            self.octets.number(*number);
        }
        for part in &[origin.network, origin.address_type, origin.address] {
            self.octets.octet(b' ');
            self.octets.text(part);
        }
        self.end();
    }

    /// Writes `s=`; an empty name is written as `-` (RFC 8866 §5.3).
    pub fn name(&mut self, name: &[u8]) {
        self.line(b's', if name.is_empty() { b"-" } else { name });
    }

    /// Writes `c=` with this address.
    pub fn connection_ip(&mut self, ip: IpAddr) {
        self.octets.raw(b"c=");
        self.ip(ip);
        self.end();
    }

    fn ip(&mut self, ip: IpAddr) {
        self.octets.raw(if ip.is_ipv4() { b"IN IP4 " } else { b"IN IP6 " });
        write_ip(&mut self.octets, ip);
    }

    /// Writes `c=`.
    pub fn connection(&mut self, connection: &Connection<'_>) {
        self.octets.raw(b"c=");
        self.connection_value(connection);
        self.end();
    }

    fn connection_value(&mut self, connection: &Connection<'_>) {
        self.require(connection.is_writable());
        self.octets.text(connection.network);
        self.octets.octet(b' ');
        self.octets.text(connection.address_type);
        self.octets.octet(b' ');
        self.octets.text(connection.address);
        if let Some(ttl) = connection.ttl {
            self.octets.octet(b'/');
            self.octets.number(u64::from(ttl));
        }
        if connection.count != 1 {
            self.octets.octet(b'/');
            self.octets.number(u64::from(connection.count));
        }
    }

    /// Writes `b=`, in kilobits per second for `AS` (RFC 8866 §5.8).
    pub fn bandwidth(&mut self, kind: &[u8], value: u32) {
        self.require(is_token(kind));
        self.octets.raw(b"b=");
        self.octets.text(kind);
        self.octets.octet(b':');
        self.octets.number(u64::from(value));
        self.end();
    }

    /// Writes `t=`.
    pub fn timing(&mut self, timing: Timing) {
        self.octets.raw(b"t=");
        self.octets.number(timing.start);
        self.octets.octet(b' ');
        self.octets.number(timing.stop);
        self.end();
    }

    /// Writes an `m=` line whose formats are payload types, most wanted first; the lines that follow belong to it.
    pub fn media(&mut self, kind: &[u8], port: u16, proto: &[u8], payload_types: impl IntoIterator<Item = u8>) {
        self.media_start(kind, port, 1, proto);
        let mut count: usize = 0;
        for payload_type in payload_types {
            count = count.saturating_add(1);
            self.require(payload_type < 128);
            self.octets.octet(b' ');
            self.octets.small_number(payload_type);
        }
        self.media_end(count);
    }

    /// Writes the `m=` line with which an offered media is refused: its kind, protocol and formats with a port of 0 (RFC 3264
    /// §6).
    pub fn rejected(&mut self, offered: &Media<'_>) {
        self.media_of(offered.kind(), (0, 1), offered.proto(), offered.formats());
    }

    /// Writes an `m=` line whose formats are any tokens, most wanted first; the lines that follow belong to it.
    pub fn media_of<'f>(
        &mut self,
        kind: &[u8],
        (port, port_count): (u16, u16),
        proto: &[u8],
        formats: impl IntoIterator<Item = &'f [u8]>,
    ) {
        self.media_start(kind, port, port_count, proto);
        let mut count: usize = 0;
        for format in formats {
            count = count.saturating_add(1);
            self.require(is_token(format));
            self.octets.octet(b' ');
            self.octets.text(format);
        }
        self.media_end(count);
    }

    fn media_start(&mut self, kind: &[u8], port: u16, port_count: u16, proto: &[u8]) {
        self.require(is_token(kind) && is_proto(proto) && ports_fit(port, port_count));
        self.octets.raw(b"m=");
        self.octets.raw(kind);
        self.octets.octet(b' ');
        self.octets.number(u64::from(port));
        if port_count != 1 {
            self.octets.octet(b'/');
            self.octets.number(u64::from(port_count));
        }
        self.octets.octet(b' ');
        self.octets.raw(proto);
    }

    fn media_end(&mut self, formats: usize) {
        self.require((1..=super::MAX_FORMATS).contains(&formats));
        self.end();
    }

    /// Writes `a=rtpmap`.
    pub fn rtpmap(&mut self, map: &RtpMap<'_>) {
        let params = map.params.is_empty() || map.params.split(|octet| *octet == b'/').all(is_token);
        self.require(map.payload_type < 128 && map.clock_rate != 0 && is_token(map.encoding) && params);
        self.rtpmap_start(map.payload_type, map.encoding, map.clock_rate);
        if !map.params.is_empty() {
            self.octets.octet(b'/');
            self.octets.text(map.params);
        }
        self.end();
    }

    fn rtpmap_start(&mut self, payload_type: u8, encoding: &[u8], clock_rate: u32) {
        self.octets.raw(b"a=rtpmap:");
        self.octets.small_number(payload_type);
        self.octets.raw(b" ");
        // A token, as every caller has asked for.
        self.octets.raw(encoding);
        // Nearly every one has this rate.
        if clock_rate == 8000 {
            return self.octets.raw(b"/8000");
        }
        self.octets.raw(b"/");
        self.octets.number(u64::from(clock_rate));
    }

    /// Writes `a=rtpmap` of a codec of one channel or more.
    pub(super) fn codec(&mut self, payload_type: u8, encoding: &[u8], clock_rate: u32, channels: u8) {
        self.require(payload_type < 128 && clock_rate != 0 && is_token(encoding));
        self.rtpmap_start(payload_type, encoding, clock_rate);
        if channels > 1 {
            self.octets.raw(b"/");
            self.octets.number(u64::from(channels));
        }
        self.end();
    }

    /// Writes `a=fmtp` of a payload type, unless there are no parameters.
    pub(super) fn codec_params(&mut self, payload_type: u8, params: &[u8]) {
        if !params.is_empty() {
            self.octets.raw(b"a=fmtp:");
            self.octets.small_number(payload_type);
            self.octets.raw(b" ");
            self.octets.text(params);
            self.end();
        }
    }

    /// Writes `a=fmtp`.
    pub fn fmtp(&mut self, fmtp: &Fmtp<'_>) {
        self.require(is_token(fmtp.format));
        self.octets.raw(b"a=fmtp:");
        self.octets.text(fmtp.format);
        if !fmtp.params.is_empty() {
            self.octets.octet(b' ');
            self.octets.text(fmtp.params);
        }
        self.end();
    }

    /// Writes the attribute of a direction.
    pub fn direction(&mut self, direction: Direction) {
        self.octets.raw(match direction {
            Direction::SendRecv => b"a=sendrecv\r\n",
            Direction::SendOnly => b"a=sendonly\r\n",
            Direction::RecvOnly => b"a=recvonly\r\n",
            Direction::Inactive => b"a=inactive\r\n",
        });
    }

    /// Writes `a=ptime`, in milliseconds, which are not 0.
    pub fn ptime(&mut self, milliseconds: u16) {
        self.require(milliseconds != 0);
        self.octets.raw(b"a=ptime:");
        self.octets.number(u64::from(milliseconds));
        self.end();
    }

    /// Writes `a=maxptime`, in milliseconds, which are not 0.
    pub fn max_ptime(&mut self, milliseconds: u16) {
        self.require(milliseconds != 0);
        self.octets.raw(b"a=maxptime:");
        self.octets.number(u64::from(milliseconds));
        self.end();
    }

    /// Writes `a=rtcp-mux`.
    pub fn rtcp_mux(&mut self) {
        self.octets.raw(b"a=rtcp-mux\r\n");
    }

    /// Writes `a=rtcp`.
    pub fn rtcp(&mut self, rtcp: &Rtcp<'_>) {
        self.octets.raw(b"a=rtcp:");
        self.octets.number(u64::from(rtcp.port));
        if let Some(connection) = &rtcp.connection {
            self.octets.octet(b' ');
            self.connection_value(connection);
        }
        self.end();
    }

    /// Writes `a=crypto`; the keys must be such as can be read.
    pub fn crypto(&mut self, crypto: &Crypto<'_>) {
        let keys = is_field(crypto.raw_keys) && crypto.keys().all(|key| key.is_ok());
        self.require(crypto.tag < 1_000_000_000 && is_suite(crypto.suite) && keys);
        self.octets.raw(b"a=crypto:");
        self.octets.number(u64::from(crypto.tag));
        for part in &[crypto.suite, crypto.raw_keys, crypto.session_params] {
            if !part.is_empty() {
                self.octets.octet(b' ');
                self.octets.text(part);
            }
        }
        self.end();
    }

    /// Writes any attribute; its name is a token.
    pub fn attribute(&mut self, attribute: &Attribute<'_>) {
        self.require(is_token(attribute.name));
        self.octets.raw(b"a=");
        self.octets.text(attribute.name);
        if let Some(value) = attribute.value {
            self.octets.octet(b':');
            self.octets.text(value);
        }
        self.end();
    }

    /// Writes any line by its type, a letter in lower case, and its value as it is.
    pub fn line(&mut self, kind: u8, value: &[u8]) {
        self.require(kind.is_ascii_lowercase());
        self.octets.raw(&[kind, b'=']);
        self.octets.text(value);
        self.end();
    }

    /// How many octets the description has.
    ///
    /// # Errors
    /// [`WriteError::Injection`] when a value was refused: CR, LF or NUL in any, or what can't stand where it was put.
    /// [`WriteError::Full`] when the description did not fit, [`WriteError::TooLarge`] when it is too long for a message.
    pub const fn finish(self) -> Result<usize, WriteError> {
        self.octets.finish()
    }
}
