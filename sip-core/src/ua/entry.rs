//! The entries of a user agent: calls and registrations, and how a transaction names the one it works for.

use super::event::Cause;
use crate::memory::{Block, Entry, Handle};
use crate::random::Key;
use crate::time::Instant;
use crate::transaction::{TransactionId, User};
use crate::transport::Flow;

/// The state of a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(crate) enum CallState {
    /// The entry is free.
    #[default]
    Free = 0,
    /// Our INVITE waits for its final response.
    Calling,
    /// The peer's INVITE waits for our final response.
    Ringing,
    /// A 2xx was sent or received.
    Established,
    /// Our BYE waits for its response.
    Ending,
    /// All is done but telling the application.
    Over,
}

/// One call, an entry of the [`Memory`](crate::memory::Memory).
#[derive(Clone, Copy, Debug)]
pub struct CallEntry {
    /// Our INVITE's or the peer's first INVITE's transaction.
    pub(super) invite: TransactionId,
    /// The first of the call's dialogs; the chosen one, once there is one.
    pub(super) dialog: Handle,
    /// When ringing has lasted too long, or waiting after a CANCEL; zero for never.
    pub(super) limit_at: Instant,
    /// When the provisional response is repeated, so that no proxy gives up (RFC 3261 §13.3.1.1); zero for never.
    pub(super) repeat_at: Instant,
    /// Header rows for the CANCEL, BYE or refusal with which our user ends the call.
    pub(super) farewell: Block,
    /// Octets reserved for the hang-up.
    pub(super) reserved: u32,
    /// Digest sessions whose credentials the INVITE carried.
    pub(super) sessions: [u32; 2],
    /// What the application has not been told yet.
    pub(super) pending: Pending,
    pub(super) status: u16,
    pub(super) reinvite_status: u16,
    pub(super) state: CallState,
    pub(super) cause: Cause,
    /// A provisional response has come, so that CANCEL may be sent (RFC 3261 §9.1).
    pub(super) provisional: bool,
    /// Our user has hung up, or time has, before the final response.
    pub(super) hangup: bool,
    /// CANCEL was sent.
    pub(super) cancelled: bool,
    /// Our INVITE carried a body, so a 2xx brings the answer.
    pub(super) offered: bool,
}

/// Events of a call that no message caused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Pending {
    pub(super) ended: bool,
    pub(super) reinvited: bool,
    pub(super) refresh_due: bool,
}

impl CallEntry {
    pub(super) fn earliest_deadline(&self) -> Option<Instant> {
        Instant::earliest(&[self.limit_at, self.repeat_at])
    }
}

impl Entry for CallEntry {
    const ZERO: Self = Self {
        invite: TransactionId::NONE,
        dialog: Handle::NONE,
        limit_at: Instant::ZERO,
        repeat_at: Instant::ZERO,
        farewell: Block::NONE,
        reserved: 0,
        sessions: [0; 2],
        pending: Pending { ended: false, reinvited: false, refresh_due: false },
        status: 0,
        reinvite_status: 0,
        state: CallState::Free,
        cause: Cause::LocalHangup,
        provisional: false,
        hangup: false,
        cancelled: false,
        offered: false,
    };

    fn key(&self, _chain: usize) -> Key {
        Key::ZERO
    }
}

/// The state of a registration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(crate) enum RegistrationState {
    /// The entry is free.
    #[default]
    Free = 0,
    /// A REGISTER waits for its response.
    Registering,
    /// The registrar holds the binding.
    Registered,
    /// The last attempt failed; waiting for the next.
    Waiting,
    /// A REGISTER that removes the binding waits for its response.
    Removing,
}

/// One registration, an entry of the [`Memory`](crate::memory::Memory).
#[derive(Clone, Copy, Debug)]
pub struct RegistrationEntry {
    /// The registrar's URI, then the address of record.
    pub(super) texts: Block,
    /// Header rows of the application for each REGISTER.
    pub(super) rows: Block,
    pub(super) registrar: u16,
    pub(super) failures: u16,
    /// Random bits of the Call-ID, the same for all REGISTERs of this registration (RFC 3261 §10.2).
    pub(super) call_id: u64,
    pub(super) transaction: TransactionId,
    /// Where the registrar was reached.
    pub(super) flow: Flow,
    pub(super) seq: u32,
    /// The lifetime asked for, in seconds.
    pub(super) wanted: u32,
    /// The lifetime granted, in seconds.
    pub(super) granted: u32,
    /// When the next REGISTER is due; zero for never.
    pub(super) refresh_at: Instant,
    /// When the next keep-alive is due; zero for never.
    pub(super) keep_alive_at: Instant,
    pub(super) sessions: [u32; 2],
    pub(super) state: RegistrationState,
    /// A failure that the application has not been told.
    pub(super) failed: bool,
    pub(super) status: u16,
    pub(super) retry_after: u32,
    /// The user wants it removed as soon as the REGISTER under way is done.
    pub(super) removal_due: bool,
    /// The address has changed while a REGISTER was under way.
    pub(super) again: bool,
    /// The REGISTER under way, or due, makes a correction of our address known.
    pub(super) corrected: bool,
    /// The address has changed: calls are refreshed after the next success.
    pub(super) moved: bool,
}

