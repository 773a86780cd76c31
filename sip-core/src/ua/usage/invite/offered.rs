//! An offer that the peer makes outside of an INVITE, in PRACK (RFC 3262 §5) or UPDATE (RFC 3311 §5.2), until our user answers it.

#[cfg(feature = "session-timer")]
use super::machine::Exchange;
use super::reliable::RELIABLE;
use super::update::UPDATE;
use crate::dialog::key;
use crate::error::{Argument, Error};
use crate::memory::{Handle, Octets};
use crate::message::{HeaderName, Kept, Message};
#[cfg(any(feature = "100rel", feature = "update"))]
use crate::time::Instant;
use crate::transaction::TransactionId;
use crate::ua::content::Content;
use crate::ua::context::Context;
use crate::ua::headers::{Field, tag_of};
use crate::ua::usage::UsageId;
#[cfg(any(feature = "100rel", feature = "update"))]
use crate::ua::usage::invite::entry::Timer;

/// Whether there are such requests.
pub(in crate::ua) const MAY_OFFER: bool = RELIABLE || UPDATE;

impl<O: Octets> Context<'_, O> {
    /// Whether an offer of the peer waits for our user's answer.
    pub(in crate::ua) fn offer_waits(&self, call: Handle) -> bool {
        let offers = self.calls.get(call).is_some_and(|entry| !entry.offer.is_none());
        offers && self.waiting_offer(call).is_ok()
    }

    /// The transaction of the request whose offer waits.
    pub(in crate::ua) fn waiting_offer(&self, call: Handle) -> Result<TransactionId, Error> {
        let offer = self.calls.get(call).ok_or(Error::Gone)?.offer;
        if offer.is_none() {
            return Err(Error::State);
        }
        let layer = &self.transactions;
        if layer.is_server(offer) && !layer.has_final(offer) { Ok(offer) } else { Err(Error::State) }
    }

    /// Answers or refuses the offer with a final response.
    pub(in crate::ua) fn answer_offer(
        &mut self,
        call: Handle,
        status: u16,
        content: &Content<'_>,
    ) -> Result<(), Error> {
        content.check()?;
        if !(200..=699).contains(&status) {
            return Err(Error::Invalid(Argument::Status));
        }
        let offer = self.waiting_offer(call)?;
        let dialog = self.dialog_of_offer(offer);
        // An UPDATE refreshes the session too (RFC 4028 §7.4).
        #[cfg(feature = "session-timer")]
        let refreshes = status < 300
            && Kept::new(self.transactions.response_head(offer)).header(HeaderName::CSeq).ends_with(b"UPDATE")
            && self.calls.get(call).is_some_and(|entry| entry.state.is_up() && entry.exchange != Exchange::Theirs);
        let rows = [
            #[cfg(feature = "session-timer")]
            self.session_response(call, if refreshes { status } else { 0 }),
            Field::Abilities,
            Field::Contact,
            Field::Server,
        ];
        self.respond_with(offer, status, true, &rows, content)?;
        #[cfg(feature = "session-timer")]
        if refreshes {
            self.session_accepted(call, content);
        } else if status < 300 {
            self.described_outside(call);
        }
        self.close_offer(call, dialog, status);
        Ok(())
    }

    /// The peer's offer has its final response.
    fn close_offer(&mut self, call: Handle, dialog: Option<Handle>, status: u16) {
        if let Some(entry) = self.calls.get_mut(call) {
            entry.offer = TransactionId::NONE;
            #[cfg(any(feature = "100rel", feature = "update"))]
            entry.set(Timer::Offer, Instant::ZERO);
        }
        self.schedule_call(call);
        #[cfg(feature = "offer-answer")]
        if let Some(dialog) = dialog.filter(|_| status >= 300) {
            self.roll_back_dialog(dialog);
        }
        if UPDATE {
            self.take_offer_target(call, dialog, status);
        }
        self.release_answer(call);
    }

    /// The dialog of the request whose offer waits.
    pub(in crate::ua) fn dialog_of_offer(&self, offer: TransactionId) -> Option<Handle> {
        let head = Kept::new(self.transactions.response_head(offer));
        let tag = |name| tag_of(head.header(name)).unwrap_or_default();
        let (local, remote) = (tag(HeaderName::To), tag(HeaderName::From));
        self.dialogs.find(0, key(&self.core.hash, head.header(HeaderName::CallId), local, remote))
    }

    /// Refuses the offer that our user has not answered in 32·T1, before the peer gives its request up (RFC 3261 §17.1.2.2).
    #[cfg(any(feature = "100rel", feature = "update"))]
    pub(in crate::ua) fn offer_due(&mut self, call: Handle) {
        let now = self.now;
        let Some(entry) = self.calls.get_mut(call).filter(|entry| entry.is_due(Timer::Offer, now)) else { return };
        entry.set(Timer::Offer, Instant::ZERO);
        let Ok(offer) = self.waiting_offer(call) else { return };
        if let Some(entry) = self.calls.get_mut(call) {
            entry.pending.offer_timed_out = true;
        }
        self.tell_call(call);
        let dialog = self.dialog_of_offer(offer);
        self.transactions.finish(now, offer, 504);
        self.close_offer(call, dialog, 504);
    }

    /// Keeps a request that brings an offer until our user answers it, if there is room.
    pub(in crate::ua) fn open_offer(&mut self, call: Handle, request: &Message<'_>) -> bool {
        match self.open_transaction(request, b"", UsageId::None.new_user(), false) {
            Ok(id) => {
                if let Some(entry) = self.calls.get_mut(call) {
                    entry.offer = id;
                    #[cfg(any(feature = "100rel", feature = "update"))]
                    entry.set(Timer::Offer, self.now + self.core.settings.timers.t1.times(32));
                }
                self.schedule_call(call);
                true
            }
            Err(_) => {
                self.refuse_for_room(request);
                false
            }
        }
    }

    /// The call is over: so is the request (RFC 3261 §15.1.2).
    pub(in crate::ua) fn end_offer(&mut self, offer: TransactionId) {
        let layer = &self.transactions;
        if layer.is_server(offer) && !layer.has_final(offer) {
            self.transactions.finish(self.now, offer, 487);
        }
    }
}
