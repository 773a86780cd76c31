//! What can be read of the layer without changing it.

use super::entry::{Marks, State, Transaction, TransactionId, User};
use super::flows::{demands_tls, routes_by_tls};
use super::key;
use super::layer::{DEFERRED, FAILED, HELD, Layer, MATCH, ORDINARY, OTHER, PARKED, Transactions, URGENT};
use super::replies::{ReplyId, Stage};
use crate::memory::{Block, Octets, TableRef};
use crate::message::Message;
use crate::random::ContentHasher;
use crate::time::Instant;
use crate::transport::Flow;
use core::hash::{Hash, Hasher};

/// The layer with its storage, to be read.
#[derive(Debug)]
pub struct TransactionsRef<'a, O> {
    pub(crate) layer: &'a Layer,
    pub(crate) table: TableRef<'a, Transaction>,
    pub(crate) octets: &'a O,
}

impl<O> Clone for TransactionsRef<'_, O> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<O> Copy for TransactionsRef<'_, O> {}

impl<'a, O: Octets> TransactionsRef<'a, O> {
    /// The layer with the storage that it was always used with.
    #[must_use]
    pub const fn new(layer: &'a Layer, table: TableRef<'a, Transaction>, octets: &'a O) -> Self {
        Self { layer, table, octets }
    }

    /// Whether a request that went over this connection waits for a response.
    #[must_use]
    pub fn waits_on(self, flow: Flow) -> bool {
        flow.connection != 0 && self.table.find(OTHER, key::flow(&self.layer.hash, &flow)).is_some()
    }

