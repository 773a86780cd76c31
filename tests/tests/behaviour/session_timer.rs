//! Session timers (RFC 4028): who asks, who refreshes, what a 422 leads to, and the end when nobody does.
//!
//! Covers RFC 4028 §7 to §10. The decisions themselves, Table 2 among them, are tests of `session_timer.rs` in the core. Refreshes
//! by UPDATE are the peer's here; ours are re-INVITEs.

use sip_core::ua::{Call, Cause, Config, Content, Event, ReliableProvisional};
use sip_testkit::{ANSWER, Leg, NodeId, OFFER, Phones, Rule, Wire};

const MINUTE: u64 = 60_000;

/// A phone that wants sessions of so many seconds, and the scripted peer.
fn scripted(seed: u64, expires: u32, min_se: u32) -> (Phones, NodeId, Wire) {
    let mut phones = Phones::new(seed);
    let change = |config: &mut Config<'_>| (config.session_expires, config.min_se) = (expires, min_se);
    let alice = phones.add_with("alice", "192.0.2.1:5060", change);
    (phones, alice, Wire::new("192.0.2.9:5060"))
}

/// Two phones, each with its wish.
fn pair(seed: u64, [first, second]: [u32; 2]) -> (Phones, NodeId, NodeId) {
    let mut phones = Phones::new(seed);
    let alice = phones.add_with("alice", "192.0.2.1:5060", |config| config.session_expires = first);
    let bob = phones.add_with("bob", "192.0.2.2:5060", |config| config.session_expires = second);
    (phones, alice, bob)
}

/// Calls the scripted peer, which answers with these rows.
fn calling(phones: &mut Phones, alice: NodeId, wire: &mut Wire, rows: &str) -> (Call, Leg) {
    let call = phones.call(alice, "sip:wire@192.0.2.9");
    let invite = wire.expect(phones, "INVITE");
    let rows = format!("{}{rows}", wire.contact());
    wire.send(phones, alice, &invite.response(200, "wire", &rows, ANSWER));
    wire.expect(phones, "ACK");
    (call, wire.leg_of(&invite, "wire"))
}

fn end(phones: &mut Phones, alice: NodeId, wire: &mut Wire, call: Call) {
    phones.hang_up(alice, call);
    let bye = wire.expect(phones, "BYE");
    wire.respond(phones, alice, &bye, 200, "");
    phones.settle();
}

/// Answers each re-INVITE at `node`, once a second for so long; how many there were.
fn answer_for(phones: &mut Phones, nodes: &[(NodeId, Call)], milliseconds: u64) -> usize {
    let mut count = 0;
    for _ in 0..milliseconds / 1000 {
        phones.wait(1000);
        for (node, call) in nodes {
            let answer = |phone: &mut sip_testkit::Phone, now| phone.answer(now, *call, &Content::sdp(ANSWER));
            let asked = phones.last(*node) == Some(Event::Reinvite { call: *call });
            if asked && phones.act(*node, answer).is_ok() {
                phones.pause();
                count += 1;
            }
        }
    }
    count
}

#[test]
fn a_caller_that_wants_a_timer_asks_for_it_and_refreshes_with_the_same_description() {
    let (mut phones, alice, mut wire) = scripted(1, 1800, 90);
    let call = phones.call(alice, "sip:wire@192.0.2.9");
    let invite = wire.expect(&phones, "INVITE");
    assert_eq!((invite.header("Session-Expires"), invite.header("Min-SE")), ("1800".into(), String::new()));
    assert_eq!(invite.header("Supported"), "timer");
    let rows = format!("{}Require: timer\r\nSession-Expires: 600;refresher=uac\r\n", wire.contact());
    wire.send(&mut phones, alice, &invite.response(200, "wire", &rows, ANSWER));
    wire.expect(&phones, "ACK");
    for _ in 0..3 {
        phones.wait(299_000);
        wire.expect_nothing(&phones);
        phones.wait(1000);
        let refresh = wire.expect(&phones, "INVITE");
        assert_eq!(refresh.header("Session-Expires"), "600;refresher=uac");
        assert_eq!((refresh.body(), refresh.header("Content-Type")), (OFFER.to_vec(), "application/sdp".into()));
        assert_eq!(refresh.to_tag(), "wire");
        // The role stays with us, whatever else is said.
        let rows = format!("{}Session-Expires: 600;refresher=uac\r\n", wire.contact());
        wire.send(&mut phones, alice, &refresh.response(200, "wire", &rows, ANSWER));
        wire.expect(&phones, "ACK");
        assert_eq!(phones.last(alice), Some(Event::Refreshed { call }));
    }
    end(&mut phones, alice, &mut wire, call);
}

