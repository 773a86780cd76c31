//! One WebSocket: its handshake, the stream below it, and the messages in it.

use super::config::{WsClient, WsServer};
use super::frames::Frames;
use super::handshake::{self, Answered, Asked, HEAD, Heard};
use crate::fault::flow_error;
use crate::stream::Stream;
use core::net::SocketAddr;
use core::str;
use mio::net::TcpStream;
use sip_core::message::MAX_MESSAGE;
use sip_core::transport::FlowError;
use std::io::{self, ErrorKind, Read, Write};
use tungstenite::error::{Error, ProtocolError};
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tungstenite::{Bytes, Message, WebSocket};

/// Octets asked for in one read: each connection keeps so many.
const READ: usize = 2048;
/// Reads of the stream below in one go at most: fragments without end hold up nobody.
const READS: u32 = 8;
/// Octets that may wait: what is sent while nothing waits, a message at most, and Pongs behind it.
const WAITING: usize = 2 * MAX_MESSAGE;

/// A WebSocket over a stream.
pub(crate) struct WsSession {
    socket: WebSocket<Below>,
    opening: Opening,
    /// Octets wait for the stream below to take earlier ones.
    waits: bool,
}

/// How far the handshake is.
enum Opening {
    /// A peer's request is to come.
    Server(Box<WsServer>, Vec<u8>),
    /// Ours is to be sent.
    Client(Box<Asked>),
    /// The response to it is to come.
    Sent(Box<Asked>, Vec<u8>),
    Done,
}

/// What came over it.
pub(crate) enum Incoming {
    Message(Bytes),
    /// Ping or Pong.
    KeepAlive,
    /// Nothing yet, and there may be more.
    Part,
    /// Nothing until the system says so.
    Nothing,
    /// The peer says that it ends, or is gone.
    Lost(FlowError),
    /// It breaks the rules.
    Broken,
    /// A message over the limit.
    TooLarge,
}

impl WsSession {
    /// One that is opened from here, to a server of this name.
    pub(crate) fn dial(
        stream: Stream,
        client: &WsClient,
        (name, peer, default_port): (&str, SocketAddr, u16),
    ) -> Result<Self, FlowError> {
        let asked = handshake::ask(client, name, peer, default_port).ok_or(FlowError::Handshake)?;
        Ok(Self::new(stream, Role::Client, Opening::Client(Box::new(asked))))
    }

    /// One that a peer has opened.
    pub(crate) fn accept(stream: Stream, server: &WsServer) -> Self {
        Self::new(stream, Role::Server, Opening::Server(Box::new(server.clone()), Vec::new()))
    }

