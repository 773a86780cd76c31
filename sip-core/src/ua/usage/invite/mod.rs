//! A call: the usage that INVITE makes (RFC 3261 §13-§15).

mod callee;
mod caller;
mod early;
mod ending;
mod entry;
mod in_dialog;
mod info;
mod machine;
mod offered;
mod reinvite;
mod release;
pub(in crate::ua) mod reliable;
#[cfg(feature = "offer-answer")]
mod session;
#[cfg(feature = "session-timer")]
mod session_timer;
#[cfg(feature = "session-timer")]
mod session_timer_doors;
pub(in crate::ua) mod update;

#[cfg(feature = "refer")]
pub(in crate::ua) use entry::Others;
pub use entry::{CallEntry, Leg};
pub use info::{CallInfo, CallState};
#[cfg(feature = "refer")]
pub(in crate::ua) use machine::Input as CallInput;
use machine::{Input, State};
use reliable::RELIABLE;
#[cfg(feature = "offer-answer")]
pub use session::{MAX_DESCRIPTION, SessionError};
#[cfg(feature = "session-timer")]
pub(in crate::ua) use session_timer::{Rows as SessionRows, SHORTEST as SHORTEST_SESSION, Wanted as WantedSession};
use update::UPDATE;

use super::{Failure, UsageId};
use crate::memory::{Block, Handle, Octets};
use crate::message::Message;
use crate::role::Received;
use crate::transaction::{ExpiredKind, TransactionId, User};
use crate::ua::context::Context;
use crate::ua::event::{Call, Cause, Event};

/// Which request a transaction of a call carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ua) enum InviteTransaction {
    /// The INVITE that opens a call, ours or the peer's.
    Initial(Handle),
    /// An INVITE inside a dialog, ours or the peer's.
    Reinvite(Handle),
    /// Our BYE; the dialog.
    Bye(Handle),
    /// Our PRACK (RFC 3262); the dialog.
    Prack(Handle),
    /// Our UPDATE (RFC 3311); the dialog.
    Update(Handle),
    /// Our ACK to a 2xx, which has no transaction and waits to be sent once; the dialog.
    Ack(Handle),
    /// Our INVITE, whose call and dialog are over; part of the dialog's key, by which a 2xx of another fork is known.
    LateFork(u32),
    /// The same before any provisional response came: with the first it is cancelled (RFC 3261 §9.1).
    Abandoned(u32),
}

impl InviteTransaction {
    /// The user of a request that was not sent before.
    pub(in crate::ua) fn new_user(self) -> User {
        UsageId::Invite(self).new_user()
    }
}

