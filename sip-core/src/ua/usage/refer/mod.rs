//! Transfer: REFER with the subscription that it makes, and INVITE with Replaces (RFC 3515, RFC 3891, RFC 4488, RFC 5589).
//!
//! A REFER goes out, and is taken, inside a call. The subscription keeps the dialog when the call ends (RFC 5057), so that its
//! NOTIFYs still find their way. `machine.rs` has the states of both ends.

mod entry;
mod machine;
mod notifier;
mod replaces;
mod rows;
mod subscriber;

pub use entry::ReferralEntry;
pub(in crate::ua) use rows::{Referred, Rows as ReferRows};

use super::Failure;
use crate::error::{Capacity, Error};
use crate::memory::{Handle, Octets};
use crate::message::option_tags::list_contains_method;
use crate::message::scan::decimal_u32;
use crate::message::{Event as Package, Message, Method};
use crate::role::Received;
#[cfg(feature = "offer-answer")]
use crate::sdp::offer_answer::Capabilities;
use crate::time::Instant;
use crate::transaction::TransactionId;
#[cfg(feature = "offer-answer")]
use crate::ua::SessionError;
use crate::ua::config::Text;
use crate::ua::content::Content;
use crate::ua::context::{Context, TELL};
use crate::ua::event::{Call, Event, ReferCause, Referral};
use crate::ua::{Memory, UserAgent};
use machine::{Action, Input, State};
use subscriber::ReferTo;

/// The longest that we wait for the next NOTIFY, in seconds, whatever a peer says of its subscription.
const LONGEST: u32 = 3600;

/// The most REFERs of one dialog, ours and the peer's, at a time: a storm of them takes no more.
const MOST_IN_DIALOG: u8 = 8;

/// Which request a transaction of this usage carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ua) enum ReferTransaction {
    /// Our REFER.
    Refer(Handle),
    /// Our NOTIFY about the peer's.
    Notify(Handle),
}

impl ReferTransaction {
    /// The REFER that it is about.
    pub(in crate::ua) const fn referral(self) -> Handle {
        let (Self::Refer(handle) | Self::Notify(handle)) = self;
        handle
    }
}

impl<M: Memory> UserAgent<M> {
    /// Asks the peer of a call to send a request to `target`, a URI or a name-addr: blind transfer (RFC 5589 §6).
    ///
    /// A `method` parameter of the URI asks for another method than INVITE. [`Event::ReferAccepted`], `ReferProgress` and
    /// `ReferEnded` tell what becomes of it. The call goes on: it is the application's to end it, best as soon as its peer has
    /// accepted, and its end does not end what is told.
    ///
    /// A header `Refer-Sub: false` asks that nothing is told (RFC 4488).
    ///
    /// # Errors
    /// The call is not established, the target or a header is not in its form, or a capacity is reached.
    pub fn refer(&mut self, now: Instant, call: Call, target: &str, content: &Content<'_>) -> Result<Referral, Error> {
        self.context(now).refer(call.0, ReferTo::Target(target), content)
    }

    /// Asks the peer of `call` to call the peer of `with` and to take our place there (Replaces): attended transfer
    /// (RFC 5589 §7).
    ///
    /// # Errors
    /// As [`refer`](Self::refer), of both calls; [`Error::State`] when they are one.
    pub fn refer_to_call(
        &mut self,
        now: Instant,
        call: Call,
        with: Call,
        content: &Content<'_>,
    ) -> Result<Referral, Error> {
        self.context(now).refer(call.0, ReferTo::Call(with.0), content)
    }

    /// Takes the peer's REFER and calls whom it names, with Replaces and Referred-By as it says. The core tells the peer how the
    /// call goes on.
    ///
    /// # Errors
    /// The REFER waits no more, or [`Error::Invalid`]: it asks for another request than an INVITE to a SIP URI. Otherwise as
    /// [`call`](Self::call). Nothing was sent, and the REFER still waits.
    pub fn follow_refer(&mut self, now: Instant, referral: Referral, content: &Content<'_>) -> Result<Call, Error> {
        self.context(now).follow_refer(referral.0, content)
    }

    #[cfg(feature = "offer-answer")]
    /// As [`follow_refer`](Self::follow_refer), with an offer made of what this end can do.
    ///
    /// # Errors
    /// As [`follow_refer`](Self::follow_refer) and [`call_with`](Self::call_with).
    pub fn follow_refer_with(
        &mut self,
        now: Instant,
        referral: Referral,
        local: &Capabilities<'_>,
    ) -> Result<Call, SessionError> {
        self.context(now).follow_refer_with(referral.0, local)
    }

