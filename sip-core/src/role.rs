//! The contract between a role and what drives it: bytes and time in, actions out.

use crate::locate::Question;
use crate::memory::{Handle, Octets};
use crate::message::{Malformed, Message};
use crate::time::Instant;
use crate::transaction::{ReplyId, TransactionId, Transactions};
use crate::transport::{Flow, FlowError, Target, Ticket, Transport};
use core::hash::Hasher;

/// A SIP role (user agent, proxy, registrar, …) as an adapter drives it.
///
/// After every input, drain [`poll_action`](Role::poll_action) to `None`, then ask
/// [`poll_timeout`](Role::poll_timeout) how long to sleep. No method blocks, allocates or calls back.
pub trait Role {
    /// What the role tells the application: handles and small values, free of lifetimes.
    type Event: Copy;

    /// Takes a message that arrived on `flow`; the caller parsed it and keeps it.
    ///
    /// The answer is the one event that this very message caused, so an event is never read beside another message.
    fn receive(&mut self, now: Instant, flow: Flow, message: &Message<'_>) -> Received<Self::Event>;

    /// Takes a message that could not be parsed; a request that can be answered gets its 400 (or 505).
    fn receive_malformed(&mut self, now: Instant, flow: Flow, failure: &Malformed<'_>);

    /// Takes the time. To be called when the moment of [`poll_timeout`](Role::poll_timeout) has come; calling
    /// it early or late is harmless: timers are counted from their own deadlines.
    fn handle_timeout(&mut self, now: Instant);

    /// The connection asked for by [`Action::Connect`] is open.
    fn flow_connected(&mut self, now: Instant, ticket: Ticket, flow: Flow);

    /// The connection asked for by [`Action::Connect`] could not be opened.
    fn connect_failed(&mut self, now: Instant, ticket: Ticket, error: FlowError);

    /// The flow does not carry messages: a send failed, ICMP said so, or the connection closed. With
    /// [`FlowError::TooLarge`] and [`FlowError::Congested`] it does not carry the one that was to be sent, and lives on.
    ///
    /// Said right after [`poll_action`](Role::poll_action) gave a [`Send`](Action::Send) on this flow, it says that this one was
    /// not sent. Everything else that was given before counts as sent: its octets, all of them, are the system's, or the
    /// adapter's to write as long as the connection lives.
    fn flow_failed(&mut self, now: Instant, flow: Flow, error: FlowError);

    /// What was put back by [`defer`](Role::defer) for this flow may be offered again, and what was put back for others that
    /// it [carries](Flow::carries): datagrams share one socket.
    fn flow_writable(&mut self, now: Instant, flow: Flow);

    /// The answer to [`Action::Resolve`], best target first; empty when the name has none.
    fn resolved(&mut self, now: Instant, ticket: Ticket, targets: &[Target]);

    /// The next thing to do, or `None` when there is nothing more until the next input.
    #[must_use]
    fn poll_action(&mut self, now: Instant) -> Option<Action<'_, Self::Event>>;

    /// Puts a [`Action::Send`] back, in O(1). It is offered again after
    /// [`flow_writable`](Role::flow_writable) for its flow.
    fn defer(&mut self, id: SendId);

    /// Puts a [`Action::Send`] back, in O(1), until [`resume`](Role::resume) names it, and not until its flow is writable: for an
    /// adapter that keeps, for each connection, what waits for it in the order of its [`Priority`](crate::message::Priority).
    ///
    /// What is held is resumed in any case, when its connection is gone, too: it then fails as it is offered.
    fn hold(&mut self, id: SendId);

    /// What was put back by [`hold`](Role::hold) is offered again, in O(1), ahead of other sends of its kind. Nothing happens
    /// when there is nothing to send any more.
    fn resume(&mut self, id: SendId);

    /// When to call [`handle_timeout`](Role::handle_timeout) next; `None` when no timer runs.
    #[must_use]
    fn poll_timeout(&self) -> Option<Instant>;

    /// Whether this connection is not to be closed to make room for a stranger's, however long it was silent: a registered
    /// phone is reached by it, or this one is; a call is up that goes by it; a request waits for its response.
    #[must_use]
    fn keeps(&self, flow: Flow) -> bool {
        let _ = flow;
        false
    }

    /// Feeds the state to `hasher`: times relative to `now`, live octets only, handles renamed in canonical
    /// order, so that two equal histories, one a second later than the other, hash the same.
    ///
    /// Without the feature `fingerprint` the roles of this crate feed nothing, which is what happens when this is left out.
    fn fingerprint<H: Hasher>(&self, now: Instant, hasher: &mut H) {
        let _ = (now, hasher);
    }
}

/// What became of a message given to [`Role::receive`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[must_use]
pub enum Received<E> {
    /// It caused this event.
    Event(E),
    /// It was taken and there is nothing to tell.
    Nothing,
    /// It belongs to nothing here (a late or forged response or ACK) and was dropped.
    Stray,
}

impl<E> Received<E> {
    /// The same with another event: for a role around a role.
    pub fn map<F>(self, event: impl FnOnce(E) -> F) -> Received<F> {
        match self {
            Self::Event(inner) => Received::Event(event(inner)),
            Self::Nothing => Received::Nothing,
            Self::Stray => Received::Stray,
        }
    }
}

/// What the driver of a role has to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Action<'a, E> {
    /// Send these octets. They are lent from where they are kept for retransmission. When the socket would
    /// block, call [`Role::defer`] with `id`; when the octets can't be sent, call [`Role::flow_failed`] with `flow`, of which a
    /// connection that is closed, or was never there, is one case. Either as the very next call: the next
    /// [`poll_action`](Role::poll_action), or another input, means that they were sent.
    Send {
        /// Names this send for [`Role::defer`].
        id: SendId,
        /// Where to.
        flow: Flow,
        /// The message.
        bytes: &'a [u8],
    },
    /// Tell the application something that no message caused (a timer, a lost flow).
    Event(E),
    /// Open a connection; answer with [`Role::flow_connected`] or [`Role::connect_failed`].
    Connect {
        /// Names the question in the answer.
        ticket: Ticket,
        /// Where to.
        target: Target,
        /// [By which](Flow::listener) of the adapter's listeners; zero leaves that to the adapter.
        listener: u8,
        /// The host name that a TLS certificate has to bear; an address literal when there is no name.
        server_name: &'a [u8],
    },
    /// Close the connection.
    Close {
        /// Which one.
        flow: Flow,
    },
    /// Look a host name up (RFC 3263); answer with [`Role::resolved`].
    Resolve {
        /// Names the question in the answer.
        ticket: Ticket,
        /// The name, without brackets or port.
        host: &'a [u8],
        /// The port that the URI names; when there is none, SRV records choose.
        port: Option<u16>,
        /// The transport that the URI asks for; [`Transport::None`] leaves it to the resolver.
        transport: Transport,
        /// Whether only TLS will do (a `sips` URI).
        secure: bool,
    },
}

impl<'a, E> Action<'a, E> {
    /// Asks for what is missing to send a message; the answer names `ticket`.
    #[must_use]
    pub const fn ask(ticket: Ticket, question: Question<'a>) -> Self {
        match question {
            Question::Connect { target, listener, server_name } => {
                Self::Connect { ticket, target, listener, server_name }
            }
            Question::Resolve { host, port, transport, secure } => {
                Self::Resolve { ticket, host, port, transport, secure }
            }
        }
    }

