//! Offers and answers that are not in an INVITE, its 2xx or its ACK: in reliable 1xx and PRACK (RFC 3262 §5), and in UPDATE
//! (RFC 3311 §5).

use super::SessionError;
use super::write::{Buffer, content};
use crate::error::Error;
use crate::memory::{Handle, Octets};
use crate::message::{Header, Message};
use crate::sdp::offer_answer::{Agreed, Capabilities, State};
use crate::ua::content::Content;
use crate::ua::context::Context;
use crate::ua::event::{Cause, Fork};
use crate::ua::usage::invite::machine::Input;
use crate::ua::usage::invite::reliable::receiving;

impl<O: Octets> Context<'_, O> {
    /// Whether a response is the reliable one that was taken last in its dialog.
    pub(super) fn is_taken_reliably(&self, dialog: Handle, response: &Message<'_>) -> bool {
        let rseq = self.rseq_of(response);
        rseq.is_some_and(|rseq| self.dialogs.get(dialog).is_some_and(|entry| entry.usage.rseq == rseq))
    }

    /// A reliable 1xx: the answer to our offer, or the offer that our INVITE lacked.
    pub(super) fn agree_on_reliable(
        &mut self,
        call: Handle,
        dialog: Handle,
        local: &Capabilities<'_>,
        description: Option<&[u8]>,
    ) -> Result<Option<Agreed>, SessionError> {
        let Some(description) = description else { return Ok(None) };
        let mut negotiation = self.negotiation(dialog);
        if negotiation.state() == State::HaveLocalOffer {
            // A bad answer leaves the offer open: a better one may follow, and the 2xx decides.
            let agreed = negotiation.receive_answer(local, description)?;
            self.set_negotiation(dialog, negotiation);
            return Ok(Some(agreed));
        }
        let owes =
            |entry: &crate::dialog::Dialog<super::super::Leg>| entry.usage.receiving == receiving::State::AnswerDue;
        if !self.dialogs.get(dialog).is_some_and(owes) {
            return Ok(None);
        }
        let kept = self.keep_offer(call, dialog, local, description);
        if let Err(SessionError::Refused(_)) = kept {
            // An offer in a response can't be refused: the call is given up, or ended.
            if self.calls.get(call).is_some_and(|entry| entry.state.awaits_final()) {
                self.give_up(call, Cause::NotAcceptable, Input::GiveUp);
            } else {
                self.end_without_session(call);
            }
        }
        kept.map(Some)
    }

    /// A PRACK or UPDATE whose offer waits for our user.
    pub(super) fn agree_on_request(
        &mut self,
        call: Handle,
        dialog: Handle,
        local: &Capabilities<'_>,
        offer: Option<&[u8]>,
    ) -> Result<Option<Agreed>, SessionError> {
        self.give_up_retry(call);
        // What an answer that was not sent has prepared is made anew.
        self.roll_back_dialog(dialog);
        // Whatever its body is, it is not an offer.
        let kept = self.keep_offer(call, dialog, local, offer.unwrap_or_default());
        if let Err(SessionError::Refused(refusal)) = kept {
            self.with_warning(refusal, |context, status, content| context.answer_offer(call, status, content))?;
        }
        kept.map(Some)
    }

    /// A PRACK that may have the answer to the offer of our reliable 1xx.
    pub(super) fn agree_on_prack(
        &mut self,
        call: Handle,
        dialog: Handle,
        local: &Capabilities<'_>,
        answer: Option<&[u8]>,
    ) -> Result<Option<Agreed>, SessionError> {
        let mut negotiation = self.negotiation(dialog);
        let Some(answer) = answer.filter(|_| negotiation.state() == State::HaveLocalOffer) else { return Ok(None) };
        match negotiation.receive_answer(local, answer) {
            Ok(agreed) => {
                self.set_negotiation(dialog, negotiation);
                Ok(Some(agreed))
            }
            Err(refusal) => {
                self.refuse(call, 488, Cause::NotAcceptable, &Content::NONE)?;
                Err(refusal.into())
            }
        }
    }

    pub(super) fn answer_offer_with(
        &mut self,
        call: Handle,
        local: &Capabilities<'_>,
        headers: &[Header<'_>],
    ) -> Result<Agreed, SessionError> {
        let offer = self.waiting_offer(call)?;
        let dialog = self.dialog_of_offer(offer).ok_or(Error::Gone)?;
        let mut buffer: Buffer = [0; super::MAX_DESCRIPTION];
        let (negotiation, answer) = self.make_answer(dialog, local, &mut buffer)?;
        // Before a 2xx to the INVITE that waits for it goes out.
        let before = self.negotiation(dialog);
        self.set_negotiation(dialog, negotiation);
        if let Err(error) = self.answer_offer(call, 200, &content(&buffer, answer.length, headers)) {
            self.set_negotiation(dialog, before);
            return Err(error.into());
        }
        self.commit_answer(dialog);
        Ok(answer.agreed)
    }

    pub(super) fn acknowledge_provisional_with(
        &mut self,
        call: Handle,
        fork: Fork,
        local: &Capabilities<'_>,
        headers: &[Header<'_>],
    ) -> Result<Agreed, SessionError> {
        let mut dialog = self.calls.get(call).ok_or(Error::Gone)?.dialog;
        while let Some(entry) = self.dialogs.get(dialog) {
            if Fork(entry.key().bucket_bits()) == fork {
                break;
            }
            dialog = entry.usage.next;
        }
        let mut buffer: Buffer = [0; super::MAX_DESCRIPTION];
        let (negotiation, answer) = self.make_answer(dialog, local, &mut buffer)?;
        self.acknowledge_provisional(call, fork, &content(&buffer, answer.length, headers))?;
        self.set_negotiation(dialog, negotiation);
        self.commit_answer(dialog);
        Ok(answer.agreed)
    }
}
