//! Connections of peers: accepted where the stack can listen, few, and none for nothing.
//!
//! ```text
//!              a place is free                a message, in 8 s
//!   accepted ────────────────> unheard ─────────────────────────> heard
//!      │  none: a guest that     │                                  │  half a message for 32 s; nothing for ten minutes
//!      │  was silent for 32 s    │ time is up                       │  unless the role keeps it; its place is needed
//!      │  makes room, or else    v                                  v
//!      └──────────────────────> closed <────────────────────────────┘
//! ```

use crate::connection::{Connection, State};
use crate::fault::{StreamFault, StreamOperation};
use crate::log;
use crate::streams::{Arrival, Dialled, Input, Io, Sealed, Sent};
use crate::tcp::Tcp;
use crate::turn::bump;
use core::net::SocketAddr;
use embedded_nal::{TcpClientStack, TcpFullStack, nb};
use sip_core::time::{Duration, Instant};
use sip_core::transport::{Address, Flow, FlowError, Ticket};

/// Connections that are accepted in one poll at most.
const ACCEPTS: usize = 2;
/// For how long a peer that has connected may say nothing.
const FIRST: Duration = Duration::from_secs(8);
/// How long a message may take to arrive: 64·T1, when its transaction is over.
const WHOLE: Duration = Duration::from_secs(32);
/// For how long a connection has to be without a message before another may take its place: 64·T1, when no transaction is
/// alive on it.
const SILENCE: Duration = Duration::from_secs(32);
/// For how long nothing may come over one unless the application says otherwise.
const IDLE: Duration = Duration::from_secs(600);

/// The connections of [`Tcp`], and those that peers open beside them, in the same `N` places.
///
/// It serves every request to the address and port that its peer connected from, as those do that this host has opened; responses
/// go back over it in any case. A peer has 8 s for its first message, 32 s for each message that it has begun, and ten minutes
/// in which nothing comes, unless the role [keeps](sip_core::role::Role::keeps) the connection. When there is no place for another,
/// the one over which no message came for longest makes room, if that is 32 s and the role does not keep it; else the new one is
/// closed at once.
///
/// ```ignore
/// let mut streams = Listening::new(Tcp::<Stack, 3, 1500>::new()).for_peers(2);
/// streams.listen(&mut stack, 5060)?;
/// let mut adapter = Adapter::bind(role, &mut stack, 5060)?.with_tcp(streams);
/// ```
/// The stack needs one socket more, which listens. `new` is a `const fn` and all zero, as [`Tcp::new`] is.
pub struct Listening<S: TcpFullStack, const N: usize, const B: usize> {
    tcp: Tcp<S, N, B>,
    socket: Option<S::TcpSocket>,
    /// Accepted, and a place is being made for it.
    pending: Option<(S::TcpSocket, Address)>,
    guests: [Guest; N],
    /// Places for peers; zero for all.
    most: usize,
    /// For how long nothing may come; zero for [`IDLE`].
    idle: Duration,
    counted: Accepts,
}

/// What was counted of the connections that peers open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Accepts {
    /// Connections that were accepted and got a place.
    pub accepted: u32,
    /// Connections closed at once, because there was no place.
    pub refused: u32,
    /// Connections closed because their time was up.
    pub expired: u32,
    /// Connections closed because their place was needed for another peer.
    pub displaced: u32,
    /// Errors of the listening socket.
    pub errors: u32,
}

/// The peer in the place of the same number.
#[derive(Clone, Copy)]
struct Guest {
    /// The number of its connection; another one in the place is none of a peer.
    connection: u32,
    /// A message has come.
    heard: bool,
    /// When the last one came; before, when it was accepted.
    message: Instant,
    /// When no part of a message was there last.
    empty: Instant,
    /// When the role said last that it keeps it.
    kept: Instant,
}

impl Guest {
    const NONE: Self =
        Self { connection: 0, heard: false, message: Instant::ZERO, empty: Instant::ZERO, kept: Instant::ZERO };

    /// Whether the connection in its place is its own, and open.
    fn is_at<K, const B: usize>(&self, connection: &Connection<K, B>) -> bool {
        self.connection != 0
            && connection.flow().connection == self.connection
            && matches!(connection.state(), State::Open | State::Lingering)
    }

    /// When a message has to be there.
    fn due<K, const B: usize>(&self, connection: &Connection<K, B>) -> Option<Instant> {
        if !self.heard {
            return Some(self.message + FIRST);
        }
        connection.is_partial().then(|| self.empty + WHOLE)
    }
}

