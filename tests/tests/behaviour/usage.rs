//! How much of its memory a phone uses, at most, in ordinary calls: what the advice in the README stands on.
//!
//! A call has a description of ordinary size, and the next one follows before the entries of the last have gone. Each figure
//! is a bound that the test holds; run with `--nocapture` to have them printed.

use core::net::SocketAddr;
use sip_core::time::Duration;
use sip_core::transport::Address;
use sip_core::ua::Arrays;
use sip_core::ua::{Call, Config as Settings, Content, Event, Occupancy, UserAgent};
use sip_testkit::{Config, Events, NodeId, Phones, World};

/// More than any of these needs, so that nothing is refused.
type Roomy = UserAgent<Arrays<64, 16, 8, 1, 32768>>;

/// Four codecs and keys, as a desk phone offers them: 392 octets.
const DESCRIPTION: &[u8] = b"v=0\r\no=- 3866520000 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
m=audio 16384 RTP/AVP 9 8 0 18 101\r\na=rtpmap:9 G722/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n\
a=rtpmap:18 G729/8000\r\na=fmtp:18 annexb=no\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\n\
a=rtcp:16385\r\na=sendrecv\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz\r\n";

/// The larger of each.
fn larger(one: Occupancy, other: Occupancy) -> Occupancy {
    Occupancy {
        transactions: one.transactions.max(other.transactions),
        dialogs: one.dialogs.max(other.dialogs),
        calls: one.calls.max(other.calls),
        registrations: one.registrations.max(other.registrations),
        referrals: one.referrals.max(other.referrals),
        octets: one.octets.max(other.octets),
        reserved: one.reserved.max(other.reserved),
    }
}

/// Two phones, and the most that each has used at any moment.
struct Watched {
    world: World<Roomy, Events<Event>>,
    nodes: [NodeId; 2],
    most: [Occupancy; 2],
    /// The most octets used and reserved in one moment.
    octets: [usize; 2],
}

impl Watched {
    fn new(seed: u64) -> Self {
        let mut world = World::new(Config::new(seed).with_ladder(500), Events::default());
        let nodes = [("alice", "192.0.2.1:5060"), ("bob", "192.0.2.2:5060")].map(|(name, address)| {
            let identity = format!("sip:{name}@example.com");
            let mut settings = Settings::new(address, &identity);
            settings.contact_user = name;
            settings.user_agent = "Example Phone/1.0";
            let mut phone = UserAgent::new(Arrays::new());
            phone.start(&settings, world.role_seed()).expect("a configuration that can be used");
            world.add(name, Address::from(address.parse::<SocketAddr>().expect("an address")), phone)
        });
        let mut watched = Self { world, nodes, most: [Occupancy::default(); 2], octets: [0; 2] };
        watched.look();
        watched
    }

    fn look(&mut self) {
        for (place, node) in self.nodes.into_iter().enumerate() {
            let now = self.world.role(node).occupancy();
            self.most[place] = larger(self.most[place], now);
            self.octets[place] = self.octets[place].max(now.octets + now.reserved);
        }
    }

    fn act<T>(&mut self, who: usize, act: impl FnOnce(&mut Roomy, sip_core::time::Instant) -> T) -> T {
        let done = self.world.act(self.nodes[who], act);
        self.look();
        done
    }

    fn pass(&mut self, milliseconds: u64) {
        let end = self.world.now() + Duration::from_millis(milliseconds);
        while self.world.next_wakeup().is_some_and(|next| next <= end) {
            self.world.step();
            self.look();
        }
        let left = end.since(self.world.now());
        self.world.run_for(left);
    }

    /// Alice calls Bob, who rings and answers; the handles of both.
    fn call(&mut self) -> [Call; 2] {
        let ours = self.act(0, |phone, now| phone.call(now, "sip:bob@192.0.2.2", "", &Content::sdp(DESCRIPTION)));
        let ours = ours.expect("room for a call");
        self.pass(100);
        let incoming = self.world.user().of(self.nodes[1]).filter_map(|event| match event {
            Event::Incoming { call } => Some(call),
            _ => None,
        });
        let theirs = incoming.last().expect("a call that came in");
        self.act(1, |phone, now| phone.ring(now, theirs, 180, &Content::NONE)).expect("room to ring");
        self.pass(3000);
        self.act(1, |phone, now| phone.answer(now, theirs, &Content::sdp(DESCRIPTION))).expect("room to answer");
        self.pass(500);
        [ours, theirs]
    }