#[test]
fn who_did_not_ask_refreshes_when_the_callee_says_so_and_supports_the_extension_in_any_case() {
    let (mut phones, alice, mut wire) = scripted(2, 0, 90);
    let (call, _) = calling(&mut phones, alice, &mut wire, "x: 90 ; refresher = UAC\r\n");
    phones.wait(45_000);
    let refresh = wire.expect(&phones, "INVITE");
    assert_eq!(refresh.header("Session-Expires"), "90;refresher=uac");
    // Turned off in the middle of the dialog (§7.2).
    wire.accept(&mut phones, alice, &refresh, "wire", ANSWER);
    wire.expect(&phones, "ACK");
    phones.wait(10 * MINUTE);
    wire.expect_nothing(&phones);
    end(&mut phones, alice, &mut wire, call);
}

#[test]
fn a_peer_without_the_extension_is_refreshed_by_us_alone() {
    let (mut phones, alice, mut wire) = scripted(3, 120, 90);
    let (call, _) = calling(&mut phones, alice, &mut wire, "");
    for _ in 0..3 {
        phones.wait(MINUTE);
        let refresh = wire.expect(&phones, "INVITE");
        assert_eq!(refresh.header("Session-Expires"), "120;refresher=uac");
        wire.accept(&mut phones, alice, &refresh, "wire", ANSWER);
        wire.expect(&phones, "ACK");
    }
    end(&mut phones, alice, &mut wire, call);
}

#[test]
fn a_422_is_followed_with_the_larger_interval_and_three_times_at_most() {
    let (mut phones, alice, mut wire) = scripted(4, 100, 90);
    let call = phones.call(alice, "sip:wire@192.0.2.9");
    let mut invite = wire.expect(&phones, "INVITE");
    let (call_id, from) = (invite.header("Call-ID"), invite.header("From"));
    for min_se in [120, 200, 300] {
        let before = invite.seq();
        wire.respond(&mut phones, alice, &invite, 422, &format!("Min-SE: {min_se}\r\n"));
        invite = wire.expect_all(&phones, &["ACK", "INVITE"]).remove(1);
        assert_eq!(invite.header("Session-Expires"), min_se.to_string());
        assert_eq!(invite.header("Min-SE"), min_se.to_string());
        assert_eq!(
            (invite.header("Call-ID"), invite.header("From"), invite.seq()),
            (call_id.clone(), from.clone(), before + 1)
        );
        assert_eq!(invite.body(), OFFER);
    }
    wire.respond(&mut phones, alice, &invite, 422, "Min-SE: 400\r\n");
    wire.expect(&phones, "ACK");
    assert_eq!(phones.last(alice), Some(Event::Ended { call, cause: Cause::Rejected, status: 422 }));
    phones.settle();
}

#[test]
fn a_422_that_leads_nowhere_ends_the_call() {
    for rows in ["", "Min-SE: 0\r\n", "Min-SE: 89\r\n", "Min-SE: 1800\r\n", "Min-SE: 4294967295\r\n", "Min-SE: x\r\n"] {
        let (mut phones, alice, mut wire) = scripted(5, 1800, 90);
        phones.call(alice, "sip:wire@192.0.2.9");
        let invite = wire.expect(&phones, "INVITE");
        wire.respond(&mut phones, alice, &invite, 422, rows);
        wire.expect(&phones, "ACK");
        assert_eq!(phones.ended(alice), [(Cause::Rejected, 422)], "{rows}");
        phones.settle();
    }
}

