//! The host's sockets as an embedded-nal stack: std-embedded-nal's for datagrams and for connections that this end opens, and connections
//! of peers, which block on that stack (0.4: an accepted socket does not inherit the listener's mode).

use core::net::SocketAddr;
use embedded_nal::{TcpClientStack, TcpFullStack, UdpClientStack, UdpFullStack, nb};
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std_embedded_nal::Stack;

type TcpError = <Stack as TcpClientStack>::Error;
type TcpSocket = <Stack as TcpClientStack>::TcpSocket;
type UdpSocket = <Stack as UdpClientStack>::UdpSocket;

#[derive(Default)]
pub(crate) struct Host(Stack);

/// A connection.
pub(crate) enum Socket {
    /// As that stack has it.
    Own(TcpSocket),
    Listening(TcpListener),
    /// A peer has opened it.
    Accepted(TcpStream),
}

fn told(error: std::io::Error) -> nb::Error<TcpError> {
    if error.kind() == ErrorKind::WouldBlock { nb::Error::WouldBlock } else { nb::Error::Other(error.into()) }
}

impl TcpClientStack for Host {
    type TcpSocket = Socket;
    type Error = TcpError;

    fn socket(&mut self) -> Result<Socket, TcpError> {
        TcpClientStack::socket(&mut self.0).map(Socket::Own)
    }

    fn connect(&mut self, socket: &mut Socket, remote: SocketAddr) -> nb::Result<(), TcpError> {
        let Socket::Own(socket) = socket else { panic!("connected already") };
        TcpClientStack::connect(&mut self.0, socket, remote)
    }

    fn send(&mut self, socket: &mut Socket, buffer: &[u8]) -> nb::Result<usize, TcpError> {
        match socket {
            Socket::Own(socket) => TcpClientStack::send(&mut self.0, socket, buffer),
            Socket::Accepted(stream) => stream.write(buffer).map_err(told),
            Socket::Listening(_) => panic!("it listens"),
        }
    }

    fn receive(&mut self, socket: &mut Socket, buffer: &mut [u8]) -> nb::Result<usize, TcpError> {
        match socket {
            Socket::Own(socket) => TcpClientStack::receive(&mut self.0, socket, buffer),
            Socket::Accepted(stream) => stream.read(buffer).map_err(told),
            Socket::Listening(_) => panic!("it listens"),
        }
    }

    fn close(&mut self, socket: Socket) -> Result<(), TcpError> {
        drop(socket);
        Ok(())
    }
}

impl TcpFullStack for Host {
    fn bind(&mut self, socket: &mut Socket, port: u16) -> Result<(), TcpError> {
        let listener = TcpListener::bind(("127.0.0.1", port))?;
        listener.set_nonblocking(true)?;
        *socket = Socket::Listening(listener);
        Ok(())
    }

    fn listen(&mut self, _: &mut Socket) -> Result<(), TcpError> {
        Ok(())
    }

    fn accept(&mut self, socket: &mut Socket) -> nb::Result<(Socket, SocketAddr), TcpError> {
        let Socket::Listening(listener) = socket else { panic!("it does not listen") };
        let (stream, from) = listener.accept().map_err(told)?;
        stream.set_nonblocking(true).map_err(told)?;
        Ok((Socket::Accepted(stream), from))
    }
}

impl UdpClientStack for Host {
    type UdpSocket = UdpSocket;
    type Error = <Stack as UdpClientStack>::Error;

    fn socket(&mut self) -> Result<UdpSocket, Self::Error> {
        UdpClientStack::socket(&mut self.0)
    }

    fn connect(&mut self, socket: &mut UdpSocket, remote: SocketAddr) -> Result<(), Self::Error> {
        UdpClientStack::connect(&mut self.0, socket, remote)
    }

    fn send(&mut self, socket: &mut UdpSocket, buffer: &[u8]) -> nb::Result<(), Self::Error> {
        UdpClientStack::send(&mut self.0, socket, buffer)
    }

    fn receive(&mut self, socket: &mut UdpSocket, buffer: &mut [u8]) -> nb::Result<(usize, SocketAddr), Self::Error> {
        UdpClientStack::receive(&mut self.0, socket, buffer)
    }

    fn close(&mut self, socket: UdpSocket) -> Result<(), Self::Error> {
        UdpClientStack::close(&mut self.0, socket)
    }
}

impl UdpFullStack for Host {
    fn bind(&mut self, socket: &mut UdpSocket, port: u16) -> Result<(), Self::Error> {
        UdpFullStack::bind(&mut self.0, socket, port)
    }

    fn send_to(&mut self, socket: &mut UdpSocket, remote: SocketAddr, buffer: &[u8]) -> nb::Result<(), Self::Error> {
        UdpFullStack::send_to(&mut self.0, socket, remote, buffer)
    }
}
