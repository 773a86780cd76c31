//! Random telephone days: what the seed makes users do, and what must hold for each end of each call whatever they do.
//!
//! A user calls, rings, answers, refuses, holds, sends requests, hangs up (at times twice) and at the latest gives up; the
//! network loses, repeats, delays and blocks; hosts vanish or refuse. Afterwards [`Day::play`] checks:
//!
//! - every end that saw a call gets exactly one `Ended`, soon after its user hung up;
//! - no event names a handle that is void, and every request of the application has one final response;
//! - when all is quiet no entry is taken, and the octets are those of the start;
//! - every datagram is a valid message, each request has its own branch and CSeq ([`Watched`]);
//! - requests beyond the size limit go by TCP where a host takes connections, and by UDP all the same where it does not;
//! - two ends of one established call on a line without faults agree on who hung up.

mod script;

pub(crate) use script::{Script, Settings};

use core::net::SocketAddr;
use fastrand::Rng;
use sip_core::time::{Duration, Instant};
use sip_core::transport::{Address, SMALLEST_MTU, Target, Transport};
use sip_core::ua::Arrays;
use sip_core::ua::{self, Cause, UserAgent};
use sip_testkit::{Config, Faults, NodeId, Watched, World};

/// A user agent with the memory of a desk phone.
pub(crate) type Phone = UserAgent<Arrays<16, 4, 2, 1, 8192>>;

/// From hanging up to `Ended`: Timer B, 64·T1 after a CANCEL or for an ACK, the BYE, and what a blocked socket adds.
const PATIENCE: Duration = Duration::from_millis(3 * 32_000 + 5_000);

/// A day that was drawn from a seed.
pub(crate) struct Day {
    config: Config,
    settings: Settings,
    random: Rng,
    /// When a node's network fails, for how long, and whether it refuses rather than vanishes.
    outage: Option<(Duration, Duration, bool)>,
    ring_limit: Duration,
    path_mtu: u16,
    transport: Transport,
    /// When all connections of a node break, one after the other.
    breaks: Vec<(u64, usize)>,
}

/// What a day came to.
#[derive(Default)]
pub(crate) struct Outcome {
    /// Calls that a user made.
    pub(crate) made: u64,
    /// Ends of calls that got as far as an answer.
    pub(crate) established: u64,
    /// Datagrams sent.
    pub(crate) sent: u64,
}

impl Day {
    /// The day of `config`'s seed; with `loss`, that many of 1,000 datagrams are lost.
    pub(crate) fn new(mut config: Config, loss: Option<u16>) -> Self {
        let mut random = Rng::with_seed(config.seed ^ 0x5eed);
        let mut faults = Faults::NONE;
        let clean = loss.is_none() && random.u8(..4) == 0;
        if !clean {
            faults.loss = loss.unwrap_or_else(|| if random.bool() { random.u16(0..=300) } else { 0 });
            if random.bool() {
                faults.duplicate = random.u16(0..=300);
            }
            if random.u8(..3) == 0 {
                faults.late = random.u16(0..=150);
                faults.late_by = Duration::from_millis(random.u64(1..=2500));
            }
            if random.u8(..4) == 0 {
                faults.block = random.u16(0..=300);
                faults.block_for = Duration::from_millis(random.u64(1..=1500));
            }
        }
        faults = match random.u8(..4) {
            0 => faults,
            1 => faults.with_delay(10, 10),
            2 => faults.with_delay(1, 80),
            _ => faults.with_delay(1, random.u64(100..=1200)),
        };
        config.faults = faults;
        config.livelock = 1000;
        let named = random.u8(..8) == 0;
        if named {
            config.answer_after = Duration::from_millis(random.u64(1..=40_000));
        }
        let outage = (!clean && random.u8(..8) == 0).then(|| {
            let (at, span) = (random.u64(0..30_000), random.u64(1..60_000));
            (Duration::from_millis(at), Duration::from_millis(span), random.bool())
        });
        let path_mtu = if random.u8(..6) == 0 { SMALLEST_MTU } else { 0 };
        let ring_limit = if random.u8(..8) == 0 { random.u64(500..40_000) } else { 180_000 };
        let settings = Settings {
            calls: if random.u8(..4) == 0 { random.usize(2..=5) } else { 1 },
            nodes: random.usize(2..=3),
            named,
            busy: random.u8(..3) == 0,
            seed: random.u64(..),
        };
        let ring_limit = Duration::from_millis(ring_limit);
        let (transport, breaks) = (Transport::Udp, Vec::new());
        Self { config, settings, random, outage, path_mtu, ring_limit, transport, breaks }
    }

    /// The day of `config`'s seed, over connections, which break at times.
    pub(crate) fn over_tcp(config: Config) -> Self {
        let mut day = Self::new(config, Some(0));
        (day.transport, day.path_mtu) = (Transport::Tcp, 0);
        for _ in 0..day.random.usize(0..6) {
            day.breaks.push((day.random.u64(0..60_000), day.random.usize(..day.settings.nodes)));
        }
        day.breaks.sort_unstable();
        day
    }

