//! A stack that fragments, blocks and fails as it is told, with one host at its other end.
//!
//! It knows its sockets: one that is used after it was closed, or closed twice, is a panic, and at the end it can be asked
//! whether all are closed.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]

use core::net::SocketAddr;
use embedded_nal::{TcpClientStack, TcpError, TcpErrorKind, TcpFullStack, UdpClientStack, UdpFullStack, nb};
use sip_core::transport::FlowError;
use sip_embedded_adapter::{Fault, Operation, StreamFault, StreamOperation};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// What the stack says when it fails.
#[derive(Debug, PartialEq, Eq)]
pub enum Failure {
    /// Nothing is there.
    Empty,
    /// This once.
    Broken,
    /// The socket is gone for good.
    Gone,
}

impl TcpError for Failure {
    fn kind(&self) -> TcpErrorKind {
        if *self == Self::Gone { TcpErrorKind::PipeClosed } else { TcpErrorKind::Other }
    }
}

/// What may be done to one call of the stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    WouldBlock,
    /// An error; the next call finds the socket well.
    Other,
    /// An error, and the socket is dead from now on.
    Dead,
    /// One octet is taken or given, where that is possible.
    Short,
}

/// How the stack behaves.
#[derive(Clone, Copy, Debug)]
pub struct Knobs {
    /// Octets that a stream takes or gives at once, at most.
    pub piece: usize,
    /// Out of a hundred calls so many find no room, or nothing.
    pub blocks: u8,
    /// How often a connection is asked for before it is open.
    pub connecting: u32,
    /// Octets that the other end has not read, at most.
    pub room: usize,
    /// As smoltcp-nal speaks: nothing there is an error on UDP and `Ok(0)` on TCP, the end of a stream an error.
    pub smoltcp: bool,
    pub seed: u64,
}

impl Knobs {
    /// A stack that does at once all that it is asked.
    pub const EASY: Self =
        Self { piece: usize::MAX, blocks: 0, connecting: 0, room: usize::MAX, smoltcp: false, seed: 0 };
}

/// Which call of the stack fails, counted from 1, and how.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    pub at: u32,
    pub what: What,
    /// Every later call fails so too.
    pub for_good: bool,
}

#[derive(Debug)]
pub struct Udp(u32);

#[derive(Debug)]
pub struct Tcp(u32);

/// One stream, seen from between its ends.
#[derive(Debug, Default)]
pub struct Stream {
    pub to: Option<SocketAddr>,
    pub asked: u32,
    pub open: bool,
    /// On their way to the other end.
    pub out: Vec<u8>,
    /// On their way to the adapter.
    pub back: VecDeque<u8>,
    /// The other end has closed; what is on its way still arrives.
    pub ended: bool,
    pub dead: bool,
    /// The adapter has closed its socket.
    pub closed: bool,
}

pub struct Fake {
    pub knobs: Knobs,
    pub plan: Option<Plan>,
    /// Calls so far.
    pub calls: u32,
    /// Calls that the plan met, by name.
    pub struck: BTreeSet<&'static str>,
    /// Datagrams on their way to the adapter.
    pub arriving: VecDeque<(Vec<u8>, SocketAddr)>,
    /// Datagrams of the adapter.
    pub sent: Vec<(Vec<u8>, SocketAddr)>,
    pub streams: BTreeMap<u32, Stream>,
    /// Nobody answers a SYN.
    pub deaf: bool,
    /// A SYN is refused.
    pub refusing: bool,
    /// TCP sockets that there are.
    pub sockets: usize,
    /// Peers that have connected, until they are accepted.
    pub callers: VecDeque<SocketAddr>,
    /// The port of the socket that listens.
    pub listening: Option<u16>,
    udp: BTreeMap<u32, bool>,
    next: u32,
    dice: fastrand::Rng,
}

impl Fake {
    pub fn new(knobs: Knobs) -> Self {
        Self {
            knobs,
            plan: None,
            calls: 0,
            struck: BTreeSet::new(),
            arriving: VecDeque::new(),
            sent: Vec::new(),
            streams: BTreeMap::new(),
            deaf: false,
            refusing: false,
            sockets: usize::MAX,
            callers: VecDeque::new(),
            listening: None,
            udp: BTreeMap::new(),
            next: 0,
            dice: fastrand::Rng::with_seed(knobs.seed),
        }
    }

    /// Sockets that are not closed.
    pub fn open_sockets(&self) -> usize {
        self.udp.len() + self.streams.values().filter(|stream| !stream.closed).count()
    }

