//! The client side of the layer: requests out, responses in (RFC 3261 §17.1).

use super::entry::{Kind, Machine, Marks, Transaction, TransactionId, User};
use super::key;
use super::layer::{MATCH, Transactions};
use super::step::{Indication, Send};
use crate::error::Capacity;
use crate::memory::{Block, KeptBlocks, Octets};
use crate::message::{Kept, Message, Method, build};
use crate::random::Token;
use crate::time::Instant;
use crate::transport::Flow;

/// What a client transaction is made of.
#[derive(Clone, Copy, Debug)]
pub struct NewClient<'a> {
    /// The written request.
    pub block: Block,
    /// Where it goes; [`Flow::NONE`] parks it until [`launch`](Transactions::launch), for 64 * T1 at the longest.
    pub flow: Flow,
    /// Its method; anything but ACK, which has no transaction.
    pub method: Method<'a>,
    /// What follows the magic cookie in the branch of its topmost Via.
    pub branch: Token,
    /// Whom to tell.
    pub user: User,
    /// Whether it may take an entry that was set aside.
    pub reserved: bool,
}

/// What became of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[must_use]
pub enum ClientOutcome {
    /// The transaction dealt with it: a retransmission, or one that its state ignores.
    Absorbed,
    /// It is for the user.
    Deliver,
}

/// What a request without a transaction is made of.
#[derive(Clone, Copy, Debug)]
pub struct NewOnce {
    /// The written request.
    pub block: Block,
    /// Where it goes; [`Flow::NONE`] parks it until [`launch`](Transactions::launch), for 64 * T1 at the longest.
    pub flow: Flow,
    /// Whom to tell when it can't be sent.
    pub user: User,
    /// Whether it may take an entry that was set aside.
    pub reserved: bool,
}

impl<O: Octets> Transactions<'_, O> {
    /// Sends a request once and without a transaction: the ACK to a 2xx, or one that is forwarded statelessly (RFC 3261
    /// §16.11). Like any other it waits for a name, a connection or a full socket, and its octets are given back when it is
    /// sent. Nobody learns that it was; that it could not be is told as for a client transaction.
    ///
    /// # Errors
    /// [`Capacity::Transactions`] when there is no entry; the block stays the caller's.
    pub fn once(&mut self, now: Instant, new: NewOnce) -> Result<TransactionId, Capacity> {
        self.reap();
        let id = self.insert(new.reserved)?;
        let until = now.after(self.layer.timers.sixty_four_t1());
        if let Some(entry) = self.entry_mut(id) {
            let machine = Machine::Parked { kind: Kind::Once, until };
            let (message, user) = (new.block, new.user);
            *entry = Transaction { machine, message, user, marks: Marks::URGENT, ..Transaction::ZERO };
        }
        self.start(now, id, new.flow, until);
        Ok(id)
    }

    /// Puts a request on its flow, or among those whose flow has to be found.
    fn start(&mut self, now: Instant, id: TransactionId, flow: Flow, until: Instant) {
        if flow.is_none() {
            self.park(id, until);
        } else {
            self.launch(now, id, flow);
        }
    }

    /// Starts a client transaction and makes its request ready to be sent.
    ///
    /// # Errors
    /// [`Capacity::Transactions`] when there is no entry; the block stays the caller's.
    pub fn client(&mut self, now: Instant, new: NewClient<'_>) -> Result<TransactionId, Capacity> {
        self.reap();
        let id = self.insert(new.reserved)?;
        let matched = key::own_client(self.layer.hash, new.branch, new.method);
        // As long as Timers B and F would wait.
        let until = now.after(self.layer.timers.sixty_four_t1());
        let urgent = matches!(new.method, Method::Bye | Method::Cancel | Method::Ack);
        let kind = if new.method == Method::Invite { Kind::Invite } else { Kind::Other };
        if let Some(entry) = self.entry_mut(id) {
            *entry = Transaction {
                machine: Machine::Parked { kind, until },
                message: new.block,
                user: new.user,
                marks: if urgent { Marks::URGENT } else { Marks::NONE },
                ..Transaction::ZERO
            };
            entry.set_key(MATCH, matched);
        }
        self.table.link_key(id.0, MATCH, matched);
        self.start(now, id, new.flow, until);
        Ok(id)
    }

    /// Takes a response for the transaction that [`match_response`](Self::match_response) named. The ACK to a final response
    /// other than 2xx takes the place of the INVITE.
    pub fn receive_response(&mut self, now: Instant, id: TransactionId, response: &Message<'_>) -> ClientOutcome {
        self.reap();
        let timers = self.layer.timers;
        let (Some(entry), Some(status)) = (self.entry_mut(id), response.status()) else {
            return ClientOutcome::Absorbed;
        };
        let mut step = entry.machine.receive_response(now, status, &timers);
        if step.send == Send::Ack && !entry.marks.has(Marks::ACK) && !self.write_ack(id, response) {
            // The next retransmission of the response tries again.
            self.table.unlink_ready(id.0);
            step.send = Send::Nothing;
        }
        self.apply(now, id, step);
        if step.indication == Indication::Response { ClientOutcome::Deliver } else { ClientOutcome::Absorbed }
    }

    /// Writes the ACK over the INVITE (RFC 3261 §17.1.1.3).
    fn write_ack(&mut self, id: TransactionId, response: &Message<'_>) -> bool {
        let Some(invite) = self.entry_mut(id).map(|entry| entry.message) else { return false };
        let want = self.octets.get(invite).len();
        let written = self.octets.write(want, true, |kept, writer| {
            build::ack(writer, &Kept::new(kept.get(invite)), response);
        });
        let Some(ack) = written.ok().filter(|block| !block.is_none()) else { return false };
        self.octets.release(invite);
        if let Some(entry) = self.entry_mut(id) {
            entry.message = ack;
            entry.marks.set(Marks::ACK);
        }
        true
    }
}
