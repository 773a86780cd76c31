//! The host at the other end of the fake stack: a user agent of `sip-core`, without any adapter, that takes calls and
//! registrations. What it sends goes back over the stack's datagrams and streams.

use crate::fake::Fake;
use core::net::SocketAddr;
use sip_core::message::stream::{Framer, Framing};
use sip_core::message::{Header, HeaderName, Message};
use sip_core::role::{Action, Received, Role};
use sip_core::time::{Duration, Instant};
use sip_core::transport::{Address, Flow, FlowError, Transport};
use sip_core::ua::{Call, Config, Content, Event};
use sip_testkit::{ANSWER, Phone};
use std::collections::BTreeMap;

/// A connection as this end sees it.
struct Line {
    framer: Framer,
    octets: Vec<u8>,
    failed: bool,
}

pub(crate) struct Far {
    role: Box<Phone>,
    address: SocketAddr,
    /// Where the stack's datagrams come from.
    near: SocketAddr,
    lines: BTreeMap<u32, Line>,
    /// After so long this end hangs up, if it does.
    hangs_up: Option<Duration>,
    hang_up_at: Option<(Instant, Call)>,
    pub(crate) calls: u32,
    pub(crate) ended: u32,
    pub(crate) malformed: u32,
}

impl Far {
    pub(crate) fn new(address: SocketAddr, near: SocketAddr, hangs_up: Option<Duration>) -> Self {
        let mut role = Box::new(Phone::new(sip_core::ua::Arrays::default()));
        let sent_by = address.to_string();
        let config = Config::new(&sent_by, "sip:bob@example.com").with_methods("REGISTER");
        role.start(&config, [7; 16]).expect("starts");
        let lines = BTreeMap::new();
        Self { role, address, near, lines, hangs_up, hang_up_at: None, calls: 0, ended: 0, malformed: 0 }
    }

    /// When there is something to do without any input.
    pub(crate) fn wakes(&self) -> Option<Instant> {
        self.role.poll_timeout().into_iter().chain(self.hang_up_at.map(|(at, _)| at)).min()
    }

    /// Takes what has arrived, and the time; whether there was anything.
    pub(crate) fn drive(&mut self, stack: &mut Fake, now: Instant) -> bool {
        let mut busy = false;
        for (octets, to) in core::mem::take(&mut stack.sent) {
            assert_eq!(to, self.address);
            busy = true;
            self.take(stack, now, Flow::udp(self.near.into()), &octets);
        }
        let numbers: Vec<u32> = stack.streams.keys().copied().collect();
        for number in numbers {
            busy |= self.read(stack, now, number);
        }
        if self.role.poll_timeout().is_some_and(|due| due <= now) {
            busy = true;
            self.role.handle_timeout(now);
            self.act(stack, now);
        }
        if let Some((_, call)) = self.hang_up_at.take_if(|(at, _)| *at <= now) {
            busy = true;
            // It may have ended meanwhile.
            let _ = self.role.hang_up(now, call);
            self.act(stack, now);
        }
        busy
    }

    fn flow(number: u32, near: SocketAddr) -> Flow {
        let remote = Address::from(SocketAddr::new(near.ip(), 40_000 + number as u16));
        Flow { remote, connection: number, transport: Transport::Tcp, ..Flow::NONE }
    }

    fn read(&mut self, stack: &mut Fake, now: Instant, number: u32) -> bool {
        let Some(stream) = stack.streams.get_mut(&number) else { return false };
        if !stream.open {
            return false;
        }
        let arrived = core::mem::take(&mut stream.out);
        let over = stream.closed || stream.dead;
        let line = self.lines.entry(number).or_insert_with(|| Line {
            framer: Framer::new(4096),
            octets: Vec::new(),
            failed: false,
        });
        let lost = over && !line.failed;
        line.failed |= over;
        let busy = !arrived.is_empty() || lost;
        line.octets.extend(arrived);
        while let Some(line) = self.lines.get_mut(&number) {
            match line.framer.next(&line.octets) {
                Framing::Incomplete => break,
                Framing::Frame { len } => {
                    let message: Vec<u8> = line.octets.drain(..len).collect();
                    self.take(stack, now, Self::flow(number, self.near), &message);
                }
                Framing::KeepAlive { len, .. } => drop(line.octets.drain(..len)),
                broken => panic!("the adapter broke a stream: {broken:?}: {:?}", line.octets),
            }
        }
        if lost {
            self.role.flow_failed(now, Self::flow(number, self.near), FlowError::Closed);
            self.act(stack, now);
        }
        busy
    }

    fn take(&mut self, stack: &mut Fake, now: Instant, flow: Flow, octets: &[u8]) {
        match Message::parse(octets) {
            Ok(message) => {
                if let Received::Event(event) = self.role.receive(now, flow, &message) {
                    self.on_event(now, event, Some(&message));
                }
            }
            Err(_) => self.malformed += 1,
        }
        self.act(stack, now);
    }

    fn on_event(&mut self, now: Instant, event: Event, message: Option<&Message<'_>>) {
        match event {
            Event::Incoming { call } => {
                self.calls += 1;
                self.role.answer(now, call, &Content::sdp(ANSWER)).expect("answered");
                self.hang_up_at = self.hangs_up.map(|after| (now + after, call));
            }
            Event::Request { request, .. } => {
                // The binding as it was asked for.
                let contact = message.and_then(|message| message.contacts().next()?.ok());
                let contact = [&b"<"[..], contact.map(|one| one.raw_uri()).unwrap_or_default(), b">"].concat();
                let expires = message.and_then(Message::expires).unwrap_or(60).to_string();
                let headers = [
                    Header { name: HeaderName::Contact, value: &contact },
                    Header { name: HeaderName::Expires, value: expires.as_bytes() },
                ];
                self.role.respond(now, request, 200, &Content::NONE.with_headers(&headers)).expect("responded");
            }
            Event::Ended { .. } => self.ended += 1,
            _ => {}
        }
    }

    fn act(&mut self, stack: &mut Fake, now: Instant) {
        let mut events = Vec::new();
        for _ in 0..1000 {
            for event in events.drain(..) {
                self.on_event(now, event, None);
            }
            match self.role.poll_action(now) {
                None => return,
                Some(Action::Event(event)) => events.push(event),
                Some(Action::Send { flow, bytes, .. }) if flow.transport == Transport::Udp => {
                    stack.arriving.push_back((bytes.to_vec(), self.address));
                }
                Some(Action::Send { flow, bytes, .. }) => {
                    match stack.streams.get_mut(&flow.connection).filter(|stream| !stream.closed && !stream.dead) {
                        Some(stream) => stream.back.extend(bytes),
                        None => self.role.flow_failed(now, flow, FlowError::Closed),
                    }
                }
                // Nobody listens at the near end, but a connection from there will do (RFC 5923 §1).
                Some(Action::Connect { ticket, target, .. }) => {
                    let mut open =
                        stack.streams.iter().filter(|(_, stream)| stream.open && !stream.closed && !stream.dead);
                    let flows = open.by_ref().map(|(number, _)| Self::flow(*number, self.near));
                    match flows.into_iter().find(|flow| flow.remote == target.address) {
                        Some(flow) => self.role.flow_connected(now, ticket, flow),
                        None => self.role.connect_failed(now, ticket, FlowError::Refused),
                    }
                }
                Some(Action::Resolve { ticket, .. }) => self.role.resolved(now, ticket, &[]),
                Some(Action::Close { .. }) => {}
                Some(other) => panic!("not known: {other:?}"),
            }
        }
        panic!("the far end never comes to rest");
    }
}
