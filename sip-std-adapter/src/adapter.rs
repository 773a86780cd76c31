//! The loop between one role, its datagram sockets and the connections.
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
use crate::dns::LookUp;
use crate::gather::Gather;
use crate::input::Input;
use crate::network::{Answer, Network};
use crate::stream::takes_name;
use crate::tcp::{self, Tcp};
use crate::turn::{Direction, Statistics, Turn};
use crate::udp::Sent;
use crate::waker::Waker;
use core::net::SocketAddr;
use core::ops::ControlFlow;
use core::time::Duration;
use sip_core::message::{Malformed, Message};
use sip_core::role::{Action, Received, Role};
use sip_core::time::Instant;
use sip_core::transport::{Flow, Transport};
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};

/// Actions and inputs in one poll at most.
const WORK: u32 = 128;
/// How much later than its time a role's timer may come while nothing else happens: the shortest is half a second, and a server
/// with thousands of them is woken less often.
const SLACK: sip_core::time::Duration = sip_core::time::Duration::from_millis(4);
/// One sleep at most, so that no system's limit on timeouts is met.
pub(crate) const LONGEST_SLEEP: Duration = Duration::from_secs(3600);

/// One role over one UDP socket and, at the same port, connections over TCP; over several, if it [listens](Adapter::listen) at
/// several addresses.
///
/// Created by [`bind`](Adapter::bind) or [`bind_udp`](Adapter::bind_udp), driven by [`poll`](Adapter::poll) and
/// [`wait`](Adapter::wait) or by [`run`](Adapter::run). Everything happens inside these calls, on the caller's thread.
pub struct Adapter<R: Role> {
    role: R,
    pub(crate) network: Network,
    waker: Waker,
    deadlines: Deadlines,
    gather: Gather,
    /// The last poll ended with a deadline of the application: what has come from the network is first now.
    network_first: bool,
    /// The last poll found nothing to do, and nobody touched the role since.
    idle: bool,
}

