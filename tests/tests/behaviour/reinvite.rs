//! INVITEs inside a call: glare, overlap, refusal, target refresh, and hanging up in the middle.
//!
//! Covers RFC 3261 §12.2 (CSeq, target refresh, 481 and 408), §14.1, §14.2, §15.1.2, field notes 17 and 24 (part). Plain hold
//! and resume is in call.rs, re-INVITE without SDP in late_offer.rs. That a refused re-INVITE leaves the media as they were is
//! the application's.

use sip_core::error::Error;
use sip_core::message::Method;
use sip_core::ua::{Call, Cause, Config, Content, Event};
use sip_testkit::{ANSWER, Faults, Leg, NodeId, OFFER, Phones, Wire};

/// A phone in a call that it made to the scripted peer.
fn calling(seed: u64) -> (Phones, NodeId, Wire, Call, Leg) {
    let (mut phones, alice, mut wire) = Phones::scripted(seed);
    let call = phones.call(alice, "sip:wire@192.0.2.9");
    let invite = wire.expect(&phones, "INVITE");
    wire.accept(&mut phones, alice, &invite, "wire", ANSWER);
    wire.expect(&phones, "ACK");
    let leg = wire.leg_of(&invite, "wire");
    (phones, alice, wire, call, leg)
}

/// A phone in a call that the scripted peer made to it.
fn called(seed: u64) -> (Phones, NodeId, Wire, Call, Leg) {
    let (mut phones, alice, mut wire) = Phones::scripted(seed);
    let leg = wire.call(&mut phones, alice, "sip:alice@192.0.2.1", "");
    let call = phones.incoming(alice);
    (phones, alice, wire, call, leg)
}

fn reinvite(phones: &mut Phones, node: NodeId, call: Call) {
    phones.act(node, |phone, now| phone.reinvite(now, call, &Content::sdp(OFFER))).expect("a call to change");
}

fn end(phones: &mut Phones, alice: NodeId, wire: &mut Wire, call: Call) {
    phones.hang_up(alice, call);
    let bye = wire.expect(phones, "BYE");
    wire.respond(phones, alice, &bye, 200, "");
    phones.settle();
    assert_eq!(phones.ended(alice).len(), 1);
}

#[test]
fn both_ends_reinvite_at_once_and_both_get_through() {
    for seed in 0..20 {
        let (mut phones, alice, bob) = Phones::pair(seed);
        phones.world.network_mut().set_faults(Faults::LINE);
        let (call, incoming) = phones.established(alice, bob, "sip:bob@192.0.2.2");
        let start = phones.now();
        reinvite(&mut phones, alice, call);
        reinvite(&mut phones, bob, incoming);
        let mut done = Vec::new();
        for _ in 0..100 {
            phones.wait(100);
            for (node, call) in [(alice, call), (bob, incoming)] {
                if phones.last(node) == Some(Event::Reinvite { call }) {
                    phones.act(node, |phone, now| phone.answer(now, call, &Content::sdp(ANSWER))).unwrap();
                    done.push((node, phones.now() - start));
                    phones.pause();
                }
            }
        }
        // The answer to Bob's offer is sought first: Alice owns the Call-ID and waits longer (§14.1).
        assert_eq!(done.iter().map(|(node, _)| *node).collect::<Vec<_>>(), [alice, bob], "{}", phones.world.explain());
        assert!(done[0].1 <= 2200, "the callee waits up to 2 s");
        assert!((2100..=4300).contains(&done[1].1), "the owner of the Call-ID waits 2.1 to 4 s: {}", done[1].1);
        for node in [alice, bob] {
            let told = phones.events(node).into_iter().filter_map(|event| match event {
                Event::Reinvited { status, .. } => Some(status),
                _ => None,
            });
            assert_eq!(told.collect::<Vec<_>>(), [200]);
        }
        phones.hang_up(alice, call);
        phones.settle();
        assert_eq!((phones.ended(alice).len(), phones.ended(bob).len()), (1, 1));
    }
}

