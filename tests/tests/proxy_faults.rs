//! Calls through a proxy to one phone or two on bad networks, which lose, double and reorder: answered, refused and cancelled at any
//! moment.
//!
//! Whatever happens, the caller gets exactly one final response that is no 2xx, or at least one 2xx and no other; no phone rings when
//! the caller is answered and what was sent has arrived; and nobody holds anything when Timer C and 64·T1 are over.

mod office;

use office::{Answers, HUB, Office, address};
use proptest::prelude::*;
use sip_core::message::{Message, Method};
use sip_core::proxy::Event;
use sip_core::time::Duration;
use sip_core::ua::{CallState, Content};
use sip_testkit::{Config, Entry, Fate, Faults};
use std::collections::BTreeSet;

const ALICE: &str = "192.0.2.1:5060";

/// The final responses to the INVITE that were sent to the caller: 2xx, and others.
fn finals(office: &Office) -> (BTreeSet<Vec<u8>>, BTreeSet<Vec<u8>>) {
    let (mut accepted, mut refused) = (BTreeSet::new(), BTreeSet::new());
    for sent in office.world.ladder().datagrams() {
        if sent.from != address(HUB) || sent.to != address(ALICE) {
            continue;
        }
        let Ok(message) = Message::parse(&sent.bytes) else { continue };
        match message.status() {
            Some(200..300) if message.cseq().method == Method::Invite => _ = accepted.insert(sent.bytes.clone()),
            Some(300..) if message.cseq().method == Method::Invite => _ = refused.insert(sent.bytes.clone()),
            _ => {}
        }
    }
    (accepted, refused)
}

#[derive(Clone, Debug)]
struct Script {
    seed: u64,
    loss: u16,
    /// Whether two phones ring together or one after the other.
    parallel: bool,
    /// What each of the one or two phones does: when, and with what status.
    phones: Vec<(u64, u16)>,
    /// When the caller hangs up.
    hang_up: u64,
    answers: Answers,
}

fn play(script: &Script) {
    let faults = Faults { loss: script.loss, ..Faults::WIRELESS };
    let faults = if script.loss == 0 { Faults::LINE } else { faults };
    let mut office =
        Office::with(Config::new(script.seed).with_ladder(20_000).with_check().with_faults(faults), |_| {});
    let alice = office.add("alice", ALICE);
    let mut phones = Vec::new();
    for (index, _) in script.phones.iter().enumerate() {
        let host = format!("192.0.2.{}", index + 2);
        phones.push(office.add(["desk", "soft"][index], &format!("{host}:5060")));
        office.bind("bob", &format!("sip:bob@{host}"), if script.parallel || index == 0 { 900 } else { 100 });
    }
    office.world.user_mut().answers = script.answers;
    let call = office.call(alice, "sip:bob@example.com");
    let mut deeds: Vec<_> = script.phones.iter().enumerate().map(|(index, (at, _))| (*at, Some(index))).collect();
    deeds.push((script.hang_up, None));
    deeds.sort_unstable();
    for (at, who) in deeds {
        let now = office.world.now().as_millis();
        office.wait(at.saturating_sub(now));
        match who {
            // It may have ended.
            None => _ = office.phone(alice, |phone, now| phone.hang_up(now, call)),
            Some(index) => {
                let status = script.phones[index].1;
                let calls = office.events(phones[index]).into_iter().filter_map(|event| match event {
                    sip_core::ua::Event::Incoming { call } => Some(call),
                    _ => None,
                });
                for call in calls.collect::<Vec<_>>() {
                    let _ = office.phone(phones[index], |phone, now| match status {
                        180 => phone.ring(now, call, 180, &Content::NONE),
                        200 => phone.answer(now, call, &Content::sdp(sip_testkit::ANSWER)),
                        status => phone.reject(now, call, status, &Content::NONE),
                    });
                }
            }
        }
    }
    // When a search is over, the CANCELs of its branches arrive within 64·T1; a phone gives up by itself after three minutes. A
    // caller who never heard anything can't cancel, nor can the proxy a phone that it never heard (RFC 3261 §9.1).
    office.world.run_for(Duration::from_secs(120));
    let finished = |(at, _, event): &(_, _, Event)| matches!(event, Event::Finished { .. }).then_some(*at);
    let over = office
        .world
        .user()
        .proxy
        .iter()
        .find_map(finished)
        .filter(|at| *at < office.world.now() - Duration::from_secs(64));
    let slack = Duration::from_secs(if script.loss == 0 { 0 } else { 3 });
    for (index, phone) in phones.iter().enumerate() {
        let at = address(&format!("192.0.2.{}:5060", index + 2));
        // What is on the way takes three seconds at most where messages are lost.
        let heard = |sent: &Entry| {
            let arrives = !matches!(sent.fate, Fate::Lost | Fate::Blocked);
            sent.from == at && arrives && over.is_some_and(|over| sent.time < over - slack)
        };
        if office.world.ladder().datagrams().any(heard) {
            let rings = office.phone(*phone, |phone, _| {
                phone.calls().any(|call| phone.call_info(call).is_some_and(|info| info.state == CallState::Ringing))
            });
            assert!(!rings, "a phone rings on\n{}", office.world.explain());
        }
    }
    // One in a call that its peer has left is told.
    office.world.run_for(Duration::from_secs(480));
    for phone in phones {
        let calls = office.events(phone).into_iter().filter_map(|event| match event {
            sip_core::ua::Event::Incoming { call } => Some(call),
            _ => None,
        });
        for call in calls.collect::<Vec<_>>() {
            let left = office.phone(phone, |phone, now| phone.hang_up(now, call)).is_ok();
            assert!(!left || script.loss > 0, "a call goes on\n{}", office.world.explain());
        }
    }
    office.settle();
    let (accepted, refused) = finals(&office);
    assert!(refused.len() <= 1, "{} refusals\n{}", refused.len(), office.world.explain());
    assert!(accepted.is_empty() != refused.is_empty(), "{accepted:?} {refused:?}\n{}", office.world.explain());
}