    /// Takes the peer's REFER with 202 and leaves it to the application to do what it asks for, which
    /// [`notify_refer`](Self::notify_refer) tells.
    ///
    /// # Errors
    /// The REFER waits no more, or a header is not in its form.
    pub fn accept_refer(&mut self, now: Instant, referral: Referral, content: &Content<'_>) -> Result<(), Error> {
        self.context(now).accept_refer(referral.0, content)
    }

    /// Refuses the peer's REFER with `status`, 300 to 699; [`Event::ReferEnded`] follows.
    ///
    /// # Errors
    /// The REFER waits no more, or a header is not in its form.
    pub fn reject_refer(
        &mut self,
        now: Instant,
        referral: Referral,
        status: u16,
        content: &Content<'_>,
    ) -> Result<(), Error> {
        self.context(now).reject_refer(referral.0, status, content)
    }

    /// Tells the peer whose REFER was [accepted](Self::accept_refer) how its request goes on: the status of the last response.
    /// A final one ends it.
    ///
    /// # Errors
    /// [`Error::State`] when nothing is to be told any more, [`Error::Gone`] when the handle is void.
    pub fn notify_refer(&mut self, now: Instant, referral: Referral, status: u16) -> Result<(), Error> {
        self.context(now).notify_refer(referral.0, status)
    }
}

