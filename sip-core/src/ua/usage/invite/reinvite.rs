//! Our re-INVITE (RFC 3261 §14.1): its responses, glare, and the ACK.

use crate::dialog::State;
use crate::error::Error;
use crate::memory::{Block, Handle, KeptBlocks, Octets};
use crate::message::{Message, Method};
use crate::role::Received;
use crate::time::{Duration, Instant};
use crate::transaction::{NewClient, TransactionId};
use crate::ua::auth::Again;
use crate::ua::content::Content;
use crate::ua::context::Context;
use crate::ua::event::{Call, Cause, Event};
use crate::ua::usage::invite::{CallState, InviteTransaction};

impl<O: Octets> Context<'_, O> {
    /// Sends a re-INVITE.
    pub(in crate::ua) fn reinvite(&mut self, call: Handle, content: &Content<'_>) -> Result<(), Error> {
        content.check()?;
        let entry = self.calls.get(call).ok_or(Error::Gone)?;
        let (state, dialog) = (entry.state, entry.dialog);
        let entry = self.dialogs.get(dialog).ok_or(Error::Gone)?;
        let busy = entry.answer_due || entry.resend_interval > 0 || !entry.retry.is_none();
        let invite = entry.invite;
        let layer = &self.transactions;
        if state != CallState::Established || busy || layer.is_client(invite) || layer.is_server(invite) {
            return Err(Error::State);
        }
        let invite = self.send_in_dialog(
            dialog,
            Method::Invite,
            InviteTransaction::Reinvite(dialog).new_user(),
            Block::NONE,
            content,
        )?;
        if let Some(entry) = self.dialogs.get_mut(dialog) {
            entry.invite = invite;
        }
        if let Some(entry) = self.calls.get_mut(call) {
            entry.offered = content.body.is_some();
        }
        self.limit_ringing(call);
        Ok(())
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
        if status < 200 {
            return Received::Nothing;
        }
        let call = entry.call;
        if entry.invite != id {
            if status < 300 {
                self.acknowledge_again(dialog, response.cseq().number);
            }
            return Received::Nothing;
        }
        let ending = entry.state == State::Terminating;
        if status == 491 && !ending && self.keep_for_retry(dialog, id) {
            return Received::Nothing;
        }
        self.finish_reinvite(dialog, call);
        let offered = self.calls.get(call).is_some_and(|entry| entry.offered);
        let mut answer_due = false;
        if status < 300 {
            // Without room for a new target the old one stays.
            let _ = self.refresh_target(dialog, response);
            let (seq, invite) = (response.cseq().number, self.transactions.block(id));
            answer_due = !offered && !response.body().is_empty() && !ending;
            if answer_due {
                self.expect_answer(dialog, id, seq);
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
        Received::Event(Event::Reinvited { call: Call(call), status, answer_due })
    }

    /// A re-INVITE, ours or the peer's, is no longer under way.
    pub(in crate::ua) fn finish_reinvite(&mut self, dialog: Handle, call: Handle) {
        if let Some(entry) = self.dialogs.get_mut(dialog) {
            entry.invite = TransactionId::NONE;
        }
        if let Some(entry) = self.calls.get_mut(call) {
            entry.ring_deadline = Instant::ZERO;
            entry.repeat_at = Instant::ZERO;
        }
        self.schedule_call(call);
    }

    /// A re-INVITE had no final response, or its flow failed.
    pub(in crate::ua) fn reinvite_failed(&mut self, dialog: Handle, id: TransactionId, status: u16) {
        let Some(entry) = self.dialogs.get(dialog) else { return };
        if entry.invite != id {
            return;
        }
        let (call, ending) = (entry.call, entry.state == State::Terminating);
        self.finish_reinvite(dialog, call);
        if let Some(entry) = self.calls.get_mut(call).filter(|_| !ending) {
            entry.reinvite_status = status;
            entry.pending.reinvited = true;
            self.tell_call(call);
            // No response at all means that the peer is gone (§12.2.1.2).
            self.lose_call(call, Cause::Lost, status);
        }
    }

    /// Both ends sent a re-INVITE: ours is kept and goes out again after a random wait (§14.1).
    fn keep_for_retry(&mut self, dialog: Handle, id: TransactionId) -> bool {
        let block = self.transactions.block(id);
        let size = self.transactions.octets.get(block).len();
        let Ok(copy) = self.transactions.octets.write(size, false, |kept, writer| writer.raw(kept.get(block))) else {
            return false;
        };
        // In units of 10 ms: 2.1 to 4 s for the owner of the Call-ID, up to 2 s for the other.
        let wait = self.core.random.below(190);
        let table = &mut self.dialogs;
        let Some(entry) = table.get_mut(dialog) else { return false };
        let units = if entry.is_callee { wait } else { wait.saturating_add(211) };
        entry.retry_at = self.now + Duration::from_millis(u64::from(units.saturating_mul(10).max(1)));
        entry.invite = TransactionId::NONE;
        self.transactions.octets.release(core::mem::replace(&mut entry.retry, copy));
        self.schedule_dialog(dialog);
        true
    }

    pub(in crate::ua) fn retry_reinvite(&mut self, dialog: Handle) {
        let Some(entry) = self.dialogs.get_mut(dialog) else { return };
        let old = core::mem::replace(&mut entry.retry, Block::NONE);
        let (call, flow, waiting) = (entry.call, entry.flow, entry.invite);
        let busy = entry.state != State::Confirmed || self.transactions.is_server(waiting);
        let sent = if busy { None } else { self.rewrite(old, false, &Again::NOTHING) };
        self.transactions.octets.release(old);
        let user = InviteTransaction::Reinvite(dialog).new_user();
        let method = Method::Invite;
        let sent = sent.and_then(|new| {
            let client = NewClient { block: new.block, flow, method, branch: new.branch, user, reserved: false };
            self.send_request(client).ok()
        });
        if let Some(id) = sent {
            if let Some(entry) = self.dialogs.get_mut(dialog) {
                entry.invite = id;
            }
        } else if let Some(entry) = self.calls.get_mut(call)
            && entry.state == CallState::Established
        {
            entry.reinvite_status = 491;
            entry.pending.reinvited = true;
            self.tell_call(call);
        }
    }

    /// Tells the application to send a re-INVITE in each established call.
    pub(in crate::ua) fn refresh_calls(&mut self) {
        for index in 0..self.calls.capacity() {
            let Some(handle) = self.calls.handle_at(index) else { continue };
            let Some(entry) = self.calls.get_mut(handle) else { continue };
            if entry.state == CallState::Established {
                entry.pending.refresh_due = true;
                self.tell_call(handle);
            }
        }
    }

    /// An INVITE inside an established call has lasted too long: ours is cancelled, the peer's refused.
    pub(in crate::ua) fn reinvite_limit(&mut self, call: Handle) {
        let Some(dialog) = self.calls.get(call).map(|entry| entry.dialog) else { return };
        let Some(invite) = self.dialogs.get(dialog).map(|entry| entry.invite) else { return };
        let patience = self.sixty_four_t1();
        if self.transactions.is_client(invite) {
            self.send_cancel(invite, Block::NONE);
            self.transactions.limit(self.now, invite, patience);
        } else {
            // It may have been answered in the meantime.
            let _ = self.refuse(call, 480, Cause::NoAnswer, &Content::NONE);
        }
    }
}
