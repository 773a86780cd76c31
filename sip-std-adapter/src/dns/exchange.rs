//! One query on its way: a datagram socket of its own, whose port the system draws (RFC 5452 §9.2), or a connection.

use core::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use mio::net::{TcpStream, UdpSocket};
use mio::{Interest, Registry, Token};
use std::io::{self, ErrorKind, Read, Write};

/// An answer by datagram at most.
const DATAGRAM: usize = 4096;
/// An answer over a connection at most, with its length before it.
const STREAM: usize = 2 + u16::MAX as usize;

/// A query whose answer is waited for.
pub(crate) struct Exchange {
    pub(crate) id: u16,
    pub(crate) token: Token,
    way: Way,
    /// The system has noticed something.
    ready: bool,
}

enum Way {
    Datagram(UdpSocket),
    Connection {
        stream: TcpStream,
        /// What is still to be written.
        query: Vec<u8>,
        /// What was read.
        answer: Vec<u8>,
    },
}

/// What came of an exchange.
pub(crate) enum Came {
    Nothing,
    /// A message.
    Answer(Vec<u8>),
    /// Nothing more will come.
    Failed,
}

impl Exchange {
    /// Sends a query, or begins to.
    pub(crate) fn open(
        (id, bytes): (u16, &[u8]),
        (server, tcp): (SocketAddr, bool),
        token: Token,
        registry: &Registry,
    ) -> io::Result<Self> {
        let way = if tcp {
            let mut stream = TcpStream::connect(server)?;
            registry.register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
            let length = u16::try_from(bytes.len()).map_err(|_| ErrorKind::InvalidInput)?;
            Way::Connection { stream, query: [&length.to_be_bytes()[..], bytes].concat(), answer: Vec::new() }
        } else {
            let any = if server.is_ipv4() {
                SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0))
            } else {
                SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0))
            };
            let mut socket = UdpSocket::bind(any)?;
            // So the system lets pass what comes from this server and port only, and says when nobody is there.
            socket.connect(server)?;
            registry.register(&mut socket, token, Interest::READABLE)?;
            socket.send(bytes)?;
            Way::Datagram(socket)
        };
        Ok(Self { id, token, way, ready: false })
    }

    /// Takes note that the system has noticed something.
    pub(crate) const fn notice(&mut self) {
        self.ready = true;
    }

    /// Reads what there is, and writes what is left. After a message there may be more.
    pub(crate) fn proceed(&mut self) -> Came {
        if !self.ready {
            return Came::Nothing;
        }
        let came = match &mut self.way {
            Way::Datagram(socket) => datagram(socket),
            Way::Connection { stream, query, answer } => connection(stream, query, answer),
        };
        self.ready = matches!(came, Came::Answer(_));
        came
    }

    /// Takes its socket out of the poll.
    pub(crate) fn close(mut self, registry: &Registry) {
        // It is closed in any case.
        let _ = match &mut self.way {
            Way::Datagram(socket) => registry.deregister(socket),
            Way::Connection { stream, .. } => registry.deregister(stream),
        };
    }
}

fn datagram(socket: &UdpSocket) -> Came {
    let mut buffer = [0; DATAGRAM];
    loop {
        return match socket.recv(&mut buffer) {
            Ok(length) => Came::Answer(buffer.get(..length).unwrap_or_default().to_vec()),
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) if error.kind() == ErrorKind::WouldBlock => Came::Nothing,
            Err(_) => Came::Failed,
        };
    }
}

fn connection(stream: &mut TcpStream, query: &mut Vec<u8>, answer: &mut Vec<u8>) -> Came {
    while !query.is_empty() {
        match stream.write(query) {
            Ok(0) => return Came::Failed,
            Ok(written) => _ = query.drain(..written),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // Not connected yet, or full: the system says when that changes.
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) => {
                return Came::Nothing;
            }
            Err(_) => return Came::Failed,
        }
    }
    let mut buffer = [0; DATAGRAM];
    while answer.len() < STREAM {
        if let Some((length, message)) = answer.split_first_chunk()
            && let Some(message) = message.get(..usize::from(u16::from_be_bytes(*length)))
        {
            let message = message.to_vec();
            answer.drain(..2 + message.len());
            return Came::Answer(message);
        }
        match stream.read(&mut buffer) {
            Ok(0) => return Came::Failed,
            Ok(length) => answer.extend_from_slice(buffer.get(..length).unwrap_or_default()),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Came::Nothing,
            Err(_) => return Came::Failed,
        }
    }
    Came::Failed
}
