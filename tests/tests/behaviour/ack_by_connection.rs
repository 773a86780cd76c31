//! The ACK to a 2xx over connections that come and go.
//!
//! Covers RFC 3261 §13.2.2.4 (each repetition of the 2xx is acknowledged) and §18.1.1: no dialog keeps a connection, so an ACK goes
//! out by one that is open, and as often as the 2xx is repeated; at most one waits for its way at a time.

use sip_core::time::Duration;
use sip_core::transport::{Address, Target, Transport};
use sip_core::ua::Event;
use sip_testkit::{ANSWER, Config, Heard, NodeId, Phones, Wire};

/// A phone that prefers TCP and takes connections has called a peer, whose INVITE came by one.
fn called(seed: u64) -> (Phones, NodeId, Wire, Heard) {
    let mut phones = Phones::new(seed);
    let carol = phones.add_with("carol", "192.0.2.3:5060", |config| config.transport = Transport::Tcp);
    phones.world.listen(carol, true);
    let mut wire = Wire::listening(&mut phones, "192.0.2.9:5060");
    phones.call(carol, "sip:wire@192.0.2.9;transport=tcp");
    phones.wait(2);
    let invite = wire.expect(&phones, "INVITE");
    (phones, carol, wire, invite)
}

#[test]
fn without_a_target_it_goes_by_the_connection_by_which_the_2xx_came_again() {
    for contact in ["<tel:+15550100>", "<sip:wire@nowhere.invalid;transport=tcp>"] {
        let (mut phones, carol, mut wire, invite) = called(1);
        let ok = invite.response(200, "w", &format!("Contact: {contact}\r\n"), ANSWER);
        wire.send(&mut phones, carol, &ok);
        phones.wait(5);
        let ack = wire.expect(&phones, "ACK");
        wire.close(&mut phones);
        wire.connect(&mut phones, carol);
        wire.send(&mut phones, carol, &ok);
        phones.wait(5);
        assert_eq!(wire.expect(&phones, "ACK").bytes, ack.bytes, "{contact}");
    }
}

#[test]
fn a_bye_without_a_target_opens_a_connection_to_where_the_2xx_came_from() {
    for contact in ["<tel:+15550100>", "<sip:wire@nowhere.invalid;transport=tcp>"] {
        let (mut phones, carol, mut wire, invite) = called(2);
        wire.send(&mut phones, carol, &invite.response(200, "w", &format!("Contact: {contact}\r\n"), ANSWER));
        phones.wait(5);
        wire.expect(&phones, "ACK");
        wire.close(&mut phones);
        let call = phones.world.role(carol).calls().next().expect("a call");
        phones.hang_up(carol, call);
        phones.wait(5);
        wire.expect(&phones, "BYE");
    }
}

#[test]
fn one_ack_at_a_time_waits_for_the_address_of_its_target() {
    let mut phones =
        Phones::with(Config { answer_after: Duration::from_millis(50), ..Config::new(2).with_ladder(2000) });
    let alice = phones.add("alice", "192.0.2.1:5060");
    let mut wire = Wire::new("192.0.2.9:5060");
    let address = Address::from("192.0.2.9:5060".parse::<core::net::SocketAddr>().expect("an address"));
    phones.world.add_host("phone.example.com", Target { address, transport: Transport::Udp });
    let call = phones.call(alice, "sip:wire@192.0.2.9");
    let invite = wire.expect(&phones, "INVITE");
    let ok = invite.response(200, "w", "Contact: <sip:wire@phone.example.com>\r\n", ANSWER);
    for _ in 0..20 {
        wire.send(&mut phones, alice, &ok);
    }
    // The INVITE, which takes repetitions, and the ACK.
    assert_eq!(phones.world.role(alice).occupancy().transactions, 2);
    phones.wait(60);
    wire.expect(&phones, "ACK");
    assert_eq!(phones.world.stats().resolves, 1);
    assert_eq!(phones.last(alice), Some(Event::Answered { call, answer_due: false }));
}
