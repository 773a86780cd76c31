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
use super::usage::request::RequestTransaction;
use super::{Step, UserAgent};
use crate::dialog::{Dialog, Lookup};
use crate::memory::{Handle, Octets};
use crate::message::scan::alike;
use crate::message::{HeaderName, Host, Kept, NameAddr, Scheme, Uri, Via, build};
use crate::role::Action;
use crate::transaction::TransactionId;
use crate::transport::{Address, Flow, Sizing, Target, Ticket, Transport};

/// The transport that a URI asks for (RFC 3263 §4.1).
fn uri_transport(uri: &Uri<'_>, preferred: Transport) -> Transport {
    if matches!(uri.scheme(), Scheme::Sips) {
        return Transport::Tls;
    }
    match uri.transport() {
        Some(name) if alike(name, b"udp") => Transport::Udp,
        Some(name) if alike(name, b"tcp") => Transport::Tcp,
        Some(name) if alike(name, b"tls") => Transport::Tls,
        _ => preferred,
    }
}

/// The host that a request to `uri` goes to (RFC 3263 §4).
fn uri_host<'a>(uri: &Uri<'a>) -> Host<'a> {
    uri.maddr().and_then(|maddr| Host::parse(maddr).ok()).unwrap_or(uri.host())
}

/// The flow to the host of `uri`; none when that is a name.
pub(super) fn uri_flow(uri: &Uri<'_>, preferred: Transport) -> Flow {
    let transport = uri_transport(uri, preferred);
    uri_host(uri).ip().map_or(Flow::NONE, |ip| {
        let address = Address::new(ip, uri.port().unwrap_or(transport.default_port()));
        Flow::to(Target { address, transport })
    })
}

/// The flow to where a dialog's next request goes; none when that has to be looked up.
pub(super) fn hop_flow(next_hop: Option<Uri<'_>>, preferred: Transport) -> Flow {
    next_hop.map_or(Flow::NONE, |uri| uri_flow(&uri, preferred))
}

impl Dialog {
    /// Whether the ACK needs a connection that is not asked for yet.
    fn ack_needs_connection(&self) -> bool {
        self.ack_connection == 0
            && (self.flow.needs_connection() || self.ack_sizing.is_oversize() && !self.ack_sizing.is_forced())
    }

    /// Where the ACK goes, with the connection that was opened for it.
    pub(crate) fn ack_flow(&self) -> Flow {
        if self.ack_connection == 0 { self.flow } else { Flow { connection: self.ack_connection, ..self.ack_target() } }
    }

    /// Where the ACK has to be connected to.
    fn ack_target(&self) -> Flow {
        match self.flow.transport {
            Transport::Tls => self.flow,
            _ => Flow { transport: Transport::Tcp, ..self.flow },
        }
    }
}

