//! A user agent that strangers, peers and its own application drive in any order.

mod wire;

use super::play::{self, Holding};
use arbitrary::Arbitrary;
use core::net::Ipv4Addr;
use sip_core::message::{Message, Method};
use sip_core::role::{Action, Received, Role};
use sip_core::time::{Duration, Instant};
use sip_core::transport::{Address, Flow, FlowError, Target, Ticket, Transport};
use sip_core::ua::Arrays;
use sip_core::ua::{
    Call, Config, Content, Event, Fork, IncomingRequest, Occupancy, Origin, Referral, Registration,
    ReliableProvisional, UserAgent,
};
use sip_testkit::{ANSWER, OFFER, Phone};

/// More actions than any input may cause: what waits for a flow that becomes writable, or timers at once, included.
const ACTIONS: usize = 120;
/// More wake-ups than a user agent of this size has in the time that it is given to come to rest.
const WAKE_UPS: usize = 20_000;
/// How many sent and received messages are remembered, to be answered and repeated.
const REMEMBERED: usize = 12;

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
    /// It rings with an offer or an answer, reliably where that is configured.
    RingWith(u8),
    /// It sends the answer to an offer that came in a reliable provisional response.
    AcknowledgeProvisional(u8),
    /// It sends an UPDATE, with or without an offer.
    Update(bool, u8),
    /// It answers, or refuses, an offer that came outside of an INVITE.
    AnswerOffer(u8, u8),
    /// It asks the peer of a call to call somebody, or the peer of another call.
    Refer(u8, u8),
    /// It does what it was asked for by a REFER.
    Follow(u8),
    /// It takes a REFER, refuses it, or tells how it goes on.
    AnswerRefer(u8, u8),
}

