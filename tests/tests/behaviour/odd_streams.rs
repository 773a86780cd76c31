//! What stands between and within the messages of a connection, and costs neither the message nor the connection.
//!
//! Covers RFC 3261 §7.5 and RFC 5626 §4.4.1 (what may stand between messages), §8.2.2 (a row that nobody needs), §18.3 (framing), §21.5.7 (513).
//! How adapters answer pings is tested there.

use sip_testkit::{Faults, NodeId, Phones, Wire};

/// A phone that takes connections, and a peer that has one with it.
fn connected(seed: u64) -> (Phones, NodeId, Wire) {
    let mut phones = Phones::new(seed);
    let bob = phones.add("bob", "192.0.2.2:5060");
    phones.world.listen(bob, true);
    let mut wire = Wire::new("192.0.2.9:5060");
    wire.connect(&mut phones, bob);
    (phones, bob, wire)
}

fn options(wire: &mut Wire, rows: &str) -> Vec<u8> {
    let mut leg = wire.leg("sip:bob@192.0.2.2");
    wire.request(&mut leg, "OPTIONS", rows, b"")
}

/// Sends octets, cut anywhere, then an OPTIONS; both are dealt with.
fn is_answered_behind(octets: &[u8], seed: u64) {
    let (mut phones, bob, mut wire) = connected(seed);
    phones.world.network_mut().set_faults(Faults::NONE.with_delay(0, 3));
    wire.send(&mut phones, bob, octets);
    let ours = options(&mut wire, "");
    wire.send(&mut phones, bob, &ours);
    phones.pause();
    wire.expect(&phones, "200");
    assert_eq!(wire.connections(&phones).len(), 1);
}

#[test]
fn line_ends_and_nuls_between_messages_are_passed_over() {
    for seed in 0..20 {
        for octets in
            [&b"\r\n"[..], b"\r\n\r\n", b"\r\n\0", b"\r\n\r\n\0", b"\0", b"\0\0\0\0\0\0\0\0", b"\0\r\n\0\r\n\r\n"]
        {
            is_answered_behind(octets, seed);
        }
    }
}

#[test]
fn a_row_that_is_none_costs_neither_the_message_nor_the_connection() {
    let odd = [
        "X Y: name with a space\r\n",
        "no colon at all\r\n",
        "Gr\u{fc}\u{df}e: aus Wien\r\n",
        "@: at\r\n",
        ": nothing\r\n",
    ];
    for (seed, rows) in (0..).zip(odd) {
        let (mut phones, bob, mut wire) = connected(seed);
        for _ in 0..3 {
            let request = options(&mut wire, rows);
            wire.send(&mut phones, bob, &request);
            phones.pause();
            wire.expect(&phones, "200");
        }
        assert_eq!(wire.connections(&phones).len(), 1, "{rows}");
    }
}

#[test]
fn a_body_that_is_no_message_is_its_messages() {
    // The framer and the parser agree where a message ends, though its body looks like another one.
    let (mut phones, bob, mut wire) = connected(1);
    let inner = options(&mut wire, "");
    let mut leg = wire.leg("sip:bob@192.0.2.2");
    let outer = wire.request(&mut leg, "OPTIONS", "", &inner);
    for _ in 0..2 {
        wire.send(&mut phones, bob, &outer);
    }
    phones.pause();
    let answers = wire.hear(&phones);
    assert!(answers.iter().all(|answer| answer.header("Call-ID") == leg.call_id), "{}", phones.world.explain());
    assert_eq!(answers.len(), 2);
}

#[test]
fn where_the_end_of_a_message_is_in_doubt_the_connection_ends() {
    for (seed, rows) in
        (0..).zip(["Content-Length: many\r\n", "Content-Length: -1\r\n", "Content-Length: 4294967296\r\n"])
    {
        let (mut phones, bob, mut wire) = connected(seed);
        let request = String::from_utf8(options(&mut wire, "")).unwrap();
        wire.send(&mut phones, bob, request.replace("Content-Length: 0\r\n", rows).as_bytes());
        phones.pause();
        assert_eq!(wire.connections(&phones), [], "{rows}");
    }
}

#[test]
fn a_message_over_the_limit_is_answered_before_the_connection_ends() {
    for seed in 0..20 {
        let (mut phones, bob, mut wire) = connected(seed);
        phones.world.network_mut().set_faults(Faults::NONE.with_delay(0, 3));
        let request = String::from_utf8(options(&mut wire, "")).unwrap();
        wire.send(&mut phones, bob, request.replace("Length: 0", "Length: 70000").as_bytes());
        phones.pause();
        wire.expect(&phones, "513");
        assert_eq!(wire.connections(&phones), []);
    }
}
