//! Two ends that offer and answer each other, and what strangers make of it on the way.

use super::{play, shown};
use arbitrary::Arbitrary;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use sip_core::sdp::offer_answer::{
    Agreed, Answer, Capabilities, Codec, LocalMedia, Negotiation, Profile, Refusal, State,
};
use sip_core::sdp::{Direction, Media, Session};

/// Room for every description of these ends.
const ROOM: usize = 8192;

const AUDIO: [Codec<'static>; 5] = [Codec::PCMU, Codec::PCMA, Codec::G722, Codec::OPUS, Codec::TELEPHONE_EVENT];
const VIDEO: [Codec<'static>; 2] = [Codec::new(97, "H264", 90_000), Codec::new(98, "VP8", 90_000)];
const PROFILES: [&[Profile]; 4] =
    [&[Profile::Avp], &[Profile::Avp, Profile::Avpf], &[Profile::Savp, Profile::Avp], &[Profile::DtlsSavp]];
const DIRECTIONS: [Direction; 4] = [Direction::SendRecv, Direction::SendOnly, Direction::RecvOnly, Direction::Inactive];

/// One offer, and what becomes of it.
#[derive(Arbitrary, Clone, Debug)]
pub struct Round {
    /// Which end offers.
    by: bool,
    /// What it can do, and what the other end can.
    can: [u16; 2],
    /// An offer of somebody else in its place, unless it is empty.
    foreign: Vec<u8>,
    /// Which octet of the offer is changed on the way, and how; not at all by zero.
    offer: (u16, u8),
    /// The same of a first answer, which a good one follows.
    answer: (u16, u8),
    /// Whether the answer is shown before it comes, and whether the request is refused in the end.
    shown_refused: (bool, bool),
}

/// What holds of offers and answers, whoever makes them: an answer fits its offer line by line, what is refused changes nothing,
/// and two ends that have heard each other agree upon the same.
///
/// # Panics
/// When it does not hold.
pub fn negotiate(rounds: &[Round]) {
    let mut ends = [Negotiation::new(1), Negotiation::new(2)];
    for round in rounds.iter().take(12) {
        let [first, second] = &mut ends;
        let (offerer, answerer) = if round.by { (second, first) } else { (first, second) };
        one_round(round, offerer, answerer);
    }
}

fn one_round(round: &Round, offerer: &mut Negotiation, answerer: &mut Negotiation) {
    let codecs = round.can.map(codecs);
    let media = [media(round.can[0], &codecs[0], 4000), media(round.can[1], &codecs[1], 5000)];
    let places = [place(round.can[0], 1), place(round.can[1], 2)];
    let (local, remote) = (Capabilities::new(places[0], &media[0]), Capabilities::new(places[1], &media[1]));
    let mut room = vec![0; ROOM];
    let offered = if round.foreign.is_empty() {
        match offer(offerer, &local, &mut room) {
            Some(length) => room[..length].to_vec(),
            None => return,
        }
    } else {
        round.foreign.clone()
    };
    let (at, change) = round.offer;
    let arrived = play::changed(&offered, at, change);
    let answer = answer(answerer, &remote, &arrived, &mut room);
    let Some(answer) = answer.filter(|_| !round.shown_refused.1) else {
        answerer.rollback();
        return back(offerer);
    };
    let text = &room[..answer.length];
    answerer.answer_sent();
    assert_eq!((answerer.state(), answerer.is_agreed()), (State::Stable, true));
    if !round.foreign.is_empty() {
        return;
    }
    if round.shown_refused.0 {
        let shown = offerer.receive_preview(&local, text);
        assert_eq!(offerer.state(), State::HaveLocalOffer, "{shown:?}");
    }
    let (at, change) = round.answer;
    let bad = play::changed(text, at, change);
    if bad != text && refuses(offerer, |offerer| offerer.receive_answer(&local, &bad).map(|_| ())).is_none() {
        // What was changed mattered to nobody here, and it was the answer.
        return;
    }
    match offerer.receive_answer(&local, text) {
        Ok(agreed) => {
            if arrived == offered {
                same(&agreed, &answer.agreed);
            }
        }
        // An answer to another offer than the one that was made.
        Err(refusal) => {
            assert!(arrived != offered, "{refusal:?}: {} to {}", shown(text), shown(&offered));
            return back(offerer);
        }
    }
    let again = refuses(offerer, |offerer| offerer.receive_answer(&local, text).map(|_| ()));
    assert_eq!(again, Some(Refusal::NoOffer), "an answer that comes twice");
}

/// What an input is refused with, which has changed nothing; `None` when it is taken.
fn refuses(end: &mut Negotiation, input: impl FnOnce(&mut Negotiation) -> Result<(), Refusal>) -> Option<Refusal> {
    let before = *end;
    let refusal = input(end).err()?;
    assert_eq!(*end, before, "{refusal:?} has changed something");
    Some(refusal)
}

/// The offer that is out is void, and what was agreed before holds.
fn back(end: &mut Negotiation) {
    let agreed = end.is_agreed();
    end.rollback();
    assert_eq!((end.state(), end.is_agreed()), (State::Stable, agreed));
}

/// Makes an offer, if these capabilities make one.
fn offer(end: &mut Negotiation, local: &Capabilities<'_>, room: &mut [u8]) -> Option<usize> {
    let (before, version) = (*end, end.version());
    let mut small = [0; 60];
    let full = end.offer(local, &mut small);
    assert!(full.is_err() && *end == before, "{full:?} in a room too small");
    match end.offer(local, room) {
        Ok(length) => {
            let session = Session::parse(&room[..length]);
            assert!(session.is_ok(), "{session:?} in {}", shown(&room[..length]));
            assert!((version..=version + 1).contains(&end.version()), "version {} after {version}", end.version());
            assert_eq!(end.state(), State::HaveLocalOffer);
            Some(length)
        }
        Err(refusal) => {
            assert_eq!((refusal, *end), (Refusal::Capabilities, before));
            None
        }
    }
}

/// Answers an offer, if it can be answered.
fn answer(end: &mut Negotiation, local: &Capabilities<'_>, offer: &[u8], room: &mut [u8]) -> Option<Answer> {
    let (before, version) = (*end, end.version());
    let preview = end.preview_offer(local, offer);
    assert_eq!(*end, before);
    match end.receive_offer(local, offer, room) {
        Ok(answer) => {
            assert_eq!(preview, Ok(answer.agreed), "to {}", shown(offer));
            assert!((version..=version + 1).contains(&end.version()), "version {} after {version}", end.version());
            fits(offer, &room[..answer.length], &answer.agreed);
            Some(answer)
        }
        Err(refusal) => {
            assert_eq!(*end, before, "{refusal:?} has changed something");
            assert!(matches!(refusal.status(), Some(400 | 488)), "{refusal:?} to {}", shown(offer));
            None
        }
    }
}

/// An answer has the lines of its offer in their order, and accepts nothing that was not offered (RFC 3264 §6).
fn fits(offer: &[u8], answer: &[u8], agreed: &Agreed) {
    let parse = |text| Session::parse(text).unwrap_or_else(|error| panic!("{error:?} in {}", shown(text)));
    let (asked, said) = (parse(offer), parse(answer));
    let lines = |session: &Session<'_>| {
        session.media().map(|line| (line.kind().to_ascii_lowercase(), line.proto().to_ascii_lowercase())).collect()
    };
    let (asked_lines, said_lines): (Vec<_>, Vec<_>) = (lines(&asked), lines(&said));
    assert_eq!(said_lines, asked_lines, "{} to {}", shown(answer), shown(offer));
    assert_eq!(agreed.line_count(), said.media_count());
    for (place, (theirs, ours)) in asked.media().zip(said.media()).enumerate() {
        let stream = agreed.line(place);
        assert_eq!(stream.is_some(), ours.port() != 0, "line {place} of {}", shown(answer));
        if let Some(stream) = stream {
            assert!(theirs.port() != 0, "line {place} is on, which was off: {}", shown(offer));
            let (asked, said) = (theirs.direction(), ours.direction());
            let fit = (!said.sends() || asked.receives()) && (!said.receives() || asked.sends());
            assert!(fit, "{} to {}", shown(answer), shown(offer));
            // A payload type is a number: 00 is 0.
            let number = |format: &[u8]| core::str::from_utf8(format).ok()?.parse::<u8>().ok();
            let formats = |line: &Media<'_>| line.formats().map(number).collect::<Vec<_>>();
            let (theirs, ours) = (formats(&theirs), formats(&ours));
            assert!(ours.iter().all(|format| theirs.contains(format)), "{} to {}", shown(answer), shown(offer));
            assert!(stream.payloads().contains(&stream.codec));
        }
    }
}

/// Both ends have agreed upon the same, each from its side.
fn same(one: &Agreed, other: &Agreed) {
    assert_eq!(one.line_count(), other.line_count());
    for place in 0..one.line_count() {
        let (Some(one), Some(other)) = (one.line(place), other.line(place)) else {
            assert_eq!(one.line(place), other.line(place), "line {place}");
            continue;
        };
        assert_eq!(
            (one.direction.sends(), one.direction.receives()),
            (other.direction.receives(), other.direction.sends())
        );
        assert_eq!((one.codec.send, one.profile, one.rtcp_mux), (other.codec.receive, other.profile, other.rtcp_mux));
        let count = |end: &sip_core::sdp::offer_answer::Stream| end.payloads().len();
        assert_eq!(count(one), count(other));
        for payload in one.payloads() {
            assert_eq!(other.received(payload.send).map(|known| known.send), Some(payload.receive));
        }
    }
}

/// The codecs of audio that these bits name, in one of two orders; one at least, for a medium without any is none.
fn codecs(bits: u16) -> Vec<Codec<'static>> {
    let mut chosen: Vec<_> =
        AUDIO.into_iter().enumerate().filter(|(place, _)| bits >> place & 1 == 1).map(|(_, codec)| codec).collect();
    if chosen.is_empty() {
        chosen.push(Codec::PCMU);
    }
    if bits & 32 != 0 {
        chosen.reverse();
    }
    chosen
}

/// One or two media that these bits name.
fn media<'a>(bits: u16, codecs: &'a [Codec<'static>], port: u16) -> Vec<LocalMedia<'a>> {
    let audio = LocalMedia {
        direction: DIRECTIONS[usize::from(bits >> 6 & 3)],
        profiles: PROFILES[usize::from(bits >> 8 & 3)],
        rtcp_mux: bits >> 10 & 1 == 1,
        port: if bits >> 11 & 3 == 3 { 0 } else { port },
        ptime: bits >> 13 & 1,
        ..LocalMedia::audio(port, codecs)
    };
    let video = LocalMedia { kind: "video", ..LocalMedia::audio(port + 2, &VIDEO) };
    if bits >> 14 & 1 == 1 { vec![audio, video] } else { vec![audio] }
}

fn place(bits: u16, last: u8) -> IpAddr {
    if bits >> 15 == 1 {
        Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last.into()).into()
    } else {
        Ipv4Addr::new(192, 0, 2, last).into()
    }
}
