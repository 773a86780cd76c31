//! The loop between one role, one datagram socket and the connections. Its order is that of `sip-std-adapter`.
//!
//! ```text
//!   poll:   what is under way on connections
//!           actions to None, after every input
//!           inputs: sends possible again, connections opened, failed, lost
//!           timers, once
//!           one message ──> Turn::Message | Turn::Again
//!           none there  ──> Turn::Idle
//! ```

use crate::fault::{Fault, Operation, harmless};
use crate::log;
use crate::streams::{Arrival, Dialled, Input, Io, NoTcp, Sent, Streams};
use crate::turn::{Query, Statistics, Turn, bump};
use core::net::{IpAddr, SocketAddr};
use embedded_nal::{UdpClientStack, UdpFullStack, nb};
use sip_core::message::{Malformed, Message};
use sip_core::role::{Action, Received, Role, SendId};
use sip_core::time::{Duration, Instant};
use sip_core::transport::{Address, Flow, FlowError, Payload, Target, Ticket, Transport};

/// Actions and inputs in one poll at most.
const WORK: u32 = 32;
/// How soon to try again when there is no room or a connection is not open yet: embedded-nal can't tell when that changes.
const RETRY: Duration = Duration::from_millis(10);
/// Errors in a row on receiving until they count as "nothing there": an application whose stack fails for good may sleep.
const ERRORS: u8 = 8;
/// Addresses of a name that the role gets to see at most.
const FOUND: usize = 4;

/// One role over one UDP socket of an embedded-nal stack, and with [`Tcp`](crate::Tcp) for `T` over connections too.
///
/// `R` may be a `&'static mut` to a role and `T` one to its connections, so that what is large stays where it is.
pub struct Adapter<R: Role, S: UdpFullStack, T = NoTcp> {
    role: R,
    socket: S::UdpSocket,
    streams: T,
    means: Option<fn(Operation, &S::Error) -> Fault>,
    /// Datagrams were put back because the socket was full; one of their flows, which stands for all.
    blocked: Flow,
    /// The last poll came to the end of the role's actions. Until one does, what was put back is not offered again: the
    /// role would never come to its end.
    drained: bool,
    /// The next receive begins with the connections.
    streams_first: bool,
    /// Errors in a row on receiving, up to [`ERRORS`].
    errors: u8,
    statistics: Statistics,
}

/// Where draining the role's actions stopped.
enum Drained<E> {
    Empty,
    Event(E),
    /// A name, so long, lies in the buffer.
    Name(Query, usize),
    OutOfWork,
}

/// What is known of a host without asking anybody.
enum Found {
    /// It is an address.
    Target(Target),
    /// It is a name, so long, which lies in the buffer now.
    Name(usize),
    /// It can't be looked up.
    Nothing,
}

fn find(host: &[u8], query: Query, buffer: &mut [u8]) -> Found {
    if let Some(address) = Address::literal(host, query.port) {
        return Found::Target(Target { address, transport: query.transport });
    }
    match buffer.get_mut(..host.len()) {
        Some(room) if core::str::from_utf8(host).is_ok() => {
            room.copy_from_slice(host);
            Found::Name(host.len())
        }
        _ => Found::Nothing,
    }
}

impl<R: Role, S: UdpFullStack> Adapter<R, S> {
    /// Puts `role` on `socket`, which is bound already.
    ///
    /// Errors of the stack are taken as harmless: on receiving, as "nothing there" (smoltcp-nal says so with an
    /// error), on sending, as a datagram that could not be sent. See [`classified_by`](Adapter::classified_by).
    #[must_use]
    pub const fn new(role: R, socket: S::UdpSocket) -> Self {
        Self::assemble(role, socket, NoTcp)
    }

    /// Opens a socket of `stack`, binds it to `port` and puts `role` on it.
    ///
    /// # Errors
    /// Those of the stack.
    pub fn bind(role: R, stack: &mut S, port: u16) -> Result<Self, S::Error> {
        let mut socket = UdpClientStack::socket(stack)?;
        if let Err(error) = UdpFullStack::bind(stack, &mut socket, port) {
            // The error that counts is the one of the bind.
            let _ = UdpClientStack::close(stack, socket);
            return Err(error);
        }
        Ok(Self::new(role, socket))
    }
}

impl<R: Role, S: UdpFullStack, T> Adapter<R, S, T> {
    const fn assemble(role: R, socket: S::UdpSocket, streams: T) -> Self {
        Self {
            role,
            socket,
            streams,
            means: None,
            blocked: Flow::NONE,
            drained: false,
            streams_first: false,
            errors: 0,
            statistics: Statistics::ZERO,
        }
    }

