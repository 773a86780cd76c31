//! Names with more than one address, with none, and strict routers that are named: where requests go then.
//!
//! Covers RFC 3263 §4.3 (the next target, with a new branch, on a time-out, a failed flow and a 503), RFC 3261 §8.1.2 and
//! §12.2.1.1 (a strict router is the next hop; inside a dialog each request has a CSeq of its own), §15 (the BYE reaches a peer whose name is dead where it came from). SRV and
//! NAPTR are the resolver's.

use core::net::SocketAddr;
use sip_core::message::Method;
use sip_core::transport::{Address, Target, Transport};
use sip_core::ua::{Cause, Content, Event};
use sip_testkit::{ANSWER, NodeId, OFFER, Phones, Wire};

/// Alice, and two servers that share a name.
fn servers(seed: u64) -> (Phones, NodeId, [Wire; 2]) {
    let (mut phones, alice, _) = Phones::scripted(seed);
    let wires = ["192.0.2.7:5060", "192.0.2.8:5060"].map(|at| {
        let address = Address::from(at.parse::<SocketAddr>().unwrap());
        phones.world.add_host("pbx.example.com", Target { address, transport: Transport::Udp });
        Wire::new(at)
    });
    (phones, alice, wires)
}

#[test]
fn a_call_that_is_answered_with_503_goes_to_the_next_address() {
    let (mut phones, alice, [mut first, mut second]) = servers(1);
    let call = phones.call(alice, "sip:wire@pbx.example.com");
    phones.wait(1);
    let invite = first.expect(&phones, "INVITE");
    first.respond(&mut phones, alice, &invite, 503, "Retry-After: 600\r\n");
    first.expect(&phones, "ACK");
    let again = second.expect(&phones, "INVITE");
    assert_ne!(invite.branch(), again.branch());
    assert_eq!(
        (invite.seq(), invite.header("Call-ID"), invite.body()),
        (again.seq(), again.header("Call-ID"), again.body())
    );
    assert_eq!(phones.ended(alice), []);
    second.accept(&mut phones, alice, &again, "x", ANSWER);
    second.expect(&phones, "ACK");
    phones.hang_up(alice, call);
    let bye = second.expect(&phones, "BYE");
    second.respond(&mut phones, alice, &bye, 200, "");
    phones.settle();
    // When both say so, it is over; the one that has said so before is asked last.
    phones.call(alice, "sip:wire@pbx.example.com");
    phones.wait(1);
    for wire in [&mut second, &mut first] {
        let invite = wire.expect(&phones, "INVITE");
        wire.respond(&mut phones, alice, &invite, 503, "");
        wire.expect(&phones, "ACK");
    }
    assert_eq!(phones.ended(alice).last(), Some(&(Cause::Rejected, 503)));
    phones.settle();
}

#[test]
fn a_call_that_nobody_answers_goes_to_the_next_address() {
    let (mut phones, alice, [mut first, mut second]) = servers(2);
    phones.call(alice, "sip:wire@pbx.example.com");
    phones.wait(32_100);
    assert_eq!(first.hear(&phones).len(), 7);
    let again = second.expect(&phones, "INVITE");
    assert_eq!(phones.ended(alice), []);
    second.respond(&mut phones, alice, &again, 486, "");
    second.expect(&phones, "ACK");
    assert_eq!(phones.ended(alice), [(Cause::Rejected, 486)]);
    phones.settle();
}

#[test]
fn a_registration_whose_registrar_does_not_answer_goes_to_the_next_address() {
    let (mut phones, alice, [mut first, mut second]) = servers(3);
    phones
        .act(alice, |phone, now| phone.register(now, "sip:pbx.example.com", "sip:alice@pbx.example.com", 600))
        .unwrap();
    phones.wait(32_100);
    assert_eq!(first.hear(&phones).len(), 11);
    let again = second.expect(&phones, "REGISTER");
    let rows = format!("Contact: {};expires=600\r\n", again.header("Contact"));
    second.respond(&mut phones, alice, &again, 200, &rows);
    assert!(phones.events(alice).iter().any(|event| matches!(event, Event::Registered { .. })));
}

