//! The octets of a connection on their way to and from the system, whatever lies between: nothing, TLS, or a WebSocket over either.
//!
//! A stream takes what it is given whole, keeps what the system has no room for, and says that it [is blocked](Stream::is_blocked)
//! until that is gone. Who has more to send meanwhile keeps it.

use crate::fault::flow_error;
#[cfg(feature = "ws")]
use crate::ws::{WsClient, WsServer, WsSession};
use core::net::SocketAddr;
use mio::net::TcpStream;
use sip_core::transport::{Flow, FlowError, Transport};
#[cfg(any(feature = "rustls", feature = "ws"))]
use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read, Write};
#[cfg(feature = "rustls")]
use {
    crate::tls::{ClientTls, ServerTls, Session, TlsReason, TlsRefusal},
    std::collections::VecDeque,
};

/// Refusals of TLS that are kept for the application; of more, the oldest go.
#[cfg(feature = "rustls")]
const REFUSALS: usize = 32;

/// A connection's octets, with room for those that the system did not take yet.
pub(crate) enum Stream {
    /// As they are.
    Plain(Plain),
    /// Under TLS.
    #[cfg(feature = "rustls")]
    Tls(Box<Session>),
    /// As the messages of a WebSocket.
    #[cfg(feature = "ws")]
    Ws(Box<WsSession>),
}

/// What streams are made with.
#[derive(Default)]
pub(crate) struct Streams {
    #[cfg(feature = "rustls")]
    pub(crate) client: Option<ClientTls>,
    /// By the listener's number.
    #[cfg(feature = "rustls")]
    pub(crate) servers: BTreeMap<u8, ServerTls>,
    #[cfg(feature = "rustls")]
    pub(crate) refusals: VecDeque<TlsRefusal>,
    #[cfg(feature = "ws")]
    pub(crate) ws_client: WsClient,
    /// By the listener's number.
    #[cfg(feature = "ws")]
    pub(crate) ws_servers: BTreeMap<u8, WsServer>,
}

impl Streams {
    /// Whether connections of this kind can be asked for.
    pub(crate) fn can_dial(&self, transport: Transport) -> bool {
        match transport {
            Transport::Tcp => true,
            #[cfg(feature = "ws")]
            Transport::Ws => true,
            #[cfg(feature = "rustls")]
            Transport::Tls => self.client.is_some(),
            #[cfg(all(feature = "rustls", feature = "ws"))]
            Transport::Wss => self.client.is_some(),
            _ => false,
        }
    }

    /// A stream that is opened from here to an address, and to a peer of this name.
    pub(crate) fn dial(
        &self,
        socket: TcpStream,
        (transport, peer): (Transport, SocketAddr),
        name: &str,
    ) -> Result<Stream, FlowError> {
        let stream = match transport {
            Transport::Tcp | Transport::Ws => Stream::plain(socket),
            #[cfg(feature = "rustls")]
            Transport::Tls | Transport::Wss => {
                let client = self.client.as_ref().ok_or(FlowError::Unsupported)?;
                Stream::Tls(Box::new(Session::dial(socket, client, name)?))
            }
            _ => {
                let _ = (name, peer);
                return Err(FlowError::Unsupported);
            }
        };
        match is_websocket(transport) {
            false => Ok(stream),
            #[cfg(feature = "ws")]
            true => {
                let whom = (name, peer, transport.default_port());
                Ok(Stream::Ws(Box::new(WsSession::dial(stream, &self.ws_client, whom)?)))
            }
            #[cfg(not(feature = "ws"))]
            true => Err(FlowError::Unsupported),
        }
    }

    /// A stream that a peer has opened.
    pub(crate) fn accept(&self, socket: TcpStream, flow: Flow) -> Result<Stream, FlowError> {
        let stream = match flow.transport {
            Transport::Tcp | Transport::Ws => Stream::plain(socket),
            #[cfg(feature = "rustls")]
            Transport::Tls | Transport::Wss => {
                let server = self.servers.get(&flow.listener).ok_or(FlowError::Unsupported)?;
                Stream::Tls(Box::new(Session::accept(socket, server)?))
            }
            _ => return Err(FlowError::Unsupported),
        };
        match is_websocket(flow.transport) {
            false => Ok(stream),
            #[cfg(feature = "ws")]
            true => {
                let server = self.ws_servers.get(&flow.listener).ok_or(FlowError::Unsupported)?;
                Ok(Stream::Ws(Box::new(WsSession::accept(stream, server))))
            }
            #[cfg(not(feature = "ws"))]
            true => Err(FlowError::Unsupported),
        }
    }

