//! The connections: those that peers opened and those that the role asked for.

use crate::accept::{Listener, source};
use crate::connection::{Arrival, Connection, End, Peer, State};
use crate::fault::flow_error;
use crate::handshakes::Handshakes;
use crate::input::Input;
use crate::lingering::Lingering;
use crate::network::CONNECTIONS;
use crate::patience::{IDLE, LINGER, PATIENCE};
use crate::relief::Relief;
use crate::stream::{Stream, Streams};
use crate::turn::Statistics;
use crate::udp::Sent;
use core::net::{IpAddr, SocketAddr};
use mio::event::Event;
use mio::{Interest, Registry, Token};
use sip_core::role::SendId;
use sip_core::time::{Duration, Instant};
use sip_core::transport::{Flow, FlowError, Ticket, Transport};
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::io;

/// Connections at most unless the application says otherwise: half of the descriptors that a process commonly may have.
const MOST: usize = 512;
/// One part in so many of the connections may come from one source, unless the application says otherwise, and so many may be in the
/// course of being opened: more than any one peer of a server with many has, and never all.
const SHARE: usize = 4;
/// Connections at most that are being opened to one IP address: whoever names ports there makes us wait for no more.
const OPENING_TO_ONE: usize = 16;
/// Connections that peers opened and whose handshakes are not over, at most, of all that there may be: one in so many.
const HANDSHAKES: usize = 4;

/// A wish for a connection: who waits for it, where it leads, and whom the peer has to prove to be.
#[derive(Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub(crate) ticket: Ticket,
    pub(crate) flow: Flow,
    pub(crate) name: &'a str,
}

/// What became of a wish for a connection.
pub(crate) enum Dialled {
    /// There is one already.
    Open(Flow),
    /// The answer will come.
    Waiting,
    /// It can't be had.
    Failed(FlowError),
}

/// What reading found.
pub(crate) enum Arrived {
    /// A message of so many octets.
    Message(Flow, usize),
    /// So many octets of a message over the limit. The end of its flow is among the inputs.
    Oversized(Flow, usize),
    /// Something else.
    Other,
    /// Nothing until the system says so.
    Nothing,
}

/// All connections of one adapter.
pub(crate) struct Tcp {
    pub(crate) listeners: Vec<Listener>,
    pub(crate) connections: HashMap<u32, Connection>,
    /// The connection to each peer, open or about to be, that a request can take (RFC 3261 §18.1.1).
    pub(crate) peers: HashMap<Peer, u32>,
    pub(crate) streams: Streams,
    /// Those that peers opened and whose handshakes are not over.
    handshakes: Handshakes,
    /// The sockets of those that are gone, until what was said last is there.
    pub(crate) lingering: Lingering,
    /// Those that may have octets to be read.
    readable: VecDeque<u32>,
    /// The moments at which a connection is looked at: its time may be up.
    pub(crate) looks: BTreeSet<(Instant, u32)>,
    /// How many connections each source has opened.
    pub(crate) sources: HashMap<IpAddr, usize>,
    /// Those that are being opened.
    opening: Vec<u32>,
    /// Connections so far.
    count: u32,
    pub(crate) most: usize,
    /// How many of them one source may open; zero for its [share](SHARE).
    pub(crate) most_of_source: usize,
    /// For how long one that a peer has opened may carry nothing.
    pub(crate) idle: Duration,
    /// The code point of what connections carry.
    pub(crate) dscp: Option<u8>,
    /// Listeners share their ports.
    pub(crate) shared: bool,
    /// Before this, none has been silent for long enough to make room.
    pub(crate) no_room_before: Instant,
}

impl Default for Tcp {
    fn default() -> Self {
        Self {
            listeners: Vec::new(),
            connections: HashMap::new(),
            peers: HashMap::new(),
            streams: Streams::default(),
            handshakes: Handshakes::default(),
            lingering: Lingering::default(),
            readable: VecDeque::new(),
            looks: BTreeSet::new(),
            sources: HashMap::new(),
            opening: Vec::new(),
            count: 0,
            most: MOST,
            most_of_source: 0,
            idle: IDLE,
            dscp: None,
            shared: false,
            no_room_before: Instant::ZERO,
        }
    }
}

impl Tcp {
    /// Listens at one more address, under this number.
    pub(crate) fn listen(
        &mut self,
        (number, transport): (u8, Transport),
        address: SocketAddr,
        registry: &Registry,
    ) -> io::Result<SocketAddr> {
        let listener = Listener::new((number, transport), address, registry, self.shared)?;
        let local = listener.local;
        self.listeners.push(listener);
        Ok(local)
    }

