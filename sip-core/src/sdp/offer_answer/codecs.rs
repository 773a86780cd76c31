//! Which codecs two descriptions share, and under which payload types.
//!
//! Two are the same codec when name (in any case), clock rate and channels are, and these parameters of `a=fmtp`, each of which
//! changes what is in the packets. All others say what the one end likes to receive; they are written for the peer and read by
//! whoever encodes.
//!
//! | codec | parameter | when it is missing |
//! |---|---|---|
//! | AMR, AMR-WB (RFC 4867 §8.1) | `octet-align`, `crc`, `robust-sorting` | 0 |
//! | AMR, AMR-WB | `interleaving` | none |
//! | G7221 (RFC 5577 §4) | `bitrate` | none |
//! | H264 (RFC 6184 §8.1) | `packetization-mode` | 0 |
//! | VP9 (RFC 9628 §7) | `profile-id` | 0 |
//!
//! So G729 with Annex B and without are one codec, and the answer says `annexb=no` when the offer does (RFC 4856 §2.1.9); iLBC
//! of 20 and 30 ms are one, and 30 is sent when either end says so (RFC 3952 §5); telephone-event is one whatever the events.

use super::MAX_CODECS;
use super::agreed::Payload;
use super::capabilities::{Codec, LocalMedia};
use super::read::{Encoding, Section};
use crate::message::scan::alike;
use crate::sdp::{Fmtp, Media};

/// What has to be equal: parameters, and what a missing one means.
type Compared = &'static [(&'static [u8], &'static [u8])];
const AMR: Compared = &[(b"octet-align", b"0"), (b"crc", b"0"), (b"robust-sorting", b"0"), (b"interleaving", b"")];
/// The same for each codec that has such parameters.
const COMPARED: [(&[u8], Compared); 5] = [
    (b"AMR", AMR),
    (b"AMR-WB", AMR),
    (b"G7221", &[(b"bitrate", b"")]),
    (b"H264", &[(b"packetization-mode", b"0")]),
    (b"VP9", &[(b"profile-id", b"0")]),
];

/// Whether a codec of this name may be one of [`COMPARED`]: most begin with another letter.
const fn may_be_compared(name: &[u8]) -> bool {
    matches!(name, [b'A' | b'a' | b'G' | b'g' | b'H' | b'h' | b'V' | b'v', ..])
}

const _: () = {
    let mut rest: &[(&[u8], Compared)] = &COMPARED;
    while let [(name, _), tail @ ..] = rest {
        assert!(may_be_compared(name), "may_be_compared has to know the letter");
        rest = tail;
    }
};

/// Whether two names of encodings are one. Most that differ do so in their length or their last letter.
fn is_same_name(one: &[u8], other: &[u8]) -> bool {
    let last = |name: &[u8]| name.last().map(|octet| octet | 0x20);
    one.len() == other.len() && last(one) == last(other) && alike(one, other)
}

/// The payload types under which the codecs of one stream are received: pairs of the number that names a codec in the
/// capabilities, its high bit set, and the number in the descriptions of this end. A pair of zeros is free.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(super) struct Numbers([[u8; 2]; MAX_CODECS]);

impl Numbers {
    pub(super) const ZERO: Self = Self([[0; 2]; MAX_CODECS]);

    /// The number of a codec in the descriptions of this end, if it has had one.
    pub(super) fn of(&self, codec: &Codec<'_>) -> Option<u8> {
        let name = codec.payload_type | 0x80;
        self.0.iter().find(|[found, _]| *found == name).map(|[_, number]| *number)
    }

    /// Notes the number of a codec. The pairs are as many as the codecs, so there is a free one.
    fn set(&mut self, codec: &Codec<'_>, number: u8) {
        let name = codec.payload_type | 0x80;
        if let Some(pair) = self.0.iter_mut().find(|[found, _]| *found == 0 || *found == name) {
            *pair = [name, number];
        }
    }

    fn has(&self, number: u8) -> bool {
        self.0.iter().any(|[name, found]| *name != 0 && *found == number)
    }

