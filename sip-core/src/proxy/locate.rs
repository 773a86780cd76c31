//! What is missing to send a message: a name's addresses, or a connection (RFC 3263). Nothing that has to go by TLS goes by
//! anything else, whatever the answers are (RFC 3261 §26.2.2).

use super::event::Event;
use super::work::Work;
use crate::locate;
use crate::memory::{Handle, Octets};
use crate::role::Action;
use crate::transaction::{TransactionId, TransactionsRef};
use crate::transport::Ticket;

/// The transaction that a ticket names.
pub(super) const fn waiter(ticket: Ticket) -> TransactionId {
    TransactionId(Handle::from_bits(ticket.number()))
}

/// What is missing to send the message of a transaction, as an action; `None` when nobody could answer.
pub(super) fn question<O: Octets>(
    transactions: TransactionsRef<'_, O>,
    id: TransactionId,
) -> Option<Action<'_, Event>> {
    let question = locate::question(transactions, id)?;
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
}
