//! INVITE and re-INVITE without an offer: it comes in the 200, the answer in the ACK.
//!
//! Covers RFC 3261 §13.2.1, §13.2.2.4, §14.1 and §22.1 (the ACK bears the INVITE's credentials), field note 18. What the
//! bodies say is not looked at; offers in provisional responses need PRACK, which is not there.

use sip_core::error::Error;
use sip_core::ua::{Cause, Content, Event};
use sip_testkit::{ANSWER, NodeId, OFFER, Phones};

fn call_without_offer(phones: &mut Phones, alice: NodeId, target: &str) -> sip_core::ua::Call {
    phones.act(alice, |phone, now| phone.call(now, target, "", &Content::NONE)).unwrap()
}

#[test]
fn the_offer_is_in_the_200_and_the_answer_in_the_ack() {
    let (mut phones, alice, bob) = Phones::pair(1);
    let call = call_without_offer(&mut phones, alice, "sip:bob@192.0.2.2");
    phones.pause();
    let incoming = phones.incoming(bob);
    phones.act(bob, |phone, now| phone.answer(now, incoming, &Content::sdp(OFFER))).unwrap();
    phones.pause();
    assert_eq!(phones.last(alice), Some(Event::Answered { call, answer_due: true }));
    assert_eq!(phones.act(alice, |phone, now| phone.reinvite(now, call, &Content::sdp(OFFER))), Err(Error::State));
    phones.wait(2000);
    assert_eq!(phones.last(bob), Some(Event::Incoming { call: incoming }));
    phones.act(alice, |phone, now| phone.acknowledge(now, call, &Content::sdp(ANSWER))).unwrap();
    assert_eq!(phones.act(alice, |phone, now| phone.acknowledge(now, call, &Content::NONE)), Err(Error::State));
    phones.pause();
    assert_eq!(phones.last(bob), Some(Event::Confirmed { call: incoming }));
    // The same again inside the call, from the other side.
    phones.act(bob, |phone, now| phone.reinvite(now, incoming, &Content::NONE)).unwrap();
    phones.pause();
    assert_eq!(phones.last(alice), Some(Event::Reinvite { call }));
    phones.act(alice, |phone, now| phone.answer(now, call, &Content::sdp(OFFER))).unwrap();
    phones.pause();
    assert_eq!(phones.last(bob), Some(Event::Reinvited { call: incoming, status: 200, answer_due: true }));
    phones.act(bob, |phone, now| phone.acknowledge(now, incoming, &Content::sdp(ANSWER))).unwrap();
    phones.pause();
    assert_eq!(phones.last(alice), Some(Event::Confirmed { call }));
    phones.hang_up(bob, incoming);
    phones.pause();
    phones.settle();
    assert_eq!(phones.ended(alice), [(Cause::RemoteHangup, 0)]);
    assert_eq!(phones.ended(bob), [(Cause::LocalHangup, 0)]);
}

#[test]
fn a_hang_up_before_the_answer_sends_a_bare_ack_and_a_bye() {
    let (mut phones, alice, mut wire) = Phones::scripted(2);
    let call = call_without_offer(&mut phones, alice, "sip:wire@192.0.2.9");
    let invite = wire.expect(&phones, "INVITE");
    assert_eq!((invite.body(), invite.header("Content-Type")), (vec![], String::new()));
    wire.accept(&mut phones, alice, &invite, "wire", OFFER);
    wire.accept(&mut phones, alice, &invite, "wire", OFFER);
    wire.expect_nothing(&phones);
    assert_eq!(phones.events(alice), [Event::Answered { call, answer_due: true }]);
    phones.hang_up(alice, call);
    let heard = wire.expect_all(&phones, &["ACK", "BYE"]);
    assert_eq!(heard[0].body(), b"");
    wire.respond(&mut phones, alice, &heard[1], 200, "");
    assert_eq!(phones.ended(alice), [(Cause::LocalHangup, 0)]);
    phones.settle();
}

#[test]
fn the_repeated_2xx_gets_the_answer_again() {
    let (mut phones, alice, mut wire) = Phones::scripted(3);
    let call = call_without_offer(&mut phones, alice, "sip:wire@192.0.2.9");
    let invite = wire.expect(&phones, "INVITE");
    wire.accept(&mut phones, alice, &invite, "wire", OFFER);
    phones.act(alice, |phone, now| phone.acknowledge(now, call, &Content::sdp(ANSWER))).unwrap();
    let ack = wire.expect(&phones, "ACK");
    assert_eq!((ack.body(), ack.seq()), (ANSWER.to_vec(), invite.seq()));
    phones.wait(500);
    wire.accept(&mut phones, alice, &invite, "wire", OFFER);
    assert_eq!(wire.expect(&phones, "ACK").bytes, ack.bytes);
    phones.hang_up(alice, call);
    let bye = wire.expect(&phones, "BYE");
    wire.respond(&mut phones, alice, &bye, 200, "");
    phones.settle();
}

#[test]
fn the_late_ack_bears_the_credentials_of_the_invite() {
    let (mut phones, alice, mut wire) = Phones::scripted(4);
    phones.act(alice, |phone, _| phone.add_credentials("", "alice", "secret")).unwrap();
    let call = call_without_offer(&mut phones, alice, "sip:wire@192.0.2.9");
    let invite = wire.expect(&phones, "INVITE");
    wire.respond(
        &mut phones,
        alice,
        &invite,
        407,
        "Proxy-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth\"\r\n",
    );
    let invite = wire.expect_all(&phones, &["ACK", "INVITE"]).remove(1);
    wire.accept(&mut phones, alice, &invite, "wire", OFFER);
    phones.act(alice, |phone, now| phone.acknowledge(now, call, &Content::sdp(ANSWER))).unwrap();
    let ack = wire.expect(&phones, "ACK");
    assert!(!invite.header("Proxy-Authorization").is_empty());
    assert_eq!(ack.header("Proxy-Authorization"), invite.header("Proxy-Authorization"));
    phones.hang_up(alice, call);
    let bye = wire.expect(&phones, "BYE");
    wire.respond(&mut phones, alice, &bye, 200, "");
    phones.settle();
}

#[test]
fn a_reinvite_that_crosses_an_answer_that_is_due_gets_491() {
    let (mut phones, alice, mut wire) = Phones::scripted(5);
    let call = call_without_offer(&mut phones, alice, "sip:wire@192.0.2.9");
    let invite = wire.expect(&phones, "INVITE");
    wire.accept(&mut phones, alice, &invite, "wire", OFFER);
    let mut leg = wire.leg_of(&invite, "wire");
    let contact = wire.contact();
    let again = wire.request(&mut leg, "INVITE", &contact, OFFER);
    wire.send(&mut phones, alice, &again);
    let refused = wire.expect(&phones, "491");
    let branch = refused.branch();
    let ack = wire.request_as(&leg, "ACK", &branch, "", b"");
    wire.send(&mut phones, alice, &ack);
    phones.act(alice, |phone, now| phone.acknowledge(now, call, &Content::sdp(ANSWER))).unwrap();
    wire.expect(&phones, "ACK");
    phones.wait(1000);
    wire.expect_nothing(&phones);
    assert_eq!(phones.events(alice), [Event::Answered { call, answer_due: true }]);
    phones.hang_up(alice, call);
    let bye = wire.expect(&phones, "BYE");
    wire.respond(&mut phones, alice, &bye, 200, "");
    phones.settle();
}