    fn new(stream: Stream, role: Role, opening: Opening) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ)
            // Each message goes at once.
            .write_buffer_size(0)
            .max_write_buffer_size(WAITING)
            .max_frame_size(Some(MAX_MESSAGE))
            .max_message_size(Some(MAX_MESSAGE));
        let below = Below { stream, ahead: Vec::new(), reads: 0, frames: Frames::default(), error: None };
        Self { socket: WebSocket::from_raw_socket(below, role, Some(config)), opening, waits: false }
    }

    pub(crate) fn socket(&mut self) -> &mut TcpStream {
        self.below().socket()
    }

    /// The stream below it.
    pub(crate) fn below(&mut self) -> &mut Stream {
        &mut self.socket.get_mut().stream
    }

    pub(crate) fn identities(&self) -> Vec<String> {
        self.socket.get_ref().stream.identities()
    }

    /// Goes on with the handshakes, that of TLS first; gives whether they are over.
    pub(crate) fn open(&mut self) -> Result<bool, FlowError> {
        if matches!(self.opening, Opening::Server(..) | Opening::Client(_)) && !self.below().open()? {
            return Ok(false);
        }
        loop {
            match core::mem::replace(&mut self.opening, Opening::Done) {
                Opening::Done => return Ok(true),
                Opening::Client(asked) => {
                    self.below().send(&asked.request)?;
                    self.opening = Opening::Sent(asked, Vec::new());
                }
                Opening::Server(server, mut head) => {
                    let end = self.read_head(&mut head)?;
                    match handshake::hear(&head, &server) {
                        Heard::Agreed(answer, length) => {
                            self.below().send(&answer)?;
                            self.socket.get_mut().ahead = head.split_off(length);
                        }
                        Heard::Refused(answer) => {
                            self.below().send(&answer)?;
                            return Err(FlowError::Handshake);
                        }
                        Heard::Part if end => {
                            self.opening = Opening::Server(server, head);
                            return Ok(false);
                        }
                        Heard::Part => self.opening = Opening::Server(server, head),
                    }
                }
                Opening::Sent(asked, mut head) => {
                    self.below().flush()?;
                    let end = self.read_head(&mut head)?;
                    match asked.check(&head) {
                        Answered::Agreed(length) => self.socket.get_mut().ahead = head.split_off(length),
                        Answered::Refused => return Err(FlowError::Handshake),
                        Answered::Part if end => {
                            self.opening = Opening::Sent(asked, head);
                            return Ok(false);
                        }
                        Answered::Part => self.opening = Opening::Sent(asked, head),
                    }
                }
            }
        }
    }

    /// Reads more of the handshake; gives whether there is no more for now.
    fn read_head(&mut self, head: &mut Vec<u8>) -> Result<bool, FlowError> {
        let filled = head.len();
        head.resize(filled + READ.min(HEAD.saturating_sub(filled)).max(1), 0);
        let read = self.below().read(head.get_mut(filled..).unwrap_or_default());
        head.truncate(filled + read.as_ref().map_or(0, |read| *read));
        match read {
            Ok(0) => Err(FlowError::Closed),
            Ok(_) => Ok(false),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(true),
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(false),
            Err(error) => Err(flow_error(&error)),
        }
    }

    /// Takes a message, all of it, behind what waits: as text where it is such (RFC 7118 §4.2).
    pub(crate) fn send(&mut self, bytes: &[u8]) -> Result<(), FlowError> {
        let message = match str::from_utf8(bytes) {
            Ok(text) => Message::text(text),
            Err(_) => Message::binary(bytes.to_vec()),
        };
        let sent = self.socket.send(message);
        self.sent(sent)
    }

    pub(crate) fn is_blocked(&self) -> bool {
        self.waits || self.socket.get_ref().stream.is_blocked()
    }

    /// Sends what waits; gives whether the peer took any.
    pub(crate) fn flush(&mut self) -> Result<bool, FlowError> {
        let progress = self.below().flush()?;
        self.push()?;
        Ok(progress)
    }

    /// Whether reading has sent some of what waited, since this was last asked.
    pub(crate) fn take_moved(&mut self) -> bool {
        let moved = self.below().take_moved();
        // What goes wrong here goes wrong with the next read.
        moved && self.push().is_ok()
    }

    /// Hands what waits here to the stream below, if that has room.
    fn push(&mut self) -> Result<(), FlowError> {
        if !self.waits || self.below().is_blocked() {
            return Ok(());
        }
        let sent = self.socket.flush();
        self.sent(sent)
    }

    /// Reads on, a little.
    pub(crate) fn receive(&mut self) -> Incoming {
        self.socket.get_mut().reads = READS;
        match self.socket.read() {
            Ok(Message::Text(text)) => Incoming::Message(text.into()),
            Ok(Message::Binary(bytes)) => Incoming::Message(bytes),
            Ok(Message::Ping(_)) => {
                let sent = self.socket.flush();
                self.sent(sent).map_or_else(Incoming::Lost, |()| Incoming::KeepAlive)
            }
            Ok(Message::Pong(_) | Message::Frame(_)) => Incoming::KeepAlive,
            Ok(Message::Close(_)) => {
                let _ = self.socket.flush();
                Incoming::Lost(FlowError::Closed)
            }
            Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => Incoming::Nothing,
            Err(Error::Io(error)) if error.kind() == ErrorKind::Interrupted => Incoming::Part,
            Err(Error::Capacity(_)) => self.fail(CloseCode::Size, Incoming::TooLarge),
            Err(Error::Utf8(_)) => self.fail(CloseCode::Invalid, Incoming::Broken),
            Err(Error::Protocol(error)) if error != ProtocolError::ResetWithoutClosingHandshake => {
                self.fail(CloseCode::Protocol, Incoming::Broken)
            }
            Err(error) => Incoming::Lost(self.flow_error(&error)),
        }
    }

    /// Whether the peer has begun a frame or a message and not ended it.
    pub(crate) fn has_part(&self) -> bool {
        self.socket.get_ref().frames.has_part()
    }

    /// Says why it ends (RFC 6455 §7.1.7).
    fn fail(&mut self, code: CloseCode, incoming: Incoming) -> Incoming {
        let _ = self.socket.close(Some(CloseFrame { code, reason: "".into() }));
        incoming
    }

    /// Says that nothing more comes (RFC 6455 §7.1.2), if there is room to say so. The peer's Close is not waited for.
    pub(crate) fn close(&mut self) {
        if matches!(self.opening, Opening::Done) {
            let _ = self.socket.close(Some(CloseFrame { code: CloseCode::Away, reason: "".into() }));
        }
        self.below().close();
    }

    /// Takes note of what waits.
    fn sent(&mut self, sent: Result<(), Error>) -> Result<(), FlowError> {
        self.waits = matches!(&sent, Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock);
        match sent {
            Err(error) if !self.waits => Err(self.flow_error(&error)),
            _ => Ok(()),
        }
    }

    fn flow_error(&mut self, error: &Error) -> FlowError {
        match (error, self.socket.get_mut().error.take()) {
            (_, Some(error)) => error,
            (Error::Io(error), None) => flow_error(error),
            (Error::WriteBufferFull(_), None) => FlowError::TooLarge,
            _ => FlowError::Closed,
        }
    }
}

/// The stream below, as `tungstenite` reads and writes it.
struct Below {
    stream: Stream,
    /// What came with the end of the handshake: it is read first.
    ahead: Vec<u8>,
    /// How often it may still be read in this go.
    reads: u32,
    /// What has been read.
    frames: Frames,
    /// Why it failed.
    error: Option<FlowError>,
}

impl Read for Below {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        self.reads = self.reads.checked_sub(1).ok_or(ErrorKind::Interrupted)?;
        let read = if self.ahead.is_empty() {
            self.stream.read(room)?
        } else {
            let length = room.len().min(self.ahead.len());
            let rest = self.ahead.split_off(length);
            let ahead = core::mem::replace(&mut self.ahead, rest);
            room.get_mut(..length).unwrap_or_default().copy_from_slice(&ahead);
            length
        };
        self.frames.pass(room.get(..read).unwrap_or_default());
        Ok(read)
    }
}

impl Write for Below {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.stream.is_blocked() {
            return Err(ErrorKind::WouldBlock.into());
        }
        match self.stream.send(bytes) {
            Ok(()) => Ok(bytes.len()),
            Err(error) => {
                self.error = Some(error);
                Err(ErrorKind::BrokenPipe.into())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