    fn entry(self, id: TransactionId) -> Option<&'a Transaction> {
        self.table.get(id.0)
    }

    /// The message that the transaction keeps: the request or its ACK (client), the last response (server).
    /// Empty when there is none.
    #[must_use]
    pub fn bytes(self, id: TransactionId) -> &'a [u8] {
        self.entry(id).map_or(&[], |entry| self.octets.get(entry.message))
    }

    /// The block of what [`bytes`](Self::bytes) reads.
    #[must_use]
    pub fn block(self, id: TransactionId) -> Block {
        self.entry(id).map_or(Block::NONE, |entry| entry.message)
    }

    /// What to send, and where: the transaction that [`Transactions::poll_send`] gave.
    #[must_use]
    pub fn lend(self, id: TransactionId) -> Option<(&'a [u8], Flow)> {
        self.lend_by(id).map(|(bytes, flow)| (bytes, *flow))
    }

    /// The same without a copy of the flow.
    pub(crate) fn lend_by(self, id: TransactionId) -> Option<(&'a [u8], &'a Flow)> {
        let entry = self.entry(id)?;
        let bytes = self.octets.get(entry.message);
        (!bytes.is_empty()).then_some((bytes, &entry.flow))
    }

    /// An answer to send, and where: what [`Transactions::poll_reply`] gave.
    #[must_use]
    pub fn lend_reply(self, id: ReplyId) -> Option<(&'a [u8], Flow)> {
        self.lend_reply_by(id).map(|(bytes, flow)| (bytes, *flow))
    }

    /// The same without a copy of the flow.
    pub(crate) fn lend_reply_by(self, id: ReplyId) -> Option<(&'a [u8], &'a Flow)> {
        let reply = self.layer.replies.slots.get(usize::from(id.slot)).filter(|reply| reply.turn == id.turn)?;
        Some((self.octets.get(reply.block), &reply.flow))
    }

    /// Answers without a transaction that were lost for lack of room since the start.
    #[must_use]
    pub const fn dropped_replies(self) -> u32 {
        self.layer.replies.dropped
    }

    /// The user; none when the transaction has ended.
    #[must_use]
    pub fn user(self, id: TransactionId) -> User {
        self.entry(id).map_or(User::NONE, |entry| entry.user)
    }

    /// The flow; none when it isn't known yet or the transaction has ended. Of a parked transaction the target of the
    /// connection to open.
    #[must_use]
    pub fn flow(self, id: TransactionId) -> Flow {
        self.entry(id).map_or(Flow::NONE, |entry| entry.flow)
    }

    /// Whether the next hop of a request is its Request-URI; see [`Transactions::set_strict`].
    #[must_use]
    pub fn is_strict(self, id: TransactionId) -> bool {
        self.entry(id).is_some_and(|entry| entry.marks.has(Marks::STRICT))
    }

    /// Whether it is a request that goes by TLS or not at all, because of its URI (RFC 3261 §26.2.2) or that of its next hop.
    #[must_use]
    pub fn demands_tls(self, id: TransactionId) -> bool {
        demands_tls(self.bytes(id), self.is_strict(id)) || cfg!(feature = "streams") && self.routes_by_tls(id)
    }

    /// Whether the first Route value leads on by TLS, or not at all.
    pub(super) fn routes_by_tls(self, id: TransactionId) -> bool {
        !self.is_strict(id) && routes_by_tls(self.bytes(id))
    }

    /// Whether it is a client transaction.
    #[must_use]
    pub fn is_client(self, id: TransactionId) -> bool {
        self.entry(id).is_some_and(|entry| entry.machine.is_client())
    }

    /// Whether it is a server transaction.
    #[must_use]
    pub fn is_server(self, id: TransactionId) -> bool {
        self.entry(id).is_some_and(|entry| entry.machine.is_server())
    }

    /// The state; `None` when the transaction has ended and is forgotten.
    #[must_use]
    pub fn state(self, id: TransactionId) -> Option<State> {
        self.entry(id)?.machine.state()
    }

    /// Whether a response of this status is news to the user of a client transaction: any until the final one, and each 2xx to
    /// an INVITE, for its repetitions and other forks (RFC 6026 §7.2).
    #[must_use]
    pub fn accepts(self, id: TransactionId, status: u16) -> bool {
        self.entry(id).is_some_and(|entry| entry.machine.accepts_response(status))
    }

    /// Whether a final response was received (client) or given (server), or the transaction has ended.
    #[must_use]
    pub fn has_final(self, id: TransactionId) -> bool {
        self.entry(id).is_none_or(|entry| entry.machine.has_final())
    }

    /// The client transaction that a response belongs to (RFC 3261 §17.1.3). Nothing changes.
    #[must_use]
    pub fn match_response(self, response: &Message<'_>) -> Option<(TransactionId, User)> {
        let handle = self.table.find(MATCH, key::of_response(&self.layer.hash, response)?)?;
        let entry = self.table.get(handle).filter(|entry| entry.machine.is_client())?;
        Some((TransactionId(handle), entry.user))
    }

    /// The INVITE server transaction that a CANCEL names (RFC 3261 §9.2).
    #[must_use]
    pub fn find_cancelled(self, cancel: &Message<'_>) -> Option<(TransactionId, User)> {
        let handle = self.table.find(MATCH, key::of_request(&self.layer.hash, cancel, true))?;
        Some((TransactionId(handle), self.table.get(handle)?.user))
    }

    /// When to call [`Transactions::handle_timeout`].
    #[must_use]
    pub fn next_timeout(self) -> Option<Instant> {
        self.table.next_deadline()
    }

    /// Transactions alive.
    #[must_use]
    pub fn len(self) -> usize {
        self.table.len()
    }

    /// Whether no transaction is alive.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Entries that a new transaction can have: all free ones when `reserved`, else those not set aside.
    #[must_use]
    pub fn free_for(self, reserved: bool) -> usize {
        let aside = if reserved { 0 } else { self.layer.reserved as usize };
        self.table.free().saturating_sub(aside)
    }

    /// Feeds the state to `hasher`: of each transaction its machine with times relative to `now`, its octets,
    /// its flow, and its user as `canonical` names it. Handles, keys and places do not count; the order of
    /// what is ready does.
    pub fn fingerprint(self, now: Instant, hasher: &mut impl Hasher, canonical: impl Fn(User) -> u64) {
        let of_one = |entry: &Transaction| {
            ContentHasher::one(|hasher| {
                entry.machine.relative_to(now).hash(hasher);
                self.octets.get(entry.message).hash(hasher);
                self.octets.get(entry.template).hash(hasher);
                (entry.flow, entry.marks, entry.sizing, canonical(entry.user)).hash(hasher);
            })
        };
        let sum = self.table.iter().fold(0_u64, |sum, (_, entry)| sum.wrapping_add(of_one(entry)));
        (sum, self.len(), self.layer.reserved).hash(hasher);
        let replies = self.layer.replies.slots.iter().filter(|reply| !matches!(reply.stage, Stage::Free | Stage::Lent));
        for reply in replies {
            (self.octets.get(reply.block), reply.flow, reply.stage).hash(hasher);
        }
        for list in [URGENT, ORDINARY, DEFERRED, HELD, PARKED, FAILED] {
            let mut next = self.table.first(list);
            while let Some(handle) = next {
                self.table.get(handle).map(of_one).hash(hasher);
                next = self.table.next_ready(handle);
            }
            hasher.write_u8(0);
        }
    }
}

