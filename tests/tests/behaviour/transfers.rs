//! REFER and Replaces with strange peers: what is refused, what ends, and that nothing is held.
//!
//! Covers RFC 3515 §2.4, RFC 6665 §4.1, §8.3.2, RFC 4488 §4, RFC 3891 §3, and storms. The transfers themselves are in `flows/transfers.rs`.

use sip_core::error::{Argument, Error};
use sip_core::message::{Header, HeaderName};
use sip_core::ua::{Call, Cause, Content, Event, ReferCause, Referral};
use sip_testkit::{ANSWER, Heard, Leg, NodeId, OFFER, Phones, Wire};

/// A phone that lets itself be transferred, in a call that the scripted peer has made.
fn in_call() -> (Phones, NodeId, Wire, Leg, Call) {
    let mut phones = Phones::new(1);
    let alice = phones.add_with("alice", "192.0.2.1:5060", |config| config.transfers = true);
    let mut wire = Wire::new("192.0.2.9:5060");
    let leg = wire.call(&mut phones, alice, "sip:alice@192.0.2.1", "");
    let call = phones.incoming(alice);
    (phones, alice, wire, leg, call)
}

/// The peer sends a request in the call; its response, and what else comes.
fn send(phones: &mut Phones, alice: NodeId, wire: &mut Wire, leg: &mut Leg, method: &str, rows: &str, body: &[u8]) {
    let rows = format!("{}{rows}", wire.contact());
    let request = wire.request(leg, method, &rows, body);
    wire.send(phones, alice, &request);
}

fn referral(phones: &Phones, node: NodeId) -> Referral {
    match phones.last(node) {
        Some(Event::Refer { referral, .. }) => referral,
        other => panic!("no REFER was told but {other:?}\n{}", phones.world.explain()),
    }
}

/// How each REFER of a phone has ended.
fn over(phones: &Phones, node: NodeId) -> Vec<(ReferCause, u16)> {
    let over = phones.events(node).into_iter().filter_map(|event| match event {
        Event::ReferEnded { cause, status, .. } => Some((cause, status)),
        _ => None,
    });
    over.collect()
}

/// Ends the call, and checks that nothing is left.
fn leave(mut phones: Phones, alice: NodeId, mut wire: Wire, mut leg: Leg) {
    send(&mut phones, alice, &mut wire, &mut leg, "BYE", "", b"");
    phones.settle();
}

#[test]
fn who_does_not_want_to_be_transferred_is_not_asked() {
    let (mut phones, alice, mut wire) = Phones::scripted(1);
    let mut leg = wire.call(&mut phones, alice, "sip:alice@192.0.2.1", "");
    let before = phones.events(alice).len();
    for (method, rows) in [
        ("REFER", "Refer-To: <sip:carol@192.0.2.3>\r\n"),
        ("NOTIFY", "Event: refer\r\nSubscription-State: active\r\n"),
        ("SUBSCRIBE", "Event: refer\r\n"),
    ] {
        send(&mut phones, alice, &mut wire, &mut leg, method, rows, b"");
        let refusal = wire.expect(&phones, "405");
        assert!(!refusal.header("Allow").contains("REFER"));
    }
    // Replaces says nothing to who does not know it.
    let mut other = wire.leg("sip:alice@192.0.2.1");
    let rows = format!("{}Replaces: x;to-tag=1;from-tag=2\r\n", wire.contact());
    let invite = wire.request(&mut other, "INVITE", &rows, OFFER);
    wire.send(&mut phones, alice, &invite);
    assert!(matches!(phones.last(alice), Some(Event::Incoming { .. })));
    assert_eq!(phones.events(alice).len(), before + 1);
}

