//! A phone whose memory is full: what is refused, how, and what still gets through.
//!
//! Covers the storage section of design.md (486, 503 with Retry-After, reservations), RFC 3261 §8.2.7 (the To tag of a stateless
//! response), §21.5.4, field note 3. The exhaustion of dialogs by forks is in forks.rs.

use core::hash::Hasher;
use sip_core::error::{Capacity, Error};
use sip_core::message::{Header, HeaderName, Message, Method};
use sip_core::role::{Action, Role};
use sip_core::time::Instant;
use sip_core::transport::{Address, Flow};
use sip_core::ua::Arrays;
use sip_core::ua::{Call, Cause, Config, Content, Event, IncomingRequest, Statistics, UserAgent};
use sip_testkit::{ANSWER, Heard, NodeId, OFFER, Phones, Wire};

fn phone(seed: u64) -> (Phones, NodeId, Wire) {
    let mut phones = Phones::new(seed);
    let change = |config: &mut Config<'_>| {
        config.methods = "MESSAGE";
        config.retry_after = 7;
    };
    let alice = phones.add_with("alice", "192.0.2.1:5060", change);
    (phones, alice, Wire::new("192.0.2.9:5060"))
}

/// Sends MESSAGEs, which the application leaves unanswered, until one is refused; with a 503, unless that would take what a
/// call has reserved.
fn fill(
    phones: &mut Phones,
    alice: NodeId,
    wire: &mut Wire,
    size: usize,
) -> (Vec<IncomingRequest>, Vec<u8>, Option<Heard>) {
    let mut taken = Vec::new();
    for _ in 0..100 {
        let mut leg = wire.leg("sip:alice@192.0.2.1");
        leg.call_id.push_str(&"x".repeat(size));
        let message = wire.request(&mut leg, "MESSAGE", "", b"");
        let before = phones.events(alice).len();
        wire.send(phones, alice, &message);
        let refused = wire.hear(phones).pop();
        if refused.is_some() || phones.events(alice).len() == before {
            return (taken, message, refused);
        }
        let Some(Event::Request { request, .. }) = phones.last(alice) else { panic!("not handed over") };
        taken.push(request);
    }
    panic!("it is never full");
}

fn print(phones: &Phones, node: NodeId) -> u64 {
    let mut hasher = std::hash::DefaultHasher::new();
    phones.world.role(node).fingerprint(phones.world.now(), &mut hasher);
    hasher.finish()
}

#[test]
fn the_third_call_gets_486_and_the_first_two_go_on() {
    let mut phones = Phones::new(1);
    let bob = phones.add("bob", "192.0.2.2:5060");
    let callers: Vec<NodeId> =
        (0..3).map(|n| phones.add(&format!("caller{n}"), &format!("192.0.2.{}:5060", 10 + n))).collect();
    let calls: Vec<Call> = callers.iter().map(|caller| phones.call(*caller, "sip:bob@192.0.2.2")).collect();
    phones.pause();
    assert_eq!(phones.ended(callers[2]), [(Cause::Rejected, 486)]);
    assert_eq!(phones.world.role(bob).statistics().refused, 1);
    let incoming: Vec<Call> = phones
        .events(bob)
        .into_iter()
        .filter_map(|event| if let Event::Incoming { call } = event { Some(call) } else { None })
        .collect();
    assert_eq!(incoming.len(), 2);
    for call in &incoming {
        phones.answer(bob, *call);
    }
    phones.pause();
    let third = phones.act(bob, |phone, now| phone.call(now, "sip:caller2@192.0.2.12", "", &Content::NONE));
    assert_eq!(third, Err(Error::Capacity(Capacity::Calls)));
    phones.hang_up(callers[0], calls[0]);
    phones.hang_up(bob, incoming[1]);
    phones.pause();
    // There is room again.
    phones.call(callers[2], "sip:bob@192.0.2.2");
    phones.pause();
    let again = phones.incoming(bob);
    phones.hang_up(bob, again);
    phones.settle();
}

