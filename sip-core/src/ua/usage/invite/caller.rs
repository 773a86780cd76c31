//! The caller's side of an INVITE (RFC 3261 §13.2, §14.1): forks, CANCEL, ACK, and the end by BYE.

use crate::dialog::{State, key, key_of};
#[cfg(feature = "refer")]
use crate::error::Argument;
use crate::error::{Capacity, Error};
use crate::memory::{Block, Handle, Octets};
use crate::message::scan::decimal_u32;
use crate::message::{HeaderName, Message, Method};
use crate::role::Received;
use crate::time::{Duration, Instant};
use crate::transaction::TransactionId;
use crate::transport::Flow;
use crate::ua::auth::Answers;
use crate::ua::content::Content;
use crate::ua::context::{Context, RESERVED_TRANSACTIONS};
use crate::ua::event::{Call, Cause, Event, Fork};
use crate::ua::headers::Field;
use crate::ua::outside::{Parties, check_from, check_target};
use crate::ua::usage::invite::entry::Timer;
use crate::ua::usage::invite::machine::{self, Action, Input};
use crate::ua::usage::invite::reliable::RELIABLE;
use crate::ua::usage::invite::update::UPDATE;
use crate::ua::usage::invite::{InviteTransaction, Leg};
#[cfg(feature = "refer")]
use crate::ua::usage::refer::{ReferRows, Referred};

