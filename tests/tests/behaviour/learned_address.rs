//! A registrar sees another address than the one that was configured.
//!
//! Covers RFC 3581 at the client, RFC 3261 §10.2.2 (the old binding goes), field note 24 (no storm of REGISTERs). Sockets and
//! NATs are simulated by a phone that is configured with an address it does not have.

use sip_core::ua::{Event, Registration};
use sip_testkit::{ANSWER, Heard, NodeId, Phone, Phones, Wire};

const INSIDE: &str = "10.0.0.5:5060";

/// A phone at 192.0.2.1:5060 that takes itself for 10.0.0.5.
fn behind_nat(seed: u64) -> (Phones, NodeId, Wire) {
    let mut phones = Phones::new(seed);
    let alice = phones.add_with("alice", "192.0.2.1:5060", |config| config.sent_by = INSIDE);
    (phones, alice, Wire::new("192.0.2.9:5060"))
}

fn register(phones: &mut Phones, alice: NodeId) -> Registration {
    let make = |phone: &mut Phone, now| phone.register(now, "sip:192.0.2.9", "sip:alice@example.com", 3600);
    phones.act(alice, make).unwrap()
}

/// Answers a request that came from `source` (`192.0.2.1` and a port).
fn answer(phones: &mut Phones, alice: NodeId, wire: &Wire, request: &Heard, source: (&str, u16), head: (u16, &str)) {
    let response = String::from_utf8(request.response(head.0, "", head.1, b"")).unwrap();
    let stamped = format!(";received={};rport={}", source.0, source.1);
    let response = response.replacen(";rport", &stamped, 1);
    assert!(response.contains(&stamped), "{response}");
    wire.send(phones, alice, response.as_bytes());
}

const OUTSIDE: (&str, u16) = ("192.0.2.1", 5060);

#[test]
fn the_binding_moves_to_the_address_that_the_registrar_saw() {
    let (mut phones, alice, mut wire) = behind_nat(1);
    let registration = register(&mut phones, alice);
    let first = wire.expect(&phones, "REGISTER");
    assert_eq!(first.rows("Contact"), ["<sip:alice@10.0.0.5:5060>"]);
    answer(&mut phones, alice, &wire, &first, OUTSIDE, (200, ""));
    phones.wait(1);
    let second = wire.expect(&phones, "REGISTER");
    assert_eq!(second.rows("Contact"), ["<sip:alice@192.0.2.1:5060>", "<sip:alice@10.0.0.5:5060>;expires=0"]);
    assert_eq!((second.header("Call-ID"), second.seq()), (first.header("Call-ID"), first.seq() + 1));
    let contact = "Contact: <sip:alice@192.0.2.1:5060>;expires=600\r\n";
    answer(&mut phones, alice, &wire, &second, OUTSIDE, (200, contact));
    assert_eq!(phones.last(alice), Some(Event::Registered { registration, expires: 600 }));
    // Calls and refreshes go by it.
    let call = phones.call(alice, "sip:wire@192.0.2.9");
    let invite = wire.expect(&phones, "INVITE");
    assert_eq!(invite.header("Contact"), "<sip:alice@192.0.2.1:5060>");
    wire.accept(&mut phones, alice, &invite, "one", ANSWER);
    wire.expect(&phones, "ACK");
    phones.wait(510_000);
    let refresh = wire.expect(&phones, "REGISTER");
    assert_eq!(refresh.rows("Contact"), ["<sip:alice@192.0.2.1:5060>"]);
    answer(&mut phones, alice, &wire, &refresh, OUTSIDE, (200, ""));
    phones.wait(1000);
    wire.expect_nothing(&phones);
    assert!(!phones.events(alice).contains(&Event::RefreshDue { call }));
}