#[test]
fn a_422_inside_the_dialog_is_followed_and_its_min_se_stays() {
    let (mut phones, alice, mut wire) = scripted(6, 100, 90);
    let (call, _) = calling(&mut phones, alice, &mut wire, "Session-Expires: 100;refresher=uac\r\n");
    phones.wait(50_000);
    let refresh = wire.expect(&phones, "INVITE");
    wire.respond(&mut phones, alice, &refresh, 422, "Min-SE: 600\r\n");
    let again = wire.expect_all(&phones, &["ACK", "INVITE"]).remove(1);
    assert_eq!((again.header("Session-Expires"), again.header("Min-SE")), ("600;refresher=uac".into(), "600".into()));
    assert_eq!((again.body(), again.seq()), (OFFER.to_vec(), refresh.seq() + 1));
    let rows = format!("{}Session-Expires: 600;refresher=uac\r\n", wire.contact());
    wire.send(&mut phones, alice, &again.response(200, "wire", &rows, ANSWER));
    wire.expect(&phones, "ACK");
    phones.act(alice, |phone, now| phone.reinvite(now, call, &Content::sdp(ANSWER))).unwrap();
    let own = wire.expect(&phones, "INVITE");
    assert_eq!((own.header("Session-Expires"), own.header("Min-SE")), ("600;refresher=uac".into(), "600".into()));
    wire.accept(&mut phones, alice, &own, "wire", ANSWER);
    wire.expect(&phones, "ACK");
    assert_eq!(phones.last(alice), Some(Event::Reinvited { call, status: 200, answer_due: false }));
    // It counts as a refresh, and its description is the last.
    phones.wait(300_000);
    assert_eq!(wire.expect(&phones, "INVITE").body(), ANSWER);
    phones.hang_up(alice, call);
    phones.settle();
}

#[test]
fn a_callee_refuses_what_is_too_short_and_says_who_refreshes() {
    for (rows, refused, expires, required) in [
        ("Supported: timer\r\nSession-Expires: 0\r\n", true, "", ""),
        ("Supported: timer\r\nSession-Expires: 299\r\n", true, "", ""),
        ("k: 100rel, Timer\r\nx: 300\r\n", false, "300;refresher=uac", "timer"),
        ("Supported: timer\r\nSession-Expires: 4294967295;refresher=uas\r\n", false, "1000000;refresher=uas", "timer"),
        (
            "Supported: timer\r\nSession-Expires: 4294967295\r\nMin-SE: 4294967295\r\n",
            false,
            "4294967295;refresher=uac",
            "timer",
        ),
        // A proxy has asked; the caller would not understand a 422 (§8.1, §9).
        ("Session-Expires: 120\r\n", false, "300;refresher=uas", ""),
        ("Session-Expires: 600;refresher=uac\r\n", false, "600;refresher=uas", ""),
        ("Require: timer\r\nSupported: timer\r\n", false, "", ""),
        ("", false, "", ""),
        ("Supported: timer\r\nSession-Expires: soon\r\n", false, "", ""),
        ("Supported: timer\r\nSession-Expires: 600\r\nSession-Expires: 700\r\n", false, "", ""),
    ] {
        let (mut phones, alice, mut wire) = scripted(7, 0, 300);
        let mut leg = wire.leg("sip:alice@192.0.2.1");
        let invite = wire.request(&mut leg, "INVITE", &format!("{}{rows}", wire.contact()), OFFER);
        wire.send(&mut phones, alice, &invite);
        if refused {
            let refusal = wire.expect(&phones, "422");
            assert_eq!((refusal.header("Min-SE"), refusal.header("Session-Expires")), ("300".into(), String::new()));
            assert_eq!(phones.last(alice), None);
            phones.settle();
            continue;
        }
        let call = phones.incoming(alice);
        phones.act(alice, |phone, now| phone.ring(now, call, 180, &Content::NONE)).unwrap();
        assert_eq!(wire.expect(&phones, "180").header("Session-Expires"), "");
        phones.answer(alice, call);
        let answer = wire.expect(&phones, "200");
        assert_eq!(answer.header("Session-Expires"), expires, "{rows}");
        assert_eq!((answer.header("Require"), answer.header("Supported")), (required.into(), "timer".into()), "{rows}");
        phones.hang_up(alice, call);
        phones.settle();
    }
}