    /// Whether something waits to be received.
    pub fn is_readable(&self) -> bool {
        let waits = |stream: &Stream| stream.open && !stream.closed && (stream.ended || !stream.back.is_empty());
        !self.arriving.is_empty() || !self.callers.is_empty() || self.streams.values().any(waits)
    }

    /// The stream that was opened last.
    pub fn last(&mut self) -> &mut Stream {
        self.streams.values_mut().next_back().expect("a stream")
    }

    fn call(&mut self, name: &'static str) -> Option<What> {
        self.calls += 1;
        let plan = self.plan.filter(|plan| self.calls == plan.at || plan.for_good && self.calls > plan.at)?;
        self.struck.insert(name);
        Some(plan.what)
    }

    fn blocks(&mut self) -> bool {
        self.dice.u8(0..100) < self.knobs.blocks
    }

    fn piece(&mut self) -> usize {
        if self.knobs.piece == usize::MAX { usize::MAX } else { self.dice.usize(1..=self.knobs.piece) }
    }

    fn stream(&mut self, socket: &Tcp) -> &mut Stream {
        let stream = self.streams.get_mut(&socket.0).expect("a socket of this stack");
        assert!(!stream.closed, "a closed socket is used");
        stream
    }

    /// Does to a stream's call what the plan says.
    fn strike(&mut self, name: &'static str, socket: &Tcp) -> Result<Option<What>, nb::Error<Failure>> {
        let what = self.call(name);
        let blocks = self.blocks();
        let stream = self.stream(socket);
        stream.dead |= what == Some(What::Dead);
        match what {
            _ if stream.dead => Err(nb::Error::Other(Failure::Gone)),
            Some(What::WouldBlock) => Err(nb::Error::WouldBlock),
            Some(What::Other) => Err(nb::Error::Other(Failure::Broken)),
            _ if blocks => Err(nb::Error::WouldBlock),
            what => Ok(what),
        }
    }

    fn strike_datagram(&mut self, name: &'static str, socket: &Udp) -> Result<(), nb::Error<Failure>> {
        let what = self.call(name);
        let blocks = self.blocks();
        let alive = self.udp.get_mut(&socket.0).expect("an open socket of this stack");
        *alive &= what != Some(What::Dead);
        match what {
            _ if !*alive => Err(nb::Error::Other(Failure::Gone)),
            Some(What::WouldBlock) => Err(nb::Error::WouldBlock),
            Some(What::Other) => Err(nb::Error::Other(Failure::Broken)),
            _ if blocks => Err(nb::Error::WouldBlock),
            _ => Ok(()),
        }
    }
}

impl UdpClientStack for Fake {
    type UdpSocket = Udp;
    type Error = Failure;

    fn socket(&mut self) -> Result<Udp, Failure> {
        self.next += 1;
        self.udp.insert(self.next, true);
        Ok(Udp(self.next))
    }

    fn connect(&mut self, _: &mut Udp, _: SocketAddr) -> Result<(), Failure> {
        unreachable!("one socket serves all peers")
    }

    fn send(&mut self, _: &mut Udp, _: &[u8]) -> nb::Result<(), Failure> {
        unreachable!("one socket serves all peers")
    }

    fn receive(&mut self, socket: &mut Udp, buffer: &mut [u8]) -> nb::Result<(usize, SocketAddr), Failure> {
        self.strike_datagram("datagram received", socket)?;
        let Some((octets, from)) = self.arriving.pop_front() else {
            return Err(if self.knobs.smoltcp { nb::Error::Other(Failure::Empty) } else { nb::Error::WouldBlock });
        };
        let length = octets.len().min(buffer.len());
        buffer[..length].copy_from_slice(&octets[..length]);
        Ok((length, from))
    }

    fn close(&mut self, socket: Udp) -> Result<(), Failure> {
        assert!(self.udp.remove(&socket.0).is_some(), "closed twice");
        Ok(())
    }
}

impl UdpFullStack for Fake {
    fn bind(&mut self, _: &mut Udp, _: u16) -> Result<(), Failure> {
        Ok(())
    }

    fn send_to(&mut self, socket: &mut Udp, remote: SocketAddr, buffer: &[u8]) -> nb::Result<(), Failure> {
        self.strike_datagram("datagram sent", socket)?;
        self.sent.push((buffer.to_vec(), remote));
        Ok(())
    }
}

impl TcpClientStack for Fake {
    type TcpSocket = Tcp;
    type Error = Failure;