    /// Lets the adapter carry TCP too, over `streams`: a [`Tcp`](crate::Tcp), a [`Listening`](crate::Listening), or a `&mut` to one.
    #[must_use]
    pub fn with_tcp<U: Streams<S>>(self, streams: U) -> Adapter<R, S, U> {
        Adapter { means: self.means, statistics: self.statistics, ..Adapter::assemble(self.role, self.socket, streams) }
    }

    /// Lets `means` say what the errors of this stack's datagram socket mean.
    #[must_use]
    pub fn classified_by(mut self, means: fn(Operation, &S::Error) -> Fault) -> Self {
        self.means = Some(means);
        self
    }

    /// The role.
    #[must_use]
    pub const fn role(&self) -> &R {
        &self.role
    }

    /// The role, to ask something of it. What it has to send then goes out in the next [`poll`](Adapter::poll).
    pub const fn role_mut(&mut self) -> &mut R {
        &mut self.role
    }

    /// The connections, to be told something.
    pub const fn streams_mut(&mut self) -> &mut T {
        &mut self.streams
    }

    /// The connections.
    #[must_use]
    pub const fn streams(&self) -> &T {
        &self.streams
    }

    /// What was counted so far.
    #[must_use]
    pub const fn statistics(&self) -> Statistics {
        self.statistics
    }

    /// The role, the socket and the connections back. Sockets of open connections stay with the stack unless
    /// [`disconnect`](Adapter::disconnect) was called.
    #[must_use]
    pub fn into_parts(self) -> (R, S::UdpSocket, T) {
        (self.role, self.socket, self.streams)
    }

    /// Answers a [`Turn::Resolve`] with the addresses of the name, best first. The role sees the first four. None at all
    /// says that the name has no address.
    pub fn resolved(&mut self, now: Instant, query: Query, found: &[IpAddr]) {
        let mut targets = [Target::default(); FOUND];
        let count = found.len().min(FOUND);
        for (target, ip) in targets.iter_mut().zip(found) {
            *target = Target { address: Address::new(*ip, query.port), transport: query.transport };
        }
        self.role.resolved(now, query.ticket, targets.get(..count).unwrap_or_default());
    }
}

impl<R: Role, S: UdpFullStack, T: Streams<S>> Adapter<R, S, T> {
    /// Closes every connection, for instance because the network is gone or this host is about to have another address.
    /// The role learns it in the next polls.
    pub fn disconnect(&mut self, stack: &mut S, now: Instant) {
        self.streams.close_all(&mut Io { stack, now, counted: &mut self.statistics });
    }

