//! Where requests inside a dialog go: route sets, strict routers, Contacts.
//!
//! Covers RFC 3261 §8.1.2, §12.1.1, §12.1.2, §12.2.1.1, §16.12.1.2 (what a strict router is sent), §7.3.1 and §7.3.3 (lists and
//! compact names), field notes 2, 12, 13, 26 and B `acc03b57c` (too many rows). SRV records are the resolver's.

use sip_core::ua::{Call, Cause, Config, Event};
use sip_testkit::{ANSWER, Heard, Leg, NodeId, OFFER, Phones, Wire};

const ROUTES: &str = "Record-Route: <sip:192.0.2.7;lr>, \"Q, \\\" <x>\" <sip:192.0.2.8:5070;lr;x=1>\r\n\
                      Record-Route: <sip:192.0.2.9;lr>\r\n";

/// The scripted peer answers with these rows; what alice then sends to `next`.
fn calling(rows: &str, next: &mut Wire) -> (Phones, NodeId, Call, Heard) {
    let (mut phones, alice, mut wire) = Phones::scripted(1);
    let call = phones.call(alice, "sip:wire@192.0.2.9");
    let invite = wire.expect(&phones, "INVITE");
    wire.send(&mut phones, alice, &invite.response(200, "wire", rows, ANSWER));
    next.hear(&phones).retain(|heard| heard.kind() != "INVITE");
    let ack = phones.world.ladder().datagrams().last().unwrap().clone();
    let ack = Heard { at: ack.time.as_millis(), from: ack.to, bytes: ack.bytes };
    assert_eq!(ack.kind(), "ACK");
    (phones, alice, call, ack)
}

#[test]
fn the_caller_reverses_the_route_set_and_ack_and_bye_take_it() {
    let mut next = Wire::new("192.0.2.9:5060");
    let rows = format!("{ROUTES}Contact: <sip:callee@192.0.2.33:5099;ob;transport=udp>\r\n");
    let (mut phones, alice, call, ack) = calling(&rows, &mut next);
    phones.hang_up(alice, call);
    let bye = next.expect(&phones, "BYE");
    for request in [&ack, &bye] {
        assert_eq!(request.uri(), "sip:callee@192.0.2.33:5099;ob;transport=udp");
        let routes = "<sip:192.0.2.9;lr>, \"Q, \\\" <x>\" <sip:192.0.2.8:5070;lr;x=1>, <sip:192.0.2.7;lr>";
        assert_eq!(request.header("Route"), routes);
        assert_eq!(request.header("Max-Forwards"), "70");
    }
    assert_eq!(ack.from, phones_address("192.0.2.9:5060"), "the ACK goes to the route, not to the Contact");
    next.respond(&mut phones, alice, &bye, 200, "");
    phones.settle();
    assert_eq!(phones.ended(alice), [(Cause::LocalHangup, 0)]);
}

fn phones_address(text: &str) -> sip_core::transport::Address {
    text.parse::<core::net::SocketAddr>().unwrap().into()
}

fn called(rows: &str) -> (Phones, NodeId, Call, Leg, Wire) {
    let (mut phones, alice, mut wire) = Phones::scripted(2);
    let leg = wire.call(&mut phones, alice, "sip:alice@192.0.2.1", rows);
    let call = phones.incoming(alice);
    (phones, alice, call, leg, wire)
}

#[test]
fn the_callee_takes_the_route_set_in_order() {
    let (mut phones, alice, call, _, _) = called(ROUTES);
    let mut first = Wire::new("192.0.2.7:5060");
    phones.hang_up(alice, call);
    let bye = first.expect(&phones, "BYE");
    assert_eq!(bye.uri(), "sip:wire@192.0.2.9:5060");
    let routes = "<sip:192.0.2.7;lr>, \"Q, \\\" <x>\" <sip:192.0.2.8:5070;lr;x=1>, <sip:192.0.2.9;lr>";
    assert_eq!(bye.header("Route"), routes);
    first.respond(&mut phones, alice, &bye, 200, "");
    phones.settle();
}