#[test]
fn a_full_transaction_table_is_told_with_503_and_one_to_tag() {
    let (mut phones, alice, mut wire) = phone(2);
    let (taken, message, refused) = fill(&mut phones, alice, &mut wire, 0);
    let refused = refused.expect("a 503");
    assert_eq!(taken.len(), 16);
    assert_eq!((refused.kind().as_str(), refused.header("Retry-After").as_str()), ("503", "7"));
    assert!(!refused.to_tag().is_empty());
    wire.send(&mut phones, alice, &message);
    assert_eq!(wire.expect(&phones, "503").bytes, refused.bytes);
    let mut leg = wire.leg("sip:alice@192.0.2.1");
    let contact = wire.contact();
    let invite = wire.request(&mut leg, "INVITE", &contact, OFFER);
    wire.send(&mut phones, alice, &invite);
    wire.expect(&phones, "503");
    let ours = phones.act(alice, |phone, now| phone.call(now, "sip:wire@192.0.2.9", "", &Content::NONE));
    assert_eq!(ours, Err(Error::Capacity(Capacity::Transactions)));
    let options = wire.request(&mut wire.clone().leg("sip:alice@192.0.2.1"), "OPTIONS", "", b"");
    wire.send(&mut phones, alice, &options);
    wire.expect(&phones, "200");
    for request in taken {
        phones.act(alice, |phone, now| phone.respond(now, request, 200, &Content::NONE)).unwrap();
    }
    phones.settle();
}

/// An established call, then no free transaction (`size` 0) or no free octets.
fn full_in_a_call(seed: u64, size: usize, ours: bool) -> (Phones, NodeId, Wire, Call, sip_testkit::Leg) {
    let (mut phones, alice, mut wire) = phone(seed);
    let (call, leg) = if ours {
        let call = phones.call(alice, "sip:wire@192.0.2.9");
        let invite = wire.expect(&phones, "INVITE");
        wire.accept(&mut phones, alice, &invite, "x", ANSWER);
        wire.expect(&phones, "ACK");
        (call, wire.leg_of(&invite, "x"))
    } else {
        let leg = wire.call(&mut phones, alice, "sip:alice@192.0.2.1", "");
        (phones.incoming(alice), leg)
    };
    let (_, _, refused) = fill(&mut phones, alice, &mut wire, size);
    assert!(refused.map_or(size > 0, |refused| refused.kind() == "503"));
    (phones, alice, wire, call, leg)
}

#[test]
fn our_bye_and_the_peers_get_through_when_full() {
    for (size, ours) in [(0, false), (0, true), (700, false), (700, true)] {
        let (mut phones, alice, mut wire, call, _) = full_in_a_call(3, size, ours);
        phones.hang_up(alice, call);
        let bye = wire.expect(&phones, "BYE");
        wire.respond(&mut phones, alice, &bye, 200, "");
        assert_eq!(phones.ended(alice), [(Cause::LocalHangup, 0)]);
        phones.settle();
        let (mut phones, alice, mut wire, _, mut leg) = full_in_a_call(4, size, ours);
        let bye = wire.request(&mut leg, "BYE", "", b"");
        wire.send(&mut phones, alice, &bye);
        wire.expect(&phones, "200");
        assert_eq!(phones.ended(alice), [(Cause::RemoteHangup, 0)]);
        phones.settle();
    }
}

#[test]
fn our_cancel_gets_through_when_full() {
    for size in [0, 700] {
        let (mut phones, alice, mut wire) = phone(5);
        let call = phones.call(alice, "sip:wire@192.0.2.9");
        let invite = wire.expect(&phones, "INVITE");
        wire.respond(&mut phones, alice, &invite, 180, "");
        fill(&mut phones, alice, &mut wire, size);
        phones.hang_up(alice, call);
        let cancel = wire.expect(&phones, "CANCEL");
        wire.respond(&mut phones, alice, &cancel, 200, "");
        wire.respond(&mut phones, alice, &invite, 487, "");
        wire.expect(&phones, "ACK");
        assert_eq!(phones.ended(alice), [(Cause::LocalHangup, 487)]);
        phones.settle();
    }
}

