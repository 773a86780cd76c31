//! The client side of the layer: requests out, responses in (RFC 3261 §17.1).

use super::entry::{Kind, Machine, Marks, TransactionId, User};
use super::key;
use super::layer::{MATCH, Transactions};
use super::step::{Indication, Send};
use crate::error::{Capacity, Error};
use crate::memory::{Block, KeptBlocks, Octets};
use crate::message::{Kept, Message, Method, Writer, build};
use crate::random::{Key, Token};
use crate::time::{Duration, Instant};
use crate::transport::Flow;

/// A branch of ours, as it stands behind the magic cookie: a token that makes it unique, and what its user adds (a proxy the
/// hash by which it knows loops, RFC 5393 §4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Branch<'a> {
    pub(super) token: Token,
    pub(super) suffix: &'a [u8],
}

impl<'a> Branch<'a> {
    /// The most octets that may follow the token.
    pub const LONGEST_SUFFIX: usize = 41;

    /// A token with a suffix, which has to be made of token characters; `None` when it is too long.
    #[must_use]
    pub const fn with_suffix(token: Token, suffix: &'a [u8]) -> Option<Self> {
        if suffix.len() <= Self::LONGEST_SUFFIX { Some(Self { token, suffix }) } else { None }
    }
}

impl From<Token> for Branch<'_> {
    fn from(token: Token) -> Self {
        Self { token, suffix: b"" }
    }
}

/// What a client transaction is made of.
#[derive(Clone, Copy, Debug)]
pub struct NewClient<'a> {
    /// The written request.
    pub block: Block,
    /// Where it goes; [`Flow::NONE`] parks it until [`launch`](Transactions::launch), for 64 * T1 at the longest. With another
    /// [listener](Flow::listener) than zero, the flow that is found has this one too.
    pub flow: Flow,
    /// Its method; an ACK, which has no transaction, is sent [once](Transactions::once).
    pub method: Method<'a>,
    /// The branch of its topmost Via.
    pub branch: Branch<'a>,
    /// Whom to tell.
    pub user: User,
    /// Whether it may take an entry that was set aside.
    pub reserved: bool,
}

/// What an entry of the client side starts with.
#[derive(Clone, Copy)]
pub(super) struct Start {
    /// What its responses are matched by; zero to be made of the request's branch and method.
    pub(super) matched: Key,
    /// Whether it is sent without a transaction, and so gets no responses.
    pub(super) once: bool,
    pub(super) block: Block,
    pub(super) flow: Flow,
    pub(super) user: User,
    pub(super) reserved: bool,
}

