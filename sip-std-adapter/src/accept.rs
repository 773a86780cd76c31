//! Who is let in: the sockets that accept connections, and whose connection gives way when there are too many.

use crate::connection::{Connection, State};
use crate::fault::is_under_way;
use crate::input::Input;
use crate::network::ACCEPTING;
use crate::tcp::Tcp;
use crate::turn::Statistics;
use core::net::{IpAddr, Ipv6Addr, SocketAddr};
use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Registry, Token};
use sip_core::time::{Duration, Instant};
use sip_core::transport::{Address, Flow, FlowError, Transport};
use socket2::{Domain, Protocol, Socket, Type};
use std::collections::VecDeque;
use std::io::{self, ErrorKind};

/// Connections accepted in one go at most.
const ACCEPTS: usize = 16;
/// Connections that the system keeps for us until they are accepted.
const BACKLOG: i32 = 128;
/// For how long no message has to have passed before a connection may make room for another: 64·T1, when no transaction
/// is alive on it.
pub(crate) const SILENCE: Duration = Duration::from_secs(32);
/// Silent connections that the role is asked about for one that is to be let in, at most: with more that it keeps, others have to wait
/// for theirs while strangers knock.
pub(crate) const ASKED: usize = 64;
/// When to try again to accept, where the system had nothing left to accept with.
const RETRY: Duration = Duration::from_millis(100);

/// A socket that accepts connections.
pub(crate) struct Listener {
    socket: TcpListener,
    /// The number that flows name.
    pub(crate) number: u8,
    /// Of the connections that it accepts.
    pub(crate) transport: Transport,
    pub(crate) local: SocketAddr,
    /// When to accept next; none until the system says that somebody is there.
    pub(crate) accept: Option<Instant>,
}

impl Listener {
    pub(crate) fn new(
        (number, transport): (u8, Transport),
        address: SocketAddr,
        registry: &Registry,
        shared: bool,
    ) -> io::Result<Self> {
        let socket = socket(address)?;
        // A port whose last connections linger in TIME_WAIT is free. On Windows the option would share it with anybody.
        #[cfg(unix)]
        socket.set_reuse_address(true)?;
        crate::options::share(&socket, shared)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        let socket = TcpListener::from_std(socket.into());
        let local = socket.local_addr()?;
        let mut listener = Self { socket, number, transport, local, accept: None };
        let token = listener.token();
        registry.register(&mut listener.socket, token, Interest::READABLE)?;
        Ok(listener)
    }

    pub(crate) fn token(&self) -> Token {
        Token(ACCEPTING + usize::from(self.number))
    }

    /// A socket that is being connected, from the address that this one listens at.
    pub(crate) fn open(&self, to: SocketAddr) -> io::Result<TcpStream> {
        let socket = socket(to)?;
        if !self.local.ip().is_unspecified() {
            socket.bind(&SocketAddr::new(self.local.ip(), 0).into())?;
        }
        match socket.connect(&to.into()) {
            Err(error) if !is_under_way(&error) => Err(error),
            _ => Ok(TcpStream::from_std(socket.into())),
        }
    }
}

impl Tcp {
    /// Accepts whom the system has for us.
    pub(crate) fn accept_all(
        &mut self,
        now: Instant,
        registry: &Registry,
        keeps: &impl Fn(Flow) -> bool,
        inputs: &mut VecDeque<Input>,
        counted: &mut Statistics,
    ) {
        for index in 0..self.listeners.len() {
            self.accept(index, now, registry, keeps, inputs, counted);
        }
    }

