//! Transfers (RFC 5359 §2.4, §2.5, §2.16, RFC 5589 §6, §7) and the race of RFC 5407 §3.3.3, between phones and through a proxy.

use crate::drawn::{assert_ladder, now};
use crate::office::Office;
use sip_core::message::{Header, HeaderName};
use sip_core::time::Instant;
use sip_core::ua::{Call, Cause, Content, Event, ReferCause, Referral};
use sip_testkit::{ANSWER, HasWorld, NodeId, OFFER, Phone};

/// An office with a third phone.
fn three(seed: u64) -> (Office, [NodeId; 3]) {
    let (mut office, alice, bob) = Office::pair(seed);
    let carol = office.add("carol", "192.0.2.3:5060");
    office.bind("carol", "sip:carol@192.0.2.3", 1000);
    (office, [alice, bob, carol])
}

/// Alice has called bob.
fn in_call(office: &mut Office, from: NodeId, to: NodeId, target: &str) -> (Call, Call) {
    let call = office.call(from, target);
    office.pause();
    let answered = office.answer(to);
    office.pause();
    (call, answered)
}

/// The REFER that a phone was asked for.
fn asked(office: &Office, node: NodeId) -> Referral {
    let mut refers = office.events(node).into_iter().filter_map(|event| match event {
        Event::Refer { referral, .. } => Some(referral),
        _ => None,
    });
    refers.next_back().unwrap_or_else(|| panic!("no REFER came\n{}", office.world.explain()))
}

fn follow(phone: &mut Phone, now: Instant, referral: Referral) -> Call {
    phone.follow_refer(now, referral, &Content::sdp(OFFER)).expect("whom to call")
}

/// What a phone was told of its REFERs: statuses, and how they ended.
fn told(office: &Office, node: NodeId) -> Vec<String> {
    let told = office.events(node).into_iter().filter_map(|event| match event {
        Event::ReferAccepted { .. } => Some("accepted".to_owned()),
        Event::ReferProgress { status, .. } => Some(status.to_string()),
        Event::ReferEnded { cause, status, .. } => Some(format!("{cause:?} {status}")),
        _ => None,
    });
    told.collect()
}

/// The values of a header in the messages of a method from line `since` of the ladder on.
fn values(office: &Office, since: u64, method: &str, name: HeaderName<'static>) -> Vec<String> {
    let messages = office.world().ladder().datagrams_since(since);
    let found = messages.filter_map(|sent| {
        let message = sip_core::message::Message::parse(&sent.bytes).ok()?;
        let is_it = message.is_request() && message.method().as_bytes() == method.as_bytes();
        let value = is_it.then(|| message.header(name)).flatten()?;
        Some(String::from_utf8_lossy(value).into_owned())
    });
    found.collect()
}