impl<O: Octets> Context<'_, O> {
    /// The flow for a request outside of a dialog to `uri`: to the proxy when there is one; none when it is not yet known.
    pub(super) fn flow_to(&self, uri: &Uri<'_>) -> Flow {
        let settings = &self.core.settings;
        let proxy = settings.text(self.transactions.octets.get(settings.block()), Text::Proxy);
        match Uri::parse(proxy) {
            Ok(proxy) => uri_flow(&proxy, settings.transport),
            Err(_) => uri_flow(uri, settings.transport),
        }
    }

    /// Puts a dialog's ACK among what is to be sent, or asks for the way first.
    pub(super) fn offer_ack(&mut self, dialog: Handle) {
        let limit = self.transactions.layer.datagram_limit();
        let Some(entry) = self.dialogs.get_mut(dialog) else { return };
        if entry.flow.transport == Transport::Udp && !entry.ack_sizing.is_oversize() {
            entry.ack_sizing = Sizing::fit(self.transactions.octets, entry.ack, limit);
        }
        let list = if entry.flow.is_none() || entry.ack_needs_connection() {
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

    /// The next question, or what its asker has to tell first.
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
        if !entry.flow.is_none() && !entry.ack_needs_connection() {
            self.offer_ack(dialog);
            return Step::Again;
        }
        entry.lookup = Lookup::Asked;
        Step::LookUp(Asker::Dialog(dialog), Ticket::new(TICKET_DIALOG | dialog.bits()))
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
        Step::LookUp(Asker::Transaction(id), Ticket::new(TICKET_TRANSACTION | id.0.bits()))
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

    /// The answer to a question for an address; [`Flow::NONE`] when the name has none.
    pub(super) fn resolved(&mut self, asker: Asker, flow: Flow) {
        match asker {
            Asker::Dialog(dialog) => {
                let Some(entry) = self.dialogs.get_mut(dialog) else { return };
                entry.flow = if flow.is_none() { entry.source } else { flow };
                self.ack_reached(dialog);
            }
            Asker::Transaction(id) if flow.is_none() => self.reach_source(id),
            Asker::Transaction(id) => self.transactions.launch(self.now, id, flow),
        }
    }

    /// A request has no way: inside a dialog it goes where the peer's last message came from, as the ACK does.
    fn reach_source(&mut self, id: TransactionId) {
        let source = self.dialog_source(id);
        if source.is_none() {
            self.transactions.unreachable(id);
        } else {
            self.transactions.launch(self.now, id, source);
        }
    }

    /// The connection that was asked for is open.
    pub(super) fn connected(&mut self, asker: Asker, flow: Flow) {
        match asker {
            Asker::Dialog(dialog) => {
                let Some(entry) = self.dialogs.get_mut(dialog) else { return };
                entry.ack_connection = flow.connection;
                self.ack_reached(dialog);
            }
            Asker::Transaction(id) => self.transactions.launch(self.now, id, flow),
        }
    }

    /// The connection that was asked for can't be had.
    pub(super) fn connect_failed(&mut self, asker: Asker) {
        match asker {
            Asker::Dialog(dialog) => {
                let Some(entry) = self.dialogs.get_mut(dialog) else { return };
                if entry.ack_sizing.is_oversize() && !entry.flow.needs_connection() {
                    entry.ack_sizing.force();
                    entry.lookup = Lookup::Due;
                    self.dialogs.push(dialog, LOOK_UP);
                } else {
                    entry.flow = entry.source;
                    self.ack_reached(dialog);
                }
            }
            Asker::Transaction(id) => self.transactions.unreachable(id),
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
    /// The URI that a question is about.
    fn asked_uri(&self, asker: Asker) -> Option<Uri<'_>> {
        let view = self.memory.view();
        match asker {
            Asker::Transaction(id) => {
                let request = Kept::new(self.transactions().bytes(id));
                match request.first(HeaderName::Route) {
                    b"" => Uri::parse(request.request_uri()).ok(),
                    route => NameAddr::parse(route).ok()?.uri().ok(),
                }
            }
            Asker::Dialog(handle) => {
                let entry = self.dialogs().get(handle)?;
                entry.identity.texts(view.octets.get(entry.identity.block)).next_hop()
            }
        }
    }

    /// The host of sent-by, where the connection for a response leads (RFC 3261 §18.2.2).
    fn answered_host(&self, asker: Asker) -> &[u8] {
        let Asker::Transaction(id) = asker else { return b"" };
        let via = Kept::new(self.transactions().bytes(id)).first(HeaderName::Via);
        Via::parse(via).map_or(b"", |via| via.host().as_bytes())
    }

    /// The target of the connection that is asked for; none when its address has to be found first.
    fn asked_target(&self, asker: Asker) -> Flow {
        match asker {
            Asker::Transaction(id) => self.transactions().flow(id),
            Asker::Dialog(handle) => {
                self.dialogs().get(handle).filter(|entry| !entry.flow.is_none()).map_or(Flow::NONE, Dialog::ack_target)
            }
        }
    }

    /// A question as the action that it is; `None` when nobody could answer it.
    pub(super) fn question(&self, asker: Asker, ticket: Ticket) -> Option<Action<'_, Event>> {
        let uri = self.asked_uri(asker);
        let wanted = self.asked_target(asker);
        if !wanted.is_none() {
            let host = uri.map_or_else(|| self.answered_host(asker), |uri| uri_host(&uri).as_bytes());
            return Some(Action::Connect { ticket, target: wanted.target(), server_name: host });
        }
        let uri = uri?;
        let host = uri_host(&uri).as_bytes();
        let transport = uri_transport(&uri, self.core.settings.transport);
        let secure = matches!(uri.scheme(), Scheme::Sips);
        let named = uri.transport().is_some() || secure;
        let transport = if named { transport } else { Transport::None };
        Some(Action::Resolve { ticket, host, port: uri.port(), transport, secure })
    }
}

/// Who asks for a name or a connection.
#[derive(Clone, Copy)]
pub(super) enum Asker {
    Transaction(TransactionId),
    Dialog(Handle),
}

impl Asker {
    /// The asker that a ticket names.
    pub(super) fn of(ticket: Ticket) -> Self {
        let bits = ticket.number();
        let handle = Handle::from_bits(bits & (TICKET_TRANSACTION - 1));
        if bits & TICKET_DIALOG != 0 { Self::Dialog(handle) } else { Self::Transaction(TransactionId(handle)) }
    }
}

const TICKET_TRANSACTION: u64 = 1 << 48;
const TICKET_DIALOG: u64 = 1 << 49;
