//! The second of several messages: two datagrams arrive before anything is polled, and each event is read beside its own.
//!
//! Covers requirement 6 of issue 2 and the contract of `Role::receive` (design.md). That an adapter hands messages over one by
//! one is tested with each adapter.

use core::net::SocketAddr;
use sip_core::message::Message;
use sip_core::role::{Action, Received, Role};
use sip_core::time::Instant;
use sip_core::transport::{Address, Flow};
use sip_core::ua::Arrays;
use sip_core::ua::{Config, Content, Event, UserAgent};
use sip_testkit::{ANSWER, Heard, OFFER, Phone, Wire};

const NOW: Instant = Instant::from_millis(1000);

fn phone() -> (Phone, Flow) {
    let mut phone = UserAgent::new(Arrays::default());
    phone.start(&Config::new("192.0.2.1:5060", "sip:alice@example.com"), [7; 16]).unwrap();
    (phone, Flow::udp(Address::from("192.0.2.9:5060".parse::<SocketAddr>().unwrap())))
}

fn drain(phone: &mut Phone) -> (Vec<Heard>, Vec<Event>) {
    let (mut sent, mut events) = (Vec::new(), Vec::new());
    while let Some(action) = phone.poll_action(NOW) {
        match action {
            Action::Send { flow, bytes, .. } => {
                sent.push(Heard { at: NOW.as_millis(), from: flow.remote, bytes: bytes.to_vec() });
            }
            Action::Event(event) => events.push(event),
            other => panic!("{other:?}"),
        }
    }
    (sent, events)
}

fn receive(phone: &mut Phone, flow: Flow, bytes: &[u8]) -> Received<Event> {
    phone.receive(NOW, flow, &Message::parse(bytes).expect("a message"))
}

#[test]
fn a_180_and_a_200_that_came_together() {
    let (mut phone, flow) = phone();
    let wire = Wire::new("192.0.2.9:5060");
    let call = phone.call(NOW, "sip:wire@192.0.2.9", "", &Content::sdp(OFFER)).unwrap();
    let invite = drain(&mut phone).0.remove(0);
    let early = b"v=0 early";
    let ringing = invite.response(183, "a", &wire.contact(), early);
    let answer = invite.response(200, "a", &wire.contact(), ANSWER);
    // What the application reads is the message that it handed over, whatever is handed over next.
    for (bytes, body, status) in [(&ringing, &early[..], 183), (&answer, ANSWER, 200)] {
        let message = Message::parse(bytes).unwrap();
        let told = match phone.receive(NOW, flow, &message) {
            Received::Event(Event::Progress { call, status, .. }) => (call, status),
            Received::Event(Event::Answered { call, answer_due: false }) => (call, 200),
            other => panic!("{other:?}"),
        };
        assert_eq!(told, (call, status));
        assert_eq!(message.body(), body);
    }
    let (sent, events) = drain(&mut phone);
    assert_eq!(sent.iter().map(Heard::kind).collect::<Vec<_>>(), ["ACK"]);
    assert_eq!(events, [], "no event is told twice");
}

#[test]
fn two_calls_that_came_together_are_told_apart() {
    let (mut phone, flow) = phone();
    let mut wire = Wire::new("192.0.2.9:5060");
    let mut told = Vec::new();
    for body in [&b"v=0 one"[..], &b"v=0 two"[..]] {
        let mut leg = wire.leg("sip:alice@192.0.2.1");
        let contact = wire.contact();
        let invite = wire.request(&mut leg, "INVITE", &contact, body);
        let Received::Event(Event::Incoming { call }) = receive(&mut phone, flow, &invite) else { panic!("no call") };
        told.push((call, leg.call_id));
    }
    assert_ne!(told[0].0, told[1].0);
    for (call, call_id) in told {
        phone.answer(NOW, call, &Content::sdp(ANSWER)).unwrap();
        let (sent, _) = drain(&mut phone);
        assert_eq!((sent.len(), sent[0].kind().as_str(), sent[0].header("Call-ID")), (1, "200", call_id));
    }
}

#[test]
fn a_call_and_its_end_that_came_together() {
    let (mut phone, flow) = phone();
    let mut wire = Wire::new("192.0.2.9:5060");
    let mut leg = wire.leg("sip:alice@192.0.2.1");
    leg.seq = 1;
    let (branch, contact) = (wire.branch(), wire.contact());
    let invite = wire.request_as(&leg, "INVITE", &branch, &contact, OFFER);
    let cancel = wire.request_as(&leg, "CANCEL", &branch, "", b"");
    let Received::Event(Event::Incoming { call }) = receive(&mut phone, flow, &invite) else { panic!("no call") };
    let ended = receive(&mut phone, flow, &cancel);
    assert!(matches!(ended, Received::Event(Event::Ended { call: ended, .. }) if ended == call));
    assert!(phone.answer(NOW, call, &Content::NONE).is_err());
    let (sent, events) = drain(&mut phone);
    let mut kinds: Vec<String> = sent.iter().map(Heard::kind).collect();
    kinds.sort();
    assert_eq!((kinds, events), (vec!["200".to_owned(), "487".to_owned()], vec![]));
}

#[test]
fn of_more_stateless_replies_than_wait_before_a_poll_the_last_is_dropped_and_counted() {
    let (mut phone, flow) = phone();
    let mut wire = Wire::new("192.0.2.9:5060");
    for _ in 0..=sip_core::transaction::REPLIES {
        let options = wire.request(&mut wire.clone().leg("sip:alice@192.0.2.1"), "OPTIONS", "", b"");
        assert_eq!(receive(&mut phone, flow, &options), Received::Nothing);
        wire.branch();
    }
    assert_eq!(drain(&mut phone).0.len(), sip_core::transaction::REPLIES);
    assert_eq!(phone.statistics().replies_dropped, 1);
}
