//! Two phones that acknowledge provisional responses, on lines that lose, repeat and reorder.
//!
//! Covers RFC 3262 §1 (a provisional response arrives whatever is lost), §3 and §4 together, and CANCEL at every moment.

use sip_core::time::Duration;
use sip_core::ua::{Call, Content, Event, ReliableProvisional};
use sip_testkit::{ANSWER, Config, Faults, NodeId, OFFER, Phones};

fn pair(config: Config) -> (Phones, NodeId, NodeId) {
    let mut phones = Phones::with(config);
    let mut add = |name, address| {
        phones.add_with(name, address, |config| config.reliable_provisional = ReliableProvisional::Required)
    };
    let (alice, bob) = (add("alice", "192.0.2.1:5060"), add("bob", "192.0.2.2:5060"));
    (phones, alice, bob)
}

/// Steps until a phone has been told so; whether it was.
fn until(phones: &mut Phones, node: NodeId, told: impl Fn(&Event) -> bool) -> bool {
    phones.world.run_until(Duration::from_secs(40), |world| world.user().of(node).any(|event| told(&event)))
}

fn ring(phones: &mut Phones, bob: NodeId, call: Call, status: u16, content: &Content<'_>) {
    phones.act(bob, |phone, now| phone.ring(now, call, status, content)).unwrap();
}

#[test]
fn every_response_arrives_once_and_in_order_whatever_the_line_does() {
    for seed in 0..60 {
        for (faults, offered) in [(Faults::NONE, true), (Faults::WIRELESS, true), (Faults::WIRELESS, false)] {
            let (mut phones, alice, bob) = pair(Config::new(seed).with_faults(faults).with_ladder(5000).with_check());
            let offer = if offered { Content::sdp(OFFER) } else { Content::NONE };
            phones.act(alice, |phone, now| phone.call(now, "sip:bob@192.0.2.2", "", &offer)).unwrap();
            if !until(&mut phones, bob, |event| matches!(event, Event::Incoming { .. })) {
                continue;
            }
            let incoming = phones.incoming(bob);
            let bodies = [ANSWER, b"", b""];
            let mut gone = false;
            for (number, status) in [183, 180, 182].into_iter().enumerate() {
                let content = if bodies[number].is_empty() { Content::NONE } else { Content::sdp(bodies[number]) };
                if phones.act(bob, |phone, now| phone.ring(now, incoming, status, &content)).is_err() {
                    gone = true;
                    break;
                }
                let heard = until(&mut phones, alice, |event| {
                    matches!(event, Event::Ended { .. })
                        || matches!(event, Event::Progress { status: of, .. } if *of == status)
                });
                assert!(heard, "{}", phones.world.explain());
                if let Some(Event::Progress { call, fork, answer_due: true, .. }) = phones.last(alice) {
                    let answer = Content::sdp(ANSWER);
                    let sent = phones.act(alice, |phone, now| phone.acknowledge_provisional(now, call, fork, &answer));
                    assert_eq!((sent, offered), (Ok(()), false));
                }
                let wanted = number + 1;
                phones.world.run_until(Duration::from_secs(40), |world| {
                    let pracked = |event: &Event| matches!(event, Event::ProvisionalAcknowledged { .. });
                    let ended = |event: &Event| matches!(event, Event::Ended { .. });
                    world.user().of(bob).filter(pracked).count() == wanted
                        || world.user().of(bob).any(|event| ended(&event))
                });
            }
            let seen: Vec<u16> = phones
                .events(alice)
                .iter()
                .filter_map(|event| match event {
                    Event::Progress { status, .. } => Some(*status),
                    _ => None,
                })
                .collect();
            let ended = !phones.ended(alice).is_empty() || !phones.ended(bob).is_empty();
            assert!(seen == [183, 180, 182] || gone || ended, "{seen:?}{}", phones.world.explain());
            assert!(faults != Faults::NONE || !ended);
            let _ = phones.act(bob, |phone, now| phone.answer(now, incoming, &Content::NONE));
            until(&mut phones, alice, |event| matches!(event, Event::Answered { .. } | Event::Ended { .. }));
            let _ = phones.act(bob, |phone, now| phone.hang_up(now, incoming));
            phones.settle();
        }
    }
}

#[test]
fn a_call_is_given_up_at_any_moment_and_nothing_is_left() {
    for by_caller in [true, false] {
        for moment in 0..90 {
            let (mut phones, alice, bob) =
                pair(Config::new(moment).with_faults(Faults::WIRELESS).with_ladder(5000).with_check());
            let call =
                phones.act(alice, |phone, now| phone.call(now, "sip:bob@192.0.2.2", "", &Content::sdp(OFFER))).unwrap();
            if !until(&mut phones, bob, |event| matches!(event, Event::Incoming { .. })) {
                continue;
            }
            let incoming = phones.incoming(bob);
            ring(&mut phones, bob, incoming, 183, &Content::sdp(ANSWER));
            if moment % 3 > 0 {
                let _ = phones.act(bob, |phone, now| phone.answer(now, incoming, &Content::NONE));
            }
            phones.wait(moment * 13);
            let (node, call) = if by_caller { (alice, call) } else { (bob, incoming) };
            let _ = phones.act(node, |phone, now| phone.hang_up(now, call));
            phones.settle();
            assert!(phones.ended(alice).len() <= 1 && phones.ended(bob).len() <= 1);
            assert_eq!(phones.ended(node).len(), 1);
        }
    }
}
