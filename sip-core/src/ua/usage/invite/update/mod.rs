//! UPDATE (RFC 3311): a change of the session, or of the target, inside a dialog that is early or confirmed.
//!
//! `machine.rs` has the state of ours and what meets the peer's; this file writes and reads them. An offer of the peer waits for
//! our user in `offered.rs`.

pub(in crate::ua) mod machine;

use super::machine::{Exchange, State as CallState};
use super::reliable::{receiving, sending};
use super::{CallEntry, InviteTransaction, Leg};
use crate::dialog::{self, Dialog, Usage};
use crate::error::Error;
use crate::memory::{Block, Handle, Octets};
use crate::message::{Kept, Message, Method};
use crate::role::Received;
use crate::time::{Duration, Instant};
use crate::transaction::TransactionId;
use crate::transport::Flow;
use crate::ua::auth::Again;
use crate::ua::content::Content;
use crate::ua::context::Context;
use crate::ua::event::{Call, Cause, Event};
use crate::ua::headers::Field;
use crate::ua::usage::invite::entry::Timer;
use machine::{Action, Input, Open};

/// Whether UPDATE is compiled in.
pub(in crate::ua) const UPDATE: bool = cfg!(feature = "update");

impl<O: Octets> Context<'_, O> {
    /// Sends an UPDATE, with an offer if the content has a body.
    pub(in crate::ua) fn update(&mut self, call: Handle, content: &Content<'_>) -> Result<(), Error> {
        content.check()?;
        let entry = self.calls.get(call).ok_or(Error::Gone)?;
        let (dialog, retries) = (entry.dialog, !entry.kept_invite.is_none());
        let (next, Action::Send) = entry.update.receive(Input::Send) else { return Err(Error::State) };
        let offers = content.body.is_some();
        if !self.may_update(call, dialog) || offers && (retries || self.open_offer_of(call, dialog) != Open::None) {
            return Err(Error::State);
        }
        let user = InviteTransaction::Update(dialog).new_user();
        let id = self.send_in_dialog(dialog, Method::Update, user, Block::NONE, content)?;
        if let Some(entry) = self.calls.get_mut(call) {
            (entry.update, entry.updating) = (next, id);
        }
        Ok(())
    }

    /// Whether the peer has the dialog: it is confirmed, or the only one of our INVITE, or the caller has acknowledged a response of
    /// ours (§5.1).
    fn may_update(&self, call: Handle, dialog: Handle) -> bool {
        let (Some(entry), Some(of)) = (self.calls.get(call), self.dialogs.get(dialog)) else { return false };
        let leg = of.usage;
        match entry.state {
            CallState::Accepted | CallState::Established => true,
            CallState::Calling | CallState::Proceeding => of.is_bound() && leg.next.is_none(),
            CallState::Ringing => leg.rseq > 0 && leg.sending == sending::State::Ready,
            _ => false,
        }
    }

    /// Whose offer has no answer in a dialog of a call.
    pub(in crate::ua) fn open_offer_of(&self, call: Handle, dialog: Handle) -> Open {
        let Some(entry) = self.calls.get(call) else { return Open::None };
        let leg = self.dialogs.get(dialog).map_or(Leg::ZERO, |entry| entry.usage);
        if self.offer_waits(call) {
            return Open::TheirRequest;
        }
        let update = self.transactions.block(entry.updating);
        let is_out = self.transactions.is_client(entry.updating);
        if is_out && !Kept::new(self.transactions.octets.get(update)).body().is_empty() {
            return Open::Ours;
        }
        let exchange = match (entry.state, entry.exchange) {
            (CallState::Ringing, _) => Exchange::Theirs,
            (state, _) if state.awaits_final() => Exchange::Ours,
            // Its ACK owes the answer.
            (CallState::Accepted, _) if !entry.offered => return Open::Ours,
            (_, exchange) => exchange,
        };
        match exchange {
            Exchange::Idle => Open::None,
            Exchange::AnswerDue => Open::Theirs,
            _ if leg.agreed => Open::None,
            Exchange::Theirs if entry.offered => Open::Theirs,
            _ if leg.receiving == receiving::State::AnswerDue => Open::Theirs,
            _ => Open::Ours,
        }
    }

    /// The peer's UPDATE (§5.2).
    pub(in crate::ua) fn updated(&mut self, dialog: Handle, request: &Message<'_>) -> Received<Event> {
        let call = self.dialogs.get(dialog).map_or(Handle::NONE, |entry| entry.usage.call);
        let state = self.calls.get(call).map_or(CallState::Over, |entry| entry.state);
        if matches!(state, CallState::ByeDue | CallState::Ending | CallState::Over | CallState::Free) {
            self.reply_bare(request, 481);
            return Received::Nothing;
        }
        let offers = !request.body().is_empty();
        let refusal = self.open_offer_of(call, dialog).refusal(offers);
        if refusal > 0 {
            let retry = [Field::RetryAfter(self.core.random.below(11))];
            self.respond_final(request, refusal, b"", false, if refusal == 500 { &retry } else { &[] });
            return Received::Nothing;
        }
        // Of two requests that are open at once, the INVITE says how long the session lasts.
        #[cfg(feature = "session-timer")]
        let refreshes = state.is_up() && self.calls.get(call).is_some_and(|entry| entry.exchange != Exchange::Theirs);
        #[cfg(feature = "session-timer")]
        if refreshes {
            if self.refuse_interval(request) {
                return Received::Nothing;
            }
            self.session_asked(call, request);
        }
        if !offers {
            self.refresh_by(dialog, request);
            let rows = [
                #[cfg(feature = "session-timer")]
                self.session_response(call, if refreshes { 200 } else { 0 }),
                Field::Abilities,
                Field::Contact,
                Field::Server,
            ];
            self.respond_final(request, 200, b"", false, &rows);
            #[cfg(feature = "session-timer")]
            if refreshes {
                self.session_accepted(call, &Content::NONE);
            }
            return Received::Nothing;
        }
        if self.refuse_invite(request) || !self.open_offer(call, request) {
            return Received::Nothing;
        }
        self.keep_offer_target(call, dialog, request);
        Received::Event(Event::Update { call: Call(call) })
    }

    /// Takes the remote target of a message that refreshes it at once.
    fn refresh_by(&mut self, dialog: Handle, message: &Message<'_>) {
        let source = self.source;
        let Some(entry) = self.dialogs.get_mut(dialog) else { return };
        entry.set_source(source);
        if let Some(target) = entry.identity().new_target(message, self.transactions.octets) {
            self.set_target(dialog, Some(target), Block::NONE);
        }
    }

    /// Keeps the remote target of the peer's UPDATE until our 2xx (RFC 6141 §4.3).
    fn keep_offer_target(&mut self, call: Handle, dialog: Handle, request: &Message<'_>) {
        let octets = &mut *self.transactions.octets;
        let Some(entry) = self.calls.get_mut(call) else { return };
        let new = self.dialogs.get(dialog).and_then(|dialog| dialog.identity().new_target(request, octets));
        let kept = new.and_then(|target| octets.write(target.len(), false, |_, writer| writer.raw(target)).ok());
        octets.release(core::mem::replace(&mut entry.offer_target, kept.unwrap_or_default()));
    }

    /// Takes the remote target of the peer's UPDATE, which was answered with this status.
    pub(in crate::ua) fn take_offer_target(&mut self, call: Handle, dialog: Option<Handle>, status: u16) {
        let Some(entry) = self.calls.get_mut(call) else { return };
        let target = core::mem::take(&mut entry.offer_target);
        if !target.is_none()
            && status < 300
            && let Some(dialog) = dialog
        {
            self.set_target(dialog, None, target);
        }
        self.transactions.octets.release(target);
    }

    /// A response to our UPDATE, before its transaction has taken it.
    pub(in crate::ua) fn update_response(
        &mut self,
        dialog: Handle,
        id: TransactionId,
        response: &Message<'_>,
    ) -> Received<Event> {
        let status = response.status().unwrap_or_default();
        let call = self.dialogs.get(dialog).map_or(Handle::NONE, |entry| entry.usage.call);
        let Some(entry) = self.calls.get(call).filter(|entry| entry.updating == id && status >= 200) else {
            return Received::Nothing;
        };
        let offers = !Kept::new(self.transactions.octets.get(self.transactions.block(id))).body().is_empty();
        let input = if status == 491 && offers { Input::Glare } else { Input::Final };
        let (next, mut action) = entry.update.receive(input);
        if action == Action::Keep && !self.keep_update(call, dialog, id) {
            action = Action::Tell;
        }
        if let Some(entry) = self.calls.get_mut(call) {
            entry.update = if action == Action::Keep { next } else { machine::State::Idle };
            entry.updating = TransactionId::NONE;
        }
        if action != Action::Tell {
            return Received::Nothing;
        }
        if status < 300 {
            self.refresh_by(dialog, response);
            #[cfg(feature = "session-timer")]
            if offers {
                self.described_outside(call);
            }
            #[cfg(feature = "session-timer")]
            if self.calls.get(call).is_some_and(|entry| entry.state.is_up()) {
                self.session_answered(call, id, response);
            }
        }
        #[cfg(feature = "offer-answer")]
        if offers && status >= 300 {
            self.roll_back_dialog(dialog);
        }
        self.update_lost(call, dialog, status);
        Received::Event(Event::Updated { call: Call(call), status })
    }

    /// No response will come to our UPDATE.
    pub(in crate::ua) fn update_failed(&mut self, dialog: Handle, id: TransactionId, status: u16) {
        let call = self.dialogs.get(dialog).map_or(Handle::NONE, |entry| entry.usage.call);
        if self.calls.get(call).is_some_and(|entry| entry.updating == id) {
            self.give_up_update(call, status);
            self.update_lost(call, dialog, status);
        }
    }

    /// A confirmed dialog that the peer no longer knows ends its call (RFC 3261 §12.2.1.2); an early one leaves that to the INVITE.
    fn update_lost(&mut self, call: Handle, dialog: Handle, status: u16) {
        let confirmed = self.dialogs.get(dialog).is_some_and(|entry| entry.state() == dialog::State::Confirmed);
        if confirmed && matches!(status, 408 | 481) {
            self.lose_call(call, Cause::Lost, status);
        }
    }

    /// Keeps our UPDATE that met a 491, for a random wait; whether there is room (§5.1, RFC 3261 §14.1).
    fn keep_update(&mut self, call: Handle, dialog: Handle, id: TransactionId) -> bool {
        if self.calls.get(call).is_none_or(|entry| !entry.kept_invite.is_none() || entry.state.is_cancelled()) {
            return false;
        }
        self.keep_to_retry(call, dialog, id)
    }

    /// How long a request that met a 491 waits: 2.1 to 4 s at the owner of the Call-ID, up to 2 s at the other (RFC 3261 §14.1).
    pub(in crate::ua) fn glare_wait(&mut self, dialog: Handle) -> Duration {
        // In units of 10 ms.
        let wait = self.core.random.below(190);
        let is_callee = self.dialogs.get(dialog).is_some_and(Dialog::is_callee);
        let units = if is_callee { wait } else { wait.saturating_add(211) };
        Duration::from_millis(u64::from(units.saturating_mul(10).max(1)))
    }

    /// The wait of an UPDATE is over; whether one was waiting.
    pub(in crate::ua) fn retry_update(&mut self, call: Handle) -> bool {
        let Some(&CallEntry { dialog, update, kept_invite: old, .. }) = self.calls.get(call) else { return false };
        let (next, Action::Send) = update.receive(Input::Retry) else { return false };
        let free = self.may_update(call, dialog) && self.open_offer_of(call, dialog) == Open::None;
        let flow = self.dialogs.get(dialog).map_or(Flow::NONE, Dialog::way);
        let user = InviteTransaction::Update(dialog).new_user();
        let sent = if free { self.send_block_again(old, flow, Method::Update, user, &Again::NOTHING) } else { None };
        match (sent, self.calls.get_mut(call)) {
            (Some(id), Some(entry)) => {
                (entry.update, entry.updating) = (next, id);
                self.transactions.octets.release(core::mem::take(&mut entry.kept_invite));
            }
            _ => self.give_up_update(call, 491),
        }
        true
    }

    /// Our UPDATE that is out, or waits, comes to nothing.
    pub(in crate::ua) fn give_up_update(&mut self, call: Handle, status: u16) {
        let Some(entry) = self.calls.get_mut(call) else { return };
        let (next, action) = entry.update.receive(Input::GiveUp);
        if action != Action::Tell {
            return;
        }
        #[cfg(feature = "offer-answer")]
        let (dialog, out, kept) = (entry.dialog, entry.updating, entry.kept_invite);
        #[cfg(feature = "offer-answer")]
        let offers = |block| !Kept::new(self.transactions.octets.get(block)).body().is_empty();
        #[cfg(feature = "offer-answer")]
        let offered = offers(if entry.update == machine::State::Waiting { kept } else { self.transactions.block(out) });
        if entry.update == machine::State::Waiting {
            entry.set(Timer::Retry, Instant::ZERO);
            self.transactions.octets.release(core::mem::take(&mut entry.kept_invite));
        }
        (entry.update, entry.updating) = (next, TransactionId::NONE);
        entry.update_status = status;
        entry.pending.updated = true;
        #[cfg(feature = "offer-answer")]
        if offered {
            self.roll_back_dialog(dialog);
        }
        self.schedule_call(call);
        self.tell_call(call);
    }
}