    /// Marks what the connections carry from now on.
    pub(crate) fn mark(&mut self, dscp: u8) {
        self.dscp = Some(dscp);
        for connection in self.connections.values_mut() {
            crate::options::mark_stream(connection.stream.socket(), self.dscp);
        }
    }

    /// How many connections there are, those that are being opened included.
    pub(crate) fn count(&self) -> usize {
        self.connections.len()
    }

    pub(crate) fn limit(&mut self, most: usize) {
        self.most = most;
        self.no_room_before = Instant::ZERO;
    }

    /// How many one source may open, and how many may be in the course of being opened.
    pub(crate) fn share(&self) -> usize {
        (self.most / SHARE).max(1)
    }

    /// Our end of a connection.
    pub(crate) fn local(&self, flow: Flow) -> Option<SocketAddr> {
        self.connections.get(&flow.connection).map(|connection| connection.local)
    }

    /// A connection to a peer, by the listener that the flow names unless that is zero: the one that is there, or a new one.
    pub(crate) fn connect(
        &mut self,
        now: Instant,
        registry: &Registry,
        wanted: Wanted<'_>,
        keeps: impl Fn(Flow) -> bool,
        inputs: &mut VecDeque<Input>,
        counted: &mut Statistics,
    ) -> Dialled {
        let Wanted { ticket, flow, name } = wanted;
        let there = self.peers.get(&Peer::of(flow, name)).and_then(|number| self.connections.get_mut(number));
        let by_it = |one: &&mut Connection| flow.listener == 0 || one.flow.listener == flow.listener;
        if let Some(connection) = there.filter(by_it) {
            if connection.is_known() {
                return Dialled::Open(connection.flow);
            }
            connection.tickets.push(ticket);
            return Dialled::Waiting;
        }
        let dialled = match self.may_open(flow) && self.make_room(now, keeps, inputs, counted) {
            true => self.dial(now, registry, flow, name),
            false => Err(FlowError::Other),
        };
        match dialled {
            Ok(connection) => {
                connection.tickets.push(ticket);
                Dialled::Waiting
            }
            Err(error) => {
                counted.connects_failed += 1;
                Dialled::Failed(error)
            }
        }
    }

    /// Whether one more may be opened: a stranger who names hosts that do not answer holds no more than a share.
    pub(crate) fn may_open(&self, wanted: Flow) -> bool {
        let there =
            |number: &&u32| self.connections.get(number).is_some_and(|one| one.flow.remote.ip() == wanted.remote.ip());
        self.opening.len() < self.share() && self.opening.iter().filter(there).count() < OPENING_TO_ONE
    }

    /// Begins to connect.
    pub(crate) fn dial(
        &mut self,
        now: Instant,
        registry: &Registry,
        wanted: Flow,
        name: &str,
    ) -> Result<&mut Connection, FlowError> {
        let remote = wanted.remote;
        let to = remote.socket_addr().ok_or(FlowError::Unreachable)?;
        let fits = |one: &&Listener| {
            one.local.is_ipv4() == to.is_ipv4() && (wanted.listener == 0 || one.number == wanted.listener)
        };
        // One of the same kind, so that what the role says of itself there is what the connection is. Plain text leaves from nowhere
        // else: where all listen under TLS there is no way out for it.
        let alike = self.listeners.iter().filter(fits).find(|one| one.transport == wanted.transport);
        let serves = |one: &&Listener| match wanted.transport {
            Transport::Ws => one.transport == Transport::Tcp,
            other => other.is_secure(),
        };
        let any = || self.listeners.iter().filter(fits).find(serves);
        let listener = alike.or_else(any).ok_or(FlowError::Unreachable)?;
        let number = listener.number;
        let socket = listener.open(to).map_err(|error| flow_error(&error))?;
        let stream = self.streams.dial(socket, (wanted.transport, to), name)?;
        let flow = Flow { remote, transport: wanted.transport, listener: number, ..Flow::NONE };
        let connection =
            self.add(now, registry, stream, flow, State::Connecting).map_err(|error| flow_error(&error))?;
        connection.name = name.to_owned();
        let number = connection.flow.connection;
        self.know(number, Peer::of(flow, name));
        self.opening.push(number);
        self.set_deadline(number, Some(now + PATIENCE));
        self.connections.get_mut(&number).ok_or(FlowError::Other)
    }