#[test]
fn the_correction_survives_a_challenge() {
    let (mut phones, alice, mut wire) = behind_nat(2);
    phones.act(alice, |phone, _| phone.add_credentials("r", "alice", "secret")).unwrap();
    register(&mut phones, alice);
    let challenge = "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\"\r\n";
    let first = wire.expect(&phones, "REGISTER");
    wire.respond(&mut phones, alice, &first, 401, challenge);
    let answered = wire.expect(&phones, "REGISTER");
    answer(&mut phones, alice, &wire, &answered, OUTSIDE, (200, ""));
    phones.wait(1);
    let corrected = wire.expect(&phones, "REGISTER");
    wire.respond(&mut phones, alice, &corrected, 401, &challenge.replace("\"n\"", "\"m\""));
    let again = wire.expect(&phones, "REGISTER");
    assert_eq!(again.rows("Contact"), ["<sip:alice@192.0.2.1:5060>", "<sip:alice@10.0.0.5:5060>;expires=0"]);
    assert_eq!(again.rows("Authorization").len(), 1);
}

/// A NAT that gives every request another port.
#[test]
fn an_address_that_never_stays_makes_one_more_register_for_each_refresh() {
    let (mut phones, alice, mut wire) = behind_nat(3);
    register(&mut phones, alice);
    let mut port = 20_000;
    for _ in 0..4 {
        for _ in 0..2 {
            let register = wire.expect(&phones, "REGISTER");
            port += 1;
            answer(&mut phones, alice, &wire, &register, ("203.0.113.4", port), (200, "Expires: 600\r\n"));
            phones.wait(1);
        }
        wire.expect_nothing(&phones);
        phones.wait(510_000);
    }
}

#[test]
fn calls_are_to_be_refreshed_when_the_address_changes_under_them() {
    let (mut phones, alice, mut wire) = Phones::scripted(4);
    register(&mut phones, alice);
    let first = wire.expect(&phones, "REGISTER");
    wire.respond(&mut phones, alice, &first, 200, "Expires: 600\r\n");
    let call = phones.call(alice, "sip:wire@192.0.2.9");
    let invite = wire.expect(&phones, "INVITE");
    wire.accept(&mut phones, alice, &invite, "one", ANSWER);
    wire.expect(&phones, "ACK");
    phones.wait(510_000);
    let refresh = wire.expect(&phones, "REGISTER");
    answer(&mut phones, alice, &wire, &refresh, ("192.0.2.1", 40_000), (200, "Expires: 600\r\n"));
    phones.wait(1);
    let corrected = wire.expect(&phones, "REGISTER");
    assert_eq!(corrected.rows("Contact")[0], "<sip:alice@192.0.2.1:40000>");
    assert!(!phones.events(alice).contains(&Event::RefreshDue { call }), "the binding comes first");
    answer(&mut phones, alice, &wire, &corrected, ("192.0.2.1", 40_000), (200, "Expires: 600\r\n"));
    assert!(phones.events(alice).contains(&Event::RefreshDue { call }));
}

#[test]
fn a_name_stays_and_so_does_an_address_that_was_chosen() {
    let changes: [fn(&mut sip_core::ua::Config<'_>); 2] = [
        |config| config.sent_by = "phone.example.com:5060",
        |config| (config.sent_by, config.learn_address) = (INSIDE, false),
    ];
    for change in changes {
        let mut phones = Phones::new(5);
        let alice = phones.add_with("alice", "192.0.2.1:5060", change);
        let mut wire = Wire::new("192.0.2.9:5060");
        register(&mut phones, alice);
        let first = wire.expect(&phones, "REGISTER");
        answer(&mut phones, alice, &wire, &first, OUTSIDE, (200, ""));
        phones.wait(1000);
        wire.expect_nothing(&phones);
    }
}

#[test]
fn a_port_of_another_transport_is_not_taken_for_ours() {
    let (mut phones, alice, mut wire) = behind_nat(9);
    let registration = register(&mut phones, alice);
    let first = wire.expect(&phones, "REGISTER");
    // As if the REGISTER had gone by TCP for its size: the port is that of a connection.
    let response = String::from_utf8(first.response(200, "", "", b"")).unwrap();
    let response = response.replacen("SIP/2.0/UDP", "SIP/2.0/TCP", 1);
    let response = response.replacen(";rport", ";received=192.0.2.1;rport=49152", 1);
    wire.send(&mut phones, alice, response.as_bytes());
    phones.wait(1000);
    assert_eq!(phones.last(alice), Some(Event::Registered { registration, expires: 3600 }));
    wire.expect_nothing(&phones);
}
