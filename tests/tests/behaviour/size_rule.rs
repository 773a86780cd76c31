//! Requests too large for a datagram.
//!
//! Covers RFC 3261 §18.1.1 for requests of every kind: compact names first, then TCP, then a datagram all the same; what
//! the application is told of it; and field note 21. The connections are simulated, cut at random places; real ones
//! are tried with the adapters.

use sip_core::message::Method;
use sip_core::transport::{Oversize, Target, Transport};
use sip_core::ua::{Body, Call, Cause, Content, Event, Origin};
use sip_testkit::{Faults, Heard, NodeId, OFFER, Phones, Wire};

/// An offer of `size` octets.
fn padded(size: usize) -> Vec<u8> {
    let mut offer = OFFER.to_vec();
    offer.extend_from_slice(b"a=x-pad:");
    offer.resize(size - 2, b'x');
    offer.extend_from_slice(b"\r\n");
    offer
}

fn call_with(phones: &mut Phones, from: NodeId, target: &str, size: usize) -> Call {
    let offer = padded(size);
    phones.act(from, |phone, now| phone.call(now, target, "", &Content::sdp(&offer)).expect("room for a call"))
}

/// What a phone was told of its requests' sizes.
fn told(phones: &Phones, node: NodeId) -> Vec<(Origin, Oversize, bool)> {
    let events = phones.events(node).into_iter().filter_map(|event| match event {
        Event::Oversize { of, sizes, by_datagram } => Some((of, sizes, by_datagram)),
        _ => None,
    });
    events.collect()
}

/// How large the INVITE of a call without a body is, in octets.
fn size_without_body() -> usize {
    let (mut phones, alice, mut wire) = Phones::scripted(1);
    phones.act(alice, |phone, now| phone.call(now, "sip:wire@192.0.2.9", "", &Content::sdp(b"v=0\r\n")).unwrap());
    wire.expect(&phones, "INVITE").bytes.len() - 5 - "5".len()
}

fn is_compact(heard: &Heard) -> bool {
    heard.text().contains("\r\nv: ") && !heard.text().contains("\r\nVia:")
}

#[test]
fn the_limit_is_exact_and_compact_names_come_first() {
    let head = size_without_body() + "800".len();
    for (more, compact) in [(0, false), (1, true), (20, true)] {
        let (mut phones, alice, mut wire) = Phones::scripted(2);
        call_with(&mut phones, alice, "sip:wire@192.0.2.9", 1300 - head + more);
        let invite = wire.expect(&phones, "INVITE");
        assert_eq!(is_compact(&invite), compact, "{}", invite.text());
        assert!(if more == 0 { invite.bytes.len() == 1300 } else { invite.bytes.len() < 1300 });
        assert_eq!((told(&phones, alice), phones.world.stats().connects), (vec![], 0));
    }
}

#[test]
fn the_known_mtu_sets_the_limit() {
    for (path_mtu, sent) in [(576, 0), (1500, 1), (2000, 1), (u16::MAX, 1)] {
        let (mut phones, _, mut wire) = Phones::scripted(3);
        let carol = phones.add_with("carol", "192.0.2.3:5060", |config| config.path_mtu = path_mtu);
        call_with(&mut phones, carol, "sip:wire@192.0.2.9", 700);
        if sent == 1 {
            assert!(!is_compact(&wire.expect(&phones, "INVITE")));
        } else {
            wire.expect_nothing(&phones);
            let (_, sizes, _) = told(&phones, carol)[0];
            assert_eq!(sizes.limit, 376);
        }
    }
}

#[test]
fn a_call_too_large_for_a_datagram_goes_by_tcp_and_its_rest_by_udp() {
    for seed in 0..20 {
        let (mut phones, alice, bob) = Phones::pair(seed);
        phones.world.network_mut().set_faults(Faults::NONE.with_delay(0, 5));
        phones.world.listen(bob, true);
        let call = call_with(&mut phones, alice, "sip:bob@192.0.2.2", 2000);
        phones.pause();
        let news = told(&phones, alice);
        let [(of, sizes, by_datagram)] = news[..] else { panic!("{news:?}") };
        assert_eq!((of, by_datagram, sizes.limit), (Origin::Call(call), false, 1300));
        assert!(sizes.compact > 1300 && sizes.long > sizes.compact + 20, "{sizes:?}");
        let incoming = phones.incoming(bob);
        phones.answer(bob, incoming);
        phones.pause();
        assert_eq!(phones.last(alice), Some(Event::Answered { call, answer_due: false }));
        let streamed = phones.world.stats().streamed;
        // The INVITE, perhaps a 100, and the 200 went over the connection.
        assert!((2..=3).contains(&streamed), "{streamed}");
        phones.hang_up(alice, call);
        phones.settle();
        assert_eq!(phones.world.stats().streamed, streamed);
        assert_eq!(phones.ended(alice), [(Cause::LocalHangup, 0)]);
        assert_eq!(phones.ended(bob), [(Cause::RemoteHangup, 0)]);
        assert_eq!(phones.world.stats().malformed, 0);
    }
}

