//! One transaction as the table holds it.

use super::size::Sizing;
use super::{Client, ClientInvite, Indication, Server, ServerInvite, Step, Timers};
use super::{client, client_invite, server, server_invite};
use crate::memory::{Block, CHAINS, Entry, Handle};
use crate::random::Key;
use crate::time::Instant;
use crate::transport::Flow;

/// Names a transaction. The zero value is none; one that has ended is known as such.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct TransactionId(pub Handle);

impl TransactionId {
    /// No transaction.
    pub const NONE: Self = Self(Handle::NONE);

    /// Whether this is the zero value.
    #[must_use]
    pub const fn is_none(self) -> bool {
        self.0.is_none()
    }
}

/// What the transaction user wants to be told along with each event: a number of its own choice, zero for none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct User(pub u64);

impl User {
    /// The user of this number.
    #[must_use]
    pub const fn new(bits: u64) -> Self {
        Self(bits)
    }

    /// The number.
    #[must_use]
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// Nobody.
    pub const NONE: Self = Self(0);

    /// Whether this is the zero value.
    #[must_use]
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }
}

/// What becomes of a parked request when its flow is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    /// An INVITE client transaction.
    Invite,
    /// Another client transaction.
    Other,
    /// It is sent, once.
    Once,
}

/// The machine of a transaction, and with it the kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub(super) enum Machine {
    #[default]
    Free = 0,
    /// A request whose flow isn't known yet.
    Parked {
        kind: Kind,
        /// When there is no use in waiting any longer.
        until: Instant,
    },
    /// Nothing but a message that waits to be sent once: there is no transaction, or it is over.
    Once {
        /// When there is no use in waiting any longer.
        until: Instant,
    },
    ClientInvite(ClientInvite),
    Client(Client),
    ServerInvite(ServerInvite),
    Server(Server),
}

/// The state of a transaction of any kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum State {
    /// A request that waits for its flow.
    Parked,
    /// A message that is to be sent once more, and of which nothing else is left.
    Once,
    /// An INVITE client transaction.
    ClientInvite(client_invite::State),
    /// Another client transaction.
    Client(client::State),
    /// An INVITE server transaction.
    ServerInvite(server_invite::State),
    /// Another server transaction.
    Server(server::State),
}

impl Machine {
    pub(super) fn state(&self) -> Option<State> {
        match self {
            Self::Free => None,
            Self::Parked { .. } => Some(State::Parked),
            Self::Once { .. } => Some(State::Once),
            Self::ClientInvite(machine) => Some(State::ClientInvite(machine.state())),
            Self::Client(machine) => Some(State::Client(machine.state())),
            Self::ServerInvite(machine) => Some(State::ServerInvite(machine.state())),
            Self::Server(machine) => Some(State::Server(machine.state())),
        }
    }

    pub(super) fn is_client(&self) -> bool {
        matches!(self, Self::Parked { .. } | Self::ClientInvite(_) | Self::Client(_))
    }

    pub(super) const fn is_server(&self) -> bool {
        matches!(self, Self::ServerInvite(_) | Self::Server(_))
    }

    pub(super) fn is_terminated(&self) -> bool {
        match self {
            Self::Free | Self::Parked { .. } => false,
            Self::Once { .. } => true,
            Self::ClientInvite(machine) => machine.state() == client_invite::State::Terminated,
            Self::Client(machine) => machine.state() == client::State::Terminated,
            Self::ServerInvite(machine) => machine.state() == server_invite::State::Terminated,
            Self::Server(machine) => machine.state() == server::State::Terminated,
        }
    }

    /// Whether a final response was received or given.
    pub(super) fn has_final(&self) -> bool {
        match self {
            Self::Free | Self::Parked { .. } => false,
            Self::Once { .. } => true,
            Self::ClientInvite(machine) => {
                !matches!(machine.state(), client_invite::State::Calling | client_invite::State::Proceeding)
            }
            Self::Client(machine) => !matches!(machine.state(), client::State::Trying | client::State::Proceeding),
            Self::ServerInvite(machine) => machine.state() != server_invite::State::Proceeding,
            Self::Server(machine) => !machine.accepts(200),
        }
    }

