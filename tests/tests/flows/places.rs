//! Where an offer and its answer stand (RFC 6337 §2.2, Table 1): each row with two phones, on the wire.
//!
//! `place.rs` of the core has the table itself; what a PRACK may offer is in `reliable_callee.rs` of the behaviours.

use crate::drawn::drawn;
use sip_core::ua::{Call, Content, Event, ReliableProvisional};
use sip_testkit::{ANSWER, NodeId, OFFER, Phones};

/// What a row does with a call between alice and bob.
type Play = fn(&mut Phones, (NodeId, NodeId), Call);

fn reliable() -> (Phones, NodeId, NodeId) {
    let mut phones = Phones::new(1);
    let mut add = |name, address| {
        phones.add_with(name, address, |config| config.reliable_provisional = ReliableProvisional::Required)
    };
    let (alice, bob) = (add("alice", "192.0.2.1:5060"), add("bob", "192.0.2.2:5060"));
    (phones, alice, bob)
}

fn ring(phones: &mut Phones, bob: NodeId, content: &Content<'_>) -> Call {
    let incoming = phones.incoming(bob);
    phones.act(bob, |phone, now| phone.ring(now, incoming, 183, content)).unwrap();
    phones.pause();
    incoming
}

fn answer(phones: &mut Phones, bob: NodeId, content: &Content<'_>) {
    let incoming = phones.incoming(bob);
    phones.act(bob, |phone, now| phone.answer(now, incoming, content)).unwrap();
    phones.pause();
}

/// The table: what is played, whether the INVITE offers, and which messages have a description.
const TABLE: [(&str, bool, Play, &[&str]); 6] = [
    (
        "INVITE, 2xx",
        true,
        |phones, (_, bob), _| answer(phones, bob, &Content::sdp(ANSWER)),
        &["alice -> bob INVITE", "bob -> alice 200 INVITE"],
    ),
    (
        "2xx, ACK",
        false,
        |phones, (alice, bob), call| {
            answer(phones, bob, &Content::sdp(OFFER));
            phones.act(alice, |phone, now| phone.acknowledge(now, call, &Content::sdp(ANSWER))).unwrap();
        },
        &["bob -> alice 200 INVITE", "alice -> bob ACK"],
    ),
    (
        "INVITE, reliable 1xx",
        true,
        |phones, (_, bob), _| {
            ring(phones, bob, &Content::sdp(ANSWER));
            answer(phones, bob, &Content::NONE);
        },
        &["alice -> bob INVITE", "bob -> alice 183 INVITE"],
    ),
    (
        "reliable 1xx, PRACK",
        false,
        |phones, (alice, bob), call| {
            ring(phones, bob, &Content::sdp(OFFER));
            let Some(Event::Progress { fork, answer_due: true, .. }) = phones.last(alice) else {
                panic!("{}", phones.world.explain())
            };
            let content = Content::sdp(ANSWER);
            phones.act(alice, |phone, now| phone.acknowledge_provisional(now, call, fork, &content)).unwrap();
            phones.pause();
            answer(phones, bob, &Content::NONE);
        },
        &["bob -> alice 183 INVITE", "alice -> bob PRACK"],
    ),
    (
        "UPDATE, 2xx, before the answer",
        true,
        |phones, (alice, bob), call| {
            let incoming = ring(phones, bob, &Content::sdp(ANSWER));
            phones.act(alice, |phone, now| phone.update(now, call, &Content::sdp(OFFER))).unwrap();
            phones.pause();
            phones.act(bob, |phone, now| phone.answer_offer(now, incoming, 200, &Content::sdp(ANSWER))).unwrap();
            phones.pause();
            answer(phones, bob, &Content::NONE);
        },
        &["alice -> bob INVITE", "bob -> alice 183 INVITE", "alice -> bob UPDATE", "bob -> alice 200 UPDATE"],
    ),
    (
        "UPDATE, 2xx, in the call",
        true,
        |phones, (alice, bob), call| {
            answer(phones, bob, &Content::sdp(ANSWER));
            let incoming = phones.incoming(bob);
            phones.act(bob, |phone, now| phone.update(now, incoming, &Content::sdp(OFFER))).unwrap();
            phones.pause();
            phones.act(alice, |phone, now| phone.answer_offer(now, call, 200, &Content::sdp(ANSWER))).unwrap();
        },
        &["alice -> bob INVITE", "bob -> alice 200 INVITE", "bob -> alice UPDATE", "alice -> bob 200 UPDATE"],
    ),
];

#[test]
fn each_row_of_the_table_is_played() {
    for (row, offers, play, expected) in TABLE {
        let (mut phones, alice, bob) = reliable();
        let content = if offers { Content::sdp(OFFER) } else { Content::NONE };
        let call = phones.act(alice, |phone, now| phone.call(now, "sip:bob@192.0.2.2", "", &content)).unwrap();
        phones.pause();
        play(&mut phones, (alice, bob), call);
        phones.pause();
        let lines = drawn(&phones, 0);
        let described: Vec<_> = lines.iter().filter_map(|line| line.strip_suffix(" (sdp)")).collect();
        assert_eq!(described, expected, "{row}\n{}", phones.world.explain());
        assert!(lines.contains(&"alice -> bob ACK".to_owned()) || expected.contains(&"alice -> bob ACK"), "{row}");
        phones.hang_up(alice, call);
        phones.settle();
    }
}
