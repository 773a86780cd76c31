//! The caller's side of reliable provisional responses (RFC 3262 §4): their order in each early dialog, and PRACK.

use super::receiving::{Action, State};
use super::requires;
use crate::dialog;
use crate::error::Error;
use crate::memory::{Block, Handle, Octets};
use crate::message::{Message, Method};
use crate::role::Received;
use crate::ua::content::Content;
use crate::ua::context::Context;
use crate::ua::event::{Call, Event, Fork};
use crate::ua::headers::Field;
use crate::ua::usage::invite::InviteTransaction;

impl<O: Octets> Context<'_, O> {
    /// The RSeq of a provisional response that has to be acknowledged (§4); `None` of one that has not, or can't be.
    pub(in crate::ua) fn rseq_of(&self, response: &Message<'_>) -> Option<u32> {
        let reliable = self.knows_reliable() && response.to_tag().is_some() && requires(response);
        if reliable { response.rseq()?.ok() } else { None }
    }

    /// Takes a reliable response in its early dialog; whether our user owes an answer to the offer that it brings. `None` when it
    /// is to be passed over: a repetition, one out of order, or one without room for its PRACK, which will be repeated.
    pub(in crate::ua) fn take_provisional(
        &mut self,
        call: Handle,
        dialog: Handle,
        rseq: u32,
        response: &Message<'_>,
    ) -> Option<bool> {
        let offered = self.calls.get(call)?.offered;
        let entry = self.dialogs.get(dialog)?;
        let leg = entry.usage;
        if leg.call != call || entry.state() == dialog::State::Terminating {
            return None;
        }
        let described = !response.body().is_empty();
        let offers = described && !offered && !leg.agreed;
        let (next, action) = leg.receiving.receive(leg.rseq, rseq, offers);
        if action == Action::Nothing {
            return None;
        }
        let octets = &mut *self.transactions.octets;
        if let Some(target) = entry.identity().new_target(response, octets) {
            // It is a target refresh, as a 2xx is (RFC 6141 §4.2).
            self.set_target(dialog, Some(target), Block::NONE);
        }
        let seq = response.cseq().number;
        if action == Action::Acknowledge {
            self.send_prack(dialog, rseq, seq, &Content::NONE).ok()?;
        }
        if let Some(entry) = self.calls.get_mut(call) {
            entry.invite_seq = seq;
        }
        let source = self.source;
        if let Some(entry) = self.dialogs.get_mut(dialog) {
            entry.set_source(source);
            let leg = &mut entry.usage;
            (leg.receiving, leg.rseq) = (next, rseq);
            leg.agreed |= described && offered;
        }
        Some(offers)
    }

    /// A provisional response to our re-INVITE: told only when it brings a description, an answer or an offer to answer.
    pub(in crate::ua) fn reinvite_progress(
        &mut self,
        call: Handle,
        dialog: Handle,
        response: &Message<'_>,
    ) -> Received<Event> {
        let Some(rseq) = self.rseq_of(response) else { return Received::Nothing };
        let Some(answer_due) = self.take_provisional(call, dialog, rseq, response) else { return Received::Nothing };
        if response.body().is_empty() {
            return Received::Nothing;
        }
        let fork = Fork(self.dialogs.get(dialog).map_or(0, |entry| entry.key().bucket_bits()));
        let status = response.status().unwrap_or_default();
        Received::Event(Event::Progress { call: Call(call), status, fork, answer_due })
    }

    fn send_prack(&mut self, dialog: Handle, rseq: u32, seq: u32, content: &Content<'_>) -> Result<(), Error> {
        let user = InviteTransaction::Prack(dialog).new_user();
        self.send_in_dialog_with(dialog, Method::Prack, user, Field::RAck(rseq, seq), content)?;
        Ok(())
    }

    /// The PRACK that was sent last in this dialog has its final response, or will have none.
    pub(in crate::ua) fn prack_done(&mut self, dialog: Handle) {
        if let Some(entry) = self.dialogs.get_mut(dialog) {
            entry.usage.receiving = entry.usage.receiving.acknowledged();
        }
    }

    /// Sends the PRACK that waited for the application's answer.
    pub(in crate::ua) fn acknowledge_provisional(
        &mut self,
        call: Handle,
        fork: Fork,
        content: &Content<'_>,
    ) -> Result<(), Error> {
        content.check()?;
        let entry = self.calls.get(call).ok_or(Error::Gone)?;
        let (seq, mut dialog) = (entry.invite_seq, entry.dialog);
        while let Some(entry) = self.dialogs.get(dialog) {
            if entry.usage.receiving == State::AnswerDue && Fork(entry.key().bucket_bits()) == fork {
                let (rseq, confirmed) = (entry.usage.rseq, entry.state() == dialog::State::Confirmed);
                self.send_prack(dialog, rseq, seq, content)?;
                #[cfg(feature = "session-timer")]
                self.described_outside(call);
                if let Some(entry) = self.dialogs.get_mut(dialog) {
                    entry.usage.receiving = State::Acknowledging;
                    entry.usage.agreed = true;
                }
                if let Some(entry) = self.calls.get_mut(call).filter(|_| confirmed) {
                    // What the 2xx to the re-INVITE brings is no offer.
                    entry.offered = true;
                }
                return Ok(());
            }
            dialog = entry.usage.next;
        }
        Err(Error::State)
    }

    /// An INVITE of ours goes out, again or inside a dialog, or has its final response: the next reliable response is a first one.
    pub(in crate::ua) fn forget_provisional(&mut self, dialog: Handle) {
        if let Some(entry) = self.dialogs.get_mut(dialog) {
            entry.usage.receiving = State::Start;
            entry.usage.rseq = 0;
            entry.usage.agreed = false;
        }
    }
}
