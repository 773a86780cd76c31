//! The fingerprint of a user agent: equal for equal states, whatever the time and the handles.
//!
//! Each live entry is hashed for itself, with the entries it points to taken by their content; the hashes are summed, so that
//! neither the order in which entries were taken nor their generations count.

use super::View;
use super::context::Core;
use super::usage::UsageId;
use super::usage::invite::{CallEntry, InviteTransaction, Leg};
#[cfg(feature = "refer")]
use super::usage::refer::ReferralEntry;
use super::usage::registration::RegistrationEntry;
use super::usage::request::RequestTransaction;
use crate::dialog::Dialog;
use crate::memory::{Handle, Octets};
use crate::random::ContentHasher;
use crate::time::Instant;
use crate::transaction::{Layer, TransactionsRef, User};
use core::hash::{Hash, Hasher};

/// Feeds the state of a user agent to `hasher`.
pub(super) fn write<O: Octets>(
    layer: &Layer,
    state: &Core,
    view: &View<'_, O>,
    now: Instant,
    hasher: &mut impl Hasher,
) {
    let View { calls, dialogs, registrations, .. } = *view;
    let content = Content { view, now };
    let sum = |hashes: &mut dyn Iterator<Item = u64>| hashes.fold(0_u64, u64::wrapping_add);
    sum(&mut calls.iter().map(|(_, entry)| content.call(entry))).hash(hasher);
    sum(&mut dialogs.iter().map(|(_, entry)| {
        let call = calls.get(entry.usage.call).map_or(0, |call| content.call(call));
        ContentHasher::one(|hasher| {
            content.dialog(entry).hash(hasher);
            call.hash(hasher);
        })
    }))
    .hash(hasher);
    sum(&mut registrations.iter().map(|(_, entry)| content.registration(entry))).hash(hasher);
    #[cfg(feature = "refer")]
    sum(&mut view.referrals.iter().map(|(_, entry)| content.referral(entry))).hash(hasher);
    let owner = |user: User| {
        let (owner, tries) = UsageId::of(user);
        let named = match owner {
            UsageId::None => 0,
            UsageId::Request(RequestTransaction::Incoming) => 1,
            UsageId::Request(RequestTransaction::Outgoing(_)) => 2,
            UsageId::Invite(InviteTransaction::LateFork(_) | InviteTransaction::Abandoned(_)) => 6,
            UsageId::Invite(InviteTransaction::Initial(call)) => calls.get(call).map_or(3, |entry| content.call(entry)),
            UsageId::Invite(
                InviteTransaction::Reinvite(dialog)
                | InviteTransaction::Bye(dialog)
                | InviteTransaction::Prack(dialog)
                | InviteTransaction::Update(dialog)
                | InviteTransaction::Ack(dialog),
            ) => dialogs.get(dialog).map_or(4, |entry| content.dialog(entry)),
            #[cfg(feature = "refer")]
            UsageId::Refer(which) => view.referrals.get(which.referral()).map_or(7, |entry| content.referral(entry)),
            UsageId::Registration(handle) => registrations.get(handle).map_or(5, |entry| content.registration(entry)),
        };
        ContentHasher::one(|hasher| {
            core::mem::discriminant(&owner).hash(hasher);
            (tries.total, tries.repeated, named).hash(hasher);
        })
    };
    TransactionsRef::new(layer, view.transactions, view.octets).fingerprint(now, hasher, owner);
    view.octets.get(state.settings.block()).hash(hasher);
    state.sessions.fingerprint(view.octets, hasher);
    state.started.hash(hasher);
}

struct Content<'v, 'a, O> {
    view: &'v View<'a, O>,
    now: Instant,
}

impl<O: Octets> Content<'_, '_, O> {
    /// A deadline as the time left, and one that has passed as due.
    fn left(&self, at: Instant) -> Option<u64> {
        if at == Instant::ZERO { None } else { Some(at.since(self.now).as_millis()) }
    }

    fn call(&self, entry: &CallEntry) -> u64 {
        ContentHasher::one(|hasher| {
            (entry.state, entry.cause, entry.status, entry.reinvite_status, entry.pending).hash(hasher);
            (entry.timers.map(|at| self.left(at)), entry.reserved, entry.exchange, entry.invite_seq).hash(hasher);
            for block in [entry.end_headers, entry.kept_invite, entry.new_target, entry.kept_answer] {
                self.view.octets.get(block).hash(hasher);
            }
            (entry.offered, entry.expires, entry.retried, entry.sent_2xx).hash(hasher);
            (entry.dialog == Handle::NONE, entry.exchanged.is_none(), entry.offer.is_none()).hash(hasher);
            #[cfg(feature = "session-timer")]
            (entry.session, self.view.octets.get(entry.description)).hash(hasher);
            #[cfg(feature = "refer")]
            entry.replaces.is_none().hash(hasher);
            (entry.update, entry.update_status, entry.updating.is_none(), self.view.octets.get(entry.offer_target))
                .hash(hasher);
        })
    }

    fn dialog(&self, entry: &Dialog<Leg>) -> u64 {
        ContentHasher::one(|hasher| {
            self.view.octets.get(entry.identity().block).hash(hasher);
            (entry.state(), entry.way(), entry.source()).hash(hasher);
            (entry.sequence(), entry.usage.ack_seq, self.view.octets.get(entry.usage.ack_end), entry.is_callee())
                .hash(hasher);
            (entry.sessions != [0; 2]).hash(hasher);
            let leg = &entry.usage;
            (leg.rseq, leg.sending, leg.receiving, leg.agreed).hash(hasher);
            #[cfg(feature = "refer")]
            leg.others.hash(hasher);
            #[cfg(feature = "offer-answer")]
            {
                let negotiation = &entry.usage.negotiation;
                (negotiation.state(), negotiation.is_agreed(), negotiation.version()).hash(hasher);
                self.view.octets.get(entry.usage.offer).hash(hasher);
            }
        })
    }

    #[cfg(feature = "refer")]
    fn referral(&self, entry: &ReferralEntry) -> u64 {
        let (call, dialog) = (self.view.calls.get(entry.call), self.view.dialogs.get(entry.dialog));
        ContentHasher::one(|hasher| {
            (entry.state, entry.cause, entry.silent, entry.numbered, entry.status, entry.seq).hash(hasher);
            (self.left(entry.deadline), self.view.octets.get(entry.referred.block)).hash(hasher);
            call.map_or(0, |entry| self.call(entry)).hash(hasher);
            dialog.map_or(0, |entry| self.dialog(entry)).hash(hasher);
        })
    }

    fn registration(&self, entry: &RegistrationEntry) -> u64 {
        ContentHasher::one(|hasher| {
            for block in [entry.texts, entry.rows, entry.own_address] {
                self.view.octets.get(block).hash(hasher);
            }
            entry.machine.relative_to(self.now).hash(hasher);
            (entry.flow, entry.seq, entry.wanted, entry.sessions != [0; 2]).hash(hasher);
        })
    }
}
