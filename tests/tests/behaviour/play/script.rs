//! The users of a random day.

use super::{Phone, host};
use fastrand::Rng;
use sip_core::message::{Header, HeaderName, Message, Method};
use sip_core::time::{Duration, Instant};
use sip_core::ua::{Call, Cause, Content, Event, IncomingRequest, Origin, OutgoingRequest};
use sip_testkit::{ANSWER, NodeId, OFFER, User, Watched};
use std::collections::BTreeMap;

/// The header by which the two ends of a call are known as such.
const NUMBER: HeaderName<'static> = HeaderName::Other(b"X-Call");

/// What the seed settled for the whole day.
pub(crate) struct Settings {
    /// Calls that are made.
    pub(crate) calls: usize,
    /// Nodes.
    pub(crate) nodes: usize,
    /// Whether callees are named rather than addressed.
    pub(crate) named: bool,
    /// Whether much goes on in the calls.
    pub(crate) busy: bool,
    /// Seed of the users' decisions.
    pub(crate) seed: u64,
}

/// One end of a call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record {
    pub(crate) node: NodeId,
    pub(crate) call: Call,
    /// The same at both ends.
    pub(crate) number: u32,
    pub(crate) incoming: bool,
    pub(crate) established: bool,
    pub(crate) hung_up: Option<Instant>,
    /// The user never acknowledged an offer, or left a request in the call unanswered: the other end loses the call.
    pub(crate) silent: bool,
    pub(crate) ended: Option<(Instant, Cause, u16)>,
}

/// A request of the application.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    node: NodeId,
    request: OutgoingRequest,
    pub(crate) done: bool,
}

/// What a user will do.
#[derive(Clone, Copy, Debug)]
enum Act {
    Call { to: NodeId, number: u32 },
    Ring(usize),
    Answer(usize),
    Reject(usize),
    HangUp(usize),
    Reinvite(usize),
    Acknowledge(usize),
    Info(usize),
    Respond(IncomingRequest),
    Message(NodeId),
    Options(NodeId),
    Move,
}

/// All users of a day.
pub(crate) struct Script {
    random: Rng,
    named: bool,
    busy: bool,
    due: BTreeMap<(Instant, u64), (NodeId, Act)>,
    put: u64,
    pub(crate) calls: Vec<Record>,
    pub(crate) requests: Vec<Asked>,
    /// The first thing that should not have happened.
    pub(crate) fault: Option<String>,
}

impl Script {
    pub(crate) fn new(settings: &Settings) -> Self {
        let mut script = Self {
            random: Rng::with_seed(settings.seed),
            named: settings.named,
            busy: settings.busy,
            due: BTreeMap::new(),
            put: 0,
            calls: Vec::new(),
            requests: Vec::new(),
            fault: None,
        };
        let ids: Vec<_> = (0..settings.nodes).map(NodeId::nth).collect();
        // Crowded days have all calls at one callee, within a few seconds.
        let crowd = settings.calls > 2 && script.random.bool();
        for number in 0..settings.calls as u32 {
            let from = ids[script.random.usize(..ids.len())];
            let mut to = ids[script.random.usize(..ids.len())];
            if crowd {
                to = ids[1];
            } else if to == from && script.random.u8(..8) > 0 {
                to = ids[(from.index() + 1) % ids.len()];
            }
            let span = if crowd { 3000 } else { 15_000 };
            script.after(Instant::from_millis(1), span, from, Act::Call { to, number });
        }
        if settings.busy {
            for _ in 0..script.random.usize(..4) {
                let from = ids[script.random.usize(..ids.len())];
                let to = ids[script.random.usize(..ids.len())];
                let act = match script.random.u8(..5) {
                    0 | 1 => Act::Message(to),
                    2 | 3 => Act::Options(to),
                    _ => Act::Move,
                };
                script.after(Instant::from_millis(1), 30_000, from, act);
            }
        }
        script
    }

    /// Plans an act, at a random moment within `span` milliseconds.
    fn after(&mut self, now: Instant, span: u64, node: NodeId, act: Act) {
        let wait = Duration::from_millis(self.random.u64(0..=span));
        self.put += 1;
        self.due.insert((now + wait, self.put), (node, act));
    }

    fn chance(&mut self, of_ten: u8) -> bool {
        self.random.u8(..10) < of_ten
    }

    fn blame(&mut self, text: String) {
        self.fault.get_or_insert(text);
    }

    /// The record of a live call.
    fn live(&mut self, node: NodeId, call: Call) -> Option<usize> {
        self.calls.iter().position(|record| record.node == node && record.call == call && record.ended.is_none())
    }