impl<S: TcpFullStack, const N: usize, const B: usize> Listening<S, N, B> {
    /// Connections as `tcp` has them. Nobody listens before [`listen`](Listening::listen).
    #[must_use]
    pub const fn new(tcp: Tcp<S, N, B>) -> Self {
        let (guests, most, idle) = ([Guest::NONE; N], 0, Duration::ZERO);
        let counted = Accepts { accepted: 0, refused: 0, expired: 0, displaced: 0, errors: 0 };
        Self { tcp, socket: None, pending: None, guests, most, idle, counted }
    }

    /// Leaves peers so many of the places, one at least: the others are for connections that this host opens. All unless this is
    /// called.
    #[must_use]
    pub const fn for_peers(mut self, most: usize) -> Self {
        self.most = if most == 0 { 1 } else { most };
        self
    }

    /// Closes a peer's connection when nothing came over it for so long; ten minutes unless this is called.
    #[must_use]
    pub const fn idle_within(mut self, idle: Duration) -> Self {
        self.idle = idle;
        self
    }

    /// Listens at `port`; an earlier port is left.
    ///
    /// # Errors
    /// Those of the stack.
    pub fn listen(&mut self, stack: &mut S, port: u16) -> Result<(), S::Error> {
        self.unlisten(stack);
        let mut socket = TcpClientStack::socket(stack)?;
        let listens = TcpFullStack::bind(stack, &mut socket, port).and_then(|()| stack.listen(&mut socket));
        if let Err(error) = listens {
            // The error that counts is the one of the bind.
            let _ = TcpClientStack::close(stack, socket);
            return Err(error);
        }
        self.socket = Some(socket);
        Ok(())
    }

    /// Accepts no more connections; those that are open stay.
    pub fn unlisten(&mut self, stack: &mut S) {
        let sockets = [self.socket.take(), self.pending.take().map(|(socket, _)| socket)];
        for socket in sockets.into_iter().flatten() {
            // An error would say no more than that it is closed already.
            let _ = TcpClientStack::close(stack, socket);
        }
    }

    /// The connections, whoever opened them.
    #[must_use]
    pub const fn tcp(&self) -> &Tcp<S, N, B> {
        &self.tcp
    }

    /// As [`tcp`](Listening::tcp), to say what the stack's answers mean where they lie.
    pub const fn tcp_mut(&mut self) -> &mut Tcp<S, N, B> {
        &mut self.tcp
    }

    /// How many connections of peers are open.
    #[must_use]
    pub fn guests(&self) -> usize {
        self.guests.iter().zip(&self.tcp.connections).filter(|(guest, connection)| guest.is_at(connection)).count()
    }

    /// What was counted so far.
    #[must_use]
    pub const fn accepts(&self) -> Accepts {
        self.counted
    }

    fn idle(&self) -> Duration {
        if self.idle == Duration::ZERO { IDLE } else { self.idle }
    }

    /// Ends the connections of peers whose time is up.
    fn expire(&mut self, io: &mut Io<'_, S>, keeps: &dyn Fn(Flow) -> bool) {
        let idle = self.idle();
        for (guest, connection) in self.guests.iter_mut().zip(&mut self.tcp.connections) {
            if !guest.is_at(connection) {
                continue;
            }
            if !connection.is_partial() {
                guest.empty = io.now;
            }
            let mut over = guest.due(connection).is_some_and(|due| due <= io.now);
            if io.now >= connection.used().max(guest.kept) + idle {
                if keeps(connection.flow()) {
                    guest.kept = io.now;
                } else {
                    over = true;
                }
            }
            if over {
                bump(&mut self.counted.expired);
                connection.end(io, FlowError::Closed);
            }
        }
    }