#[test]
fn what_can_not_be_understood_is_refused() {
    let (mut phones, alice, mut wire, mut leg, _) = in_call();
    let before = phones.events(alice).len();
    for rows in [
        "",
        "Refer-To: \r\n",
        "Refer-To: <sip:carol@192.0.2.3\r\n",
        "Refer-To: nobody\r\n",
        "Refer-To: <sip:carol@192.0.2.3>\r\nRefer-To: <sip:dave@192.0.2.4>\r\n",
        "Refer-To: <sip:carol@192.0.2.3>\r\nRefer-Sub: perhaps\r\n",
        "Refer-To: <sip:carol@192.0.2.3?Replaces=x>\r\n",
        "Refer-To: <sip:carol@192.0.2.3?Replaces=x%3Bto-tag%3D1>\r\n",
        "Refer-To: <sip:carol@192.0.2.3?Replaces=a%3Bto-tag%3D1%3Bfrom-tag%3D2&Replaces=b%3Bto-tag%3D1%3Bfrom-tag%3D2>\r\n",
        // What would be a row of the INVITE.
        "Refer-To: <sip:carol@192.0.2.3?Replaces=a%3Bto-tag%3D1%3Bfrom-tag%3D2%0D%0AX-Row:%20y>\r\n",
    ] {
        send(&mut phones, alice, &mut wire, &mut leg, "REFER", rows, b"");
        wire.expect(&phones, "400");
        assert_eq!(phones.events(alice).len(), before, "{rows}");
    }
    leave(phones, alice, wire, leg);
}

#[test]
fn another_request_is_the_applications_business() {
    let (mut phones, alice, mut wire, mut leg, call) = in_call();
    for target in ["tel:+15551234", "sip:carol@192.0.2.3;method=BYE", "http://192.0.2.3/"] {
        send(&mut phones, alice, &mut wire, &mut leg, "REFER", &format!("Refer-To: <{target}>\r\n"), b"");
        wire.expect_nothing(&phones);
        let referral = referral(&phones, alice);
        let followed = phones.act(alice, |phone, now| phone.follow_refer(now, referral, &Content::sdp(OFFER)));
        assert_eq!(followed, Err(Error::Invalid(Argument::Target)), "{target}");
        let told = phones.act(alice, |phone, now| phone.notify_refer(now, referral, 200));
        assert_eq!(told, Err(Error::State));
        phones.act(alice, |phone, now| phone.accept_refer(now, referral, &Content::NONE)).unwrap();
        let heard = wire.expect_all(&phones, &["202", "NOTIFY"]);
        assert_eq!(heard[1].body(), b"SIP/2.0 100 Trying\r\n");
        assert_eq!(heard[1].header("Content-Type"), "message/sipfrag;version=2.0");
        // While one is out, what happens is told by the next, which tells the last of it.
        for status in [180, 182, 183] {
            phones.act(alice, |phone, now| phone.notify_refer(now, referral, status)).unwrap();
        }
        wire.expect_nothing(&phones);
        wire.respond(&mut phones, alice, &heard[1], 200, "");
        let next = wire.expect(&phones, "NOTIFY");
        assert_eq!(next.body(), b"SIP/2.0 183 Session Progress\r\n");
        phones.act(alice, |phone, now| phone.notify_refer(now, referral, 404)).unwrap();
        assert!(phones.act(alice, |phone, now| phone.notify_refer(now, referral, 180)).is_err());
        wire.respond(&mut phones, alice, &next, 200, "");
        let last = wire.expect(&phones, "NOTIFY");
        assert_eq!(last.body(), b"SIP/2.0 404 Not Found\r\n");
        assert_eq!(last.header("Subscription-State"), "terminated;reason=noresource");
        wire.respond(&mut phones, alice, &last, 200, "");
        assert_eq!(over(&phones, alice).last(), Some(&(ReferCause::Done, 404)));
        assert_eq!(phones.act(alice, |phone, now| phone.notify_refer(now, referral, 200)), Err(Error::Gone));
    }
    assert!(phones.world.role(alice).call_info(call).is_some());
    leave(phones, alice, wire, leg);
}

#[test]
fn nothing_is_told_to_who_does_not_want_it() {
    let (mut phones, alice, mut wire, mut leg, _) = in_call();
    let rows = "Refer-To: <sip:carol@192.0.2.3>\r\nRefer-Sub: false\r\nSupported: norefersub\r\n";
    send(&mut phones, alice, &mut wire, &mut leg, "REFER", rows, b"");
    let referral = referral(&phones, alice);
    let call = phones.act(alice, |phone, now| phone.follow_refer(now, referral, &Content::sdp(OFFER))).unwrap();
    let accepted = wire.expect(&phones, "202");
    assert_eq!(accepted.header("Refer-Sub"), "false");
    assert_eq!(over(&phones, alice), [(ReferCause::NotTold, 202)]);
    phones.hang_up(alice, call);
    phones.wait(40_000);
    wire.expect_nothing(&phones);
    leave(phones, alice, wire, leg);
}