    /// Whether a response of this status would be taken from the user.
    pub(super) const fn accepts(&self, status: u16) -> bool {
        match self {
            Self::ServerInvite(machine) => machine.accepts(status),
            Self::Server(machine) => machine.accepts(status),
            _ => false,
        }
    }

    /// Whether a response of this status is news to the user.
    pub(super) fn accepts_response(&self, status: u16) -> bool {
        match self {
            Self::ClientInvite(_) if (200..300).contains(&status) => true,
            Self::ClientInvite(_) | Self::Client(_) => !self.has_final(),
            Self::Free | Self::Parked { .. } | Self::Once { .. } | Self::ServerInvite(_) | Self::Server(_) => false,
        }
    }

    /// Whether the present state never sends, so that no message has to be kept.
    pub(super) fn never_sends(&self) -> bool {
        match self {
            Self::Free | Self::Parked { .. } | Self::Once { .. } | Self::Server(_) => false,
            Self::ClientInvite(machine) => machine.state() == client_invite::State::Accepted,
            Self::Client(machine) => machine.state() == client::State::Completed,
            Self::ServerInvite(machine) => machine.state() == server_invite::State::Confirmed,
        }
    }

    /// Whether the INVITE needs no sending any more and is kept for its ACK alone.
    pub(super) fn stops_retransmitting(&self) -> bool {
        matches!(self, Self::ClientInvite(machine) if machine.state() == client_invite::State::Proceeding)
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        match self {
            Self::Free => None,
            Self::Parked { until, .. } | Self::Once { until } => Some(*until),
            Self::ClientInvite(machine) => machine.poll_timeout(),
            Self::Client(machine) => machine.poll_timeout(),
            Self::ServerInvite(machine) => machine.poll_timeout(),
            Self::Server(machine) => machine.poll_timeout(),
        }
    }

    pub(super) fn receive_response(&mut self, now: Instant, status: u16, timers: &Timers) -> Step {
        match self {
            Self::ClientInvite(machine) => machine.receive_response(now, status, timers),
            Self::Client(machine) => machine.receive_response(now, status, timers),
            _ => Step::NOTHING,
        }
    }

    pub(super) fn receive_request(&mut self, now: Instant, is_ack: bool, timers: &Timers) -> Step {
        match self {
            Self::ServerInvite(machine) if is_ack => machine.receive_ack(now, timers),
            Self::ServerInvite(machine) => machine.receive_invite(),
            Self::Server(machine) => machine.receive_request(),
            _ => Step::NOTHING,
        }
    }

    pub(super) fn respond(&mut self, now: Instant, status: u16, timers: &Timers) -> Step {
        match self {
            Self::ServerInvite(machine) => machine.respond(now, status, timers),
            Self::Server(machine) => machine.respond(now, status, timers),
            _ => Step::NOTHING,
        }
    }

    pub(super) fn handle_timeout(&mut self, now: Instant, timers: &Timers) -> Step {
        match self {
            Self::Free => Step::NOTHING,
            Self::Parked { until, .. } | Self::Once { until } if *until > now => Step::NOTHING,
            Self::Parked { until, .. } => {
                *self = Self::Once { until: *until };
                Step::indicate(Indication::TimedOut).ended()
            }
            Self::Once { .. } => Step::NOTHING.ended(),
            Self::ClientInvite(machine) => machine.handle_timeout(now),
            Self::Client(machine) => machine.handle_timeout(now, timers),
            Self::ServerInvite(machine) => machine.handle_timeout(now, timers),
            Self::Server(machine) => machine.handle_timeout(now),
        }
    }

    pub(super) fn set_timer_c(&mut self, at: Instant) {
        if let Self::ClientInvite(machine) = self {
            machine.set_timer_c(at);
        }
    }

    pub(super) fn end_at(&mut self, end: Instant) {
        if let Self::ClientInvite(machine) = self {
            machine.end_at(end);
        }
    }

