//! UPDATE, before and after the answer: offers, glare, target refresh, and what stands in its way.
//!
//! Covers RFC 3311 §5.1, §5.2, §5.3, RFC 6141 §4 (the target moves with a 2xx only), RFC 3261 §12.2.1.2 (a lost dialog), RFC 5407
//! §3.1.5's kind (UPDATE crossing UPDATE and INVITE), and strangers. What a description says is not looked at.

use sip_core::error::Error;
use sip_core::message::Method;
use sip_core::time::Duration;
use sip_core::ua::{Call, Cause, Content, Event, ReliableProvisional};
use sip_testkit::{ANSWER, Config, Faults, Heard, Leg, NodeId, OFFER, Phones, Wire};

fn update(phones: &mut Phones, node: NodeId, call: Call, body: &[u8]) -> Result<(), Error> {
    let content = if body.is_empty() { Content::NONE } else { Content::sdp(body) };
    phones.act(node, |phone, now| phone.update(now, call, &content))
}

fn answer_offer(phones: &mut Phones, node: NodeId, call: Call, status: u16) -> Result<(), Error> {
    let content = if status < 300 { Content::sdp(ANSWER) } else { Content::NONE };
    phones.act(node, |phone, now| phone.answer_offer(now, call, status, &content))
}

/// A phone in a call that the scripted peer has made.
fn in_call() -> (Phones, NodeId, Wire, Leg, Call) {
    let (mut phones, alice, mut wire) = Phones::scripted(1);
    let leg = wire.call(&mut phones, alice, "sip:alice@192.0.2.1", "");
    let call = phones.incoming(alice);
    (phones, alice, wire, leg, call)
}

fn send(phones: &mut Phones, alice: NodeId, wire: &mut Wire, leg: &mut Leg, method: &str, body: &[u8]) {
    let contact = wire.contact();
    let request = wire.request(leg, method, &contact, body);
    wire.send(phones, alice, &request);
}

fn statuses(phones: &Phones, node: NodeId) -> Vec<u16> {
    let updated = phones.events(node).into_iter().filter_map(|event| match event {
        Event::Updated { status, .. } => Some(status),
        _ => None,
    });
    updated.collect()
}

#[test]
fn two_phones_change_their_session_without_an_invite() {
    let (mut phones, alice, bob) = Phones::pair(1);
    let (call, incoming) = phones.established(alice, bob, "sip:bob@192.0.2.2");
    for (from, of_from, to, of_to) in [(alice, call, bob, incoming), (bob, incoming, alice, call)] {
        for status in [200, 488] {
            update(&mut phones, from, of_from, OFFER).unwrap();
            assert_eq!(update(&mut phones, from, of_from, b""), Err(Error::State));
            let reinvite = phones.act(from, |phone, now| phone.reinvite(now, of_from, &Content::sdp(OFFER)));
            assert_eq!(reinvite, Err(Error::State));
            phones.pause();
            assert_eq!(phones.last(to), Some(Event::Update { call: of_to }));
            assert_eq!(update(&mut phones, to, of_to, OFFER), Err(Error::State));
            answer_offer(&mut phones, to, of_to, status).unwrap();
            assert_eq!(answer_offer(&mut phones, to, of_to, status), Err(Error::State));
            phones.pause();
            assert_eq!(phones.last(from), Some(Event::Updated { call: of_from, status }));
        }
        // Without an offer the core answers.
        let before = phones.events(to).len();
        update(&mut phones, from, of_from, b"").unwrap();
        phones.pause();
        assert_eq!(phones.last(from), Some(Event::Updated { call: of_from, status: 200 }));
        assert_eq!(phones.events(to).len(), before);
    }
    let own = phones.act(alice, |phone, now| phone.request_in_call(now, call, Method::Update, &Content::NONE));
    assert!(own.is_err());
    phones.hang_up(alice, call);
    phones.settle();
}