#[test]
fn the_answer_to_our_call_is_acknowledged_when_full() {
    for size in [0, 700] {
        let (mut phones, alice, mut wire) = phone(6);
        let call = phones.call(alice, "sip:wire@192.0.2.9");
        let invite = wire.expect(&phones, "INVITE");
        fill(&mut phones, alice, &mut wire, size);
        wire.accept(&mut phones, alice, &invite, "x", ANSWER);
        wire.expect(&phones, "ACK");
        phones.hang_up(alice, call);
        let bye = wire.expect(&phones, "BYE");
        wire.respond(&mut phones, alice, &bye, 200, "");
        phones.settle();
        assert_eq!(phones.ended(alice), [(Cause::LocalHangup, 0)]);
    }
}

#[test]
fn the_peers_cancel_and_ack_get_through_when_full() {
    for (size, cancelled) in [(0, true), (0, false), (700, true), (700, false)] {
        let (mut phones, alice, mut wire) = phone(7);
        let mut leg = wire.leg("sip:alice@192.0.2.1");
        leg.seq = 1;
        let (branch, contact) = (wire.branch(), wire.contact());
        let invite = wire.request_as(&leg, "INVITE", &branch, &contact, OFFER);
        wire.send(&mut phones, alice, &invite);
        let call = phones.incoming(alice);
        if cancelled {
            fill(&mut phones, alice, &mut wire, size);
            let cancel = wire.request_as(&leg, "CANCEL", &branch, "", b"");
            wire.send(&mut phones, alice, &cancel);
            let mut kinds: Vec<String> = wire.hear(&phones).iter().map(Heard::kind).collect();
            kinds.sort();
            assert_eq!(kinds, ["200", "487"]);
            assert_eq!(phones.ended(alice), [(Cause::Cancelled, 487)]);
        } else {
            phones.answer(alice, call);
            leg.remote = wire.expect(&phones, "200").header("To");
            fill(&mut phones, alice, &mut wire, size);
            let ack = wire.request_as(&leg, "ACK", "z9hG4bK-ack", "", b"");
            wire.send(&mut phones, alice, &ack);
            assert_eq!(phones.last(alice), Some(Event::Confirmed { call }));
            let bye = wire.request(&mut leg, "BYE", "", b"");
            wire.send(&mut phones, alice, &bye);
            wire.expect(&phones, "200");
        }
        phones.settle();
        assert_eq!(phones.ended(alice).len(), 1);
    }
}

#[test]
fn what_is_too_large_to_keep_is_refused_and_changes_nothing() {
    let (mut phones, alice, mut wire) = phone(8);
    let leg = wire.call(&mut phones, alice, "sip:alice@192.0.2.1", "");
    let call = phones.incoming(alice);
    let before = (print(&phones, alice), phones.world.role(alice).occupancy());
    let held = before.1.octets;
    for size in [8_000, 70_000] {
        let large = vec![b'x'; size];
        let content = Content::sdp(&large);
        let header = [Header { name: HeaderName::Subject, value: &large }];
        let headers = Content::NONE.with_headers(&header);
        for content in [&content, &headers] {
            let attempts = [
                phones.act(alice, |phone, now| phone.call(now, "sip:b@192.0.2.9", "", content).map(drop)),
                phones.act(alice, |phone, now| phone.reinvite(now, call, content)),
                phones
                    .act(alice, |phone, now| phone.request(now, Method::Options, "sip:b@192.0.2.9", content).map(drop)),
                phones.act(alice, |phone, now| phone.request_in_call(now, call, Method::Info, content).map(drop)),
            ];
            for (index, attempt) in attempts.iter().enumerate() {
                assert!(matches!(attempt, Err(Error::Capacity(_))), "{size} {index}: {attempt:?}");
            }
        }
    }
    let long = format!("sip:{}@192.0.2.9", "x".repeat(9000));
    assert!(phones.act(alice, |phone, now| phone.call(now, &long, "", &Content::NONE)).is_err());
    assert!(phones.act(alice, |phone, now| phone.register(now, &long, "sip:a@b", 60)).is_err());
    assert!(phones.act(alice, |phone, _| phone.add_credentials("", "a", &long)).is_err());
    let after = phones.world.role(alice).occupancy();
    assert_eq!((print(&phones, alice), sip_core::ua::Occupancy { octets: held, ..after }), before);
    assert!(after.octets <= held, "fewer when the pool was tidied on the way");
    wire.expect_nothing(&phones);
    drop(leg);
    phones.hang_up(alice, call);
    let bye = wire.expect(&phones, "BYE");
    wire.respond(&mut phones, alice, &bye, 200, "");
    phones.settle();
}