    /// `count` calls at once, each held and resumed if `hold`; Alice ends them, and the same comes again at once.
    fn evening(count: usize, hold: bool) -> Self {
        let mut watched = Self::new(1);
        for _ in 0..2 {
            let calls: Vec<[Call; 2]> = (0..count).map(|_| watched.call()).collect();
            for [ours, theirs] in calls {
                for _ in 0..if hold { 2 } else { 0 } {
                    let offer = Content::sdp(DESCRIPTION);
                    watched.act(0, |phone, now| phone.reinvite(now, ours, &offer)).expect("room for a re-INVITE");
                    watched.pass(100);
                    watched.act(1, |phone, now| phone.answer(now, theirs, &offer)).expect("room to answer");
                    watched.pass(1000);
                }
                watched.act(0, |phone, now| phone.hang_up(now, ours)).expect("a call to end");
                watched.pass(1000);
            }
        }
        let refused = watched.world.role(watched.nodes[1]).statistics();
        assert_eq!(refused, sip_core::ua::Statistics::default());
        watched
    }
}

/// Transactions, dialogs, octets with what is reserved: of the caller, then of the callee.
fn figures(watched: &Watched) -> [[usize; 3]; 2] {
    [0, 1].map(|place| [watched.most[place].transactions, watched.most[place].dialogs, watched.octets[place]])
}

#[test]
fn what_ordinary_calls_use() {
    for (calls, hold, caller, callee) in [
        (1, false, [4, 1, 2250], [4, 1, 2450]),
        (1, true, [7, 1, 2300], [8, 1, 2450]),
        (2, false, [6, 2, 3050], [8, 2, 3400]),
        (2, true, [14, 2, 3100], [16, 2, 3400]),
        (4, false, [11, 4, 4600], [15, 4, 5350]),
        (4, true, [17, 4, 4650], [21, 4, 5350]),
    ] {
        let found = figures(&Watched::evening(calls, hold));
        println!("{calls} calls, held {hold}: {found:?} transactions, dialogs, octets");
        for (found, most) in found.into_iter().zip([caller, callee]) {
            let [transactions, dialogs, octets] = most;
            assert_eq!([found[0], found[1]], [transactions, dialogs], "{calls} calls, held {hold}");
            assert!((octets - 100..=octets).contains(&found[2]), "{calls} calls, held {hold}: {} octets", found[2]);
        }
    }
}

#[test]
fn what_digest_adds() {
    let (mut phones, alice, mut wire) = Phones::scripted(1);
    phones.act(alice, |phone, _| phone.add_credentials("r", "alice", "secret")).unwrap();
    let mut most = Occupancy::default();
    let mut octets = 0;
    let mut look = |phones: &Phones| {
        let now = phones.world.role(alice).occupancy();
        most = larger(most, now);
        octets = octets.max(now.octets + now.reserved);
    };
    let challenge = |name: &str, nonce: &str| {
        format!(
            "{name}: Digest realm=\"r\", nonce=\"{nonce}{nonce}{nonce}{nonce}\", qop=\"auth\", algorithm=SHA-256\r\n"
        )
    };
    phones.act(alice, |phone, now| phone.register(now, "sip:192.0.2.9", "sip:alice@192.0.2.9", 600)).unwrap();
    look(&phones);
    let first = wire.expect(&phones, "REGISTER");
    wire.respond(&mut phones, alice, &first, 401, &challenge("WWW-Authenticate", "0123456789abcdef"));
    look(&phones);
    let second = wire.expect(&phones, "REGISTER");
    let contact = format!("Contact: {};expires=600\r\n", second.header("Contact"));
    wire.respond(&mut phones, alice, &second, 200, &contact);
    look(&phones);
    phones.act(alice, |phone, now| phone.call(now, "sip:bob@192.0.2.9", "", &Content::sdp(DESCRIPTION))).unwrap();
    look(&phones);
    let first = wire.expect(&phones, "INVITE");
    wire.respond(&mut phones, alice, &first, 407, &challenge("Proxy-Authenticate", "fedcba9876543210"));
    look(&phones);
    let heard = wire.expect_all(&phones, &["ACK", "INVITE"]);
    wire.accept(&mut phones, alice, &heard[1], "t", DESCRIPTION);
    look(&phones);
    println!("register and call with digest: {most:?}, octets with the reserve {octets}");
    assert_eq!((most.transactions, most.dialogs, most.registrations), (4, 1, 1));
    assert!((2800..=2900).contains(&octets), "{octets} octets");
}
