//! Requests of the callee while our INVITE waits for its final response.
//!
//! Covers RFC 5407 §3.1.2 (the 2xx was lost and the callee hangs up), RFC 3261 §15.1.2, §9.1 (no CANCEL before a provisional
//! response), §13.2.2.4 (a 2xx that comes late is acknowledged), RFC 5407 §3.1.5 (a re-INVITE gets 491).

use sip_core::ua::{Cause, Config, Event};
use sip_testkit::{ANSWER, Heard, NodeId, OFFER, Phones, Wire};

/// A phone whose INVITE waits; each of `forks` has rung.
fn calling(seed: u64, forks: &[&str]) -> (Phones, NodeId, Wire, Heard) {
    let mut phones = Phones::new(seed);
    let alice = phones.add_with("alice", "192.0.2.1:5060", |config: &mut Config<'_>| config.methods = "INFO");
    let mut wire = Wire::new("192.0.2.9:5060");
    phones.call(alice, "sip:wire@192.0.2.9");
    let invite = wire.expect(&phones, "INVITE");
    for tag in forks {
        wire.send(&mut phones, alice, &invite.response(180, tag, &wire.contact(), b""));
    }
    (phones, alice, wire, invite)
}

fn bye(phones: &mut Phones, alice: NodeId, wire: &mut Wire, invite: &Heard, tag: &str) {
    let mut leg = wire.leg_of(invite, tag);
    let bye = wire.request(&mut leg, "BYE", "", b"");
    wire.send(phones, alice, &bye);
}

#[test]
fn a_bye_ends_the_call_and_cancels_its_invite() {
    for forks in [&["one"][..], &[]] {
        for late in ["200", "487"] {
            let (mut phones, alice, mut wire, invite) = calling(1, forks);
            if forks.is_empty() {
                wire.send(&mut phones, alice, &invite.response(100, "", "", b""));
            }
            bye(&mut phones, alice, &mut wire, &invite, "one");
            assert_eq!(phones.ended(alice), [(Cause::RemoteHangup, 0)]);
            let mut heard = wire.hear(&phones);
            heard.sort_by_key(Heard::kind);
            assert_eq!(heard.iter().map(Heard::kind).collect::<Vec<_>>(), ["200", "CANCEL"]);
            assert_eq!(heard[1].branch(), invite.branch());
            wire.respond(&mut phones, alice, &heard[1], 200, "");
            if late == "200" {
                // It had been sent before the BYE.
                for _ in 0..2 {
                    wire.accept(&mut phones, alice, &invite, "one", ANSWER);
                    assert_eq!(wire.expect(&phones, "ACK").to_tag(), "one");
                }
            } else {
                wire.send(&mut phones, alice, &invite.response(487, "one", "", b""));
                wire.expect(&phones, "ACK");
            }
            phones.settle();
            assert_eq!(phones.ended(alice).len(), 1);
        }
    }
}

#[test]
fn without_a_provisional_response_the_cancel_waits_for_one() {
    let (mut phones, alice, mut wire, invite) = calling(2, &[]);
    bye(&mut phones, alice, &mut wire, &invite, "one");
    assert_eq!(wire.kinds(&phones), "200");
    assert_eq!(phones.ended(alice), [(Cause::RemoteHangup, 0)]);
    for _ in 0..2 {
        wire.send(&mut phones, alice, &invite.response(180, "two", &wire.contact(), b""));
    }
    let cancel = wire.expect(&phones, "CANCEL");
    wire.respond(&mut phones, alice, &cancel, 200, "");
    // Another fork answers all the same.
    wire.accept(&mut phones, alice, &invite, "two", ANSWER);
    let heard = wire.expect_all(&phones, &["ACK", "BYE"]);
    wire.respond(&mut phones, alice, &heard[1], 200, "");
    phones.settle();
    assert_eq!(phones.ended(alice).len(), 1);
}

#[test]
fn while_other_forks_ring_the_call_goes_on() {
    for known in [true, false] {
        let forks: &[&str] = if known { &["one", "two"] } else { &["two"] };
        let (mut phones, alice, mut wire, invite) = calling(3, forks);
        bye(&mut phones, alice, &mut wire, &invite, "one");
        wire.expect(&phones, "200");
        assert_eq!(phones.ended(alice), []);
        wire.accept(&mut phones, alice, &invite, "two", ANSWER);
        wire.expect(&phones, "ACK");
        assert!(matches!(phones.last(alice), Some(Event::Answered { .. })));
        let Some(Event::Answered { call, .. }) = phones.last(alice) else { return };
        phones.hang_up(alice, call);
        let bye = wire.expect(&phones, "BYE");
        assert_eq!(bye.to_tag(), "two");
        wire.respond(&mut phones, alice, &bye, 200, "");
        phones.settle();
    }
}

#[test]
fn a_200_of_the_fork_that_hung_up_is_acknowledged_and_no_call() {
    let (mut phones, alice, mut wire, invite) = calling(4, &["one", "two"]);
    bye(&mut phones, alice, &mut wire, &invite, "one");
    wire.expect(&phones, "200");
    wire.accept(&mut phones, alice, &invite, "one", ANSWER);
    assert_eq!(wire.expect(&phones, "ACK").to_tag(), "one");
    assert_eq!(phones.ended(alice), [(Cause::RemoteHangup, 0)]);
    assert!(!phones.events(alice).iter().any(|event| matches!(event, Event::Answered { .. })));
    // The last fork to go ends the call as well.
    let (mut phones, alice, mut wire, invite) = calling(5, &["one", "two"]);
    bye(&mut phones, alice, &mut wire, &invite, "one");
    bye(&mut phones, alice, &mut wire, &invite, "two");
    assert_eq!(phones.ended(alice), [(Cause::RemoteHangup, 0)]);
    assert!(wire.kinds(&phones).contains("CANCEL"));
}

#[test]
fn other_requests_of_a_dialog_that_is_there_get_no_481() {
    for forks in [&["one"][..], &[]] {
        let (mut phones, alice, mut wire, invite) = calling(6, forks);
        let mut leg = wire.leg_of(&invite, "one");
        let contact = wire.contact();
        let reinvite = wire.request(&mut leg, "INVITE", &contact, OFFER);
        wire.send(&mut phones, alice, &reinvite);
        let refused = wire.expect(&phones, "491");
        let ack = wire.request_as(&leg, "ACK", &refused.branch(), "", b"");
        wire.send(&mut phones, alice, &ack);
        let options = wire.request(&mut leg, "OPTIONS", "", b"");
        wire.send(&mut phones, alice, &options);
        wire.expect(&phones, "200");
        let info = wire.request(&mut leg, "INFO", "", b"");
        wire.send(&mut phones, alice, &info);
        assert!(matches!(phones.last(alice), Some(Event::Request { call: Some(_), .. })));
        // One that only looks like it.
        let mut stranger = wire.leg_of(&invite, "one");
        stranger.remote.push('x');
        let bye = wire.request(&mut stranger, "BYE", "", b"");
        wire.send(&mut phones, alice, &bye);
        wire.expect(&phones, "481");
        assert_eq!(phones.ended(alice), []);
    }
}
