//! What an offer is answered with (RFC 3264 §6), and what an answer means (§7).

use super::agreed::{Agreed, Stream};
use super::capabilities::{Capabilities, LocalMedia, Profile};
use super::codecs::{Shared, shared_with_answer, shared_with_offer};
use super::lines::{Line, Lines};
use super::read::Section;
use super::refusal::{Refusal, Warning};
use super::write::{self, Written};
use super::{MAX_CODECS, MAX_STREAMS};
use crate::message::scan::alike;
use crate::sdp::{Attribute, Direction, Media, Medias, Session, Writer};

/// The answer to an offer, before it is written.
pub(super) struct Plan<'o> {
    pub(super) agreed: Agreed,
    pub(super) lines: Lines,
    /// The sections of the offer that can be taken, once it is decided about them, and the others.
    media: [Option<Media<'o>>; MAX_STREAMS],
    beyond: Medias<'o>,
    mids: [Option<&'o [u8]>; MAX_STREAMS],
    no_annex_b: [u8; MAX_STREAMS],
}

impl<'o> Plan<'o> {
    /// The streams of an offer, none of them taken; `current` is what has been agreed before.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    pub(super) fn new(current: &Lines, session: &Session<'o>) -> Self {
        let mut lines = Lines { count: session.media_count() as u8, ..*current };
        // A peer that leaves lines out, which RFC 3264 §8 forbids, has taken them away.
        lines.list.iter_mut().skip(session.media_count()).for_each(Line::turn_off);
        Self {
            agreed: Agreed { streams: [None; MAX_STREAMS], lines: lines.count },
            lines,
            media: [None; MAX_STREAMS],
            beyond: session.media(),
            mids: [None; MAX_STREAMS],
            no_annex_b: [0; MAX_STREAMS],
        }
    }

    /// Decides about each stream.
    ///
    /// An offer is refused when this end could take none of its streams that are on (RFC 3264 §6); the reason told is the one
    /// of a stream that came furthest.
    pub(super) fn decide(&mut self, local: &Capabilities<'_>) -> Result<(), Refusal> {
        for (place, section) in self.media.iter_mut().zip(&mut self.beyond) {
            *place = Some(section);
        }
        let more = self.beyond.clone().any(|media| !media.is_rejected());
        let mut reason = more.then_some(Warning::Miscellaneous);
        // Streams that are on keep their media; what is left is for the others.
        if self.lines.list.iter().any(|line| line.medium().is_some()) {
            self.take(local, true, &mut reason);
        }
        self.take(local, false, &mut reason);
        match reason {
            Some(warning) if self.agreed.streams().next().is_none() => Err(Refusal::NotAcceptable(warning)),
            _ => Ok(()),
        }
    }

    /// Takes streams of the offer: those that were on with the medium that they had, or the others with one that is free.
    fn take(&mut self, local: &Capabilities<'_>, on: bool, reason: &mut Option<Warning>) {
        for (place, media) in self.media.iter().enumerate() {
            let (Some(media), Some(line)) = (media, self.lines.list.get_mut(place)) else { continue };
            if self.agreed.line(place).is_some() || on && line.medium().is_none() {
                continue;
            }
            line.remember_kind(media.kind());
            let mut section = Section::new(media);
            section.read(media);
            put(&mut self.mids, place, section.mid);
            if media.is_rejected() {
                line.turn_off();
                continue;
            }
            let offered = Offered { local, media, section: &section };
            match offered.take(line, &self.agreed) {
                Ok((stream, no_annex_b)) => {
                    self.lines.forget_others(place);
                    put(&mut self.agreed.streams, place, Some(stream));
                    put(&mut self.no_annex_b, place, no_annex_b);
                }
                Err(why) => {
                    line.turn_off();
                    *reason = (*reason).max(Some(why));
                }
            }
        }
    }

    /// Writes a line for each of the offer, in its order. A `group` is not accepted, so none is written (RFC 5888 §9.2,
    /// RFC 8843 §7.3); a `mid` goes back.
    pub(super) fn write(&self, local: &Capabilities<'_>, w: &mut Writer<'_>) {
        for (place, media) in self.media.iter().enumerate() {
            let Some(media) = media else { continue };
            let stream = self.agreed.line(place);
            let line = self.lines.list.get(place);
            let mid = self.mids.get(place).copied().flatten();
            let of = stream.and_then(|stream| local.media.get(stream.media()));
            match (of, stream, line) {
                (Some(of), Some(stream), Some(line)) => write::media(
                    w,
                    of,
                    &Written {
                        proto: media.proto(),
                        payloads: stream.payloads(),
                        no_annex_b: self.no_annex_b.get(place).copied().unwrap_or(0),
                        direction: line.direction,
                        rtcp_mux: stream.rtcp_mux,
                        has_rtcp_row: !stream.rtcp_mux,
                    },
                ),
                _ => w.rejected(media),
            }
            if mid.is_some() {
                w.attribute(&Attribute { name: b"mid", value: mid });
            }
        }
        self.beyond.clone().for_each(|media| w.rejected(&media));
    }
}

