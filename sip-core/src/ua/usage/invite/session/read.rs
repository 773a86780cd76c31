//! Descriptions of the peer, read from what it sends.

use super::SessionError;
use crate::error::{Capacity, Error};
use crate::memory::{Handle, Octets};
use crate::message::{Header, HeaderName, Message, Method, Writer};
use crate::sdp::offer_answer::{Agreed, Capabilities, Refusal, State};
use crate::time::Instant;
use crate::ua::config::Text;
use crate::ua::content::Content;
use crate::ua::context::Context;
use crate::ua::event::Cause;
use crate::ua::usage::invite::entry::Timer;
use crate::ua::usage::invite::machine::Exchange;
use crate::ua::usage::invite::update::{self, UPDATE};

/// Why a call is ended whose session could not be agreed (RFC 3326).
const REASON: &[u8] = b"SIP;cause=488;text=\"Session description not acceptable\"";

/// The longest value of a Warning: a code, a host with its port, and a text.
const MAX_WARNING: usize = 320;

impl<O: Octets> Context<'_, O> {
    /// Reads what a message of a call says of the session.
    pub(in crate::ua) fn agree(
        &mut self,
        call: Handle,
        local: &Capabilities<'_>,
        message: &Message<'_>,
    ) -> Result<Option<Agreed>, SessionError> {
        let entry = self.calls.get(call).ok_or(Error::Gone)?;
        let (chosen, answer_due) = (entry.dialog, entry.exchange == Exchange::AnswerDue);
        let known = self
            .dialog_of(message)
            .filter(|dialog| self.dialogs.get(*dialog).is_some_and(|entry| entry.usage.call == call));
        let description = message.body_of_type(b"application/sdp").unwrap_or_default();
        match (message.method(), message.status()) {
            (Method::Invite, None) => {
                let dialog = if message.to_tag().is_none() { Some(chosen) } else { known };
                self.agree_on_invite(call, dialog.ok_or(Error::State)?, local, description)
            }
            (Method::Ack, None) => self.agree_on_answer(call, known.ok_or(Error::State)?, local, description),
            (Method::Update | Method::Prack, None) if self.offer_waits(call) => {
                self.agree_on_request(call, known.ok_or(Error::State)?, local, description)
            }
            (Method::Prack, None) => self.agree_on_prack(call, known.ok_or(Error::State)?, local, description),
            (Method::Invite, Some(101..=199))
                if known.is_some_and(|dialog| self.is_taken_reliably(dialog, message)) =>
            {
                self.agree_on_reliable(call, known.ok_or(Error::State)?, local, description)
            }
            (Method::Invite, Some(101..=199)) => self.agree_on_preview(chosen, known, local, description),
            (Method::Invite, Some(200..=299)) if answer_due => {
                self.agree_on_late_offer(call, known.ok_or(Error::State)?, local, description)
            }
            (Method::Invite | Method::Update, Some(200..=299)) => {
                self.agree_on_answer(call, known.ok_or(Error::State)?, local, description)
            }
            _ => Ok(None),
        }
    }

    /// The peer's INVITE, which waits for the answer of this end.
    fn agree_on_invite(
        &mut self,
        call: Handle,
        dialog: Handle,
        local: &Capabilities<'_>,
        offer: Option<&[u8]>,
    ) -> Result<Option<Agreed>, SessionError> {
        let _ = self.waiting_invite(call)?;
        self.give_up_retry(call);
        // What an answer that was not sent for good has prepared is made anew.
        self.roll_back(call);
        if let Some(entry) = self.calls.get_mut(call) {
            entry.offered = offer.is_some();
        }
        let Some(offer) = offer else { return Ok(None) };
        let kept = self.keep_offer(call, dialog, local, offer);
        if let Err(SessionError::Refused(refusal)) = kept {
            self.refuse_offer(call, refusal)?;
        }
        kept.map(Some)
    }

    /// The 2xx to an INVITE of ours that had no offer.
    fn agree_on_late_offer(
        &mut self,
        call: Handle,
        dialog: Handle,
        local: &Capabilities<'_>,
        offer: Option<&[u8]>,
    ) -> Result<Option<Agreed>, SessionError> {
        // Whatever its body is, it is not the offer that it has to be (RFC 3261 §13.2.1).
        let offer = offer.unwrap_or_default();
        let kept = self.keep_offer(call, dialog, local, offer);
        if let Err(SessionError::Refused(_)) = kept {
            self.end_without_session(call);
        }
        kept.map(Some)
    }

    /// What may have the answer to this end's offer: a 2xx, or the ACK to one.
    fn agree_on_answer(
        &mut self,
        call: Handle,
        dialog: Handle,
        local: &Capabilities<'_>,
        answer: Option<&[u8]>,
    ) -> Result<Option<Agreed>, SessionError> {
        let mut negotiation = self.negotiation(dialog);
        if negotiation.state() != State::HaveLocalOffer {
            return Ok(None);
        }
        let agreed = match answer {
            Some(answer) => negotiation.receive_answer(local, answer).map(Some),
            None => negotiation.accept_preview().map(|()| None),
        };
        match agreed {
            Ok(_) => self.set_negotiation(dialog, negotiation),
            Err(_) => self.end_without_session(call),
        }
        Ok(agreed?)
    }

    /// A provisional response, which nobody acknowledges. That of a fork for which there is no dialog is read all the same.
    fn agree_on_preview(
        &mut self,
        first: Handle,
        known: Option<Handle>,
        local: &Capabilities<'_>,
        preview: Option<&[u8]>,
    ) -> Result<Option<Agreed>, SessionError> {
        let mut negotiation = known.map_or_else(|| self.negotiation(first).fork(), |dialog| self.negotiation(dialog));
        let Some(preview) = preview.filter(|_| negotiation.state() == State::HaveLocalOffer) else { return Ok(None) };
        let agreed = negotiation.receive_preview(local, preview)?;
        self.set_negotiation(known.unwrap_or(Handle::NONE), negotiation);
        Ok(Some(agreed))
    }

    /// Keeps an offer of the peer that can be taken until its answer.
    pub(super) fn keep_offer(
        &mut self,
        call: Handle,
        dialog: Handle,
        local: &Capabilities<'_>,
        offer: &[u8],
    ) -> Result<Agreed, SessionError> {
        let negotiation = self.begun(dialog);
        let agreed = negotiation.preview_offer(local, offer)?;
        if !self.can_spend(call, offer.len()) {
            return Err(Capacity::octets(offer.len()).into());
        }
        let block = self.transactions.octets.write(offer.len(), false, |_, writer| writer.raw(offer))?;
        self.release_offer(dialog);
        if let Some(entry) = self.dialogs.get_mut(dialog) {
            (entry.usage.offer, entry.usage.negotiation) = (block, negotiation);
        }
        Ok(agreed)
    }

    /// Our re-INVITE that waits to be sent again after a 491 is given up: the peer's has come first.
    pub(super) fn give_up_retry(&mut self, call: Handle) {
        let Some(entry) = self.calls.get_mut(call) else { return };
        if entry.at(Timer::Retry) == Instant::ZERO {
            return;
        }
        if UPDATE && entry.update == update::machine::State::Waiting {
            return self.give_up_update(call, 491);
        }
        entry.set(Timer::Retry, Instant::ZERO);
        self.transactions.octets.release(core::mem::take(&mut entry.kept_invite));
        self.schedule_call(call);
        self.tell_reinvited(call, 491);
    }

    /// Refuses the peer's INVITE for its offer (RFC 3261 §13.3.1.3, §14.2).
    fn refuse_offer(&mut self, call: Handle, refusal: Refusal) -> Result<(), Error> {
        self.with_warning(refusal, |context, status, content| {
            context.refuse(call, status, Cause::NotAcceptable, content)
        })
    }

    /// Refuses an offer in some way, with the status and the Warning that say why.
    pub(super) fn with_warning(
        &mut self,
        refusal: Refusal,
        refuse: impl FnOnce(&mut Self, u16, &Content<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let Some(status) = refusal.status() else { return Ok(()) };
        let mut buffer = [0; MAX_WARNING];
        let value = self.warning(refusal, &mut buffer);
        let row = [Header { name: HeaderName::Warning, value }];
        let headers = if value.is_empty() { &[][..] } else { &row };
        refuse(self, status, &Content { headers, body: None })
    }

    /// The value of the Warning that a refusal has; empty for none.
    fn warning<'b>(&self, refusal: Refusal, buffer: &'b mut [u8; MAX_WARNING]) -> &'b [u8] {
        let Some(warning) = refusal.warning() else { return b"" };
        let settings = &self.core.settings;
        let texts = self.transactions.octets.get(settings.block());
        let mut writer = Writer::new(buffer);
        writer.number(u64::from(warning.code()));
        writer.octet(b' ');
        writer.text(settings.text(texts, Text::SentBy));
        writer.text(b" \"");
        writer.text(warning.text().as_bytes());
        writer.octet(b'"');
        let length = writer.finish().unwrap_or(0);
        buffer.get(..length).unwrap_or_default()
    }

    /// Ends a call whose ends do not agree, behind the ACK (RFC 3261 §13.2.2.4).
    pub(super) fn end_without_session(&mut self, call: Handle) {
        let row = [Header { name: HeaderName::Reason, value: REASON }];
        // Without room for the reason the BYE goes without it.
        if let (Ok(rows), Some(entry)) =
            (Content::keep_headers(&row, self.transactions.octets), self.calls.get_mut(call))
        {
            self.transactions.octets.release(core::mem::replace(&mut entry.end_headers, rows));
        }
        self.lose_call(call, Cause::NotAcceptable, 0);
    }
}