#[test]
fn a_491_is_sent_until_its_ack_and_a_late_copy_of_the_invite_is_no_new_one() {
    let (mut phones, alice, mut wire, call, mut leg) = calling(1);
    reinvite(&mut phones, alice, call);
    let ours = wire.expect(&phones, "INVITE");
    let contact = wire.contact();
    let theirs = wire.request(&mut leg, "INVITE", &contact, OFFER);
    wire.send(&mut phones, alice, &theirs);
    let refused = wire.expect(&phones, "491");
    wire.accept(&mut phones, alice, &ours, "wire", ANSWER);
    wire.expect(&phones, "ACK");
    let ack = wire.request_as(&leg, "ACK", &refused.branch(), "", b"");
    wire.send(&mut phones, alice, &ack);
    wire.send(&mut phones, alice, &theirs);
    phones.wait(1000);
    wire.expect_nothing(&phones);
    assert!(!phones.events(alice).contains(&Event::Reinvite { call }));
    end(&mut phones, alice, &mut wire, call);
}

#[test]
fn a_second_invite_before_the_answer_gets_500_with_retry_after() {
    let (mut phones, alice, mut wire, call, mut leg) = calling(2);
    let contact = wire.contact();
    let first = wire.request(&mut leg, "INVITE", &contact, OFFER);
    wire.send(&mut phones, alice, &first);
    assert_eq!(phones.last(alice), Some(Event::Reinvite { call }));
    let second = wire.request(&mut leg, "INVITE", &contact, OFFER);
    wire.send(&mut phones, alice, &second);
    let refused = wire.expect(&phones, "500");
    let seconds: u32 = refused.header("Retry-After").parse().unwrap();
    assert!(seconds <= 10, "between 0 and 10 (§14.2)");
    let ack = wire.request_as(&leg, "ACK", &refused.branch(), "", b"");
    wire.send(&mut phones, alice, &ack);
    phones.answer(alice, call);
    let answer = wire.expect(&phones, "200");
    leg.seq -= 1;
    let branch = wire.branch();
    let ack = wire.request_as(&leg, "ACK", &branch, "", b"");
    wire.send(&mut phones, alice, &ack);
    assert_eq!(answer.seq(), leg.seq);
    assert_eq!(phones.last(alice), Some(Event::Confirmed { call }));
    leg.seq += 1;
    phones.wait(5000);
    wire.expect_nothing(&phones);
    end(&mut phones, alice, &mut wire, call);
}

#[test]
fn other_requests_between_an_invite_and_its_ack_do_not_hide_the_ack() {
    for inside in [false, true] {
        let mut phones = Phones::new(3);
        let change = |config: &mut Config<'_>| config.methods = "INFO";
        let alice = phones.add_with("alice", "192.0.2.1:5060", change);
        let mut wire = Wire::new("192.0.2.9:5060");
        let contact = wire.contact();
        let mut leg = if inside {
            wire.call(&mut phones, alice, "sip:alice@192.0.2.1", "")
        } else {
            wire.leg("sip:alice@192.0.2.1")
        };
        let invite = wire.request(&mut leg, "INVITE", &contact, OFFER);
        wire.send(&mut phones, alice, &invite);
        let call = phones.incoming(alice);
        if !inside {
            phones.act(alice, |phone, now| phone.ring(now, call, 180, &Content::NONE)).unwrap();
            leg.remote = wire.expect(&phones, "180").header("To");
        }
        let seq = leg.seq;
        let info = wire.request(&mut leg, "INFO", "", b"");
        wire.send(&mut phones, alice, &info);
        let Some(Event::Request { request, .. }) = phones.last(alice) else { panic!("no INFO") };
        phones.act(alice, |phone, now| phone.respond(now, request, 200, &Content::NONE)).unwrap();
        wire.expect(&phones, "200");
        phones.answer(alice, call);
        wire.expect(&phones, "200");
        let after = leg.seq;
        leg.seq = seq;
        let branch = wire.branch();
        let ack = wire.request_as(&leg, "ACK", &branch, "", b"");
        wire.send(&mut phones, alice, &ack);
        assert_eq!(phones.last(alice), Some(Event::Confirmed { call }));
        // A CSeq that is not higher than the INFO's is out of order (§12.2.2).
        let late = wire.request(&mut leg, "OPTIONS", "", b"");
        assert_eq!(leg.seq, after);
        leg.seq = after - 1;
        let lower = wire.request_as(&leg, "OPTIONS", "z9hG4bK-lower", "", b"");
        wire.send(&mut phones, alice, &lower);
        wire.expect(&phones, "500");
        drop(late);
        end(&mut phones, alice, &mut wire, call);
    }
}

