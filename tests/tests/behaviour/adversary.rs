//! Strangers and callees who spend the room that calls have reserved: our hang-up still reaches the peer, and nothing is left.
//!
//! Covers what the design asks of a full user agent: each call keeps the room for its own hang-up, whoever asks for it. Ordinary
//! lack of room is in capacity.rs; garbage is in garbage.rs.

use sip_core::message::Message;
use sip_core::role::Role;
use sip_core::time::Instant;
use sip_core::transport::{Address, Flow};
use sip_core::ua::Arrays;
use sip_core::ua::{Cause, Config, Content, UserAgent};
use sip_testkit::{ANSWER, NodeId, OFFER, Phones, Wire};

/// Two phones in a call, and a stranger on the wire.
fn call_and_stranger(seed: u64) -> (Phones, NodeId, NodeId, sip_core::ua::Call, Wire) {
    let mut phones = Phones::new(seed);
    let (alice, bob) = (phones.add("alice", "192.0.2.1:5060"), phones.add("bob", "192.0.2.2:5060"));
    let (call, _) = phones.established(alice, bob, "sip:bob@192.0.2.2");
    (phones, alice, bob, call, Wire::new("192.0.2.9:5060"))
}

/// Alice hangs up, and bob hears of it.
fn hang_up_is_heard(mut phones: Phones, alice: NodeId, bob: NodeId, call: sip_core::ua::Call) {
    phones.hang_up(alice, call);
    phones.pause();
    assert_eq!(phones.ended(bob), [(Cause::RemoteHangup, 0)], "{}", phones.world.explain());
}

#[test]
fn late_cancels_of_a_stranger_take_no_reserved_transaction() {
    let (mut phones, alice, bob, call, mut wire) = call_and_stranger(5);
    let contact = wire.contact();
    let mut refused = Vec::new();
    loop {
        let (leg, branch) = (wire.leg("sip:alice@192.0.2.1"), wire.branch());
        let before = phones.events(alice).len();
        let invite = wire.request_as(&leg, "INVITE", &branch, &contact, OFFER);
        wire.send(&mut phones, alice, &invite);
        if phones.events(alice).len() == before {
            break;
        }
        let incoming = phones.incoming(alice);
        phones.act(alice, |phone, now| phone.reject(now, incoming, 486, &Content::NONE)).unwrap();
        refused.push((leg, branch));
    }
    assert!(refused.len() > 5, "the table is filled with refused INVITEs that nobody acknowledges");
    for (leg, branch) in &refused {
        let cancel = wire.request_as(leg, "CANCEL", branch, "", b"");
        wire.send(&mut phones, alice, &cancel);
    }
    hang_up_is_heard(phones, alice, bob, call);
}

#[test]
fn byes_in_an_early_dialog_take_no_reserved_transaction() {
    let (mut phones, alice, bob, call, mut wire) = call_and_stranger(6);
    phones.call(alice, "sip:x@192.0.2.9");
    phones.pause();
    let invite = wire.expect(&phones, "INVITE");
    let contact = wire.contact();
    wire.send(&mut phones, alice, &invite.response(180, "x", &contact, b""));
    let mut leg = wire.leg_of(&invite, "x");
    for _ in 0..30 {
        let bye = wire.request(&mut leg, "BYE", "", b"");
        wire.send(&mut phones, alice, &bye);
    }
    hang_up_is_heard(phones, alice, bob, call);
}

#[test]
fn forks_without_end_take_no_reserved_transaction() {
    let (mut phones, alice, bob, call, mut wire) = call_and_stranger(7);
    phones.call(alice, "sip:x@192.0.2.9");
    phones.pause();
    let invite = wire.expect(&phones, "INVITE");
    let contact = wire.contact();
    for fork in 0..40 {
        wire.send(&mut phones, alice, &invite.response(200, &format!("t{fork}"), &contact, ANSWER));
        phones.pause();
        for heard in wire.hear(&phones) {
            if heard.kind() == "BYE" {
                wire.respond(&mut phones, alice, &heard, 200, "");
            }
        }
    }
    hang_up_is_heard(phones, alice, bob, call);
}

#[test]
fn a_cancel_with_a_fat_head_takes_no_reserved_octets_and_leaves_nothing() {
    for size in (6000..7600).step_by(50) {
        let (mut phones, alice, bob, call, mut wire) = call_and_stranger(8);
        let (leg, branch, contact) = (wire.leg("sip:alice@192.0.2.1"), wire.branch(), wire.contact());
        let invite = wire.request_as(&leg, "INVITE", &branch, &contact, OFFER);
        wire.send(&mut phones, alice, &invite);
        let head = format!("Record-Route: <sip:{}@h;lr>\r\n", "r".repeat(size));
        let cancel = wire.request_as(&leg, "CANCEL", &branch, &head, b"");
        wire.send(&mut phones, alice, &cancel);
        phones.hang_up(alice, call);
        phones.pause();
        assert_eq!(phones.ended(bob), [(Cause::RemoteHangup, 0)], "{size}\n{}", phones.world.explain());
        assert_eq!(phones.ended(alice).len(), 2, "{size}: the cancelled call and ours");
        phones.settle();
    }
}

#[test]
fn an_invite_whose_refusal_would_be_too_large_leaves_nothing() {
    let flow = Flow::udp(Address::v4([192, 0, 2, 9].into(), 5060));
    let request = |method: &str, pad: usize| {
        let head =
            "Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKq;rport\r\nFrom: <sip:w@h>;tag=1\r\nTo: <sip:x@h>\r\nCall-ID: c";
        let route = "r".repeat(pad);
        format!(
            "{method} sip:x SIP/2.0\r\n{head}\r\nCSeq: 1 {method}\r\nRecord-Route: <sip:{route}@192.0.2.9;lr>\r\n\r\n"
        )
    };
    let base = request("INVITE", 0).len();
    for length in 65_420..65_508 {
        let mut phone = Box::new(UserAgent::new(Arrays::<8, 4, 2, 1, 300_000>::new()));
        phone.start(&Config::new("192.0.2.1:5060", "sip:a@192.0.2.1"), [7; 16]).unwrap();
        for (at, text) in [(1, request("INVITE", length - base)), (2, request("CANCEL", 1))] {
            let now = Instant::from_millis(at);
            let _ = phone.receive(now, flow, &Message::parse(text.as_bytes()).unwrap());
            while phone.poll_action(now).is_some() {}
        }
        while let Some(at) = phone.poll_timeout() {
            phone.handle_timeout(at);
            while phone.poll_action(at).is_some() {}
        }
        let left = phone.occupancy();
        assert_eq!((left.transactions, left.dialogs, left.calls), (0, 0, 0), "an INVITE of {length} octets");
    }
}
