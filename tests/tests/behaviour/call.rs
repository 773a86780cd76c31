//! A call between two user agents on a perfect line: ringing, answer, hold, resume, BYE from each side.
//!
//! Covers the plain flows of RFC 3261 §13-§15 in virtual time. Refusals, loss, forks and races are in files of their own.

use sip_core::ua::{Cause, Content, Event};
use sip_testkit::{ANSWER, OFFER, Phones};

#[test]
fn a_call_is_answered_held_resumed_and_ended_by_the_caller() {
    let mut phones = Phones::new(1);
    let (alice, bob) = (phones.add("alice", "192.0.2.1:5060"), phones.add("bob", "192.0.2.2:5060"));
    let call = phones.call(alice, "sip:bob@192.0.2.2");
    phones.pause();
    let incoming = phones.incoming(bob);
    phones.act(bob, |phone, now| phone.ring(now, incoming, 180, &Content::NONE)).unwrap();
    phones.pause();
    assert!(matches!(phones.last(alice), Some(Event::Progress { call: of, status: 180, .. }) if of == call));
    phones.act(bob, |phone, now| phone.answer(now, incoming, &Content::sdp(ANSWER))).unwrap();
    phones.pause();
    assert_eq!(phones.last(alice), Some(Event::Answered { call, answer_due: false }));
    assert_eq!(phones.last(bob), Some(Event::Confirmed { call: incoming }));
    for _ in 0..2 {
        phones.act(alice, |phone, now| phone.reinvite(now, call, &Content::sdp(OFFER))).unwrap();
        phones.pause();
        assert_eq!(phones.last(bob), Some(Event::Reinvite { call: incoming }));
        phones.act(bob, |phone, now| phone.answer(now, incoming, &Content::sdp(ANSWER))).unwrap();
        phones.pause();
        assert_eq!(phones.last(alice), Some(Event::Reinvited { call, status: 200, answer_due: false }));
    }
    phones.act(alice, |phone, now| phone.hang_up(now, call)).unwrap();
    phones.pause();
    assert_eq!(phones.last(alice), Some(Event::Ended { call, cause: Cause::LocalHangup, status: 0 }));
    assert_eq!(phones.last(bob), Some(Event::Ended { call: incoming, cause: Cause::RemoteHangup, status: 0 }));
    phones.settle();
}

#[test]
fn the_callee_reinvites_and_hangs_up() {
    let mut phones = Phones::new(2);
    let (alice, bob) = (phones.add("alice", "192.0.2.1:5060"), phones.add("bob", "192.0.2.2:5060"));
    let (call, incoming) = phones.established(alice, bob, "sip:bob@192.0.2.2");
    phones.act(bob, |phone, now| phone.reinvite(now, incoming, &Content::sdp(OFFER))).unwrap();
    phones.pause();
    assert_eq!(phones.last(alice), Some(Event::Reinvite { call }));
    phones.act(alice, |phone, now| phone.reject(now, call, 488, &Content::NONE)).unwrap();
    phones.pause();
    assert_eq!(phones.last(bob), Some(Event::Reinvited { call: incoming, status: 488, answer_due: false }));
    phones.act(bob, |phone, now| phone.hang_up(now, incoming)).unwrap();
    phones.pause();
    assert_eq!(phones.last(bob), Some(Event::Ended { call: incoming, cause: Cause::LocalHangup, status: 0 }));
    assert_eq!(phones.last(alice), Some(Event::Ended { call, cause: Cause::RemoteHangup, status: 0 }));
    phones.settle();
}