#[test]
fn a_request_with_a_lower_cseq_gets_500_and_changes_nothing() {
    let (mut phones, alice, mut wire, call, mut leg) = called(4);
    leg.seq = 10;
    let options = wire.request(&mut leg, "OPTIONS", "", b"");
    wire.send(&mut phones, alice, &options);
    wire.expect(&phones, "200");
    leg.seq = 4;
    for method in ["BYE", "INVITE", "OPTIONS"] {
        let contact = wire.contact();
        let request = wire.request(&mut leg, method, &contact, b"");
        wire.send(&mut phones, alice, &request);
        wire.expect(&phones, "500");
    }
    assert_eq!(phones.last(alice), Some(Event::Confirmed { call }));
    leg.seq = 11;
    let bye = wire.request(&mut leg, "BYE", "", b"");
    wire.send(&mut phones, alice, &bye);
    wire.expect(&phones, "200");
    phones.settle();
}

#[test]
fn a_481_a_408_or_silence_ends_the_call() {
    for status in [481, 408, 0] {
        let (mut phones, alice, mut wire, call, _) = calling(5);
        reinvite(&mut phones, alice, call);
        let invite = wire.expect(&phones, "INVITE");
        assert_eq!(phones.act(alice, |phone, now| phone.reinvite(now, call, &Content::sdp(OFFER))), Err(Error::State));
        if status == 0 {
            phones.wait(32_000);
        } else {
            wire.respond(&mut phones, alice, &invite, status, "");
        }
        let told = if status == 0 { 408 } else { status };
        assert_eq!(phones.last(alice), Some(Event::Reinvited { call, status: told, answer_due: false }));
        let bye = wire.hear(&phones).into_iter().find(|heard| heard.kind() == "BYE").expect("a BYE");
        wire.respond(&mut phones, alice, &bye, 481, "");
        assert_eq!(phones.ended(alice), [(Cause::Lost, told)]);
        phones.settle();
        assert_eq!(phones.ended(alice).len(), 1);
    }
}

#[test]
fn any_other_refusal_leaves_the_call_as_it_was() {
    for status in [488, 500, 503, 603] {
        let (mut phones, alice, mut wire, call, _) = calling(6);
        reinvite(&mut phones, alice, call);
        let invite = wire.expect(&phones, "INVITE");
        wire.respond(&mut phones, alice, &invite, status, "");
        wire.expect(&phones, "ACK");
        assert_eq!(phones.last(alice), Some(Event::Reinvited { call, status, answer_due: false }));
        reinvite(&mut phones, alice, call);
        let invite = wire.expect(&phones, "INVITE");
        wire.accept(&mut phones, alice, &invite, "wire", ANSWER);
        wire.expect(&phones, "ACK");
        assert_eq!(phones.last(alice), Some(Event::Reinvited { call, status: 200, answer_due: false }));
        end(&mut phones, alice, &mut wire, call);
    }
}