/// The kind of the transaction of a request, and whether it must not wait behind others.
fn kind_of(method: Method<'_>) -> (Kind, Marks) {
    match method {
        Method::Invite => (Kind::Invite, Marks::NONE),
        Method::Bye | Method::Cancel => (Kind::Other, Marks::URGENT),
        Method::Ack => (Kind::Once, Marks::URGENT),
        _ => (Kind::Other, Marks::NONE),
    }
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
        let NewOnce { block, flow, user, reserved } = new;
        self.begin(now, &Start { matched: Key::ZERO, once: true, block, flow, user, reserved })
    }

    /// Starts a client transaction and makes its request ready to be sent.
    ///
    /// # Errors
    /// [`Capacity::Transactions`] when there is no entry; the block stays the caller's.
    pub fn client(&mut self, now: Instant, new: NewClient<'_>) -> Result<TransactionId, Capacity> {
        self.reap();
        let NewClient { block, flow, method, branch, user, reserved } = new;
        let once = matches!(method, Method::Ack);
        let matched = if once { Key::ZERO } else { key::own_client(&self.layer.hash, &branch, method) };
        self.begin(now, &Start { matched, once, block, flow, user, reserved })
    }

    /// As [`client`](Self::client), or [`once`](Self::once) for an ACK: what the request is, and its branch, are read in it. That
    /// saves flash, to be given them time.
    pub(crate) fn written(&mut self, now: Instant, new: &NewOnce) -> Result<TransactionId, Capacity> {
        self.reap();
        let NewOnce { block, flow, user, reserved } = *new;
        self.begin(now, &Start { matched: Key::ZERO, once: false, block, flow, user, reserved })
    }

    /// Starts a client transaction, or what is sent without one.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(super) fn begin(&mut self, now: Instant, start: &Start) -> Result<TransactionId, Capacity> {
        let id = self.insert(start.reserved)?;
        // As long as Timers B and F would wait.
        let until = now.after(self.layer.timers.sixty_four_t1());
        let request = Kept::new(self.octets.get(start.block));
        let (mut kind, mut marks) = kind_of(request.method());
        let mut matched = start.matched;
        if start.once {
            (kind, marks) = (Kind::Once, Marks::URGENT);
        }
        if kind != Kind::Once && matched == Key::ZERO {
            matched = key::client(&self.layer.hash, request.branch().unwrap_or_default(), request.method());
        }
        // The entry is a new one, all of whose fields are zero.
        if let Some(entry) = self.entry_mut(id) {
            entry.machine = Machine::Parked { kind, until };
            entry.message = start.block;
            entry.user = start.user;
            entry.marks = marks;
            // What is no flow yet may say by which listener.
            entry.flow.listener = start.flow.listener;
            entry.set_key(MATCH, matched);
        }
        if matched != Key::ZERO {
            self.table.link_key(id.0, MATCH, matched);
        }
        if start.flow.is_none() {
            self.park(id, until);
        } else {
            self.launch(now, id, start.flow);
        }
        Ok(id)
    }

    /// Cancels an INVITE (RFC 3261 §9.1): a CANCEL with the INVITE's branch goes the INVITE's way, and the INVITE's transaction
    /// waits for its final response for 64 * T1 more. `rows` writes further headers (Reason, say); `user` is the CANCEL's. It
    /// may use what is reserved.
    ///
    /// # Errors
    /// [`Error::State`] before a provisional response, when no CANCEL may be sent yet, and after a final one;
    /// [`Error::Gone`] without such a transaction; [`Error::Capacity`]. In all of them nothing was sent; only with the last
    /// the 64 * T1 run all the same.
    pub fn cancel(
        &mut self,
        now: Instant,
        invite: TransactionId,
        user: User,
        rows: &dyn Fn(&O::Kept<'_>, &mut Writer<'_>),
    ) -> Result<TransactionId, Error> {
        self.reap();
        let until = now.after(self.layer.timers.sixty_four_t1());
        let entry = self.entry_mut(invite).ok_or(Error::Gone)?;
        if !entry.machine.stops_retransmitting() {
            return Err(Error::State);
        }
        entry.machine.end_at(until);
        let (message, flow, deadline) = (entry.message, entry.flow, entry.machine.poll_timeout());
        self.table.set_timer(invite.0, deadline);
        let want = self.octets.get(message).len();
        let block = self.octets.write(want, true, |kept, writer| {
            build::cancel(writer, &Kept::new(kept.get(message)), |writer| rows(kept, writer));
        })?;
        let start = Start { matched: Key::ZERO, once: false, block, flow, user, reserved: true };
        let made = self.begin(now, &start);
        Ok(made.inspect_err(|_| self.octets.release(block))?)
    }

    /// Gives back what an INVITE has behind its first `head` octets, its body, when it got a provisional response: the head makes
    /// its CANCEL and its ACK. Not for a user that may want to send it again, with credentials say.
    pub fn release_body(&mut self, id: TransactionId, head: usize) {
        self.reap();
        let Some(entry) = self.entry_mut(id).filter(|entry| entry.machine.stops_retransmitting()) else { return };
        let message = entry.message;
        self.octets.truncate(message, head);
    }

    /// Starts Timer C of an INVITE, or starts it anew (RFC 3261 §16.6 step 11, §16.7 step 2): `after` from now, if there is no
    /// final response, [`ExpiredKind::TimerC`](super::ExpiredKind::TimerC) asks the user to [`cancel`](Self::cancel) it. It
    /// runs in Proceeding, which has no timer of its own.
    pub fn timer_c(&mut self, now: Instant, id: TransactionId, after: Duration) {
        let Some(entry) = self.entry_mut(id) else { return };
        entry.machine.set_timer_c(now.after(after));
        let deadline = entry.machine.poll_timeout();
        self.table.set_timer(id.0, deadline);
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
        let found = cfg!(feature = "failover") && !entry.template.is_none();
        if step.send == Send::Ack && !entry.marks.has(Marks::ACK) && !self.write_ack(id, response) {
            // The next retransmission of the response tries again.
            self.table.unlink_ready(id.0);
            step.send = Send::Nothing;
        }
        if found {
            // The target has answered.
            self.drop_targets(id);
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