#[test]
fn ours_ends_where_the_peer_will_tell_nothing() {
    let (mut phones, alice, mut wire, leg, call) = in_call();
    let headers = [Header { name: HeaderName::Other(b"Refer-Sub"), value: b"false" }];
    let content = Content::NONE.with_headers(&headers);
    phones.act(alice, |phone, now| phone.refer(now, call, "tel:+15551234", &content)).unwrap();
    let refer = wire.expect(&phones, "REFER");
    let rows = ["Refer-To", "Referred-By", "Refer-Sub"].map(|name| refer.header(name));
    assert_eq!(rows, ["<tel:+15551234>", "<sip:alice@example.com>", "false"]);
    assert!(!refer.header("Contact").is_empty());
    wire.respond(&mut phones, alice, &refer, 202, "Refer-Sub: false\r\n");
    assert_eq!(over(&phones, alice), [(ReferCause::NotTold, 202)]);
    leave(phones, alice, wire, leg);
}

#[test]
fn a_storm_finds_an_end() {
    let (mut phones, alice, mut wire, mut leg, _) = in_call();
    let rows = "Refer-To: <sip:carol@192.0.2.3>\r\n";
    for round in 0..10 {
        send(&mut phones, alice, &mut wire, &mut leg, "REFER", rows, b"");
        if round < 2 {
            wire.expect_nothing(&phones);
        } else {
            assert!(!wire.expect(&phones, "503").header("Retry-After").is_empty());
        }
    }
    // Nobody answers them: within 32·T1 they are refused.
    phones.wait(17_000);
    let kinds = wire.kinds(&phones);
    assert_eq!(kinds.matches("480").count(), 2, "{kinds}");
    assert_eq!(over(&phones, alice), [(ReferCause::Expired, 480); 2]);
    leave(phones, alice, wire, leg);
}

#[test]
fn one_may_be_refused_and_the_second_bears_its_number() {
    let (mut phones, alice, mut wire, mut leg, _) = in_call();
    let rows = "Refer-To: <sip:carol@192.0.2.3>\r\n";
    send(&mut phones, alice, &mut wire, &mut leg, "REFER", rows, b"");
    let first = referral(&phones, alice);
    assert!(phones.act(alice, |phone, now| phone.reject_refer(now, first, 200, &Content::NONE)).is_err());
    phones.act(alice, |phone, now| phone.reject_refer(now, first, 603, &Content::NONE)).unwrap();
    wire.expect(&phones, "603");
    assert_eq!(over(&phones, alice), [(ReferCause::Refused, 603)]);
    send(&mut phones, alice, &mut wire, &mut leg, "REFER", rows, b"");
    let second = referral(&phones, alice);
    phones.act(alice, |phone, now| phone.accept_refer(now, second, &Content::NONE)).unwrap();
    let notify = wire.expect_all(&phones, &["202", "NOTIFY"]).remove(1);
    assert_eq!(notify.header("Event"), format!("refer;id={}", leg.seq));
    // A peer that knows nothing of it ends it.
    wire.respond(&mut phones, alice, &notify, 481, "");
    assert_eq!(over(&phones, alice).last(), Some(&(ReferCause::Lost, 100)));
    assert!(phones.ended(alice).is_empty(), "the call goes on (RFC 5057 §5.2)");
    leave(phones, alice, wire, leg);
}

#[test]
fn the_peer_ends_its_subscription() {
    let (mut phones, alice, mut wire, mut leg, _) = in_call();
    let subscribe = "Event: refer\r\nExpires: 0\r\n";
    send(&mut phones, alice, &mut wire, &mut leg, "SUBSCRIBE", subscribe, b"");
    // There is none, and nothing else is subscribed to here.
    wire.expect(&phones, "405");
    send(&mut phones, alice, &mut wire, &mut leg, "REFER", "Refer-To: <sip:carol@192.0.2.3>\r\n", b"");
    let referral = referral(&phones, alice);
    phones.act(alice, |phone, now| phone.accept_refer(now, referral, &Content::NONE)).unwrap();
    let notify = wire.expect_all(&phones, &["202", "NOTIFY"]).remove(1);
    wire.respond(&mut phones, alice, &notify, 200, "");
    send(&mut phones, alice, &mut wire, &mut leg, "SUBSCRIBE", "Event: refer\r\nExpires: 600\r\n", b"");
    let heard = wire.expect_all(&phones, &["200", "NOTIFY"]);
    assert!(heard[0].header("Expires").parse::<u32>().unwrap() > 100);
    wire.respond(&mut phones, alice, &heard[1], 200, "");
    send(&mut phones, alice, &mut wire, &mut leg, "SUBSCRIBE", subscribe, b"");
    let heard = wire.expect_all(&phones, &["200", "NOTIFY"]);
    assert_eq!(heard[0].header("Expires"), "0");
    assert_eq!(heard[1].header("Subscription-State"), "terminated;reason=timeout");
    wire.respond(&mut phones, alice, &heard[1], 200, "");
    assert_eq!(over(&phones, alice), [(ReferCause::Expired, 100)]);
    leave(phones, alice, wire, leg);
}

