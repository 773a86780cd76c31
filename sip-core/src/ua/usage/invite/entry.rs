//! The entry of a call.

use crate::memory::{Block, Entry, Handle};
use crate::random::Key;
use crate::time::Instant;
use crate::transaction::TransactionId;
use crate::ua::event::Cause;

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

/// One call, an entry of the [`Memory`](crate::ua::Memory).
#[derive(Clone, Copy, Debug)]
pub struct CallEntry {
    /// Our INVITE's or the peer's first INVITE's transaction.
    pub(in crate::ua) invite: TransactionId,
    /// The first of the call's dialogs; the chosen one, once there is one.
    pub(in crate::ua) dialog: Handle,
    /// When ringing has lasted too long, or waiting after a CANCEL; zero for never.
    pub(in crate::ua) ring_deadline: Instant,
    /// When the provisional response is repeated, so that no proxy gives up (RFC 3261 §13.3.1.1); zero for never.
    pub(in crate::ua) repeat_at: Instant,
    /// Header rows for the CANCEL, BYE or refusal with which our user ends the call.
    pub(in crate::ua) end_headers: Block,
    /// Octets reserved for the hang-up.
    pub(in crate::ua) reserved: u32,
    /// Digest sessions whose credentials the INVITE carried.
    pub(in crate::ua) sessions: [u32; 2],
    /// What the application has not been told yet.
    pub(in crate::ua) pending: Pending,
    pub(in crate::ua) status: u16,
    pub(in crate::ua) reinvite_status: u16,
    pub(in crate::ua) state: CallState,
    pub(in crate::ua) cause: Cause,
    /// A provisional response has come, so that CANCEL may be sent (RFC 3261 §9.1).
    pub(in crate::ua) provisional: bool,
    /// Our user has hung up, or time has, before the final response.
    pub(in crate::ua) hangup: bool,
    /// CANCEL was sent.
    pub(in crate::ua) cancelled: bool,
    /// Our INVITE carried a body, so a 2xx brings the answer.
    pub(in crate::ua) offered: bool,
}

/// Events of a call that no message caused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(in crate::ua) struct Pending {
    pub(in crate::ua) ended: bool,
    pub(in crate::ua) reinvited: bool,
    pub(in crate::ua) refresh_due: bool,
}

impl CallEntry {
    pub(in crate::ua) fn earliest_deadline(&self) -> Option<Instant> {
        Instant::earliest(&[self.ring_deadline, self.repeat_at])
    }
}

impl Entry for CallEntry {
    const ZERO: Self = Self {
        invite: TransactionId::NONE,
        dialog: Handle::NONE,
        ring_deadline: Instant::ZERO,
        repeat_at: Instant::ZERO,
        end_headers: Block::NONE,
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
