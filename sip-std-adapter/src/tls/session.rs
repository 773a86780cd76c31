//! One connection under TLS: what its socket carries, and the messages in it.

use super::config::{ClientTls, ServerTls};
use super::early::{Heard, Said};
use super::identity::{Identities, literal};
use super::refusal::TlsReason;
use crate::fault::flow_error;
use crate::stream::is_connected;
use mio::net::TcpStream;
use rustls::pki_types::{IpAddr, ServerName};
use rustls::{ClientConnection, Connection, ServerConnection};
use sip_core::transport::FlowError;
use std::io::{self, ErrorKind, Read, Write};
use std::sync::Arc;

/// Reads of the socket in one go at most: a peer that sends much and says nothing holds up nobody.
const READS: u32 = 8;

/// Octets of early data read in one go.
const EARLY: usize = 2048;

/// What is said before the handshake is over, where that is wanted and can be.
enum Early {
    /// Of a client.
    Said(Said),
    /// Of a server.
    Heard(Heard),
}

/// A TLS connection and its socket.
pub(crate) struct Session {
    socket: TcpStream,
    tls: Connection,
    connected: bool,
    /// Reading has sent some of what waited.
    moved: bool,
    /// Why it did not open.
    reason: Option<TlsReason>,
    early: Option<Box<Early>>,
}

impl Session {
    /// One that is opened from here, to who proves this name.
    pub(crate) fn dial(socket: TcpStream, config: &ClientTls, name: &str) -> Result<Self, FlowError> {
        let server_name = match literal(name) {
            Some(address) => ServerName::IpAddress(IpAddr::from(address)),
            None => ServerName::try_from(name.to_owned()).map_err(|_| FlowError::Certificate)?,
        };
        let mut tls =
            ClientConnection::new(Arc::clone(&config.config), server_name).map_err(|_| FlowError::Handshake)?;
        let early = config.early.clone().filter(|_| tls.early_data().is_some());
        let early = early.map(|early| Early::Said(Said { early, octets: Vec::new() }));
        Ok(Self::new(socket, tls.into(), false, early))
    }

    /// One that a peer has opened.
    pub(crate) fn accept(socket: TcpStream, config: &ServerTls) -> Result<Self, FlowError> {
        let tls = ServerConnection::new(Arc::clone(&config.config)).map_err(|_| FlowError::Handshake)?;
        let early = config.early.clone().map(|early| Early::Heard(Heard::new(early)));
        Ok(Self::new(socket, tls.into(), true, early))
    }

    fn new(socket: TcpStream, mut tls: Connection, connected: bool, early: Option<Early>) -> Self {
        // Who sends bounds what waits: a message is taken whole.
        tls.set_buffer_limit(None);
        Self { socket, tls, connected, moved: false, reason: None, early: early.map(Box::new) }
    }

    pub(crate) fn socket(&mut self) -> &mut TcpStream {
        &mut self.socket
    }

    /// Whether the system has connected it: what is not open then waits for the peer's part of the handshake.
    pub(crate) fn is_connected(&self) -> bool {
        self.connected
    }

    /// Goes on with the handshake; gives whether it is over.
    pub(crate) fn open(&mut self) -> Result<bool, FlowError> {
        if !self.connected {
            self.connected = is_connected(&self.socket).map_err(|error| flow_error(&error))?;
            if !self.connected {
                return Ok(false);
            }
        }
        self.shake_hands().map_err(|error| {
            let reason = reason(&error).unwrap_or(TlsReason::Closed);
            let told = reason.flow_error();
            self.reason = Some(reason);
            told
        })
    }