#[test]
fn the_next_request_goes_to_a_refreshed_target() {
    let (mut phones, alice, mut wire, call, mut leg) = called(7);
    let moved = "Contact: <sip:moved@192.0.2.9:5062>\r\n";
    let invite = wire.request(&mut leg, "INVITE", moved, OFFER);
    wire.send(&mut phones, alice, &invite);
    phones.answer(alice, call);
    wire.expect(&phones, "200");
    let branch = wire.branch();
    let ack = wire.request_as(&leg, "ACK", &branch, "", b"");
    wire.send(&mut phones, alice, &ack);
    let mut other = Wire::new("192.0.2.9:5062");
    reinvite(&mut phones, alice, call);
    let invite = other.expect(&phones, "INVITE");
    assert_eq!(invite.uri(), "sip:moved@192.0.2.9:5062");
    // And back, by the response to ours.
    wire.accept(&mut phones, alice, &invite, "", ANSWER);
    assert_eq!(wire.expect(&phones, "ACK").uri(), "sip:wire@192.0.2.9:5060");
    other.expect_nothing(&phones);
    end(&mut phones, alice, &mut wire, call);
}

#[test]
fn our_hang_up_while_our_reinvite_is_pending_ends_the_call_once() {
    for status in [487, 481, 491, 200] {
        for bye_first in [false, true] {
            let (mut phones, alice, mut wire, call, _) = calling(8);
            reinvite(&mut phones, alice, call);
            let invite = wire.expect(&phones, "INVITE");
            phones.hang_up(alice, call);
            let bye = wire.expect(&phones, "BYE");
            assert!(bye.seq() > invite.seq());
            if bye_first {
                wire.respond(&mut phones, alice, &bye, 200, "");
            }
            let rows = if status == 200 { wire.contact() } else { String::new() };
            wire.send(&mut phones, alice, &invite.response(status, "wire", &rows, b""));
            let heard = wire.hear(&phones);
            assert_eq!(heard[0].kind(), "ACK", "{status} {bye_first}");
            assert_eq!(heard[0].seq(), invite.seq());
            if bye_first {
                for bye in heard.iter().filter(|heard| heard.kind() == "BYE") {
                    wire.respond(&mut phones, alice, bye, 481, "");
                }
            } else {
                assert_eq!(heard.len(), 1, "one BYE is enough");
                wire.respond(&mut phones, alice, &bye, 200, "");
            }
            phones.settle();
            assert_eq!(phones.ended(alice), [(Cause::LocalHangup, 0)], "{status} {bye_first}");
            assert!(!phones.events(alice).iter().any(|event| matches!(event, Event::Reinvited { .. })));
        }
    }
}

#[test]
fn the_peers_bye_while_its_reinvite_is_pending_answers_both() {
    let (mut phones, alice, mut wire, call, mut leg) = called(9);
    let contact = wire.contact();
    let invite = wire.request(&mut leg, "INVITE", &contact, OFFER);
    wire.send(&mut phones, alice, &invite);
    assert_eq!(phones.last(alice), Some(Event::Reinvite { call }));
    let bye = wire.request(&mut leg, "BYE", "", b"");
    wire.send(&mut phones, alice, &bye);
    let mut kinds: Vec<_> = wire.hear(&phones).iter().map(sip_testkit::Heard::kind).collect();
    kinds.sort();
    assert_eq!(kinds, ["200", "487"]);
    assert_eq!(phones.ended(alice), [(Cause::RemoteHangup, 0)]);
    phones.settle();
}

#[test]
fn the_peers_bye_while_our_reinvite_is_pending_ends_the_call() {
    let (mut phones, alice, mut wire, call, mut leg) = called(10);
    reinvite(&mut phones, alice, call);
    let invite = wire.expect(&phones, "INVITE");
    let bye = wire.request(&mut leg, "BYE", "", b"");
    wire.send(&mut phones, alice, &bye);
    wire.expect(&phones, "200");
    assert_eq!(phones.ended(alice), [(Cause::RemoteHangup, 0)]);
    wire.respond(&mut phones, alice, &invite, 487, "");
    wire.expect(&phones, "ACK");
    phones.settle();
    assert_eq!(phones.ended(alice).len(), 1);
}

