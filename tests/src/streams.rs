//! Connections in virtual time: octets in order, cut anywhere, and closed by either end.

use crate::world::NodeId;
use sip_core::message::{Framer, Framing};
use sip_core::time::Instant;
use sip_core::transport::{Address, Flow, Transport};

/// The longest message that an end takes.
const LONGEST: usize = 65_535;
/// The first port that a caller's end has, and how many there are.
const EPHEMERAL: u16 = 49_152;
const PORTS: usize = 16_384;

/// The connections of a world; a flow's number is the connection's place plus one.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    connections: Vec<Connection>,
}

#[derive(Debug)]
struct Connection {
    /// Who opened it, then who took it.
    ends: [End; 2],
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// This end has closed it; what it sent before may still be on its way.
    HungUp(usize),
    Closed,
}

/// One end of a connection.
#[derive(Debug)]
struct End {
    /// `None` for a scripted peer.
    node: Option<NodeId>,
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

/// What a piece completes at the end where it arrives.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) node: NodeId,
    pub(crate) flow: Flow,
    pub(crate) messages: Vec<Vec<u8>>,
    /// The head of a message that is larger than an end takes, to be answered before the connection is closed.
    pub(crate) oversized: Option<Vec<u8>>,
    /// No message can follow: who reads it closes the connection.
    pub(crate) broken: bool,
}

impl End {
    fn new(node: Option<NodeId>, home: Address, port: u16) -> Self {
        let (address, framer) = (home.with_port(port), Framer::new(LONGEST));
        Self { node, home, address, last: Instant::ZERO, arrived: Vec::new(), framer }
    }
}

impl Connection {
    /// How the end at `place` knows the connection.
    fn flow(&self, number: u32, place: usize) -> Flow {
        Flow { remote: self.ends[1 - place].address, connection: number, transport: Transport::Tcp, ..Flow::NONE }
    }
}

impl Streams {
    /// The flow of `node` to `to`: a connection that is open already, or a new one to who listens there. `None` is a
    /// scripted peer, whose connections are all new.
    pub(crate) fn connect(
        &mut self,
        node: Option<NodeId>,
        from: Address,
        to: Address,
        listener: Option<NodeId>,
    ) -> Flow {
        let is_between = |known: &Connection| {
            let mut ends = known.ends.iter().zip(known.ends.iter().rev());
            known.state == State::Open && ends.any(|(one, other)| one.node == node && other.address == to)
        };
        let known = node.and_then(|_| self.connections.iter().position(is_between));
        let place = known.unwrap_or_else(|| {
            let port = EPHEMERAL + (self.connections.len() % PORTS) as u16;
            let ends = [End::new(node, from, port), End::new(listener, to, to.port())];
            self.connections.push(Connection { ends, state: State::Open });
            self.connections.len() - 1
        });
        Flow { remote: to, connection: place as u32 + 1, transport: Transport::Tcp, ..Flow::NONE }
    }

    fn get(&mut self, number: u32) -> Option<&mut Connection> {
        let connection = self.connections.get_mut((number as usize).checked_sub(1)?)?;
        (connection.state != State::Closed).then_some(connection)
    }

    fn open(&mut self, flow: Flow) -> Option<&mut Connection> {
        self.get(flow.connection).filter(|connection| connection.state == State::Open)
    }

    /// The address of the node at the other end of `flow`; `None` when the connection is closed.
    pub(crate) fn peer(&mut self, flow: Flow) -> Option<Address> {
        let ends = &self.open(flow)?.ends;
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
        let Some(connection) = self.open(flow) else { return Vec::new() };
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

    /// Takes a piece in. `None` when this end has closed the connection, or is a scripted peer's, which reads the ladder.
    ///
    /// # Panics
    /// When a role wrote what is no stream of messages.
    pub(crate) fn arrive(&mut self, piece: &Piece) -> Option<Arrival> {
        let Piece { connection: number, to, ref octets } = *piece;
        let known = self.get(number).filter(|known| known.state != State::HungUp(to))?;
        let flow = known.flow(number, to);
        let scripted = known.ends[1 - to].node.is_none();
        let end = &mut known.ends[to];
        let node = end.node?;
        end.arrived.extend_from_slice(octets);
        let (mut messages, mut oversized, mut broken) = (Vec::new(), None, false);
        loop {
            match end.framer.next(&end.arrived) {
                Framing::Incomplete => break,
                Framing::Frame { len } => messages.push(end.arrived.drain(..len).collect()),
                Framing::KeepAlive { len, .. } => drop(end.arrived.drain(..len)),
                error => {
                    assert!(scripted, "a role wrote what is no stream of messages: {error:?}");
                    if let Framing::Oversized { head } = error {
                        oversized = Some(end.arrived[..head].to_vec());
                    }
                    broken = true;
                    break;
                }
            }
        }
        Some(Arrival { node, flow, messages, oversized, broken })
    }

    /// Closes a connection from the end that knows it by `flow`: when the other end has everything that was sent to it.
    /// `None` when it is closed already.
    pub(crate) fn hang_up(&mut self, flow: Flow) -> Option<Instant> {
        let connection = self.open(flow)?;
        let to = far(&connection.ends, flow);
        connection.state = State::HungUp(1 - to);
        Some(connection.ends[to].last)
    }

    /// Closes a connection for good; who is to be told, with the flow that each knows it by.
    pub(crate) fn close(&mut self, number: u32) -> Vec<(NodeId, Flow)> {
        let Some(connection) = self.get(number) else { return Vec::new() };
        let told = |place: &usize| connection.state != State::HungUp(*place);
        let ends = [0, 1].into_iter().filter(told);
        let known = ends.filter_map(|place| Some((connection.ends[place].node?, connection.flow(number, place))));
        let known = known.collect();
        connection.state = State::Closed;
        known
    }

    /// The connection between the scripted peer at an address and a node that was opened last.
    pub(crate) fn scripted_with(&self, home: Address, node: NodeId) -> Option<Flow> {
        let own = self.scripted(home).into_iter().rev();
        let with = |flow: &Flow| {
            let ends = self.connections.get(flow.connection as usize - 1).map(|known| &known.ends);
            ends.is_some_and(|ends| ends.iter().any(|end| end.node == Some(node)))
        };
        own.into_iter().find(with)
    }

    /// The open connections of which one end is `wanted`, as that end knows them, first opened first.
    fn flows(&self, wanted: impl Fn(&End) -> bool) -> Vec<Flow> {
        let open = self.connections.iter().zip(1..).filter(|(known, _)| known.state == State::Open);
        let own = |(known, number): (&Connection, u32)| {
            let place = known.ends.iter().position(&wanted)?;
            Some(known.flow(number, place))
        };
        open.filter_map(own).collect()
    }

    /// The open connections of a node.
    pub(crate) fn of(&self, node: NodeId) -> Vec<Flow> {
        self.flows(|end| end.node == Some(node))
    }

    /// The open connections of the scripted peer at an address.
    pub(crate) fn scripted(&self, home: Address) -> Vec<Flow> {
        self.flows(|end| end.node.is_none() && end.home == home)
    }
}

/// Which of the ends a flow leads to: it names the other end by its address.
fn far(ends: &[End; 2], flow: Flow) -> usize {
    usize::from(ends[1].address == flow.remote)
}
