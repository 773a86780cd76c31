//! What lies between the nodes: datagrams and streams on their way, what was counted and drawn of them.

use super::NodeId;
use crate::config::{Config, Stats};
use crate::ladder::{Fate, Ladder};
use crate::network::Network;
use crate::pcap::MAX_PAYLOAD;
use crate::report::Report;
use crate::schedule::Schedule;
use crate::streams::{Piece, Streams};
use sip_core::time::Instant;
use sip_core::transport::{Address, Flow, FlowError, Target, Ticket, Transport};

/// What the world owes a node.
#[derive(Debug)]
pub(super) enum Task {
    Writable(NodeId, Flow),
    Failed(NodeId, Flow, FlowError),
    Connect(NodeId, Ticket, Target),
    Stream(Piece),
    /// One end of the connection closes it.
    HangUp(Flow),
    /// All that was sent before the end of a connection has arrived.
    Ended(u32),
    Resolved(NodeId, Ticket, Vec<Target>),
}

/// Where a node's messages come from.
#[derive(Clone, Copy)]
pub(super) struct Plug {
    pub(super) node: NodeId,
    pub(super) address: Address,
    pub(super) pulled: bool,
}

/// What became of a message that a role wants sent.
pub(super) enum Sent {
    Done,
    /// The socket is full.
    Blocked,
    Failed(FlowError),
}

/// The network, the connections, what is due when, and the records of it.
#[derive(Debug)]
pub(super) struct Medium {
    pub(super) network: Network,
    pub(super) tasks: Schedule<Task>,
    pub(super) streams: Streams,
    pub(super) blocked: Vec<(NodeId, Flow)>,
    /// Addresses behind a translator, and what others see instead.
    translated: Vec<(Address, Address)>,
    pub(super) stats: Stats,
    pub(super) report: Report,
}

impl Medium {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            network: Network::new(config.seed, config.faults),
            tasks: Schedule::new(),
            streams: Streams::default(),
            blocked: Vec::new(),
            translated: Vec::new(),
            stats: Stats::default(),
            report: Report::new(config.seed, Ladder::new(config.ladder)),
        }
    }

    /// Sets what others see instead of `inside`; `None` ends the translation.
    pub(super) fn translate(&mut self, inside: Address, outside: Option<Address>) {
        self.translated.retain(|&(known, _)| known != inside);
        self.translated.extend(outside.map(|outside| (inside, outside)));
    }

    /// What others see of an address.
    pub(super) fn outside(&self, inside: Address) -> Address {
        self.translated.iter().find(|&&(known, _)| known == inside).map_or(inside, |&(_, outside)| outside)
    }

    /// The address that is reached at `outside`; `None` for one that a translator hides.
    pub(super) fn inside(&self, outside: Address) -> Option<Address> {
        match self.translated.iter().find(|&&(inside, public)| inside == outside || public == outside) {
            Some(&(inside, public)) => (public == outside).then_some(inside),
            None => Some(outside),
        }
    }

    /// Sends a role's message.
    pub(super) fn send(&mut self, now: Instant, plug: Plug, flow: Flow, bytes: &[u8]) -> Sent {
        let Plug { node, address: from, pulled } = plug;
        if flow.transport != Transport::Udp {
            let Some(to) = self.streams.peer(flow) else { return Sent::Failed(FlowError::Closed) };
            self.stats.sent += 1;
            self.write(now, from, to, flow, bytes);
            return Sent::Done;
        }
        if bytes.len() > MAX_PAYLOAD {
            return Sent::Failed(FlowError::TooLarge);
        }
        let mut blocks = self.blocked.contains(&(node, flow));
        if !blocks && let Some(span) = self.network.blocks(from, flow.remote) {
            blocks = true;
            self.blocked.push((node, flow));
            self.tasks.put(now + span, Task::Writable(node, flow));
        }
        if blocks {
            self.stats.deferred += 1;
            self.report.ladder.note(now, from, "send deferred");
            return Sent::Blocked;
        }
        self.stats.sent += 1;
        if pulled {
            self.stats.blocked += 1;
            self.report.ladder.record(now, from, flow.remote, bytes, Fate::Blocked);
        } else {
            self.launch(now, self.outside(from), flow.remote, bytes);
        }
        Sent::Done
    }

    /// Sends nothing, and breaks a connection, which was the reason.
    pub(super) fn fail(&mut self, now: Instant, flow: Flow, error: FlowError) -> Sent {
        if error != FlowError::TooLarge
            && let Some(at) = self.streams.hang_up(flow)
        {
            self.tasks.put(at.max(now), Task::Ended(flow.connection));
        }
        Sent::Failed(error)
    }

    /// Puts octets into a connection and draws their line.
    pub(super) fn write(&mut self, now: Instant, from: Address, to: Address, flow: Flow, bytes: &[u8]) {
        self.report.ladder.record(now, from, to, bytes, Fate::Delivered);
        let network = &mut self.network;
        let cut = |left| (network.below(left), now + network.delay(from, to));
        for (at, piece) in self.streams.send(now, flow, bytes, cut) {
            self.tasks.put(at, Task::Stream(piece));
        }
    }

    /// Closes a connection from the end that knows it by `flow`: the other end takes what was sent, then is told.
    pub(super) fn hang_up(&mut self, now: Instant, flow: Flow) {
        if let Some(at) = self.streams.hang_up(flow) {
            self.tasks.put(at.max(now), Task::Ended(flow.connection));
        }
    }

    /// Breaks a connection: what is on its way is lost, and both ends are told.
    pub(super) fn sever(&mut self, now: Instant, flow: Flow) {
        for (node, flow) in self.streams.close(flow.connection) {
            self.tasks.put(now, Task::Failed(node, flow, FlowError::Closed));
        }
    }

    /// Sends a datagram, counts it and draws its line.
    pub(super) fn launch(&mut self, now: Instant, from: Address, to: Address, payload: &[u8]) {
        let number = self.report.ladder.record(now, from, to, payload, Fate::Delivered);
        let fate = self.network.send(now, from, to, payload, number);
        match fate {
            Fate::Lost => self.stats.lost += 1,
            Fate::Duplicated => self.stats.duplicated += 1,
            Fate::Delayed(_) => self.stats.delayed += 1,
            Fate::Delivered | Fate::Blocked => {}
        }
        self.report.ladder.set_fate(number, fate);
    }
}
