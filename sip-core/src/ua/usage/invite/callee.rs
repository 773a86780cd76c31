//! The callee's side of an INVITE (RFC 3261 §13.3, §14.2): ringing, answer, CANCEL, ACK.

use crate::error::{Argument, Capacity, Error};
use crate::memory::{Handle, Octets};
use crate::message::scan::alike;
use crate::message::{HeaderName, Kept, MediaType, Message};
use crate::random::Token;
use crate::role::Received;
use crate::time::{Duration, Instant};
use crate::transaction::TransactionId;
use crate::ua::config::Text;
use crate::ua::content::Content;
use crate::ua::context::Context;
use crate::ua::event::{Call, Cause, Event};
use crate::ua::headers::{Field, tag_of};
use crate::ua::usage::UsageId;
use crate::ua::usage::invite::InviteTransaction;
use crate::ua::usage::invite::entry::Timer;
use crate::ua::usage::invite::machine::{Action, Exchange, Input, State};
use crate::ua::usage::invite::offered::MAY_OFFER;

/// A provisional response is repeated this often while the callee rings (RFC 3261 §13.3.1.1).
const REPEAT: Duration = Duration::from_secs(60);

impl<O: Octets> Context<'_, O> {
    /// An INVITE outside of any dialog.
    pub(in crate::ua) fn incoming(&mut self, invite: &Message<'_>) -> Received<Event> {
        if self.knows_reliable() && self.refuse_unreliable(invite) {
            return Received::Nothing;
        }
        #[cfg(feature = "refer")]
        let replaced = if self.core.settings.transfers { self.replaced_by(invite) } else { Ok(Handle::NONE) };
        #[cfg(feature = "refer")]
        let replaced = match replaced {
            Ok(replaced) => replaced,
            Err(status) => {
                self.reply_bare(invite, status);
                return Received::Nothing;
            }
        };
        match self.open_incoming(invite) {
            #[cfg(feature = "refer")]
            Ok(call) if !replaced.is_none() => {
                if let Some(entry) = self.calls.get_mut(call) {
                    entry.replaces = replaced;
                }
                Received::Event(Event::Replacing { call: Call(call), replaced: Call(replaced) })
            }
            Ok(call) => Received::Event(Event::Incoming { call: Call(call) }),
            Err(Error::Capacity(Capacity::Calls | Capacity::Dialogs)) => {
                self.count_refused();
                self.reply_bare(invite, 486);
                Received::Nothing
            }
            Err(Error::Capacity(_)) => {
                self.refuse_for_room(invite);
                Received::Nothing
            }
            Err(_) => {
                // No Contact to send requests to, or a Record-Route that can't be followed.
                self.reply_bare(invite, 400);
                Received::Nothing
            }
        }
    }

    fn open_incoming(&mut self, invite: &Message<'_>) -> Result<Handle, Error> {
        let head = invite.bytes().len().saturating_sub(invite.body().len());
        let call = self.open_call(head.saturating_add(128))?;
        match self.open_server(call, invite) {
            Ok(id) => {
                if let Some(entry) = self.calls.get_mut(call) {
                    (entry.invite, entry.exchanged) = (id, id);
                    entry.state = State::Ringing;
                    entry.invite_seq = invite.cseq().number;
                    entry.offered = !invite.body().is_empty();
                    let dialog = entry.dialog;
                    if self.knows_reliable() {
                        self.begin_provisional(dialog, invite);
                    }
                }
                #[cfg(feature = "session-timer")]
                if self.concerns_session(invite) {
                    self.session_asked(call, invite);
                }
                self.limit_ringing(call, invite.expires());
                Ok(call)
            }
            Err(error) => {
                self.close_call(call);
                Err(error)
            }
        }
    }

    fn open_server(&mut self, call: Handle, invite: &Message<'_>) -> Result<TransactionId, Error> {
        let tag = self.core.random.token();
        let dialog = self.calls.get(call).map_or(Handle::NONE, |entry| entry.dialog);
        self.bind_dialog(dialog, invite, tag.as_bytes())?;
        let user = InviteTransaction::Initial(call).new_user();
        Ok(self.open_transaction(invite, tag.as_bytes(), user, false)?)
    }

    /// Answers 503 with Retry-After, without a transaction.
    pub(in crate::ua) fn refuse_for_room(&mut self, request: &Message<'_>) {
        self.count_refused();
        self.reply(request, 503, &[Field::RetryAfter(self.core.settings.retry_after)]);
    }

    fn count_refused(&mut self) {
        crate::log::line!(warn, "no room: a request is refused");
        self.core.statistics.refused = self.core.statistics.refused.saturating_add(1);
    }

    /// The transaction of the peer's INVITE that waits in a call, and its dialog.
    pub(in crate::ua) fn waiting_invite(&mut self, call: Handle) -> Result<(TransactionId, Handle), Error> {
        let entry = self.calls.get(call).ok_or(Error::Gone)?;
        let (state, dialog, invite) = (entry.state, entry.dialog, entry.exchanged);
        let open = state == State::Ringing || state.is_up();
        let layer = &self.transactions;
        if !open || !layer.is_server(invite) || layer.has_final(invite) {
            return Err(Error::State);
        }
        Ok((invite, dialog))
    }

    /// Sends a provisional response to the peer's INVITE.
    pub(in crate::ua) fn ring(&mut self, call: Handle, status: u16, content: &Content<'_>) -> Result<(), Error> {
        content.check()?;
        if !(101..=199).contains(&status) {
            return Err(Error::Invalid(Argument::ProvisionalStatus));
        }
        let (invite, dialog) = self.waiting_invite(call)?;
        if self.knows_reliable() && self.is_reliable(dialog) {
            return self.ring_reliably(call, (invite, dialog), status, content);
        }
        self.respond_invite(call, invite, status, content)?;
        if let Some(entry) = self.calls.get_mut(call) {
            entry.set(Timer::Repeat, self.now + REPEAT);
        }
        self.schedule_call(call);
        Ok(())
    }

    /// Sends a 200 to the peer's INVITE or re-INVITE, and again until the ACK comes (RFC 3261 §13.3.1.4).
    pub(in crate::ua) fn answer(&mut self, call: Handle, content: &Content<'_>) -> Result<(), Error> {
        content.check()?;
        let (invite, dialog) = self.waiting_invite(call)?;
        if MAY_OFFER && (self.knows_reliable() || self.offer_waits(call)) && self.keep_answer(call, dialog, content)? {
            return Ok(());
        }
        self.respond_invite(call, invite, 200, content)?;
        self.accepted(call, invite, dialog, content);
        Ok(())
    }

    /// A 2xx to the peer's INVITE goes out.
    pub(in crate::ua) fn accepted(
        &mut self,
        call: Handle,
        invite: TransactionId,
        dialog: Handle,
        content: &Content<'_>,
    ) {
        #[cfg(not(feature = "session-timer"))]
        let _ = content;
        let (t1, patience) = (self.core.settings.timers.t1, self.sixty_four_t1());
        #[cfg(feature = "session-timer")]
        let mut plain = true;
        #[cfg(feature = "refer")]
        let mut replaced = Handle::NONE;
        if let Some(entry) = self.calls.get_mut(call) {
            #[cfg(feature = "refer")]
            {
                replaced = entry.replaces;
            }
            #[cfg(feature = "session-timer")]
            {
                plain = entry.session.is_plain();
            }
            if entry.since == Instant::ZERO {
                entry.since = self.now;
            }
            let _ = entry.state.receive(Input::Answer);
            entry.exchange = Exchange::Idle;
            entry.sent_2xx = 1;
            entry.set(Timer::Repeat, self.now + t1);
            entry.set(Timer::Limit, self.now + patience);
        }
        self.schedule_call(call);
        self.take_target(call, invite);
        if self.knows_reliable() {
            self.overtake_provisional(dialog);
        }
        if let Some(entry) = self.dialogs.get_mut(dialog) {
            entry.confirm();
        }
        #[cfg(feature = "session-timer")]
        if !plain {
            self.session_accepted(call, content);
        }
        #[cfg(feature = "refer")]
        if !replaced.is_none() {
            self.end_replaced(call, replaced);
        }
    }

    fn respond_invite(
        &mut self,
        call: Handle,
        invite: TransactionId,
        status: u16,
        content: &Content<'_>,
    ) -> Result<(), Error> {
        let all = [
            Field::Abilities,
            Field::Contact,
            Field::Server,
            #[cfg(feature = "session-timer")]
            self.session_response(call, status),
        ];
        #[cfg(not(feature = "session-timer"))]
        let _ = call;
        let rows = all.get(usize::from(status < 200)..).unwrap_or_default();
        self.respond_with(invite, status, true, rows, content)
    }

    /// Refuses the peer's INVITE or re-INVITE.
    pub(in crate::ua) fn reject(&mut self, call: Handle, status: u16, content: &Content<'_>) -> Result<(), Error> {
        content.check()?;
        if !(300..=699).contains(&status) {
            return Err(Error::Invalid(Argument::RefusalStatus));
        }
        self.refuse(call, status, Cause::Declined, content)
    }

    pub(in crate::ua) fn refuse(
        &mut self,
        call: Handle,
        status: u16,
        cause: Cause,
        content: &Content<'_>,
    ) -> Result<(), Error> {
        let (invite, _) = self.waiting_invite(call)?;
        let ringing = self.calls.get(call).is_some_and(|entry| entry.state == State::Ringing);
        match self.respond_with(invite, status, true, &[], content) {
            // With nothing to leave out, the call is refused all the same.
            Err(Error::Capacity(_)) if content.is_empty() => self.transactions.finish(self.now, invite, status),
            other => other?,
        }
        self.finish_reinvite(call);
        #[cfg(feature = "offer-answer")]
        self.roll_back(call);
        if ringing {
            self.end_later(call, cause, status);
        }
        Ok(())
    }

    /// A CANCEL: it has its own response, and the INVITE that it names gets a 487 (RFC 3261 §9.2).
    pub(in crate::ua) fn cancelled(&mut self, cancel: &Message<'_>) -> Received<Event> {
        let Some((invite, user)) = self.transactions.find_cancelled(cancel) else {
            self.reply_bare(cancel, 481);
            return Received::Nothing;
        };
        // Both responses bear one To tag (§9.2).
        let owner = UsageId::of(user).0;
        let to = Kept::new(self.transactions.response_head(invite)).header(HeaderName::To);
        let tag = tag_of(to).and_then(Token::read).unwrap_or_else(|| self.core.random.token());
        if self.transactions.has_final(invite) {
            self.accept(cancel, tag.as_bytes(), Handle::NONE);
            return Received::Nothing;
        }
        let ended = if let UsageId::Invite(InviteTransaction::Initial(call)) = owner { call } else { Handle::NONE };
        // The CANCEL is answered first, as peers expect, unless its head is so large that no room would be left for the 487.
        let roomy = self.can_spend(ended, cancel.head_len().saturating_mul(3).saturating_add(1024));
        if !roomy {
            self.transactions.finish(self.now, invite, 487);
        }
        self.accept(cancel, tag.as_bytes(), ended);
        if roomy {
            self.transactions.finish(self.now, invite, 487);
        }
        match owner {
            UsageId::Invite(InviteTransaction::Initial(call)) => {
                match self.calls.get_mut(call).map(|entry| entry.state.receive(Input::Cancel)) {
                    Some(Action::End) => self.end_now(call, Cause::Cancelled, 487),
                    _ => Received::Nothing,
                }
            }
            UsageId::Invite(InviteTransaction::Reinvite(dialog)) => {
                let call = self.dialogs.get(dialog).map_or(Handle::NONE, |entry| entry.usage.call);
                self.finish_reinvite(call);
                #[cfg(feature = "offer-answer")]
                self.roll_back(call);
                match self.calls.get(call).map(|entry| entry.state) {
                    Some(State::Established) => Received::Event(Event::ReinviteCancelled { call: Call(call) }),
                    _ => Received::Nothing,
                }
            }
            _ => Received::Nothing,
        }
    }

    /// Answers 200 with nothing in it, in a transaction when there is room for one, else statelessly. `tag` is for a request
    /// without a To tag. `ended` is the call that the request ends: what it has reserved may be used, what others have not.
    pub(in crate::ua) fn accept(&mut self, request: &Message<'_>, tag: &[u8], ended: Handle) {
        // The head of the responses and the response stand side by side while the one is made of the other.
        let size = request.head_len().saturating_mul(2).saturating_add(256);
        let own = self.calls.get(ended).is_some_and(|entry| !matches!(entry.state, State::ByeDue | State::Ending));
        let reserved = own && self.can_spend(ended, size);
        self.respond_final(request, 200, tag, reserved, &[]);
    }

    /// Answers a request in a transaction, which knows its repetitions, or without one when there is no room.
    pub(in crate::ua) fn respond_final(
        &mut self,
        request: &Message<'_>,
        status: u16,
        tag: &[u8],
        reserved: bool,
        rows: &[Field<'_>],
    ) {
        let user = UsageId::None.new_user();
        if let Ok(id) = self.open_transaction(request, tag, user, reserved) {
            if self.respond_with(id, status, reserved, rows, &Content::NONE).is_ok() {
                return;
            }
            self.transactions.abandon(id);
        }
        self.reply(request, status, rows);
    }

    /// The ACK to a 2xx of ours.
    pub(in crate::ua) fn acknowledged(&mut self, ack: &Message<'_>) -> Received<Event> {
        let Some(dialog) = self.dialog_of(ack) else { return Received::Stray };
        let call = self.dialogs.get(dialog).map_or(Handle::NONE, |entry| entry.usage.call);
        let Some(entry) = self.calls.get_mut(call) else { return Received::Nothing };
        if entry.invite_seq != ack.cseq().number {
            return Received::Nothing;
        }
        match entry.state.receive(Input::Ack) {
            Action::Tell => {
                self.stop_resending(call);
                Received::Event(Event::Confirmed { call: Call(call) })
            }
            Action::Bye => {
                self.stop_resending(call);
                self.end_by_bye(call);
                Received::Nothing
            }
            _ => Received::Nothing,
        }
    }

    /// Our 2xx has arrived.
    fn stop_resending(&mut self, call: Handle) {
        let Some(entry) = self.calls.get_mut(call) else { return };
        entry.set(Timer::Limit, Instant::ZERO);
        entry.set(Timer::Repeat, Instant::ZERO);
        let invite = core::mem::take(&mut entry.exchanged);
        self.transactions.release_message(invite);
        self.schedule_call(call);
    }

    /// An INVITE inside a dialog (RFC 3261 §14.2).
    pub(in crate::ua) fn reinvited(&mut self, dialog: Handle, invite: &Message<'_>) -> Received<Event> {
        let Some(entry) = self.dialogs.get(dialog) else { return Received::Stray };
        let call = entry.usage.call;
        let refusal =
            self.calls.get(call).map_or(481, |entry| entry.state.refuses_invite(entry.exchange, entry.offered));
        let refusal = if MAY_OFFER && refusal == 0 { self.open_offer_of(call, dialog).refusal(true) } else { refusal };
        if refusal > 0 {
            let retry = [Field::RetryAfter(self.core.random.below(11))];
            self.respond_final(invite, refusal, b"", false, if refusal == 500 { &retry } else { &[] });
            return Received::Nothing;
        }
        let user = InviteTransaction::Reinvite(dialog).new_user();
        let Ok(id) = self.open_transaction(invite, b"", user, false) else {
            self.refuse_for_room(invite);
            return Received::Nothing;
        };
        // The peer has our 2xx, or it could not go on: the ACK is late or lost (RFC 5407 §3.1.4).
        if self.calls.get_mut(call).is_some_and(|entry| entry.state.receive(Input::Ack) == Action::Tell) {
            self.stop_resending(call);
        }
        self.keep_target(call, invite);
        if let Some(entry) = self.calls.get_mut(call) {
            entry.exchanged = id;
            entry.exchange = Exchange::Theirs;
            entry.invite_seq = invite.cseq().number;
            entry.offered = !invite.body().is_empty();
        }
        if self.knows_reliable() {
            self.begin_provisional(dialog, invite);
        }
        #[cfg(feature = "session-timer")]
        self.session_asked(call, invite);
        self.limit_ringing(call, invite.expires());
        Received::Event(Event::Reinvite { call: Call(call) })
    }

    /// A timer of a call fires.
    pub(in crate::ua) fn call_due(&mut self, call: Handle) {
        let timers = self.core.settings.timers;
        let Some(entry) = self.calls.get_mut(call) else { return };
        if entry.is_due(Timer::Limit, self.now) {
            self.call_limit(call);
        } else if entry.is_due(Timer::Repeat, self.now) {
            let pause = if matches!(entry.state, State::Accepted | State::ByeDue) {
                // Doubled up to T2 (§13.3.1.4).
                let pause = timers.t1.times(1 << entry.sent_2xx.min(16)).min(timers.t2);
                entry.sent_2xx = entry.sent_2xx.saturating_add(1);
                pause
            } else if self.knows_reliable() && self.repeat_provisional(call) {
                return;
            } else {
                REPEAT
            };
            let Some(entry) = self.calls.get_mut(call) else { return };
            // Counted from the moment it was due; what was missed meanwhile is not made up for.
            entry.set(Timer::Repeat, entry.at(Timer::Repeat).next_after(pause, self.now));
            self.transactions.resend(self.now, entry.exchanged);
        } else if entry.is_due(Timer::Retry, self.now) {
            entry.set(Timer::Retry, Instant::ZERO);
            self.retry_reinvite(call);
        }
        #[cfg(any(feature = "100rel", feature = "update"))]
        self.offer_due(call);
        #[cfg(feature = "session-timer")]
        let _ = self.session_due(call);
        self.schedule_call(call);
    }

    /// What an INVITE must be before it can ring; otherwise the status to answer (RFC 3261 §8.2).
    pub(in crate::ua) fn refuse_invite(&mut self, invite: &Message<'_>) -> bool {
        let settings = &self.core.settings;
        let texts = self.transactions.octets.get(settings.block());
        let accepted = settings.text(texts, Text::Accept);
        let has_body = !invite.body().is_empty();
        let wrong_type = invite.body_of_type(accepted).is_err();
        let encoded =
            has_body && invite.header(HeaderName::ContentEncoding).is_some_and(|coding| !alike(coding, b"identity"));
        if wrong_type || encoded {
            self.reply(invite, 415, &[Field::Accept]);
            return true;
        }
        if !accepts(invite, accepted) {
            self.reply_bare(invite, 406);
            return true;
        }
        #[cfg(feature = "session-timer")]
        if self.refuse_interval(invite) {
            return true;
        }
        false
    }
}

/// Whether the sender takes a body of this type in the answer: no Accept means `application/sdp` (RFC 3261 §13.2.1, §20.1).
fn accepts(message: &Message<'_>, wanted: &[u8]) -> bool {
    if message.header(HeaderName::Accept).is_none() {
        return true;
    }
    let kind_of = |name: &[u8]| name.iter().position(|octet| *octet == b'/').unwrap_or(name.len());
    let wanted_kind = wanted.get(..kind_of(wanted)).unwrap_or_default();
    message.values(HeaderName::Accept).filter_map(MediaType::parse).any(|range| {
        range.is(wanted) || range.subtype() == b"*" && (range.kind() == b"*" || alike(range.kind(), wanted_kind))
    })
}
