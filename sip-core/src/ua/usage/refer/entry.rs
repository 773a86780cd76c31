//! The entry of a REFER.

use super::machine::State;
use super::rows::Referred;
use crate::memory::{Block, Entry, Handle};
use crate::random::Key;
use crate::time::Instant;
use crate::transaction::TransactionId;
use crate::ua::event::ReferCause;

/// One REFER with the subscription that it makes, an entry of the [`Memory`](crate::ua::Memory).
#[derive(Clone, Copy, Debug)]
pub struct ReferralEntry {
    pub(in crate::ua) state: State,
    /// Why it is over.
    pub(in crate::ua) cause: ReferCause,
    /// Nobody wants to be told how it goes on (RFC 4488).
    pub(in crate::ua) silent: bool,
    /// NOTIFYs bear the CSeq of the REFER, for it is not the first in its dialog (RFC 3515 §2.4.6).
    pub(in crate::ua) numbered: bool,
    /// How far the request that was asked for has come: the status that the next NOTIFY tells, or the last one told.
    pub(in crate::ua) status: u16,
    /// CSeq of the REFER.
    pub(in crate::ua) seq: u32,
    /// The dialog inside which it was sent.
    pub(in crate::ua) dialog: Handle,
    /// The call that follows it.
    pub(in crate::ua) call: Handle,
    /// The transaction of the REFER, ours or the peer's, or of our NOTIFY that is out.
    pub(in crate::ua) transaction: TransactionId,
    /// What a call that follows it is made of.
    pub(in crate::ua) referred: Referred,
    /// When the subscription ends, or the wait for our user; zero for never.
    pub(in crate::ua) deadline: Instant,
}

impl Entry for ReferralEntry {
    const ZERO: Self = Self {
        state: State::Free,
        cause: ReferCause::Refused,
        silent: false,
        numbered: false,
        status: 0,
        seq: 0,
        dialog: Handle::NONE,
        call: Handle::NONE,
        transaction: TransactionId::NONE,
        referred: Referred { block: Block::NONE, target: 0 },
        deadline: Instant::ZERO,
    };

    fn key(&self, _chain: usize) -> Key {
        Key::ZERO
    }
}