#[test]
fn the_callee_ends_a_call_that_its_caller_does_not_refresh() {
    for (interval, end) in [(90, 60_000), (96, 64_000), (600, 568_000)] {
        let (mut phones, alice, mut wire) = scripted(8, 0, 90);
        let rows = format!("Supported: timer\r\nSession-Expires: {interval}\r\n");
        let mut leg = wire.call(&mut phones, alice, "sip:alice@192.0.2.1", &rows);
        let call = phones.incoming(alice);
        // One refresh, then silence.
        phones.wait(interval * 500);
        let rows = format!("{}{rows}", wire.contact());
        let refresh = wire.request(&mut leg, "INVITE", &rows, OFFER);
        wire.send(&mut phones, alice, &refresh);
        assert_eq!(phones.last(alice), Some(Event::Reinvite { call }));
        phones.answer(alice, call);
        assert_eq!(wire.expect(&phones, "200").header("Session-Expires"), format!("{interval};refresher=uac"));
        let branch = wire.branch();
        let ack = wire.request_as(&leg, "ACK", &branch, "", b"");
        wire.send(&mut phones, alice, &ack);
        phones.wait(end - 1000);
        wire.expect_nothing(&phones);
        phones.wait(1000);
        let bye = wire.expect(&phones, "BYE");
        wire.respond(&mut phones, alice, &bye, 200, "");
        assert_eq!(phones.ended(alice), [(Cause::SessionExpired, 0)]);
        phones.settle();
    }
}

#[test]
fn a_refresh_whose_peer_has_gone_ends_the_call() {
    for status in [408, 481] {
        let (mut phones, alice, mut wire) = scripted(9, 120, 90);
        let _ = calling(&mut phones, alice, &mut wire, "Session-Expires: 120;refresher=uac\r\n");
        phones.wait(MINUTE);
        let refresh = wire.expect(&phones, "INVITE");
        wire.respond(&mut phones, alice, &refresh, status, "");
        let bye = wire.expect_all(&phones, &["BYE", "ACK"]).remove(0);
        wire.respond(&mut phones, alice, &bye, 200, "");
        assert_eq!(phones.ended(alice), [(Cause::Lost, status)]);
        phones.settle();
    }
    // Silence.
    let (mut phones, alice, mut wire) = scripted(10, 1800, 90);
    let _ = calling(&mut phones, alice, &mut wire, "Session-Expires: 1800;refresher=uac\r\n");
    phones.wait(900_000 + 32_500);
    assert_eq!(wire.hear(&phones).last().map(sip_testkit::Heard::kind).as_deref(), Some("BYE"));
    phones.settle();
    assert_eq!(phones.ended(alice), [(Cause::Lost, 408)]);
    let told = phones.events(alice).into_iter().filter(|event| matches!(event, Event::Reinvited { .. })).count();
    assert_eq!(told, 0, "the application has not asked for it");
}

#[test]
fn a_refresh_that_is_refused_is_tried_again_three_times_and_the_call_ends_in_time() {
    for status in [488, 500, 503, 603] {
        let (mut phones, alice, mut wire) = scripted(11, 600, 90);
        let start = phones.now();
        let _ = calling(&mut phones, alice, &mut wire, "Session-Expires: 600;refresher=uac\r\n");
        let mut at = Vec::new();
        for _ in 0..600 {
            phones.wait(1000);
            for heard in wire.hear(&phones) {
                let code = if heard.kind() == "INVITE" { status } else { 200 };
                if heard.kind() != "ACK" {
                    at.push((heard.kind(), (heard.at - start) / 1000));
                    wire.respond(&mut phones, alice, &heard, code, "");
                }
            }
        }
        let at: Vec<_> = at.iter().map(|(kind, at)| (kind.as_str(), *at)).collect();
        assert!(
            matches!(at[..], [("INVITE", 300), ("INVITE", 434 | 435), ("INVITE", 501 | 502), ("BYE", 568)]),
            "{at:?}"
        );
        assert_eq!(phones.ended(alice), [(Cause::SessionExpired, 0)]);
        phones.settle();
    }
}

