//! Peers that give each INVITE of a dialog the branch of the first one, as some PBXs do: the CSeq tells them apart.
//!
//! RFC 3261 §8.1.1.7 wants another branch; §17.2.3 matches by branch, sent-by and method alone. What is new by its CSeq is taken as new.

use sip_core::ua::Event;
use sip_testkit::{OFFER, Phones, Wire};

#[test]
fn a_reinvite_under_the_branch_of_its_invite_is_a_new_request() {
    let (mut phones, alice, mut wire) = Phones::scripted(1);
    let mut leg = wire.leg("sip:alice@192.0.2.1");
    leg.seq = 1;
    let contact = wire.contact();
    let invite = |wire: &Wire, leg: &sip_testkit::Leg| wire.request_as(leg, "INVITE", "z9hG4bKalways", &contact, OFFER);
    let first = invite(&wire, &leg);
    wire.send(&mut phones, alice, &first);
    let call = phones.incoming(alice);
    phones.answer(alice, call);
    let answer = wire.expect(&phones, "200");
    (leg.remote, leg.target) = (answer.header("To"), answer.contact());
    let ack = wire.request_as(&leg, "ACK", "z9hG4bKack1", "", b"");
    wire.send(&mut phones, alice, &ack);
    for round in 2..6 {
        leg.seq = round;
        let again = invite(&wire, &leg);
        wire.send(&mut phones, alice, &again);
        assert_eq!(phones.last(alice), Some(Event::Reinvite { call }), "{}", phones.world.explain());
        // Its retransmission is none.
        let events = phones.events(alice).len();
        wire.send(&mut phones, alice, &again);
        assert_eq!(phones.events(alice).len(), events);
        phones.answer(alice, call);
        let answer = wire.hear(&phones).pop().expect("an answer");
        assert_eq!((answer.kind().as_str(), answer.seq()), ("200", round));
        let ack = wire.request_as(&leg, "ACK", &format!("z9hG4bKack{round}"), "", b"");
        wire.send(&mut phones, alice, &ack);
        assert_eq!(phones.last(alice), Some(Event::Confirmed { call }));
        phones.wait(100);
        wire.expect_nothing(&phones);
    }
    phones.hang_up(alice, call);
    let bye = wire.expect(&phones, "BYE");
    wire.respond(&mut phones, alice, &bye, 200, "");
    phones.settle();
}
