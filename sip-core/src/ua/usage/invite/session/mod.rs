//! The session of a call as its two ends agree upon it (RFC 3264): a [`Negotiation`] for each dialog.
//!
//! The application says what it can do at the moment when a description is made or read, and no sooner: keys, candidates and
//! fingerprints may depend on what the peer has sent.
//!
//! | message | what the application calls |
//! |---|---|
//! | our INVITE | [`call_with`](UserAgent::call_with), [`change_with`](UserAgent::change_with): the offer |
//! | a 1xx or 2xx to it | [`agree`](UserAgent::agree): early media, the answer |
//! | the peer's INVITE | [`agree`](UserAgent::agree): the offer is kept here until its answer, or refused with 488 or 400 |
//! | our 1xx, our 2xx | [`ring_with`](UserAgent::ring_with), [`answer_with`](UserAgent::answer_with): the answer; to an INVITE without an offer the 2xx has ours |
//! | the ACK to that | [`agree`](UserAgent::agree): the answer |
//! | a reliable 1xx with that answer, or with the offer that our INVITE lacks | [`agree`](UserAgent::agree), then [`acknowledge_provisional_with`](UserAgent::acknowledge_provisional_with): the answer in the PRACK |
//! | our reliable 1xx to an INVITE without an offer | [`ring_with`](UserAgent::ring_with) makes it; [`agree`](UserAgent::agree) reads the answer in the PRACK |
//! | our UPDATE, its 2xx | [`update_with`](UserAgent::update_with), [`agree`](UserAgent::agree) |
//! | the peer's UPDATE, a PRACK with another offer | [`agree`](UserAgent::agree), then [`answer_offer_with`](UserAgent::answer_offer_with) |
//! | a 2xx with the offer that our INVITE lacks | [`agree`](UserAgent::agree), then [`acknowledge_with`](UserAgent::acknowledge_with): the answer in the ACK |
//!
//! What becomes of the offer when its INVITE is refused, cancelled or lost is this module's business: what was agreed before holds
//! (RFC 6337 §3.4). After a 491 the same offer goes out once more, with the same version; when the peer's re-INVITE comes first,
//! ours is void, for the answer to the peer's says what this end wants already.

mod outside;
mod read;
mod write;

use crate::error::{Capacity, Error};
use crate::memory::{Block, Handle, Octets};
use crate::message::{Header, Message};
use crate::sdp::offer_answer::{Agreed, Capabilities, Negotiation, Refusal};
use crate::time::Instant;
use crate::ua::context::Context;
use crate::ua::event::Call;
#[cfg(feature = "100rel")]
use crate::ua::event::Fork;
use crate::ua::{Memory, UserAgent};
use core::fmt;

/// The longest description that the user agent writes from [`Capabilities`], in octets.
pub const MAX_DESCRIPTION: usize = if size_of::<usize>() == 8 { 4096 } else { 2048 };

/// Why a session was not offered, answered or agreed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum SessionError {
    /// The descriptions do not fit, or it is not the time for one.
    Refused(Refusal),
    /// The call, its state or the room do not allow it.
    Failed(Error),
}