#[test]
fn a_refresh_that_meets_one_of_the_peer_goes_out_again_or_is_not_needed_any_more() {
    for refreshed in [false, true] {
        let (mut phones, alice, mut wire) = scripted(12, 600, 90);
        let (call, mut leg) = calling(&mut phones, alice, &mut wire, "Session-Expires: 600;refresher=uac\r\n");
        phones.wait(300_000);
        let refresh = wire.expect(&phones, "INVITE");
        wire.respond(&mut phones, alice, &refresh, 491, "");
        wire.expect(&phones, "ACK");
        if refreshed {
            let rows = format!("{}Supported: timer\r\nSession-Expires: 600;refresher=uas\r\n", wire.contact());
            let theirs = wire.request(&mut leg, "INVITE", &rows, OFFER);
            wire.send(&mut phones, alice, &theirs);
            phones.answer(alice, call);
            wire.expect(&phones, "200");
            let branch = wire.branch();
            let ack = wire.request_as(&leg, "ACK", &branch, "", b"");
            wire.send(&mut phones, alice, &ack);
            phones.wait(5000);
            wire.expect_nothing(&phones);
            // Our answer is the description that the next one repeats.
            phones.wait(295_000);
            assert_eq!(wire.expect(&phones, "INVITE").body(), ANSWER);
        } else {
            phones.wait(5000);
            let again = wire.hear(&phones).remove(0);
            assert_eq!((again.kind(), again.seq()), ("INVITE".into(), refresh.seq() + 1));
            let rows = format!("{}Session-Expires: 600;refresher=uac\r\n", wire.contact());
            wire.send(&mut phones, alice, &again.response(200, "wire", &rows, ANSWER));
            wire.expect(&phones, "ACK");
            assert_eq!(phones.last(alice), Some(Event::Refreshed { call }));
        }
        phones.hang_up(alice, call);
        phones.settle();
    }
}

#[test]
fn a_re_invite_of_the_application_counts_and_one_that_is_under_way_is_waited_for() {
    let (mut phones, alice, mut wire) = scripted(13, 600, 90);
    let (call, _) = calling(&mut phones, alice, &mut wire, "Session-Expires: 600;refresher=uac\r\n");
    phones.wait(299_500);
    phones.act(alice, |phone, now| phone.reinvite(now, call, &Content::sdp(ANSWER))).unwrap();
    let own = wire.expect(&phones, "INVITE");
    wire.respond(&mut phones, alice, &own, 100, "");
    phones.wait(2000);
    wire.expect_nothing(&phones);
    let rows = format!("{}Session-Expires: 600;refresher=uac\r\n", wire.contact());
    wire.send(&mut phones, alice, &own.response(200, "wire", &rows, ANSWER));
    wire.expect(&phones, "ACK");
    phones.wait(299_000);
    wire.expect_nothing(&phones);
    phones.wait(1000);
    assert_eq!(wire.expect(&phones, "INVITE").body(), ANSWER);
    phones.hang_up(alice, call);
    phones.settle();
}

#[test]
fn a_late_offer_is_refreshed_with_the_answer_in_the_ack() {
    let (mut phones, alice, mut wire) = scripted(14, 120, 90);
    let target = "sip:wire@192.0.2.9";
    let call = phones.act(alice, |phone, now| phone.call(now, target, "", &Content::NONE)).unwrap();
    let invite = wire.expect(&phones, "INVITE");
    wire.accept(&mut phones, alice, &invite, "wire", OFFER);
    phones.act(alice, |phone, now| phone.acknowledge(now, call, &Content::sdp(ANSWER))).unwrap();
    wire.expect(&phones, "ACK");
    phones.wait(MINUTE);
    assert_eq!(wire.expect(&phones, "INVITE").body(), ANSWER);
    phones.hang_up(alice, call);
    phones.settle();
}

#[test]
fn without_a_description_the_application_is_asked() {
    let (mut phones, alice, mut wire) = scripted(15, 120, 90);
    let target = "sip:wire@192.0.2.9";
    let call = phones.act(alice, |phone, now| phone.call(now, target, "", &Content::NONE)).unwrap();
    let invite = wire.expect(&phones, "INVITE");
    wire.accept(&mut phones, alice, &invite, "wire", b"");
    wire.expect(&phones, "ACK");
    phones.wait(MINUTE);
    wire.expect_nothing(&phones);
    assert_eq!(phones.last(alice), Some(Event::RefreshDue { call }));
    phones.act(alice, |phone, now| phone.reinvite(now, call, &Content::sdp(OFFER))).unwrap();
    let own = wire.expect(&phones, "INVITE");
    wire.accept(&mut phones, alice, &own, "wire", ANSWER);
    wire.expect(&phones, "ACK");
    phones.wait(MINUTE);
    assert_eq!(wire.expect(&phones, "INVITE").body(), OFFER);
    phones.hang_up(alice, call);
    phones.settle();
}