    fn take_up(&mut self, now: Instant, node: NodeId, call: Call, number: u32, incoming: bool) -> usize {
        if self.live(node, call).is_some() {
            self.blame(format!("{now:?} {node:?} {call:?} names a call that lives"));
        }
        let record =
            Record { node, call, number, incoming, established: false, hung_up: None, silent: false, ended: None };
        self.calls.push(record);
        let place = self.calls.len() - 1;
        // Whatever happens, each user hangs up in the end, some at once, and some of them twice.
        let span = if self.chance(3) { 2000 } else { 40_000 };
        self.after(now, span, node, Act::HangUp(place));
        if self.chance(2) {
            self.after(now, span, node, Act::HangUp(place));
        }
        place
    }

    fn busy_call(&mut self, now: Instant, place: usize) {
        let node = self.calls[place].node;
        self.calls[place].established = true;
        let acts = if self.busy { self.random.usize(..6) } else { self.random.usize(..2) };
        for _ in 0..acts {
            let act = if self.random.bool() { Act::Reinvite(place) } else { Act::Info(place) };
            // Often both ends at once, for glare.
            let span = if self.chance(3) { 5 } else { 10_000 };
            self.after(now, span, node, act);
        }
    }

    fn incoming(&mut self, phone: &mut Phone, now: Instant, node: NodeId, call: Call, number: u32) {
        let place = self.take_up(now, node, call, number, true);
        if self.chance(2) {
            if self.chance(5) {
                self.answer(phone, now, place);
            } else {
                let _ = phone.reject(now, call, 486, &Content::NONE);
            }
            return;
        }
        if self.chance(7) {
            self.after(now, 1000, node, Act::Ring(place));
            if self.chance(2) {
                self.after(now, 5000, node, Act::Ring(place));
            }
        }
        match self.random.u8(..10) {
            0..=6 => self.after(now, 6000, node, Act::Answer(place)),
            7 | 8 => self.after(now, 6000, node, Act::Reject(place)),
            _ => {}
        }
    }

    fn answer(&mut self, phone: &mut Phone, now: Instant, place: usize) {
        let Record { node, call, .. } = self.calls[place];
        let first = !self.calls[place].established;
        if phone.answer(now, call, &Content::sdp(ANSWER)).is_ok() && first && self.chance(3) {
            // Some don't wait for the ACK.
            self.after(now, 300, node, Act::Info(place));
            self.after(now, 3000, node, Act::Reinvite(place));
        }
    }

    fn reinvited(&mut self, phone: &mut Phone, now: Instant, place: usize) {
        let node = self.calls[place].node;
        match self.random.u8(..10) {
            0..=5 => self.answer(phone, now, place),
            6 | 7 => self.after(now, 3000, node, Act::Answer(place)),
            8 => self.after(now, 3000, node, Act::Reject(place)),
            _ => {}
        }
        if self.chance(3) {
            self.after(now, 2000, node, Act::Info(place));
        }
    }

    fn act(&mut self, phone: &mut Phone, now: Instant, node: NodeId, act: Act) {
        let offer = if self.chance(8) { Content::sdp(OFFER) } else { Content::NONE };
        match act {
            Act::Call { to, number } => {
                let target = format!("sip:{}@{}", ["alice", "bob", "carol"][to.index()], host(self.named, to));
                let text = number.to_string();
                let headers = [Header { name: NUMBER, value: text.as_bytes() }];
                if let Ok(call) = phone.call(now, &target, "", &offer.with_headers(&headers)) {
                    self.take_up(now, node, call, number, false);
                }
            }
            Act::Ring(place) => _ = phone.ring(now, self.calls[place].call, 180, &Content::NONE),
            Act::Answer(place) => self.answer(phone, now, place),
            Act::Reject(place) => _ = phone.reject(now, self.calls[place].call, 488, &Content::NONE),
            Act::HangUp(place) => self.hang_up(phone, now, place),
            Act::Reinvite(place) => _ = phone.reinvite(now, self.calls[place].call, &offer),
            Act::Acknowledge(place) => _ = phone.acknowledge(now, self.calls[place].call, &Content::sdp(ANSWER)),
            Act::Info(place) => {
                let sent = phone.request_in_call(now, self.calls[place].call, Method::Info, &Content::NONE);
                self.asked(node, sent.ok());
            }
            Act::Respond(request) => _ = phone.respond(now, request, 200, &Content::NONE),
            Act::Message(to) | Act::Options(to) => {
                let method = if matches!(act, Act::Message(_)) { Method::Message } else { Method::Options };
                let sent = phone.request(now, method, &format!("sip:{}", host(self.named, to)), &Content::NONE);
                self.asked(node, sent.ok());
            }
            Act::Move => _ = phone.network_changed(now, &format!("192.0.2.{}:5060", node.index() + 1)),
        }
    }

    fn asked(&mut self, node: NodeId, request: Option<OutgoingRequest>) {
        self.requests.extend(request.map(|request| Asked { node, request, done: false }));
    }

