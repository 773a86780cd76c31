//! The way to a peer: names to resolve, connections to open, and the size rule (RFC 3261 §8.1.2, §18.1.1, RFC 3263).
//!
//! A request is written before its way is known and waits; so does the ACK of a dialog. Three things may be missing,
//! one after the other: the address of a name, a connection to it, and for a request too large for a datagram a
//! connection that it would not need otherwise. Dialogs keep where their peer is and not the connection to it: that is
//! asked for each time, so one that was closed meanwhile is opened again.

use super::Memory;
use super::config::Text;
use super::context::{Context, LOOK_UP, SEND};
use super::event::{Call, Event, Origin, OutgoingRequest, Registration};
use super::usage::UsageId;
use super::usage::invite::InviteTransaction;
use super::usage::registration::Texts;
use super::usage::request::RequestTransaction;
use super::{Step, UserAgent};
use crate::dialog::{Dialog, Lookup};
use crate::locate::{self, Question, flow_to};
use crate::memory::{Handle, Octets};
use crate::message::{Uri, build};
use crate::role::Action;
use crate::transaction::TransactionId;
use crate::transport::{Flow, Sizing, Target, Ticket, Transport};

pub(super) use crate::locate::flow_to as uri_flow;

/// The flow to where a dialog's next request goes; none when that has to be looked up.
pub(super) fn hop_flow(next_hop: Option<Uri<'_>>, preferred: Transport) -> Flow {
    next_hop.map_or(Flow::NONE, |uri| flow_to(&uri, preferred))
}

impl Dialog {
    /// Whether the ACK needs a connection that is not asked for yet.
    fn ack_needs_connection(&self) -> bool {
        self.ack_connection == 0
            && (self.way().needs_connection() || self.ack_sizing.is_oversize() && !self.ack_sizing.is_forced())
    }

    /// Where the ACK goes, with the connection that was opened for it.
    pub(crate) fn ack_flow(&self) -> Flow {
        if self.ack_connection == 0 {
            self.way()
        } else {
            Flow { connection: self.ack_connection, ..self.ack_target() }
        }
    }

    /// Where the ACK has to be connected to.
    fn ack_target(&self) -> Flow {
        match self.way().transport {
            Transport::Udp | Transport::None => Flow { transport: Transport::Tcp, ..self.way() },
            _ => self.way(),
        }
    }
}