    /// The same with another event: for a role around a role.
    pub fn map<F>(self, event: impl FnOnce(E) -> F) -> Action<'a, F> {
        match self {
            Self::Send { id, flow, bytes } => Action::Send { id, flow, bytes },
            Self::Event(inner) => Action::Event(event(inner)),
            Self::Connect { ticket, target, listener, server_name } => {
                Action::Connect { ticket, target, listener, server_name }
            }
            Self::Close { flow } => Action::Close { flow },
            Self::Resolve { ticket, host, port, transport, secure } => {
                Action::Resolve { ticket, host, port, transport, secure }
            }
        }
    }
}

/// Names one pending send, for [`Role::defer`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct SendId {
    pub(crate) table: u8,
    /// The bits of a handle in that table.
    pub(crate) entry: u64,
}

impl SendId {
    /// The name of a send, for a role of one's own: which of its tables, which entry, and whose use of the entry.
    #[must_use]
    pub const fn new(table: u8, index: u32, generation: u32) -> Self {
        Self { table, entry: (generation as u64) << 32 | index as u64 }
    }

    pub(crate) const fn of_transaction(id: TransactionId) -> Self {
        Self { table: TRANSACTION, entry: id.0.bits() }
    }

    pub(crate) const fn of_reply(id: ReplyId) -> Self {
        Self { table: REPLY, entry: id.to_bits() }
    }