/// The phone has sent a REFER.
fn referring(phones: &mut Phones, alice: NodeId, wire: &mut Wire, call: Call) -> Heard {
    phones.act(alice, |phone, now| phone.refer(now, call, "sip:carol@192.0.2.3", &Content::NONE)).unwrap();
    wire.expect(phones, "REFER")
}

const ACTIVE: &str = "Event: refer\r\nSubscription-State: active;expires=60\r\nContent-Type: message/sipfrag\r\n";
const LAST: &str =
    "Event: refer\r\nSubscription-State: terminated;reason=noresource\r\nContent-Type: message/sipfrag\r\n";

#[test]
fn what_is_told_may_be_garbage() {
    let (mut phones, alice, mut wire, mut leg, call) = in_call();
    let refer = referring(&mut phones, alice, &mut wire, call);
    wire.respond(&mut phones, alice, &refer, 202, "");
    let before = phones.events(alice).len();
    for body in [&b""[..], b"\r\n\r\n", b"SIP/2.0 9999 x", b"\0\xff\xfe", b"INVITE sip:a@b SIP/2.0\r\n"] {
        send(&mut phones, alice, &mut wire, &mut leg, "NOTIFY", ACTIVE, body);
        wire.expect(&phones, "200");
    }
    assert_eq!(phones.events(alice).len(), before);
    for (rows, status) in [
        ("Event: presence\r\nSubscription-State: active\r\n", "489"),
        ("Subscription-State: active\r\n", "489"),
        ("Event: refer;id=77\r\nSubscription-State: active\r\n", "481"),
        ("Event: refer;id=\r\nSubscription-State: active\r\n", "481"),
        ("Event: refer\r\n", "400"),
        ("Event: refer\r\nSubscription-State: \r\n", "400"),
    ] {
        send(&mut phones, alice, &mut wire, &mut leg, "NOTIFY", rows, b"SIP/2.0 200 OK\r\n");
        assert_eq!(wire.kinds(&phones), status, "{rows}");
        assert_eq!(phones.events(alice).len(), before);
    }
    send(&mut phones, alice, &mut wire, &mut leg, "NOTIFY", ACTIVE, b"SIP/2.0 180 Ringing\r\n");
    assert!(matches!(phones.last(alice), Some(Event::ReferProgress { status: 180, .. })));
    // The last one says nothing: what was said before holds.
    send(&mut phones, alice, &mut wire, &mut leg, "NOTIFY", LAST, b"");
    assert_eq!(over(&phones, alice), [(ReferCause::Expired, 180)]);
    wire.expect_all(&phones, &["200", "200"]);
    send(&mut phones, alice, &mut wire, &mut leg, "NOTIFY", LAST, b"SIP/2.0 200 OK\r\n");
    wire.expect(&phones, "481");
    leave(phones, alice, wire, leg);
}

#[test]
fn a_notify_overtakes_the_202_and_one_is_about_the_oldest() {
    let (mut phones, alice, mut wire, mut leg, call) = in_call();
    let first = referring(&mut phones, alice, &mut wire, call);
    let second = referring(&mut phones, alice, &mut wire, call);
    let third = phones.act(alice, |phone, now| phone.refer(now, call, "sip:carol@192.0.2.3", &Content::NONE));
    assert_eq!(third, Err(sip_core::error::Capacity::Referrals.into()));
    send(&mut phones, alice, &mut wire, &mut leg, "NOTIFY", ACTIVE, b"SIP/2.0 100 Trying\r\n");
    wire.respond(&mut phones, alice, &first, 202, "");
    wire.respond(&mut phones, alice, &second, 202, "");
    let numbered = LAST.replace("Event: refer", &format!("Event: refer;id={}", second.seq()));
    send(&mut phones, alice, &mut wire, &mut leg, "NOTIFY", &numbered, b"SIP/2.0 486 Busy Here\r\n");
    send(&mut phones, alice, &mut wire, &mut leg, "NOTIFY", LAST, b"SIP/2.0 200 OK\r\n");
    assert_eq!(over(&phones, alice), [(ReferCause::Done, 486), (ReferCause::Done, 200)]);
    let accepted = phones.events(alice).into_iter().filter(|event| matches!(event, Event::ReferAccepted { .. }));
    assert_eq!(accepted.count(), 1, "the NOTIFY stood for the first 202");
    leave(phones, alice, wire, leg);
}