#[test]
fn crossing_offers_meet_491_and_each_goes_out_once_more() {
    for seed in 0..20 {
        let (mut phones, alice, bob) = Phones::pair(seed);
        let (call, incoming) = phones.established(alice, bob, "sip:bob@192.0.2.2");
        update(&mut phones, alice, call, OFFER).unwrap();
        update(&mut phones, bob, incoming, OFFER).unwrap();
        phones.pause();
        assert!(statuses(&phones, alice).is_empty() && statuses(&phones, bob).is_empty());
        assert_eq!(update(&mut phones, alice, call, OFFER), Err(Error::State));
        for (node, of) in [(alice, call), (bob, incoming)] {
            let told = phones.world.run_until(Duration::from_secs(5), |world| {
                world.user().of(node).any(|event| matches!(event, Event::Update { .. }))
            });
            assert!(told, "{}", phones.world.explain());
            answer_offer(&mut phones, node, of, 200).unwrap();
            phones.pause();
        }
        assert_eq!((statuses(&phones, alice), statuses(&phones, bob)), (vec![200], vec![200]));
        phones.hang_up(alice, call);
        phones.settle();
    }
}

#[test]
fn a_second_491_is_told_and_one_without_an_offer_at_once() {
    let (mut phones, alice, mut wire, _, call) = in_call();
    for body in [OFFER, b""] {
        update(&mut phones, alice, call, body).unwrap();
        let first = wire.expect(&phones, "UPDATE");
        assert!(first.header("Allow").contains("UPDATE") && !first.header("Contact").is_empty());
        wire.respond(&mut phones, alice, &first, 491, "");
        if !body.is_empty() {
            assert!(statuses(&phones, alice).is_empty());
            phones.wait(4000);
            // With its repetitions.
            let again = wire.hear(&phones).remove(0);
            assert_eq!(again.kind(), "UPDATE");
            assert_eq!((again.seq(), again.body()), (first.seq() + 1, OFFER.to_vec()));
            wire.respond(&mut phones, alice, &again, 491, "");
        }
        phones.wait(10_000);
        wire.expect_nothing(&phones);
        assert_eq!(statuses(&phones, alice).last(), Some(&491));
    }
    assert_eq!(statuses(&phones, alice), [491, 491]);
}

#[test]
fn an_update_of_the_peer_while_an_offer_is_open() {
    let (mut phones, alice, mut wire, mut leg, call) = in_call();
    // Theirs is not answered yet: whatever comes gets 500 with a Retry-After of at most ten seconds.
    send(&mut phones, alice, &mut wire, &mut leg, "UPDATE", OFFER);
    assert_eq!(phones.last(alice), Some(Event::Update { call }));
    for (method, body) in [("UPDATE", OFFER), ("UPDATE", b""), ("INVITE", OFFER)] {
        send(&mut phones, alice, &mut wire, &mut leg, method, body);
        let refused = wire.expect(&phones, "500");
        assert!(refused.header("Retry-After").parse::<u32>().unwrap() <= 10);
        if method == "INVITE" {
            let ack = wire.request_as(&leg, "ACK", &refused.branch(), "", b"");
            wire.send(&mut phones, alice, &ack);
        }
    }
    answer_offer(&mut phones, alice, call, 200).unwrap();
    assert_eq!(wire.expect(&phones, "200").body(), ANSWER);
    // Ours is out.
    for method in ["UPDATE", "INVITE"] {
        if method == "UPDATE" {
            update(&mut phones, alice, call, OFFER).unwrap();
        } else {
            phones.act(alice, |phone, now| phone.reinvite(now, call, &Content::sdp(OFFER))).unwrap();
        }
        let ours = wire.expect(&phones, method);
        send(&mut phones, alice, &mut wire, &mut leg, "UPDATE", OFFER);
        wire.expect(&phones, "491");
        // One without an offer is none of that.
        send(&mut phones, alice, &mut wire, &mut leg, "UPDATE", b"");
        wire.expect(&phones, "200");
        send(&mut phones, alice, &mut wire, &mut leg, "INVITE", OFFER);
        let refused = wire.expect(&phones, "491");
        let ack = wire.request_as(&leg, "ACK", &refused.branch(), "", b"");
        wire.send(&mut phones, alice, &ack);
        wire.send(&mut phones, alice, &ours.response(200, "", &wire.contact(), ANSWER));
        let kinds = wire.kinds(&phones);
        assert_eq!(kinds, if method == "UPDATE" { "" } else { "ACK" });
    }
    assert_eq!(phones.ended(alice), []);
}

