//! The octets of a connection on their way to and from the system, whatever lies between: nothing.
//!
//! A stream takes what it is given whole, keeps what the system has no room for, and says that it [is blocked](Stream::is_blocked)
//! until that is gone. Who has more to send meanwhile keeps it.

use crate::fault::flow_error;
use mio::net::TcpStream;
use sip_core::transport::FlowError;
use std::io::{self, ErrorKind, Read, Write};

/// A connection's octets, with room for those that the system did not take yet.
pub(crate) enum Stream {
    /// As they are.
    Plain(Plain),
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

    /// Whether it carries octets now; an error when it never will.
    pub(crate) fn open(&mut self) -> Result<bool, FlowError> {
        match self {
            Self::Plain(plain) => is_connected(&plain.socket).map_err(|error| flow_error(&error)),
        }
    }

    /// Takes octets, all of them, behind those that wait.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> Result<(), FlowError> {
        match self {
            Self::Plain(plain) => plain.send(bytes),
        }
    }

    /// Whether octets wait for the peer to take earlier ones.
    pub(crate) fn is_blocked(&self) -> bool {
        match self {
            Self::Plain(plain) => !plain.output.is_empty(),
        }
    }

    /// Sends what waits; gives whether the peer took any.
    pub(crate) fn flush(&mut self) -> Result<bool, FlowError> {
        match self {
            Self::Plain(plain) => plain.flush(),
        }
    }

    /// Reads once; how many octets came, zero at the end of the stream.
    pub(crate) fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(plain) => plain.socket.read(room),
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
fn is_connected(socket: &TcpStream) -> io::Result<bool> {
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
