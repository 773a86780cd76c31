//! The entry of a registration.

use super::machine::Machine;
use crate::memory::{Block, Entry};
use crate::random::Key;
use crate::transaction::TransactionId;
use crate::transport::Flow;

/// One registration, an entry of the [`Memory`](crate::ua::Memory).
#[derive(Clone, Copy, Debug)]
// In this order, as short instructions of Thumb reach an octet among the first 32 only.
#[cfg_attr(target_pointer_width = "32", repr(C))]
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
    pub(in crate::ua) seq: u32,
    /// The lifetime asked for, in seconds.
    pub(in crate::ua) wanted: u32,
    pub(in crate::ua) sessions: [u32; 2],
    /// Where the registrar was reached.
    pub(in crate::ua) flow: Flow,
}

impl RegistrationEntry {
    /// Its registrar has answered by `flow`. Called, so that the copy is one of two things that are apart: a firmware needs no
    /// `memmove` for it, which takes 600 octets of flash.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(super) fn bound_by(&mut self, flow: &Flow) {
        self.flow = *flow;
    }
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
    pub(in crate::ua) call_id: &'a [u8],
    /// Where REGISTERs are sent; empty for where the domain leads.
    pub(in crate::ua) registrar: &'a [u8],
    pub(in crate::ua) aor: &'a [u8],
    /// The Request-URI: the address of record without its user (RFC 3261 §10.2).
    pub(in crate::ua) domain: &'a [u8],
}

impl<'a> Texts<'a> {
    /// The texts that a block holds.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(in crate::ua) fn of(block: &'a [u8]) -> Self {
        let (call_id, rest) = block.split_at_checked(CALL_ID).unwrap_or_default();
        let (&[a, b, c, d], rest) = rest.split_first_chunk().unwrap_or((&[0; 4], b""));
        let [registrar, aor] = [[a, b], [c, d]].map(|length| usize::from(u16::from_be_bytes(length)));
        let (registrar, rest) = rest.split_at_checked(registrar).unwrap_or_default();
        let (aor, domain) = rest.split_at_checked(aor).unwrap_or_default();
        Self { call_id, registrar, aor, domain }
    }

    /// The URI whose host is the next hop.
    pub(in crate::ua) fn next_hop(&self) -> &'a [u8] {
        if self.registrar.is_empty() { self.domain } else { self.registrar }
    }
}

/// Octets of a Call-ID.
const CALL_ID: usize = 16;
