//! Connections in virtual time: octets in order, cut anywhere, and closed by either end.

use crate::world::NodeId;
use sip_core::message::{Framer, Framing};
use sip_core::time::Instant;
use sip_core::transport::{Address, Flow, Transport};

/// The longest message that an end takes.
const LONGEST: usize = 65_535;
/// The first port that a caller's end has.
const EPHEMERAL: u16 = 49_152;

/// The connections of a world; a flow's number is the connection's place plus one.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    connections: Vec<Connection>,
}

#[derive(Debug)]
struct Connection {
    /// Who opened it, then who took it.
    ends: [End; 2],
    open: bool,
}

/// One end of a connection.
#[derive(Debug)]
struct End {
    node: NodeId,
    /// The address of the node, and that of this end, which differ in the port at the caller's.
    home: Address,
    address: Address,
    /// When the last octets that were sent to this end arrive: later ones don't overtake them.
    last: Instant,
    arrived: Vec<u8>,
    framer: Framer,
}

/// Octets on their way to one end.
#[derive(Debug)]
pub(crate) struct Piece {
    connection: u32,
    to: usize,
    octets: Vec<u8>,
}

impl End {
    fn new(node: NodeId, home: Address, port: u16) -> Self {
        let (address, framer) = (home.with_port(port), Framer::new(LONGEST));
        Self { node, home, address, last: Instant::ZERO, arrived: Vec::new(), framer }
    }
}

impl Streams {
    /// The flow of `node` to `to`: a connection that is open already, or a new one to the node that listens there.
    pub(crate) fn connect(&mut self, node: NodeId, from: Address, to: Address, listener: NodeId) -> Flow {
        let known = self.connections.iter().position(|known| {
            known.open
                && known
                    .ends
                    .iter()
                    .zip(known.ends.iter().rev())
                    .any(|(one, other)| one.node == node && other.address == to)
        });
        let place = known.unwrap_or_else(|| {
            let port = EPHEMERAL + self.connections.len() as u16;
            let ends = [End::new(node, from, port), End::new(listener, to, to.port())];
            self.connections.push(Connection { ends, open: true });
            self.connections.len() - 1
        });
        Flow { remote: to, connection: place as u32 + 1, transport: Transport::Tcp }
    }

    fn get(&mut self, flow: Flow) -> Option<&mut Connection> {
        let place = (flow.connection as usize).checked_sub(1)?;
        self.connections.get_mut(place).filter(|connection| connection.open)
    }

    /// The address of the node at the other end of `flow`; `None` when the connection is closed.
    pub(crate) fn peer(&mut self, flow: Flow) -> Option<Address> {
        let ends = &self.get(flow)?.ends;
        Some(ends[far(ends, flow)].home)
    }

    /// Sends `octets`, cut where `cut` says (a number below the one given), each piece for the moment that it draws.
    pub(crate) fn send(
        &mut self,
        now: Instant,
        flow: Flow,
        mut octets: &[u8],
        mut cut: impl FnMut(u32) -> (u32, Instant),
    ) -> Vec<(Instant, Piece)> {
        let Some(connection) = self.get(flow) else { return Vec::new() };
        let to = far(&connection.ends, flow);
        let end = &mut connection.ends[to];
        let mut pieces = Vec::new();
        while !octets.is_empty() {
            let (length, at) = cut(octets.len() as u32);
            let (piece, rest) = octets.split_at(length as usize + 1);
            end.last = end.last.max(at).max(now);
            pieces.push((end.last, Piece { connection: flow.connection, to, octets: piece.to_vec() }));
            octets = rest;
        }
        pieces
    }

    /// Takes a piece in: who got it, on which flow, and the messages that it completes. `None` when the connection is
    /// closed.
    pub(crate) fn arrive(&mut self, piece: &Piece) -> Option<(NodeId, Flow, Vec<Vec<u8>>)> {
        let Piece { connection, to, ref octets } = *piece;
        let known = self.connections.get_mut(connection as usize - 1).filter(|known| known.open)?;
        let remote = known.ends[1 - to].address;
        let end = &mut known.ends[to];
        end.arrived.extend_from_slice(octets);
        let mut messages = Vec::new();
        loop {
            match end.framer.next(&end.arrived) {
                Framing::Incomplete => break,
                Framing::Frame { len } => messages.push(end.arrived.drain(..len).collect()),
                Framing::KeepAlive { len, .. } => drop(end.arrived.drain(..len)),
                broken => panic!("a role wrote what is no stream of messages: {broken:?}"),
            }
        }
        Some((end.node, Flow { remote, connection, transport: Transport::Tcp }, messages))
    }

    /// Closes a connection; who is to be told, with the flow that each knows it by.
    pub(crate) fn close(&mut self, flow: Flow) -> Vec<(NodeId, Flow)> {
        let Some(connection) = self.get(flow) else { return Vec::new() };
        connection.open = false;
        let [caller, callee] = &connection.ends;
        let known_as = |remote| Flow { remote, ..flow };
        vec![(caller.node, known_as(callee.address)), (callee.node, known_as(caller.address))]
    }

    /// The open connections of a node.
    pub(crate) fn of(&self, node: NodeId) -> Vec<Flow> {
        let open = self.connections.iter().enumerate().filter(|(_, known)| known.open);
        let own = open.filter(|(_, known)| known.ends.iter().any(|end| end.node == node));
        own.map(|(place, known)| Flow {
            remote: known.ends[1].address,
            connection: place as u32 + 1,
            transport: Transport::Tcp,
        })
        .collect()
    }
}

/// Which of the ends a flow leads to: it names the other end by its address.
fn far(ends: &[End; 2], flow: Flow) -> usize {
    usize::from(ends[1].address == flow.remote)
}
