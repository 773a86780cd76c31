//! A proxy and a server that strangers, peers and their application drive in any order.

mod roles;
mod script;

pub use script::HubStep;

use super::play::{self, Holding};
use super::shown;
use roles::{Hub, nowhere};
use script::{Asked, HUB, long, peer, proof, register, request, response};
use sip_core::message::{HeaderName, Message, Method};
use sip_core::proxy::{Arrays, Occupancy, Request};
use sip_core::role::{Action, Received};
use sip_core::time::{Duration, Instant};
use sip_core::transport::{Flow, FlowError, Target, Ticket, Transport};
use std::collections::{BTreeMap, BTreeSet};

/// More actions than any input may cause: what waits for a flow that becomes writable, or timers at once, included.
const ACTIONS: usize = 400;
/// More wake-ups than a hub of this size has in the time that it is given to come to rest.
const WAKE_UPS: usize = 40_000;
/// How many sent and received messages are remembered, to be answered and repeated.
const REMEMBERED: usize = 12;
/// The most octets of a message.
const LONGEST: usize = 65_535;

/// What holds of a stateful proxy, a stateless one and a server, whatever happens: draining ends, what is sent can be parsed and
/// is no longer than a message may be, each request is answered once and along its own Vias, every search that began is told to be
/// over, and at rest nothing is held. With `more` they ask about what passes through, try the Contacts of a 3xx, and the server redirects.
///
/// # Panics
/// When it does not hold.
pub fn hub(more: bool, steps: &[HubStep]) {
    Hall::new(roles::proxy(Arrays::<12, 5, 8, 12_288>::new(), false, more)).play(steps);
    let mut stateless = Hall::new(roles::proxy(Arrays::<12, 5, 8, 12_288>::new(), true, more));
    stateless.told.let_pass = true;
    stateless.play(steps);
    Hall::new(roles::server(more)).play(steps);
    if steps.iter().any(|step| matches!(step, HubStep::Long(_))) {
        // There is room for the longest message.
        Hall::new(roles::proxy(Arrays::<12, 5, 8, 262_144>::new(), false, more)).play(steps);
    }
}

/// What the application knows.
#[derive(Debug, Default)]
struct Told {
    /// What it was asked about and has not answered.
    asked: Vec<Request>,
    /// What it had sent somewhere, and was not told to be over.
    searched: Vec<Request>,
    /// How it answers at once; 0 when it does not.
    policy: u8,
    /// Whether something went without a transaction.
    let_pass: bool,
    /// The record of each address of record.
    records: BTreeMap<Vec<u8>, Vec<u8>>,
}

/// What the responses to a request are known by: branch, sent-by and method, all in one.
type Key = Vec<u8>;

/// What became of a request.
#[derive(Debug, Default)]
struct Tally {
    received: usize,
    accepted: usize,
    refusals: BTreeSet<Vec<u8>>,
    /// The Vias below the top one, of each time that it came.
    vias: BTreeSet<Vec<Vec<u8>>>,
}

struct Hall<R> {
    hub: R,
    now: Instant,
    before: Occupancy,
    told: Told,
    /// Requests that were passed on, and what arrived, with where it did.
    sent: Vec<(Flow, Vec<u8>)>,
    arrived: Vec<(Flow, Vec<u8>)>,
    challenge: Vec<u8>,
    count: u32,
    tallies: BTreeMap<Key, Tally>,
    /// The Vias of CANCELs, of which a response may tell another method when it comes again.
    cancels: BTreeSet<Vec<Vec<u8>>>,
    questions: Vec<Ticket>,
    blocked: bool,
    deferred: Vec<Flow>,
    holding: Holding,
    /// How much came that could not be parsed.
    malformed: usize,
}

/// The Vias below the top one.
fn below(message: &Message<'_>) -> Vec<Vec<u8>> {
    message.header_rows(HeaderName::Via).skip(1).map(<[u8]>::to_vec).collect()
}

fn key(message: &Message<'_>) -> Key {
    let via = message.top_via();
    let sent_by = via.raw().split(|octet| *octet == b';').next().unwrap_or_default();
    let method = message.cseq().method;
    [via.branch().unwrap_or_default(), b" ", sent_by, b" ", method.as_bytes()].concat()
}

impl<R: Hub> Hall<R> {
    fn new(hub: R) -> Self {
        let before = hub.held();
        Self {
            hub,
            now: Instant::from_millis(1000),
            before,
            told: Told::default(),
            sent: Vec::new(),
            arrived: Vec::new(),
            challenge: Vec::new(),
            count: 0,
            tallies: BTreeMap::new(),
            cancels: BTreeSet::new(),
            questions: Vec::new(),
            blocked: false,
            deferred: Vec::new(),
            holding: Holding::default(),
            malformed: 0,
        }
    }