    /// Takes a connection that a peer has opened.
    pub(crate) fn accepted(
        &mut self,
        now: Instant,
        registry: &Registry,
        (stream, flow): (Stream, Flow),
        inputs: &mut VecDeque<Input>,
        counted: &mut Statistics,
    ) {
        let state = if flow.transport == Transport::Tcp { State::Open } else { State::Handshaking };
        // One that is closed already is as if it had not come.
        let Ok(connection) = self.add(now, registry, stream, flow, state) else { return };
        let number = connection.flow.connection;
        counted.connections_accepted += 1;
        if let Some(source) = source(flow.remote) {
            *self.sources.entry(source).or_default() += 1;
        }
        if state == State::Open {
            self.know(number, Peer::of(flow, ""));
            self.look_in_time(number);
        } else {
            self.handshakes.insert(flow.remote, number);
            self.set_deadline(number, Some(now + PATIENCE));
            if let Some(surplus) = self.handshakes.surplus((self.most / HANDSHAKES).max(1)) {
                self.end(surplus, FlowError::Unreachable, inputs, counted);
            }
        }
        self.queue(number);
    }

    /// Adds a connection: `flow` without its number.
    pub(crate) fn add(
        &mut self,
        now: Instant,
        registry: &Registry,
        mut stream: Stream,
        flow: Flow,
        state: State,
    ) -> io::Result<&mut Connection> {
        // Best effort: a small message waits a little where the option is not to be had.
        let _ = stream.socket().set_nodelay(true);
        crate::options::mark_stream(stream.socket(), self.dscp);
        let local = stream.socket().local_addr()?;
        self.count = self.count.checked_add(1).unwrap_or(1);
        let number = self.count;
        registry.register(stream.socket(), token(number), Interest::READABLE | Interest::WRITABLE)?;
        let flow = Flow { connection: number, ..flow };
        Ok(self.connections.entry(number).insert_entry(Connection::new(stream, flow, local, state, now)).into_mut())
    }

    /// Takes a message for a connection, all of it or nothing. When it fails the connection is gone and the caller tells
    /// the role.
    pub(crate) fn send(
        &mut self,
        now: Instant,
        (id, flow, bytes): (SendId, Flow, &[u8]),
        inputs: &mut VecDeque<Input>,
        counted: &mut Statistics,
    ) -> Sent {
        let Some(connection) = self.connections.get_mut(&flow.connection).filter(|found| found.flow == flow) else {
            return Sent::Failed(FlowError::Closed);
        };
        if !connection.is_known() && connection.is_opening() {
            return Sent::Failed(FlowError::Closed);
        }
        if connection.is_blocked()
            && let Some(sent) = self.send_by_relief(now, (id, flow, bytes), counted)
        {
            return sent;
        }
        let Some(connection) = self.connections.get_mut(&flow.connection) else {
            return Sent::Failed(FlowError::Closed);
        };
        let mut sent = connection.send(now, id, bytes);
        if sent == Sent::Failed(FlowError::Congested) {
            let old = connection.waiting.take_old(now);
            if !old.is_empty() {
                sent = connection.send(now, id, bytes);
            }
            inputs.extend(old.into_iter().map(Input::Resume));
        }
        match sent {
            Sent::Done => {
                counted.messages_out += 1;
                self.expect_progress(flow.connection, now);
            }
            Sent::Failed(FlowError::Congested) => counted.congested += 1,
            // It carries nothing any more: no last word either.
            Sent::Failed(_) => drop(self.remove(flow.connection, inputs, counted)),
            Sent::Held => self.look_in_time(flow.connection),
            Sent::Blocked | Sent::Lost => {}
        }
        sent
    }

    /// Closes a connection because the role says so.
    pub(crate) fn close(&mut self, flow: Flow, inputs: &mut VecDeque<Input>, counted: &mut Statistics) {
        if self.connections.get(&flow.connection).is_some_and(|connection| connection.flow == flow)
            && let Some(connection) = self.remove(flow.connection, inputs, counted)
        {
            self.lingering.add(flow.connection, connection.stream);
        }
    }

