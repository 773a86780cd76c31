//! TCP in a world: who takes connections, and peers without a role that open, write to and close them.

use super::medium::Task;
use super::{NodeId, World};
use crate::user::User;
use core::fmt::Debug;
use sip_core::role::Role;
use sip_core::time::Duration;
use sip_core::transport::{Address, Flow};

impl<R: Role, U: User<R>> World<R, U>
where
    R::Event: Debug,
{
    /// Lets a node's host take TCP connections at its address, or refuse them, as it does from the start.
    pub fn listen(&mut self, node: NodeId, listens: bool) {
        self.nodes[node.0].listens = listens;
        self.note(node, if listens { "takes connections" } else { "refuses connections" });
    }

    /// Breaks all connections of a node: what is on its way is lost, and both ends are told.
    pub fn sever(&mut self, node: NodeId) {
        for flow in self.medium.streams.of(node) {
            self.medium.sever(self.now, flow);
        }
    }

    /// Lets an address where no node is take TCP connections, or refuse them. What is sent there stands in the ladder; a
    /// [`Wire`](crate::Wire) reads it.
    pub fn listen_scripted(&mut self, address: Address, listens: bool) {
        self.scripted.retain(|&known| known != address);
        if listens {
            self.scripted.push(address);
        }
    }

    /// Opens a connection from an address where no node is; `None` when the node takes none.
    pub fn connect_scripted(&mut self, from: Address, node: NodeId) -> Option<Flow> {
        let there = &self.nodes[node.0];
        let takes = there.listens && !there.unplugged;
        takes.then(|| self.medium.streams.connect(None, from, there.address, Some(node)))
    }

    /// The open connections of the scripted peer at `address`, as it knows them, first opened first.
    #[must_use]
    pub fn scripted_connections(&self, address: Address) -> Vec<Flow> {
        self.medium.streams.scripted(address)
    }

    /// The one among them with `node` that was opened last.
    #[must_use]
    pub fn scripted_connection(&self, address: Address, node: NodeId) -> Option<Flow> {
        self.medium.streams.scripted_with(address, node)
    }

    /// Writes octets of the scripted peer at `from` into one of its connections; nothing when it is closed.
    pub fn write(&mut self, from: Address, flow: Flow, octets: &[u8]) {
        if let Some(to) = self.medium.streams.peer(flow) {
            self.medium.write(self.now, from, to, flow, octets);
        }
    }

    /// Closes a connection from the end that knows it by `flow`, as one of
    /// [`scripted_connections`](Self::scripted_connections) is: the other end takes what was sent before, then is told.
    pub fn hang_up(&mut self, flow: Flow) {
        self.medium.hang_up(self.now, flow);
    }

    /// The same at a later moment, whatever has been sent by then.
    pub fn hang_up_after(&mut self, span: Duration, flow: Flow) {
        self.medium.tasks.put(self.now + span, Task::HangUp(flow));
    }
}
