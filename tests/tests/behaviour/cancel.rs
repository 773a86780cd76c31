//! Giving up before the answer: CANCEL from both sides, races with final responses, and the limits of ringing.
//!
//! Covers RFC 3261 §9.1, §9.2, §13.3.1.1 (repeated 180), §16.7's patience as it shows in a user agent, field note 16 (the
//! matrix of INVITE, 1xx, 2xx, CANCEL and 401). CANCEL under loss is in the property tests; CANCEL of a re-INVITE in reinvite.rs.

use sip_core::ua::{Cause, Content, Event};
use sip_testkit::{ANSWER, Leg, OFFER, Phones, Wire};

#[test]
fn no_cancel_goes_out_before_a_provisional_response() {
    let (mut phones, alice, mut wire) = Phones::scripted(1);
    let call = phones.call(alice, "sip:wire@192.0.2.9");
    let invite = wire.expect(&phones, "INVITE");
    phones.hang_up(alice, call);
    wire.expect_nothing(&phones);
    wire.respond(&mut phones, alice, &invite, 100, "");
    let cancel = wire.expect(&phones, "CANCEL");
    assert_eq!(cancel.branch(), invite.branch());
    assert_eq!((cancel.seq(), cancel.uri()), (invite.seq(), invite.uri()));
    for name in ["From", "To", "Call-ID", "Route"] {
        assert_eq!(cancel.header(name), invite.header(name));
    }
    assert_eq!(cancel.rows("Via").len(), 1);
    wire.respond(&mut phones, alice, &cancel, 200, "");
    wire.respond(&mut phones, alice, &invite, 487, "");
    assert_eq!(wire.expect(&phones, "ACK").branch(), invite.branch());
    assert_eq!(phones.ended(alice), [(Cause::LocalHangup, 487)]);
    phones.settle();
    assert_eq!(phones.ended(alice).len(), 1);
}

#[test]
fn without_any_response_a_hang_up_waits_for_timer_b() {
    let (mut phones, alice, mut wire) = Phones::scripted(2);
    let call = phones.call(alice, "sip:wire@192.0.2.9");
    phones.hang_up(alice, call);
    phones.wait(31_999);
    assert_eq!(phones.ended(alice), []);
    phones.wait(1);
    assert_eq!(phones.ended(alice).len(), 1);
    assert_eq!(phones.ended(alice)[0].0, Cause::LocalHangup);
    assert!(!wire.kinds(&phones).contains("CANCEL"));
    phones.settle();
}

#[test]
fn a_ringing_call_is_cancelled_and_ends_once_at_each_end() {
    let (mut phones, alice, bob) = Phones::pair(3);
    let call = phones.call(alice, "sip:bob@192.0.2.2");
    phones.pause();
    let incoming = phones.incoming(bob);
    phones.act(bob, |phone, now| phone.ring(now, incoming, 180, &Content::NONE)).unwrap();
    phones.pause();
    phones.hang_up(alice, call);
    phones.pause();
    assert_eq!(phones.last(alice), Some(Event::Ended { call, cause: Cause::LocalHangup, status: 487 }));
    assert_eq!(phones.last(bob), Some(Event::Ended { call: incoming, cause: Cause::Cancelled, status: 487 }));
    phones.settle();
    assert_eq!((phones.ended(alice).len(), phones.ended(bob).len()), (1, 1));
}

#[test]
fn a_200_that_crosses_the_cancel_is_acknowledged_and_ended() {
    let (mut phones, alice, mut wire) = Phones::scripted(4);
    let call = phones.call(alice, "sip:wire@192.0.2.9");
    let invite = wire.expect(&phones, "INVITE");
    wire.respond(&mut phones, alice, &invite, 180, "");
    phones.hang_up(alice, call);
    let cancel = wire.expect(&phones, "CANCEL");
    wire.accept(&mut phones, alice, &invite, "wire", ANSWER);
    let heard = wire.expect_all(&phones, &["ACK", "BYE"]);
    assert_eq!((heard[0].seq(), heard[1].seq()), (invite.seq(), invite.seq() + 1));
    wire.respond(&mut phones, alice, &cancel, 200, "");
    assert_eq!(phones.ended(alice), []);
    wire.respond(&mut phones, alice, &heard[1], 200, "");
    assert_eq!(phones.ended(alice), [(Cause::LocalHangup, 0)]);
    assert!(!phones.events(alice).iter().any(|event| matches!(event, Event::Answered { .. })));
    phones.settle();
}

