//! By whose name a connection is asked for: whom a request may reach by it (RFC 3261 §18.1.1, RFC 5923).

use crate::connection::{Peer, State};
use crate::tcp::Tcp;
use sip_core::message::{HeaderName, Kept, Via};
use sip_core::transport::{Flow, Transport};
use std::collections::hash_map::Entry;

/// Names that one certificate proves, of which a connection is known by.
const NAMES: usize = 8;

impl Tcp {
    /// Whom the peer of a connection has proved to be.
    pub(crate) fn identities(&self, flow: Flow) -> Vec<String> {
        let connection = self.connections.get(&flow.connection).filter(|found| found.flow == flow);
        connection.map(|connection| connection.stream.identities()).unwrap_or_default()
    }

    /// Lets who asks for `peer` have this connection, unless there is another.
    pub(crate) fn know(&mut self, number: u32, peer: Peer) {
        let Some(connection) = self.connections.get_mut(&number) else { return };
        if let Entry::Vacant(place) = self.peers.entry(peer.clone()) {
            place.insert(number);
            connection.peers.push(peer);
        }
    }

    /// Who has opened a connection and proved a name may be asked by it over the same connection (RFC 5923 §8); who has not, by nobody,
    /// and without TLS by its address.
    pub(crate) fn know_accepted(&mut self, number: u32) {
        let Some(connection) = self.connections.get(&number) else { return };
        let flow = connection.flow;
        let mut names = connection.stream.identities();
        names.truncate(NAMES);
        names.extend(flow.remote.ip().filter(|_| !flow.transport.is_secure()).map(|ip| ip.to_string()));
        for name in names {
            self.know(number, Peer::of(flow, &name));
        }
    }

    /// Who has proved names, and says in the Via of its first request that its connection may be used for requests to where it listens,
    /// is asked by it (RFC 5923 §5): at its address, at the port of sent-by, under those names.
    pub(crate) fn alias(&mut self, number: u32, message: &[u8]) {
        let Some(connection) = self.connections.get_mut(&number) else { return };
        connection.alias = alias_port(message, connection.flow.transport);
        self.know_alias(number);
    }

    /// The same once it is open: before that nobody has proved anything.
    pub(crate) fn know_alias(&mut self, number: u32) {
        let connection = self.connections.get_mut(&number).filter(|one| one.state == State::Open);
        let Some((connection, port)) = connection.and_then(|one| one.alias.take().map(|port| (one, port))) else {
            return;
        };
        let (flow, names) = (connection.flow, connection.stream.identities());
        let there = Flow { remote: flow.remote.with_port(port), ..flow };
        for name in names.iter().take(NAMES) {
            self.know(number, Peer::of(there, name));
        }
    }

    /// Lets nobody have this connection any more.
    pub(crate) fn unknow(&mut self, number: u32) {
        let Some(connection) = self.connections.get_mut(&number) else { return };
        for peer in connection.peers.drain(..) {
            self.peers.remove(&peer);
        }
    }
}

/// The port at which the sender of a request listens, if its Via says that this connection will do (RFC 5923 §5).
fn alias_port(message: &[u8], transport: Transport) -> Option<u16> {
    if message.starts_with(b"SIP/2.0 ") {
        return None;
    }
    let via = Via::parse(Kept::new(message).first(HeaderName::Via)).ok()?;
    let says_so = via.params().any(|param| param.name.eq_ignore_ascii_case(b"alias"));
    says_so.then_some(via.port().unwrap_or(transport.default_port()))
}
