//! A small real role for the tests: answers every request, keeps what it sent, notes what it is told.

use core::hash::Hasher;
use core::net::SocketAddr;
use sip_core::message::{Malformed, Message};
use sip_core::role::{Action, Received, Role, SendId};
use sip_core::time::Instant;
use sip_core::transport::{Address, Flow, FlowError, Target, Ticket, Transport};
use std::collections::VecDeque;

/// What the role says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    Request(u32),
    Response(u32),
    Timer,
    Found(Ticket, usize),
    Lost(Flow, FlowError),
    Connected(Ticket, Flow),
    NoConnection(Ticket, FlowError),
}

struct Pending {
    id: SendId,
    flow: Flow,
    bytes: Vec<u8>,
}

struct Question {
    ticket: Ticket,
    host: &'static str,
    port: Option<u16>,
    transport: Transport,
    secure: bool,
}

/// Answers every request with its own octets behind a status line.
#[derive(Default)]
pub(crate) struct Echo {
    ready: VecDeque<Pending>,
    offered: Option<Pending>,
    deferred: Vec<Pending>,
    questions: VecDeque<Question>,
    connects: VecDeque<(Ticket, Target, u8, &'static str)>,
    closes: VecDeque<Flow>,
    events: VecDeque<Said>,
    asked: Option<Question>,
    sends: u32,
    pub(crate) timer: Option<Instant>,
    pub(crate) malformed: u32,
    /// The connection that must not make room for others.
    pub(crate) kept: Flow,
    pub(crate) targets: Vec<Target>,
}

impl Echo {
    pub(crate) fn send(&mut self, to: SocketAddr, bytes: &[u8]) {
        self.send_on(Flow::udp(Address::from(to)), bytes);
    }

    pub(crate) fn send_on(&mut self, flow: Flow, bytes: &[u8]) {
        self.sends += 1;
        self.ready.push_back(Pending { id: SendId::new(0, self.sends, 0), flow, bytes: bytes.to_vec() });
    }

    pub(crate) fn ask(&mut self, ticket: u64, host: &'static str, transport: Transport, secure: bool) {
        let ticket = Ticket::new(ticket);
        self.questions.push_back(Question { ticket, host, port: None, transport, secure });
    }

    pub(crate) fn connect(&mut self, ticket: u64, to: SocketAddr, transport: Transport) {
        self.connect_from(ticket, to, transport, 0);
    }

    pub(crate) fn connect_from(&mut self, ticket: u64, to: SocketAddr, transport: Transport, listener: u8) {
        self.connects.push_back((Ticket::new(ticket), Target { address: Address::from(to), transport }, listener, ""));
    }

    /// Asks for a connection to a peer that has to prove a name.
    pub(crate) fn connect_to(&mut self, ticket: u64, to: SocketAddr, transport: Transport, name: &'static str) {
        self.connects.push_back((Ticket::new(ticket), Target { address: Address::from(to), transport }, 0, name));
    }

    pub(crate) fn close(&mut self, flow: Flow) {
        self.closes.push_back(flow);
    }
}

pub(crate) fn request(number: u32) -> Vec<u8> {
    message("OPTIONS sip:bob@example.com SIP/2.0", number)
}

fn message(first: &str, number: u32) -> Vec<u8> {
    let text = format!(
        "{first}\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK{number}\r\nMax-Forwards: 70\r\nFrom: \
         <sip:alice@example.com>;tag=1\r\nTo: <sip:bob@example.com>\r\nCall-ID: {number}@example.com\r\nCSeq: {number} \
         OPTIONS\r\nContent-Length: 0\r\n\r\n"
    );
    text.into_bytes()
}

/// The CSeq number of a message.
pub(crate) fn number(message: &Message<'_>) -> u32 {
    message.cseq().number
}

impl Role for Echo {
    type Event = Said;

    fn receive(&mut self, _now: Instant, flow: Flow, message: &Message<'_>) -> Received<Said> {
        let number = number(message);
        if !message.is_request() {
            return if number == 0 { Received::Stray } else { Received::Event(Said::Response(number)) };
        }
        self.send_on(flow, &self::message("SIP/2.0 200 OK", number));
        Received::Event(Said::Request(number))
    }

    fn receive_malformed(&mut self, _now: Instant, flow: Flow, failure: &Malformed<'_>) {
        self.malformed += 1;
        if failure.status() == 513 && failure.answerable() {
            self.send_on(flow, &message("SIP/2.0 513 Message Too Large", 513));
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        if self.timer.is_some_and(|due| due <= now) {
            self.timer = None;
            self.events.push_back(Said::Timer);
        }
    }

    fn flow_connected(&mut self, _now: Instant, ticket: Ticket, flow: Flow) {
        self.events.push_back(Said::Connected(ticket, flow));
    }

    fn connect_failed(&mut self, _now: Instant, ticket: Ticket, error: FlowError) {
        self.events.push_back(Said::NoConnection(ticket, error));
    }

    fn flow_failed(&mut self, _now: Instant, flow: Flow, error: FlowError) {
        self.events.push_back(Said::Lost(flow, error));
    }

    fn flow_writable(&mut self, _now: Instant, flow: Flow) {
        let waiting = core::mem::take(&mut self.deferred);
        for pending in waiting {
            if flow.carries(pending.flow) {
                self.ready.push_back(pending);
            } else {
                self.deferred.push(pending);
            }
        }
    }

    fn resolved(&mut self, _now: Instant, ticket: Ticket, targets: &[Target]) {
        self.targets = targets.to_vec();
        self.events.push_back(Said::Found(ticket, targets.len()));
    }

    fn poll_action(&mut self, _now: Instant) -> Option<Action<'_, Said>> {
        if let Some(event) = self.events.pop_front() {
            return Some(Action::Event(event));
        }
        if let Some(question) = self.questions.pop_front() {
            let Question { ticket, host, port, transport, secure } = *self.asked.insert(question);
            return Some(Action::Resolve { ticket, host: host.as_bytes(), port, transport, secure });
        }
        if let Some((ticket, target, listener, name)) = self.connects.pop_front() {
            return Some(Action::Connect { ticket, target, listener, server_name: name.as_bytes() });
        }
        if let Some(flow) = self.closes.pop_front() {
            return Some(Action::Close { flow });
        }
        let Pending { id, flow, bytes } = self.offered.insert(self.ready.pop_front()?);
        Some(Action::Send { id: *id, flow: *flow, bytes })
    }

    fn defer(&mut self, id: SendId) {
        let offered = self.offered.take().unwrap();
        assert_eq!(offered.id, id);
        self.deferred.push(offered);
    }

    fn hold(&mut self, id: SendId) {
        self.defer(id);
    }

    fn resume(&mut self, id: SendId) {
        if let Some(index) = self.deferred.iter().position(|one| one.id == id) {
            self.ready.push_front(self.deferred.remove(index));
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.timer
    }

    fn keeps(&self, flow: Flow) -> bool {
        flow == self.kept
    }

    fn fingerprint<H: Hasher>(&self, _now: Instant, _hasher: &mut H) {}
}
