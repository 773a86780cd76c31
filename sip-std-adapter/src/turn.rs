//! What one call of `poll` did, and what was counted on the way.

use core::net::SocketAddr;
use sip_core::message::Message;
use sip_core::time::Instant;
use sip_core::transport::Flow;

/// What one call of [`Adapter::poll`](crate::Adapter::poll) came to.
#[must_use]
#[non_exhaustive]
#[allow(
    clippy::large_enum_variant,
    reason = "lives for one turn of the loop; a box would cost an allocation for each message"
)]
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
    /// The deadline that the application set for this token has come.
    Deadline(u64),
    /// A [`Waker`](crate::Waker) or [`Commander`](crate::Commander) called. Several calls become one turn, so every command
    /// that has come is to be read.
    Woken,
    /// Something was done and there may be more: call again.
    Again,
    /// There is nothing to do until this moment (`None`: no timer runs) or until the network has something.
    Idle(Option<Instant>),
}

impl<'b, E: Copy> Turn<'b, E> {
    /// The event, if there is one.
    #[must_use]
    pub fn event(&self) -> Option<E> {
        match self {
            Self::Message { event, .. } | Self::Event(event) => Some(*event),
            _ => None,
        }
    }

    /// The message that caused the event, if one did.
    #[must_use]
    pub fn message(&self) -> Option<&Message<'b>> {
        match self {
            Self::Message { message, .. } => Some(message),
            _ => None,
        }
    }
}

/// Which way a message went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the network.
    In,
    /// To the network.
    Out,
}

/// What an adapter has counted since it was bound.
///
/// Whatever strangers send shows up here and nowhere else: it never ends a loop with an error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statistics {
    /// Datagrams received, whatever they held.
    pub datagrams_in: u64,
    /// Datagrams handed to the operating system.
    pub datagrams_out: u64,
    /// Datagrams that look like SIP and messages of connections that could not be parsed.
    pub malformed: u64,
    /// Messages that belong to nothing in the role.
    pub strays: u64,
    /// Datagrams of nothing but line ends (RFC 5626 §3.5.1), empty ones, and line ends between the messages of a connection.
    pub keep_alives: u64,
    /// Datagrams whose first octet is 0 to 3: STUN (RFC 7983 §7) and the like.
    pub not_sip: u64,
    /// Datagrams that filled the whole buffer: they may have lost their end, and were dropped.
    pub truncated: u64,
    /// Sends that the operating system refused; the role was told.
    pub sends_failed: u64,
    /// Sends that the operating system had no memory for; lost, as if on the way.
    pub sends_lost: u64,
    /// Sends put back because the socket or connection was full. A send put back twice counts twice.
    pub sends_deferred: u64,
    /// Sends refused because too much waited for their connection already; the role was told.
    pub congested: u64,
    /// Reports that a peer is not there (ICMP), handed to the role.
    pub unreachable: u64,
    /// Errors of the socket while receiving that were survived.
    pub receive_errors: u64,
    /// Names not looked up, because too many look-ups were under way.
    pub lookups_refused: u64,
    /// Look-ups that failed: no name server answered, or none in full. The name may exist.
    pub lookups_failed: u64,
    /// Messages received over connections.
    pub messages_in: u64,
    /// Messages handed to connections.
    pub messages_out: u64,
    /// Connections opened because the role asked for them.
    pub connections_opened: u64,
    /// Connections that peers opened.
    pub connections_accepted: u64,
    /// Connections that peers opened and that were closed at once, because there were too many.
    pub connections_refused: u64,
    /// Connections that peers opened and whose handshake (TLS, WebSocket) failed, was not finished in time or gave way to others.
    pub handshakes_failed: u64,
    /// Connections that peers opened and that were closed at once, because their source had too many already.
    pub sources_limited: u64,
    /// Connections closed because their time was up: nothing or no whole message came over them, or the peer took no octets.
    pub connections_expired: u64,
    /// Second connections opened to peers that took nothing by the first while urgent messages waited.
    pub reliefs: u64,
    /// Connections that ended, however.
    pub connections_closed: u64,
    /// Connections that the role asked for and that could not be opened.
    pub connects_failed: u64,
    /// Times that the operating system had no descriptor or memory left to accept a connection with.
    pub accept_errors: u64,
    /// Connections closed because what came over them was no SIP message.
    pub broken: u64,
    /// Connections closed because a message was larger than the buffer, or than 65,535 octets; the role could answer it when its
    /// head was not.
    pub oversized: u64,
    /// Actions of the role that this adapter does not know, and did not carry out: it is older than the role.
    pub unknown_actions: u64,
}

/// Sees a message as it passes: which way, our end's address, the peer, the octets, the time.
pub(crate) type Tap = dyn FnMut(Direction, SocketAddr, Flow, &[u8], Instant) + Send;