    /// The next of what waits for a connection that has room.
    pub(crate) fn next_waiting(&mut self, flow: Flow) -> Option<SendId> {
        let by_second = self.relief_of(flow.connection).is_some();
        let connection = self.connections.get_mut(&flow.connection).filter(|found| found.flow == flow)?;
        match connection.is_blocked() {
            // What waits there waits for the end of the handshake, however much room there is.
            false if connection.early => None,
            false => connection.waiting.next(),
            true if by_second => connection.waiting.next_urgent(),
            true => None,
        }
    }

    /// Takes note of what the operating system has noticed about the listener or a connection.
    pub(crate) fn notice(
        &mut self,
        event: &Event,
        now: Instant,
        inputs: &mut VecDeque<Input>,
        counted: &mut Statistics,
    ) {
        if let Some(listener) = self.listeners.iter_mut().find(|listener| listener.token() == event.token()) {
            listener.accept = Some(now);
            return;
        }
        let Some(number) = event.token().0.checked_sub(CONNECTIONS).and_then(|number| u32::try_from(number).ok())
        else {
            return;
        };
        let Some(connection) = self.connections.get_mut(&number) else { return self.lingering.notice(number) };
        if connection.is_opening() {
            return self.advance(number, now, inputs, counted);
        }
        if event.is_writable() {
            self.flush(number, now, inputs, counted);
        }
        if event.is_readable() || event.is_read_closed() || event.is_error() {
            self.queue(number);
        }
    }

    /// Goes on opening a connection.
    fn advance(&mut self, number: u32, now: Instant, inputs: &mut VecDeque<Input>, counted: &mut Statistics) {
        let Some(connection) = self.connections.get_mut(&number) else { return };
        match connection.open() {
            Ok(false) => {
                if connection.stream.speaks_early() {
                    connection.early = true;
                    let flow = connection.flow;
                    inputs.extend(connection.tickets.drain(..).map(|ticket| Input::Connected(ticket, flow)));
                }
            }
            Err(error) => self.end(number, error, inputs, counted),
            Ok(true) => {
                let (flow, was) = (connection.flow, core::mem::replace(&mut connection.state, State::Open));
                connection.used = now;
                let early = core::mem::take(&mut connection.early);
                inputs.extend(connection.tickets.drain(..).map(|ticket| Input::Connected(ticket, flow)));
                if was == State::Connecting {
                    counted.connections_opened += 1;
                    self.opening.retain(|one| *one != number);
                } else {
                    self.know_accepted(number);
                    self.know_alias(number);
                }
                self.handshakes.remove(flow.remote, number);
                self.set_deadline(number, None);
                // What came with the end of the handshake was read with it: the system tells of it no more.
                self.queue(number);
                self.expect_progress(number, now);
                self.relief_has_room(number, inputs);
                if early {
                    self.moved(number, now, true, inputs);
                }
            }
        }
    }

    /// Sends what waits on a connection that has room again.
    fn flush(&mut self, number: u32, now: Instant, inputs: &mut VecDeque<Input>, counted: &mut Statistics) {
        let Some(connection) = self.connections.get_mut(&number).filter(|connection| connection.is_blocked()) else {
            return;
        };
        match connection.flush() {
            Err(error) => self.end(number, error, inputs, counted),
            Ok(progress) => self.moved(number, now, progress, inputs),
        }
    }

    /// Takes note of how far a connection that was blocked has got; `progress` says whether its peer took any octets.
    fn moved(&mut self, number: u32, now: Instant, progress: bool, inputs: &mut VecDeque<Input>) {
        let Some(connection) = self.connections.get_mut(&number).filter(|connection| !connection.early) else { return };
        let blocked = connection.is_blocked();
        if !blocked && !connection.waiting.is_empty() {
            inputs.push_back(Input::Writable(connection.flow));
        }
        if connection.state == State::Open && (!blocked || progress) {
            if connection.relief == Relief::Had {
                connection.relief = Relief::None;
            }
            let deadline = blocked.then(|| connection.stall(now));
            self.set_deadline(number, deadline);
        }
        if !blocked {
            self.relief_has_room(number, inputs);
        }
    }

    pub(crate) fn queue(&mut self, number: u32) {
        if let Some(connection) = self.connections.get_mut(&number)
            && !core::mem::replace(&mut connection.queued, true)
        {
            self.readable.push_back(number);
        }
    }