#[test]
fn a_server_that_failed_is_tried_last_for_five_minutes_by_every_request() {
    let (mut phones, alice, [mut first, mut second]) = servers(7);
    let register = |phones: &mut Phones| {
        let registrar = "sip:pbx.example.com";
        phones.act(alice, |phone, now| phone.register(now, registrar, "sip:alice@pbx.example.com", 3600)).unwrap()
    };
    register(&mut phones);
    phones.wait(32_100);
    assert_eq!(first.hear(&phones).len(), 11);
    let again = second.expect(&phones, "REGISTER");
    let rows = format!("Contact: {};expires=3600\r\n", again.header("Contact"));
    second.respond(&mut phones, alice, &again, 200, &rows);
    // A call, a request of its own and one in the dialog go to the second at once.
    let call = phones.call(alice, "sip:wire@pbx.example.com");
    phones.wait(1);
    let invite = second.expect(&phones, "INVITE");
    let rows = "Contact: <sip:wire@pbx.example.com>\r\n";
    second.send(&mut phones, alice, &invite.response(200, "w", rows, ANSWER));
    phones.wait(1);
    second.expect(&phones, "ACK");
    let content = Content::NONE;
    phones.act(alice, |phone, now| phone.request(now, Method::Options, "sip:pbx.example.com", &content)).unwrap();
    phones.wait(1);
    let options = second.expect(&phones, "OPTIONS");
    second.respond(&mut phones, alice, &options, 200, "");
    phones.hang_up(alice, call);
    phones.wait(1);
    let bye = second.expect(&phones, "BYE");
    second.respond(&mut phones, alice, &bye, 200, "");
    first.expect_nothing(&phones);
    // It is tried, all the same, when the second fails; and first again when its time is over.
    phones.call(alice, "sip:wire@pbx.example.com");
    phones.wait(1);
    let invite = second.expect(&phones, "INVITE");
    second.respond(&mut phones, alice, &invite, 503, "");
    second.expect(&phones, "ACK");
    let invite = first.expect(&phones, "INVITE");
    first.respond(&mut phones, alice, &invite, 486, "");
    first.expect(&phones, "ACK");
    phones.wait(310_000);
    phones.call(alice, "sip:wire@pbx.example.com");
    phones.wait(1);
    let invite = first.expect(&phones, "INVITE");
    first.respond(&mut phones, alice, &invite, 486, "");
    first.expect(&phones, "ACK");
    second.expect_nothing(&phones);
    assert_eq!(phones.ended(alice).len(), 3);
}

#[test]
fn the_callee_hangs_up_where_the_caller_came_from_when_its_name_is_dead() {
    let (mut phones, alice, mut wire) = Phones::scripted(4);
    let mut leg = wire.leg("sip:alice@192.0.2.1");
    let invite = wire.request(&mut leg, "INVITE", "Contact: <sip:wire@pbx-7.invalid>\r\n", OFFER);
    wire.send(&mut phones, alice, &invite);
    let call = phones.incoming(alice);
    phones.answer(alice, call);
    leg.remote = wire.expect(&phones, "200").header("To");
    let branch = wire.branch();
    let ack = wire.request_as(&leg, "ACK", &branch, "", b"");
    wire.send(&mut phones, alice, &ack);
    phones.hang_up(alice, call);
    phones.wait(1);
    let bye = wire.expect(&phones, "BYE");
    assert_eq!(bye.uri(), "sip:wire@pbx-7.invalid");
    wire.respond(&mut phones, alice, &bye, 200, "");
    assert_eq!(phones.ended(alice), [(Cause::LocalHangup, 0)]);
    phones.settle();
}

#[test]
fn a_strict_router_is_the_next_hop_by_its_name_too() {
    for more in ["", ", <sip:192.0.2.44;lr>"] {
        let (mut phones, alice, mut wire) = Phones::scripted(5);
        let mut router = Wire::new("192.0.2.7:5070");
        let address = Address::from("192.0.2.7:5070".parse::<SocketAddr>().unwrap());
        phones.world.add_host("router.example.com", Target { address, transport: Transport::Udp });
        let rows = format!("Record-Route: <sip:router.example.com>{more}\r\n");
        wire.call(&mut phones, alice, "sip:alice@192.0.2.1", &rows);
        let call = phones.incoming(alice);
        phones.hang_up(alice, call);
        phones.wait(1);
        let bye = router.expect(&phones, "BYE");
        assert_eq!(bye.uri(), "sip:router.example.com");
        wire.expect_nothing(&phones);
        router.respond(&mut phones, alice, &bye, 200, "");
        phones.settle();
    }
}

