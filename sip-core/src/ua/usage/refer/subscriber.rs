//! A REFER of ours, and what the peer tells of it (RFC 3515 §2.4.4).

use super::machine::{Action, Input, State};
use super::rows::Rows;
use super::{LONGEST, ReferTransaction, ReferralEntry, cause_of};
use crate::error::{Argument, Error};
use crate::events::Sipfrag;
use crate::memory::{Handle, Octets};
use crate::message::{Event as Package, Message, Method, NameAddr, SubscriptionState};
use crate::role::Received;
use crate::time::Duration;
use crate::transaction::TransactionId;
use crate::ua::content::Content;
use crate::ua::context::Context;
use crate::ua::event::{Event, ReferCause, Referral};
use crate::ua::headers::Field;
use crate::ua::usage::UsageId;

/// Whom a REFER names.
#[derive(Clone, Copy)]
pub(in crate::ua) enum ReferTo<'a> {
    /// A URI, or a name-addr.
    Target(&'a str),
    /// The peer of another call, which is to be replaced.
    Call(Handle),
}

impl<O: Octets> Context<'_, O> {
    /// Sends a REFER inside a call's dialog.
    pub(in crate::ua) fn refer(
        &mut self,
        call: Handle,
        to: ReferTo<'_>,
        content: &Content<'_>,
    ) -> Result<Referral, Error> {
        content.check()?;
        let dialog = self.confirmed_dialog(call)?;
        let other;
        let rows = match to {
            ReferTo::Target(target) => {
                let parsed = NameAddr::parse(target.as_bytes()).map_err(|_| Error::Invalid(Argument::Target))?;
                parsed.uri().map_err(|_| Error::Invalid(Argument::Target))?;
                Rows::To(target.as_bytes())
            }
            ReferTo::Call(with) => {
                let with = self.confirmed_dialog(with)?;
                other = *self.dialogs.get(with).filter(|_| with != dialog).ok_or(Error::State)?;
                Rows::Replacing(&other)
            }
        };
        let handle = self.insert_referral(dialog)?;
        let user = UsageId::Refer(ReferTransaction::Refer(handle)).new_user();
        let sent = self.send_in_dialog_with(dialog, Method::Refer, user, Field::Refer(rows), content);
        let transaction = sent.inspect_err(|_| self.referrals.remove(handle))?;
        let seq = self.dialogs.get(dialog).map_or(0, |entry| entry.sequence()[0]);
        if let Some(entry) = self.referrals.get_mut(handle) {
            *entry = ReferralEntry { state: State::Sent, dialog, transaction, seq, ..*entry };
        }
        self.join_dialog(dialog);
        Ok(Referral(handle))
    }

    /// A response to our REFER, before its transaction has taken it.
    pub(super) fn refer_response(
        &mut self,
        handle: Handle,
        id: TransactionId,
        response: &Message<'_>,
    ) -> Received<Event> {
        let status = response.status().unwrap_or_default();
        let patience = self.sixty_four_t1();
        let Some(entry) = self.referrals.get_mut(handle).filter(|entry| entry.transaction == id && status >= 200)
        else {
            return Received::Nothing;
        };
        let dialog = entry.dialog;
        if status >= 300 {
            let _ = entry.state.receive(Input::Refusal);
            if matches!(status, 408 | 481) {
                self.peer_lost(dialog, status);
            }
            let cause =
                if cfg!(feature = "digest") && self.too_weak { ReferCause::WeakDigest } else { ReferCause::Refused };
            return self.end_referral(handle, cause, status);
        }
        if response.refer_sub() == Some(Ok(false)) {
            return self.end_referral(handle, ReferCause::NotTold, status);
        }
        if entry.state.receive(Input::Success) != Action::Tell {
            return Received::Nothing;
        }
        entry.deadline = self.now + patience;
        self.schedule_referral(handle);
        Received::Event(Event::ReferAccepted { referral: Referral(handle) })
    }

    /// No response will come to our REFER.
    pub(super) fn refer_failed(&mut self, handle: Handle, id: TransactionId, status: u16) {
        let Some(entry) = self.referrals.get_mut(handle).filter(|entry| entry.transaction == id) else { return };
        let dialog = entry.dialog;
        // A NOTIFY has shown that the peer is there.
        if entry.state.receive(Input::Refusal) != Action::End {
            return;
        }
        self.end_referral_later(handle, ReferCause::Lost, status);
        if status == 408 {
            self.peer_lost(dialog, status);
        }
    }

    /// A NOTIFY inside a dialog; `None` when it is of a package that the application may take.
    pub(in crate::ua) fn refer_notified(&mut self, dialog: Handle, request: &Message<'_>) -> Option<Received<Event>> {
        let package = request.event()?.ok().filter(|event| event.package() == b"refer")?;
        let Some(handle) = self.referral_of(dialog, &package) else {
            self.reply_bare(request, 481);
            return Some(Received::Nothing);
        };
        let Some(Ok(subscription)) = request.subscription_state() else {
            self.reply_bare(request, 400);
            return Some(Received::Nothing);
        };
        self.respond_final(request, 200, b"", false, &[]);
        Some(self.refer_progress(handle, &subscription, request.body()))
    }

    /// The REFER of ours that a NOTIFY is about: of its CSeq; the oldest one when it does not say (RFC 3515 §2.4.6).
    fn referral_of(&self, dialog: Handle, package: &Package<'_>) -> Option<Handle> {
        let ours = self.referrals.view().iter();
        let ours = ours.filter(|(_, entry)| entry.is_meant(dialog, package) && entry.state.is_outgoing());
        ours.min_by_key(|(_, entry)| entry.seq).map(|(handle, _)| handle)
    }

    /// What a NOTIFY says of our REFER.
    fn refer_progress(&mut self, handle: Handle, subscription: &SubscriptionState<'_>, body: &[u8]) -> Received<Event> {
        let (now, patience) = (self.now, self.sixty_four_t1());
        let Some(entry) = self.referrals.get_mut(handle) else { return Received::Nothing };
        // A body that says nothing leaves what was said before.
        let told = Sipfrag::parse(body).ok().map(|body| body.status());
        entry.status = told.unwrap_or(entry.status);
        let (status, is_over) = (entry.status, subscription.is_terminated());
        match entry.state.receive(if is_over { Input::LastNotify } else { Input::Notify }) {
            Action::End => self.end_referral(handle, cause_of(status), status),
            Action::Tell => {
                // Some peers never end what they have told the end of.
                let lifetime = match subscription.expires() {
                    _ if status >= 200 => Duration::ZERO,
                    seconds => Duration::from_secs(u64::from(seconds.unwrap_or(LONGEST).min(LONGEST))),
                };
                entry.deadline = now + lifetime.max(Duration::from_millis(1)) + patience;
                self.schedule_referral(handle);
                match told {
                    Some(status) => Received::Event(Event::ReferProgress { referral: Referral(handle), status }),
                    None => Received::Nothing,
                }
            }
            _ => Received::Nothing,
        }
    }
}