impl<O: Octets> Context<'_, O> {
    /// Opens a call: an INVITE to `target`.
    pub(in crate::ua) fn invite(&mut self, target: &str, from: &str, content: &Content<'_>) -> Result<Call, Error> {
        content.check()?;
        check_from(from)?;
        let uri = check_target(target)?;
        let flow = self.flow_to(&uri);
        let parties = Parties::Given { target: target.as_bytes(), from: from.as_bytes() };
        self.open_outgoing(parties, flow, Field::contact_for(target.as_bytes()), content)
    }

    /// Opens a call to whom a REFER names.
    #[cfg(feature = "refer")]
    pub(in crate::ua) fn invite_referred(&mut self, referred: Referred, content: &Content<'_>) -> Result<Call, Error> {
        content.check()?;
        let (target, _) = referred.split(self.transactions.octets.get(referred.block));
        let target = core::str::from_utf8(target).map_err(|_| Error::Invalid(Argument::Target))?;
        let flow = self.flow_to(&check_target(target)?);
        let contact = Field::contact_for(target.as_bytes());
        self.open_outgoing(Parties::Referred(referred), flow, contact, content)
    }

    fn open_outgoing(
        &mut self,
        parties: Parties<'_>,
        flow: Flow,
        contact: Field<'_>,
        content: &Content<'_>,
    ) -> Result<Call, Error> {
        let call = self.open_call(Content { body: None, ..*content }.room())?;
        match self.send_invite(call, parties, flow, contact, content) {
            Ok(invite) => {
                if let Some(entry) = self.calls.get_mut(call) {
                    entry.invite = invite;
                    entry.state = machine::State::Calling;
                    entry.offered = content.body.is_some();
                }
                let expires = content.headers.iter().find(|header| header.name.lookup() == HeaderName::Expires.id());
                self.limit_ringing(call, expires.and_then(|header| decimal_u32(header.value)));
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
        parties: Parties<'_>,
        flow: Flow,
        contact: Field<'_>,
        content: &Content<'_>,
    ) -> Result<TransactionId, Error> {
        let head = self.new_head(Method::Invite, parties, None, &Answers::NONE);
        let rows = [
            Field::Extensions,
            contact,
            Field::Abilities,
            Field::UserAgent,
            #[cfg(feature = "session-timer")]
            self.session_request(call),
            #[cfg(feature = "refer")]
            if let Parties::Referred(referred) = parties {
                Field::Refer(ReferRows::Kept(referred))
            } else {
                Field::End(Block::NONE)
            },
        ];
        let id = self.send_outside(&head, flow, InviteTransaction::Initial(call).new_user(), &rows, content)?;
        let key = key(&self.core.hash, head.call_id.as_bytes(), head.from_tag.as_bytes(), b"");
        if let Some(entry) = self.calls.get_mut(call) {
            entry.key = key;
            self.calls.link_key(call, 0, key);
        }
        Ok(id)
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
                entry.open(Leg::of(call));
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

    /// Starts to wait for the final response of an INVITE: as long as is configured, or as its Expires says, in seconds, if that
    /// is shorter (RFC 3261 §13.2.1, §13.3.1).
    pub(in crate::ua) fn limit_ringing(&mut self, call: Handle, expires: Option<u32>) {
        let limit = self.core.settings.ring_limit;
        let expiry = expires.map(|seconds| Duration::from_secs(u64::from(seconds))).filter(|expiry| *expiry < limit);
        if let Some(entry) = self.calls.get_mut(call) {
            entry.set(Timer::Limit, self.now + expiry.unwrap_or(limit).max(Duration::from_millis(1)));
            entry.expires = expiry.is_some();
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
        let action = entry.state.receive(Input::Provisional);
        if action == Action::Cancel {
            self.cancel(call);
        }
        if action != Action::Tell || status == 100 {
            return Received::Nothing;
        }
        let mut fork = Fork::default();
        let mut answer_due = false;
        if response.to_tag().is_some() {
            fork = Fork(key_of(response, &self.core.hash).bucket_bits());
            if RELIABLE && let Some(rseq) = self.rseq_of(response) {
                let dialog = self.early_dialog(call, response).ok();
                match dialog.and_then(|dialog| self.take_provisional(call, dialog, rseq, response)) {
                    Some(due) => answer_due = due,
                    None => return Received::Nothing,
                }
            }
            // An early dialog is a convenience: without room for one the call goes on.
            let _ = self.early_dialog(call, response);
        }
        Received::Event(Event::Progress { call: Call(call), status, fork, answer_due })
    }

    /// The dialog of a fork, made by its provisional response (or by a request that overtook it) if there is none yet.
    pub(in crate::ua) fn early_dialog(&mut self, call: Handle, message: &Message<'_>) -> Result<Handle, Error> {
        if let Some(known) = self.dialog_of(message) {
            return Ok(known);
        }
        let first = self.calls.get(call).map(|entry| entry.dialog).ok_or(Error::Gone)?;
        let unused = self.dialogs.get(first).is_some_and(|dialog| !dialog.is_bound());
        if unused {
            self.bind_dialog(first, message, &[])?;
            return Ok(first);
        }
        // Each call that may still come needs a dialog of its own.
        let (free_dialogs, free_calls) = (self.dialogs.free(), self.calls.free());
        if free_dialogs <= free_calls {
            return Err(Capacity::Dialogs.into());
        }
        let dialog = self.dialogs.insert().ok_or(Capacity::Dialogs)?;
        if let Some(entry) = self.dialogs.get_mut(dialog) {
            entry.open(Leg::of(call));
        }
        #[cfg(feature = "offer-answer")]
        self.fork_session(first, dialog);
        if let Err(error) = self.bind_dialog(dialog, message, &[]) {
            self.dialogs.remove(dialog);
            return Err(error);
        }
        let of_first = self.dialogs.get_mut(first).map(|entry| core::mem::replace(&mut entry.usage.next, dialog));
        if let (Some(entry), Some(next)) = (self.dialogs.get_mut(dialog), of_first) {
            entry.usage.next = next;
        }
        Ok(dialog)
    }

    /// A 2xx to the INVITE that opened a call (RFC 3261 §13.2.2.4).
    fn answered(&mut self, call: Handle, id: TransactionId, response: &Message<'_>) -> Received<Event> {
        let status = response.status().unwrap_or_default();
        let mut known = self.dialog_of(response);
        let Some(entry) = self.calls.get(call) else { return self.refuse_fork(id, response) };
        if !entry.state.awaits_final() {
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
        let (cancelled, cause, offered) = (entry.state.is_cancelled(), entry.cause, entry.offered);
        let of_known = known.and_then(|dialog| self.dialogs.get(dialog));
        if of_known.is_some_and(|entry| entry.usage.call == call && entry.state() == State::Terminating) {
            // Its callee has hung up since.
            return self.end_unbound(call, id, response, Cause::RemoteHangup, 0);
        }
        if let Some(dialog) = known
            && of_known.is_none_or(|entry| entry.usage.call != call)
        {
            // A dialog that is being ended has the same tags: of a 2xx to the INVITE before.
            self.drop_dialog(dialog);
            known = None;
        }
        let of_known = known.and_then(|dialog| self.dialogs.get(dialog));
        let agreed = RELIABLE && of_known.is_some_and(|entry| entry.usage.agreed);
        let answer_due = !cancelled && !offered && !response.body().is_empty() && !agreed;
        let established = self.establish(call, id, known, response);
        let acknowledged = established.and_then(|dialog| {
            if answer_due {
                self.expect_answer(call, id, response.cseq().number);
                return Ok(());
            }
            self.acknowledge_first(dialog, id, response.cseq().number)
        });
        if acknowledged.is_err() {
            let (cause, status) = if cancelled { (cause, 0) } else { (Cause::NoRoom, status) };
            return self.end_unbound(call, id, response, cause, status);
        }
        if cancelled {
            self.end_by_bye(call);
            return Received::Nothing;
        }
        Received::Event(Event::Answered { call: Call(call), answer_due })
    }

    /// Gives a call the dialog of its 2xx; `known` is the early one of the same fork.
    fn establish(
        &mut self,
        call: Handle,
        id: TransactionId,
        known: Option<Handle>,
        response: &Message<'_>,
    ) -> Result<Handle, Error> {
        let entry = self.calls.get(call).ok_or(Error::Gone)?;
        let dialog = known.unwrap_or(entry.dialog);
        let sessions = self.dialogs.get(entry.dialog).map_or([0; 2], |entry| entry.sessions);
        #[cfg(feature = "offer-answer")]
        if known.is_none() {
            // A fork that was not heard of before: what another has shown is not its own.
            self.fork_session(dialog, dialog);
        }
        // Target and route set are those of the 2xx; where there is no room for them, those of the 1xx will do.
        if self.bind_dialog(dialog, response, &[]).is_err() && known.is_none() {
            // The INVITE makes room; the ACK goes without its credentials, which nobody asks of an ACK.
            self.transactions.release_message(id);
            self.bind_dialog(dialog, response, &[])?;
        }
        if UPDATE && (known.is_none() || self.calls.get(call).is_some_and(|entry| entry.dialog != dialog)) {
            // It was for a fork that is dropped, also where one that was not heard of before has taken its entry.
            self.give_up_update(call, 481);
        }
        self.choose_dialog(call, dialog);
        if let Some(entry) = self.dialogs.get_mut(dialog) {
            entry.confirm();
            entry.usage.ack_of = id;
            entry.sessions = sessions;
            entry.sent(response.cseq().number);
        }
        if self.knows_reliable() {
            self.forget_provisional(dialog);
        }
        if let Some(entry) = self.calls.get_mut(call) {
            let _ = entry.state.receive(Input::Success);
            entry.since = self.now;
            entry.set(Timer::Limit, Instant::ZERO);
        }
        self.schedule_call(call);
        #[cfg(feature = "session-timer")]
        self.session_answered(call, id, response);
        Ok(dialog)
    }

    /// Sends the first ACK to a 2xx; where there is no room for it beside the INVITE, in its place.
    fn acknowledge_first(&mut self, dialog: Handle, id: TransactionId, seq: u32) -> Result<(), Error> {
        let invite = self.transactions.block(id);
        self.send_ack(dialog, seq, invite, &Content::NONE).or_else(|_| {
            self.transactions.release_message(id);
            self.send_ack(dialog, seq, Block::NONE, &Content::NONE)
        })
    }

    /// Ends a call by a 2xx that makes no dialog here: it is acknowledged and, unless the callee has done so, ended by BYE.
    fn end_unbound(
        &mut self,
        call: Handle,
        id: TransactionId,
        response: &Message<'_>,
        cause: Cause,
        status: u16,
    ) -> Received<Event> {
        let received = self.end_now(call, cause, status);
        let bits = key_of(response, &self.core.hash).bucket_bits();
        let over = cause == Cause::RemoteHangup;
        // Of a fork that is not over yet, each repetition of the 2xx is refused anew: there may be room then.
        self.transactions.set_user(id, InviteTransaction::LateFork(if over { bits } else { !bits }).new_user());
        let _ = if over {
            self.acknowledge_alone(response, false)
        } else {
            self.refuse_fork(TransactionId::NONE, response)
        };
        received
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
        let Some(dialog) = dialog else { return self.acknowledge_alone(response, true) };
        let bound = self.bind_dialog(dialog, response, &[]);
        let acknowledged = bound.and_then(|()| self.send_ack(dialog, seq, Block::NONE, &Content::NONE));
        let ended = acknowledged.and_then(|()| self.send_bye(dialog));
        if ended.is_err() {
            // The peer repeats its 2xx; there may be room then.
            self.drop_dialog(dialog);
        } else if let Some(entry) = self.dialogs.get_mut(dialog) {
            entry.usage.ack_of = settles;
        }
        Received::Nothing
    }

    fn rejected(&mut self, call: Handle, id: TransactionId, status: u16) -> Received<Event> {
        let Some(entry) = self.calls.get_mut(call) else { return Received::Nothing };
        if entry.invite != id {
            return Received::Nothing;
        }
        let refused = if cfg!(feature = "digest") && self.too_weak { Cause::WeakDigest } else { Cause::Rejected };
        let cause = if entry.state.is_cancelled() { entry.cause } else { refused };
        match entry.state.receive(Input::Refusal) {
            Action::End => self.end_now(call, cause, status),
            _ => Received::Nothing,
        }
    }

    /// Forgets early dialogs before an INVITE is sent again with credentials: its forks are new ones.
    pub(in crate::ua) fn forget_forks(&mut self, call: Handle) {
        let Some(first) = self.calls.get(call).map(|entry| entry.dialog) else { return };
        self.choose_dialog(call, first);
        self.dialogs.unlink_key(first, 0);
        if let Some(entry) = self.dialogs.get_mut(first) {
            entry.unbind(self.transactions.octets);
        }
        if RELIABLE {
            self.forget_provisional(first);
        }
        if UPDATE {
            self.give_up_update(call, 481);
        }
        #[cfg(feature = "offer-answer")]
        self.fork_session(first, first);
    }
}
