//! What an adapter has of the operating system: the sockets, the connections, the names, and what they report.

use crate::dns::{self, LookUp};
use crate::input::Input;
use crate::resolve::{Asked, Resolver};
use crate::sockets::Sockets;
use crate::stream::takes_name;
use crate::tcp::{self, Dialled, Tcp, Wanted};
use crate::turn::{Direction, Statistics, Tap};
use crate::udp::{Arrived, Sent, Udp};
use core::net::SocketAddr;
use core::time::Duration;
use mio::{Events, Poll, Token};
use sip_core::locate::Outcome;
use sip_core::role::SendId;
use sip_core::time::Instant;
use sip_core::transport::{Flow, FlowError, Payload, Target, Ticket, Transport};
use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time;

/// Inputs that wait at most while the error queue is read: what it holds can stay there.
const REPORTS: usize = 32;
/// How many polls there are at most between two looks at what the connections have.
const LOOK: u32 = 16;
/// How many full lists of what the system has noticed are taken one after the other.
#[cfg(feature = "tokio")]
const COLLECTS: u32 = 4;
/// How often a free port is looked for that datagrams and connections can share.
const PORTS: u32 = 32;

const WAKER: Token = Token(0);
/// The token of the first datagram socket; those of further listeners follow.
const SOCKETS: usize = 1;
/// As many as a flow can name.
const LISTENERS: usize = 256;
/// The token of the first socket that accepts connections.
pub(crate) const ACCEPTING: usize = SOCKETS + LISTENERS;
/// A connection's token is this and its number.
pub(crate) const CONNECTIONS: usize = ACCEPTING + LISTENERS;

/// The answer to a role's wish for a connection or for a name's addresses.
pub(crate) enum Answer<T> {
    /// This is it.
    Now(T),
    /// It will come as an input.
    Later,
}

pub(crate) struct Network {
    pub(crate) sockets: Sockets,
    pub(crate) tcp: Option<Tcp>,
    poll: Poll,
    events: Events,
    epoch: time::Instant,
    resolver: Resolver,
    pub(crate) waker: Arc<mio::Waker>,
    /// What the role has yet to be told.
    pub(crate) inputs: VecDeque<Input>,
    /// The last wait was ended by the waker.
    pub(crate) woken: bool,
    /// The next receive begins with the connections.
    tcp_first: bool,
    /// Polls since the last look at what the connections have.
    unlooked: u32,
    /// Ports are shared with other adapters.
    pub(crate) shared: bool,
    /// The code point of what is sent.
    dscp: Option<u8>,
    pub(crate) statistics: Statistics,
    pub(crate) tap: Option<Box<Tap>>,
}

