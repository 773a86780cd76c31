//! What strangers send: garbage, messages cut at every byte, spoilt, crowded, forged; at a phone with a call and a binding.
//!
//! Never a panic, a stall or a table that stays full; the call and the binding survive, what does not parse is counted, and when
//! all is over nothing is held. Each input has at most [`ACTIONS`] actions. Forged messages here do not know the dialog's tags, or
//! are spoilt copies of what was sent before: a stranger who can read the line can end a call, and no test denies it.

use crate::hall::Hall;
use core::net::SocketAddr;
use fastrand::Rng;
use sip_core::message::Message;
use sip_core::role::Role;
use sip_core::time::Duration;
use sip_core::transport::{Address, Flow};
use sip_core::ua::Arrays;
use sip_core::ua::{self, Call, Content, Registration, UserAgent};
use sip_testkit::{Config, Faults, NodeId, OFFER, Phone, World, run_seeds};

/// More than any input may cause: a flood of timers at once apart.
const ACTIONS: u32 = 60;

const METHODS: [&str; 9] = ["INVITE", "BYE", "CANCEL", "ACK", "OPTIONS", "MESSAGE", "REGISTER", "UPDATE", "NONSENSE"];

/// A phone with a call and a binding, and whom it has them with.
struct Street {
    world: World<Phone, Hall>,
    alice: NodeId,
    bob: NodeId,
    call: Call,
    binding: Registration,
    before: [ua::Occupancy; 2],
    /// All datagrams so far.
    seen: Vec<Vec<u8>>,
}

impl Street {
    fn new(mut config: Config) -> Self {
        config.faults = Faults::LINE;
        config.livelock = ACTIONS;
        config.ladder = config.ladder.max(60);
        let mut world = World::new(config, Hall::default());
        let mut add = |name: &str, text: &str| {
            let identity = format!("sip:{name}@example.com");
            let mut config = ua::Config::new(text, &identity);
            config.contact_user = name;
            config.methods = "MESSAGE, REGISTER";
            let mut phone = UserAgent::new(Arrays::default());
            phone.start(&config, world.role_seed()).expect("a configuration that can be used");
            world.add(name, Address::from(text.parse::<SocketAddr>().expect("an address")), phone)
        };
        let (alice, bob) = (add("alice", "192.0.2.1:5060"), add("bob", "192.0.2.2:5060"));
        let before = [alice, bob].map(|node| world.role(node).occupancy());
        let offer = Content::sdp(OFFER);
        let call = world.act(alice, |phone, now| phone.call(now, "sip:bob@192.0.2.2", "", &offer)).expect("room");
        let binding = world.act(alice, |phone, now| phone.register(now, "sip:192.0.2.2", "sip:a@192.0.2.2", 3600));
        let binding = binding.expect("room");
        world.run_for(Duration::from_millis(100));
        let (_, incoming) = world.user().last.expect("a call");
        world.act(bob, |phone, now| phone.reinvite(now, incoming, &offer)).expect("an established call");
        let asked = world.act(alice, |phone, now| {
            phone.request(now, sip_core::message::Method::Options, "sip:192.0.2.2", &Content::NONE)
        });
        asked.expect("room");
        world.run_for(Duration::from_secs(40));
        assert_eq!((world.user().answered, world.user().reinvited, world.user().registered), (1, 1, 1));
        world.user_mut().declines = true;
        let seen = world.ladder().datagrams().map(|entry| entry.bytes.clone()).collect();
        Self { world, alice, bob, call, binding, before, seen }
    }

    /// A datagram at alice, from a stranger or from bob's address, and whether it could be read.
    fn throw(&mut self, stranger: bool, bytes: &[u8]) {
        let from = if stranger { "203.0.113.7:5060" } else { "192.0.2.2:5060" };
        let from = Address::from(from.parse::<SocketAddr>().expect("an address"));
        let malformed = self.world.role(self.alice).statistics().malformed;
        let parsed = Message::parse(bytes);
        self.world.act(self.alice, |phone, now| match &parsed {
            Ok(message) => _ = phone.receive(now, Flow::udp(from), message),
            Err(failure) => phone.receive_malformed(now, Flow::udp(from), failure),
        });
        let counted = self.world.role(self.alice).statistics().malformed - malformed;
        if counted != u32::from(parsed.is_err()) {
            self.world.fail("a message that can't be read was not counted");
        }
    }

    fn lives(&mut self, text: &str) {
        if !self.world.user().calls.contains(&(self.alice, self.call)) {
            self.world.fail(&format!("the call is over after {text}"));
        }
    }

    /// Ends the call and the binding, and checks that nothing is left.
    fn close(mut self) {
        self.world.run_for(Duration::from_secs(400));
        self.lives("a rest");
        let held = self.world.role(self.alice).occupancy();
        if (held.transactions, held.dialogs, held.calls, held.registrations) != (0, 1, 1, 1) {
            self.world.fail(&format!("held after a rest: {held:?}"));
        }
        let (call, binding) = (self.call, self.binding);
        self.world.act(self.alice, |phone, now| phone.hang_up(now, call)).expect("a live call");
        self.world.act(self.alice, |phone, now| phone.unregister(now, binding)).expect("a live binding");
        self.world.run_for(Duration::from_secs(400));
        // Bob may have lost sight of the call.
        let left: Vec<_> = self.world.user().calls.clone();
        for (node, call) in left {
            let _ = self.world.act(node, |phone, now| phone.hang_up(now, call));
        }
        if !self.world.run_until_quiet(Duration::from_secs(1000)) {
            self.world.fail("something goes on");
        }
        let after = [self.alice, self.bob].map(|node| self.world.role(node).occupancy());
        if after != self.before {
            self.world.fail(&format!("held: {after:?}, before {:?}", self.before));
        }
    }
}

