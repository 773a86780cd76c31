//! One datagram socket, and what its errors mean.

use crate::asked::{self, Asked};
use crate::fault::{NO_BUFFERS, TOO_LONG, flow_error};
use core::net::SocketAddr;
use mio::net::UdpSocket;
use sip_core::transport::{Flow, FlowError};
use socket2::{Domain, Protocol, Socket, Type};
use std::io::{self, ErrorKind};

/// Octets asked for on either side of the socket; the system grants what it likes.
const RECEIVE_BUFFER: usize = 4 << 20;
const SEND_BUFFER: usize = 1 << 20;

/// How many receives in a row may fail for no known reason before the socket counts as dead.
const DEAD_AFTER: u32 = 64;

/// How often a send is tried again when the socket reports an error that another send caused.
const RETRIES: u32 = 3;

/// A non-blocking, unconnected datagram socket.
pub(crate) struct Udp {
    pub(crate) socket: UdpSocket,
    pub(crate) local: SocketAddr,
    /// The error queue may hold reports.
    pub(crate) reports_waiting: bool,
    unknown_errors: u32,
    /// At which of the host's addresses peers have asked, where the socket is bound to all of them.
    asked: Option<Asked>,
    /// The next so many sends find the socket full.
    #[cfg(test)]
    pub(crate) full_for: u32,
}

/// What became of a send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// The system has it.
    Done,
    /// The socket is full.
    Blocked,
    /// It waits for its connection under its name, and has to be resumed.
    Held,
    /// The system had no memory for it; as good as lost on the way.
    Lost,
    /// It can't go there.
    Failed(FlowError),
}

/// What a receive found.
pub(crate) enum Arrived {
    Datagram {
        length: usize,
        from: SocketAddr,
    },
    /// A datagram longer than the buffer, on systems that call that an error.
    Truncated,
    /// An error that says nothing about this socket's life.
    Survived,
    Nothing,
}