    /// Keeps for the application that a peer speaks TLS where it should not.
    pub(crate) fn note_hello(&mut self, flow: Flow) {
        #[cfg(feature = "rustls")]
        if let Some(peer) = flow.remote.socket_addr() {
            self.keep(TlsRefusal { peer, name: String::new(), reason: TlsReason::NotPlain });
        }
        #[cfg(not(feature = "rustls"))]
        let _ = flow;
    }

    #[cfg(feature = "rustls")]
    fn keep(&mut self, refusal: TlsRefusal) {
        if self.refusals.len() >= REFUSALS {
            self.refusals.pop_front();
        }
        self.refusals.push_back(refusal);
    }

    /// Keeps for the application why a stream did not open, where TLS was the reason.
    pub(crate) fn note(&mut self, stream: &mut Stream, flow: Flow, name: &str, error: FlowError) {
        #[cfg(feature = "ws")]
        if let Stream::Ws(session) = stream {
            return self.note(session.below(), flow, name, error);
        }
        #[cfg(feature = "rustls")]
        if let Stream::Tls(session) = stream
            && let Some(peer) = flow.remote.socket_addr()
        {
            let unfinished = session.is_connected() && error == FlowError::Unreachable;
            let reason = session.take_reason().or(unfinished.then_some(TlsReason::Unfinished));
            let Some(reason) = reason else { return };
            self.keep(TlsRefusal { peer, name: name.to_owned(), reason });
        }
        #[cfg(not(feature = "rustls"))]
        let _ = (stream, flow, name, error);
    }
}

/// Whether messages go by it as those of a WebSocket.
const fn is_websocket(transport: Transport) -> bool {
    matches!(transport, Transport::Ws | Transport::Wss)
}

/// Whether the peer is told, or has to prove, under which name it was asked for.
pub(crate) const fn takes_name(transport: Transport) -> bool {
    transport.is_secure() || is_websocket(transport)
}

/// Octets as they are.
pub(crate) struct Plain {
    socket: TcpStream,
    /// Octets that the system had no room for, and how many of them it has taken since.
    output: Vec<u8>,
    taken: usize,
}

impl Stream {
    /// Octets that go over this socket as they are.
    pub(crate) fn plain(socket: TcpStream) -> Self {
        Self::Plain(Plain { socket, output: Vec::new(), taken: 0 })
    }

    /// The socket, which the system tells about.
    pub(crate) fn socket(&mut self) -> &mut TcpStream {
        match self {
            Self::Plain(plain) => &mut plain.socket,
            #[cfg(feature = "rustls")]
            Self::Tls(session) => session.socket(),
            #[cfg(feature = "ws")]
            Self::Ws(session) => session.socket(),
        }
    }

    /// Whom the peer has proved to be; nobody without TLS.
    pub(crate) fn identities(&self) -> Vec<String> {
        match self {
            Self::Plain(_) => Vec::new(),
            #[cfg(feature = "rustls")]
            Self::Tls(session) => session.identities(),
            #[cfg(feature = "ws")]
            Self::Ws(session) => session.identities(),
        }
    }

    /// Whether some messages can be sent although it is not open.
    pub(crate) fn speaks_early(&self) -> bool {
        match self {
            #[cfg(feature = "rustls")]
            Self::Tls(session) => session.speaks_early(),
            _ => false,
        }
    }

    /// Whether there is something to be read although it is not open.
    pub(crate) fn has_early(&self) -> bool {
        match self {
            #[cfg(feature = "rustls")]
            Self::Tls(session) => session.has_early(),
            _ => false,
        }
    }

    /// Whether a message may be sent although it is not open.
    pub(crate) fn takes_early(&mut self, message: &[u8]) -> bool {
        let _ = message;
        match self {
            #[cfg(feature = "rustls")]
            Self::Tls(session) => session.takes(message),
            _ => false,
        }
    }

    /// Whether it goes on with a session that was there before.
    #[cfg(all(test, feature = "rustls"))]
    pub(crate) fn is_resumed(&self) -> bool {
        matches!(self, Self::Tls(session) if session.is_resumed())
    }

