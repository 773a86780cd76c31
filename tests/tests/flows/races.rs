//! Races (RFC 5407 §3) that are not in `overtaken_ack.rs`, `early_bye.rs`, `reinvite.rs` and `updates.rs` of the behaviours.

use crate::drawn::{assert_ladder, drawn, now};
use sip_core::time::Duration;
use sip_core::ua::{Call, Cause, Content, Event};
use sip_testkit::{ANSWER, NodeId, OFFER, Phones, Rule};

/// A call that rings.
fn ringing(seed: u64) -> (Phones, (NodeId, Call), (NodeId, Call)) {
    let (mut phones, alice, bob) = Phones::pair(seed);
    let call = phones.call(alice, "sip:bob@192.0.2.2");
    phones.pause();
    let incoming = phones.incoming(bob);
    phones.act(bob, |phone, now| phone.ring(now, incoming, 180, &Content::NONE)).unwrap();
    phones.pause();
    (phones, (alice, call), (bob, incoming))
}

/// A call that is up, and the line of the ladder from which on it is.
fn up(seed: u64) -> (Phones, (NodeId, Call), (NodeId, Call), u64) {
    let (mut phones, alice, bob) = Phones::pair(seed);
    let (call, incoming) = phones.established(alice, bob, "sip:bob@192.0.2.2");
    let since = now(&phones);
    (phones, (alice, call), (bob, incoming), since)
}

fn lose(phones: &mut Phones, kind: &str, times: u32) {
    phones.world.network_mut().add_rule(Rule::lose(kind).times(times));
}

/// RFC 5407 §3.1.1: the INVITE comes again when the 2xx is out.
#[test]
fn an_invite_comes_again_behind_the_2xx() {
    let (mut phones, alice, bob) = Phones::pair(1);
    lose(&mut phones, "200 INVITE", 1);
    phones.world.network_mut().add_rule(Rule::repeat("INVITE", Duration::from_millis(150)));
    phones.call(alice, "sip:bob@192.0.2.2");
    phones.pause();
    let incoming = phones.incoming(bob);
    phones.answer(bob, incoming);
    phones.wait(2000);
    assert_eq!(phones.events(bob), [Event::Incoming { call: incoming }, Event::Confirmed { call: incoming }]);
    let answers = drawn(&phones, 0).into_iter().filter(|line| line == "alice -> bob ACK").count();
    assert_eq!(answers, 1, "{}", phones.world.explain());
    phones.hang_up(bob, incoming);
    phones.settle();
}

/// RFC 5407 §3.1.2: a CANCEL crosses the 2xx.
#[test]
fn a_cancel_crosses_the_2xx() {
    let (mut phones, (alice, call), (bob, incoming)) = ringing(2);
    let since = now(&phones);
    phones.answer(bob, incoming);
    phones.hang_up(alice, call);
    phones.wait(1000);
    let mut lines = drawn(&phones, since);
    lines.sort();
    let mut expected = [
        "bob -> alice 200 INVITE (sdp)",
        "alice -> bob CANCEL",
        "bob -> alice 200 CANCEL",
        "alice -> bob ACK",
        "alice -> bob BYE",
        "bob -> alice 200 BYE",
    ];
    expected.sort_unstable();
    assert_eq!(lines, expected, "{}", phones.world.explain());
    assert_eq!(phones.ended(bob), [(Cause::RemoteHangup, 0)]);
    assert_eq!(phones.ended(alice).len(), 1);
    phones.settle();
}

/// RFC 5407 §3.1.3: a BYE on the early dialog crosses the 2xx. Our callers send CANCEL, so the caller is scripted.
#[test]
fn an_early_bye_crosses_the_2xx() {
    let (mut phones, alice, mut wire) = Phones::scripted(3);
    let mut leg = wire.leg("sip:alice@192.0.2.1");
    let contact = wire.contact();
    let invite = wire.request(&mut leg, "INVITE", &contact, OFFER);
    wire.send(&mut phones, alice, &invite);
    let call = phones.incoming(alice);
    phones.act(alice, |phone, now| phone.ring(now, call, 180, &Content::NONE)).unwrap();
    leg.remote = wire.expect(&phones, "180").header("To");
    phones.answer(alice, call);
    let bye = wire.request(&mut leg, "BYE", "", b"");
    wire.send(&mut phones, alice, &bye);
    phones.pause();
    wire.expect_all(&phones, &["200", "200"]);
    assert_eq!(phones.ended(alice), [(Cause::RemoteHangup, 0)], "{}", phones.world.explain());
    let ack = wire.request_as(&leg, "ACK", "z9hG4bK-late", "", b"");
    wire.send(&mut phones, alice, &ack);
    phones.settle();
    assert_eq!(phones.ended(alice).len(), 1);
}

/// RFC 5407 §3.1.6: the ACK is lost, and a BYE comes.
#[test]
fn a_bye_comes_where_an_ack_should() {
    let (mut phones, alice, bob) = Phones::pair(4);
    lose(&mut phones, "ACK", 1);
    let call = phones.call(alice, "sip:bob@192.0.2.2");
    phones.pause();
    let incoming = phones.incoming(bob);
    phones.answer(bob, incoming);
    phones.pause();
    phones.hang_up(alice, call);
    phones.wait(5000);
    assert_ladder(
        &phones,
        0,
        "alice -> bob INVITE (sdp)
        bob -> alice 200 INVITE (sdp)
        alice -x bob ACK
        alice -> bob BYE
        bob -> alice 200 BYE",
    );
    assert_eq!(phones.ended(bob), [(Cause::RemoteHangup, 0)]);
    phones.settle();
}

