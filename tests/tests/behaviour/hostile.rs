//! Whatever a registrar or a callee answers, it drives no phone into a storm: a seed chooses the answers.
//!
//! Covers the kind behind issue 9 §1 "Storms and lost calls": every retry that a peer can cause has a cap and growing waits (RFC
//! 3261 §8.1.3.5, §10.2.8, §14.1, §20.33, §22.1; RFC 5626 §4.5), over datagrams and connections. What each single answer means
//! is in register.rs, digest.rs, reinvite.rs and their like. A registrar that grants a few seconds only is not covered: its
//! refreshes are as frequent as it wants them.

use fastrand::Rng;
use sip_core::message::Method;
use sip_core::transport::Transport;
use sip_core::ua::{Call, Content, Event};
use sip_testkit::{ANSWER, Heard, NodeId, OFFER, Phones, Wire, run_seeds};
use std::collections::BTreeMap;

/// What the peer does with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whim {
    Accept,
    AcceptAndClose,
    GrantNothing,
    Challenge,
    ChallengeAndClose,
    Longer,
    ComeBackAtOnce,
    Busy,
    Pending,
    Elsewhere,
    Refuse,
    Close,
    Silence,
}

const WHIMS: [Whim; 13] = [
    Whim::Accept,
    Whim::AcceptAndClose,
    Whim::GrantNothing,
    Whim::Challenge,
    Whim::ChallengeAndClose,
    Whim::Longer,
    Whim::ComeBackAtOnce,
    Whim::Busy,
    Whim::Pending,
    Whim::Elsewhere,
    Whim::Refuse,
    Whim::Close,
    Whim::Silence,
];

/// A peer that answers as the seed wants.
struct Peer {
    wire: Wire,
    random: Rng,
    /// Does the same always, or what is drawn anew for each request.
    constant: Option<Whim>,
    /// The first request is accepted whatever comes later.
    friendly: bool,
    answered: u32,
    /// When each new request came, by its branch and method.
    seen: BTreeMap<(String, String), u64>,
}

impl Peer {
    fn new(phones: &mut Phones, seed: u64, transport: Transport) -> Self {
        let mut random = Rng::with_seed(seed);
        let constant = WHIMS.get(seed as usize / 4).copied();
        let wire = match transport {
            Transport::Tcp => Wire::listening(phones, "192.0.2.9:5060"),
            _ => Wire::new("192.0.2.9:5060"),
        };
        let answered = random.u32(..1000);
        let friendly = seed / 2 % 2 == 1;
        Self { wire, random, constant, friendly, answered, seen: BTreeMap::new() }
    }

    /// Answers what has come.
    fn serve(&mut self, phones: &mut Phones, phone: NodeId) {
        for request in self.wire.hear(phones) {
            let kind = request.kind();
            if kind == "CRLF" || kind.parse::<u16>().is_ok() {
                continue;
            }
            let first = self.seen.insert((request.branch(), kind.clone()), request.at).is_none();
            if kind != "ACK" && first {
                self.answer(phones, phone, &request);
            }
        }
    }

    fn answer(&mut self, phones: &mut Phones, phone: NodeId, request: &Heard) {
        let mut whim = self.constant.unwrap_or_else(|| WHIMS[self.random.usize(..WHIMS.len())]);
        if core::mem::take(&mut self.friendly) {
            whim = Whim::Accept;
        }
        self.answered += 1;
        let number = self.answered;
        let contact = match request.rows("Contact").first() {
            Some(contact) if request.kind() == "REGISTER" => format!("Contact: {contact}"),
            _ => self.wire.contact().trim_end().to_owned(),
        };
        let challenge = format!("WWW-Authenticate: Digest realm=\"example.com\",nonce=\"{number}\"\r\n");
        let (status, rows) = match whim {
            Whim::Accept | Whim::AcceptAndClose => (200, format!("{contact};expires=60\r\n")),
            Whim::GrantNothing => (200, format!("{contact};expires=0\r\n")),
            Whim::Challenge | Whim::ChallengeAndClose => (401, challenge),
            Whim::Longer => (423, format!("Min-Expires: {}\r\n", 3600 + 60 * number)),
            Whim::ComeBackAtOnce => (503, "Retry-After: 0\r\n".into()),
            Whim::Busy => (500, "Retry-After: 0\r\n".into()),
            Whim::Pending => (491, String::new()),
            Whim::Elsewhere => (302, "Contact: <sip:alice@192.0.2.9>\r\n".into()),
            Whim::Refuse => (403, String::new()),
            Whim::Close | Whim::Silence => (0, String::new()),
        };
        // A connection may have been closed behind an earlier answer.
        let over_tcp = request.text().contains("SIP/2.0/TCP");
        if status > 0 && (!over_tcp || !self.wire.connections(phones).is_empty()) {
            let body = if status == 200 && request.kind() == "INVITE" { ANSWER } else { b"" };
            self.wire.send(phones, phone, &request.response(status, "peer", &rows, body));
        }
        if matches!(whim, Whim::AcceptAndClose | Whim::ChallengeAndClose | Whim::Close) {
            self.wire.close(phones);
        }
    }

