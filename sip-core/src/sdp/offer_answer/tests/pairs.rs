//! Two of this engine with each other, over capabilities of every kind: what one end says that it sends is what the other one
//! expects, whoever offers.

use super::*;
use crate::sdp::Attribute;
use proptest::prelude::*;

const NAMES: [(&str, u32, u8); 7] = [
    ("PCMU", 8000, 1),
    ("PCMA", 8000, 1),
    ("G722", 8000, 1),
    ("opus", 48000, 2),
    ("iLBC", 8000, 1),
    ("telephone-event", 8000, 1),
    ("telephone-event", 48000, 1),
];
const PROFILES: [&[Profile]; 4] =
    [&[Profile::Avp], &[Profile::Savp], &[Profile::Savp, Profile::Avp], &[Profile::Avpf, Profile::Avp]];

/// A medium of some end.
#[derive(Clone, Debug)]
struct Medium {
    kind: &'static str,
    port: u16,
    profiles: &'static [Profile],
    codecs: Vec<Codec<'static>>,
    direction: Direction,
    rtcp_mux: bool,
}

impl Medium {
    fn local(&self) -> LocalMedia<'_> {
        let Self { kind, port, profiles, codecs, direction, rtcp_mux } = self;
        LocalMedia {
            kind,
            port: *port,
            profiles,
            direction: *direction,
            rtcp_mux: *rtcp_mux,
            ..LocalMedia::audio(*port, codecs)
        }
    }
}

fn codecs() -> impl Strategy<Value = Vec<Codec<'static>>> {
    let numbers = Just((96..=127).chain(0..30).collect::<Vec<u8>>()).prop_shuffle();
    let names = proptest::sample::subsequence(NAMES.to_vec(), 1..=NAMES.len()).prop_shuffle();
    (names, numbers).prop_map(|(names, numbers)| {
        let named = names.into_iter().zip(numbers);
        named
            .map(|((encoding, clock_rate, channels), payload_type)| Codec {
                channels,
                ..Codec::new(payload_type, encoding, clock_rate)
            })
            .collect()
    })
}

fn medium() -> impl Strategy<Value = Medium> {
    let directions = [Direction::SendRecv, Direction::SendOnly, Direction::RecvOnly, Direction::Inactive];
    let direction = proptest::sample::select(directions.to_vec());
    let kind = prop_oneof![4 => Just("audio"), 1 => Just("video")];
    let port = prop_oneof![1 => Just(0u16), 6 => 1024..60_000u16];
    (kind, port, proptest::sample::select(PROFILES.to_vec()), codecs(), direction, any::<bool>()).prop_map(
        |(kind, port, profiles, codecs, direction, rtcp_mux)| Medium {
            kind,
            port,
            profiles,
            codecs,
            direction,
            rtcp_mux,
        },
    )
}

fn media() -> impl Strategy<Value = Vec<Medium>> {
    proptest::collection::vec(medium(), 0..=MAX_STREAMS)
}

/// What one end has at one moment.
struct Side<'a> {
    media: &'a [LocalMedia<'a>],
    own_order: bool,
}

impl Side<'_> {
    fn capabilities(&self) -> Capabilities<'_> {
        Capabilities { prefer_own_order: self.own_order, ..here(self.media) }
    }
}

/// Both ends see the same streams, from their two sides.
fn check(one: (&Side<'_>, &Agreed), other: (&Side<'_>, &Agreed)) {
    assert_eq!(one.1.line_count(), other.1.line_count());
    for place in 0..MAX_STREAMS {
        let (Some(ours), Some(theirs)) = (one.1.line(place), other.1.line(place)) else {
            assert_eq!(one.1.line(place).is_some(), other.1.line(place).is_some(), "line {place}");
            continue;
        };
        let (local, remote) = (&one.0.media[ours.media()], &other.0.media[theirs.media()]);
        assert_eq!(ours.remote.map(|to| to.port()), Some(remote.port));
        assert_eq!(theirs.remote.map(|to| to.port()), Some(local.port));
        assert_eq!((local.kind, ours.profile), (remote.kind, theirs.profile));
        assert_eq!(ours.direction, theirs.direction.reversed());
        assert_eq!(ours.rtcp_mux, theirs.rtcp_mux);
        assert_eq!(ours.rtcp_mux, local.rtcp_mux && remote.rtcp_mux);
        assert_eq!(ours.payloads().len(), theirs.payloads().len());
        // What the one sends the other one expects under this number, as the same codec.
        for (mine, yours) in ours.payloads().iter().zip(theirs.payloads()) {
            assert_eq!((mine.send, mine.receive), (yours.receive, yours.send));
            let (mine, yours) = (&local.codecs[usize::from(mine.codec)], &remote.codecs[usize::from(yours.codec)]);
            assert_eq!((mine.encoding, mine.clock_rate), (yours.encoding, yours.clock_rate));
        }
        assert_eq!((ours.codec.send, ours.codec.receive), (theirs.codec.receive, theirs.codec.send));
        assert_eq!(ours.events.map(|one| one.send), theirs.events.map(|one| one.receive));
        // No number has two meanings.
        let mut received = numbers(ours).1;
        received.sort_unstable();
        received.dedup();
        assert_eq!(received.len(), ours.payloads().len());
    }
}