    /// The numbers for an offer. A codec keeps the number that it had (RFC 3264 §8.3.2); a new one gets its own, or when that
    /// stands for another codec, a dynamic one that is free. `None` when there is none, or two codecs have one name.
    pub(super) fn to_offer(self, codecs: &[Codec<'_>]) -> Option<Self> {
        let mut numbers = Self::default();
        for (place, codec) in codecs.iter().enumerate() {
            let same = |other: &Codec<'_>| other.payload_type == codec.payload_type;
            if codec.payload_type > 127 || codecs.iter().take(place).any(same) {
                return None;
            }
            if let Some(number) = self.of(codec) {
                numbers.set(codec, number);
            }
        }
        for codec in codecs {
            if numbers.of(codec).is_none() {
                let named = |number: u8| codecs.iter().any(|other| other.payload_type == number);
                let is_free = |number: &u8| !numbers.has(*number) && !named(*number);
                let own = Some(codec.payload_type).filter(|number| !numbers.has(*number));
                numbers.set(codec, own.or_else(|| (96..=127).rev().find(is_free))?);
            }
        }
        Some(numbers)
    }

    /// The numbers after an answer that has these payloads; a codec that it leaves out keeps what it had, unless that number
    /// stands for another one now.
    pub(super) fn answered(self, codecs: &[Codec<'_>], shared: &Shared) -> Self {
        let mut numbers = Self::default();
        for payload in shared.payloads() {
            if let Some(codec) = codecs.get(usize::from(payload.codec)) {
                numbers.set(codec, payload.receive);
            }
        }
        if self == Self::default() {
            return numbers;
        }
        for codec in codecs {
            if let (None, Some(number)) = (numbers.of(codec), self.of(codec))
                && !numbers.has(number)
            {
                numbers.set(codec, number);
            }
        }
        numbers
    }
}

/// The codecs that both ends have.
#[derive(Clone, Copy, Default)]
pub(super) struct Shared {
    pub(super) list: [Payload; MAX_CODECS],
    pub(super) count: u8,
    /// Which of the list have to be answered with `annexb=no`, by bits.
    pub(super) no_annex_b: u8,
    /// The first codec that makes a stream.
    pub(super) codec: Option<Payload>,
    pub(super) events: Option<Payload>,
}

impl Shared {
    pub(super) fn payloads(&self) -> &[Payload] {
        self.list.get(..usize::from(self.count)).unwrap_or_default()
    }

    fn push(&mut self, payload: Payload) {
        if let Some(place) = self.list.get_mut(usize::from(self.count)) {
            *place = payload;
            self.count = self.count.saturating_add(1);
        }
    }

    /// Whether a payload type is there, which may not be listed twice.
    fn has(&self, number: u8) -> bool {
        self.payloads().iter().any(|payload| payload.send == number)
    }

    /// Sorts by the order of the capabilities.
    fn sort(&mut self) {
        let count = usize::from(self.count).min(MAX_CODECS);
        if let Some(list) = self.list.get_mut(..count) {
            list.sort_unstable_by_key(|payload| payload.codec);
        }
    }

    /// Finds what to send with, and the events that go with it (RFC 4733 §2.1: of the same clock rate). `alone` says that the offer
    /// had nothing but events.
    fn choose(&mut self, local: &LocalMedia<'_>, section: &Section<'_>, alone: bool) {
        let codecs = local.first_codecs();
        let codec_of = |payload: &Payload| codecs.get(usize::from(payload.codec));
        let (mut rate, mut in_step) = (0, false);
        let list = self.list;
        let payloads = list.get(..usize::from(self.count)).unwrap_or_default();
        for (place, payload) in payloads.iter().enumerate() {
            let Some(codec) = codec_of(payload) else { continue };
            if self.codec.is_none() && !codec.is_auxiliary() {
                (self.codec, rate) = (Some(*payload), codec.clock_rate);
            }
            if is_same_name(codec.encoding.as_bytes(), b"G729") {
                let says_no = |fmtp: Fmtp<'_>| fmtp.param(b"annexb").is_some_and(|value| alike(value, b"no"));
                let bit = 1u8.checked_shl(place as u32).unwrap_or(0);
                self.no_annex_b |= if section.fmtp(payload.send).is_some_and(says_no) { bit } else { 0 };
            }
        }
        // A medium for events alone has a stream of its own (RFC 4317 §2.4); they make none where a codec could be.
        if self.codec.is_none() && alone && codecs.iter().all(Codec::is_event) {
            self.codec = payloads.first().copied();
            rate = self.codec.as_ref().and_then(codec_of).map_or(0, |codec| codec.clock_rate);
        }
        for payload in payloads {
            let Some(codec) = codec_of(payload).filter(|codec| codec.is_event()) else { continue };
            let fits = codec.clock_rate == rate;
            if self.events.is_none() || fits && !in_step {
                (self.events, in_step) = (Some(*payload), fits);
            }
        }
    }
}

/// The codecs that an offer shares with this end. What they are received under is what the offer calls them
/// (RFC 3264 §6.1); a peer that gives a number another meaning is followed, for its packets use what it says now.
pub(super) fn shared_with_offer(
    local: &LocalMedia<'_>,
    media: &Media<'_>,
    section: &Section<'_>,
    own_order: bool,
) -> Shared {
    let mut shared = Shared::default();
    let mut taken: u8 = 0;
    let mut alone = true;
    for number in media.payload_types() {
        let Some(encoding) = section.codec(number).filter(|_| !shared.has(number)) else { continue };
        alone = alone && alike(encoding.name, b"telephone-event");
        for (place, codec) in (0..).zip(local.first_codecs()) {
            let bit = 1u8.wrapping_shl(place);
            if taken & bit == 0 && is_same(codec, &encoding, section) {
                taken |= bit;
                shared.push(Payload { codec: place as u8, send: number, receive: number });
                break;
            }
        }
    }
    if own_order {
        shared.sort();
    }
    shared.choose(local, section, alone);
    shared
}

/// The codecs that an answer takes of an offer with these numbers. A dynamic payload type without an `a=rtpmap` is what the
/// offer has called so.
pub(super) fn shared_with_answer(
    local: &LocalMedia<'_>,
    numbers: &Numbers,
    media: &Media<'_>,
    section: &Section<'_>,
) -> Shared {
    let mut shared = Shared::default();
    let mut taken: u8 = 0;
    for number in media.payload_types() {
        let encoding = section.codec(number);
        if shared.has(number) {
            continue;
        }
        for (place, codec) in (0..).zip(local.first_codecs()) {
            let Some(receive) = numbers.of(codec) else { continue };
            let bit = 1u8.wrapping_shl(place);
            let fits = encoding.map_or(receive == number, |encoding| is_same(codec, &encoding, section));
            if taken & bit == 0 && fits {
                taken |= bit;
                shared.push(Payload { codec: place as u8, send: number, receive });
                break;
            }
        }
    }
    shared.choose(local, section, true);
    shared
}

/// Whether both are one codec: the table above.
#[cfg_attr(target_pointer_width = "64", inline(always))]
fn is_same(codec: &Codec<'_>, theirs: &Encoding<'_>, section: &Section<'_>) -> bool {
    codec.clock_rate == theirs.clock_rate
        && u32::from(codec.channels.max(1)) == theirs.channels
        && is_same_name(codec.encoding.as_bytes(), theirs.name)
        && (!may_be_compared(theirs.name) || has_same_params(codec, theirs, section))
}

/// Whether the parameters of both let them be one codec.
fn has_same_params(codec: &Codec<'_>, theirs: &Encoding<'_>, section: &Section<'_>) -> bool {
    let Some((_, params)) = COMPARED.iter().find(|(name, _)| is_same_name(name, theirs.name)) else { return true };
    let ours = Fmtp { format: b"", params: codec.fmtp.as_bytes() };
    let fmtp = section.fmtp(theirs.payload_type);
    params.iter().all(|(param, missing)| {
        ours.param(param).unwrap_or(missing) == fmtp.and_then(|fmtp| fmtp.param(param)).unwrap_or(missing)
    })
}