impl From<Refusal> for SessionError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Error> for SessionError {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<Capacity> for SessionError {
    fn from(capacity: Capacity) -> Self {
        Self::Failed(capacity.into())
    }
}

impl fmt::Display for SessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => refusal.fmt(f),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for SessionError {}

impl<M: Memory> UserAgent<M> {
    /// As [`call`](Self::call), with an offer made of what this end can do.
    ///
    /// # Errors
    /// As [`call`](Self::call), and [`Refusal::Capabilities`] or [`Refusal::Write`]. Nothing was sent.
    pub fn call_with(
        &mut self,
        now: Instant,
        target: &str,
        from: &str,
        local: &Capabilities<'_>,
        headers: &[Header<'_>],
    ) -> Result<Call, SessionError> {
        self.context(now).invite_with(target, from, local, headers)
    }

    /// Reads what a message says of the session. Pass it each message that comes with [`Event::Incoming`], `Replacing`, `Progress`,
    /// `ProvisionalAcknowledged`, `Answered`, `Confirmed`, `Reinvite`, `Reinvited`, `Update` and `Updated`, whether it has a body or not, before anything else is done with the call.
    ///
    /// `None` when it changes nothing: it has no description, or none that means anything where it stands. Otherwise:
    ///
    /// | event | what is returned | an error, and what was done |
    /// |---|---|---|
    /// | `Incoming`, `Reinvite` | what an answer with these capabilities would agree upon | the INVITE is refused: 488 with a Warning, or 400 |
    /// | `Progress` | early media of that fork; what is agreed, when the response is reliable | nothing: a better one may follow |
    /// | `Progress` with `answer_due` | what an answer would agree upon | the call is given up |
    /// | `ProvisionalAcknowledged` | what is agreed | the INVITE is refused with 488 |
    /// | `Update`, and the same with `answer_due` | what an answer would agree upon | the request is refused: 488 with a Warning, or 400 |
    /// | `Answered`, `Confirmed`, `Reinvited`, `Updated` | what is agreed | the call is ended by BYE with a Reason |
    /// | `Answered`, `Reinvited` with `answer_due` | what an answer would agree upon | the same, behind the ACK |
    ///
    /// A call that ends so has [`Cause::NotAcceptable`](crate::ua::Cause::NotAcceptable). When the 2xx has no answer, what `Progress` has
    /// shown of its fork holds, and `None` is returned; when nothing was shown, it is an error.
    ///
    /// An answer is read with the capabilities that the offer was made of.
    ///
    /// # Errors
    /// [`SessionError::Refused`] as above; [`SessionError::Failed`] when the call has ended, or there is no room for the offer, which then
    /// still waits for a refusal.
    ///
    /// [`Event::Incoming`]: crate::ua::Event::Incoming
    pub fn agree(
        &mut self,
        now: Instant,
        call: Call,
        local: &Capabilities<'_>,
        message: &Message<'_>,
    ) -> Result<Option<Agreed>, SessionError> {
        self.context(now).agree(call.0, local, message)
    }

    /// As [`ring`](Self::ring), with what the answer to the peer's offer will be: for early media. [`answer_with`](Self::answer_with)
    /// gives it again, and for good, unless the response is acknowledged (RFC 3262): then it was the answer.
    ///
    /// To an INVITE without an offer a reliable response has ours, and `None` is returned: the answer comes with
    /// [`Event::ProvisionalAcknowledged`](crate::ua::Event::ProvisionalAcknowledged).
    ///
    /// # Errors
    /// As [`ring`](Self::ring); [`Error::State`] when the INVITE had no offer and the response is not reliable, or was not given to [`agree`](Self::agree);
    /// [`SessionError::Refused`] when nothing of the offer can be taken now.
    pub fn ring_with(
        &mut self,
        now: Instant,
        call: Call,
        status: u16,
        local: &Capabilities<'_>,
        headers: &[Header<'_>],
    ) -> Result<Option<Agreed>, SessionError> {
        self.context(now).ring_with(call.0, status, local, headers)
    }

    /// As [`answer`](Self::answer), with the answer to the peer's offer. To an INVITE without one the 200 has our offer, and `None` is
    /// returned: the answer comes with [`Event::Confirmed`](crate::ua::Event::Confirmed). When a reliable 1xx has said it all, the 200 has
    /// no description, and `None` is returned too.
    ///
    /// # Errors
    /// As [`answer`](Self::answer); [`Error::State`] when the INVITE was not given to [`agree`](Self::agree);
    /// [`SessionError::Refused`] when nothing of the offer can be taken now. Nothing was sent.
    pub fn answer_with(
        &mut self,
        now: Instant,
        call: Call,
        local: &Capabilities<'_>,
        headers: &[Header<'_>],
    ) -> Result<Option<Agreed>, SessionError> {
        self.context(now).answer_with(call.0, local, headers)
    }

    /// As [`reinvite`](Self::reinvite), with a new offer: to hold and to resume, or for other codecs, media or addresses.
    ///
    /// When the peer's re-INVITE comes before ours could be sent again after a 491, ours is given up: the answer to the peer's is
    /// made of the capabilities of the moment. [`Event::Reinvited`](crate::ua::Event::Reinvited) tells it with 491.
    ///
    /// # Errors
    /// As [`reinvite`](Self::reinvite); [`Error::State`] too when the call's session was not agreed here;
    /// [`Refusal::LocalOfferPending`] or [`Refusal::RemoteOfferPending`] when an offer is out.
    pub fn change_with(
        &mut self,
        now: Instant,
        call: Call,
        local: &Capabilities<'_>,
        headers: &[Header<'_>],
    ) -> Result<(), SessionError> {
        self.context(now).change_by(call.0, local, headers, |context, content| context.reinvite(call.0, content))
    }

    /// As [`acknowledge`](Self::acknowledge), with the answer to the offer that the 2xx has brought.
    ///
    /// # Errors
    /// As [`acknowledge`](Self::acknowledge); [`Error::State`] too when the 2xx was not given to [`agree`](Self::agree);
    /// [`SessionError::Refused`] when nothing of the offer can be taken now. Nothing was sent.
    pub fn acknowledge_with(
        &mut self,
        now: Instant,
        call: Call,
        local: &Capabilities<'_>,
        headers: &[Header<'_>],
    ) -> Result<Agreed, SessionError> {
        self.context(now).acknowledge_with(call.0, local, headers)
    }

    #[cfg(feature = "update")]
    /// As [`update`](Self::update), with a new offer; before the call is answered too, once its first offer is.
    ///
    /// # Errors
    /// As [`update`](Self::update); [`Error::State`] too when the call's session was not agreed here yet;
    /// [`Refusal::LocalOfferPending`] or [`Refusal::RemoteOfferPending`] when an offer is out.
    pub fn update_with(
        &mut self,
        now: Instant,
        call: Call,
        local: &Capabilities<'_>,
        headers: &[Header<'_>],
    ) -> Result<(), SessionError> {
        self.context(now).change_by(call.0, local, headers, |context, content| context.update(call.0, content))
    }

    #[cfg(any(feature = "100rel", feature = "update"))]
    /// As [`answer_offer`](Self::answer_offer), with 200 and the answer to the offer.
    ///
    /// # Errors
    /// As [`answer_offer`](Self::answer_offer); [`Error::State`] too when the request was not given to [`agree`](Self::agree);
    /// [`SessionError::Refused`] when nothing of the offer can be taken now. Nothing was sent.
    pub fn answer_offer_with(
        &mut self,
        now: Instant,
        call: Call,
        local: &Capabilities<'_>,
        headers: &[Header<'_>],
    ) -> Result<Agreed, SessionError> {
        self.context(now).answer_offer_with(call.0, local, headers)
    }

    #[cfg(feature = "100rel")]
    /// As [`acknowledge_provisional`](Self::acknowledge_provisional), with the answer to the offer of the response.
    ///
    /// # Errors
    /// As [`acknowledge_provisional`](Self::acknowledge_provisional); [`Error::State`] too when the response was not given to
    /// [`agree`](Self::agree); [`SessionError::Refused`] when nothing of the offer can be taken now. Nothing was sent.
    pub fn acknowledge_provisional_with(
        &mut self,
        now: Instant,
        call: Call,
        fork: Fork,
        local: &Capabilities<'_>,
        headers: &[Header<'_>],
    ) -> Result<Agreed, SessionError> {
        self.context(now).acknowledge_provisional_with(call.0, fork, local, headers)
    }

    /// The offers and answers of a call, of its chosen dialog; `None` when it has ended.
    #[must_use]
    pub fn negotiation(&self, call: Call) -> Option<&Negotiation> {
        let dialog = self.call_table().get(call.0)?.dialog;
        self.dialogs().get(dialog).map(|entry| &entry.usage.negotiation)
    }
}

impl<O: Octets> Context<'_, O> {
    /// The offers and answers of a dialog; of none, those of one that has not begun.
    fn negotiation(&self, dialog: Handle) -> Negotiation {
        self.dialogs.get(dialog).map_or(Negotiation::ZERO, |entry| entry.usage.negotiation)
    }

    fn set_negotiation(&mut self, dialog: Handle, negotiation: Negotiation) {
        if let Some(entry) = self.dialogs.get_mut(dialog) {
            entry.usage.negotiation = negotiation;
        }
    }

    /// The same, begun with a number of its own when it is new.
    fn begun(&mut self, dialog: Handle) -> Negotiation {
        let negotiation = self.negotiation(dialog);
        if negotiation != Negotiation::ZERO {
            return negotiation;
        }
        // Two bits less than there are, for peers that count with a sign.
        Negotiation::new(self.core.random.bits() >> 2)
    }

    /// A dialog of the same INVITE begins where `first` was when that was sent.
    pub(in crate::ua) fn fork_session(&mut self, first: Handle, dialog: Handle) {
        let fork = self.negotiation(first).fork();
        self.set_negotiation(dialog, fork);
    }

    /// The offer that is out in a call is void: what was agreed before holds.
    pub(in crate::ua) fn roll_back(&mut self, call: Handle) {
        let dialog = self.calls.get(call).map_or(Handle::NONE, |entry| entry.dialog);
        self.roll_back_dialog(dialog);
    }

    /// The offer of ours that is out in a dialog is void, or the peer's is not answered: what was agreed before holds.
    pub(in crate::ua) fn roll_back_dialog(&mut self, dialog: Handle) {
        self.release_offer(dialog);
        if let Some(entry) = self.dialogs.get_mut(dialog) {
            entry.usage.negotiation.rollback();
        }
    }

    /// Our answer in a dialog has been sent for good.
    pub(in crate::ua) fn commit_answer(&mut self, dialog: Handle) {
        if let Some(entry) = self.dialogs.get_mut(dialog) {
            entry.usage.negotiation.answer_sent();
        }
        self.release_offer(dialog);
    }

    /// Gives back the room of the peer's offer.
    fn release_offer(&mut self, dialog: Handle) {
        if let Some(entry) = self.dialogs.get_mut(dialog) {
            self.transactions.octets.release(core::mem::replace(&mut entry.usage.offer, Block::NONE));
        }
    }
}
