//! Basic calls (RFC 3665 §3).

use crate::domain::Domain;
use crate::drawn::{assert_ladder, now};
use crate::office::{Binding, Office, address};
use sip_core::transport::Flow;
use sip_core::ua::{Cause, Content, Event};
use sip_testkit::{ANSWER, NodeId, OFFER, Phones, Rule};

/// RFC 3665 §3.1.
#[test]
fn a_call_between_two_phones() {
    let (mut phones, alice, bob) = Phones::pair(1);
    phones.call(alice, "sip:bob@192.0.2.2");
    phones.pause();
    let call = phones.incoming(bob);
    phones.act(bob, |phone, now| phone.ring(now, call, 180, &Content::NONE)).unwrap();
    phones.pause();
    phones.answer(bob, call);
    phones.pause();
    phones.hang_up(bob, call);
    phones.pause();
    assert_ladder(
        &phones,
        0,
        "alice -> bob INVITE (sdp)
        bob -> alice 180 INVITE
        bob -> alice 200 INVITE (sdp)
        alice -> bob ACK
        bob -> alice BYE
        alice -> bob 200 BYE",
    );
    assert_eq!(phones.ended(alice), [(Cause::RemoteHangup, 0)]);
    phones.settle();
}

/// RFC 3665 §3.2.
#[test]
fn a_call_through_two_proxies() {
    let mut office = Office::new(2);
    let alice = office.add("alice", "192.0.2.1:5060");
    let bob = office.add("bob", "192.0.2.2:5060");
    office.add_hub("second", "192.0.2.6:5060", "example.net");
    let (user, uri) = ("bob".to_owned(), "sip:robert@example.net".to_owned());
    let route = "<sip:192.0.2.6;lr>".to_owned();
    office.world.user_mut().bindings.push(Binding { user, uri, q: 1000, route, flow: Flow::NONE });
    office.bind("robert", "sip:bob@192.0.2.2", 1000);
    office.call(alice, "sip:bob@example.com");
    office.pause();
    let call = office.ring(bob);
    office.pause();
    office.answer(bob);
    office.pause();
    office.hang_up(bob, call);
    office.pause();
    assert_ladder(
        &office,
        0,
        "alice -> proxy INVITE (sdp)
        proxy -> second INVITE (sdp)
        second -> bob INVITE (sdp)
        bob -> second 180 INVITE
        second -> proxy 180 INVITE
        proxy -> alice 180 INVITE
        bob -> second 200 INVITE (sdp)
        second -> proxy 200 INVITE (sdp)
        proxy -> alice 200 INVITE (sdp)
        alice -> proxy ACK
        proxy -> second ACK
        second -> bob ACK
        bob -> second BYE
        second -> proxy BYE
        proxy -> alice BYE
        alice -> proxy 200 BYE
        proxy -> second 200 BYE
        second -> bob 200 BYE",
    );
    office.settle();
}

/// RFC 3665 §3.3, with one proxy that asks.
#[test]
fn a_proxy_asks_who_calls() {
    let mut domain = Domain::new(3);
    let alice = domain.phone("alice", "192.0.2.1:5060", "wonderland");
    let bob = domain.phone("bob", "192.0.2.2:5060", "zanzibar");
    let since = now(&domain);
    domain.call(alice, "sip:bob@example.com");
    let call = domain.answer(bob);
    domain.act(bob, |phone, now| phone.hang_up(now, call)).unwrap();
    domain.pause();
    assert_ladder(
        &domain,
        since,
        "alice -> server INVITE (sdp)
        server -> alice 407 INVITE
        alice -> server ACK
        alice -> server INVITE (sdp)
        server -> bob INVITE (sdp)
        bob -> server 200 INVITE (sdp)
        server -> alice 200 INVITE (sdp)
        alice -> server ACK
        server -> bob ACK
        bob -> server BYE
        server -> alice BYE
        alice -> server 200 BYE
        server -> bob 200 BYE",
    );
    domain.settle();
}

