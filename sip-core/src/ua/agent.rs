//! The working view of a user agent: its state and the memory it was lent, apart enough to be borrowed one by one.

use super::auth::Sessions;
use super::config::Settings;
use super::entry::{CallEntry, CallState, Owner, RegistrationEntry};
use super::event::{Call, Cause, Event};
use crate::dialog::{self, Dialog};
use crate::memory::{Handle, Octets, Parts, Table};
use crate::random::{HashKey, Random};
use crate::role::Received;
use crate::time::{Duration, Instant};
use crate::transaction::{Layer, TransactionId, Transactions};
use crate::transport::Flow;

/// Transaction entries that each call reserves: one for its own CANCEL or BYE, one for the peer's.
pub(super) const RESERVED_TRANSACTIONS: usize = 2;

/// Ready list of calls and registrations: there is an event to tell.
pub(super) const TELL: usize = 0;
/// Ready list of dialogs (an ACK) and registrations (a keep-alive): there is something to send.
pub(super) const SEND: usize = 1;
/// Ready list of what waits for a blocked socket.
pub(super) const BLOCKED: usize = 2;
/// Ready list of dialogs whose next hop has to be looked up.
pub(super) const LOOK_UP: usize = 3;

/// All else of a user agent that is not lent by its memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct State {
    pub(super) settings: Settings,
    pub(super) sessions: Sessions,
    pub(super) random: Random,
    pub(super) hash: HashKey,
    pub(super) reply: super::reply::Reply,
    /// The moment up to which transaction timers are worked off.
    pub(super) expire_to: Instant,
    /// The flow whose transactions are being failed.
    pub(super) failing: Flow,
    /// The transaction that waited for a flow and can have none.
    pub(super) lost: TransactionId,
    /// Octets that all calls together have reserved for their hang-ups.
    pub(super) set_aside: u32,
    pub(super) requests: u32,
    pub(super) statistics: Statistics,
    pub(super) started: bool,
}

impl State {
    pub(super) const ZERO: Self = Self {
        settings: Settings::ZERO,
        sessions: Sessions::ZERO,
        random: Random::ZERO,
        hash: HashKey::ZERO,
        reply: super::reply::Reply::ZERO,
        expire_to: Instant::ZERO,
        failing: Flow::NONE,
        lost: TransactionId::NONE,
        set_aside: 0,
        requests: 0,
        statistics: Statistics { malformed: 0, strays: 0, refused: 0, replies_dropped: 0 },
        started: false,
    };
}

/// What strangers made the user agent drop or refuse, counted since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Statistics {
    /// Messages that could not be parsed.
    pub malformed: u32,
    /// Messages that belong to nothing here.
    pub strays: u32,
    /// Requests answered with 486 or 503 for lack of room.
    pub refused: u32,
    /// Stateless replies that a later input displaced, or for which there was no room.
    pub replies_dropped: u32,
}

/// A user agent at work on one input.
pub(super) struct Agent<'a, O> {
    /// The moment of the input.
    pub(super) now: Instant,
    /// The flow of the message that came; none when the input is another.
    pub(super) source: Flow,
    pub(super) s: &'a mut State,
    pub(super) layer: Transactions<'a, O>,
    pub(super) dialogs: Table<'a, Dialog>,
    pub(super) calls: Table<'a, CallEntry>,
    pub(super) registrations: Table<'a, RegistrationEntry>,
}

impl<'a, O: Octets> Agent<'a, O> {
    pub(super) fn new(now: Instant, layer: &'a mut Layer, state: &'a mut State, parts: Parts<'a, O>) -> Self {
        let Parts { transactions, dialogs, calls, registrations, octets } = parts;
        Self {
            now,
            source: Flow::NONE,
            s: state,
            layer: Transactions::new(layer, transactions, octets),
            dialogs,
            calls,
            registrations,
        }
    }

    /// The dialog that a message belongs to.
    pub(super) fn dialog_of(&mut self, message: &crate::message::Message<'_>) -> Option<Handle> {
        let key = dialog::key_of(message, self.s.hash);
        self.dialogs.find(0, key)
    }

    pub(super) fn arm_call(&mut self, handle: Handle) {
        let deadline = self.calls.get(handle).and_then(CallEntry::earliest_deadline);
        self.calls.set_timer(handle, deadline);
    }