#[test]
fn a_cancel_that_crosses_the_200_changes_nothing_at_the_callee() {
    let (mut phones, alice, mut wire) = Phones::scripted(5);
    let (invite, cancel, mut leg) = invite_and_cancel(&mut wire);
    wire.send(&mut phones, alice, &invite);
    let call = phones.incoming(alice);
    phones.answer(alice, call);
    wire.send(&mut phones, alice, &cancel);
    let heard = wire.expect_all(&phones, &["200", "200"]);
    assert_eq!(heard[1].message().cseq().method.as_bytes(), b"CANCEL");
    assert_eq!(heard[1].to_tag(), heard[0].to_tag(), "one To tag for both (§9.2)");
    assert_eq!(phones.ended(alice), []);
    leg.remote = heard[0].header("To");
    let branch = wire.branch();
    let ack = wire.request_as(&leg, "ACK", &branch, "", b"");
    wire.send(&mut phones, alice, &ack);
    assert_eq!(phones.last(alice), Some(Event::Confirmed { call }));
    let bye = wire.request(&mut leg, "BYE", "", b"");
    wire.send(&mut phones, alice, &bye);
    assert_eq!(phones.ended(alice), [(Cause::RemoteHangup, 0)]);
    phones.settle();
}

fn invite_and_cancel(wire: &mut Wire) -> (Vec<u8>, Vec<u8>, Leg) {
    let mut leg = wire.leg("sip:alice@192.0.2.1");
    leg.seq = 1;
    let (branch, contact) = (wire.branch(), wire.contact());
    let invite = wire.request_as(&leg, "INVITE", &branch, &contact, OFFER);
    let cancel = wire.request_as(&leg, "CANCEL", &branch, "", b"");
    (invite, cancel, leg)
}

#[test]
fn a_repeated_cancel_is_answered_200_again_with_the_tag_of_the_487() {
    let (mut phones, alice, mut wire) = Phones::scripted(6);
    let (invite, cancel, mut leg) = invite_and_cancel(&mut wire);
    wire.send(&mut phones, alice, &invite);
    let call = phones.incoming(alice);
    phones.act(alice, |phone, now| phone.ring(now, call, 180, &Content::NONE)).unwrap();
    let ringing = wire.expect(&phones, "180");
    wire.send(&mut phones, alice, &cancel);
    let mut heard = wire.hear(&phones);
    heard.sort_by_key(sip_testkit::Heard::kind);
    let kinds: Vec<String> = heard.iter().map(sip_testkit::Heard::kind).collect();
    assert_eq!(kinds, ["200", "487"]);
    // §9.2: the To tags of the two responses should be one, and it is that of the 180 (§8.2.6.2).
    assert_eq!(heard[0].to_tag(), ringing.to_tag());
    assert_eq!(heard[1].to_tag(), ringing.to_tag());
    wire.send(&mut phones, alice, &cancel);
    let again = wire.expect(&phones, "200");
    assert_eq!(again.to_tag(), ringing.to_tag());
    leg.remote = heard[1].header("To");
    let via = String::from_utf8(invite.clone()).unwrap();
    let branch = via.split("branch=").nth(1).unwrap().split("\r\n").next().unwrap();
    let ack = wire.request_as(&leg, "ACK", branch, "", b"");
    wire.send(&mut phones, alice, &ack);
    wire.send(&mut phones, alice, &cancel);
    wire.expect(&phones, "200");
    assert_eq!(phones.ended(alice), [(Cause::Cancelled, 487)]);
    phones.settle();
    assert_eq!(phones.ended(alice).len(), 1);
}

#[test]
fn a_caller_may_end_an_early_dialog_with_a_bye() {
    let (mut phones, alice, mut wire) = Phones::scripted(14);
    let (invite, _, mut leg) = invite_and_cancel(&mut wire);
    wire.send(&mut phones, alice, &invite);
    let call = phones.incoming(alice);
    phones.act(alice, |phone, now| phone.ring(now, call, 180, &Content::NONE)).unwrap();
    leg.remote = wire.expect(&phones, "180").header("To");
    let bye = wire.request(&mut leg, "BYE", "", b"");
    wire.send(&mut phones, alice, &bye);
    let mut kinds: Vec<_> = wire.hear(&phones).iter().map(sip_testkit::Heard::kind).collect();
    kinds.sort();
    assert_eq!(kinds, ["200", "487"]);
    assert_eq!(phones.ended(alice), [(Cause::RemoteHangup, 0)]);
    phones.settle();
}

