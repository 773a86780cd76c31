//! The client side of the layer: requests out, responses in (RFC 3261 §17.1).

use super::entry::{Machine, Sends, Transaction, TransactionId, User};
use super::layer::{MATCH, OTHER, PARKED, Transactions};
use super::step::{Output, Step, Tell};
use super::{Client, ClientInvite, key};
use crate::error::Capacity;
use crate::memory::{Block, KeptBlocks, Octets};
use crate::message::{Kept, Message, Method, build};
use crate::random::Token;
use crate::time::Instant;
use crate::transport::{Flow, Oversize, Sizing, Target, Transport};

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

impl<O: Octets> Transactions<'_, O> {
    /// Starts a client transaction and makes its request ready to be sent.
    ///
    /// # Errors
    /// [`Capacity::Transactions`] when there is no entry; the block stays the caller's.
    pub fn client(&mut self, now: Instant, new: NewClient<'_>) -> Result<TransactionId, Capacity> {
        self.settle();
        let id = self.insert(new.reserved)?;
        let matched = key::own_client(self.layer.hash, new.branch, new.method);
        // As long as Timers B and F would wait.
        let until = now.after(self.layer.timers.sixty_four_t1());
        let urgent = matches!(new.method, Method::Bye | Method::Cancel | Method::Ack);
        if let Some(entry) = self.entry_mut(id) {
            *entry = Transaction {
                machine: Machine::Parked { invite: new.method == Method::Invite, until },
                message: new.block,
                user: new.user,
                sends: if urgent { Sends::UrgentRequest } else { Sends::Request },
                ..Transaction::ZERO
            };
            entry.set_key(MATCH, matched);
        }
        self.table.link_key(id.0, MATCH, matched);
        if new.flow.is_none() {
            self.park(id, until);
        } else {
            self.launch(now, id, new.flow);
        }
        Ok(id)
    }

    /// Sends a parked request on its flow, whose transport is stamped into the topmost Via, and starts the
    /// timers.
    ///
    /// It stays parked, for a connection to be opened, when the flow is a target without one; and when it is larger than
    /// a datagram may be, with compact header names too: then for a connection to the same place (RFC 3261 §18.1.1).
    pub fn launch(&mut self, now: Instant, id: TransactionId, flow: Flow) {
        self.settle();
        if flow.is_none() {
            return;
        }
        let Some(&mut Transaction { machine: Machine::Parked { invite, until }, message, sizing, .. }) =
            self.entry_mut(id)
        else {
            return;
        };
        let mut wanted = flow;
        if flow.transport == Transport::Udp && !sizing.is_forced() {
            let sizing = Sizing::fit(self.octets, message, self.layer.datagram_limit());
            if let Some(entry) = self.entry_mut(id) {
                entry.sizing = sizing;
            }
            if sizing.is_oversize() {
                wanted = Flow::to(Target { address: flow.remote, transport: Transport::Tcp });
            }
        }
        if wanted.needs_connection() {
            if let Some(entry) = self.entry_mut(id) {
                entry.flow = wanted;
            }
            self.park(id, until);
            return;
        }
        let (timers, on_flow) = (self.layer.timers, key::flow(self.layer.hash, flow));
        let Some(entry) = self.entry_mut(id) else { return };
        let reliable = flow.transport.is_reliable();
        entry.machine = if invite {
            Machine::ClientInvite(ClientInvite::new(now, reliable, &timers))
        } else {
            Machine::Client(Client::new(now, reliable, &timers))
        };
        entry.flow = flow;
        entry.set_key(OTHER, on_flow);
        build::stamp(self.octets.get_mut(message), flow.transport, None);
        self.table.unlink_ready(id.0);
        self.table.link_key(id.0, OTHER, on_flow);
        self.apply(id, Step::send(Output::Request));
    }

    /// Puts a transaction among those whose flow has to be found.
    fn park(&mut self, id: TransactionId, until: Instant) {
        self.table.unlink_ready(id.0);
        self.table.push(id.0, PARKED);
        self.table.set_timer(id.0, Some(until));
    }

    /// What [`launch`](Self::launch) found of a request that is too large for a datagram, and whether it is going to be
    /// one all the same. To be asked when [`poll_parked`](Self::poll_parked) has given it; each is told once, and
    /// `poll_parked` then gives the transaction again.
    #[must_use]
    pub fn take_oversize(&mut self, id: TransactionId) -> Option<(Oversize, bool)> {
        let limit = self.layer.datagram_limit();
        let size = self.bytes(id).len();
        let entry = self.entry_mut(id)?;
        let Machine::Parked { until, .. } = entry.machine else { return None };
        let oversize = entry.sizing.take_news(size, limit)?;
        let forced = entry.sizing.is_forced();
        self.park(id, until);
        Some((oversize, forced))
    }

    /// No connection could be opened for a parked request. One that wanted it for its size alone is parked once more, to
    /// be launched on the datagram [`flow`](Self::flow) that it then has (RFC 3261 §18.1.1); any other can't be sent, which
    /// `false` says.
    #[must_use]
    pub fn connection_failed(&mut self, id: TransactionId) -> bool {
        let Some(entry) = self.entry_mut(id) else { return false };
        let Machine::Parked { until, .. } = entry.machine else { return false };
        if !entry.sizing.is_oversize() {
            return false;
        }
        entry.sizing.force();
        entry.flow = Flow::udp(entry.flow.remote);
        self.park(id, until);
        true
    }

    /// Takes a response for the transaction that [`match_response`](Self::match_response) named. The ACK to a final response
    /// other than 2xx takes the place of the INVITE.
    pub fn receive_response(&mut self, now: Instant, id: TransactionId, response: &Message<'_>) -> ClientOutcome {
        self.settle();
        let timers = self.layer.timers;
        let (Some(entry), Some(status)) = (self.entry_mut(id), response.status()) else {
            return ClientOutcome::Absorbed;
        };
        let mut step = entry.machine.receive_response(now, status, &timers);
        if step.send == Output::Ack && entry.sends != Sends::Ack && !self.write_ack(id, response) {
            // The next retransmission of the response tries again.
            self.table.unlink_ready(id.0);
            step.send = Output::Nothing;
        }
        self.apply(id, step);
        if step.tell == Tell::Response { ClientOutcome::Deliver } else { ClientOutcome::Absorbed }
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
            entry.sends = Sends::Ack;
        }
        true
    }
}