    pub(super) fn transport_failed(&mut self) -> Step {
        match self {
            Self::Free => Step::NOTHING,
            Self::Parked { until, .. } | Self::Once { until } => {
                *self = Self::Once { until: *until };
                Step::indicate(Indication::TransportError).ended()
            }
            Self::ClientInvite(machine) => machine.transport_failed(),
            Self::Client(machine) => machine.transport_failed(),
            Self::ServerInvite(machine) => machine.transport_failed(),
            Self::Server(machine) => machine.transport_failed(),
        }
    }

    pub(super) fn relative_to(self, now: Instant) -> Self {
        match self {
            Self::Free => self,
            Self::Parked { kind, until } => {
                Self::Parked { kind, until: Instant::from_millis(until.since(now).as_millis()) }
            }
            Self::Once { until } => Self::Once { until: Instant::from_millis(until.since(now).as_millis()) },
            Self::ClientInvite(machine) => Self::ClientInvite(machine.relative_to(now)),
            Self::Client(machine) => Self::Client(machine.relative_to(now)),
            Self::ServerInvite(machine) => Self::ServerInvite(machine.relative_to(now)),
            Self::Server(machine) => Self::Server(machine.relative_to(now)),
        }
    }
}

/// Facts about an entry, a bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Marks(u8);

impl Marks {
    pub(super) const NONE: Self = Self(0);
    /// The request must not wait behind others: CANCEL, BYE, ACK.
    pub(super) const URGENT: Self = Self(1);
    /// The message is the ACK that took the place of the INVITE.
    pub(super) const ACK: Self = Self(2);
    /// The message is given back as soon as it is sent.
    pub(super) const FORGET: Self = Self(4);
    /// A connection was asked for; the answer launches what waits.
    pub(super) const ASKED: Self = Self(8);
    /// The user has to learn that the connection was lost; the transaction lives on.
    pub(super) const FLOW_LOST: Self = Self(16);
    /// The user has to learn that the request could not be sent; the transaction is over. With the mark before: because it goes by
    /// TLS or not at all.
    pub(super) const FLOW_FAILED: Self = Self(32);

    /// The next hop is the Request-URI, not the first Route value.
    pub(super) const STRICT: Self = Self(64);
    /// The message went out once more, by a new connection.
    pub(super) const RESENT: Self = Self(128);

    pub(super) const fn has(self, mark: Self) -> bool {
        self.0 & mark.0 != 0
    }

    pub(super) const fn set(&mut self, mark: Self) {
        self.0 |= mark.0;
    }

    /// Takes a mark away; whether it was there.
    pub(super) const fn take(&mut self, mark: Self) -> bool {
        let had = self.has(mark);
        self.0 &= !mark.0;
        had
    }
}

/// A transaction as the table holds it; all zero is a free entry.
#[derive(Clone, Copy, Debug)]
// In this order, as short instructions of Thumb reach an octet among the first 32 only.
#[cfg_attr(target_pointer_width = "32", repr(C))]
pub struct Transaction {
    pub(super) machine: Machine,
    pub(super) marks: Marks,
    /// What the size rule says of the request.
    pub(super) sizing: Sizing,
    /// The request, later its ACK (client); the last response (server).
    pub(super) message: Block,
    /// The head that responses begin with (server); the flows that may still be tried (client).
    pub(super) template: Block,
    /// The flow; of what is parked the target to connect to, once it is known.
    pub(super) flow: Flow,
    /// The matching key, and the key of the flow (client) or of merged requests (server).
    pub(super) keys: [Key; CHAINS],
    pub(super) user: User,
}

impl Transaction {
    /// A free entry; all zero.
    pub const ZERO: Self = Self {
        machine: Machine::Free,
        keys: [Key::ZERO; CHAINS],
        user: User::NONE,
        flow: Flow::NONE,
        message: Block::NONE,
        template: Block::NONE,
        marks: Marks::NONE,
        sizing: Sizing::ZERO,
    };

    pub(super) fn set_key(&mut self, chain: usize, key: Key) {
        if let Some(place) = self.keys.get_mut(chain) {
            *place = key;
        }
    }
}

impl Entry for Transaction {
    const ZERO: Self = Self::ZERO;

    fn key(&self, chain: usize) -> Key {
        self.keys.get(chain).copied().unwrap_or(Key::ZERO)
    }
}
