//! What is missing to send a message: a name's addresses, or a connection (RFC 3263). Nothing that has to go by TLS goes by
//! anything else, whatever the answers are (RFC 3261 §26.2.2).

use super::event::Event;
use super::work::Work;
use crate::locate::{self, Question};
use crate::memory::{Handle, Octets};
use crate::message::Kept;
use crate::role::Action;
use crate::transaction::{TARGETS, TransactionId, TransactionsRef};
use crate::transport::{Flow, Target, Ticket};

/// The transaction that a ticket names.
pub(super) const fn waiter(ticket: Ticket) -> TransactionId {
    TransactionId(Handle::from_bits(ticket.number()))
}

/// Whether a message may only go by TLS: a request with a `sips` URI.
fn is_secure(message: &[u8]) -> bool {
    let uri = if message.starts_with(b"SIP/2.0 ") { b"" } else { Kept::new(message).request_uri() };
    uri.first_chunk::<5>().is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"sips:"))
}

/// What is missing to send the message of a transaction, as an action; `None` when nobody could answer.
pub(super) fn question<O: Octets>(
    transactions: TransactionsRef<'_, O>,
    id: TransactionId,
) -> Option<Action<'_, Event>> {
    let mut question = locate::question(transactions, id)?;
    if let Question::Resolve { secure, .. } = &mut question {
        *secure |= is_secure(transactions.bytes(id));
    }
    Some(Action::ask(Ticket::new(id.0.bits()), question))
}

impl<O: Octets> Work<'_, O> {
    /// Whether what waits has a flow now, and is on its way, or has been told to be too large for it.
    pub(super) fn knows_flow(&mut self, id: TransactionId) -> bool {
        if self.transactions.take_oversize(id).is_some() {
            return true;
        }
        let flow = self.transactions.flow(id);
        if flow.is_none() || flow.needs_connection() {
            return false;
        }
        self.transactions.launch(self.now, id, flow);
        true
    }

    /// The connection that was asked for is open.
    pub(super) fn connected(&mut self, id: TransactionId, flow: Flow) {
        if is_secure(self.transactions.bytes(id)) && !flow.transport.is_secure() {
            self.transactions.unreachable(self.now, id);
        } else {
            self.transactions.launch(self.now, id, flow);
        }
    }

    /// The answer to a question for the targets of a name; none when it has no address.
    pub(super) fn resolved(&mut self, id: TransactionId, targets: &[Target]) {
        if !is_secure(self.transactions.bytes(id)) {
            return self.transactions.resolved(self.now, id, targets);
        }
        let mut secure = [Target::default(); TARGETS];
        let usable = targets.iter().filter(|target| target.transport.is_secure());
        let count = secure.iter_mut().zip(usable).map(|(place, target)| *place = *target).count();
        self.transactions.resolved(self.now, id, secure.get(..count).unwrap_or_default());
    }
}
