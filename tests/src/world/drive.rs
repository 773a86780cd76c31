//! What a world does when the moment of something has come.

use super::medium::{Plug, Sent, Task};
use super::{NodeId, Source, World};
use crate::hosts::resolve;
use crate::ladder::{Fate, Ladder};
use crate::streams::{Arrival, Piece};
use crate::user::User;
use core::fmt::Debug;
use core::hash::Hasher;
use sip_core::message::{Malformed, Message};
use sip_core::role::{Action, Received, Role};
use sip_core::time::Instant;
use sip_core::transport::{Address, Flow, FlowError, Target, Ticket, Transport};
use std::hash::DefaultHasher;

impl<R: Role, U: User<R>> World<R, U>
where
    R::Event: Debug,
{
    pub(super) fn find(&self, address: Address) -> Option<NodeId> {
        let inside = self.medium.inside(address)?;
        self.nodes.iter().position(|node| node.address == inside).map(NodeId)
    }

    /// One of the things whose moment has come.
    pub(super) fn choose(&mut self) -> Option<Source> {
        let due = |at: Option<Instant>| at.is_some_and(|at| at <= self.now);
        let timers = self.nodes.iter().enumerate().filter(|(_, node)| due(node.timeout));
        let timers = timers.map(|(index, _)| Source::Timer(NodeId(index)));
        let user = self.user.next_wakeup().filter(|&(at, _)| at <= self.now);
        let sources = (due(self.medium.tasks.next()).then_some(Source::Task).into_iter())
            .chain(due(self.medium.network.next_arrival()).then_some(Source::Arrival))
            .chain(user.map(|(_, node)| Source::User(node)))
            .chain(timers);
        let count = sources.clone().count();
        let chosen = self.medium.network.below(count as u32);
        sources.into_iter().nth(chosen as usize)
    }

    pub(super) fn do_task(&mut self) {
        let now = self.now;
        match self.medium.tasks.take(now) {
            Some(Task::Writable(node, flow)) => {
                self.medium.blocked.retain(|&blocked| blocked != (node, flow));
                self.note(node, "writable");
                self.act(node, |role, _| role.flow_writable(now, flow));
            }
            Some(Task::Failed(node, flow, error)) => {
                self.note(node, "flow failed");
                self.act(node, |role, _| role.flow_failed(now, flow, error));
            }
            Some(Task::Connect(node, ticket, target)) => self.connect(node, ticket, target),
            Some(Task::Stream(piece)) => self.arrive(&piece),
            Some(Task::HangUp(flow)) => self.medium.hang_up(now, flow),
            Some(Task::Ended(connection)) => {
                for (node, flow) in self.medium.streams.close(connection) {
                    self.note(node, "connection closed");
                    self.act(node, |role, _| role.flow_failed(now, flow, FlowError::Closed));
                }
            }
            Some(Task::Resolved(node, ticket, targets)) => {
                self.act(node, |role, _| role.resolved(now, ticket, &targets));
            }
            None => {}
        }
    }

    fn connect(&mut self, node: NodeId, ticket: Ticket, target: Target) {
        let now = self.now;
        let plugged = |node: &NodeId| !self.nodes[node.0].unplugged;
        let takes = |node: &NodeId| plugged(node) && self.nodes[node.0].listens;
        let listener = self.find(target.address).filter(takes);
        let there = listener.is_some() || self.scripted.contains(&target.address);
        if there && target.transport == Transport::Tcp && plugged(&node) {
            let from = self.medium.outside(self.nodes[node.0].address);
            let flow = self.medium.streams.connect(Some(node), from, target.address, listener);
            self.note(node, "connected");
            self.act(node, |role, _| role.flow_connected(now, ticket, flow));
        } else {
            self.note(node, "connection refused");
            self.act(node, |role, _| role.connect_failed(now, ticket, FlowError::Refused));
        }
    }

    fn arrive(&mut self, piece: &Piece) {
        let Some(arrival) = self.medium.streams.arrive(piece) else { return };
        let Arrival { node, flow, messages, oversized, broken } = arrival;
        for message in messages {
            self.medium.stats.delivered += 1;
            self.medium.stats.streamed += 1;
            self.hand_over(node, flow, &message);
            self.drain(node);
        }
        let now = self.now;
        if let Some(head) = oversized {
            self.act(node, |role, _| role.receive_malformed(now, flow, &Malformed::oversized(&head)));
        }
        if broken {
            self.note(node, "not a stream of messages");
            self.medium.hang_up(now, flow);
            self.act(node, |role, _| role.flow_failed(now, flow, FlowError::Closed));
        }
    }

    pub(super) fn deliver(&mut self) {
        let Some(datagram) = self.medium.network.receive(self.now) else { return };
        match self.find(datagram.to) {
            Some(node) if !self.nodes[node.0].unplugged && !self.nodes[node.0].refuses => {
                self.medium.stats.delivered += 1;
                self.hand_over(node, Flow::udp(datagram.from), &datagram.payload);
                self.drain(node);
            }
            None if self.peers.contains(&datagram.to) => {}
            receiver => {
                self.medium.stats.blocked += 1;
                self.medium.report.ladder.set_fate(datagram.number, Fate::Blocked);
                let refused = receiver.is_some_and(|node| !self.nodes[node.0].unplugged);
                let sender = self.find(datagram.from).filter(|node| !self.nodes[node.0].unplugged);
                if let (true, Some(sender)) = (refused, sender) {
                    let back = self.now + self.medium.network.delay(datagram.to, datagram.from);
                    let failed = Task::Failed(sender, Flow::udp(datagram.to), FlowError::Refused);
                    self.medium.tasks.put(back, failed);
                }
            }
        }
        self.medium.network.recycle(datagram);
    }

    fn hand_over(&mut self, id: NodeId, flow: Flow, octets: &[u8]) {
        let (now, node) = (self.now, &mut self.nodes[id.0]);
        match Message::parse(octets) {
            Ok(message) => match node.role.receive(now, flow, &message) {
                Received::Event(event) => {
                    self.medium.stats.events += 1;
                    note_event(&mut self.medium.report.ladder, now, node.address, &event);
                    self.user.on_event(&mut node.role, now, id, event, Some(&message));
                }
                Received::Nothing => {}
                Received::Stray => self.medium.stats.strays += 1,
            },
            Err(failure) => {
                self.medium.stats.malformed += 1;
                node.role.receive_malformed(now, flow, &failure);
            }
        }
    }

    /// Does what the role wants done, until it wants nothing more.
    pub(super) fn drain(&mut self, id: NodeId) {
        let now = self.now;
        let node = &mut self.nodes[id.0];
        for _ in 0..=self.config.livelock {
            let Some(action) = node.role.poll_action(now) else {
                node.timeout = node.role.poll_timeout();
                return;
            };
            match action {
                Action::Send { id: send, flow, bytes } => {
                    let plug = Plug { node: id, address: node.address, pulled: node.unplugged };
                    let failing = node.failing.take();
                    let sent = match failing {
                        Some((count @ 1.., error)) => {
                            node.failing = Some((count - 1, error));
                            self.medium.fail(now, flow, error)
                        }
                        _ => self.medium.send(now, plug, flow, bytes),
                    };
                    match sent {
                        Sent::Done => {}
                        Sent::Blocked => node.role.defer(send),
                        Sent::Failed(error) => {
                            self.medium.report.ladder.note(now, node.address, "not sent");
                            node.role.flow_failed(now, flow, error);
                        }
                    }
                }
                Action::Event(event) => {
                    self.medium.stats.events += 1;
                    note_event(&mut self.medium.report.ladder, now, node.address, &event);
                    self.user.on_event(&mut node.role, now, id, event, None);
                }
                Action::Connect { ticket, target, .. } => {
                    self.medium.stats.connects += 1;
                    self.medium.tasks.put(now + self.config.answer_after, Task::Connect(id, ticket, target));
                }
                Action::Close { flow } => self.medium.hang_up(now, flow),
                Action::Resolve { ticket, host, port, transport, secure } => {
                    self.medium.stats.resolves += 1;
                    let targets = resolve(&self.hosts, host, port, transport, secure);
                    self.medium.tasks.put(now + self.config.answer_after, Task::Resolved(id, ticket, targets));
                }
                _ => panic!("an action that no world knows"),
            }
        }
        self.fail("livelock: the actions after one input do not end");
    }

    pub(super) fn check(&mut self) {
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