#[test]
fn who_tells_nothing_is_not_waited_for() {
    for told in ["", "SIP/2.0 100 Trying\r\n", "SIP/2.0 200 OK\r\n"] {
        let (mut phones, alice, mut wire, mut leg, call) = in_call();
        let refer = referring(&mut phones, alice, &mut wire, call);
        wire.respond(&mut phones, alice, &refer, 202, "");
        if !told.is_empty() {
            send(&mut phones, alice, &mut wire, &mut leg, "NOTIFY", ACTIVE, told.as_bytes());
        }
        let (wait, expected) = match told {
            "" => (33_000, (ReferCause::Expired, 0)),
            // A peer that never ends what it has told the end of.
            "SIP/2.0 200 OK\r\n" => (33_000, (ReferCause::Done, 200)),
            _ => (93_000, (ReferCause::Expired, 100)),
        };
        phones.wait(wait - 2000);
        assert_eq!(over(&phones, alice), []);
        phones.wait(3000);
        assert_eq!(over(&phones, alice), [expected], "{told}");
        leave(phones, alice, wire, leg);
    }
}

#[test]
fn the_end_of_the_call_does_not_end_what_is_told() {
    for ours in [true, false] {
        let (mut phones, alice, mut wire, mut leg, call) = in_call();
        let refer = referring(&mut phones, alice, &mut wire, call);
        wire.respond(&mut phones, alice, &refer, 202, "");
        if ours {
            phones.hang_up(alice, call);
            let bye = wire.expect(&phones, "BYE");
            wire.respond(&mut phones, alice, &bye, 200, "");
        } else {
            send(&mut phones, alice, &mut wire, &mut leg, "BYE", "", b"");
            wire.expect(&phones, "200");
        }
        assert_eq!(phones.ended(alice).len(), 1);
        send(&mut phones, alice, &mut wire, &mut leg, "NOTIFY", ACTIVE, b"SIP/2.0 180 Ringing\r\n");
        wire.expect(&phones, "200");
        // The call itself is over: nothing of it is taken any more.
        for (method, body) in [("BYE", &b""[..]), ("INVITE", OFFER), ("UPDATE", OFFER), ("REFER", b"")] {
            let rows = if method == "REFER" { "Refer-To: <sip:carol@192.0.2.3>\r\n" } else { "" };
            send(&mut phones, alice, &mut wire, &mut leg, method, rows, body);
            assert_eq!(wire.kinds(&phones), "481", "{method}");
            if method == "INVITE" {
                let branch = wire.branch();
                let ack = wire.request_as(&leg, "ACK", &branch, "", b"");
                wire.send(&mut phones, alice, &ack);
            }
        }
        send(&mut phones, alice, &mut wire, &mut leg, "NOTIFY", LAST, b"SIP/2.0 200 OK\r\n");
        assert_eq!(over(&phones, alice), [(ReferCause::Done, 200)]);
        assert_eq!(phones.world.role(alice).occupancy().dialogs, 0);
        phones.settle();
    }
}

