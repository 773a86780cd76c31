//! The callee's side of reliable provisional responses (RFC 3262 §3): RSeq, repetitions, PRACK, and the 2xx that waits for it.

use super::sending::{Action, Input, State};
use super::{RELIABLE, supports};
use crate::error::Error;
use crate::memory::{Block, Handle, Octets};
use crate::message::scan::decimal_u32;
use crate::message::{Message, Method};
use crate::role::Received;
use crate::time::{Duration, Instant};
use crate::transaction::TransactionId;
use crate::ua::config::ReliableProvisional;
use crate::ua::content::Content;
use crate::ua::context::Context;
use crate::ua::event::{Call, Cause, Event};
use crate::ua::headers::Field;
use crate::ua::usage::invite::entry::Timer;
use crate::ua::usage::invite::{Leg, machine};

/// The first RSeq is below this (§3): 1 to 2^31 - 1.
const FIRST_BELOW: u32 = (1 << 31) - 1;
/// A response goes out so often, the last time at 63·T1; the INVITE is refused at 64·T1 (§3).
const SENDS: u8 = 7;
/// So often a callee that rings says so, reliably each time (§3).
const REPEAT: Duration = Duration::from_secs(150);

impl<O: Octets> Context<'_, O> {
    /// Refuses an INVITE of a caller that does not take what the configuration requires (RFC 3261 §21.4.16).
    pub(in crate::ua) fn refuse_unreliable(&mut self, invite: &Message<'_>) -> bool {
        let refused = self.core.settings.reliable == ReliableProvisional::Required && !supports(invite);
        if refused {
            self.reply(invite, 421, &[Field::Extensions]);
        }
        refused
    }

    /// An INVITE of the peer has come: whether its provisional responses are reliable.
    pub(in crate::ua) fn begin_provisional(&mut self, dialog: Handle, invite: &Message<'_>) {
        let reliable = match self.core.settings.reliable {
            ReliableProvisional::Off => return,
            ReliableProvisional::Supported | ReliableProvisional::Required => supports(invite),
        };
        if let Some(entry) = self.dialogs.get_mut(dialog) {
            entry.usage.sending = State::of_invite(reliable);
            entry.usage.rseq = 0;
            entry.usage.agreed = false;
        }
    }

    fn leg(&self, dialog: Handle) -> Leg {
        self.dialogs.get(dialog).map_or(<Leg as crate::dialog::Usage>::ZERO, |entry| entry.usage)
    }

    fn set_sending(&mut self, dialog: Handle, state: State) {
        if let Some(entry) = self.dialogs.get_mut(dialog) {
            entry.usage.sending = state;
        }
    }

    /// Whether a provisional response to the INVITE of this dialog goes out reliably.
    pub(in crate::ua) fn is_reliable(&self, dialog: Handle) -> bool {
        RELIABLE && self.leg(dialog).sending != State::Unreliable
    }

    /// Sends a provisional response that is repeated until its PRACK comes (§3).
    pub(in crate::ua) fn ring_reliably(
        &mut self,
        call: Handle,
        (invite, dialog): (TransactionId, Handle),
        status: u16,
        content: &Content<'_>,
    ) -> Result<(), Error> {
        let Leg { sending, rseq, .. } = self.leg(dialog);
        let input = if content.body.is_some() { Input::RingDescribed } else { Input::Ring };
        let (next, Action::Send) = sending.receive(input) else { return Err(Error::State) };
        let rseq = match rseq {
            0 => self.core.random.below(FIRST_BELOW).saturating_add(1),
            last => last.checked_add(1).ok_or(Error::State)?,
        };
        let rows = [Field::Reliable(rseq), Field::Abilities, Field::Contact, Field::Server];
        self.respond_with(invite, status, true, &rows, content)?;
        if let Some(entry) = self.dialogs.get_mut(dialog) {
            (entry.usage.sending, entry.usage.rseq) = (next, rseq);
        }
        #[cfg(feature = "session-timer")]
        if content.body.is_some() {
            self.described_outside(call);
        }
        let t1 = self.core.settings.timers.t1;
        if let Some(entry) = self.calls.get_mut(call) {
            entry.sent_2xx = 1;
            entry.set(Timer::Repeat, self.now + t1);
        }
        self.schedule_call(call);
        Ok(())
    }

    /// The time has come to repeat a provisional response; whether it is a reliable one, which this has seen to.
    pub(in crate::ua) fn repeat_provisional(&mut self, call: Handle) -> bool {
        let Some(entry) = self.calls.get_mut(call) else { return false };
        let (dialog, invite, sent) = (entry.dialog, entry.exchanged, entry.sent_2xx);
        let state = self.leg(dialog).sending;
        let t1 = self.core.settings.timers.t1;
        match state {
            State::Unreliable | State::Overtaken => return false,
            State::Ready => {
                // Nothing else tells proxies that it still rings; without room for it, in a while.
                let status = self.transactions.bytes(invite).get(8..11).and_then(decimal_u32);
                let status = status.and_then(|status| u16::try_from(status).ok()).unwrap_or(180);
                if self.ring_reliably(call, (invite, dialog), status, &Content::NONE).is_err() {
                    self.repeat_after(call, REPEAT);
                }
            }
            State::Sent | State::Described | State::Held if sent >= SENDS => {
                if let Some(entry) = self.calls.get_mut(call) {
                    entry.set(Timer::Repeat, Instant::ZERO);
                }
                let _ = self.refuse(call, 504, Cause::NoAck, &Content::NONE);
            }
            State::Sent | State::Described | State::Held => {
                let sent = sent.saturating_add(1);
                // Doubled each time; after the last one what is left of 64·T1.
                let pause = if sent < SENDS { t1.times(1 << sent.saturating_sub(1)) } else { t1 };
                if let Some(entry) = self.calls.get_mut(call) {
                    entry.sent_2xx = sent;
                }
                self.repeat_after(call, pause);
                self.transactions.resend(self.now, invite);
            }
        }
        true
    }

    /// Repeats after a pause, counted from the moment that was due.
    fn repeat_after(&mut self, call: Handle, pause: Duration) {
        if let Some(entry) = self.calls.get_mut(call) {
            entry.set(Timer::Repeat, entry.at(Timer::Repeat).next_after(pause, self.now));
        }
        self.schedule_call(call);
    }

    /// The peer's PRACK (§3).
    pub(in crate::ua) fn pracked(&mut self, dialog: Handle, request: &Message<'_>) -> Received<Event> {
        let call = self.dialogs.get(dialog).map_or(Handle::NONE, |entry| entry.usage.call);
        let Leg { sending, rseq, .. } = self.leg(dialog);
        let (next, action) = sending.receive(Input::Prack);
        let Some(Ok(named)) = request.rack() else {
            self.reply_bare(request, 400);
            return Received::Nothing;
        };
        let seq = self.calls.get(call).map_or(0, |entry| entry.invite_seq);
        let is_last = (named.rseq, named.cseq, named.method) == (rseq, seq, Method::Invite);
        let ending = self.calls.get(call).is_none_or(|entry| {
            matches!(entry.state, machine::State::ByeDue | machine::State::Ending | machine::State::Over)
        });
        if !is_last || action == Action::Pass || ending {
            self.reply_bare(request, 481);
            return Received::Nothing;
        }
        let described = matches!(sending, State::Described | State::Held);
        let offered = self.calls.get(call).is_some_and(|entry| entry.offered);
        let has_body = !request.body().is_empty();
        let agreed = self.leg(dialog).agreed || described && (offered || has_body);
        // What a PRACK describes when the session has had its offer and answer is another offer (RFC 6337 §2.1).
        let answer_due = has_body && agreed && (offered || !described);
        if answer_due {
            if self.offer_waits(call) {
                // Another offer of the peer has no answer yet (RFC 3311 §5.2).
                let retry = [Field::RetryAfter(self.core.random.below(11))];
                self.respond_final(request, 500, b"", false, &retry);
                return Received::Nothing;
            }
            if !self.open_offer(call, request) {
                return Received::Nothing;
            }
        } else {
            self.respond_final(request, 200, b"", false, &[Field::Server]);
        }
        self.set_sending(dialog, next);
        #[cfg(feature = "offer-answer")]
        if described && offered {
            self.commit_answer(dialog);
        }
        if let Some(entry) = self.dialogs.get_mut(dialog) {
            entry.usage.agreed = agreed;
        }
        if let Some(entry) = self.calls.get_mut(call) {
            // No ACK owes an answer any more.
            entry.offered |= agreed;
            if sending.repeats() {
                entry.set(Timer::Repeat, self.now + REPEAT);
            }
        }
        self.schedule_call(call);
        self.release_answer(call);
        Received::Event(Event::ProvisionalAcknowledged { call: Call(call), answer_due })
    }

    /// Keeps our 2xx when it has to wait: for the PRACK of a description, or for our answer to an offer in one (§3, RFC 6337
    /// §2.2). Whether it waits.
    pub(in crate::ua) fn keep_answer(
        &mut self,
        call: Handle,
        dialog: Handle,
        content: &Content<'_>,
    ) -> Result<bool, Error> {
        let entry = self.calls.get(call).ok_or(Error::Gone)?;
        if !entry.kept_answer.is_none() {
            return Err(Error::State);
        }
        let (mut next, mut action) = self.leg(dialog).sending.receive(Input::Answer);
        if action == Action::Pass && self.offer_waits(call) {
            (next, action) = (self.leg(dialog).sending, Action::Hold);
        }
        match action {
            Action::Refuse => return Err(Error::State),
            Action::Hold => {}
            _ => return Ok(false),
        }
        let settings = &self.core.settings;
        let rows = [
            Field::Abilities,
            Field::Contact,
            Field::Server,
            #[cfg(feature = "session-timer")]
            self.session_response(call, 200),
        ];
        let kept = self.transactions.octets.write(content.room(), true, |kept, writer| {
            settings.write_rest(kept, writer, &rows, content);
        })?;
        if let Some(entry) = self.calls.get_mut(call) {
            entry.kept_answer = kept;
        }
        self.set_sending(dialog, next);
        Ok(true)
    }

    /// Sends our 2xx that was kept, if it need not wait any longer.
    pub(in crate::ua) fn release_answer(&mut self, call: Handle) {
        let Some(entry) = self.calls.get(call) else { return };
        let (dialog, kept) = (entry.dialog, entry.kept_answer);
        if kept.is_none() || self.leg(dialog).sending.repeats() || self.offer_waits(call) {
            return;
        }
        let invite = entry.exchanged;
        if let Some(entry) = self.calls.get_mut(call) {
            entry.kept_answer = Block::NONE;
        }
        let sent = self.respond_with(invite, 200, true, &[Field::End(kept)], &Content::NONE);
        match sent {
            Ok(()) => {
                self.accepted(call, invite, dialog, &Content::NONE);
                #[cfg(feature = "offer-answer")]
                self.commit_answer(dialog);
                #[cfg(feature = "session-timer")]
                self.keep_described(call, kept);
            }
            Err(_) => {
                let _ = self.refuse(call, 500, Cause::NoRoom, &Content::NONE);
            }
        }
        self.transactions.octets.release(kept);
    }

    /// The 2xx to the peer's INVITE was sent.
    pub(in crate::ua) fn overtake_provisional(&mut self, dialog: Handle) {
        let (next, _) = self.leg(dialog).sending.receive(Input::Answer);
        self.set_sending(dialog, next);
    }

    /// An INVITE inside the dialog is over without a 2xx.
    pub(in crate::ua) fn end_provisional(&mut self, call: Handle) {
        let Some(entry) = self.calls.get_mut(call) else { return };
        let dialog = entry.dialog;
        self.transactions.octets.release(core::mem::take(&mut entry.kept_answer));
        self.set_sending(dialog, State::Unreliable);
    }
}
