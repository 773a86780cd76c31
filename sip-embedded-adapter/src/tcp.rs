//! The connections of an adapter.

use crate::connection::{Connection, Means, State};
use crate::fault::{StreamFault, StreamOperation, final_word};
use crate::log;
use crate::streams::{Arrival, Dialled, Input, Io, Sealed, Sent};
use crate::turn::bump;
use embedded_nal::TcpClientStack;
use sip_core::time::Duration;
use sip_core::transport::{Address, Flow, FlowError, Ticket, Transport};

/// For how long the stack may connect unless the application says otherwise: until its third SYN had time to be answered.
const PATIENCE: Duration = Duration::from_secs(8);
/// For how long a connection has to be silent before another may take its place: 64·T1, when no transaction is alive on it.
const SILENCE: Duration = Duration::from_secs(32);

/// Up to `N` connections over TCP to peers that the role asks for, each with room for a message of `B` octets on its way
/// in and one on its way out.
///
/// One that is open, or about to be, serves every request to its peer's address and port (RFC 3261 §18.1.1). When all are
/// taken the one that was silent longest makes room, if nothing went over it for 32 s and the role does not
/// [keep](sip_core::role::Role::keeps) it. Connections of peers are accepted by
/// [`Listening`](crate::Listening) alone. Without it requests reach this host over those it has opened itself, so a registrar has to be
/// told their addresses, which a user agent learns from it.
///
/// `new` is a `const fn` and all zero as far as an absent socket of the stack (`None`) is, so that a static lies in .bss.
pub struct Tcp<S: TcpClientStack, const N: usize, const B: usize> {
    pub(crate) connections: [Connection<S::TcpSocket, B>; N],
    means: Option<Means<S::Error>>,
    /// For how long the stack may connect; zero for [`PATIENCE`].
    patience: Duration,
    /// Connections so far.
    count: u32,
    /// Which connection receives next.
    turn: usize,
}

impl<S: TcpClientStack, const N: usize, const B: usize> Tcp<S, N, B> {
    /// No connections yet.
    ///
    /// Every error of the stack ends its connection, and so does a receive that gives `Ok(0)`. See
    /// [`classified_by`](Tcp::classified_by).
    #[must_use]
    pub const fn new() -> Self {
        Self { connections: [const { Connection::NEW }; N], means: None, patience: Duration::ZERO, count: 0, turn: 0 }
    }

    /// Lets `means` say what the answers of this stack mean: its errors, and with `None` an `Ok(0)` for a receive, which is the
    /// end of the stream on some stacks and "nothing there" on others (smoltcp-nal, which says the end with an error).
    #[must_use]
    pub const fn classified_by(mut self, means: fn(StreamOperation, Option<&S::Error>) -> StreamFault) -> Self {
        self.means = Some(means);
        self
    }

    /// As [`classified_by`](Tcp::classified_by), where they lie: connections in a static are too large to be moved through
    /// the stack.
    pub const fn classify_by(&mut self, means: fn(StreamOperation, Option<&S::Error>) -> StreamFault) {
        self.means = Some(means);
    }

    /// Bounds how long the stack may take to connect; 8 s unless this is called.
    #[must_use]
    pub const fn connecting_within(mut self, limit: Duration) -> Self {
        self.patience = limit;
        self
    }

    /// How many connections are open.
    #[must_use]
    pub fn open(&self) -> usize {
        self.connections.iter().filter(|connection| connection.state() == State::Open).count()
    }

    pub(crate) fn means(&self) -> Means<S::Error> {
        self.means.unwrap_or(final_word::<S::Error>)
    }

    fn limit(&self) -> Duration {
        if self.patience == Duration::ZERO { PATIENCE } else { self.patience }
    }

    /// The connection that carries `flow`, or did until the role learns its end.
    fn of(&mut self, flow: Flow) -> Option<&mut Connection<S::TcpSocket, B>> {
        self.connections.iter_mut().find(|connection| connection.flow() == flow && !connection.is_free())
    }

    /// The connection to `remote` that is open or about to be.
    fn to(&mut self, remote: Address) -> Option<&mut Connection<S::TcpSocket, B>> {
        let alive = |connection: &&mut Connection<_, B>| matches!(connection.state(), State::Connecting | State::Open);
        self.connections.iter_mut().filter(alive).find(|connection| connection.flow().remote == remote)
    }

    /// A flow that no connection had before.
    pub(crate) fn new_flow(&mut self, remote: Address) -> Flow {
        self.count = self.count.checked_add(1).unwrap_or(1);
        Flow { remote, connection: self.count, transport: Transport::Tcp, ..Flow::NONE }
    }
}