#[test]
fn our_hang_up_while_the_peers_reinvite_is_pending_refuses_it() {
    let (mut phones, alice, mut wire, call, mut leg) = called(11);
    let contact = wire.contact();
    let invite = wire.request(&mut leg, "INVITE", &contact, OFFER);
    wire.send(&mut phones, alice, &invite);
    phones.hang_up(alice, call);
    let heard = wire.hear(&phones);
    let bye = heard.iter().find(|heard| heard.kind() == "BYE").expect("a BYE");
    // What comes too late is refused and changes nothing.
    assert!(phones.act(alice, |phone, now| phone.answer(now, call, &Content::sdp(ANSWER))).is_err());
    wire.respond(&mut phones, alice, bye, 200, "");
    let later = wire.hear(&phones);
    assert!(heard.iter().chain(&later).any(|heard| heard.kind() == "487"));
    assert_eq!(phones.ended(alice), [(Cause::LocalHangup, 0)]);
    phones.settle();
    assert_eq!(phones.ended(alice).len(), 1);
}

#[test]
fn a_cancelled_reinvite_leaves_the_call_and_its_clock_alone() {
    let (mut phones, alice, mut wire, call, mut leg) = called(12);
    let contact = wire.contact();
    let invite = wire.request(&mut leg, "INVITE", &contact, OFFER);
    wire.send(&mut phones, alice, &invite);
    let text = String::from_utf8(invite).unwrap();
    let branch = text.split("branch=").nth(1).unwrap().split("\r\n").next().unwrap().to_owned();
    let cancel = wire.request_as(&leg, "CANCEL", &branch, "", b"");
    wire.send(&mut phones, alice, &cancel);
    let mut kinds: Vec<_> = wire.hear(&phones).iter().map(sip_testkit::Heard::kind).collect();
    kinds.sort();
    assert_eq!(kinds, ["200", "487"]);
    let ack = wire.request_as(&leg, "ACK", &branch, "", b"");
    wire.send(&mut phones, alice, &ack);
    assert_eq!(phones.act(alice, |phone, now| phone.answer(now, call, &Content::sdp(ANSWER))), Err(Error::State));
    // Our own re-INVITE two minutes later has all its time.
    phones.wait(170_000);
    wire.expect_nothing(&phones);
    reinvite(&mut phones, alice, call);
    let ours = wire.expect(&phones, "INVITE");
    wire.respond(&mut phones, alice, &ours, 100, "");
    phones.wait(20_000);
    wire.expect_nothing(&phones);
    wire.accept(&mut phones, alice, &ours, "", ANSWER);
    wire.expect(&phones, "ACK");
    end(&mut phones, alice, &mut wire, call);
}

#[test]
fn after_a_refused_reinvite_no_timer_runs() {
    let (mut phones, alice, mut wire, call, mut leg) = called(13);
    let contact = wire.contact();
    let invite = wire.request(&mut leg, "INVITE", &contact, OFFER);
    wire.send(&mut phones, alice, &invite);
    phones.act(alice, |phone, now| phone.ring(now, call, 183, &Content::NONE)).unwrap();
    phones.wait(60_000);
    assert_eq!(wire.kinds(&phones), "183 183", "it is repeated each minute");
    phones.act(alice, |phone, now| phone.reject(now, call, 488, &Content::NONE)).unwrap();
    let refused = wire.expect(&phones, "488");
    let ack = wire.request_as(&leg, "ACK", &refused.branch(), "", b"");
    wire.send(&mut phones, alice, &ack);
    phones.wait(60_000);
    assert_eq!(phones.world.next_wakeup(), None, "an established call sleeps");
    end(&mut phones, alice, &mut wire, call);
}