    /// Whether it waits for the peer's part of a handshake.
    #[cfg(all(test, feature = "rustls"))]
    pub(crate) fn is_shaking_hands(&self) -> bool {
        matches!(self, Self::Tls(session) if session.is_connected())
    }

    /// Tells the peer that nothing more comes, where there is a way to say so.
    pub(crate) fn close(&mut self) {
        match self {
            Self::Plain(_) => {}
            #[cfg(feature = "rustls")]
            Self::Tls(session) => session.close(),
            #[cfg(feature = "ws")]
            Self::Ws(session) => session.close(),
        }
    }

    /// Whether it carries octets now; an error when it never will.
    pub(crate) fn open(&mut self) -> Result<bool, FlowError> {
        match self {
            Self::Plain(plain) => is_connected(&plain.socket).map_err(|error| flow_error(&error)),
            #[cfg(feature = "rustls")]
            Self::Tls(session) => session.open(),
            #[cfg(feature = "ws")]
            Self::Ws(session) => session.open(),
        }
    }

    /// Takes octets, all of them, behind those that wait.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> Result<(), FlowError> {
        match self {
            Self::Plain(plain) => plain.send(bytes),
            #[cfg(feature = "rustls")]
            Self::Tls(session) => session.send(bytes),
            #[cfg(feature = "ws")]
            Self::Ws(session) => session.send(bytes),
        }
    }

    /// Whether octets wait for the peer to take earlier ones.
    pub(crate) fn is_blocked(&self) -> bool {
        match self {
            Self::Plain(plain) => !plain.output.is_empty(),
            #[cfg(feature = "rustls")]
            Self::Tls(session) => session.is_blocked(),
            #[cfg(feature = "ws")]
            Self::Ws(session) => session.is_blocked(),
        }
    }

    /// Sends what waits; gives whether the peer took any.
    pub(crate) fn flush(&mut self) -> Result<bool, FlowError> {
        match self {
            Self::Plain(plain) => plain.flush(),
            #[cfg(feature = "rustls")]
            Self::Tls(session) => session.flush(),
            #[cfg(feature = "ws")]
            Self::Ws(session) => session.flush(),
        }
    }

    /// Whether [reading](Self::read) has sent some of what waited, since this was last asked: TLS writes while it reads.
    pub(crate) fn take_moved(&mut self) -> bool {
        match self {
            Self::Plain(_) => false,
            #[cfg(feature = "rustls")]
            Self::Tls(session) => session.take_moved(),
            #[cfg(feature = "ws")]
            Self::Ws(session) => session.take_moved(),
        }
    }

    /// Reads once; how many octets came, zero at the end of the stream.
    pub(crate) fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(plain) => plain.socket.read(room),
            #[cfg(feature = "rustls")]
            Self::Tls(session) => session.read(room),
            // Its messages arrive whole, by another door.
            #[cfg(feature = "ws")]
            Self::Ws(_) => Err(ErrorKind::Unsupported.into()),
        }
    }
}

impl Plain {
    fn send(&mut self, bytes: &[u8]) -> Result<(), FlowError> {
        let taken = if self.output.is_empty() { write(&mut self.socket, bytes)? } else { 0 };
        self.output.extend_from_slice(bytes.get(taken..).unwrap_or_default());
        Ok(())
    }

    fn flush(&mut self) -> Result<bool, FlowError> {
        let waiting = self.output.get(self.taken..).unwrap_or_default();
        let taken = write(&mut self.socket, waiting)?;
        self.taken += taken;
        if self.taken >= self.output.len() {
            self.output = Vec::new();
            self.taken = 0;
        }
        Ok(taken > 0)
    }
}

/// Whether the system has connected a socket; an error when it never will.
pub(crate) fn is_connected(socket: &TcpStream) -> io::Result<bool> {
    if let Some(error) = socket.take_error()? {
        return Err(error);
    }
    match socket.peer_addr() {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotConnected => Ok(false),
        Err(error) => Err(error),
    }
}

/// Hands octets to the system; how many it took.
fn write(socket: &mut TcpStream, bytes: &[u8]) -> Result<usize, FlowError> {
    let mut taken = 0;
    while let Some(rest @ [_, ..]) = bytes.get(taken..) {
        match socket.write(rest) {
            Ok(0) => return Err(FlowError::Closed),
            Ok(written) => taken += written,
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(flow_error(&error)),
        }
    }
    Ok(taken)
}