#[test]
fn a_refer_may_be_refused_challenged_or_lost() {
    for (status, cause) in [(603, ReferCause::Refused), (405, ReferCause::Refused), (481, ReferCause::Refused)] {
        let (mut phones, alice, mut wire, leg, call) = in_call();
        let refer = referring(&mut phones, alice, &mut wire, call);
        wire.respond(&mut phones, alice, &refer, status, "");
        assert_eq!(over(&phones, alice), [(cause, status)]);
        if status == 481 {
            // The peer knows nothing of the dialog (RFC 5057 §5.1).
            let bye = wire.expect(&phones, "BYE");
            wire.respond(&mut phones, alice, &bye, 200, "");
            assert_eq!(phones.ended(alice), [(Cause::Lost, 481)]);
            phones.settle();
        } else {
            leave(phones, alice, wire, leg);
        }
    }
    let (mut phones, alice, mut wire, mut leg, call) = in_call();
    phones.act(alice, |phone, _| phone.add_credentials("office", "alice", "secret")).unwrap();
    let refer = referring(&mut phones, alice, &mut wire, call);
    let challenge = "WWW-Authenticate: Digest realm=\"office\", nonce=\"abc\"\r\n";
    wire.respond(&mut phones, alice, &refer, 401, challenge);
    let again = wire.expect(&phones, "REFER");
    assert!(again.header("Authorization").contains("username=\"alice\""));
    assert_eq!(again.header("Refer-To"), refer.header("Refer-To"));
    wire.respond(&mut phones, alice, &again, 202, "");
    // The number is that of the REFER which was accepted.
    let numbered = LAST.replace("Event: refer", &format!("Event: refer;id={}", again.seq()));
    send(&mut phones, alice, &mut wire, &mut leg, "NOTIFY", &numbered, b"SIP/2.0 200 OK\r\n");
    assert_eq!(over(&phones, alice), [(ReferCause::Done, 200)]);
    leave(phones, alice, wire, leg);

    // No response at all.
    let (mut phones, alice, mut wire, _, call) = in_call();
    referring(&mut phones, alice, &mut wire, call);
    phones.wait(33_000);
    assert_eq!(over(&phones, alice), [(ReferCause::Lost, 408)]);
    phones.wait(40_000);
    assert_eq!(phones.ended(alice), [(Cause::Lost, 408)]);
    phones.settle();
}

#[test]
fn nobody_outside_of_a_call_asks_for_a_transfer() {
    let (mut phones, alice, mut wire, leg, call) = in_call();
    for (method, rows, status) in [
        ("REFER", "Refer-To: <sip:carol@192.0.2.3>\r\n", "403"),
        ("NOTIFY", ACTIVE, "481"),
        ("SUBSCRIBE", "Event: refer\r\n", "405"),
    ] {
        let mut other = wire.leg("sip:alice@192.0.2.1");
        send(&mut phones, alice, &mut wire, &mut other, method, rows, b"");
        assert_eq!(wire.kinds(&phones), status);
    }
    let same = phones.act(alice, |phone, now| phone.refer_to_call(now, call, call, &Content::NONE));
    assert_eq!(same, Err(Error::State));
    for target in ["", "carol", "<sip:carol@192.0.2.3", "sip:carol@192.0.2.3\r\nX: y"] {
        let refused = phones.act(alice, |phone, now| phone.refer(now, call, target, &Content::NONE));
        assert!(refused.is_err(), "{target:?}");
    }
    leave(phones, alice, wire, leg);
}

/// The peer asks to replace a dialog by another call; the kinds of what comes back.
fn replace(phones: &mut Phones, alice: NodeId, wire: &mut Wire, replaces: &str) -> String {
    let mut leg = wire.leg("sip:alice@192.0.2.1");
    send(phones, alice, wire, &mut leg, "INVITE", &format!("Replaces: {replaces}\r\n"), OFFER);
    wire.kinds(phones)
}

