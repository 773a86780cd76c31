//! The exchanges that RFC 3264 §10 and RFC 4317 describe, with what each makes both ends send and receive. The texts are
//! of our own writing; what is kept are streams, codecs, numbers and directions.

use super::*;

const ILBC: Codec<'_> = Codec::new(97, "iLBC", 8000);
const H261: Codec<'_> = Codec::new(31, "H261", 90000);
const MPV: Codec<'_> = Codec::new(32, "MPV", 90000);
const G723: Codec<'_> = Codec::new(4, "G723", 8000);
const GSM: Codec<'_> = Codec::new(110, "GSM", 8000);

fn audio<'a>(port: u16, codecs: &'a [Codec<'a>]) -> LocalMedia<'a> {
    LocalMedia::audio(port, codecs)
}

fn video<'a>(port: u16, codecs: &'a [Codec<'a>]) -> LocalMedia<'a> {
    LocalMedia { kind: "video", ..LocalMedia::audio(port, codecs) }
}

/// Both ends of a call. Each step says who offers, and what the answer's `m=` lines are.
struct Pair {
    alice: End,
    bob: End,
}

impl Pair {
    fn new() -> Self {
        Self { alice: End::new(), bob: End { negotiation: Negotiation::new(2), last: String::new() } }
    }

    /// Alice offers, Bob answers.
    fn offer(&mut self, alice: &[LocalMedia<'_>], bob: &[LocalMedia<'_>]) -> (Agreed, Agreed) {
        exchange(&mut self.alice, alice, &mut self.bob, bob)
    }

    /// Bob offers, Alice answers.
    fn offer_back(&mut self, alice: &[LocalMedia<'_>], bob: &[LocalMedia<'_>]) -> (Agreed, Agreed) {
        let (bobs, alices) = exchange(&mut self.bob, bob, &mut self.alice, alice);
        (alices, bobs)
    }
}

fn exchange(one: &mut End, ones: &[LocalMedia<'_>], other: &mut End, others: &[LocalMedia<'_>]) -> (Agreed, Agreed) {
    one.offer(ones).unwrap();
    let at_other = other.answer(others, one.last.as_bytes()).unwrap();
    let at_one = one.receive_answer(ones, other.last.as_bytes()).unwrap();
    assert_eq!((one.state(), other.state()), (State::Stable, State::Stable));
    (at_one, at_other)
}

#[test]
fn rfc3264_10_1_a_stream_refused_then_one_added() {
    // Audio in three codecs and two videos; the answer takes one of each and refuses the last.
    let offer = theirs(
        "m=audio 49170 RTP/AVP 0 8 97\na=rtpmap:0 PCMU/8000\na=rtpmap:8 PCMA/8000\na=rtpmap:97 iLBC/8000\n\
         m=video 51372 RTP/AVP 31 32\na=rtpmap:31 H261/90000\na=rtpmap:32 MPV/90000\n",
    );
    let media = [audio(49920, &[Codec::PCMU])];
    let mut bob = End::new();
    let agreed = bob.answer(&media, &offer).unwrap();
    assert_eq!(bob.heads(), ["m=audio 49920 RTP/AVP 0", "m=video 0 RTP/AVP 31 32"]);
    assert_eq!((agreed.line_count(), agreed.streams().count()), (2, 1));
    assert!(agreed.line(1).is_none() && agreed.media(0).unwrap().codec.send == 0);
    // Later Bob moves his audio and adds one that is received only.
    let both = [audio(65422, &[Codec::PCMU]), audio(51434, &[GSM])];
    let both = [both[0], LocalMedia { direction: Direction::RecvOnly, ..both[1] }];
    bob.offer(&both).unwrap();
    // The second takes the line that was refused; it may be of any kind (§8.1).
    assert_eq!(bob.heads(), ["m=audio 65422 RTP/AVP 0", "m=audio 51434 RTP/AVP 110"]);
    let answer = theirs("m=audio 49170 RTP/AVP 0\nm=audio 53122 RTP/AVP 110\na=rtpmap:110 gsm/8000\na=sendonly\n");
    let agreed = bob.receive_answer(&both, &answer).unwrap();
    let second = agreed.media(1).unwrap();
    assert_eq!((second.direction, second.codec.send), (Direction::RecvOnly, 110));
    assert_eq!(second.remote, Some("192.0.2.9:53122".parse().unwrap()));
}

#[test]
fn rfc3264_10_2_one_of_n_codecs() {
    // Four codecs that are offered inactive; the answer takes two; a second offer settles on one that flows.
    let codecs = [Codec::PCMU, G723, Codec::G729, ILBC];
    let alice = [LocalMedia { direction: Direction::Inactive, ..audio(62986, &codecs) }];
    let bob = [audio(54344, &[Codec::PCMU, G723])];
    let mut pair = Pair::new();
    let (at_alice, at_bob) = pair.offer(&alice, &bob);
    assert_eq!(pair.bob.heads(), ["m=audio 54344 RTP/AVP 0 4"]);
    for agreed in [at_alice, at_bob] {
        assert_eq!(agreed.media(0).unwrap().direction, Direction::Inactive);
    }
    let one = [audio(62986, &codecs[1..2])];
    let (at_alice, at_bob) = pair.offer(&one, &bob);
    assert_eq!(pair.bob.heads(), ["m=audio 54344 RTP/AVP 4"]);
    assert_eq!(at_alice.media(0).unwrap().direction, Direction::SendRecv);
    assert_eq!((at_bob.media(0).unwrap().codec.send, pair.alice.negotiation.version()), (4, 2));
}

#[test]
fn rfc4317_2_1_and_2_2_codecs_in_common() {
    let (three, two) = ([Codec::PCMU, Codec::PCMA, ILBC], [H261, MPV]);
    let alice = [audio(49170, &three), video(51372, &two)];
    // 2.1: one codec of each.
    let mut pair = Pair::new();
    let bob = [audio(49174, &[Codec::PCMU]), video(49170, &[MPV])];
    let (at_alice, at_bob) = pair.offer(&alice, &bob);
    assert_eq!(pair.bob.heads(), ["m=audio 49174 RTP/AVP 0", "m=video 49170 RTP/AVP 32"]);
    assert_eq!(numbers(at_alice.media(0).unwrap()), (vec![0], vec![0]));
    assert_eq!(numbers(at_bob.media(1).unwrap()), (vec![32], vec![32]));
    // 2.2: several in the answer; the first of them is sent, all are received.
    let mut pair = Pair::new();
    let bob = [audio(49172, &[ILBC, Codec::PCMU])];
    let (at_alice, _) = pair.offer(&alice, &bob);
    assert_eq!(pair.bob.heads(), ["m=audio 49172 RTP/AVP 0 97", "m=video 0 RTP/AVP 31 32"]);
    let stream = at_alice.media(0).unwrap();
    assert_eq!((stream.codec.send, numbers(stream).1), (0, vec![0, 97]));
    assert!(at_alice.media(1).is_none());
    // A second offer narrows it down to one.
    let narrow = [audio(51372, &three[2..]), LocalMedia { port: 0, ..alice[1] }];
    pair.offer(&narrow, &bob);
    assert_eq!(pair.alice.heads(), ["m=audio 51372 RTP/AVP 97", "m=video 0 RTP/AVP 0"]);
    assert_eq!(pair.bob.heads(), ["m=audio 49172 RTP/AVP 97", "m=video 0 RTP/AVP 0"]);
}

#[test]
fn rfc4317_2_3_each_end_has_numbers_of_its_own() {
    let (three, two) = ([Codec::PCMU, Codec::PCMA, ILBC], [H261, MPV]);
    let alice = [audio(49170, &three), video(51372, &two)];
    let mut end = End::new();
    end.offer(&alice).unwrap();
    let answer =
        theirs("m=audio 49172 RTP/AVP 99\na=rtpmap:99 iLBC/8000\nm=video 51374 RTP/AVP 31\na=rtpmap:31 H261/90000\n");
    let agreed = end.receive_answer(&alice, &answer).unwrap();
    let stream = agreed.media(0).unwrap();
    assert_eq!(stream.codec, Payload { codec: 2, send: 99, receive: 97 });
    assert_eq!((stream.received(97), stream.received(99)), (Some(stream.codec), None));
    assert_eq!(agreed.media(1).unwrap().codec.send, 31);
}

#[test]
fn rfc4317_2_4_and_3_2_a_stream_for_events_alone() {
    let (speech, tones) = ([Codec::PCMU, ILBC], [Codec { payload_type: 98, ..Codec::TELEPHONE_EVENT }]);
    let alice = [audio(49170, &speech), LocalMedia { direction: Direction::SendOnly, ..audio(49172, &tones) }];
    let bob = [audio(49172, &speech[1..]), LocalMedia { direction: Direction::RecvOnly, ..audio(49174, &tones) }];
    let mut pair = Pair::new();
    let (at_alice, at_bob) = pair.offer(&alice, &bob);
    assert_eq!(pair.bob.heads(), ["m=audio 49172 RTP/AVP 97", "m=audio 49174 RTP/AVP 98"]);
    assert_eq!(at_alice.media(1).unwrap().direction, Direction::SendOnly);
    assert_eq!(at_bob.media(1).unwrap().direction, Direction::RecvOnly);
    for agreed in [at_alice, at_bob] {
        let stream = agreed.media(1).unwrap();
        assert_eq!((stream.codec.receive, stream.events.map(|events| events.receive)), (98, Some(98)));
    }
    // 3.2: Bob holds the speech and goes on to take tones.
    let holds = [LocalMedia { direction: Direction::SendOnly, ..bob[0] }, bob[1]];
    let (at_alice, at_bob) = pair.offer_back(&alice, &holds);
    let directions = |agreed: &Agreed| agreed.streams().map(|stream| stream.direction).collect::<Vec<_>>();
    assert_eq!(directions(&at_alice), [Direction::RecvOnly, Direction::SendOnly]);
    assert_eq!(directions(&at_bob), [Direction::SendOnly, Direction::RecvOnly]);
    // Where a codec could be, events alone are no stream.
    let mut end = End::new();
    let offer = theirs("m=audio 49170 RTP/AVP 101\na=rtpmap:101 telephone-event/8000\n");
    let speech_and_tones = [Codec::PCMU, Codec::TELEPHONE_EVENT];
    let refused = end.answer(&[audio(4000, &speech_and_tones)], &offer);
    assert_eq!(refused, Err(Refusal::NotAcceptable(Warning::MediaFormat)));
}

#[test]
fn rfc4317_2_5_a_peer_that_moves_gets_the_same_version() {
    let (speech, picture) = ([ILBC], [H261]);
    let alice = [audio(49170, &speech), video(51372, &picture)];
    let (bob, moved) =
        ([audio(49174, &speech), video(49170, &picture)], [audio(49178, &speech), video(49188, &picture)]);
    let mut pair = Pair::new();
    pair.offer(&alice, &bob);
    let (at_alice, _) = pair.offer_back(&alice, &moved);
    assert_eq!((pair.alice.negotiation.version(), pair.bob.negotiation.version()), (1, 2));
    assert_eq!(at_alice.media(1).unwrap().remote.map(|remote| remote.port()), Some(49188));
}

#[test]
fn rfc4317_2_6_one_of_two_streams_is_declined() {
    let (first, second) = ([Codec::PCMU], [ILBC, Codec::TELEPHONE_EVENT]);
    let alice = [audio(49170, &first), audio(51372, &second)];
    let mut pair = Pair::new();
    let (at_alice, _) = pair.offer(&alice, &[audio(49170, &second)]);
    assert_eq!(pair.bob.heads(), ["m=audio 0 RTP/AVP 0", "m=audio 49170 RTP/AVP 97 101"]);
    assert!(at_alice.media(0).is_none());
    assert_eq!(at_alice.media(1).unwrap().events.unwrap().send, 101);
}

#[test]
fn rfc4317_2_7_and_2_8_a_codec_is_added_and_a_stream_is_elsewhere() {
    let (speech, one, two) = ([Codec { payload_type: 99, ..ILBC }], [H261], [H261, MPV]);
    let (alice, more) = ([audio(49170, &speech), video(51372, &one)], [audio(49170, &speech), video(51372, &two)]);
    let bob = [audio(49172, &speech), video(51374, &two)];
    let mut pair = Pair::new();
    pair.offer(&alice, &bob);
    let (at_alice, _) = pair.offer(&more, &bob);
    assert_eq!(pair.bob.heads(), ["m=audio 49172 RTP/AVP 99", "m=video 51374 RTP/AVP 31 32"]);
    assert_eq!(numbers(at_alice.media(1).unwrap()).0, [31, 32]);
    // 2.8: the address of a stream goes before that of the session.
    let mut end = End::new();
    end.offer(&more).unwrap();
    let answer =
        theirs("m=audio 49174 RTP/AVP 99\na=rtpmap:99 iLBC/8000\nm=video 49172 RTP/AVP 32\nc=IN IP4 192.0.2.8\n");
    let agreed = end.receive_answer(&more, &answer).unwrap();
    let remotes = agreed.streams().map(|stream| stream.remote.unwrap().to_string());
    assert_eq!(remotes.collect::<Vec<_>>(), ["192.0.2.9:49174", "192.0.2.8:49172"]);
}

#[test]
fn rfc3264_6_1_the_answer_has_the_numbers_of_the_offer() {
    let offer = theirs("m=audio 49170 RTP/AVP 99\na=rtpmap:99 iLBC/8000\n");
    let mut bob = End::new();
    let agreed = bob.answer(&[audio(49172, &[ILBC])], &offer).unwrap();
    // The answer uses the number of the offer (RFC 3264 §6.1).
    assert_eq!(bob.media_lines(), "m=audio 49172 RTP/AVP 99\na=rtpmap:99 iLBC/8000\na=sendrecv\n");
    assert_eq!(agreed.media(0).unwrap().codec, Payload { codec: 0, send: 99, receive: 99 });
}

#[test]
fn rfc4317_3_1_a_callee_holds_with_its_answer_and_resumes() {
    let (both, one) = ([Codec::PCMU, ILBC], [ILBC]);
    let alice = [audio(49170, &both)];
    let bob = [audio(49170, &one)];
    let holds = [LocalMedia { direction: Direction::SendOnly, ..audio(49172, &one) }];
    let mut pair = Pair::new();
    let (at_alice, _) = pair.offer(&alice, &holds);
    assert!(at_alice.is_held());
    let (at_alice, at_bob) = pair.offer_back(&[audio(49178, &both)], &bob);
    assert_eq!(at_alice.media(0).unwrap().direction, Direction::SendRecv);
    assert_eq!(at_bob.media(0).unwrap().remote.map(|remote| remote.port()), Some(49178));
    assert_eq!((pair.alice.negotiation.version(), pair.bob.negotiation.version()), (2, 2));
}

#[test]
fn a_caller_holds_and_resumes() {
    let codecs = [Codec::PCMU, ILBC];
    let flows = [audio(49170, &codecs)];
    let holds = [LocalMedia { direction: Direction::SendOnly, ..flows[0] }];
    let bob = [audio(49172, &codecs)];
    let mut pair = Pair::new();
    pair.offer(&flows, &bob);
    let (at_alice, at_bob) = pair.offer(&holds, &bob);
    assert!(pair.bob.last.ends_with("a=recvonly\r\n"), "{}", pair.bob.last);
    assert!(at_bob.is_held() && !at_alice.is_held());
    assert_eq!((pair.alice.negotiation.version(), pair.bob.negotiation.version()), (2, 2));
    let (at_alice, at_bob) = pair.offer(&flows, &bob);
    assert_eq!(at_alice.media(0).unwrap().direction, Direction::SendRecv);
    assert!(!at_bob.is_held());
}

#[test]
fn one_of_two_streams_is_held() {
    let (sound, picture) = ([Codec::PCMU], [H261]);
    let alice = [audio(49170, &sound), video(51372, &picture)];
    let bob = [audio(49174, &sound), video(51376, &picture)];
    let mut pair = Pair::new();
    pair.offer(&alice, &bob);
    // Bob holds the audio alone.
    let holds = [LocalMedia { direction: Direction::SendOnly, ..bob[0] }, bob[1]];
    let (at_alice, _) = pair.offer_back(&alice, &holds);
    let directions: Vec<_> = at_alice.streams().map(|stream| stream.direction).collect();
    assert_eq!(directions, [Direction::RecvOnly, Direction::SendRecv]);
    assert!(!at_alice.is_held());
}

#[test]
fn rfc4317_4_streams_added_and_deleted() {
    let codecs = [Codec::PCMU, ILBC];
    let picture = [H261];
    let sound = audio(49170, &codecs);
    let bob = [audio(49172, &codecs), video(49168, &picture)];
    let mut pair = Pair::new();
    // 4.1, 4.2: audio alone, then a video beside it.
    pair.offer(&[sound], &bob);
    assert_eq!(pair.bob.heads(), ["m=audio 49172 RTP/AVP 0 97"]);
    let with_video = [sound, video(49172, &picture)];
    let (at_alice, _) = pair.offer(&with_video, &bob);
    assert_eq!(pair.bob.heads(), ["m=audio 49172 RTP/AVP 0 97", "m=video 49168 RTP/AVP 31"]);
    assert_eq!(at_alice.streams().count(), 2);
    // As in 4.3, but the first: Bob takes the audio away; its place stays.
    let no_audio = [LocalMedia { port: 0, ..bob[0] }, bob[1]];
    let (at_alice, at_bob) = pair.offer_back(&with_video, &no_audio);
    assert_eq!(pair.bob.heads(), ["m=audio 0 RTP/AVP 0", "m=video 49168 RTP/AVP 31"]);
    assert_eq!(pair.alice.heads(), ["m=audio 0 RTP/AVP 0", "m=video 49172 RTP/AVP 31"]);
    assert!(at_alice.line(0).is_none() && at_bob.line(1).is_some());
    assert_eq!((at_bob.media(0), at_bob.line_count()), (None, 2));
}

#[test]
fn rfc4317_5_third_party_call_control() {
    // 5.1: an offer without media, answered without media; then one with media from the other side.
    let codecs = [Codec::PCMU];
    let media = [audio(49170, &codecs)];
    let mut end = End::new();
    let agreed = end.answer(&media, &theirs("")).unwrap();
    assert_eq!((agreed.line_count(), end.heads().len(), end.state()), (0, 0, State::Stable));
    assert!(end.negotiation.is_agreed());
    let agreed = end.answer(&media, &theirs("m=audio 49172 RTP/AVP 0\n")).unwrap();
    assert_eq!((agreed.line_count(), end.negotiation.version()), (1, 2));
    // 5.3: the answer is a black hole until the peer has an address.
    let mut end = End::new();
    end.offer(&media).unwrap();
    let hole = theirs("m=audio 9 RTP/AVP 0\nc=IN IP4 0.0.0.0\n");
    let agreed = end.receive_answer(&media, &hole).unwrap();
    let stream = agreed.media(0).unwrap();
    assert_eq!((stream.remote, stream.remote_rtcp, stream.direction), (None, None, Direction::RecvOnly));
    assert!(agreed.is_held());
    end.answer(&media, &theirs("m=audio 49172 RTP/AVP 0\n")).unwrap();
    assert!(end.last.ends_with("a=sendrecv\r\n"));
    // 5.2: the offer is one; nothing is sent there, and media may come.
    let mut end = End::new();
    let agreed = end.answer(&media, &hole).unwrap();
    assert_eq!((agreed.media(0).unwrap().remote, agreed.is_held()), (None, true));
    end.answer(&media, &theirs("m=audio 49172 RTP/AVP 0\n")).unwrap();
}
