//! The caller's side of an INVITE (RFC 3261 §13.2, §14.1): forks, CANCEL, ACK, and the end by BYE.

use crate::dialog::{Identity, State};
use crate::error::{Capacity, Error};
use crate::memory::{Block, Handle, Octets};
use crate::message::{Message, Method};
use crate::role::Received;
use crate::time::Instant;
use crate::transaction::TransactionId;
use crate::transport::Flow;
use crate::ua::auth::Answers;
use crate::ua::content::Content;
use crate::ua::context::{Context, RESERVED_TRANSACTIONS};
use crate::ua::event::{Call, Cause, Event};
use crate::ua::headers::Field;
use crate::ua::outside::{Head, Parties, check_from, check_target};
use crate::ua::usage::invite::{CallState, InviteTransaction};

impl<O: Octets> Context<'_, O> {
    /// Opens a call: an INVITE to `target`.
    pub(in crate::ua) fn invite(&mut self, target: &str, from: &str, content: &Content<'_>) -> Result<Call, Error> {
        content.check()?;
        check_from(from)?;
        let uri = check_target(target)?;
        let flow = self.flow_to(&uri);
        let call = self.open_call(Content { body: None, ..*content }.room())?;
        match self.send_invite(call, target, from, flow, content) {
            Ok(invite) => {
                if let Some(entry) = self.calls.get_mut(call) {
                    entry.invite = invite;
                    entry.state = CallState::Calling;
                    entry.offered = content.body.is_some();
                }
                self.limit_ringing(call);
                Ok(Call(call))
            }
            Err(error) => {
                self.close_call(call);
                Err(error)
            }
        }
    }

    fn send_invite(
        &mut self,
        call: Handle,
        target: &str,
        from: &str,
        flow: Flow,
        content: &Content<'_>,
    ) -> Result<TransactionId, Error> {
        let random = &mut self.core.random;
        let head = Head {
            method: Method::Invite,
            parties: Parties::Given { target: target.as_bytes(), from: from.as_bytes() },
            from_tag: random.token(),
            call_id: random.token(),
            seq: 1,
            branch: random.token(),
            transport: self.core.settings.transport,
            proxied: true,
            answers: &Answers::NONE,
        };
        let rows = [Field::Contact, Field::Abilities, Field::UserAgent];
        self.send_outside(&head, flow, InviteTransaction::Initial(call).new_user(), &rows, content)
    }

    /// Takes a call entry, its dialog, and the room that its hang-up will need.
    pub(in crate::ua) fn open_call(&mut self, octets: usize) -> Result<Handle, Capacity> {
        let layer = &mut self.transactions;
        if layer.free_for(false) <= RESERVED_TRANSACTIONS {
            return Err(Capacity::Transactions);
        }
        layer.reserve(RESERVED_TRANSACTIONS)?;
        let room = self.transactions.octets.reserve(octets);
        let call = room.and_then(|()| {
            let call = self.calls.insert().ok_or(Capacity::Calls);
            call.inspect_err(|_| self.transactions.octets.unreserve(octets))
        });
        let call = call.and_then(|call| {
            let dialog = self.dialogs.insert();
            let Some(dialog) = dialog else {
                self.calls.remove(call);
                self.transactions.octets.unreserve(octets);
                return Err(Capacity::Dialogs);
            };
            if let Some(entry) = self.dialogs.get_mut(dialog) {
                entry.state = State::Early;
                entry.call = call;
            }
            if let Some(entry) = self.calls.get_mut(call) {
                entry.dialog = dialog;
                entry.reserved = u32::try_from(octets).unwrap_or(u32::MAX);
            }
            self.core.reserved_octets =
                self.core.reserved_octets.saturating_add(u32::try_from(octets).unwrap_or(u32::MAX));
            Ok(call)
        });
        call.inspect_err(|_| self.transactions.unreserve(RESERVED_TRANSACTIONS))
    }

    /// Undoes [`open_call`](Self::open_call).
    pub(in crate::ua) fn close_call(&mut self, call: Handle) {
        let _ = self.end_now(call, Cause::NoRoom, 0);
    }

    pub(in crate::ua) fn limit_ringing(&mut self, call: Handle) {
        let limit = self.core.settings.ring_limit;
        if let Some(entry) = self.calls.get_mut(call) {
            entry.ring_deadline = self.now + limit;
        }
        self.schedule_call(call);
    }

    /// A response to the INVITE that opened a call, before its transaction has taken it.
    pub(in crate::ua) fn initial_response(
        &mut self,
        call: Handle,
        id: TransactionId,
        response: &Message<'_>,
    ) -> Received<Event> {
        match response.status().unwrap_or_default() {
            100..=199 => self.progress(call, response),
            200..=299 => self.answered(call, id, response),
            status => self.rejected(call, id, status),
        }
    }

    fn progress(&mut self, call: Handle, response: &Message<'_>) -> Received<Event> {
        let status = response.status().unwrap_or_default();
        let Some(entry) = self.calls.get_mut(call) else { return Received::Nothing };
        if entry.state != CallState::Calling {
            return Received::Nothing;
        }
        entry.provisional = true;
        if entry.hangup {
            self.cancel(call);
            return Received::Nothing;
        }
        if status == 100 {
            return Received::Nothing;
        }
        if response.to_tag().is_some() {
            // An early dialog is a convenience: without room for one the call goes on.
            let _ = self.early_dialog(call, response);
        }
        Received::Event(Event::Progress { call: Call(call), status })
    }

    /// Makes a dialog of a provisional response, if its fork has none yet.
    fn early_dialog(&mut self, call: Handle, response: &Message<'_>) -> Result<(), Error> {
        if self.dialog_of(response).is_some() {
            return Ok(());
        }
        let first = self.calls.get(call).map(|entry| entry.dialog).ok_or(Error::Gone)?;
        let unused = self.dialogs.get(first).is_some_and(|dialog| dialog.identity.block.is_none());
        if unused {
            return self.bind_dialog(first, response, &[]);
        }
        // Each call that may still come needs a dialog of its own.
        let (free_dialogs, free_calls) = (self.dialogs.free(), self.calls.free());
        if free_dialogs <= free_calls {
            return Err(Capacity::Dialogs.into());
        }
        let dialog = self.dialogs.insert().ok_or(Capacity::Dialogs)?;
        if let Some(entry) = self.dialogs.get_mut(dialog) {
            entry.state = State::Early;
            entry.call = call;
        }
        if let Err(error) = self.bind_dialog(dialog, response, &[]) {
            self.dialogs.remove(dialog);
            return Err(error);
        }
        let next = self.dialogs.get(first).map_or(Handle::NONE, |entry| entry.next);
        if let Some(entry) = self.dialogs.get_mut(dialog) {
            entry.next = next;
        }
        if let Some(entry) = self.dialogs.get_mut(first) {
            entry.next = dialog;
        }
        Ok(())
    }

    /// A 2xx to the INVITE that opened a call (RFC 3261 §13.2.2.4).
    fn answered(&mut self, call: Handle, id: TransactionId, response: &Message<'_>) -> Received<Event> {
        let status = response.status().unwrap_or_default();
        let mut known = self.dialog_of(response);
        let Some(entry) = self.calls.get(call) else { return self.refuse_fork(id, response) };
        if entry.state != CallState::Calling {
            return match known {
                Some(dialog) => {
                    self.acknowledge_again(dialog, response.cseq().number);
                    Received::Nothing
                }
                None => self.refuse_fork(TransactionId::NONE, response),
            };
        }
        if entry.invite != id {
            // Its INVITE was challenged and went out again with credentials, and that one the call waits for.
            return self.refuse_fork(TransactionId::NONE, response);
        }
        let (first, hangup, sessions, offered) = (entry.dialog, entry.hangup, entry.sessions, entry.offered);
        if let Some(dialog) = known
            && self.dialogs.get(dialog).is_none_or(|entry| entry.call != call)
        {
            // A dialog that is being ended has the same tags: of a 2xx to the INVITE before.
            self.drop_dialog(dialog);
            known = None;
        }
        let dialog = known.unwrap_or(first);
        // Target and route set are those of the 2xx; where it has none that can be used, those of the 1xx will do.
        let bound = self.bind_dialog(dialog, response, &[]);
        if bound.is_err() && known.is_none() {
            // A 2xx that makes no dialog can't even be ended.
            let (cause, status) = if hangup { (Cause::LocalHangup, 0) } else { (Cause::NoRoom, status) };
            return self.end_now(call, cause, status);
        }
        self.choose_dialog(call, dialog);
        if let Some(entry) = self.dialogs.get_mut(dialog) {
            entry.state = State::Confirmed;
            entry.sessions = sessions;
            entry.local_seq = entry.local_seq.max(response.cseq().number);
            entry.answer_due = !hangup && !offered && !response.body().is_empty();
        }
        let answer_due = self.dialogs.get(dialog).is_some_and(|entry| entry.answer_due);
        if let Some(entry) = self.calls.get_mut(call) {
            entry.state = CallState::Established;
            entry.ring_deadline = Instant::ZERO;
        }
        self.schedule_call(call);
        if !answer_due {
            let (seq, invite) = (response.cseq().number, self.transactions.block(id));
            if self.send_ack(dialog, seq, invite, &Content::NONE).is_err() && !hangup {
                self.lose_call(call, Cause::NoRoom, status);
                return Received::Nothing;
            }
        } else {
            self.expect_answer(dialog, id, response.cseq().number);
        }
        if hangup {
            let cause = self.calls.get(call).map_or(Cause::LocalHangup, |entry| entry.cause);
            self.lose_call(call, cause, 0);
            return Received::Nothing;
        }
        Received::Event(Event::Answered { call: Call(call), answer_due })
    }

    /// A 2xx that no call wants: it is acknowledged and its dialog ended (RFC 3261 §13.2.2.4).
    ///
    /// `settles` is the INVITE, when nothing else will come of it: once the BYE is done, repetitions of this 2xx are
    /// acknowledged, and no more.
    pub(in crate::ua) fn refuse_fork(&mut self, settles: TransactionId, response: &Message<'_>) -> Received<Event> {
        let seq = response.cseq().number;
        if let Some(dialog) = self.dialog_of(response) {
            self.acknowledge_again(dialog, seq);
            return Received::Nothing;
        }
        // What strangers make of our INVITE must leave room for the calls there are and the calls to come.
        let room = self.dialogs.free() > self.calls.free()
            && self.can_spend(Handle::NONE, response.bytes().len().saturating_mul(3));
        let dialog = if room { self.dialogs.insert() } else { None };
        let Some(dialog) = dialog else { return Received::Nothing };
        let bound = self.bind_dialog(dialog, response, &[]);
        let acknowledged = bound.and_then(|()| self.send_ack(dialog, seq, Block::NONE, &Content::NONE));
        let ended = acknowledged.and_then(|()| self.send_bye(dialog));
        if ended.is_err() {
            // The peer repeats its 2xx; there may be room then.
            self.drop_dialog(dialog);
        } else if let Some(entry) = self.dialogs.get_mut(dialog) {
            entry.invite = settles;
        }
        Received::Nothing
    }

    fn rejected(&mut self, call: Handle, id: TransactionId, status: u16) -> Received<Event> {
        let Some(entry) = self.calls.get(call) else { return Received::Nothing };
        if entry.invite != id || entry.state != CallState::Calling {
            return Received::Nothing;
        }
        let (cause, status) = match (entry.hangup, status) {
            // The answer to our CANCEL.
            (true, 487) => (entry.cause, 487),
            (true, _) => (entry.cause, status),
            (false, _) => (Cause::Rejected, status),
        };
        self.end_now(call, cause, status)
    }

    /// Forgets early dialogs before an INVITE is sent again with credentials: its forks are new ones.
    pub(in crate::ua) fn forget_forks(&mut self, call: Handle) {
        let Some(first) = self.calls.get(call).map(|entry| entry.dialog) else { return };
        self.choose_dialog(call, first);
        self.dialogs.unlink_key(first, 0);
        if let Some(entry) = self.dialogs.get_mut(first) {
            entry.release(self.transactions.octets);
            entry.identity = Identity::ZERO;
        }
    }
}
