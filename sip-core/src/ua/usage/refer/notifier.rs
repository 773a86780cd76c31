//! A REFER of the peer: our user's answer, the call that follows, and what is told of it (RFC 3515 §2.4.2, §2.4.5).

use super::machine::{Action, Input, State};
use super::rows::Rows;
use super::{ReferTransaction, ReferralEntry, cause_of};
use crate::error::{Argument, Error};
use crate::events::Sipfrag;
use crate::memory::{Handle, Octets};
use crate::message::{Message, Method};
use crate::role::Received;
#[cfg(feature = "offer-answer")]
use crate::sdp::offer_answer::Capabilities;
use crate::transaction::TransactionId;
#[cfg(feature = "offer-answer")]
use crate::ua::SessionError;
use crate::ua::content::{Body, Content};
use crate::ua::context::Context;
use crate::ua::event::{Call, Cause, Event, ReferCause, Referral};
use crate::ua::headers::Field;
use crate::ua::usage::UsageId;
use crate::ua::usage::invite::Others;

impl<O: Octets> Context<'_, O> {
    /// The peer's REFER inside a dialog (RFC 3515 §2.4.2).
    pub(in crate::ua) fn referred(&mut self, dialog: Handle, request: &Message<'_>) -> Received<Event> {
        let call = self.dialogs.get(dialog).map_or(Handle::NONE, |entry| entry.usage.call);
        if self.calls.get(call).is_none_or(|entry| !entry.state.is_up()) {
            self.reply_bare(request, 481);
            return Received::Nothing;
        }
        match self.open_referral(dialog, request) {
            Ok(handle) => Received::Event(Event::Refer { referral: Referral(handle), call: Call(call) }),
            Err(Error::Capacity(_)) => {
                self.refuse_for_room(request);
                Received::Nothing
            }
            Err(_) => {
                self.reply_bare(request, 400);
                Received::Nothing
            }
        }
    }

    fn open_referral(&mut self, dialog: Handle, request: &Message<'_>) -> Result<Handle, Error> {
        let malformed = Error::Invalid(Argument::HeaderValue);
        let Some(Ok(refer_to)) = request.refer_to() else { return Err(malformed) };
        refer_to.uri().map_err(|_| malformed)?;
        let silent = match request.refer_sub() {
            None | Some(Ok(true)) => false,
            Some(Ok(false)) => true,
            Some(Err(_)) => return Err(malformed),
        };
        let handle = self.insert_referral(dialog)?;
        let opened = self.keep_referred(request, &refer_to).and_then(|referred| {
            if let Some(entry) = self.referrals.get_mut(handle) {
                entry.referred = referred;
            }
            Ok(self.open_transaction(request, b"", UsageId::None.new_user(), false)?)
        });
        let deadline = self.now + self.core.settings.timers.t1.times(32);
        let numbered = self.dialogs.get_mut(dialog).is_some_and(|entry| {
            opened.is_ok() && core::mem::replace(&mut entry.usage.others, Others::Referred) == Others::Referred
        });
        let Some(entry) = self.referrals.get_mut(handle) else { return Err(Error::Gone) };
        let transaction = match opened {
            Ok(transaction) => transaction,
            Err(error) => {
                self.transactions.octets.release(entry.referred.block);
                self.referrals.remove(handle);
                return Err(error);
            }
        };
        let (state, seq) = (State::Asked, request.cseq().number);
        *entry = ReferralEntry { state, dialog, transaction, seq, numbered, silent, deadline, ..*entry };
        self.join_dialog(dialog);
        self.schedule_referral(handle);
        Ok(handle)
    }

    /// The peer's REFER that waits for our user.
    fn asked(&self, referral: Handle) -> Result<ReferralEntry, Error> {
        let entry = self.referrals.get(referral).ok_or(Error::Gone)?;
        if entry.state != State::Asked {
            return Err(Error::State);
        }
        let layer = &self.transactions;
        let waits = layer.is_server(entry.transaction) && !layer.has_final(entry.transaction);
        if waits { Ok(*entry) } else { Err(Error::Gone) }
    }

    /// Takes the peer's REFER with 202, and tells that what it asks for is tried.
    pub(in crate::ua) fn accept_refer(&mut self, referral: Handle, content: &Content<'_>) -> Result<(), Error> {
        content.check()?;
        let ReferralEntry { transaction, silent, .. } = self.asked(referral)?;
        let rows = [Field::Contact, Field::Server, Field::Refer(Rows::Silent(silent))];
        self.respond_with(transaction, 202, true, &rows, content)?;
        let lifetime = self.core.settings.ring_limit + self.sixty_four_t1();
        let Some(entry) = self.referrals.get_mut(referral) else { return Ok(()) };
        let action = entry.state.receive(Input::Accept);
        entry.status = 100;
        entry.deadline = self.now + lifetime;
        self.schedule_referral(referral);
        if silent {
            self.end_referral_later(referral, ReferCause::NotTold, 202);
        } else {
            self.tell_peer(referral, action);
        }
        Ok(())
    }

    /// Refuses the peer's REFER.
    pub(in crate::ua) fn reject_refer(
        &mut self,
        referral: Handle,
        status: u16,
        content: &Content<'_>,
    ) -> Result<(), Error> {
        content.check()?;
        if !(300..=699).contains(&status) {
            return Err(Error::Invalid(Argument::RefusalStatus));
        }
        let transaction = self.asked(referral)?.transaction;
        self.respond_with(transaction, status, true, &[Field::Server], content)?;
        if let Some(entry) = self.referrals.get_mut(referral)
            && entry.state.receive(Input::Refuse) == Action::End
        {
            self.end_referral_later(referral, ReferCause::Refused, status);
        }
        Ok(())
    }

    /// Takes the peer's REFER and calls whom it names.
    pub(in crate::ua) fn follow_refer(&mut self, referral: Handle, content: &Content<'_>) -> Result<Call, Error> {
        let referred = self.asked(referral)?.referred;
        let call = self.invite_referred(referred, content)?;
        if let Some(entry) = self.referrals.get_mut(referral) {
            entry.call = call.0;
        }
        // Without room for the 202 the call is not to be: its INVITE has not gone out yet.
        let accepted = self.accept_refer(referral, &Content::NONE);
        accepted.inspect_err(|_| self.take_back(call.0))?;
        Ok(call)
    }

    /// As [`follow_refer`](Self::follow_refer), with an offer made of what this end can do.
    #[cfg(feature = "offer-answer")]
    pub(in crate::ua) fn follow_refer_with(
        &mut self,
        referral: Handle,
        local: &Capabilities<'_>,
    ) -> Result<Call, SessionError> {
        self.open_with(local, &[], |context, content| context.follow_refer(referral, content))
    }

    /// Forgets a call whose INVITE was not sent yet.
    fn take_back(&mut self, call: Handle) {
        let invite = self.calls.get(call).map_or(TransactionId::NONE, |entry| entry.invite);
        self.transactions.abandon(invite);
        self.close_call(call);
    }

    /// Tells how what was asked for goes on, to whom asked for it.
    pub(in crate::ua) fn notify_refer(&mut self, referral: Handle, status: u16) -> Result<(), Error> {
        if !(100..=699).contains(&status) {
            return Err(Error::Invalid(Argument::Status));
        }
        let entry = self.referrals.get(referral).ok_or(Error::Gone)?;
        if !entry.state.tells() {
            return Err(Error::State);
        }
        self.refer_news(referral, status);
        Ok(())
    }

    /// An event of a call, which a REFER may have asked for.
    #[inline(never)]
    pub(in crate::ua) fn refer_follows(&mut self, event: &Event) {
        let (of, status) = match *event {
            Event::Progress { call, status, .. } => (call, status),
            Event::Answered { call, .. } => (call, 200),
            Event::Ended { call, cause, status } => (call, outcome(cause, status)),
            _ => return,
        };
        let found = self.referrals.view().iter().find(|(_, entry)| entry.call == of.0 && entry.state.tells());
        if let Some((referral, _)) = found {
            self.refer_news(referral, status);
        }
    }

    fn refer_news(&mut self, referral: Handle, status: u16) {
        let Some(entry) = self.referrals.get_mut(referral) else { return };
        entry.status = status;
        let action = entry.state.receive(if status < 200 { Input::News } else { Input::LastNews });
        self.tell_peer(referral, action);
    }

    /// Sends the NOTIFY that is due, if one is.
    pub(super) fn tell_peer(&mut self, referral: Handle, action: Action) {
        let Some(entry) = self.referrals.get(referral) else { return };
        let (dialog, status) = (entry.dialog, entry.status);
        let id = if entry.numbered { entry.seq } else { 0 };
        let rows = match action {
            Action::Notify => Rows::Active(id, self.seconds_left(entry).max(1)),
            Action::NotifyLast => Rows::Terminated(id, status >= 200),
            _ => return,
        };
        let mut buffer = [0; Sipfrag::MAX_LEN];
        let length = Sipfrag::write(status, &mut buffer).unwrap_or_default();
        let bytes = buffer.get(..length).unwrap_or_default();
        let content = Content { headers: &[], body: Some(Body { content_type: Sipfrag::CONTENT_TYPE, bytes }) };
        let user = UsageId::Refer(ReferTransaction::Notify(referral)).new_user();
        match self.send_in_dialog_with(dialog, Method::Notify, user, Field::Refer(rows), &content) {
            Ok(id) => {
                if let Some(entry) = self.referrals.get_mut(referral) {
                    entry.transaction = id;
                }
            }
            Err(_) => self.end_referral_later(referral, ReferCause::NoRoom, status),
        }
    }

    /// A final response to our NOTIFY, or none.
    pub(super) fn notify_done(&mut self, referral: Handle, id: TransactionId, is_2xx: bool) {
        let Some(entry) = self.referrals.get_mut(referral).filter(|entry| entry.transaction == id) else { return };
        let status = entry.status;
        match entry.state.receive(if is_2xx { Input::Notified } else { Input::NotifyFailed }) {
            Action::End => {
                let cause = if is_2xx { cause_of(status) } else { ReferCause::Lost };
                self.end_referral_later(referral, cause, status);
            }
            action => self.tell_peer(referral, action),
        }
    }

    /// The peer refreshes or ends the subscription of its REFER (RFC 3515 §2.4.4); whether there is one.
    pub(in crate::ua) fn refer_subscribed(&mut self, dialog: Handle, request: &Message<'_>) -> bool {
        let Some(package) = request.event().and_then(Result::ok).filter(|event| event.package() == b"refer") else {
            return false;
        };
        let meant = |entry: &ReferralEntry| entry.state.tells() && entry.is_meant(dialog, &package);
        let found = self.referrals.view().iter().find(|(_, entry)| meant(entry));
        let Some((referral, entry)) = found else { return false };
        let left = self.seconds_left(entry);
        let ends = request.expires() == Some(0);
        let rows = [Field::Expires(if ends { 0 } else { left }), Field::Contact];
        self.respond_final(request, 200, b"", false, &rows);
        if let Some(entry) = self.referrals.get_mut(referral) {
            // Each gets a NOTIFY with what there is to tell (RFC 6665 §4.2.1.2).
            let action = entry.state.receive(if ends { Input::TimeUp } else { Input::News });
            self.tell_peer(referral, action);
        }
        true
    }
}

/// What a call that has ended was worth to whom asked for it.
const fn outcome(cause: Cause, status: u16) -> u16 {
    match (status, cause) {
        (200.., _) => status,
        (_, Cause::LocalHangup | Cause::Cancelled) => 487,
        (_, Cause::NoAnswer | Cause::Timeout) => 408,
        (_, Cause::NotAcceptable) => 488,
        (_, Cause::NoRoom) => 500,
        _ => 503,
    }
}
