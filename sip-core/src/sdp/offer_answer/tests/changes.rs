//! Sessions that change: versions, holds, streams that come and go, numbers, offers that fail, early answers, forks.

use super::*;

const CODECS: [Codec<'_>; 3] = [Codec::PCMA, Codec::OPUS, Codec::TELEPHONE_EVENT];

fn audio() -> LocalMedia<'static> {
    LocalMedia::audio(4000, &CODECS)
}

fn audio_to(direction: Direction) -> [LocalMedia<'static>; 1] {
    [LocalMedia { direction, ..audio() }]
}

fn video() -> LocalMedia<'static> {
    const VIDEO: &[Codec<'_>] = &[Codec::new(96, "VP8", 90000)];
    LocalMedia { kind: "video", ..LocalMedia::audio(4002, VIDEO) }
}

/// What the last description says the version is.
fn version(end: &End) -> u32 {
    let origin = Session::parse(end.last.as_bytes()).unwrap().origin();
    assert_eq!((origin.session_id, origin.address), (1, HERE.as_bytes()));
    assert_eq!(origin.version, u64::from(end.negotiation.version()));
    end.negotiation.version()
}

#[test]
fn the_version_rises_by_one_and_with_change_only() {
    let mut end = End::new();
    let offer = theirs("m=audio 5000 RTP/AVP 8\n");
    end.answer(&[audio()], &offer).unwrap();
    assert_eq!(version(&end), 1);
    // The peer refreshes, and asks for what it has.
    end.answer(&[audio()], &offer).unwrap();
    assert_eq!(version(&end), 1);
    // Another direction, port and address each.
    end.answer(&audio_to(Direction::SendOnly), &offer).unwrap();
    assert_eq!(version(&end), 2);
    end.answer(&[LocalMedia { port: 4004, ..audio() }], &offer).unwrap();
    assert_eq!(version(&end), 3);
    let mut buffer = [0; 512];
    let moved = [LocalMedia { port: 4004, ..audio() }];
    let elsewhere = Capabilities::new("192.0.2.2".parse().unwrap(), &moved);
    end.negotiation.receive_offer(&elsewhere, &offer, &mut buffer).unwrap();
    assert_eq!(end.negotiation.version(), 4);
    // The version grows in length with the tenth.
    end.negotiation.answer_sent();
    for count in 5..=30 {
        let direction = if count % 2 == 0 { Direction::SendRecv } else { Direction::RecvOnly };
        end.answer(&audio_to(direction), &offer).unwrap();
        assert_eq!(version(&end), count);
    }
}

#[test]
fn an_attribute_that_media_fills_in_is_written_and_counts_as_a_change() {
    let offer = theirs("m=audio 5000 RTP/AVP 8\n");
    let mut end = End::new();
    for (expected, password) in [(1, &b"one"[..]), (1, b"one"), (2, b"two")] {
        let rows = [
            crate::sdp::Attribute { name: b"ice-pwd", value: Some(password) },
            crate::sdp::Attribute { name: b"end-of-candidates", value: None },
        ];
        let media = [LocalMedia { attributes: &rows, ..audio() }];
        end.answer(&media, &offer).unwrap();
        assert_eq!(version(&end), expected);
        let row = format!("a=ice-pwd:{}\r\na=end-of-candidates\r\n", core::str::from_utf8(password).unwrap());
        assert!(end.last.contains(&row), "{}", end.last);
    }
    let rows = [crate::sdp::Attribute { name: b"ice-lite", value: None }];
    let mut buffer = [0; 512];
    let local = Capabilities { attributes: &rows, ..here(&[]) };
    let length = Negotiation::new(1).offer(&local, &mut buffer).unwrap();
    assert!(buffer[..length].ends_with(b"t=0 0\r\na=ice-lite\r\n"));
}