impl<O: Octets> Context<'_, O> {
    /// A response to a request of a call, before its transaction has taken it.
    pub(in crate::ua) fn invite_response(
        &mut self,
        which: InviteTransaction,
        id: TransactionId,
        response: &Message<'_>,
    ) -> Received<Event> {
        let status = response.status().unwrap_or_default();
        let is_2xx = (200..300).contains(&status);
        let received = match which {
            InviteTransaction::Initial(call) => self.initial_response(call, id, response),
            InviteTransaction::Reinvite(dialog) if self.dialogs.get(dialog).is_some() => {
                self.reinvite_response(dialog, id, response)
            }
            InviteTransaction::Update(dialog) if UPDATE => self.update_response(dialog, id, response),
            InviteTransaction::Prack(dialog) if RELIABLE && status >= 200 => {
                self.prack_done(dialog);
                Received::Nothing
            }
            InviteTransaction::Reinvite(_) if is_2xx => self.acknowledge_alone(response, false),
            InviteTransaction::LateFork(bits) | InviteTransaction::Abandoned(bits) if is_2xx => {
                if crate::dialog::key_of(response, &self.core.hash).bucket_bits() == bits {
                    self.acknowledge_alone(response, false)
                } else {
                    self.refuse_fork(TransactionId::NONE, response)
                }
            }
            InviteTransaction::Abandoned(bits) if status < 200 => {
                self.send_cancel(id, Block::NONE);
                self.transactions.set_user(id, InviteTransaction::LateFork(bits).new_user());
                Received::Nothing
            }
            InviteTransaction::Bye(dialog) if status >= 200 => match self.bye_done(dialog) {
                Some((call, cause, status)) => self.end_now(call, cause, status),
                None => Received::Nothing,
            },
            _ => Received::Nothing,
        };
        // Timer C runs in Proceeding alone, and this response may have led there.
        if status < 200 && self.invite_is_orphan(which) {
            let sixty_four_t1 = self.sixty_four_t1();
            self.transactions.timer_c(self.now, id, sixty_four_t1);
        }
        received
    }

    /// No response will come to a request of a call.
    pub(in crate::ua) fn invite_failure(&mut self, which: InviteTransaction, id: TransactionId, failure: Failure) {
        match which {
            InviteTransaction::Initial(call) => self.initial_failure(call, id, failure),
            InviteTransaction::Reinvite(dialog) => self.reinvite_failed(dialog, id, failure.status()),
            InviteTransaction::Bye(dialog) => {
                if let Some((call, cause, status)) = self.bye_done(dialog) {
                    self.end_later(call, cause, status);
                }
            }
            InviteTransaction::Update(dialog) => {
                if UPDATE {
                    self.update_failed(dialog, id, failure.status());
                }
            }
            // Its INVITE decides for itself.
            InviteTransaction::Prack(dialog) => {
                if RELIABLE {
                    self.prack_done(dialog);
                }
            }
            // The next repetition of the 2xx tries again.
            InviteTransaction::Ack(_) | InviteTransaction::LateFork(_) | InviteTransaction::Abandoned(_) => {}
        }
    }

    /// The call that one of its requests belongs to; none when that is over.
    pub(in crate::ua) fn call_of(&self, which: InviteTransaction) -> Handle {
        match which {
            InviteTransaction::Initial(call) => call,
            InviteTransaction::Reinvite(dialog)
            | InviteTransaction::Bye(dialog)
            | InviteTransaction::Prack(dialog)
            | InviteTransaction::Update(dialog)
            | InviteTransaction::Ack(dialog) => self.dialogs.get(dialog).map_or(Handle::NONE, |entry| entry.usage.call),
            InviteTransaction::LateFork(_) | InviteTransaction::Abandoned(_) => Handle::NONE,
        }
    }

    /// A transaction of a call is over, or its flow was lost; whether that is all.
    pub(in crate::ua) fn invite_ended(
        &mut self,
        which: InviteTransaction,
        id: TransactionId,
        kind: ExpiredKind,
    ) -> bool {
        let is_bye = matches!(which, InviteTransaction::Bye(_));
        match kind {
            // A BYE goes out once more, by a new connection.
            ExpiredKind::FlowFailed | ExpiredKind::FlowLost if is_bye => {
                self.transactions.flow(id).transport.is_reliable() && self.transactions.send_again(self.now, id)
            }
            ExpiredKind::FlowLost => true,
            ExpiredKind::Ended => {
                // No repetition of the 2xx will be known, so its ACK is not needed.
                let dialog = match which {
                    InviteTransaction::Initial(call) => self.calls.get(call).map_or(Handle::NONE, |entry| entry.dialog),
                    InviteTransaction::Reinvite(dialog) => dialog,
                    _ => Handle::NONE,
                };
                if self.dialogs.get(dialog).is_some_and(|entry| entry.usage.ack_of == id) {
                    self.release_ack(dialog);
                }
                true
            }
            _ => false,
        }
    }

    /// The INVITE that opens a call had no final response.
    fn initial_failure(&mut self, call: Handle, id: TransactionId, failure: Failure) {
        let Some(entry) = self.calls.get(call) else { return };
        if entry.invite != id || !entry.state.awaits_final() {
            return;
        }
        let cause = match failure {
            _ if entry.state.is_cancelled() => entry.cause,
            Failure::Timeout => Cause::Timeout,
            Failure::Flow => Cause::Unreachable,
            Failure::Insecure => Cause::Insecure,
            Failure::NoFallback => Cause::NoFallback,
        };
        self.end_later(call, cause, if cause == Cause::Timeout { 408 } else { 0 });
    }

    /// Whether a challenge is worth answering: not when the call is being given up. The forks of a challenged INVITE are
    /// forgotten.
    pub(in crate::ua) fn invite_prepare_retry(&mut self, which: InviteTransaction) -> bool {
        match which {
            InviteTransaction::Initial(call) => {
                let calling =
                    self.calls.get(call).is_some_and(|entry| matches!(entry.state, State::Calling | State::Proceeding));
                if calling {
                    self.forget_forks(call);
                }
                calling
            }
            InviteTransaction::Reinvite(dialog) => {
                self.dialogs.get(dialog).is_some_and(|entry| entry.state() == crate::dialog::State::Confirmed)
            }
            InviteTransaction::Bye(dialog) | InviteTransaction::Prack(dialog) | InviteTransaction::Update(dialog) => {
                self.dialogs.get(dialog).is_some()
            }
            InviteTransaction::Ack(_) | InviteTransaction::LateFork(_) | InviteTransaction::Abandoned(_) => false,
        }
    }

    /// A request of a call went out again as another transaction, with credentials of these sessions if there are any.
    pub(in crate::ua) fn invite_resent(
        &mut self,
        which: InviteTransaction,
        new: TransactionId,
        sessions: Option<[u32; 2]>,
    ) {
        let mut dialog = Handle::NONE;
        match which {
            InviteTransaction::Initial(call) => {
                if let Some(entry) = self.calls.get_mut(call) {
                    entry.invite = new;
                    let _ = entry.state.receive(Input::Challenged);
                    dialog = entry.dialog;
                }
            }
            InviteTransaction::Reinvite(of)
            | InviteTransaction::Bye(of)
            | InviteTransaction::Prack(of)
            | InviteTransaction::Update(of) => dialog = of,
            InviteTransaction::Ack(_) | InviteTransaction::LateFork(_) | InviteTransaction::Abandoned(_) => {}
        }
        if let Some(entry) = self.dialogs.get_mut(dialog) {
            entry.sessions = sessions.unwrap_or(entry.sessions);
            if UPDATE
                && matches!(which, InviteTransaction::Update(_))
                && let Some(entry) = self.calls.get_mut(entry.usage.call)
            {
                entry.updating = new;
                return;
            }
            if matches!(which, InviteTransaction::Reinvite(_))
                && let Some(entry) = self.calls.get_mut(entry.usage.call)
            {
                entry.exchanged = new;
                if RELIABLE {
                    self.forget_provisional(dialog);
                }
            }
        }
    }

    /// Whether nobody waits for the outcome of a request of a call.
    fn invite_is_orphan(&self, which: InviteTransaction) -> bool {
        match which {
            InviteTransaction::Reinvite(dialog) => self.dialogs.get(dialog).is_none(),
            InviteTransaction::LateFork(_) | InviteTransaction::Abandoned(_) => true,
            InviteTransaction::Initial(_)
            | InviteTransaction::Bye(_)
            | InviteTransaction::Prack(_)
            | InviteTransaction::Update(_)
            | InviteTransaction::Ack(_) => false,
        }
    }

    /// The next event that a call has to tell.
    pub(in crate::ua) fn call_event(&mut self, call: Handle) -> Option<Event> {
        let entry = self.calls.get_mut(call)?;
        if core::mem::take(&mut entry.pending.reinvited) {
            return Some(Event::Reinvited { call: Call(call), status: entry.reinvite_status, answer_due: false });
        }
        if UPDATE && core::mem::take(&mut entry.pending.updated) {
            return Some(Event::Updated { call: Call(call), status: entry.update_status });
        }
        if offered::MAY_OFFER && core::mem::take(&mut entry.pending.offer_timed_out) {
            return Some(Event::OfferTimedOut { call: Call(call) });
        }
        if core::mem::take(&mut entry.pending.ended) {
            let (cause, status) = (entry.cause, entry.status);
            self.calls.remove(call);
            let event = Event::Ended { call: Call(call), cause, status };
            #[cfg(feature = "refer")]
            self.follow(&event);
            return Some(event);
        }
        if core::mem::take(&mut entry.pending.refresh_due) {
            return Some(Event::RefreshDue { call: Call(call) });
        }
        None
    }
}