#[test]
fn the_responses_copy_the_record_routes_as_they_are() {
    let (mut phones, alice, mut wire) = Phones::scripted(3);
    let mut leg = wire.leg("sip:alice@192.0.2.1");
    let rows = format!("{}{ROUTES}", wire.contact());
    let invite = wire.request(&mut leg, "INVITE", &rows, OFFER);
    wire.send(&mut phones, alice, &invite);
    let call = phones.incoming(alice);
    phones.act(alice, |phone, now| phone.ring(now, call, 180, &sip_core::ua::Content::NONE)).unwrap();
    phones.answer(alice, call);
    let all = "<sip:192.0.2.7;lr>, \"Q, \\\" <x>\" <sip:192.0.2.8:5070;lr;x=1>, <sip:192.0.2.9;lr>";
    for response in wire.expect_all(&phones, &["180", "200"]) {
        assert_eq!(response.header("Record-Route"), all);
    }
}

#[test]
fn a_strict_router_gets_itself_as_request_uri_and_the_target_last() {
    let mut next = Wire::new("192.0.2.9:5060");
    let rows = "Record-Route: <sip:192.0.2.7;lr>, <sip:strict@192.0.2.9>\r\nContact: <sip:callee@192.0.2.33>\r\n";
    let (mut phones, alice, call, ack) = calling(rows, &mut next);
    phones.hang_up(alice, call);
    let bye = next.expect(&phones, "BYE");
    for request in [&ack, &bye] {
        assert_eq!(request.uri(), "sip:strict@192.0.2.9");
        assert_eq!(request.header("Route"), "<sip:192.0.2.7;lr>, <sip:callee@192.0.2.33>");
    }
}

#[test]
fn a_loose_router_behind_a_strict_one_is_only_a_route() {
    let mut next = Wire::new("192.0.2.9:5060");
    let rows = "Record-Route: <sip:strict@192.0.2.7>, <sip:192.0.2.9;lr>\r\nContact: <sip:callee@192.0.2.33>\r\n";
    let (_, _, _, ack) = calling(rows, &mut next);
    assert_eq!(ack.uri(), "sip:callee@192.0.2.33");
    assert_eq!(ack.header("Route"), "<sip:192.0.2.9;lr>, <sip:strict@192.0.2.7>");
}

#[test]
fn without_routes_the_contact_is_the_way() {
    let mut next = Wire::new("192.0.2.33:5099");
    let contact = "m: \"A, B\" <sip:callee@192.0.2.33:5099;x=y?h=1>;q=0.5, <sip:second@192.0.2.34>\r\n";
    let (mut phones, alice, call, ack) = calling(contact, &mut next);
    assert_eq!(ack.uri(), "sip:callee@192.0.2.33:5099;x=y", "headers are not for a Request-URI (§19.1.1)");
    assert_eq!((ack.header("Route"), ack.from), (String::new(), phones_address("192.0.2.33:5099")));
    phones.hang_up(alice, call);
    let bye = next.hear(&phones).pop().unwrap();
    assert_eq!(bye.kind(), "BYE");
    next.respond(&mut phones, alice, &bye, 200, "");
    phones.settle();
}

#[test]
fn compact_headers_and_lists_make_the_same_dialog() {
    let (mut phones, alice, mut wire) = Phones::scripted(4);
    let text = "INVITE sip:alice@192.0.2.1 SIP/2.0\r\nv: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK-a, \
                SIP/2.0/UDP 192.0.2.44;branch=z9hG4bK-b\r\nf: \"W, ire\" <sip:wire@192.0.2.9>;tag=w\r\n\
                t: sip:alice@192.0.2.1\r\ni: compact\r\nCSeq: 7 INVITE\r\nMax-Forwards: 9\r\n\
                m:<sip:wire@192.0.2.9>\r\nc: application/sdp\r\nl: 3\r\n\r\nv=0";
    wire.send(&mut phones, alice, text.as_bytes());
    let call = phones.incoming(alice);
    phones.answer(alice, call);
    let answer = wire.expect(&phones, "200");
    let vias = "SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK-a, SIP/2.0/UDP 192.0.2.44;branch=z9hG4bK-b";
    assert_eq!(answer.header("Via"), vias);
    let mut leg = wire.leg_of(&answer, "");
    leg.local = "\"W, ire\" <sip:wire@192.0.2.9>;tag=w".into();
    leg.remote = answer.header("To");
    leg.call_id = "compact".into();
    leg.seq = 7;
    let ack = wire.request_as(&leg, "ACK", "z9hG4bK-ack", "", b"");
    wire.send(&mut phones, alice, &ack);
    assert_eq!(phones.last(alice), Some(Event::Confirmed { call }));
    phones.hang_up(alice, call);
    let bye = wire.expect(&phones, "BYE");
    assert_eq!((bye.uri().as_str(), bye.header("To").as_str()), ("sip:wire@192.0.2.9", leg.local.as_str()));
    wire.respond(&mut phones, alice, &bye, 200, "");
    phones.settle();
}