impl<O: Octets> Context<'_, O> {
    /// The flow for a request outside of a dialog to `uri`: to the proxy when there is one; none when it is not yet known.
    pub(super) fn flow_to(&self, uri: &Uri<'_>) -> Flow {
        let settings = &self.core.settings;
        let proxy = settings.text(self.transactions.octets.get(settings.block()), Text::Proxy);
        match Uri::parse(proxy) {
            Ok(proxy) => flow_to(&proxy, settings.transport),
            Err(_) => flow_to(uri, settings.transport),
        }
    }

    /// Puts a dialog's ACK among what is to be sent, or asks for the way first.
    pub(super) fn offer_ack(&mut self, dialog: Handle) {
        let limit = self.transactions.layer.datagram_limit();
        let Some(entry) = self.dialogs.get_mut(dialog) else { return };
        if entry.way().transport == Transport::Udp && !entry.ack_sizing.is_oversize() {
            entry.ack_sizing = Sizing::fit(self.transactions.octets, entry.ack, limit);
        }
        let list = if entry.way().is_none() || entry.ack_needs_connection() {
            if entry.lookup != Lookup::None {
                return;
            }
            entry.lookup = Lookup::Due;
            LOOK_UP
        } else {
            SEND
        };
        let table = &mut self.dialogs;
        if table.ready_list(dialog).is_none() {
            table.push(dialog, list);
        }
    }

    /// The ACK as it is next sent: over a connection that is asked for anew.
    pub(super) fn forget_ack_connection(&mut self, dialog: Handle) {
        if let Some(entry) = self.dialogs.get_mut(dialog) {
            entry.ack_connection = 0;
        }
    }

    /// The next question, or what its waiter has to tell first.
    pub(super) fn next_question(&mut self) -> Option<Step> {
        // An ACK asks before the BYE that follows it.
        match self.next_lookup() {
            Some(dialog) => Some(self.dialog_question(dialog)),
            None => {
                let id = self.transactions.poll_parked()?;
                Some(self.transaction_question(id))
            }
        }
    }

    /// The dialog that asks for the way of its ACK.
    fn next_lookup(&mut self) -> Option<Handle> {
        let table = &mut self.dialogs;
        let dialog = table.first(LOOK_UP)?;
        table.unlink_ready(dialog);
        Some(dialog)
    }

    fn dialog_question(&mut self, dialog: Handle) -> Step {
        let limit = self.transactions.layer.datagram_limit();
        let ack = self.dialogs.get(dialog).map_or(0, |entry| self.transactions.octets.get(entry.ack).len());
        let Some(entry) = self.dialogs.get_mut(dialog) else { return Step::Again };
        entry.lookup = Lookup::None;
        let call = entry.call;
        let news = entry.ack_sizing.take_news(ack, limit);
        let by_datagram = entry.ack_sizing.is_forced();
        if let Some(sizes) = news {
            self.offer_ack(dialog);
            let of = Origin::Call(Call(call));
            return if call.is_none() { Step::Again } else { Step::Event(Event::Oversize { of, sizes, by_datagram }) };
        }
        if !entry.way().is_none() && !entry.ack_needs_connection() {
            self.offer_ack(dialog);
            return Step::Again;
        }
        entry.lookup = Lookup::Asked;
        Step::LookUp(Waiter::Dialog(dialog), Ticket::new(TICKET_DIALOG | dialog.bits()))
    }

    fn transaction_question(&mut self, id: TransactionId) -> Step {
        let user = self.transactions.user(id);
        if let Some((sizes, by_datagram)) = self.transactions.take_oversize(id) {
            let of = self.origin(UsageId::of(user).0);
            return of.map_or(Step::Again, |of| Step::Event(Event::Oversize { of, sizes, by_datagram }));
        }
        let flow = self.transactions.flow(id);
        if !flow.is_none() && !flow.needs_connection() {
            self.transactions.launch(self.now, id, flow);
            return Step::Again;
        }
        Step::LookUp(Waiter::Transaction(id), Ticket::new(TICKET_TRANSACTION | id.0.bits()))
    }

    /// What the application knows a request by; `None` for those that it has not asked for.
    fn origin(&self, owner: UsageId) -> Option<Origin> {
        match owner {
            UsageId::Invite(InviteTransaction::Initial(call)) => Some(Origin::Call(Call(call))),
            UsageId::Invite(InviteTransaction::Reinvite(dialog) | InviteTransaction::Bye(dialog)) => {
                let call = self.dialogs.get(dialog)?.call;
                (!call.is_none()).then_some(Origin::Call(Call(call)))
            }
            UsageId::Registration(registration) => Some(Origin::Registration(Registration(registration))),
            UsageId::Request(RequestTransaction::Outgoing(number)) => Some(Origin::Request(OutgoingRequest(number))),
            UsageId::None
            | UsageId::Request(RequestTransaction::Incoming)
            | UsageId::Invite(InviteTransaction::LateFork(_) | InviteTransaction::Abandoned(_)) => None,
        }
    }

    /// The answer to a question for the targets of a name; none when it has no address.
    pub(super) fn resolved(&mut self, waiter: Waiter, targets: &[Target]) {
        match waiter {
            Waiter::Dialog(dialog) => {
                let usable = targets.iter().map(|target| Flow::to(*target)).find(|flow| !flow.is_none());
                self.set_ack_way(dialog, usable);
            }
            Waiter::Transaction(id) => {
                self.give_fallback(id);
                self.transactions.resolved(self.now, id, targets);
            }
        }
    }

    /// Where a request has no way, it goes inside a dialog where the peer's last message came from, as the ACK does.
    fn give_fallback(&mut self, id: TransactionId) {
        let source = self.dialog_source(id);
        self.transactions.set_fallback(id, source);
    }

    /// The connection that was asked for is open.
    pub(super) fn connected(&mut self, waiter: Waiter, flow: Flow) {
        match waiter {
            Waiter::Dialog(dialog) => {
                let Some(entry) = self.dialogs.get_mut(dialog) else { return };
                entry.ack_connection = flow.connection;
                self.ack_reached(dialog);
            }
            Waiter::Transaction(id) => self.transactions.launch(self.now, id, flow),
        }
    }

    /// The connection that was asked for can't be had.
    pub(super) fn connect_failed(&mut self, waiter: Waiter) {
        match waiter {
            Waiter::Dialog(dialog) => {
                let Some(entry) = self.dialogs.get_mut(dialog) else { return };
                if entry.ack_sizing.is_oversize() && !entry.way().needs_connection() {
                    entry.ack_sizing.force();
                    entry.lookup = Lookup::Due;
                    self.dialogs.push(dialog, LOOK_UP);
                } else {
                    self.set_ack_way(dialog, None);
                }
            }
            Waiter::Transaction(id) => {
                self.give_fallback(id);
                self.transactions.unreachable(self.now, id);
            }
        }
    }

    /// A dialog's ACK goes by `found`, or else where the peer's last message came from; when nothing may be sent there, the
    /// next 2xx asks again.
    fn set_ack_way(&mut self, dialog: Handle, found: Option<Flow>) {
        let way = found.unwrap_or(self.fallback(dialog));
        let Some(entry) = self.dialogs.get_mut(dialog) else { return };
        entry.lookup = Lookup::None;
        if !way.is_none() {
            entry.set_way(way);
            self.ack_reached(dialog);
        }
    }

    /// More is known of the way to a dialog's peer: its ACK goes out, or asks on.
    fn ack_reached(&mut self, dialog: Handle) {
        let Some(entry) = self.dialogs.get_mut(dialog) else { return };
        entry.lookup = Lookup::None;
        let transport = entry.ack_flow().transport;
        let ack = entry.ack;
        if !ack.is_none() {
            build::stamp(self.transactions.octets.get_mut(ack), transport, None);
            self.offer_ack(dialog);
        }
    }
}

