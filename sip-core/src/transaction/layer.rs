//! The transaction layer: the table, what is ready to be sent, timers and lost flows.

use super::denied::Denied;
use super::entry::{Marks, Transaction, TransactionId, User};
use super::replies::Replies;
use super::step::{Indication, Send, Step};
use super::{Timers, TransactionsRef};
use crate::error::Capacity;
use crate::memory::{Block, Octets, Table};
use crate::random::HashKey;
use crate::time::Instant;
use crate::transport::{DATAGRAM_LIMIT, Flow};

/// The ready list of responses, ACK, CANCEL and BYE.
pub(super) const URGENT: usize = 0;
/// The ready list of the other requests.
pub(super) const ORDINARY: usize = 1;
/// Sends that were put back until their flow is writable.
pub(super) const DEFERRED: usize = 2;
/// What waits for a flow that is still to be found, and was not offered yet.
pub(super) const PARKED: usize = 3;
/// What lost its flow, of which the user has still to learn.
pub(super) const FAILED: usize = 4;
/// What the next call gives back: whole entries that are over, and the messages of those that forget them.
pub(super) const OVER: usize = 5;
/// Sends that were put back until they are resumed by name. Nobody walks this list.
pub(super) const HELD: usize = 6;

/// The chain of the keys that match messages.
pub(super) const MATCH: usize = 0;
/// The chain of flows (client) and merged requests (server).
pub(super) const OTHER: usize = 1;

/// What the layer has besides its entries and octets.
#[derive(Clone, Copy, Debug)]
// In this order, as short instructions of Thumb reach an octet among the first 32 only.
#[cfg_attr(target_pointer_width = "32", repr(C))]
pub struct Layer {
    /// The ready list whose first was given to be sent, plus one. It stays there until the next call, with which it counts as
    /// sent.
    polled: u8,
    /// The largest request that goes by datagram; zero for [`DATAGRAM_LIMIT`].
    datagram_limit: u16,
    pub(super) reserved: u32,
    pub(super) hash: HashKey,
    pub(super) timers: Timers,
    pub(super) replies: Replies,
    pub(super) denied: Denied,
}

impl Layer {
    /// The layer before its start; all zero.
    pub const ZERO: Self = Self {
        timers: Timers::ZERO,
        hash: HashKey::ZERO,
        reserved: 0,
        replies: Replies::ZERO,
        denied: Denied::ZERO,
        datagram_limit: 0,
        polled: 0,
    };

    /// Sets the timers, and the key of the hashes over what strangers send. To be called once, first.
    pub fn start(&mut self, timers: Timers, key: HashKey) {
        self.timers = timers;
        self.hash = key;
    }

    /// Sets the largest request that goes by datagram, in octets; see [`datagram_limit`](crate::transport::datagram_limit).
    pub const fn set_datagram_limit(&mut self, octets: u16) {
        self.datagram_limit = octets;
    }

    /// The largest request that goes by datagram, in octets.
    #[must_use]
    pub const fn datagram_limit(&self) -> u16 {
        if self.datagram_limit == 0 { DATAGRAM_LIMIT } else { self.datagram_limit }
    }

    /// The timers.
    #[must_use]
    pub const fn timers(&self) -> &Timers {
        &self.timers
    }
}

/// What a timer or a lost flow did to a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Expired {
    /// The transaction; readable until the next call that changes the layer.
    pub id: TransactionId,
    /// Its user.
    pub user: User,
    /// What happened.
    pub kind: ExpiredKind,
}

/// The kinds of [`Expired`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ExpiredKind {
    /// No response came to the request (Timer B or F), or no ACK to the response (Timer H), or no flow was
    /// found for the request in 64 * T1.
    TimedOut,
    /// The request could not be sent: its flow failed, or none was found. The transaction is over.
    FlowFailed,
    /// The request could not be sent, for it goes by TLS or not at all (RFC 3261 §26.2.2): it [has to](TransactionsRef::demands_tls),
    /// or its first target was one under TLS, and there are others without. The transaction is over.
    ///
    /// [TransactionsRef::demands_tls]: super::TransactionsRef::demands_tls
    Insecure,
    /// The connection was lost after the request was sent and before a final response came. The transaction lives on, for the
    /// response may come by a connection that the peer opens (RFC 3261 §18.2.2); whether it is worth waiting for is the
    /// user's choice, who may [`abandon`](Transactions::abandon) it.
    FlowLost,
    /// [Timer C](Transactions::timer_c) of an INVITE has fired; the transaction lives on. It is to be
    /// [cancelled](Transactions::cancel).
    TimerC,
    /// The transaction is over: it had done its work, or its user never gave a final response.
    Ended,
}