    pub(super) fn arm_dialog(&mut self, handle: Handle) {
        let deadline = self.dialogs.get(handle).and_then(Dialog::earliest_deadline);
        self.dialogs.set_timer(handle, deadline);
    }

    pub(super) fn arm_registration(&mut self, handle: Handle) {
        let deadline = self.registrations.get(handle).and_then(RegistrationEntry::earliest_deadline);
        self.registrations.set_timer(handle, deadline);
    }

    /// 64·T1: how long a transaction, or the wait for an ACK, lasts.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(super) fn patience(&self) -> Duration {
        self.s.settings.timers.t1.times(64)
    }

    /// Ends a call by a message: its entry is free, the event is the message's.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(super) fn end_now(&mut self, call: Handle, cause: Cause, status: u16) -> Received<Event> {
        self.wind_up(call);
        self.calls.remove(call);
        Received::Event(Event::Ended { call: Call(call), cause, status })
    }

    /// Ends a call without a message: its entry stays until the application has been told.
    pub(super) fn end_later(&mut self, call: Handle, cause: Cause, status: u16) {
        self.wind_up(call);
        if let Some(entry) = self.calls.get_mut(call) {
            entry.state = CallState::Over;
            entry.cause = cause;
            entry.status = status;
            entry.pending.ended = true;
        }
        self.tell_call(call);
    }

    /// Whether `size` octets can be spent on a call, none when it is [`Handle::NONE`], without what the others have reserved.
    pub(super) fn spares(&self, call: Handle, size: usize) -> bool {
        let own = self.calls.get(call).map_or(0, |entry| entry.reserved);
        let others = self.s.set_aside.saturating_sub(own) as usize;
        self.layer.octets.free() >= size.saturating_add(others)
    }

    /// Puts a call among those that have something to tell.
    pub(super) fn tell_call(&mut self, call: Handle) {
        let table = &mut self.calls;
        if table.ready_list(call).is_none() {
            table.push(call, TELL);
        }
    }

    /// Frees all that a call holds but its entry.
    fn wind_up(&mut self, call: Handle) {
        let Some(entry) = self.calls.get_mut(call) else { return };
        let reserved = core::mem::take(&mut entry.reserved);
        let farewell = core::mem::take(&mut entry.farewell);
        entry.limit_at = Instant::ZERO;
        entry.repeat_at = Instant::ZERO;
        let mut dialog = core::mem::replace(&mut entry.dialog, Handle::NONE);
        let invite = entry.invite;
        let chosen = self.dialogs.get(dialog).filter(|entry| entry.state != dialog::State::Early);
        if let Some(settled) = chosen.map(|entry| Owner::Settled(entry.key().bucket_bits()))
            && self.layer.is_client(invite)
        {
            // What the peer still sends of its 2xx is acknowledged, and no more.
            self.layer.set_user(invite, settled.new_user());
        }
        while let Some(entry) = self.dialogs.get(dialog) {
            let next = entry.next;
            self.drop_dialog(dialog);
            dialog = next;
        }
        self.layer.octets.release(farewell);
        if reserved > 0 {
            self.layer.octets.unreserve(reserved as usize);
            self.s.set_aside = self.s.set_aside.saturating_sub(reserved);
            self.layer.unreserve(RESERVED_TRANSACTIONS);
        }
        self.arm_call(call);
    }

    /// Frees a dialog. An INVITE of the peer that waits in it is answered 487, one of ours is left to end by itself.
    pub(super) fn drop_dialog(&mut self, handle: Handle) {
        let Some(entry) = self.dialogs.get(handle) else { return };
        let (invite, bits) = (entry.invite, entry.key().bucket_bits());
        let patience = self.patience();
        let layer = &mut self.layer;
        if layer.is_client(invite) {
            // A 2xx is still acknowledged.
            layer.set_user(invite, Owner::Settled(bits).new_user());
            layer.limit(self.now, invite, patience);
        } else if layer.is_server(invite) && !layer.has_final(invite) {
            layer.finish(self.now, invite, 487);
        }
        let table = &mut self.dialogs;
        table.unlink_key(handle, 0);
        if let Some(entry) = table.get_mut(handle) {
            entry.release(self.layer.octets);
        }
        table.remove(handle);
    }
}
