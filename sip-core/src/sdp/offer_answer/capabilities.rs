//! What this end can do: the input from which offers and answers are written.

use crate::message::scan::alike;
use crate::sdp::{Attribute, Direction};
use core::net::IpAddr;

/// What this end can do at one moment, borrowed from the application.
///
/// It is passed with each description that is made or read. A medium keeps its place in [`media`](Self::media) while the
/// dialog lasts; one that is not wanted any more gets port 0.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Capabilities<'a> {
    /// The address of `o=` and `c=`. Streams of a peer with an address of the other family are refused.
    #[cfg_attr(feature = "defmt", defmt(Debug2Format))]
    pub address: IpAddr,
    /// The media, in the order in which they are offered; the first [`MAX_STREAMS`](super::MAX_STREAMS) count.
    pub media: &'a [LocalMedia<'a>],
    /// Attributes of the session, written as they are: `ice-lite`, `fingerprint`, …
    pub attributes: &'a [Attribute<'a>],
    /// Whether an answer lists codecs in the order of this end; else in that of the offer, as RFC 3264 §6.1 recommends.
    pub prefer_own_order: bool,
}

impl<'a> Capabilities<'a> {
    /// These media at this address, without attributes of the session, answers in the order of the offer.
    #[must_use]
    pub const fn new(address: IpAddr, media: &'a [LocalMedia<'a>]) -> Self {
        Self { address, media, attributes: &[], prefer_own_order: false }
    }

    /// The medium at this place, if it can be used.
    pub(super) fn usable(&self, place: u8) -> Option<&'a LocalMedia<'a>> {
        self.media.get(usize::from(place)).filter(|media| media.port != 0)
    }
}

/// A medium that this end can send and receive.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct LocalMedia<'a> {
    /// What it is: `audio`, `video`, `text`, …
    pub kind: &'a str,
    /// The port at which this end receives; 0 when the medium is not to be had, which refuses or removes its stream.
    pub port: u16,
    /// The port at which it receives RTCP, written as `a=rtcp`; 0 for the one after [`port`](Self::port) (RFC 3605).
    pub rtcp_port: u16,
    /// The profiles that are taken in an offer. The first is offered. A profile that is not here is never fallen back to.
    pub profiles: &'a [Profile],
    /// The codecs, most wanted first, telephone-event among them; the first [`MAX_CODECS`](super::MAX_CODECS) count.
    pub codecs: &'a [Codec<'a>],
    /// Which way media is to flow, as the user of this end wants it: `SendOnly` or `Inactive` holds the peer.
    pub direction: Direction,
    /// How much media a packet should have that this end receives, in milliseconds; 0 when that does not matter.
    pub ptime: u16,
    /// How much media such a packet may have, in milliseconds; 0 when that does not matter.
    pub max_ptime: u16,
    /// Whether RTP and RTCP can share a port; it is agreed only when both ends say so (RFC 5761 §5.1.1).
    pub rtcp_mux: bool,
    /// Further attributes, written as they are: candidates, keys, fingerprints, what media fills in.
    ///
    /// What of them depends on the offer (the `a=crypto` that is taken, `a=setup:passive`) is chosen by whoever fills them
    /// in, after a look at the offer with [`Session::parse`](crate::sdp::Session::parse).
    pub attributes: &'a [Attribute<'a>],
}

impl<'a> LocalMedia<'a> {
    /// Audio by plain RTP at this port, both ways, with RTCP at the next port.
    #[must_use]
    pub const fn audio(port: u16, codecs: &'a [Codec<'a>]) -> Self {
        Self {
            kind: "audio",
            port,
            rtcp_port: 0,
            profiles: &[Profile::Avp],
            codecs,
            direction: Direction::SendRecv,
            ptime: 0,
            max_ptime: 0,
            rtcp_mux: false,
            attributes: &[],
        }
    }

    /// The codecs that count.
    pub(super) fn first_codecs(&self) -> &'a [Codec<'a>] {
        self.codecs.split_at_checked(super::MAX_CODECS).map_or(self.codecs, |(first, _)| first)
    }
}