    fn hang_up(&mut self, phone: &mut Phone, now: Instant, place: usize) {
        let Record { call, hung_up, ended, .. } = self.calls[place];
        let done = phone.hang_up(now, call);
        if done.is_ok() && ended.is_some() {
            self.blame(format!("{now:?} a call that had ended was hung up: {call:?}"));
        }
        if done.is_err() && ended.is_none() {
            self.blame(format!("{now:?} a live call can't be hung up: {call:?} {done:?}"));
        }
        if done.is_ok() && hung_up.is_none() {
            self.calls[place].hung_up = Some(now);
        }
    }

    /// An event that names a call: it has to be a live one.
    fn of_call(&mut self, phone: &mut Phone, now: Instant, node: NodeId, call: Call, event: Event) {
        let Some(place) = self.live(node, call) else {
            self.blame(format!("{now:?} {node:?} an event for a void call: {event:?}"));
            return;
        };
        match event {
            Event::Answered { answer_due, .. } => {
                if self.calls[place].established || self.calls[place].incoming {
                    self.blame(format!("{now:?} {node:?} answered out of turn: {event:?}"));
                }
                self.busy_call(now, place);
                self.acknowledge_later(now, node, place, answer_due);
            }
            Event::Confirmed { .. } if !self.calls[place].established => self.busy_call(now, place),
            Event::Reinvite { .. } => self.reinvited(phone, now, place),
            Event::Reinvited { answer_due, .. } => self.acknowledge_later(now, node, place, answer_due),
            Event::Ended { cause, status, .. } => self.calls[place].ended = Some((now, cause, status)),
            _ => {}
        }
    }

    fn acknowledge_later(&mut self, now: Instant, node: NodeId, place: usize, answer_due: bool) {
        if answer_due && self.chance(1) {
            self.calls[place].silent = true;
        } else if answer_due {
            let span = if self.chance(7) { 0 } else { 5000 };
            self.after(now, span, node, Act::Acknowledge(place));
        }
    }
}

impl User<Watched<Phone>> for Script {
    fn on_event(
        &mut self,
        phone: &mut Watched<Phone>,
        now: Instant,
        node: NodeId,
        event: Event,
        message: Option<&Message<'_>>,
    ) {
        let phone = &mut phone.role;
        match event {
            Event::Incoming { call } => {
                let number = message.and_then(|invite| invite.header(NUMBER));
                let number = number.and_then(|text| core::str::from_utf8(text).ok()?.parse().ok());
                match number {
                    Some(number) => self.incoming(phone, now, node, call, number),
                    None => self.blame(format!("{now:?} an event beside another message: {event:?}")),
                }
            }
            Event::Progress { call, .. }
            | Event::Answered { call, .. }
            | Event::Confirmed { call }
            | Event::Reinvite { call }
            | Event::ReinviteCancelled { call }
            | Event::Reinvited { call, .. }
            | Event::OfferTimedOut { call }
            | Event::RefreshDue { call }
            | Event::Oversize { of: Origin::Call(call), .. }
            | Event::Ended { call, .. } => self.of_call(phone, now, node, call, event),
            Event::Request { request, call } => {
                if call.is_some_and(|call| self.live(node, call).is_none()) {
                    self.blame(format!("{now:?} {node:?} a request in a void call: {event:?}"));
                }
                match self.random.u8(..4) {
                    0 => {
                        if let Some(place) = call.and_then(|call| self.live(node, call)) {
                            self.calls[place].silent = true;
                        }
                    }
                    1 => self.after(now, 3000, node, Act::Respond(request)),
                    _ => {
                        let _ = phone.respond(now, request, 200, &Content::NONE);
                    }
                }
            }
            Event::Response { request, status } => {
                let asked = self.requests.iter_mut().find(|asked| (asked.node, asked.request) == (node, request));
                match asked {
                    Some(asked) if !asked.done => asked.done = status >= 200,
                    _ => self.blame(format!("{now:?} {node:?} a response to nothing: {event:?}")),
                }
            }
            Event::Oversize { of: Origin::Request(request), .. } => {
                if !self.requests.iter().any(|asked| (asked.node, asked.request) == (node, request) && !asked.done) {
                    self.blame(format!("{now:?} {node:?} the size of nothing: {event:?}"));
                }
            }
            Event::Oversize { of: Origin::Registration(_), .. }
            | Event::Registered { .. }
            | Event::Unregistered { .. }
            | Event::RegistrationFailed { .. } => {
                self.blame(format!("{now:?} {node:?} nobody registers: {event:?}"));
            }
            // Each kind has a row here, so that none of them is missed.
            other => self.blame(format!("{now:?} {node:?} {other:?} is not known here")),
        }
    }

    fn next_wakeup(&self) -> Option<(Instant, NodeId)> {
        self.due.first_key_value().map(|(&(at, _), &(node, _))| (at, node))
    }

    fn wake(&mut self, phone: &mut Watched<Phone>, now: Instant, _: NodeId) {
        if let Some((_, (node, act))) = self.due.pop_first() {
            self.act(&mut phone.role, now, node, act);
        }
    }
}
