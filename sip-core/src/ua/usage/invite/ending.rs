//! The end of a call (RFC 3261 §9, §15): hang-up, CANCEL, BYE, and the limits on waiting.

use crate::dialog::{Dialog, key};
use crate::error::Error;
use crate::memory::{Block, Handle, KeptBlocks, Octets};
use crate::message::{Header, HeaderName, Kept, Message, Method};
use crate::role::Received;
use crate::time::Instant;
use crate::transaction::{self, TransactionId};
use crate::ua::content::Content;
use crate::ua::context::Context;
use crate::ua::event::{Cause, Event};
use crate::ua::headers::tag_of;
use crate::ua::usage::UsageId;
#[cfg(feature = "refer")]
use crate::ua::usage::invite::entry::Others;
use crate::ua::usage::invite::entry::Timer;
use crate::ua::usage::invite::machine::{Action, Exchange, Input, State};
use crate::ua::usage::invite::{CallEntry, InviteTransaction};

impl<O: Octets> Context<'_, O> {
    /// Ends a call in whatever state it is; `headers` go into the CANCEL, BYE or refusal that does it.
    pub(in crate::ua) fn hang_up(&mut self, call: Handle, headers: &[Header<'_>]) -> Result<(), Error> {
        let state = self.calls.get(call).ok_or(Error::Gone)?.state;
        if state.awaits_final() || state.is_up() {
            let rows = Content::keep_headers(headers, self.transactions.octets)?;
            let entry = self.calls.get_mut(call).ok_or(Error::Gone)?;
            let old = core::mem::replace(&mut entry.end_headers, rows);
            self.transactions.octets.release(old);
        }
        match state {
            State::Calling | State::Proceeding | State::CancelDue | State::Cancelling => {
                self.give_up(call, Cause::LocalHangup, Input::GiveUp);
            }
            State::Ringing => self.reject(call, 486, &Content { headers, body: None })?,
            State::Accepted | State::Established => self.lose_call(call, Cause::LocalHangup, 0),
            State::ByeDue | State::Ending => {}
            State::Over | State::Free => return Err(Error::Gone),
        }
        Ok(())
    }

    /// Ends a call that has no final response: now, when nobody has seen its INVITE; by CANCEL, when a provisional response
    /// has come; else with the next response, or Timer B (RFC 3261 §9.1).
    pub(in crate::ua) fn give_up(&mut self, call: Handle, cause: Cause, input: Input) {
        let Some(entry) = self.calls.get_mut(call) else { return };
        entry.cause = cause;
        let invite = entry.invite;
        if self.transactions.state(invite) == Some(transaction::State::Parked) {
            self.transactions.abandon(invite);
            self.end_later(call, cause, 0);
        } else if entry.state.receive(input) == Action::Cancel {
            self.cancel(call);
        }
    }

    /// Sends the CANCEL of a call's INVITE, and gives its final response 64·T1 (RFC 3261 §9.1).
    pub(in crate::ua) fn cancel(&mut self, call: Handle) {
        let patience = self.sixty_four_t1();
        let Some(entry) = self.calls.get_mut(call) else { return };
        entry.set(Timer::Limit, self.now + patience);
        let (invite, rows) = (entry.invite, entry.end_headers);
        self.schedule_call(call);
        self.send_cancel(invite, rows);
    }

    /// Sends the CANCEL of one of our INVITEs.
    pub(in crate::ua) fn send_cancel(&mut self, invite: TransactionId, rows: Block) {
        let user = UsageId::None.new_user();
        // Without room for the CANCEL the INVITE ends all the same in 64·T1.
        let _ = self.transactions.cancel(self.now, invite, user, &|kept, writer| writer.raw(kept.get(rows)));
    }

    /// Ends a call that has a 2xx for `cause`: BYE, now or as soon as the ACK is there (RFC 3261 §15). One BYE, and the first
    /// cause, are enough.
    pub(in crate::ua) fn lose_call(&mut self, call: Handle, cause: Cause, status: u16) {
        let Some(entry) = self.calls.get_mut(call) else { return };
        if !entry.state.is_up() {
            return;
        }
        entry.cause = cause;
        entry.status = status;
        let is_callee = self.dialogs.get(entry.dialog).is_some_and(Dialog::is_callee);
        if entry.state.receive(if is_callee { Input::GiveUp } else { Input::Leave }) == Action::Bye {
            self.end_by_bye(call);
        }
    }

    /// Sends the BYE of a call, behind the ACK that was due.
    pub(in crate::ua) fn end_by_bye(&mut self, call: Handle) {
        let Some(&CallEntry { dialog, cause, status, exchange, invite_seq, kept_invite, .. }) = self.calls.get(call)
        else {
            return;
        };
        if exchange == Exchange::AnswerDue {
            let _ = self.send_ack(dialog, invite_seq, kept_invite, &Content::NONE);
        }
        if let Some(entry) = self.calls.get_mut(call) {
            entry.stop_timers();
        }
        self.schedule_call(call);
        if self.send_bye(dialog).is_err() {
            self.end_later(call, cause, status);
        }
    }

    /// A request of the application inside a dialog was answered with 481 or 408, or not at all: the call is over, because its
    /// peer no longer knows of it (RFC 3261 §12.2.1.2).
    pub(in crate::ua) fn peer_lost(&mut self, dialog: Handle, status: u16) {
        let Some(entry) = self.dialogs.get(dialog) else { return };
        let call = entry.usage.call;
        if self.calls.get(call).is_some_and(|entry| entry.state.is_up()) {
            self.lose_call(call, Cause::Lost, status);
        }
    }

    /// The dialog inside which a request of ours was sent.
    pub(in crate::ua) fn dialog_of_own(&self, id: TransactionId) -> Option<Handle> {
        self.dialog_of_request(self.transactions.block(id))
    }

    /// The dialog inside which a request of ours is to be sent, by its tags.
    #[inline(never)]
    pub(in crate::ua) fn dialog_of_request(&self, block: Block) -> Option<Handle> {
        let request = Kept::new(self.transactions.octets.get(block));
        let from = tag_of(request.header(HeaderName::From))?;
        let to = tag_of(request.header(HeaderName::To)).unwrap_or_default();
        self.dialogs.find(0, key(&self.core.hash, request.header(HeaderName::CallId), from, to))
    }

    /// Sends the BYE of a dialog.
    pub(in crate::ua) fn send_bye(&mut self, dialog: Handle) -> Result<(), Error> {
        let call = self.dialogs.get(dialog).map_or(Handle::NONE, |entry| entry.usage.call);
        let rows = self.calls.get(call).map_or(Block::NONE, |entry| entry.end_headers);
        self.send_in_dialog(dialog, Method::Bye, InviteTransaction::Bye(dialog).new_user(), rows, &Content::NONE)?;
        if let Some(entry) = self.dialogs.get_mut(dialog) {
            entry.terminate();
        }
        Ok(())
    }

    /// The peer's BYE (§15.1.2).
    pub(in crate::ua) fn bye(&mut self, dialog: Handle, request: &Message<'_>) -> Received<Event> {
        let Some(entry) = self.dialogs.get(dialog) else { return Received::Stray };
        let call = entry.usage.call;
        let Some(&CallEntry { mut state, cause, .. }) = self.calls.get(call) else {
            self.bye_without_call(dialog, request);
            return Received::Nothing;
        };
        if state.awaits_final() {
            return self.early_bye(call, dialog, request);
        }
        self.accept(request, b"", call);
        // When both hung up, ours was first as we see it.
        let ours = matches!(state, State::ByeDue | State::Ending) && cause == Cause::LocalHangup;
        match state.receive(Input::Bye) {
            Action::End => self.end_now(call, if ours { cause } else { Cause::RemoteHangup }, 0),
            _ => Received::Nothing,
        }
    }

    /// The peer's BYE in a dialog that has no call: one that we are ending, or one that other usages have still, whose call was over
    /// before (RFC 5057 §4.1).
    fn bye_without_call(&mut self, dialog: Handle, request: &Message<'_>) {
        #[cfg(feature = "refer")]
        if self.dialogs.get(dialog).is_some_and(|entry| entry.usage.others == Others::Alone) {
            return self.reply_bare(request, 481);
        }
        self.accept(request, b"", Handle::NONE);
        self.drop_dialog(dialog);
    }

    /// The response to a BYE: whatever it says, the dialog is over.
    pub(in crate::ua) fn bye_done(&mut self, dialog: Handle) -> Option<(Handle, Cause, u16)> {
        let entry = self.dialogs.get(dialog)?;
        let call = entry.usage.call;
        let Some(entry) = self.calls.get_mut(call) else {
            self.drop_dialog(dialog);
            return None;
        };
        (entry.state.receive(Input::ByeDone) == Action::End).then_some((call, entry.cause, entry.status))
    }

    /// The call's limit has come: nobody answered, nothing came after the CANCEL, or no ACK.
    pub(in crate::ua) fn call_limit(&mut self, call: Handle) {
        let Some(entry) = self.calls.get_mut(call) else { return };
        entry.set(Timer::Limit, Instant::ZERO);
        let (cause, status, invite) = (entry.cause, entry.status, entry.invite);
        match entry.state {
            State::Calling | State::Proceeding => self.give_up(call, Cause::NoAnswer, Input::TimeUp),
            State::Cancelling => {
                self.transactions.abandon(invite);
                self.end_later(call, cause, status);
            }
            State::Ringing => {
                let status = if entry.expires { 487 } else { 480 };
                let _ = self.refuse(call, status, Cause::NoAnswer, &Content::NONE);
            }
            State::Accepted | State::ByeDue => {
                if entry.state == State::Accepted {
                    entry.cause = Cause::NoAck;
                    entry.status = 0;
                }
                let _ = entry.state.receive(Input::TimeUp);
                entry.exchanged = TransactionId::NONE;
                self.end_by_bye(call);
            }
            State::Established => self.reinvite_limit(call),
            State::CancelDue | State::Ending | State::Over | State::Free => {}
        }
    }
}
