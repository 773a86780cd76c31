//! Flows to be found and flows that fail (RFC 3261 §18).
//!
//! A message waits here for its flow: a request for the address of a name, a connection, or a larger one than a datagram
//! (the size rule); a response for a new connection in the place of one that was lost.

use super::entry::{Kind, Machine, Marks, TransactionId};
use super::layer::{DEFERRED, Expired, ExpiredKind, FAILED, OTHER, PARKED, Transactions, URGENT, list_of};
use super::size::Sizing;
use super::step::{Send, Step};
use super::{Client, ClientInvite, key};
use crate::memory::Octets;
use crate::message::scan::find;
use crate::message::{HeaderName, Kept, Via, build, is_sips};
use crate::time::Instant;
use crate::transport::{Flow, Oversize, Transport};

/// The flow of the responses to a request that came on `source` with this topmost Via (RFC 3261 §18.2.2, RFC 3581 §4).
///
/// Over a connection that is the connection. A datagram goes to the source's address and to the port of sent-by, or with
/// `rport` to the source's port. A `maddr` is not followed: it would let a stranger choose whom the response hits.
#[must_use]
#[cfg_attr(not(target_pointer_width = "64"), inline(never))]
pub fn response_flow(source: Flow, via: Option<&Via<'_>>) -> Flow {
    Flow { remote: source.remote.with_port(response_port(&source, via)), ..source }
}

/// The port of [`response_flow`].
#[cfg_attr(not(target_pointer_width = "64"), inline(never))]
pub(super) fn response_port(source: &Flow, via: Option<&Via<'_>>) -> u16 {
    match via {
        Some(via) if source.transport == Transport::Udp => via.response_address(source.remote).port(),
        _ => source.remote.port(),
    }
}

/// Whether a message is a request that goes by TLS or not at all (RFC 3261 §26.2.2): its URI is a `sips` one. A strict router that
/// is next has put its own URI there, and the request's is the last Route value (§16.6 step 6). Without the feature `streams`, and so
/// without TLS, that is not looked at: no dialog begins by a `sips` URI there.
pub(crate) fn demands_tls(message: &[u8], strict: bool) -> bool {
    let behind = |text: &[u8], octet: Option<usize>| -> bool {
        is_sips(octet.and_then(|at| text.get(at.saturating_add(1)..)).unwrap_or_default())
    };
    behind(message, Some(find(message, 0, b' ')))
        || cfg!(feature = "streams") && strict && {
            let last = Kept::new(message).header_rows(HeaderName::Route).last().unwrap_or_default();
            behind(last, last.iter().rposition(|octet| *octet == b'<'))
        }
}

/// Whether the next hop of a request is the first Route value, and that a `sips` URI: this hop goes by TLS or not at all.
pub(super) fn routes_by_tls(message: &[u8]) -> bool {
    let first = Kept::new(message).first(HeaderName::Route);
    is_sips(first.get(find(first, 0, b'<').saturating_add(1)..).unwrap_or_default())
}