#[test]
fn a_request_in_a_dialog_that_goes_to_the_next_address_has_the_next_number() {
    for method in ["INVITE", "MESSAGE", "BYE"] {
        let (mut phones, alice, [mut first, mut second]) = servers(6);
        let call = phones.call(alice, "sip:wire@192.0.2.7");
        phones.wait(1);
        let invite = first.expect(&phones, "INVITE");
        let rows = "Contact: <sip:wire@pbx.example.com>\r\n";
        first.send(&mut phones, alice, &invite.response(200, "w", rows, ANSWER));
        phones.wait(1);
        first.expect(&phones, "ACK");
        match method {
            "INVITE" => {
                phones.act(alice, |phone, now| phone.reinvite(now, call, &Content::sdp(OFFER))).unwrap();
            }
            "BYE" => phones.hang_up(alice, call),
            _ => {
                let message = Method::Message;
                phones.act(alice, |phone, now| phone.request_in_call(now, call, message, &Content::NONE)).unwrap();
            }
        }
        phones.wait(1);
        let tried = first.expect(&phones, method);
        first.respond(&mut phones, alice, &tried, 503, "");
        phones.wait(1);
        let again = second.expect(&phones, method);
        assert_eq!((tried.seq(), again.seq()), (2, 3), "{method}");
        assert_ne!(tried.branch(), again.branch());
        assert_eq!((tried.uri(), tried.header("Call-ID")), (again.uri(), again.header("Call-ID")));
        assert_eq!(tried.body(), again.body());
        // What follows has the number behind that.
        if method == "MESSAGE" {
            second.respond(&mut phones, alice, &again, 200, "");
            phones.hang_up(alice, call);
            phones.wait(1);
            // To the one that did not fail.
            assert_eq!(second.expect(&phones, "BYE").seq(), 4);
        }
    }
}

#[test]
fn a_peer_that_had_the_first_try_takes_the_second_for_no_replay() {
    let mut phones = Phones::new(7);
    let alice = phones.add("alice", "192.0.2.1:5060");
    let bob = phones.add_with("bob", "192.0.2.2:5060", |config| {
        config.sent_by = "bob.example.com:5060";
        config.methods = "MESSAGE";
    });
    let mut relay = Wire::new("192.0.2.7:5060");
    for at in ["192.0.2.7:5060", "192.0.2.2:5060"] {
        let address = Address::from(at.parse::<SocketAddr>().unwrap());
        phones.world.add_host("bob.example.com", Target { address, transport: Transport::Udp });
    }
    let call = phones.call(alice, "sip:bob@192.0.2.2");
    phones.wait(1);
    let incoming = phones.incoming(bob);
    phones.answer(bob, incoming);
    phones.wait(1);
    // The ACK goes by the first address of the name, which passes on what comes, and none of the answers.
    let pass_on = |relay: &mut Wire, phones: &mut Phones, kind: &str| {
        let heard = relay.hear(phones).into_iter().find(|heard| heard.kind() == kind).expect(kind);
        relay.send(phones, bob, heard.text().as_bytes());
    };
    pass_on(&mut relay, &mut phones, "ACK");
    let message = phones.act(alice, |phone, now| phone.request_in_call(now, call, Method::Message, &Content::NONE));
    let message = message.unwrap();
    phones.wait(1);
    pass_on(&mut relay, &mut phones, "MESSAGE");
    for _ in 0..2 {
        let Some(Event::Request { request, .. }) = phones.last(bob) else { panic!("{}", phones.world.explain()) };
        phones.act(bob, |phone, now| phone.respond(now, request, 202, &Content::NONE)).unwrap();
        phones.wait(32_100);
    }
    let told = phones.events(alice);
    assert!(told.contains(&Event::Response { request: message, status: 202 }), "{told:?}");
}