#[test]
fn directions_meet() {
    use Direction::{Inactive, RecvOnly, SendOnly, SendRecv};
    let directions = [SendRecv, SendOnly, RecvOnly, Inactive];
    for ours in directions {
        for (theirs_is, address) in directions.into_iter().flat_map(|one| [(one, "192.0.2.9"), (one, "0.0.0.0")]) {
            let sends = ours.sends() && theirs_is.receives() && address != "0.0.0.0";
            let expected = Direction::new(sends, ours.receives() && theirs_is.sends());
            let rows = format!("m=audio 5000 RTP/AVP 8\nc=IN IP4 {address}\na={theirs_is}\n");
            // As an offer, answered with what holds.
            let mut end = End::new();
            let agreed = end.answer(&audio_to(ours), &theirs(&rows)).unwrap();
            assert_eq!(agreed.media(0).unwrap().direction, expected, "{ours} {rows}");
            assert!(end.last.ends_with(&format!("a={expected}\r\n")));
            assert_eq!(agreed.is_held(), !expected.sends());
            // As an answer, even one that the offer does not allow.
            let mut end = End::new();
            end.offer(&audio_to(ours)).unwrap();
            assert!(end.last.ends_with(&format!("a={ours}\r\n")));
            let agreed = end.receive_answer(&audio_to(ours), &theirs(&rows)).unwrap();
            assert_eq!(agreed.media(0).unwrap().direction, expected, "{ours} {rows}");
        }
    }
    // Said for the whole session, a direction holds where the media says none.
    let session =
        theirs("a=sendonly\nm=audio 5000 RTP/AVP 8\nm=video 5002 RTP/AVP 96\na=rtpmap:96 VP8/90000\na=inactive\n");
    let agreed = End::new().answer(&[audio(), video()], &session).unwrap();
    let found: Vec<_> = agreed.streams().map(|stream| stream.direction).collect();
    assert_eq!(found, [RecvOnly, Inactive]);
}

#[test]
fn both_ends_hold_and_one_after_the_other_resumes() {
    let sound = |direction: &str| theirs(&format!("m=audio 5000 RTP/AVP 8\na={direction}\n"));
    let mut end = End::new();
    end.answer(&[audio()], &sound("sendrecv")).unwrap();
    // The peer holds, then this end does. Each says what it wants and is told what the other one wants.
    assert!(end.answer(&[audio()], &sound("sendonly")).unwrap().is_held());
    end.offer(&audio_to(Direction::SendOnly)).unwrap();
    let agreed = end.receive_answer(&audio_to(Direction::SendOnly), &sound("inactive")).unwrap();
    assert_eq!(agreed.media(0).unwrap().direction, Direction::Inactive);
    // The peer resumes while this end still holds.
    let agreed = end.answer(&audio_to(Direction::SendOnly), &sound("sendrecv")).unwrap();
    assert_eq!(agreed.media(0).unwrap().direction, Direction::SendOnly);
    assert!(end.last.ends_with("a=sendonly\r\n"));
    // This end resumes.
    end.offer(&[audio()]).unwrap();
    let agreed = end.receive_answer(&[audio()], &sound("sendrecv")).unwrap();
    assert_eq!(agreed.media(0).unwrap().direction, Direction::SendRecv);
}

#[test]
fn lines_keep_their_places_and_are_used_again() {
    let map = "a=rtpmap:96 VP8/90000\n";
    let mut end = End::new();
    // A fax, a video and two audios are offered; this end has one audio.
    let offer = format!(
        "m=image 5008 udptl t38\nm=video 5002 RTP/AVP 96\n{map}a=mid:v\nm=audio 5000 RTP/AVP 8\nm=audio 5004 RTP/AVP 8\n"
    );
    end.answer(&[audio()], &theirs(&offer)).unwrap();
    let refused = ["m=image 0 udptl t38", "m=video 0 RTP/AVP 96"];
    assert_eq!(end.heads()[..2], refused);
    assert_eq!(end.heads()[2..], ["m=audio 4000 RTP/AVP 8", "m=audio 0 RTP/AVP 8"]);
    // A video of this end's takes the first line that was off.
    end.offer(&[audio(), video()]).unwrap();
    let heads =
        ["m=video 4002 RTP/AVP 96", "m=video 0 RTP/AVP 0", "m=audio 4000 RTP/AVP 8 111 101", "m=audio 0 RTP/AVP 0"];
    assert_eq!(end.heads(), heads);
    let answer =
        format!("m=video 5002 RTP/AVP 96\n{map}m=video 0 RTP/AVP 0\nm=audio 5000 RTP/AVP 8\nm=audio 0 RTP/AVP 0\n");
    let agreed = end.receive_answer(&[audio(), video()], &theirs(&answer)).unwrap();
    assert_eq!((agreed.line(0).unwrap().media(), agreed.line(2).unwrap().media()), (1, 0));
    // The audio is taken away and comes back to its place.
    let silent = [LocalMedia { port: 0, ..audio() }, video()];
    end.offer(&silent).unwrap();
    assert_eq!(end.heads()[2], "m=audio 0 RTP/AVP 0");
    let answer =
        format!("m=video 5002 RTP/AVP 96\n{map}m=video 0 RTP/AVP 0\nm=audio 0 RTP/AVP 0\nm=audio 0 RTP/AVP 0\n");
    assert_eq!(end.receive_answer(&silent, &theirs(&answer)).unwrap().streams().count(), 1);
    end.offer(&[audio(), video()]).unwrap();
    assert_eq!(end.heads(), heads);
    end.negotiation.rollback();
    // The peer puts its second audio back on: the one of this end is free for it.
    let offer =
        format!("m=image 0 udptl t38\nm=video 5002 RTP/AVP 96\n{map}m=audio 0 RTP/AVP 8\nm=audio 5004 RTP/AVP 8\n");
    end.answer(&[audio()], &theirs(&offer)).unwrap();
    assert_eq!(end.heads()[3], "m=audio 4000 RTP/AVP 8");
}