    /// Does a bounded piece of work and never blocks: carries out what the role wants done, fires its timers, and
    /// receives at most one message into `buffer`.
    ///
    /// `now` is in milliseconds and must not run backwards. A datagram that fills `buffer` is dropped as truncated,
    /// because stacks differ in what they do with one that is too long. After [`Turn::Idle`] sleep until its moment
    /// or until the stack has received something, whichever comes first.
    ///
    /// # Errors
    /// The error of the stack that was classified as [`Fault::Dead`].
    // Inlined into a main that never returns, what it keeps for one message would lie on the stack for ever.
    #[inline(never)]
    pub fn poll<'b>(
        &mut self,
        stack: &mut S,
        now: Instant,
        buffer: &'b mut [u8],
    ) -> Result<Turn<'b, R::Event>, S::Error> {
        if core::mem::take(&mut self.drained) && !self.blocked.is_none() {
            let flow = core::mem::take(&mut self.blocked);
            self.role.flow_writable(now, flow);
        }
        let io = &mut Io { stack, now, counted: &mut self.statistics };
        self.streams.service(io, &|flow| self.role.keeps(flow));
        let mut work = WORK;
        let mut timers = false;
        loop {
            match self.drain(stack, now, &mut work, buffer)? {
                Drained::Event(event) => return Ok(Turn::Event(event)),
                Drained::Name(query, length) => {
                    let host = buffer.get(..length).and_then(|name| core::str::from_utf8(name).ok());
                    return Ok(Turn::Resolve { query, host: host.unwrap_or_default() });
                }
                Drained::OutOfWork => return Ok(Turn::Again),
                Drained::Empty => {}
            }
            if let Some(input) = self.streams.next_input() {
                work = work.saturating_sub(1);
                self.give(now, input);
            } else if timers || self.role.poll_timeout().is_none_or(|due| due > now) {
                self.drained = true;
                return self.receive(stack, now, buffer);
            } else {
                timers = true;
                self.role.handle_timeout(now);
            }
        }
    }

    /// Carries out the role's actions, until there are none, one is for the application, or the work is up.
    fn drain(
        &mut self,
        stack: &mut S,
        now: Instant,
        work: &mut u32,
        buffer: &mut [u8],
    ) -> Result<Drained<R::Event>, S::Error> {
        loop {
            let Some(left) = work.checked_sub(1) else { return Ok(Drained::OutOfWork) };
            *work = left;
            let Some(action) = self.role.poll_action(now) else { return Ok(Drained::Empty) };
            let io = &mut Io { stack, now, counted: &mut self.statistics };
            match action {
                Action::Event(event) => return Ok(Drained::Event(event)),
                Action::Send { id, flow, bytes } => {
                    let sent = match flow.transport {
                        Transport::Udp if !self.blocked.is_none() => Sent::Blocked,
                        Transport::Udp => send_datagram(io, &mut self.socket, self.means, flow, bytes)?,
                        _ => self.streams.send(io, flow, bytes),
                    };
                    let length = bytes.len();
                    self.after_send(now, (id, flow, length), sent);
                }
                Action::Connect { ticket, target, .. } => self.connect(stack, now, ticket, target),
                Action::Close { flow } => self.streams.close(io, flow),
                Action::Resolve { ticket, host, port, transport, secure } => {
                    let transport = if transport == Transport::None { Transport::Udp } else { transport };
                    let query = Query { ticket, port: port.unwrap_or(transport.default_port()), transport };
                    let carried = !secure && (transport == Transport::Udp || transport == Transport::Tcp && T::TCP);
                    match if carried { find(host, query, buffer) } else { Found::Nothing } {
                        Found::Target(target) => self.role.resolved(now, ticket, &[target]),
                        Found::Name(length) => return Ok(Drained::Name(query, length)),
                        Found::Nothing => self.role.resolved(now, ticket, &[]),
                    }
                }
                _ => bump(&mut self.statistics.unknown_actions),
            }
        }
    }

    /// Tells the role what became of a message of so many octets.
    fn after_send(&mut self, now: Instant, (id, flow, length): (SendId, Flow, usize), sent: Sent) {
        match sent {
            Sent::Done => {}
            Sent::Blocked => {
                bump(&mut self.statistics.sends_deferred);
                self.role.defer(id);
                if matches!(flow.transport, Transport::Udp) {
                    self.blocked = flow;
                }
            }
            Sent::Failed(error) => {
                log::line!(debug, "{} octets to {} not sent: {}", length, flow.remote, error);
                bump(&mut self.statistics.sends_failed);
                self.role.flow_failed(now, flow, error);
            }
        }
    }

    /// Opens the connection that the role asks for.
    fn connect(&mut self, stack: &mut S, now: Instant, ticket: Ticket, target: Target) {
        let Target { address, transport } = target;
        let io = &mut Io { stack, now, counted: &mut self.statistics };
        match transport {
            // Datagrams need no connection.
            Transport::Udp => self.role.flow_connected(now, ticket, Flow::udp(address)),
            Transport::Tcp if T::TCP => {
                if let Some(ended) = self.streams.make_room(io, address, &|flow| self.role.keeps(flow)) {
                    self.role.flow_failed(now, ended, FlowError::Closed);
                }
                match self.streams.connect(io, ticket, address) {
                    Dialled::Open(flow) => self.role.flow_connected(now, ticket, flow),
                    Dialled::Waiting => {}
                    Dialled::Failed(error) => self.role.connect_failed(now, ticket, error),
                }
            }
            _ => self.role.connect_failed(now, ticket, FlowError::Unsupported),
        }
    }

    fn give(&mut self, now: Instant, input: Input) {
        match input {
            Input::Connected(ticket, flow) => self.role.flow_connected(now, ticket, flow),
            Input::NotConnected(ticket, error) => self.role.connect_failed(now, ticket, error),
            Input::Failed(flow, error) => self.role.flow_failed(now, flow, error),
            Input::Writable(flow) => self.role.flow_writable(now, flow),
        }
    }

    /// Receives at most one message, from the socket and the connections by turns.
    fn receive<'b>(
        &mut self,
        stack: &mut S,
        now: Instant,
        buffer: &'b mut [u8],
    ) -> Result<Turn<'b, R::Event>, S::Error> {
        let mut arrival = Arrival::Nothing;
        if T::TCP && self.streams_first {
            arrival = self.streams.receive(&mut Io { stack, now, counted: &mut self.statistics }, buffer);
        }
        if arrival == Arrival::Nothing {
            arrival = self.receive_datagram(stack, buffer)?;
        }
        if T::TCP && !self.streams_first && arrival == Arrival::Nothing {
            arrival = self.streams.receive(&mut Io { stack, now, counted: &mut self.statistics }, buffer);
        }
        self.streams_first = !self.streams_first;
        match arrival {
            Arrival::Nothing => Ok(self.idle(now)),
            Arrival::Other => Ok(Turn::Again),
            Arrival::TooLarge(flow) => Ok(Turn::TooLarge { flow }),
            Arrival::Oversized(flow, length) => {
                let head = buffer.get(..length).unwrap_or_default();
                self.role.receive_malformed(now, flow, &Malformed::oversized(head));
                Ok(Turn::TooLarge { flow })
            }
            Arrival::Message(flow, length) => Ok(self.take(now, flow, buffer.get(..length).unwrap_or_default())),
        }
    }

    fn idle<'b>(&self, now: Instant) -> Turn<'b, R::Event> {
        let mut next = self.role.poll_timeout();
        if next.is_some_and(|due| due <= now) {
            return Turn::Again;
        }
        if !self.blocked.is_none() || self.errors > 0 || self.streams.is_busy() {
            let retry = now + RETRY;
            next = Some(next.map_or(retry, |due| due.min(retry)));
        }
        if let Some(due) = self.streams.next_timeout() {
            next = Some(next.map_or(due, |next| next.min(due)));
        }
        Turn::Idle(next)
    }

    fn receive_datagram(&mut self, stack: &mut S, buffer: &mut [u8]) -> Result<Arrival, S::Error> {
        let counted = &mut self.statistics;
        let fault = match UdpClientStack::receive(stack, &mut self.socket, buffer) {
            Ok((length, from)) => {
                self.errors = 0;
                return Ok(sort(counted, buffer, length, from));
            }
            Err(nb::Error::WouldBlock) => Fault::WouldBlock,
            Err(nb::Error::Other(error)) => {
                match (self.means.unwrap_or(harmless::<S::Error>))(Operation::Receive, &error) {
                    Fault::Dead => return Err(error),
                    fault => fault,
                }
            }
        };
        if fault == Fault::WouldBlock {
            self.errors = 0;
            return Ok(Arrival::Nothing);
        }
        let too_large = fault == Fault::Datagram(FlowError::TooLarge);
        bump(if too_large { &mut counted.truncated } else { &mut counted.receive_errors });
        if self.errors == ERRORS {
            return Ok(Arrival::Nothing);
        }
        self.errors += 1;
        Ok(if too_large { Arrival::TooLarge(Flow::NONE) } else { Arrival::Other })
    }

    fn take<'b>(&mut self, now: Instant, flow: Flow, octets: &'b [u8]) -> Turn<'b, R::Event> {
        let parsed = Message::parse(octets);
        let received = match &parsed {
            Ok(message) => self.role.receive(now, flow, message),
            Err(failure) => {
                bump(&mut self.statistics.malformed);
                self.role.receive_malformed(now, flow, failure);
                Received::Nothing
            }
        };
        match (received, parsed) {
            (Received::Event(event), Ok(message)) => return Turn::Message { event, message, flow },
            (Received::Stray, _) => bump(&mut self.statistics.strays),
            _ => {}
        }
        Turn::Again
    }
}