    /// Does with a send of the transaction layer what an adapter asks for; nothing with one of a role's own table.
    pub(crate) fn put_back<O: Octets>(self, how: PutBack, transactions: &mut Transactions<'_, O>) {
        let (transaction, reply) = (TransactionId(Handle::from_bits(self.entry)), ReplyId::from_bits(self.entry));
        match (self.table, how) {
            (TRANSACTION, PutBack::Defer) => transactions.defer(transaction),
            (TRANSACTION, PutBack::Hold) => transactions.hold(transaction),
            (TRANSACTION, PutBack::Resume) => transactions.resume(transaction),
            (REPLY, PutBack::Defer | PutBack::Hold) => transactions.defer_reply(reply),
            (REPLY, PutBack::Resume) => transactions.resume_reply(reply),
            _ => {}
        }
    }
}

/// Tables of the transaction layer that a [`SendId`] can point into; those of a role's own have numbers from
/// [`OWN_TABLE`] on.
const TRANSACTION: u8 = 0;
const REPLY: u8 = 1;
pub(crate) const OWN_TABLE: u8 = 2;

/// What becomes of a send: see [`Role::defer`], [`Role::hold`] and [`Role::resume`].
#[derive(Clone, Copy)]
pub(crate) enum PutBack {
    Defer,
    Hold,
    Resume,
}

/// A role behind a reference, so that it can stay in a static while an adapter drives it.
impl<R: Role> Role for &mut R {
    type Event = R::Event;

    fn receive(&mut self, now: Instant, flow: Flow, message: &Message<'_>) -> Received<Self::Event> {
        (**self).receive(now, flow, message)
    }

    fn receive_malformed(&mut self, now: Instant, flow: Flow, failure: &Malformed<'_>) {
        (**self).receive_malformed(now, flow, failure);
    }

    fn handle_timeout(&mut self, now: Instant) {
        (**self).handle_timeout(now);
    }

    fn flow_connected(&mut self, now: Instant, ticket: Ticket, flow: Flow) {
        (**self).flow_connected(now, ticket, flow);
    }

    fn connect_failed(&mut self, now: Instant, ticket: Ticket, error: FlowError) {
        (**self).connect_failed(now, ticket, error);
    }

    fn flow_failed(&mut self, now: Instant, flow: Flow, error: FlowError) {
        (**self).flow_failed(now, flow, error);
    }

    fn flow_writable(&mut self, now: Instant, flow: Flow) {
        (**self).flow_writable(now, flow);
    }

    fn resolved(&mut self, now: Instant, ticket: Ticket, targets: &[Target]) {
        (**self).resolved(now, ticket, targets);
    }

    fn poll_action(&mut self, now: Instant) -> Option<Action<'_, Self::Event>> {
        (**self).poll_action(now)
    }

    fn defer(&mut self, id: SendId) {
        (**self).defer(id);
    }

    fn hold(&mut self, id: SendId) {
        (**self).hold(id);
    }

    fn resume(&mut self, id: SendId) {
        (**self).resume(id);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        (**self).poll_timeout()
    }

    fn keeps(&self, flow: Flow) -> bool {
        (**self).keeps(flow)
    }

    fn fingerprint<H: Hasher>(&self, now: Instant, hasher: &mut H) {
        (**self).fingerprint(now, hasher);
    }
}
