//! What the answers of a stack mean. embedded-nal leaves that to each stack, so the application can say it.

use embedded_nal::{TcpError, TcpErrorKind};
use sip_core::transport::FlowError;

/// What the stack was asked to do with the datagram socket when it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Operation {
    /// To send a datagram.
    Send,
    /// To receive one.
    Receive,
}

/// What an error about the datagram socket means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Fault {
    /// Nothing is wrong: no datagram is there, or there is no room for one now. The same as `nb::Error::WouldBlock`.
    WouldBlock,
    /// This datagram could not be sent or received; the socket lives. On receiving, [`FlowError::TooLarge`] says that it was
    /// larger than the buffer, and is told as [`Turn::TooLarge`](crate::Turn::TooLarge).
    Datagram(FlowError),
    /// The socket is of no more use.
    Dead,
}

/// What the stack was asked to do for a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum StreamOperation {
    /// To make a socket.
    Open,
    /// To connect it, or to say how far that is.
    Connect,
    /// To give the next connection that a peer has opened. An error other than "nothing there" is counted, and it is asked again.
    Accept,
    /// To send octets.
    Send,
    /// To receive some.
    Receive,
}

/// What an answer about a connection means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum StreamFault {
    /// Nothing is wrong: the connection is not open yet, no octets are there, or there is no room for any now. The same
    /// as `nb::Error::WouldBlock`.
    WouldBlock,
    /// The connection is of no more use: it is closed, and the role told why.
    Closed(FlowError),
}

/// What the answers about the datagram socket mean unless the application knows its stack better: on receiving, that
/// nothing is there (smoltcp-nal says so with an error), on sending, that this datagram could not be sent.
pub(crate) fn harmless<E>(operation: Operation, _error: &E) -> Fault {
    match operation {
        Operation::Send => Fault::Datagram(FlowError::Other),
        Operation::Receive => Fault::WouldBlock,
    }
}

/// What the answers about a connection mean unless the application knows its stack better: every error ends the
/// connection, and so does a receive of no octets, as it does on the sockets of operating systems.
pub(crate) fn final_word<E: TcpError>(operation: StreamOperation, error: Option<&E>) -> StreamFault {
    StreamFault::Closed(match (operation, error.map(TcpError::kind)) {
        (StreamOperation::Receive, None) | (_, Some(TcpErrorKind::PipeClosed)) => FlowError::Closed,
        (StreamOperation::Connect, _) => FlowError::Refused,
        _ => FlowError::Other,
    })
}