/// RFC 5359 §2.4, RFC 5589 §6.1.
#[test]
fn a_call_is_transferred_blindly() {
    let (mut office, [alice, bob, carol]) = three(1);
    let (call, at_bob) = in_call(&mut office, alice, bob, "sip:bob@example.com");
    let since = now(&office);
    let target = "sip:carol@example.com";
    let referral = office.phone(bob, |phone, now| phone.refer(now, at_bob, target, &Content::NONE)).unwrap();
    office.pause();
    let at_alice = asked(&office, alice);
    let new = office.phone(alice, |phone, now| follow(phone, now, at_alice));
    office.pause();
    office.hang_up(bob, at_bob);
    office.pause();
    office.ring(carol);
    office.pause();
    office.answer(carol);
    office.pause();
    assert_ladder(
        &office,
        since,
        "bob -> proxy REFER
        proxy -> alice REFER
        alice -> proxy 202 REFER
        alice -> proxy INVITE (sdp)
        alice -> proxy NOTIFY (sipfrag)
        proxy -> bob 202 REFER
        proxy -> carol INVITE (sdp)
        proxy -> bob NOTIFY (sipfrag)
        bob -> proxy 200 NOTIFY
        proxy -> alice 200 NOTIFY
        bob -> proxy BYE
        proxy -> alice BYE
        alice -> proxy 200 BYE
        proxy -> bob 200 BYE
        carol -> proxy 180 INVITE
        proxy -> alice 180 INVITE
        alice -> proxy NOTIFY (sipfrag)
        proxy -> bob NOTIFY (sipfrag)
        bob -> proxy 200 NOTIFY
        proxy -> alice 200 NOTIFY
        carol -> proxy 200 INVITE (sdp)
        proxy -> alice 200 INVITE (sdp)
        alice -> proxy ACK
        alice -> proxy NOTIFY (sipfrag)
        proxy -> carol ACK
        proxy -> bob NOTIFY (sipfrag)
        bob -> proxy 200 NOTIFY
        proxy -> alice 200 NOTIFY",
    );
    assert_eq!(told(&office, bob), ["accepted", "100", "180", "Done 200"]);
    assert_eq!(told(&office, alice), ["Done 200"]);
    assert!(office.events(bob).contains(&Event::ReferEnded { referral, cause: ReferCause::Done, status: 200 }));
    let by = ["<sip:bob@example.com>"; 4];
    assert_eq!(values(&office, since, "INVITE", HeaderName::ReferredBy), by[..2]);
    assert_eq!(values(&office, since, "REFER", HeaderName::ReferTo), ["<sip:carol@example.com>"; 2]);
    assert_eq!(values(&office, since, "NOTIFY", HeaderName::Event), ["refer"; 6]);
    let states = values(&office, since, "NOTIFY", HeaderName::SubscriptionState);
    assert_eq!(states[4..], ["terminated;reason=noresource"; 2]);
    assert!(states[..4].iter().all(|state| state.starts_with("active;expires=")));
    assert_eq!(office.ended(alice), [(Cause::RemoteHangup, 0)]);
    let _ = call;
    office.hang_up(alice, new);
    office.settle();
}

/// The same where whom the transfer is to does not want it: the first call goes on (RFC 5589 §6.3).
#[test]
fn a_blind_transfer_that_fails_leaves_the_call() {
    let (mut office, [alice, bob, carol]) = three(2);
    let (call, at_bob) = in_call(&mut office, alice, bob, "sip:bob@example.com");
    office.phone(bob, |phone, now| phone.refer(now, at_bob, "<sip:carol@example.com>", &Content::NONE)).unwrap();
    office.pause();
    let referral = asked(&office, alice);
    office.phone(alice, |phone, now| follow(phone, now, referral));
    office.pause();
    office.reject(carol, 486);
    office.pause();
    assert_eq!(told(&office, bob), ["accepted", "100", "Done 486"]);
    assert_eq!(office.ended(alice), [(Cause::Rejected, 486)]);
    assert!(office.ended(bob).is_empty());
    office.hang_up(alice, call);
    office.settle();
}

/// RFC 5359 §2.5, RFC 5589 §7.1: bob asks carol first, then puts alice through.
#[test]
fn a_call_is_transferred_with_a_word_before() {
    let (mut office, [alice, bob, carol]) = three(3);
    let (_, at_bob) = in_call(&mut office, alice, bob, "sip:bob@example.com");
    let (asking, _) = in_call(&mut office, bob, carol, "sip:carol@example.com");
    let since = now(&office);
    office.phone(bob, |phone, now| phone.refer_to_call(now, at_bob, asking, &Content::NONE)).unwrap();
    office.pause();
    let referral = asked(&office, alice);
    let new = office.phone(alice, |phone, now| follow(phone, now, referral));
    office.pause();
    let Some(Event::Replacing { call: at_carol, replaced }) = office.events(carol).last().copied() else {
        panic!("{}", office.world.explain())
    };
    office.phone(carol, |phone, now| phone.answer(now, at_carol, &Content::sdp(ANSWER))).unwrap();
    office.pause();
    assert!(office.events(carol).contains(&Event::Ended { call: replaced, cause: Cause::Replaced, status: 0 }));
    assert_eq!(office.ended(bob), [(Cause::RemoteHangup, 0)]);
    assert_eq!(told(&office, bob), ["accepted", "100", "Done 200"]);
    let refer_to = values(&office, since, "REFER", HeaderName::ReferTo);
    assert!(refer_to[0].starts_with("<sip:carol@192.0.2.3:5060?Replaces="), "{refer_to:?}");
    assert!(refer_to[0].contains("%3Bto-tag%3D") && refer_to[0].contains("%3Bfrom-tag%3D"), "{refer_to:?}");
    office.hang_up(bob, at_bob);
    office.pause();
    assert_eq!(office.ended(alice), [(Cause::RemoteHangup, 0)]);
    office.hang_up(alice, new);
    office.settle();
}