impl<O: Octets> Context<'_, O> {
    /// A response to a request of this usage, before its transaction has taken it.
    #[inline(never)]
    pub(in crate::ua) fn referral_response(
        &mut self,
        which: ReferTransaction,
        id: TransactionId,
        response: &Message<'_>,
    ) -> Received<Event> {
        match which {
            ReferTransaction::Refer(handle) => self.refer_response(handle, id, response),
            ReferTransaction::Notify(handle) => {
                if let Some(status @ 200..) = response.status() {
                    self.notify_done(handle, id, status < 300);
                }
                Received::Nothing
            }
        }
    }

    /// No response will come to a request of this usage.
    #[inline(never)]
    pub(in crate::ua) fn referral_failure(&mut self, which: ReferTransaction, id: TransactionId, failure: Failure) {
        match which {
            ReferTransaction::Refer(handle) => self.refer_failed(handle, id, failure.status()),
            ReferTransaction::Notify(handle) => self.notify_done(handle, id, false),
        }
    }

    /// A request of this usage went out again as another transaction, with credentials of these sessions if there are any.
    pub(in crate::ua) fn referral_resent(
        &mut self,
        which: ReferTransaction,
        new: TransactionId,
        sessions: Option<[u32; 2]>,
    ) {
        let Some(entry) = self.referrals.get_mut(which.referral()) else { return };
        entry.transaction = new;
        let Some(dialog) = self.dialogs.get_mut(entry.dialog) else { return };
        dialog.sessions = sessions.unwrap_or(dialog.sessions);
        if matches!(which, ReferTransaction::Refer(_)) {
            entry.seq = dialog.sequence()[0];
        }
    }

    /// Whether a request of this usage is worth sending again.
    pub(in crate::ua) fn referral_may_retry(&self, which: ReferTransaction) -> bool {
        self.referrals.get(which.referral()).is_some_and(|entry| entry.state != State::Over)
    }

    /// Whether a method that only this usage takes is allowed now.
    pub(in crate::ua) fn takes_refer(&self, method: Method<'_>) -> bool {
        match method {
            Method::Refer => self.core.settings.transfers,
            Method::Notify => self.core.settings.transfers || !self.referrals.is_empty(),
            Method::Subscribe => !self.referrals.is_empty(),
            _ => false,
        }
    }

    /// A REFER, NOTIFY or SUBSCRIBE inside a dialog.
    #[inline(never)]
    pub(in crate::ua) fn refer_in_dialog(&mut self, dialog: Handle, request: &Message<'_>) -> Received<Event> {
        let taken = match request.method() {
            Method::Refer => return self.referred(dialog, request),
            Method::Notify => self.refer_notified(dialog, request),
            _ => self.refer_subscribed(dialog, request).then_some(Received::Nothing),
        };
        match taken {
            Some(received) => received,
            None if self.refuse_package(request) => Received::Nothing,
            None => {
                let call = self.dialogs.get(dialog).map_or(Handle::NONE, |entry| entry.usage.call);
                self.hand_over_of(call, request)
            }
        }
    }

    /// Refuses the same outside of any dialog, where nobody is asked to transfer anything; whether it was refused.
    #[inline(never)]
    pub(in crate::ua) fn refuse_alone(&mut self, request: &Message<'_>) -> bool {
        self.takes_refer(request.method()) && self.refuse_package(request)
    }

    /// Refuses what neither this usage nor the application takes; whether it was refused.
    fn refuse_package(&mut self, request: &Message<'_>) -> bool {
        let settings = &self.core.settings;
        let methods = settings.text(self.transactions.octets.get(settings.block()), Text::Methods);
        let method = request.method();
        if list_contains_method(methods, method.as_bytes()) {
            return false;
        }
        let status = match method {
            Method::Refer => 403,
            Method::Notify if request.to_tag().is_none() => 481,
            // No such event package (RFC 6665 §8.3.2).
            _ => 489,
        };
        self.reply_bare(request, status);
        true
    }

    /// The subscription of a REFER has lasted too long, or our user has.
    #[inline(never)]
    pub(in crate::ua) fn referral_due(&mut self, handle: Handle) {
        let Some(entry) = self.referrals.get_mut(handle) else { return };
        entry.deadline = Instant::ZERO;
        let (transaction, status) = (entry.transaction, entry.status);
        let action = entry.state.receive(Input::TimeUp);
        self.schedule_referral(handle);
        match action {
            Action::Refuse => {
                self.transactions.finish(self.now, transaction, 480);
                self.end_referral_later(handle, ReferCause::Expired, 480);
            }
            Action::End => self.end_referral_later(handle, cause_of(status), status),
            action => self.tell_peer(handle, action),
        }
    }

    fn schedule_referral(&mut self, handle: Handle) {
        let deadline = self.referrals.get(handle).map(|entry| entry.deadline).filter(|at| *at != Instant::ZERO);
        self.referrals.set_timer(handle, deadline);
    }

    /// Ends it by a message: its entry is free, the event is the message's.
    fn end_referral(&mut self, handle: Handle, cause: ReferCause, status: u16) -> Received<Event> {
        self.release_referral(handle);
        self.referrals.remove(handle);
        Received::Event(Event::ReferEnded { referral: Referral(handle), cause, status })
    }

    /// Ends it without a message: its entry stays until the application has been told.
    fn end_referral_later(&mut self, handle: Handle, cause: ReferCause, status: u16) {
        self.release_referral(handle);
        if let Some(entry) = self.referrals.get_mut(handle) {
            (entry.state, entry.cause, entry.status) = (State::Over, cause, status);
            self.referrals.push(handle, TELL);
        }
    }

    /// Frees all that it holds but its entry.
    fn release_referral(&mut self, handle: Handle) {
        let Some(entry) = self.referrals.get_mut(handle) else { return };
        self.transactions.octets.release(core::mem::take(&mut entry.referred.block));
        entry.deadline = Instant::ZERO;
        let dialog = core::mem::replace(&mut entry.dialog, Handle::NONE);
        self.referrals.set_timer(handle, None);
        self.leave_dialog(dialog);
    }

    /// The next event that has to be told.
    #[cold]
    #[inline(never)]
    pub(in crate::ua) fn referral_event(&mut self) -> Option<Event> {
        let handle = self.referrals.first(TELL)?;
        let &ReferralEntry { cause, status, .. } = self.referrals.get(handle)?;
        self.referrals.remove(handle);
        Some(Event::ReferEnded { referral: Referral(handle), cause, status })
    }

    /// Takes an entry for a REFER inside a dialog.
    fn insert_referral(&mut self, dialog: Handle) -> Result<Handle, Capacity> {
        let room = self.dialogs.get(dialog).is_some_and(|entry| entry.usages() <= MOST_IN_DIALOG);
        if room { self.referrals.insert() } else { None }.ok_or(Capacity::Referrals)
    }

    /// For how many more seconds the subscription of a REFER lasts.
    fn seconds_left(&self, entry: &ReferralEntry) -> u32 {
        u32::try_from(entry.deadline.since(self.now).as_secs()).unwrap_or(u32::MAX)
    }

    /// One more usage has a dialog.
    fn join_dialog(&mut self, dialog: Handle) {
        if let Some(entry) = self.dialogs.get_mut(dialog) {
            entry.join();
        }
    }
}

impl ReferralEntry {
    /// Whether a message of this dialog is about this REFER: one that does not say its CSeq may be about each (RFC 3515 §2.4.6).
    fn is_meant(&self, dialog: Handle, package: &Package<'_>) -> bool {
        self.dialog == dialog && package.id().is_none_or(|id| decimal_u32(id) == Some(self.seq))
    }
}

/// Why a subscription is over whose peer is there: what was asked for has this status.
const fn cause_of(status: u16) -> ReferCause {
    if status >= 200 { ReferCause::Done } else { ReferCause::Expired }
}