    /// Plays the day and checks it.
    ///
    /// # Panics
    /// With seed and ladder, when something does not hold.
    pub(crate) fn play(mut self) -> Outcome {
        let mut world = World::new(self.config, Script::new(&self.settings));
        for index in 0..self.settings.nodes {
            let name = ["alice", "bob", "carol"][index];
            let text = format!("192.0.2.{}:5060", index + 1);
            let identity = format!("sip:{name}@example.com");
            let mut config = ua::Config::new(&text, &identity);
            config.contact_user = name;
            config.methods = "INFO, MESSAGE";
            config.ring_limit = self.ring_limit;
            // On a path that carries hardly a request whole, most go by TCP, where the other end takes connections.
            config.path_mtu = self.path_mtu;
            config.transport = self.transport;
            let mut phone = Watched::new(Phone::new(Arrays::new()));
            // What waits for a connection is overtaken, like what waits for a socket.
            phone.in_order = self.config.faults.block == 0 && self.path_mtu == 0 && self.transport == Transport::Udp;
            phone.role.start(&config, world.role_seed()).expect("a configuration that can be used");
            let address = Address::from(text.parse::<SocketAddr>().expect("an address"));
            // The last one's name can't be resolved.
            if index < 2 {
                let target = Target { address: address.with_port(0), transport: self.transport };
                world.add_host(&format!("{name}.example.com"), target);
            }
            let node = world.add(name, address, phone);
            world.listen(node, self.transport == Transport::Tcp || self.random.bool());
        }
        let before: Vec<_> = world.nodes().map(|node| world.role(node).role.occupancy()).collect();
        if let Some((at, span, refuses)) = self.outage {
            let node = world.nodes().nth(self.random.usize(..self.settings.nodes)).expect("a node");
            let set = |world: &mut World<_, _>, down| {
                if refuses { world.refuse(node, down) } else { world.unplug(node, down) }
            };
            world.run_for(at);
            set(&mut world, true);
            world.run_for(span);
            set(&mut world, false);
        }
        for &(at, node) in &self.breaks {
            world.run_for(Instant::from_millis(at).since(world.now()));
            let node = world.nodes().nth(node).expect("a node");
            world.note(node, "connections break");
            world.sever(node);
        }
        if !world.run_until_quiet(Duration::from_secs(3600)) {
            world.fail("something goes on for more than an hour");
        }
        for (node, before) in world.nodes().zip(before) {
            let after = world.role(node).role.occupancy();
            if after != before {
                world.fail(&format!("held at {node:?} after all was quiet: {after:?}, before {before:?}"));
            }
            if let Some(fault) = world.role(node).fault.clone() {
                world.fail(&format!("sent by {node:?}: {fault}"));
            }
        }
        if let Some(fault) = self.judge(world.user()) {
            world.fail(&fault);
        }
        let records = &world.user().calls;
        let made = records.iter().filter(|record| !record.incoming).count() as u64;
        let established = records.iter().filter(|record| record.established).count() as u64;
        Outcome { made, established, sent: world.stats().sent }
    }

    /// What is wrong with the calls.
    fn judge(&self, script: &Script) -> Option<String> {
        if let Some(fault) = &script.fault {
            return Some(fault.clone());
        }
        for record in &script.calls {
            let Some((at, ..)) = record.ended else { return Some(format!("no end: {record:?}")) };
            if record.hung_up.is_some_and(|hung_up| at.since(hung_up) > PATIENCE) {
                return Some(format!("an end long after the user hung up: {record:?}"));
            }
        }
        if let Some(open) = script.requests.iter().find(|request| !request.done) {
            return Some(format!("a request without final response: {open:?}"));
        }
        let perfect = self.config.faults.loss == 0
            && self.config.faults.block == 0
            && self.outage.is_none()
            && self.breaks.is_empty()
            && self.ring_limit > Duration::from_secs(100);
        if perfect { script.calls.iter().find_map(|record| disagreement(script, record)) } else { None }
    }
}

/// Two ends of one call that both were established: the one hung up, or the other, or both at once.
fn disagreement(script: &Script, ours: &script::Record) -> Option<String> {
    let theirs = script.calls.iter().find(|other| other.number == ours.number && other.incoming != ours.incoming)?;
    if !ours.established || !theirs.established || ours.silent || theirs.silent {
        return None;
    }
    let (_, cause, _) = ours.ended?;
    let (_, other_cause, _) = theirs.ended?;
    let fine = match cause {
        Cause::LocalHangup => {
            ours.hung_up.is_some() && matches!(other_cause, Cause::RemoteHangup | Cause::LocalHangup | Cause::Lost)
        }
        // Lost by a re-INVITE that met the other end when its BYE was on the way.
        Cause::RemoteHangup | Cause::Lost => theirs.hung_up.is_some() && other_cause == Cause::LocalHangup,
        _ => false,
    };
    if fine { None } else { Some(format!("two ends disagree: {ours:?}, {theirs:?}")) }
}

/// A node's place among the names.
pub(crate) fn host(named: bool, node: NodeId) -> String {
    if named {
        format!("{}.example.com", ["alice", "bob", "carol"][node.index()])
    } else {
        format!("192.0.2.{}", node.index() + 1)
    }
}