/// RFC 3665 §3.7.
#[test]
fn a_phone_moves_its_media_within_a_call() {
    let (mut office, alice, bob) = Office::pair(4);
    let call = office.call(alice, "sip:bob@example.com");
    office.pause();
    let at_bob = office.answer(bob);
    office.pause();
    let since = now(&office);
    let moved = String::from_utf8(ANSWER.to_vec()).unwrap().replace("192.0.2.2\r\nt=", "192.0.2.77\r\nt=");
    office.phone(bob, |phone, now| phone.reinvite(now, at_bob, &Content::sdp(moved.as_bytes()))).unwrap();
    office.pause();
    assert!(office.events(alice).contains(&Event::Reinvite { call }));
    office.phone(alice, |phone, now| phone.answer(now, call, &Content::sdp(OFFER))).unwrap();
    office.pause();
    office.hang_up(alice, call);
    office.pause();
    assert_ladder(
        &office,
        since,
        "bob -> proxy INVITE (sdp)
        proxy -> alice INVITE (sdp)
        alice -> proxy 200 INVITE (sdp)
        proxy -> bob 200 INVITE (sdp)
        bob -> proxy ACK
        proxy -> alice ACK
        alice -> proxy BYE
        proxy -> bob BYE
        bob -> proxy 200 BYE
        proxy -> alice 200 BYE",
    );
    office.settle();
}

/// RFC 3665 §3.8.
#[test]
fn the_caller_gives_up() {
    let (mut office, alice, bob) = Office::pair(5);
    let call = office.call(alice, "sip:bob@example.com");
    office.pause();
    office.ring(bob);
    office.pause();
    office.hang_up(alice, call);
    office.pause();
    assert_ladder(
        &office,
        0,
        "alice -> proxy INVITE (sdp)
        proxy -> bob INVITE (sdp)
        bob -> proxy 180 INVITE
        proxy -> alice 180 INVITE
        alice -> proxy CANCEL
        proxy -> alice 200 CANCEL
        proxy -> bob CANCEL
        bob -> proxy 200 CANCEL
        bob -> proxy 487 INVITE
        proxy -> bob ACK
        proxy -> alice 487 INVITE
        alice -> proxy ACK",
    );
    assert_eq!((office.ended(alice).len(), office.ended(bob).len()), (1, 1));
    office.settle();
}

/// A call that is refused with this status.
fn refused(seed: u64, status: u16) -> (Office, NodeId) {
    let (mut office, alice, bob) = Office::pair(seed);
    office.call(alice, "sip:bob@example.com");
    office.pause();
    office.reject(bob, status);
    office.pause();
    (office, alice)
}

/// RFC 3665 §3.9 and §3.11.
#[test]
fn the_callee_is_busy_or_away() {
    for status in [486, 480] {
        let (mut office, alice) = refused(6, status);
        let expected = "alice -> proxy INVITE (sdp)
            proxy -> bob INVITE (sdp)
            bob -> proxy STATUS INVITE
            proxy -> bob ACK
            proxy -> alice STATUS INVITE
            alice -> proxy ACK";
        assert_ladder(&office, 0, &expected.replace("STATUS", &status.to_string()));
        assert_eq!(office.ended(alice), [(Cause::Rejected, status)]);
        office.settle();
    }
}

/// RFC 3665 §3.10.
#[test]
fn the_callee_does_not_respond() {
    let (mut office, alice, _) = Office::pair(7);
    office.world.network_mut().add_rule(Rule::lose("INVITE").to(address("192.0.2.2:5060")).always());
    office.call(alice, "sip:bob@example.com");
    office.wait(40_000);
    let sent = "proxy -x bob INVITE (sdp)\n".repeat(7);
    let expected = format!("alice -> proxy INVITE (sdp)\n{sent}proxy -> alice 408 INVITE\nalice -> proxy ACK");
    assert_ladder(&office, 0, &expected);
    assert_eq!(office.ended(alice), [(Cause::Rejected, 408)]);
    office.settle();
}