#[test]
fn a_cancel_for_nothing_gets_481() {
    let (mut phones, alice, mut wire) = Phones::scripted(7);
    let (_, cancel, _) = invite_and_cancel(&mut wire);
    wire.send(&mut phones, alice, &cancel);
    wire.expect(&phones, "481");
    assert_eq!(phones.events(alice), []);
    phones.settle();
}

#[test]
fn after_a_401_the_cancel_names_the_latest_invite() {
    let (mut phones, alice, mut wire) = Phones::scripted(8);
    phones.act(alice, |phone, _| phone.add_credentials("", "alice", "secret")).unwrap();
    let call = phones.call(alice, "sip:wire@192.0.2.9");
    let first = wire.expect(&phones, "INVITE");
    wire.respond(&mut phones, alice, &first, 180, "");
    wire.respond(
        &mut phones,
        alice,
        &first,
        401,
        "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth\"\r\n",
    );
    let heard = wire.expect_all(&phones, &["ACK", "INVITE"]);
    let second = &heard[1];
    assert_eq!(heard[0].branch(), first.branch());
    assert_eq!(second.seq(), first.seq() + 1);
    phones.hang_up(alice, call);
    // The 180 was to the first INVITE; nothing has come to the second.
    wire.expect_nothing(&phones);
    wire.respond(&mut phones, alice, second, 100, "");
    let cancel = wire.expect(&phones, "CANCEL");
    assert_eq!((cancel.branch(), cancel.seq()), (second.branch(), second.seq()));
    wire.respond(&mut phones, alice, &cancel, 200, "");
    wire.respond(&mut phones, alice, second, 487, "");
    wire.expect(&phones, "ACK");
    assert_eq!(phones.ended(alice), [(Cause::LocalHangup, 487)]);
    phones.settle();
}

#[test]
fn a_401_after_the_hang_up_starts_no_second_invite() {
    for provisional in [false, true] {
        let (mut phones, alice, mut wire) = Phones::scripted(9);
        phones.act(alice, |phone, _| phone.add_credentials("", "alice", "secret")).unwrap();
        let call = phones.call(alice, "sip:wire@192.0.2.9");
        let invite = wire.expect(&phones, "INVITE");
        if provisional {
            wire.respond(&mut phones, alice, &invite, 100, "");
        }
        phones.hang_up(alice, call);
        if provisional {
            let cancel = wire.expect(&phones, "CANCEL");
            wire.respond(&mut phones, alice, &cancel, 200, "");
        }
        wire.respond(&mut phones, alice, &invite, 401, "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\"\r\n");
        wire.expect(&phones, "ACK");
        assert_eq!(phones.ended(alice), [(Cause::LocalHangup, 401)]);
        phones.settle();
        wire.expect_nothing(&phones);
        assert_eq!(phones.ended(alice).len(), 1);
    }
}

#[test]
fn without_a_final_response_the_call_ends_64_t1_after_the_cancel() {
    let (mut phones, alice, mut wire) = Phones::scripted(10);
    let call = phones.call(alice, "sip:wire@192.0.2.9");
    let invite = wire.expect(&phones, "INVITE");
    wire.respond(&mut phones, alice, &invite, 180, "");
    phones.wait(10_000);
    phones.hang_up(alice, call);
    let cancel = wire.expect(&phones, "CANCEL");
    wire.respond(&mut phones, alice, &cancel, 200, "");
    phones.wait(31_999);
    assert_eq!(phones.ended(alice), []);
    phones.wait(1);
    assert_eq!(phones.ended(alice), [(Cause::LocalHangup, 0)]);
    phones.settle();
}

#[test]
fn an_unanswered_call_is_cancelled_after_three_minutes() {
    let mut phones = Phones::new(11);
    let alice = phones.add("alice", "192.0.2.1:5060");
    let patient = |config: &mut sip_core::ua::Config<'_>| config.ring_limit = sip_core::time::Duration::from_secs(200);
    let bob = phones.add_with("bob", "192.0.2.2:5060", patient);
    let call = phones.call(alice, "sip:bob@192.0.2.2");
    phones.wait(10);
    let incoming = phones.incoming(bob);
    phones.act(bob, |phone, now| phone.ring(now, incoming, 180, &Content::NONE)).unwrap();
    phones.wait(179_989);
    assert_eq!(phones.ended(alice), []);
    phones.wait(1);
    assert_eq!(phones.last(alice), Some(Event::Ended { call, cause: Cause::NoAnswer, status: 487 }));
    assert_eq!(phones.ended(bob).len(), 1);
    phones.settle();
}