/// RFC 5359 §2.16, from where the dialog that rings is known: carol takes bob's call.
#[test]
fn a_call_that_rings_elsewhere_is_picked_up() {
    let (mut office, [alice, bob, carol]) = three(4);
    let call = office.call(alice, "sip:bob@example.com");
    office.pause();
    let at_bob = office.ring(bob);
    office.pause();
    let replaces = office.phone(bob, |phone, _| {
        let info = phone.call_info(at_bob).expect("a call that rings");
        let [call_id, ours, theirs] =
            [info.call_id, info.local_tag().expect("a tag"), info.remote_tag().expect("a tag")]
                .map(|text| String::from_utf8_lossy(text).into_owned());
        // As alice sees it.
        format!("{call_id};to-tag={theirs};from-tag={ours};early-only")
    });
    let since = now(&office);
    let headers = [Header { name: HeaderName::Replaces, value: replaces.as_bytes() }];
    let content = Content::sdp(OFFER).with_headers(&headers);
    let picked =
        office.phone(carol, |phone, now| phone.call(now, "sip:alice@example.com", "", &content)).expect("room");
    office.pause();
    let Some(Event::Replacing { call: at_alice, replaced }) = office.events(alice).last().copied() else {
        panic!("{}", office.world.explain())
    };
    assert_eq!(replaced, call);
    office.phone(alice, |phone, now| phone.answer(now, at_alice, &Content::sdp(ANSWER))).unwrap();
    office.pause();
    assert_ladder(
        &office,
        since,
        "carol -> proxy INVITE (sdp)
        proxy -> alice INVITE (sdp)
        alice -> proxy 200 INVITE (sdp)
        alice -> proxy CANCEL
        proxy -> carol 200 INVITE (sdp)
        proxy -> alice 200 CANCEL
        proxy -> bob CANCEL
        carol -> proxy ACK
        bob -> proxy 200 CANCEL
        bob -> proxy 487 INVITE
        proxy -> alice ACK
        proxy -> bob ACK
        proxy -> alice 487 INVITE
        alice -> proxy ACK",
    );
    assert_eq!(office.ended(alice), [(Cause::Replaced, 487)]);
    assert_eq!(office.ended(bob), [(Cause::Cancelled, 487)]);
    office.hang_up(carol, picked);
    office.settle();
}

/// RFC 5407 §3.3.3: a BYE crosses a REFER. The REFER has no call any more, and its end is told.
#[test]
fn a_bye_crosses_a_refer() {
    let (mut office, [alice, bob, _]) = three(5);
    let (call, at_bob) = in_call(&mut office, alice, bob, "sip:bob@example.com");
    office.phone(bob, |phone, now| phone.refer(now, at_bob, "sip:carol@example.com", &Content::NONE)).unwrap();
    office.hang_up(alice, call);
    office.pause();
    assert!(!office.events(alice).iter().any(|event| matches!(event, Event::Refer { .. })));
    assert_eq!(told(&office, bob), ["Refused 481"]);
    assert_eq!((office.ended(alice).len(), office.ended(bob).len()), (1, 1));
    office.settle();
}