    /// Receives at most one message into `buffer`: from the connection whose turn it is.
    pub(crate) fn receive(
        &mut self,
        now: Instant,
        buffer: &mut [u8],
        inputs: &mut VecDeque<Input>,
        counted: &mut Statistics,
    ) -> Arrived {
        while let Some(number) = self.readable.pop_front() {
            let Some(connection) = self.connections.get_mut(&number) else { continue };
            connection.queued = false;
            if connection.is_opening() {
                self.advance(number, now, inputs, counted);
                // What has opened meanwhile is queued once more.
                let early = self.connections.get_mut(&number).filter(|one| one.is_opening() && one.has_early());
                let Some(connection) = early else { continue };
                connection.early = true;
            }
            let Some(connection) = self.connections.get_mut(&number) else { continue };
            let (flow, is_first) = (connection.flow, !connection.spoke && !connection.dialled);
            let arrival = connection.receive(now, buffer);
            if connection.stream.take_moved() {
                self.moved(number, now, true, inputs);
            }
            self.expect_progress(number, now);
            match arrival {
                Arrival::Nothing => continue,
                Arrival::Message(length) => {
                    counted.messages_in += 1;
                    if is_first && flow.transport == Transport::Tls {
                        self.alias(number, buffer.get(..length).unwrap_or_default());
                    }
                }
                Arrival::Oversized(_) => {
                    counted.oversized += 1;
                    self.linger(number, now);
                    // Given to the role when its answer is on its way. That a message was too large would say that the others
                    // still get through.
                    inputs.push_back(Input::Failed(flow, FlowError::Closed));
                }
                Arrival::KeepAlive => counted.keep_alives += 1,
                Arrival::Part => {}
                Arrival::End(end) => {
                    let error = self.why(end, flow, counted);
                    self.end(number, error, inputs, counted);
                    return Arrived::Other;
                }
            }
            self.queue(number);
            return match arrival {
                Arrival::Message(length) => Arrived::Message(flow, length),
                Arrival::Oversized(length) => Arrived::Oversized(flow, length),
                _ => Arrived::Other,
            };
        }
        Arrived::Nothing
    }

    /// Counts why a connection ends; what the role is told.
    fn why(&mut self, end: End, flow: Flow, counted: &mut Statistics) -> FlowError {
        match end {
            End::Lost(error) => return error,
            End::Broken => counted.broken += 1,
            End::Hello => {
                counted.broken += 1;
                self.streams.note_hello(flow);
            }
            End::TooLarge => counted.oversized += 1,
        }
        FlowError::Closed
    }

    /// Lets a connection go on without the role, and for a moment only.
    fn linger(&mut self, number: u32, now: Instant) {
        self.unknow(number);
        self.set_deadline(number, Some(now + LINGER));
    }

    /// Ends a connection and has the role told.
    pub(crate) fn end(
        &mut self,
        number: u32,
        error: FlowError,
        inputs: &mut VecDeque<Input>,
        counted: &mut Statistics,
    ) {
        // First, so that what waits is offered to a flow that is known to be gone.
        let open = self.connections.get(&number).filter(|connection| connection.is_known());
        inputs.extend(open.map(|connection| Input::Failed(connection.flow, error)));
        let Some(mut connection) = self.remove(number, inputs, counted) else { return };
        if connection.is_opening() {
            self.streams.note(&mut connection.stream, connection.flow, &connection.name, error);
        }
        inputs.extend(connection.tickets.into_iter().map(|ticket| Input::NotConnected(ticket, error)));
        self.lingering.add(number, connection.stream);
    }

    /// Forgets a connection; its socket closes when what is returned is dropped.
    fn remove(&mut self, number: u32, inputs: &mut VecDeque<Input>, counted: &mut Statistics) -> Option<Connection> {
        self.unknow(number);
        let mut connection = self.connections.remove(&number)?;
        self.handshakes.remove(connection.flow.remote, number);
        if let Some(look) = connection.look {
            self.looks.remove(&(look, number));
        }
        if connection.dialled {
            self.opening.retain(|one| *one != number);
        } else {
            self.forget_source(connection.flow.remote);
        }
        self.unpair(&connection);
        inputs.extend(core::iter::from_fn(|| connection.waiting.next()).map(Input::Resume));
        match connection.state {
            State::Open | State::Lingering => {
                counted.connections_closed += 1;
                connection.stream.close();
            }
            State::Connecting => counted.connects_failed += 1,
            State::Handshaking => counted.handshakes_failed += 1,
        }
        Some(connection)
    }
}

fn token(number: u32) -> Token {
    Token(CONNECTIONS + number as usize)
}

#[cfg(test)]
#[path = "tcp_tests.rs"]
mod tests;
