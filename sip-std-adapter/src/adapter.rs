//! The loop between one role, one datagram socket and the connections.
//!
//! ```text
//!   poll:   actions to None, after every input
//!           inputs: sends possible again, peers not there, names found, connections opened, failed, lost
//!           timers, once
//!           a Waker called, a deadline of the application ──> Turn::Woken, Turn::Deadline
//!           one message ──> Turn::Message | Turn::Again
//!           none there  ──> Turn::Idle ──> wait
//! ```

use crate::commands::Commander;
use crate::deadlines::Deadlines;
use crate::input::Input;
use crate::resolve::{Asked, Resolver};
use crate::tcp::{self, Dialled, Tcp};
use crate::turn::{Direction, Statistics, Tap, Turn};
use crate::udp::{Arrived, Sent, Udp};
use crate::waker::Waker;
use core::net::SocketAddr;
use core::ops::ControlFlow;
use core::time::Duration;
use mio::{Events, Interest, Poll, Token};
use sip_core::message::{Malformed, Message};
use sip_core::role::{Action, Received, Role};
use sip_core::time::Instant;
use sip_core::transport::{Flow, FlowError, Payload, Target, Transport};
use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::time;

/// Actions and inputs in one poll at most.
const WORK: u32 = 128;
/// Inputs that wait at most while the error queue is read: what it holds can stay there.
const REPORTS: usize = 32;
/// One sleep at most, so that no system's limit on timeouts is met.
const LONGEST_SLEEP: Duration = Duration::from_secs(3600);

/// How many polls there are at most between two looks at what the connections have.
const LOOK: u32 = 16;
/// How often a free port is looked for that datagrams and connections can share.
const PORTS: u32 = 32;

const SOCKET: Token = Token(0);
const WAKER: Token = Token(1);

/// One role over one UDP socket and, at the same port, connections over TCP.
///
/// Created by [`bind`](Adapter::bind) or [`bind_udp`](Adapter::bind_udp), driven by [`poll`](Adapter::poll) and
/// [`wait`](Adapter::wait) or by [`run`](Adapter::run). Everything happens inside these calls, on the caller's thread.
pub struct Adapter<R: Role> {
    role: R,
    udp: Udp,
    tcp: Option<Tcp>,
    poll: Poll,
    events: Events,
    waker: Waker,
    resolver: Resolver,
    epoch: time::Instant,
    deadlines: Deadlines,
    /// The last poll ended with a deadline of the application: what has come from the network is first now.
    network_first: bool,
    /// What the role has yet to be told.
    inputs: VecDeque<Input>,
    /// Sends were put back until the socket has room; the flow of one, which [carries](Flow::carries) the others.
    blocked: Option<Flow>,
    /// The last poll found nothing to do, and nobody touched the role since.
    idle: bool,
    woken: bool,
    /// The next receive begins with the connections.
    tcp_first: bool,
    /// Polls since the last look at what the connections have.
    unlooked: u32,
    statistics: Statistics,
    tap: Option<Box<Tap>>,
}

/// Where draining the role's actions stopped.
enum Drained<E> {
    Empty,
    Event(E),
    OutOfWork,
}

impl<R: Role> Adapter<R> {
    /// Binds a UDP socket to `address`, listens for TCP connections at the same port (RFC 3261 §18.2.1), and puts `role` on
    /// both. Port 0 takes a free one.
    ///
    /// The adapter's clock starts here, at [`Instant::ZERO`]. A role started before has been started at that moment.
    /// For the wildcard address see the [crate's text](crate#the-local-address).
    ///
    /// # Errors
    /// The address is taken or not this host's, or the system has no sockets to give.
    pub fn bind(role: R, address: SocketAddr) -> io::Result<Self> {
        let mut tries = if address.port() == 0 { PORTS } else { 1 };
        let poll = Poll::new()?;
        loop {
            tries -= 1;
            let udp = Udp::bind(address)?;
            match Tcp::listen(udp.local, poll.registry()) {
                Ok(tcp) => return Self::assemble(role, udp, Some(tcp), poll),
                Err(error) if tries == 0 || error.kind() != ErrorKind::AddrInUse => return Err(error),
                Err(_) => {}
            }
        }
    }

    /// As [`bind`](Adapter::bind), for datagrams only: a role that asks for a connection is told that there is none.
    ///
    /// # Errors
    /// As [`bind`](Adapter::bind).
    pub fn bind_udp(role: R, address: SocketAddr) -> io::Result<Self> {
        Self::assemble(role, Udp::bind(address)?, None, Poll::new()?)
    }