#[test]
fn without_a_connection_it_goes_by_datagram_all_the_same_and_that_is_told() {
    let (mut phones, alice, mut wire) = Phones::scripted(5);
    let call = call_with(&mut phones, alice, "sip:wire@192.0.2.9", 2000);
    wire.expect_nothing(&phones);
    phones.wait(1);
    let invite = wire.expect(&phones, "INVITE");
    assert!(is_compact(&invite) && invite.message().top_via().transport() == b"UDP", "{}", invite.text());
    let news = told(&phones, alice);
    let [(first, sizes, false), (second, same, true)] = news[..] else { panic!("{news:?}") };
    assert_eq!((first, second, sizes), (Origin::Call(call), Origin::Call(call), same));
    assert_eq!(usize::from(sizes.compact), invite.bytes.len());
    // It is a transaction over UDP now, with its retransmissions.
    phones.wait(500);
    assert_eq!(wire.expect(&phones, "INVITE").bytes, invite.bytes);
}

#[test]
fn a_name_that_has_a_datagram_target_obeys_the_rule_too() {
    let (mut phones, alice, bob) = Phones::pair(6);
    phones.world.listen(bob, true);
    let address = phones.world.address(bob);
    phones.world.add_host("example.com", Target { address, transport: Transport::Udp });
    call_with(&mut phones, alice, "sip:bob@example.com", 2000);
    phones.pause();
    assert!(matches!(phones.last(bob), Some(Event::Incoming { .. })));
    assert_eq!(told(&phones, alice).len(), 1);
    assert_eq!((phones.world.stats().resolves, phones.world.stats().connects), (1, 1));
}

#[test]
fn a_name_that_has_a_stream_target_only_is_connected_to() {
    let (mut phones, alice, bob) = Phones::pair(7);
    phones.world.listen(bob, true);
    let address = phones.world.address(bob);
    phones.world.add_host("example.com", Target { address, transport: Transport::Tcp });
    let (_, incoming) = phones.established(alice, bob, "sip:bob@example.com");
    assert_eq!(told(&phones, alice), []);
    assert_eq!(phones.world.stats().streamed, 2);
    phones.hang_up(bob, incoming);
    phones.settle();
    assert_eq!(phones.ended(alice), [(Cause::RemoteHangup, 0)]);
}

#[test]
fn a_call_over_tcp_opens_a_connection_again_when_it_was_closed() {
    let (mut phones, _, bob) = Phones::pair(8);
    phones.world.listen(bob, true);
    let tcp = |config: &mut sip_core::ua::Config<'_>| config.transport = Transport::Tcp;
    let carol = phones.add_with("carol", "192.0.2.3:5060", tcp);
    let (call, _) = phones.established(carol, bob, "sip:bob@192.0.2.2;transport=tcp");
    phones.world.sever(bob);
    phones.pause();
    phones.hang_up(carol, call);
    phones.settle();
    assert_eq!(phones.ended(carol), [(Cause::LocalHangup, 0)]);
    assert_eq!(phones.ended(bob), [(Cause::RemoteHangup, 0)], "{}", phones.world.explain());
}

/// Alice has called without an offer and answers a 2xx of the wire with an ACK of 2,000 octets.
fn large_ack(seed: u64) -> (Phones, NodeId, Wire, Call, Heard) {
    let (mut phones, alice, mut wire) = Phones::scripted(seed);
    let call = phones.act(alice, |phone, now| phone.call(now, "sip:wire@192.0.2.9", "", &Content::NONE).expect("room"));
    let invite = wire.expect(&phones, "INVITE");
    wire.send(&mut phones, alice, &invite.response(200, "x", "Contact: <sip:wire@192.0.2.9>\r\n", OFFER));
    phones.wait(1);
    assert_eq!(phones.last(alice), Some(Event::Answered { call, answer_due: true }));
    let answer = padded(2000);
    phones.act(alice, |phone, now| phone.acknowledge(now, call, &Content::sdp(&answer))).unwrap();
    (phones, alice, wire, call, invite)
}

