//! Our re-INVITE (RFC 3261 §14.1): its responses, glare, and the ACK.

use crate::dialog::{self, Dialog};
use crate::error::Error;
use crate::memory::{Block, Handle, KeptBlocks, Octets};
use crate::message::{Kept, Message, Method};
use crate::role::Received;
use crate::time::Instant;
use crate::transaction::{self, TransactionId, client_invite};
use crate::transport::Flow;
use crate::ua::auth::Again;
use crate::ua::content::Content;
use crate::ua::context::Context;
use crate::ua::event::{Call, Cause, Event};
use crate::ua::usage::invite::entry::Timer;
use crate::ua::usage::invite::machine::{Exchange, State};
use crate::ua::usage::invite::offered::MAY_OFFER;
use crate::ua::usage::invite::reliable::RELIABLE;
use crate::ua::usage::invite::update::UPDATE;
use crate::ua::usage::invite::update::machine::Open;
use crate::ua::usage::invite::{CallEntry, InviteTransaction};

impl<O: Octets> Context<'_, O> {
    /// Sends a re-INVITE.
    pub(in crate::ua) fn reinvite(&mut self, call: Handle, content: &Content<'_>) -> Result<(), Error> {
        content.check()?;
        let entry = self.calls.get(call).ok_or(Error::Gone)?;
        let dialog = entry.dialog;
        if entry.state != State::Established || entry.exchange != Exchange::Idle || !entry.kept_invite.is_none() {
            return Err(Error::State);
        }
        if MAY_OFFER && self.open_offer_of(call, dialog) != Open::None {
            return Err(Error::State);
        }
        let invite = self.send_in_dialog(
            dialog,
            Method::Invite,
            InviteTransaction::Reinvite(dialog).new_user(),
            Block::NONE,
            content,
        )?;
        self.reinvite_sent(call, invite, content.body.is_some());
        Ok(())
    }

    pub(in crate::ua) fn reinvite_sent(&mut self, call: Handle, invite: TransactionId, offers: bool) {
        if let Some(entry) = self.calls.get_mut(call) {
            entry.exchanged = invite;
            entry.offered = offers;
            entry.retried = false;
            entry.exchange = Exchange::Ours;
            let dialog = entry.dialog;
            if RELIABLE {
                self.forget_provisional(dialog);
            }
        }
        self.limit_ringing(call, None);
    }

    /// A response to a re-INVITE, before its transaction has taken it.
    pub(in crate::ua) fn reinvite_response(
        &mut self,
        dialog: Handle,
        id: TransactionId,
        response: &Message<'_>,
    ) -> Received<Event> {
        let status = response.status().unwrap_or_default();
        let Some(entry) = self.dialogs.get(dialog) else { return Received::Nothing };
        let (call, ending) = (entry.usage.call, entry.state() == dialog::State::Terminating);
        let exchange = self.calls.get_mut(call).filter(|entry| entry.exchanged == id).map(|entry| &mut entry.exchange);
        let taken = exchange.is_some();
        if status < 200 {
            if exchange.is_some_and(Exchange::provisional) {
                self.cancel_reinvite(call, id);
            } else if RELIABLE && taken {
                return self.reinvite_progress(call, dialog, response);
            }
            return Received::Nothing;
        }
        if !taken {
            if status < 300 {
                self.acknowledge_again(dialog, response.cseq().number);
            }
            return Received::Nothing;
        }
        if status == 491 && !ending && self.keep_for_retry(call, id) {
            return Received::Nothing;
        }
        self.finish_reinvite(call);
        #[cfg(feature = "offer-answer")]
        if status >= 300 {
            self.roll_back(call);
        }
        let offered = self.calls.get(call).is_some_and(|entry| entry.offered);
        let mut answer_due = false;
        if status < 300 {
            self.refresh_target(dialog, id, response);
            #[cfg(feature = "session-timer")]
            self.session_answered(call, id, response);
            let (seq, invite) = (response.cseq().number, self.transactions.block(id));
            answer_due = !offered && !response.body().is_empty() && !ending;
            if answer_due {
                self.expect_answer(call, id, seq);
            } else if self.send_ack(dialog, seq, invite, &Content::NONE).is_err() {
                self.lose_call(call, Cause::NoRoom, status);
                return Received::Nothing;
            }
        }
        if ending {
            return Received::Nothing;
        }
        if status == 481 || status == 408 {
            // The peer has lost the dialog (§12.2.1.2).
            self.lose_call(call, Cause::Lost, status);
        }
        #[cfg(feature = "session-timer")]
        if self.finish_refresh(call, status) {
            let refreshed = Received::Event(Event::Refreshed { call: Call(call) });
            return if status < 300 { refreshed } else { Received::Nothing };
        }
        Received::Event(Event::Reinvited { call: Call(call), status, answer_due })
    }

    /// A re-INVITE, ours or the peer's, is no longer under way.
    pub(in crate::ua) fn finish_reinvite(&mut self, call: Handle) {
        if let Some(entry) = self.calls.get_mut(call) {
            entry.exchanged = TransactionId::NONE;
            entry.exchange = Exchange::Idle;
            entry.set(Timer::Limit, Instant::ZERO);
            entry.set(Timer::Repeat, Instant::ZERO);
            self.transactions.octets.release(core::mem::take(&mut entry.new_target));
        }
        if RELIABLE {
            self.end_provisional(call);
        }
        self.schedule_call(call);
    }

    /// A re-INVITE had no final response, or its flow failed.
    pub(in crate::ua) fn reinvite_failed(&mut self, dialog: Handle, id: TransactionId, status: u16) {
        let Some(entry) = self.dialogs.get(dialog) else { return };
        let (call, ending) = (entry.usage.call, entry.state() == dialog::State::Terminating);
        if self.calls.get(call).is_none_or(|entry| entry.exchanged != id) {
            return;
        }
        self.finish_reinvite(call);
        #[cfg(feature = "offer-answer")]
        self.roll_back(call);
        if !ending {
            self.tell_reinvited(call, status);
            // No response at all means that the peer is gone (§12.2.1.2).
            self.lose_call(call, Cause::Lost, status);
        }
    }

    /// Both ends sent a re-INVITE: ours is kept and goes out once more after a random wait (§14.1).
    fn keep_for_retry(&mut self, call: Handle, id: TransactionId) -> bool {
        let Some(&CallEntry { dialog, retried: false, kept_invite: Block::NONE, .. }) = self.calls.get(call) else {
            return false;
        };
        let kept = self.keep_to_retry(call, dialog, id);
        if kept {
            self.finish_reinvite(call);
        }
        kept
    }

    /// Keeps a copy of our request that met a 491, for a random wait; whether there is room. No other waits in the call.
    pub(in crate::ua) fn keep_to_retry(&mut self, call: Handle, dialog: Handle, id: TransactionId) -> bool {
        let block = self.transactions.block(id);
        let size = self.transactions.octets.get(block).len();
        let Ok(copy) = self.transactions.octets.write(size, false, |kept, writer| writer.raw(kept.get(block))) else {
            return false;
        };
        let wait = self.glare_wait(dialog);
        if let Some(entry) = self.calls.get_mut(call) {
            entry.set(Timer::Retry, self.now + wait);
            entry.kept_invite = copy;
        }
        self.schedule_call(call);
        true
    }

    pub(in crate::ua) fn retry_reinvite(&mut self, call: Handle) {
        if UPDATE && self.retry_update(call) {
            return;
        }
        let Some(entry) = self.calls.get_mut(call) else { return };
        let old = core::mem::take(&mut entry.kept_invite);
        let (dialog, busy) = (entry.dialog, entry.state != State::Established || entry.exchange != Exchange::Idle);
        let flow = self.dialogs.get(dialog).map_or(Flow::NONE, Dialog::way);
        let user = InviteTransaction::Reinvite(dialog).new_user();
        let sent = if busy { None } else { self.send_block_again(old, flow, Method::Invite, user, &Again::NOTHING) };
        let offers = !Kept::new(self.transactions.octets.get(old)).body().is_empty();
        self.transactions.octets.release(old);
        if let Some(id) = sent {
            self.reinvite_sent(call, id, offers);
            if let Some(entry) = self.calls.get_mut(call) {
                entry.retried = true;
            }
        } else if self.calls.get(call).is_some_and(|entry| entry.state.is_up()) {
            #[cfg(feature = "offer-answer")]
            self.roll_back(call);
            self.tell_reinvited(call, 491);
        }
    }

    /// Tells the application to send a re-INVITE in each established call.
    pub(in crate::ua) fn refresh_calls(&mut self) {
        for index in 0..self.calls.capacity() {
            let Some(handle) = self.calls.handle_at(index) else { continue };
            let Some(entry) = self.calls.get_mut(handle) else { continue };
            if entry.state.is_up() {
                entry.pending.refresh_due = true;
                self.tell_call(handle);
            }
        }
    }

    /// An INVITE inside an established call has lasted too long: ours is cancelled, the peer's refused.
    pub(in crate::ua) fn reinvite_limit(&mut self, call: Handle) {
        let Some(entry) = self.calls.get_mut(call) else { return };
        let (dialog, status) = (entry.dialog, if entry.expires { 487 } else { 480 });
        let invite = entry.exchanged;
        match entry.exchange {
            Exchange::Ours if self.transactions.state(invite) == Some(transaction::State::Parked) => {
                // Nobody has seen it.
                self.transactions.abandon(invite);
                self.finish_reinvite(call);
                #[cfg(feature = "offer-answer")]
                self.roll_back(call);
                self.tell_reinvited(call, 408);
            }
            Exchange::Ours => {
                let proceeding = transaction::State::ClientInvite(client_invite::State::Proceeding);
                if entry.exchange.give_up(self.transactions.state(invite) == Some(proceeding)) {
                    self.cancel_reinvite(call, invite);
                }
            }
            Exchange::OursCancelled => {
                self.transactions.abandon(invite);
                self.reinvite_failed(dialog, invite, 408);
            }
            Exchange::Theirs => {
                let _ = self.refuse(call, status, Cause::NoAnswer, &Content::NONE);
            }
            Exchange::Idle | Exchange::OursCancelDue | Exchange::AnswerDue => {}
        }
    }

    /// Sends the CANCEL of a re-INVITE and gives its final response 64·T1 (§9.1).
    fn cancel_reinvite(&mut self, call: Handle, invite: TransactionId) {
        let patience = self.sixty_four_t1();
        let Some(entry) = self.calls.get_mut(call) else { return };
        entry.set(Timer::Limit, self.now + patience);
        self.schedule_call(call);
        self.send_cancel(invite, Block::NONE);
    }

    /// Tells the outcome of a re-INVITE that no message brought.
    pub(in crate::ua) fn tell_reinvited(&mut self, call: Handle, status: u16) {
        #[cfg(feature = "session-timer")]
        if self.finish_refresh(call, status) {
            return;
        }
        if let Some(entry) = self.calls.get_mut(call) {
            entry.reinvite_status = status;
            entry.pending.reinvited = true;
            self.tell_call(call);
        }
    }
}
