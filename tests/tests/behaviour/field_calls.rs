//! What crashed other user agents in calls: each has a row in `tests/lab/tests/messages/field_notes.rs`.
//!
//! Covers field notes B as far as there is something here that could repeat it: early media (PJSIP CVE-2021-21375), sends that
//! fail at once (PJSIP #5040 and #5164, CVE-2026-28799, libre 5b004884), connections that open too late (CVE-2021-32686), and
//! Replaces of a dialog that is not there (baresip). TLS, STUN, resolvers and subscriptions are not there yet.

use sip_core::time::Duration;
use sip_core::transport::Transport;
use sip_core::ua::{Cause, Content, Event};
use sip_testkit::{ANSWER, Faults, NodeId, OFFER, Phones, Wire};

#[test]
fn early_media_that_cannot_be_read_is_followed_by_some_that_can() {
    let (mut phones, alice, mut wire) = Phones::scripted(1);
    let call = phones.call(alice, "sip:wire@192.0.2.9");
    let invite = wire.expect(&phones, "INVITE");
    for body in [&b"v=0\r\nm=audio \0"[..], b"v=", ANSWER] {
        wire.send(&mut phones, alice, &invite.response(183, "w", &wire.contact(), body));
        assert!(matches!(phones.last(alice), Some(Event::Progress { call: of, status: 183, .. }) if of == call));
    }
    assert_eq!(phones.events(alice).len(), 3);
    wire.accept(&mut phones, alice, &invite, "w", ANSWER);
    wire.expect(&phones, "ACK");
    assert_eq!(phones.last(alice), Some(Event::Answered { call, answer_due: false }));
    phones.hang_up(alice, call);
    let bye = wire.expect(&phones, "BYE");
    wire.respond(&mut phones, alice, &bye, 200, "");
    phones.settle();
}

#[test]
fn who_demands_that_an_unknown_dialog_is_replaced_is_refused() {
    let replaces = "Replaces: nobody@192.0.2.9;to-tag=1;from-tag=2\r\n";
    for (rows, answer) in [(format!("Require: replaces\r\n{replaces}"), "420"), (replaces.to_owned(), "100")] {
        let (mut phones, alice, mut wire) = Phones::scripted(2);
        let mut leg = wire.leg("sip:alice@192.0.2.1");
        let invite = wire.request(&mut leg, "INVITE", &format!("{}{rows}", wire.contact()), OFFER);
        wire.send(&mut phones, alice, &invite);
        phones.wait(210);
        let heard = wire.expect(&phones, answer);
        if answer == "420" {
            assert_eq!(heard.header("Unsupported"), "replaces");
            assert_eq!(phones.events(alice), []);
        } else {
            // Who does not demand it has a new call, as if the row were not there (RFC 3261 §8.2.2.3).
            let incoming = phones.incoming(alice);
            phones.act(alice, |phone, now| phone.reject(now, incoming, 486, &Content::NONE)).unwrap();
        }
    }
}

/// A call in which much happens within half a second: ringing, an answer, a re-INVITE, a hang-up from both ends. At `moment`
/// milliseconds `disturb` is called. What cannot be done any more is left.
fn busy_call(seed: u64, moment: u64, disturb: fn(&mut Phones, NodeId)) -> (Phones, NodeId, NodeId) {
    let (mut phones, alice, bob) = Phones::pair(seed);
    phones.world.network_mut().set_faults(Faults::NONE.with_delay(5, 5));
    let call = phones.call(alice, "sip:bob@192.0.2.2");
    for now in 0..400 {
        if now == moment {
            disturb(&mut phones, bob);
        }
        let incoming = phones.events(bob).iter().find_map(|event| match event {
            Event::Incoming { call } => Some(*call),
            _ => None,
        });
        phones.act(bob, |phone, time| {
            let Some(call) = incoming else { return };
            let _ = match now {
                50 => phone.ring(time, call, 180, &Content::NONE),
                100 => phone.answer(time, call, &Content::sdp(ANSWER)),
                300 => phone.hang_up(time, call),
                _ => Ok(()),
            };
        });
        phones.act(alice, |phone, time| {
            let _ = match now {
                200 => phone.reinvite(time, call, &Content::sdp(OFFER)),
                300 => phone.hang_up(time, call),
                _ => Ok(()),
            };
        });
        phones.wait(1);
    }
    (phones, alice, bob)
}

#[test]
fn a_send_that_fails_at_any_moment_ends_the_call_once() {
    for moment in (0..320).step_by(3) {
        let (mut phones, alice, bob) = busy_call(moment, moment, |phones, bob| phones.world.refuse(bob, true));
        phones.settle();
        assert_eq!(phones.ended(alice).len(), 1, "at {moment} ms\n{}", phones.world.explain());
        let came = phones.events(bob).iter().filter(|event| matches!(event, Event::Incoming { .. })).count();
        assert_eq!(phones.ended(bob).len(), came, "at {moment} ms\n{}", phones.world.explain());
    }
}

#[test]
fn a_connection_that_opens_when_its_request_is_gone_is_not_used() {
    for (hang_up_after, listens) in [(0, true), (1, true), (0, false), (1, false), (3, true)] {
        let mut phones = Phones::new(3);
        let carol = phones.add_with("carol", "192.0.2.3:5060", |config| config.transport = Transport::Tcp);
        let mut wire = Wire::new("192.0.2.9:5060");
        phones.world.listen_scripted(wire.address(), listens);
        let call = phones.call(carol, "sip:wire@192.0.2.9;transport=tcp");
        phones.wait(hang_up_after);
        let _ = phones.act(carol, |phone, now| phone.hang_up(now, call));
        phones.world.run_for(Duration::from_secs(200));
        let kinds = wire.kinds(&phones);
        assert!(["", "INVITE", "INVITE CANCEL"].contains(&kinds.as_str()), "{kinds}");
        let ended = phones.ended(carol);
        assert!(matches!(ended[..], [(Cause::LocalHangup | Cause::Unreachable | Cause::Timeout, _)]), "{ended:?}");
        phones.settle();
    }
}