/// What a phone with 8 KiB answers to an INVITE with so many octets in what every response repeats; whole.
fn answered(route: usize) -> (Vec<Vec<u8>>, Statistics) {
    let mut phone = UserAgent::new(Arrays::<16, 4, 2, 1, 8192>::new());
    phone.start(&Config::new("192.0.2.1:5060", "sip:alice@192.0.2.1"), [7; 16]).expect("a configuration");
    let invite = format!(
        "INVITE sip:alice@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n\
         Record-Route: <sip:{}@192.0.2.9;lr>\r\nFrom: <sip:b@192.0.2.9>;tag=1\r\nTo: <sip:alice@192.0.2.1>\r\n\
         Call-ID: 1\r\nCSeq: 1 INVITE\r\nContact: <sip:b@192.0.2.9>\r\nContent-Length: 0\r\n\r\n",
        "x".repeat(route)
    );
    let now = Instant::from_millis(1);
    let flow = Flow::udp(Address::v4([192, 0, 2, 9].into(), 5060));
    _ = phone.receive(now, flow, &Message::parse(invite.as_bytes()).expect("an INVITE"));
    let mut sent = Vec::new();
    while let Some(action) = phone.poll_action(now) {
        if let Action::Send { bytes, .. } = action {
            sent.push(bytes.to_vec());
        }
    }
    (sent, phone.statistics())
}

#[test]
fn a_request_too_large_to_keep_is_refused_whole_or_dropped() {
    // Kept, and told to the application.
    let (sent, statistics) = answered(1_000);
    assert_eq!((sent.len(), statistics), (0, Statistics::default()));
    // Not to be kept beside what the call needs for its end; the refusal has all that a response repeats.
    for route in [6_000, 7_500] {
        let (sent, statistics) = answered(route);
        let response = Message::parse(&sent[0]).expect("a whole response");
        assert_eq!((sent.len(), response.status(), statistics.refused), (1, Some(503), 1));
        let repeated = response.header(HeaderName::RecordRoute).expect("the route");
        assert_eq!(repeated.len(), route + "<sip:@192.0.2.9;lr>".len());
    }
    // Not even the refusal fits: nothing is sent, and it is counted.
    for route in [9_000, 30_000] {
        let (sent, statistics) = answered(route);
        assert_eq!((sent.len(), statistics.refused, statistics.replies_dropped), (0, 1, 1));
    }
}

#[test]
fn an_answer_too_large_to_keep_can_be_tried_again_smaller() {
    let (mut phones, alice, bob) = Phones::pair(9);
    let call = phones.call(alice, "sip:bob@192.0.2.2");
    phones.pause();
    let incoming = phones.incoming(bob);
    let before = print(&phones, bob);
    let large = vec![b'x'; 9000];
    for result in [
        phones.act(bob, |phone, now| phone.ring(now, incoming, 183, &Content::sdp(&large))),
        phones.act(bob, |phone, now| phone.answer(now, incoming, &Content::sdp(&large))),
        phones.act(bob, |phone, now| phone.reject(now, incoming, 488, &Content::sdp(&large))),
    ] {
        assert!(matches!(result, Err(Error::Capacity(_))), "{result:?}");
    }
    assert_eq!(print(&phones, bob), before);
    phones.answer(bob, incoming);
    phones.pause();
    assert_eq!(phones.last(alice), Some(Event::Answered { call, answer_due: false }));
    phones.hang_up(alice, call);
    phones.settle();
}

#[test]
fn a_thousand_calls_leave_the_memory_as_it_was() {
    let (mut phones, alice, bob) = Phones::pair(10);
    let mut after_one = None;
    for _ in 0..1000 {
        let (call, _) = phones.established(alice, bob, "sip:bob@192.0.2.2");
        phones.hang_up(alice, call);
        phones.settle();
        // The pool's table of blocks stays as large as it once was, so the first call counts.
        let held = (phones.world.role(alice).occupancy(), phones.world.role(bob).occupancy());
        assert_eq!(*after_one.get_or_insert(held), held);
    }
    assert_eq!((phones.ended(alice).len(), phones.ended(bob).len()), (1000, 1000));
}
