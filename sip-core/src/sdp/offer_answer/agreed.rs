//! What both ends have agreed upon.

use super::capabilities::Profile;
use super::{MAX_CODECS, MAX_STREAMS};
use crate::sdp::Direction;
use core::net::SocketAddr;

/// What an offer and its answer have agreed upon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Agreed {
    pub(super) streams: [Option<Stream>; MAX_STREAMS],
    pub(super) lines: u8,
}

impl Agreed {
    /// How many `m=` lines the session has, refused ones and those beyond [`MAX_STREAMS`] included.
    #[must_use]
    pub const fn line_count(&self) -> usize {
        self.lines as usize
    }

    /// The stream of the `m=` line at this place; `None` when it is refused, removed, or not there.
    #[must_use]
    pub fn line(&self, place: usize) -> Option<&Stream> {
        self.streams.get(place)?.as_ref()
    }

    /// The stream of the medium at this place in [`Capabilities::media`](super::Capabilities::media), if it has one.
    #[must_use]
    pub fn media(&self, place: usize) -> Option<&Stream> {
        self.streams.iter().flatten().find(|stream| stream.media() == place)
    }

    /// The streams that are on, in the order of their `m=` lines.
    pub fn streams(&self) -> impl Iterator<Item = &Stream> {
        self.streams.iter().flatten()
    }

    /// Whether the peer lets no stream of this end through: it holds the call.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.streams().next().is_some() && self.streams().all(|stream| !stream.direction.sends())
    }
}

/// A stream that both ends have agreed upon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Stream {
    pub(super) media: u8,
    pub(super) count: u8,
    pub(super) payloads: [Payload; MAX_CODECS],
    /// The codec to send with: the first of the answer (RFC 3264 §6.1, §7).
    pub codec: Payload,
    /// The telephone-event to send digits with, of the clock rate of [`codec`](Self::codec) where there is one.
    pub events: Option<Payload>,
    /// Which events of RFC 4733 the peer takes: bit n for event n, 0 to 15.
    pub event_set: u16,
    /// By what media travels.
    pub profile: Profile,
    /// Which way media flows, seen from this end.
    pub direction: Direction,
    /// Where media goes; `None` when the peer gave 0.0.0.0 or ::, the old way to hold.
    #[cfg_attr(feature = "defmt", defmt(Debug2Format))]
    pub remote: Option<SocketAddr>,
    /// Where RTCP goes: the same with [`rtcp_mux`](Self::rtcp_mux), else what `a=rtcp` says or the next port.
    #[cfg_attr(feature = "defmt", defmt(Debug2Format))]
    pub remote_rtcp: Option<SocketAddr>,
    /// Whether RTP and RTCP share a port, at both ends.
    pub rtcp_mux: bool,
    /// How much media a packet should have that this end sends, in milliseconds, at most [`MAX_PTIME`](super::MAX_PTIME)
    /// and not more than the peer takes; 0 when the peer does not say.
    pub ptime: u16,
    /// How much media a packet may have that this end sends, in milliseconds; 0 when the peer does not say.
    pub max_ptime: u16,
}

impl Stream {
    /// The place of the medium in [`Capabilities::media`](super::Capabilities::media).
    #[must_use]
    pub const fn media(&self) -> usize {
        self.media as usize
    }

    /// Every codec that may be sent and has to be understood, most wanted first, telephone-event included.
    #[must_use]
    pub fn payloads(&self) -> &[Payload] {
        self.payloads.get(..usize::from(self.count)).unwrap_or_default()
    }

    /// What a packet of this payload type holds that the peer has sent.
    #[must_use]
    pub fn received(&self, payload_type: u8) -> Option<Payload> {
        self.payloads().iter().copied().find(|payload| payload.receive == payload_type)
    }
}

/// A codec and what both ends call it: each end names what it receives (RFC 3264 §5.1, §6.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Payload {
    /// The place of the codec in [`LocalMedia::codecs`](super::LocalMedia::codecs).
    pub codec: u8,
    /// The payload type of packets that this end sends.
    pub send: u8,
    /// The payload type of packets that this end receives.
    pub receive: u8,
}