impl<M: Memory> UserAgent<M> {
    /// The registrar that a REGISTER goes to instead of where its Request-URI leads.
    fn registrar_of(&self, id: TransactionId) -> Option<Uri<'_>> {
        let UsageId::Registration(handle) = UsageId::of(self.transactions().user(id)).0 else { return None };
        let texts = Texts::of(self.memory.view().octets.get(self.registration_table().get(handle)?.texts));
        Uri::parse(texts.registrar).ok()
    }

    /// What is missing, as an action; `None` when nobody could answer.
    pub(super) fn question(&self, waiter: Waiter, ticket: Ticket) -> Option<Action<'_, Event>> {
        let question = match waiter {
            Waiter::Transaction(id) => match self.registrar_of(id) {
                Some(registrar) => Question::of(&registrar, self.transactions().flow(id)),
                None => locate::question(self.transactions(), id)?,
            },
            Waiter::Dialog(handle) => {
                let entry = self.dialogs().get(handle)?;
                let octets = self.memory.view().octets;
                let next_hop = entry.texts(octets).next_hop()?;
                Question::of(&next_hop, if entry.way().is_none() { Flow::NONE } else { entry.ack_target() })
            }
        };
        Some(match question {
            Question::Connect { target, server_name } => Action::Connect { ticket, target, server_name },
            Question::Resolve { host, port, transport, secure } => {
                Action::Resolve { ticket, host, port, transport, secure }
            }
        })
    }
}

/// Who asks for a name or a connection.
#[derive(Clone, Copy)]
pub(super) enum Waiter {
    Transaction(TransactionId),
    Dialog(Handle),
}

impl Waiter {
    /// The waiter that a ticket names.
    pub(super) fn of(ticket: Ticket) -> Self {
        let bits = ticket.number();
        let handle = Handle::from_bits(bits & (TICKET_TRANSACTION - 1));
        if bits & TICKET_DIALOG != 0 { Self::Dialog(handle) } else { Self::Transaction(TransactionId(handle)) }
    }
}

const TICKET_TRANSACTION: u64 = 1 << 48;
const TICKET_DIALOG: u64 = 1 << 49;
