//! The way of a message, a timer or a lost flow to whom it concerns (RFC 3261 §8.1.3, §8.2, §12.2).

use super::agent::{Agent, BLOCKED, SEND, TELL};
use super::config::Text;
use super::content::Content;
use super::entry::{CallState, Owner};
use super::event::{Call, Cause, Event, IncomingRequest, OutgoingRequest};
use super::rows::Row;
use crate::error::Error;
use crate::memory::{Handle, Octets};
use crate::message::scan::{alike, trim};
use crate::message::{HeaderName, Message, Method, Scheme};
use crate::role::Received;
use crate::transaction::{ClientOutcome, Expired, ExpiredKind, ServerMatch, TransactionId};
use crate::transport::Flow;

/// Why a transaction ended without a response.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Failure {
    /// Nothing came in time: taken as a 408 (§8.1.3.1).
    Timeout,
    /// The flow failed, or there is none: taken as a 503.
    Flow,
}

impl<O: Octets> Agent<'_, O> {
    /// A response.
    #[inline(never)]
    pub(super) fn receive_response(&mut self, response: &Message<'_>) -> Received<Event> {
        // More than one Via was misrouted (§8.1.3.3).
        if response.values(HeaderName::Via).nth(1).is_some() {
            return Received::Stray;
        }
        let Some((id, user)) = self.layer.match_response(response) else { return Received::Stray };
        let (owner, tries) = Owner::of(user);
        let status = response.status().unwrap_or_default();
        let fresh = !self.layer.has_final(id);
        // Whatever needs the request as it was sent comes before its transaction takes the response.
        let mut received = Received::Nothing;
        let mut again = None;
        if fresh && matches!(status, 401 | 407) && self.wants_another_try(owner) {
            if let Owner::Invite(call) = owner {
                self.forget_forks(call);
            }
            again = self.authenticate(id, owner, tries, response);
            if let Some((new, sessions)) = again {
                self.resent(owner, new, sessions);
            }
        }
        if fresh
            && status == 423
            && let Owner::Register(registration) = owner
            && self.longer(registration, id, tries, response)
        {
            again = Some((id, [0; 2]));
        }
        let delivered = fresh || (200..300).contains(&status);
        if again.is_none() && delivered {
            received = match owner {
                Owner::Invite(call) => self.invite_response(call, id, response),
                Owner::Reinvite(dialog) if self.dialogs.get(dialog).is_some() => {
                    self.reinvite_response(dialog, id, response)
                }
                Owner::Reinvite(_) if (200..300).contains(&status) => self.acknowledge_alone(response),
                Owner::Settled(bits) if (200..300).contains(&status) => {
                    if crate::dialog::key_of(response, self.s.hash).bucket_bits() == bits {
                        self.acknowledge_alone(response)
                    } else {
                        self.refuse_fork(TransactionId::NONE, response)
                    }
                }
                _ => Received::Nothing,
            };
        }
        let outcome = self.layer.receive_response(self.now, id, response);
        // Only Proceeding can be limited, and this response may have led there.
        let orphan = match owner {
            Owner::Nobody | Owner::Settled(_) => true,
            Owner::Reinvite(dialog) => self.dialogs.get(dialog).is_none(),
            _ => false,
        };
        if fresh && status < 200 && orphan {
            let patience = self.patience();
            self.layer.limit(self.now, id, patience);
        }
        if outcome == ClientOutcome::Deliver && again.is_none() {
            received = match owner {
                Owner::Bye(dialog) if status >= 200 => match self.bye_done(dialog) {
                    Some((call, cause, status)) => self.end_now(call, cause, status),
                    None => Received::Nothing,
                },
                Owner::Register(registration) => self.registered(registration, id, response),
                Owner::Application(number) if status != 100 => {
                    Received::Event(Event::Response { request: OutgoingRequest(number), status })
                }
                _ => received,
            };
        }
        received
    }

    /// Whether a challenge is worth answering: not when its call is being given up.
    fn wants_another_try(&self, owner: Owner) -> bool {
        match owner {
            Owner::Invite(call) => {
                self.calls.get(call).is_some_and(|entry| entry.state == CallState::Calling && !entry.hangup)
            }
            Owner::Reinvite(dialog) => {
                self.dialogs.get(dialog).is_some_and(|entry| entry.state == crate::dialog::State::Confirmed)
            }
            Owner::Bye(dialog) => self.dialogs.get(dialog).is_some(),
            Owner::Register(registration) => self.registrations.get(registration).is_some(),
            Owner::Application(_) => true,
            Owner::Nobody | Owner::Incoming | Owner::Settled(_) => false,
        }
    }

    /// A request went out again with credentials: who owns it has to know.
    fn resent(&mut self, owner: Owner, new: TransactionId, sessions: [u32; 2]) {
        match owner {
            Owner::Invite(call) => {
                if let Some(entry) = self.calls.get_mut(call) {
                    entry.invite = new;
                    entry.sessions = sessions;
                    entry.provisional = false;
                }
            }
            Owner::Reinvite(dialog) => {
                if let Some(entry) = self.dialogs.get_mut(dialog) {
                    entry.invite = new;
                    entry.sessions = sessions;
                }
            }
            Owner::Bye(dialog) => {
                if let Some(entry) = self.dialogs.get_mut(dialog) {
                    entry.sessions = sessions;
                }
            }
            Owner::Register(registration) => self.register_resent(registration, new, Some(sessions)),
            Owner::Nobody | Owner::Application(_) | Owner::Incoming | Owner::Settled(_) => {}
        }
    }

    /// A request.
    #[inline(never)]
    pub(super) fn receive_request(&mut self, request: &Message<'_>) -> Received<Event> {
        match self.layer.receive_request(self.now, request) {
            ServerMatch::Absorbed(_) => return Received::Nothing,
            ServerMatch::Merged => {
                self.reply_bare(request, 482);
                return Received::Nothing;
            }
            ServerMatch::Ack2xx(..) | ServerMatch::New => {}
        }
        match request.method() {
            Method::Ack => return self.acknowledged(request),
            Method::Cancel => return self.cancelled(request),
            _ => {}
        }
        if self.refuse_request(request) {
            return Received::Nothing;
        }
        if request.to_tag().is_some() {
            return self.in_dialog(request);
        }
        match request.method() {
            Method::Invite if self.refuse_invite(request) => Received::Nothing,
            Method::Invite => self.incoming(request),
            Method::Options => {
                self.describe(request);
                Received::Nothing
            }
            Method::Bye => {
                self.reply_bare(request, 481);
                Received::Nothing
            }
            _ => self.hand_over(request, None),
        }
    }

    /// A request inside a dialog (§12.2.2).
    fn in_dialog(&mut self, request: &Message<'_>) -> Received<Event> {
        let Some(dialog) = self.dialog_of(request) else {
            self.reply_bare(request, 481);
            return Received::Nothing;
        };
        let Some(entry) = self.dialogs.get_mut(dialog) else { return Received::Stray };
        let seq = request.cseq().number;
        if entry.remote_seq_known && seq < entry.remote_seq {
            self.reply_bare(request, 500);
            return Received::Nothing;
        }
        entry.remote_seq = seq;
        entry.remote_seq_known = true;
        let call = entry.call;
        if request.method() == Method::Invite {
            if self.refuse_invite(request) {
                return Received::Nothing;
            }
            return self.reinvited(dialog, request);
        }
        match request.method() {
            Method::Bye => self.bye(dialog, request),
            Method::Options => {
                self.describe(request);
                Received::Nothing
            }
            _ => {
                let call = self.calls.get(call).is_some().then_some(Call(call));
                self.hand_over(request, call)
            }
        }
    }

    /// The peer's BYE (§15.1.2).
    fn bye(&mut self, dialog: Handle, request: &Message<'_>) -> Received<Event> {
        let Some(entry) = self.dialogs.get(dialog) else { return Received::Stray };
        let call = entry.call;
        if self.calls.get(call).is_some_and(|entry| entry.state == CallState::Calling) {
            self.reply_bare(request, 200);
        } else {
            self.accept(request, b"", call);
        }
        match self.calls.get(call).map(|entry| (entry.state, entry.cause)) {
            // The callee must not end an early dialog; its INVITE decides.
            Some((CallState::Calling | CallState::Over | CallState::Free, _)) => Received::Nothing,
            // Both hung up, ours first as we see it.
            Some((CallState::Ending, Cause::LocalHangup)) => self.end_now(call, Cause::LocalHangup, 0),
            Some(_) => self.end_now(call, Cause::RemoteHangup, 0),
            None => {
                self.drop_dialog(dialog);
                Received::Nothing
            }
        }
    }

    /// What any request must be (§8.2.1, §8.2.2); whether it was refused.
    fn refuse_request(&mut self, request: &Message<'_>) -> bool {
        let settings = &self.s.settings;
        let method = request.method();
        let texts = self.layer.octets.get(settings.block());
        let core = matches!(method, Method::Invite | Method::Bye | Method::Options);
        if !core && !lists(settings.text(texts, Text::Methods), method.as_bytes()) {
            // A method that nobody here has heard of, or one that is known and not allowed.
            let status = if matches!(method, Method::Extension(_)) { 501 } else { 405 };
            self.reply(request, status, &[Row::Abilities]);
            return true;
        }
        let known_scheme =
            request.uri().is_some_and(|uri| matches!(uri.scheme(), Scheme::Sip | Scheme::Sips | Scheme::Tel));
        if !known_scheme {
            self.reply_bare(request, 416);
            return true;
        }
        let supported = settings.text(texts, Text::Supported);
        if request.require().any(|tag| !names(supported, tag)) {
            self.reply(request, 420, &[Row::Unsupported(request)]);
            return true;
        }
        false
    }

    /// Answers OPTIONS (§11.2).
    fn describe(&mut self, request: &Message<'_>) {
        let rows = [Row::Contact, Row::Abilities, Row::Accept, Row::Server];
        self.reply(request, 200, &rows);
    }

    /// Gives a request to the application.
    fn hand_over(&mut self, request: &Message<'_>, call: Option<Call>) -> Received<Event> {
        let tag = self.s.random.token();
        let user = Owner::Incoming.new_user();
        match self.layer.server(self.now, self.source, request, tag.as_bytes(), user, false) {
            Ok(id) => Received::Event(Event::Request { request: IncomingRequest(id), call }),
            Err(_) => {
                self.refuse_for_room(request);
                Received::Nothing
            }
        }
    }

    /// The application's answer to a request that was given to it.
    pub(super) fn respond(
        &mut self,
        request: IncomingRequest,
        status: u16,
        content: &Content<'_>,
    ) -> Result<(), Error> {
        content.check()?;
        if !(101..=699).contains(&status) {
            return Err(Error::Invalid("status: 101 to 699"));
        }
        if !self.layer.is_server(request.0) {
            return Err(Error::Gone);
        }
        self.respond_with(request.0, status, true, &[Row::Server], content)
    }

    /// Works off calls', dialogs' and registrations' timers; the transactions' are worked off as events are polled.
    pub(super) fn handle_timeout(&mut self) {
        self.s.expire_to = self.now;
        while let Some(call) = self.calls.expired(self.now) {
            self.call_due(call);
        }
        while let Some(dialog) = self.dialogs.expired(self.now) {
            self.dialog_due(dialog);
        }
        while let Some(registration) = self.registrations.expired(self.now) {
            self.registration_due(registration);
        }
    }

    /// The next event that no message caused.
    pub(super) fn next_event(&mut self) -> Option<Event> {
        if let Some(event) = self.expire_transactions() {
            return Some(event);
        }
        while let Some(call) = self.calls.first(TELL) {
            match self.call_event(call) {
                Some(event) => return Some(event),
                None => self.calls.unlink_ready(call),
            }
        }
        while let Some(registration) = self.registrations.first(TELL) {
            self.registrations.unlink_ready(registration);
            if let Some(event) = self.registration_event(registration) {
                return Some(event);
            }
        }
        None
    }

    fn call_event(&mut self, call: Handle) -> Option<Event> {
        let entry = self.calls.get_mut(call)?;
        if core::mem::take(&mut entry.pending.reinvited) {
            return Some(Event::Reinvited { call: Call(call), status: entry.reinvite_status, answer_due: false });
        }
        if core::mem::take(&mut entry.pending.ended) {
            let (cause, status) = (entry.cause, entry.status);
            self.calls.remove(call);
            return Some(Event::Ended { call: Call(call), cause, status });
        }
        if core::mem::take(&mut entry.pending.refresh_due) {
            return Some(Event::RefreshDue { call: Call(call) });
        }
        None
    }

    /// Ends transactions whose time is up or whose flow failed, up to the first that is an event of its own.
    pub(super) fn expire_transactions(&mut self) -> Option<Event> {
        let expire_to = self.s.expire_to;
        while let Some(expired) = self.layer.handle_timeout(expire_to) {
            if let Some(event) = self.transaction_over(expired) {
                return Some(event);
            }
        }
        let lost = core::mem::replace(&mut self.s.lost, TransactionId::NONE);
        if !lost.is_none()
            && let Some(event) = self.no_way(lost)
        {
            return Some(event);
        }
        let failing = self.s.failing;
        if !failing.is_none() {
            while let Some(expired) = self.layer.flow_failed(failing) {
                if let Some(event) = self.transaction_over(expired) {
                    return Some(event);
                }
            }
            self.s.failing = Flow::NONE;
        }
        None
    }

    fn transaction_over(&mut self, expired: Expired) -> Option<Event> {
        let failure = match expired.kind {
            ExpiredKind::Ended => return None,
            ExpiredKind::TimedOut => Failure::Timeout,
            ExpiredKind::FlowFailed => Failure::Flow,
        };
        self.transaction_failed(expired.id, Owner::of(expired.user).0, failure)
    }

    fn transaction_failed(&mut self, id: TransactionId, owner: Owner, failure: Failure) -> Option<Event> {
        let (status, cause) = match failure {
            Failure::Timeout => (408, Cause::Timeout),
            Failure::Flow => (503, Cause::Unreachable),
        };
        match owner {
            Owner::Invite(call) => {
                let entry = self.calls.get(call)?;
                let ours = entry.invite == id && entry.state == CallState::Calling;
                if ours {
                    let cause = if entry.hangup { entry.cause } else { cause };
                    self.end_later(call, cause, if cause == Cause::Timeout { 408 } else { 0 });
                }
                None
            }
            Owner::Reinvite(dialog) => {
                self.reinvite_failed(dialog, id, status);
                None
            }
            Owner::Bye(dialog) => {
                let (call, cause, status) = self.bye_done(dialog)?;
                self.end_later(call, cause, status);
                None
            }
            Owner::Register(registration) => {
                self.register_lost(registration, id, status);
                None
            }
            Owner::Application(number) => Some(Event::Response { request: OutgoingRequest(number), status }),
            Owner::Nobody | Owner::Incoming | Owner::Settled(_) => None,
        }
    }

    fn no_way(&mut self, id: TransactionId) -> Option<Event> {
        let owner = Owner::of(self.layer.user(id)).0;
        self.layer.abandon(id);
        self.transaction_failed(id, owner, Failure::Flow)
    }

    /// A flow failed: its transactions end as the events are polled, and what waited for it is dropped.
    pub(super) fn flow_failed(&mut self, flow: Flow) {
        if !self.s.failing.is_none() {
            // The application did not drain the last failure; what it would have been told is lost to it.
            while self.expire_transactions().is_some() {}
        }
        self.s.failing = flow;
        self.registrar_lost(flow);
    }

    /// What was put back for `flow` may be offered again.
    pub(super) fn flow_writable(&mut self, flow: Flow) {
        self.layer.flow_writable(flow);
        if self.s.reply.blocked && flow.carries(self.s.reply.flow) {
            self.s.reply.blocked = false;
            self.s.reply.offered = false;
        }
        let mut next = self.dialogs.first(BLOCKED);
        while let Some(dialog) = next {
            next = self.dialogs.next_ready(dialog);
            if self.dialogs.get(dialog).is_some_and(|entry| flow.carries(entry.ack_flow())) {
                let table = &mut self.dialogs;
                table.unlink_ready(dialog);
                table.push(dialog, SEND);
            }
        }
        // A keep-alive that was blocked is not worth repeating.
    }
}

/// Whether a comma-separated list holds a method; case counts (RFC 3261 §7.1).
fn lists(list: &[u8], method: &[u8]) -> bool {
    list.split(|octet| *octet == b',').any(|item| trim(item) == method)
}

/// Whether a comma-separated list holds an option tag, in any case (RFC 3261 §7.3.1).
pub(super) fn names(list: &[u8], tag: &[u8]) -> bool {
    list.split(|octet| *octet == b',').any(|item| alike(trim(item), tag))
}