/// The layer with its storage, to be worked with.
#[derive(Debug)]
// In this order, as short instructions of Thumb reach an octet among the first 32 only.
#[cfg_attr(target_pointer_width = "32", repr(C))]
pub struct Transactions<'a, O> {
    pub(crate) layer: &'a mut Layer,
    pub(crate) octets: &'a mut O,
    pub(crate) table: Table<'a, Transaction>,
}

impl<'a, O: Octets> Transactions<'a, O> {
    /// The layer with its storage. The three must always be used together; octets may also be shared with
    /// other owners of blocks.
    #[must_use]
    pub const fn new(layer: &'a mut Layer, table: Table<'a, Transaction>, octets: &'a mut O) -> Self {
        Self { layer, table, octets }
    }

    /// The same, to be read.
    #[must_use]
    pub fn view(&self) -> TransactionsRef<'_, O> {
        TransactionsRef { layer: self.layer, table: self.table.view(), octets: self.octets }
    }

    /// The next message to send, to be read with [`lend`](Self::lend): urgent ones first, each kind in the
    /// order in which they became ready. It counts as sent with the next call that changes the layer, unless that is
    /// [`defer`](Self::defer), [`flow_failed`](Self::flow_failed) or [`too_large`](Self::too_large).
    #[must_use]
    #[cfg_attr(target_pointer_width = "64", inline)]
    pub fn poll_send(&mut self) -> Option<TransactionId> {
        self.reap();
        if self.table.is_list_empty(URGENT) && self.table.is_list_empty(ORDINARY) { None } else { self.next_send() }
    }

    #[cfg_attr(target_pointer_width = "64", inline(never))]
    fn next_send(&mut self) -> Option<TransactionId> {
        loop {
            let list = if self.table.is_list_empty(URGENT) { ORDINARY } else { URGENT };
            let id = TransactionId(self.table.first(list)?);
            if !self.block(id).is_none() {
                self.layer.polled = (list as u8).wrapping_add(1);
                return Some(id);
            }
            self.rest(id);
            self.reap();
        }
    }

    /// What [`poll_send`](Self::poll_send) has just given.
    pub(super) fn polled(&self) -> Option<TransactionId> {
        let list = usize::from(self.layer.polled).checked_sub(1)?;
        self.table.first(list).map(TransactionId)
    }

    /// What [`poll_send`](Self::poll_send) has just given was not sent, and is ready as it was.
    pub(super) fn unpoll(&mut self) {
        self.layer.polled = 0;
    }

    /// Puts a send back, in O(1), until [`flow_writable`](Self::flow_writable). To be called before any other
    /// call that changes the layer.
    pub fn defer(&mut self, id: TransactionId) {
        if self.polled() == Some(id) {
            self.unpoll();
            self.table.push(id.0, DEFERRED);
        }
    }

    /// As [`defer`](Self::defer), until [`resume`](Self::resume) names it: for a driver that keeps what waits for each
    /// connection, and the order in which it goes.
    pub fn hold(&mut self, id: TransactionId) {
        if self.polled() == Some(id) {
            self.unpoll();
            self.table.push(id.0, HELD);
        }
    }

    /// Makes what was [held](Self::hold) ready again, ahead of what is ready already, in O(1). What has found another way or
    /// is over meanwhile stays as it is.
    pub fn resume(&mut self, id: TransactionId) {
        self.reap();
        if self.table.ready_list(id.0) == Some(HELD)
            && let Some(entry) = self.table.get(id.0)
        {
            let list = list_of(entry);
            self.table.push_front(id.0, list);
        }
    }

    /// Makes what was deferred for `flow` ready again, ahead of what is ready already and in its old order.
    /// Datagrams share a socket, so for a datagram flow all deferred datagrams are meant.
    pub fn flow_writable(&mut self, flow: Flow) {
        self.reap();
        self.replies_writable(flow);
        let mut next = self.table.view().last(DEFERRED);
        while let Some(handle) = next {
            let table = &mut self.table;
            next = table.view().previous_ready(handle);
            let Some(entry) = table.get(handle) else { break };
            if flow.carries(entry.flow) {
                let list = list_of(entry);
                table.push_front(handle, list);
            }
        }
    }

    /// What failed flows did and what timers that are due do, one a call. To be called until `None`.
    #[must_use]
    #[cfg_attr(target_pointer_width = "64", inline)]
    pub fn handle_timeout(&mut self, now: Instant) -> Option<Expired> {
        self.reap();
        if !self.table.is_list_empty(FAILED) {
            return self.indicate_failure();
        }
        if self.table.next_deadline()? > now { None } else { self.expire(now) }
    }

    /// Whether [`handle_timeout`](Self::handle_timeout) has something to do.
    #[inline]
    pub(crate) fn is_due(&mut self, now: Instant) -> bool {
        self.reap();
        !self.table.is_list_empty(FAILED) || self.table.next_deadline().is_some_and(|deadline| deadline <= now)
    }

    #[cfg_attr(target_pointer_width = "64", inline(never))]
    fn expire(&mut self, now: Instant) -> Option<Expired> {
        loop {
            let id = TransactionId(self.table.expired(now)?);
            let timers = self.layer.timers;
            let entry = self.entry_mut(id)?;
            let step = entry.machine.handle_timeout(now, &timers);
            let user = entry.user;
            self.apply(now, id, step);
            let kind = match step {
                Step { indication: Indication::TimedOut, .. } => ExpiredKind::TimedOut,
                Step { indication: Indication::TimerC, .. } => ExpiredKind::TimerC,
                Step { ended: true, .. } => ExpiredKind::Ended,
                _ => continue,
            };
            return Some(Expired { id, user, kind });
        }
    }

    /// Sends the kept message once more: the 2xx to an INVITE, or a reliable provisional response, whose
    /// retransmission is the user's.
    pub fn resend(&mut self, now: Instant, id: TransactionId) {
        self.reap();
        // A client transaction repeats its request by itself, and one that has failed has no flow to do it on.
        let is_server = self.table.get(id.0).is_some_and(|entry| entry.machine.is_server());
        if is_server && !self.bytes(id).is_empty() {
            self.queue(now, id);
        }
    }

    /// Ends a transaction at once and sends nothing.
    pub fn abandon(&mut self, id: TransactionId) {
        self.reap();
        self.free(id);
    }

    /// Gives back the message of a transaction that is not going to send it again (a 2xx that was
    /// acknowledged). What was ready to be sent is not.
    pub fn release_message(&mut self, id: TransactionId) {
        self.reap();
        self.drop_message(id);
        self.rest(id);
    }

    /// Takes the message out of a transaction; the block is the caller's now. With it the request of a transaction that
    /// [`Expired`] names can be sent again to the next target.
    #[must_use]
    pub fn take_message(&mut self, id: TransactionId) -> Block {
        self.entry_mut(id).map_or(Block::NONE, |entry| core::mem::take(&mut entry.message))
    }

    /// Changes the user.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub fn set_user(&mut self, id: TransactionId, user: User) {
        if let Some(entry) = self.entry_mut(id) {
            entry.user = user;
        }
    }

    /// Sets `entries` more aside for transactions that must never be refused.
    ///
    /// # Errors
    /// [`Capacity::Transactions`] when so many are not free now.
    pub fn reserve(&mut self, entries: usize) -> Result<(), Capacity> {
        self.reap();
        let entries = u32::try_from(entries).map_err(|_| Capacity::Transactions)?;
        if self.free_for(false) < entries as usize {
            return Err(Capacity::Transactions);
        }
        self.layer.reserved = self.layer.reserved.saturating_add(entries);
        Ok(())
    }

    /// Gives back what [`reserve`](Self::reserve) set aside.
    pub fn unreserve(&mut self, entries: usize) {
        let entries = u32::try_from(entries).unwrap_or(u32::MAX);
        self.layer.reserved = self.layer.reserved.saturating_sub(entries);
    }

    pub(super) fn entry_mut(&mut self, id: TransactionId) -> Option<&mut Transaction> {
        self.table.get_mut(id.0)
    }

    /// A new entry, when there is one left.
    pub(super) fn insert(&mut self, reserved: bool) -> Result<TransactionId, Capacity> {
        if self.free_for(reserved) == 0 {
            return Err(Capacity::Transactions);
        }
        self.table.insert().map(TransactionId).ok_or(Capacity::Transactions)
    }

    /// Does what a machine said, and gives back what its new state does not need.
    pub(super) fn apply(&mut self, now: Instant, id: TransactionId, step: Step) {
        let Some(entry) = self.entry_mut(id) else { return };
        let machine = entry.machine;
        crate::log::line!(trace, "transaction {}: {}", id, machine.state());
        self.table.set_timer(id.0, machine.poll_timeout().filter(|_| !step.ended));
        if machine.never_sends() {
            self.drop_message(id);
        }
        match step.send {
            Send::Nothing if step.ended || machine.stops_retransmitting() => self.rest(id),
            Send::Nothing => {}
            Send::Trying if !self.write_trying(id) => {}
            Send::Trying | Send::Request | Send::Ack | Send::Response => self.queue(now, id),
        }
    }

    fn drop_message(&mut self, id: TransactionId) {
        self.table.unlink_ready(id.0);
        let block = self.take_message(id);
        self.octets.release(block);
    }

    /// Puts the transaction into its ready list; where a send waits already, nothing changes.
    pub(super) fn queue(&mut self, now: Instant, id: TransactionId) {
        let Some(entry) = self.entry_mut(id) else { return };
        if entry.flow.needs_connection() {
            self.park_send(now, id);
            return;
        }
        let list = list_of(entry);
        let table = &mut self.table;
        match table.ready_list(id.0) {
            Some(DEFERRED | HELD) => {}
            Some(present) if present == list => {}
            _ => table.push(id.0, list),
        }
    }

    /// Takes a transaction that has nothing to send out of what is ready. Until the next call it can be read, even when it is
    /// over.
    pub(super) fn rest(&mut self, id: TransactionId) {
        let Some(entry) = self.table.get(id.0) else { return };
        let over = entry.machine.is_terminated() || entry.marks.has(Marks::FORGET);
        if over {
            self.table.push(id.0, OVER);
        } else {
            self.table.unlink_ready(id.0);
        }
    }

    /// Gives back what the calls before have left to be read.
    #[inline]
    pub(super) fn reap(&mut self) {
        if self.layer.polled != 0 || !self.table.is_list_empty(OVER) {
            self.reap_all();
        }
    }

    #[inline(never)]
    fn reap_all(&mut self) {
        if let Some(id) = self.polled() {
            self.unpoll();
            self.rest(id);
        }
        while let Some(handle) = self.table.first(OVER) {
            let id = TransactionId(handle);
            let Some(entry) = self.entry_mut(id) else { return };
            if entry.machine.is_terminated() {
                self.free(id);
            } else {
                entry.marks.take(Marks::FORGET);
                self.drop_message(id);
                self.rest(id);
            }
        }
    }

    /// The one place where an entry is given back.
    fn free(&mut self, id: TransactionId) {
        let Some(entry) = self.entry_mut(id) else { return };
        let (message, template) = (entry.message, entry.template);
        self.octets.release(message);
        self.octets.release(template);
        self.table.remove(id.0);
    }
}

/// The ready list of what the transaction has to send.
#[cfg_attr(not(target_pointer_width = "64"), inline(never))]
pub(super) fn list_of(entry: &Transaction) -> usize {
    let urgent = entry.marks.has(Marks::URGENT) || entry.marks.has(Marks::ACK);
    if entry.machine.is_client() && !urgent { ORDINARY } else { URGENT }
}