    /// The most new requests within `span` milliseconds.
    fn peak(&self, span: u64) -> usize {
        let mut times: Vec<u64> = self.seen.values().copied().collect();
        times.sort_unstable();
        let within = |at: &u64| times.iter().filter(|other| (*at..at + span).contains(*other)).count();
        times.iter().map(within).max().unwrap_or(0)
    }

    fn check(&self, phones: &Phones, span: u64, most: usize) {
        let peak = self.peak(span);
        if peak > most {
            let kinds: Vec<_> = self.seen.iter().map(|((_, kind), at)| (*at, kind.as_str())).take(40).collect();
            panic!("{peak} requests in {span} ms, always {:?}: {kinds:?}\n{}", self.constant, phones.world.explain());
        }
    }
}

fn phone(seed: u64) -> (Phones, NodeId, Peer) {
    let transport = if seed.is_multiple_of(2) { Transport::Udp } else { Transport::Tcp };
    let mut phones = Phones::new(seed);
    let alice = phones.add_with("alice", "192.0.2.1:5060", |config| config.transport = transport);
    phones.act(alice, |phone, _| phone.add_credentials("", "alice", "secret")).unwrap();
    let peer = Peer::new(&mut phones, seed, transport);
    (phones, alice, peer)
}

#[test]
fn no_registrar_draws_a_storm_of_registers() {
    run_seeds(0..100, |config| {
        let (mut phones, alice, mut registrar) = phone(config.seed);
        let register =
            phones.act(alice, |phone, now| phone.register(now, "sip:192.0.2.9", "sip:alice@example.com", 3600));
        register.unwrap();
        while phones.now() < 600_000 {
            phones.wait(20);
            registrar.serve(&mut phones, alice);
        }
        registrar.check(&phones, 1_000, 8);
        registrar.check(&phones, 600_000, 30);
    });
}

/// Calls, and once the call is there changes it, asks in it, and ends it.
fn use_a_call(phones: &mut Phones, alice: NodeId, call: Call, second: u64) {
    phones.act(alice, |phone, now| {
        let _ = match second {
            5 | 20 | 40 => phone.reinvite(now, call, &Content::sdp(OFFER)),
            10 | 30 => phone.request_in_call(now, call, Method::Info, &Content::NONE).map(drop),
            60 => phone.hang_up(now, call),
            _ => Ok(()),
        };
    });
}

#[test]
fn no_callee_draws_a_storm_of_requests() {
    run_seeds(0..200, |config| {
        let (mut phones, alice, mut callee) = phone(config.seed);
        let call = phones.call(alice, "sip:wire@192.0.2.9");
        for second in 0..200 {
            for _ in 0..50 {
                phones.wait(20);
                callee.serve(&mut phones, alice);
            }
            use_a_call(&mut phones, alice, call, second);
        }
        callee.check(&phones, 1_000, 8);
        callee.check(&phones, 200_000, 32);
        let ended = phones.events(alice).iter().filter(|event| matches!(event, Event::Ended { .. })).count();
        assert_eq!(ended, 1, "{}", phones.world.explain());
    });
}