/// An `m=` section of an offer that is on.
struct Offered<'p, 'o> {
    local: &'p Capabilities<'p>,
    media: &'p Media<'o>,
    section: &'p Section<'o>,
}

impl Offered<'_, '_> {
    /// Takes the stream with the medium that it has, or with the first one that fits and is in no use.
    fn take(&self, line: &mut Line, agreed: &Agreed) -> Result<(Stream, u8), Warning> {
        let mut reason = Warning::MediaType;
        let only = line.medium();
        for medium in only.into_iter().chain(0..MAX_STREAMS as u8) {
            let is_free = agreed.media(usize::from(medium)).is_none() && only.is_none_or(|only| only == medium);
            let Some(of) = self.local.usable(medium).filter(|_| is_free) else { continue };
            match self.stream(medium, of) {
                Ok((mut stream, shared)) => {
                    let theirs = self.section.direction(stream.remote.is_some());
                    stream.direction = meet(of.direction, theirs);
                    let numbers = line.numbers.answered(of.first_codecs(), &shared);
                    *line = line.with_medium(medium).agreed(stream.profile, stream.direction, numbers);
                    return Ok((stream, shared.no_annex_b));
                }
                Err(why) => reason = reason.max(why),
            }
        }
        Err(reason)
    }

    fn stream(&self, medium: u8, of: &LocalMedia<'_>) -> Result<(Stream, Shared), Warning> {
        if !alike(of.kind.as_bytes(), self.media.kind()) {
            return Err(Warning::MediaType);
        }
        let profile = Profile::parse(self.media.proto()).filter(|profile| of.profiles.contains(profile));
        let profile = profile.ok_or(Warning::TransportProtocol)?;
        if self.section.rtcp_mux_only && !of.rtcp_mux {
            return Err(Warning::Attribute);
        }
        let shared = shared_with_offer(of, self.media, self.section, self.local.prefer_own_order);
        let stream = stream(self.local, medium, of, profile, (self.media, self.section), &shared)?;
        Ok((stream, shared))
    }
}

/// What an answer to an offer with these lines means; any fault in it spoils it whole.
pub(super) fn read(
    local: &Capabilities<'_>,
    offered: &Lines,
    session: &Session<'_>,
) -> Result<(Agreed, Lines), Refusal> {
    if session.media_count() != usize::from(offered.count) {
        return Err(Refusal::Mismatch);
    }
    let mut agreed = Agreed { streams: [None; MAX_STREAMS], lines: offered.count };
    let mut lines = *offered;
    for ((place, line), media) in lines.list.iter_mut().enumerate().zip(session.media()) {
        let Some(medium) = line.medium().filter(|_| !media.is_rejected()) else {
            line.turn_off();
            continue;
        };
        let of = local.media.get(usize::from(medium)).ok_or(Refusal::Mismatch)?;
        let profile = Profile::parse(media.proto()).filter(|profile| profile.is_as_secure_as(line.profile));
        let profile = profile.filter(|_| alike(of.kind.as_bytes(), media.kind())).ok_or(Refusal::Mismatch)?;
        let mut section = Section::new(&media);
        section.read(&media);
        let shared = shared_with_answer(of, &line.numbers, &media, &section);
        let found = stream(local, medium, of, profile, (&media, &section), &shared);
        let mut found = found.map_err(|_| Refusal::Mismatch)?;
        found.direction = meet(line.direction, section.direction(found.remote.is_some()));
        put(&mut agreed.streams, place, Some(found));
    }
    Ok((agreed, lines))
}

/// The stream of a section that shares these codecs, its direction left open.
fn stream(
    local: &Capabilities<'_>,
    medium: u8,
    of: &LocalMedia<'_>,
    profile: Profile,
    (media, section): (&Media<'_>, &Section<'_>),
    shared: &Shared,
) -> Result<Stream, Warning> {
    const { assert!(MAX_CODECS <= 8, "a bit each") };
    let rtcp_mux = of.rtcp_mux && section.rtcp_mux;
    let remote = section.remote(media.port(), local.address, rtcp_mux)?;
    let (ptime, max_ptime) = section.times();
    Ok(Stream {
        media: medium,
        count: shared.count,
        payloads: shared.list,
        codec: shared.codec.ok_or(Warning::MediaFormat)?,
        events: shared.events,
        event_set: shared.events.map_or(0, |events| section.events(events.send)),
        profile,
        direction: Direction::Inactive,
        remote: remote.rtp,
        remote_rtcp: remote.rtcp,
        rtcp_mux,
        ptime,
        max_ptime,
    })
}

/// Which way media flows for this end, of what it wants and what the peer says of itself (RFC 3264 §6.1).
const fn meet(ours: Direction, theirs: Direction) -> Direction {
    Direction::new(ours.sends() && theirs.receives(), ours.receives() && theirs.sends())
}

fn put<T: Copy>(list: &mut [T; MAX_STREAMS], place: usize, value: T) {
    if let Some(slot) = list.get_mut(place) {
        *slot = value;
    }
}