#[test]
fn an_update_of_the_peer_refreshes_the_session() {
    let (mut phones, alice, mut wire) = scripted(17, 0, 90);
    let rows = "Supported: timer\r\nSession-Expires: 120\r\n";
    let mut leg = wire.call(&mut phones, alice, "sip:alice@192.0.2.1", rows);
    for _ in 0..3 {
        phones.wait(MINUTE);
        let update = wire.request(&mut leg, "UPDATE", &format!("{}{rows}", wire.contact()), b"");
        wire.send(&mut phones, alice, &update);
        let answer = wire.expect(&phones, "200");
        assert_eq!(answer.header("Session-Expires"), "120;refresher=uac");
        assert_eq!(answer.header("Require"), "timer");
    }
    let rows = "Supported: timer\r\nSession-Expires: 89\r\n";
    let update = wire.request(&mut leg, "UPDATE", &format!("{}{rows}", wire.contact()), b"");
    wire.send(&mut phones, alice, &update);
    assert_eq!(wire.expect(&phones, "422").header("Min-SE"), "90");
    // It has refreshed nothing.
    phones.wait(88_000);
    wire.expect(&phones, "BYE");
    phones.settle();
}

#[test]
fn an_update_between_an_invite_and_our_answer_leaves_what_that_will_say() {
    let (mut phones, alice, mut wire) = scripted(18, 0, 90);
    let rows = "Supported: timer\r\nSession-Expires: 120;refresher=uac\r\n";
    let mut leg = wire.call(&mut phones, alice, "sip:alice@192.0.2.1", rows);
    let call = phones.incoming(alice);
    let invite = wire.request(&mut leg, "INVITE", &format!("{}{rows}", wire.contact()), OFFER);
    wire.send(&mut phones, alice, &invite);
    let update = wire.request(&mut leg, "UPDATE", &wire.contact(), b"");
    wire.send(&mut phones, alice, &update);
    assert_eq!(wire.expect(&phones, "200").header("Session-Expires"), "");
    phones.answer(alice, call);
    assert_eq!(wire.expect(&phones, "200").header("Session-Expires"), "120;refresher=uac");
    phones.hang_up(alice, call);
    phones.settle();
}

#[test]
fn a_refresh_waits_for_an_offer_of_ours_that_has_no_answer() {
    let (mut phones, alice, mut wire) = scripted(19, 600, 90);
    let (call, _) = calling(&mut phones, alice, &mut wire, "Session-Expires: 600;refresher=uac\r\n");
    phones.wait(299_900);
    phones.act(alice, |phone, now| phone.update(now, call, &Content::sdp(OFFER))).unwrap();
    let update = wire.expect(&phones, "UPDATE");
    assert_eq!(update.header("Session-Expires"), "600;refresher=uac");
    phones.wait(200);
    wire.expect_nothing(&phones);
    let rows = format!("{}Session-Expires: 600;refresher=uac\r\n", wire.contact());
    wire.send(&mut phones, alice, &update.response(200, "wire", &rows, ANSWER));
    phones.wait(299_000);
    wire.expect_nothing(&phones);
    phones.wait(1000);
    wire.expect(&phones, "INVITE");
    phones.hang_up(alice, call);
    phones.settle();
}

#[test]
fn two_phones_keep_a_call_alive_and_notice_when_the_other_is_gone() {
    for wanted in [[120, 0], [0, 120], [120, 120], [120, 600], [600, 120]] {
        let (mut phones, alice, bob) = pair(16, wanted);
        let (call, incoming) = phones.established(alice, bob, "sip:bob@192.0.2.2");
        let both = [(alice, call), (bob, incoming)];
        let refreshes = answer_for(&mut phones, &both, 30 * MINUTE);
        assert!((29..=31).contains(&refreshes), "{refreshes} of {wanted:?}");
        assert_eq!((phones.ended(alice).len(), phones.ended(bob).len()), (0, 0));
        // Nothing arrives any more: both ends notice.
        phones.world.network_mut().add_rule(Rule::lose("*").always());
        phones.wait(5 * MINUTE);
        // At these intervals the end is nearer than the end of the transaction.
        for node in [alice, bob] {
            assert_eq!(phones.ended(node), [(Cause::SessionExpired, 0)], "{wanted:?}");
        }
        phones.settle();
    }
}