impl RegistrationEntry {
    pub(super) fn earliest_deadline(&self) -> Option<Instant> {
        Instant::earliest(&[self.refresh_at, self.keep_alive_at])
    }
}

impl Entry for RegistrationEntry {
    const ZERO: Self = Self {
        texts: Block::NONE,
        rows: Block::NONE,
        registrar: 0,
        failures: 0,
        call_id: 0,
        transaction: TransactionId::NONE,
        flow: Flow::NONE,
        seq: 0,
        wanted: 0,
        granted: 0,
        refresh_at: Instant::ZERO,
        keep_alive_at: Instant::ZERO,
        sessions: [0; 2],
        state: RegistrationState::Free,
        failed: false,
        status: 0,
        retry_after: 0,
        removal_due: false,
        again: false,
        corrected: false,
        moved: false,
    };

    fn key(&self, _chain: usize) -> Key {
        Key::ZERO
    }
}

/// For whom a transaction works. It travels through the transaction layer as its opaque [`User`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// Nobody waits for the outcome.
    Nobody,
    /// The INVITE that opens a call, ours or the peer's.
    Invite(Handle),
    /// An INVITE inside a dialog, ours or the peer's.
    Reinvite(Handle),
    /// Our INVITE, whose call and dialog are over; part of the dialog's key, by which a 2xx of another fork is known.
    Settled(u32),
    /// Our BYE; the dialog.
    Bye(Handle),
    /// A REGISTER.
    Register(Handle),
    /// A request of the application.
    Application(u32),
    /// A request of the peer that the application answers.
    Incoming,
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

impl Owner {
    /// The owner of a request that was not sent before.
    pub(super) fn new_user(self) -> User {
        self.user(Tries::default())
    }

    pub(super) fn user(self, tries: Tries) -> User {
        let (kind, number) = match self {
            Self::Nobody => (1, 0),
            Self::Invite(call) => (2, call.bits()),
            Self::Reinvite(dialog) => (3, dialog.bits()),
            Self::Bye(dialog) => (4, dialog.bits()),
            Self::Register(registration) => (5, registration.bits()),
            Self::Application(number) => (6, u64::from(number)),
            Self::Incoming => (7, 0),
            Self::Settled(bits) => (8, u64::from(bits)),
        };
        let tries = u64::from(tries.total.min(15)) << 4 | u64::from(tries.repeated.min(15));
        User::new(kind << 56 | tries << 48 | number)
    }

    pub(super) fn of(user: User) -> (Self, Tries) {
        let bits = user.bits();
        let handle = Handle::from_bits(bits & NUMBER);
        let tries = Tries { total: (bits >> 52) as u8 & 15, repeated: (bits >> 48) as u8 & 15 };
        let owner = match bits >> 56 {
            2 => Self::Invite(handle),
            3 => Self::Reinvite(handle),
            4 => Self::Bye(handle),
            5 => Self::Register(handle),
            6 => Self::Application(bits as u32),
            7 => Self::Incoming,
            8 => Self::Settled(bits as u32),
            _ => Self::Nobody,
        };
        (owner, tries)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_survives_the_way_through_the_transaction_layer() {
        let handle = Handle::from_parts(0x1234_5678, 0xabcd);
        let tries = Tries { total: 9, repeated: 3 };
        for owner in [
            Owner::Nobody,
            Owner::Invite(handle),
            Owner::Reinvite(handle),
            Owner::Bye(handle),
            Owner::Register(handle),
            Owner::Application(7),
            Owner::Incoming,
            Owner::Settled(0x8765_4321),
        ] {
            assert_eq!(Owner::of(owner.user(tries)), (owner, tries));
        }
    }
}