    fn assemble(role: R, mut udp: Udp, tcp: Option<Tcp>, poll: Poll) -> io::Result<Self> {
        poll.registry().register(&mut udp.socket, SOCKET, Interest::READABLE)?;
        let waker = Arc::new(mio::Waker::new(poll.registry(), WAKER)?);
        let resolver = Resolver::new(Arc::clone(&waker), udp.local.is_ipv4(), tcp.is_some());
        Ok(Self {
            role,
            udp,
            tcp,
            poll,
            events: Events::with_capacity(64),
            waker: Waker::new(waker),
            resolver,
            epoch: time::Instant::now(),
            deadlines: Deadlines::default(),
            network_first: false,
            inputs: VecDeque::new(),
            blocked: None,
            idle: false,
            woken: false,
            tcp_first: false,
            unlooked: 0,
            statistics: Statistics::default(),
            tap: None,
        })
    }

    /// Allows so many connections at the same time, those that peers opened and those that the role asked for: 512 unless
    /// this is called. Each can hold up to two messages of 65,535 octets.
    ///
    /// One more takes the place of the one over which no message passed for longest, if that is 32 s; else it is refused.
    pub fn limit_connections(&mut self, most: usize) {
        if let Some(tcp) = &mut self.tcp {
            tcp.limit(most);
        }
    }

