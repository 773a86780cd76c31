//! Writing one stream, of an offer or of an answer.

use super::agreed::Payload;
use super::capabilities::LocalMedia;
use crate::sdp::{Direction, Rtcp, Writer};

/// What of a stream is not in the capabilities.
pub(super) struct Written<'p> {
    /// The protocol as it stands in the `m=` line.
    pub(super) proto: &'p [u8],
    pub(super) payloads: &'p [Payload],
    /// Which of the payloads are G729 without Annex B whatever this end would like, by bits.
    pub(super) no_annex_b: u8,
    pub(super) direction: Direction,
    pub(super) rtcp_mux: bool,
    /// Whether a port of its own for RTCP is told: in an answer with `rtcp-mux` there is none.
    pub(super) has_rtcp_row: bool,
}

/// Writes an `m=` line and its attributes. Static payload types have their `a=rtpmap` too (RFC 3264 §5.1).
pub(super) fn media(w: &mut Writer<'_>, of: &LocalMedia<'_>, written: &Written<'_>) {
    let codecs = of.first_codecs();
    w.media(of.kind.as_bytes(), of.port, written.proto, written.payloads.iter().map(|payload| payload.receive));
    for (place, payload) in (0..).zip(written.payloads) {
        let Some(codec) = codecs.get(usize::from(payload.codec)) else { continue };
        let fmtp = if written.no_annex_b.checked_shr(place).unwrap_or(0) & 1 != 0 { "annexb=no" } else { codec.fmtp };
        w.codec(payload.receive, codec.encoding.as_bytes(), codec.clock_rate, codec.channels);
        w.codec_params(payload.receive, fmtp.as_bytes());
    }
    if of.ptime != 0 {
        w.ptime(of.ptime);
    }
    if of.max_ptime != 0 {
        w.max_ptime(of.max_ptime);
    }
    if written.has_rtcp_row && of.rtcp_port != 0 {
        w.rtcp(&Rtcp { port: of.rtcp_port, connection: None });
    }
    if written.rtcp_mux {
        w.rtcp_mux();
    }
    for attribute in of.attributes {
        w.attribute(attribute);
    }
    w.direction(written.direction);
}