#[test]
fn refreshes_get_through_a_line_that_loses_messages() {
    for seed in 0..10 {
        let (mut phones, alice, bob) = pair(seed, [120, 0]);
        let (call, incoming) = phones.established(alice, bob, "sip:bob@192.0.2.2");
        phones.world.network_mut().set_faults(sip_testkit::Faults::LINE.with_loss(200));
        answer_for(&mut phones, &[(alice, call), (bob, incoming)], 20 * MINUTE);
        assert_eq!((phones.ended(alice).len(), phones.ended(bob).len()), (0, 0), "{}", phones.world.explain());
        phones.hang_up(alice, call);
        phones.settle();
    }
}

#[test]
fn what_the_configuration_may_say() {
    use sip_core::error::{Argument, ConfigError};
    for (expires, min_se, fine) in [
        (0, 90, true),
        (90, 90, true),
        (1800, 1800, true),
        (89, 90, false),
        (1800, 89, false),
        (0, 0, false),
        (100, 120, false),
    ] {
        let config = Config::new("192.0.2.1:5060", "sip:a@b").with_session_expires(expires).with_min_se(min_se);
        let mut phone = sip_testkit::Phone::new(sip_core::ua::Arrays::default());
        let expected = if fine { Ok(()) } else { Err(ConfigError::Invalid(Argument::SessionTimer)) };
        assert_eq!(phone.start(&config, [1; 16]), expected, "{expires} {min_se}");
    }
}

/// The description of the INVITE is an old one: a later one went out in an early UPDATE, so the application is asked for the last.
#[test]
fn a_description_that_another_has_followed_is_not_repeated() {
    for later in [true, false] {
        let mut phones = Phones::new(1);
        let alice = phones.add_with("alice", "192.0.2.1:5060", |config| {
            config.session_expires = 600;
            config.reliable_provisional = ReliableProvisional::Supported;
        });
        let mut wire = Wire::new("192.0.2.9:5060");
        let call = phones.call(alice, "sip:wire@192.0.2.9");
        let invite = wire.expect(&phones, "INVITE");
        let rows = format!("{}Require: 100rel\r\nRSeq: 1\r\nContent-Type: application/sdp\r\n", wire.contact());
        wire.send(&mut phones, alice, &invite.response(183, "wire", &rows, ANSWER));
        let prack = wire.expect(&phones, "PRACK");
        wire.respond(&mut phones, alice, &prack, 200, "");
        if later {
            let changed = String::from_utf8_lossy(OFFER).replace("- 1 1", "- 1 2");
            let content = Content::sdp(changed.as_bytes());
            phones.act(alice, |phone, now| phone.update(now, call, &content)).unwrap();
            let update = wire.expect(&phones, "UPDATE");
            let rows = format!("{}Content-Type: application/sdp\r\n", wire.contact());
            wire.send(&mut phones, alice, &update.response(200, "", &rows, ANSWER));
        }
        let rows = format!("{}Require: timer\r\nSession-Expires: 600;refresher=uac\r\n", wire.contact());
        wire.send(&mut phones, alice, &invite.response(200, "wire", &rows, b""));
        wire.expect(&phones, "ACK");
        phones.wait(300_000);
        if later {
            wire.expect_nothing(&phones);
            assert_eq!(phones.last(alice), Some(Event::RefreshDue { call }), "{}", phones.world.explain());
        } else {
            let refresh = wire.expect(&phones, "INVITE");
            assert_eq!(refresh.body(), OFFER);
            let rows =
                format!("{}Session-Expires: 600;refresher=uac\r\nContent-Type: application/sdp\r\n", wire.contact());
            wire.send(&mut phones, alice, &refresh.response(200, "", &rows, ANSWER));
            wire.expect(&phones, "ACK");
        }
        end(&mut phones, alice, &mut wire, call);
    }
}