/// What holds of a user agent, whatever happens: draining ends, what it sends can be parsed, every call ends once and is not
/// heard of afterwards, and at rest nothing is held.
///
/// # Panics
/// When it does not hold.
pub fn agent(steps: &[Step]) {
    // On a narrow path whatever carries an offer is too large for a datagram.
    let path_mtu = if steps.len() % 4 == 3 { 700 } else { 0 };
    // What the configuration says of provisional responses and of how long a session lasts.
    let policy = [ReliableProvisional::Supported, ReliableProvisional::Off, ReliableProvisional::Required];
    let transfers = steps.len() % 5 != 4;
    let mut desk = Desk::new(path_mtu, policy[steps.len() % 3], [180, 0][steps.len() % 2], transfers);
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
    /// Whose PRACK waits for an answer, or waited.
    forks: Vec<(Call, Fork)>,
    asked: Vec<IncomingRequest>,
    /// REFERs that have not ended.
    referrals: Vec<Referral>,
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
    fn new(path_mtu: u16, reliable: ReliableProvisional, session_expires: u32, transfers: bool) -> Self {
        let mut phone = UserAgent::new(Arrays::with_referrals());
        let mut config = Config::new("192.0.2.1:5060", "sip:alice@example.com");
        config.contact_user = "alice";
        config.path_mtu = path_mtu;
        config.methods = "MESSAGE, NOTIFY, X";
        config.keep_alive = Duration::from_secs(20);
        config.reliable_provisional = reliable;
        config.session_expires = session_expires;
        config.transfers = transfers;
        phone.start(&config, [7; 16]).expect("a configuration that can be used");
        phone.add_credentials("r", "alice", "secret").expect("room");
        let before = phone.occupancy();
        Self {
            phone,
            now: Instant::from_millis(1000),
            before,
            calls: Vec::new(),
            registrations: Vec::new(),
            forks: Vec::new(),
            asked: Vec::new(),
            referrals: Vec::new(),
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
                if let Some(octets) = wire::request(&self.sent, *method, *of, *cseq, *tag, *extras) {
                    self.arrive(&octets);
                }
            }
            Step::Answer { to, status, tag, extras } => {
                if let Some(octets) = wire::response(&self.sent, *to, *status, *tag, *extras) {
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
                let status = pick(&wire::STATUSES, *status).unwrap_or(486);
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
                    let status = pick(&wire::STATUSES, *status).unwrap_or(200);
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
            Step::RingWith(which) => _ = call(which).map(|call| phone.ring(now, call, 183, &Content::sdp(ANSWER))),
            Step::AcknowledgeProvisional(which) => {
                let fork = pick(&self.forks, *which);
                _ = fork.map(|(call, fork)| phone.acknowledge_provisional(now, call, fork, &Content::sdp(ANSWER)));
            }
            Step::Update(offers, which) => {
                let content = if *offers { Content::sdp(OFFER) } else { Content::NONE };
                _ = call(which).map(|call| phone.update(now, call, &content));
            }
            Step::AnswerOffer(which, status) => {
                let status = pick(&[200, 488, 500], *status).unwrap_or(200);
                let content = if status == 200 { Content::sdp(ANSWER) } else { Content::NONE };
                _ = call(which).map(|call| phone.answer_offer(now, call, status, &content));
            }
            Step::Refer(..) | Step::Follow(_) | Step::AnswerRefer(..) => self.refer(step),
            Step::Moved => _ = phone.network_changed(now, "192.0.2.1:5060"),
            _ => {}
        }
    }

    /// What the application does about transfers.
    fn refer(&mut self, step: &Step) {
        let (now, phone) = (self.now, &mut self.phone);
        match step {
            Step::Refer(which, to) => {
                let Some(call) = pick(&self.calls, *which) else { return };
                let targets = ["sip:carol@192.0.2.8", "<tel:+1>", "sip:carol@example.net;method=BYE"];
                let with = pick(&self.calls, *to).filter(|with| *to % 2 == 0 && *with != call);
                let referral = match with {
                    Some(with) => phone.refer_to_call(now, call, with, &Content::NONE),
                    None => phone.refer(now, call, targets[usize::from(*to) % 3], &Content::NONE),
                };
                if let Ok(referral) = referral {
                    self.begin_referral(referral);
                }
            }
            Step::Follow(which) => {
                let Some(referral) = pick(&self.referrals, *which) else { return };
                if let Ok(call) = phone.follow_refer(now, referral, &Content::sdp(OFFER)) {
                    self.begin(call);
                }
            }
            Step::AnswerRefer(which, how) => {
                let Some(referral) = pick(&self.referrals, *which) else { return };
                let status = pick(&wire::STATUSES, *how).unwrap_or(200);
                let _ = match how % 3 {
                    0 => phone.accept_refer(now, referral, &Content::NONE),
                    1 => phone.reject_refer(now, referral, status, &Content::NONE),
                    _ => phone.notify_refer(now, referral, status),
                };
            }
            _ => {}
        }
    }

    fn begin_referral(&mut self, referral: Referral) {
        assert!(!self.referrals.contains(&referral), "a handle for two REFERs");
        self.referrals.push(referral);
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
        remember(&mut self.arrived, octets.to_vec());
    }

    fn heard(&mut self, event: Event) {
        let live = |call: &Call| assert!(self.calls.contains(call), "{event:?} of a call that is over");
        let referred = |one: &Referral| assert!(self.referrals.contains(one), "{event:?} of what has ended");
        let registered = |one: &Registration| assert!(self.registrations.contains(one), "{event:?} of what is removed");
        match event {
            Event::Incoming { call } => self.begin(call),
            Event::Replacing { call, replaced } => {
                live(&replaced);
                self.begin(call);
            }
            Event::Refer { referral, call } => {
                live(&call);
                self.begin_referral(referral);
            }
            Event::ReferEnded { referral, .. } => {
                referred(&referral);
                self.referrals.retain(|one| *one != referral);
            }
            Event::ReferAccepted { referral }
            | Event::ReferProgress { referral, .. }
            | Event::Oversize { of: Origin::Referral(referral), .. } => referred(&referral),
            Event::Ended { call, .. } => {
                live(&call);
                self.calls.retain(|one| *one != call);
            }
            Event::Progress { call, fork, answer_due, .. } => {
                live(&call);
                if answer_due {
                    remember(&mut self.forks, (call, fork));
                }
            }
            Event::ProvisionalAcknowledged { call, .. }
            | Event::Update { call }
            | Event::Updated { call, .. }
            | Event::Refreshed { call }
            | Event::Answered { call, .. }
            | Event::Confirmed { call }
            | Event::Reinvite { call }
            | Event::ReinviteCancelled { call }
            | Event::Reinvited { call, .. }
            | Event::OfferTimedOut { call }
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
            Event::Response { .. } | Event::RequestRefused { .. } | Event::Oversize { of: Origin::Request(_), .. } => {}
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
                        if let Err(failure) = Message::parse(bytes)
                            && !wire::is_named_by_peer(bytes)
                        {
                            play::check_repeats(self.malformed, bytes, &failure);
                        }
                        remember(&mut self.sent, bytes.to_vec());
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
        if !self.referrals.is_empty() {
            // As long as a peer may say that it has something to tell.
            self.pass(self.now + Duration::from_secs(4000));
        }
        assert_eq!(self.referrals, [], "the end of a REFER was not told");
        assert_eq!((&self.calls[..], &self.registrations[..]), (&[][..], &[][..]), "no end was told");
        let after = self.phone.occupancy();
        let (held, empty) = ([after, self.before])
            .map(|one| (one.transactions, one.dialogs, one.calls, one.registrations, one.referrals))
            .into();
        assert_eq!(held, empty, "held at rest");
        if !self.challenged {
            assert_eq!(after.octets, self.before.octets, "octets held at rest");
        }
        assert_eq!(self.phone.poll_timeout(), None, "a timer at rest");
    }
}

/// Who all the others are.
const PEER: Address = Address::v4(Ipv4Addr::new(192, 0, 2, 9), 5060);

/// Keeps the last ones.
fn remember<T>(all: &mut Vec<T>, one: T) {
    if all.len() == REMEMBERED {
        all.remove(0);
    }
    all.push(one);
}