/// The readouts of [`TransactionsRef`], for who works with the layer.
impl<O: Octets> Transactions<'_, O> {
    fn entry(&self, id: TransactionId) -> Option<&Transaction> {
        self.table.get(id.0)
    }

    /// See [`TransactionsRef::bytes`].
    #[must_use]
    pub fn bytes(&self, id: TransactionId) -> &[u8] {
        self.entry(id).map_or(&[], |entry| self.octets.get(entry.message))
    }

    /// A response of a server transaction, or the head of its responses while none was given: rows to be read behind a first
    /// line of no interest.
    pub(crate) fn response_head(&self, id: TransactionId) -> &[u8] {
        let block = self.entry(id).map(|entry| if entry.message.is_none() { entry.template } else { entry.message });
        self.octets.get(block.unwrap_or_default())
    }

    /// See [`TransactionsRef::lend`].
    #[must_use]
    pub fn lend(&self, id: TransactionId) -> Option<(&[u8], Flow)> {
        self.view().lend(id)
    }

    /// See [`TransactionsRef::lend_reply`].
    #[must_use]
    pub fn lend_reply(&self, id: ReplyId) -> Option<(&[u8], Flow)> {
        self.view().lend_reply(id)
    }

    /// See [`TransactionsRef::user`].
    #[must_use]
    pub fn user(&self, id: TransactionId) -> User {
        self.entry(id).map_or(User::NONE, |entry| entry.user)
    }

    /// See [`TransactionsRef::flow`].
    #[must_use]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub fn flow(&self, id: TransactionId) -> Flow {
        self.entry(id).map_or(Flow::NONE, |entry| entry.flow)
    }

    /// See [`TransactionsRef::is_client`].
    #[must_use]
    pub fn is_client(&self, id: TransactionId) -> bool {
        self.entry(id).is_some_and(|entry| entry.machine.is_client())
    }

    /// See [`TransactionsRef::state`].
    #[must_use]
    pub fn state(&self, id: TransactionId) -> Option<State> {
        self.entry(id)?.machine.state()
    }

    /// See [`TransactionsRef::accepts`].
    #[must_use]
    pub fn accepts(&self, id: TransactionId, status: u16) -> bool {
        self.entry(id).is_some_and(|entry| entry.machine.accepts_response(status))
    }

    /// See [`TransactionsRef::has_final`].
    #[must_use]
    pub fn has_final(&self, id: TransactionId) -> bool {
        self.entry(id).is_none_or(|entry| entry.machine.has_final())
    }

    /// See [`TransactionsRef::match_response`].
    #[must_use]
    pub fn match_response(&self, response: &Message<'_>) -> Option<(TransactionId, User)> {
        let handle = self.table.find(MATCH, key::of_response(&self.layer.hash, response)?)?;
        let entry = self.table.get(handle).filter(|entry| entry.machine.is_client())?;
        Some((TransactionId(handle), entry.user))
    }

    /// See [`TransactionsRef::find_cancelled`].
    #[must_use]
    pub fn find_cancelled(&self, cancel: &Message<'_>) -> Option<(TransactionId, User)> {
        let handle = self.table.find(MATCH, key::of_request(&self.layer.hash, cancel, true))?;
        Some((TransactionId(handle), self.table.get(handle)?.user))
    }

    /// See [`TransactionsRef::next_timeout`].
    #[must_use]
    pub fn next_timeout(&self) -> Option<Instant> {
        self.table.next_deadline()
    }

    /// See [`TransactionsRef::len`].
    #[must_use]
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// See [`TransactionsRef::is_empty`].
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// See [`TransactionsRef::free_for`].
    #[must_use]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub fn free_for(&self, reserved: bool) -> usize {
        let aside = if reserved { 0 } else { self.layer.reserved as usize };
        self.table.free().saturating_sub(aside)
    }

    /// See [`TransactionsRef::block`].
    #[must_use]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub fn block(&self, id: TransactionId) -> Block {
        self.entry(id).map_or(Block::NONE, |entry| entry.message)
    }

    /// See [`TransactionsRef::is_server`].
    #[must_use]
    pub fn is_server(&self, id: TransactionId) -> bool {
        self.entry(id).is_some_and(|entry| entry.machine.is_server())
    }
}
