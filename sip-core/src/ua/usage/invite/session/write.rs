//! Descriptions of this end, written into what it sends.

use super::{MAX_DESCRIPTION, SessionError};
use crate::error::Error;
use crate::memory::{Handle, Octets};
use crate::message::Header;
use crate::sdp::offer_answer::{Agreed, Answer, Capabilities, Negotiation, State};
use crate::ua::content::{Body, Content};
use crate::ua::context::Context;
use crate::ua::event::Call;

/// A description as it is written.
pub(super) type Buffer = [u8; MAX_DESCRIPTION];

impl<O: Octets> Context<'_, O> {
    /// Opens a call with an offer.
    pub(in crate::ua) fn invite_with(
        &mut self,
        target: &str,
        from: &str,
        local: &Capabilities<'_>,
        headers: &[Header<'_>],
    ) -> Result<Call, SessionError> {
        self.open_with(local, headers, |context, content| context.invite(target, from, content))
    }

    /// Opens a call in some way, with an offer.
    pub(in crate::ua) fn open_with(
        &mut self,
        local: &Capabilities<'_>,
        headers: &[Header<'_>],
        open: impl FnOnce(&mut Self, &Content<'_>) -> Result<Call, Error>,
    ) -> Result<Call, SessionError> {
        let mut buffer: Buffer = [0; MAX_DESCRIPTION];
        let mut negotiation = self.begun(Handle::NONE);
        let length = negotiation.offer(local, &mut buffer)?;
        let call = open(self, &content(&buffer, length, headers))?;
        let dialog = self.calls.get(call.0).map_or(Handle::NONE, |entry| entry.dialog);
        self.set_negotiation(dialog, negotiation);
        Ok(call)
    }

    pub(in crate::ua) fn ring_with(
        &mut self,
        call: Handle,
        status: u16,
        local: &Capabilities<'_>,
        headers: &[Header<'_>],
    ) -> Result<Option<Agreed>, SessionError> {
        let dialog = self.waiting_invite(call)?.1;
        let mut buffer: Buffer = [0; MAX_DESCRIPTION];
        if self.calls.get(call).is_some_and(|entry| !entry.offered) && self.is_reliable(dialog) {
            let mut negotiation = self.begun(dialog);
            let length = negotiation.offer(local, &mut buffer)?;
            self.ring(call, status, &content(&buffer, length, headers))?;
            self.set_negotiation(dialog, negotiation);
            return Ok(None);
        }
        let (negotiation, answer) = self.make_answer(dialog, local, &mut buffer)?;
        self.ring(call, status, &content(&buffer, answer.length, headers))?;
        self.set_negotiation(dialog, negotiation);
        Ok(Some(answer.agreed))
    }

    pub(in crate::ua) fn answer_with(
        &mut self,
        call: Handle,
        local: &Capabilities<'_>,
        headers: &[Header<'_>],
    ) -> Result<Option<Agreed>, SessionError> {
        let dialog = self.waiting_invite(call)?.1;
        let offered = self.calls.get(call).is_some_and(|entry| entry.offered);
        if self.is_described(dialog, offered) {
            self.answer(call, &Content { headers, body: None })?;
            return Ok(None);
        }
        let mut buffer: Buffer = [0; MAX_DESCRIPTION];
        if offered {
            let (negotiation, answer) = self.make_answer(dialog, local, &mut buffer)?;
            self.answer(call, &content(&buffer, answer.length, headers))?;
            self.set_negotiation(dialog, negotiation);
            if self.calls.get(call).is_none_or(|entry| entry.kept_answer.is_none()) {
                self.commit_answer(dialog);
            }
            return Ok(Some(answer.agreed));
        }
        let mut negotiation = self.begun(dialog);
        let length = negotiation.offer(local, &mut buffer)?;
        self.answer(call, &content(&buffer, length, headers))?;
        self.set_negotiation(dialog, negotiation);
        Ok(None)
    }

    /// Whether a reliable 1xx has said all that the 2xx would: the answer, which has its PRACK, or the offer that a PRACK answers.
    fn is_described(&self, dialog: Handle, offered: bool) -> bool {
        let Some(entry) = self.dialogs.get(dialog).filter(|_| self.is_reliable(dialog)) else { return false };
        match entry.usage.negotiation.state() {
            State::Stable => entry.usage.agreed && entry.usage.offer.is_none(),
            State::HaveLocalOffer => !offered,
            State::HaveRemoteOffer => false,
        }
    }

    /// Changes a session that was agreed here, by a request with a new offer.
    pub(in crate::ua) fn change_by(
        &mut self,
        call: Handle,
        local: &Capabilities<'_>,
        headers: &[Header<'_>],
        send: impl FnOnce(&mut Self, &Content<'_>) -> Result<(), Error>,
    ) -> Result<(), SessionError> {
        let dialog = self.calls.get(call).ok_or(Error::Gone)?.dialog;
        let mut negotiation = self.negotiation(dialog);
        if !negotiation.is_agreed() {
            return Err(Error::State.into());
        }
        let mut buffer: Buffer = [0; MAX_DESCRIPTION];
        let length = negotiation.offer(local, &mut buffer)?;
        send(self, &content(&buffer, length, headers))?;
        self.set_negotiation(dialog, negotiation);
        Ok(())
    }

    pub(in crate::ua) fn acknowledge_with(
        &mut self,
        call: Handle,
        local: &Capabilities<'_>,
        headers: &[Header<'_>],
    ) -> Result<Agreed, SessionError> {
        let dialog = self.calls.get(call).ok_or(Error::Gone)?.dialog;
        let mut buffer: Buffer = [0; MAX_DESCRIPTION];
        let (negotiation, answer) = self.make_answer(dialog, local, &mut buffer)?;
        self.acknowledge(call, &content(&buffer, answer.length, headers))?;
        self.set_negotiation(dialog, negotiation);
        self.commit_answer(dialog);
        Ok(answer.agreed)
    }

    /// Writes the answer to the offer that a dialog keeps, anew when one was written before.
    pub(in crate::ua) fn make_answer(
        &self,
        dialog: Handle,
        local: &Capabilities<'_>,
        buffer: &mut [u8],
    ) -> Result<(Negotiation, Answer), SessionError> {
        let entry = self.dialogs.get(dialog).ok_or(Error::Gone)?;
        if entry.usage.offer.is_none() {
            return Err(Error::State.into());
        }
        let mut negotiation = entry.usage.negotiation;
        if negotiation.state() == State::HaveRemoteOffer {
            negotiation.rollback();
        }
        let offer = self.transactions.octets.get(entry.usage.offer);
        let answer = negotiation.receive_offer(local, offer, buffer)?;
        Ok((negotiation, answer))
    }
}

/// A description with headers of the application.
pub(super) fn content<'a>(buffer: &'a Buffer, length: usize, headers: &'a [Header<'a>]) -> Content<'a> {
    let bytes = buffer.get(..length).unwrap_or_default();
    Content { headers, body: Some(Body { content_type: "application/sdp", bytes }) }
}
