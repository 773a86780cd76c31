//! The entry of a registration.

use crate::memory::{Block, Entry};
use crate::random::Key;
use crate::time::Instant;
use crate::transaction::TransactionId;
use crate::transport::Flow;

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

/// One registration, an entry of the [`Memory`](crate::ua::Memory).
#[derive(Clone, Copy, Debug)]
pub struct RegistrationEntry {
    /// The registrar's URI, then the address of record.
    pub(in crate::ua) texts: Block,
    /// Header rows of the application for each REGISTER.
    pub(in crate::ua) rows: Block,
    pub(in crate::ua) registrar: u16,
    pub(in crate::ua) failures: u16,
    /// Random bits of the Call-ID, the same for all REGISTERs of this registration (RFC 3261 §10.2).
    pub(in crate::ua) call_id: u64,
    pub(in crate::ua) transaction: TransactionId,
    /// Where the registrar was reached.
    pub(in crate::ua) flow: Flow,
    pub(in crate::ua) seq: u32,
    /// The lifetime asked for, in seconds.
    pub(in crate::ua) wanted: u32,
    /// The lifetime granted, in seconds.
    pub(in crate::ua) granted: u32,
    /// When the next REGISTER is due; zero for never.
    pub(in crate::ua) refresh_at: Instant,
    /// When the next keep-alive is due; zero for never.
    pub(in crate::ua) keep_alive_at: Instant,
    pub(in crate::ua) sessions: [u32; 2],
    pub(in crate::ua) state: RegistrationState,
    /// A failure that the application has not been told.
    pub(in crate::ua) failed: bool,
    pub(in crate::ua) status: u16,
    pub(in crate::ua) retry_after: u32,
    /// The user wants it removed as soon as the REGISTER under way is done.
    pub(in crate::ua) removal_due: bool,
    /// The address has changed while a REGISTER was under way.
    pub(in crate::ua) again: bool,
    /// The REGISTER under way, or due, makes a correction of our address known.
    pub(in crate::ua) corrected: bool,
    /// The address has changed: calls are refreshed after the next success.
    pub(in crate::ua) moved: bool,
}

impl RegistrationEntry {
    pub(in crate::ua) fn earliest_deadline(&self) -> Option<Instant> {
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