/// Words that are not in the dialog.
fn token(random: &mut Rng) -> String {
    format!("{:x}", random.u64(..))
}

/// A valid request of a stranger.
fn request(random: &mut Rng) -> Vec<u8> {
    let method = METHODS[random.usize(..METHODS.len())];
    let (branch, from, call_id) = (token(random), token(random), token(random));
    let to = if random.bool() { format!(";tag={}", token(random)) } else { String::new() };
    let number = random.u32(..0x8000_0000);
    let extra = match random.u8(..6) {
        0 => "Require: 100rel\r\n",
        1 => "Content-Type: text/plain\r\n",
        2 => "Record-Route: <sip:203.0.113.9;lr>\r\n",
        _ => "",
    };
    let contact = if random.u8(..4) > 0 { "Contact: <sip:mallory@203.0.113.7>\r\n" } else { "" };
    let body = if random.bool() { "v=0\r\n" } else { "" };
    format!(
        "{method} sip:alice@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 203.0.113.7;branch=z9hG4bK{branch}\r\n\
         From: <sip:m@x>;tag={from}\r\nTo: <sip:alice@192.0.2.1>{to}\r\nCall-ID: {call_id}\r\n\
         CSeq: {number} {method}\r\nMax-Forwards: 70\r\n{contact}{extra}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// A valid response to nothing.
fn response(random: &mut Rng) -> Vec<u8> {
    let method = METHODS[random.usize(..METHODS.len())];
    let status = random.u16(100..700);
    format!(
        "SIP/2.0 {status} So\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK{}\r\nFrom: <sip:a@x>;tag={}\r\n\
         To: <sip:b@x>;tag={}\r\nCall-ID: {}\r\nCSeq: {} {method}\r\nContact: <sip:x@203.0.113.7>\r\n\
         Content-Length: 0\r\n\r\n",
        token(random),
        token(random),
        token(random),
        token(random),
        random.u32(1..9)
    )
    .into_bytes()
}

/// A message with a row left out, doubled, or bits turned.
fn spoil(random: &mut Rng, message: &[u8]) -> Vec<u8> {
    let mut bytes = message.to_vec();
    match random.u8(..4) {
        0 => {
            let mut rows: Vec<&[u8]> = message.split_inclusive(|octet| *octet == b'\n').collect();
            let row = random.usize(..rows.len());
            if random.bool() {
                rows.remove(row);
            } else {
                rows.insert(row, rows[row]);
            }
            bytes = rows.concat();
        }
        1 => bytes.truncate(random.usize(..bytes.len())),
        2 => {
            for _ in 0..random.usize(1..4) {
                let place = random.usize(..bytes.len());
                bytes[place] ^= 1 << random.u8(..8);
            }
        }
        _ => {
            let (place, count) = (random.usize(..bytes.len()), random.usize(1..40));
            let noise: Vec<u8> = (0..count).map(|_| random.u8(..)).collect();
            bytes.splice(place..place, noise);
        }
    }
    bytes
}

#[test]
fn what_strangers_send_harms_no_call() {
    run_seeds(0..20_000, |config| {
        let mut random = Rng::with_seed(config.seed);
        let mut street = Street::new(config);
        for _ in 0..60 {
            let bytes = match random.u8(..8) {
                0 => (0..random.usize(..300)).map(|_| random.u8(..)).collect(),
                1 | 2 => request(&mut random),
                3 => response(&mut random),
                4 => {
                    let whole = request(&mut random);
                    spoil(&mut random, &whole)
                }
                _ => {
                    let whole = street.seen[random.usize(..street.seen.len())].clone();
                    spoil(&mut random, &whole)
                }
            };
            let stranger = random.bool();
            street.throw(stranger, &bytes);
            street.lives(&String::from_utf8_lossy(&bytes));
            if random.u8(..4) == 0 {
                street.world.run_for(Duration::from_millis(random.u64(1..3000)));
            }
        }
        street.close();
    });
}

#[test]
fn a_message_cut_at_every_byte_harms_no_call() {
    let mut street = Street::new(Config::new(1));
    for message in street.seen.clone() {
        for end in 0..message.len() {
            street.throw(end % 2 == 0, &message[..end]);
            street.world.run_for(Duration::from_millis(1));
        }
        street.lives("cut messages");
        street.world.run_for(Duration::from_secs(1));
    }
    let counted = street.world.role(street.alice).statistics();
    assert!(counted.malformed > 3_000, "{counted:?}");
    street.close();
}

#[test]
fn every_message_again_harms_no_call() {
    let mut street = Street::new(Config::new(2));
    for message in street.seen.clone() {
        for stranger in [false, true] {
            street.throw(stranger, &message);
            street.throw(stranger, &message);
            street.lives("repeated messages");
        }
        street.world.run_for(Duration::from_millis(100));
    }
    assert!(street.world.role(street.alice).statistics().strays > 0);
    street.close();
}

#[test]
fn a_flood_of_requests_ends_with_empty_tables_and_is_counted() {
    let mut street = Street::new(Config::new(3));
    let mut random = Rng::with_seed(3);
    for _ in 0..20_000 {
        let bytes = request(&mut random);
        street.throw(true, &bytes);
        street.world.run_for(Duration::from_millis(1));
    }
    street.lives("a flood");
    let counted = street.world.role(street.alice).statistics();
    assert!(counted.refused > 1_000, "{counted:?}");
    street.close();
}
