//! One connection, its octets on their way, and who waits for it.
//!
//! ```text
//!               dial                  the stack: connected
//!   Closed ───────────> Connecting ────────────────────────> Open
//!     ^                     │                                  │
//!     │  error, time is up  │      error, end of stream, stall,│
//!     ├─────────────────────┴──────── broken stream, Close <───┤
//!     │                                                        │ a message over the limit
//!     └──────────────────────────────────── Lingering <────────┘
//!       the role knows, and its answer is out; error, stall
//! ```
//!
//! | state | `service` | `send` | `receive` |
//! |---|---|---|---|
//! | Closed | nothing | refused | nothing |
//! | Connecting | asks the stack again; past its limit: Closed | refused | nothing |
//! | Open | sends what had no room; past the limit without progress: Closed | sends, keeps what has no room | reads, cuts one message |
//! | Lingering | the same; when all is sent and the role knows: Closed | the same | nothing |
//!
//! One that a peer has opened begins as Open.
//!
//! The socket is given back to the stack in one place, [`end`](Connection::end), once. What the role has yet to be told stays
//! in the connection until it is asked for, and until then the place is not used again.

use crate::fault::{StreamFault, StreamOperation};
use crate::log;
use crate::streams::{Arrival, Input, Io, Sent};
use crate::turn::bump;
use embedded_nal::{TcpClientStack, nb};
use sip_core::message::ParseError;
use sip_core::message::stream::{Framer, Framing};
use sip_core::time::{Duration, Instant};
use sip_core::transport::{Flow, FlowError, Ticket};

/// Requests that can wait for one connection.
const TICKETS: usize = 4;
/// How often the stack is asked in one go to take octets.
const WRITES: usize = 4;
/// For how long a peer may take no octets: 64·T1, when every transaction has given up.
const STALL: Duration = Duration::from_secs(32);
/// How soon to ask the stack again whether a connection is open, at first.
const RETRY: Duration = Duration::from_millis(10);
/// The answer to a keep-alive (RFC 5626 §4.4.1).
const PONG: &[u8] = b"\r\n";

/// Says what the stack's answers mean; `None` is `Ok(0)` for a receive.
pub(crate) type Means<E> = fn(StreamOperation, Option<&E>) -> StreamFault;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Closed = 0,
    Connecting,
    Open,
    Lingering,
}

/// A connection with room for one message on its way in and for one on its way out.
pub(crate) struct Connection<K, const B: usize> {
    socket: Option<K>,
    state: State,
    flow: Flow,
    /// When connecting began; when octets last went either way.
    used: Instant,
    /// When octets last went out, or had to wait. While connecting, when to ask the stack again.
    moved: Instant,
    tickets: [Ticket; TICKETS],
    waiting: usize,
    /// The role has yet to learn that the connection has ended.
    lost: bool,
    /// Why it ended.
    error: FlowError,
    /// Sends were put back.
    deferred: bool,
    framer: Framer,
    input: [u8; B],
    filled: usize,
    output: [u8; B],
    /// Where in `output` the octets begin that the stack has not taken, and where they end.
    start: usize,
    end: usize,
}

impl<K, const B: usize> Connection<K, B> {
    /// No connection; all zero but for what an absent socket is made of.
    pub(crate) const NEW: Self = Self {
        socket: None,
        state: State::Closed,
        flow: Flow::NONE,
        used: Instant::ZERO,
        moved: Instant::ZERO,
        tickets: [Ticket::new(0); TICKETS],
        waiting: 0,
        lost: false,
        error: FlowError::Refused,
        deferred: false,
        framer: Framer::new(0),
        input: [0; B],
        filled: 0,
        output: [0; B],
        start: 0,
        end: 0,
    };

    pub(crate) fn state(&self) -> State {
        self.state
    }

    pub(crate) fn flow(&self) -> Flow {
        self.flow
    }

    /// Whether nothing is left of it that anybody has to learn.
    pub(crate) fn is_free(&self) -> bool {
        self.state == State::Closed && self.waiting == 0 && !self.lost
    }

    /// Whether it has ended, and that is all that anybody has to learn of it.
    pub(crate) fn is_only_lost(&self) -> bool {
        self.state == State::Closed && self.waiting == 0 && self.lost
    }

    /// Since when nothing went over it; `None` unless it is open and nobody waits for it.
    pub(crate) fn idle_since(&self) -> Option<Instant> {
        let idle = self.state == State::Open && self.waiting == 0 && self.start == self.end;
        idle.then_some(self.used)
    }

