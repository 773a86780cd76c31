//! What one call of `poll` did, and what was counted on the way. The names are those of `sip-std-adapter`.

use sip_core::message::Message;
use sip_core::time::Instant;
use sip_core::transport::{Flow, Ticket, Transport};

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
    /// A host name has to be looked up. Answer now or later with [`Adapter::resolved`](crate::Adapter::resolved); an
    /// application without a resolver answers with no addresses, and what waited for the name fails at once.
    Resolve {
        /// What is asked; to be given back with the answer.
        query: Query,
        /// The name, in the caller's buffer.
        host: &'b str,
    },
    /// What arrived on this flow was larger than the buffer and was dropped. A datagram will be sent again by its
    /// peer, so a larger buffer in the next polls can still save it. A connection is closed, after the role's answer when the
    /// head of the message had room.
    TooLarge {
        /// Where it came from; [`Flow::NONE`] when the stack does not tell.
        flow: Flow,
    },
    /// Something was done and there may be more: call again.
    Again,
    /// There is nothing to do until this moment (`None`: no timer runs) or until the stack has received something.
    Idle(Option<Instant>),
}

/// A host name's question, without the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Query {
    /// Names the question to the role.
    pub ticket: Ticket,
    /// The port for the addresses that are found.
    pub port: u16,
    /// The transport for them.
    pub transport: Transport,
}

/// What an adapter has counted since it was made. Counters stop at their highest value.
///
/// Whatever strangers send shows up here and nowhere else: it never ends a loop with an error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Statistics {
    /// Datagrams received, whatever they held.
    pub datagrams_in: u32,
    /// Datagrams handed to the stack.
    pub datagrams_out: u32,
    /// Messages cut out of connections.
    pub messages_in: u32,
    /// Messages taken by connections.
    pub messages_out: u32,
    /// Datagrams that look like SIP, and messages of connections, that could not be parsed.
    pub malformed: u32,
    /// Messages that belong to nothing in the role.
    pub strays: u32,
    /// Datagrams of nothing but line ends (RFC 5626 §3.5.1), and empty ones; on connections, line ends between messages.
    pub keep_alives: u32,
    /// Datagrams whose first octet is 0 to 3: STUN (RFC 7983 §7) and the like; those from an IPv6 address where the core has no
    /// feature `ipv6`.
    pub not_sip: u32,
    /// Datagrams that filled the whole buffer, so that they may have lost their end, or that the stack itself dropped for
    /// their size.
    pub truncated: u32,
    /// Sends that the stack refused; the role was told.
    pub sends_failed: u32,
    /// Sends put back because there was no room. A send put back twice counts twice.
    pub sends_deferred: u32,
    /// Errors of the datagram socket while receiving that were survived.
    pub receive_errors: u32,
    /// Connections that were opened.
    pub connected: u32,
    /// Connections that could not be opened, or not in time, or for which there was no room.
    pub connects_failed: u32,
    /// Open connections that ended, whoever ended them.
    pub closed: u32,
    /// Connections closed because a message was larger than the buffer; `closed` counts them too.
    pub oversized: u32,
    /// Connections closed because no message could follow in their stream; `closed` counts them too.
    pub broken: u32,
    /// Connections closed because the peer took no octets for too long; `closed` counts them too.
    pub stalled: u32,
    /// Actions of the role that this adapter does not know, and did not carry out: it is older than the role.
    pub unknown_actions: u32,
}

impl Statistics {
    pub(crate) const ZERO: Self = Self {
        datagrams_in: 0,
        unknown_actions: 0,
        datagrams_out: 0,
        messages_in: 0,
        messages_out: 0,
        malformed: 0,
        strays: 0,
        keep_alives: 0,
        not_sip: 0,
        truncated: 0,
        sends_failed: 0,
        sends_deferred: 0,
        receive_errors: 0,
        connected: 0,
        connects_failed: 0,
        closed: 0,
        oversized: 0,
        broken: 0,
        stalled: 0,
    };
}

/// One more, up to the highest value.
pub(crate) fn bump(counter: &mut u32) {
    *counter = counter.saturating_add(1);
}
