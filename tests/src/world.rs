//! Nodes on a simulated network in virtual time.

use crate::config::{Config, Stats};
use crate::hosts::resolve;
use crate::ladder::{Fate, Ladder};
use crate::network::Network;
use crate::pcap::MAX_PAYLOAD;
use crate::report::Report;
use crate::schedule::Schedule;
use crate::streams::{Piece, Streams};
use crate::user::User;
use core::fmt::Debug;
use core::hash::Hasher;
use fastrand::Rng;
use sip_core::message::Message;
use sip_core::random::Seed;
use sip_core::role::{Action, Received, Role};
use sip_core::time::{Duration, Instant};
use sip_core::transport::{Address, Flow, FlowError, Target, Ticket, Transport};
use std::hash::DefaultHasher;

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
    network: Network,
    tasks: Schedule<Task>,
    streams: Streams,
    blocked: Vec<(NodeId, Flow)>,
    hosts: Vec<(String, Target)>,
    seeds: Rng,
    inputs: u32,
    trace: u64,
    stats: Stats,
    report: Report,
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
}

/// What the world owes a node.
#[derive(Debug)]
enum Task {
    Writable(NodeId, Flow),
    Failed(NodeId, Flow, FlowError),
    Connect(NodeId, Ticket, Target),
    Stream(Piece),
    Resolved(NodeId, Ticket, Vec<Target>),
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
            network: Network::new(config.seed, config.faults),
            tasks: Schedule::new(),
            streams: Streams::default(),
            blocked: Vec::new(),
            hosts: Vec::new(),
            seeds: Rng::with_seed(!config.seed),
            inputs: 0,
            trace: 0,
            stats: Stats::default(),
            report: Report::new(config.seed, Ladder::new(config.ladder)),
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
        self.report.ladder.name(address, name);
        self.nodes.push(Node { role, address, timeout: None, unplugged: false, refuses: false, listens: false });
        self.drain(id);
        id
    }

    /// Lets the name `host` resolve to `target`; several targets keep their order. Port zero stands for the port of
    /// the URI, and for the default one when it has none; [`Transport::None`] for the transport of the URI.
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
        &self.stats
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
        &mut self.network
    }

    /// The ladder so far.
    #[must_use]
    pub fn ladder(&self) -> &Ladder {
        self.report.ladder()
    }

    /// The report of the run.
    #[must_use]
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// Seed and ladder as text, for the message of an assertion; writes a capture, if
    /// [`PCAP_DIR`](crate::PCAP_DIR) says where. A panic prints it by itself.
    #[must_use]
    pub fn explain(&self) -> String {
        self.report.explain()
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

    /// Lets a node's host refuse datagrams, or take them again. The sender of a refused one is told that the flow
    /// failed, as by an ICMP message.
    pub fn refuse(&mut self, node: NodeId, refuses: bool) {
        self.nodes[node.0].refuses = refuses;
        self.note(node, if refuses { "refuses datagrams" } else { "takes datagrams" });
    }

    /// Lets a node's host take TCP connections at its address, or refuse them, as it does from the start.
    pub fn listen(&mut self, node: NodeId, listens: bool) {
        self.nodes[node.0].listens = listens;
        self.note(node, if listens { "takes connections" } else { "refuses connections" });
    }

    /// Closes all connections of a node; both ends are told.
    pub fn sever(&mut self, node: NodeId) {
        for flow in self.streams.of(node) {
            self.close(flow);
        }
    }

    /// Writes a line about a node into the ladder.
    pub fn note(&mut self, node: NodeId, text: &str) {
        self.report.ladder.note(self.now, self.nodes[node.0].address, text);
    }

    /// Calls the role of a node, then does what the role wants done.
    pub fn act<T>(&mut self, node: NodeId, call: impl FnOnce(&mut R, Instant) -> T) -> T {
        let answer = call(&mut self.nodes[node.0].role, self.now);
        self.drain(node);
        answer
    }

    /// Puts a datagram of a stranger on the network, under the same faults as any other.
    pub fn inject(&mut self, from: Address, to: Address, payload: &[u8]) {
        launch(&mut self.network, &mut self.report.ladder, &mut self.stats, self.now, from, to, payload);
    }

    /// When something happens next: an arrival, a timer, an answer to a role, an act of the user.
    #[must_use]
    pub fn next_wakeup(&self) -> Option<Instant> {
        let timers = self.nodes.iter().filter_map(|node| node.timeout);
        let user = self.user.next_wakeup().map(|(at, _)| at);
        timers.chain(user).chain(self.tasks.next()).chain(self.network.next_arrival()).min()
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
        self.now = end;
    }

    /// Fails the run with seed and ladder in the message.
    ///
    /// # Panics
    /// Always.
    pub fn fail(&mut self, why: &str) -> ! {
        let text = self.explain();
        self.report.disarm();
        panic!("{why}{text}");
    }

    fn find(&self, address: Address) -> Option<NodeId> {
        self.nodes.iter().position(|node| node.address == address).map(NodeId)
    }

    /// One of the things whose moment has come.
    fn choose(&mut self) -> Option<Source> {
        let due = |at: Option<Instant>| at.is_some_and(|at| at <= self.now);
        let timers = self.nodes.iter().enumerate().filter(|(_, node)| due(node.timeout));
        let timers = timers.map(|(index, _)| Source::Timer(NodeId(index)));
        let user = self.user.next_wakeup().filter(|&(at, _)| at <= self.now);
        let sources = (due(self.tasks.next()).then_some(Source::Task).into_iter())
            .chain(due(self.network.next_arrival()).then_some(Source::Arrival))
            .chain(user.map(|(_, node)| Source::User(node)))
            .chain(timers);
        let count = sources.clone().count();
        let chosen = self.network.below(count as u32);
        sources.into_iter().nth(chosen as usize)
    }

    fn do_task(&mut self) {
        let now = self.now;
        match self.tasks.take(now) {
            Some(Task::Writable(node, flow)) => {
                self.blocked.retain(|&blocked| blocked != (node, flow));
                self.note(node, "writable");
                self.act(node, |role, _| role.flow_writable(now, flow));
            }
            Some(Task::Failed(node, flow, error)) => {
                self.note(node, "flow failed");
                self.act(node, |role, _| role.flow_failed(now, flow, error));
            }
            Some(Task::Connect(node, ticket, target)) => {
                let plugged = |node: &NodeId| !self.nodes[node.0].unplugged;
                let takes = |node: &NodeId| plugged(node) && self.nodes[node.0].listens;
                let listener = self.find(target.address).filter(takes);
                match listener.filter(|_| target.transport == Transport::Tcp && plugged(&node)) {
                    Some(listener) => {
                        let flow = self.streams.connect(node, self.nodes[node.0].address, target.address, listener);
                        self.note(node, "connected");
                        self.act(node, |role, _| role.flow_connected(now, ticket, flow));
                    }
                    None => {
                        self.note(node, "connection refused");
                        self.act(node, |role, _| role.connect_failed(now, ticket, FlowError::Refused));
                    }
                }
            }
            Some(Task::Stream(piece)) => {
                let Some((node, flow, messages)) = self.streams.arrive(&piece) else { return };
                for message in messages {
                    self.stats.delivered += 1;
                    self.stats.streamed += 1;
                    self.hand_over(node, flow, &message);
                    self.drain(node);
                }
            }
            Some(Task::Resolved(node, ticket, targets)) => {
                self.act(node, |role, _| role.resolved(now, ticket, &targets));
            }
            None => {}
        }
    }

    fn deliver(&mut self) {
        let Some(datagram) = self.network.receive(self.now) else { return };
        match self.find(datagram.to) {
            Some(node) if !self.nodes[node.0].unplugged && !self.nodes[node.0].refuses => {
                self.stats.delivered += 1;
                self.hand_over(node, Flow::udp(datagram.from), &datagram.payload);
                self.drain(node);
            }
            receiver => {
                self.stats.blocked += 1;
                self.report.ladder.set_fate(datagram.number, Fate::Blocked);
                let refused = receiver.is_some_and(|node| !self.nodes[node.0].unplugged);
                let sender = self.find(datagram.from).filter(|node| !self.nodes[node.0].unplugged);
                if let (true, Some(sender)) = (refused, sender) {
                    let back = self.now + self.network.delay(datagram.to, datagram.from);
                    self.tasks.put(back, Task::Failed(sender, Flow::udp(datagram.to), FlowError::Refused));
                }
            }
        }
        self.network.recycle(datagram);
    }

    fn hand_over(&mut self, id: NodeId, flow: Flow, octets: &[u8]) {
        let (now, node) = (self.now, &mut self.nodes[id.0]);
        match Message::parse(octets) {
            Ok(message) => match node.role.receive(now, flow, &message) {
                Received::Event(event) => {
                    self.stats.events += 1;
                    note_event(&mut self.report.ladder, now, node.address, &event);
                    self.user.on_event(&mut node.role, now, id, event, Some(&message));
                }
                Received::Nothing => {}
                Received::Stray => self.stats.strays += 1,
            },
            Err(failure) => {
                self.stats.malformed += 1;
                node.role.receive_malformed(now, flow, &failure);
            }
        }
    }

    /// Does what the role wants done, until it wants nothing more.
    fn drain(&mut self, id: NodeId) {
        let now = self.now;
        let node = &mut self.nodes[id.0];
        for _ in 0..=self.config.livelock {
            let Some(action) = node.role.poll_action(now) else {
                node.timeout = node.role.poll_timeout();
                return;
            };
            match action {
                Action::Send { id: send, flow, bytes } => {
                    if flow.transport != Transport::Udp {
                        let Some(to) = self.streams.peer(flow) else {
                            self.tasks.put(now, Task::Failed(id, flow, FlowError::Closed));
                            continue;
                        };
                        let from = node.address;
                        self.stats.sent += 1;
                        self.report.ladder.record(now, from, to, bytes, Fate::Delivered);
                        let network = &mut self.network;
                        let cut = |left| (network.below(left), now + network.delay(from, to));
                        for (at, piece) in self.streams.send(now, flow, bytes, cut) {
                            self.tasks.put(at, Task::Stream(piece));
                        }
                        continue;
                    }
                    if bytes.len() > MAX_PAYLOAD {
                        self.tasks.put(now, Task::Failed(id, flow, FlowError::TooLarge));
                        continue;
                    }
                    let mut blocks = self.blocked.contains(&(id, flow));
                    if !blocks && let Some(span) = self.network.blocks(node.address, flow.remote) {
                        blocks = true;
                        self.blocked.push((id, flow));
                        self.tasks.put(now + span, Task::Writable(id, flow));
                    }
                    if blocks {
                        self.stats.deferred += 1;
                        self.report.ladder.note(now, node.address, "send deferred");
                        node.role.defer(send);
                        continue;
                    }
                    self.stats.sent += 1;
                    let ladder = &mut self.report.ladder;
                    if node.unplugged {
                        self.stats.blocked += 1;
                        ladder.record(now, node.address, flow.remote, bytes, Fate::Blocked);
                    } else {
                        let (network, stats) = (&mut self.network, &mut self.stats);
                        launch(network, ladder, stats, now, node.address, flow.remote, bytes);
                    }
                }
                Action::Event(event) => {
                    self.stats.events += 1;
                    note_event(&mut self.report.ladder, now, node.address, &event);
                    self.user.on_event(&mut node.role, now, id, event, None);
                }
                Action::Connect { ticket, target, .. } => {
                    self.stats.connects += 1;
                    self.tasks.put(now + self.config.answer_after, Task::Connect(id, ticket, target));
                }
                Action::Close { flow } => {
                    for (node, flow) in self.streams.close(flow).into_iter().filter(|&(_, known)| known != flow) {
                        self.tasks.put(now, Task::Failed(node, flow, FlowError::Closed));
                    }
                }
                Action::Resolve { ticket, host, port, transport, secure } => {
                    self.stats.resolves += 1;
                    let targets = resolve(&self.hosts, host, port, transport, secure);
                    self.tasks.put(now + self.config.answer_after, Task::Resolved(id, ticket, targets));
                }
            }
        }
        self.fail("livelock: the actions after one input do not end");
    }

    fn close(&mut self, flow: Flow) {
        for (node, flow) in self.streams.close(flow) {
            self.tasks.put(self.now, Task::Failed(node, flow, FlowError::Closed));
        }
    }

    fn check(&mut self) {
        let now = self.now;
        for index in 0..self.nodes.len() {
            let role = &mut self.nodes[index].role;
            let (once, twice) = (fingerprint(role, now), fingerprint(role, now));
            let drained = role.poll_action(now).is_none();
            if once != twice {
                self.fail("two fingerprints of one state differ");
            }
            if !drained {
                self.fail("an action appeared without an input");
            }
            let mut hasher = DefaultHasher::new();
            hasher.write_u64(self.trace);
            hasher.write_u64(once);
            self.trace = hasher.finish();
        }
    }
}

fn fingerprint<R: Role>(role: &R, now: Instant) -> u64 {
    let mut hasher = DefaultHasher::new();
    role.fingerprint(now, &mut hasher);
    hasher.finish()
}

fn note_event<E: Debug>(ladder: &mut Ladder, now: Instant, at: Address, event: &E) {
    if ladder.is_on() {
        ladder.note(now, at, &format!("{event:?}"));
    }
}

/// Sends a datagram, counts it and draws its line.
fn launch(
    network: &mut Network,
    ladder: &mut Ladder,
    stats: &mut Stats,
    now: Instant,
    from: Address,
    to: Address,
    payload: &[u8],
) {
    let number = ladder.record(now, from, to, payload, Fate::Delivered);
    let fate = network.send(now, from, to, payload, number);
    match fate {
        Fate::Lost => stats.lost += 1,
        Fate::Duplicated => stats.duplicated += 1,
        Fate::Delayed(_) => stats.delayed += 1,
        Fate::Delivered | Fate::Blocked => {}
    }
    ladder.set_fate(number, fate);
}