    /// How many connections there are, those that are being opened included.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.tcp.as_ref().map_or(0, Tcp::count)
    }

    /// The address that the socket is bound to, and at which connections are accepted.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.udp.local
    }

    /// The role.
    #[must_use]
    pub fn role(&self) -> &R {
        &self.role
    }

    /// The role, to ask something of it. What it has to send then goes out in the next [`poll`](Adapter::poll).
    pub fn role_mut(&mut self) -> &mut R {
        self.idle = false;
        &mut self.role
    }

    /// Calls `f` with the role and the time, and returns what `f` returns.
    pub fn with<T>(&mut self, f: impl FnOnce(&mut R, Instant) -> T) -> T {
        let now = self.now();
        f(self.role_mut(), now)
    }

    /// The role back; the socket and the connections are closed.
    #[must_use]
    pub fn into_role(self) -> R {
        self.role
    }

    /// The time: milliseconds since [`bind`](Adapter::bind), on a clock that never runs backwards.
    #[must_use]
    pub fn now(&self) -> Instant {
        let millis = self.epoch.elapsed().as_millis();
        Instant::from_millis(u64::try_from(millis).unwrap_or(u64::MAX))
    }

    /// What was counted since [`bind`](Adapter::bind).
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        self.statistics
    }

    /// A handle that ends a wait from another thread.
    #[must_use]
    pub fn waker(&self) -> Waker {
        self.waker.clone()
    }

    /// Commands from other threads: what a [`Commander`] sends, the receiver takes, and [`Turn::Woken`] says that there is
    /// something to take.
    ///
    /// ```no_run
    /// # use sip_std_adapter::{Adapter, Turn, memory::HeapMemory};
    /// # use sip_core::ua::{Call, UserAgent};
    /// # fn work(mut adapter: Adapter<UserAgent<HeapMemory>>, call: Call) -> std::io::Result<()> {
    /// enum Command { HangUp(Call) }
    ///
    /// let (commander, commands) = adapter.commands();
    /// std::thread::spawn(move || commander.send(Command::HangUp(call)));
    /// # let mut buffer = vec![0; 65_536];
    /// match adapter.poll(&mut buffer)? {
    ///     Turn::Woken => {
    ///         for Command::HangUp(call) in commands.try_iter() {
    ///             // An error says that the call has ended meanwhile.
    ///             let _ = adapter.with(|ua, now| ua.hang_up(now, call));
    ///         }
    ///     }
    ///     _ => {}
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn commands<C>(&self) -> (Commander<C>, Receiver<C>) {
        let (sender, receiver) = mpsc::channel();
        (Commander::new(sender, self.waker()), receiver)
    }

    /// Asks for [`Turn::Deadline`] with `token` at the moment `at`, once; a deadline that the token had is moved.
    ///
    /// What the token means is the application's affair.
    pub fn set_deadline(&mut self, token: u64, at: Instant) {
        self.idle = false;
        self.deadlines.set(token, at);
    }

    /// Takes a token's deadline back, if it has one.
    pub fn clear_deadline(&mut self, token: u64) {
        self.deadlines.clear(token);
    }

    /// Shows every datagram and every message of a connection to `tap`, those received before they are looked at and those
    /// sent once the system took them: which way it goes, our end's address, the peer, its octets, the time. Replaces an
    /// earlier tap.
    pub fn set_tap(&mut self, tap: impl FnMut(Direction, SocketAddr, Flow, &[u8], Instant) + Send + 'static) {
        self.tap = Some(Box::new(tap));
    }

    /// Does a bounded piece of work and never blocks: carries out what the role wants done, fires its timers, tells a wake-up
    /// or a deadline of the application, and receives at most one message into `buffer`.
    ///
    /// A datagram that fills `buffer` is dropped as truncated, and a message of a connection that `buffer` can't hold is
    /// answered with 513 by the role and closes it; 65,536 octets hold every one.
    ///
    /// # Errors
    /// The datagram socket is dead. Nothing that comes from the network, and no send that fails, is an error here: see
    /// [`Statistics`].
    pub fn poll<'b>(&mut self, buffer: &'b mut [u8]) -> io::Result<Turn<'b, R::Event>> {
        let now = self.now();
        self.idle = false;
        self.unlooked = self.unlooked.saturating_add(1);
        if self.blocked.is_some() || self.tcp.is_some() && self.unlooked >= LOOK {
            self.collect(Some(Duration::ZERO))?;
        }
        self.gather(now);
        let mut work = WORK;
        let mut timers = false;
        loop {
            match self.drain(now, &mut work) {
                Drained::Event(event) => return Ok(Turn::Event(event)),
                Drained::OutOfWork => return Ok(Turn::Again),
                Drained::Empty => {}
            }
            if let Some(input) = self.inputs.pop_front() {
                work = work.saturating_sub(1);
                self.give(now, input);
            } else if !timers && self.role.poll_timeout().is_some_and(|due| due <= now) {
                timers = true;
                self.role.handle_timeout(now);
            } else if self.waker.take() {
                return Ok(Turn::Woken);
            } else if !core::mem::take(&mut self.network_first)
                && let Some(token) = self.deadlines.take_due(now)
            {
                self.network_first = true;
                return Ok(Turn::Deadline(token));
            } else {
                return self.receive(now, buffer);
            }
        }
    }

    /// Sleeps until the moment `until` (`None`: without limit), until the socket or a connection has something or has room
    /// for what was put back, until a name is found, or until a [`Waker`] calls; it may also return early.
    ///
    /// Returns at once unless the last [`poll`](Adapter::poll) ended with [`Turn::Idle`] and the role was not touched
    /// since, so nothing that is ready is slept over.
    ///
    /// # Errors
    /// Those of the operating system's poll.
    pub fn wait(&mut self, until: Option<Instant>) -> io::Result<()> {
        if core::mem::take(&mut self.idle) && !self.woken && !self.waker.is_called() {
            let left = until.map(|until| Duration::from_millis(until.as_millis()).saturating_sub(self.epoch.elapsed()));
            self.collect(left.map(|left| left.min(LONGEST_SLEEP)))?;
        }
        self.woken = false;
        Ok(())
    }

    /// Polls and waits for ever, and hands what there is to act on to `f`, with the adapter: messages, events, deadlines,
    /// wake-ups. Ends with what `f` breaks with.
    ///
    /// What the role still has to send when `f` breaks goes out when it is polled again, at the latest before
    /// [`Turn::Idle`].
    ///
    /// # Errors
    /// Those of [`poll`](Adapter::poll) and [`wait`](Adapter::wait).
    pub fn run<T>(
        &mut self,
        buffer: &mut [u8],
        mut f: impl FnMut(&mut Self, Turn<'_, R::Event>) -> ControlFlow<T>,
    ) -> io::Result<T> {
        loop {
            let flow = match self.poll(buffer)? {
                Turn::Again => continue,
                Turn::Idle(until) => {
                    self.wait(until)?;
                    continue;
                }
                turn => f(self, turn),
            };
            if let ControlFlow::Break(result) = flow {
                return Ok(result);
            }
        }
    }

    /// Carries out the role's actions, until there are none, one is an event, or the work is up.
    fn drain(&mut self, now: Instant, work: &mut u32) -> Drained<R::Event> {
        while *work > 0 {
            let Some(action) = self.role.poll_action(now) else { return Drained::Empty };
            *work -= 1;
            match action {
                Action::Event(event) => return Drained::Event(event),
                Action::Send { id, flow, bytes } => {
                    let (local, sent) = match (flow.transport, &mut self.tcp) {
                        (Transport::Udp, _) => (self.udp.local, self.udp.send(flow, bytes)),
                        (Transport::Tcp, Some(tcp)) => {
                            (tcp.local(flow), tcp.send(now, flow, bytes, &mut self.statistics))
                        }
                        _ => (self.udp.local, Sent::Failed(FlowError::Closed)),
                    };
                    match sent {
                        Sent::Done => {
                            self.statistics.datagrams_out += u64::from(flow.transport == Transport::Udp);
                            if let Some(tap) = &mut self.tap {
                                tap(Direction::Out, local, flow, bytes, now);
                            }
                        }
                        Sent::Blocked => {
                            self.statistics.sends_deferred += 1;
                            self.role.defer(id);
                            if flow.transport == Transport::Udp {
                                self.block(flow);
                            }
                        }
                        Sent::Lost => self.statistics.sends_lost += 1,
                        Sent::Failed(error) => {
                            self.statistics.sends_failed += 1;
                            self.role.flow_failed(now, flow, error);
                        }
                    }
                }
                Action::Resolve { ticket, host, port, transport, secure } => {
                    match self.resolver.ask(ticket, host, port, transport, secure) {
                        Asked::Answered(targets) => self.role.resolved(now, ticket, &targets),
                        Asked::Waiting => {}
                        Asked::Refused => {
                            self.statistics.lookups_refused += 1;
                            self.role.resolved(now, ticket, &[]);
                        }
                    }
                }
                Action::Connect { ticket, target: Target { address, transport }, .. } => {
                    match (transport, &mut self.tcp) {
                        // Datagrams need no connection.
                        (Transport::Udp, _) => self.role.flow_connected(now, ticket, Flow::udp(address)),
                        (Transport::Tcp, Some(tcp)) => {
                            let (registry, counted) = (self.poll.registry(), &mut self.statistics);
                            match tcp.connect(now, registry, address, ticket, &mut self.inputs, counted) {
                                Dialled::Open(flow) => self.role.flow_connected(now, ticket, flow),
                                Dialled::Waiting => {}
                                Dialled::Failed(error) => self.role.connect_failed(now, ticket, error),
                            }
                        }
                        _ => self.role.connect_failed(now, ticket, FlowError::Unsupported),
                    }
                }
                Action::Close { flow } => {
                    if let Some(tcp) = &mut self.tcp {
                        tcp.close(flow, &mut self.statistics);
                    }
                }
            }
        }
        Drained::OutOfWork
    }

    fn give(&mut self, now: Instant, input: Input) {
        match input {
            Input::Connected(ticket, flow) => self.role.flow_connected(now, ticket, flow),
            Input::NotConnected(ticket, error) => self.role.connect_failed(now, ticket, error),
            Input::Failed(flow, error) => self.role.flow_failed(now, flow, error),
            Input::Unreachable(flow, error) => {
                self.statistics.unreachable += 1;
                self.role.flow_failed(now, flow, error);
            }
            Input::Writable(flow) => self.role.flow_writable(now, flow),
            Input::Resolved(ticket, targets) => self.role.resolved(now, ticket, &targets),
        }
    }

    /// Fetches what the error queue, the resolver and the connections have.
    fn gather(&mut self, now: Instant) {
        while self.inputs.len() < REPORTS {
            let Some((to, error)) = self.udp.next_report() else { break };
            self.inputs.push_back(Input::Unreachable(Flow::udp(to.into()), error));
        }
        while let Some((ticket, targets)) = self.resolver.next() {
            self.inputs.push_back(Input::Resolved(ticket, targets));
        }
        if let Some(tcp) = &mut self.tcp {
            tcp.expire(now, self.poll.registry(), &mut self.inputs, &mut self.statistics);
        }
    }

    /// Receives at most one message, from the socket and the connections by turns.
    fn receive<'b>(&mut self, now: Instant, buffer: &'b mut [u8]) -> io::Result<Turn<'b, R::Event>> {
        self.tcp_first = !self.tcp_first;
        let mut arrived = if self.tcp_first { self.receive_message(now, buffer) } else { tcp::Arrived::Nothing };
        if matches!(arrived, tcp::Arrived::Nothing) {
            arrived = self.receive_datagram(now, buffer)?;
        }
        if !self.tcp_first && matches!(arrived, tcp::Arrived::Nothing) {
            arrived = self.receive_message(now, buffer);
        }
        match arrived {
            tcp::Arrived::Nothing => Ok(self.rest(now)),
            tcp::Arrived::Other => Ok(Turn::Again),
            tcp::Arrived::Message(flow, length) => Ok(self.take(now, flow, &buffer[..length])),
            tcp::Arrived::Oversized(flow, length) => {
                self.role.receive_malformed(now, flow, &Malformed::oversized(&buffer[..length]));
                Ok(Turn::Again)
            }
        }
    }

    /// The turn in which there was nothing to do.
    fn rest<'b>(&mut self, now: Instant) -> Turn<'b, R::Event> {
        let connections = self.tcp.as_ref().and_then(Tcp::next_timeout);
        let next = [self.role.poll_timeout(), connections, self.deadlines.next()].into_iter().flatten().min();
        if next.is_some_and(|due| due <= now) {
            return Turn::Again;
        }
        self.idle = true;
        Turn::Idle(next)
    }

    /// Gives the role a message, and the application what the role makes of it.
    fn take<'b>(&mut self, now: Instant, flow: Flow, bytes: &'b [u8]) -> Turn<'b, R::Event> {
        match Message::parse(bytes) {
            Ok(message) => match self.role.receive(now, flow, &message) {
                Received::Event(event) => return Turn::Message { event, message, flow },
                Received::Nothing => {}
                Received::Stray => self.statistics.strays += 1,
            },
            Err(failure) => {
                self.statistics.malformed += 1;
                self.role.receive_malformed(now, flow, &failure);
            }
        }
        Turn::Again
    }

    /// Receives from the connections.
    fn receive_message(&mut self, now: Instant, buffer: &mut [u8]) -> tcp::Arrived {
        let Some(tcp) = &mut self.tcp else { return tcp::Arrived::Nothing };
        let arrived = tcp.receive(now, buffer, &mut self.inputs, &mut self.statistics);
        if let (tcp::Arrived::Message(flow, length) | tcp::Arrived::Oversized(flow, length), Some(tap)) =
            (&arrived, &mut self.tap)
        {
            tap(Direction::In, tcp.local(*flow), *flow, &buffer[..*length], now);
        }
        arrived
    }

    /// Receives from the socket.
    fn receive_datagram(&mut self, now: Instant, buffer: &mut [u8]) -> io::Result<tcp::Arrived> {
        let (length, from) = match self.udp.receive(buffer)? {
            Arrived::Datagram { length, from } => (length, from),
            Arrived::Truncated => {
                self.statistics.datagrams_in += 1;
                self.statistics.truncated += 1;
                return Ok(tcp::Arrived::Other);
            }
            Arrived::Survived => {
                self.statistics.receive_errors += 1;
                return Ok(tcp::Arrived::Other);
            }
            Arrived::Nothing => return Ok(tcp::Arrived::Nothing),
        };
        let bytes = &buffer[..length];
        let flow = Flow::udp(from.into());
        self.statistics.datagrams_in += 1;
        if let Some(tap) = &mut self.tap {
            tap(Direction::In, self.udp.local, flow, bytes, now);
        }
        match Payload::of(bytes) {
            Payload::NotSip => self.statistics.not_sip += 1,
            Payload::KeepAlive => self.statistics.keep_alives += 1,
            Payload::Message if length == buffer.len() => self.statistics.truncated += 1,
            Payload::Message => return Ok(tcp::Arrived::Message(flow, length)),
        }
        Ok(tcp::Arrived::Other)
    }

    /// Remembers that `flow` waits for room, and asks to be told.
    fn block(&mut self, flow: Flow) {
        if self.blocked.is_none() && self.listen(Interest::READABLE | Interest::WRITABLE).is_err() {
            // No notice will come: the send is simply tried again.
            self.inputs.push_back(Input::Writable(flow));
        } else {
            self.blocked = Some(flow);
        }
    }

    fn unblock(&mut self) {
        if let Some(flow) = self.blocked.take() {
            // If this fails, a wait ends early now and then.
            let _ = self.listen(Interest::READABLE);
            self.inputs.push_back(Input::Writable(flow));
        }
    }

    fn listen(&mut self, interest: Interest) -> io::Result<()> {
        self.poll.registry().reregister(&mut self.udp.socket, SOCKET, interest)
    }

    /// Takes what the operating system has noticed, within `timeout`.
    fn collect(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        match self.poll.poll(&mut self.events, timeout) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
            Err(_) => self.events.clear(),
            Ok(()) => {}
        }
        self.unlooked = 0;
        let now = self.now();
        let mut writable = false;
        for event in &self.events {
            match (event.token(), &mut self.tcp) {
                (WAKER, _) => self.woken = true,
                (SOCKET, _) => {
                    writable |= event.is_writable();
                    self.udp.reports_waiting |= event.is_error();
                }
                (_, Some(tcp)) => tcp.notice(event, now, &mut self.inputs, &mut self.statistics),
                (_, None) => {}
            }
        }
        if writable {
            self.unblock();
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "adapter_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "connection_tests.rs"]
mod connection_tests;