    fn shake_hands(&mut self) -> io::Result<bool> {
        self.write()?;
        while self.tls.is_handshaking() {
            match self.tls.read_tls(&mut self.socket) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(_) => {
                    self.process()?;
                    self.hear()?;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.say_again()?;
        Ok(true)
    }

    /// Takes what has come early.
    fn hear(&mut self) -> io::Result<()> {
        let (Connection::Server(tls), Some(Early::Heard(heard))) = (&mut self.tls, self.early.as_deref_mut()) else {
            return Ok(());
        };
        let Some(mut early) = tls.early_data() else { return Ok(()) };
        let mut room = [0; EARLY];
        loop {
            match early.read(&mut room)? {
                0 => break,
                read => heard.extend(room.get(..read).unwrap_or_default()),
            }
        }
        let refusals = heard.take_refusals();
        tls.writer().write_all(&refusals)?;
        self.write().map(|_| ())
    }

    /// Says again what the server did not take early, now that the handshake is over.
    fn say_again(&mut self) -> io::Result<()> {
        let Connection::Client(tls) = &mut self.tls else { return Ok(()) };
        if let Some(Early::Said(said)) = self.early.take().map(|early| *early)
            && !tls.is_early_data_accepted()
        {
            tls.writer().write_all(&said.octets)?;
        }
        self.write().map(|_| ())
    }

    /// Whether a session was resumed.
    #[cfg(test)]
    pub(crate) fn is_resumed(&self) -> bool {
        self.tls.handshake_kind() == Some(rustls::HandshakeKind::Resumed)
    }

    /// Whether some messages can be sent before the handshake is over.
    pub(crate) fn speaks_early(&self) -> bool {
        self.connected && matches!(self.early.as_deref(), Some(Early::Said(_)))
    }

    /// Whether there is something to be read before the handshake is over.
    pub(crate) fn has_early(&self) -> bool {
        matches!(self.early.as_deref(), Some(Early::Heard(heard)) if heard.has(false))
    }

    /// Whether a message may be sent now, and need not wait for the handshake: what may be done twice, and the answers to that.
    pub(crate) fn takes(&mut self, message: &[u8]) -> bool {
        if !self.tls.is_handshaking() {
            return true;
        }
        match (&mut self.tls, self.early.as_deref()) {
            (Connection::Client(tls), Some(Early::Said(said))) => {
                said.early.takes(message) && tls.early_data().is_some_and(|early| early.bytes_left() >= message.len())
            }
            (Connection::Server(_), Some(Early::Heard(_))) => message.starts_with(b"SIP/2.0 "),
            _ => false,
        }
    }

    /// Why it did not open.
    pub(crate) fn take_reason(&mut self) -> Option<TlsReason> {
        self.reason.take()
    }

    /// What the certificate of the peer proves, where it showed one; nothing before the handshake is over.
    pub(crate) fn identities(&self) -> Vec<String> {
        if self.tls.is_handshaking() {
            return Vec::new();
        }
        let certificate = self.tls.peer_certificates().and_then(<[_]>::first);
        certificate.and_then(Identities::of).map(|found| found.texts()).unwrap_or_default()
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) -> Result<(), FlowError> {
        let taken = match (&mut self.tls, self.early.as_deref_mut()) {
            (Connection::Client(tls), Some(Early::Said(said))) if tls.is_handshaking() => {
                said.octets.extend_from_slice(bytes);
                tls.early_data().map_or(Ok(()), |mut early| early.write_all(bytes))
            }
            (tls, _) => tls.writer().write_all(bytes),
        };
        let taken = taken.and_then(|()| self.write());
        taken.map(|_| ()).map_err(|error| flow_error(&error))
    }

    pub(crate) fn is_blocked(&self) -> bool {
        self.tls.wants_write()
    }

    pub(crate) fn flush(&mut self) -> Result<bool, FlowError> {
        self.write().map_err(|error| flow_error(&error))
    }

    /// Whether reading has sent some of what waited, since this was last asked: the system may have nothing more to tell of it.
    pub(crate) fn take_moved(&mut self) -> bool {
        core::mem::take(&mut self.moved)
    }

    /// Reads what has come, as a plain socket does; `Interrupted` when there may be more.
    pub(crate) fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let over = !self.tls.is_handshaking();
        if let Some(Early::Heard(heard)) = self.early.as_deref_mut() {
            match heard.read(room, over) {
                0 if over => self.early = None,
                0 => return Err(ErrorKind::WouldBlock.into()),
                read => return Ok(read),
            }
        }
        for _ in 0..READS {
            match self.tls.reader().read(room) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                // Closed without a word (RFC 8446 §6.1): a message that was cut off is seen by its length.
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(0),
                read => return read,
            }
            self.tls.read_tls(&mut self.socket)?;
            self.process()?;
        }
        Err(ErrorKind::Interrupted.into())
    }

    /// Says that nothing more comes (RFC 8446 §6.1), if there is room to say so.
    pub(crate) fn close(&mut self) {
        if self.connected && !self.tls.wants_write() {
            self.tls.send_close_notify();
            let _ = self.write();
        }
    }

    /// Decrypts what was read, and answers what TLS itself has to.
    fn process(&mut self) -> io::Result<()> {
        let waited = self.tls.wants_write();
        let processed = self.tls.process_new_packets();
        let written = self.write();
        self.moved |= waited && matches!(written, Ok(true));
        // What was wrong says more than that the peer is gone.
        processed.map_err(|error| io::Error::new(ErrorKind::InvalidData, error))?;
        written.map(|_| ())
    }

    /// Hands what is encrypted to the system; gives whether it took any.
    fn write(&mut self) -> io::Result<bool> {
        let mut progress = false;
        while self.tls.wants_write() {
            match self.tls.write_tls(&mut self.socket) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(_) => progress = true,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(progress)
    }
}

/// What TLS says was wrong, where it is not the socket that failed.
fn reason(error: &io::Error) -> Option<TlsReason> {
    error.get_ref()?.downcast_ref::<rustls::Error>().map(TlsReason::of)
}
