//! The `m=` lines of a session as they are remembered, and the next offer with them (RFC 3264 §5, §8).

use super::agreed::Payload;
use super::capabilities::{Capabilities, LocalMedia, Profile};
use super::codecs::Numbers;
use super::refusal::Refusal;
use super::write::{self, Written};
use super::{MAX_CODECS, MAX_STREAMS};
use crate::message::scan::alike;
use crate::sdp::{Direction, Writer};

/// The `m=` lines of a session. Their number never falls; those beyond [`MAX_STREAMS`] are always off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(super) struct Lines {
    pub(super) list: [Line; MAX_STREAMS],
    pub(super) count: u8,
}

/// One `m=` line; all zero is one that is off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(super) struct Line {
    /// The place of its medium in the capabilities, plus one; 0 when it is off.
    media: u8,
    /// The medium that it had last, plus one: when that comes back, it comes to its place.
    last: u8,
    kind: Kind,
    pub(super) profile: Profile,
    /// What the last description of this end has said.
    pub(super) direction: Direction,
    pub(super) numbers: Numbers,
}

/// What a line that is off was, to be written again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
enum Kind {
    /// Audio, or what is not known: a line that is off may become anything (RFC 3264 §8.1).
    #[default]
    Audio,
    Video,
    Text,
    Image,
}

impl Line {
    const ZERO: Self = Self {
        media: 0,
        last: 0,
        kind: Kind::Audio,
        profile: Profile::Avp,
        direction: Direction::SendRecv,
        numbers: Numbers::ZERO,
    };

    /// The place of its medium in the capabilities; `None` when the line is off.
    pub(super) const fn medium(&self) -> Option<u8> {
        self.media.checked_sub(1)
    }

    pub(super) const fn turn_off(&mut self) {
        if self.media != 0 {
            (self.media, self.last) = (0, self.media);
        }
    }

    /// The same line with this medium.
    pub(super) const fn with_medium(self, medium: u8) -> Self {
        Self { media: medium.saturating_add(1), ..self }
    }

    pub(super) const fn agreed(self, profile: Profile, direction: Direction, numbers: Numbers) -> Self {
        Self { profile, direction, numbers, ..self }
    }

    pub(super) fn remember_kind(&mut self, kind: &[u8]) {
        self.kind = if alike(kind, b"video") {
            Kind::Video
        } else if alike(kind, b"text") {
            Kind::Text
        } else if alike(kind, b"image") {
            Kind::Image
        } else {
            Kind::Audio
        };
    }

    fn write_off(&self, w: &mut Writer<'_>) {
        let (kind, proto, format): (&[u8], &[u8], &[u8]) = match self.kind {
            Kind::Audio => (b"audio", b"RTP/AVP", b"0"),
            Kind::Video => (b"video", b"RTP/AVP", b"0"),
            Kind::Text => (b"text", b"RTP/AVP", b"0"),
            Kind::Image => (b"image", b"udptl", b"t38"),
        };
        w.media_of(kind, (0, 1), proto, [format]);
    }

    fn write_on(&self, of: &LocalMedia<'_>, w: &mut Writer<'_>) {
        let mut payloads = [Payload::default(); MAX_CODECS];
        let mut count: usize = 0;
        for ((place, codec), payload) in (0..).zip(of.first_codecs()).zip(&mut payloads) {
            let number = self.numbers.of(codec).unwrap_or(codec.payload_type);
            *payload = Payload { codec: place, send: number, receive: number };
            count = count.wrapping_add(1);
        }
        write::media(
            w,
            of,
            &Written {
                proto: self.profile.name().as_bytes(),
                payloads: payloads.get(..count).unwrap_or_default(),
                no_annex_b: 0,
                direction: self.direction,
                rtcp_mux: of.rtcp_mux,
                has_rtcp_row: true,
            },
        );
    }
}

impl Lines {
    pub(super) const ZERO: Self = Self { list: [Line::ZERO; MAX_STREAMS], count: 0 };

    /// The lines of the next offer: each medium keeps its line, one that is not to be had turns it off, and a new one takes
    /// the first line that was off already, or one more (RFC 3264 §8.1, §8.2).
    pub(super) fn to_offer(self, local: &Capabilities<'_>) -> Result<Self, Refusal> {
        let media = local.media;
        if media.len() > MAX_STREAMS {
            return Err(Refusal::Capabilities);
        }
        let mut next = self;
        for line in &mut next.list {
            if line.medium().is_some_and(|medium| local.usable(medium).is_none()) {
                line.turn_off();
            }
        }
        for returning in [true, false] {
            for (place, of) in (0..).zip(media) {
                if of.port != 0 && !next.list.iter().any(|line| line.medium() == Some(place)) {
                    next.add(place, of, &self, returning)?;
                }
            }
        }
        for line in &mut next.list {
            let Some(of) = line.medium().and_then(|medium| local.usable(medium)) else { continue };
            line.direction = of.direction;
            // What was agreed stays, so that a stream with keys is not offered without.
            if !of.profiles.contains(&line.profile) {
                line.profile = of.profiles.first().copied().ok_or(Refusal::Capabilities)?;
            }
            line.numbers = line.numbers.to_offer(of.first_codecs()).ok_or(Refusal::Capabilities)?;
        }
        Ok(next)
    }

    /// Gives a medium its line: the one that it had last when it is `returning`, else one that was off `before`, else a new one.
    fn add(&mut self, medium: u8, of: &LocalMedia<'_>, before: &Self, returning: bool) -> Result<(), Refusal> {
        let held = usize::from(before.count).min(MAX_STREAMS);
        let mut off = self.list.iter().zip(&before.list).take(held);
        let had = medium.saturating_add(1);
        let place = off.position(|(now, old)| now.media == 0 && old.media == 0 && (!returning || now.last == had));
        if returning && place.is_none() {
            return Ok(());
        }
        let place = place.unwrap_or(usize::from(self.count));
        let line = self.list.get_mut(place).ok_or(Refusal::Capabilities)?;
        if line.last != had {
            *line = Line { profile: of.profiles.first().copied().unwrap_or_default(), ..Line::default() };
        }
        *line = line.with_medium(medium);
        line.remember_kind(of.kind.as_bytes());
        self.count = self.count.max((place as u8).saturating_add(1));
        self.forget_others(place);
        Ok(())
    }

    /// Forgets that the medium of this line had another one before.
    pub(super) fn forget_others(&mut self, place: usize) {
        let medium = self.list.get(place).map_or(0, |line| line.media);
        for (other, line) in self.list.iter_mut().enumerate() {
            if other != place && line.last == medium {
                line.last = 0;
            }
        }
    }

    /// Writes each line as an offer has it.
    pub(super) fn write(&self, local: &Capabilities<'_>, w: &mut Writer<'_>) {
        for place in 0..usize::from(self.count) {
            let line = self.list.get(place).copied().unwrap_or_default();
            match line.medium().and_then(|medium| local.usable(medium)) {
                Some(of) => line.write_on(of, w),
                None => line.write_off(w),
            }
        }
    }
}