#[test]
fn the_target_moves_with_a_2xx_only() {
    let (mut phones, alice, mut wire, mut leg, call) = in_call();
    let target = |phones: &mut Phones, wire: &mut Wire| {
        update(phones, alice, call, b"").unwrap();
        let heard = wire.expect(phones, "UPDATE");
        wire.respond(phones, alice, &heard, 403, "Contact: <sip:refused@192.0.2.9:5060>\r\n");
        heard.uri()
    };
    let from = |wire: &mut Wire, leg: &mut Leg, user: &str, body: &[u8]| {
        wire.request(leg, "UPDATE", &format!("Contact: <sip:{user}@192.0.2.9:5060>\r\n"), body)
    };
    let bare = from(&mut wire, &mut leg, "bare", b"");
    wire.send(&mut phones, alice, &bare);
    assert_eq!(wire.expect(&phones, "200").contact(), "sip:alice@192.0.2.1:5060");
    assert_eq!(target(&mut phones, &mut wire), "sip:bare@192.0.2.9:5060");
    for (user, status, expected) in [("no", 488, "bare"), ("yes", 200, "yes")] {
        let offer = from(&mut wire, &mut leg, user, OFFER);
        wire.send(&mut phones, alice, &offer);
        assert_eq!(target(&mut phones, &mut wire), format!("sip:bare@192.0.2.9:5060"));
        answer_offer(&mut phones, alice, call, status).unwrap();
        wire.expect(&phones, &status.to_string());
        assert_eq!(target(&mut phones, &mut wire), format!("sip:{expected}@192.0.2.9:5060"));
    }
    // That of the answer to ours.
    update(&mut phones, alice, call, b"").unwrap();
    let heard = wire.expect(&phones, "UPDATE");
    wire.respond(&mut phones, alice, &heard, 200, "Contact: <sip:moved@192.0.2.9:5060>\r\n");
    assert_eq!(target(&mut phones, &mut wire), "sip:moved@192.0.2.9:5060");
}

#[test]
fn a_peer_that_lost_the_dialog_ends_the_call_and_no_other_refusal_does() {
    for (status, ends) in [(481, true), (408, true), (0, true), (488, false), (500, false), (405, false), (302, false)]
    {
        let (mut phones, alice, mut wire, _, call) = in_call();
        update(&mut phones, alice, call, OFFER).unwrap();
        let heard = wire.expect(&phones, "UPDATE");
        if status > 0 {
            wire.respond(&mut phones, alice, &heard, status, "");
        } else {
            phones.wait(32_000);
        }
        assert_eq!(statuses(&phones, alice), [if status == 0 { 408 } else { status }]);
        assert_eq!(wire.kinds(&phones).ends_with("BYE"), ends, "{status}");
    }
}

#[test]
fn an_update_of_the_peer_refreshes_the_session() {
    for refreshed in [true, false] {
        let (mut phones, alice, mut wire) = Phones::scripted(1);
        let rows = "Supported: timer\r\nSession-Expires: 100;refresher=uac\r\n";
        let mut leg = wire.call(&mut phones, alice, "sip:alice@192.0.2.1", rows);
        phones.wait(60_000);
        if refreshed {
            let update = wire.request(&mut leg, "UPDATE", &format!("{}{rows}", wire.contact()), b"");
            wire.send(&mut phones, alice, &update);
            assert_eq!(wire.expect(&phones, "200").header("Session-Expires"), "100;refresher=uac");
        }
        phones.wait(60_000);
        assert_eq!(wire.kinds(&phones).contains("BYE"), !refreshed);
    }
}

