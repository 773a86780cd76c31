//! A user agent that strangers, peers and its own application drive in any order.

use super::play::{self, Holding};
use arbitrary::Arbitrary;
use core::net::Ipv4Addr;
use sip_core::message::{HeaderName, Message, Method, Writer, reason_phrase, response_head};
use sip_core::role::{Action, Received, Role};
use sip_core::time::{Duration, Instant};
use sip_core::transport::{Address, Flow, FlowError, Target, Ticket, Transport};
use sip_core::ua::Arrays;
use sip_core::ua::{Call, Config, Content, Event, IncomingRequest, Occupancy, Origin, Registration, UserAgent};
use sip_testkit::{ANSWER, OFFER, Phone};

/// More actions than any input may cause: what waits for a flow that becomes writable, or timers at once, included.
const ACTIONS: usize = 120;
/// More wake-ups than a user agent of this size has in the time that it is given to come to rest.
const WAKE_UPS: usize = 20_000;
/// How many sent and received messages are remembered, to be answered and repeated.
const REMEMBERED: usize = 12;

const METHODS: [&str; 10] =
    ["INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "MESSAGE", "REGISTER", "UPDATE", "NOTIFY", "X"];
const STATUSES: [u16; 22] =
    [100, 180, 183, 199, 200, 202, 299, 302, 401, 407, 408, 421, 423, 481, 486, 487, 488, 491, 500, 503, 600, 603];

/// One thing that happens.
#[derive(Arbitrary, Clone, Debug)]
pub enum Step {
    /// Octets arrive.
    Octets(Vec<u8>),
    /// A peer asks: in a dialog of something that was sent, or out of the blue.
    Ask {
        /// Which method.
        method: u8,
        /// Of which sent message the dialog is; none of any when it is large.
        of: u8,
        /// The number of CSeq.
        cseq: u8,
        /// The tag, branch and Call-ID that are made up.
        tag: u8,
        /// Whether it has Contact, Record-Route, Require and a body.
        extras: u8,
    },
    /// A peer answers something that was sent.
    Answer {
        /// Which sent message.
        to: u8,
        /// Which status.
        status: u8,
        /// The peer's tag, for forks.
        tag: u8,
        /// Whether it has Contact, Record-Route, a challenge and a body.
        extras: u8,
    },
    /// Something that arrived arrives again, one octet of it changed.
    Again {
        /// Which message.
        which: u8,
        /// The octet.
        place: u16,
        /// What is changed of it; nothing when it is zero.
        change: u8,
    },
    /// Time passes, in units of 16 ms.
    Wait(u16),
    /// The next timer fires.
    WakeUp,
    /// The application calls, with or without an offer, and by a name when it is odd.
    Call(bool, u8),
    /// It rings.
    Ring(u8),
    /// It answers.
    Accept(u8),
    /// It refuses.
    Reject(u8, u8),
    /// It sends the answer that came late.
    Acknowledge(u8),
    /// It hangs up.
    HangUp(u8),
    /// It offers anew.
    Reinvite(u8),
    /// It asks something inside a call.
    Inside(u8),
    /// It asks something outside.
    Outside,
    /// It answers what it was asked.
    Respond(u8),
    /// It registers.
    Register(u8),
    /// It removes a registration.
    Unregister(u8),
    /// The host has another address.
    Moved,
    /// The socket takes nothing, or takes something again.
    Block(bool),
    /// A flow has failed.
    Failed,
    /// A name resolves to so many addresses, or a connection opens if there are any.
    Resolved(u8),
    /// What is to be sent is held, and resumed by its name: at once in its order or the other way round, or not for long.
    Hold(u8),
    /// All that is held is resumed.
    Resume,
}

/// What holds of a user agent, whatever happens: draining ends, what it sends can be parsed, every call ends once and is not
/// heard of afterwards, and at rest nothing is held.
///
/// # Panics
/// When it does not hold.
pub fn agent(steps: &[Step]) {
    // On a narrow path whatever carries an offer is too large for a datagram.
    let mut desk = Desk::new(if steps.len() % 4 == 3 { 700 } else { 0 });
    for step in steps {
        desk.step(step);
        desk.drain();
    }
    desk.close();
}

struct Desk {
    phone: Phone,
    now: Instant,
    before: Occupancy,
    /// Calls and registrations that have not ended.
    calls: Vec<Call>,
    registrations: Vec<Registration>,
    asked: Vec<IncomingRequest>,
    sent: Vec<Vec<u8>>,
    arrived: Vec<Vec<u8>>,
    questions: Vec<Ticket>,
    blocked: bool,
    deferred: Vec<Flow>,
    holding: Holding,
    /// Whether a challenge came, of which the user agent keeps the last one of each realm.
    challenged: bool,
    /// Whether something came that could not be parsed.
    malformed: bool,
}

/// One of these, if there are any.
fn pick<T: Copy>(all: &[T], which: u8) -> Option<T> {
    all.get(usize::from(which) % all.len().max(1)).copied()
}

impl Desk {
    fn new(path_mtu: u16) -> Self {
        let mut phone = UserAgent::new(Arrays::new());
        let mut config = Config::new("192.0.2.1:5060", "sip:alice@example.com");
        config.contact_user = "alice";
        config.path_mtu = path_mtu;
        config.methods = "MESSAGE, NOTIFY, X";
        config.keep_alive = Duration::from_secs(20);
        phone.start(&config, [7; 16]).expect("a configuration that can be used");
        phone.add_credentials("r", "alice", "secret").expect("room");
        let before = phone.occupancy();
        Self {
            phone,
            now: Instant::from_millis(1000),
            before,
            calls: Vec::new(),
            registrations: Vec::new(),
            asked: Vec::new(),
            sent: Vec::new(),
            arrived: Vec::new(),
            questions: Vec::new(),
            blocked: false,
            deferred: Vec::new(),
            holding: Holding::default(),
            challenged: false,
            malformed: false,
        }
    }

    fn step(&mut self, step: &Step) {
        let now = self.now;
        match step {
            Step::Octets(octets) => self.arrive(octets),
            Step::Ask { method, of, cseq, tag, extras } => {
                if let Some(octets) = self.request(*method, *of, *cseq, *tag, *extras) {
                    self.arrive(&octets);
                }
            }
            Step::Answer { to, status, tag, extras } => {
                if let Some(octets) = self.response(*to, *status, *tag, *extras) {
                    self.arrive(&octets);
                }
            }
            Step::Again { which, place, change } => {
                let count = self.arrived.len().max(1);
                let Some(octets) = self.arrived.get(usize::from(*which) % count) else { return };
                self.arrive(&play::changed(octets, *place, *change));
            }
            Step::Wait(units) => {
                let until = now + Duration::from_millis(16 * u64::from(*units));
                self.pass(until);
            }
            Step::WakeUp => {
                play::wake_up(&mut self.phone, &mut self.now);
            }
            Step::Resolved(count) => {
                if let Some(ticket) = self.questions.pop() {
                    self.tell(ticket, *count);
                }
            }
            Step::Block(true) => self.blocked = true,
            Step::Block(false) => self.unblock(),
            Step::Hold(how) => self.holding.set(*how),
            Step::Resume => self.holding.resume_all(&mut self.phone),
            Step::Failed => self.phone.flow_failed(now, Flow::udp(PEER), FlowError::Refused),
            command => self.command(command),
        }
    }

    /// What the application does; it may be refused, and then nothing has changed.
    fn command(&mut self, step: &Step) {
        let (now, phone) = (self.now, &mut self.phone);
        let call = |which: &u8| pick(&self.calls, *which);
        match step {
            Step::Call(offers, target) => {
                let target = ["sip:bob@192.0.2.9", "sip:bob@example.net", "sip:bob@192.0.2.9;transport=tcp"]
                    [usize::from(*target) % 3];
                let content = if *offers { Content::sdp(OFFER) } else { Content::NONE };
                if let Ok(call) = phone.call(now, target, "", &content) {
                    self.begin(call);
                }
            }
            Step::Ring(which) => _ = call(which).map(|call| phone.ring(now, call, 180, &Content::NONE)),
            Step::Accept(which) => _ = call(which).map(|call| phone.answer(now, call, &Content::sdp(ANSWER))),
            Step::Reject(which, status) => {
                let status = pick(&STATUSES, *status).unwrap_or(486);
                _ = call(which).map(|call| phone.reject(now, call, status, &Content::NONE));
            }
            Step::Acknowledge(which) => _ = call(which).map(|call| phone.acknowledge(now, call, &Content::sdp(ANSWER))),
            Step::HangUp(which) => _ = call(which).map(|call| phone.hang_up(now, call)),
            Step::Reinvite(which) => _ = call(which).map(|call| phone.reinvite(now, call, &Content::sdp(OFFER))),
            Step::Inside(which) => {
                _ = call(which).map(|call| phone.request_in_call(now, call, Method::Info, &Content::NONE));
            }
            Step::Outside => _ = phone.request(now, Method::Options, "sip:192.0.2.9", &Content::NONE),
            Step::Respond(status) => {
                if let Some(request) = self.asked.pop() {
                    let status = pick(&STATUSES, *status).unwrap_or(200);
                    let _ = phone.respond(now, request, status, &Content::NONE);
                }
            }
            Step::Register(expires) => {
                let expires = u32::from(*expires) * 30;
                if let Ok(registration) = phone.register(now, "sip:192.0.2.9", "sip:alice@example.com", expires) {
                    assert!(!self.registrations.contains(&registration), "a handle for two registrations");
                    self.registrations.push(registration);
                }
            }
            Step::Unregister(which) => {
                _ = pick(&self.registrations, *which).map(|registration| phone.unregister(now, registration));
            }
            Step::Moved => _ = phone.network_changed(now, "192.0.2.1:5060"),
            _ => {}
        }
    }

    fn begin(&mut self, call: Call) {
        assert!(!self.calls.contains(&call), "a handle for two calls");
        self.calls.push(call);
    }

    fn arrive(&mut self, octets: &[u8]) {
        let flow = Flow::udp(PEER);
        let message = match Message::parse(octets) {
            Ok(message) => message,
            Err(failure) => {
                self.malformed = true;
                return self.phone.receive_malformed(self.now, flow, &failure);
            }
        };
        self.challenged |= message.challenges().next().is_some();
        if let Received::Event(event) = self.phone.receive(self.now, flow, &message) {
            self.heard(event);
        }
        remember(&mut self.arrived, octets);
    }

    fn heard(&mut self, event: Event) {
        let live = |call: &Call| assert!(self.calls.contains(call), "{event:?} of a call that is over");
        let registered = |one: &Registration| assert!(self.registrations.contains(one), "{event:?} of what is removed");
        match event {
            Event::Incoming { call } => self.begin(call),
            Event::Ended { call, .. } => {
                live(&call);
                self.calls.retain(|one| *one != call);
            }
            Event::Progress { call, .. }
            | Event::Answered { call, .. }
            | Event::Confirmed { call }
            | Event::Reinvite { call }
            | Event::ReinviteCancelled { call }
            | Event::Reinvited { call, .. }
            | Event::RefreshDue { call }
            | Event::Oversize { of: Origin::Call(call), .. } => live(&call),
            Event::Request { request, call } => {
                call.iter().for_each(live);
                self.asked.push(request);
            }
            Event::Unregistered { registration } | Event::RegistrationFailed { registration, retry_after: 0, .. } => {
                registered(&registration);
                self.registrations.retain(|one| *one != registration);
            }
            Event::Registered { registration, .. }
            | Event::RegistrationFailed { registration, .. }
            | Event::Oversize { of: Origin::Registration(registration), .. } => {
                registered(&registration);
            }
            Event::Response { .. } | Event::Oversize { of: Origin::Request(_), .. } => {}
            // Each kind has a row here, so that none of them is missed.
            other => panic!("{other:?} is not known here"),
        }
    }

    /// Does what there is to do, and what was held on the way.
    fn drain(&mut self) {
        self.drain_once();
        Holding::end_turn(self, |desk| &mut desk.holding, |desk, id| desk.phone.resume(id), Self::drain_once);
    }

    fn drain_once(&mut self) {
        for _ in 0..ACTIONS {
            let (mut put_back, mut held) = (None, None);
            match self.phone.poll_action(self.now) {
                None => return,
                Some(Action::Send { id, flow, .. }) if self.blocked => put_back = Some((id, flow)),
                Some(Action::Send { id, bytes, .. }) if self.holding.takes(id, bytes) => held = Some(id),
                Some(Action::Send { flow, bytes, .. }) => {
                    assert!(!flow.is_none(), "sent to nowhere");
                    if bytes != b"\r\n\r\n" {
                        if let Err(failure) = Message::parse(bytes) {
                            play::check_repeats(self.malformed, bytes, &failure);
                        }
                        remember(&mut self.sent, bytes);
                    }
                }
                Some(Action::Event(event)) => self.heard(event),
                Some(Action::Connect { ticket, .. } | Action::Resolve { ticket, .. }) => self.questions.push(ticket),
                Some(Action::Close { .. }) => {}
                Some(other) => panic!("not known: {other:?}"),
            }
            if let Some((id, flow)) = put_back {
                self.phone.defer(id);
                self.deferred.push(flow);
            }
            if let Some(id) = held {
                self.phone.hold(id);
            }
        }
        panic!("more than {ACTIONS} actions: draining does not end");
    }

    fn unblock(&mut self) {
        self.blocked = false;
        for flow in core::mem::take(&mut self.deferred) {
            self.phone.flow_writable(self.now, flow);
            self.drain();
        }
    }

    fn tell(&mut self, ticket: Ticket, count: u8) {
        let target = Target { address: PEER, transport: Transport::Udp };
        let connection = Flow { remote: PEER, connection: 1, transport: Transport::Tcp, ..Flow::NONE };
        play::tell(&mut self.phone, self.now, (ticket, count), (target, connection));
    }

    /// Lets time pass, with its timers.
    fn pass(&mut self, until: Instant) {
        for _ in 0..WAKE_UPS {
            if !play::wake(&mut self.phone, &mut self.now, until) {
                return;
            }
            self.drain();
        }
        panic!("more than {WAKE_UPS} wake-ups: time stands still");
    }

    /// Ends everything, and looks whether something is left.
    fn close(&mut self) {
        self.unblock();
        self.holding.resume_all(&mut self.phone);
        self.drain();
        for _ in 0..8 {
            while let Some(request) = self.asked.pop() {
                let _ = self.phone.respond(self.now, request, 200, &Content::NONE);
                self.drain();
            }
            for call in self.calls.clone() {
                let _ = self.phone.hang_up(self.now, call);
                self.drain();
            }
            for registration in self.registrations.clone() {
                let _ = self.phone.unregister(self.now, registration);
                self.drain();
            }
            while let Some(ticket) = self.questions.pop() {
                self.tell(ticket, 0);
                self.drain();
            }
            // 64·T1 for what is in the air, and as much for the BYE or CANCEL that follows.
            self.pass(self.now + Duration::from_secs(100));
        }
        assert_eq!((&self.calls[..], &self.registrations[..]), (&[][..], &[][..]), "no end was told");
        let after = self.phone.occupancy();
        let (held, empty) =
            ([after, self.before]).map(|one| (one.transactions, one.dialogs, one.calls, one.registrations)).into();
        assert_eq!(held, empty, "held at rest");
        if !self.challenged {
            assert_eq!(after.octets, self.before.octets, "octets held at rest");
        }
        assert_eq!(self.phone.poll_timeout(), None, "a timer at rest");
    }

    /// A request of the peer.
    fn request(&self, method: u8, of: u8, cseq: u8, tag: u8, extras: u8) -> Option<Vec<u8>> {
        let method = pick(&METHODS, method)?;
        let sent = if of < 200 { self.sent.get(usize::from(of) % self.sent.len().max(1)) } else { None };
        let dialog = sent.and_then(|octets| Message::parse(octets).ok());
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        let (from, to, id) = match &dialog {
            // What we asked, the peer asks the other way round; what we answered, it goes on with.
            Some(request) if request.is_request() => (
                format!("{};tag=p{}", text(request.to().raw_uri()), tag % 3),
                text(request.from().raw()),
                text(request.call_id()),
            ),
            Some(answer) => (text(answer.from().raw()), text(answer.to().raw()), text(answer.call_id())),
            None => (format!("<sip:bob@192.0.2.9>;tag=s{tag}"), "<sip:alice@192.0.2.1>".to_owned(), format!("i{tag}")),
        };
        let branch = match &dialog {
            Some(answer) if !answer.is_request() && extras & 1 == 0 => text(answer.top_via().branch()?),
            _ => format!("z9hG4bK{tag:x}{cseq:x}"),
        };
        let mut rows = format!(
            "{method} sip:alice@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9;branch={branch}\r\nFrom: {from}\r\nTo: {to}\r\n\
             Call-ID: {id}\r\nCSeq: {cseq} {method}\r\nMax-Forwards: 70\r\n"
        );
        rows += extra_rows(extras);
        Some(with_body(rows, extras))
    }

    /// An answer of the peer.
    fn response(&self, to: u8, status: u8, tag: u8, extras: u8) -> Option<Vec<u8>> {
        let sent = self.sent.get(usize::from(to) % self.sent.len().max(1))?;
        let request = Message::parse(sent).ok().filter(Message::is_request)?;
        let status = pick(&STATUSES, status)?;
        let mut head = vec![0; 8192];
        let mut w = Writer::new(&mut head);
        w.status_line(status, reason_phrase(status).as_bytes());
        response_head(&mut w, &request, Address::NONE, Some(format!("p{}", tag % 3).as_bytes()));
        let length = w.finish().ok()?;
        let mut rows = String::from_utf8(head.get(..length)?.to_vec()).ok()?;
        rows += extra_rows(extras);
        if let (Method::Register, 200, Some(contact)) = (request.method(), status, request.header(HeaderName::Contact))
        {
            rows += &format!("Contact: {};expires={}\r\n", String::from_utf8_lossy(contact), u32::from(tag) * 10);
        }
        match status {
            401 => rows += &format!("WWW-Authenticate: Digest realm=\"r\", nonce=\"{tag}\", qop=\"auth\"\r\n"),
            407 => rows += &format!("Proxy-Authenticate: Digest realm=r, nonce={tag}, algorithm=SHA-256\r\n"),
            423 => rows += "Min-Expires: 7200\r\n",
            503 => rows += "Retry-After: 3\r\n",
            _ => {}
        }
        Some(with_body(rows, extras))
    }
}

/// Who all the others are.
const PEER: Address = Address::v4(Ipv4Addr::new(192, 0, 2, 9), 5060);

fn extra_rows(extras: u8) -> &'static str {
    match extras >> 4 {
        0..=7 => "Contact: <sip:bob@192.0.2.9>\r\n",
        8 => "",
        9 => "Contact: <sip:bob@192.0.2.9;transport=tcp>\r\nRecord-Route: <sip:192.0.2.8;lr>\r\n",
        10 => "Contact: <sip:bob@example.net>\r\nRequire: 100rel\r\nRSeq: 1\r\n",
        11 => "Contact: <sip:bob@192.0.2.9>\r\nReplaces: i1;to-tag=a;from-tag=b\r\n",
        12 => "Contact: <sip:bob@192.0.2.9>\r\nRecord-Route: <sip:example.org>, <sip:192.0.2.7;lr>\r\n",
        13 => "Contact: *\r\n",
        14 => "Contact: %\r\nExpires: 0\r\n",
        _ => "Contact: <tel:+1>\r\nRequire: x, y\r\n",
    }
}

fn with_body(mut rows: String, extras: u8) -> Vec<u8> {
    let body = if extras & 2 == 0 { &b""[..] } else { ANSWER };
    if extras & 6 == 2 {
        rows += "Content-Type: application/sdp\r\n";
    }
    rows += &format!("Content-Length: {}\r\n\r\n", body.len());
    [rows.as_bytes(), body].concat()
}

/// Keeps the last messages.
fn remember(all: &mut Vec<Vec<u8>>, octets: &[u8]) {
    if all.len() == REMEMBERED {
        all.remove(0);
    }
    all.push(octets.to_vec());
}