#[test]
fn a_stream_keeps_its_medium_when_an_earlier_line_comes_on() {
    let mut end = End::new();
    end.answer(&[audio()], &theirs("m=audio 0 RTP/AVP 8\nm=audio 5000 RTP/AVP 8\n")).unwrap();
    let agreed = end.answer(&[audio()], &theirs("m=audio 5008 RTP/AVP 8\nm=audio 5000 RTP/AVP 8\n")).unwrap();
    assert_eq!(end.heads(), ["m=audio 0 RTP/AVP 8", "m=audio 4000 RTP/AVP 8"]);
    assert_eq!(agreed.media(0).unwrap().remote.unwrap().port(), 5000);
}

#[test]
fn a_stream_that_is_off_stays_off_and_refuses_nothing() {
    let mut end = End::new();
    end.answer(&[audio()], &theirs("m=audio 0 RTP/AVP 8 0\n")).unwrap();
    assert_eq!(end.heads(), ["m=audio 0 RTP/AVP 8 0"]);
    // What is offered beside it has to be taken nevertheless.
    let offer = theirs("m=audio 0 RTP/AVP 8\nm=video 2 RTP/AVP 96\n");
    assert_eq!(end.answer(&[audio()], &offer), Err(Refusal::NotAcceptable(Warning::MediaType)));
}

#[test]
fn bundled_lines_are_answered_without_a_group() {
    // RFC 8843 §7.3: no group in the answer, mids as they came; what is there for the bundle alone has port 0 already.
    let offer = theirs(
        "a=group:BUNDLE a v\nm=audio 5000 RTP/AVP 8\na=mid:a\na=rtcp-mux\nm=video 0 RTP/AVP 96\na=mid:v\na=bundle-only\n",
    );
    let mut end = End::new();
    end.answer(&[audio()], &offer).unwrap();
    assert!(!end.last.contains("group") && !end.last.contains("rtcp-mux"), "{}", end.last);
    assert!(end.last.ends_with("a=sendrecv\r\na=mid:a\r\nm=video 0 RTP/AVP 96\r\na=mid:v\r\n"), "{}", end.last);
}

#[test]
fn numbers_are_those_of_the_offer_and_stay() {
    let mut end = End::new();
    let media = [audio()];
    let offer = |opus: u8, event: u8| {
        let maps = format!("a=rtpmap:{opus} opus/48000/2\na=rtpmap:{event} telephone-event/8000\n");
        theirs(&format!("m=audio 5000 RTP/AVP {opus} 8 {event}\n{maps}"))
    };
    let agreed = end.answer(&media, &offer(96, 97)).unwrap();
    assert_eq!(numbers(agreed.media(0).unwrap()), (vec![96, 8, 97], vec![96, 8, 97]));
    // In an offer of this end, too.
    end.offer(&media).unwrap();
    assert_eq!(end.heads(), ["m=audio 4000 RTP/AVP 8 96 97"]);
    // The answer may call them otherwise: sent are its numbers, received are ours.
    let answer = theirs("m=audio 5000 RTP/AVP 120 8\na=rtpmap:120 opus/48000/2\n");
    let agreed = end.receive_answer(&media, &answer).unwrap();
    assert_eq!(numbers(agreed.media(0).unwrap()), (vec![120, 8], vec![96, 8]));
    // The peer changes its numbers, even exchanges them: it is followed.
    let agreed = end.answer(&media, &offer(97, 96)).unwrap();
    assert_eq!(numbers(agreed.media(0).unwrap()), (vec![97, 8, 96], vec![97, 8, 96]));
    // An answer without maps means what the offer has called so.
    end.offer(&media).unwrap();
    assert_eq!(end.heads(), ["m=audio 4000 RTP/AVP 8 97 96"]);
    let agreed = end.receive_answer(&media, &theirs("m=audio 5000 RTP/AVP 97 96\n")).unwrap();
    let stream = agreed.media(0).unwrap();
    assert_eq!((stream.codec.codec, stream.events.unwrap().codec), (1, 2));
}