#[test]
fn who_asks_to_replace_a_call_has_to_know_it() {
    let (mut phones, alice, mut wire, leg, call) = in_call();
    let tag = |party: &str| party.split(";tag=").nth(1).unwrap().to_owned();
    let (ours, theirs) = (tag(&leg.remote), tag(&leg.local));
    let of = |to: &str, from: &str| format!("{};to-tag={to};from-tag={from}", leg.call_id);
    for (replaces, status) in [
        ("nothing".to_owned(), "400"),
        (format!("{};to-tag={ours}", leg.call_id), "400"),
        ("stranger;to-tag=1;from-tag=2".to_owned(), "481"),
        (of(&theirs, &ours), "481"),
        (of(&ours, "0"), "481"),
        (format!("{};early-only", of(&ours, &theirs)), "486"),
        (format!("{}\r\nReplaces: {}", of(&ours, &theirs), of(&ours, &theirs)), "400"),
    ] {
        assert_eq!(replace(&mut phones, alice, &mut wire, &replaces), status, "{replaces}");
    }
    assert!(phones.ended(alice).is_empty());
    // The right one, and our user does not want it: the old call goes on.
    assert_eq!(replace(&mut phones, alice, &mut wire, &of(&ours, &theirs)), "");
    let Some(Event::Replacing { call: new, replaced }) = phones.last(alice) else { panic!("no call came") };
    assert_eq!(replaced, call);
    phones.act(alice, |phone, now| phone.reject(now, new, 603, &Content::NONE)).unwrap();
    wire.expect(&phones, "603");
    assert!(phones.world.role(alice).call_info(call).is_some());
    // One that rings here is not to be taken away by who did not make it (RFC 3891 §3).
    let mut ringing = wire.leg("sip:alice@192.0.2.1");
    send(&mut phones, alice, &mut wire, &mut ringing, "INVITE", "", OFFER);
    let rings = phones.incoming(alice);
    phones.act(alice, |phone, now| phone.ring(now, rings, 180, &Content::NONE)).unwrap();
    let tag_here = wire.expect(&phones, "180").to_tag();
    let early = format!("{};to-tag={tag_here};from-tag={}", ringing.call_id, tag(&ringing.local));
    assert_eq!(replace(&mut phones, alice, &mut wire, &early), "481");
    phones.act(alice, |phone, now| phone.reject(now, rings, 486, &Content::NONE)).unwrap();
    // It is replaced.
    phones.wait(40_000);
    let _ = wire.hear(&phones);
    assert_eq!(replace(&mut phones, alice, &mut wire, &of(&ours, &theirs)), "");
    let Some(Event::Replacing { call: new, .. }) = phones.last(alice) else { panic!("no call came") };
    phones.act(alice, |phone, now| phone.answer(now, new, &Content::sdp(ANSWER))).unwrap();
    let heard = wire.expect_all(&phones, &["200", "BYE"]);
    wire.respond(&mut phones, alice, &heard[1], 200, "");
    assert_eq!(phones.ended(alice).last(), Some(&(Cause::Replaced, 0)));
    // While it ends, and behind its end.
    assert_eq!(replace(&mut phones, alice, &mut wire, &of(&ours, &theirs)), "481");
    phones.wait(40_000);
    phones.settle();
}

/// One dialog has a few at a time, however much room there is: its count of usages is an octet.
#[test]
fn a_storm_in_one_dialog_leaves_its_call() {
    use sip_core::ua::UserAgent;
    use sip_std_adapter::memory::HeapMemory;
    use sip_testkit::{Config, Events, World};

    let mut world = World::new(Config::new(1).with_ladder(5000), Events::default());
    let settings = sip_core::ua::Config::new("192.0.2.1:5060", "sip:alice@192.0.2.1").with_transfers(true);
    let mut phone = UserAgent::new(HeapMemory::with_capacity(1200, 8, 400, 1));
    phone.start(&settings, world.role_seed()).unwrap();
    let address = core::net::SocketAddr::from(([192, 0, 2, 1], 5060));
    let alice = world.add("alice", sip_core::transport::Address::from(address), phone);
    let mut wire = Wire::new("192.0.2.9:5060");
    let mut leg = wire.leg("sip:alice@192.0.2.1");
    let invite = wire.request(&mut leg, "INVITE", &wire.contact(), OFFER);
    wire.send(&mut world, alice, &invite);
    let Some(Event::Incoming { call }) = world.user().of(alice).last() else { panic!("no call came") };
    world.act(alice, |phone, now| phone.answer(now, call, &Content::sdp(ANSWER))).unwrap();
    let answer = wire.expect(&world, "200");
    (leg.remote, leg.target) = (answer.header("To"), answer.contact());
    let branch = wire.branch();
    wire.send(&mut world, alice, &wire.request_as(&leg, "ACK", &branch, "", b""));
    let rows = format!("{}Refer-To: <sip:carol@192.0.2.3>\r\n", wire.contact());
    for _ in 0..300 {
        let refer = wire.request(&mut leg, "REFER", &rows, b"");
        wire.send(&mut world, alice, &refer);
    }
    assert_eq!(wire.kinds(&world).matches("503").count(), 292);
    world.run_for(sip_core::time::Duration::from_secs(60));
    assert_eq!(wire.kinds(&world).matches("480").count(), 8);
    // The dialog is there, and takes another.
    let refer = wire.request(&mut leg, "REFER", &rows, b"");
    wire.send(&mut world, alice, &refer);
    assert!(matches!(world.user().of(alice).last(), Some(Event::Refer { .. })), "{}", world.explain());
    let bye = wire.request(&mut leg, "BYE", "", b"");
    wire.send(&mut world, alice, &bye);
    wire.expect(&world, "200");
}