impl Udp {
    pub(crate) fn bind(address: SocketAddr, shared: bool) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        if address.is_ipv6() {
            // One socket, one family: a peer has one address, never also the IPv4-mapped form of it.
            socket.set_only_v6(true)?;
        }
        // Best effort: a system that grants less drops earlier under a burst, and SIP retransmits.
        let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
        let _ = socket.set_send_buffer_size(SEND_BUFFER);
        socket.set_nonblocking(true)?;
        crate::reports::enable(&socket, address)?;
        let asked = asked::enable(&socket, address)?.then(Asked::default);
        crate::options::share(&socket, shared)?;
        socket.bind(&address.into())?;
        let socket = UdpSocket::from_std(socket.into());
        let local = socket.local_addr()?;
        Ok(Self {
            socket,
            local,
            reports_waiting: false,
            unknown_errors: 0,
            asked,
            #[cfg(test)]
            full_for: 0,
        })
    }

    /// Marks what is sent with a code point.
    pub(crate) fn mark(&self, dscp: u8) -> io::Result<()> {
        crate::options::mark(&socket2::SockRef::from(&self.socket), self.local.is_ipv4(), dscp)
    }

    pub(crate) fn send(&mut self, flow: Flow, bytes: &[u8]) -> Sent {
        #[cfg(test)]
        if self.full_for > 0 {
            self.full_for -= 1;
            return Sent::Blocked;
        }
        let Some(to) = flow.remote.socket_addr().filter(|to| to.is_ipv4() == self.local.is_ipv4()) else {
            return Sent::Failed(FlowError::Unreachable);
        };
        let mut tries = 0;
        let mut from = self.asked.as_ref().and_then(|asked| asked.address(to));
        loop {
            let sent = match from {
                Some(from) => asked::send(&self.socket, bytes, to, from),
                None => self.socket.send_to(bytes, to),
            };
            let Err(error) = sent else { return Sent::Done };
            match error.kind() {
                ErrorKind::WouldBlock => return Sent::Blocked,
                ErrorKind::Interrupted => {}
                ErrorKind::OutOfMemory => return Sent::Lost,
                _ if error.raw_os_error() == Some(NO_BUFFERS) => return Sent::Lost,
                // A report about an earlier send, to anyone, fails the next one, whoever that is for. It does so
                // once: an error that stays is about this send.
                // The host may have lost the address meanwhile.
                _ if tries == RETRIES && from.take().is_some() => tries = 0,
                _ if tries == RETRIES => return Sent::Failed(flow_error(&error)),
                _ => self.reports_waiting = true,
            }
            tries += 1;
        }
    }

    /// Receives one datagram, if one is there.
    ///
    /// # Errors
    /// The socket failed many times in a row for reasons that no peer can cause.
    pub(crate) fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Arrived> {
        let received = match self.asked {
            Some(_) => asked::receive(&self.socket, buffer),
            None => self.socket.recv_from(buffer).map(|(length, from)| (length, from, None)),
        };
        let error = match received {
            Ok((length, from, at)) => {
                self.unknown_errors = 0;
                if let (Some(asked), Some(at)) = (&mut self.asked, at) {
                    asked.note(from, at);
                }
                return Ok(Arrived::Datagram { length, from });
            }
            Err(error) => error,
        };
        if error.raw_os_error() == Some(TOO_LONG) && cfg!(windows) {
            return Ok(Arrived::Truncated);
        }
        match error.kind() {
            ErrorKind::WouldBlock => {
                self.unknown_errors = 0;
                Ok(Arrived::Nothing)
            }
            ErrorKind::Interrupted => Ok(Arrived::Survived),
            ErrorKind::ConnectionRefused
            | ErrorKind::ConnectionReset
            | ErrorKind::HostUnreachable
            | ErrorKind::NetworkUnreachable => {
                self.reports_waiting = true;
                Ok(Arrived::Survived)
            }
            _ if self.unknown_errors < DEAD_AFTER => {
                self.unknown_errors += 1;
                self.reports_waiting = true;
                Ok(Arrived::Survived)
            }
            _ => Err(error),
        }
    }

    /// The next report that a peer is not there; `None` when there are no more.
    pub(crate) fn next_report(&mut self) -> Option<(SocketAddr, FlowError)> {
        if !self.reports_waiting {
            return None;
        }
        let report = crate::reports::next(&self.socket);
        self.reports_waiting = report.is_some();
        report
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sip_core::transport::Address;

    fn udp() -> Udp {
        Udp::bind("127.0.0.1:0".parse().unwrap(), false).unwrap()
    }

    #[test]
    fn a_datagram_that_no_network_carries_is_too_large() {
        let mut udp = udp();
        let to = Flow::udp(Address::from(udp.local));
        assert_eq!(udp.send(to, &[b'x'; 65_535]), Sent::Failed(FlowError::TooLarge));
        assert_eq!(udp.send(to, b"x"), Sent::Done);
    }

    #[test]
    fn an_address_of_the_other_family_is_unreachable() {
        let to = Flow::udp(Address::from("[::1]:5060".parse::<SocketAddr>().unwrap()));
        assert_eq!(udp().send(to, b"x"), Sent::Failed(FlowError::Unreachable));
        assert_eq!(udp().send(Flow::NONE, b"x"), Sent::Failed(FlowError::Unreachable));
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    #[test]
    fn a_report_about_one_peer_does_not_fail_a_send_to_another() {
        let (mut udp, there) = (udp(), udp());
        let gone = {
            let gone = Udp::bind("127.0.0.8:0".parse().unwrap(), false).unwrap();
            Flow::udp(Address::from(gone.local))
        };
        for _ in 0..10 {
            assert_eq!(udp.send(gone, b"x"), Sent::Done);
            assert_eq!(udp.send(Flow::udp(Address::from(there.local)), b"x"), Sent::Done);
        }
    }
}