/// RFC 5407 §3.2.1: both hang up.
#[test]
fn a_bye_crosses_a_bye() {
    let (mut phones, (alice, call), (bob, incoming), since) = up(5);
    phones.hang_up(alice, call);
    phones.hang_up(bob, incoming);
    phones.pause();
    let mut lines = drawn(&phones, since);
    lines.sort();
    assert_eq!(lines, ["alice -> bob 200 BYE", "alice -> bob BYE", "bob -> alice 200 BYE", "bob -> alice BYE"]);
    assert_eq!((phones.ended(alice).len(), phones.ended(bob).len()), (1, 1));
    phones.settle();
}

/// RFC 5407 §3.2.2: a re-INVITE crosses a BYE, and finds no call.
#[test]
fn a_reinvite_crosses_a_bye() {
    let (mut phones, (alice, call), (bob, incoming), since) = up(6);
    phones.hang_up(alice, call);
    phones.act(bob, |phone, now| phone.reinvite(now, incoming, &Content::sdp(OFFER))).unwrap();
    phones.wait(1000);
    let lines = drawn(&phones, since);
    assert!(lines.contains(&"alice -> bob 481 INVITE".to_owned()), "{}", phones.world.explain());
    assert!(lines.contains(&"bob -> alice ACK".to_owned()) && lines.contains(&"bob -> alice 200 BYE".to_owned()));
    assert_eq!(phones.ended(bob).len(), 1);
    assert!(!phones.events(alice).iter().any(|event| matches!(event, Event::Reinvite { .. })));
    phones.settle();
}

/// RFC 5407 §3.2.3: the 2xx to a re-INVITE crosses a BYE, and is acknowledged.
#[test]
fn the_2xx_to_a_reinvite_crosses_a_bye() {
    let (mut phones, (alice, call), (bob, incoming), since) = up(7);
    phones.act(alice, |phone, now| phone.reinvite(now, call, &Content::sdp(OFFER))).unwrap();
    phones.pause();
    phones.answer(bob, incoming);
    phones.hang_up(alice, call);
    phones.wait(3000);
    let lines = drawn(&phones, since);
    for line in ["bob -> alice 200 INVITE (sdp)", "alice -> bob ACK", "alice -> bob BYE", "bob -> alice 200 BYE"] {
        assert_eq!(lines.iter().filter(|found| *found == line).count(), 1, "{line}\n{}", phones.world.explain());
    }
    phones.settle();
    assert_eq!((phones.ended(alice).len(), phones.ended(bob).len()), (1, 1));
}

/// RFC 5407 §3.2.4: the ACK comes behind the BYE.
#[test]
fn an_ack_comes_behind_the_bye() {
    let (mut phones, alice, bob) = Phones::pair(8);
    phones.world.network_mut().add_rule(Rule::hold("ACK", Duration::from_millis(300)));
    let call = phones.call(alice, "sip:bob@192.0.2.2");
    phones.pause();
    let incoming = phones.incoming(bob);
    phones.answer(bob, incoming);
    phones.pause();
    phones.hang_up(alice, call);
    phones.wait(1000);
    assert_ladder(
        &phones,
        0,
        "alice -> bob INVITE (sdp)
        bob -> alice 200 INVITE (sdp)
        alice -> bob ACK
        alice -> bob BYE
        bob -> alice 200 BYE",
    );
    assert_eq!(phones.ended(bob), [(Cause::RemoteHangup, 0)]);
    phones.settle();
}

/// RFC 5407 §3.3.2: an UPDATE crosses a re-INVITE; both meet 491, and go out once more.
#[test]
fn an_update_crosses_a_reinvite() {
    for seed in 0..20 {
        let (mut phones, (alice, call), (bob, incoming), since) = up(100 + seed);
        phones.act(alice, |phone, now| phone.update(now, call, &Content::sdp(OFFER))).unwrap();
        phones.act(bob, |phone, now| phone.reinvite(now, incoming, &Content::sdp(OFFER))).unwrap();
        phones.pause();
        let lines = drawn(&phones, since);
        assert!(lines.contains(&"bob -> alice 491 UPDATE".to_owned()), "{}", phones.world.explain());
        assert!(lines.contains(&"alice -> bob 491 INVITE".to_owned()), "{}", phones.world.explain());
        let (mut updated, mut reinvited) = (false, false);
        for _ in 0..60 {
            phones.wait(100);
            if !updated && phones.last(bob) == Some(Event::Update { call: incoming }) {
                phones.act(bob, |phone, now| phone.answer_offer(now, incoming, 200, &Content::sdp(ANSWER))).unwrap();
                updated = true;
            }
            if !reinvited && phones.last(alice) == Some(Event::Reinvite { call }) {
                phones.answer(alice, call);
                reinvited = true;
            }
        }
        assert!(phones.events(alice).contains(&Event::Updated { call, status: 200 }), "{}", phones.world.explain());
        let reinvited = Event::Reinvited { call: incoming, status: 200, answer_due: false };
        assert!(phones.events(bob).contains(&reinvited), "{}", phones.world.explain());
        phones.hang_up(alice, call);
        phones.settle();
    }
}