impl Network {
    pub(crate) fn new() -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Arc::new(mio::Waker::new(poll.registry(), WAKER)?);
        Ok(Self {
            sockets: Sockets::default(),
            tcp: None,
            poll,
            events: Events::with_capacity(64),
            epoch: time::Instant::now(),
            resolver: Resolver::new(Arc::clone(&waker)),
            waker,
            inputs: VecDeque::new(),
            woken: false,
            tcp_first: false,
            unlooked: 0,
            shared: false,
            dscp: None,
            statistics: Statistics::default(),
            tap: None,
        })
    }

    /// Listens at one more address, for datagrams and, if `tcp`, for connections at the same port; gives the listener's number.
    pub(crate) fn listen(&mut self, address: SocketAddr, tcp: bool) -> io::Result<u8> {
        let number = self.next_number()?;
        let registry = self.poll.registry();
        let mut tries = if address.port() == 0 { PORTS } else { 1 };
        let udp = loop {
            tries -= 1;
            let udp = Udp::bind(address, self.shared)?;
            if let Some(dscp) = self.dscp {
                udp.mark(dscp)?;
            }
            if !tcp {
                break udp;
            }
            let tcp = self.tcp.get_or_insert_default();
            (tcp.shared, tcp.dscp) = (self.shared, self.dscp);
            match tcp.listen((number, Transport::Tcp), udp.local, registry) {
                Ok(_) => break udp,
                Err(error) if tries == 0 || error.kind() != ErrorKind::AddrInUse => return Err(error),
                Err(_) => {}
            }
        };
        self.resolver.reaches(udp.local, if tcp { &[Transport::Udp, Transport::Tcp] } else { &[Transport::Udp] });
        self.sockets.add(udp, Token(SOCKETS + usize::from(number)), registry)?;
        Ok(number)
    }

    /// Listens for connections under TLS at one more address; gives the listener's number.
    #[cfg(feature = "rustls")]
    pub(crate) fn listen_tls(&mut self, address: SocketAddr, server: crate::tls::ServerTls) -> io::Result<u8> {
        let number = self.next_number()?;
        let tcp = self.tcp.get_or_insert_default();
        (tcp.shared, tcp.dscp) = (self.shared, self.dscp);
        let local = tcp.listen((number, Transport::Tls), address, self.poll.registry())?;
        tcp.streams.servers.insert(number, server);
        self.resolver.reaches(local, &[Transport::Tls]);
        self.sockets.add_without(local);
        Ok(number)
    }

    /// Listens for WebSockets at one more address; gives the listener's number.
    #[cfg(feature = "ws")]
    pub(crate) fn listen_ws(&mut self, address: SocketAddr, server: crate::ws::WsServer) -> io::Result<u8> {
        let number = self.next_number()?;
        let transport = server.transport();
        let tcp = self.tcp.get_or_insert_default();
        (tcp.shared, tcp.dscp) = (self.shared, self.dscp);
        let local = tcp.listen((number, transport), address, self.poll.registry())?;
        #[cfg(feature = "rustls")]
        tcp.streams.servers.extend(server.tls.clone().map(|tls| (number, tls)));
        tcp.streams.ws_servers.insert(number, server);
        self.resolver.reaches(local, &[transport]);
        self.sockets.add_without(local);
        Ok(number)
    }

    #[cfg(feature = "ws")]
    pub(crate) fn set_client_ws(&mut self, client: crate::ws::WsClient) {
        self.tcp.get_or_insert_default().streams.ws_client = client;
    }

    #[cfg(feature = "rustls")]
    pub(crate) fn set_client_tls(&mut self, client: crate::tls::ClientTls) {
        self.resolver.reaches_tls();
        self.tcp.get_or_insert_default().streams.client = Some(client);
    }

    /// Takes another certificate for a listener; gives whether there is such a one.
    #[cfg(feature = "rustls")]
    pub(crate) fn replace_tls(&mut self, listener: u8, server: crate::tls::ServerTls) -> bool {
        let known = self.tcp.as_mut().and_then(|tcp| tcp.streams.servers.get_mut(&listener));
        known.map(|known| *known = server).is_some()
    }

    /// Marks what is sent from now on.
    pub(crate) fn set_dscp(&mut self, dscp: u8) -> io::Result<()> {
        self.dscp = Some(dscp);
        self.sockets.mark(dscp)?;
        if let Some(tcp) = &mut self.tcp {
            tcp.mark(dscp);
        }
        Ok(())
    }

    /// The number of the next listener.
    fn next_number(&self) -> io::Result<u8> {
        u8::try_from(self.sockets.addresses().len())
            .map_err(|_| io::Error::new(ErrorKind::InvalidInput, "more addresses than a flow can name"))
    }

    /// Sends a message, or puts it off: the role is told what became of it.
    pub(crate) fn send(&mut self, now: Instant, id: SendId, flow: Flow, bytes: &[u8]) -> Sent {
        let sent = match (flow.transport, &mut self.tcp) {
            (Transport::Udp, _) => self.sockets.send(flow, bytes),
            (Transport::Tcp | Transport::Tls | Transport::Ws | Transport::Wss, Some(tcp)) => {
                tcp.send(now, (id, flow, bytes), &mut self.inputs, &mut self.statistics)
            }
            _ => Sent::Failed(FlowError::Closed),
        };
        match sent {
            Sent::Done => {
                self.statistics.datagrams_out += u64::from(flow.transport == Transport::Udp);
                self.show(Direction::Out, flow, bytes, now);
            }
            Sent::Blocked => {
                self.statistics.sends_deferred += 1;
                if flow.transport == Transport::Udp {
                    self.sockets.block(flow, self.poll.registry(), &mut self.inputs);
                }
            }
            Sent::Held => self.statistics.sends_deferred += 1,
            Sent::Lost => self.statistics.sends_lost += 1,
            Sent::Failed(_) => self.statistics.sends_failed += 1,
        }
        sent
    }

    fn show(&mut self, way: Direction, flow: Flow, bytes: &[u8], now: Instant) {
        if self.tap.is_none() {
            return;
        }
        let connection = self.tcp.as_ref().and_then(|tcp| tcp.local(flow));
        let listener = || self.sockets.addresses().nth(usize::from(flow.listener));
        if let (Some(local), Some(tap)) = (connection.or_else(listener), &mut self.tap) {
            tap(way, local, flow, bytes, now);
        }
    }

    /// The targets of a name.
    pub(crate) fn resolve(&mut self, now: Instant, wanted: LookUp<'_>) -> Answer<Vec<Target>> {
        match self.resolver.ask(now, wanted, self.poll.registry()) {
            Asked::Answered(targets) => Answer::Now(targets),
            Asked::Waiting => {
                // It may be known already, and then nothing will wake the poll.
                self.take_found();
                Answer::Later
            }
            Asked::Refused => {
                self.statistics.lookups_refused += 1;
                Answer::Now(Vec::new())
            }
        }
    }

    /// Puts what the resolver has found among the inputs.
    fn take_found(&mut self) {
        while let Some(found) = self.resolver.next() {
            self.statistics.lookups_failed += u64::from(found.outcome == Outcome::Failed);
            self.inputs.push_back(Input::Resolved(found.ticket, found.targets));
        }
    }

    /// Asks these name servers for every name from now on.
    pub(crate) fn set_dns_servers(&mut self, servers: &[SocketAddr]) {
        self.resolver.set_servers(servers);
    }

    /// The flow to a target: a connection that is there or is to be opened, or datagrams, which need none. `keeps` says which
    /// connections must not make room for it.
    pub(crate) fn connect(
        &mut self,
        now: Instant,
        ticket: Ticket,
        (target, listener, server_name): (Target, u8, &[u8]),
        keeps: impl Fn(Flow) -> bool,
    ) -> Answer<Result<Flow, FlowError>> {
        let dialled = match (target.transport, &mut self.tcp) {
            (Transport::Udp, _) => {
                let of_family = || target.address.socket_addr().and_then(|remote| self.sockets.towards(remote));
                let listener = if listener == 0 { of_family().unwrap_or_default() } else { listener };
                Dialled::Open(Flow { listener, ..Flow::udp(target.address) })
            }
            // Limits and certificates may be there before the first listener.
            (transport, Some(tcp)) if tcp.streams.can_dial(transport) && !tcp.listeners.is_empty() => {
                let (inputs, counted) = (&mut self.inputs, &mut self.statistics);
                let name = peer_name(target, server_name);
                let wanted = Wanted { ticket, flow: Flow { listener, ..Flow::to(target) }, name: &name };
                tcp.connect(now, self.poll.registry(), wanted, keeps, inputs, counted)
            }
            _ => Dialled::Failed(FlowError::Unsupported),
        };
        match dialled {
            Dialled::Open(flow) => Answer::Now(Ok(flow)),
            Dialled::Waiting => Answer::Later,
            Dialled::Failed(error) => Answer::Now(Err(error)),
        }
    }

    /// Closes a connection because the role says so.
    pub(crate) fn close(&mut self, flow: Flow) {
        if let Some(tcp) = &mut self.tcp {
            tcp.close(flow, &mut self.inputs, &mut self.statistics);
        }
    }

    /// The next send to be resumed on a flow with room; none when the room is used up.
    pub(crate) fn next_waiting(&mut self, flow: Flow) -> Option<SendId> {
        self.tcp.as_mut()?.next_waiting(flow)
    }

    /// The time: since this was made.
    pub(crate) fn elapsed(&self) -> Duration {
        self.epoch.elapsed()
    }

    /// The same as a role has it.
    pub(crate) fn now(&self) -> Instant {
        Instant::from_millis(u64::try_from(self.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    /// Looks at what the system has noticed, where that can't wait for the next sleep.
    pub(crate) fn look(&mut self) -> io::Result<()> {
        self.unlooked = self.unlooked.saturating_add(1);
        if self.sockets.is_blocked() || self.tcp.is_some() && self.unlooked >= LOOK {
            self.collect(Some(Duration::ZERO))?;
        }
        Ok(())
    }

    /// Fetches what the error queues, the resolver and the connections have. `keeps` says which connections must not make
    /// room for others.
    pub(crate) fn gather(&mut self, now: Instant, keeps: impl Fn(Flow) -> bool) {
        while self.inputs.len() < REPORTS {
            let Some((flow, error)) = self.sockets.next_report() else { break };
            self.statistics.unreachable += 1;
            self.inputs.push_back(Input::Failed(flow, error));
        }
        self.resolver.work(now, self.poll.registry());
        self.take_found();
        if let Some(tcp) = &mut self.tcp {
            tcp.accept_all(now, self.poll.registry(), &keeps, &mut self.inputs, &mut self.statistics);
            tcp.expire(now, self.poll.registry(), keeps, &mut self.inputs, &mut self.statistics);
        }
    }

    /// When the connections or the name servers want to be looked at.
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        let connections = self.tcp.as_ref().and_then(Tcp::next_timeout);
        [connections, self.resolver.next_timeout()].into_iter().flatten().min()
    }

    /// Receives at most one message, from the sockets and the connections by turns.
    pub(crate) fn receive(&mut self, now: Instant, buffer: &mut [u8]) -> io::Result<tcp::Arrived> {
        self.tcp_first = !self.tcp_first;
        let mut arrived = if self.tcp_first { self.receive_message(now, buffer) } else { tcp::Arrived::Nothing };
        if matches!(arrived, tcp::Arrived::Nothing) {
            arrived = self.receive_datagram(now, buffer)?;
        }
        if !self.tcp_first && matches!(arrived, tcp::Arrived::Nothing) {
            arrived = self.receive_message(now, buffer);
        }
        Ok(arrived)
    }

    /// Receives from the connections.
    fn receive_message(&mut self, now: Instant, buffer: &mut [u8]) -> tcp::Arrived {
        let Some(tcp) = &mut self.tcp else { return tcp::Arrived::Nothing };
        let arrived = tcp.receive(now, buffer, &mut self.inputs, &mut self.statistics);
        if let tcp::Arrived::Message(flow, length) | tcp::Arrived::Oversized(flow, length) = arrived {
            self.show(Direction::In, flow, &buffer[..length], now);
        }
        arrived
    }

    /// Receives from the sockets.
    fn receive_datagram(&mut self, now: Instant, buffer: &mut [u8]) -> io::Result<tcp::Arrived> {
        // With connections the system is asked every few polls what there is. Without, whoever polls may never have it asked.
        let all = self.tcp.is_none();
        let (listener, length, from) = match self.sockets.receive(buffer, all)? {
            (listener, Arrived::Datagram { length, from }) => (listener, length, from),
            (_, Arrived::Truncated) => {
                self.statistics.datagrams_in += 1;
                self.statistics.truncated += 1;
                return Ok(tcp::Arrived::Other);
            }
            (_, Arrived::Survived) => {
                self.statistics.receive_errors += 1;
                return Ok(tcp::Arrived::Other);
            }
            (_, Arrived::Nothing) => return Ok(tcp::Arrived::Nothing),
        };
        let bytes = &buffer[..length];
        let flow = Flow { listener, ..Flow::udp(from.into()) };
        self.statistics.datagrams_in += 1;
        self.show(Direction::In, flow, bytes, now);
        match Payload::of(bytes) {
            Payload::NotSip => self.statistics.not_sip += 1,
            Payload::KeepAlive => self.statistics.keep_alives += 1,
            Payload::Message if length == buffer.len() => self.statistics.truncated += 1,
            Payload::Message => return Ok(tcp::Arrived::Message(flow, length)),
        }
        Ok(tcp::Arrived::Other)
    }

    /// Takes what the operating system has noticed by now; gives whether there may be more, of which nobody is told again. What is
    /// noticed meanwhile, of handshakes that go on and on, does not keep it here.
    #[cfg(feature = "tokio")]
    pub(crate) fn collect_all(&mut self) -> io::Result<bool> {
        for _ in 0..COLLECTS {
            self.collect(Some(Duration::ZERO))?;
            if self.events.iter().count() < self.events.capacity() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// A descriptor that the system makes readable when it has noticed something.
    #[cfg(all(unix, feature = "tokio"))]
    pub(crate) fn descriptor(&self) -> io::Result<std::os::fd::OwnedFd> {
        std::os::fd::AsFd::as_fd(self.poll.registry()).try_clone_to_owned()
    }

    /// Takes what the operating system has noticed, within `timeout`.
    pub(crate) fn collect(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        match self.poll.poll(&mut self.events, timeout) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
            Err(_) => self.events.clear(),
            Ok(()) => {}
        }
        self.unlooked = 0;
        let now = self.now();
        for event in &self.events {
            match (event.token(), &mut self.tcp) {
                (WAKER, _) => self.woken = true,
                (Token(dns::TOKENS..), _) => self.resolver.notice(event),
                (Token(..ACCEPTING), _) => self.sockets.notice(event, self.poll.registry(), &mut self.inputs),
                (_, Some(tcp)) => tcp.notice(event, now, &mut self.inputs, &mut self.statistics),
                (_, None) => {}
            }
        }
        Ok(())
    }
}

/// The name that the peer of a connection has to prove, or is asked by: the one that was asked for, or else its address. None where
/// neither TLS nor HTTP has a place for it.
fn peer_name(target: Target, asked: &[u8]) -> String {
    let asked = str::from_utf8(asked).unwrap_or_default().trim_end_matches('.');
    match target.address.ip() {
        _ if !takes_name(target.transport) => String::new(),
        Some(ip) if asked.is_empty() => ip.to_string(),
        _ => asked.to_owned(),
    }
}