    fn play(mut self, steps: &[HubStep]) {
        for step in steps {
            self.step(step);
            self.drain();
        }
        self.close();
    }

    fn step(&mut self, step: &HubStep) {
        let now = self.now;
        match step {
            HubStep::Octets(octets) => self.arrive(peer(0), octets),
            HubStep::Ask { method, uri, of, number, extras } => {
                let asked = Asked { method: method & 15, uri: *uri, number: *number, extras: *extras };
                let (name, target) = asked.target();
                self.count += 1;
                let proof = proof(&self.challenge, self.count, name, target, number & 1).unwrap_or_default();
                let octets = {
                    let other =
                        if *of < 160 { self.arrived.get(usize::from(*of) % self.arrived.len().max(1)) } else { None };
                    let other = other.and_then(|(_, octets)| Message::parse(octets).ok());
                    request(asked, other.as_ref().filter(|other| other.is_request()), &proof)
                };
                self.arrive(peer(method >> 4), &octets);
            }
            HubStep::Register { user, contact, proof: kind } => {
                self.count += 1;
                let nc = if kind & 16 == 0 { self.count } else { 1 };
                let proven = proof(&self.challenge, nc, "REGISTER", "sip:example.com", *kind);
                let octets = register(*user, *contact, self.count, &proven.unwrap_or_default());
                self.arrive(peer(user >> 4), &octets);
            }
            HubStep::Answer { to, status, tag, extras } => {
                let sent = self.sent.get(usize::from(*to) % self.sent.len().max(1));
                let answer = sent.and_then(|(flow, sent)| Some((*flow, response(sent, *status, *tag, *extras)?)));
                if let Some((flow, octets)) = answer {
                    self.arrive(flow, &octets);
                }
            }
            HubStep::Again { which, place, change } => {
                let count = self.arrived.len().max(1);
                let Some((flow, octets)) = self.arrived.get(usize::from(*which) % count) else { return };
                self.arrive(*flow, &play::changed(octets, *place, *change));
            }
            HubStep::Long(length) => {
                self.count += 1;
                let octets = long(*length, self.count);
                self.arrive(peer(0), &octets);
            }
            HubStep::Policy(policy) => self.told.policy = *policy,
            HubStep::Decide(what) => self.hub.decide(&mut self.told, now, *what, None),
            HubStep::Wait(units) => self.pass(now + Duration::from_millis(16 * u64::from(*units))),
            HubStep::WakeUp => {
                play::wake_up(&mut self.hub, &mut self.now);
            }
            HubStep::Resolved(count) => {
                if let Some(ticket) = self.questions.pop() {
                    self.tell(ticket, *count);
                }
            }
            HubStep::Block(true) => self.blocked = true,
            HubStep::Block(false) => self.unblock(),
            HubStep::Hold(how) => self.holding.set(*how),
            HubStep::Resume => self.holding.resume_all(&mut self.hub),
            HubStep::Failed(which) => self.hub.flow_failed(now, peer(*which), FlowError::Refused),
        }
    }

    fn arrive(&mut self, flow: Flow, octets: &[u8]) {
        let message = match Message::parse(octets) {
            Ok(message) => message,
            Err(failure) => {
                self.malformed += 1;
                return self.hub.receive_malformed(self.now, flow, &failure);
            }
        };
        if message.is_request() {
            let tally = self.tallies.entry(key(&message)).or_default();
            tally.received += 1;
            tally.vias.insert(below(&message));
            if message.method() == Method::Cancel {
                self.cancels.insert(below(&message));
            }
        }
        if let Received::Event(event) = self.hub.receive(self.now, flow, &message) {
            self.hub.heard(&mut self.told, self.now, event, Some(&message));
        }
        remember(&mut self.arrived, flow, octets);
    }

    /// Does what there is to do, and what was held on the way.
    fn drain(&mut self) {
        self.drain_once();
        Holding::end_turn(self, |hall| &mut hall.holding, |hall, id| hall.hub.resume(id), Self::drain_once);
    }

