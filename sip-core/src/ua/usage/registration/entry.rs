//! The entry of a registration.

use super::machine::Machine;
use crate::memory::{Block, Entry};
use crate::random::{Key, Token};
use crate::transaction::TransactionId;
use crate::transport::Flow;

/// One registration, an entry of the [`Memory`](crate::ua::Memory).
#[derive(Clone, Copy, Debug)]
pub struct RegistrationEntry {
    pub(in crate::ua) machine: Machine,
    /// What [`Texts`] reads.
    pub(in crate::ua) texts: Block,
    /// Header rows of the application for each REGISTER.
    pub(in crate::ua) rows: Block,
    /// What [`OwnAddress`](super::learn::OwnAddress) reads; none while the configured one is right.
    pub(in crate::ua) own_address: Block,
    /// The REGISTER under way; none while none is.
    pub(in crate::ua) transaction: TransactionId,
    /// Where the registrar was reached.
    pub(in crate::ua) flow: Flow,
    pub(in crate::ua) seq: u32,
    /// The lifetime asked for, in seconds.
    pub(in crate::ua) wanted: u32,
    pub(in crate::ua) sessions: [u32; 2],
}

impl Entry for RegistrationEntry {
    const ZERO: Self = Self {
        machine: Machine::ZERO,
        texts: Block::NONE,
        rows: Block::NONE,
        own_address: Block::NONE,
        transaction: TransactionId::NONE,
        flow: Flow::NONE,
        seq: 0,
        wanted: 0,
        sessions: [0; 2],
    };

    fn key(&self, _chain: usize) -> Key {
        Key::ZERO
    }
}

/// The texts of a registration, in one block: Call-ID, two lengths, registrar, address of record, domain.
#[derive(Clone, Copy, Debug)]
pub(in crate::ua) struct Texts<'a> {
    /// The same for all REGISTERs of this registration (RFC 3261 §10.2).
    pub(in crate::ua) call_id: Token,
    /// Where REGISTERs are sent; empty for where the domain leads.
    pub(in crate::ua) registrar: &'a [u8],
    pub(in crate::ua) aor: &'a [u8],
    /// The Request-URI: the address of record without its user (RFC 3261 §10.2).
    pub(in crate::ua) domain: &'a [u8],
}

impl<'a> Texts<'a> {
    /// The texts that a block holds.
    pub(in crate::ua) fn of(block: &'a [u8]) -> Self {
        let mut rest = block;
        let mut take = |length: usize| {
            let (taken, left) = rest.split_at_checked(length).unwrap_or_default();
            rest = left;
            taken
        };
        let call_id = Token::read(take(16)).unwrap_or(Token::ZERO);
        let mut length = || usize::from(u16::from_be_bytes(take(2).try_into().unwrap_or_default()));
        let (registrar, aor) = (length(), length());
        Self { call_id, registrar: take(registrar), aor: take(aor), domain: rest }
    }

    /// The URI whose host is the next hop.
    pub(in crate::ua) fn next_hop(&self) -> &'a [u8] {
        if self.registrar.is_empty() { self.domain } else { self.registrar }
    }
}