#[test]
fn strangers_and_wrong_bodies_are_refused() {
    let (mut phones, alice, mut wire, mut leg, _) = in_call();
    let mut outside = wire.leg("sip:alice@192.0.2.1");
    send(&mut phones, alice, &mut wire, &mut outside, "UPDATE", OFFER);
    wire.expect(&phones, "481");
    let mut stranger = leg.clone();
    stranger.local.push('x');
    send(&mut phones, alice, &mut wire, &mut stranger, "UPDATE", OFFER);
    wire.expect(&phones, "481");
    let wrong = wire.request(&mut leg, "UPDATE", "Content-Encoding: gzip\r\n", OFFER);
    wire.send(&mut phones, alice, &wrong);
    wire.expect(&phones, "415");
    let before = phones.events(alice).len();
    let bye = wire.request(&mut leg, "BYE", "", b"");
    wire.send(&mut phones, alice, &bye);
    wire.expect(&phones, "200");
    send(&mut phones, alice, &mut wire, &mut leg, "UPDATE", OFFER);
    wire.expect(&phones, "481");
    assert_eq!(phones.events(alice).len(), before + 1);
    phones.settle();
}

#[test]
fn an_offer_that_nobody_answers_is_refused_in_time_and_told() {
    let (mut phones, alice, mut wire, mut leg, call) = in_call();
    for _ in 0..2 {
        send(&mut phones, alice, &mut wire, &mut leg, "UPDATE", OFFER);
        phones.wait(15_000);
        wire.expect(&phones, "100");
        phones.wait(1500);
        wire.expect(&phones, "504");
        assert_eq!(phones.last(alice), Some(Event::OfferTimedOut { call }));
        assert_eq!(answer_offer(&mut phones, alice, call, 200), Err(Error::State));
    }
    // What was answered is not refused later, and the session can be changed by either end.
    send(&mut phones, alice, &mut wire, &mut leg, "UPDATE", OFFER);
    answer_offer(&mut phones, alice, call, 200).unwrap();
    wire.expect(&phones, "200");
    let before = phones.events(alice).len();
    phones.wait(20_000);
    wire.expect_nothing(&phones);
    assert_eq!(phones.events(alice).len(), before);
    update(&mut phones, alice, call, OFFER).unwrap();
    wire.expect(&phones, "UPDATE");
}

#[test]
fn a_call_that_ends_answers_the_update_that_waits() {
    let (mut phones, alice, mut wire, mut leg, _) = in_call();
    send(&mut phones, alice, &mut wire, &mut leg, "UPDATE", OFFER);
    let bye = wire.request(&mut leg, "BYE", "", b"");
    wire.send(&mut phones, alice, &bye);
    let mut kinds: Vec<_> = wire.hear(&phones).iter().map(Heard::kind).collect();
    kinds.sort();
    assert_eq!(kinds, ["200", "487"]);
    assert_eq!(phones.ended(alice), [(Cause::RemoteHangup, 0)]);
    phones.settle();
}

/// Two phones that acknowledge provisional responses; the callee has rung with `status` and what it says of the session.
fn ringing(config: Config, body: &[u8]) -> Option<(Phones, NodeId, NodeId, Call, Call)> {
    let mut phones = Phones::with(config);
    let mut add = |name, address| {
        phones.add_with(name, address, |config| config.reliable_provisional = ReliableProvisional::Required)
    };
    let (alice, bob) = (add("alice", "192.0.2.1:5060"), add("bob", "192.0.2.2:5060"));
    let call = phones.call(alice, "sip:bob@192.0.2.2");
    let came = |event: Event| matches!(event, Event::Incoming { .. });
    if !phones.world.run_until(Duration::from_secs(30), |world| world.user().of(bob).any(came)) {
        return None;
    }
    let incoming = phones.incoming(bob);
    let content = if body.is_empty() { Content::NONE } else { Content::sdp(body) };
    phones.act(bob, |phone, now| phone.ring(now, incoming, 183, &content)).unwrap();
    Some((phones, alice, bob, call, incoming))
}

