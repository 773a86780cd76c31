//! The working view of a user agent: its state and the memory it was lent, apart enough to be borrowed one by one.

use super::Parts;
use super::auth::Sessions;
use super::config::Settings;
#[cfg(feature = "refer")]
use super::event::Event;
use super::usage::invite::{CallEntry, Leg};
#[cfg(feature = "refer")]
use super::usage::refer::ReferralEntry;
use super::usage::registration::RegistrationEntry;
use crate::dialog::{self, Dialog};
use crate::error::Capacity;
use crate::memory::{Handle, Octets, Table};
use crate::message::Message;
use crate::random::{HashKey, Random};
use crate::time::{Duration, Instant};
use crate::transaction::{Layer, NewRequest, NewServer, TransactionId, Transactions, User};
use crate::transport::Flow;

/// Transaction entries that each call reserves: one for its own CANCEL or BYE, one for the peer's.
pub(super) const RESERVED_TRANSACTIONS: usize = 2;

/// Ready list of calls and registrations: there is an event to tell.
pub(super) const TELL: usize = 0;
/// Ready list of registrations: there is a keep-alive to send.
pub(super) const SEND: usize = 1;

/// All else of a user agent that is not lent by its memory.
#[derive(Clone, Copy, Debug)]
// In this order, as short instructions of Thumb reach an octet among the first 32 only.
#[cfg_attr(target_pointer_width = "32", repr(C))]
pub(super) struct Core {
    pub(super) settings: Settings,
    pub(super) started: bool,
    pub(super) random: Random,
    pub(super) hash: HashKey,
    /// The moment up to which transaction timers are worked off.
    pub(super) expire_to: Instant,
    /// Octets that all calls together have reserved for their hang-ups.
    pub(super) reserved_octets: u32,
    pub(super) requests: u32,
    pub(super) statistics: Statistics,
    pub(super) sessions: Sessions,
}

impl Core {
    pub(super) const ZERO: Self = Self {
        settings: Settings::ZERO,
        sessions: Sessions::ZERO,
        random: Random::ZERO,
        hash: HashKey::ZERO,
        expire_to: Instant::ZERO,
        reserved_octets: 0,
        requests: 0,
        statistics: Statistics { malformed: 0, strays: 0, refused: 0, replies_dropped: 0, unproven: 0 },
        started: false,
    };
}

/// What strangers made the user agent drop or refuse, counted since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Statistics {
    /// Messages that could not be parsed.
    pub malformed: u32,
    /// Messages that belong to nothing here.
    pub strays: u32,
    /// Requests answered with 486 or 503 for lack of room.
    pub refused: u32,
    /// Stateless replies that a later input displaced, or for which there was no room.
    pub replies_dropped: u32,
    /// Responses whose `rspauth` shows that their server does not know the password (RFC 7616 §3.5).
    pub unproven: u32,
}

/// What one input works with: its time and source, and the parts of the user agent, each borrowed for itself.
// In this order, as short instructions of Thumb reach an octet among the first 32 only.
#[cfg_attr(target_pointer_width = "32", repr(C))]
pub(super) struct Context<'a, O> {
    pub(super) core: &'a mut Core,
    pub(super) transactions: Transactions<'a, O>,
    pub(super) calls: Table<'a, CallEntry>,
    pub(super) dialogs: Table<'a, Dialog<Leg>>,
    pub(super) registrations: Table<'a, RegistrationEntry>,
    #[cfg(feature = "refer")]
    pub(super) referrals: Table<'a, ReferralEntry>,
    /// The moment of the input.
    pub(super) now: Instant,
    /// The flow of the message that came; none when the input is another.
    pub(super) source: Flow,
    /// What the transaction layer knows the request by that came.
    pub(super) new: NewRequest,
    /// The response that came asks for a weaker digest than is allowed, and for no other that could be given.
    pub(super) too_weak: bool,
}

impl<'a, O: Octets> Context<'a, O> {
    pub(super) fn new(now: Instant, layer: &'a mut Layer, core: &'a mut Core, parts: Parts<'a, O>) -> Self {
        let Parts {
            transactions,
            dialogs,
            calls,
            registrations,
            #[cfg(feature = "refer")]
            referrals,
            octets,
        } = parts;
        Self {
            now,
            source: Flow::NONE,
            new: NewRequest::NONE,
            too_weak: false,
            core,
            transactions: Transactions::new(layer, transactions, octets),
            dialogs,
            calls,
            registrations,
            #[cfg(feature = "refer")]
            referrals,
        }
    }

    /// Makes a server transaction for the request that came.
    pub(super) fn open_transaction(
        &mut self,
        request: &Message<'_>,
        to_tag: &[u8],
        user: User,
        reserved: bool,
    ) -> Result<TransactionId, Capacity> {
        let new = NewServer { new: self.new, source: self.source, to_tag, user, reserved };
        self.transactions.server(self.now, request, new)
    }

    /// The dialog that a message belongs to.
    pub(super) fn dialog_of(&mut self, message: &Message<'_>) -> Option<Handle> {
        let key = dialog::key_of(message, &self.core.hash);
        self.dialogs.find(0, key)
    }

    pub(super) fn schedule_call(&mut self, handle: Handle) {
        let deadline = self.calls.get(handle).and_then(CallEntry::earliest_deadline);
        self.calls.set_timer(handle, deadline);
    }

    pub(super) fn schedule_registration(&mut self, handle: Handle) {
        let deadline = self.registrations.get(handle).and_then(|entry| entry.machine.earliest_deadline());
        self.registrations.set_timer(handle, deadline);
    }

    /// An event that may concern a REFER.
    #[cfg(feature = "refer")]
    #[inline]
    pub(super) fn follow(&mut self, event: &Event) {
        if !self.referrals.is_empty() {
            self.refer_follows(event);
        }
    }

    /// 64·T1: how long a transaction, or the wait for an ACK, lasts.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(super) fn sixty_four_t1(&self) -> Duration {
        self.core.settings.timers.t1.times(64)
    }

    /// Whether `size` octets can be spent on a call, none when it is [`Handle::NONE`], without what the others have reserved.
    pub(super) fn can_spend(&self, call: Handle, size: usize) -> bool {
        let own = self.calls.get(call).map_or(0, |entry| entry.reserved);
        let others = self.core.reserved_octets.saturating_sub(own) as usize;
        self.transactions.octets.free() >= size.saturating_add(others)
    }
}