#[test]
fn a_reinvite_is_challenged_like_any_request() {
    let (mut phones, alice, mut wire, call, _) = calling(14);
    phones.act(alice, |phone, _| phone.add_credentials("", "alice", "secret")).unwrap();
    reinvite(&mut phones, alice, call);
    let first = wire.expect(&phones, "INVITE");
    wire.respond(
        &mut phones,
        alice,
        &first,
        401,
        "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth\"\r\n",
    );
    let heard = wire.expect_all(&phones, &["ACK", "INVITE"]);
    assert_eq!(heard[1].seq(), first.seq() + 1);
    wire.accept(&mut phones, alice, &heard[1], "wire", ANSWER);
    let ack = wire.expect(&phones, "ACK");
    assert_eq!(ack.header("Authorization"), heard[1].header("Authorization"));
    assert_eq!(ack.message().method(), Method::Ack);
    end(&mut phones, alice, &mut wire, call);
}

#[test]
fn a_481_a_408_or_silence_to_any_request_inside_ends_the_call() {
    for status in [481, 408, 0, 503] {
        let (mut phones, alice, mut wire, call, _) = calling(15);
        let info = |phone: &mut sip_testkit::Phone, now| phone.request_in_call(now, call, Method::Info, &Content::NONE);
        let request = phones.act(alice, info).unwrap();
        let info = wire.expect(&phones, "INFO");
        if status == 0 {
            phones.wait(32_000);
        } else {
            wire.respond(&mut phones, alice, &info, status, "");
        }
        let told = if status == 0 { 408 } else { status };
        assert_eq!(phones.last(alice), Some(Event::Response { request, status: told }));
        if status == 503 {
            end(&mut phones, alice, &mut wire, call);
            continue;
        }
        let bye = wire.hear(&phones).into_iter().find(|heard| heard.kind() == "BYE").expect("a BYE");
        wire.respond(&mut phones, alice, &bye, 481, "");
        phones.settle();
        assert_eq!(phones.ended(alice), [(Cause::Lost, told)]);
    }
    // Outside of a dialog they say nothing of a call.
    let (mut phones, alice, mut wire, call, _) = calling(16);
    phones.act(alice, |phone, now| phone.request(now, Method::Message, "sip:wire@192.0.2.9", &Content::NONE)).unwrap();
    let message = wire.expect(&phones, "MESSAGE");
    wire.respond(&mut phones, alice, &message, 481, "");
    end(&mut phones, alice, &mut wire, call);
}

#[test]
fn a_second_491_is_told() {
    let (mut phones, alice, mut wire, call, _) = calling(17);
    for _ in 0..2 {
        reinvite(&mut phones, alice, call);
        let before = phones.events(alice).len();
        for told in [0, 1] {
            let mut heard = wire.hear(&phones);
            for _ in 0..410 {
                if heard.is_empty() {
                    phones.wait(10);
                    heard = wire.hear(&phones);
                }
            }
            assert_eq!(heard[0].kind(), "INVITE");
            wire.respond(&mut phones, alice, &heard[0], 491, "Retry-After: 1\r\n");
            wire.expect(&phones, "ACK");
            assert_eq!(phones.events(alice).len(), before + told, "{}", phones.world.explain());
        }
        assert_eq!(phones.last(alice), Some(Event::Reinvited { call, status: 491, answer_due: false }));
        phones.wait(10_000);
        wire.expect_nothing(&phones);
    }
    end(&mut phones, alice, &mut wire, call);
}

