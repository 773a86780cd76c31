//! A datagram socket of embassy-net behind the traits of embedded-nal, which the adapter drives.
//!
//! The adapter never waits, so a socket is asked with a waker that wakes nobody. The task waits on the same socket once the
//! adapter is idle, and that leaves its own waker there.

use core::net::SocketAddr;
use core::task::{Context, Poll, Waker};
use embassy_net::udp::{RecvError, SendError, UdpSocket};
use embedded_nal::{UdpClientStack, UdpFullStack, nb};
use sip_core::transport::FlowError;
use sip_embedded_adapter::{Fault, Operation};

/// What the adapter calls the stack. The sockets know it themselves.
pub(crate) struct Sockets;

/// What a socket could not do.
#[derive(Debug)]
pub(crate) enum Error {
    /// A datagram is larger than the room for it.
    TooLarge,
    /// No way leads to this address.
    NoRoute,
    /// The socket is not bound.
    NotBound,
    /// The adapter never asks for this: it is given a socket that is bound.
    NotSupported,
}

impl UdpClientStack for Sockets {
    type UdpSocket = &'static UdpSocket<'static>;
    type Error = Error;

    fn socket(&mut self) -> Result<Self::UdpSocket, Error> {
        Err(Error::NotSupported)
    }

    fn connect(&mut self, _: &mut Self::UdpSocket, _: SocketAddr) -> Result<(), Error> {
        Err(Error::NotSupported)
    }

    fn send(&mut self, _: &mut Self::UdpSocket, _: &[u8]) -> nb::Result<(), Error> {
        Err(nb::Error::Other(Error::NotSupported))
    }

    fn receive(&mut self, socket: &mut Self::UdpSocket, buffer: &mut [u8]) -> nb::Result<(usize, SocketAddr), Error> {
        match socket.poll_recv_from(buffer, &mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok((length, source))) => {
                Ok((length, SocketAddr::new(source.endpoint.addr.into(), source.endpoint.port)))
            }
            Poll::Ready(Err(RecvError::Truncated)) => Err(nb::Error::Other(Error::TooLarge)),
            Poll::Pending => Err(nb::Error::WouldBlock),
        }
    }

    fn close(&mut self, _: Self::UdpSocket) -> Result<(), Error> {
        Ok(())
    }
}

impl UdpFullStack for Sockets {
    fn bind(&mut self, _: &mut Self::UdpSocket, _: u16) -> Result<(), Error> {
        Err(Error::NotSupported)
    }

    fn send_to(&mut self, socket: &mut Self::UdpSocket, remote: SocketAddr, buffer: &[u8]) -> nb::Result<(), Error> {
        let SocketAddr::V4(remote) = remote else { return Err(nb::Error::Other(Error::NoRoute)) };
        match socket.poll_send_to(buffer, remote, &mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(())) => Ok(()),
            Poll::Ready(Err(SendError::PacketTooLarge)) => Err(nb::Error::Other(Error::TooLarge)),
            Poll::Ready(Err(SendError::NoRoute)) => Err(nb::Error::Other(Error::NoRoute)),
            Poll::Ready(Err(SendError::SocketNotBound)) => Err(nb::Error::Other(Error::NotBound)),
            Poll::Pending => Err(nb::Error::WouldBlock),
        }
    }
}

/// What these errors mean.
pub(crate) fn classify(_: Operation, error: &Error) -> Fault {
    match error {
        Error::TooLarge => Fault::Datagram(FlowError::TooLarge),
        Error::NoRoute => Fault::Datagram(FlowError::Unreachable),
        Error::NotBound | Error::NotSupported => Fault::Dead,
    }
}