#[test]
fn a_large_ack_asks_for_a_connection_each_time_and_is_sent_without_one() {
    let (mut phones, alice, mut wire, call, invite) = large_ack(9);
    wire.expect_nothing(&phones);
    phones.wait(1);
    let ack = wire.expect(&phones, "ACK");
    assert!(is_compact(&ack));
    let news = told(&phones, alice);
    assert!(
        matches!(news[..], [(Origin::Call(one), _, false), (Origin::Call(two), _, true)] if one == call && two == call)
    );
    wire.send(&mut phones, alice, &invite.response(200, "x", "Contact: <sip:wire@192.0.2.9>\r\n", OFFER));
    phones.wait(1);
    assert_eq!(wire.expect(&phones, "ACK").bytes, ack.bytes);
    assert_eq!(told(&phones, alice).len(), 2);
}

#[test]
fn a_large_ack_goes_by_tcp_and_again_after_the_connection_was_closed() {
    let (mut phones, alice, bob) = Phones::pair(10);
    phones.world.listen(bob, true);
    let call = phones.act(alice, |phone, now| phone.call(now, "sip:bob@192.0.2.2", "", &Content::NONE).expect("room"));
    phones.pause();
    let incoming = phones.incoming(bob);
    phones.act(bob, |phone, now| phone.answer(now, incoming, &Content::sdp(OFFER))).unwrap();
    phones.wait(1);
    assert_eq!(phones.last(alice), Some(Event::Answered { call, answer_due: true }));
    let answer = padded(2000);
    phones.act(alice, |phone, now| phone.acknowledge(now, call, &Content::sdp(&answer))).unwrap();
    // The connection opens, and is closed before the ACK has arrived.
    phones.world.network_mut().set_faults(Faults::NONE.with_delay(5, 5));
    phones.wait(2);
    phones.world.sever(bob);
    phones.wait(100);
    assert_eq!(phones.world.stats().streamed, 0);
    // The 2xx is repeated, and the ACK finds its way over a new connection.
    phones.wait(1000);
    assert_eq!(phones.last(bob), Some(Event::Confirmed { call: incoming }), "{}", phones.world.explain());
    assert_eq!((phones.world.stats().streamed, phones.world.stats().connects), (1, 2));
    assert_eq!(told(&phones, alice).len(), 1);
    phones.hang_up(bob, incoming);
    phones.settle();
}

#[test]
fn requests_of_the_application_and_registrations_obey_the_rule() {
    let (mut phones, alice, mut wire) = Phones::scripted(11);
    let text = vec![b'x'; 3000];
    let body = Body { content_type: "text/plain", bytes: &text };
    let content = Content { body: Some(body), ..Content::NONE };
    let request = phones
        .act(alice, |phone, now| phone.request(now, Method::Message, "sip:wire@192.0.2.9", &content))
        .expect("room");
    phones.wait(1);
    wire.expect(&phones, "MESSAGE");
    let aor = format!("sip:{}@192.0.2.9", "a".repeat(700));
    let registration = phones.act(alice, |phone, now| phone.register(now, "sip:192.0.2.9", &aor, 600)).expect("room");
    phones.wait(1);
    wire.expect(&phones, "REGISTER");
    let origins: Vec<_> = told(&phones, alice).iter().map(|&(of, _, by_datagram)| (of, by_datagram)).collect();
    let (one, two) = (Origin::Request(request), Origin::Registration(registration));
    assert_eq!(origins, [(one, false), (one, true), (two, false), (two, true)]);
}

#[test]
fn a_hang_up_while_the_connection_opens_leaves_nothing() {
    let (mut phones, alice, bob) = Phones::pair(12);
    phones.world.listen(bob, true);
    let call = call_with(&mut phones, alice, "sip:bob@192.0.2.2", 2000);
    phones.hang_up(alice, call);
    phones.settle();
    assert_eq!(phones.ended(alice).len(), 1);
    assert!(phones.ended(bob).len() <= 1);
}

#[test]
fn an_mtu_that_no_path_has_is_refused() {
    let mut phone = sip_core::ua::UserAgent::new(sip_core::ua::Arrays::<4, 2, 1, 1, 2048>::new());
    let mut config = sip_core::ua::Config::new("192.0.2.1:5060", "sip:alice@example.com");
    config.path_mtu = 575;
    assert!(phone.start(&config, [1; 16]).is_err());
    config.path_mtu = 576;
    assert!(phone.start(&config, [1; 16]).is_ok());
}
