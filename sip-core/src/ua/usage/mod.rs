//! Usages (RFC 5057): what a user agent does with transactions and dialogs.
//!
//! A usage is a folder with its entry, its states and the doors by which inputs reach it, which `ua/dispatch.rs` opens, each in
//! one match: `response`, `may_retry`, `resent`, `ended`, `failure`, `origin`. [`UsageId`] names one; it travels through the transaction layer as its opaque [`User`], so no
//! table of requests is kept beside the transactions. ARCHITECTURE.md says how to add one.

pub(super) mod invite;
#[cfg(feature = "refer")]
pub(super) mod refer;
pub(super) mod registration;
pub(super) mod request;

use crate::memory::Handle;
use crate::transaction::User;
use invite::InviteTransaction;
#[cfg(feature = "refer")]
use refer::ReferTransaction;
use request::RequestTransaction;

/// The usage that a transaction works for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum UsageId {
    /// None: nobody waits for the outcome.
    None,
    /// A call.
    Invite(InviteTransaction),
    /// A registration.
    Registration(Handle),
    /// A request of the application, or one that it answers.
    Request(RequestTransaction),
    /// A REFER.
    #[cfg(feature = "refer")]
    Refer(ReferTransaction),
}

/// Why a transaction ended without a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// Nothing came in time: taken as a 408 (RFC 3261 §8.1.3.1).
    Timeout,
    /// The flow failed, or there is none: taken as a 503.
    Flow,
    /// It had to go by TLS, and there was a way without it only.
    Insecure,
    /// TLS failed, and there was a way without it only.
    NoFallback,
}

impl Failure {
    /// The status that the failure is taken for.
    pub(super) const fn status(self) -> u16 {
        match self {
            Self::Timeout => 408,
            Self::Flow | Self::Insecure | Self::NoFallback => 503,
        }
    }
}

/// How often a request was sent again with credentials.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tries {
    /// In all; at most 15.
    pub(super) total: u8,
    /// To a realm that had been answered already, and did not call the nonce stale; at most 15.
    pub(super) repeated: u8,
}

/// The bits of a [`User`] that name an entry, or count.
const NUMBER: u64 = (1 << 48) - 1;

impl UsageId {
    /// The user of a request that was not sent before.
    pub(super) fn new_user(self) -> User {
        self.user(Tries::default())
    }

    pub(super) fn user(self, tries: Tries) -> User {
        let (kind, number) = match self {
            Self::None => (1, 0),
            Self::Invite(InviteTransaction::Initial(call)) => (2, call.bits()),
            Self::Invite(InviteTransaction::Reinvite(dialog)) => (3, dialog.bits()),
            Self::Invite(InviteTransaction::Bye(dialog)) => (4, dialog.bits()),
            Self::Invite(InviteTransaction::LateFork(bits)) => (5, u64::from(bits)),
            Self::Invite(InviteTransaction::Abandoned(bits)) => (9, u64::from(bits)),
            Self::Invite(InviteTransaction::Ack(dialog)) => (10, dialog.bits()),
            Self::Invite(InviteTransaction::Prack(dialog)) => (11, dialog.bits()),
            Self::Invite(InviteTransaction::Update(dialog)) => (12, dialog.bits()),
            Self::Registration(registration) => (6, registration.bits()),
            Self::Request(RequestTransaction::Outgoing(number)) => (7, u64::from(number)),
            Self::Request(RequestTransaction::Incoming) => (8, 0),
            #[cfg(feature = "refer")]
            Self::Refer(ReferTransaction::Refer(referral)) => (13, referral.bits()),
            #[cfg(feature = "refer")]
            Self::Refer(ReferTransaction::Notify(referral)) => (14, referral.bits()),
        };
        let tries = u64::from(tries.total.min(15)) << 4 | u64::from(tries.repeated.min(15));
        User::new(kind << 56 | tries << 48 | number)
    }

    pub(super) fn of(user: User) -> (Self, Tries) {
        let bits = user.bits();
        let handle = Handle::from_bits(bits & NUMBER);
        let tries = Tries { total: (bits >> 52) as u8 & 15, repeated: (bits >> 48) as u8 & 15 };
        let usage = match bits >> 56 {
            2 => Self::Invite(InviteTransaction::Initial(handle)),
            3 => Self::Invite(InviteTransaction::Reinvite(handle)),
            4 => Self::Invite(InviteTransaction::Bye(handle)),
            5 => Self::Invite(InviteTransaction::LateFork(bits as u32)),
            6 => Self::Registration(handle),
            7 => Self::Request(RequestTransaction::Outgoing(bits as u32)),
            8 => Self::Request(RequestTransaction::Incoming),
            9 => Self::Invite(InviteTransaction::Abandoned(bits as u32)),
            10 => Self::Invite(InviteTransaction::Ack(handle)),
            11 => Self::Invite(InviteTransaction::Prack(handle)),
            12 => Self::Invite(InviteTransaction::Update(handle)),
            #[cfg(feature = "refer")]
            13 => Self::Refer(ReferTransaction::Refer(handle)),
            #[cfg(feature = "refer")]
            14 => Self::Refer(ReferTransaction::Notify(handle)),
            _ => Self::None,
        };
        (usage, tries)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_usage_survives_the_way_through_the_transaction_layer() {
        let handle = Handle::from_bits(0x1234_5678_abcd);
        let tries = Tries { total: 9, repeated: 3 };
        for usage in [
            UsageId::None,
            UsageId::Invite(InviteTransaction::Initial(handle)),
            UsageId::Invite(InviteTransaction::Reinvite(handle)),
            UsageId::Invite(InviteTransaction::Bye(handle)),
            UsageId::Invite(InviteTransaction::LateFork(0x8765_4321)),
            UsageId::Invite(InviteTransaction::Abandoned(0x8765_4321)),
            UsageId::Invite(InviteTransaction::Ack(handle)),
            UsageId::Invite(InviteTransaction::Prack(handle)),
            UsageId::Invite(InviteTransaction::Update(handle)),
            UsageId::Registration(handle),
            UsageId::Request(RequestTransaction::Outgoing(7)),
            UsageId::Request(RequestTransaction::Incoming),
            #[cfg(feature = "refer")]
            UsageId::Refer(ReferTransaction::Refer(handle)),
            #[cfg(feature = "refer")]
            UsageId::Refer(ReferTransaction::Notify(handle)),
        ] {
            assert_eq!(UsageId::of(usage.user(tries)), (usage, tries));
        }
    }
}