#[test]
fn a_number_that_stands_for_another_codec_is_not_offered_twice() {
    let codecs = [Codec::PCMA, Codec::new(96, "iLBC", 8000), Codec { payload_type: 97, ..Codec::OPUS }];
    let media = [LocalMedia::audio(4000, &codecs)];
    let mut end = End::new();
    // The peer calls Opus what this end calls iLBC.
    end.answer(&media, &theirs("m=audio 5000 RTP/AVP 96\na=rtpmap:96 opus/48000/2\n")).unwrap();
    let offer = end.offer(&media).unwrap();
    assert!(offer.starts_with("m=audio 4000 RTP/AVP 8 127 96\n"), "{offer}");
    assert!(offer.contains("a=rtpmap:127 iLBC/8000\na=rtpmap:96 opus/48000/2\n"), "{offer}");
}

#[test]
fn an_order_of_ones_own() {
    let offer = theirs("m=audio 5000 RTP/AVP 101 96 8\na=rtpmap:96 opus/48000/2\na=rtpmap:101 telephone-event/8000\n");
    let media = [audio()];
    for (prefer_own_order, expected, codec) in [(false, vec![101, 96, 8], 96), (true, vec![8, 96, 101], 8)] {
        let local = Capabilities { prefer_own_order, ..here(&media) };
        let mut buffer = [0; 512];
        let answer = Negotiation::new(1).receive_offer(&local, &offer, &mut buffer).unwrap();
        let stream = answer.agreed.media(0).unwrap();
        assert_eq!((numbers(stream).0, stream.codec.send), (expected, codec));
    }
}

#[test]
fn a_failed_offer_changes_nothing_but_the_version() {
    let mut end = End::new();
    end.answer(&[audio()], &theirs("m=audio 5000 RTP/AVP 8\n")).unwrap();
    let before = end.negotiation;
    end.offer(&[audio(), video()]).unwrap();
    assert_eq!((end.heads().len(), version(&end)), (2, 2));
    end.negotiation.rollback();
    assert_eq!((end.state(), end.negotiation.current), (State::Stable, before.current));
    // The same once more is no change; what was before is one.
    end.offer(&[audio(), video()]).unwrap();
    assert_eq!(version(&end), 2);
    end.negotiation.rollback();
    end.offer(&[audio()]).unwrap();
    assert_eq!((end.heads().len(), version(&end)), (1, 3));
    // An offer of the peer that is given up: its lines are forgotten, too.
    end.negotiation.rollback();
    end.prepare(&[audio()], &theirs("m=audio 5000 RTP/AVP 8\nm=video 0 RTP/AVP 96\n")).unwrap();
    end.negotiation.rollback();
    end.offer(&[audio()]).unwrap();
    assert_eq!(end.heads().len(), 1);
}

#[test]
fn a_bad_answer_in_a_183_and_then_a_good_one() {
    // As CVE-2021-21375 has it: after an answer that could not be negotiated the next one found half a session.
    let mut end = End::new();
    end.offer(&[audio()]).unwrap();
    let offered = end.negotiation;
    let preview = |end: &mut End, text: &[u8]| end.negotiation.receive_preview(&here(&[audio()]), text);
    for bad in
        ["", "m=audio 5000 RTP/AVP 9\n", "m=video 5000 RTP/AVP 8\n", "m=audio 5000 RTP/AVP 8\nm=audio 0 RTP/AVP 8\n"]
    {
        assert_eq!(preview(&mut end, &theirs(bad)), Err(Refusal::Mismatch), "{bad}");
        assert_eq!(end.negotiation, offered);
    }
    assert!(matches!(preview(&mut end, b"\r\n"), Err(Refusal::Malformed(_))));
    let good = theirs("m=audio 5000 RTP/AVP 8\n");
    let early = preview(&mut end, &good).unwrap();
    let agreed = end.receive_answer(&[audio()], &good).unwrap();
    assert_eq!((early, end.state()), (agreed, State::Stable));
    // A further one is ignored, also when it differs (RFC 3261 §13.2.1).
    let other = theirs("m=audio 6000 RTP/AVP 111\na=rtpmap:111 opus/48000/2\n");
    assert_eq!(end.receive_answer(&[audio()], &other), Err(Refusal::NoOffer));
}

