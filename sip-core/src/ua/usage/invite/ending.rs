//! The end of a call (RFC 3261 §9, §15): hang-up, CANCEL, BYE, and the limits on waiting.

use crate::dialog::State;
use crate::error::Error;
use crate::memory::{Block, Handle, KeptBlocks, Octets};
use crate::message::{Header, Kept, MAGIC_COOKIE, Message, Method, build};
use crate::random::Token;
use crate::role::Received;
use crate::time::Instant;
use crate::transaction::{NewClient, TransactionId};
use crate::ua::content::Content;
use crate::ua::context::Context;
use crate::ua::event::{Cause, Event};
use crate::ua::usage::UsageId;
use crate::ua::usage::invite::{CallState, InviteTransaction};

impl<O: Octets> Context<'_, O> {
    /// Ends a call in whatever state it is; `headers` go into the CANCEL, BYE or refusal that does it.
    pub(in crate::ua) fn hang_up(&mut self, call: Handle, headers: &[Header<'_>]) -> Result<(), Error> {
        let state = self.calls.get(call).ok_or(Error::Gone)?.state;
        if matches!(state, CallState::Calling | CallState::Established) {
            let rows = Content::keep_headers(headers, self.transactions.octets)?;
            let entry = self.calls.get_mut(call).ok_or(Error::Gone)?;
            let old = core::mem::replace(&mut entry.end_headers, rows);
            self.transactions.octets.release(old);
        }
        let entry = self.calls.get_mut(call).ok_or(Error::Gone)?;
        match state {
            CallState::Calling => {
                entry.hangup = true;
                entry.cause = Cause::LocalHangup;
                self.give_up(call);
                Ok(())
            }
            CallState::Ringing => self.reject(call, 486, &Content { headers, body: None }),
            CallState::Established => {
                self.lose_call(call, Cause::LocalHangup, 0);
                Ok(())
            }
            CallState::Ending => Ok(()),
            CallState::Over | CallState::Free => Err(Error::Gone),
        }
    }

    /// Ends a call that has no final response: now, when nobody has seen its INVITE; by CANCEL, when a provisional response
    /// has come; else with the next response, or Timer B (RFC 3261 §9.1).
    fn give_up(&mut self, call: Handle) {
        let Some(entry) = self.calls.get(call) else { return };
        let (invite, cause, provisional) = (entry.invite, entry.cause, entry.provisional);
        if self.transactions.state(invite) == Some(crate::transaction::State::Parked) {
            self.transactions.abandon(invite);
            self.end_later(call, cause, 0);
        } else if provisional {
            self.cancel(call);
        }
    }

    /// Sends the CANCEL of a call's INVITE, once, and gives its final response 64·T1 (RFC 3261 §9.1).
    pub(in crate::ua) fn cancel(&mut self, call: Handle) {
        let patience = self.sixty_four_t1();
        let Some(entry) = self.calls.get_mut(call) else { return };
        if core::mem::replace(&mut entry.cancelled, true) {
            return;
        }
        entry.ring_deadline = self.now + patience;
        let (invite, rows) = (entry.invite, entry.end_headers);
        self.schedule_call(call);
        self.send_cancel(invite, rows);
    }

    /// Sends the CANCEL of one of our INVITEs.
    pub(in crate::ua) fn send_cancel(&mut self, invite: TransactionId, rows: Block) {
        let layer = &self.transactions;
        let (block, flow) = (layer.block(invite), layer.flow(invite));
        let Some(branch) = own_branch(&Kept::new(self.transactions.octets.get(block))) else { return };
        let size = self.transactions.octets.get(block).len();
        let written = self.transactions.octets.write(size, true, |kept, writer| {
            build::cancel(writer, &Kept::new(kept.get(block)), |writer| writer.raw(kept.get(rows)));
        });
        if let Ok(block) = written {
            // Without room for the CANCEL the INVITE ends by its limit.
            let user = UsageId::None.new_user();
            let _ = self.send_request(NewClient { block, flow, method: Method::Cancel, branch, user, reserved: true });
        }
    }

    /// Ends an established call for `cause`: BYE, now or as soon as the ACK is there (RFC 3261 §15).
    pub(in crate::ua) fn lose_call(&mut self, call: Handle, cause: Cause, status: u16) {
        let Some(entry) = self.calls.get_mut(call) else { return };
        if matches!(entry.state, CallState::Ending | CallState::Over) {
            // One BYE, and the first cause, are enough.
            return;
        }
        entry.cause = cause;
        entry.status = status;
        entry.state = CallState::Ending;
        let dialog = entry.dialog;
        let Some(entry) = self.dialogs.get_mut(dialog) else {
            self.end_later(call, cause, status);
            return;
        };
        if entry.resend_interval > 0 && entry.is_callee {
            entry.bye_due = true;
            return;
        }
        if entry.answer_due {
            let (seq, invite) = (entry.ack_seq, entry.ack);
            let _ = self.send_ack(dialog, seq, invite, &Content::NONE);
        }
        if self.send_bye(dialog).is_err() {
            self.end_later(call, cause, status);
        }
    }

    /// Sends the BYE of a dialog.
    pub(in crate::ua) fn send_bye(&mut self, dialog: Handle) -> Result<(), Error> {
        let call = self.dialogs.get(dialog).map_or(Handle::NONE, |entry| entry.call);
        let rows = self.calls.get(call).map_or(Block::NONE, |entry| entry.end_headers);
        self.send_in_dialog(dialog, Method::Bye, InviteTransaction::Bye(dialog).new_user(), rows, &Content::NONE)?;
        if let Some(entry) = self.dialogs.get_mut(dialog) {
            entry.state = State::Terminating;
            entry.retry_at = Instant::ZERO;
        }
        self.schedule_dialog(dialog);
        Ok(())
    }

    /// The peer's BYE (§15.1.2).
    pub(in crate::ua) fn bye(&mut self, dialog: Handle, request: &Message<'_>) -> Received<Event> {
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

    /// The response to a BYE: whatever it says, the dialog is over.
    pub(in crate::ua) fn bye_done(&mut self, dialog: Handle) -> Option<(Handle, Cause, u16)> {
        let entry = self.dialogs.get(dialog)?;
        let call = entry.call;
        match self.calls.get(call) {
            Some(entry) => Some((call, entry.cause, entry.status)),
            None => {
                self.drop_dialog(dialog);
                None
            }
        }
    }

    /// The call's limit has come: nobody answered, or nothing came after the CANCEL.
    pub(in crate::ua) fn call_limit(&mut self, call: Handle) {
        let Some(entry) = self.calls.get_mut(call) else { return };
        entry.ring_deadline = Instant::ZERO;
        let (cause, status, invite) = (entry.cause, entry.status, entry.invite);
        match entry.state {
            CallState::Calling if entry.cancelled => {
                self.transactions.abandon(invite);
                self.end_later(call, cause, status);
            }
            CallState::Calling => {
                if !entry.hangup {
                    entry.hangup = true;
                    entry.cause = Cause::NoAnswer;
                }
                self.give_up(call);
            }
            CallState::Ringing => {
                let _ = self.refuse(call, 480, Cause::NoAnswer, &Content::NONE);
            }
            CallState::Established => self.reinvite_limit(call),
            CallState::Ending | CallState::Over | CallState::Free => {}
        }
    }
}

/// The token in the branch of a request that we wrote.
fn own_branch(request: &Kept<'_>) -> Option<Token> {
    Token::read(request.branch()?.strip_prefix(MAGIC_COOKIE)?)
}