#[test]
fn a_reinvite_that_rings_too_long_is_cancelled_once_a_provisional_response_came() {
    for early in [false, true] {
        let mut phones = Phones::new(18);
        let change = |config: &mut Config<'_>| config.ring_limit = sip_core::time::Duration::from_secs(5);
        let alice = phones.add_with("alice", "192.0.2.1:5060", change);
        let mut wire = Wire::new("192.0.2.9:5060");
        wire.call(&mut phones, alice, "sip:alice@192.0.2.1", "");
        let call = phones.incoming(alice);
        reinvite(&mut phones, alice, call);
        let invite = wire.expect(&phones, "INVITE");
        if early {
            wire.respond(&mut phones, alice, &invite, 100, "");
        }
        phones.wait(5000);
        if !early {
            assert!(!wire.kinds(&phones).contains("CANCEL"), "before a provisional response (§9.1)");
            wire.respond(&mut phones, alice, &invite, 180, "");
        }
        let cancel = wire.expect(&phones, "CANCEL");
        wire.respond(&mut phones, alice, &invite, 180, "");
        wire.expect_nothing(&phones);
        wire.respond(&mut phones, alice, &cancel, 200, "");
        wire.respond(&mut phones, alice, &invite, 487, "");
        wire.expect(&phones, "ACK");
        assert_eq!(phones.last(alice), Some(Event::Reinvited { call, status: 487, answer_due: false }));
        end(&mut phones, alice, &mut wire, call);
    }
}

#[test]
fn a_refused_or_cancelled_reinvite_leaves_the_target_as_it_was() {
    for cancelled in [false, true] {
        let (mut phones, alice, mut wire, call, mut leg) = called(19);
        let moved = "Contact: <sip:moved@192.0.2.9:5062>\r\n";
        leg.seq += 1;
        let branch = wire.branch();
        let invite = wire.request_as(&leg, "INVITE", &branch, moved, OFFER);
        wire.send(&mut phones, alice, &invite);
        if cancelled {
            let cancel = wire.request_as(&leg, "CANCEL", &branch, "", b"");
            wire.send(&mut phones, alice, &cancel);
            assert_eq!(phones.last(alice), Some(Event::ReinviteCancelled { call }));
        } else {
            phones.act(alice, |phone, now| phone.reject(now, call, 488, &Content::NONE)).unwrap();
        }
        wire.hear(&phones);
        let ack = wire.request_as(&leg, "ACK", &branch, "", b"");
        wire.send(&mut phones, alice, &ack);
        end(&mut phones, alice, &mut wire, call);
    }
}

#[test]
fn the_target_is_the_old_one_until_the_reinvite_is_accepted() {
    let (mut phones, alice, mut wire, call, mut leg) = called(20);
    let invite = wire.request(&mut leg, "INVITE", "Contact: <sip:moved@192.0.2.9:5062>\r\n", OFFER);
    wire.send(&mut phones, alice, &invite);
    let info = |phone: &mut sip_testkit::Phone, now| phone.request_in_call(now, call, Method::Info, &Content::NONE);
    phones.act(alice, info).unwrap();
    assert_eq!(wire.expect(&phones, "INFO").uri(), "sip:wire@192.0.2.9:5060");
    phones.answer(alice, call);
    let mut other = Wire::new("192.0.2.9:5062");
    phones.act(alice, info).unwrap();
    assert_eq!(other.expect(&phones, "INFO").uri(), "sip:moved@192.0.2.9:5062");
}

#[test]
fn a_cseq_that_comes_again_under_another_branch_is_refused() {
    let (mut phones, alice, mut wire, call, mut leg) = called(21);
    let options = wire.request(&mut leg, "OPTIONS", "", b"");
    for _ in 0..2 {
        // The same octets are a retransmission.
        wire.send(&mut phones, alice, &options);
        wire.expect(&phones, "200");
    }
    for method in ["OPTIONS", "BYE", "INVITE"] {
        let (branch, contact) = (wire.branch(), wire.contact());
        let replayed = wire.request_as(&leg, method, &branch, &contact, b"");
        wire.send(&mut phones, alice, &replayed);
        wire.expect(&phones, "500");
    }
    assert_eq!(phones.last(alice), Some(Event::Confirmed { call }));
    end(&mut phones, alice, &mut wire, call);
}