    /// When octets last went either way.
    pub(crate) fn used(&self) -> Instant {
        self.used
    }

    /// Whether the beginning of a message has arrived and no more of it.
    pub(crate) fn is_partial(&self) -> bool {
        self.filled > 0
    }

    /// Takes a connection that a peer has opened.
    pub(crate) fn adopt(&mut self, now: Instant, socket: K, flow: Flow) {
        self.socket = Some(socket);
        self.state = State::Open;
        self.flow = flow;
        (self.used, self.moved) = (now, now);
        self.framer = Framer::new(B);
    }

    /// Whether it has to be gone on with.
    pub(crate) fn is_busy(&self) -> bool {
        matches!(self.state, State::Connecting | State::Lingering) || self.start != self.end
    }

    /// Lets one more wait for it; `false` when too many do.
    pub(crate) fn wait(&mut self, ticket: Ticket) -> bool {
        let Some(place) = self.tickets.get_mut(self.waiting) else { return false };
        *place = ticket;
        self.waiting += 1;
        true
    }

    /// The next thing that the role has to be told.
    pub(crate) fn next_input(&mut self) -> Option<Input> {
        if let Some(last) = self.waiting.checked_sub(1)
            && self.state != State::Connecting
        {
            let ticket = self.tickets.first().copied().unwrap_or_default();
            self.tickets.rotate_left(1);
            self.waiting = last;
            return Some(match self.state {
                State::Open => Input::Connected(ticket, self.flow),
                _ => Input::NotConnected(ticket, self.error),
            });
        }
        if core::mem::take(&mut self.lost) {
            return Some(Input::Failed(self.flow, self.error));
        }
        if self.deferred && self.start == self.end {
            self.deferred = false;
            return Some(Input::Writable(self.flow));
        }
        None
    }

    /// The role has learnt the end by other means.
    pub(crate) fn forget(&mut self) {
        self.lost = false;
    }