fn script() -> impl Strategy<Value = Script> {
    let status = prop_oneof![Just(180), Just(200), Just(200), Just(404), Just(486), Just(503), Just(603)];
    let phone = (0_u64..4000, status);
    let answers =
        prop_oneof![Just(Answers::AtOnce), (0_u64..2000).prop_map(|ms| Answers::After(Duration::from_millis(ms)))];
    (
        any::<u64>(),
        prop_oneof![Just(0), Just(0_u16), Just(100), Just(250)],
        any::<bool>(),
        proptest::collection::vec(phone, 1..=2),
        0_u64..6000,
        answers,
    )
        .prop_map(|(seed, loss, parallel, phones, hang_up, answers)| Script {
            seed,
            loss,
            parallel,
            phones,
            hang_up,
            answers,
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn the_caller_gets_one_answer_and_nobody_is_left(script in script()) {
        play(&script);
    }
}

#[test]
fn a_cancel_at_every_moment() {
    for loss in [0, 200] {
        for hang_up in (0..1500).step_by(37) {
            for statuses in [&[180, 200][..], &[200, 200], &[486, 200], &[603, 180], &[200], &[486], &[180]] {
                let phones = [300, 700].into_iter().zip(statuses.iter().copied()).collect();
                let answers = Answers::After(Duration::from_millis(100));
                play(&Script { seed: hang_up, loss, parallel: true, phones, hang_up, answers });
            }
        }
    }
}

/// Each millisecond around those in which something else happens: the answer of the application, a phone's, and what follows.
#[test]
fn a_cancel_in_each_millisecond_that_counts() {
    for around in [0, 100, 300, 700] {
        for hang_up in u64::max(around, 8) - 8..around + 8 {
            for statuses in [&[200][..], &[486], &[180, 200], &[200, 200]] {
                let phones = [300, 700].into_iter().zip(statuses.iter().copied()).collect();
                let answers = Answers::After(Duration::from_millis(100));
                play(&Script { seed: hang_up, loss: 0, parallel: true, phones, hang_up, answers });
            }
        }
    }
}
