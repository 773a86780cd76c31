//! A world of user agents, as most tests want it.

use crate::{Config, Events, HasWorld, Leg, NodeId, Wire, World};
use sip_core::time::Duration;
use sip_core::transport::Address;
use sip_core::ua::{self, Arrays, Call, Cause, Content, Event, UserAgent};
use std::net::SocketAddr;

/// A user agent with the memory of a desk phone: 16 transactions, 4 dialogs, 2 calls, 1 registration, 8 KiB of octets, 2 REFERs.
pub type Phone = UserAgent<Arrays<16, 4, 2, 1, 8192, 2>>;

/// A session description that offers.
pub const OFFER: &[u8] =
    b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";

/// A session description that answers.
pub const ANSWER: &[u8] =
    b"v=0\r\no=- 2 1 IN IP4 192.0.2.2\r\ns=-\r\nc=IN IP4 192.0.2.2\r\nt=0 0\r\nm=audio 4002 RTP/AVP 0\r\n";

/// User agents on a simulated network, whose events are recorded.
pub struct Phones {
    /// The world they are in.
    pub world: World<Phone, Events<Event>>,
}

impl Phones {
    /// A network without faults, with a ladder, the fingerprint checked at every step.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self::with(Config::new(seed).with_ladder(5000).with_check())
    }

    /// A network as `config` says.
    #[must_use]
    pub fn with(config: Config) -> Self {
        Self { world: World::new(config, Events::default()) }
    }

    /// One phone, `sip:alice@192.0.2.1`, and a scripted peer, `sip:wire@192.0.2.9`.
    #[must_use]
    pub fn scripted(seed: u64) -> (Self, NodeId, Wire) {
        let mut phones = Self::new(seed);
        let alice = phones.add("alice", "192.0.2.1:5060");
        (phones, alice, Wire::new("192.0.2.9:5060"))
    }

    /// Two phones, `sip:alice@192.0.2.1` and `sip:bob@192.0.2.2`.
    #[must_use]
    pub fn pair(seed: u64) -> (Self, NodeId, NodeId) {
        let mut phones = Self::new(seed);
        let (alice, bob) = (phones.add("alice", "192.0.2.1:5060"), phones.add("bob", "192.0.2.2:5060"));
        (phones, alice, bob)
    }

    /// Adds a phone called `name` at `address` (`192.0.2.1:5060`).
    ///
    /// # Panics
    /// When `address` is not an address.
    pub fn add(&mut self, name: &str, address: &str) -> NodeId {
        self.add_with(name, address, |_| {})
    }

    /// Adds a phone with a changed configuration.
    ///
    /// # Panics
    /// When `address` is not an address, or the configuration is refused.
    pub fn add_with(&mut self, name: &str, address: &str, change: impl FnOnce(&mut ua::Config<'_>)) -> NodeId {
        let seed = self.world.role_seed();
        let identity = format!("sip:{name}@example.com");
        let mut config = ua::Config::new(address, &identity);
        config.contact_user = name;
        change(&mut config);
        let mut phone = UserAgent::new(Arrays::with_referrals());
        phone.start(&config, seed).expect("a configuration that can be used");
        let address: SocketAddr = address.parse().expect("an address");
        self.world.add(name, Address::from(address), phone)
    }

    /// Calls `target` from a phone with an offer.
    ///
    /// # Panics
    /// When the phone refuses.
    pub fn call(&mut self, from: NodeId, target: &str) -> Call {
        self.act(from, |phone, now| phone.call(now, target, "", &Content::sdp(OFFER)).expect("room for a call"))
    }

    /// Does something at a phone and drains what comes of it.
    pub fn act<T>(&mut self, node: NodeId, act: impl FnOnce(&mut Phone, sip_core::time::Instant) -> T) -> T {
        self.world.act(node, act)
    }

    /// Lets 100 ms pass: every message on a line without faults arrives.
    pub fn pause(&mut self) {
        self.world.run_for(Duration::from_millis(100));
    }

    /// Lets so many milliseconds pass.
    pub fn wait(&mut self, milliseconds: u64) {
        self.world.run_for(Duration::from_millis(milliseconds));
    }

    /// The clock, in milliseconds.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.world.now().as_millis()
    }

    /// All events of a phone.
    #[must_use]
    pub fn events(&self, node: NodeId) -> Vec<Event> {
        self.world.user().of(node).collect()
    }

    /// How a phone's calls ended, in order.
    #[must_use]
    pub fn ended(&self, node: NodeId) -> Vec<(Cause, u16)> {
        let ended = self.world.user().of(node).filter_map(|event| match event {
            Event::Ended { cause, status, .. } => Some((cause, status)),
            _ => None,
        });
        ended.collect()
    }

    /// Hangs up.
    ///
    /// # Panics
    /// When the call has ended already.
    pub fn hang_up(&mut self, node: NodeId, call: Call) {
        self.act(node, |phone, now| phone.hang_up(now, call)).expect("a call to end");
    }

    /// Answers with [`ANSWER`].
    ///
    /// # Panics
    /// When nothing waits for an answer.
    pub fn answer(&mut self, node: NodeId, call: Call) {
        self.act(node, |phone, now| phone.answer(now, call, &Content::sdp(ANSWER))).expect("an INVITE to answer");
    }

    /// The last event of a phone.
    #[must_use]
    pub fn last(&self, node: NodeId) -> Option<Event> {
        self.world.user().of(node).last()
    }

    /// The call that has come in at a phone last.
    ///
    /// # Panics
    /// With the ladder, when none has.
    #[must_use]
    pub fn incoming(&self, node: NodeId) -> Call {
        let calls = self.world.user().of(node).filter_map(|event| match event {
            Event::Incoming { call } => Some(call),
            _ => None,
        });
        calls.last().unwrap_or_else(|| panic!("no call came\n{}", self.world.explain()))
    }

    /// Two phones in an established call: the caller's handle and the callee's.
    ///
    /// # Panics
    /// With the ladder, when the call does not come about.
    pub fn established(&mut self, caller: NodeId, callee: NodeId, target: &str) -> (Call, Call) {
        let call = self.call(caller, target);
        self.pause();
        let incoming = self.incoming(callee);
        self.act(callee, |phone, now| phone.answer(now, incoming, &Content::sdp(ANSWER)).expect("a call to answer"));
        self.pause();
        assert_eq!(self.last(caller), Some(Event::Answered { call, answer_due: false }), "{}", self.world.explain());
        assert_eq!(self.last(callee), Some(Event::Confirmed { call: incoming }), "{}", self.world.explain());
        (call, incoming)
    }

    /// Runs until nothing is left to happen and checks that no phone holds anything but registrations.
    ///
    /// # Panics
    /// With the ladder, when something goes on for more than half an hour, or is held.
    pub fn settle(&mut self) {
        assert!(self.world.run_until_quiet(Duration::from_secs(1800)), "not quiet\n{}", self.world.explain());
        for node in self.world.nodes() {
            let held = self.world.role(node).occupancy();
            let tables = (held.transactions, held.dialogs, held.calls, held.referrals);
            assert_eq!(tables, (0, 0, 0, 0), "transactions, dialogs, calls, REFERs held\n{}", self.world.explain());
        }
    }
}

impl HasWorld for Phones {
    type Role = Phone;
    type User = Events<Event>;

    fn world(&self) -> &World<Phone, Events<Event>> {
        &self.world
    }

    fn world_mut(&mut self) -> &mut World<Phone, Events<Event>> {
        &mut self.world
    }
}

impl Wire {
    /// Calls a phone and has it answer: the established dialog, and the phone's INVITE response. What was sent is read.
    ///
    /// # Panics
    /// When the call does not come about.
    pub fn call(&mut self, phones: &mut Phones, to: NodeId, target: &str, rows: &str) -> Leg {
        let mut leg = self.leg(target);
        let rows = format!("{}{rows}", self.contact());
        let invite = self.request(&mut leg, "INVITE", &rows, OFFER);
        self.send(phones, to, &invite);
        let call = phones.incoming(to);
        let content = Content::sdp(ANSWER);
        phones.act(to, |phone, now| phone.answer(now, call, &content)).expect("a call to answer");
        let answer = self.expect(phones, "200");
        leg.remote = answer.header("To");
        leg.target = answer.contact();
        let ack_branch = self.branch();
        let ack = self.request_as(&leg, "ACK", &ack_branch, "", b"");
        self.send(phones, to, &ack);
        leg
    }
}