impl<O: Octets> Transactions<'_, O> {
    /// The next transaction whose flow has to be found before [`launch`](Self::launch): a connection opened to its
    /// [`flow`](Self::flow), or, where that is none, a name resolved. A request is given once for each of the two. It may also
    /// be a server transaction, whose connection was lost.
    ///
    /// Ask [`take_oversize`](Self::take_oversize) whether it is parked because of its size.
    #[must_use]
    pub fn poll_parked(&mut self) -> Option<TransactionId> {
        self.reap();
        let handle = self.table.first(PARKED)?;
        self.table.unlink_ready(handle);
        if let Some(entry) = self.table.get_mut(handle) {
            entry.marks.set(Marks::ASKED);
        }
        Some(TransactionId(handle))
    }

    /// Sends what is parked on its flow. The transport is stamped into the topmost Via of a request, and its timers start.
    ///
    /// A request stays parked, for a connection to be opened, when the flow is a target without one; and when it is larger
    /// than a datagram may be, with compact header names too: then for a connection to the same place (RFC 3261 §18.1.1).
    ///
    /// One with a `sips` URI goes by TLS or not at all (RFC 3261 §26.2.2), and so does what was to go by a connection under TLS, a
    /// response, too: a plain flow is passed over for its next target. Without one the request is over
    /// ([`ExpiredKind::Insecure`]).
    pub fn launch(&mut self, now: Instant, id: TransactionId, flow: Flow) {
        self.reap();
        let mut next = flow;
        while let Some(flow) = self.launch_by(now, id, next) {
            next = flow;
        }
    }

    /// The same; gives the flow of the next target when a request must not go by this one.
    fn launch_by(&mut self, now: Instant, id: TransactionId, flow: Flow) -> Option<Flow> {
        if flow.is_none() {
            return None;
        }
        let entry = self.entry_mut(id)?;
        let asked = entry.marks.take(Marks::ASKED);
        let is_worse =
            cfg!(feature = "streams") && asked && entry.flow.transport.is_secure() && !flow.transport.is_secure();
        let Machine::Parked { kind, until } = entry.machine else {
            if is_worse {
                if matches!(entry.machine, Machine::Once { .. }) {
                    self.rest(id);
                }
            } else if asked && !flow.needs_connection() {
                entry.flow = flow;
                self.queue(now, id);
            }
            return None;
        };
        let (message, mut sizing, strict) = (entry.message, entry.sizing, entry.marks.has(Marks::STRICT));
        if is_worse || !flow.transport.is_secure() && demands_tls(self.octets.get(message), strict) {
            return self.next_flow(id, true);
        }
        if let Some(entry) = self.entry_mut(id) {
            entry.flow = flow;
        }
        // The size rule is for requests; a response that is sent once goes as its request came.
        let is_response = kind == Kind::Once && self.octets.get(message).starts_with(b"SIP/2.0 ");
        let is_limited = flow.transport == Transport::Udp && !sizing.is_forced() && !is_response;
        if is_limited {
            sizing = Sizing::fit(self.octets, message, self.layer.datagram_limit());
        }
        let (timers, on_flow) = (self.layer.timers, key::flow(&self.layer.hash, &flow));
        let entry = self.entry_mut(id)?;
        entry.sizing = sizing;
        if is_limited && sizing.is_oversize() {
            entry.flow.transport = Transport::Tcp;
        }
        if entry.flow.needs_connection() {
            self.park(id, until);
            return None;
        }
        let reliable = flow.transport.is_reliable();
        entry.machine = match kind {
            Kind::Invite => Machine::ClientInvite(ClientInvite::new(now, reliable, &timers)),
            Kind::Other => Machine::Client(Client::new(now, reliable, &timers)),
            Kind::Once => Machine::Once { until },
        };
        entry.set_key(OTHER, on_flow);
        let has_targets = cfg!(feature = "failover") && !entry.template.is_none();
        build::stamp(self.octets.get_mut(message), flow.transport, None);
        if has_targets {
            self.drop_fallback(id);
        }
        self.table.unlink_ready(id.0);
        self.table.link_key(id.0, OTHER, on_flow);
        self.apply(now, id, Step::send(Send::Request));
        None
    }

    /// Puts a request among those whose flow has to be found.
    pub(super) fn park(&mut self, id: TransactionId, until: Instant) {
        if let Some(entry) = self.entry_mut(id) {
            entry.marks.take(Marks::ASKED);
        }
        self.table.push(id.0, PARKED);
        self.table.set_timer(id.0, Some(until));
    }

    /// Puts a message whose connection was lost among those whose flow has to be found, unless it is there. What has nothing
    /// else to do than to send it waits as long as a request would.
    #[inline(never)]
    pub(super) fn park_send(&mut self, now: Instant, id: TransactionId) {
        let until = now.after(self.layer.timers.sixty_four_t1());
        let Some(entry) = self.entry_mut(id) else { return };
        let asked = entry.marks.has(Marks::ASKED);
        if entry.machine.is_terminated() {
            entry.machine = Machine::Once { until };
            self.table.set_timer(id.0, Some(until));
        }
        if !asked {
            self.table.push(id.0, PARKED);
        }
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

    /// What is parked can have no flow: the name has no address, or no connection could be opened.
    ///
    /// A request that wanted a connection for its size alone is parked once more, to be launched on the datagram
    /// [`flow`](Self::flow) that it then has (RFC 3261 §18.1.1). Any other goes on to its next target, or is over, which
    /// [`handle_timeout`](Self::handle_timeout) tells. A response that can't be sent leaves its transaction as it is (RFC 6026
    /// §8.8); when the user gives another one, or this one again, another connection is tried.
    pub fn unreachable(&mut self, now: Instant, id: TransactionId) {
        let Some(entry) = self.entry_mut(id) else { return };
        entry.marks.take(Marks::ASKED);
        match entry.machine {
            Machine::Parked { until, .. } if entry.sizing.is_oversize() && !entry.sizing.is_forced() => {
                entry.sizing.force();
                entry.flow.transport = Transport::Udp;
                self.park(id, until);
            }
            Machine::Parked { .. } => self.launch_next(now, id),
            Machine::Once { .. } => self.rest(id),
            _ => {}
        }
    }

    /// The flow does not carry messages: a send failed, or the connection was lost.
    /// [`handle_timeout`](Self::handle_timeout) tells what became of the client transactions on it.
    ///
    /// A request that was not sent yet is over ([`ExpiredKind::FlowFailed`]), and so is one that went by datagram. What
    /// [`poll_send`](Self::poll_send) gave last was not sent. One that was sent by a connection lives on
    /// ([`ExpiredKind::FlowLost`]), and so do server transactions (RFC 6026 §8.8): a response that was not sent yet goes by a
    /// new connection to the source's address and the port of sent-by (RFC 3261 §18.2.2). One that is still to be given is
    /// tried on the old connection; what drives the role says that it has failed, and never gives its number to another one.
    /// That is so, too, for a response that is [held](Self::hold), once it is resumed.
    /// ACK, BYE and CANCEL that were not sent go by a new connection to the same place. All that once for each message:
    /// a peer that closes each connection drives no endless row of them. Datagrams that were deferred for the flow are dropped.
    pub fn flow_failed(&mut self, now: Instant, flow: Flow) {
        self.send_failed(flow);
        self.reap();
        self.replies_failed(flow);
        let of_flow = key::flow(&self.layer.hash, &flow);
        while let Some(handle) = self.table.find(OTHER, of_flow) {
            self.table.unlink_key(handle, OTHER);
            self.client_flow_failed(now, TransactionId(handle));
        }
        for list in &[URGENT, DEFERRED] {
            let mut next = self.table.first(*list);
            while let Some(handle) = next {
                next = self.table.next_ready(handle);
                let id = TransactionId(handle);
                if self.flow(id) != flow {
                } else if flow.transport.is_reliable() {
                    self.send_by_another(now, id);
                } else if *list == DEFERRED {
                    self.rest(id);
                }
            }
        }
    }

    /// What [`poll_send`](Self::poll_send) gave last was not sent, if it was for this flow: it is ready again, but for a
    /// response by datagram, which the peer's repetition of its request brings again. [`flow_failed`](Self::flow_failed) begins
    /// with this, and has to follow.
    pub fn send_failed(&mut self, flow: Flow) {
        if let Some(entry) = self.polled().and_then(|id| self.table.get(id.0))
            && entry.flow == flow
            && (flow.transport.is_reliable() || !entry.machine.is_server())
        {
            self.unpoll();
        }
    }

    /// What [`poll_send`](Self::poll_send) gave last is more than its flow carries, which lives on: a request is over, as
    /// [`handle_timeout`](Self::handle_timeout) tells, for its repetitions are no smaller. A response counts as sent.
    pub fn too_large(&mut self, flow: Flow) {
        if let Some(id) = self.polled().filter(|id| self.flow(*id) == flow) {
            self.unpoll();
            self.rest(id);
            self.fail(id);
        }
    }

    /// The flow of a client transaction, or of a request that is sent once, has failed.
    fn client_flow_failed(&mut self, now: Instant, id: TransactionId) {
        let unsent = self.table.ready_list(id.0).is_some();
        let Some(entry) = self.entry_mut(id) else { return };
        if !entry.flow.transport.is_reliable() || unsent && list_of(entry) != URGENT {
            self.fail(id);
        } else if unsent {
            self.send_by_another(now, id);
        } else if !entry.machine.has_final() {
            entry.flow.connection = 0;
            entry.marks.set(Marks::FLOW_LOST);
            self.table.push(id.0, FAILED);
        }
    }

    /// Sends a request other than INVITE, whose connection was lost ([`ExpiredKind::FlowLost`]), by a new one to the same
    /// place. It stays one transaction, so a peer that had the request knows it by its branch (RFC 3261 §17.2.3). Once; `false`
    /// when that is done already.
    pub fn send_again(&mut self, now: Instant, id: TransactionId) -> bool {
        let Some(entry) = self.entry_mut(id) else { return false };
        let again =
            matches!(entry.machine, Machine::Client(_)) && !entry.message.is_none() && !entry.marks.has(Marks::RESENT);
        if again {
            self.send_by_another(now, id);
        }
        again
    }

    /// A message whose connection was lost goes by a new one, the first time. A request that has no transaction to lose, or
    /// one that waits for a response, begins anew; what else there is, a response or the ACK to a refusal, is sent as it is.
    #[inline(never)]
    fn send_by_another(&mut self, now: Instant, id: TransactionId) {
        let until = now.after(self.layer.timers.sixty_four_t1());
        let port = self.sent_by_port(id);
        let Some(entry) = self.entry_mut(id) else { return };
        let first = !entry.marks.has(Marks::RESENT);
        entry.marks.set(Marks::RESENT);
        entry.flow.connection = 0;
        if let Some(port) = port {
            entry.flow.remote.set_port(port);
        }
        let kind = match entry.machine {
            _ if entry.marks.has(Marks::ACK) => None,
            Machine::Client(_) => Some(Kind::Other),
            Machine::Once { .. } if entry.marks.has(Marks::URGENT) => Some(Kind::Once),
            _ => None,
        };
        if let Some(kind) = kind {
            if first {
                entry.machine = Machine::Parked { kind, until };
                self.park(id, until);
            } else {
                self.fail(id);
            }
            return;
        }
        if first { self.park_send(now, id) } else { self.rest(id) }
    }

    /// Ends a transaction whose message can't be sent, where its state does not say that all is done.
    pub(super) fn fail(&mut self, id: TransactionId) {
        let Some(entry) = self.entry_mut(id) else { return };
        let failed = !entry.machine.has_final() || matches!(entry.machine, Machine::Once { .. });
        let step = entry.machine.transport_failed();
        if step.ended {
            if failed {
                entry.marks.set(Marks::FLOW_FAILED);
            }
            self.table.set_timer(id.0, None);
            self.table.push(id.0, FAILED);
        }
    }

    /// The port at which the topmost Via of a kept response says that its client listens; `None` for a request.
    fn sent_by_port(&self, id: TransactionId) -> Option<u16> {
        let entry = self.table.get(id.0)?;
        let response = self.octets.get(entry.message);
        if !response.starts_with(b"SIP/2.0 ") {
            return None;
        }
        let port = Via::parse(Kept::new(response).first(HeaderName::Via)).ok().and_then(|via| via.port());
        Some(port.unwrap_or(entry.flow.transport.default_port()))
    }

    /// Tells what a failed flow did to a transaction.
    #[inline(never)]
    pub(super) fn indicate_failure(&mut self) -> Option<Expired> {
        let id = TransactionId(self.table.first(FAILED)?);
        let entry = self.entry_mut(id)?;
        let user = entry.user;
        let kind = match (entry.marks.take(Marks::FLOW_LOST), entry.marks.take(Marks::FLOW_FAILED)) {
            (true, true) => ExpiredKind::Insecure,
            (true, false) => ExpiredKind::FlowLost,
            (false, true) => ExpiredKind::FlowFailed,
            (false, false) => ExpiredKind::Ended,
        };
        self.rest(id);
        Some(Expired { id, user, kind })
    }
}
