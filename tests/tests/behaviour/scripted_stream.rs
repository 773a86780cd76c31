//! A scripted peer over TCP: who opens and who closes a connection, and when, is the test's to say.
//!
//! Covers what the kit promises to tests of connections; what a phone makes of them is in register.rs, transport.rs and others.

use sip_core::time::Duration;
use sip_core::transport::Transport;
use sip_core::ua::{Call, Cause, Event};
use sip_testkit::{ANSWER, NodeId, OFFER, Phones, Wire};

/// A phone that prefers TCP, and a peer that takes connections.
fn over_tcp(seed: u64) -> (Phones, NodeId, Wire) {
    let mut phones = Phones::new(seed);
    let carol = phones.add_with("carol", "192.0.2.3:5060", |config| config.transport = Transport::Tcp);
    let wire = Wire::listening(&mut phones, "192.0.2.9:5060");
    (phones, carol, wire)
}

fn ringing(phones: &mut Phones, carol: NodeId) -> Call {
    let call = phones.call(carol, "sip:wire@192.0.2.9;transport=tcp");
    phones.wait(2);
    call
}

#[test]
fn a_call_goes_over_the_connection_that_the_phone_opens() {
    let (mut phones, carol, mut wire) = over_tcp(1);
    let call = ringing(&mut phones, carol);
    let invite = wire.expect(&phones, "INVITE");
    assert_eq!(invite.message().top_via().transport(), b"TCP");
    assert_eq!(wire.connections(&phones).len(), 1);
    wire.accept(&mut phones, carol, &invite, "w", ANSWER);
    phones.wait(2);
    wire.expect(&phones, "ACK");
    phones.hang_up(carol, call);
    phones.wait(2);
    let bye = wire.expect(&phones, "BYE");
    wire.respond(&mut phones, carol, &bye, 200, "");
    phones.settle();
    assert_eq!((phones.ended(carol), phones.world.stats().malformed), (vec![(Cause::LocalHangup, 0)], 0));
    assert_eq!(wire.connections(&phones).len(), 1);
}

#[test]
fn what_was_sent_before_the_end_of_a_connection_arrives_before_it() {
    for seed in 0..20 {
        let (mut phones, carol, mut wire) = over_tcp(seed);
        let call = ringing(&mut phones, carol);
        let invite = wire.expect(&phones, "INVITE");
        phones.world.network_mut().set_faults(sip_testkit::Faults::NONE.with_delay(1, 50));
        let busy = invite.response(486, "w", "", b"");
        let [flow] = wire.connections(&phones)[..] else { panic!("one connection") };
        phones.world.write(wire.address(), flow, &busy);
        wire.close(&mut phones);
        assert_eq!(wire.connections(&phones), []);
        phones.pause();
        assert_eq!(phones.last(carol), Some(Event::Ended { call, cause: Cause::Rejected, status: 486 }));
    }
}

#[test]
fn a_connection_is_closed_at_a_chosen_moment() {
    let (mut phones, carol, mut wire) = over_tcp(3);
    ringing(&mut phones, carol);
    wire.expect(&phones, "INVITE");
    let [flow] = wire.connections(&phones)[..] else { panic!("one connection") };
    phones.world.hang_up_after(Duration::from_millis(500), flow);
    phones.wait(499);
    assert_eq!(wire.connections(&phones), [flow]);
    phones.wait(1);
    assert!(!wire.connections(&phones).contains(&flow));
}

#[test]
fn a_peer_that_refuses_connections_again_is_not_connected_to() {
    let (mut phones, carol, mut wire) = over_tcp(4);
    phones.world.listen_scripted(wire.address(), false);
    ringing(&mut phones, carol);
    assert_eq!(wire.connections(&phones), []);
    assert_eq!(phones.world.stats().connects, 1);
    assert_eq!(wire.hear(&phones).iter().filter(|heard| heard.text().contains("SIP/2.0/TCP")).count(), 0);
}

#[test]
fn a_peer_opens_a_connection_to_a_phone_and_is_answered_on_it() {
    let (mut phones, bob) = (Phones::new(5), NodeId::FIRST);
    phones.add("bob", "192.0.2.2:5060");
    phones.world.listen(bob, true);
    let mut wire = Wire::new("192.0.2.9:5060");
    let first = wire.connect(&mut phones, bob);
    let mut leg = wire.leg("sip:bob@192.0.2.2;transport=tcp");
    let rows = wire.contact();
    let invite = wire.request(&mut leg, "INVITE", &rows, OFFER);
    wire.send(&mut phones, bob, &invite);
    let incoming = phones.incoming(bob);
    phones
        .act(bob, |phone, now| phone.reject(now, incoming, 486, &sip_core::ua::Content::NONE))
        .expect("a call to reject");
    phones.wait(2);
    let heard = wire.expect(&phones, "486");
    assert_eq!(heard.from, phones.world.address(bob));
    // What a peer writes that is no stream of messages has its connection closed.
    let second = wire.connect(&mut phones, bob);
    assert_eq!(wire.connections(&phones), [first, second]);
    wire.send(&mut phones, bob, b"OPTIONS sip:bob@192.0.2.2 SIP/2.0\r\nContent-Length: many\r\n\r\n");
    phones.wait(2);
    assert_eq!(wire.connections(&phones), [first]);
}