#[test]
fn a_ring_limit_below_timer_b_sends_no_cancel_before_a_provisional_response() {
    let mut phones = Phones::new(12);
    let change = |config: &mut sip_core::ua::Config<'_>| config.ring_limit = sip_core::time::Duration::from_secs(5);
    let alice = phones.add_with("alice", "192.0.2.1:5060", change);
    let mut wire = Wire::new("192.0.2.9:5060");
    let call = phones.call(alice, "sip:wire@192.0.2.9");
    phones.wait(6000);
    let invite = wire.expect_all(&phones, &["INVITE", "INVITE", "INVITE", "INVITE"]).remove(0);
    wire.respond(&mut phones, alice, &invite, 180, "");
    let cancel = wire.expect(&phones, "CANCEL");
    wire.respond(&mut phones, alice, &cancel, 200, "");
    wire.respond(&mut phones, alice, &invite, 487, "");
    assert_eq!(phones.last(alice), Some(Event::Ended { call, cause: Cause::NoAnswer, status: 487 }));
    phones.settle();
}

#[test]
fn the_callee_gives_up_with_480_and_repeats_its_180_each_minute() {
    let (mut phones, alice, mut wire) = Phones::scripted(13);
    let (invite, _, mut leg) = invite_and_cancel(&mut wire);
    wire.send(&mut phones, alice, &invite);
    let call = phones.incoming(alice);
    phones.act(alice, |phone, now| phone.ring(now, call, 180, &Content::NONE)).unwrap();
    phones.wait(180_000);
    let heard = wire.expect_all(&phones, &["180", "180", "180", "480"]);
    assert_eq!(heard.iter().map(|heard| heard.at).collect::<Vec<_>>(), [0, 60_000, 120_000, 180_000]);
    assert_eq!(phones.ended(alice), [(Cause::NoAnswer, 480)]);
    leg.remote = heard[3].header("To");
    let text = String::from_utf8(invite).unwrap();
    let branch = text.split("branch=").nth(1).unwrap().split("\r\n").next().unwrap();
    let ack = wire.request_as(&leg, "ACK", branch, "", b"");
    wire.send(&mut phones, alice, &ack);
    phones.settle();
    wire.expect_nothing(&phones);
}

#[test]
fn a_cancel_after_a_refusal_is_answered_with_its_tag() {
    let (mut phones, alice, mut wire) = Phones::scripted(15);
    let (invite, cancel, _) = invite_and_cancel(&mut wire);
    wire.send(&mut phones, alice, &invite);
    let call = phones.incoming(alice);
    phones.act(alice, |phone, now| phone.reject(now, call, 486, &Content::NONE)).unwrap();
    let refused = wire.expect(&phones, "486");
    wire.send(&mut phones, alice, &cancel);
    assert_eq!(wire.expect(&phones, "200").to_tag(), refused.to_tag());
    assert_eq!(phones.ended(alice), [(Cause::Declined, 486)]);
    phones.settle();
}

#[test]
fn an_invite_that_expires_is_answered_487() {
    for (rows, limit, status) in [("Expires: 20\r\n", 20_000, "487"), ("Expires: 600\r\n", 180_000, "480")] {
        let (mut phones, alice, mut wire) = Phones::scripted(16);
        let mut leg = wire.leg("sip:alice@192.0.2.1");
        let rows = format!("{}{rows}", wire.contact());
        let invite = wire.request(&mut leg, "INVITE", &rows, OFFER);
        wire.send(&mut phones, alice, &invite);
        phones.wait(limit - 1);
        assert!(!wire.kinds(&phones).contains(status));
        phones.wait(1);
        wire.expect(&phones, status);
        assert_eq!(phones.ended(alice)[0].0, Cause::NoAnswer);
    }
}

#[test]
fn our_invite_is_cancelled_when_it_expires() {
    use sip_core::message::{Header, HeaderName};
    let (mut phones, alice, mut wire) = Phones::scripted(17);
    let headers = [Header { name: HeaderName::Expires, value: b"20" }];
    let content = Content::sdp(OFFER).with_headers(&headers);
    phones.act(alice, |phone, now| phone.call(now, "sip:wire@192.0.2.9", "", &content)).unwrap();
    let invite = wire.expect(&phones, "INVITE");
    assert_eq!(invite.header("Expires"), "20");
    wire.respond(&mut phones, alice, &invite, 180, "");
    phones.wait(19_999);
    wire.expect_nothing(&phones);
    phones.wait(1);
    wire.expect(&phones, "CANCEL");
}
