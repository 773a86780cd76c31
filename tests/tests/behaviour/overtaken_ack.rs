//! A re-INVITE that overtakes the ACK to our 2xx.
//!
//! Covers RFC 5407 §3.1.4 (offer and answer are done: it is taken) and §3.1.5 (the answer is owed in the ACK: 491). A second INVITE
//! before the final response to the first is in reinvite.rs.

use sip_core::ua::{Cause, Content, Event};
use sip_testkit::{ANSWER, Heard, Leg, NodeId, OFFER, Phones, Wire};

/// A phone that has answered and has no ACK.
fn answered(seed: u64, offer: &[u8], body: &[u8]) -> (Phones, NodeId, Wire, Leg, Heard) {
    let (mut phones, alice, mut wire) = Phones::scripted(seed);
    let mut leg = wire.leg("sip:alice@192.0.2.1");
    let contact = wire.contact();
    let invite = wire.request(&mut leg, "INVITE", &contact, offer);
    wire.send(&mut phones, alice, &invite);
    let call = phones.incoming(alice);
    phones.act(alice, |phone, now| phone.answer(now, call, &Content::sdp(body))).unwrap();
    let ok = wire.expect(&phones, "200");
    leg.remote = ok.header("To");
    (phones, alice, wire, leg, ok)
}

#[test]
fn it_is_taken_when_offer_and_answer_are_done() {
    for lost in [false, true] {
        let (mut phones, alice, mut wire, mut leg, _) = answered(1, OFFER, ANSWER);
        let call = phones.incoming(alice);
        let late = wire.request_as(&leg, "ACK", "z9hG4bK-late", "", b"");
        let contact = wire.contact();
        let reinvite = wire.request(&mut leg, "INVITE", &contact, OFFER);
        wire.send(&mut phones, alice, &reinvite);
        assert_eq!(phones.last(alice), Some(Event::Reinvite { call }));
        if !lost {
            wire.send(&mut phones, alice, &late);
            assert_eq!(phones.last(alice), Some(Event::Reinvite { call }));
        }
        // The peer has the first 200: it is not repeated.
        phones.wait(3000);
        assert!(!wire.kinds(&phones).contains("200"));
        phones.answer(alice, call);
        let ok = wire.expect(&phones, "200");
        assert_eq!(ok.seq(), leg.seq);
        wire.send(&mut phones, alice, &late);
        phones.wait(500);
        wire.expect(&phones, "200");
        let ack = wire.request_as(&leg, "ACK", "z9hG4bK-second", "", b"");
        wire.send(&mut phones, alice, &ack);
        assert_eq!(phones.last(alice), Some(Event::Confirmed { call }));
        phones.hang_up(alice, call);
        let bye = wire.expect(&phones, "BYE");
        wire.respond(&mut phones, alice, &bye, 200, "");
        phones.settle();
        assert_eq!(phones.ended(alice), [(Cause::LocalHangup, 0)]);
    }
}

#[test]
fn it_is_refused_with_491_while_the_answer_is_owed() {
    let (mut phones, alice, mut wire, mut leg, _) = answered(2, b"", OFFER);
    let call = phones.incoming(alice);
    let late = wire.request_as(&leg, "ACK", "z9hG4bK-late", "", ANSWER);
    let contact = wire.contact();
    let reinvite = wire.request(&mut leg, "INVITE", &contact, OFFER);
    wire.send(&mut phones, alice, &reinvite);
    let refused = wire.expect(&phones, "491");
    let ack = wire.request_as(&leg, "ACK", &refused.branch(), "", b"");
    wire.send(&mut phones, alice, &ack);
    wire.send(&mut phones, alice, &late);
    assert_eq!(phones.last(alice), Some(Event::Confirmed { call }));
    let reinvite = wire.request(&mut leg, "INVITE", &contact, OFFER);
    wire.send(&mut phones, alice, &reinvite);
    assert_eq!(phones.last(alice), Some(Event::Reinvite { call }));
    let bye = wire.request(&mut leg, "BYE", "", b"");
    wire.send(&mut phones, alice, &bye);
    phones.pause();
    assert_eq!(phones.ended(alice), [(Cause::RemoteHangup, 0)]);
}
