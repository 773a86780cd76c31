//! A 2xx that our INVITE gets and that makes no good dialog: it is acknowledged all the same.
//!
//! Covers RFC 3261 §13.2.2.4: a Contact or Record-Route that can't be read, and a memory without room for the dialog.

use sip_core::ua::{Cause, Config, Content, Event};
use sip_testkit::{ANSWER, Heard, NodeId, Phones, Wire};

/// Contacts as they were seen on the wire.
const CONTACTS: [&str; 12] = [
    "<sip:wire@192.0.2.9:5060;>",
    "<sip:100%@192.0.2.9:5060>",
    "<sip:161 201 1@192.0.2.9:5060>",
    "<sip:[x]@192.0.2.9:5060>",
    "<sip:a|b@192.0.2.9:5060>",
    "<sip:a@b@192.0.2.9:5060>",
    "<sip:wire@2001:db8::9>",
    "<tel:+15550100>",
    "*",
    "",
    "<sip:wire@192.0.2.9:5060",
    "<mailto:wire@192.0.2.9>",
];

#[test]
fn a_contact_that_can_not_be_used_leaves_a_call_with_the_sender() {
    for contact in CONTACTS {
        for ringing in [false, true] {
            let (mut phones, alice, mut wire) = Phones::scripted(1);
            let call = phones.call(alice, "sip:wire@192.0.2.9");
            let invite = wire.expect(&phones, "INVITE");
            let rows = format!("Contact: {contact}\r\n");
            if ringing {
                wire.send(&mut phones, alice, &invite.response(180, "wire", &rows, b""));
            }
            wire.send(&mut phones, alice, &invite.response(200, "wire", &rows, ANSWER));
            let ack = wire.expect(&phones, "ACK");
            assert_eq!((ack.to_tag().as_str(), ack.seq()), ("wire", invite.seq()), "{contact}");
            assert_eq!(phones.last(alice), Some(Event::Answered { call, answer_due: false }));
            wire.send(&mut phones, alice, &invite.response(200, "wire", &rows, ANSWER));
            assert_eq!(wire.expect(&phones, "ACK").bytes, ack.bytes);
            phones.hang_up(alice, call);
            let bye = wire.expect(&phones, "BYE");
            wire.respond(&mut phones, alice, &bye, 200, "");
            phones.settle();
            assert_eq!(phones.ended(alice), [(Cause::LocalHangup, 0)]);
        }
    }
}

#[test]
fn it_does_so_in_a_late_fork_and_in_a_reinvite() {
    for contact in CONTACTS {
        let (mut phones, alice, mut wire) = Phones::scripted(2);
        let call = phones.call(alice, "sip:wire@192.0.2.9");
        let invite = wire.expect(&phones, "INVITE");
        wire.accept(&mut phones, alice, &invite, "one", ANSWER);
        wire.expect(&phones, "ACK");
        let rows = format!("Contact: {contact}\r\n");
        wire.send(&mut phones, alice, &invite.response(200, "two", &rows, ANSWER));
        let heard = wire.expect_all(&phones, &["ACK", "BYE"]);
        wire.respond(&mut phones, alice, &heard[1], 200, "");
        let offer = Content::sdp(sip_testkit::OFFER);
        phones.act(alice, |phone, now| phone.reinvite(now, call, &offer)).unwrap();
        let invite = wire.expect(&phones, "INVITE");
        wire.send(&mut phones, alice, &invite.response(200, "one", &rows, ANSWER));
        assert_eq!(wire.expect(&phones, "ACK").uri(), "sip:wire@192.0.2.9:5060");
        phones.hang_up(alice, call);
        let bye = wire.expect(&phones, "BYE");
        wire.respond(&mut phones, alice, &bye, 200, "");
        phones.settle();
    }
}