    fn drain_once(&mut self) {
        for _ in 0..ACTIONS {
            let (mut put_back, mut held) = (None, None);
            match self.hub.poll_action(self.now) {
                None => return,
                Some(Action::Send { id, flow, .. }) if self.blocked => put_back = Some((id, flow)),
                Some(Action::Send { id, bytes, .. }) if self.holding.takes(id, bytes) => held = Some(id),
                Some(Action::Send { flow, bytes, .. }) => {
                    let octets = bytes.to_vec();
                    self.went(flow, &octets);
                }
                Some(Action::Event(event)) => self.hub.heard(&mut self.told, self.now, event, None),
                Some(Action::Connect { ticket, .. } | Action::Resolve { ticket, .. }) => self.questions.push(ticket),
                Some(Action::Close { .. }) => {}
                Some(_) => panic!("an action that is not known"),
            }
            if let Some((id, flow)) = put_back {
                self.hub.defer(id);
                self.deferred.push(flow);
            }
            if let Some(id) = held {
                self.hub.hold(id);
            }
        }
        panic!("more than {ACTIONS} actions: draining does not end");
    }

    /// Something was sent.
    fn went(&mut self, flow: Flow, octets: &[u8]) {
        assert!(!nowhere(flow), "sent to nowhere");
        assert!(octets.len() <= LONGEST, "{} octets", octets.len());
        let message = match Message::parse(octets) {
            Ok(message) => message,
            Err(failure) => {
                return play::check_repeats(self.malformed > 0, octets, &failure);
            }
        };
        let Some(status) = message.status() else {
            let ours = message.top_via().raw();
            let hosts = [HUB, "192.0.2.6:5080"];
            let is_ours = hosts.iter().any(|host| ours.windows(host.len()).any(|part| part == host.as_bytes()));
            assert!(is_ours, "a request without our Via: {}", shown(octets));
            return remember(&mut self.sent, flow, octets);
        };
        if matches!(status, 401 | 407) {
            self.challenge = octets.to_vec();
        }
        // What passes without a transaction is answered as often as its servers answer, and a CANCEL for nothing here does
        // (RFC 3261 §16.10). What is refused is forgotten at once, so its repetition is another request.
        let answers_cancel = message.cseq().method == Method::Cancel || self.cancels.contains(&below(&message));
        let counts = !self.told.let_pass && !self.hub.has_let_pass() && !answers_cancel;
        let tally = self.tallies.entry(key(&message)).or_default();
        let own = self.malformed > 0 || tally.vias.contains(&below(&message));
        assert!(own || !counts, "Vias that the request had not: {}", shown(octets));
        if status < 200 {
            return;
        }
        if status < 300 {
            tally.accepted += 1;
        } else {
            tally.refusals.insert(octets.to_vec());
        }
        let answers = tally.refusals.len() + usize::from(tally.accepted > 0);
        assert!(
            !counts || answers <= tally.received + self.malformed,
            "{answers} answers to {}: {}",
            tally.received,
            shown(octets)
        );
    }

    fn unblock(&mut self) {
        self.blocked = false;
        for flow in core::mem::take(&mut self.deferred) {
            self.hub.flow_writable(self.now, flow);
            self.drain();
        }
    }

    fn tell(&mut self, ticket: Ticket, count: u8) {
        let target = Target { address: peer(1).remote, transport: Transport::Udp };
        play::tell(&mut self.hub, self.now, (ticket, count), (target, peer(13)));
    }

    /// Lets time pass, with its timers.
    fn pass(&mut self, until: Instant) {
        for _ in 0..WAKE_UPS {
            if !play::wake(&mut self.hub, &mut self.now, until) {
                return;
            }
            self.drain();
        }
        panic!("more than {WAKE_UPS} wake-ups: time stands still");
    }

    /// Lets everything end by its timers, and looks whether something is left.
    fn close(&mut self) {
        self.told.policy = 0;
        self.unblock();
        self.holding.resume_all(&mut self.hub);
        self.drain();
        // Timer C of each serial target and 64·T1 behind it, then the longest binding.
        for seconds in [250; 12].into_iter().chain([90_000, 250, 250]) {
            while let Some(ticket) = self.questions.pop() {
                self.tell(ticket, 0);
                self.drain();
            }
            self.pass(self.now + Duration::from_secs(seconds));
        }
        let after = self.hub.held();
        let held = (after.transactions, after.contexts, after.branches);
        assert_eq!(held, (0, 0, 0), "transactions, contexts and bindings, branches held at rest");
        assert_eq!(after.octets, self.before.octets, "octets held at rest");
        assert!(self.told.asked.is_empty(), "a question whose end was not told");
        assert!(self.told.let_pass || self.told.searched.is_empty(), "a search whose end was not told");
        assert_eq!(self.hub.poll_timeout(), None, "a timer at rest");
    }
}

/// Keeps the last messages.
fn remember(all: &mut Vec<(Flow, Vec<u8>)>, flow: Flow, octets: &[u8]) {
    if all.len() == REMEMBERED {
        all.remove(0);
    }
    all.push((flow, octets.to_vec()));
}
