//! The end of a call (RFC 3261 §9, §15): hang-up, CANCEL, BYE, and the limits on waiting.

use super::agent::Agent;
use super::content::Content;
use super::entry::{CallState, Owner, Tries};
use super::event::Cause;
use crate::dialog::State;
use crate::error::Error;
use crate::memory::{Block, Handle, KeptBlocks, Octets};
use crate::message::{Header, Message, Method, build};
use crate::random::Token;
use crate::time::Instant;
use crate::transaction::{NewClient, TransactionId};

impl<O: Octets> Agent<'_, O> {
    /// Ends a call in whatever state it is; `headers` go into the CANCEL, BYE or refusal that does it.
    pub(super) fn hang_up(&mut self, now: Instant, call: Handle, headers: &[Header<'_>]) -> Result<(), Error> {
        let state = self.call(call).ok_or(Error::Gone)?.state;
        if matches!(state, CallState::Calling | CallState::Established) {
            let rows = Content::keep_headers(headers, self.octets)?;
            let entry = self.call_mut(call).ok_or(Error::Gone)?;
            let old = core::mem::replace(&mut entry.farewell, rows);
            self.octets.release(old);
        }
        let entry = self.call_mut(call).ok_or(Error::Gone)?;
        match state {
            CallState::Calling => {
                entry.hangup = true;
                entry.cause = Cause::LocalHangup;
                self.give_up(now, call);
                Ok(())
            }
            CallState::Ringing => self.reject(now, call, 486, &Content { headers, body: None }),
            CallState::Established => {
                self.lose_call(now, call, Cause::LocalHangup, 0);
                Ok(())
            }
            CallState::Ending => Ok(()),
            CallState::Over | CallState::Free => Err(Error::Gone),
        }
    }

    /// Ends a call that has no final response: now, when nobody has seen its INVITE; by CANCEL, when a provisional response
    /// has come; else with the next response, or Timer B (RFC 3261 §9.1).
    fn give_up(&mut self, now: Instant, call: Handle) {
        let Some(entry) = self.call(call) else { return };
        let (invite, cause, provisional) = (entry.invite, entry.cause, entry.provisional);
        if self.layer().state(invite) == Some(crate::transaction::State::Parked) {
            self.layer().abandon(invite);
            self.end_later(now, call, cause, 0);
        } else if provisional {
            self.cancel(now, call);
        }
    }

    /// Sends the CANCEL of a call's INVITE, once, and gives its final response 64·T1 (RFC 3261 §9.1).
    pub(super) fn cancel(&mut self, now: Instant, call: Handle) {
        let patience = self.patience();
        let Some(entry) = self.call_mut(call) else { return };
        if core::mem::replace(&mut entry.cancelled, true) {
            return;
        }
        entry.limit_at = now + patience;
        let (invite, rows) = (entry.invite, entry.farewell);
        self.arm_call(call);
        self.send_cancel(now, invite, rows);
    }

    /// Sends the CANCEL of one of our INVITEs.
    pub(super) fn send_cancel(&mut self, now: Instant, invite: TransactionId, rows: Block) {
        let layer = self.layer();
        let (block, flow) = (layer.block(invite), layer.flow(invite));
        let Some(branch) = Message::parse(self.octets.get(block)).ok().and_then(|invite| own_branch(&invite)) else {
            return;
        };
        let size = self.octets.get(block).len();
        let written = self.octets.write(size, true, |kept, writer| {
            if let Ok(invite) = Message::parse(kept.get(block)) {
                build::cancel(writer, &invite, |writer| writer.raw(kept.get(rows)));
            }
        });
        if let Ok(block) = written {
            // Without room for the CANCEL the INVITE ends by its limit.
            let user = Owner::Nobody.user(Tries::default());
            let _ =
                self.send_request(now, NewClient { block, flow, method: Method::Cancel, branch, user, reserved: true });
        }
    }

    /// Ends an established call for `cause`: BYE, now or as soon as the ACK is there (RFC 3261 §15).
    pub(super) fn lose_call(&mut self, now: Instant, call: Handle, cause: Cause, status: u16) {
        let Some(entry) = self.call_mut(call) else { return };
        if matches!(entry.state, CallState::Ending | CallState::Over) {
            // One BYE, and the first cause, are enough.
            return;
        }
        entry.cause = cause;
        entry.status = status;
        entry.state = CallState::Ending;
        let dialog = entry.dialog;
        let Some(entry) = self.dialog_mut(dialog) else {
            self.end_later(now, call, cause, status);
            return;
        };
        if entry.resend_interval > 0 && entry.is_callee {
            entry.bye_due = true;
            return;
        }
        if entry.answer_due {
            let (seq, invite) = (entry.ack_seq, entry.ack);
            let _ = self.send_ack(now, dialog, seq, invite, &Content::NONE);
        }
        if self.send_bye(now, dialog).is_err() {
            self.end_later(now, call, cause, status);
        }
    }

    /// Sends the BYE of a dialog.
    pub(super) fn send_bye(&mut self, now: Instant, dialog: Handle) -> Result<(), Error> {
        let call = self.dialog(dialog).map_or(Handle::NONE, |entry| entry.call);
        let rows = self.call(call).map_or(Block::NONE, |entry| entry.farewell);
        self.send_in_dialog(now, dialog, Method::Bye, Owner::Bye(dialog), rows, &Content::NONE)?;
        if let Some(entry) = self.dialog_mut(dialog) {
            entry.state = State::Terminating;
            entry.retry_at = Instant::ZERO;
        }
        self.arm_dialog(dialog);
        Ok(())
    }

    /// The response to a BYE: whatever it says, the dialog is over.
    pub(super) fn bye_done(&mut self, now: Instant, dialog: Handle) -> Option<(Handle, Cause, u16)> {
        let entry = self.dialog(dialog)?;
        let call = entry.call;
        match self.call(call) {
            Some(entry) => Some((call, entry.cause, entry.status)),
            None => {
                self.drop_dialog(now, dialog);
                None
            }
        }
    }

    /// The call's limit has come: nobody answered, or nothing came after the CANCEL.
    pub(super) fn call_limit(&mut self, now: Instant, call: Handle) {
        let Some(entry) = self.call_mut(call) else { return };
        entry.limit_at = Instant::ZERO;
        let (cause, status, invite) = (entry.cause, entry.status, entry.invite);
        match entry.state {
            CallState::Calling if entry.cancelled => {
                self.layer().abandon(invite);
                self.end_later(now, call, cause, status);
            }
            CallState::Calling => {
                if !entry.hangup {
                    entry.hangup = true;
                    entry.cause = Cause::NoAnswer;
                }
                self.give_up(now, call);
            }
            CallState::Ringing => {
                let _ = self.refuse(now, call, 480, Cause::NoAnswer, &Content::NONE);
            }
            CallState::Established => self.reinvite_limit(now, call),
            CallState::Ending | CallState::Over | CallState::Free => {}
        }
    }
}

/// The token in the branch of a request that we wrote.
fn own_branch(request: &Message<'_>) -> Option<Token> {
    Token::read(request.top_via().branch()?.strip_prefix(b"z9hG4bK")?)
}