/// A sleep that is about to begin.
pub(crate) struct Rest {
    /// How long it may last; `None`: without limit.
    pub(crate) left: Option<Duration>,
    /// So much of it nobody looks, and what comes is taken together afterwards.
    pub(crate) pause: Duration,
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
        Self::assemble(role, address, true)
    }

    /// As [`bind`](Adapter::bind), for datagrams only: a role that asks for a connection is told that there is none.
    ///
    /// # Errors
    /// As [`bind`](Adapter::bind).
    pub fn bind_udp(role: R, address: SocketAddr) -> io::Result<Self> {
        Self::assemble(role, address, false)
    }

    /// As [`bind`](Adapter::bind), at a port that other adapters of the same user may share (`SO_REUSEPORT`; Linux and Android):
    /// one for each core, say. The system gives each peer's datagrams, and each connection, to one of them.
    ///
    /// Their roles know nothing of each other. That suits a role without memory of one request in the next, as a redirect server or a
    /// stateless proxy, and those whose peers always come from the same address and port; a registrar needs a store that all of them
    /// read. Listeners that are [added](Adapter::listen) share their ports, too.
    ///
    /// # Errors
    /// As [`bind`](Adapter::bind); the system can't.
    pub fn bind_shared(role: R, address: SocketAddr) -> io::Result<Self> {
        let mut network = Network::new()?;
        network.shared = true;
        network.listen(address, true)?;
        Ok(Self::on(role, network))
    }

    /// Marks what is sent from now on, by all sockets and connections, with a code point of six bits (RFC 2474): 24 (CS3) or 26 (AF31)
    /// is common for signalling. Nothing is marked unless this is called.
    ///
    /// # Errors
    /// The system refuses it.
    pub fn set_dscp(&mut self, code_point: u8) -> io::Result<()> {
        self.network.set_dscp(code_point)
    }

    fn assemble(role: R, address: SocketAddr, tcp: bool) -> io::Result<Self> {
        let mut network = Network::new()?;
        network.listen(address, tcp)?;
        Ok(Self::on(role, network))
    }

    /// Puts a role on sockets that are there.
    pub(crate) fn on(role: R, network: Network) -> Self {
        let waker = Waker::new(Arc::clone(&network.waker));
        Self {
            role,
            network,
            waker,
            deadlines: Deadlines::default(),
            gather: Gather::default(),
            network_first: false,
            idle: false,
        }
    }

    /// Listens at one more address, for datagrams and for connections at the same port; port 0 takes a free one. Gives the
    /// number under which flows name it, [`Flow::listener`]; the address of [`bind`](Adapter::bind) has zero.
    ///
    /// What a role sends leaves from the listener that its flow names; a connection that it asks for begins at the one that it
    /// says, or at the first one of the target's family.
    ///
    /// # Errors
    /// As [`bind`](Adapter::bind); there are 256 listeners already.
    pub fn listen(&mut self, address: SocketAddr) -> io::Result<u8> {
        self.idle = false;
        self.network.listen(address, true)
    }

    /// Whom the peer of a connection has proved to be by its certificate: SIP domains and addresses (RFC 5922 §7.1). Empty where it
    /// showed none, and without TLS.
    #[must_use]
    pub fn peer_identities(&self, flow: Flow) -> Vec<String> {
        self.network.tcp.as_ref().map(|tcp| tcp.identities(flow)).unwrap_or_default()
    }

    /// The next wait is none: something has changed.
    #[cfg(any(feature = "rustls", feature = "ws"))]
    pub(crate) fn touch(&mut self) {
        self.idle = false;
    }

    /// The addresses at which it listens, in the order of the listeners' numbers.
    pub fn local_addrs(&self) -> impl ExactSizeIterator<Item = SocketAddr> {
        self.network.sockets.addresses()
    }

    /// Allows so many connections at the same time, those that peers opened and those that the role asked for: 512 unless
    /// this is called. Each can hold up to two messages of 65,535 octets.
    ///
    /// One more takes the place of the one over which no message passed for longest, if that is 32 s and the role does not
    /// [keep](Role::keeps) it; else it is refused.
    pub fn limit_connections(&mut self, most: usize) {
        self.network.tcp.get_or_insert_default().limit(most);
    }

    /// Allows so many connections at the same time that one source has opened: an IPv4 address, or an IPv6 network of 64
    /// bits. A quarter of [all](Adapter::limit_connections) unless this is called with another number than zero; raise it
    /// where many phones share an address, or a proxy speaks for them.
    pub fn limit_connections_of_source(&mut self, most: usize) {
        self.network.tcp.get_or_insert_default().most_of_source = most;
    }

    /// Closes a connection that a peer has opened when neither a message nor a keep-alive came over it for so long, unless the role
    /// [keeps](Role::keeps) it: ten minutes unless this is called.
    pub fn limit_idle(&mut self, idle: sip_core::time::Duration) {
        self.network.tcp.get_or_insert_default().idle = idle;
    }

    /// Asks these name servers for every name that is not in `/etc/hosts`, in place of those in `/etc/resolv.conf` and of the
    /// system's resolver. The first three are asked.
    pub fn dns_servers(&mut self, servers: &[SocketAddr]) {
        self.network.set_dns_servers(servers);
    }

    /// How many connections there are, those that are being opened included.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.network.tcp.as_ref().map_or(0, Tcp::count)
    }

    /// The address that the first socket is bound to, and at which connections are accepted.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.network.sockets.first()
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
        self.network.now()
    }

    /// What was counted since [`bind`](Adapter::bind).
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        self.network.statistics
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
        self.network.tap = Some(Box::new(tap));
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
        self.network.look()?;
        self.network.gather(now, |flow| self.role.keeps(flow));
        let mut work = WORK;
        let mut timers = false;
        loop {
            match self.drain(now, &mut work) {
                Drained::Event(event) => return Ok(Turn::Event(event)),
                Drained::OutOfWork => return Ok(Turn::Again),
                Drained::Empty => {}
            }
            if let Some(input) = self.network.inputs.pop_front() {
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
    /// for what was put back, until a name is found, or until a [`Waker`] calls; it may also return early. Under load it returns up to
    /// a millisecond later, so that what comes meanwhile is taken together.
    ///
    /// Returns at once unless the last [`poll`](Adapter::poll) ended with [`Turn::Idle`] and the role was not touched
    /// since, so nothing that is ready is slept over.
    ///
    /// # Errors
    /// Those of the operating system's poll.
    pub fn wait(&mut self, until: Option<Instant>) -> io::Result<()> {
        if let Some(rest) = self.begin_rest(until) {
            if !rest.pause.is_zero() {
                std::thread::sleep(rest.pause);
            }
            let begun = self.network.elapsed();
            self.network.collect(rest.left.map(|left| left.saturating_sub(rest.pause).min(LONGEST_SLEEP)))?;
            self.end_rest(begun);
        }
        Ok(())
    }

    /// How long may be slept until the moment `until`; `None` where something is ready, or may be.
    pub(crate) fn begin_rest(&mut self, until: Option<Instant>) -> Option<Rest> {
        if !core::mem::take(&mut self.idle) || self.network.woken || self.waker.is_called() {
            self.network.woken = false;
            return None;
        }
        let left = until.map(|until| Duration::from_millis(until.as_millis()).saturating_sub(self.network.elapsed()));
        let counted = &self.network.statistics;
        Some(Rest { left, pause: self.gather.pause(counted.datagrams_in + counted.messages_in, left) })
    }

    /// The sleep that began at `begun`, its pause left out, is over, and what the system has noticed is collected.
    pub(crate) fn end_rest(&mut self, begun: Duration) {
        self.gather.slept(self.network.elapsed().saturating_sub(begun));
        self.network.woken = false;
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
                Action::Send { id, flow, bytes } => match self.network.send(now, id, flow, bytes) {
                    Sent::Done | Sent::Lost => {}
                    Sent::Blocked => self.role.defer(id),
                    Sent::Held => self.role.hold(id),
                    Sent::Failed(error) => self.role.flow_failed(now, flow, error),
                },
                Action::Resolve { ticket, host, port, transport, secure } => {
                    let wanted = LookUp { ticket, host, port, transport, secure };
                    if let Answer::Now(targets) = self.network.resolve(now, wanted) {
                        self.role.resolved(now, ticket, &targets);
                    }
                }
                Action::Connect { ticket, target, listener, server_name } => {
                    // The role lends the name, and is asked which connections it keeps.
                    let name = if takes_name(target.transport) { server_name.to_vec() } else { Vec::new() };
                    match self.network.connect(now, ticket, (target, listener, &name), |flow| self.role.keeps(flow)) {
                        Answer::Now(Ok(flow)) => self.role.flow_connected(now, ticket, flow),
                        Answer::Now(Err(error)) => self.role.connect_failed(now, ticket, error),
                        Answer::Later => {}
                    }
                }
                Action::Close { flow } => self.network.close(flow),
                _ => self.network.statistics.unknown_actions += 1,
            }
        }
        Drained::OutOfWork
    }

    fn give(&mut self, now: Instant, input: Input) {
        match input {
            Input::Connected(ticket, flow) => self.role.flow_connected(now, ticket, flow),
            Input::NotConnected(ticket, error) => self.role.connect_failed(now, ticket, error),
            Input::Failed(flow, error) => self.role.flow_failed(now, flow, error),
            Input::Writable(flow) if flow.transport == Transport::Udp => self.role.flow_writable(now, flow),
            // One after the other, and others between them: each may use up the room.
            Input::Writable(flow) => {
                if let Some(id) = self.network.next_waiting(flow) {
                    self.role.resume(id);
                    self.network.inputs.push_back(Input::Writable(flow));
                }
            }
            Input::Resume(id) => self.role.resume(id),
            Input::Resolved(ticket, targets) => self.role.resolved(now, ticket, &targets),
        }
    }

    /// Receives at most one message.
    fn receive<'b>(&mut self, now: Instant, buffer: &'b mut [u8]) -> io::Result<Turn<'b, R::Event>> {
        let arrived = self.network.receive(now, buffer)?;
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
        // One that is due is not put off: it comes in the next poll.
        let timer = self.role.poll_timeout().map(|due| if due <= now { due } else { due.max(now + SLACK) });
        let next = [timer, self.network.next_timeout(), self.deadlines.next()].into_iter().flatten().min();
        if next.is_some_and(|due| due <= now) {
            return Turn::Again;
        }
        self.idle = true;
        Turn::Idle(next)
    }

    /// Gives the role a message, and the application what the role makes of it.
    fn take<'b>(&mut self, now: Instant, flow: Flow, bytes: &'b [u8]) -> Turn<'b, R::Event> {
        // Read where it lies: a message is large, and most cause no event with which it would go on.
        let parsed = Message::parse(bytes);
        let received = match &parsed {
            Ok(message) => self.role.receive(now, flow, message),
            Err(failure) => {
                self.network.statistics.malformed += 1;
                self.role.receive_malformed(now, flow, failure);
                Received::Nothing
            }
        };
        match (received, parsed) {
            (Received::Event(event), Ok(message)) => return Turn::Message { event, message, flow },
            (Received::Stray, _) => self.network.statistics.strays += 1,
            (Received::Nothing | Received::Event(_), _) => {}
        }
        Turn::Again
    }
}

#[cfg(test)]
#[path = "adapter_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "connection_tests.rs"]
mod connection_tests;

#[cfg(test)]
#[path = "listener_tests.rs"]
mod listener_tests;