impl<S: TcpClientStack, const N: usize, const B: usize> Default for Tcp<S, N, B> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S: TcpClientStack, const N: usize, const B: usize> Sealed<S> for Tcp<S, N, B> {
    const TCP: bool = true;

    fn send(&mut self, io: &mut Io<'_, S>, flow: Flow, octets: &[u8]) -> Sent {
        let means = self.means();
        let Some(connection) = self.of(flow) else { return Sent::Failed(FlowError::Closed) };
        let sent = connection.send(io, means, octets);
        match sent {
            Sent::Done => bump(&mut io.counted.messages_out),
            Sent::Blocked => {}
            Sent::Failed(_) => connection.forget(),
        }
        sent
    }

    fn make_room(&mut self, io: &mut Io<'_, S>, remote: Address, keeps: &dyn Fn(Flow) -> bool) -> Option<Flow> {
        if self.to(remote).is_some() || self.connections.iter().any(Connection::is_free) {
            return None;
        }
        if let Some(over) = self.connections.iter_mut().find(|connection| connection.state() == State::Lingering) {
            over.end(io, FlowError::Closed);
            if over.is_free() {
                return None;
            }
        }
        if let Some(ended) = self.connections.iter_mut().find(|connection| connection.is_only_lost()) {
            ended.forget();
            return Some(ended.flow());
        }
        let silent = |connection: &Connection<_, B>| connection.idle_since().filter(|since| io.now >= *since + SILENCE);
        let gives_way = |connection: &&mut Connection<_, B>| silent(connection).is_some() && !keeps(connection.flow());
        let candidates = self.connections.iter_mut().filter(gives_way);
        let oldest = candidates.min_by_key(|connection| silent(connection))?;
        oldest.end(io, FlowError::Closed);
        oldest.forget();
        Some(oldest.flow())
    }

    fn connect(&mut self, io: &mut Io<'_, S>, ticket: Ticket, remote: Address) -> Dialled {
        let (means, limit) = (self.means(), self.limit());
        if let Some(connection) = self.to(remote) {
            return match connection.state() {
                State::Open => Dialled::Open(connection.flow()),
                _ if connection.wait(ticket) => Dialled::Waiting,
                _ => Dialled::Failed(FlowError::Other),
            };
        }
        let flow = self.new_flow(remote);
        let Some(connection) = self.connections.iter_mut().find(|connection| connection.is_free()) else {
            log::line!(warn, "no room for a connection to {}", remote);
            bump(&mut io.counted.connects_failed);
            return Dialled::Failed(FlowError::Other);
        };
        match TcpClientStack::socket(io.stack) {
            Ok(socket) => {
                connection.wait(ticket);
                connection.dial(io, means, socket, flow, limit);
                Dialled::Waiting
            }
            Err(error) => {
                bump(&mut io.counted.connects_failed);
                match means(StreamOperation::Open, Some(&error)) {
                    StreamFault::Closed(error) => Dialled::Failed(error),
                    StreamFault::WouldBlock => Dialled::Failed(FlowError::Other),
                }
            }
        }
    }

    fn close(&mut self, io: &mut Io<'_, S>, flow: Flow) {
        if let Some(connection) = self.of(flow) {
            connection.end(io, FlowError::Closed);
            connection.forget();
        }
    }

    fn close_all(&mut self, io: &mut Io<'_, S>) {
        for connection in &mut self.connections {
            connection.end(io, FlowError::Closed);
        }
    }

    fn service(&mut self, io: &mut Io<'_, S>, _: &dyn Fn(Flow) -> bool) {
        let (means, limit) = (self.means(), self.limit());
        for connection in &mut self.connections {
            connection.service(io, means, limit);
        }
    }

    fn next_input(&mut self) -> Option<Input> {
        self.connections.iter_mut().find_map(Connection::next_input)
    }

    fn receive(&mut self, io: &mut Io<'_, S>, buffer: &mut [u8]) -> Arrival {
        let means = self.means();
        for _ in 0..N {
            let turn = self.turn;
            self.turn = if turn + 1 < N { turn + 1 } else { 0 };
            let Some(connection) = self.connections.get_mut(turn) else { continue };
            let arrival = connection.receive(io, means, buffer);
            if arrival != Arrival::Nothing {
                return arrival;
            }
        }
        Arrival::Nothing
    }

    fn is_busy(&self) -> bool {
        self.connections.iter().any(Connection::is_busy)
    }
}