#[test]
fn an_answer_that_was_shown_holds_when_the_2xx_has_none() {
    let media = [audio(), video()];
    let mut end = End::new();
    end.offer(&media).unwrap();
    assert_eq!(end.negotiation.accept_preview(), Err(Refusal::Mismatch));
    let shown = theirs("m=audio 5000 RTP/AVP 8\nm=video 0 RTP/AVP 96\n");
    end.negotiation.receive_preview(&here(&media), &shown).unwrap();
    let mut other = end.clone();
    assert_eq!(end.negotiation.accept_preview(), Ok(()));
    other.receive_answer(&media, &shown).unwrap();
    assert_eq!(end.negotiation, other.negotiation);
    // What the 2xx says instead counts, line by line.
    let mut end = End::new();
    end.offer(&media).unwrap();
    end.negotiation.receive_preview(&here(&media), &shown).unwrap();
    let other = theirs("m=audio 0 RTP/AVP 8\nm=video 5002 RTP/AVP 96\na=rtpmap:96 VP8/90000\n");
    let agreed = end.receive_answer(&media, &other).unwrap();
    assert!(agreed.media(0).is_none() && agreed.media(1).is_some());
}

#[test]
fn forks_negotiate_each_for_itself() {
    let mut first = End::new();
    first.offer(&[audio()]).unwrap();
    let mut second = first.clone();
    let agreed = first.receive_answer(&[audio()], &theirs("m=audio 5000 RTP/AVP 8\n")).unwrap();
    let opus = "m=audio 6000 RTP/AVP 120\na=rtpmap:120 opus/48000/2\na=sendonly\n";
    let other = second.receive_answer(&[audio()], &theirs(opus)).unwrap();
    assert_eq!((agreed.media(0).unwrap().codec.send, other.media(0).unwrap().codec.send), (8, 120));
    // One of them is changed later; the other's version stays.
    first.offer(&audio_to(Direction::SendOnly)).unwrap();
    assert_eq!((version(&first), version(&second)), (2, 1));
}

#[test]
fn capabilities_that_can_not_be_offered_are_refused() {
    let codecs = [Codec::PCMA, Codec { payload_type: 8, ..Codec::OPUS }];
    let beyond = [Codec { payload_type: 128, ..Codec::OPUS }];
    let none: [Profile; 0] = [];
    for media in [
        vec![audio(); MAX_STREAMS + 1],
        vec![LocalMedia::audio(4000, &codecs)],
        vec![LocalMedia::audio(4000, &beyond)],
        vec![LocalMedia { profiles: &none, ..audio() }],
    ] {
        assert_eq!(End::new().offer(&media), Err(Refusal::Capabilities));
    }
    // Without a codec, with a text that breaks a line, or into a buffer that is too small.
    let injected = [Codec { fmtp: "0-15\r\nm=audio", ..Codec::TELEPHONE_EVENT }];
    for media in [[LocalMedia::audio(4000, &[])], [LocalMedia::audio(4000, &injected)]] {
        assert!(matches!(End::new().offer(&media), Err(Refusal::Write(_))));
    }
    let mut end = End::new();
    end.offer(&[audio()]).unwrap();
    let whole = end.last.len();
    for size in 0..whole {
        let (mut machine, mut buffer) = (Negotiation::new(1), vec![0; size]);
        assert!(matches!(machine.offer(&here(&[audio()]), &mut buffer), Err(Refusal::Write(_))));
        assert_eq!(machine, Negotiation::new(1));
    }
    // Lines that are off already are not enough for a fifth medium.
    let mut end = End::new();
    end.answer(&[audio()], &theirs(&"m=audio 5000 RTP/AVP 8\n".repeat(6))).unwrap();
    assert_eq!(end.heads().len(), 6);
    end.offer(&[audio()]).unwrap();
    assert_eq!(end.heads().len(), 6);
}
