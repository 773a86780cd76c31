//! The way of a message, a timer or a lost flow to whom it concerns (RFC 3261 §8.1.3, §8.2, §12.2).

use super::Step;
use super::auth::Again;
use super::config::Text;
use super::context::{Context, TELL};
use super::event::{Call, Event, Origin, OutgoingRequest, Registration};
use super::headers::Field;
use super::usage::invite::InviteTransaction;
use super::usage::invite::update::UPDATE;
use super::usage::registration::Texts;
use super::usage::request::RequestTransaction;
use super::usage::{Failure, Tries, UsageId};
use crate::memory::{Block, Handle, Octets};
use crate::message::option_tags::{list_contains_method, unsupported};
use crate::message::{HeaderName, Message, Method, Uri};
use crate::role::Received;
use crate::transaction::{ClientOutcome, Expired, ExpiredKind, ServerMatch, TransactionId};
use crate::transport::{Flow, Target};

impl<O: Octets> Context<'_, O> {
    /// A response.
    #[inline(never)]
    pub(super) fn receive_response(&mut self, response: &Message<'_>) -> Received<Event> {
        // More than one Via was misrouted (§8.1.3.3).
        if response.values(HeaderName::Via).nth(1).is_some() {
            return Received::Stray;
        }
        let Some((id, user)) = self.transactions.match_response(response) else { return Received::Stray };
        let (usage, tries) = UsageId::of(user);
        let status = response.status().unwrap_or_default();
        // A usage that needs the request as it was sent (an ACK, credentials) reads it before the transaction gives it up with
        // a final response; a provisional one comes first, for it is what allows a CANCEL.
        let accepted = if status < 200 {
            self.transactions.receive_response(self.now, id, response) == ClientOutcome::Deliver
        } else {
            self.transactions.accepts(id, status)
        };
        let informed = cfg!(all(feature = "digest", feature = "digest-info"));
        if informed && accepted && (200..300).contains(&status) {
            self.take_authentication_info(id, response);
        }
        let received = if !accepted || self.retry(id, usage, tries, response) {
            Received::Nothing
        } else {
            self.response(usage, tries, id, response)
        };
        if status >= 200 {
            // That it is news was asked for before.
            let _ = self.transactions.receive_response(self.now, id, response);
        }
        received
    }

    /// A response for a usage, before its transaction takes it when it is a final one.
    fn response(&mut self, usage: UsageId, tries: Tries, id: TransactionId, response: &Message<'_>) -> Received<Event> {
        match usage {
            UsageId::Invite(which) => self.invite_response(which, id, response),
            UsageId::Registration(handle) if cfg!(feature = "registration") => {
                self.registration_response(handle, id, tries, response)
            }
            UsageId::Request(which) if cfg!(feature = "requests") => {
                if let Some(status @ (408 | 481)) = response.status()
                    && let Some(dialog) = self.dialog_of(response)
                {
                    self.peer_lost(dialog, status);
                }
                self.request_response(which, response)
            }
            #[cfg(feature = "refer")]
            UsageId::Refer(which) => self.referral_response(which, id, response),
            UsageId::None | UsageId::Registration(_) | UsageId::Request(_) => Received::Nothing,
        }
    }

    /// Answers a challenge, if the usage wants that, or goes on to the next target; whether it went out again.
    fn retry(&mut self, id: TransactionId, usage: UsageId, tries: Tries, response: &Message<'_>) -> bool {
        if response.status() == Some(503) {
            return self.fail_over(id, usage);
        }
        #[cfg(feature = "session-timer")]
        if response.status() == Some(422) {
            return self.retry_enlarged(id, usage, tries, response);
        }
        if !cfg!(feature = "digest") || !matches!(response.status(), Some(401 | 407)) || !self.may_retry(usage) {
            return false;
        }
        let Some((new, sessions)) = self.authenticate(id, usage, tries, response) else { return false };
        self.resent(usage, new, Some(sessions));
        true
    }

    /// Sends a request that failed to the next target that its name has (RFC 3263 §4.3); whether there was one.
    fn fail_over(&mut self, id: TransactionId, usage: UsageId) -> bool {
        if !cfg!(feature = "failover") || !self.transactions.has_target(id) || !self.may_retry(usage) {
            return false;
        }
        let again = self.write_again(self.transactions.block(id), false, &Again::NOTHING);
        let new = again.and_then(|(block, _)| self.transactions.fail_over_as(self.now, id, block));
        let Some(new) = new else { return false };
        self.resent(usage, new, None);
        true
    }

    /// Whether a request is worth sending again: not when what it is for is being given up. What the first try has made is
    /// forgotten.
    fn may_retry(&mut self, usage: UsageId) -> bool {
        match usage {
            UsageId::None => false,
            UsageId::Invite(which) => self.invite_prepare_retry(which),
            UsageId::Registration(handle) => self.registration_prepare_retry(handle),
            #[cfg(feature = "refer")]
            UsageId::Refer(which) => self.referral_may_retry(which),
            UsageId::Request(_) => true,
        }
    }

    /// A request went out again as another transaction: to another target, or with credentials of these sessions and the next
    /// CSeq number.
    fn resent(&mut self, usage: UsageId, new: TransactionId, sessions: Option<[u32; 2]>) {
        match usage {
            UsageId::Invite(which) => self.invite_resent(which, new, sessions),
            UsageId::Registration(handle) if cfg!(feature = "registration") => {
                self.registration_resent(handle, new, sessions);
            }
            #[cfg(feature = "refer")]
            UsageId::Refer(which) => self.referral_resent(which, new, sessions),
            UsageId::None | UsageId::Registration(_) | UsageId::Request(_) => {}
        }
    }

    /// A request.
    #[inline(never)]
    pub(super) fn receive_request(&mut self, request: &Message<'_>) -> Received<Event> {
        match self.transactions.receive_request(self.now, request) {
            ServerMatch::Absorbed(_) => return Received::Nothing,
            ServerMatch::Merged(new) => {
                self.new = new;
                self.reply_bare(request, 482);
                return Received::Nothing;
            }
            ServerMatch::Ack2xx(..) => {}
            ServerMatch::New(new) => self.new = new,
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
            Method::Update if UPDATE => {
                self.reply_bare(request, 481);
                Received::Nothing
            }
            Method::Prack if self.knows_reliable() => {
                self.reply_bare(request, 481);
                Received::Nothing
            }
            #[cfg(feature = "refer")]
            Method::Refer | Method::Notify | Method::Subscribe if self.refuse_alone(request) => Received::Nothing,
            _ if cfg!(feature = "requests") => self.hand_over(request, None),
            _ => Received::Nothing,
        }
    }

    /// A request inside a dialog (§12.2.2).
    fn in_dialog(&mut self, request: &Message<'_>) -> Received<Event> {
        let Some(dialog) = self.dialog_of(request) else { return self.unknown_dialog(request) };
        let number = self.new.number();
        let Some(entry) = self.dialogs.get_mut(dialog) else { return Received::Stray };
        if !entry.accept_seq(request.cseq().number, number) {
            self.reply_bare(request, 500);
            return Received::Nothing;
        }
        let call = entry.usage.call;
        if matches!(request.method(), Method::Invite) {
            if self.refuse_invite(request) {
                return Received::Nothing;
            }
            return self.reinvited(dialog, request);
        }
        match request.method() {
            Method::Bye => self.bye(dialog, request),
            Method::Prack if self.knows_reliable() => self.pracked(dialog, request),
            Method::Update if UPDATE => self.updated(dialog, request),
            Method::Options => {
                self.describe(request);
                Received::Nothing
            }
            #[cfg(feature = "refer")]
            Method::Refer | Method::Notify | Method::Subscribe if self.takes_refer(request.method()) => {
                self.refer_in_dialog(dialog, request)
            }
            _ => self.hand_over_of(call, request),
        }
    }

    /// Gives a request inside the dialog of a call to the application.
    pub(super) fn hand_over_of(&mut self, call: Handle, request: &Message<'_>) -> Received<Event> {
        if !cfg!(feature = "requests") {
            return Received::Nothing;
        }
        let call = self.calls.get(call).is_some().then_some(Call(call));
        self.hand_over(request, call)
    }

    /// What any request must be (§8.2.1, §8.2.2); whether it was refused.
    fn refuse_request(&mut self, request: &Message<'_>) -> bool {
        let settings = &self.core.settings;
        let method = request.method();
        let texts = self.transactions.octets.get(settings.block());
        let core = matches!(method, Method::Invite | Method::Bye | Method::Options)
            || UPDATE && matches!(method, Method::Update)
            || self.knows_reliable() && matches!(method, Method::Prack);
        #[cfg(feature = "refer")]
        let core = core || self.takes_refer(method);
        let allowed = core
            || cfg!(feature = "requests")
                && list_contains_method(settings.text(texts, Text::Methods), method.as_bytes());
        if !allowed {
            // A method that nobody here has heard of, or one that is known and not allowed.
            let status = if matches!(method, Method::Extension(_)) { 501 } else { 405 };
            self.reply(request, status, &[Field::Abilities]);
            return true;
        }
        let known_scheme = request.uri().is_some_and(|uri| uri.is_known());
        if !known_scheme {
            self.reply_bare(request, 416);
            return true;
        }
        if settings.refuse_other_users && request.to_tag().is_none() && self.names_other_user(request) {
            self.reply_bare(request, 404);
            return true;
        }
        let supported = settings.text(texts, Text::Supported);
        if unsupported(request.require(), supported).next().is_some() {
            self.reply(request, 420, &[Field::Unsupported(request)]);
            return true;
        }
        false
    }

    /// Whether the Request-URI names a user, and none of ours (§8.2.2.1).
    #[inline(never)]
    fn names_other_user(&self, request: &Message<'_>) -> bool {
        let Some(user) = request.uri().and_then(|uri| uri.user()) else { return false };
        let settings = &self.core.settings;
        let octets = &*self.transactions.octets;
        let texts = octets.get(settings.block());
        let is_of = |uri: &[u8]| Uri::parse(uri).is_ok_and(|uri| uri.user() == Some(user));
        settings.text(texts, Text::ContactUser) != user
            && !is_of(settings.text(texts, Text::Identity))
            && !self.registrations.view().iter().any(|(_, entry)| is_of(Texts::of(octets.get(entry.texts)).aor))
    }

    /// Answers OPTIONS (§11.2).
    pub(super) fn describe(&mut self, request: &Message<'_>) {
        let rows = [Field::Contact, Field::Abilities, Field::Accept, Field::Server];
        self.reply(request, 200, &rows);
    }

    /// Works off calls' and registrations' timers; the transactions' are worked off as events are polled.
    pub(super) fn handle_timeout(&mut self) {
        self.core.expire_to = self.now;
        while let Some(call) = self.calls.expired(self.now) {
            self.call_due(call);
        }
        while cfg!(feature = "registration")
            && let Some(registration) = self.registrations.expired(self.now)
        {
            self.registration_due(registration);
        }
        #[cfg(feature = "refer")]
        while let Some(referral) = self.referrals.expired(self.now) {
            self.referral_due(referral);
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
        while cfg!(feature = "registration")
            && let Some(registration) = self.registrations.first(TELL)
        {
            if let Some(event) = self.registration_event(registration) {
                return Some(event);
            }
        }
        #[cfg(feature = "refer")]
        if !self.referrals.is_empty() {
            return self.referral_event();
        }
        None
    }

    /// Ends transactions whose time is up or whose flow failed, up to the first that is an event of its own.
    pub(super) fn expire_transactions(&mut self) -> Option<Event> {
        let expire_to = self.core.expire_to;
        while let Some(expired) = self.transactions.handle_timeout(expire_to) {
            if let Some(event) = self.transaction_over(expired) {
                return Some(event);
            }
        }
        None
    }

    fn transaction_over(&mut self, Expired { id, user, kind }: Expired) -> Option<Event> {
        let usage = UsageId::of(user).0;
        if kind == ExpiredKind::TimerC {
            self.send_cancel(id, Block::NONE);
            return None;
        }
        if self.ended(usage, id, kind) {
            return None;
        }
        let again = self.fail_over(id, usage);
        if kind == ExpiredKind::FlowLost {
            // It could still take a response, which nobody waits for.
            self.transactions.abandon(id);
        }
        if again {
            return None;
        }
        let failure = match kind {
            ExpiredKind::TimedOut => Failure::Timeout,
            ExpiredKind::Insecure if cfg!(feature = "streams") && !self.transactions.view().demands_tls(id) => {
                Failure::NoFallback
            }
            ExpiredKind::Insecure => Failure::Insecure,
            _ => Failure::Flow,
        };
        self.failure(usage, id, failure)
    }

    /// A transaction is over, or its flow was lost; whether that is all: it had done its work, or a response may still come by
    /// a connection that the peer opens (RFC 3261 §18.2.2).
    fn ended(&mut self, usage: UsageId, id: TransactionId, kind: ExpiredKind) -> bool {
        match usage {
            UsageId::None => matches!(kind, ExpiredKind::Ended | ExpiredKind::FlowLost),
            UsageId::Invite(which) => self.invite_ended(which, id, kind),
            #[cfg(feature = "refer")]
            UsageId::Refer(_) => kind == ExpiredKind::Ended,
            // What can be sent again as it is, is not waited for.
            UsageId::Registration(_) | UsageId::Request(_) => kind == ExpiredKind::Ended,
        }
    }

    /// No response will come to a request.
    fn failure(&mut self, usage: UsageId, id: TransactionId, failure: Failure) -> Option<Event> {
        match usage {
            UsageId::Invite(which) => self.invite_failure(which, id, failure),
            UsageId::Registration(handle) if cfg!(feature = "registration") => {
                self.registration_failure(handle, id, failure);
            }
            UsageId::Request(which) if cfg!(feature = "requests") => {
                if failure == Failure::Timeout
                    && let Some(dialog) = self.dialog_of_own(id)
                {
                    self.peer_lost(dialog, failure.status());
                }
                return which.on_failure(failure);
            }
            #[cfg(feature = "refer")]
            UsageId::Refer(which) => self.referral_failure(which, id, failure),
            UsageId::None | UsageId::Registration(_) | UsageId::Request(_) => {}
        }
        None
    }

    /// A flow failed: its transactions end as the events are polled, and what waited for it is dropped.
    pub(super) fn flow_failed(&mut self, flow: Flow) {
        self.transactions.send_failed(flow);
        if cfg!(feature = "registration") {
            // A REGISTER on it goes out by another, before its transaction could end.
            self.registrar_lost(flow);
        }
        self.transactions.flow_failed(self.now, flow);
    }

    /// What was put back for `flow` may be offered again.
    pub(super) fn flow_writable(&mut self, flow: Flow) {
        // A keep-alive that was blocked is not worth repeating.
        self.transactions.flow_writable(flow);
    }

    /// What the next request that waits for its flow has to ask for, or what is to be told of it first.
    pub(super) fn next_question(&mut self) -> Option<Step> {
        let id = self.transactions.poll_parked()?;
        let (usage, tries) = UsageId::of(self.transactions.user(id));
        if let Some((sizes, by_datagram)) = self.transactions.take_oversize(id) {
            // A repeated ACK was told of when it was sent first.
            let repeated = tries.total > 0 && matches!(usage, UsageId::Invite(InviteTransaction::Ack(_)));
            let of = self.origin(usage).filter(|_| !repeated);
            return Some(of.map_or(Step::Again, |of| Step::Event(Event::Oversize { of, sizes, by_datagram })));
        }
        let flow = self.transactions.flow(id);
        if !flow.is_none() && !flow.needs_connection() {
            self.transactions.launch(self.now, id, flow);
            return Some(Step::Again);
        }
        Some(Step::LookUp(id))
    }

    /// What the application knows a request by; `None` for those that it has not asked for.
    fn origin(&self, usage: UsageId) -> Option<Origin> {
        match usage {
            UsageId::Invite(which) => {
                let call = self.call_of(which);
                (!call.is_none()).then_some(Origin::Call(Call(call)))
            }
            UsageId::Registration(registration) => Some(Origin::Registration(Registration(registration))),
            UsageId::Request(RequestTransaction::Outgoing(number)) => Some(Origin::Request(OutgoingRequest(number))),
            #[cfg(feature = "refer")]
            UsageId::Refer(which) => Some(Origin::Referral(super::event::Referral(which.referral()))),
            UsageId::None | UsageId::Request(RequestTransaction::Incoming) => None,
        }
    }

    /// The targets of the name that a request asked for; none when it has no address.
    pub(super) fn resolved(&mut self, id: TransactionId, targets: &[Target]) {
        if cfg!(feature = "failover") {
            self.give_fallback(id);
            return self.transactions.resolved(self.now, id, targets);
        }
        // Without a list of targets that it could stand in, the fallback takes the place of one that is not there.
        let source = self.dialog_source(id);
        let fallback = [source.target()];
        let falls_back = targets.is_empty() && !self.transactions.must_not_fall_back(id, source);
        let targets = if falls_back { &fallback } else { targets };
        self.transactions.resolved(self.now, id, targets);
    }

    /// The connection that a request asked for can't be had.
    pub(super) fn connect_failed(&mut self, id: TransactionId) {
        self.give_fallback(id);
        self.transactions.unreachable(self.now, id);
    }

    /// Where a request has no way, it goes inside a dialog where the peer's last message came from.
    fn give_fallback(&mut self, id: TransactionId) {
        let source = self.dialog_source(id);
        self.transactions.set_fallback(id, source);
    }
}