#[test]
fn a_record_route_that_can_not_be_read_is_passed_over() {
    for (rows, route) in [
        ("Record-Route: <sip:192.0.2.9;lr\r\n", ""),
        ("Record-Route: <sip:192.0.2.33;lr>, <sip:192.0.2.9;lr\r\n", "<sip:192.0.2.33;lr>"),
        ("Record-Route: %, <sip:192.0.2.9;lr>\r\n", "<sip:192.0.2.9;lr>"),
    ] {
        let (mut phones, alice, mut wire) = Phones::scripted(3);
        let call = phones.call(alice, "sip:wire@192.0.2.9");
        let invite = wire.expect(&phones, "INVITE");
        let rows = format!("{}{rows}", wire.contact());
        wire.send(&mut phones, alice, &invite.response(200, "wire", &rows, ANSWER));
        assert_eq!(wire.expect(&phones, "ACK").header("Route"), route);
        phones.hang_up(alice, call);
        let bye = wire.expect(&phones, "BYE");
        wire.respond(&mut phones, alice, &bye, 200, "");
        phones.settle();
    }
}

/// A phone that calls with `body` and whose memory is full but for what the call has reserved.
fn full(seed: u64, body: &[u8]) -> (Phones, NodeId, Wire, Heard) {
    let mut phones = Phones::new(seed);
    let alice = phones.add_with("alice", "192.0.2.1:5060", |config: &mut Config<'_>| {
        config.methods = "MESSAGE";
        config.path_mtu = 9000;
    });
    let mut wire = Wire::new("192.0.2.9:5060");
    phones.act(alice, |phone, now| phone.call(now, "sip:wire@192.0.2.9", "", &Content::sdp(body))).unwrap();
    let invite = wire.expect(&phones, "INVITE");
    let mut others = Wire::new("192.0.2.8:5060");
    for size in [1500, 500, 150, 40, 1] {
        for _ in 0..16 {
            let mut leg = others.leg("sip:alice@192.0.2.1");
            leg.call_id.push_str(&"x".repeat(size));
            let message = others.request(&mut leg, "MESSAGE", "", b"");
            others.send(&mut phones, alice, &message);
        }
    }
    (phones, alice, wire, invite)
}

fn routes(octets: usize) -> String {
    format!("Record-Route: <sip:{}@192.0.2.9;lr>\r\n", "r".repeat(octets))
}

#[test]
fn the_invite_makes_room_for_the_dialog_of_its_2xx() {
    let (mut phones, alice, mut wire, invite) = full(4, &[b'x'; 2500]);
    let rows = format!("{}{}", wire.contact(), routes(700));
    wire.send(&mut phones, alice, &invite.response(200, "wire", &rows, ANSWER));
    let ack = wire.expect(&phones, "ACK");
    assert!(ack.header("Route").contains("rrrrr"), "{}", phones.world.explain());
    let Some(Event::Answered { call, .. }) = phones.last(alice) else { panic!("no call") };
    phones.hang_up(alice, call);
    let bye = wire.expect(&phones, "BYE");
    wire.respond(&mut phones, alice, &bye, 200, "");
    assert_eq!(phones.ended(alice), [(Cause::LocalHangup, 0)]);
}

#[test]
fn a_2xx_that_finds_no_room_is_acknowledged_and_ended_when_there_is_some() {
    let (mut phones, alice, mut wire, invite) = full(5, ANSWER);
    phones.wait(5000);
    wire.hear(&phones);
    let rows = format!("{}{}", wire.contact(), routes(1500));
    let answer = invite.response(200, "wire", &rows, ANSWER);
    wire.send(&mut phones, alice, &answer);
    wire.expect_nothing(&phones);
    assert_eq!(phones.ended(alice), [(Cause::NoRoom, 200)]);
    // The requests that nobody answers are forgotten.
    phones.wait(30_000);
    wire.send(&mut phones, alice, &answer);
    let heard = wire.hear(&phones);
    let kinds: Vec<_> = heard.iter().map(Heard::kind).collect();
    assert_eq!(kinds, ["ACK", "BYE"], "{}", phones.world.explain());
    wire.respond(&mut phones, alice, &heard[1], 200, "");
    phones.settle();
    assert_eq!(phones.ended(alice).len(), 1);
}
