//! Nodes on a simulated network in virtual time.

mod connections;
mod drive;
mod medium;
#[cfg(test)]
mod tests;

use crate::config::{Config, Stats};
use crate::ladder::Ladder;
use crate::network::Network;
use crate::report::Report;
use crate::user::User;
use core::fmt::Debug;
use fastrand::Rng;
use medium::Medium;
use sip_core::random::Seed;
use sip_core::role::Role;
use sip_core::time::{Duration, Instant};
use sip_core::transport::{Address, FlowError, Target};

/// Names a node of a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(usize);

impl NodeId {
    /// The node that is added first.
    pub const FIRST: Self = Self(0);

    /// The node that is added after `before` others.
    #[must_use]
    pub const fn nth(before: usize) -> Self {
        Self(before)
    }

    /// The node's place in the order of adding, from zero.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0
    }
}

/// Nodes, the network between them, the clock over them and the user above them.
#[derive(Debug)]
pub struct World<R, U = ()> {
    user: U,
    nodes: Vec<Node<R>>,
    config: Config,
    now: Instant,
    medium: Medium,
    hosts: Vec<(String, Target)>,
    /// Where scripted peers are, and where they take connections.
    peers: Vec<Address>,
    scripted: Vec<Address>,
    seeds: Rng,
    inputs: u32,
    trace: u64,
}

#[derive(Debug)]
struct Node<R> {
    role: R,
    address: Address,
    timeout: Option<Instant>,
    unplugged: bool,
    refuses: bool,
    /// Whether it takes connections.
    listens: bool,
    /// How many of its next writes fail, and why.
    failing: Option<(u32, FlowError)>,
}

/// A world, or a fixture around one: what a [`Wire`](crate::Wire) is attached to.
pub trait HasWorld {
    /// The role of its nodes.
    type Role: Role<Event: Debug>;
    /// Its user.
    type User: User<Self::Role>;

    /// The world.
    fn world(&self) -> &World<Self::Role, Self::User>;

    /// The world, to make something happen in it.
    fn world_mut(&mut self) -> &mut World<Self::Role, Self::User>;
}

impl<R: Role<Event: Debug>, U: User<R>> HasWorld for World<R, U> {
    type Role = R;
    type User = U;

    fn world(&self) -> &Self {
        self
    }

    fn world_mut(&mut self) -> &mut Self {
        self
    }
}

#[derive(Clone, Copy)]
enum Source {
    Task,
    Arrival,
    Timer(NodeId),
    User(NodeId),
}

