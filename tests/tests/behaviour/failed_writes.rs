//! Writes that fail at once, as on a connection that the peer has just closed: what was to be sent was not.
//!
//! Covers RFC 3261 §8.1.3.1, §17.1.4, §18.4 (the user learns at once, or the next target is tried), §18.2.2 (an answer goes by a
//! new connection), RFC 3263 §4.3. Which error of which system says so is the adapters'.

use core::net::SocketAddr;
use sip_core::message::Method;
use sip_core::transport::{Address, FlowError, Target, Transport};
use sip_core::ua::{Cause, Config, Content, Event};
use sip_testkit::{ANSWER, NodeId, Phones, Wire};

fn phone(phones: &mut Phones, name: &str, address: &str, transport: Transport) -> NodeId {
    let node = phones.add_with(name, address, |config: &mut Config<'_>| {
        config.transport = transport;
        config.methods = "MESSAGE";
    });
    phones.world.listen(node, true);
    node
}

fn pair(seed: u64, transport: Transport) -> (Phones, NodeId, NodeId) {
    let mut phones = Phones::new(seed);
    let alice = phone(&mut phones, "alice", "192.0.2.1:5060", transport);
    let bob = phone(&mut phones, "bob", "192.0.2.2:5060", transport);
    (phones, alice, bob)
}

#[test]
fn a_call_whose_invite_can_not_be_written_is_over_at_once() {
    for (transport, error) in [
        (Transport::Udp, FlowError::Unreachable),
        (Transport::Udp, FlowError::TooLarge),
        (Transport::Tcp, FlowError::Closed),
    ] {
        let (mut phones, alice, _) = pair(1, transport);
        phones.world.fail_writes(alice, 1, error);
        phones.call(alice, &format!("sip:bob@192.0.2.2;transport={}", transport.name()));
        phones.wait(10);
        assert_eq!(phones.ended(alice), [(Cause::Unreachable, 0)], "{transport} {error:?}");
        phones.settle();
    }
}

#[test]
fn a_call_whose_invite_can_not_be_written_goes_to_the_next_address_at_once() {
    for transport in [Transport::Udp, Transport::Tcp] {
        let mut phones = Phones::new(2);
        let alice = phone(&mut phones, "alice", "192.0.2.1:5060", transport);
        let mut wires = ["192.0.2.7:5060", "192.0.2.8:5060"].map(|at| {
            let address = Address::from(at.parse::<SocketAddr>().unwrap());
            phones.world.add_host("pbx.example.com", Target { address, transport });
            Wire::listening(&mut phones, at)
        });
        phones.world.fail_writes(alice, 1, FlowError::Closed);
        phones.call(alice, "sip:wire@pbx.example.com");
        phones.wait(10);
        wires[0].expect_nothing(&phones);
        let invite = wires[1].expect(&phones, "INVITE");
        assert_eq!(invite.header("CSeq"), "1 INVITE");
        assert_eq!(phones.ended(alice), []);
    }
}

#[test]
fn an_answer_that_can_not_be_written_goes_by_a_new_connection() {
    let (mut phones, alice, bob) = pair(3, Transport::Tcp);
    let target = "sip:bob@192.0.2.2;transport=tcp";
    phones.call(alice, target);
    phones.wait(10);
    let incoming = phones.incoming(bob);
    // The refusal of a call: nobody repeats it but its transaction.
    phones.world.fail_writes(bob, 1, FlowError::Closed);
    phones.act(bob, |phone, now| phone.reject(now, incoming, 486, &Content::NONE)).unwrap();
    phones.wait(10);
    assert_eq!(phones.ended(alice), [(Cause::Rejected, 486)]);
    phones.settle();
    // What answers another request, whose transaction is over when it is sent. Its client has given up with its connection.
    phones.act(alice, |phone, now| phone.request(now, Method::Message, target, &Content::NONE)).unwrap();
    phones.wait(10);
    let Some(Event::Request { request: incoming, .. }) = phones.last(bob) else { panic!("not handed over") };
    phones.world.fail_writes(bob, 1, FlowError::Closed);
    phones.act(bob, |phone, now| phone.respond(now, incoming, 202, &Content::NONE)).unwrap();
    phones.wait(10);
    assert_eq!(phones.world.role(alice).statistics().strays, 1);
    phones.settle();
}

#[test]
fn what_ends_a_call_goes_by_a_new_connection() {
    // The CANCEL,
    let (mut phones, alice, bob) = pair(4, Transport::Tcp);
    let call = phones.call(alice, "sip:bob@192.0.2.2;transport=tcp");
    phones.wait(10);
    let incoming = phones.incoming(bob);
    phones.act(bob, |phone, now| phone.ring(now, incoming, 180, &Content::NONE)).unwrap();
    phones.wait(10);
    phones.world.fail_writes(alice, 1, FlowError::Closed);
    phones.hang_up(alice, call);
    phones.wait(100);
    assert_eq!(phones.ended(bob), [(Cause::Cancelled, 487)]);
    phones.settle();
    // the ACK to a refusal,
    let (mut phones, alice, _) = pair(5, Transport::Tcp);
    let mut wire = Wire::listening(&mut phones, "192.0.2.9:5060");
    phones.call(alice, "sip:wire@192.0.2.9;transport=tcp");
    phones.wait(10);
    let invite = wire.expect(&phones, "INVITE");
    phones.world.fail_writes(alice, 1, FlowError::Closed);
    wire.respond(&mut phones, alice, &invite, 486, "");
    phones.wait(10);
    wire.expect(&phones, "ACK");
    // and the BYE.
    let call = phones.call(alice, "sip:wire@192.0.2.9;transport=tcp");
    phones.wait(10);
    let invite = wire.expect(&phones, "INVITE");
    wire.accept(&mut phones, alice, &invite, "w", ANSWER);
    phones.wait(10);
    wire.expect(&phones, "ACK");
    phones.world.fail_writes(alice, 1, FlowError::Closed);
    phones.hang_up(alice, call);
    phones.wait(10);
    let bye = wire.expect(&phones, "BYE");
    wire.respond(&mut phones, alice, &bye, 200, "");
    phones.settle();
    // A peer that takes connections and then none of what is written drives no endless row of them.
    let call = phones.call(alice, "sip:wire@192.0.2.9;transport=tcp");
    phones.wait(10);
    let invite = wire.expect(&phones, "INVITE");
    wire.accept(&mut phones, alice, &invite, "w", ANSWER);
    phones.wait(10);
    wire.expect(&phones, "ACK");
    let connects = phones.world.stats().connects;
    phones.world.fail_writes(alice, u32::MAX, FlowError::Closed);
    phones.hang_up(alice, call);
    phones.settle();
    assert!(phones.world.stats().connects <= connects + 2, "{} connections", phones.world.stats().connects - connects);
}
