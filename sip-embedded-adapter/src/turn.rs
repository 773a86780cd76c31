//! What one call of `poll` did, and what was counted on the way. The names are those of `sip-std-adapter`.

use sip_core::message::Message;
use sip_core::time::Instant;
use sip_core::transport::{Flow, FlowError};

/// What one call of [`Adapter::poll`](crate::Adapter::poll) came to.
#[must_use]
#[allow(clippy::large_enum_variant, reason = "lives for one turn of the loop, and a box would need a heap")]
pub enum Turn<'b, E> {
    /// A message arrived and caused this event; read both side by side. The message lies in the caller's buffer.
    Message {
        /// What the role makes of the message.
        event: E,
        /// The message.
        message: Message<'b>,
        /// Where it came from, and where a response to it goes.
        flow: Flow,
    },
    /// An event that no message caused: a timer, a lost flow.
    Event(E),
    /// Something was done and there may be more: call again.
    Again,
    /// There is nothing to do until this moment (`None`: no timer runs) or until a datagram arrives.
    Idle(Option<Instant>),
}

/// What an adapter has counted since it was made. Counters stop at their highest value.
///
/// Whatever strangers send shows up here and nowhere else: it never ends a loop with an error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statistics {
    /// Datagrams received, whatever they held.
    pub datagrams_in: u32,
    /// Datagrams handed to the stack.
    pub datagrams_out: u32,
    /// Datagrams that look like SIP and could not be parsed.
    pub malformed: u32,
    /// Messages that belong to nothing in the role.
    pub strays: u32,
    /// Datagrams of nothing but line ends (RFC 5626 §3.5.1), and empty ones.
    pub keep_alives: u32,
    /// Datagrams whose first octet is 0 to 3: STUN (RFC 7983 §7) and the like.
    pub not_sip: u32,
    /// Datagrams that filled the whole buffer: they may have lost their end, and were dropped.
    pub truncated: u32,
    /// Sends that the stack refused; the role was told.
    pub sends_failed: u32,
    /// Sends put back because the socket was full. A send put back twice counts twice.
    pub sends_deferred: u32,
    /// Errors of the socket while receiving that were survived.
    pub receive_errors: u32,
}

/// What the stack was asked to do when it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// To send a datagram.
    Send,
    /// To receive one.
    Receive,
}

/// What an error of the stack means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing is wrong: no datagram is there, or there is no room for one now. The same as `nb::Error::WouldBlock`.
    WouldBlock,
    /// This datagram could not be sent or received; the socket lives.
    Datagram(FlowError),
    /// The socket is of no more use.
    Dead,
}
