//! One connection: its octets on their way in and out, and who waits for it.
//!
//! ```text
//!              connected, and shaken hands under TLS
//!   Connecting ─────────────────────────> Open <──────────── accepted
//!        │                                 │ ^                  │
//!        │ error, time is up               │ └── Handshaking <──┘ under TLS
//!        └────────────> dropped <──────────┤          │
//!                          ^  ^            │          │ error, time is up, too many of them
//!                          │  └────────────│──────────┘
//!                          │               │ Open: error, end of the stream, stall, broken stream, Close: dropped;
//!                          │               v       a message over the limit
//!                          └─────────── Lingering
//!                    end of the stream, time is up
//! ```
//! While it lingers its peer can still read the answer to the message that was too large; what it sends is dropped. Closed at
//! once with octets unread, the system would reset the connection and the answer could be lost on its way.
//!
//! Under TLS with early data a connection can carry a part of its messages before it is open ([`early`](Connection::early)): the role
//! knows it then, and all else is as in its state.
//!
//! A dropped connection is no state: [`Tcp`](crate::tcp::Tcp) forgets it, which closes the socket, and tells the role.

use crate::fault::flow_error;
use crate::relief::Relief;
use crate::stream::Stream;
use crate::udp::Sent;
use crate::waiting::{Admission, Waiting};
use core::net::SocketAddr;
use sip_core::message::stream::{Framer, Framing};
use sip_core::message::{MAX_MESSAGE, ParseError};
use sip_core::role::SendId;
use sip_core::time::Instant;
use sip_core::transport::{Address, Flow, FlowError, Ticket, Transport};
use std::io::{self, ErrorKind};

/// Octets asked for in one read.
const READ: usize = 16 * 1024;
/// The answer to a keep-alive (RFC 5626 §4.4.1).
pub(crate) const PONG: &[u8] = b"\r\n";

/// How the first record of a TLS handshake begins (RFC 8446 §5.1).
const HELLO: &[u8] = &[22, 3];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Connecting,
    /// A peer has connected and is to prove that it speaks TLS, or WebSocket. The role knows nothing of it.
    Handshaking,
    Open,
    Lingering,
}

/// What a look at a connection's octets found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// A message of so many octets lies in the caller's buffer.
    Message(usize),
    /// A message over the limit: so many of its octets, its head among them, lie in the caller's buffer. No other follows.
    Oversized(usize),
    /// A keep-alive, which was answered.
    KeepAlive,
    /// Octets that are no message yet.
    Part,
    /// Nothing until the system says so.
    Nothing,
    /// Nothing any more.
    End(End),
}

/// Why a connection carries nothing any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The peer closed it, or the system says that it failed.
    Lost(FlowError),
    /// What came is no SIP message, and no other can be told from it.
    Broken,
    /// What came is the beginning of a TLS handshake.
    Hello,
    /// A message whose head alone is larger than there is room for.
    TooLarge,
}

/// Whom a connection leads to: who asks for the same can have it (RFC 3261 §18.1.1). Under TLS that is an address and the name that
/// was proved there, for one address may have many names and their owners need not trust each other (CVE-2020-15260).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Peer {
    pub(crate) transport: Transport,
    pub(crate) address: Address,
    pub(crate) name: String,
}

impl Peer {
    /// The one that a flow leads to, under a name.
    pub(crate) fn of(flow: Flow, name: &str) -> Self {
        Self { transport: flow.transport, address: flow.remote, name: name.to_ascii_lowercase() }
    }
}

/// A connection with room for what is on its way.
pub(crate) struct Connection {
    pub(crate) stream: Stream,
    pub(crate) flow: Flow,
    /// Our end.
    pub(crate) local: SocketAddr,
    pub(crate) state: State,
    /// Under which name its peer was asked for; none where that takes no name, or the peer connected.
    pub(crate) name: String,
    /// Who may take it for a request instead of opening one.
    pub(crate) peers: Vec<Peer>,
    /// Who waits for it to open.
    pub(crate) tickets: Vec<Ticket>,
    /// When a whole message last went over it, either way, or when it began.
    pub(crate) used: Instant,
    /// We have opened it.
    pub(crate) dialled: bool,
    /// A whole message of the peer has come.
    pub(crate) spoke: bool,
    /// It is not open, and carries what TLS lets through before its handshake is over (RFC 8446 §2.3). The role knows it.
    pub(crate) early: bool,
    /// The port at which the peer listens for what may go by this connection, too; to be learnt once it is open.
    pub(crate) alias: Option<u16>,
    /// When the peer's last keep-alive came, or the role said that it keeps it.
    pub(crate) pinged: Instant,
    /// Since when a part of a message is there.
    pub(crate) part: Option<Instant>,
    /// When it is given up: while connecting, and while the peer takes no octets.
    pub(crate) deadline: Option<Instant>,
    /// Since when the peer has taken nothing of what waits for it.
    pub(crate) stalled: Option<Instant>,
    /// The second one beside it, or the first.
    pub(crate) relief: Relief,
    /// When it is looked at whether its time is up.
    pub(crate) look: Option<Instant>,
    /// It stands in the queue of those to be read.
    pub(crate) queued: bool,
    /// What the role holds until there is room.
    pub(crate) waiting: Waiting,
    framer: Framer,
    input: Vec<u8>,
}

impl Connection {
    pub(crate) fn new(stream: Stream, flow: Flow, local: SocketAddr, state: State, now: Instant) -> Self {
        Self {
            stream,
            flow,
            local,
            state,
            name: String::new(),
            peers: Vec::new(),
            tickets: Vec::new(),
            used: now,
            dialled: state == State::Connecting,
            spoke: false,
            early: false,
            alias: None,
            pinged: now,
            part: None,
            deadline: None,
            stalled: None,
            relief: Relief::None,
            look: None,
            queued: false,
            waiting: Waiting::default(),
            framer: Framer::new(MAX_MESSAGE),
            input: Vec::new(),
        }
    }