/// One exchange; whether the offer was taken.
fn exchange((one, ours): (&mut End, &Side<'_>), (other, theirs): (&mut End, &Side<'_>)) -> bool {
    let (mut offer, mut answer) = ([0; 8192], [0; 8192]);
    let before = (one.heads().len().max(other.heads().len()), one.negotiation, other.negotiation);
    let Ok(length) = one.negotiation.offer(&ours.capabilities(), &mut offer) else {
        // There are more media than lines that are free.
        assert_eq!(one.negotiation, before.1);
        return false;
    };
    one.keep(&offer[..length]);
    let answered = other.negotiation.receive_offer(&theirs.capabilities(), &offer[..length], &mut answer);
    let Ok(answered) = answered else {
        assert!(matches!(answered, Err(Refusal::NotAcceptable(_))), "{answered:?}");
        assert_eq!(other.negotiation, before.2);
        one.negotiation.rollback();
        one.last.clear();
        return false;
    };
    other.keep(&answer[..answered.length]);
    other.negotiation.answer_sent();
    let heads = |end: &End| -> Vec<String> {
        end.heads().iter().map(|head| head.split(' ').next().unwrap().to_owned()).collect()
    };
    assert_eq!(heads(one), heads(other));
    assert!(one.heads().len() >= before.0);
    let agreed = one.negotiation.receive_answer(&ours.capabilities(), &answer[..answered.length]).unwrap();
    check((ours, &agreed), (theirs, &answered.agreed));
    true
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn two_ends_agree(alice in media(), bob in media(), later in media(), orders in any::<[bool; 2]>()) {
        let local = |media: &[Medium]| -> Vec<LocalMedia<'static>> {
            media.iter().map(|medium| -> LocalMedia<'static> {
                let leaked: &'static Medium = Box::leak(Box::new(medium.clone()));
                leaked.local()
            }).collect()
        };
        let (alice, bob, later) = (local(&alice), local(&bob), local(&later));
        let side = |media, own_order| Side { media, own_order };
        let (alice, bob, later) = (side(&alice, orders[0]), side(&bob, orders[1]), side(&later, orders[0]));
        let (mut one, mut other) = (End::new(), End::new());
        for (ours, forward) in [(&alice, true), (&alice, false), (&later, true), (&alice, false), (&alice, true)] {
            let versions = (one.negotiation.version(), other.negotiation.version());
            let taken = if forward {
                exchange((&mut one, ours), (&mut other, &bob))
            } else {
                exchange((&mut other, &bob), (&mut one, ours))
            };
            prop_assert!(one.negotiation.version() <= versions.0 + 1);
            prop_assert!(other.negotiation.version() <= versions.1 + 1);
            // The same once more is no change.
            if taken {
                let versions = (one.negotiation.version(), other.negotiation.version());
                let again = if forward {
                    exchange((&mut one, ours), (&mut other, &bob))
                } else {
                    exchange((&mut other, &bob), (&mut one, ours))
                };
                prop_assert!(again);
                prop_assert_eq!((one.negotiation.version(), other.negotiation.version()), versions);
            }
        }
    }

    #[test]
    fn whatever_comes_is_answered_line_by_line(rows in proptest::collection::vec(row(), 0..40), split in 0..40usize) {
        let codecs = [Codec::PCMU, Codec::OPUS, Codec::TELEPHONE_EVENT];
        let attributes = [Attribute { name: b"ptime", value: Some(b"20") }];
        let media = [LocalMedia { attributes: &attributes, rtcp_mux: true, ..LocalMedia::audio(4000, &codecs) }];
        let mut end = End::new();
        // A first description, and one that changes it.
        for part in [&rows[..split.min(rows.len())], &rows[..]] {
            let before = end.negotiation;
            let text = theirs(&part.concat());
            match end.answer(&media, &text) {
                Ok(agreed) => {
                    let offered = Session::parse(&text).unwrap();
                    prop_assert_eq!(offered.media_count(), agreed.line_count());
                    prop_assert_eq!(offered.media_count(), end.heads().len());
                    let written = Session::parse(end.last.as_bytes()).unwrap();
                    for (place, (theirs, ours)) in offered.media().zip(written.media()).enumerate() {
                        prop_assert_eq!((theirs.kind(), theirs.proto()), (ours.kind(), ours.proto()));
                        prop_assert_eq!(agreed.line(place).is_some(), !ours.is_rejected());
                        prop_assert!(!theirs.is_rejected() || ours.is_rejected());
                    }
                }
                Err(_) => prop_assert_eq!(end.negotiation, before),
            }
            let _ = end.offer(&media);
            let _ = end.receive_answer(&media, &text);
            end.negotiation.rollback();
            prop_assert_eq!(end.state(), State::Stable);
        }
    }
}

/// Rows of a description, likely to be ones that mean something.
fn row() -> impl Strategy<Value = String> {
    let number = prop_oneof![Just(0u32), Just(8), Just(96), Just(101), Just(111), 0..200u32];
    let head = (proptest::sample::select(vec!["audio", "video", "image"]), 0..3u16, number.clone(), number.clone());
    prop_oneof![
        3 => head.prop_map(|(kind, port, one, other)| format!("m={kind} {} RTP/AVP {one} {other}\n", port * 5000)),
        1 => Just("m=audio 5000 RTP/SAVP 0\n".to_owned()),
        2 => (number.clone(), proptest::sample::select(vec!["PCMU/8000", "opus/48000/2", "telephone-event/8000", "x/", ""]))
            .prop_map(|(number, map)| format!("a=rtpmap:{number} {map}\n")),
        1 => (number, "[ -~]{0,12}").prop_map(|(number, params)| format!("a=fmtp:{number} {params}\n")),
        1 => proptest::sample::select(vec![
            "a=sendonly\n", "a=inactive\n", "a=rtcp-mux\n", "a=rtcp-mux-only\n", "a=rtcp:0\n", "a=rtcp:9 IN IP4 0.0.0.0\n",
            "a=ptime:20\n", "a=maxptime:0\n", "a=mid:1\n", "a=mid: \n", "c=IN IP4 0.0.0.0\n", "c=IN IP4 x.example.com\n",
        ]).prop_map(str::to_owned),
        1 => "[a-z]=[ -~]{0,16}\n",
    ]
}