#[test]
fn more_routes_than_a_dialog_takes_are_refused_in_an_invite_and_cut_in_a_2xx() {
    let routes = |count: usize| -> String { (0..count).map(|_| "Record-Route: <sip:192.0.2.9;lr>\r\n").collect() };
    let (mut phones, alice, mut wire) = Phones::scripted(5);
    let mut leg = wire.leg("sip:alice@192.0.2.1");
    let rows = format!("{}{}", wire.contact(), routes(33));
    let invite = wire.request(&mut leg, "INVITE", &rows, OFFER);
    wire.send(&mut phones, alice, &invite);
    wire.expect(&phones, "400");
    assert_eq!(phones.events(alice), []);
    phones.settle();
    let (mut phones, alice, call, _, mut wire) = called(&routes(32));
    phones.hang_up(alice, call);
    let bye = wire.expect(&phones, "BYE");
    assert_eq!(bye.header("Route").split(", ").count(), 32);
    wire.respond(&mut phones, alice, &bye, 200, "");
    phones.settle();
    // In a 2xx, which has to be acknowledged, those next to us are taken.
    let (mut phones, alice, mut wire) = Phones::scripted(6);
    let call = phones.call(alice, "sip:wire@192.0.2.9");
    let invite = wire.expect(&phones, "INVITE");
    let rows = format!("{}Record-Route: <sip:192.0.2.77;lr>\r\n{}", wire.contact(), routes(32));
    wire.send(&mut phones, alice, &invite.response(200, "wire", &rows, ANSWER));
    let route = wire.expect(&phones, "ACK").header("Route");
    assert_eq!((route.split(", ").count(), route.contains("192.0.2.77")), (32, false));
    phones.hang_up(alice, call);
    let bye = wire.expect(&phones, "BYE");
    wire.respond(&mut phones, alice, &bye, 200, "");
    phones.settle();
}

#[test]
fn an_invite_with_a_contact_that_can_not_be_used_gets_400() {
    for contact in ["Contact: *\r\n", "Contact: <tel:+123>\r\n", "Contact: %\r\n"] {
        let (mut phones, alice, mut wire) = Phones::scripted(7);
        let mut leg = wire.leg("sip:alice@192.0.2.1");
        let invite = wire.request(&mut leg, "INVITE", contact, OFFER);
        wire.send(&mut phones, alice, &invite);
        wire.expect(&phones, "400");
        assert_eq!(phones.events(alice), []);
        phones.settle();
    }
}

#[test]
fn the_outbound_proxy_is_the_first_route_outside_of_dialogs_only() {
    let mut phones = Phones::new(8);
    let change = |config: &mut Config<'_>| config.proxy = "sip:192.0.2.9:5070";
    let alice = phones.add_with("alice", "192.0.2.1:5060", change);
    let (mut proxy, mut callee) = (Wire::new("192.0.2.9:5070"), Wire::new("192.0.2.33:5060"));
    let call = phones.call(alice, "sip:bob@example.com");
    let invite = proxy.expect(&phones, "INVITE");
    assert_eq!(
        (invite.uri().as_str(), invite.header("Route").as_str()),
        ("sip:bob@example.com", "<sip:192.0.2.9:5070;lr>")
    );
    proxy.respond(&mut phones, alice, &invite, 180, "");
    let contact = callee.contact();
    proxy.send(&mut phones, alice, &invite.response(200, "b", &contact, ANSWER));
    assert_eq!(callee.expect(&phones, "ACK").header("Route"), "");
    phones.hang_up(alice, call);
    let bye = callee.expect(&phones, "BYE");
    callee.respond(&mut phones, alice, &bye, 200, "");
    phones.settle();
    // CANCEL and the ACK of a refusal take the route of their INVITE.
    let call = phones.call(alice, "sip:bob@example.com");
    let invite = proxy.expect(&phones, "INVITE");
    proxy.respond(&mut phones, alice, &invite, 180, "");
    phones.hang_up(alice, call);
    let cancel = proxy.expect(&phones, "CANCEL");
    proxy.respond(&mut phones, alice, &cancel, 200, "");
    proxy.respond(&mut phones, alice, &invite, 487, "");
    let ack = proxy.expect(&phones, "ACK");
    assert_eq!((cancel.header("Route"), ack.header("Route")), (invite.header("Route"), invite.header("Route")));
    phones.settle();
}