    /// Whether octets wait for the peer to take earlier ones.
    pub(crate) fn is_blocked(&self) -> bool {
        self.stream.is_blocked()
    }

    /// Whether it is not open yet.
    pub(crate) fn is_opening(&self) -> bool {
        matches!(self.state, State::Connecting | State::Handshaking)
    }

    /// Whether the role knows it.
    pub(crate) fn is_known(&self) -> bool {
        self.state == State::Open || self.early
    }

    /// Whether a message may be there although it is not open: what was read with the one before is no less early.
    pub(crate) fn has_early(&self) -> bool {
        self.stream.has_early() || self.early && !self.input.is_empty()
    }

    /// Whether it carries messages now; an error when it never will.
    pub(crate) fn open(&mut self) -> Result<bool, FlowError> {
        self.stream.open()
    }

    /// Takes a message: all of it, or none while earlier octets or more important messages wait.
    pub(crate) fn send(&mut self, now: Instant, id: SendId, bytes: &[u8]) -> Sent {
        let blocked = self.is_blocked() || self.early && !self.stream.takes_early(bytes);
        match self.waiting.admit(now, id, bytes, blocked) {
            Admission::Held(_) => return Sent::Held,
            Admission::Congested => return Sent::Failed(FlowError::Congested),
            Admission::Send => {}
        }
        self.push(now, bytes)
    }

    /// Takes a message, all of it, that need not wait.
    pub(crate) fn push(&mut self, now: Instant, bytes: &[u8]) -> Sent {
        match self.stream.send(bytes) {
            Ok(()) => {
                self.used = now;
                Sent::Done
            }
            Err(error) => Sent::Failed(error),
        }
    }

    /// Sends what waits; gives whether the peer took any.
    pub(crate) fn flush(&mut self) -> Result<bool, FlowError> {
        self.stream.flush()
    }

    /// Cuts the next message out of what has arrived and puts it into `buffer`; reads once when there is none.
    pub(crate) fn receive(&mut self, now: Instant, buffer: &mut [u8]) -> Arrival {
        #[cfg(feature = "ws")]
        if matches!(self.stream, Stream::Ws(_)) {
            return self.receive_whole(now, buffer);
        }
        if self.state == State::Lingering {
            self.input = Vec::new();
        }
        let mut framing = self.frame();
        if framing == Framing::Incomplete {
            match self.read(buffer) {
                Ok(0) => return Arrival::End(End::Lost(FlowError::Closed)),
                Ok(_) => framing = self.frame(),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Arrival::Nothing,
                Err(error) if error.kind() == ErrorKind::Interrupted => return Arrival::Part,
                Err(error) => return Arrival::End(End::Lost(flow_error(&error))),
            }
        }
        if self.state == State::Lingering {
            return Arrival::Part;
        }
        if !self.spoke && self.input.starts_with(HELLO) {
            return Arrival::End(End::Hello);
        }
        match framing {
            Framing::Incomplete => {
                self.part.get_or_insert(now);
                Arrival::Part
            }
            Framing::Frame { len } => {
                if len > buffer.len() {
                    return self.oversized(len, buffer);
                }
                let (frame, room) =
                    (self.input.get(..len).unwrap_or_default(), buffer.get_mut(..len).unwrap_or_default());
                room.copy_from_slice(frame);
                self.take(len);
                self.used = now;
                self.spoke = true;
                self.part = (!self.input.is_empty()).then_some(now);
                Arrival::Message(len)
            }
            Framing::KeepAlive { len, ping } => {
                self.take(len);
                self.pinged = now;
                self.part = (!self.input.is_empty()).then_some(now);
                // A peer that only sends pings and reads no pong must not fill the memory.
                if ping
                    && !self.is_blocked()
                    && let Err(error) = self.stream.send(PONG)
                {
                    return Arrival::End(End::Lost(error));
                }
                Arrival::KeepAlive
            }
            Framing::Oversized { head } => self.oversized(head, buffer),
            Framing::Broken(ParseError::TooLarge) => Arrival::End(End::TooLarge),
            Framing::Broken(_) => Arrival::End(End::Broken),
        }
    }

    /// Shows as many of these octets of a message that is too large as `buffer` holds; nothing is received any more.
    fn oversized(&mut self, len: usize, buffer: &mut [u8]) -> Arrival {
        let len = len.min(buffer.len());
        let (part, room) = (self.input.get(..len).unwrap_or_default(), buffer.get_mut(..len).unwrap_or_default());
        room.copy_from_slice(part);
        self.state = State::Lingering;
        Arrival::Oversized(len)
    }

    fn frame(&mut self) -> Framing {
        if self.input.is_empty() { Framing::Incomplete } else { self.framer.next(&self.input) }
    }

    /// Drops the first `len` octets of what has arrived; an empty buffer is given back.
    fn take(&mut self, len: usize) {
        if len >= self.input.len() {
            self.input = Vec::new();
        } else {
            self.input.drain(..len);
        }
    }

    /// Reads once, by way of `buffer`, so that a connection has no more octets than came; how many these were, zero at the end of the
    /// stream.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // The framer refuses a full buffer, so there is room.
        let room = MAX_MESSAGE.saturating_sub(self.input.len()).min(READ).min(buffer.len());
        let room = buffer.get_mut(..room).unwrap_or_default();
        let read = self.stream.read(room)?;
        self.input.extend_from_slice(room.get(..read).unwrap_or_default());
        Ok(read)
    }
}
