//! A small role for the kit's own tests: it asks with OPTIONS, repeats until answered, and answers.

use sip_core::message::{Malformed, Message};
use sip_core::role::{Action, Received, Role, SendId};
use sip_core::time::{Duration, Instant};
use sip_core::transport::{Address, Flow, FlowError, Target, Ticket, Transport};
use std::collections::VecDeque;
use std::hash::{Hash, Hasher};

const REPEAT: Duration = Duration::from_millis(500);

/// A request of alice to bob, whole and valid.
pub(crate) fn request(method: &str, number: u32) -> Vec<u8> {
    format!(
        "{method} sip:bob@192.0.2.2 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK{number}\r\nMax-Forwards: 70\r\n\
         From: <sip:alice@192.0.2.1>;tag=a\r\nTo: <sip:bob@192.0.2.2>\r\nCall-ID: ping\r\nCSeq: {number} {method}\r\n\
         Content-Length: 0\r\n\r\n"
    )
    .into_bytes()
}

/// The response to [`request`].
pub(crate) fn response(status: u16, reason: &str, method: &str, number: u32) -> Vec<u8> {
    format!(
        "SIP/2.0 {status} {reason}\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK{number}\r\n\
         From: <sip:alice@192.0.2.1>;tag=a\r\nTo: <sip:bob@192.0.2.2>;tag=b\r\nCall-ID: ping\r\nCSeq: {number} {method}\r\n\
         Content-Length: 0\r\n\r\n"
    )
    .into_bytes()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Asked(u32),
    Answered(u32),
    GaveUp(u32),
    FlowFailed(FlowError),
    Resolved(usize),
    ConnectFailed,
}

#[derive(Debug)]
struct Sending {
    id: u32,
    flow: Flow,
    bytes: Vec<u8>,
}

#[derive(Debug, Default)]
pub(crate) struct Ping {
    ready: VecDeque<Sending>,
    deferred: Vec<Sending>,
    lent: Option<Sending>,
    events: VecDeque<Event>,
    asking: Option<(Flow, u32, u32, Instant)>,
    sends: u32,
    pub(crate) resolve: Option<&'static str>,
    pub(crate) connect: bool,
    pub(crate) babbles: bool,
    pub(crate) stuck: bool,
}

impl Ping {
    pub(crate) fn ask(&mut self, now: Instant, remote: Address, number: u32) {
        let flow = Flow::udp(remote);
        self.asking = Some((flow, number, 1, now + REPEAT));
        self.send(flow, request("OPTIONS", number));
    }

    fn send(&mut self, flow: Flow, bytes: Vec<u8>) {
        self.sends += 1;
        self.ready.push_back(Sending { id: self.sends, flow, bytes });
    }
}

impl Role for Ping {
    type Event = Event;

    fn receive(&mut self, _: Instant, flow: Flow, message: &Message<'_>) -> Received<Event> {
        let number = message.cseq().number;
        if message.status().is_none() {
            self.send(flow, response(200, "OK", "OPTIONS", number));
            return Received::Event(Event::Asked(number));
        }
        match self.asking {
            Some((_, asked, ..)) if asked == number => {
                self.asking = None;
                Received::Event(Event::Answered(number))
            }
            _ => Received::Stray,
        }
    }

    fn receive_malformed(&mut self, _: Instant, _: Flow, _: &Malformed<'_>) {}

    fn handle_timeout(&mut self, now: Instant) {
        let Some((flow, number, tries, at)) = self.asking.filter(|&(.., at)| at <= now) else { return };
        if tries == 20 {
            self.asking = None;
            self.events.push_back(Event::GaveUp(number));
        } else {
            self.asking = Some((flow, number, tries + 1, at + REPEAT));
            self.send(flow, request("OPTIONS", number));
        }
    }

    fn flow_connected(&mut self, _: Instant, _: Ticket, _: Flow) {}

    fn connect_failed(&mut self, _: Instant, _: Ticket, _: FlowError) {
        self.events.push_back(Event::ConnectFailed);
    }

    fn flow_failed(&mut self, _: Instant, _: Flow, error: FlowError) {
        self.events.push_back(Event::FlowFailed(error));
        self.asking = None;
    }

    fn flow_writable(&mut self, _: Instant, flow: Flow) {
        let (now_ready, still): (Vec<_>, Vec<_>) = self.deferred.drain(..).partition(|send| send.flow == flow);
        self.deferred = still;
        self.ready.extend(now_ready);
    }

    fn resolved(&mut self, _: Instant, _: Ticket, targets: &[Target]) {
        self.events.push_back(Event::Resolved(targets.len()));
    }

    fn poll_action(&mut self, _: Instant) -> Option<Action<'_, Event>> {
        if self.babbles {
            return Some(Action::Event(Event::GaveUp(0)));
        }
        if let Some(host) = self.resolve.take() {
            let (ticket, host, port) = (Ticket::new(1), host.as_bytes(), None);
            return Some(Action::Resolve { ticket, host, port, transport: Transport::None, secure: false });
        }
        if core::mem::take(&mut self.connect) {
            let (ticket, target) = (Ticket::new(2), Target::default());
            return Some(Action::Connect { ticket, target, listener: 0, server_name: b"b" });
        }
        if let Some(event) = self.events.pop_front() {
            return Some(Action::Event(event));
        }
        self.lent = self.ready.pop_front();
        let Sending { id, flow, bytes } = self.lent.as_ref()?;
        Some(Action::Send { id: SendId::new(0, *id, 0), flow: *flow, bytes })
    }

    fn defer(&mut self, id: SendId) {
        let lent = self.lent.take().expect("only what was lent is deferred");
        assert_eq!(id, SendId::new(0, lent.id, 0));
        self.deferred.push(lent);
    }

    fn hold(&mut self, id: SendId) {
        self.defer(id);
    }

    fn resume(&mut self, id: SendId) {
        if let Some(index) = self.deferred.iter().position(|send| SendId::new(0, send.id, 0) == id) {
            self.ready.push_back(self.deferred.remove(index));
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        if self.stuck { Some(Instant::ZERO) } else { self.asking.map(|(.., at)| at) }
    }

    fn fingerprint<H: Hasher>(&self, now: Instant, hasher: &mut H) {
        self.asking.map(|(flow, number, tries, at)| (flow, number, tries, at.since(now))).hash(hasher);
        (self.ready.len(), self.deferred.len(), self.sends).hash(hasher);
    }
}