    /// Takes the next connection that a peer has opened; whether there was one, and a place for it.
    fn accept(&mut self, io: &mut Io<'_, S>, keeps: &dyn Fn(Flow) -> bool) -> bool {
        if self.pending.is_none() {
            let Some(socket) = self.socket.as_mut() else { return false };
            match io.stack.accept(socket) {
                // A stack that serves both families with one socket may show an IPv4 peer as an IPv6 one (RFC 4291 §2.5.5.2).
                Ok((socket, from)) => {
                    self.pending = Some((socket, SocketAddr::new(from.ip().to_canonical(), from.port()).into()));
                }
                Err(nb::Error::WouldBlock) => return false,
                Err(nb::Error::Other(error)) => {
                    if self.tcp.means()(StreamOperation::Accept, Some(&error)) != StreamFault::WouldBlock {
                        bump(&mut self.counted.errors);
                    }
                    return false;
                }
            }
        }
        let most = if self.most == 0 { N } else { self.most };
        let place = self.tcp.connections.iter().position(Connection::is_free).filter(|_| self.guests() < most);
        let Some(place) = place else {
            if !self.displace(io, keeps)
                && let Some((socket, remote)) = self.pending.take()
            {
                log::line!(warn, "no room for a connection of {}", remote);
                let _ = remote;
                bump(&mut self.counted.refused);
                let _ = TcpClientStack::close(io.stack, socket);
            }
            return false;
        };
        let Some((socket, remote)) = self.pending.take() else { return false };
        let flow = self.tcp.new_flow(remote);
        if let (Some(connection), Some(guest)) = (self.tcp.connections.get_mut(place), self.guests.get_mut(place)) {
            connection.adopt(io.now, socket, flow);
            let now = io.now;
            *guest = Guest { connection: flow.connection, heard: false, message: now, empty: now, kept: Instant::ZERO };
            bump(&mut self.counted.accepted);
        }
        true
    }

    /// Ends the connection of the peer that was silent for longest, so that its place is free once the role has learnt it;
    /// `false` when every one is used.
    fn displace(&mut self, io: &mut Io<'_, S>, keeps: &dyn Fn(Flow) -> bool) -> bool {
        // One that is about to be free is enough.
        if self.guests.iter().zip(&self.tcp.connections).any(|(guest, connection)| {
            guest.connection != 0 && guest.connection == connection.flow().connection && connection.is_only_lost()
        }) {
            return true;
        }
        let silent = self.guests.iter().zip(&mut self.tcp.connections).filter(|(guest, connection)| {
            guest.is_at(connection)
                && io.now >= guest.message + SILENCE
                && connection.idle_since().is_some()
                && !keeps(connection.flow())
        });
        let Some((_, connection)) = silent.min_by_key(|(guest, _)| guest.message) else { return false };
        bump(&mut self.counted.displaced);
        connection.end(io, FlowError::Closed);
        true
    }
}

impl<S: TcpFullStack, const N: usize, const B: usize> Sealed<S> for Listening<S, N, B> {
    const TCP: bool = true;

    fn send(&mut self, io: &mut Io<'_, S>, flow: Flow, octets: &[u8]) -> Sent {
        self.tcp.send(io, flow, octets)
    }

    fn make_room(&mut self, io: &mut Io<'_, S>, remote: Address, keeps: &dyn Fn(Flow) -> bool) -> Option<Flow> {
        self.tcp.make_room(io, remote, keeps)
    }

    fn connect(&mut self, io: &mut Io<'_, S>, ticket: Ticket, remote: Address) -> Dialled {
        self.tcp.connect(io, ticket, remote)
    }

    fn close(&mut self, io: &mut Io<'_, S>, flow: Flow) {
        self.tcp.close(io, flow);
    }

    fn close_all(&mut self, io: &mut Io<'_, S>) {
        self.tcp.close_all(io);
        if let Some((socket, _)) = self.pending.take() {
            let _ = TcpClientStack::close(io.stack, socket);
        }
    }

    fn service(&mut self, io: &mut Io<'_, S>, keeps: &dyn Fn(Flow) -> bool) {
        self.tcp.service(io, keeps);
        self.expire(io, keeps);
        for _ in 0..ACCEPTS {
            if !self.accept(io, keeps) {
                break;
            }
        }
    }

    fn next_input(&mut self) -> Option<Input> {
        self.tcp.next_input()
    }

    fn receive(&mut self, io: &mut Io<'_, S>, buffer: &mut [u8]) -> Arrival {
        let arrival = self.tcp.receive(io, buffer);
        if let Arrival::Message(flow, _) = arrival
            && let Some(guest) = self.guests.iter_mut().find(|guest| guest.connection == flow.connection)
        {
            (guest.heard, guest.message, guest.empty) = (true, io.now, io.now);
        }
        arrival
    }

    fn is_busy(&self) -> bool {
        self.pending.is_some() || self.tcp.is_busy()
    }

    fn next_timeout(&self) -> Option<Instant> {
        let idle = self.idle();
        let guests =
            self.guests.iter().zip(&self.tcp.connections).filter(|(guest, connection)| guest.is_at(connection));
        let due = |(guest, connection): (&Guest, &Connection<_, B>)| {
            let idle = connection.used().max(guest.kept) + idle;
            guest.due(connection).map_or(idle, |due| due.min(idle))
        };
        guests.map(due).min()
    }
}
