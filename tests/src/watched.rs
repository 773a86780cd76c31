//! A role whose datagrams are read as they leave it.

use core::hash::Hasher;
use sip_core::message::{MAGIC_COOKIE, Malformed, Message, Method};
use sip_core::role::{Action, Received, Role, SendId};
use sip_core::time::Instant;
use sip_core::transport::{Flow, FlowError, Target, Ticket};
use std::collections::HashMap;
use std::hash::DefaultHasher;

/// A role, and what is wrong with the datagrams that it sent.
///
/// Every datagram must be a message that parses. A request that goes out again must be the same octets (RFC 3261
/// §17.1.1.2), another one must have another branch (§8.1.1.7), and in one dialog, or outside of dialogs with one Call-ID, each
/// sender's requests but ACK and CANCEL must have a CSeq of their own (§12.2.1.1); with [`in_order`](Self::in_order), one
/// that grows.
#[derive(Debug)]
pub struct Watched<R> {
    /// The role.
    pub role: R,
    /// The first fault that was found.
    pub fault: Option<String>,
    /// Whether CSeq has to grow from request to request; blocked sockets let an urgent request overtake.
    pub in_order: bool,
    /// Octets by branch and method.
    requests: HashMap<u64, u64>,
    /// CSeq numbers by sender, and the greatest.
    numbers: HashMap<u64, Vec<u32>>,
}

impl<R> Watched<R> {
    /// A role to watch.
    #[must_use]
    pub fn new(role: R) -> Self {
        Self { role, fault: None, in_order: true, requests: HashMap::new(), numbers: HashMap::new() }
    }
}

fn hash(parts: &[&[u8]]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for part in parts {
        hasher.write(part);
        hasher.write_u8(0xff);
    }
    hasher.finish()
}

/// Reads one datagram that leaves; what is wrong with it.
fn read(
    bytes: &[u8],
    in_order: bool,
    requests: &mut HashMap<u64, u64>,
    numbers: &mut HashMap<u64, Vec<u32>>,
) -> Option<String> {
    if bytes.iter().all(|octet| b"\r\n".contains(octet)) {
        return None;
    }
    let message = match Message::parse(bytes) {
        Ok(message) => message,
        Err(failure) => return Some(format!("a message that does not parse: {failure:?}")),
    };
    if !message.is_request() {
        return None;
    }
    let (method, via) = (message.method(), message.top_via());
    let branch = via.branch().unwrap_or_default();
    if branch.len() <= MAGIC_COOKIE.len() || !via.has_cookie() {
        return Some("a branch without the magic cookie".to_owned());
    }
    let octets = hash(&[bytes]);
    match requests.insert(hash(&[branch, method.as_bytes()]), octets) {
        Some(before) if before == octets => return None,
        Some(_) => return Some("two requests with one branch, or one that changed".to_owned()),
        None => {}
    }
    if matches!(method, Method::Ack | Method::Cancel) {
        return None;
    }
    let others = [b"INVITE".as_slice(), b"BYE", b"REGISTER", b"MESSAGE", b"INFO", b"OPTIONS"];
    let mut others = others.iter().filter(|other| **other != method.as_bytes());
    if others.any(|other| requests.contains_key(&hash(&[branch, other]))) {
        return Some("two methods with one branch".to_owned());
    }
    let number = message.cseq().number;
    let sent = numbers
        .entry(hash(&[message.call_id(), message.from_tag().unwrap_or_default(), message.to_tag().unwrap_or_default()]))
        .or_default();
    let greatest = sent.iter().copied().max().unwrap_or(0);
    if sent.contains(&number) || in_order && number <= greatest {
        return Some(format!("CSeq {number} after {sent:?}"));
    }
    sent.push(number);
    None
}

impl<R: Role> Role for Watched<R> {
    type Event = R::Event;

    fn receive(&mut self, now: Instant, flow: Flow, message: &Message<'_>) -> Received<Self::Event> {
        self.role.receive(now, flow, message)
    }

    fn receive_malformed(&mut self, now: Instant, flow: Flow, failure: &Malformed<'_>) {
        self.role.receive_malformed(now, flow, failure);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.role.handle_timeout(now);
    }

    fn flow_connected(&mut self, now: Instant, ticket: Ticket, flow: Flow) {
        self.role.flow_connected(now, ticket, flow);
    }

    fn connect_failed(&mut self, now: Instant, ticket: Ticket, error: FlowError) {
        self.role.connect_failed(now, ticket, error);
    }

    fn flow_failed(&mut self, now: Instant, flow: Flow, error: FlowError) {
        self.role.flow_failed(now, flow, error);
    }

    fn flow_writable(&mut self, now: Instant, flow: Flow) {
        self.role.flow_writable(now, flow);
    }

    fn resolved(&mut self, now: Instant, ticket: Ticket, targets: &[Target]) {
        self.role.resolved(now, ticket, targets);
    }

    fn poll_action(&mut self, now: Instant) -> Option<Action<'_, Self::Event>> {
        let action = self.role.poll_action(now)?;
        if let Action::Send { bytes, .. } = action
            && self.fault.is_none()
        {
            self.fault = read(bytes, self.in_order, &mut self.requests, &mut self.numbers);
        }
        Some(action)
    }

    fn defer(&mut self, id: SendId) {
        self.role.defer(id);
    }

    fn hold(&mut self, id: SendId) {
        self.role.hold(id);
    }

    fn resume(&mut self, id: SendId) {
        self.role.resume(id);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.role.poll_timeout()
    }

    fn keeps(&self, flow: Flow) -> bool {
        self.role.keeps(flow)
    }

    fn fingerprint<H: Hasher>(&self, now: Instant, hasher: &mut H) {
        self.role.fingerprint(now, hasher);
    }
}