/// A codec that this end can send and receive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Codec<'a> {
    /// The payload type under which it is offered, 0 to 127; it names this codec among those of its medium. What the peer
    /// calls it may differ.
    pub payload_type: u8,
    /// The name of the encoding; case is ignored.
    pub encoding: &'a str,
    /// The clock rate in hertz, not 0.
    pub clock_rate: u32,
    /// The number of audio channels; 1 and 0 are not written.
    pub channels: u8,
    /// The parameters for the peer, written as `a=fmtp`; empty when there are none.
    pub fmtp: &'a str,
}

impl Codec<'static> {
    /// G.711 µ-law.
    pub const PCMU: Self = Codec::new(0, "PCMU", 8000);
    /// G.711 A-law.
    pub const PCMA: Self = Codec::new(8, "PCMA", 8000);
    /// G.722; its clock rate is written as 8000, whatever it samples at (RFC 3551 §4.5.2).
    pub const G722: Self = Codec::new(9, "G722", 8000);
    /// G.729 without Annex B.
    pub const G729: Self = Codec { fmtp: "annexb=no", ..Codec::new(18, "G729", 8000) };
    /// Opus (RFC 7587 §7).
    pub const OPUS: Self = Codec { channels: 2, ..Codec::new(111, "opus", 48000) };
    /// DTMF as events, the sixteen digits (RFC 4733 §2.5.1.1).
    pub const TELEPHONE_EVENT: Self = Codec { fmtp: "0-15", ..Codec::new(101, "telephone-event", 8000) };
}

impl<'a> Codec<'a> {
    /// A codec of one channel without parameters.
    #[must_use]
    pub const fn new(payload_type: u8, encoding: &'a str, clock_rate: u32) -> Self {
        Self { payload_type, encoding, clock_rate, channels: 1, fmtp: "" }
    }

    /// Whether it is telephone-event (RFC 4733).
    #[must_use]
    pub fn is_event(&self) -> bool {
        alike(self.encoding.as_bytes(), b"telephone-event")
    }

    /// Whether it goes beside a codec and makes no stream alone: events, comfort noise, redundancy, repair.
    #[must_use]
    pub fn is_auxiliary(&self) -> bool {
        const BESIDE: [&[u8]; 6] = [b"telephone-event", b"CN", b"red", b"rtx", b"ulpfec", b"flexfec"];
        // Most codecs are none of these by their length.
        BESIDE.iter().any(|name| alike(self.encoding.as_bytes(), name))
    }
}

/// By what media travels: the protocol of an `m=` line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Profile {
    /// Plain RTP (RFC 3551).
    #[default]
    Avp,
    /// Plain RTP with feedback (RFC 4585).
    Avpf,
    /// SRTP with keys in the description (RFC 3711, RFC 4568).
    Savp,
    /// The same with feedback (RFC 5124).
    Savpf,
    /// SRTP with keys by DTLS (RFC 5764).
    DtlsSavp,
    /// The same with feedback.
    DtlsSavpf,
}

impl Profile {
    const ALL: [Self; 6] = [Self::Avp, Self::Avpf, Self::Savp, Self::Savpf, Self::DtlsSavp, Self::DtlsSavpf];

    /// The protocol as it stands in an `m=` line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Avp => "RTP/AVP",
            Self::Avpf => "RTP/AVPF",
            Self::Savp => "RTP/SAVP",
            Self::Savpf => "RTP/SAVPF",
            Self::DtlsSavp => "UDP/TLS/RTP/SAVP",
            Self::DtlsSavpf => "UDP/TLS/RTP/SAVPF",
        }
    }

    /// The profile of this protocol; `None` for one that is not RTP.
    #[must_use]
    pub fn parse(proto: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|profile| alike(profile.name().as_bytes(), proto))
    }

    /// Whether both protect media in the same way, feedback apart.
    pub(super) const fn is_as_secure_as(self, other: Self) -> bool {
        const fn class(profile: Profile) -> u8 {
            match profile {
                Profile::Avp | Profile::Avpf => 0,
                Profile::Savp | Profile::Savpf => 1,
                Profile::DtlsSavp | Profile::DtlsSavpf => 2,
            }
        }
        class(self) == class(other)
    }
}