impl<R: Role, U: User<R>> World<R, U>
where
    R::Event: Debug,
{
    /// An empty world at time zero.
    pub fn new(config: Config, user: U) -> Self {
        Self {
            user,
            nodes: Vec::new(),
            config,
            now: Instant::ZERO,
            medium: Medium::new(&config),
            hosts: Vec::new(),
            peers: Vec::new(),
            scripted: Vec::new(),
            seeds: Rng::with_seed(!config.seed),
            inputs: 0,
            trace: 0,
        }
    }

    /// A seed for the next role, drawn from the seed of the world.
    pub fn role_seed(&mut self) -> Seed {
        let mut seed = [0; 16];
        seed[..8].copy_from_slice(&self.seeds.u64(..).to_le_bytes());
        seed[8..].copy_from_slice(&self.seeds.u64(..).to_le_bytes());
        seed
    }

    /// Adds a node with a name for the ladder. The role is driven over UDP at `address`.
    ///
    /// # Panics
    /// When another node has the address.
    pub fn add(&mut self, name: &str, address: Address, role: R) -> NodeId {
        assert!(self.find(address).is_none(), "two nodes at {address}");
        let id = NodeId(self.nodes.len());
        self.medium.report.ladder.name(address, name);
        self.nodes.push(Node {
            role,
            address,
            timeout: None,
            unplugged: false,
            refuses: false,
            listens: false,
            failing: None,
        });
        self.drain(id);
        id
    }

    /// Gives a scripted peer a name for the ladder. It has no role; a [`Wire`](crate::Wire) speaks for it.
    pub fn add_peer(&mut self, name: &str, address: Address) {
        self.medium.report.ladder.name(address, name);
        self.peers.push(address);
    }

    /// Lets the name `host` resolve to `target`; several targets keep their order. Port zero stands for the port of
    /// the URI, and for the default one when it has none; [`Transport::None`](sip_core::transport::Transport::None) for that of the URI.
    pub fn add_host(&mut self, host: &str, target: Target) {
        self.hosts.push((host.to_owned(), target));
    }

    /// The clock.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.now
    }

    /// What was counted so far.
    #[must_use]
    pub fn stats(&self) -> &Stats {
        &self.medium.stats
    }

    /// A number that stands for all fingerprints of all steps so far; counted only with [`Config::check`].
    #[must_use]
    pub fn trace(&self) -> u64 {
        self.trace
    }

    /// The address of a node.
    #[must_use]
    pub fn address(&self, node: NodeId) -> Address {
        self.nodes[node.0].address
    }

    /// Where others see a node: its address, or that of the [translator](Self::translate) before it.
    #[must_use]
    pub fn outside_address(&self, node: NodeId) -> Address {
        self.medium.outside(self.address(node))
    }

    /// The role of a node; to call it, use [`act`](Self::act).
    #[must_use]
    pub fn role(&self, node: NodeId) -> &R {
        &self.nodes[node.0].role
    }

    /// The nodes, in the order of adding.
    pub fn nodes(&self) -> impl Iterator<Item = NodeId> + use<R, U> {
        (0..self.nodes.len()).map(NodeId)
    }

    /// The user.
    #[must_use]
    pub fn user(&self) -> &U {
        &self.user
    }

    /// The user, to be told what to do.
    pub fn user_mut(&mut self) -> &mut U {
        &mut self.user
    }

    /// The network, to set the faults of one direction, say.
    pub fn network_mut(&mut self) -> &mut Network {
        &mut self.medium.network
    }

    /// The ladder so far.
    #[must_use]
    pub fn ladder(&self) -> &Ladder {
        self.medium.report.ladder()
    }

    /// The report of the run.
    #[must_use]
    pub fn report(&self) -> &Report {
        &self.medium.report
    }

    /// Seed and ladder as text, for the message of an assertion; writes a capture, if
    /// [`PCAP_DIR`](crate::PCAP_DIR) says where. A panic prints it by itself.
    #[must_use]
    pub fn explain(&self) -> String {
        self.medium.report.explain()
    }

    /// Unplugs a node or plugs it in again; unplugged, whatever datagram it sends or should get is dropped in silence,
    /// and its connections are closed.
    pub fn unplug(&mut self, node: NodeId, unplugged: bool) {
        self.nodes[node.0].unplugged = unplugged;
        if unplugged {
            self.sever(node);
        }
        self.note(node, if unplugged { "unplugged" } else { "plugged in" });
    }

    /// Puts a node behind an address translator: others see it at `outside`, and reach it there and nowhere else. The node knows
    /// of nothing. Another address later is a translator that has forgotten; `None` takes the translator away.
    pub fn translate(&mut self, node: NodeId, outside: Option<Address>) {
        let inside = self.address(node);
        self.medium.translate(inside, outside);
        self.note(node, &outside.map_or_else(|| "not translated".to_owned(), |outside| format!("seen at {outside}")));
    }

    /// Lets a node's host refuse datagrams, or take them again. The sender of a refused one is told that the flow
    /// failed, as by an ICMP message.
    pub fn refuse(&mut self, node: NodeId, refuses: bool) {
        self.nodes[node.0].refuses = refuses;
        self.note(node, if refuses { "refuses datagrams" } else { "takes datagrams" });
    }

    /// Lets the next `count` writes of a node fail at once: nothing is sent. A connection that fails so is gone, of which its
    /// other end learns too, unless the error is [`FlowError::TooLarge`].
    pub fn fail_writes(&mut self, node: NodeId, count: u32, error: FlowError) {
        self.nodes[node.0].failing = Some((count, error));
    }

    /// Writes a line about a node into the ladder.
    pub fn note(&mut self, node: NodeId, text: &str) {
        self.medium.report.ladder.note(self.now, self.nodes[node.0].address, text);
    }

    /// Calls the role of a node, then does what the role wants done.
    pub fn act<T>(&mut self, node: NodeId, call: impl FnOnce(&mut R, Instant) -> T) -> T {
        let answer = call(&mut self.nodes[node.0].role, self.now);
        self.drain(node);
        answer
    }

    /// Puts a datagram of a stranger on the network, under the same faults as any other.
    pub fn inject(&mut self, from: Address, to: Address, payload: &[u8]) {
        if !self.peers.contains(&from) {
            self.peers.push(from);
        }
        self.medium.launch(self.now, from, to, payload);
    }

    /// When something happens next: an arrival, a timer, an answer to a role, an act of the user.
    #[must_use]
    pub fn next_wakeup(&self) -> Option<Instant> {
        let timers = self.nodes.iter().filter_map(|node| node.timeout);
        let user = self.user.next_wakeup().map(|(at, _)| at);
        timers.chain(user).chain(self.medium.tasks.next()).chain(self.medium.network.next_arrival()).min()
    }

    /// Jumps to the next wake-up and lets one thing happen. Among what happens in the same millisecond the seed
    /// chooses. False when nothing is left to happen.
    ///
    /// # Panics
    /// On a livelock, and with [`Config::check`] when a role breaks its contract; seed and ladder are in the message.
    pub fn step(&mut self) -> bool {
        let Some(next) = self.next_wakeup() else { return false };
        if next > self.now {
            self.now = next;
            self.inputs = 0;
        }
        self.inputs += 1;
        if self.inputs > self.config.livelock {
            self.fail("livelock: time stands still");
        }
        match self.choose() {
            Some(Source::Task) => self.do_task(),
            Some(Source::Arrival) => self.deliver(),
            Some(Source::Timer(node)) => {
                let now = self.now;
                self.act(node, |role, _| role.handle_timeout(now));
            }
            Some(Source::User(node)) => {
                self.user.wake(&mut self.nodes[node.0].role, self.now, node);
                self.drain(node);
            }
            None => {}
        }
        if self.config.check {
            self.check();
        }
        true
    }

    /// Steps until nothing is left to happen, for at most `limit`. False when the limit came first; then the clock
    /// stands at the limit.
    #[must_use]
    pub fn run_until_quiet(&mut self, limit: Duration) -> bool {
        self.run_until(limit, |_| false);
        self.next_wakeup().is_none()
    }

    /// Steps until `done` says so (asked before every step), for at most `limit`. False when it never did.
    pub fn run_until(&mut self, limit: Duration, mut done: impl FnMut(&Self) -> bool) -> bool {
        let end = self.now + limit;
        loop {
            if done(self) {
                return true;
            }
            match self.next_wakeup() {
                None => return false,
                Some(next) if next > end => {
                    self.now = end;
                    self.inputs = 0;
                    return false;
                }
                Some(_) => self.step(),
            };
        }
    }

    /// Steps for `span`; afterwards the clock stands at its end.
    pub fn run_for(&mut self, span: Duration) {
        let end = self.now + span;
        self.run_until(span, |_| false);
        if self.now < end {
            // Nothing was left to happen until then.
            self.now = end;
            self.inputs = 0;
        }
    }

    /// Fails the run with seed and ladder in the message.
    ///
    /// # Panics
    /// Always.
    pub fn fail(&mut self, why: &str) -> ! {
        let text = self.explain();
        self.medium.report.disarm();
        panic!("{why}{text}");
    }
}