/// What a datagram of this length is.
fn sort(counted: &mut Statistics, buffer: &[u8], length: usize, from: SocketAddr) -> Arrival {
    bump(&mut counted.datagrams_in);
    // A stack that serves both families with one socket may show an IPv4 peer as an IPv6 one (RFC 4291 §2.5.5.2).
    let flow = Flow::udp(SocketAddr::new(from.ip().to_canonical(), from.port()).into());
    match Payload::of(buffer.get(..length).unwrap_or(buffer)) {
        // Of a family that this build does not know: nothing could be sent there.
        _ if flow.remote.is_none() => bump(&mut counted.not_sip),
        Payload::NotSip => bump(&mut counted.not_sip),
        Payload::KeepAlive => bump(&mut counted.keep_alives),
        Payload::Message if length >= buffer.len() => {
            log::line!(warn, "a datagram from {} filled all {} octets", flow.remote, buffer.len());
            bump(&mut counted.truncated);
            return Arrival::TooLarge(flow);
        }
        Payload::Message => return Arrival::Message(flow, length),
    }
    Arrival::Other
}

/// Hands a datagram to the stack.
fn send_datagram<S: UdpFullStack>(
    io: &mut Io<'_, S>,
    socket: &mut S::UdpSocket,
    means: Option<fn(Operation, &S::Error) -> Fault>,
    flow: Flow,
    octets: &[u8],
) -> Result<Sent, S::Error> {
    let Some(to) = flow.remote.socket_addr() else { return Ok(Sent::Failed(FlowError::Unreachable)) };
    match UdpFullStack::send_to(io.stack, socket, to, octets) {
        Ok(()) => {
            bump(&mut io.counted.datagrams_out);
            Ok(Sent::Done)
        }
        Err(nb::Error::WouldBlock) => Ok(Sent::Blocked),
        Err(nb::Error::Other(error)) => match means.unwrap_or(harmless::<S::Error>)(Operation::Send, &error) {
            Fault::WouldBlock => Ok(Sent::Blocked),
            Fault::Datagram(error) => Ok(Sent::Failed(error)),
            Fault::Dead => Err(error),
        },
    }
}
