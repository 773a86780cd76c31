//! One connection under TLS: what its socket carries, and the messages in it.

use super::config::{ClientTls, ServerTls};
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

/// A TLS connection and its socket.
pub(crate) struct Session {
    socket: TcpStream,
    tls: Connection,
    connected: bool,
    /// Reading has sent some of what waited.
    moved: bool,
    /// Why it did not open.
    reason: Option<TlsReason>,
}

impl Session {
    /// One that is opened from here, to who proves this name.
    pub(crate) fn dial(socket: TcpStream, config: &ClientTls, name: &str) -> Result<Self, FlowError> {
        let server_name = match literal(name) {
            Some(address) => ServerName::IpAddress(IpAddr::from(address)),
            None => ServerName::try_from(name.to_owned()).map_err(|_| FlowError::Certificate)?,
        };
        let tls = ClientConnection::new(Arc::clone(&config.0), server_name).map_err(|_| FlowError::Handshake)?;
        Ok(Self::new(socket, tls.into(), false))
    }

    /// One that a peer has opened.
    pub(crate) fn accept(socket: TcpStream, config: &ServerTls) -> Result<Self, FlowError> {
        let tls = ServerConnection::new(Arc::clone(&config.0)).map_err(|_| FlowError::Handshake)?;
        Ok(Self::new(socket, tls.into(), true))
    }

    fn new(socket: TcpStream, mut tls: Connection, connected: bool) -> Self {
        // Who sends bounds what waits: a message is taken whole.
        tls.set_buffer_limit(None);
        Self { socket, tls, connected, moved: false, reason: None }
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
                Ok(_) => self.process()?,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Why it did not open.
    pub(crate) fn take_reason(&mut self) -> Option<TlsReason> {
        self.reason.take()
    }

    /// What the certificate of the peer proves, where it showed one.
    pub(crate) fn identities(&self) -> Vec<String> {
        let certificate = self.tls.peer_certificates().and_then(<[_]>::first);
        certificate.and_then(Identities::of).map(|found| found.texts()).unwrap_or_default()
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) -> Result<(), FlowError> {
        let taken = self.tls.writer().write_all(bytes).and_then(|()| self.write());
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
        for _ in 0..READS {
            match self.tls.reader().read(room) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
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