    /// Accepts whom the system has for one listener, if it is time to.
    fn accept(
        &mut self,
        index: usize,
        now: Instant,
        registry: &Registry,
        keeps: &impl Fn(Flow) -> bool,
        inputs: &mut VecDeque<Input>,
        counted: &mut Statistics,
    ) {
        for _ in 0..ACCEPTS {
            let Some(listener) = self.listeners.get_mut(index) else { return };
            if listener.accept.is_none_or(|at| at > now) {
                return;
            }
            match listener.socket.accept() {
                Ok((stream, from)) => {
                    let remote = Address::from(from);
                    let (transport, listener) = (listener.transport, listener.number);
                    let flow = Flow { remote, transport, listener, ..Flow::NONE };
                    self.admit(now, registry, (stream, flow), keeps, inputs, counted);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => listener.accept = None,
                Err(error) if is_about_the_peer(&error) => {}
                // No descriptor or no memory is left.
                Err(_) => {
                    counted.accept_errors += 1;
                    listener.accept = Some(now + RETRY);
                }
            }
        }
    }

    /// Takes a connection that a peer has opened, if there is room.
    fn admit(
        &mut self,
        now: Instant,
        registry: &Registry,
        (stream, flow): (TcpStream, Flow),
        keeps: &impl Fn(Flow) -> bool,
        inputs: &mut VecDeque<Input>,
        counted: &mut Statistics,
    ) {
        let (source, most) =
            (source(flow.remote), if self.most_of_source == 0 { self.share() } else { self.most_of_source });
        if source.is_some_and(|source| self.sources.get(&source).is_some_and(|count| *count >= most)) {
            counted.sources_limited += 1;
            return;
        }
        if !self.make_room(now, keeps, inputs, counted) {
            counted.connections_refused += 1;
            return;
        }
        match self.streams.accept(stream, flow) {
            Ok(stream) => self.accepted(now, registry, (stream, flow), inputs, counted),
            Err(_) => counted.handshakes_failed += 1,
        }
    }

    /// One that a peer has opened is gone.
    pub(crate) fn forget_source(&mut self, remote: Address) {
        let Some(source) = source(remote) else { return };
        if let Some(count) = self.sources.get_mut(&source) {
            *count -= 1;
            if *count == 0 {
                self.sources.remove(&source);
            }
        }
    }

    /// Whether there is room for one more connection; one that was silent for long gives way, unless the role `keeps` it.
    pub(crate) fn make_room(
        &mut self,
        now: Instant,
        keeps: impl Fn(Flow) -> bool,
        inputs: &mut VecDeque<Input>,
        counted: &mut Statistics,
    ) -> bool {
        if self.connections.len() < self.most {
            return true;
        }
        // Who knocks at a full house again and again does not have everybody in it looked at.
        if now < self.no_room_before {
            return false;
        }
        let is_silent = |one: &Connection| one.state == State::Open && now >= one.used + SILENCE;
        let silent = self.connections.iter().filter(|(_, one)| is_silent(one));
        let mut silent: Vec<(Instant, u32)> = silent.map(|(number, one)| (one.used, *number)).collect();
        silent.sort_unstable();
        for (_, number) in silent.iter().take(ASKED) {
            let Some(connection) = self.connections.get_mut(number) else { continue };
            if !keeps(connection.flow) {
                self.end(*number, FlowError::Closed, inputs, counted);
                return true;
            }
            // The role is asked about it once in that time, not for each stranger.
            connection.used = now;
        }
        // Of the others the next one who knocks has the role asked.
        if silent.len() <= ASKED {
            let next = self.connections.values().map(|one| one.used).min();
            self.no_room_before = next.map_or(now, |used| used + SILENCE);
        }
        false
    }
}

/// Whom connections from an address are counted for: the address, or the network of 64 bits that one host commonly has in IPv6.
pub(crate) fn source(remote: Address) -> Option<IpAddr> {
    match remote.ip()? {
        IpAddr::V6(ip) => Some(IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64))),
        v4 @ IpAddr::V4(_) => Some(v4),
    }
}

/// Octets that the system may keep for a peer that does not read, about; what it would grow to by itself is megabytes for each.
const SEND_BUFFER: usize = 256 << 10;

/// A socket for connections of the family of `address`.
fn socket(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        // As for datagrams: one socket, one family.
        socket.set_only_v6(true)?;
    }
    // Those that a listener accepts have what it has. Best effort, as for datagrams.
    let _ = socket.set_send_buffer_size(SEND_BUFFER);
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Whether accepting failed because of the peer that was to be accepted.
fn is_about_the_peer(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::Interrupted)
}
