//! Where a request inside a dialog goes whose target has no address, with the feature `failover` and without it.

use super::{Arrays, Call, Config, Content, Event, UserAgent};
use crate::message::Message;
use crate::role::{Action, Received, Role};
use crate::time::Instant;
use crate::transport::{Address, Flow, Ticket};
use core::net::Ipv4Addr;

const PEER: Flow = Flow::udp(Address::v4(Ipv4Addr::new(192, 0, 2, 7), 5070));

fn from_peer(start: &str, seq: &str, tag: &str) -> String {
    format!(
        "{start}\r\nVia: SIP/2.0/UDP 192.0.2.7:5070;branch=z9hG4bK{seq}\r\nMax-Forwards: 70\r\n\
         From: <sip:peer@example.com>;tag=1\r\nTo: <sip:us@example.com>{tag}\r\nCall-ID: 1@peer\r\nCSeq: 1 {seq}\r\n\
         Contact: <sip:peer@nowhere.example>\r\nContent-Length: 0\r\n\r\n"
    )
}

struct Phone {
    agent: UserAgent<Arrays<8, 2, 1, 1, 4096>>,
    now: Instant,
}

impl Phone {
    fn receive(&mut self, text: &str) -> Option<Event> {
        match self.agent.receive(self.now, PEER, &Message::parse(text.as_bytes()).unwrap()) {
            Received::Event(event) => Some(event),
            _ => None,
        }
    }

    /// What goes out, with its flow, up to the first question for a name.
    fn drain(&mut self) -> (Vec<(Flow, String)>, Option<Ticket>) {
        let mut sent = Vec::new();
        while let Some(action) = self.agent.poll_action(self.now) {
            match action {
                Action::Send { flow, bytes, .. } => sent.push((flow, String::from_utf8(bytes.to_vec()).unwrap())),
                Action::Resolve { ticket, .. } => return (sent, Some(ticket)),
                _ => {}
            }
        }
        (sent, None)
    }
}

/// A phone in a call whose peer has a Contact that is a name.
fn in_a_call() -> (Phone, Call) {
    let mut phone = Phone { agent: UserAgent::new(Arrays::new()), now: Instant::from_millis(1) };
    phone.agent.start(&Config::new("192.0.2.1:5060", "sip:us@example.com"), [7; 16]).unwrap();
    let invite = from_peer("INVITE sip:us@192.0.2.1 SIP/2.0", "INVITE", "");
    let Some(Event::Incoming { call }) = phone.receive(&invite) else { panic!("no call") };
    phone.agent.answer(phone.now, call, &Content::NONE).unwrap();
    let answer = phone.drain().0.pop().unwrap().1;
    let tag = answer.split("sip:us@example.com>").nth(1).and_then(|rest| rest.split("\r\n").next()).unwrap();
    phone.receive(&from_peer("ACK sip:us@192.0.2.1 SIP/2.0", "ACK", tag));
    (phone, call)
}

#[test]
fn a_bye_to_a_name_without_address_goes_where_the_peer_sent_from() {
    let (mut phone, call) = in_a_call();
    phone.agent.hang_up(phone.now, call).unwrap();
    let (sent, ticket) = phone.drain();
    assert!(sent.is_empty());
    phone.agent.resolved(phone.now, ticket.unwrap(), &[]);
    let (sent, _) = phone.drain();
    assert_eq!((sent.len(), sent[0].0), (1, PEER));
    assert!(sent[0].1.starts_with("BYE sip:peer@nowhere.example SIP/2.0\r\n"));
}

#[test]
fn a_bye_goes_to_the_address_that_its_name_has() {
    let (mut phone, call) = in_a_call();
    phone.agent.hang_up(phone.now, call).unwrap();
    let ticket = phone.drain().1.unwrap();
    let (near, far) = (Flow::udp(PEER.remote.with_port(1)), Flow::udp(PEER.remote.with_port(2)));
    phone.agent.resolved(phone.now, ticket, &[near.target(), far.target()]);
    assert_eq!(phone.drain().0[0].0, near);
    // It was not taken: only a list of targets leads further.
    phone.agent.flow_failed(phone.now, near, crate::transport::FlowError::Unreachable);
    let (sent, _) = phone.drain();
    assert_eq!(sent.first().map(|sent| sent.0), cfg!(feature = "failover").then_some(far));
}