    /// Begins to connect `socket` to the peer of `flow`.
    pub(crate) fn dial<S>(&mut self, io: &mut Io<'_, S>, means: Means<S::Error>, socket: K, flow: Flow, limit: Duration)
    where
        S: TcpClientStack<TcpSocket = K>,
    {
        self.socket = Some(socket);
        self.state = State::Connecting;
        self.flow = flow;
        (self.used, self.moved) = (io.now, io.now);
        self.framer = Framer::new(B);
        self.service(io, means, limit);
    }

    /// Ends it: gives the socket back and drops what was on its way. The role is told unless it was connecting; who waits
    /// for it is told in any case.
    pub(crate) fn end<S: TcpClientStack<TcpSocket = K>>(&mut self, io: &mut Io<'_, S>, error: FlowError) {
        if let Some(socket) = self.socket.take() {
            // An error would say no more than that it is closed already.
            let _ = TcpClientStack::close(io.stack, socket);
        }
        match self.state {
            State::Closed => return,
            State::Connecting => bump(&mut io.counted.connects_failed),
            State::Open => {
                bump(&mut io.counted.closed);
                self.lost = true;
            }
            State::Lingering => bump(&mut io.counted.closed),
        }
        log::line!(debug, "connection {} to {} ended: {}", self.flow.connection, self.flow.remote, error);
        self.state = State::Closed;
        self.error = error;
        self.deferred = false;
        (self.filled, self.start, self.end) = (0, 0, 0);
    }

    /// Goes on with what is under way.
    pub(crate) fn service<S>(&mut self, io: &mut Io<'_, S>, means: Means<S::Error>, limit: Duration)
    where
        S: TcpClientStack<TcpSocket = K>,
    {
        match self.state {
            State::Closed => {}
            State::Connecting => self.go_on_connecting(io, means, limit),
            State::Open | State::Lingering => {
                if let Err(error) = self.flush(io, means) {
                    self.end(io, error);
                } else if self.state == State::Lingering && !self.lost && self.start == self.end {
                    self.end(io, FlowError::Closed);
                } else if self.start != self.end && io.now >= self.moved + STALL {
                    bump(&mut io.counted.stalled);
                    self.end(io, FlowError::Closed);
                }
            }
        }
    }

    fn go_on_connecting<S>(&mut self, io: &mut Io<'_, S>, means: Means<S::Error>, limit: Duration)
    where
        S: TcpClientStack<TcpSocket = K>,
    {
        let Some(socket) = self.socket.as_mut() else { return };
        let Some(remote) = self.flow.remote.socket_addr() else { return self.end(io, FlowError::Unreachable) };
        if io.now < self.moved {
            return;
        }
        // After a sixteenth of what has passed: smoltcp-nal sends another SYN with each question after one was refused.
        let passed = io.now.since(self.used).as_millis();
        self.moved = (io.now + RETRY.max(Duration::from_millis(passed / 16))).min(self.used + limit);
        match TcpClientStack::connect(io.stack, socket, remote) {
            Ok(()) => {
                bump(&mut io.counted.connected);
                log::line!(debug, "connection {} to {} open", self.flow.connection, self.flow.remote);
                self.state = State::Open;
                self.used = io.now;
                return;
            }
            Err(nb::Error::WouldBlock) => {}
            Err(nb::Error::Other(error)) => {
                if let StreamFault::Closed(error) = means(StreamOperation::Connect, Some(&error)) {
                    return self.end(io, error);
                }
            }
        }
        if io.now >= self.used + limit {
            self.end(io, FlowError::Unreachable);
        }
    }

    /// Takes a message, all of it or nothing. When it fails the caller tells the role, and says so with [`forget`](Self::forget).
    pub(crate) fn send<S>(&mut self, io: &mut Io<'_, S>, means: Means<S::Error>, octets: &[u8]) -> Sent
    where
        S: TcpClientStack<TcpSocket = K>,
    {
        if !matches!(self.state, State::Open | State::Lingering) {
            return Sent::Failed(FlowError::Closed);
        }
        if octets.len() > B {
            return Sent::Failed(FlowError::TooLarge);
        }
        let sent = match self.flush(io, means) {
            Ok(()) if self.start == self.end => self.append(io, means, octets),
            Ok(()) => {
                self.deferred = true;
                return Sent::Blocked;
            }
            Err(error) => Err(error),
        };
        match sent {
            Ok(()) => Sent::Done,
            Err(error) => {
                self.end(io, error);
                Sent::Failed(error)
            }
        }
    }

    /// Sends what had no room before.
    fn flush<S>(&mut self, io: &mut Io<'_, S>, means: Means<S::Error>) -> Result<(), FlowError>
    where
        S: TcpClientStack<TcpSocket = K>,
    {
        let Some(socket) = self.socket.as_mut() else { return Ok(()) };
        let waiting = self.output.get(self.start..self.end).unwrap_or_default();
        if waiting.is_empty() {
            return Ok(());
        }
        let taken = push(io, means, socket, waiting)?;
        if taken > 0 {
            self.start += taken;
            (self.used, self.moved) = (io.now, io.now);
        }
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
        Ok(())
    }

    /// Sends octets behind what waits already, and keeps those that the stack has no room for. Without room for them here
    /// either they are dropped, all of them.
    fn append<S>(&mut self, io: &mut Io<'_, S>, means: Means<S::Error>, octets: &[u8]) -> Result<(), FlowError>
    where
        S: TcpClientStack<TcpSocket = K>,
    {
        let Some(socket) = self.socket.as_mut() else { return Ok(()) };
        let taken = if self.start == self.end { push(io, means, socket, octets)? } else { 0 };
        let rest = octets.get(taken..).unwrap_or_default();
        (self.used, self.moved) = (io.now, if self.start == self.end { io.now } else { self.moved });
        if let Some(room) = self.output.get_mut(self.end..self.end + rest.len()) {
            room.copy_from_slice(rest);
            self.end += rest.len();
        }
        Ok(())
    }

    /// Cuts the next message out of what has arrived and puts it into `buffer`; reads once if there is none.
    pub(crate) fn receive<S>(&mut self, io: &mut Io<'_, S>, means: Means<S::Error>, buffer: &mut [u8]) -> Arrival
    where
        S: TcpClientStack<TcpSocket = K>,
    {
        if self.state != State::Open {
            return Arrival::Nothing;
        }
        let mut framing = self.frame();
        if framing == Framing::Incomplete {
            match self.read(io, means) {
                Ok(0) => return Arrival::Nothing,
                Ok(_) => framing = self.frame(),
                Err(error) => {
                    self.end(io, error);
                    return Arrival::Other;
                }
            }
        }
        match framing {
            Framing::Incomplete => Arrival::Other,
            Framing::Frame { len } => {
                let frame = self.input.get(..len).unwrap_or_default();
                let Some(room) = buffer.get_mut(..len) else { return self.too_large(io, len, buffer) };
                room.copy_from_slice(frame);
                self.take(len);
                bump(&mut io.counted.messages_in);
                Arrival::Message(self.flow, len)
            }
            Framing::KeepAlive { len, ping } => {
                self.take(len);
                bump(&mut io.counted.keep_alives);
                if ping && let Err(error) = self.append(io, means, PONG) {
                    self.end(io, error);
                }
                Arrival::Other
            }
            Framing::Oversized { head } => self.too_large(io, head, buffer),
            Framing::Broken(ParseError::TooLarge) => {
                _ = self.too_large(io, 0, buffer);
                self.end(io, FlowError::Closed);
                Arrival::TooLarge(self.flow)
            }
            Framing::Broken(error) => {
                log::line!(warn, "no message can follow on connection {}: {}", self.flow.connection, error);
                bump(&mut io.counted.broken);
                self.end(io, FlowError::Closed);
                Arrival::Other
            }
        }
    }

    fn frame(&mut self) -> Framing {
        let octets = self.input.get(..self.filled).unwrap_or_default();
        if octets.is_empty() { Framing::Incomplete } else { self.framer.next(octets) }
    }

    /// Drops the first `len` octets of what has arrived.
    fn take(&mut self, len: usize) {
        self.input.copy_within(len.min(self.filled)..self.filled, 0);
        self.filled = self.filled.saturating_sub(len);
    }

    /// Shows as many of these octets of a message that is too large as `buffer` holds, for the role to answer it. The role
    /// learns the end of the flow when its answer is on its way.
    fn too_large<S>(&mut self, io: &mut Io<'_, S>, len: usize, buffer: &mut [u8]) -> Arrival {
        log::line!(warn, "a message on connection {} is larger than its buffer", self.flow.connection);
        bump(&mut io.counted.oversized);
        let len = len.min(buffer.len());
        let (part, room) = (self.input.get(..len).unwrap_or_default(), buffer.get_mut(..len).unwrap_or_default());
        room.copy_from_slice(part);
        self.state = State::Lingering;
        // That a message was too large would say that the others still get through.
        (self.lost, self.error) = (true, FlowError::Closed);
        (self.deferred, self.filled) = (false, 0);
        Arrival::Oversized(self.flow, len)
    }

    /// Reads once; how many octets came.
    fn read<S>(&mut self, io: &mut Io<'_, S>, means: Means<S::Error>) -> Result<usize, FlowError>
    where
        S: TcpClientStack<TcpSocket = K>,
    {
        let Some(socket) = self.socket.as_mut() else { return Ok(0) };
        let room = self.input.get_mut(self.filled..).unwrap_or_default();
        let size = room.len();
        let meaning = match TcpClientStack::receive(io.stack, socket, room) {
            // The framer refuses a full buffer, so there was room.
            Ok(0) => means(StreamOperation::Receive, None),
            Ok(read) => {
                self.filled += read.min(size);
                self.used = io.now;
                return Ok(read);
            }
            Err(nb::Error::WouldBlock) => StreamFault::WouldBlock,
            Err(nb::Error::Other(error)) => means(StreamOperation::Receive, Some(&error)),
        };
        match meaning {
            StreamFault::WouldBlock => Ok(0),
            StreamFault::Closed(error) => Err(error),
        }
    }
}

/// Hands octets to the stack; how many it took.
fn push<S: TcpClientStack>(
    io: &mut Io<'_, S>,
    means: Means<S::Error>,
    socket: &mut S::TcpSocket,
    octets: &[u8],
) -> Result<usize, FlowError> {
    let mut taken = 0;
    for _ in 0..WRITES {
        let rest = octets.get(taken..).unwrap_or_default();
        if rest.is_empty() {
            break;
        }
        match TcpClientStack::send(io.stack, socket, rest) {
            // Nothing taken is no room, by another name.
            Ok(0) | Err(nb::Error::WouldBlock) => break,
            Ok(sent) => taken += sent.min(rest.len()),
            Err(nb::Error::Other(error)) => match means(StreamOperation::Send, Some(&error)) {
                StreamFault::WouldBlock => break,
                StreamFault::Closed(error) => return Err(error),
            },
        }
    }
    Ok(taken)
}