    fn socket(&mut self) -> Result<Tcp, Failure> {
        let live = self.streams.values().filter(|stream| !stream.closed).count();
        if self.call("socket").is_some_and(|what| what != What::Short) || live >= self.sockets {
            return Err(Failure::Broken);
        }
        self.next += 1;
        self.streams.insert(self.next, Stream::default());
        Ok(Tcp(self.next))
    }

    fn connect(&mut self, socket: &mut Tcp, remote: SocketAddr) -> nb::Result<(), Failure> {
        self.strike("connect", socket)?;
        let (connecting, deaf, refusing) = (self.knobs.connecting, self.deaf, self.refusing);
        let stream = self.stream(socket);
        assert!(!stream.open, "connected again");
        assert!(stream.to.is_none_or(|to| to == remote));
        stream.to = Some(remote);
        stream.asked += 1;
        if refusing {
            return Err(nb::Error::Other(Failure::Broken));
        }
        if deaf || stream.asked <= connecting {
            return Err(nb::Error::WouldBlock);
        }
        stream.open = true;
        Ok(())
    }

    fn send(&mut self, socket: &mut Tcp, buffer: &[u8]) -> nb::Result<usize, Failure> {
        let short = self.strike("stream sent", socket)? == Some(What::Short);
        let (room, piece, smoltcp) = (self.knobs.room, self.piece(), self.knobs.smoltcp);
        let stream = self.stream(socket);
        assert!(stream.open && !buffer.is_empty());
        let free = room.saturating_sub(stream.out.len());
        let taken = buffer.len().min(free).min(if short { 1 } else { piece });
        if taken == 0 && !smoltcp {
            return Err(nb::Error::WouldBlock);
        }
        stream.out.extend_from_slice(&buffer[..taken]);
        Ok(taken)
    }

    fn receive(&mut self, socket: &mut Tcp, buffer: &mut [u8]) -> nb::Result<usize, Failure> {
        let short = self.strike("stream received", socket)? == Some(What::Short);
        let (piece, smoltcp) = (self.piece(), self.knobs.smoltcp);
        let stream = self.stream(socket);
        assert!(stream.open && !buffer.is_empty());
        let given = stream.back.len().min(buffer.len()).min(if short { 1 } else { piece });
        for (place, octet) in buffer.iter_mut().zip(stream.back.drain(..given)) {
            *place = octet;
        }
        match given {
            0 if stream.ended && smoltcp => Err(nb::Error::Other(Failure::Gone)),
            0 if stream.ended || smoltcp => Ok(0),
            0 => Err(nb::Error::WouldBlock),
            given => Ok(given),
        }
    }

    fn close(&mut self, socket: Tcp) -> Result<(), Failure> {
        let struck = self.call("close").is_some_and(|what| what != What::Short);
        let stream = self.stream(&socket);
        stream.closed = true;
        if struck { Err(Failure::Broken) } else { Ok(()) }
    }
}

impl TcpFullStack for Fake {
    fn bind(&mut self, socket: &mut Tcp, local_port: u16) -> Result<(), Failure> {
        if self.call("bind").is_some_and(|what| what != What::Short) {
            return Err(Failure::Broken);
        }
        assert!(!self.stream(socket).open);
        self.listening = Some(local_port);
        Ok(())
    }

    fn listen(&mut self, _: &mut Tcp) -> Result<(), Failure> {
        if self.call("listen").is_some_and(|what| what != What::Short) { Err(Failure::Broken) } else { Ok(()) }
    }

    fn accept(&mut self, socket: &mut Tcp) -> nb::Result<(Tcp, SocketAddr), Failure> {
        self.strike("accept", socket)?;
        let from = self.callers.pop_front().ok_or(nb::Error::WouldBlock)?;
        self.next += 1;
        self.streams.insert(self.next, Stream { to: Some(from), open: true, ..Stream::default() });
        Ok((Tcp(self.next), from))
    }
}

/// What the errors of the datagram socket mean.
pub fn classify(_: Operation, failure: &Failure) -> Fault {
    match failure {
        Failure::Empty => Fault::WouldBlock,
        Failure::Broken => Fault::Datagram(FlowError::Other),
        Failure::Gone => Fault::Dead,
    }
}

/// What the answers about a stream mean where `Ok(0)` is nothing.
pub fn classify_stream(_: StreamOperation, failure: Option<&Failure>) -> StreamFault {
    match failure {
        None => StreamFault::WouldBlock,
        Some(Failure::Gone) => StreamFault::Closed(FlowError::Closed),
        Some(_) => StreamFault::Closed(FlowError::Other),
    }
}