#[test]
fn an_early_session_is_changed_by_either_end() {
    let (mut phones, alice, bob, call, incoming) =
        ringing(Config::new(1).with_ladder(5000).with_check(), ANSWER).unwrap();
    // Its PRACK has not come yet.
    assert_eq!(update(&mut phones, bob, incoming, OFFER), Err(Error::State));
    phones.pause();
    for (from, of_from, to, of_to) in [(alice, call, bob, incoming), (bob, incoming, alice, call)] {
        update(&mut phones, from, of_from, OFFER).unwrap();
        phones.pause();
        assert_eq!(phones.last(to), Some(Event::Update { call: of_to }));
        if to == bob {
            // The 2xx waits for the answer to the offer (RFC 6337 §2.2).
            phones.answer(bob, incoming);
            phones.pause();
            assert_eq!(phones.last(alice), phones.events(alice).last().copied());
            assert!(!phones.events(alice).iter().any(|event| matches!(event, Event::Answered { .. })));
        }
        answer_offer(&mut phones, to, of_to, 200).unwrap();
        phones.pause();
        assert!(statuses(&phones, from).contains(&200));
    }
    assert!(phones.events(bob).contains(&Event::Confirmed { call: incoming }));
    phones.hang_up(alice, call);
    phones.settle();
}

#[test]
fn without_an_agreed_session_an_early_offer_is_none() {
    let (mut phones, alice, bob, call, incoming) = ringing(Config::new(1).with_ladder(5000).with_check(), b"").unwrap();
    phones.pause();
    assert_eq!(update(&mut phones, alice, call, OFFER), Err(Error::State));
    assert_eq!(update(&mut phones, bob, incoming, OFFER), Err(Error::State));
    // What needs no session is fine.
    for (node, of) in [(alice, call), (bob, incoming)] {
        update(&mut phones, node, of, b"").unwrap();
        phones.pause();
        assert_eq!(phones.last(node), Some(Event::Updated { call: of, status: 200 }));
    }
    phones.hang_up(bob, incoming);
    phones.settle();
    // A peer that does not know better: our INVITE's offer is open.
    let (mut phones, alice, mut wire) = Phones::scripted(2);
    phones.call(alice, "sip:wire@192.0.2.9");
    let invite = wire.expect(&phones, "INVITE");
    let mut unheard = wire.leg_of(&invite, "unheard");
    send(&mut phones, alice, &mut wire, &mut unheard, "UPDATE", OFFER);
    wire.expect(&phones, "491");
    wire.send(&mut phones, alice, &invite.response(180, "one", &wire.contact(), b""));
    let mut leg = wire.leg_of(&invite, "one");
    send(&mut phones, alice, &mut wire, &mut leg, "UPDATE", OFFER);
    wire.expect(&phones, "491");
    send(&mut phones, alice, &mut wire, &mut leg, "UPDATE", b"");
    wire.expect(&phones, "200");
}

#[test]
fn updates_at_any_moment_of_a_call_leave_nothing_behind() {
    for seed in 0..120 {
        let config = Config::new(seed).with_faults(Faults::WIRELESS).with_ladder(5000).with_check();
        let Some((mut phones, alice, bob, call, incoming)) = ringing(config, ANSWER) else { continue };
        phones.wait(seed * 17 % 900);
        let _ = update(&mut phones, alice, call, OFFER);
        if seed % 2 == 0 {
            let _ = update(&mut phones, bob, incoming, OFFER);
        }
        phones.wait(seed * 7 % 300);
        let _ = phones.act(bob, |phone, now| phone.answer(now, incoming, &Content::NONE));
        for _ in 0..6 {
            phones.wait(seed * 29 % 1500 + 1);
            for (node, of) in [(alice, call), (bob, incoming)] {
                let _ = answer_offer(&mut phones, node, of, if seed % 3 == 0 { 488 } else { 200 });
            }
        }
        let (node, of) = if seed % 5 < 2 { (alice, call) } else { (bob, incoming) };
        let _ = phones.act(node, |phone, now| phone.hang_up(now, of));
        phones.settle();
        for node in [alice, bob] {
            assert!(phones.ended(node).len() == 1 && statuses(&phones, node).len() <= 1);
        }
    }
}
